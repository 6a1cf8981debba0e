"""Who runs when edges need more than a slot: never more than there is, each in its turn, all at last."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from pipefile.model.graph import Edge, Graph
from pipefile.model.stage import Stage
from pipefile.plan.resources import Lines, Room, lacking
from pipefile.plan.schedule import Schedule


def graph_of(count: int, depends: Mapping[int, tuple[int, ...]] | None = None) -> Graph:
    edges = [Edge(number, f"e{number}", Stage("s"), (), ()) for number in range(count)]
    return Graph(edges, [], [(depends or {}).get(number, ()) for number in range(count)], {}, {}, {})


class Build:
    """A schedule whose edges are all stale, and what runs."""

    def __init__(
        self,
        demands: Sequence[Mapping[str, int]],
        room: Room,
        weights: Mapping[int, float] | None = None,
        depends: Mapping[int, tuple[int, ...]] | None = None,
        barrier: bool = False,
    ) -> None:
        self.demands = [{"cpu": 1, **demand} for demand in demands]
        self.room = room
        self.lines = Lines(room, {number: demand for number, demand in enumerate(demands) if demand})
        self.schedule = Schedule(
            graph_of(len(demands), depends), range(len(demands)), jobs=room.totals["cpu"], barrier=barrier, weights=weights, lines=self.lines
        )
        self.running: list[int] = []
        self.started: list[int] = []

    def start(self) -> list[int]:
        """Start what can start, and look whether it may."""
        for edge in self.schedule.decidable():
            self.schedule.mark_ready(edge)
        begun = []
        while (edge := self.schedule.start()) is not None:
            begun.append(edge)
            self.running.append(edge)
            self.started.append(edge)
            self.check()
        return begun

    def end(self, edge: int) -> None:
        self.running.remove(edge)
        self.schedule.end(edge, "ran")

    def check(self) -> None:
        for name, total in self.room.totals.items():
            assert sum(self.demands[edge].get(name, 0) for edge in self.running) <= total
        gpus = [gpu for edge in self.running for gpu in self.lines.granted(edge).gpus]
        assert len(set(gpus)) == len(gpus)
        assert set(gpus) <= set(self.room.gpus)
        for edge in self.running:
            assert len(self.lines.granted(edge).gpus) == self.demands[edge].get("gpu", 0)


def test_stages_wait_until_they_fit():
    build = Build([{"license": 1}, {"license": 1}, {"license": 2}, {}], Room({"cpu": 4, "license": 2}))

    assert build.start() == [0, 1, 3]
    build.end(0)
    assert build.start() == []
    build.end(1)
    assert build.start() == [2]


def test_cpus_count():
    build = Build([{"cpu": 3}, {"cpu": 2}, {}], Room({"cpu": 4}))

    assert build.start() == [0, 2]
    build.end(0)
    assert build.start() == [1]


def test_gpus_are_told_apart():
    build = Build([{"gpu": 1}, {"gpu": 2}, {"gpu": 1}], Room({"cpu": 4, "gpu": 3}, ("0", "1", "10")))

    assert build.start() == [0, 1]
    assert (build.lines.granted(0).gpus, build.lines.granted(1).gpus) == (("0",), ("1", "10"))
    build.end(1)
    assert build.start() == [2]
    assert build.lines.granted(2).gpus == ("1",)


def test_a_large_stage_is_overtaken_once_per_cpu():
    """Twenty small ones with longer paths than the large one: it starts when four have overtaken it and ended."""
    build = Build([{"cpu": 4}, *[{}] * 20], Room({"cpu": 4}), {0: 1.0, **dict.fromkeys(range(1, 21), 9.0)})

    assert build.start() == [1, 2, 3, 4]
    for edge in (1, 2, 3):
        build.end(edge)
        assert build.start() == []
    build.end(4)
    assert build.start() == [0]


def test_no_cpu_stands_idle_for_what_waits_for_something_else():
    """The edge that waits longest wants a licence that another one has for long: small ones go on meanwhile, and those who want it do not."""
    build = Build([{"license": 1}, {"license": 1, "cpu": 2}, *[{}] * 9, {"license": 1}], Room({"cpu": 2, "license": 1}), {0: 99.0, 11: 50.0})

    assert build.start() == [0, 2]
    for edge in range(2, 7):
        build.end(edge)
        assert build.start() == [edge + 1]
    build.end(0)
    assert build.start() == []  # overtaken often enough: the licence is there, and its two CPUs are kept
    build.end(7)
    assert build.start() == [1]


def test_a_barrier_holds_for_them_too():
    build = Build([{}, {"cpu": 2}], Room({"cpu": 4}), depends={1: (0,)}, barrier=True)

    assert build.start() == [0]
    build.end(0)
    assert build.start() == [1]


def test_an_edge_that_is_not_allowed_stays_ready():
    build = Build([{"cpu": 2}], Room({"cpu": 2}))
    build.schedule.mark_ready(build.schedule.decidable()[0])

    assert build.schedule.start(lambda _: False) is None
    assert build.schedule.start(lambda edge: edge == 0) == 0


def test_another_attempt_may_need_something_else():
    """What a fallback needs is not what the stage needs that it stands in for."""
    build = Build([{"license": 1}], Room({"cpu": 2, "license": 1, "gpu": 1}, ("0",)))
    assert build.start() == [0]
    build.schedule.free(0)
    build.lines.need(0, {"gpu": 1})
    build.schedule.mark_ready(0)

    assert build.schedule.start() == 0
    assert build.lines.granted(0).resources == {"cpu": 1, "gpu": 1}


def test_what_can_never_fit():
    assert lacking({"cpu": 2, "gpu": 1, "license": 3}, {"cpu": 2, "license": 2}) == ("gpu", "license")
    assert lacking({}, {"cpu": 1}) == ()


@st.composite
def builds(draw: st.DrawFn) -> tuple[Build, list[int]]:
    totals = {"cpu": draw(st.integers(1, 4)), "memory": draw(st.integers(1, 8)), "gpu": draw(st.integers(0, 3)), "license": draw(st.integers(1, 2))}
    demand = st.fixed_dictionaries({}, optional={name: st.integers(1, total) for name, total in totals.items() if total})
    kinds = draw(st.lists(demand, min_size=1, max_size=5))
    demands = draw(st.lists(st.sampled_from(kinds), min_size=1, max_size=25))
    count = len(demands)
    depends = {at: tuple(draw(st.sets(st.integers(0, at - 1), max_size=2))) for at in range(1, count) if draw(st.booleans())}
    weights = draw(st.dictionaries(st.integers(0, count - 1), st.floats(0.1, 9.0)))
    room = Room(totals, tuple([str(number) for number in range(totals["gpu"])]))
    return Build(demands, room, weights, depends, draw(st.booleans())), draw(st.lists(st.integers(0, 99), min_size=1, max_size=20))


@settings(max_examples=300, deadline=None)
@given(builds())
def test_never_more_than_there_is_and_all_at_last(drawn: tuple[Build, list[int]]):
    """Whatever is needed, and in whatever order it ends: no total is passed, and everything runs once."""
    build, ends = drawn
    turn = 0
    while not build.schedule.done:
        build.start()
        assert build.running
        build.end(build.running[ends[turn % len(ends)] % len(build.running)])
        turn += 1
    assert sorted(build.started) == list(range(len(build.demands)))


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 4), st.integers(1, 3), st.data())
def test_nobody_waits_for_ever(cpus: int, licences: int, data: st.DataObject):
    """Small edges of which there is no end, always with the longer path: each kind that needs more gets its turn while there are small ones left."""
    wide = st.fixed_dictionaries({"cpu": st.integers(2, cpus)}, optional={"license": st.integers(1, licences)})
    kind = st.one_of(wide, st.fixed_dictionaries({"license": st.integers(1, licences)}))
    large = data.draw(st.lists(kind, min_size=1, max_size=4))
    ends = data.draw(st.lists(st.integers(0, 3), min_size=1, max_size=20))
    turns = len(large) * len(large)  # each time, all other lines may come first
    endless = turns * 6 * cpus  # overtaken until it reserves, then while what runs ends, twice; every other end is the oldest's
    paths = {edge: 1.0 if edge < len(large) else 9.0 for edge in range(len(large) + endless)}
    build = Build([*large, *[{}] * endless], Room({"cpu": cpus, "license": licences}), paths)
    turn = 0
    while not set(build.started).issuperset(range(len(large))):
        build.start()
        build.end(build.running[0 if turn % 2 else ends[turn % len(ends)] % len(build.running)])
        turn += 1
    assert len(build.started) < len(large) + endless
