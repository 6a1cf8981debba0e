"""`runs diff`, for people and for programs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

from pipefile.base.paths import show
from pipefile.engine.compare import RunDiff
from pipefile.model.output import StageOutput
from pipefile.model.run import Run
from pipefile.plan.rundiff import NOTHING, Change, EdgeDiff, Known
from pipefile.report.words import counts, duration

MOST = 20
"""Lines of one kind that a stage gets; JSON has all."""

MOST_OF_A_VALUE = 8
"""Lines that one value gets."""

_LONGEST = 60  # characters of a value
_WIDEST = 24  # characters of a column of values
_OF_RUN = ("command", "targets", "jobs", "schedule", "host", "python", "pipefile", "commit", "dirty")
_NOTABLE = 0.25  # share by which a stage's duration has to differ, and seconds: below, it is noise
_LEAST = 0.1

Paint = Callable[[str, str], str]


def lines(diff: RunDiff, paint: Paint) -> Iterator[str]:
    """The comparison as text, a line at a time.

    Args:
        diff: Two runs.
        paint: Colours a text by the name of a style.
    """
    for name, run in (("a", diff.a), ("b", diff.b)):
        yield f"{name}  {run.id}  {_summary(run)}"
    rows = [(name, "", _text(was), _text(now), "") for name in _OF_RUN if (was := _of(diff.a, name)) != (now := _of(diff.b, name))]
    if rows:
        yield ""
        yield from _columns(rows)
    alike = 0
    for edge in diff.edges:
        if edge.same and not _took_notably(edge):
            alike += 1
            continue
        yield ""
        yield f"{paint(show(edge.name), 'bold')}  {_ended(edge.a, diff.a)} -> {_ended(edge.b, diff.b)}"
        yield from _columns(_rows(edge))
    if alike:
        yield ""
        yield f"{alike} {'stage is' if alike == 1 else 'stages are'} the same in both" if alike else ""


def _summary(run: Run) -> str:
    parts = [counts(*[(number, name) for name, number in run.counts.items()]), f"in {duration(run.duration_seconds)}" if run.finished_at else ""]
    return f"{show(run.status) or 'damaged'}  {' '.join([part for part in parts if part])}".rstrip()


def _of(run: Run, name: str) -> object:
    value = getattr(run, name)
    return " ".join(value) if isinstance(value, tuple) else value


def _ended(known: Known | None, run: Run) -> str:
    if known is None:
        return "not there"
    if known.run != run.id:
        return f"from {known.run}"
    return f"{show(known.result.status)} in {duration(known.result.duration_seconds)}"


def _took_notably(edge: EdgeDiff) -> bool:
    if edge.a is None or edge.b is None or edge.a.run == edge.b.run or "restored" in (edge.a.result.status, edge.b.result.status):
        return False
    first, second = edge.a.result.duration_seconds, edge.b.result.duration_seconds
    return abs(second - first) > max(_LEAST, _NOTABLE * max(first, second))


_Row = tuple[str, str, str, str, str]


def _rows(edge: EdgeDiff) -> list[_Row]:
    """Kind, name, value in a, value in b, difference."""
    rows: list[_Row] = []
    for kind in ("params", "inputs", "code", "outputs"):
        rows += _some(kind.removesuffix("s"), getattr(edge, kind))
    values: dict[str, list[Change]] = {}
    for change in edge.values:  # a long list would keep all other values from being shown
        values.setdefault(change.name.partition(".")[0], []).append(change)
    for name, parts in values.items():
        rows += _some("value", parts, most=MOST_OF_A_VALUE, of=name)
    for path, changes in edge.metrics.items():
        rows += _some("metric", changes, path if len(edge.metrics) > 1 else "")
    return rows


def _some(kind: str, changes: Sequence[Change], file: str = "", most: int = MOST, of: str = "") -> list[_Row]:
    rows = [_row(kind, change, file) for change in changes[:most]]
    if len(changes) > most:
        rows.append((kind, _cut(f"{of or file} and {len(changes) - most} more").lstrip(), "", "", ""))
    return rows


def _row(kind: str, change: Change, file: str) -> _Row:
    name = f"{file} {change.name}" if file else change.name
    if change.opaque:
        what = "new" if change.a in ("", NOTHING) else "gone" if change.b in ("", NOTHING) else "changed"
        return kind, _cut(name), what, "", ""
    difference = change.difference
    return kind, _cut(name), _text(change.a), _text(change.b), "" if difference is None else f"({difference:+.6g})"


def _text(value: object) -> str:
    if value is NOTHING:
        return "-"
    if value is None or value == "":
        return '""' if value == "" else "null"
    return _cut(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def _cut(text: str) -> str:
    shown = show(text)
    return shown if len(shown) <= _LONGEST else shown[: _LONGEST - 3] + "..."


def _columns(rows: Sequence[_Row]) -> Iterator[str]:
    wide = [max([len(row[column]) for row in rows if row[3] or column < 2], default=0) for column in range(4)]
    wide[2:] = [min(_WIDEST, each) for each in wide[2:]]  # one long command shall not push all numbers to the right
    for kind, name, was, now, difference in rows:
        told = f"{was:<{wide[2]}} -> {now:<{wide[3]}}  {difference}" if now else was
        yield f"  {kind:<{wide[0]}}  {name:<{wide[1]}}  {told}".rstrip()


def told(output: StageOutput) -> Iterator[str]:
    """What an edge came to, for `runs show`: a line a value and a number."""
    for name, value in list(output.data.items())[:MOST]:
        yield f"value: {_cut(name)} = {_reference(value) if name in output.by_reference else _text(value)}"
    for path, found in output.metrics.items():
        for name, number in list(found.items())[:MOST]:
            yield f"metric: {_cut(name)} = {_text(number)}"
        if len(found) > MOST:
            yield f"metrics: and {len(found) - MOST} more of {show(path)}"


def _reference(value: object) -> str:
    assert isinstance(value, dict)  # the reader has looked
    return _cut(str(value.get("path", "")))


def as_json(diff: RunDiff) -> str:
    """The comparison as one JSON document."""
    return json.dumps({"format": 1, "a": asdict(diff.a), "b": asdict(diff.b), "stages": [_edge(edge) for edge in diff.edges]}, indent=1)


def _edge(edge: EdgeDiff) -> dict[str, Any]:
    found: dict[str, Any] = {"name": edge.name, "same": edge.same, "a": _side(edge.a), "b": _side(edge.b)}
    for kind in ("params", "inputs", "code", "outputs", "values"):
        found[kind] = _changes(getattr(edge, kind))
    found["metrics"] = {path: _changes(changes) for path, changes in edge.metrics.items()}
    return found


def _side(known: Known | None) -> dict[str, Any] | None:
    if known is None:
        return None
    result = known.result
    return {"run": known.run, "status": result.status, "duration_seconds": result.duration_seconds}


def _changes(changes: Sequence[Change]) -> dict[str, dict[str, Any]]:
    found = {}
    for change in changes:
        sides: dict[str, Any] = {name: value for name, value in (("a", change.a), ("b", change.b)) if value is not NOTHING}
        if change.difference is not None:
            sides["difference"] = change.difference
        found[change.name] = sides
    return found
