"""`pipefile status`: what is stale, and the first reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from pipefile.base.commands import COMMANDS
from pipefile.cli import options
from pipefile.cli.request import Request

if TYPE_CHECKING:
    from pipefile.engine.inspect import EdgeStatus


@click.command("status", short_help=COMMANDS["status"])
@options.targets
@options.check
@options.as_json
@options.overlay
@options.global_options
@click.pass_obj
def command(request: Request, targets: tuple[str, ...], check: bool, as_json: bool) -> int:
    """Tell which stages are stale, each with its first reason. Nothing is written, nothing is run."""
    from pipefile.cli.targets import resolve
    from pipefile.engine.inspect import status
    from pipefile.model.options import Options

    wanted = Options(targets=resolve(request, targets), environ=request.environ, command=request.command)
    found = status(request.project, wanted, request.note)
    if as_json:
        _print_json(request, found)
    else:
        _print_text(request, found)
    return 1 if check and any(each.state in ("stale", "unknown") for each in found) else 0


def _print_text(request: Request, found: list[EdgeStatus]) -> None:
    from pipefile.base.paths import show
    from pipefile.plan.stale import describe
    from pipefile.report.words import counts

    out = request.out
    totals = dict.fromkeys(_STYLES, 0)
    for each in found:
        totals[each.state] += 1
        if request.verbosity < 0 or (each.state == "fresh" and request.verbosity < 1):
            continue
        because = f": {describe(each.reasons[0])}" if each.reasons else ""
        more = f" (and {len(each.reasons) - 1} more)" if len(each.reasons) > 1 else ""
        cached = ", in the cache" if each.restorable else ""
        out.write(f"{out.paint(f'{each.state:<7}', _STYLES[each.state])} {show(each.name)}{because}{more}{cached}\n")
    out.write((counts(*[(number, state) for state, number in totals.items()]) or "no stages") + "\n")


_STYLES = {"stale": "yellow", "unknown": "cyan", "skipped": "dim", "fresh": "green"}


def _print_json(request: Request, found: list[EdgeStatus]) -> None:
    import json

    from pipefile.report.json_lines import reason_fields

    stages = [
        {
            "name": each.name,
            "stage": each.stage,
            "state": each.state,
            "restorable": each.restorable,
            "reasons": [reason_fields(reason) for reason in each.reasons],
        }
        for each in found
    ]
    request.out.write(json.dumps({"format": 1, "stages": stages}, indent=1) + "\n")
