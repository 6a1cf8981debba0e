"""What stands on the disk now, as digests, with as little reading as trust allows.

A digest from the index holds while the file's stat is as it was (store/index.py); else the file is hashed, once a build. Stat comes before
the first byte is read, so that a change in between shows as another stat next time.
"""

from __future__ import annotations

import errno
import os
import stat as stat_bits
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import NamedTuple

from pipefile.base import digest as digests
from pipefile.base.errors import InputError
from pipefile.base.paths import parents, show
from pipefile.model.graph import FileSet
from pipefile.model.ports import Disk
from pipefile.model.record import ABSENT
from pipefile.plan.key import set_digest
from pipefile.store.index import DIRECTORY, TRUSTED, Index, stamp_of

Stamp = tuple[int, int, int, int, int, int]

SMALL = 1 << 20  # bytes: a file that is hashed again rather than waited for


class State(NamedTuple):
    """A path as it was when last looked at.

    Args:
        kind: "absent", "file", "directory"; "link" only for places of outputs; GONE for a temporary output that
            was removed: it has its digest still.
        digest: ABSENT for what is absent or no file or directory.
        stamp: None for what is absent and for directories, whose members have their own.
        settled: The digest was made when the stamp could not have hidden another change, or it is the index's own.
    """

    kind: str
    digest: str
    stamp: Stamp | None
    settled: bool = False


GONE = "gone"

NOTHING = State("absent", ABSENT, None, True)


class Files:
    """Digests of the files of one project during one command. Nothing is written.

    Args:
        disk: Where they are.
        algorithm: "blake3" or "sha256".
        index: What an earlier build knew.
        doubtful: Stamps (ns) from here on are not believed: set after a crash of the machine (4-architecture: boot id); None believes all.
        store: The store's folder, which is no part of a directory that it lies in.
    """

    def __init__(self, disk: Disk, algorithm: str, index: Index, doubtful: int | None = None, store: str = "") -> None:
        self.disk = disk
        self.algorithm = algorithm
        self.index = index
        self._doubtful = doubtful
        self.known: dict[str, State] = {}
        self.seen: dict[str, os.stat_result] = {}  # stats that resolving took of regular files; each is used once
        self.places: dict[str, os.stat_result | None] = {}  # lstats of places of outputs, taken when they were checked; each is used once
        self.members: dict[str, tuple[list[str], list[str]]] = {}
        self._forgotten: dict[str, State] = {}
        self._swayed: set[str] = set()  # what was another one in between, though it may be by now what it was at first
        self._sets: dict[int, dict[str, str]] = {}
        self._set_paths: dict[int, tuple[str, ...]] = {}
        self._kept_sets: list[FileSet] = []
        self.hashed = 0
        self.store = store
        self.left_out: set[str] = set()
        """Outputs of edges that are left out: what still stands there is dead, and no input."""
        self.optional: Collection[str] = ()
        """Outputs that may be absent after their stage has run: sets are without those that are."""
        self.late: Callable[[FileSet], tuple[str, ...]] = lambda files: files.paths

    # -- single paths

    def state(self, path: str) -> State:
        """What stands at *path* now, links followed.

        Raises:
            InputError: Something that cannot be an input: a FIFO, a socket, a device, a dangling link, a file that cannot be read.
        """
        found = self.known.get(path)
        if found is None:
            found = self.known[path] = self._look(path)
        return found

    def digest(self, path: str) -> str:
        found = self.known.get(path)
        return (found or self.state(path)).digest

    def forget(self, path: str) -> None:
        """Look at *path* anew when it is asked for next."""
        state = self.known.pop(path, None)
        if state is not None:
            first = self._forgotten.setdefault(path, state)
            if first.digest != state.digest:
                self._swayed.add(path)

    def restless(self) -> set[str]:
        """Paths that were not the same throughout this command: whoever looked first saw other bytes than whoever looks now."""
        return {path for path, state in self._forgotten.items() if path in self._swayed or self._has_other(path, state.digest)}

    def _has_other(self, path: str, digest: str) -> bool:
        try:
            return self.digest(path) != digest
        except InputError:
            return True

    def leave_out(self, paths: Iterable[str]) -> None:
        """Take outputs for absent wherever they are inputs. As places of outputs they are looked at as ever."""
        for path in paths:
            self.left_out.add(path)
            self.known.pop(path, None)

    def is_left_out(self, path: str) -> bool:
        return bool(self.left_out) and (path in self.left_out or any(folder in self.left_out for folder in parents(path)))

    def _look(self, path: str) -> State:
        if self.is_left_out(path):
            return NOTHING
        try:
            seen = self.seen.pop(path, None) or self.disk.stat(path)
            if seen is None:
                link = self.disk.lstat(path)
                if link is not None and stat_bits.S_ISLNK(link.st_mode):
                    raise InputError(f"`{show(path)}` is a link to `{show(self.disk.readlink(path))}`, which does not exist")
                return NOTHING
            return self.of_stat(path, seen)
        except OSError as error:
            raise unreadable(path, error) from error

    def of_stat(self, path: str, seen: os.stat_result) -> State:
        """The state of a path whose stat is known already."""
        mode = seen.st_mode
        if stat_bits.S_ISREG(mode):
            stamp = stamp_of(seen)
            row = self.index.row(path)
            if row >= 0 and self.index.flags[row] & TRUSTED and self.index.stat_of(row) == stamp and not self._in_doubt(stamp):
                raw = self.index.digests[32 * row : 32 * row + 32]
                return State("file", digests.from_raw(raw, self.algorithm), stamp, True)
            return self.hash(path)
        if stat_bits.S_ISDIR(mode):
            return self.directory(path)
        if path == "/dev/null":
            return State("file", digests.of_bytes(b"", self.algorithm), stamp_of(seen), True)
        what = "a FIFO" if stat_bits.S_ISFIFO(mode) else "a socket" if stat_bits.S_ISSOCK(mode) else "a device"
        raise InputError(f"`{show(path)}` is {what}, not a file", hint="only files and directories can be inputs and outputs")

    def hash(self, path: str, follow: bool = True, kept: list[bytes] | None = None) -> State:
        """The state of a regular file, from its bytes; *follow* and *kept* as Disk.digest has them."""
        self.hashed += 1
        digest, seen = self.disk.digest(path, self.algorithm, follow, kept)
        return State("file", digest, stamp_of(seen))

    @staticmethod
    def stamp(seen: os.stat_result) -> Stamp:
        return stamp_of(seen)

    def _in_doubt(self, stamp: Stamp) -> bool:
        return self._doubtful is not None and max(stamp[3], stamp[4]) >= self._doubtful

    def same(self, path: str, state: State) -> bool:
        """Whether *path* is untouched since *state* was taken: stat alone decides, so a change back to the old bytes is a change."""
        if state.kind == "directory":
            return self.directory(path, fresh=True).digest == state.digest and self._members_stand(path)
        try:
            seen = self.disk.stat(path)
        except OSError:
            return False
        if seen is None:
            return state.kind == "absent"
        return state.stamp is not None and stamp_of(seen) == state.stamp

    def size_of(self, paths: Iterable[str]) -> int:
        """Bytes of files and of all that is in directories, as far as this command has looked at them."""
        size = 0
        for path in paths:
            for each in (path, *self.members.get(path, ((), ()))[0]):
                state = self.known.get(each)
                if state is not None and state.stamp is not None:
                    size += state.stamp[2]
        return size

    # -- directories

    def directory(self, path: str, fresh: bool = False) -> State:
        """The digest of a directory: its sorted entries with type, exec bit and digest, or the text of links; empty folders count.

        Records and temporary files of pipefile's own are left out, and so is the store.

        Args:
            path: Which one.
            fresh: Do not put what is found into what the build knows; members known to be settled are believed by their stats still.
        """
        lines: list[tuple[bytes, str]] = []
        files: list[str] = []
        folders: list[str] = []
        todo = [path]
        lead = 0 if path == "." else len(path) + 1
        while todo:
            folder = todo.pop()
            folders.append(folder)
            for name, kind in self.disk.names(folder):
                inner = name if folder == "." else f"{folder}/{name}"
                if is_own(name) or inner == self.store:
                    continue
                relative = os.fsencode(inner[lead:])
                if kind == "directory":
                    todo.append(inner)
                    lines.append((relative, "directory"))
                elif kind == "link":
                    lines.append((relative, f"link {self.disk.readlink(inner)}"))
                elif kind == "file":
                    lines.append((relative, f"file {self._member(inner, fresh)}"))
                    files.append(inner)
                else:
                    raise InputError(f"`{show(inner)}` is neither a file nor a directory", hint=f"it lies in directory `{show(path)}/`")
        if not fresh:
            self.members[path] = (files, folders)
        return State("directory", digests.of_tree(lines, self.algorithm), None, True)

    def _member(self, path: str, fresh: bool) -> str:
        before = self.known.get(path)
        seen = self.disk.stat(path)
        if seen is None:
            return ABSENT
        if before is not None and before.stamp == stamp_of(seen):
            return before.digest
        state = self.of_stat(path, seen)
        if not fresh:
            self.known[path] = state
        return state.digest

    def _members_stand(self, path: str) -> bool:
        for inner in self.members.get(path, ((), ()))[0]:
            before, seen = self.known.get(inner), self.disk.stat(inner)
            if before is None or seen is None or stamp_of(seen) != before.stamp:
                return False
        return True

    # -- places of outputs

    def output(self, path: str) -> State:
        """What stands at the place of an output, links not followed: a link there is no output."""
        found = self.known.get(path)
        if found is not None:
            return found
        try:
            seen = self.places.pop(path) if path in self.places else self.disk.lstat(path)
            if seen is None:
                return NOTHING
            if not stat_bits.S_ISREG(seen.st_mode) and not stat_bits.S_ISDIR(seen.st_mode):
                return State("link" if stat_bits.S_ISLNK(seen.st_mode) else "other", ABSENT, None, True)
            found = self.known[path] = self.of_stat(path, seen)
            return found
        except OSError as error:
            raise unreadable(path, error) from error

    def output_digest(self, path: str) -> str:
        found = self.known.get(path)
        return (found or self.output(path)).digest

    # -- sets

    def set_digest(self, files: FileSet, folder: str = "") -> str:
        """One digest over a set as a folder sees it; made once, however many edges use it."""
        known = self._sets.setdefault(id(files), {})
        found = known.get(folder)
        if found is None:
            found = known[folder] = set_digest(self.set_paths(files), self.digest, self.algorithm, folder)
            self._kept_sets.append(files)  # ids are only unique while their objects live
        return found

    def set_paths(self, files: FileSet) -> tuple[str, ...]:
        """The paths of a set; a late one is expanded when it is first asked for, which is after its folder is final."""
        if files.kind != "late":
            if self.left_out and files.kind == "glob":
                return self._made([path for path in files.paths if not self.is_left_out(path)])
            return self._made(files.paths) if self.optional and files.kind in ("glob", "outputs") else files.paths
        found = self._set_paths.get(id(files))
        if found is None:
            found = self._set_paths[id(files)] = self.late(files)
            self._kept_sets.append(files)
        return found

    def _made(self, paths: Sequence[str]) -> tuple[str, ...]:
        return tuple([path for path in paths if path not in self.optional or self.output(path).kind != "absent"])

    def forget_set(self, files: FileSet) -> None:
        self._sets.pop(id(files), None)
        self._set_paths.pop(id(files), None)

    def moved(self, paths: Iterable[str]) -> None:
        """Look at *paths* anew, and at every set: they have changed under a stage that read them."""
        for path in paths:
            self.forget(path)
        self._sets.clear()

    # -- against the index

    def as_indexed(self, row: int, output: bool) -> bool:
        """Whether the path of an index row has the digest that the row has."""
        path = self.index.paths[row]
        state = self.known.get(path) or (self.output(path) if output else self.state(path))
        flags = self.index.flags[row]
        if not flags & 1:
            if state.kind == "absent" and output and path not in self.optional:
                return False  # it was optional when it was not made, and is not any more
            row_digest = self.index.digests[32 * row : 32 * row + 32]
            return state.kind in ("absent", GONE) and (digests.raw(state.digest) if state.digest else bytes(32)) == row_digest
        if state.kind != ("directory" if flags & DIRECTORY else "file"):
            return False
        return digests.raw(state.digest) == self.index.digests[32 * row : 32 * row + 32]


def is_own(name: str) -> bool:
    """Whether a file name is of pipefile's making: a record or one being written, the temporary folder, the lock."""
    if name[:1] != ".":
        return False
    return name.endswith((".hash", ".hash~")) or name in (".pipefile-tmp", ".pipefile.lock")


def unreadable(path: str, error: OSError) -> InputError:
    """What to say of a path that cannot be looked at or read."""
    if error.errno == errno.ELOOP:
        return InputError(f"`{show(path)}` is a link that leads in a circle")
    what = (error.strerror or str(error)).lower()
    name = error.filename if isinstance(error.filename, str) else path
    return InputError(f"`{show(path if os.path.isabs(name) else name)}` cannot be read: {what}")


def large_files(disk: Disk, place: str) -> dict[str, tuple[int, ...]]:
    """The files in a directory that are not small -> their stamps."""
    found: dict[str, tuple[int, ...]] = {}
    todo = [place]
    while todo:
        folder = todo.pop()
        for name, kind in disk.names(folder):
            inner = f"{folder}/{name}"
            if kind == "directory":
                todo.append(inner)
            elif kind == "file":
                seen = disk.stat(inner)
                if seen is not None and seen.st_size > SMALL:
                    found[inner] = stamp_of(seen)
    return found
