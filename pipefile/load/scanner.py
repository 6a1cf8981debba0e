"""Where each key of a TOML document stands.

TOML parsers give no positions, and finding them costs more than a no-op build, so this runs for errors and for `list --json` only (load/locate.py).
It reads what tomli has accepted: it follows the grammar just far enough to know each key and list element, and stops without complaint where a text
is not TOML.
"""

from __future__ import annotations

import re
from bisect import bisect_right

from pipefile.base.locations import KeyPath, Position
from pipefile.base.paths import show

DEPTH = 100
"""Levels of nesting that are told apart; what lies deeper has the position of its nearest known parent."""

_SHOWN = 200  # characters of a source line in an error: a line can be megabytes long

_SKIP = re.compile(r"(?:[ \t\r\n]++|#[^\n]*+)*+")
_BLANK = re.compile(r"[ \t]*")
_PART = re.compile(r"""([A-Za-z0-9_-]+)|"((?:[^"\\\n]++|\\.)*+)"|'([^'\n]*)'""")
_DOT = re.compile(r"[ \t]*\.[ \t]*")
_EQUALS = re.compile(r"[ \t]*=[ \t]*")
_SCALAR = re.compile(
    # possessive: strings can be megabytes long, and a way back costs memory for each character
    r'''"""(?:[^"\\]++|\\.|"(?!""))*+"{3,5}|\'{3}(?:[^']++|'(?!''))*+'{3,5}'''
    r"""|"(?:[^"\\\n]++|\\.)*+"|'[^'\n]*'|[^\s,\]}#"'\[{]+(?:[ ]+[0-9][^\s,\]}#]*)?""",
    re.DOTALL,
)
_LINE = re.compile(r"""([A-Za-z0-9_-]+)[ \t]*=[ \t]*(?:"(?!"")[^"\\\n]*"|[0-9A-Za-z_.+-]+)[ \t]*\n""")
_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|x([0-9A-Fa-f]{2})|(.))", re.DOTALL)
_ESCAPED = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r", "e": "\x1b", '"': '"', "\\": "\\"}

Spans = dict[KeyPath, tuple[int, int]]


def spans(text: str) -> Spans:
    """Key path -> where its key (or list element) begins and ends, as offsets into *text*."""
    scanner = _Scanner(text)
    scanner.run()
    return scanner.found


def find(text: str, key: KeyPath) -> tuple[int, int, int] | None:
    """One key path, or its nearest parent that is written out: where its key begins and ends, and an offset that its value does not reach beyond.

    Reads no further than it has to, and remembers no other statement: a hostile file can have a million.
    """
    scanner = _Scanner(text, key)
    scanner.run()
    found = scanner.found
    while key and key not in found:
        key = key[:-1]
    if not key:
        return None
    start, stop = found[key]
    following = min((begin for begin, _ in found.values() if begin > start), default=len(text))
    return start, stop, min(following, scanner.stopped)


def positions(text: str) -> dict[KeyPath, Position]:
    """The position of every key path of a TOML document: tables, keys (also those that headers and dotted keys only pass through), list elements."""
    lines = Lines(text)
    return {path: lines.position(start, stop) for path, (start, stop) in spans(text).items()}


def position_of(key: KeyPath, found: Spans, lines: Lines) -> Position | None:
    """The position of *key*, or of its nearest parent that is written out."""
    while key:
        if key in found:
            return lines.position(*found[key])
        key = key[:-1]
    return None


class Lines:
    """The lines of a text, by offset."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._starts = [0, *(match.end() for match in re.finditer("\n", text))]

    def position(self, start: int, stop: int) -> Position:
        """Line, column, source line and width of a stretch of text. A BOM takes no column."""
        line = bisect_right(self._starts, start) - 1
        begin = self._starts[line]
        end = self._starts[line + 1] - 1 if line + 1 < len(self._starts) else len(self.text)
        if line == 0 and self.text.startswith("\ufeff"):
            begin += 1
        start = max(start, begin)
        column = start - begin + 1
        width = max(1, min(stop, end) - start)
        source = self.text[begin:end].rstrip("\r")
        if len(source) > _SHOWN:
            source = source[: _SHOWN - 1] + "…" if column + min(width, 20) < _SHOWN else ""
            width = min(width, max(1, _SHOWN - column))
        return Position(line + 1, column, _neutral(source), width)


def shown_line(source: str) -> str:
    """A source line of another kind of file, for an error."""
    return _neutral(source if len(source) <= _SHOWN else source[: _SHOWN - 1] + "…")


def _neutral(source: str) -> str:
    """A source line that leaves the terminal alone and keeps its columns."""
    if source.isascii() and source.isprintable():
        return source
    return "".join([char if show(char) == char else " " if char == "\t" else "\ufffd" for char in source])


class _Scanner:
    def __init__(self, text: str, target: KeyPath | None = None) -> None:
        self.text = text
        self.found: Spans = {}
        self.stopped = len(text)
        self._target = target
        self._counts: dict[KeyPath, int] = {}  # arrays of tables: position of the last element

    def run(self) -> None:
        text, found, target = self.text, self.found, self._target
        prefix: KeyPath = ()
        at = 1 if text.startswith("\ufeff") else 0
        while True:
            skipped = _SKIP.match(text, at)
            at = skipped.end() if skipped else at
            if at >= len(text):
                return
            if target is not None and target in found:
                self.stopped = at
                return
            if line := _LINE.match(text, at):  # the plain case, and most of any file
                path = (*prefix, line[1])
                if len(path) <= DEPTH and (target is None or path == target):
                    found[path] = line.span(1)
                at = line.end()
                continue
            if text[at] == "[":
                header = self._header(at)
                if header is None:
                    return
                prefix, at = header
                continue
            key = self._key(at, prefix)
            if key is None:
                return
            path, at = key
            equals = _EQUALS.match(text, at)
            if not equals:
                return
            at = equals.end()
            scalar = _SCALAR.match(text, at)
            after = scalar.end() if scalar else self._value(at, path, found)
            if after is None:
                return
            at = after

    def _parts(self, at: int) -> tuple[list[tuple[str, int, int]], int] | None:
        """The parts of a dotted key with their places, and where it ends."""
        text = self.text
        parts = []
        while True:
            match = _PART.match(text, at)
            if not match:
                return None
            bare, basic, literal = match.groups()
            if bare is None:
                bare = literal if basic is None else _unescape(basic)
            parts.append((bare, match.start(), match.end()))
            dot = _DOT.match(text, match.end())
            if not dot:
                return parts, match.end()
            at = dot.end()

    def _header(self, at: int) -> tuple[KeyPath, int] | None:
        text = self.text
        many = text.startswith("[[", at)
        start = _BLANK.match(text, at + 1 + many)
        key = self._parts(start.end() if start else at)
        if key is None:
            return None
        parts, stop = key
        path: KeyPath = ()
        last = len(parts) - 1
        for index, (name, begin, end) in enumerate(parts):
            path = (*path, name)
            if len(path) > DEPTH:
                break
            self.found.setdefault(path, (begin, end))
            if many and index == last:
                count = self._counts.get(path, -1) + 1
                self._counts[path] = count
                path = (*path, count)
                self.found[path] = (begin, end)
            elif path in self._counts:
                path = (*path, self._counts[path])
            elif index == last:
                self.found[path] = (begin, end)  # the table's own header says more than one that passed through it
        closing = _BLANK.match(text, stop)
        return path, (closing.end() if closing else stop) + 1 + many

    def _key(self, at: int, prefix: KeyPath) -> tuple[KeyPath, int] | None:
        match = _PART.match(self.text, at)
        if match and match[1] and self.text[match.end() : match.end() + 2] in (" =", "= "):
            path = (*prefix, match[1])  # the plain case
            if len(path) <= DEPTH:
                self.found[path] = match.span()
            return path, match.end()
        key = self._parts(at)
        if key is None:
            return None
        parts, stop = key
        path = prefix
        for name, begin, end in parts:
            if len(path) >= DEPTH:
                break
            path = (*path, name)
            self.found.setdefault(path, (begin, end))
        return path, stop

    def _value(self, at: int, path: KeyPath, found: Spans) -> int | None:
        """Pass over an array or inline table, noting what is in it; where it ends, or None if it does not."""
        text = self.text
        stack: list[tuple[KeyPath, int]] = []  # an open array and its next index, or an open table and -1
        while True:
            scalar = _SCALAR.match(text, at)
            if scalar:
                at = scalar.end()
            elif text.startswith("[", at):
                stack.append((path, 0))
                at += 1
            elif text.startswith("{", at):
                stack.append((path, -1))
                at += 1
            else:
                return None
            while stack:  # what comes next: an element, a key, or the end of one container or more
                skipped = _SKIP.match(text, at)
                at = skipped.end() if skipped else at
                char = text[at : at + 1]
                holder, index = stack[-1]
                if char == ",":
                    at += 1
                elif char == ("]" if index >= 0 else "}"):
                    stack.pop()
                    at += 1
                elif not char:
                    return None
                elif index >= 0:
                    stack[-1] = (holder, index + 1)
                    path = (*holder, index) if len(holder) < DEPTH else holder
                    if path is not holder:
                        element = _SCALAR.match(text, at)
                        found[path] = element.span() if element else (at, at + 1)
                    break
                else:
                    key = self._key(at, holder)
                    equals = _EQUALS.match(text, key[1]) if key else None
                    if key is None or equals is None:
                        return None
                    path, at = key[0], equals.end()
                    break
            else:
                return at


def _unescape(text: str) -> str:
    def one(match: re.Match[str]) -> str:
        code = match[1] or match[2] or match[3]
        if code:
            number = int(code, 16)
            return chr(number) if number < 0x110000 else ""
        return _ESCAPED.get(match[4], match[4])

    return _ESCAPE.sub(one, text) if "\\" in text else text
