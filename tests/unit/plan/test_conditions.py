"""What is left out, as far as the graph alone tells."""

from __future__ import annotations

from dataclasses import replace

import pytest
from kit.graphs import FakeWorld, fault_of, graph_of, stage

from pipefile.model.graph import Edge, Graph
from pipefile.model.stage import Condition, InputGroup, InputItem, Output, Stage
from pipefile.plan.conditions import false_text, static, value_of
from pipefile.plan.cycles import topological


def conditional(made: Stage, kind: str, name: str, value: object = True) -> Stage:
    return replace(made, should_run=Condition(kind, name, value))  # type: ignore[arg-type]


def optional(made: Stage, path: str) -> Stage:
    return replace(made, inputs=(*made.inputs, InputGroup(None, (InputItem(path, True),))))


def returning(name: str, value: str = "bool") -> Stage:
    return replace(stage(name), outputs=(Output("answer", f"store/values/{name}/answer.json", value=value),))


def left(graph: Graph, holds: str = "no") -> tuple[dict[str, str], set[str]]:
    """What is left out, with why, and what may be, if no condition holds."""

    def fault(_: Edge) -> str:
        return holds

    found, unsure = static(graph, topological(graph.depends, graph.order, range(len(graph.edges))), fault)
    return {graph.edges[edge].name: why for edge, why in found.items()}, {graph.edges[edge].name for edge in unsure}


def test_who_needs_what_is_left_out() -> None:
    """Through any number of stages; but not who merely comes after, or can do without."""
    a = conditional(stage("a", outputs=["x"]), "env", "A")
    graph = graph_of(
        a,
        stage("b", ["x"], ["y"]),
        stage("c", ["y"], ["z"]),
        stage("late", outputs=["l"], after=("a",)),
        optional(stage("can", outputs=["o"]), "x"),
        stage("all", ["a.outputs"], ["w"]),
    )
    assert left(graph)[0] == {
        "a": "no",
        "b": "it needs stage `a`, which is skipped",
        "c": "it needs stage `b`, which is skipped",
        "all": "it needs stage `a`, which is skipped",
    }
    assert left(graph, "") == ({}, set())


def test_values_are_open() -> None:
    """What a value decides may be left out, and so may all that needs it."""
    graph = graph_of(
        returning("ask"), conditional(stage("a", outputs=["x"]), "output", "ask.answer"), stage("b", ["x"], ["y"]), stage("c", outputs=["z"])
    )
    assert left(graph) == ({}, {"a", "b"})
    assert graph.order[1] == (0,)


def test_value_of_what_is_left_out() -> None:
    """Decides against, at once."""
    graph = graph_of(conditional(returning("ask"), "env", "A"), conditional(stage("a", outputs=["x"]), "output", "ask.answer"))
    assert left(graph)[0]["a"] == "its condition `ask.answer` comes from stage `ask`, which is skipped"


def test_names_with_dots() -> None:
    """A value is found whatever dots are in the names of stages; of a stage without declared outputs any key is one."""
    stages = {made.name: made for made in (returning("a.b"), replace(stage("s"), outputs=(Output("result", "r.json", value="result"),)))}
    found = value_of("a.b.answer", stages)
    assert found is not None
    assert (found[0], found[2]) == ("a.b", "")
    found = value_of("s.x.y", stages)
    assert found is not None
    assert (found[0], found[2]) == ("s", "x.y")
    assert value_of("a.answer", stages) is None


@pytest.mark.parametrize(
    ("condition", "value", "text"),
    [
        (Condition("value", "global.on"), False, "`global.on` is false"),
        (Condition("value"), False, "`should_run` is false"),
        (Condition("value", "global.n"), 0, "`global.n` is 0"),
        (Condition("output", "a.b"), None, "`a.b` is null"),
        (Condition("output", "a.b"), "", "`a.b` is empty"),
        (Condition("output", "a.b"), [], "`a.b` is empty"),
        (Condition("output", "a.b"), {}, "`a.b` is empty"),
        (Condition("output", "a.b"), 0.0, "`a.b` is 0.0"),
        (Condition("env", "CI"), None, "environment variable `CI` is not set"),
        (Condition("env", "CI"), "", "environment variable `CI` is empty"),
        (Condition("env", "CI"), "0", ""),
        (Condition("exists", "x"), False, "`x` does not exist"),
        (Condition("output", "a.b"), [0], ""),
    ],
)
def test_what_is_false(condition: Condition, value: object, text: str) -> None:
    """What counts as false, and how it is told."""
    assert false_text(condition, value) == text


def test_exists_asks_for_sources_alone() -> None:
    """A condition on a file that a stage of the same graph makes would hold in every second build."""
    maker = stage("a", outputs=["x"])
    fault = fault_of(maker, conditional(stage("b", outputs=["y"]), "exists", "x"))
    assert fault == (
        "error: `exists` in `should_run` names `x`, which stage `a` makes\n  Pipefile.toml  `b`\n"
        'hint: what a stage finds out is handed on as a value: `should_run = "STAGE.VALUE"`'
    )
    inside = fault_of(stage("a", outputs=["d/"]), conditional(stage("b", outputs=["y"]), "exists", "d/x"), world=FakeWorld())
    assert "names `d/x`, which stage `a` makes" in inside


def test_cycles() -> None:
    """A stage cannot decide about one that it comes after."""
    ask = replace(returning("ask"), inputs=(InputGroup(None, (InputItem("x"),)),))
    fault = fault_of(ask, conditional(stage("a", outputs=["x"]), "output", "ask.answer"))
    assert fault == (
        "error: dependency cycle: `ask` -> `x` -> `ask`\n"
        "  Pipefile.toml  `ask` needs `x`\n"
        "  Pipefile.toml  a value of `ask` decides whether `a` runs"
    )


def test_cycle_by_way_of_a_fallback() -> None:
    """What a fallback needs cannot need the stage that it stands in for."""
    main = replace(stage("main", outputs=["x"]), fallback="plain")
    fault = fault_of(main, stage("plain", ["y"], run="cat y"), stage("b", ["x"], ["y"]))
    assert fault.splitlines()[0].startswith("error: dependency cycle: ")
    assert "  Pipefile.toml  `main` comes after `b`, for its fallback `plain`" in fault.splitlines()


def test_fallback_that_needs_the_outputs() -> None:
    """Nor the outputs themselves."""
    main = replace(stage("main", outputs=["x"]), fallback="plain")
    assert fault_of(main, stage("plain", ["x"], run="cat x")) == (
        "error: `x`, an input of `plain`, is made by stage `main`, whose fallback that is\n"
        "  Pipefile.toml  `plain`\n  Pipefile.toml  `main`\n"
        "hint: a fallback runs when its stage has failed"
    )
