"""What is known of all files: whether a path has really changed is one stat away.

It is known from the index, which every build writes (remembered.py). What the index does not vouch for, files of stages that have failed for example,
is remembered as it was seen, and so is what a build has been started for: while a file stays like that, it is no reason for another one.

Paths are from the project's root, or absolute.
"""

from __future__ import annotations

import os
import stat as stat_bits
from collections.abc import Iterable, Mapping

from pipefile.base.disk import OsDisk
from pipefile.base.paths import folder_of, name_of
from pipefile.engine import fastlane
from pipefile.engine.fastlane import Seen
from pipefile.engine.globs import GlobMatch, stands_in
from pipefile.engine.world import is_made_by
from pipefile.store.free import NAME as LOCK
from pipefile.store.index import ASKED, CODE, GLOBBED, INSIDE, PRESENT, TRUSTED, Damaged, Reader, folder_stamp_of, stamp_of, stamps_of
from pipefile.store.index import NAME as INDEX
from pipefile.watch.hints import Hints
from pipefile.watch.names import is_code, is_own, is_passing
from pipefile.watch.remembered import FOLDER, NOWHERE, Remembered, Stamp

_NO_STAMP = (0, 0, 0, 0)
_CTIME = 4  # its place in a stamp
_FEW, _SHARE = 64, 4  # rows that a build is told of: so many, or this part of all of them


class Known:
    """
    Args:
        root: Absolute path of the project's root.
        pipefile: The Pipefile, from there.
        request: Targets, as the index has them.
        environ: The environment of the builds.

    Attributes:
        store: The store's folder, from the root.
        mending: Set if the last build could not begin: files, and folders that end in `/`, that may mend that.
        behind: What was changed while the last build ran and was noticed by it too late: a reason for another one, however it is now.
        memory: What the last build has left known.
    """

    def __init__(self, root: str, pipefile: str, request: str, environ: Mapping[str, str]) -> None:
        self.root = root
        self.store = fastlane.STORE
        self.mending: frozenset[str] | None = None
        self.behind: set[str] = set()
        self.pipefile = pipefile
        self._request = request
        self._environ = environ
        self._disk = OsDisk(root)
        self._stamps: tuple[tuple[int, ...], tuple[int, ...] | None] | None = None
        self._reader: Reader | None = None
        self._tried: dict[str, Stamp] = {}
        self._tried_folders: dict[str, Stamp] = {}
        self._recorded: dict[str, Stamp | None] = {}  # what the index said of these before the build that was started for them; folders end in `/`
        self._doubtful: set[str] = set()  # what has changed while a build ran that could not vouch for what it knows; folders end in `/`
        self._touched: set[str] = set()  # folders that may have another stamp than the index says
        self.memory = Remembered(None, request, environ)

    def load(self) -> None:
        """Read the index, if it is another one than the last that was read. One that is gone or damaged changes nothing of what is known."""
        path = f"{self._disk.at(self.store)}/{INDEX}"
        reader = None
        try:
            if stamps_of(path) == self._stamps:
                return
            reader = Reader(path)
            self.memory = Remembered(reader, self._request, self._environ, self.memory)
        except (Damaged, OSError, ValueError, KeyError, IndexError, MemoryError):
            if reader is not None:
                reader.close()
            return
        if self._reader is not None:
            self._reader.close()
        self._reader = reader
        self._stamps = reader.stamps()

    def forget(self) -> None:
        """Nothing is known any more."""
        self.close()
        self.memory = Remembered(None, self._request, self._environ)
        self._stamps = self.mending = None
        self._tried.clear()
        self._tried_folders.clear()
        self._recorded.clear()
        self._doubtful.clear()
        self.behind.clear()
        self._touched.clear()

    def close(self) -> None:
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    # -- what is told of

    def in_store(self, path: str) -> bool:
        return path == self.store or path.startswith(self.store + "/")

    def concern(self, hints: Hints) -> bool:
        """Whether any of it can bear on what is built: most of what happens in a busy folder does not."""
        if hints.trees or hints.folders or hints.everything:
            return True
        folders, rows = self.memory.folders, self.memory.row_of
        for path in hints.names:
            if path != LOCK and not self.in_store(path) and (path in rows or folder_of(path) in folders or self._may_mend(path)):
                return True
        return False

    def _may_mend(self, path: str) -> bool:
        """Whether a build that could not begin may be able to, now that something has happened to a file."""
        if self.mending is None or is_own(path, self.store) or is_passing(path):
            return False
        return path in self.mending or f"{folder_of(path)}/" in self.mending or path.endswith((".toml", ".py", ".env"))

    def are_outputs(self, paths: Iterable[str]) -> bool:
        return all(self._is_output(path.rstrip("/")) for path in paths)

    def _is_output(self, path: str) -> bool:
        return is_own(path, self.store) or self.memory.made(path) >= 0

    # -- what has changed

    def changed(self, hints: Hints, sources_only: bool = False) -> list[str]:
        """The paths that are neither as the last build knew them, nor as they were when a build was last started for them; folders end in `/`.

        Args:
            hints: Where to look.
            sources_only: A build runs: its outputs come and go.
        """
        found = [] if sources_only else [path for path in self._records(hints.names) if path not in self._tried]
        for path in sorted(self._paths_in(hints)):
            if sources_only and self._is_output(path):
                continue
            now = self._now(path)
            before = self._tried.get(path, self.memory.recorded(path))
            if path in self._doubtful or (now != before and not (before is None and now == NOWHERE)):
                found.append(path)
        names: dict[str, set[str]] = {}
        for path in (*hints.names, *hints.trees):
            names.setdefault(folder_of(path), set()).add(name_of(path))
        for folder in sorted(self._folders_in(hints)):
            if self._folder_changed(folder, None if hints.everything or folder in hints.folders else names.get(folder)):
                found.append(folder + "/")
        for path in sorted(self.mending or ()):
            if path[-1:] == "/" and path not in found and hints.cover(path) and self._folder_now(path[:-1]) != self._tried_folders.get(path[:-1]):
                found.append(path)
        return found + sorted(self.behind.difference(found))

    def _paths_in(self, hints: Hints) -> set[str]:
        memory = self.memory
        if hints.everything:
            found = {*memory.suspects(self.root), *self._tried}
        else:
            found = {path for path in hints.names if path in memory.row_of or path in self._tried}
            for folder in hints.folders:
                found.update(memory.index.paths[row] for row in memory.in_folder.get(folder, ()))
            for tree in hints.trees:
                found |= memory.below(tree)
        found = {path for path in found if memory.matters(path) or path in self._tried}
        found.update(path for path in hints.names if self._may_mend(path))
        found.update(path for path in self.mending or () if not path.endswith("/") and hints.cover(path))
        return {path for path in found if not self.in_store(path)}

    def _records(self, names: Iterable[str]) -> Iterable[str]:
        """Those of *names* that are records, and gone."""
        for path in names:
            name = name_of(path)
            if name[:1] == "." and name.endswith(".hash"):
                output = f"{folder_of(path)}/{name[1:-5]}".lstrip("/")
                if self.memory.made(output) >= 0 and self.memory.recorded(output) is not None and not os.path.lexists(self._disk.at(path)):
                    yield path

    def _now(self, path: str) -> Stamp:
        try:
            seen = os.stat(self._disk.at(path))
        except OSError:
            return NOWHERE
        return FOLDER if stat_bits.S_ISDIR(seen.st_mode) else stamp_of(seen)

    def _folders_in(self, hints: Hints) -> set[str]:
        flags = self.memory.folders
        if hints.everything:
            return set(flags)
        found = {folder for folder in hints.folders if folder in flags}
        for path in hints.names:
            if is_own(path, self.store) or path in self.memory.row_of:
                self._touched.add(folder_of(path))
            elif folder_of(path) in flags:
                found.add(folder_of(path))
        for tree in hints.trees:
            if not is_own(tree, self.store):
                below = tree + "/"
                found.update(folder for folder in flags if folder == tree or folder.startswith(below))
                found.update({folder_of(tree)} & flags.keys())
        return found

    def _folder_changed(self, folder: str, names: set[str] | None) -> bool:
        """Whether a folder's names are not as they were, as far as it matters.

        Args:
            folder: Which one.
            names: Those at which something has happened; None where that is not known.
        """
        if f"{folder}/" in self._doubtful:
            return True
        flags = self.memory.folders[folder]
        now, recorded = self._folder_now(folder), self.memory.index.folder_stamp(folder)
        if now == recorded:
            return False
        self._touched.add(folder)
        before = self._tried_folders.get(folder, recorded)
        if now == before:
            return False
        if before == _NO_STAMP and names is None:  # nothing vouches for its names, and nothing is known to have happened in it
            self._tried_folders[folder] = now
        else:
            code = flags & CODE and (names is None or any(self._may_be_code(folder, name) for name in names))
            if flags & (INSIDE | ASKED) or code:
                return True
        return bool(flags & GLOBBED) and not all(self._stands(pattern, match, folder) for pattern, match in self.memory.globs.get(folder, ()))

    def _may_be_code(self, folder: str, name: str) -> bool:
        """Whether a name in a folder can belong to a module: without a suffix it is a package's, and no file's that is there."""
        if is_passing(name) or not is_code(name):
            return False
        return "." in name or not os.path.isfile(self._disk.at(f"{folder}/{name}" if folder else name))

    def _stands(self, pattern: str, match: GlobMatch, folder: str) -> bool:
        def is_dead(path: str) -> bool:
            return is_made_by(self._disk, path, pipefiles)

        pipefiles = [self.pipefile, *[path for path in self.memory.row_of if path.endswith(f"/{fastlane.PIPEFILE}")]]  # those that it includes
        try:
            return stands_in(self._disk, pattern, match, folder, is_dead, self.store)
        except OSError:
            return False

    def _folder_now(self, folder: str) -> Stamp:
        try:
            return folder_stamp_of(os.stat(self._disk.at(folder or ".")))
        except OSError:
            return NOWHERE

    # -- rounds

    def trying(self, changed: Iterable[str]) -> None:
        """A build is about to be started for these: as they are now, they are no reason for another one."""
        self.behind.clear()
        for path in changed:
            self._doubtful.discard(path)
            if path.endswith("/"):
                self._try_folder(path[:-1])
            else:
                self._try(path, self._now(path))

    def _try(self, path: str, now: Stamp) -> None:
        self._tried[path] = now
        self._recorded[path] = self.memory.recorded(path)

    def _try_folder(self, folder: str) -> None:
        self._tried_folders[folder] = self._folder_now(folder)
        self._recorded[f"{folder}/"] = self.memory.index.folder_stamp(folder)

    def settle(self, during: Hints, since: int) -> None:
        """A build has ended, and the index is read: take what it leaves as known.

        Args:
            during: What was heard while it ran.
            since: Stamp (ns) of its beginning, for files of which no event would have told.
        """
        memory, index = self.memory, self.memory.index
        unknown = set(memory.unknown)
        heard = self._paths_in(Hints(during.names, during.trees)) if unknown or self.mending is not None else set()
        mending = self.mending or frozenset()
        for path in [*[index.paths[row] for row in unknown if memory.matters(index.paths[row])], *[path for path in mending if path[-1:] != "/"]]:
            now = self._now(path)
            silent = during.everything or folder_of(path) in during.folders
            moved = path in heard or (silent and len(now) > _CTIME and now[_CTIME] >= since)
            if memory.made(path) >= 0 or (not moved and path not in self._tried):
                self._try(path, now)
        for path in heard:
            if memory.made(path) in unknown:  # a stage has failed, and left this behind
                self._try(path, self._now(path))
        for folder in memory.folders if unknown else ():
            if memory.made(folder) in unknown:
                self._try_folder(folder)
        for path, stamp in list(self._tried.items()):
            recorded = memory.recorded(path)
            if not (path in memory.row_of or self._may_mend(path)) or recorded in (stamp, self._now(path)) or self._is_renewed(path, recorded):
                del self._tried[path]
        for folder in [path[:-1] for path in mending if path[-1:] == "/"]:
            if folder not in self._tried_folders:
                self._try_folder(folder)
        for folder, stamp in list(self._tried_folders.items()):
            recorded = index.folder_stamp(folder)
            if f"{folder}/" not in mending and (folder not in memory.folders or recorded == stamp or self._is_renewed(f"{folder}/", recorded)):
                del self._tried_folders[folder]
        self._recorded = {path: stamp for path, stamp in self._recorded.items() if path in self._tried or path[:-1] in self._tried_folders}
        self._touched = {folder for folder in self._touched if self._is_other(folder)}
        self._doubtful = set() if memory.vouched else self._doubted(during, since)

    def _doubted(self, during: Hints, since: int) -> set[str]:
        """What the index knows a newer state of than the build may have seen: it has no request then, as in some projects always."""
        memory = self.memory
        found: set[str] = set()
        explicit = Hints(during.names, during.trees)
        heard = self._paths_in(explicit)
        for path in heard if not (during.everything or during.folders) else self._paths_in(during):
            now = self._now(path)
            if memory.made(path) < 0 and (path in heard or (len(now) > _CTIME and now[_CTIME] >= since)):
                found.add(path)
        found.update(f"{folder}/" for folder in self._folders_in(explicit) if memory.folders[folder] & (INSIDE | CODE | ASKED))
        return found

    def doubt(self, folders: Iterable[str], since: int) -> None:
        """Doubt what the index says of folders that nobody watched while the build ran: it may have a newer state than the build has seen.

        Args:
            folders: Those that are watched from now on.
            since: As for `settle`.
        """
        if not self.memory.vouched:
            known = self.memory.folders
            self._doubtful.update(f"{folder}/" for folder in folders if folder in known and max(self._folder_now(folder), default=0) >= since)

    def _is_renewed(self, path: str, recorded: Stamp | None) -> bool:
        """Whether the index knows something that it did not know when a build was started for a path: that build has looked at it since then, and
        whatever it is now (gone again, for example, as it was before) is to be compared with that."""
        return recorded not in (None, _NO_STAMP, self._recorded.get(path))

    def _is_other(self, folder: str) -> bool:
        return folder in self.memory.folders and self.memory.index.folder_stamp(folder) != self._folder_now(folder)

    def seen(self) -> Seen | None:
        """What a build can start from: all that is not as the index has it. None where it has to look for itself."""
        memory, reader, index = self.memory, self._reader, self.memory.index
        if reader is None or not memory.numbers or self.mending is not None or self.pipefile != fastlane.PIPEFILE or self._is_outdated():
            return None
        seen = Seen(reader, self.root, self.store, self._request, memory.numbers)
        assert memory.columns is not None  # a request has a graph
        seen.read = (index, memory.columns)
        asked = memory.asked
        rows = {row for path in self._tried if (row := memory.row_of.get(path, -1)) >= 0 and asked[row] and self._now(path) != memory.stamp(row)}
        if not seen.whole:
            rows.update(row for row, flags in enumerate(index.flags) if asked[row] and flags & PRESENT and not flags & TRUSTED)
        seen.rows = sorted(rows)
        touched = self._touched | set(self._tried_folders)
        if touched:
            wanted = set(memory.numbers[6 + seen.plain + seen.absent :])
            numbers = {folder: number for number, folder in enumerate(index.folders)}
            for folder in touched:
                number = numbers.get(folder, -1)
                if number in wanted and self._is_other(folder):
                    if self._folder_now(folder) == NOWHERE:
                        return None
                    seen.changed_folders.append(number)
        return seen if len(seen.rows) <= max(_FEW, (seen.block + seen.plain) // _SHARE) else None

    def _is_outdated(self) -> bool:
        try:
            return stamps_of(f"{self._disk.at(self.store)}/{INDEX}") != self._stamps
        except OSError:
            return True
