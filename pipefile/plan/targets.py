"""What a name on the command line, in an alias or in `after` stands for: an alias, then a stage, then a file."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence

from pipefile.base.errors import GraphError, meant
from pipefile.base.locations import KeyPath, Place
from pipefile.base.paths import BadPathError, name_of, normalise, parents, show
from pipefile.model.graph import FanOut
from pipefile.model.stage import Pipeline, Stage
from pipefile.plan.fanout import may_make
from pipefile.plan.near import nearest


def nothing_asks(stage: Stage) -> str:
    """Why a pattern rule stands for nothing."""
    shown = next(output.shown for output in stage.results if not output.value)
    return f"nothing asks for a file that stage `{show(stage.name)}` makes: `{show(shown)}`"


def name_it(stage: Stage) -> str:
    """What to do about that."""
    assert stage.for_each is not None
    wild = [f"`{{{show(name)}}}`" for name, _ in stage.for_each.wildcards]
    return f"name one, with a text in place of {' and '.join(wild)}"


class Targets:
    """Looks names up.

    Args:
        pipeline: What was declared.
        producer: Output path -> edge.
        by_stage: Stage name -> edges.
        names: Of edges: an instance is `thumbs@photos/a.jpg`.
        directories: Gives the outputs that are directories.
        fanouts: Stages whose items other stages make. What could be one of their instances, or made by one, stands for all of them as long as
            they are not known.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        producer: Mapping[str, int],
        by_stage: Mapping[str, tuple[int, ...]],
        names: Sequence[str],
        directories: Callable[[], frozenset[str]],
        fanouts: Mapping[str, FanOut],
    ) -> None:
        self._pipeline = pipeline
        self._producer = producer
        self._by_stage = by_stage
        self._names = names
        self._directories = directories
        self._open = {stage: fanout for stage, fanout in fanouts.items() if fanout.edge >= 0}
        self._instances: dict[str, dict[str, int]] = {}
        self._sorted: list[str] | None = None

    def edges(self, names: Sequence[str]) -> tuple[int, ...]:
        """The edges that *names* stand for, in their order, each once. Names that stand for nothing are left out: `known` tells."""
        aliases = self._pipeline.aliases
        found: dict[int, None] = {}
        opened: set[str] = set()
        stack = list(reversed(names))
        while stack:
            name = stack.pop()
            if name in aliases:
                if name not in opened:
                    opened.add(name)
                    stack += reversed(aliases[name])
                continue
            found.update(dict.fromkeys(self._by_stage.get(name) or self._instance(name) or self._making(name)))
        return tuple(found)

    def known(self, name: str) -> bool:
        return name in self._pipeline.aliases or name in self._by_stage or bool(self._instance(name) or self._making(name))

    def default(self) -> tuple[int, ...]:
        """The edges that are built when nothing is asked for."""
        default = self._pipeline.settings.default
        if default is not None:
            return self.edges(default)
        stages = self._pipeline.stages
        return tuple(
            [number for name, numbers in self._by_stage.items() if stages[name].outputs and not stages[name].is_pattern for number in numbers]
        )

    def unasked(self, name: str) -> Stage | None:
        """The pattern rule of a name, where nothing asks for what it makes."""
        stage = None if name in self._pipeline.aliases else self._pipeline.stages.get(name)
        return stage if stage is not None and stage.is_pattern and not self._by_stage.get(name) else None

    def check(self) -> None:
        """
        Raises:
            GraphError: An alias goes in a circle, or it or `default` names what is not there.
        """
        aliases = self._pipeline.aliases
        for alias, names in aliases.items():
            self._check_names(f"alias `{show(alias)}`", names, ("alias", alias))
        self._check_names("`default`", self._pipeline.settings.default or (), ("pipefile", "default"))
        done: set[str] = set()
        for alias in aliases:
            path: dict[str, None] = {}
            stack = [alias]
            while stack:
                name = stack.pop()
                if name == "":  # all within the last alias of the path has been looked at
                    done.add(path.popitem()[0])
                elif name in path:
                    raise self._circle(name, list(path))
                elif name not in done:
                    path[name] = None
                    stack.append("")
                    stack += [inner for inner in reversed(aliases[name]) if inner in aliases]

    def near_name(self, name: str) -> str:
        """The alias or stage that is probably meant by a name that stands for nothing; "" where none is near."""
        stage = name.partition("@")[0]
        return nearest(name, self._of(stage) if stage != name and stage in self._by_stage else [*self._pipeline.aliases, *self._by_stage])

    def near(self, name: str) -> tuple[str, bool]:
        """What is probably meant by a name that stands for nothing ("" where none is near), and whether that is the path of an output."""
        found = self.near_name(name)
        if found:
            return found, False
        file = name_of(name)
        elsewhere = [path for path in self._producer if path.endswith(file) and name_of(path) == file]
        return elsewhere[0] if len(elsewhere) == 1 else nearest(name, self._producer), True

    def _making(self, name: str) -> Iterable[int]:
        """The edges that make a file, a directory, the directory that it lies in, or all in a folder."""
        try:
            path = normalise(name)
        except BadPathError:
            return ()
        producer = self._producer
        if path in producer:
            return (producer[path],)
        if self._open:
            return dict.fromkeys([*self._known_making(path), *[each.edge for each in self._open.values() if _may_be_of(each, path)]])
        return self._known_making(path)

    def _known_making(self, path: str) -> Iterable[int]:
        producer = self._producer
        if path == ".":
            return tuple(producer.values())
        for folder in parents(path):
            if folder in producer:  # an output below another is only possible in a directory
                return (producer[folder],) if folder in self._directories() else ()
        if self._sorted is None:
            self._sorted = sorted(producer)
        first = bisect_left(self._sorted, path + "/")
        return [producer[inner] for inner in self._sorted[first : bisect_left(self._sorted, path + "0", first)]]

    def _instance(self, name: str) -> tuple[int, ...]:
        stage, at, _ = name.partition("@")
        if at and stage in self._open:
            return (self._open[stage].edge,)
        found = self._of(stage).get(name) if at else None
        return () if found is None else (found,)

    def _of(self, stage: str) -> dict[str, int]:
        """The instances of a stage by name."""
        found = self._instances.get(stage)
        if found is None:
            found = self._instances[stage] = {self._names[number]: number for number in self._by_stage.get(stage, ())}
        return found

    def _check_names(self, where: str, names: Iterable[str], key: KeyPath) -> None:
        for name in names:
            stage = self.unasked(name)
            if stage is not None:
                raise GraphError(f"`{show(name)}` in {where}: {nothing_asks(stage)}", (Place(self._pipeline.file, key),), name_it(stage))
            if not self.known(name):
                place = Place(self._pipeline.file, key)
                raise GraphError(f"`{show(name)}` in {where} is no alias, stage or output", (place,), meant(show(self.near(name)[0])))

    def _circle(self, name: str, path: list[str]) -> GraphError:
        circle = path[path.index(name) :]
        chain = [f"`{show(alias)}`" for alias in [*circle, name]]
        if len(chain) > 11:
            chain[6:-5] = [f"... {len(chain) - 11} more ..."]
        return GraphError(f"alias cycle: {' -> '.join(chain)}", [Place(self._pipeline.file, ("alias", alias)) for alias in circle[:10]])


def _may_be_of(fanout: FanOut, path: str) -> bool:
    """Whether instances that are not known may make what a target names: a file, or something in a folder."""
    return path == "." or may_make(fanout, path) or any(start.startswith(path + "/") for start, _ in fanout.shapes)
