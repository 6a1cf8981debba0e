"""`[pipefile] include`: Pipefiles of folders below, whose stages join the graph as `FOLDER/NAME`.

An included Pipefile is read as if it stood alone: its paths, commands, modules, names and `[global]` are its own. What belongs to the project as a
whole (the store, the hash, ...) only the Pipefile at the root says.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from pipefile.base.dataclass import dataclass, field, replace
from pipefile.base.locations import KeyPath
from pipefile.base.paths import BadPathError, join, normalise, show
from pipefile.load.faults import FaultError
from pipefile.load.schema import PIPEFILE
from pipefile.load.value_outputs import value_path
from pipefile.model.ports import Disk
from pipefile.model.stage import Settings, Stage, Value

NAME = "Pipefile.toml"

OWN = frozenset(["default", "include", "env", "shell", "log_limit"])
"""Keys of `[pipefile]` that an included Pipefile has for itself; the others belong to the project."""


@dataclass
class Included:
    """What included Pipefiles have brought, by names and paths as the root sees them.

    Args:
        stages: By name.
        aliases: By name.
        files: Digests of what they were read from.
        scopes: `[global]` of each, by its folder.
        documents: Each without its stages, by its folder.
        tables: `[stage.NAME]`, by the stage's name.
        resources: Their `[resources]`.
        seen: Folder -> the Pipefile that includes it; the real paths of those that are being read.
    """

    stages: dict[str, Stage] = field(default_factory=dict)
    aliases: dict[str, tuple[str, ...]] = field(default_factory=dict)
    files: dict[str, str | None] = field(default_factory=dict)
    scopes: dict[str, Mapping[str, Value]] = field(default_factory=dict)
    documents: dict[str, dict[str, Any]] = field(default_factory=dict)
    tables: dict[str, Any] = field(default_factory=dict)
    resources: dict[str, int | str] = field(default_factory=dict)
    seen: dict[str, str] = field(default_factory=dict)
    reading: list[str] = field(default_factory=list)

    def below(self, folder: str) -> dict[str, Stage]:
        """The stages that a Pipefile in *folder* has included, by the names that it knows them by."""
        if not folder:
            return self.stages
        prefix = folder + "/"
        return {name[len(prefix) :]: stage for name, stage in self.stages.items() if name.startswith(prefix)}

    def aliases_below(self, folder: str) -> dict[str, tuple[str, ...]]:
        """As `below`, of aliases."""
        prefix = f"{folder}/" if folder else ""
        return {name[len(prefix) :]: targets for name, targets in self.aliases.items() if name.startswith(prefix)}


def place(disk: Disk, folder: str, file: str, text: str, index: int, included: Included) -> str:
    """The folder, from the root, that an entry of `include` means.

    Args:
        disk: Where it is.
        folder: Of the Pipefile that includes it.
        file: That Pipefile.
        text: The entry.
        index: Its place in the list.
        included: What was included before.

    Raises:
        FaultError: It is none, lies elsewhere, or was included already.
    """
    key: KeyPath = ("pipefile", "include", index)
    what = f"`{show(text)}` in `include` of `[pipefile]`"
    if text.startswith("/"):
        raise FaultError(f"{what} is an absolute path", key)
    try:
        inside = normalise(text)
    except BadPathError as error:
        raise FaultError(f"{what} {'does not lie below this Pipefile' if 'leaves' in str(error) else f'is {error}'}", key) from None
    if inside == ".":
        raise FaultError(f"{what} is the folder of this Pipefile itself", key)
    if inside.endswith(".toml") and disk.stat(join(folder, inside)) is not None:
        raise FaultError(f"{what} names a file", key, "it names folders: their `Pipefile.toml` is included")
    found = join(folder, inside)
    if found in included.seen:
        raise FaultError(f"{what} is included already by `{show(included.seen[found])}`", key)
    real = os.path.realpath(disk.at(found))
    if real in included.reading:
        raise FaultError(f"{what} leads back to a Pipefile that includes it", key)
    included.seen[found] = file
    return found


def check_own(table: Mapping[str, Any], file: str) -> None:
    """Refuse keys of `[pipefile]` that an included Pipefile cannot have.

    Raises:
        FaultError: It has one.
    """
    for name in table:
        if name in PIPEFILE and name not in OWN:
            message = f"`{show(name)}` in `[pipefile]` belongs to the project, and `{show(file)}` is included"
            raise FaultError(message, ("pipefile", name), "the Pipefile at the root says it for all")


def settings_of(root: Settings, own: Settings) -> Settings:
    """The settings for the stages of an included Pipefile: those of the project, with what it says for itself."""
    return replace(root, default=own.default, include=own.include, env=own.env, shell=own.shell, log_limit=own.log_limit)


def renamed(stage: Stage, settings: Settings) -> Stage:
    """A stage of an included Pipefile as the root sees it.

    Args:
        stage: As its Pipefile declares it.
        settings: As `settings_of` gives them.
    """
    prefix = stage.folder + "/"
    name = prefix + stage.name
    asked = stage.should_run
    outputs = stage.outputs
    if any(output.value for output in outputs):
        store = settings.store
        outputs = tuple(
            [replace(out, path=value_path(store, name, out.name or "", out.value)) if out.value else out for out in outputs],
        )
    return replace(
        stage,
        name=name,
        outputs=outputs,
        after=tuple([prefix + before for before in stage.after]),
        fallback=prefix + stage.fallback if isinstance(stage.fallback, str) and stage.fallback else stage.fallback,
        should_run=replace(asked, name=prefix + asked.name) if asked is not None and asked.kind == "output" else asked,
        env={**dict.fromkeys(settings.env), **stage.env} if settings.env else stage.env,
    )


def folder_with(name: str, folders: Mapping[str, Any]) -> str:
    """The folder of the included Pipefile that a stage belongs to, by its name; "" for the root's."""
    return max([folder for folder in folders if name.startswith(folder + "/")], key=len, default="")


def names(disk: Disk, file: str, most: int = 1000) -> frozenset[str]:
    """Names of stages and aliases, included ones too, by a glance: what cannot be read has none. For telling names from paths."""
    from tomli import TOMLDecodeError, loads

    found: set[str] = set()
    todo = [(file, "")]
    for at, folder in todo:
        try:
            tables = loads(disk.read(at).decode("utf-8-sig"))
        except (OSError, UnicodeDecodeError, TOMLDecodeError, RecursionError, ValueError):
            continue
        for section in ("alias", "stage"):
            table = tables.get(section)
            found.update([join(folder, name) for name in table] if isinstance(table, dict) else ())
        settings = tables.get("pipefile")
        entries = settings.get("include") if isinstance(settings, dict) else None
        for entry in entries if isinstance(entries, list) else ():
            if isinstance(entry, str) and entry and not entry.startswith("/") and ".." not in entry.split("/") and len(todo) < most:
                below = normalise(join(folder, entry))
                todo.append((f"{below}/{NAME}", below))
    return frozenset(found)
