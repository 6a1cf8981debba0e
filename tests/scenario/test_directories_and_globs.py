"""Stages that read a directory or a glob, and stages that make a directory."""

from __future__ import annotations

import os

import pytest
from kit import Project

LIST = "(cd data && find . -type f | sort | xargs -r cksum) > {outputs}"


@pytest.fixture
def directory(project: Project) -> Project:
    """A stage that reads a directory, built."""
    project.stage("list", inputs="data/", outputs="list.txt", run=f"{LIST}; find data -type d | sort >> {{outputs}}")
    return with_data(project)


@pytest.fixture
def globbed(project: Project) -> Project:
    """A stage that reads a glob, built."""
    project.stage("join", inputs="data/**/*.txt", outputs="join.txt", run="cat {inputs} > {outputs}; echo {inputs} >> {outputs}")
    return with_data(project)


@pytest.fixture(params=["directory", "globbed"])
def either(request: pytest.FixtureRequest) -> Project:
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Project)
    return found


def with_data(project: Project) -> Project:
    project.write("data/a.txt", "a\n")
    project.write("data/b.txt", "b\n")
    project.write("data/deep/c.txt", "c\n")
    assert len(project.build().ran) == 1
    project.settled()
    return project


def check(project: Project, runs: bool) -> None:
    assert len(project.build().ran) == runs
    project.settled()


def test_file_added(either: Project) -> None:
    """Case 20: a new file, on the first level and below, and in a new folder."""
    for path in ("data/new.txt", "data/deep/new.txt", "data/other/new.txt"):
        either.write(path, "new\n")
        check(either, runs=True)


def test_file_removed(either: Project) -> None:
    """Case 20: a file fewer."""
    either.remove("data/b.txt")
    check(either, runs=True)
    either.remove("data/deep")
    check(either, runs=True)


def test_file_renamed(either: Project) -> None:
    """Case 20: the same bytes under another name."""
    either.rename("data/b.txt", "data/bb.txt")
    check(either, runs=True)


def test_file_edited(either: Project) -> None:
    """Case 20: other bytes, size and mtime kept."""
    at = os.stat(either.path("data/deep/c.txt"))
    either.write("data/deep/c.txt", "C\n")
    os.utime(either.path("data/deep/c.txt"), ns=(at.st_atime_ns, at.st_mtime_ns))
    check(either, runs=True)


def test_files_that_change_places(either: Project) -> None:
    """Case 20: a rename that keeps the set of names is an edit of both files."""
    either.rename("data/a.txt", "other")
    either.rename("data/b.txt", "data/a.txt")
    either.rename("other", "data/b.txt")
    check(either, runs=True)


def test_equal_files_that_change_places(either: Project) -> None:
    """Case 20: the same rename between files of equal bytes changes nothing."""
    either.write("data/b.txt", "a\n")
    check(either, runs=True)
    either.rename("data/a.txt", "other")
    either.rename("data/b.txt", "data/a.txt")
    either.rename("other", "data/b.txt")
    check(either, runs=False)


def test_touched_and_put_back(either: Project) -> None:
    """Case 20: touching a file, and adding one that is removed again, changes nothing."""
    os.utime(either.path("data/a.txt"))
    either.write("data/new.txt", "new\n")
    either.remove("data/new.txt")
    check(either, runs=False)


def test_moved_as_a_whole(either: Project) -> None:
    """Case 20: the folder is replaced by a copy of itself."""
    either.rename("data", "old")
    for path in ("a.txt", "b.txt", "deep/c.txt"):
        either.write(f"data/{path}", either.read(f"old/{path}"))
    check(either, runs=False)


def test_empty_folder(directory: Project) -> None:
    """Case 20: an empty folder is part of a directory."""
    os.mkdir(directory.path("data/empty"))
    check(directory, runs=True)
    os.rmdir(directory.path("data/empty"))
    check(directory, runs=True)


def test_exec_bit_and_link(directory: Project) -> None:
    """Case 20: so are exec bits, and links with what they say."""
    os.chmod(directory.path("data/a.txt"), 0o755)
    check(directory, runs=True)
    os.symlink("a.txt", directory.path("data/link"))
    check(directory, runs=True)
    os.unlink(directory.path("data/link"))
    os.symlink("b.txt", directory.path("data/link"))
    check(directory, runs=True)


def test_what_no_glob_matches(globbed: Project) -> None:
    """Case 20: other names, empty folders, records and temporary files are not seen by a glob."""
    globbed.write("data/notes.md", "")
    globbed.write("data/.pipefile-tmp/x.txt", "")
    globbed.write("data/.a.txt.hash", "")
    os.mkdir(globbed.path("data/empty"))
    check(globbed, runs=False)


def test_glob_of_nothing(project: Project) -> None:
    """Case 20: a glob that finds nothing yet, and then something; its folder may be missing as well."""
    project.stage("join", inputs="data/*.txt", outputs="join.txt", run="cat /dev/null {inputs} > {outputs}")
    first = project.build()
    if first.exit_status:
        assert first.output == (
            "error: no file matches `data/*.txt`\n  needed by `join.txt` (`join`, Pipefile.toml:2)\n"
        )
    project.write("data/a.txt", "a\n")
    check(project, runs=True)


def test_glob_of_outputs(project: Project) -> None:
    """Case 20: a glob matches outputs of other stages before they are there, and sources beside them."""
    for name in "ab":
        project.stage(name, inputs="src.txt", outputs=f"out/{name}.txt", run=f"sed s/^/{name}/ {{inputs}} > {{outputs}}")
    project.stage("join", inputs="out/*.txt", outputs="join.txt", run="cat {inputs} > {outputs}")
    project.write("src.txt", "1\n")
    assert project.build().ran[-1] == "join"
    project.settled()
    project.write("out/c.txt", "source\n")
    assert project.build().ran == ["join"]
    project.settled()
    project.write("src.txt", "2\n")
    assert sorted(project.build().ran) == ["a", "b", "join"]
    project.settled()


def test_a_stage_is_no_input_of_itself(project: Project) -> None:
    """Case 20: a glob leaves out the stage's own outputs."""
    project.stage("join", inputs="*.txt", outputs="join.txt", run="cat {inputs} > {outputs}")
    project.write("a.txt", "a\n")
    assert project.build().ran == ["join"]
    project.settled()


@pytest.fixture
def maker(project: Project) -> Project:
    """A stage that makes a directory, and stages that read all of it, one file of it, and a glob below it."""
    project.stage("split", inputs="src.txt", outputs="parts/", run="split -l1 {inputs} {outputs}/p.; mkdir {outputs}/empty")
    project.stage("list", inputs="parts/", outputs="list.txt", run="ls parts > {outputs}; cat parts/p.* >> {outputs}")
    project.stage("one", inputs="parts/p.aa", outputs="one.txt", run="cat {inputs} > {outputs}")
    project.stage("late", inputs="parts/*b", outputs="late.txt", run="cat {inputs} > {outputs}")
    project.write("src.txt", "1\n2\n")
    assert sorted(project.build().ran) == ["late", "list", "one", "split"]
    project.settled()
    return project


def test_directory_output_made_anew(maker: Project) -> None:
    """Case 20: it is swapped whole, so nothing of the old one is left; readers of files that stayed the same do not run."""
    maker.write("src.txt", "1\n")
    maker.stage("late", inputs="parts/*a", outputs="late.txt", run="cat {inputs} > {outputs}")
    assert sorted(maker.build().ran) == ["late", "list", "split"]
    assert sorted(os.listdir(maker.path("parts"))) == ["empty", "p.aa"]
    maker.settled()


@pytest.mark.parametrize("change", ["edit", "remove", "add", "empty folder", "exec bit", "all"])
def test_directory_output_tampered_with(maker: Project, change: str) -> None:
    """Cases 5 to 9: whatever is done to a file in it, the directory is made again, and its readers are left alone."""
    if change == "edit":
        at = os.stat(maker.path("parts/p.ab"))
        maker.write("parts/p.ab", "3\n")
        os.utime(maker.path("parts/p.ab"), ns=(at.st_atime_ns, at.st_mtime_ns))
    elif change == "remove":
        maker.remove("parts/p.ab")
    elif change == "add":
        maker.write("parts/p.zz", "")
    elif change == "empty folder":
        os.rmdir(maker.path("parts/empty"))
    elif change == "exec bit":
        os.chmod(maker.path("parts/p.aa"), 0o755)
    else:
        maker.remove("parts")
    assert maker.build().ran == ["split"]
    maker.settled()


def test_directory_output_touched(maker: Project) -> None:
    """Case 11: stamps of the folder and of files in it do not matter."""
    for path in ("parts", "parts/p.aa", "parts/empty"):
        os.utime(maker.path(path))
    maker.settled()


def test_file_that_the_directory_does_not_get(maker: Project) -> None:
    """Case 20: an input inside a directory output that its stage does not make."""
    maker.stage("one", inputs="parts/p.zz", outputs="one.txt", run="cat {inputs} > {outputs}")
    outcome = maker.build()
    assert (outcome.exit_status, outcome.ran, outcome.failed) == (1, [], ["one"])


def test_one_that_two_stages_share(project: Project) -> None:
    """Case 20: many stages that read one glob see the same files."""
    for number in range(20):
        project.stage(f"s{number}", inputs="data/*", outputs=f"out/{number}", run="cat {inputs} > {outputs}")
    project.write("data/a", "a\n")
    assert len(project.build().ran) == 20
    project.write("data/b", "b\n")
    assert len(project.build("s3").ran) == 1
    assert len(project.build().ran) == 19
    project.settled()


@pytest.mark.parametrize(
    ("wanted", "error"),
    [
        ("parts/p.ab", "stage `split` did not make `parts/p.ab`"),
        ("parts/sub/", "stage `split` did not make `parts/sub/`"),
        ("parts/*.csv", "no file matches `parts/*.csv` in what stage `split` made"),
    ],
)
def test_input_that_its_directory_does_not_hold(project: Project, wanted: str, error: str) -> None:
    """Case 20: an input that the stage which makes its folder did not make is an error, not a name handed to a command."""
    project.stage("split", inputs="src.txt", outputs="parts/", run="split -l1 {inputs} {outputs}/p.")
    project.stage("use", inputs=wanted, outputs="out", run="echo {inputs} > {outputs}")
    project.write("src.txt", "1\n")
    outcome = project.build()
    assert (outcome.exit_status, outcome.ran, outcome.failed) == (1, ["split"], ["use"])
    assert outcome.output == f"{error}\n"

    project.stage("use", inputs=[{"path": wanted, "optional": True}], outputs="out", run="echo {inputs} > {outputs}")
    assert project.build().ran == ["use"]
    project.settled()


@pytest.mark.parametrize("store", ["pipeline_outputs", "data/store"])
def test_the_store_is_no_part_of_a_directory(project: Project, store: str) -> None:
    """Case 20: a directory that the store lies in, the whole project even, does not change by being built; all else in it counts."""
    folder = "./" if store == "pipeline_outputs" else "data/"
    place = f"{project.side}/far"
    project.settings(store=store, default=["look"], outside=[place])
    project.stage("look", inputs=folder, outputs=f"{place}/list", run=f"ls -R {{inputs}} > {{outputs}}; echo {folder}")
    project.write("data/a.txt", "a\n")
    assert project.build().ran == ["look"]
    project.settled()
    for path in ("data/a.txt", "data/new/b.txt"):
        project.write(path, "other\n")
        assert project.why("look") == {"look": [f"input `{folder if folder == 'data/' else '.'}` changed".replace("data/", "data")]}
        assert project.build().ran == ["look"]
        project.settled()
