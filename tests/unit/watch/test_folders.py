"""Folders that are watched, over a queue that refuses, overflows, and forgets."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from pipefile.watch.folders import Folders
from pipefile.watch.inotify import (
    CLOSE_WRITE,
    CREATE,
    DELETE_SELF,
    IGNORED,
    ISDIR,
    MOVED_FROM,
    NAMES,
    OUTPUTS,
    OVERFLOW,
    SOURCES,
    Event,
    Inotify,
    Limit,
    limit_of,
    parsed,
)  # fmt: skip
from pipefile.watch.mounts import Mounts

QUIET = Mounts("36 35 98:0 / / rw - ext4 x rw\n")


class Queue:
    """Watches folders that exist, up to a limit."""

    def __init__(self, *there: str, most: int = 99, fault: int = errno.ENOSPC) -> None:
        self.there = set(there)
        self.most, self.fault = most, fault
        self.masks: dict[str, int] = {}
        self.events: list[Event] = []
        self.numbers: dict[str, int] = {}
        self.closed = False

    def fileno(self) -> int:
        return 77

    def add(self, folder: str, mask: int) -> int:
        if folder not in self.there:
            raise FileNotFoundError(errno.ENOENT, "no", folder)
        if folder not in self.masks and len(self.masks) >= self.most:
            raise OSError(self.fault, os.strerror(self.fault), folder)
        self.masks[folder] = mask
        return self.numbers.setdefault(folder, len(self.numbers) + 1)

    def remove(self, watch: int) -> None:
        self.masks.pop(next(folder for folder, number in self.numbers.items() if number == watch))

    def read(self) -> list[Event]:
        events, self.events = self.events, []
        return events

    def close(self) -> None:
        self.closed = True


def test_folders_above_are_watched_for_names() -> None:
    """Up to the root, and of folders outside the next one."""
    queue = Queue("/p", "/p/a", "/p/a/b", "/o", "/o/x")
    folders = Folders("/p", lambda: queue, QUIET)
    assert sorted(folders.want({"/p/a/b": SOURCES, "/o/x": OUTPUTS})) == ["/o", "/o/x", "/p", "/p/a", "/p/a/b"]
    assert queue.masks == {"/p": NAMES, "/p/a": NAMES, "/p/a/b": SOURCES, "/o": NAMES, "/o/x": OUTPUTS}
    assert folders.count() == 2
    assert folders.want({"/p/a": SOURCES}) == []
    assert set(queue.masks) == {"/p", "/p/a"}


def test_folders_that_come() -> None:
    """They are watched as soon as the folder above tells of them, however deep."""
    queue = Queue("/p")
    folders = Folders("/p", lambda: queue, QUIET)
    folders.want({"/p/a/b": SOURCES})
    assert set(queue.masks) == {"/p"}
    queue.there |= {"/p/a", "/p/a/b"}
    queue.events = [Event(1, CREATE | ISDIR, "a")]
    heard = folders.hear()
    assert (heard.names, heard.trees) == (set(), {"/p/a"})
    assert sorted(folders.renew()) == ["/p/a", "/p/a/b"]


def test_a_folder_that_moves_away_takes_its_watches_along() -> None:
    """They would tell of a place where it is no more."""
    queue = Queue("/p", "/p/a", "/p/a/b")
    folders = Folders("/p", lambda: queue, QUIET)
    folders.want({"/p/a/b": SOURCES})
    queue.events = [Event(queue.numbers["/p"], MOVED_FROM | ISDIR, "a"), Event(queue.numbers["/p/a/b"], CLOSE_WRITE, "x")]
    heard = folders.hear()
    assert (heard.names, heard.trees) == (set(), {"/p/a"})
    assert set(queue.masks) == {"/p"}


def test_what_is_heard() -> None:
    """Names, a lost root, lost events; each is a hint and no more."""
    queue = Queue("/p", "/p/a")
    folders = Folders("/p", lambda: queue, QUIET)
    folders.want({"/p/a": SOURCES})
    queue.events = [Event(queue.numbers["/p/a"], CLOSE_WRITE, "x"), Event(-1, OVERFLOW, "")]
    heard = folders.hear()
    assert (heard.names, heard.lost, heard.root) == ({"/p/a/x"}, True, False)
    queue.events = [Event(queue.numbers["/p"], DELETE_SELF, ""), Event(queue.numbers["/p"], IGNORED, "")]
    assert folders.hear().root
    assert not folders.hear()


@pytest.mark.parametrize(("fault", "limit"), [(errno.ENOSPC, "fs.inotify.max_user_watches"), (errno.EMFILE, "fs.inotify.max_user_instances")])
def test_a_system_that_has_no_more(fault: int, limit: str) -> None:
    """Everything is polled, all watches go back, and the limit is known."""
    queue = Queue("/p", "/p/a", "/p/b", most=2, fault=fault)
    folders = Folders("/p", lambda: queue, QUIET)
    new = folders.want({"/p/a": SOURCES, "/p/b": SOURCES})
    assert set(new) == {"/p", "/p/a", "/p/b"}
    assert (folders.polled, folders.by_events, folders.fileno(), queue.closed) == (set(new), False, -1, True)
    assert folders.limit is not None
    assert folders.limit.name == limit


def test_a_queue_that_cannot_be_made() -> None:
    def make() -> Queue:
        raise OSError(errno.ENOSYS, "Function not implemented")

    folders = Folders("/p", make, QUIET)
    folders.want({"/p/a": SOURCES})
    assert (folders.limit, folders.fault, folders.polled) == (None, "function not implemented", {"/p", "/p/a"})


def test_silent_folders_are_polled_and_the_others_are_not() -> None:
    """A network disk below the project."""
    queue = Queue("/p", "/p/a", "/p/net")
    folders = Folders("/p", lambda: queue, Mounts("1 2 3:4 / /p/net rw - nfs4 host:/x rw\n"))
    folders.want({"/p/a": SOURCES, "/p/net": SOURCES})
    assert (folders.polled, folders.by_events, set(queue.masks)) == ({"/p/net"}, True, {"/p", "/p/a"})


def test_a_folder_that_may_not_be_read_is_polled() -> None:
    queue = Queue("/p", "/p/a", most=1, fault=errno.EACCES)
    folders = Folders("/p", lambda: queue, QUIET)
    folders.want({"/p/a": SOURCES})
    assert len(folders.polled) == 1
    assert folders.by_events


def test_two_paths_of_one_folder(tmp_path: Path) -> None:
    """The kernel gives one watch for both: both hear, and both want their mask."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    root = os.fspath(tmp_path)
    folders = Folders(root, Inotify, QUIET)
    folders.want({f"{root}/link": OUTPUTS, f"{root}/real": SOURCES})
    (tmp_path / "real" / "x").write_text("1")
    assert folders.hear().names == {f"{root}/link/x", f"{root}/real/x"}
    folders.want({f"{root}/link": OUTPUTS})
    (tmp_path / "real" / "y").write_text("1")
    assert folders.hear().names == {f"{root}/link/y"}
    folders.close()


def test_what_the_kernel_writes(tmp_path: Path) -> None:
    """Names of bytes that are no text, long names, many events in one read."""
    queue = Inotify()
    watch = queue.add(os.fspath(tmp_path), SOURCES)
    names = ["x", "y" * 255, os.fsdecode(b"\xff\xfe"), "a b"]
    for name in names:
        (tmp_path / name).touch()
    (tmp_path / "folder").mkdir()
    events = queue.read()
    assert {event.name for event in events} == {*names, "folder"}
    assert {event.watch for event in events} == {watch}
    assert [event.name for event in events if event.mask & ISDIR] == ["folder"]
    assert queue.read() == []
    queue.remove(watch)
    assert [event.mask for event in queue.read()] == [IGNORED]
    with pytest.raises(NotADirectoryError):
        queue.add(os.fspath(tmp_path / "x"), SOURCES)
    with pytest.raises(FileNotFoundError):
        queue.add(os.fspath(tmp_path / "none"), SOURCES)
    queue.close()
    assert parsed(b"") == []


def test_limits_of_the_system() -> None:
    """An error that is about none says so."""
    assert limit_of(OSError(errno.EACCES, "no")) is None
    found = limit_of(OSError(errno.ENOSPC, "no"))
    assert isinstance(found, Limit)
    assert found.value > 0
