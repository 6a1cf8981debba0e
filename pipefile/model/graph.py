"""The graph: edges, what they need, what they make."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

from pipefile.base.dataclass import dataclass, field
from pipefile.model.stage import Output, Stage, Value

Kind = Literal["file", "directory", "glob", "outputs", "late"]


@dataclass(frozen=True, slots=True, eq=False)
class FileSet:
    """The files that one reference stands for. Edges that use the same reference share one object, so that it is digested once.

    Args:
        text: As a person knows it: "raw/a.csv", "raw/*.csv", "thumbs.outputs", "data/".
        kind: "file" and "directory": one path. "glob" and "outputs": the paths at the time of resolving, sorted bytewise or in
            the order of the stage's outputs. "late": a glob under a folder that a stage makes; expanded after that stage has run, `paths` is ().
        paths: Root-relative paths.
        node: What has to end before the set is final: an edge, a group (`Graph.groups`), or -1 for sources alone.
        inside: For a file inside another stage's directory output, or a "late" glob: that output's path; else "".
        value: What the file holds, if it is a value that another stage returns (model/stage.py: Output.value); "" for an ordinary file. Of
            "outputs" with values among them, what each file holds, with commas between.
        entry: The key of the returned table that is meant, for the values of a function that declares no outputs; "" for all of it.
        linked: A link among `paths`, or on the way to them, leads to what an edge makes.
    """

    text: str
    kind: Kind
    paths: tuple[str, ...]
    node: int = -1
    inside: str = ""
    value: str = ""
    entry: str = ""
    linked: bool = False

    @property
    def kinds(self) -> Sequence[str]:
        """What each of `paths` holds: a kind of value, or "" for an ordinary file."""
        return self.value.split(",") if self.value else [""] * len(self.paths)


@dataclass(frozen=True, slots=True, eq=False)
class Need:
    """One input of an edge: files, or a value of `[global]`.

    Args:
        name: The name in the `inputs` table; None for unnamed ones.
        files: Which files; None for a value.
        optional: They may be absent.
        many: Belongs to a list under that name (or is a set of files), so it is handed over as a list.
        value: The value, where `files` is None.
    """

    name: str | None
    files: FileSet | None
    optional: bool = False
    many: bool = False
    value: Value = ""


@dataclass(frozen=True, slots=True, eq=False)
class Edge:
    """One instance of a stage.

    Args:
        id: Its position in `Graph.edges`.
        name: Unique, as users write it: the stage's name, of an instance with its items: `thumbs@photos/a.jpg`, `train@lr=0.1,seed=2`.
        stage: The rule.
        needs: Inputs in declared order.
        outputs: What it makes, in declared order; its checkpoints are among `stage.outputs` alone.
        literal: Words of `run` that may name files (2-format: files named literally), as root-relative paths in order; they become
            inputs where files of these names exist.
        wave: Longest distance from a source, from 0.
    """

    id: int
    name: str
    stage: Stage
    needs: tuple[Need, ...]
    outputs: tuple[Output, ...]
    literal: tuple[str, ...] = ()
    wave: int = 0

    @property
    def discovers(self) -> bool:
        """Whether it can have inputs that nobody declared."""
        return bool(self.literal or self.stage.depfile or self.stage.audit == "track")


@dataclass(frozen=True, slots=True)
class ValueOf:
    """A value that a condition asks for: the edge that makes it, its output, and the key of a returned table that is meant; "" for all of it."""

    edge: int
    output: Output
    entry: str = ""


class OnDemand(Protocol):
    """What pattern rules make when something asks for it. As plan/possible.py: Possible."""

    @property
    def absent(self) -> Mapping[str, None]:
        """Files that were looked for and are not there: if one comes, the graph may be another one."""

    def makeable(self, path: str) -> tuple[str, ...] | None:
        """The files on the disk that a rule would make a file of, if something asked for it; None if none would, or an edge does already."""

    def depfile(self, path: str, name: str) -> str:
        """The depfile of the instance of a rule that is called so and makes a file; "" if it has none, or is none now."""

    def could(self, path: str) -> list[tuple[Stage, tuple[str, ...]]]:
        """The rules that a missing file matches, each with what is missing of it: an input, an input of the rule that would make that, and so on."""

    def across(self, path: str) -> str:
        """What to do about a missing file that a rule would make, were it not for a slash; "" where that is not it."""


@dataclass(frozen=True, slots=True)
class FanOut:
    """A stage whose items other stages make: what they are is known when these have ended.

    Args:
        makers: The edges that its items come from.
        edge: The edge that stands for all instances while these are not known; -1 when they are.
        shapes: What the paths of their outputs look like as long as instances are not known: what they begin with, and a regular expression.
    """

    makers: tuple[int, ...]
    edge: int = -1
    shapes: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Graph:
    """All edges, joined by files.

    Nodes are numbered: edges first, as in `edges`, then groups. A group stands for "all of these edges have ended": one group serves every
    edge that uses the same set of files, so that a fan-in used n times costs its size plus n, not their product.

    A build that finds out of new edges on its way puts them into its own graph (engine/growth.py): edges keep their numbers, groups do not.

    Args:
        edges: By id, in the order of declaration.
        groups: For each group its edges; group i is node `len(edges) + i`.
        depends: For each node the nodes that come before it because it needs their files; without duplicates.
        order: For each edge the edges of `after`, which come before it for no file's sake; only for edges that have any.
        producer: Output path (directories without slash) -> edge id; checkpoints are in `checkpoints`.
        by_stage: Stage name -> ids of its edges, in order.
        conditional: Edges whose stages have a `should_run`, by id.
        conditions: Of these, those that a value of another stage decides.
        checkpoints: Path -> the edge whose own it is.
        temps: Of `producer`, outputs that are removed when nobody needs them any more. Where only a part of the graph is looked at (engine/lazy.py),
            these and the next ones are not known, and there is none in that part.
        optional: Of `producer`, outputs that may be absent after their edge has run.
        fanouts: Stages whose items other stages make, by name.
        rules: The pattern rules; None if there are none.
    """

    edges: Sequence[Edge]
    groups: Sequence[tuple[int, ...]]
    depends: Sequence[tuple[int, ...]]
    order: Mapping[int, tuple[int, ...]]
    producer: Mapping[str, int]
    by_stage: Mapping[str, tuple[int, ...]]
    conditional: Sequence[int] = ()
    conditions: Mapping[int, ValueOf] = field(default_factory=dict)
    checkpoints: Mapping[str, int] = field(default_factory=dict)
    temps: Mapping[str, int] = field(default_factory=dict)
    optional: Mapping[str, int] = field(default_factory=dict)
    fanouts: Mapping[str, FanOut] = field(default_factory=dict)
    rules: OnDemand | None = None
