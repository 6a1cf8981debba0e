"""`watch` and edits that meet a build at a moment at which it has read a file already, or reads it once more: none of them is lost."""

from __future__ import annotations

import pytest
from kit import Gate, Project, Watch

WAIT = 20.0
"""Seconds to wait for a round: fewer than pass between two looks at everything, which mend what was missed."""
CODE = "def make(inputs, outputs):\n    with open(outputs[0], 'w') as file:\n        file.write('{}')\n"


def becomes(watch: Watch, project: Project, path: str, text: str) -> None:
    """Wait until a file has this text."""
    watch.running.until(lambda: project.exists(path) and project.read(path) == text, WAIT)


def first_is_done(project: Project) -> tuple[Watch, Gate]:
    """A watch in whose first round stage `first` has made `first.txt`, and `second`, which reads that, runs until the gate lets it."""
    gate = project.gate("second")
    project.write("src.txt", "1\n")
    project.stage("first", inputs="src.txt", outputs="first.txt", run="cat {inputs} > {outputs}")
    project.stage("second", inputs="first.txt", outputs="second.txt", run=f"{gate.shell}; cat {{inputs}} > {{outputs}}")
    watch = Watch(project)
    gate.wait()
    return watch, gate


def test_a_new_file_below_the_folder_of_a_glob(project: Project) -> None:
    """It comes after the glob was expanded, in a folder below the one where that begins; the round was one that reads the Pipefile."""
    gate = project.gate("last")
    project.write("data/deep/er/1.txt", "1\n")
    project.stage("all", inputs="data/**/*.txt", outputs="all.txt", run="cat {inputs} > {outputs}")
    project.stage("last", inputs="all.txt", outputs="last.txt", run=f"{gate.shell}; cat {{inputs}} > {{outputs}}")
    watch = Watch(project)
    gate.release()
    watch.next()
    gate.wait()
    project.write("data/deep/er/2.txt", "2\n")
    gate.wait()
    project.write("data/deep/er/3.txt", "3\n")
    gate.release(3)
    becomes(watch, project, "all.txt", "1\n2\n3\n")


@pytest.mark.parametrize("warm", [False, True])
@pytest.mark.parametrize("fails", [False, True])
def test_a_file_that_two_stages_read(project: Project, warm: bool, fails: bool) -> None:
    """It changes after one of them has ended, well or not, and before the other one has: that one runs again with what is there then, and what is
    known of the file at the end is newer than what the first one has read."""
    gate = project.gate("second")
    project.write("src.txt", "1\n")
    project.write("other.txt", "1\n")
    project.stage("first", inputs="src.txt", outputs="first.txt", run="cat {inputs} > {outputs}" + ("; grep -q 2 src.txt" if fails else ""))
    project.stage("second", inputs=["src.txt", "other.txt"], outputs="second.txt", run=f"{gate.shell}; cat {{inputs}} > {{outputs}}")
    watch = Watch(project, "-k", "-j2")
    gate.wait()
    if warm:
        gate.release()
        watch.next()
        project.write("other.txt", "2\n")
        gate.wait()
    if fails or not warm:  # else it stays fresh, and is not even looked at
        watch.running.until(lambda: "] first" in watch.ahead())
    project.write("src.txt", "2\n")
    gate.release(4)
    becomes(watch, project, "first.txt", "2\n")
    becomes(watch, project, "second.txt", "2\n2\n" if warm else "2\n1\n")


def test_code_that_was_never_whole(project: Project) -> None:
    """A function has failed in the first build of a project: its code is no file of which any line of the Pipefile tells."""
    project.write("src.txt", "1\n")
    project.write("steps.py", "from helper import make\n")
    project.write("helper.py", "def make(")
    project.stage("f", inputs="src.txt", outputs="f.txt", call="steps:make")
    watch = Watch(project)
    assert "[1/1] f failed  N s\n" in watch.next()
    project.write("helper.py", CODE.format("1"))
    becomes(watch, project, "f.txt", "1")


def test_code_that_was_half_written(project: Project) -> None:
    """A function was imported from a file of which the rest comes while the build still runs."""
    gate = project.gate("other")
    project.write("src.txt", "1\n")
    project.write("steps.py", "def make(")
    project.stage("f", inputs="src.txt", outputs="f.txt", call="steps:make")
    project.stage("other", inputs="src.txt", outputs="other.txt", run=f"{gate.shell}; cat {{inputs}} > {{outputs}}")
    watch = Watch(project, "-k", "-j2")
    gate.wait()
    watch.running.until(lambda: " f failed" in watch.ahead())
    project.write("steps.py", CODE.format("2"))
    gate.release(4)
    becomes(watch, project, "f.txt", "2")


def test_an_output_that_is_edited_while_a_stage_reads_it(project: Project) -> None:
    """The stage that reads it fails, since the bytes are nobody's, and it is made anew: it is not taken for what a failed stage has left."""
    watch, gate = first_is_done(project)
    project.write("first.txt", "spoilt\n")
    gate.release(3)
    becomes(watch, project, "second.txt", "1\n")


def test_an_output_that_is_removed_as_it_was_before(project: Project) -> None:
    """A round begins since it is gone; it is made, and removed once more while that round still runs."""
    gate = project.gate("second")
    project.write("src.txt", "1\n")
    project.stage("first", inputs="src.txt", outputs="out/first.txt", run="cat {inputs} > {outputs}")
    project.stage("second", inputs="src.txt", outputs="second.txt", run=f"{gate.shell}; cat {{inputs}} > {{outputs}}", after="first")
    watch = Watch(project, "--no-cache")
    gate.wait()
    gate.release()
    watch.next()
    project.remove("second.txt")
    project.remove("out/first.txt")
    gate.wait()
    watch.running.until(lambda: project.exists("out/first.txt"))
    project.remove("out/first.txt")
    gate.release(3)
    becomes(watch, project, "out/first.txt", "1\n")


def test_a_record_that_is_removed_while_the_build_runs(project: Project) -> None:
    """That of a stage which is done: it is missing when the build ends."""
    watch, gate = first_is_done(project)
    project.remove(project.record("first.txt"))
    gate.release(3)
    watch.running.until(lambda: project.exists(project.record("first.txt")), WAIT)
