"""Outputs of class `temp` that are made again, because something needs their bytes."""

from __future__ import annotations

import pytest
from kit import Project
from kit.restored import whole

from pipefile.model.event import StageFinished, StageStarted
from pipefile.plan.stale import describe

TEMP = {"path": "t", "temp": True}
STAMP = 'cat {inputs} "$GATES/stamp" > {outputs}'  # what nobody declares: other bytes for the same key


@pytest.fixture
def built(project: Project) -> Project:
    """`cut` makes what `left` and `right` read, each with a file of its own."""
    for name in ("src", "l", "r"):
        project.write(name, f"{name}\n")
    project.write("../side/gates/stamp", "one\n")
    project.stage("cut", inputs=["src"], outputs=[TEMP], run=STAMP)
    project.stage("left", inputs=["t", "l"], outputs=["left"], run="cat {inputs} > {outputs}")
    project.stage("right", inputs=["t", "r"], outputs=["right"], run="cat {inputs} > {outputs}")
    project.stage("below", inputs=["right"], outputs=["below"], run="cp {inputs} {outputs}")
    assert project.build().exit_status == 0
    return project


def test_a_stale_consumer_has_it_made_again(built: Project) -> None:
    """Its maker runs before it, for the reason that is given everywhere, and all others stay fresh."""
    built.write("l", "new\n")
    reason = "its temporary output `t` is needed again by `left`"
    assert built.status() == {"cut": "stale", "left": "stale", "right": "unknown", "below": "unknown"}
    assert built.why("left") == {"cut": [reason], "left": ["input `l` changed"]}
    assert set(built.build(dry_run=True).would_run) == {"cut", "left", "right", "below"}
    outcome = built.build()
    assert (outcome.ran, outcome.fresh) == (["cut", "left"], 2)
    assert [describe(event.reasons[0]) for event in outcome.events if isinstance(event, StageStarted)] == [reason, "input `l` changed"]
    ends = [(event.stage, event.status) for event in outcome.events if isinstance(event, StageFinished)]
    assert sorted(ends) == [("below", "fresh"), ("cut", "ran"), ("left", "ran"), ("right", "fresh")]
    assert not built.exists("t")
    assert built.read("left") == "src\none\nnew\n"
    assert whole(built.build()) == ([], [], 4)


def test_made_again_with_other_bytes_its_consumers_are_decided_again(built: Project) -> None:
    """Those that were found fresh before, too, and what comes from them."""
    built.write("l", "new\n")
    built.write("../side/gates/stamp", "two\n")
    outcome = built.build(jobs=1)
    assert (sorted(outcome.ran), outcome.fresh) == (["below", "cut", "left", "right"], 0)
    assert built.read("below") == "src\ntwo\nr\n"
    assert not built.exists("t")
    assert whole(built.build()) == ([], [], 4)


def test_it_is_not_removed_before_those_that_are_decided_again(built: Project) -> None:
    """Four at once find the same as one after the other."""
    for number in range(8):
        built.stage(f"more{number}", inputs=["t"], outputs=[f"more{number}"], run="cat {inputs} > {outputs}")
    built.build(jobs=4)
    built.write("l", "new\n")
    built.write("../side/gates/stamp", "two\n")
    assert len(built.build(jobs=4).ran) == 12
    assert built.read("more7") == "src\ntwo\n"
    assert not built.exists("t")
    assert built.build().ran == []


def test_a_chain_of_temporary_outputs(project: Project) -> None:
    """What is needed of it is made again from its beginning; what is not needed stays gone."""
    project.write("src", "1\n")
    project.write("k", "1\n")
    for number in range(4):
        above = f"t{number - 1}" if number else "src"
        project.stage(f"s{number}", inputs=[above], outputs=[{"path": f"t{number}", "temp": True}], run="cp {inputs} {outputs}")
    project.stage("end", inputs=["t3", "k"], outputs=["end"], run="cat {inputs} > {outputs}")
    project.stage("middle", inputs=["t1"], outputs=["middle"], run="cat {inputs} > {outputs}")
    assert len(project.build().ran) == 6
    project.write("k", "2\n")
    assert [name for name, state in project.status().items() if state == "stale"] == ["s0", "s1", "s2", "s3", "end"]
    assert project.build().ran == ["s0", "s1", "s2", "s3", "end"]
    assert not [path for path in project.tree() if path.startswith("t")]
    project.settled()


def test_early_cutoff_holds(built: Project) -> None:
    """A source that changes and comes to the same bytes: the temporary output is made, and nobody who reads it runs."""
    built.stage("cut", inputs=["src"], outputs=[TEMP], run="head -n 1 {inputs} > {outputs}")
    built.build()
    built.write("src", "src\nmore\n")
    outcome = built.build()
    assert (outcome.ran, outcome.fresh) == (["cut"], 3)
    assert not built.exists("t")


def test_it_is_restored_from_the_cache_if_that_has_it(built: Project) -> None:
    """Instead of running its stage; so is a consumer, which needs nothing then."""
    built.caching = True
    built.build(force=True)
    built.write("l", "new\n")
    assert "cut" in built.build(dry_run=True).would_restore
    assert whole(built.build()) == (["left"], ["cut"], 2)
    assert not built.exists("t")
    built.write("l", "l\n")
    assert whole(built.build()) == ([], ["left"], 3)
    assert whole(built.build()) == ([], [], 4)


def test_it_runs_where_the_cache_does_not_have_it(built: Project) -> None:
    """`cache = false` for the output alone."""
    built.caching = True
    built.stage("cut", inputs=["src"], outputs=[{**TEMP, "cache": False}], run=STAMP)
    built.build(force=True)
    built.write("l", "new\n")
    assert whole(built.build()) == (["cut", "left"], [], 2)


def test_large_ones_are_kept_before_they_are_removed(project: Project) -> None:
    """The cache has them: nobody removes what is still to be copied."""
    project.caching = True
    project.write("k", "1\n")
    project.stage("cut", outputs=[TEMP], run="head -c 5000000 /dev/zero > {outputs}")
    project.stage("use", inputs=["t", "k"], outputs=["u"], run="cat {inputs} | wc -c > {outputs}")
    assert project.build().ran == ["cut", "use"]
    assert not project.exists("t")
    project.write("k", "22\n")
    assert whole(project.build()) == (["use"], ["cut"], 0)


def test_its_maker_fails_then(built: Project) -> None:
    """Who needs it is skipped, as below any failure; the next build goes on from there."""
    built.stage("cut", inputs=["src"], outputs=[TEMP], run=f'{STAMP}; grep -q one "$GATES/stamp"')
    built.build()
    built.write("l", "new\n")
    built.write("../side/gates/stamp", "two\n")
    outcome = built.build(keep_going=True)
    assert (outcome.failed, outcome.ran, "left" in outcome.skipped) == (["cut"], [], True)
    assert not built.exists("t")
    built.write("../side/gates/stamp", "one\n")
    assert built.build().ran == ["cut", "left"]
    assert built.build().ran == []


def test_its_maker_has_another_output(project: Project) -> None:
    """That is not touched while somebody reads it: whoever runs is waited for."""
    project.write("k", "1\n")
    project.write("m", "1\n")
    project.stage("cut", outputs={"t": TEMP, "b": {"path": "b", "atomic": False}}, run="echo 1 > {t}; echo 2 > {b}")
    project.stage("reads", inputs=["b", "k"], outputs=["reads"], run="cat {inputs} > {outputs}")
    project.stage("first", inputs=["k"], outputs=["first"], run="cp {inputs} {outputs}")
    project.stage("needs", inputs=["t", "first"], outputs=["needs"], run="cat {inputs} > {outputs}")
    assert len(project.build().ran) == 4
    gate = project.gate("reads")
    project.stage("reads", inputs=["b", "k"], outputs=["reads"], run=f"{gate.shell}; cat {{inputs}} > {{outputs}}")
    project.write("k", "2\n")
    gate.release()
    outcome = project.build(jobs=4)
    assert (outcome.exit_status, sorted(outcome.ran), outcome.output) == (0, ["cut", "first", "needs", "reads"], "")
    assert project.read("reads") == "2\n2\n"
    assert project.build().ran == []


def test_by_waves(built: Project) -> None:
    """A barrier that has been passed is no barrier to what is made again."""
    built.write("l", "new\n")
    assert built.build(schedule="waves").ran == ["cut", "left"]
    built.write("r", "new\n")
    built.write("../side/gates/stamp", "two\n")
    assert sorted(built.build(schedule="waves", jobs=4).ran) == ["below", "cut", "left", "right"]
    assert built.build().ran == []


def test_with_resources(built: Project) -> None:
    """What is put off takes nothing meanwhile."""
    for name in ("cut", "left", "right"):
        inputs = ["src"] if name == "cut" else ["t", name[0]]
        outputs = [TEMP] if name == "cut" else [name]
        built.stage(name, inputs=inputs, outputs=outputs, run=STAMP if name == "cut" else "cat {inputs} > {outputs}", resources={"cpu": 2})
    built.build(jobs=2)
    built.write("l", "new\n")
    built.write("../side/gates/stamp", "two\n")
    assert sorted(built.build(jobs=2).ran) == ["below", "cut", "left", "right"]
    assert built.build(jobs=2).ran == []


def test_for_a_fallback(built: Project) -> None:
    """What a fallback reads is made again with what its stage reads."""
    built.stage("plain", inputs={"t": "t"}, run="cat {t} > {outputs}")
    built.stage("left", inputs={"l": "l"}, outputs=["left"], run="exit 1 > {outputs}", fallback="plain")
    assert built.build().degraded == ["left"]
    assert built.exists("t")
    built.remove("t")
    outcome = built.build()
    assert (outcome.ran, outcome.degraded) == (["cut"], ["left"])
    assert built.read("left") == "src\none\n"


def test_from_a_stage_on(built: Project) -> None:
    """`--from` puts back what runs will read, from the cache; without it that is said before anything runs."""
    built.caching = True
    built.build(force=True)
    outcome = built.build(from_stage="left")
    assert (outcome.ran, outcome.restored) == (["left"], ["cut"])
    assert not built.exists("t")
    outcome = built.build(from_stage="below")
    assert (outcome.ran, outcome.restored) == (["below"], [])
    outcome = built.build(from_stage="left", cache=False)
    assert (outcome.exit_status, outcome.ran) == (2, [])
    assert "`cut` has changed since, and the cache is not used" in outcome.output


def test_forced(built: Project) -> None:
    """`-B` runs all, and removes it as ever."""
    assert sorted(built.build(force=True).ran) == ["below", "cut", "left", "right"]
    assert not built.exists("t")
    assert built.build().ran == []


def test_a_builder_that_is_killed(built: Project) -> None:
    """While a maker runs again: the next build does what is left."""
    gate = built.gate("cut")
    built.stage("cut", inputs=["src"], outputs=[TEMP], run=f'{STAMP}; if [ -e "$GATES/stop" ]; then {gate.shell}; fi')
    built.build()
    built.write("../side/gates/stop", "")
    built.write("l", "new\n")
    running = built.start()
    gate.wait()
    running.kill()
    built.remove("../side/gates/stop")
    assert sorted(built.build().ran) == ["cut", "left"]
    assert not built.exists("t")
    assert built.build().ran == []


def test_who_ends_twice_is_told_of_once(built: Project) -> None:
    """In a report for CI as in the counts: as it ended last."""
    built.write("l", "new\n")
    built.write("../side/gates/stamp", "two\n")
    outcome = built.cli("-j1", "--junit", "report.xml")
    assert outcome.out.splitlines()[-1].startswith("4 ran in ")
    text = built.read("report.xml")
    assert 'tests="4" failures="0" errors="0" skipped="0"' in text
    assert [text.count(f' name="{name}"') for name in ("cut", "left", "right", "below")] == [1, 1, 1, 1]


def test_instances_that_run_together(project: Project) -> None:
    """A batch of consumers waits for a batch of makers."""
    for number in range(6):
        project.write(f"in/{number}", f"{number}\n")
    cut = {"path": "t/{x.name}", "temp": True}
    copy = "set -- {outputs}; for each in {inputs}; do cp $each $1; shift; done"
    project.stage("cut", for_each={"x": "in/*"}, inputs=["{x}"], outputs=[cut], run=copy, batch=3)
    project.stage("use", for_each={"x": "cut.outputs"}, inputs=["{x}"], outputs=["u/{x.name}"], run=copy, batch=3)
    assert len(project.build().ran) == 12
    assert project.build().ran == []
    project.stage("use", for_each={"x": "cut.outputs"}, inputs=["{x}"], outputs=["u/{x.name}"], run=f"{copy}; :", batch=3)
    assert len(project.build(jobs=4).ran) == 12
    assert not [path for path in project.tree() if path.startswith("t/") and not path.endswith(".hash")]
    project.settled()
