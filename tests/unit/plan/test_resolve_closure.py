"""What is asked for, what it needs, and what of that is missing."""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kit.graphs import FakeWorld, before, graph_of, needs_of, pipeline, stage

from pipefile.base.errors import UsageError
from pipefile.base.locations import Position
from pipefile.model.graph import Graph
from pipefile.model.stage import Stage
from pipefile.plan.resolve import closure, missing_sources, resolve, select

STAGES = (
    stage("clean", ["raw/sales.csv"], ["data/clean.csv", "data/bad.csv"]),
    stage("split", ["data/clean.csv"], ["parts/"]),
    stage("lint", ["raw/sales.csv"]),
    stage("parts", [], ["other"]),
)


def names(stages: tuple[Stage, ...], *targets: str, world: FakeWorld | None = None, **declared: object) -> list[str]:
    declaration = pipeline(stages, **declared)  # type: ignore[arg-type]
    graph = resolve(declaration, world or FakeWorld("raw/sales.csv"))
    return [graph.edges[number].name for number in select(graph, declaration, targets, world)]


def missing(*stages: Stage, world: FakeWorld | None = None, targets: tuple[str, ...] = ()) -> str:
    declaration = pipeline(stages)
    graph = resolve(declaration, world or FakeWorld())
    wanted = select(graph, declaration, targets) or range(len(stages))
    error = missing_sources(graph, closure(graph, wanted), world or FakeWorld())
    if error is None:
        return ""
    error.locate(lambda _, key: Position(len(key[1]), 1) if key else None)  # type: ignore[arg-type]
    return str(error)


@pytest.mark.parametrize(
    ("target", "found"),
    [
        ("all", ["lint", "clean"]),
        ("clean", ["clean"]),
        ("data/bad.csv", ["clean"]),
        ("./data/x/../bad.csv", ["clean"]),
        ("parts", ["parts"]),
        ("parts/", ["split"]),
        ("parts/1.csv", ["split"]),
        ("data", ["clean"]),
        ("data/", ["clean"]),
        (".", ["clean", "split", "parts"]),
    ],
)
def test_a_target_is_an_alias_then_a_stage_then_a_file(target, found):
    assert names(STAGES, target, aliases={"all": ("inner", "clean"), "inner": ("lint", "data/bad.csv", "inner2"), "inner2": ()}) == found


def test_without_targets_the_default_or_all_that_have_outputs():
    assert names(STAGES) == ["clean", "split", "parts"]
    assert names(STAGES, default=("lint", "all"), aliases={"all": ("parts/",)}) == ["lint", "split"]
    assert names(STAGES, default=()) == []


def test_targets_that_nothing_makes():
    with pytest.raises(UsageError) as unknown:
        names(STAGES, "clena")
    with pytest.raises(UsageError) as output:
        names(STAGES, "data/claen.csv")
    with pytest.raises(UsageError) as source:
        names(STAGES, "raw/sales.csv")
    with pytest.raises(UsageError) as file:
        names(STAGES, "README", world=FakeWorld("raw/sales.csv", "README"))
    with pytest.raises(UsageError) as nothing:
        names(STAGES, "zzz")

    assert str(unknown.value) == "error: no alias, stage or output is called `clena`\nhint: did you mean `clean`?"
    assert str(output.value) == "error: no alias, stage or output is called `data/claen.csv`\nhint: did you mean `data/clean.csv`?"
    assert str(source.value) == "error: `raw/sales.csv` is a source: no stage makes it"
    assert str(file.value) == "error: `README` is a source: no stage makes it"
    assert str(nothing.value) == "error: no alias, stage or output is called `zzz`"


def test_a_closure_holds_what_comes_before_and_nothing_else():
    graph = graph_of(
        stage("x", [], ["x"]), stage("b", ["o/*"], ["b"], after=("a",)), stage("a"), stage("o1", [], ["o/1"]), stage("o2", [], ["o/2"])
    )

    assert closure(graph, [1]) == [3, 4, 5, 2, 1]
    assert closure(graph, [0]) == [0]


def test_a_missing_source_with_all_who_need_it():
    stages = (
        stage("clean", ["raw/salse.csv"], ["data/clean.csv"]),
        stage("plot", ["data/clean.csv"], ["plot.png"]),
        stage("page", ["plot.png"], ["page.html"]),
        stage("check", ["page.html"]),
    )

    assert missing(*stages, world=FakeWorld("raw/sales.csv", "raw/.salse.csv.hash"), targets=("check",)) == (
        "error: `raw/salse.csv` does not exist and no stage makes it\n"
        "  needed by `data/clean.csv` (`clean`, Pipefile.toml:5)\n"
        "  needed by `plot.png` (`plot`, Pipefile.toml:4)\n"
        "  needed by `page.html` (`page`, Pipefile.toml:4)\n"
        "  needed by `check` (Pipefile.toml:5)\n"
        "hint: did you mean `raw/sales.csv`?"
    )


def test_a_long_chain_of_who_needs_it_is_cut_in_the_middle():
    text = missing(*[stage(f"s{number}", [f"f{number}"], [f"f{number + 1}"]) for number in range(1000)], targets=("s999",))

    assert text == (
        "error: `f0` does not exist and no stage makes it\n"
        "  needed by `f1` (`s0`, Pipefile.toml:2)\n"
        "  needed by `f2` (`s1`, Pipefile.toml:2)\n"
        "  needed by `f3` (`s2`, Pipefile.toml:2)\n"
        "  needed by `f4` (`s3`, Pipefile.toml:2)\n"
        "  ... 992 more\n"
        "  needed by `f997` (`s996`, Pipefile.toml:4)\n"
        "  needed by `f998` (`s997`, Pipefile.toml:4)\n"
        "  needed by `f999` (`s998`, Pipefile.toml:4)\n"
        "  needed by `f1000` (`s999`, Pipefile.toml:4)"
    )


@pytest.mark.parametrize(
    ("wanted", "hint"),
    [
        ("data/claen.csv", "did you mean `data/clean.csv`?"),
        ("dta/in.csv", "did you mean `data/in.csv`?"),
        ("clean.dta", "did you mean `clean.data`?"),
        ("clean.total", "stage `clean` has `clean.data`"),
        ("clean.output", "did you mean `clean.outputs`?"),
        ("raw/cafe\u0301.csv", "`raw/caf\u00e9.csv` exists, which looks the same: its Unicode characters are composed otherwise"),
        ("build/sub/clean.csv", "did you mean `data/clean.csv`?"),
        ("build/sub/other.csv", ""),
        ("data", "`data/` is the folder with what stages make in it"),
    ],
)
def test_what_may_have_been_meant(wanted, hint):
    world = FakeWorld(*(["data/in.csv"] if wanted != "data" else []), "raw/caf\u00e9.csv")
    text = missing(stage("clean", [], {"data": "data/clean.csv"}), stage("use", [wanted], ["u"]), world=world)
    whole = f"error: `{wanted}` does not exist and no stage makes it\n  needed by `u` (`use`, Pipefile.toml:3)"

    assert text == (f"{whole}\nhint: {hint}" if hint else whole)


def test_several_missing_sources_at_once():
    stages = [stage(f"s{number:02}", [f"raw/sale.{number}.csv", f"{number:02}/*.csv"], [f"o{number}"]) for number in range(6)]

    assert missing(*stages, world=FakeWorld("raw/sales.csv")) == (
        "error: 12 inputs are not there\n"
        + "".join(
            f"  `raw/sale.{number}.csv` does not exist and no stage makes it, needed by `o{number}` (`s{number:02}`, Pipefile.toml:3); "
            "did you mean `raw/sales.csv`?\n"
            f"  no file matches `{number:02}/*.csv`, needed by `o{number}` (`s{number:02}`, Pipefile.toml:3)\n"
            for number in range(5)
        )
        + "  ... 2 more"
    )


def test_globs_and_directories_that_are_not_there():
    assert missing(stage("s", ["raw/*.csv"], ["o"])) == "error: no file matches `raw/*.csv`\n  needed by `o` (`s`, Pipefile.toml:1)"
    assert missing(stage("s", ["raw/"], ["o"])) == "error: `raw/` does not exist and no stage makes it\n  needed by `o` (`s`, Pipefile.toml:1)"
    assert missing(stage("s", ["*.txt"], ["o.txt"])) == "error: no file matches `*.txt`\n  needed by `o.txt` (`s`, Pipefile.toml:1)"


def test_a_source_that_became_a_directory_since():
    graph = graph_of(stage("s", ["data"], ["o"]), world=FakeWorld("data"))

    error = missing_sources(graph, [0], FakeWorld("data/x"))

    assert str(error) == "error: input `data` is a directory\n  Pipefile.toml  `s`\nhint: write `data/`"


def test_what_is_optional_made_or_not_asked_for_is_not_missing():
    stages = (
        stage("a", ["x", "y*", "z/"], ["a"], optional=True),
        stage("b", ["a", "b.outputs2"], ["b"], optional=True),
        stage("dir", [], ["d/"]),
        stage("in", ["d/x", "d/*.c", "d/"], ["in"]),
        stage("broken", ["nowhere"], ["broken"]),
    )

    assert missing(*stages, targets=("b", "in")) == ""


def test_a_glob_is_missing_for_the_one_that_does_not_take_it_as_optional():
    assert missing(stage("a", ["x*"], ["a"], optional=True), stage("b", ["x*"], ["b"])) == (
        "error: no file matches `x*`\n  needed by `b` (`b`, Pipefile.toml:1)"
    )
    assert missing(stage("a", ["x"], ["a"], optional=True), stage("b", ["x"], ["b"])) == (
        "error: `x` does not exist and no stage makes it\n  needed by `b` (`b`, Pipefile.toml:1)"
    )


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 14), st.sets(st.tuples(st.integers(0, 13), st.integers(0, 13)), max_size=40), st.randoms())
def test_closures_of_random_graphs_are_topological_and_complete(count: int, pairs: set[tuple[int, int]], chance: random.Random):
    arrows = {(low, high) for low, high in pairs if low < high < count}
    ways = {arrow: chance.choice(["file", "after", "glob", "word", "reference"]) for arrow in sorted(arrows)}
    stages = []
    for number in range(count):
        above = {low: way for (low, high), way in ways.items() if high == number}
        spelt = {"file": "o/f{0}", "glob": "o/[f]{0}", "reference": "s{0}.outputs"}
        inputs = [spelt[way].format(low) for low, way in above.items() if way in spelt]
        words = [f"o/f{low}" for low, way in above.items() if way == "word"]
        after = tuple(f"s{low}" for low, way in above.items() if way == "after")
        stages.append(stage(f"s{number}", inputs, [f"o/f{number}"], " ".join(["cat", *words]), after=after))
    chance.shuffle(stages)
    graph = graph_of(*stages)
    wanted = chance.sample(range(count), chance.randint(0, count))

    nodes = closure(graph, wanted)

    reached = {graph.edges[number].name for number in wanted}
    for low, high in sorted(arrows, reverse=True, key=lambda arrow: arrow[1]):
        if f"s{high}" in reached:
            reached.add(f"s{low}")
    assert sorted(graph.edges[node].name for node in nodes if node < count) == sorted(reached)
    place = {node: position for position, node in enumerate(nodes)}
    assert len(place) == len(nodes)
    for node in nodes:
        assert all(place[other] < place[node] for other in (*graph.depends[node], *graph.order.get(node, ())))
    assert nodes == closure(graph_of(*stages), wanted)
    by_name = {edge.name: edge.wave for edge in graph.edges}
    for number in range(count):
        above = [by_name[f"s{low}"] + 1 for low, high in arrows if high == number]
        assert by_name[f"s{number}"] == max(above, default=0)


def timed_closure(graph: Graph) -> list[int]:
    return closure(graph, range(len(graph.edges)))


COUNT = 100_000  # case 29 of 7-reliability; make and ninja crash on such a chain


def test_a_chain_of_a_hundred_thousand():
    started = time.monotonic()
    graph = graph_of(*[stage(f"s{number}", [f"f{number}"], [f"f{number + 1}"]) for number in reversed(range(COUNT))])

    assert timed_closure(graph) == list(reversed(range(COUNT)))
    assert graph.edges[0].wave == COUNT - 1
    error = missing_sources(graph, timed_closure(graph), FakeWorld())
    assert str(error).splitlines()[:2] == ["error: `f0` does not exist and no stage makes it", "  needed by `f1` (`s0`, Pipefile.toml)"]
    assert time.monotonic() - started < 60


def test_a_fan_in_of_a_hundred_thousand():
    started = time.monotonic()
    makers = [stage(f"s{number}", [], [f"o/{number}"]) for number in range(COUNT)]
    graph = graph_of(*makers, stage("named", [f"o/{number}" for number in range(COUNT)]), stage("matched", ["o/*"]))

    assert timed_closure(graph)[-3:] == [COUNT, COUNT + 2, COUNT + 1]
    assert [edge.wave for edge in graph.edges[-2:]] == [1, 1]
    assert len(before(graph, "matched")) == COUNT
    assert time.monotonic() - started < 60


def test_ten_thousand_edges_that_share_a_glob_of_ten_thousand_files():
    started = time.monotonic()
    makers = [stage(f"m{number}", [], [f"o/{number}"]) for number in range(10_000)]
    users = [stage(f"u{number}", ["o/*", "m0.outputs"], [f"p/{number}"], f"cat x{number} o/1") for number in range(10_000)]
    graph = graph_of(*makers, *users)

    assert len(timed_closure(graph)) == 20_001
    assert sum(len(nodes) for nodes in graph.depends) == 10_000 + 2 * 10_000
    assert needs_of(graph, "u7")[1] == ("outputs", ("o/0",))
    assert graph.edges[-1].literal == ("x9999",)
    assert time.monotonic() - started < 60
