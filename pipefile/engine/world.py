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
        self._real: dict[str, str] = {}
        self._remembered: dict[str, globs.GlobMatch] | None = None

    def kind(self, path: str) -> Literal["absent", "file", "directory", "other"]:
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
        folder = folder_of(path)
        there = self._real.get(folder)
        if there is None:
            there = self._real[folder] = self._follow(folder or ".")
        found = join("" if there == "." else there, name_of(path))
        seen = self._disk.lstat(path)
        return self._follow(path) if seen is not None and stat_bits.S_ISLNK(seen.st_mode) else found

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
        return self._alive(found.paths)

    def forget_changed(self, stamps: Mapping[str, tuple[int, ...]]) -> bool:
        """Forget what globs have found that would find something else by now.

        Args:
            stamps: Of folders, as they are now. A glob whose folders are as the index has them needs no second look.

        Returns:
            Whether there were any.
        """
        index = self._files.index
        forgotten = []
        for pattern, match in self.globs.items():
            if all(folder in stamps and index.folder_stamp(folder) == stamps[folder] for folder in match.folders):
                continue
            if not self.stands(pattern, match):
                forgotten.append(pattern)
        for pattern in forgotten:
            del self.globs[pattern]
        return bool(forgotten)

    def stands(self, pattern: str, match: globs.GlobMatch) -> bool:
        """Whether a glob finds now what it has found before."""
        try:
            return self._expand(pattern) == match
        except InputError:
            return False

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
    return json.dumps([[pattern, match.paths, match.folders] for pattern, match in sorted(found.items())]).encode() if found else b""


def unpack_globs(data: bytes) -> dict[str, globs.GlobMatch]:
    """What `pack_globs` packed. The index has a checksum, so anything else is a bug of ours."""
    if not data:
        return {}
    return {pattern: globs.GlobMatch(tuple(paths), tuple(folders)) for pattern, paths, folders in json.loads(data)}
