"""Trees that are copied, moved or cloned: all that is stored is relative to the project."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable

import pytest
from kit import Project, contents

GIT = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]

STEPS = """\
def count(text, count):
    with open(text) as source, open(count, "w") as target:
        target.write(str(len(source.read())))
"""


def git(folder: str, *words: str) -> None:
    subprocess.run([*GIT, *words], cwd=folder, check=True, capture_output=True)


def moved(old: Project, new: Project) -> None:
    os.rename(old.root, new.root)


def copied(old: Project, new: Project) -> None:
    subprocess.run(["cp", "-r", old.root + "/.", new.root], check=True)


def copied_in_any_order(old: Project, new: Project) -> None:
    """Outputs become older than their inputs."""
    shutil.copytree(old.root, new.root, dirs_exist_ok=True)
    for number, path in enumerate(sorted(old.declared(), reverse=True)):
        if os.path.isfile(new.path(path)):
            new.touch(path, number * 10**9)


def cloned(old: Project, new: Project) -> None:
    """All of it is in git, records and store as well."""
    git(old.root, "init", "-q")
    git(old.root, "add", "-f", ".")
    git(old.root, "commit", "-qm", "all")
    git(os.path.dirname(new.root), "clone", "-q", old.root, "tree")


def archived(old: Project, new: Project) -> None:
    subprocess.run(["sh", "-ec", 'tar -C "$1" -cf - . | tar -C "$2" -xmf -', "sh", old.root, new.root], check=True)


@pytest.fixture
def built(project: Project) -> Project:
    """A project with commands, a function, a directory output, a glob, a depfile and a file named in a command."""
    project.settings(default=["sum", "dep", "count", "lint"])
    project.stage("sum", inputs="src/a.txt", outputs="out/sum.txt", run="cksum < {inputs} > {outputs}")
    project.stage("join", inputs="src/*.txt", outputs="out/join.txt", run="cat {inputs} > {outputs}")
    project.stage("split", inputs="out/join.txt", outputs="parts/", run="split -l1 {inputs} {outputs}/part.")
    project.stage("list", inputs="parts/", outputs="list.txt", run="sh src/list.sh > list.txt")
    project.stage("dep", inputs="src/a.txt", outputs="dep.txt", depfile="dep.d", run="cat src/b.txt > {outputs}; echo 'x: src/b.txt' > {depfile}")
    project.stage("count", inputs={"text": "list.txt"}, outputs={"count": "count.txt"}, call="steps:count")
    project.stage("lint", inputs="src/a.txt", run="true")
    project.write("src/a.txt", "a\nb\n")
    project.write("src/b.txt", "c\n")
    project.write("src/list.sh", "ls parts\n")
    project.write("steps.py", STEPS)
    assert project.cli().exit_status == 0
    return project


@pytest.mark.parametrize("index", [True, False], ids=["index", "records"])
@pytest.mark.parametrize("way", [moved, copied, copied_in_any_order, cloned, archived])
def test_elsewhere(built: Project, new_project: Callable[[], Project], way: Callable[[Project, Project], None], index: bool) -> None:
    """Case 19: nothing runs at the new place, with the index or from the records alone; then an edit is noticed."""
    new = new_project()
    os.rmdir(new.root)
    if way is not moved and way is not cloned:
        os.mkdir(new.root)
    way(built, new)
    if not index:
        new.remove("pipeline_outputs/index")

    new.settled()

    new.write("src/b.txt", "d\n")
    assert sorted(new.build().ran) == ["dep", "join", "list", "split"]
    new.settled()


def test_records_name_no_absolute_path(built: Project) -> None:
    """Case 19: no file that is kept has the project's path in it, run histories aside."""
    for folder, _, names in os.walk(built.root):
        for name in names:
            path = os.path.relpath(os.path.join(folder, name), built.root)
            if not path.startswith("pipeline_outputs/runs/"):
                found = contents(built.path(path))
                assert isinstance(found, tuple)
                assert built.root.encode() not in found[0], path


def test_an_edit_on_the_way(built: Project, new_project: Callable[[], Project]) -> None:
    """Case 19: what was edited before the first build at the new place runs there, and nothing else."""
    new = new_project()
    os.rmdir(new.root)
    os.rename(built.root, new.root)
    new.write("src/a.txt", "A\n")
    assert sorted(new.build().ran) == ["count", "dep", "join", "lint", "list", "split", "sum"]
    new.settled()


def test_two_copies_live_on(built: Project, new_project: Callable[[], Project]) -> None:
    """Case 19: after a copy each tree has its own truth."""
    new = new_project()
    shutil.copytree(built.root, new.root, dirs_exist_ok=True)
    new.write("src/a.txt", "other\n")
    assert "sum" in new.build().ran
    new.settled()
    built.settled()
