"""What waits for whom where stages have items that others make (plan/fanout.py)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from pipefile.model.graph import FanOut, FileSet, Need
from pipefile.model.stage import Pipeline
from pipefile.plan.expand import Expanded
from pipefile.plan.fanout import Known, may_hold, may_make, need_of, shapes_of, stand_in


def renumbered(found: Expanded, before: Sequence[str], pipeline: Pipeline) -> Expanded:
    """As *found*, with the numbers that names had *before*. Where instances take the place of what stood for them, the first one has its number."""
    number_of = {name: number for number, name in enumerate(found.names)}
    order: dict[int, None] = {}
    stages, names = list(found.stages), list(found.names)
    for name in before:
        number = number_of.get(name, -1)
        if number < 0:
            stage, instance, _ = name.partition("@")
            instances = () if instance else found.by_stage[stage]
            number = instances[0] if instances else len(stages)
            if not instances:  # nothing takes its place, and its number is nobody else's
                stages.append(stand_in(pipeline.stages[stage]))
                names.append(name)
        order[number] = None
    order.update(dict.fromkeys(range(len(stages))))
    now = {number: at for at, number in enumerate(order)}
    by_stage = {name: tuple([now[number] for number in numbers]) for name, numbers in found.by_stage.items()}
    return found._replace(stages=[stages[number] for number in order], names=[names[number] for number in order], by_stage=by_stage)


class Waiting:
    """Joins fan-out stages to the graph.

    Args:
        pipeline: What was declared.
        expanded: What becomes an edge each.
        known: Whose items are known.

    Attributes:
        fanouts: As Graph.fanouts.
    """

    def __init__(self, pipeline: Pipeline, expanded: Expanded, known: Known) -> None:
        self._expanded = expanded
        numbers = {name: number for number, name in enumerate(expanded.names)}
        self.fanouts: dict[str, FanOut] = {}
        self._maybe: dict[str, list[int]] = {}
        for stage, late in expanded.late.items():
            names: Iterable[str] = late.sure if late.open else sorted(known[stage])
            makers = tuple([numbers[name] for name in names if name in numbers])
            shapes = shapes_of(pipeline.stages[stage]) if late.open else ()
            self.fanouts[stage] = FanOut(makers, expanded.by_stage[stage][0] if late.open else -1, shapes)
            self._maybe[stage] = [numbers[name] for name in late.maybe if name in numbers] if late.open else []

    def join(
        self,
        depends: list[tuple[int, ...]],
        needs: list[tuple[Need, ...]],
        literal: Sequence[tuple[str, ...]],
        groups: Sequence[tuple[int, ...]],
        order: dict[int, tuple[int, ...]],
    ) -> None:
        """Let what stands for instances wait for whoever makes their items, and all that may read what they make for that; instances come after
        whoever has made their items.

        Args:
            depends, needs, literal: Of edges, by number.
            groups, order: As Graph has them.
        """
        stages = self._expanded.stages
        for stage, fanout in self.fanouts.items():
            if fanout.edge >= 0:
                depends[fanout.edge] = fanout.makers
                needs[fanout.edge] = need_of([(maker, stages[maker]) for maker in fanout.makers])
            else:
                for number in self._expanded.by_stage[stage]:
                    order[number] = tuple(dict.fromkeys((*order.get(number, ()), *fanout.makers)))
        links = _Links(depends, groups, order)
        for stage, fanout in list(self.fanouts.items()):
            if fanout.edge >= 0 and self._maybe[stage]:
                below = links.below(fanout.edge)
                makers = tuple(dict.fromkeys((*fanout.makers, *[each for each in self._maybe[stage] if each not in below])))
                links.add(fanout.edge, makers)
                self.fanouts[stage] = FanOut(makers, fanout.edge, fanout.shapes)
        for fanout in self.fanouts.values():
            if fanout.edge >= 0:
                self._wait_for(fanout, needs, literal, links)

    def _wait_for(self, fanout: FanOut, needs: Sequence[tuple[Need, ...]], literal: Sequence[tuple[str, ...]], links: _Links) -> None:
        above = links.above(fanout.edge)
        known: dict[FileSet, bool] = {}

        def reads(need: Need) -> bool:
            files = need.files
            if files is None:
                return False
            found = known.get(files)
            if found is None:
                found = known[files] = may_hold(fanout, files)
            return found

        for number, edge_needs in enumerate(needs):
            if number == fanout.edge or number in above:
                continue
            if any(reads(need) for need in edge_needs) or any(may_make(fanout, path) for path in literal[number]):
                links.add(number, (fanout.edge,))


class _Links:
    """The graph while edges are added to it."""

    def __init__(self, depends: list[tuple[int, ...]], groups: Sequence[tuple[int, ...]], order: dict[int, tuple[int, ...]]) -> None:
        self._depends = depends
        self._groups = groups
        self._order = order
        self._users: list[list[int]] | None = None

    def add(self, node: int, makers: tuple[int, ...]) -> None:
        new = tuple([maker for maker in makers if maker not in self._depends[node]])
        self._depends[node] += new
        for maker in new if self._users is not None else ():
            self._users[maker].append(node)  # type: ignore[index]  # it is there

    def above(self, node: int) -> set[int]:
        return self._walk(node, self._before)

    def below(self, node: int) -> set[int]:
        if self._users is None:
            self._users = [[] for _ in range(len(self._depends) + len(self._groups))]
            for other in range(len(self._users)):
                for before in self._before(other):
                    self._users[before].append(other)
        return self._walk(node, self._users.__getitem__)

    def _before(self, node: int) -> Sequence[int]:
        count = len(self._depends)
        found = self._depends[node] if node < count else self._groups[node - count]
        return found + self._order[node] if node in self._order else found

    def _walk(self, start: int, following: Callable[[int], Sequence[int]]) -> set[int]:
        found: set[int] = set()
        todo = [start]
        while todo:
            for node in following(todo.pop()):
                if node not in found:
                    found.add(node)
                    todo.append(node)
        return found
