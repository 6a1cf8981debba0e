"""Instances: a thousand are made in another way than a few, and are the same."""

from __future__ import annotations

import pytest

from pipefile.model.stage import Axis, Command, ForEach, InputGroup, InputItem, Output, Stage, Value
from pipefile.plan.instances import BadInstanceError, Instances

NAMES = ("x", "y")
PLAIN = Stage(
    "copy",
    (InputGroup(None, (InputItem("{x}"),)),),
    (Output(None, "out/{x.parent.name}/{x.name}"),),
    Command("cp {inputs} {outputs}"),
    for_each=ForEach((Axis("x", "src/*/*", naming=("x",)),), names=NAMES, paths=frozenset(["x"])),
)
ALL = Stage(
    "all",
    (
        InputGroup("src", (InputItem("{x}"), InputItem("more/{y}.txt", True)), True),
        InputGroup("fixed", (InputItem("fixed.txt"),)),
        InputGroup("glob", (InputItem("{x.parent}/*.{y}"),)),
    ),
    (
        Output("dst", "out/{x.stem}-100%-{y}{x.suffix}", in_place=True),
        Output("dir", "dir/{x}", True),
        Output("value", "store/values/all/value.json", value="json"),
        Output("temp", "temp/{y}", temp=True),
    ),
    params={"p": "{y}", "q": ["{x}", "{{"], "r": {"s": "{x.name}"}, "t": 1},
    env={"WHERE": "at {x}", "HOME": None, "SET": "text"},
    depfile="d/{x}.d",
    metrics=("out/{x.stem}-100%-{y}{x.suffix}",),
    tags=("one", "two"),
    for_each=ForEach((Axis("x", rows=(), naming=("x", "y")),), names=NAMES, paths=frozenset(["x"])),
)
ITEMS: list[dict[str, Value]] = [
    {"x": "src/00/a.txt", "y": 1},
    {"x": "src/01/.hidden", "y": "two words"},
    {"x": "a", "y": 2.5},
    {"x": "/else/where/*.txt", "y": True},
    {"x": "é/\udcff", "y": "[b]*"},
]


def made(stage: Stage, item: dict[str, Value], many: bool) -> Stage | tuple[str, str, str]:
    instances = Instances(stage, "/root", frozenset(["Pipefile.toml"]), "store", ("/outside",), many)
    try:
        return instances.of(item, f"{stage.name}@{item['x']}")
    except BadInstanceError as error:
        return error.why, error.key, error.hint


@pytest.mark.parametrize("stage", [PLAIN, ALL], ids=["plain", "all"])
@pytest.mark.parametrize("item", ITEMS, ids=[ascii(item["x"]) for item in ITEMS])
def test_many_are_as_few(stage: Stage, item: dict[str, Value]) -> None:
    """Whatever an instance has of its item is the same in both ways, and so is all that it has of its stage."""
    few = made(stage, item, many=False)
    assert isinstance(few, Stage)
    assert few.item == item
    assert made(stage, item, many=True) == few


PLACES = {
    "store/x": ("output `store/x` lies in pipefile's own store `store`", "outputs"),
    "store": ("output `store` is pipefile's own store `store`", "outputs"),
    "Pipefile.toml": ("output `Pipefile.toml` is the Pipefile itself", "outputs"),
    "../x": ("output `../x` leaves the project", "outputs"),
    "/x": ("output `/x` is an absolute path", "outputs"),
    "a/.pipefile-tmp/b": ("output `a/.pipefile-tmp/b` has a name that pipefile keeps for itself: `.pipefile-tmp`", "outputs"),
    "a/.b.hash": ("output `a/.b.hash` has a name that pipefile keeps for itself: `.b.hash`", "outputs"),
    "": ("an output is an empty path", "outputs"),
}


@pytest.mark.parametrize("many", [False, True])
@pytest.mark.parametrize("place", PLACES)
def test_places_where_no_output_can_lie(place: str, many: bool) -> None:
    """They are refused, with the same words."""
    stage = Stage("s", (), (Output(None, "{x}"),), file="Pipefile.toml", for_each=PLAIN.for_each)
    found = made(stage, {"x": place}, many)
    assert isinstance(found, tuple)
    assert found[:2] == PLACES[place]


@pytest.mark.parametrize("many", [False, True])
@pytest.mark.parametrize(("text", "path", "directory"), [("a//b/./c", "a/b/c", False), ("a/b/", "a/b", True), ("/outside/x", "/outside/x", False)])
def test_places_that_are_written_otherwise(text: str, path: str, directory: bool, many: bool) -> None:
    """An output's path is normalised, and a slash makes it a directory."""
    stage = Stage("s", (), (Output("dst", "{x}", temp=True),), for_each=PLAIN.for_each)
    found = made(stage, {"x": text}, many)
    assert isinstance(found, Stage)
    assert found.outputs == (Output("dst", path, directory, temp=True),)
