"""Retries, decided: is a failure repeated, and how long is the wait before?"""

from __future__ import annotations

from pipefile.model.ports import Completion
from pipefile.model.stage import Retry

_TIMEOUT = frozenset(["timeout", "TimeoutError", "builtins.TimeoutError"])
_DOUBLINGS = 60  # beyond that every wait is the longest one


def runs_again(policy: Retry, failures: int, completion: Completion) -> bool:
    """Whether a stage that has failed runs again.

    Args:
        policy: Its `retry_policy`.
        failures: How often it has failed in this build, this time included.
        completion: How it ended. One that ended well has failed all the same: it did not make its outputs. No `retry_on` names that.
    """
    if failures >= policy.max_attempts:
        return False
    return policy.retry_on is None or any(_is_cause(cause, completion) for cause in policy.retry_on)


def _is_cause(cause: str | int, completion: Completion) -> bool:
    if isinstance(cause, int):
        return completion.exit_status == cause and not completion.timed_out
    if cause == "signal":
        return completion.signal > 0 and not completion.timed_out
    if completion.timed_out:
        return cause in _TIMEOUT
    return ("TimeoutError" if cause == "timeout" else cause) in completion.raised


def wait_before_next(policy: Retry, failures: int, chance: float) -> float:
    """Seconds between the end of an attempt and the beginning of the next one.

    Args:
        policy: The `retry_policy`.
        failures: How often the stage has failed, from 1.
        chance: From 0 to 1, by chance: what `jitter` takes its share from.
    """
    factor: float = 1.0
    if policy.backoff == "linear":
        factor = failures
    elif policy.backoff == "exponential":
        factor = 2.0 ** min(failures - 1, _DOUBLINGS)
    wait = min(policy.delay * factor, policy.max_delay)
    return wait * (0.5 + 0.5 * chance) if policy.jitter else wait
