"""Globs over a real folder: what matches, what never does, and where nothing needs to be looked at."""

from __future__ import annotations

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pathspec import GitIgnoreSpec

from pipefile.base.disk import OsDisk
from pipefile.engine.globs import GlobMatch, expand, stands_in
from pipefile.engine.world import pack_globs, unpack_globs
from pipefile.store.record import record_path


class CountingDisk(OsDisk):
    """Remembers which folders were read."""

    def __init__(self, root: str) -> None:
        super().__init__(root)
        self.read_folders: list[str] = []

    def names(self, folder: str) -> list[tuple[str, str]]:
        self.read_folders.append(folder)
        return super().names(folder)


@pytest.fixture
def disk(tmp_path):
    return CountingDisk(str(tmp_path))


def put(disk: OsDisk, *paths: str) -> None:
    for path in paths:
        whole = os.fsencode(disk.at(path))
        os.makedirs(os.path.dirname(whole), exist_ok=True)
        with open(whole, "wb"):
            pass


def living(_: str) -> bool:
    return False


def found(disk: OsDisk, pattern: str, store: str = "pipeline_outputs") -> tuple[str, ...]:
    return expand(disk, pattern, living, store).paths


@pytest.mark.parametrize(
    ("pattern", "paths"),
    [
        ("raw/*.csv", ("raw/a.csv", "raw/b.csv")),
        ("*.csv", ("raw/a.csv", "raw/b.csv", "raw/deep/c.csv", "top.csv")),
        ("./*.csv", ("top.csv",)),
        ("raw/**", ("raw/.hidden", "raw/a.csv", "raw/b.csv", "raw/deep/c.csv", "raw/x.txt")),
        ("raw/**/*.csv", ("raw/a.csv", "raw/b.csv", "raw/deep/c.csv")),
        ("**/deep/*", ("raw/deep/c.csv",)),
        ("raw/[ab].csv", ("raw/a.csv", "raw/b.csv")),
        ("raw/[!a].csv", ("raw/b.csv",)),
        ("raw/?.txt", ("raw/x.txt",)),
        ("r*/d*/", ("raw/deep/c.csv",)),
        ("raw/d*", ("raw/deep/c.csv",)),
        ("nowhere/*.csv", ()),
        ("raw/a.csv/*", ()),
        ("a/[x", ()),
    ],
)
def test_gitignore_syntax(disk, pattern, paths):
    put(disk, "raw/a.csv", "raw/b.csv", "raw/x.txt", "raw/.hidden", "raw/deep/c.csv", "top.csv")

    assert found(disk, pattern) == paths


def test_only_folders_that_can_hold_a_match_are_read(disk):
    put(disk, "raw/a.csv", "raw/deep/c.csv", "raw/deep/er/d.csv", "other/x/y.csv", "top.csv")

    assert expand(disk, "raw/*.csv", living) == GlobMatch(("raw/a.csv",), ("raw",))
    assert expand(disk, "raw/d*/*.csv", living) == GlobMatch(("raw/deep/c.csv",), ("raw", "raw/deep"))
    assert expand(disk, "o*/x/*.csv", living) == GlobMatch(("other/x/y.csv",), ("", "other", "other/x"))
    assert expand(disk, "*/x/**/*.csv", living) == GlobMatch(("other/x/y.csv",), ("", "other", "other/x", "raw"))
    assert expand(disk, "./*.csv", living) == GlobMatch(("top.csv",), ("",))
    assert len(disk.read_folders) == 1 + 2 + 3 + 4 + 1


def test_folders_that_are_not_there_yet_are_told_by_the_nearest_that_is(disk):
    put(disk, "raw/a.csv")

    assert expand(disk, "raw/in/deep/*.csv", living) == GlobMatch((), ("raw",))
    assert expand(disk, "nowhere/*.csv", living) == GlobMatch((), ("",))


def test_pipefiles_own_files_and_git_never_match(disk):
    put(disk, "a.txt", ".a.txt.hash", ".a.txt.hash~", ".pipefile.lock", ".pipefile-tmp/b.txt", "d/.pipefile-tmp/c.txt", ".git/config", "d/.git/x")
    put(disk, "pipeline_outputs/index", "d/pipeline_outputs/mine.txt")

    assert found(disk, "**") == ("a.txt", "d/pipeline_outputs/mine.txt")
    assert found(disk, "d/**", store="d/pipeline_outputs") == ()
    assert found(disk, ".git/*") == ()
    assert found(disk, "pipeline_outputs/**") == ()
    assert found(disk, "d/.pipefile-tmp/*") == ()


def test_only_files_with_a_record_beside_them_can_be_dead(disk):
    long = "x" * 250
    put(disk, "plain", "made", ".made.hash", "dead", ".dead.hash", long)
    put(disk, record_path(long))
    asked: list[str] = []

    def is_dead(path: str) -> bool:
        asked.append(path)
        return path == "dead"

    assert expand(disk, "*", is_dead).paths == ("made", "plain", long)
    assert sorted(asked) == ["dead", "made", long]


def test_links_to_files_match_and_links_to_folders_are_not_entered(disk):
    put(disk, "real/a.csv")
    os.symlink("real/a.csv", disk.at("link.csv"))
    os.symlink("real", disk.at("folder.csv"))
    os.symlink("nowhere", disk.at("dangling.csv"))
    os.symlink("loop.csv", disk.at("loop.csv"))
    os.mkfifo(disk.at("fifo.csv"))

    assert found(disk, "*.csv") == ("link.csv", "real/a.csv")
    assert found(disk, "folder.csv/*") == ("folder.csv/a.csv",)


def test_links_are_told_apart(disk):
    """A file that becomes a link to one is another find, although all names are as they were."""
    put(disk, "raw/a.csv", "raw/b.csv", "real.csv")
    before = expand(disk, "raw/*.csv", living)
    assert before.links == ()
    os.unlink(disk.at("raw/b.csv"))
    os.symlink("../real.csv", disk.at("raw/b.csv"))
    assert expand(disk, "raw/*.csv", living) == GlobMatch(before.paths, before.folders, ("raw/b.csv",))
    assert not stands_in(disk, "raw/*.csv", before, "raw", living)
    assert stands_in(disk, "raw/*.csv", before._replace(links=("raw/b.csv",)), "raw", living)
    assert stands_in(disk, "raw/*.csv", before._replace(links=None), "raw", living)


def test_finds_in_an_index():
    """They are read as they were written, and from an index that knew nothing of links."""
    found = {"raw/*": GlobMatch(("raw/a", "raw/b"), ("raw",), ("raw/b",))}
    assert unpack_globs(pack_globs(found)) == found
    assert unpack_globs(b'[["raw/*", ["raw/a"], ["raw"]]]') == {"raw/*": GlobMatch(("raw/a",), ("raw",), None)}


def test_names_of_any_bytes(disk):
    names = ["a\nb.csv", "a.csv\n", "\udcff.csv", "ä.csv", "\U0001f600.csv", " .csv", "-x.csv", "#a.csv", "!a.csv", "b ", "x\\y.csv"]
    put(disk, *["r/" + name for name in names])

    assert found(disk, "r/*.csv") == tuple(
        "r/" + name for name in [" .csv", "!a.csv", "#a.csv", "-x.csv", "a\nb.csv", "x\\y.csv", "ä.csv", "\U0001f600.csv", "\udcff.csv"]
    )
    assert found(disk, "#*.csv") == ("r/#a.csv",)
    assert found(disk, "!*.csv") == ("r/!a.csv",)
    assert found(disk, "r/* ") == ("r/b ",)
    assert found(disk, "r/*y.csv") == ("r/x\\y.csv",)


def test_an_absolute_pattern_looks_outside_the_project(disk, tmp_path):
    put(disk, "out/a.csv", "out/b/c.csv", "out/x.txt")
    project = OsDisk(disk.at("project"))
    base = disk.at("out")

    assert expand(project, f"{base}/*.csv", living) == GlobMatch((f"{base}/a.csv",), (base,))
    assert expand(project, f"{base}/**/*.csv", living).paths == (f"{base}/a.csv", f"{base}/b/c.csv")


def test_a_folder_that_cannot_be_read_is_no_empty_folder(disk):
    class Broken(OsDisk):
        def names(self, folder: str) -> list[tuple[str, str]]:
            if folder == "raw/in":
                raise PermissionError(13, "Permission denied", folder)
            return super().names(folder)

    put(disk, "raw/in/a.csv")

    with pytest.raises(PermissionError):
        found(Broken(disk.root), "raw/**/*.csv")


def test_a_folder_that_vanishes_meanwhile_has_nothing_in_it(disk):
    class Vanishing(OsDisk):
        def names(self, folder: str) -> list[tuple[str, str]]:
            if folder == "raw/in":
                raise FileNotFoundError(2, "No such file or directory", folder)
            return super().names(folder)

    put(disk, "raw/in/a.csv", "raw/b.csv")

    assert expand(Vanishing(disk.root), "raw/**/*.csv", living) == GlobMatch(("raw/b.csv",), ("raw",))


class TreeDisk(OsDisk):
    """Folders from a table."""

    def __init__(self, table: dict[str, list[tuple[str, str]]]) -> None:
        super().__init__("/nowhere")
        self.table = table

    def names(self, folder: str) -> list[tuple[str, str]]:
        return self.table[folder]

    def stat(self, path: str) -> os.stat_result | None:
        return os.stat("/") if path in self.table else None


PART = st.sampled_from(["a", "b", "ab", "x.c", "a*", "*", "**", "?", "[ab]", "*.c", "[!a]*", "\\*"])
NAMES = ["a", "b", "ab", "x.c", "*"]


@settings(max_examples=300, deadline=None)
@given(st.lists(PART, min_size=1, max_size=4), st.sampled_from(["", "/"]))
def test_the_walk_finds_what_pathspec_matches_anywhere_in_the_tree(parts: list[str], slash: str):
    pattern = "/".join(parts) + slash
    table: dict[str, list[tuple[str, str]]] = {}
    every: list[str] = []
    for folder in ["", *NAMES, *[f"{one}/{two}" for one in NAMES for two in NAMES]]:
        base = folder + "/" if folder else ""
        files = [name + ".f" for name in NAMES] if folder.count("/") == 0 else [*NAMES, "y.c"]
        table[folder] = [(name, "file") for name in files]
        every += [base + name for name in files]
        if folder.count("/") == 0 and folder.count("/") + bool(folder) < 2:
            table[folder] += [(name, "directory") for name in NAMES]
    spec = GitIgnoreSpec.from_lines([pattern])

    assert expand(TreeDisk(table), pattern, living).paths == tuple(sorted(path for path in every if spec.match_file(path)))
