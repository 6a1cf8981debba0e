"""What the edges of one build need while they run, and what this machine has of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from pipefile.base.errors import GraphError, InputError, ResourceError
from pipefile.base.locations import Place
from pipefile.base.paths import show
from pipefile.engine.decide import Decider
from pipefile.engine.session import Session
from pipefile.model.graph import Edge
from pipefile.model.options import Options
from pipefile.model.stage import Resources
from pipefile.plan.fallback import fallback_edge
from pipefile.plan.resources import CPU, GPU, MEMORY, Lines, Room, lacking


class Needs:
    """What edges need.

    Args:
        session: The project.
        options: How many CPUs there are, and where GPUs are named already.
        edges: All that may run.

    Attributes:
        lines: Who runs; None where every edge needs a CPU and nothing else.
    """

    def __init__(self, session: Session, options: Options, edges: Sequence[Edge]) -> None:
        self._session = session
        self._demands: dict[int, Resources] = {}
        self._fallbacks: dict[int, Resources] = {}
        self._collect(edges)
        self.lines: Lines | None = None
        if self._demands or self._fallbacks:
            room = _room(session, options, [*self._demands.values(), *self._fallbacks.values()])
            self._totals = room.totals
            self.lines = Lines(room, self._demands)

    def _collect(self, edges: Sequence[Edge]) -> None:
        self._demands.update({edge.id: edge.stage.resources for edge in edges if edge.stage.resources})
        for edge in edges:
            if edge.stage.fallback:
                found = fallback_edge(edge, self._session.graph).stage.resources
                if found != edge.stage.resources:
                    self._fallbacks[edge.id] = found

    def add(self, edges: Sequence[Edge]) -> None:
        """More edges may run: instances of stages for which one edge of those before has stood."""
        self._collect(edges)
        lines = self.lines
        for edge in edges if lines is not None else ():
            if lines is not None and edge.stage.resources:
                lines.need(edge.id, edge.stage.resources)

    def forget(self, edges: Iterable[int]) -> None:
        """Edges that were added are none after all."""
        for edge in edges:
            self._demands.pop(edge, None)
            self._fallbacks.pop(edge, None)
            if self.lines is not None:
                self.lines.need(edge, {})

    def fault(self, edge: int) -> ResourceError | None:
        """Why an edge can never run, or its fallback cannot; None if nothing is in its way."""
        for demand, fallback in ((self._demands.get(edge), False), (self._fallbacks.get(edge), True)):
            missing = lacking(demand, self._totals) if demand else ()
            if demand and missing:
                stage = self._session.graph.edges[edge].stage
                name = stage.fallback if fallback and isinstance(stage.fallback, str) else stage.name
                return self._error(name, missing[0], demand[missing[0]])
        return None

    def cpus(self, edge: int) -> int:
        """How many CPUs an edge that is about to start asks for."""
        return 1 if self.lines is None else self.lines.demand(edge).get(CPU, 1)

    def check(self, edges: Iterable[Edge], decider: Decider, force: bool) -> None:
        """Find edges that can never run, before anything does. One that is fresh as things stand is none of them.

        Raises:
            ResourceError: There is one.
        """
        for fault in self.faults(edges, decider, force):
            self._session.locate(fault)
            raise fault

    def faults(self, edges: Iterable[Edge], decider: Decider, force: bool = False) -> Iterator[ResourceError]:
        """What `check` finds, all of it."""
        for edge in edges if self.lines is not None else ():
            fault = self.fault(edge.id)
            if fault is not None and (force or not _is_fresh(edge, decider)):
                yield fault

    def fall_back(self, edge: int) -> None:
        """The fallback of an edge runs next."""
        if self.lines is not None and edge in self._fallbacks:
            self.lines.need(edge, self._fallbacks[edge])

    def _error(self, name: str, what: str, amount: int) -> ResourceError:
        there = self._totals.get(what, 0)
        stage = self._session.pipeline.stages[name]
        place = Place(show(stage.file), ("stage", name, "resources"), f"`{show(name)}`")
        if what == CPU:
            return ResourceError(f"stage `{show(name)}` needs {amount} CPUs, and `-j` is {there}", (place,), f"`-j {amount}` is enough")
        hint = "`[resources]` says how many there are" if what in self._session.pipeline.resources else ""
        if what == MEMORY:
            return ResourceError(f"stage `{show(name)}` needs {_size(amount)} of memory, and there are {_size(there)}", (place,), hint)
        if self._session.pipeline.resources.get(what) == "auto":
            hint = "they are counted by `nvidia-smi`, or by CUDA_VISIBLE_DEVICES"
        return ResourceError(f"stage `{show(name)}` needs {amount} of `{show(what)}`, and there are {there}", (place,), hint)


def _is_fresh(edge: Edge, decider: Decider) -> bool:
    try:
        return decider.decide(edge).fresh
    except (InputError, GraphError):
        return False


def _room(session: Session, options: Options, demands: Sequence[Resources]) -> Room:
    """What there is of all that anybody needs: nothing else is looked for."""
    from pipefile.execute import machine

    declared = session.pipeline.resources
    totals = {CPU: options.jobs}
    gpus: tuple[str, ...] = ()
    for name in {name for demand in demands for name in demand}:
        found = declared.get(name)
        if name == GPU:
            gpus = machine.gpus({**session.pipeline.dotenv, **options.environ}, found if isinstance(found, int) else None)
            totals[name] = len(gpus)
        elif isinstance(found, int):
            totals[name] = found
        elif name == MEMORY:
            totals[name] = machine.memory()
    return Room(totals, gpus)


def _size(amount: int) -> str:
    for unit, length in (("TB", 10**12), ("GB", 10**9), ("MB", 10**6)):
        if amount >= length:
            return f"{amount / length:.4g}{unit}"
    return f"{amount}B"
