"""Watch: however files come to be other ones, outputs are in the end those of a clean build (case 95)."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable

import pytest
from kit import Project, Watch


@pytest.fixture
def sums(project: Project) -> Project:
    """Ten sources, a sum for each, and all of them together."""
    for number in range(10):
        project.write(f"src/{number}.txt", f"{number}\n")
        project.traced(f"s{number}", inputs=f"src/{number}.txt", outputs=f"out/{number}.sum", run="cksum < {inputs} > {outputs}")
    project.traced("all", inputs="src/*.txt", outputs="all.txt", run="cat {inputs} > {outputs}")
    return project


def in_place(path: str, text: str) -> None:
    """VS Code: open, truncate, write."""
    with open(path, "w") as file:
        file.write(text)


def backup_and_rename(path: str, text: str) -> None:
    """Vim: a write probe, the old file becomes a backup, a new one is written in its place, the backup goes."""
    probe = os.path.join(os.path.dirname(path), "4913")
    in_place(probe, "")
    os.unlink(probe)
    os.rename(path, path + "~")
    in_place(path, text)
    os.unlink(path + "~")


def replace(path: str, text: str) -> None:
    """JetBrains, gedit: a new file beside it, renamed over the old one."""
    in_place(path + "___jb_tmp___", text)
    os.rename(path, path + "___jb_old___")
    os.rename(path + "___jb_tmp___", path)
    os.unlink(path + "___jb_old___")


def atomic(path: str, text: str) -> None:
    """Most others, and formatters."""
    in_place(path + ".new", text)
    os.replace(path + ".new", path)


def remove_and_make(path: str, text: str) -> None:
    os.unlink(path)
    in_place(path, text)


@pytest.mark.parametrize("save", [in_place, backup_and_rename, replace, atomic, remove_and_make])
def test_how_editors_save(sums: Project, save: Callable[[str, str], None]) -> None:
    """Each save is a round, and what is built is what was saved."""
    watch = Watch(sums)
    watch.next()
    for number in range(3):
        save(sums.path(f"src/{number}.txt"), f"saved {number}\n")
        text = watch.until("pipefile: build started")
        assert f"src/{number}.txt" in text.splitlines()[0]
        assert "2 ran, 9 fresh in N s\n" in text
    watch.stop()
    sums.settled()


def test_an_older_file_in_its_place(sums: Project) -> None:
    """Stamps may go back: `mv`, `cp -p`, a checkout."""
    watch = Watch(sums)
    watch.next()
    in_place(sums.path("old.txt"), "old\n")
    os.utime(sums.path("old.txt"), ns=(10**9, 10**9))
    os.rename(sums.path("old.txt"), sums.path("src/4.txt"))
    assert "2 ran, 9 fresh in N s\n" in watch.until("pipefile: build started")
    watch.stop()
    sums.settled()


def test_a_thousand_edits(sums: Project) -> None:
    """As fast as they can be made, in place and by renaming, removed and made again: the last ones count."""
    watch = Watch(sums)
    watch.next()
    saves = (in_place, backup_and_rename, replace, atomic, remove_and_make)
    for number in range(1000):
        saves[number % len(saves)](sums.path(f"src/{number % 10}.txt"), f"edit {number}\n")
    last = "".join(f"edit {number}\n" for number in range(990, 1000))
    watch.running.until(lambda: sums.exists("all.txt") and sums.read("all.txt") == last)
    watch.running.until(lambda: watch.running.out.endswith("s\n"))
    sums.write("src/end.txt", "end\n")
    watch.running.until(lambda: sums.exists("all.txt") and sums.read("all.txt").endswith("end\n"))
    watch.stop()
    sums.settled()


def test_a_checkout(sums: Project) -> None:
    """Another branch: files with other contents, files that are new, files that are gone."""
    environ = {**sums.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}

    def git(*words: str) -> None:
        subprocess.run(["git", "-c", "user.name=n", "-c", "user.email=e", *words], cwd=sums.root, env=environ, check=True, capture_output=True)

    git("init", "-q", "-b", "one")
    git("add", "src", "Pipefile.toml")
    git("commit", "-qm", "one")
    git("checkout", "-qb", "two")
    for number in range(200):
        sums.write(f"src/{number}.txt", f"two {number}\n")
    sums.remove("src/7.txt")
    sums.drop("s7")
    git("add", "-A", "src", "Pipefile.toml")
    git("commit", "-qm", "two")
    git("checkout", "-q", "one")
    watch = Watch(sums)
    watch.next()
    ones = "".join(f"{number}\n" for number in range(10))
    assert sums.read("all.txt") == ones
    git("checkout", "-q", "two")
    watch.running.until(lambda: sums.exists("all.txt") and sums.read("all.txt").count("two") == 199)
    git("checkout", "-q", "one")
    watch.running.until(lambda: sums.exists("all.txt") and sums.read("all.txt") == ones)
    watch.running.until(lambda: sums.exists("out/7.sum"))
    watch.stop()
    sums.settled()


def test_edits_during_a_build(project: Project) -> None:
    """One build for each state that is left when the one before has ended (case 95), whichever moment of it the edit meets."""
    gate = project.gate("slow")
    project.write("src.txt", "1\n")
    project.write("late.txt", "1\n")
    project.stage("slow", inputs="src.txt", outputs="a.txt", run=f"cp {{inputs}} {{outputs}}; {gate.shell}")
    project.stage("late", inputs=["a.txt", "late.txt"], outputs="b.txt", run="cat {inputs} > {outputs}")
    watch = Watch(project)
    gate.wait()
    project.write("late.txt", "2\n")  # not read yet: no reason for another round
    gate.release()
    watch.until("pipefile: build finished: 0 failed, 2 ok")
    assert project.read("b.txt") == "1\n2\n"

    project.write("src.txt", "2\n")
    gate.wait()
    project.write("src.txt", "3\n")  # read already
    gate.release(2)
    watch.running.until(lambda: project.exists("b.txt") and project.read("b.txt") == "3\n2\n")
    gate.release(10)
    watch.stop()
    assert project.read("a.txt") == "3\n"


def test_restart(project: Project) -> None:
    """With `--on-busy restart` a change ends the build that runs, and the next one begins with what there is then."""
    gate = project.gate("slow")
    project.write("src.txt", "1\n")
    project.stage("slow", inputs="src.txt", outputs="a.txt", run=f"cp {{inputs}} {{outputs}}; {gate.shell}")
    watch = Watch(project, "--on-busy", "restart")
    gate.wait()
    gate.release()
    watch.next()
    project.write("src.txt", "2\n")
    gate.wait()
    project.write("src.txt", "3\n")
    text = watch.next()
    assert text.startswith("pipefile: build started (1 changed: src.txt)\n")
    assert "interrupted" in text
    assert text.endswith("pipefile: build finished: 0 failed, 0 ok, 0 skipped in Ns\n")
    gate.wait()
    gate.release()
    assert watch.next() == (
        "pipefile: build started (1 changed: src.txt)\n[1/1] slow  N s\n1 ran in N s\npipefile: build finished: 0 failed, 1 ok, 0 skipped in Ns\n"
    )
    assert project.read("a.txt") == "3\n"
