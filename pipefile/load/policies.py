"""What a stage says of its failures and of whether it runs at all: `retry_policy`, `fallback`, `should_run`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from pipefile.base.dataclass import replace
from pipefile.base.locations import KeyPath
from pipefile.base.paths import join, show
from pipefile.load import values
from pipefile.load.faults import FaultError, did_you_mean, kind_of
from pipefile.load.schema import CONDITION, RETRY, STAGE
from pipefile.model.ports import Disk
from pipefile.model.stage import Audit, Call, Command, Condition, Retry, Stage
from pipefile.plan.conditions import READABLE, value_of

if TYPE_CHECKING:
    from pipefile.load.stages import StageReader

_CLASS = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*")
_FUNCTION = re.compile(r"[^\W\d]\w*")
_SIGNAL = re.compile(r"SIG[A-Z]+[0-9]*")
_LARGEST_SOURCE = 4 << 20
_USUAL = Retry()
_CAUSES = 'names of exception classes, exit statuses from 1 to 255, "timeout" and "signal"'
_CONDITIONS = 'a condition is `"global.KEY"`, `"STAGE.VALUE"`, `{ env = "CI" }`, `{ exists = "path" }`, true or false'
_MEANINGLESS = ("fallback", "should_run", "always", "depfile")


# --- retry_policy


def retry(raw: dict[str, Any], stage: str) -> Retry:
    """`retry_policy` of a stage.

    Raises:
        FaultError: Something in it is wrong.
    """
    key: KeyPath = ("stage", stage, "retry_policy")
    where = f"`retry_policy` of stage `{show(stage)}`"
    values.check_keys(raw, RETRY, where, key)
    if "max_attempts" not in raw:
        raise FaultError(f"{where} has no `max_attempts`", key, "`max_attempts = 3` runs the stage up to three times")
    given = {name: values.duration(raw[name], f"`{name}` in {where}", (*key, name)) for name in ("delay", "max_delay") if name in raw}
    delay = given.get("delay", _USUAL.delay)
    most = given.get("max_delay", max(delay, _USUAL.max_delay))
    if delay > most:
        raise FaultError(f"`delay` in {where} is longer than `max_delay`", (*key, "delay"))
    return Retry(
        max_attempts=raw["max_attempts"],
        backoff=raw.get("backoff", _USUAL.backoff),
        delay=delay,
        max_delay=most,
        jitter=raw.get("jitter", False),
        retry_on=_causes(raw["retry_on"], f"`retry_on` in {where}", (*key, "retry_on")) if "retry_on" in raw else None,
    )


def _causes(raw: list[Any], what: str, key: KeyPath) -> tuple[str | int, ...]:
    for index, cause in enumerate(raw):
        at = (*key, index)
        if type(cause) is int:
            if not 1 <= cause <= 255:
                raise FaultError(f"{what} holds {cause}, which no failed command has as its exit status", at, f"it takes {_CAUSES}")
        elif type(cause) is not str:
            raise FaultError(f"{what} holds {kind_of(cause)}", at, f"it takes {_CAUSES}")
        elif _SIGNAL.fullmatch(cause):
            raise FaultError(f"{what} holds `{cause}`, a single signal", at, '`"signal"` stands for all of them')
        elif not _CLASS.fullmatch(cause):
            raise FaultError(f"{what} holds `{show(cause)}`, which is no name of a class", at, f"it takes {_CAUSES}")
    return tuple(raw)


# --- cache


def cache(raw: str | bool, stage: str) -> bool | None:
    """`cache` of a stage; None for "auto".

    Raises:
        FaultError: It is another text.
    """
    if isinstance(raw, bool):
        return raw
    if raw != "auto":
        text = f"`cache` of stage `{show(stage)}` must be `\"auto\"`, `true` or `false`, not `{show(raw)}`"
        raise FaultError(text, ("stage", stage, "cache"))
    return None


# --- audit


def audit(raw: str, stage: str) -> Audit:
    """`audit` of a stage.

    Raises:
        FaultError: It is another text.
    """
    values.check_bounds("audit", raw, STAGE["audit"], f"stage `{show(stage)}`", ("stage", stage, "audit"))
    return cast("Audit", raw)


# --- should_run


def condition(raw: str | bool | dict[str, Any], stage: str, table: values.Globals, root: str, folder: str) -> Condition:
    """`should_run` of a stage. Whether a value of another stage is there, `checked` finds out.

    Raises:
        FaultError: It is no condition.
    """
    key: KeyPath = ("stage", stage, "should_run")
    what = f"`should_run` of stage `{show(stage)}`"
    if isinstance(raw, bool):
        return Condition("value", "", raw)
    if isinstance(raw, str):
        if raw.startswith("global."):
            found = table.get(raw[7:])
            if found is None:
                raise FaultError(f"{what}: there is no `{show(raw)}`", key, table.hint(raw[7:], "global.{}"), raw)
            return Condition("value", raw, found)
        if "." not in raw.strip("."):
            raise FaultError(f"{what} is `{show(raw)}`, which is no condition", key, _CONDITIONS)
        return Condition("output", raw)
    values.check_keys(raw, CONDITION, what, key)
    if len(raw) != 1:
        raise FaultError(f"{what} must hold either `env` or `exists`" + (", not both" if raw else ""), key, _CONDITIONS)
    ((kind, text),) = raw.items()
    if kind == "env":
        if "=" in text or "\0" in text:
            raise FaultError(f"`{show(text)}` in {what} is no name of a variable", (*key, kind))
        return Condition("env", text)
    return Condition("exists", _place(text, what, (*key, kind), table, root, folder))


def _place(text: str, what: str, key: KeyPath, table: values.Globals, root: str, folder: str) -> str:
    """A path that is only asked for, so it may lie anywhere; from the root where it lies in the project."""
    if "{" in text or "}" in text:
        text = table.fill_path(text, what, key)
    return values.anywhere(text, root, folder, f"`exists` in {what}", key)


# --- all stages together


def mains_of(tables: Mapping[str, Any]) -> dict[str, list[str]]:
    """The stages that are fallbacks, each with the names of those that it stands in for.

    Args:
        tables: All tables `[stage.NAME]`, unchecked.
    """
    found: dict[str, list[str]] = {}
    for name, table in tables.items():
        if type(table) is dict and "fallback" in table:
            text = table["fallback"]
            if type(text) is str and text in tables:
                found.setdefault(text, []).append(name)
    return found


def checked(stages: dict[str, Stage], tables: Mapping[str, Any], reader: StageReader, disk: Disk) -> dict[str, Stage]:
    """The stages with their fallbacks looked up: the name of a stage stays, that of a function becomes a Call.

    Args:
        stages: All of them, by name.
        tables: What each was read from.
        reader: What has read them.
        disk: For a look at the modules whose functions are named.

    Raises:
        FaultError: A fallback or a condition does not fit.
    """
    found = stages
    mains = mains_of(tables)
    for name, others in mains.items():
        if others != [name]:
            _check_own_keys(name, others[0], tables[name])
    for name, table in tables.items():
        if "fallback" in table:
            if found is stages:
                found = dict(stages)
            found[name] = _with_fallback(stages[name], stages, reader, disk)
        if "should_run" in table:
            _check_value(stages[name], stages)
        if mains and "after" in table:
            for index, before in enumerate(stages[name].after):
                if before in mains:
                    key: KeyPath = ("stage", name, "after", index) if type(table["after"]) is list else ("stage", name, "after")
                    raise is_fallback(f"`after` of stage `{show(name)}` names `{show(before)}`", mains[before][0], key)
    return found


def is_fallback(what: str, main: str, key: KeyPath) -> FaultError:
    """The fault that a stage is asked for which only ever stands in for another."""
    return FaultError(f"{what}, which is the fallback of stage `{show(main)}`", key, "a fallback runs when its stage has failed, never by itself")


def _check_own_keys(name: str, main: str, table: dict[str, Any]) -> None:
    for key in _MEANINGLESS:
        if key in table:
            text = f"stage `{show(name)}` is the fallback of stage `{show(main)}`, so it cannot have `{key}`"
            hint = "a fallback that fails is the end of its stage" if key == "fallback" else "it runs when its stage has failed, and is never fresh"
            raise FaultError(text, ("stage", name, key), hint)


def _with_fallback(main: Stage, stages: Mapping[str, Stage], reader: StageReader, disk: Disk) -> Stage:
    assert isinstance(main.fallback, str)
    text, key = main.fallback, ("stage", main.name, "fallback")
    what = f"`fallback` of stage `{show(main.name)}`"
    other = stages.get(text)
    if other is None:
        return replace(main, fallback=_function(main, text, stages, disk))
    if other is main:
        raise FaultError(f"{what} is the stage itself", key)
    if other.outputs:
        hint = "a fallback writes the outputs of the stage that it stands in for, and declares none"
        raise FaultError(f"{what} names `{show(text)}`, which has outputs of its own", key, hint)
    if isinstance(other.action, Command) and any(output.value for output in main.outputs):
        raise FaultError(f"{what} names `{show(text)}`, a command, but the stage returns values", key, "values come from functions alone")
    reader.check_fallback(other, main)
    return main


def _function(main: Stage, text: str, stages: Mapping[str, Stage], disk: Disk) -> Call:
    """The function of the stage's own module that *text* names."""
    key: KeyPath = ("stage", main.name, "fallback")
    what = f"`fallback` of stage `{show(main.name)}` names `{show(text)}`"
    others = [name for name in stages if name != main.name]
    if not isinstance(main.action, Call):
        raise FaultError(f"{what}, which is no stage", key, did_you_mean(text, others))
    module = main.action.module
    names = _functions(disk, join(main.folder, module.replace(".", "/")))
    if not _FUNCTION.fullmatch(text) or (names is not None and text not in names):
        hint = did_you_mean(text, [*others, *(names or ())])
        raise FaultError(f"{what}, which is neither a stage nor a function of `{show(module)}`", key, hint)
    if text == main.action.function:
        raise FaultError(f"{what}, the function that has failed then", key)
    return Call(module, text)


def _functions(disk: Disk, path: str) -> list[str] | None:
    """Names that a module of the project binds; None where the text alone does not tell. Nothing is imported."""
    from pipefile.plan.imports import bound_names

    for file in (f"{path}.py", f"{path}/__init__.py"):
        try:
            return bound_names(disk.read(file, _LARGEST_SOURCE))
        except OSError:
            continue
    return None


def _check_value(stage: Stage, stages: Mapping[str, Stage]) -> None:
    asked = stage.should_run
    if asked is None or asked.kind != "output":
        return
    key: KeyPath = ("stage", stage.name, "should_run")
    what = f"`should_run` of stage `{show(stage.name)}`"
    found = value_of(asked.name, stages)
    if found is None:
        names = [f"{name}.{output.name}" for name, other in stages.items() for output in other.outputs if output.value and output.name]
        raise FaultError(f"{what} is `{show(asked.name)}`, which is no value of a stage", key, did_you_mean(asked.name, names) or _CONDITIONS)
    maker, output, entry = found
    if stages[maker].for_each is not None:
        raise FaultError(f"{what} is `{show(asked.name)}`, of which there is one for each item", key, _CONDITIONS)
    if maker == stage.name:
        raise FaultError(f"{what} asks for a value of the stage itself", key)
    if not output.value:
        raise FaultError(f"{what} is `{show(asked.name)}`, which is a file, not a value", key, _CONDITIONS)
    if not entry and output.value not in READABLE:
        kinds = "int, float, str, bool or json"
        raise FaultError(f"{what} is `{show(asked.name)}`, which is no plain value", key, f"declare it as one of {kinds} to decide by it")
