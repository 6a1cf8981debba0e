"""When to look and when to build, on a clock that is a number."""

from __future__ import annotations

import pytest

from pipefile.watch.rounds import Rounds


def idle(on_busy: str = "queue") -> Rounds:
    """After its first build."""
    rounds = Rounds(on_busy)  # type: ignore[arg-type]
    assert rounds.asked() == "build"
    assert rounds.ended() == ""
    return rounds


def test_nothing_heard_is_waited_for_without_end() -> None:
    """So that an idle watch uses no CPU."""
    assert idle().patience(7.0) is None


def test_hints_settle() -> None:
    """50 ms after the last one, however many there are."""
    rounds = idle()
    rounds.heard(1.0)
    assert rounds.patience(1.0) == pytest.approx(0.05)
    rounds.heard(1.04)
    assert rounds.patience(1.05) == pytest.approx(0.04)
    assert rounds.patience(1.2) == 0


def test_hints_that_do_not_end_are_looked_at_after_half_a_second() -> None:
    rounds, now = idle(), 1.0
    rounds.heard(now)
    while rounds.patience(now):
        rounds.heard(now)
        now += 0.01
    assert now == pytest.approx(1.5, abs=0.011)


def test_git_is_waited_for() -> None:
    """300 ms of quiet while it has the lock of its index, five seconds at most."""
    rounds = idle()
    rounds.heard(1.0)
    assert rounds.patience(1.1, git=True) == pytest.approx(0.2)
    rounds.heard(5.9)
    assert rounds.patience(5.9, git=True) == pytest.approx(0.1)
    assert rounds.patience(5.9) == 0


def test_a_longer_span() -> None:
    """`--debounce` moves both ends."""
    rounds = Rounds(quiet=0.2)
    rounds.heard(0.0)
    assert rounds.patience(0.0) == pytest.approx(0.2)
    rounds.heard(1.95)
    assert rounds.patience(1.95) == pytest.approx(0.05)


def test_a_look_that_finds_nothing_settles_what_was_heard() -> None:
    rounds = idle()
    rounds.heard(1.0)
    assert rounds.looked(False) == ""
    assert rounds.patience(2.0) is None
    assert not rounds.building


def test_a_look_that_finds_something_begins_a_build() -> None:
    rounds = idle()
    rounds.heard(1.0)
    assert rounds.looked(True) == "build"
    assert rounds.building


def test_queue_lets_a_build_end() -> None:
    """What is heard meanwhile is looked at afterwards."""
    rounds = idle()
    rounds.asked()
    rounds.heard(1.0)
    assert rounds.patience(9.0) is None
    assert rounds.ended() == ""
    assert rounds.patience(9.0) == 0


def test_restart_ends_it_once() -> None:
    """And builds as soon as that is done, with whatever has come since."""
    rounds = idle("restart")
    rounds.asked()
    rounds.heard(1.0)
    assert rounds.patience(1.0) == pytest.approx(0.05)
    assert rounds.looked(True) == "interrupt"
    rounds.heard(1.1)
    assert rounds.patience(9.0) is None
    assert rounds.ended() == "build"
    assert rounds.patience(9.0) == 0


def test_restart_goes_on_if_nothing_has_really_changed() -> None:
    rounds = idle("restart")
    rounds.asked()
    rounds.heard(1.0)
    assert rounds.looked(False) == ""
    assert rounds.ended() == ""


def test_a_key_while_a_build_runs() -> None:
    """It is not forgotten: queued, or the reason to begin anew."""
    rounds = idle()
    rounds.asked()
    assert rounds.asked() == ""
    assert rounds.ended() == "build"
    assert rounds.ended() == ""
    rounds = idle("restart")
    rounds.asked()
    assert rounds.asked() == "interrupt"
    assert rounds.asked() == ""
    assert rounds.ended() == "build"


def test_a_build_that_is_called_off() -> None:
    rounds = idle()
    rounds.heard(1.0)
    rounds.looked(True)
    rounds.called_off()
    assert not rounds.building
    rounds.heard(2.0)
    assert rounds.looked(True) == "build"
