"""Learning what Python files declare: by running them, where that is allowed, else from what the last build learned, else from their text.

A build runs them, once for each state of the files and of the configuration, and keeps what it learned (store/declared.py). All other commands only
look.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from contextvars import ContextVar
from types import ModuleType
from typing import TYPE_CHECKING

from pipefile import __version__
from pipefile.base import digest as digests
from pipefile.base.dataclass import replace
from pipefile.base.errors import PipefileError, UsageError
from pipefile.base.locations import Place
from pipefile.base.paths import show
from pipefile.load.declared import Asked, Declarations, DeclaredStage
from pipefile.load.faults import FaultError
from pipefile.model.ports import Disk
from pipefile.model.stage import Pipeline, Settings, Source

if TYPE_CHECKING:
    from pipefile.execute.importing import RecordingModules
    from pipefile.load.collect import Joined
    from pipefile.store.declared import Kept

_importing: ContextVar[str] = ContextVar("pipefile_importing", default="")


def importing() -> str:
    """The Python file that is being run here to learn what it declares; "" for none."""
    return _importing.get()


class Looking:
    """Declarations for commands that do not build: nothing of the project is run.

    Args:
        disk: The project's disk.
        note: Told of each file of which it is not known what it declares.
        made: It is about what earlier builds have made: what the last one learned counts, whatever the files' text says, unless that says all.
    """

    def __init__(self, disk: Disk, note: Callable[[str], None] | None = None, made: bool = False) -> None:
        self._disk = disk
        self._note = note
        self._made = made

    def __call__(self, asked: Asked) -> Declarations:
        if not asked.settings.python:
            return Declarations()
        kept = _kept(self._disk, asked)
        if kept is not None:
            return kept
        found, pipelines = read(self._disk, asked)
        if not found.unknown:
            return found
        for path in found.unknown:
            if self._note is not None:
                self._note(f"graph of {show(path)} unknown until a build")
        from pipefile.engine.remembered import declared, guess
        from pipefile.store import declared as store

        last = store.read(self._disk, asked.settings.store)
        if self._made and last is not None:
            return declared(last, found.files, found.unknown)
        return guess(last, found, pipelines, asked.settings.python)


class Running:
    """Declarations for builds.

    Args:
        disk: The project's disk.
        environ: The environment of the build.
        anew: Run the files even if they are as they were when the last build ran them.
        live: A pipeline of this process that is built, and joins what the files declare.
        laid_over: Something is laid over `[global]`: then what is learned is not kept.
    """

    def __init__(
        self, disk: Disk, environ: Mapping[str, str], anew: bool = False, live: Joined | None = None, laid_over: bool = False
    ) -> None:
        self._disk = disk
        self._environ = environ
        self._anew = anew
        self._live = live
        self._laid_over = laid_over
        self._learned: Kept | None = None
        self.as_on_disk = True
        """Whether the command line would learn the same."""

    def __call__(self, asked: Asked) -> Declarations:
        self._learned = None
        settings, live = asked.settings, self._live
        if live is not None and _path_of(live, self._disk.root) in settings.python:
            live = None  # it is found there, and as it stands on the disk
        self.as_on_disk = live is None and not self._laid_over
        if not settings.python and live is None:
            return Declarations()
        if self.as_on_disk and not self._anew:
            kept = _kept(self._disk, asked)
            if kept is not None:
                return kept
        self._anew = False  # once a build
        found = _run(self._disk, self._environ, asked, live)
        if self.as_on_disk:
            self._learned = _packed(found, circumstances(asked))
        return found

    def keep(self, settings: Settings, warn: Callable[[str], None]) -> None:
        """Keep what was learned. The project's lock is held."""
        if self._learned is None:
            return
        from pipefile.store import declared as store

        try:
            store.write(self._disk, settings.store, self._learned, settings.durability == "full")
        except OSError as error:
            warn(f"`{show(settings.store)}/{store.NAME}` cannot be written: {error.strerror}; other commands know less of the Python files")


def circumstances(asked: Asked) -> str:
    """A digest of what declarations depend on besides files."""
    import json

    settings = asked.settings
    facts = [__version__, sys.version_info[:2], sys.prefix, settings.hash, settings.python, asked.table, sorted(asked.fallbacks)]
    return digests.of_text(json.dumps(facts, sort_keys=True, separators=(",", ":")))


def _packed(found: Declarations, facts: str) -> Kept:
    from pipefile.store.declared import Kept

    stages = [(name, each.source.file, each.source.line, each.source.function, each.table) for name, each in found.stages.items()]
    pipelines = [(name, each.source.file, each.source.line, each.source.function, each.targets) for name, each in found.pipelines.items()]
    return Kept(facts, found.files, tuple(stages), tuple(pipelines))


def _kept(disk: Disk, asked: Asked) -> Declarations | None:
    """What the last build learned, if nothing has changed since that could make it another thing."""
    from pipefile.store import declared as store

    kept = store.read(disk, asked.settings.store)
    if kept is None or kept.circumstances != circumstances(asked):
        return None
    for path, digest in kept.files.items():
        if digest_of(disk, path, asked.settings.hash) != digest:
            return None
    from pipefile.engine.remembered import declared

    return declared(kept, kept.files)


def digest_of(disk: Disk, path: str, algorithm: str) -> str | None:
    """The digest of a file; None where there is none that can be read."""
    try:
        return disk.digest(path, algorithm)[0]
    except OSError:
        return None


# --- from the text alone


def names(disk: Disk, settings: Settings, kept: bool = True) -> frozenset[str]:
    """Names of stages and pipelines that the files declare, as far as that is known without running them; for telling them from paths.

    Args:
        disk: Where they are.
        settings: `python` names the files.
        kept: Also what they declared when the last build ran them.
    """
    from pipefile.load import pysource
    from pipefile.store import declared as store

    found: set[str] = set()
    last = store.read(disk, settings.store) if kept else None
    if last is not None:
        found.update([entry[0] for entry in (*last.stages, *last.pipelines)])
    for path in settings.python:
        try:
            reading = pysource.read(disk.read(path, limit=pysource.LARGEST), "")
        except OSError:
            continue
        found.update(reading.stages, reading.pipelines)
    return frozenset(found)


def check_known(disk: Disk, pipeline: Pipeline, targets: Iterable[str], stages: Container[str]) -> None:
    """
    Args:
        disk: The project's disk.
        pipeline: What is known.
        targets: What is asked for.
        stages: Names of those in the graph.

    Raises:
        UsageError: A target is declared by a Python file, but in a way that only running it would tell, or for pipelines alone.
    """
    declared = names(disk, replace(pipeline.settings, python=pipeline.unknown), kept=False)
    lacking = for_pipelines(disk, pipeline.settings)
    for name in targets:
        if name in pipeline.aliases or name in stages:
            continue
        if name in declared:
            message = f"what `{show(name)}` needs is unknown until a build runs `{show(pipeline.unknown[0])}`"
            raise UsageError(message, hint=f"`pipefile {show(name)}` builds it; `pipefile list` shows what is known")
        if name in lacking:
            place, argument = lacking[name]
            message = f"stage `{show(name)}` is for pipelines alone: nothing that it declares gives its function the argument `{show(argument)}`"
            raise UsageError(message, (place,))


def for_pipelines(disk: Disk, settings: Settings) -> dict[str, tuple[Place, str]]:
    """Decorated stages that are none by themselves, by the text of the files: where they stand, and the argument that they lack."""
    from pipefile.load import pysource

    found = {}
    for path in settings.python:
        try:
            reading = pysource.read(disk.read(path, limit=pysource.LARGEST), "")
        except OSError:
            continue
        for name, stage in reading.stages.items():
            if stage.lacking and not stage.complete:
                found[name] = (Place(show(path), line=stage.line), stage.lacking[0])
    return found


def read(disk: Disk, asked: Asked) -> tuple[Declarations, frozenset[str]]:
    """What the text of the files tells, and the pipelines that it names."""
    settings = asked.settings
    from pipefile.load import pysource
    from pipefile.load.collect import module_name
    from pipefile.load.tables import finished

    stages: dict[str, DeclaredStage] = {}
    partial: dict[str, DeclaredStage] = {}
    pipelines: set[str] = set()
    unknown = []
    for number, path in enumerate(settings.python):
        _check_there(disk, path, number)
        try:
            data = disk.read(path, limit=pysource.LARGEST)
            module = module_name(path)
        except (OSError, PipefileError):
            unknown.append(path)
            continue
        reading = pysource.read(data, module)
        if not reading.whole:
            unknown.append(path)
        pipelines.update(reading.pipelines)
        fallbacks = {found.table.get("fallback") for found in reading.stages.values() if found.table is not None} | asked.fallbacks
        for name, found in reading.stages.items():
            source = Source(path, found.line, found.function)
            if (found.complete or name in asked.fallbacks) and found.table is not None and name not in stages:
                table = {"call": f"{module}:{found.function}", **found.table}
                stages[name] = DeclaredStage(source, finished(table, name in fallbacks))
            else:
                partial[name] = DeclaredStage(source, found.table or {})
    files = {path: digest_of(disk, path, settings.hash) for path in settings.python}
    return Declarations(stages, {}, files, tuple(unknown), partial), frozenset(pipelines)


def _check_there(disk: Disk, path: str, number: int) -> None:
    if disk.stat(path) is None:
        raise FaultError(f"`{show(path)}` in `python` of `[pipefile]` does not exist", ("pipefile", "python", number))


# --- by running them


def _run(disk: Disk, environ: Mapping[str, str], asked: Asked, live: Joined | None) -> Declarations:
    from pipefile.execute.importing import RecordingModules
    from pipefile.load.collect import Collector, shortened

    settings = asked.settings
    collector = Collector(disk.root, asked.table, asked.fallbacks)
    joint = None
    if live is not None:
        try:
            joint = collector.join(live)  # with the modules that its program has
        except PipefileError as error:
            raise shortened(error, disk.root) from error.__cause__
    modules = RecordingModules(disk.root)
    with _surroundings(disk.root, environ):
        modules.install()
        try:
            for number, path in enumerate(settings.python):
                _check_there(disk, path, number)
                token = _importing.set(path)
                try:
                    collector.add_module(_imported(modules, path))
                except PipefileError as error:
                    raise shortened(error, disk.root) from None
                except (Exception, SystemExit) as fault:
                    raise _fault(fault, path, modules) from None
                finally:
                    _importing.reset(token)
            if joint is not None:
                collector.add(joint)  # last, so that what the files declare is called as on the command line
            found = collector.declarations()
        except PipefileError as error:
            raise shortened(error, disk.root) from None
        finally:
            modules.remove()
    return replace(found, files=_files(modules, disk, settings), joined=joint is not None)


def _imported(modules: RecordingModules, path: str) -> ModuleType:
    import importlib

    from pipefile.load.collect import module_name

    name = module_name(path)
    module = importlib.import_module(name)
    if getattr(module, "__file__", None) not in modules.sources:
        there = getattr(module, "__file__", None) or "part of Python"
        raise PipefileError(f"`{show(path)}` cannot be imported: its name `{name}` belongs to another module, {show(there)}")
    return module


def _files(modules: RecordingModules, disk: Disk, settings: Settings) -> dict[str, str | None]:
    """The files that were run, and those whose coming would change what runs."""
    below = disk.root.rstrip("/") + "/"
    found: dict[str, str | None] = {}
    for path in modules.absent:
        if path.startswith(below):
            found[path[len(below) :]] = None
    for path, data in modules.sources.items():
        inside = path[len(below) :]
        digest = digests.of_bytes(data, settings.hash)
        seen = disk.stat(inside)
        found[inside] = digests.executable(digest) if seen is not None and seen.st_mode & 0o100 else digest
    return found


@contextmanager
def _surroundings(root: str, environ: Mapping[str, str]) -> Iterator[None]:
    """What modules see while they are run: the project's folder and the build's environment. What they print goes to standard error, so that the
    output of a build stays what it promises to be. Afterwards all is as it was."""
    from pipefile.execute.environ import set_environ

    before, here = dict(os.environ), os.getcwd()
    os.chdir(root)
    set_environ(environ)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        set_environ(before)
        os.chdir(here)


def _fault(fault: BaseException, path: str, modules: RecordingModules) -> PipefileError:
    """What a module raised, as its author wants to read it: the error, and the lines of the project that led to it."""
    import linecache
    from traceback import extract_tb

    if isinstance(fault, SyntaxError) and fault.filename is not None and modules.owns_file(fault.filename):
        text = (fault.text or "").strip()
        place = Place(fault.filename, text=show(text), line=fault.lineno, column=fault.offset)
        return PipefileError(f"`{show(path)}` cannot be imported: {show(fault.msg)}", (place,))
    places = []
    for frame in extract_tb(fault.__traceback__):
        if modules.owns_file(frame.filename) and not frame.filename.startswith("<"):
            linecache.checkcache(frame.filename)
            places.append(Place(show(frame.filename), text=show(frame.line or ""), line=frame.lineno))
    what = f"{type(fault).__name__}: {fault}" if str(fault) else type(fault).__name__
    if isinstance(fault, SystemExit):
        what = "it ends the program"
    return PipefileError(f"`{show(path)}` cannot be imported: {show(what)}", places[-8:])


def _path_of(live: Joined, root: str) -> str:
    return live.origin.file.removeprefix(root.rstrip("/") + "/")
