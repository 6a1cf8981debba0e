"""What a build has to do with the cache: restore before it runs, keep what has run.

What a stage has made is kept while others run or wait, not before what needs it may start: looking it over costs as much as a short command.
"""

from __future__ import annotations

import errno
import os
from collections import deque
from collections.abc import Callable, Mapping
from time import monotonic
from typing import TYPE_CHECKING

from pipefile.base.dataclass import dataclass, field
from pipefile.base.errors import InputError, PipefileError
from pipefile.base.paths import show
from pipefile.engine.attempt import Attempts
from pipefile.engine.cached import Cached
from pipefile.engine.decide import Decider, Decision
from pipefile.engine.keep import Keeper
from pipefile.engine.places import Places
from pipefile.engine.restore import Restorer
from pipefile.engine.session import Session
from pipefile.model.cache import Entry, Small
from pipefile.model.graph import Edge
from pipefile.model.ports import Cache
from pipefile.model.record import Reason, Record

if TYPE_CHECKING:
    from pipefile.engine.aside import Aside


@dataclass(frozen=True, slots=True)
class PutBack:
    """What an edge was in the run: its key, and the result that brings it back; None where it is so still."""

    key: str
    entry: Entry | None


@dataclass(frozen=True, slots=True)
class Resume:
    """What a resumed build does with edges that it does not decide.

    Args:
        stage: From where on it runs.
        run: As in which the rest is.
        above: What is put back, by edge.
        below: Edges that run, whatever they are.
    """

    stage: str = ""
    run: str = ""
    above: Mapping[int, PutBack] = field(default_factory=dict)
    below: frozenset[int] = frozenset()


NOTHING = Resume()

LARGE = 4 << 20
"""Bytes of outputs that are copied beside the build, and not by it: about as much as takes as long as a short command."""

AT_HAND = 16 << 20
"""Most bytes of small outputs that are held until they are kept."""

_MANY = 32  # results that are kept at once
_STEP = 0.01  # seconds that a build has for that before it looks at its stages again


class Reuse:
    """The cache in one build.

    Args:
        session: The project.
        cache: It; None: nothing is restored and nothing is kept.
        decider: Knows the edges' records.
        places: Where outputs are written.
        attempts: Puts them in place.
        is_ancestor: Whether the first edge comes before the second for certain.
        warn: Takes warnings.
    """

    def __init__(  # noqa: PLR0913, PLR0917  # the parts of a build that it joins
        self,
        session: Session,
        cache: Cache | None,
        decider: Decider,
        places: Places,
        attempts: Attempts,
        is_ancestor: Callable[[int, int], bool],
        warn: Callable[[str], None],
    ) -> None:
        self._session = session
        self._cache = cache
        self._decider = decider
        self._warn = warn
        self._warned = False
        self._waiting: deque[tuple[Edge, Record, dict[str, Small]]] = deque()
        self._owed: set[int] = set()
        self._attempts = attempts
        self._held = 0  # bytes that wait with them
        self.resume = NOTHING
        self.restorer: Restorer | None = None
        self.found: tuple[Cached, Cache] | None = None
        if cache is not None:
            cached = Cached(session, decider, cache, is_ancestor)
            self.found = (cached, cache)
            self.restorer = Restorer(session, cached, cache, places, attempts)
            self._keeper = Keeper(session, cache, cached.keys)
            self._aside: Aside | None = None
            attempts.small = {}

    def restore(self, edge: Edge, decision: Decision) -> Record | None:
        """Restore what a stale edge has made before; None where it has to run."""
        if self.restorer is None:
            return None
        try:
            return self.restorer.restore(edge, decision)
        except InputError:
            return None  # running the stage tells what is wrong
        except OSError as error:
            self._tell("an earlier result cannot be restored", error)
            return None

    def put_back(self, edge: Edge, back: PutBack) -> tuple[Decision, Record] | None:
        """Make an edge what it was in the run that is resumed; None if it is so still.

        Raises:
            InputError: What was there when that was planned is not what it should be.
        """
        if back.entry is None:
            return None
        decision = Decision((Reason("put-back", self.resume.run),), back.key, [], (), (), {})
        try:
            record = self.restorer.put_back(edge, decision, back.entry) if self.restorer is not None else None
        except OSError as error:
            raise InputError(f"cannot be put back as it was in run {self.resume.run}: {error.strerror or error}") from error
        if record is None:
            raise InputError(f"cannot be put back as it was in run {self.resume.run}: what the cache has is damaged")
        return decision, record

    @property
    def busy(self) -> bool:
        """Whether something waits to be kept."""
        return bool(self._waiting)

    def holds(self, number: int) -> bool:
        """Whether what an edge has made is still to be kept, and has to stand for that."""
        return number in self._owed or (self._cache is not None and self._aside is not None and self._aside.holds(number))

    def later(self, edge: Edge) -> None:
        """An edge has run: keep what it has made as soon as there is time."""
        record = self._decider.written.get(edge.id)
        small = self._attempts.small
        if small is not None and record is not None:
            found = {output.path: small.pop(output.path) for output in edge.outputs if output.path in small}
            self._held += (held := sum([len(each.data) for each in found.values()]))
            if self._held > AT_HAND:  # so much waits that the rest is read again
                self._held -= held
                found = {}
            self._waiting.append((edge, record, found))
            self._owed.add(edge.id)

    def step(self, idle: bool = False) -> None:
        """Keep some of what waits, if that is many results or there is nothing else to do: one by one, between other things, each takes twice as
        long."""
        if idle or len(self._waiting) >= _MANY:
            until = monotonic() + _STEP
            while self._waiting and monotonic() < until:
                self._keep_next()

    def _keep_next(self) -> None:
        edge, record, small = self._waiting.popleft()
        self._held -= sum([len(each.data) for each in small.values()])
        self._owed.discard(edge.id)
        try:
            if self._session.files.size_of([made.path for made in record.outputs]) >= LARGE:
                self._beside().keep(edge, record, small)
            else:
                self._keeper.keep(edge, record, small)
        except PipefileError:
            pass  # an output is gone already
        except OSError as error:
            self._tell("a result cannot be kept", error)

    def _beside(self) -> Aside:
        if self._aside is None:
            from pipefile.engine.aside import Aside

            assert self.found is not None
            self._aside = Aside(Keeper(self._session, self.found[1], self.found[0].keys))
        return self._aside

    def close(self, interrupted: bool) -> None:
        """Keep what waits, unless somebody wants the build to end; make room."""
        if self._cache is None:
            return
        while self._waiting and not interrupted:
            self._keep_next()
        self._waiting.clear()
        self._owed.clear()
        if self._aside is not None:
            self._aside.close(drop=interrupted)
            for fault in self._aside.faults():
                self._tell("a result cannot be kept", fault)
        try:
            self._cache.close()
        except OSError as error:
            self._tell("the cache cannot be looked after", error)

    def _tell(self, what: str, error: OSError) -> None:
        if not self._warned and error.errno != errno.ECANCELED:
            self._warned = True
            path = error.filename if isinstance(error.filename, str) else f"{self._session.store}/cache"
            reason = error.strerror or os.strerror(error.errno or 0)
            self._warn(f"{what}: `{show(path)}`: {reason.lower()}; `--no-cache` does without")
