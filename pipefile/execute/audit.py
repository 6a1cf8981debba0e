"""Watching what Python code of stages reads and writes: in this process, and in those that it or a command starts.

Each task that is watched has a file of its own, which all of its processes append to (execute/audited/sitecustomize.py has the format). In this
process an audit hook sees everything: it belongs to the process and cannot be removed, so there is one, which asks whose thread it is. Other Python
programs are reached by a folder on their search path: a file in it is imported at their start.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Mapping
from typing import Any

from pipefile.execute.audited.sitecustomize import Watch
from pipefile.model.ports import Audited

VARIABLE = "PIPEFILE_AUDIT"
_PATH = "PYTHONPATH"
_LABEL = "_pipefile_watch"  # an attribute of Thread objects, as that of execute/routing.py
_ON_SYS = "_pipefile_watcher"  # an attribute of sys: what cannot be removed from a process must not be added twice

_FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "audited")


def environment(audited: Audited, path: str | None) -> dict[str, str]:
    """Variables by which Python programs are watched.

    Args:
        audited: Where they tell what they see.
        path: PYTHONPATH as they have it otherwise; None where it is not set.
    """
    before = "u" if path is None else "s"
    return {_PATH: f"{_FOLDER}{os.pathsep}{path}" if path else _FOLDER, VARIABLE: f"{before}{len(audited.root)}:{audited.file}"}


class Inheritance:
    """Variables that programs inherit from this process, but that nobody finds in its os.environ."""

    def __init__(self) -> None:
        self._set = False

    def give(self, audited: Audited, environ: Mapping[str, str]) -> None:
        """From now on Python programs that are started with the environment as it is are watched."""
        for name, value in environment(audited, environ.get(_PATH)).items():
            os.putenv(name, value)
        self._set = True

    def take_back(self, environ: Mapping[str, str]) -> None:
        if not self._set:
            return
        self._set = False
        os.unsetenv(VARIABLE)
        if _PATH in environ:
            os.putenv(_PATH, environ[_PATH])
        else:
            os.unsetenv(_PATH)


class Watcher:
    """The audit hook of this process: hands each event to the watch of its thread.

    Attributes:
        everything: What takes the events of all threads instead; None in a process that runs several tasks at once.
    """

    def __init__(self) -> None:
        self.everything: Watch | None = None
        self._before: tuple[str, Watch] | None = None

    def watch(self, audited: Audited) -> Watch:
        """One for a thread of this process: what it sees is collected in its `seen`."""
        like = self._before[1] if self._before is not None and self._before[0] == audited.root else None
        found = Watch(audited.root, audited.file, seen=[], like=like)
        self._before = (audited.root, found)
        return found

    def hook(self, event: str, args: tuple[Any, ...]) -> None:
        if event in Watch.events:
            watch = self.everything or getattr(threading.current_thread(), _LABEL, None)
            if watch is not None:
                watch.hook(event, args)


def watcher() -> Watcher:
    """That of this process; it is made, and begins to watch, when it is first asked for."""
    found: Watcher | None = getattr(sys, _ON_SYS, None)
    if found is None:
        found = Watcher()
        setattr(sys, _ON_SYS, found)
        sys.addaudithook(found.hook)
    return found


def watch_of(audited: Audited) -> Watch:
    return Watch(audited.root, audited.file)


def label(thread: threading.Thread, watch: Watch | None) -> None:
    """Have a thread that is not started yet watched, and those that it starts (execute/routing.py sees to that)."""
    setattr(thread, _LABEL, watch)


def pass_on(thread: threading.Thread) -> None:
    """Have a thread watched as the one that starts it is."""
    watch = getattr(threading.current_thread(), _LABEL, None)
    if watch is not None and not hasattr(thread, _LABEL):
        setattr(thread, _LABEL, watch)
