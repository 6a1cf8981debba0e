"""Importing a project's modules to learn from them what stages they declare: what is read on the way is remembered."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from importlib.machinery import (
    BYTECODE_SUFFIXES,
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    ModuleSpec,
    SourcelessFileLoader,
)
from types import CodeType, ModuleType

from pipefile.execute.modules import ProjectModules, SourceLoader


class RecordingModules(ProjectModules):
    """As ProjectModules; besides it knows the bytes of every source that it has run, and what it was asked for and did not find.

    Attributes:
        sources: Absolute path -> the bytes that were run.
        absent: Absolute paths of files that would have been taken as modules, had they been there.
    """

    def __init__(self, folder: str) -> None:
        super().__init__(folder)
        self.sources: dict[str, bytes] = {}
        self.absent: set[str] = set()

    def _finder(self, path: str) -> FileFinder:
        super()._finder(path)  # refuses what is no folder of the project
        source = partial(_RecordingLoader, self.sources)
        loaders = ((ExtensionFileLoader, EXTENSION_SUFFIXES), (source, SOURCE_SUFFIXES), (SourcelessFileLoader, BYTECODE_SUFFIXES))
        return _RecordingFinder(path, loaders, self.absent)


class _RecordingLoader(SourceLoader):
    def __init__(self, sources: dict[str, bytes], name: str, path: str) -> None:
        super().__init__(name, path)
        self._sources = sources

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        data = self._sources[path] = self.get_data(path)
        code: CodeType = self.source_to_code(data, path)
        return code


class _RecordingFinder(FileFinder):
    def __init__(self, path: str, loaders: Sequence[tuple[object, list[str]]], absent: set[str]) -> None:
        super().__init__(path, *loaders)  # type: ignore[arg-type]  # anything that makes a loader will do
        self._absent = absent

    def find_spec(self, fullname: str, target: ModuleType | None = None) -> ModuleSpec | None:
        found = super().find_spec(fullname, target)
        if found is None or found.loader is None:  # nothing, or a folder that gives way to a module further on
            here = os.path.join(self.path, fullname.rpartition(".")[2])
            self._absent.update([here + ".py", os.path.join(here, "__init__.py")])
        return found
