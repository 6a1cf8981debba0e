"""What a user asks of one build, read from the command line in cli/ and passed down frozen."""

from __future__ import annotations

from collections.abc import Mapping

from pipefile.base.dataclass import dataclass, field


@dataclass(frozen=True, slots=True)
class Options:
    """
    Args:
        targets: Aliases, stages or files (root-relative), as resolved by cli/; () for the default set.
        jobs: Edges that run at once, at least 1.
        keep_going: After a failure go on with what does not need the failed edge.
        dry_run: Say what would run, change nothing.
        force: Run all of the closure.
        load: Start nothing new while the load average is this or more; None for no bound.
        strict: Warnings make the exit status 1.
        why: Print the reasons of each edge that runs.
        schedule: "eager" or "waves".
        wait: Wait for another build in the tree; False raises LockedError.
        environ: The environment, complete.
        command: The command line, for run.json and for whoever waits.
        mode: Where functions run, whatever their stages say: "auto", "function" or "process"; "" as they say.
        from_stage: The stage from which on everything runs; what is above it is put back as it was in an earlier run. "" for none.
        allow_removal: A `for_each` may lose all of its instances, or most of them.
        reuse_run: Which run, as a person names it; "" for the latest.
        cache: Earlier results are restored, and new ones kept.
        debug: Name of the stage that runs in the debugger; "" for none.
        trace: Name of the stage that runs under strace; "" for none.
        verbose: 1 and more for -v, -1 for -q.
        color: What stages print is shown with its colours.
    """

    targets: tuple[str, ...] = ()
    jobs: int = 1
    keep_going: bool = False
    dry_run: bool = False
    force: bool = False
    load: float | None = None
    strict: bool = False
    why: bool = False
    schedule: str = "eager"
    wait: bool = True
    environ: Mapping[str, str] = field(default_factory=dict)
    command: tuple[str, ...] = ()
    verbose: int = 0
    color: bool = False
    mode: str = ""
    debug: str = ""
    trace: str = ""
    cache: bool = True
    from_stage: str = ""
    reuse_run: str = ""
    allow_removal: bool = False

    @property
    def asked(self) -> tuple[str, ...]:
        """All that is named: targets, and stages that are meant for something else."""
        return (*self.targets, *[name for name in (self.alone, self.from_stage) if name])

    @property
    def alone(self) -> str:
        """Name of the only stage that is asked for, and that runs whether it is stale or not; "" where targets are asked for."""
        return self.debug or self.trace
