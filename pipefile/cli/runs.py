"""`pipefile runs`: what earlier builds did."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from pipefile.base.commands import COMMANDS
from pipefile.base.errors import UsageError
from pipefile.cli import options
from pipefile.cli.request import Request

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pipefile.model.output import StageOutput
    from pipefile.model.run import EdgeResult, Run
    from pipefile.store.history import RunReader


@click.group("runs", short_help=COMMANDS["runs"])
@options.global_options
def command() -> None:
    """Show what earlier builds did, compare them, forget them. RUN is `latest`, or what its id begins with."""


_run = click.argument("run", metavar="[RUN]", default="latest")


def _reader(request: Request) -> RunReader:
    from pipefile.base.errors import PipefileError
    from pipefile.load.loader import load
    from pipefile.load.locate import make_locator
    from pipefile.store.history import RunReader

    project = request.project
    try:
        store = load(project.disk, project.file, request.environ).settings.store
    except PipefileError as error:
        error.locate(make_locator(project.disk))
        raise
    return RunReader(project.disk, store)


@command.command("list", short_help="List the runs, newest first.")
@options.as_json
@options.global_options
@click.pass_obj
def list_(request: Request, as_json: bool) -> int:
    """List the runs, newest first."""
    found = _reader(request).list()
    if as_json:
        import json

        request.out.write(json.dumps({"format": 1, "runs": [_fields(run) for run in found]}, indent=1) + "\n")
        return 0
    for run in found:
        request.out.write(_line(request, run) + "\n")
    if not found and request.verbosity >= 0:
        request.out.write("no runs yet\n")
    return 0


@command.command("show", short_help="Show a run and its stages.")
@_run
@options.as_json
@options.global_options
@click.pass_obj
def show_(request: Request, run: str, as_json: bool) -> int:
    """Show a run and its stages."""
    reader = _reader(request)
    found = reader.read(reader.resolve(run))
    edges, problem = reader.edges(found.id)
    for text in (found.problem, problem if found.status not in ("running", "interrupted") else ""):
        if text:
            request.warn(text)
    outputs = _outputs(request, reader, found, edges)
    if as_json:
        import json
        from dataclasses import asdict

        told = [{**asdict(edge), "output": None if output is None else asdict(output)} for edge, output in zip(edges, outputs, strict=True)]
        request.out.write(json.dumps({"format": 1, "run": _fields(found), "edges": told}, indent=1) + "\n")
        return 0
    _show(request, reader, found, zip(edges, outputs, strict=True))
    return 0


@command.command("diff", short_help="Compare two runs.")
@click.argument("a", metavar="[A]", required=False)
@click.argument("b", metavar="[B]", required=False)
@options.as_json
@options.global_options
@click.pass_obj
def diff(request: Request, a: str | None, b: str | None, as_json: bool) -> int:
    """Compare run A with run B: params, inputs, code, outputs, durations, values and metrics of stages that differ. Left out, B is the latest run,
    and A the one before it. The latest run alone is compared with the one before it, too."""
    from pipefile.engine.compare import Comparison
    from pipefile.report import rundiff
    from pipefile.store.outputs import OutputReader

    reader = _reader(request)
    second = reader.resolve(b or "latest")
    first = reader.resolve(a) if a is not None else second
    if first == second and b is None:
        first = reader.before(second)
    found = Comparison(reader, OutputReader(reader.disk, reader.store), request.warn).compare(first, second)
    if as_json:
        request.out.write(rundiff.as_json(found) + "\n")
        return 0
    for line in rundiff.lines(found, request.out.paint):
        request.out.write(line + "\n")
    return 0


@command.command("rm", short_help="Remove runs.")
@click.argument("runs", metavar="RUN...", nargs=-1, required=True)
@options.no_wait
@options.global_options
@click.pass_obj
def rm(request: Request, runs: tuple[str, ...], no_wait: bool) -> int:
    """Remove each RUN with its logs, values and artifacts: history alone, nothing has to be built again."""
    from pipefile.engine.forget import check_ended, forget
    from pipefile.engine.locked import locked_store
    from pipefile.model.options import Options

    reader = _reader(request)
    names = tuple(dict.fromkeys([reader.resolve(run) for run in runs]))
    check_ended(reader, names)  # a build has the lock: to wait for it, and remove its run then, is not what anybody wants
    options_ = Options(wait=not no_wait, environ=request.environ, command=request.command)
    with locked_store(request.project, options_, request.waiting) as settings:
        forget(request.project.disk, settings.store, names)
    if request.verbosity >= 0:
        for name in names:
            request.out.write(f"removed {name}\n")
    return 0


@command.command("log", short_help="Print what stages of a run printed.")
@_run
@click.argument("stage", metavar="[STAGE]", required=False)
@options.global_options
@click.pass_obj
def log_(request: Request, run: str, stage: str | None) -> int:
    """Print what STAGE of a run printed, or all of its stages."""
    from pipefile.base.paths import show

    reader = _reader(request)
    found = reader.resolve(run)
    edges = reader.edges(found)[0]
    if stage is not None:
        edge = next((edge for edge in edges if _name(edge) == stage), None)
        if not _print_logs(request, reader, found, stage, edge.log if edge is not None else "") and edge is None:
            raise UsageError(f"no stage `{show(stage)}` ran in {found}", hint=_near(stage, [_name(edge) for edge in edges]))
        return 0
    users: dict[str, list[str]] = {}
    for edge in edges:
        if edge.log:
            users.setdefault(edge.log, []).append(_name(edge))
    for log, (name, *others) in users.items():
        more = f" and {len(others)} more of its batch" if others else ""
        request.out.write(request.out.paint(f"==> {show(name)}{more} <==", "bold") + "\n")
        _print_logs(request, reader, found, name, log)
    return 0


def _near(stage: str, names: list[str]) -> str:
    from pipefile.plan.near import nearest

    near = nearest(stage, names)
    return f"did you mean `{near}`?" if near else ""


def _name(edge: EdgeResult) -> str:
    return f"{edge.stage}@{edge.instance}" if edge.instance not in ("", edge.stage) else edge.stage


def _print_logs(request: Request, reader: RunReader, run: str, stage: str, log: str) -> bool:
    """Print what all attempts of an edge have printed; False if there is nothing. *log*: that of the last one, as the manifest has it."""
    earlier = reader.earlier_logs(run, stage)
    for number, path in earlier:
        request.out.write(request.out.paint(f"==> attempt {number} <==", "bold") + "\n")
        _print_log(request, path)
    if earlier:
        request.out.write(request.out.paint("==> last attempt <==", "bold") + "\n")
    return _print_log(request, log or reader.log_path(run, stage)) or bool(earlier)


def _print_log(request: Request, path: str) -> bool:
    """Print a log, safe to show; False if there is none."""
    import os

    from pipefile.report.neutral import neutral_lines

    try:
        fd = os.open(request.project.disk.at(path), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return False
    with open(fd, "rb", buffering=0) as log:
        for line in neutral_lines(iter(lambda: log.read(1 << 18), b""), request.out.color):
            request.out.write(line)
            if request.out.fault is not None:
                break
    return True


def _line(request: Request, run: Run) -> str:
    from pipefile.base.paths import show
    from pipefile.report.words import duration

    if run.problem and not run.status:
        return f"{run.id}  {request.out.paint('damaged', 'red')}"
    parts = [run.id, request.out.paint(f"{run.status:<11}", _STYLES.get(run.status, "dim"))]
    parts.append(_counted(run) + (f" in {duration(run.duration_seconds)}" if run.finished_at else ""))
    parts.append(" ".join(map(show, run.command)))
    return "  ".join(part for part in parts if part)


_STYLES = {"succeeded": "green", "failed": "red", "interrupted": "yellow", "running": "cyan"}


def _counted(run: Run) -> str:
    from pipefile.report.words import counts

    return counts(*[(number, name) for name, number in run.counts.items()])


def _outputs(request: Request, reader: RunReader, run: Run, edges: tuple[EdgeResult, ...]) -> list[StageOutput | None]:
    """What each edge came to; what is damaged is told."""
    from pipefile.store.outputs import OutputReader

    outputs = OutputReader(reader.disk, reader.store)
    found = []
    for edge in edges:
        output, problem = outputs.read(run.id, edge.stage, edge.instance)
        if problem:
            request.warn(problem)
        found.append(output)
    return found


def _show(request: Request, reader: RunReader, run: Run, edges: Iterable[tuple[EdgeResult, StageOutput | None]]) -> None:
    from pipefile.base.paths import show
    from pipefile.report.rundiff import told
    from pipefile.report.words import duration, used

    out = request.out
    commit = f"{run.commit}{' with changes' if run.dirty else ''}" if run.commit else ""
    rows = {
        "run": run.id,
        "status": run.status,
        "command": " ".join(run.command),
        "started": run.started_at,
        "finished": run.finished_at,
        "duration": duration(run.duration_seconds) if run.finished_at else "",
        "counts": _counted(run),
        "commit": commit,
        "host": f"{run.host}, Python {run.python}, pipefile {run.pipefile}" if run.host else "",
    }
    for name, text in rows.items():
        if text:
            out.write(f"{name:<9} {show(text)}\n")
    for edge, output in edges:
        attempts = f"  {edge.attempts} attempts" if edge.attempts > 1 else ""
        status = out.paint(edge.status, _EDGE_STYLES.get(edge.status, "dim"))
        out.write(f"\n{show(_name(edge))}  {status}  {duration(edge.duration_seconds)}{attempts}\n")
        for reason in edge.reasons:
            out.write(f"  {show(reason)}\n")
        if edge.mode_reason:
            out.write(f"  mode: {show(edge.mode)} ({show(edge.mode_reason)})\n")
        if edge.cpu_seconds or edge.peak_rss_bytes:
            out.write(f"  used: {used(edge.cpu_seconds, edge.peak_rss_bytes)}\n")
        if edge.error:
            out.write(f"  {out.paint('error:', 'red')} {show(edge.error.partition(chr(10))[0])}\n")
        for verb, paths in edge.undeclared.items():
            out.write(f"  {verb} undeclared: {', '.join(map(show, paths[:_SHOWN]))}{f' and {len(paths) - _SHOWN} more' * (len(paths) > _SHOWN)}\n")
        if edge.log:
            out.write(f"  log: {show(edge.log)}\n")
        for line in () if output is None else told(output):
            out.write(f"  {line}\n")
        for path in reader.artifacts(run.id, _name(edge)):
            out.write(f"  artifact: {show(path)}\n")


_SHOWN = 10  # paths of a kind; `--json` has all

_EDGE_STYLES = {"ran": "green", "degraded": "yellow", "failed": "red", "interrupted": "yellow"}


def _fields(run: Run) -> dict[str, object]:
    from dataclasses import asdict

    return asdict(run)
