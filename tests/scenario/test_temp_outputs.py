"""Outputs of class `temp`: when they are removed, and that they count as what they were."""

from __future__ import annotations

import pytest
from kit import Project, Watch
from kit.lane import lane
from kit.restored import whole

TEMP = {"path": "build/t", "temp": True}


@pytest.fixture
def chained(project: Project) -> Project:
    """`cut` makes what `left` and `right` read, each with a file of its own."""
    for name in ("src", "l", "r"):
        project.write(name, f"{name}\n")
    project.stage("cut", inputs=["src"], outputs=[TEMP], run="cp {inputs} {outputs}")
    project.stage("left", inputs=["build/t", "l"], outputs=["build/left"], run="cat {inputs} > {outputs}")
    project.stage("right", inputs=["build/t", "r"], outputs=["build/right"], run="cat {inputs} > {outputs}")
    return project


@pytest.fixture
def built(chained: Project) -> Project:
    assert sorted(chained.build().ran) == ["cut", "left", "right"]
    return chained


# --- removed


def test_it_is_removed_when_the_last_consumer_is_done(chained: Project) -> None:
    """Not before: the second of two finds it, and a third stage that comes after them does not."""
    chained.stage("right", inputs=["build/t", "build/left"], outputs=["build/right"], run="cat {inputs} > {outputs}")
    chained.stage("last", after=["right"], inputs=["r"], outputs=["build/last"], run="ls build > {outputs}")
    assert chained.build(jobs=1).ran == ["cut", "left", "right", "last"]
    assert chained.read("build/right") == "src\nsrc\nl\n"
    assert chained.read("build/last") == "left\nright\n"
    assert not chained.exists("build/t")


def test_its_record_stays(built: Project) -> None:
    """It says what the file was."""
    assert not built.exists("build/t")
    assert built.exists(built.record("build/t"))


def test_gone_it_counts_as_what_it_was(built: Project) -> None:
    """All is fresh: to the next build, without the index, and to who asks; outputs are those of a clean build."""
    assert built.status() == {"cut": "fresh", "left": "fresh", "right": "fresh"}
    assert built.why("left") == {}
    assert built.build(cold=True).ran == []
    built.remove("pipeline_outputs/index")
    assert whole(built.build()) == ([], [], 3)
    built.settled()


def test_nothing_to_do_is_said_by_the_index(built: Project) -> None:
    """A build that has nothing to do goes the short way."""
    assert (lane(built) or "").startswith("3 fresh in ")
    built.write("build/t", "src\n")
    assert lane(built) is None


def test_nothing_is_removed_in_a_dry_run(chained: Project) -> None:
    """Nor by a command that only reads."""
    assert chained.build("build/t").ran == ["cut"]
    before = chained.tree()
    outcome = chained.build(dry_run=True)
    assert (sorted(outcome.would_run), chained.tree()) == (["left", "right"], before)
    chained.status()
    chained.why("left")
    assert chained.cli("clean", "-n").exit_status == 0
    assert chained.tree() == before


def test_a_requested_one_is_kept(built: Project) -> None:
    """By its path, its stage, an alias or `default`; asked for when it is gone, it is made again. A build of all else removes it."""
    built.alias(part="cut")
    for target in ("build/t", "cut", "part"):
        assert built.why(target) == {"cut": ["its temporary output `build/t` is asked for"]}
        assert built.status(target)["cut"] == "stale"
        assert built.build(target, dry_run=True).would_run == ["cut"]
        assert built.build(target).ran == ["cut"]
        assert built.read("build/t") == "src\n"
        assert built.build(target).ran == []
        assert (lane(built, target) or "").endswith(" s\n")
        assert built.build().ran == []
        assert not built.exists("build/t")
    assert built.build("build").ran == ["cut"]
    assert built.exists("build/t")
    built.build()
    built.settings(default=["left", "cut"])
    assert built.build().ran == ["cut"]
    assert built.exists("build/t")


def test_another_output_that_is_requested(project: Project) -> None:
    """It does not keep the temporary one beside it; a stage that is named keeps both."""
    project.stage("cut", outputs={"t": TEMP, "b": "build/b"}, run="echo > {t}; echo > {b}")
    project.stage("use", inputs=["build/t"], outputs=["u"], run="cp {inputs} {outputs}")
    assert project.build("build/b", "use").ran == ["cut", "use"]
    assert not project.exists("build/t")


def test_what_nobody_reads_goes_with_its_own_stage(project: Project) -> None:
    """Nothing has a use for it, so it is gone when its stage is done."""
    project.stage("cut", outputs={"t": TEMP, "b": "build/b"}, run="echo > {t}; echo > {b}")
    assert project.build().ran == ["cut"]
    assert not project.exists("build/t")
    project.settled()


def test_what_nobody_reads_in_this_build_is_kept_for_the_next(chained: Project) -> None:
    """A build of one part does not make the next one of another part run the stage again."""
    chained.stage("cut", inputs=["src"], outputs={"t": TEMP, "b": "build/b"}, run="cp {inputs[0]} {t}; echo > {b}")
    chained.stage("other", inputs=["build/b"], outputs=["o"], run="cp {inputs} {outputs}")
    assert chained.build("other").ran == ["cut", "other"]
    assert chained.exists("build/t")
    assert chained.build("left").ran == ["left"]
    assert not chained.exists("build/t")


def test_a_part_of_the_consumers(chained: Project) -> None:
    """Only those of this build count: what the others need is made again."""
    assert chained.build("left").ran == ["cut", "left"]
    assert not chained.exists("build/t")
    assert chained.build("right").ran == ["cut", "right"]
    assert chained.build().ran == []


def test_made_temporary_by_an_edit_of_the_pipefile(chained: Project) -> None:
    """Nothing runs, and the file goes; made an ordinary output again, it is missed."""
    chained.stage("cut", inputs=["src"], outputs=["build/t"], run="cp {inputs} {outputs}")
    chained.build()
    chained.stage("cut", inputs=["src"], outputs=[TEMP], run="cp {inputs} {outputs}")
    assert chained.build().ran == []
    assert not chained.exists("build/t")
    chained.stage("cut", inputs=["src"], outputs=["build/t"], run="cp {inputs} {outputs}")
    assert chained.why("cut") == {"cut": ["output `build/t` is missing"]}
    assert chained.build().ran == ["cut"]
    assert chained.exists("build/t")


# --- failures


def test_a_consumer_that_failed_keeps_it(chained: Project) -> None:
    """With `-k` as without, for the build that tries again: only that one runs then."""
    chained.stage("right", inputs=["build/t", "r"], outputs=["build/right"], run="grep -q good {inputs[1]} && cat {inputs} > {outputs}")
    outcome = chained.build(keep_going=True)
    assert (sorted(outcome.ran), outcome.failed) == (["cut", "left"], ["right"])
    assert chained.exists("build/t")
    assert chained.build().failed == ["right"]
    assert chained.exists("build/t")
    chained.write("r", "good\n")
    assert chained.build().ran == ["right"]
    assert not chained.exists("build/t")
    chained.settled()


def test_a_consumer_that_was_skipped_below_a_failure_keeps_it(chained: Project) -> None:
    """It has not run, so it is not done."""
    chained.stage("bad", outputs=["build/bad"], run="exit 1 > {outputs}")
    chained.stage("right", inputs=["build/t", "build/bad"], outputs=["build/right"], run="cat {inputs} > {outputs}")
    assert chained.build(keep_going=True).failed == ["bad"]
    assert chained.exists("build/t")


def test_a_consumer_whose_fallback_made_up_for_it_keeps_it(chained: Project) -> None:
    """The next build tries the stage itself again."""
    chained.stage("plain", run="echo plain > {outputs}")
    chained.stage("right", inputs=["build/t", "r"], outputs=["build/right"], run="exit 1 > {outputs}", fallback="plain")
    assert chained.build().degraded == ["right"]
    assert chained.exists("build/t")
    again = chained.build()
    assert (again.ran, again.degraded) == ([], ["right"])


def test_a_consumer_that_a_condition_leaves_out_does_not(chained: Project) -> None:
    """It will not read it."""
    chained.stage("right", inputs=["build/t", "r"], outputs=["build/right"], run="cat {inputs} > {outputs}", should_run=False)
    assert sorted(chained.build().ran) == ["cut", "left"]
    assert not chained.exists("build/t")


def test_an_interrupted_build_keeps_it(chained: Project) -> None:
    """What had not ended still needs it."""
    gate = chained.gate("right")
    chained.stage("right", inputs=["build/t", "r"], outputs=["build/right"], run=f"{gate.shell}; cat {{inputs}} > {{outputs}}")
    running = chained.start("-j2")
    gate.wait()
    running.signal()
    assert running.wait().exit_status == 130
    assert chained.exists("build/t")
    gate.release()
    assert "right" in chained.build().ran
    assert not chained.exists("build/t")
    assert chained.build().ran == []


# --- files that are not as they were


def test_one_that_somebody_puts_back(built: Project) -> None:
    """With the bytes that it had nothing runs, and the build removes it again."""
    built.write("build/t", "src\n")
    assert built.status()["cut"] == "fresh"
    assert built.build().ran == []
    assert not built.exists("build/t")


def test_one_that_somebody_edits(built: Project) -> None:
    """It is no output of its stage any more, so that runs, and nobody else does."""
    built.write("build/t", "mine\n")
    assert built.why("cut") == {"cut": ["output `build/t` was changed since"]}
    assert built.build().ran == ["cut"]
    assert not built.exists("build/t")


def test_one_that_is_edited_after_it_was_read(chained: Project) -> None:
    """What somebody has written there in the meantime is not removed with it."""
    chained.stage("left", inputs=["build/t"], outputs=["build/left"], run="cp {inputs} {outputs}")
    chained.stage("right", inputs=["build/t", "build/left"], outputs=["build/right"], run="cat {inputs} > {outputs}")
    chained.stage("late", inputs=["build/right"], after=["cut"], outputs=["build/late"], run="t=build/t; echo mine > $t; cp {inputs} {outputs}")
    assert chained.build(jobs=1).exit_status == 0
    assert chained.read("build/t") == "mine\n"
    assert chained.build().ran == ["cut"]


def test_its_record_is_lost(built: Project) -> None:
    """Then nobody knows what it was: its stage runs, and its consumers are as they were."""
    built.remove(built.record("build/t"))
    assert built.build().ran == ["cut"]
    assert not built.exists("build/t")
    built.settled()


# --- kinds


def test_a_temporary_directory(project: Project) -> None:
    """Read whole, removed whole, made again whole."""
    project.write("src", "1\n")
    project.write("k", "1\n")
    project.stage("split", inputs=["src"], outputs=[{"path": "parts/", "temp": True}], run="cp {inputs} {outputs}/a; cp {inputs} {outputs}/b")
    project.stage("join", inputs={"d": "parts/", "k": "k"}, outputs=["joined"], run="cat {d}/* {k} > {outputs}")
    assert project.build().ran == ["split", "join"]
    assert not project.exists("parts")
    assert (lane(project) or "").startswith("2 fresh in ")
    assert project.build(cold=True).ran == []
    project.write("k", "2\n")
    assert project.status() == {"split": "stale", "join": "stale"}
    assert project.build().ran == ["split", "join"]
    assert not project.exists("parts")
    project.settled()


def test_a_depfile_within_a_temporary_directory(project: Project) -> None:
    """What it lists of one that is declared is covered by that; of any other it is a fault."""
    project.stage("split", outputs=[{"path": "parts/", "temp": True}, "s"], run="mkdir -p parts; echo > parts/a; echo > s")
    project.stage("use", inputs=["parts/"], outputs=["u"], run='p=parts; cat $p/a > {outputs}; echo "x: $p/a" > {depfile}', depfile="u.d")
    assert project.build().ran == ["split", "use"]
    assert project.build().ran == []
    project.stage("use", inputs=["s"], outputs=["u"], run='p=parts; echo > {outputs}; echo "x: $p/a" > {depfile}', depfile="u.d")
    outcome = project.build()
    assert outcome.failed == ["use"]
    assert outcome.output == (
        "read `parts/a` in a temporary output of stage `split`, without declaring it\nhint: add it to the inputs of `use`: \"parts/\"\n"
    )


def test_of_instances(project: Project) -> None:
    """Each goes when those that read it are done; one whose item changes is made again alone."""
    for name in ("a", "b", "c"):
        project.write(f"in/{name}", name)
    cut = {"path": "t/{x.name}", "temp": True}
    project.stage("cut", for_each={"x": "in/*"}, inputs=["{x}"], outputs=[cut], run="cp {inputs} {outputs}")
    project.stage("use", for_each={"x": "cut.outputs"}, inputs=["{x}"], outputs=["u/{x.name}"], run="cp {inputs} {outputs}")
    assert len(project.build().ran) == 6
    assert [path for path in project.tree() if path.startswith("t/")] == ["t/.a.hash", "t/.b.hash", "t/.c.hash"]
    assert project.build().ran == []
    project.write("in/b", "new")
    assert project.build().ran == ["cut@in/b", "use@t/b"]
    project.settled()


def test_an_instance_that_is_asked_for(project: Project) -> None:
    """It alone is made again, and kept."""
    project.stage("cut", for_each={"n": [1, 2]}, outputs=[{"path": "t{n}", "temp": True}], run="echo {n} > {outputs}")
    project.stage("use", inputs=["cut.outputs"], outputs=["u"], run="cat {inputs} > {outputs}")
    assert len(project.build().ran) == 3
    assert project.build("cut@2").ran == ["cut@2"]
    assert (project.exists("t1"), project.exists("t2")) == (False, True)
    assert project.build("use").ran == []
    assert not project.exists("t2")


def test_named_in_the_command(project: Project) -> None:
    """Written in place, and an input that nobody declared."""
    project.write("k", "1\n")
    project.stage("cut", outputs=[TEMP], run="echo 1 > build/t")
    project.stage("use", inputs=["k"], outputs=["u"], run="cat build/t {inputs} > {outputs}")
    assert project.build().ran == ["cut", "use"]
    assert not project.exists("build/t")
    assert project.build().ran == []
    project.write("k", "2\n")
    assert project.build().ran == ["cut", "use"]
    project.settled()


def test_discovered_by_a_depfile(project: Project) -> None:
    """A stage that comes after the other may read it: it is there for the first run, and again when that stage has to run."""
    project.write("k", "1\n")
    project.stage("gen", outputs=[{"path": "gen.h", "temp": True}], run="echo 1 > {outputs}")
    use = 'h=gen.h; cat $h {inputs} > {outputs}; echo "x: $h" > {depfile}'
    project.stage("use", after=["gen"], inputs=["k"], outputs=["u"], run=use, depfile="u.d")
    assert project.build().ran == ["gen", "use"]
    assert not project.exists("gen.h")
    assert project.build().ran == []
    project.write("k", "2\n")
    assert project.status() == {"gen": "stale", "use": "stale"}
    assert project.build().ran == ["gen", "use"]
    project.settled()


def test_temporary_and_optional(project: Project) -> None:
    """Absent it is absent, and gone it is gone."""
    project.write("src", "1\n")
    both = {"path": "t", "temp": True, "optional": True}
    project.stage("cut", inputs=["src"], outputs={"t": both, "x": "x"}, run="touch {x}; ! grep -q 1 {inputs} || cp {inputs} {t}")
    project.stage("use", inputs={"t": {"path": "t", "optional": True}}, outputs=["u"], run="cat {t} > {outputs} || echo none > {outputs}")
    for data, expected in (("1\n", "1\n"), ("2\n", "none\n"), ("1\n", "1\n")):
        project.write("src", data)
        assert project.build().ran == ["cut", "use"]
        assert (project.exists("t"), project.read("u")) == (False, expected)
        assert project.build().ran == []


def test_in_python(project: Project) -> None:
    """The same table, and the file is there for the function that reads it."""
    project.write(
        "pipeline.py",
        "from pipefile import stage\n\n\n@stage(outputs={'t': {'path': 't', 'temp': True}})\ndef cut(t):\n    with open(t, 'w') as file:\n"
        "        file.write('cut')\n\n\n@stage(inputs={'t': 'cut.t'}, outputs={'n': int})\ndef use(t):\n    with open(t) as file:\n"
        "        return len(file.read())\n",
    )
    project.settings(python=["pipeline.py"])
    assert project.build().ran == ["cut", "use"]
    assert (project.exists("t"), project.read(project.value("use", "n"))) == (False, "3\n")
    assert project.build().ran == []


# --- other commands


def test_clean(built: Project) -> None:
    """Of one that is gone the record goes, and its stage runs in the next build."""
    assert built.cli("clean").out == "removed build/left\nremoved build/right\n"
    assert not built.exists(built.record("build/t"))
    assert sorted(built.build().ran) == ["cut", "left", "right"]


def test_the_record_of_a_stage_that_is_gone(built: Project) -> None:
    """It goes with the stage, although there is no file to remove."""
    for name in ("cut", "left", "right"):
        built.drop(name)
    built.stage("new", outputs=["build/new"], run="echo > {outputs}")
    built.build()
    assert not built.exists(built.record("build/t"))


def test_accept(built: Project) -> None:
    """What is gone is accepted as it was."""
    built.write("src", "other\n")
    assert built.cli("accept", "cut", "--reason", "no matter").exit_status == 0
    assert built.build().ran == []
    built.write("l", "new\n")
    assert built.cli("accept", "left", "--reason", "no matter").exit_status == 0
    assert built.build().ran == []


def test_watched(chained: Project) -> None:
    """What a watch removes itself is no change; an edit of one consumer's source makes it again."""
    watch = Watch(chained, "-j1")
    assert watch.next().endswith("pipefile: build finished: 0 failed, 3 ok, 0 skipped in Ns\n")
    assert not chained.exists("build/t")
    chained.write("l", "new\n")
    text = watch.next()
    assert text.startswith("pipefile: build started (1 changed: l)\n")
    assert not chained.exists("build/t")
    chained.write("r", "new\n")
    assert watch.next().startswith("pipefile: build started (1 changed: r)\n")
    assert chained.build().ran == []
