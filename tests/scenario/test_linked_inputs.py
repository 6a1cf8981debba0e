"""Case 78: inputs that are links: what they lead to counts, however it changes."""

from __future__ import annotations

import os

import pytest
from kit import Project

COPY = "cat {inputs} > {outputs}"
KINDS = {
    "declared": {"inputs": "link.txt", "run": COPY},
    "glob": {"inputs": "*nk.txt", "run": COPY},
    "literal": {"run": "cat link.txt > {outputs}"},
    "depfile": {"run": 'name=link; cat $name.txt > {outputs}; echo "x: link.txt" > {depfile}', "depfile": "out.d"},
    "optional": {"inputs": [{"path": "link.txt", "optional": True}], "run": COPY},
}


def link(project: Project, target: str, path: str = "link.txt") -> None:
    if project.exists(path):
        project.remove(path)
    os.symlink(target, project.path(path))


@pytest.fixture(params=KINDS.values(), ids=KINDS)
def linked(request: pytest.FixtureRequest, project: Project) -> Project:
    """A stage that reads `link.txt`, which leads to `real/one.txt` through another link; built."""
    project.write("real/one.txt", "one\n")
    project.write("real/two.txt", "two\n")
    link(project, "one.txt", "real/next")
    link(project, "real/next")
    project.stage("read", outputs="out.txt", **request.param)
    assert project.build().ran == ["read"]
    project.settled()
    return project


def rebuilt(project: Project, text: str) -> None:
    assert project.cli().exit_status == 0
    assert project.read("out.txt") == text
    project.settled()


def test_retargeted(linked: Project) -> None:
    """Case 78: the link itself, and the one that it leads to."""
    link(linked, "real/two.txt")
    rebuilt(linked, "two\n")
    link(linked, "real/next")
    rebuilt(linked, "one\n")
    link(linked, "two.txt", "real/next")
    rebuilt(linked, "two\n")


def test_its_target_edited(linked: Project) -> None:
    """Case 78: in place, keeping size and mtime, or replaced."""
    linked.write("real/one.txt", "edited\n")
    rebuilt(linked, "edited\n")
    at = os.stat(linked.path("real/one.txt"))
    linked.write("real/one.txt", "detide\n")
    os.utime(linked.path("real/one.txt"), ns=(at.st_atime_ns, at.st_mtime_ns))
    rebuilt(linked, "detide\n")
    linked.write("real/new.txt", "new\n")
    linked.rename("real/new.txt", "real/one.txt")
    rebuilt(linked, "new\n")


def test_same_bytes_by_another_way(linked: Project) -> None:
    """Case 78: a link to an equal file, or the file itself instead of the link: nothing runs."""
    linked.write("real/two.txt", "one\n")
    link(linked, "real/two.txt")
    assert linked.build().ran == []
    linked.remove("link.txt")
    linked.write("link.txt", "one\n")
    assert linked.build().ran == []
    link(linked, linked.path("real/one.txt"))
    assert linked.build().ran == []


@pytest.mark.parametrize(
    ("target", "why"), [("nowhere", "is a link to `nowhere`, which does not exist"), ("link.txt", "is a link that leads in a circle")]
)
def test_dangling_or_in_a_circle(project: Project, target: str, why: str) -> None:
    """Case 78: errors that say so, before anything runs; `status` says the same."""
    link(project, target)
    project.traced("read", inputs="link.txt", outputs="out.txt", run=COPY)
    for words in ((), ("-n",), ("status",)):
        outcome = project.cli(*words)
        assert (outcome.exit_status, outcome.started) in ((1, []), (2, []))
        assert why in outcome.text
        assert "Traceback" not in outcome.text


@pytest.mark.parametrize("target", ["nowhere", "link.txt"])
def test_comes_to_dangle(linked: Project, target: str) -> None:
    """Case 78: after a good build: never taken for unchanged, never a traceback; mended, it is as before."""
    link(linked, target)
    outcome = linked.cli()
    assert "Traceback" not in outcome.text
    assert "1 fresh" not in outcome.out
    link(linked, "real/next")
    rebuilt(linked, "one\n")


def test_an_input_directory_that_is_a_link(project: Project) -> None:
    """Case 78: what is in the folder counts; retargeting it, and each change inside."""
    for name in ("one", "two"):
        project.write(f"{name}/a.txt", f"{name}\n")
    link(project, "one", "data")
    project.stage("read", inputs="data/", outputs="out.txt", run="cat {inputs}/* > {outputs}")
    assert project.build().ran == ["read"]
    project.settled()
    link(project, "two", "data")
    rebuilt(project, "two\n")
    project.write("two/b.txt", "b\n")
    rebuilt(project, "two\nb\n")
    project.remove("two/a.txt")
    rebuilt(project, "b\n")


def test_links_inside_an_input_directory(project: Project) -> None:
    """Case 78: count by their text, as a copy of the folder would: retargeting is a change; what they lead to is not part of the folder."""
    project.write("one.txt", "one\n")
    project.write("data/two.txt", "two\n")
    link(project, "../one.txt", "data/link")
    link(project, "nowhere", "data/dangling")
    link(project, "..", "data/above")
    run = 'cd {inputs}; for each in *; do readlink "$each" || echo "$each"; done > "$OLDPWD"/{outputs}'
    project.stage("list", inputs="data/", outputs="list.txt", run=run)
    assert project.build().ran == ["list"]
    assert project.read("list.txt") == "..\nnowhere\n../one.txt\ntwo.txt\n"
    project.settled()
    link(project, "two.txt", "data/link")
    assert project.build().ran == ["list"]
    link(project, "elsewhere", "data/dangling")
    assert project.build().ran == ["list"]
    project.settled()


def test_a_source_outside_by_a_link(project: Project) -> None:
    """Case 78: inputs may lie anywhere."""
    outside = os.path.join(project.side, "data.txt")
    with open(outside, "w", encoding="utf-8") as file:
        file.write("1\n")
    link(project, outside)
    project.stage("read", inputs="link.txt", outputs="out.txt", run=COPY)
    assert project.build().ran == ["read"]
    with open(outside, "w", encoding="utf-8") as file:
        file.write("2\n")
    assert project.build().ran == ["read"]
    assert project.read("out.txt") == "2\n"
    assert project.build().ran == []


def test_a_module_that_is_a_link(project: Project) -> None:
    """Case 78: code that is reached by a link is what it leads to."""
    body = "def make(outputs):\n    with open(outputs[0], 'w') as file:\n        file.write('{}')\n"
    project.write("code/one.py", body.format(1))
    project.write("code/two.py", body.format(2))
    link(project, "code/one.py", "steps.py")
    project.stage("make", outputs="out.txt", call="steps:make")
    rebuilt(project, "1")
    link(project, "code/two.py", "steps.py")
    rebuilt(project, "2")
    project.write("code/two.py", body.format(3))
    rebuilt(project, "3")


def test_a_pipefile_that_is_a_link(project: Project) -> None:
    """Case 78: retargeting it is an edit; the project is where the link is."""
    for name in ("one", "two"):
        project.write(f"conf/{name}.toml", f'[stage.make]\noutputs = ["out.txt"]\nrun = "echo {name} > {{outputs}}"\n')
    link(project, "conf/one.toml", "Pipefile.toml")
    rebuilt(project, "one\n")
    link(project, "conf/two.toml", "Pipefile.toml")
    rebuilt(project, "two\n")
    project.write("conf/two.toml", project.read("conf/two.toml").replace("echo two", "echo three"))
    rebuilt(project, "three\n")


def test_items_that_are_links(project: Project) -> None:
    """Case 78: an item that leads to what a stage makes waits for that stage, and so does one that was a file and comes to be such a link."""
    project.write("src/a.txt", "a\n")
    project.write("origin.txt", "one\n")
    project.stage("make", "origin.txt", "made/b.txt", COPY)
    project.stage("copy", "{file}", "out/{file.name}", COPY, for_each={"file": "src/*.txt"})
    project.cli("make")
    link(project, "../made/b.txt", "src/b.txt")
    assert sorted(project.build().ran) == ["copy@src/a.txt", "copy@src/b.txt"]
    assert project.build().ran == []

    project.write("origin.txt", "two\n")
    assert project.build().ran == ["make", "copy@src/b.txt"]
    assert project.read("out/b.txt") == "two\n"

    link(project, "../made/b.txt", "src/.new")
    project.rename("src/.new", "src/a.txt")
    assert project.build().ran == ["copy@src/a.txt"]
    assert project.build().ran == []

    project.write("origin.txt", "three\n")
    assert sorted(project.build().ran) == ["copy@src/a.txt", "copy@src/b.txt", "make"]
    assert (project.read("out/a.txt"), project.read("out/b.txt")) == ("three\n", "three\n")
    assert project.build().ran == []


def test_a_glob_that_matches_a_link(project: Project) -> None:
    """Case 78: a glob reads what a link leads to when the stage that makes it has run, also if nothing is there before."""
    project.write("src/a.txt", "a\n")
    project.write("origin.txt", "one\n")
    project.stage("join", "src/*.txt", "out.txt", COPY)
    project.stage("make", "origin.txt", "made/b.txt", COPY)
    link(project, "../made/b.txt", "src/b.txt")
    link(project, "nowhere", "src/c.txt")
    for text in ("one\n", "two\n"):
        project.write("origin.txt", text)
        assert project.build().ran == ["make", "join"]
        assert project.read("out.txt") == f"a\n{text}"
        project.settled()
