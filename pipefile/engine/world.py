"""What resolving has to know of the disk (model/ports.py: World)."""

from __future__ import annotations

import json
import os
import stat as stat_bits
from collections.abc import Collection, Mapping, Sequence
from typing import Literal

from pipefile.base.errors import InputError, RecordError
from pipefile.base.paths import folder_of, join, name_of, parents, show, within
from pipefile.engine import globs
from pipefile.engine.files import Files, unreadable
from pipefile.model.graph import FileSet
from pipefile.model.ports import Disk
from pipefile.model.record import Record
from pipefile.model.stage import Output
from pipefile.store import record as record_file
from pipefile.store.index import folder_stamp_of
from pipefile.store.record import Records


class DiskWorld:
    """The disk as the resolver sees it. What globs find is taken from the index while the folders they looked into stand as they were.

    Args:
        files: The project's files.
        records: Its records: a file beside a record that no edge of this Pipefile makes any more is a dead output, which no glob matches.
        store: The store's folder.
        pipefiles: The Pipefile and those that it includes, from the root.
    """

    def __init__(self, files: Files, records: Records, store: str, pipefiles: Collection[str]) -> None:
        self._files = files
        self._disk = files.disk
        self._records = records
        self._store = store
        self._pipefiles = pipefiles
        self.made: Mapping[str, int] = {}
        self.globs: dict[str, globs.GlobMatch] = {}
        self.plain: set[str] = set()
        self._settled = False
        self._real: dict[str, str] = {}
        self._remembered: dict[str, globs.GlobMatch] | None = None

    def settle(self) -> None:
        """From here on stages run: what is told of a path is what stands there then."""
        self._settled = True
        self.plain = set()

    def kind(self, path: str) -> Literal["absent", "file", "directory", "other"]:
        if path in self.plain:
            return "file"
        try:
            seen = self._disk.stat(path)
        except OSError as error:
            raise unreadable(path, error) from error
        if seen is None:
            link = self._disk.lstat(path)
            if link is not None and stat_bits.S_ISLNK(link.st_mode):
                raise InputError(f"`{show(path)}` is a link to `{show(self._disk.readlink(path))}`, which does not exist")
            return "absent"
        mode = seen.st_mode
        if stat_bits.S_ISREG(mode):
            self._files.seen[path] = seen
            return "file"
        return "directory" if stat_bits.S_ISDIR(mode) else "other"

    def real(self, path: str) -> str:
        if path in self.plain:
            return path
        there = self._real_folder(folder_of(path))
        found = join("" if there == "." else there, name_of(path))
        seen = self._disk.lstat(path)
        return self._follow(path) if seen is not None and stat_bits.S_ISLNK(seen.st_mode) else found

    def _real_folder(self, folder: str) -> str:
        there = self._real.get(folder)
        if there is None:
            there = self._real[folder] = self._follow(folder or ".")
        return there

    def _follow(self, path: str) -> str:
        whole, root = os.path.realpath(self._disk.at(path)), os.path.realpath(self._disk.root)
        if whole == root:
            return "."
        return whole[len(root.rstrip("/")) + 1 :] if within(whole, root) else whole

    def glob(self, pattern: str) -> Sequence[str]:
        found = self.globs.get(pattern)
        if found is None:
            found = self._from_index(pattern) or self._expand(pattern)
            self.globs[pattern] = found
            if not self._settled:
                self._note(found)
        return self._alive(found.paths)

    def links(self, pattern: str) -> Sequence[str]:
        self.glob(pattern)
        found = self.globs[pattern]
        if found.links is None or not found.folders or self._real_folder(found.folders[0]) != (found.folders[0] or "."):
            return found.paths
        return found.links

    def _note(self, found: globs.GlobMatch) -> None:
        """Remember what a glob has seen of the files that it found: those that are no links lie where their paths say, if the folder does that the
        glob began in, since it enters no links."""
        if found.links is not None and found.folders and self._real_folder(found.folders[0]) == (found.folders[0] or "."):
            self.plain.update(found.paths)
            self.plain.difference_update(found.links)

    def forget_changed(self, stamps: Mapping[str, tuple[int, ...]]) -> set[str]:
        """Forget what globs have found that would find something else by now.

        Args:
            stamps: Of folders, as they are now. A glob whose folders are as the index has them needs no second look.

        Returns:
            Files and folders that have come or gone; of a glob that cannot be expanded any more, the folders that it has looked into.
        """
        index = self._files.index
        forgotten: dict[str, set[str]] = {}
        for pattern, match in self.globs.items():
            if all(folder in stamps and index.folder_stamp(folder) == stamps[folder] for folder in match.folders):
                continue
            changed = self._changes(pattern, match)
            if changed is not None:
                forgotten[pattern] = changed
        for pattern in forgotten:
            del self.globs[pattern]
        return set().union(*forgotten.values())

    def _changes(self, pattern: str, match: globs.GlobMatch) -> set[str] | None:
        """How what a glob finds now differs from what it has found before; None if it does not."""
        try:
            now = self._expand(pattern)
        except InputError:
            return set(match.folders)
        return None if now == match else (set(now.paths) ^ set(match.paths)) | (set(now.folders) ^ set(match.folders))

    def made_by(self, path: str) -> str:
        record = record_of(self._disk, path)
        if record is None or record.pipefile not in self._pipefiles:
            return ""
        made = next((each for each in record.outputs if each.path == path), None)
        if made is not None and made.digest.startswith(f"{self._files.algorithm}:") and self._files.output_digest(path) != made.digest:
            return ""
        return record.edge

    def names(self, folder: str) -> Sequence[str]:
        try:
            return [name for name, _ in self._disk.names(folder)]
        except OSError:
            return ()

    def expand_late(self, files: FileSet) -> tuple[str, ...]:
        """The files that a glob under a stage's directory output matches, now that this is final."""
        return globs.expand(self._disk, files.text, lambda _: False, self._store).paths

    def late(self, pattern: str, folders: Collection[str]) -> Sequence[str]:
        found = self.globs[pattern] = self._expand(pattern)  # so that the folders outside of *folders* tell when other files come
        paths = self._alive(found.paths, folders)
        return [path for path in paths if not self._files.is_left_out(folder_of(path))] if self._files.left_out else paths

    def _alive(self, paths: Sequence[str], folders: Collection[str] = ()) -> Sequence[str]:
        """Files that do not lie in a directory which is a stage's output: of those, which lie in *folders*."""
        own: dict[str, bool] = {}

        def is_made(folder: str) -> bool:
            for above in (folder, *parents(folder)):
                if above in folders or not above:
                    return False
                found = own.get(above)
                if found is None:
                    found = own[above] = self._is_dead(above)
                if found:
                    return True
            return False

        made = {folder for folder in {folder_of(path) for path in paths} if is_made(folder)}
        return [path for path in paths if folder_of(path) not in made] if made else paths

    def value(self, output: Output, entry: str) -> object:
        from pipefile.engine.items import read_value

        return read_value(self._disk, output, entry)

    def _expand(self, pattern: str) -> globs.GlobMatch:
        try:
            return globs.expand(self._disk, pattern, self._is_dead, self._store)
        except OSError as error:
            raise InputError(f"`{show(pattern)}` cannot be expanded: {(error.strerror or str(error)).lower()}") from error

    def stands_in(self, pattern: str, match: globs.GlobMatch, folder: str) -> bool:
        """As `stands`, if of all its folders only one has changed."""
        try:
            return globs.stands_in(self._disk, pattern, match, folder, self._is_dead, self._store)
        except OSError:
            return False

    def _is_dead(self, path: str) -> bool:
        return is_made_by(self._disk, path, self._pipefiles)

    def _from_index(self, pattern: str) -> globs.GlobMatch | None:
        if self._remembered is None:
            self._remembered = unpack_globs(self._files.index.globs)
        found = self._remembered.get(pattern)
        if found is None:
            return None
        for folder in found.folders:
            stamp = self._files.index.folder_stamp(folder)
            seen = self._disk.stat(folder or ".")
            if stamp is None or seen is None or folder_stamp_of(seen) != stamp:
                return None
        return found


def is_made_by(disk: Disk, path: str, pipefiles: Collection[str]) -> bool:
    """Whether the record beside *path* says that one of these Pipefiles made it. What is still made comes back through the graph's own outputs."""
    record = record_of(disk, path)
    return record is not None and record.pipefile in pipefiles


def record_of(disk: Disk, path: str) -> Record | None:
    """The record beside a file; None if there is none that can be read."""
    at = record_file.record_path(path)
    try:
        return record_file.decode(disk.read(at, record_file.LIMIT, follow=False), at)
    except (OSError, RecordError):
        return None


def pack_globs(found: Mapping[str, globs.GlobMatch]) -> bytes:
    """What globs found, for the index."""
    return json.dumps([[pattern, match.paths, match.folders, match.links] for pattern, match in sorted(found.items())]).encode() if found else b""


def unpack_globs(data: bytes) -> dict[str, globs.GlobMatch]:
    """What `pack_globs` packed. The index has a checksum, so anything else is a bug of ours."""
    if not data:
        return {}
    return {
        pattern: globs.GlobMatch(tuple(paths), tuple(folders), tuple(links[0]) if links and links[0] is not None else None)
        for pattern, paths, folders, *links in json.loads(data)  # an older index says nothing of links
    }
