"""The audit of a build: has Python code watched (execute/audit.py), or one edge traced, and finds what is beyond the declarations."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from pipefile.base.dataclass import replace
from pipefile.base.digest import of_text
from pipefile.base.errors import InputError, PipefileError
from pipefile.base.locations import Place
from pipefile.base.paths import parents, show
from pipefile.engine.files import State
from pipefile.engine.places import temporary
from pipefile.model.audit import NOTHING_BEYOND, Beyond
from pipefile.model.event import Traced
from pipefile.model.graph import Edge
from pipefile.model.ports import Audited, Task
from pipefile.model.stage import Call, Command, Stage

if TYPE_CHECKING:
    from pipefile.engine.session import Session
    from pipefile.execute.strace import Strace
    from pipefile.model.access import Access

_LIMIT = 256 << 20  # bytes of what was seen of one attempt
_HINTS = ("py", "papermill", "uv", "poetry", "pdm", "hatch")  # in each command that plan/audit.py takes for one that starts Python
_TAGS = ("CACHEDIR.TAG", "pyvenv.cfg", "conda-meta")
_KEPT = 10_000  # paths of one stage that are remembered for what is said at the end


class Audits:
    """Audits the edges of one build.

    Args:
        session: The project.
        trace: Name of the edge that runs under strace; "" for none.
        strace: What runs it so.
    """

    def __init__(self, session: Session, trace: str = "", strace: Strace | None = None) -> None:
        self._session = session
        self._disk = session.disk
        self._files = session.files
        self._trace = trace
        self._strace = strace
        self._folder = f"{session.store}/audit"
        self._begun = False
        self._watched: dict[int, str] = {}  # edges on their way -> what is written to
        self._batches: dict[int, tuple[tuple[Edge, ...], frozenset[str]]] = {}  # by their last edge: all, and what they read
        self._starts: dict[int, bool] = {}
        self._stages: dict[str, Edge] = {}  # one of each stage of which something is found
        self._found: dict[str, tuple[dict[str, None], ...]] = {}  # as Beyond has it, by stage
        self.traced: Traced | None = None
        """What the traced edge did, once it has ended well."""

    # -- before

    def watched(self, edges: Sequence[Edge], task: Task, inputs: Collection[str]) -> Task:
        """A task with what has it watched; itself where nothing is.

        What a batch does is told with the last of its edges: who of them has done it nobody knows.

        Args:
            edges: Those that it is for.
            task: The task.
            inputs: What is known that they read.
        """
        edge = edges[-1]
        if edge.name == self._trace:
            return self._traced(edge, task)
        stage = edge.stage
        if stage.audit == "off" or not self._starts_python(stage):
            return task
        audited = Audited(self._disk.root, self._disk.at(self._begin(edge)), stage.audit != "report")
        if len(edges) > 1:
            self._batches[edge.id] = (tuple(edges), frozenset(inputs))
        if task.function is not None:
            return replace(task, audited=audited)
        from pipefile.execute.audit import environment

        return replace(task, env={**task.env, **environment(audited, task.env.get("PYTHONPATH"))})

    def _starts_python(self, stage: Stage) -> bool:
        if stage.audit != "report" or isinstance(stage.action, Call):
            return stage.action is not None
        key = id(stage.action)  # commands live as long as their stages
        found = self._starts.get(key)
        if found is None:
            found = self._starts[key] = _may_start_python(stage.action) and self._does_start_python(stage)
        return found

    def _does_start_python(self, stage: Stage) -> bool:
        from pipefile.plan.audit import starts_python

        return starts_python(stage)

    def _begin(self, edge: Edge) -> str:
        """The file that is written to, which is not there yet. Its name is the same in every build: it is in the environment of commands."""
        if not self._begun:
            self._begun = True
            self._disk.remove(self._folder)
            self._disk.mkdirs(self._folder)
        if edge.id in self._watched:  # of an attempt of which nobody wants to know
            self.drop(edge)
        path = self._watched[edge.id] = f"{self._folder}/{of_text(edge.name)[7:39]}"
        return path

    def _traced(self, edge: Edge, task: Task) -> Task:
        assert self._strace is not None
        return self._strace.traced(task, self._disk.at(self._begin(edge)))

    # -- after

    def drop(self, edge: Edge) -> None:
        """What was seen of an attempt does not count."""
        path = self._watched.pop(edge.id, "")
        self._batches.pop(edge.id, None)
        if path:
            self._disk.unlink(path)

    def take(self, edge: Edge, inputs: Mapping[str, State], seen: bytes = b"") -> Beyond:
        """What an attempt that has ended well did beyond its declaration.

        Args:
            edge: Which one.
            inputs: What is known that it reads: declared inputs and code.
            seen: What its executor has told of it.

        Raises:
            InputError: What was seen cannot be read.
        """
        path = self._watched.pop(edge.id, "")
        if not path:
            return NOTHING_BEYOND
        batch, all_inputs = self._batches.pop(edge.id, ((), frozenset()))
        try:
            data = self._disk.read(path, _LIMIT)
            self._disk.unlink(path)
        except FileNotFoundError:
            data = b""
        except OSError as error:
            raise InputError(f"what the audit saw of it cannot be read: {os.strerror(error.errno or 0)}") from error
        if not data and not seen:
            return NOTHING_BEYOND
        accesses = self._parsed(edge, data, seen)
        beyond = self._beyond(batch or (edge,), accesses, {*inputs, *all_inputs})
        if edge.name == self._trace:
            self.traced = self._all_of(edge, accesses, beyond)
        return beyond

    def _parsed(self, edge: Edge, data: bytes, seen: bytes) -> list[Access]:
        if edge.name != self._trace:
            from pipefile.plan.audit import parse

            told, own = parse(data, os.fsdecode), parse(seen, os.fsdecode)
            # which of the two came first is not known: what one process has written and another one reads, the stage has made itself
            return [each for each in told if each.kind == "w"] + own + told if own else told
        from pipefile.plan.strace import accesses

        root, folder = os.path.realpath(self._disk.root), os.path.realpath(self._disk.at(edge.stage.folder or "."))
        return accesses(data.decode("utf-8", "surrogateescape").split("\n"), root, folder, os.fsdecode)

    def _all_of(self, edge: Edge, accesses: list[Access], beyond: Beyond) -> Traced:
        """What the traced edge did altogether, and what it need not have declared."""
        from pipefile.plan.audit import is_ignored

        store = self._session.store
        paths = {path for _, path in accesses if not is_ignored(path, store)}
        paths = {path for path in paths if not self._is_folder(path) and not self._is_installed(path)}
        files = [each for each in accesses if each.path in paths]
        read = {path for kind, path in files if kind == "r"}
        above = {folder for path in read for folder in parents(path)}
        declared = [path for need in edge.needs if need.files is not None and not need.files.value for path in self._files.set_paths(need.files)]
        real = self._session.world.real
        unread = [path for path in dict.fromkeys(declared) if path not in read and path not in above and self._stands(path)]
        if unread:
            really = {real(path) for path in read | above}
            unread = [path for path in unread if real(path) not in really]
        written = {path for kind, path in files if kind == "w" and self._stands(path)} | {output.path for output in edge.outputs}
        name = edge.name[len(edge.stage.name) + 1 :]
        told = replace(beyond, reads=tuple([path for path in beyond.reads if self._stands(path)])).by_kind()
        return Traced(edge.stage.name, name, tuple(sorted(read)), tuple(sorted(written)), tuple(unread), told)

    def _beyond(self, edges: Sequence[Edge], accesses: list[Access], inputs: Collection[str]) -> Beyond:
        """What was done beyond what any of *edges*, which ran together, declares."""
        from pipefile.plan.audit import is_among, is_ignored, sort_out

        store = self._session.store
        edge = edges[-1]
        known = {*inputs, *self._params(edge.stage), *[path for each in edges for path in each.literal]}
        real: set[str] = set()
        outputs = {path for each in edges for output in each.stage.outputs for path in (output.path, temporary(output.path))}
        outputs.update([each.stage.depfile for each in edges])

        def declared(path: str) -> bool:
            if is_ignored(path, store) or is_among(path, known):
                return True
            if not real:  # where links lead is asked only if it matters
                real.update([self._session.world.real(each) for each in known], ["."])
            return is_among(self._session.world.real(path), real)

        found = sort_out(accesses, declared, lambda path: is_among(path, outputs), self._stands)
        return Beyond(*[tuple([path for path in paths if not self._is_folder(path) and not self._is_installed(path)]) for paths in found])

    def _params(self, stage: Stage) -> set[str]:
        """Files that params are read from: the stage depends on the values that it names."""
        return set(self._session.pipeline.files) if stage.params else set()

    def _is_folder(self, path: str) -> bool:
        return os.path.isdir(self._disk.at(path))

    def _is_installed(self, path: str) -> bool:
        """Whether a file lies in a folder that a tool has tagged as its cache, or in an environment of Python: nobody declares these file by file."""
        return any(self._stands(f"{folder}/{tag}") for folder in parents(path) for tag in _TAGS)

    def _stands(self, path: str) -> bool:
        try:
            return self._disk.lstat(path) is not None
        except OSError:
            return False

    def judged(self, edge: Edge, beyond: Beyond, discovered: Collection[str], named: Collection[str]) -> Beyond:
        """What of it is to be told: reads that have become inputs are none that nobody knows, and what is not there nobody could declare.

        Args:
            edge: Which one.
            beyond: What `take` gave.
            discovered: Its discovered inputs.
            named: Files that its function has named when it returned: they are outputs.
        """
        if not any(beyond):
            return NOTHING_BEYOND
        tracked = edge.stage.audit == "track"
        reads = [path for path in beyond.reads if not tracked and path not in discovered and path not in named and self._stands(path)]
        return replace(beyond, reads=tuple(reads), writes=tuple([path for path in beyond.writes if path not in named]))

    # -- what is said

    def fault(self, edge: Edge, beyond: Beyond) -> tuple[str, str]:
        """Why a strict stage fails, and what to do; ("", "") if it does not."""
        from pipefile.plan.audit import joined, line_to_add, sentences

        done = {"reads": "read", "writes": "wrote", "removes": "removed"}
        found = sentences(beyond)
        text = ", and ".join([f"{done[verb]} {joined(paths)}" for verb, _, paths in found])
        lines = [f"`{line_to_add(edge.stage, key, paths)}`" for _, key, paths in found if key]
        return (f"{text}, which it does not declare" if text else ""), (f"add {' and '.join(lines)}" if lines else "")

    def note(self, edge: Edge, beyond: Beyond) -> None:
        """Remember what to say at the end of the build: of all instances of a stage together."""
        if not any(beyond):
            return
        self._stages.setdefault(edge.stage.name, edge)
        found = self._found.setdefault(edge.stage.name, tuple({} for _ in beyond))
        for kept, paths in zip(found, beyond, strict=True):
            if len(kept) < _KEPT:
                kept.update(dict.fromkeys(paths))

    def findings(self) -> list[PipefileError]:
        """What was found, one a stage and kind of access, in the order of the Pipefile, located."""
        if not self._found:
            return []
        from pipefile.plan.audit import joined, line_to_add, sentences

        errors = []
        for name in sorted(self._found, key=lambda name: self._stages[name].id):
            stage = self._stages[name].stage
            for verb, key, paths in sentences(Beyond(*[tuple(kept) for kept in self._found[name]])):
                text = f"stage `{show(name)}` {verb} {joined(paths)}, which it does not declare"
                hint = f"add `{line_to_add(stage, key, paths)}`" if key else ""
                place = Place(stage.file, ("stage", name, key) if key else ("stage", name), f"`{show(name)}`")
                errors.append(PipefileError(text, (place,), hint))
                self._session.locate(errors[-1])
        return errors

    def recall(self, edge: Edge, undeclared: Mapping[str, Collection[str]]) -> None:
        """Note what an earlier run saw, as far as nobody has declared it since."""
        from pipefile.model.access import Access

        kinds = {"reads": "r", "writes": "w", "removes": "d"}
        accesses = [Access(kinds.get(name, ""), path) for name, paths in undeclared.items() for path in paths]
        inputs = {path for need in edge.needs if need.files is not None for path in self._files.set_paths(need.files)}
        self.note(edge, self.judged(edge, self._beyond((edge,), accesses, inputs), (), ()))

    def close(self) -> None:
        if self._begun:
            self._disk.remove(self._folder)


def _may_start_python(command: Command | None) -> bool:
    """Whether it is worth a closer look, for which a small build would have to import something."""
    if command is None:
        return False
    texts = [command.text] if command.text else [piece for words in command.argv for piece in words if isinstance(piece, str)]
    return any(hint in text for text in texts for hint in _HINTS)
