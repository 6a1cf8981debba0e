"""Which edges hold which tokens of a jobserver.

The first edge that runs needs none; each other one needs one, and so does each CPU beyond an edge's first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pipefile.engine.needs import Needs
from pipefile.execute import jobserver
from pipefile.execute.jobserver import Tokens
from pipefile.plan import makeflags
from pipefile.plan.resources import CPU, ONE_CPU, Grant


class Slots:
    """The slots of one build.

    An edge that asks for several CPUs starts as soon as there is a token for its first one, with what more there are: if it waited for all of them,
    two programs that each hold half of the tokens would wait for ever.

    Args:
        needs: What edges need.
        tokens: Of a jobserver; None where nobody else shares them.

    Attributes:
        starved: The last edge that asked has got none.
    """

    def __init__(self, needs: Needs, tokens: Tokens | None) -> None:
        self.needs = needs
        self.tokens = tokens
        self.starved = False
        self._held: dict[int, int] = {}
        self._first = -1  # the edge that needs no token

    def take(self, edge: int) -> bool:
        """Whether an edge may start; it has its slot then."""
        tokens = self.tokens
        if tokens is None:
            return True
        free = self._first < 0
        self.starved = not free and not tokens.take()
        if self.starved:
            return False
        if free:
            self._first = edge
        held = 0 if free else 1
        for _ in range(self.needs.cpus(edge) - 1):
            if not tokens.take():
                break
            held += 1
        self._held[edge] = held
        return True

    def granted(self, edge: int) -> Grant:
        """What an edge may use that was started: the CPUs for which there were tokens."""
        grant = ONE_CPU if self.needs.lines is None else self.needs.lines.granted(edge)
        if self.tokens is None or grant.resources[CPU] == 1:
            return grant
        return grant._replace(resources={**grant.resources, CPU: self._held[edge] + (edge == self._first)})

    def hand_over(self, edge: int, other: int) -> None:
        """What an edge holds is another one's now."""
        if self.tokens is not None:
            self._held[other] = self._held.pop(edge)
            if self._first == edge:
                self._first = other

    def release(self, edge: int) -> None:
        """An edge does not run any more."""
        tokens = self.tokens
        if tokens is None:
            return
        for _ in range(self._held.pop(edge)):
            tokens.give()
        if edge == self._first:
            self._first = -1
            for other, held in self._held.items():  # what needs none holds none
                self._held[other] = held - 1
                self._first = other
                tokens.give()
                break
        if not self._held:
            tokens.idle()

    def close(self) -> None:
        """Give all back."""
        if self.tokens is not None:
            self.tokens.close()


def open_tokens(environ: Mapping[str, str], jobs: int, commands: bool, warn: Callable[[str], None]) -> Tokens | None:
    """The jobserver of one build: that of a make above, else one of our own.

    Args:
        environ: The environment as it came.
        jobs: Most edges at once.
        commands: Whether any command may run: others have no use for a jobserver.
        warn: Takes a warning.
    """
    found = makeflags.jobserver(environ)
    if found is not None:
        if jobserver.is_open(found):
            return jobserver.client(found, environ[makeflags.NAME])
        warn("MAKEFLAGS names a jobserver that is not open here: begin the line of the recipe with `+`, so that make hands it on")
    if jobs < 2 or not commands:
        return None
    try:
        return jobserver.Pool(jobs)
    except OSError:
        return None
