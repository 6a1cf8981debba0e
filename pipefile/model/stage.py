"""What a Pipefile declares: stages, and the pipeline that they make together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from pipefile.base.dataclass import dataclass, field

Value: TypeAlias = "str | int | float | bool | list[Value] | dict[str, Value]"
"""What `[global]` and params can hold: the types of TOML without dates."""


@dataclass(frozen=True, slots=True)
class Field:
    """A placeholder of a command: `{src}`, `{src[0]}`, `{global.width}`, `{params.lr}`, `{inputs}`, `{inputs.file}`, `{store}`, `{threads}`,
    `{depfile}`.

    Args:
        name: All between the braces but the index: "src", "global.width", "inputs.file".
        index: The position asked for in a list, from 0; None for all of it.
    """

    name: str
    index: int | None = None

    def __str__(self) -> str:
        return f"{{{self.name}}}" if self.index is None else f"{{{self.name}[{self.index}]}}"


Template: TypeAlias = tuple[str | Field, ...]
"""Text with placeholders: literal pieces (braces already undoubled) and fields, in order."""


@dataclass(frozen=True, slots=True)
class Command:
    """`run`: a text for the shell (or for direct execution, where 2-format's rule allows), or an argument list.

    Args:
        text: The string as written; "" for an argument list.
        template: *text* in pieces; () for an argument list.
        argv: A template an argument; () for a string.
    """

    text: str = ""
    template: Template = ()
    argv: tuple[Template, ...] = ()


@dataclass(frozen=True, slots=True)
class Call:
    """`call`: a Python function, by the name of its module from the Pipefile's folder."""

    module: str
    function: str


@dataclass(frozen=True, slots=True)
class InputItem:
    """One string of `inputs`, as written: a reference, a path or a glob. `optional`: it may be absent, and its absence is in the key."""

    text: str
    optional: bool = False


@dataclass(frozen=True, slots=True)
class InputGroup:
    """One entry of `inputs`.

    Args:
        name: Its key in a table; None for the entries of a list or for one string.
        items: Its strings, in order.
        many: It was written as a list, so a function gets a list however many files there are.
    """

    name: str | None
    items: tuple[InputItem, ...]
    many: bool = False


@dataclass(frozen=True, slots=True)
class Output:
    """One declared output.

    Args:
        name: Its key in a table; None in a list.
        path: Normalised, from the project root, without a trailing slash. Absolute only below a folder of `[pipefile] outside`.
        directory: It was written with a trailing slash.
        in_place: The command names it literally, so it is written where it stands; else it is made under `.pipefile-tmp` and renamed.
        many: It is one of a list under one name.
    """

    name: str | None
    path: str
    directory: bool = False
    in_place: bool = False
    many: bool = False

    @property
    def shown(self) -> str:
        return self.path + "/" if self.directory else self.path


@dataclass(frozen=True, slots=True)
class Stage:
    """A declared rule: the fields are the keys of `[stage.NAME]` that 2-format lists.

    Args:
        timeout: Seconds, or None.
        env: Tracked variables: name -> None where the value is inherited, else the text that the stage sets.
        env_set: The subset of `env` that the Pipefile sets, is `env` with a text as value.
        shell: The shell's own words, "sh", "-ec" by default.
        depfile: Path from the root, "" for none.
        log_limit: Bytes kept of one attempt's output.
        params: Names to values, `global.KEY` already looked up.
        file: The Pipefile that declares it, from the project root.
        folder: That file's folder, "" for the root: commands run there.
    """

    name: str
    inputs: tuple[InputGroup, ...] = ()
    outputs: tuple[Output, ...] = ()
    action: Command | Call | None = None
    params: Mapping[str, Value] = field(default_factory=dict)
    version: str = ""
    env: Mapping[str, str | None] = field(default_factory=dict)
    shell: tuple[str, ...] = ("sh", "-ec")
    after: tuple[str, ...] = ()
    always: bool = False
    timeout: float | None = None
    depfile: str = ""
    infer_inputs: bool = True
    description: str = ""
    tags: tuple[str, ...] = ()
    log_limit: int = 64 << 20
    file: str = "Pipefile.toml"
    folder: str = ""


@dataclass(frozen=True, slots=True)
class Settings:
    """`[pipefile]`. Sizes are bytes."""

    default: tuple[str, ...] | None = None
    store: str = "pipeline_outputs"
    hash: str = "blake3"
    shell: tuple[str, ...] = ("sh", "-ec")
    env: tuple[str, ...] = ()
    dotenv: tuple[str, ...] = ()
    strict_env: bool = False
    show_env: tuple[str, ...] = ()
    outside: tuple[str, ...] = ()
    durability: str = "fast"
    keep_runs: int = 50
    log_limit: int = 64 << 20


@dataclass(frozen=True, slots=True)
class Pipeline:
    """All that was declared, checked for itself but not yet joined into a graph.

    Args:
        root: Absolute path of the project root.
        file: The Pipefile, from the root.
        files: Digest of every file that the pipeline was read from, by path from the root: the Pipefile and the dotenv files;
            None for an absent dotenv file.
        settings: `[pipefile]`.
        globals: `[global]`.
        aliases: `[alias]`: names of stages, aliases or targets, by alias.
        stages: By name, in the order of declaration.
        dotenv: Variables that the dotenv files set.
        document: The Pipefile as TOML has it: the index keeps it, so that a later build can read single stages again without the file.
    """

    root: str
    file: str
    files: Mapping[str, str | None]
    settings: Settings
    globals: Mapping[str, Value]
    aliases: Mapping[str, tuple[str, ...]]
    stages: Mapping[str, Stage]
    dotenv: Mapping[str, str] = field(default_factory=dict)
    document: Mapping[str, Any] = field(default_factory=dict)
