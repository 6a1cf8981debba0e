"""Importing a project's own modules: always the code on disk.

Python trusts a .pyc whose source has the same size and the same second, and a module that it has once imported. Both are wrong for a builder: so a
project's files are compiled from their source, nothing is written beside them, and no module of a project outlives the build that imported it.
Other modules (installed ones) are imported as ever and stay.
"""

from __future__ import annotations

import os
import sys
from importlib.machinery import (
    BYTECODE_SUFFIXES,
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    SourceFileLoader,
    SourcelessFileLoader,
)
from types import CodeType, ModuleType

from pipefile.model.stage import Call


class CallError(Exception):
    """The function of a stage cannot be called; the text is for people."""


class SourceLoader(SourceFileLoader):
    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        code: CodeType = self.source_to_code(self.get_data(path), path)
        return code


class ProjectModules:
    """Imports from one folder, between `install` and `remove`.

    Args:
        folder: Absolute path of the folder that modules are named from.
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self._below = folder if folder.endswith("/") else folder + "/"
        prefixes = {prefix.rstrip("/") + "/" for prefix in (sys.prefix, sys.base_prefix)}
        self._installations = tuple(prefix for prefix in prefixes if prefix.startswith(self._below) and prefix != self._below)
        self._installed = False
        self._callers: dict[str, ModuleType] = {}
        self._path: list[str] = []

    def install(self) -> None:
        """Make the folder the first place for imports, and forget what was imported from it before."""
        if self._installed:
            return
        self._installed = True
        self._callers = {name: module for name, module in self._forget().items() if not isinstance(module.__dict__.get("__loader__"), SourceLoader)}
        sys.path_hooks.insert(0, self._finder)
        self._path = list(sys.path)
        sys.path.insert(0, self.folder)

    def renew(self) -> None:
        """Import everything anew from now on."""
        if self._installed:
            self._forget()

    def remove(self) -> None:
        """Put everything back."""
        if not self._installed:
            return
        self._installed = False
        if self._finder in sys.path_hooks:
            sys.path_hooks.remove(self._finder)
        if self.folder in sys.path:
            sys.path.remove(self.folder)
        sys.path[:] = [place for place in sys.path if place in self._path or not self._is_inside(place)]  # what its modules have added
        self._forget()
        sys.modules.update(self._callers)  # a program that builds with its own modules goes on with them
        self._callers = {}

    def function(self, call: Call) -> object:
        """What a call names.

        Raises:
            CallError: There is no such module or function.
            BaseException: Whatever the module raises while it is imported.
        """
        import importlib

        written = f"`{call.module}:{call.function}`"
        try:
            module = importlib.import_module(call.module)
        except ModuleNotFoundError as fault:
            if fault.name is not None and (call.module == fault.name or call.module.startswith(fault.name + ".")):
                raise CallError(f"cannot call {written}: there is no module `{fault.name}` in the Pipefile's folder") from None
            raise
        found: object = module
        for name in call.function.split("."):
            if not hasattr(found, name):
                where = "" if self.owns(module) else f", which is {module.__dict__.get('__file__') or 'part of Python'}"
                raise CallError(f"cannot call {written}: there is no `{name}` in module `{call.module}`{where}")
            found = getattr(found, name)
        if not callable(found):
            raise CallError(f"cannot call {written}: it is no function")
        return found

    def owns_file(self, path: str) -> bool:
        """Whether a file is the project's, rather than of a Python installation that lies inside it."""
        return path.startswith(self._below) and not path.startswith(self._installations) and "/site-packages/" not in path

    def owns(self, module: ModuleType) -> bool:
        path = module.__dict__.get("__file__")
        if path is None:
            path = next(iter(module.__dict__.get("__path__", ())), None)  # a folder without __init__.py
        return isinstance(path, str) and self.owns_file(path)

    def _is_inside(self, place: str) -> bool:
        return (os.path.normpath(os.path.join(self.folder, place)) + "/").startswith(self._below)

    def _finder(self, path: str) -> FileFinder:
        path = os.path.normpath(os.path.join(self.folder, path))  # a module may have added a relative one
        if not (path == self.folder or self.owns_file(path + "/")) or not os.path.isdir(path):
            raise ImportError("not a folder of the project")  # the next hook's
        loaders = ((ExtensionFileLoader, EXTENSION_SUFFIXES), (SourceLoader, SOURCE_SUFFIXES), (SourcelessFileLoader, BYTECODE_SUFFIXES))
        return FileFinder(path, *loaders)

    def _forget(self) -> dict[str, ModuleType]:
        """Drop the project's modules, and those that another build left: their names may be this one's too. Returns them."""
        dropped = {}
        for name, module in list(sys.modules.items()):
            if name.partition(".")[0] in ("pipefile", "__main__") or not isinstance(module, ModuleType):  # a project may be pipefile itself
                continue
            if isinstance(module.__dict__.get("__loader__"), SourceLoader) or self.owns(module):
                dropped[name] = sys.modules.pop(name)
        for path in list(sys.path_importer_cache):
            if path == self.folder or path.startswith(self._below) or not path.startswith("/"):  # a relative one is of whichever project came first
                del sys.path_importer_cache[path]
        return dropped
