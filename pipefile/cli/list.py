"""`pipefile list`: the stages of the project."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from pipefile.base.commands import COMMANDS
from pipefile.cli import options
from pipefile.cli.request import Request

if TYPE_CHECKING:
    from pipefile.engine.inspect import EdgeStatus
    from pipefile.engine.query import Listing


@click.command("list", short_help=COMMANDS["list"])
@options.with_status
@options.as_json
@options.overlay
@options.global_options
@click.pass_obj
def command(request: Request, with_status: bool, as_json: bool) -> int:
    """List the stages with description and last duration. Nothing is written, nothing is run."""
    from pipefile.engine.query import listing

    found = listing(request.project, request.environ, request.warn, as_json, request.note)
    states = _states(request) if with_status else {}
    if as_json:
        _print_json(request, found, states)
    else:
        _print_text(request, found, states)
    return 0


def _states(request: Request) -> dict[str, EdgeStatus]:
    from pipefile.engine.inspect import status_of_all
    from pipefile.model.options import Options

    worst: dict[str, EdgeStatus] = {}
    for each in status_of_all(request.project, Options(environ=request.environ, command=request.command)):
        known = worst.get(each.stage)
        if known is None or _WORST.index(each.state) < _WORST.index(known.state):  # of instances, the one that is worst off
            worst[each.stage] = each
    return worst


_WORST = ("stale", "unknown", "skipped", "fresh")


def _print_text(request: Request, found: Listing, states: dict[str, EdgeStatus]) -> None:
    from pipefile.base.paths import show
    from pipefile.report.words import duration

    rows = []
    for each in found.stages:
        state = states.get(each.stage.name)
        cells = [show(each.stage.name)]
        if states:
            cells.append(state.state if state is not None else "")
        cells.append("" if each.seconds is None else duration(each.seconds))
        rows.append((cells, show(each.stage.description)))
    widths = [max(map(len, column)) for column in zip(*[cells for cells, _ in rows], strict=True)] if rows else []
    for cells, description in rows:
        *first, last = [cell.ljust(width) for cell, width in zip(cells, widths, strict=True)]
        line = "  ".join([*first, last.strip().rjust(len(last)), description])
        request.out.write(line.rstrip() + "\n")


def _print_json(request: Request, found: Listing, states: dict[str, EdgeStatus]) -> None:
    import json

    from pipefile.engine.lines import described
    from pipefile.plan.stale import describe

    encode = json.JSONEncoder().encode
    project = request.project
    head = {"format": 1, "file": project.disk.at(project.file), "root": project.root, "default": found.default}
    request.out.write(encode(head)[:-1] + ', "stages": [')
    between = "\n"
    for each in found.stages:
        place = each.position
        fields = described(each.stage, None if place is None else (place.line, place.column))
        state = states.get(each.stage.name)
        if state is not None:
            fields["status"] = state.state
            fields["reason"] = describe(state.reasons[0]) if state.reasons else ""
        fields["last_duration_seconds"] = each.seconds
        request.out.write(between + encode(fields))
        between = ",\n"
    request.out.write("\n]}\n")
