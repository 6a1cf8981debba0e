"""`pipefile accept`."""

from __future__ import annotations

from kit import Project


def made(project: Project) -> Project:
    project.stage("model", inputs="data.txt", outputs=["model.bin", "notes.txt"], run="echo 1 > {outputs[0]}; echo 2 > {outputs[1]}")
    project.stage("report", inputs="model.bin", outputs="report.txt", run="cp {inputs} {outputs}")
    project.write("data.txt", "1\n")
    return project


def test_outputs_made_elsewhere(project: Project) -> None:
    """They are fresh from then on, and what needs them is built from them."""
    made(project)
    project.write("model.bin", "trained elsewhere\n")
    project.write("notes.txt", "by hand\n")
    outcome = project.cli("accept", "model", "--reason", "trained on the cluster")
    assert (outcome.out, outcome.err, outcome.exit_status) == ("accepted model\n", "", 0)
    assert project.status() == {"model": "fresh", "report": "stale"}
    assert project.build().ran == ["report"]
    assert project.read("report.txt") == "trained elsewhere\n"
    assert '"accepted": "trained on the cluster"' in project.read(".model.bin.hash")
    assert project.build().ran == []


def test_a_change_that_does_not_matter(project: Project) -> None:
    """After an edit the old outputs are accepted; the next edit makes them stale again."""
    made(project)
    assert project.build().exit_status == 0
    project.write("data.txt", "2\n")
    assert project.status()["model"] == "stale"
    assert project.cli("accept", "model.bin", "--reason", "only a comment").exit_status == 0
    assert project.status() == {"model": "fresh", "report": "fresh"}
    project.write("data.txt", "3\n")
    assert project.build().ran == ["model"]


def test_what_cannot_be_accepted(project: Project) -> None:
    """An output or an input that is not there; a stage that runs anyway."""
    made(project)
    project.stage("always", outputs="now.txt", run="date > {outputs}", always=True)
    project.write("model.bin", "x")
    missing = project.cli("accept", "model", "--reason", "x")
    assert (missing.err, missing.exit_status) == ("error: output `notes.txt` of stage `model` is not there\n  Pipefile.toml:1  `model`\n", 2)
    project.write("notes.txt", "x")
    project.remove("data.txt")
    missing = project.cli("accept", "model", "--reason", "x")
    assert (missing.err, missing.exit_status) == ("error: input `data.txt` of stage `model` is not there\n  Pipefile.toml:1  `model`\n", 2)
    anyway = project.cli("accept", "always", "--reason", "x")
    assert (anyway.err.splitlines()[0], anyway.exit_status) == (
        "error: stage `always` runs whenever it is asked for: there is nothing to accept", 2,
    )  # fmt: skip


def test_files_named_in_the_command_stay_inputs(project: Project) -> None:
    """What the stage is known to read beyond its declaration counts after accepting as well."""
    project.write("words.txt", "a\n")
    project.stage("count", outputs="n.txt", run="wc -l < words.txt > {outputs}")
    project.write("n.txt", "1\n")
    assert project.cli("accept", "count", "--reason", "counted by hand").exit_status == 0
    assert project.status() == {"count": "fresh"}
    project.write("words.txt", "a\nb\n")
    assert project.build().ran == ["count"]
