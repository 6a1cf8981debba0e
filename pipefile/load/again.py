"""Reading stages again from what the index keeps of a Pipefile, one at a time, by the very code that reads the Pipefile itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pipefile.base.errors import PipefileError
from pipefile.base.paths import folder_of
from pipefile.load.faults import FaultError
from pipefile.load.include import NAME, folder_with, renamed, settings_of
from pipefile.load.loader import Loader
from pipefile.load.params import ParamFiles, Params
from pipefile.load.resources import section
from pipefile.load.stages import StageReader
from pipefile.load.values import Globals
from pipefile.model.ports import Disk
from pipefile.model.stage import Pipeline, Settings, Stage
from pipefile.plan.expand import instances_of
from pipefile.plan.instances import Instances


class ChangedError(Exception):
    """What was kept is not what this version reads, or a file beside the Pipefile has changed: the Pipefile has to be read."""


def load_again(
    disk: Disk, file: str, environ: Mapping[str, str], document: dict[str, Any], files: Mapping[str, str | None]
) -> tuple[Pipeline, Callable[[str, Any], Stage]]:
    """A pipeline without its stages, and what reads one of them: name and table -> Stage.

    Args:
        disk: Where the dotenv files are.
        file: The Pipefile, from the root.
        environ: As for `load`.
        document: The Pipefile as TOML has it, without its stages, but for those with `for_each`: instances of these are read from `[item]`.
        files: Digest of every file that the pipeline was read from.

    Raises:
        ChangedError: It has to be read anew.
    """
    try:
        loader = Loader(disk, file, document)
        settings = loader.settings(document.get("pipefile", {}))
        table = document.get("global", {})
        dotenv, found = loader.dotenv(settings)
        resources = section(document.get("resources", {}))
        below = {
            folder: _included(disk, f"{folder}/{NAME}", inner, settings, resources) for folder, inner in document.get("include", {}).items()
        }
    except (FaultError, PipefileError, KeyError, TypeError, AttributeError, OSError) as error:
        raise ChangedError from error
    if any(files.get(path, "") != digest for path, digest in found.items()):
        raise ChangedError
    taken = ParamFiles(disk, folder_of(file), settings.hash)
    reader = StageReader(disk.root, file, settings, Params(Globals(table), taken), resources)

    def read(name: str, stage: Any) -> Stage:
        folder = folder_with(name, below) if below else ""
        try:
            if folder:
                local, own, read_from = below[folder]
                found = renamed(local.read(name[len(folder) + 1 :], stage), own)
            else:
                found, read_from = reader.read(name, stage), taken
        except PipefileError as error:
            raise ChangedError from error
        if any(files.get(path, "") != digest for path, digest in read_from.files.items()):
            raise ChangedError
        return found

    pipeline = Pipeline(
        root=disk.root,
        file=file,
        files=files,
        settings=settings,
        globals=table,
        aliases={},
        stages={},
        dotenv={name: value for name, value in dotenv.items() if name not in environ},
        document=document,
        resources=resources,
        scopes={folder: inner.get("global", {}) for folder, inner in document.get("include", {}).items()},
    )
    return pipeline, _Again(read, pipeline, document["stage"]).read if "stage" in document else read


def _included(
    disk: Disk, file: str, document: dict[str, Any], root: Settings, resources: Mapping[str, int | str]
) -> tuple[StageReader, Settings, ParamFiles]:
    loader = Loader(disk, file, document)
    settings = settings_of(root, loader.settings(document.get("pipefile", {})))
    files = ParamFiles(disk, folder_of(file), root.hash)
    return loader.reader(settings, resources, files), settings, files


class _Again:
    """Reads stages and instances of stages.

    Args:
        read: Reads stages.
        pipeline: What they belong to.
        tables: Those of stages with `for_each`.
    """

    def __init__(self, read: Callable[[str, Any], Stage], pipeline: Pipeline, tables: Mapping[str, Any]) -> None:
        self._read = read
        self._pipeline = pipeline
        self._tables = tables
        self._instances: dict[str, Instances] = {}

    def read(self, name: str, table: Any) -> Stage:
        if type(table) is not list:
            return self._read(name, table)
        (item,) = table
        stage = name.partition("@")[0]
        made = self._instances.get(stage)
        if made is None:
            made = self._instances[stage] = instances_of(self._read(stage, self._tables[stage]), self._pipeline)
        return made.of(item, name)
