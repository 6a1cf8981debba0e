"""How many columns a text takes on a terminal, and texts cut to fit.

Terminals do not agree on every character. Where they differ the larger number is taken: a line that is measured too long is cut a little early, one
that is measured too short wraps.
"""

from __future__ import annotations

_ELLIPSIS = "…"
_JOINERS = "\u200b\u200c\u200d\u2060\ufeff"  # no column of their own, though their category (Cf) has characters with one
_EMOJI_STYLE = "\ufe0f"  # makes the character before it an emoji, which takes two columns


def columns(text: str) -> int:
    """Columns that *text* takes. It holds no control characters."""
    if text.isascii():
        return len(text)
    return sum(_columns_each(text))


def cut(text: str, width: int) -> str:
    """*text* in at most *width* columns, with an ellipsis at its end where something is missing."""
    if columns(text) <= width:
        return text
    if width < 1:
        return ""
    return text[: _fitting(_columns_each(text), width - 1)] + _ELLIPSIS


def elide(text: str, width: int) -> str:
    """*text* in at most *width* columns, with an ellipsis in its middle where something is missing: both ends of a path tell files apart."""
    if columns(text) <= width:
        return text
    if width < 1:
        return ""
    each = _columns_each(text)
    head = _fitting(each, width // 2)
    tail = _fitting(each[::-1], width - 1 - sum(each[:head]))
    while tail and not each[-tail]:  # a mark whose letter is left out would stand on the ellipsis
        tail -= 1
    return text[:head] + _ELLIPSIS + (text[-tail:] if tail else "")


def rows(text: str, width: int) -> int:
    """Rows that *text* takes where it is wrapped after *width* columns."""
    if text.isascii():
        return max(1, -(-len(text) // width))
    count = 1
    used = 0
    for size in _columns_each(text):
        used += size
        if used > width:  # a wide character that does not fit leaves the last column free
            count += 1
            used = size
    return count


def _fitting(each: list[int], width: int) -> int:
    """How many of the first characters take at most *width* columns."""
    used = 0
    for number, size in enumerate(each):
        used += size
        if used > width:
            return number
    return len(each)


def _columns_each(text: str) -> list[int]:
    """Columns of each character: 0, 1 or 2."""
    if text.isascii():
        return [1] * len(text)
    from unicodedata import category, east_asian_width

    found: list[int] = []
    for char in text:
        if char == _EMOJI_STYLE and found and found[-1] == 1:
            found.append(1)
        elif char in _JOINERS or category(char) in ("Mn", "Me"):
            found.append(0)
        else:
            found.append(2 if east_asian_width(char) in "WF" else 1)
    return found
