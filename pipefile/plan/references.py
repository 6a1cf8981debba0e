"""What one input string stands for (2-format: references, globs, names)."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Container, Mapping

from pipefile.base.dataclass import constructor, dataclass
from pipefile.base.errors import GraphError
from pipefile.base.locations import Place
from pipefile.base.paths import BadPathError, parents, show
from pipefile.model.graph import FileSet, Need
from pipefile.model.ports import World
from pipefile.model.stage import Output, Pipeline, Stage, Value
from pipefile.plan.checks import Outputs
from pipefile.plan.classes import Classes
from pipefile.plan.expand import Expanded
from pipefile.plan.instances import MANY
from pipefile.plan.near import nearest
from pipefile.plan.patterns import beneath, bytewise, canonical, is_glob, literal_prefix, matcher, start_folder, unescape


@dataclass(frozen=True, slots=True)
class GlobalValue:
    """An input that is a value of `[global]`."""

    value: Value


class References:
    """Turns input strings into sets of files, each text once.

    Args:
        pipeline: What was declared.
        world: The disk.
        expanded: What becomes an edge each.
        outputs: Who makes what.
        classes: Knows what cannot be an input.
    """

    def __init__(self, pipeline: Pipeline, world: World, expanded: Expanded, outputs: Outputs, classes: Classes) -> None:
        self.groups: list[tuple[int, ...]] = []
        self._pipeline = pipeline
        self._stages = pipeline.stages
        self._by_stage = expanded.by_stage
        self._by_number = expanded.stages
        self._names = expanded.names
        self._edge_count = len(expanded.stages)
        self._world = world
        self._producer = producer = outputs.producer
        self._directories: Mapping[str, int] = outputs.directories
        self._classes = classes
        self._caches: dict[str, dict[str, FileSet | GlobalValue]] = {}
        self._group_of: dict[tuple[int, ...], int] = {}
        self._members: dict[int, frozenset[int]] = {}
        self._paths: dict[FileSet, frozenset[str]] = {}
        self._reduced: dict[FileSet, dict[int, FileSet]] = {}
        self._globs: dict[str, FileSet] = {}
        self._sorted: list[str] | None = None
        self._values_below = f"{pipeline.settings.store}/values/"
        self._depfiles = frozenset([stage.depfile for stage in expanded.stages if stage.depfile and stage.depfile not in producer])
        self._exact: dict[str, dict[str, FileSet]] = {}
        self._links: dict[str, int] = {}  # links that globs have found -> who makes what they lead to
        self._plain: Container[str] = () if self._directories or classes.any else world.plain
        self._file_set = constructor(FileSet, {}) if self._edge_count >= MANY else FileSet

    def cache_of(self, folder: str) -> dict[str, FileSet | GlobalValue]:
        """What is known of the texts in Pipefiles of one folder."""
        return self._caches.setdefault(folder, {})

    def exactly(self, text: str, stage: Stage) -> FileSet:
        """The file or directory that *text* names, whatever it looks like.

        Raises:
            GraphError: It leaves the project, or is of another kind.
        """
        known = self._exact.get(stage.folder)
        if known is None:
            known = self._exact[stage.folder] = {}
        found = known.get(text)
        if found is None:
            if text in self._plain and text not in self._producer and not stage.folder:
                found = known[text] = self._file_set(text, "file", (text,), -1, "", "", "", False)
                return found
            try:
                path = self._from_root(beneath(stage.folder, text))
            except BadPathError as error:
                raise GraphError(f"input `{show(text)}` is {error}", (self._place(stage),)) from None
            found = known[text] = self._directory(path, stage) if text[-1] == "/" else self._file(path, stage)
        return found

    def members(self, group: int) -> frozenset[int]:
        """The edges of a group node."""
        found = self._members.get(group)
        if found is None:
            found = self._members[group] = frozenset(self.groups[group - self._edge_count])
        return found

    def maker_of(self, path: str) -> int:
        """The edge that makes a file, by itself or inside a directory; -1 for a source, and for a directory that is made as such."""
        found = self._producer.get(path, -1)
        if found >= 0:
            return -1 if path in self._directories else found
        inside = self._inside(path)
        if inside:
            return self._directories[inside]
        linked = self._linked(path)
        return -1 if linked is None else linked[0]

    def declared(self, path: str, needs: list[Need]) -> bool:
        """Whether a file is among the inputs of an edge."""
        for need in needs:
            files = need.files
            if files is None:
                continue
            if len(files.paths) > 8:
                known = self._paths.get(files)
                if known is None:
                    known = self._paths[files] = frozenset(files.paths)
                if path in known:
                    return True
            elif path in files.paths:
                return True
        return False

    def find(self, text: str, stage: Stage) -> FileSet | GlobalValue:
        """What *text* means in the inputs of *stage*.

        Raises:
            GraphError: It means nothing, or two things.
        """
        if "." in text:
            reference = self._reference(text, stage)
            if reference is not None:
                return reference
        glob = is_glob(text)
        try:
            path = beneath(stage.folder, text if glob else unescape(text))
            if "\\" in text and not glob:
                exact = beneath(stage.folder, text)
                if exact in self._producer or self._world.kind(exact) != "absent":
                    path = exact
        except BadPathError as error:
            raise GraphError(f"input `{show(text)}` is {error}", (self._place(stage),)) from None
        path = self._from_root(path)
        if glob and path not in self._producer and self._world.kind(path) == "absent":
            return self._glob(text, stage)
        return self._directory(path, stage) if text.endswith("/") else self._file(path, stage)

    def without_own(self, files: FileSet, number: int, stage: Stage) -> FileSet:
        """A set of files as the edge sees it that makes some of them itself: a glob never matches the edge's own outputs.

        Raises:
            GraphError: It is no glob, so the edge asks for its own output.
        """
        if files.kind != "glob":
            raise self._own(files, number, stage)
        known = self._reduced.setdefault(files, {})
        if number not in known:
            if len(known) >= 2:  # two edges that match each other's outputs are a cycle already: no need for a copy of the set for each of them
                return FileSet(files.text, "glob", ())
            kept = tuple([path for path in files.paths if self._producer.get(path, self._links.get(path)) != number])
            known[number] = FileSet(files.text, "glob", kept, self._node_of(kept), linked=files.linked)
        return known[number]

    def _reference(self, text: str, stage: Stage) -> FileSet | GlobalValue | None:
        if text.startswith("global."):
            found = self._global(text, stage)
            if found is not None:
                return found
        prefix = f"{stage.folder}/" if stage.folder else ""  # an included Pipefile knows its own stages, and those that it includes
        cut = text.find(".")
        while cut > 0:
            maker = self._stages.get(prefix + text[:cut])
            if maker is not None:
                wanted = text[cut + 1 :]
                results = maker.results
                outputs = results if wanted == "outputs" else tuple([output for output in results if output.name == wanted])
                for output in maker.outputs if not outputs and len(results) < len(maker.outputs) else ():
                    if output.name == wanted:
                        self._classes.check(output.path, stage)
                if outputs:
                    return self._outputs(text, outputs, whole=wanted == "outputs", maker=maker, stage=stage)
                if len(maker.outputs) == 1 and maker.outputs[0].value == "result" and "/" not in wanted and not is_glob(wanted):
                    return self._entry(text, wanted, maker, stage)
            cut = text.find(".", cut + 1)
        return None

    def _outputs(self, text: str, outputs: tuple[Output, ...], whole: bool, maker: Stage, stage: Stage) -> FileSet:
        path = self._also_file(text, stage)
        if path and (len(outputs) != 1 or outputs[0].path != path):
            what = f"the outputs of stage `{show(maker.name)}`" if whole else f"an output of stage `{show(maker.name)}`"
            raise self._ambiguous(text, what, stage)
        if maker.for_each is not None:
            return self._fan_in(text, None if whole else outputs[0].name, maker)
        (number,) = self._by_stage[maker.name]
        if whole or len(outputs) > 1 or outputs[0].many:
            kinds = [output.value for output in outputs]
            return FileSet(text, "outputs", tuple([output.path for output in outputs]), number, value=",".join(kinds) if any(kinds) else "")
        output = outputs[0]
        return FileSet(output.shown, "directory" if output.directory else "file", (output.path,), number, value=output.value)

    def _fan_in(self, text: str, name: str | None, maker: Stage) -> FileSet:
        """The outputs of all instances of a stage, in the order of its items; *name*: those of that name alone."""
        edges = self._by_stage[maker.name]
        outputs = [output for edge in edges for output in self._by_number[edge].results if name is None or output.name == name]
        kinds = [output.value for output in outputs]
        values = ",".join(kinds) if any(kinds) else ""
        return FileSet(text, "outputs", tuple([output.path for output in outputs]), self._node(edges), value=values)

    def _entry(self, text: str, key: str, maker: Stage, stage: Stage) -> FileSet:
        """One key of the table that a function without declared outputs returns: which keys that has is known when it has run."""
        if self._also_file(text, stage):
            raise self._ambiguous(text, f"what stage `{show(maker.name)}` returns", stage)
        output = maker.outputs[0]
        if maker.for_each is not None:
            text = f"`{show(text)}` is a key of what stage `{show(maker.name)}` returns for each item"
            raise GraphError(text, (self._place(stage),), f"`{show(maker.name)}.outputs` is a list of all that it returns")
        return FileSet(output.path, "file", (output.path,), self._by_stage[maker.name][0], value=output.value, entry=key)

    def _global(self, text: str, stage: Stage) -> GlobalValue | None:
        at: Value | Mapping[str, Value] = self._pipeline.globals_of(stage.folder)
        walked = "global"
        for key in text.split(".")[1:]:
            if not isinstance(at, Mapping) or key not in at:
                if "/" in text or is_glob(text) or self._also_file(text, stage):
                    return None
                near = nearest(key, at) if isinstance(at, Mapping) else ""
                hint = f"did you mean `{show(f'{walked}.{near}')}`?" if near else ""
                raise GraphError(f"`{show(text)}` is not in `[global]`", (self._place(stage),), hint)
            at = at[key]
            walked += "." + key
        if self._also_file(text, stage):
            raise self._ambiguous(text, "a value of `[global]`", stage)
        return GlobalValue(at if not isinstance(at, Mapping) else dict(at))

    def _also_file(self, text: str, stage: Stage) -> str:
        """The path of the file or output that a reference's text names as well; "" if there is none."""
        try:
            path = beneath(stage.folder, text)
        except BadPathError:
            return ""
        return path if path in self._producer or self._world.kind(path) != "absent" else ""

    def _from_root(self, path: str) -> str:
        """A path inside the project that was written from the root of the machine, as the others are."""
        root = self._pipeline.root
        if path == root:
            return "."
        return path[len(root) + 1 :] if path[0] == "/" and len(root) > 1 and path.startswith(root + "/") else path

    def _file(self, path: str, stage: Stage) -> FileSet:
        if self._classes.any:
            self._classes.check(path, stage)
        maker = self._producer.get(path)
        if maker is not None:
            if path in self._directories:
                if self._stage(maker) is stage:
                    raise self._own(FileSet(path, "file", (path,), maker), maker, stage)
                text = f"input `{show(path)}` is a directory that stage `{self._called(maker)}` makes"
                raise GraphError(text, (self._place(stage),), f"write `{show(path)}/`")
            return FileSet(path, "file", (path,), maker)
        inside = self._inside(path)
        if inside:
            return FileSet(path, "file", (path,), self._directories[inside], inside)
        linked = self._linked(path)
        if linked is not None and linked[0] >= 0:
            return FileSet(path, "file", (path,), *linked, linked=True)
        if path == "." or self._world.kind(path) == "directory":
            raise GraphError(f"input `{show(path)}` is a directory", (self._place(stage),), f"write `{show(path)}/`")
        return FileSet(path, "file", (path,))

    def _linked(self, path: str) -> tuple[int, str] | None:
        """Who makes what a path leads to through a link, its own or one of a folder above it, and the directory output that this lies in.

        None where no link is on the way; -1 where nobody makes it as such.
        """
        real = self._world.real(path)
        if real == path:
            return None
        maker = self._producer.get(real)
        if maker is not None:
            return maker, ""
        inside = self._inside(real)
        return (self._directories[inside], inside) if inside else (-1, "")

    def _directory(self, path: str, stage: Stage) -> FileSet:
        if self._classes.any:
            self._classes.check(path, stage)
        maker = self._producer.get(path)
        if maker is not None:
            if path not in self._directories:
                text = f"input `{show(path)}/` is a file that stage `{self._called(maker)}` makes"
                raise GraphError(text, (self._place(stage),), f"write `{show(path)}`")
            return FileSet(path + "/", "directory", (path,), maker)
        inside = self._inside(path)
        if inside:
            return FileSet(path + "/", "directory", (path,), self._directories[inside], inside)
        linked = self._linked(path)
        if linked is not None:
            below = self._outputs_in(self._world.real(path)) if linked[0] < 0 else []
            return FileSet(path + "/", "directory", (path,), self._node_of(below) if below else linked[0], linked[1], linked=True)
        if self._world.kind(path) == "file":
            raise GraphError(f"input `{show(path)}/` is a file", (self._place(stage),), f"write `{show(path)}`")
        if self._classes.any:
            self._classes.check_below(path, stage)
        below = self._outputs_in(path)
        return FileSet(path + "/", "directory", (path,), self._node_of(below))

    def _glob(self, text: str, stage: Stage) -> FileSet:
        pattern = canonical(text, stage.folder)
        if pattern.startswith("/"):
            pattern = self._from_root(pattern)
        found = self._globs.get(pattern)
        if found is None:
            found = self._globs[pattern] = self._expanded(pattern)
        if found.inside and self._classes.any:
            self._classes.check(f"{found.inside}/{pattern[len(found.inside) + 1 :]}", stage)
        return found

    def _expanded(self, pattern: str) -> FileSet:
        matches = matcher(pattern)
        if matches is None:  # an open bracket: no pattern, so a name
            path = unescape(pattern)
            return FileSet(path, "file", (path,))
        start = start_folder(pattern)
        inside = start if start in self._directories else self._inside(start)
        if inside:
            return FileSet(pattern, "late", (), self._directories[inside], inside)
        made = [path for path in self._outputs_from(literal_prefix(pattern)) if matches(path) or (path in self._directories and matches(path + "/"))]
        on_disk = self._world.glob(pattern)
        if self._directories or self._depfiles:  # what is there only because a stage has run, and is no output by itself, must not count
            on_disk = [path for path in on_disk if path not in self._depfiles and (path in self._producer or not self._inside(path))]
        if self._classes.any:
            on_disk = self._classes.without(on_disk)
        linked = self._leading(pattern)
        paths = bytewise(list({*on_disk, *made, *linked})) if made or linked else list(on_disk)
        return FileSet(pattern, "glob", tuple(paths), self._node_of([*made, *linked]), linked=bool(linked))

    def _leading(self, pattern: str) -> list[str]:
        """The links among the files of a glob that lead to what edges make, whether that is there or not."""
        found = []
        for path in self._world.links(pattern):
            maker = self._linked(path) if path not in self._producer else None
            if maker is not None and maker[0] >= 0:
                self._links[path] = maker[0]
                found.append(path)
        return found

    def _inside(self, path: str) -> str:
        """The directory output that *path* lies in; "" if there is none."""
        if self._directories:
            for folder in parents(path):
                if folder in self._directories:
                    return folder
        return ""

    def _outputs_from(self, prefix: str) -> list[str]:
        """The outputs whose paths begin with *prefix*, without values: these lie in the store, where neither globs nor directories look."""
        if self._sorted is None:
            self._sorted = sorted([path for path in self._producer if not path.startswith(self._values_below)])
        first = bisect_left(self._sorted, prefix)
        return self._sorted[first : bisect_left(self._sorted, prefix + "\U0010ffff", first)] if prefix else self._sorted

    def _outputs_in(self, folder: str) -> list[str]:
        """The outputs below a folder."""
        return [path for path in self._outputs_from("") if path[0] != "/"] if folder == "." else self._outputs_from(folder + "/")

    def _node_of(self, paths: list[str] | tuple[str, ...]) -> int:
        """The node that has to end before all of *paths* are there: -1, an edge, or a group, which is made where it is new."""
        producer = self._producer
        makers = {producer[path] for path in paths if path in producer}
        if self._links:
            makers.update([self._links[path] for path in paths if path in self._links])
        return self._node(tuple(sorted(makers)))

    def _node(self, edges: tuple[int, ...]) -> int:
        if len(edges) < 2:
            return edges[0] if edges else -1
        node = self._group_of.get(edges)
        if node is None:
            node = self._group_of[edges] = self._edge_count + len(self.groups)
            self.groups.append(edges)
        return node

    def _own(self, files: FileSet, number: int, stage: Stage) -> GraphError:
        outputs = Place(stage.file, ("stage", stage.name, "outputs"), f"`{show(stage.name)}`")
        if files.kind == "directory" and self._producer.get(files.paths[0]) != number and not files.inside:
            below = next(path for path in self._outputs_in(files.paths[0]) if self._producer[path] == number)
            return GraphError(f"`{show(below)}` lies in `{show(files.text)}`, an input of the stage that makes it", (outputs,))
        if files.inside:
            return GraphError(f"`{show(files.text)}` lies in `{show(files.inside)}/`, an output of the stage that needs it", (outputs,))
        path = next(path for path in files.paths if self._producer.get(path, self._links.get(path)) == number)
        return GraphError(f"`{show(path)}` is both an input and an output of stage `{self._called(number)}`", (outputs,))

    def _called(self, number: int) -> str:
        return show(self._names[number])

    def _stage(self, number: int) -> Stage:
        return self._by_number[number]

    def _ambiguous(self, text: str, what: str, stage: Stage) -> GraphError:
        return GraphError(f"`{show(text)}` is both {what} and a file", (self._place(stage),), f"write `./{show(text)}` for the file")

    def _place(self, stage: Stage) -> Place:
        return Place(stage.file, ("stage", stage.name, "inputs"), f"`{show(stage.name)}`")
