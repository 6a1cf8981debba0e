"""Builds that cause each other: a stage that changes its own source, or several that change each other's."""

from __future__ import annotations

from collections.abc import Collection

LONGEST = 3
"""Rounds in a row that were caused by nothing but what changed while the one before ran."""


class Chain:
    """Counts rounds that follow from each other. A change between two builds is somebody else's, and begins anew.

    Attributes:
        length: Rounds in the chain.
    """

    def __init__(self) -> None:
        self.length = 0
        self._causes: list[frozenset[str]] = []
        self._ran: list[frozenset[str]] = []

    @property
    def is_long(self) -> bool:
        """It may be a loop: the round that runs has to come to its end, so that there is no doubt about it."""
        return self.length >= LONGEST

    def is_loop(self, causes: Collection[str], all_during: bool, whole: bool = True) -> bool:
        """Whether a round that is about to begin goes on with what goes round in circles. It counts as begun, unless it does.

        A stage changes the same file each time it runs, or every other time if two take turns; a person who saves files while builds run hardly does.

        Args:
            causes: Paths that have changed.
            all_during: All of them did so while the round before ran.
            whole: That one was not interrupted.
        """
        if not all_during:
            self.clear()
            return False
        if self.is_long and whole:
            each = frozenset(causes).intersection(*self._causes[-LONGEST:])
            often = any(sum(path in before for before in self._causes) >= LONGEST for path in causes)
            if each or (often and self.length >= 2 * LONGEST):
                return True
        self.length += 1
        self._causes.append(frozenset(causes))
        return False

    def ran(self, names: Collection[str]) -> None:
        """Names of the edges that ran in the round that has ended."""
        self._ran.append(frozenset(names))
        del self._ran[: -LONGEST - 1]

    def suspects(self) -> list[str]:
        """Edges that ran in each round of the chain; all that ran in any if there is none such."""
        rounds = [names for names in self._ran if names]
        if not rounds:
            return []
        return sorted(frozenset.intersection(*rounds) or frozenset.union(*rounds))

    def clear(self) -> None:
        self.length = 0
        self._causes.clear()
        self._ran.clear()
