"""What is kept of a task's output."""

from __future__ import annotations

import os
import resource
import signal
from pathlib import Path

import pytest

from pipefile.execute.output import SHOWN, Capture, duration_text, size_text
from pipefile.load.values import size as parsed


def capture(folder: Path, limit: int = 64 << 20) -> tuple[Capture, Path]:
    path = folder / "run" / "log.txt"
    return Capture(os.fspath(path), limit), path


def test_short_output_is_written_when_the_task_has_ended(tmp_path):
    kept, path = capture(tmp_path)
    kept.write(b"a")
    kept.write(b"b\n")

    assert not path.exists()
    assert kept.close() == (b"ab\n", 3)
    assert path.read_bytes() == b"ab\n"


def test_long_output_is_written_as_it_comes(tmp_path):
    kept, path = capture(tmp_path)
    kept.write(b"x" * (SHOWN - 1))
    assert not path.exists()
    kept.write(b"yyy")
    assert path.read_bytes() == b"x" * (SHOWN - 1) + b"yyy"
    kept.write(b"z")

    assert kept.close() == (b"x" * (SHOWN - 1) + b"y", SHOWN + 3)
    assert path.read_bytes() == b"x" * (SHOWN - 1) + b"yyyz"


def test_exactly_the_limit_is_whole(tmp_path):
    kept, path = capture(tmp_path, 4)
    kept.write(b"abcd")

    assert kept.close() == (b"abcd", 4)
    assert path.read_bytes() == b"abcd"


@pytest.mark.parametrize(
    ("pieces", "log"),
    [
        ([b"abcde"], b"abcd\n[pipefile: output beyond 4B dropped]\n"),
        ([b"abc\n", b"e"], b"abc\n[pipefile: output beyond 4B dropped]\n"),
        ([b"abc", b"def", b"ghi"], b"abcd\n[pipefile: output beyond 4B dropped]\n"),
    ],
)
def test_what_is_beyond_the_limit_is_dropped_with_one_line(tmp_path, pieces, log):
    kept, path = capture(tmp_path, 4)
    for piece in pieces:
        kept.write(piece)

    assert kept.close() == (log, len(log))
    assert path.read_bytes() == log


def test_a_limit_of_nothing_keeps_the_line_alone(tmp_path):
    kept, _ = capture(tmp_path, 0)
    kept.write(b"a")

    assert kept.close() == (b"[pipefile: output beyond 0B dropped]\n", 37)


def test_without_a_path_the_first_bytes_are_kept():
    kept = Capture("", 1 << 20)
    kept.write(b"x" * (SHOWN + 1))

    assert kept.close() == (b"x" * SHOWN, SHOWN + 1)


def test_a_log_that_cannot_grow_is_told_and_the_first_bytes_are_kept(tmp_path):
    """Case 58: RLIMIT_FSIZE, as a full disk would do."""
    kept, path = capture(tmp_path)
    before, signal_before = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2, before[1]))
    try:
        kept.write(b"abcd")
        shown, size = kept.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, signal_before)

    assert (shown, size) == (b"abcd", 4)
    assert kept.error == f"cannot write the log `{path}`: file too large"


@pytest.mark.parametrize(("size", "text"), [(64_000_000, "64MB"), (4 * 10**9, "4GB"), (2000, "2KB"), (1500, "1500B"), (0, "0B")])
def test_sizes_are_written_as_in_a_pipefile(size, text):
    """And read there as the same number of bytes."""
    assert size_text(size) == text
    assert size == 0 or parsed(text, "log_limit", ()) == size


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.5, "500 ms"), (1, "1 s"), (1.5, "1.5 s"), (60, "1 min"), (90, "1 min 30 s"), (600, "10 min"), (7200, "2 h"), (3661, "1 h 1 min 1 s")],
)
def test_durations_are_written_as_people_do(seconds, text):
    assert duration_text(seconds) == text
