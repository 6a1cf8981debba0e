"""Fakes for tests of code that uses pipefile, and for pipefile's own.

Each stands in for a port of `pipefile.model.ports` and keeps its promises; the suites in `tests/contract/` hold fakes and real ones to the same.

    disk = FaultyDisk(str(tmp_path))
    disk.fail("write", "*.hash", errno.ENOSPC)      # every record meets a full disk
    ...
    assert disk.bytes_read["raw/a.csv"] == 0        # nothing read it
"""

from __future__ import annotations

import errno as errnos
import os
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import partial

from pipefile.base.dataclass import dataclass
from pipefile.base.digest import of_bytes
from pipefile.base.disk import OsDisk
from pipefile.model.cache import Entry
from pipefile.model.ports import Completion, Poll, Task
from pipefile.model.record import Record, Remembered
from pipefile.model.stage import Output
from pipefile.store.record import edge_record_path, named_in, names_files, record_path

__all__ = ["FakeClock", "FakeExecutor", "FaultyDisk", "MemoryCache", "MemoryRecords"]


class FakeClock:
    """A clock that goes only when it is told to, or slept on, or waited with.

    Args:
        now: Seconds since the epoch at its start.

    Attributes:
        slept: Seconds of each sleep.
        waited: Seconds of each wait that nothing else has ended.
    """

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self._start = now
        self._elapsed = 0.0
        self.slept: list[float] = []
        self.waited: list[float] = []

    def monotonic(self) -> float:
        return self._elapsed

    def now(self) -> float:
        return self._start + self._elapsed

    def sleep(self, seconds: float, /) -> None:
        """Return at once, *seconds* later."""
        self.slept.append(seconds)
        self.advance(seconds)

    def wait(self, poll: Poll, seconds: float | None, /) -> None:
        """Return at once, *seconds* later unless *poll* has something to tell by now; without *seconds* nothing else can end it."""
        if seconds is None:
            poll.poll(None)
        elif not poll.poll(0):
            self.waited.append(seconds)
            self.advance(seconds)

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._elapsed += seconds


@dataclass(slots=True)
class _Fault:
    operation: str
    matches: Callable[[str], bool]
    number: int
    after: int
    times: int | None


class FaultyDisk(OsDisk):
    """The real disk, which fails where a test wants it to, counts what is done to it, and can have coarse stamps.

    Calls are counted as their callers make them, with the paths that they give; so are the calls of one operation that another is made of
    (`write` removes a temporary file that stands in its way).

    Args:
        root: Absolute path of the project root.
        tick: Nanoseconds to which the stamps in every stat are cut: 4_000_000 for a kernel with coarse stamps, 1_000_000_000 for an old
            file system; 0 leaves them.

    Attributes:
        calls: How often each operation was called on each path: `disk.calls["digest", "a.txt"]`.
        bytes_read: Bytes read of each path by `read` and `digest`.
        tick: May be changed at any time.
        clones: Files can be cloned, as far as anybody can tell.
    """

    def __init__(self, root: str, tick: int = 0) -> None:
        super().__init__(root)
        self.tick = tick
        self.clones = False
        self.calls: Counter[tuple[str, str]] = Counter()
        self.bytes_read: Counter[str] = Counter()
        self._faults: list[_Fault] = []

    def fail(
        self,
        operation: str,
        path: str | Callable[[str], bool] = "*",
        number: int = errnos.EIO,
        *,
        after: int = 0,
        times: int | None = None,
    ) -> None:
        """Make calls fail before they do anything.

        Args:
            operation: Name of a method of Disk, as "write"; "*" for all.
            path: A glob (`*` matches `/` too) or a predicate on the path as the caller gives it; of two paths of a call either may match.
            number: The errno of the OSError, as errno.ENOSPC.
            after: Calls that succeed first.
            times: Calls that fail then; None for all.
        """
        matches = path if callable(path) else partial(fnmatchcase, pat=path)
        self._faults.append(_Fault(operation, matches, number, after, times))

    def mend(self) -> None:
        """Fail no more."""
        self._faults.clear()

    def forget(self) -> None:
        """Set all counts to nothing."""
        self.calls.clear()
        self.bytes_read.clear()

    def total(self, operation: str) -> int:
        """How often an operation was called, on whatever path."""
        return sum(count for (name, _), count in self.calls.items() if name == operation)

    def _enter(self, operation: str, *paths: str) -> None:
        self.calls[operation, paths[0]] += 1
        for fault in self._faults:
            if fault.operation not in (operation, "*") or not any(fault.matches(path) for path in paths):
                continue
            if fault.after > 0:
                fault.after -= 1
            elif fault.times is None or fault.times > 0:
                if fault.times is not None:
                    fault.times -= 1
                raise OSError(fault.number, os.strerror(fault.number), paths[0])

    def _cut(self, seen: os.stat_result) -> os.stat_result:
        if not self.tick:
            return seen
        extra: dict[str, object] = {name: getattr(seen, name) for name in ("st_blksize", "st_blocks", "st_rdev")}
        whole = list(seen[:10])
        for place, name in ((7, "st_atime"), (8, "st_mtime"), (9, "st_ctime")):
            cut = getattr(seen, name + "_ns") // self.tick * self.tick
            whole[place] = cut // 1_000_000_000
            extra[name] = cut / 1e9
            extra[name + "_ns"] = cut
        return os.stat_result(whole, extra)

    def stat(self, path: str) -> os.stat_result | None:
        self._enter("stat", path)
        seen = super().stat(path)
        return None if seen is None else self._cut(seen)

    def lstat(self, path: str) -> os.stat_result | None:
        self._enter("lstat", path)
        seen = super().lstat(path)
        return None if seen is None else self._cut(seen)

    def names(self, folder: str) -> list[tuple[str, str]]:
        self._enter("names", folder)
        return super().names(folder)

    def read(self, path: str, limit: int | None = None, follow: bool = True) -> bytes:
        self._enter("read", path)
        data = super().read(path, limit, follow)
        self.bytes_read[path] += len(data)
        return data

    def digest(self, path: str, algorithm: str, follow: bool = True, kept: list[bytes] | None = None) -> tuple[str, os.stat_result]:
        self._enter("digest", path)
        digest, seen = super().digest(path, algorithm, follow, kept)
        self.bytes_read[path] += seen.st_size
        return digest, self._cut(seen)

    def write(self, path: str, data: bytes, sync: bool = False, mode: int = 0o666) -> None:
        self._enter("write", path)
        super().write(path, data, sync, mode)

    def append(self, path: str, data: bytes) -> bool:
        self._enter("append", path)
        return super().append(path, data)

    def copy(self, source: str, target: str, algorithm: str, mode: int = 0o666, limit: int | None = None) -> str:
        self._enter("copy", source, target)
        digest = super().copy(source, target, algorithm, mode, limit)
        self.bytes_read[source] += os.stat(self.at(target)).st_size
        return digest

    def clone(self, source: str, target: str, mode: int = 0o666) -> bool:
        """By a copy, where `clones` is set: few disks can do it."""
        self._enter("clone", source, target)
        if not self.clones:
            return super().clone(source, target, mode)
        super().copy(source, target, "blake3", mode)
        return True

    def touch(self, path: str) -> None:
        self._enter("touch", path)
        super().touch(path)

    def rename(self, source: str, target: str) -> None:
        self._enter("rename", source, target)
        super().rename(source, target)

    def unlink(self, path: str) -> bool:
        self._enter("unlink", path)
        return super().unlink(path)

    def remove(self, path: str) -> bool:
        self._enter("remove", path)
        return super().remove(path)

    def rmdir(self, path: str) -> bool:
        """False where it fails, as the real one."""
        try:
            self._enter("rmdir", path)
        except OSError:
            return False
        return super().rmdir(path)

    def mkdirs(self, path: str) -> None:
        self._enter("mkdirs", path)
        super().mkdirs(path)

    def readlink(self, path: str) -> str:
        self._enter("readlink", path)
        return super().readlink(path)

    def symlink(self, text: str, path: str) -> None:
        self._enter("symlink", path)
        super().symlink(text, path)

    def sync(self, path: str) -> None:
        self._enter("sync", path)
        super().sync(path)

    def stamp(self, path: str, text: bytes) -> os.stat_result:
        self._enter("stamp", path)
        return self._cut(super().stamp(path, text))

    def writable(self, folder: str) -> bool:
        """As permissions tell, and False where a fault for "writable" says so."""
        try:
            self._enter("writable", folder)
        except OSError:
            return False
        return super().writable(folder)


Action = Callable[[Task], Completion | None]
"""What a task does in a FakeExecutor. It may write the task's outputs; None means that it succeeded, an exception that it failed."""


class FakeExecutor:
    """An executor without processes: each task is a Python callable, run one at a time in `wait`, in the order of submission.

    Args:
        actions: By the name of the task.
        otherwise: For tasks that are not among them; without it they do nothing and succeed.

    Attributes:
        tasks: All tasks ever submitted, in order.
    """

    def __init__(self, actions: Mapping[str, Action] | None = None, otherwise: Action | None = None) -> None:
        self._actions = dict(actions or {})
        self._otherwise = otherwise
        self._waiting: list[Task] = []
        self._cancelled: set[int] = set()
        self._readable, self._writing = os.pipe()
        self.tasks: list[Task] = []

    def submit(self, task: Task) -> None:
        if not self._waiting:
            os.write(self._writing, b"!")
        self.tasks.append(task)
        self._waiting.append(task)

    def fileno(self) -> int:
        return self._readable

    def wait(self, timeout: float | None = None) -> list[Completion]:  # noqa: ARG002  # nothing is ever waited for
        """Run the next task; [] if there is none."""
        if not self._waiting:
            return []
        task = self._waiting.pop(0)
        if not self._waiting:
            os.read(self._readable, 1)
        if task.id in self._cancelled:
            return [Completion(task.id, "cancelled")]
        action = self._actions.get(task.name, self._otherwise)
        try:
            done = action(task) if action is not None else None
        except Exception as error:
            return [Completion(task.id, "failed", error=f"{type(error).__name__}: {error}")]
        return [done or Completion(task.id, "ok", exit_status=0)]

    def next_deadline(self) -> float | None:
        return None

    def latest(self, task: int) -> bytes:  # noqa: ARG002  # nothing runs between two calls of wait
        return b""

    def cancel(self, urgent: bool = False) -> None:  # noqa: ARG002  # nothing runs between two calls of wait
        """What has been submitted and has not run comes back as cancelled."""
        self._cancelled.update(task.id for task in self._waiting)

    def close(self) -> None:
        self._waiting.clear()
        if self._readable >= 0:
            os.close(self._readable)
            os.close(self._writing)
            self._readable = -1


class MemoryRecords:
    """Records in a dictionary.

    Attributes:
        stored: By the path where the real ones would keep each; a test may remove some.
    """

    def __init__(self) -> None:
        self.stored: dict[str, Record] = {}

    def _paths(self, edge: str, outputs: Sequence[str]) -> list[str]:
        return [record_path(path) for path in outputs] or [edge_record_path("store", edge)]

    def read(self, edge: str, outputs: Sequence[Output]) -> Remembered:
        records = [self.stored.get(path) for path in self._paths(edge, [output.path for output in outputs])]
        if records[0] is not None and names_files(outputs):
            records += [self.stored.get(record_path(made.path)) for made in named_in(records[0], outputs)]
        return Remembered(tuple(records))

    def write(self, record: Record, sync: bool = False) -> None:  # noqa: ARG002  # memory knows no sync
        for made in record.outputs[1:]:
            other = Record(record.edge, record.pipefile, record.attempt, record.key, made.path, record.outputs, main=False)
            self.stored[record_path(made.path)] = other
        self.stored[self._paths(record.edge, [record.output] if record.output is not None else [])[0]] = record

    def remove(self, edge: str, outputs: Sequence[Output]) -> None:
        for path in self._paths(edge, [output.path for output in outputs]):
            self.stored.pop(path, None)


class MemoryCache:
    """A cache in dictionaries.

    Args:
        disk: Where files come from and go to.
        algorithm: Of digests.

    Attributes:
        results: By key, the newest first; a test may add some that nobody could have made.
        blobs: Bytes by digest; a test may damage some.
        closed: How many builds have ended with it.
    """

    def __init__(self, disk: OsDisk, algorithm: str = "blake3") -> None:
        self._disk = disk
        self._algorithm = algorithm
        self.results: dict[str, list[Entry]] = {}
        self.blobs: dict[str, bytes] = {}
        self.closed = 0

    def entries(self, key: str) -> Sequence[Entry]:
        return tuple(self.results.get(key, ()))

    def has_entries(self, keys: Collection[str]) -> frozenset[str]:
        return frozenset([key for key in keys if self.results.get(key)])

    def has(self, blobs: Mapping[str, int]) -> frozenset[str]:
        return frozenset([blob for blob, size in blobs.items() if blob in self.blobs and len(self.blobs[blob]) == size])

    def fetch(self, blob: str, size: int, target: str, executable: bool = False) -> bool:
        data = self.blobs.get(blob)
        if data is None or len(data) != size:
            return False
        if of_bytes(data, self._algorithm) != blob:
            del self.blobs[blob]
            return False
        self._disk.write(target, data)
        if executable:
            os.chmod(self._disk.at(target), 0o777)
        return True

    def store(self, blob: str, source: str, only_clone: bool = False) -> str:
        """Memory clones nothing."""
        if only_clone:
            return blob if blob in self.blobs else ""
        data = self._disk.read(source, follow=False)
        digest = of_bytes(data, self._algorithm)
        if blob and digest != blob:
            return ""
        self.blobs[digest] = data
        return digest

    def put(self, entry: Entry) -> None:
        others = [other for other in self.results.get(entry.key, ()) if other.discovered != entry.discovered]
        self.results[entry.key] = [entry, *others]

    def drop(self, entry: Entry) -> None:
        self.results[entry.key] = [other for other in self.results.get(entry.key, ()) if other != entry]

    def used(self, entry: Entry) -> None:
        """Nothing ever goes."""

    def close(self) -> None:
        self.closed += 1
