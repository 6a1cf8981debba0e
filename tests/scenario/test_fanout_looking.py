"""Fan-out at run time, looked at: what is known before, after and between builds; targets that only a fan-out can make; removal."""

from __future__ import annotations

import json

import pytest
from kit import Project
from kit.pages import SPLIT, ups, with_pages, with_parts

from pipefile.engine import inspect
from pipefile.engine.inspect import EdgeStatus


@pytest.fixture
def pages(project: Project) -> Project:
    return with_pages(project)


@pytest.fixture
def parts(project: Project) -> Project:
    return with_parts(project)


# --- targets


def test_an_instance_as_target(parts: Project):
    """The maker is built first, and then the one instance, nothing else; so in a second build, which runs nothing."""
    outcome = parts.build("up@b")

    assert (outcome.exit_status, outcome.ran) == (0, ["split", "up@b"])
    assert parts.build("up@b").ran == []
    assert parts.cli("up@b").out.startswith("2 fresh in ")
    assert parts.build("up").ran in (["up@a", "up@c"], ["up@c", "up@a"])


def test_a_file_as_target(pages: Project):
    """So with a file that only an instance can make, and with a folder of them, an alias and `default`."""
    assert pages.build("build/up/b.up").ran == ["split", *ups("b")]
    pages.alias(one=["build/up/c.up"])
    assert pages.build("one").ran == ups("c")
    pages.settings(default=["build/up/"])
    assert pages.build().ran == ups("a")


def test_an_instance_that_is_none(parts: Project):
    """When the items are there, a name that is none of theirs is an error, with exit status 2; what could be made is made."""
    outcome = parts.build("up@bb")

    assert (outcome.exit_status, outcome.ran, outcome.failed) == (2, ["split"], ["up"])
    assert outcome.output == "no alias, stage or output is called `up@bb`\nhint: did you mean `up@b`?\n"


def test_a_file_that_no_instance_makes(pages: Project):
    """The same of a file; one that cannot be an instance's is an error before anything runs."""
    outcome = pages.build("build/up/bb.up")
    assert (outcome.exit_status, outcome.ran, outcome.failed) == (2, ["split"], ["up"])
    assert outcome.output == "no alias, stage or output is called `build/up/bb.up`\nhint: did you mean `build/up/b.up`?\n"
    assert pages.build("build/up/x.down").ran == []


def test_a_file_of_two_fan_outs(parts: Project):
    """If two stages could make it, the items of both are made, and the one that does runs."""
    parts.stage("other", None, "build/{part}.up", "echo {part} > {outputs}", for_each={"part": "split.parts"})

    assert parts.build("build/up/c.up").ran == ["split", "up@c"]
    assert parts.build("build/a.up").ran == ["other@a"]


# --- looking


def test_before_the_first_build(pages: Project):
    """Nothing is known of the items: one line stands for all of them, and nothing is written."""
    before = pages.tree()

    assert pages.status() == {"split": "stale", "up": "unknown", "book": "stale"}
    assert pages.why("book")["up"] == ["its items are known when `split` has run"]
    dry = pages.build(dry_run=True)
    assert (dry.exit_status, dry.would_run) == (0, ["split", "up", "book"])
    assert "note: may run up: its items are known when `split` has run\n" in dry.output
    listed = json.loads(pages.cli("list", "--json", "--status").out)["stages"]
    assert {stage["name"]: stage["status"] for stage in listed} == pages.status()
    assert pages.cli("graph").out == "split: doc.txt -> build/pages/\nup: build/pages/\nbook: up.outputs -> book.txt\n"
    assert pages.cli("query", "deps", "book.txt").out.split() == ["build/pages", "doc.txt"]
    assert pages.tree() == before


@pytest.mark.parametrize("make", [with_pages, with_parts])
def test_after_a_build(project: Project, make):
    """The maker is fresh, so the instances are known, and looking says what a build would say."""
    make(project)
    project.build()
    instances = [name for name in project.status() if name.startswith("up@")]

    assert project.status() == dict.fromkeys(["split", *instances, "book"], "fresh")
    dry = project.build(dry_run=True)
    assert (dry.would_run, dry.output) == ([], "note: 0 would run, 5 fresh\n")
    assert "build/up/b.up" in project.cli("query", "rdeps", "doc.txt").out.split()
    assert project.cli("graph", "up").out.count("up@") == 3


@pytest.mark.parametrize("make", [with_pages, with_parts])
def test_when_the_maker_is_stale(project: Project, make):
    """The items are those of the last time, and that is said; an instance of which something else is stale is so for certain."""
    make(project)
    project.build()
    project.write("doc.txt", "a b c d")
    project.write("build/up/a.up", "edited\n")
    first, second, third = (name for name in project.status() if name.startswith("up@"))

    assert project.status() == {"split": "stale", first: "stale", second: "unknown", third: "unknown", "book": "unknown"}
    assert project.why(second)[second] == ["`split` may make other items"]
    dry = project.build(dry_run=True)
    assert "note: stage `up` has 3 items of the last time, which may be others after `split`\n" in dry.output
    assert dry.would_run == ["split", first, second, third, "book"]


def test_looking_runs_no_code(project: Project):
    """Nothing that only reads runs Python of the project, neither a stage nor what a pickle would bring along."""
    project.write("pipeline.py", PICKLED)
    project.settings(python=["pipeline.py"])
    assert project.build("make").exit_status == 0
    project.write("pipeline.py", PICKLED.replace("import os", "import os\nopen('ran', 'w')"))

    assert project.status()["each"] == "unknown"
    assert project.cli("list").exit_status == 0
    assert not project.exists("ran")


PICKLED = """
import os
from pipefile import stage

class Box:
    def __init__(self):
        self.items = ["a"]
    def __reduce__(self):
        return Box, ()

@stage(outputs={"box": Box})
def make():
    return Box()

@stage(for_each={"item": "make.box"}, outputs={"out": "out/{item}"})
def each(item, out):
    open(out, "w").close()
"""


def test_an_object_is_no_list(project: Project):
    """Items come from what JSON can hold; the error says what to return."""
    project.write("pipeline.py", PICKLED)
    project.settings(python=["pipeline.py"])
    outcome = project.build()

    assert (outcome.exit_status, outcome.ran, outcome.failed) == (2, ["make"], ["each"])
    assert outcome.output == (
        "`make.box` in `for_each` of stage `each` cannot be read: it is a Python object that is no JSON\n"
        "  pipeline.py:15  `each`\nhint: return a list of texts, numbers, booleans or tables\n"
    )


# --- removal


def test_clean(pages: Project):
    """`clean` removes what instances made, one of them or all; and so it does when nobody knows the items any more."""
    pages.build()
    assert pages.cli("clean", ups("b")[0]).out == "removed build/up/b.up\n"
    assert pages.build().ran == ups("b")
    assert pages.cli("clean", "up").out == "removed build/up/a.up\nremoved build/up/b.up\nremoved build/up/c.up\n"
    pages.build()
    assert pages.cli("clean", "split").out == "removed build/pages/\n"
    assert pages.cli("clean", "--dead").out == "nothing to remove\n"
    assert pages.exists("build/up/a.up")
    pages.cli("clean")
    assert not pages.exists("build")
    assert not pages.exists("book.txt")


def test_a_build_of_something_else_removes_nothing(pages: Project):
    """What a fan-out has made before is not dead because this build did not find out its items."""
    pages.build()
    pages.stage("other", "doc.txt", "other.txt", "cp {inputs} {outputs}")
    pages.settings(default=["other"])
    pages.write("doc.txt", "a b c d")
    outcome = pages.build()

    assert (outcome.ran, outcome.output) == (["other"], "")
    assert pages.exists("build/up/c.up")
    pages.settings(default=None)
    assert sorted(pages.build().ran) == sorted(["split", *ups("d"), "book"])
    pages.settled()


def test_items_that_may_come(parts: Project):
    """An instance that only a build may find is no target yet for who only looks; the hint says why."""
    parts.build()
    parts.write("doc.txt", "a b c december")

    dry = parts.build("up@december", dry_run=True)
    assert (dry.exit_status, dry.output) == (
        2,
        "error: no alias, stage or output is called `up@december`\n"
        "hint: the items of stage `up` are made by others: a build may make that one\n",
    )
    assert parts.build("up@december").ran == ["split", "up@december"]


def test_a_build_of_something_else_forgets_nothing(parts: Project):
    """How long instances took is remembered by a build that did not look at them."""
    parts.build()
    parts.stage("other", "doc.txt", "other.txt", "cp {inputs} {outputs}")
    assert parts.build("other").ran == ["other"]
    assert {entry.name for entry in look(parts) if entry.seconds > 0} >= {"up@a", "up@b", "up@c"}


def look(project: Project) -> list[EdgeStatus]:
    return inspect.status(project._found(), project.options())


def test_a_fan_out_stage_that_is_gone(pages: Project):
    """What a stage has made that is no longer declared is dead, although nobody looked at its items since."""
    pages.build()
    pages.settings(default=["split"])
    pages.build()
    pages.settings(default=None)
    pages.drop("up")
    pages.drop("book")
    outcome = pages.build()

    assert sorted(outcome.output.splitlines()) == [
        "note: removed `book.txt`, which no stage makes any more",
        *[f"note: removed `build/up/{name}.up`, which no stage makes any more" for name in "abc"],
    ]


def test_accept(parts: Project):
    """`accept` takes what stands for an instance as it is."""
    parts.build()
    parts.write("build/up/b.up", "mine\n")
    assert parts.cli("accept", "up@b", "--reason", "by hand").exit_status == 0
    assert parts.build().ran == ["book"]
    assert parts.read("book.txt") == "a\nmine\nc\n"


def test_a_build_without_an_index(pages: Project):
    """An index that is lost costs time only."""
    pages.build()
    pages.remove("pipeline_outputs/index")
    assert pages.build().ran == []
    pages.settled()


def test_forced(pages: Project):
    """`-B` runs everything, items that come meanwhile included."""
    pages.build()
    pages.write("doc.txt", "a b c d")
    assert sorted(pages.build(force=True).ran) == sorted(["split", *ups("a", "b", "c", "d"), "book"])


def test_a_moved_maker(pages: Project):
    """A maker that is renamed, or moves its directory, brings its items along."""
    pages.build()
    pages.stage("split", {"doc": "doc.txt"}, {"pages": "build/sheets/"}, SPLIT)
    pages.stage("up", {"src": "{page}"}, {"dst": "build/up/{page.stem}.up"}, "tr a-z A-Z < {src} > {dst}", for_each={"page": "build/sheets/*.txt"})
    assert pages.build(allow_removal=True).exit_status == 0
    assert pages.read("book.txt") == "A\nB\nC\n"
    assert not pages.exists("build/pages")
    pages.settled()
