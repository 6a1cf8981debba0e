"""What differs between two runs."""

import pytest

from pipefile.model.output import StageOutput
from pipefile.model.run import EdgeResult
from pipefile.plan.rundiff import NOTHING, Change, Known, compare_edge


def known(run, data=(), metrics=(), references=(), **fields):
    output = StageOutput("s", data=dict(data), metrics=dict(metrics), by_reference=references)
    return Known(EdgeResult("s", "", 0, "ran", **fields), run, output)


def compared(before, after):
    return compare_edge("s", known("1", **before), known("2", **after))


def test_params_by_dotted_path():
    found = compared({"params": {"train": {"lr": 0.2, "epochs": 5}, "old": 1}}, {"params": {"train": {"lr": 0.1, "epochs": 5}, "new": True}})
    assert found.params == (Change("train.lr", 0.2, 0.1), Change("old", 1, NOTHING), Change("new", NOTHING, True))
    assert not found.same


def test_inputs_and_outputs_are_digests_and_values():
    """What is a digest is not for people; an input that is a value is."""
    found = compared(
        {"inputs": {"a": "blake3:1", "width": "640", "gone": "blake3:2"}, "outputs": {"o": "blake3:1"}},
        {"inputs": {"a": "blake3:9", "width": "800", "seen": ""}, "outputs": {"o": "blake3:2"}},
    )
    assert found.inputs == (
        Change("a", "blake3:1", "blake3:9", True), Change("width", "640", "800"), Change("gone", "blake3:2", NOTHING, True),
        Change("seen", NOTHING, "", True),
    )  # fmt: skip
    assert found.outputs == (Change("o", "blake3:1", "blake3:2", True),)


def test_code():
    """Commands, versions and variables that may be shown are texts; symbols are digests."""
    found = compared(
        {"code": {"run": "a", "s.py:f": "12", "package numpy": "1", "env A": "=x", "env B": "blake3:1"}},
        {"code": {"run": "b", "s.py:f": "34", "package numpy": "2", "env A": "=y", "env B": "blake3:2"}},
    )
    assert [(change.name, change.opaque) for change in found.code] == [
        ("run", False), ("s.py:f", True), ("package numpy", False), ("env A", False), ("env B", True),
    ]  # fmt: skip


def test_values_by_dotted_path_and_by_reference():
    """Of tables and lists the parts that differ; of what is large that it does."""
    big = {"path": "x", "digest": "blake3:1", "size": 5}
    other = {**big, "digest": "blake3:2"}
    found = compared(
        {"data": {"n": 1, "list": [1, 2, 3], "big": big, "same": "x", "flag": True}, "references": ("big",)},
        {"data": {"n": 1.5, "list": [1, 5], "big": other, "same": "x", "flag": 1}, "references": ("big",)},
    )
    assert found.values == (
        Change("n", 1, 1.5), Change("list.1", 2, 5), Change("list.2", 3, NOTHING), Change("big", big, other, True), Change("flag", True, 1),
    )  # fmt: skip


def test_metrics_by_file():
    same = {"same.json": {"x": 1}}
    found = compared({"metrics": {"m.json": {"a": 1, "b": 2}, **same}}, {"metrics": {"m.json": {"a": "NaN", "b": 2}, **same}})
    assert found.metrics == {"m.json": (Change("a", 1, "NaN"),)}


@pytest.mark.parametrize(
    ("a", "b", "difference"),
    [
        (0.3, 0.1, -0.2), (1, 3, 2), (1, 1.5, 0.5), (True, 2, None), ("1", 2, None), (NOTHING, 1, None), (10**400, 0.5, None),
        (1.7e308, -1.7e308, None), (10**400, 10**400 + 1, 1), ("NaN", 1.0, None),
    ],
)  # fmt: skip
def test_differences_of_numbers(a, b, difference):
    """As a person would write them; none where there is no telling."""
    assert Change("x", a, b).difference == difference


def test_what_is_the_same():
    """An edge that neither run has made itself, one that only took longer, and one that only one of them knows."""
    one = known("1", params={"a": 1})
    assert compare_edge("s", one, one).same
    assert compared({"duration_seconds": 1.0}, {"duration_seconds": 9.0}).same
    assert not compare_edge("s", one, None).same
    assert not compare_edge("s", None, one).same
