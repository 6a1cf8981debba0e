"""A build as the command line asks for it, without click: a plain `pipefile` has no use for that (cli/plain.py)."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, TypedDict

from pipefile.base.errors import PipefileError, StoreError, UsageError
from pipefile.cli.request import Request, drop_python_streams
from pipefile.model.options import Options

if TYPE_CHECKING:
    from types import FrameType

    from pipefile.engine.build import Look
    from pipefile.report.several import Report, Written


class Given(TypedDict):
    targets: tuple[str, ...]
    jobs: int | None
    keep_going: bool
    dry_run: bool
    force: bool
    load: float | None
    why: bool
    strict: bool
    schedule: str
    mode: str | None
    from_stage: str
    reuse_run: str
    no_cache: bool
    allow_removal: bool
    debug: str
    no_wait: bool
    as_json: bool
    junit: str


def run(request: Request, given: Given, look: Look | None = None) -> int:
    """Build. Returns the exit status.

    Args:
        request: The command line.
        given: Its options.
        look: As for engine/build.py.

    Raises:
        PipefileError: As `build` does.
    """
    wanted = options_of(request, given)
    if wanted.debug:
        _check_debug(given)
    report = report_of(request, wanted, given["as_json"])
    files = _files(request, given)
    if files:
        from pipefile.report.several import Several

        report = Several(report, files)
    try:
        with Pauses(report.pause if report.live and _is_main_thread() else None):
            status = _build(request, wanted, report, look)
    except PipefileError as error:
        if isinstance(error, UsageError) and request.implied and not error.hint and not error.places:
            error.hint = _command_hint(wanted.targets)
        for file in files:
            file.fault(error)
        raise
    finally:
        report.close()
        for file in files:
            if file.problem:
                request.show_error(StoreError(file.problem))
    return status or (1 if any(file.problem for file in files) else 0)


def run_options(request: Request, wanted: Options, as_json: bool) -> int:
    """Build what `build` has no options for. Returns the exit status.

    Raises:
        PipefileError: As `build` does.
    """
    report = report_of(request, wanted, as_json)
    try:
        with Pauses(report.pause if report.live and _is_main_thread() else None):
            return _build(request, wanted, report, None)
    finally:
        report.close()


def _files(request: Request, given: Given) -> list[Written]:
    """What is written of a build for others to read, besides its history."""
    found: list[Written] = []
    if given["junit"]:
        if given["dry_run"]:
            raise UsageError("`--junit` does not go with `--dry-run`, which builds nothing")
        from pipefile.report.junit import JUnitReport, check_target

        path = os.path.normpath(os.path.join(request.cwd, given["junit"]))
        check_target(path, given["junit"])
        found.append(JUnitReport(path, request.project.root, request.project.clock.now))
    summary = request.environ.get("GITHUB_STEP_SUMMARY", "")
    if summary and request.marks and request.environ.get("GITHUB_ACTIONS") == "true" and not given["dry_run"]:
        from pipefile.report.stepsummary import StepSummary

        found.append(StepSummary(summary))
    return found


def _build(request: Request, wanted: Options, report: Report, look: Look | None) -> int:
    from pipefile.engine.build import build
    from pipefile.engine.interrupt import Interrupts

    # stages run here anyway, and a process whose own folder it is starts them more cheaply
    os.chdir(request.project.root)
    gc.disable()  # a graph is a great many objects at once, and none of them is garbage
    try:
        if not _is_main_thread():  # signals are then handled by whoever has the main thread
            return build(request.project, wanted, report, look=look, planned=_planned).exit_status
        with Interrupts() as interrupts:
            result = build(request.project, wanted, report, interrupts, look=look, planned=_planned)
    finally:
        gc.freeze()  # and back at once: what is young becomes old, so that nobody looks at it while the process ends
        gc.unfreeze()
        gc.enable()
    if result.abandoned:  # a function's thread runs on, and Python would wait for it
        report.close()
        drop_python_streams()
        os._exit(result.exit_status)
    return result.exit_status


def _planned() -> None:
    """What has been made of a graph stays: who collects from here on need not look at it."""
    gc.freeze()
    gc.set_threshold(200_000)
    gc.enable()


class Pauses:
    """While it is entered, Ctrl-Z leaves a clean terminal behind.

    Args:
        pause: Cleans it; None where nothing is drawn there.
    """

    def __init__(self, pause: Callable[[], None] | None) -> None:
        self._pause = pause

    def __enter__(self) -> None:
        if self._pause is not None and signal.getsignal(signal.SIGTSTP) == signal.SIG_DFL:
            signal.signal(signal.SIGTSTP, self._stop)
        else:
            self._pause = None

    def __exit__(self, *_: object) -> None:
        if self._pause is not None:
            signal.signal(signal.SIGTSTP, signal.SIG_DFL)

    def _stop(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002  # the signature of handlers
        if self._pause is not None:
            self._pause()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)  # here it stands until somebody lets it go on
        signal.signal(number, self._stop)


def _is_main_thread() -> bool:
    threading = sys.modules.get("threading")  # where nobody has imported it, there is no other thread
    return threading is None or threading.current_thread() is threading.main_thread()


def _check_debug(given: Given) -> None:
    if given["targets"]:
        raise UsageError("`--pdb` builds what its stage needs, and takes no targets")
    for option in ("as_json", "dry_run"):
        if given[option]:
            raise UsageError(f"`--pdb` does not go with `{'--json' if option == 'as_json' else '--dry-run'}`")


def _command_hint(words: tuple[str, ...]) -> str:
    """For `pipefile biuld`, which is a target that nobody knows."""
    from pipefile.base.commands import COMMANDS
    from pipefile.plan.near import nearest

    near = nearest(words[0], COMMANDS) if words else ""
    return f"did you mean `pipefile {near}`?" if near else ""


def options_of(request: Request, given: Given) -> Options:
    """The options of one build, from the command line."""
    from pipefile.cli.cpus import default_jobs
    from pipefile.cli.targets import resolve

    return Options(
        targets=resolve(request, given["targets"]),
        jobs=given["jobs"] or default_jobs(request.environ),
        keep_going=given["keep_going"],
        dry_run=given["dry_run"],
        force=given["force"],
        load=given["load"],
        strict=given["strict"],
        why=given["why"],
        schedule=given["schedule"],
        wait=not given["no_wait"],
        environ=request.environ,
        command=request.command,
        verbose=request.verbosity,
        color=(request.err if given["as_json"] else request.out).color,
        mode=given["mode"] or "",
        debug=given["debug"],
        cache=not given["no_cache"],
        from_stage=given["from_stage"],
        reuse_run=given["reuse_run"],
        allow_removal=given["allow_removal"],
    )


def report_of(request: Request, wanted: Options, as_json: bool) -> Report:
    """What shows the build: words for people, or JSON lines with the words on standard error."""
    from pipefile.report.terminal import TerminalReport

    out = request.err if as_json else request.out
    project = request.project
    people = TerminalReport(out, request.err, project.root, wanted.verbose, wanted.why, project.clock.monotonic)
    people.entering = request.entering
    if wanted.debug:  # the terminal is the debugger's
        people.live = False
    if not as_json:
        return people
    from pipefile.report.json_lines import JsonReport

    return JsonReport(request.out, people)
