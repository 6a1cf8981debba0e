"""Inputs that nobody declared: listed by a depfile, or named literally in the command. Python scripts that it runs count as code (engine/code.py)."""

from __future__ import annotations

import os
import stat as stat_bits
from collections.abc import Callable, Sequence

from pipefile.base.dataclass import dataclass, field
from pipefile.base.errors import InputError
from pipefile.base.paths import BadPathError, absolute_from, folder_of, join, name_of, normalise, parents, relative, show
from pipefile.engine.decide import PROGRAMS, Decider, Decision
from pipefile.engine.depfile import prerequisites
from pipefile.engine.files import NOTHING, Files, State
from pipefile.engine.places import temporary
from pipefile.model.graph import Edge, Graph
from pipefile.model.record import ABSENT
from pipefile.model.stage import Command
from pipefile.plan.words import literal_words


@dataclass(slots=True)
class Found:
    """What was discovered by one attempt.

    Args:
        digests: Path -> digest, ABSENT for a file that was looked for and is not there.
        own: Files that the stage wrote itself.
        changed: Files that changed while the stage ran: it may have read the old bytes or the new.
        fault: Why the attempt cannot be believed at all, and what to do; "" if it can.
        hint: What to do about the fault.
    """

    digests: dict[str, str] = field(default_factory=dict)
    own: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    fault: str = ""
    hint: str = ""


class Discovery:
    """Finds discovered inputs of edges.

    Args:
        graph: All edges.
        files: The project's files.
        decider: Knows which scripts count as code.
        is_ancestor: Whether the first edge comes before the second.
    """

    def __init__(self, graph: Graph, files: Files, decider: Decider, is_ancestor: Callable[[int, int], bool]) -> None:
        self._graph = graph
        self._files = files
        self._disk = files.disk
        self._decider = decider
        self._is_ancestor = is_ancestor

    def before(self, edge: Edge, decision: Decision) -> dict[str, State]:
        """What the files that the edge is known or likely to read look like before it starts: those that exist, and paths that do not."""
        found: dict[str, State] = {}
        declared, scripts = self._declared(edge), self._decider.code.scripts(edge)
        for path in (*decision.discovered, *edge.literal):
            if path in found or path in declared or path in decision.own or path in scripts:
                continue
            state = self._regular(path)
            if state is not None and (state.kind == "file" or path in decision.discovered or _has_slash(edge, path)):
                found[path] = state
        return found

    def after(self, edge: Edge, before: dict[str, State], decision: Decision, when: tuple[int, bool], tracked: Sequence[str] = ()) -> Found:
        """What the attempt has read beyond its declaration, now that it has ended well.

        Args:
            edge: Which one.
            before: What `before` gave for this attempt.
            decision: What was known.
            when: The disk's stamp when the attempt started, ns, only used where there is a depfile or an audit that tracks; and whether it is the
                last one, which is not repeated for what changed meanwhile: what its command names and still changes is the stage's own.
            tracked: What the audit has seen it read.
        """
        start, last = when
        found = Found(own=list(decision.own))
        outputs = {output.path for output in edge.stage.outputs} | {temporary(output.path) for output in edge.outputs}
        skipped = outputs | self._declared(edge) | set(decision.own) | {edge.stage.depfile} | self._decider.code.scripts(edge)
        candidates = [path for path in edge.literal if path not in skipped]
        if edge.stage.depfile:
            listed = self._listed(edge, found)
            if found.fault:
                return found
            listed = [path for path in listed if path not in skipped]
            if self._graph.checkpoints or self._graph.temps:
                listed = self._allowed(edge, listed, found)
            if found.fault or self._foreign(edge, listed, found):
                return found
            candidates += listed
        if tracked:
            read = [path for path in tracked if path not in skipped]
            if self._graph.checkpoints or self._graph.temps:
                read = self._allowed(edge, read, found)
            if found.fault or self._foreign(edge, read, found):
                return found
            candidates += read
        for path in dict.fromkeys(candidates):
            self._judge(edge, path, before.get(path), start, last, found)
        return found

    def _judge(self, edge: Edge, path: str, state: State | None, start: int, last: bool, found: Found) -> None:
        if state is not None and state.kind == "file":
            if self._files.same(path, state):
                found.digests[path] = state.digest
            elif last and path in edge.literal and not path.endswith(PROGRAMS):
                found.own.append(path)
            else:
                found.changed.append(path)
            return
        known = self._files.known.get(path)
        self._files.forget(path)
        now = self._regular(path)
        if now is None:
            return
        if now.kind == "absent":
            if path not in edge.literal or _has_slash(edge, path):
                found.digests[path] = ABSENT
        elif path in edge.literal:  # it was not there before: the stage has made it
            found.own.append(path)
        elif path in self._graph.producer and known is not None and known.stamp == now.stamp:
            found.digests[path] = now.digest  # made by an edge above, perhaps in the very tick in which this one started
        elif now.stamp is not None and now.stamp[4] >= start:  # ctime alone: anybody can set an mtime, and set it ahead
            if last:
                found.own.append(path)
            else:
                found.changed.append(path)
        else:
            found.digests[path] = now.digest

    def _regular(self, path: str) -> State | None:
        """The state of a regular file, or of nothing; None for folders and all else, which are never discovered inputs."""
        known = self._files.known.get(path)
        if known is not None:
            return known if known.kind in ("file", "absent") else None
        try:
            seen = self._disk.stat(path)
        except OSError:
            return None
        if seen is None:
            return NOTHING
        if not stat_bits.S_ISREG(seen.st_mode):
            return None
        try:
            return self._files.state(path)
        except InputError:
            return None

    def _declared(self, edge: Edge) -> set[str]:
        return {path for need in edge.needs if need.files is not None for path in self._files.set_paths(need.files)}

    def _listed(self, edge: Edge, found: Found) -> list[str]:
        """The paths that the depfile lists, from the root."""
        data = self._read_depfile(edge)
        if data is None:
            found.fault = f"did not write its depfile `{show(edge.stage.depfile)}`"
            return []
        paths = []
        root = self._disk.root.rstrip("/") + "/"
        for text in prerequisites(data):
            path = text
            if path.startswith(root):
                path = path[len(root) :]
            try:
                paths.append(absolute_from(path, "" if path is not text else edge.stage.folder))
            except BadPathError:
                paths.append(os.path.normpath(os.path.join(self._disk.root, edge.stage.folder, text)))
        return paths

    def _read_depfile(self, edge: Edge) -> bytes | None:
        """At its own path, or beside a temporary output, where a compiler that is told nothing else puts it."""
        depfile = edge.stage.depfile
        beside = [join(folder_of(temporary(output.path)), name_of(depfile)) for output in edge.outputs if not output.in_place]
        for path in (depfile, *beside):
            try:
                data = self._disk.read(path)
            except OSError:
                continue
            if path != depfile and path not in [temporary(output.path) for output in edge.outputs]:
                self._disk.remove(path)
            return data
        return None

    def _foreign(self, edge: Edge, listed: list[str], found: Found) -> bool:
        """Whether one of the files is made by an edge that need not have come before: its bytes are then by chance what they are."""
        for path in listed:
            maker = self._graph.producer.get(path, -1)
            foreign = maker >= 0 and maker != edge.id and not self._is_ancestor(maker, edge.id)
            name = self._graph.edges[maker].name if foreign else self._decider.unasked.maker(path) if maker < 0 else ""
            if name:
                found.fault = f"read `{show(path)}`, which stage `{show(name)}` makes, without declaring it"
                found.hint = f"add it to the inputs of `{show(edge.stage.name)}`: {_quoted(path)}"
                return True
        return False


    def _allowed(self, edge: Edge, listed: list[str], found: Found) -> list[str]:
        """Without what lies in the edge's own checkpoints, which are a fault of others, and in temporary directories, which are inputs as a whole."""
        checkpoints, temps, kept = self._graph.checkpoints, self._graph.temps, []
        for path in listed:
            folder = next((place for place in parents(path) if place in temps), "")
            if folder:
                if temps[folder] != edge.id and folder not in self._declared(edge):
                    maker = temps[folder]
                    found.fault = f"read `{show(path)}` in a temporary output of stage `{show(self._graph.edges[maker].name)}`, without declaring it"
                    found.hint = f"add it to the inputs of `{show(edge.stage.name)}`: {_quoted(folder + '/')}"
                continue
            maker = next((checkpoints[place] for place in (path, *parents(path)) if place in checkpoints), -1)
            if maker < 0:
                kept.append(path)
            elif maker != edge.id:
                found.fault = f"read `{show(path)}`, a checkpoint of stage `{show(self._graph.edges[maker].name)}`, which nobody else reads"
                found.hint = "what others need is an output of its own"
        return kept


def _has_slash(edge: Edge, path: str) -> bool:
    """Whether a file is named in the command by a word with a slash, `./x` too, though the path from there has none."""
    action, folder = edge.stage.action, edge.stage.folder
    if "/" in relative(path, folder):
        return True
    return isinstance(action, Command) and any("/" in word and _normal(join(folder, word)) == path for word in literal_words(action))


def _normal(word: str) -> str:
    try:
        return normalise(word)
    except BadPathError:
        return ""


def _quoted(path: str) -> str:
    escaped = path.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{show(escaped)}"'
