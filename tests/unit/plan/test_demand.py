"""Which instances of pattern rules there are, on worlds that are sets of names."""

from __future__ import annotations

import pytest
from kit.graphs import FakeWorld, pipeline, stage

from pipefile.base.dataclass import replace
from pipefile.base.errors import GraphError
from pipefile.model.graph import Graph
from pipefile.model.stage import Axis, ForEach, Stage
from pipefile.plan.resolve import resolve
from pipefile.plan.wildcards import ONE_NAME


def rule(name: str, inputs: list[str], output: str, where: str = ONE_NAME) -> Stage:
    """A rule with one wildcard, `{n}`."""
    each = ForEach((Axis("n", naming=("n",)),), names=("n",), wildcards=(("n", where),))
    return replace(stage(name, inputs, [output]), for_each=each)


def graph(world: FakeWorld, *stages: Stage, targets: tuple[str, ...] = ()) -> Graph:
    return resolve(pipeline(stages), world, targets)


def names(found: Graph) -> list[str]:
    return [edge.name for edge in found.edges]


class CountingWorld(FakeWorld):
    """Counts the looks at the disk."""

    looks = 0

    def kind(self, path: str):  # type: ignore[no-untyped-def]  # as its parent's
        self.looks += 1
        return super().kind(path)


def test_instances_stand_where_their_rule_does() -> None:
    """Edges are in the order of declaration, instances in the order of their names, whoever has asked first."""
    world = FakeWorld("a.c", "b.c", "c.c")
    found = graph(world, stage("one", ["b.o"], ["1"]), rule("obj", ["{n}.c"], "{n}.o"), stage("two", ["c.o", "a.o"], ["2"]))

    assert names(found) == ["one", "obj@a", "obj@b", "obj@c", "two"]
    assert found.by_stage["obj"] == (1, 2, 3)
    assert found.producer["b.o"] == 2
    assert [edge.wave for edge in found.edges] == [1, 0, 0, 0, 1]


def test_targets_do_not_change_other_instances() -> None:
    """What is asked for on the command line adds instances, and changes nothing of the others."""
    world = FakeWorld("a.c", "b.c")
    stages = (rule("obj", ["{n}.c"], "{n}.o"), stage("one", ["a.o"], ["1"]))

    assert names(graph(world, *stages)) == ["obj@a", "one"]
    assert names(graph(world, *stages, targets=("b.o", "one", "no.thing"))) == ["obj@a", "obj@b", "one"]


def test_records_tell_outputs_from_sources() -> None:
    """A file that a rule has made is no source, though nothing that it was made from is there; one that a person has written is."""
    world = FakeWorld("a.o", "b.o")
    world.makers = {"a.o": "obj@a", "b.o": "other@b"}
    found = graph(world, rule("obj", ["{n}.c"], "{n}.o"), stage("one", ["a.o", "b.o"], ["1"]))

    assert names(found) == ["obj@a", "one"]
    assert found.producer.get("b.o") is None


def test_what_was_looked_for_in_vain() -> None:
    """Files whose coming would change the graph are known: those that rules would make something of."""
    found = graph(FakeWorld("a.c"), rule("gen", ["{n}.y"], "{n}.c"), rule("obj", ["{n}.c"], "{n}.o"), stage("one", ["a.o"], ["1"]))

    assert names(found) == ["obj@a", "one"]
    assert found.rules is not None
    assert list(found.rules.absent) == ["a.y"]
    assert found.rules.makeable("a.c") is None
    assert found.rules.makeable("a.o") is None  # an edge makes it
    assert found.rules.makeable("b.o") is None
    assert found.rules.makeable("a.x") is None


def test_what_could_be_made() -> None:
    """What nothing asks for can be made of the files that are there, through all rules on the way."""
    found = graph(FakeWorld("b.y"), rule("gen", ["{n}.y"], "{n}.c"), rule("obj", ["{n}.c"], "{n}.o"))

    assert names(found) == []
    assert found.rules is not None
    assert found.rules.makeable("b.o") == ("b.y",)


def test_many_files_over_many_rules() -> None:
    """Each file is looked at a few times, however many rules and files there are beside it."""
    counts = []
    for size in (100, 400):
        world = CountingWorld(*[f"src{number % 20}/f{number}.c" for number in range(size)])
        rules = [rule(f"obj{number}", [f"src{number}/{{n}}.c"], f"out{number}/{{n}}.o") for number in range(20)]
        more = [rule(f"gen{number}", [f"src{number}/{{n}}.y"], f"src{number}/{{n}}.c") for number in range(20)]
        wanted = [f"out{number % 20}/f{number}.o" for number in range(size)]
        assert len(graph(world, *rules, *more, stage("all", wanted, ["all"])).edges) == size + 1
        counts.append(world.looks / size)

    assert counts[1] <= counts[0] <= 8


def chain(length: int) -> tuple[Stage, ...]:
    """Rules each of which makes the input of the one before."""
    return tuple([rule(f"r{number}", [f"{{n}}.{number + 1}"], f"{{n}}.{number}") for number in range(length)])


def test_a_long_chain_of_rules() -> None:
    """Forty rules in a row make a file; a chain of sixty is an error that says so."""
    assert names(graph(FakeWorld("a.40"), *chain(40), targets=("a.0",))) == [f"r{number}@a" for number in range(40)]
    with pytest.raises(GraphError, match=r"^error: a chain of more than 50 pattern rules makes `r50@a`\n"):
        graph(FakeWorld("a.60"), *chain(60), targets=("a.0",))
