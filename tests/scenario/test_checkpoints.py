"""Outputs of class `checkpoint`: the stage's own, for its next attempt."""

from __future__ import annotations

import os

import pytest
from kit import Project

MODEL = {"m": {"path": "build/m.ckpt", "checkpoint": True}, "x": "build/x"}
TRAIN = "cat {src} >> {m}; cp {m} {x}; grep -qv bad {src}"


@pytest.fixture
def trained(project: Project) -> Project:
    """A stage that adds its input to its checkpoint, and fails if that is bad."""
    project.write("src", "1\n")
    project.stage("train", inputs={"src": "src"}, outputs=MODEL, run=TRAIN)
    assert project.build().ran == ["train"]
    return project


def test_it_is_handed_to_the_next_attempt(project: Project) -> None:
    """A second attempt, and a stage that has failed for good, go on where the one before stopped."""
    project.stage(
        "train", outputs=MODEL, run='echo step >> {m}; test "$(grep -c step {m})" -ge 3; cp {m} {x}', retry_policy={"max_attempts": 2, "delay": "1ms"}
    )
    assert project.build().failed == ["train"]
    assert project.read("build/m.ckpt") == "step\n" * 2
    assert not project.exists("build/x")
    assert project.build().ran == ["train"]
    assert project.read("build/x") == "step\n" * 3
    assert project.build().ran == []


def test_it_stays_across_failures_and_builds(trained: Project) -> None:
    """Whatever has become of the input since."""
    trained.write("src", "bad\n")
    assert trained.build().failed == ["train"]
    assert trained.read("build/m.ckpt") == "1\nbad\n"
    assert trained.read("build/x") == "1\n"
    trained.write("src", "2\n")
    assert trained.build().ran == ["train"]
    assert trained.read("build/x") == "1\nbad\n2\n"


def test_it_stays_when_the_builder_is_killed(project: Project) -> None:
    """It is no partial output."""
    gate = project.gate("train")
    project.stage("train", outputs=MODEL, run=f"echo step >> {{m}}; {gate.shell}; cp {{m}} {{x}}")
    running = project.start()
    gate.wait()
    running.kill()
    assert project.read("build/m.ckpt") == "step\n"


def test_nothing_is_recorded_of_it(trained: Project) -> None:
    """No record stands beside it, and neither its loss nor an edit makes the stage stale."""
    assert not trained.exists(trained.record("build/m.ckpt"))
    trained.write("build/m.ckpt", "edited\n")
    assert trained.build().ran == []
    trained.remove("build/m.ckpt")
    assert trained.build().ran == []
    assert trained.status() == {"train": "fresh"}


def test_force_removes_it(trained: Project) -> None:
    """Once, before the first attempt."""
    assert trained.build(force=True).ran == ["train"]
    assert trained.read("build/m.ckpt") == "1\n"
    trained.stage(
        "train", outputs=MODEL, run='echo step >> {m}; test "$(grep -c step {m})" -ge 2; cp {m} {x}', retry_policy={"max_attempts": 2, "delay": "1ms"}
    )
    assert trained.build(force=True).ran == ["train"]
    assert trained.read("build/m.ckpt") == "step\n" * 2


def test_clean_removes_it(trained: Project) -> None:
    """With the outputs; a dry run only names it."""
    assert trained.cli("clean", "-n").out == "would remove build/x\nwould remove build/m.ckpt\n"
    assert trained.exists("build/m.ckpt")
    assert trained.cli("clean").out == "removed build/x\nremoved build/m.ckpt\n"
    assert not trained.exists("build/m.ckpt")


def test_the_cache_does_not_have_it(trained: Project) -> None:
    """What is restored is the result; the checkpoint is what it was."""
    trained.caching = True
    trained.build(force=True)
    trained.write("src", "2\n")
    trained.build()
    trained.write("src", "1\n")
    assert trained.build().restored == ["train"]
    assert trained.read("build/x") == "1\n"
    assert trained.read("build/m.ckpt") == "1\n2\n"


def test_no_glob_and_no_outputs_reach_it(trained: Project) -> None:
    """`STAGE.outputs` and globs go without."""
    trained.stage("all", inputs={"a": "train.outputs", "b": "build/*"}, outputs=["all.txt"], run="echo {a} {b} > {outputs}")
    assert trained.build().ran == ["all"]
    assert trained.read("all.txt") == "build/x build/x\n"
    trained.write("build/m.ckpt", "edited\n")
    assert trained.build().ran == []


def test_one_may_be_missing_after_success(project: Project) -> None:
    """A stage that is done at once writes none."""
    project.stage("train", outputs=MODEL, run="echo > {x}; true {m}")
    assert project.build().ran == ["train"]
    project.settled()


def test_a_directory_of_checkpoints(project: Project) -> None:
    """It is there before the first attempt, with what is in it before the next."""
    project.write("src", "1\n")
    outputs = {"m": {"path": "ckpts/", "checkpoint": True}, "x": "x"}
    project.stage("train", inputs={"src": "src"}, outputs=outputs, run="touch {m}/$(cat {src}); ls {m} > {x}")
    project.build()
    project.write("src", "2\n")
    project.build()
    assert project.read("x") == "1\n2\n"


def test_of_instances(project: Project) -> None:
    """Each has its own."""
    outputs = {"m": {"path": "ckpts/{n}", "checkpoint": True}, "x": "x{n}"}
    project.stage("train", outputs=outputs, run="echo {n} >> {m}; cp {m} {x}", for_each={"n": [1, 2]})
    assert sorted(project.build().ran) == ["train@1", "train@2"]
    assert (project.read("ckpts/1"), project.read("ckpts/2")) == ("1\n", "2\n")
    assert project.build().ran == []


def test_a_function_gets_its_path(project: Project) -> None:
    """Under its name, as other outputs; in Python with the same table."""
    project.write(
        "pipeline.py",
        "import os\nfrom pipefile import stage\n\n\n@stage(outputs={'m': {'path': 'm.ckpt', 'checkpoint': True}, 'n': int})\ndef train(m):\n"
        "    with open(m, 'a') as file:\n        file.write('step')\n    return os.path.getsize(m)\n",
    )
    project.settings(python=["pipeline.py"])
    assert project.build().ran == ["train"]
    assert project.read(project.value("train", "n")) == "4\n"
    assert project.build().ran == []


def test_a_depfile_may_list_only_ones_own(project: Project) -> None:
    """That of another stage fails the stage, whenever that one has run."""
    project.stage("train", outputs=MODEL, run="echo 1 > {m}; echo > {x}; echo x: {m} > {depfile}", depfile="d1")
    assert project.build().ran == ["train"]
    assert project.build().ran == []
    project.stage("spy", inputs=["build/x"], outputs=["y"], run='m=build/m.ckpt; echo "x: $m" > {depfile}; echo > {outputs}', depfile="d2")
    outcome = project.build()
    assert outcome.failed == ["spy"]
    assert outcome.output == (
        "read `build/m.ckpt`, a checkpoint of stage `train`, which nobody else reads\nhint: what others need is an output of its own\n"
    )


def test_its_place_is_checked(project: Project) -> None:
    """A folder where the file should be is an error before anything runs."""
    os.makedirs(project.path("build/m.ckpt"))
    project.stage("train", outputs=MODEL, run="echo > {x}; true {m}")
    outcome = project.build()
    assert (outcome.exit_status, outcome.ran) == (2, [])
    assert outcome.output == (
        "error: `build/m.ckpt` is a directory, but stage `train` makes a file there\n  Pipefile.toml:2  `train`\nhint: move `build/m.ckpt` away\n"
    )


def test_it_is_no_target(trained: Project) -> None:
    """Who names it is told whose it is."""
    outcome = trained.build("build/m.ckpt")
    assert (outcome.exit_status, outcome.output) == (2, "error: `build/m.ckpt` is a checkpoint of stage `train`, and no result\nhint: name `train`\n")


def test_the_audit_knows_it(project: Project) -> None:
    """Read and written by its own stage it is nothing undeclared, in a directory either."""
    project.write(
        "steps.py",
        "import os\n\ndef train(m, d, x):\n    for path in (m, os.path.join(d, 'last')):\n        with open(path, 'a+') as file:\n"
        "            file.write('step')\n        open(path).close()\n    open(x, 'w').close()\n",
    )
    outputs = {"m": {"path": "m", "checkpoint": True}, "d": {"path": "d/", "checkpoint": True}, "x": "x"}
    project.settings(audit="track")
    project.stage("train", outputs=outputs, call="steps:train")
    for force in (False, True):
        outcome = project.build(force=force)
        assert (outcome.ran, outcome.output) == (["train"], "")
    assert project.build().ran == []
