"""`should_run`: stages that a condition leaves out, what becomes of their outputs, and of stages that need them."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest
from kit import Project
from kit.lane import lane

from pipefile.model.event import StageFinished

REPORT = "cat {inputs} > {outputs}; echo report >> {outputs}"


def declare(project: Project, should_run: object, **keys: object) -> None:
    """`report` is made from `src` if *should_run* holds, `use` from `report`; `maybe` takes it if it is there; `other` has nothing to do with it."""
    project.write("src", "1\n")
    project.write("out/raw", "raw\n")
    project.stage("report", inputs="src", outputs="out/report", run=REPORT, should_run=should_run, **keys)
    project.stage("use", inputs="out/report", outputs="out/use", run="cp {inputs} {outputs}")
    optional: list[object] = ["src", {"path": "out/report", "optional": True}]
    run = "for each in {inputs}; do [ ! -e $each ] || cat $each; done > {outputs}"
    project.stage("maybe", inputs=optional, outputs="out/maybe", run=run, infer_inputs=False)
    project.stage("all", inputs="out/r*", outputs="out/all", run="cat {inputs} src > {outputs}")
    project.stage("other", inputs="src", outputs="out/other", run="cp {inputs} {outputs}")


def reasons(outcome: Any) -> dict[str, str]:
    return {event.stage: event.reason for event in outcome.events if isinstance(event, StageFinished) and event.status == "skipped"}


def switch(project: Project, kind: str, on: bool) -> None:
    """Make a condition of some kind hold, or not."""
    if kind == "global":
        project.globals(on=on)
    elif kind == "env":
        project.environ.pop("SWITCH", None)
        if on:
            project.environ["SWITCH"] = "1"
    elif kind == "exists":
        project.write("switches/keep", "")
        if on:
            project.write("switches/on", "")
        elif project.exists("switches/on"):
            project.remove("switches/on")
    elif kind == "value":
        project.write("wish", "yes" if on else "")


CONDITIONS: dict[str, object] = {"global": "global.on", "env": {"env": "SWITCH"}, "exists": {"exists": "switches/on"}, "value": "ask.answer"}
WHY = {
    "global": "`global.on` is false",
    "env": "environment variable `SWITCH` is not set",
    "exists": "`switches/on` does not exist",
    "value": "`ask.answer` is false",
}


def ask(project: Project, kind: str) -> list[str]:
    """Declare what a condition of some kind needs; names of the stages in that."""
    if kind != "value":
        return []
    project.write("asking.py", "def ask(wish):\n    with open(wish) as file:\n        return file.read() == 'yes'\n")
    project.stage("ask", inputs={"wish": "wish"}, outputs={"answer": "value:bool"}, call="asking:ask")
    return ["ask"]


@pytest.mark.parametrize("kind", list(CONDITIONS))
@pytest.mark.parametrize("jobs", [1, 4])
@pytest.mark.parametrize("schedule", ["eager", "waves"])
def test_left_out_and_back(project: Project, kind: str, jobs: int, schedule: str) -> None:
    """A stage whose condition is false is skipped; so is what needs it, and what takes it if it is there runs without. Its outputs are dead: no glob
    matches them, and a build of everything removes them. When the condition holds again it runs again."""
    also = ask(project, kind)
    switch(project, kind, False)
    declare(project, CONDITIONS[kind])

    outcome = project.build(jobs=jobs, schedule=schedule)
    assert (outcome.exit_status, outcome.failed) == (0, [])
    assert sorted(outcome.ran) == sorted([*also, "all", "maybe", "other"])
    assert reasons(outcome) == {"report": WHY[kind], "use": "it needs stage `report`, which is skipped"}
    assert (project.read("out/maybe"), project.read("out/all")) == ("1\n", "raw\n1\n")
    again = project.build(jobs=jobs, schedule=schedule)
    assert (again.exit_status, again.ran, sorted(again.skipped), again.output) == (0, [], ["report", "use"], "")

    switch(project, kind, True)
    outcome = project.build(jobs=jobs, schedule=schedule)
    assert (outcome.exit_status, outcome.skipped) == (0, [])
    assert sorted(outcome.ran) == sorted([*also, "all", "maybe", "report", "use"])
    assert (project.read("out/maybe"), project.read("out/all"), project.read("out/use")) == ("1\n1\nreport\n", "raw\n1\nreport\n1\n", "1\nreport\n")
    project.settled()

    switch(project, kind, False)
    if kind in ("env", "exists"):
        assert lane(project) is None
    outcome = project.build(jobs=jobs, schedule=schedule)
    assert (outcome.exit_status, sorted(outcome.skipped)) == (0, ["report", "use"])
    assert sorted(outcome.ran) == sorted([*also, "all", "maybe"])
    assert outcome.output == "note: removed `out/report`, whose stage is skipped\nnote: removed `out/use`, whose stage is skipped\n"
    assert (project.read("out/maybe"), project.read("out/all")) == ("1\n", "raw\n1\n")
    assert not any(project.exists(path) for path in ("out/report", "out/use", ".out/.report.hash", "out/.use.hash"))
    again = project.build(jobs=jobs, schedule=schedule)
    assert (again.exit_status, again.ran, again.output) == (0, [], "")

    switch(project, kind, True)
    assert sorted(project.build(jobs=jobs, schedule=schedule).ran) == sorted([*also, "all", "maybe", "report", "use"])
    project.settled()


@pytest.mark.parametrize("kind", ["global", "env", "exists"])
def test_flip_is_noticed_by_the_fast_lane(project: Project, kind: str) -> None:
    """A build with nothing to do is told at once, and not after a condition has come out otherwise; with something skipped it never is."""
    switch(project, kind, True)
    declare(project, CONDITIONS[kind])
    assert project.cli().exit_status == 0
    assert (project.cli().out.split(" in ")[0], lane(project) is None) == ("5 fresh", False)
    switch(project, kind, False)
    assert lane(project) is None
    outcome = project.cli()
    assert (outcome.exit_status, outcome.out.splitlines()[-1].split(" in ")[0]) == (0, "2 ran, 1 fresh, 2 skipped")
    assert lane(project) is None
    assert project.cli().out.split(" in ")[0] == "3 fresh, 2 skipped"
    switch(project, kind, True)
    assert lane(project) is None
    assert project.cli().out.splitlines()[-1].split(" in ")[0] == "4 from cache, 1 fresh"


def test_link_of_a_condition(project: Project) -> None:
    """A path that leads through a link is asked for each time: no folder's stamp tells of its other end."""
    project.write("elsewhere/on", "")
    project.rename("elsewhere", "../side/elsewhere")
    os.symlink(os.path.join(project.side, "elsewhere"), project.path("switches"))
    declare(project, {"exists": "switches/on"})
    assert len(project.build().ran) == 5
    assert lane(project) is None
    os.unlink(os.path.join(project.side, "elsewhere", "on"))
    assert sorted(project.build().skipped) == ["report", "use"]


@pytest.mark.parametrize(
    ("value", "runs"),
    [
        (True, True), (1, True), (-0.5, True), ("no", True), ("false", True), ([0], True), ({"a": False}, True),
        (False, False), (0, False), (0.0, False), ("", False), ([], False), ({}, False),
    ],
)  # fmt: skip
def test_what_is_false(project: Project, value: object, runs: bool) -> None:
    """false, 0, "", an empty list and an empty table are false, everything else is true."""
    project.globals(on=value)
    declare(project, "global.on")
    assert ("report" in project.build().ran) == runs


@pytest.mark.parametrize("runs", [True, False])
def test_plain_boolean(project: Project, runs: bool) -> None:
    """A condition may be written out."""
    declare(project, runs)
    outcome = project.build()
    assert ("report" in outcome.ran) == runs
    assert reasons(outcome).get("report", "") == ("" if runs else "`should_run` is false")


def test_empty_variable(project: Project) -> None:
    """A variable counts if it is set and not empty; one that a dotenv file sets counts too."""
    declare(project, {"env": "SWITCH"})
    project.environ["SWITCH"] = ""
    assert reasons(project.build())["report"] == "environment variable `SWITCH` is empty"
    del project.environ["SWITCH"]
    project.settings(dotenv=[".env"])
    project.write(".env", "SWITCH=1\n")
    assert "report" in project.build().ran
    project.write(".env", "\n")
    assert "report" in project.build().skipped


def test_condition_is_in_no_key(project: Project) -> None:
    """Another condition that holds makes nothing stale."""
    project.globals(on=True)
    declare(project, "global.on")
    assert len(project.build().ran) == 5
    project.globals(on="very much")
    assert project.build().ran == []
    declare(project, {"exists": "src"})
    assert project.build().ran == []


def test_requested_target(project: Project) -> None:
    """A skipped stage that was asked for: exit 0 and a line that says so, and why. Nothing that only it needs is made."""
    project.globals(on=False)
    declare(project, "global.on")
    project.stage("above", inputs="src", outputs="out/above", run="cp {inputs} {outputs}")
    project.stage("report", inputs="out/above", outputs="out/report", run=REPORT, should_run="global.on")
    outcome = project.cli("use", "out/report")
    assert (outcome.exit_status, outcome.err) == (0, "")
    assert outcome.out.splitlines()[:-1] == [
        "stage `use` is skipped: it needs stage `report`, which is skipped",
        "stage `report` is skipped: `global.on` is false",
    ]
    assert outcome.out.splitlines()[-1].startswith("2 skipped in ")
    assert not project.exists("out/above")
    assert sorted(line for line in project.cli("-v").out.splitlines() if "skipped" in line and " in " not in line) == [
        "report  skipped: `global.on` is false",
        "use  skipped: it needs stage `report`, which is skipped",
    ]


def test_part_of_the_outputs_is_kept(project: Project) -> None:
    """A build of some targets removes no dead outputs, but what a stage that runs would meet; an output that was edited is in the way."""
    project.globals(on=True)
    declare(project, "global.on")
    assert len(project.build().ran) == 5
    project.globals(on=False)
    assert project.build("other").output == ""
    assert project.exists("out/report")
    outcome = project.build("maybe")
    assert (outcome.ran, outcome.output) == (["maybe"], "note: removed `out/report`, whose stage is skipped\n")
    assert (project.read("out/maybe"), project.exists("out/use")) == ("1\n", True)
    project.globals(on=True)
    assert sorted(project.build().ran) == ["maybe", "report"]
    project.globals(on=False)
    project.write("out/report", "mine\n")
    outcome = project.build("maybe")
    assert (outcome.exit_status, outcome.failed) == (1, ["maybe"])
    assert outcome.output == (
        "`out/report` is in the way: stage `report`, which makes it, is skipped; it was changed since it was made: move it away\n"
    )
    assert project.read("out/report") == "mine\n"


def test_kept_outputs_are_fresh_again(project: Project) -> None:
    """Where dead outputs were not removed, and nothing has changed, they are fresh when the condition holds again."""
    project.globals(on=True)
    declare(project, "global.on")
    assert len(project.build().ran) == 5
    project.globals(on=False)
    assert project.build("report").skipped == ["report"]
    project.globals(on=True)
    assert project.build("report", "use").ran == []
    project.settled()


def test_directory_with_dead_outputs(project: Project) -> None:
    """A stage that reads a folder of sources does not find in it what a skipped stage made before."""
    project.globals(on=True)
    project.write("d/one", "1")
    project.stage("more", inputs="d/one", outputs="d/more", run="cp {inputs} {outputs}", should_run="global.on")
    project.stage("list", inputs="d/", outputs="names", run="ls d > {outputs}", infer_inputs=False)
    assert project.build().ran == ["more", "list"]
    assert project.read("names") == "more\none\n"
    project.globals(on=False)
    assert project.status() == {"more": "skipped", "list": "unknown"}
    assert project.build().ran == ["list"]
    assert project.read("names") == "one\n"
    assert project.build().ran == []


def test_missing_source_of_a_skipped_stage(project: Project) -> None:
    """What a stage needs that is skipped need not be there: `exists` may ask for just that."""
    project.stage("convert", inputs="raw.csv", outputs="out/table", run="cp {inputs} {outputs}", should_run={"exists": "raw.csv"})
    project.stage("use", inputs="convert.outputs", outputs="out/use", run="cp {inputs} {outputs}")
    assert project.build().skipped == ["convert", "use"]
    assert project.cli("check").exit_status == 0
    project.write("raw.csv", "1\n")
    assert project.build().ran == ["convert", "use"]
    project.settled()


def test_only_what_is_skipped_matches(project: Project) -> None:
    """A glob of which nothing is left keeps its stage from running; one that may match nothing does not."""
    project.stage("report", outputs="out/report", run="echo > {outputs}", should_run=False)
    project.stage("all", inputs="out/r*", outputs="all", run="cat {inputs} > {outputs}")
    project.stage("any", inputs=[{"path": "out/r*", "optional": True}], outputs="any", run="echo {inputs} > {outputs}")
    outcome = project.build()
    assert (outcome.ran, reasons(outcome)["all"]) == (["any"], "`out/r*` matches only what skipped stages make")


def test_order_only(project: Project) -> None:
    """What merely comes after a skipped stage runs."""
    project.stage("report", outputs="out/report", run="echo > {outputs}", should_run=False)
    project.stage("late", outputs="late", run="echo > {outputs}", after=["report"])
    assert project.build().ran == ["late"]


def test_command_that_names_the_output(project: Project) -> None:
    """A file named in a command is an input like others: without it the stage is skipped."""
    project.stage("report", outputs="out/report", run="echo > {outputs}", should_run=False)
    project.stage("use", outputs="use", run="cp out/report {outputs}")
    assert reasons(project.build())["use"] == "it needs stage `report`, which is skipped"


def test_found_by_a_depfile(project: Project) -> None:
    """A file that an earlier run has found is read if it is there: without the stage that makes it, it is not."""
    project.globals(on=True)
    project.stage("header", outputs="h", run="echo header > {outputs}", should_run="global.on")
    run = 'name=h; if [ -e $name ]; then cat $name > {outputs}; echo "x: $name" > {depfile}; else echo none > {outputs}; echo x: > {depfile}; fi'
    project.stage("use", outputs="use", run=run, after=["header"], depfile="use.d")
    assert project.build().ran == ["header", "use"]
    project.globals(on=False)
    outcome = project.build()
    assert (outcome.ran, outcome.skipped, project.read("use")) == (["use"], ["header"], "none\n")
    assert project.build().ran == []


def test_stages_without_outputs(project: Project) -> None:
    """A skipped test is neither run nor forgotten."""
    project.globals(on=True)
    project.write("src", "")
    project.stage("test", inputs="src", run=":", should_run="global.on")
    assert project.build("test").ran == ["test"]
    project.globals(on=False)
    assert project.build("test").skipped == ["test"]
    project.globals(on=True)
    assert project.build("test").ran == []


def test_forced(project: Project) -> None:
    """-B runs everything but what is left out."""
    project.globals(on=False)
    declare(project, "global.on")
    outcome = project.build(force=True)
    assert (sorted(outcome.ran), sorted(outcome.skipped)) == (["all", "maybe", "other"], ["report", "use"])


def test_told_apart_from_failures(project: Project) -> None:
    """Events and history say of a skipped stage which condition it was; of one below a failure they do not."""
    project.globals(on=False)
    declare(project, "global.on")
    project.stage("bad", inputs="src", outputs="out/bad", run="exit 3")
    project.stage("below", inputs="out/bad", outputs="out/below", run="cp {inputs} {outputs}")
    outcome = project.build(keep_going=True)
    assert outcome.exit_status == 1
    assert reasons(outcome) == {
        "report": "`global.on` is false", "use": "it needs stage `report`, which is skipped", "below": "",
    }  # fmt: skip
    edges = json.loads(project.read("pipeline_outputs/latest/manifest.json"))["edges"]
    assert {edge["stage"]: edge["reasons"] for edge in edges if edge["status"] == "skipped"} == {
        "report": ["`global.on` is false"], "use": ["it needs stage `report`, which is skipped"], "below": [],
    }  # fmt: skip
    assert json.loads(project.read("pipeline_outputs/latest/run.json"))["counts"]["skipped"] == 3
    events = [json.loads(line) for line in project.cli("--json", "-k").out.splitlines()]
    told = {event["stage"]: event.get("reason") for event in events if event["event"] == "stage_finished" and event["status"] == "skipped"}
    assert (told["report"], told["below"]) == ("`global.on` is false", None)


def test_commands_that_only_read(project: Project) -> None:
    """`status`, `why`, `list`, dry runs and `check` know what is skipped; `clean --dead` removes what it made."""
    project.globals(on=True)
    declare(project, "global.on")
    assert len(project.build().ran) == 5
    project.globals(on=False)
    before = project.tree()
    assert sorted(project.cli("status").out.splitlines()) == [
        "2 stale, 2 skipped, 1 fresh",
        "skipped report: `global.on` is false",
        "skipped use: it needs stage `report`, which is skipped",
        "stale   all: its command changed (and 1 more)",
        "stale   maybe: input `out/report` is gone",
    ]
    assert project.status() == {"report": "skipped", "use": "skipped", "maybe": "stale", "all": "stale", "other": "fresh"}
    assert project.cli("why", "out/use").out == (
        "`report` is skipped\n  `global.on` is false\n`use` is skipped\n  it needs stage `report`, which is skipped\n"
    )
    assert sorted(project.build(dry_run=True).would_run) == ["all", "maybe"]
    assert "note: would skip report: `global.on` is false\n" in project.build(dry_run=True).output
    assert "2 would run, 1 fresh, 2 skipped\n" in project.build(dry_run=True).output
    assert project.cli("check").exit_status == 0
    assert project.cli("status", "--check", "report").exit_status == 0
    assert project.cli("list", "--status").exit_status == 0
    assert project.tree() == before
    assert sorted(project.cli("clean", "--dead").out.splitlines()[:2]) == ["removed out/report", "removed out/use"]
    assert sorted(project.build().ran) == ["all", "maybe"]


# --- values that other stages return


def test_value_that_is_not_known_yet(project: Project) -> None:
    """Without building, nobody knows what a stale stage will return: what depends on it may run."""
    ask(project, "value")
    switch(project, "value", True)
    declare(project, "ask.answer")
    assert project.status()["report"] == "unknown"
    assert project.why("out/report")["report"] == ["its condition `ask.answer` may change"]
    assert len(project.build().ran) == 6
    assert project.status() == dict.fromkeys(["ask", "report", "use", "maybe", "all", "other"], "fresh")
    project.settled()
    switch(project, "value", False)
    assert project.status() == {"ask": "stale", "report": "unknown", "use": "unknown", "maybe": "unknown", "all": "unknown", "other": "fresh"}
    assert sorted(project.build().skipped) == ["report", "use"]
    assert project.status()["report"] == "skipped"


def test_value_orders_and_is_in_no_key(project: Project) -> None:
    """The stage that decides comes first; another value that is as true makes nothing stale."""
    project.write("src", "1\n")
    project.write("asking.py", "def ask(src):\n    with open(src) as file:\n        return int(file.read())\n")
    project.stage("ask", inputs={"src": "src"}, outputs={"count": "value:int"}, call="asking:ask")
    project.write("other", "1\n")
    project.stage("report", inputs="other", outputs="report", run="cp {inputs} {outputs}", should_run="ask.count")
    assert project.build("report", jobs=4).ran == ["ask", "report"]
    project.write("src", "2\n")
    assert project.build("report").ran == ["ask"]
    project.write("src", "0\n")
    outcome = project.build("report")
    assert (outcome.ran, outcome.output) == (["ask"], "note: stage `report` is skipped: `ask.count` is 0\n")


def test_value_of_a_stage_that_failed(project: Project) -> None:
    """Below a failure it is a failure that skips: exit 1."""
    project.write("asking.py", "def ask():\n    raise ValueError('who knows')\n")
    project.stage("ask", outputs={"answer": "value:bool"}, call="asking:ask", version="1")
    project.stage("report", outputs="report", run="echo > {outputs}", should_run="ask.answer")
    outcome = project.build(keep_going=True)
    assert (outcome.exit_status, outcome.failed, outcome.skipped, reasons(outcome)) == (1, ["ask"], ["report"], {"report": ""})


def test_value_of_a_stage_that_is_skipped(project: Project) -> None:
    """A value that nobody returns decides against."""
    project.write("asking.py", "def ask():\n    return True\n")
    project.stage("ask", outputs={"answer": "value:bool"}, call="asking:ask", should_run=False)
    project.stage("report", outputs="report", run="echo > {outputs}", should_run="ask.answer")
    assert reasons(project.build())["report"] == "its condition `ask.answer` comes from stage `ask`, which is skipped"


def test_missing_source_behind_a_value(project: Project) -> None:
    """Whether the source of such a stage is there is looked at when it is known to run."""
    ask(project, "value")
    switch(project, "value", False)
    project.stage("report", inputs="raw.csv", outputs="report", run="cp {inputs} {outputs}", should_run="ask.answer")
    assert project.build().skipped == ["report"]
    switch(project, "value", True)
    outcome = project.build()
    assert (outcome.exit_status, outcome.failed, outcome.output) == (1, ["report"], "`raw.csv` does not exist and no stage makes it\n")


def test_what_needs_all_instances_of_a_skipped_stage(project: Project) -> None:
    """It is skipped too, however many there are; what only looks says the same."""
    project.write("doc.txt", "1\n")
    project.pipefile("""
[global]
on = false

[stage.thumb]
for_each = { p = ["a", "b"] }
inputs = "doc.txt"
outputs = "build/{p}.t"
run = "cp {inputs} {outputs}"
should_run = "global.on"

[stage.sum]
inputs = "thumb.outputs"
outputs = "sum.txt"
run = "cat {inputs} > {outputs}"
""")
    outcome = project.build()
    assert (outcome.exit_status, outcome.ran, sorted(outcome.skipped)) == (0, [], ["sum", "thumb@a", "thumb@b"])
    assert project.cli("status", "--check").exit_status == 0
