"""Values that functions hand to other stages: files in the store, and for a while in memory, where they are small."""

from __future__ import annotations

import json
from collections import OrderedDict
from typing import NamedTuple

from pipefile.base import digest as digests
from pipefile.base.errors import InputError
from pipefile.base.paths import show
from pipefile.engine.files import Files, State
from pipefile.model.ports import StoredValue
from pipefile.plan.render import has_keys
from pipefile.plan.texts import as_argument, value_text

_KEPT = 64 << 20  # bytes of all values in memory together: the oldest are read again from their files, should anybody ask for them
_SCALARS = (str, int, float, bool)
_LONGEST_WORD = 4 << 20  # bytes, far above what a command can be given as one word: what is longer is a list or a table, or has no place in a command


class Named(NamedTuple):
    """A file that a function has named when it returned: path from the root (absolute outside the project), digest, bytes."""

    path: str
    digest: str
    size: int


class Values:
    """The values of one project during one command.

    Args:
        files: The project's files.
        in_memory: Bytes up to which a value is kept in memory.
    """

    def __init__(self, files: Files, in_memory: int) -> None:
        self._files = files
        self._disk = files.disk
        self.in_memory = in_memory
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self.size = 0

    def keep(self, digest: str, data: bytes) -> None:
        """Remember the bytes of a value, which have just been written or read."""
        if digest in self._kept or len(data) > self.in_memory:
            return
        self._kept[digest] = data
        self.size += len(data)
        while self.size > max(_KEPT, self.in_memory):
            self.size -= len(self._kept.popitem(last=False)[1])

    def stored(self, path: str, kind: str, entry: str, at: str) -> StoredValue:
        """A value as a function's argument.

        Args:
            path: Its file, from the root.
            kind: What it is.
            entry: The key that is meant.
            at: Its file, as the function finds it.
        """
        state = self._files.state(path)
        data = None if kind == "stream" else self._data(path, state)
        return StoredValue(at, kind, entry, data, state.digest)

    def _data(self, path: str, state: State) -> bytes | None:
        """The bytes of a small value; None for a large one."""
        found = self._kept.get(state.digest)
        if found is None and state.stamp is not None and state.stamp[2] <= self.in_memory:
            data = self._disk.read(path, follow=False)
            if digests.of_bytes(data, self._files.algorithm) == state.digest:
                found = data
                self.keep(state.digest, data)
        return found

    def small(self, path: str, most: int) -> bytes | None:
        """The bytes of a value that has at most *most* of them; None for a larger one.

        Raises:
            OSError: It cannot be read.
        """
        state = self._files.state(path)
        if state.stamp is None or state.stamp[2] > most:
            return None
        return self._data(path, state) or self._disk.read(path, most, follow=False)

    def _read(self, path: str) -> object:
        """A value that is JSON.

        Raises:
            OSError, ValueError: It cannot be read.
        """
        state = self._files.state(path)
        if state.kind != "file":
            raise FileNotFoundError(path)
        data = self._data(path, state) or self._disk.read(path, follow=False)
        return json.loads(data.decode("utf-8"))

    def named(self, path: str) -> Named:
        """The file that the value at *path*, one of kind "file", names.

        Raises:
            InputError: It is not there, or cannot be read.
        """
        try:
            value = self._read(path)
            if isinstance(value, dict):
                file, digest, size = value["path"], value["digest"], value["size"]
                if isinstance(file, str) and file and digests.is_digest(digest) and isinstance(size, int):
                    return Named(file, digest, size)
        except (OSError, ValueError, KeyError):
            pass
        raise InputError(f"`{show(path)}` does not name a file, as what its stage returned would")

    def fault(self, path: str, kind: str) -> str:
        """What is wrong with a value that is JSON or names a file, in words that follow its name; "" if nothing is."""
        try:
            if kind == "file":
                named = self.named(path)
                same = self._files.output_digest(named.path) == named.digest
                return "" if same else f"names `{show(named.path)}`, which is not there as it says"
            value = self._read(path)
        except (InputError, OSError, ValueError):
            return "is not as its stage would write it"
        types = {"int": (int,), "float": (float,), "str": (str,), "bool": (bool,)}.get(kind)
        return "" if types is None or type(value) in types else f"is not of type `{kind}`, as its stage declares"

    def text(self, path: str, kind: str, entry: str, folder: str = "") -> str:
        """What stands for a value in a command: itself where it is a text, a number or a truth, else the path of its file, from *folder*.

        While it is not final, it may be anything: then the path stands for it.

        Raises:
            InputError: It has no such entry, or one that is no text.
        """
        if kind == "file":
            try:
                return as_argument(self.named(path).path, folder)
            except InputError:
                return as_argument(path, folder)
        if kind in ("stream", "any") or (kind == "json" and self.size_of(path) > _LONGEST_WORD):
            return as_argument(path, folder)
        try:
            value = self._read(path)
        except (OSError, ValueError):
            return as_argument(path, folder)
        if entry:
            return self._entry_text(value, entry, path)
        if isinstance(value, _SCALARS):
            return self._spoken(value, path)
        return as_argument(path, folder)

    def size_of(self, path: str) -> int:
        """Bytes of a value's file; 0 where there is none."""
        stamp = self._files.state(path).stamp
        return 0 if stamp is None else stamp[2]

    def _entry_text(self, value: object, entry: str, path: str) -> str:
        if not isinstance(value, dict):
            raise InputError(f"there is no `{show(entry)}` in `{show(path)}`: what was returned is no table with keys")
        if entry not in value:
            raise InputError(f"there is no `{show(entry)}` in `{show(path)}`: {has_keys(value)}")
        inner = value[entry]
        if not isinstance(inner, _SCALARS):
            raise InputError(f"`{show(entry)}` in `{show(path)}` is no text, number or truth, which alone can stand in a command")
        return self._spoken(inner, path)

    def _spoken(self, value: str | float | bool, path: str) -> str:
        text = value_text(value)
        assert isinstance(text, str)
        if "\0" in text:
            raise InputError(f"the value `{show(path)}` has a NUL character in it, which no command can be given")
        return text
