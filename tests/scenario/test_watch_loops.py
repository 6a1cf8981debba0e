"""Watch: builds that cause each other come to an end (case 96)."""

from __future__ import annotations

import pytest
from kit import Project, Watch


def test_a_stage_that_changes_its_own_source(project: Project) -> None:
    """Three rounds, then it is named; the next change of a person builds again."""
    project.write("count.txt", "1\n")
    project.write("other.txt", "1\n")
    project.stage("a", inputs=["count.txt", "other.txt"], outputs="a.txt", run="cat {inputs} > {outputs}; date +%N >> count.txt")
    watch = Watch(project)
    text = watch.next()
    while "stopped after" not in text:
        assert "warning: `count.txt` changed while stage `a` ran: it runs again\n" in text
        text = watch.next()
    assert text == (
        "pipefile: build started (1 changed: count.txt)\n"
        "error: stage `a` changes `count.txt`, from which the build begins: stopped after 3 rounds\n"
        "hint: the next change between two builds, or `r`, builds again; a file that a stage changes has to be an output\n"
        "pipefile: build finished: 1 failed, 0 ok, 0 skipped in Ns\n"
    )
    assert watch.running.out.count("it runs again") == 4
    project.write("other.txt", "2\n")
    assert watch.next().startswith("pipefile: build started (1 changed: other.txt)\n")


def test_a_stage_that_restarts_itself(project: Project) -> None:
    """With `--on-busy restart` its change ends its own build each time, until one is let to its end."""
    project.write("count.txt", "1\n")
    project.stage("a", inputs="count.txt", outputs="a.txt", run="cat {inputs} > {outputs}; date +%N >> count.txt; sleep 0.4")
    text = Watch(project, "--on-busy", "restart").until("error: stage `a` changes `count.txt`")
    assert text.endswith("pipefile: build finished: 1 failed, 0 ok, 0 skipped in Ns\n")


def test_stages_that_change_each_others_sources(project: Project) -> None:
    """What one of them appends to is what the other reads, round and round: both are named."""
    for name, other in (("a", "b"), ("b", "a")):
        project.write(f"{name}.in", "1\n")
        project.stage(name, inputs=f"{name}.in", outputs=f"{name}.out", run=f'cp {{inputs}} {{outputs}}; f={other}.in; echo x >> "$f"')
    watch = Watch(project, "-j1", "-k")
    text = ""
    while "stopped after" not in text:
        text = watch.next()
    assert "error: stages `a`, `b` change " in text


@pytest.mark.parametrize("how", ["echo half > {outputs}; exit 3", "mkdir -p tmp; date +%N > tmp/x; exit 3", "rm -f a.txt; date +%N > a.txt; exit 3"])
def test_what_a_failing_stage_leaves(project: Project, how: str) -> None:
    """It is no reason for another round."""
    project.write("src.txt", "1\n")
    project.write("mark.txt", "1\n")
    project.stage("m", inputs="mark.txt", outputs="m.txt", run="cp {inputs} {outputs}")
    project.stage("a", inputs=["src.txt", "m.txt"], outputs="a.txt", run=how)
    watch = Watch(project, "-k")
    watch.next()
    for number in range(3):
        project.write("mark.txt", f"{number}{number}\n")
        text = watch.next()
        assert text.startswith("pipefile: build started (1 changed: mark.txt)\n"), text
        assert "pipefile: build finished: 1 failed, 1 ok, 0 skipped in Ns\n" in text


def test_outputs_of_all_kinds(project: Project) -> None:
    """Directories, values, outputs in place, a folder of outputs that a glob looks into: none of them is a reason."""
    project.write("src.txt", "1\n")
    project.write("steps.py", "def count(inputs):\n    with open(inputs[0]) as file:\n        return len(file.read())\n")
    project.stage("folder", inputs="src.txt", outputs="dir/", run="mkdir -p {outputs}/sub; cp {inputs} {outputs}/sub/x")
    project.stage("of", inputs="dir/", outputs="of.txt", run="cat {inputs}/sub/x > {outputs}")
    project.stage("n", inputs="src.txt", outputs={"n": "value:int"}, call="steps:count")
    project.stage("m", inputs="src.txt", outputs="more/m.txt", run="cp src.txt more/m.txt")
    project.stage("g", inputs="more/*.txt", outputs="g.txt", run="cat {inputs} > {outputs}")
    watch = Watch(project)
    watch.next()
    for number in range(3):
        project.write("src.txt", f"{number}{number}\n")
        text = watch.next()
        assert text.startswith("pipefile: build started (1 changed: src.txt)\n"), text
        assert "pipefile: build finished: 0 failed" in text
    watch.stop()
    project.settled()
