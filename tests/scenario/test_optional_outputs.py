"""Outputs of class `optional`: what a stage may make or not."""

from __future__ import annotations

import pytest
from kit import Project
from kit.restored import whole

MAYBE = {"path": "build/errors", "optional": True}
FIND = "touch {log}; if grep -q bad {src}; then grep bad {src} > {errors}; fi"
HINT = 'hint: an input that may be absent is `{ path = "build/errors", optional = true }`'


@pytest.fixture
def found(project: Project) -> Project:
    """A stage that makes a second output if there is something to tell."""
    project.write("src", "good\n")
    project.stage("find", inputs={"src": "src"}, outputs={"log": "build/log", "errors": MAYBE}, run=FIND)
    assert project.build().ran == ["find"]
    return project


def test_it_may_be_absent_after_the_run(found: Project) -> None:
    """Its absence is recorded, with a record in its place, and the stage is fresh."""
    assert not found.exists("build/errors")
    assert found.exists(found.record("build/errors"))
    assert found.status() == {"find": "fresh"}
    found.settled()


def test_another_output_still_has_to_be_there(project: Project) -> None:
    """One that is not optional is missed."""
    project.stage("find", outputs={"log": "build/log", "errors": MAYBE}, run="true {log}; echo > {errors}")
    outcome = project.build()
    assert (outcome.failed, outcome.output) == (["find"], "ended with exit status 0 but did not write `build/log`\n")


def test_it_comes_and_goes_with_its_input(found: Project) -> None:
    """What an earlier run has made does not outlive one that makes nothing."""
    found.write("src", "bad\n")
    assert found.build().ran == ["find"]
    assert found.read("build/errors") == "bad\n"
    found.settled()
    found.write("src", "good\n")
    assert found.build().ran == ["find"]
    assert not found.exists("build/errors")
    found.settled()


def test_one_that_somebody_puts_there_makes_the_stage_stale(found: Project) -> None:
    """It is not what the stage made, and is gone when that has run."""
    found.write("build/errors", "mine\n")
    assert found.why("find") == {"find": ["output `build/errors` is there, and its stage had not made it"]}
    assert found.build().ran == ["find"]
    assert not found.exists("build/errors")
    assert found.build().ran == []


def test_one_that_vanished_or_was_edited_is_made_again(found: Project) -> None:
    """As any output."""
    found.write("src", "bad\n")
    found.build()
    found.remove("build/errors")
    assert found.why("find") == {"find": ["output `build/errors` is missing"]}
    assert found.build().ran == ["find"]
    found.write("build/errors", "mine\n")
    assert found.why("find") == {"find": ["output `build/errors` was changed since"]}
    assert found.build().ran == ["find"]
    assert found.read("build/errors") == "bad\n"


def test_an_optional_input_does_without_it(found: Project) -> None:
    """And runs again when it comes."""
    tell = "if [ -e {e} ]; then cp {e} {outputs}; else echo none > {outputs}; fi"
    found.stage("tell", inputs={"e": {"path": "build/errors", "optional": True}}, outputs=["told"], run=tell)
    assert found.build().ran == ["tell"]
    assert found.read("told") == "none\n"
    assert found.build().ran == []
    found.write("src", "bad\n")
    assert found.build().ran == ["find", "tell"]
    assert found.read("told") == "bad\n"
    found.write("src", "good\n")
    assert found.build().ran == ["find", "tell"]
    found.settled()


def test_a_function_gets_none_for_it(found: Project) -> None:
    """By reference as well as by path."""
    found.write("steps.py", "def tell(e, out):\n    with open(out, 'w') as file:\n        file.write(str(e and e.path))\n")
    found.stage("tell", inputs={"e": {"path": "find.errors", "optional": True}}, outputs={"out": "told"}, call="steps:tell")
    assert found.build().ran == ["tell"]
    assert found.read("told") == "None"


def test_an_input_that_is_not_optional_is_an_error(found: Project) -> None:
    """With the way out, in a build as for who asks why."""
    found.stage("tell", inputs={"e": "find.errors"}, outputs=["told"], run="cp {e} {outputs}")
    text = "stage `find` did not make `build/errors`, which is optional"
    outcome = found.build()
    assert (outcome.exit_status, outcome.failed) == (1, ["tell"])
    assert outcome.output == f"{text}; {HINT.removeprefix('hint: ')}\n"
    assert found.status() == {"find": "fresh", "tell": "stale"}
    found.write("src", "bad\n")
    assert found.build().ran == ["find", "tell"]
    found.write("src", "good\n")
    assert found.build().failed == ["tell"]


def test_an_input_that_is_not_optional_any_more(found: Project) -> None:
    """What was fresh without it fails now."""
    found.stage("tell", inputs={"e": {"path": "find.errors", "optional": True}}, outputs=["told"], run="echo {e} > {outputs}")
    assert found.build().ran == ["tell"]
    found.stage("tell", inputs={"e": "find.errors"}, outputs=["told"], run="echo {e} > {outputs}")
    assert found.build().failed == ["tell"]


def test_sets_go_without_it(found: Project) -> None:
    """`STAGE.outputs` and globs have what was made."""
    found.stage("all", inputs={"a": "find.outputs", "b": "build/*"}, outputs=["all.txt"], run="echo {a}, {b} > {outputs}")
    assert found.build().ran == ["all"]
    assert found.read("all.txt") == "build/log, build/log\n"
    assert found.build().ran == []
    found.write("src", "bad\n")
    assert found.build().ran == ["find", "all"]
    assert found.read("all.txt") == "build/log build/errors, build/errors build/log\n"
    found.write("src", "good\n")
    found.build()
    found.settled()


def test_a_directory_that_stays_empty_is_absent(project: Project) -> None:
    """It is made before the run, so an empty one says that nothing came of it."""
    project.write("src", "1")
    outputs = {"x": "x", "d": {"path": "parts/", "optional": True}}
    project.stage("split", inputs={"src": "src"}, outputs=outputs, run="touch {x}; test ! -s {src} || cp {src} {d}/")
    project.stage("count", inputs={"d": {"path": "split.d", "optional": True}}, outputs=["n"], run="ls -d {d}* > {outputs} || echo none > {outputs}")
    assert project.build().ran == ["split", "count"]
    assert project.exists("parts/src")
    project.write("src", "")
    assert project.build().ran == ["split", "count"]
    assert not project.exists("parts")
    assert project.read("n") == "none\n"
    project.settled()


def test_in_place(project: Project) -> None:
    """Of a command that names it literally, and of one with `atomic = false`."""
    project.write("src", "bad\n")
    outputs = ["a.log", {"path": "a.err", "optional": True}]
    project.stage("a", inputs=["src"], outputs=outputs, run="touch a.log; grep bad src > a.err || rm a.err")
    named = {"l": "b.log", "e": {"path": "b.err", "optional": True, "atomic": False}}
    project.stage("b", inputs=["src"], outputs=named, run="touch {l}; ! grep -q bad {inputs} || echo > {e}")
    project.build()
    assert (project.exists("a.err"), project.exists("b.err")) == (True, True)
    project.write("src", "good\n")
    assert sorted(project.build().ran) == ["a", "b"]
    assert (project.exists("a.err"), project.exists("b.err")) == (False, False)
    project.settled()


def test_absence_is_restored(found: Project) -> None:
    """From the cache, over what stands there."""
    found.caching = True
    found.build(force=True)
    found.write("src", "bad\n")
    assert found.build().ran == ["find"]
    found.write("src", "good\n")
    assert whole(found.build()) == ([], ["find"], 0)
    assert not found.exists("build/errors")
    found.write("src", "bad\n")
    assert whole(found.build()) == ([], ["find"], 0)
    assert found.read("build/errors") == "bad\n"
    found.settled()


def test_one_that_is_not_optional_any_more_is_made(found: Project) -> None:
    """The recorded absence does not do, nor does that in the cache."""
    found.caching = True
    found.build(force=True)
    found.stage("find", inputs={"src": "src"}, outputs={"log": "build/log", "errors": "build/errors"}, run=FIND)
    outcome = found.build()
    assert (outcome.failed, outcome.restored) == (["find"], [])
    assert outcome.output == "ended with exit status 0 but did not write `build/errors`\n"


def test_nothing_to_do_is_said_by_the_index(found: Project) -> None:
    """A no-op build looks at the absent output as at all others, and sees it come."""
    assert found.cli().out.startswith("1 fresh in ")
    found.write("build/errors", "mine\n")
    assert found.cli().out.startswith("[1/1] find")


def test_accepted_and_cleaned(found: Project) -> None:
    """`accept` takes the absence as it stands; `clean` removes its record."""
    found.write("src", "new\n")
    assert found.cli("accept", "find", "--reason", "known").exit_status == 0
    assert found.status() == {"find": "fresh"}
    assert found.cli("clean").out == "removed build/log\n"
    assert not found.exists(found.record("build/errors"))


def test_metrics_that_are_absent(project: Project) -> None:
    """No warning is given of numbers that nobody made."""
    project.stage("eval", outputs={"x": "x", "m": {"path": "m.json", "optional": True}}, run="touch {x}; true {m}", metrics=["m"])
    outcome = project.build()
    assert (outcome.ran, outcome.output) == (["eval"], "")
