"""Dependencies that are known only from earlier runs: discovered inputs that some edge makes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from pipefile.engine.decide import Decider
from pipefile.engine.session import Session
from pipefile.model.graph import Graph


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
            makers = {graph.producer.get(path, -1) for path in (*known, *decider.code_made(edge))} - {-1, node}
            new = makers.difference(graph.depends[node])
            if new:
                extra[node] = tuple(sorted(new))
                missing.update(new - inside)
        if not missing:
            return nodes, extra
        nodes = session.closure([*requested, *sorted(missing)])


def ancestors(graph: Graph, extra: Mapping[int, tuple[int, ...]]) -> Callable[[int, int], bool]:
    """A question: does the first edge come before the second for certain? Answers are remembered by the second."""
    known: dict[int, set[int]] = {}

    def is_ancestor(first: int, second: int) -> bool:
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
