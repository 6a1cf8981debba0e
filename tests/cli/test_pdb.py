"""`build --pdb STAGE`: a stage in the debugger, at a terminal."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import sys
import time

import pytest
from kit import Project
from kit.fifo import PATIENCE

STEPS = """
import os
def first(out):
    print("first")
    open(out, "w").close()

def bad(src, out):
    n = 41
    raise ValueError(f"no {n}")

def stops(src, out):
    n = 1
    breakpoint()
    with open(out, "w") as file:
        file.write(str(n))
"""


class Terminal:
    """The program at a terminal of its own."""

    def __init__(self, project: Project, *words: str) -> None:
        ours, theirs = pty.openpty()
        argv = [sys.executable, "-m", "pipefile", *words]
        env = {**project.environ, "TERM": "xterm", "NO_COLOR": "1"}
        self.process = subprocess.Popen(argv, cwd=project.root, env=env, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)
        os.close(theirs)
        self._fd = ours
        self.text = ""

    def until(self, text: str) -> str:
        """What was printed up to *text*, since the last time."""
        give_up = time.monotonic() + PATIENCE
        while text not in self.text:
            assert select.select([self._fd], [], [], max(0.0, give_up - time.monotonic()))[0], self.text
            self.text += os.read(self._fd, 4096).decode().replace("\r\n", "\n")
        before, _, self.text = self.text.partition(text)
        return before

    def type(self, line: str) -> None:
        os.write(self._fd, f"{line}\n".encode())

    def end(self) -> tuple[int, str]:
        """Exit status, and what was printed since the last time."""
        try:
            while data := os.read(self._fd, 4096):
                self.text += data.decode().replace("\r\n", "\n")
        except OSError:  # so does Linux tell of the end
            pass
        os.close(self._fd)
        return self.process.wait(PATIENCE), self.text


@pytest.fixture
def stages(project: Project) -> Project:
    project.write("steps.py", STEPS)
    project.stage("first", outputs={"out": "1"}, call="steps:first", mode="process")
    project.stage("bad", inputs={"src": "1"}, outputs={"out": "2"}, call="steps:bad", timeout="1s")
    project.stage("stops", inputs={"src": "1"}, outputs={"out": "3"}, call="steps:stops", mode="process")
    project.stage("command", outputs="4", run="echo > {outputs}")
    return project


def test_it_stops_at_an_exception(stages: Project) -> None:
    terminal = Terminal(stages, "--pdb", "bad")
    before = terminal.until("(Pdb) ")
    assert "first\n" in before
    assert "ValueError: no 41\n" in before
    assert f"> {stages.root}/steps.py(9)bad()\n-> raise ValueError(f\"no {{n}}\")\n" in before
    terminal.type("p n + 1")
    assert terminal.until("(Pdb) ") == "p n + 1\n42\n"
    terminal.type("q")
    status, after = terminal.end()
    assert status == 1
    assert "Pipefile.toml:7:1: error: stage `bad` failed: ValueError: no 41\n" in re.sub(r"toml:\d+", "toml:7", after)
    assert not stages.exists("2")
    assert not stages.exists("4")


def test_it_stops_at_a_breakpoint_and_goes_on(stages: Project) -> None:
    terminal = Terminal(stages, "--pdb", "stops")
    assert "-> with open(out, \"w\") as file:\n" in terminal.until("(Pdb) ")
    terminal.type("!n = 7")
    terminal.until("(Pdb) ")
    terminal.type("c")
    status, after = terminal.end()
    assert status == 0
    assert "2 ran in " in after
    assert stages.read("3") == "7"
    again = stages.build("stops")
    assert (again.ran, again.fresh) == ([], 2)


def test_a_fresh_stage_runs_all_the_same(stages: Project) -> None:
    for _ in range(2):
        terminal = Terminal(stages, "build", "--pdb", "stops")
        terminal.until("(Pdb) ")
        terminal.type("c")
        assert terminal.end()[0] == 0


def test_it_speaks_for_its_stage_alone(project: Project) -> None:
    """The rest of the default set is as stale as before."""
    project.write("steps.py", STEPS)
    project.stage("first", outputs={"out": "1"}, call="steps:first")
    project.stage("second", outputs={"out": "2"}, call="steps:first")
    assert Terminal(project, "build", "--pdb", "first").end()[0] == 0
    assert project.build().ran == ["second"]
    project.settled()


def test_left_in_the_middle(stages: Project) -> None:
    terminal = Terminal(stages, "--pdb", "stops")
    terminal.until("(Pdb) ")
    terminal.type("q")
    status, after = terminal.end()
    assert status == 1
    assert "error: stage `stops` failed: left by `quit` in the debugger\n" in after
    assert not stages.exists("3")


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("--pdb", "command"), "`--pdb` is for stages that call a function, and `command` runs a command"),
        (("--pdb", "1"), "`--pdb` takes one stage, and `1` is none"),
        (("--pdb", "nowhere"), "no alias, stage or output is called `nowhere`"),
        (("--pdb", "bad", "first"), "`--pdb` builds what its stage needs, and takes no targets"),
        (("--pdb", "bad", "--json"), "`--pdb` does not go with `--json`"),
        (("--pdb", "bad", "-n"), "`--pdb` does not go with `--dry-run`"),
    ],
)
def test_what_it_does_not_take(stages: Project, words: tuple[str, ...], error: str) -> None:
    outcome = stages.cli(*words)
    assert (outcome.exit_status, outcome.out, outcome.err.splitlines()[0]) == (2, "", f"error: {error}")
