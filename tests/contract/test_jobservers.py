"""What tokens promise, whoever has made them: a make above by pipe or by fifo, or pipefile itself."""

from __future__ import annotations

import os
import select
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipefile.execute.jobserver import Pool, Tokens, client, is_open
from pipefile.plan.makeflags import Jobserver, jobserver

TOKENS = 3


def by_pipe(folder: Path) -> tuple[Tokens, int, list[int]]:
    read, write = os.pipe()
    os.write(write, b"+-*")
    found = Jobserver(TOKENS + 1, read, write)
    assert not is_open(found)  # as long as they look like ours
    for end in (read, write):
        os.set_inheritable(end, True)
    assert is_open(found)
    return client(found, " -j4"), read, [read, write]


def by_fifo(folder: Path) -> tuple[Tokens, int, list[int]]:
    path = os.fspath(folder / "fifo")
    os.mkfifo(path)
    end = os.open(path, os.O_RDWR)
    os.write(end, b"+-*")
    found = Jobserver(TOKENS + 1, path=path)
    assert is_open(found)
    return client(found, " -j4"), end, [end]


def of_our_own(folder: Path) -> tuple[Tokens, int, list[int]]:
    pool = Pool(TOKENS + 1)
    named = jobserver({"MAKEFLAGS": pool.flags("")})
    assert named is not None
    assert (named.jobs, is_open(named)) == (TOKENS + 1, True)
    return pool, named.read, []


@pytest.fixture(params=[by_pipe, by_fifo, of_our_own])
def tokens(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Tokens, int]]:
    """Tokens, and a descriptor at which others take them."""
    made, other, ends = request.param(tmp_path)
    yield made, other
    made.close()
    for end in ends:
        os.close(end)


def left(fd: int) -> bool:
    return bool(select.select([fd], [], [], 0)[0])


def test_no_more_than_there_are(tokens: tuple[Tokens, int]):
    made, other = tokens
    assert [made.take() for _ in range(TOKENS + 2)] == [True] * TOKENS + [False, False]
    assert not left(other)
    made.give()
    assert left(made.fileno())
    assert made.take()


def test_what_others_have_taken_is_gone(tokens: tuple[Tokens, int]):
    made, other = tokens
    assert os.read(other, 2)
    assert [made.take(), made.take()] == [True, False]


def test_a_descriptor_that_blocks_goes_on_to_block(tokens: tuple[Tokens, int]):
    """Others read from the same open file, and make wants to wait there."""
    made, other = tokens
    made.take()
    assert os.get_blocking(other)


def test_all_is_given_back_at_the_end(tmp_path: Path):
    for folder, make in (("a", by_pipe), ("b", by_fifo)):
        (tmp_path / folder).mkdir()
        made, other, ends = make(tmp_path / folder)
        assert made.take()
        assert made.take()
        made.close()
        made.close()
        assert sorted(os.read(other, 9)) == sorted(b"+-*")  # the very bytes: make may mean something by them
        for end in ends:
            os.close(end)


def test_what_was_killed_with_tokens_leaves_none_missing():
    """Case 55: when nothing runs, a pool of our own is whole again; a token too many is gone as well."""
    pool = Pool(4)
    named = jobserver({"MAKEFLAGS": pool.flags("")})
    assert named is not None
    assert len(os.read(named.read, 2)) == 2
    pool.idle()
    assert os.read(named.read, 9) == b"+++"
    os.write(named.write, b"+++++")
    pool.idle()
    assert os.read(named.read, 9) == b"+++"
    pool.close()


@pytest.mark.parametrize("found", [Jobserver(4), Jobserver(4, 61, 62), Jobserver(4, path="/nowhere/fifo"), Jobserver(4, path="/dev/null")])
def test_what_is_not_open(found: Jobserver):
    assert not is_open(found)


def test_descriptors_of_something_else(tmp_path: Path):
    """What make has closed may be another file's by now."""
    read, write = os.pipe()
    with open(tmp_path / "file", "w+") as file:
        for end in (read, write, file.fileno()):
            os.set_inheritable(end, True)
        assert not is_open(Jobserver(4, file.fileno(), write))
        assert not is_open(Jobserver(4, write, read))
    os.close(read)
    os.close(write)
