"""Streams: written while they are produced, read back lazily."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from kit import Project
from kit.decorated import any_type

SECOND = "item 2 of stream `s`"
STEPS = '''
def rows():
    for number in range(5):
        print("row", number)
        yield {"n": number}


def returned():
    return (number * number for number in range(4))


def both():
    return {"rows": iter([1, 2]), "n": 2}


def breaks():
    yield 1
    raise OSError("the camera is gone")


def show(out, **values):
    with open(out, "w") as file:
        for name, value in values.items():
            file.write(f"{name}: {list(value)} {list(value)}\\n")


def again(rows):
    return rows
'''


@pytest.fixture(autouse=True)
def typed(project: Project) -> Iterator[None]:
    project.write("steps.py", STEPS)
    with any_type(project):
        yield


def streamed(project: Project, function: str) -> None:
    project.stage("make", outputs={"rows": "value:stream"}, call=f"steps:{function}")
    project.stage("show", inputs={"rows": "make.rows"}, outputs={"out": "show.txt"}, call="steps:show")


@pytest.mark.parametrize(
    ("function", "shown"), [("rows", "[{'n': 0}, {'n': 1}, {'n': 2}, {'n': 3}, {'n': 4}]"), ("returned", "[0, 1, 4, 9]")]
)
def test_yielded_or_returned(project: Project, function: str, shown: str) -> None:
    """A function may be a generator itself, or return one; a consumer can iterate what it gets several times."""
    streamed(project, function)
    outcome = project.build()
    assert outcome.ran == ["make", "show"]
    assert project.read("show.txt") == f"rows: {shown} {shown}\n"
    assert ("row 4" in outcome.output) == (function == "rows")
    project.settled()


def test_json_lines(project: Project) -> None:
    """The file says in its first line what it is; an item a line follows."""
    streamed(project, "rows")
    project.build()
    lines = project.read(project.value("make", "rows", "stream")).splitlines()
    assert lines == ['{"format": 1, "items": "json"}', *[f'{{"n": {number}}}' for number in range(5)]]


def test_among_other_values(project: Project) -> None:
    """One of several outputs: a table by names with an iterator as value."""
    project.stage("make", outputs={"rows": "value:stream", "n": "value:int", "f": "f.txt"}, call="steps:both_and_file")
    project.write("steps.py", STEPS + "def both_and_file(f):\n    open(f, 'w').close()\n    return both()\n")
    project.stage("show", inputs={"rows": "make.rows"}, outputs={"out": "show.txt"}, call="steps:show")
    project.build()
    assert project.read("show.txt") == "rows: [1, 2] [1, 2]\n"
    assert project.read(project.value("make", "n")) == "2\n"
    project.settled()


def test_a_stream_is_handed_on(project: Project) -> None:
    """What a function got as a stream it may return as one."""
    streamed(project, "rows")
    project.stage("again", inputs={"rows": "make.rows"}, outputs={"rows": "value:stream"}, call="steps:again")
    project.build()
    one, two = (project.read(project.value(stage, "rows", "stream")) for stage in ("make", "again"))
    assert one == two


def test_an_exception_in_the_middle(project: Project) -> None:
    """Case 38: the stage fails with it; no half stream is left, and the last whole one stays."""
    streamed(project, "returned")
    project.build()
    before = project.read(project.value("make", "rows", "stream"))
    streamed(project, "breaks")
    outcome = project.build()
    assert (outcome.failed, outcome.skipped) == (["make"], ["show"])
    assert "OSError: the camera is gone\n" in outcome.output
    assert project.read(project.value("make", "rows", "stream")) == before
    assert not project.exists("pipeline_outputs/values/make/.pipefile-tmp")
    streamed(project, "returned")
    assert project.build().ran == []


@pytest.mark.parametrize(
    ("items", "layout"),
    [
        ([], "json"),
        ([None, 1, [2.5], {"a": True}], "json"),
        (["a", "", "\u00e9\r", "\ud800"], "text"),
        (["a\n", "\n", "\u00e9\r\n", "end"], "lines"),
        (["a\n"], "lines"),
        ([b"\xff\x00", b""], "bytes"),
        ([b"\xff\n", b"\n", b"end"], "byte-lines"),
    ],
)
def test_what_is_read_is_what_was_written(project: Project, items: list[object], layout: str) -> None:
    """JSON, texts, bytes; lines of files with their breaks."""
    from pipefile.execute.stream import StoredStream, write_stream

    path = project.path("s.stream")
    write_stream(items, path, "s")
    assert project.read_bytes("s.stream").partition(b"\n")[0] == b'{"format": 1, "items": "%b"}' % layout.encode()
    assert list(StoredStream(path)) == items
    assert [type(item) for item in StoredStream(path)] == [type(item) for item in items]


@pytest.mark.parametrize(
    ("items", "said"),
    [
        ([1, "a"], "item 2 of stream `s` is a `str`, but the first one was neither text nor bytes: a stream has items of one sort"),
        (["a", 1], "item 2 of stream `s` is a `int`, but the first one was text: a stream has items of one sort"),
        (["a\n", b"b\n"], "item 2 of stream `s` is a `bytes`, but the first one was text: a stream has items of one sort"),
        ([b"a", "b"], "item 2 of stream `s` is a `str`, but the first one was bytes: a stream has items of one sort"),
        ([b"a\n", {}], "item 2 of stream `s` is a `dict`, but the first one was bytes: a stream has items of one sort"),
        (
            ["a", "b\n"],
            "item 2 of stream `s` has a line break in it, unlike the first one: yield lines with their line breaks, or wrap texts in a list or table",
        ),
        (["a\n", "b", "c\n"], "item 2 of stream `s` has no line break at its end, unlike those before, and is not the last one"),
        (["a\n", "b\nc\n"], f"{SECOND} is no line: a line has one line break, at its end, as the first one had; wrap texts in a list or table"),
        ([b"\n", b""], "item 2 of stream `s` is no line: bytes that are no lines belong into a file, returned as a FileRef"),
        ([b"", b"\n"], f"{SECOND} has a line break in it, unlike the first one: bytes that are no lines belong into a file, returned as a FileRef"),
        ([[1], (1,)], "item 2 of stream `s` is a `tuple`, which is no JSON: make it a list"),
        ([{"a": float("inf")}], "item 1 of stream `s` holds a float that is no number (nan or infinite), which JSON does not have"),
    ],
)
def test_what_a_stream_cannot_hold(project: Project, items: list[object], said: str) -> None:
    """Items of another sort than the first, and what would not come back as it is."""
    from pipefile.execute.modules import CallError
    from pipefile.execute.stream import write_stream

    with pytest.raises(CallError) as raised:
        write_stream(items, project.path("s.stream"), "s")
    assert str(raised.value) == said


@pytest.mark.parametrize(("value", "is_a"), [("1", "a `int`"), ("'text'", "a `str`"), ("{'a': 1}", "a `dict`")])
def test_what_is_no_stream(project: Project, value: str, is_a: str) -> None:
    """Texts and tables could be iterated, but nobody means that."""
    project.write("steps.py", f"def make():\n    return {value}\n")
    project.stage("make", outputs={"rows": "value:stream"}, call="steps:make")
    said = f"value `rows` must be a stream, as its stage declares, but is {is_a}: return or yield its items\n"
    assert project.build().output == said


def test_generators_need_a_stream(project: Project) -> None:
    """A function that yields, for a stage that declares no stream, would run nothing."""
    project.stage("make", outputs={"n": "value:json"}, call="steps:rows")
    assert project.build().output == "cannot call `steps:rows`: it is a generator, so calling it would run nothing\n"


def test_in_constant_memory(project: Project) -> None:
    """200,000 items go through the builder while it grows by less than a tenth of their size."""
    project.write(
        "steps.py",
        "import resource\n"
        "def peak():\n    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024\n"
        "def rows():\n"
        "    for number in range(200_000):\n        yield {'number': number, 'text': 'x' * 150}\n"
        "def total(rows, out):\n"
        "    count = sum(row['number'] for row in rows)\n"
        "    with open(out, 'w') as file:\n        file.write(f'{count} {peak()}')\n"
        "def before():\n    return peak()\n",
    )
    project.stage("before", outputs={"n": "value:int"}, call="steps:before")
    project.stage("make", inputs=["before.n"], outputs={"rows": "value:stream"}, call="steps:rows_of")
    project.write("steps.py", project.read("steps.py") + "def rows_of(inputs):\n    return rows()\n")
    project.stage("total", inputs={"rows": "make.rows"}, outputs={"out": "total.txt"}, call="steps:total")
    outcome = project.cli("-j1")
    assert outcome.exit_status == 0, outcome.text
    count, after = project.read("total.txt").split()
    grown = int(after) - int(project.read(project.value("before", "n")))
    size = os.path.getsize(project.path(project.value("make", "rows", "stream")))
    assert int(count) == 200_000 * 199_999 // 2
    assert size > 30_000_000
    assert grown < size // 10
