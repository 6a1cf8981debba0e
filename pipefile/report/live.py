"""The live block: the last lines of a terminal while a build goes on, drawn again and again in place.

      train  1 min 5 s  epoch 3: 45%|####5     | 45/100
      thumbs@photos/a.jpg  1.2 s
      +3 more
    [17/240] 1 min 5 s, ETA 2 min 3 s

The cursor is hidden, and rests at the beginning of the block's last line. The terminal may become narrower at any time, and most terminals wrap what
stands on them then: so many rows are gone over before the block is drawn again as it takes in the width of now.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import islice

from pipefile.base.dataclass import dataclass
from pipefile.model.ports import Outlook
from pipefile.report.stream import Stream
from pipefile.report.width import columns, cut, elide, rows
from pipefile.report.words import duration, edge_name, whole_duration

_HIDE, _SHOW = "\x1b[?25l", "\x1b[?25h"
_REST_OF_LINE, _REST_OF_SCREEN = "\x1b[K", "\x1b[J"
_LEAST = 16  # columns of what a stage prints: with fewer it is left out
_TIME = 6  # columns that are kept for a time: names shall not change with its digits
_FORESEE = 1.0  # seconds between two estimates of what is left
_SHARE = 50.0  # and so much longer than an estimate takes: it costs a fiftieth of the time at most


@dataclass(frozen=True, slots=True)
class Row:
    """A running stage.

    Args:
        name: Safe to show.
        seconds: How long it has been running.
        said: The last line that it printed, safe to show and without colours; "" for none.
    """

    name: str
    seconds: float
    said: str = ""


class LiveBlock:
    """The block of one build on its terminal.

    Args:
        out: The terminal.
        clock: Monotonic seconds.
    """

    def __init__(self, out: Stream, clock: Callable[[], float]) -> None:
        self._out = out
        self._clock = clock
        self._drawn: list[str] = []  # the lines that stand there
        self._left: float | None = None  # at `_foreseen`
        self._foreseen = self._foresee_at = float("-inf")

    def draw(self, running: Mapping[tuple[str, str], float], outlook: Outlook | None, counts: tuple[int, int], seconds: float) -> None:
        """Draw the block where it stood, as it is now.

        Args:
            running: Stage and instance -> when it started; those that run longest first.
            outlook: Knows more.
            counts: How many edges have ended, and how many there are.
            seconds: Since the build began.
        """
        now = self._clock()
        width, height = self._out.columns(), self._out.rows()
        shown = [
            Row(edge_name(stage, instance), now - began, _said(outlook, stage, instance))
            for (stage, instance), began in islice(running.items(), fitting(len(running), height))
        ]
        self._put(block(shown, len(running), head(*counts, seconds, self._foresee(outlook, now)), width, height))

    def _foresee(self, outlook: Outlook | None, now: float) -> float | None:
        if outlook is None:
            return None
        if now >= self._foresee_at:
            self._left = outlook.left()
            self._foreseen = now
            self._foresee_at = now + max(_FORESEE, _SHARE * (self._clock() - now))
        return None if self._left is None else self._left - (now - self._foreseen)

    def _put(self, lines: list[str]) -> None:
        parts = [self._back() if self._drawn else _HIDE]
        # Each line is overwritten before its rest is erased, so that nothing flickers.
        parts.append("\n".join([f"\r{line}{_REST_OF_LINE}" for line in lines]))
        parts.append(f"{_REST_OF_SCREEN}\r")
        self._out.write("".join(parts))
        self._out.flush()
        self._drawn = lines

    def erase(self) -> None:
        """Take the block away, and show the cursor where it began."""
        if self._drawn:
            self._out.write(f"{self._back()}\r{_REST_OF_SCREEN}{_SHOW}")
            self._drawn = []

    def _back(self) -> str:
        """Up to the first row of what stands there."""
        width = self._out.columns()
        above = self._drawn[:-1]
        taken = sum([rows(line, width) for line in above]) if self._out.reflows else len(above)
        return f"\x1b[{taken}A" if taken else ""  # a terminal stops at its first row


def block(running: Sequence[Row], total: int, head: str, width: int, height: int) -> list[str]:
    """The lines of the block.

    Args:
        running: Stages, the most that can be shown; those that run longest first.
        total: How many run.
        head: The last line.
        width: Columns of the terminal.
        height: Rows of it.
    """
    room = width - 1  # the last column makes some terminals wrap
    shown = fitting(total, height)
    lines = [_line(row, room) for row in running[:shown]]
    if shown < total and height > 2:
        lines.append(cut(f"  +{total - shown} more" if shown else f"  {total} running", room))
    return [*lines, cut(head, room)]


def fitting(total: int, height: int) -> int:
    """How many of *total* running stages have a line: one row is left free, since what is written there scrolls, one is for the last line."""
    room = max(0, height - 2)
    return total if total <= room else max(0, room - 1)


def head(done: int, total: int, seconds: float, left: float | None) -> str:
    """`[17/240] 1 min 5 s, ETA 2 min 3 s`.

    Args:
        done: Edges that have ended.
        total: Edges in all.
        seconds: Since the build began.
        left: Until it ends, by earlier runs; None where they tell nothing.
    """
    eta = f", ETA {whole_duration(left)}" if left is not None and left >= 0.5 else ""
    return f"[{done}/{total}] {duration(seconds)}{eta}"


def _said(outlook: Outlook | None, stage: str, instance: str) -> str:
    latest = outlook.latest(stage, instance) if outlook is not None else b""
    if not latest:
        return ""
    from pipefile.report.neutral import last_line

    return last_line(latest)


def _line(row: Row, room: int) -> str:
    took = duration(row.seconds)
    rest = room - max(len(took), _TIME) - 4
    if rest < 2:
        return cut(f"  {took}", room)
    name = elide(row.name, max(rest // 2, rest - _LEAST - 2) if row.said else rest)
    line = f"  {name}  {took}"
    left = room - columns(line) - 2
    return f"{line}  {cut(row.said, left)}" if row.said and left >= _LEAST else line
