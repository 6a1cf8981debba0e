"""What a program imports from pipefile to declare stages and to build them: `stage`, `pipeline`, and what runs one."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, ParamSpec, TypeVar, overload

from pipefile.base.errors import PipefileError
from pipefile.base.locations import Place
from pipefile.base.paths import show
from pipefile.load.decorators import Origin, PipelineFunction, StageFunction

if TYPE_CHECKING:
    from pipefile.engine.session import Project
    from pipefile.model.event import Event
    from pipefile.model.run import RunResult

P = ParamSpec("P")
R = TypeVar("R")

Path = str | os.PathLike[str]
Inputs = Mapping[str, Any] | Sequence[Any] | Path
Outputs = Mapping[str, Any] | Sequence[Any] | Path | type


class RunError(PipefileError):
    """A build that was asked to raise did not succeed.

    Attributes:
        result: What it came to.
    """

    exit_status = 1

    def __init__(self, message: str, result: RunResult) -> None:
        super().__init__(message)
        self.result = result


class Pipeline(PipelineFunction[P, R]):
    """A function decorated with `@pipeline`: called, it is the function; `run` builds what it joins."""

    def run(  # noqa: PLR0913  # one an option of the command line, each by its name
        self,
        *,
        jobs: int | None = None,
        config: Mapping[str, Any] | None = None,
        targets: Sequence[str] | None = None,
        keep_going: bool = False,
        force: bool = False,
        dry_run: bool = False,
        schedule: Literal["eager", "waves"] = "eager",
        strict: bool = False,
        wait: bool = True,
        quiet: bool = False,
        check: bool = False,
        cache: bool = True,
        from_stage: str | StageFunction[..., Any] = "",
        reuse_run: str = "",
    ) -> RunResult:
        """Build what the pipeline returns, as `pipefile NAME` does.

        The project is that of the nearest Pipefile.toml, from the folder of the pipeline's file upwards: its settings, its `[global]` and its stages
        join. Without one it is that folder, with default settings. Stages run from their files, so these have to be importable without running a
        build: a script calls `run` below `if __name__ == "__main__":`.

        Args:
            jobs: Most stages at once; None: the CPUs that this process may use.
            config: Laid over `[global]`; tables in both are joined.
            targets: Build these instead: names of stages, of pipelines, or files from the project's root.
            keep_going: After a failure, go on with what does not need the failed stage.
            force: Run everything, fresh or not.
            dry_run: Say what would run, in `would_run` of the result too, and change nothing.
            schedule: "eager" starts a stage as soon as it can, "waves" wave by wave.
            strict: Warnings make the exit status 1.
            wait: Wait for another build in the project; False raises LockedError.
            quiet: Print nothing; otherwise the lines that the command line prints.
            cache: Restore earlier results instead of running stages, and keep new ones.
            from_stage: Run this stage and all below it; what is above is put back as it was in an earlier run.
            reuse_run: With *from_stage*: which run, by its id or the beginning of it; "": the latest.
            check: Raise RunError where the build did not succeed.

        Returns:
            What it came to: a failed stage is told there, not raised.

        Raises:
            PipefileError: The declarations, the graph or the request is wrong, another build has the lock, or the store cannot be written.
            KeyboardInterrupt: It was interrupted; all is in order again.
        """
        from pipefile.engine.build import Library
        from pipefile.model.options import Options

        self._check_importable()
        project = project_of(self.origin.file)
        options = Options(
            targets=tuple(targets) if targets is not None else (self.name,),
            jobs=_jobs(jobs),
            keep_going=keep_going,
            dry_run=dry_run,
            force=force,
            schedule=schedule,
            strict=strict,
            wait=wait,
            environ=dict(os.environ),
            command=(f"{self.name}.run()",),
            verbose=-1 if quiet else 0,
            cache=cache,
            from_stage=from_stage.name if isinstance(from_stage, StageFunction) else from_stage,
            reuse_run=reuse_run,
        )
        result = _build(project, options, Library(self, _checked(config)), quiet)
        if check and result.exit_status:
            names = ", ".join(f"`{show(name)}`" for name in result.failed)
            raise RunError(f"pipeline `{show(self.name)}` {result.status}{f': {names}' if names else ''}", result)
        return result

    def _check_importable(self) -> None:
        from pipefile.engine.declare import importing

        file = importing()
        if file:
            raise PipefileError(
                f"`{show(self.name)}.run()` is called while `{show(file)}` is imported to learn what it declares",
                (Place(show(self.origin.file), line=sys._getframe(2).f_lineno),),
                'scripts call it below `if __name__ == "__main__":`',
            )
        if not os.path.isfile(self.origin.file):
            raise PipefileError(
                f"pipeline `{show(self.name)}` is not declared in a file, so its stages cannot be imported where they run",
                (),
                "put it and its stages into a module, import that and call `run` from here",
            )


def project_of(file: str) -> Project:
    """The project that a Python file belongs to: of the nearest Pipefile.toml upwards, or the file's folder."""
    from pipefile.base.clock import SystemClock
    from pipefile.base.disk import OsDisk
    from pipefile.engine.session import PIPEFILE, Project

    folder = here = os.path.dirname(os.path.realpath(file) if not os.path.isabs(file) else file)
    while not os.path.isfile(os.path.join(folder, PIPEFILE)):
        above = os.path.dirname(folder)
        if above == folder:
            folder = here
            break
        folder = above
    return Project(folder, PIPEFILE, OsDisk(folder), SystemClock())


def _jobs(given: int | None) -> int:
    if given is None:
        from pipefile.cli.cpus import default_jobs

        return default_jobs(os.environ)
    if given < 1:
        raise PipefileError(f"`jobs` must be at least 1, not {given}")
    return given


def _checked(config: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """The configuration as data that can be tracked."""
    from pipefile.load.faults import FaultError
    from pipefile.load.tables import json

    try:
        found: dict[str, Any] = json(config or {}, "`config`", ())
    except FaultError as fault:
        raise PipefileError(fault.message, (), fault.hint) from None
    return found


def _build(project: Project, options: Any, library: Any, quiet: bool) -> RunResult:
    import signal
    import threading

    from pipefile.engine.build import build
    from pipefile.engine.interrupt import Interrupts

    emit, close = _report(project, quiet)
    try:
        if threading.current_thread() is not threading.main_thread():  # signals are handled by whoever has the main thread
            return build(project, options, emit, None, library)
        with Interrupts() as interrupts:
            result = build(project, options, emit, interrupts, library)
    finally:
        close()
    if interrupts.number == signal.SIGINT:
        raise KeyboardInterrupt
    if interrupts.number:
        signal.raise_signal(interrupts.number)
    return result


def _report(project: Project, quiet: bool) -> tuple[Callable[[Event], None], Callable[[], None]]:
    """What shows the build, and what ends that."""
    if quiet:
        return _drop, _nothing
    from pipefile.report.standard import standard_stream
    from pipefile.report.terminal import TerminalReport

    for stream in (sys.stdout, sys.stderr):  # the program's own lines come before ours
        if stream is not None:
            stream.flush()
    report = TerminalReport(standard_stream(1, os.environ), standard_stream(2, os.environ), project.root, clock=project.clock.monotonic)
    return report, report.close


def _drop(_: Event) -> None:
    """Takes events that nobody wants to see."""


def _nothing() -> None:
    """Ends nothing."""


@overload
def stage(function: Callable[P, R], /) -> StageFunction[P, R]: ...
@overload
def stage(
    *,
    for_each: str | Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = ...,
    exclude: str | Sequence[str] | None = ...,
    where: Mapping[str, str] | None = ...,
    batch: int | None = ...,
    inputs: Inputs | None = ...,
    outputs: Outputs | None = ...,
    params: Mapping[str, Any] | None = ...,
    version: str | None = ...,
    env: Sequence[str] | Mapping[str, str] | None = ...,
    retry_policy: Mapping[str, Any] | None = ...,
    timeout: str | None = ...,
    fallback: str | Callable[..., Any] | None = ...,
    should_run: str | bool | Mapping[str, str] | None = ...,
    mode: Literal["auto", "function", "process"] | None = ...,
    external: bool | None = ...,
    setup: str | Callable[[], Any] | None = ...,
    after: str | StageFunction[..., Any] | Sequence[str | StageFunction[..., Any]] | None = ...,
    always: bool | None = ...,
    cache: Literal["auto"] | bool | None = ...,
    description: str | None = ...,
    tags: Sequence[str] | None = ...,
    log_limit: str | None = ...,
    metrics: str | Sequence[str] | None = ...,
    resources: Mapping[str, int | str] | None = ...,
    secret_env: Sequence[str] | None = ...,
    name: str | None = ...,
) -> Callable[[Callable[P, R]], StageFunction[P, R]]: ...
def stage(function: Any = None, /, **keys: Any) -> Any:
    """Make a function a stage. It stays the function that it is; in a `@pipeline`, calling it joins it to others.

    Keywords are the keys of `[stage.NAME]` in Pipefile.toml, with the same meanings; what is left out or None is as if that key were not there.
    Beyond what TOML takes: an output may be a type, of a value that the function returns (`int float str bool dict list`, FileRef for a file whose
    path is known at run time, Stream, or any class); `retry_on` takes exception classes, `fallback` and `setup` functions, `after` stages, `for_each`
    ranges, and stages whose outputs are the items. Without `outputs` the keys of the dictionary that the function returns are its outputs. The
    description is the docstring's first line.

    Args:
        function: The function, where the decorator is used without arguments.
        keys: As above; `name` names the stage, which is called as the function otherwise.

    Raises:
        PipefileSyntaxError: A keyword is unknown, or holds what no stage can have.
    """
    frame = sys._getframe(1)
    if function is not None:
        if keys:
            raise PipefileError("`stage(function)` takes no keywords besides", (), "`stage(KEY=...)(function)` does")
        return StageFunction(function, {}, Origin(frame))

    def decorate(function: Callable[P, R]) -> StageFunction[P, R]:
        return StageFunction(function, keys, Origin(sys._getframe(1)))

    return decorate


def pipeline(function: Callable[P, R], /) -> Pipeline[P, R]:
    """Make a function a pipeline: it calls stages, hands what they give to others, and returns what is to be built.

    Its parameter, if it has one, receives the configuration: `[global]` of Pipefile.toml, with attributes for keys.
    """
    return Pipeline(function, Origin(sys._getframe(1)))
