"""Values of functions as files, where the function runs: in a thread of the builder or in a worker process.

    int float str bool json result    one JSON text with a line break at its end (execute/plain.py): `17`, `"a"`, `{"width": 640}`
    any                               the same where that is exact, key order included; else a pickle, protocol 5, which begins with the byte 0x80
    stream                            execute/stream.py
    file                              `{"path": "build/a.jpg"}`, the path as the function has given it; the builder looks at that file and adds
                                      `"digest"` and `"size"` (engine/named.py)
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence

from pipefile.base import digest as digests
from pipefile.execute.modules import CallError
from pipefile.execute.plain import exact_json
from pipefile.execute.stream import StoredStream, write_stream
from pipefile.model.ports import FunctionCall, Return, StoredValue
from pipefile.plan.render import has_keys

_TYPES: dict[str, tuple[type, ...]] = {"int": (int,), "float": (float, int), "str": (str,), "bool": (bool,)}


def arguments_of(call: FunctionCall) -> dict[str, object]:
    """The arguments of a call, with the values of other stages read.

    Raises:
        CallError: One cannot be read.
    """
    return {name: _loaded(given) for name, given in call.arguments.items()}


def _loaded(given: object) -> object:
    if type(given) is list:
        return [_loaded(each) for each in given]
    return load_argument(given) if isinstance(given, StoredValue) else given


def load_argument(stored: StoredValue) -> object:
    """A value that another stage has returned: an object of its own for everyone who asks. (Of kind "file" there are none: these are FileRefs.)

    Raises:
        CallError: Its file is not what it was when the task was made, or it is a table without the key that is wanted.
    """
    if stored.kind == "stream":
        return StoredStream(stored.path)
    data = stored.data if stored.data is not None else _read(stored)
    if stored.kind == "any" and data[:1] == b"\x80":
        import pickle

        return pickle.loads(data)
    try:
        value = json.loads(data.decode("utf-8"))
    except ValueError as error:
        raise CallError(f"the value `{stored.path}` cannot be read: {error}") from None
    if stored.entry:
        return entry_of(value, stored.entry, stored.path)
    return value


def entry_of(value: object, key: str, path: str) -> object:
    """One key of a table that a function has returned.

    Raises:
        CallError: It has no such key.
    """
    if type(value) is not dict:
        raise CallError(f"there is no `{key}` in `{path}`: what was returned is no table with keys")
    if key not in value:
        raise CallError(f"there is no `{key}` in `{path}`: {has_keys(value)}")
    return value[key]


def _read(stored: StoredValue) -> bytes:
    try:
        fd = os.open(stored.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        with open(fd, "rb") as file:
            data = file.read()
    except OSError as error:
        raise CallError(f"the value `{stored.path}` cannot be read: {(error.strerror or str(error)).lower()}") from None
    if stored.digest and digests.of_bytes(data, stored.digest.partition(":")[0]) != stored.digest:
        raise CallError(f"the value `{stored.path}` has changed since it was decided to call the function")
    return data


# --- what is returned


def store_returned(returned: object, returns: Sequence[Return], limit: int) -> None:
    """Write what a function has returned to the files of its stage's values.

    Args:
        returned: The object.
        returns: The values that the stage declares; () drops what is returned.
        limit: Bytes that one value may have as a file. Streams have no limit.

    Raises:
        CallError: It is not what the stage declares, or too large.
        BaseException: What a generator among it raises while it is written.
        OSError: The disk does not take it.
    """
    for each, value in _assigned(returned, returns):
        name = each.name or ""
        if each.kind == "stream":
            write_stream(_items(value, name), each.path, name)
            continue
        data = _encoded(value, each.kind, name)
        if len(data) > limit:
            what = f"value `{name}`" if name else "what was returned"
            raise CallError(
                f"{what} has {len(data):,} bytes, above the limit of {limit:,} (`value_limit`): write it to a file and return a FileRef to that"
            )
        with open(each.path, "wb") as file:
            file.write(data)


def takes_items(returns: Sequence[Return]) -> bool:
    """Whether a function may be a generator itself: what it yields are the items of its only value."""
    return len(returns) == 1 and returns[0].kind == "stream"


def _assigned(returned: object, returns: Sequence[Return]) -> Iterable[tuple[Return, object]]:
    """What each of the declared values is."""
    if not returns:
        return ()
    names = [each.name for each in returns]
    if isinstance(returned, dict) and returned.keys() == set(names):
        return [(each, returned[each.name]) for each in returns]
    wanted = ", ".join(f"`{name}`" for name in names)
    if len(returns) == 1:
        if returned is None and names[0] is not None:
            raise CallError(f"returned nothing, but its stage declares the value {wanted}")
        return [(returns[0], returned)]
    if returned is None:
        raise CallError(f"returned nothing, but its stage declares the values {wanted}")
    got = has_keys(returned) if isinstance(returned, dict) else f"it is a `{type(returned).__name__}`"
    raise CallError(f"must return a table with the keys {wanted}, the values that its stage declares: {got}")


def _encoded(value: object, kind: str, name: str) -> bytes:
    what = f"value `{name}`" if name else "what was returned"
    if kind in _TYPES:
        if not isinstance(value, _TYPES[kind]) or (isinstance(value, bool) and kind != "bool"):
            raise CallError(f"{what} must be of type `{kind}`, as its stage declares, but is {_of_type(value)}")
        value = _plain(value, kind)
    elif kind == "file":
        value = {"path": _path_of(value, what)}
    elif kind == "any":
        found = exact_json(value, ordered=True)
        return found if isinstance(found, bytes) else _pickled(value, what)
    data = exact_json(value)
    if isinstance(data, str):
        raise CallError(f"{what} {data}")
    return data


def _plain(value: object, kind: str) -> object:
    """A value of a subclass, as numpy's float64 is one of float, as what its stage declares."""
    if kind == "float":
        try:
            return float(value)  # type: ignore[arg-type]  # a float or an int
        except OverflowError:
            return float("inf")  # which is then refused
    return int(value) if kind == "int" else str.__str__(value) if kind == "str" else value  # type: ignore[call-overload]


def _of_type(value: object) -> str:
    return "None" if value is None else f"a `{type(value).__name__}`"


def _path_of(value: object, what: str) -> str:
    if not isinstance(value, os.PathLike):
        raise CallError(f"{what} must be a FileRef or another path-like object, as its stage declares, but is {_of_type(value)}")
    return os.fsdecode(value)


def _pickled(value: object, what: str) -> bytes:
    import pickle

    try:
        return pickle.dumps(value, protocol=5)
    except Exception as error:  # whatever the object's own methods raise
        raise CallError(f"{what} cannot be kept: {type(error).__name__}: {error}") from error


def _items(value: object, name: str) -> Iterable[object]:
    if isinstance(value, (str, bytes, bytearray, Mapping)) or not isinstance(value, Iterable):
        raise CallError(f"value `{name}` must be a stream, as its stage declares, but is {_of_type(value)}: return or yield its items")
    return value
