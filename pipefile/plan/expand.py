"""Stages -> instances: what `for_each` goes through, and in which order stages have to be looked at for that."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product
from types import MappingProxyType
from typing import NamedTuple

from pipefile.base.errors import GraphError
from pipefile.base.locations import Place
from pipefile.base.paths import BadPathError, join, name_of, relative, show, within
from pipefile.model.ports import World
from pipefile.model.stage import Axis, Output, Pipeline, Stage, Value
from pipefile.plan.instances import BadInstanceError, Instances
from pipefile.plan.items import instance_name
from pipefile.plan.near import nearest
from pipefile.plan.patterns import beneath, bytewise, canonical, is_glob, literal_prefix, matcher, start_folder
from pipefile.plan.template import parse

MOST = 1_000_000
"""Instances of one stage."""


class Expanded(NamedTuple):
    """All instances, and stages that stand for themselves: what becomes an edge each.

    Args:
        stages: By number.
        names: What they are called.
        by_stage: Stage name -> numbers, in the order of items.
        rows: The items of pattern rules: [{}] for one without `for_each`. They have no instances before something asks for them.
    """

    stages: list[Stage]
    names: list[str]
    by_stage: dict[str, tuple[int, ...]]
    rows: Mapping[str, Sequence[Mapping[str, Value]]] = MappingProxyType({})


def expand(pipeline: Pipeline, world: World) -> Expanded:
    """Make the instances of all stages.

    Raises:
        GraphError: A `for_each` goes through what is not there, or two items make one instance.
    """
    stages = list(pipeline.stages.values())
    if all(stage.for_each is None for stage in stages):
        return Expanded(stages, list(pipeline.stages), {name: (number,) for number, name in enumerate(pipeline.stages)})
    expander = _Expander(pipeline, world)
    return numbered(pipeline, expander.made())._replace(rows=expander.rows)


def numbered(pipeline: Pipeline, made: Mapping[str, Mapping[str, Stage]]) -> Expanded:
    """All instances in the order of their stages.

    Args:
        pipeline: The stages.
        made: Of each stage with `for_each` or wildcards its instances, by name.
    """
    found = Expanded([], [], {})
    for name, stage in pipeline.stages.items():
        first = len(found.stages)
        if stage.for_each is None:
            found.stages.append(stage)
            found.names.append(name)
        else:
            found.names.extend(made[name])
            found.stages.extend(made[name].values())
        found.by_stage[name] = tuple(range(first, len(found.stages)))
    return found


def referred(text: str, prefix: str, stages: Mapping[str, Stage]) -> tuple[Stage, str] | None:
    """The stage and the output that a reference names.

    Args:
        text: The reference.
        prefix: What stages are called that the Pipefile with the reference knows: its folder, with a `/`.
        stages: All of them.
    """
    cut = text.find(".")
    while cut > 0:
        stage = stages.get(prefix + text[:cut])
        if stage is not None:
            wanted = text[cut + 1 :]
            if (wanted == "outputs" and stage.outputs) or any(output.name == wanted for output in stage.outputs):
                return stage, wanted
        cut = text.find(".", cut + 1)
    return None


def unlisted(stage: Stage) -> str:
    """Why the outputs of a pattern rule cannot be referred to as all that it makes."""
    return f"what stage `{show(stage.name)}` makes is known by who asks for it by name"


def instances_of(stage: Stage, pipeline: Pipeline) -> Instances:
    """What makes instances of *stage*."""
    settings = pipeline.settings
    taken = frozenset([pipeline.file, *[join(folder, name_of(pipeline.file)) for folder in pipeline.scopes]])
    return Instances(stage, pipeline.root, taken, settings.store, settings.outside)


class _Expander:
    def __init__(self, pipeline: Pipeline, world: World) -> None:
        self._pipeline = pipeline
        self._world = world
        self._each = {name: stage for name, stage in pipeline.stages.items() if stage.for_each is not None}
        self._made: dict[str, dict[str, Stage]] = {}
        self.rows: dict[str, Sequence[Mapping[str, Value]]] = {}
        self._plain = [output for stage in pipeline.stages.values() if stage.for_each is None for output in stage.outputs if not output.value]

    def made(self) -> dict[str, dict[str, Stage]]:
        """Stage -> its instances by name."""
        for name in self._order():
            self._made[name] = self._instances(self._each[name])
        self._check_globs()
        return self._made

    # -- order

    def _order(self) -> list[str]:
        """The stages with `for_each`, each after those whose outputs it goes through."""
        before = {name: self._before(stage) for name, stage in self._each.items()}
        found: dict[str, None] = {}
        for first, following_first in before.items():
            trail: dict[str, Iterator[str]] = {first: iter(following_first)}
            while trail:
                name = next(reversed(trail))
                following = next((each for each in trail[name] if each not in found), None)
                if following is None:
                    found[name] = None
                    del trail[name]
                elif following in trail:
                    if self._refers(name, following):
                        raise self._circle(list(trail), following)
                else:
                    trail[following] = iter(before[following])
        return list(found)

    def _before(self, stage: Stage) -> list[str]:
        names = []
        assert stage.for_each is not None
        for axis in stage.for_each.axes:
            if not axis.source:
                continue
            if is_glob(axis.source):
                names += [name for name, other in self._each.items() if other is not stage and self._may_match(axis.source, stage, other)]
            else:
                maker = self._maker(axis.source, _prefix(stage))
                names += [maker[0].name] if maker is not None and maker[0].name in self._each else []
        return names

    def _refers(self, name: str, other: str) -> bool:
        """Whether a stage goes by name through what another one makes, or is sure to match it."""
        stage = self._each[name]
        for_each = stage.for_each
        assert for_each is not None
        makers = [self._maker(axis.source, _prefix(stage)) for axis in for_each.axes if axis.source and not is_glob(axis.source)]
        return any(maker is not None and maker[0].name == other for maker in makers)

    def _may_match(self, glob: str, stage: Stage, other: Stage) -> bool:
        """Whether a glob could match outputs of another stage, as far as their fixed beginnings tell."""
        prefix = literal_prefix(self._canonical(glob, stage))
        for output in other.outputs:
            first = next(iter(parse(output.path)), "")
            start = first if isinstance(first, str) else ""
            if not output.value and (start.startswith(prefix) or prefix.startswith(start)):
                return True
        return False

    def _circle(self, trail: list[str], name: str) -> GraphError:
        circle = trail[trail.index(name) :]
        places = [self._place(self._each[each], "for_each") for each in circle]
        chain = " -> ".join([f"`{show(each)}`" for each in [*circle, name]])
        return GraphError(f"`for_each` leads back to itself: {chain}", places)

    # -- instances

    def _instances(self, stage: Stage) -> dict[str, Stage]:
        for_each = stage.for_each
        assert for_each is not None
        wild = len(for_each.wildcards)
        rows = [self._rows(axis, stage) for axis in for_each.axes[: len(for_each.axes) - wild]]
        count = 1
        for each in rows:
            count *= len(each)
        if count > MOST:
            text = f"`for_each` of stage `{show(stage.name)}` makes {count} instances: {MOST} are the most"
            raise GraphError(text, (self._place(stage, "for_each"),))
        if wild:
            self.rows[stage.name] = [{name: value for part in parts for name, value in part.items()} for parts in product(*rows)]
            return {}
        make = instances_of(stage, self._pipeline).of
        found: dict[str, Stage] = {}
        single = len(rows) == 1
        for parts in [(row,) for row in rows[0]] if single else product(*rows):
            item = parts[0] if single else {name: value for part in parts for name, value in part.items()}
            name = instance_name(stage.name, for_each, item)
            if name in found or "\0" in name:
                raise self._twice(stage, name)
            try:
                found[name] = make(item, name)
            except BadInstanceError as error:
                raise GraphError(f"`{show(name)}`: {error.why}", (self._place(stage, error.key),), error.hint) from None
        globs = [axis for axis in for_each.axes if is_glob(axis.source)]
        return self._without_own(found, globs) if globs else found

    def _without_own(self, found: dict[str, Stage], globs: Sequence[Axis]) -> dict[str, Stage]:
        """What a glob found without what the stage makes itself: a file that an earlier build has left without a record, for example."""
        own = {output.path for stage in found.values() for output in stage.outputs}
        names = [axis.name for axis in globs]
        return {
            name: stage
            for name, stage in found.items()
            if not any(self._from_root(str(stage.item[each]), stage) in own for each in names)
        }

    def _from_root(self, path: str, stage: Stage) -> str:
        if not stage.folder:
            return path
        try:
            return beneath(stage.folder, path)
        except BadPathError:
            return path

    def _twice(self, stage: Stage, name: str) -> GraphError:
        place = self._place(stage, "for_each")
        if "\0" in name:
            return GraphError(f"an item of `for_each` of stage `{show(stage.name)}` holds a NUL character", (place,))
        return GraphError(f"two items of `for_each` make an instance called `{show(name)}`", (place,), "an item stands in a list once")

    def _rows(self, axis: Axis, stage: Stage) -> Sequence[Mapping[str, Value]]:
        if not axis.source:
            return axis.rows
        name = axis.name
        return [{name: path} for path in self._paths(axis, stage)]

    def _paths(self, axis: Axis, stage: Stage) -> list[str]:
        """The paths that an axis goes through, from the stage's folder."""
        if not is_glob(axis.source):
            paths = self._referred(axis, stage)
        else:
            pattern = self._canonical(axis.source, stage)
            matches = matcher(pattern)
            if matches is None:
                raise self._no_glob(axis.source, "for_each", stage)
            self._check_late(pattern, axis, stage)
            made = self._matching(matches, stage)
            on_disk = self._world.glob(pattern)
            paths = bytewise(list(set(on_disk).union(made))) if made else list(on_disk)
            excluded = self._excluder(stage)
            if excluded is not None:
                paths = [path for path in paths if not excluded(path)]
        return [relative(path, stage.folder) for path in paths] if stage.folder else paths

    def _check_late(self, pattern: str, axis: Axis, stage: Stage) -> None:
        start = start_folder(pattern)
        stages = self._pipeline.stages
        makers = [name for name, each in stages.items() if any(output.directory for output in each.outputs)]
        for each in [each for name in makers for each in (self._made[name].values() if name in self._made else (stages[name],))]:
            for output in each.outputs:
                if output.directory and each is not stage and (output.path == start or within(start, output.path)):
                    text = f"`{show(axis.source)}` in `for_each` of stage `{show(stage.name)}` lies in `{show(output.path)}/`, which stage"
                    places = (self._place(stage, "for_each"), self._place(each, "outputs"))
                    raise GraphError(f"{text} `{show(each.name)}` makes: what is in it is not known before that has run", places)

    def _matching(self, matches: Callable[[str], object], stage: Stage) -> list[str]:
        """Outputs of other stages that a glob matches, as far as they are known."""
        found = [output.path for output in self._plain if _matches(matches, output) and output.path not in self._own(stage)]
        for name, instances in self._made.items():
            if name != stage.name:
                found += [output.path for each in instances.values() for output in each.outputs if not output.value and _matches(matches, output)]
        return found

    def _own(self, stage: Stage) -> frozenset[str]:
        return frozenset([output.path for output in stage.outputs])

    def _excluder(self, stage: Stage) -> Callable[[str], bool] | None:
        for_each = stage.for_each
        if for_each is None or not for_each.exclude:
            return None
        found = []
        for text in for_each.exclude:
            matches = matcher(self._canonical(text, stage))
            if matches is None:
                raise self._no_glob(text, "exclude", stage)
            found.append(matches)
        return lambda path: any(matches(path) for matches in found)

    def _no_glob(self, text: str, key: str, stage: Stage) -> GraphError:
        return GraphError(f"`{show(text)}` in `{key}` of stage `{show(stage.name)}` is no valid glob", (self._place(stage, key),))

    def _canonical(self, glob: str, stage: Stage) -> str:
        try:
            pattern = canonical(glob, stage.folder)
        except BadPathError as error:
            raise GraphError(f"`{show(glob)}` in `for_each` is {error}", (self._place(stage, "for_each"),)) from None
        root = self._pipeline.root
        return pattern[len(root) + 1 :] if pattern.startswith(root + "/") else pattern

    # -- references

    def _maker(self, text: str, prefix: str) -> tuple[Stage, str] | None:
        return referred(text, prefix, self._pipeline.stages)

    def _referred(self, axis: Axis, stage: Stage) -> list[str]:
        found = self._maker(axis.source, _prefix(stage))
        what = f"`{show(axis.source)}` in `for_each` of stage `{show(stage.name)}`"
        place = self._place(stage, "for_each")
        if found is None:
            prefix = _prefix(stage)
            stages = {name[len(prefix) :]: other for name, other in self._pipeline.stages.items() if name.startswith(prefix)}
            names = [f"{name}.{wanted}" for name, other in stages.items() for wanted in ["outputs", *{o.name: None for o in other.outputs if o.name}]]
            near = nearest(axis.source, names)
            hint = f"did you mean `{show(near)}`?" if near else f'a list of one is `["{show(axis.source)}"]`'
            raise GraphError(f"{what} is neither a glob nor the outputs of a stage", (place,), hint)
        maker, wanted = found
        if maker is stage:
            raise GraphError(f"{what} is made by the stage itself", (place,))
        if maker.is_pattern:
            hint = "a list, or a glob over what they are made from, has items"
            raise GraphError(f"{what}: {unlisted(maker)}", (place, self._place(maker, "outputs")), hint)
        makers = [maker] if maker.for_each is None else list(self._made[maker.name].values())
        outputs = [output for each in makers for output in each.outputs if wanted in ("outputs", output.name)]
        for output in outputs:
            if output.value:
                raise GraphError(f"{what} is a value, which is known when `{show(maker.name)}` has run", (place,))
        return [output.path for output in outputs]

    # -- afterwards

    def _check_globs(self) -> None:
        """See that nothing was made that a glob would have matched, had it been known: two stages that go through each other's outputs."""
        for name, stage in self._each.items():
            assert stage.for_each is not None
            for axis in stage.for_each.axes:
                if is_glob(axis.source):
                    others = [other for key, other in self._each.items() if key != name and self._may_match(axis.source, stage, other)]
                    if others:
                        self._check_glob(axis, stage, others)

    def _check_glob(self, axis: Axis, stage: Stage, others: Sequence[Stage]) -> None:
        matches, excluded = matcher(self._canonical(axis.source, stage)), self._excluder(stage)
        if matches is None:
            return
        known = {self._from_root(str(each.item[axis.name]), stage) for each in self._made[stage.name].values()}
        for other in others:
            paths = [output.path for each in self._made[other.name].values() for output in each.outputs if not output.value]
            late = next((path for path in paths if matches(path) and path not in known and not (excluded and excluded(path))), None)
            if late is not None and late not in self._outputs(stage):
                text = f"`{show(axis.source)}` in `for_each` of stage `{show(stage.name)}` matches `{show(late)}`"
                text += f", which stage `{show(other.name)}` makes of what `{show(stage.name)}` makes"
                places = (self._place(stage, "for_each"), self._place(other, "for_each"))
                raise GraphError(text, places, "a narrower glob, or `exclude`, keeps them apart")

    def _outputs(self, stage: Stage) -> set[str]:
        return {output.path for each in self._made[stage.name].values() for output in each.outputs}

    def _place(self, stage: Stage, key: str) -> Place:
        return Place(stage.file, ("stage", stage.name, key), f"`{show(stage.name)}`")


def _prefix(stage: Stage) -> str:
    return f"{stage.folder}/" if stage.folder else ""


def _matches(matches: Callable[[str], object], output: Output) -> bool:
    return bool(matches(output.path))
