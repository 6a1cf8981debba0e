"""The environment of this process, compared and set without decoding every variable: that took longer than all else about a small task."""

from __future__ import annotations

import os
from collections.abc import Mapping


def encoded(environ: Mapping[str, str]) -> dict[bytes, bytes]:
    """An environment as `os.environ` keeps it.

    Raises:
        ValueError: A name or a value cannot stand in an environment.
    """
    return {os.fsencode(name): os.fsencode(value) for name, value in environ.items()}


def snapshot() -> dict[bytes, bytes]:
    """What `os.environ` is now."""
    return dict(_data())


def is_now(known: dict[bytes, bytes]) -> bool:
    """Whether `os.environ` is what it was."""
    return _data() == known


def set_environ(environ: Mapping[str, str], known: dict[bytes, bytes] | None = None) -> None:
    """Make os.environ what *environ* is, by as few changes as that takes.

    Args:
        environ: What it shall be.
        known: The same as `encoded` gives it, where that is there already.
    """
    if is_now(encoded(environ) if known is None else known):
        return
    for name in [name for name in os.environ if name not in environ]:
        del os.environ[name]
    for name, value in environ.items():
        if os.environ.get(name) != value:
            os.environ[name] = value


def _data() -> dict[bytes, bytes]:
    data: dict[bytes, bytes] = os.environ._data  # type: ignore[attr-defined]  # the same in every CPython on POSIX
    return data
