"""Commands as templates: parsed once per distinct text, with the values of `[global]` filled in."""

from __future__ import annotations

from typing import Any

from pipefile.base.locations import KeyPath
from pipefile.base.paths import show
from pipefile.load.faults import FaultError, did_you_mean, wrong_kind
from pipefile.load.values import Globals
from pipefile.model.stage import Command, Field, Template
from pipefile.plan.template import PlaceholderError, fields, joined, parse, parse_shell, quoted

Asked = frozenset[tuple[str, int | None]]
"""The placeholders of a command: name and index."""

NOTHING: Asked = frozenset()

RESERVED = frozenset(["inputs", "outputs", "params", "global", "depfile", "store", "threads"])
"""Names that placeholders have already."""

LONGEST = 1 << 20
"""Characters of a command: eight times what Linux takes as one argument."""

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

    def shell(self, text: str, stage: str, table: dict[str, Any]) -> tuple[Command, Asked]:
        """A command that is a text for the shell, and what it asks for. *table* is the stage's own."""
        if text in self._texts:
            return self._texts[text]
        key = ("stage", stage, "run")
        if "\0" in text:
            raise FaultError(f"`run` of stage `{show(stage)}` holds a NUL character", key)
        if len(text) > LONGEST:
            raise FaultError(f"`run` of stage `{show(stage)}` is longer than {LONGEST >> 20} MB", key, "put it into a script")
        if not text.strip():
            raise FaultError(f"`run` in stage `{show(stage)}` must not be empty", key)
        if "{" not in text and "}" not in text:
            return Command(text, (text,)), NOTHING
        try:
            template = parse_shell(text)
        except PlaceholderError as error:
            raise _misplaced(error, text, stage, table) from None
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


def _misplaced(error: PlaceholderError, text: str, stage: str, table: dict[str, Any]) -> FaultError:
    field = error.field
    same = [other for other in fields(parse(text))[: error.number] if other == field]
    known = {*RESERVED, *(name for key in ("inputs", "outputs") if isinstance(table.get(key), dict) for name in table[key])}
    if field.name.partition(".")[0] in known:
        message, hint = f"`{field}` in `run` of stage `{show(stage)}` stands {error.reason}", _HINTS[error.reason]
    else:  # awk '{print}'
        message = f"unknown placeholder `{field}` in `run` of stage `{show(stage)}`"
        hint = did_you_mean(field.name, known, "{{{}}}") or f"literal braces are doubled: `{{{field}}}`"
    return FaultError(message, ("stage", stage, "run"), hint, str(field), len(same))
