"""Dependencies that are known only from earlier runs: discovered inputs that some edge makes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from pipefile.engine.decide import Decider
from pipefile.engine.session import Session
from pipefile.model.graph import FanOut, Graph
from pipefile.plan.fanout import may_make


def extra_dependencies(session: Session, decider: Decider, requested: Sequence[int]) -> tuple[list[int], dict[int, tuple[int, ...]]]:
    """The closure of *requested*, with the makers of discovered inputs in it.

    Returns:
        Its nodes, each after those that the graph says it needs; and edge -> edges that it needs besides, which may contradict that order.

    Raises:
        GraphError: A source does not exist.
    """
    graph = session.graph
    extra: dict[int, tuple[int, ...]] = {}
    looked: set[int] = set()
    later = [fanout for fanout in graph.fanouts.values() if fanout.edge >= 0]
    is_above = ancestors(graph, {})
    nodes = session.closure(requested)
    while True:
        inside = set(nodes)
        missing: set[int] = set()
        for node in nodes:
            if node >= len(graph.edges) or node in looked:
                continue
            looked.add(node)
            edge = graph.edges[node]
            known = decider.known_discovered(edge) if decider.has_discovered(edge) else ()
            made = decider.code_made(edge) if decider.has_code(edge) else ()
            if not (known or made or later):
                continue
            makers = {graph.producer.get(path, -1) for path in (*known, *made)} - {-1, node}
            if later:
                makers.update(_later(later, known, node, is_above))
            new = makers.difference(graph.depends[node])
            if new:
                extra[node] = tuple(sorted(new))
                missing.update(new - inside)
        if not missing:
            return nodes, extra
        nodes = session.closure([*requested, *sorted(missing)])


def _later(fanouts: Sequence[FanOut], paths: Sequence[str], node: int, is_above: Callable[[int, int], bool]) -> list[int]:
    """Edges that stand for instances which may make some of *paths*, without those that need *node* themselves."""
    found = [fanout.edge for fanout in fanouts if any(may_make(fanout, path) for path in paths)]
    return [edge for edge in found if edge != node and not is_above(node, edge)]


def ancestors(graph: Graph, extra: Mapping[int, tuple[int, ...]]) -> Callable[[int, int], bool]:
    """A question: does the first edge come before the second for certain? Answers are remembered by the second."""
    known: dict[int, set[int]] = {}
    count = len(graph.edges)

    def is_ancestor(first: int, second: int) -> bool:
        nonlocal count
        if len(graph.edges) != count:  # it has grown: its groups have other numbers
            count = len(graph.edges)
            known.clear()
        above = known.get(second)
        if above is None:
            above = known[second] = set()
            todo = [second]
            while todo:
                node = todo.pop()
                for other in (*graph.depends[node], *graph.order.get(node, ()), *extra.get(node, ())):
                    if other not in above:
                        above.add(other)
                        todo.append(other)
        return first in above

    return is_ancestor
