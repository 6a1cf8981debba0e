"""The lock, between real processes."""

import os
import select
import signal
import subprocess
import sys
import tempfile
from contextlib import contextmanager

import pytest

from pipefile.base.clock import SystemClock
from pipefile.base.disk import OsDisk
from pipefile.base.errors import LockedError, StoreError
from pipefile.store.free import NAME, is_free
from pipefile.store.lock import VARIABLE, Lock, Owner, check_not_nested, peek, variable
from pipefile.testing import FakeClock

HOLDER = """
import os, subprocess, sys
from pipefile.base.clock import SystemClock
from pipefile.base.disk import OsDisk
from pipefile.base.errors import PipefileError
from pipefile.store.lock import Lock, peek
lock = Lock(OsDisk(sys.argv[1]), "store", SystemClock(), ("pipefile", "watch"))
def say(*words): print(*words, flush=True)
def orphan(*argv, **options):
    child = subprocess.Popen(argv, pass_fds=(lock.fd,), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, **options)
    child.returncode = 0  # nobody waits for it
    return child.pid
"""


class Holder:
    """Another process that takes lines of Python, and answers with lines."""

    def __init__(self, root):
        self.process = subprocess.Popen(
            [sys.executable, "-c", HOLDER + "for line in sys.stdin: exec(line)", root],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
        )  # fmt: skip
        self.pid = self.process.pid

    def tell(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def hear(self):
        return self.process.stdout.readline().rstrip("\n")

    def ask(self, line):
        self.tell(f"say({line})")
        return self.hear()

    def kill(self):
        self.process.kill()
        self.process.wait()

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


@pytest.fixture
def root(tmp_path):
    return str(tmp_path)


@pytest.fixture
def holder(root):
    made = Holder(root)
    yield made
    made.close()


@contextmanager
def own(root, clock=None):
    lock = Lock(OsDisk(root), "store", clock or SystemClock(), ("pipefile", "build"))
    try:
        yield lock
    finally:
        lock.release()


def lives(pid):
    """Whether a process runs; one that is dead and not yet collected does not."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] not in ("Z", "X")
    except (FileNotFoundError, ProcessLookupError):
        return False


@contextmanager
def ended(*pids):
    """Each of *pids* is alive, and ends within the block. One that is killed gives its locks back some moments before it counts as dead."""
    watches = [os.pidfd_open(pid) for pid in pids]
    try:
        assert all(map(lives, pids))
        yield
        for watch in watches:
            assert select.select([watch], [], [], 30)[0]
    finally:
        for watch in watches:
            os.close(watch)


def test_it_is_held_and_given_back(root):
    """The files stay; the owner's name is in the first while it is held."""
    with own(root) as lock:
        assert peek(root) is None
        assert lock.acquire() is True
        assert peek(root) == Owner(os.getpid(), "pipefile build")
        assert os.get_inheritable(lock.fd)
        lock.release()
        assert lock.fd == -1
        assert peek(root) is None
        assert os.stat(f"{root}/{NAME}").st_size == 0
        assert os.path.exists(f"{root}/store/lock")
        assert lock.acquire() is True


def test_is_free(root, holder):
    """The fast lane's question writes nothing and is answered at once."""
    path = f"{root}/{NAME}"
    assert is_free(path)
    assert os.listdir(root) == []
    holder.ask("lock.acquire()")
    assert not is_free(path)
    holder.ask("lock.release()")
    assert is_free(path)
    os.unlink(path)
    os.symlink("nowhere", path)
    assert not is_free(path)


def test_no_wait_says_whose_it_is(root, holder):
    """Exit status 4, with pid and command."""
    assert holder.ask("lock.acquire()") == "True"
    with own(root) as lock, pytest.raises(LockedError) as caught:
        lock.acquire(wait=False)
    assert caught.value.exit_status == 4
    assert str(caught.value) == f"error: `{root}` is locked by pid {holder.pid}: pipefile watch\nhint: without `--no-wait` it is waited for"


def test_waiting_tells_once_and_ends_with_the_owner(root, holder):
    """The lock comes as soon as its owner gives it back."""
    assert holder.ask("lock.acquire()") == "True"
    told = []

    def on_wait(*owner):
        told.append(owner)
        holder.tell("lock.release()")

    with own(root) as lock:
        assert lock.acquire(on_wait=on_wait)
    assert told == [(holder.pid, "pipefile watch")]


def test_waiting_can_be_given_up(root, holder):
    """An interrupt ends it, and nothing is held."""
    assert holder.ask("lock.acquire()") == "True"
    asked = []
    with own(root, FakeClock()) as lock:
        assert lock.acquire(should_stop=lambda: len(asked) == 3 or asked.append(1)) is False
        assert lock.fd == -1
    assert holder.ask("peek(sys.argv[1]).pid == os.getpid()") == "True"


def test_an_exception_of_a_signal_handler_ends_the_waiting(root, holder):
    """As Ctrl-C without a handler of ours."""
    assert holder.ask("lock.acquire()") == "True"
    before = set(os.listdir("/proc/self/fd"))

    def on_wait(*owner):
        raise KeyboardInterrupt

    with own(root) as lock, pytest.raises(KeyboardInterrupt):
        lock.acquire(on_wait=on_wait)
    assert set(os.listdir("/proc/self/fd")) == before


def test_a_killed_owner_leaves_no_lock(root, holder):
    """Case 72."""
    assert holder.ask("lock.acquire()") == "True"
    holder.kill()
    assert peek(root) is None
    with own(root, FakeClock()) as lock:
        assert lock.acquire(wait=False)
        assert lock._clock.slept == []


@pytest.mark.parametrize(
    "command",
    [
        "orphan('sleep', '60', process_group=0)",
        "orphan('sleep', '60', start_new_session=True)",
        "orphan('sleep', '60')",  # in our own process group, which outlives this
        "orphan('sh', '-c', 'trap \"\" TERM; while :; do sleep 1; done', process_group=0)",
        "orphan('sh', '-c', 'sleep 60 & sleep 60', process_group=0)",
    ],
)
def test_orphans_of_a_killed_owner_are_ended_first(root, holder, command):
    """Case 33: a stage of a killed builder would write over what the next one makes."""
    assert holder.ask("lock.acquire()") == "True"
    pid = int(holder.ask(command))
    holder.kill()
    with own(root, FakeClock()) as lock, ended(pid):
        assert lock.acquire()


def test_a_forked_child_of_a_killed_owner_is_an_orphan(root, holder):
    """A worker of multiprocessing in a function stage, which inherits every descriptor, keeps the first lock from nobody."""
    assert holder.ask("lock.acquire()") == "True"
    pid = int(holder.ask("os.fork() or os.execvp('sleep', ['sleep', '60'])"))
    holder.tell("child = os.fork()")
    holder.tell("child or __import__('signal').pause()")
    forked = int(holder.ask("child"))
    holder.kill()
    with own(root, FakeClock()) as lock, ended(pid, forked):
        assert lock.acquire()


def test_a_daemon_that_a_stage_left_is_no_orphan(root, holder):
    """After a clean end it lives on, through later builds that have orphans of their own."""
    assert holder.ask("lock.acquire()") == "True"
    daemon = int(holder.ask("orphan('sleep', '60', start_new_session=True)"))
    holder.ask("lock.release()")
    try:
        assert holder.ask("lock.acquire(wait=False)") == "True"
        orphan = int(holder.ask("orphan('sleep', '60', start_new_session=True)"))
        holder.kill()
        with own(root, FakeClock()) as lock, ended(orphan):
            assert lock.acquire()
        assert lives(daemon)
    finally:
        os.kill(daemon, signal.SIGKILL)


def test_two_at_once_never_overlap(root):
    """Case 71: each adds to a number that it reads and writes without care."""
    with open(f"{root}/number", "w") as file:
        file.write("0")
    holders = [Holder(root) for _ in range(4)]
    for each in holders:
        each.tell(
            "[(lock.acquire(), (n := int(open('number').read())), open('number', 'w').write(str(n + 1)), lock.release()) for _ in range(10)]"
            .replace("'number'", repr(f"{root}/number"))
        )  # fmt: skip
    for each in holders:
        assert each.ask("'done'") == "done"
        each.close()
    with open(f"{root}/number") as file:
        assert file.read() == "40"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: os.symlink("victim", path), "error: `{}` is a link, not a lock file\nhint: remove it"),
        (os.mkfifo, "error: `{}` is no file\nhint: remove it"),
        (os.mkdir, "error: `{}` is no file\nhint: remove it"),
    ],
    ids=["link", "fifo", "directory"],
)
@pytest.mark.parametrize("name", [NAME, "store/lock"])
def test_other_things_at_a_locks_path_are_refused(root, make, message, name):
    """Case 77: a link is not followed."""
    os.mkdir(f"{root}/store")
    make(f"{root}/{name}")
    with own(root) as lock, pytest.raises(StoreError) as caught:
        lock.acquire()
    assert str(caught.value) == message.format(f"{root}/{name}")
    assert not os.path.exists(f"{root}/victim")


@pytest.mark.parametrize(("folder", "kept"), [("", []), ("store", [NAME])])
def test_a_folder_that_cannot_be_written(folder, kept):
    """Case 59: the folder is named, without a traceback. Permissions do not bind root, so it is asked of somebody else."""
    script = HOLDER + "\nif os.getuid() == 0: os.setuid(65534)\ntry: lock.acquire()\nexcept PipefileError as error: say(error)"
    with tempfile.TemporaryDirectory() as root:
        os.chmod(root, 0o777)
        os.mkdir(f"{root}/store")
        os.chmod(f"{root}/{folder}", 0o555)
        found = subprocess.run([sys.executable, "-c", script, root], capture_output=True, text=True, check=False)
        target = f"{root}/{folder}".rstrip("/")
        assert (found.stdout, found.stderr) == (f"error: `{target}` cannot be written: Permission denied\n", "")
        os.chmod(target, 0o777)
        assert [name for name in os.listdir(root) if name != "store"] == kept


def test_a_build_in_a_stage_of_the_same_tree_is_refused(root):
    """Case 73: an error, not a deadlock."""
    check_not_nested({}, root)
    check_not_nested({VARIABLE: variable({}, "/elsewhere")}, root)
    environ = {VARIABLE: variable({VARIABLE: variable({}, root)}, "/else:where%3A")}
    check_not_nested({VARIABLE: variable({}, "/else:where%3A")}, root)
    for inside in (root, f"{root}/", f"{root}/x/.."):
        with pytest.raises(LockedError) as caught:
            check_not_nested(environ, inside)
        assert (
            str(caught.value) == f"error: a stage of the build in `{inside}` starts another build there, and each would wait for the other for ever"
        )
    with pytest.raises(LockedError):
        check_not_nested(environ, "/else:where%3A")


@pytest.mark.parametrize("inherit", [True, False])
def test_a_nested_build_without_the_variable_is_refused_as_well(root, holder, inherit):
    """A stage that clears its environment: the lock's owner is found above it."""
    script = HOLDER + "\ntry: lock.acquire()\nexcept PipefileError as error: say(error)"
    assert holder.ask("lock.acquire()") == "True"
    holder.tell(f"script = {script!r}")
    said = holder.ask(
        f"subprocess.run([sys.executable, '-c', script, sys.argv[1]], stdin=subprocess.DEVNULL, capture_output=True, text=True,"
        f" pass_fds=(lock.fd,) if {inherit} else ()).stdout.strip()"
    )
    assert said == f"error: a stage of the build in `{root}` starts another build there, and each would wait for the other for ever"


def test_a_second_build_in_one_process_is_refused(root):
    """It would wait for itself."""
    with own(root) as first, own(root) as second:
        first.acquire()
        with pytest.raises(LockedError) as caught:
            second.acquire()
        assert str(caught.value) == f"error: `{root}` is being built by this very process"
        assert first.fd >= 0


@pytest.mark.parametrize("text", [b"", b"x\ny", b"\xff\n", b"1" * 5000, "²\nx".encode(), b"-1\nx"])
def test_any_text_in_the_lock_file(root, holder, text):
    """It is for messages alone."""
    assert holder.ask("lock.acquire()") == "True"
    with open(f"{root}/{NAME}", "wb") as file:
        file.write(text)
    assert peek(root) == Owner(0, "")
    with own(root, FakeClock()) as lock, pytest.raises(LockedError) as caught:
        lock.acquire(wait=False)
    assert str(caught.value).startswith(f"error: `{root}` is locked by a process that is not known\n")


def test_the_command_is_escaped_for_the_terminal(root, holder):
    """Case 93."""
    assert holder.ask("lock.acquire()") == "True"
    with open(f"{root}/{NAME}", "wb") as file:
        file.write(b"1\na\x1b]0;x\x07b\xff\nrest")
    assert str(peek(root)) == "pid 1: a\\x1b]0;x\\x07b\\xff"
