"""Folders that cannot be written: a clear error before anything runs; whatever only looks works."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
from kit import Project

from pipefile.testing import FaultyDisk


@pytest.fixture
def built(project: Project) -> Project:
    project.write("src.txt", "1\n")
    project.traced("first", inputs="src.txt", outputs="a", run="cp {inputs} {outputs}")
    project.traced("second", inputs="a", outputs="o/b", run="cp {inputs} {outputs}")
    assert project.cli().started == ["first", "second"]
    project.write("src.txt", "2\n")
    return project


def test_output_folder(built: Project) -> None:
    """Case 59: a folder for outputs that is read-only is an error before anything runs, which names the stage."""
    built.disk = FaultyDisk(built.root)
    built.disk.fail("writable", "o", errno.EACCES)
    outcome = built.build()
    assert (outcome.exit_status, outcome.output) == (
        1,
        "error: `o/b` cannot be made: folder `o` is not writable\n  Pipefile.toml:8  `second`\n",
    )
    assert built.read("a") == "1\n"
    assert set(built.status().values()) == {"stale", "unknown"}
    assert built.build(dry_run=True).would_run == ["first", "second"]


def test_output_folder_of_what_is_not_asked_for(built: Project) -> None:
    """Case 59: what is not to be built may stand in a read-only folder."""
    built.disk = FaultyDisk(built.root)
    built.disk.fail("writable", "o", errno.EACCES)
    assert built.build("first").ran == ["first"]


def test_store(built: Project) -> None:
    """Case 59: a store that is read-only is an error before anything runs."""
    built.disk = FaultyDisk(built.root)
    built.disk.fail("writable", "pipeline_outputs", errno.EACCES)
    outcome = built.build()
    assert (outcome.exit_status, outcome.output) == (1, f"error: `{built.root}/pipeline_outputs` cannot be written: Permission denied\n")
    assert built.read("a") == "1\n"
    assert set(built.status().values()) == {"stale", "unknown"}


@pytest.mark.parametrize("operation", ["mkdirs", "write"])
def test_store_that_cannot_be_made(project: Project, operation: str) -> None:
    """Case 59: nor can one be made in a tree that is read-only."""
    project.stage("make", outputs="a", run="echo > {outputs}")
    project.disk = FaultyDisk(project.root)
    project.disk.fail(operation, "pipeline_outputs*", errno.EROFS)
    outcome = project.build()
    assert (outcome.exit_status, outcome.output) == (1, f"error: `{project.root}/pipeline_outputs` cannot be written: Read-only file system\n")
    assert not project.exists("a")
    assert project.status() == {"make": "stale"}


# --- with real permissions, as another user where root would see none


def unprivileged(project: Project, *args: str) -> subprocess.CompletedProcess[str]:
    """Run pipefile as somebody whom permissions bind."""
    argv = [sys.executable, "-m", "pipefile", *args]
    if os.geteuid() == 0:
        # without its capabilities, root is an ordinary owner of files
        argv = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", *argv]
    return subprocess.run(argv, cwd=project.root, env=project.environ, capture_output=True, text=True, check=False)


@pytest.fixture
def locked_up(built: Project) -> Iterator[Project]:
    """`built`, whose permissions are given back at the end."""
    yield built
    for folder, _, _ in os.walk(built.root):
        os.chmod(folder, 0o755)


needs_setpriv = pytest.mark.skipif(
    os.geteuid() == 0 and subprocess.run(["sh", "-c", "command -v setpriv"], capture_output=True, check=False).returncode != 0,
    reason="root is bound by no permission without setpriv",
)


@needs_setpriv
@pytest.mark.parametrize("folder", [".", "o", "pipeline_outputs", "everything"])
def test_with_permissions(locked_up: Project, folder: str) -> None:
    """Case 59: tree, outputs and store read-only by permissions."""
    project = locked_up
    folders = [path for path, _, _ in os.walk(project.root)] if folder == "everything" else [project.path(folder)]
    before_log = len(project.read_bytes(project.log))
    for path in folders:
        os.chmod(path, 0o555)
    before = project.tree()
    built = unprivileged(project)
    root = project.root
    assert (built.returncode, built.stdout) == (1, "")
    assert built.stderr == {
        ".": "error: `a` cannot be made: folder `.` is not writable\n  Pipefile.toml:3  `first`\n",
        "o": "error: `o/b` cannot be made: folder `o` is not writable\n  Pipefile.toml:8  `second`\n",
        "pipeline_outputs": f"error: `{root}/pipeline_outputs` cannot be written: Permission denied\n",
        "everything": f"error: `{root}/pipeline_outputs` cannot be written: Permission denied\n",
    }[folder]
    assert len(project.read_bytes(project.log)) == before_log
    if folder == "everything":
        after = project.tree()
        assert {path for path in after if path not in before or after[path] != before[path]} <= {".pipefile.lock"}
    for words in (["status"], ["why", "a"], ["list"], ["runs", "show"], ["-n"]):
        looked = unprivileged(project, *words)
        assert (looked.returncode, looked.stderr) == (0, ""), words
    for path in folders:
        os.chmod(path, 0o755)
    assert project.cli().ended == ["first", "second"]


@needs_setpriv
def test_never_built_read_only_tree(project: Project) -> None:
    """Case 59: in a tree that has never been built and cannot be written, the folder is named."""
    project.stage("make", outputs="a", run="echo > {outputs}")
    os.chmod(project.root, 0o555)
    try:
        built = unprivileged(project)
        assert (built.returncode, built.stdout, built.stderr) == (1, "", f"error: `{project.root}` cannot be written: Permission denied\n")
        looked = unprivileged(project, "status")
        assert (looked.returncode, looked.stdout) == (0, "stale   make: it has no record of an earlier run\n1 stale\n")
    finally:
        os.chmod(project.root, 0o755)


@needs_setpriv
@pytest.mark.parametrize("path", ["src.txt", ".a.hash", "pipeline_outputs/index", "a"])
def test_unreadable_files(locked_up: Project, path: str) -> None:
    """Case 64: what cannot be read is told if it is the user's, and made anew if it is ours."""
    project = locked_up
    os.chmod(project.path(path), 0)
    built = unprivileged(project)
    if path in ("src.txt", "a"):
        assert built.returncode == 1
        assert f"error: stage `first` failed: `{path}` cannot be read: permission denied\n" in built.stderr
    else:
        assert (built.returncode, built.stderr) == (0, "")
        assert project.read("o/b") == "2\n"
