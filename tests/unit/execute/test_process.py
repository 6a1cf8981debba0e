"""Functions in worker processes: what they are handed, what they do to their process, and how they end."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from kit import Gate
from kit.fifo import PATIENCE
from kit.workers import Workers, children, until_gone

from pipefile.model.fileref import FileRef
from pipefile.model.ports import Completion, FunctionCall, Return, StoredValue, Task

MEET = """
import os
def meet(here, go):
    with open(here, "w") as file:
        file.write(f"{os.getpid()}\\n")
    fd = os.open(go, os.O_RDONLY)
    os.read(fd, 3)
    os.close(fd)
"""


@pytest.fixture
def runner(tmp_path: Path) -> Iterator[Workers]:
    made = Workers(tmp_path)
    yield made
    made.executor.close()
    assert made.zygotes() == []


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    made = Gate(os.fspath(tmp_path), "gate")
    yield made
    made.close()


def outcome(done: Completion) -> tuple[str, str]:
    return done.outcome, done.error


# Calling


def test_arguments_are_handed_over_by_name(runner: Workers):
    runner.write("raw.txt", "hello")
    runner.write("steps.py", "def f(src, many, n, table):\n    print(open(src).read(), src.digest, src.size, *many, n, table)\n")
    ref = FileRef("raw.txt", "blake3:12", 5)
    done = runner.run("steps:f", src=ref, many=[FileRef("a"), FileRef("b\udcff")], n=3, table={"x": [1.5, True, "ü"]})

    assert outcome(done) == ("ok", "")
    assert done.output == b"hello blake3:12 5 a b\xff 3 {'x': [1.5, True, '\xc3\xbc']}\n"


def test_values_of_other_stages_and_returned_ones(runner: Workers):
    runner.write("steps.py", "def f(n):\n    return n + 1\n")
    runner.write("n.json", "41\n")
    task = runner.task("steps:f", n=StoredValue("n.json", "int"))
    assert task.function is not None
    call = FunctionCall(task.function.call, task.function.arguments, (Return(None, "int", "m.json"),))
    runner.executor.submit(Task(9, "f", function=call, env=runner.env, cwd=task.cwd))

    assert outcome(runner.finish()) == ("ok", "")
    assert (runner.folder / "m.json").read_text() == "42\n"


def test_thousands_of_arguments(runner: Workers):
    """A message that no socket takes goes another way."""
    runner.write("steps.py", "def f(many):\n    print(len(many), many[-1])\n")

    files = [FileRef(f"a/folder/with/files/{n}.txt") for n in range(20_000)]
    assert runner.run("steps:f", many=files).output == b"20000 a/folder/with/files/19999.txt\n"


@pytest.mark.parametrize(
    ("call", "error"),
    [
        ("gone:f", "cannot call `gone:f`: there is no module `gone` in the Pipefile's folder"),
        ("steps:g", "cannot call `steps:g`: there is no `g` in module `steps`"),
        ("steps:extra", "cannot call `steps:extra`: it takes no `a`, which its stage hands over; it takes `b`, `c`"),
        ("steps:more", "cannot call `steps:more`: it wants `b`, which is no input, output or param of its stage"),
        ("steps:made", "cannot call `steps:made`: it wants `setup`, but its stage has no `setup`"),
        ("steps:later", "cannot call `steps:later`: it is async; call it with asyncio.run from a plain function"),
        ("steps:each", "cannot call `steps:each`: it is a generator, so calling it would run nothing"),
    ],
)
def test_what_cannot_be_called_says_why(runner: Workers, call: str, error: str):
    functions = ["def extra(b, c=1): pass", "def more(a, b): pass", "async def later(a): pass", "def made(a, setup): pass"]
    runner.write("steps.py", "\n".join([*functions, "def each(a): yield a", ""]))
    done = runner.run(call, a=1)

    assert (outcome(done), done.output, done.raised) == (("failed", error), b"", ())


def test_a_folder_that_is_gone(runner: Workers):
    runner.write("steps.py", "def f(): pass\n")
    task = runner.task("steps:f")
    runner.executor.submit(Task(1, "f", function=task.function, env=task.env, cwd="/no/such"))

    assert outcome(runner.finish()) == ("failed", "cannot go to the folder `/no/such`: No such file or directory")


def test_what_cannot_be_sent_fails_the_task(runner: Workers):
    runner.write("steps.py", "def f(a): pass\n")
    done = runner.run("steps:f", a={1, 2, object()})  # type: ignore[arg-type]  # as a caller might who is not checked

    assert outcome(done) == ("failed", "cannot start a worker: unmarshallable object")


def test_ctx(runner: Workers):
    runner.write(
        "steps.py",
        "import os, threading\n"
        "def f(ctx):\n"
        "    print(ctx.attempt, ctx.params)\n"
        "    thread = threading.Thread(target=ctx.log.info, args=('from %s', 'a thread'))\n"
        "    thread.start()\n"
        "    thread.join()\n"
        "    ctx.log.debug('unheard')\n"
        "    ctx.log.error('bad')\n"
        "    open(ctx.artifact('a.txt'), 'w').close()\n"
        "    open(ctx.tmpdir + '/x', 'w').close()\n"
        "    open('where', 'w').write(ctx.tmpdir)\n",
    )
    done = runner.run("steps:f")

    assert outcome(done) == ("ok", "")
    assert done.output == b"2 {'p': [1]}\nfrom a thread\nerror: bad\n"
    assert os.listdir(runner.folder / "artifacts") == ["a.txt"]
    assert not os.path.exists((runner.folder / "where").read_text())


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/etc/passwd", "a\\0b", "x" * 256])
def test_names_of_artifacts_are_file_names(runner: Workers, name: str):
    runner.write("steps.py", f"def f(ctx):\n    ctx.artifact('{name}')\n")
    shown = name.replace("\\0", "\\x00")

    assert outcome(runner.run("steps:f")) == ("failed", f"ValueError: `{shown}` is no name for an artifact: a file name without folders is one")
    assert not (runner.folder / "artifacts").exists()


def test_the_temporary_folder_of_a_worker_that_was_killed_goes_too(runner: Workers):
    runner.write("steps.py", "import os\ndef f(ctx):\n    open('where', 'w').write(ctx.tmpdir)\n    os.kill(os.getpid(), 9)\n")
    assert outcome(runner.run("steps:f")) == ("failed", "killed by SIGKILL")

    assert not os.path.exists((runner.folder / "where").read_text())


# Ending


def test_an_exception_fails_the_task_and_its_traceback_is_in_the_log(runner: Workers):
    runner.write("steps.py", "def f():\n    print('before')\n    raise TimeoutError('late')\n")
    done = runner.run("steps:f")

    file = runner.folder / "steps.py"
    assert outcome(done) == ("failed", "TimeoutError: late")
    assert done.output.decode() == (
        "before\nTraceback (most recent call last):\n"
        f"  File \"{file}\", line 3, in f\n    raise TimeoutError('late')\n"
        "TimeoutError: late\n"
    )
    assert (done.exit_status, done.signal, done.timed_out) == (None, 0, False)
    assert done.raised[:4] == ("TimeoutError", "builtins.TimeoutError", "OSError", "builtins.OSError")


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("sys.exit(0)", ("ok", "", 0, 0)),
        ("sys.exit(3)", ("failed", "exit status 3", 3, 0)),
        ("os._exit(3)", ("failed", "exit status 3", 3, 0)),
        ("os._exit(0)", ("failed", "ended without returning", 0, 0)),
        ("raise BaseException", ("failed", "BaseException", None, 0)),
        ("raise KeyboardInterrupt", ("failed", "KeyboardInterrupt", None, 0)),
        ("os.kill(os.getpid(), 9)", ("failed", "killed by SIGKILL", None, 9)),
        ("os.kill(os.getpid(), 11)", ("failed", "killed by SIGSEGV", None, 11)),
        ("os.abort()", ("failed", "killed by SIGABRT", None, 6)),
        ("ctypes.string_at(0)", ("failed", "killed by SIGSEGV", None, 11)),
    ],
)
def test_every_way_to_end_is_told(runner: Workers, code: str, expected: tuple[str, str, int | None, int]):
    """Cases 51 and 52."""
    runner.write("steps.py", f"import ctypes, os, sys\ndef f():\n    {code}\ndef g():\n    print('well')\n")
    done = runner.run("steps:f")

    assert (done.outcome, done.error, done.exit_status, done.signal) == expected
    assert runner.run("steps:g").output == b"well\n"


def test_where_it_crashed_is_in_the_log(runner: Workers):
    runner.write("steps.py", "import ctypes\ndef f():\n    print('last words')\n    ctypes.string_at(0)\n")
    done = runner.run("steps:f")

    assert done.output.startswith(b"last words\nFatal Python error: Segmentation fault\n")
    assert f'File "{runner.folder}/steps.py", line 4 in f'.encode() in done.output


def test_a_worker_killed_from_outside_fails_its_own_task_alone(runner: Workers, gate: Gate, tmp_path: Path):
    """Case 52: the out-of-memory killer ends one worker; others go on."""
    runner.write("steps.py", MEET + "def f(here, go):\n    open('pid', 'w').write(str(os.getpid()))\n    meet(here, go)\ndef g(): pass\n")
    bad = runner.submit("steps:f", **runner.ends())
    gate.wait()
    good = runner.submit("steps:g")
    os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)
    done = {each.id: outcome(each) for each in (runner.finish(), runner.finish())}

    assert done == {bad.id: ("failed", "killed by SIGKILL"), good.id: ("ok", "")}


def test_an_endless_function_is_ended_when_its_time_is_up(runner: Workers):
    """Case 51."""
    runner.write("steps.py", "def f():\n    while True:\n        pass\n")
    done = runner.run("steps:f", timeout=0.2)

    assert (done.outcome, done.timed_out, done.error, done.signal) == ("failed", True, "timed out after 200 ms", signal.SIGTERM)


def test_a_grandchild_that_left_the_group_is_ended_with_it(runner: Workers, gate: Gate):
    """Case 45: by the pipe that it holds."""
    script = f"echo $$ > {runner.ends()['here']}.pid; {gate.shell.replace('$GATES', os.fspath(runner.folder))}"
    runner.write("steps.py", f"import subprocess\ndef f():\n    subprocess.run(['setsid', 'sh', '-c', {script!r}])\n")
    runner.submit("steps:f", timeout=0.5)
    gate.wait()
    done = runner.finish()

    assert outcome(done) == ("failed", "timed out after 500 ms")
    until_gone(int(Path(f"{runner.ends()['here']}.pid").read_text()))


def test_cancel_interrupts_the_function(runner: Workers, gate: Gate):
    runner.write("steps.py", MEET + "def f(here, go):\n    try:\n        meet(here, go)\n    finally:\n        print('cleaned up')\n")
    runner.submit("steps:f", **runner.ends())
    gate.wait()
    runner.executor.cancel()
    done = runner.finish()

    assert done.outcome == "cancelled"
    assert done.output.startswith(b"cleaned up\n")


def test_a_daemon_that_holds_the_pipe_delays_nothing_and_lives_on(runner: Workers, gate: Gate, tmp_path: Path):
    """Case 43."""
    script = gate.shell.replace("$GATES", os.fspath(runner.folder)) + "; echo > over"
    runner.write("steps.py", f"import subprocess\ndef f():\n    subprocess.Popen(['sh', '-c', {script!r}])\n    print('started')\n")
    done = runner.run("steps:f")
    assert (done.outcome, done.output) == ("ok", b"started\n")

    gate.wait()
    gate.release()
    give_up = time.monotonic() + PATIENCE
    while not (tmp_path / "over").exists():
        assert time.monotonic() < give_up


# The process


def test_all_that_is_printed_is_caught(runner: Workers, capfd: pytest.CaptureFixture[str]):
    runner.write(
        "steps.py",
        "import ctypes, os, subprocess, sys, threading\n"
        "def f():\n"
        "    print('out')\n"
        "    print('err', file=sys.stderr)\n"
        "    os.write(1, b'raw \\xff\\n')\n"
        "    subprocess.run(['echo', 'program'])\n"
        "    thread = threading.Thread(target=print, args=('thread \\udcfe',))\n"
        "    thread.start()\n"
        "    thread.join()\n"
        "    print(repr(sys.stdin.read()), os.isatty(0), end='')\n",
    )

    assert runner.run("steps:f").output == b"out\nerr\nraw \xff\nprogram\nthread \xfe\n'' False"
    assert capfd.readouterr() == ("", "")


def test_what_a_function_changes_reaches_no_other(runner: Workers):
    """Case 51: folder, environment, modules, threads."""
    runner.write(
        "steps.py",
        "import os, sys, threading\n"
        "STATE = []\n"
        "def f():\n"
        "    STATE.append(1)\n"
        "    os.environ['NEW'] = '1'\n"
        "    os.chdir('/')\n"
        "    sys.path.clear()\n"
        "    threading.Thread(target=threading.Event().wait).start()\n"  # nobody ever waits for it
        "def g():\n"
        "    import json\n"
        "    print(STATE, 'NEW' in os.environ, os.getcwd(), threading.active_count())\n",
    )
    assert outcome(runner.run("steps:f")) == ("ok", "")

    assert runner.run("steps:g").output == f"[] False {runner.folder} 1\n".encode()


def test_the_environment_is_that_of_the_task(runner: Workers):
    runner.write("steps.py", "import os\ndef f():\n    print(os.environ['N'], len(os.environ))\n    os.system('echo $N')\n")
    runner.env = {"N": "1", "PATH": os.environ["PATH"]}
    first = runner.run("steps:f").output
    runner.env = {"N": "2", "PATH": os.environ["PATH"]}

    assert (first, runner.run("steps:f").output) == (b"1 2\n1\n", b"2 2\n2\n")


def test_variables_that_count_at_the_start_of_an_interpreter_count(runner: Workers):
    """A fork comes too late for them, so it is forked from another process."""
    runner.write("steps.py", "def f():\n    print(hash('word'))\n")
    found = []
    for seed in ("1", "2", "1"):
        runner.env = {**runner.env, "PYTHONHASHSEED": seed}
        found.append(runner.run("steps:f").output)

    assert found[0] == found[2] != found[1]


def test_processes_for_many_environments_are_bounded(runner: Workers):
    runner.write("steps.py", "def f(): pass\n")
    for seed in range(8):
        runner.env = {**runner.env, "PYTHONHASHSEED": str(seed)}
        assert runner.run("steps:f").outcome == "ok"
        assert len(runner.zygotes()) <= 4


def test_code_is_that_on_the_disk(runner: Workers):
    """The next task sees an edit, though size and second are the same."""
    for word in ("one", "two"):
        runner.write("steps.py", "import helper\ndef f():\n    print(helper.NAME)\n")
        runner.write("helper.py", f"NAME = '{word}'\n")
        os.utime(runner.folder / "helper.py", (1_700_000_000, 1_700_000_000))
        assert runner.run("steps:f").output == f"{word}\n".encode()
    assert not list(runner.folder.rglob("*.pyc"))


def test_cpu_time_and_memory_are_told(runner: Workers):
    runner.write("steps.py", "import os\ndef f():\n    data = bytearray(80_000_000)\n    while sum(os.times()[:2]) < 0.2:\n        pass\n")
    done = runner.run("steps:f")

    assert done.cpu >= 0.15
    assert done.peak_rss > 80_000_000


def test_what_multiprocessing_has_left_ends_with_the_function(runner: Workers):
    runner.write(
        "steps.py",
        "from concurrent.futures import ProcessPoolExecutor\n"
        "POOL = []\n"
        "def f():\n"
        "    POOL.append(ProcessPoolExecutor(2))\n"
        "    print(sum(POOL[0].map(abs, [-1, 2])))\n"
        "    open('pids', 'w').write(' '.join(map(str, POOL[0]._processes)))\n",
    )
    assert runner.run("steps:f").output == b"3\n"

    for pid in (runner.folder / "pids").read_text().split():
        until_gone(int(pid))


def test_exit_handlers_run(runner: Workers):
    runner.write("steps.py", "import atexit\ndef f():\n    atexit.register(print, 'closed')\n    print('done')\n")

    assert runner.run("steps:f").output == b"done\nclosed\n"


def test_workers_draw_different_numbers(runner: Workers):
    runner.write("steps.py", "import random\ndef f():\n    print(random.random())\n")

    assert runner.run("steps:f").output != runner.run("steps:f").output


# The process that forks


def test_it_has_one_thread_and_leads_its_group(runner: Workers):
    """Case 53: a fork beside other threads may hang, and Python from 3.12 on warns of it."""
    runner.write("steps.py", "import threading\ndef f():\n    threading.Thread(target=print).start()\n")
    runner.run("steps:f")
    (zygote,) = runner.zygotes()

    assert len(os.listdir(f"/proc/{zygote}/task")) == 1
    assert os.getpgid(zygote) == zygote


def test_its_death_loses_what_runs_and_another_one_is_started(runner: Workers, gate: Gate, tmp_path: Path):
    runner.write("steps.py", MEET + "def f(here, go):\n    open('pid', 'w').write(str(os.getpid()))\n    meet(here, go)\ndef g(): print('well')\n")
    runner.submit("steps:f", **runner.ends())
    gate.wait()
    os.kill(runner.zygotes()[0], signal.SIGKILL)

    assert outcome(runner.finish()) == ("lost", "the process that starts workers has ended (killed by SIGKILL)")
    until_gone(int((tmp_path / "pid").read_text()))
    assert runner.run("steps:g").output == b"well\n"


def test_a_worker_that_was_asked_for_and_is_not_there_yet(runner: Workers):
    """It is lost at once: there is nothing to end."""
    runner.write("steps.py", "def f(): print('well')\n")
    runner.run("steps:f")
    (zygote,) = runner.zygotes()
    os.kill(zygote, signal.SIGSTOP)
    runner.submit("steps:f")
    assert runner.executor.wait(0) == []
    os.kill(zygote, signal.SIGKILL)

    assert outcome(runner.finish()) == ("lost", "the process that starts workers has ended (killed by SIGKILL)")
    assert runner.run("steps:f").output == b"well\n"


def test_a_worker_that_is_to_be_ended_before_it_is_there(runner: Workers):
    runner.write("steps.py", "def f(): print('well')\n")
    runner.run("steps:f")
    (zygote,) = runner.zygotes()
    os.kill(zygote, signal.SIGSTOP)
    runner.submit("steps:f")
    runner.executor.cancel()
    os.kill(zygote, signal.SIGCONT)

    assert runner.finish().outcome == "cancelled"


def test_one_that_cannot_start_says_why(runner: Workers, monkeypatch: pytest.MonkeyPatch):
    runner.write("steps.py", "def f(): pass\n")
    monkeypatch.setattr(sys, "path", [])
    done = runner.run("steps:f")

    assert done.outcome == "lost"
    assert done.error.startswith("the process that starts workers has ended (exit status 1): ModuleNotFoundError: ")


def test_an_interpreter_that_is_not_there(runner: Workers, monkeypatch: pytest.MonkeyPatch):
    runner.write("steps.py", "def f(): pass\n")
    monkeypatch.setattr(sys, "executable", "/no/python")

    assert outcome(runner.run("steps:f")) == ("lost", "cannot start a worker: no such file or directory")


def test_sixty_four_at_once(runner: Workers):
    """Case 54: no deadlock, no zombie, no descriptor left."""
    runner.write("steps.py", "def f(n):\n    print(n)\n")
    runner.run("steps:f", n=0)
    before = len(os.listdir("/proc/self/fd"))
    for n in range(64):
        runner.submit("steps:f", n=n)
    found = sorted(int(runner.finish().output) for _ in range(64))

    assert found == list(range(64))
    assert len(os.listdir("/proc/self/fd")) == before
    (zygote,) = runner.zygotes()
    assert children(zygote) == []
