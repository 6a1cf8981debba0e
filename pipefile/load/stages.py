"""One table `[stage.NAME]` -> one Stage.

A Pipefile of ten thousand stages is normal, and every build reads it: the plain case of each key is a few operations here, and what needs more words
(messages, odd paths, placeholders) is elsewhere. Templates are made once per distinct command.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Mapping
from typing import Any, TypeGuard

from pipefile.base.locations import KeyPath
from pipefile.base.paths import folder_of, name_of, show, within
from pipefile.load import policies, values
from pipefile.load.faults import FaultError, did_you_mean, kind_of, unknown_key, wrong_kind
from pipefile.load.functions import KEYS, call, function_keys
from pipefile.load.params import Params
from pipefile.load.resources import demand
from pipefile.load.schema import INPUT, OUTPUT, STAGE, types
from pipefile.load.secrets import secret_names
from pipefile.load.templates import NOTHING, RESERVED, Asked, Templates
from pipefile.load.value_outputs import PREFIX, ValueOutputs
from pipefile.model.stage import ONCE, Call, Command, Field, InputGroup, InputItem, Output, Settings, Stage, Value
from pipefile.plan.outputs import PLAIN, BadOutputError, check_own_place, output_path

_ALLOWED = types(STAGE)
_RULES = {name: rule for name, rule in STAGE.items() if rule.nonempty or (rule.kinds == ("string",) and rule.choices) or rule.least is not None}

_FUNCTION_KEYS = frozenset(KEYS)
_EACH_KEYS = frozenset(["for_each", "exclude", "batch", "where"])
_PATH_ALONE = {"path"}

_PLAIN_NAME = re.compile(r"[A-Za-z0-9_][\w.+=,:#~%-]*")
_BAD_NAME = re.compile(r"[\x00-\x1f\x7f-\x9f@]")

_ALL = frozenset([("outputs", None), ("outputs.file", None)])  # with one of these a command asks for all of its outputs

_POSIX_SHELLS = frozenset(["sh", "bash", "dash", "zsh", "ksh", "ash", "busybox"])


class StageReader:
    """Reads stages of one Pipefile.

    Args:
        root: Absolute path of the project root.
        file: The Pipefile, from the root.
        settings: Defaults of shell and log_limit, the store, folders outside.
        params: Reads their params, and knows `[global]`.
        resources: `[resources]`, checked.
        decorated: Stages that are decorated in Python, whose values can be of any type.
    """

    def __init__(
        self,
        root: str,
        file: str,
        settings: Settings,
        params: Params,
        resources: Mapping[str, int | str],
        decorated: Container[str] = (),
    ) -> None:
        self._root = root
        self._file = file
        self._folder = folder_of(file)
        self._settings = settings
        self._globals = params.table
        self._params = params
        self._decorated = decorated
        self._resources = resources
        self._templates = Templates(params.table)
        self._store = settings.store
        self._store_below = settings.store + "/"
        self._taken = frozenset([settings.store, file])

    def protect(self, files: Iterable[str]) -> None:
        """Refuse outputs at the places of these files too."""
        self._taken = self._taken.union(files)

    def read(self, name: str, table: Any, fallback: bool = False) -> Stage:
        """Check one stage and make it.

        Args:
            name: Its name.
            table: `[stage.NAME]`.
            fallback: It is the fallback of others, whose outputs its command may name: `policies.check_fallbacks` looks at its placeholders.

        Raises:
            FaultError: Something in it is wrong.
        """
        where: KeyPath = ("stage", name)
        if type(table) is not dict:
            raise FaultError(f"`stage.{show(name)}` must be a table, not {kind_of(table)}", where)
        if not _PLAIN_NAME.fullmatch(name):
            _check_name(name, where)
        self._check_types(name, table)
        if not self.of_items and (not _EACH_KEYS.isdisjoint(table) or "{" in str(table.get("outputs"))):
            found = self._of_items(name, table, fallback)
            if found is not None:
                return found
        settings = self._settings
        get = table.get

        inputs = self._inputs(name, table["inputs"]) if "inputs" in table else ()
        depfile = self._depfile(name, table["depfile"]) if "depfile" in table else ""
        params = self._params.read(name, table["params"]) if "params" in table else {}
        shell = values.strings(table["shell"], f"`shell` of stage `{show(name)}`", (*where, "shell")) if "shell" in table else settings.shell
        action, asked = self._action(name, table, shell)
        outputs = self._outputs(name, table["outputs"], isinstance(action, Command), asked) if "outputs" in table else ()
        if len(outputs) > 1 or (outputs and inputs and outputs[0].name is not None):
            check_names(name, inputs, outputs, table["outputs"])
        if params and isinstance(action, Call):
            check_arguments(name, inputs, outputs, params)
        if asked and not fallback:
            self.check_placeholders(name, action, inputs, outputs, params, depfile)

        function = function_keys(name, table, action) if not _FUNCTION_KEYS.isdisjoint(table) else {}
        timeout = log_limit = None
        if "timeout" in table:
            timeout = values.duration(table["timeout"], f"`timeout` of stage `{show(name)}`", (*where, "timeout"))
        if "log_limit" in table:
            log_limit = values.size(table["log_limit"], f"`log_limit` of stage `{show(name)}`", (*where, "log_limit"))
        env = _environment(name, table["env"]) if "env" in table else {}
        return Stage(
            name=name,
            inputs=inputs,
            outputs=outputs,
            action=action,
            params=params,
            version=get("version", ""),
            env=env,
            shell=shell,
            after=values.strings(table["after"], f"`after` of stage `{show(name)}`", (*where, "after")) if "after" in table else (),
            always=get("always", False),
            timeout=timeout,
            depfile=depfile,
            infer_inputs=get("infer_inputs", True),
            description=get("description", ""),
            tags=values.strings(table["tags"], f"`tags` of stage `{show(name)}`", (*where, "tags")) if "tags" in table else (),
            log_limit=settings.log_limit if log_limit is None else log_limit,
            metrics=self._metrics(name, table["metrics"], outputs) if "metrics" in table else (),
            cache=policies.cache(table["cache"], name) if "cache" in table else None,
            file=self._file,
            folder=self._folder,
            retry=policies.retry(table["retry_policy"], name) if "retry_policy" in table else ONCE,
            fallback=get("fallback", ""),
            resources=demand(name, table["resources"], self._resources) if "resources" in table else {},
            secret_env=secret_names(name, table["secret_env"], env, settings) if "secret_env" in table else (),
            should_run=policies.condition(table["should_run"], name, self._globals, self._root, self._folder) if "should_run" in table else None,
            audit=policies.audit(table["audit"], name) if "audit" in table else settings.audit,
            **function,
        )

    of_items = False
    """Placeholders of items are known (load/items.py)."""

    def _of_items(self, name: str, table: dict[str, Any], fallback: bool) -> Stage | None:
        """A stage with `for_each` or wildcards; None if it has neither."""
        from pipefile.load.wildcards import check_whole, wildcards  # few Pipefiles have any

        found = wildcards(table, self._globals)
        if not found and "for_each" not in table:
            check_whole(name, table, self._globals)
        if not found and _EACH_KEYS.isdisjoint(table):
            return None
        from pipefile.load.items import ItemReader

        return ItemReader(self, name, table, found).read(name, table, fallback)

    def _standing_in(self, main: Stage) -> StageReader:
        """What knows the placeholders of items that a fallback of *main* may use."""
        if main.for_each is None:
            return self
        from pipefile.load.items import StandInReader

        return StandInReader(self, main.for_each)

    def is_item(self, field: Field) -> bool:  # noqa: ARG002  # what load/items.py makes of it wants it
        """Whether a placeholder is one of `for_each`."""
        return False

    def _check_types(self, name: str, table: dict[str, Any]) -> None:
        for key, value in table.items():
            allowed = _ALLOWED.get(key)
            if allowed is None:
                raise unknown_key(key, STAGE, f"stage `{show(name)}`", ("stage", name, key))
            if type(value) not in allowed:
                hint = "one word is an array too: `[...]`" if key == "shell" and type(value) is str else ""
                raise wrong_kind(f"`{key}` of stage `{show(name)}`", STAGE[key].kinds, value, ("stage", name, key), hint)
            if not value and key in _RULES:
                values.check_bounds(key, value, _RULES[key], f"stage `{show(name)}`", ("stage", name, key))

    # --- inputs

    def _inputs(self, stage: str, raw: Any) -> tuple[InputGroup, ...]:
        kind = type(raw)
        if kind is str:
            return (InputGroup(None, (self._input(stage, raw, None, ("stage", stage, "inputs")),)),)
        if kind is list:
            return (self._input_list(stage, None, raw, ("stage", stage, "inputs")),) if raw else ()
        groups = []
        for name, value in raw.items():
            key = ("stage", stage, "inputs", name)
            kind = type(value)
            if name in RESERVED:
                raise _reserved(stage, name, key)
            if kind is list:
                groups.append(self._input_list(stage, name, value, key))
            else:
                groups.append(InputGroup(name, (self._input(stage, value, name, key),)))
        return tuple(groups)

    def _input_list(self, stage: str, name: str | None, raw: list[Any], key: KeyPath) -> InputGroup:
        plain = "".join(raw) if _all_strings(raw) else "{"
        if "{" in plain or "}" in plain or "\0" in plain or "" in raw:
            return InputGroup(name, tuple([self._input(stage, item, name, (*key, index)) for index, item in enumerate(raw)]), True)
        return InputGroup(name, tuple([InputItem(text) for text in raw]), True)

    def _input(self, stage: str, raw: Any, name: str | None, key: KeyPath) -> InputItem:
        optional = False
        if type(raw) is dict:
            values.check_keys(raw, INPUT, f"an input of stage `{show(stage)}`", key)
            if "path" not in raw:
                raise FaultError(f"an input of stage `{show(stage)}` has no `path`", key)
            optional = raw.get("optional", False)
            raw, key = raw["path"], (*key, "path")
        if type(raw) is not str:
            what = f"an input of stage `{show(stage)}`" if name is None else f"input `{show(name)}` of stage `{show(stage)}`"
            kinds = ("string", "table") if name is None or isinstance(key[-1], int) else ("string", "strings", "table")
            raise wrong_kind(what, kinds, raw, key)
        if "{" in raw or "}" in raw:
            raw = self._globals.fill_path(raw, f"`inputs` of stage `{show(stage)}`", key)
        if not raw or "\0" in raw:
            raise FaultError(f"an input of stage `{show(stage)}` is {'a path with a NUL character' if raw else 'an empty path'}", key)
        return InputItem(raw, optional)

    # --- outputs

    def _outputs(self, stage: str, raw: Any, command: bool, asked: Asked) -> tuple[Output, ...]:
        kind = type(raw)
        base = ("stage", stage, "outputs")
        if kind is str:
            literal = command and _ALL.isdisjoint(asked) and ("outputs", 0) not in asked
            return (self._output(stage, raw, (None, base, literal, False, command)),)
        all_named = not command or not _ALL.isdisjoint(asked)
        found: list[Output] = []
        if kind is list:
            for index, item in enumerate(raw):
                found.append(self._output(stage, item, (None, (*base, index), not all_named and ("outputs", index) not in asked, False, command)))
            return tuple(found)
        for name, value in raw.items():
            if name in RESERVED:
                raise _reserved(stage, name, (*base, name))
            named = all_named or (name, None) in asked
            if type(value) is not list:
                literal = not named and (name, 0) not in asked and ("outputs", len(found)) not in asked
                found.append(self._output(stage, value, (name, (*base, name), literal, False, command)))
                continue
            for index, item in enumerate(value):
                literal = not named and (name, index) not in asked and ("outputs", len(found)) not in asked
                found.append(self._output(stage, item, (name, (*base, name, index), literal, True, command)))
        return tuple(found)

    def outputs_of(self, stage: str, table: Any) -> tuple[Output, ...]:
        """What a stage declares as outputs; () where that, or all of it, is wrong."""
        if type(table) is not dict or type(table.get("outputs")) not in _ALLOWED["outputs"]:
            return ()
        try:
            return self._outputs(stage, table["outputs"], "run" in table, NOTHING)
        except FaultError:
            return ()

    def _output(self, stage: str, raw: Any, facts: tuple[str | None, KeyPath, bool, bool, bool]) -> Output:
        name, key, in_place, many, command = facts
        if type(raw) is dict:
            return self._output_table(stage, raw, facts)
        if type(raw) is not str:
            what = f"an output of stage `{show(stage)}`" if name is None else f"output `{show(name)}` of stage `{show(stage)}`"
            raise wrong_kind(what, ("string", "table") if name is None or many else ("string", "strings", "table"), raw, key)
        if self._folder or not PLAIN.fullmatch(raw):
            if raw.startswith(PREFIX):
                return ValueOutputs(stage, self._store, not command, stage in self._decorated).output(raw, name, many, key)
            what = f"output `{show(raw)}`" if raw else "an output"
            path, directory = self._odd_path(raw, f"{what} of stage `{show(stage)}`", key)
        elif raw[-1] == "/":
            path, directory = raw[:-1], True
        else:
            path, directory = raw, False
        if path in self._taken or path.startswith(self._store_below) or (directory and within(self._store, path)):
            self._own_place(path, directory, stage, key)
        return Output(name, path, directory, in_place, many)

    def _output_table(self, stage: str, raw: dict[str, Any], facts: tuple[str | None, KeyPath, bool, bool, bool]) -> Output:
        name, key, *rest = facts
        values.check_keys(raw, OUTPUT, f"an output of stage `{show(stage)}`", key)
        if "path" not in raw:
            raise FaultError(f"an output of stage `{show(stage)}` has no `path`", key)
        found = self._output(stage, raw["path"], (name, (*key, "path"), *rest))  # type: ignore[arg-type]  # the other three
        if raw.keys() == _PATH_ALONE:
            return found
        from pipefile.load import classes  # few Pipefiles have any

        return classes.of(found, raw, stage, key)

    def _odd_path(self, raw: str, what: str, key: KeyPath) -> tuple[str, bool]:
        """An output path that is not plain: filled in, normalised, and inside the project or a folder of `outside`."""
        if "{" in raw or "}" in raw:
            raw = self._globals.fill_path(raw, what, key)
        try:
            return output_path(raw, self._folder, self._root, self._settings.outside)
        except BadOutputError as error:
            raise FaultError(f"{what} {error.why}", key, error.hint) from None

    def _own_place(self, path: str, directory: bool, stage: str, key: KeyPath) -> None:
        try:
            check_own_place(path, directory, self._file, self._taken, self._store)
        except BadOutputError as error:
            raise FaultError(f"output `{show(path)}` of stage `{show(stage)}` {error.why}", key) from None

    def _depfile(self, stage: str, raw: str) -> str:
        path, directory = self._odd_path(raw, f"`depfile` of stage `{show(stage)}`", ("stage", stage, "depfile"))
        if directory:
            raise FaultError(f"`depfile` of stage `{show(stage)}` must be a file, not a directory", ("stage", stage, "depfile"))
        return path

    def _metrics(self, stage: str, raw: Any, outputs: tuple[Output, ...]) -> tuple[str, ...]:
        from pipefile.load.metrics import metrics  # few Pipefiles have any

        return metrics(stage, raw, outputs, self._folder, self._globals)

    # --- the action and what it knows

    def _action(self, stage: str, table: dict[str, Any], shell: tuple[str, ...]) -> tuple[Command | Call, Asked]:
        run, function = table.get("run"), table.get("call")
        if run is None:
            if function is None:
                hint = "a name for several stages is an `[alias]`" if "after" in table and "outputs" not in table else ""
                raise FaultError(f"stage `{show(stage)}` has neither `run` nor `call`", ("stage", stage), hint)
            return call(stage, "call", function), NOTHING
        if function is not None:
            raise FaultError(f"stage `{show(stage)}` has both `run` and `call`", ("stage", stage, "call"), "a stage is one of the two")
        if type(run) is str and shell is not self._settings.shell and name_of(shell[0]) not in _POSIX_SHELLS:
            raise not_posix(stage, shell)
        if type(run) is str:
            return self._templates.shell(run, stage, table)
        return self._templates.argv(run, stage)

    def check_placeholders(
        self,
        stage: str,
        action: Command | Call,
        inputs: tuple[InputGroup, ...],
        outputs: tuple[Output, ...],
        params: Mapping[str, Value],
        depfile: str,
    ) -> None:
        """Check the names of the placeholders in `run` (those of `[global]` are filled in already)."""
        assert isinstance(action, Command)
        sizes: dict[str, int] = {}
        for output in outputs:
            if output.name is not None:
                sizes[output.name] = sizes.get(output.name, 0) + 1
        named = {group.name for group in inputs}
        for field in self._templates.fields(action):
            name = field.name
            if name in named or self.is_item(field):
                continue
            if name in sizes or (name == "outputs" and outputs):
                count = len(outputs) if name == "outputs" else sizes[name]
                if field.index is not None and field.index >= count:
                    raise self._misfit(stage, field, f"asks for more than there is: `{name}` has {count}")
            elif name.startswith("params."):
                value = values.look_up(params, name[7:])
                if value is None and name[7:] in params:
                    raise self._misfit(stage, field, "is null, which is no text")
                if value is None:
                    raise self._unknown(stage, field, [*named, *sizes, *(f"params.{param}" for param in params)])
                values.placeholder_text(value, field, f"`run` of stage `{show(stage)}`", ("stage", stage, "run"))
            elif (name in ("inputs", "inputs.file") and inputs) or (name == "outputs.file" and outputs):
                if name != "inputs" and field.index is not None:
                    raise self._misfit(stage, field, "asks for one of a list, but it is one path")
            elif name in ("inputs", "inputs.file", "outputs", "outputs.file"):
                raise self._misfit(stage, field, f"has nothing to stand for: the stage declares no `{name.partition('.')[0]}`")
            elif name == "depfile" and not depfile:
                raise self._misfit(stage, field, "has nothing to stand for: the stage declares no `depfile`")
            elif name not in ("depfile", "store", "threads"):
                raise self._unknown(stage, field, [*named, *sizes, *RESERVED, *(f"params.{param}" for param in params)])
            elif field.index is not None:
                raise self._misfit(stage, field, "asks for one of a list, but it is one value")

    def check_fallback(self, fallback: Stage, main: Stage) -> None:
        """Check a fallback against one of the stages that it stands in for: it gets that one's inputs besides its own, and its outputs.

        Raises:
            FaultError: A name means two things, or a placeholder nothing.
        """
        action, name = fallback.action, fallback.name
        taken = {group.name for group in fallback.inputs if group.name}
        inputs = (*fallback.inputs, *[group for group in main.inputs if group.name not in taken])
        for output in main.outputs:
            if output.name in taken:
                what = f"`{show(output.name)}` is both an input of stage `{show(name)}`"
                text = f"{what} and an output of stage `{show(main.name)}`, whose fallback it is"
                raise FaultError(text, ("stage", name, "inputs", output.name))
        if isinstance(action, Command):
            self._standing_in(main).check_placeholders(name, action, inputs, main.outputs, fallback.params, "")
        else:
            check_arguments(name, inputs, main.outputs, fallback.params)

    def _misfit(self, stage: str, field: Field, why: str) -> FaultError:
        return FaultError(f"`{field}` in `run` of stage `{show(stage)}` {why}", ("stage", stage, "run"), needle=str(field))

    def _unknown(self, stage: str, field: Field, known: list[str | None]) -> FaultError:
        names = [name for name in known if name]
        if f"params.{field.name}" in names:
            hint = f"did you mean `{{params.{field.name}}}`?"
        elif self._globals.get(field.name) is not None:
            hint = f"did you mean `{{global.{field.name}}}`?"
        else:
            hint = did_you_mean(field.name, names, "{{{}}}") or f"literal braces are doubled: `{{{field}}}`"
        return FaultError(f"unknown placeholder `{field}` in `run` of stage `{show(stage)}`", ("stage", stage, "run"), hint, str(field))


def not_posix(stage: str, shell: tuple[str, ...]) -> FaultError:
    key = ("stage", stage, "run")
    message = f"`run` of stage `{show(stage)}` is a text for a shell, but `{show(shell[0])}` is no POSIX shell"
    return FaultError(message, key, "write `run` as a list of arguments: a list has no shell, and needs no quotes")


def posix(shell: tuple[str, ...]) -> bool:
    """Whether pipefile knows how to quote for this shell."""
    return name_of(shell[0]) in _POSIX_SHELLS


def _environment(stage: str, raw: Any) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for index, name in enumerate(raw):
        key = ("stage", stage, "env", index if type(raw) is list else name)
        value = None if type(raw) is list else raw[name]
        if type(name) is not str or (value is not None and type(value) is not str):
            if type(raw) is list:
                raise wrong_kind(f"`env` of stage `{show(stage)}`", ("strings", "table"), raw, key)
            raise wrong_kind(f"variable `{show(name)}` in `env` of stage `{show(stage)}`", ("string",), value, key)
        if not name or "=" in name or "\0" in name:
            raise FaultError(f"`{show(name)}` in `env` of stage `{show(stage)}` is no name of a variable", key)
        if value and "\0" in value:
            raise FaultError(f"variable `{show(name)}` in `env` of stage `{show(stage)}` holds a NUL character", key)
        found[name] = value
    return found


def _check_name(name: str, key: KeyPath) -> None:
    why = ""
    if not name:
        why = "is empty"
    elif name[0] == "/" or name[-1] == "/":
        why = "begins or ends with `/`"
    elif bad := _BAD_NAME.search(name):
        why = "holds `@`, which names instances" if bad[0] == "@" else "holds a control character"
    if why:
        raise FaultError(f"the stage name `{show(name)}` {why}", key)


def check_names(stage: str, inputs: tuple[InputGroup, ...], outputs: tuple[Output, ...], raw: Any) -> None:
    """Refuse what is declared twice: an output, or a name that is both an input's and an output's. A value is no argument, so its name is free."""
    taken = {group.name for group in inputs}
    seen = set()
    for index, output in enumerate(outputs):
        key: KeyPath = ("stage", stage, "outputs")
        if output.name is not None:
            key = (*key, output.name)
            if output.name in taken and not output.value:
                raise FaultError(f"`{show(output.name)}` is both an input and an output of stage `{show(stage)}`", key)
        elif type(raw) is list:
            key = (*key, index)
        if output.path in seen:
            raise FaultError(f"output `{show(output.path)}` is declared twice in stage `{show(stage)}`", key)
        seen.add(output.path)


def check_arguments(stage: str, inputs: tuple[InputGroup, ...], outputs: tuple[Output, ...], params: Mapping[str, Value]) -> None:
    """A function gets inputs, outputs and params by name, so no two can have the same."""
    taken = {group.name or "inputs": "an input" for group in inputs}
    taken |= {output.name or "outputs": "an output" for output in outputs if not output.value}
    for name in params:
        if name in taken:
            message = f"`{show(name)}` is both a param and {taken[name]} of stage `{show(stage)}`"
            raise FaultError(message, ("stage", stage, "params", name), "the function gets them as arguments of that name")


def _reserved(stage: str, name: str, key: KeyPath) -> FaultError:
    return FaultError(f"`{name}` in stage `{show(stage)}` cannot be a name: placeholders use it already", key)


def _all_strings(raw: list[Any]) -> TypeGuard[list[str]]:
    return all(type(item) is str for item in raw)
