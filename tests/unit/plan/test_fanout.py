"""Items that stages make: what a value stands for, what instances may make, how a schedule goes on when they are known."""

from __future__ import annotations

import pytest
from kit.graphs import FakeWorld, before, pipeline, stage

from pipefile.base.dataclass import replace
from pipefile.model.graph import FanOut, Graph
from pipefile.model.stage import Axis, ForEach, Output, Stage
from pipefile.plan.fanout import ItemsError, may_make, rows_of, shapes_of
from pipefile.plan.resolve import resolve
from pipefile.plan.resources import Lines, Room
from pipefile.plan.schedule import Schedule

# --- values


@pytest.mark.parametrize(
    ("value", "rows", "naming"),
    [
        ([], [], ("x",)),
        (["a", 1, 2.5, True], [{"x": "a"}, {"x": 1}, {"x": 2.5}, {"x": True}], ("x",)),
        ([{"id": 1, "of": [1]}], [{"x": {"id": 1, "of": [1]}, "x.id": 1, "x.of": [1]}], ("x.id",)),
        ({"a": {"n": 1}, "b": {"n": 2}}, [{"x": "a", "x.n": 1}, {"x": "b", "x.n": 2}], ("x",)),
        ({"a": 1}, [{"x": "a", "x.value": 1}], ("x",)),
        ({}, [], ("x",)),
    ],
)
def test_items_of_a_value(value: object, rows: object, naming: object):
    assert rows_of(value, "x") == (rows, naming)


BAD = [None, 1, "a", [None], [[1]], [{}], [{"a": 1}, 2], [{"a": 1}, {"b": 1}], [{"a": [None]}], [{"a": [1]}], {"a": None}]


@pytest.mark.parametrize("value", BAD)
def test_values_that_hold_no_items(value: object):
    with pytest.raises(ItemsError):
        rows_of(value, "x")


# --- what instances may make


def fanout(*paths: str) -> FanOut:
    outputs = tuple([Output(None, path.rstrip("/"), path.endswith("/")) for path in paths])
    return FanOut((), 0, shapes_of(Stage("s", outputs=outputs)))


@pytest.mark.parametrize(
    ("output", "path", "may"),
    [
        ("out/{x}.txt", "out/a.txt", True),
        ("out/{x}.txt", "out/sub/a.txt", True),
        ("out/{x}.txt", "out/a.md", False),
        ("out/{x}.txt", "elsewhere/a.txt", False),
        ("out/{x}/", "out/a/in/it", True),
        ("{x}", "anything", True),
        ("out/{{x}}.txt", "out/{x}.txt", True),
        ("out/{x}.txt", "out/", True),
        ("out/{x}.txt", "other/", False),
    ],
)
def test_what_instances_may_make(output: str, path: str, may: bool):
    assert may_make(fanout(output), path) is may


# --- the graph, and a schedule of it


class Made(FakeWorld):
    """A world in which a value holds some items."""

    items: tuple[str, ...] = ()

    def value(self, output: Output, entry: str) -> object:
        return list(self.items)


def each() -> list[Stage]:
    make = replace(stage("make"), outputs=(Output("all", "values/make/all.json", value="json"),))
    over = ForEach((Axis("x", "make.all", (), ("x",)),), (), ("x",), frozenset(["x"]))
    instances = replace(stage("each", outputs=["out/{x}"]), for_each=over)
    return [make, instances, stage("all", ["each.outputs"], ["all"]), stage("glob", ["out/*"], ["glob"])]


def grown(graph: Graph, *items: str) -> Graph:
    world = Made()
    world.items = items
    return resolve(pipeline(each()), world, known={"each": frozenset(["make"])}, before=[edge.name for edge in graph.edges])


def test_one_edge_stands_for_instances():
    """It waits for the maker; who reads what instances make by reference or by a glob waits for it."""
    graph = resolve(pipeline(each()), Made())

    assert [edge.name for edge in graph.edges] == ["make", "each", "all", "glob"]
    assert (before(graph, "each"), before(graph, "all"), before(graph, "glob")) == (["make"], ["each"], ["each"])
    assert graph.fanouts["each"].edge == 1


def test_edges_keep_their_numbers():
    """The first instance takes the number of what stood for it; with no items that stands for nothing any more."""
    first = resolve(pipeline(each()), Made())
    graph = grown(first, "a", "b")

    assert [edge.name for edge in graph.edges] == ["make", "each@a", "all", "glob", "each@b"]
    assert (graph.by_stage["each"], graph.order) == ((1, 4), {1: (0,), 4: (0,)})
    assert sorted(before(graph, "all")) == ["each@a", "each@b"]
    none = grown(first)
    assert ([edge.name for edge in none.edges], none.by_stage["each"]) == (["make", "each", "all", "glob"], ())
    assert before(none, "all") == []


def schedule_of(jobs: int = 2, **options: object) -> tuple[Graph, Schedule]:
    graph = resolve(pipeline(each()), Made())
    nodes = [*range(len(graph.depends))]
    schedule = Schedule(graph, [0, 1, 2, 3, *nodes[4:]], jobs=jobs, **options)  # type: ignore[arg-type]
    return graph, schedule


def put(graph: Graph, other: Graph) -> None:
    for name in ("edges", "groups", "depends"):
        getattr(graph, name)[:] = getattr(other, name)
    graph.order.clear()  # type: ignore[attr-defined]
    graph.order.update(other.order)  # type: ignore[attr-defined]


def nodes_of(graph: Graph) -> list[int]:
    from pipefile.plan.closure import closure

    return closure(graph, range(len(graph.edges)))


@pytest.mark.parametrize("barrier", [False, True])
@pytest.mark.parametrize("lines", [False, True])
def test_a_schedule_grows(barrier: bool, lines: bool):
    """What has ended is not given out again; instances are, and who waits for them comes after them."""
    graph, schedule = schedule_of(barrier=barrier, lines=Lines(Room({"cpu": 2}), {}) if lines else None)
    assert schedule.decidable() == [0]
    schedule.mark_ready(0)
    assert schedule.start() == 0
    schedule.end(0, "ran")
    assert schedule.decidable() == [1]
    put(graph, grown(graph, "a", "b"))
    schedule.grow(nodes_of(graph), {}, {}, [1])

    assert (schedule.decidable(), schedule.left, schedule.done) == ([1, 4], 4, False)
    schedule.mark_ready(1)
    schedule.mark_ready(4)
    assert sorted([schedule.start() or 0, schedule.start() or 0]) == [1, 4]
    schedule.end(1, "ran")
    assert schedule.decidable() == []
    schedule.end(4, "ran")
    assert schedule.decidable() == [2, 3]
    schedule.end(2, "fresh")
    schedule.end(3, "fresh")
    assert schedule.done


def test_a_schedule_grows_while_something_runs():
    """What is ready, runs, or has left its slot goes on, whether or not anybody needs it still."""
    graph, schedule = schedule_of(jobs=1)
    others = [replace(graph.edges[0], id=4 + at, name=f"other{at}") for at in range(3)]
    more = Graph([*graph.edges, *others], [], [*graph.depends[:4], (), (), ()], {}, {}, {})
    put(graph, more)
    schedule = Schedule(graph, [0, 1, 2, 3, 4, 5, 6], jobs=1)
    assert schedule.decidable() == [0, 4, 5, 6]
    schedule.end(0, "fresh")
    for edge in (4, 5, 6):
        schedule.mark_ready(edge)
    assert schedule.start() == 4
    schedule.free(4)
    assert schedule.start() == 5
    schedule.grow([0, 1, 2, 3], {}, {}, [1])
    assert (schedule.decidable(), schedule.running, schedule.start()) == ([1], 1, None)
    schedule.end(5, "ran")
    assert schedule.start() == 6
    schedule.end(4, "ran")
    schedule.end(6, "ran")
    assert not schedule.done
    for edge in (1, 2, 3):
        schedule.end(edge, "fresh")
    assert schedule.done


def test_below_what_has_failed_nothing_new_runs():
    """Instances that need what has failed are skipped, each once."""
    graph, schedule = schedule_of(keep_going=True)
    schedule.decidable()
    schedule.end(0, "failed")
    assert schedule.skipped == [1, 2, 3]
    bigger = Graph([*graph.edges, replace(graph.edges[1], id=4, name="new")], [], [*graph.depends[:4], (0,)], {}, {}, {})
    put(graph, bigger)
    schedule.grow([0, 1, 2, 3, 4], {}, {}, [])
    assert (schedule.skipped, schedule.decidable(), schedule.done) == ([1, 2, 3, 4], [], True)
