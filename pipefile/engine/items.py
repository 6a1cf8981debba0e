"""Items of `for_each` that are in values of other stages."""

from __future__ import annotations

import json
from itertools import islice

from pipefile.base.errors import InputError
from pipefile.base.paths import show
from pipefile.model.ports import Disk
from pipefile.model.stage import Output
from pipefile.plan.render import has_keys

MOST = 1_000_000
"""Items of a stream that are read: more are no list that anybody means to go through."""

_LIMIT = 100_000_000  # bytes of a value's file


def read_value(disk: Disk, output: Output, entry: str) -> object:
    """What a value output holds, as JSON has it. Nothing of the project is run for that, so a Python object that is no JSON is refused.

    Args:
        disk: The disk.
        output: The output.
        entry: The key of a returned table that is meant; "" for all of it.

    Raises:
        InputError: It cannot be read, is no JSON, or has no such key.
    """
    if output.value == "file":
        raise InputError("it names a file", hint="a list of texts is a value of type `json`, or `list` in Python")
    try:
        if output.value == "stream":
            from pipefile.execute.stream import StoredStream

            return [item.rstrip("\r\n") if isinstance(item, str) else item for item in islice(StoredStream(disk.at(output.path)), MOST + 1)]
        data = disk.read(output.path, _LIMIT, follow=False)
    except OSError as error:
        raise InputError((error.strerror or str(error)).lower()) from error
    if data[:1] == b"\x80":
        raise InputError("it is a Python object that is no JSON", hint="return a list of texts, numbers, booleans or tables")
    try:
        value: object = json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError):
        raise InputError("it is no JSON") from None
    if not entry:
        return value
    if not isinstance(value, dict):
        raise InputError(f"there is no `{show(entry)}`: what was returned is no table with keys")
    if entry not in value:
        raise InputError(f"there is no `{show(entry)}`: {has_keys(value)}")
    return value[entry]
