"""What may follow in a command line: commands, options and their values, as click knows them. cli/candidates.py has the rest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import click

from pipefile.base.dataclass import dataclass, field
from pipefile.cli.candidates import Place, commands_of, files_in, here_of, profiles_of, project_of, stages_of, targets_of


@dataclass
class State:
    """Where a command line stands, word by word.

    Args:
        command: The command that has been named; at first the group of all.
    """

    command: click.Command
    path: list[click.Command] = field(default_factory=list)
    positional: int = 0
    expecting: click.Parameter | None = None
    literal: bool = False
    place: Place = field(default_factory=Place)

    def take(self, word: str) -> None:
        """Go on behind *word*."""
        if self.expecting is not None:
            self._value(self.expecting, word)
            self.expecting = None
        elif self.literal or word in ("", "-") or not word.startswith("-"):
            self._positional(word)
        elif word == "--":
            self.literal = True
        elif word.startswith("--"):
            name, equals, value = word.partition("=")
            self._option(self.option(name), value if equals else None)
        else:
            for at in range(1, len(word)):
                option = self.option(f"-{word[at]}")
                if option is not None and takes_value(option):
                    self._option(option, word[at + 1 :] or None)
                    break

    def option(self, name: str) -> click.Option | None:
        return next((option for option in self.options() if name in option.opts), None)

    def options(self) -> Iterator[click.Option]:
        known: set[str] = set()
        for param in [param for command in self._commands() for param in command.params]:
            if isinstance(param, click.Option) and not param.hidden and known.isdisjoint(param.opts):
                known.update(param.opts)
                yield param

    def _commands(self) -> Iterator[click.Command]:
        """The command; with `build` where none has been named, which that stands for."""
        yield self.command
        build = subcommand(self.command, "build") if isinstance(self.command, click.Group) else None
        if build is not None:
            yield build

    def argument(self) -> click.Argument | None:
        """The argument that comes next."""
        arguments = [param for param in self.command.params if isinstance(param, click.Argument)]
        if not arguments:
            return None
        if self.positional < len(arguments):
            return arguments[self.positional]
        return arguments[-1] if arguments[-1].nargs == -1 else None

    def _option(self, option: click.Option | None, value: str | None) -> None:
        if option is None or not takes_value(option):
            return
        if value is None:
            self.expecting = option
        else:
            self._value(option, value)

    def _value(self, param: click.Parameter, value: str) -> None:
        if "-C" in param.opts:
            self.place.directories.append(value)
        elif "--file" in param.opts:
            self.place.file = value

    def _positional(self, word: str) -> None:
        if isinstance(self.command, click.Group):
            found = subcommand(self.command, word)
            if found is not None:
                self.command = found
                return
            self.command = subcommand(self.command, "build") or self.command
        self.positional += 1


def takes_value(option: click.Option) -> bool:
    return not option.is_flag and not option.count


def subcommand(group: click.Group, name: str) -> click.Command | None:
    return group.get_command(click.Context(group), name)


def complete(words: Sequence[str]) -> list[tuple[str, str]]:
    """What the last of *words* may become, and what each means.

    Args:
        words: The words of the line from the program's name on, without quotes.
    """
    from pipefile.cli.main import cli

    if len(words) < 2:
        return []
    *before, word = words[1:]
    state = State(cli)
    for each in before:
        state.take(each)
    if state.expecting is not None:
        return _values(state, state.expecting, word)
    if not state.literal and word.startswith("--") and "=" in word:
        name, _, value = word.partition("=")
        option = state.option(name)
        return [(f"{name}={found}", text) for found, text in _values(state, option, value)] if option is not None and takes_value(option) else []
    if not state.literal and word.startswith("-"):
        return _options(state, word)
    if state.command is cli:
        return [*commands_of(word), *targets_of(state.place, word)]
    if isinstance(state.command, click.Group):
        return _commands(state.command, word)
    argument = state.argument()
    return [] if argument is None else _values(state, argument, word)


def _commands(group: click.Group, word: str) -> list[tuple[str, str]]:
    names = [name for name in group.list_commands(click.Context(group)) if name.startswith(word)]
    return [(name, found.get_short_help_str(80)) for name in names if (found := subcommand(group, name)) is not None]


def _options(state: State, word: str) -> list[tuple[str, str]]:
    found = []
    for option in state.options():
        for name in option.opts:
            if name.startswith(word) and (name.startswith("--") or word == "-"):
                found.append((name, (option.help or "").partition("; ")[0].rstrip(".")))
    return [*found, ("--help", "Show the help of this command")] if "--help".startswith(word) else found


def _values(state: State, param: click.Parameter, word: str) -> list[tuple[str, str]]:
    """Values of an option or an argument: what they are, its choices or its word in the help say."""
    if isinstance(param.type, click.Choice):
        return [(str(choice), "") for choice in param.type.choices if str(choice).startswith(word)]
    if "--profile" in param.opts:
        return [(name, "profile") for name in profiles_of(state.place) if name.startswith(word)]
    kind = (param.metavar or "").strip("[].")
    if kind == "TARGET":
        return targets_of(state.place, word)
    if kind == "STAGE":
        return [(name, "stage") for name in stages_of(state.place, word)]
    if kind in ("RUN", "A", "B"):
        from pipefile.editor.names import runs

        return [(run, "run") for run in runs(project_of(state.place)[0]) if run.startswith(word)]
    if kind in ("DIR", "FILE"):
        return files_in(here_of(state.place), word, folders=kind == "DIR")
    return []
