"""Which earlier result an edge could have: the cache's key, and whether an entry is believed. Reads only.

The key covers the edge's key and what that one leaves out because it is no business of a single machine: the platform, and the program that a direct
command starts. An entry is believed if it describes just the outputs that the edge declares, if its discovered inputs are now as they were then, made
by edges that have ended, and if all bytes that are missing are there.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

from pipefile.base import digest as digests
from pipefile.base.errors import InputError
from pipefile.base.paths import parents, within
from pipefile.engine.decide import Decider, Decision
from pipefile.engine.files import is_own
from pipefile.engine.session import Session
from pipefile.model.cache import Entry, Kept
from pipefile.model.graph import Edge
from pipefile.model.ports import Cache
from pipefile.model.record import Record
from pipefile.model.stage import Command, Stage, Template
from pipefile.plan.render import KEPT, argv_for_key, input_values
from pipefile.plan.stale import runs_anyway
from pipefile.plan.template import PlaceholderError, redirected_program, split_words
from pipefile.store.cache import LocalCache
from pipefile.store.index import stamp_of
from pipefile.store.record import names_files


def open_cache(session: Session, warn: Callable[[str], None]) -> Cache | None:
    """The project's cache; None where the Pipefile wants none."""
    settings = session.pipeline.settings
    if not settings.cache_size:
        return None
    return LocalCache(session.disk, session.store, settings.cache_size, settings.hash, int(session.project.clock.now()), warn)


def has_results(session: Session) -> bool:
    """Whether the project's cache has anything at all."""
    try:
        return next(iter(session.disk.names(f"{session.store}/cache/entries")), None) is not None
    except OSError:
        return False


class CacheKeys:
    """
    Args:
        session: The project.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._words: dict[int, Template] = {}
        self._found: dict[tuple[str, str | None, str], str] = {}
        self._digests: dict[str, tuple[tuple[int, ...], str]] = {}
        self._known: dict[tuple[int, str], str] = {}
        self._outside: dict[str, str] = {}
        self._fixed: dict[tuple[str, int, str], str] = {}  # program as it is called, environment, folder -> digest
        self._algorithm = session.pipeline.settings.hash
        machine = os.uname()
        self._platform = f"{machine.sysname} {machine.machine}"

    def of(self, edge: Edge, key: str) -> str:
        """The cache's key of an edge whose own is *key*, with the program as it was when this was first asked: before it ran."""
        found = self._known.get((edge.id, key))
        if found is None:
            text = f"pipefile cache\0{key}\0{self._platform}\0{self.program(edge)}"
            found = self._known[edge.id, key] = digests.of_text(text, self._algorithm)
        return found

    def program(self, edge: Edge) -> str:
        """Digest of the file that a direct command starts; "" for a function, for what a shell has to read, and for what is not there."""
        action = edge.stage.action
        if not isinstance(action, Command):
            return ""
        template = self._words.get(id(action))  # commands live as long as their stages
        if template is None:
            template = self._words[id(action)] = _first_word(action)
        name = template[0] if len(template) == 1 and isinstance(template[0], str) else self._filled(edge, template)
        if not name:
            return ""
        place = (name, id(self._session.environment(edge.stage)), edge.stage.folder)  # environments live as long as the session
        found = self._fixed.get(place)
        if found is None:
            path = self._path(edge, name)
            found = self._digest(path)
            if path in self._outside:
                self._fixed[place] = found
        return found

    def _filled(self, edge: Edge, template: Template) -> str:
        session = self._session
        if not template:
            return ""
        try:
            words = argv_for_key(
                (template,), lambda field: input_values(field, edge, session.files.set_paths, session.values.text), lambda field: field.name in KEPT
            )
        except (PlaceholderError, InputError):
            return ""
        return words[0] if words else ""

    def _path(self, edge: Edge, name: str) -> str:
        """Where a program stands, absolute; "" for nowhere."""
        folder = self._session.disk.at(edge.stage.folder or ".")
        if "/" in name:
            return os.path.join(folder, name)
        place = (name, self._session.environment(edge.stage).get("PATH"), folder)
        found = self._found.get(place)
        if found is None:
            candidates = [os.path.join(folder, each, name) for each in (os.defpath if place[1] is None else place[1]).split(":")]
            found = self._found[place] = next((each for each in candidates if os.path.isfile(each) and os.access(each, os.X_OK)), "")
        return found

    def _digest(self, path: str) -> str:
        if within(path, self._session.disk.root):  # a stage may make it
            return self._look(path)
        found = self._outside.get(path)
        if found is None:
            found = self._outside[path] = self._look(path)
        return found

    def _look(self, path: str) -> str:
        try:
            seen = self._session.disk.stat(path) if path else None
            if seen is None:
                return ""
            stamp = stamp_of(seen)
            known = self._digests.get(path)
            if known is None or known[0] != stamp:
                known = self._digests[path] = (stamp, self._session.disk.digest(path, self._algorithm)[0])
        except OSError:
            return ""
        return known[1]


def _first_word(command: Command) -> Template:
    if command.argv:
        return command.argv[0]
    words = split_words(command.template)
    if words:
        return words[0]
    name = redirected_program(command.template)
    return (name,) if name else ()


class Cached:
    """Finds earlier results of edges.

    Args:
        session: The project.
        decider: What is known of its edges.
        cache: Where to look.
        is_ancestor: Whether the first edge comes before the second for certain.
    """

    def __init__(self, session: Session, decider: Decider, cache: Cache, is_ancestor: Callable[[int, int], bool]) -> None:
        self._session = session
        self._files = session.files
        self._decider = decider
        self._cache = cache
        self._is_ancestor = is_ancestor
        self.keys = CacheKeys(session)

    def candidates(self, edge: Edge, decision: Decision) -> Iterator[Entry]:
        """Earlier results that an edge can have as it is now, the best first."""
        if not _may_be_kept(edge.stage) or edge.stage.always:
            return
        for entry in self._cache.entries(self.keys.of(edge, decision.key)):
            if self.fits(edge, entry) and self._matches(edge, entry):
                yield entry

    def find(self, edge: Edge, decision: Decision) -> Entry | None:
        """The earlier result that a build would restore, as far as can be told without reading it."""
        try:
            return next((entry for entry in self.candidates(edge, decision) if self.missing(entry) is not None), None)
        except InputError:
            return None

    def fits(self, edge: Edge, entry: Entry) -> bool:
        """Whether an entry describes what the edge declares, and nothing else."""
        declared = len(edge.outputs)
        if [(kept.path, kept.kind) for kept in entry.outputs[:declared]] != [
            (output.path, "directory" if output.directory else "file") for output in edge.outputs
        ]:
            return False
        if any(not kept.digest and not output.optional for kept, output in zip(entry.outputs, edge.outputs, strict=False)):
            return False
        named = entry.outputs[declared:]
        if named and (not names_files(edge.outputs) or any(kept.kind != "file" for kept in named)):
            return False
        if entry.discovered and not self._decider.has_discovered(edge):
            return False
        store = self._session.store
        for kept in entry.outputs:
            for item in kept.items or ():
                if item.path and (any(map(is_own, item.path.split("/"))) or f"{kept.path}/{item.path}".startswith(store + "/")):
                    return False
        return runs_anyway(edge, entry.discovered) is None

    def _matches(self, edge: Edge, entry: Entry) -> bool:
        """Whether the discovered inputs of an entry are now as they were then, and will stay so in this build."""
        for path, digest in entry.discovered.items():
            maker = self._maker(path)
            if maker is not None and not self._is_ancestor(maker, edge.id):
                return False
            try:
                if self._files.digest(path) != digest:
                    return False
            except InputError:
                return False
        return True

    def _maker(self, path: str) -> int | None:
        producer = self._session.graph.producer
        found = producer.get(path, self._decider.owners.get(path))
        return next((producer[folder] for folder in parents(path) if folder in producer), None) if found is None else found

    def missing(self, entry: Entry) -> list[Kept] | None:
        """The outputs of an entry that do not stand as it has them; None if the bytes of one are not to be had.

        Raises:
            InputError: Something stands there that cannot be read.
        """
        found = []
        blobs: dict[str, int] = {}
        for kept in entry.outputs:
            state = self._files.output(kept.path)
            if (state.kind, state.digest) == (kept.kind if kept.digest else "absent", kept.digest):
                continue
            if kept.items is None:
                return None
            found.append(kept)
            blobs.update({item.blob: item.size for item in kept.items if item.blob})
        return found if len(self._cache.has(blobs)) == len(blobs) else None


def is_kept(edge: Edge, record: Record) -> bool:
    """Whether the result that a record tells of may enter the cache."""
    sound = record.key and not record.degraded and not record.accepted
    return bool(sound and _may_be_kept(edge.stage) and runs_anyway(edge, record.discovered) is None)


def _may_be_kept(stage: Stage) -> bool:
    """Whether the Pipefile lets a stage's results be kept. Those of a stage that knows secrets may hold one, and would outlive their removal."""
    return stage.cache is True if stage.secret_env else stage.cache is not False
