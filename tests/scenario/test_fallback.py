"""`fallback`: what makes the outputs of a stage that has failed, and why nobody believes it afterwards."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest
from kit import Project
from kit.lane import lane

from pipefile.model.event import StageFinished, StageStarted
from pipefile.testing import FakeClock

WARNING = "warning: stage `main` failed (exit status 3): its outputs come from fallback `plain`\n"
STEPS = """
import os

def main(src, dst, size):
    if os.path.exists("broken"):
        raise ConnectionError("no answer")
    with open(src) as file, open(dst, "w") as out:
        out.write(f"good {size} " + file.read())

def plain(src, dst, size):
    with open(src) as file, open(dst, "w") as out:
        out.write(f"plain {size} " + file.read())
"""


def declare(project: Project, **keys: object) -> None:
    """`main` fails while `broken` is there; `plain` makes its outputs then, and `use` works with either."""
    project.write("src", "1\n")
    main: dict[str, object] = {
        "inputs": {"src": "src"},
        "outputs": {"dst": "a"},
        "run": "test ! -e broken || exit 3; (echo good; cat {src}) > {dst}",
        "infer_inputs": False,
        "fallback": "plain",
    }
    project.stage("main", **{name: value for name, value in {**main, **keys}.items() if value != ""})  # type: ignore[arg-type]
    project.stage("plain", run="(echo plain; cat {src}) > {dst}")
    project.stage("use", inputs="a", outputs="b", run="cp {inputs} {outputs}")
    project.write("broken", "")


def manifest(project: Project) -> dict[str, dict[str, Any]]:
    edges = json.loads(project.read("pipeline_outputs/latest/manifest.json"))["edges"]
    return {edge["stage"]: edge for edge in edges}


def counts(project: Project) -> dict[str, int]:
    found: dict[str, int] = json.loads(project.read("pipeline_outputs/latest/run.json"))["counts"]
    return {name: number for name, number in found.items() if number}


@pytest.mark.parametrize("jobs", [1, 4])
@pytest.mark.parametrize("schedule", ["eager", "waves"])
def test_dependents_run_on_degraded_outputs(project: Project, jobs: int, schedule: str) -> None:
    """When a stage has failed its fallback makes its outputs; what needs them runs, the build exits 0 with a warning, `--strict` with 1."""
    declare(project)
    outcome = project.build(jobs=jobs, schedule=schedule)
    assert (outcome.exit_status, outcome.ran, outcome.degraded, outcome.failed) == (0, ["use"], ["main"], [])
    assert outcome.output == "exit status 3\n" + WARNING
    assert project.read("b") == "plain\n1\n"
    assert counts(project) == {"ran": 1, "degraded": 1}
    edge = manifest(project)["main"]
    assert (edge["status"], edge["error"], edge["attempts"], edge["key"], list(edge["outputs"])) == ("degraded", "exit status 3", 2, "", ["a"])
    strict = project.build(strict=True)
    assert (strict.exit_status, strict.degraded, strict.ran) == (1, ["main"], [])


def test_not_believed_in_the_next_build(project: Project) -> None:
    """Every later build tries the stage itself again, until it succeeds; then it is fresh. The same bytes make nothing else run."""
    declare(project)
    assert project.build().degraded == ["main"]
    for _ in range(2):
        assert project.status() == {"main": "stale", "use": "unknown"}
        assert project.why("b") == {"main": ["its last result came from fallback `plain`"], "use": ["input `a` may change"]}
        assert project.build(dry_run=True).output == (
            "note: would run main: its last result came from fallback `plain`\nnote: may run use: input `a` may change\nnote: 2 would run, 0 fresh\n"
        )
        assert lane(project) is None
        outcome = project.build()
        assert (outcome.degraded, outcome.ran, outcome.fresh) == (["main"], [], 1)
    project.remove("broken")
    assert project.build().ran == ["main", "use"]
    assert project.read("b") == "good\n1\n"
    project.settled()


def test_not_believed_with_the_same_bytes_as_before(project: Project) -> None:
    """Nor where the fallback makes what the stage itself once made, with nothing else changed, with and without the index."""
    declare(project)
    project.stage("plain", run="(echo good; cat {src}) > {dst}")
    project.remove("broken")
    assert project.build().ran == ["main", "use"]
    project.write("broken", "")
    assert project.build(force=True).degraded == ["main"]
    assert project.build().degraded == ["main"]
    project.remove("pipeline_outputs/index")
    assert project.build().degraded == ["main"]
    project.remove("broken")
    assert project.build().ran == ["main"]
    project.settled()


def test_once_after_the_last_attempt(project: Project) -> None:
    """Case 56: the fallback runs once, after the last attempt of the stage; numbers count on, and the logs of all are kept."""
    project.clock = FakeClock()
    declare(project, run="echo main; exit 3", retry_policy={"max_attempts": 3})
    project.stage("plain", run="echo x >> plain.log; echo plain; cp {src} {dst}")
    outcome = project.build()
    started = [(event.attempt, event.fallback) for event in outcome.events if isinstance(event, StageStarted) and event.stage == "main"]
    assert started == [(1, ""), (2, ""), (3, ""), (4, "plain")]
    assert project.read("plain.log") == "x\n"
    folder = project.path("pipeline_outputs/latest/main")
    assert {name: project.read(os.path.join(folder, name)) for name in os.listdir(folder)} == {
        "log.1.txt": "main\n", "log.2.txt": "main\n", "log.3.txt": "main\n", "log.txt": "plain\n",
    }  # fmt: skip
    assert manifest(project)["main"]["attempts"] == 4
    run = os.readlink(project.path("pipeline_outputs/latest"))
    assert outcome.output.endswith(f"{WARNING}  log: pipeline_outputs/{run}/main/log.3.txt\n")


def test_no_part_of_a_failed_stage_is_left(project: Project) -> None:
    """The fallback starts from clean temporary outputs."""
    declare(project, run="echo half > {dst}; exit 3")
    project.stage("plain", run="test ! -e {dst}; echo whole > {dst}")
    assert project.build().degraded == ["main"]
    assert project.read("a") == "whole\n"


@pytest.mark.parametrize("place", ["by name", "in place"])
@pytest.mark.parametrize("fallback", ["by name", "in place"])
def test_places(project: Project, place: str, fallback: str) -> None:
    """Both the stage and its fallback may name the outputs by placeholder or literally."""
    runs = {"by name": "{dst}", "in place": "a"}
    declare(project, run=f"echo half > {runs[place]}; test ! -e broken || exit 3")
    project.stage("plain", run=f"echo plain > {runs[fallback]}")
    for _ in range(2):
        outcome = project.build()
        assert (outcome.exit_status, outcome.degraded, project.read("a")) == (0, ["main"], "plain\n")
    assert not project.exists(".pipefile-tmp")
    project.remove("broken")
    assert project.build().ran == ["main", "use"]
    project.settled()


def test_function_of_the_same_module(project: Project) -> None:
    """A function may stand in for a function: it gets the same inputs, outputs and params."""
    project.write("steps.py", STEPS)
    project.write("src", "1\n")
    project.write("broken", "")
    project.stage("main", inputs={"src": "src"}, outputs={"dst": "a"}, params={"size": 7}, call="steps:main", fallback="plain")
    outcome = project.build()
    assert (outcome.exit_status, outcome.degraded, project.read("a")) == (0, ["main"], "plain 7 1\n")
    assert project.why("a") == {"main": ["its last result came from fallback `plain`"]}
    project.remove("broken")
    assert project.build().ran == ["main"]
    assert project.read("a") == "good 7 1\n"
    project.settled()


def test_function_as_a_stage_of_its_own(project: Project) -> None:
    """A fallback that is a stage has its own params, and gets the inputs and outputs of the stage that it stands in for."""
    project.write("steps.py", STEPS)
    declare(project)
    project.stage("plain", call="steps:plain", params={"size": 8})
    assert project.build().degraded == ["main"]
    assert project.read("b") == "plain 8 1\n"


def test_inputs_of_both(project: Project) -> None:
    """A fallback gets its own inputs and then those of the stage; of one name, its own. They are in no key."""
    project.write("own", "own\n")
    project.write("other", "other\n")
    declare(project, inputs={"src": "src", "more": "other"})
    project.stage("plain", inputs={"src": "own", "extra": "other"}, run="cat {src} {extra} {more} {inputs} > {outputs}")
    assert project.build().degraded == ["main"]
    assert project.read("a") == "own\nother\nother\nown\nother\nother\n"
    project.remove("broken")
    assert project.build().ran == ["main", "use"]
    project.write("own", "edited\n")
    assert project.build().ran == []


def test_inputs_that_other_stages_make(project: Project) -> None:
    """What a fallback needs comes before its stage, whether or not that fails; it makes nothing stale."""
    declare(project)
    project.stage("model", inputs="seed", outputs="model.bin", run="cp {inputs} {outputs}")
    project.stage("plain", inputs={"model": "model.bin"}, run="cat {model} > {dst}")
    project.write("seed", "s1")
    project.remove("broken")
    assert project.build("use", jobs=1).ran == ["model", "main", "use"]
    project.write("seed", "s2")
    assert project.build().ran == ["model"]
    project.write("broken", "")
    project.write("src", "2\n")
    outcome = project.build()
    assert (outcome.degraded, project.read("b")) == (["main"], "s2")


def test_fallback_input_that_is_missing(project: Project) -> None:
    """A source that only the fallback needs has to be there before anything runs."""
    declare(project)
    project.stage("plain", inputs={"model": "model.bin"}, run="cat {model} > {dst}")
    outcome = project.build()
    assert (outcome.exit_status, outcome.ran) == (2, [])
    assert outcome.output == ("error: `model.bin` does not exist and no stage makes it\n  needed by `plain` (Pipefile.toml:9)\n")


def test_both_fail(project: Project) -> None:
    """If the fallback fails too, the stage has failed, and both errors are told."""
    declare(project)
    project.stage("plain", run="echo half > {dst}; exit 4")
    outcome = project.build()
    assert (outcome.exit_status, outcome.failed, outcome.degraded, outcome.skipped) == (1, ["main"], [], ["use"])
    assert outcome.output == "exit status 3\nfallback `plain` failed: exit status 4\n"
    assert not project.exists("a")
    outcome = project.cli()
    assert outcome.err.splitlines() == [
        "Pipefile.toml:1:1: error: stage `main` failed: exit status 3",
        "  echo half > .pipefile-tmp/a; exit 4",
        "  fallback `plain` failed: exit status 4",
    ]
    assert manifest(project)["main"]["status"] == "failed"


def test_fallback_without_its_outputs(project: Project) -> None:
    """A fallback that ends well and has not made the outputs has failed."""
    declare(project)
    project.stage("plain", run=":")
    outcome = project.build()
    assert outcome.failed == ["main"]
    assert outcome.output == "exit status 3\nfallback `plain` failed: ended with exit status 0 but did not write `a`\n"


def test_fallback_with_retries(project: Project) -> None:
    """A fallback that is a stage may have retries and a timeout of its own."""
    project.clock = FakeClock()
    project.environ["TRIES"] = os.path.join(project.side, "tries")
    declare(project)
    project.stage("plain", run='echo x >> "$TRIES"; [ $(wc -l < "$TRIES") -ge 2 ] || exit 75; echo plain > {dst}', retry_policy={"max_attempts": 2})
    outcome = project.build()
    assert (outcome.degraded, project.clock.waited) == (["main"], [1.0])
    assert outcome.output.startswith("note: fallback `plain` of stage `main` failed (exit status 75): attempt 3 of 3 in 1 s\n")


def test_not_when_something_above_failed(project: Project) -> None:
    """A stage that was never started has no use for its fallback: something above it failed."""
    declare(project)
    project.stage("above", outputs="src2", run="exit 5")
    project.stage("main", inputs={"src": "src2"}, outputs={"dst": "a"}, run="cp {src} {dst}", fallback="plain")
    outcome = project.build(keep_going=True)
    assert (outcome.exit_status, outcome.failed, sorted(outcome.skipped), outcome.degraded) == (1, ["above"], ["main", "use"], [])


def test_not_when_an_input_is_missing(project: Project) -> None:
    """Nor one whose input is not there after all."""
    declare(project)
    project.stage("above", outputs="d/", run="echo > {outputs}/one")
    project.stage("main", inputs={"src": "d/two"}, outputs={"dst": "a"}, run="cp {src} {dst}", fallback="plain")
    outcome = project.build()
    assert (outcome.failed, outcome.degraded) == (["main"], [])
    assert outcome.output == "stage `above` did not make `d/two`\n"


def test_not_on_interrupt(project: Project) -> None:
    """An interrupt is no failure of the stage: its fallback does not run."""
    gate = project.gate("main")
    declare(project, run=gate.shell)
    project.traced("plain", run="echo > {dst}")
    running = project.start()
    gate.wait()
    running.signal_group()
    outcome = running.wait()
    assert (outcome.exit_status, outcome.started) == (130, [])


def test_interrupt_while_the_fallback_runs(project: Project) -> None:
    """An interrupted fallback has made nothing."""
    gate = project.gate("plain")
    declare(project)
    project.stage("plain", run=f"echo half > {{dst}}; {gate.shell}")
    running = project.start()
    gate.wait()
    running.signal_group()
    assert running.wait().exit_status == 130
    assert not project.exists("a")
    assert manifest(project)["main"]["status"] == "interrupted"


def test_not_after_another_failure(project: Project) -> None:
    """Without -k nothing is started after a failure, a fallback neither; with -k it is."""
    gate = project.gate("other")
    declare(project, run=f"{gate.arrive}; exit 3")
    project.stage("bad", outputs="c", run="exit 4")
    outcome = project.build("main", "bad", jobs=1, keep_going=True)
    assert (outcome.failed, outcome.degraded) == (["bad"], ["main"])
    assert outcome.exit_status == 1


def test_several_stages_share_one(project: Project) -> None:
    """One fallback may stand in for several stages."""
    declare(project)
    project.stage("second", inputs={"src": "src"}, outputs={"dst": "c"}, run="exit 9", fallback="plain")
    outcome = project.build()
    assert (outcome.exit_status, sorted(outcome.degraded)) == (0, ["main", "second"])
    assert (project.read("a"), project.read("c")) == ("plain\n1\n", "plain\n1\n")


def test_stage_without_outputs(project: Project) -> None:
    """A stage without outputs may have one as well: its record is not believed either."""
    project.write("src", "1")
    project.stage("test", inputs="src", run="exit 3", fallback="plain")
    project.stage("plain", run=":")
    for _ in range(2):
        assert project.build("test").degraded == ["test"]
    project.stage("test", inputs="src", run=":", fallback="plain")
    assert project.build("test").ran == ["test"]
    assert project.build("test").ran == []


def test_fallback_changes_no_key(project: Project) -> None:
    """Another fallback makes nothing stale."""
    declare(project)
    project.remove("broken")
    assert project.build().ran == ["main", "use"]
    project.stage("plain", run="echo other > {dst}")
    assert project.build().ran == []
    declare(project, fallback="")
    project.remove("broken")
    assert project.build().ran == []


def test_by_the_program(project: Project) -> None:
    """What is said on the command line: a warning, the last line, and nothing that is fresh."""
    declare(project)
    outcome = project.cli("-j1")
    assert outcome.exit_status == 0
    assert outcome.err == WARNING
    lines = outcome.out.splitlines()
    assert lines[0].startswith("[1/2] main degraded  ")
    assert lines[-1].startswith("1 ran, 1 degraded in ")
    outcome = project.cli("--strict")
    assert (outcome.exit_status, outcome.err) == (1, WARNING)
    assert outcome.out.splitlines()[-1].startswith("1 degraded, 1 fresh in ")
    shown = project.cli("runs", "show").out
    assert "\nmain  degraded  " in shown
    assert "  error: exit status 3\n" in shown
    events = [json.loads(line) for line in project.cli("--json").out.splitlines()]
    finished = [event for event in events if event["event"] == "stage_finished" and event["status"] == "degraded"]
    assert [(event["stage"], event["error"]) for event in finished] == [("main", "exit status 3")]
    assert [event["fallback"] for event in events if event["event"] == "stage_started" and event["attempt"] == 2] == ["plain"]
    assert events[-1]["degraded"] == 1


def test_never_a_target(project: Project) -> None:
    """A fallback cannot be asked for, and is part of no default set; other commands know it."""
    declare(project)
    for words in (("plain",), ("why", "plain"), ("status", "plain"), ("clean", "plain")):
        outcome = project.cli(*words)
        assert (outcome.exit_status, outcome.err) == (
            2, "error: `plain` is the fallback of stage `main`, and runs when that has failed, never by itself\nhint: name `main`\n",
        )  # fmt: skip
    project.remove("broken")
    assert project.build().ran == ["main", "use"]
    assert project.cli("check").out == "3 stages: no faults\n"
    assert project.cli("list", "--status").exit_status == 0
    assert project.cli("graph").out == "main: src -> a\nplain:  (fallback of main)\nuse: a -> b\n"
    assert '"fallback_of": ["main"]' in project.cli("graph", "--format", "json").out
    assert "[style=dotted, label=fallback]" in project.cli("graph", "--format", "dot").out


def test_input_edited_while_the_fallback_runs(project: Project) -> None:
    """A fallback whose input changes meanwhile runs once more, as any stage."""
    declare(project)
    project.environ["TRIES"] = os.path.join(project.side, "tries")
    project.stage("plain", run='echo x >> "$TRIES"; cp {src} {dst}; [ $(wc -l < "$TRIES") != 1 ] || echo 2 > src', infer_inputs=False)
    outcome = project.build()
    assert (outcome.degraded, project.read("b")) == (["main"], "2\n")


def test_accepting_a_degraded_result(project: Project) -> None:
    """`accept` believes it."""
    declare(project)
    assert project.build().degraded == ["main"]
    assert project.cli("accept", "main", "--reason", "good enough").exit_status == 0
    assert project.build().degraded == []


def test_statuses(project: Project) -> None:
    """Each stage ends once, by one of the words."""
    declare(project)
    finished = [event for event in project.build().events if isinstance(event, StageFinished)]
    assert [(event.stage, event.status, event.error) for event in finished] == [("main", "degraded", "exit status 3"), ("use", "ran", "")]


def test_function_that_is_not_there(project: Project) -> None:
    """A function that its module does not bind is an error before anything runs; where the module's text does not tell, it is one when it is due."""
    project.write("steps.py", STEPS)
    project.write("src", "1\n")
    project.write("broken", "")
    stage: dict[str, object] = {"inputs": {"src": "src"}, "outputs": {"dst": "a"}, "params": {"size": 7}, "call": "steps:main"}
    project.stage("main", **stage, fallback="plian")  # type: ignore[arg-type]
    outcome = project.build()
    assert (outcome.exit_status, outcome.output) == (
        2,
        "error: Pipefile.toml:6:1: `fallback` of stage `main` names `plian`, which is neither a stage nor a function of `steps`\n"
        '  6 | fallback = "plian"\n    | ^^^^^^^^\nhint: did you mean `plain`?\n',
    )
    project.write("steps.py", STEPS + "\nfrom os.path import *\n")
    outcome = project.build()
    assert (outcome.exit_status, outcome.failed) == (1, ["main"])
    (error,) = [event.error for event in outcome.events if isinstance(event, StageFinished)]
    assert error.splitlines()[0] == "ConnectionError: no answer"
    assert error.splitlines()[-1].startswith("fallback `plian` failed: ")
