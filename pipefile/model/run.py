"""One build and its edges, as history keeps them."""

from __future__ import annotations

from collections.abc import Mapping

from pipefile.base.dataclass import dataclass, field


@dataclass(frozen=True, slots=True)
class EdgeResult:
    """How one edge of a run ended: an entry of manifest.json. Digests are text, durations seconds, sizes bytes.

    `mode` is "command", "function", "process" or "none"; `mode_reason` says of functions why, in words. `inputs` are declared and discovered ones by
    path, sets of files and values by name. `code` is what ran, and in which surroundings: "run" or "argv" and "shell", "call", "python",
    `FILE:SYMBOL`, `package NAME`, `env NAME`, "version" -> text or digest. `undeclared` is what it did beyond its declaration: "reads", "writes",
    "removes" -> paths, those of them that there are.
    """

    stage: str
    instance: str
    wave: int
    status: str
    reasons: tuple[str, ...] = ()
    mode: str = "command"
    attempts: int = 1
    started_at: str = ""
    duration_seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_rss_bytes: int = 0
    key: str = ""
    inputs: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, object] = field(default_factory=dict)
    exit_status: int | None = None
    error: str = ""
    log: str = ""
    mode_reason: str = ""
    code: Mapping[str, str] = field(default_factory=dict)
    undeclared: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RunResult:
    """What a build came to.

    Args:
        status: "succeeded", "failed" or "interrupted".
        exit_status: As 3-cli lists them.
        ran: Names of edges that ran and succeeded, in the order of their ends.
        failed: Names of edges that failed.
        skipped: Names of edges that were not started because of a failure above, or because a condition said so.
        fresh: How many edges were fresh.
        warnings: How many warnings were given.
        run: Id of the run in the store, "" where none was written.
        would_run: For a dry run: names of edges that would run.
        degraded: Names of edges that failed and whose fallbacks made their outputs.
        restored: Names of edges that were stale, and whose earlier results were put back from the cache.
        would_restore: For a dry run: names of edges for which that would be done.
        abandoned: A function did not end when its time was up: its thread runs on, and the process has to be ended by os._exit.
        errors: Why edges failed, by name: the first line of what is told of it.
        values: What functions returned, by `STAGE.OUTPUT`, for edges that are fresh or ran. Each is read from its file when it is asked for. Filled
            by `Pipeline.run` alone.
        behind: Paths that were changed while the build ran and that it has noticed too late: what it leaves is not what they stand for, and another
            build would make it so. Folders in which names have come or gone end in `/`.
    """

    status: str
    exit_status: int
    ran: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    fresh: int = 0
    warnings: int = 0
    seconds: float = 0.0
    run: str = ""
    would_run: tuple[str, ...] = ()
    abandoned: bool = False
    degraded: tuple[str, ...] = ()
    restored: tuple[str, ...] = ()
    would_restore: tuple[str, ...] = ()
    errors: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, object] = field(default_factory=dict)
    behind: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Run:
    """One build as run.json tells of it.

    Args:
        id: As `20240212_100000_abc123`, in UTC.
        status: "running", "succeeded", "failed" or "interrupted"; "" where it cannot be told.
        started_at: As `2024-02-12T10:00:00Z`.
        finished_at: The same; "" for one that has not ended in order.
        commit: Of the git work tree that the project lies in; "" where there is none.
        dirty: Whether that has changes in tracked files; None where not known.
        counts: ran, restored, fresh, skipped, degraded, failed.
        problem: What is wrong with its stored files; "" if nothing.
    """

    id: str
    status: str
    started_at: str = ""
    finished_at: str = ""
    duration_seconds: float = 0.0
    command: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    jobs: int = 0
    schedule: str = ""
    host: str = ""
    python: str = ""
    pipefile: str = ""
    commit: str = ""
    dirty: bool | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    problem: str = ""
