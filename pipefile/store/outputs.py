"""What edges of a run came to: values, artifacts, metrics.

    STORE/runs/RUN/STAGE/output.json      one edge
                         outputs.jsonl    the instances of a `for_each` stage, a line each, in the order in which they ended

STAGE is percent-encoded (base/names.py). output.json is written when its edge has succeeded, and stays as it is:

    {
      "_meta": {"format": 1, "stage": "analyze", "version": "2.0.0", "created_at": "2024-02-12T10:00:00Z", "duration_seconds": 2.5,
                "input_hash": "blake3:abc123", "output_hash": "blake3:def456"},
      "data": {"info": {"width": 640}, "frames": {"path": "pipeline_outputs/values/analyze/frames.json", "digest": "blake3:...", "size": 5000000}},
      "artifacts": [{"name": "preview.jpg", "path": "artifacts/preview.jpg", "type": "image"}],
      "metrics": {"build/metrics.json": {"loss": 0.25, "recall.0": 0.5}}
    }

`_meta` has `"by_reference": ["frames"]` besides where values are in `data` by path, digest and size alone: those of more than INLINE bytes, streams,
Python objects that are no JSON, and files that a function has named. Later builds write over what the path leads to; the digest tells. `metrics` is
left out where the stage names none; its numbers stand by dotted path (plan/leaves.py). Paths of artifacts are relative to the file's folder.

A line of outputs.jsonl is the same on one line, with `"instance": "photo=a.jpg"` in its `_meta`. Where an instance has several, the last one counts.
Lines are appended: one that was torn, by a kill or a full disk, is passed over by readers, and the next one begins after it.

An edge has neither where it has no values, no artifacts and no metrics: manifest.json says all of it then.
"""

from __future__ import annotations

import errno
import json
from collections.abc import Mapping
from math import isfinite
from stat import S_ISDIR
from typing import TypeVar

from pipefile.base.paths import show
from pipefile.model.output import Artifact, StageOutput
from pipefile.model.ports import Disk
from pipefile.plan.leaves import NOT_FINITE
from pipefile.store.history import log_folder

FORMAT = 1
INLINE = 1_000_000
"""Bytes up to which a value is in `data` itself."""

_NO_FILE = frozenset([errno.ELOOP, errno.EINVAL, errno.EISDIR, errno.ENXIO])  # a link, or anything else but a regular file
LIMIT = 256 << 20  # bytes of one file
_to_json = json.JSONEncoder(check_circular=False).encode

_T = TypeVar("_T")


def output_path(store: str, run: str, stage: str, instance: str) -> str:
    """The file that tells what an edge came to."""
    return f"{log_folder(store, run, stage)}/{_file(instance)}"


def _file(instance: str) -> str:
    return "outputs.jsonl" if instance else "output.json"


def kind_of_folder(disk: Disk, store: str, run: str, stage: str) -> str:
    """What stands where a stage has its folder in a run, for its log or for artifacts: "directory", "other", or "" for nothing."""
    seen = disk.lstat(log_folder(store, run, stage))
    return "" if seen is None else "directory" if S_ISDIR(seen.st_mode) else "other"


def write_output(disk: Disk, store: str, run: str, output: StageOutput, kind: str | None = None) -> None:
    """Keep what an edge came to. A link, or anything else, that stands in its place is replaced, never followed.

    Args:
        disk: The project's disk.
        store: The store's folder, from the root.
        run: The run's id.
        output: That.
        kind: What `kind_of_folder` has just said; None where nobody has asked.

    Raises:
        OSError: The disk does not take it.
    """
    folder = log_folder(store, run, output.stage)
    if kind is None:
        kind = kind_of_folder(disk, store, run, output.stage)
    if kind == "other":
        disk.remove(folder)
    if kind != "directory":
        disk.mkdirs(folder)
    path = f"{folder}/{_file(output.instance)}"
    values = _values(output)
    if not output.instance:
        lines = ",\n".join([f'  "{name}": {_to_json(value) if value else "[]" if value == [] else "{}"}' for name, value in values.items()])
        text = f"{{\n{lines}\n}}\n".encode("ascii")
        try:
            disk.write(path, text)
        except IsADirectoryError:
            disk.remove(path)
            disk.write(path, text)
        return
    line = f"{_to_json(values)}\n".encode("ascii")
    try:
        alone = disk.append(path, line)
    except OSError as error:
        if error.errno not in _NO_FILE:
            raise
        disk.remove(path)
        alone = disk.append(path, line)
    if not alone:
        disk.write(path, disk.read(path, LIMIT, follow=False).rstrip(b"\n") + b"\n" + line)


def _values(output: StageOutput) -> dict[str, object]:
    meta: dict[str, object] = {"format": FORMAT, "stage": output.stage}
    if output.instance:
        meta["instance"] = output.instance
    for name in ("version", "created_at", "duration_seconds", "input_hash", "output_hash"):
        meta[name] = getattr(output, name)
    if output.by_reference:
        meta["by_reference"] = output.by_reference
    artifacts = [{"name": each.name, "path": each.path, "type": each.type} for each in output.artifacts]
    values: dict[str, object] = {"_meta": meta, "data": output.data, "artifacts": artifacts}
    if output.metrics:
        values["metrics"] = output.metrics
    return values


class OutputReader:
    """Reads what edges of runs came to. It never fails for what is damaged.

    Args:
        disk: The project's disk.
        store: The store's folder, from the root.
    """

    def __init__(self, disk: Disk, store: str) -> None:
        self._disk = disk
        self._store = store
        self._instances: dict[str, tuple[dict[str, StageOutput], str]] = {}

    def read(self, run: str, stage: str, instance: str) -> tuple[StageOutput | None, str]:
        """What an edge came to, None if it had nothing to tell; and what is wrong with its file, "" if nothing."""
        path = output_path(self._store, run, stage, instance)
        if not instance:
            try:
                data = self._disk.read(path, LIMIT, follow=False)
                return _output(_loaded(data), stage), ""
            except (FileNotFoundError, NotADirectoryError):
                return None, ""
            except OSError as error:
                return None, f"`{show(path)}` cannot be read: {error.strerror}"
            except _DamagedError as error:
                return None, f"`{show(path)}` {error}"
        if path not in self._instances:
            self._instances[path] = self._lines(path, stage)
        found, problem = self._instances[path]
        return found.get(instance), problem

    def _lines(self, path: str, stage: str) -> tuple[dict[str, StageOutput], str]:
        try:
            lines = self._disk.read(path, LIMIT, follow=False).split(b"\n")
        except (FileNotFoundError, NotADirectoryError):
            return {}, ""
        except OSError as error:
            return {}, f"`{show(path)}` cannot be read: {error.strerror}"
        found: dict[str, StageOutput] = {}
        bad, problem = 0, ""
        for line in filter(None, lines):
            try:
                output = _output(_loaded(line), stage)
                if not output.instance:
                    raise _DamagedError("is damaged")
                found[output.instance] = output
            except _DamagedError as error:
                bad, problem = bad + 1, str(error)
        if bad:
            problem += f" in {bad} of its {sum(map(bool, lines))} lines"
        return found, f"`{show(path)}` {problem}" if bad else ""


class _DamagedError(Exception):
    pass


def _refuse(text: str) -> object:
    raise ValueError(text)


def _loaded(data: bytes) -> dict[str, object]:
    try:
        values = json.loads(data.decode("ascii"), parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise _DamagedError("is damaged") from None
    return _is(values, dict)


def _is(value: object, kind: type[_T]) -> _T:
    if type(value) is kind:
        return value
    raise _DamagedError("is damaged")


def _number(value: object) -> float:
    if type(value) is int or (type(value) is float and isfinite(value)):
        return value
    raise _DamagedError("is damaged")


def _metric(value: object) -> float | str:
    return str(value) if value in NOT_FINITE else _number(value)


def _output(values: Mapping[str, object], stage: str) -> StageOutput:
    meta = _is(values.get("_meta"), dict)
    number = meta.get("format")
    if number != FORMAT:
        raise _DamagedError(f"has format {number}, which this version does not know" if type(number) is int else "is damaged")
    if meta.get("stage") != stage:
        raise _DamagedError("is damaged")  # another stage's
    references = tuple([_is(name, str) for name in _is(meta.get("by_reference", []), list)])
    data = _is(values.get("data"), dict)
    for name in references:
        _is(_is(data.get(name), dict).get("digest"), str)
    artifacts = [_is(each, dict) for each in _is(values.get("artifacts"), list)]
    return StageOutput(
        stage,
        _is(meta.get("instance", ""), str),
        _is(meta.get("version"), str),
        _is(meta.get("created_at"), str),
        _number(meta.get("duration_seconds")),
        _is(meta.get("input_hash"), str),
        _is(meta.get("output_hash"), str),
        data,
        references,
        tuple([Artifact(_is(each.get("name"), str), _is(each.get("path"), str), _is(each.get("type"), str)) for each in artifacts]),
        {
            path: {name: _metric(number) for name, number in _is(numbers, dict).items()}
            for path, numbers in _is(values.get("metrics", {}), dict).items()
        },
    )
