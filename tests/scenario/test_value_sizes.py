"""How a value travels, by its size: in memory, by its file, not at all."""

from __future__ import annotations

import os

import pytest
from kit import Project

from pipefile.testing import FaultyDisk

STEPS = '''
import sys

def make(size):
    return "x" * (size - 3)   # two quotes and a line break come with it

def measure(text, out):
    with open(out, "w") as file:
        file.write(str(len(text)))
'''


def sized(project: Project, size: int, consumers: int = 1) -> None:
    """`make` returns a value whose file has *size* bytes."""
    project.write("steps.py", STEPS)
    project.stage("make", outputs={"text": "value:str"}, params={"size": size}, call="steps:make")
    for number in range(consumers):
        project.stage(f"measure{number}", inputs={"text": "make.text"}, outputs={"out": f"out{number}"}, call="steps:measure")


@pytest.mark.parametrize(("limit", "size"), [("1000B", 1000), (None, 900_000), (None, 50_000_000)])
def test_up_to_the_limit_it_travels(project: Project, limit: str | None, size: int) -> None:
    """A value of `value_limit` bytes arrives whole; so do one of 0.9 MB and one of 50 MB."""
    project.settings(value_limit=limit)
    sized(project, size)
    outcome = project.build()
    assert (outcome.exit_status, outcome.ran) == (0, ["make", "measure0"])
    assert project.read("out0") == str(size - 3)
    assert os.path.getsize(project.path(project.value("make", "text"))) == size
    assert project.build().ran == []


@pytest.mark.parametrize(
    ("limit", "size", "said"),
    [
        ("1000B", 1001, "1,001 bytes, above the limit of 1,000"),
        (None, 150_000_000, "150,000,000 bytes, above the limit of 100,000,000"),
    ],
)
def test_above_the_limit_it_is_refused(project: Project, limit: str | None, size: int, said: str) -> None:
    """One byte more than `value_limit`, and 150 MB with the default: the error says how large it is, and the way out."""
    project.settings(value_limit=limit)
    sized(project, size)
    outcome = project.build()
    assert (outcome.exit_status, outcome.failed, outcome.skipped) == (1, ["make"], ["measure0"])
    assert outcome.output == f"value `text` has {said} (`value_limit`): write it to a file and return a FileRef to that\n"
    assert not project.exists(project.value("make", "text"))
    assert not project.exists("pipeline_outputs/values/make/.pipefile-tmp")


@pytest.mark.parametrize(("limit", "size", "reads"), [("1000B", 1000, 1), (None, 900_000, 1), (None, 1_000_000, 1)])
def test_a_small_value_is_read_once(project: Project, limit: str | None, size: int, reads: int) -> None:
    """Up to `value_in_memory` bytes, the file is read when it is hashed, and then no more, however many stages want it."""
    project.settings(value_in_memory=limit)
    sized(project, size, consumers=5)
    project.disk = FaultyDisk(project.root)
    assert len(project.build().ran) == 6
    path = "pipeline_outputs/values/make/.pipefile-tmp/text.json"
    assert project.disk.bytes_read[path] == size
    assert project.disk.calls["read", path] + project.disk.calls["digest", path] == reads
    final = project.value("make", "text")
    assert project.disk.calls["read", final] + project.disk.calls["digest", final] == 0


@pytest.mark.parametrize(("limit", "size", "reads"), [("1000B", 1000, 1), ("1000B", 1001, 0), (None, 1_000_000, 1), (None, 1_000_001, 0)])
def test_a_small_value_of_a_fresh_stage_is_read_once(project: Project, limit: str | None, size: int, reads: int) -> None:
    """The builder reads it for all that want it, up to `value_in_memory`; a larger one is read where each function runs."""
    project.settings(value_in_memory=limit)
    sized(project, size)
    project.build()
    sized(project, size, consumers=4)
    project.disk = FaultyDisk(project.root)
    assert len(project.build().ran) == 3
    assert project.disk.calls["read", project.value("make", "text")] == reads


def test_a_large_value_is_not_read_if_it_has_changed(project: Project) -> None:
    """What a function is handed by its file has the digest that its key was made of: a change at the last moment fails it."""
    project.settings(value_in_memory="10B")
    sized(project, 100)
    project.write("steps.py", STEPS + "def spoil(path):\n    with open(path, 'w') as file:\n        file.write('\"y\"\\n')\n")
    project.build()
    from pipefile.execute.modules import CallError
    from pipefile.execute.values import load_argument
    from pipefile.model.ports import StoredValue

    path = project.path(project.value("make", "text"))
    with pytest.raises(CallError) as raised:
        load_argument(StoredValue(path, "str", digest="blake3:" + "0" * 64))
    assert str(raised.value) == f"the value `{path}` has changed since it was decided to call the function"


def test_sizes_are_checked(project: Project) -> None:
    """The settings are sizes, as `log_limit` is."""
    project.settings(value_in_memory=5)
    outcome = project.build()
    assert "`value_in_memory` in `[pipefile]` must be a size such as \"64MB\", not an integer" in outcome.output
    project.settings(value_in_memory=None, large_input="many")
    assert "`large_input` in `[pipefile]` must be a size, not `many`" in project.build().output


def test_memory_for_small_values_has_an_end(project: Project) -> None:
    """However many small values there are, the builder keeps 64 MB of them at most; others are read again."""
    from pipefile.base.disk import OsDisk
    from pipefile.engine.files import Files
    from pipefile.engine.values import Values
    from pipefile.store.index import Index

    values = Values(Files(OsDisk(project.root), "blake3", Index(None)), in_memory=1_000_000)
    for number in range(200):
        values.keep(f"blake3:{number:064x}", b"x" * 1_000_000)
    assert values.size == 67_000_000
    values.keep("blake3:" + "f" * 64, b"x" * 1_000_001)
    assert values.size == 67_000_000
