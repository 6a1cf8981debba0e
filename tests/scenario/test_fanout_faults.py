"""Fan-out at run time where something is wrong: items that are none, losses, failures, conditions."""

from __future__ import annotations

import pytest
from kit import Project
from kit.pages import SPLIT, STEPS, ups, with_pages, with_parts

LOST = "hint: if that is right, `--allow-removal` builds without them, and `pipefile clean --dead` removes what they made"


@pytest.fixture
def pages(project: Project) -> Project:
    return with_pages(project)


@pytest.fixture
def parts(project: Project) -> Project:
    return with_parts(project)


def value(project: Project, text: str) -> Project:
    """`make` returns what *text* says, `each` goes through that, `rest` needs it and `other` nothing."""
    project.write("steps.py", f"def make():\n    return {{'v': {text}}}\n")
    project.stage("make", None, {"v": "value:json"}, call="steps:make")
    project.stage("each", None, "out/{x}", "echo {x} > {outputs}", for_each={"x": "make.v"})
    project.stage("rest", "each.outputs", "rest", "cat {inputs} > {outputs}")
    project.stage("other", None, "other", "echo > {outputs}")
    return project


# --- items that are none


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("3", "`make.v` in `for_each` of stage `each` is a number, neither a list nor a table"),
        ("'abc'", "`make.v` in `for_each` of stage `each` is a text, neither a list nor a table"),
        ("None", "`make.v` in `for_each` of stage `each` is null, neither a list nor a table"),
        (
            "['a', ['b']]",
            "`make.v` in `for_each` of stage `each` holds a list among its items\n"
            "  Pipefile.toml:8  `each`\nhint: items are texts, numbers and booleans; or all of them are tables\n",
        ),
        ("[{'id': 1}, 2]", "`make.v` in `for_each` of stage `each` holds a number among its tables"),
        ("[{'id': 1}, {}]", "`make.v` in `for_each` of stage `each` holds an empty table among its tables"),
        ("[{'id': 1}, {'no': 2}]", "`make.v` in `for_each` of stage `each` holds a table without `id`"),
        ("[{'id': 1}, {'id': None}]", "`make.v` in `for_each` of stage `each` holds null, which cannot be part of an item"),
        ("[{'id': [1]}]", "`make.v` in `for_each` of stage `each` has no plain value by which instances could be called"),
        ("['a', 'a']", "two items of `for_each` make an instance called `each@a`\n  Pipefile.toml:8  `each`\nhint: an item stands in a list once\n"),
        ("['a', '../../b']", "`each@../../b`: output `out/../../b` leaves the project"),
        ("['a', 'a/b']", "`out/a/b` needs a folder `out/a`, which is made as a file"),
        ("['a', '']", "`out/a` lies in `out/`, which stage `each@` makes whole"),
        ("['a', '../other']", "`other` is made by two stages"),
    ],
)
def test_no_good_items(project: Project, text: str, fault: str):
    """What a stage has returned makes no instances: their stage fails and says why, exit status 2; with `-k` all else is made."""
    outcome = value(project, text).build(keep_going=True)

    assert outcome.output.startswith(fault), outcome.output
    assert (outcome.exit_status, sorted(outcome.ran), outcome.failed, outcome.skipped) == (2, ["make", "other"], ["each"], ["rest"])
    again = project.build(keep_going=True)
    assert (again.exit_status, again.ran, again.failed) == (2, [], ["each"])
    value(project, "['a', 'b']")
    assert project.build().exit_status == 0
    project.settled()


@pytest.mark.parametrize("kind", ["skipped", "greedy", "fallback"])
def test_what_does_not_fit_leaves_nothing_behind(project: Project, kind: str):
    """Instances of a stage that fails for its items have numbers, needs and conditions that are not those of the instances which come after."""
    project.globals(on=False)
    project.resources(license=2)
    value(project, "['b', 'a', 'c']")
    project.drop("each")
    project.drop("rest")
    project.stage("m", None, "m-a", "echo > {outputs}", should_run="global.on")
    project.stage("plain", None, None, "echo > {outputs}", resources={"license": 2})
    each = {"x": "make.v"}
    if kind == "skipped":
        project.stage("bad", "m-{x}", "bad/{x}", "touch {outputs}", for_each=each)
    elif kind == "greedy":
        project.stage("bad", None, "bad/{x}", "touch {x} {outputs}", for_each=each, resources={"license": 3})
    else:
        project.stage("bad", "none-{x}", "bad/{x}", "touch {outputs}", for_each=each, fallback="plain")
    if kind != "fallback":
        project.drop("plain")
    project.stage("good", None, "good/{x}", "echo {x} > {outputs}", for_each=each)
    outcome = project.build(keep_going=True, jobs=4)

    assert (outcome.exit_status, outcome.failed) == (2, ["bad"])
    assert sorted(outcome.ran) == ["good@a", "good@b", "good@c", "make", "other"]
    assert outcome.skipped == ["m"]


def test_columns_that_are_not_there(project: Project):
    """A placeholder that asks for a column is looked at when the items are known."""
    value(project, "[{'id': 1, 'size': 2}]")
    project.stage("each", None, "out/{x.id}", "echo {x.sise} > {outputs}", for_each={"x": "make.v"})
    outcome = project.build()

    assert (outcome.exit_status, outcome.failed) == (2, ["each"])
    assert outcome.output == (
        "`{x.sise}` in stage `each` asks for what the items of `make.v` have not\n  Pipefile.toml:8  `each`\nhint: did you mean `{x.size}`?\n"
    )


def test_columns_of_files(pages: Project):
    """Files have no columns: that is known at once."""
    pages.stage("last", "{u}", "last/{u.stam}", "cp {inputs} {outputs}", for_each={"u": "up.dst"})
    outcome = pages.build()

    assert outcome.exit_status == 2
    assert outcome.output.startswith("`{u.stam}` in stage `last` asks for what the items of `up.dst` have not\n")
    assert outcome.output.endswith("hint: did you mean `{u.stem}`?\n")


@pytest.mark.parametrize("make", [with_pages, with_parts])
def test_no_items(project: Project, make):
    """None at all is a warning, in every build; the fan-in is an empty list."""
    make(project, "")
    outcome = project.build()
    why = "nothing matches `build/pages/*.txt`" if make is with_pages else "`split.parts` is empty"

    assert (outcome.exit_status, outcome.ran, outcome.output) == (0, ["split", "book"], f"warning: stage `up` has no instances: {why}\n")
    assert project.read("book.txt") == ""
    again = project.build()
    assert (again.ran, again.output) == ([], f"warning: stage `up` has no instances: {why}\n")
    project.write("doc.txt", "a")
    assert len(project.build().ran) == 3
    project.settled()


def test_items_of_its_own_directory(project: Project):
    """A stage cannot go through what it makes itself."""
    project.stage("self", "{p}", ["own/", "out/{p.stem}"], "true", for_each={"p": "own/*.txt"})
    outcome = project.build()

    assert outcome.exit_status == 2
    assert outcome.output.startswith("error: `own/*.txt` in `for_each` of stage `self` lies in `own/`, which the stage itself makes\n")


def test_a_cycle_through_a_fan_out(pages: Project):
    """A maker that needs what is made of its items is found out before anything runs."""
    pages.stage("split", {"doc": "doc.txt", "all": "up.outputs"}, {"pages": "build/pages/"}, SPLIT)
    outcome = pages.build()

    assert (outcome.exit_status, outcome.ran) == (2, [])
    assert outcome.output.startswith("error: dependency cycle: "), outcome.output


def test_two_fan_outs_of_each_other(project: Project):
    """So are stages that go through each other's values."""
    for name, other in (("a", "b"), ("b", "a")):
        project.stage(name, None, {"v": "value:json"}, call="steps:make", for_each={"x": f"{other}.v"})
    outcome = project.build()

    assert (outcome.exit_status, outcome.output.splitlines()[0]) == (2, "error: `for_each` leads back to itself: `a` -> `b` -> `a`")


def test_a_cycle_that_items_close(project: Project):
    """A maker that reads an instance's output by a glob, which only the items tell: the instances' stage fails, and nothing is lost."""
    project.write("in.d/x.in", "x")
    project.stage("list", {"doc": "in.d/*.in"}, {"pages": "build/pages/"}, SPLIT)
    project.stage("each", "{p}", "in.d/{p.stem}.in", "cp {inputs} {outputs}", for_each={"p": "build/pages/*.txt"})
    project.write("in.d/x.in", "y")
    outcome = project.build()

    assert (outcome.exit_status, outcome.ran, outcome.failed) == (2, ["list"], ["each"])
    assert outcome.output.startswith("dependency cycle: "), outcome.output


# --- losses


@pytest.mark.parametrize("make", [with_pages, with_parts])
def test_many_items_are_gone(project: Project, make):
    """More than half of over twenty instances are gone when their maker has run: nothing is removed, exit status 2, until somebody says yes."""
    make(project, " ".join(f"w{number}" for number in range(24)))
    project.build()
    project.write("doc.txt", "w1 w2")
    outcome = project.build()

    line = 10 if make is with_pages else 9
    assert outcome.output == f"`for_each` of stage `up` has lost 22 of its 24 instances\n  Pipefile.toml:{line}  `up`\n{LOST}\n"
    assert (outcome.exit_status, outcome.ran, outcome.failed, outcome.skipped) == (2, ["split"], ["up"], ["book"])
    assert project.exists("build/up/w7.up")
    assert project.build().exit_status == 2
    assert project.build(allow_removal=True).ran == ["book"]
    assert not project.exists("build/up/w7.up")
    project.settled()


def test_clean_dead_after_a_loss(parts: Project):
    """`clean --dead` says yes as well."""
    parts.build()
    parts.write("doc.txt", "x y")
    assert parts.build().output.startswith("`for_each` of stage `up` has lost all of its 3 instances\n")
    assert parts.cli("clean", "--dead").out == "removed build/up/a.up\nremoved build/up/b.up\nremoved build/up/c.up\n"
    assert parts.build().exit_status == 0
    parts.settled()


def test_few_items_go(pages: Project):
    """Up to ten may go as long as some stay."""
    pages.build()
    pages.write("doc.txt", "a")
    assert pages.build().exit_status == 0
    assert not pages.exists("build/up/b.up")


# --- makers that do not come to their end


@pytest.mark.parametrize("make", [with_pages, with_parts])
def test_a_maker_that_fails(project: Project, make):
    """The instances are skipped as one, and what they made before stays; nothing of it is believed to be dead."""
    make(project)
    project.build()
    project.stage("other", "doc.txt", "other.txt", "cp {inputs} {outputs}")
    project.write("doc.txt", "a b c d")
    if make is with_pages:
        project.stage("split", {"doc": "doc.txt"}, {"pages": "build/pages/"}, "exit 3")
    else:
        project.write("steps.py", "def split(doc):\n    raise ValueError('no')\n")
    outcome = project.build(keep_going=True)

    assert (outcome.exit_status, outcome.ran, outcome.failed, outcome.skipped) == (1, ["other"], ["split"], ["up", "book"])
    assert project.exists("build/up/b.up")
    make(project, "a b d")
    assert project.build().exit_status == 0
    assert not project.exists("build/up/c.up")
    project.settled()


def test_an_instance_that_fails(pages: Project):
    """Its fan-in is skipped; the next build goes on where this one stopped."""
    pages.stage("up", {"src": "{page}"}, {"dst": "build/up/{page.stem}.up"}, "grep -v b {src} > {dst}", for_each={"page": "build/pages/*.txt"})
    outcome = pages.build(keep_going=True)

    assert (outcome.exit_status, outcome.failed, outcome.skipped) == (1, ups("b"), ["book"])
    assert sorted(outcome.ran) == sorted(["split", *ups("a", "c")])
    pages.stage("up", {"src": "{page}"}, {"dst": "build/up/{page.stem}.up"}, "tr a-z A-Z < {src} > {dst}", for_each={"page": "build/pages/*.txt"})
    assert pages.build().exit_status == 0
    pages.settled()


def test_an_instance_that_needs_what_has_failed(pages: Project):
    """Items are known, but something else that instances need has failed: they are skipped."""
    run = "cat {model} {src} > {dst}"
    each = {"page": "build/pages/*.txt"}
    pages.stage("model", None, "model", "exit 1")
    pages.stage("up", {"src": "{page}", "model": "model"}, {"dst": "build/up/{page.stem}.up"}, run, for_each=each)
    outcome = pages.build(keep_going=True, jobs=1)

    assert (outcome.exit_status, outcome.ran, outcome.failed) == (1, ["split"], ["model"])
    assert sorted(outcome.skipped) == sorted([*ups("a", "b", "c"), "book"])


def test_a_source_of_an_instance_is_missing(pages: Project):
    """Told when it is known who needs it; other stages are not concerned."""
    run = "cat {more} {src} > {dst}"
    each = {"page": "build/pages/*.txt"}
    pages.write("more/a", "")
    pages.write("more/b", "")
    pages.stage("up", {"src": "{page}", "more": "more/{page.stem}"}, {"dst": "build/up/{page.stem}.up"}, run, for_each=each)
    pages.stage("other", "doc.txt", "other.txt", "cp {inputs} {outputs}")
    outcome = pages.build(keep_going=True)

    assert (outcome.exit_status, sorted(outcome.ran), outcome.failed) == (2, ["other", "split"], ["up"])
    assert outcome.output == (
        "`more/c` does not exist and no stage makes it\n"
        "  needed by `build/up/c.up` (`up@build/pages/c.txt`, Pipefile.toml:7)\n"
        "  needed by `book.txt` (`book`, Pipefile.toml:13)\n"
    )
    pages.write("more/c", "")
    assert pages.build().exit_status == 0
    pages.settled()


def test_a_maker_that_is_skipped(pages: Project):
    """So are its instances, as one, and who needs them; what they made is dead, as that of any skipped stage."""
    pages.globals(on=True)
    pages.stage("split", {"doc": "doc.txt"}, {"pages": "build/pages/"}, SPLIT, should_run="global.on")
    pages.build()
    pages.globals(on=False)
    outcome = pages.build()

    assert (outcome.exit_status, outcome.ran, sorted(outcome.skipped)) == (0, [], ["book", "split", "up"])
    assert not pages.exists("build")
    assert not pages.exists("book.txt")
    pages.globals(on=True)
    assert len(pages.build().ran) == 5
    pages.settled()


def test_a_maker_of_values_that_is_skipped(parts: Project):
    """The same of items that no instance reads; who looks before the build sees it coming."""
    parts.globals(on=True)
    parts.stage("split", {"doc": "doc.txt"}, {"parts": "value:json"}, call="steps:split", should_run="global.on")
    parts.build()
    parts.globals(on=False)
    assert parts.status() == dict.fromkeys(["split", "up", "book"], "skipped")
    outcome = parts.build()

    assert (outcome.exit_status, outcome.ran, sorted(outcome.skipped)) == (0, [], ["book", "split", "up"])
    assert not parts.exists("build")
    parts.globals(on=True)
    assert len(parts.build().ran) == 5
    parts.settled()


@pytest.mark.parametrize("values", [False, True])
def test_all_makers_are_skipped(project: Project, values: bool):
    """So with several makers, of files and of values, and for who reads by a glob; `status` says the same before and after."""
    project.write("doc.txt", "a b")
    project.write("steps.py", "def split(doc, half):\n    return {'parts': half}\n")
    project.globals(on=True)
    made = {"outputs": {"parts": "value:json"}, "call": "steps:split"} if values else {"outputs": {"pages": "build/pages/{half}/"}, "run": SPLIT}
    project.stage("split", {"doc": "doc.txt"}, for_each={"half": ["x", "y"]}, should_run="global.on", **made)
    items = "split.parts" if values else "build/pages/*/*.txt"
    project.stage("up", None, {"dst": "build/up/{page}.up"}, "echo {page} > {dst}", for_each={"page": items})
    project.stage("book", {"all": "up.outputs"}, "book.txt", "cat {all} > {outputs}")
    project.stage("index", {"all": "build/up/**/*.up"}, "index.txt", "cat {all} > {outputs}")
    assert project.build().exit_status == 0
    project.globals(on=False)
    before = project.status()
    outcome = project.build()

    assert before == project.status() == dict.fromkeys(["split@x", "split@y", "up", "book", "index"], "skipped")
    assert (outcome.exit_status, outcome.ran, sorted(outcome.skipped)) == (0, [], sorted(before))
    assert not project.exists("build")
    assert not project.exists("index.txt")


@pytest.mark.parametrize("by_value", [False, True])
def test_one_of_two_makers_is_skipped(project: Project, by_value: bool):
    """What it has made gives no items from then on; those of the other one are built, and who needs all of them goes without the rest."""
    project.write("doc.txt", "a b")
    project.write("on.txt", "on")
    project.write("steps.py", "def on(on):\n    with open(on) as file:\n        return file.read() == 'on'\n")
    project.globals(on=True)
    project.stage("flag", {"on": "on.txt"}, {"set": "value:bool"}, call="steps:on")
    project.stage("one", {"doc": "doc.txt"}, {"pages": "build/pages/1/"}, SPLIT)
    project.stage("two", {"doc": "doc.txt"}, {"pages": "build/pages/2/"}, SPLIT, should_run="flag.set" if by_value else "global.on")
    project.stage("up", {"src": "{page}"}, {"dst": "build/up/{page}.up"}, "cp {src} {dst}", for_each={"page": "build/pages/*/*.txt"})
    project.stage("book", {"all": "up.outputs"}, "book.txt", "cat {all} > {outputs}")
    assert project.build().exit_status == 0
    project.globals(on=False)
    project.write("on.txt", "off")
    outcome = project.build()

    assert (outcome.exit_status, sorted(outcome.ran), outcome.skipped) == (0, ["book", "flag"], ["two"])
    assert project.read("book.txt") == "a\nb\n"
    fresh = ["flag", "one", "up@build/pages/1/a.txt", "up@build/pages/1/b.txt", "book"]
    assert project.status() == {**dict.fromkeys(fresh, "fresh"), "two": "skipped"}
    assert project.build().ran == []


def test_one_of_two_makers_of_values_is_skipped(project: Project):
    """Without one of its lists no items are known: the stage is skipped as a whole."""
    project.write("doc.txt", "a b")
    project.write("steps.py", STEPS)
    project.stage("one", {"doc": "doc.txt"}, {"parts": "value:json"}, call="steps:split")
    project.stage("two", {"doc": "doc.txt"}, {"parts": "value:json"}, call="steps:split", should_run=False)
    project.stage("up", None, {"dst": "build/{a}{b}.up"}, "echo {a} {b} > {dst}", for_each={"a": "one.parts", "b": "two.parts"})
    outcome = project.build()

    assert (outcome.exit_status, outcome.ran, sorted(outcome.skipped)) == (0, ["one"], ["two", "up"])
    assert project.status() == {"one": "fresh", "two": "skipped", "up": "skipped"}


def test_a_fan_out_that_is_skipped(pages: Project):
    """A condition on the stage itself holds for all items, which need not be known for that."""
    pages.write("steps.py", "def flag(doc):\n    with open(doc) as file:\n        return file.read() != 'off'\n")
    pages.stage("flag", {"doc": "doc.txt"}, {"on": "value:bool"}, call="steps:flag")
    run = "tr a-z A-Z < {src} > {dst}"
    each = {"page": "build/pages/*.txt"}
    pages.stage("up", {"src": "{page}"}, {"dst": "build/up/{page.stem}.up"}, run, for_each=each, should_run="flag.on")
    pages.stage("book", {"all": "up.outputs"}, "book.txt", "cat {all} > {outputs}")
    assert len(pages.build().ran) == 6
    pages.settled()
    pages.write("doc.txt", "off")
    outcome = pages.build()
    assert (sorted(outcome.ran), sorted(outcome.skipped)) == (["flag", "split"], ["book", "up"])
    assert not pages.exists("build/up")


def test_a_maker_with_a_fallback(pages: Project):
    """Items that a fallback has made are items; the next build tries the maker again."""
    pages.stage("plain", None, None, "mkdir -p {outputs}; echo z > {outputs}/z.txt")
    pages.stage("split", {"doc": "doc.txt"}, {"pages": "build/pages/"}, "exit 1", fallback="plain")
    outcome = pages.build()

    assert (outcome.exit_status, outcome.degraded, sorted(outcome.ran)) == (0, ["split"], sorted([*ups("z"), "book"]))
    assert pages.read("book.txt") == "Z\n"
