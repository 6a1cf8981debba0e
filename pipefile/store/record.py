"""Records: what was true when an output was last made, kept beside it.

The record of output `build/a.o` is the file `build/.a.o.hash`; where the output's name has more than 240 bytes, `.` + 32 hex digits of the name's
blake3 + `.hash`. An edge without outputs has one record, `STORE/records/EDGE.hash`, with the edge's name percent-encoded.

A record is one line of ASCII, in the frame that store/frame.py describes: a JSON object with its names in order. Here in several lines:

    {"format": 1, "checksum": "64a1c30f4f41cd7b6dd4a1b2e3a0c9d8",
     "accepted": "", "attempt": "5f0c1a9b2d3e4f60",
     "components": [["format", "", "", "1"], ["run", "", "", "cc -c {src} -o {out}"],
                    ["input", "src", "../src/a.c", "blake3:9f86d0..."]],
     "discovered": {"../src/a.h": "blake3:60303a...", "../src/b.h": ""},
     "duration": 0.25, "edge": "compile", "key": "blake3:2c26b4...",
     "members": {"headers": [["../src/x.inc", "blake3:1b4f0e..."]]}, "output": "a.o",
     "outputs": [["a.o", "file", "blake3:fcde2b..."], ["a.d", "file", "blake3:ab530a..."]],
     "own": [], "pipefile": "../Pipefile.toml", "reasons": ["input `src/a.c` changed"]}

- Only the record beside the first output (or the only one of an edge without outputs) has `accepted components discovered duration members own
  reasons`, and `degraded` (before `discovered`) where a fallback made the outputs: its name; the `key` is "" then. The others have the other six
  names. No record has further names.
- Paths are relative to the record's own folder, absolute ones stay: a tree that is moved or copied keeps its records. Beside an output outside the
  project they are relative to the project root. `output` is null for an edge without outputs.
- `outputs` has the declared outputs in their order (the digest is "" for an optional one that was not made), then files that a function has made
  and named when it returned (values of kind "file"). Such a file has a record beside it as the others have.
- `components`: kind, name, path ("" for what is no file), value (model/record.py: Component). `outputs`: path, "file" or "directory", digest.
  `discovered`: path to digest, "" for a file that was absent. `members`: the name of a set of files to pairs of path and digest.

A record is believed only if all of this holds, and if it names the output that it stands beside. Anything else is as good as no record.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from pipefile.base.digest import is_digest
from pipefile.base.errors import RecordError
from pipefile.base.names import LONGEST, file_name, hashed
from pipefile.base.paths import absolute_from, folder_of, name_of, relative
from pipefile.model.ports import Disk
from pipefile.model.record import ABSENT, Component, Made, Record, Remembered
from pipefile.model.stage import Output
from pipefile.store.byhand import finished, marked, rows, texts
from pipefile.store.frame import opened, sealed, sealed_text

LIMIT = 256 << 20  # bytes; a record of a million inputs has half of it

_OTHER = ("attempt", "edge", "key", "output", "outputs", "pipefile")
_MAIN = ("accepted", "attempt", "components", "discovered", "duration", "edge", "key", "members", "output", "outputs", "own", "pipefile", "reasons")
_DEGRADED = (*_MAIN[:3], "degraded", *_MAIN[3:])


def record_path(output: str) -> str:
    """Where the record of an output stands: beside it."""
    folder, slash, name = output.rpartition("/")
    # a character has at most four bytes, so that short names need no encoding to be known as short
    if len(name) > LONGEST // 4 and len(name.encode("utf-8", "surrogateescape")) > LONGEST:
        name = hashed(name)
    return f"{folder}{slash}.{name}.hash"


def edge_record_path(store: str, edge: str) -> str:
    """Where the record of an edge without outputs stands."""
    return f"{store}/records/{file_name(edge)}.hash"


def _folder(at: str) -> str:
    """What paths in a record are relative to. A record outside the project cannot know the way to it, so there it is the root."""
    return "" if at.startswith("/") else folder_of(at)


def encode(record: Record, at: str) -> bytes:
    """The bytes of a record that will stand at *at*, a path from the project root or an absolute one."""
    folder = _folder(at)
    outputs: Sequence[tuple[str, str, str]] = [(relative(made.path, folder), made.kind, made.digest) for made in record.outputs]
    output = None if record.output is None else relative(record.output, folder)
    pipefile = relative(record.pipefile, folder)
    values: dict[str, object]
    if record.main:
        components: Sequence[tuple[str, str, str, str]] = record.components
        members, discovered, own = record.members, record.discovered, record.own
        if folder:
            components = [part if not part[2] else (part[0], part[1], relative(part[2], folder), part[3]) for part in components]
            if discovered:
                discovered = {relative(path, folder): digest for path, digest in discovered.items()}
            if own:
                own = tuple([relative(path, folder) for path in own])
            if members:
                members = {text: tuple([(relative(path, folder), digest) for path, digest in files]) for text, files in members.items()}
        if not (discovered or own or members or record.degraded or output is None):
            line = _by_hand(record, components, outputs, (output, pipefile))
            if line is not None:
                return sealed_text(line)
        values = {
            "accepted": record.accepted,
            "attempt": record.attempt,
            "components": components,
            **({"degraded": record.degraded} if record.degraded else {}),
            "discovered": discovered,
            "duration": float(record.duration),
            "edge": record.edge,
            "key": record.key,
            "members": members,
            "output": output,
            "outputs": outputs,
            "own": own,
            "pipefile": pipefile,
            "reasons": record.reasons,
        }
    else:
        values = {"attempt": record.attempt, "edge": record.edge, "key": record.key, "output": output, "outputs": outputs, "pipefile": pipefile}
    return sealed(values)


def _by_hand(
    record: Record, components: Sequence[tuple[str, str, str, str]], outputs: Sequence[tuple[str, str, str]], places: tuple[str, str]
) -> str | None:
    """The JSON of the record of a plain command, as the library makes it; None for one that has something to be escaped."""
    marks = sum([part[3].count('"') for part in components])
    if marks:
        components = [part if '"' not in part[3] else (part[0], part[1], part[2], marked(part[3])) for part in components]
    reasons = record.reasons
    line = (
        f'{{"accepted": "{record.accepted}", "attempt": "{record.attempt}", "components": {rows(components)}, "discovered": {{}}, '
        f'"duration": {float(record.duration)!r}, "edge": "{record.edge}", "key": "{record.key}", "members": {{}}, "output": "{places[0]}", '
        f'"outputs": {rows(outputs)}, "own": [], "pipefile": "{places[1]}", "reasons": {texts(reasons)}}}'
    )
    return finished(line, 38 + 8 * len(components) + 6 * len(outputs) + 2 * len(reasons), marks)


def decode(data: bytes, at: str) -> Record:
    """The record that *data*, the whole file at *at*, holds.

    Raises:
        RecordError: It is damaged, forged, of another output, or of an unknown format.
    """
    try:
        if len(data) > LIMIT:
            raise RecordError("it is too large")
        return _record(opened(data), at)
    except RecordError:
        raise
    except (ValueError, TypeError, KeyError, RecursionError) as error:  # BadPathError is a ValueError
        raise RecordError(f"it does not hold a record: {error}") from None


def _record(values: dict[str, object], at: str) -> Record:
    folder = _folder(at)
    main = "components" in values
    if tuple(values) != (_DEGRADED if "degraded" in values else _MAIN if main else _OTHER):
        raise RecordError("it has other names than a record")
    edge, output = _text(values["edge"]), values["output"]
    outputs = []
    for item in _list(values["outputs"]):
        path, kind, digest = [_text(part) for part in _list(item)]
        if kind not in ("file", "directory") or (digest != ABSENT and not is_digest(digest)):
            raise RecordError("an output is not described as one")
        outputs.append(Made(_path(path, folder), kind, digest))
    if output is None:
        if outputs or not main or name_of(at) != file_name(edge) + ".hash":
            raise RecordError("it is the record of another edge")
    else:
        output = _path(output, folder)
        if record_path(output) != at:
            raise RecordError("it is the record of another output")
        paths = [made.path for made in outputs]
        if output not in paths or main != (paths[0] == output):
            raise RecordError("its output is not where it belongs among its outputs")
    pipefile, attempt, key = _path(values["pipefile"], folder), _text(values["attempt"]), _text(values["key"])
    if not main:
        return Record(edge, pipefile, attempt, key, output, tuple(outputs), main=False)
    degraded = _text(values.get("degraded", ""))
    if (degraded and key) or ("degraded" in values and not degraded):
        raise RecordError("it is of a fallback, and has a key all the same")
    duration = values["duration"]
    if type(duration) is not float or not 0 <= duration < 1e12:
        raise RecordError("its duration is no duration")
    return Record(
        edge,
        pipefile,
        attempt,
        key,
        output,
        tuple(outputs),
        components=_components(_list(values["components"]), folder),
        members={text: tuple(_digests([_list(pair) for pair in _list(files)], folder)) for text, files in _items(values["members"])},
        discovered=dict(_digests(_items(values["discovered"]), folder)),
        own=tuple([_path(path, folder) for path in _list(values["own"])]),
        reasons=tuple([_text(reason) for reason in _list(values["reasons"])]),
        duration=duration,
        accepted=_text(values["accepted"]),
        degraded=degraded,
    )


def _components(items: list[object], folder: str) -> tuple[Component, ...]:
    found = []
    for item in items:
        kind, name, path, value = _list(item)
        if not (type(kind) is type(name) is type(path) is type(value) is str):
            raise RecordError("a component is no text")
        found.append(Component(kind, name, path and absolute_from(path, folder), value))
    return tuple(found)


def _digests(pairs: Iterable[Sequence[object]], folder: str) -> list[tuple[str, str]]:
    """Paths with their digests, or ABSENT."""
    found = []
    for path, digest in pairs:
        if digest != ABSENT and not is_digest(digest):
            raise RecordError("a file has no digest")
        found.append((_path(path, folder), _text(digest)))
    return found


def _items(value: object) -> Iterable[tuple[str, object]]:
    if type(value) is not dict:
        raise RecordError("something is no object")
    return value.items()


def _text(value: object) -> str:
    if type(value) is not str:
        raise RecordError("something is no text")
    return value


def _path(value: object, folder: str) -> str:
    if type(value) is not str or not value:
        raise RecordError("something is no path")
    return absolute_from(value, folder)


def _list(value: object) -> list[object]:
    if type(value) is not list:
        raise RecordError("something is no list")
    return value


def names_files(outputs: Sequence[Output]) -> bool:
    """Whether the function that makes *outputs* may name files when it returns, which are outputs then."""
    return "file" in [output.value for output in outputs]


def named_in(record: Record, outputs: Sequence[Output]) -> list[Made]:
    """Those outputs of an edge's record that are not declared: the function has named them when it returned."""
    declared = {output.path for output in outputs}
    return [made for made in record.outputs if made.path not in declared]


class Records:
    """The records of a project, beside its outputs. It keeps nothing in memory (model/ports.py: Records).

    Args:
        disk: Where they are.
        store: The store's folder, from the root.
        warn: Takes a text for the user; called once if a record has an unknown format.
    """

    def __init__(self, disk: Disk, store: str, warn: Callable[[str], None]) -> None:
        self._disk = disk
        self._store = store
        self._warn = warn
        self._warned = False

    def paths(self, edge: str, outputs: Sequence[Output]) -> list[str]:
        """Where an edge's records stand, the first output's first."""
        if not outputs:
            return [edge_record_path(self._store, edge)]
        return [record_path(output.path) for output in outputs]

    def read(self, edge: str, outputs: Sequence[Output]) -> Remembered:
        """What stands beside the outputs of an edge. Links are not followed; nothing is changed."""
        faults: list[tuple[str, str]] = []
        records = [self._read(path, faults) for path in self.paths(edge, outputs)]
        if records[0] is not None and names_files(outputs):
            records += [self._read(record_path(made.path), faults) for made in named_in(records[0], outputs)]
        return Remembered(tuple(records), tuple(faults))

    def _read(self, path: str, faults: list[tuple[str, str]]) -> Record | None:
        try:
            return decode(self._disk.read(path, LIMIT, follow=False), path)
        except (FileNotFoundError, NotADirectoryError):
            pass
        except OSError as error:
            faults.append((path, (error.strerror or "it cannot be read").lower()))
        except RecordError as error:
            faults.append((path, str(error)))
            self._notice(error)
        return None

    def _notice(self, error: RecordError) -> None:
        if error.unknown_format is not None and not self._warned:
            self._warned = True
            self._warn(f"records of format {error.unknown_format} are of another version of pipefile: they are taken as absent")

    def write(self, record: Record, sync: bool = False) -> None:
        """Write an edge's records: *record*, the first output's, last, and before it those of the other outputs, made from it.

        Whatever stands in their places, be it a link or a folder, is replaced.

        Args:
            record: The main one.
            sync: Bring them to the disk before returning.

        Raises:
            OSError: The disk does not take them.
        """
        for made in record.outputs[1:]:
            other = Record(record.edge, record.pipefile, record.attempt, record.key, made.path, record.outputs, main=False)
            path = record_path(made.path)
            self._put(path, encode(other, path), sync)
        if record.output is not None:
            path = record_path(record.output)
        else:
            path = edge_record_path(self._store, record.edge)
            self._disk.mkdirs(folder_of(path))
        self._put(path, encode(record, path), sync)

    def _put(self, path: str, data: bytes, sync: bool) -> None:
        # not removed first, as the commit order has done so (a rename to a free name: 45 us); over a file it is 100 us, unlinking that first 150 us
        try:
            self._disk.write(path, data, sync)
        except IsADirectoryError:
            self._disk.remove(path)
            self._disk.write(path, data, sync)

    def remove(self, edge: str, outputs: Sequence[Output]) -> None:
        """Remove the records of an edge, the first output's first: from then on it is stale."""
        for path in self.paths(edge, outputs):
            self._disk.remove(path)
