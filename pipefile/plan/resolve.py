"""From stages to the graph: every input becomes files with whoever makes them, or a value; every fault in that is an error before anything runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import MappingProxyType

from pipefile.base.dataclass import constructor
from pipefile.base.errors import GraphError, meant
from pipefile.base.locations import Place
from pipefile.base.paths import BadPathError, join, normalise, show
from pipefile.model.graph import Edge, FanOut, FileSet, Graph, Need, OnDemand, ValueOf
from pipefile.model.ports import World
from pipefile.model.stage import Command, Pipeline, Stage
from pipefile.plan.checks import check_outputs
from pipefile.plan.classes import Classes
from pipefile.plan.closure import closure, select
from pipefile.plan.conditions import value_of
from pipefile.plan.cycles import CycleError, cycle_error, topological
from pipefile.plan.expand import expand
from pipefile.plan.fallback import before_fallback
from pipefile.plan.fanout import Known
from pipefile.plan.instances import MANY
from pipefile.plan.missing import missing_sources
from pipefile.plan.references import GlobalValue, References
from pipefile.plan.targets import Targets
from pipefile.plan.waiting import Waiting, renumbered
from pipefile.plan.words import literal_words

__all__ = ["closure", "missing_sources", "resolve", "select", "waves"]

_MANY = frozenset(["glob", "outputs", "late"])
_NOTHING: Known = MappingProxyType({})


def resolve(pipeline: Pipeline, world: World, targets: Sequence[str] = (), known: Known = _NOTHING, before: Sequence[str] = ()) -> Graph:
    """Join the stages of a pipeline by the files that they make and need.

    Time and memory are linear in the number of dependencies. Sources that do not exist are no fault yet: `missing_sources` looks for them where
    they are needed.

    Args:
        pipeline: What was declared.
        world: The disk, as far as references and globs need it.
        targets: What is asked for besides what the Pipefile asks for: pattern rules have instances for that.
        known: Stages whose items other stages have made by now, with the names of the edges that made them. One edge stands for the instances of
            each of the others.
        before: Names of edges that keep their numbers.

    Raises:
        GraphError: The stages do not fit together, or a name is not known.
    """
    return _Resolver(pipeline, world, targets, known, before).graph()


class _Resolver:
    def __init__(self, pipeline: Pipeline, world: World, targets: Sequence[str], known: Known, before: Sequence[str]) -> None:
        self.pipeline = pipeline
        expanded = expand(pipeline, world, known)
        late = expanded.late
        self.rules: OnDemand | None = None
        if expanded.rows:
            from pipefile.plan.demand import Demand  # few Pipefiles have pattern rules

            demand = Demand(pipeline, world, expanded)
            self.rules, expanded = demand.possible, demand.settled(targets)._replace(late=late)
        if before:
            expanded = renumbered(expanded, before, pipeline)
        self.stages, self.names, self.by_stage = expanded[:3]
        self.outputs = check_outputs(self.stages, self.names)
        self.producer, directories, *_ = self.outputs
        self.classes = Classes(self.outputs, self.names)
        self.references = References(pipeline, world, expanded, self.outputs, self.classes)
        self.waiting = Waiting(pipeline, expanded, known) if late else None
        fanouts = self.waiting.fanouts if self.waiting is not None else {}
        self.targets = Targets(pipeline, self.producer, self.by_stage, self.names, lambda: frozenset(directories), fanouts)
        self.known: dict[str, dict[str, FileSet | GlobalValue]] = {}
        self.need: Callable[..., Need] = constructor(Need, {}) if len(self.stages) >= MANY else Need
        self.words: dict[int, tuple[str, ...]] = {}
        self.makers: dict[str, int] = {}
        self.depends: list[tuple[int, ...]] = []
        self.needs: list[tuple[Need, ...]] = []
        self.literal: list[tuple[str, ...]] = []

    def graph(self) -> Graph:
        for number, stage in enumerate(self.stages):
            self._join(number, stage)
        conditions = self._conditions()
        order = self._order(conditions)
        self.targets.check()
        groups = self.references.groups
        if self.waiting is not None:
            self.waiting.join(self.depends, self.needs, self.literal, groups, order)
        depends = self.depends + groups
        try:
            nodes = topological(depends, order, range(len(depends)))
        except CycleError as found:
            raise cycle_error(found.node, self._built(order, conditions, [0] * len(depends))) from None
        return self._built(order, conditions, waves(depends, order, nodes, len(self.stages)))

    def _built(self, order: dict[int, tuple[int, ...]], conditions: dict[int, ValueOf], wave: list[int]) -> Graph:
        count = len(self.stages)
        new = constructor(Edge, {}) if count >= MANY else Edge
        whole = not self.outputs.checkpoints  # then all outputs of all stages are results
        outputs = [stage.outputs if whole else stage.results for stage in self.stages]
        edges = list(map(new, range(count), self.names, self.stages, self.needs, outputs, self.literal, wave))
        groups = self.references.groups
        conditional = [number for number, stage in enumerate(self.stages) if stage.should_run is not None]
        fanouts: dict[str, FanOut] = self.waiting.fanouts if self.waiting is not None else {}
        depends, more = self.depends + groups, (*self.outputs[2:], fanouts, self.rules)
        return Graph(edges, groups, depends, order, self.producer, self.by_stage, conditional, conditions, *more)

    def _join(self, number: int, stage: Stage) -> None:
        references = self.references
        known = self.known.get(stage.folder)
        if known is None:
            known = self.known[stage.folder] = references.cache_of(stage.folder)
        need, first_group = self.need, len(self.stages)
        needs: list[Need] = []
        nodes: dict[int, None] = {}
        found: FileSet | GlobalValue | None
        for group in stage.inputs:
            name, many = group.name, group.many
            for item in group.items:
                if item.exact:
                    found = references.exactly(item.text, stage)
                else:
                    found = known.get(item.text)
                    if found is None:
                        found = known[item.text] = references.find(item.text, stage)
                    if isinstance(found, GlobalValue):
                        needs.append(Need(name, None, item.optional, many, found.value))
                        continue
                node = found.node
                if node >= 0:
                    if node == number or (node >= first_group and number in references.members(node)):
                        found = references.without_own(found, number, stage)
                        node = found.node
                    if node >= 0:
                        nodes[node] = None
                needs.append(need(name, found, item.optional, many or found.kind in _MANY, ""))
        literal: tuple[str, ...] = ()
        if stage.infer_inputs and isinstance(stage.action, Command):
            words = self.words.get(id(stage.action))
            if words is None:
                words = self.words[id(stage.action)] = literal_words(stage.action)
            if words:
                literal = self._literal(number, stage, words, needs, nodes)
        self.needs.append(tuple(needs))
        self.literal.append(literal)
        self.depends.append(tuple(nodes))

    def _literal(self, number: int, stage: Stage, words: tuple[str, ...], needs: list[Need], nodes: dict[int, None]) -> tuple[str, ...]:
        """The words of a command that may be inputs nobody declared; edges that make them are added to *nodes*."""
        found: dict[str, None] = {}
        for word in words:
            if word[0] == "/" or word[-1] == "/":
                continue
            try:
                path = normalise(join(stage.folder, word))
            except BadPathError:
                continue
            if path in (".", stage.depfile) or path in found or self.references.declared(path, needs):
                continue
            maker = self.makers.get(path, -2)
            if maker == -2:
                maker = self.makers[path] = self.references.maker_of(path)
            if maker == number:
                continue
            if self.classes.any:
                if self.classes.checkpoint(path) == number:
                    continue
                self.classes.check(path, stage)
            if maker >= 0:
                nodes[maker] = None
            found[path] = None
        return tuple(found)

    def _order(self, conditions: dict[int, ValueOf]) -> dict[int, tuple[int, ...]]:
        order: dict[int, tuple[int, ...]] = {}
        known: dict[tuple[str, ...], tuple[int, ...]] = {}
        for number, stage in enumerate(self.stages):
            if not stage.after and not stage.fallback and number not in conditions:
                continue
            edges = known.get(stage.after)
            if edges is None:
                edges = known[stage.after] = self._after(stage)
            more = self._before_fallback(number, stage) if stage.fallback else ()
            if number in conditions:
                more += (conditions[number].edge,)
            edges = tuple(dict.fromkeys(edges + more)) if more else edges
            if edges:
                order[number] = edges
        return order

    def _before_fallback(self, number: int, stage: Stage) -> tuple[int, ...]:
        """What comes before a stage because its fallback may be wanted then: who makes that one's inputs, and its `after`."""
        if not isinstance(stage.fallback, str):
            return ()
        other = self.by_stage[stage.fallback][0]
        fallback = self.stages[other]
        for need in self.needs[other]:
            files = need.files
            if files is not None and files.node >= 0 and (files.node == number or number in self._members(files.node)):
                places = [Place(fallback.file, ("stage", fallback.name, "inputs"), f"`{show(fallback.name)}`")]
                places.append(Place(stage.file, ("stage", stage.name, "fallback"), f"`{show(stage.name)}`"))
                text = f"`{show(files.text)}`, an input of `{show(fallback.name)}`, is made by stage `{show(stage.name)}`, whose fallback that is"
                raise GraphError(text, places, "a fallback runs when its stage has failed")
        return before_fallback(number, other, self.depends, self.references.groups) + (self._after(fallback) if fallback.after else ())

    def _members(self, node: int) -> frozenset[int]:
        return self.references.members(node) if node >= len(self.stages) else frozenset()

    def _conditions(self) -> dict[int, ValueOf]:
        """The values that decide whether stages run. That each is one, the loader has found out."""
        found = {}
        for number, stage in enumerate(self.stages):
            condition = stage.should_run
            if condition is None:
                continue
            if condition.kind == "exists":
                self._check_source(condition.name, stage)
            elif condition.kind == "output":
                value = value_of(condition.name, self.pipeline.stages)
                if value is None:
                    place = Place(stage.file, ("stage", stage.name, "should_run"), f"`{show(stage.name)}`")
                    raise GraphError(f"`{show(condition.name)}` in `should_run` is no value of a stage", (place,))
                maker, output, entry = value
                found[number] = ValueOf(self.by_stage[maker][0], output, entry)
        return found

    def _check_source(self, path: str, stage: Stage) -> None:
        """
        Raises:
            GraphError: A condition asks whether something is there that this very build makes: it would hold in the next one, whatever happens.
        """
        maker = self.producer.get(path, -1)
        if maker < 0:
            maker = self.references.maker_of(path)
        if maker >= 0:
            place = Place(stage.file, ("stage", stage.name, "should_run"), f"`{show(stage.name)}`")
            text = f"`exists` in `should_run` names `{show(path)}`, which stage `{show(self.names[maker])}` makes"
            raise GraphError(text, (place,), "what a stage finds out is handed on as a value: `should_run = \"STAGE.VALUE\"`")

    def _after(self, stage: Stage) -> tuple[int, ...]:
        for name in stage.after:
            if name not in self.pipeline.aliases and name not in self.pipeline.stages:
                hint = meant(show(self.targets.near_name(name)))
                place = Place(stage.file, ("stage", stage.name, "after"), f"`{show(stage.name)}`")
                raise GraphError(f"`{show(name)}` in `after` is neither a stage nor an alias", (place,), hint)
        return self.targets.edges(stage.after)


def waves(depends: list[tuple[int, ...]], order: dict[int, tuple[int, ...]], nodes: list[int], edge_count: int) -> list[int]:
    """For each node, in topological order, its longest distance from a source. A group is as far as the edges that wait for it."""
    level = [0] * len(depends)
    for node in nodes:
        before = depends[node]
        if node in order:
            before += order[node]
        if before:
            level[node] = max([level[other] + 1 if other < edge_count else level[other] for other in before])
    return level
