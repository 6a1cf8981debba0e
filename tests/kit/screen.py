"""A terminal: what stands on its screen after all that was written to it.

It knows the sequences that pipefile writes and no others; any other one fails the test. So do characters that no terminal should get. Widths are its
own, by the ranges that terminals use, so that a mistake in pipefile's is seen.
"""

from __future__ import annotations

import re
import unicodedata

_CSI = re.compile(r"\x1b\[(\??)([0-9;:]*)([A-Za-z])")
_WIDE = (
    (0x1100, 0x115F), (0x231A, 0x231B), (0x23E9, 0x23EC), (0x2E80, 0x303E), (0x3041, 0x33FF), (0x3400, 0x4DBF), (0x4E00, 0xA4CF), (0xAC00, 0xD7A3),
    (0xF900, 0xFAFF), (0xFE30, 0xFE6F), (0xFF00, 0xFF60), (0xFFE0, 0xFFE6), (0x1F300, 0x1F64F), (0x1F680, 0x1F6FF), (0x1F900, 0x1F9FF),
    (0x20000, 0x3FFFD),
)  # fmt: skip


class _Row:
    def __init__(self) -> None:
        self.cells: list[str] = []  # a character with its marks each; "" for the second half of a wide one
        self.wraps = False  # the row below goes on with it

    @property
    def text(self) -> str:
        return "".join(self.cells).rstrip(" ")


class Screen:
    """A terminal of *width* by *height*.

    Args:
        width: Columns.
        height: Rows.
        reflows: What stands there is wrapped when it becomes narrower, as most terminals do; else cut off, as xterm does.

    Attributes:
        cursor_shown: Whether the cursor can be seen.
    """

    def __init__(self, width: int = 80, height: int = 24, reflows: bool = True) -> None:
        self.width = width
        self.height = height
        self.reflows = reflows
        self.cursor_shown = True
        self._rows = [_Row()]
        self._top = 0  # the first row that is seen
        self._row = 0
        self._column = 0
        self._joined = False
        self._rest = ""

    # -- what stands there

    @property
    def lines(self) -> list[str]:
        """The rows that are seen, without blanks at their ends, down to the last one with something on it."""
        rows = [row.text for row in self._rows[self._top :]]
        while rows and not rows[-1]:
            rows.pop()
        return rows

    @property
    def text(self) -> str:
        return "".join(f"{line}\n" for line in self.lines)

    @property
    def whole(self) -> str:
        """What has scrolled off as well."""
        return "".join(f"{row.text}\n" for row in self._rows).rstrip("\n") + "\n"

    # -- what is done to it

    def feed(self, text: str) -> None:
        """Write to it; a sequence may be cut anywhere."""
        text = self._rest + text
        self._rest = ""
        at = 0
        while at < len(text):
            char = text[at]
            if char == "\x1b":
                match = _CSI.match(text, at)
                if match is None:
                    assert re.fullmatch(r"\x1b(\[\??[0-9;:]*)?", text[at:]), f"an escape sequence that is not for a terminal: {text[at : at + 20]!r}"
                    self._rest = text[at:]
                    return
                self._control(*match.groups())
                at = match.end()
                continue
            if char == "\r":
                self._column = 0
            elif char == "\n":
                self._column = 0
                self._down()
            elif char == "\t":
                self._column = min(self.width - 1, self._column // 8 * 8 + 8)
            else:
                assert unicodedata.category(char) != "Cc", f"a control character: {char!r}"
                self._put(char)
            at += 1

    def resize(self, width: int, height: int) -> None:
        """Give it another size."""
        if self.reflows:
            self._reflow(width)
        else:
            for row in self._rows:
                del row.cells[width:]
            self._column = min(self._column, width - 1)
        self.width, self.height = width, height
        self._top = max(0, len(self._rows) - height, self._row - height + 1)

    def _reflow(self, width: int) -> None:
        rows: list[_Row] = []
        cursor = (0, 0)
        start = 0
        while start < len(self._rows):
            end = start
            while self._rows[end].wraps and end + 1 < len(self._rows):
                end += 1
            cells = [cell for row in self._rows[start : end + 1] for cell in row.cells]
            at = sum(len(row.cells) for row in self._rows[start : self._row]) + self._column if start <= self._row <= end else -1
            first = len(rows)
            rows.append(_Row())
            for number, cell in enumerate(cells):
                size = 2 if number + 1 < len(cells) and cells[number + 1] == "" else 1
                if cell != "" and len(rows[-1].cells) + size > width:
                    rows[-1].wraps = True
                    rows.append(_Row())
                if number == at:
                    cursor = (len(rows) - 1, len(rows[-1].cells))
                rows[-1].cells.append(cell)
            if at >= len(cells):
                cursor = (len(rows) - 1, min(at - len(cells) + len(rows[-1].cells), width - 1))
            if at >= 0 and not cells:
                cursor = (first, min(at, width - 1))
            start = end + 1
        self._rows = rows
        self._row, self._column = cursor

    def _control(self, private: str, numbers: str, letter: str) -> None:
        count = int(numbers or 0) if numbers.isdecimal() or not numbers else 0
        if private:
            assert (numbers, letter) in (("25", "l"), ("25", "h")), f"a mode: {numbers}{letter}"
            self.cursor_shown = letter == "h"
        elif letter == "A":
            self._row = max(self._top, self._row - max(1, count))
        elif letter == "K":
            assert count == 0
            del self._rows[self._row].cells[self._column :]
            self._rows[self._row].wraps = False
        elif letter == "J":
            assert count == 0
            del self._rows[self._row].cells[self._column :]
            self._rows[self._row].wraps = False
            del self._rows[self._row + 1 :]
        else:
            assert letter == "m", f"a control sequence: {numbers}{letter}"

    def _down(self) -> None:
        self._row += 1
        if self._row == len(self._rows):
            self._rows.append(_Row())
        self._top = max(self._top, self._row - self.height + 1)

    def _put(self, char: str) -> None:
        row = self._rows[self._row]
        size = self._size(char)
        if not size:
            at = self._column - 1
            while at > 0 and row.cells[at] == "":
                at -= 1
            if at >= 0:
                row.cells[at] += char
                if char == "\ufe0f" and row.cells[at + 1 :] == []:  # an emoji from now on
                    row.cells.append("")
                    self._column += 1
            return
        if self._column + size > self.width:
            row.wraps = True
            self._down()
            self._column = 0
            row = self._rows[self._row]
        while len(row.cells) < self._column:
            row.cells.append(" ")
        row.cells[self._column : self._column + size] = [char, *[""] * (size - 1)]
        self._column += size

    def _size(self, char: str) -> int:
        joined, self._joined = self._joined, char == "\u200d"
        code = ord(char)
        if joined or unicodedata.combining(char) or code in range(0x200B, 0x2010) or code in range(0xFE00, 0xFE10):
            return 0
        return 2 if any(low <= code <= high for low, high in _WIDE) else 1
