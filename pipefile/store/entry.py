"""One entry of the cache, as bytes: the same wherever it is kept.

An entry is one line in the frame that store/frame.py describes. Here in several:

    {"format": 1, "checksum": "64a1c30f4f41cd7b6dd4a1b2e3a0c9d8", "key": "blake3:2c26b4...", "used": 1707732000,
     "discovered": {"src/a.h": "blake3:60303a...", "src/b.h": ""}, "duration": 0.25, "edge": "compile",
     "outputs": [["build/a.o", "file", "blake3:fcde2b...", [["", "file", "blob", "blake3:fcde2b...", 20480]]],
                 ["build/a.d", "file", "blake3:ab530a...", [["", "file", "text", "build/a.o: src/a.h\\n"]]],
                 ["build/docs", "directory", "blake3:77ac01...", [["img", "directory"], ["img/x.png", "file", "base64", "iVBORw0K"],
                  ["latest", "link", "img/x.png"], ["run", "exec", "blob", "blake3:0d1a7c...", 70000]]],
                 ["build/huge", "file", "blake3:9f86d0...", null]],
     "own": []}

- `key`: the cache's key. `used`: when it was put there, in seconds since the epoch. `edge` and `duration` (seconds) are for people.
- A line that ends after `used` is a mark: at that time a result of that key was restored.
- `discovered`, `own`: as in records, but paths are from the project root, or absolute.
- `outputs`: path from the root (or absolute, below `[pipefile] outside`), "file" or "directory", digest as in records, and its items; null for items
  that are not kept. An output that is a file has one item, of path ""; an optional one that was not made has the digest "" and no item. A directory's
  items are sorted by path, so that folders come before what is in them; each path is made of plain names below a folder that is an item too.
- An item: path, then `"directory"`; or `"link"` and its text; or `"file"` (`"exec"`: its owner may execute it) and where its bytes are:
  `"text"` and `"base64"` hold them, `"blob"` names them by digest (of the bytes alone) and size.
- Nothing is in an entry of the values of variables, of parameters or of the command: the key covers them, and whoever asks has them.

It is data alone: nothing in it is ever run, and whoever reads it checks that it describes just what the edge declares (engine/restore.py).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from json.encoder import encode_basestring_ascii as _quoted
from math import isfinite

from pipefile.base.digest import is_digest
from pipefile.base.errors import RecordError
from pipefile.base.paths import absolute_from
from pipefile.model.cache import Entry, Item, Kept
from pipefile.model.record import ABSENT
from pipefile.store.frame import opened, sealed, sealed_text

LIMIT = 64 << 20  # bytes of an entry
MOST_ITEMS = 100_000  # of an entry: more files than that are no result to be handed around
INLINE = 4096  # bytes of a file that an entry has in itself: a block of the disk, which the entry's own file takes anyway
INLINE_ALL = 64 << 10  # bytes of all of them together

KEY_AT = 70  # where the key begins in a line, which is 71 characters long

_NAMES = ("key", "used", "discovered", "duration", "edge", "outputs", "own")


def mark(key: str, used: int) -> bytes:
    """The line that says when a key was used."""
    return sealed({"key": key, "used": used})


def encode(entry: Entry, used: int = 0) -> bytes:
    """The line that an entry is."""
    line = _by_hand(entry, used)
    if line is not None:
        return sealed_text(line)
    return sealed(
        {
            "key": entry.key,
            "used": used,
            "discovered": dict(entry.discovered),
            "duration": float(entry.duration),
            "edge": entry.edge,
            "outputs": [
                (output.path, output.kind, output.digest, None if output.items is None else [_packed(item) for item in output.items])
                for output in entry.outputs
            ],
            "own": list(entry.own),
        }
    )


def _by_hand(entry: Entry, used: int) -> str | None:
    """The JSON of an entry as most are, small files of text alone, as the library makes it: in a third of the time. None for any other."""
    if entry.discovered or entry.own or not isfinite(entry.duration):
        return None
    outputs = []
    for output in entry.outputs:
        item = output.items[0] if output.items is not None and len(output.items) == 1 else None
        if item is None or item.kind != "file" or item.data is None or not item.data.isascii():
            return None
        kind = "exec" if item.executable else "file"
        packed = f'[[{_quoted(item.path)}, "{kind}", "text", {_quoted(item.data.decode("ascii"))}]]'
        outputs.append(f'[{_quoted(output.path)}, {_quoted(output.kind)}, {_quoted(output.digest)}, {packed}]')
    return (
        f'{{"key": {_quoted(entry.key)}, "used": {used}, "discovered": {{}}, "duration": {float(entry.duration)!r}, "edge": {_quoted(entry.edge)}, '
        f'"outputs": [{", ".join(outputs)}], "own": []}}'
    )


def _packed(item: Item) -> tuple[object, ...]:
    if item.kind == "directory":
        return (item.path, "directory")
    if item.kind == "link":
        return (item.path, "link", (item.data or b"").decode("utf-8", "surrogateescape"))
    kind = "exec" if item.executable else "file"
    if item.data is None:
        return (item.path, kind, "blob", item.blob, item.size)
    try:
        return (item.path, kind, "text", item.data.decode("ascii"))
    except UnicodeDecodeError:
        return (item.path, kind, "base64", base64.b64encode(item.data).decode("ascii"))


def decode(data: bytes, key: str) -> tuple[Entry | None, int]:
    """The entry that a line, its end included, holds, and when it was put there; None for a mark.

    Args:
        data: The line.
        key: Under which it was found.

    Raises:
        RecordError: It is damaged, forged, of another key, too large, or of an unknown format.
    """
    if len(data) > LIMIT:
        raise RecordError("it is too large")
    try:
        return _entry(opened(data, "result"), key)
    except RecordError:
        raise
    except (ValueError, TypeError, KeyError, RecursionError) as error:  # BadPathError is a ValueError
        raise RecordError(f"it does not hold a result: {error}") from None


def _entry(values: dict[str, object], key: str) -> tuple[Entry | None, int]:
    if tuple(values) not in (_NAMES, _NAMES[:2]):
        raise RecordError("it has other names than a result")
    used = values["used"]
    if values["key"] != key or type(used) is not int or not 0 <= used < 1 << 62:
        raise RecordError("it is the result of another key")
    if len(values) == 2:
        return None, used
    duration, discovered = values["duration"], values["discovered"]
    if type(duration) is not float or not 0 <= duration < 1e12 or type(discovered) is not dict:
        raise RecordError("something is of the wrong kind")
    for digest in discovered.values():
        if digest != ABSENT and not is_digest(digest):
            raise RecordError("a file has no digest")
    outputs = tuple([_output(item) for item in _list(values["outputs"])])
    if sum(len(output.items or ()) for output in outputs) > MOST_ITEMS:
        raise RecordError("it has too many files")
    entry = Entry(
        key,
        _text(values["edge"]),
        outputs,
        {_path(path): digest for path, digest in discovered.items()},
        tuple([_path(path) for path in _list(values["own"])]),
        duration,
    )
    return entry, used


def _output(value: object) -> Kept:
    path, kind, digest, items = _list(value, 4)
    if kind not in ("file", "directory") or (digest != ABSENT and not is_digest(digest)):
        raise RecordError("an output is not described as one")
    made = None if items is None else tuple([_item(item) for item in _list(items)])
    if digest == ABSENT:
        if made != ():
            raise RecordError("an output that is absent has something in it")
    elif made is not None:
        _check_items(kind == "file", made)
    return Kept(_path(path), _text(kind), _text(digest), made)


def _item(value: object) -> Item:
    fields = _list(value)
    path, kind = _text(fields[0]), _text(fields[1])
    if kind == "directory":
        _list(fields, 2)
        return Item(path, kind)
    if kind == "link":
        text = _text(_list(fields, 3)[2])
        if not text or "\0" in text:
            raise RecordError("a link leads nowhere")
        return Item(path, kind, data=text.encode("utf-8", "surrogateescape"))
    if kind not in ("file", "exec"):
        raise RecordError("it holds what is neither a file nor a folder nor a link")
    if fields[2] == "blob":
        _, _, _, blob, size = _list(fields, 5)
        if not is_digest(blob) or type(size) is not int or not 0 <= size < 1 << 56:
            raise RecordError("a file is not described as one")
        return Item(path, "file", _text(blob), size, kind == "exec")
    data = _data(*_list(fields, 4)[2:])
    return Item(path, "file", "", len(data), kind == "exec", data)


def _data(how: object, text: object) -> bytes:
    if how == "text":
        return _text(text).encode("ascii")
    if how != "base64":
        raise RecordError("a file is not described as one")
    try:
        return base64.b64decode(_text(text), validate=True)
    except binascii.Error as error:
        raise RecordError(f"a file is not described as one: {error}") from None


def _check_items(file: bool, items: tuple[Item, ...]) -> None:
    """Refuse paths that lead out of their output, by themselves or by way of a link."""
    if file:
        if len(items) != 1 or items[0].path or items[0].kind != "file":
            raise RecordError("an output that is a file is not described as one")
        return
    folders = {""}
    before = ""
    for item in items:
        folder, _, name = item.path.rpartition("/")
        if name in ("", ".", "..") or "\0" in name or item.path[0] == "/" or folder not in folders or item.path <= before:
            raise RecordError("a file in a directory is not where it could be")
        before = item.path
        if item.kind == "directory":
            folders.add(item.path)


def _text(value: object) -> str:
    if type(value) is not str:
        raise RecordError("something is no text")
    return value


def _path(value: object) -> str:
    text = _text(value)
    if not text or absolute_from(text, "") != text:
        raise RecordError("something is no path")
    return text


def _list(value: object, length: int | None = None) -> Sequence[object]:
    if type(value) is not list or (length is not None and len(value) != length):
        raise RecordError("something is no list")
    return value
