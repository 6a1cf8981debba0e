"""The frame of records and of entries of the cache: one line of ASCII that checks itself.

    {"format": 1, "checksum": "64a1c30f4f41cd7b6dd4a1b2e3a0c9d8", "name": ...}

A JSON object with `, ` and `: ` between its names, and a newline at the end. `checksum` is 32 hex digits of the blake3 of all other bytes: those
before `"checksum"`, then those after its comma and blank. Every later format begins with these two names and this checksum, so that a whole line of
another version can be told from a damaged one. A byte of a name that is no UTF-8 is the escape `\\udc80` to `\\udcff`, as os.fsdecode gives it; no
other lone surrogate occurs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import NoReturn

from blake3 import blake3

from pipefile.base.errors import RecordError

FORMAT = 1

_HEAD = b'{"format": 1, '
_MARK = b'"checksum": "'
_BODY_AT = len(_HEAD) + len(_MARK) + 32 + len(b'", ')


def _constant(text: str) -> NoReturn:
    raise ValueError(f"the number {text}")


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name twice in one object")
    return found


_to_json = json.JSONEncoder(check_circular=False, allow_nan=False).encode
_from_json = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant).raw_decode


def sealed(values: Mapping[str, object]) -> bytes:
    """The line that holds *values*."""
    return sealed_text(_to_json(values))


def sealed_text(text: str) -> bytes:
    """As `sealed`, of what is a JSON object already, with the blanks and escapes that it has in a line."""
    body = text[1:].encode("ascii") + b"\n"
    checksum = blake3(_HEAD + body).hexdigest(length=16)
    return b'%b%b%b", %b' % (_HEAD, _MARK, checksum.encode(), body)


def opened(data: bytes, what: str = "record") -> dict[str, object]:
    """The values that a line holds.

    Raises:
        RecordError: It is damaged, or of an unknown format.
        ValueError, RecursionError: It checks itself, and holds no JSON all the same.
    """
    if not data.startswith(_HEAD):
        raise _unknown(data, what)
    if data[_BODY_AT - 3 : _BODY_AT] != b'", ' or not data.startswith(_MARK, len(_HEAD)):
        raise RecordError(f"it does not begin as a {what}")
    body = data[_BODY_AT:]
    if blake3(_HEAD + body).hexdigest(length=16).encode() != data[_BODY_AT - 35 : _BODY_AT - 3]:
        raise RecordError("its checksum does not match")
    text = "{" + body.decode("ascii")
    values, end = _from_json(text)
    if text[end:] != "\n":
        raise RecordError(f"something follows the {what}")
    if "\\ud" in text or "\\uD" in text:  # rare: bytes that are no UTF-8, and characters beyond the basic plane
        json.dumps(values, ensure_ascii=False).encode("utf-8", "surrogateescape")  # ValueError for any other surrogate
    if type(values) is not dict:
        raise RecordError("it is no object")
    return values


def _unknown(data: bytes, what: str) -> RecordError:
    """What to say of a line that does not begin as one of this format."""
    import re

    match = re.match(rb'\{"format": ([1-9][0-9]{0,8}), "checksum": "([0-9a-f]{32})", ', data)
    if match is None:
        return RecordError(f"it does not begin as a {what}")
    hasher = blake3(data[: match.end(1) + 2])
    hasher.update(data[match.end() :])
    if hasher.hexdigest(length=16).encode() != match[2]:
        return RecordError("its checksum does not match")
    number = int(match[1])
    return RecordError(f"it has format {number}", unknown_format=number)
