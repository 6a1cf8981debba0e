"""What was true when a target was last made, and why it is not any more."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from pipefile.base.dataclass import dataclass, field

ABSENT = ""
"""In place of a digest: nothing was there."""


class Component(NamedTuple):
    """One thing that an edge depends on. The key is the hash of all of them in order; `why` is the difference between two lists of them.

    Args:
        kind: "format", "python", "run", "argv", "shell", "call", "code", "package", "param", "version", "env", "value", "input", "set", "output", ...
        name: What it is called: an input's or parameter's name, a variable.
        path: The file concerned, from the project root; "" for what is no file.
        value: A digest, a text, a value as JSON.
    """

    kind: str
    name: str
    path: str
    value: str


@dataclass(frozen=True, slots=True)
class Made:
    """An output as recorded: path from the project root, "file" or "directory", digest."""

    path: str
    kind: str
    digest: str


@dataclass(frozen=True, slots=True)
class Record:
    """What is kept beside each output of one attempt (store/record.py has the format on disk).

    Args:
        edge: Name of the edge.
        pipefile: Path of the Pipefile that declares it, from the root.
        attempt: Random hex text, the same in all records of one attempt.
        key: The edge's key at that time; "" where no key can match (degraded, tainted).
        output: The output that this record stands beside; None for an edge without outputs.
        outputs: All outputs of the attempt: the declared ones in their order, then files that a function has named when it returned.
        main: This one stands beside the first output (or the edge has none): only it has the fields below.
        components: What the key was made of.
        discovered: Path from the root (or absolute) -> digest, or ABSENT.
        own: Files named in the command that the stage itself writes: never its inputs.
        reasons: Why it ran, as text.
        duration: Seconds of the attempt.
        accepted: The reason given to `accept`; "" for a record of a real run.
        degraded: The fallback that made the outputs, in which case *key* is ""; "" where the stage itself did.
        members: For sets of files among the components, by the component's name: path and digest of each file, where the set is small
            enough to be kept in every record that uses it (explanations only; the component holds one digest over all).
    """

    edge: str
    pipefile: str
    attempt: str
    key: str
    output: str | None
    outputs: tuple[Made, ...]
    main: bool = True
    components: tuple[Component, ...] = ()
    discovered: Mapping[str, str] = field(default_factory=dict)
    own: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    duration: float = 0.0
    accepted: str = ""
    members: Mapping[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)
    degraded: str = ""


class Remembered(NamedTuple):
    """What stands beside the outputs of an edge.

    Args:
        records: One an output, in their order, or the only one of an edge without outputs; None where it is missing or damaged. After those of the
            declared outputs come those of files that the main record has besides, where the edge can have such.
        faults: Path of each damaged record, from the root, and what is wrong with it. A missing one is no fault.
    """

    records: tuple[Record | None, ...]
    faults: tuple[tuple[str, str], ...] = ()

    @property
    def main(self) -> Record | None:
        """The one with the components, even where others are missing."""
        return self.records[0]

    @property
    def whole(self) -> bool:
        """Whether all are there and of one attempt."""
        main = self.records[0]
        if main is None:
            return False
        same = (main.edge, main.attempt, main.key, main.outputs)
        for record in self.records[1:]:
            if record is None or (record.edge, record.attempt, record.key, record.outputs) != same:
                return False
        return len(self.records) == (len(main.outputs) or 1)


@dataclass(frozen=True, slots=True)
class Reason:
    """Why an edge is stale: one difference.

    Args:
        kind: "never", "input", "input-added", "input-removed", "code", "run", "param", "env", "version", "output-missing", "output-changed",
            "records", "discovered", "always", "forced", "upstream", "accepted", ...
        subject: What differs: a path, a parameter's name.
        old: Value or digest in the record; "" where there was none.
        new: Value or digest now; "" where there is none.
        where: The file that a symbol of code is in.
    """

    kind: str
    subject: str = ""
    old: str = ""
    new: str = ""
    where: str = ""
