"""The keywords of `@stage` -> the table that `[stage.NAME]` would be.

What comes out is what TOML could hold, so that it can be kept and goes through the same reader (load/stages.py); only the kinds of values that a
function can return are more than TOML has.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, get_origin

from pipefile.base.locations import KeyPath
from pipefile.base.paths import show
from pipefile.load.config import plain
from pipefile.load.faults import FaultError, did_you_mean
from pipefile.load.values import Globals
from pipefile.load.wildcards import wildcards
from pipefile.model.fileref import FileRef
from pipefile.model.stream import Stream

Table = dict[str, Any]

RESULT = "result"
"""Name of the one output of a function that declares none, and of a single type."""

KEYWORDS = (
    "for_each", "exclude", "batch", "where",
    "inputs", "outputs", "params", "version", "env", "retry_policy", "timeout", "fallback", "should_run", "mode", "external", "setup", "after",
    "always", "cache", "description", "tags", "log_limit", "metrics", "resources", "secret_env", "name",
)  # fmt: skip
"""What `@stage` takes: the keys of `[stage.NAME]` that a function can have, and its name."""

_KINDS: dict[Any, str] = {int: "int", float: "float", str: "str", bool: "bool", dict: "json", list: "json", FileRef: "file", Stream: "stream"}


def table_of(name: str, keys: Mapping[str, Any], document: str | None) -> Table:
    """The table of one stage, without its `call`.

    Args:
        name: The stage's, for messages.
        keys: Keywords as they were given.
        document: The function's docstring.

    Raises:
        FaultError: A keyword is unknown, or holds something that no table can.
    """
    table: Table = {}
    for key, value in keys.items():
        if key not in KEYWORDS:
            raise FaultError(f"unknown key `{show(key)}` in stage `{show(name)}`", ("stage", name, key), _hint(key))
        if value is None or key == "name":
            continue
        convert = _CONVERTERS.get(key)
        where: KeyPath = ("stage", name, key)
        table[key] = convert(value, name, where) if convert is not None else json(value, f"`{key}` of stage `{show(name)}`", where)
    if keys.get("outputs") is None:
        table["outputs"] = {RESULT: f"value:{RESULT}"}
    first = (document or "").strip().partition("\n")[0].strip()
    if first and "description" not in table:
        table["description"] = first
    return table


def implicit(table: Mapping[str, Any]) -> bool:
    """Whether nothing was declared as output: what the function returns are its values."""
    return bool(table.get("outputs") == {RESULT: f"value:{RESULT}"})


def finished(table: Table, fallback: bool) -> Table:
    """A table as `[stage.NAME]` has it: without empty outputs, and without the result of a stage that only stands in for others."""
    if table["outputs"] in ({}, []) or (fallback and implicit(table)):
        return {key: value for key, value in table.items() if key != "outputs"}
    return table


def _hint(key: str) -> str:
    if key in ("run", "shell", "depfile", "infer_inputs"):
        return "commands are stages of Pipefile.toml: `[stage.NAME]`"
    if key == "call":
        return "the decorated function is what is called"
    return did_you_mean(key, KEYWORDS)


def json(value: Any, what: str, key: KeyPath) -> Any:
    """A copy of *value* as TOML could hold it: tuples become lists, paths text.

    Raises:
        FaultError: It holds something else.
    """
    kind = type(value)
    if kind is str:
        try:
            value.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError:
            raise FaultError(f"{what} holds a text with half a character in it: {value!r}", key) from None
        return value
    if kind is int or kind is float or kind is bool:
        return value
    if isinstance(value, Mapping):
        value = plain(value)
        for name in value:
            if type(name) is not str:
                raise FaultError(f"{what} has a key that is no text: {told(name)}", key)
        return {name: json(inner, what, (*key, name)) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [json(inner, what, (*key, index)) for index, inner in enumerate(value)]
    if isinstance(value, os.PathLike):
        return os.fsdecode(value)
    if isinstance(value, int) and int(value) == value:  # IntEnum and the like
        return int(value)
    raise FaultError(f"{what} holds {told(value)}", key, "it takes texts, numbers, booleans, lists and dictionaries of these")


def told(value: object) -> str:
    """What an object is, in words."""
    if value is None:
        return "`None`"
    if isinstance(value, type):
        return f"the class `{show(value.__name__)}`"
    name = getattr(value, "__name__", None)
    if callable(value) and isinstance(name, str):
        return f"the function `{show(name)}`"
    kind = type(value)
    return f"an object of type `{show(kind.__name__ if kind.__module__ == 'builtins' else f'{kind.__module__}.{kind.__qualname__}')}`"


def _inputs(value: Any, name: str, key: KeyPath) -> Any:
    what = f"`inputs` of stage `{show(name)}`"
    for inner in value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else (value,):
        if is_stage(inner):
            hint = f'name the output: `"{show(inner.name)}.OUTPUT"`; or join them in a `@pipeline`'
            raise FaultError(f"{what} holds the stage `{show(inner.name)}` itself", key, hint)
    return json(value, what, key)


def _outputs(value: Any, name: str, key: KeyPath) -> Any:
    if isinstance(value, Mapping):
        found = {}
        for output, spec in value.items():
            if type(output) is not str:
                raise FaultError(f"`outputs` of stage `{show(name)}` has a name that is no text: {told(output)}", key)
            found[output] = _output(spec, f"output `{show(output)}` of stage `{show(name)}`", (*key, output))
        return found
    if isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            if _kind(inner):
                hint = 'give it a name: `outputs={"NAME": TYPE}`'
                raise FaultError(f"`outputs` of stage `{show(name)}` holds a type without a name", (*key, index), hint)
    if _kind(value):
        return {RESULT: f"value:{_kind(value)}"}
    return json(value, f"`outputs` of stage `{show(name)}`", key)


def _output(spec: Any, what: str, key: KeyPath) -> Any:
    kind = _kind(spec)
    return f"value:{kind}" if kind else json(spec, what, key)


def _kind(spec: Any) -> str:
    """The kind of value that a type stands for; "" for what is no type."""
    spec = get_origin(spec) or spec
    if spec is Any:
        return "any"
    if not isinstance(spec, type):
        return ""
    return _KINDS.get(spec) or ("file" if issubclass(spec, FileRef) else "stream" if issubclass(spec, Stream) else "any")


def _for_each(value: Any, name: str, key: KeyPath) -> Any:
    if isinstance(value, Mapping):
        return {axis: _items(items, f"`{show(str(axis))}` in `for_each` of stage `{show(name)}`", (*key, axis)) for axis, items in value.items()}
    return json(value, f"`for_each` of stage `{show(name)}`", key)


def _items(value: Any, what: str, key: KeyPath) -> Any:
    if isinstance(value, range):
        return {"range": [value.start, value.stop, value.step]}
    return f"{value.name}.outputs" if is_stage(value) else json(value, what, key)


def item_names(table: Mapping[str, Any]) -> frozenset[str] | None:
    """Names that items of a stage have as arguments of its function; None where a table elsewhere names them."""
    given = table.get("for_each", {})
    if isinstance(given, list):
        given = given[0] if given and isinstance(given[0], Mapping) else {}
    return frozenset([*given, *wildcards(table, Globals({}))]) if isinstance(given, Mapping) else None


def _retry(value: Any, name: str, key: KeyPath) -> Any:
    what = f"`retry_policy` of stage `{show(name)}`"
    if not isinstance(value, Mapping):
        return json(value, what, key)
    found = {inner: json(each, what, (*key, inner)) for inner, each in value.items() if inner != "retry_on"}
    if "retry_on" in value:
        causes = value["retry_on"]
        causes = list(causes) if isinstance(causes, list | tuple | set | frozenset) else [causes]
        found["retry_on"] = [_cause(cause, what, (*key, "retry_on")) for cause in causes]
    return found


def _cause(cause: Any, what: str, key: KeyPath) -> Any:
    if not isinstance(cause, type):
        return json(cause, what, key)
    if not issubclass(cause, BaseException):
        raise FaultError(f"`retry_on` in {what} holds {told(cause)}, which is no exception", key)
    # a script's own class is found under another module's name where the stage runs
    return cause.__qualname__ if cause.__module__ in ("builtins", "__main__") else f"{cause.__module__}.{cause.__qualname__}"


def _fallback(value: Any, name: str, key: KeyPath) -> Any:
    if is_stage(value):
        return value.name
    return value.__name__ if _is_function(value) else json(value, f"`fallback` of stage `{show(name)}`", key)


def _setup(value: Any, name: str, key: KeyPath) -> Any:
    if is_stage(value):
        value = value.__wrapped__
    if not _is_function(value):
        return json(value, f"`setup` of stage `{show(name)}`", key)
    if "<" in value.__qualname__ or "." in value.__qualname__:
        raise FaultError(f"`setup` of stage `{show(name)}` is `{show(value.__qualname__)}`, which a worker cannot import", key, _TOP)
    return f"{value.__module__}:{value.__qualname__}"


_TOP = "define it at the top level of its module"


def _after(value: Any, name: str, key: KeyPath) -> Any:
    values = list(value) if isinstance(value, list | tuple) else [value]
    return json([each.name if is_stage(each) else each for each in values], f"`after` of stage `{show(name)}`", key)


def is_stage(value: object) -> bool:
    """Whether *value* is a decorated function, or one by its looks: load/decorators.py has the class, which imports this."""
    return hasattr(value, "pipefile_stage")


def _is_function(value: object) -> bool:
    from types import FunctionType

    return isinstance(value, FunctionType)


_CONVERTERS: dict[str, Callable[[Any, str, KeyPath], Any]] = {
    "for_each": _for_each, "inputs": _inputs, "outputs": _outputs, "retry_policy": _retry, "fallback": _fallback, "setup": _setup, "after": _after,
}  # fmt: skip
