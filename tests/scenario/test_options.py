"""What the options of a build do to what runs, and in which order."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from kit import Project

from pipefile.testing import FaultyDisk


@pytest.fixture
def chain(project: Project) -> Project:
    project.traced("a", inputs="src.txt", outputs="a.txt", run="cat {inputs} > {outputs}")
    project.traced("b", inputs="a.txt", outputs="b.txt", run="cat {inputs} > {outputs}")
    project.traced("c", inputs="other.txt", outputs="c.txt", run="cat {inputs} > {outputs}")
    project.write("src.txt", "1\n")
    project.write("other.txt", "1\n")
    assert len(project.build().ran) == 3
    return project


def test_force(chain: Project) -> None:
    """Case 3: -B runs all of the closure, and no more; the build after it runs nothing."""
    assert chain.build("b", force=True).ran == ["a", "b"]
    assert sorted(chain.cli("-B").started) == ["a", "b", "c"]
    chain.settled()


def test_dry_run(chain: Project) -> None:
    """Case 60: -n says what would run and why, and changes nothing."""
    chain.write("src.txt", "2\n")
    before = chain.tree()
    outcome = chain.build(dry_run=True)
    assert (outcome.exit_status, outcome.ran, outcome.would_run) == (0, [], ["a", "b"])
    assert outcome.output == "note: would run a: input `src.txt` changed\nnote: may run b: input `a.txt` may change\nnote: 2 would run, 1 fresh\n"
    assert sorted(chain.build(dry_run=True, force=True).would_run) == ["a", "b", "c"]
    assert chain.cli("-n").started == []
    assert chain.tree() == before


def test_keep_going(project: Project) -> None:
    """Case 38: with -k all that does not need the failed stage runs; without it nothing new starts; then it goes on where it stopped."""
    project.stage("bad", inputs="src.txt", outputs="bad.txt", run="grep good {inputs} > {outputs}")
    project.stage("after_bad", inputs="bad.txt", outputs="after.txt", run="cat {inputs} > {outputs}")
    for number in range(3):
        project.stage(f"good{number}", inputs="src.txt", outputs=f"{number}.txt", run="cat {inputs} > {outputs}")
    project.write("src.txt", "1\n")
    outcome = project.build(keep_going=True)
    assert (outcome.exit_status, outcome.failed, outcome.skipped) == (1, ["bad"], ["after_bad"])
    assert sorted(outcome.ran) == ["good0", "good1", "good2"]
    project.write("src.txt", "good\n")
    assert sorted(project.build().ran) == ["after_bad", "bad", "good0", "good1", "good2"]
    project.settled()


def test_load_above_the_limit(project: Project) -> None:
    """-l: above that load no stage starts beside another one, but one always runs."""
    for name in "abc":
        project.stage(name, outputs=name, run='mkdir "$BUSY" && seq 200000 > {outputs} && rmdir "$BUSY"')
    project.environ["BUSY"] = f"{project.side}/busy"
    outcome = project.build(jobs=3, load=-1.0)
    assert (sorted(outcome.ran), outcome.failed) == (["a", "b", "c"], [])


def test_load_below_the_limit(project: Project) -> None:
    """-l: as without it. Neither of the two ends before the other has begun."""
    os.mkfifo(f"{project.side}/pipe")
    project.environ["PIPE"] = f"{project.side}/pipe"
    project.stage("a", outputs="a", run='echo > "$PIPE"; echo > {outputs}')
    project.stage("b", outputs="b", run='cat "$PIPE" > {outputs}')
    assert sorted(project.build(jobs=2, load=1e9).ran) == ["a", "b"]


def test_strict(project: Project) -> None:
    """Case 94: --strict makes warnings count; the work is done all the same."""
    project.stage("a", outputs="a.txt", run="echo > side; cat side > {outputs}")
    assert project.build(strict=True).exit_status == 1
    assert project.build(strict=True).exit_status == 0
    project.settled()


def test_after(project: Project) -> None:
    """Case 24: `after` orders, and makes nothing stale; it brings the other stage into the build of a target."""
    project.stage("second", inputs="src.txt", outputs="2.txt", run="cat {inputs} > {outputs}", after=["first"])
    project.stage("first", inputs="other.txt", outputs="1.txt", run="cat {inputs} > {outputs}")
    project.write("src.txt", "1\n")
    project.write("other.txt", "1\n")
    assert project.build(jobs=4).ran == ["first", "second"]
    project.settled()
    project.write("other.txt", "2\n")
    assert project.build().ran == ["first"]
    project.stage("second", inputs="src.txt", outputs="2.txt", run="cat {inputs} > {outputs}")
    project.settled()


def test_waves(project: Project) -> None:
    """Case 54: with `--schedule waves` no stage starts before all of the wave above have ended; eagerly, the longest chain runs ahead."""
    above = {"b1": "src", "c1": "src", "d1": "src", "a1": "src", "a2": "a1", "a3": "a2", "b2": "b1"}
    for name, source in above.items():
        project.traced(name, inputs=f"{source}.txt", outputs=f"{name}.txt", run="cat {inputs} > {outputs}")
    project.write("src.txt", "1\n")
    started = project.cli("-j1", "--schedule", "waves").started
    assert [sorted(started[:4]), sorted(started[4:6]), started[6:]] == [["a1", "b1", "c1", "d1"], ["a2", "b2"], ["a3"]]
    project.settled()
    project.remove("pipeline_outputs")  # and with it how long each took: a chance of the machine
    eager = project.cli("-j1", "-B").started
    assert sorted(eager) == sorted(above)
    assert eager.index("a2") < max(eager.index("c1"), eager.index("d1"))


@pytest.mark.parametrize("by", ["build", "clean"])
def test_another_hash(chain: Project, by: str) -> None:
    """Case 26: a change of the hash is the reason, and what a stage made that goes with it is still known as its own."""
    chain.settings(hash="sha256")
    chain.stage("gone", outputs=["gone.txt", "gone/"], run="echo > {outputs[0]}; echo > {outputs[1]}/x")
    chain.build()
    chain.settings(hash="blake3")
    assert chain.why("a") == {"a": ["its digests were made with another hash"]}
    chain.drop("gone")
    if by == "clean":
        chain.cli("clean", "--dead")
        assert not chain.exists("gone.txt")
    outcome = chain.build()
    assert sorted(outcome.ran) == ["a", "b", "c"]
    assert "changed since" not in outcome.output
    assert not chain.exists("gone.txt")
    assert not chain.exists("gone")
    chain.settled()


@pytest.mark.parametrize("hash_name", ["sha256", "blake3"])
def test_hash(chain: Project, hash_name: str) -> None:
    """Case 68: another digest is another key: all runs once, and all is as before."""
    chain.settings(hash=hash_name)
    ran = chain.build().ran
    assert sorted(ran) == (["a", "b", "c"] if hash_name == "sha256" else [])
    assert hash_name in chain.read(chain.record("a.txt"))
    chain.settled()
    chain.write("src.txt", "2\n")
    assert chain.build().ran == ["a", "b"]
    chain.settled()


def test_durability(chain: Project) -> None:
    """Case 42: `full` syncs each output before its record, the folders, and the index; `fast` syncs nothing."""
    for setting in ("fast", "full"):
        chain.settings(durability=setting)
        chain.write("src.txt", f"{setting}\n")
        chain.disk = FaultyDisk(chain.root)
        assert chain.build("b").ran == ["a", "b"]
        if setting == "fast":
            assert chain.disk.total("sync") == 0
        else:
            synced = {path: count for (operation, path), count in chain.disk.calls.items() if operation == "sync"}
            assert {".pipefile-tmp/a.txt", ".pipefile-tmp/b.txt", ""} <= set(synced)
    chain.settled()


def test_store_elsewhere(chain: Project) -> None:
    """Case 65: another store starts without an index, and finds all in the records."""
    chain.settings(store="state/store")
    chain.settled()
    assert Path(chain.path("state/store/index")).exists()
    chain.settled()
