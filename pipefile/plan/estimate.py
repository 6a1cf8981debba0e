"""How long a build will still take, by how long its edges took before.

Few edges are laid out as the scheduler would start them, longest remaining path first. Of many, the larger of two bounds is taken: the longest path,
and all work shared out among the slots; with a thousand edges these are close to each other. An edge that never ran counts as much as the median of
those that did. What may turn out to be fresh counts as if it ran, and what an edge needs besides a slot does not count.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from heapq import heapify, heappop, heappush

from pipefile.base.dataclass import dataclass

_EXACT = 1_000
"""Most edges that are laid out one by one."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What is left of a build.

    Args:
        seconds: Until its end.
        work: The same with one edge at a time.
        unknown: How many edges have never run.
    """

    seconds: float
    work: float
    unknown: int


def estimate(
    nodes: Sequence[int],
    dependencies: Callable[[int], Sequence[int]],
    seconds: Mapping[int, float],
    edges: int,
    jobs: int,
    running: Mapping[int, float] | None = None,
) -> Estimate | None:
    """Estimate what is left.

    Args:
        nodes: What has not ended, edges and groups, each after what it depends on.
        dependencies: What a node depends on; what is not among *nodes* has ended.
        seconds: Edge -> how long it took before.
        edges: Nodes from this number on are groups, which take no time.
        jobs: Edges that run at once.
        running: Edge -> how long it has been running.

    Returns:
        None where none of the edges has ever run: there is nothing to go by.
    """
    known = sorted([seconds[node] for node in nodes if node in seconds])
    if not known:
        return None
    usual = known[len(known) // 2]
    started = running or {}
    left: dict[int, float] = {}
    unknown = 0
    for node in nodes:
        if node >= edges:
            left[node] = 0.0
            continue
        unknown += node not in seconds
        left[node] = max(0.0, seconds.get(node, usual) - started.get(node, 0.0))
    paths = _paths(nodes, dependencies, left)
    work = sum(left.values())
    total = _laid_out(nodes, dependencies, left, paths, edges, jobs, frozenset(started)) if len(left) <= _EXACT else max(*paths.values(), work / jobs)
    return Estimate(total, work, unknown)


def _paths(nodes: Sequence[int], dependencies: Callable[[int], Sequence[int]], left: Mapping[int, float]) -> dict[int, float]:
    """For each node the longest time from its start to the end."""
    paths = dict.fromkeys(nodes, 0.0)
    for node in reversed(nodes):
        path = paths[node] = paths[node] + left[node]
        for above in dependencies(node):
            if above in paths and paths[above] < path:
                paths[above] = path
    return paths


def _laid_out(  # noqa: PLR0913, PLR0917  # the parts of one calculation
    nodes: Sequence[int],
    dependencies: Callable[[int], Sequence[int]],
    left: Mapping[int, float],
    paths: Mapping[int, float],
    edges: int,
    jobs: int,
    started: frozenset[int],
) -> float:
    """When the last edge ends, if each slot that becomes free takes the ready edge with the longest path."""
    waits: dict[int, int] = {}
    below: dict[int, list[int]] = {}
    free: list[int] = []
    busy: list[tuple[float, int]] = []
    for node in nodes:
        above = [each for each in dependencies(node) if each in left]
        waits[node] = len(above)
        for each in above:
            below.setdefault(each, []).append(node)
        if node in started:
            busy.append((left[node], node))
        elif not above:
            free.append(node)
    heapify(busy)
    ready: list[tuple[float, int]] = []
    now = 0.0
    while True:
        for node in free:  # grows while it is walked
            if node < edges:
                heappush(ready, (-paths[node], node))
            else:
                free += _released(node, below, waits, started)
        while ready and len(busy) < jobs:
            node = heappop(ready)[1]
            heappush(busy, (now + left[node], node))
        if not busy:
            return now
        now, ended = heappop(busy)
        free = _released(ended, below, waits, started)


def _released(ended: int, below: Mapping[int, Sequence[int]], waits: dict[int, int], started: frozenset[int]) -> list[int]:
    """What waited for nothing but a node that has ended."""
    found = []
    for node in below.get(ended, ()):
        waits[node] -= 1
        if not waits[node] and node not in started:
            found.append(node)
    return found
