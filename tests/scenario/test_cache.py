"""Earlier results: what is restored instead of run, what never is, and that nothing else is different."""

from __future__ import annotations

import os
import stat

import pytest
from kit import Project
from kit.restored import chain, undone, whole

from pipefile.model.event import BuildFinished, StageFinished, StageRestored, StageStarted
from pipefile.testing import FaultyDisk

STEPS = """
import os

def count(inputs):
    with open(inputs[0]) as file:
        return {"lines": len(file.readlines()), "words": ["\\xff"]}

def stream(inputs):
    for number in range(3000):
        yield {"number": number}

def name(src):
    from pipefile import FileRef
    with open(src) as file:
        path = f"build/{file.readline().strip()}.txt"
    os.makedirs("build", exist_ok=True)
    with open(path, "w") as file:
        file.write("named\\n" * 2000)
    return FileRef(path)
"""

DECORATED = """
from pipefile import FileRef, Stream, stage
import steps

@stage(inputs={"src": "x"}, outputs={"place": FileRef})
def named(src):
    return steps.name(src)

@stage(inputs=["x"], outputs={"items": Stream})
def streamed(inputs):
    return steps.stream(inputs)

@stage(inputs={"place": "named.place", "items": "streamed.items"}, outputs=["build/all"])
def joined(place, items, outputs):
    with open(place) as named, open(outputs[0], "w") as file:
        file.write(named.read() + str(sum(item["number"] for item in items)))
"""


@pytest.fixture
def cached(project: Project) -> Project:
    project.caching = True
    project.write("x", "one\n")
    return project


# --- restored


def test_an_edit_that_is_undone_runs_nothing(cached):
    """Edit, build, undo the edit, build: the second restores and runs nothing, says so, and the next one has nothing to do."""
    chain(cached)
    outcome = undone(cached)
    assert whole(outcome) == ([], ["a", "b", "c"], 0)
    assert [event for event in outcome.events if isinstance(event, StageStarted)] == []
    assert [(event.stage, event.reasons[0].kind) for event in outcome.events if isinstance(event, StageRestored)] == [
        ("a", "input"),
        ("b", "input"),
        ("c", "input"),
    ]
    assert [event.status for event in outcome.events if isinstance(event, StageFinished)] == ["restored"] * 3
    assert [event.restored for event in outcome.events if isinstance(event, BuildFinished)] == [3]
    cached.settled()


def test_as_the_program_tells_it(cached):
    """The line of each stage, the last line, the run; and what asks without building says what a build would do."""
    chain(cached)
    for text in ("one\n", "two\n", "one\n"):
        cached.write("x", text)
        if text == "two\n":
            cached.cli()
    cached.write("x", "one\n")
    cached.cli()
    cached.write("x", "two\n")
    assert cached.cli("status").out == (
        "stale   a: input `x` changed, in the cache\n"
        "stale   b: input `o/a` changed, in the cache\n"
        "stale   c: input `o/b` changed, in the cache\n"
        "3 stale\n"
    )
    assert cached.cli("-n").out == (
        "would be restored a: input `x` changed\n"
        "would be restored b: input `o/a` changed\n"
        "would be restored c: input `o/b` changed\n"
        "0 would run, 3 would be restored, 0 fresh\n"
    )
    assert "  an earlier result is in the cache: a build restores it\n" in cached.cli("why", "o/c").out
    assert cached.cli("-n", "--no-cache").out.splitlines()[-2] == "3 would run, 0 fresh"
    out = cached.cli("--why").out.splitlines()
    assert [line.rpartition("  ")[0] or line for line in out[:-1]] == [
        "a: input `x` changed",
        "[1/3] a restored",
        "b: input `o/a` changed",
        "[2/3] b restored",
        "c: input `o/b` changed",
        "[3/3] c restored",
    ]
    assert out[-1].startswith("3 from cache in ")
    shown = cached.cli("runs", "show").out
    assert "counts    3 restored\n" in shown
    assert "\na  restored  " in shown
    assert cached.cli().out.startswith("3 fresh in ")


def test_two_branches_twice(cached):
    """Switching between two git branches twice runs nothing the third time, nor any time after."""
    chain(cached)
    cached.stage("d", inputs="y", outputs="o/d", run="cp {inputs} {outputs}")
    cached.write("y", "same\n")
    branches = {"main": ("one\n", "main\n"), "topic": ("two\n", "topic\n")}
    for round_ in range(3):
        for name, (x, y) in branches.items():
            cached.write("x", x)
            cached.write("y", y)
            cached.stage("c", inputs=["o/b"], outputs="o/c", run=f"echo {name} > {{outputs}}; cat {{inputs}} >> {{outputs}}")
            outcome = cached.build()
            assert whole(outcome)[0] == ([] if round_ else ["a", "b", "c", "d"])
    cached.settled()


def test_an_output_that_was_tampered_with(cached):
    """Case 5: it is restored, and what needs it stays fresh."""
    chain(cached)
    cached.build()
    cached.write("o/b", "tampered\n")
    assert whole(cached.build()) == ([], ["b"], 2)
    cached.remove("o/a")
    assert whole(cached.build()) == ([], ["a"], 2)
    cached.settled()


def test_records_that_are_lost(cached):
    """Outputs that stand as they should are left where they are."""
    chain(cached)
    cached.build()
    before = {path: os.stat(cached.path(path)) for path in cached.declared()}
    for path in cached.declared():
        cached.remove(cached.record(path))
    cached.remove("pipeline_outputs/index")
    assert whole(cached.build()) == ([], ["a", "b", "c"], 0)
    assert {path: os.stat(cached.path(path)).st_mtime_ns for path in before} == {path: seen.st_mtime_ns for path, seen in before.items()}
    cached.settled()


def test_after_clean_and_in_a_copy_of_the_store(cached, new_project):
    """Nothing runs where the cache is; paths in it are relative, so it may come from another checkout."""
    chain(cached)
    cached.build()
    assert cached.cli("clean").exit_status == 0
    assert whole(cached.build()) == ([], ["a", "b", "c"], 0)
    other = new_project()
    other.caching = True
    other.write("x", "one\n")
    chain(other)
    os.makedirs(other.path("pipeline_outputs"))
    os.rename(cached.path("pipeline_outputs/cache"), other.path("pipeline_outputs/cache"))
    assert whole(other.build()) == ([], ["a", "b", "c"], 0)
    other.settled()


def test_directories(cached):
    """Exec bits, links, empty folders, names that are no UTF-8, small files and large ones; swapped whole."""
    run = (
        "cp {inputs} {outputs}/small; seq 5000 > {outputs}/large; chmod +x {outputs}/small {outputs}/large; mkdir -p {outputs}/d/empty; "
        "ln -s ../small {outputs}/d/link; ln -s /nowhere {outputs}/dangling; printf '\\0\\377' > {outputs}/$(printf '\\377')"
    )
    cached.stage("make", inputs="x", outputs="o/dir/", run=run)
    cached.stage("in_place", inputs="x", outputs="p/", run="mkdir p/e; cp x p/e/y")
    assert whole(undone(cached)) == ([], ["in_place", "make"], 0)
    assert os.readlink(cached.path("o/dir/d/link")) == "../small"
    assert os.listdir(cached.path("o/dir/d/empty")) == []
    assert stat.S_IMODE(os.stat(cached.path("o/dir/large")).st_mode) & 0o111
    cached.write("o/dir/more", "not its own\n")
    assert whole(cached.build()) == ([], ["make"], 1)
    assert not cached.exists("o/dir/more")
    cached.settled()


def test_values_streams_and_files_named_at_run_time(cached):
    """All are files with records; a stage that needs them gets what it got before."""
    cached.write("steps.py", STEPS)
    cached.write("pipeline.py", DECORATED)
    cached.settings(python=["pipeline.py"])
    cached.stage("count", inputs=["x"], outputs={"n": "value:json"}, call="steps:count")
    cached.stage("spell", inputs={"n": "count.n"}, outputs=["build/spelt"], run="cp {n} {outputs}")
    cached.build("joined", "spell")
    cached.write("x", "two\nthree\n")
    assert sorted(cached.build("joined", "spell").ran) == ["count", "joined", "named", "spell", "streamed"]
    assert cached.exists("build/two.txt")
    cached.write("x", "one\n")
    outcome = cached.build("joined", "spell")
    assert whole(outcome)[:2] == ([], ["count", "joined", "named", "spell", "streamed"])
    assert cached.read("build/one.txt") == "named\n" * 2000
    assert cached.read("build/all") == "named\n" * 2000 + str(sum(range(3000)))
    again = cached.build("joined", "spell")
    assert (again.ran, again.restored) == ([], [])


def test_a_file_named_at_run_time_is_not_put_over_somebody_elses(cached):
    """The stage itself would write there; the cache does not."""
    cached.write("steps.py", STEPS)
    cached.write("pipeline.py", DECORATED)
    cached.settings(python=["pipeline.py"])
    cached.build("named")
    cached.write("x", "two\n")
    cached.build("named")
    cached.remove("build/one.txt") if cached.exists("build/one.txt") else None
    if cached.exists(cached.record("build/one.txt")):
        cached.remove(cached.record("build/one.txt"))
    cached.write("build/one.txt", "precious\n")
    cached.write("x", "one\n")
    assert cached.build("named").restored == []


def test_stages_without_outputs(cached):
    """A test that has passed with the same key has passed."""
    cached.stage("check", inputs="x", run="grep -q . {inputs}")
    cached.settings(default=["check"])
    assert whole(undone(cached)) == ([], ["check"], 0)
    assert whole(cached.build()) == ([], [], 1)


def test_discovered_inputs(cached):
    """A result is restored only if what its depfile listed is as it was: several results of one key stand beside each other."""
    cached.stage("cc", inputs="x", outputs="o/x.o", depfile="o/x.d", run='h=head.h; cat {inputs} "$h" > {outputs}; echo "o: $h" > {depfile}')
    results = {}
    for text in ("h1", "h2"):
        cached.write("head.h", text)
        assert whole(cached.build())[0] == ["cc"]
        results[text] = cached.read("o/x.o")
    for text in ("h1", "h2", "h1"):
        cached.write("head.h", text)
        assert whole(cached.build()) == ([], ["cc"], 0)
        assert cached.read("o/x.o") == results[text]
        cached.settled()
    cached.write("head.h", "h3")
    assert whole(cached.build())[0] == ["cc"]


def test_files_named_in_the_command(cached):
    """They are discovered inputs too: there, absent, and made by another stage."""
    cached.write("tool.sh", "cat\n")
    cached.stage("gen", inputs="x", outputs="o/gen", run="cp {inputs} {outputs}")
    cached.stage("use", outputs="o/use", run="sh tool.sh < o/gen > {outputs}; cat sub/maybe >> {outputs} || true")
    assert whole(undone(cached)) == ([], ["gen", "use"], 0)
    cached.write("sub/maybe", "here\n")
    assert whole(cached.build())[0] == ["use"]
    cached.remove("sub/maybe")
    assert whole(cached.build()) == ([], ["use"], 1)
    cached.settled()


def test_a_discovered_input_that_another_stage_will_make(cached):
    """What stands there now is not what will: without the order known, nothing is restored."""
    cached.stage("gen", inputs="x", outputs="gen.h", run="cp {inputs} {outputs}")
    cached.stage("cc", inputs="gen.h", outputs="o/x.o", depfile="o/x.d", run='h=gen.h; cat "$h" > {outputs}; echo "o: $h other.h" > {depfile}')
    cached.write("other.h", "1")
    cached.build()
    cached.drop("cc")
    cached.stage("cc", inputs="gen.h", outputs="o/x.o", depfile="o/x.d", run='h=gen.h; cat "$h" > {outputs}; echo "o: $h other.h" > {depfile}')
    cached.stage("late", inputs="x", outputs="other.h", run="echo 1 > {outputs}")
    cached.remove("other.h")
    for path in [path for path in cached.tree() if path.endswith(".hash")]:
        cached.remove(path)
    cached.remove("pipeline_outputs/index")
    outcome = cached.build(jobs=1)
    assert "cc" not in outcome.restored


# --- never kept


@pytest.mark.parametrize("keys", [{"cache": False}, {"always": True}])
def test_stages_that_are_not_kept(cached, keys):
    """`cache = false`; `always`, which runs in every build anyway."""
    cached.stage("a", inputs="x", outputs="o/a", run="cp {inputs} {outputs}", **keys)
    outcome = undone(cached)
    assert whole(outcome)[:2] == (["a"], [])
    assert not cached.exists("pipeline_outputs/cache")


def test_stages_that_have_nothing_to_compare(cached):
    """They run whenever they are asked for."""
    cached.stage("say", run="true")
    cached.build("say")
    assert whole(cached.build("say"))[:2] == (["say"], [])
    assert not cached.exists("pipeline_outputs/cache")


def test_an_output_that_is_not_kept(cached):
    """Where it stands with the right bytes, the others can be restored; where it does not, its stage runs."""
    cached.stage("a", inputs="x", outputs=[{"path": "o/big", "cache": False}, "o/small"], run="cp {inputs} {outputs[0]}; echo small > {outputs[1]}")
    cached.build()
    assert not any("one" in cached.read(path) for path in cached.tree() if "/cache/entries/" in path)
    cached.remove("o/small")
    assert whole(cached.build()) == ([], ["a"], 0)
    cached.remove("o/big")
    assert whole(cached.build())[:2] == (["a"], [])


def test_a_large_output_where_the_disk_cannot_share(cached, monkeypatch):
    """`auto` does not spend space on it, `true` does; and one that is larger than the whole cache may be is never kept."""
    from pipefile.engine import keep

    monkeypatch.setattr(keep, "LARGE", 20_000)  # a limit of 100 MB by files of that size would only be slow
    cached.stage("a", inputs="x", outputs="o/a", run="seq 10000 > {outputs}; cat {inputs} >> {outputs}")
    cached.disk = FaultyDisk(cached.root)
    assert whole(undone(cached))[0] == ["a"]
    cached.stage("a", inputs="x", outputs="o/a", run="seq 10000 > {outputs}; cat {inputs} >> {outputs}", cache=True)
    assert whole(undone(cached, one="3\n", two="4\n"))[1] == ["a"]
    cached.settings(cache_size="30kB")
    assert whole(undone(cached, one="5\n", two="6\n"))[0] == ["a"]
    cached.settings(cache_size=None)
    cached.stage("a", inputs="x", outputs="o/a", run="seq 10000 > {outputs}; cat {inputs} >> {outputs}")
    cached.disk.clones = True
    assert whole(undone(cached, one="7\n", two="8\n"))[1] == ["a"]


def test_what_failed_is_not_kept(cached):
    """Case 86: neither what it has written, nor that it was tried."""
    cached.stage("a", inputs="x", outputs="o/a", run="cp {inputs} {outputs}; exit 3")
    assert cached.build().exit_status == 1
    assert not cached.exists("pipeline_outputs/cache")


def test_what_was_made_from_inputs_that_changed_is_not_kept(cached):
    """Case 86: an input changed while the stage ran, in both attempts."""
    cached.stage("a", inputs="x", outputs="o/a", run="cp {inputs} {outputs}; echo more >> x")
    assert cached.build().exit_status == 1
    assert not cached.exists("pipeline_outputs/cache")


def test_what_a_fallback_made_is_not_kept(cached):
    """Nor restored in place of the stage, which is tried again."""
    cached.stage("a", inputs="x", outputs="o/a", run='test -n "$FINE" && cp {inputs} {outputs}', fallback="plain")
    cached.stage("plain", run="echo plain > {outputs}")
    assert cached.build().degraded == ["a"]
    assert not cached.exists("pipeline_outputs/cache")
    assert cached.build().degraded == ["a"]
    cached.environ["FINE"] = "yes"
    assert whole(cached.build())[0] == ["a"]


def test_what_was_accepted_is_not_kept(cached):
    """What a person says is right is right where it stands."""
    cached.stage("a", inputs="x", outputs="o/a", run="cp {inputs} {outputs}")
    cached.write("o/a", "by hand\n")
    assert cached.cli("accept", "a", "--reason", "it is").exit_status == 0
    assert whole(cached.build()) == ([], [], 1)
    assert not cached.exists("pipeline_outputs/cache")
    cached.write("x", "two\n")
    cached.build()
    cached.write("x", "one\n")
    assert whole(cached.build())[0] == ["a"]
    assert cached.read("o/a") == "one\n"


def test_an_output_that_is_changed_before_it_is_kept(cached):
    """Something that the stage has left behind writes to its output: the next build tells, and the cache has no such thing."""
    cached.stage("a", inputs="x", outputs="o/a", run="seq 5000 > {outputs}; cat {inputs} >> {outputs}")
    cached.stage("b", inputs="o/a", outputs="o/b", run="echo b > {outputs}; echo more >> o/a", infer_inputs=False)
    cached.build()
    cached.drop("b")
    cached.build()
    assert cached.read("o/a").endswith("\n5000\none\n")
    cached.settled()


# --- asked not to


def test_no_cache(cached):
    """`--no-cache` neither reads nor writes it; `-B` does not read it; nor does a size of nothing."""
    chain(cached)
    cached.build(cache=False)
    assert not cached.exists("pipeline_outputs/cache")
    cached.settings(cache_size="0")
    assert whole(undone(cached))[0] == ["a", "b", "c"]
    assert not cached.exists("pipeline_outputs/cache")
    cached.settings(cache_size=None)
    undone(cached)
    assert whole(cached.build(force=True))[0] == ["a", "b", "c"]
    cached.write("x", "two\n")
    assert whole(cached.build(cache=False))[0] == ["a", "b", "c"]
    assert cached.cli("--no-cache").out.startswith("3 fresh")


def test_a_build_with_nothing_to_do_does_not_touch_the_cache(cached):
    """Neither by the index nor in the ordinary way."""

    chain(cached)
    cached.build()
    cached.disk = FaultyDisk(cached.root)
    assert whole(cached.build()) == ([], [], 3)
    assert [path for _, path in cached.disk.calls if "/cache/" in path] == []


# --- hard links, secrets


@pytest.mark.parametrize("clones", [False, True])
def test_writing_to_a_restored_output_does_not_change_the_cache(cached, clones):
    """Case 82: in place, by somebody who does not know better."""

    cached.disk = FaultyDisk(cached.root)
    cached.disk.clones = clones
    cached.stage("a", inputs="x", outputs="o/a", run="seq 5000 > {outputs}; cat {inputs} >> {outputs}")
    assert whole(undone(cached))[1] == ["a"]
    assert os.stat(cached.path("o/a")).st_nlink == 1
    right = cached.read("o/a")
    for _ in range(2):
        with open(cached.path("o/a"), "r+") as file:
            file.write("written in place")
        assert whole(cached.build())[1] == ["a"]
        assert cached.read("o/a") == right


def test_no_value_of_a_variable_is_in_the_cache(cached):
    """Case 90: not in the metadata of a result, whatever the command was made of."""
    cached.environ["TOKEN"] = "canary-7f3a"
    cached.stage("a", inputs="x", outputs="o/a", run='test -n "$TOKEN" && cp {inputs} {outputs}', env=["TOKEN"])
    cached.stage("b", inputs="x", outputs="o/b", run="cp {inputs} {outputs}", env={"OTHER": "canary-7f3a"})
    assert whole(undone(cached))[1] == ["a", "b"]
    kept = [path for path in cached.tree() if path.startswith("pipeline_outputs/cache/") and os.path.isfile(cached.path(path))]
    assert len(kept) > 4
    assert not any(b"canary" in cached.read_bytes(path) for path in kept)
