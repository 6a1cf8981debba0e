"""Failures that stand: a build stops at the first one, and says nothing of those that earlier rounds have found and that nobody has mended."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from typing import Any

from pipefile.model.event import BuildFinished, Event, StageFinished
from pipefile.report.words import edge_name


class Standing:
    """Takes the events of one build and hands them on; before the last one, the failures of earlier rounds that still stand are told again.

    Args:
        report: Who is told.
        before: Those failures: edge -> the fields of its event, as JSON has them.
        names: The edges that there are, asked for when the build has ended.

    Attributes:
        failures: Those that stand after this build.
        every, due, flush: The report's.
    """

    def __init__(self, report: Callable[[Event], None], before: Mapping[str, Any], names: Callable[[], Container[str]]) -> None:
        self._report = report
        self._names = names
        self._old = dict(before)
        self._new: dict[str, Any] = {}
        self.every = bool(getattr(report, "every", False))
        self.due: Callable[[], float | None] = getattr(report, "due", lambda: None)
        self.flush: Callable[[], None] = getattr(report, "flush", lambda: None)

    @property
    def failures(self) -> dict[str, Any]:
        return {**self._old, **self._new}

    def __call__(self, event: Event) -> None:
        if type(event) is StageFinished:
            self._take(event)
        elif type(event) is BuildFinished and self._old:
            there = self._names()
            self._old = {name: fields for name, fields in self._old.items() if name in there}
            for fields in self._old.values():
                self._report(StageFinished(**{**fields, "output": fields["output"].encode("latin-1")}))
        self._report(event)

    def _take(self, event: StageFinished) -> None:
        if event.status in ("skipped", "interrupted"):
            return
        if not self._old and event.status != "failed":
            return
        name = edge_name(event.stage, event.instance)
        self._old.pop(name, None)
        if event.status == "failed":
            fields = {slot: getattr(event, slot) for slot in StageFinished.__slots__}
            self._new[name] = {**fields, "output": event.output.decode("latin-1")}
