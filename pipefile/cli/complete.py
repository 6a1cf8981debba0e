"""What may follow in a command line, for the completion of shells (editor/shells.py has their side of it).

Asked as `completion --for SHELL ...`: by bash with the line up to the cursor, and the characters at which it breaks words; by zsh and fish with the
words, of which the last one is completed. Answered with a line for each: the word, a tab, what it means. Whatever goes wrong, nothing is answered.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence

import click

from pipefile.base.commands import COMMANDS
from pipefile.base.dataclass import dataclass, field

_QUOTED = " \t\n\\'\"`$&|;<>()*?[]{}!#~"


def answer(words: Sequence[str]) -> int:
    """Print what may follow. The exit status is 0 whatever happens: a person is typing."""
    try:
        lines = _bash(*words[1:3]) if words[0] == "bash" else [f"{word}\t{text}" for word, text in complete(words[1:])]
        data = "".join([f"{line}\n" for line in lines if "\n" not in line]).encode("utf-8", "surrogateescape")
        while data:
            data = data[os.write(1, data) :]
    except (Exception, SystemExit):
        pass
    return 0


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
    directories: list[str] = field(default_factory=list)
    file: str = ""

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
        for param in self.command.params:
            if isinstance(param, click.Option) and not param.hidden:
                yield param

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
            self.directories.append(value)
        elif "--file" in param.opts:
            self.file = value

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
    if isinstance(state.command, click.Group):
        found = _commands(state.command, word)
        return found if state.command is not cli else [*found, *_targets(state, word)]
    argument = state.argument()
    return [] if argument is None else _values(state, argument, word)


def _commands(group: click.Group, word: str) -> list[tuple[str, str]]:
    names = [name for name in (COMMANDS if group.name == "cli" else group.list_commands(click.Context(group))) if name.startswith(word)]
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
    kind = (param.metavar or "").strip("[].")
    if kind == "TARGET":
        return _targets(state, word)
    if kind == "STAGE":
        return [(name, "stage") for name in _stages(state, word)]
    if kind in ("RUN", "A", "B"):
        from pipefile.editor.names import runs

        return [(run, "run") for run in runs(_project(state)[0]) if run.startswith(word)]
    if kind in ("DIR", "FILE"):
        return _files(_here(state), word, folders=kind == "DIR")
    return []


def _here(state: State) -> str:
    here = os.getcwd()
    for directory in state.directories:
        here = os.path.normpath(os.path.join(here, directory))
    return here


def _project(state: State) -> tuple[str, str]:
    """Root and Pipefile of the project that the line is about."""
    from pipefile.engine.fastlane import PIPEFILE, root_above

    if state.file:
        root, file = os.path.split(os.path.normpath(os.path.join(_here(state), state.file)))
        return root, file
    root = root_above(_here(state)) or ""
    return root, PIPEFILE


def _stages(state: State, word: str) -> Iterable[str]:
    from pipefile.editor.names import names

    return _stage_names(names(*_project(state)).stages, word)


def _stage_names(stages: Iterable[str], word: str) -> Iterable[str]:
    """Stages; instances once their stage is written out, a segment of their paths at a time."""
    from pipefile.editor.names import below

    stage, at, rest = word.partition("@")
    if not at:
        return dict.fromkeys(name for each in stages if (name := each.partition("@")[0]).startswith(word))
    folder = rest[: rest.rfind("/") + 1]
    start = f"{stage}@"
    instances = [each[len(start) :] for each in stages if each.startswith(start)]
    return [f"{start}{folder}{name}" for name in below(instances, folder, rest[len(folder) :])]


def _targets(state: State, word: str) -> list[tuple[str, str]]:
    """Stages, aliases, and outputs by their paths from where the user stands, one segment at a time."""
    from pipefile.editor.names import below, names

    root, file = _project(state)
    known = names(root, file)
    found = [(name, "alias") for name in known.aliases if name.startswith(word)]
    found += [(name, "stage") for name in _stage_names(known.stages, word)]
    folder, slash, begun = word.rpartition("/")
    there = os.path.normpath(os.path.join(_here(state), folder or ("/" if slash else ".")))
    base = root.rstrip("/") + "/"
    if there == root or there.startswith(base):
        inside = f"{there[len(base) :]}/" if there != root else ""
        found += [(f"{folder}{slash}{name}", "") for name in below(known.outputs, inside, begun)]
    return list(dict(reversed(found)).items())[::-1]


def _files(here: str, word: str, folders: bool) -> list[tuple[str, str]]:
    folder, slash, begun = word.rpartition("/")
    found = []
    with os.scandir(os.path.join(here, folder + slash)) as entries:
        for entry in entries:
            if entry.name.startswith(begun) and (begun or entry.name[0] != "."):
                directory = entry.is_dir()
                if directory or not folders:
                    found.append((f"{folder}{slash}{entry.name}{'/' * directory}", ""))
    return sorted(found)


# --- bash


def _bash(line: str, breaks: str) -> Iterator[str]:
    """Words alone, of each what bash replaces: the part behind the last character at which it breaks words."""
    words, quote, begun = split(line)
    word = words[-1]
    cut = 0 if quote else max([begun.rfind(char) for char in breaks if char not in " \t\n\"'\\"], default=-1) + 1
    for found, _ in complete(words):
        # Within quotes bash replaces all behind the quote, and the breaking characters have no meaning.
        shown = found if quote else _escaped(found)
        start = _escaped(word)[:cut] if not quote else ""
        if shown.startswith(start):
            yield shown[len(start) :]


def split(line: str) -> tuple[list[str], str, str]:
    """The words of a command line that may end anywhere, without quotes; the quote that is open at its end, and the last word as it was typed."""
    words: list[str] = []
    text, raw, quote = "", "", ""
    inside = False
    at = 0
    while at < len(line):
        char = line[at]
        at += 1
        if not quote and char in " \t\n":
            if inside:
                words.append(text)
            text, raw, inside = "", "", False
            continue
        raw += char
        inside = True
        if char == quote:
            quote = ""
        elif not quote and char in "'\"":
            quote = char
        elif char == "\\" and quote != "'" and at < len(line):
            text += line[at]
            raw += line[at]
            at += 1
        else:
            text += char
    return [*words, text], quote, raw


def _escaped(word: str) -> str:
    return "".join([f"\\{char}" if char in _QUOTED else char for char in word])
