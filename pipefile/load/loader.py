"""Pipefile.toml -> Pipeline."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from typing import Any

from pipefile.base import digest as digests
from pipefile.base.dataclass import dataclass, field, replace
from pipefile.base.errors import PipefileSyntaxError
from pipefile.base.locations import KeyPath, Position
from pipefile.base.paths import BadPathError, folder_of, normalise, show, within
from pipefile.base.paths import join as join_paths
from pipefile.load import policies, values
from pipefile.load.declared import Asked, Declarations, Declare, DeclaredPipeline, DeclaredStage, join, without_unknown
from pipefile.load.declared import located as located_in_python
from pipefile.load.faults import FaultError, at_offset, did_you_mean, kind_of, located, unplaced
from pipefile.load.resources import section
from pipefile.load.schema import PIPEFILE, SECTIONS
from pipefile.load.stages import StageReader, not_posix, posix
from pipefile.model.ports import Disk
from pipefile.model.stage import Command, Pipeline, Settings, Source, Stage

LARGEST = 50 << 20
"""Bytes of a Pipefile: ten times that of 100,000 stages."""

_LARGEST_DOTENV = 1 << 20


def load(disk: Disk, file: str, environ: Mapping[str, str], extra: Extra | None = None) -> Pipeline:
    """Read and check a Pipefile and its dotenv files.

    Args:
        disk: Where they are.
        file: The Pipefile, from the root.
        environ: The environment: a variable that it has already is not set by dotenv files.
        extra: What joins it. Without, nothing is known of the Python files that it names.

    Raises:
        PipefileSyntaxError: It cannot be read, or something in it is wrong; located.
    """
    extra = extra or Extra()
    data = _read(disk, file, extra.may_lack)
    text = _decode(data or b"", file)
    document = _parse(text, file)
    loader = Loader(disk, file, document)
    try:
        return loader.pipeline(data, environ, extra)
    except FaultError as fault:
        source = loader.source_of(fault)
        raise (located(fault, file, text) if source is None else located_in_python(disk, fault, source)) from None


@dataclass(frozen=True, slots=True)
class Extra:
    """What joins a Pipefile.

    Args:
        declare: Gives what Python files declare.
        config: Laid over `[global]`.
        may_lack: There need be no Pipefile: all is as if it were empty.
    """

    declare: Declare | None = None
    config: Mapping[str, Any] = field(default_factory=dict)
    may_lack: bool = False


def _read(disk: Disk, file: str, may_lack: bool) -> bytes | None:
    try:
        return disk.read(file, limit=LARGEST)
    except FileNotFoundError:
        if may_lack:
            return None
        message = "there is no such file"
    except OSError as error:
        if error.errno == errno.EFBIG:
            message = f"larger than {LARGEST >> 20} MB"
        elif error.errno == errno.EINVAL:
            message = "not a regular file"
        else:
            message = f"cannot be read: {os.strerror(error.errno or 0).lower()}"
    raise unplaced(message, show(file))


def _decode(data: bytes, file: str) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        begin = data.rfind(b"\n", 0, error.start) + 1
        column = len(data[begin : error.start].decode("utf-8")) + 1
        raise unplaced("invalid UTF-8", show(file), position=Position(line, column)) from None


def _parse(text: str, file: str) -> dict[str, Any]:
    """The document as tomli reads it."""
    import tomli

    try:
        return tomli.loads(text[1:] if text.startswith("\ufeff") else text)
    except tomli.TOMLDecodeError as error:
        raise _not_toml(error.msg, error.pos, text, file) from None
    except RecursionError:
        raise unplaced("nested too deeply", show(file)) from None
    except ValueError:  # Python reads no integers of more than 4300 digits
        raise _huge_integer(text, file) from None


def _not_toml(message: str, at: int, text: str, file: str) -> PipefileSyntaxError:
    """What tomli complains of, in our words, at the offset in *text* that it means."""
    document = text.removeprefix("\ufeff")
    plain = document.replace("\r\n", "\n")  # what tomli counts in
    at = min(at, len(plain))
    if message == "Cannot overwrite a value" or message.startswith(("Cannot declare", "Cannot mutate")):
        message = "a key or table is declared twice"
        at = plain.rfind("\n", 0, max(0, min(at, len(plain.rstrip())) - 1)) + 1  # tomli stands behind the value by now
        while plain[at : at + 1] in (" ", "\t"):
            at += 1
    elif message.startswith("Illegal character '\\n'") or (message == "Invalid value" and plain[at : at + 1] == "\n"):
        message = "a value is missing" if message == "Invalid value" else "a string does not end in its line"
    else:
        message = message[:1].lower() + message[1:]
    stop = at + 1
    if message.endswith("twice"):
        stop = len(plain) if (end := plain.find("\n", at)) < 0 else end
        stop = min(stop, equals) if (equals := plain.find("=", at, stop)) > 0 else stop
        stop = at + max(1, len(plain[at:stop].rstrip()))
    at_line = plain.count("\n", 0, at)
    stop_line = plain.count("\n", 0, stop)
    if len(plain) != len(document):  # CRLF: one more character a line; all ends are of that kind, or it is off by a column at worst
        at, stop = at + at_line, stop + stop_line
    offset = len(text) - len(document)
    return at_offset(show(message), show(file), text, at + offset, stop + offset)


def _huge_integer(text: str, file: str) -> PipefileSyntaxError:
    import re

    match = re.search(r"[0-9][0-9_]{4300}", text)
    start = match.start() if match else 0
    return at_offset("an integer of more than 64 bits", show(file), text, start, start + 1)


def _fallbacks(tables: Mapping[str, Any]) -> frozenset[str]:
    """What tables of stages, unchecked, name as fallbacks."""
    found = [table.get("fallback") for table in tables.values() if type(table) is dict]
    return frozenset([name for name in found if isinstance(name, str)])


class Loader:
    def __init__(self, disk: Disk, file: str, document: dict[str, Any]) -> None:
        self._disk = disk
        self._file = file
        self._folder = folder_of(file)
        self._document = document
        self._declared = Declarations()
        self._mains: dict[str, list[str]] = {}  # fallback -> stages that it stands in for

    def source_of(self, fault: FaultError) -> Source | None:
        """Where what is at fault stands, if that is in a Python file."""
        if len(fault.key) < 2 or fault.key[0] not in ("stage", "alias"):
            return None
        table: Mapping[str, DeclaredStage | DeclaredPipeline]
        table = self._declared.stages if fault.key[0] == "stage" else self._declared.pipelines
        found = table.get(str(fault.key[1]))
        return found.source if found is not None else None

    def pipeline(self, data: bytes | None, environ: Mapping[str, str], extra: Extra) -> Pipeline:
        for name, value in self._document.items():
            if name not in SECTIONS or type(value) is not dict:
                raise self._bad_section(name, value)
        settings = self.settings(self._document.get("pipefile", {}))
        table = self._document.get("global", {})
        values.check_value(table, ("global",))
        if extra.config:
            from pipefile.load.config import laid_over

            table = laid_over(table, extra.config)
        if extra.declare is not None:
            self._declared = extra.declare(Asked(settings, table, _fallbacks(self._document.get("stage", {}))))
        elif settings.python:
            self._declared = Declarations(unknown=settings.python)
        if self._declared.stages or self._declared.pipelines:
            self._document = join(self._document, self._file, self._declared)
        if self._declared.unknown:
            self._document = without_unknown(self._document)
            settings = self.settings(self._document["pipefile"])
        document = self._document
        resources = section(document.get("resources", {}))
        known: tuple[Any, ...] = (self._declared.stages,) if self._declared.stages else ()
        reader = StageReader(self._disk.root, self._file, settings, values.Globals(table), resources, *known)
        tables = document.get("stage", {})
        self._mains = policies.mains_of(tables)
        stages = {name: reader.read(name, stage, name in self._mains) for name, stage in tables.items()}
        self._check_shells(settings, stages)
        self._check_after(stages)
        stages = policies.checked(stages, tables, reader, self._disk)
        for name, declared in self._declared.stages.items():
            stages[name] = replace(stages[name], file=declared.source.file)
        aliases = self._aliases(document.get("alias", {}), settings, stages)
        dotenv, files = self.dotenv(settings)
        own = None if data is None else self._digest(self._file, data, settings.hash)
        return Pipeline(
            root=self._disk.root,
            file=self._file,
            files={self._file: own, **files, **self._declared.files},
            settings=settings,
            globals=table,
            aliases=aliases,
            stages=stages,
            dotenv={name: value for name, value in dotenv.items() if name not in environ},
            sources={
                **{("stage", name): stage.source for name, stage in self._declared.stages.items()},
                **{("stage", name): stage.source for name, stage in self._declared.partial.items()},
                **{("alias", name): pipeline.source for name, pipeline in self._declared.pipelines.items()},
            },
            resources=resources,
            unknown=self._declared.unknown,
            partial={
                name: Stage(name, file=each.source.file, description=each.table.get("description", ""))
                for name, each in self._declared.partial.items()
            },
            document=document,
        )

    def _bad_section(self, name: str, value: object) -> FaultError:
        if name in SECTIONS:
            return FaultError(f"`{name}` must be a section, not {kind_of(value)}", (name,), f"a section begins with `[{name}]`")
        if type(value) is dict:
            return FaultError(f"unknown section `{show(name)}`", (name,), did_you_mean(name, SECTIONS, "[{}]"))
        hint = "it belongs under `[pipefile]`" if name in PIPEFILE else "keys stand under a section such as `[pipefile]` or `[stage.NAME]`"
        return FaultError(f"unknown key `{show(name)}` outside of any section", (name,), hint)

    def settings(self, table: dict[str, Any]) -> Settings:
        values.check_keys(table, PIPEFILE, "`[pipefile]`", ("pipefile",))
        given = dict(table)
        for name, value in table.items():
            if type(value) is list or name == "default":
                given[name] = values.strings(value, f"`{name}` in `[pipefile]`", ("pipefile", name))
        for name in ("log_limit", "value_in_memory", "value_limit", "large_input"):
            if name in given:
                given[name] = values.size(given[name], f"`{name}` in `[pipefile]`", ("pipefile", name))
        if "cache_size" in given:
            none = given["cache_size"] == "0"
            given["cache_size"] = 0 if none else values.size(given["cache_size"], "`cache_size` in `[pipefile]`", ("pipefile", "cache_size"))
        if "store" in given:
            key = ("pipefile", "store")
            given["store"] = values.project_path(given["store"], "", "`store` in `[pipefile]`", key)
            if given["store"] == "." or given["store"] == self._file:
                raise FaultError("`store` in `[pipefile]` must be a folder of its own", key)
        if "outside" in given:
            given["outside"] = tuple([self._outside(folder, index) for index, folder in enumerate(given["outside"])])
        if "dotenv" in given:
            given["dotenv"] = tuple([self._dotenv_path(path, index) for index, path in enumerate(given["dotenv"])])
        if "python" in given:
            given["python"] = tuple(dict.fromkeys([self._python_path(path, index) for index, path in enumerate(given["python"])]))
        for index, name in enumerate(given.get("env", ())):
            if not name or "=" in name:
                raise FaultError(f"`{show(name)}` in `env` of `[pipefile]` is no name of a variable", ("pipefile", "env", index))
        return Settings(**given)

    def _outside(self, folder: str, index: int) -> str:
        key = ("pipefile", "outside", index)
        if not folder:
            raise FaultError("`outside` in `[pipefile]` holds an empty path", key)
        path = normalise(os.path.join(self._disk.root, self._folder, folder))
        root = self._disk.root
        if path == root or within(path, root):
            raise FaultError(f"`{show(folder)}` in `outside` lies inside the project, where outputs may lie anyway", key)
        return path

    def _python_path(self, path: str, index: int) -> str:
        key = ("pipefile", "python", index)
        found = values.project_path(path, self._folder, "a file of `python` in `[pipefile]`", key)
        if not found.endswith(".py"):
            raise FaultError(f"`{show(path)}` in `python` of `[pipefile]` is no Python file", key, "it names files such as `pipeline.py`")
        return found

    def _dotenv_path(self, path: str, index: int) -> str:
        """From the root; absolute where it lies outside, which is fine for a file that is only read."""
        if not path:
            raise FaultError("`dotenv` in `[pipefile]` holds an empty path", ("pipefile", "dotenv", index))
        try:
            return normalise(join_paths(self._folder, path))
        except BadPathError:
            return normalise(os.path.join(self._disk.root, self._folder, path))

    def _check_shells(self, settings: Settings, stages: dict[str, Stage]) -> None:
        """A default shell that is no POSIX shell takes argument lists only, like one of a stage."""
        if posix(settings.shell):
            return
        for name, stage in stages.items():
            if stage.shell is settings.shell and isinstance(stage.action, Command) and stage.action.text:
                raise not_posix(name, settings.shell)

    def _check_after(self, stages: dict[str, Stage]) -> None:
        for name, stage in stages.items():
            for index, before in enumerate(stage.after):
                if before not in stages:
                    raw = self._document["stage"][name]["after"]
                    key: KeyPath = ("stage", name, "after", index) if type(raw) is list else ("stage", name, "after")
                    raise FaultError(f"`after` of stage `{show(name)}` names `{show(before)}`, which is no stage", key, did_you_mean(before, stages))

    # --- aliases and default targets

    def _aliases(self, table: dict[str, Any], settings: Settings, stages: dict[str, Stage]) -> dict[str, tuple[str, ...]]:
        aliases: dict[str, tuple[str, ...]] = {}
        for name, value in table.items():
            if type(value) is not str and type(value) is not list:
                raise FaultError(f"alias `{show(name)}` must be an array of strings or a string, not {kind_of(value)}", ("alias", name))
            if not name:
                raise FaultError("the name of an alias is empty", ("alias", name))
            aliases[name] = values.strings(value, f"alias `{show(name)}`", ("alias", name))
        for name, targets in aliases.items():
            self._check_targets(targets, f"alias `{show(name)}`", ("alias", name), aliases, stages)
        self._check_alias_cycle(aliases)
        if settings.default is not None:
            self._check_targets(settings.default, "`default`", ("pipefile", "default"), aliases, stages)
        return aliases

    def _check_targets(
        self, targets: tuple[str, ...], what: str, key: KeyPath, aliases: dict[str, tuple[str, ...]], stages: dict[str, Stage]
    ) -> None:
        for index, target in enumerate(targets):
            if target in self._mains and target not in aliases:
                raise policies.is_fallback(f"{what} names `{show(target)}`", self._mains[target][0], self._target_key(key, index))
        odd = [(index, target) for index, target in enumerate(targets) if target not in stages and target not in aliases]
        if not odd or any(stage.for_each is not None for stage in stages.values()):  # what instances make is known to the graph alone
            return
        outputs = {output.path: output.directory for stage in stages.values() for output in stage.outputs}
        for index, target in odd:
            path = target
            if not path.startswith("/"):
                try:
                    path = normalise(join_paths(self._folder, target))
                except BadPathError:
                    path = ""
            if path in outputs or any(within(path, output) for output, directory in outputs.items() if directory):
                continue
            hint = did_you_mean(target, [*aliases, *stages, *outputs])
            raise FaultError(f"{what} names `{show(target)}`, which is no stage, alias or output", self._target_key(key, index), hint)

    def _target_key(self, key: KeyPath, index: int) -> KeyPath:
        return (*key, index) if type(self._document[str(key[0])][str(key[1])]) is list else key

    def _check_alias_cycle(self, aliases: dict[str, tuple[str, ...]]) -> None:
        done: set[str] = set()
        for first in aliases:
            trail: dict[str, int] = {}
            todo = [(first, False)]
            while todo:
                name, leaving = todo.pop()
                if leaving:
                    del trail[name]
                    done.add(name)
                    continue
                if name in trail:
                    names = list(trail)[trail[name] :] + [name]
                    raise FaultError(f"aliases lead back to themselves: {' -> '.join(f'`{show(n)}`' for n in names)}", ("alias", name))
                if name in done or name not in aliases:
                    continue
                trail[name] = len(trail)
                todo.append((name, True))
                todo += [(target, False) for target in aliases[name] if target in aliases]

    # --- files

    def dotenv(self, settings: Settings) -> tuple[dict[str, str], dict[str, str | None]]:
        found: dict[str, str] = {}
        files: dict[str, str | None] = {}
        for path in settings.dotenv:
            try:
                data = self._disk.read(path, limit=_LARGEST_DOTENV)
            except (FileNotFoundError, NotADirectoryError):
                files[path] = None
                continue
            except OSError as error:
                raise unplaced(f"cannot be read: {os.strerror(error.errno or 0).lower()}", show(path)) from None
            files[path] = self._digest(path, data, settings.hash)
            found.update(self._variables(path, data))
        return found, files

    def _variables(self, path: str, data: bytes) -> dict[str, str]:
        from pipefile.load.dotenv import DotenvError, parse_dotenv

        try:
            return parse_dotenv(_decode(data, path))
        except DotenvError as error:
            # the source line stays out of the message: such files hold secrets
            raise unplaced(str(error), show(path), "a line is `NAME=value`, or a comment after `#`", Position(error.line, 1)) from None

    def _digest(self, path: str, data: bytes, algorithm: str) -> str:
        """The digest as `Disk.digest` would give it, of bytes that are read already."""
        text = digests.of_bytes(data, algorithm)
        seen = self._disk.stat(path)
        return digests.executable(text) if seen is not None and seen.st_mode & 0o100 else text
