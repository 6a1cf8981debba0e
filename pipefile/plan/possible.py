"""What pattern rules can make: a rule makes a file if its inputs are there, or can be made in turn.

By other rules, that is, each of them once on the way, so that no chain goes on for ever. Only if no rule can make it is a file that stands there a
source. That it stands there tells nothing by itself, since a rule's own output does so too, with a record beside it or, after a build was killed,
without.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from pipefile.base.errors import GraphError, InputError
from pipefile.base.locations import Place
from pipefile.base.paths import BadPathError, parents, show
from pipefile.model.ports import World
from pipefile.model.stage import InputItem, Pipeline, Stage
from pipefile.plan.expand import Expanded, instances_of, referred, unlisted
from pipefile.plan.instances import BadInstanceError, Instances
from pipefile.plan.items import ItemError
from pipefile.plan.patterns import beneath, canonical, is_glob, literal_prefix, matcher, start_folder, unescape
from pipefile.plan.wildcards import ONE_NAME, Match, Rules

MOST_FILES = 1000
"""Files that are looked for to find out whether one can be made: more than that are the sign of rules that match each other's inputs."""

LONGEST = 50
"""Rules in one chain."""

NOBODY: frozenset[str] = frozenset()


class Ways(NamedTuple):
    """Whether a file is there, or can be.

    Args:
        there: Whether.
        rules: Names of the rules that it takes.
        sources: Files on the disk that it takes, if rules make it.
        cut: Something was not tried because its rule was in the chain already.
    """

    there: bool
    rules: frozenset[str] = NOBODY
    sources: tuple[str, ...] = ()
    cut: bool = False


class Possible:
    """Knows what the pattern rules of a pipeline can make.

    Args:
        pipeline: What was declared.
        world: The disk.
        expanded: All that is no pattern rule.

    Attributes:
        rules: The rules.
        stages: Those that they belong to, by name.
        in_directories: Files may lie in directories that edges make.
        absent: Files that were looked for and are not there: if one comes, the graph may be another one.
    """

    def __init__(self, pipeline: Pipeline, world: World, expanded: Expanded) -> None:
        self._pipeline = pipeline
        self._world = world
        self.stages = {name: pipeline.stages[name] for name in expanded.rows}
        self.rules = Rules()
        for name, stage in self.stages.items():
            try:
                self.rules.add(stage, expanded.rows[name])
            except ItemError as error:
                raise GraphError(f"`for_each` of stage `{show(name)}`: {error}", (place_of(stage, "for_each"),)) from None
        self._makers: dict[str, Instances] = {}
        self._instances: dict[str, Stage | None] = {}
        self._producer = {output.path for stage in expanded.stages for output in stage.results}
        self._directories = {output.path for stage in expanded.stages for output in stage.results if output.directory}
        self.in_directories = bool(self._directories) or any(rule.output.directory for rule in self.rules.all)
        self._sorted = sorted(self._producer)
        self._known: dict[str, Ways] = {}
        self._left = 0
        self.absent: dict[str, None] = {}

    def begin(self) -> None:
        """Another file is looked for: so many others may be looked for on the way."""
        self._left = MOST_FILES

    def add(self, stage: Stage) -> None:
        """Note that there is an instance."""
        for output in stage.results:
            self._producer.add(output.path)
            if output.directory:
                self._directories.add(output.path)

    def makeable(self, path: str) -> tuple[str, ...] | None:
        """The files that a rule would make a file of if something asked for it: those that are on the disk. None if none would, or an edge does."""
        if path in self._producer:
            return None
        self.begin()
        try:
            found = next((found for match in self.rules.matching(path) if (found := self.can(match, NOBODY)).there), None)
        except GraphError:
            return ()  # whoever asks for it is told
        return None if found is None else found.sources

    def depfile(self, path: str, name: str) -> str:
        """The depfile of the instance of a rule that is called so and makes a file; "" if it has none, or is none now."""
        try:
            stage = next((self.instance(match) for match in self.rules.matching(path) if match.name == name), None)
        except GraphError:
            return ""
        return "" if stage is None else stage.depfile

    def could(self, path: str) -> list[tuple[Stage, tuple[str, ...]]]:
        """The rules that a missing file matches, each with what is missing of it: an input, an input of the rule that would make that, and so on."""
        self.begin()
        return [(match.stage, self._lacking(match, NOBODY)) for match in self.rules.matching(path) if self.instance(match) is not None]

    def across(self, path: str) -> str:
        """What to do about a missing file that a rule would make, were it not for a slash; "" where that is not it."""
        self.begin()
        for rule in self.rules.all:
            match = rule.across(path)
            if match is not None and self.can(match, NOBODY).there:
                name = next(name for name, text in rule.wildcards if "/" in str(match.item[name]) and text == ONE_NAME)
                return f'`{{{show(name)}}}` of stage `{show(rule.stage.name)}` matches no `/`; `where = {{ {show(name)} = ".+" }}` lets it'
        return ""

    # -- instances

    def called(self, stage: str, name: str) -> Match | None:
        """The instance of a rule that is called so; None if there can be none."""
        for rule in self.rules.all:
            if rule.stage.name != stage:
                continue
            match = rule.called(name)
            if match is not None and self.instance(match) is not None:
                return match
        return None

    def instance(self, match: Match) -> Stage | None:
        """The instance itself; None if its outputs cannot lie where they would, so that it makes no such file.

        Raises:
            GraphError: It makes no good stage for another reason.
        """
        name = match.name
        if name in self._instances:
            known = self._instances[name]
            if known is not None and known.item != match.item:
                raise GraphError(f"two files ask for an instance called `{show(name)}`", (place_of(match.stage, "outputs"),))
            return known
        maker = self._makers.get(match.stage.name)
        if maker is None:
            maker = self._makers[match.stage.name] = instances_of(match.stage, self._pipeline)
        try:
            found: Stage | None = maker.of(match.item, name)
        except BadInstanceError as error:
            if error.key != "outputs":
                raise GraphError(f"`{show(name)}`: {error.why}", (place_of(match.stage, error.key),), error.hint) from None
            found = None
        self._instances[name] = found
        return found

    def makes_directory(self, match: Match, path: str) -> bool:
        stage = self.instance(match)
        return stage is not None and any(output.directory and output.path == path for output in stage.results)

    # -- inputs

    def path(self, item: InputItem, stage: Stage) -> str | None:
        """The path that an input names; None if it is a reference or a glob.

        Raises:
            GraphError: It is a reference to all that a pattern rule makes.
        """
        text = item.text
        if not item.exact:
            if "." in text and self._refers(text, stage):
                return None
            if is_glob(text):
                return None
            text = unescape(text)
        try:
            path = beneath(stage.folder, text)
        except BadPathError:
            return None
        root = self._pipeline.root
        return path[len(root) + 1 :] if path.startswith(root + "/") else path

    def _refers(self, text: str, stage: Stage) -> bool:
        """Whether an input is a reference, to a value of `[global]` or to what a stage makes."""
        if text.startswith("global."):
            at: object = self._pipeline.globals_of(stage.folder)
            for key in text.split(".")[1:]:
                at = at.get(key) if isinstance(at, Mapping) else None
            if at is not None:
                return True
        prefix = f"{stage.folder}/" if stage.folder else ""
        found = referred(text, prefix, self._pipeline.stages)
        if found is not None and found[0].is_pattern:
            raise self._unlisted(text, stage, found[0])
        if found is not None:
            return True
        name, _, key = text.partition(".")
        maker = self._pipeline.stages.get(prefix + name)
        return maker is not None and [output.value for output in maker.outputs] == ["result"] and "/" not in key  # a key of all that it returns

    def _unlisted(self, text: str, stage: Stage, maker: Stage) -> GraphError:
        places = (place_of(stage, "inputs"), place_of(maker, "outputs"))
        return GraphError(f"`{show(text)}` in `inputs` of stage `{show(stage.name)}`: {unlisted(maker)}", places, "name the files")

    # -- what can be made

    def can(self, match: Match, used: frozenset[str]) -> Ways:
        """Whether the inputs of an instance are there, or can be made by rules that are not *used* yet."""
        name = match.stage.name
        if name in used:
            return Ways(False, cut=True)
        if len(used) >= LONGEST:
            raise self._endless([*used, name], f"a chain of more than {LONGEST} pattern rules makes `{show(match.name)}`")
        stage = self.instance(match)
        if stage is None:
            return Ways(False)
        above = used | {name}
        rules, sources, cut = {name}, list[str](), False
        for group in stage.inputs:
            for item in group.items:
                if item.optional:
                    continue
                found = self._item(item, stage, above)
                cut = cut or found.cut
                if not found.there:
                    return Ways(False, cut=cut)
                rules |= found.rules
                sources += found.sources
        return Ways(True, frozenset(rules), tuple(sources), cut)

    def _item(self, item: InputItem, stage: Stage, used: frozenset[str]) -> Ways:
        path = self.path(item, stage)
        if path is not None:
            return self._there(path, used)
        if item.exact or not is_glob(item.text):
            return Ways(True)
        pattern = canonical(item.text, stage.folder)
        start = start_folder(pattern)
        if any(folder in self._directories for folder in (start, *parents(start))):
            return Ways(True)
        matches = matcher(pattern)
        if matches is None:
            return Ways(True)
        prefix = literal_prefix(pattern)
        first = bisect_left(self._sorted, prefix)
        made = self._sorted[first : bisect_left(self._sorted, prefix + "\U0010ffff", first)] if prefix else self._sorted
        return Ways(any(matches(each) for each in made) or bool(self._world.glob(pattern)))

    def _there(self, path: str, used: frozenset[str]) -> Ways:
        if self.is_made(path):
            return Ways(True)
        known = self._known.get(path)
        if known is not None and used.isdisjoint(known.rules):
            return known
        self._left -= 1
        if self._left < 0:
            raise self._endless(used, f"to make one file, pattern rules lead to more than {MOST_FILES} others: `{show(path)}`")
        found = self._looked_for(path, used)
        if found.there or not found.cut:
            self._known[path] = found
        return found

    def _looked_for(self, path: str, used: frozenset[str]) -> Ways:
        matches = self.rules.matching(path)
        cut = False
        for match in matches:
            found = self.can(match, used)
            if found.there:
                return found
            cut = cut or found.cut
        if self.kind(path) != "absent":
            return Ways(not matches or self.left_by(matches, path) is None, NOBODY, (path,), cut)
        self.absent[path] = None
        if self.in_directories:
            for folder in parents(path):
                for match in self.rules.matching(folder):
                    if self.makes_directory(match, folder):
                        found = self.can(match, used)
                        if found.there:
                            return found
                        cut = cut or found.cut
        return Ways(False, cut=cut)

    def kind(self, path: str) -> str:
        try:
            return self._world.kind(path)
        except InputError:  # it is there, and whoever reads it says what is wrong with it
            return "other"

    def _lacking(self, match: Match, used: frozenset[str]) -> tuple[str, ...]:
        stage = self.instance(match)
        assert stage is not None
        above = used | {stage.name}
        for group in stage.inputs:
            for item in group.items:
                if item.optional or self._item(item, stage, above).there:
                    continue
                path = self.path(item, stage)
                if path is None:
                    return (item.text,)
                following = [each for each in self.rules.matching(path) if each.stage.name not in above and self.instance(each) is not None]
                return (path, *(self._lacking(following[0], above) if len(following) == 1 else ()))
        return ()

    def left_by(self, matches: Sequence[Match], path: str) -> Match | None:
        """The one that has made a file, if what it was made from is gone: such a file is no source."""
        maker = self._world.made_by(path)
        return next((match for match in matches if match.name == maker), None) if maker else None

    def is_made(self, path: str) -> bool:
        """Whether an edge makes a file, by itself or within a directory."""
        return path in self._producer or self.is_directory(path)

    def is_directory(self, path: str) -> bool:
        """Whether a path is, or lies in, a directory that an edge makes."""
        return bool(self._directories) and any(folder in self._directories for folder in (path, *parents(path)))

    def _endless(self, used: Sequence[str] | frozenset[str], text: str) -> GraphError:
        places = [place_of(self.stages[name], "outputs") for name in self.stages if name in used]
        return GraphError(text, places[:10], "`where` narrows what a wildcard matches")


def place_of(stage: Stage, key: str) -> Place:
    """Where a key of a stage stands."""
    return Place(stage.file, ("stage", stage.name, key), f"`{show(stage.name)}`")

