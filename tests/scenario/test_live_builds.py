"""What a display hears of a build while it goes on: through the Clock port, and through what `PlanMade` hands it."""

from __future__ import annotations

import re

from kit import Project
from kit.fifo import Gate
from kit.streams import Recorded

from pipefile.engine.build import build
from pipefile.model.event import Event, PlanMade
from pipefile.model.ports import Outlook
from pipefile.report.terminal import TerminalReport
from pipefile.testing import FakeClock


class Releasing(TerminalReport):
    """Lets a stage go on when a line has told that it still runs."""

    def __init__(self, out: Recorded, clock: FakeClock, gate: Gate) -> None:
        super().__init__(out, Recorded(2), "/nowhere", clock=clock.monotonic)
        self.recorded = out
        self.gate = gate
        self.released = False

    def flush(self) -> None:
        super().flush()
        if "still runs" in self.recorded.text and not self.released:
            self.released = True
            self.gate.release()


def test_a_build_that_takes_long_tells_so(project: Project) -> None:
    """After half a minute, and each further one, by the clock of the build."""
    gate, clock = project.gate("g"), FakeClock()
    project.clock = clock
    project.stage("train", outputs="m", run=f"{gate.shell}; echo > {{outputs}}")
    report = Releasing(Recorded(), clock, gate)
    assert build(project._found(), project.options(), report).exit_status == 0
    lines = report.recorded.text.splitlines()
    assert lines[0] == "[0/1] train still runs after 30.0 s"
    assert all(re.fullmatch(r"\[0/1\] train still runs after (\d+ h )?\d+ min( \d+ s)?", line) for line in lines[1:-2])
    assert lines[-2].startswith("[1/1] train  ")
    assert set(clock.waited) == {30.0}


class Asking:
    """Asks what a display may ask, ten times a second, until a stage has printed what it waits for; then lets that go on."""

    def __init__(self, stage: str, printed: bytes, gate: Gate) -> None:
        self.stage = stage
        self.printed = printed
        self.gate = gate
        self.outlook: Outlook | None = None
        self.left: float | None = None
        self.unended: list[tuple[str, str]] = []

    def __call__(self, event: Event) -> None:
        if isinstance(event, PlanMade):
            self.outlook = event.outlook

    def due(self) -> float:
        return 0.01

    def flush(self) -> None:
        if self.outlook is not None and not self.unended and self.outlook.latest(self.stage, "") == self.printed:
            self.left = self.outlook.left()
            self.unended = list(self.outlook.unended())
            assert self.outlook.latest("nobody", "") == b""
            self.gate.release()


def three(project: Project, gate: Gate, said: str) -> None:
    project.stage("first", outputs="a", run="echo > {outputs}")
    project.stage("second", inputs="a", outputs="b", run=f"{said}; {gate.shell}; echo > {{outputs}}")
    project.stage("third", inputs="b", outputs="c", run="echo > {outputs}")


def test_what_a_display_may_ask(project: Project) -> None:
    """What a stage prints just now, what has not ended, and how long that takes by earlier runs: not known in the first one."""
    gate = project.gate("g")
    three(project, gate, r"printf '10%%\r20%%'")
    asking = Asking("second", b"10%\r20%", gate)
    assert build(project._found(), project.options(), asking).exit_status == 0
    assert (asking.left, asking.unended) == (None, [("second", ""), ("third", "")])

    asking = Asking("second", b"10%\r20%", gate)
    assert build(project._found(), project.options(force=True), asking).exit_status == 0
    assert asking.left is not None
    assert asking.left >= 0
    assert asking.unended == [("second", ""), ("third", "")]


def test_a_build_that_starts_from_the_index(project: Project) -> None:
    """It answers the same."""
    gate = project.gate("g")
    project.write("src", "1")
    three(project, gate, r"printf '10%%\r20%%'")
    project.stage("first", inputs="src", outputs="a", run="cat {inputs} > {outputs}")
    gate.release()
    assert project.build().exit_status == 0
    project.write("src", "2")
    asking = Asking("second", b"10%\r20%", gate)
    assert build(project._found(), project.options(), asking).exit_status == 0
    assert asking.left is not None
    assert asking.unended == [("second", ""), ("third", "")]


def test_secrets_are_not_shown_live(project: Project) -> None:
    """Case 90: what a stage prints is masked before a display gets it."""
    gate = project.gate("g")
    project.stage("second", outputs="b", run=f'printf "%s and more" "$TOKEN"; {gate.shell}; echo > {{outputs}}', secret_env=["TOKEN"])
    project.environ["TOKEN"] = "hunter2-hunter2"
    said: list[bytes] = []

    class Listening(Asking):
        def flush(self) -> None:
            if self.outlook is not None and (latest := self.outlook.latest("second", "")):
                said.append(latest)
                if not self.unended:
                    self.unended = [("", "")]
                    self.gate.release()

    assert build(project._found(), project.options(), Listening("second", b"", gate)).exit_status == 0
    assert said
    assert all(b"hunter2" not in latest for latest in said)
