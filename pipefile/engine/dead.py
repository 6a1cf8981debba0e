"""Dead outputs: files that an earlier build made and that no edge makes any more."""

from __future__ import annotations

import os
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from functools import cached_property

from pipefile.base.digest import ALGORITHMS
from pipefile.base.errors import InputError, RecordError
from pipefile.base.paths import folder_of, join, name_of, parents, show, within
from pipefile.engine.decide import Decider
from pipefile.engine.files import Files
from pipefile.engine.places import TEMPORARY
from pipefile.engine.session import Session
from pipefile.engine.unasked import is_spare
from pipefile.model.record import Made, Record
from pipefile.store import record as record_file
from pipefile.store.index import Index


def find(session: Session, decider: Decider) -> list[str]:
    """Places of dead outputs, as far as the index remembers what was made; without an index the whole tree is searched for records."""
    return standing(session, decider)[0]


def standing(session: Session, decider: Decider) -> tuple[list[str], list[str]]:
    """Places of dead outputs, as `find`; and of what pattern rules have made and would make again, though nothing asks for it now."""
    index = session.index
    made = living(session, decider)
    left = session.files.left_out
    spare: list[str] = []
    if index.edge_names or index.dead or index.spare:
        known = dict.fromkeys([*index.dead, *index.spare, *sorted(left)])
        for at in range(len(index.edge_names)):
            known.update(dict.fromkeys([index.paths[row] for row in index.outputs(at)]))
        gone = [path for path in known if path not in made and session.disk.lstat(record_file.record_path(path)) is not None]
        if session.graph.rules is not None:
            records = {path: read(session, record_file.record_path(path)) for path in gone}
            spare = [path for path, record in records.items() if record is not None and is_spare(session, record)]
            kept = frozenset(spare)
            gone = [path for path in gone if path not in kept]
    else:
        gone = sorted(record.output for _, record in records_of_gone(session, made) if record.output is not None)
        if session.graph.rules is not None:
            spare = sorted(record.output for _, record in records_of_gone(session, made, spare=True) if record.output is not None)
    if not gone:
        return [], spare
    real = Real(session)
    sources = needed(session, real)
    unread = [path for path in gone if path in left or real.of(path) not in sources]
    return [path for path in unread if real.of(path) not in real.outputs and real.allowed(path)], spare


def made_now(session: Session) -> Mapping[str, int]:
    """Output path -> edge, without edges that a condition keeps from running: what these made before is dead."""
    made, left = session.graph.producer, session.left_out
    return {path: edge for path, edge in made.items() if edge not in left} if left else made


def living(session: Session, decider: Decider) -> Container[str]:
    """What edges make: the outputs that the Pipefile names, and those that functions have named when they last returned; of edges that are not left
    out."""
    made, left = made_now(session), session.left_out
    named = [path for number in sorted(decider.naming) if number not in left for path in decider.named(session.graph.edges[number])]
    return {*made, *named} if named else made


class Real:
    """Paths of a project once the links among their folders are followed: one file can be declared by two paths.

    Args:
        session: The project.
    """

    def __init__(self, session: Session) -> None:
        self._disk = session.disk
        self._made = made_now(session)
        self._folders: dict[str, str] = {}
        places = (".", *session.pipeline.settings.outside)
        self._places = [os.path.realpath(session.disk.at(place)).rstrip("/") for place in places]

    def of(self, path: str) -> str:
        return f"{self._folder(path)}/{name_of(path)}"

    def allowed(self, path: str) -> bool:
        """Whether *path* lies in the project or in a folder of `outside`."""
        folder = self._folder(path)
        return any(folder == place or within(folder, place) for place in self._places)

    @cached_property
    def outputs(self) -> frozenset[str]:
        """What edges make now."""
        return frozenset([self.of(path) for path in self._made])

    @cached_property
    def above(self) -> frozenset[str]:
        """All folders above that."""
        return frozenset([folder for path in self.outputs for folder in parents(path)])

    def _folder(self, path: str) -> str:
        folder = folder_of(path)
        found = self._folders.get(folder)
        if found is None:
            found = self._folders[folder] = os.path.realpath(self._disk.at(folder or "."))
        return found


def needed(session: Session, real: Real) -> dict[str, str]:
    """Real paths that some edge says it needs, with its name: a build that has anything to do with that edge tells of it (engine/remains.py), until
    then nothing is lost.

    Globs match no dead output, and what an edge can do without it runs without.
    """
    found: dict[str, str] = {}
    for edge in session.graph.edges:
        for need in edge.needs:
            if need.files is not None and need.files.kind in ("file", "directory") and not need.optional:
                found[real.of(need.files.paths[0])] = edge.name
        for path in edge.literal:
            found.setdefault(real.of(path), edge.name)
    return found


def records_of_gone(session: Session, made: Container[str], spare: bool = False, under: str = "") -> Iterator[tuple[str, Record]]:
    """Records in the tree that name this Pipefile, and an output that no edge makes any more or a stage that is gone; with their paths.

    Looks into every folder but `.git`, temporary ones, and the store, of which only values and records are of interest.

    Args:
        session: The project.
        made: Outputs that are made: `living`.
        spare: Those of outputs that pattern rules would make again, instead of all others.
        under: Look into this folder alone.
    """
    disk, store = session.disk, session.store
    stages = session.graph.by_stage
    kept = f"{store}/records"
    real = Real(session)
    todo = [under] if under else ["", *session.pipeline.settings.outside, f"{store}/values", kept]
    while todo:
        folder = todo.pop()
        try:
            entries = sorted(disk.names(folder))
        except OSError:
            continue
        for name, kind in entries:
            path = join(folder, name)
            if kind == "directory":
                if name not in (".git", TEMPORARY) and path != store:
                    todo.append(path)
            elif kind == "file" and name.endswith(".hash") and (name[:1] == "." or folder == kept):
                if join(folder, name[1:-5]) in made:
                    continue  # the record of a living output, by its name: it need not be read
                record = read(session, path)
                if record is None or (record.edge in stages if record.output is None else record.output in made):
                    continue
                if is_spare(session, record) != spare:
                    continue
                if record.output is None or real.of(record.output) not in real.outputs:  # which may lead through a link to this very file
                    yield path, record


def unknown_stages(session: Session) -> frozenset[str]:
    """Stages of whose instances nothing is known yet, because nobody has made their items: what these have made before is not dead for that."""
    unknown = [stage for stage, fanout in session.graph.fanouts.items() if fanout.edge >= 0 and fanout.edge not in session.left_out]
    return session.assumed.union(unknown)


def read(session: Session, at: str) -> Record | None:
    """The record at *at*, if it is whole and names this Pipefile."""
    try:
        record = record_file.decode(session.disk.read(at, record_file.LIMIT, follow=False), at)
    except (OSError, RecordError):
        return None
    return record if record.pipefile in session.pipefiles else None


def remove(session: Session, paths: Sequence[str], warn: Callable[[str], None]) -> list[str]:
    """Remove dead outputs whose records name this Pipefile and whose digests still equal them; what was edited since is kept, with a warning.

    Returns:
        What was removed, directories with a slash.
    """
    removed = []
    real = Real(session)
    unknown = unknown_stages(session)
    for path in paths:
        at = record_file.record_path(path)
        record = read(session, at)
        if record is None or record.edge.partition("@")[0] in unknown:
            continue
        if real.of(path) in real.above:  # a directory output that has become the folder of outputs that are still made
            continue
        made = next((made for made in record.outputs if made.path == path), None)
        if made is None or not _remove_one(session, made, at, warn):
            continue
        removed.append(path + "/" if made.kind == "directory" else path)
        remove_empty(session, folder_of(path))
    return removed


def why(session: Session, path: str) -> str:
    """Why an output is dead, as it is said when it is removed."""
    return "whose stage is skipped" if path.rstrip("/") in session.files.left_out else "which no stage makes any more"


def files_like(session: Session, digest: str) -> Files:
    """The project's files as the hash that *digest* was made with sees them: a project may have changed to another one since."""
    algorithm = digest.partition(":")[0]
    known = algorithm != session.files.algorithm and algorithm in ALGORITHMS
    return Files(session.disk, algorithm, Index(None), store=session.store) if known else session.files


def _remove_one(session: Session, made: Made, at: str, warn: Callable[[str], None]) -> bool:
    files = files_like(session, made.digest)
    try:
        session.files.forget(made.path)
        state = files.output(made.path)
        if state.kind == "absent":
            session.disk.remove(at)
            return False
        if state.digest != made.digest:
            warn(f"`{show(made.path)}` is made by no stage any more, but was changed since: it is kept")
            return False
        session.disk.remove(made.path)
        session.disk.remove(at)
    except InputError as error:
        warn(error.message)
        return False
    except OSError as error:
        warn(f"`{show(made.path)}` is made by no stage any more, but cannot be removed: {os.strerror(error.errno or 0).lower()}")
        return False
    return True


def remove_empty(session: Session, folder: str) -> None:
    """Remove a folder from which an output has gone, and those above it, while nothing else is in them. Those of `outside` stay: the user's."""
    outside = session.pipeline.settings.outside
    while folder and (folder[0] != "/" or any(folder != place and within(folder, place) for place in outside)) and session.disk.rmdir(folder):
        folder = folder_of(folder)
