"""Both pollers: what is behind their one descriptor, and what is no more."""

from __future__ import annotations

import os
import select
from collections.abc import Iterator

import pytest

from pipefile.execute.poll import EpollPoller, Poller, ThreadPoller


@pytest.fixture(params=[EpollPoller, ThreadPoller])
def poller(request: pytest.FixtureRequest) -> Iterator[Poller]:
    made = request.param()
    yield made
    made.close()


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for fd in ends:
        os.close(fd)


def readable(poller: Poller, timeout: float) -> bool:
    return bool(select.select([poller.fileno()], [], [], timeout)[0])


def test_a_pipe_that_was_told_of_and_is_forgotten(poller: Poller, pipe: tuple[int, int]) -> None:
    """Nobody is told of it any more: its number may soon be that of another pipe."""
    poller.watch_pipe(pipe[0])
    os.write(pipe[1], b"x")
    assert readable(poller, 30)
    poller.forget_pipe(pipe[0])
    assert not readable(poller, 0)
    assert poller.poll(0) == []


def test_forgetting_a_pipe_takes_nothing_else(poller: Poller, pipe: tuple[int, int]) -> None:
    """Neither another pipe that can be read nor a call to wake up."""
    other, end = os.pipe()
    poller.watch_pipe(pipe[0])
    poller.watch_pipe(other)
    os.write(pipe[1], b"x")
    os.write(end, b"x")
    told: set[int] = set()
    while told != {pipe[0], other}:
        told.update(poller.poll(30))
    poller.ready_again(other)
    assert readable(poller, 30)
    poller.forget_pipe(pipe[0])
    assert poller.poll(30) == [other]
    poller.forget_pipe(other)
    poller.watch_pipe(other)
    poller.wake()
    poller.forget_pipe(other)
    assert readable(poller, 30)
    poller.poll(0)
    assert not readable(poller, 0)
    os.close(other)
    os.close(end)
