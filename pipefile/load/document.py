"""A file of the project that holds TOML, on its way from the disk to a document: what cannot be read is told by file, line and column."""

from __future__ import annotations

import errno
import os
from typing import Any

from pipefile.base import digest as digests
from pipefile.base.errors import PipefileSyntaxError
from pipefile.base.locations import Position
from pipefile.base.paths import show
from pipefile.load.faults import at_offset, unplaced
from pipefile.model.ports import Disk

LARGEST = 50 << 20
"""Bytes of a Pipefile: ten times that of 100,000 stages."""


def read_bytes(disk: Disk, file: str, may_lack: bool = False) -> bytes | None:
    """The bytes of a file.

    Args:
        disk: Where it is.
        file: From the root, or absolute.
        may_lack: None is returned where there is no such file.

    Raises:
        PipefileSyntaxError: It cannot be read.
    """
    try:
        return disk.read(file, limit=LARGEST)
    except FileNotFoundError:
        if may_lack:
            return None
        message = "there is no such file"
    except OSError as error:
        if error.errno == errno.EFBIG:
            message = f"larger than {LARGEST >> 20} MB"
        elif error.errno == errno.EINVAL:
            message = "not a regular file"
        else:
            message = f"cannot be read: {os.strerror(error.errno or 0).lower()}"
    raise unplaced(message, show(file))


def digest_of(disk: Disk, path: str, data: bytes, algorithm: str) -> str:
    """The digest as `Disk.digest` would give it, of bytes that are read already."""
    text = digests.of_bytes(data, algorithm)
    seen = disk.stat(path)
    return digests.executable(text) if seen is not None and seen.st_mode & 0o100 else text


def decode(data: bytes, file: str) -> str:
    """The text of a file in UTF-8.

    Raises:
        PipefileSyntaxError: It is not.
    """
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        begin = data.rfind(b"\n", 0, error.start) + 1
        column = len(data[begin : error.start].decode("utf-8")) + 1
        raise unplaced("invalid UTF-8", show(file), position=Position(line, column)) from None


def parse(text: str, file: str) -> dict[str, Any]:
    """The document as tomli reads it.

    Raises:
        PipefileSyntaxError: It is no TOML.
    """
    import tomli

    try:
        return tomli.loads(text[1:] if text.startswith("\ufeff") else text)
    except tomli.TOMLDecodeError as error:
        raise _not_toml(error.msg, error.pos, text, file) from None
    except RecursionError:
        raise unplaced("nested too deeply", show(file)) from None
    except ValueError:  # Python reads no integers of more than 4300 digits
        raise _huge_integer(text, file) from None


def _not_toml(message: str, at: int, text: str, file: str) -> PipefileSyntaxError:
    """What tomli complains of, in our words, at the offset in *text* that it means."""
    document = text.removeprefix("\ufeff")
    plain = document.replace("\r\n", "\n")  # what tomli counts in
    at = min(at, len(plain))
    stop = 0
    unended = _unended(plain) if at >= len(plain.rstrip()) else None
    if unended is not None:
        message, at, stop = unended
    elif message == "Cannot overwrite a value" or message.startswith(("Cannot declare", "Cannot mutate")):
        message = "a key or table is declared twice"
        at = plain.rfind("\n", 0, max(0, min(at, len(plain.rstrip())) - 1)) + 1  # tomli stands behind the value by now
        while plain[at : at + 1] in (" ", "\t"):
            at += 1
    elif message.startswith("Illegal character '\\n'") or (message == "Invalid value" and plain[at : at + 1] in ("", "\n")):
        message = "a value is missing" if message == "Invalid value" else "a string does not end in its line"
    else:
        message = message[:1].lower() + message[1:]
    at = min(at, len(plain.rstrip()))
    stop = max(stop, at + 1)
    if message.endswith("twice"):
        stop = len(plain) if (end := plain.find("\n", at)) < 0 else end
        stop = min(stop, equals) if (equals := plain.find("=", at, stop)) > 0 else stop
        stop = at + max(1, len(plain[at:stop].rstrip()))
    at_line = plain.count("\n", 0, at)
    stop_line = plain.count("\n", 0, stop)
    if len(plain) != len(document):  # CRLF: one more character a line; all ends are of that kind, or it is off by a column at worst
        at, stop = at + at_line, stop + stop_line
    offset = len(text) - len(document)
    return at_offset(show(message), show(file), text, at + offset, stop + offset)


def _unended(text: str) -> tuple[str, int, int] | None:
    """What begins in *text* and does not end in it: what is wrong, and where that begins and ends; None where all ends, and for headers of tables."""
    import re

    token = re.compile(
        r'''"{3}(?:[^"\\]++|\\.|"(?!""))*+"{3,5}|\'{3}(?:[^\']++|\'(?!\'\'))*+\'{3,5}|"(?!"")(?:[^"\\\n]++|\\.)*+"|\'(?!\'\')[^\'\n]*\'|""(?!")'''
        r"""|''(?!')|\#[^\n]*|[\[\]{}]|"{3}|'{3}|["']""",
        re.DOTALL,
    )
    begun: list[tuple[str, int]] = []
    for match in token.finditer(text):
        found, at = match[0], match.start()
        if found in ("[", "{"):
            header = not begun and not text[text.rfind("\n", 0, at) + 1 : at].strip(" \t")
            begun.append(("" if header else found, at))
        elif found in ("]", "}"):
            del begun[-1:]
        elif found in ('"""', "'''"):
            return "unterminated string", at, at + 3
        elif found in ("'", '"'):
            return "a string does not end in its line", len(text.rstrip()), 0
    if not begun or not begun[0][0]:
        return None
    kind, at = begun[-1]
    return f"unclosed {'array' if kind == '[' else 'inline table'}", at, at + 1


def _huge_integer(text: str, file: str) -> PipefileSyntaxError:
    import re

    match = re.search(r"[0-9][0-9_]{4300}", text)
    start = match.start() if match else 0
    return at_offset("an integer of more than 64 bits", show(file), text, start, start + 1)
