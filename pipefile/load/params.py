"""`params`: plain values, `global.KEY`, and values of files: `params = { lr = "params.yaml:train.lr" }`.

A file's value is looked up when the graph is made, so a stage depends on the value and on nothing else of the file. The file itself is one of those
that the pipeline was read from: an edit of it is seen as one of the Pipefile is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pipefile.base.errors import PipefileSyntaxError
from pipefile.base.locations import KeyPath, Position
from pipefile.base.paths import folder_of, name_of, show, within
from pipefile.load import values
from pipefile.load.document import decode, digest_of, parse, read_bytes
from pipefile.load.faults import FaultError, at_offset, did_you_mean, kind_of, unplaced
from pipefile.model.ports import Disk
from pipefile.model.stage import Stage, Value

if TYPE_CHECKING:
    from pipefile.load.stages import StageReader

_IN_FILE = re.compile(r"([^\s:]+\.(?:toml|json|ya?ml)):(\S*)")
_MOST = 100_000  # values in one param: YAML's aliases make a great many of a short text
_DEEP = 100
_FLOAT = re.compile(r"[-+]?(?:[0-9][0-9_]*)(?:\.[0-9_]*)?[eE][-+]?[0-9]+|[-+]?\.[0-9_]+[eE][-+]?[0-9]+")


class LackingFileError(FaultError):
    """The file of a param is not there. `path` is the file, from the root."""

    path = ""


class ParamFiles:
    """The files that params take values from, each read once.

    Args:
        disk: Where they are.
        folder: The Pipefile's folder, from which they are written.
        algorithm: The hash.
    """

    def __init__(self, disk: Disk, folder: str, algorithm: str) -> None:
        self._disk = disk
        self._folder = folder
        self._algorithm = algorithm
        self._documents: dict[str, dict[str, Any]] = {}
        self.files: dict[str, str | None] = {}
        """Digests of those that were read, by path from the root."""
        self.uses: dict[str, tuple[KeyPath, str, str]] = {}
        """The first use of each: key, what it is for, text."""

    def value(self, path: str, name: str, what: str, key: KeyPath, text: str) -> Value:
        """The value of a key.

        Args:
            path: The file, as the Pipefile writes it.
            name: The key: `train.lr`.
            what: Whose it is, for messages.
            key: Where it is asked for.
            text: How it is asked for.

        Raises:
            FaultError: There is no such file or key, or the value is none that can be tracked.
            PipefileSyntaxError: The file cannot be read.
        """
        place = values.anywhere(path, self._disk.root, self._folder, f"the file of {what}", key)
        self.uses.setdefault(place, (key, what, text))
        table = self._documents.get(place)
        if table is None:
            table = self._documents[place] = self._read(place, path, what, key)
        if not name:
            raise FaultError(f"{what} names no key of `{show(path)}`", key, f"`{show(path)}:KEY` is one", text)
        try:
            found = _find(table, name)
        except KeyError:
            hint = did_you_mean(name, values.key_paths(table), f"{path}:{{}}")
            raise FaultError(f"{what}: there is no `{show(name)}` in `{show(path)}`", key, hint, text) from None
        value: Value = _Copy(f"{what}, `{show(name)}` in `{show(path)}`,", key).of(found)
        values.check_value(value, key, what, null=True)
        return value

    def _read(self, place: str, path: str, what: str, key: KeyPath) -> dict[str, Any]:
        data = read_bytes(self._disk, place, may_lack=True)
        if data is None:
            try:
                names = [name for name, _ in self._disk.names(folder_of(place))]
            except OSError:
                names = []
            prefix = path[: len(path) - len(name_of(path))]
            error = LackingFileError(f"{what}: `{show(path)}` does not exist", key, did_you_mean(name_of(path), names, f"{prefix}{{}}"), path)
            error.path = place
            raise error
        self.files[place] = digest_of(self._disk, place, data, self._algorithm)
        text = decode(data, place)
        ending = path.rpartition(".")[2]
        found = parse(text, place) if ending == "toml" else _json(text, place) if ending == "json" else _yaml(text, place)
        if not isinstance(found, dict):
            raise unplaced(f"{'nothing is in it' if found is None else f'holds {_kind(found)}'}: params are looked up in a table", show(place))
        return found


class Params:
    """Reads the params of stages of one Pipefile.

    Args:
        table: `[global]`.
        files: What else they take values from.
    """

    def __init__(self, table: values.Globals, files: ParamFiles) -> None:
        self.table = table
        self.files = files

    def read(self, stage: str, raw: Mapping[str, Any]) -> dict[str, Value]:
        """The params of a stage: names to values.

        Raises:
            FaultError: One of them means nothing.
            PipefileSyntaxError: A file cannot be read.
        """
        params: dict[str, Value] = {}
        for name, value in raw.items():
            key = ("stage", stage, "params", name)
            what = f"param `{show(name)}` of stage `{show(stage)}`"
            if type(value) is str:
                if value.startswith("global."):
                    found = self.table.get(value[7:])
                    if found is None:
                        raise FaultError(f"{what}: there is no `{show(value)}`", key, self.table.hint(value[7:], "global.{}"), value)
                    params[name] = found
                    continue
                text = self.table.fill_path(value, what, key) if "{" in value and _IN_FILE.fullmatch(value) else value
                match = _IN_FILE.fullmatch(text)
                if match is not None:
                    params[name] = self.files.value(match[1], match[2], what, key, value)
                    continue
            values.check_value(value, key, what)
            params[name] = value
        return params


def check_makers(files: ParamFiles, stages: Mapping[str, Stage]) -> None:
    """See that no stage makes a file that params take values from: they are known before anything runs.

    Raises:
        FaultError: One does.
    """
    if files.files:
        outputs = {output.path: name for name, stage in stages.items() for output in stage.outputs}
        folders = {output.path: name for name, stage in stages.items() for output in stage.outputs if output.directory}
        for path in files.files:
            maker = outputs.get(path) or next((name for folder, name in folders.items() if within(path, folder)), None)
            if maker is not None:
                raise _is_made(path, maker, *files.uses[path])


def explained(fault: LackingFileError, files: ParamFiles, tables: Mapping[str, Any], reader: StageReader) -> FaultError:
    """What to say of a file that is not there: that a stage makes it, if one does."""
    for name, table in tables.items():
        for output in reader.outputs_of(name, table):
            if output.path == fault.path or (output.directory and within(fault.path, output.path)):
                return _is_made(fault.path, name, *files.uses[fault.path])
    return fault


def _is_made(path: str, maker: str, key: KeyPath, what: str, text: str) -> FaultError:
    message = f"{what}: `{show(path)}` is made by stage `{show(maker)}`, and params have their values before anything runs"
    return FaultError(message, key, 'take the file as an input; a value that a function returns is one too: `"STAGE.NAME"`', text)


def _find(table: dict[Any, Any], name: str) -> Any:
    """The value of `a.b`; a key that is itself written `a.b` comes first."""
    while True:
        level = {_key(key): value for key, value in table.items()}
        if name in level:
            return level[name]
        first, dot, name = name.partition(".")
        below = level.get(first)
        if not dot or not isinstance(below, dict):
            raise KeyError(first)
        table = below


def _key(key: object) -> str:
    """A key as it is written: YAML has keys that are no texts."""
    if isinstance(key, str):
        return key
    return "null" if key is None else str(key).lower() if isinstance(key, bool) else str(key)


class _Copy:
    """Copies a value out of a document, up to a bound."""

    def __init__(self, what: str, key: KeyPath) -> None:
        self._what = what
        self._at = key
        self._left = _MOST

    def of(self, value: Any, depth: int = 0) -> Any:
        self._left -= 1
        if self._left < 0 or depth > _DEEP:
            how = f"nested more than {_DEEP} levels deep" if depth > _DEEP else f"more than {_MOST} values"
            raise FaultError(f"{self._what} is {how}", self._at, "take the file as an input")
        if isinstance(value, dict):
            return {_key(key): self.of(inner, depth + 1) for key, inner in value.items()}
        return [self.of(inner, depth + 1) for inner in value] if isinstance(value, list) else value


def _kind(value: object) -> str:
    return kind_of(value) if isinstance(value, list | str | bool | int | float) else "something else"


# --- JSON and YAML


def _json(text: str, file: str) -> Any:
    import json

    plain = text.removeprefix("\ufeff")
    try:
        return json.loads(plain)
    except json.JSONDecodeError as error:
        at = error.pos + len(text) - len(plain)
        raise at_offset(show(error.msg[:1].lower() + error.msg[1:]), show(file), text, at, at + 1) from None
    except RecursionError:
        raise unplaced("nested too deeply", show(file)) from None
    except ValueError:  # Python reads no integers of more than 4300 digits
        raise unplaced("an integer of more than 64 bits", show(file)) from None


def _yaml(text: str, file: str) -> Any:
    try:
        import yaml
    except ModuleNotFoundError:
        raise unplaced("YAML needs a package that is not installed", show(file), "`pip install 'pipefile[yaml]'`") from None
    try:
        return yaml.load(text, _yaml_loader())  # a safe one
    except yaml.MarkedYAMLError as error:
        raise _not_yaml(error, file, text) from None
    except yaml.reader.ReaderError as error:
        raise at_offset("a character that YAML does not allow", show(file), text, error.position, error.position + 1) from None
    except RecursionError:
        raise unplaced("nested too deeply", show(file)) from None
    except ValueError:
        raise unplaced("a number that cannot be read", show(file)) from None


def _yaml_loader() -> Any:
    """A safe loader of YAML as people mean it: `1e-3` is a number, a date is a text."""
    import yaml

    base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    loader: Any = type("Loader", (base,), {})
    loader.yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in found if not tag.endswith(":timestamp")] for first, found in base.yaml_implicit_resolvers.items()
    }
    loader.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+.0123456789"))
    return loader


def _not_yaml(error: Any, file: str, text: str) -> PipefileSyntaxError:
    mark = error.problem_mark or error.context_mark
    message = str(error.problem or error.context or "no YAML")
    if mark is None:
        return unplaced(show(message), show(file))
    lines = text.split("\n")
    source = show(lines[mark.line].rstrip("\r")) if mark.line < len(lines) else ""
    return unplaced(show(message), show(file), position=Position(mark.line + 1, mark.column + 1, source))
