"""`pipefile query`: files around a target, one path a line."""

from __future__ import annotations

from typing import cast

import click

from pipefile.base.commands import COMMANDS
from pipefile.cli import options
from pipefile.cli.request import Request

VERBS = ("inputs", "outputs", "deps", "rdeps")


@click.command("query", short_help=COMMANDS["query"])
@click.argument("verb", metavar="inputs|outputs|deps|rdeps", type=click.Choice(VERBS))
@options.target
@options.overlay
@options.global_options
@click.pass_obj
def command(request: Request, verb: str, target: str) -> int:
    """Print the files around TARGET, one a line, relative to the project root.

    `inputs`: what its stage reads. `outputs`: what its stage makes; of a source, what is made from it. `deps` and `rdeps`: all that it comes from,
    and all that comes from it.
    """
    from pipefile.cli.targets import resolve
    from pipefile.engine.query import Verb, query
    from pipefile.engine.session import Session

    (resolved,) = resolve(request, (target,))
    session = Session(request.project, request.environ, request.warn, note=request.note, targets=(resolved,))
    for path in query(session, cast("Verb", verb), resolved):
        request.out.write(line_of(path, request.out.terminal) + "\n")
    return 0


def line_of(path: str, terminal: bool) -> str:
    """A path for another program to read: undecodable bytes stay as they are on disk; control characters are escaped there too."""
    from pipefile.base.paths import show

    if terminal or path.isprintable():
        return show(path)
    return "".join(char if "\udc80" <= char <= "\udcff" else show(char) for char in path)
