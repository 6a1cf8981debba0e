"""report/live.py and the terminal report on a terminal: whole screens, on a clock that goes when the test says so."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from kit.screen import Screen
from kit.streams import Hand, OnScreen

from pipefile.model.event import BuildFinished, BuildStarted, Event, Note, PlanMade, StageFinished, StageRetried, StageStarted
from pipefile.report.terminal import TerminalReport


class Known:
    """An Outlook that says what the test wants it to."""

    def __init__(self) -> None:
        self.seconds: float | None = None
        self.printed: dict[str, bytes] = {}
        self.asked = 0

    def left(self) -> float | None:
        self.asked += 1
        return self.seconds

    def latest(self, stage: str, instance: str) -> bytes:
        return self.printed.get(stage, b"")

    def unended(self) -> Sequence[tuple[str, str]]:
        return ()


class Desk:
    """A report on a terminal."""

    def __init__(self, width: int = 60, height: int = 24, reflows: bool = True, total: int = 240) -> None:
        self.clock = Hand()
        self.screen = Screen(width, height, reflows)
        self.out = OnScreen(self.screen)
        self.known = Known()
        self.report = TerminalReport(self.out, OnScreen(self.screen, 2), "/nowhere", clock=self.clock)
        self.report(BuildStarted((), 2))
        self.report(PlanMade(total, 0, self.known))

    def after(self, *events: Event, seconds: float = 1.0) -> str:
        """What stands on the screen after *seconds*, *events* having happened a tenth of a second before."""
        if seconds > 0.1:
            self.clock.now += seconds - 0.1
            self.report.flush()
        for event in events:
            self.report(event)
        self.clock.now += min(seconds, 0.1)
        self.report.flush()
        return self.screen.text

    def start(self, *names: str) -> None:
        for name in names:
            self.report(StageStarted(name, "", ()))


def started(name: str, instance: str = "") -> StageStarted:
    return StageStarted(name, instance, ())


def ran(name: str, output: bytes = b"") -> StageFinished:
    return StageFinished(name, "", "ran", 1.0, output, "", len(output))


def test_running_stages_and_a_line_for_the_whole() -> None:
    """A line a stage with how long it has been running, and one that counts; a stage that prints nothing leaves nothing."""
    desk = Desk()
    assert desk.after() == ""
    assert desk.after(started("thumbs", "photos/a.jpg")) == "  thumbs@photos/a.jpg  0.10 s\n[0/240] 2.0 s\n"
    assert desk.after(started("report")) == "  thumbs@photos/a.jpg  1.1 s\n  report  0.10 s\n[0/240] 3.0 s\n"
    assert desk.after() == "  thumbs@photos/a.jpg  2.1 s\n  report  1.1 s\n[0/240] 4.0 s\n"
    assert desk.after(StageFinished("thumbs", "photos/a.jpg", "ran", 2.0)) == "  report  2.1 s\n[1/240] 5.0 s\n"
    assert desk.after(BuildFinished("succeeded", 1, 239, 0, 0, 5.0)) == "1 ran, 239 fresh in 5.0 s\n"


def test_what_lasts_stands_above() -> None:
    """Output, warnings and lines of stages go where the block was, and the block comes back below."""
    desk = Desk(total=3)
    desk.after(started("a"), started("b"))
    assert desk.after(ran("a", b"hello\n")) == "[1/3] a  1.0 s\nhello\n  b  1.1 s\n[1/3] 2.0 s\n"
    assert desk.after(Note("warning", "w")) == "[1/3] a  1.0 s\nhello\nwarning: w\n  b  2.1 s\n[1/3] 3.0 s\n"
    assert desk.after(StageRetried("b", "", 2, 3, 9.0, "exit status 1")).endswith(
        "warning: w\nstage `b` failed (exit status 1): attempt 2 of 3 in 9 s\n"
    )
    assert desk.after(started("b")).endswith("in 9 s\n  b  0.10 s\n[1/3] 5.0 s\n")


def test_no_more_lines_than_the_terminal_has() -> None:
    """The rest is counted; one row stays free."""
    desk = Desk(height=6)
    names = [f"s{number}" for number in range(5)]
    assert desk.after(*map(started, names[:4])) == "".join(f"  s{number}  0.10 s\n" for number in range(4)) + "[0/240] 1.0 s\n"
    assert desk.after(started(names[4])) == "  s0  1.1 s\n  s1  1.1 s\n  s2  1.1 s\n  +2 more\n[0/240] 2.0 s\n"
    desk.screen.resize(60, 3)
    assert desk.after() == "  5 running\n[0/240] 3.0 s\n"
    desk.screen.resize(60, 2)
    assert desk.after() == "[0/240] 4.0 s\n"
    desk.screen.resize(60, 1)
    assert desk.after() == "[0/240] 5.0 s\n"
    desk.screen.resize(60, 24)
    assert desk.after().splitlines()[-6:] == [*[f"  {name}  {4 if name == 's4' else 5}.1 s" for name in names], "[0/240] 6.0 s"]


def test_at_most_ten_redraws_a_second() -> None:
    """However many events come."""
    desk = Desk()
    desk.after(started("s"))
    before = desk.out.writes
    for number in range(100):
        desk.after(started(f"s{number}"), StageFinished(f"s{number}", "", "ran", 0.01), seconds=0.01)
    assert 9 <= desk.out.writes - before <= 10


def test_thousands_of_fresh_stages_are_counted_while_they_pass() -> None:
    """They have no line, and the block goes on."""
    desk = Desk(total=2000)
    desk.after(started("s"))
    desk.clock.now += 1
    for number in range(600):
        desk.report(StageFinished(f"f{number}", "", "fresh"))
    assert desk.screen.text == "  s  1.1 s\n[256/2000] 2.0 s\n"


@pytest.mark.parametrize(
    ("width", "screen"),
    [
        (60, "  compile_a_library/with_a_long_path/to_it  0.10 s\n  naïve  0.10 s\n[0/240] 1.0 s\n"),
        (30, "  compile_a…ath/to_it  0.10 s\n  naïve  0.10 s\n[0/240] 1.0 s\n"),
        (20, "  comp…o_it  0.10 s\n  naïve  0.10 s\n[0/240] 1.0 s\n"),
        (10, "  0.10 s\n  0.10 s\n[0/240] …\n"),
        (2, "…\n…\n…\n"),
    ],
)
def test_names_are_cut_in_their_middle(width: int, screen: str) -> None:
    """No line ever takes a second row."""
    desk = Desk(width)
    assert desk.after(started("compile_a_library/with_a_long_path/to_it"), started("naïve")) == screen


@pytest.mark.parametrize(
    "name",
    [
        "日本語日本語日本語日本語日本語日本語",
        "한국어한국어한국어한국어한국어한국어",
        "👩‍👩‍👧 family 👍🏽 thumbs ❤️ heart ❤️❤️❤️❤️❤️❤️",
        "e\u0301" * 60,
        "\uff46\uff55\uff4c\uff4c" * 5,
        "a\u0300\u0301\u0302b" * 30,
    ],
)
@pytest.mark.parametrize("width", range(8, 60, 5))
def test_wide_and_combining_characters_are_measured(name: str, width: int) -> None:
    """East Asian ones and emoji take two columns, marks none: a line is never wider than the terminal."""
    desk = Desk(width)
    desk.known.printed = {"s": name.encode()}
    for _ in range(3):
        desk.after(started(name), started("s"))
        assert len(desk.screen.lines) == 3
    desk.report.close()
    assert desk.screen.text == ""


@pytest.mark.parametrize("reflows", [True, False])
@pytest.mark.parametrize("name", ["a_stage_with_a_name_that_takes_most_of_the_line", "日本語日本語日本語日本語日本語日本語"])
def test_a_terminal_that_becomes_narrower(reflows: bool, name: str) -> None:
    """Nothing of the wider block is left, and nothing above it is lost, whether the terminal wraps what stands there or cuts it off."""
    desk = Desk(60, 12, reflows)
    desk.after(started("a"), started(name), ran("a", b"one\ntwo\n"))
    for width in (59, 31, 20, 40, 17, 60):
        desk.screen.resize(width, 12)
        lines = desk.after().splitlines()
        assert lines[:3] == ["[1/240] a  1.0 s", "one", "two"]
        assert lines[3].startswith("  ")
        assert lines[4].startswith("[1/240] ")
        assert len(lines) == 5
    assert lines[-2:] == [f"  {name}  6.1 s", "[1/240] 7.0 s"]


def test_how_long_it_will_take() -> None:
    """Asked at most once a second, and counted down in between; left out where nothing is known, or where the time is over."""
    desk = Desk()
    assert desk.after(started("a")).endswith("[0/240] 1.0 s\n")
    desk.known.seconds = 125.0
    assert desk.after().endswith("[0/240] 2.0 s, ETA 2 min 5 s\n")
    asked = desk.known.asked
    desk.known.seconds = 100.0
    assert desk.after(seconds=0.5).endswith("[0/240] 2.5 s, ETA 2 min 4 s\n")
    assert desk.known.asked == asked
    assert desk.after(seconds=0.5).endswith("[0/240] 3.0 s, ETA 1 min 40 s\n")
    desk.known.seconds = 0.0
    assert desk.after().endswith("[0/240] 4.0 s\n")


def test_progress_of_a_stage() -> None:
    """The last line that a stage has printed stands in its line, as it would on a terminal of its own; what it writes over is not seen."""
    desk = Desk(60)
    desk.known.printed["train"] = b"epoch 1\n\r  0%|          | 0/45\r 45%|####5     | 20/45 [00:01<00:01]"
    assert desk.after(started("train")) == "  train  0.10 s  45%|####5     | 20/45 [00:01<00:01]\n[0/240] 1.0 s\n"
    desk.known.printed["train"] = b"epoch 1\n\r\x1b[32m100%\x1b[0m|##########| 45/45\nwriting\t\xe6\x97\xa5 \xe6\x97"
    assert desk.after() == "  train  1.1 s  writing 日\n[0/240] 2.0 s\n"
    desk.known.printed["train"] = b"\x1b]0;title\x07evil \x1b[2J\xe2\x80\xae\x9b31m\n\n   \r\x1b["
    assert desk.after() == "  train  2.1 s  evil \\u202e\\x9b31m\n[0/240] 3.0 s\n"
    desk.screen.resize(30, 24)
    assert desk.after() == "  train  3.1 s\n[0/240] 4.0 s\n"


def test_the_cursor_is_hidden_while_there_is_a_block() -> None:
    """And shown again whenever there is none: at the end, on errors, and while somebody else has the terminal."""
    desk = Desk()
    desk.after(started("a"))
    assert not desk.screen.cursor_shown
    desk.report.pause()
    assert (desk.screen.cursor_shown, desk.screen.text) == (True, "")
    assert desk.after() == "  a  1.1 s\n[0/240] 2.0 s\n"
    assert not desk.screen.cursor_shown
    desk.report.close()
    assert (desk.screen.cursor_shown, desk.screen.text) == (True, "")


def test_names_are_safe_to_show() -> None:
    """Case 93: no sequence of a name reaches the terminal, and its escaped form is what is measured."""
    desk = Desk(30)
    assert desk.after(started("\x1b[2J\u202e\n\x9b\r")) == "  \\x1b[2J\\u…e\\n\\x9b\\r  0.10 s\n[0/240] 1.0 s\n"


def test_when_it_wants_to_be_called() -> None:
    """Ten times a second while stages run, never while none does."""
    desk = Desk()
    assert desk.report.due() is None
    desk.start("a")
    assert desk.report.due() == 0.1
    desk.after(StageFinished("a", "", "ran", 1.0), BuildFinished("succeeded", 1, 0, 0, 0, 1.0))
    assert desk.report.due() is None
