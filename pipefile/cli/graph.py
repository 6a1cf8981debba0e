"""`pipefile graph`: the graph as text, dot or JSON."""

from __future__ import annotations

import click

from pipefile.base.commands import COMMANDS
from pipefile.cli import options
from pipefile.cli.request import Request


@click.command("graph", short_help=COMMANDS["graph"])
@options.targets
@options.graph_format
@options.waves
@options.overlay
@options.global_options
@click.pass_obj
def command(request: Request, targets: tuple[str, ...], graph_format: str, waves: bool) -> int:
    """Print the graph of what each TARGET needs, or of all stages. Nothing is written, nothing is run."""
    from pipefile.cli.targets import resolve
    from pipefile.engine.query import view
    from pipefile.engine.session import Session
    from pipefile.report import graph

    wanted = resolve(request, targets)
    session = Session(request.project, request.environ, request.warn, note=request.note, targets=wanted)
    shown = view(session, wanted)
    write = {"text": graph.as_text, "dot": graph.as_dot, "json": graph.as_json}[graph_format]
    for part in write(shown, waves):
        request.out.write(part)
    return 0
