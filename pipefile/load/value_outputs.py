"""Outputs that are values: `outputs = { count = "value:int" }`."""

from __future__ import annotations

from pipefile.base.locations import KeyPath
from pipefile.base.names import file_name
from pipefile.base.paths import show
from pipefile.load.faults import FaultError, did_you_mean
from pipefile.model.stage import Output

PREFIX = "value:"

_WRITTEN = ("int", "float", "str", "bool", "json")
_DECORATED = (*_WRITTEN, "file", "stream", "any", "result")
_NAMES = {"integer": "int", "number": "float", "string": "str", "text": "str", "boolean": "bool", "dict": "json", "list": "json", "object": "json"}


def value_path(store: str, stage: str, name: str, kind: str) -> str:
    """The file of a value, from the root."""
    ending = {"stream": ".stream", "any": ".value"}.get(kind, ".json")
    return f"{store}/values/{file_name(stage)}/{file_name(name)}{ending}"


class ValueOutputs:
    """Reads the value outputs of one stage.

    Args:
        stage: Its name.
        store: The store's folder, from the root.
        call: It is a function: nothing else returns values.
        decorated: It is declared in Python, where values can be of any type.
    """

    def __init__(self, stage: str, store: str, call: bool, decorated: bool) -> None:
        self._stage = stage
        self._store = store
        self._call = call
        self._decorated = decorated

    def output(self, raw: str, name: str | None, many: bool, key: KeyPath) -> Output:
        """The output that *raw*, which begins with "value:", declares under *name*.

        Raises:
            FaultError: A value cannot stand here, or there is no such type.
        """
        stage, kind = f"stage `{show(self._stage)}`", raw[len(PREFIX) :]
        if not self._call:
            message = f"`{show(raw)}` in `outputs` of {stage}: values are what functions return, and this stage is a command"
            raise FaultError(message, key, f"a file of that name is `./{show(raw)}`")
        if name is None:
            raise FaultError(f"`{show(raw)}` in `outputs` of {stage} has no name", key, f'write `outputs = {{ NAME = "{show(raw)}" }}`')
        if many:
            message = f"output `{show(name)}` of {stage} is a list with a value in it"
            raise FaultError(message, key, 'a value has a name of its own; one that is a list is `"value:json"`')
        known = _DECORATED if self._decorated else _WRITTEN
        if kind not in known:
            raise self._unknown(raw, kind, known, key)
        return Output(name, value_path(self._store, self._stage, name, kind), value=kind)

    def _unknown(self, raw: str, kind: str, known: tuple[str, ...], key: KeyPath) -> FaultError:
        stage = f"stage `{show(self._stage)}`"
        if kind in _DECORATED:
            return FaultError(f"`{raw}` in `outputs` of {stage} can be declared in Python alone, by `@stage`", key)
        near = _NAMES.get(kind.lower(), "")
        hint = f"did you mean `{PREFIX}{near}`?" if near else did_you_mean(kind, known, PREFIX + "{}")
        types = ", ".join(f"`{each}`" for each in known[:-1])
        return FaultError(f"unknown type `{show(kind)}` of a value in `outputs` of {stage}: there are {types} and `{known[-1]}`", key, hint)
