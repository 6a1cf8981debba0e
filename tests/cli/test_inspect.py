"""`pipefile status`, `why`, `check` and `runs`."""

from __future__ import annotations

import json
import os
import re

import pytest
from kit import Project


@pytest.fixture
def built(project: Project) -> Project:
    """A chain of two stages, fresh."""
    project.stage("clean", inputs="raw.csv", outputs="clean.csv", run="sed s/#.*// {inputs} > {outputs}")
    project.stage("report", inputs="clean.csv", outputs="report.txt", run="wc -l < {inputs} > {outputs}; echo counted")
    project.write("raw.csv", "1\n")
    assert project.cli("-j1").exit_status == 0
    return project


def test_status(built: Project) -> None:
    """What is stale, and what may become so; --check tells by its exit status."""
    outcome = built.cli("status", "--check")
    assert (outcome.out, outcome.err, outcome.exit_status) == ("2 fresh\n", "", 0)
    built.write("raw.csv", "2\n")
    outcome = built.cli("status")
    assert (outcome.out, outcome.err, outcome.exit_status) == (
        "stale   clean: input `raw.csv` changed\nunknown report: input `clean.csv` may change\n1 stale, 1 unknown\n", "", 0,
    )  # fmt: skip
    assert built.cli("status", "--check", "-q").out == "1 stale, 1 unknown\n"
    assert built.cli("status", "--check").exit_status == 1
    assert built.cli("status", "-v", "clean").out == "stale   clean: input `raw.csv` changed\n1 stale\n"


def test_status_json(built: Project) -> None:
    """Every reason, with values."""
    built.write("clean.csv", "by hand\n")
    found = json.loads(built.cli("status", "--json").out)
    assert found["format"] == 1
    clean, report = found["stages"]
    assert (clean["name"], clean["stage"], clean["state"]) == ("clean", "clean", "stale")
    assert [(reason["kind"], reason["subject"], reason["text"]) for reason in clean["reasons"]] == [
        ("output-changed", "clean.csv", "output `clean.csv` was changed since")
    ]
    assert clean["restorable"] is True  # and its bytes are known, so that what needs it can be decided
    assert (report["state"], report["restorable"]) == ("fresh", False)
    assert built.cli("cache", "gc", "--all").exit_status == 0
    clean, report = json.loads(built.cli("status", "--json").out)["stages"]
    assert (clean["state"], clean["restorable"], report["state"]) == ("stale", False, "unknown")


def test_why(built: Project) -> None:
    """The chain from what changed to the target, with values."""
    assert built.cli("why", "report").out == "`report` is fresh\n"
    built.write("raw.csv", "2\n")
    out = re.sub(r"blake3:[0-9a-f]{64}", "DIGEST", built.cli("why", "report").out)
    assert out == (
        "`clean` is stale\n  input `raw.csv` changed\n    DIGEST -> DIGEST\n`report` may become stale\n  input `clean.csv` may change\n"
    )


def test_check(project: Project) -> None:
    """Faults give exit status 1, warnings only with --strict."""
    project.settings(default=["a"])
    project.stage("a", inputs="a.txt", outputs="b.txt", run="cp {inputs} {outputs}")
    project.write("a.txt", "")
    good = project.cli("check")
    assert (good.out, good.err, good.exit_status) == ("1 stage: no faults\n", "", 0)
    project.stage("lost", outputs="lost.txt", run="echo > {outputs}")
    project.stage("lint", inputs="a.txt", run="true")
    warned = project.cli("check")
    line = next(number for number, text in enumerate(project.read("Pipefile.toml").splitlines(), 1) if text == "[stage.lost]")
    assert (warned.out, warned.err, warned.exit_status) == (
        "3 stages: 1 warning\n",
        "warning: stage `lost` is not used: neither `default` nor an alias nor another stage needs it\n"
        f"  Pipefile.toml:{line}  `lost`\n",
        0,
    )
    assert project.cli("check", "--strict").exit_status == 1
    project.remove("a.txt")
    faulty = project.cli("check", "-q")
    assert (faulty.out, faulty.exit_status) == ("", 1)
    assert faulty.err.splitlines()[0] == "error: `a.txt` does not exist and no stage makes it"


def test_check_sees_places_that_are_taken(project: Project) -> None:
    """A folder stands where a file shall be made."""
    project.stage("a", outputs="b.txt", run="echo > {outputs}")
    project.write("b.txt/x", "")
    outcome = project.cli("check")
    assert (outcome.out, outcome.exit_status) == ("1 stage: 1 fault\n", 1)
    assert outcome.err.startswith("error: `b.txt` is a directory, but stage `a` makes a file there\n")


def test_check_sees_outputs_that_a_link_makes_one_file(project: Project) -> None:
    """As a build would refuse them."""
    project.stage("a", outputs="build/x", run="echo a > {outputs}")
    project.stage("b", outputs="real/x", run="echo b > {outputs}")
    project.write("real/other", "")
    os.symlink("real", project.path("build"))
    outcome = project.cli("check")
    assert (outcome.out, outcome.exit_status) == ("2 stages: 1 fault\n", 1)
    assert outcome.err == project.cli().err
    assert outcome.err.startswith("error: `build/x` and `real/x` are one file: a link leads from one folder to the other\n")


def test_runs(built: Project) -> None:
    """list, show and log; RUN is a prefix or `latest`."""
    built.write("raw.csv", "2\n3\n")
    assert built.cli("-j1").exit_status == 0
    listed = built.cli("runs", "list").out.splitlines()
    assert [re.sub(r"^\d{8}_\d{6}_[0-9a-f]{6}|\d+\.\d+ s", "X", line) for line in listed] == ["X  succeeded    2 ran in X  pipefile -j1"] * 2
    newest = listed[0].split()[0]
    shown = built.cli("runs", "show", newest).out
    assert shown.startswith(f"run       {newest}\nstatus    succeeded\ncommand   pipefile -j1\n")
    assert re.sub(r"\d+\.\d+ s", "T", re.sub(r"  used: .*", "  used: U", shown[shown.index("\n\n") :])) == (
        "\n\nclean  ran  T\n  input `raw.csv` changed\n  used: U\n"
        f"\nreport  ran  T\n  input `clean.csv` changed\n  used: U\n  log: pipeline_outputs/runs/{newest}/report/log.txt\n"
    )
    assert built.cli("runs", "log", "latest", "report").out == "counted\n"
    assert built.cli("runs", "log").out == "==> report <==\ncounted\n"
    assert built.cli("runs", "log", newest, "clean").out == ""
    refused = built.cli("runs", "log", "latest", "reprot")
    assert (refused.err, refused.exit_status) == (f"error: no stage `reprot` ran in {newest}\nhint: did you mean `report`?\n", 2)
    assert json.loads(built.cli("runs", "list", "--json").out)["runs"][0]["id"] == newest
    assert [edge["stage"] for edge in json.loads(built.cli("runs", "show", "--json").out)["edges"]] == ["clean", "report"]


def test_reading_writes_nothing(built: Project) -> None:
    """Case 60: status, why, check, runs and dry runs leave every byte and stamp as it is."""
    built.write("raw.csv", "2\n")
    before = built.tree()
    for words in ("status", "status --check", "why report", "check", "runs list", "runs show", "-n", "list --status"):
        assert built.cli(*words.split()).exit_status in (0, 1)
    assert built.tree() == before


def test_check_sees_modules_that_are_nowhere(project: Project) -> None:
    """A function, or a `setup`, of a module that does not exist is a fault; nothing is imported for that. What a stage makes may come."""
    project.write("steps.py", "raise SystemExit('imported')\n")
    project.write("pack/__init__.py", "raise SystemExit('imported')\n")
    project.write("pack/there.py", "")
    project.write("space/there.py", "")
    for number, module in enumerate(["steps", "pack.there", "space.there", "json", "os.path", "xml.dom.minidom"]):
        project.stage(f"good{number}", outputs=f"good{number}", call=f"{module}:f")
    project.stage("make", outputs="made.py", run="echo > {outputs}")
    project.stage("rule", outputs="rules/{name}.py", run="echo > {outputs}")
    project.stage("late", outputs="late", call="made:f")
    project.stage("elsewhere", outputs="elsewhere", call="nowhere:f", env={"PYTHONPATH": "lib"})
    assert (project.cli("check", "-q").err, project.cli("check").exit_status) == ("", 0)

    for number, module in enumerate(["stepps", "pack.gone", "steps.gone", "space.gone.further"]):
        project.stage(f"bad{number}", outputs=f"bad{number}", call=f"{module}:f")
    project.stage("bad4", outputs="bad4", call="steps:f", setup="setups:load", mode="process")
    outcome = project.cli("check")
    assert (outcome.exit_status, outcome.out) == (1, "14 stages: 5 faults\n")
    assert [line for line in outcome.err.splitlines() if line.startswith("error")] == [
        f"error: `{call}` cannot be called: there is no module `{module}` in the Pipefile's folder"
        for call, module in [
            ("stepps:f", "stepps"), ("pack.gone:f", "pack.gone"), ("steps.gone:f", "steps.gone"), ("space.gone.further:f", "space.gone"),
            ("setups:load", "setups"),
        ]
    ]  # fmt: skip
    line = next(number for number, text in enumerate(project.read("Pipefile.toml").splitlines(), 1) if "stepps:f" in text)
    assert f"\n  Pipefile.toml:{line}  `bad0`\n" in outcome.err


def test_graph_has_files_that_commands_name(project: Project) -> None:
    """What a command names literally is an input like others, sources and what other stages make."""
    project.stage("a", outputs="a.txt", run="cat x.c y.c > {outputs}; echo nothing >> {outputs}")
    project.stage("b", inputs="x.c", outputs="b.txt", run="cat a.txt x.c {inputs} > {outputs}")
    project.write("x.c", "")
    project.write("y.c", "")

    assert project.cli("graph").out == "a: x.c y.c -> a.txt\nb: x.c a.txt -> b.txt\n"
