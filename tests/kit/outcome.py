"""What a build came to, as tests read it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class BuildOutcome:
    """A build in this process.

    Args:
        ran: Names of the edges that ran and succeeded, in the order of their ends.
        failed: Names of those that failed.
        skipped: Names of those that were not started because of a failure above, or because a condition said so.
        degraded: Names of those that failed and whose fallbacks made their outputs.
        restored: Names of those whose earlier results were put back from the cache.
        would_restore: For a dry run, names of those for which that would be done.
        fresh: How many were fresh.
        would_run: For a dry run, names of those that would run.
        exit_status: As the command line would give it.
        output: What was printed and said: output of stages, notes, errors.
        events: All events, in order.
    """

    ran: list[str]
    failed: list[str]
    exit_status: int
    output: str
    skipped: list[str] = field(default_factory=list)
    fresh: int = 0
    would_run: list[str] = field(default_factory=list)
    degraded: list[str] = field(default_factory=list)
    restored: list[str] = field(default_factory=list)
    would_restore: list[str] = field(default_factory=list)
    events: list[Any] = field(default_factory=list)


@dataclass(frozen=True)
class CliOutcome:
    """A run of the real program.

    Args:
        exit_status: Its exit status; negative for a signal.
        out: All of standard output.
        err: All of standard error.
        started: Names of the traced stages that began in it, in order.
        ended: Names of the traced stages that came to their end in it, in order.
        seconds: Wall-clock time.
    """

    exit_status: int
    out: str
    err: str
    started: list[str]
    ended: list[str]
    seconds: float

    @property
    def text(self) -> str:
        return self.out + self.err


def ran(lines: Iterable[str], mark: str) -> list[str]:
    """Names in a log of `S name` and `E name` lines that have *mark*."""
    return [line[2:] for line in lines if line.startswith(mark + " ")]
