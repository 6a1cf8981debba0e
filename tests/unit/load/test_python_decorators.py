"""A decorated function stays a function."""

from __future__ import annotations

import copy
import inspect
import pickle
import threading

from pipefile import pipeline, stage


@stage(inputs={"x": "in.txt"}, outputs={"double": int})
def doubled(x: int, times: int = 2) -> int:
    """Doubles."""
    return x * times


@stage
def plus(a: int, b: int = 1) -> int:
    return a + b


@pipeline
def both() -> object:
    return plus(doubled(3))


def test_it_is_called_as_the_function() -> None:
    """Outside of a pipeline, with and without arguments of the decorator."""
    assert (doubled(2), doubled(2, times=5), plus(1)) == (4, 10, 2)


def test_it_looks_like_the_function() -> None:
    """Name, docstring, signature; the plain function is there as well."""
    assert (doubled.__name__, doubled.__doc__, doubled.__module__) == ("doubled", "Doubles.", __name__)
    assert list(inspect.signature(doubled).parameters) == ["x", "times"]
    assert doubled.__wrapped__(4) == 8


def test_it_is_pickled_by_name() -> None:
    """As functions are."""
    assert pickle.loads(pickle.dumps(doubled)) is doubled
    assert pickle.loads(pickle.dumps(both)) is both
    assert copy.deepcopy(doubled) is doubled


def test_a_pipeline_called_is_its_function() -> None:
    """Its stages are functions then, so it computes."""
    assert both() == 7


def test_tracing_in_one_thread_is_unseen_in_another() -> None:
    """While a pipeline is being joined here, a stage called elsewhere is a function."""
    from pipefile.load.tracing import tracing

    found: list[object] = []
    with tracing() as trace:
        plus(1)
        other = threading.Thread(target=lambda: found.append(plus(1)))
        other.start()
        other.join()
    assert (found, [call.name for call in trace.calls]) == ([2], ["plus"])
