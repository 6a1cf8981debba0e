"""`pipefile why TARGET`: every reason, old value and new, along the chain from the source to the target."""

from __future__ import annotations

import click

from pipefile.base.commands import COMMANDS
from pipefile.cli import options
from pipefile.cli.request import Request


@click.command("why", short_help=COMMANDS["why"])
@options.target
@options.overlay
@options.global_options
@click.pass_obj
def command(request: Request, target: str) -> int:
    """Tell why TARGET is stale: each stage on the way from what changed, with all of its reasons, old value and new."""
    from pipefile.base.paths import show
    from pipefile.cli.targets import resolve
    from pipefile.engine.inspect import why
    from pipefile.model.options import Options
    from pipefile.plan.stale import describe, details

    (resolved,) = resolve(request, (target,))
    unknown: list[str] = []

    def note(text: str) -> None:
        unknown.append(text)
        request.note(text)

    chain = why(request.project, Options(targets=(resolved,), environ=request.environ, command=request.command), resolved, note)
    out = request.out
    if all(each.state == "fresh" for each in chain):
        out.write(f"`{show(target)}` is fresh{' as far as is known' if unknown else ''}\n")
        return 0
    for each in chain:
        state = {"unknown": "may become stale", "stale": "is stale", "skipped": "is skipped", "fresh": "is fresh"}[each.state]
        out.write(f"`{show(each.name)}` {state}\n")
        for reason in each.reasons:
            out.write(f"  {describe(reason)}\n")
            for line in details(reason):
                out.write(f"    {line}\n")
        if each.restorable:
            out.write("  an earlier result is in the cache: a build restores it\n")
        if each.mode.reason and each.state != "fresh":
            out.write(f"  mode: {each.mode.name} ({each.mode.reason})\n")
    return 0
