"""The fast lane: a build that has nothing to do, said so before anything heavy is imported.

It asks the index (store/index.py): same command line, same environment, the same Pipefiles, files and folders by their stats? Then it prints what the
ordinary build would print, and that is all. Anything unusual goes the ordinary way, which gives the same answer. Nothing is written, no stage of
the project is looked at, no lock is taken: while another build holds it, the ordinary way is taken as well.

Where a few files have changed, what was seen of them is handed on: a build can start from there (engine/warm.py).
"""

from __future__ import annotations

import os
import sys

from pipefile.base.commands import COMMANDS

TYPE_CHECKING = False  # as typing's, whose import costs more than the whole lane
if TYPE_CHECKING:
    from array import array
    from collections.abc import Mapping, Sequence

    from pipefile.engine.lazy import Columns
    from pipefile.store.index import Index, Meta, Reader

PIPEFILE = "Pipefile.toml"
STORE = "pipeline_outputs"

_COMMANDS = frozenset(COMMANDS) - {"build"}
_QUIET = frozenset(["-q", "--quiet"])
_SPLIT_FROM = 8_000  # rows: below, a second process costs more than it saves
_MOST = 10_000  # changed rows that are handed on, at most a quarter of all: with more, looking at everything is hardly slower


class Seen:
    """What one look at all files of a request has found.

    Args:
        reader: The index, still open; whoever is handed this closes it.
        root: The project's root, absolute.
        store: The store, from there.
        request: The request, as the index has it.
        numbers: Its rows.
    """

    def __init__(self, reader: Reader, root: str, store: str, request: str, numbers: array[int]) -> None:
        self.reader = reader
        self.root = root
        self.store = store
        self.request = request
        self.count, self.whole, self.block, self.plain, self.absent, self.folders = numbers[:6]
        self.numbers = numbers
        self.rows: list[int] = []
        """Rows that are not as they were."""
        self.changed_folders: list[int] = []
        self.read: tuple[Index, Columns] | None = None
        """What is read of the index already, where whoever has looked keeps it in memory; whoever is handed this may change it."""

    @property
    def same(self) -> bool:
        """Nothing has changed, and nothing was left to do."""
        return bool(self.whole) and not self.rows and not self.changed_folders


def answer(argv: Sequence[str]) -> str | None:
    """What a build with this command line prints, if it has nothing to do; None where that is not known.

    Args:
        argv: The words after the program's name.
    """
    plain = Plain(argv)
    found = ask(plain) if plain.is_plain else None
    if isinstance(found, Seen):
        found.reader.close()
        return None
    return found


class Plain:
    """What a plain command line asks for: words of a build that name targets, -j, -k or -q, and nothing else.

    Args:
        argv: The words after the program's name.

    Attributes:
        is_plain: Whether it is one; all else is only good if so.
        implied: The word `build` was left out.
    """

    def __init__(self, argv: Sequence[str]) -> None:
        self.targets: list[str] = []
        self.jobs: int | None = None
        self.keep_going = self.quiet = False
        words = [word for word in argv if word not in _QUIET]
        self.quiet = len(words) < len(argv)
        self.implied = words[:1] != ["build"]
        self.is_plain = not (words and words[0] in _COMMANDS) and self._take(words if self.implied else words[1:])

    def _take(self, words: list[str]) -> bool:
        while words:
            word = words.pop(0)
            if word in ("-j", "--jobs") and words and words[0].isdecimal() and words[0] != "0":
                self.jobs = int(words.pop(0))
            elif word in ("-k", "--keep-going"):
                self.keep_going = True
            elif word.startswith("-j") and word[2:].isdecimal() and int(word[2:]) > 0:
                self.jobs = int(word[2:])
            elif word.startswith("-") or not word:
                return False
            else:
                self.targets.append(word)
        return self.jobs != 0


def ask(plain: Plain) -> str | Seen | None:
    """What a build with a plain command line prints, if it has nothing to do; or what was seen where a few files have changed.

    The process stands where it stood, but where there is an answer.
    """
    from time import perf_counter

    started = perf_counter()
    targets = plain.targets
    try:
        here = os.getcwd()
        root = root_above(here)
    except OSError:
        return None
    if root is None or (targets and root != here):
        return None
    seen = None
    try:
        os.chdir(root)  # relative paths are a third cheaper to look up
        seen = look(root, "\x1f".join(targets), os.environ, split=True)
    except OSError:
        pass
    if seen is None or not seen.same or "GITHUB_STEP_SUMMARY" in os.environ:  # even of nothing to do a summary is written
        os.chdir(here)  # the ordinary way asks where the user stands
        return seen
    if plain.quiet:
        return ""
    seconds = perf_counter() - started
    counted = f"{seen.count} fresh" if seen.count else "nothing to do"
    return f"{counted} in {seconds:.{2 if seconds < 0.995 else 1}f} s\n"


def root_above(folder: str) -> str | None:
    """The folder of the nearest Pipefile from *folder* upwards."""
    while True:
        if os.path.isfile(f"{folder}/{PIPEFILE}"):
            return folder
        above = os.path.dirname(folder)
        if above == folder:
            return None
        folder = above


def look(root: str, request: str, environ: Mapping[str, str], split: bool = False) -> Seen | None:
    """Look once at all files that a request rests on. None where the index cannot say what these are, or a great many have changed.

    Args:
        root: The project's root; the process may stand there.
        request: Targets, joined as the index has them.
        environ: The environment of the build.
        split: Many files may be looked at by two processes; the process has no threads, and is not somebody else's.
    """
    from pipefile.store.index import Damaged, Meta, Reader

    try:
        store = store_of(root)
        if store is None or _busy(root, store):
            return None
    except OSError:
        return None
    import gc

    collecting = gc.isenabled()
    gc.disable()  # a hundred thousand strings are about to be made, and none of them is garbage
    reader = None
    try:
        reader = Reader(f"{root}/{store}/index")
        meta = Meta.unpack(reader.texts("meta"))
        if same_circumstances(meta, environ) and reader.texts("requests") == [request or "\x1f"]:  # one is kept: the last one
            numbers = reader.numbers("request_rows", "i")
            if len(numbers) >= 6:
                seen = Seen(reader, root, store, request, numbers)
                if _compare(seen, split):
                    reader = None
                    return seen
    except (Damaged, OSError, ValueError, MemoryError):
        pass
    finally:
        if reader is not None:
            reader.close()
        if collecting:
            gc.enable()
    return None


def store_of(root: str) -> str | None:
    """The store's folder: the default one if it has an index, else as a plain line of the Pipefile says."""
    if os.path.exists(f"{root}/{STORE}/index"):
        return STORE
    with open(f"{root}/{PIPEFILE}", "rb") as file:
        text = file.read(1 << 20)
    for line in text.split(b"\n"):
        name, equals, value = line.partition(b"=")
        if equals and name.strip() == b"store":
            value = value.strip()
            if len(value) > 2 and value[:1] == value[-1:] == b'"' and b"\\" not in value:
                return os.fsdecode(value[1:-1])
            return None
    return None


def _busy(root: str, store: str) -> bool:
    """Whether another build is at work here, or stages of one that was killed."""
    import fcntl

    for path in (f"{root}/.pipefile.lock", f"{root}/{store}/lock"):
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        except FileNotFoundError:
            continue
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
        finally:
            os.close(fd)
    return False


def same_circumstances(meta: Meta, environ: Mapping[str, str]) -> bool:
    from pipefile import __version__
    from pipefile.base.digest import KEY_FORMAT, hide
    from pipefile.store.index import boot_id

    if meta.version != f"{__version__}/{KEY_FORMAT}" or meta.python != f"{sys.version_info[0]}.{sys.version_info[1]}":
        return False
    if meta.boot != boot_id():
        return False  # what was written just before a crash is looked at again
    return all(hide(name, environ.get(name)) == value for name, value in meta.env.items())


def _compare(seen: Seen, split: bool) -> bool:
    """Find the rows and folders of a request that are not as they were; False if they are too many."""
    from pipefile.store.index import STAT_COLUMNS, TRUSTED, columns

    reader, numbers = seen.reader, seen.numbers
    block, plain, absent, folders = seen.block, seen.plain, seen.absent, seen.folders
    if len(numbers) != 6 + plain + absent + folders:
        return False
    names = reader.texts("folders") or [""]  # the root alone joins to nothing
    at = "" if os.path.samefile(os.curdir, seen.root) else seen.root + "/"
    stamps = columns(reader.numbers("folder_stats", "q"), 4)
    for row in numbers[6 + plain + absent :]:
        try:
            found = os.stat((names[row] if names[row][:1] == "/" else at + names[row]) or ".")
        except (FileNotFoundError, NotADirectoryError):
            return False
        if found.st_mtime_ns != stamps[2][row] or found.st_ctime_ns != stamps[3][row] or not _same_number(found.st_ino, stamps[1][row]):
            seen.changed_folders.append(row)
    paths = reader.texts("paths")
    if at:
        paths = [path if path[:1] == "/" else at + path for path in paths]
    stats = columns(reader.numbers("stats", "q"), STAT_COLUMNS)
    most = max(64, min(_MOST, (block + plain) // 4))
    for row in numbers[6 + plain : 6 + plain + absent]:
        if os.path.lexists(paths[row]):
            seen.rows.append(row)
    if not seen.whole:  # what could not be believed has to be hashed again, whatever its stat says
        flags = reader.section("flags")
        seen.rows += [row for row in (*range(block), *numbers[6 : 6 + plain]) if not flags[row] & TRUSTED]
    if block + plain < _SPLIT_FROM or not split or len(os.sched_getaffinity(0)) < 2:
        seen.rows += changed_rows(paths, stats, range(block), most)
        seen.rows += changed_rows(paths, stats, numbers[6 : 6 + plain], most)
    elif plain <= _SPLIT_FROM:
        seen.rows += _both(paths, stats, range(block // 2), range(block // 2, block), most)
        seen.rows += changed_rows(paths, stats, numbers[6 : 6 + plain], most)
    else:
        seen.rows += _both(paths, stats, range(block), numbers[6 : 6 + plain], most)
    return len(seen.rows) <= most


def _both(paths: list[str], stats: list[array[int]], first: Sequence[int], second: Sequence[int], most: int) -> Sequence[int]:
    """Look at two shares of the files at once, the second in a forked process."""
    from array import array

    end, start = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            data = array("i", changed_rows(paths, stats, second, most)).tobytes()
            while data:
                data = data[os.write(start, data) :]
            status = 0
        finally:
            os._exit(status)
    os.close(start)
    data = b""
    try:
        found = changed_rows(paths, stats, first, most)
        while part := os.read(end, 1 << 16):
            data += part
    finally:
        os.close(end)
        _, status = os.waitpid(child, 0)
    if status:
        raise OSError("the other half was not looked at")
    others = array("i")
    others.frombytes(data)
    return [*found, *others]


def changed_rows(paths: list[str], stats: list[array[int]], rows: Sequence[int], most: int) -> list[int]:
    """Those of *rows* that are not as they were; a few more than *most* are enough."""
    stat = os.stat
    found: list[int] = []
    devices, inodes, sizes, mtimes, ctimes, modes = stats
    if isinstance(rows, range):  # a block of the index: slices are cheaper than looking up each row
        here = slice(rows.start, rows.stop)
        names = paths[here]
        devices, inodes, sizes, mtimes, ctimes, modes = [column[here] for column in stats]
    else:
        names = [paths[row] for row in rows]
        devices, inodes, sizes, mtimes, ctimes, modes = [[column[row] for row in rows] for column in stats]  # type: ignore[assignment]
    for row, name, device, inode, size, mtime, ctime, mode in zip(rows, names, devices, inodes, sizes, mtimes, ctimes, modes, strict=True):
        try:
            seen = stat(name)
        except (FileNotFoundError, NotADirectoryError):
            seen = None
        if (
            seen is None
            or seen.st_ctime_ns != ctime
            or seen.st_mtime_ns != mtime
            or seen.st_size != size
            or seen.st_mode != mode
            or (seen.st_ino != inode and not _same_number(seen.st_ino, inode))
            or (seen.st_dev != device and not _same_number(seen.st_dev, device))
        ):
            found.append(row)
            if len(found) > most:
                break
    return found


def _same_number(now: int, kept: int) -> bool:
    """Whether a device or inode number is the one that a signed column kept."""
    return now == kept or now - (1 << 64) == kept
