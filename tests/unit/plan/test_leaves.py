"""JSON as a flat list of numbers by dotted path."""

import json
import math

import pytest

from pipefile.plan.leaves import leaves, numbers, spelled


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (7, {"": 7}),
        ({"loss": 0.5, "recall": [0.9, {"x": 1}]}, {"loss": 0.5, "recall.0": 0.9, "recall.1.x": 1}),
        ({"a.b": 1, "a": {"b": 2}}, {'"a.b"': 1, "a.b": 2}),
        ({"": 1, '"x"': 2}, {'""': 1, '"\\"x\\""': 2}),
        ({"empty": {}, "none": [], "null": None, "text": "x"}, {"empty": {}, "none": [], "null": None, "text": "x"}),
        ([[1, 2], [3]], {"0.0": 1, "0.1": 2, "1.0": 3}),
        ({}, {"": {}}),
    ],
)
def test_leaves(value, expected):
    """In the order in which they stand; a name with a dot in it is one part all the same."""
    found = list(leaves(value))
    assert found == list(expected.items())


def test_numbers_alone():
    """Truths, texts and null are none; what JSON does not know is spelled."""
    value = json.loads('{"a": 1, "b": true, "c": "2", "d": null, "e": [NaN, Infinity, -Infinity, 1e999], "f": 0.0}')
    found = {"a": 1, "e.0": "NaN", "e.1": "Infinity", "e.2": "-Infinity", "e.3": "Infinity", "f": 0.0}
    assert numbers(value, 100) == (found, True)
    assert numbers(value, 2) == ({"a": 1, "e.0": "NaN"}, False)
    assert numbers(value, 6) == (found, True)


def test_deep_nesting():
    """Nothing recurses."""
    value = 1
    for _ in range(100_000):
        value = [value]
    assert [leaf for _, leaf in leaves(value)] == [1]


def test_spelled():
    assert (spelled(0.5), spelled(math.nan), spelled(-math.inf)) == (0.5, "NaN", "-Infinity")
