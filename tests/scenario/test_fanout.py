"""Fan-out at run time: `for_each` over what another stage makes."""

from __future__ import annotations

import json

import pytest
from kit import Project
from kit.lane import lane
from kit.pages import SPLIT, ups, with_pages, with_parts


@pytest.fixture
def pages(project: Project) -> Project:
    return with_pages(project)


@pytest.fixture
def parts(project: Project) -> Project:
    return with_parts(project)


# --- what runs


def test_an_instance_for_each_file_of_a_directory(pages: Project):
    """The directory is made first, then its files are items; the fan-in has what they make in the order of the items."""
    outcome = pages.build()

    assert (outcome.exit_status, outcome.ran[0], sorted(outcome.ran[1:4]), outcome.ran[4:]) == (0, "split", ups("a", "b", "c"), ["book"])
    assert pages.read("book.txt") == "A\nB\nC\n"
    pages.settled()


def test_an_instance_for_each_item_of_a_value(parts: Project):
    """So are the items of a list that a function returns."""
    outcome = parts.build()

    assert (outcome.exit_status, outcome.ran[0], sorted(outcome.ran[1:4]), outcome.ran[4:]) == (0, "split", ["up@a", "up@b", "up@c"], ["book"])
    assert parts.read("book.txt") == "a\nb\nc\n"
    parts.settled()


@pytest.mark.parametrize("make", [with_pages, with_parts])
def test_items_come_and_go(project: Project, make):
    """What runs is what has changed; what an item made that is gone is removed, which is said; cases 20, 24 and 25."""
    make(project)
    project.build()
    project.write("doc.txt", "a c d")
    outcome = project.build()

    assert [name.partition("@")[0] for name in outcome.ran] == ["split", "up", "book"]
    assert outcome.output == "note: removed `build/up/b.up`, which no stage makes any more\n"
    assert project.read("book.txt").lower() == "a\nc\nd\n"
    assert not project.exists("build/up/b.up")
    project.settled()


def test_only_what_changed_runs(pages: Project):
    """A page with the same bytes leaves its instance fresh, although the directory was made anew; cases 12 and 20."""
    pages.build()
    pages.stage("split", {"doc": "doc.txt"}, {"pages": "build/pages/"}, SPLIT + "; echo bb > {pages}/b.txt")

    assert pages.build().ran == ["split", *ups("b"), "book"]
    pages.settled()


def test_early_cutoff_of_the_maker(pages: Project):
    """The maker has run and made the same: no instance runs."""
    pages.build()
    pages.write("doc.txt", "c b a")

    assert pages.build().ran == ["split"]
    pages.settled()


def test_a_file_that_is_added_by_hand_goes_with_its_directory(pages: Project):
    """A directory that was changed is no longer what its stage made: it is made anew, and the item was none."""
    pages.build()
    pages.write("build/pages/x.txt", "x\n")

    assert pages.build().ran == ["split"]
    assert not pages.exists("build/up/x.up")
    pages.settled()


def test_edited_value(parts: Project):
    """A value that somebody has edited is made anew, before its items are believed."""
    parts.build()
    parts.write(parts.value("split", "parts"), json.dumps(["a", "evil"]))

    assert parts.build().ran == ["split"]
    parts.settled()


def test_an_edited_output_of_an_instance(parts: Project):
    """An instance whose output was changed runs, and nothing else; case 33."""
    parts.build()
    parts.write("build/up/b.up", "mine\n")

    assert parts.build().ran == ["up@b"]
    parts.settled()


def test_tables_are_rows(project: Project):
    """Tables in a list give their columns; a table gives its keys."""
    project.write("steps.py", 'def rows():\n    return {"rows": [{"id": "x", "n": 1}, {"id": "y", "n": 2}], "table": {"k": {"size": 3}}}\n')
    project.stage("make", None, {"rows": "value:json", "table": "value:json"}, call="steps:rows")
    project.stage("row", None, "r/{r.id}", "echo {r.n} > {outputs}", for_each={"r": "make.rows"})
    project.stage("key", None, "k/{t}", "echo {t.size} > {outputs}", for_each={"t": "make.table"})
    outcome = project.build()

    assert sorted(outcome.ran) == ["key@k", "make", "row@r.id=x,r.n=1", "row@r.id=y,r.n=2"]
    assert (project.read("r/y"), project.read("k/k")) == ("2\n", "3\n")
    project.settled()


PYTHON = """
from pipefile import Stream, stage

@stage(inputs={"doc": "doc.txt"})
def split(doc):
    with open(doc) as file:
        words = file.read().split()
    return {"parts": words, "rows": [{"word": word, "at": at} for at, word in enumerate(words)]}

@stage(inputs={"doc": "doc.txt"}, outputs={"lines": Stream, "words": list})
def listed(doc):
    with open(doc) as file:
        words = file.read().split()
    return {"lines": (word for word in words), "words": words}

@stage(for_each={"part": "split.parts", "line": "listed.lines", "word": "listed.words"}, outputs={"dst": "out/{part}{line}{word}"})
def product(part, dst):
    with open(dst, "w") as file:
        file.write(part)

@stage(for_each={"row": "split.rows"})
def value(row):
    return f"{row['at']}:{row['word']}"

@stage(inputs={"all": "value.result", "files": "product.outputs"}, outputs={"out": "all.txt"})
def total(all, files, out):
    with open(out, "w") as file:
        file.write(f"{all} {len(files)}")
"""


def test_stages_in_python(project: Project):
    """Keys of a returned table, lists and streams are items, and so are rows as whole tables; several of them are their product."""
    project.write("doc.txt", "a b")
    project.write("pipeline.py", PYTHON)
    project.settings(python=["pipeline.py"])
    outcome = project.build()

    assert (outcome.exit_status, len(outcome.ran), outcome.output) == (0, 2 + 8 + 2 + 1, "")
    assert project.read("all.txt") == "['0:a', '1:b'] 8"
    assert project.build().ran == []
    assert project.cli("status").out == "13 fresh\n"
    project.write("doc.txt", "a")
    assert sorted(project.build().ran) == ["listed", "split", "total"]
    assert project.read("all.txt") == "['0:a'] 1"


def test_fan_out_of_a_fan_out(project: Project):
    """Directories of instances hold the items of the next stage, and what those make the items of a third one."""
    project.write("docs/x.txt", "a b")
    project.write("docs/y.txt", "c")
    project.stage("split", {"doc": "{d}"}, {"pages": "build/pages/{d.stem}/"}, SPLIT, for_each={"d": "docs/*.txt"})
    project.stage("up", "{p}", "build/up/{p.parent.name}-{p.stem}", "tr a-z A-Z < {inputs} > {outputs}", for_each={"p": "build/pages/*/*.txt"})
    project.stage("last", "{u}", "build/last/{u.name}", "cp {inputs} {outputs}", for_each={"u": "up.outputs"})
    project.stage("glob", "{u}", "build/glob/{u.name}", "cp {inputs} {outputs}", for_each={"u": "build/up/*"})
    project.stage("book", ["last.outputs", "glob.outputs"], "book", "cat {inputs} > {outputs}")
    outcome = project.build()

    assert (outcome.exit_status, len(outcome.ran), outcome.output) == (0, 2 + 3 * 3 + 1, "")
    assert project.read("book") == "A\nB\nC\n" * 2
    project.settled()
    project.write("docs/y.txt", "c d")
    assert len(project.build().ran) == 1 + 3 + 1
    project.remove("docs/x.txt")
    assert project.build(allow_removal=True).ran == ["book"]
    assert project.read("book") == "C\nD\n" * 2
    project.settled()


def test_a_chain_of_values(project: Project):
    """Values of instances are items too, in the order of the items that they come from."""
    project.write("steps.py", "def words():\n    return ['b', 'a']\ndef double(w):\n    return w * 2\n")
    project.stage("words", None, {"all": "value:json"}, call="steps:words")
    project.stage("double", None, {"text": "value:str"}, call="steps:double", for_each={"w": "words.all"})
    project.stage("write", None, "out/{t}", "echo {t} > {outputs}", for_each={"t": "double.text"})
    project.stage("all", "write.outputs", "all", "cat {inputs} > {outputs}")

    assert project.build().exit_status == 0
    assert project.read("all") == "bb\naa\n"
    project.settled()


def test_who_reads_by_path_or_glob_waits(pages: Project):
    """A stage that names what an instance makes, or a glob that matches it, waits for the instances, as does a command that merely names it."""
    pages.stage("one", "build/up/b.up", "one.txt", "cp {inputs} {outputs}")
    pages.stage("glob", "build/up/*.up", "glob.txt", "cat {inputs} > {outputs}")
    pages.stage("named", None, "named.txt", "cat build/up/c.up > {outputs}")
    pages.stage("folder", "build/up/", "folder.txt", "ls {inputs} > {outputs}")
    pages.stage("after", None, "after.txt", "ls build/up | head -1 > {outputs}", after=["up"])
    assert pages.build(jobs=4).exit_status == 0

    assert [pages.read(f"{name}.txt") for name in ("one", "glob", "named", "folder")] == ["B\n", "A\nB\nC\n", "C\n", "a.up\nb.up\nc.up\n"]
    assert pages.read("after.txt") == "a.up\n"
    pages.settled()
    pages.write("doc.txt", "a b c d")
    assert sorted(pages.build(jobs=4).ran) == sorted(["split", *ups("d"), "book", "glob", "folder"])
    pages.settled()


def test_a_wide_glob_of_what_comes_before(project: Project):
    """A glob that could match what instances make does not keep its stage waiting where they rest on that stage."""
    project.write("a.in", "x y")
    project.stage("list", {"all": "**/*.in"}, {"pages": "build/pages/"}, SPLIT.replace("{doc}", "{all}"))
    project.stage("each", "{p}", "{p.stem}.out", "cp {inputs} {outputs}", for_each={"p": "build/pages/*.txt"})

    assert sorted(project.build().ran) == ["each@build/pages/x.txt", "each@build/pages/y.txt", "list"]
    project.settled()


def test_other_stages_run_beside_it(pages: Project):
    """What has nothing to do with the maker neither waits for it nor for the instances."""
    gate = pages.gate("slow")
    pages.stage("slow", None, "slow.txt", f'{gate.shell}; cp book.txt {{outputs}}', infer_inputs=False)
    running = pages.start("-j2")
    gate.wait()
    running.until(lambda: pages.exists(".book.txt.hash"))
    gate.release()
    assert running.wait().exit_status == 0
    assert pages.read("slow.txt") == "A\nB\nC\n"


@pytest.mark.parametrize("jobs", [1, 4])
@pytest.mark.parametrize("schedule", ["eager", "waves"])
def test_jobs_and_waves(pages: Project, jobs: int, schedule: str):
    """However many run at once, and with barriers between waves, the result is the same."""
    assert pages.build(jobs=jobs, schedule=schedule).exit_status == 0
    pages.write("doc.txt", "a b c d e f")
    assert len(pages.build(jobs=jobs, schedule=schedule).ran) == 1 + 3 + 1
    assert pages.read("book.txt") == "A\nB\nC\nD\nE\nF\n"


def test_resources_of_instances(pages: Project):
    """Instances share what there is, as those of other stages; more than there is is an error before anything runs."""
    run = "tr a-z A-Z < {src} > {dst}"
    pages.resources(license=1)
    pages.stage("up", {"src": "{page}"}, {"dst": "build/up/{page.stem}.up"}, run, for_each={"page": "build/pages/*.txt"}, resources={"license": 1})
    assert len(pages.build(jobs=4).ran) == 5
    pages.settled()


INCLUDED = """
[stage.split]
inputs = ["doc.txt"]
outputs = { pages = "build/pages/", words = "value:json" }
call = "steps:split"

[stage.up]
for_each = { page = "build/pages/*.txt" }
inputs = { src = "{page}" }
outputs = { dst = "build/up/{page.stem}.up" }
run = "tr a-z A-Z < {src} > {dst}"
"""

INCLUDED_STEPS = """
import os

def split(inputs, pages):
    os.makedirs(pages, exist_ok=True)
    with open(inputs[0]) as file:
        words = file.read().split()
    for word in words:
        with open(os.path.join(pages, word + ".txt"), "w") as file:
            file.write(word + "\\n")
    return words
"""


def test_included_pipefiles(project: Project):
    """Items lie in the folder of the Pipefile that has them; from outside they are seen from the root; the rest is as ever."""
    project.settings(include=["media"])
    project.write("media/Pipefile.toml", INCLUDED)
    project.write("media/steps.py", INCLUDED_STEPS)
    project.write("media/doc.txt", "a b c")
    project.stage("plain", None, None, "echo plain > {outputs}")
    each = {"page": "media/build/pages/*.txt", "n": [1, 2]}
    run = "grep -v c {page} > {outputs}"
    project.stage("multi", "{page}", "m/{page.stem}-{n}", run, for_each=each, exclude=["media/build/pages/b*"], fallback="plain")
    project.write("rules", "")
    project.stage("lint", "rules", None, "test {word} != x", for_each={"word": "media/split.words"})
    outcome = project.build()

    assert (outcome.exit_status, len(outcome.ran)) == (0, 1 + 3 + 2), outcome.output
    assert sorted(outcome.degraded) == [f"multi@page=media/build/pages/c.txt,n={n}" for n in (1, 2)]
    assert project.read("m/c-2") == "plain\n"
    assert sorted(project.build("lint").ran) == ["lint@a", "lint@b", "lint@c"]
    project.write("media/doc.txt", "a b")
    assert project.build("media/up").ran == ["media/split"]
    assert project.build("lint").ran == []
    project.stage("multi", "{page}", "m/{page.stem}-{n}", run, for_each=each, fallback="plain")
    project.build()
    project.settled()


# --- totals


def test_totals_grow(pages: Project):
    """The number of edges is told anew when the instances are known."""
    from pipefile.model.event import PlanMade

    events = pages.build().events
    assert [event.total for event in events if isinstance(event, PlanMade)] == [3, 5]


# --- the fast lane


@pytest.mark.parametrize("make", [with_pages, with_parts])
def test_a_build_with_nothing_to_do_is_fast(project: Project, make):
    """It is answered from the index, until something changes that items come from."""
    make(project)
    project.build()
    assert (lane(project) or "").startswith("5 fresh in ")
    project.write("doc.txt", "a b")
    assert lane(project) is None
    project.build()
    assert (lane(project) or "").startswith("4 fresh in ")
    if make is with_pages:
        project.write("build/pages/x.txt", "x\n")
    else:
        project.write(project.value("split", "parts"), "[]")
    assert lane(project) is None


# --- globs that are not in one directory


def test_a_wide_glob_waits_for_directories(project: Project):
    """It finds what is in directories that stages make, when these have been made; `exclude` keeps it from waiting for one."""
    project.write("a.md", "a\n")
    project.stage("notes", None, "notes/", "echo n > {outputs}/n.md; touch {outputs}/x.txt")
    project.stage("other", None, "other/", "echo o > {outputs}/o.md")
    project.stage("html", "{m}", "html/{m.stem}", "cp {inputs} {outputs}", for_each={"m": "**/*.md"}, exclude=["other/"])

    assert sorted(project.build("html").ran) == ["html@a.md", "html@notes/n.md", "notes"]
    project.build()
    project.settled()


def test_a_wide_glob_and_a_directory_that_rests_on_it(project: Project):
    """What is made of a stage's own instances is none of its items, neither in the first build nor in any other."""
    project.write("a.md", "a\n")
    project.stage("site", "html.outputs", "site/", "cp {inputs} {outputs}; echo s > {outputs}/s.md")
    project.stage("html", "{m}", "html/{m.stem}.html", "cp {inputs} {outputs}", for_each={"m": "**/*.md"})

    assert project.build().ran == ["html@a.md", "site"]
    assert set(project.status()) == {"html@a.md", "site"}
    project.settled()
    project.write("b.md", "b\n")
    assert project.build().ran == ["html@b.md", "site"]
    project.settled()


def test_files_beside_directories_that_stages_make(project: Project):
    """A folder of a person's own among those that stages make is found as well, and noticed when it comes."""
    project.write("docs/x.txt", "a")
    project.stage("split", {"doc": "{d}"}, {"pages": "build/pages/{d.stem}/"}, SPLIT, for_each={"d": "docs/*.txt"})
    project.stage("up", "{p}", "build/up/{p.stem}", "cp {inputs} {outputs}", for_each={"p": "build/pages/*/*.txt"})
    project.build()
    project.write("build/pages/mine/m.txt", "m\n")

    assert project.build().ran == ["up@build/pages/mine/m.txt"]
    project.settled()
    project.remove("build/pages/mine")
    assert project.build().output == "note: removed `build/up/m`, which no stage makes any more\n"
