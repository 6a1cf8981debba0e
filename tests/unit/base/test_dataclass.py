"""Cheap dataclasses are dataclasses to whoever looks at them."""

from __future__ import annotations

import copy
import dataclasses
import pickle

import pytest

from pipefile.base.dataclass import constructor, dataclass, field, replace


@dataclass(frozen=True, slots=True)
class Point:
    """A point."""

    x: int
    y: int = 2
    tags: list[str] = field(default_factory=list)

    @property
    def sum(self) -> int:
        return self.x + self.y


@dataclass(slots=True)
class Counter:
    count: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Thing:
    name: str


def test_values_and_defaults() -> None:
    """By position and by name; a default that is made is made for each."""
    assert (Point(1), Point(1, 3, ["a"]), Point(y=5, x=4)) == (Point(x=1, y=2, tags=[]), Point(1, 3, ["a"]), Point(4, 5))
    assert Point(1).tags is not Point(1).tags


def test_constructor() -> None:
    """What it makes is what calling the class makes, as frozen, and shares nothing but the fixed fields."""
    tags = ["a"]
    make = constructor(Point, {"y": 5, "tags": tags})
    found = [make(1), make(2)]
    assert found == [Point(1, 5, tags), Point(2, 5, tags)]
    assert [type(each) for each in found] == [Point, Point]
    assert found[0].sum == 6
    with pytest.raises(dataclasses.FrozenInstanceError):
        found[0].x = 3  # type: ignore[misc]  # that is the point
    assert pickle.loads(pickle.dumps(found[0])) == found[0]
    assert constructor(Point, {})(1, 2, tags) == Point(1, 2, tags)
    assert (Point(1).sum, Point.__doc__, repr(Point(1))) == (3, "A point.", "Point(x=1, y=2, tags=[])")
    with pytest.raises(TypeError, match=r"^Point.__init__\(\) missing 1 required positional argument: 'x'$"):
        Point()  # type: ignore[call-arg]


def test_equal_by_value_unless_told_otherwise() -> None:
    """As the standard library's: frozen ones have a hash, others have none, and classes are told apart."""
    assert Counter(1) == Counter(1) != Counter(2)
    assert Counter(0) != Point(0)
    assert hash(dataclasses.replace(Point(1), tags=())) == hash(Point(1, 2, ()))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="unhashable"):
        hash(Counter())
    assert Thing("a") != Thing("a")
    assert len({Thing("a"), Thing("a")}) == 2


def test_frozen() -> None:
    """Nothing is set or deleted, and no attribute is added to one with slots."""
    assert type(Point(1)) is Point  # and not the open class that it was made as
    with pytest.raises(dataclasses.FrozenInstanceError, match=r"^cannot assign to field 'x'$"):
        Point(1).x = 2  # type: ignore[misc]
    with pytest.raises(dataclasses.FrozenInstanceError, match=r"^cannot delete field 'x'$"):
        del Point(1).x  # type: ignore[misc]
    counter = Counter()
    counter.count += 1
    with pytest.raises(AttributeError):
        counter.other = 1  # type: ignore[attr-defined]


def test_the_standard_library_takes_them() -> None:
    """`fields`, `replace`, `asdict`, copies and pickles."""
    assert [each.name for each in dataclasses.fields(Point)] == ["x", "y", "tags"]
    assert dataclasses.is_dataclass(Counter)
    assert dataclasses.asdict(Point(1, tags=["a"])) == {"x": 1, "y": 2, "tags": ["a"]}
    assert dataclasses.replace(Point(1), y=7) == replace(Point(1), y=7) == Point(1, 7)
    for copied in (copy.copy(Point(1)), copy.deepcopy(Point(1)), pickle.loads(pickle.dumps(Point(1)))):
        assert copied == Point(1)
