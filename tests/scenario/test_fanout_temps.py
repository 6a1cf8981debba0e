"""Fan-out at run time beside other features: temporary outputs, such as may be left out, instances that run together."""

from __future__ import annotations

import pytest
from kit import Project
from kit.pages import SPLIT, ups, with_pages

EACH = {"page": "build/pages/*.txt"}
UPPER = "tr a-z A-Z < {src} > {dst}"


@pytest.fixture
def pages(project: Project) -> Project:
    return with_pages(project)


def test_temporary_outputs_of_instances(pages: Project):
    """They go when all that read them are done, and are made again for what reads them anew."""
    pages.stage("up", {"src": "{page}"}, {"dst": {"path": "build/up/{page.stem}.up", "temp": True}}, UPPER, for_each=EACH)
    assert len(pages.build().ran) == 5
    assert not pages.exists("build/up/a.up")
    assert pages.build().ran == []
    pages.write("doc.txt", "a b c d")
    outcome = pages.build()
    assert (outcome.exit_status, sorted(outcome.ran)) == (0, sorted(["split", *ups("a", "b", "c", "d"), "book"]))
    assert pages.read("book.txt") == "A\nB\nC\nD\n"
    assert not pages.exists("build/up/d.up")
    assert pages.build().ran == []


@pytest.mark.parametrize("jobs", [1, 4])
def test_a_temporary_input_of_instances(pages: Project, jobs: int):
    """What a new instance needs and is gone is made again; instances that are fresh do not run for that."""
    pages.write("m.txt", "m\n")
    pages.stage("model", "m.txt", {"m": {"path": "model", "temp": True}}, "cp {inputs} {m}")
    pages.stage("up", {"src": "{page}", "m": "model.m"}, {"dst": "build/up/{page.stem}.up"}, "cat {m} {src} > {dst}", for_each=EACH)
    assert len(pages.build(jobs=jobs).ran) == 6
    assert not pages.exists("model")
    pages.write("doc.txt", "a b c d")
    outcome = pages.build(jobs=jobs)
    assert (outcome.exit_status, sorted(outcome.ran)) == (0, sorted(["split", "model", *ups("d"), "book"]))
    assert not pages.exists("model")
    assert pages.build(jobs=jobs).ran == []
    pages.write("m.txt", "n\n")
    assert sorted(pages.build(jobs=jobs).ran) == sorted(["model", *ups("a", "b", "c", "d"), "book"])
    assert pages.read("build/up/d.up") == "n\nd\n"


def test_what_items_come_from_stays(pages: Project):
    """A temporary directory whose names are items is looked at in every build: it is kept. Files in it are no inputs, of instances neither."""
    pages.stage("split", {"doc": "doc.txt"}, {"pages": {"path": "build/pages/", "temp": True}}, SPLIT)
    outcome = pages.build()
    assert (outcome.exit_status, outcome.ran, outcome.failed) == (2, ["split"], ["up"])
    assert outcome.output.startswith("input `build/pages/a.txt` lies in `build/pages/`, a "), outcome.output
    pages.stage("up", None, {"dst": "build/up/{page.stem}.up"}, "echo {page.stem} > {dst}", for_each=EACH)
    assert len(pages.build().ran) == 4
    assert pages.exists("build/pages/a.txt")
    assert pages.build().ran == []
    pages.write("doc.txt", "a b")
    assert sorted(pages.build().ran) == ["book", "split"]
    assert pages.read("book.txt") == "a\nb\n"


def test_a_directory_that_may_be_left_out(pages: Project):
    """Without it there are no items; who looks knows that."""
    pages.stage("split", {"doc": "doc.txt"}, {"pages": {"path": "build/pages/", "optional": True}}, f"grep -q . {{doc}} || rm -rf {{pages}}; {SPLIT}")
    assert len(pages.build().ran) == 5
    pages.stage("split", {"doc": "doc.txt"}, {"pages": {"path": "build/pages/", "optional": True}}, "rm -rf {pages}")
    outcome = pages.build(allow_removal=True)
    assert (outcome.exit_status, outcome.ran) == (0, ["split", "book"])
    assert not pages.exists("build/up")
    assert pages.status() == {"split": "fresh", "book": "fresh"}
    assert pages.build().ran == []


def test_instances_that_run_together(pages: Project):
    """`batch` takes instances of items that stages make as any others, those that come together in one command."""
    run = "set -- {dst}; for each in {src}; do tr a-z A-Z < $each > $1; shift; done"
    pages.stage("up", {"src": "{page}"}, {"dst": "build/up/{page.stem}.up"}, run, for_each=EACH, batch=8)
    assert len(pages.build().ran) == 5
    assert pages.read("book.txt") == "A\nB\nC\n"
    pages.write("doc.txt", "a b d e")
    assert sorted(pages.build().ran) == sorted(["split", *ups("d", "e"), "book"])
    assert pages.read("book.txt") == "A\nB\nD\nE\n"
    assert pages.build().ran == []


def test_pattern_rules_that_instances_ask_for(pages: Project):
    """What an instance needs, and a pattern rule can make, is made for it; the rule's instances come with those that ask for them."""
    pages.write("notes/a.md", "note a\n")
    pages.write("notes/b.md", "note b\n")
    pages.write("notes/d.md", "note d\n")
    pages.stage("note", "notes/{n}.md", "build/notes/{n}", "cp {inputs} {outputs}")
    pages.stage("up", ["build/notes/{page.stem}", "{page}"], {"dst": "build/up/{page.stem}.up"}, "cat {inputs} > {dst}", for_each=EACH)
    pages.write("doc.txt", "a b")
    assert sorted(pages.build().ran) == sorted(["split", "note@a", "note@b", *ups("a", "b"), "book"])
    assert pages.build().ran == []
    pages.write("doc.txt", "a d")
    assert sorted(pages.build().ran) == sorted(["split", "note@d", *ups("d"), "book"])
    assert pages.read("book.txt") == "note a\na\nnote d\nd\n"
    assert pages.build().ran == []
    pages.write("doc.txt", "a c")
    outcome = pages.build()
    assert (outcome.exit_status, outcome.failed) == (2, ["up"])


def test_a_pattern_rule_over_items_that_a_stage_makes(pages: Project):
    """The items of a pattern rule have to be known before anything runs."""
    pages.stage("rule", "{page}", "build/rule/{page.stem}-{n}", "cp {inputs} {outputs}", for_each=EACH, where={"n": "[0-9]+"})
    outcome = pages.build("build/rule/a-1")
    assert (outcome.exit_status, outcome.ran) == (2, [])
    assert outcome.output.startswith("error: `for_each` of stage `rule` goes through what `split` makes, which is not known before\n")
