"""`--from STAGE --reuse-run RUN`: what is above is put back as it was in a run, the stage and all below it run."""

from __future__ import annotations

import json
import os

import pytest
from kit import Project
from kit.outcome import BuildOutcome


@pytest.fixture
def cached(project: Project) -> Project:
    """`clean` -> `merge` (a directory) -> `train` -> `report`, with `side`, which `report` needs besides."""
    project.caching = True
    project.write("raw", "raw 1\n")
    project.write("notes", "notes 1\n")
    project.write("style", "style 1\n")
    project.stage("clean", inputs="raw", outputs="o/clean", run="cp {inputs} {outputs}")
    project.stage("merge", inputs=["o/clean", "notes"], outputs="o/merged/", run="cp {inputs} {outputs}; seq 3000 > {outputs}/large")
    project.stage("train", inputs=["o/merged/"], outputs="o/model", run="cat {inputs}/clean {inputs}/notes > {outputs}")
    project.stage("side", inputs="style", outputs="o/side", run="cp {inputs} {outputs}")
    project.stage("report", inputs=["o/model", "o/side"], outputs="o/report", run="cat {inputs} > {outputs}")
    return project


def run_of(outcome: BuildOutcome) -> str:
    assert outcome.exit_status == 0, outcome.output
    return str(outcome.events[-1].run)


def edit(project: Project, number: int) -> None:
    for name in ("raw", "notes", "style"):
        project.write(name, f"{name} {number}\n")


def test_all_above_is_as_it_was_in_that_run(cached):
    """From the cache, where files have changed; what runs has today's sources beside it; a plain build sees what differs from them as stale."""
    first = run_of(cached.build())
    edit(cached, 2)
    run_of(cached.build())
    outcome = cached.build(from_stage="train", reuse_run=first)
    assert (outcome.exit_status, outcome.restored, outcome.ran) == (0, ["clean", "merge"], ["train", "report"])
    assert cached.read("o/merged/clean") == "raw 1\n"
    assert cached.read("o/report") == "raw 1\nnotes 1\nstyle 2\n"
    assert cached.why("report")["clean"] == ["its outputs were put back as they were in an earlier run"]
    plain = cached.build()
    assert plain.exit_status == 0
    assert sorted(plain.restored) == ["clean", "merge", "report", "train"]
    assert cached.read("o/report") == "raw 2\nnotes 2\nstyle 2\n"
    cached.settled()


def test_what_is_as_it_was_stays(cached):
    """The latest run is meant if none is named: nothing is put back, and only what was asked for runs. No cache is needed for that."""
    run_of(cached.build(cache=False))
    before = {path: os.stat(cached.path(path)).st_mtime_ns for path in ("o/clean", "o/merged", "o/side")}
    outcome = cached.build(from_stage="train", cache=False)
    assert (outcome.restored, outcome.ran, outcome.fresh) == ([], ["train", "report"], 3)
    assert {path: os.stat(cached.path(path)).st_mtime_ns for path in before} == before
    assert [reason.kind for event in outcome.events if hasattr(event, "reasons") for reason in event.reasons] == ["resumed", "resumed"]
    cached.settled()


def test_after_a_failure(cached):
    """The usual case: a stage failed, its command is mended, and it runs on what was made before, although sources have been edited since."""
    cached.stage("train", inputs=["o/merged/"], outputs="o/model", run="cat {inputs}/clean {inputs}/notes > {outputs}; exit 3")
    failed = cached.build(keep_going=True)
    assert (failed.failed, failed.skipped) == (["train"], ["report"])
    edit(cached, 2)
    cached.stage("train", inputs=["o/merged/"], outputs="o/model", run="cat {inputs}/notes {inputs}/clean > {outputs}")
    outcome = cached.build(from_stage="train")
    assert (outcome.exit_status, outcome.restored, sorted(outcome.ran)) == (0, [], ["report", "side", "train"])
    assert cached.read("o/report") == "notes 1\nraw 1\nstyle 2\n"
    assert sorted(cached.build().ran) == ["clean", "merge", "report", "train"]
    cached.settled()


def test_what_a_run_did_not_do_was_done_by_an_earlier_one(cached):
    """Manifests list what did not stay fresh: runs before that one tell of the rest."""
    run_of(cached.build())
    cached.write("notes", "notes 2\n")
    second = run_of(cached.build())
    edit(cached, 3)
    run_of(cached.build())
    outcome = cached.build(from_stage="train", reuse_run=second)
    assert (outcome.exit_status, outcome.restored) == (0, ["clean", "merge"])
    assert cached.read("o/model") == "raw 1\nnotes 2\n"


def test_an_edge_that_no_run_tells_of_any_more(cached):
    """Its record tells, as long as it has done nothing since."""
    cached.settings(keep_runs=2)
    run_of(cached.build())
    for number in (2, 3):
        cached.write("notes", f"notes {number}\n")
        last = run_of(cached.build())
    outcome = cached.build(from_stage="train", reuse_run=last)
    assert (outcome.exit_status, outcome.restored, outcome.ran) == (0, [], ["train", "report"])
    last = run_of(outcome)
    edit(cached, 4)
    run_of(cached.build())
    outcome = cached.build(from_stage="merge", reuse_run=last)
    assert outcome.exit_status == 2
    assert "`clean` has done nothing in any run that is kept, up to that one" in outcome.output


def test_a_put_back_edge_whose_inputs_are_as_they_were_is_fresh(cached):
    """Put back, then the sources as well: nothing is left to do for what is above."""
    first = run_of(cached.build())
    edit(cached, 2)
    run_of(cached.build())
    cached.build(from_stage="train", reuse_run=first)
    edit(cached, 1)
    outcome = cached.build()
    assert (outcome.ran, outcome.restored) == ([], ["side", "report"])
    cached.settled()


def test_what_cannot_be_put_back_is_listed_before_anything_runs(cached):
    """Exit 2, each stage with its reason; nothing has changed."""
    first = run_of(cached.build())
    edit(cached, 2)
    run_of(cached.build())
    cached.remove("pipeline_outputs/cache")
    before = cached.outputs()
    outcome = cached.build(from_stage="train", reuse_run=first)
    assert outcome.exit_status == 2
    assert outcome.output == (
        f"error: 2 stages above `train` cannot be put back as in run {first}\n"
        f"  Pipefile.toml:{line(cached, 'clean')}  `clean` has changed since, and the cache does not have what it was\n"
        f"  Pipefile.toml:{line(cached, 'merge')}  `merge` has changed since, and the cache does not have what it was\n"
        "hint: a build without `--from` makes what is missing\n"
    )
    assert cached.outputs() == before
    assert cached.build(from_stage="train", reuse_run=first, cache=False).output.count("and the cache is not used") == 2
    assert cached.build().fresh == 5


def line(project: Project, stage: str) -> int:
    return project.read("Pipefile.toml").splitlines().index(f"[stage.{stage}]") + 1


def test_what_failed_or_came_from_a_fallback_in_that_run(cached):
    """There is nothing that it could be put back to."""
    cached.stage("clean", inputs="raw", outputs="o/clean", run="exit 3")
    failed = cached.build()
    assert failed.exit_status == 1
    first = failed.events[-1].run
    cached.stage("clean", inputs="raw", outputs="o/clean", run="exit 3", fallback="plain")
    cached.stage("plain", run="echo plain > {outputs}")
    second = run_of(cached.build())
    assert cached.build(from_stage="train", reuse_run=second).exit_status == 0  # it stands as it was
    cached.stage("clean", inputs="raw", outputs="o/clean", run="cp {inputs} {outputs}", fallback=None)
    cached.drop("plain")
    run_of(cached.build())
    for run, why in ((first, "`clean` failed in it"), (second, "`clean` came from its fallback, which is not kept")):
        outcome = cached.build(from_stage="train", reuse_run=run)
        assert (outcome.exit_status, outcome.ran) == (2, [])
        assert why in outcome.output, outcome.output


def test_a_result_that_is_damaged_when_it_is_needed(cached):
    """Planned by what there seems to be; the stage fails, and nothing that needs it runs."""
    first = run_of(cached.build())
    edit(cached, 2)
    run_of(cached.build())
    blobs = [path for path in cached.tree() if "/blobs/" in path and not os.path.isdir(cached.path(path))]
    for path in blobs:
        data = bytearray(cached.read_bytes(path))
        data[7] ^= 1
        cached.remove(path)
        cached.write(path, bytes(data))
    cached.remove("o/merged")
    outcome = cached.build(from_stage="train", reuse_run=first)
    assert (outcome.exit_status, outcome.failed, set(outcome.ran) - {"side"}) == (1, ["merge"], set())
    assert f"cannot be put back as it was in run {first}: what the cache has is damaged" in outcome.output
    cached.build()
    cached.settled()


def test_a_killed_resume(cached):
    """Case 30: at any instant; a plain build is right afterwards."""
    from kit.disks import DyingDisk, Killed

    first = run_of(cached.build())
    edit(cached, 2)
    run_of(cached.build())
    expected = cached.outputs()
    changes = 0
    while True:
        cached.disk = DyingDisk(cached.root, changes)
        try:
            assert cached.build(from_stage="train", reuse_run=first, jobs=1).exit_status == 0
            break
        except Killed:
            changes += 4
        finally:
            cached.disk = None
        assert cached.build().exit_status == 0
        assert cached.outputs() == expected
    cached.build()
    cached.settled()


# --- asked on the command line, and from a program


def test_on_the_command_line(cached):
    """A run by the beginning of its id; what is told; what is refused."""
    cached.cli()
    (first,) = os.listdir(cached.path("pipeline_outputs/runs"))
    edit(cached, 2)
    cached.cli()
    outcome = cached.cli("-j1", "--from", "train", "--reuse-run", first)
    assert (outcome.exit_status, outcome.err) == (0, "")
    assert [each.rpartition("  ")[0].partition(" ")[2] for each in outcome.out.splitlines()[:-1]] == [
        "clean restored",
        "merge restored",
        "train",
        "report",
    ]
    assert outcome.out.splitlines()[-1].startswith("2 ran, 2 from cache, 1 fresh in ")
    shown = json.loads(cached.cli("runs", "show", "--json").out)
    assert {edge["stage"]: edge["status"] for edge in shown["edges"]} == {"clean": "restored", "merge": "restored", "train": "ran", "report": "ran"}
    assert "\nstale   merge: its outputs were put back as they were in an earlier run" in cached.cli("status").out


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("--reuse-run", "2"), "error: `--reuse-run` says as in which run things are, and needs `--from`, which says up to where\n"),
        (("--from", "train", "-n"), "error: `--from` does not go with `--dry-run`\n"),
        (("--from", "train", "-B"), "error: `--from` does not go with `--force`\n"),
        (("--from", "trian"), "error: `--from` names a stage, and there is no stage `trian`\nhint: did you mean `train`?\n"),
        (("--from", "train", "o/side"), "error: stage `train` is not part of what is built\nhint: name a target that comes from it\n"),
        (("--from", "train", "--reuse-run", "1999"), "error: no run begins with `1999`\nhint: `pipefile runs list` shows them all\n"),
    ],
)
def test_what_cannot_be_asked(cached, words, error):
    """Exit 2, and nothing has run."""
    cached.build()
    outcome = cached.cli(*words)
    assert (outcome.exit_status, outcome.out, outcome.err) == (2, "", error)


def test_before_the_first_run(cached):
    """There is nothing to go on from."""
    outcome = cached.cli("--from", "train")
    assert (outcome.exit_status, outcome.err) == (2, "error: there are no runs yet\n")


PROGRAM = """
import sys
from pipefile import pipeline, stage

@stage(inputs={"raw": "raw"}, outputs={"rows": list})
def load(raw):
    with open(raw) as file:
        return file.read().split()

@stage
def count(rows):
    return {"number": len(rows)}

@pipeline
def work(config):
    return count(load().rows)

if __name__ == "__main__":
    first = work.run(quiet=True)
    with open("raw", "w") as file:
        file.write("a b c d")
    second = work.run(quiet=True)
    third = work.run(quiet=True, from_stage=count, reuse_run=first.run[:-1])
    plain = work.run(quiet=True)
    print([(each.ran, each.restored, each.exit_status) for each in (first, second, third, plain)])
    print([dict(each.values["count.result"])["number"] for each in (second, third, plain)])
"""


def test_from_a_program(project):
    """`Pipeline.run(from_stage=, reuse_run=)`."""
    import subprocess
    import sys

    project.write("raw", "a b")
    project.write("work.py", PROGRAM)
    done = subprocess.run([sys.executable, "work.py"], cwd=project.root, env=project.environ, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.stdout == (
        "[(('load', 'count'), (), 0), (('load', 'count'), (), 0), (('count',), ('load',), 0), ((), ('load', 'count'), 0)]\n[4, 2, 4]\n"
    )
