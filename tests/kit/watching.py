"""A running `pipefile watch`, heard round by round."""

from __future__ import annotations

import re
from collections.abc import Mapping

from kit.outcome import CliOutcome
from kit.process import Running
from kit.project import Project

_END = re.compile(r"^pipefile: build finished: .*\n", re.MULTILINE)
_SECONDS = re.compile(r"\b\d+\.\d+(?= ?s\b)")
_RUN = re.compile(r"runs/\d{8}_\d{6}_[0-9a-f]+")


class Watch:
    """`pipefile watch`. Errors and warnings stand among the lines of their rounds.

    Args:
        project: Which project.
        args: Options and targets.
        env: Laid over the project's environment.
        around: Words before those of the program: `unshare` and the like, or a shell's.
    """

    def __init__(self, project: Project, *args: str, env: Mapping[str, str | None] | None = None, around: tuple[str, ...] = ()) -> None:
        import sys

        argv = ["sh", "-c", 'exec "$@" 2>&1', "sh", *around, sys.executable, "-m", "pipefile", "watch", *args]
        self.running: Running = project.program(*argv, env=env)
        self._taken = 0

    def next(self) -> str:
        """Wait for the end of one more round.

        Returns:
            All lines since the last one, with `N` for times and runs.
        """
        found: list[re.Match[str]] = []

        def ended() -> bool:
            match = _END.search(self.running.out, self._taken)
            if match is not None:
                found.append(match)
            return match is not None

        self.running.until(ended)
        text = self.running.out[self._taken : found[0].end()]
        self._taken = found[0].end()
        return neutral(text)

    def until(self, line: str) -> str:
        """Wait for rounds until one has a line that begins so. Returns that round."""
        while True:
            text = self.next()
            if any(each.startswith(line) for each in text.splitlines()):
                return text

    def ahead(self) -> str:
        """What has been said since the last round that was waited for."""
        return neutral(self.running.out[self._taken :])

    def said(self, line: str) -> None:
        """Wait until a line stands in the output, in whichever round."""
        self.running.until(lambda: line in neutral(self.running.out))

    def stop(self) -> CliOutcome:
        """End it as a service manager does."""
        from signal import SIGTERM

        self.running.signal(SIGTERM)
        return self.running.wait()


def neutral(text: str) -> str:
    """Text without what differs from run to run."""
    return _RUN.sub("runs/N", _SECONDS.sub("N", text))
