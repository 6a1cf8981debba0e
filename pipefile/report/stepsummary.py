"""The summary of a step on GitHub Actions: a table in Markdown, added to the file that $GITHUB_STEP_SUMMARY names.

    ### pipefile: 1 ran, 235 fresh, 1 failed in 34.2 s

    | stage | result | time |
    | --- | --- | ---: |
    | train | **failed**: exit status 1 | 34.2 s |
    | thumbs | ran | 1.2 s |

Failures come first, then what took longest; fresh stages are only counted. GitHub takes 1 MiB for a step, all its programs together: what does not
fit any more is counted.
"""

from __future__ import annotations

import os

from pipefile.base.errors import PipefileError
from pipefile.base.paths import show
from pipefile.model.event import BuildFinished, Event, StageFinished
from pipefile.report.terminal import totals
from pipefile.report.words import duration, edge_name

MOST = 1 << 20
"""Bytes of the summary of a step."""

_ORDER = {"failed": 0, "interrupted": 1, "degraded": 2}
_PLAIN = frozenset(" -/.,()")
_LONGEST = 300  # characters of an error
_ROOM = 100  # bytes for the line that counts the rest


class StepSummary:
    """Collects what a build did.

    Args:
        path: The file.
        limit: Bytes that it may have in the end.
    """

    every = False

    def __init__(self, path: str, limit: int = MOST) -> None:
        self._path = path
        self._limit = limit
        self._rows: list[tuple[int, float, str]] = []  # what goes first, and then what took longest
        self.problem = ""

    def __call__(self, event: Event) -> None:
        if isinstance(event, StageFinished):
            if event.status not in ("fresh", "skipped"):
                self._rows.append((_ORDER.get(event.status, 3), -event.seconds, _row(event)))
        elif isinstance(event, BuildFinished):
            parts = totals(event) or "nothing to do"
            interrupted = "interrupted, " if event.status == "interrupted" else ""
            self._write(f"### pipefile: {interrupted}{parts} in {duration(event.seconds)}\n\n")

    def fault(self, error: PipefileError) -> None:
        lines = "\n".join([f"    {show(line)}" for line in str(error).split("\n")])
        self._write(f"### pipefile: error\n\n{lines}\n\n")

    def close(self) -> None:
        """Nothing is told of a build that did not come to its end."""

    def _write(self, head: str) -> None:
        try:
            fd = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK, 0o666)
            with open(fd, "ab", buffering=0) as file:
                file.write(self._fitting(head, self._limit - os.fstat(fd).st_size))
        except OSError as error:
            self.problem = f"`{show(self._path)}` cannot be written: {os.strerror(error.errno or 0).lower()}"

    def _fitting(self, head: str, room: int) -> bytes:
        if self._rows:
            head += "| stage | result | time |\n| --- | --- | ---: |\n"
        text = head.encode("utf-8", "replace")
        room -= len(text) + _ROOM
        if room < 0:
            return b""
        parts = [text]
        self._rows.sort()
        for number, (_, _, row) in enumerate(self._rows):
            data = row.encode("utf-8", "replace")
            room -= len(data)
            if room < 0:
                parts.append(f"| and {len(self._rows) - number} more | | |\n".encode())
                break
            parts.append(data)
        return b"".join([*parts, b"\n"])


def _row(event: StageFinished) -> str:
    result = event.status
    if event.status == "failed":
        error = event.error.partition("\n")[0]
        result = "**failed**" + (f": {_plain(error[:_LONGEST])}" if error else "")
    elif event.status == "restored":
        result = "from cache"
    return f"| {_plain(edge_name(event.stage, event.instance))} | {result} | {duration(event.seconds)} |\n"


def _plain(text: str) -> str:
    """*text* as Markdown that means nothing else: no table, link, tag or emphasis begins in it."""
    text = "".join([char if char.isalnum() or char in _PLAIN else f"&#{ord(char)};" for char in show(text)])
    return text.replace("www.", "www&#46;")
