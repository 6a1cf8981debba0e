"""What happens in a build, in order. The same events draw the terminal, fill the run store and become `--json` lines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeAlias

from pipefile.base.dataclass import dataclass, field
from pipefile.model.record import Reason

if TYPE_CHECKING:
    from pipefile.model.ports import Outlook


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
        outlook: Answers what a live display asks from time to time; None where nobody does.
        grown: It comes once more: stages have made items, and instances for these are among the edges now.
    """

    total: int
    fresh: int = 0
    outlook: Outlook | None = None
    grown: bool = False


@dataclass(frozen=True, slots=True)
class StageStarted:
    """An attempt begins.

    Args:
        reasons: Why the edge is stale.
        attempt: From 1; every execution of the edge in this build counts, that of its fallback too.
        fallback: The fallback that runs in place of the stage; "" for the stage itself.
    """

    stage: str
    instance: str
    reasons: tuple[Reason, ...]
    attempt: int = 1
    fallback: str = ""


@dataclass(frozen=True, slots=True)
class StageRestored:
    """What a stale edge has made before is back in its place: it need not run. StageFinished follows.

    Args:
        reasons: Why it was stale.
        seconds: How long it took to restore it.
    """

    stage: str
    instance: str
    reasons: tuple[Reason, ...]
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class StageRetried:
    """An attempt has failed, and another one follows.

    Args:
        attempt: The next one.
        attempts: How many there will be at most.
        delay: Seconds until then.
        error: Why the last one failed.
        log: Path of its log from the root; "" if it printed nothing.
        fallback: As in StageStarted.
    """

    stage: str
    instance: str
    attempt: int
    attempts: int
    delay: float
    error: str
    log: str = ""
    fallback: str = ""


@dataclass(frozen=True, slots=True)
class StageFinished:
    """An edge ended.

    Args:
        status: "ran", "restored" (from the cache), "degraded" (its fallback ran), "failed", "fresh" (early cutoff found it so), "skipped" (something
            above failed, or a condition said so), "interrupted".
        seconds: Wall-clock time of the attempt.
        output: The first bytes of what it printed, at most `execute.SHOWN` of them; all of it if `log_size` is no larger.
        log: Path of its log from the root; "" if it printed nothing.
        error: What went wrong, one line or more; "" if nothing. Of a degraded stage, why it failed itself.
        line: Line of the stage in its Pipefile, for failures.
        command: The command as it ran, for people.
        reason: Which condition left it out, where one did.
        undeclared: What it did beyond its declaration: "reads", "writes", "removes" -> paths, those of them that there are.

    What a batch has printed is told with its first edge: of the others, `output` is b"" and `log_size` 0, though `log` is where it is kept.
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
    reason: str = ""
    undeclared: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Note:
    """Something a person should read: level "note" or "warning"; `text` may have several lines."""

    level: str
    text: str


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What a dry run foresees of the stages that would run, by how long they took before.

    Args:
        stages: How many there are.
        unsure: So many of them run only if what they need changes.
        unknown: So many of them have never run: each counts as the median of the others.
        seconds: How long the build would take; None where none of them has ever run.
        work: The same with one stage at a time.
        jobs: Stages that run at once.
    """

    stages: int
    unsure: int
    unknown: int
    seconds: float | None
    work: float
    jobs: int


@dataclass(frozen=True, slots=True)
class Traced:
    """What `pipefile audit` has seen a stage do to the project's files.

    Args:
        read: All that it read, sorted.
        written: All that it wrote, outputs at their temporary places too, sorted.
        unread: Declared inputs that it never opened.
        undeclared: As in StageFinished.
    """

    stage: str
    instance: str
    read: tuple[str, ...]
    written: tuple[str, ...]
    unread: tuple[str, ...]
    undeclared: Mapping[str, tuple[str, ...]]


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
    degraded: int = 0
    restored: int = 0


Event: TypeAlias = (
    BuildStarted | PlanMade | StageStarted | StageRestored | StageRetried | StageFinished | Note | Foreseen | Traced | Waiting | BuildFinished
)
