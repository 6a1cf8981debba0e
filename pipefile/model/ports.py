"""The seams: what the engine asks of the world. The real ones are in base/, execute/ and store/; fakes in pipefile/testing.py."""

from __future__ import annotations

from collections.abc import Callable, Collection, Container, Mapping, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol, TypeAlias

from pipefile.base.dataclass import dataclass, field
from pipefile.model.cache import Entry
from pipefile.model.fileref import FileRef
from pipefile.model.record import Record, Remembered
from pipefile.model.stage import Call, Output, Value

if TYPE_CHECKING:
    from os import stat_result

    from pipefile.base.mask import Mask


class Poll(Protocol):
    """What tells of descriptors that can be read, as select.poll does: milliseconds, None for ever."""

    def poll(self, timeout: float | None = None, /) -> Sequence[object]: ...


class Clock(Protocol):
    def monotonic(self) -> float: ...
    def now(self) -> float: ...
    def sleep(self, seconds: float, /) -> None: ...

    def wait(self, poll: Poll, seconds: float | None, /) -> None:
        """Return when *poll* has something to tell, or when *seconds* are over (None: never), whichever comes first."""


class Disk(Protocol):
    """As base/disk.py: OsDisk, which documents each call."""

    root: str
    cancelled: Callable[[], bool]

    def at(self, path: str) -> str: ...
    def stat(self, path: str) -> stat_result | None: ...
    def lstat(self, path: str) -> stat_result | None: ...
    def names(self, folder: str) -> list[tuple[str, str]]: ...
    def read(self, path: str, limit: int | None = None, follow: bool = True) -> bytes: ...
    def digest(self, path: str, algorithm: str, follow: bool = True, kept: list[bytes] | None = None) -> tuple[str, stat_result]: ...
    def write(self, path: str, data: bytes, sync: bool = False, mode: int = 0o666) -> None: ...
    def append(self, path: str, data: bytes) -> bool: ...
    def copy(self, source: str, target: str, algorithm: str, mode: int = 0o666, limit: int | None = None) -> str: ...
    def clone(self, source: str, target: str, mode: int = 0o666) -> bool: ...
    def touch(self, path: str) -> None: ...
    def rename(self, source: str, target: str) -> None: ...
    def unlink(self, path: str) -> bool: ...
    def remove(self, path: str) -> bool: ...
    def rmdir(self, path: str) -> bool: ...
    def mkdirs(self, path: str) -> None: ...
    def readlink(self, path: str) -> str: ...
    def symlink(self, text: str, path: str) -> None: ...
    def sync(self, path: str) -> None: ...
    def stamp(self, path: str, text: bytes) -> stat_result: ...
    def writable(self, folder: str) -> bool: ...


class StoredValue(NamedTuple):
    """An argument that another stage has returned; it is read where the function runs.

    Args:
        path: Its file, from the task's folder or absolute.
        kind: As model/stage.py: Output.value.
        entry: The key of the returned table that is meant; "" for all of it.
        data: The file's bytes, where they are few enough to be handed on in memory; None: it is read.
        digest: What the file has to have, so that nothing else is read or unpickled.
    """

    path: str
    kind: str
    entry: str = ""
    data: bytes | None = None
    digest: str = ""


class Return(NamedTuple):
    """A value that a function returns, and the (temporary) file that it is written to where the function runs.

    Args:
        name: Its key in a returned table; None where whatever is returned is the value.
        kind: As model/stage.py: Output.value.
        path: From the task's folder or absolute.
    """

    name: str | None
    kind: str
    path: str


@dataclass(frozen=True, slots=True)
class CallContext:
    """What a function's parameter `ctx` is made of.

    Args:
        attempt: From 1.
        artifacts: Absolute path of the folder for `ctx.artifact`; made when it is first asked for.
        params: The stage's params.
    """

    attempt: int = 1
    artifacts: str = ""
    params: Mapping[str, Value] = field(default_factory=dict)


Argument: TypeAlias = "FileRef | StoredValue | Value | list[FileRef | StoredValue] | list[Argument]"
"""What a function gets under one name; the last for a batch."""


class BatchCall(NamedTuple):
    """What a function is called for that takes a batch of items.

    Args:
        returns: For each item, what it returns.
        artifacts: For each item, the absolute path of its folder for `ctx.artifact`.
        report: Absolute path of a file, whose folder is there, that takes the numbers of items which are finished although the call may fail still.
    """

    returns: tuple[tuple[Return, ...], ...]
    artifacts: tuple[str, ...]
    report: str


@dataclass(frozen=True, slots=True)
class FunctionCall:
    """A function with its arguments, by name: FileRef, lists of them, stored values and plain ones.

    Args:
        returns: What it returns, where that is kept; () where what it returns is dropped.
        context: For a parameter named `ctx`.
        setup: What a worker calls once before; its result is the argument `setup`.
        value_limit: Bytes; a returned value that is larger is refused.
        item: Of an instance, the names of its items with their values: arguments for parameters of these names.
        batch: It is called for a batch, with lists as arguments, and `returns` is (); None where it is called for one edge.
    """

    call: Call
    arguments: Mapping[str, Argument]
    returns: tuple[Return, ...] = ()
    context: CallContext = CallContext()
    setup: Call | None = None
    value_limit: int = 100_000_000
    item: Mapping[str, Value] = field(default_factory=dict)
    batch: BatchCall | None = None


class Audited(NamedTuple):
    """Where Python code tells what it reads and writes.

    Args:
        root: Absolute path of the project's root: nothing outside is told.
        file: Absolute path of the file that it is appended to, below *root*.
        exact: All of it has to be told of this very task, whatever others in the same process have read before.
    """

    root: str
    file: str
    exact: bool = False


@dataclass(frozen=True, slots=True)
class Task:
    """What an executor runs: complete, so that a machine far away could run it too.

    Args:
        id: The engine's number for it, handed back in the Completion.
        name: The edge's name, for messages.
        argv: The program and its arguments; () for a function.
        function: The function; None for a command.
        env: The complete environment.
        cwd: Absolute path of the folder to run in.
        inputs: Path from the root -> digest.
        outputs: Paths, from the root, that it has to write (temporary ones where writing is atomic).
        timeout: Seconds after which it is ended; None for never.
        log: Absolute path of the log. The file (and its folder) is made when the first byte is printed.
        log_limit: Most bytes kept in the log.
        resources: What it was granted.
        process: The function runs in a process of its own rather than in the builder.
        mask: Takes what nobody may read out of what it prints; None for nothing.
        shared: What tasks without a `setup` have in common that may share worker processes, the name of their stage; "" for a process of its own.
        audited: Where a function tells what it reads and writes; None where nobody wants to know. A command has it in its environment.
    """

    id: int
    name: str
    argv: tuple[str, ...] = ()
    function: FunctionCall | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: str = "/"
    inputs: Mapping[str, str] = field(default_factory=dict)
    outputs: Sequence[str] = ()
    timeout: float | None = None
    log: str = ""
    log_limit: int = 64_000_000
    resources: Mapping[str, int] = field(default_factory=dict)
    process: bool = False
    mask: Mask | None = None
    shared: str = ""
    audited: Audited | None = None


Outcome = Literal["ok", "failed", "lost", "cancelled"]


@dataclass(frozen=True, slots=True)
class Completion:
    """How a task ended.

    Args:
        id: The task's.
        outcome: "ok"; "failed": the stage failed; "lost": the executor cannot tell how it ended, or could not start a worker; "cancelled".
        exit_status: Of a process that exited; None otherwise.
        signal: Number of the signal that ended it; 0 for none.
        timed_out: It was ended because its time was up.
        error: For people: "exit status 3", "killed by SIGKILL", "timed out after 1 s", the last line and the traceback of a function's exception.
        elapsed: Wall-clock seconds.
        cpu: Seconds, user and system, of the process and its waited-for children; of a function in this process, of its thread.
        peak_rss: The most bytes of resident memory that were seen of all its processes together, or that the system tells of one of them; 0 where
            neither is known. Of a function in this process, what the process had.
        output: The first `SHOWN` bytes of what it printed (execute/ has the number).
        log_size: Bytes in the log; 0 if it printed nothing.
        raised: Names of the class of the exception that a function has raised, and of all its bases, each plain and with its module:
            "TimeoutError", "builtins.TimeoutError", "OSError", ...; () if it raised none.
        seen: What the audit has seen, as far as it is not in the file that `Task.audited` names, in the same form.
    """

    id: int
    outcome: Outcome
    exit_status: int | None = None
    signal: int = 0
    timed_out: bool = False
    error: str = ""
    elapsed: float = 0.0
    cpu: float = 0.0
    peak_rss: int = 0
    output: bytes = b""
    log_size: int = 0
    raised: tuple[str, ...] = ()
    seen: bytes = b""


class World(Protocol):
    """What resolving has to know of the disk."""

    @property
    def plain(self) -> Container[str]:
        """Paths from the root that are known to be regular files, without a link on their way: nobody need look at them."""

    def kind(self, path: str) -> Literal["absent", "file", "directory", "other"]:
        """What stands at a root-relative or absolute path, links followed; a dangling link is "absent"."""

    def glob(self, pattern: str) -> Sequence[str]:
        """Files on disk that match a glob, sorted bytewise, without pipefile's own files and dead outputs. Outputs of edges may be among them."""

    def links(self, pattern: str) -> Sequence[str]:
        """Of the files that a glob matches, those whose content may lie elsewhere: links, also such as lead nowhere, and all below a link."""

    def late(self, pattern: str, folders: Collection[str]) -> Sequence[str]:
        """As `glob`, when stages have run: files in the directories *folders*, which they have made, and files that lie in no stage's directory."""

    def value(self, output: Output, entry: str) -> object:
        """What the value that *output* keeps holds now, or one key of it.

        Raises:
            InputError: It cannot be read, or is no JSON.
        """

    def real(self, path: str) -> str:
        """Where a path leads when the links on its way, and its own, are followed; the path itself where there is none. It need not exist."""

    def made_by(self, path: str) -> str:
        """The edge of this project that has made what stands at a path, as the record beside it says; "" if there is none, or it was edited since."""

    def names(self, folder: str) -> Sequence[str]:
        """Names in a folder, for a did-you-mean; () if there is no such folder."""


class Records(Protocol):
    """As store/record.py: Records, which documents each call."""

    def read(self, edge: str, outputs: Sequence[Output]) -> Remembered: ...
    def write(self, record: Record, sync: bool = False) -> None: ...
    def remove(self, edge: str, outputs: Sequence[Output]) -> None: ...


class Cache(Protocol):
    """Earlier results: entries by key, and the bytes of files by their digest. As store/cache.py: LocalCache; a shared one keeps the same promises.

    Nobody believes what comes out of it: entries are checked against the edge, bytes against their digest. Whatever is missing, damaged or cannot
    be reached is a miss. Only `put` and `store` may raise, and what they raise costs a later build some time, nothing else.
    """

    def entries(self, key: str) -> Sequence[Entry]:
        """What is known of a key, the newest first; () for a miss. Damaged entries are left out."""

    def has_entries(self, keys: Collection[str]) -> frozenset[str]:
        """Those of *keys* of which something is known, damaged or not."""

    def has(self, blobs: Mapping[str, int]) -> frozenset[str]:
        """Those of *blobs* (digest -> bytes) that are there and have that size."""

    def fetch(self, blob: str, size: int, target: str, executable: bool = False) -> bool:
        """Write the bytes of a blob to *target*, where nothing stands: its own file, which may be changed without harm.

        Returns:
            True if it holds just the bytes with that digest. Else nothing is left there, and a blob that is damaged is forgotten.

        Raises:
            OSError: ECANCELED: the build has been interrupted meanwhile.
        """

    def store(self, blob: str, source: str, only_clone: bool = False) -> str:
        """Take in the bytes of a file.

        Args:
            blob: Their digest; "" where it is not known.
            source: The file.
            only_clone: Only if that costs no space. The bytes of a known digest are not read then: the caller has just done so.

        Returns:
            Their digest; "" if they are not taken in: they have another digest, or would have cost space.

        Raises:
            OSError: The file cannot be read, or the cache cannot be written.
        """

    def put(self, entry: Entry) -> None:
        """Add an entry whose blobs are stored. It takes the place of one with the same discovered inputs.

        Raises:
            OSError: The cache cannot be written.
        """

    def drop(self, entry: Entry) -> None:
        """Forget an entry: it cannot be restored."""

    def used(self, entry: Entry) -> None:
        """An entry has been restored: it goes last when space is needed."""

    def close(self) -> None:
        """End of a build: what is over the size goes. Nothing of what this build has put or used does."""


class Executor(Protocol):
    """Runs tasks. Retries are the engine's, never the executor's."""

    def submit(self, task: Task) -> None:
        """Start a task. Never waits for it, and never raises for what the task did wrong: a program that cannot be started is a failed one."""

    def fileno(self) -> int:
        """A descriptor that polls readable when `wait(0)` has something to do."""

    def wait(self, timeout: float | None = None) -> list[Completion]:
        """Tasks that have ended. Waits until one has, at most *timeout* seconds (None: for ever, 0: not at all). May return [] early."""

    def next_deadline(self) -> float | None:
        """The monotonic time at which `wait(0)` has to be called although nothing happened, for a timeout or a due signal; None for never."""

    def latest(self, task: int) -> bytes:
        """The last bytes that a running task has printed, at most `LATEST` of them (execute/ has the number); b"" where that is not known."""

    def cancel(self, urgent: bool = False) -> None:
        """End all that runs: SIGINT now, SIGTERM after 1 s, SIGKILL half a second later; *urgent*: SIGKILL at once. Completions still come."""

    def close(self) -> None:
        """End what still runs, at once, and free everything."""


class Outlook(Protocol):
    """What a display of a build that goes on may ask, when it is about to draw."""

    def left(self) -> float | None:
        """Seconds until the build ends, by how long its edges took before; None where nothing is known of that."""

    def latest(self, stage: str, instance: str) -> bytes:
        """The last bytes that a running edge has printed; b"" if none."""

    def unended(self) -> Sequence[tuple[str, str]]:
        """Stage and instance of each edge that has not ended."""


Emit = Callable[[object], None]
"""Takes an Event."""
