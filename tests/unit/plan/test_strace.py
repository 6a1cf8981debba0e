"""Reading what strace has written, of recorded text."""

from __future__ import annotations

import os
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipefile.model.access import Access
from pipefile.plan.strace import accesses

RECORDED = os.path.join(os.path.dirname(__file__), "..", "..", "data", "strace-6.1.txt")
"""`cd d; cat é\\"q > z & cat nothere; wait; mv z ../w; ln -s w ../v; rm ../v; cd ..; cat a` in /tmp/p, without what the loader and locales open."""


def recorded() -> list[str]:
    with open(RECORDED, encoding="ascii") as file:
        return file.read().splitlines()


def found(lines: list[str], root: str = "/tmp/p") -> list[str]:
    return [f"{kind} {path}" for kind, path in accesses(lines, root, root, os.fsdecode)]


ALL = ["w d/z", 'r d/é"q', "d d/z", "w w", "w v", "d v", "r a"]


def test_a_recording() -> None:
    """Redirections, programs that start others, links, renames and removals, names in other scripts, two folders."""
    assert found(recorded()) == ALL


def test_versions_that_do_not_tell_the_folder() -> None:
    """Each process has the folder of the one that forked it, though its first calls may be told before the fork itself."""
    lines = [re.sub(r"AT_FDCWD<[^>]*>", "AT_FDCWD", line) for line in recorded()]
    assert lines != recorded()
    assert found(lines) == ALL


def test_another_root() -> None:
    """What lies outside is not told."""
    assert found(recorded(), "/tmp/p/d") == ["w z", 'r é"q', "d z"]
    assert found(recorded(), "/tmp/q") == []


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('1 open("a", O_RDONLY) = 3</p/a>', ["r a"]),
        ('1 open("a", O_RDONLY) = -1 ENOENT (No such file or directory)', []),
        ('1 openat(AT_FDCWD</p/d>, "a", O_RDONLY|O_CLOEXEC) = 3</p/d/a>', ["r d/a"]),
        ('1 openat(7</p/d, e>, "../a\\"b, c", O_WRONLY|O_CREAT, 0666) = 3', ['w a"b, c']),
        ('1 openat(AT_FDCWD, "\\303\\251\\n", O_RDONLY) = 3', ["r é\n"]),
        ('1 openat2(AT_FDCWD</p>, "a", {flags=O_RDWR, resolve=RESOLVE_BENEATH}, 24) = 3</p/a>', ["r a", "w a"]),
        ('1 openat(AT_FDCWD</p>, "a", O_RDWR|O_CREAT|O_EXCL, 0600) = 3</p/a>', ["w a"]),
        ('1 openat(AT_FDCWD</p>, "d", O_RDONLY|O_DIRECTORY) = 3</p/d>', []),
        ('1 creat("a", 0666) = 3', ["w a"]),
        ('1 openat(AT_FDCWD</p>, "m/__pycache__/n.cpython-311.pyc", O_RDONLY) = 3', ["r m/n.py"]),
        ('1 execve("./a.sh", ["./a.sh"], 0x7ffd /* 3 vars */) = 0', ["r a.sh"]),
        ('1 execve("./a.sh", ["./a.sh"], 0x7ffd /* 3 vars */) = -1 EACCES (Permission denied)', []),
        ('1 rename("a", "b") = 0', ["d a", "w b"]),
        ('1 renameat(AT_FDCWD</p>, "a", 4</p/d>, "b") = 0', ["d a", "w d/b"]),
        ('1 renameat2(AT_FDCWD</p>, "a", AT_FDCWD</p>, "b", RENAME_EXCHANGE) = 0', ["d a", "w b", "w a"]),
        ('1 unlink("a") = 0', ["d a"]),
        ('1 unlinkat(AT_FDCWD</p>, "a", 0) = 0', ["d a"]),
        ('1 unlinkat(AT_FDCWD</p>, "a", AT_REMOVEDIR) = 0', []),
        ('1 link("a", "b") = 0', ["w b"]),
        ('1 linkat(AT_FDCWD</p>, "a", AT_FDCWD</p>, "b", 0) = 0', ["w b"]),
        ('1 symlink("a", "b") = 0', ["w b"]),
        ('1 truncate("a", 0) = 0', ["w a"]),
        ('1 mknodat(AT_FDCWD</p>, "a", S_IFIFO|0644) = 0', ["w a"]),
        ('1 openat(AT_FDCWD</p>, "a", O_RDONLY) = ?', []),
        ("1 +++ killed by SIGKILL +++", []),
        ('1 openat(AT_FDCWD</p>, "a", O_RDON', []),
        ("strace: Process 12 attached", []),
        ("", []),
    ],
)
def test_one_call(line: str, told: list[str]) -> None:
    """Each system call with and without a folder, calls that failed, and lines that are none."""
    assert found([line], "/p") == told


def test_interrupted_calls() -> None:
    """Two processes whose calls are told in halves; one of them fails."""
    lines = [
        '1 openat(AT_FDCWD</p>, "a", O_RDONLY <unfinished ...>',
        '2 openat(AT_FDCWD</p>, "b", O_WRONLY|O_CREAT <unfinished ...>',
        "1 <... openat resumed>) = -1 ENOENT (No such file or directory)",
        "2 <... openat resumed>, 0666) = 3</p/b>",
    ]
    assert found(lines, "/p") == ["w b"]


def test_a_number_that_is_used_again() -> None:
    """A new process is in the folder of its parent, not in that of the one that had its number."""
    lines = [
        "1 fork() = 2",
        '2 chdir("d") = 0',
        '2 open("a", O_RDONLY) = 3',
        "2 +++ exited with 0 +++",
        "1 vfork( <unfinished ...>",
        '2 open("b", O_RDONLY) = 3',
        "1 <... vfork resumed>) = 2",
        "1 fchdir(3</p/e>) = 0",
        '1 open("c", O_RDONLY) = 3',
    ]
    assert found(lines, "/p") == ["r d/a", "r b", "r e/c"]


@given(st.lists(st.binary(max_size=20).map(lambda name: b"n" + name.replace(b"/", b"x").replace(b"\0", b"y"))))
def test_any_name(names: list[bytes]) -> None:
    """Whatever bytes a name is made of."""
    lines = [f'1 openat(AT_FDCWD<\\x2f\\x70>, "{"".join(f"{chr(92)}x{byte:02x}" for byte in name)}", O_RDONLY) = 3' for name in names]
    assert list(accesses(lines, "/p", "/p", os.fsdecode)) == [Access("r", os.fsdecode(name)) for name in names]
