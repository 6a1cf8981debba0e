"""Commands: how they start, what they see, how they end."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from kit import Gate
from kit.fifo import PATIENCE
from kit.process import marked

from pipefile.execute.output import SHOWN
from pipefile.execute.shell import ShellExecutor
from pipefile.model.ports import Completion, Task


class Runner:
    """An executor, and tasks in one folder with one environment."""

    def __init__(self, tmp: Path, threads: bool, own_folder: bool) -> None:
        self.tmp = tmp
        self.executor = ShellExecutor(threads=threads)
        self.cwd = os.getcwd() if own_folder else os.fspath(tmp)
        self.mark = f"pipefile-test-{tmp.name}"
        self.env = {"PATH": os.environ["PATH"], "MARK": self.mark, "GATES": os.fspath(tmp)}

    def task(self, *argv: str, timeout: float | None = None) -> Task:
        return Task(1, "t", argv=argv, env=self.env, cwd=self.cwd, log=os.fspath(self.tmp / "log.txt"), timeout=timeout)

    def run(self, *argv: str, timeout: float | None = None) -> Completion:
        return self.finish(self.task(*argv, timeout=timeout))

    def finish(self, task: Task | None = None) -> Completion:
        if task is not None:
            self.executor.submit(task)
        give_up = time.monotonic() + PATIENCE
        while time.monotonic() < give_up:
            for done in self.executor.wait(1):
                return done
        raise AssertionError("it does not end")

    def left(self) -> list[int]:
        """Processes that are left of all that was started here."""
        return marked(f"MARK={self.mark}")

    def close(self) -> None:
        self.executor.close()
        for pid in self.left():
            os.kill(pid, signal.SIGKILL)


@pytest.fixture(params=["pidfd", "threads"])
def runner(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Runner]:
    made = Runner(tmp_path, request.param == "threads", own_folder=True)
    yield made
    made.close()


@pytest.fixture(params=["own folder", "other folder"])
def anywhere(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Runner]:
    """The two ways to start a process."""
    made = Runner(tmp_path, False, request.param == "own folder")
    yield made
    made.close()


def text(done: Completion) -> str:
    assert done.outcome == "ok", done.error
    return done.output.decode()


# Starting


def test_a_command_runs_in_its_folder(anywhere: Runner):
    assert text(anywhere.run("pwd", "-P")) == f"{anywhere.cwd}\n"


def test_a_command_sees_the_environment_of_its_task_and_nothing_else(anywhere: Runner):
    lines = text(anywhere.run("env")).splitlines()

    assert sorted(lines) == sorted(f"{name}={value}" for name, value in anywhere.env.items())


def test_two_tasks_with_two_environments_see_their_own(anywhere: Runner):
    anywhere.run("env")
    anywhere.env = {**anywhere.env, "NEW": "é\udcff"}

    assert b"NEW=\xc3\xa9\xff\n" in anywhere.run("env").output


def test_standard_input_is_empty(anywhere: Runner):
    """Case 48."""
    assert text(anywhere.run("cat")) == ""


def test_standard_output_and_error_come_in_order(anywhere: Runner):
    assert text(anywhere.run("sh", "-c", "echo one; echo two >&2; echo three")) == "one\ntwo\nthree\n"


def test_a_command_leads_a_group_of_its_own(anywhere: Runner):
    pid, group = text(anywhere.run("sh", "-c", 'set -- $(cat /proc/$$/stat); echo "$1 $5"')).split()

    assert pid == group


def test_no_signal_is_ignored_or_blocked_in_a_command(anywhere: Runner):
    """The builder ignores SIGPIPE as every Python does, and SIGINT where a shell has started it in the background."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    try:
        output = text(anywhere.run("grep", "-E", "SigIgn|SigBlk", "/proc/self/status"))
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    internal = 1 << 31 | 1 << 32  # signals 32 and 33, which glibc keeps for itself and ignores in what it spawns
    assert [int(line.split()[1], 16) & ~internal for line in output.splitlines()] == [0, 0]


def test_only_the_standard_descriptors_and_those_asked_for_are_inherited(anywhere: Runner):
    read, write = os.pipe()
    executor, anywhere.executor = anywhere.executor, ShellExecutor(inherit=[write])
    executor.close()
    try:
        shown = text(anywhere.run("sh", "-c", f"echo here > /proc/$$/fd/{write}; ls /proc/$$/fd"))
        assert os.read(read, 100) == b"here\n"
    finally:
        os.close(read)
        os.close(write)

    known = {fd for fd in range(3, 256) if _inheritable(fd)}  # what the test run itself was given
    assert {int(fd) for fd in shown.split()} - known == {0, 1, 2, write}


def _inheritable(fd: int) -> bool:
    try:
        return os.get_inheritable(fd)
    except OSError:
        return False


def test_a_program_is_found_on_the_path_of_its_task(anywhere: Runner):
    for number in (1, 2):
        _script(anywhere.tmp / f"bin{number}" / "tool", f"#!/bin/sh\necho {number}\n")
    anywhere.env = {**anywhere.env, "PATH": f"{anywhere.tmp}/bin1:{anywhere.tmp}/bin2:{os.environ['PATH']}"}

    assert text(anywhere.run("tool")) == "1\n"


def test_a_program_that_moves_is_found_again(tmp_path: Path):
    runner = Runner(tmp_path, False, own_folder=True)
    for number in (1, 2):
        _script(tmp_path / f"bin{number}" / "tool", f"#!/bin/sh\necho {number}\n")
    runner.env = {**runner.env, "PATH": f"{tmp_path}/bin1:{tmp_path}/bin2:{os.environ['PATH']}"}
    assert text(runner.run("tool")) == "1\n"
    (tmp_path / "bin1" / "tool").unlink()

    assert text(runner.run("tool")) == "2\n"
    runner.close()


def test_a_program_with_a_slash_is_relative_to_the_folder(tmp_path: Path):
    runner = Runner(tmp_path, False, own_folder=False)
    _script(tmp_path / "sub" / "tool", "#!/bin/sh\necho here\n")

    assert text(runner.run("sub/tool")) == "here\n"
    runner.close()


def _script(path: Path, content: str, mode: int = 0o755) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(content)
    path.chmod(mode)


@pytest.mark.parametrize(
    ("argv", "error"),
    [
        (["no-such-program"], "cannot start `no-such-program`: not found on PATH"),
        (["./nothing"], "cannot start `./nothing`: no such file"),
        (["{tmp}/plain"], "cannot start `{tmp}/plain`: permission denied"),
        (["{tmp}/text"], "cannot start `{tmp}/text`: not a program, and no script with a first line like `#!/bin/sh`"),
        (["{tmp}/odd"], "cannot start `{tmp}/odd`: the interpreter of its first line does not exist"),
        (["{tmp}"], "cannot start `{tmp}`: permission denied"),
        (["true", "a\0b"], "cannot start `true`: a NUL character in its arguments or its environment"),
        (["bad\x1b[2J"], "cannot start `bad\\x1b[2J`: not found on PATH"),
    ],
)
def test_a_program_that_cannot_be_started_is_a_failed_task(anywhere: Runner, argv: list[str], error: str):
    _script(anywhere.tmp / "plain", "#!/bin/sh\n", 0o644)
    _script(anywhere.tmp / "text", "hello\n")
    _script(anywhere.tmp / "odd", "#!/no/such/interpreter\n")
    done = anywhere.run(*[word.replace("{tmp}", os.fspath(anywhere.tmp)) for word in argv])

    assert (done.outcome, done.error) == ("failed", error.replace("{tmp}", os.fspath(anywhere.tmp)))
    assert done.exit_status is None


@pytest.mark.parametrize("argv", [["sh", "-c", ": " + "x" * (1 << 20)], ["true", *["x" * 1000] * 3000]])
def test_a_command_that_is_too_long_names_the_way_out(anywhere: Runner, argv: list[str]):
    """Case 50: 1 MiB in one word, and 3 MiB in many."""
    done = anywhere.run(*argv)

    reason = "argument list too long; `{inputs.file}` and `{outputs.file}` name files that list them"
    assert (done.outcome, done.error) == ("failed", f"cannot start `{argv[0]}`: {reason}")


def test_a_folder_that_is_gone_is_named(tmp_path: Path):
    runner = Runner(tmp_path, False, own_folder=False)
    runner.cwd = f"{tmp_path}/gone"

    assert runner.run("true").error == f"cannot start `true`: the folder `{tmp_path}/gone` does not exist"
    runner.close()


def test_without_free_descriptors_a_task_is_lost_and_the_next_one_runs(runner: Runner):
    """Case 58: RLIMIT_NOFILE."""
    import resource

    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(map(int, os.listdir("/proc/self/fd"))) - 1, before[1]))
    taken = []
    try:
        try:
            while True:
                taken.append(os.dup(0))
        except OSError:
            pass
        runner.executor.submit(runner.task("true"))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
        for fd in taken:
            os.close(fd)
    done = runner.finish()

    assert (done.outcome, done.error) == ("lost", "cannot start `true`: too many open files")
    assert runner.run("true").outcome == "ok"


# Ending


def test_the_exit_status_is_told(runner: Runner):
    done = runner.run("sh", "-c", "exit 3")

    assert (done.outcome, done.exit_status, done.signal, done.error) == ("failed", 3, 0, "exit status 3")


def test_a_signal_is_told_by_name(runner: Runner):
    """Case 40."""
    done = runner.run("sh", "-c", "kill -9 $$")

    assert (done.outcome, done.exit_status, done.signal, done.error) == ("failed", None, 9, "killed by SIGKILL")


def test_time_and_memory_are_counted(runner: Runner):
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10  # tests before may have left it large: below that, a peak is only sampled
    much = own + (200 << 20)
    done = runner.run(sys.executable, "-c", f"x = b'1' * {much}")

    assert done.outcome == "ok"
    assert done.peak_rss > much
    assert done.cpu > 0
    assert done.elapsed > 0


def test_a_small_process_is_not_charged_with_our_memory(runner: Runner):
    assert runner.run("true").peak_rss == 0


def test_a_daemon_that_holds_the_output_delays_nothing(runner: Runner):
    """Case 43: what was printed is not lost, and the daemon lives on."""
    done = runner.run("sh", "-c", "sleep 1000 & echo started")

    assert (done.outcome, done.output) == ("ok", b"started\n")
    assert done.elapsed < 5
    assert len(runner.left()) == 1


def test_text_that_is_there_when_the_process_ends_is_not_lost(runner: Runner):
    done = runner.run("sh", "-c", "sleep 1000 & printf %060000d 1")

    assert done.output == b"0" * 59999 + b"1"


def test_what_is_printed_just_after_the_end_is_kept(runner: Runner):
    """`sh -c 'tool &'`: its output follows the end of the shell."""
    gate = Gate(os.fspath(runner.tmp), "gate")
    done = runner.run("sh", "-c", "(while kill -0 $$ && ! grep -q ') Z' /proc/$$/stat; do :; done; echo late) 2>/dev/null >&1 &")
    gate.close()

    assert done.output == b"late\n"


def test_a_timeout_ends_the_whole_group(runner: Runner):
    """Case 44."""
    begun = time.monotonic()
    done = runner.run("sh", "-c", "sleep 1000 & sleep 1000", timeout=0.2)

    assert (done.outcome, done.timed_out, done.signal, done.error) == ("failed", True, signal.SIGTERM, "timed out after 200 ms")
    assert time.monotonic() - begun < 20
    assert runner.left() == []


def test_a_group_that_ignores_sigterm_is_killed(runner: Runner):
    done = runner.run("sh", "-c", "trap '' TERM; sleep 1000 & sleep 1000", timeout=0.1)

    assert (done.outcome, done.signal, done.error) == ("failed", signal.SIGKILL, "timed out after 100 ms")
    assert runner.left() == []


def test_a_background_process_that_ignores_sigterm_is_killed(runner: Runner):
    """The leader ends at once, the rest of its group does not."""
    done = runner.run("sh", "-c", "(trap '' TERM; sleep 1000) & sleep 1000", timeout=0.1)

    assert done.error == "timed out after 100 ms"
    assert runner.left() == []


def test_a_process_that_has_left_the_group_is_found_by_its_output(runner: Runner):
    """Case 45."""
    gate = Gate(os.fspath(runner.tmp), "gate")
    runner.executor.submit(runner.task("sh", "-c", f"setsid sh -c '{gate.arrive}; sleep 1000' & sleep 1000"))
    gate.wait()
    runner.executor.cancel()
    done = runner.finish()
    gate.close()

    assert done.outcome == "cancelled"
    assert runner.left() == []


def test_a_stopped_process_is_ended_too(runner: Runner):
    gate = Gate(os.fspath(runner.tmp), "gate")
    runner.executor.submit(runner.task("sh", "-c", f"{gate.arrive}; kill -STOP $$; sleep 1000"))
    gate.wait()
    runner.executor.cancel()

    assert runner.finish().outcome == "cancelled"
    assert runner.left() == []
    gate.close()


def test_cancel_asks_before_it_kills(runner: Runner):
    gate = Gate(os.fspath(runner.tmp), "gate")
    runner.executor.submit(runner.task("sh", "-c", f"trap 'echo stopping; exit 7' INT; {gate.arrive}; while :; do sleep 0.01; done"))
    gate.wait()
    runner.executor.cancel()
    done = runner.finish()
    gate.close()

    assert (done.outcome, done.exit_status, done.output) == ("cancelled", 7, b"stopping\n")


def test_cancel_kills_what_ignores_it(runner: Runner):
    """Case 35, as far as the executor goes."""
    gate = Gate(os.fspath(runner.tmp), "gate")
    runner.executor.submit(runner.task("sh", "-c", f"trap '' INT TERM; {gate.arrive}; sleep 1000; sleep 1000"))
    gate.wait()
    runner.executor.cancel()
    runner.executor.cancel(urgent=True)
    done = runner.finish()
    gate.close()

    assert (done.outcome, done.signal) == ("cancelled", signal.SIGKILL)
    assert runner.left() == []


def test_cancel_does_not_touch_what_has_ended(runner: Runner):
    """A task whose daemon holds the pipe counts as ended, and the daemon stays."""
    runner.executor.submit(runner.task("sh", "-c", "sleep 1000 & echo $!"))
    while not any(running.status is not None for running in runner.executor._running):  # its process has ended
        runner.executor.wait(0.05)
    runner.executor.cancel()
    done = runner.finish()

    assert done.outcome == "ok"
    assert runner.left() == [int(done.output)]


def test_close_leaves_nothing(runner: Runner):
    gate = Gate(os.fspath(runner.tmp), "gate")
    runner.executor.submit(runner.task("sh", "-c", f"trap '' INT TERM; sleep 1000 & {gate.arrive}; sleep 1000"))
    gate.wait()
    runner.executor.close()
    gate.close()

    assert runner.left() == []


def test_no_zombie_is_left(runner: Runner):
    """Case 54."""
    for _ in range(20):
        runner.run("true")
    states = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:
                    state, parent = file.read().rpartition(b")")[2].split()[:2]
            except OSError:
                continue
            if int(parent) == os.getpid():
                states.append(state)

    assert b"Z" not in states


# Much output


BUILDER = """
import os, sys
from pipefile.execute.shell import ShellExecutor
from pipefile.model.ports import Task

def peak():
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))

executor = ShellExecutor()
before = peak()
executor.submit(Task(1, "t", argv=("sh", "-c", sys.argv[1]), env=dict(os.environ), cwd=os.getcwd(), log=sys.argv[2], log_limit=10**6))
done = []
while not done:
    done = executor.wait()
executor.close()
with open(sys.argv[3], "w") as result:
    print(done[0].outcome, len(done[0].output), done[0].log_size, peak() - before, file=result)
"""


@pytest.mark.parametrize("command", ["head -c 268435456 /dev/zero | tr '\\0' x", "yes | head -n 10000000"])
def test_endless_output_takes_no_memory(tmp_path: Path, command: str):
    """Case 46, an eighth of its bytes: 256 MiB in one line, and ten million lines."""
    log, result = tmp_path / "log.txt", tmp_path / "result"
    subprocess.run([sys.executable, "-W", "error", "-c", BUILDER, command, log, result], check=True, timeout=PATIENCE)
    outcome, shown, log_size, growth = result.read_text().split()

    end_line = b"[pipefile: output beyond 1MB dropped]\n"
    assert (outcome, int(shown)) == ("ok", SHOWN)
    assert 10**6 + len(end_line) <= int(log_size) == log.stat().st_size <= 10**6 + len(end_line) + 1
    assert log.read_bytes().endswith(end_line)
    assert int(growth) < 20 << 10  # KiB


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_builder_without_standard_streams_gives_its_commands_some(tmp_path: Path, closed: str):
    """Case 49."""
    log, result = tmp_path / "log.txt", tmp_path / "result"
    command = "cat; echo out; echo err >&2"
    script = f'exec "$@" {closed}'
    subprocess.run(["sh", "-c", script, "sh", sys.executable, "-c", BUILDER, command, log, result], check=True, timeout=PATIENCE)

    assert result.read_text().split()[:3] == ["ok", "8", "8"]
    assert log.read_bytes() == b"out\nerr\n"


def test_bytes_of_any_kind_are_kept(runner: Runner):
    """Case 47, the log's part."""
    done = runner.run("printf", r"\000\377\033]0;t\007\r")

    assert done.output == b"\0\xff\x1b]0;t\x07\r"
    assert (runner.tmp / "log.txt").read_bytes() == done.output


def test_a_long_output_is_whole_in_the_log(runner: Runner):
    done = runner.finish(replace(runner.task("sh", "-c", "yes | head -c 1000000"), log_limit=1000000))

    assert (runner.tmp / "log.txt").read_bytes() == b"y\n" * 500000
    assert (done.output, done.log_size) == (b"y\n" * (SHOWN // 2), 1000000)


def test_no_subprocess_is_imported_for_a_command_in_our_folder(tmp_path: Path):
    """Its import takes as long as three commands."""
    code = BUILDER + "\nassert 'subprocess' not in sys.modules and 'threading' not in sys.modules"
    subprocess.run([sys.executable, "-c", code, "true", tmp_path / "log", tmp_path / "result"], check=True, timeout=PATIENCE)
