"""Which temporary outputs a build would have to make again, for whoever only looks (engine/inspect.py; engine/temps.py has what a build does)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pipefile.base.dataclass import replace
from pipefile.engine.decide import Decider
from pipefile.engine.files import GONE
from pipefile.engine.session import Session
from pipefile.engine.temps import asked_for, needs_gone
from pipefile.model.graph import Edge
from pipefile.model.record import Reason

if TYPE_CHECKING:
    from pipefile.engine.inspect import EdgeStatus


class Again:
    """Grows from one look at all edges to the next: what is made again may have other bytes, and itself need what is gone.

    Args:
        session: The project.
        targets: What is asked for.
    """

    def __init__(self, session: Session, targets: Sequence[str]) -> None:
        self._session = session
        self._asked = asked_for(session, targets)
        self._stale: dict[str, EdgeStatus] = {}
        self._wanted: dict[int, tuple[str, Reason]] = {}
        self._known = dict(session.files.known)

    def status(self, edge: Edge, fresh: EdgeStatus) -> EdgeStatus:
        """The status of an edge that is fresh but for what is gone."""
        files = self._session.files
        for output in edge.outputs:
            if output.path in self._asked and files.output(output.path).kind == GONE:
                return replace(fresh, state="stale", reasons=(Reason("temp-asked", output.path),))
        state, reason = self._wanted.get(edge.id, ("", None))
        return fresh if reason is None else replace(fresh, state=state, reasons=(reason,))

    def still(self, status: EdgeStatus) -> EdgeStatus:
        """The status of an edge that reads what is made again: what was stale before is so whatever comes of that."""
        return self._stale.get(status.name, status)

    def grew(self, found: Sequence[EdgeStatus]) -> bool:
        """Whether more has to be made again than was known before; then another look is due, with nothing remembered of this one."""
        session, before = self._session, dict(self._wanted)
        decider = Decider(session)
        edges = {edge.name: edge for edge in session.graph.edges}
        for status in found:
            if status.state == "stale":
                self._stale.setdefault(status.name, status)
            if status.state in ("stale", "unknown") and not status.restorable:
                edge = edges[status.name]
                others = decider.known_discovered(edge) if decider.has_discovered(edge) else ()
                for maker, path in needs_gone(session, edge, (*others, *decider.code_made(edge))).items():
                    if self._wanted.get(maker, ("",))[0] != "stale" and (status.state == "stale" or maker not in self._wanted):
                        self._wanted[maker] = status.state, Reason("temp", path, new=edge.name)
        if self._wanted == before:
            return False
        session.files.known = dict(self._known)
        session.files.moved(())
        return True
