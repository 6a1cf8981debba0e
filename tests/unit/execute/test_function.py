"""Functions in threads: what they print, raise, import and change."""

from __future__ import annotations

import io
import logging
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from kit import Gate
from kit.fifo import PATIENCE

from pipefile.execute.function import FunctionExecutor
from pipefile.model.fileref import FileRef
from pipefile.model.ports import Completion, FunctionCall, Task
from pipefile.model.stage import Call, Value

MEET = """
import os
from pathlib import Path

def line(path):
    fd = os.open(path, os.O_RDONLY)
    try:
        os.read(fd, 3)  # one line: a file object would take the others along
    finally:
        os.close(fd)

"""
"""What functions need to meet the test at a Gate."""


class Runner:
    """An executor, and a project folder with modules."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.executor = FunctionExecutor()
        self.env = dict(os.environ)

    def write(self, path: str, text: str) -> None:
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def submit(self, call: str, number: int = 1, timeout: float | None = None, **arguments: FileRef | list[FileRef] | Value) -> None:
        module, _, function = call.partition(":")
        log = os.fspath(self.folder / "logs" / f"{number}.txt")
        found = FunctionCall(Call(module, function), arguments)
        self.executor.submit(Task(number, call, function=found, env=self.env, cwd=os.fspath(self.folder), log=log, timeout=timeout))

    def finish(self) -> Completion:
        give_up = time.monotonic() + PATIENCE
        while time.monotonic() < give_up:
            for done in self.executor.wait(1):
                return done
        raise AssertionError("it does not end")

    def run(self, call: str, timeout: float | None = None, **arguments: FileRef | list[FileRef] | Value) -> Completion:
        self.submit(call, 1, timeout, **arguments)
        return self.finish()


def process_state() -> list[object]:
    environ = {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}  # pytest's own, another in each phase
    return [sys.stdout, sys.stderr, sys.stdin, list(sys.path), list(sys.path_hooks), os.getcwd(), environ]


@pytest.fixture
def runner(tmp_path: Path) -> Iterator[Runner]:
    before = process_state()
    made = Runner(tmp_path)
    yield made
    made.executor.close()
    assert process_state() == before
    assert "steps" not in sys.modules


def outcome(done: Completion) -> tuple[str, str]:
    return done.outcome, done.error


# Calling


def test_arguments_are_handed_over_by_name(runner: Runner):
    runner.write("raw.txt", "hello")
    runner.write(
        "steps.py",
        "def copy(src, dst, many, n=2):\n    with open(src) as a, open(dst, 'w') as b:\n        b.write(a.read() * n)\n    return len(many)\n",
    )
    done = runner.run("steps:copy", src=FileRef("raw.txt"), dst=FileRef("out.txt"), many=[FileRef("a"), FileRef("b")], n=3)

    assert outcome(done) == ("ok", "")
    assert (runner.folder / "out.txt").read_text() == "hellohellohello"


def test_a_module_in_a_package_of_the_project(runner: Runner):
    runner.write("pkg/__init__.py", "")
    runner.write("pkg/tools.py", "NAME = 'tool'\n")
    runner.write("pkg/steps.py", "from pkg.tools import NAME\ndef f():\n    print(NAME)\n")

    assert runner.run("pkg.steps:f").output == b"tool\n"


def test_a_function_may_take_everything(runner: Runner):
    runner.write("steps.py", "def f(**all):\n    print(sorted(all))\n")

    assert runner.run("steps:f", a=1, b="x").output == b"['a', 'b']\n"


@pytest.mark.parametrize(
    ("call", "error"),
    [
        ("gone:f", "cannot call `gone:f`: there is no module `gone` in the Pipefile's folder"),
        ("steps.deep:f", "cannot call `steps.deep:f`: there is no module `steps.deep` in the Pipefile's folder"),
        ("steps:g", "cannot call `steps:g`: there is no `g` in module `steps`"),
        ("sys:g", "cannot call `sys:g`: there is no `g` in module `sys`, which is part of Python"),
        ("steps:VALUE", "cannot call `steps:VALUE`: it is no function"),
        ("steps:extra", "cannot call `steps:extra`: it takes no `a`, which its stage hands over; it takes `b`, `c`"),
        ("steps:nothing", "cannot call `steps:nothing`: it takes no `a`, which its stage hands over; it takes no arguments"),
        ("steps:more", "cannot call `steps:more`: it wants `b`, which is no input, output or param of its stage"),
        ("steps:place", "cannot call `steps:place`: it takes no `a`, which its stage hands over; it takes no arguments"),
        ("steps:later", "cannot call `steps:later`: it is async; call it with asyncio.run from a plain function"),
        ("steps:each", "cannot call `steps:each`: it is a generator, so calling it would run nothing"),
    ],
)
def test_what_cannot_be_called_says_why(runner: Runner, call: str, error: str):
    functions = ["def extra(b, c=1): pass", "def nothing(): pass", "def more(a, b): pass", "def place(a, /): pass", "async def later(a): pass"]
    runner.write("steps.py", "\n".join(["VALUE = 1", *functions, "def each(a): yield a", ""]))

    done = runner.run(call, a=1)
    assert outcome(done) == ("failed", error)
    assert done.output == b""


# Raising


def test_an_exception_fails_the_task_and_its_traceback_is_in_the_log(runner: Runner):
    runner.write("steps.py", "def f():\n    inner()\n\ndef inner():\n    raise ValueError('bad')\n")
    done = runner.run("steps:f")

    file = runner.folder / "steps.py"
    assert outcome(done) == ("failed", "ValueError: bad")
    assert done.output.decode() == (
        "Traceback (most recent call last):\n"
        f'  File "{file}", line 2, in f\n    inner()\n'
        f"  File \"{file}\", line 5, in inner\n    raise ValueError('bad')\n"
        "ValueError: bad\n"
    )
    assert (runner.folder / "logs" / "1.txt").read_bytes() == done.output


def test_an_error_while_the_module_is_imported_shows_no_import_machinery(runner: Runner):
    runner.write("steps.py", "import no_such_library\n")
    done = runner.run("steps:f")

    assert outcome(done) == ("failed", "ModuleNotFoundError: No module named 'no_such_library'")
    assert done.output.decode() == (
        "Traceback (most recent call last):\n"
        f'  File "{runner.folder / "steps.py"}", line 1, in <module>\n    import no_such_library\n'
        "ModuleNotFoundError: No module named 'no_such_library'\n"
    )


def test_a_syntax_error_is_told_in_one_line(runner: Runner):
    runner.write("steps.py", "def f(:\n")
    done = runner.run("steps:f")

    assert outcome(done) == ("failed", "SyntaxError: invalid syntax")
    assert f'File "{runner.folder / "steps.py"}", line 1' in done.output.decode()


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("sys.exit()", ("ok", "", 0, b"")),
        ("sys.exit(0)", ("ok", "", 0, b"")),
        ("sys.exit(3)", ("failed", "exit status 3", 3, b"")),
        ("sys.exit('no luck')", ("failed", "exit status 1", 1, b"no luck\n")),
    ],
)
def test_sys_exit_ends_the_function_alone(runner: Runner, code: str, expected: tuple[str, str, int, bytes]):
    """Case 51."""
    runner.write("steps.py", f"import sys\ndef f():\n    {code}\n")
    done = runner.run("steps:f")

    assert (done.outcome, done.error, done.exit_status, done.output) == expected


@pytest.mark.parametrize("name", ["KeyboardInterrupt", "GeneratorExit", "BaseException"])
def test_whatever_a_function_raises_is_its_own_failure(runner: Runner, name: str):
    """Case 51."""
    runner.write("steps.py", f"def f():\n    raise {name}\n")

    assert outcome(runner.run("steps:f")) == ("failed", name)


# Printing


def test_prints_of_all_kinds_go_to_the_task_and_not_to_ours(runner: Runner, capfd: pytest.CaptureFixture[str]):
    runner.write(
        "steps.py",
        "import sys, logging, threading, warnings\n"
        "from concurrent.futures import ThreadPoolExecutor\n"
        "def f():\n"
        "    print('out')\n"
        "    print('err', file=sys.stderr)\n"
        "    sys.stdout.buffer.write(b'\\xff\\n')\n"
        "    sys.stdout.reconfigure(line_buffering=True)\n"
        "    print('\\udcfe \\ud800')\n"
        "    thread = threading.Thread(target=print, args=('thread',))\n"
        "    thread.start()\n"
        "    thread.join()\n"
        "    with ThreadPoolExecutor() as pool:\n"
        "        pool.submit(print, 'pool').result()\n"
        "    print(sys.stdout.isatty(), repr(sys.stdin.read()))\n",
    )
    done = runner.run("steps:f")

    assert done.output == b"out\nerr\n\xff\n\\udcfe \\ud800\nthread\npool\nFalse ''\n"
    assert capfd.readouterr() == ("", "")


def test_two_functions_at_once_print_each_to_its_own_log(runner: Runner):
    gate = Gate(os.fspath(runner.folder), "gate")
    runner.write("steps.py", MEET + "def f(name, here, go):\n    print(name)\n    Path(here).write_text('x\\n')\n    line(go)\n    print(name)\n")
    ends = {end: os.fspath(runner.folder / f"gate.{end}") for end in ("here", "go")}
    runner.submit("steps:f", 1, name="one", **ends)
    gate.wait()
    runner.submit("steps:f", 2, name="two", **ends)
    gate.wait()
    print("ours")  # goes where it always goes
    gate.release(1)
    first = runner.finish()
    gate.release(1)
    done = {each.id: each.output for each in (first, runner.finish())}
    gate.close()

    assert done == {1: b"one\none\n", 2: b"two\ntwo\n"}


def test_handlers_and_streams_that_live_longer_lead_to_the_old_streams(runner: Runner, monkeypatch: pytest.MonkeyPatch):
    old = io.StringIO()
    monkeypatch.setattr(sys, "stderr", old)
    ours = logging.StreamHandler(old)
    runner.write(
        "steps.py",
        "import logging\ndef f():\n    h = logging.StreamHandler()\n    logging.getLogger('kept').addHandler(h)\n    h.stream.write('in\\n')\n",
    )
    done = runner.run("steps:f")
    (theirs,) = logging.getLogger("kept").handlers
    logging.getLogger("kept").removeHandler(theirs)
    theirs.emit(logging.LogRecord("kept", 20, "", 1, "after", (), None))
    ours.emit(logging.LogRecord("kept", 20, "", 1, "ours", (), None))

    assert done.output == b"in\n"
    assert old.getvalue() == "after\nours\n"


def test_a_function_that_replaces_sys_stdout_does_it_for_itself(runner: Runner):
    runner.write("steps.py", "import io, sys\ndef f():\n    sys.stdout = io.StringIO()\ndef g():\n    print('heard')\n")
    runner.run("steps:f")

    assert runner.run("steps:g").output == b"heard\n"


# Modules


def test_the_code_on_disk_runs_though_size_and_second_are_equal(runner: Runner):
    """A .pyc would be believed, and so would sys.modules."""
    for word in ("one", "two"):
        runner.write("steps.py", f"def f():\n    print('{word}')\n")
        os.utime(runner.folder / "steps.py", (1_700_000_000, 1_700_000_000))
        again = Runner(runner.folder)
        assert again.run("steps:f").output == f"{word}\n".encode()
        again.executor.close()
        subprocess.run([sys.executable, "-m", "py_compile", "steps.py"], cwd=runner.folder, check=True)


def test_nothing_is_written_beside_the_modules(runner: Runner):
    runner.write("pkg/__init__.py", "")
    runner.write("pkg/steps.py", "def f():\n    import pkg.late\n")
    runner.write("pkg/late.py", "")
    runner.run("pkg.steps:f")

    assert sorted(os.fspath(path.relative_to(runner.folder)) for path in runner.folder.rglob("*") if path.is_file()) == [
        "pkg/__init__.py",
        "pkg/late.py",
        "pkg/steps.py",
    ]


def test_two_projects_with_equal_module_names_in_one_process(tmp_path: Path):
    for name in ("one", "two", "one"):
        runner = Runner(tmp_path / name)
        runner.write("steps.py", "import helper\ndef f():\n    print(helper.NAME)\n")
        runner.write("helper.py", f"NAME = '{name}'\n")
        assert runner.run("steps:f").output == f"{name}\n".encode()
        runner.executor.close()


def test_a_python_installation_inside_the_project_is_not_imported_anew(runner: Runner, monkeypatch: pytest.MonkeyPatch):
    """Numerical libraries cannot be imported twice."""
    runner.write(".venv/lib/site-packages/library.py", "")
    monkeypatch.syspath_prepend(os.fspath(runner.folder / ".venv/lib/site-packages"))
    import library  # type: ignore[import-not-found]  # written just above

    runner.write("steps.py", "import library\ndef f():\n    print(id(library))\n")
    done = runner.run("steps:f")
    monkeypatch.delitem(sys.modules, "library")

    assert int(done.output) == id(library)


# The process


SHARED = 'functions share it, but for those with `mode = "process"`'


def test_a_changed_folder_fails_the_function_and_is_put_back(runner: Runner):
    """Case 51."""
    runner.write("steps.py", "import os\ndef f():\n    os.chdir('/')\ndef g():\n    print(os.getcwd())\n")

    assert outcome(runner.run("steps:f")) == ("failed", "the working folder was changed to `/` while it ran: " + SHARED)
    assert runner.run("steps:g").output == f"{runner.folder}\n".encode()


def test_a_changed_environment_fails_the_function_and_is_put_back(runner: Runner):
    """Case 51."""
    runner.write(
        "steps.py", "import os\ndef f():\n    os.environ['NEW'] = '1'\n    del os.environ['PATH']\ndef g():\n    print('NEW' in os.environ)\n"
    )

    assert outcome(runner.run("steps:f")) == ("failed", "os.environ was changed while it ran (`NEW`, `PATH`): " + SHARED)
    assert runner.run("steps:g").output == b"False\n"


def test_what_an_import_sets_in_the_environment_is_allowed(runner: Runner):
    runner.write("steps.py", "import os\nos.environ['LIBRARY'] = '1'\ndef f():\n    print(os.environ['LIBRARY'])\n")

    assert [runner.run("steps:f").output, runner.run("steps:f").output] == [b"1\n", b"1\n"]


def test_a_function_sees_the_environment_of_its_task(runner: Runner):
    runner.write("steps.py", "import os\ndef f():\n    print(os.environ.get('MINE'), 'HOME' in os.environ)\n")
    runner.env = {"MINE": "yes"}

    assert runner.run("steps:f").output == b"yes False\n"


def test_tasks_with_different_environments_follow_each_other(runner: Runner):
    gate = Gate(os.fspath(runner.folder), "gate")
    runner.write("steps.py", MEET + "import os\ndef f(go):\n    line(go)\n    print(os.environ['N'])\ndef g():\n    print(os.environ['N'])\n")
    runner.env = {"N": "1"}
    runner.submit("steps:f", 1, go=os.fspath(runner.folder / "gate.go"))
    runner.env = {"N": "2"}
    runner.submit("steps:g", 2)
    assert runner.executor.wait(0) == []
    gate.release()
    done = [runner.finish(), runner.finish()]
    gate.close()

    assert [(each.id, each.output) for each in done] == [(1, b"1\n"), (2, b"2\n")]


# Ending


def test_an_endless_function_is_interrupted_when_its_time_is_up(runner: Runner):
    """Case 51."""
    runner.write("steps.py", "def f():\n    while True:\n        pass\n")
    done = runner.run("steps:f", timeout=0.1)

    assert (done.outcome, done.timed_out, done.error) == ("failed", True, "timed out after 100 ms")
    give_up = time.monotonic() + PATIENCE
    while runner.executor.abandoned:
        assert time.monotonic() < give_up


def test_a_function_that_does_not_stop_is_abandoned_and_heard_no_more(runner: Runner, capfd: pytest.CaptureFixture[str]):
    gate = Gate(os.fspath(runner.folder), "gate")
    runner.write(
        "steps.py",
        MEET + "def f(here, go):\n"
        "    while True:\n"
        "        try:\n            line(go)\n            break\n"
        "        except KeyboardInterrupt:\n            pass\n"
        "    print('too late')\n"
        "    Path(here).write_text('x\\n')\n",
    )
    done = runner.run("steps:f", timeout=0.1, **{end: os.fspath(runner.folder / f"gate.{end}") for end in ("here", "go")})
    assert outcome(done) == ("failed", "timed out after 100 ms")
    assert runner.executor.abandoned

    gate.release(2)
    gate.wait()
    gate.close()
    assert capfd.readouterr() == ("", "")
    give_up = time.monotonic() + PATIENCE
    while runner.executor.abandoned:
        assert time.monotonic() < give_up


def test_a_thread_that_a_function_leaves_counts_as_abandoned(runner: Runner):
    """Case 51."""
    gate = Gate(os.fspath(runner.folder), "gate")
    runner.write("steps.py", MEET + "import threading\ndef f(go):\n    threading.Thread(target=lambda: line(go)).start()\n")
    done = runner.run("steps:f", go=os.fspath(runner.folder / "gate.go"))

    assert outcome(done) == ("ok", "")
    assert runner.executor.abandoned
    gate.release()
    give_up = time.monotonic() + PATIENCE
    while runner.executor.abandoned:
        assert time.monotonic() < give_up
    gate.close()


def test_folders_that_modules_add_to_the_path_are_gone_afterwards(runner: Runner):
    """Another build's modules are not looked for there, and a relative one means another folder to another project."""
    runner.executor.close()
    for name in ("first", "second"):
        folder = runner.folder / name
        folder.mkdir()
        other = Runner(folder)
        other.write("added/inner.py", f"NAME = '{name}'\n")
        other.write("steps.py", "import sys\nsys.path.append('added')\nimport inner\ndef f():\n    print(inner.NAME)\n")
        done = other.run("steps:f")
        assert (outcome(done), done.output) == (("ok", ""), f"{name}\n".encode())
        other.executor.close()
        assert "added" not in sys.path
        assert "inner" not in sys.modules


def test_an_interrupt_waits_for_the_end_of_an_import(runner: Runner):
    """KeyboardInterrupt between two lines of the import machinery leaves its lock taken, and every later import hangs."""
    gate = Gate(os.fspath(runner.folder), "gate")
    ends = [os.fspath(runner.folder / f"gate.{end}") for end in ("here", "go")]
    runner.write("steps.py", f"{MEET}Path({ends[0]!r}).write_text('x\\n')\nline({ends[1]!r})\ndef f():\n    print('called')\n")
    runner.write("other.py", "def f():\n    import steps\n")
    for number, call in enumerate(("steps:f", "other:f")):
        executor = Runner(runner.folder)
        executor.submit(call, number)
        gate.wait()
        executor.executor.cancel()
        assert executor.executor.wait(0) == []
        gate.release()
        done = executor.finish()
        assert (done.outcome, done.output) == ("cancelled", b"")
        executor.executor.close()
    gate.close()


def test_the_second_cancel_abandons_what_does_not_stop(runner: Runner):
    """The second Ctrl-C waits for nobody."""
    gate = Gate(os.fspath(runner.folder), "gate")
    ends = {end: os.fspath(runner.folder / f"gate.{end}") for end in ("here", "go")}
    runner.write("steps.py", MEET + "def f(here, go):\n    Path(here).write_text('x\\n')\n    line(go)\n")
    runner.submit("steps:f", **ends)
    gate.wait()
    runner.executor.cancel()
    runner.executor.cancel(urgent=True)
    done = runner.finish()
    gate.release()
    gate.close()

    assert outcome(done) == ("cancelled", "did not end when it was interrupted")
