"""Fan-out at run time: kills and interrupts, earlier runs, watch and history."""

from __future__ import annotations

import json
import signal

import pytest
from kit import Project
from kit.disks import DyingDisk, Killed
from kit.pages import SPLIT, ups, with_pages, with_parts
from kit.watching import Watch


@pytest.fixture
def pages(project: Project) -> Project:
    return with_pages(project)


@pytest.fixture
def parts(project: Project) -> Project:
    return with_parts(project)


# --- kills and interrupts


def test_killed_at_every_change(pages: Project):
    """Case 30: the builder dies before each change of the disk in turn; then a build is as a clean one."""
    expected = {}
    for words in ("a b", "b c d"):
        pages.write("doc.txt", words)
        expected[words] = pages.clean_outputs()
    pages.write("doc.txt", "a b")
    pages.build()
    now, changes, died = "a b", 0, True
    while died:
        now = "b c d" if now == "a b" else "a b"
        pages.write("doc.txt", now)
        pages.disk = DyingDisk(pages.root, changes)
        try:
            died = False
            pages.build(jobs=1)
        except Killed:
            died = True
        pages.disk = None
        assert pages.build(jobs=1, allow_removal=True).exit_status == 0
        assert pages.outputs() == expected[now]
        assert pages.build(jobs=1).ran == []
        changes += 11
    assert changes > 25


def test_interrupted_in_between(pages: Project):
    """Case 34: the maker has come to its end, an instance is interrupted; the next build goes on with the instances."""
    gate = pages.gate("b")
    run = f'if test {{src}} = build/pages/b.txt && test -p "$GATES/b.go"; then {gate.shell}; fi; tr a-z A-Z < {{src}} > {{dst}}'
    pages.stage("up", {"src": "{page}"}, {"dst": "build/up/{page.stem}.up"}, run, for_each={"page": "build/pages/*.txt"})
    running = pages.start("-j1")
    gate.wait()
    running.signal(signal.SIGINT)
    assert running.wait().exit_status == 130
    gate.release()
    assert sorted(pages.build().ran) == sorted([*ups("b", "c"), "book"])
    assert pages.read("book.txt") == "A\nB\nC\n"


def test_interrupted_while_the_maker_runs(pages: Project):
    """What instances made before is there still, and is no dead output."""
    pages.build()
    gate = pages.gate("split")
    pages.stage("split", {"doc": "doc.txt"}, {"pages": "build/pages/"}, f'if test -p "$GATES/split.go"; then {gate.shell}; fi; {SPLIT}')
    running = pages.start()
    gate.wait()
    running.signal(signal.SIGINT)
    assert running.wait().exit_status == 130
    assert pages.exists("build/up/b.up")
    gate.release()
    assert pages.build().ran == ["split"]


# --- earlier runs


def test_restored_from_the_cache(pages: Project):
    """Maker and instances come from the cache, when that has them: nothing runs twice for the same."""
    pages.caching = True
    pages.build()
    pages.write("doc.txt", "a b")
    pages.build()
    pages.write("doc.txt", "a b c")
    outcome = pages.build()

    assert (outcome.ran, sorted(outcome.restored)) == ([], sorted(["split", *ups("c"), "book"]))
    assert pages.read("book.txt") == "A\nB\nC\n"


def run_of(project: Project) -> str:
    return str(project.build().events[-1].run)


@pytest.mark.parametrize("make", [with_pages, with_parts])
def test_resumed_from_the_fan_in(project: Project, make):
    """`--from` below a fan-out: maker and instances are put back as in that run, with its items."""
    make(project).caching = True
    first = run_of(project)
    project.write("doc.txt", "x y")
    project.build(allow_removal=True)
    outcome = project.build(from_stage="book", reuse_run=first, allow_removal=True)

    assert (outcome.exit_status, outcome.ran) == (0, ["book"]), outcome.output
    assert sorted(name.partition("@")[0] for name in outcome.restored) == ["split", "up", "up", "up"]
    assert project.read("book.txt").lower() == "a\nb\nc\n"


def test_resumed_from_the_maker(parts: Project):
    """`--from` a maker: all that comes from its items runs."""
    parts.caching = True
    parts.build()

    assert sorted(parts.build(from_stage="split").ran) == ["book", "split", "up@a", "up@b", "up@c"]


def test_resumed_from_instances(pages: Project):
    """`--from` the fan-out: all of its instances run, whatever they are; one of them runs alone."""
    pages.caching = True
    pages.build()
    outcome = pages.build(from_stage="up")
    assert (outcome.exit_status, sorted(outcome.ran)) == (0, sorted([*ups("a", "b", "c"), "book"]))
    assert sorted(pages.build(from_stage=ups("b")[0]).ran) == sorted([*ups("b"), "book"])


def test_what_cannot_be_put_back(pages: Project):
    """An instance that the cache does not have is told of; nothing of the fan-out runs."""
    first = run_of(pages)
    pages.write("doc.txt", "x y")
    pages.build(allow_removal=True)
    outcome = pages.build(from_stage="book", reuse_run=first, cache=False)

    assert (outcome.exit_status, outcome.ran) == (2, [])


# --- watching


def test_watch(pages: Project):
    """A watch follows the source of the maker; the items come and go with it."""
    watch = Watch(pages)
    watch.next()
    pages.write("doc.txt", "a b d")
    text = watch.next()
    assert "up@build/pages/d.txt" in text
    assert pages.read("book.txt") == "A\nB\nD\n"
    watch.running.signal(signal.SIGINT)
    watch.running.wait()


# --- history


def test_manifest_and_events(pages: Project):
    """The history of the run has the instances, under the wave that they had in the end."""
    pages.build()
    with open(pages.path("pipeline_outputs/latest/manifest.json"), encoding="utf-8") as file:
        entries = json.load(file)["edges"]
    waves = {(entry["stage"], entry["instance"]): entry["wave"] for entry in entries}
    assert waves == {("split", ""): 0, **{("up", name.partition("@")[2]): 1 for name in ups("a", "b", "c")}, ("book", ""): 2}
