"""Reads the runs that store/runs.py writes and describes."""

from __future__ import annotations

import json
from typing import NoReturn, TypeGuard, TypeVar

from pipefile.base.errors import StoreError, UsageError
from pipefile.base.locations import Place
from pipefile.base.names import file_name
from pipefile.base.paths import show
from pipefile.model.ports import Disk
from pipefile.model.run import EdgeResult, Run
from pipefile.store.orphans import is_alive

FORMAT = 1
LIMIT = 256 << 20  # bytes; the manifest of half a million edges

COUNTS = ("ran", "restored", "fresh", "skipped", "degraded", "failed")

_T = TypeVar("_T")


def is_run_id(name: str) -> bool:
    """Whether *name* has the form `20240212_100000_abc123`."""
    day, _, rest = name.partition("_")
    time, _, random = rest.partition("_")
    return len(name) == 22 and len(day) == 8 and len(time) == 6 and (day + time).isdigit() and not random.strip("0123456789abcdef")


def log_folder(store: str, run: str, stage: str) -> str:
    """Where an edge's log and artifacts lie in a run."""
    name = file_name(stage)
    if name in ("run.json", "manifest.json"):
        name = f"%{ord(name[0]):02X}{name[1:]}"
    return f"{store}/runs/{run}/{name}"


def boot_id() -> str | None:
    """Which boot of the machine this is; None where that is not known."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return None


def start_of(pid: int) -> int | None:
    """When a process started, in ticks since boot; None where there is none, or no telling."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return int(file.read().rpartition(b")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return None


def _lives(owner: object) -> bool:
    """Whether the builder that a run.json names is still there, and no other process with its pid."""
    if not isinstance(owner, dict) or type(pid := owner.get("pid")) is not int or not 0 < pid < 1 << 31:
        return False
    if owner.get("boot") is not None:
        return bool(owner["boot"] == boot_id()) and start_of(pid) == owner.get("start")
    return is_alive(pid)


class RunReader:
    """Reads the runs of a project. It writes nothing, and never fails for what is damaged.

    Args:
        disk: The project's disk.
        store: The store's folder, from the root.
    """

    def __init__(self, disk: Disk, store: str) -> None:
        self.disk = self._disk = disk
        self.store = self._store = store

    def ids(self) -> list[str]:
        """The ids of all runs, newest first."""
        try:
            names = self._disk.names(f"{self._store}/runs")
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise StoreError(f"`{show(self._store)}/runs` cannot be read: {error.strerror}") from error
        return sorted([name for name, kind in names if kind == "directory" and is_run_id(name)], reverse=True)

    def list(self) -> tuple[Run, ...]:
        """All runs, newest first."""
        return tuple([self.read(run) for run in self.ids()])

    def resolve(self, text: str) -> str:
        """The id of the run that a user means: `latest`, or what begins one id alone.

        Raises:
            UsageError: There is none, or more than one.
        """
        ids = self.ids()
        if text == "latest":
            try:
                pointed = self._disk.readlink(f"{self._store}/latest").rpartition("/")[2]
            except OSError:
                pointed = ""
            if pointed in ids:
                return pointed
            if ids:
                return ids[0]
        if not ids:
            raise UsageError("there are no runs yet")
        found = [run for run in ids if text and run.startswith(text)]
        if len(found) == 1:
            return found[0]
        if not found:
            raise UsageError(f"no run begins with `{show(text)}`", hint="`pipefile runs list` shows them all")
        places = [Place(run) for run in found[:5]]
        raise UsageError(f"{len(found)} runs begin with `{show(text)}`", places)

    def before(self, run: str) -> str:
        """The id of the run before another one.

        Raises:
            UsageError: That is the oldest.
        """
        earlier = [each for each in self.ids() if each < run]
        if not earlier:
            raise UsageError(f"there is no run before {run} to compare it with")
        return earlier[0]

    def read(self, run: str) -> Run:
        """What run.json of a run tells; an empty Run with `problem` where it is damaged."""
        try:
            values = self._load(run, "run.json")
            git = values.get("git")
            commit, dirty = "", None
            if git is not None:
                commit, dirty = _is(_is(git, dict)["commit"], str), _is(git, dict)["dirty"]
            status = _is(values["status"], str)
            if status == "running" and not _lives(values.get("owner")):
                status = "interrupted"
            finished = values["finished_at"]
            return Run(
                id=run,
                status=status,
                started_at=_is(values["started_at"], str),
                finished_at="" if finished is None else _is(finished, str),
                duration_seconds=_is(values["duration_seconds"], float),
                command=_texts(values["command"]),
                targets=_texts(values["targets"]),
                jobs=_is(values["jobs"], int),
                schedule=_is(values["schedule"], str),
                host=_is(values["host"], str),
                python=_is(values["python"], str),
                pipefile=_is(values["pipefile"], str),
                commit=commit,
                dirty=None if dirty is None else _is(dirty, bool),
                counts={name: _is(_is(values["counts"], dict)[name], int) for name in COUNTS},
            )
        except _DamagedError as error:
            return Run(id=run, status="", problem=str(error))
        except (KeyError, TypeError):
            return Run(id=run, status="", problem=self._damaged(run, "run.json"))

    def edges(self, run: str) -> tuple[tuple[EdgeResult, ...], str]:
        """The edges of a run, and what is wrong with its manifest ("" if nothing; an interrupted run has none)."""
        try:
            values = self._load(run, "manifest.json")
            return tuple([_edge(item) for item in _is(values["edges"], list)]), ""
        except _DamagedError as error:
            return (), str(error)
        except (KeyError, TypeError):
            return (), self._damaged(run, "manifest.json")

    def artifacts(self, run: str, edge: str) -> tuple[str, ...]:
        """What an edge's function has kept besides its outputs, by `ctx.artifact`: paths from the root, folders with a slash."""
        folder = f"{log_folder(self._store, run, edge)}/artifacts"
        try:
            return tuple([f"{folder}/{name}{'/' if kind == 'directory' else ''}" for name, kind in sorted(self._disk.names(folder))])
        except OSError:
            return ()

    def log_path(self, run: str, stage: str) -> str:
        """Where the log of an edge is, if it printed anything."""
        return log_folder(self._store, run, stage) + "/log.txt"

    def earlier_logs(self, run: str, stage: str) -> tuple[tuple[int, str], ...]:
        """Logs of attempts of an edge that were followed by others: number of the attempt and path, in order."""
        folder = log_folder(self._store, run, stage)
        try:
            names = [name for name, kind in self._disk.names(folder) if kind == "file"]
        except OSError:
            return ()
        numbers = [name[4:-4] for name in names if name.startswith("log.") and name.endswith(".txt") and name != "log.txt"]
        whole = sorted(int(text) for text in numbers if text.isdecimal() and text.isascii())
        return tuple([(number, f"{folder}/log.{number}.txt") for number in whole])

    def _damaged(self, run: str, name: str) -> str:
        return f"`{show(self._store)}/runs/{run}/{name}` is damaged"

    def _load(self, run: str, name: str) -> dict[str, object]:
        path = f"{self._store}/runs/{run}/{name}"
        try:
            text = self._disk.read(path, LIMIT, follow=False).decode("utf-8")
            values = json.loads(text, parse_constant=_refuse)
            json.dumps(values, ensure_ascii=False).encode("utf-8", "surrogateescape")  # ValueError for lone surrogates
        except FileNotFoundError:
            raise _DamagedError(f"`{show(path)}` is missing") from None
        except OSError as error:
            raise _DamagedError(f"`{show(path)}` cannot be read: {error.strerror}") from None
        except (ValueError, RecursionError):
            raise _DamagedError(self._damaged(run, name)) from None
        if type(values) is not dict:
            raise _DamagedError(self._damaged(run, name))
        number = values.get("format")
        if number != FORMAT:
            raise _DamagedError(
                f"`{show(path)}` has format {number}, which this version does not know" if type(number) is int else self._damaged(run, name)
            )
        return values


class _DamagedError(Exception):
    pass


def _refuse(text: str) -> NoReturn:
    raise ValueError(text)


def _is(value: object, kind: type[_T]) -> _T:
    """*value*, if it is of that very type; a whole number passes for a float."""
    if kind is float and type(value) is int:
        return kind(value)  # type: ignore[call-arg]  # float(int)
    if not _of(value, kind):
        raise TypeError
    return value


def _of(value: object, kind: type[_T]) -> TypeGuard[_T]:
    return type(value) is kind


def _texts(value: object) -> tuple[str, ...]:
    return tuple([_is(item, str) for item in _is(value, list)])


def _edge(item: object) -> EdgeResult:
    values = _is(item, dict)
    status = values["exit_status"]
    return EdgeResult(
        stage=_is(values["stage"], str),
        instance=_is(values["instance"], str),
        wave=_is(values["wave"], int),
        status=_is(values["status"], str),
        reasons=_texts(values["reasons"]),
        mode=_is(values["mode"], str),
        attempts=_is(values["attempts"], int),
        started_at=_is(values["started_at"], str),
        duration_seconds=_is(values["duration_seconds"], float),
        cpu_seconds=_is(values["cpu_seconds"], float),
        peak_rss_bytes=_is(values["peak_rss_bytes"], int),
        key=_is(values["key"], str),
        inputs={name: _is(digest, str) for name, digest in _is(values["inputs"], dict).items()},
        outputs={name: _is(digest, str) for name, digest in _is(values["outputs"], dict).items()},
        params=_is(values["params"], dict),
        exit_status=None if status is None else _is(status, int),
        error=_is(values["error"], str),
        log=_is(values["log"], str),
        mode_reason=_is(values.get("mode_reason", ""), str),  # neither told by the first versions
        code={name: _is(value, str) for name, value in _is(values.get("code", {}), dict).items()},
        undeclared={name: _texts(paths) for name, paths in _is(values.get("undeclared", {}), dict).items()},
    )
