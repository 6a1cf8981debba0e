"""The kit itself, as far as tests would pass wrongly if it were wrong."""

from __future__ import annotations

import os
import signal
import subprocess
import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kit import Project, contents, toml

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
VALUES = st.recursive(
    TEXT | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(TEXT, st.dictionaries(TEXT, VALUES, max_size=3), min_size=1, max_size=3), st.dictionaries(TEXT, VALUES, min_size=1, max_size=3)
)
def test_toml_is_read_back_as_it_was(stages: dict[str, object], values: dict[str, object]) -> None:
    assert tomllib.loads(toml({"global": values, "stage": stages})) == {"global": values, "stage": stages}


def test_a_stage_declared_again_replaces_the_first(project: Project) -> None:
    project.stage("a", outputs=["one"], run="touch one")
    project.stage("a", inputs={"x": {"path": "y", "optional": True}}, outputs={"two": "out/two"}, run=["cp", "{x}", "{two}"])
    assert tomllib.loads(project.read("Pipefile.toml")) == {
        "stage": {"a": {"inputs": {"x": {"path": "y", "optional": True}}, "outputs": {"two": "out/two"}, "run": ["cp", "{x}", "{two}"]}}
    }
    assert project.declared() == ["out/two"]


@pytest.mark.parametrize("change", ["touch", "write", "remove", "mode", "link", "folder", "replace"])
def test_a_tree_shows_every_change(project: Project, change: str) -> None:
    project.write("a/b", "text")
    before = project.tree()
    assert project.tree() == before
    full = project.path("a/b")
    at = os.stat(full)
    if change == "touch":
        project.touch("a/b")
    elif change == "write":
        project.write("a/b", "next")
        os.utime(full, ns=(at.st_atime_ns, at.st_mtime_ns))
    elif change == "remove":
        project.remove("a/b")
    elif change == "mode":
        os.chmod(full, 0o755)
    elif change == "link":
        os.symlink("b", project.path("a/c"))
    elif change == "folder":
        os.mkdir(project.path("d"))
    else:
        project.write("other", "text")
        os.rename(project.path("other"), full)
        os.utime(full, ns=(at.st_atime_ns, at.st_mtime_ns))
    assert project.tree() != before


def test_contents_leave_out_stamps_and_files_of_pipefile(project: Project) -> None:
    project.write("d/x", "1")
    before = contents(project.path("d"))
    project.touch("d/x")
    project.write("d/.x.hash", "{}")
    assert contents(project.path("d")) == before
    os.chmod(project.path("d/x"), 0o755)
    assert contents(project.path("d")) != before
    assert contents(project.path("gone")) is None


def test_a_gate_holds_a_stage_until_it_is_released(project: Project) -> None:
    gate = project.gate("g")
    assert not gate.come()
    with subprocess.Popen(["sh", "-ec", gate.shell], env=project.environ) as stage:
        gate.wait()
        assert stage.poll() is None
        assert project.processes() == [stage.pid]
        gate.release()
    assert stage.returncode == 0
    assert project.processes() == []


def test_what_a_project_started_ends_with_it(project: Project) -> None:
    """Even in a session of its own, as orphans of a killed builder are."""
    running = project.start("--version")
    running.wait()
    stray = subprocess.Popen(["sleep", "1000"], env=project.environ, start_new_session=True)
    project.close()
    assert stray.wait() == -signal.SIGKILL
