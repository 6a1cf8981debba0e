"""The real program, running."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from signal import SIGINT

from kit.fifo import PATIENCE
from kit.outcome import CliOutcome


class Running:
    """A started pipefile, in a session of its own. What it prints goes to files, so that it never blocks on us."""

    def __init__(
        self, argv: Sequence[str], cwd: str, env: Mapping[str, str], prefix: str, done: Callable[[int, str, str, float], CliOutcome]
    ) -> None:
        self._done = done
        self._paths = [f"{prefix}.out", f"{prefix}.err"]
        self._begun = time.monotonic()
        with open(self._paths[0], "wb") as out, open(self._paths[1], "wb") as err:
            self.process = subprocess.Popen(argv, cwd=cwd, env=dict(env), stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True)
        self.pid = self.process.pid

    @property
    def out(self) -> str:
        """Standard output so far."""
        return _read(self._paths[0])

    @property
    def err(self) -> str:
        """Standard error so far."""
        return _read(self._paths[1])

    def signal(self, number: int = SIGINT) -> None:
        """Send a signal to pipefile alone."""
        self.process.send_signal(number)

    def signal_group(self, number: int = SIGINT) -> None:
        """Send a signal to its process group, as a terminal does for Ctrl-C."""
        os.killpg(self.pid, number)

    def wait(self, timeout: float = PATIENCE) -> CliOutcome:
        """Until it has ended."""
        try:
            status = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {timeout:g} s\n{self.out}{self.err}") from None
        return self._done(status, self.out, self.err, time.monotonic() - self._begun)

    def until(self, happened: Callable[[], bool], timeout: float = PATIENCE) -> None:
        """Until *happened* gives True, for what cannot be waited for otherwise, such as a line in its output."""
        deadline = time.monotonic() + timeout
        while not happened():
            if time.monotonic() > deadline:
                raise AssertionError(f"did not happen in {timeout:g} s\n{self.out}{self.err}")
            try:
                self.process.wait(0.005)
            except subprocess.TimeoutExpired:
                continue
            if not happened():
                raise AssertionError(f"ended with exit status {self.process.returncode} before it happened\n{self.out}{self.err}")

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def _read(path: str) -> str:
    with open(path, encoding="utf-8", errors="surrogateescape") as file:
        return file.read()


def marked(mark: str) -> list[int]:
    """Pids of living processes that have *mark* in their environment: those that a project started, and their children, wherever they went."""
    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit() or int(name) == os.getpid():
            continue
        try:
            with open(f"/proc/{name}/environ", "rb") as file:
                here = mark.encode() in file.read()
            with open(f"/proc/{name}/stat", "rb") as file:
                state = file.read().rpartition(b")")[2].split()[0]
        except OSError:
            continue
        if here and state not in (b"Z", b"X"):
            found.append(int(name))
    return found
