"""Values that functions return, and take as arguments: JSON with a newline at the end, one value a file."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Sequence

from pipefile.base.paths import show
from pipefile.execute.modules import CallError
from pipefile.model.ports import Return, StoredValue

_TYPES: dict[str, tuple[type, ...]] = {"int": (int,), "float": (float, int), "str": (str,), "bool": (bool,), "json": (object,)}


def load_argument(stored: StoredValue) -> object:
    """The value that another stage has returned.

    Raises:
        CallError: Its file cannot be read.
    """
    try:
        data = stored.data
        if data is None:
            with open(stored.path, "rb") as file:
                data = file.read()
        found = json.loads(data)
        return found[stored.entry] if stored.entry else found
    except (OSError, ValueError, KeyError) as fault:
        raise CallError(f"cannot read the value `{show(stored.path)}`: {fault}") from fault


def store_returned(returned: object, returns: Sequence[Return], limit: int) -> None:
    """Write what a function has returned to the files of its values.

    Raises:
        CallError: It is not what the stage declares.
    """
    names = {each.name for each in returns}
    by_name = isinstance(returned, dict) and returned.keys() == names
    if not by_name and len(returns) > 1:
        wanted = ", ".join(f"`{name}`" for name in sorted(name or "" for name in names))
        raise CallError(f"it has to return a dict with {wanted}")
    for each in returns:
        value = returned[each.name] if by_name else returned  # type: ignore[index]
        if each.kind not in _TYPES:
            raise CallError(f"values of kind `{each.kind}` are not known")
        if not isinstance(value, _TYPES[each.kind]) or (isinstance(value, bool) and each.kind in ("int", "float")):
            raise CallError(f"it returned {type(value).__name__} for `{each.name or 'its value'}`, not {each.kind}")
        if isinstance(value, float) and not math.isfinite(value):
            raise CallError(f"it returned {value} for `{each.name or 'its value'}`, which JSON cannot hold")
        try:
            data = json.dumps(value, ensure_ascii=False, allow_nan=False).encode("utf-8", "surrogatepass") + b"\n"
        except (TypeError, ValueError, RecursionError) as fault:
            raise CallError(f"what it returned for `{each.name or 'its value'}` cannot be kept: {fault}") from fault
        if len(data) > limit:
            raise CallError(f"what it returned for `{each.name or 'its value'}` is {len(data)} bytes, more than {limit}")
        os.makedirs(os.path.dirname(each.path) or ".", exist_ok=True)
        with open(each.path, "wb") as file:
            file.write(data)
