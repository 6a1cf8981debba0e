"""Depfiles: the files that a compiler says it has read, in Make's syntax (`gcc -MMD -MF`)."""

from __future__ import annotations

import os


def prerequisites(data: bytes) -> list[str]:
    """The paths on the right-hand sides of all rules of a depfile, in order, without duplicates. Left-hand sides are ignored.

    Understood: several rules, lines continued by a backslash, blanks escaped by one, `\\#`, `$$`; CRLF.
    """
    found: dict[str, None] = {}
    for line in data.replace(b"\r\n", b"\n").replace(b"\\\n", b" ").split(b"\n"):
        right = _right_hand_side(line)
        if not right:
            continue
        words = _words(right) if b"\\" in right or b"$" in right else right.split()
        for word in words:
            found[os.fsdecode(word)] = None
    return list(found)


def _right_hand_side(line: bytes) -> bytes:
    """What follows the colon of a rule; b"" if the line is none."""
    at = line.find(b":")
    while at >= 0:
        escaped = at > 0 and line[at - 1 : at] == b"\\"
        if not escaped and line[at + 1 : at + 2] in (b"", b" ", b"\t"):
            return line[at + 1 :]
        at = line.find(b":", at + 1)
    return b""


def _words(text: bytes) -> list[bytes]:
    words: list[bytes] = []
    word = bytearray()
    at = 0
    while at < len(text):
        char = text[at : at + 1]
        after = text[at + 1 : at + 2]
        if char in b" \t":
            if word:
                words.append(bytes(word))
                word.clear()
        elif char == b"\\" and after in (b" ", b"\t", b"#", b":") and after:
            word += after
            at += 1
        elif char == b"$" and after == b"$":
            word += b"$"
            at += 1
        else:
            word += char
        at += 1
    if word:
        words.append(bytes(word))
    return words
