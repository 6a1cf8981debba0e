"""`ctx`: what a function is told of its run, and may ask for."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from pipefile.base.paths import show
from pipefile.execute.output import replace_link

if TYPE_CHECKING:
    from logging import Logger

    from pipefile.model.ports import CallContext
    from pipefile.model.stage import Value


class Context:
    """The run context of one attempt of a stage: what the parameter `ctx` of its function receives.

    Attributes:
        attempt: Which attempt this is, from 1.
        params: The stage's params.
    """

    def __init__(self, facts: CallContext, name: str, temporary: str, write: Callable[[bytes], object] | None = None) -> None:
        """Made by pipefile.

        Args:
            facts: What the engine says.
            name: The edge's name, which the logger has.
            temporary: Absolute path that `tmpdir` will have; nothing is there yet.
            write: Where `log` writes; None: standard error.
        """
        self.attempt: int = facts.attempt
        self.params: Mapping[str, Value] = facts.params
        self._artifacts = facts.artifacts
        self._none = "the stage does not run in a build"
        self._name = name
        self._temporary = temporary
        self._write = write
        self._log: Logger | None = None
        self._tmpdir = ""

    def artifact(self, name: str) -> str:
        """The path to write an artifact to: a file that is kept with the run, beside the stage's log, and is no output.

        Args:
            name: A file name, without folders.

        Raises:
            ValueError: It is none.
        """
        if not isinstance(name, str) or name in ("", ".", "..") or "/" in name or "\0" in name or len(os.fsencode(name)) > 255:
            raise ValueError(f"`{show(str(name))}` is no name for an artifact: a file name without folders is one")
        if not self._artifacts:
            raise ValueError(f"there are no artifacts here: {self._none}")
        path = f"{self._artifacts}/{name}"
        for each in (os.path.dirname(self._artifacts), self._artifacts, path):
            replace_link(each)
        os.makedirs(self._artifacts, exist_ok=True)
        return path

    def turn_to(self, artifacts: str, none: str = "") -> None:
        """From now on artifacts are those of another item of a batch.

        Args:
            artifacts: Their folder; "" for none.
            none: Why there are none.
        """
        self._artifacts, self._none = artifacts, none

    @property
    def log(self) -> Logger:
        """A logger that writes to the stage's log, from whatever thread. Messages below INFO are dropped; those above have their level in front."""
        if self._log is None:
            self._log = _logger(self._name, self._write)
        return self._log

    @property
    def tmpdir(self) -> str:
        """Absolute path of an empty folder for this attempt alone: made when it is first asked for, and removed when the attempt has ended."""
        if not self._tmpdir:
            os.makedirs(os.path.dirname(self._temporary), exist_ok=True)
            os.mkdir(self._temporary, 0o700)
            self._tmpdir = self._temporary
        return self._tmpdir


def temporary_folder(env: Mapping[str, str]) -> str:
    """A path for `Context.tmpdir` that nobody can know before, in the folder for temporary files of an environment."""
    folder = env.get("TMPDIR", "")
    if not os.path.isabs(folder):
        folder = "/tmp"
    return f"{folder.rstrip('/')}/pipefile-{os.urandom(8).hex()}"


def remove_temporary_folder(path: str) -> None:
    """Remove what `Context.tmpdir` has made, if it was asked for. What cannot be removed stays."""
    if os.path.lexists(path):
        from shutil import rmtree

        rmtree(path, ignore_errors=True)


def _logger(name: str, write: Callable[[bytes], object] | None) -> Logger:
    import logging

    class ToStage(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            try:
                text = self.format(record)
                if record.levelno != logging.INFO:
                    text = f"{record.levelname.lower()}: {text}"
                if write is not None:
                    write(f"{text}\n".encode("utf-8", "backslashreplace"))
                else:
                    print(text, file=sys.stderr, flush=True)
            except Exception:
                self.handleError(record)

    logger = logging.Logger(name, logging.INFO)  # known to nobody: it goes with its stage
    logger.addHandler(ToStage())
    return logger
