"""Slots: however edges start and end beside other programs, no more run than there are tokens for, and all are back at the end."""

from __future__ import annotations

import os
from collections.abc import Mapping

from hypothesis import given, settings
from hypothesis import strategies as st

from pipefile.engine.needs import Needs
from pipefile.engine.slots import Slots, open_tokens
from pipefile.execute.jobserver import Client, Pool, client
from pipefile.plan.makeflags import Jobserver

TOKENS = 3


class FixedNeeds(Needs):
    """Edges that need so many CPUs each."""

    def __init__(self, cpus: Mapping[int, int]) -> None:
        self._cpus = cpus
        self.lines = None

    def cpus(self, edge: int) -> int:
        return self._cpus[edge]


@settings(deadline=None)
@given(st.lists(st.integers(1, 4), min_size=1, max_size=12), st.lists(st.integers(0, 99), max_size=60))
def test_no_more_than_there_are_tokens_for(cpus: list[int], steps: list[int]):
    """Another program takes tokens and gives them back meanwhile."""
    read, write = os.pipe()
    os.write(write, b"x" * TOKENS)
    tokens = client(Jobserver(TOKENS + 1, read, write), "")
    other = Client(os.dup(tokens.fileno()), write, "")
    slots = Slots(FixedNeeds(dict(enumerate(cpus))), tokens)
    running: list[int] = []
    theirs = 0
    waiting = list(range(len(cpus)))
    for step in steps:
        if step % 4 == 0 and other.take():
            theirs += 1
        elif step % 4 == 1 and theirs:
            other.give()
            theirs -= 1
        elif step % 4 == 2 and running:
            slots.release(running.pop(step % len(running)))
        elif waiting:
            if slots.take(waiting[0]):
                running.append(waiting.pop(0))
            else:
                assert slots.starved
                assert running  # one may always run
        used = sum(slots._held.values())
        assert used + theirs <= TOKENS
        assert len(running) <= used + 1
        assert bool(running) == (slots._first >= 0)
    slots.close()
    other.close()
    assert os.read(read, 99) == b"x" * TOKENS
    os.close(read)
    os.close(write)


def test_who_has_a_jobserver():
    """Where one job runs at a time, or no command does, there is nothing to share."""
    nothing: list[str] = []
    assert open_tokens({}, 1, True, nothing.append) is None
    assert open_tokens({}, 4, False, nothing.append) is None
    pool = open_tokens({}, 4, True, nothing.append)
    assert isinstance(pool, Pool)
    pool.close()
    assert nothing == []


def test_a_jobserver_that_is_not_open():
    """With `-j` there is one of our own instead; a warning says what is missing."""
    said: list[str] = []
    pool = open_tokens({"MAKEFLAGS": " -j9 --jobserver-auth=-2,-2"}, 4, True, said.append)
    assert isinstance(pool, Pool)
    assert pool.flags("").startswith(" -j4 ")
    pool.close()
    assert said == ["MAKEFLAGS names a jobserver that is not open here: begin the line of the recipe with `+`, so that make hands it on"]
