"""`pipefile completion`: what a shell sources to complete commands, options, stages and targets."""

from __future__ import annotations

import click

from pipefile.base.commands import COMMANDS
from pipefile.cli import options
from pipefile.cli.request import Request
from pipefile.editor.shells import SCRIPTS


@click.command("completion", short_help=COMMANDS["completion"])
@click.argument("shell", metavar="bash|zsh|fish", type=click.Choice(list(SCRIPTS)))
@options.global_options
@click.pass_obj
def command(request: Request, shell: str) -> int:
    """Print what a shell sources so that it completes commands, options, stages and targets.

    In ~/.bashrc: `source <(pipefile completion bash)`; in ~/.zshrc, after compinit: `source <(pipefile completion zsh)`; for fish:
    `pipefile completion fish > ~/.config/fish/completions/pipefile.fish`.
    """
    request.out.write(SCRIPTS[shell])
    return 0
