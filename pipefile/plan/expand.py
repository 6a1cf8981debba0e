"""Stages -> instances: what `for_each` goes through, and in which order stages have to be looked at for that."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product
from types import MappingProxyType
from typing import NamedTuple

from pipefile.base.dataclass import replace
from pipefile.base.errors import GraphError, InputError
from pipefile.base.locations import Place
from pipefile.base.paths import BadPathError, join, name_of, relative, show, within
from pipefile.model.ports import World
from pipefile.model.stage import Axis, Output, Pipeline, Stage, Value
from pipefile.plan.fanout import ItemsError, Known, Late, rows_of, stand_in, with_items
from pipefile.plan.instances import MANY, BadInstanceError, Instances
from pipefile.plan.items import namer
from pipefile.plan.near import nearest
from pipefile.plan.patterns import beneath, bytewise, canonical, is_glob, literal_prefix, matcher, pruner, start_folder
from pipefile.plan.template import parse

MOST = 1_000_000
"""Instances of one stage."""


class Expanded(NamedTuple):
    """All instances, and stages that stand for themselves: what becomes an edge each.

    Args:
        stages: By number.
        names: What they are called.
        by_stage: Stage name -> numbers, in the order of items.
        late: Stages whose items other stages make. Those whose items are not known have one number, which stands for all of them.
        rows: The items of pattern rules: [{}] for one without `for_each`. They have no instances before something asks for them.
    """

    stages: list[Stage]
    names: list[str]
    by_stage: dict[str, tuple[int, ...]]
    late: Mapping[str, Late] = MappingProxyType({})
    rows: Mapping[str, Sequence[Mapping[str, Value]]] = MappingProxyType({})


def expand(pipeline: Pipeline, world: World, known: Known) -> Expanded:
    """Make the instances of all stages.

    Args:
        pipeline: What was declared.
        world: The disk.
        known: Fan-out stages whose items are there.

    Raises:
        GraphError: A `for_each` goes through what is not there, or two items make one instance.
    """
    stages = list(pipeline.stages.values())
    if all(stage.for_each is None for stage in stages):
        return Expanded(stages, list(pipeline.stages), {name: (number,) for number, name in enumerate(pipeline.stages)})
    expander = _Expander(pipeline, world, known)
    return numbered(pipeline, expander.made())._replace(late=expander.late, rows=expander.rows)


def numbered(pipeline: Pipeline, made: Mapping[str, Mapping[str, Stage]]) -> Expanded:
    """All instances in the order of their stages.

    Args:
        pipeline: The stages.
        made: Of each stage with `for_each` or wildcards its instances, by name. For one that is left out, an edge stands for all of them.
    """
    found = Expanded([], [], {})
    for name, stage in pipeline.stages.items():
        first = len(found.stages)
        if stage.for_each is None:
            found.stages.append(stage)
            found.names.append(name)
        elif name not in made:
            found.stages.append(stand_in(stage))
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


def instances_of(stage: Stage, pipeline: Pipeline, many: bool = False) -> Instances:
    """What makes instances of *stage*; *many*: a great number of them."""
    settings = pipeline.settings
    taken = frozenset([pipeline.file, *[join(folder, name_of(pipeline.file)) for folder in pipeline.scopes]])
    return Instances(stage, pipeline.root, taken, settings.store, settings.outside, many)


class _Referred(NamedTuple):
    """What a reference names: a stage, some of its outputs, and the key of a returned table that is meant; "" for all of it."""

    stage: Stage
    outputs: tuple[Output, ...]
    entry: str = ""


class _Expander:
    def __init__(self, pipeline: Pipeline, world: World, known: Known) -> None:
        self._pipeline = pipeline
        self._world = world
        self._known = known
        self.late: dict[str, Late] = {}
        self._each = {name: stage for name, stage in pipeline.stages.items() if stage.for_each is not None}
        self._made: dict[str, dict[str, Stage]] = {}
        self.rows: dict[str, Sequence[Mapping[str, Value]]] = {}
        self._plain = [output for stage in pipeline.stages.values() if stage.for_each is None for output in stage.outputs if not output.value]

    def made(self) -> dict[str, dict[str, Stage]]:
        """Stage -> its instances by name; without stages whose items are not known."""
        for name in self._order():
            stage = self._each[name]
            late = self._late(stage)
            if late is not None:
                self.late[name] = late
            if late is None or not late.open:
                self._made[name] = self._instances(stage)
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
                names += [maker.stage.name] if maker is not None and maker.stage.name in self._each else []
        return names

    def _refers(self, name: str, other: str) -> bool:
        """Whether a stage goes by name through what another one makes, or is sure to match it."""
        stage = self._each[name]
        for_each = stage.for_each
        assert for_each is not None
        makers = [self._maker(axis.source, _prefix(stage)) for axis in for_each.axes if axis.source and not is_glob(axis.source)]
        return any(maker is not None and maker.stage.name == other for maker in makers)

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

    # -- items that other stages make

    def _late(self, stage: Stage) -> Late | None:
        """What has to come first before the items of a stage are known; None for one whose items are known from the start."""
        sure: dict[str, None] = {}
        maybe: dict[str, None] = {}
        assert stage.for_each is not None
        for axis in stage.for_each.axes:
            if is_glob(axis.source):
                self._makers_of_glob(axis, stage, sure, maybe)
            elif axis.source:
                found = self._maker(axis.source, _prefix(stage))
                if found is None or found.stage is stage:
                    continue
                maker = found.stage.name
                if maker in self._each and maker not in self._made:
                    sure[maker] = None
                elif any(output.value for output in found.outputs):
                    sure.update(dict.fromkeys(self._made.get(maker, [maker])))
        if not sure and not maybe:
            return None
        if stage.is_pattern:
            if not sure:
                return None
            text = f"`for_each` of stage `{show(stage.name)}` goes through what `{show(next(iter(sure)))}` makes, which is not known before"
            raise GraphError(text, (self._place(stage, "for_each"),), "a stage with wildcards is a pattern rule: its items have to be known")
        return Late(tuple(sure), tuple([name for name in maybe if name not in sure]), stage.name not in self._known)

    def _makers_of_glob(self, axis: Axis, stage: Stage, sure: dict[str, None], maybe: dict[str, None]) -> None:
        pattern = self._canonical(axis.source, stage)
        start = start_folder(pattern)
        enters = pruner(pattern)
        excluded = self._excluder(stage)
        for name, maker, output in self._directories():
            inside = output.path == start or within(start, output.path)
            if maker is stage:
                if inside and output.path.count("{") == 0:
                    text = f"`{show(axis.source)}` in `for_each` of stage `{show(stage.name)}` lies in `{show(output.path)}/`"
                    raise GraphError(f"{text}, which the stage itself makes", (self._place(stage, "for_each"), self._place(stage, "outputs")))
            elif inside:
                sure[name] = None
            elif (not start or within(output.path, start)) and enters(output.path) and not (excluded and excluded(output.path + "/x")):
                maybe[name] = None
        for name, other in self._each.items():
            if other is not stage and name not in self._made and name in self.late and self._may_match(axis.source, stage, other):
                maybe[name] = None

    def _directories(self) -> Iterator[tuple[str, Stage, Output]]:
        """All directories that stages make, as far as they are known: the name of the edge, its stage, the output. Of stages whose instances are not
        known, and of the one that is looked at, as they are written."""
        for name, stage in self._pipeline.stages.items():
            if any(output.directory for output in stage.outputs):
                for edge, each in self._made[name].items() if name in self._made else ((name, stage),):
                    for output in each.outputs:
                        if output.directory:
                            yield edge, stage, output

    def _values(self, axis: Axis, stage: Stage) -> tuple[list[dict[str, Value]], tuple[str, ...]] | None:
        """The items that values of another stage hold, and the names that tell them apart; None where an axis goes through files."""
        found = self._maker(axis.source, _prefix(stage))
        if found is None or found.stage is stage or not any(output.value for output in found.outputs):
            return None
        maker = found.stage
        each = [maker] if maker.for_each is None else list(self._made[maker.name].values())
        outputs = [output for other in each for output in other.outputs if output.name in {wanted.name for wanted in found.outputs}]
        try:
            if any(not output.value for output in outputs):
                raise ItemsError("is files and values: items are either", "name one of them")
            read = [self._world.value(output, found.entry) for output in outputs]
            if maker.for_each is None and len(outputs) == 1:
                return rows_of(read[0], axis.name)
            return rows_of(read, axis.name)
        except (ItemsError, InputError) as error:
            what = f"`{show(axis.source)}` in `for_each` of stage `{show(stage.name)}` "
            text = f"{what}{error}" if isinstance(error, ItemsError) else f"{what}cannot be read: {error.message}"
            raise GraphError(text, (self._place(stage, "for_each"),), error.hint) from None

    # -- instances

    def _instances(self, stage: Stage) -> dict[str, Stage]:
        axes, rows = self._filled(stage)
        for_each = stage.for_each
        assert for_each is not None
        wild = len(for_each.wildcards)
        if stage.name in self.late or for_each.asked:
            values = [axis.name for axis, own in zip(axes, for_each.axes, strict=False) if axis is not own]
            stage = with_items(stage, axes, values)
            for_each = stage.for_each
            assert for_each is not None
        count = 1
        for each in rows:
            count *= len(each)
        if count > MOST:
            text = f"`for_each` of stage `{show(stage.name)}` makes {count} instances: {MOST} are the most"
            raise GraphError(text, (self._place(stage, "for_each"),))
        if wild:
            self.rows[stage.name] = [{name: value for part in parts for name, value in part.items()} for parts in product(*rows)]
            return {}
        make, called = instances_of(stage, self._pipeline, count >= MANY).of, namer(stage.name, for_each)
        found: dict[str, Stage] = {}
        for item in rows[0] if len(rows) == 1 else ({name: value for part in parts for name, value in part.items()} for parts in product(*rows)):
            name = called(item)
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
        if all(own.isdisjoint([self._from_root(str(stage.item[each]), stage) for stage in found.values()]) for each in names):
            return found
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

    def _filled(self, stage: Stage) -> tuple[list[Axis], list[Sequence[Mapping[str, Value]]]]:
        """The axes of a stage, those of values with their rows; and the rows of all of them."""
        assert stage.for_each is not None
        axes: list[Axis] = []
        rows: list[Sequence[Mapping[str, Value]]] = []
        wild = dict(stage.for_each.wildcards)
        for axis in stage.for_each.axes:
            values = self._values(axis, stage) if axis.source and not is_glob(axis.source) else None
            if values is not None:
                axes.append(replace(axis, rows=tuple(values[0]), naming=values[1]))
            else:
                axes.append(axis)
            if axis.name in wild:
                continue
            rows.append(axes[-1].rows if values is not None or not axis.source else [{axis.name: path} for path in self._paths(axis, stage)])
        return axes, rows

    def _paths(self, axis: Axis, stage: Stage) -> list[str]:
        """The paths that an axis goes through, from the stage's folder."""
        if not is_glob(axis.source):
            paths = self._referred(axis, stage)
        else:
            pattern = self._canonical(axis.source, stage)
            matches = matcher(pattern)
            if matches is None:
                raise self._no_glob(axis.source, "for_each", stage)
            made = self._matching(matches, stage)
            if stage.name in self.late:
                makers = self._known[stage.name]
                on_disk = self._world.late(pattern, {output.path for name, _, output in self._directories() if name in makers})
            else:
                on_disk = self._world.glob(pattern)
            paths = bytewise(list(set(on_disk).union(made))) if made else list(on_disk)
            excluded = self._excluder(stage)
            if excluded is not None:
                paths = [path for path in paths if not excluded(path)]
        return [relative(path, stage.folder) for path in paths] if stage.folder else paths

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

    def _maker(self, text: str, prefix: str) -> _Referred | None:
        """The stage and the outputs that a reference names.

        Args:
            text: The reference.
            prefix: What stages are called that the Pipefile with the reference knows: its folder, with a `/`.
        """
        stages = self._pipeline.stages
        cut = text.find(".")
        while cut > 0:
            stage = stages.get(prefix + text[:cut])
            if stage is not None:
                wanted = text[cut + 1 :]
                outputs = stage.outputs if wanted == "outputs" else tuple([output for output in stage.outputs if output.name == wanted])
                if outputs:
                    return _Referred(stage, outputs)
                if len(stage.outputs) == 1 and stage.outputs[0].value == "result" and "/" not in wanted and stage.for_each is None:
                    return _Referred(stage, stage.outputs, wanted)
            cut = text.find(".", cut + 1)
        return None

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
        maker = found.stage
        if maker is stage:
            raise GraphError(f"{what} is made by the stage itself", (place,))
        if maker.is_pattern:
            hint = "a list, or a glob over what they are made from, has items"
            raise GraphError(f"{what}: {unlisted(maker)}", (place, self._place(maker, "outputs")), hint)
        makers = [maker] if maker.for_each is None else list(self._made[maker.name].values())
        names_of = {output.name for output in found.outputs}
        return [output.path for each in makers for output in each.outputs if output.name in names_of]

    # -- afterwards

    def _check_globs(self) -> None:
        """See that nothing was made that a glob would have matched, had it been known: two stages that go through each other's outputs."""
        for name in self._made:
            stage = self._each[name]
            assert stage.for_each is not None
            for axis in stage.for_each.axes:
                if is_glob(axis.source):
                    others = [self._each[key] for key in self._made if key != name and self._may_match(axis.source, stage, self._each[key])]
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
