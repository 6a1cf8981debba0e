"""What differs between two runs, stage by stage.

Of an edge that did not run in a run, what it made in an earlier one was still there: that is compared.
"""

from __future__ import annotations

from collections.abc import Mapping

from pipefile.base.dataclass import dataclass, field
from pipefile.model.output import StageOutput
from pipefile.model.run import EdgeResult
from pipefile.plan.leaves import leaves, spelled

NOTHING = object()
"""In place of a value: this run has none."""

MADE = frozenset(["ran", "degraded", "restored"])
"""Statuses of edges whose outputs are those of that run."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of an edge as a run left it.

    Args:
        result: Its entry in a manifest.
        run: The run whose manifest that is: an earlier one where the edge did not run in the run itself.
        output: What it came to besides.
    """

    result: EdgeResult
    run: str
    output: StageOutput | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that differs.

    Args:
        name: What it is called.
        a: Its value in the first run, what JSON can hold; NOTHING if it has none.
        b: In the second.
        opaque: The values are digests, or stand for what is too large to show.
    """

    name: str
    a: object
    b: object
    opaque: bool = False

    @property
    def difference(self) -> float | None:
        """By how much a number has grown; None for what is no number, and where it cannot be said."""
        if not _is_number(self.a) or not _is_number(self.b):
            return None
        try:
            found = spelled(self.b - self.a)  # type: ignore[operator]  # numbers, both
        except OverflowError:
            return None
        if isinstance(found, str):
            return None
        return float(f"{found:.12g}") if isinstance(found, float) else found  # 0.3 - 0.1 is 0.2 for people


@dataclass(frozen=True, slots=True)
class EdgeDiff:
    """How an edge differs between two runs.

    Args:
        name: As people write it: `thumbs`, `thumbs@a.jpg`.
        a: What is known of it in the first run; None for nothing.
        b: In the second.
        params, inputs, code, outputs: What differs, by name.
        values: The same; parts of tables and lists by dotted path.
        metrics: The same, by path of the file.
    """

    name: str
    a: Known | None
    b: Known | None
    params: tuple[Change, ...] = ()
    inputs: tuple[Change, ...] = ()
    code: tuple[Change, ...] = ()
    outputs: tuple[Change, ...] = ()
    values: tuple[Change, ...] = ()
    metrics: Mapping[str, tuple[Change, ...]] = field(default_factory=dict)

    @property
    def same(self) -> bool:
        """Nothing differs but how long it took."""
        changes = (self.params, self.inputs, self.code, self.outputs, self.values, self.metrics)
        return not any(changes) and (self.a is None) == (self.b is None)


def edge_name(result: EdgeResult) -> str:
    """An edge as people write it."""
    return f"{result.stage}@{result.instance}" if result.instance not in ("", result.stage) else result.stage


def compare_edge(name: str, a: Known | None, b: Known | None, values: str = "/") -> EdgeDiff:
    """Compare what two runs left of an edge.

    Args:
        name: As people write it.
        a: What the first run left.
        b: The second.
        values: The folder of values, from the root, with a slash: what is known of these themselves says more than their files' digests.
    """
    if a is None or b is None or (a.run == b.run):
        return EdgeDiff(name, a, b)
    first, second = a.output, b.output
    return EdgeDiff(
        name,
        a,
        b,
        params=_params(a.result.params, b.result.params),
        inputs=_inputs(a.result.inputs, b.result.inputs),
        code=_code(a.result.code, b.result.code),
        outputs=_outputs(a.result.outputs, b.result.outputs, values if first is not None and second is not None else "/"),
        values=_values(first, second),
        metrics=_metrics(first, second),
    )


def _changes(a: Mapping[str, object], b: Mapping[str, object]) -> list[Change]:
    """What differs, in the order of the first, then what only the second has."""
    names = [*a, *[name for name in b if name not in a]]
    found = [Change(name, a.get(name, NOTHING), b.get(name, NOTHING)) for name in names]
    return [change for change in found if not _equal(change.a, change.b)]


def _params(a: Mapping[str, object], b: Mapping[str, object]) -> tuple[Change, ...]:
    return tuple(_changes(_leaves_of(a), _leaves_of(b)))


def _inputs(a: Mapping[str, str], b: Mapping[str, str]) -> tuple[Change, ...]:
    return tuple([Change(change.name, change.a, change.b, _is_digest(change.a) or _is_digest(change.b)) for change in _changes(a, b)])


def _outputs(a: Mapping[str, str], b: Mapping[str, str], values: str) -> tuple[Change, ...]:
    return tuple([Change(change.name, change.a, change.b, True) for change in _changes(a, b) if not change.name.startswith(values)])


def _code(a: Mapping[str, str], b: Mapping[str, str]) -> tuple[Change, ...]:
    shown = ("run", "argv", "shell", "call", "setup", "python", "version", "batch")
    found = []
    for change in _changes(a, b):
        plain = change.name in shown or change.name.startswith("package ") or _is_shown(change.a) or _is_shown(change.b)
        found.append(Change(change.name, change.a, change.b, not plain))
    return tuple(found)


def _is_shown(value: object) -> bool:
    """Whether a variable's value is there as it is (plan/key.py: SHOWN)."""
    return isinstance(value, str) and value[:1] == "="


def _values(a: StageOutput | None, b: StageOutput | None) -> tuple[Change, ...]:
    found: list[Change] = []
    first, second = _data(a), _data(b)
    large = {*(() if a is None else a.by_reference), *(() if b is None else b.by_reference)}
    for name in [*first, *[name for name in second if name not in first]]:
        before, after = first.get(name, NOTHING), second.get(name, NOTHING)
        if name not in large:
            found += _changes(_leaves_of({name: before}), _leaves_of({name: after}))
        elif not _equal(before, after):
            found.append(Change(name, before, after, True))
    return tuple(found)


def _data(output: StageOutput | None) -> Mapping[str, object]:
    return {} if output is None else output.data


def _metrics(a: StageOutput | None, b: StageOutput | None) -> dict[str, tuple[Change, ...]]:
    first, second = {} if a is None else a.metrics, {} if b is None else b.metrics
    files = {path: _changes(first.get(path, {}), second.get(path, {})) for path in [*first, *[path for path in second if path not in first]]}
    return {path: tuple(changes) for path, changes in files.items() if changes}


def _leaves_of(table: Mapping[str, object]) -> dict[str, object]:
    return {path: spelled(leaf) if isinstance(leaf, float) else leaf for path, leaf in leaves(dict(table)) if leaf is not NOTHING and path}


def _is_digest(value: object) -> bool:
    """Whether a text is a digest, or says that nothing was there."""
    return isinstance(value, str) and (not value or value.startswith(("blake3:", "sha256:")))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _equal(a: object, b: object) -> bool:
    """Whether two JSON values are the same; true is not 1."""
    return a == b and isinstance(a, bool) == isinstance(b, bool)
