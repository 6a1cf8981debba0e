"""Which instances of pattern rules there are: those whose outputs something asks for by name.

Asked for are targets of the command line, of `default` and of aliases, inputs, and words of commands that name files; of instances of pattern rules
too. So the instances are known before anything is numbered, and a graph with them is a graph like any other.

A rule makes a file if its inputs are there, or can be made in turn: by other rules, each of them once on the way, so that no chain goes on for ever.
Only if no rule can is a file that stands there a source. That it stands there tells nothing by itself, since a rule's own output does so too, with a
record beside it or, after a build was killed, without.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from pipefile.base.errors import GraphError, InputError
from pipefile.base.locations import Place
from pipefile.base.paths import BadPathError, join, normalise, parents, show
from pipefile.model.ports import World
from pipefile.model.stage import Command, InputItem, Pipeline, Stage
from pipefile.plan.expand import Expanded, instances_of, numbered, referred, unlisted
from pipefile.plan.globbed import check_globs
from pipefile.plan.instances import BadInstanceError, Instances
from pipefile.plan.items import ItemError
from pipefile.plan.near import nearest
from pipefile.plan.patterns import beneath, canonical, is_glob, literal_prefix, matcher, start_folder, unescape
from pipefile.plan.wildcards import ONE_NAME, Match, Rules
from pipefile.plan.words import literal_words

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


class _Asked(NamedTuple):
    """A file that something asks for.

    Args:
        path: Normalised, from the root.
        used: Rules that lead here.
        sure: It has to be there: else nothing is made of it unless it can be.
    """

    path: str
    used: frozenset[str]
    sure: bool


class Demand:
    """Makes the instances of a pipeline's pattern rules.

    Args:
        pipeline: What was declared.
        world: The disk.
        expanded: All that is no pattern rule.

    Attributes:
        absent: Files that were looked for and are not there: if one comes, the graph may be another one.
    """

    def __init__(self, pipeline: Pipeline, world: World, expanded: Expanded) -> None:
        self._pipeline = pipeline
        self._world = world
        self._expanded = expanded
        self._stages = {name: pipeline.stages[name] for name in expanded.rows}
        self._rules = Rules()
        for name, stage in self._stages.items():
            try:
                self._rules.add(stage, expanded.rows[name])
            except ItemError as error:
                raise GraphError(f"`for_each` of stage `{show(name)}`: {error}", (_place(stage, "for_each"),)) from None
        self._makers: dict[str, Instances] = {}
        self._possible: dict[str, Stage | None] = {}
        self._made: dict[str, dict[str, Stage]] = {name: {} for name in self._stages}
        self._producer = {output.path: number for number, stage in enumerate(expanded.stages) for output in stage.outputs}
        self._directories = {output.path for stage in expanded.stages for output in stage.outputs if output.directory}
        self._in_directories = bool(self._directories) or any(rule.output.directory for rule in self._rules.all)
        self._sorted = sorted(self._producer)
        self._known: dict[str, Ways] = {}
        self._todo: deque[_Asked] = deque()
        self._done: set[_Asked] = set()
        self._words: set[tuple[int, str]] = set()
        self._left = 0
        self.absent: dict[str, None] = {}

    def settled(self, targets: Sequence[str]) -> Expanded:
        """All instances, with those that something asks for.

        Args:
            targets: What is asked for besides what the Pipefile asks for: aliases, stages, instances, files.

        Raises:
            GraphError: Two rules make one file, or a glob could match what a rule makes.
        """
        for stage in self._expanded.stages:
            self._ask(stage, NOBODY)
        for name in self._named(targets):
            self._ask_target(name)
        self._settle()
        stages, names, by_stage = self._expanded[:3]
        made: dict[str, dict[str, Stage]] = {
            name: {names[number]: stages[number] for number in by_stage[name]} for name, stage in self._pipeline.stages.items() if stage.for_each
        }
        made.update({name: dict(sorted(found.items())) for name, found in self._made.items()})
        check_globs(self._pipeline, self._rules, [stage for found in made.values() for stage in found.values()], self._is_directory)
        return numbered(self._pipeline, made)

    def makeable(self, path: str) -> tuple[str, ...] | None:
        """The files that a rule would make a file of if something asked for it: those that are on the disk. None if none would, or an edge does."""
        if path in self._producer:
            return None
        self._left = MOST_FILES
        for match in self._rules.matching(path):
            found = self._can(match, NOBODY)
            if found.there:
                return found.sources
        return None

    def could(self, path: str) -> list[tuple[Stage, tuple[str, ...]]]:
        """The rules that a missing file matches, each with what is missing of it: an input, an input of the rule that would make that, and so on."""
        self._left = MOST_FILES
        return [(match.stage, self._lacking(match, NOBODY)) for match in self._rules.matching(path) if self._instance(match) is not None]

    def across(self, path: str) -> str:
        """What to do about a missing file that a rule would make, were it not for a slash; "" where that is not it."""
        self._left = MOST_FILES
        for rule in self._rules.all:
            match = rule.across(path)
            if match is not None and self._can(match, NOBODY).there:
                name = next(name for name, text in rule.wildcards if "/" in str(match.item[name]) and text == ONE_NAME)
                return f'`{{{show(name)}}}` of stage `{show(rule.stage.name)}` matches no `/`; `where = {{ {show(name)} = ".+" }}` lets it'
        return ""

    # -- what asks

    def _named(self, targets: Sequence[str]) -> Iterator[str]:
        """Targets that are no aliases."""
        aliases = self._pipeline.aliases
        found = [*targets, *(self._pipeline.settings.default or ()), *[name for names in aliases.values() for name in names]]
        return iter([name for name in dict.fromkeys(found) if name not in aliases])

    def _ask_target(self, name: str) -> None:
        stages = self._pipeline.stages
        if name in stages:
            return
        stage, at, _ = name.partition("@")
        if at and stage in self._stages:
            match = self._called(stage, name)
            if match is not None:
                self._make(match, NOBODY)
            return
        try:
            path = normalise(name)
        except BadPathError:
            return
        likely = not nearest(name, [*self._pipeline.aliases, *stages])  # a slip in the name of a stage is no file
        self._want(_Asked(path, NOBODY, likely))

    def _called(self, stage: str, name: str) -> Match | None:
        """The instance of a rule that is called so; None if there can be none."""
        for rule in self._rules.all:
            if rule.stage.name != stage:
                continue
            match = rule.called(name)
            if match is not None and self._instance(match) is not None:
                return match
        return None

    def _ask(self, stage: Stage, used: frozenset[str]) -> None:
        """Note what a stage or an instance asks for."""
        for group in stage.inputs:
            for item in group.items:
                path = self._path(item, stage)
                if path is not None:
                    self._todo.append(_Asked(path, used, not item.optional))
        if stage.infer_inputs and isinstance(stage.action, Command):
            key = (id(stage.action), stage.folder)
            if key not in self._words:
                self._words.add(key)
                for word in literal_words(stage.action):
                    if word[0] != "/" and word[-1] != "/":
                        self._todo.append(_Asked(join(stage.folder, word), used, False))

    def _path(self, item: InputItem, stage: Stage) -> str | None:
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
        places = (_place(stage, "inputs"), _place(maker, "outputs"))
        return GraphError(f"`{show(text)}` in `inputs` of stage `{show(stage.name)}`: {unlisted(maker)}", places, "name the files")

    # -- what is made of it

    def _settle(self) -> None:
        while self._todo:
            self._want(self._todo.popleft())

    def _want(self, asked: _Asked) -> None:
        """Make the instance that makes a file, if that is for a rule to make."""
        try:
            path = normalise(asked.path)
        except BadPathError:
            return
        asked = asked._replace(path=path)
        if asked in self._done:
            return
        self._done.add(asked)
        if self._is_made(path):
            return
        self._left = MOST_FILES
        matches = [match for match in self._rules.matching(path) if self._instance(match) is not None]
        able = [match for match in matches if self._can(match, asked.used).there]
        if not able and self._in_directories:
            able = self._above(path, asked.used)
        if len(able) > 1:
            raise self._ambiguous(able, path)
        if not able:
            able = self._anyway(matches, asked)
        for match in able:
            self._make(match, asked.used)

    def _above(self, path: str, used: frozenset[str]) -> list[Match]:
        """Those that can make a directory which a path lies in: the innermost one."""
        for folder in parents(path):
            matches = [match for match in self._rules.matching(folder) if self._makes_directory(match, folder)]
            able = [match for match in matches if self._can(match, used).there]
            if able:
                return able
        return []

    def _anyway(self, matches: Sequence[Match], asked: _Asked) -> list[Match]:
        """The instance that is made although its inputs are not there, so that what is missing is told with who needs it."""
        left = self._left_by(matches, asked.path)
        if left is not None:
            return [left]
        alone = len(matches) == 1 and matches[0].stage.name not in asked.used
        return [*matches] if asked.sure and alone and self._kind(asked.path) == "absent" else []

    def _left_by(self, matches: Sequence[Match], path: str) -> Match | None:
        """The one that has made a file, if what it was made from is gone: such a file is no source."""
        maker = self._world.made_by(path)
        return next((match for match in matches if match.name == maker), None) if maker else None

    def _ambiguous(self, able: Sequence[Match], path: str) -> GraphError:
        places = [_place(match.stage, "outputs") for match in able[:10]]
        names = list(dict.fromkeys([match.stage.name for match in able]))
        if len(names) == 1:
            text = f"`{show(path)}` can be made by {len(able)} instances of stage `{show(names[0])}`: "
            text += ", ".join([f"`{show(match.name)}`" for match in able[:5]])
            return GraphError(text, places[:1], "its outputs need something of the item that no other item has")
        count = "two" if len(names) == 2 else str(len(names))
        hint = "`where` keeps them apart, or a stage that makes this file alone"
        return GraphError(f"`{show(path)}` can be made by {count} pattern rules", places, hint)

    def _make(self, match: Match, used: frozenset[str]) -> None:
        stage = self._instance(match)
        name = match.name
        if stage is None or name in self._made[match.stage.name]:
            return
        self._made[match.stage.name][name] = stage
        for output in stage.outputs:
            self._producer.setdefault(output.path, -1)
            if output.directory:
                self._directories.add(output.path)
        self._ask(stage, used | {match.stage.name})

    def _instance(self, match: Match) -> Stage | None:
        """The instance itself; None if its outputs cannot lie where they would, so that it makes no such file.

        Raises:
            GraphError: It makes no good stage for another reason.
        """
        name = match.name
        if name in self._possible:
            known = self._possible[name]
            if known is not None and known.item != match.item:
                raise GraphError(f"two files ask for an instance called `{show(name)}`", (_place(match.stage, "outputs"),))
            return known
        maker = self._makers.get(match.stage.name)
        if maker is None:
            maker = self._makers[match.stage.name] = instances_of(match.stage, self._pipeline)
        try:
            found: Stage | None = maker.of(match.item, name)
        except BadInstanceError as error:
            if error.key != "outputs":
                raise GraphError(f"`{show(name)}`: {error.why}", (_place(match.stage, error.key),), error.hint) from None
            found = None
        self._possible[name] = found
        return found

    def _makes_directory(self, match: Match, path: str) -> bool:
        stage = self._instance(match)
        return stage is not None and any(output.directory and output.path == path for output in stage.outputs)

    # -- what can be made

    def _can(self, match: Match, used: frozenset[str]) -> Ways:
        """Whether the inputs of an instance are there, or can be made by rules that are not *used* yet."""
        name = match.stage.name
        if name in used:
            return Ways(False, cut=True)
        if len(used) >= LONGEST:
            raise self._endless([*used, name], f"a chain of more than {LONGEST} pattern rules makes `{show(match.name)}`")
        stage = self._instance(match)
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
        path = self._path(item, stage)
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
        known = self._known.get(path)
        if known is not None and used.isdisjoint(known.rules):
            return known
        if self._is_made(path):
            return Ways(True)
        self._left -= 1
        if self._left < 0:
            raise self._endless(used, f"to make one file, pattern rules lead to more than {MOST_FILES} others: `{show(path)}`")
        found = self._looked_for(path, used)
        if found.there or not found.cut:
            self._known[path] = found
        return found

    def _looked_for(self, path: str, used: frozenset[str]) -> Ways:
        matches = self._rules.matching(path)
        cut = False
        for match in matches:
            found = self._can(match, used)
            if found.there:
                return found
            cut = cut or found.cut
        if self._kind(path) != "absent":
            return Ways(not matches or self._left_by(matches, path) is None, NOBODY, (path,), cut)
        self.absent[path] = None
        if self._in_directories:
            for folder in parents(path):
                for match in self._rules.matching(folder):
                    if self._makes_directory(match, folder):
                        found = self._can(match, used)
                        if found.there:
                            return found
                        cut = cut or found.cut
        return Ways(False, cut=cut)

    def _kind(self, path: str) -> str:
        try:
            return self._world.kind(path)
        except InputError:  # it is there, and whoever reads it says what is wrong with it
            return "other"

    def _lacking(self, match: Match, used: frozenset[str]) -> tuple[str, ...]:
        stage = self._instance(match)
        assert stage is not None
        above = used | {stage.name}
        for group in stage.inputs:
            for item in group.items:
                if item.optional or self._item(item, stage, above).there:
                    continue
                path = self._path(item, stage)
                if path is None:
                    return (item.text,)
                following = [each for each in self._rules.matching(path) if each.stage.name not in above and self._instance(each) is not None]
                return (path, *(self._lacking(following[0], above) if len(following) == 1 else ()))
        return ()

    def _is_made(self, path: str) -> bool:
        """Whether an edge makes a file, by itself or within a directory."""
        return path in self._producer or self._is_directory(path)

    def _is_directory(self, path: str) -> bool:
        """Whether a path is, or lies in, a directory that an edge makes."""
        return bool(self._directories) and any(folder in self._directories for folder in (path, *parents(path)))

    def _endless(self, used: Sequence[str] | frozenset[str], text: str) -> GraphError:
        places = [_place(self._stages[name], "outputs") for name in self._stages if name in used]
        return GraphError(text, places[:10], "`where` narrows what a wildcard matches")


def _place(stage: Stage, key: str) -> Place:
    return Place(stage.file, ("stage", stage.name, key), f"`{show(stage.name)}`")

