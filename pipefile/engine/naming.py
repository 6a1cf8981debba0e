"""Files whose paths are known only at run time: a function names one when it returns, as a value of kind "file".

The value's file holds `{"digest": "blake3:9f86d0...", "path": "build/preview.jpg", "size": 20480}`, the path from the project root, absolute where it
lies outside. A file that the function has made counts as an output of that attempt: it stands in the edge's records, and one stands beside it. An
input of the function, or a file among its declared outputs, is passed on: that makes it nobody's.
"""

from __future__ import annotations

import json
import os
import stat as stat_bits
from collections.abc import Callable, Mapping

from pipefile.base.errors import InputError, RecordError
from pipefile.base.paths import BadPathError, folder_of, join, normalise, parents, show, within
from pipefile.engine.decide import Decider
from pipefile.engine.files import State, is_own, unreadable
from pipefile.engine.places import Places, written_at
from pipefile.engine.session import Session
from pipefile.model.graph import Edge
from pipefile.model.record import Made, Record
from pipefile.store import record as record_file

_OUTSIDE = 'folders outside are named in `[pipefile] outside = ["/..."]`'


class Naming:
    """Looks at what functions have named.

    Args:
        session: The project.
        decider: Knows which files other edges have named.
        places: Knows where outputs may lie.
        hash_file: The state of a file that was just written.
    """

    def __init__(self, session: Session, decider: Decider, places: Places, hash_file: Callable[[str], State]) -> None:
        self._session = session
        self._graph = session.graph
        self._disk = session.disk
        self._files = session.files
        self._decider = decider
        self._places = places
        self._hash_file = hash_file
        self._readers: dict[str, tuple[int, bool]] = {}

    def grown(self) -> None:
        """Edges have come that may read what functions name."""
        self._readers = {}

    def take(self, edge: Edge, inputs: Mapping[str, State], start: int) -> tuple[dict[str, State], InputError | None]:
        """Complete the values of kind "file" that an attempt has left at their temporary places.

        Args:
            edge: Which one.
            inputs: Its declared inputs, which are as they were when it started.
            start: The disk's stamp when it started, ns.

        Returns:
            The files that the function has made, by path; and what is wrong with one that it has named.
        """
        made: dict[str, State] = {}
        for output in edge.outputs:
            if output.value != "file":
                continue
            place = written_at(output)
            try:
                text = json.loads(self._disk.read(place))["path"]
                path, state, owned = self._look(edge, text, inputs, start)
            except InputError as error:
                return made, error
            if owned:
                made[path] = self._files.known[path] = state
            size = state.stamp[2] if state.stamp is not None else 0
            self._disk.write(place, f"{json.dumps({'digest': state.digest, 'path': path, 'size': size})}\n".encode())
        return made, None

    def _look(self, edge: Edge, text: str, inputs: Mapping[str, State], start: int) -> tuple[str, State, bool]:
        """The path from the root of a file as a function has named it, its state, and whether it is an output by that."""
        path = self._path(edge, text)
        passed = self._passed_on(edge, path, inputs)
        if passed is not None:
            final, state = passed
            if state.kind != "file":
                raise InputError(f"returned `{show(text)}`, which {'is a directory' if state.kind == 'directory' else 'does not exist'}")
            return final, state, False
        self._check_place(edge, path, text)
        self._check_file(path, text)
        self._check_made(path, text, start)
        state = self._hash_file(path)
        self._check_readers(edge, path, text, state)
        return path, state, True

    def _path(self, edge: Edge, text: str) -> str:
        root = self._disk.root
        try:
            path = normalise(join(edge.stage.folder, text))
        except BadPathError as error:
            if "leaves" not in str(error):
                raise InputError(f"returned {error} as a file") from None
            path = normalise(os.path.join(root, edge.stage.folder, text))
        if path.startswith("/"):
            for prefix in (root, os.path.realpath(root)):
                if within(path, prefix):
                    return path[len(prefix) + 1 :]
            if not any(within(path, folder) for folder in self._session.pipeline.settings.outside):
                raise InputError(f"returned `{show(text)}`, which lies outside the project", hint=_OUTSIDE)
        return path

    def _passed_on(self, edge: Edge, path: str, inputs: Mapping[str, State]) -> tuple[str, State] | None:
        """The final path and the state of a file that is an input of its stage, or one of its declared outputs; None for any other."""
        for output in edge.outputs:
            if output.value:
                continue
            for base in dict.fromkeys([written_at(output), output.path]):
                if path == base or (output.directory and within(path, base)):
                    inner = path[len(base) :]
                    return output.path + inner, self._now(written_at(output) + inner)
        for need in edge.needs:
            if need.files is None:
                continue
            kinds = dict(zip(need.files.paths, need.files.kinds, strict=True)) if need.files.value else {}
            for each in self._files.set_paths(need.files):
                kind = kinds.get(each, "")
                if path == each or (inputs[each].kind == "directory" and within(path, each)):
                    return path, inputs.get(path) or self._now(path)
                if kind == "file" and inputs[each].kind == "file" and self._session.values.named(each).path == path:
                    return path, inputs[path]
        return None

    def _now(self, path: str) -> State:
        seen = self._disk.stat(path)
        if seen is None:
            return State("absent", "", None)
        return State("directory", "", None) if stat_bits.S_ISDIR(seen.st_mode) else self._files.hash(path)

    def _check_place(self, edge: Edge, path: str, text: str) -> None:
        """Refuse a place that is not the function's to write to."""
        session, graph, named = self._session, self._graph, f"returned `{show(text)}`, which"
        if path == "." or any(is_own(part) for part in path.split("/")) or path in session.pipeline.files:
            raise InputError(f"{named} is pipefile's own")
        if path == session.store or within(path, session.store):
            raise InputError(f"{named} lies in pipefile's own store `{show(session.store)}`", hint="what lies there is removed with old runs")
        maker = graph.producer.get(path)
        if maker is not None and maker != edge.id:
            raise InputError(f"{named} is an output of stage `{show(graph.edges[maker].name)}`", hint="declare it as an input, to pass it on")
        for folder in parents(path):
            maker = graph.producer.get(folder)
            if maker is not None and maker != edge.id:
                raise InputError(f"{named} lies in `{show(folder)}/`, an output of stage `{show(graph.edges[maker].name)}`")
        owner = self._decider.owners.get(path)
        if owner is not None and owner != edge.id:
            raise InputError(f"{named} stage `{show(graph.edges[owner].name)}` has made and named already")
        fault = self._places.folder_fault(folder_of(path))
        if fault:
            raise InputError(f"{named} {fault}")

    def is_free(self, edge: Edge, path: str) -> bool:
        """Whether a file that an edge has named in an earlier run may be put where it was then, with nobody's file in its place."""
        try:
            self._check_place(edge, path, path)
            if self._disk.lstat(path) is not None:
                record = self._record(path)
                if record is None or record.edge != edge.name:
                    return False
        except (OSError, InputError):
            return False
        if not self._readers:
            self._readers = self._all_read()
        return not any(each in self._readers for each in (path, *[folder + "/" for folder in parents(path)], "./"))

    def _check_readers(self, edge: Edge, path: str, text: str, state: State) -> None:
        """Refuse a file that other edges take for a source: nothing makes them wait for it."""
        if not self._readers:
            self._readers = self._all_read()
        for each in (path, *[folder + "/" for folder in parents(path)], "./"):
            if each not in self._readers:
                continue
            reader, by_glob = self._readers[each]
            said = f"returned `{show(text)}`, which is an input of stage `{show(self._graph.edges[reader].name)}`"
            if not by_glob:
                raise InputError(said, hint="that does not say who makes the file: it has to take the value instead of the path")
            # left by a build whose records are gone: with a record, no glob matches it any more
            made = (Made(path, "file", state.digest),)
            self._session.records.write(Record(edge.name, self._session.pipefile_of(edge.stage), os.urandom(8).hex(), "", path, made))
            raise InputError(f"{said}, whose pattern matches it", hint="build again: from now on patterns leave it out")

    def _all_read(self) -> dict[str, tuple[int, bool]]:
        """Every path that some edge reads, directories with a slash: the edge, and whether a glob alone has found it."""
        found: dict[str, tuple[int, bool]] = {}
        plain: dict[str, tuple[int, bool]] = {}
        seen: set[int] = set()
        for edge in self._graph.edges:
            plain.update(dict.fromkeys(edge.literal, (edge.id, False)))
            if edge.stage.depfile or edge.stage.audit == "track":
                plain.update(dict.fromkeys(self._decider.known_discovered(edge), (edge.id, False)))
            for need in edge.needs:
                files = need.files
                if files is None or id(files) in seen:
                    continue
                seen.add(id(files))
                if files.kind == "glob":
                    found.update(dict.fromkeys(files.paths, (edge.id, True)))
                else:
                    ending = "/" if files.kind == "directory" else ""
                    plain.update({path + ending: (edge.id, False) for path in files.paths})
        found.update(plain)
        return found

    def _check_file(self, path: str, text: str) -> None:
        named = f"returned `{show(text)}`, which"
        try:
            seen = self._disk.lstat(path)
        except OSError as error:
            raise unreadable(path, error) from error
        if seen is None:
            raise InputError(f"{named} does not exist")
        mode = seen.st_mode
        if stat_bits.S_ISDIR(mode):
            raise InputError(f"{named} is a directory", hint='declare a directory as an output, `"build/frames/"`, and name the files in it')
        if not stat_bits.S_ISREG(mode):
            raise InputError(f"{named} is {'a link' if stat_bits.S_ISLNK(mode) else 'no regular file'}")

    def _check_made(self, path: str, text: str, start: int) -> None:
        """Refuse a file that was there before and that this stage has not made: it would go with the stage's outputs, by `clean` for example."""
        seen = self._disk.lstat(path)
        if seen is None or seen.st_ctime_ns >= start or self._record(path) is not None:
            return
        raise InputError(f"returned `{show(text)}`, which it has not written", hint="declare it as an input, to pass it on")

    def _record(self, path: str) -> Record | None:
        """What stands beside a file that a stage of this Pipefile has made."""
        at = record_file.record_path(path)
        try:
            record = record_file.decode(self._disk.read(at, record_file.LIMIT, follow=False), at)
        except (OSError, RecordError):
            return None
        return record if record.pipefile in self._session.pipefiles else None
