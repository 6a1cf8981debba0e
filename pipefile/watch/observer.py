"""Events from the package watchdog, for systems without inotify. It runs in a process of its own: its threads and ours would not survive a fork.

That process is told folders, one a line on its standard input, and tells paths, one a line on its standard output, both as JSON strings; `d` before a
path says that it is a folder's. Trees are watched whole: the project's, and those of folders that are asked for and lie elsewhere.
"""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING

from pipefile.watch.inotify import CREATE, DELETE_SELF, ISDIR, MODIFY, Event

if TYPE_CHECKING:
    from watchdog.events import FileSystemEvent


class Observed:
    """A queue of events as folders.Folders wants it.

    Args:
        root: Absolute path of the project's root.

    Raises:
        OSError: The process cannot be started.
    """

    def __init__(self, root: str) -> None:
        import subprocess

        self._root = root
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "pipefile.watch.observer"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
            process_group=0,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._in, self._out = self._process.stdin, self._process.stdout
        os.set_blocking(self._out.fileno(), False)
        self._rest = b""
        self._trees: list[str] = []
        self._numbers: dict[str, int] = {}
        self._folders: dict[int, str] = {}
        self._tell(root)

    def fileno(self) -> int:
        return self._out.fileno()

    def add(self, folder: str, mask: int) -> int:  # noqa: ARG002  # everything is told
        if not os.path.isdir(folder):
            raise FileNotFoundError(2, os.strerror(2), folder)
        real = os.path.realpath(folder)
        if not any(real == tree or real.startswith(tree + "/") for tree in self._trees):
            self._tell(real)
        number = self._numbers.setdefault(folder, len(self._numbers) + 1)
        self._folders[number] = folder
        return number

    def _tell(self, tree: str) -> None:
        self._trees.append(os.path.realpath(tree))
        try:
            self._in.write(json.dumps(tree).encode() + b"\n")
            self._in.flush()
        except OSError:
            pass  # it has ended: `read` tells

    def remove(self, watch: int) -> None:
        folder = self._folders.pop(watch, None)
        if folder is not None:
            self._numbers.pop(folder, None)

    def read(self) -> list[Event]:
        found: list[Event] = []
        try:
            while data := os.read(self._out.fileno(), 1 << 16):
                self._rest += data
        except BlockingIOError:
            pass
        *lines, self._rest = self._rest.split(b"\n")
        for line in lines:
            is_folder, path = json.loads(line)
            folder, _, name = path.rpartition("/")
            watch = self._numbers.get(folder, -2)
            if watch > 0:
                found.append(Event(watch, CREATE | ISDIR if is_folder else MODIFY, name))
            if path == self._root and not os.path.isdir(path):
                found.append(Event(self._numbers.get(path, -2), DELETE_SELF, ""))
        return found

    def close(self) -> None:
        self._in.close()
        self._process.kill()
        self._process.wait()
        self._out.close()


def main() -> int:
    """Tell of changes until standard input ends. Returns the exit status."""
    from watchdog import events
    from watchdog.observers import Observer

    wanted = [
        events.FileModifiedEvent, events.FileCreatedEvent, events.FileDeletedEvent, events.FileMovedEvent,
        events.DirCreatedEvent, events.DirDeletedEvent, events.DirMovedEvent,
    ]  # fmt: skip
    wanted += [getattr(events, name) for name in ("FileAttribEvent", "FileClosedEvent") if hasattr(events, name)]

    class Handler(events.FileSystemEventHandler):
        def on_any_event(self, event: FileSystemEvent) -> None:
            lines = [json.dumps([event.is_directory, os.fsdecode(path)]) + "\n" for path in (event.src_path, event.dest_path) if path]
            os.write(1, "".join(lines).encode())

    observer = Observer()
    observer.start()
    handler = Handler()
    for line in sys.stdin.buffer:
        try:
            observer.schedule(handler, json.loads(line), recursive=True, event_filter=wanted)
        except OSError as error:
            sys.stderr.write(f"warning: changes below `{json.loads(line)}` cannot be watched: {error}\n")
    observer.stop()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
