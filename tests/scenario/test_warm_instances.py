"""Instances of one stage in process mode share worker processes, as long as nothing that one does reaches another."""

from __future__ import annotations

import json

import pytest
from kit import Project

STEPS = """
import os
from pipefile import stage

COUNT = []

def work(n):
    BODY

@stage(for_each={"n": range(6)}, mode="process"KEYS)
def item(n):
    work(n)
    return {"n": n, "pid": os.getpid(), "seen": len(COUNT)}

@stage(inputs={"all": "item.result"}, outputs={"out": "all.json"})
def collect(all, out):
    import json
    with open(out, "w") as file:
        json.dump(all, file)
"""


def build(project: Project, body: str, keys: str = "", jobs: int = 1) -> list[dict[str, int]]:
    project.write("steps.py", STEPS.replace("BODY", body).replace("KEYS", keys))
    project.settings(python=["steps.py"])
    outcome = project.build(jobs=jobs)
    assert outcome.exit_status == 0, outcome.output
    found: list[dict[str, int]] = json.loads(project.read("all.json"))
    return found


def pids(found: list[dict[str, int]]) -> int:
    return len({each["pid"] for each in found})


def test_instances_share_a_worker(project: Project) -> None:
    """One process serves all instances that follow each other; there are no more of them than run at once."""
    assert pids(build(project, "pass")) == 1
    assert pids(build(project, "pass # again", jobs=2)) <= 2


@pytest.mark.parametrize(
    "body",
    [
        "COUNT.append(n)",
        "work.last = n",
        "import random; random.random()",
        "os.chdir('/')",
        "os.environ['NEW'] = '1'",
        "os.umask(0o77)",
        "os.open('/', os.O_RDONLY)",
        "import helper",
    ],
)
def test_who_leaves_something_behind_works_alone(project: Project, body: str) -> None:
    """A worker that is not as it was takes no other instance: each finds what a process of its own would find."""
    project.write("helper.py", "NUMBER = 1\n")
    found = build(project, body)

    assert pids(found) == 6
    assert {each["seen"] for each in found} == ({1} if "COUNT" in body else {0})


def test_a_process_each(project: Project) -> None:
    """`external = true` gives each instance a process of its own."""
    assert pids(build(project, "pass", ", external=True")) == 6


def test_an_exception_ends_the_worker(project: Project) -> None:
    """An instance that fails takes its worker along; the next attempt begins anew."""
    body = "COUNT.append(n)\n    if not os.path.exists(f'tried{n}'):\n        open(f'tried{n}', 'w').close()\n        raise ValueError(n)"
    found = build(project, body, ", retry_policy={'max_attempts': 2, 'delay': '1ms'}")

    assert {each["seen"] for each in found} == {1}


def test_growth_ends_the_worker(project: Project) -> None:
    """A worker that has grown by much takes no other instance, although nobody can see who holds what it has grown by."""
    body = "import ctypes; libc = ctypes.CDLL(None); libc.malloc.restype = ctypes.c_void_p; "
    body += "ctypes.memset(libc.malloc(ctypes.c_size_t(220_000_000)), 1, 220_000_000) if n == 2 else None"
    found = build(project, body)

    assert len({each["pid"] for each in found[:3]}) == len({each["pid"] for each in found[3:]}) == 1
    assert found[2]["pid"] != found[3]["pid"]


def test_other_stages_have_other_workers(project: Project) -> None:
    """Two stages with one function do not share a worker, and new code has new ones."""
    project.write("steps.py", "import os\ndef item(n, out):\n    with open(out, 'w') as file:\n        file.write(f'{os.getpid()}')\n")
    for name in ("a", "b"):
        project.stage(name, outputs={"out": name + "{n}.txt"}, call="steps:item", for_each={"n": [1, 2]}, mode="process")

    assert project.build(jobs=1).exit_status == 0
    first, second = [{project.read(f"{name}{n}.txt") for n in (1, 2)} for name in ("a", "b")]
    assert len(first) == len(second) == 1
    assert first != second
