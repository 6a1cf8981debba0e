"""Dotenv files: `KEY=VALUE` lines, `#` comments, an optional `export`, values plain or in quotes. Nothing in a value is expanded."""

from __future__ import annotations

import re

_LINE = re.compile(
    r"""[ \t]*(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_.]*)[ \t]*=[ \t]*
    (?: "((?:[^"\\]|\\.)*)" | '([^']*)' | ((?!["'])[^\n\#]*(?:(?<=\S)\#[^\n\#]*)*) )
    [ \t]*(?:\#[^\n]*)?(?:\n|\Z)""",
    re.VERBOSE | re.DOTALL,
)
_NOTHING = re.compile(r"[ \t]*(?:#[^\n]*)?(?:\n|\Z)")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r"}


class DotenvError(ValueError):
    """A line that sets nothing.

    Args:
        line: Its number from 1.
        source: Its text.
    """

    def __init__(self, line: int, source: str) -> None:
        super().__init__("a line that is not KEY=VALUE")
        self.line = line
        self.source = source


def parse_dotenv(text: str) -> dict[str, str]:
    """The variables that a dotenv file sets; later lines win.

    Raises:
        DotenvError: A line is neither KEY=VALUE nor a comment.
    """
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    found: dict[str, str] = {}
    at = 0
    while at < len(text):
        if nothing := _NOTHING.match(text, at):
            at = max(nothing.end(), at + 1)
            continue
        match = _LINE.match(text, at)
        if match is None or "\0" in match[0]:
            raise DotenvError(text.count("\n", 0, at) + 1, text[at:].partition("\n")[0])
        name, double, single, plain = match.groups()
        if double is not None:
            found[name] = _ESCAPE.sub(lambda escape: _ESCAPED.get(escape[1], escape[1]), double)
        else:
            found[name] = single if single is not None else plain.rstrip()
        at = match.end()
    return found
