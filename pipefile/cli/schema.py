"""`pipefile schema`: the JSON schema of Pipefile.toml, for editors."""

from __future__ import annotations

import click

from pipefile.base.commands import COMMANDS
from pipefile.base.paths import show
from pipefile.cli import options
from pipefile.cli.request import Request


@click.command("schema", short_help=COMMANDS["schema"])
@click.option("-o", "--output", metavar="FILE", help="Write it into FILE instead.")
@options.global_options
@click.pass_obj
def command(request: Request, output: str | None) -> int:
    """Print the JSON schema of Pipefile.toml. An editor that knows TOML completes and checks by it, if the Pipefile begins with
    `#:schema ./.pipefile.schema.json`; `init` writes both.
    """
    from pipefile.editor.schema import text

    if output is None:
        request.out.write(text())
        return 0
    from pipefile.editor.place import replace

    changed = replace(request.cwd, output, text().encode())
    if request.verbosity >= 0:
        request.out.write(f"{'wrote' if changed else 'unchanged:'} {show(output)}\n")
    return 0
