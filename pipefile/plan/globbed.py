"""Globs and directories in which pattern rules could make files: what a glob finds has to be known, and what rules make is known by who asks."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from pipefile.base.errors import GraphError
from pipefile.base.locations import Place
from pipefile.base.paths import BadPathError, folder_of, join, show
from pipefile.model.stage import Pipeline, Stage
from pipefile.plan.patterns import beneath, canonical, escape, is_glob, matcher, start_folder
from pipefile.plan.wildcards import Rule, Rules

IsDirectory = Callable[[str], bool]


def check_globs(pipeline: Pipeline, rules: Rules, instances: Iterable[Stage], is_directory: IsDirectory) -> None:
    """See that no glob, and no directory, could match what a pattern rule makes.

    Args:
        pipeline: What was declared.
        rules: Its pattern rules.
        instances: Instances of stages with `for_each` or wildcards.
        is_directory: Whether a path is, or lies in, a directory that an edge makes: that is known when its stage has run.

    Raises:
        GraphError: One could.
    """
    checker = _Checker(pipeline, rules, is_directory)
    for stage in pipeline.stages.values():
        if stage.for_each is None:
            checker.inputs(stage)
        else:
            checker.items(stage)
    for stage in instances:
        checker.inputs(stage)


class _Checker:
    def __init__(self, pipeline: Pipeline, rules: Rules, is_directory: IsDirectory) -> None:
        self._root = pipeline.root
        self._rules = rules
        self._is_directory = is_directory
        self._known: dict[str, Rule | None] = {}

    def inputs(self, stage: Stage) -> None:
        for group in stage.inputs:
            for item in group.items:
                text = item.text
                if text.endswith("/") and (item.exact or not is_glob(text)):
                    self._check_folder(text, stage)
                elif not item.exact and is_glob(text):
                    rule = self._globbed(self._canonical(text, stage.folder))
                    if rule is not None:
                        raise self._fault(text, stage, "inputs", rule)

    def items(self, stage: Stage) -> None:
        """The globs of `for_each`."""
        for_each = stage.for_each
        assert for_each is not None
        for axis in for_each.axes:
            if not is_glob(axis.source):
                continue
            pattern = self._canonical(axis.source, stage.folder)
            excluded = [matcher(self._canonical(text, stage.folder)) for text in for_each.exclude]
            for rule in self._rules.all:
                folder = folder_of(rule.start)
                without = folder and any(matches is not None and matches(f"{folder}/") for matches in excluded)
                if not without and rule.may_match(pattern):
                    raise self._fault(axis.source, stage, "for_each", rule)

    def _check_folder(self, text: str, stage: Stage) -> None:
        try:
            path = beneath(stage.folder, text)
        except BadPathError:
            return
        path = path[len(self._root) + 1 :] if path.startswith(self._root + "/") else path
        if self._is_directory(path):
            return
        rule = self._globbed(f"{escape(path)}/**" if path != "." else "**")
        if rule is not None:
            what = f"`{show(text)}` in `inputs` of stage `{show(stage.name)}` is a folder in which stage `{show(rule.stage.name)}` could make"
            raise GraphError(f"{what} `{show(rule.output.shown)}`", _places(stage, "inputs", rule), "list the files")

    def _globbed(self, pattern: str) -> Rule | None:
        if pattern not in self._known:
            inside = self._is_directory(start_folder(pattern))
            self._known[pattern] = None if inside else self._rules.globbed(pattern)
        return self._known[pattern]

    def _canonical(self, text: str, folder: str) -> str:
        try:
            pattern = canonical(text, folder)
        except BadPathError:
            return join(folder, text)  # whoever expands it says what is wrong with it
        return pattern[len(self._root) + 1 :] if pattern.startswith(self._root + "/") else pattern

    def _fault(self, text: str, stage: Stage, key: str, rule: Rule) -> GraphError:
        what = f"`{show(text)}` in `{key}` of stage `{show(stage.name)}` could match `{show(rule.output.shown)}`"
        what += f", which stage `{show(rule.stage.name)}` makes when something asks for it by name"
        return GraphError(what, _places(stage, key, rule), "with `for_each` instead of wildcards it is known what there is")


def _places(stage: Stage, key: str, rule: Rule) -> list[Place]:
    found = [(stage, key), (rule.stage, "outputs")]
    return [Place(each.file, ("stage", each.name, at), f"`{show(each.name)}`") for each, at in found]
