"""The folders that are watched: by events where the system tells of changes, by looking now and then where it does not.

Paths in here are absolute. For each folder that matters those above it are watched too, up to the project's root, for nothing but names that come and
go: an event of inotify goes to the folder in which a name changes, not to what lies below it.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from pipefile.base.dataclass import dataclass, field
from pipefile.watch import inotify
from pipefile.watch.inotify import DELETE_SELF, IGNORED, ISDIR, MOVE_SELF, MOVED_FROM, NAMES, OVERFLOW, UNMOUNT, Event, Limit
from pipefile.watch.mounts import Mounts


class Queue(Protocol):
    """What inotify.Inotify is."""

    def fileno(self) -> int: ...
    def add(self, folder: str, mask: int) -> int: ...
    def remove(self, watch: int) -> None: ...
    def read(self) -> list[Event]: ...
    def close(self) -> None: ...


@dataclass
class Heard:
    """What events have told. All of it are hints.

    Args:
        names: Paths at which something happened.
        trees: Folders that came or went, with all that is in them.
        lost: Events were lost: anything may have happened.
        root: The root itself was removed or moved away.
    """

    names: set[str] = field(default_factory=set)
    trees: set[str] = field(default_factory=set)
    lost: bool = False
    root: bool = False

    def __bool__(self) -> bool:
        return bool(self.names or self.trees or self.lost or self.root)

    def add(self, other: Heard) -> None:
        self.names |= other.names
        self.trees |= other.trees
        self.lost |= other.lost
        self.root |= other.root


class Folders:
    """
    Args:
        root: The project's root.
        make: Makes the queue of events; None looks at everything now and then.
        mounts: Which file systems are silent.

    Attributes:
        polled: Folders of which no event tells.
        limit: What the system has no more of; set once, when events are given up for that.
        fault: Why else there are no events; "" if there are or none were wanted.
    """

    def __init__(self, root: str, make: Callable[[], Queue] | None, mounts: Mounts) -> None:
        self._root = root
        self._mounts = mounts
        self._queue: Queue | None = None
        self.polled: set[str] = set()
        self.limit: Limit | None = None
        self.fault = ""
        self._wanted: dict[str, int] = {}  # folder -> mask
        self._watch_of: dict[str, int] = {}
        self._paths: dict[int, list[str]] = {}
        self._masks: dict[int, int] = {}
        if make is not None:
            try:
                self._queue = make()
            except OSError as error:
                self._give_up(error)

    @property
    def by_events(self) -> bool:
        """Whether the system tells of changes in some folders at least."""
        return self._queue is not None and len(self.polled) < len(self._wanted)

    def fileno(self) -> int:
        """A descriptor that polls readable when there is something to hear; -1 where there is none."""
        return -1 if self._queue is None else self._queue.fileno()

    def want(self, folders: Mapping[str, int]) -> list[str]:
        """Watch just these folders, and those above them.

        Args:
            folders: Folder -> inotify.OUTPUTS or SOURCES. Those that do not exist are watched when they come.

        Returns:
            Folders that are watched from now on and were not before: what is in them may have changed meanwhile.
        """
        wanted = dict(folders)
        for folder in folders:
            for above in _above(folder, self._root):
                if above in wanted:
                    break
                wanted[above] = NAMES
        for folder in [folder for folder in self._watch_of if folder not in wanted]:
            self._drop(folder)
        self._wanted = wanted
        silent = self._mounts.silent(wanted)
        if self._queue is None:
            silent = set(wanted)
        new = silent - self.polled
        self.polled = silent
        return [*new, *self.renew()]

    def renew(self) -> list[str]:
        """Watch those of the wanted folders that have come since. Returns these."""
        found = self._renew()
        while found and (more := self._renew()):  # one that has come before the folder above it was watched
            found += more
        return found

    def _renew(self) -> list[str]:
        found: list[str] = []
        if self._queue is None:
            return found
        for folder, mask in self._wanted.items():
            watch = self._watch_of.get(folder)
            if folder in self.polled or (watch is not None and self._masks[watch] & mask == mask):
                continue
            if self._place(folder, mask) and watch is None:
                found.append(folder)
            if not self.by_events and not self.fileno() >= 0:  # given up
                return list(self._wanted)
        return found

    def _place(self, folder: str, mask: int) -> bool:
        assert self._queue is not None
        watch = self._watch_of.get(folder, -1)
        try:
            mask |= self._masks.get(watch, 0)
            watch = self._queue.add(folder, mask)
            if self._masks.get(watch, 0) & ~mask:  # another path has led here before
                mask |= self._masks[watch]
                self._queue.add(folder, mask)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG):
                return False
            if error.errno == errno.EACCES:  # nobody tells us what happens in there: it is looked at like a silent folder
                self.polled.add(folder)
                return True
            self._give_up(error)
            return True
        self._watch_of[folder] = watch
        self._masks[watch] = mask
        paths = self._paths.setdefault(watch, [])
        if folder not in paths:
            paths.append(folder)
        return True

    def _give_up(self, error: OSError) -> None:
        """Go on without events. What watches there are go back: other programs want some."""
        self.limit = inotify.limit_of(error)
        if self.limit is None:
            self.fault = (error.strerror or str(error)).lower()
        self.close()
        self.polled = set(self._wanted)

    def _drop(self, folder: str, kernel: bool = True) -> None:
        watch = self._watch_of.pop(folder, None)
        if watch is None:
            return
        paths = self._paths[watch]
        paths.remove(folder)
        if not paths:
            del self._paths[watch], self._masks[watch]
            if kernel and self._queue is not None:
                self._queue.remove(watch)

    def hear(self) -> Heard:
        """What has happened since this was asked for last."""
        heard = Heard()
        for event in self._queue.read() if self._queue is not None else ():
            self._take(event, heard)
        return heard

    def _take(self, event: Event, heard: Heard) -> None:
        if event.mask & OVERFLOW:
            heard.lost = True
            return
        folders = list(self._paths.get(event.watch, ()))  # none: an event of a watch that was taken away meanwhile
        for folder in folders:
            if event.mask & (IGNORED | UNMOUNT | DELETE_SELF | MOVE_SELF):
                heard.trees.add(folder)
                heard.root |= folder == self._root
                self._drop(folder, kernel=not event.mask & IGNORED)
            elif event.name:
                path = f"{folder.rstrip('/')}/{event.name}"
                if not event.mask & ISDIR:
                    heard.names.add(path)
                elif event.mask & NAMES:
                    heard.trees.add(path)
                    if event.mask & MOVED_FROM:  # its watches go with it, and would tell of places where it is no more
                        self._drop_below(path)

    def is_wanted(self, folder: str) -> bool:
        return folder in self._wanted

    def again(self, folder: str) -> None:
        """Watch what a path leads to now, with all that is below."""
        self._drop_below(folder)

    def _drop_below(self, path: str) -> None:
        for folder in [folder for folder in self._watch_of if folder == path or folder.startswith(path + "/")]:
            self._drop(folder)

    def count(self) -> int:
        """How many folders matter, those above not counted."""
        return sum(1 for mask in self._wanted.values() if mask != NAMES)

    def forget(self) -> None:
        """Nothing is watched any more; the root is another folder now, or none."""
        for folder in list(self._watch_of):
            self._drop(folder)

    def close(self) -> None:
        if self._queue is not None:
            self._queue.close()
            self._queue = None
        self._watch_of.clear()
        self._paths.clear()
        self._masks.clear()


def _above(folder: str, root: str) -> Iterable[str]:
    """The folders above one, up to the root; of one that lies outside, the next one alone."""
    base = root.rstrip("/") + "/"
    if not folder.startswith(base):
        if folder not in (root, "/"):
            yield os.path.dirname(folder)
        return
    while len(folder) > len(base):
        folder = os.path.dirname(folder)
        yield folder
        if folder == root:
            return
