"""`-l`: as make decides it."""

from __future__ import annotations

from kit import Project

from pipefile.engine.load import Load
from pipefile.testing import FakeClock


def test_it_counts_what_the_average_does_not_show_yet():
    """Each start of this second counts as a quarter of a job, and those of the second before as a quarter of that."""
    clock = FakeClock()
    load = Load(2.0, clock, lambda: (1.0, 9.0, 9.0))
    for _ in range(3):
        assert not load.is_high()
        load.started()
    assert not load.is_high()
    load.started()
    assert load.is_high()
    clock.sleep(1.0)
    assert not load.is_high()
    for _ in range(3):
        load.started()
    assert load.is_high()
    clock.sleep(2.0)
    assert not load.is_high()


def test_as_much_as_the_limit_is_too_much():
    assert Load(1.0, FakeClock(), lambda: (1.0,)).is_high()
    assert not Load(1.01, FakeClock(), lambda: (1.0,)).is_high()


def test_no_limit_asks_nobody():
    def nobody() -> tuple[float, ...]:
        raise AssertionError

    load = Load(None, FakeClock(), nobody)
    load.started()
    assert not load.is_high()


def test_one_always_runs(project: Project) -> None:
    """However busy the machine, a build comes to its end, a stage at a time."""
    for at in range(3):
        project.traced(f"s{at}", outputs=f"o{at}", run=f"touch o{at}")
    outcome = project.cli("-j3", "-l", "0.001")
    assert outcome.exit_status == 0
    with open(project.log) as log:
        assert [line[0] for line in log] == ["S", "E"] * 3
