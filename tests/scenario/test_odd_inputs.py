"""Case 81: inputs that are no plain files with something in them: each is defined, and none makes a build hang."""

from __future__ import annotations

import errno
import os
import socket

import pytest
from kit import Project

from pipefile.testing import FaultyDisk

COPY = "cat {inputs} > {outputs}"


def odd(project: Project, kind: str, path: str) -> str:
    """Make something that is no file; what an error calls it."""
    full = project.path(path)
    os.makedirs(os.path.dirname(full), exist_ok=True)
    if kind == "fifo":
        os.mkfifo(full)
        return "a FIFO"
    if kind == "socket":
        here = os.getcwd()
        os.chdir(os.path.dirname(full))  # a socket's path is a short one
        try:
            with socket.socket(socket.AF_UNIX) as made:
                made.bind(os.path.basename(full))
        finally:
            os.chdir(here)
        return "a socket"
    os.symlink("/dev/zero", full)
    return "a device"


@pytest.fixture(params=["fifo", "socket", "device"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_an_empty_file(project: Project) -> None:
    """Case 81: is a file: fresh while it is empty, stale when it is not, and gone is not the same as empty."""
    project.write("in.txt", "")
    project.stage("read", inputs="in.txt", outputs="out.txt", run=COPY)
    project.stage("maybe", inputs=[{"path": "in.txt", "optional": True}], outputs="maybe.txt", run="ls {inputs} > {outputs} 2>&1 || true")
    assert sorted(project.build().ran) == ["maybe", "read"]
    assert project.read("out.txt") == ""
    project.settled()
    project.write("in.txt", "x\n")
    assert sorted(project.build().ran) == ["maybe", "read"]
    project.write("in.txt", "")
    assert sorted(project.build().ran) == ["maybe", "read"]
    project.remove("in.txt")
    assert project.build("maybe").ran == ["maybe"]
    assert project.build().exit_status == 2


def test_dev_null(project: Project) -> None:
    """Case 81: is an empty input that never changes, declared or listed by a depfile or named in a command."""
    project.stage("read", inputs="/dev/null", outputs="a.txt", run=COPY)
    project.stage("named", outputs="b.txt", run="cat /dev/null > {outputs}")
    project.stage("listed", outputs="c.txt", depfile="c.d", run='echo > {outputs}; echo "x: /dev/null" > {depfile}')
    assert sorted(project.build().ran) == ["listed", "named", "read"]
    project.settled()


def test_refused(project: Project, kind: str) -> None:
    """Case 81: a FIFO, a socket, a device: the stage fails and says what it is; other stages are built; nothing is read from it."""
    what = odd(project, kind, "odd")
    project.traced("read", inputs="odd", outputs="out.txt", run=COPY)
    project.traced("good", outputs="good.txt", run="echo > {outputs}")
    for words in (("-k",), ("-k", "-n"), ("status",), ("why", "out.txt")):
        outcome = project.cli(*words)
        assert "Traceback" not in outcome.text
        assert f"`odd` is {what}, not a file" in outcome.text
        assert outcome.started in ([], ["good"])
    assert project.exists("good.txt")
    assert not project.exists("out.txt")


def test_not_found_by_a_glob(project: Project, kind: str) -> None:
    """Case 81: globs find files."""
    odd(project, kind, "src/odd.txt")
    project.write("src/a.txt", "a\n")
    project.stage("read", inputs="src/*.txt", outputs="out.txt", run=COPY)
    assert project.build().ran == ["read"]
    assert project.read("out.txt") == "a\n"
    assert project.build().ran == []


def test_in_an_input_directory(project: Project, kind: str) -> None:
    """Case 81: a link there is a link; anything else has no bytes that could be compared, and is refused by its path."""
    odd(project, kind, "data/deep/odd")
    project.write("data/a.txt", "a\n")
    project.traced("read", inputs="data/", outputs="out.txt", run="ls {inputs} > {outputs}")
    outcome = project.cli()
    if kind == "device":
        assert (outcome.exit_status, outcome.ended) == (0, ["read"])
        assert project.cli().started == []
    else:
        assert (outcome.exit_status, outcome.started) == (1, [])
        assert "`data/deep/odd` is neither a file nor a directory" in outcome.err


def test_named_in_a_command(project: Project, kind: str) -> None:
    """Case 81: a word that names no regular file is no input; the build neither opens it nor waits."""
    odd(project, kind, "odd")
    project.stage("read", outputs="out.txt", run="ls odd ./odd > {outputs}")
    assert project.build().ran == ["read"]
    assert project.build().ran == []


def test_listed_by_a_depfile(project: Project, kind: str) -> None:
    """Case 81: as a word of a command; and so for what becomes one later."""
    odd(project, kind, "odd")
    project.write("plain", "")
    project.stage("read", outputs="out.txt", depfile="out.d", run='echo > {outputs}; echo "x: odd ./odd plain" > {depfile}')
    assert project.build().ran == ["read"]
    assert project.build().ran == []
    project.remove("plain")
    odd(project, kind, "plain")
    outcome = project.cli()
    assert "Traceback" not in outcome.text
    assert "1 fresh" not in outcome.out


def test_an_input_that_becomes_one(project: Project, kind: str) -> None:
    """Case 81: after a good build: never fresh, never waited for."""
    project.write("in.txt", "a\n")
    project.stage("read", inputs="in.txt", outputs="out.txt", run=COPY)
    assert project.build().ran == ["read"]
    project.remove("in.txt")
    what = odd(project, kind, "in.txt")
    outcome = project.cli()
    assert outcome.exit_status == 1
    assert f"`in.txt` is {what}, not a file" in outcome.err
    project.remove("in.txt")
    project.write("in.txt", "a\n")
    assert project.build().ran == []


def test_an_optional_one(project: Project, kind: str) -> None:
    """Case 81: optional means that it may be absent, not that it may be anything."""
    what = odd(project, kind, "odd")
    project.stage("read", inputs=[{"path": "odd", "optional": True}], outputs="out.txt", run=COPY)
    outcome = project.cli()
    assert outcome.exit_status == 1
    assert f"`odd` is {what}, not a file" in outcome.err


def test_a_pipefile_or_a_dotenv_file(project: Project, kind: str) -> None:
    """Case 81: neither is read from a FIFO."""
    odd(project, kind, "Pipefile.toml")
    outcome = project.cli()
    assert outcome.exit_status == 2
    assert outcome.err.startswith("error: ")
    project.remove("Pipefile.toml")
    odd(project, kind, "odd.env")
    project.settings(dotenv=["odd.env"])
    project.stage("a", outputs="a.txt", run="echo > {outputs}")
    outcome = project.cli()
    assert outcome.exit_status == 2
    assert outcome.err == "error: odd.env: cannot be read: not a regular file\n" or outcome.err.startswith("error: odd.env: ")


def test_a_module(project: Project, kind: str) -> None:
    """Case 81: a module that is no file is not there."""
    odd(project, kind, "steps.py")
    project.stage("a", outputs="a.txt", call="steps:make")
    outcome = project.cli()
    assert outcome.exit_status == 1
    assert "this is a bug" not in outcome.text


def test_a_directory(project: Project) -> None:
    """Case 81: without its slash it is an error; with it, an empty one is an input like any other."""
    os.makedirs(project.path("data"))
    project.stage("read", inputs="data", outputs="out.txt", run="ls {inputs} > {outputs}")
    assert project.build().output == "error: input `data` is a directory\n  Pipefile.toml:2  `read`\nhint: write `data/`\n"
    project.stage("read", inputs="data/", outputs="out.txt", run="ls -R {inputs} > {outputs}")
    assert project.build().ran == ["read"]
    assert project.build().ran == []
    os.makedirs(project.path("data/empty"))
    assert project.build().ran == ["read"]
    os.rmdir(project.path("data/empty"))
    assert project.build().ran == ["read"]
    os.rmdir(project.path("data"))
    assert project.build().exit_status == 2
    project.write("data", "a file\n")
    outcome = project.build()
    assert (outcome.exit_status != 0, outcome.ran) == (True, [])


def test_a_file_that_becomes_a_directory(project: Project) -> None:
    """Case 81: and back."""
    project.write("in.txt", "a\n")
    project.stage("read", inputs="in.txt", outputs="out.txt", run=COPY)
    assert project.build().ran == ["read"]
    project.remove("in.txt")
    os.makedirs(project.path("in.txt"))
    outcome = project.cli()
    assert outcome.exit_status == 2
    assert outcome.err == "error: input `in.txt` is a directory\n  Pipefile.toml:2  `read`\nhint: write `in.txt/`\n"
    os.rmdir(project.path("in.txt"))
    project.write("in.txt", "a\n")
    assert project.build().ran == []


def test_unreadable(project: Project) -> None:
    """Case 81: a file that must not be read fails its stage by name."""
    project.write("in.txt", "a\n")
    project.disk = FaultyDisk(project.root)
    project.disk.fail("digest", "in.txt", errno.EACCES)
    project.stage("read", inputs="in.txt", outputs="out.txt", run=COPY)
    outcome = project.build()
    assert (outcome.exit_status, outcome.failed) == (1, ["read"])
    assert "`in.txt` cannot be read: permission denied" in outcome.output
