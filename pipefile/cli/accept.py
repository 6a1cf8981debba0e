"""`pipefile accept`: believe the outputs as they stand."""

from __future__ import annotations

import click

from pipefile.base.commands import COMMANDS
from pipefile.base.errors import UsageError
from pipefile.cli import options
from pipefile.cli.request import Request


@click.command("accept", short_help=COMMANDS["accept"])
@click.argument("targets", metavar="TARGET...", nargs=-1, required=True)
@options.reason
@options.no_wait
@options.overlay
@options.global_options
@click.pass_obj
def command(request: Request, targets: tuple[str, ...], reason: str | None, no_wait: bool) -> int:
    """Record the outputs of each TARGET's stages as fresh, as they stand, without running anything. All of them have to be there."""
    from pipefile.base.paths import show
    from pipefile.cli.targets import resolve
    from pipefile.engine.accept import accept
    from pipefile.engine.locked import locked
    from pipefile.model.options import Options

    names = resolve(request, targets)
    why = _reason(request, reason)
    wanted = Options(targets=names, wait=not no_wait, environ=request.environ, command=request.command)
    with locked(request.project, wanted, request.warn, request.waiting, request.note) as session:
        accepted = accept(session, names, why)
    if request.verbosity >= 0:
        for name in accepted:
            request.out.write(f"accepted {show(name)}\n")
    return 0


def _reason(request: Request, given: str | None) -> str:
    """Why the outputs are right: from the option, or from a person."""
    if given is None and request.interactive():
        request.out.write("why are they right as they stand? ")
        request.out.flush()
        try:
            given = input()
        except EOFError:
            given = ""
    given = (given or "").strip()
    if not given:
        raise UsageError("`accept` needs a reason", hint='`--reason "..."` gives it')
    return given
