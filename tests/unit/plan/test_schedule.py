"""The scheduler: what is decided when, what starts next, and that it always comes to an end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from pipefile.model.graph import Edge, Graph
from pipefile.model.stage import Stage
from pipefile.plan.schedule import Schedule

STAGE = Stage("s")


def graph_of(depends: Sequence[Sequence[int]], groups: Sequence[Sequence[int]] = (), after: Mapping[int, tuple[int, ...]] | None = None) -> Graph:
    """A graph from the dependencies of its edges; groups are numbered after the edges."""
    edges = [Edge(number, f"e{number}", STAGE, (), ()) for number in range(len(depends))]
    return Graph(edges, [tuple(group) for group in groups], [tuple(d) for d in (*depends, *groups)], after or {}, {}, {})


def drain(schedule: Schedule, failing: frozenset[int] = frozenset()) -> list[int]:
    """Run everything as stale, one at a time in the order of starts."""
    ran = []
    while not schedule.done:
        for edge in schedule.decidable():
            schedule.mark_ready(edge)
        edge = schedule.start()
        assert edge is not None
        ran.append(edge)
        schedule.end(edge, "failed" if edge in failing else "ran")
    return ran


def test_an_edge_is_decided_when_all_it_needs_has_ended():
    schedule = Schedule(graph_of([(), (), (0, 1)]), [0, 1, 2])

    assert schedule.decidable() == [0, 1]
    assert schedule.decidable() == []
    schedule.end(1, "fresh")
    assert schedule.decidable() == []
    schedule.end(0, "fresh")
    assert schedule.decidable() == [2]
    schedule.end(2, "fresh")
    assert schedule.done


def test_a_group_ends_with_its_last_edge():
    schedule = Schedule(graph_of([(), (), (3,)], groups=[(0, 1)]), [0, 1, 3, 2])

    assert schedule.decidable() == [0, 1]
    schedule.end(0, "fresh")
    schedule.end(1, "fresh")
    assert schedule.decidable() == [2]


def test_a_group_of_nothing_holds_nobody_up():
    assert drain(Schedule(graph_of([(1,)], groups=[()]), [1, 0])) == [0]


def test_groups_of_groups_end_together():
    schedule = Schedule(graph_of([(), (3,)], groups=[(0,), (2,)]), [0, 2, 3, 1])

    assert drain(schedule) == [0, 1]


def test_nodes_outside_the_order_count_as_ended():
    assert drain(Schedule(graph_of([(), (0,)]), [1])) == [1]


def test_after_orders_without_files():
    schedule = Schedule(graph_of([(), ()], after={0: (1,)}), [1, 0])

    assert schedule.decidable() == [1]


def test_an_extra_dependency_comes_first_though_the_order_says_otherwise():
    assert drain(Schedule(graph_of([(), (), ()]), [0, 1, 2], {0: (2,)})) == [2, 0, 1]


def test_extra_dependencies_that_close_a_cycle_are_left_out():
    schedule = Schedule(graph_of([(), (0,), (1,), ()]), [0, 1, 2, 3], {0: (2,), 1: (3,)})

    assert schedule.dropped == (0, 1)
    assert drain(schedule) == [0, 1, 2, 3]


def test_no_more_run_at_once_than_jobs():
    schedule = Schedule(graph_of([(), (), ()]), [0, 1, 2], jobs=2)
    for edge in schedule.decidable():
        schedule.mark_ready(edge)

    assert [schedule.start(), schedule.start(), schedule.start()] == [0, 1, None]
    assert schedule.running == 2
    schedule.end(0, "ran")
    assert schedule.start() == 2


def test_the_longest_remaining_path_starts_first_and_ties_go_by_id():
    """0 is short, 1 heads a chain, 2 takes long by itself, 3 equals 0."""
    graph = graph_of([(), (), (), (), (1,), (4,)])

    assert drain(Schedule(graph, range(6), weights={0: 1, 1: 1, 2: 5, 3: 1, 4: 1, 5: 1})) == [2, 1, 4, 0, 3, 5]


def test_an_edge_without_a_weight_counts_as_the_median():
    assert drain(Schedule(graph_of([(), (), (), ()]), range(4), weights={0: 1.0, 1: 4.0, 2: 9.0})) == [2, 1, 3, 0]


def test_a_failure_stops_all_without_keep_going():
    schedule = Schedule(graph_of([(), (0,), (1,), ()]), range(4), jobs=2)
    for edge in schedule.decidable():
        schedule.mark_ready(edge)
    assert [schedule.start(), schedule.start()] == [0, 3]

    schedule.end(0, "failed")

    assert schedule.stopping
    assert not schedule.done
    assert schedule.skipped == [1, 2]
    schedule.end(3, "ran")
    assert schedule.done
    assert schedule.decidable() == []


def test_keep_going_runs_what_does_not_need_the_failed_edge():
    schedule = Schedule(graph_of([(), (0,), (1, 3), (), (3,)]), [0, 1, 3, 2, 4], keep_going=True)

    assert drain(schedule, frozenset({0})) == [0, 3, 4]
    assert schedule.skipped == [1, 2]


def test_a_failure_goes_through_groups():
    schedule = Schedule(graph_of([(), (), (3,)], groups=[(0, 1)]), [0, 1, 3, 2], keep_going=True)

    assert drain(schedule, frozenset({0})) == [0, 1]
    assert schedule.skipped == [2]


def test_what_the_engine_skips_is_skipped_with_all_below_and_stops_nothing():
    schedule = Schedule(graph_of([(), (0,), ()]), range(3))
    assert schedule.decidable() == [0, 2]
    schedule.end(0, "skipped")
    schedule.end(2, "fresh")

    assert (schedule.skipped, schedule.stopping, schedule.done) == ([0, 1], False, True)


def test_what_is_left_out_lets_go_on_what_comes_after():
    """Whether that can do without it is not the schedule's to know; a barrier opens as for any end."""
    for barrier in (False, True):
        schedule = Schedule(graph_of([(), (0,), (1,)]), [0, 1, 2], barrier=barrier)
        assert schedule.decidable() == [0]
        schedule.end(0, "left")
        assert schedule.decidable() == [1]
        schedule.end(1, "left")
        assert schedule.decidable() == [2]
        schedule.mark_ready(2)
        assert (schedule.start(), schedule.skipped) == (2, [])


def test_a_slot_is_free_between_two_attempts():
    """An edge that waits for its next attempt holds up the end of the build and what needs it, and nobody else."""
    schedule = Schedule(graph_of([(), (), (0,)]), [0, 1, 2], jobs=1)
    for edge in schedule.decidable():
        schedule.mark_ready(edge)
    assert schedule.start() == 0
    assert schedule.start() is None
    schedule.free(0)
    assert schedule.start() == 1
    schedule.end(1, "ran")
    assert (schedule.done, schedule.decidable(), schedule.start()) == (False, [], None)
    schedule.mark_ready(0)
    assert schedule.start() == 0
    schedule.end(0, "ran")
    assert schedule.decidable() == [2]


def test_an_edge_can_fail_while_it_is_decided():
    schedule = Schedule(graph_of([(), (0,)]), range(2))
    schedule.decidable()
    schedule.end(0, "failed")

    assert (schedule.skipped, schedule.done) == ([1], True)


def test_a_ready_edge_that_ends_is_not_started():
    schedule = Schedule(graph_of([()]), range(1))
    schedule.decidable()
    schedule.mark_ready(0)
    schedule.end(0, "fresh")

    assert schedule.start() is None
    assert schedule.done


def test_stop_starts_nothing_more():
    schedule = Schedule(graph_of([(), ()]), range(2))
    for edge in schedule.decidable():
        schedule.mark_ready(edge)
    assert schedule.start() == 0
    schedule.stop()
    schedule.end(0, "ran")

    assert schedule.start() is None
    assert schedule.done


def test_a_barrier_holds_a_wave_until_the_lower_one_has_ended():
    schedule = Schedule(graph_of([(), (0,), ()]), range(3), jobs=2, barrier=True)
    for edge in schedule.decidable():
        schedule.mark_ready(edge)
    assert [schedule.start(), schedule.start()] == [0, 2]
    schedule.end(0, "ran")
    assert schedule.decidable() == [1]
    schedule.mark_ready(1)

    assert schedule.start() is None
    schedule.end(2, "ran")
    assert schedule.start() == 1


def test_a_barrier_knows_of_extra_dependencies():
    """Edge 0 stands in the lowest wave of the graph, and needs one of the highest."""
    schedule = Schedule(graph_of([(), (), (1,), (2,)]), range(4), {0: (3,)}, barrier=True)

    assert drain(schedule) == [1, 2, 3, 0]


def test_a_failed_wave_does_not_hold_the_next_one():
    schedule = Schedule(graph_of([(), (), (1,), (0,)]), range(4), keep_going=True, barrier=True)

    assert drain(schedule, frozenset({0})) == [0, 1, 2]


def test_a_chain_of_100_000_that_fails_at_its_head():
    """Case 29: no recursion anywhere."""
    count = 100_000
    graph = graph_of([()] + [(edge - 1,) for edge in range(1, count)])
    schedule = Schedule(graph, range(count))
    schedule.mark_ready(schedule.decidable()[0])
    schedule.end(0, "failed")

    assert len(schedule.skipped) == count - 1
    assert schedule.done


def test_a_chain_of_100_000_runs_link_by_link():
    count = 100_000
    graph = graph_of([()] + [(edge - 1,) for edge in range(1, count)])

    assert drain(Schedule(graph, range(count), barrier=True)) == list(range(count))


def test_a_fan_in_of_100_000_used_often_is_linear():
    """A group of n edges that n edges use: 2n dependencies are kept, not n squared."""
    count = 100_000
    group = 2 * count
    graph = graph_of([()] * count + [(group,)] * count, groups=[range(count)])
    schedule = Schedule(graph, [*range(count), group, *range(count, 2 * count)])

    for edge in schedule.decidable():
        schedule.end(edge, "fresh")
    assert schedule.decidable() == list(range(count, 2 * count))
    assert len(schedule._target) == 2 * count


@st.composite
def builds(draw: st.DrawFn) -> tuple[Graph, list[int], dict[int, tuple[int, ...]]]:
    count = draw(st.integers(1, 12))
    nodes = draw(st.permutations(range(count)))
    depends: list[tuple[int, ...]] = [()] * count
    groups: list[tuple[int, ...]] = []
    order: list[int] = []
    for at, node in enumerate(nodes):
        earlier = st.sets(st.sampled_from(nodes[:at]), max_size=3) if at else st.just(set[int]())
        above = sorted(draw(earlier))
        if above and draw(st.booleans()):
            groups.append(tuple(above))
            order.append(count + len(groups) - 1)
            depends[node] = (order[-1],)
        else:
            depends[node] = tuple(above)
        order.append(node)
    anyone = st.integers(0, count - 1)
    extra = draw(st.dictionaries(anyone, st.sets(anyone, max_size=2).map(lambda found: tuple(sorted(found))), max_size=3))
    return graph_of(depends, groups), order, extra


def edges_above(graph: Graph, extra: Mapping[int, tuple[int, ...]], edge: int) -> set[int]:
    found: set[int] = set()
    for node in (*graph.depends[edge], *extra.get(edge, ())):
        found |= set(graph.depends[node]) if node >= len(graph.edges) else {node}
    return found - {edge}


@settings(deadline=None, max_examples=300)
@given(build=builds(), jobs=st.integers(1, 4), keep_going=st.booleans(), barrier=st.booleans(), data=st.data())
def test_every_build_ends_and_respects_every_dependency(build, jobs, keep_going, barrier, data):
    """Random graphs, random outcomes, random order of ends: nothing is decided early or twice, and nothing waits for ever."""
    graph, order, extra = build
    schedule = Schedule(graph, order, extra, jobs=jobs, keep_going=keep_going, barrier=barrier)
    extra = {edge: above for edge, above in extra.items() if edge not in schedule.dropped}
    outcome: dict[int, str] = {}
    seen: set[int] = set()
    running: set[int] = set()

    def end(edge: int, how: str) -> None:
        outcome[edge] = how
        schedule.end(edge, how)

    while not schedule.done:
        progress = False
        for edge in schedule.decidable():
            progress = True
            assert edge not in seen
            seen.add(edge)
            assert all(outcome.get(above) in ("fresh", "ran") for above in edges_above(graph, extra, edge))
            if data.draw(st.booleans()):
                end(edge, "fresh")
            else:
                schedule.mark_ready(edge)
        while (started := schedule.start()) is not None:
            progress = True
            running.add(started)
        assert len(running) == schedule.running <= jobs
        if running:
            progress = True
            edge = data.draw(st.sampled_from(sorted(running)))
            running.remove(edge)
            end(edge, data.draw(st.sampled_from(["ran", "ran", "failed"])))
        assert progress or schedule.done

    edges = set(range(len(graph.edges)))
    assert not set(schedule.skipped) & set(outcome)
    assert all(any(above in schedule.skipped or outcome.get(above) == "failed" for above in edges_above(graph, extra, e)) for e in schedule.skipped)
    if not schedule.stopping:
        assert set(schedule.skipped) | set(outcome) == edges


# --- edges that are given out once more


def test_who_waits_for_a_reopened_edge_is_given_out_when_that_has_ended():
    """And nobody else: what had ended below it stays ended."""
    schedule = Schedule(graph_of([(), (0,), (0,)]), [0, 1, 2])
    schedule.decidable()
    schedule.end(0, "fresh")
    assert schedule.decidable() == [1, 2]
    schedule.end(1, "fresh")
    schedule.reopen(0)
    schedule.wait(2, [0])
    assert (schedule.decidable(), schedule.left) == ([0], 2)
    schedule.mark_ready(0)
    assert schedule.start() == 0
    schedule.end(0, "ran")
    assert (schedule.decidable(), schedule.has_ended(1)) == ([2], True)
    schedule.end(2, "fresh")
    assert schedule.done


def test_a_reopened_edge_that_fails_skips_who_waits_for_it():
    """As any failure, but for what had ended."""
    schedule = Schedule(graph_of([(), (0,), (0,), (2,)]), [0, 1, 2, 3], keep_going=True)
    schedule.decidable()
    schedule.end(0, "fresh")
    schedule.decidable()
    schedule.end(1, "fresh")
    schedule.reopen(0)
    schedule.wait(2, [0])
    assert schedule.decidable() == [0]
    schedule.end(0, "failed")
    assert (schedule.skipped, schedule.done) == ([2, 3], True)
    schedule.mark_ready(2)
    assert schedule.start() is None


def test_an_edge_that_cannot_start_after_all_gives_its_slot_back():
    """Held, it is made ready later; waiting, it is given out anew."""
    schedule = Schedule(graph_of([(), (0,), ()]), [0, 1, 2], jobs=1)
    for edge in schedule.decidable():
        schedule.mark_ready(edge)
    first = schedule.start()
    assert first == 0
    schedule.put_back(0)
    assert (schedule.running, schedule.start()) == (0, 2)
    schedule.end(2, "ran")
    assert schedule.start() is None
    schedule.mark_ready(0)
    assert schedule.start() == 0
    schedule.end(0, "ran")
    assert schedule.decidable() == [1]
    schedule.mark_ready(1)
    assert (schedule.start(), schedule.is_busy(1)) == (1, True)
    schedule.reopen(0)
    schedule.wait(1, [0])
    assert (schedule.running, schedule.is_busy(1), schedule.decidable()) == (0, False, [0])


def test_dependents_are_found_through_groups():
    """Each once."""
    schedule = Schedule(graph_of([(), (), (4, 0), (4,)], groups=[(0, 1)]), [0, 1, 4, 2, 3])
    assert sorted(schedule.dependents(0)) == [2, 3]
    assert sorted(schedule.dependents(1)) == [2, 3]
    assert schedule.dependents(2) == []
