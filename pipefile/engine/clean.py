"""`clean`: removes outputs and their records, and nothing else.

What is removed is what an edge makes, at the very path that it makes it, its depfile too; a directory output goes whole. A source is never touched,
nor what stands at an output's place but is of another kind. `--dead` looks at the records in the tree instead: those that name this Pipefile and an
edge that does not make their output any more.

Nothing of the project is run. Where Python files have changed since a build ran them, what that build learned counts, since its outputs are those
that are there; but a file may have become a source since. So what these stages made goes only if it is as their records say.
"""

from __future__ import annotations

import os
import stat as stat_bits
from collections.abc import Callable, Collection, Container, Iterable, Mapping

from pipefile.base.dataclass import dataclass
from pipefile.base.errors import PipefileError, StoreError, UsageError
from pipefile.base.paths import folder_of, show
from pipefile.engine.dead import Real, files_like, living, needed, read, records_of_gone, remove_empty, unknown_stages
from pipefile.engine.decide import Decider
from pipefile.engine.declare import Looking
from pipefile.engine.session import Project, Session
from pipefile.load.loader import Extra
from pipefile.model.graph import Edge
from pipefile.model.record import ABSENT, Made
from pipefile.model.stage import Output
from pipefile.store.record import edge_record_path, record_path


@dataclass(frozen=True, slots=True)
class Cleaned:
    """What was removed, or would be.

    Args:
        removed: Outputs, directories with a slash.
        kept: What was left although it stands at an output's place, and why.
        records: How many records went.
    """

    removed: tuple[str, ...]
    kept: tuple[tuple[str, str], ...]
    records: int


def look(
    project: Project, environ: Mapping[str, str], warn: Callable[[str], None], note: Callable[[str], None], targets: tuple[str, ...] = ()
) -> Session:
    """A look at the project as the last build has left it, for *targets*.

    Raises:
        PipefileError: The Pipefile or the graph is wrong.
    """
    try:
        return Session(project, environ, warn, Extra(Looking(project.disk, note, made=True)), targets=targets)
    except PipefileError:  # what the last build learned does not fit what the Pipefile says today
        return Session(project, environ, warn, targets=targets)


class Cleaner:
    """
    Args:
        session: The project; its lock is held unless *dry*.
        dry: Only find out what would be removed.
    """

    def __init__(self, session: Session, dry: bool) -> None:
        self._session = session
        self._disk = session.disk
        self._dry = dry
        self._removed: list[str] = []
        self._kept: list[tuple[str, str]] = []
        self._records = 0
        self._places: dict[str, str] = {}

    def outputs(self, targets: tuple[str, ...]) -> Cleaned:
        """Remove the outputs of the stages that *targets* stand for, or of all stages.

        Raises:
            UsageError: A target is unknown.
            StoreError: Something cannot be removed.
        """
        unsure = self._session.pipeline.unknown
        graph = self._session.graph
        stages = self._session.pipeline.stages
        rules = {name for name in targets or stages if name in stages and stages[name].is_pattern and name not in self._session.pipeline.aliases}
        named = [name for name in targets if name not in rules or graph.by_stage[name]]
        edges = [graph.edges[each] for each in self._session.select(named)] if named else [] if targets else graph.edges
        decider = Decider(self._session)
        for edge in edges:
            returned, records = decider.named(edge), self._records
            if not edge.outputs:
                self._remove_record(edge_record_path(self._session.store, edge.name))
            for output in edge.outputs:
                fault = self._fault(output.path, output.directory)
                if not fault and unsure and ("stage", edge.stage.name) in self._session.pipeline.sources:
                    fault = self._guess_fault(edge, output)
                if fault:
                    self._kept.append((output.shown, fault))
                    continue
                self._remove_record(record_path(output.path))  # first: from then on the edge is stale, whatever happens
                self._remove(output.path, output.shown)
            self._remove_named(edge, returned)
            self._remove_checkpoints(edge)
            if self._records > records and edge.stage.depfile:
                self._remove_depfile(edge.stage.depfile)
        if rules:
            self._spare(rules)
        if unsure and not targets and not self._session.project.overlay:
            self._gone()  # or made by a stage that is not known
        unknown = unknown_stages(self._session).intersection([edge.stage.name for edge in edges])
        if unknown:
            self._gone(unknown)
        return self._done()

    def _remove_depfile(self, path: str) -> None:
        """Remove what a stage has written about its inputs: no output, so nobody else's file if it stands beside a record."""
        if path in self._session.graph.producer:
            return
        fault = self._fault(path, directory=False)
        if fault:
            self._kept.append((path, fault))
        else:
            self._remove(path, path)

    def _remove_checkpoints(self, edge: Edge) -> None:
        for output in edge.stage.outputs:
            if output.checkpoint:
                fault = self._fault(output.path, output.directory)
                if fault:
                    self._kept.append((output.shown, fault))
                else:
                    self._remove(output.path, output.shown)

    def _remove_named(self, edge: Edge, paths: Iterable[str]) -> None:
        """Remove files that an edge's function has named when it returned, where the records beside them say so too."""
        for path in paths:
            at = record_path(path)
            record = read(self._session, at)
            if record is None or record.edge != edge.name or path in self._session.graph.producer:
                continue
            fault = self._fault(path, directory=False)
            if fault:
                self._kept.append((path, fault))
                continue
            self._remove_record(at)
            self._remove(path, path)

    def dead(self) -> Cleaned:
        """Remove the outputs that no edge makes any more, where nobody has changed them since, and the records of stages that are gone.

        Raises:
            UsageError: What edges make is not known.
            StoreError: Something cannot be removed.
        """
        if self._session.project.overlay:
            raise UsageError("`--dead` goes with neither `--profile` nor `--set`: what is dead with them may not be without")
        unknown = self._session.pipeline.unknown
        if unknown:
            raise UsageError(f"which outputs are dead is unknown until a build runs `{show(unknown[0])}`", hint="a build of everything removes them")
        self._gone()
        return self._done()

    def _gone(self, stages: Collection[str] | None = None) -> None:
        """Remove what no edge makes any more: of *stages*, or of all but those of whose instances nothing is known."""
        unknown = unknown_stages(self._session)
        real = Real(self._session)
        sources = needed(self._session, real)
        left = {real.of(path) for path in self._session.files.left_out}  # who reads these can do without
        readers = {place: name for place, name in sources.items() if place not in left}
        for at, record in list(records_of_gone(self._session, living(self._session, Decider(self._session)))):
            stage = record.edge.partition("@")[0]
            if stage in unknown if stages is None else stage not in stages:
                continue
            made = next((each for each in record.outputs if each.path == record.output), None)
            if made is None:
                self._remove_record(at)
                continue
            shown = made.path + "/" if made.kind == "directory" else made.path
            place = real.of(made.path)
            fault = "holds outputs of other stages now" if place in real.above else self._dead_fault(made, readers.get(place, ""))
            if fault:
                self._kept.append((shown, fault))
                continue
            self._remove_record(at)
            self._remove(made.path, shown)

    def _spare(self, rules: Container[str]) -> None:
        """Remove what pattern rules have made and nothing asks for now, where nobody has changed it since."""
        made = living(self._session, Decider(self._session))
        for at, record in list(records_of_gone(self._session, made, spare=True)):
            output = next((each for each in record.outputs if each.path == record.output), None)
            if output is None or record.edge.partition("@")[0] not in rules:
                continue
            shown = output.path + "/" if output.kind == "directory" else output.path
            fault = self._dead_fault(output, "")
            if fault:
                self._kept.append((shown, fault))
                continue
            self._remove_record(at)
            self._remove(output.path, shown)
            depfile = rules_.depfile(output.path, record.edge) if (rules_ := self._session.graph.rules) is not None else ""
            if depfile:
                self._remove_depfile(depfile)

    def _done(self) -> Cleaned:
        return Cleaned(tuple(self._removed), tuple(self._kept), self._records)

    def _fault(self, path: str, directory: bool) -> str:
        """Why what stands at an output's place must not be removed; "" if it may be."""
        try:
            seen = self._disk.lstat(path)
        except OSError as error:
            return f"cannot be looked at: {(error.strerror or str(error)).lower()}"
        if seen is None:
            return ""
        folder = folder_of(path)
        fault = self._places.get(folder)
        if fault is None:
            fault = self._places[folder] = self._folder_fault(folder)
        if fault:
            return fault
        if stat_bits.S_ISDIR(seen.st_mode) and not directory:
            return "is a directory, not the file that its stage makes"
        if directory and not stat_bits.S_ISDIR(seen.st_mode) and not stat_bits.S_ISLNK(seen.st_mode):
            return "is no directory, which its stage makes"
        return ""

    def _folder_fault(self, folder: str) -> str:
        root = os.path.realpath(self._disk.root)
        real = os.path.realpath(self._disk.at(folder or "."))
        allowed = [root, *[os.path.realpath(self._disk.at(other)) for other in self._session.pipeline.settings.outside]]
        if any(real == place or real.startswith(place.rstrip("/") + "/") for place in allowed):
            return ""
        return "lies outside the project, where a link leads"

    def _guess_fault(self, edge: Edge, output: Output) -> str:
        """Why the output of a stage that is perhaps another one by now must not be removed; "" if it may be."""
        if self._disk.lstat(output.path) is None:
            return ""
        record = read(self._session, record_path(output.path))
        made = [each for each in record.outputs if each.path == output.path] if record is not None and record.edge == edge.name else []
        return self._dead_fault(made[0], "") if made else "has no record of its stage"

    def _dead_fault(self, made: Made, reader: str) -> str:
        path, digest = made.path, made.digest
        fault = self._fault(path, made.kind == "directory")
        if fault:
            return fault
        if reader:
            return f"is an input of `{show(reader)}` now"
        try:
            now = files_like(self._session, digest).output_digest(path)
            if now == ABSENT:
                return "" if self._disk.lstat(path) is None else "is not what its stage made"
        except PipefileError as error:
            return error.message
        return "" if now == digest else "was changed since its stage made it"

    def _remove_record(self, path: str) -> None:
        try:
            if self._dry:
                self._records += self._disk.lstat(path) is not None
            else:
                self._records += self._disk.remove(path)
        except OSError as error:
            raise _cannot(path, error) from error

    def _remove(self, path: str, shown: str) -> None:
        try:
            if self._disk.lstat(path) is not None if self._dry else self._disk.remove(path):
                self._removed.append(shown)
            if not self._dry:  # its record may have been all that was there
                remove_empty(self._session, folder_of(path))
        except OSError as error:
            raise _cannot(path, error) from error


def _cannot(path: str, error: OSError) -> StoreError:
    return StoreError(f"`{show(path)}` cannot be removed: {(error.strerror or str(error)).lower()}")
