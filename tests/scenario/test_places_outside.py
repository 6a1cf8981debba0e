"""Case 76: nothing outside the project is written unless the Pipefile says so in so many words."""

from __future__ import annotations

import os

import pytest
from kit import Project
from kit.tree import tree

WRITE = "echo made > {outputs}"


@pytest.fixture
def outside(project: Project) -> str:
    """A folder beside the project, with a file in it that nobody may touch."""
    folder = os.path.join(project.side, "outside")
    os.makedirs(folder)
    with open(os.path.join(folder, "victim.txt"), "w", encoding="utf-8") as file:
        file.write("victim\n")
    return folder


@pytest.mark.parametrize(
    "path", ["../x", "a/../../x", "./../x", "/abs/x", "{outside}/victim.txt", "a/../../side/outside/victim.txt", "../side/outside/"]
)
def test_refused_by_its_name(project: Project, outside: str, path: str) -> None:
    """Case 76: before anything runs, other stages included."""
    path = path.format(outside=outside)
    project.traced("good", outputs="good.txt", run=WRITE)
    project.traced("bad", outputs=path, run=WRITE)
    before, above = tree(outside), sorted(os.listdir(os.path.dirname(project.root)))
    for words in ((), ("good",), ("-n",), ("-B",)):
        outcome = project.cli(*words)
        assert (outcome.exit_status, outcome.started, outcome.out) == (2, [], "")
        what = "is an absolute path" if path.startswith("/") else "leaves the project"
        assert outcome.err.splitlines()[0].endswith(f"output `{path}` of stage `bad` {what}")
    assert (tree(outside), sorted(os.listdir(os.path.dirname(project.root)))) == (before, above)


@pytest.mark.parametrize("path", ["link/x.txt", "link/victim.txt", "link/deep/x.txt", "link/tree/", "deep/link/x.txt"])
def test_refused_where_a_link_leads(project: Project, outside: str, path: str) -> None:
    """Case 76: a folder that is a link, or lies in one."""
    os.makedirs(project.path("deep"))
    os.symlink(outside, project.path("link"))
    os.symlink("../link", project.path("deep/link"))
    project.traced("good", outputs="good.txt", run=WRITE)
    project.traced("bad", outputs=path, run="mkdir -p {outputs}" if path.endswith("/") else WRITE)
    before = tree(outside)
    outcome = project.cli()
    assert (outcome.exit_status, outcome.started, outcome.out) == (2, [], "")
    assert outcome.err == f"error: `{path}` lies outside the project, where a link leads\n  Pipefile.toml:6  `bad`\n"
    assert project.cli("good").started == ["good"]
    for words in (("-n",), ("status",), ("clean",)):
        project.cli(*words)
    assert tree(outside) == before


def test_a_link_that_stays_inside(project: Project) -> None:
    """Case 76: is a folder like any other: what is made there is not taken for dead because its record stands elsewhere than it was declared."""
    os.makedirs(project.path("real"))
    os.symlink("real", project.path("link"))
    project.stage("a", outputs=["link/a.txt", "link/tree/"], run="echo made > {outputs[0]}; echo > {outputs[1]}/x")
    for _ in range(2):
        assert project.build().ran == ["a"]
        assert project.read("real/a.txt") == "made\n"
        assert project.exists("real/tree/x")
        assert project.build().ran == []
        assert project.cli("clean", "--dead").exit_status == 0
        assert project.read("real/a.txt") == "made\n"
        project.remove("pipeline_outputs")
        assert project.build().ran == []
        assert project.cli("clean").exit_status == 0
        assert not project.exists("real/a.txt")
        os.makedirs(project.path("real"), exist_ok=True)


def test_an_output_that_is_declared_by_its_link(project: Project) -> None:
    """Case 76: the same file by another path is no dead output. When nothing makes it any more, it is one by either."""
    os.makedirs(project.path("real"))
    os.symlink("real", project.path("link"))
    project.stage("a", outputs="real/a.txt", run=WRITE)
    assert project.build().ran == ["a"]
    project.stage("a", outputs="link/a.txt", run=WRITE)
    assert project.build().ran == ["a"]
    assert project.read("real/a.txt") == "made\n"
    project.drop("a")
    project.stage("b", inputs="real/a.txt", outputs="b.txt", run="cp {inputs} {outputs}")
    assert "`real/a.txt` was made by `a`, and no stage makes it any more" in project.build().output
    project.remove("real/.a.txt.hash")
    assert project.build().ran == ["b"]
    assert project.read("real/a.txt") == "made\n"


def test_two_outputs_that_are_one_file(project: Project) -> None:
    """Case 27: by way of a link."""
    os.makedirs(project.path("real"))
    os.symlink("real", project.path("link"))
    project.traced("one", outputs=["real/a.txt", "real/b.txt"], run="touch {outputs}")
    project.traced("two", outputs=["link/c.txt", "link/b.txt"], run="touch {outputs}")
    outcome = project.cli()
    assert (outcome.exit_status, outcome.started) == (2, [])
    text = "`real/b.txt` and `link/b.txt` are one file: a link leads from one folder to the other"
    assert outcome.err == f"error: {text}\n  Pipefile.toml:2  `one`\n  Pipefile.toml:6  `two`\n"
    project.traced("two", outputs=["link/c.txt"], run="touch {outputs}")
    assert project.cli().exit_status == 0
    assert project.cli().started == []


def test_a_folder_of_outputs_moved_away_and_linked(project: Project, outside: str) -> None:
    """Case 76: what was made here and lies outside by now is not removed when its stage is gone."""
    project.stage("a", outputs="out/a.txt", run=WRITE)
    assert project.build().ran == ["a"]
    os.rename(project.path("out"), os.path.join(outside, "out"))
    os.symlink(os.path.join(outside, "out"), project.path("out"))
    project.drop("a")
    before = tree(outside)
    assert project.cli().exit_status == 0
    project.cli("clean", "--dead")
    project.remove("pipeline_outputs/index")
    assert project.cli().exit_status == 0
    assert tree(outside) == before


def test_a_link_that_comes_later(project: Project, outside: str) -> None:
    """Case 76: a folder of outputs that is replaced by a link after it was built in: neither a build nor `clean` follows it."""
    project.stage("a", outputs="out/victim.txt", run=WRITE)
    project.stage("b", inputs="out/victim.txt", outputs="b.txt", run="cp {inputs} {outputs}")
    assert project.build().exit_status == 0
    os.rename(project.path("out"), project.path("old"))
    os.symlink(outside, project.path("out"))
    before = tree(outside)
    assert project.build().exit_status == 2
    assert project.cli("clean").exit_status in (0, 1, 2)
    project.drop("a")
    project.drop("b")
    assert project.cli().exit_status in (0, 1, 2)
    assert tree(outside) == before


def test_a_folder_outside_that_is_allowed(project: Project, outside: str) -> None:
    """Case 76: `outside`: the folder itself, by its own name or through a link, and no other; what is in it already stays."""
    other = os.path.join(project.side, "other")
    os.makedirs(other)
    os.symlink(outside, project.path("link"))
    project.settings(outside=[outside])
    project.stage("plain", outputs=f"{outside}/made/a.txt", run=WRITE)
    project.stage("linked", outputs="link/b.txt", run=WRITE)
    assert sorted(project.build().ran) == ["linked", "plain"]
    assert project.build().ran == []
    found = [path for path in tree(outside) if os.path.basename(path)[0] != "."]
    assert sorted(found) == ["b.txt", "made", "made/a.txt", "victim.txt"]
    project.stage("bad", outputs=f"{other}/a.txt", run=WRITE)
    assert project.build().exit_status == 2
    project.drop("bad")
    project.settings(outside=None)
    assert project.build().exit_status == 2
    assert tree(other).keys() == {"."}


def test_clean_outside(project: Project, outside: str) -> None:
    """Case 76: `clean` takes what was made in an allowed folder, and nothing else."""
    project.settings(outside=[outside])
    project.stage("a", outputs=f"{outside}/a.txt", run=WRITE)
    before = set(tree(outside))
    assert project.build().ran == ["a"]
    assert project.cli("clean").exit_status == 0
    assert set(tree(outside)) == before
