"""What of a decorated stage makes it stale: its function and what belongs into the key, not how its decorator is written."""

from __future__ import annotations

import pytest
from kit import Project

TEXT = """\
from pipefile import FileRef, pipeline, stage

LIMIT = 3


def helper(text):
    return text[:LIMIT]


@stage(inputs={"src": "in.txt"}, outputs={"out": "out.txt", "sizes": dict[str, int]}, timeout="5m",
       retry_policy={"max_attempts": 2, "retry_on": [TimeoutError]})
def make(src, out):
    with open(src) as source, open(out, "w") as target:
        target.write(helper(source.read()))
    return {"all": 1}


@stage(outputs={"n": int})
def count(sizes, more=1):
    return sizes["all"] + more


@pipeline
def flow():
    return count(make().sizes)
"""


@pytest.fixture
def built(project: Project) -> Project:
    project.write("in.txt", "some text\n")
    project.write("pipeline.py", TEXT)
    project.settings(python=["pipeline.py"])
    assert project.build().ran == ["make", "count"]
    return project


@pytest.mark.parametrize(
    ("old", "new", "ran"),
    [
        ('timeout="5m"', 'timeout="6m"', []),
        ('"max_attempts": 2', '"max_attempts": 5', []),
        ('timeout="5m"', 'timeout="5m", description="Makes it", tags=["x"]', []),
        ("LIMIT = 3", "LIMIT = 3  # characters", []),
        ("def make(src, out):", 'def make(src, out):\n    """Makes it"""', []),
        ("def flow():\n", "def flow(config):\n    # as before\n", []),
        ("return count(make().sizes)", "a = make()\n    return count(a.sizes)", []),
        ("\n\n@stage(outputs", "\n\ndef neighbour():\n    return 1\n\n\n@stage(outputs", []),
        ('"n": int', '"n": float', ["count"]),
        ("LIMIT = 3", "LIMIT = 4", ["make"]),
        ("text[:LIMIT]", "text[1:LIMIT]", ["make"]),
        ("more=1", "more=2", ["count"]),
        ("count(make().sizes)", "count(make().sizes, more=5)", ["count"]),
        ('timeout="5m"', 'timeout="5m", version="2"', ["make"]),
    ],
)
def test_edits(built: Project, old: str, new: str, ran: list[str]) -> None:
    """Each edit reruns what it concerns; a result that stays the same stops there."""
    assert old in TEXT
    built.write("pipeline.py", TEXT.replace(old, new, 1))
    assert built.build().ran == ran
    assert built.build().ran == []


def test_decorating_a_function_that_toml_called_changes_nothing_else(project: Project) -> None:
    """The same table and the same function: a stage can move from Pipefile.toml to its module and back."""
    body = "def make(src, out):\n    with open(src) as source, open(out, 'w') as target:\n        target.write(source.read())\n"
    project.write("in.txt", "x\n")
    project.write("steps.py", "from pipefile import stage\n\n" + body)
    project.stage("make", {"src": "in.txt"}, {"out": "out.txt"}, call="steps:make")
    assert project.build().ran == ["make"]
    project.drop("make")
    project.settings(python=["steps.py"])
    project.write("steps.py", "from pipefile import stage\n\n@stage(inputs={'src': 'in.txt'}, outputs={'out': 'out.txt'})\n" + body)
    assert project.build().ran == []
