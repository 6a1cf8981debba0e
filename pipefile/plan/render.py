"""What stands in place of the placeholders of a command."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from pipefile.base.errors import InputError
from pipefile.base.paths import show
from pipefile.model.graph import Edge, FileSet
from pipefile.model.stage import Field, Template, Value
from pipefile.plan.items import ItemError, item_text
from pipefile.plan.template import Lookup, quoted
from pipefile.plan.texts import as_argument, value_text

KEPT = frozenset(["outputs", "threads", "store", "depfile", "inputs.file", "outputs.file"])
"""Placeholders that the key sees as they are written: what they become changes no result."""

Kept = Callable[[Field], bool]
"""Whether the key sees a placeholder as it is written."""

SetPaths = Callable[[FileSet], tuple[str, ...]]

ValueText = Callable[[str, str, str, str], str]
"""Path, kind and entry of a value that another stage returns, and the folder of a command -> what stands for it in that."""


_LIKE_A_PLACEHOLDER = re.compile(r"(?<!\$)\{(?=[^\W\d][\w.-]*(?:\[[0-9]+\])?\}|\Z)")


def text_for_key(template: Template, lookup: Lookup, kept: Kept) -> str:
    """The text for a shell that the key covers: as it will be run, each value quoted, but with the placeholders that are *kept* as they are written.

    Quoting and doubled braces keep apart what runs differently: `{params.x}` with the value `$HOME`, and `$HOME`; `{store}`, and `{{store}}`.
    """
    parts = []
    for index, piece in enumerate(template):
        if isinstance(piece, str):
            parts.append(_doubled(piece))
        elif kept(piece):
            parts.append(str(piece))
        else:
            following = template[index + 1] if index + 1 < len(template) else ""
            parts.append(quoted(lookup(piece), following if isinstance(following, str) else ""))
    return "".join(parts)


def argv_for_key(argv: tuple[Template, ...], lookup: Lookup, kept: Kept) -> list[str]:
    """As `text_for_key`, for a list of arguments: nothing is quoted, a list is several arguments."""
    words: list[str] = []
    for template in argv:
        if len(template) == 1 and isinstance(template[0], Field) and not kept(template[0]):
            value = lookup(template[0])
            words += [_doubled(text) for text in ([value] if isinstance(value, str) else value)]
            continue
        text = ""
        for piece in template:
            if isinstance(piece, str):
                text += _doubled(piece)
            elif kept(piece):
                text += str(piece)
            else:
                value = lookup(piece)
                text += _doubled(value if isinstance(value, str) else "\x1f".join(value))
        words.append(text)
    return words


def _doubled(text: str) -> str:
    """Text whose braces cannot be taken for those of a placeholder."""
    return _LIKE_A_PLACEHOLDER.sub("{{", text) if "{" in text else text


def input_values(field: Field, edge: Edge, set_paths: SetPaths, text_of: ValueText) -> str | list[str]:
    """What an input, `{inputs}` or `{params.k}` becomes in a command. (`{global.k}` is filled in when the Pipefile is loaded.)

    Args:
        field: The placeholder.
        edge: Whose command it is.
        set_paths: The files of a set.
        text_of: What stands for a value of another stage.

    Returns:
        One text for a single file or value, a list for several files.

    Raises:
        KeyError: Nothing of that name; the loader checks names, so this is a bug.
        InputError: `{name[i]}` asks for more than there are.
    """
    if edge.stage.item:
        try:
            text = item_text(field, edge.stage)
        except ItemError as error:
            raise InputError(f"`run` of `{show(edge.name)}`: {error}") from error
        if text is not None:
            return text
    if field.name.startswith("params."):
        return _at(field, value_text(_param(edge.stage.params, field.name[7:])), edge)
    wanted, folder = None if field.name == "inputs" else field.name, edge.stage.folder
    values: list[str] = []
    many = wanted is None
    known = wanted is None
    for need in edge.needs:
        if wanted is not None and need.name != wanted:
            continue
        known = True
        many = many or need.many
        if need.files is None:
            text = value_text(need.value)
            values += [text] if isinstance(text, str) else text
            many = many or not isinstance(text, str)
        elif need.files.value:
            files = need.files
            there = frozenset(set_paths(files))
            pairs = [(path, kind) for path, kind in zip(files.paths, files.kinds, strict=True) if path in there]
            values += [text_of(path, kind, files.entry, folder) if kind else as_argument(path, folder) for path, kind in pairs]
        elif folder:
            values += [as_argument(path, folder) for path in set_paths(need.files)]
        else:
            values += [as_argument(path) for path in set_paths(need.files)]
    if not known:
        raise KeyError(field.name)
    if field.index is not None:
        return _at(field, values, edge)
    return values if many or len(values) != 1 else values[0]


def _at(field: Field, values: str | list[str], edge: Edge) -> str | list[str]:
    """One of several values, where a placeholder asks for one."""
    if field.index is None:
        return values
    several = [values] if isinstance(values, str) else values
    if field.index >= len(several):
        count = "nothing" if not several else "1 value" if len(several) == 1 else f"{len(several)} values"
        raise InputError(f"`{field}` in `run` of stage `{show(edge.stage.name)}` asks for more than there is: {count}")
    return several[field.index]


def _param(params: Mapping[str, Value], name: str) -> Value:
    if name in params:
        return params[name]
    value: Value = dict(params)
    for part in name.split("."):
        if not isinstance(value, dict) or part not in value:
            raise KeyError(name)
        value = value[part]
    return value


def has_keys(table: Mapping[object, object], most: int = 10) -> str:
    """What keys a table has, for a message about one that it has not."""
    keys = [f"`{show(str(key))}`" for key in table]
    listed = ", ".join(keys[:most]) + (f" and {len(keys) - most} more" if len(keys) > most else "")
    return f"it has {listed}" if keys else "it is empty"
