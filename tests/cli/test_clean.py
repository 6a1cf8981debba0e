"""`pipefile clean`."""

from __future__ import annotations

import os

import pytest
from kit import Project


@pytest.fixture
def built(project: Project) -> Project:
    """Two stages with outputs, one of them a directory, and one without; all are fresh."""
    project.stage("a", inputs="src.txt", outputs="build/a.txt", run="cp {inputs} {outputs}")
    project.stage("tree", inputs="src.txt", outputs="build/tree/", run="mkdir {outputs}/x; cp {inputs} {outputs}/x")
    project.stage("lint", inputs="src.txt", run="true")
    project.write("src.txt", "1\n")
    assert project.cli("a", "tree", "lint").exit_status == 0
    return project


def test_clean_removes_outputs_and_records(built: Project) -> None:
    """All of them, with folders that are empty then; sources stay, and the next build runs everything."""
    outcome = built.cli("clean")
    assert (outcome.out, outcome.err, outcome.exit_status) == ("removed build/a.txt\nremoved build/tree/\n", "", 0)
    assert not built.exists("build")
    assert built.read("src.txt") == "1\n"
    assert built.status("a", "tree", "lint") == {"a": "stale", "tree": "stale", "lint": "stale"}
    assert built.cli("clean").out == "nothing to remove\n"


def test_clean_of_a_target(built: Project) -> None:
    """Only its own stage's outputs."""
    assert built.cli("clean", "a.txt", cwd="build").out == "removed build/a.txt\n"
    assert built.status("a", "tree", "lint") == {"a": "stale", "tree": "fresh", "lint": "fresh"}


def test_clean_dry(built: Project) -> None:
    """-n writes nothing."""
    before = built.tree()
    assert built.cli("clean", "-n").out == "would remove build/a.txt\nwould remove build/tree/\n"
    assert built.tree() == before


def test_clean_leaves_what_no_stage_can_have_made(built: Project) -> None:
    """A folder in a file's place; a link is removed, not what it leads to."""
    built.remove("build/a.txt")
    built.write("build/a.txt/precious", "mine\n")
    built.remove("build/tree")
    built.write("elsewhere/precious", "mine\n")
    os.symlink("../elsewhere", built.path("build/tree"))
    outcome = built.cli("clean")
    assert (outcome.out, outcome.err, outcome.exit_status) == (
        "removed build/tree/\n", "warning: `build/a.txt` is kept: it is a directory, not the file that its stage makes\n", 0,
    )  # fmt: skip
    assert built.read("build/a.txt/precious") == built.read("elsewhere/precious") == "mine\n"


def test_clean_does_not_leave_the_project(built: Project, tmp_path: os.PathLike[str]) -> None:
    """Through a linked folder, for example."""
    outside = os.path.join(os.fspath(tmp_path), "outside")
    os.rename(built.path("build"), outside)
    os.symlink(outside, built.path("build"))
    outcome = built.cli("clean", "a")
    assert outcome.err == "warning: `build/a.txt` is kept: it lies outside the project, where a link leads\n"
    assert os.path.exists(os.path.join(outside, "a.txt"))


def test_clean_dead(built: Project) -> None:
    """Outputs of stages that are gone, unless somebody has changed them since or needs them."""
    built.stage("edited", inputs="src.txt", outputs="build/edited.txt", run="cp {inputs} {outputs}")
    built.stage("kept", inputs="src.txt", outputs="build/kept.txt", run="cp {inputs} {outputs}")
    assert built.cli("edited", "kept").exit_status == 0
    built.write("build/edited.txt", "by hand\n")
    for name in ("a", "tree", "lint", "edited", "kept"):
        built.drop(name)
    built.stage("uses", inputs="build/kept.txt", outputs="used.txt", run="cp {inputs} {outputs}")
    expected = (
        "warning: `build/edited.txt` is kept: it was changed since its stage made it\n"
        "warning: `build/kept.txt` is kept: it is an input of `uses` now\n"
    )
    before = built.tree()
    dry = built.cli("clean", "--dead", "-n")
    assert (dry.out, dry.err) == ("would remove build/a.txt\nwould remove build/tree/\n", expected)
    assert built.tree() == before
    outcome = built.cli("clean", "--dead")
    assert (outcome.out, outcome.err, outcome.exit_status) == ("removed build/a.txt\nremoved build/tree/\n", expected, 0)
    assert sorted(os.listdir(built.path("build"))) == [".edited.txt.hash", ".kept.txt.hash", "edited.txt", "kept.txt"]
    assert os.listdir(built.path("pipeline_outputs/records")) == []
    assert built.cli("uses").exit_status == 2
    built.remove("build/.kept.txt.hash")
    assert built.cli("uses").exit_status == 0


def test_clean_waits_for_a_build(project: Project) -> None:
    """Case 73; with --no-wait it is an error of its own."""
    gate = project.gate("slow")
    project.stage("slow", outputs="s.txt", run=f"{gate.shell}; echo > {{outputs}}")
    building = project.start("slow")
    gate.wait()
    refused = project.cli("clean", "--no-wait")
    assert (refused.exit_status, refused.out) == (4, "")
    assert refused.err.startswith("error: ")
    cleaning = project.start("clean")
    cleaning.until(lambda: cleaning.out != "")
    gate.release()
    assert building.wait().exit_status == 0
    outcome = cleaning.wait()
    assert (outcome.out, outcome.exit_status) == (f"waiting for pid {building.pid}: pipefile slow\nremoved s.txt\n", 0)


def test_clean_of_what_has_left_records_alone(project: Project) -> None:
    """A temporary output that has done its duty, or a stage without outputs: their records go, which is said, and the next build makes them anew."""
    project.stage("cut", outputs=[{"path": "build/t", "temp": True}], run="echo 1 > {outputs}")
    project.stage("use", inputs=["build/t"], outputs=["u"], run="cp {inputs} {outputs}")
    project.stage("lint", inputs=["u"], run="true")
    project.build()
    project.build("lint")
    before = project.tree()

    assert project.cli("clean", "-n", "cut").out == "would remove 1 record, and no outputs\n"
    assert project.tree() == before
    assert project.cli("clean", "cut", "lint").out == "removed 2 records, and no outputs\n"
    assert not project.exists("build")
    assert project.cli("clean", "cut").out == "nothing to remove\n"
    assert project.build().ran == ["cut"]


def test_clean_removes_depfiles(project: Project) -> None:
    """Of stages, of instances and of what rules have made, asked for by now or not; one that nobody has written is not there to be removed."""
    text = "cp {inputs} {outputs}; echo 'x: x.c' > {depfile}"
    project.write("x.c", "")
    project.write("y.c", "")
    project.stage("rule", "{name}.c", "build/{name}.o", text, depfile="deps/{name}.d")
    project.stage("each", "{p}", "each/{p}", text, depfile="deps/{p}.dd", for_each={"p": ["x.c", "y.c"]})
    project.stage("app", "build/x.o", "app", text, depfile="app.d")
    project.stage("never", "x.c", "never", text, depfile="mine.d")
    assert project.build("build/y.o", "each", "app").exit_status == 0
    project.write("mine.d", "a source")

    removed = ["build/x.o", "deps/x.d", "each/x.c", "deps/x.c.dd", "each/y.c", "deps/y.c.dd", "app", "app.d", "build/y.o", "deps/y.d"]
    assert sorted(project.cli("clean", "-n").out.splitlines()) == sorted(f"would remove {path}" for path in removed)
    assert sorted(project.cli("clean").out.splitlines()) == sorted(f"removed {path}" for path in removed)
    assert (project.exists("deps"), project.exists("build"), project.exists("mine.d")) == (False, False, True)
