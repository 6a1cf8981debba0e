"""Watch: where the system tells too little, or nothing (case 95)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest
from kit import Project, Watch


def _may_unshare() -> bool:
    return subprocess.run(["unshare", "-Ur", "true"], capture_output=True, check=False).returncode == 0


needs_namespaces = pytest.mark.skipif(not _may_unshare(), reason="no user namespaces")


def within(setting: str, value: int) -> tuple[str, ...]:
    """Words before a program that runs with a limit of its own."""
    return ("unshare", "-Ur", "sh", "-c", f'echo {value} > /proc/sys/user/{setting} && exec "$@"', "sh")


@pytest.fixture
def many(project: Project) -> Project:
    """A source in each of thirty folders."""
    for number in range(30):
        project.write(f"in/{number}/x.txt", f"{number}\n")
    project.traced("all", inputs="in/**/*.txt", outputs="all.txt", run="cat {inputs} > {outputs}")
    return project


@needs_namespaces
def test_too_few_watches(many: Project) -> None:
    """Said with the limit, what is needed and how to raise it; then the files are polled."""
    watch = Watch(many, around=within("max_inotify_watches", 8))
    text = watch.next()
    assert (
        "warning: no more folders can be watched: `fs.inotify.max_user_watches` is 8, this project needs 32, and other programs share it; "
        "files are polled instead\n"
        "hint: `sudo sysctl fs.inotify.max_user_watches=524288` raises it until the next boot, "
        "`echo fs.inotify.max_user_watches=524288 | sudo tee /etc/sysctl.d/60-pipefile.conf` for good\n"
        "pipefile: watching 32 files in 32 folders (polling)\n"
        "pipefile: build finished: 0 failed, 1 ok, 0 skipped in Ns\n"
    ) in text
    many.write("in/29/x.txt", "new\n")
    watch.until("pipefile: build started (1 changed: in/29/x.txt)")
    many.write("in/30/x.txt", "another\n")
    watch.until("pipefile: build started (1 changed: in/)")
    watch.stop()
    many.settled()


@needs_namespaces
def test_no_queue_of_events(many: Project) -> None:
    """As when other programs have all of them."""
    watch = Watch(many, around=within("max_inotify_instances", 0))
    text = watch.next()
    assert "warning: changes cannot be watched: `fs.inotify.max_user_instances` is " in text
    assert "pipefile: watching 32 files in 32 folders (polling)\n" in text
    many.write("in/0/x.txt", "new\n")
    watch.until("pipefile: build started (1 changed: in/0/x.txt)")


def test_poll(many: Project) -> None:
    """`--poll` asks for no events at all; failures and edits during a build are no reason to go round in circles."""
    many.write("steps.txt", "bad\n")
    many.stage("fails", inputs="steps.txt", outputs="f.txt", run="grep good {inputs} > {outputs}")
    watch = Watch(many, "--poll", "-k")
    assert "pipefile: watching 34 files in 32 folders (polling)\n" in watch.next()
    for number in range(2):
        many.write("in/0/x.txt", f"new {number}\n")
        assert watch.next().startswith("pipefile: build started (1 changed: in/0/x.txt)\n")
    many.write("steps.txt", "good\n")
    assert "0 failed, 1 ok" in watch.next()
    watch.stop()
    many.settled()


def test_more_than_the_queue_holds(project: Project) -> None:
    """More happens at once than the system can tell of: everything is looked at, and nothing is missed.

    The queue is not read while a builder is stopped, so that it overflows for certain.
    """
    with open("/proc/sys/fs/inotify/max_queued_events") as file:
        limit = int(file.read())
    for number in range(10):
        project.write(f"in/{number}.txt", f"{number}\n")
    project.traced("all", inputs="in/*.txt", outputs="all.txt", run="cat {inputs} > {outputs}")
    watch = Watch(project)
    watch.next()
    watch.running.signal(signal.SIGSTOP)
    for number in range(limit // 2 + 10):
        path = project.path(f"in/junk{number}.tmp")
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY))
        os.unlink(path)
    project.write("in/3.txt", "last\n")
    os.mkdir(project.path("in/sub"))
    watch.running.signal(signal.SIGCONT)
    text = watch.until("pipefile: build started (")
    assert text.startswith("warning: more has happened than the system could tell of: everything is looked at\n")
    watch.running.until(lambda: project.exists("all.txt") and "last" in project.read("all.txt"))
    watch.stop()
    project.settled()


def test_a_root_that_goes_and_comes_back(project: Project) -> None:
    """Said, waited for, and built when it is there again, by an unpacked archive for example."""
    project.write("src.txt", "1\n")
    project.traced("a", inputs="src.txt", outputs="a.txt", run="cp {inputs} {outputs}")
    watch = Watch(project)
    watch.next()
    os.rename(project.root, project.root + ".gone")
    watch.said(f"warning: `{project.root}` is gone: waiting for it to come back\n")
    project.write("src.txt", "2\n")
    project.traced("a", inputs="src.txt", outputs="a.txt", run="cp {inputs} {outputs}")
    watch.until("[1/1] a  N s")
    assert f"pipefile: `{project.root}` is back\n" in watch.running.out
    project.write("src.txt", "3\n")
    assert "[1/1] a  N s" in watch.next()
    assert project.read("a.txt") == "3\n"
    watch.stop()
    project.settled()


def test_changes_that_send_no_event(project: Project) -> None:
    """They are found by the look at everything that is done now and then: a queue that tells nothing, in a program of its own."""
    project.write("src.txt", "1\n")
    project.traced("a", inputs="src.txt", outputs="a.txt", run="cp {inputs} {outputs}")
    program = os.path.join(project.side, "deaf.py")
    with open(program, "w") as file:
        file.write(
            "import os, sys\n"
            "from pipefile.cli.request import Request\n"
            "from pipefile.cli.watch import start\n"
            "from pipefile.watch.inotify import Inotify\n\n\n"
            "class Deaf(Inotify):\n"
            "    def read(self):\n"
            "        super().read()\n"
            "        return []\n\n\n"
            "given = dict(targets=(), jobs=1, keep_going=False, load=None, why=False, schedule='eager', mode=None, no_cache=True,\n"
            "             as_json=False, on_busy='queue', debounce=10, poll=False)\n"
            "sys.exit(start(Request(('watch',)), given, make=Deaf, idle=0.05))\n"
        )
    running = project.program(sys.executable, program)
    for number in range(3):
        running.until(lambda number=number: running.out.count("build finished") == number + 1)  # type: ignore[misc]
        project.write("src.txt", f"new {number}\n")
    running.until(lambda: project.exists("a.txt") and project.read("a.txt") == "new 2\n")
