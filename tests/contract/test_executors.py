"""One suite over every Executor and its fake: what the engine may rely on whatever runs a task."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from kit import Gate
from kit.fifo import PATIENCE

from pipefile.execute.function import FunctionExecutor
from pipefile.execute.process import ProcessExecutor
from pipefile.execute.shell import ShellExecutor
from pipefile.model.ports import Completion, Executor, FunctionCall, Task
from pipefile.model.stage import Call
from pipefile.testing import FakeExecutor

STEPS = """
import os, select, subprocess, sys

def leaves(status):
    sys.exit(int(status))

def tells(variable):
    print(os.environ.get(variable, "unset"), os.getcwd(), repr(sys.stdin.read()), end="")

def daemon(here, go):
    script = f"echo here > {here}; read line < {go}; echo over > {here}"
    subprocess.run(["sh", "-c", f"({script}) &"], stdin=subprocess.DEVNULL)
    print("started", end="", flush=True)

def prints(text):
    print(text, end="")

def fails():
    raise ValueError("bad")

def speaks(text, here, go):
    print(text, end="", flush=True)
    waits(here, go)

def waits(here, go):
    fd = os.open(go, os.O_RDWR | os.O_NONBLOCK)
    with open(here, "w") as file:
        file.write("here\\n")
    while not select.select([fd], [], [], 0.01)[0]:
        pass
    os.close(fd)
"""


@dataclass
class Setup:
    """An executor with the tasks of its kind."""

    executor: Executor
    folder: Path
    prints: Callable[[str], Task]
    fails: Callable[[], Task]
    waits: Callable[[], Task]
    gate: Gate
    failure: str
    raised: tuple[str, ...] = ()
    leaves: Callable[[int], Task] = lambda _: pytest.skip("a fake has no exit status")
    tells: Callable[[str], Task] = lambda _: pytest.skip("a fake has no environment")
    daemon: Callable[[], Task] = lambda: pytest.skip("a fake has no processes")
    speaks: Callable[[str], Task] = lambda _: pytest.skip("a fake prints nothing")
    ids: Iterator[int] = field(default_factory=lambda: iter(range(1000)))

    def run(self, task: Task) -> Completion:
        """Submit one task and wait for it."""
        self.executor.submit(task)
        (done,) = self.finish(1)
        return done

    def finish(self, count: int) -> list[Completion]:
        done: list[Completion] = []
        give_up = time.monotonic() + PATIENCE
        while len(done) < count and time.monotonic() < give_up:
            done += self.executor.wait(1)
        return done

    def log(self, task: Task) -> bytes:
        return Path(task.log).read_bytes()


def _command(setup: Setup, *argv: str) -> Task:
    number = next(setup.ids)
    log = os.fspath(setup.folder / "logs" / f"{number}.txt")
    env = {"PATH": os.environ["PATH"], "GATES": os.fspath(setup.folder)}
    return Task(number, f"t{number}", argv=argv, env=env, cwd=os.getcwd(), log=log)


def _function(setup: Setup, name: str, **arguments: str) -> Task:
    call = FunctionCall(Call("steps", name), arguments)
    return replace(_command(setup), argv=(), function=call, env=dict(os.environ), cwd=os.fspath(setup.folder))


def _fake(setup: Setup, name: str) -> Task:
    return replace(_command(setup), name=name)


def _refuse(task: Task) -> Completion:
    raise ValueError("bad")


def _make(kind: str, folder: Path, gate: Gate) -> Setup:
    setup: Setup
    if kind == "fake":
        executor: Executor = FakeExecutor({"fails": _refuse})
        setup = Setup(
            executor,
            folder,
            lambda _: _fake(setup, "prints"),
            lambda: _fake(setup, "fails"),
            lambda: _fake(setup, "waits"),
            gate,
            "ValueError: bad",
        )
    elif kind in ("function", "process"):
        (folder / "steps.py").write_text(STEPS)
        ends = [os.fspath(folder / f"gate.{end}") for end in ("here", "go")]
        setup = Setup(
            FunctionExecutor() if kind == "function" else ProcessExecutor(),
            folder,
            lambda text: _function(setup, "prints", text=text),
            lambda: _function(setup, "fails"),
            lambda: _function(setup, "waits", here=ends[0], go=ends[1]),
            gate,
            "ValueError: bad",
            ("ValueError", "builtins.ValueError", "Exception", "builtins.Exception", "BaseException", "builtins.BaseException"),
            lambda status: _function(setup, "leaves", status=str(status)),
            lambda variable: _function(setup, "tells", variable=variable),
            lambda: _function(setup, "daemon", here=ends[0], go=ends[1]),
            lambda text: _function(setup, "speaks", text=text, here=ends[0], go=ends[1]),
        )
    else:
        setup = Setup(
            ShellExecutor(threads=kind == "shell with threads"),
            folder,
            lambda text: _command(setup, "printf", "%s", text),
            lambda: _command(setup, "sh", "-c", "exit 3"),
            lambda: _command(setup, "sh", "-c", gate.shell),
            gate,
            "exit status 3",
            (),
            lambda status: _command(setup, "sh", "-c", f"exit {status}"),
            lambda name: _command(setup, "sh", "-c", f"printf \"%s %s '%s'\" \"${{{name}-unset}}\" \"$PWD\" \"$(cat)\""),
            lambda: _command(setup, "sh", "-c", f"({gate.shell}; echo over > $GATES/gate.here) & printf started"),
            lambda text: _command(setup, "sh", "-c", f'printf %s "$1"; {gate.shell}', "sh", text),
        )
    return setup


REAL = ["shell", "shell with threads", "function", "process"]


@pytest.fixture(params=["fake", *REAL])
def any_setup(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Setup]:
    gate = Gate(os.fspath(tmp_path), "gate")
    setup = _make(request.param, tmp_path, gate)
    yield setup
    setup.executor.close()
    gate.release()
    gate.close()


@pytest.fixture(params=REAL)
def real(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Setup]:
    gate = Gate(os.fspath(tmp_path), "gate")
    setup = _make(request.param, tmp_path, gate)
    yield setup
    setup.executor.close()
    gate.release()
    gate.close()


def readable(executor: Executor, timeout: float) -> bool:
    return bool(select.select([executor.fileno()], [], [], timeout)[0])


def test_a_task_that_succeeds(any_setup: Setup):
    task = any_setup.prints("x")
    done = any_setup.run(task)

    assert (done.id, done.outcome, done.signal, done.timed_out, done.error) == (task.id, "ok", 0, False, "")


def test_a_task_that_fails_says_why_and_the_others_go_on(any_setup: Setup):
    bad, good = any_setup.fails(), any_setup.prints("x")
    any_setup.executor.submit(bad)
    any_setup.executor.submit(good)
    done = {each.id: each for each in any_setup.finish(2)}

    assert (done[bad.id].outcome, done[bad.id].error) == ("failed", any_setup.failure)
    assert done[good.id].outcome == "ok"


def test_every_task_ends_exactly_once(any_setup: Setup):
    tasks = [any_setup.prints("x") for _ in range(20)]
    for task in tasks:
        any_setup.executor.submit(task)

    assert sorted(done.id for done in any_setup.finish(20)) == [task.id for task in tasks]
    assert any_setup.executor.wait(0) == []


def test_the_descriptor_is_readable_when_there_is_something_to_do(any_setup: Setup):
    any_setup.executor.submit(any_setup.prints(""))

    assert readable(any_setup.executor, PATIENCE)


def test_the_descriptor_is_quiet_when_all_is_done(any_setup: Setup):
    any_setup.run(any_setup.prints("x"))

    assert not readable(any_setup.executor, 0)


def test_waiting_for_nothing_returns_at_once(any_setup: Setup):
    assert any_setup.executor.wait(0) == []
    assert any_setup.executor.wait(None) == []


def test_without_a_timeout_nothing_is_due(any_setup: Setup):
    assert any_setup.executor.next_deadline() is None


@pytest.mark.parametrize("urgent", [False, True])
def test_cancel_ends_all_that_was_submitted(any_setup: Setup, urgent: bool):
    tasks = [any_setup.waits(), any_setup.waits()]
    for task in tasks:
        any_setup.executor.submit(task)
    any_setup.executor.cancel(urgent)
    done = any_setup.finish(2)

    assert sorted((each.id, each.outcome) for each in done) == [(task.id, "cancelled") for task in tasks]


def test_cancelling_nothing_is_harmless(any_setup: Setup):
    any_setup.executor.cancel()

    assert any_setup.run(any_setup.prints("x")).outcome == "ok"


def test_close_may_be_called_again_and_leaves_no_descriptor(any_setup: Setup):
    before = len(os.listdir("/proc/self/fd"))
    kinds = {FunctionExecutor: "function", ProcessExecutor: "process", ShellExecutor: "shell", FakeExecutor: "fake"}
    other = _make(kinds[type(any_setup.executor)], any_setup.folder, any_setup.gate)
    other.ids = iter(range(5000, 6000))
    other.run(other.prints("x"))
    other.executor.close()
    other.executor.close()

    assert len(os.listdir("/proc/self/fd")) == before


def test_what_is_printed_is_the_output_and_the_log(real: Setup):
    task = real.prints("one\ntwo")
    done = real.run(task)

    assert (done.output, done.log_size, real.log(task)) == (b"one\ntwo", 7, b"one\ntwo")


def test_what_is_being_printed(real: Setup):
    task, other = real.speaks("begin\n 50%"), real.prints("x")
    assert real.executor.latest(task.id) == b""
    real.executor.submit(task)
    real.gate.wait()
    give_up = time.monotonic() + PATIENCE
    while real.executor.latest(task.id) != b"begin\n 50%" and time.monotonic() < give_up:
        real.executor.wait(0.01)
    assert real.executor.latest(task.id) == b"begin\n 50%"
    assert real.executor.latest(other.id) == b""
    real.gate.release()
    (done,) = real.finish(1)
    assert real.executor.latest(task.id) == b""
    assert done.output == b"begin\n 50%"


def test_nothing_printed_makes_no_log(real: Setup):
    task = real.prints("")
    done = real.run(task)

    assert (done.output, done.log_size) == (b"", 0)
    assert not (real.folder / "logs").exists()


def test_a_log_ends_at_its_limit(real: Setup):
    task = replace(real.prints("x" * 2000), log_limit=1000)
    done = real.run(task)

    assert real.log(task) == b"x" * 1000 + b"\n[pipefile: output beyond 1KB dropped]\n"
    assert (done.output, done.log_size) == (real.log(task), len(real.log(task)))


def test_a_link_where_the_log_shall_be_is_not_followed(real: Setup):
    """Case 77: the file that a planted link leads to stays as it is."""
    task = real.prints("log")
    victim = real.folder / "victim"
    victim.write_text("mine")
    Path(task.log).parent.mkdir()
    Path(task.log).symlink_to(victim)
    real.run(task)

    assert victim.read_text() == "mine"
    assert real.log(task) == b"log"


def test_a_log_that_cannot_be_written_fails_the_task(real: Setup):
    task = real.prints("log")
    (real.folder / "logs").write_text("a file")
    done = real.run(task)

    assert (done.outcome, done.error) == ("failed", f"cannot write the log `{task.log}`: not a directory")
    assert done.output == b"log"


def test_a_task_whose_time_is_up_fails(real: Setup):
    task = replace(real.waits(), timeout=0.1)
    real.executor.submit(task)
    due = real.executor.next_deadline()
    (done,) = real.finish(1)

    assert due is not None
    assert due <= time.monotonic()
    assert (done.outcome, done.timed_out, done.error) == ("failed", True, "timed out after 100 ms")
    assert real.executor.next_deadline() is None


def test_tasks_run_beside_each_other(real: Setup):
    first, second = real.waits(), real.waits()
    real.executor.submit(first)
    real.executor.submit(second)
    real.gate.wait()
    real.gate.wait()
    real.gate.release(2)

    assert sorted(done.outcome for done in real.finish(2)) == ["ok", "ok"]


def test_close_ends_what_runs(real: Setup):
    real.executor.submit(real.waits())
    real.gate.wait()
    real.executor.close()


def test_three_hundred_tasks_leave_no_descriptor(real: Setup):
    """Case 54: the number of open files does not grow."""
    for _ in range(5):  # what is started at first, and kept
        real.run(real.prints("x"))
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(100):
        for task in (real.prints("x"), real.prints(""), real.fails()):
            real.executor.submit(task)
        real.finish(3)

    assert len(os.listdir("/proc/self/fd")) == before


def test_what_was_raised_is_named(real: Setup):
    """The class and all its bases, plain and with module; () where nothing was raised."""
    assert real.run(real.fails()).raised == real.raised
    assert real.run(real.prints("x")).raised == ()


@pytest.mark.parametrize("status", [0, 1, 75])
def test_exit_statuses_are_told(real: Setup, status: int):
    done = real.run(real.leaves(status))

    expected = ("ok", "", 0) if status == 0 else ("failed", f"exit status {status}", status)
    assert (done.outcome, done.error, done.exit_status) == expected


def test_a_task_has_its_folder_its_environment_and_no_input(real: Setup):
    task = replace(real.tells("MINE"), cwd=os.fspath(real.folder))
    unset = real.run(task)
    mine = real.run(replace(task, id=next(real.ids), env={**task.env, "MINE": "yes"}))

    assert (unset.output, mine.output) == (f"unset {real.folder} ''".encode(), f"yes {real.folder} ''".encode())


def test_a_daemon_delays_nothing(real: Setup):
    """Case 43: what a task leaves running may hold its pipe; the task has ended, and its daemon lives."""
    done = real.run(real.daemon())

    assert (done.outcome, done.output) == ("ok", b"started")
    real.gate.wait()
    real.gate.release()
    real.gate.wait()


def test_two_cancels_complete_a_task_once(real: Setup):
    real.executor.submit(real.waits())
    real.gate.wait()
    real.executor.cancel()
    real.executor.cancel(urgent=True)

    assert [done.outcome for done in real.finish(1)] == ["cancelled"]
    assert real.executor.wait(0) == []


def test_the_executor_goes_on_after_a_cancel(real: Setup):
    real.executor.submit(real.waits())
    real.gate.wait()
    real.executor.cancel(urgent=True)
    real.finish(1)

    assert real.run(real.prints("x")).output == b"x"
