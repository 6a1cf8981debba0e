"""What the function of a batch returns for each of its items, where it runs, and its report of those that are finished (plan/batches.py)."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from pipefile.execute.modules import CallError
from pipefile.execute.values import store_returned
from pipefile.plan.batches import IN_ORDER

if TYPE_CHECKING:
    from pipefile.execute.context import Context
    from pipefile.model.ports import FunctionCall

NO_ARTIFACTS = "a batch has none, since nobody knows of which item it would be: yield after each item, or declare an output"


def finish_items(returned: object, call: FunctionCall, ctx: Context | None) -> None:
    """Keep what the function of a batch has returned for each item. A generator runs here, and has finished an item whenever it yields.

    Args:
        returned: What it has returned.
        call: For which items.
        ctx: Its context, if it has one.

    Raises:
        CallError: There is not one value for each item, or one is not what its stage declares.
        BaseException: Whatever a generator raises.
        OSError: The disk does not take it.
    """
    batch = call.batch
    assert batch is not None
    count = len(batch.returns)
    steps = isinstance(returned, Iterator)
    if not steps and not any(batch.returns):
        return
    if not steps and (not isinstance(returned, list | tuple) or len(returned) != count):
        got = f"{len(returned)} values" if isinstance(returned, list | tuple) else "None" if returned is None else f"a `{type(returned).__name__}`"
        raise CallError(f"must return a list with a value for each item of its batch ({count}), or yield one after each, but returned {got}")
    report = os.open(batch.report, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
    try:
        os.write(report, IN_ORDER + b"\n")
        _turn(ctx, batch.artifacts, 0)
        done = 0
        for value in returned:  # type: ignore[attr-defined]  # an iterator or a list
            if done == count:
                raise CallError(f"yields more often than once for each item of its batch ({count})")
            store_returned(value, batch.returns[done], call.value_limit)
            done += 1
            if done < count:  # what comes after the last yield belongs to the last item
                _flush()
                os.write(report, b"%d\n" % (done - 1))
                _turn(ctx, batch.artifacts, done)
        if done < count:
            raise CallError(f"has yielded {done} times for a batch of {count}: it yields after each item")
    finally:
        os.close(report)


def forget_report(call: FunctionCall) -> None:
    """What was told of the items of a batch is not to be believed: what they were made from may have been another folder or environment."""
    if call.batch is not None:
        try:
            os.unlink(call.batch.report)
        except OSError:
            pass


def _flush() -> None:
    """Bring out what was printed: who hears that an item is finished looks into its log."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):  # closed, or something of the function's own
            pass


def _turn(ctx: Context | None, artifacts: tuple[str, ...], item: int) -> None:
    if ctx is not None:
        ctx.turn_to(artifacts[item])
