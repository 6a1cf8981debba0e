"""What happens in a build, in order. The same events draw the terminal, fill the run store and become `--json` lines."""

from __future__ import annotations

from typing import TypeAlias

from pipefile.base.dataclass import dataclass
from pipefile.model.record import Reason


@dataclass(frozen=True, slots=True)
class BuildStarted:
    """A build begins. `targets` as the user named them."""

    targets: tuple[str, ...]
    jobs: int


@dataclass(frozen=True, slots=True)
class PlanMade:
    """The closure is known: `total` edges. Which of them are stale is found out on the way, when their inputs are final.

    Args:
        total: How many there are.
        fresh: So many of them are known to be fresh already: no event comes for these.
    """

    total: int
    fresh: int = 0


@dataclass(frozen=True, slots=True)
class StageStarted:
    stage: str
    instance: str
    reasons: tuple[Reason, ...]
    attempt: int = 1


@dataclass(frozen=True, slots=True)
class StageFinished:
    """An edge ended.

    Args:
        status: "ran", "failed", "fresh" (early cutoff found it so), "skipped" (something above failed), "interrupted".
        seconds: Wall-clock time of the attempt.
        output: The first bytes of what it printed, at most `execute.SHOWN` of them; all of it if `log_size` is no larger.
        log: Path of its log from the root; "" if it printed nothing.
        error: What went wrong, one line or more; "" if nothing.
        line: Line of the stage in its Pipefile, for failures.
        command: The command as it ran, for people.
    """

    stage: str
    instance: str
    status: str
    seconds: float = 0.0
    output: bytes = b""
    log: str = ""
    log_size: int = 0
    error: str = ""
    file: str = ""
    line: int | None = None
    command: str = ""


@dataclass(frozen=True, slots=True)
class Note:
    """Something a person should read: level "note" or "warning"; `text` may have several lines."""

    level: str
    text: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """Another build has the lock."""

    pid: int
    command: str


@dataclass(frozen=True, slots=True)
class BuildFinished:
    """The build ended.

    Args:
        status: "succeeded", "failed" or "interrupted".
        run: Id of the run, "" if none was written.
    """

    status: str
    ran: int
    fresh: int
    failed: int
    skipped: int
    seconds: float
    run: str = ""


Event: TypeAlias = BuildStarted | PlanMade | StageStarted | StageFinished | Note | Waiting | BuildFinished
