"""What a display may ask of a build that goes on: how long it will still take, what its stages print just now.

It is asked from time to time, and looks at what the build keeps anyway: the loop does nothing for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from pipefile.engine.session import Session
from pipefile.plan.estimate import estimate
from pipefile.plan.schedule import Schedule

if TYPE_CHECKING:  # a dry run runs nothing
    from pipefile.engine.attempt import Attempt
    from pipefile.engine.executors import Executors


def seconds_before(session: Session) -> dict[int, float]:
    """Edge -> how long it took when it last ran, as far as the index knows."""
    index = session.index
    found: dict[int, float] = {}
    if index.edge_names:
        for number, edge in enumerate(session.graph.edges):
            at = index.edge(edge.name)
            if at >= 0 and index.edge_seconds[at] > 0:
                found[number] = index.edge_seconds[at]
    return found


class Look:
    """The Outlook of one build.

    Args:
        session: The project.
        schedule: What has not ended.
        running: Edge -> its attempt; changes while the build goes on.
        executors: Who runs them.
        jobs: Edges that run at once.
    """

    def __init__(self, session: Session, schedule: Schedule, running: Mapping[int, Attempt], executors: Executors, jobs: int) -> None:
        self._session = session
        self._schedule = schedule
        self._running = running
        self._executors = executors
        self._jobs = jobs

    def left(self) -> float | None:
        schedule, now = self._schedule, self._session.project.clock.monotonic()
        started = {edge: now - attempt.began for edge, attempt in self._running.items()}
        count = len(self._session.graph.edges)
        found = estimate(schedule.unended(), schedule.dependencies, schedule.weights, count, self._jobs, started)
        return None if found is None else found.seconds

    def latest(self, stage: str, instance: str) -> bytes:
        for number, attempt in self._running.items():
            if self._name(number) == (stage, instance):
                return self._executors.latest(attempt.edge.id)
        return b""

    def unended(self) -> Sequence[tuple[str, str]]:
        count = len(self._session.graph.edges)
        return [self._name(node) for node in self._schedule.unended() if node < count]

    def _name(self, number: int) -> tuple[str, str]:
        from pipefile.engine.history import instance as instance_of

        edge = self._session.graph.edges[number]
        mask = self._session.mask
        names = edge.stage.name, instance_of(edge)
        return names if mask is None else (mask.text(names[0]), mask.text(names[1]))
