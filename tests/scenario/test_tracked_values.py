"""What is in an edge's key besides files: variables, params, versions, optional inputs."""

from __future__ import annotations

import pytest
from kit import Project

SHOW = 'echo "${WHO-unset}" > {outputs}'


def test_env(project: Project) -> None:
    """Case 24: a tracked variable that changes, is set, or is not set any more; one that is not tracked changes nothing."""
    project.stage("show", outputs="out.txt", run=SHOW, env=["WHO"])
    project.stage("other", outputs="other.txt", run="echo > {outputs}")
    assert sorted(project.build().ran) == ["other", "show"]
    project.settled()
    for value, reason in (("me", "is set now"), ("you", "changed"), ("", "changed"), (None, "is not set any more")):
        if value is None:
            del project.environ["WHO"]
        else:
            project.environ["WHO"] = value
        project.environ["UNTRACKED"] = str(value)
        assert project.why("show") == {"show": [f"environment variable `WHO` {reason}"]}
        assert project.build().ran == ["show"]
        assert project.read("out.txt") == ("unset\n" if value is None else f"{value}\n")
        project.settled()


def test_env_of_all_stages(project: Project) -> None:
    """Case 24: `[pipefile] env` tracks a variable for every stage."""
    project.settings(env=["WHO"])
    for name in "ab":
        project.stage(name, outputs=f"{name}.txt", run=SHOW)
    project.build()
    project.environ["WHO"] = "me"
    assert sorted(project.build().ran) == ["a", "b"]
    project.settled()


def test_env_that_the_stage_sets(project: Project) -> None:
    """Case 24: a variable that the Pipefile sets is what it says there, whatever the environment has."""
    project.stage("show", outputs="out.txt", run=SHOW, env={"WHO": "stage"})
    assert project.build().ran == ["show"]
    project.environ["WHO"] = "me"
    project.settled()
    assert project.read("out.txt") == "stage\n"
    project.stage("show", outputs="out.txt", run=SHOW, env={"WHO": "other"})
    assert project.build().ran == ["show"]
    project.settled()


def test_dotenv(project: Project) -> None:
    """Case 24: a dotenv file gives variables, tracked where a stage names them; the environment goes before it; it may come and go."""
    project.settings(dotenv=[".env"])
    project.stage("show", outputs="out.txt", run=SHOW, env=["WHO"])
    project.stage("other", outputs="other.txt", run="echo > {outputs}")
    assert sorted(project.build().ran) == ["other", "show"]
    project.settled()
    for text, shown in (("WHO=file\n", "file"), ("WHO='a file'\n", "a file"), ("export WHO=file # me\n", "file")):
        project.write(".env", text)
        assert project.build().ran == ["show"]
        assert project.read("out.txt") == f"{shown}\n"
        project.settled()
    project.write(".env", "WHO=file\nELSE=1\n")
    project.settled()
    project.environ["WHO"] = "me"
    assert project.build().ran == ["show"]
    assert project.read("out.txt") == "me\n"
    del project.environ["WHO"]
    project.remove(".env")
    assert project.build().ran == ["show"]
    assert project.read("out.txt") == "unset\n"
    project.settled()


def test_values_are_not_kept(project: Project) -> None:
    """Case 90: of a variable's value records, index and runs hold nothing that could be read."""
    project.environ["WHO"] = "canary-value"
    project.stage("show", inputs="in.txt", outputs="out.txt", run="test -n \"$WHO\" && cat {inputs} > {outputs}", env=["WHO"])
    project.write("in.txt", "")
    assert project.build().ran == ["show"]
    assert not [path for path, entry in project.tree().items() if b"canary-value" in entry[3]]


def test_strict_env(project: Project) -> None:
    """Case 24: with `strict_env` a stage sees a few variables and those that are named, no others."""
    project.stage("show", outputs="out.txt", run="env | sed 's/=.*//' | sort > {outputs}", env=["WHO"])
    project.environ |= {"WHO": "me", "NOISE": "x", "LC_ALL": "C.UTF-8"}
    project.build()
    assert "NOISE" in project.read("out.txt").split()
    project.settings(strict_env=True)
    project.remove("out.txt")
    assert project.build().ran == ["show"]
    seen = set(project.read("out.txt").split())
    assert {"WHO", "PATH", "HOME", "LANG", "LC_ALL"} <= seen
    assert not {"NOISE", "LOG", "GATES"} & seen


def test_params(project: Project) -> None:
    """Case 21: params from `[global]` and plain ones run the stages that use them, with the old value and the new."""
    project.globals(width=640, model={"name": "small", "size": 1}, unused=1)
    params = {"w": "global.width", "name": "global.model.name"}
    project.stage("use", outputs="out.txt", run="echo {params.w} {params.name} > {outputs}", params=params)
    project.stage("fill", outputs="fill.txt", run="echo {global.width} > {outputs}")
    project.stage("table", inputs={"model": "global.model"}, outputs="table.txt", run="echo x > {outputs}")
    assert len(project.build().ran) == 3
    project.settled()
    project.globals(unused=2)
    project.settled()
    project.globals(width=800)
    assert project.why("use") == {"use": ["its command changed", "param `w` changed: 640 -> 800"]}
    assert project.why("fill") == {"fill": ["its command changed"]}
    assert sorted(project.build().ran) == ["fill", "use"]
    project.settled()
    project.globals(model={"name": "small", "size": 2})
    assert project.build().ran == ["table"]
    project.settled()


def test_version(project: Project) -> None:
    """Case 21: a version runs its stage; put back before a build it runs nothing."""
    for version in ("", "1", "2"):
        project.stage("a", outputs="a", run="echo > {outputs}", version=version)
        assert project.build().ran == ["a"]
        project.settled()
    project.stage("a", outputs="a", run="echo > {outputs}", version="3")
    assert project.why("a") == {"a": ["its version changed: 2 -> 3"]}
    project.stage("a", outputs="a", run="echo > {outputs}", version="2")
    project.settled()


def test_shell(project: Project) -> None:
    """Case 21: another shell runs the stage."""
    project.stage("a", outputs="a", run="echo $0 > {outputs}")
    assert project.build().ran == ["a"]
    project.settings(shell=["bash", "-ec"])
    assert project.why("a") == {"a": ["its shell changed"]}
    assert project.build().ran == ["a"]
    assert project.read("a") == "bash\n"
    project.settled()


@pytest.fixture
def optional(project: Project) -> Project:
    """A stage that can do without one of its inputs, which is absent."""
    inputs = {"src": "src.txt", "more": {"path": "more.txt", "optional": True}}
    project.stage("join", inputs=inputs, outputs="out.txt", run="cat {src} > {outputs}; if test -f more.txt; then cat more.txt >> {outputs}; fi")
    project.write("src.txt", "1\n")
    assert project.build().ran == ["join"]
    project.settled()
    return project


def test_optional_input(optional: Project) -> None:
    """Case 24: an optional input appears, is edited, is empty, and goes again."""
    for data, reason in (("more\n", "is there now"), ("other\n", "changed"), ("", "changed"), (None, "is gone")):
        if data is None:
            optional.remove("more.txt")
        else:
            optional.write("more.txt", data)
        assert optional.why("join") == {"join": [f"input `more.txt` {reason}"]}
        assert optional.build().ran == ["join"]
        optional.settled()


def test_optional_input_that_a_stage_makes(optional: Project) -> None:
    """Case 24: with a stage that makes it, it is an input like any other."""
    optional.stage("make", inputs="src.txt", outputs="more.txt", run="rev {inputs} > {outputs}")
    assert optional.build().ran == ["make", "join"]
    optional.settled()
