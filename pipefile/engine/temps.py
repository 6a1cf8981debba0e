"""Temporary outputs: removed when all that need them are done, counted as what they were, made again when something needs their bytes.

One that is gone is a State of kind "gone" with the digest of its record: whoever only compares never notices. An edge that has to run, and reads one,
waits until its maker has run once more, or was restored: the maker is *reopened*. What depends on a reopened edge waits for it, and it waits itself
for those of them that run. If it makes other bytes than before, those that had ended already are reopened in turn, and decided again.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from pipefile.base.errors import InputError
from pipefile.base.paths import BadPathError, normalise, show, within
from pipefile.engine.decide import Decider, Decision
from pipefile.engine.files import GONE, NOTHING, State
from pipefile.engine.places import Places
from pipefile.engine.reuse import Reuse
from pipefile.engine.session import Session
from pipefile.model.graph import Edge, FileSet, Graph
from pipefile.model.options import Options
from pipefile.model.record import Reason
from pipefile.plan.fallback import fallback_edge

if TYPE_CHECKING:
    from pipefile.engine.tally import Tally
    from pipefile.plan.schedule import Schedule

MOST_TIMES = 2
"""How often an edge makes again in one build what was removed in it: after that it is kept to the end."""


def asked_for(session: Session, names: Sequence[str]) -> frozenset[str]:
    """The temporary outputs that targets stand for by their own names, or those of their stages: they are made, and they are kept.

    Args:
        session: The project.
        names: Targets; () for those of `default`, if there is one.
    """
    graph, aliases = session.graph, session.pipeline.aliases
    if not graph.temps:
        return frozenset()
    found: set[str] = set()
    opened: set[str] = set()
    todo = list(names or session.pipeline.settings.default or ())
    while todo:
        name = todo.pop()
        if name in aliases:
            if name not in opened:
                opened.add(name)
                todo += aliases[name]
            continue
        edges = graph.by_stage.get(name, ())
        if not edges and "@" in name:
            edges = tuple([number for number in session.select((name,)) if graph.edges[number].name == name])
        if edges:
            found.update(output.path for number in edges for output in graph.edges[number].outputs if output.temp)
            continue
        try:
            path = normalise(name)
        except BadPathError:
            continue
        if path in graph.producer:
            found.update({path}.intersection(graph.temps))
        else:
            found.update(each for each in graph.temps if path == "." or within(each, path) or within(path, each))
    return frozenset(found)


def needs_gone(session: Session, edge: Edge, others: Iterable[str]) -> dict[int, str]:
    """Edges that have to make again what an edge reads, with one path of each.

    Args:
        session: The project; what is gone is known (engine/decide.py).
        edge: One that will run.
        others: What it reads besides its declared inputs: discovered inputs, code.
    """
    graph, known = session.graph, session.files.known
    found: dict[int, str] = {}

    def add(path: str) -> None:
        maker = graph.temps.get(path, edge.id)
        if maker != edge.id and known.get(path, NOTHING).kind == GONE:
            found.setdefault(maker, path)

    needs = edge.needs
    if edge.stage.fallback and isinstance(edge.stage.fallback, str):
        needs += fallback_edge(edge, graph).needs
    for need in needs:
        for path in need.files.paths if need.files is not None else ():
            add(path)
    for path in (*others, *edge.literal):
        add(path)
    if edge.stage.depfile or edge.stage.audit == "track":  # what will be found is not known
        for number in graph.order.get(edge.id, ()):
            for output in graph.edges[number].outputs:
                add(output.path)
    return found


class Temps:
    """The temporary outputs of one build.

    Args:
        session: The project.
        decider: Knows what is gone.
        options: What was asked for.
        places: Removes them.
        reuse: Keeps them before they are removed.
        warn: Takes warnings.
    """

    def __init__(  # the parts of a build that it joins
        self, session: Session, decider: Decider, options: Options, places: Places, reuse: Reuse, warn: Callable[[str], None]
    ) -> None:
        self._session = session
        self._graph: Graph = session.graph
        self._files = session.files
        self._decider = decider
        self._places = places
        self._reuse = reuse
        self._warn = warn
        self._asked_for = (options.debug,) if options.debug else options.targets
        self._kept = self._found_kept()
        self._needed: set[str] | None = None
        self._sets: dict[int, list[str]] = {}
        self._reads: dict[int, list[str]] = {}
        self._left: dict[str, set[int]] = {}
        self._used: set[str] = set()
        self._done: set[int] = set()
        self._reopened: dict[int, dict[str, str]] = {}
        self._wanted: dict[int, Reason] = {}
        self._times: dict[int, int] = {}  # how often an edge was reopened because something that it made was wanted
        self._over = False
        self.doubt: Callable[[Sequence[str]], None] = lambda _: None
        """Has the keys made anew of edges that are ready."""
        self._held: set[int] = set()
        self._to_check: set[str] = set()

    def join(self, schedule: Schedule, tally: Tally, extra: Mapping[int, tuple[int, ...]]) -> None:
        """Begin with a build of what is in a schedule. *extra*: edges that some need besides what the graph says."""
        self._schedule, self._tally = schedule, tally
        tally.after = self.ended
        tally.is_open = self._has_gone
        self._look_at(schedule.order, extra)

    def _look_at(self, nodes: Sequence[int], extra: Mapping[int, tuple[int, ...]]) -> None:
        for node in nodes:
            if node < len(self._graph.edges):
                edge = self._graph.edges[node]
                discovered = self._decider.known_discovered(edge) if self._decider.has_discovered(edge) else ()
                paths = [path for path in self._read_by(edge, extra.get(node, ()), discovered) if self._graph.temps[path] != node]
                if paths:
                    self._reads[node] = paths
                    for path in paths if node not in self._done else ():
                        self._left.setdefault(path, set()).add(node)
        self._used.update(self._left)

    def grown(self, nodes: Sequence[int], extra: Mapping[int, tuple[int, ...]], replaced: Iterable[int]) -> None:
        """The graph has grown: *nodes* are concerned now, and others have come in the place of those that were *replaced*."""
        for number in replaced:
            for path in self._reads.pop(number, ()):
                self._left[path].discard(number)
        self._sets.clear()
        self._needed = None
        self._kept = self._found_kept()
        self._look_at(nodes, extra)
        self._to_check.update(self._left)

    def _found_kept(self) -> frozenset[str]:
        """What was asked for, and what the items of other stages come from: these are looked for in every build."""
        graph = self._graph
        makers = {maker for fanout in graph.fanouts.values() for maker in fanout.makers}
        return asked_for(self._session, self._asked_for) | {path for path, maker in graph.temps.items() if maker in makers}

    def _read_by(self, edge: Edge, extra: Sequence[int] = (), discovered: Sequence[str] = ()) -> Iterable[str]:
        """Temporary outputs that an edge reads, or may read: all of a stage that merely comes before it."""
        temps = self._graph.temps
        found = [path for path in (*edge.literal, *discovered) if path in temps]
        for need in edge.needs:
            if need.files is not None:
                found += self._in_set(need.files)
        for number in (*self._graph.order.get(edge.id, ()), *extra):
            found += [output.path for output in self._graph.edges[number].outputs if output.temp]
        return dict.fromkeys(found)

    def _in_set(self, files: FileSet) -> list[str]:
        found = self._sets.get(id(files))  # it lives as long as the graph
        if found is None:
            found = self._sets[id(files)] = [path for path in files.paths if path in self._graph.temps]
        return found

    # -- deciding

    def waits(self, number: int) -> bool:
        """Whether an edge that is given out, or about to start, has to wait for one that was reopened."""
        if self._schedule.has_ended(number):  # skipped meanwhile
            return True
        above = self._above(number)
        if above:
            self._schedule.wait(number, above)
        return bool(above)

    def _above(self, number: int) -> list[int]:
        if not self._reopened:
            return []
        count = len(self._graph.edges)
        found: list[int] = []
        for node in self._schedule.dependencies(number):
            found += [each for each in (self._graph.groups[node - count] if node >= count else (node,)) if each in self._reopened]
        return list(dict.fromkeys(found))

    def reasons(self, edge: Edge) -> tuple[Reason, ...]:
        """Why an edge has to run although it is fresh."""
        gone = [output.path for output in edge.outputs if output.temp and self._is_gone(output.path)]
        if gone and edge.id in self._wanted:
            return (self._wanted[edge.id],)
        return tuple([Reason("temp-asked", path) for path in gone if path in self._kept])

    def _is_gone(self, path: str) -> bool:
        return self._files.known.get(path, NOTHING).kind == GONE

    def _has_gone(self, edge: Edge) -> bool:
        return any(output.temp and self._is_gone(output.path) for output in edge.outputs)

    def lacks(self, edge: Edge, decision: Decision) -> bool:
        """Whether an edge that has to run lacks something that has to be made again: it waits then.

        Raises:
            InputError: That was made again, and is not there all the same.
        """
        makers = needs_gone(self._session, edge, (*decision.discovered, *decision.code))
        for maker, path in makers.items():
            if maker in self._reopened:
                continue
            if maker in self._wanted or maker not in self._done:
                raise InputError(f"`{show(path)}`, a temporary output of stage `{show(self._graph.edges[maker].name)}`, is not there")
            self._wanted[maker] = Reason("temp", path, new=edge.name)
            self._times[maker] = self._times.get(maker, 0) + 1
            self._reopen(maker)
        if makers:
            self._schedule.wait(edge.id, list(makers))
        return bool(makers)

    def _reopen(self, number: int) -> None:
        self._done.discard(number)
        for path in self._reads.get(number, ()):
            self._left[path].add(number)
        self._reopened[number] = self._outputs(number)
        self._schedule.reopen(number)
        self._tally.reopen(number)

    def _outputs(self, number: int) -> dict[str, str]:
        edge = self._graph.edges[number]
        return {path: self._files.output_digest(path) for path in (*[output.path for output in edge.outputs], *self._decider.named(edge))}

    # -- running

    def put_off(self, number: int, decisions: dict[int, Decision]) -> bool:
        """Whether an edge that is about to start cannot: what reads its outputs has to end first, or what it needs is to be made again."""
        if number in self._reopened and any(self._schedule.is_busy(each) for each in self._schedule.dependents(number)):
            self._schedule.put_back(number)
            self._held.add(number)
            return True
        if not self.waits(number):
            return False
        del decisions[number]
        return True

    def ended(self, number: int) -> None:
        """An edge has ended well."""
        before = self._reopened.pop(number, None)
        self._done.add(number)
        for path in self._reads.get(number, ()):
            self._left[path].discard(number)
            self._to_check.add(path)
        self._to_check.update([output.path for output in self._graph.edges[number].outputs if output.temp])
        if before is not None and before != self._outputs(number):
            self.doubt(())  # some may wait with a key of the bytes before
            for below in self._schedule.dependents(number):
                if below in self._done:
                    self._reopen(below)

    def step(self) -> None:
        """Remove what is not needed any more, and let go on what waited for others to end."""
        for number in [each for each in self._held if not any(map(self._schedule.is_busy, self._schedule.dependents(each)))]:
            self._held.discard(number)
            if not self._schedule.has_ended(number):
                self._schedule.mark_ready(number)
        for path in list(self._to_check):
            may_go = self._may_go(path)
            if may_go and self._is_put_off(self._graph.temps[path]):
                continue
            self._to_check.discard(path)
            if may_go:
                self._remove(path)

    def close(self) -> None:
        """Nothing runs any more: remove what is left to be removed."""
        self._over = True
        self.step()

    def _is_put_off(self, maker: int) -> bool:
        """Whether what an edge has made, and is not needed any more, stays for now: the cache has still to take it in, or it was wanted so often that
        it stays to the end. Makers that never make the same could want each other for ever otherwise."""
        return self._reuse.holds(maker) or (self._times.get(maker, 0) >= MOST_TIMES and not self._over)

    def _may_go(self, path: str) -> bool:
        maker = self._graph.temps[path]
        if path in self._kept or maker not in self._done or self._left.get(path):
            return False
        return path in self._used or path not in self._needed_by_others()

    def _needed_by_others(self) -> set[str]:
        """All that any stage reads: what none of this build needs is kept for another one, if there is such."""
        if self._needed is None:
            self._needed = {path for edge in self._graph.edges for path in self._read_by(edge) if self._graph.temps[path] != edge.id}
        return self._needed

    def _remove(self, path: str) -> None:
        files = self._files
        try:
            state = files.output(path)
            if state.kind not in ("file", "directory") or not files.same(path, state):
                return  # somebody has changed it since
            output = next(each for each in self._graph.edges[self._graph.temps[path]].outputs if each.path == path)
            self._places.remove(output)
        except InputError:
            return
        except OSError as error:
            self._warn(f"temporary output `{show(path)}` cannot be removed: {os.strerror(error.errno or 0).lower()}")
            return
        for inner in files.members.pop(path, ((), ()))[0]:
            files.known.pop(inner, None)
        files.known[path] = State(GONE, state.digest, None, True)
        self._wanted.pop(self._graph.temps[path], None)  # it may be wanted once more
