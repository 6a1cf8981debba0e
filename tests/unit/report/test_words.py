"""report/words.py: how numbers and names are worded."""

from __future__ import annotations

import pytest

from pipefile.model.event import Foreseen
from pipefile.report.words import foreseen, whole_duration


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (Foreseen(3, 0, 0, 4.21, 8.0, 2), "takes about 4.2 s with -j2, 8.0 s one after the other, by earlier runs"),
        (Foreseen(3, 1, 2, 4.21, 8.0, 2), "takes up to 4.2 s with -j2, 8.0 s one after the other, by earlier runs; 2 of them have never run"),
        (Foreseen(3, 0, 1, 8.0, 8.0, 1), "takes about 8.0 s with -j1, by earlier runs; 1 of them has never run"),
        (Foreseen(1, 0, 0, 3700.0, 3700.0, 8), "takes about 1 h 2 min with -j8, by earlier runs"),
        (Foreseen(3, 0, 3, None, 0.0, 2), "how long that takes is not known: none of them has ever run"),
        (Foreseen(1, 0, 1, None, 0.0, 2), "how long that takes is not known: it has never run"),
    ],
)
def test_what_a_dry_run_foresees(event: Foreseen, text: str) -> None:
    """How long with so many jobs, how much that is in all, and what that does not rest on."""
    assert foreseen(event) == text


@pytest.mark.parametrize(("seconds", "text"), [(0.6, "1 s"), (12.4, "12 s"), (59.6, "1 min 0 s"), (185.0, "3 min 5 s"), (7300.0, "2 h 2 min")])
def test_durations_that_are_estimates(seconds: float, text: str) -> None:
    """Without tenths."""
    assert whole_duration(seconds) == text
