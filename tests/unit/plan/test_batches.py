"""How many items a batch takes, what it gets as lists, and what its function has told."""

from __future__ import annotations

import pytest

from pipefile.model.graph import Edge, Graph
from pipefile.model.stage import Axis, Batch, Field, ForEach, Output, Stage
from pipefile.plan.batches import Finished, finished, is_apart, share
from pipefile.plan.resources import CPU, Lines, Room
from pipefile.plan.schedule import Schedule


@pytest.mark.parametrize(
    ("most", "ready", "places", "expected"),
    [(64, 1, 1, 1), (64, 10, 1, 10), (64, 100, 1, 64), (64, 10, 4, 3), (64, 1, 8, 1), (2, 100, 4, 2), (1, 100, 1, 1), (64, 256, 4, 64)],
)
def test_share(most: int, ready: int, places: int, expected: int) -> None:
    """As many as it may take, but no more than leave as many for each place."""
    assert share(most, ready, places) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("outputs", True), ("outputs.file", True), ("dst", True), ("src", True), ("style", False), ("inputs", True), ("inputs.file", True),
        ("params.label", True), ("params.label.deep", True), ("params.size", False), ("depfile", False), ("store", False), ("threads", False),
        ("photo", True), ("photo.stem", True),
    ],
)  # fmt: skip
def test_is_apart(name: str, expected: bool) -> None:
    """Outputs and items always are; inputs, params and the depfile where they hold placeholders of items."""
    each = ForEach((Axis("photo", "*.jpg"),), names=("photo",))
    batch = Batch(8, frozenset(["src", "inputs", "params.label"]))
    stage = Stage("s", outputs=(Output("dst", "x"),), for_each=each, batch=batch)

    assert is_apart(Field(name), stage) is expected


@pytest.mark.parametrize(
    ("report", "items", "in_order"),
    [(b"", [], False), (b"in order\n", [], True), (b"in order\n0\n1\n", [0, 1], True), (b"in order\n0\n1", [0], True), (b"in or", [], False)],
)
def test_finished(report: bytes, items: list[int], in_order: bool) -> None:
    """Lines that are not whole count for nothing."""
    assert finished(report) == Finished(frozenset(items), in_order)


def test_more() -> None:
    """How many more edges of a kind find what they need."""
    lines = Lines(Room({CPU: 8, "memory": 100}), {0: {CPU: 2, "memory": 30}, 1: {}})
    for edge in (0, 1):
        lines.push((0, 0.0, edge))
        lines.start(lambda _: True, None, None)

    assert lines.more(0) == 2
    assert lines.more(1) == 5


def schedule_of(edges: int, jobs: int, below: tuple[int, ...] = ()) -> Schedule:
    """Edges that need nothing, all of them ready, and one that needs *below*."""
    depends = [*[()] * edges, below]
    graph = Graph([Edge(number, f"e{number}", Stage("s"), (), ()) for number in range(edges + 1)], [], depends, {}, {}, {})
    schedule = Schedule(graph, list(range(edges + 1)), jobs=jobs, keep_going=True)
    for edge in schedule.decidable():
        schedule.mark_ready(edge)
    return schedule


def test_who_rides_takes_no_place() -> None:
    """Edges that ride with another one run in its place; what waits for them goes on when they end, and not before."""
    schedule = schedule_of(4, 2, below=(0, 1))
    assert schedule.start() == 0
    assert schedule.places(0) == 2
    assert [schedule.ride(edge) for edge in (1, 2, 0, 4)] == [True, True, False, False]
    assert (schedule.start(), schedule.start()) == (3, None)
    schedule.end(0, "ran")
    assert (schedule.decidable(), schedule.running) == ([], 1)
    schedule.end(2, "ran")
    schedule.end(1, "ran")
    assert (schedule.decidable(), schedule.running) == ([4], 1)


def test_a_place_is_handed_over() -> None:
    """The one that has the place then is the one whose end makes it free."""
    schedule = schedule_of(3, 1)
    assert schedule.start() == 0
    assert schedule.ride(1)
    schedule.hand_over(0, 1)
    schedule.end(0, "ran")
    assert (schedule.running, schedule.start()) == (1, None)
    schedule.end(1, "ran")
    assert schedule.start() == 2


def test_who_is_held_rides_again() -> None:
    """What has run is taken along once more; nothing is done while it waits for that."""
    schedule = schedule_of(2, 1)
    assert schedule.start() == 0
    assert schedule.ride(1)
    schedule.free(0)
    schedule.take_along(0)
    schedule.mark_ready(1)
    assert (schedule.done, schedule.start()) == (False, 1)
    schedule.end(1, "ran")
    schedule.end(0, "failed")
    schedule.end(2, "ran")
    assert schedule.done
