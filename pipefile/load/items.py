"""`for_each` and `exclude`, and stages whose paths, params and variables hold placeholders of items."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pipefile.base.dataclass import replace
from pipefile.base.locations import KeyPath
from pipefile.base.paths import show
from pipefile.load import values
from pipefile.load.faults import FaultError, did_you_mean, kind_of, wrong_kind
from pipefile.load.params import Params
from pipefile.load.stages import StageReader
from pipefile.load.templates import RESERVED, Asked
from pipefile.load.wildcards import check_pattern, with_wildcards
from pipefile.model.stage import Axis, Call, Command, Field, ForEach, InputGroup, Output, Stage, Value
from pipefile.plan.items import PARTS, split
from pipefile.plan.patterns import is_glob
from pipefile.plan.template import fields, parse, written

MOST = 1_000_000
"""Items of one key: more than that is a slip, and would fill the memory."""

_NAME = re.compile(r"[^\W\d][\w-]*")
_FORMS = 'a value is a glob, a list, `{ range = [0, 10] }`, `"global.KEY"` or `"STAGE.outputs"`'


class ItemReader(StageReader):
    """Reads one stage with `for_each`, or with wildcards.

    Args:
        reader: Reads the other stages of the Pipefile.
        stage: The stage's name.
        table: Its table, types of values checked.
        wildcards: Names in its outputs that nothing defines.

    Raises:
        FaultError: Something in `for_each`, `exclude` or `where` is wrong.
    """

    of_items = True

    def __init__(self, reader: StageReader, stage: str, table: Mapping[str, Any], wildcards: tuple[str, ...]) -> None:
        self.__dict__.update(reader.__dict__)
        has_items = "for_each" in table or "exclude" in table or ("batch" in table and not wildcards)
        self._for_each = _ForEachReader(stage, reader._globals).read(table) if has_items else ForEach(())
        if wildcards or "where" in table:
            self._for_each = with_wildcards(self._for_each, stage, table.get("where", {}), wildcards)
        self._used: set[str] = set()
        self._params = _ItemParams(reader._params, self)
        self._globals = _ItemGlobals(reader._globals.table, self._for_each, self._used)

    def read(self, name: str, table: Any, fallback: bool = False) -> Stage:
        if fallback:
            hint = "it runs in place of another stage, for that one's items"
            key = next(key for key in ("for_each", "exclude", "batch", "where", "outputs") if key in table)
            what = "wildcards" if key == "outputs" else f"`{key}`"
            raise FaultError(f"stage `{show(name)}` is a fallback, so it cannot have {what}", ("stage", name, key), hint)
        self._check_condition(name, table.get("should_run"))
        stage = super().read(name, table)
        for field in self._templates.fields(stage.action) if isinstance(stage.action, Command) else ():
            self.is_item(field)
        env = {
            variable: None if text is None else self._item_text(text, name, ("stage", name, "env", variable))
            for variable, text in stage.env.items()
        }
        self._check_used(stage)
        stage = replace(stage, env=env, for_each=self._for_each)
        if stage.is_pattern:
            check_pattern(stage, table["outputs"])
        if "batch" not in table:
            return stage
        from pipefile.load.batches import batch_of  # fewer have any

        return replace(stage, batch=batch_of(stage, table["batch"], self.is_item))

    def _check_condition(self, stage: str, raw: object) -> None:
        text = raw.get("exists") if isinstance(raw, dict) else ""
        for field in fields(parse(text)) if isinstance(text, str) else ():
            if self.is_item(field):
                what = f"`{field}` in `should_run` of stage `{show(stage)}`: a condition holds for all items"
                raise FaultError(what, ("stage", stage, "should_run", "exists"), "`exclude` leaves out items", str(field))

    def is_item(self, field: Field) -> bool:
        found = split(field.name, self._for_each.names) if field.index is None else None
        if found is not None:
            self._used.add(found[0])
        return found is not None

    def check_placeholders(
        self,
        stage: str,
        action: Command | Call,
        inputs: tuple[InputGroup, ...],
        outputs: tuple[Output, ...],
        params: Mapping[str, Value],
        depfile: str,
    ) -> None:
        self._check_names(stage, {group.name for group in inputs}, {output.name for output in outputs})
        super().check_placeholders(stage, action, inputs, outputs, params, depfile)

    def _check_names(self, stage: str, inputs: set[str | None], outputs: set[str | None]) -> None:
        for names, section in ((inputs, "inputs"), (outputs, "outputs")):
            for name in self._for_each.names:
                if name in names:
                    text = f"`{show(name)}` is both a name of `for_each` and in `{section}` of stage `{show(stage)}`"
                    raise FaultError(text, ("stage", stage, section, name))

    def _unknown(self, stage: str, field: Field, known: list[str | None]) -> FaultError:
        return super()._unknown(stage, field, [*known, *self._for_each.names, *[f"{name}.{part}" for name in self._for_each.names for part in PARTS]])

    def _action(self, stage: str, table: dict[str, Any], shell: tuple[str, ...]) -> tuple[Command | Call, Asked]:
        known = dict.fromkeys(self._for_each.names, "")
        inputs = table.get("inputs")  # for the message about one that stands in quotes, names of items are names like those of inputs
        return super()._action(stage, {**table, "inputs": {**(inputs if isinstance(inputs, dict) else {}), **known}}, shell)

    def item_value(self, value: Value, stage: str, key: KeyPath) -> Value:
        if isinstance(value, str):
            return self._item_text(value, stage, key)
        if isinstance(value, list):
            return [self.item_value(inner, stage, (*key, index)) for index, inner in enumerate(value)]
        if isinstance(value, dict):
            return {name: self.item_value(inner, stage, (*key, name)) for name, inner in value.items()}
        return value

    def _item_text(self, text: str, stage: str, key: KeyPath) -> str:
        """A param or variable: with placeholders of items, braces that are none doubled."""
        if "{" not in text and "}" not in text:
            return text
        for field in fields(parse(text)):
            if not field.name.startswith("global.") and not self.is_item(field):
                raise _unknown_item(field, f"`{key[2]}` of stage `{show(stage)}`", key, self._for_each)
        return written([piece if isinstance(piece, str) or self.is_item(piece) else str(piece) for piece in parse(text)])

    def _check_used(self, stage: Stage) -> None:
        if not isinstance(stage.action, Command):
            return  # a function gets them as arguments
        for axis in self._for_each.axes:
            names = _names_of(axis)
            if self._used.isdisjoint([*names, *[name for name in self._for_each.names if name.startswith(f"{axis.name}.")]]):
                what = f"`{show(axis.name)}` of `for_each`" if axis.name else "`for_each`"
                key: KeyPath = ("stage", stage.name, "for_each", axis.name) if axis.name else ("stage", stage.name, "for_each")
                raise FaultError(f"{what} in stage `{show(stage.name)}` is used nowhere", key, f"its items are `{{{show(names[0])}}}`")


class _ItemParams(Params):
    """Reads the params of a stage with `for_each`: those that the stage itself writes out can hold placeholders of items."""

    def __init__(self, params: Params, reader: ItemReader) -> None:
        super().__init__(params.table, params.files)
        self._reader = reader

    def read(self, stage: str, raw: Mapping[str, Any]) -> dict[str, Value]:
        found = {}
        for name, value in super().read(stage, raw).items():
            given = type(raw[name]) is str and value is not raw[name]  # looked up elsewhere: braces in it are no placeholders
            found[name] = _escaped(value) if given else self._reader.item_value(value, stage, ("stage", stage, "params", name))
        return found


class StandInReader(StageReader):
    """Checks the fallback of a stage with `for_each`, which runs for an item of that one."""

    def __init__(self, reader: StageReader, for_each: ForEach) -> None:
        self.__dict__.update(reader.__dict__)
        self._names = for_each.names

    def is_item(self, field: Field) -> bool:
        return field.index is None and split(field.name, self._names) is not None


class _ItemGlobals(values.Globals):
    """Fills in `{global.KEY}`, and leaves placeholders of items as they are."""

    def __init__(self, table: dict[str, Value], for_each: ForEach, used: set[str]) -> None:
        super().__init__(table)
        self._for_each = for_each
        self._used = used

    def fill_path(self, text: str, what: str, key: KeyPath) -> str:
        pieces: list[str | Field] = []
        for piece in parse(text):
            found = None if isinstance(piece, str) or piece.index is not None else split(piece.name, self._for_each.names)
            if isinstance(piece, str) or found is not None:
                pieces.append(piece)
                if found is not None:
                    self._used.add(found[0])
            elif piece.name.startswith("global."):
                pieces.append(super().fill_path(str(piece), what, key))
            else:
                raise _unknown_item(piece, what, key, self._for_each)
        return written(pieces)


def _unknown_item(field: Field, what: str, key: KeyPath, for_each: ForEach) -> FaultError:
    names = for_each.names
    known = [*names, *[f"{name}.{part}" for name in names for part in PARTS]]
    whose = "`for_each` has" if len(names) > len(for_each.wildcards) else "`outputs` have"
    hint = did_you_mean(field.name, known, "{{{}}}") or f"{whose} {', '.join(f'`{{{show(name)}}}`' for name in names[:5])}"
    return FaultError(f"unknown placeholder `{field}` in {what}", key, hint, str(field))


def _asked_of(names: Sequence[str], table: Mapping[str, Any]) -> tuple[str, ...]:
    """The placeholders in a stage's table that ask for something of items that other stages make: these may turn out to be tables."""
    if not names:
        return ()
    found = re.compile(rf"\{{((?:{'|'.join([re.escape(name) for name in names])})(?:\.[\w-]+)+)\}}")
    todo: list[object] = [value for key, value in table.items() if key not in ("for_each", "exclude")]
    asked: dict[str, None] = {}
    while todo:
        value = todo.pop()
        if isinstance(value, str):
            asked.update(dict.fromkeys(found.findall(value)))
        elif isinstance(value, dict | list):
            todo += value.values() if isinstance(value, dict) else value
    return tuple(sorted(asked))


def _names_of(axis: Axis) -> list[str]:
    return [axis.name] if axis.source else list(axis.rows[0]) if axis.rows else [axis.name]


class _ForEachReader:
    def __init__(self, stage: str, table: values.Globals) -> None:
        self._stage = stage
        self._globals = table
        self._where = f"`for_each` of stage `{show(stage)}`"
        self._key: KeyPath = ("stage", stage, "for_each")

    def read(self, table: Mapping[str, Any]) -> ForEach:
        if "for_each" not in table and "batch" in table:
            text = f"`batch` of stage `{show(self._stage)}` puts items of `for_each` together, which the stage has not"
            raise FaultError(text, ("stage", self._stage, "batch"))
        if "for_each" not in table:
            text = f"`exclude` of stage `{show(self._stage)}` leaves something out of `for_each`, which the stage has not"
            raise FaultError(text, ("stage", self._stage, "exclude"))
        raw = table["for_each"]
        if type(raw) is str:
            raw = self._referred(raw, self._where, self._key)
        if type(raw) is list:
            axes = [self._rows("", raw, self._where, self._key)]
        elif type(raw) is dict:
            axes = [self._axis(name, value) for name, value in raw.items()]
        else:
            raise wrong_kind(self._where, ("table", "strings"), raw, self._key, _FORMS)
        if not axes:
            raise FaultError(f"{self._where} is an empty table", self._key, _FORMS)
        names: list[str] = []
        for axis in axes:
            for name in _names_of(axis):
                if name in names:
                    raise FaultError(f"`{show(name)}` stands for two things in {self._where}", self._key)
                names.append(name)
        exclude = self._exclude(table["exclude"], axes) if "exclude" in table else ()
        asked = _asked_of([axis.name for axis in axes if axis.source and not is_glob(axis.source)], table)
        names += dict.fromkeys([".".join(text.split(".")[:2]) for text in asked if split(text, names) is None])
        return ForEach(tuple(axes), exclude, tuple(names), frozenset([axis.name for axis in axes if axis.source]), asked)

    def _exclude(self, raw: Any, axes: Sequence[Axis]) -> tuple[str, ...]:
        key: KeyPath = ("stage", self._stage, "exclude")
        found = values.strings(raw, f"`exclude` of stage `{show(self._stage)}`", key)
        if not any(is_glob(axis.source) for axis in axes):
            text = f"`exclude` of stage `{show(self._stage)}` leaves something out of what globs find, and `for_each` has none"
            raise FaultError(text, key)
        return tuple([self._globals.fill_path(text, f"`exclude` of stage `{show(self._stage)}`", key) for text in found])

    def _axis(self, name: str, raw: Any) -> Axis:
        key: KeyPath = (*self._key, name)
        what = f"`{show(name)}` in {self._where}"
        self._check_name(name, what, key)
        if type(raw) is str:
            if not raw.startswith("global."):
                return self._source(name, raw, what, key)
            raw = self._referred(raw, what, key)
        if type(raw) is list:
            if raw and type(raw[0]) is dict:
                return self._rows(name, raw, what, key)
            found = [self._scalar(value, what, (*key, at)) for at, value in enumerate(self._many(raw, what, key))]
            return Axis(name, "", tuple([{name: value} for value in found]), (name,))
        if type(raw) is dict:
            if list(raw) == ["range"]:
                return Axis(name, "", tuple([{name: number} for number in _range(raw["range"], what, (*key, "range"))]), (name,))
            return self._table(name, raw, what, key)
        raise wrong_kind(what, ("string", "strings", "table"), raw, key, _FORMS)

    def _check_name(self, name: str, what: str, key: KeyPath) -> None:
        if name in RESERVED:
            raise FaultError(f"{what} cannot be a name: placeholders use it already", key)
        if not _NAME.fullmatch(name):
            hint = "it begins with a letter and goes on with letters, digits, `_` and `-`"
            raise FaultError(f"{what} cannot be a name of a placeholder", key, hint)

    def _source(self, name: str, text: str, what: str, key: KeyPath) -> Axis:
        filled = self._globals.fill_path(text, what, key) if "{" in text or "}" in text else text
        if not filled or "\0" in filled:
            raise FaultError(f"{what} is {'a path with a NUL character' if filled else 'an empty path'}", key)
        if not is_glob(filled) and "." not in filled.strip("."):
            raise FaultError(f"{what} is `{show(filled)}`, neither a glob nor a reference", key, f'a list of one is `["{show(filled)}"]`')
        return Axis(name, filled, (), (name,))

    def _referred(self, text: str, what: str, key: KeyPath) -> Value:
        found = self._globals.get(text[7:]) if text.startswith("global.") else None
        if found is None:
            if not text.startswith("global."):
                text = f"{what} is `{show(text)}`, which gives no name to its items"
                raise FaultError(text, key, 'write `for_each = { item = "..." }`')
            raise FaultError(f"{what}: there is no `{show(text)}`", key, self._globals.hint(text[7:], "global.{}"), text)
        if not isinstance(found, list | dict):
            raise FaultError(f"{what}: `{show(text)}` is {kind_of(found)}, neither a list nor a table", key, needle=text)
        return found

    def _many(self, raw: list[Any], what: str, key: KeyPath) -> list[Any]:
        if len(raw) > MOST:
            raise FaultError(f"{what} has {len(raw)} items: {MOST} are the most", key)
        return raw

    def _scalar(self, value: Any, what: str, key: KeyPath) -> Value:
        if type(value) not in (str, int, float, bool):
            hint = "items are texts, numbers and booleans; or all of them are tables"
            raise FaultError(f"{what} holds {kind_of(value)} among its items", key, hint)
        values.check_value(value, key, what)
        found: Value = value
        return found

    def _rows(self, name: str, raw: list[Any], what: str, key: KeyPath) -> Axis:
        """A list of tables: the names of each."""
        prefix = f"{name}." if name else ""
        rows = []
        for index, row in enumerate(self._many(raw, what, key)):
            if type(row) is not dict or not row:
                kind = "an empty table" if type(row) is dict else kind_of(row)
                raise FaultError(f"{what} holds {kind} among its tables", (*key, index), _FORMS if not index else "")
            values.check_value(row, (*key, index), what)
            for column in row:
                self._check_name(column, f"`{show(column)}` in {what}", (*key, index, column))
            self._same_names(row, raw[0], what, (*key, index))
            rows.append({prefix + column: value for column, value in row.items()})
        return Axis(name, "", tuple(rows), self._naming(rows, what, key))

    def _table(self, name: str, raw: dict[str, Any], what: str, key: KeyPath) -> Axis:
        """A table: its keys, with what is in each."""
        rows: list[dict[str, Value]] = []
        first = next(iter(raw.values()), None)
        for index, (item, value) in enumerate(raw.items()):
            values.check_value(value, key, what)
            if type(value) is not type(first) and isinstance(first, dict) != isinstance(value, dict):
                raise FaultError(f"{what} holds {kind_of(value)} beside {kind_of(first)}", key)
            if isinstance(value, dict):
                self._same_names(value, first, f"`{show(item)}` of {what}" if index else what, key)
                rows.append({name: item, **{f"{name}.{column}": inner for column, inner in value.items()}})
            else:
                rows.append({name: item, f"{name}.value": value})
        return Axis(name, "", tuple(rows), (name,))

    def _same_names(self, row: Mapping[str, Any], first: Any, what: str, key: KeyPath) -> None:
        for column in first:
            if column not in row:
                raise FaultError(f"{what}: a table lacks `{show(column)}`, which the first one has", key)
        for column in row:
            if column not in first:
                raise FaultError(f"{what}: a table has `{show(column)}`, which the first one has not", key)

    def _naming(self, rows: Sequence[Mapping[str, Value]], what: str, key: KeyPath) -> tuple[str, ...]:
        found = [name for name in rows[0] if not any(isinstance(row[name], list | dict) for row in rows)] if rows else []
        if rows and not found:
            raise FaultError(f"{what} has no plain value by which instances could be called", key)
        return tuple(found)


def _escaped(value: Value) -> Value:
    if isinstance(value, str):
        return written([value])
    if isinstance(value, list):
        return [_escaped(inner) for inner in value]
    return {name: _escaped(inner) for name, inner in value.items()} if isinstance(value, dict) else value


def _range(raw: Any, what: str, key: KeyPath) -> range:
    if type(raw) is not list or not 2 <= len(raw) <= 3 or any(type(number) is not int for number in raw):
        raise FaultError(f"`range` of {what} must be two or three integers", key, "`[0, 10]` is 0 to 9, `[0, 10, 2]` every second one of these")
    if len(raw) == 3 and raw[2] == 0:
        raise FaultError(f"`range` of {what} has a step of 0", key)
    found = range(*raw)
    try:
        count = len(found)
    except OverflowError:
        count = MOST + 1
    if count > MOST or any(not -(1 << 63) <= number < 1 << 63 for number in raw):
        raise FaultError(f"`range` of {what} has more than {MOST} items", key)
    if not count:
        raise FaultError(f"`range` of {what} has no items", key, "it ends before its second number")
    return found
