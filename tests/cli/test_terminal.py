"""The real program on a terminal: whole screens, stages being held where the test wants to look; and the same builds without one."""

from __future__ import annotations

import os

import pytest
from kit import Project
from kit.fifo import Gate
from kit.terminal import Terminal, timeless

NAMES = ("fetch_the_measurements_of_last_year", "images/2024/06/IMG_20240612_101530", "日本語の名前がここにある日本語の名前がここにある")


@pytest.fixture
def held(project: Project) -> list[Gate]:
    """Three stages that wait at gates once they have begun, and one that needs them and prints."""
    gates = [project.gate(f"g{number}") for number in range(3)]
    for number, (name, gate) in enumerate(zip(NAMES, gates, strict=True)):
        project.stage(name, outputs=f"{number}.txt", run=f"{gate.shell}; echo > {{outputs}}")
    said = r"printf '\033[32mgreen\033[0m \033[2J\n'"
    project.stage("talks", inputs=[f"{number}.txt" for number in range(3)], outputs="t", run=f"{said}; echo > {{outputs}}")
    return gates


WIDE = f"""\
  {NAMES[0]}  T
  {NAMES[1]}  T
  {NAMES[2]}  T
[0/4] T
"""

NARROW = """\
  fetch_the_…_last_year  T
  images/202…612_101530  T
  日本語の名…ここにある  T
[0/4] T
"""

TALKED = "[4/4] talks  T\ngreen\n4 ran in T\n"


def test_a_wide_terminal(project: Project, held: list[Gate]) -> None:
    """A line for each stage that runs, and one for the whole; what has ended without a word leaves nothing, what was printed stays."""
    with Terminal(project, "-j3", width=100) as terminal:
        terminal.shows(WIDE)
        assert not terminal.screen.cursor_shown
        held[1].release()
        terminal.shows(f"  {NAMES[0]}  T\n  {NAMES[2]}  T\n[1/4] T\n")
        held[0].release()
        held[2].release()
        assert terminal.wait() == 0
        assert timeless(terminal.screen.text) == TALKED
        assert "\x1b[32mgreen\x1b[0m \x1b[0m\n" in terminal.raw
        assert terminal.screen.cursor_shown


def test_a_narrow_terminal(project: Project, held: list[Gate]) -> None:
    """Names lose their middle; wide characters count twice; nothing takes a second row."""
    with Terminal(project, "-j3", width=32) as terminal:
        terminal.shows(NARROW)
        for gate in held:
            gate.release()
        assert terminal.wait() == 0
        assert timeless(terminal.screen.text) == TALKED


def test_a_low_terminal(project: Project, held: list[Gate]) -> None:
    """What does not fit is counted."""
    with Terminal(project, "-j3", width=100, height=4) as terminal:
        terminal.shows(f"  {NAMES[0]}  T\n  +2 more\n[0/4] T\n")
        for gate in held:
            gate.release()
        assert terminal.wait() == 0
        assert timeless(terminal.screen.text) == TALKED


def test_the_same_build_in_a_pipe(project: Project, held: list[Gate]) -> None:
    """One line a stage, in the order of their ends, without control characters."""
    running = project.start("-j3")
    for number, gate in enumerate(held):
        gate.wait()
        gate.release()
        running.until(lambda: f"[{number + 1}/4]" in running.out or number == 2)  # noqa: B023  # called before the next round
    outcome = running.wait()
    assert (timeless(outcome.out), outcome.err) == (
        f"[1/4] {NAMES[0]}  T\n[2/4] {NAMES[1]}  T\n[3/4] {NAMES[2]}  T\n[4/4] talks  T\ngreen \n4 ran in T\n", "",
    )  # fmt: skip


@pytest.mark.parametrize("env", [{"CI": "true"}, {"TERM": "dumb"}])
def test_terminals_that_are_none(project: Project, env: dict[str, str]) -> None:
    """With CI=true or TERM=dumb a terminal gets what a pipe does, but for the colours that CI does not rule out."""
    project.stage("talks", outputs="t", run=r"printf '\033[32mgreen\033[0m\n10%%\r20%%\n'; echo > {outputs}")
    with Terminal(project, "--color=never", env=env) as terminal:
        assert terminal.wait() == 0
        assert timeless(terminal.raw) == "[1/1] talks  T\ngreen\n20%\n1 ran in T\n"


def test_progress_of_a_stage(project: Project) -> None:
    """A bar that is drawn over and over stands behind its stage's name while it runs, and once, as it was at last, in what is printed."""
    first, last = project.gate("first"), project.gate("last")
    bars = [r"printf '\r 50%%|#####     | 5/10' >&2", r"printf '\r100%%|##########| 10/10\n' >&2"]
    project.stage("train", outputs="m", run=f"echo begin; {bars[0]}; {first.shell}; {bars[1]}; {last.shell}; echo > {{outputs}}")
    with Terminal(project) as terminal:
        first.wait()
        terminal.shows("  train  T  50%|#####     | 5/10\n[0/1] T\n")
        first.release()
        last.wait()
        terminal.shows("  train  T  100%|##########| 10/10\n[0/1] T\n")
        last.release()
        assert terminal.wait() == 0
        assert timeless(terminal.screen.text) == "[1/1] train  T\nbegin\n100%|##########| 10/10\n1 ran in T\n"
    assert project.read("pipeline_outputs/latest/train/log.txt") == "begin\n\r 50%|#####     | 5/10\r100%|##########| 10/10\n"
    assert project.cli("runs", "log", "latest", "train").out == "begin\n100%|##########| 10/10\n"


@pytest.mark.parametrize("mode", ["function", "process"])
def test_progress_of_a_function(project: Project, mode: str) -> None:
    """Functions print to the same place, in whatever process they run."""
    gate = project.gate("g")
    folder = os.path.join(project.side, "gates")
    project.write(
        "steps.py",
        "import sys\ndef train(outputs):\n    print('\\r 50%', end='', file=sys.stderr, flush=True)\n"
        f"    open('{folder}/g.here', 'w').write('here\\n')\n    open('{folder}/g.go').readline()\n    open(outputs[0], 'w').close()\n",
    )
    project.stage("train", outputs="m", call="steps:train", mode=mode)
    with Terminal(project) as terminal:
        gate.wait()
        terminal.shows("  train  T  50%\n[0/1] T\n")
        gate.release()
        assert terminal.wait() == 0
        assert timeless(terminal.screen.text) == "[1/1] train  T\n 50%\n1 ran in T\n"


def test_a_window_that_becomes_smaller(project: Project, held: list[Gate]) -> None:
    """The block is drawn anew at once, and nothing of the one before is left, nor lost of what stands above it."""
    project.stage("first", outputs="f", run="echo one; echo two; echo > {outputs}")
    project.stage(NAMES[0], inputs="f", outputs="0.txt", run=f"{held[0].shell}; echo > {{outputs}}")
    with Terminal(project, "-j3", width=100) as terminal:
        above = "[1/5] first  T\none\ntwo\n"
        terminal.shows(f"{above}  {NAMES[1]}  T\n  {NAMES[2]}  T\n  {NAMES[0]}  T\n[1/5] T\n")
        terminal.resize(36, 24)
        terminal.until(lambda: terminal.screen.text.count("…") == 3)
        assert timeless(terminal.screen.text).startswith(above + "  images/2024")
        assert len(terminal.screen.lines) == 7
        terminal.resize(100, 6)
        terminal.shows(f"one\ntwo\n  {NAMES[1]}  T\n  {NAMES[2]}  T\n  {NAMES[0]}  T\n[1/5] T\n")
        for gate in held:
            gate.release()
        assert terminal.wait() == 0
        assert timeless(terminal.screen.whole) == f"{above}[5/5] talks  T\ngreen\n5 ran in T\n"


def test_control_c(project: Project, held: list[Gate]) -> None:
    """The terminal is as it was: nothing of the block, and a cursor."""
    with Terminal(project, "-j3", width=100) as terminal:
        terminal.shows(WIDE)
        terminal.press(b"\x03")
        assert terminal.wait() == 130
        assert terminal.screen.cursor_shown
        lines = [line.removeprefix("^C") for line in timeless(terminal.screen.text).splitlines()]
        assert sorted(lines) == sorted([*[f"{name}  interrupted" for name in NAMES], "interrupted: 1 skipped in T"])


def test_control_z(project: Project, held: list[Gate]) -> None:
    """While the build is stopped its user has a clean terminal with a cursor; it goes on where it was."""
    with Terminal(project, "-j3", width=100, shell=True) as terminal:
        terminal.shows(WIDE)
        terminal.press(b"\x1a")
        terminal.until(lambda: terminal.screen.cursor_shown)
        assert NAMES[0] not in terminal.screen.text
        terminal.press(b"\n")
        terminal.until(lambda: timeless(terminal.screen.text).endswith(WIDE) and not terminal.screen.cursor_shown)
        for gate in held:
            gate.release()
        assert terminal.wait() == 0
        assert timeless(terminal.screen.text).endswith(TALKED)
        assert terminal.screen.cursor_shown


def test_a_failure(project: Project) -> None:
    """It comes last; the word `error:` is coloured, and what editors match stands before it as it is."""
    project.stage("fails", run="echo looking at it; exit 3")
    with Terminal(project, "fails", width=100) as terminal:
        assert terminal.wait() == 1
        assert terminal.screen.cursor_shown
        assert timeless(terminal.screen.text) == (
            "[1/1] fails failed  T\n"
            "Pipefile.toml:1:1: error: stage `fails` failed: exit status 3\n"
            "  echo looking at it; exit 3\n"
            "  log: pipeline_outputs/runs/RUN/fails/log.txt\n"
            "looking at it\n"
            "1 failed in T\n"
        )
        assert "Pipefile.toml:1:1: \x1b[1;31merror:\x1b[0m stage" in terminal.raw


def test_hostile_output_on_a_terminal(project: Project) -> None:
    """Case 47: the screen gets no sequence of a stage but colours; it would fail the test. Case 93: nor does one of a file's name."""
    project.write("printed", b"\x1b]0;title\x07\x1b[2J\x1b[31mred\x1b[0m nul\0 \xff \xe2\x80\xae\r\n\xc2\x9b2J\x1bc\x1b[10;10H10%\r100%")
    name = "evil\x1b[2J\u202e"
    project.write(name, "")
    project.stage("evil", inputs=["printed", name], run="cat {inputs}; exit 1")
    with Terminal(project, "evil", width=100) as terminal:
        assert terminal.wait() == 1
        assert timeless(terminal.screen.text) == (
            "[1/1] evil failed  T\n"
            "Pipefile.toml:1:1: error: stage `evil` failed: exit status 1\n"
            "  cat printed 'evil\\x1b[2J\\u202e'; exit 1\n"
            "  log: pipeline_outputs/runs/RUN/evil/log.txt\n"
            "red nul\\x00 \\xff \\u202e\n"
            "100%\n"
            "1 failed in T\n"
        )
