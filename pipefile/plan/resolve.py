"""From stages to the graph: every input becomes files with whoever makes them, or a value; every fault in that is an error before anything runs."""

from __future__ import annotations

from pipefile.base.errors import GraphError, meant
from pipefile.base.locations import Place
from pipefile.base.paths import BadPathError, join, normalise, show
from pipefile.model.graph import Edge, Graph, Need
from pipefile.model.ports import World
from pipefile.model.stage import Command, Pipeline, Stage
from pipefile.plan.checks import check_outputs
from pipefile.plan.closure import closure, select
from pipefile.plan.cycles import CycleError, cycle_error, topological
from pipefile.plan.missing import missing_sources
from pipefile.plan.references import GlobalValue, References
from pipefile.plan.targets import Targets
from pipefile.plan.words import literal_words

__all__ = ["closure", "missing_sources", "resolve", "select", "waves"]

_MANY = frozenset(["glob", "outputs", "late"])


def resolve(pipeline: Pipeline, world: World) -> Graph:
    """Join the stages of a pipeline by the files that they make and need.

    Time and memory are linear in the number of dependencies. Sources that do not exist are no fault yet: `missing_sources` looks for them where
    they are needed.

    Args:
        pipeline: What was declared.
        world: The disk, as far as references and globs need it.

    Raises:
        GraphError: The stages do not fit together, or a name is not known.
    """
    return _Resolver(pipeline, world).graph()


class _Resolver:
    def __init__(self, pipeline: Pipeline, world: World) -> None:
        self.pipeline = pipeline
        self.stages = list(pipeline.stages.values())
        self.producer, directories = check_outputs(self.stages)
        self.by_stage = {name: (number,) for number, name in enumerate(pipeline.stages)}
        self.references = References(pipeline, world, self.producer, directories)
        self.targets = Targets(pipeline, self.producer, self.by_stage)
        self.depends: list[tuple[int, ...]] = []
        self.needs: list[tuple[Need, ...]] = []
        self.literal: list[tuple[str, ...]] = []

    def graph(self) -> Graph:
        for number, stage in enumerate(self.stages):
            self._join(number, stage)
        order = self._order()
        self.targets.check()
        groups = self.references.groups
        depends = self.depends + groups
        try:
            nodes = topological(depends, order, range(len(depends)))
        except CycleError as found:
            raise cycle_error(found.node, self._built(order, [0] * len(depends))) from None
        return self._built(order, waves(depends, order, nodes, len(self.stages)))

    def _built(self, order: dict[int, tuple[int, ...]], wave: list[int]) -> Graph:
        edges = [
            Edge(number, stage.name, stage, needs, stage.outputs, literal, level)
            for number, (stage, needs, literal, level) in enumerate(zip(self.stages, self.needs, self.literal, wave, strict=False))
        ]
        groups = self.references.groups
        return Graph(edges, groups, self.depends + groups, order, self.producer, self.by_stage)

    def _join(self, number: int, stage: Stage) -> None:
        references = self.references
        known = references.cache_of(stage.folder)
        first_group = len(self.stages)
        needs: list[Need] = []
        nodes: dict[int, None] = {}
        for group in stage.inputs:
            name, many = group.name, group.many
            for item in group.items:
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
                needs.append(Need(name, found, item.optional, many or found.kind in _MANY))
        literal: tuple[str, ...] = ()
        if stage.infer_inputs and isinstance(stage.action, Command):
            words = literal_words(stage.action)
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
            maker = self.references.maker_of(path)
            if maker == number:
                continue
            if maker >= 0:
                nodes[maker] = None
            found[path] = None
        return tuple(found)

    def _order(self) -> dict[int, tuple[int, ...]]:
        order: dict[int, tuple[int, ...]] = {}
        known: dict[tuple[str, ...], tuple[int, ...]] = {}
        for number, stage in enumerate(self.stages):
            if not stage.after:
                continue
            edges = known.get(stage.after)
            if edges is None:
                edges = known[stage.after] = self._after(stage)
            if edges:
                order[number] = edges
        return order

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
