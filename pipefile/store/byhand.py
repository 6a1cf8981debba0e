"""JSON that is put together by hand: lines of many short texts, of which a build writes two for each command, take a third of the library's time so.

Texts are put between quotes as they are. Whether one of them would have had to be escaped is asked of the whole line at its end: then the library
makes it after all. Only quotes are so common, in commands, that whoever expects some marks them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

_MARK = "~q~"


def marked(text: str) -> str:
    """A text that may have quotes."""
    return text.replace('"', _MARK) if '"' in text else text


def rows(items: Iterable[Iterable[str]]) -> str:
    """An array of arrays of texts."""
    inner = '"], ["'.join(['", "'.join(item) for item in items])
    return f'[["{inner}"]]' if inner else "[]"


def texts(items: Iterable[str]) -> str:
    """An array of texts, of which none is empty."""
    inner = '", "'.join(items)
    return f'["{inner}"]' if inner else "[]"


def table(items: Mapping[str, str]) -> str:
    """An object of texts."""
    inner = '", "'.join([f'{name}": "{value}' for name, value in items.items()])
    return f'{{"{inner}"}}' if items else "{}"


def finished(line: str, quotes: int, marks: int) -> str | None:
    """The line, if it is JSON as the library would have made it; else None.

    Args:
        line: What was put together.
        quotes: How many quotes its own structure has.
        marks: How many quotes there were in texts that were marked.
    """
    if line.count('"') != quotes or line.count(_MARK) != marks or "\\" in line or not line.isascii() or not line.isprintable():
        return None
    return line.replace(_MARK, '\\"') if marks else line
