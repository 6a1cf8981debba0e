"""What can be decided, what starts next: the scheduler, without processes, files or a clock.

A node of the graph goes one way: waiting -> given out to be decided -> (ready -> running ->) ended. An edge is given out when all that it depends on
has ended, so its inputs are final; groups end by themselves. One that rides runs in the place of another edge, which takes it along. Below a failure
everything is skipped at once, whatever else it waits for. All is kept in flat lists over node numbers, and each dependency is looked at once when it
is built and once when it ends: 100,000 edges cost a tenth of a second.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from heapq import heappop, heappush
from typing import Literal

from pipefile.model.graph import Graph
from pipefile.plan.cycles import in_order
from pipefile.plan.resources import Lines

Outcome = Literal["fresh", "ran", "failed", "skipped", "left"]

_ABSENT, _WAITING, _GIVEN, _READY, _RUNNING, _FREED, _RIDING, _ENDED = range(8)


class Schedule:
    """The state of one build.

    The engine asks `decidable`, says of each edge `end(edge, "fresh")` or `mark_ready(edge)`, starts what `start` gives, and says `end` when it
    is over, until `done`. It may `free` the slot of an edge before that, so that another runs while it looks at what the first has made.

    Args:
        graph: All edges.
        order: The nodes concerned, edges and groups, each after what it depends on in *graph*. What is not among them counts as ended.
        extra: Edge -> edges that it needs besides, for inputs found by an earlier run. They need not agree with *order*; those that would
            close a cycle are left out, see `dropped`.
        jobs: Edges that run at once, at least 1.
        keep_going: After a failure go on with what does not need the failed edge.
        barrier: Start an edge only when all edges of lower waves have ended.
        weights: Edge -> seconds of an earlier run. The others count as much as the median of these.
        lines: Who runs, where edges need more than a slot; None where all need one alone. A line's CPUs are *jobs*.
    """

    def __init__(  # noqa: PLR0913  # a dataclass for these would be made once, by the only caller
        self,
        graph: Graph,
        order: Sequence[int],
        extra: Mapping[int, tuple[int, ...]] | None = None,
        *,
        jobs: int = 1,
        keep_going: bool = False,
        barrier: bool = False,
        weights: Mapping[int, float] | None = None,
        lines: Lines | None = None,
    ) -> None:
        self.stopping = False
        self.skipped: list[int] = []
        """Edges that will not run because something above them failed, in the order in which that was known."""
        self.dropped: tuple[int, ...] = ()
        """Edges whose *extra* dependencies were left out."""
        self._graph = graph
        self._edges = len(graph.edges)
        self._depends = graph.depends
        self._after = graph.order
        self._extra: Mapping[int, tuple[int, ...]] = extra or {}
        self._order = order
        self._jobs = jobs
        self._keep_going = keep_going
        self._weights = weights or {}
        self._priority: list[float] = []  # made when the first edge is ready: a build where all is fresh has no use for it
        self._running = 0
        self._freed = 0
        self._ready: list[tuple[int, float, int]] = []  # a heap: wave, longest path first, edge
        self._lines = lines
        self._barrier = barrier
        self._bad: set[int] = set()  # edges that have failed, and those below them
        self._decidable: list[int] = []
        self._build()

    def _build(self) -> None:
        nodes = len(self._depends)
        self._state = bytearray(nodes)
        state = self._state
        for node in self._order:
            state[node] = _WAITING
        self._left = sum(node < self._edges for node in self._order)
        if self._extra:
            self._arrange()
        self._waits = [0] * nodes
        # Dependents as linked lists in two flat ones: an object per node would cost the garbage collector more than the lists themselves.
        self._first = [-1] * nodes
        self._target: list[int] = []
        self._next: list[int] = []
        self._link()
        self._reopened: set[int] = set()
        self._holding: dict[int, list[int]] = {}  # edges that were reopened -> those that wait for them once more
        self._wave: list[int] = []
        self._wave_left: list[int] = []
        self._current = 0
        if self._barrier:
            self._count_waves()

    # Questions

    @property
    def done(self) -> bool:
        """Nothing runs, and nothing more will."""
        return not self._running and not self._freed and (self.stopping or not self._left)

    @property
    def running(self) -> int:
        """How many edges run."""
        return self._running

    @property
    def left(self) -> int:
        """How many edges have not ended."""
        return self._left

    @property
    def weights(self) -> Mapping[int, float]:
        """Edge -> seconds of an earlier run."""
        return self._weights

    @property
    def order(self) -> Sequence[int]:
        """The nodes, each after what it depends on."""
        return self._order

    def unended(self) -> list[int]:
        """The nodes that have not ended, each after what it depends on."""
        state = self._state
        return [node for node in self._order if state[node] != _ENDED]

    def dependencies(self, node: int) -> Sequence[int]:
        """The nodes that a node waits for, ended or not."""
        return self._dependencies(node)

    def dependents(self, edge: int) -> list[int]:
        """The edges that wait for an edge directly, ended or not."""
        found: list[int] = []
        todo = [edge]
        while todo:
            at = self._first[todo.pop()]
            while at >= 0:
                below = self._target[at]
                (found if below < self._edges else todo).append(below)
                at = self._next[at]
        return list(dict.fromkeys(found))

    def has_ended(self, edge: int) -> bool:
        return self._state[edge] == _ENDED

    @property
    def is_reopened(self) -> bool:
        """Whether any edge was reopened and has not ended again: what waits for it is not what the graph says."""
        return bool(self._reopened)

    def is_busy(self, edge: int) -> bool:
        """Whether an edge runs, by itself or with another one, or will run again after an attempt that failed."""
        return self._state[edge] in (_RUNNING, _FREED, _RIDING)

    # Events and commands

    def decidable(self) -> list[int]:
        """Edges whose inputs have become final since the last call, by id. None while stopping."""
        if self.stopping:
            return []
        found, self._decidable = self._decidable, []
        found.sort()
        state = self._state
        for edge in found:
            state[edge] = _GIVEN
        return found

    def mark_ready(self, edge: int) -> None:
        """A decided edge is stale and has to run. One that was skipped meanwhile, below an edge that was reopened, stays so."""
        if self._state[edge] == _ENDED:
            return
        if not self._priority:
            self._weigh()
        if self._state[edge] == _FREED:
            self._freed -= 1
        self._state[edge] = _READY
        self._push(edge)

    def start(self, allowed: Callable[[int], bool] | None = None) -> int | None:
        """The edge to start now; it counts as running from here on. None while no slot is free, nothing is ready, or all is stopping.

        Args:
            allowed: Asked of the edge that is next; where it says no, that stays ready, and nothing starts.
        """
        if self.stopping or self._running >= self._jobs:
            return None
        if self._lines is None:
            edge = self._plainly_next(allowed)
        else:
            edge = self._lines.start(self._is_ready, self._current if self._wave else None, allowed)
        if edge is not None:
            self._state[edge] = _RUNNING
            self._running += 1
        return edge

    def _plainly_next(self, allowed: Callable[[int], bool] | None) -> int | None:
        ready, state = self._ready, self._state
        while ready:
            wave, _, edge = ready[0]
            if state[edge] != _READY:  # ended without a start
                heappop(ready)
            elif (self._wave and wave > self._current) or (allowed is not None and not allowed(edge)):
                return None
            else:
                heappop(ready)
                return edge
        return None

    def _is_ready(self, edge: int) -> bool:
        return self._state[edge] == _READY

    def free(self, edge: int) -> None:
        """A running edge has left its slot: its action is over, and what is left to do is the engine's. `end` follows, or `mark_ready` for
        another attempt."""
        if self._state[edge] == _RUNNING:
            self._leave(edge)
            self._freed += 1
            self._state[edge] = _FREED

    def places(self, edge: int) -> int:
        """How many edges that need what a running one needs could run at once from now on, this one counted, if nothing else did."""
        free = self._jobs - self._running
        return 1 + (free if self._lines is None else min(free, self._lines.more(edge)))

    def ride(self, edge: int) -> bool:
        """Whether a ready edge may run in the place of another one; it counts as taken along then, until `end`, or `mark_ready`."""
        if self._state[edge] != _READY or (self._wave and self._wave[edge] > self._current):
            return False
        self._state[edge] = _RIDING
        return True

    def hand_over(self, edge: int, other: int) -> None:
        """A running edge leaves its place to one that it takes along, and rides with that."""
        self._state[edge], self._state[other] = _RIDING, _RUNNING
        if self._lines is not None:
            self._lines.hand_over(edge, other)

    def take_along(self, edge: int) -> None:
        """An edge that has run is to run once more in the place of one that is ready, or will be."""
        self.free(edge)
        if self._state[edge] == _FREED:
            self._freed -= 1
        self._state[edge] = _RIDING

    def _leave(self, edge: int) -> None:
        self._running -= 1
        if self._lines is not None:
            self._lines.free(edge)

    def end(self, edge: int, outcome: Outcome) -> None:
        """An edge has ended, whether it ran or was only decided.

        Below one that has "failed" or was "skipped" nothing runs. One that is "left" out lets go on what waits for it: who can do without its
        files, and who is left out in turn, is for the engine to say when these are given out.
        """
        state = self._state
        if state[edge] == _RUNNING:
            self._leave(edge)
        elif state[edge] == _FREED:
            self._freed -= 1
        state[edge] = _ENDED
        self._left -= 1
        if self._wave:
            self._wave_left[self._wave[edge]] -= 1
        if outcome in ("failed", "skipped"):
            self._bad.add(edge)
            if outcome == "skipped":
                self.skipped.append(edge)
            elif not self._keep_going:
                self.stopping = True
            self._skip_below(edge)
        elif edge in self._reopened:
            self._let_go(edge)
        else:
            self._release(edge)
        if self._wave:
            self._next_wave()

    def reopen(self, edge: int) -> None:
        """An edge that has ended well is given out once more: what it has made is not there any more, or what it has read is another by now."""
        self._state[edge] = _WAITING
        self._left += 1
        if self._wave:
            self._wave_left[self._wave[edge]] += 1
        self._reopened.add(edge)
        self._decidable.append(edge)

    def wait(self, edge: int, above: Sequence[int]) -> None:
        """An edge that was given out, or started just now, waits for edges that were reopened, and is given out again when all have ended well."""
        self.put_back(edge)
        self._state[edge] = _WAITING
        self._waits[edge] = len(above)
        for each in above:
            self._holding.setdefault(each, []).append(edge)

    def put_back(self, edge: int) -> None:
        """An edge that was started just now does not run yet: `mark_ready` follows."""
        if self._state[edge] == _RUNNING:
            self._leave(edge)
        self._state[edge] = _GIVEN

    def _let_go(self, edge: int) -> None:
        self._reopened.discard(edge)
        for below in self._holding.pop(edge, ()):
            self._waits[below] -= 1
            if not self._waits[below] and self._state[below] == _WAITING:
                self._decidable.append(below)

    def stop(self) -> None:
        """Start nothing any more."""
        self.stopping = True

    def grow(
        self, order: Sequence[int], extra: Mapping[int, tuple[int, ...]], weights: Mapping[int, float], replaced: Collection[int]
    ) -> None:
        """The graph has grown: its edges have kept their numbers and have new ones after them, its groups are others. What has been given out, is
        ready or runs goes on as it is.

        Args:
            order: The nodes that are concerned now, as in the beginning.
            extra, weights: As in the beginning.
            replaced: Edges that stood for others, which have come in their place.
        """
        before = {edge: state for edge, state in enumerate(self._state[: self._edges]) if state and edge not in replaced}
        self._edges = len(self._graph.edges)
        self._depends, self._after = self._graph.depends, self._graph.order
        self._extra, self._weights = extra, weights
        bad, concerned = self._bad, frozenset(order)
        begun = [edge for edge, was in before.items() if _WAITING < was < _ENDED and edge not in concerned]  # nobody needs them any more
        self._order = [*begun, *order]
        self._decidable = []
        self._build()
        state = self._state
        for edge, was in before.items():
            if was == _ENDED and state[edge]:
                self._left -= 1
                if self._wave:
                    self._wave_left[self._wave[edge]] -= 1
            if was > _WAITING:
                state[edge] = was
        for edge, was in before.items():
            if was == _ENDED and edge not in bad:
                self._release(edge)
        self._decidable = [edge for edge in self._decidable if state[edge] == _WAITING]
        for edge in sorted(bad):
            if state[edge] == _ENDED:
                self._skip_below(edge)
        self._priority, self._ready = [], []
        ready = [edge for edge in self._order if state[edge] == _READY]
        if self._lines is not None:
            self._lines.clear()
        if ready:
            self._weigh()
        for edge in ready:
            self._push(edge)
        if self._wave:
            self._next_wave()

    # Within

    def _push(self, edge: int) -> None:
        entry = (self._wave[edge] if self._wave else 0, -self._priority[edge], edge)
        if self._lines is None:
            heappush(self._ready, entry)
        else:
            self._lines.push(entry)

    def _dependencies(self, node: int) -> Sequence[int]:
        found = self._depends[node]
        if node in self._after:
            found = found + self._after[node]
        if node in self._extra:
            found = found + self._extra[node]
        return found

    def _link(self) -> None:
        depends, after, extra = self._depends, self._after, self._extra
        state, first, target, following, waits = self._state, self._first, self._target, self._next, self._waits
        plain = not after and not extra
        empty_groups: list[int] = []
        for node in self._order:
            count = 0
            for above in depends[node] if plain else self._dependencies(node):
                if state[above]:
                    following.append(first[above])
                    first[above] = len(target)
                    target.append(node)
                    count += 1
            waits[node] = count
            if not count:
                (self._decidable if node < self._edges else empty_groups).append(node)
        for group in empty_groups:
            if state[group] == _WAITING:
                state[group] = _ENDED
                self._release(group)

    def _release(self, node: int) -> None:
        """A node has ended well: what waited for nothing else goes on."""
        state, first, target, following, waits = self._state, self._first, self._target, self._next, self._waits
        at = first[node]
        groups: list[int] = []
        while True:
            while at >= 0:
                below = target[at]
                at = following[at]
                waits[below] -= 1
                if not waits[below] and state[below] == _WAITING:
                    if below < self._edges:
                        self._decidable.append(below)
                    else:
                        state[below] = _ENDED
                        groups.append(below)
            if not groups:
                return
            at = first[groups.pop()]

    def _skip_below(self, node: int) -> None:
        state, first, target, following = self._state, self._first, self._target, self._next
        todo = [node]
        found = []
        while todo:
            at = first[todo.pop()]
            while at >= 0:
                below = target[at]
                at = following[at]
                if state[below] != _ENDED:
                    state[below] = _ENDED
                    todo.append(below)
                    if below < self._edges:
                        found.append(below)
        found.sort()
        self.skipped += found
        self._bad.update(found)
        self._left -= len(found)
        if self._wave:
            for edge in found:
                self._wave_left[self._wave[edge]] -= 1

    def _weigh(self) -> None:
        """For each node the longest time from its start to the end of the build, as far as weights tell."""
        known = sorted(self._weights.values())
        usual = known[len(known) // 2] if known else 1.0
        weights, state, edges = self._weights, self._state, self._edges
        self._priority = priority = [0.0] * len(state)
        for node in reversed(self._order):
            if node < edges:
                priority[node] += weights.get(node, usual)
            path = priority[node]
            for above in self._dependencies(node):
                if priority[above] < path:  # noqa: PLR1730  # max() takes four times as long
                    priority[above] = path

    def _count_waves(self) -> None:
        """The waves of this build: those of the graph do not know of *extra*, and a barrier across a dependency would never open."""
        state, edges = self._state, self._edges
        level = [0] * len(state)  # for groups, the wave of what needs them
        self._wave_left = [0] * (len(self._order) + 1)
        for node in self._order:
            deepest = 0
            for above in self._dependencies(node):
                if state[above]:
                    below = level[above] + 1 if above < edges else level[above]
                    deepest = max(deepest, below)
            level[node] = deepest
            if node < edges:
                self._wave_left[deepest] += 1
        self._wave = level
        self._next_wave()

    def _next_wave(self) -> None:
        left = self._wave_left
        while self._current < len(left) - 1 and not left[self._current]:
            self._current += 1

    def _arrange(self) -> None:
        """Bring the order into agreement with *extra*, leaving out those that close a cycle: a cycle needs one of them, for the graph has none."""
        position = {node: at for at, node in enumerate(self._order)}
        extra = {edge: tuple(n for n in above if n in position and n != edge) for edge, above in self._extra.items() if edge in position}
        extra = {edge: tuple(n for n in dict.fromkeys(above) if n not in self._depends[edge]) for edge, above in extra.items()}
        self._extra = extra
        if all(position[n] < position[edge] for edge, above in extra.items() for n in above):
            return
        arranged = self._sorted()
        if len(arranged) < len(self._order):
            placed = set(arranged)
            self.dropped = tuple(sorted(edge for edge, above in extra.items() if above and edge not in placed))
            self._extra = {edge: above for edge, above in extra.items() if edge in placed}
            arranged = self._sorted()
        self._order = arranged

    def _sorted(self) -> list[int]:
        state = self._state
        return in_order(self._order, lambda node: [above for above in self._dependencies(node) if state[above]])
