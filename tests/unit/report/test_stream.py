"""report/stream.py: standard streams that never raise."""

from __future__ import annotations

import errno
import os
import threading

from pipefile.report.stream import FULL, Stream, painted_error


def test_text_comes_out_with_flush() -> None:
    """Nothing is written before, unless there is a lot of it; undecodable bytes come out as they were."""
    read, write = os.pipe()
    stream = Stream(write)
    stream.write("é \udcff\n")
    os.set_blocking(read, False)
    try:
        assert os.read(read, 100) == b"never"
    except BlockingIOError:
        pass
    stream.flush()
    assert os.read(read, 100) == b"\xc3\xa9 \xff\n"
    os.close(read)
    os.close(write)


def test_a_reader_that_leaves_is_no_error() -> None:
    """As in `| head -1`: the rest is dropped."""
    read, write = os.pipe()
    os.close(read)
    stream = Stream(write)
    stream.write("x")
    stream.flush()
    stream.write("y" * (FULL + 1))
    assert stream.fault == errno.EPIPE
    os.close(write)


def test_a_full_disk_is_remembered() -> None:
    """Whoever gives the exit status can tell."""
    fd = os.open("/dev/full", os.O_WRONLY)
    stream = Stream(fd)
    stream.write("x")
    stream.flush()
    assert stream.fault == errno.ENOSPC
    os.close(fd)


def test_a_pipe_that_does_not_block() -> None:
    """Whoever shares our pipe may have set it so: nothing gets lost."""
    read, write = os.pipe()
    os.set_blocking(write, False)
    got = bytearray()

    def reader() -> None:
        while part := os.read(read, 1 << 16):
            got.extend(part)

    thread = threading.Thread(target=reader)
    thread.start()
    stream = Stream(write)
    text = "0123456789" * 100_000
    stream.write(text)
    stream.flush()
    os.close(write)
    thread.join()
    os.close(read)
    assert got.decode() == text


def test_errors_are_painted_by_their_first_words() -> None:
    """And escaped, whatever names they have in them."""
    text = "error: `a\x1b` is bad\n  Pipefile.toml:3  x\nhint: y"
    assert painted_error(text, Stream(1)) == "error: `a\\x1b` is bad\n  Pipefile.toml:3  x\nhint: y"
    assert painted_error(text, Stream(1, color=True)) == (
        "\x1b[1;31merror:\x1b[0m `a\\x1b` is bad\n  Pipefile.toml:3  x\n\x1b[36mhint:\x1b[0m y"
    )
