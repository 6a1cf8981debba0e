"""Every section and key of Pipefile.toml, as data: the loader checks against these tables, and whatever describes the format is made from them."""

from __future__ import annotations

from pipefile.base.dataclass import dataclass

KINDS: dict[str, tuple[type, str]] = {
    "string": (str, "a string"),
    "strings": (list, "an array of strings"),
    "table": (dict, "a table"),
    "boolean": (bool, "true or false"),
    "integer": (int, "an integer"),
    "duration": (str, 'a duration such as "10m"'),
    "size": (str, 'a size such as "64MB"'),
}
"""Kind of a value -> its type in Python, and its name in a message."""

FORMS: dict[str, str] = {
    "duration": r"([0-9]{1,12}(?:\.[0-9]{1,9})?)(ms|s|m|h)",
    "size": r"([0-9]{1,12}(?:\.[0-9]{1,9})?) ?(B|kB|KB|MB|GB|TB)",
}
"""Kind of a value that is a string of a certain form -> the whole of it as a regular expression, of a syntax that JSON schemas have too."""


@dataclass(frozen=True, slots=True)
class Key:
    """One key.

    Args:
        kinds: What its value may be; names of KINDS.
        doc: What it means, for people.
        choices: The only strings that it may be; () for any.
        least: The smallest integer allowed.
        entries: What the values of a table may be: a name of KINDS, or of TABLES for a table with these keys; "value" is anything that `[global]`
            can hold.
        elements: What else than strings an array may hold: a name of TABLES, or of KINDS.
        keys: The keys that a table may have, besides those that `entries` speaks of: a name of TABLES.
        names: What the names in a table look like, where `entries` speaks of them: a regular expression for all of a name.
        words: Strings that are allowed although they are not of the form that the kind has.
        nonempty: An array must have an element, a string a character.
        required: A table must have this key.
    """

    kinds: tuple[str, ...]
    doc: str
    choices: tuple[str, ...] = ()
    least: int | None = None
    entries: tuple[str, ...] = ()
    elements: tuple[str, ...] = ()
    keys: str = ""
    names: str = ""
    words: tuple[str, ...] = ()
    nonempty: bool = False
    required: bool = False


AUDIT = ("report", "track", "strict", "off")

STAGE_NAME = r"[^/@\x00-\x1f\x7f-\x9f]([^@\x00-\x1f\x7f-\x9f]*[^/@\x00-\x1f\x7f-\x9f])?"

SECTIONS: dict[str, Key] = {
    "pipefile": Key(("table",), "Settings of the project", keys="pipefile"),
    "global": Key(("table",), "Configuration: values for `global.KEY`", entries=("value",)),
    "alias": Key(("table",), "Names for several targets", entries=("strings", "string"), names=".+"),
    "profile": Key(
        ("table",),
        "Variants of `[global]`, `[resources]` and `default`: one table a profile, laid over them by `--profile NAME`",
        entries=("profile",),
        names=".+",
    ),
    "resources": Key(("table",), "What the machine has beyond CPUs and memory: how much of each thing", entries=("integer",), keys="machine"),
    "stage": Key(("table",), "What is built: one table a stage", entries=("stage",), names=STAGE_NAME),
}

PIPEFILE: dict[str, Key] = {
    "default": Key(("strings", "string"), "Stages, aliases or targets built when none is named; absent: all stages that have outputs"),
    "include": Key(("strings",), "Folders below whose Pipefiles join: their stages are `FOLDER/NAME`"),
    "python": Key(("strings",), "Python files whose `@stage` functions and `@pipeline`s join the graph"),
    "store": Key(("string",), "Folder of what pipefile keeps: runs, records, index", nonempty=True),
    "hash": Key(("string",), "How contents are hashed", choices=("blake3", "sha256")),
    "shell": Key(("strings",), "The shell that runs commands written as strings", nonempty=True),
    "env": Key(("strings",), "Environment variables that every stage depends on"),
    "dotenv": Key(("strings",), "Files of KEY=VALUE lines that set environment variables"),
    "strict_env": Key(("boolean",), "Stages see only the common variables and what `env` names"),
    "show_env": Key(("strings",), "Variables whose values records may show"),
    "outside": Key(("strings",), "Folders outside the project where outputs may lie"),
    "audit": Key(
        ("string",),
        "What comes of undeclared reads and writes by Python: `report` tells of them, `track` makes what is read an input, `strict` fails the stage",
        choices=AUDIT,
    ),
    "track_packages": Key(("boolean",), "Code depends on the versions of the installed packages that it imports, not on their names alone"),
    "durability": Key(("string",), "`full` brings outputs and records to the disk before a stage counts as done", choices=("fast", "full")),
    "keep_runs": Key(("integer",), "How many runs are kept", least=1),
    "cache_size": Key(("size",), "How much space earlier results may take; `0` keeps none", words=("0",)),
    "log_limit": Key(("size",), "Most bytes kept of one attempt's output"),
    "value_in_memory": Key(("size",), "Values that functions return are handed on in memory up to this size"),
    "value_limit": Key(("size",), "Values that functions return may have this size; what is larger belongs into a file"),
    "large_input": Key(("size",), "A function with larger inputs runs in the builder, where `mode = \"auto\"` has the choice"),
}

PROFILE: dict[str, Key] = {
    "global": Key(("table",), "Values laid over those of `[global]`", entries=("value",)),
    "resources": Key(("table",), "Laid over `[resources]`", entries=("integer",), keys="machine"),
    "default": Key(("strings", "string"), "What is built when nothing is named, instead of the other `default`"),
}

STAGE: dict[str, Key] = {
    "inputs": Key(
        ("table", "strings", "string"), "What the stage reads: paths, globs, references", entries=("string", "strings", "input"), elements=("input",)
    ),
    "outputs": Key(
        ("table", "strings", "string"),
        "The files, folders and values that the stage makes",
        entries=("string", "strings", "output"),
        elements=("output",),
    ),
    "run": Key(("string", "strings"), "The command: a text for the shell, or a list of arguments", nonempty=True),
    "call": Key(("string",), "The Python function: `module:function`", nonempty=True),
    "for_each": Key(
        ("table", "strings", "string"),
        "Runs the stage once for each item: names to globs, lists, ranges or references; or a list of tables, for several names at once",
        entries=("value",),
        elements=("table",),
        nonempty=True,
    ),
    "exclude": Key(("strings", "string"), "Globs of files that the globs of `for_each` leave out"),
    "where": Key(("table",), "Regular expressions that the wildcards of `outputs` match as a whole", entries=("string",), nonempty=True),
    "batch": Key(("integer",), "One command, or one call of the function, takes so many items at the most", least=1),
    "params": Key(("table",), "Names to `global.KEY`, `FILE:KEY` or plain values", entries=("value",)),
    "mode": Key(("string",), "Where a function runs", choices=("auto", "function", "process")),
    "external": Key(("boolean",), "The function may crash, or calls what is outside: `mode = \"auto\"` gives it a process"),
    "setup": Key(("string",), "The Python function that a worker calls once before: `module:function`", nonempty=True),
    "version": Key(("string",), "Changed by hand when all must be made anew"),
    "env": Key(("strings", "table"), "Environment variables that the stage depends on; a table sets them", entries=("string",)),
    "shell": Key(("strings",), "The shell that runs the command", nonempty=True),
    "after": Key(("strings", "string"), "Stages that come before, for the order only"),
    "always": Key(("boolean",), "Runs in every build"),
    "timeout": Key(("duration",), "Ends an attempt after this time"),
    "resources": Key(
        ("table",), "What the stage needs while it runs: `cpu`, `memory`, `gpu`, names of `[resources]`", entries=("integer",), keys="demand"
    ),
    "secret_env": Key(("strings",), "Environment variables that the stage gets, and that are masked everywhere"),
    "retry_policy": Key(("table",), "How often, and when, a failed attempt is repeated", keys="retry"),
    "fallback": Key(("string",), "What makes the outputs when the stage has finally failed: a stage without outputs, or a function", nonempty=True),
    "should_run": Key(("string", "boolean", "table"), "Whether the stage runs: `global.KEY`, `STAGE.VALUE` or a condition", keys="condition"),
    "cache": Key(
        ("string", "boolean"),
        "Whether its results are kept for later: `auto` keeps outputs up to 100 MB, larger ones where that is free",
        choices=("auto",),
    ),
    "audit": Key(("string",), "What is done about undeclared reads and writes of this stage, instead of the `audit` of `[pipefile]`", choices=AUDIT),
    "depfile": Key(("string",), "Where the command lists what else it read, in Make's syntax", nonempty=True),
    "infer_inputs": Key(("boolean",), "Files named literally in `run` are inputs"),
    "description": Key(("string",), "What the stage is for"),
    "tags": Key(("strings",), "Labels"),
    "log_limit": Key(("size",), "Most bytes kept of one attempt's output"),
    "metrics": Key(("strings", "string"), "Outputs that are JSON files, whose numbers `runs diff` compares"),
}

INPUT: dict[str, Key] = {
    "path": Key(("string",), "The path", nonempty=True, required=True),
    "optional": Key(("boolean",), "It may be absent"),
}

OUTPUT: dict[str, Key] = {
    "path": Key(("string",), "The path", nonempty=True, required=True),
    "cache": Key(("boolean",), "Whether its bytes are kept for later, as far as its stage's are"),
    "temp": Key(("boolean",), "It is removed when all that need it are done"),
    "checkpoint": Key(("boolean",), "It stays across attempts and failures for the next attempt, and no other stage reads it"),
    "optional": Key(("boolean",), "It may be absent after the run"),
    "atomic": Key(("boolean",), "`false` has it written in place, not renamed into place when the stage has succeeded"),
}

RETRY: dict[str, Key] = {
    "max_attempts": Key(("integer",), "Attempts in all, the first one counted", least=1, required=True),
    "backoff": Key(("string",), "How the wait grows from attempt to attempt", choices=("constant", "linear", "exponential")),
    "delay": Key(("duration",), "The wait before the second attempt"),
    "max_delay": Key(("duration",), "The longest wait"),
    "jitter": Key(("boolean",), "Each wait is a random share, between a half and the whole"),
    "retry_on": Key(("strings",), 'Failures to repeat: exception classes, exit statuses, "timeout", "signal"', elements=("integer",), nonempty=True),
}

CONDITION: dict[str, Key] = {
    "env": Key(("string",), "A variable that is set, and not empty", nonempty=True),
    "exists": Key(("string",), "A path that exists", nonempty=True),
}

MACHINE: dict[str, Key] = {
    "memory": Key(("size",), "How much memory stages may need at once; absent: what the machine has"),
    "gpu": Key(("integer", "string"), "How many GPUs there are; `auto` counts them", choices=("auto",), least=0),
}

DEMAND: dict[str, Key] = {
    "cpu": Key(("integer",), "How many of the `-j` places it takes", least=1),
    "memory": Key(("size",), "How much memory it needs"),
    "gpu": Key(("integer",), "How many GPUs it needs, which `[resources]` counts", least=0),
}

TABLES: dict[str, dict[str, Key]] = {
    "pipefile": PIPEFILE,
    "profile": PROFILE,
    "stage": STAGE,
    "input": INPUT,
    "output": OUTPUT,
    "retry": RETRY,
    "condition": CONDITION,
    "machine": MACHINE,
    "demand": DEMAND,
}
"""Keys of sections, of stages, and of tables within a stage, by the names that `Key.keys`, `entries` and `elements` use."""


def types(keys: dict[str, Key]) -> dict[str, frozenset[type]]:
    """The Python types that each key takes, for a check of one set look-up a key."""
    return {name: frozenset(KINDS[kind][0] for kind in key.kinds) for name, key in keys.items()}
