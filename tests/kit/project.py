"""A project in a folder of its own: its files, its Pipefile, and builds of it."""

from __future__ import annotations

import dataclasses
import itertools
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Mapping
from typing import Any

import pipefile
from kit import process
from kit.fifo import Gate
from kit.outcome import BuildOutcome, CliOutcome, ran
from kit.toml import toml
from kit.tree import contents, own, tree

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(pipefile.__file__)))


class Project:
    """A project at `root`; what tests need besides (execution log, FIFOs, a home) is outside of it, in `side`.

    Args:
        folder: An empty folder to work in.
        mark: What the environment of everything it starts has in it; made up if left out.

    Attributes:
        disk: What builds in this process see instead of the real disk, a FaultyDisk for example; None for the real one.
        clock: What they have instead of the real clock; None for the real one.
        caching: Builds in this process restore earlier results. Most tests are about what has to run, and nothing runs that has run before.
    """

    def __init__(self, folder: str, mark: str = "") -> None:
        self.root = os.path.join(folder, "tree")
        self.side = os.path.join(folder, "side")
        self.log = os.path.join(self.side, "log")
        self._mark = mark or f"KIT_MARK={secrets.token_hex(8)}"
        for name in (self.root, self.side, os.path.join(self.side, "home"), os.path.join(self.side, "gates")):
            os.makedirs(name, exist_ok=True)
        self._tables: dict[str, dict[str, Any]] = {"pipefile": {}, "global": {}, "alias": {}, "resources": {}, "stage": {}}
        self._gates: list[Gate] = []
        self._running: list[process.Running] = []
        self._count = itertools.count()
        self.disk: Any = None
        self.clock: Any = None
        self.caching = False
        self.environ = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": os.path.join(self.side, "home"),
            "LANG": "C.UTF-8",
            "LOG": self.log,
            "GATES": os.path.join(self.side, "gates"),
            "PYTHONPATH": _PACKAGE,
            "PYTHONDONTWRITEBYTECODE": "1",
            **dict([self._mark.split("=", 1)]),
        }

    def __enter__(self) -> Project:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End all that was started and is left."""
        for running in self._running:
            running.kill()
        for pid in self.processes() if self._running else ():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        for gate in self._gates:
            gate.close()
        self._gates.clear()
        self._running.clear()

    # --- the Pipefile

    def stage(self, name: str, inputs: object = None, outputs: object = None, run: object = None, call: str | None = None, **keys: object) -> None:
        """Declare a stage, or declare it anew; Pipefile.toml is written."""
        given = {"inputs": inputs, "outputs": outputs, "run": run, "call": call, **keys}
        self._tables["stage"][name] = {key: value for key, value in given.items() if value is not None}
        self._write_pipefile()

    def traced(self, name: str, inputs: object = None, outputs: object = None, run: str = ":", **keys: object) -> None:
        """As `stage`, with a command that writes `S name` and `E name` to $LOG before and after *run*, for outcomes of `cli`."""
        self.stage(name, inputs, outputs, f'echo "S {name}" >> "$LOG"; {run}; echo "E {name}" >> "$LOG"', **keys)

    def drop(self, name: str) -> None:
        """Remove a stage from the Pipefile."""
        del self._tables["stage"][name]
        self._write_pipefile()

    def stages(self) -> list[str]:
        """Names of the declared stages."""
        return list(self._tables["stage"])

    def settings(self, **keys: object) -> None:
        """Set keys of `[pipefile]`; None removes one."""
        self._update("pipefile", keys)

    def globals(self, **keys: object) -> None:
        """Set keys of `[global]`; None removes one."""
        self._update("global", keys)

    def resources(self, **keys: object) -> None:
        """Set keys of `[resources]`; None removes one."""
        self._update("resources", keys)

    def alias(self, **keys: object) -> None:
        """Set keys of `[alias]`; None removes one."""
        self._update("alias", keys)

    def _update(self, table: str, keys: Mapping[str, object]) -> None:
        merged = {**self._tables[table], **keys}
        self._tables[table] = {key: value for key, value in merged.items() if value is not None}
        self._write_pipefile()

    def _write_pipefile(self) -> None:
        self.write("Pipefile.toml", toml(self._tables))

    def pipefile(self, text: str | bytes) -> None:
        """Write Pipefile.toml as it is given."""
        self.write("Pipefile.toml", text)

    # --- files

    def path(self, path: str) -> str:
        """The absolute path of one in the project."""
        return os.path.join(self.root, path)

    def write(self, path: str, data: str | bytes, executable: bool = False) -> None:
        """Write a file in place, its folders made."""
        full = self.path(path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "wb") as file:
            file.write(data.encode("utf-8", "surrogateescape") if isinstance(data, str) else data)
        if executable:
            os.chmod(full, os.stat(full).st_mode | 0o111)

    def read(self, path: str) -> str:
        """A file's text."""
        return self.read_bytes(path).decode("utf-8", "surrogateescape")

    def read_bytes(self, path: str) -> bytes:
        with open(self.path(path), "rb") as file:
            return file.read()

    def exists(self, path: str) -> bool:
        return os.path.lexists(self.path(path))

    def remove(self, path: str) -> None:
        """Remove a file, a link or a whole folder."""
        full = self.path(path)
        if os.path.isdir(full) and not os.path.islink(full):
            shutil.rmtree(full)
        else:
            os.unlink(full)

    def rename(self, old: str, new: str) -> None:
        os.makedirs(os.path.dirname(self.path(new)), exist_ok=True)
        os.rename(self.path(old), self.path(new))

    def touch(self, path: str, mtime_ns: int | None = None) -> None:
        """Give a file another mtime: *mtime_ns*, or a second later than it had (never the clock, so that no test depends on it)."""
        full = self.path(path)
        at = os.stat(full)
        os.utime(full, ns=(at.st_atime_ns, at.st_mtime_ns + 1_000_000_000 if mtime_ns is None else mtime_ns))

    def record(self, output: str) -> str:
        """Where the record of an output with a short name stands."""
        folder, name = os.path.split(output)
        return os.path.join(folder, f".{name}.hash")

    def tree(self) -> dict[str, tuple[str, int, int, bytes]]:
        """All that is in the project, for "nothing changed"."""
        return tree(self.root)

    # --- builds in this process

    def _found(self) -> Any:
        from pipefile.engine.session import find_project

        found = find_project(self.root, None)
        return dataclasses.replace(found, disk=self.disk or found.disk, clock=self.clock or found.clock)

    def options(self, *targets: str, jobs: int = 2, **options: Any) -> Any:
        from pipefile.model.options import Options

        options.setdefault("environ", dict(self.environ))
        options.setdefault("command", ("pipefile", *targets))
        options.setdefault("cache", self.caching)
        return Options(targets=targets, jobs=jobs, **options)

    def build(self, *targets: str, jobs: int = 2, cold: bool = False, interrupts: Any = None, **options: Any) -> BuildOutcome:
        """Build in this process; errors of the user end up in the outcome, ours are raised. *cold*: from the Pipefile, whatever the index knows."""
        from pipefile.base.errors import PipefileError
        from pipefile.engine.build import build

        events: list[Any] = []
        try:
            wanted = self.options(*targets, jobs=jobs, **options)
            result = build(self._found(), wanted, events.append, interrupts, look=(lambda: None) if cold else None)
        except PipefileError as error:
            return BuildOutcome([], [], error.exit_status, _said(events) + f"{error}\n", events=events)
        return BuildOutcome(
            ran=list(result.ran),
            failed=list(result.failed),
            exit_status=result.exit_status,
            output=_said(events),
            skipped=list(result.skipped),
            fresh=result.fresh,
            would_run=list(result.would_run),
            degraded=list(result.degraded),
            restored=list(result.restored),
            would_restore=list(result.would_restore),
            events=events,
        )

    def status(self, *targets: str) -> dict[str, str]:
        """Edge -> "fresh", "stale" or "unknown"."""
        from pipefile.engine.inspect import status

        return {each.name: each.state for each in status(self._found(), self.options(*targets))}

    def why(self, target: str) -> dict[str, list[str]]:
        """Stale edge -> its reasons as text, for the chain from source to target."""
        from pipefile.engine.inspect import why
        from pipefile.plan.stale import describe

        found = why(self._found(), self.options(target), target)
        return {each.name: [describe(reason) for reason in each.reasons] for each in found if each.state != "fresh"}

    # --- the real program

    def _argv(self, args: tuple[str, ...]) -> list[str]:
        return [sys.executable, "-m", "pipefile", *args]

    def cli(
        self,
        *args: str,
        cwd: str = ".",
        env: Mapping[str, str | None] | None = None,
        input: str | None = None,  # noqa: A002  as subprocess.run calls it
        timeout: float = 300.0,
    ) -> CliOutcome:
        """Run `pipefile ARGS` and wait for it. Values of *env* are laid over the project's environment; None removes a variable."""
        seen, begun = len(self._lines()), time.monotonic()
        done = subprocess.run(
            self._argv(args),
            cwd=os.path.join(self.root, cwd),
            env=self._environ(env),
            input=None if input is None else input.encode(),
            stdin=subprocess.DEVNULL if input is None else None,
            capture_output=True,
            timeout=timeout,
            check=False,
        )
        texts = (text.decode("utf-8", "surrogateescape") for text in (done.stdout, done.stderr))
        return self._outcome(seen, done.returncode, *texts, time.monotonic() - begun)

    def start(self, *args: str, cwd: str = ".", env: Mapping[str, str | None] | None = None) -> process.Running:
        """Start `pipefile ARGS` and go on; it is killed at the end of the test if it still runs."""
        return self.program(*self._argv(args), cwd=cwd, env=env)

    def program(self, *argv: str, cwd: str = ".", env: Mapping[str, str | None] | None = None) -> process.Running:
        """As `start`, of any program."""
        seen, prefix = len(self._lines()), os.path.join(self.side, f"run{next(self._count)}")
        running = process.Running(argv, os.path.join(self.root, cwd), self._environ(env), prefix, lambda *end: self._outcome(seen, *end))
        self._running.append(running)
        return running

    def _environ(self, env: Mapping[str, str | None] | None) -> dict[str, str]:
        return {name: value for name, value in {**self.environ, **(env or {})}.items() if value is not None}

    def _outcome(self, seen: int, status: int, out: str, err: str, seconds: float) -> CliOutcome:
        lines = self._lines()[seen:]
        return CliOutcome(status, out, err, ran(lines, "S"), ran(lines, "E"), seconds)

    def _lines(self) -> list[str]:
        try:
            with open(self.log, encoding="utf-8") as file:
                return file.read().splitlines()
        except FileNotFoundError:
            return []

    def gate(self, name: str) -> Gate:
        """A meeting point with a stage."""
        self._gates.append(Gate(os.path.join(self.side, "gates"), name))
        return self._gates[-1]

    def processes(self) -> list[int]:
        """Pids of what this project started and what still lives, however it left its group or session."""
        return process.marked(self._mark)

    # --- against a clean build

    def declared(self) -> list[str]:
        """Paths of all declared outputs, as the Pipefile has them; placeholders are not filled in, but for those of items."""
        stages = tomllib.loads(self.read("Pipefile.toml").removeprefix("\ufeff")).get("stage", {})
        plain = {name: stage for name, stage in stages.items() if "for_each" not in stage and not self._is_pattern(stage)}
        found = [path.rstrip("/") for name, stage in plain.items() for path in _paths(self._placed(name, stage.get("outputs", [])))]
        return found if len(plain) == len(stages) else found + self._of_instances()

    @staticmethod
    def _is_pattern(stage: Any) -> bool:
        """Whether a stage has wildcards: here, names in its outputs that are not of `[global]`."""
        return bool(re.search(r"\{(?!global\.)", "".join(_paths(stage.get("outputs", [])))))

    def _of_instances(self) -> list[str]:
        """Outputs of stages with `for_each` or wildcards, by the graph."""
        from pipefile.engine.session import Session

        graph = Session(self._found(), self.environ, lambda _: None).graph
        return [output.path for edge in graph.edges if edge.stage.for_each is not None for output in edge.outputs]

    def value(self, stage: str, name: str, kind: str = "json") -> str:
        """Where the value of a stage with a plain name is kept."""
        return f"{self._store()}/values/{stage}/{name}{ {'stream': '.stream', 'any': '.value'}.get(kind, '.json') }"

    def _store(self) -> str:
        settings = tomllib.loads(self.read("Pipefile.toml").removeprefix("\ufeff")).get("pipefile", {})
        return str(settings.get("store", "pipeline_outputs"))

    def _placed(self, stage: str, outputs: Any) -> Any:
        """Outputs with the files of values in place of their types."""
        if not isinstance(outputs, dict):
            return outputs
        values = {name: each[6:] for name, each in outputs.items() if isinstance(each, str) and each.startswith("value:")}
        return {name: self.value(stage, name, values[name]) if name in values else each for name, each in outputs.items()}

    def outputs(self) -> dict[str, object]:
        """Contents of all declared outputs; None for one that is not there."""
        return {path: contents(self.path(path)) for path in self.declared()}

    def settled(self, *targets: str) -> None:
        """Assert that outputs are those of a clean build, and that another build runs nothing: neither in this process nor as the real program."""
        assert self.outputs() == self.clean_outputs(*targets)
        again = self.build(*targets)
        assert (again.exit_status, again.ran, again.output) == (0, [], "")
        program = self.cli(*targets)
        assert (program.exit_status, program.started, program.err) == (0, [], "")
        assert re.fullmatch(r"\d+ fresh in [\d.]+ s\n", program.out), program.out

    def clean_outputs(self, *targets: str) -> dict[str, object]:
        """As `outputs`, after a build from scratch of a copy elsewhere, without records, outputs and store."""
        outputs = {os.path.normpath(path) for path in self.declared()}
        store = self._store()

        def left_out(folder: str, names: list[str]) -> list[str]:
            here = os.path.relpath(folder, self.root)
            paths = {name: os.path.normpath(os.path.join(here, name)) for name in names}
            return [name for name, path in paths.items() if path in outputs or path == store or own(path)]

        with Project(os.path.join(self.side, f"clean{next(self._count)}"), self._mark) as copy:
            shutil.copytree(self.root, copy.root, symlinks=True, ignore=left_out, dirs_exist_ok=True)
            copy.environ.update({name: value for name, value in self.environ.items() if name not in ("HOME", "LOG", "GATES")})
            outcome = copy.build(*targets)
            assert outcome.exit_status == 0, f"the clean build failed\n{outcome.output}"
            made = copy.outputs()
        shutil.rmtree(os.path.dirname(copy.root))
        return made


def _paths(outputs: object) -> list[str]:
    if isinstance(outputs, str):
        return [outputs]
    if isinstance(outputs, list):
        return [path for each in outputs for path in _paths(each)]
    if isinstance(outputs, dict):
        return [outputs["path"]] if isinstance(outputs.get("path"), str) else [path for each in outputs.values() for path in _paths(each)]
    raise TypeError(f"no outputs: {outputs!r}")


def _said(events: list[Any]) -> str:
    """What a reader of the events is told: output of stages, errors, notes."""
    from pipefile.model.event import Note, StageFinished, StageRetried
    from pipefile.report.words import retried

    lines = []
    for event in events:
        if isinstance(event, StageFinished):
            lines += [event.output.decode("utf-8", "surrogateescape"), f"{event.error}\n" if event.error else ""]
        elif isinstance(event, StageRetried):
            lines.append(f"note: {retried(event)}\n")
        elif isinstance(event, Note):
            lines.append(f"{event.level}: {event.text}\n")
    return "".join(lines)
