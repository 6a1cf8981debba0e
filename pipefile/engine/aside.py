"""Keeps large results beside the build: copying them takes seconds, in which other stages go on, start and end."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from queue import SimpleQueue

from pipefile.base.errors import PipefileError
from pipefile.engine.keep import Keeper
from pipefile.model.cache import Small
from pipefile.model.graph import Edge
from pipefile.model.record import Record


class Aside:
    """One thread, which keeps one result after the other.

    Args:
        keeper: Its own: nobody else uses it. Its cache takes calls from several threads.
    """

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self._queue: SimpleQueue[tuple[Edge, Record, Mapping[str, Small]] | None] = SimpleQueue()
        self._faults: SimpleQueue[OSError] = SimpleQueue()
        self._dropped = False
        self._waiting: list[int] = []  # edges; both threads change it in single steps
        self._thread = threading.Thread(target=self._run, name="pipefile-cache", daemon=True)
        self._thread.start()

    def keep(self, edge: Edge, record: Record, small: Mapping[str, Small]) -> None:
        """As Keeper.keep, some time."""
        self._waiting.append(edge.id)
        self._queue.put((edge, record, small))

    def holds(self, number: int) -> bool:
        """Whether what an edge has made is not kept yet."""
        return number in self._waiting

    def faults(self) -> list[OSError]:
        """What could not be kept since this was asked last, and why."""
        found = []
        while not self._faults.empty():
            found.append(self._faults.get())
        return found

    def close(self, drop: bool) -> None:
        """Wait until all is kept.

        Args:
            drop: Only for what is being copied just now; the rest is let go.
        """
        self._dropped = drop
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (item := self._queue.get()) is not None:
            if not self._dropped:
                try:
                    self._keeper.keep(*item)
                except PipefileError:
                    pass  # an output is gone already
                except OSError as error:
                    self._faults.put(error)
            self._waiting.remove(item[0].id)
