"""plan/estimate.py: how long a build will still take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from pipefile.plan.estimate import Estimate, estimate


def left(
    depends: Mapping[int, Sequence[int]], seconds: Mapping[int, float], jobs: int, edges: int = 100, running: Mapping[int, float] | None = None
) -> Estimate | None:
    return estimate(list(depends), lambda node: depends[node], seconds, edges, jobs, running)


@pytest.mark.parametrize(
    ("jobs", "seconds"),
    [(1, 30.0), (2, 20.0), (3, 10.0), (8, 10.0)],
)
def test_stages_beside_each_other(jobs: int, seconds: float) -> None:
    """Three of ten seconds: as many at once as there are slots, and no more."""
    assert left({0: [], 1: [], 2: []}, {0: 10.0, 1: 10.0, 2: 10.0}, jobs) == Estimate(seconds, 30.0, 0)


def test_a_chain_takes_as_long_as_its_links() -> None:
    """However many slots there are; what has ended is no part of it."""
    assert left({1: [0], 2: [1], 3: [2, 1]}, {1: 1.0, 2: 2.0, 3: 4.0}, 8) == Estimate(7.0, 7.0, 0)


def test_the_longest_path_goes_first() -> None:
    """As the scheduler has it: two slots, a chain of 3 + 3 and four of 2, in an order that would take longer."""
    depends: dict[int, list[int]] = {0: [], 1: [], 2: [], 3: [], 4: [], 5: [4]}
    assert left(depends, {0: 2.0, 1: 2.0, 2: 2.0, 3: 2.0, 4: 3.0, 5: 3.0}, 2) == Estimate(8.0, 14.0, 0)


def test_groups_take_no_time_and_no_slot() -> None:
    """A group (from number 10 on) ends with what it waits for, even if all slots are taken."""
    depends = {0: [], 1: [], 10: [0], 11: [10], 2: [11]}
    assert left(depends, {0: 1.0, 1: 5.0, 2: 2.0}, 2, edges=10) == Estimate(5.0, 8.0, 0)
    assert left({10: [], 11: [10], 0: [11]}, {0: 3.0}, 1, edges=10) == Estimate(3.0, 3.0, 0)


def test_what_has_never_run_counts_as_the_median() -> None:
    """And is told; where nothing has ever run there is no estimate."""
    assert left({0: [], 1: [], 2: [], 3: [], 4: []}, {0: 1.0, 1: 3.0, 2: 100.0}, 1) == Estimate(110.0, 110.0, 2)
    assert left({0: [], 1: []}, {}, 1) is None
    assert left({}, {}, 1) is None
    assert left({0: []}, {7: 1.0}, 1) is None


def test_what_runs_has_only_its_rest() -> None:
    """Of one that takes longer than before nothing is left, and what waits for it could start now; it holds its slot."""
    depends: dict[int, list[int]] = {0: [], 1: [], 2: [0]}
    seconds = {0: 10.0, 1: 4.0, 2: 5.0}
    assert left(depends, seconds, 2, running={0: 8.0, 1: 1.0}) == Estimate(7.0, 10.0, 0)
    assert left(depends, seconds, 2, running={0: 30.0}) == Estimate(5.0, 9.0, 0)
    assert left(depends, seconds, 1, running={0: 8.0}) == Estimate(11.0, 11.0, 0)


def test_a_great_many_are_bounded() -> None:
    """By the longest path, or by all work shared out, whichever is larger; no stage of a long chain is a call within a call."""
    chain = {number: [number - 1] if number else [] for number in range(50_000)}
    assert left(chain, dict.fromkeys(chain, 1.0), 8, edges=50_000) == Estimate(50_000.0, 50_000.0, 0)
    wide: dict[int, list[int]] = {number: [] for number in range(5000)}
    assert left(wide, dict.fromkeys(wide, 1.0), 8, edges=5000) == Estimate(625.0, 5000.0, 0)


def test_few_and_many_agree() -> None:
    """What is laid out is never shorter than the bounds, and of stages that are alike no longer than one more round."""
    wide: dict[int, list[int]] = {number: [] for number in range(999)}
    found = left(wide, dict.fromkeys(wide, 1.0), 8, edges=999)
    assert found is not None
    assert 999 / 8 <= found.seconds <= 999 / 8 + 1
