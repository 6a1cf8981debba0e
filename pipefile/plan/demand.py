"""Which instances of pattern rules there are: those whose outputs something asks for by name.

Asked for are targets of the command line, of `default` and of aliases, inputs, and words of commands that name files; of instances of pattern rules
too. So the instances are known before anything is numbered, and a graph with them is a graph like any other.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from pipefile.base.errors import GraphError
from pipefile.base.paths import BadPathError, join, normalise, parents, show
from pipefile.model.ports import World
from pipefile.model.stage import Command, Pipeline, Stage
from pipefile.plan.expand import Expanded, numbered
from pipefile.plan.globbed import check_globs
from pipefile.plan.near import nearest
from pipefile.plan.possible import NOBODY, Possible, place_of
from pipefile.plan.wildcards import Match
from pipefile.plan.words import literal_words


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
    """

    def __init__(self, pipeline: Pipeline, world: World, expanded: Expanded) -> None:
        self._pipeline = pipeline
        self._expanded = expanded
        self.possible = Possible(pipeline, world, expanded)
        self._made: dict[str, dict[str, Stage]] = {name: {} for name in expanded.rows}
        self._todo: deque[_Asked] = deque()
        self._done: set[_Asked] = set()
        self._words: set[tuple[int, str]] = set()

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
            self._settle()  # first, so that what is asked for besides changes nothing of it
            self._ask_target(name)
        self._settle()
        stages, names, by_stage = self._expanded[:3]
        made: dict[str, dict[str, Stage]] = {
            name: {names[number]: stages[number] for number in by_stage[name]} for name, stage in self._pipeline.stages.items() if stage.for_each
        }
        made.update({name: dict(sorted(found.items())) for name, found in self._made.items()})
        check_globs(self._pipeline, self.possible.rules, [stage for found in made.values() for stage in found.values()], self.possible.is_directory)
        return numbered(self._pipeline, made)

    # -- what asks

    def _named(self, targets: Sequence[str]) -> Iterator[str]:
        """Targets that are no aliases, those of the Pipefile first."""
        aliases = self._pipeline.aliases
        found = [*(self._pipeline.settings.default or ()), *[name for names in aliases.values() for name in names], *targets]
        return iter([name for name in dict.fromkeys(found) if name not in aliases])

    def _ask_target(self, name: str) -> None:
        stages = self._pipeline.stages
        if name in stages:
            return
        stage, at, _ = name.partition("@")
        if at and stage in self._made:
            match = self.possible.called(stage, name)
            if match is not None:
                self._make(match, NOBODY)
            return
        try:
            path = normalise(name)
        except BadPathError:
            return
        likely = not nearest(name, [*self._pipeline.aliases, *stages])  # a slip in the name of a stage is no file
        self._want(_Asked(path, NOBODY, likely))

    def _ask(self, stage: Stage, used: frozenset[str]) -> None:
        """Note what a stage or an instance asks for."""
        for group in stage.inputs:
            for item in group.items:
                path = self.possible.path(item, stage)
                if path is not None:
                    self._todo.append(_Asked(path, used, not item.optional))
        if stage.infer_inputs and isinstance(stage.action, Command):
            key = (id(stage.action), stage.folder)
            if key not in self._words:
                self._words.add(key)
                for word in literal_words(stage.action):
                    if word[0] != "/" and word[-1] != "/":
                        self._todo.append(_Asked(join(stage.folder, word), used, False))

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
        if self.possible.is_made(path):
            return
        self.possible.begin()
        matches = [match for match in self.possible.rules.matching(path) if self.possible.instance(match) is not None]
        able = [match for match in matches if self.possible.can(match, asked.used).there]
        if not able and self.possible.in_directories:
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
            matches = [match for match in self.possible.rules.matching(folder) if self.possible.makes_directory(match, folder)]
            able = [match for match in matches if self.possible.can(match, used).there]
            if able:
                return able
        return []

    def _anyway(self, matches: Sequence[Match], asked: _Asked) -> list[Match]:
        """The instance that is made although its inputs are not there, so that what is missing is told with who needs it."""
        left = self.possible.left_by(matches, asked.path) if matches else None
        if left is not None:
            return [left]
        alone = len(matches) == 1 and matches[0].stage.name not in asked.used
        return [*matches] if asked.sure and alone and self.possible.kind(asked.path) == "absent" else []

    def _ambiguous(self, able: Sequence[Match], path: str) -> GraphError:
        places = [place_of(match.stage, "outputs") for match in able[:10]]
        names = list(dict.fromkeys([match.stage.name for match in able]))
        if len(names) == 1:
            text = f"`{show(path)}` can be made by {len(able)} instances of stage `{show(names[0])}`: "
            text += ", ".join([f"`{show(match.name)}`" for match in able[:5]])
            return GraphError(text, places[:1], "its outputs need something of the item that no other item has")
        count = "two" if len(names) == 2 else str(len(names))
        hint = "`where` keeps them apart, or a stage that makes this file alone"
        return GraphError(f"`{show(path)}` can be made by {count} pattern rules", places, hint)

    def _make(self, match: Match, used: frozenset[str]) -> None:
        stage = self.possible.instance(match)
        name = match.name
        if stage is None or name in self._made[match.stage.name]:
            return
        self._made[match.stage.name][name] = stage
        self.possible.add(stage)
        self._ask(stage, used | {match.stage.name})
