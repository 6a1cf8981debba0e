"""`should_run` while a build goes on: values that other stages have returned, and outputs of what is left out or gone."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping

from pipefile.base.errors import InputError
from pipefile.base.paths import show
from pipefile.engine import dead
from pipefile.engine.decide import Decider
from pipefile.engine.session import Session
from pipefile.model.graph import Edge
from pipefile.model.record import Reason
from pipefile.plan.conditions import condition_left_out, false_text, left_out_above, without

LIMIT = 1 << 20
"""Most bytes of a value that decides: it is one word more often than not."""


class Conditions:
    """Tells which edges are left out, each when all that comes before it has ended.

    Args:
        session: The project; what is found out is added to its `left_out`.
        extra: Edge -> edges that make inputs which an earlier run has found.
        decider: Knows these inputs.
    """

    def __init__(self, session: Session, extra: Mapping[int, tuple[int, ...]], decider: Decider) -> None:
        self._session = session
        self._graph = session.graph
        self._extra = extra
        self._decider = decider
        self._any = bool(session.graph.conditional)

    def why_left_out(self, edge: Edge) -> str:
        """Why an edge is left out; "" if it is not.

        Raises:
            InputError: The value that decides cannot be read.
            GraphError: It is not left out, and a source that it needs does not exist.
        """
        if not self._any:
            return ""
        session, graph = self._session, self._graph
        left = session.left_out
        why = left.get(edge.id, "")
        if not why and edge.id in session.open:
            value = graph.conditions.get(edge.id)
            if value is not None:
                why = condition_left_out(edge, graph) if value.edge in left else self._by_value(edge)
            why = why or left_out_above(edge, graph, left)
            if not why:
                session.check_sources([edge.id], certain=True)
        if why and edge.id not in left:
            session.leave_out(edge.id, why)
        return why

    def unsure(self, edge: Edge, moving: Collection[int]) -> tuple[Reason, ...]:
        """Why nobody can tell without a build whether an edge is left out; () if its condition is known.

        Args:
            edge: Which one.
            moving: Edges that are not fresh.
        """
        value = self._graph.conditions.get(edge.id)
        if value is None or value.edge not in moving or edge.id in self._session.left_out or edge.stage.should_run is None:
            return ()
        return (Reason("undecided", edge.stage.should_run.name),)

    def dead_inputs(self, edge: Edge, within: bool = False) -> list[str]:
        """Outputs of edges that are left out, still standing where *edge* would meet them although it runs without them.

        Args:
            edge: Which one.
            within: Only those in directories of sources, whose digests hold them.
        """
        if not self._session.left_out:
            return []
        extra = () if within else self._extra.get(edge.id, ())
        numbers = without(edge, self._graph, extra, self._session.left_out, within)
        outputs = [output.path for number in numbers for output in self._graph.edges[number].outputs]
        return [path for path in outputs if self._session.disk.lstat(path) is not None]

    def remains(self, edge: Edge) -> list[str]:
        """Outputs that no edge makes any more, standing where *edge* would meet them although it runs without them."""
        remains = self._session.remains
        if remains is None or not remains.any:
            return []
        return remains.met(edge, self._decider.known_discovered(edge) if self._decider.has_discovered(edge) else ())

    def clear(self, edge: Edge, removed: Callable[[str], None]) -> None:
        """Remove what `remains` and `dead_inputs` find: a command sees what stands there, whatever its inputs are said to be.

        Raises:
            InputError: Something of them is no longer what a stage made there, or cannot be removed.
        """
        remains = self.remains(edge)
        if remains and self._session.remains is not None:
            for path in self._session.remains.clear(remains):
                removed(path)
        paths = self.dead_inputs(edge)
        if not paths:
            return
        for path in dead.remove(self._session, paths, lambda _: None):
            removed(path)
        for path in paths:
            self._session.files.forget(path)
        for path in self.dead_inputs(edge):
            maker = show(self._graph.edges[self._graph.producer[path]].name)
            hint = "it was changed since it was made: move it away"
            raise InputError(f"`{show(path)}` is in the way: stage `{maker}`, which makes it, is skipped", (), hint)

    def _by_value(self, edge: Edge) -> str:
        """Why the value that decides says no; "" if it says yes."""
        value, condition = self._graph.conditions[edge.id], edge.stage.should_run
        assert condition is not None
        path = value.output.path
        try:
            found: object = json.loads(self._session.disk.read(path, LIMIT))
        except (OSError, ValueError, RecursionError) as error:
            text = (error.strerror or str(error)).lower() if isinstance(error, OSError) else "it does not hold a value"
            raise InputError(f"the condition `{show(condition.name)}` cannot be read from `{show(path)}`: {text}") from error
        if value.entry:
            if not isinstance(found, dict) or value.entry not in found:
                maker = show(self._graph.edges[value.edge].name)
                raise InputError(f"stage `{maker}` returned no `{show(value.entry)}`, which decides whether stage `{show(edge.name)}` runs")
            found = found[value.entry]
        return false_text(condition, found)
