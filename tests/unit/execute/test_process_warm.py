"""Workers that are kept for more tasks of their kind."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from kit import Gate
from kit.workers import Workers, children, until_gone

from pipefile.execute.process import ProcessExecutor
from pipefile.model.ports import Completion
from pipefile.model.stage import Call

STEPS = """
import os, sys, threading
def model():
    print("loading")
    return {"pid": os.getpid(), "used": 0}
def other():
    return {"pid": -1, "used": 0}
def f(setup, code=""):
    setup["used"] += 1
    print(os.getpid() == setup["pid"], setup["used"])
    exec(code)
"""


@pytest.fixture
def warm(tmp_path: Path) -> Iterator[Workers]:
    made = Workers(tmp_path)
    made.write("steps.py", STEPS)
    made.setup = Call("steps", "model")
    yield made
    made.executor.close()
    assert made.zygotes() == []


def workers(warm: Workers) -> list[int]:
    return [worker for zygote in warm.zygotes() for worker in children(zygote)]


def outcome(done: Completion) -> tuple[str, str]:
    return done.outcome, done.error


def test_setup_runs_once_for_tasks_that_follow_each_other(warm: Workers):
    found = [warm.run("steps:f").output for _ in range(3)]

    assert found == [b"loading\nTrue 1\n", b"True 2\n", b"True 3\n"]
    assert len(workers(warm)) == 1


def test_it_takes_as_many_workers_as_tasks_at_once(warm: Workers):
    with_gate = Gate(os.fspath(warm.folder), "gate")
    code = f"open({warm.ends()['here']!r}, 'w').write('x\\n'); os.read(os.open({warm.ends()['go']!r}, os.O_RDONLY), 3)"
    for _ in range(2):
        warm.submit("steps:f", code=code)
        with_gate.wait()
    assert len(workers(warm)) == 2
    with_gate.release(2)
    assert [warm.finish().output for _ in range(2)] == [b"loading\nTrue 1\n"] * 2
    with_gate.close()

    assert [warm.run("steps:f").output for _ in range(2)] == [b"True 2\n", b"True 3\n"]


@pytest.mark.parametrize("what", ["setup", "folder", "environment"])
def test_another_kind_of_task_has_another_worker(warm: Workers, what: str):
    warm.run("steps:f")
    if what == "setup":
        warm.setup = Call("steps", "other")
    elif what == "folder":
        Workers(warm.folder / "sub").write("steps.py", STEPS)
        warm.folder = warm.folder / "sub"
    else:
        warm.env = {**warm.env, "N": "1"}

    assert warm.run("steps:f").output == (b"False 1\n" if what == "setup" else b"loading\nTrue 1\n")
    assert len(workers(warm)) == 2


@pytest.mark.parametrize(
    "code",
    [
        "os.chdir('/')",
        "os.environ['NEW'] = '1'",
        "threading.Thread(target=threading.Event().wait).start()",
        "globals()['left'] = __import__('subprocess').Popen(['sleep', '1000'])",
        "sys.stdout.close()",
        "sys.exit(3)",
        "raise BaseException",
        "raise MemoryError",
        "os._exit(3)",
        "os.kill(os.getpid(), 9)",
    ],
)
def test_a_worker_that_is_not_as_it_was_is_not_used_again(warm: Workers, code: str):
    warm.run("steps:f", code=code)

    assert warm.run("steps:f").output == b"loading\nTrue 1\n"


@pytest.mark.parametrize("code", ["raise ValueError", "sys.exit(0)", "sys.stdout = None", "os.system('true')", "1"])
def test_a_worker_that_is_as_it_was_is_used_again(warm: Workers, code: str):
    """Among them one whose function raised: the next attempt does not load the model anew."""
    warm.run("steps:f", code=code)

    assert warm.run("steps:f").output == b"True 2\n"


def test_what_a_program_prints_that_was_left_running_reaches_no_other_task(warm: Workers):
    """Case 43: it holds a pipe of a task that has ended, and nobody reads it any more."""
    gate = Gate(os.fspath(warm.folder), "gate")
    script = f"({gate.shell.replace('$GATES', os.fspath(warm.folder))}; echo late; echo over > {warm.ends()['here']}) &"
    first = warm.run("steps:f", code=f"os.system({script!r})")
    gate.wait()
    second = warm.run("steps:f")
    gate.release()
    gate.wait()
    third = warm.run("steps:f")
    gate.close()

    assert (first.output, second.output, third.output) == (b"loading\nTrue 1\n", b"True 2\n", b"True 3\n")


def test_a_setup_that_fails_fails_the_task(warm: Workers):
    warm.write("steps.py", "def model():\n    print('trying')\n    raise OSError('no model')\ndef f(setup): pass\n")

    for _ in range(2):
        done = warm.run("steps:f")
        assert outcome(done) == ("failed", "OSError: no model")
        assert done.output.startswith(b"trying\n")


def test_a_function_need_not_take_what_setup_gives(warm: Workers):
    warm.write("steps.py", "def model():\n    print('loading')\ndef f():\n    print('run')\n")

    assert [warm.run("steps:f").output for _ in range(2)] == [b"loading\nrun\n", b"run\n"]


def test_the_time_of_setup_counts(warm: Workers):
    warm.write("steps.py", "def model():\n    while True:\n        pass\ndef f(setup): pass\n")

    assert outcome(warm.run("steps:f", timeout=0.2)) == ("failed", "timed out after 200 ms")


def test_changed_code_is_seen_after_renew(warm: Workers):
    warm.run("steps:f")
    warm.write("steps.py", "def model():\n    pass\ndef f(setup):\n    print('new')\n")
    warm.executor.renew()

    assert warm.run("steps:f").output == b"new\n"


def test_renew_while_a_task_runs(warm: Workers):
    gate = Gate(os.fspath(warm.folder), "gate")
    code = f"open({warm.ends()['here']!r}, 'w').write('x\\n'); os.read(os.open({warm.ends()['go']!r}, os.O_RDONLY), 3)"
    warm.submit("steps:f", code=code)
    gate.wait()
    warm.executor.renew()
    gate.release()
    assert outcome(warm.finish()) == ("ok", "")
    gate.close()

    assert warm.run("steps:f").output == b"loading\nTrue 1\n"


def test_workers_that_wait_are_not_more_than_there_may_be(tmp_path: Path):
    """Those of other kinds go when one more is needed."""
    warm = Workers(tmp_path)
    warm.executor.close()
    warm.executor = ProcessExecutor(workers=2)
    warm.write("steps.py", STEPS)
    for number in range(4):
        warm.setup = Call("steps", "other")
        warm.env = {**warm.env, "N": str(number)}
        assert warm.run("steps:f").outcome == "ok"
        gone = workers(warm)[:-2]
        for pid in gone:
            until_gone(pid)
    warm.executor.close()


def test_a_waiting_worker_that_dies_is_replaced(warm: Workers):
    warm.run("steps:f")
    (worker,) = workers(warm)
    os.kill(worker, signal.SIGKILL)
    until_gone(worker)
    done = warm.run("steps:f")

    assert done.output == b"loading\nTrue 1\n"


def test_a_warm_worker_that_is_cancelled_ends(warm: Workers):
    gate = Gate(os.fspath(warm.folder), "gate")
    warm.run("steps:f")
    code = f"open({warm.ends()['here']!r}, 'w').write('x\\n'); os.read(os.open({warm.ends()['go']!r}, os.O_RDONLY), 3)"
    warm.submit("steps:f", code=code)
    gate.wait()
    warm.executor.cancel()
    assert warm.finish().outcome == "cancelled"
    gate.close()

    assert warm.run("steps:f").output == b"loading\nTrue 1\n"


def test_cpu_time_is_that_of_the_task_alone(warm: Workers):
    first = warm.run("steps:f", code="while sum(os.times()[:2]) < 0.3: pass")
    second = warm.run("steps:f")

    assert first.cpu > 0.2
    assert second.cpu < 0.1


def test_a_thousand_tasks_leave_no_descriptor(warm: Workers):
    """Case 54."""
    warm.run("steps:f")
    before = len(os.listdir("/proc/self/fd"))
    (worker,) = workers(warm)
    inside = len(os.listdir(f"/proc/{worker}/fd"))
    for number in range(300):
        assert warm.run("steps:f").output == f"True {number + 2}\n".encode()

    assert len(os.listdir("/proc/self/fd")) == before
    assert len(os.listdir(f"/proc/{worker}/fd")) == inside
