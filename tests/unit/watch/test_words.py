"""The lines of a watch."""

from __future__ import annotations

import re

from pipefile.watch import words
from pipefile.watch.inotify import Limit
from pipefile.watch.names import is_code, is_own, is_passing

BEGINS, ENDS = r"^pipefile: build started\b", r"^pipefile: build finished\b"  # what editors look for


def test_the_first_line_of_a_round() -> None:
    """What has changed, three names of it; control characters are escaped."""
    assert words.started(None) == "pipefile: build started"
    assert words.started(["a", "b"]) == "pipefile: build started (2 changed: a, b)"
    assert words.started(["a", "b", "c", "d"]) == "pipefile: build started (4 changed: a, b, c, ...)"
    assert words.started(["/"]) == "pipefile: build started (1 changed: ./)"
    assert "\x1b" not in words.started(["\x1b[2J"])
    assert re.match(BEGINS, words.started(["a"]))


def test_the_last_line_of_a_round() -> None:
    assert words.finished(1, 2, 3, 0.4249) == "pipefile: build finished: 1 failed, 2 ok, 3 skipped in 0.42s"
    assert re.match(ENDS, words.finished(0, 0, 0, 0))


def test_what_is_watched() -> None:
    assert words.watching(312, 41, True, 0) == "pipefile: watching 312 files in 41 folders (inotify)"
    assert words.watching(1, 1, False, 1) == "pipefile: watching 1 file in 1 folder (polling)"
    assert words.watching(2, 9, True, 3) == "pipefile: watching 2 files in 9 folders (events, polling 3 of them)"


def test_a_limit() -> None:
    """What is asked for is enough for what is needed."""
    text = words.no_more(Limit("fs.inotify.max_user_watches", 8192), 600_000)
    assert "is 8192, this project needs 600000" in text
    assert "sudo sysctl fs.inotify.max_user_watches=2097152" in text


def test_a_loop() -> None:
    text = words.loop(["a", "b", "c", "d"], ["x"], 3)
    assert text.startswith("error: stages `a`, `b`, `c` change `x`, ..., from which the build begins: stopped after 3 rounds\nhint: ")
    assert words.loop([], ["x"], 3).startswith("error: a stage changes `x`, from")


def test_names() -> None:
    """What editors and Python leave; what is ours; what may be a module."""
    for name in ("a.txt~", ".a.txt.swp", "4913", ".#a", "#a#", "x___jb_tmp___", "__pycache__", "d/m.cpython-311.pyc", ".goutputstream-X1"):
        assert is_passing(name), name
    for name in ("a.txt", "a.tmp", "49131", "swp", "a.py"):
        assert not is_passing(name), name
    for path in (".pipefile.lock", "out/.a.txt.hash", "out/.pipefile-tmp/a", ".git/index", "store/runs/x", "store"):
        assert is_own(path, "store"), path
    for path in ("a.hash", "storeroom/x", ".gitignore"):
        assert not is_own(path, "store"), path
    assert [name for name in ("m.py", "m.so", "package", "a.txt", "some-thing") if is_code(name)] == ["m.py", "m.so", "package"]
