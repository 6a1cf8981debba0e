"""Which of a project's files a Python function or script is made of, as far as its static imports tell."""

from __future__ import annotations

import stat as stat_bits
from typing import NamedTuple, TypeAlias

from pipefile.base.paths import folder_of, join
from pipefile.model.ports import Disk
from pipefile.plan.imports import static_imports

Parsed: TypeAlias = "dict[tuple[object, ...], frozenset[str]]"
"""What sources import, by path, module name and stat: one for a process, so that nothing is parsed twice."""


class Reach(NamedTuple):
    """What a module or script reaches by static import.

    Args:
        files: Paths from the root, sorted.
        folders: Folders whose names were asked for modules: while they stand as they were, and so do the files, nothing else is reached.
    """

    files: tuple[str, ...]
    folders: tuple[str, ...]


def first_party_files(disk: Disk, folder: str, start: str, cache: Parsed) -> tuple[str, ...]:
    """The files of `reach`."""
    return reach(disk, folder, start, cache).files


def reach(disk: Disk, folder: str, start: str, cache: Parsed) -> Reach:
    """The files below the project root that a module or script reaches by static import, itself and the `__init__.py` of all packages included.

    Args:
        disk: The disk.
        folder: Folder that modules are looked for in, from the root: that of the Pipefile.
        start: A dotted module name, or the path of a script from the root. A script finds modules in its own folder first, as Python does.
        cache: What is known from earlier calls; filled further.

    Returns:
        Its files and folders; no files where *start* is not in the project.

    Raises:
        OSError: A file is there but cannot be read.
    """
    script = start.endswith(".py") or "/" in start
    walk = _Walk(disk, tuple(dict.fromkeys([folder_of(start), folder] if script else [folder])), cache)
    return Reach(walk.files(start, script), tuple(sorted(walk.looked)))


class _Walk:
    def __init__(self, disk: Disk, folders: tuple[str, ...], cache: Parsed) -> None:
        self._disk = disk
        self._folders = folders
        self.looked = set(folders)
        self._cache = cache
        self._found: dict[str, None] = {}
        self._packages: dict[tuple[str, str], tuple[str, bool]] = {}
        self._waiting: list[tuple[str, str, bool]] = []

    def files(self, start: str, script: bool) -> tuple[str, ...]:
        if script:
            self._take(start, "", package=False)
        else:
            self._import(start)
        seen: set[str] = set()
        while self._waiting:
            path, module, package = self._waiting.pop()
            for name in self._imports_of(path, module, package):
                if name not in seen:
                    seen.add(name)
                    self._import(name)
        return tuple(sorted(self._found))

    def _import(self, name: str) -> None:
        """Take the files that importing *name* runs: its packages from the outermost, and itself where it is a module and no attribute."""
        parts = name.split(".")
        if not all(parts):
            return
        for root in self._folders:
            inside, module, taken = root, "", False
            for part in parts:
                module = f"{module}.{part}" if module else part
                path, package = self._locate(inside, part)
                if path:
                    self._take(path, module, package)
                    taken = True
                if not package:
                    break  # what follows is an attribute of a module, or an error that Python will tell
                inside = join(inside, part)
            if taken:
                return  # a folder without `__init__.py` gives way to a module further on, as in Python

    def _locate(self, folder: str, name: str) -> tuple[str, bool]:
        """What `import NAME` finds in a folder: its file ("" for a namespace package or for nothing), and whether it is a package."""
        at = (folder, name)
        found = self._packages.get(at)
        if found is None:
            inner = join(folder, name)
            seen = self._disk.stat(inner)
            directory = seen is not None and stat_bits.S_ISDIR(seen.st_mode)
            if directory:
                self.looked.add(inner)
            if directory and self._is_file(inner + "/__init__.py"):
                found = (inner + "/__init__.py", True)
            elif self._is_file(inner + ".py"):
                found = (inner + ".py", False)
            else:
                found = ("", directory)
            self._packages[at] = found
        return found

    def _is_file(self, path: str) -> bool:
        seen = self._disk.stat(path)
        return seen is not None and stat_bits.S_ISREG(seen.st_mode)

    def _take(self, path: str, module: str, package: bool) -> None:
        if path not in self._found and self._is_file(path):
            self._found[path] = None
            self._waiting.append((path, module, package))

    def _imports_of(self, path: str, module: str, package: bool) -> frozenset[str]:
        seen = self._disk.stat(path)
        if seen is None:
            return frozenset()
        at = (path, module, seen.st_dev, seen.st_ino, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns)
        found = self._cache.get(at)
        if found is None:
            found = self._cache[at] = static_imports(self._disk.read(path), module, package)
        return found
