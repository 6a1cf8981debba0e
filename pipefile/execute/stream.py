"""Streams: values too many to hold at once, in a file that is written item by item and read back item by item.

A stream's file begins with one line of JSON that says how to read what follows:

    {"format": 1, "items": "json"}      each further line is one item as JSON, its keys sorted
    {"format": 1, "items": "text"}      each further line is one text, without its line break; UTF-8
    {"format": 1, "items": "lines"}     each further line is one text, with its line break, which the last one may lack
    {"format": 1, "items": "bytes"}     as "text", of bytes
    {"format": 1, "items": "byte-lines"}    as "lines", of bytes

The first item decides: a text or bytes that ends in a line break is a line of a file, any other text or bytes stands for itself, all else is JSON. A
lone surrogate in a text is written as UTF-8 would write it if it were a character. Without items there is the first line alone, with "json".
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO

from pipefile.execute.modules import CallError
from pipefile.execute.plain import exact_json
from pipefile.model.stream import Stream

FORMAT = 1

_BUFFER = 1 << 18


class StoredStream(Stream[object]):
    """A stream as a function gets it: read from the disk while it is iterated.

    Args:
        path: Its file.
    """

    __slots__ = ("path",)

    def __init__(self, path: str) -> None:
        self.path = path

    def __iter__(self) -> Iterator[object]:
        return _read(self.path)

    def __repr__(self) -> str:
        return f"Stream({self.path!r})"


def write_stream(items: Iterable[object], path: str, name: str) -> None:
    """Write *items* to a new file as they come, holding one of them at a time.

    Args:
        items: What to write; closed in the end, where that can be done.
        path: The file. What stands there is replaced.
        name: What the stream is called, for messages.

    Raises:
        CallError: An item cannot stand in this stream.
        BaseException: What the producer of the items raises.
    """
    iterator = iter(items)
    try:
        with open(path, "wb", buffering=_BUFFER) as file:
            _write(iterator, file, name)
    finally:
        close = getattr(iterator, "close", None)
        if close is not None:
            close()


def _write(items: Iterator[object], file: BinaryIO, name: str) -> None:
    count = 0
    layout = ""
    line: Callable[[object], bytes | str] = _json_line
    for item in items:
        count += 1
        if count == 1:
            layout = _layout(item)
            line = _LINES[layout]
            file.write(_head(layout))
        made = line(item)
        if isinstance(made, str):
            raise CallError(f"item {count:,} of stream `{name}` {made}")
        file.write(made)
        if layout in _WITH_BREAKS and made[-1:] != b"\n":
            for _ in items:
                raise CallError(f"item {count:,} of stream `{name}` has no line break at its end, unlike those before, and is not the last one")
    if not count:
        file.write(_head("json"))


def _head(layout: str) -> bytes:
    return json.dumps({"format": FORMAT, "items": layout}).encode() + b"\n"


def _layout(item: object) -> str:
    if type(item) is str:
        return "lines" if item.endswith("\n") else "text"
    if type(item) is bytes:
        return "byte-lines" if item.endswith(b"\n") else "bytes"
    return "json"


# An item as a line of the file, or, as text, what is wrong with it.


def _json_line(item: object) -> bytes | str:
    if type(item) in (str, bytes):
        return f"is a `{type(item).__name__}`, but the first one was neither text nor bytes: a stream has items of one sort"
    return exact_json(item)


def _text_line(item: object) -> bytes | str:
    if type(item) is not str:
        return f"is a `{type(item).__name__}`, but the first one was text: a stream has items of one sort"
    if "\n" in item:
        return "has a line break in it, unlike the first one: yield lines with their line breaks, or wrap texts in a list or table"
    return item.encode("utf-8", "surrogatepass") + b"\n"


def _whole_line(item: object) -> bytes | str:
    if type(item) is not str:
        return f"is a `{type(item).__name__}`, but the first one was text: a stream has items of one sort"
    if not item or "\n" in item[:-1]:
        return "is no line: a line has one line break, at its end, as the first one had; wrap texts in a list or table"
    return item.encode("utf-8", "surrogatepass")


def _bytes_line(item: object) -> bytes | str:
    if type(item) is not bytes:
        return f"is a `{type(item).__name__}`, but the first one was bytes: a stream has items of one sort"
    if b"\n" in item:
        return "has a line break in it, unlike the first one: bytes that are no lines belong into a file, returned as a FileRef"
    return item + b"\n"


def _whole_bytes(item: object) -> bytes | str:
    if type(item) is not bytes:
        return f"is a `{type(item).__name__}`, but the first one was bytes: a stream has items of one sort"
    if not item or b"\n" in item[:-1]:
        return "is no line: bytes that are no lines belong into a file, returned as a FileRef"
    return item


_LINES: dict[str, Callable[[object], bytes | str]] = {
    "json": _json_line,
    "text": _text_line,
    "lines": _whole_line,
    "bytes": _bytes_line,
    "byte-lines": _whole_bytes,
}
_WITH_BREAKS = frozenset(["lines", "byte-lines"])


def _read(path: str) -> Iterator[object]:
    with open(path, "rb", buffering=_BUFFER) as file:
        layout = _layout_of(file.readline(1000), path)
        if layout == "json":
            for line in file:
                yield json.loads(line.decode("utf-8"))
        elif layout == "text":
            for line in file:
                yield line[:-1].decode("utf-8", "surrogatepass")
        elif layout == "lines":
            for line in file:
                yield line.decode("utf-8", "surrogatepass")
        elif layout == "bytes":
            for line in file:
                yield line[:-1]
        else:
            yield from file


def _layout_of(line: bytes, path: str) -> str:
    try:
        head = json.loads(line)
        if head["format"] == FORMAT and head["items"] in _LINES:
            return str(head["items"])
    except (ValueError, TypeError, KeyError):
        pass
    raise CallError(f"`{path}` is no stream that this version of pipefile can read")
