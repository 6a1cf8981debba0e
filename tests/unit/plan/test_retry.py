"""Which failures are repeated, and how long the wait is."""

from __future__ import annotations

import pytest

from pipefile.model.ports import Completion
from pipefile.model.stage import Retry
from pipefile.plan.retry import runs_again, wait_before_next

NAMES = ("TimeoutError", "builtins.TimeoutError", "OSError", "builtins.OSError", "Exception", "builtins.Exception")
FAILURES = {
    "status": Completion(0, "failed", 75),
    "signal": Completion(0, "failed", None, 9),
    "time": Completion(0, "failed", None, 15, True),
    "raised": Completion(0, "failed", raised=NAMES),
    "other": Completion(0, "failed", raised=("ValueError", "builtins.ValueError", "Exception")),
    "exit": Completion(0, "failed", 75, raised=("SystemExit", "builtins.SystemExit")),
    "no outputs": Completion(0, "ok", 0),
}


@pytest.mark.parametrize(
    ("cause", "matching"),
    [
        (75, {"status", "exit"}),
        (76, set()),
        ("signal", {"signal"}),
        ("timeout", {"time", "raised"}),
        ("TimeoutError", {"time", "raised"}),
        ("builtins.TimeoutError", {"time", "raised"}),
        ("OSError", {"raised"}),
        ("Exception", {"raised", "other"}),
        ("SystemExit", {"exit"}),
        ("asyncio.TimeoutError", set()),
        (None, set(FAILURES)),
    ],
)
def test_causes(cause: str | int | None, matching: set[str]) -> None:
    """Each cause matches its own kind of failure; without any, every failure is repeated."""
    policy = Retry(max_attempts=2, retry_on=None if cause is None else (cause,))
    assert {name for name, completion in FAILURES.items() if runs_again(policy, 1, completion)} == matching


def test_bound() -> None:
    """As many attempts as `max_attempts`, the first one counted; one where nothing is said."""
    assert [runs_again(Retry(max_attempts=3), failures, FAILURES["status"]) for failures in (1, 2, 3, 4)] == [True, True, False, False]
    assert not runs_again(Retry(), 1, FAILURES["status"])


def test_one_of_several() -> None:
    """One cause that matches is enough."""
    assert runs_again(Retry(max_attempts=2, retry_on=("ValueError", 3, "signal")), 1, FAILURES["signal"])


@pytest.mark.parametrize(
    ("backoff", "waits"),
    [("constant", [3, 3, 3, 3, 3]), ("linear", [3, 6, 9, 12, 15]), ("exponential", [3, 6, 12, 20, 20])],
)
def test_waits(backoff: str, waits: list[float]) -> None:
    """As the backoff says, and never longer than `max_delay`."""
    policy = Retry(9, backoff, 3.0, 20.0)  # type: ignore[arg-type]  # one of three texts
    assert [wait_before_next(policy, failures, 0.0) for failures in (1, 2, 3, 4, 5)] == waits


def test_very_many_attempts() -> None:
    """The wait stays what it is, however often it would have been doubled."""
    assert wait_before_next(Retry(10**9, delay=1.0, max_delay=60.0), 10**9, 0.0) == 60.0


def test_jitter() -> None:
    """A share between a half and the whole, by chance."""
    policy = Retry(9, "constant", 8.0, 60.0, jitter=True)
    assert [wait_before_next(policy, 1, chance) for chance in (0.0, 0.5, 1.0)] == [4.0, 6.0, 8.0]
