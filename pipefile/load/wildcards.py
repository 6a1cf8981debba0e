"""Wildcards: names in `outputs` that nothing defines, and `where`, which narrows them."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

from pipefile.base.dataclass import replace
from pipefile.base.locations import KeyPath
from pipefile.base.paths import show
from pipefile.load.faults import FaultError, did_you_mean, wrong_kind
from pipefile.load.templates import RESERVED
from pipefile.load.value_outputs import PREFIX
from pipefile.load.values import Globals
from pipefile.model.stage import Axis, Field, ForEach, Stage
from pipefile.plan.ambiguous import endless
from pipefile.plan.items import PARTS
from pipefile.plan.template import fields, parse
from pipefile.plan.wildcards import ONE_NAME


def wildcards(table: Mapping[str, Any], known: Globals) -> tuple[str, ...]:
    """The wildcards of a stage, in order: names in its outputs that are no placeholders of anything else.

    Beside `for_each` a slip in one of its names would be one too, so there `where` has to name them.

    Args:
        table: `[stage.NAME]`; types of values within are not checked yet.
        known: `[global]`.
    """
    defined = {*RESERVED, *_names(table.get("inputs")), *_names(table.get("outputs")), *_names(table.get("for_each"))}
    named = table.get("where", {}) if "for_each" in table else None
    found: dict[str, None] = {}
    for text in _texts(table.get("outputs")):
        if "{" in text and not text.startswith(PREFIX):
            for field in fields(parse(text)):
                name = field.name
                free = field.index is None and "." not in name and name not in defined and known.get(name) is None
                if free and (named is None or name in named):
                    found[name] = None
    return tuple(found)


def check_whole(stage: str, table: Mapping[str, Any], known: Globals) -> None:
    """See that outputs of a stage without wildcards hold no part of one: else whatever else has its name would be at fault.

    Raises:
        FaultError: One does.
    """
    defined = {*RESERVED, *_names(table.get("inputs")), *_names(table.get("outputs")), "global", "params", "env"}
    raw = table.get("outputs")
    for text, key in zip(_texts(raw), _keys(("stage", stage, "outputs"), raw), strict=False):
        for field in fields(parse(text)) if "{" in text and not text.startswith(PREFIX) else ():
            name, _, part = field.name.partition(".")
            if field.index is None and part.split(".")[0] in PARTS and name not in defined and known.get(field.name) is None:
                raise _part(field, text, stage, key)


def _part(field: Field, output: str, stage: str, key: KeyPath) -> FaultError:
    text = f"`{field}` in output `{show(output)}` of stage `{show(stage)}` is a part of a wildcard"
    return FaultError(text, key, f"outputs hold it whole: `{{{field.name.partition('.')[0]}}}`", str(field))


def _names(raw: object) -> Iterator[str]:
    if isinstance(raw, dict):
        yield from raw
    elif isinstance(raw, list):  # of `for_each`: rows
        yield from raw[0] if raw and isinstance(raw[0], dict) else ()


def _texts(raw: object) -> Iterator[str]:
    """The strings in `outputs`, however they are written."""
    if isinstance(raw, str):
        yield raw
    elif isinstance(raw, list):
        for inner in raw:
            yield from _texts(inner.get("path") if isinstance(inner, dict) else inner)
    elif isinstance(raw, dict):
        for value in raw.values():
            yield from _texts(value.get("path") if isinstance(value, dict) else value)


def with_wildcards(for_each: ForEach, stage: str, where: Mapping[str, Any], names: tuple[str, ...]) -> ForEach:
    """What a pattern rule goes through: items, if it has any, and its wildcards.

    Args:
        for_each: The items.
        stage: Name of the stage.
        where: `where`, unchecked.
        names: The wildcards.

    Raises:
        FaultError: Something in `where` is wrong.
    """
    key: KeyPath = ("stage", stage, "where")
    if not names:
        hint = "a wildcard is a name in `outputs` that nothing defines: `build/{name}.o`"
        raise FaultError(f"`where` of stage `{show(stage)}` narrows wildcards, and its outputs have none", key, hint)
    for name, text in where.items():
        if name not in names:
            hint = did_you_mean(name, names) or f"its outputs have {', '.join([f'`{{{show(each)}}}`' for each in names])}"
            raise FaultError(f"`{show(name)}` in `where` of stage `{show(stage)}` is no wildcard", (*key, name), hint)
        _check(text, f"`{show(name)}` in `where` of stage `{show(stage)}`", (*key, name))
    narrowed = tuple([(name, where.get(name, ONE_NAME)) for name in names])
    try:
        re.compile("".join([f"(?:{text})" for _, text in narrowed]))
    except re.error as error:
        raise FaultError(f"`where` of stage `{show(stage)}`: {show(error.msg)}", key) from None
    axes = tuple([Axis(name, naming=(name,)) for name in names])
    return replace(for_each, axes=(*for_each.axes, *axes), names=(*for_each.names, *names), wildcards=narrowed)


def _check(text: Any, what: str, key: KeyPath) -> None:
    if type(text) is not str:
        raise wrong_kind(what, ("string",), text, key)
    if not text:
        raise FaultError(f"{what} must not be empty", key, "`.*` matches anything, also nothing")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # what Python will read otherwise some day
            groups = re.compile(text).groups
            re.compile(f"(?:{text})")
    except (re.error, RecursionError, OverflowError, Warning) as error:
        raise FaultError(f"{what} is no regular expression: {show(str(error))}", key, needle=text) from None
    if endless(text):
        raise FaultError(f"{what} may take for ever: it reads the same text in very many ways", key, "`([a-z]+)+` is as well `[a-z]+`", text)
    if groups and re.search(r"\\[1-9]|\(\?\([1-9]", text):
        raise FaultError(f"{what} refers to a group by its number", key, "give it a name: `(?P<a>...)` and `(?P=a)`", text)
    for name in re.compile(text).groupindex:
        if re.fullmatch(r"w[0-9]+", name):
            raise FaultError(f"{what} has a group called `{name}`, a name that pipefile uses itself", key, needle=text)


def check_pattern(stage: Stage, raw: Any) -> None:
    """See that each output of a pattern rule tells all of its wildcards, and that its instances do not share a depfile.

    Args:
        stage: The rule.
        raw: `outputs`, as written.

    Raises:
        FaultError: One does not.
    """
    assert stage.for_each is not None
    names = [name for name, _ in stage.for_each.wildcards]
    if all(output.value for output in stage.results):
        raise FaultError(f"stage `{show(stage.name)}` has wildcards, and no file that something could ask for", ("stage", stage.name, "outputs"))
    for output, key in zip(stage.outputs, _keys(("stage", stage.name, "outputs"), raw), strict=True):
        if output.value:
            continue
        held = fields(parse(output.path))
        for field in held:
            if field.name not in names and field.name.partition(".")[0] in names:
                raise _part(field, output.path, stage.name, key)
        lacking = next((name for name in names if Field(name) not in held), None)
        if lacking is not None:
            text = f"output `{show(output.path)}` of stage `{show(stage.name)}` lacks `{{{show(lacking)}}}`"
            raise FaultError(text, key, "each output of a pattern rule holds all of its wildcards")
    if stage.depfile and not any(field.name.partition(".")[0] in names for field in fields(parse(stage.depfile))):
        text = f"`depfile` of stage `{show(stage.name)}` is one file for all that the stage makes"
        raise FaultError(text, ("stage", stage.name, "depfile"), f"it needs `{{{show(names[0])}}}` in it")


def _keys(key: KeyPath, raw: Any) -> Iterator[KeyPath]:
    """Where each output stands, in their order."""
    for name, value in raw.items() if isinstance(raw, dict) else enumerate(raw) if isinstance(raw, list) else ():
        if isinstance(value, list):
            yield from [(*key, name, index) for index in range(len(value))]
        else:
            yield (*key, name)
    if isinstance(raw, str):
        yield key
