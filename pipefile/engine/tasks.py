"""From an edge to the task that an executor runs: placeholders filled in, arguments made."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from pipefile.base.digest import of_text
from pipefile.base.errors import InputError
from pipefile.base.paths import relative, show
from pipefile.engine.audit import Audits
from pipefile.engine.files import State
from pipefile.engine.places import written_at
from pipefile.engine.session import Session
from pipefile.execute.jobserver import Tokens
from pipefile.execute.machine import VISIBLE
from pipefile.execute.program import Programs
from pipefile.model.fileref import FileRef
from pipefile.model.graph import Edge, FileSet, Need
from pipefile.model.ports import Argument, BatchCall, CallContext, FunctionCall, Return, StoredValue, Task
from pipefile.model.stage import DEFAULT_SHELL, Call, Command, Field, Stage, Template, Value
from pipefile.plan.makeflags import NAME as MAKEFLAGS
from pipefile.plan.mode import Mode, Modes, mode_of
from pipefile.plan.render import input_values
from pipefile.plan.resources import CPU, ONE_CPU, Grant
from pipefile.plan.template import PlaceholderError, fill_words, redirected_program, render_argv, render_shell, split_words
from pipefile.plan.texts import as_argument

_COLOR_NAMES = frozenset(["NO_COLOR", "FORCE_COLOR", "CLICOLOR", "CLICOLOR_FORCE"])


class Log(NamedTuple):
    """Where what a task prints and keeps belongs.

    Args:
        path: Absolute path of its log.
        artifacts: For each of its edges, the absolute path of the folder for artifacts.
    """

    path: str
    artifacts: tuple[str, ...]


class Tasks:
    """Makes tasks for the edges of one build.

    Args:
        session: The project.
        modes: What decides how functions run, besides their stages.
        jobserver: What commands find in MAKEFLAGS; None for none.
        color: What stages print is shown with its colours.
        audits: Has them watched; None makes one that traces nothing.
    """

    def __init__(  # one each that a task is made of
        self, session: Session, modes: Modes, jobserver: Tokens | None = None, color: bool = False, audits: Audits | None = None
    ) -> None:
        self.audits = audits or Audits(session)
        self._session = session
        self._modes = modes
        self._jobserver = jobserver
        self._files = session.files
        self._programs = Programs()
        self._words: dict[int, tuple[Template, ...] | None] = {}
        self._redirected: dict[int, str] = {}
        self._color = color and not session.pipeline.settings.strict_env
        self._bound: dict[tuple[int, tuple[str, ...], bool, bool], dict[str, str]] = {}
        self._lists = False
        self._root = session.disk.root
        self._here = _is_current(self._root)

    def task(self, edges: Sequence[Edge], inputs: Mapping[str, State], log: Log, number: int, grant: Grant = ONE_CPU) -> tuple[Task, str, Mode]:
        """The task of an edge, or of a batch of them, its command as a person would type it, and how it is carried out.

        Args:
            edges: Which ones; several only of a stage with `batch`. The task has the id of the last, and the name of the first.
            inputs: Their declared inputs as they are now.
            log: Where its log and its artifacts belong.
            number: Which attempt it is, from 1.
            grant: What it may use.
        """
        edge, stage = edges[0], edges[0].stage
        argv: tuple[str, ...] = ()
        function = None
        shown = ""
        if isinstance(stage.action, Command):
            argv, shown = self._argv(edges, stage.action, grant)
        elif isinstance(stage.action, Call):
            function = self._call(edges, stage.action, inputs, (log, number))
            shown = f"{stage.action.module}:{stage.action.function}"
        mode = mode_of(stage, self._modes, lambda: self._files.size_of(inputs))
        task = Task(
            edges[-1].id,
            edge.name,
            argv,
            function,
            self._environment(stage, grant, self._color and not edge.outputs and self._may_color(stage, argv)),
            f"{self._root}/{stage.folder}" if stage.folder else self._root,
            {path: state.digest for path, state in inputs.items()},
            [written_at(output) for each in edges for output in each.outputs],
            None if stage.timeout is None else stage.timeout * len(edges),
            log.path,
            stage.log_limit,
            grant.resources,
            process=mode.name == "process",
            mask=self._session.mask,
            shared=stage.name if stage.for_each is not None and not stage.external else "",
        )
        return self.audits.watched(edges, task, inputs), shown, mode

    def _may_color(self, stage: Stage, argv: tuple[str, ...]) -> bool:
        """Whether a stage without outputs may be asked for colours.

        Others never are: what they write would differ by where it is shown, and no key would tell. Nor is what a shell runs, which may read the
        colours itself (`check | grep PASS`), nor where one of the variables that say so is set, or tracked.
        """
        if not argv or argv[: len(stage.shell)] == stage.shell:
            return False
        names = {*self._session.environment(stage), *stage.env, *self._session.pipeline.settings.env}
        return names.isdisjoint(_COLOR_NAMES)

    def _environment(self, stage: Stage, grant: Grant, color: bool) -> Mapping[str, str]:
        """What a stage finds in its environment: one object for all that find the same, as executors like it."""
        plain = self._session.environment(stage)
        jobserver = self._jobserver if isinstance(stage.action, Command) else None
        if not grant.gpus and jobserver is None and not color:
            return plain
        name = (id(plain), grant.gpus, jobserver is None, color)  # the session keeps it
        found = self._bound.get(name)
        if found is None:
            found = self._bound[name] = {**plain, VISIBLE: ",".join(grant.gpus)} if grant.gpus else dict(plain)
            if jobserver is not None:
                found[MAKEFLAGS] = jobserver.flags(plain.get(MAKEFLAGS, ""))
            if color:
                found["FORCE_COLOR"] = "1"
        return found

    # -- commands

    def _argv(self, edges: Sequence[Edge], command: Command, grant: Grant) -> tuple[tuple[str, ...], str]:
        def lookup(field: Field) -> str | list[str]:
            return str(grant.resources[CPU]) if field.name == "threads" else self._values(edges, field)

        stage = edges[0].stage
        if command.argv:
            try:
                argv = render_argv(command.argv, lookup)
            except PlaceholderError as error:
                raise InputError(f"`run` of stage `{show(stage.name)}`: {error}") from error
            return argv, " ".join(argv)
        if stage.shell == DEFAULT_SHELL:
            words = self._split(command)
            if words is not None:
                path = self._session.environment(stage).get("PATH")
                direct = fill_words(words, lookup, lambda name: self._program(name, path, stage))
                if direct is not None:
                    return direct, " ".join(direct)
        text = render_shell(command.template, lookup)
        if stage.shell == DEFAULT_SHELL and self._becomes_program(command, stage):
            return (*stage.shell, f"exec {text}"), text
        return (*stage.shell, text), text

    def _becomes_program(self, command: Command, stage: Stage) -> bool:
        """Whether the shell has only redirections to make and one program to start: it can become that program, which saves a process."""
        key = id(command)
        if key not in self._redirected:
            self._redirected[key] = redirected_program(command.template)
        name = self._redirected[key]
        return bool(name) and self._program(name, self._session.environment(stage).get("PATH"), stage) is not None

    def _split(self, command: Command) -> tuple[Template, ...] | None:
        key = id(command)  # commands live as long as their stages
        if key not in self._words:
            self._words[key] = split_words(command.template)
        return self._words[key]

    def _program(self, name: str, path: str | None, stage: Stage) -> str | None:
        cwd = f"{self._root}/{stage.folder}" if stage.folder else self._root
        if "/" in name:
            return name if os.access(os.path.join(cwd, name), os.X_OK) else None
        try:
            return self._programs.find(name, path, cwd)
        except OSError:
            return None

    def _values(self, edges: Sequence[Edge], field: Field) -> str | list[str]:
        """What a placeholder becomes: in a batch a list of what it is for each item, where it is not the same for all."""
        edge = edges[0]
        if field.name.endswith(".file"):
            return relative(self._list(edges, Field(field.name[: -len(".file")])), edge.stage.folder)
        if edge.stage.batch is None:
            return self._value(edge, field)
        from pipefile.plan.batches import is_apart  # few stages have batches

        if not is_apart(field, edge.stage):
            return self._value(edge, field)
        found: list[str] = []
        for each in edges:
            value = self._value(each, field)
            found += [value] if isinstance(value, str) else value
        return found

    def _value(self, edge: Edge, field: Field) -> str | list[str]:
        name = field.name
        chosen = [output for output in edge.stage.outputs if name in ("outputs", output.name)]
        if chosen or name == "outputs":
            places = [as_argument(written_at(output), edge.stage.folder) for output in chosen]
            if field.index is not None:
                return places[field.index]  # the loader knows how many there are
            return places if name == "outputs" or any(output.many for output in chosen) else places[0]
        if name == "depfile":
            return as_argument(edge.stage.depfile, edge.stage.folder)
        if name == "store":
            return relative(self._session.store, edge.stage.folder)
        values: str | list[str] = input_values(field, edge, self._files.set_paths, self._session.values.text)
        return values

    def _list(self, edges: Sequence[Edge], field: Field) -> str:
        """Write the file that stands for `{inputs.file}` or `{outputs.file}`: all of them, one a line."""
        path = self._beside(edges[-1], "" if field.name == "inputs" else ".outputs")
        lines: list[str] = []
        for edge in edges:
            value = self._value(edge, field)
            lines += [value] if isinstance(value, str) else value
        self._session.disk.write(path, "".join([f"{line}\n" for line in lines]).encode("utf-8", "surrogateescape"))
        return path

    def _beside(self, edge: Edge, what: str) -> str:
        """The path, from the root, of a file that a task is handed and that goes with the build. Its folder is there."""
        folder = f"{self._session.store}/lists"
        if not self._lists:
            self._session.disk.mkdirs(folder)
            self._lists = True
        return f"{folder}/{of_text(edge.name)[7:39]}{what}"

    def close(self) -> None:
        """Remove what was written for `{inputs.file}` and the like, and for the audit."""
        self.audits.close()
        if self._lists:
            self._session.disk.remove(f"{self._session.store}/lists")

    # -- functions

    def _call(self, edges: Sequence[Edge], action: Call, inputs: Mapping[str, State], of: tuple[Log, int]) -> FunctionCall:
        edge, stage, (log, number) = edges[0], edges[0].stage, of
        limit = self._session.pipeline.settings.value_limit
        if stage.batch is None:
            context = CallContext(number, log.artifacts[0], {name: _copy(value) for name, value in stage.params.items()})
            item = {name: _copy(value) for name, value in stage.item.items()}
            return FunctionCall(action, self._arguments(edge, inputs), self._returns(edge), context, stage.setup, limit, item)
        report = self._beside(edges[-1], ".finished")  # which runs nowhere else meanwhile
        self._session.disk.remove(report)
        batch = BatchCall(tuple([self._returns(each) for each in edges]), log.artifacts, self._session.disk.at(report))
        params = apart_params(edges)
        context = CallContext(number, "", {name: _copy(value) for name, value in params.items()})
        same = {*[need.name or "inputs" for need in edge.needs]} - stage.batch.apart
        items: dict[str, Value] = {name: [_copy(each.stage.item[name]) for each in edges] for name in stage.item}
        each_ones = [self._arguments(each, inputs) for each in edges]
        arguments = {name: value if name in same else [ones[name] for ones in each_ones] for name, value in each_ones[0].items()}
        arguments.update({name: _copy(value) for name, value in params.items()})
        return FunctionCall(action, arguments, (), context, stage.setup, limit, items, batch)

    def report(self, last: Edge) -> bytes:
        """What the function of a batch has told of its items, as plan/batches.py reads it; b"" for nothing. *last*: the last of its edges."""
        try:
            return self._session.disk.read(self._beside(last, ".finished"), follow=False)
        except OSError:
            return b""

    def _arguments(self, edge: Edge, inputs: Mapping[str, State]) -> dict[str, Argument]:
        """What a function gets by name: named inputs and outputs and params; unnamed ones as `inputs` and `outputs`."""
        single: dict[str, FileRef | StoredValue | Value] = {}
        lists: dict[str, list[FileRef | StoredValue | Value]] = {}
        folder = edge.stage.folder
        for need in edge.needs:
            found: list[FileRef | StoredValue | Value]
            if need.files is None:
                found = [_copy(need.value)]
            elif need.files.value:
                pairs = zip(need.files.paths, need.files.kinds, strict=True)
                there = [(path, kind) for path, kind in pairs if path in inputs and not self._is_absent(need, inputs[path])]
                found = [self._returned(path, kind, need.files, (inputs, folder)) for path, kind in there]
            else:
                paths = self._files.set_paths(need.files)
                found = [self._input(path, inputs.get(path), folder) for path in paths if not self._is_absent(need, inputs.get(path))]
            if need.name is None:
                lists.setdefault("inputs", []).extend(found)
            elif need.many:
                lists.setdefault(need.name, []).extend(found)
            elif found:
                single[need.name] = found[0]
            else:
                single[need.name] = None  # type: ignore[assignment]  # an optional input that is absent
        for output in edge.stage.outputs:
            if output.value:
                continue  # it is returned
            ref = FileRef(self._at(written_at(output), folder))
            if output.name is None or output.many:
                lists.setdefault(output.name or "outputs", []).append(ref)
            else:
                single[output.name] = ref
        params = {name: _copy(value) for name, value in edge.stage.params.items()}
        return {**single, **lists, **params}  # type: ignore[dict-item]  # a list holds FileRefs or values, never both

    def _is_absent(self, need: Need, state: State | None) -> bool:
        return need.optional and state is not None and state.kind == "absent"

    def _input(self, path: str, state: State | None, folder: str) -> FileRef:
        size = state.stamp[2] if state is not None and state.stamp is not None else 0
        return FileRef(self._at(path, folder), state.digest if state is not None else "", size)

    def _returns(self, edge: Edge) -> tuple[Return, ...]:
        values = [output for output in edge.outputs if output.value]
        places = [self._at(written_at(output), edge.stage.folder) for output in values]
        return tuple([Return(None if out.value == "result" else out.name, out.value, at) for out, at in zip(values, places, strict=True)])

    def _returned(self, path: str, kind: str, files: FileSet, known: tuple[Mapping[str, State], str]) -> FileRef | StoredValue:
        """What another stage has returned, or a file among its outputs. *known*: inputs as they are, and the folder of who takes it."""
        inputs, folder = known
        if not kind:
            return self._input(path, inputs.get(path), folder)
        if kind == "file":
            named = self._session.values.named(path)
            return FileRef(self._at(named.path, folder), named.digest, named.size)
        return self._session.values.stored(path, kind, files.entry, self._at(path, folder))

    def _at(self, path: str, folder: str) -> str:
        """A path from the root as a stage of a folder finds it."""
        return relative(path, folder) if self._here else self._session.disk.at(path)


def apart_params(edges: Sequence[Edge]) -> dict[str, Value]:
    """The params of a batch: lists of those that differ by item."""
    stage = edges[0].stage
    assert stage.batch is not None
    found: dict[str, Value] = {}
    for name, value in stage.params.items():
        found[name] = [each.stage.params[name] for each in edges] if f"params.{name}" in stage.batch.apart else value
    return found


def _copy(value: Value) -> Value:
    """A table or list of the Pipefile for a function to keep: what it changes in it must not reach other stages, nor the keys of theirs."""
    if isinstance(value, dict):
        return {key: _copy(inner) for key, inner in value.items()}
    return [_copy(inner) for inner in value] if isinstance(value, list) else value


def _is_current(root: str) -> bool:
    """Whether relative paths lead to the project's files: the command line stands in the root, a library's caller may not."""
    try:
        return os.path.samefile(os.curdir, root)
    except OSError:
        return False
