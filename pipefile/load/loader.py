"""Pipefile.toml -> Pipeline."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from pipefile.base.dataclass import dataclass, field, replace
from pipefile.base.locations import KeyPath, Position
from pipefile.base.paths import BadPathError, folder_of, normalise, show, within
from pipefile.base.paths import join as join_paths
from pipefile.load import params, policies, values
from pipefile.load.declared import Asked, Declarations, Declare, DeclaredPipeline, DeclaredStage, join, without_unknown
from pipefile.load.declared import located as located_in_python
from pipefile.load.document import decode, digest_of, parse, read_bytes
from pipefile.load.faults import FaultError, did_you_mean, kind_of, located, unplaced
from pipefile.load.include import NAME, Included, check_own, folder_with, place, renamed, settings_of
from pipefile.load.overlay import NOTHING, Overlay, applied, check_profiles
from pipefile.load.resources import section
from pipefile.load.schema import PIPEFILE, SECTIONS
from pipefile.load.stages import StageReader, not_posix, posix
from pipefile.model.ports import Disk
from pipefile.model.stage import Command, Pipeline, Settings, Source, Stage

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
    data = read_bytes(disk, file, extra.may_lack)
    text = decode(data or b"", file)
    document = parse(text, file)
    loader = Loader(disk, file, document)
    with loader.located(text):
        return loader.pipeline(data, environ, extra)


@dataclass(frozen=True, slots=True)
class Extra:
    """What joins a Pipefile.

    Args:
        declare: Gives what Python files declare.
        config: Laid over `[global]`.
        may_lack: There need be no Pipefile: all is as if it were empty.
        overlay: What the command line lays over it.
    """

    declare: Declare | None = None
    config: Mapping[str, Any] = field(default_factory=dict)
    may_lack: bool = False
    overlay: Overlay = NOTHING


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

    @contextmanager
    def located(self, text: str) -> Iterator[None]:
        """Faults as users see them: *text* is that of the Pipefile."""
        try:
            yield
        except FaultError as fault:
            source = self._source_of(fault)
            raise (located(fault, self._file, text) if source is None else located_in_python(self._disk, fault, source)) from None

    def _source_of(self, fault: FaultError) -> Source | None:
        """Where what is at fault stands, if that is in a Python file."""
        if len(fault.key) < 2 or fault.key[0] not in ("stage", "alias"):
            return None
        table: Mapping[str, DeclaredStage | DeclaredPipeline]
        table = self._declared.stages if fault.key[0] == "stage" else self._declared.pipelines
        found = table.get(str(fault.key[1]))
        return found.source if found is not None else None

    def pipeline(self, data: bytes | None, environ: Mapping[str, str], extra: Extra) -> Pipeline:
        self._check_sections()
        if extra.overlay:
            self._document = applied(self._document, extra.overlay)
        settings = self.settings(self._document.get("pipefile", {}))
        table = self._document.get("global", {})
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
        included = Included()
        if settings.include:
            included.reading.append(os.path.realpath(self._disk.at(self._folder or ".")))
            self._include(settings, settings.include, resources, extra.overlay, included)
            resources = {**included.resources, **resources}
        known: tuple[Any, ...] = (self._declared.stages,) if self._declared.stages else ()
        files = params.ParamFiles(self._disk, self._folder, settings.hash)
        reader = StageReader(self._disk.root, self._file, settings, params.Params(values.Globals(table), files), resources, *known)
        stages = self._stages(settings, reader, files, included)
        for name, declared in self._declared.stages.items():
            stages[name] = replace(stages[name], file=declared.source.file)
        aliases = self._aliases(document.get("alias", {}), settings, stages, included)
        if included.seen:
            document = {**document, "stage": {**document.get("stage", {}), **included.tables}, "include": included.documents}
        dotenv, dotenv_files = self.dotenv(settings)
        own = None if data is None else digest_of(self._disk, self._file, data, settings.hash)
        return Pipeline(
            root=self._disk.root,
            file=self._file,
            files={self._file: own, **dotenv_files, **files.files, **self._declared.files, **included.files},
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
            joined=self._declared.joined,
            partial={
                name: Stage(name, file=each.source.file, description=each.table.get("description", ""))
                for name, each in self._declared.partial.items()
            },
            document=document,
            scopes=included.scopes,
        )

    def _check_sections(self) -> None:
        for name, value in self._document.items():
            if name not in SECTIONS or type(value) is not dict:
                raise self._bad_section(name, value)
        values.check_value(self._document.get("global", {}), ("global",))
        if "profile" in self._document:
            check_profiles(self._document)

    def _stages(self, settings: Settings, reader: StageReader, files: params.ParamFiles, included: Included) -> dict[str, Stage]:
        """The stages of this Pipefile by their names in it, and those that it includes."""
        tables = self._document.get("stage", {})
        self._mains = policies.mains_of(tables)
        others = included.below(self._folder)
        if others:
            for name in tables:
                folder = folder_with(join_paths(self._folder, name), included.seen)
                if folder and folder != self._folder:
                    message = f"the stage name `{show(name)}` begins with `{show(folder)}/`, as those of a Pipefile do that is included"
                    raise FaultError(message, ("stage", name))
            reader.protect([f"{folder}/{NAME}" for folder in included.seen])
        try:
            stages = {name: reader.read(name, stage, name in self._mains) for name, stage in tables.items()}
        except params.LackingFileError as fault:
            raise params.explained(fault, files, tables, reader) from None
        self._check_shells(settings, stages)
        stages.update(others)
        params.check_makers(files, stages)
        self._check_after(tables, stages)
        return policies.checked(stages, tables, reader, self._disk)

    # --- included Pipefiles

    def _include(
        self, root: Settings, folders: Sequence[str], resources: Mapping[str, int | str], overlay: Overlay, included: Included
    ) -> None:
        """Read the Pipefiles of folders below, and those that they include."""
        for index, text in enumerate(folders):
            folder = place(self._disk, self._folder, self._file, text, index, included)
            file = f"{folder}/{NAME}"
            data = read_bytes(self._disk, file, may_lack=True)
            if data is None:
                message = f"`{show(text)}` in `include` of `[pipefile]`: there is no `{show(file)}`"
                raise FaultError(message, ("pipefile", "include", index))
            included.files[file] = digest_of(self._disk, file, data, root.hash)
            source = decode(data, file)
            loader = Loader(self._disk, file, parse(source, file))
            included.reading.append(os.path.realpath(self._disk.at(folder)))
            with loader.located(source):
                loader._join(root, resources, overlay, included)
            included.reading.pop()

    def _join(self, root: Settings, resources: Mapping[str, int | str], overlay: Overlay, included: Included) -> None:
        """Read this Pipefile as one that is included, and add what it declares."""
        self._check_sections()
        check_own(self._document.get("pipefile", {}), self._file)
        if overlay.profile in self._document.get("profile", {}):
            self._document = applied(self._document, Overlay(overlay.profile))
        settings = settings_of(root, self.settings(self._document.get("pipefile", {})))
        self._include(root, settings.include, resources, overlay, included)
        files = params.ParamFiles(self._disk, self._folder, settings.hash)
        reader = self.reader(settings, resources, files)
        stages = self._stages(settings, reader, files, included)
        aliases = self._aliases(self._document.get("alias", {}), settings, stages, included)
        tables, prefix = self._document.get("stage", {}), self._folder + "/"
        included.stages.update([(prefix + name, renamed(stages[name], settings)) for name in tables])
        included.tables.update([(prefix + name, table) for name, table in tables.items()])
        for name in self._document.get("alias", {}):
            targets = [prefix + target if target in stages or target in aliases else self._from_root(target) for target in aliases[name]]
            included.aliases[prefix + name] = tuple(targets)
        included.files.update(files.files)
        included.scopes[self._folder] = self._document.get("global", {})
        included.documents[self._folder] = {name: table for name, table in self._document.items() if name != "stage"}
        included.resources = {**section(self._document.get("resources", {})), **included.resources}

    def reader(self, settings: Settings, resources: Mapping[str, int | str], files: params.ParamFiles) -> StageReader:
        """What reads the stages of this Pipefile as one that is included.

        Args:
            settings: As `settings_of` gives them.
            resources: `[resources]` of the root, which come first.
            files: Takes the files of params.
        """
        there = {**section(self._document.get("resources", {})), **resources}
        table = values.Globals(self._document.get("global", {}))
        return StageReader(self._disk.root, self._file, settings, params.Params(table, files), there)

    def _from_root(self, target: str) -> str:
        return normalise(join_paths(self._folder, target))

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
        return values.anywhere(path, self._disk.root, self._folder, "a file of `dotenv` in `[pipefile]`", ("pipefile", "dotenv", index))

    def _check_shells(self, settings: Settings, stages: dict[str, Stage]) -> None:
        """A default shell that is no POSIX shell takes argument lists only, like one of a stage."""
        if posix(settings.shell):
            return
        for name, stage in stages.items():
            if stage.shell is settings.shell and isinstance(stage.action, Command) and stage.action.text:
                raise not_posix(name, settings.shell)

    def _check_after(self, tables: Mapping[str, Any], stages: dict[str, Stage]) -> None:
        for name in tables:
            for index, before in enumerate(stages[name].after):
                if before not in stages:
                    raw = tables[name]["after"]
                    key: KeyPath = ("stage", name, "after", index) if type(raw) is list else ("stage", name, "after")
                    raise FaultError(f"`after` of stage `{show(name)}` names `{show(before)}`, which is no stage", key, did_you_mean(before, stages))

    # --- aliases and default targets

    def _aliases(
        self, table: dict[str, Any], settings: Settings, stages: dict[str, Stage], included: Included
    ) -> dict[str, tuple[str, ...]]:
        aliases = included.aliases_below(self._folder)
        own: dict[str, tuple[str, ...]] = {}
        for name, value in table.items():
            if type(value) is not str and type(value) is not list:
                raise FaultError(f"alias `{show(name)}` must be an array of strings or a string, not {kind_of(value)}", ("alias", name))
            if not name:
                raise FaultError("the name of an alias is empty", ("alias", name))
            aliases[name] = own[name] = values.strings(value, f"alias `{show(name)}`", ("alias", name))
        for name, targets in own.items():
            self._check_targets(targets, f"alias `{show(name)}`", ("alias", name), aliases, stages)
        self._check_alias_cycle(own)
        if settings.default is not None:
            self._check_targets(settings.default, "`default`", ("pipefile", "default"), aliases, stages)
        for name, profile in self._document.get("profile", {}).items():
            if "default" in profile:
                key = ("profile", name, "default")
                self._check_targets(values.strings(profile["default"], "", key), f"`default` of profile `{show(name)}`", key, aliases, stages)
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
        found: Any = self._document
        for name in key:
            found = found[name]
        return (*key, index) if type(found) is list else key

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
            files[path] = digest_of(self._disk, path, data, settings.hash)
            found.update(self._variables(path, data))
        return found, files

    def _variables(self, path: str, data: bytes) -> dict[str, str]:
        from pipefile.load.dotenv import DotenvError, parse_dotenv

        try:
            return parse_dotenv(decode(data, path))
        except DotenvError as error:
            # the source line stays out of the message: such files hold secrets
            raise unplaced(str(error), show(path), "a line is `NAME=value`, or a comment after `#`", Position(error.line, 1)) from None
