"""Python files as text: what can be known of their stages while nothing may be run."""

from __future__ import annotations

import pytest

from pipefile.load.pysource import Reading, position, read

HEAD = "from pipefile import FileRef, Stream, pipeline, stage\n"


def reading(text: str, head: str = HEAD) -> Reading:
    return read((head + text).encode(), "pipeline")


def test_literal_decorators_are_read_whole() -> None:
    """Texts, numbers, lists, dictionaries, types, names of exceptions and functions."""
    found = reading(
        """\
def load(): ...
def plain(x, out): ...

class Model: ...

@stage(
    inputs={"x": "in.txt", "more": ["a", "b"]},
    outputs={"out": "build/", "n": int, "d": dict[str, int], "f": FileRef, "s": Stream, "m": Model},
    params={"low": -1.5, "on": True}, timeout="1m", fallback=plain, setup=load,
    retry_policy={"max_attempts": 2, "retry_on": [TimeoutError, 75]},
)
def make(x, more, out, low, on, setup, ctx):
    '''Makes it.'''
"""
    )
    assert found.whole
    make = found.stages["make"]
    assert (make.complete, make.line, make.function) == (True, 7, "make")
    assert make.table == {
        "inputs": {"x": "in.txt", "more": ["a", "b"]},
        "outputs": {"out": "build/", "n": "value:int", "d": "value:json", "f": "value:file", "s": "value:stream", "m": "value:any"},
        "params": {"low": -1.5, "on": True}, "timeout": "1m", "fallback": "plain", "setup": "pipeline:load",
        "retry_policy": {"max_attempts": 2, "retry_on": ["TimeoutError", 75]}, "description": "Makes it.",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("head", "text"),
    [
        ("import pipefile\n", "@pipefile.stage\ndef f(): ...\n"),
        ("import pipefile as p\n", "@p.stage()\ndef f(): ...\n"),
        ("from pipefile import stage as s\n", "@s\ndef f(): ...\n"),
    ],
)
def test_whatever_the_decorator_is_called(head: str, text: str) -> None:
    """By the import that brings it."""
    found = reading(text, head)
    assert (found.whole, found.stages["f"].complete) == (True, True)


def test_a_name_of_its_own() -> None:
    """`name=` is what the stage is called."""
    assert list(reading('@stage(name="x")\ndef f(): ...\n').stages) == ["x"]


@pytest.mark.parametrize(
    "text",
    [
        '@stage(inputs={"a": PATH})\ndef f(a): ...\n',
        '@stage(outputs={"a": f"{x}"})\ndef f(a): ...\n',
        "@stage(**KEYS)\ndef f(): ...\n",
        '@stage(outputs={"a": numpy.ndarray})\ndef f(): ...\n',
        "f = stage(g)\n",
        "for i in range(3):\n    globals()[i] = stage(g)\n",
        "def f(:\n",
        '@stage(params={"a": ' + "-" * 2000 + '1})\ndef f(a): ...\n',
        '@stage(params={"a": ' + "[" * 150 + "]" * 150 + '})\ndef f(a, b, *c): ...\nx = stage\n',
        "from pipefile import *\n",
    ],
)
def test_what_is_computed_is_unknown(text: str) -> None:
    """Only running it would tell."""
    assert not reading(text).whole


def test_what_a_pipeline_calls_without_arguments_is_known() -> None:
    """The others are what the pipeline makes of them, and that is not known."""
    found = reading(
        """\
@stage(inputs={"x": "in.txt"}, outputs={"out": "a"})
def first(x, out): ...

@stage(outputs={"out": "b"})
def second(x, out): ...

@stage(outputs={"out": "c"})
def alone(out): ...

@stage
def twice(): ...

@pipeline
def workflow(config):
    twice()
    twice()
    return second(first().out)
"""
    )
    assert not found.whole
    assert {name: each.complete for name, each in found.stages.items()} == {"first": True, "second": False, "alone": True, "twice": False}
    assert found.pipelines == {"workflow": 14}


def test_a_stage_for_pipelines_is_none_by_itself() -> None:
    """It lacks an argument; nothing is unknown with that."""
    found = reading("@stage\ndef f(x): ...\n")
    assert (found.whole, found.stages["f"].complete) == (True, False)


TEXT = b'''\
from pipefile import stage


@other
@stage(
    inputs={"src": "in.txt", "odd": [1, "two"]},
    version=3,
)
def make(src):
    """Makes."""
'''


@pytest.mark.parametrize(
    ("key", "place"),
    [
        ((), (9, 5, 4)),
        (("version",), (7, 5, 7)),
        (("inputs",), (6, 5, 6)),
        (("inputs", "src"), (6, 13, 5)),
        (("inputs", "odd", 0), (6, 38, 1)),
        (("inputs", "odd", 1), (6, 41, 5)),
        (("inputs", "unknown"), (6, 5, 6)),
        (("outputs",), (9, 5, 4)),
    ],
)
def test_places_in_a_decorator(key: tuple[str | int, ...], place: tuple[int, int, int]) -> None:
    """The entry itself where it is written out, else what it belongs to, else the function's name."""
    found = position(TEXT, "make", 4, ("stage", "make", *key))
    assert found is not None
    assert (found.line, found.column, found.width) == place


def test_the_place_of_a_call() -> None:
    """Its line."""
    found = position(b"def f():\n    return make(1)  # x\n", "", 2, ("stage", "make#2"))
    assert found is not None
    assert (found.line, found.column, found.source) == (2, 5, "    return make(1)  # x")


def test_a_text_that_is_no_python() -> None:
    """The line alone; none outside of the text."""
    assert position(b"def f(:\n", "f", 1, ("stage", "f")) is not None
    assert position(b"", "f", 1, ("stage", "f")) is None
