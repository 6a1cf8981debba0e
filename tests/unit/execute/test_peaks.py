"""Memory of process trees: who belongs to one, when it is looked at, and what a task's end tells of it."""

from __future__ import annotations

import os
import subprocess
import sys
from math import inf
from pathlib import Path

from kit.fifo import Gate
from kit.workers import Workers

from pipefile.execute.peaks import OwnMemory, Peaks, Process, processes, sums
from pipefile.execute.peaks import _by_psutil as by_psutil
from pipefile.execute.shell import ShellExecutor
from pipefile.model.ports import Task


def test_who_belongs_to_a_tree():
    """Children and theirs, and who is in the group though its parent is gone; others do not, nor does anybody twice."""
    found = [
        Process(1, 0, 1, 1000),
        Process(10, 1, 10, 1),  # a root
        Process(11, 10, 10, 2),
        Process(12, 11, 12, 4),  # in a group of its own, by its parents
        Process(13, 1, 10, 8),  # an orphan, by its group
        Process(14, 13, 14, 16),
        Process(20, 1, 20, 32),  # another root
        Process(21, 20, 20, 64),
        Process(30, 1, 30, 128),
        Process(41, 42, 40, 256),  # a circle, as a list that is read while processes end may hold one
        Process(42, 41, 40, 256),
    ]
    assert sums(found, [10, 20, 99]) == {10: 31, 20: 96}
    assert sums(reversed(found), [20, 10]) == {10: 31, 20: 96}


class Looks:
    def __init__(self) -> None:
        self.now = 0.0
        self.memory = 0
        self.looks = 0
        self.peaks = Peaks(self.look, lambda: self.now)

    def look(self) -> list[Process]:
        self.looks += 1
        return [Process(7, 1, 7, self.memory)]


def test_what_ends_before_the_first_look_costs_nothing():
    looks = Looks()
    for _ in range(100):
        looks.peaks.watch(7)
        looks.now += 0.05
        looks.peaks.tick(looks.now)
        assert looks.peaks.forget(7) == 0
    assert (looks.looks, looks.peaks.due()) == (0, float("inf"))


def test_the_most_that_was_seen():
    looks = Looks()
    looks.peaks.watch(7)
    for memory in (5, 9, 3):
        looks.memory = memory
        looks.now = looks.peaks.due()
        looks.peaks.tick(looks.now)
        looks.peaks.tick(looks.now)  # not due again at once
    assert looks.looks == 3
    assert looks.peaks.forget(7) == 9
    looks.peaks.watch(7)
    assert looks.peaks.forget(7) == 0


def test_both_ways_to_look_agree():
    """psutil, for systems without /proc, sees this process as /proc shows it."""
    ours, theirs = (next(each for each in look() if each.pid == os.getpid()) for look in (processes, by_psutil))
    assert ours[:3] == theirs[:3] == (os.getpid(), os.getppid(), os.getpgid(0))
    assert abs(ours.memory - theirs.memory) < 50_000_000
    own = OwnMemory()
    assert abs(own.now() - ours.memory) < 50_000_000
    own.close()
    assert own.now() == 0


TREE = """
import os, sys
hold = bytearray(60_000_000)
if len(sys.argv) > 1:
    pid = os.spawnv(os.P_NOWAIT, sys.executable, [sys.executable, sys.argv[0]])
    os.waitpid(pid, 0)
else:
    with open(os.environ["GATES"] + "/g.here", "w") as file:
        file.write("here\\n")
    with open(os.environ["GATES"] + "/g.go") as file:
        file.readline()
"""


def test_a_tree_of_processes(tmp_path: Path):
    """Two processes of 60 MB each at the same time have 120 MB, though the system tells of 60 alone."""
    gate = Gate(os.fspath(tmp_path), "g")
    (tmp_path / "tree.py").write_text(TREE)
    peaks = Peaks()
    executor = ShellExecutor(peaks=peaks)
    env = {**os.environ, "GATES": os.fspath(tmp_path)}
    executor.submit(Task(1, "tree", (sys.executable, "tree.py", "parent"), env=env, cwd=os.fspath(tmp_path)))
    ended = []
    while not gate.come():
        ended += executor.wait(0.05)
        assert ended == []
    assert executor.next_deadline() is not None
    peaks.tick(inf)  # as if that time had come
    gate.release()
    while not ended:
        ended += executor.wait(5)
    executor.close()
    gate.close()
    assert ended[0].outcome == "ok"
    assert 120_000_000 < ended[0].peak_rss < 220_000_000


STEPS = """
import os, subprocess, sys

CHILD = "x = bytearray(60_000_000); print('here', file=open(%r, 'w'), flush=True); open(%r, 'rb', 0).readline()"

def start(gate):
    children = [subprocess.Popen([sys.executable, "-c", CHILD % (gate["here"], gate["go"])], start_new_session=True) for _ in range(2)]
    for child in children:
        child.wait()
"""


def test_what_a_worker_starts(tmp_path: Path):
    """Two programs of 60 MB each, in sessions of their own, belong to the function that has started them."""
    gate = Gate(os.fspath(tmp_path), "gate")
    workers = Workers(tmp_path)
    workers.write("steps.py", STEPS)
    workers.submit("steps:start", gate=workers.ends())
    for _ in range(2):
        while not gate.come():
            workers.ended += workers.executor.wait(0.05)
            assert workers.ended == []
        gate.wait()
    workers.executor._peaks.tick(inf)
    gate.release(2)
    done = workers.finish()
    workers.executor.close()
    gate.close()
    assert done.outcome == "ok"
    assert done.peak_rss > 120_000_000
    assert done.cpu > 0


def test_nothing_heavy_is_imported():
    """A look reads /proc; psutil is for systems without."""
    code = "import sys; from pipefile.execute.peaks import processes; assert processes(); print('psutil' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
