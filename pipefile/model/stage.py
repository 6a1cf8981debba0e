"""What a Pipefile declares: stages, and the pipeline that they make together."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal, TypeAlias

from pipefile.base.dataclass import dataclass, field

Value: TypeAlias = "str | int | float | bool | list[Value] | dict[str, Value]"
"""What `[global]` and params can hold: the types of TOML without dates."""

Resources: TypeAlias = "Mapping[str, int]"
"""How much of what: "cpu", "memory" in bytes, "gpu", and names of `[resources]`."""


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
class Retry:
    """`retry_policy`. Every attempt starts from clean temporary outputs.

    Args:
        max_attempts: Executions in all, at least 1.
        backoff: How the wait before the next attempt grows: "constant", "linear" or "exponential".
        delay: Seconds before the second attempt.
        max_delay: Seconds that no wait exceeds.
        jitter: Each wait is a random share of it, between a half and the whole.
        retry_on: Names of exception classes (subclasses match), exit statuses, "timeout", "signal"; None: every failure of the stage.
    """

    max_attempts: int = 1
    backoff: Literal["constant", "linear", "exponential"] = "exponential"
    delay: float = 1.0
    max_delay: float = 60.0
    jitter: bool = False
    retry_on: tuple[str | int, ...] | None = None


Audit: TypeAlias = Literal["report", "track", "strict", "off"]
"""What is done about reads and writes that a stage does not declare."""

ONCE = Retry()

DEFAULT_SHELL = ("sh", "-ec")


@dataclass(frozen=True, slots=True)
class Condition:
    """`should_run`: whether a stage runs at all. It orders, and is in no key.

    Args:
        kind: "value": *value* is known when the graph is made (a constant, or a key of `[global]`). "output": a value output of another stage,
            *name* as `STAGE.OUTPUT`, known when that stage has ended. "env": a variable is set and not empty. "exists": a path exists.
        name: The reference, the variable or the path (from the root), as far as there is one.
        value: For "value" alone.
    """

    kind: Literal["value", "output", "env", "exists"]
    name: str = ""
    value: Value = True


@dataclass(frozen=True, slots=True)
class InputItem:
    """One string of `inputs`, as written: a reference, a path or a glob.

    Args:
        text: Of a stage with `for_each`, with the placeholders of its items; braces that are none are doubled then.
        optional: It may be absent, and its absence is in the key.
        exact: It is a path, whatever it looks like: it comes from an item that is one.
    """

    text: str
    optional: bool = False
    exact: bool = False


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
        in_place: It is written where it stands: the command names it literally, or `atomic` says so; else it is made under `.pipefile-tmp` and
            renamed.
        many: It is one of a list under one name.
        value: What the file holds, where it is a value that a function returns (its path is below `STORE/values/` then): "int", "float", "str",
            "bool", "json", "any" (a Python object), "file" (a FileRef whose path is known at run time), "stream", or "result" (all that a
            function without declared outputs returns). "" for an ordinary file.
        cache: Its bytes are kept for later, as far as the stage's are.
        temp: It is removed when all that need it are done; its record stays.
        checkpoint: It is the stage's own, and no result: it stays across attempts and builds, has no record, and nobody else reads it.
        optional: It may be absent after the run, and its absence is recorded.
        atomic: False: it is written in place whatever the command says.
    """

    name: str | None
    path: str
    directory: bool = False
    in_place: bool = False
    many: bool = False
    value: str = ""
    cache: bool = True
    temp: bool = False
    checkpoint: bool = False
    optional: bool = False
    atomic: bool = True

    @property
    def shown(self) -> str:
        return self.path + "/" if self.directory else self.path


@dataclass(frozen=True, slots=True)
class Axis:
    """What one key of `for_each` goes through, or a table of values, which gives several names at once.

    Args:
        name: The key; "" for a table of values.
        source: A glob, or `STAGE.outputs` or `STAGE.OUTPUT`, as written: the items are paths then, from the stage's folder, or those of a value that
            the stage returns. "" where `rows` has them.
        rows: For each item the names that placeholders have for it, with their values.
        naming: Those of the names that instances are told apart by.
    """

    name: str
    source: str = ""
    rows: tuple[Mapping[str, Value], ...] = ()
    naming: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ForEach:
    """`for_each`: the stage stands for an instance for each item, or each combination of items.

    Args:
        axes: One a key, in order: the last one goes round fastest.
        exclude: Globs of what is left out of what globs find.
        names: All names that placeholders have for items.
        paths: Those of them that are paths.
        asked: Placeholders that ask for something of an item which another stage makes: whether that has it is known when it is made.
        wildcards: Those of them that stand for any text, each with the regular expression that all of it matches: the stage is a pattern rule. Each
            is an axis without rows, the last of all: an instance is made when something asks for one of its outputs by name (plan/demand.py).
    """

    axes: tuple[Axis, ...]
    exclude: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    paths: frozenset[str] = frozenset()
    asked: tuple[str, ...] = ()
    wildcards: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Batch:
    """`batch`: one command or one call of the function takes several instances.

    Args:
        most: So many of them at the most.
        apart: What is not the same for all of them by its declaration, besides outputs and items: names of inputs, "inputs" where any input holds
            a placeholder of items, "depfile", and params as "params.NAME". One command or call gets these as lists.
    """

    most: int
    apart: frozenset[str] = frozenset()


NO_ITEM: Mapping[str, Value] = MappingProxyType({})


def _no_item() -> Mapping[str, Value]:
    return NO_ITEM


@dataclass(frozen=True, slots=True)
class Stage:
    """A declared rule: the fields are the keys of `[stage.NAME]` that 2-format lists.

    With `for_each` it is declared once, with placeholders of items in its inputs, outputs, params, env, depfile and metrics, and edges have instances
    of it (plan/instances.py), which are stages of the same name without any of these.

    Args:
        for_each: What there are instances for; None for a stage that stands for itself.
        item: Of an instance, the names of its items with their values.
        batch: How many instances one execution takes; None where each has its own.
        timeout: Seconds, or None. Of a batch, for each of its instances.
        retry: How often and when a failed attempt is repeated.
        fallback: What makes the outputs when the stage has finally failed: the name of a stage, or a function; "" for nothing.
        should_run: When it runs at all; None: always.
        mode: "auto", "function" or "process", for functions.
        external: It may crash or calls out: "auto" gives it a process.
        setup: What a worker calls once; its result is the argument `setup`.
        resources: What it needs while it runs; without "cpu" one of these.
        secret_env: Variables that it gets and nobody may read anywhere: they are in no key.
        env: Tracked variables: name -> None where the value is inherited, else the text that the stage sets.
        env_set: The subset of `env` that the Pipefile sets, is `env` with a text as value.
        shell: The shell's own words, "sh", "-ec" by default.
        depfile: Path from the root, "" for none.
        log_limit: Bytes kept of one attempt's output.
        metrics: Outputs that hold JSON, whose numbers `runs diff` compares: paths from the root.
        cache: Its results are kept for later, whatever their size; None: outputs that are not too large.
        audit: What is done about reads and writes that it does not declare: its own `audit`, or that of `[pipefile]`.
        params: Names to values, `global.KEY` already looked up.
        file: The Pipefile or Python file that declares it, from the project root.
        folder: The Pipefile's folder, "" for the root: commands run there.
    """

    name: str
    inputs: tuple[InputGroup, ...] = ()
    outputs: tuple[Output, ...] = ()
    action: Command | Call | None = None
    params: Mapping[str, Value] = field(default_factory=dict)
    version: str = ""
    env: Mapping[str, str | None] = field(default_factory=dict)
    shell: tuple[str, ...] = DEFAULT_SHELL
    after: tuple[str, ...] = ()
    always: bool = False
    timeout: float | None = None
    depfile: str = ""
    infer_inputs: bool = True
    description: str = ""
    tags: tuple[str, ...] = ()
    log_limit: int = 64_000_000
    file: str = "Pipefile.toml"
    folder: str = ""
    retry: Retry = ONCE
    fallback: str | Call = ""
    should_run: Condition | None = None
    mode: Literal["auto", "function", "process"] = "auto"
    external: bool = False
    setup: Call | None = None
    metrics: tuple[str, ...] = ()
    resources: Resources = field(default_factory=dict)
    secret_env: tuple[str, ...] = ()
    cache: bool | None = None
    audit: Audit = "report"
    for_each: ForEach | None = None
    item: Mapping[str, Value] = field(default_factory=_no_item)
    batch: Batch | None = None

    @property
    def is_pattern(self) -> bool:
        """Whether it is a pattern rule, or an instance of one."""
        return self.for_each is not None and bool(self.for_each.wildcards)

    @property
    def results(self) -> tuple[Output, ...]:
        """What others can have of it: its outputs without checkpoints."""
        for output in self.outputs:
            if output.checkpoint:
                return tuple([each for each in self.outputs if not each.checkpoint])
        return self.outputs


@dataclass(frozen=True, slots=True)
class Settings:
    """`[pipefile]`. Sizes are bytes.

    Args:
        value_in_memory: Values up to this size are handed on in memory.
        value_limit: Values above this size are refused: they belong into a file.
        large_input: A function whose inputs are larger altogether runs in the builder, where `mode = "auto"` has the choice.
    """

    default: tuple[str, ...] | None = None
    store: str = "pipeline_outputs"
    hash: str = "blake3"
    shell: tuple[str, ...] = DEFAULT_SHELL
    env: tuple[str, ...] = ()
    dotenv: tuple[str, ...] = ()
    strict_env: bool = False
    show_env: tuple[str, ...] = ()
    audit: Audit = "report"
    outside: tuple[str, ...] = ()
    durability: str = "fast"
    keep_runs: int = 50
    cache_size: int = 10_000_000_000
    log_limit: int = 64_000_000
    python: tuple[str, ...] = ()
    include: tuple[str, ...] = ()
    track_packages: bool = False
    value_in_memory: int = 1_000_000
    value_limit: int = 100_000_000
    large_input: int = 100_000_000


@dataclass(frozen=True, slots=True)
class Source:
    """Where a decorated stage or a pipeline stands.

    Args:
        file: The Python file, from the root.
        line: Of the decorator, or of the call in a pipeline, from 1.
        function: Name of the decorated function; "" for a call.
    """

    file: str
    line: int
    function: str = ""


@dataclass(frozen=True, slots=True)
class Pipeline:
    """All that was declared, checked for itself but not yet joined into a graph.

    Args:
        root: Absolute path of the project root.
        file: The Pipefile, from the root.
        files: Digest of every file that the pipeline was read from, by path from the root: the Pipefile, the dotenv files, and the Python files that
            declare stages with those that they import; None for one that is absent, where that counts.
        settings: `[pipefile]`.
        globals: `[global]`.
        aliases: `[alias]`: names of stages, aliases or targets, by alias.
        stages: By name, in the order of declaration.
        dotenv: Variables that the dotenv files set.
        sources: Where what Python files declare stands: by ("stage", NAME) and ("alias", NAME).
        unknown: Python files of which only a part is known, because they may not be run.
        partial: Stages of these files that are in no graph yet: of what they are only the name is sure.
        joined: A program has added a pipeline of its own. It may have others, which have made what no stage here makes.
        document: The Pipefile as TOML has it: the index keeps it, so that a later build can read single stages again without the file.
        resources: `[resources]`: how much there is, by name; "auto" for GPUs that are to be counted.
        scopes: `[global]` of each included Pipefile, by its folder.
    """

    root: str
    file: str
    files: Mapping[str, str | None]
    settings: Settings
    globals: Mapping[str, Value]
    aliases: Mapping[str, tuple[str, ...]]
    stages: Mapping[str, Stage]
    dotenv: Mapping[str, str] = field(default_factory=dict)
    sources: Mapping[tuple[str, str], Source] = field(default_factory=dict)
    unknown: tuple[str, ...] = ()
    joined: bool = False
    partial: Mapping[str, Stage] = field(default_factory=dict)
    document: Mapping[str, Any] = field(default_factory=dict)
    resources: Mapping[str, int | str] = field(default_factory=dict)
    scopes: Mapping[str, Mapping[str, Value]] = field(default_factory=dict)

    def globals_of(self, folder: str) -> Mapping[str, Value]:
        """`[global]` as the stages of the Pipefile in a folder see it."""
        return self.scopes[folder] if folder else self.globals
