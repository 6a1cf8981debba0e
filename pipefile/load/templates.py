"""Commands as templates: parsed once per distinct text, with the values of `[global]` filled in."""

from __future__ import annotations

from typing import Any

from pipefile.base.locations import KeyPath
from pipefile.base.paths import show
from pipefile.load.faults import FaultError, wrong_kind
from pipefile.load.values import Globals
from pipefile.model.stage import Command, Field, Template
from pipefile.plan.template import PlaceholderError, fields, joined, parse, parse_shell, quoted

Asked = frozenset[tuple[str, int | None]]
"""The placeholders of a command: name and index."""

NOTHING: Asked = frozenset()

_HINTS = {
    "inside quotes": "drop the quotes: each value is quoted for the shell already",
    "inside backquotes": "use `$(...)` instead of backquotes",
    "in a here-document": "hand the value over as an argument or in `env`; literal braces are doubled",
    "after a backslash": "drop the backslash: each value is quoted for the shell already",
}


class Templates:
    """Templates of one Pipefile. Many stages have the same command, and differ in their inputs and outputs alone."""

    def __init__(self, table: Globals) -> None:
        self._globals = table
        self._texts: dict[str, tuple[Command, Asked]] = {}

    def shell(self, text: str, stage: str) -> tuple[Command, Asked]:
        """A command that is a text for the shell, and what it asks for."""
        if text in self._texts:
            return self._texts[text]
        key = ("stage", stage, "run")
        if "\0" in text:
            raise FaultError(f"`run` of stage `{show(stage)}` holds a NUL character", key)
        if not text.strip():
            raise FaultError(f"`run` in stage `{show(stage)}` must not be empty", key)
        if "{" not in text and "}" not in text:
            return Command(text, (text,)), NOTHING
        try:
            template = parse_shell(text)
        except PlaceholderError as error:
            number = sum(str(field) == str(error.field) for field in fields(parse(text))[: error.number])
            message = f"`{error.field}` in `run` of stage `{show(stage)}` stands {error.reason}"
            raise FaultError(message, key, _HINTS[error.reason], str(error.field), number) from None
        pieces: list[str | Field] = []
        for index, piece in enumerate(template):
            if not isinstance(piece, str) and piece.name.startswith("global."):
                following = template[index + 1] if index + 1 < len(template) else ""
                value = self._globals.text(piece, f"`run` of stage `{show(stage)}`", key)
                pieces.append(quoted(value, following if isinstance(following, str) else ""))
            else:
                pieces.append(piece)
        command = Command(text, joined(pieces))
        made = self._texts[text] = (command, frozenset([(field.name, field.index) for field in fields(command.template)]))
        return made

    def argv(self, raw: list[Any], stage: str) -> tuple[Command, Asked]:
        """A command that is a list of arguments, and what it asks for."""
        argv: list[Template] = []
        asked: list[tuple[str, int | None]] = []
        for index, text in enumerate(raw):
            key = ("stage", stage, "run", index)
            if type(text) is not str:
                raise wrong_kind(f"`run` of stage `{show(stage)}`", ("string", "strings"), raw, key)
            if "\0" in text:
                raise FaultError(f"`run` of stage `{show(stage)}` holds a NUL character", key)
            if "{" not in text and "}" not in text:
                argv.append((text,))
                continue
            template = parse(text)
            argv += self._filled(template, stage, key)
            asked += [(field.name, field.index) for field in fields(template) if not field.name.startswith("global.")]
        if not argv or argv[0] == ("",):
            raise FaultError(f"`run` of stage `{show(stage)}` names no program", ("stage", stage, "run"))
        return Command(argv=tuple(argv)), frozenset(asked) if asked else NOTHING

    def fields(self, command: Command) -> tuple[Field, ...]:
        """The placeholders of a command that are not filled in yet."""
        if not command.argv:
            return fields(command.template)
        return tuple([field for template in command.argv for field in fields(template)])

    def _filled(self, template: Template, stage: str, key: KeyPath) -> list[Template]:
        """One argument with its `{global.KEY}` filled in: several, where it is exactly a list."""
        pieces: list[str | Field] = []
        for piece in template:
            if isinstance(piece, str) or not piece.name.startswith("global."):
                pieces.append(piece)
                continue
            value = self._globals.text(piece, f"`run` of stage `{show(stage)}`", key)
            if isinstance(value, str):
                pieces.append(value)
            elif len(template) == 1:
                return [(item,) for item in value]
            else:
                raise FaultError(f"`{piece}` in `run` of stage `{show(stage)}` is a list inside a longer argument", key, needle=str(piece))
        return [joined(pieces) or ("",)]
