"""Who runs when stages need more than a slot: CPUs, memory, GPUs, and things with names of the project's own.

Ready edges that need the same wait in one line, the longest path first. Among the lines whose first edge fits into what is free, the one with the
longest path starts next. So that an edge that needs much is not overtaken for ever, a line that was overtaken as often as there are CPUs reserves:

- Of lines that may reserve, the one that was overtaken most often does. If its first edge fits, that starts before all others.
- Until it fits, nobody else takes what it lacks, or so much of another thing that it would lack that.
- CPUs it reserves last, when they are all that it still lacks: no CPU stands idle for an edge that waits for something else.

What is reserved only becomes more, as what runs ends: so the edge starts when all has ended that ran when it began to reserve, and then, for its
CPUs, all that ran when the rest was there. Its line then begins anew, and another one reserves: each line has its turn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from heapq import heappop, heappush
from types import MappingProxyType
from typing import NamedTuple

from pipefile.model.stage import Resources

CPU, MEMORY, GPU = "cpu", "memory", "gpu"


class Room(NamedTuple):
    """What there is for all edges together.

    Args:
        totals: By name; memory in bytes.
        gpus: What each GPU is called in CUDA_VISIBLE_DEVICES; as many as *totals* has.
    """

    totals: Mapping[str, int]
    gpus: tuple[str, ...] = ()


class Grant(NamedTuple):
    """What an edge that runs has been given.

    Args:
        resources: How much of what.
        gpus: What its GPUs are called.
    """

    resources: Resources = MappingProxyType({CPU: 1})
    gpus: tuple[str, ...] = ()


ONE_CPU = Grant()


def lacking(demand: Resources, totals: Mapping[str, int]) -> tuple[str, ...]:
    """Names of what an edge needs more of than there is at all."""
    return tuple([name for name, amount in demand.items() if amount > totals.get(name, 0)])


class _Line:
    """Ready edges that need the same."""

    __slots__ = ("demand", "overtaken", "ready")

    def __init__(self, demand: Resources) -> None:
        self.demand = demand
        self.overtaken = 0  # how often another line has started an edge while the first one here was ready, and did not
        self.ready: list[tuple[int, float, int]] = []  # a heap: wave, longest path first, edge


class Lines:
    """Ready edges, and what is free for them.

    Args:
        room: What there is.
        demands: Edge -> what it needs, at most what there is; those that are left out need a CPU, as all do that do not say how many.
    """

    def __init__(self, room: Room, demands: Mapping[int, Resources]) -> None:
        self._free = dict(room.totals)
        self._patience = room.totals[CPU]
        self._ids = list(room.gpus)
        self._demands = {edge: _whole(demand) for edge, demand in demands.items()}
        self._plain = _whole({})
        self._lines: dict[tuple[tuple[str, int], ...], _Line] = {}
        self._taken: dict[int, Grant] = {}

    def need(self, edge: int, demand: Resources) -> None:
        """An edge that does not run needs something else from now on."""
        self._demands[edge] = _whole(demand)

    def demand(self, edge: int) -> Resources:
        """What an edge needs."""
        return self._demands.get(edge, self._plain)

    def push(self, entry: tuple[int, float, int]) -> None:
        """An edge is ready: wave, minus the length of its path, edge."""
        demand = self.demand(entry[2])
        name = tuple(sorted(demand.items()))
        line = self._lines.get(name)
        if line is None:
            line = self._lines[name] = _Line(demand)
        elif not line.ready:
            line.overtaken = 0
        heappush(line.ready, entry)

    def clear(self) -> None:
        """No edge is ready any more."""
        for line in self._lines.values():
            line.ready.clear()

    def start(self, is_ready: Callable[[int], bool], wave: int | None, allowed: Callable[[int], bool] | None) -> int | None:
        """Take what the next edge needs, and give the edge; None while none may start.

        Args:
            is_ready: Whether an edge is still to be started.
            wave: The last wave that may start; None for any.
            allowed: Asked last; where it says no, nothing starts.
        """
        waiting = self._heads(is_ready, wave)
        if not waiting:
            return None
        reserving = max(waiting, key=lambda line: line.overtaken)
        if reserving.overtaken < self._patience:
            reserved: Mapping[str, int] = {}
        elif self._fits(reserving.demand, {}):
            return self._take(reserving, waiting, allowed)
        else:
            reserved = self._reserved(reserving.demand)
        for line in sorted(waiting, key=lambda line: line.ready[0]):
            if self._fits(line.demand, reserved):
                return self._take(line, waiting, allowed)
        return None

    def free(self, edge: int) -> None:
        """An edge that was started has no more use for what it took."""
        taken = self._taken.pop(edge)
        for name, amount in taken.resources.items():
            self._free[name] += amount
        if taken.gpus:
            self._ids = sorted([*self._ids, *taken.gpus], key=_number)

    def hand_over(self, edge: int, other: int) -> None:
        """What an edge that was started has taken is another one's now."""
        self._taken[other] = self._taken.pop(edge)

    def more(self, edge: int) -> int:
        """How many more edges that need the same as one that was started find it free."""
        return min(self._free[name] // amount for name, amount in self._taken[edge].resources.items() if amount)

    def granted(self, edge: int) -> Grant:
        """What an edge that was started has taken."""
        return self._taken[edge]

    # Within

    def _heads(self, is_ready: Callable[[int], bool], wave: int | None) -> list[_Line]:
        found = []
        for line in self._lines.values():
            ready = line.ready
            while ready and not is_ready(ready[0][2]):  # ended without a start
                heappop(ready)
            if ready and (wave is None or ready[0][0] <= wave):
                found.append(line)
        return found

    def _fits(self, demand: Resources, reserved: Mapping[str, int]) -> bool:
        free = self._free
        return all(amount <= free[name] - reserved.get(name, 0) for name, amount in demand.items())

    def _reserved(self, demand: Resources) -> Mapping[str, int]:
        """What nobody else may take: all that is free of what the edge lacks, and what it needs of the rest."""
        free = self._free
        others = {name: amount for name, amount in demand.items() if name != CPU}
        if all(amount <= free[name] for name, amount in others.items()):
            return {**others, CPU: free[CPU]}
        return others

    def _take(self, line: _Line, waiting: Iterable[_Line], allowed: Callable[[int], bool] | None) -> int | None:
        edge = line.ready[0][2]
        if allowed is not None and not allowed(edge):
            return None
        heappop(line.ready)
        for other in waiting:
            other.overtaken += 1
        line.overtaken = 0
        for name, amount in line.demand.items():
            self._free[name] -= amount
        count = line.demand.get(GPU, 0)
        self._taken[edge] = Grant(line.demand, tuple(self._ids[:count]))
        del self._ids[:count]
        return edge


def _whole(demand: Resources) -> Resources:
    """A demand with its CPU."""
    return {CPU: 1, **demand}


def _number(name: str) -> tuple[int, str]:
    return (int(name), name) if name.isdecimal() else (1 << 30, name)
