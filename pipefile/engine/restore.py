"""Puts an earlier result back in place of an execution.

The order is that of an attempt (engine/attempt.py): all bytes at temporary paths, also where the stage writes in place, and checked against their
digests; then the records are removed, the outputs renamed into place, the records written. A kill between any two leaves the edge stale or unchanged.
"""

from __future__ import annotations

from collections.abc import Sequence

from pipefile.base import digest as digests
from pipefile.base.dataclass import replace
from pipefile.base.errors import InputError
from pipefile.engine.attempt import Attempt, Attempts
from pipefile.engine.cached import Cached
from pipefile.engine.decide import Decision
from pipefile.engine.discover import Found
from pipefile.engine.files import NOTHING, State
from pipefile.engine.places import Places, temporary
from pipefile.engine.session import Session
from pipefile.model.cache import Entry, Item, Kept
from pipefile.model.graph import Edge
from pipefile.model.ports import Cache, Completion
from pipefile.model.record import Record
from pipefile.model.stage import Output
from pipefile.store.index import stamp_of
from pipefile.store.record import names_files


class Restorer:
    """
    Args:
        session: The project.
        cached: What earlier results there are.
        cache: Where their bytes are.
        places: Where outputs are written.
        attempts: Puts them in place and writes their records.
    """

    def __init__(self, session: Session, cached: Cached, cache: Cache, places: Places, attempts: Attempts) -> None:
        self._session = session
        self._disk = session.disk
        self._files = session.files
        self._cached = cached
        self._cache = cache
        self._places = places
        self._attempts = attempts
        self._sync = session.pipeline.settings.durability == "full"

    def restore(self, edge: Edge, decision: Decision) -> Record | None:
        """Restore the result that a stale edge has had before.

        Returns:
            Its new record; None where there is no such result that can be believed.

        Raises:
            InputError: Something stands in its way that cannot be read.
            OSError: The disk does not take it; the edge is stale then, or as it was.
        """
        for entry in self._cached.candidates(edge, decision):
            record = self.put_back(edge, decision, entry)
            if record is not None:
                return record
        return None

    def put_back(self, edge: Edge, decision: Decision, entry: Entry) -> Record | None:
        """As `restore`, with one result that fits the edge."""
        missing = self._cached.missing(entry)
        if missing is None:
            return None
        declared = {output.path: output for output in edge.outputs}
        outputs = [replace(declared.get(kept.path) or Output(None, kept.path), in_place=False) for kept in missing]
        named = entry.outputs[len(edge.outputs) :]
        if any(kept in missing and not self._attempts.naming.is_free(edge, kept.path) for kept in named):
            return None
        try:
            made = self._fetch(outputs, missing)
            if made is None or (names_files(edge.outputs) and not self._names(edge, entry, made)):
                self._discard(outputs)
                self._cache.drop(entry)
                return None
        except BaseException:
            self._discard(outputs)
            raise
        self._commit(edge, outputs, made)
        for kept in entry.outputs:
            made.setdefault(kept.path, self._files.output(kept.path))
        record = self._attempts.write_records(
            Attempt(edge, decision),
            Completion(edge.id, "ok", elapsed=entry.duration),
            {kept.path: made[kept.path] for kept in entry.outputs},
            Found(digests=dict(entry.discovered), own=list(entry.own)),
        )
        self._cache.used(entry)
        return record

    # -- bytes

    def _fetch(self, outputs: Sequence[Output], wanted: Sequence[Kept]) -> dict[str, State] | None:
        """Bring the outputs to their temporary paths; None if what comes is not what was wanted."""
        made: dict[str, State] = {}
        for output, kept in zip(outputs, wanted, strict=True):
            if not kept.digest:
                made[output.path] = NOTHING
                continue
            self._places.make_ready(output, True)
            place = temporary(output.path)
            for item in kept.items or ():
                if not self._fetch_item(item, f"{place}/{item.path}" if item.path else place, output):
                    return None
            state = self._files.directory(place) if output.directory else self._files.known[place]
            if state.digest != kept.digest:
                return None
            made[output.path] = state
        return made

    def _fetch_item(self, item: Item, place: str, output: Output) -> bool:
        disk = self._disk
        if item.kind == "directory":
            disk.mkdirs(place)
            return True
        if item.kind == "link":
            disk.symlink((item.data or b"").decode("utf-8", "surrogateescape"), place)
            return True
        if item.data is None:
            digest = item.blob
            if not self._cache.fetch(digest, item.size, place, item.executable):
                return False
        else:
            digest = digests.of_bytes(item.data, self._files.algorithm)
            disk.write(place, item.data, mode=0o777 if item.executable else 0o666)
            if output.value:
                self._session.values.keep(digest, item.data)
        seen = disk.lstat(place)
        if seen is None:
            return False
        if self._sync:
            disk.sync(place)
        self._files.known[place] = State("file", digests.executable(digest) if seen.st_mode & 0o100 else digest, stamp_of(seen))
        return True

    def _names(self, edge: Edge, entry: Entry, made: dict[str, State]) -> bool:
        """Whether the files that an entry has besides the declared outputs are just those which its values name."""
        named = {kept.path: kept.digest for kept in entry.outputs[len(edge.outputs) :]}
        found = {}
        for output in edge.outputs:
            if output.value == "file":
                place = temporary(output.path) if output.path in made else output.path
                try:
                    path, digest, _ = self._session.values.named(place)
                except InputError:
                    return False
                if named.get(path, digest) != digest:
                    return False
                found[path] = digest
        return named.keys() <= found.keys()

    def _discard(self, outputs: Sequence[Output]) -> None:
        for output in outputs:
            place = temporary(output.path)
            for inner in self._files.members.pop(place, ((), ()))[0]:
                self._files.known.pop(inner, None)
            self._files.known.pop(place, None)
            try:
                self._disk.remove(place)
            except OSError:
                pass  # it is swept at the end of the build

    def _commit(self, edge: Edge, outputs: Sequence[Output], made: dict[str, State]) -> None:
        self._session.records.remove(edge.name, edge.outputs)
        self._attempts.put_in_place(replace(edge, outputs=tuple(outputs)), made)
        for output in outputs:
            self._files.known.pop(temporary(output.path), None)
