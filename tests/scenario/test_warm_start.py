"""Builds that start from the index: what they look at, what sends them to the Pipefile after all, and what they leave behind."""

from __future__ import annotations

import os

import pytest
from kit import Project
from kit.disks import DyingDisk, Killed
from kit.lane import lane
from kit.outcome import BuildOutcome

from pipefile.model.event import PlanMade


def passed(outcome: BuildOutcome) -> int:
    """How many edges a build took for fresh before it had looked at any; 0 where it started from the Pipefile."""
    return next(event.fresh for event in outcome.events if isinstance(event, PlanMade))


def told(outcome: BuildOutcome) -> tuple[list[str], int, int]:
    """What ran, how many were fresh, and how many of these were not looked at."""
    return outcome.ran, outcome.fresh, passed(outcome)


@pytest.fixture
def chain(project: Project) -> Project:
    """Two chains of three stages and one that joins them, built."""
    for letter in "ab":
        project.write(f"src/{letter}.txt", f"{letter}\n")
        project.stage(f"{letter}1", inputs=f"src/{letter}.txt", outputs=f"o/{letter}1", run="sed 's/#.*//' {inputs} > {outputs}")
        project.stage(f"{letter}2", inputs=f"o/{letter}1", outputs=f"o/{letter}2", run="cat {inputs} > {outputs}")
    project.stage("join", inputs=["o/a2", "b2.outputs"], outputs="o/join", run="cat {inputs} > {outputs}")
    assert sorted(project.build().ran) == ["a1", "a2", "b1", "b2", "join"]
    return project


def test_one_edit(chain: Project) -> None:
    """What is below the edited file runs; the other chain is not looked at."""
    chain.write("src/a.txt", "other\n")
    assert told(chain.build()) == (["a1", "a2", "join"], 2, 2)
    assert chain.read("o/join") == "other\nb\n"
    assert lane(chain) is not None
    chain.settled()


def test_early_cutoff(chain: Project) -> None:
    """Below an output whose bytes stayed the same nothing is looked at."""
    chain.write("src/b.txt", "b#note\n")
    assert told(chain.build()) == (["b1"], 4, 2)
    assert lane(chain) is not None


def test_a_touch(chain: Project) -> None:
    """Nothing runs, and the next build needs no look at the file's bytes."""
    chain.touch("src/a.txt", 1_600_000_000_000_000_001)  # no stamp of the future, which nothing believes
    assert told(chain.build()) == ([], 5, 2)
    assert lane(chain) is not None


def test_outputs_and_records(chain: Project) -> None:
    """A tampered output, one that is gone, a record that is gone: each is made again, and nothing else is."""
    chain.write("o/a1", "tampered\n")
    assert told(chain.build()) == (["a1"], 4, 2)
    chain.remove("o/b2")
    assert told(chain.build()) == (["b2"], 4, 3)
    chain.remove(chain.record("o/join"))
    assert told(chain.build()) == (["join"], 4, 4)
    chain.settled()


def test_saved_as_editors_do(chain: Project) -> None:
    """Another file takes the name in a folder that a glob looks into: the glob finds the same, so nothing of the graph has changed."""
    chain.stage("all", inputs="src/*.txt", outputs="all", run="cat {inputs} > {outputs}")
    assert chain.build().ran == ["all"]
    chain.write("src/a.txt~", "new\n")
    chain.rename("src/a.txt~", "src/a.txt")
    outcome = chain.build()
    assert (sorted(outcome.ran), outcome.fresh, passed(outcome)) == (["a1", "a2", "all", "join"], 2, 2)
    assert lane(chain) is not None
    chain.write("src/c.txt", "c\n")
    assert told(chain.build()) == (["all"], 5, 0)


def test_after_a_failure(chain: Project) -> None:
    """A build that failed leaves the index good for the next one: what failed is tried again, with what hangs on it."""
    chain.stage("b2", inputs="o/b1", outputs="o/b2", run="grep b {inputs} > {outputs}")
    assert chain.build().ran == ["b2"]
    chain.write("src/b.txt", "x\n")
    outcome = chain.build()
    assert (outcome.ran, outcome.failed, outcome.skipped, outcome.fresh, passed(outcome)) == (["b1"], ["b2"], ["join"], 2, 2)
    again = chain.build()
    assert (again.ran, again.failed, again.fresh, passed(again)) == ([], ["b2"], 3, 3)
    chain.write("src/b.txt", "bb\n")
    assert told(chain.build()) == (["b1", "b2", "join"], 2, 2)
    chain.settled()


def test_another_request(chain: Project) -> None:
    """The index knows the rows of one request: another one is looked up in the Pipefile."""
    chain.write("src/a.txt", "other\n")
    assert told(chain.build("o/a1")) == (["a1"], 0, 0)
    chain.write("src/a.txt", "more\n")
    assert told(chain.build("o/a1")) == (["a1"], 0, 0)
    assert told(chain.build()) == (["a2", "join"], 3, 0)


@pytest.mark.parametrize("change", ["comment", "variable", "dotenv", "source gone", "source is a folder", "index", "record of another stage"])
def test_what_sends_it_to_the_pipefile(chain: Project, change: str) -> None:
    """Whatever could change the graph, or needs more of it than the edges that are looked at."""
    chain.settings(env=["LEVEL"], dotenv=["dot.env"])
    chain.write("dot.env", "A=1\n")
    chain.build()
    chain.write("src/a.txt", "other\n")
    if change == "comment":
        chain.pipefile(chain.read("Pipefile.toml") + "# comment\n")
    elif change == "variable":
        chain.environ["LEVEL"] = "2"
    elif change == "dotenv":
        chain.write("dot.env", "A=2\n")
    elif change.startswith("source"):
        chain.remove("src/b.txt")
        if change.endswith("folder"):
            os.makedirs(chain.path("src/b.txt"))
    elif change == "index":
        chain.write("pipeline_outputs/index", chain.read_bytes("pipeline_outputs/index")[:-1])
    else:  # a dead output is for a build that knows what is made
        chain.stage("dead", outputs="o/dead", run="echo > {outputs}")
        chain.build()
        chain.write("o/dead", "edited since\n")
        chain.drop("dead")
        chain.build()
        chain.write("src/a.txt", "yet another\n")
    outcome = chain.build()
    if change.startswith("source"):
        assert (outcome.exit_status, outcome.ran) == (2, [])
    else:
        assert (outcome.exit_status, passed(outcome)) == (0, 0)


@pytest.mark.parametrize("option", [{"force": True}, {"verbose": 1}, {"schedule": "waves"}, {"dry_run": True}])
def test_options_that_look_at_everything(chain: Project, option: dict[str, object]) -> None:
    """-B runs all, -v shows all, waves are of all; a dry run starts nothing at all."""
    chain.write("src/a.txt", "other\n")
    outcome = chain.build(**option)
    assert [event.fresh for event in outcome.events if isinstance(event, PlanMade)] == ([] if "dry_run" in option else [0])


def test_a_new_discovered_input(chain: Project) -> None:
    """A depfile that lists more than before: the file has a row from then on."""
    chain.write("inc/one.h", "1\n")
    chain.write("inc/two.h", "2\n")
    chain.write("inc/list", "inc/one.h\n")
    run = 'echo "x: $(cat inc/list)" > {depfile}; cat {inputs} $(cat inc/list) > {outputs}'
    chain.stage("dep", inputs="src/a.txt", outputs="o/dep", depfile="o/dep.d", run=run, infer_inputs=False)
    assert chain.build().ran == ["dep"]
    chain.write("inc/list", "inc/one.h inc/two.h\n")
    chain.write("src/a.txt", "other\n")
    outcome = chain.build()
    assert (sorted(outcome.ran), passed(outcome)) == (["a1", "a2", "dep", "join"], 2)
    chain.write("inc/two.h", "3\n")
    assert told(chain.build()) == (["dep"], 5, 5)
    assert chain.read("o/dep") == "other\n1\n3\n"
    chain.settled()


def test_an_undeclared_input_of_another_stage(chain: Project) -> None:
    """Who makes a discovered input is known of the whole graph, and so is whether it comes before."""
    run = 'echo "x: o/b2" > {depfile}; cat {inputs} "$EXTRA" > {outputs}'
    chain.environ["EXTRA"] = "o/b2"
    chain.stage("dep", inputs="src/a.txt", outputs="dep", depfile="dep.d", run='echo "x:" > {depfile}; cat {inputs} > {outputs}')
    chain.build()
    either = f"if grep -q more {{inputs}}; then {run}; else : > {{depfile}}; : > {{outputs}}; fi"
    chain.stage("dep", inputs=["src/a.txt"], outputs="dep", depfile="dep.d", run=either)
    assert chain.build().ran == ["dep"]
    chain.write("src/a.txt", "more\n")
    outcome = chain.build(keep_going=True)
    text = "read `o/b2`, which stage `b2` makes, without declaring it\nhint: add it to the inputs of `dep`: \"o/b2\""
    assert (sorted(outcome.ran), outcome.failed, outcome.output) == (["a1", "a2", "join"], ["dep"], f"{text}\n")
    assert passed(outcome) == 2


def test_an_index_that_cannot_be_written(chain: Project) -> None:
    """A warning, and the next build decides from the records."""
    chain.write("src/a.txt", "other\n")
    os.makedirs(chain.path("pipeline_outputs/index~/in the way"))
    chain.build()
    chain.settled()


@pytest.mark.parametrize("changes", range(0, 40, 3))
def test_killed_at_any_change(chain: Project, changes: int) -> None:
    """Case 30: the builder dies at its n-th change of the disk; what the next build leaves is right, and final."""
    chain.write("src/a.txt", "other\n")
    chain.disk = DyingDisk(chain.root, changes)
    try:
        assert passed(chain.build(jobs=1)) == 2
    except Killed:
        pass
    chain.disk = None
    assert chain.build().exit_status == 0
    assert chain.read("o/join") == "other\nb\n"
    assert chain.build().ran == []
    assert chain.clean_outputs() == chain.outputs()
