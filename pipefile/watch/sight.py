"""What of a project is watched, and what is heard of it: folders and events on one side, what the last build knew on the other."""

from __future__ import annotations

import os
from collections.abc import Callable

from pipefile.base.paths import folder_of
from pipefile.watch.folders import Folders, Heard, Queue
from pipefile.watch.hints import Hints
from pipefile.watch.inotify import OUTPUTS, SOURCES
from pipefile.watch.known import Known
from pipefile.watch.mounts import Mounts
from pipefile.watch.names import is_own

_LINKS = 40  # as many as the kernel follows


class Sight:
    """
    Args:
        known: What the last build knew.
        make: As for Folders.
        mounts: As for Folders.
    """

    def __init__(self, known: Known, make: Callable[[], Queue] | None, mounts: Mounts) -> None:
        self.known = known
        self.root = known.root
        self.folders = Folders(known.root, make, mounts)
        self._targets: dict[str, set[str]] = {}  # absolute path of a file -> paths of links that lead to it
        self._complete = False
        self._placed: object = None

    def at(self, path: str) -> str:
        return path if path.startswith("/") else f"{self.root}/{path}" if path else self.root

    def path_of(self, whole: str) -> str:
        """A path as the index has it."""
        return whole[len(self.root) + 1 :] if whole.startswith(self.root + "/") else "" if whole == self.root else whole

    # -- what is watched

    def place(self) -> Hints:
        """Watch what has to be, after a build.

        Returns:
            Where something may have changed before it was watched.
        """
        hints = Hints()
        placed, self._placed = self._placed, (self.known.memory.places, self.known.mending)
        if self._complete and placed == self._placed:
            return self.renew()
        for _ in range(_LINKS):
            new = self.folders.want(self._wanted())
            hints.folders.update(self.path_of(folder) for folder in new)
            if not sum(self._follow(folder) for folder in new):
                break
        if not self._complete:
            self._complete = True
            hints.everything = True  # nothing was watched before
        return hints

    def _wanted(self) -> dict[str, int]:
        folders, outputs = self.known.memory.watched()
        wanted = {self.at(folder): OUTPUTS if folder in outputs else SOURCES for folder in folders if not self.known.in_store(folder)}
        for path in self.known.mending or ():
            wanted[folder_of(self.at(path))] = SOURCES
        wanted.update((folder_of(target) or "/", SOURCES) for target in self._targets)
        wanted[self.root] = SOURCES
        return wanted

    def _follow(self, folder: str) -> bool:
        """Find the links among the files of a folder that is watched now; whether any lead elsewhere."""
        path = self.path_of(folder)
        try:
            with os.scandir(folder) as entries:
                links = [f"{path}/{entry.name}" if path else entry.name for entry in entries if entry.is_symlink()]
        except OSError:
            return False
        found = False
        for link in links:
            target = os.path.realpath(self.at(link))
            if self.known.memory.is_source(link) and link not in self._targets.get(target, ()):
                self._targets.setdefault(target, set()).add(link)
                found = True
        return found

    def renew(self) -> Hints:
        """Watch folders that have come. Returns where something may have happened before that."""
        return Hints(folders={self.path_of(folder) for folder in self.folders.renew()})

    # -- what is heard

    def hear(self) -> Heard:
        return self.folders.hear()

    def hints(self, heard: Heard) -> Hints:
        """What events tell, in the paths of the index; nothing of what is pipefile's own."""
        found = Hints(everything=heard.lost or heard.root)
        for whole in heard.names:
            path = self.path_of(whole)
            found.names.add(path)
            found.names.update(self._targets.get(whole, ()))
            if os.path.islink(whole) and self.known.memory.is_source(path):
                self._follow(folder_of(whole))
            if self.folders.is_wanted(whole):  # a link to a folder has come to lead elsewhere
                self.folders.again(whole)
                found.trees.add(path)
        found.trees.update(path for whole in heard.trees if not is_own(path := self.path_of(whole), self.known.store))
        return found

    def silent(self) -> Hints:
        """The folders of which no event tells."""
        return Hints(folders={self.path_of(folder) for folder in self.folders.polled})

    def lost_root(self) -> None:
        self.folders.forget()
        self._targets.clear()
        self._complete = False
