"""`@stage(for_each=...)`: instances of Python functions, in threads and in worker processes."""

from __future__ import annotations

import pytest
from kit import Project

STEPS = """
import os
from pipefile import pipeline, stage

def model():
    with open("setups", "a") as file:
        file.write(f"{os.getpid()}\\n")
    return {"factor": 10}

@stage(for_each={"n": range(1, 9)}, setup=model, mode="MODE")
def scale(n, setup):
    return {"pid": os.getpid(), "value": n * setup["factor"]}

@stage(for_each={"photo": "photos/*.txt"}, exclude="photos/x*", inputs={"src": "{photo}"}, outputs={"dst": "out/{photo.name}"})
def copy(src, dst, photo):
    with open(src) as file, open(dst, "w") as out:
        out.write(f"{photo}: {file.read()}")

@stage(for_each={"each": copy}, inputs={"text": "{each}"})
def length(text):
    with open(text) as file:
        return len(file.read())

@stage(inputs={"all": "length.result", "scaled": "scale.result"}, outputs={"out": "total.txt"})
def total(all, scaled, out):
    with open(out, "w") as file:
        file.write(f"{all} {[each['value'] for each in scaled]}")
"""


@pytest.fixture(params=["function", "process"])
def steps(project: Project, request: pytest.FixtureRequest) -> Project:
    for name in ("a", "bb", "x"):
        project.write(f"photos/{name}.txt", f"{name}\n")
    project.write("steps.py", STEPS.replace("MODE", request.param))
    project.settings(python=["steps.py"])
    return project


def test_instances_of_functions(steps: Project):
    """Items are arguments where the function has parameters of their names; a fan-in is a list of values."""
    outcome = steps.build()

    assert (outcome.exit_status, len(outcome.ran)) == (0, 8 + 2 + 2 + 1)
    assert steps.read("out/bb.txt") == "photos/bb.txt: bb\n"
    assert steps.read("total.txt") == "[16, 18] [10, 20, 30, 40, 50, 60, 70, 80]"
    assert steps.build().ran == []
    steps.write("photos/bb.txt", "BBB\n")
    assert steps.build().ran == ["copy@photos/bb.txt", "length@out/bb.txt", "total"]
    assert steps.build("copy@photos/a.txt").ran == []


def test_one_setup_a_worker(steps: Project):
    """Instances share workers: `setup` runs once in each, and there are no more than run at once."""
    steps.build(jobs=2)

    pids = steps.read("setups").split()
    assert len(pids) == len(set(pids)) <= 2


def test_what_is_known_without_running(steps: Project):
    """`list` and `status` read what decorators say, before any build has run them."""
    assert "copy" in steps.cli("list").out
    assert steps.status("copy") == {"copy@photos/a.txt": "stale", "copy@photos/bb.txt": "stale"}


def test_in_a_pipeline(project: Project):
    """A handle of a stage with `for_each` is all that its instances give."""
    project.write(
        "steps.py",
        "from pipefile import pipeline, stage\n\n"
        "@stage(for_each={'n': [1, 2]})\ndef square(n):\n    return n * n\n\n"
        "@stage(outputs={'out': 'sum.txt'})\ndef add(all, out):\n    with open(out, 'w') as file:\n        file.write(str(sum(all)))\n\n"
        "@pipeline\ndef work():\n    return add(square())\n",
    )
    project.settings(python=["steps.py"])

    assert project.build("work").ran[-1] == "add"
    assert project.read("sum.txt") == "5"


def test_a_table_of_the_configuration(project: Project):
    """The names of its columns are arguments."""
    project.globals(cases=[{"lr": 0.5, "seed": 1}, {"lr": 0.25, "seed": 2}])
    project.write("steps.py", "from pipefile import stage\n\n@stage(for_each='global.cases')\ndef train(lr, seed):\n    return lr * seed\n")
    project.settings(python=["steps.py"])

    assert sorted(project.build().ran) == ["train@lr=0.25,seed=2", "train@lr=0.5,seed=1"]


def test_a_missing_argument_is_none_of_items(project: Project):
    """What neither items nor anything else give is told, as without `for_each`."""
    project.write("steps.py", "from pipefile import stage\n\n@stage(for_each={'n': [1]})\ndef f(n, m):\n    return n\n")
    project.settings(python=["steps.py"])

    assert project.cli("check").err == (
        "warning: stage `f` is in no pipeline, and by itself it lacks the argument `m`\n  steps.py:3\n"
    )
