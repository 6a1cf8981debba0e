"""What the user asked for besides the command itself: global options, environment, where the user stands.

The environment and the working directory are read here, once, and passed down frozen.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from pipefile.base.dataclass import dataclass, field, replace
from pipefile.base.errors import PipefileError, PipefileSyntaxError, UnknownTargetError, UsageError, meant
from pipefile.base.paths import show
from pipefile.report.stream import Stream, painted_error

if TYPE_CHECKING:
    from pipefile.engine.session import Project


@dataclass
class Request:
    """One call of the program.

    Args:
        argv: The words after the program's name.
        environ: The environment, complete.
        directories: Each `-C`, in order; a relative one is below the one before.
        file: `-f`, or None to look for Pipefile.toml here and above.
        verbosity: How many `-v`; -1 for `-q`.
        color: "auto", "always" or "never".
        profile: `--profile`; "" for none.
        sets: Each `--set`, in order.
        marks: On GitHub Actions, groups and annotations are written.
        implied: No command was named, so it is `build`.
        started_in: Where the shell stands, whatever `-C` says and wherever a build goes; known once `cwd` is.
    """

    argv: tuple[str, ...]
    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    directories: list[str] = field(default_factory=list)
    file: str | None = None
    verbosity: int = 0
    color: str = "auto"
    profile: str = ""
    sets: list[str] = field(default_factory=list)
    marks: bool = True
    implied: bool = False
    started_in: str = ""

    @cached_property
    def out(self) -> Stream:
        return self._stream(1)

    @cached_property
    def err(self) -> Stream:
        return self._stream(2)

    @cached_property
    def cwd(self) -> str:
        """Absolute path of the folder in which the user stands, after `-C`.

        Raises:
            UsageError: There is no such folder.
        """
        try:
            here = os.getcwd()
        except FileNotFoundError:
            raise UsageError("the current folder does not exist any more") from None
        self.started_in = here
        for directory in self.directories:
            here = os.path.normpath(os.path.join(here, directory))
            if not os.path.isdir(here):
                raise UsageError(f"`{show(directory)}` is not a folder")
        return here

    @cached_property
    def project(self) -> Project:
        """The project of the Pipefile that `-f` names or that is found by walking up.

        Raises:
            UsageError: There is none.
        """
        from pipefile.engine.session import find_project

        found = find_project(self.cwd, self.file)
        if not self.profile and not self.sets:
            return found
        from pipefile.load.overlay import Overlay

        return replace(found, overlay=Overlay(self.profile, tuple(self.sets)))

    def warn(self, text: str) -> None:
        """Print a warning; -q hides it."""
        if self.verbosity >= 0:
            self.out.flush()
            self.err.write(painted_error(f"warning: {text}", self.err) + "\n")
            self.err.flush()

    def note(self, text: str) -> None:
        """Print a note beside what a command answers; -q hides it."""
        if self.verbosity >= 0:
            self.out.flush()
            self.err.write(f"note: {show(text)}\n")
            self.err.flush()

    def waiting(self, pid: int, command: str) -> None:
        """Tell which other build is waited for."""
        if self.verbosity >= 0:
            self.out.write(f"waiting for pid {pid}: {show(command)}\n")
            self.out.flush()

    @property
    def command(self) -> tuple[str, ...]:
        """The whole command line, as history and whoever waits for us shows it."""
        return ("pipefile", *self.argv)

    def show_error(self, error: PipefileError) -> None:
        """Print a user's error. Where the shell stands outside the project's root, that is named first, in make's words, which editors know."""
        self.out.flush()
        if isinstance(error, UnknownTargetError) and error.is_path and error.near and self.cwd != self.project.root:
            error.hint = meant(os.path.relpath(f"{self.project.root}/{error.near}", self.cwd))  # as it has to be typed here
        if "project" in self.__dict__ and error.places and self.entering:
            self.err.write(f"{self.entering}\n")
        self.err.write(painted_error(str(error), self.err) + "\n")
        if self.err.annotates:
            self._annotate(error)
        self.err.flush()

    def _annotate(self, error: PipefileError) -> None:
        """Mark an error at its place, for who reads standard error by machine."""
        root = self.project.root if "project" in self.__dict__ else ""
        place = next((place for place in error.places if place.file), None)
        position = error.position if isinstance(error, PipefileSyntaxError) else None
        file = os.path.join(root, place.file) if place is not None else ""
        line = position.line if position is not None else place.line if place is not None else None
        self.err.annotate("error", str(error).removeprefix("error: "), "pipefile", file, line)

    @property
    def entering(self) -> str:
        """What tells that paths start at the project's root, in make's words, which editors know; "" where the shell stands there."""
        root = self.project.root
        return "" if self._stands_in(root) else f"pipefile: Entering directory '{show(root)}'"

    def _stands_in(self, folder: str) -> bool:
        try:
            return os.path.samefile(folder, self.started_in)
        except OSError:
            return False

    def interactive(self) -> bool:
        """Whether a person can be asked."""
        from pipefile.report.standard import is_terminal

        return is_terminal(0) and self.out.terminal

    def _stream(self, fd: int) -> Stream:
        from pipefile.report.standard import standard_stream

        return standard_stream(fd, self.environ, self.color, self.marks)


def drop_python_streams() -> int | None:
    """Flush what click has written through Python's own stream objects.

    Returns:
        The error number if standard output could not be written; Python would report it at its exit with a traceback of its own.
    """
    fault = None
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None and not stream.closed:
                stream.flush()
        except OSError as error:
            fault = fault or error.errno
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, stream.fileno())  # what is left in the buffer goes there
            os.close(null)
    return fault
