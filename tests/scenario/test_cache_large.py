"""Large results: they are copied into the cache beside the build."""

from __future__ import annotations

import errno
import os
import re
import signal
from threading import Event

import pytest
from kit import Project
from kit.fifo import PATIENCE

from pipefile.base.disk import OsDisk
from pipefile.engine.interrupt import Interrupts
from pipefile.testing import FaultyDisk


@pytest.fixture
def cached(project: Project) -> Project:
    project.caching = True
    project.write("x", "one\n")
    return project


class SlowDisk(OsDisk):
    """The real disk, which is at copying a file into the cache until another stage has been committed."""

    def __init__(self, root: str, until: str) -> None:
        super().__init__(root)
        self._until = until
        self._reached = Event()
        self.copied: list[bool] = []

    def clone(self, source: str, target: str, mode: int = 0o666) -> bool:
        return False

    def copy(self, source: str, target: str, algorithm: str, mode: int = 0o666, limit: int | None = None) -> str:
        self.copied.append(self._reached.wait(PATIENCE))
        return super().copy(source, target, algorithm, mode, limit)

    def rename(self, source: str, target: str) -> None:
        super().rename(source, target)
        if target == self._until:
            self._reached.set()


def test_other_stages_go_on_while_a_large_file_is_copied(cached: Project) -> None:
    """Into the cache; at the end of the build it is there, and what was small in between too."""
    cached.stage("large", inputs="x", outputs="large", run="yes | head -c 6000000 > {outputs}")
    cached.stage("small", inputs="large", outputs="small", run="head -c 20 {inputs} > {outputs}")
    cached.stage("last", inputs="small", outputs="last", run="cp {inputs} {outputs}")
    disk = cached.disk = SlowDisk(cached.root, "last")
    outcome = cached.build(jobs=1)
    assert (outcome.ran, outcome.output) == (["large", "small", "last"], "")
    assert disk.copied == [True]
    cached.disk = None
    for path in ("large", "small", "last"):
        cached.remove(path)
    assert cached.build().restored == ["large", "small", "last"]
    assert os.path.getsize(cached.path("large")) == 6_000_000


def test_a_large_file_for_which_there_is_no_room(cached: Project) -> None:
    """Is told of once, as a small one is, and the build has worked."""
    for name in "ab":
        cached.stage(name, inputs="x", outputs=name, run="yes | head -c 6000000 > {outputs}")
    disk = FaultyDisk(cached.root)
    disk.fail("copy", number=errno.ENOSPC)
    cached.disk = disk
    outcome = cached.build()
    assert (sorted(outcome.ran), outcome.exit_status) == (["a", "b"], 0)
    place = "pipeline_outputs/cache"
    assert re.sub(r"`[^`]*`: no space", f"`{place}`: no space", outcome.output) == (
        f"warning: a result cannot be kept: `{place}`: no space left on device; `--no-cache` does without\n"
    )


class InterruptedDisk(OsDisk):
    """The real disk, without clones; a signal comes while the first file is copied out of the cache."""

    def clone(self, source: str, target: str, mode: int = 0o666) -> bool:
        return False

    def copy(self, source: str, target: str, algorithm: str, mode: int = 0o666, limit: int | None = None) -> str:
        os.kill(os.getpid(), signal.SIGINT)
        return super().copy(source, target, algorithm, mode, limit)


def test_an_interrupt_ends_a_copy(cached: Project) -> None:
    """Nobody waits for what is being restored, nothing half copied is left, nothing is warned of; the next build restores it."""
    cached.stage("large", inputs="x", outputs="large", run="yes | head -c 6000000 > {outputs}")
    cached.build()
    cached.remove("large")
    cached.disk = InterruptedDisk(cached.root)
    with Interrupts() as interrupts:
        outcome = cached.build(interrupts=interrupts)
    assert (outcome.exit_status, outcome.ran, outcome.restored) == (130, [], [])
    assert "warning" not in outcome.output
    assert not cached.exists("large")
    cached.disk = None
    assert cached.build().restored == ["large"]
