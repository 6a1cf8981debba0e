"""The fast lane: a build that has nothing to do, said so before anything heavy is imported.

It asks the index (store/index.py): same command line, same environment, the same Pipefiles, files and folders by their stats? Then it prints what the
ordinary build would print, and that is all. Anything unusual goes the ordinary way, which gives the same answer. Nothing is written, no stage of
the project is looked at, no lock is taken: while another build holds it, the ordinary way is taken as well.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # as typing's, whose import costs more than the whole lane
if TYPE_CHECKING:
    from array import array
    from collections.abc import Sequence

    from pipefile.store.index import Meta, Reader

PIPEFILE = "Pipefile.toml"
STORE = "pipeline_outputs"

_COMMANDS = frozenset(["status", "why", "list", "query", "graph", "clean", "accept", "check", "runs", "cache", "init"])
_QUIET = frozenset(["-q", "--quiet"])
_SPLIT_FROM = 8_000  # rows: below, a second process costs more than it saves


def answer(argv: Sequence[str]) -> str | None:
    """What a build with this command line prints, if it has nothing to do; None where that is not known.

    Args:
        argv: The words after the program's name.
    """
    from time import perf_counter

    started = perf_counter()
    words = [word for word in argv if word not in _QUIET]
    targets = _targets(words)
    if targets is None:
        return None
    try:
        here = os.getcwd()
        root = _root(here)
    except OSError:
        return None
    if root is None or (targets and root != here):
        return None
    count = None
    try:
        count = _fresh(root, "\x1f".join(targets) or "\x1f")
    except (OSError, ValueError, MemoryError):
        pass
    if count is None:
        import gc

        os.chdir(here)  # the ordinary way asks where the user stands,
        gc.enable()  # and may run functions of stages in this process
        return None
    if len(words) < len(argv):
        return ""
    seconds = perf_counter() - started
    counted = f"{count} fresh" if count else "nothing to do"
    return f"{counted} in {seconds:.{2 if seconds < 0.995 else 1}f} s\n"


def _targets(argv: Sequence[str]) -> list[str] | None:
    """The targets of a plain build; None if the command line is not just one."""
    words = list(argv)
    if words and words[0] == "build":
        words = words[1:]
    elif words and words[0] in _COMMANDS:
        return None
    targets: list[str] = []
    while words:
        word = words.pop(0)
        if word in ("-j", "--jobs") and words and words[0].isdecimal() and words[0] != "0":
            words.pop(0)
        elif word in ("-k", "--keep-going") or (word.startswith("-j") and word[2:].isdecimal() and int(word[2:]) > 0):
            continue
        elif word.startswith("-") or not word:
            return None
        else:
            targets.append(word)
    return targets


def _root(folder: str) -> str | None:
    """The folder of the nearest Pipefile from *folder* upwards."""
    while True:
        if os.path.isfile(f"{folder}/{PIPEFILE}"):
            return folder
        above = os.path.dirname(folder)
        if above == folder:
            return None
        folder = above


def _fresh(root: str, request: str) -> int | None:
    """How many edges *request* stands for, if all of them are as the index says."""
    from pipefile.store.index import Damaged, Meta, Reader

    store = _store(root)
    if store is None or _busy(root, store):
        return None
    try:
        reader = Reader(f"{root}/{store}/index")
    except Damaged:
        return None
    import gc

    gc.disable()  # a hundred thousand strings are about to be made, and none of them is garbage
    try:
        meta = Meta.unpack(reader.texts("meta"))
        if not _same_circumstances(meta):
            return None
        if reader.texts("requests") != [request]:  # one is kept: the last one that was built whole
            return None
        numbers = reader.numbers("request_rows", "i")
        if len(numbers) < 4:
            return None
        count = numbers[0]
        return count if _stands(reader, meta, numbers, root) else None
    except Damaged:
        return None
    finally:
        reader.close()


def _store(root: str) -> str | None:
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


def _same_circumstances(meta: Meta) -> bool:
    from pipefile import __version__
    from pipefile.base.digest import KEY_FORMAT, hide
    from pipefile.store.index import boot_id

    if meta.version != f"{__version__}/{KEY_FORMAT}" or meta.python != f"{sys.version_info[0]}.{sys.version_info[1]}":
        return False
    if meta.boot != boot_id():
        return False  # what was written just before a crash is looked at again
    return all(hide(name, os.environ.get(name)) == value for name, value in meta.env.items())


def _stands(reader: Reader, meta: Meta, numbers: array[int], root: str) -> bool:
    """Whether all rows of a request are as the index has them."""
    from pipefile.store.index import STAT_COLUMNS, columns

    _, plain, absent, folders = numbers[0], numbers[1], numbers[2], numbers[3]
    if len(numbers) != 4 + plain + absent + folders:
        return False
    os.chdir(root)  # relative paths are a third cheaper to look up
    names = reader.texts("folders") or [""]  # the root alone joins to nothing
    stamps = columns(reader.numbers("folder_stats", "q"), 4)
    for row in numbers[4 + plain + absent :]:
        seen = os.stat(names[row] or ".")
        if seen.st_mtime_ns != stamps[2][row] or seen.st_ctime_ns != stamps[3][row] or not _same_number(seen.st_ino, stamps[1][row]):
            return False
    paths = reader.texts("paths")
    stats = columns(reader.numbers("stats", "q"), STAT_COLUMNS)
    rows = numbers[4 : 4 + plain]
    everything = plain == meta.plain
    for row in numbers[4 + plain : 4 + plain + absent]:
        if os.path.lexists(paths[row]):
            return False
    if plain < _SPLIT_FROM or len(os.sched_getaffinity(0)) < 2:
        return _files_stand(paths, stats, range(plain) if everything else rows)
    half = plain // 2
    if everything:
        return _both(paths, stats, range(half), range(half, plain))
    return _both(paths, stats, rows[:half], rows[half:])


def _both(paths: list[str], stats: list[array[int]], first: Sequence[int], second: Sequence[int]) -> bool:
    """Look at two shares of the files at once, the second in a forked process."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            status = 0 if _files_stand(paths, stats, second) else 1
        finally:
            os._exit(status)
    stands = False
    try:
        stands = _files_stand(paths, stats, first)
    finally:
        if not stands:
            import signal

            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
    return stands and status == 0


def _files_stand(paths: list[str], stats: list[array[int]], rows: Sequence[int]) -> bool:
    stat = os.stat
    devices, inodes, sizes, mtimes, ctimes, modes = stats
    if isinstance(rows, range):  # the whole index, or a half of it: slices are cheaper than looking up each row
        here = slice(rows.start, rows.stop)
        names = paths[here]
        devices, inodes, sizes, mtimes, ctimes, modes = [column[here] for column in stats]
    else:
        names = [paths[row] for row in rows]
        devices, inodes, sizes, mtimes, ctimes, modes = [[column[row] for row in rows] for column in stats]  # type: ignore[assignment]
    try:
        for name, device, inode, size, mtime, ctime, mode in zip(names, devices, inodes, sizes, mtimes, ctimes, modes, strict=True):
            seen = stat(name)
            if (
                seen.st_ctime_ns != ctime
                or seen.st_mtime_ns != mtime
                or seen.st_size != size
                or seen.st_mode != mode
                or (seen.st_ino != inode and not _same_number(seen.st_ino, inode))
                or (seen.st_dev != device and not _same_number(seen.st_dev, device))
            ):
                return False
    except OSError:
        return False
    return True


def _same_number(now: int, kept: int) -> bool:
    """Whether a device or inode number is the one that a signed column kept."""
    return now == kept or now - (1 << 64) == kept
