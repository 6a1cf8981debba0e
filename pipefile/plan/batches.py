"""Batches: what becomes a list in a command or call that takes several items, how many items one takes, and which of them are finished.

While a function runs for a batch it appends lines to a file, its report:

    in order    it does one item after the other, and says when: the first item that is not finished is the one that it was at
    N           item N is finished, from 0
"""

from __future__ import annotations

from typing import NamedTuple

from pipefile.model.stage import Field, Stage
from pipefile.plan.items import split


def is_apart(field: Field, stage: Stage) -> bool:
    """Whether a placeholder of a command stands for something else for each item of a batch: it becomes a list then."""
    batch, for_each = stage.batch, stage.for_each
    assert batch is not None
    assert for_each is not None
    name = field.name
    if name in ("outputs", "outputs.file") or name in {output.name for output in stage.outputs}:
        return True
    if name.startswith("params."):
        name = ".".join(name.split(".")[:2])
    return ("inputs" if name == "inputs.file" else name) in batch.apart or split(field.name, for_each.names) is not None


def share(most: int, ready: int, places: int) -> int:
    """How many items the next batch takes: as many as it may, but no more than leave as much for each place where one could run now.

    Args:
        most: The stage's `batch`.
        ready: Items that could start now, at least 1.
        places: Batches of the stage that could run beside each other from now on, this one counted, at least 1.
    """
    return min(most, -(-ready // places))


IN_ORDER = b"in order"


class Finished(NamedTuple):
    """What is known of the items of a batch that has failed.

    Args:
        items: Numbers of those that are finished.
        in_order: The first one that is not is the one that has failed.
    """

    items: frozenset[int]
    in_order: bool


def finished(report: bytes) -> Finished:
    """What a report says. Lines that are not whole count for nothing."""
    lines = report.split(b"\n")[:-1]
    return Finished(frozenset([int(line) for line in lines if line.isdigit()]), IN_ORDER in lines)
