"""Graphs that grow: stages whose items other stages make (plan/fanout.py).

A build begins with one edge for all instances of such a stage. When nothing is left that this edge waits for, the graph is resolved once more, with
the instances in its place, and the running build goes on with that: edges keep their numbers, so that whoever holds one need not know of it, and the
schedule joins what is new to what it has given out. What does not fit together then is a failure of that stage, and of no other.

Who only looks at a project takes the items as they stand: those of the last time.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Container, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pipefile.base.dataclass import dataclass, replace
from pipefile.base.errors import PipefileError
from pipefile.engine.extra import extra_dependencies
from pipefile.engine.outlook import seconds_before
from pipefile.model.event import PlanMade
from pipefile.model.graph import Edge, FanOut, Graph
from pipefile.plan.fanout import Known
from pipefile.store.record import record_path

if TYPE_CHECKING:
    from pipefile.engine.decide import Decider
    from pipefile.engine.naming import Naming
    from pipefile.engine.needs import Needs
    from pipefile.engine.parts import Work
    from pipefile.engine.places import Places
    from pipefile.engine.reuse import Reuse
    from pipefile.engine.session import Session
    from pipefile.engine.temps import Temps
    from pipefile.model.ports import Outlook
    from pipefile.plan.schedule import Schedule


def open_stages(graph: Graph) -> dict[str, FanOut]:
    """The stages whose items are not known."""
    return {stage: fanout for stage, fanout in graph.fanouts.items() if fanout.edge >= 0}


# -- looking


def as_it_stands(session: Session, without: Container[int] = (), before: Sequence[str] = ()) -> Graph:
    """The graph of a project as far as it is known without a build: items that stages make are those that they have made last.

    Args:
        session: The project; its `known` is set.
        without: Edges that stand for instances, and go on doing so.
        before: As for `resolve`.
    """
    graph, known = session.graph, dict[str, frozenset[str]]()
    tried = {stage for stage, fanout in open_stages(graph).items() if fanout.edge in without}
    while True:
        unknown = {fanout.edge for fanout in open_stages(graph).values()}
        left, maybe = session.conditions_of(graph)
        for maker in left:
            session.files.leave_out([output.path for output in graph.edges[maker].outputs])
        waiting = [(stage, fanout) for stage, fanout in open_stages(graph).items() if stage not in tried and fanout.edge not in left]
        ready = [stage for stage, fanout in waiting if unknown.isdisjoint(fanout.makers) and _stand(fanout, graph, (left, maybe), session)]
        if not ready:
            session.known = known
            return graph
        for stage in ready:
            tried.add(stage)
            more = {**known, stage: _names(graph.fanouts[stage].makers, graph)}
            try:
                graph = _resolved(session, more, before)
            except PipefileError:
                continue  # a build tells what is wrong; until then nothing is known of its items
            known = more


def leave_aside(session: Session, nodes: Sequence[int]) -> bool:
    """Take items as they stand where neither their stages nor who makes them are part of a build: it leaves as much of them in the index as it has
    found there.

    Args:
        session: The project.
        nodes: What the build is about.

    Returns:
        Whether there were any: all nodes may have other numbers then.
    """
    graph, needed = session.graph, frozenset(nodes)
    part = {fanout.edge for fanout in open_stages(graph).values() if fanout.edge in needed or not needed.isdisjoint(fanout.makers)}
    if len(part) == len(open_stages(graph)):
        return False
    found = as_it_stands(session, part, [edge.name for edge in graph.edges])
    if found is graph:
        return False
    _replace(graph, found)
    session.assumed = frozenset(session.known)
    session.condition()
    return True


def _resolved(session: Session, known: Known, before: Sequence[str] = ()) -> Graph:
    from pipefile.plan.resolve import resolve

    return resolve(session.pipeline, session.world, session.targets, known, before)


def _names(edges: Sequence[int], graph: Graph) -> frozenset[str]:
    return frozenset([graph.edges[edge].name for edge in edges])


def _stand(fanout: FanOut, graph: Graph, conditions: tuple[Container[int], Container[int]], session: Session) -> bool:
    """Whether all that the items of a stage come from has been made, some time.

    Makers that are left out, as *conditions* say, give none; nor do those that may be and have made nothing: when they run, all of it is anew.
    """
    left, maybe = conditions
    stands = {maker: _has_made(graph.edges[maker], session) for maker in fanout.makers if maker not in left}
    return (any(stands.values()) or not fanout.makers) and all(stood or maker in maybe for maker, stood in stands.items())


def _has_made(edge: Edge, session: Session) -> bool:
    paths = [output.path for output in edge.outputs if not (output.optional or output.checkpoint)]
    return all(session.disk.lstat(path) is not None and session.disk.lstat(record_path(path)) is not None for path in paths)


# -- building


@dataclass(frozen=True, slots=True)
class Concerned:
    """What a build is about; changed in place when its graph grows.

    Args:
        targets: What was asked for.
        nodes: The closure of that, each after what it needs.
        extra: Edge -> edges that it needs besides, for discovered inputs.
        requested: The edges that were asked for.
    """

    targets: Sequence[str]
    nodes: list[int]
    extra: dict[int, tuple[int, ...]]
    requested: list[int]


@dataclass(frozen=True, slots=True)
class Joined:
    """What of a build has to know of new edges.

    Args:
        needs: What edges need while they run.
        places: Where they write.
        reuse: What an earlier run has made.
        naming: Knows which files edges read.
        temps: Temporary outputs; None where there are none.
        taken_over: The builder before was killed.
    """

    needs: Needs
    places: Places
    reuse: Reuse
    naming: Naming
    temps: Temps | None
    taken_over: bool


class Growth:
    """Lets the graph of one build grow.

    Args:
        work: What the build works with.
        concerned: What it is about.
        joined: What has to know of new edges.

    Attributes:
        waiting: Edges that stand for instances whose items are known by now.
        refused: Whether anything did not fit together.
    """

    def __init__(self, work: Work, concerned: Concerned, joined: Joined) -> None:
        self._work = work
        self._session = work.session
        self._decider: Decider = work.decider
        self._concerned = concerned
        self._joined = joined
        self._before: list[Sequence[Edge]] = []  # what was resolved before: digests of sets are known by the ids of these
        self.waiting: list[int] = []
        self.refused = False

    def takes(self, number: int) -> bool:
        """Whether an edge stands for instances; they are made at the next `grow`."""
        if not any(fanout.edge == number for fanout in self._session.graph.fanouts.values()):
            return False
        self.waiting.append(number)
        return True

    def step(self, queue: Collection[int], schedule: Schedule, refuse: Callable[[int, str], None], outlook: Outlook) -> bool:
        """Put instances in the place of all edges that wait for that, if it is the time.

        Args:
            queue: Edges that are to be decided before.
            schedule: What has not ended; it goes on with the instances.
            refuse: Takes edges in whose place nothing could be put, and why not.
            outlook: As PlanMade has it.

        Returns:
            Whether there were any.
        """
        if not self.waiting or queue or schedule.stopping or schedule.is_reopened:
            return False
        faults = self._grow_all(schedule)
        count = len(self._session.graph.edges)
        self._work.emit(PlanMade(sum(node < count for node in self._concerned.nodes), 0, outlook, grown=True))
        for number, error in faults:
            refuse(number, str(error).removeprefix("error: "))
        return True

    def _grow_all(self, schedule: Schedule) -> list[tuple[int, PipefileError]]:
        """The edges in whose place nothing could be put, and why not."""
        numbers, self.waiting = self.waiting, []
        faults: list[tuple[int, PipefileError]] = []
        if len(numbers) > 1:
            try:
                self._grow(numbers, schedule)
                numbers = []
            except PipefileError:
                pass  # one after the other tells which of them is at fault
        for number in numbers:
            try:
                self._grow([number], schedule)
            except PipefileError as error:
                self._session.locate(error)
                self.refused = True
                faults.append((number, error))
        return faults

    def _grow(self, numbers: Sequence[int], schedule: Schedule) -> None:
        session, graph = self._session, self._session.graph
        stages = [stage for stage, fanout in graph.fanouts.items() if fanout.edge in numbers]
        known = {**session.known, **{stage: _names(graph.fanouts[stage].makers, graph) for stage in stages}}
        saved, left_out, skipped, maybe = _copy(graph), dict(session.left_out), set(session.files.left_out), session.open
        _replace(graph, _resolved(session, known, [edge.name for edge in graph.edges]))
        try:
            more = self._joinable(stages, len(saved.edges), numbers)
        except PipefileError:  # others get the numbers of these instances: nothing is to be known of them
            new = range(len(saved.edges), len(graph.edges))
            _replace(graph, saved)
            session.left_out.clear()
            session.left_out.update(left_out)
            session.files.left_out = skipped
            session.open = maybe
            self._decider.grown([*numbers, *new])
            self._joined.needs.forget(new)
            raise
        self._before.append(saved.edges)
        session.files.seen.clear()  # they were taken before stages made what is there now
        session.known = known
        concerned = self._concerned
        concerned.nodes[:], concerned.requested[:] = more.nodes, more.requested
        concerned.extra.clear()
        concerned.extra.update(more.extra)
        schedule.grow(concerned.nodes, concerned.extra, seconds_before(session), numbers)
        self._joined.naming.grown()
        if self._joined.temps is not None:
            self._joined.temps.grown(concerned.nodes, concerned.extra, numbers)
        self._tell_empty(stages)

    def _joinable(self, stages: Sequence[str], count: int, numbers: Sequence[int]) -> Concerned:
        """What the build is about with the instances of *stages*.

        Args:
            stages: Whose items are known now.
            count: How many edges there were before.
            numbers: Of these, those that stood for the instances.

        Raises:
            PipefileError: They do not fit to what is there already.
        """
        session, graph, work = self._session, self._session.graph, self._work
        self._decider.grown(numbers)
        session.condition()
        if not work.options.allow_removal:
            from pipefile.engine import losses

            losses.check(session, self._decider, stages)
        requested = session.select(self._concerned.targets)
        if work.options.alone:
            from pipefile.engine.debug import check_debug, check_trace

            (check_debug if work.options.debug else check_trace)(session, work.options.alone)
        nodes, extra = extra_dependencies(session, self._decider, requested)
        edges = [graph.edges[node] for node in nodes if node < len(graph.edges) and node not in session.left_out]
        new = [edge for edge in edges if (edge.id >= count or edge.id in numbers) and not any(f.edge == edge.id for f in graph.fanouts.values())]
        joined = self._joined
        joined.places.check(new)
        joined.places.check_links(edges)
        if joined.taken_over:
            joined.places.remove_left(new)
        joined.needs.add(new)
        joined.needs.check(new, self._decider, work.options.force)
        if work.options.from_stage:
            from pipefile.engine.resume import plan_resume

            joined.reuse.resume = plan_resume(session, self._decider, work.options, nodes, extra, joined.reuse.found)
        return Concerned(self._concerned.targets, nodes, extra, list(requested))

    def _tell_empty(self, stages: Sequence[str]) -> None:
        from pipefile.engine import losses

        for text in losses.empty(self._session, stages):
            self._work.warn(text)


def _copy(graph: Graph) -> Graph:
    parts: dict[str, Any] = {}
    for name in Graph.__match_args__:
        part = getattr(graph, name)
        parts[name] = dict(part) if isinstance(part, Mapping) else list(part) if isinstance(part, Sequence) else part
    return replace(graph, **parts)


def _replace(graph: Graph, other: Graph) -> None:
    """Make *graph* what *other* is. Everybody who works on a build holds it."""
    for name in Graph.__match_args__:
        ours: Any = getattr(graph, name)
        theirs: Any = getattr(other, name)
        if isinstance(theirs, Mapping):
            ours.clear()
            ours.update(theirs)
        elif isinstance(theirs, Sequence):
            ours[:] = theirs
        else:
            object.__setattr__(graph, name, theirs)  # what pattern rules make, which is looked up where it is needed
