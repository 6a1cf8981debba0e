"""Instances of a stage with `for_each`: its placeholders of items filled in. What all of them share is made once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pipefile.base.dataclass import constructor
from pipefile.base.names import file_name
from pipefile.base.paths import folder_of, name_of, show
from pipefile.model.stage import Field, ForEach, InputGroup, InputItem, Output, Stage, Value
from pipefile.plan.items import Getter, ItemError, getter, split
from pipefile.plan.outputs import PLAIN, PLAIN_NAME, BadOutputError, check_own_place, output_path
from pipefile.plan.patterns import escape, is_glob
from pipefile.plan.template import parse
from pipefile.plan.texts import value_text

Item = Mapping[str, Value]
Text = Callable[[Item], str]

MANY = 1_000
"""Instances of one stage from which on it pays to compile what makes them."""


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
        many: There will be a great number of them.
    """

    def __init__(
        self, stage: Stage, root: str, taken: frozenset[str], store: str, outside: tuple[str, ...], many: bool = False
    ) -> None:
        assert stage.for_each is not None
        self._stage = stage
        self._for_each: ForEach = stage.for_each
        self._root = root
        self._taken = taken
        self._store = store
        self._store_below = store + "/"
        self._outside = outside
        self._many = many
        self._folders: dict[str, bool] = {}
        names = stage.for_each.names
        self._paths = stage.for_each.paths.union([name for name, _ in stage.for_each.wildcards])
        self._inputs = [self._group(group) for group in stage.inputs]
        self._outputs = [self._value_of(output) if output.value else self._file_of(output) for output in stage.outputs]
        self._params = {name: filled for name, value in stage.params.items() if (filled := _value(value, names)) is not None}
        self._env = {name: self._text(text, "env") for name, text in stage.env.items() if text is not None and _has_braces(text)}
        self._depfile = self._text(stage.depfile, "depfile") if _has_braces(stage.depfile) else None
        self._metrics = [stage.outputs.index(output) for path in stage.metrics for output in stage.outputs if output.path == path]
        given = {"params": self._params, "env": self._env, "depfile": self._depfile, "metrics": self._metrics}
        fields: tuple[str, ...] = Stage.__match_args__
        self._own = [name for name in fields if name in ("inputs", "outputs", "item") or given.get(name)]
        self._shared: dict[str, object] = {name: getattr(stage, name) for name in fields if name not in self._own}
        self._new: Callable[..., Stage] = constructor(Stage, self._shared) if many else self._plainly

    def of(self, item: Item, name: str) -> Stage:
        """The instance for one item.

        Args:
            item: Names and values.
            name: What the instance is called.

        Raises:
            BadInstanceError: Its outputs cannot lie where they would.
        """
        stage = self._stage
        try:
            inputs = tuple([fill(item) for fill in self._inputs])
            outputs = tuple([make(item, name) for make in self._outputs])
            if len(self._own) == 3:
                return self._new(inputs, outputs, item)
            given: list[object] = [inputs, outputs]
            if self._params:
                given.append({**stage.params, **{param: fill(item) for param, fill in self._params.items()}})
            if self._env:
                given.append({**stage.env, **{variable: fill(item) for variable, fill in self._env.items()}})
            if self._depfile is not None:
                given.append(self._place(self._depfile(item), "`depfile`", "depfile")[0])
        except ItemError as error:
            raise BadInstanceError(str(error), "for_each") from None
        if self._metrics:
            given.append(tuple([outputs[index].path for index in self._metrics]))
        return self._new(*given, item)

    def _plainly(self, *own: object) -> Stage:
        return Stage(**self._shared, **dict(zip(self._own, own, strict=True)))  # type: ignore[arg-type]  # names and values of its fields

    # -- inputs

    def _group(self, group: InputGroup) -> Callable[[Item], InputGroup]:
        if not any(_has_braces(item.text) for item in group.items):
            return lambda _: group
        name, many = group.name, group.many
        fills = [self._input(item) for item in group.items]
        if len(fills) == 1:
            only = fills[0]
            return lambda item: InputGroup(name, (only(item),), many)
        return lambda item: InputGroup(name, tuple([fill(item) for fill in fills]), many)

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
        if self._many:
            new = constructor(InputItem, {"optional": optional, "exact": exact})
            return lambda values: new(_whole(fill(values), "inputs"))
        return lambda values: InputItem(_whole(fill(values), "inputs"), optional, exact)

    # -- outputs

    def _text(self, text: str, key: str) -> Text:
        return _filler(parse(text), self._for_each.names, key)

    def _made(self, output: Output) -> Callable[[str], Output]:
        """What makes an output of an instance, as it is declared but for its path."""
        if self._many:
            return constructor(Output, {name: getattr(output, name) for name in Output.__match_args__ if name != "path"})
        return lambda path: _at(output, path, output.directory)

    def _value_of(self, output: Output) -> Callable[[Item, str], Output]:
        """What makes an output that is a value: it lies in a folder of its instance."""
        folder, last = folder_of(folder_of(output.path)), name_of(output.path)
        return lambda _, name: _at(output, f"{folder}/{file_name(name)}/{last}", False)

    def _file_of(self, output: Output) -> Callable[[Item, str], Output]:
        text, made = self._text(output.path, "outputs"), self._made(output)
        good, is_plain, taken = self._folders, PLAIN_NAME.fullmatch, self._taken.union([self._store])
        directory = output.directory

        def output_of(item: Item, _: str) -> Output:
            path = text(item)
            cut = path.rfind("/") + 1
            folder = path[:cut]
            if not directory and (good[folder] if folder in good else self._is_good(folder)) and is_plain(path[cut:]) and path not in taken:
                return made(path)
            return self._checked(output, path)

        return output_of

    def _checked(self, output: Output, text: str) -> Output:
        if PLAIN.fullmatch(text) and text[-1] != "/" and text not in self._taken and not text.startswith(self._store_below):
            path, directory = text, output.directory
        else:
            path, directory = self._place(text, f"output `{show(text)}`" if text else "an output", "outputs")
            directory = directory or output.directory
        if path == self._store or (directory and self._store_below.startswith(path + "/")):
            self._place(path, f"output `{show(path)}`", "outputs")
        return _at(output, path, directory)

    def _is_good(self, folder: str) -> bool:
        """Whether a folder, with its slash, is one that any output may lie in: a plain path, and not in the store. "" is the root."""
        good = self._folders[folder] = not folder or (PLAIN.fullmatch(folder) is not None and not folder.startswith(self._store_below))
        return good

    def _place(self, text: str, what: str, key: str) -> tuple[str, bool]:
        try:
            path, directory = output_path(text, "", self._root, self._outside)
            check_own_place(path, directory, self._stage.file, self._taken, self._store)
        except BadOutputError as error:
            raise BadInstanceError(f"{what} {error.why}", key, error.hint) from None
        return path, directory


def _at(output: Output, path: str, directory: bool) -> Output:
    """An output as it is declared, at its path."""
    return Output(
        output.name, path, directory, output.in_place, output.many, output.value, output.cache,
        output.temp, output.checkpoint, output.optional, output.atomic,
    )  # fmt: skip


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
    gets = [(getter(piece, names), piece) for piece in pieces if isinstance(piece, Field)]
    form = "".join([piece.replace("%", "%%") if isinstance(piece, str) else "%s" for piece in pieces])

    def fill(item: Item) -> str:
        texts = [value if type(value := get(item)) is str else _as_text(value, piece, key) for get, piece in gets]
        if change is not None:
            texts = [change(text) for text in texts]
        return form % tuple(texts)

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
