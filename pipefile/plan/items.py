"""Items of `for_each`: what their placeholders stand for, and what instances are called.

`{photo}` is the item's value, `{photo.name}`, `{photo.stem}`, `{photo.suffix}` and `{photo.parent}` are parts of a text that is a path; they can
follow each other: `{photo.parent.name}`.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping

from pipefile.base.paths import show
from pipefile.model.stage import Field, ForEach, Stage, Value
from pipefile.plan.texts import as_argument, value_text

Getter = Callable[[Mapping[str, Value]], Value]
"""Item -> what a placeholder stands for."""


class ItemError(ValueError):
    """An item does not fit where a placeholder stands; the text says why."""


def _name(path: str) -> str:
    return path.rstrip("/").rpartition("/")[2]


def _stem(path: str) -> str:
    name = _name(path)
    cut = name.rfind(".")
    return name[:cut] if 0 < cut < len(name) - 1 else name


def _suffix(path: str) -> str:
    name = _name(path)
    cut = name.rfind(".")
    return name[cut:] if 0 < cut < len(name) - 1 else ""


def _parent(path: str) -> str:
    folder = path.rstrip("/").rpartition("/")
    return folder[0] or ("/" if folder[1] else ".")


PARTS: Mapping[str, Callable[[str], str]] = {"name": _name, "stem": _stem, "suffix": _suffix, "parent": _parent}
"""Parts of a path, as `pathlib` has them."""


def split(name: str, names: Container[str]) -> tuple[str, tuple[str, ...]] | None:
    """A placeholder's name as the name of an item and the parts that are asked of it; None if it is no item's.

    Args:
        name: All between the braces.
        names: Those of items, as ForEach.names.
    """
    if name in names:
        return name, ()
    base, parts = name, []
    while "." in base:
        base, _, part = base.rpartition(".")
        if part not in PARTS:
            return None
        parts.append(part)
        if base in names:
            return base, tuple(reversed(parts))
    return None


def getter(field: Field, names: Container[str]) -> Getter:
    """What gives the value of a placeholder.

    Raises:
        KeyError: It is no item's; whoever reads the Pipefile has looked, so this is a bug.
    """
    found = split(field.name, names)
    if found is None or field.index is not None:
        raise KeyError(field.name)
    base, parts = found
    if not parts:
        return lambda item: item[base]
    if len(parts) == 1:
        only = PARTS[parts[0]]

        def part_of(item: Mapping[str, Value]) -> Value:
            value = item[base]
            return only(value) if type(value) is str else _no_path(field, value)

        return part_of

    if len(parts) == 2:
        first, second = PARTS[parts[0]], PARTS[parts[1]]

        def part_of_part(item: Mapping[str, Value]) -> Value:
            value = item[base]
            return second(first(value if type(value) is str else _no_path(field, value)))

        return part_of_part

    def parts_of(item: Mapping[str, Value]) -> Value:
        value = item[base]
        if type(value) is not str:
            _no_path(field, value)
        for part in parts:
            value = PARTS[part](value)  # type: ignore[arg-type]  # a text
        return value

    return parts_of


def _no_path(field: Field, value: Value) -> str:
    text = value_text(value)
    raise ItemError(f"`{field}` asks for part of a path, but the item is `{show(text if isinstance(text, str) else ' '.join(text))}`")


def item_text(field: Field, stage: Stage) -> str | list[str] | None:
    """What a placeholder of an instance becomes in its command; None if it is no item's.

    Raises:
        ItemError: It asks for part of a path where there is none.
    """
    for_each = stage.for_each
    if for_each is None:
        return None
    found = split(field.name, for_each.names)
    if found is None:
        return None
    text = value_text(getter(field, for_each.names)(stage.item))
    return as_argument(text) if found[0] in for_each.paths and isinstance(text, str) else text


def instance_name(stage: str, for_each: ForEach, item: Mapping[str, Value]) -> str:
    """What an instance is called: `thumbs@photos/a.jpg`, or, where several names tell instances apart, `train@lr=0.1,seed=2`."""
    return namer(stage, for_each)(item)


def namer(stage: str, for_each: ForEach) -> Callable[[Mapping[str, Value]], str]:
    """As `instance_name`, of any number of items."""
    naming = [name for axis in for_each.axes for name in axis.naming]
    if len(naming) == 1:
        only, lead = naming[0], f"{stage}@"
        return lambda item: lead + (value if type(value := item[only]) is str else _plain(value))
    return lambda item: f"{stage}@{','.join([f'{name}={_plain(item[name])}' for name in naming])}"


def _plain(value: Value) -> str:
    if type(value) is str:
        return value
    text = value_text(value)
    return text if isinstance(text, str) else " ".join(text)
