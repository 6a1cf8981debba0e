"""The public fakes do what they say."""

import errno
import os
import select

import pytest

from pipefile.base.clock import SystemClock
from pipefile.model.ports import Clock, Completion, Disk, Executor, Records, Task
from pipefile.testing import FakeClock, FakeExecutor, FaultyDisk, MemoryRecords


@pytest.fixture
def disk(tmp_path):
    return FaultyDisk(str(tmp_path))


@pytest.fixture
def executor():
    made = []

    def make(*arguments, **options):
        made.append(FakeExecutor(*arguments, **options))
        return made[-1]

    yield make
    for each in made:
        each.close()


def test_they_are_of_the_shape_of_their_ports(disk, executor):
    """mypy holds the signatures; this holds that they are all there."""
    ports: list[tuple[type, object]] = [(Disk, disk), (Clock, FakeClock()), (Executor, executor()), (Records, MemoryRecords())]
    for port, fake in ports:
        for name in [name for name in vars(port) if not name.startswith("_")]:
            assert callable(getattr(fake, name)), (port, name)


def test_time_passes_by_sleeping():
    """Both clocks go together."""
    clock = FakeClock(now=100.0)
    clock.sleep(2.5)
    clock.advance(1)
    assert (clock.monotonic(), clock.now(), clock.slept) == (3.5, 103.5, [2.5])


def test_time_passes_by_waiting_for_nothing():
    """A wait takes no time if there is something to tell, all of it otherwise."""
    clock, poll = FakeClock(), select.poll()
    here, there = os.pipe()
    poll.register(here, select.POLLIN)
    clock.wait(poll, 2.5)
    assert (clock.monotonic(), clock.waited) == (2.5, [2.5])
    os.write(there, b"x")
    clock.wait(poll, 4.0)
    clock.wait(poll, None)
    assert (clock.monotonic(), clock.waited) == (2.5, [2.5])
    SystemClock.wait(poll, 1e9)
    SystemClock.wait(poll, None)
    os.read(here, 1)
    SystemClock.wait(poll, 0.0)
    os.close(here)
    os.close(there)


def test_a_fault_hits_the_calls_that_it_names(disk):
    """By operation and path; others go through."""
    disk.fail("write", "*.hash", errno.ENOSPC)
    disk.write("a", b"x")
    with pytest.raises(OSError, match="No space left on device") as caught:
        disk.write(".a.hash", b"x")
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, ".a.hash")
    assert sorted(os.listdir(disk.root)) == ["a"]
    disk.mend()
    disk.write(".a.hash", b"x")


def test_a_fault_after_some_calls_for_some_calls(disk):
    """One that comes and goes."""
    disk.fail("stat", after=1, times=2)
    seen = []
    for _ in range(4):
        try:
            seen.append(disk.stat("a"))
        except OSError as error:
            seen.append(error.errno)
    assert seen == [None, errno.EIO, errno.EIO, None]


def test_a_fault_by_predicate_and_for_every_operation(disk):
    """Errors are of the class that their number has; of two paths either counts."""
    disk.write("a", b"x")
    disk.fail("*", lambda path: path.startswith("secret"), errno.EACCES)
    for call in (lambda: disk.read("secret"), lambda: disk.rename("a", "secret"), lambda: disk.mkdirs("secret/x")):
        with pytest.raises(PermissionError):
            call()
    assert not disk.writable("secret")
    assert disk.read("a") == b"x"


def test_what_is_read_is_counted(disk):
    """Bytes by path, calls by operation and path."""
    disk.write("a", b"12345")
    disk.read("a")
    disk.digest("a", "blake3")
    disk.stat("a")
    assert disk.bytes_read == {"a": 10}
    assert (disk.calls["read", "a"], disk.calls["digest", "a"], disk.total("stat"), disk.total("lstat")) == (1, 1, 1, 0)
    disk.forget()
    assert (disk.bytes_read.total(), disk.calls.total()) == (0, 0)


@pytest.mark.parametrize(("tick", "stamp"), [(0, 1_999_999_999), (20_000_000, 1_980_000_000), (1_000_000_000, 1_000_000_000)])
def test_stamps_can_be_coarse(disk, tick, stamp):
    """In every stat that the disk gives, in nanoseconds and in seconds alike."""
    disk.write("a", b"x")
    os.utime(disk.at("a"), ns=(0, 1_999_999_999))
    disk.tick = tick
    for seen in (disk.stat("a"), disk.lstat("a"), disk.digest("a", "blake3")[1]):
        assert seen.st_mtime_ns == stamp
        assert seen.st_mtime == pytest.approx(stamp / 1e9)
        assert seen.st_ctime_ns % (tick or 1) == 0
        assert (seen.st_size, seen.st_ino, seen.st_mode) == (1, os.stat(disk.at("a")).st_ino, os.stat(disk.at("a")).st_mode)


def readable(executor):
    return select.select([executor.fileno()], [], [], 0)[0] != []


def test_tasks_run_one_by_one_in_order(executor):
    """Actions by name, one for the rest; what they raise is a failure."""
    done = []

    def fails(task):
        raise ValueError("no")

    run = executor({"b": fails, "c": lambda task: Completion(task.id, "failed", exit_status=3)}, otherwise=lambda task: done.append(task.name))
    assert (run.wait(0), readable(run), run.next_deadline()) == ([], False, None)
    for number, name in enumerate("abcd"):
        run.submit(Task(number, name))
    assert done == []
    found = []
    while readable(run):
        found += run.wait()
    assert found == [
        Completion(0, "ok", exit_status=0),
        Completion(1, "failed", error="ValueError: no"),
        Completion(2, "failed", exit_status=3),
        Completion(3, "ok", exit_status=0),
    ]
    assert done == ["a", "d"]
    assert [task.name for task in run.tasks] == ["a", "b", "c", "d"]


def test_cancelled_tasks_come_back(executor):
    """They do not run; later ones do."""
    run = executor()
    run.submit(Task(1, "a"))
    run.cancel()
    run.submit(Task(2, "b"))
    assert run.wait() + run.wait() == [Completion(1, "cancelled"), Completion(2, "ok", exit_status=0)]
    run.close()
    run.close()
