"""Instances of a stage with `for_each`: its placeholders of items filled in. What all of them share is made once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pipefile.base.names import file_name
from pipefile.base.paths import folder_of, name_of, show
from pipefile.model.stage import Field, ForEach, InputGroup, InputItem, Output, Stage, Value
from pipefile.plan.items import Getter, ItemError, getter, split
from pipefile.plan.outputs import PLAIN, BadOutputError, check_own_place, output_path
from pipefile.plan.patterns import escape, is_glob
from pipefile.plan.template import parse
from pipefile.plan.texts import value_text

Item = Mapping[str, Value]
Text = Callable[[Item], str]


class BadInstanceError(ValueError):
    """An item that makes no good instance.

    Args:
        why: What is wrong.
        key: Which key of the stage's table it is about.
        hint: As in PipefileError.
    """

    def __init__(self, why: str, key: str, hint: str = "") -> None:
        super().__init__(why)
        self.why = why
        self.key = key
        self.hint = hint


class Instances:
    """Makes the instances of one stage.

    Args:
        stage: The stage, with `for_each`.
        root: Absolute path of the project root.
        taken: The Pipefiles, from the root: no output can lie there.
        store: The store's folder.
        outside: Folders outside of the project where outputs may lie.
    """

    def __init__(self, stage: Stage, root: str, taken: frozenset[str], store: str, outside: tuple[str, ...]) -> None:
        assert stage.for_each is not None
        self._stage = stage
        self._for_each: ForEach = stage.for_each
        self._root = root
        self._taken = taken
        self._store = store
        self._store_below = store + "/"
        self._outside = outside
        names = stage.for_each.names
        self._paths = stage.for_each.paths.union([name for name, _ in stage.for_each.wildcards])
        self._shared = {name: getattr(stage, name) for name in stage.__match_args__}
        self._inputs = [(group.name, group.many, [self._input(item) for item in group.items]) for group in stage.inputs]
        self._outputs = [(output, None if output.value else self._text(output.path, "outputs")) for output in stage.outputs]
        self._params = {name: filled for name, value in stage.params.items() if (filled := _value(value, names)) is not None}
        self._env = {name: self._text(text, "env") for name, text in stage.env.items() if text is not None and _has_braces(text)}
        self._depfile = self._text(stage.depfile, "depfile") if _has_braces(stage.depfile) else None
        self._metrics = [stage.outputs.index(output) for path in stage.metrics for output in stage.outputs if output.path == path]

    def of(self, item: Item, name: str) -> Stage:
        """The instance for one item.

        Args:
            item: Names and values.
            name: What the instance is called.

        Raises:
            BadInstanceError: Its outputs cannot lie where they would.
        """
        stage = self._stage
        given = self._shared
        given["item"] = item
        try:
            given["inputs"] = tuple([InputGroup(each, tuple([fill(item) for fill in fills]), many) for each, many, fills in self._inputs])
            given["outputs"] = outputs = tuple([self._output(output, text, item, name) for output, text in self._outputs])
            if self._params:
                given["params"] = {**stage.params, **{param: fill(item) for param, fill in self._params.items()}}
            if self._env:
                given["env"] = {**stage.env, **{variable: fill(item) for variable, fill in self._env.items()}}
            if self._depfile is not None:
                given["depfile"] = self._place(self._depfile(item), "`depfile`", "depfile")[0]
        except ItemError as error:
            raise BadInstanceError(str(error), "for_each") from None
        if self._metrics:
            given["metrics"] = tuple([outputs[index].path for index in self._metrics])
        return Stage(**given)

    # -- inputs

    def _input(self, item: InputItem) -> Callable[[Item], InputItem]:
        text, optional = item.text, item.optional
        if not _has_braces(text):
            return lambda _: item
        pieces = parse(text)
        literal = "".join([piece for piece in pieces if isinstance(piece, str)])
        names = self._for_each.names
        of_path = any(found[0] in self._paths for piece in pieces if isinstance(piece, Field) and (found := split(piece.name, names)))
        glob = is_glob(literal)
        escaped = glob or (len(pieces) > 1 and not of_path)  # what an item brings along is no pattern
        fill = _filler(pieces, names, "inputs", escape if escaped else None)
        exact = of_path and not glob
        return lambda values: InputItem(_whole(fill(values), "inputs"), optional, exact)

    # -- outputs

    def _text(self, text: str, key: str) -> Text:
        return _filler(parse(text), self._for_each.names, key)

    def _output(self, output: Output, text: Text | None, item: Item, name: str) -> Output:
        if text is None:  # a value, which lies in a folder of its instance
            folder = folder_of(folder_of(output.path))
            path, directory = f"{folder}/{file_name(name)}/{name_of(output.path)}", False
        else:
            filled = text(item)
            if PLAIN.fullmatch(filled) and filled[-1] != "/" and filled not in self._taken and not filled.startswith(self._store_below):
                path, directory = filled, output.directory
            else:
                path, directory = self._place(filled, f"output `{show(filled)}`" if filled else "an output", "outputs")
                directory = directory or output.directory
        if path == self._store or (directory and self._store_below.startswith(path + "/")):
            self._place(path, f"output `{show(path)}`", "outputs")
        return Output(
            output.name, path, directory, output.in_place, output.many, output.value, output.cache,
            output.temp, output.checkpoint, output.optional, output.atomic,
        )  # fmt: skip

    def _place(self, text: str, what: str, key: str) -> tuple[str, bool]:
        try:
            path, directory = output_path(text, "", self._root, self._outside)
            check_own_place(path, directory, self._stage.file, self._taken, self._store)
        except BadOutputError as error:
            raise BadInstanceError(f"{what} {error.why}", key, error.hint) from None
        return path, directory


def _has_braces(text: str) -> bool:
    return "{" in text or "}" in text


def _whole(text: str, key: str) -> str:
    if not text or "\0" in text:
        raise BadInstanceError("a path with a NUL character" if text else "an empty path", key)
    return text


def _filler(pieces: tuple[str | Field, ...], names: tuple[str, ...], key: str, change: Callable[[str], str] | None = None) -> Text:
    """What fills in the placeholders of a text.

    Args:
        pieces: The text.
        names: Those of items.
        key: The key of the stage's table that it stands under, for messages.
        change: What is made of each value.
    """
    if len(pieces) == 1 and isinstance(pieces[0], Field) and change is None:
        only, field = getter(pieces[0], names), pieces[0]
        return lambda item: value if type(value := only(item)) is str else _as_text(value, field, key)
    parts = [(piece, None) if isinstance(piece, str) else (piece, getter(piece, names)) for piece in pieces]

    def fill(item: Item) -> str:
        texts = []
        for piece, get in parts:
            if get is None:
                texts.append(piece)
                continue
            value = get(item)
            text = value if type(value) is str else _as_text(value, piece, key)  # type: ignore[arg-type]  # a field
            texts.append(change(text) if change is not None else text)
        return "".join(texts)  # type: ignore[arg-type]  # texts

    return fill


def _as_text(value: Value, field: Field, key: str) -> str:
    text = value_text(value)
    if isinstance(text, list) or isinstance(value, dict):
        raise BadInstanceError(f"`{field}` is a list or a table, which cannot be part of a text", key)
    return text


def _value(value: Value, names: tuple[str, ...]) -> Getter | None:
    """What fills in a param; None for one without placeholders and doubled braces. One that is nothing but a placeholder has the item's own type."""
    if isinstance(value, str):
        if not _has_braces(value):
            return None
        pieces = parse(value)
        return getter(pieces[0], names) if len(pieces) == 1 and isinstance(pieces[0], Field) else _filler(pieces, names, "params")
    if isinstance(value, list):
        fills: list[Any] = [(inner, _value(inner, names)) for inner in value]
        if all(fill is None for _, fill in fills):
            return None
        return lambda item: [inner if fill is None else fill(item) for inner, fill in fills]
    if isinstance(value, dict):
        filled: list[Any] = [(name, inner, _value(inner, names)) for name, inner in value.items()]
        if all(fill is None for _, _, fill in filled):
            return None
        return lambda item: {name: inner if fill is None else fill(item) for name, inner, fill in filled}
    return None
