"""Environments in which something is missing that is usually there."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

import pytest
from kit import Project


@pytest.fixture
def built(project: Project) -> Project:
    """Three stages, one of them a function; the expected results do not depend on the environment."""
    project.write("src.txt", "b\na\n")
    project.write("steps.py", "def copy(inputs, outputs):\n    with open(inputs[0]) as a, open(outputs[0], 'w') as b:\n        b.write(a.read())\n")
    project.stage("sort", inputs="src.txt", outputs="a", run="sort {inputs} -o {outputs}")
    project.stage("shell", inputs="a", outputs="b", run="head -n 1 {inputs} > {outputs}; echo said")
    project.stage("function", inputs="b", outputs="c", call="steps:copy")
    return project


def builds(project: Project, env: dict[str, str | None], *args: str) -> None:
    """A build makes all, and the next one has nothing to do."""
    first = project.cli(*args, env=env)
    assert (first.exit_status, first.err) == (0, "")
    assert first.out.splitlines()[-1].startswith("3 ran in ")
    assert project.outputs() == {"a": (b"a\nb\n", False), "b": (b"a\n", False), "c": (b"a\n", False)}
    again = project.cli(*args, env=env)
    assert (again.exit_status, again.err) == (0, "")
    assert again.out.startswith("3 fresh in ")


@pytest.mark.parametrize("home", [None, "", "/nonexistent/home", "/dev/null", "/proc"])
def test_home(built: Project, home: str | None) -> None:
    """Case 61: $HOME unset, empty, missing, no folder, or not writable."""
    builds(built, {"HOME": home})


@pytest.mark.parametrize("folder", ["/nonexistent", "", "/proc", "/dev/null"])
def test_temporary_folder(built: Project, folder: str) -> None:
    """Case 61: $TMPDIR missing or not writable: nothing of pipefile's is written there."""
    builds(built, {"TMPDIR": folder, "TEMP": folder, "TMP": folder})


@pytest.mark.parametrize("locale", [{"LANG": None}, {"LC_ALL": "C", "PYTHONUTF8": "0"}, {"LC_ALL": "xx_YY.nonsense"}, {"LC_ALL": "POSIX"}])
def test_locale(built: Project, locale: dict[str, str | None]) -> None:
    """Case 61: without a locale, or with one that does not exist."""
    builds(built, locale)


@pytest.mark.parametrize("term", [None, "dumb", "nonsense"])
def test_terminal(built: Project, term: str | None) -> None:
    """Case 61: nonsense about the terminal and the user."""
    builds(built, {"TERM": term, "COLUMNS": "zero", "USER": None, "SHELL": "/nonexistent"})


def test_empty_environment(built: Project) -> None:
    """Case 61: with nothing but the path on which Python finds us."""
    names = ("PYTHONPATH", "KIT_MARK")
    builds(built, {name: None for name in built.environ if name not in names})


def test_no_path(built: Project) -> None:
    """Case 61: without programs to be found, the stage fails and says which was missing."""
    outcome = built.cli(env={"PATH": "/nonexistent"})
    assert outcome.exit_status == 1
    assert outcome.err.startswith("Pipefile.toml:1:1: error: stage `sort` failed: ")
    assert "Traceback" not in outcome.err
    builds(built, {})


def test_folder_that_is_gone(built: Project) -> None:
    """Case 61: in a folder that was removed, an error says so."""
    script = f'mkdir gone; cd gone; rmdir ../gone; exec "{sys.executable}" -m pipefile'
    done = subprocess.run(["sh", "-c", script], cwd=built.root, env=built.environ, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", "error: the current folder does not exist any more\n")


def test_link_to_the_project(built: Project) -> None:
    """A project reached through a link is the same project."""
    link = os.path.join(built.side, "link")
    os.symlink(built.root, link)
    builds(built, {})
    again = built.cli("-C", link)
    assert again.out.startswith("3 fresh in ")


def test_no_terminal(built: Project) -> None:
    """Case 61: without a controlling terminal; pipefile never opens one."""
    done = subprocess.run(
        [sys.executable, "-m", "pipefile"],
        cwd=built.root, env=built.environ, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, start_new_session=True,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


def test_stages_do_not_read_the_terminal(project: Project) -> None:
    """Case 48: on a terminal, a stage that reads standard input gets its end, and what was typed stays."""
    project.stage("read", outputs="a", run="cat > {outputs}")
    main, side = pty.openpty()
    os.write(main, b"typed\n")
    done = subprocess.run([sys.executable, "-m", "pipefile", "-q"], cwd=project.root, env=project.environ, stdin=side, timeout=100, check=False)
    os.set_blocking(side, False)
    typed = os.read(side, 100)
    os.close(main)
    os.close(side)
    assert (done.returncode, project.read("a"), typed) == (0, "", b"typed\n")


def can_unmount() -> bool:
    return subprocess.run(["unshare", "-rm", "mount", "-t", "tmpfs", "none", "/proc"], capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not can_unmount(), reason="hiding /proc needs user namespaces")
def test_no_proc(built: Project) -> None:
    """Case 61: without /proc, as in some containers."""
    run = f'"{sys.executable}" -m pipefile'
    script = f"mount -t tmpfs none /proc; {run} && {run} && {run} runs list"
    done = subprocess.run(["unshare", "-rm", "sh", "-c", script], cwd=built.root, env=built.environ, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "3 ran in " in done.stdout
    assert "3 fresh in " in done.stdout


@pytest.mark.skipif(not can_unmount(), reason="hiding /proc needs user namespaces")
def test_no_proc_and_an_interrupt(project: Project) -> None:
    """Case 61: without /proc, a timeout still ends the whole group of its stage."""
    gate = project.gate("slow")
    project.stage("slow", outputs="a", run=f"({gate.shell}) & {gate.shell}", timeout="300ms")
    script = f'mount -t tmpfs none /proc; exec "{sys.executable}" -m pipefile'
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", script], cwd=project.root, env=project.environ, capture_output=True, text=True, check=False, timeout=100
    )
    assert done.returncode == 1
    assert "timed out after 300 ms" in done.stderr
    assert project.processes() == []


@pytest.mark.parametrize("limit", [10, 16, 24])
def test_few_descriptors(built: Project, limit: int) -> None:
    """Case 58: with few descriptors, a build works or says what is missing; with more, the next one makes all."""
    script = f'ulimit -n {limit}; exec "{sys.executable}" -m pipefile -j8'
    done = subprocess.run(["sh", "-c", script], cwd=built.root, env=built.environ, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
    assert done.returncode == 0 or "too many open files" in done.stderr.lower()
    assert built.cli().exit_status == 0
    assert built.read("c") == "a\n"
