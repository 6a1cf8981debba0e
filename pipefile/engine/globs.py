"""Globs over the disk."""

from __future__ import annotations

import errno
import stat as stat_bits
from collections.abc import Callable
from typing import Literal, NamedTuple

from pipefile.base.paths import folder_of
from pipefile.model.ports import Disk
from pipefile.plan.patterns import bytewise, matcher, pruner, start_folder
from pipefile.store.record import record_path

_NEVER_ENTERED = frozenset([".git", ".pipefile-tmp"])
_LOCK = ".pipefile.lock"


class GlobMatch(NamedTuple):
    """What a glob found.

    Args:
        paths: The files, bytewise sorted.
        folders: The folders whose names were looked at, sorted: while they stand as they were, so does the result. "" is the root.
        links: Links that match: those of the files that are links to files, and links that lead nowhere; None where that is not known.
    """

    paths: tuple[str, ...]
    folders: tuple[str, ...]
    links: tuple[str, ...] | None = ()


def expand(disk: Disk, pattern: str, is_dead: Callable[[str], bool], store: str = "pipeline_outputs") -> GlobMatch:
    """The files that match a glob: regular files and links to such, none of pipefile's own, none in `.git`. Links to folders are not entered.

    Args:
        disk: The disk.
        pattern: A glob as `plan/patterns.py: canonical` gives it.
        is_dead: Whether a file with a record beside it is an output that no edge makes any more. Asked for such files alone.
        store: The store's folder, which is not entered.

    Raises:
        OSError: A folder cannot be read. One that vanishes meanwhile is no fault.
    """
    matches = matcher(pattern)
    if matches is None:
        return GlobMatch((), (), ())
    start = start_folder(pattern)
    while start and start != "/" and not _is_folder(disk, start):  # the nearest folder that is there tells when the others come
        start = folder_of(start)
    may_enter = pruner(pattern)
    paths: list[str] = []
    folders: list[str] = []
    links: list[str] = []
    stack = [] if _closed(start, store) else [start]
    while stack:
        folder = stack.pop()
        found = _in_folder(disk, folder, (matches, may_enter, is_dead, store))
        if found is not None:
            folders.append(folder)
            paths += found[0]
            stack += found[1]
            links += found[2]
    folders.sort()
    return GlobMatch(tuple(bytewise(paths)), tuple(folders), tuple(bytewise(links)))


def stands_in(disk: Disk, pattern: str, before: GlobMatch, folder: str, is_dead: Callable[[str], bool], store: str = "pipeline_outputs") -> bool:
    """Whether a glob finds in one of its folders what it has found there before, links as links, without a look at the others.

    Args:
        disk, pattern, is_dead, store: As for `expand`.
        before: What it has found.
        folder: One of its folders.

    Raises:
        OSError: The folder cannot be read.
    """
    matches = matcher(pattern)
    found = None if matches is None else _in_folder(disk, folder, (matches, pruner(pattern), is_dead, store))
    if found is None:
        return False
    paths, folders, links = found
    within_it = [path for path in before.paths if folder_of(path) == folder]
    if before.links is not None and set(links) != {path for path in before.links if folder_of(path) == folder}:
        return False
    return set(paths) == set(within_it) and set(folders) == {other for other in before.folders if other != folder and folder_of(other) == folder}


_Rules = tuple[Callable[[str], object], Callable[[str], object], Callable[[str], bool], str]


def _in_folder(disk: Disk, folder: str, rules: _Rules) -> tuple[list[str], list[str], list[str]] | None:
    """The files of a folder that match, the folders in it that are to be looked into, and the links, as GlobMatch has them; None if it is gone."""
    matches, may_enter, is_dead, store = rules
    try:
        entries = disk.names(folder)
    except (FileNotFoundError, NotADirectoryError):
        return None
    paths: list[str] = []
    folders: list[str] = []
    links: list[str] = []
    base = folder if folder in ("", "/") else folder + "/"
    records = {name for name, _ in entries if name.endswith(".hash")}
    for name, kind in entries:
        path = base + name
        if kind == "directory":
            if name not in _NEVER_ENTERED and path != store and may_enter(path):
                folders.append(path)
            continue
        if kind == "other" or not matches(path) or _own(name):
            continue
        leads = _leads_to(disk, path) if kind == "link" else "file"
        if leads == "other":
            continue
        if leads == "nothing":
            links.append(path)
            continue
        if records and record_path(name) in records and is_dead(path):
            continue
        paths.append(path)
        if kind == "link":
            links.append(path)
    return paths, folders, links


def _is_folder(disk: Disk, path: str) -> bool:
    seen = disk.stat(path)
    return seen is not None and stat_bits.S_ISDIR(seen.st_mode)


def _closed(folder: str, store: str) -> bool:
    """Whether a folder that a pattern names outright is one that globs do not look into."""
    return folder == store or folder.startswith(store + "/") or not _NEVER_ENTERED.isdisjoint(folder.split("/"))


def _own(name: str) -> bool:
    return name[0] == "." and (name == _LOCK or name.endswith((".hash", ".hash~")))


def _leads_to(disk: Disk, path: str) -> Literal["file", "nothing", "other"]:
    try:
        seen = disk.stat(path)
    except OSError as error:
        if error.errno == errno.ELOOP:
            return "other"
        raise
    return "nothing" if seen is None else "file" if stat_bits.S_ISREG(seen.st_mode) else "other"

