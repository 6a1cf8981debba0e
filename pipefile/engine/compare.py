"""Two runs side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from pipefile.base.dataclass import dataclass
from pipefile.model.run import EdgeResult, Run
from pipefile.plan.rundiff import MADE, EdgeDiff, Known, compare_edge, edge_name
from pipefile.store.history import RunReader
from pipefile.store.outputs import OutputReader


@dataclass(frozen=True, slots=True)
class RunDiff:
    """How two runs differ.

    Args:
        a: The first one.
        b: The second.
        edges: Those that ran in one of them, or were to; with those that are the same.
    """

    a: Run
    b: Run
    edges: tuple[EdgeDiff, ...]


class Comparison:
    """Compares runs of one project. What is damaged is told, once, and passed over.

    Args:
        reader: Reads runs.
        outputs: Reads what their edges came to.
        warn: Takes warnings.
    """

    def __init__(self, reader: RunReader, outputs: OutputReader, warn: Callable[[str], None]) -> None:
        self._reader = reader
        self._outputs = outputs
        self._warn = warn
        self._told: set[str] = set()
        self._entries: dict[str, dict[str, EdgeResult]] = {}
        self._runs: dict[str, Run] = {}

    def compare(self, a: str, b: str) -> RunDiff:
        """Compare two runs.

        Args:
            a: Id of the first one.
            b: Of the second.
        """
        first, second = self._read(a), self._read(b)
        names = list(dict.fromkeys([*self._of(a), *self._of(b)]))
        before, after = self._left(a, names), self._left(b, names)
        edges = [compare_edge(name, before.get(name), after.get(name), f"{self._reader.store}/values/") for name in names]
        return RunDiff(first, second, tuple([edge for edge in edges if edge.a is not None or edge.b is not None]))

    def _left(self, run: str, names: Iterable[str]) -> dict[str, Known]:
        """What a run left of some edges: what it made itself, or found as an earlier run had left it."""
        entries = self._of(run)
        found = {name: self._known(run, entries[name]) for name in names if name in entries}
        missing = {name for name in names if name not in found}
        for earlier in [each for each in self._reader.ids() if each < run]:
            if not missing:
                break
            entries = self._of(earlier)
            for name in [name for name in missing if name in entries and entries[name].status in MADE]:
                found[name] = self._known(earlier, entries[name])
                missing.discard(name)
        return found

    def _known(self, run: str, result: EdgeResult) -> Known:
        output, problem = None, ""
        if result.status in MADE:
            output, problem = self._outputs.read(run, result.stage, result.instance)
        self._tell(problem)
        return Known(result, run, output)

    def _read(self, run: str) -> Run:
        if run not in self._runs:
            self._runs[run] = self._reader.read(run)
        return self._runs[run]

    def _of(self, run: str) -> dict[str, EdgeResult]:
        """The entries of a run's manifest, by name."""
        if run not in self._entries:
            read = self._read(run)
            self._tell(read.problem)
            edges, problem = self._reader.edges(run)
            if read.status not in ("running", "interrupted"):  # those that have none yet, or never got one
                self._tell(problem)
            self._entries[run] = {edge_name(edge): edge for edge in edges}
        return self._entries[run]

    def _tell(self, problem: str) -> None:
        if problem and problem not in self._told:
            self._told.add(problem)
            self._warn(problem)
