"""What every command that looks at a project needs: the pipeline, its graph, what is remembered, what stands on the disk."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from pipefile import __version__
from pipefile.base.clock import SystemClock
from pipefile.base.dataclass import dataclass, replace
from pipefile.base.digest import KEY_FORMAT
from pipefile.base.disk import OsDisk
from pipefile.base.errors import PipefileError, UnknownTargetError, UsageError
from pipefile.base.locations import Locator, Place
from pipefile.base.paths import show
from pipefile.engine.files import Files
from pipefile.engine.secrets import mask_of
from pipefile.engine.values import Values
from pipefile.engine.world import DiskWorld
from pipefile.load.loader import Extra, load
from pipefile.load.locate import make_locator
from pipefile.load.overlay import NOTHING, Overlay
from pipefile.model.graph import Edge, Graph
from pipefile.model.ports import Clock, Disk
from pipefile.model.stage import Pipeline, Stage
from pipefile.plan.makeflags import without
from pipefile.store import index as index_file
from pipefile.store.index import Index
from pipefile.store.lock import VARIABLE, variable
from pipefile.store.record import Records

if TYPE_CHECKING:
    from pipefile.engine.remains import Remains

PIPEFILE = "Pipefile.toml"
_KEPT_WHEN_STRICT = frozenset(["PATH", "HOME", "USER", "SHELL", "LANG", "TERM", "TMPDIR"])
_CRASH_SPAN = 60_000_000_000  # ns: what the kernel may not have written out yet when a machine goes down


@dataclass(frozen=True, slots=True)
class Project:
    """A project on a disk.

    Args:
        root: Absolute path of the project root.
        file: The Pipefile, from the root.
        disk: The disk seen from the root.
        clock: The time.
        overlay: What the command line lays over the Pipefile.
    """

    root: str
    file: str
    disk: Disk
    clock: Clock
    overlay: Overlay = NOTHING


def find_project(cwd: str, file: str | None = None) -> Project:
    """The project that the user stands in: the nearest folder upwards with a Pipefile.toml, or the folder of *file*.

    Args:
        cwd: Absolute path of the user's folder.
        file: A Pipefile given with -f, absolute or from *cwd*.

    Raises:
        UsageError: There is none.
    """
    if file is not None:
        whole = os.path.normpath(os.path.join(cwd, file))
        if not os.path.isfile(whole):
            raise UsageError(f"`{file}` does not exist" if not os.path.exists(whole) else f"`{file}` is no file")
        root, name = os.path.split(whole)
        return Project(root, name, OsDisk(root), SystemClock())
    folder = cwd
    while True:
        if os.path.isfile(os.path.join(folder, PIPEFILE)):
            return Project(folder, PIPEFILE, OsDisk(folder), SystemClock())
        above = os.path.dirname(folder)
        if above == folder:
            break
        folder = above
    if os.path.exists(os.path.join(cwd, "Pipfile")):
        raise UsageError(f"no `{PIPEFILE}` here or in any folder above", hint="`Pipfile` belongs to pipenv; `pipefile init` writes a Pipefile.toml")
    raise UsageError(f"no `{PIPEFILE}` here or in any folder above", hint="`pipefile init` writes one to start from")


class Session:
    """One look at a project. Reads only; whoever builds takes the lock first (engine/build.py).

    Args:
        project: Which project.
        environ: The environment that stages inherit.
        warn: Takes warnings: about damaged state, for example.
        extra: What joins the Pipefile. Without, what is known of Python files without running them.
        note: Told where that is not all.
        targets: What is asked for: pattern rules make it if nobody else does.
        builds: Stages run, so that items which they make are found out on the way. Else these are what they were last time.

    Raises:
        PipefileError: The Pipefile or the graph is wrong; its places have their lines.
    """

    def __init__(  # noqa: PLR0913  # one a fact, most of them told by name
        self,
        project: Project,
        environ: Mapping[str, str],
        warn: Callable[[str], None],
        extra: Extra | None = None,
        note: Callable[[str], None] | None = None,
        targets: Sequence[str] = (),
        *,
        builds: bool = False,
    ) -> None:
        environ = without(environ)  # where jobs are counted is no concern of keys
        self._builds = builds
        self.project = project
        self.disk = project.disk
        self.locator: Locator = make_locator(project.disk)
        self.warn = warn
        self._pipefile_stamp = self._stamp(project.file)
        if extra is None:
            from pipefile.engine.declare import Looking

            extra = Extra(Looking(project.disk, note))
        self.extra = extra = replace(extra, overlay=project.overlay)
        try:
            self.pipeline: Pipeline = load(project.disk, project.file, environ, self.extra)
        except PipefileError as error:
            error.locate(self.locator)
            raise
        self._included = self._stamps()
        self.mask = mask_of(self.pipeline, environ)
        """Takes the values of secrets out of whatever is said or kept; None where there are none."""
        if self.pipeline.sources:
            from pipefile.load.declared import python_locator

            self.locator = python_locator(project.disk, self.pipeline.sources)
        settings = self.pipeline.settings
        self.store = settings.store
        self._index_stamp = self._index_stamps()
        self.index = self._read_index()
        self.files = Files(project.disk, settings.hash, self.index, self._doubtful(), self.store)
        self.values = Values(self.files, settings.value_in_memory)
        self.records = Records(project.disk, settings.store, warn)
        self.world = DiskWorld(self.files, self.records, self.store, self.pipefiles)
        self.environ = environ
        self.left_out: dict[int, str] = {}
        """Edges that a condition keeps from running, and why: those that are known, which grow while a build runs."""
        self.open: frozenset[int] = frozenset()
        """Edges that may turn out to be left out."""
        self._there: dict[str, bool] = {}
        self.remains: Remains | None = None
        """Tells which inputs are dead outputs; None where there can be none, or where not all that could make them is known."""
        from pipefile.plan import resolve

        try:
            self.targets = targets
            self.known: Mapping[str, frozenset[str]] = {}
            """Stages whose items others make, and that are known: with the names of those."""
            self.assumed: frozenset[str] = frozenset()
            """Those of them whose items are taken as they stand although a build goes on."""
            self.graph: Graph = resolve.resolve(self.pipeline, self.world, targets)
            if self.graph.fanouts and not builds:
                from pipefile.engine.growth import as_it_stands

                self.graph = as_it_stands(self)
        except PipefileError as error:
            error.locate(self.locator)
            self._explain(error)
            raise
        if self.graph.rules is not None and self.graph.rules.absent:
            self.pipeline = replace(self.pipeline, files={**dict.fromkeys(self.graph.rules.absent), **self.pipeline.files})
        self.world.made = self.graph.producer
        self.files.optional = self.graph.optional
        self.files.late = self.world.expand_late
        self.condition()
        self.environments: dict[tuple[tuple[str, str | None], ...], dict[str, str]] = {}

    def keep(self) -> None:
        """Last until the collector comes by, which a process that ends does not wait for: to take a large graph apart costs a part of making it."""
        self._kept = self

    # -- what is remembered

    def _stamp(self, path: str) -> tuple[int, ...] | None:
        try:
            seen = self.disk.stat(path)
        except OSError:
            return None
        return None if seen is None else index_file.stamp_of(seen)

    def _stamps(self) -> dict[str, tuple[int, ...] | None]:
        """Those of included Pipefiles."""
        return {file: self._stamp(file) for file in self.pipefiles if file != self.project.file}

    def stands(self) -> bool:
        """Whether the Pipefiles and the index are still those that were read: no other build has come in between."""
        if self._index_stamps() != self._index_stamp or self._stamp(self.project.file) != self._pipefile_stamp:
            return False
        return all(self._stamp(file) == stamp for file, stamp in self._included.items())

    def _index_stamps(self) -> tuple[tuple[int, ...] | None, ...]:
        """Of the index, and of what says how it has changed."""
        path = f"{self.store}/{index_file.NAME}"
        return self._stamp(path), self._stamp(path + index_file.CHANGES)

    def _read_index(self) -> Index:
        path = self.disk.at(f"{self.store}/{index_file.NAME}")
        try:
            reader = index_file.Reader(path)
        except index_file.Damaged as damage:
            if damage.unknown_format:
                self.warn(f"`{self.store}/{index_file.NAME}` is of format {damage.unknown_format}, which this version does not know: it is made anew")
            return Index(None)
        except OSError:
            return Index(None)
        try:
            index = Index(reader)
        except (index_file.Damaged, ValueError, OSError, MemoryError):
            return Index(None)
        finally:
            reader.close()
        fits = index.meta.version == version() and index.meta.algorithm == self.pipeline.settings.hash
        return index if fits else Index(None)

    def _doubtful(self) -> int | None:
        meta = self.index.meta
        return meta.saved - _CRASH_SPAN if meta.boot != index_file.boot_id() else None

    # -- what is left out

    def condition(self) -> None:
        """Find out what is left out, as far as that is known, and what may be; and, from now on, which inputs are dead outputs."""
        from pipefile.engine.remains import Remains

        self.remains = None if self.pipeline.joined or self.pipeline.unknown else Remains(self)
        if not self.graph.conditional:
            return
        left, self.open = self.conditions_of(self.graph)
        for edge, why in left.items():
            self.leave_out(edge, why)

    def conditions_of(self, graph: Graph) -> tuple[dict[int, str], frozenset[int]]:
        """As plan.conditions.static, of this graph or of one that may become it."""
        if not graph.conditional:
            return {}, frozenset()
        from pipefile.plan.conditions import static
        from pipefile.plan.cycles import topological

        return static(graph, topological(graph.depends, graph.order, range(len(graph.edges))), self._static_fault)

    def _static_fault(self, edge: Edge) -> str:
        """Why a condition that is known from the start does not hold; "" if it does."""
        from pipefile.plan.conditions import false_text

        condition = edge.stage.should_run
        assert condition is not None
        value: object = condition.value
        if condition.kind == "env":
            value = self.environ.get(condition.name, self.pipeline.dotenv.get(condition.name))
        elif condition.kind == "exists":
            if condition.name not in self._there:  # one answer for all of a build, however often its graph grows
                self._there[condition.name] = self.disk.stat(condition.name) is not None
            value = self._there[condition.name]
        return false_text(condition, value)

    def leave_out(self, edge: int, why: str) -> None:
        """Keep an edge from running; what it made before is no input of others any more."""
        self.left_out[edge] = why
        self.files.leave_out([output.path for output in self.graph.edges[edge].outputs])

    # -- what is asked for

    def select(self, targets: Sequence[str]) -> tuple[int, ...]:
        """Ids of the edges that *targets* stand for; of the default set if there are none.

        Raises:
            UsageError: A target is no alias, stage or file that a stage makes.
        """
        from pipefile.plan import resolve

        try:
            return resolve.select(self.graph, self.pipeline, targets)
        except PipefileError as error:
            if self.pipeline.settings.python:
                from pipefile.engine.declare import check_known

                check_known(self.disk, self.pipeline, targets, self.graph.by_stage)
            if isinstance(error, UnknownTargetError) and not error.hint:
                error.hint = self._unmade(targets)
            self.locate(error)
            raise

    def _unmade(self, targets: Sequence[str]) -> str:
        """What to say of an instance that there is none of, where a build may make its item."""
        stage = next((stage for stage in [target.partition("@")[0] for target in targets if "@" in target] if stage in self.graph.fanouts), "")
        return f"the items of stage `{show(stage)}` are made by others: a build may make that one" if stage and not self._builds else ""

    def check_asked(self, targets: Sequence[str]) -> None:
        """
        Raises:
            UsageError: Nothing is asked for, and all that there is to be built are files of pattern rules, which somebody has to ask for.
        """
        stage = next((stage for stage in self.pipeline.stages.values() if stage.is_pattern), None)
        if stage is not None and not targets and self.pipeline.settings.default is None:
            from pipefile.plan.targets import name_it, nothing_asks

            fault = UsageError(nothing_asks(stage), (Place(stage.file, ("stage", stage.name, "outputs"), f"`{show(stage.name)}`"),), name_it(stage))
            self.locate(fault)
            raise fault

    def closure(self, edges: Sequence[int]) -> list[int]:
        """The nodes that *edges* need, themselves included, each after those it needs.

        Raises:
            GraphError: A source that one of them needs does not exist.
        """
        from pipefile.plan import resolve

        nodes = resolve.closure(self.graph, edges, self.left_out)
        self.check_sources(nodes)
        return nodes

    def check_sources(self, nodes: Sequence[int], certain: bool = False) -> None:
        """See that the sources that a part of the graph needs are there; those of fallbacks too.

        Args:
            nodes: The nodes, in topological order.
            certain: All of them run. Else edges that are left out, and those that may be, are not looked at.

        Raises:
            GraphError: A source does not exist.
        """
        if not certain and self.graph.conditional:
            nodes = [node for node in nodes if node not in self.left_out and node not in self.open]
        stages = [self.graph.edges[node].stage for node in nodes if node < len(self.graph.edges)]
        fallbacks = {stage.fallback for stage in stages if stage.fallback and isinstance(stage.fallback, str)}
        if fallbacks:
            nodes = [*nodes, *sorted(self.graph.by_stage[name][0] for name in fallbacks)]
        from pipefile.plan import resolve

        fault = resolve.missing_sources(self.graph, nodes, self.world)
        if fault is None and self.remains is not None:
            fault = self.remains.fault([self.graph.edges[node] for node in nodes if node < len(self.graph.edges)])
        if fault is not None and not self.pipeline.unknown:  # who makes it may only be known to a build
            self.locate(fault)
            raise fault

    def locate(self, error: PipefileError) -> None:
        """Fill in the lines of an error's places."""
        error.locate(self.locator)
        self._explain(error)

    def _explain(self, error: PipefileError) -> None:
        """What is missing may be declared by a file that has not been run yet."""
        if self.pipeline.unknown and not error.hint:
            error.hint = f"the graph of `{show(self.pipeline.unknown[0])}` is unknown until a build"

    @cached_property
    def pipefiles(self) -> frozenset[str]:
        """The Pipefile and those that it includes: records name the one whose stage made their output."""
        return frozenset([self.project.file, *[f"{folder}/{PIPEFILE}" for folder in self.pipeline.scopes]])

    def pipefile_of(self, stage: Stage) -> str:
        """The Pipefile that a stage belongs to."""
        return f"{stage.folder}/{PIPEFILE}" if stage.folder else self.project.file

    def line_of(self, stage: Stage) -> int | None:
        """The line on which a stage begins in its Pipefile."""
        position = self.locator(stage.file, ("stage", stage.name))
        return None if position is None else position.line

    # -- environments

    def environment(self, stage: Stage) -> dict[str, str]:
        """The complete environment of a stage: one object for all stages that have the same."""
        tracked = tuple(stage.env.items()) if stage.env else ()
        if stage.secret_env and self.pipeline.settings.strict_env:
            tracked += tuple([(name, None) for name in stage.secret_env])
        found = self.environments.get(tracked)
        if found is not None:
            return found
        settings = self.pipeline.settings
        found = {**self.pipeline.dotenv, **self.environ}
        if settings.strict_env:
            named = {*settings.env, *stage.env, *stage.secret_env}
            found = {name: value for name, value in found.items() if name in _KEPT_WHEN_STRICT or name in named or name.startswith("LC_")}
        found.update({name: value for name, value in tracked if value is not None})
        found[VARIABLE] = variable(self.environ, self.project.root)
        self.environments[tracked] = found
        return found


def version() -> str:
    """What an index must have been written by to be believed."""
    return f"{__version__}/{KEY_FORMAT}"


def python() -> str:
    """The Python that runs functions, as keys name it."""
    return f"{sys.version_info[0]}.{sys.version_info[1]}"
