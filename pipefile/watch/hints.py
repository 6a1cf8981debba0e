"""What may have changed. Paths are from the project's root, or absolute."""

from __future__ import annotations

from pipefile.base.dataclass import dataclass, field
from pipefile.base.paths import folder_of


@dataclass
class Hints:
    """
    Args:
        names: Paths.
        trees: Folders with all that is in them.
        folders: Folders whose files and names are to be looked at, of which nothing more is known.
        everything: All of it.
    """

    names: set[str] = field(default_factory=set)
    trees: set[str] = field(default_factory=set)
    folders: set[str] = field(default_factory=set)
    everything: bool = False

    def __bool__(self) -> bool:
        return bool(self.names or self.trees or self.folders or self.everything)

    def add(self, other: Hints) -> None:
        self.names |= other.names
        self.trees |= other.trees
        self.folders |= other.folders
        self.everything |= other.everything

    def cover(self, path: str) -> bool:
        """Whether a path, or a name in it if it is a folder that ends in `/`, is among what may have changed."""
        if self.everything or path in self.names or path in self.trees:
            return True
        if path.endswith("/"):
            folder = path[:-1]
            return folder in self.folders or folder in self.trees or any(folder_of(name) == folder for name in (*self.names, *self.trees))
        above = folder_of(path)
        if above in self.folders:
            return True
        while above:
            if above in self.trees:
                return True
            above = folder_of(above)
        return False
