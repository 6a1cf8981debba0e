"""The program: finds the command, runs it, turns errors into exit statuses.

A command is a file beside this one, imported when it is called. `-j 8` or `out.txt` without a command belong to `build`.

Exit status: 0 done; 1 a stage failed, or a check found something; 2 the Pipefile or the command line is wrong; 3 a fault in pipefile; 4 locked;
130, 143, 129 interrupted.
"""

from __future__ import annotations

import sys

import click

from pipefile.base.commands import COMMANDS
from pipefile.base.errors import UsageError
from pipefile.base.paths import show
from pipefile.base.streams import guard_streams
from pipefile.cli import options
from pipefile.cli.guard import guarded
from pipefile.cli.request import Request

_WITH_VALUE = ("-C", "-f", "--file", "--color")  # global options that take the next word
_GLOBAL_ONLY = ("--help", "--version")


class Commands(click.Group):
    """The group of all commands; what names none of them is `build`."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        if cmd_name not in COMMANDS:
            return None
        from importlib import import_module

        found: click.Command = import_module(f"pipefile.cli.{cmd_name}").command
        return found

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        at = _command_at(args)
        if at is not None:
            args = args[:at] + ["build"] + args[at:]
            ctx.ensure_object(Request).implied = True
        return super().parse_args(ctx, args)


def _command_at(args: list[str]) -> int | None:
    """Where the word `build` is missing; None where a command is named, or none is wanted."""
    index = 0
    while index < len(args):
        word = args[index]
        if word in _WITH_VALUE:
            index += 2
        elif _is_flag(word):
            index += 1
        else:
            return None if word in COMMANDS or word in _GLOBAL_ONLY else index
    return index if index == len(args) else None


def _is_flag(word: str) -> bool:
    """Whether *word* is a global option that takes no further word."""
    if word in ("--verbose", "--quiet", "--no-github") or word.startswith(("--color=", "--file=", "-C", "-f")):
        return True
    return word[:1] == "-" and len(word) > 1 and not word[1:].strip("vq")


def _version(context: click.Context, _: click.Parameter, value: bool) -> None:
    if value:
        from pipefile import __version__

        click.echo(f"pipefile {__version__}")
        context.exit()


@click.group(cls=Commands, context_settings={"help_option_names": ["--help"]})
@options.global_options
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Print the version.")
def cli() -> None:
    """Builds what is stale, from Pipefile.toml.

    `pipefile [OPTIONS] [TARGET]...` is `pipefile build`: a first word that is no command is a target. A target is a file, a folder, a stage or
    an alias.
    """


def main(argv: list[str] | None = None) -> int:
    """Run the program.

    Args:
        argv: The words after the program's name; None takes them from the process.

    Returns:
        The exit status. Nothing is raised.
    """
    guard_streams()
    request = Request(tuple(sys.argv[1:] if argv is None else argv))
    return guarded(request, lambda: _run(request))


def _run(request: Request) -> int:
    try:
        with cli.make_context("pipefile", list(request.argv), obj=request) as context:
            status = cli.invoke(context)
            return status if isinstance(status, int) else 0
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.ClickException as error:
        request.show_error(_usage_error(error))
        return 2
    except click.Abort:
        return 130


def _usage_error(error: click.ClickException) -> UsageError:
    """A fault of the command line, in the words of all our errors."""
    hint = ""
    if isinstance(error, click.NoSuchOption):
        message = f"no such option `{show(error.option_name)}`"
        hint = _nearest_option(error)
    elif isinstance(error, click.MissingParameter):
        name = error.param.human_readable_name if error.param is not None else "argument"
        message = f"argument `{show(name.strip('[].'))}` is missing"
    elif isinstance(error, click.BadParameter) and error.param is not None:
        message = f"`{error.param.opts[0]}`: {show(_lowered(error.message))}"
    elif error.__class__.__name__ == "NoArgsIsHelpError" and isinstance(error, click.UsageError) and error.ctx is not None:
        # a class of click 8.2 and later, whose text is the whole help; earlier versions print that themselves
        group = error.ctx.command
        names = "`, `".join(group.list_commands(error.ctx)) if isinstance(group, click.Group) else ""
        message = f"`{error.ctx.command_path}` wants one of `{names}`"
    else:
        message = show(_lowered(error.format_message()))
    context = error.ctx if isinstance(error, click.UsageError) else None
    if not hint and context is not None:
        hint = f"`{context.command_path} --help` lists what there is"
    return UsageError(message, hint=hint)


def _nearest_option(error: click.NoSuchOption) -> str:
    from difflib import get_close_matches

    if error.ctx is None or not error.option_name.startswith("--"):
        return ""
    known = [name for param in error.ctx.command.get_params(error.ctx) for name in param.opts if name.startswith("--")]
    found = get_close_matches(error.option_name, known, 1)
    return f"did you mean `{found[0]}`?" if found else ""


def _lowered(text: str) -> str:
    """Click's sentences as our phrases: lower case, no full stop, names in backticks."""
    text = text.strip().rstrip(".")
    return (text[:1].lower() + text[1:]).replace("'", "`").replace('"', "`")
