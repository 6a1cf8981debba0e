"""Case 77: links that somebody has planted where pipefile or a stage will write; what they lead to is never written, nor removed."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest
from kit import Project
from kit.tree import tree

FILES = {
    "output": "out/a.txt",
    "output written in place": "out/placed.txt",
    "record": "out/.a.txt.hash",
    "record being written": "out/.a.txt.hash~",
    "second record": "out/.b.txt.hash",
    "temporary output": "out/.pipefile-tmp/a.txt",
    "depfile": "out/a.d",
    "index": "pipeline_outputs/index",
    "index being written": "pipeline_outputs/index~",
    "lock": ".pipefile.lock",
    "second lock": "pipeline_outputs/lock",
    "probe": "pipeline_outputs/probe",
    "ignore file": "pipeline_outputs/.gitignore",
    "latest run": "pipeline_outputs/latest",
    "latest run being linked": "pipeline_outputs/latest~",
    "record of a stage": "pipeline_outputs/records/check.hash",
}
FOLDERS = {
    "output": "out/a.txt",
    "directory output": "out/tree",
    "temporary folder": "out/.pipefile-tmp",
    "temporary directory output": "out/.pipefile-tmp/tree",
    "old directory output": "out/.pipefile-tmp/tree~",
    "runs": "pipeline_outputs/runs",
    "records": "pipeline_outputs/records",
    "store": "pipeline_outputs",
    "latest run": "pipeline_outputs/latest",
}


@pytest.fixture
def victim(project: Project) -> str:
    """A folder beside the project, with what must not change: files, one of them under every name that pipefile might use."""
    folder = os.path.join(project.side, "victim")
    names = ["file", "x", "a.txt", "index", "lock", "run.json", "log.txt", ".gitignore", "check.hash", "a.txt~", "runs/old/run.json", "tree/x"]
    for name in names:
        path = os.path.join(folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write("victim\n")
    return folder


def stages(project: Project) -> None:
    project.write("in.txt", "1\n")
    run = 'echo said; cat {inputs} > {outputs[0]}; cp {inputs} {outputs[1]}; echo "x: in.txt" > {depfile}'
    project.stage("make", inputs="in.txt", outputs=["out/a.txt", "out/b.txt"], depfile="out/a.d", run=run)
    project.stage("placed", inputs="in.txt", outputs="out/placed.txt", run="cat in.txt > out/placed.txt")
    project.stage("tree", inputs="in.txt", outputs="out/tree/", run="cp {inputs} {outputs}/x")
    project.stage("check", inputs="out/a.txt", run="cat {inputs}")


def planted(project: Project, path: str, target: str) -> None:
    """A link instead of what stands at *path*."""
    if project.exists(path):
        project.remove(path)
    os.makedirs(os.path.dirname(project.path(path)), exist_ok=True)
    os.symlink(target, project.path(path))


def builds(project: Project, victim: str, path: str, target: str) -> None:
    """With the link there before the first build, and put there between builds that have something to do: nothing happens to its target."""
    stages(project)
    before = tree(victim)
    steps: list[Callable[[], object]] = [
        lambda: None,
        lambda: project.write("in.txt", "2\n"),
        lambda: project.stage("more", outputs="out/more.txt", run="echo > {outputs}"),
        lambda: project.drop("more"),
    ]
    for step in steps:
        step()
        planted(project, path, target)
        outcome = project.build()
        assert outcome.exit_status in (0, 1, 2), outcome.output
        assert tree(victim) == before, outcome.output
    for words in (("-j2",), ("runs", "log"), ("clean",), ("clean", "--dead")):
        planted(project, path, target)
        program = project.cli(*words)
        assert program.exit_status in (0, 1, 2), program.text
        assert "Traceback" not in program.err
        assert tree(victim) == before, program.text
    if os.path.islink(project.path(path)):
        project.remove(path)
    outcome = project.build()
    assert outcome.exit_status == 0, outcome.output
    assert project.outputs() == project.clean_outputs()
    assert project.build().ran == []


@pytest.mark.parametrize("path", FILES.values(), ids=FILES)
def test_a_link_to_a_file(project: Project, victim: str, path: str) -> None:
    """Case 77: in place of every file that is written."""
    builds(project, victim, path, os.path.join(victim, "file"))


@pytest.mark.parametrize("path", FOLDERS.values(), ids=FOLDERS)
def test_a_link_to_a_folder(project: Project, victim: str, path: str) -> None:
    """Case 77: in place of every folder that is made or emptied."""
    builds(project, victim, path, victim)


@pytest.mark.parametrize("path", ["out/a.txt", "out/.a.txt.hash", "pipeline_outputs/index", ".pipefile.lock", "out/tree", "pipeline_outputs"])
def test_a_dangling_link(project: Project, victim: str, path: str) -> None:
    """Case 77: what it names does not come into being."""
    builds(project, victim, path, os.path.join(victim, "nothing", "here"))


def test_a_store_outside(project: Project, victim: str) -> None:
    """Case 77: is refused with a hint, and used where the Pipefile allows it."""
    stages(project)
    os.symlink(victim, project.path("pipeline_outputs"))
    before = tree(victim)
    for words in ((), ("clean",), ("accept", "make", "--reason", "x")):
        outcome = project.cli(*words)
        assert (outcome.exit_status, outcome.out) == (1, "")
        assert outcome.err == (
            "error: `pipeline_outputs` lies outside the project, where a link leads\n"
            'hint: folders outside are named in `[pipefile] outside = ["/..."]`\n'
        )
    assert tree(victim) == before
    empty = os.path.join(project.side, "empty")
    os.makedirs(empty)
    planted(project, "pipeline_outputs", empty)
    project.settings(outside=[empty])
    assert project.build().exit_status == 0
    assert project.build().ran == []
    assert os.path.exists(os.path.join(empty, "index"))


def test_a_log_that_is_a_link(project: Project, victim: str) -> None:
    """Case 77: the run's folder has a name that nobody knows before; a stage that plants a link in it while it runs gains nothing."""
    before = tree(victim)
    plant = f"mkdir -p pipeline_outputs/latest/b; ln -sf {victim}/file pipeline_outputs/latest/b/log.txt"
    project.stage("a", outputs="a.txt", run=f"{plant}; echo > {{outputs}}")
    project.stage("b", inputs="a.txt", outputs="b.txt", run="echo said; cp {inputs} {outputs}")
    outcome = project.cli()
    assert outcome.exit_status in (0, 1), outcome.text
    assert "Traceback" not in outcome.err
    assert tree(victim) == before


def test_a_link_that_the_stage_itself_makes(project: Project, victim: str) -> None:
    """Case 77: a command that puts a link where its output should be has made no output."""
    before = tree(victim)
    project.stage("a", outputs="a.txt", run=f"ln -s {victim}/file {{outputs}}")
    project.stage("b", outputs="tree/", run=f"rmdir {{outputs}}; ln -s {victim} {{outputs}}")
    project.stage("c", outputs="c.txt", run=f"rm -f c.txt; ln -s {victim}/file c.txt")
    outcome = project.build(keep_going=True)
    assert sorted(outcome.failed) == ["a", "b", "c"]
    assert [project.exists(path) for path in ("a.txt", "tree", "c.txt")] == [False] * 3
    assert tree(victim) == before
