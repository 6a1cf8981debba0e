"""Watch: how it ends, and how it gets on with other builds in the tree."""

from __future__ import annotations

import os
import pty
import select
import signal
import sys
import termios
import time

import pytest
from kit import Project, Watch
from kit.fifo import PATIENCE

SHORT = 2.0  # seconds: what an end may take


@pytest.fixture
def copied(project: Project) -> Project:
    project.write("src.txt", "1\n")
    project.traced("a", inputs="src.txt", outputs="a.txt", run="cp {inputs} {outputs}")
    return project


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
@pytest.mark.parametrize("group", [False, True])
def test_signals_while_nothing_runs(copied: Project, number: int, status: int, group: bool) -> None:
    """It ends at once, with the status of the signal (case 96)."""
    watch = Watch(copied)
    watch.next()
    (watch.running.signal_group if group else watch.running.signal)(number)
    assert watch.running.wait(SHORT).exit_status == status
    assert copied.processes() == []


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("group", [False, True])
def test_signals_while_a_stage_runs(project: Project, number: int, status: int, group: bool) -> None:
    """The build ends as by itself: in under two seconds, though the stage ignores what it can, and no process is left (case 96)."""
    gate = project.gate("slow")
    project.stage("slow", outputs="a.txt", run=f"trap '' INT TERM; {gate.arrive}; while :; do sleep 0.1; done")
    watch = Watch(project)
    gate.wait()
    begun = time.monotonic()
    (watch.running.signal_group if group else watch.running.signal)(number)
    outcome = watch.running.wait()
    assert (outcome.exit_status, project.processes()) == (status, [])
    assert time.monotonic() - begun < 5  # two on a machine that is not busy
    assert outcome.out.splitlines()[-1].startswith("pipefile: build finished: 0 failed, 0 ok, 0 skipped in ")


def test_a_watcher_that_is_killed(project: Project) -> None:
    """Its build ends in order, and with it the stage: nobody writes any more, and the next build need not wait for long."""
    gate = project.gate("slow")
    project.stage("slow", outputs="a.txt", run=f"{gate.shell}; echo 1 > {{outputs}}")
    watch = Watch(project)
    gate.wait()
    watch.running.kill()
    deadline = time.monotonic() + PATIENCE
    while project.processes():
        assert time.monotonic() < deadline
        select.select([], [], [], 0.01)
    gate.release()
    assert project.cli().exit_status == 0


def test_another_build_between_rounds(copied: Project) -> None:
    """It need not wait (case 73), and what it makes is no reason for a round."""
    copied.traced("b", inputs="src.txt", outputs="b.txt", run="cp {inputs} {outputs}")
    watch = Watch(copied)
    watch.next()
    for path in ("a.txt", "b.txt"):
        outcome = copied.cli("build", "-B", "--no-wait", path)
        assert outcome.exit_status == 0, outcome.err
    assert copied.cli("clean", "--dead", "--no-wait").exit_status == 0
    copied.write("src.txt", "2\n")
    text = watch.next()
    assert text.startswith("pipefile: build started (1 changed: src.txt)\n")
    assert "2 ran in N s\n" in text
    watch.stop()
    copied.settled()


def test_another_build_during_a_round(project: Project) -> None:
    """It is told who builds, and goes on when the round has ended, not when the watch does (case 73)."""
    gate = project.gate("slow")
    project.write("src.txt", "1\n")
    project.traced("slow", inputs="src.txt", outputs="a.txt", run=f"{gate.shell}; cp {{inputs}} {{outputs}}")
    watch = Watch(project)
    gate.wait()
    assert project.cli("build", "--no-wait").exit_status == 4
    other = project.start("build")
    other.until(lambda: "waiting for pid" in other.out)
    assert ": pipefile watch\n" in other.out
    gate.release()
    assert other.wait().exit_status == 0
    assert "0 ok" not in watch.next()


def test_a_round_during_another_build(project: Project) -> None:
    """It waits for the other one, says so, and builds what is stale then."""
    gate = project.gate("slow")
    project.write("src.txt", "1\n")
    project.write("x.txt", "1\n")
    project.traced("slow", inputs="src.txt", outputs="a.txt", run="cp {inputs} {outputs}")
    project.traced("x", inputs="x.txt", outputs="x.out", run=f"{gate.shell}; cp {{inputs}} {{outputs}}")
    watch = Watch(project)
    gate.wait()
    gate.release()
    watch.next()
    other = project.start("build", "-B", "x")
    gate.wait()
    project.write("src.txt", "2\n")
    watch.said("waiting for pid")
    gate.release()
    assert other.wait().exit_status == 0
    text = watch.next()
    assert f"waiting for pid {other.pid}: pipefile build -B x\n" in text
    assert project.read("a.txt") == "2\n"


def test_a_build_that_crashes(project: Project) -> None:
    """A function that takes its process down ends one build; the watch goes on."""
    project.write("steps.py", "import os, signal\n\n\ndef make(outputs):\n    os.kill(os.getpid(), signal.SIGKILL)\n")
    project.stage("f", outputs="f.txt", call="steps:make", mode="function")
    watch = Watch(project)
    text = watch.next()
    assert "error: the build was killed by SIGKILL\n" in text
    assert text.endswith("pipefile: build finished: 1 failed, 0 ok, 0 skipped in Ns\n")
    project.write("steps.py", "def make(outputs):\n    with open(outputs[0], 'w') as out:\n        out.write('made')\n")
    watch.until("[1/1] f  N s")
    assert project.read("f.txt") == "made"


def test_inside_a_build(project: Project) -> None:
    """A stage that begins to watch its own tree would wait for itself: an error."""
    project.stage("a", outputs="a.txt", run=f"{sys.executable} -m pipefile watch")
    outcome = project.cli()
    assert outcome.exit_status == 1
    assert "and each would wait for the other for ever" in outcome.err


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["srotde.txt"], "error: no alias, stage or output is called `srotde.txt`\nhint: did you mean `sorted.txt`?\n"),
        (["--profile", "nope"], "error: there is no profile `nope`\n"),
    ],
    ids=["target", "profile"],
)
def test_what_there_is_not_is_not_waited_for(project: Project, words: list[str], error: str) -> None:
    """A command line that asks for what a good Pipefile does not have ends with its first round; no save of a file would ever mend it."""
    project.write("src.txt", "1\n")
    project.stage("sort", inputs="src.txt", outputs="sorted.txt", run="sort {inputs} > {outputs}")
    watch = Watch(project, *words)
    assert watch.next() == f"pipefile: build started\n{error}pipefile: build finished: 1 failed, 0 ok, 0 skipped in Ns\n"
    assert watch.running.wait().exit_status == 2


@pytest.mark.parametrize("by", ["for_each", "pattern"])
def test_a_target_that_may_come_is_waited_for(project: Project, by: str) -> None:
    """Its file may still be saved."""
    project.write("src/1.txt", "1\n")
    if by == "pattern":
        project.stage("copy", inputs="src/{name}.txt", outputs="out/{name}.txt", run="cat {inputs} > {outputs}")
    else:
        project.stage("copy", for_each={"file": "src/*.txt"}, inputs="{file}", outputs="out/{file.name}", run="cat {inputs} > {outputs}")
    watch = Watch(project, "out/2.txt")
    assert watch.next().endswith("pipefile: build finished: 1 failed, 0 ok, 0 skipped in Ns\n")
    project.write("src/2.txt", "2\n")
    watch.until("pipefile: build finished: 0 failed, 1 ok")
    assert project.read("out/2.txt") == "2\n"
    watch.stop()


def test_a_project_that_nobody_trusts(project: Project) -> None:
    """Beginning to watch runs no module that lies in the project's root under the name of another one (case 91)."""
    canary = os.path.join(project.side, "canary")
    for name in ("json", "pathspec", "subprocess", "sitecustomize", "conftest", "watchdog", "termios"):
        project.write(f"{name}.py", f"open({canary!r}, 'w').close()\n")
    project.write("Pipefile.py", f"open({canary!r}, 'w').close()\n")
    project.pipefile("[stage.a]\ninputs = 3\n")
    environ = {"PYTHONSAFEPATH": "1"}
    watch = Watch(project, env=environ)
    assert "error: Pipefile.toml:2:1:" in watch.next()
    watch.stop()
    assert not os.path.exists(canary)


def test_nobody_reads_what_it_says(copied: Project) -> None:
    """`pipefile watch | head -1`: it ends with the next line that it has to say, and so does its build (case 36)."""
    running = copied.program("bash", "-c", f"{sys.executable} -m pipefile watch | head -1; echo ${{PIPESTATUS[0]}}")
    running.until(lambda: "pipefile: build started\n" in running.out)
    for number in range(1000):  # each is one line more, until it has ended
        if running.process.poll() is not None:
            break
        copied.write("src.txt", f"{number}\n")
        select.select([], [], [], 0.01)
    assert running.wait().out == "pipefile: build started\n0\n"
    assert copied.processes() == []


class Terminal:
    """`pipefile watch` on a terminal of its own."""

    def __init__(self, project: Project, *args: str) -> None:
        self.text = ""
        self._deadline = time.monotonic() + PATIENCE
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(project.root)
            os.execve(sys.executable, [sys.executable, "-m", "pipefile", "watch", *args], project.environ)

    def until(self, words: str, times: int = 1) -> None:
        """Read until *words* have come so often."""
        while self.text.count(words) < times:
            left = self._deadline - time.monotonic()
            assert left > 0, self.text
            if select.select([self.fd], [], [], left)[0]:
                try:
                    self.text += os.read(self.fd, 4096).decode()
                except OSError as error:  # nobody has it open any more
                    raise AssertionError(self.text) from error

    def modes(self) -> list[object]:
        return termios.tcgetattr(self.fd)

    def press(self, keys: str) -> None:
        os.write(self.fd, keys.encode())

    def wait(self) -> int:
        """Its exit status."""
        while True:  # what is not read would keep it from ending
            try:
                if not os.read(self.fd, 4096):
                    break
            except OSError:
                break
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def test_keys(copied: Project) -> None:
    """`r` builds whatever has changed, `q` ends it; in between the terminal gives keys one by one, afterwards as before."""
    terminal = Terminal(copied)
    before = terminal.modes()
    terminal.until("pipefile: build finished")
    assert not terminal.modes()[3] & termios.ICANON  # type: ignore[operator]
    terminal.press("r")
    terminal.until("pipefile: build finished", 2)
    assert "pipefile: build started\r\n" in terminal.text
    terminal.press("q")
    assert terminal.wait() == 0
    assert terminal.modes() == before


@pytest.mark.parametrize(("keys", "status"), [("\x03", 130), ("q", 0)])
def test_ending_a_build_at_the_terminal(project: Project, keys: str, status: int) -> None:
    """Ctrl-C and `q` end the build that runs and the watch with it; the terminal is as it was."""
    gate = project.gate("slow")
    project.stage("slow", outputs="a.txt", run=f"{gate.arrive}; sleep 100")
    terminal = Terminal(project)
    before = terminal.modes()
    gate.wait()
    terminal.press(keys)
    assert terminal.wait() == status
    assert project.processes() == []
    assert terminal.modes()[3] == before[3]
