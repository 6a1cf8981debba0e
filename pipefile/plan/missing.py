"""Inputs that are not there and that no stage makes."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence

from pipefile.base.dataclass import dataclass
from pipefile.base.errors import GraphError
from pipefile.base.locations import Place
from pipefile.base.paths import folder_of, join, name_of, show, within
from pipefile.model.graph import Edge, FileSet, Graph
from pipefile.model.ports import World
from pipefile.plan.near import nearest

_MOST = 10  # missing inputs that one error names
_CHAIN = 8  # lines of a chain of who needs it


@dataclass(frozen=True, slots=True)
class Missing:
    """One input that is not there.

    Args:
        files: The input.
        chain: The edges that need it: the one that names it, who needs that one, and so on up to what was asked for.
        hint: What was meant, without "did you mean"; "" where nothing is near.
        could: The pattern rules that would make it, and from what.
    """

    files: FileSet
    chain: tuple[Edge, ...]
    hint: str = ""
    could: tuple[Place, ...] = ()

    def __str__(self) -> str:
        text = show(self.files.text)
        return f"no file matches `{text}`" if self.files.kind == "glob" else f"`{text}` does not exist and no stage makes it"


class MissingSourceError(GraphError):
    """Inputs that do not exist and that no stage makes.

    Args:
        missing: The first of them.
        count: How many there are.
    """

    def __init__(self, missing: Sequence[Missing], count: int) -> None:
        self.missing = tuple(missing)
        self.count = count
        chains = [missing[0].chain] if count == 1 else [one.chain[:1] for one in missing]
        edges = [edge for chain in chains for edge in chain]
        places = [Place(edge.stage.file, ("stage", edge.stage.name, "inputs")) for edge in edges]
        places += missing[0].could if count == 1 else ()
        super().__init__(str(missing[0]) if count == 1 else f"{count} inputs are not there", places, missing[0].hint if count == 1 else "")

    def __str__(self) -> str:
        if self.count == 1:
            chain = self.missing[0].chain
            lines = [_needed(edge, place) for edge, place in zip(chain, self.places[: len(chain)], strict=True)]
            if len(lines) > _CHAIN:
                half = _CHAIN // 2
                lines[half:-half] = [f"... {len(lines) - 2 * half} more"]
            lines += [str(place) for place in self.places[len(chain) :]]
        else:
            lines = []
            for one, place in zip(self.missing, self.places, strict=True):
                lines.append(f"{one}, {_needed(one.chain[0], place)}" + (f"; {one.hint}" if one.hint else ""))
            if self.count > len(self.missing):
                lines.append(f"... {self.count - len(self.missing)} more")
        whole = [f"error: {self.message}"] + [f"  {line}" for line in lines]
        return "\n".join(whole + [f"hint: {self.hint}"] if self.hint else whole)


def missing_sources(graph: Graph, closure: Iterable[int], world: World) -> GraphError | None:
    """Look for the sources that a part of the graph needs.

    Args:
        graph: The graph.
        closure: Nodes, in topological order.
        world: The disk.

    Returns:
        The error that names those that are not there, or are directories written without a slash; None if all stand.
    """
    nodes = list(closure)
    edge_count = len(graph.edges)
    later = frozenset([fanout.edge for fanout in graph.fanouts.values()])  # whoever waits for one of these may find there what it lacks now
    seen: set[FileSet] = set()
    missing: dict[str, tuple[FileSet, Edge]] = {}
    for node in nodes:
        if node >= edge_count:
            continue
        edge = graph.edges[node]
        if later and not later.isdisjoint(graph.depends[node]):
            continue
        for need in edge.needs:
            files = need.files
            if files is None or files.node >= 0 or files in seen:
                continue
            if files.kind == "glob":
                if not files.paths and not need.optional:
                    missing.setdefault(files.text, (files, edge))
                continue
            if need.optional or not files.paths:  # a stage without instances has no outputs
                continue
            seen.add(files)
            kind = world.kind(files.paths[0])
            if kind == "absent":
                missing.setdefault(files.text, (files, edge))
            elif kind == "directory" and files.kind == "file":
                place = Place(edge.stage.file, ("stage", edge.stage.name, "inputs"), f"`{show(edge.stage.name)}`")
                return GraphError(f"input `{show(files.text)}` is a directory", (place,), f"write `{show(files.text)}/`")
            elif kind == "file" and files.kind == "directory":
                place = Place(edge.stage.file, ("stage", edge.stage.name, "inputs"), f"`{show(edge.stage.name)}`")
                return GraphError(f"input `{show(files.text)}` is a file", (place,), f"write `{show(files.paths[0])}`")
    if not missing:
        return None
    needed_by = _needed_by(graph, nodes) if len(missing) == 1 else {}
    shown = []
    for files, edge in list(missing.values())[:_MOST]:
        chain = _chain(edge, graph, needed_by)
        could = could_make(files.paths[0], graph, {each.stage.name for each in chain}) if files.kind != "glob" else ()
        shown.append(Missing(files, chain, "" if could else _meant(files, graph, world, {each.id for each in chain}), could))
    return MissingSourceError(shown, len(missing))


def could_make(path: str, graph: Graph, used: Container[str] = ()) -> tuple[Place, ...]:
    """The pattern rules that would make a file, and of each what it lacks; without those that are *used* on the way to it."""
    found = []
    for stage, lacking in graph.rules.could(path)[:_MOST] if graph.rules is not None else ():
        if stage.name in used:
            continue
        chain = ", and that from ".join([f"`{show(each)}`" for each in lacking])
        what = f"`{show(stage.name)}` would make it from {chain}, which does not exist" if lacking else f"`{show(stage.name)}` would make it"
        found.append(Place(stage.file, ("stage", stage.name, "outputs"), what))
    return tuple(found)


def _needed(edge: Edge, place: Place) -> str:
    name = f"`{show(edge.name)}`"
    return f"needed by `{show(edge.outputs[0].shown)}` ({name}, {place})" if edge.outputs else f"needed by {name} ({place})"


def _needed_by(graph: Graph, nodes: Sequence[int]) -> dict[int, int]:
    """For each node of a closure one that needs it: the one by which what was asked for is nearest."""
    distance: dict[int, int] = {}
    above: dict[int, int] = {}
    for node in reversed(nodes):
        here = distance.setdefault(node, 0)
        for before in (*graph.depends[node], *graph.order.get(node, ())):
            if before not in distance or distance[before] > here + 1:
                distance[before] = here + 1
                above[before] = node
    return above


def _chain(edge: Edge, graph: Graph, needed_by: dict[int, int]) -> tuple[Edge, ...]:
    chain = [edge]
    node = edge.id
    while node in needed_by:
        node = needed_by[node]
        if node < len(graph.edges):
            chain.append(graph.edges[node])
    return tuple(chain)


def _meant(files: FileSet, graph: Graph, world: World, below: Container[int]) -> str:
    """A hint; "" where nothing near is known. *below*: edges that need the file, and so make nothing that could be it."""
    if files.kind == "glob":
        return ""
    path = files.paths[0]
    across = graph.rules.across(path) if graph.rules is not None else ""
    if across:
        return across
    if files.kind == "file" and any(within(other, path) for other in graph.producer):
        return f"`{show(path)}/` is the folder with what stages make in it"
    other = _other_form(path, graph, world)
    if other:
        return f"`{show(other)}` exists, which looks the same: its Unicode characters are composed otherwise"
    reference = _reference(path, graph)
    near = reference or _near_file(path, graph, world, below)
    if not near:
        return _outputs_of_stage(path, graph)
    slash = "/" if files.kind == "directory" and not reference else ""
    return f"did you mean `{show(near)}{slash}`?"


def _other_form(path: str, graph: Graph, world: World) -> str:
    """The same path in another Unicode normalisation, where that one exists."""
    if path.isascii():
        return ""
    from unicodedata import normalize

    for form in ("NFC", "NFD"):
        other = normalize(form, path)
        if other != path and (other in graph.producer or world.kind(other) != "absent"):
            return other
    return ""


def _reference(path: str, graph: Graph) -> str:
    """For `clean.dta`, where stage `clean` has an output `data`: `clean.data`."""
    cut = path.find(".")
    while cut > 0:
        edges = graph.by_stage.get(path[:cut])
        if edges:
            outputs = graph.edges[edges[0]].outputs
            near = nearest(path[cut + 1 :], ["outputs", *{output.name: None for output in outputs if output.name}])
            if near:
                return f"{path[:cut]}.{near}"
        cut = path.find(".", cut + 1)
    return ""


def _outputs_of_stage(path: str, graph: Graph) -> str:
    """For `clean.total`, where stage `clean` has outputs of quite other names: what these are."""
    stage, dot, rest = path.partition(".")
    edges = graph.by_stage.get(stage, ()) if dot and "/" not in rest else ()
    names = list(dict.fromkeys([output.name for output in graph.edges[edges[0]].outputs if output.name])) if edges else []
    if not names:
        return ""
    shown = [f"`{show(stage)}.{show(name)}`" for name in names[:5]]
    return f"stage `{show(stage)}` has {', '.join(shown)}{', ...' if len(names) > 5 else ''}"


def _near_file(path: str, graph: Graph, world: World, below: Container[int]) -> str:
    """A file, directory or output whose path is nearest to *path*; none that edges *below* it make."""
    folder, name = folder_of(path), name_of(path)
    made = [other for other, maker in graph.producer.items() if maker not in below]
    beside = {other for other in world.names(folder) if not _private(other) and graph.producer.get(join(folder, other), -1) not in below}
    beside.update([name_of(other) for other in made if folder_of(other) == folder])
    near = nearest(name, sorted(beside))
    if near:
        return join(folder, near)
    namesakes = [other for other in made if name_of(other) == name]
    if beside or namesakes or not folder:
        return namesakes[0] if len(namesakes) == 1 else nearest(path, namesakes)
    above = _near_file(folder, graph, world, below)  # the folder may be the misspelt name; as deep as the path, no deeper
    whole = join(above, name)
    return whole if above and (whole in graph.producer or world.kind(whole) != "absent") else ""


def _private(name: str) -> bool:
    """Whether a name is one of pipefile's own files."""
    return name.startswith(".pipefile") or (name.startswith(".") and name.endswith((".hash", ".hash~")))
