"""Inputs that change while the stage that reads them runs: such a result is never recorded."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest
from kit import Gate, Project
from kit.process import Running


def held(project: Project, name: str) -> tuple[Gate, str]:
    """A gate, and the command that stops at it; in a clean build elsewhere, where there is no gate, it goes on."""
    gate = project.gate(name)
    return gate, f'if test -p "$GATES/{name}.go"; then {gate.shell}; fi'


class Guarded:
    """A stage that stops before and after it reads `in.txt`, with a consumer, about to read."""

    def __init__(self, project: Project, **keys: object) -> None:
        self.project = project
        self.before, first = held(project, "before")
        self.after, second = held(project, "after")
        run = f'{first}; cat {{inputs}} > {{outputs}}; echo "S copy" >> "$LOG"; {second}'
        project.stage("copy", inputs="in.txt", outputs="out.txt", run=run, **keys)
        project.traced("use", inputs="out.txt", outputs="use.txt", run="cksum < {inputs} > {outputs}")
        project.write("in.txt", "A\n")

    def start(self, *args: str) -> Running:
        running = self.project.start("-j2", *args)
        self.before.wait()
        return running

    def edit(self, data: str = "B\n") -> None:
        self.project.write("in.txt", data)

    def release(self) -> None:
        """Hold no attempt any more."""
        self.before.release(9)
        self.after.release(9)


@pytest.fixture
def guarded(project: Project) -> Guarded:
    return Guarded(project)


def test_edited_after_it_was_read(guarded: Guarded) -> None:
    """Case 15: the stage runs again, and its consumer sees the second result alone."""
    running = guarded.start()
    guarded.before.release()
    guarded.after.wait()
    guarded.edit()
    guarded.release()
    outcome = running.wait()
    assert (outcome.exit_status, outcome.started) == (0, ["copy", "copy", "use"])
    assert outcome.err == "warning: `in.txt` changed while stage `copy` ran: it runs again\n"
    assert guarded.project.read("out.txt") == "B\n"
    guarded.project.settled()


def edit_in_place(project: Project, data: str) -> None:
    project.write("in.txt", data)


def replace(project: Project, data: str) -> None:
    project.write("new.txt", data)
    project.rename("new.txt", "in.txt")


def move_away_and_back(project: Project, data: str) -> None:
    """B is another file in the place of A, and A comes back as the file that it was."""
    if data == "B\n":
        project.rename("in.txt", "away.txt")
        project.write("in.txt", data)
    else:
        project.rename("away.txt", "in.txt")


@pytest.mark.parametrize("change", [edit_in_place, replace, move_away_and_back])
def test_there_and_back(guarded: Guarded, change: Callable[[Project, str], None]) -> None:
    """Case 16: B stands there while the stage reads, and A is back with its old mtime before the stage ends."""
    project = guarded.project
    at = os.stat(project.path("in.txt"))
    running = guarded.start()
    change(project, "B\n")
    guarded.before.release()
    guarded.after.wait()
    change(project, "A\n")
    os.utime(project.path("in.txt"), ns=(at.st_atime_ns, at.st_mtime_ns))
    guarded.release()
    outcome = running.wait()
    assert (outcome.exit_status, outcome.started) == (0, ["copy", "copy", "use"])
    assert outcome.err == "warning: `in.txt` changed while stage `copy` ran: it runs again\n"
    assert project.read("out.txt") == "A\n"
    project.settled()


def test_edited_in_both_attempts(guarded: Guarded) -> None:
    """Case 15: it fails, its outputs stay, no dependent starts, nothing is recorded; the next quiet build puts it right."""
    project = guarded.project
    running = guarded.start()
    guarded.before.release()
    guarded.after.wait()
    guarded.edit("B\n")
    guarded.after.release()
    guarded.before.wait()
    guarded.before.release()
    guarded.after.wait()
    guarded.edit("C\n")
    guarded.release()
    outcome = running.wait()
    assert (outcome.exit_status, outcome.started) == (1, ["copy", "copy"])
    assert "was made from inputs that changed while it ran: `in.txt`\n" in outcome.err
    assert outcome.err.endswith("\nhint: its outputs are kept, but not believed\n")
    assert project.read("out.txt") == "B\n"
    assert not project.exists(project.record("out.txt"))
    assert project.cli("-j2").started == ["copy", "use"]
    project.settled()


def test_edited_before_it_was_read(guarded: Guarded) -> None:
    """Case 15: what the key was made of is not what was read, although the stage saw the newest bytes."""
    running = guarded.start()
    guarded.edit()
    guarded.release()
    outcome = running.wait()
    assert (outcome.exit_status, outcome.started) == (0, ["copy", "copy", "use"])
    guarded.project.settled()


def test_strict(guarded: Guarded) -> None:
    """Case 15: with --strict the warning makes the exit status 1; the outputs are right all the same."""
    running = guarded.start("--strict")
    guarded.edit()
    guarded.release()
    assert running.wait().exit_status == 1
    guarded.project.settled()


def test_removed_while_it_runs(guarded: Guarded) -> None:
    """Case 15: an input that is gone when the stage ends; the second attempt finds nothing to read."""
    project = guarded.project
    running = guarded.start()
    guarded.before.release()
    guarded.after.wait()
    project.remove("in.txt")
    guarded.release()
    assert running.wait().exit_status == 1
    assert not project.exists(project.record("out.txt"))
    guarded.edit("new\n")
    assert project.build().ran == ["copy", "use"]
    project.settled()


def test_a_file_in_a_directory(project: Project) -> None:
    """Case 16: A-B-A of one file of a directory input."""
    before, first = held(project, "before")
    after, second = held(project, "after")
    project.stage("join", inputs="data/", outputs="out.txt", run=f'{first}; cat data/* > {{outputs}}; echo "S join" >> "$LOG"; {second}')
    project.write("data/a", "A\n")
    project.write("data/b", "-\n")
    at = os.stat(project.path("data/a"))
    running = project.start()
    before.wait()
    project.write("data/a", "B\n")
    before.release(9)
    after.wait()
    project.write("data/a", "A\n")
    os.utime(project.path("data/a"), ns=(at.st_atime_ns, at.st_mtime_ns))
    after.release(9)
    outcome = running.wait()
    assert (outcome.exit_status, outcome.started) == (0, ["join", "join"])
    assert project.read("out.txt") == "A\n-\n"
    project.settled()


@pytest.mark.parametrize("inputs", ["src/*.txt", ["src/a.txt"]], ids=["glob", "list"])
def test_one_of_several(project: Project, inputs: object) -> None:
    """Case 15: a file of a glob or a list."""
    after, second = held(project, "after")
    project.stage("join", inputs=inputs, outputs="out.txt", run=f'cat {{inputs}} > {{outputs}}; echo "S join" >> "$LOG"; {second}')
    project.write("src/a.txt", "A\n")
    running = project.start()
    after.wait()
    project.write("src/a.txt", "B\n")
    after.release(9)
    assert running.wait().started == ["join", "join"]
    project.settled()


@pytest.mark.parametrize("inputs", ["in.txt", "i*.txt"], ids=["file", "glob"])
def test_one_that_waits_for_its_turn(project: Project, inputs: str) -> None:
    """Case 16: a stage that was decided with A runs on B, after another one has noticed the change; then A comes back for good."""
    after, second = held(project, "after")
    project.stage("first", inputs=inputs, outputs="1.out", run=f"cat {{inputs}} > {{outputs}}; {second}")
    for name in ("2", "3"):
        project.traced(name, inputs=inputs, outputs=f"{name}.out", run="cat {inputs} > {outputs}")
    project.write("in.txt", "A\n")
    running = project.start("-j1")
    after.wait()
    project.write("in.txt", "B\n")
    after.release(2)
    assert running.wait().exit_status == 0
    assert [project.read(f"{name}.out") for name in "123"] == ["B\n"] * 3
    project.write("in.txt", "A\n")
    after.release()
    assert sorted(project.build().ran) == ["2", "3", "first"]
    project.settled()


def test_discovered_by_a_depfile(project: Project) -> None:
    """Case 16: A-B-A of a header that only the depfile tells of, in the first build and in a later one."""
    before, first = held(project, "before")
    after, second = held(project, "after")
    run = f'{first}; cat a.c a.h > {{outputs}}; echo "out: a.h" > {{depfile}}; echo "S cc" >> "$LOG"; {second}'
    project.stage("cc", inputs="a.c", outputs="out", run=run, depfile="out.d", infer_inputs=False)
    project.write("a.h", "A\n")
    for data in ("c", "changed"):
        project.write("a.c", data)
        at = os.stat(project.path("a.h"))
        running = project.start()
        before.wait()
        project.write("a.h", "B\n")
        before.release(2)
        after.wait()
        project.write("a.h", "A\n")
        os.utime(project.path("a.h"), ns=(at.st_atime_ns, at.st_mtime_ns))
        after.release(2)
        outcome = running.wait()
        assert (outcome.exit_status, outcome.started) == (0, ["cc", "cc"])
        assert outcome.err == "warning: `a.h` changed while stage `cc` ran: it runs again\n"
        for gate in (before, after):
            gate.wait()
    project.settled()


def test_named_in_the_command(project: Project) -> None:
    """Case 15: a script named in `run` is edited while it is at work."""
    after, second = held(project, "after")
    project.stage("go", outputs="out", run="sh steps.sh > {outputs}")
    project.write("steps.sh", f'echo A; echo "S go" >> "$LOG"\n{second}\n')
    running = project.start()
    after.wait()
    project.write("new", f'echo B; echo "S go" >> "$LOG"\n{second}\n')
    project.rename("new", "steps.sh")
    after.release(9)
    outcome = running.wait()
    assert (outcome.exit_status, outcome.started) == (0, ["go", "go"])
    assert outcome.err == "warning: `steps.sh` changed while stage `go` ran: it runs again\n"
    assert project.read("out") == "B\n"
    project.settled()


def test_code_of_a_function(project: Project) -> None:
    """Case 15: the module of a `call` stage is edited while the function runs."""
    after = project.gate("after")
    code = '''import os

def make(outputs):
    with open(outputs[0], "w") as file:
        file.write("{}")
    with open(os.environ["LOG"], "a") as file:
        file.write("S make\\n")
    if os.path.exists(os.environ["GATES"] + "/after.go"):
        with open(os.environ["GATES"] + "/after.here", "w") as file:
            file.write("here\\n")
        with open(os.environ["GATES"] + "/after.go", "rb", 0) as file:
            file.readline()
'''
    project.stage("make", outputs="out", call="steps:make")
    project.write("steps.py", code.format("A"))
    running = project.start()
    after.wait()
    project.write("steps.py", code.format("B"))
    after.release(9)
    outcome = running.wait()
    assert (outcome.exit_status, outcome.started) == (0, ["make", "make"])
    assert outcome.err == "warning: `steps.py` changed while stage `make` ran: it runs again\n"
    assert project.read("out") == "B"
    project.settled()


def test_a_stage_that_edits_its_input(project: Project) -> None:
    """Case 15: it never comes to rest, so it fails, whatever the order of edit and read; nothing is recorded."""
    project.stage("edit", inputs="in.txt", outputs="out.txt", run="cat {inputs} > {outputs}; echo more >> in.txt", infer_inputs=False)
    project.write("in.txt", "A\n")
    outcome = project.build()
    assert (outcome.exit_status, outcome.failed) == (1, ["edit"])
    assert outcome.output == (
        "warning: `in.txt` changed while stage `edit` ran: it runs again\n"
        "was made from inputs that changed while it ran: `in.txt`\n"
        "hint: its outputs are kept, but not believed\n"
    )
    assert project.read("out.txt") == "A\nmore\n"
    assert project.status() == {"edit": "stale"}


def test_edited_between_two_readers(project: Project) -> None:
    """What the first stage made of the old bytes is stale in the next build, though the second has seen the new ones and nothing is left to hash."""
    gate, stop = held(project, "read")
    project.write("in.txt", "A\n")
    project.traced("first", inputs="in.txt", outputs="first.txt", run="cat {inputs} > {outputs}")
    project.traced("second", inputs=["in.txt", "first.txt"], outputs="second.txt", run=f"{stop}; cat {{inputs}} > {{outputs}}")
    running = project.start()
    gate.wait()
    project.write("in.txt", "B\n")
    gate.release(9)
    assert running.wait().exit_status == 0

    outcome = project.cli()

    assert (outcome.exit_status, outcome.started) == (0, ["first", "second"])
    assert (project.read("first.txt"), project.read("second.txt")) == ("B\n", "B\nB\n")
    assert project.cli().started == []


@pytest.mark.parametrize("inputs", ["src/b.txt", "src/*.txt", "src/"])
def test_put_back_after_one_of_two_readers(project: Project, inputs: str) -> None:
    """Case 15: it is what it was at first when the build ends, but not what the reader has read that ended in between: that one is stale."""
    project.write("src/a.txt", "a\n")
    project.write("src/b.txt", "b\n")
    first, stop = held(project, "first")
    last, wait = held(project, "last")
    project.stage("first", inputs=inputs, outputs="first.txt", run=f"{stop}; cat src/*.txt > {{outputs}}")
    project.stage("last", inputs="src/b.txt", outputs="last.txt", run=f"{wait}; cat {{inputs}} > {{outputs}}")
    running = project.start("build", "-j2")
    first.wait()
    last.wait()
    project.write("src/b.txt", "other\n")
    first.release()
    first.wait()
    first.release()
    running.until(lambda: "] first" in running.out)
    project.write("src/b.txt", "b\n")
    last.release()
    last.wait()
    last.release()
    assert running.wait().exit_status == 0
    assert project.read("first.txt") == "a\nother\n"
    first.release(9)
    last.release(9)
    assert project.build().ran == ["first"]
    assert (project.read("first.txt"), project.read("last.txt")) == ("a\nb\n", "b\n")
    project.settled()


def test_a_program_edited_during_both_attempts(project: Project) -> None:
    """It is no file of the stage's own: the stage fails, and the next build follows it as ever."""
    gate, stop = held(project, "read")
    project.write("tool.sh", "echo 1\n")
    project.traced("tool", outputs="out.txt", run=f"{stop}; sh tool.sh > {{outputs}}")
    running = project.start()
    for number in (2, 3):
        gate.wait()
        project.write("tool.sh", f"echo {number}\n")
        gate.release()
    outcome = running.wait()
    assert (outcome.exit_status, outcome.started) == (1, ["tool", "tool"])
    assert "was made from inputs that changed while it ran: `tool.sh`" in outcome.err

    gate.release(9)
    assert project.cli().started == ["tool"]
    assert project.read("out.txt") == "3\n"
    project.write("tool.sh", "echo 4\n")
    assert project.cli().started == ["tool"]
    assert project.read("out.txt") == "4\n"


def test_the_longest_path_starts_first(project: Project) -> None:
    """Though another stage is declared, and decided, before it."""
    project.write("in.txt", "x\n")
    project.traced("short", inputs="in.txt", outputs="short.txt", run="cat {inputs} > {outputs}")
    project.traced("first", inputs="in.txt", outputs="first.txt", run="cat {inputs} > {outputs}")
    project.traced("second", inputs="first.txt", outputs="second.txt", run="cat {inputs} > {outputs}")
    assert project.cli("-j1").started == ["first", "short", "second"]
