"""Pattern rules: which of them make a file of a given name, and whether a glob could match what they make.

A rule is an output of a stage with wildcards: literal text and wildcards in turn. Rules are kept by the text that their paths begin and end with, so
that a path is compared with those alone that have both; how many others there are costs nothing but a look-up for each pair of lengths.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from pipefile.model.stage import Field, Output, Stage, Value
from pipefile.plan.items import getter, instance_name
from pipefile.plan.patterns import literal_prefix
from pipefile.plan.template import joined, parse
from pipefile.plan.texts import value_text

ONE_NAME = "[^/]+"
"""What a wildcard matches that `where` does not speak of."""


class Match(NamedTuple):
    """A file that a pattern rule makes.

    Args:
        stage: The rule.
        item: What its wildcards stand for, with the item of its `for_each`.
    """

    stage: Stage
    item: Mapping[str, Value]

    @property
    def name(self) -> str:
        """What the instance is called."""
        assert self.stage.for_each is not None
        return instance_name(self.stage.name, self.stage.for_each, self.item)


class Rule:
    """One output of a pattern rule, for one item of its `for_each`.

    Args:
        stage: The stage.
        output: Its output, with placeholders.
        row: The item; {} without `for_each`.
    """

    def __init__(self, stage: Stage, output: Output, row: Mapping[str, Value]) -> None:
        assert stage.for_each is not None
        self.stage = stage
        self.output = output
        self._row = row
        self._where = dict(stage.for_each.wildcards)
        self.pieces = joined([self._filled(piece) for piece in parse(output.path)])
        self.start = self.pieces[0] if isinstance(self.pieces[0], str) else ""
        self.end = self.pieces[-1] if isinstance(self.pieces[-1], str) else ""
        self._match: Callable[[str], re.Match[str] | None] | None = None

    @property
    def wildcards(self) -> tuple[tuple[str, str], ...]:
        """As ForEach.wildcards."""
        return tuple(self._where.items())

    def match(self, path: str) -> Match | None:
        """What makes *path*, if this rule does."""
        if self._match is None:
            self._match = re.compile(self._regex(self._where)).fullmatch
        found = self._match(path)
        return None if found is None else self._matched(found)

    def _matched(self, found: re.Match[str]) -> Match:
        return Match(self.stage, {**self._row, **{name: found[f"w{number}"] for number, name in enumerate(self._where)}})

    def across(self, path: str) -> Match | None:
        """What would make *path*, if wildcards that `where` does not speak of matched slashes."""
        wide = {name: "(?s:.+)" if text == ONE_NAME else text for name, text in self._where.items()}
        found = re.fullmatch(self._regex(wide), path) if wide != self._where else None
        return None if found is None else self._matched(found)

    def called(self, name: str) -> Match | None:
        """The instance that is called so, if it is one of this rule's."""
        for_each = self.stage.for_each
        assert for_each is not None
        naming = [each for axis in for_each.axes for each in axis.naming]
        parts = []
        for each in naming:
            text = value_text(self._row[each]) if each in self._row else None
            value = "(.*)" if text is None else re.escape(text if isinstance(text, str) else " ".join(text))
            parts.append(value if len(naming) == 1 else f"{re.escape(each)}={value}")
        found = re.fullmatch(f"{re.escape(self.stage.name)}@{','.join(parts)}", name, re.DOTALL)
        wild = [each for each in naming if each in self._where]
        item = {} if found is None else dict(zip(wild, found.groups(), strict=True))
        if found is None or not all(re.fullmatch(text, item[each]) for each, text in self._where.items()):
            return None
        return Match(self.stage, {**self._row, **item})

    def _filled(self, piece: str | Field) -> str | Field:
        if isinstance(piece, str) or piece.name in self._where:
            return piece
        assert self.stage.for_each is not None
        text = value_text(getter(piece, self.stage.for_each.names)(self._row))
        return text if isinstance(text, str) else ""  # a list cannot be part of a path: making the instance says so

    def _regex(self, where: Mapping[str, str]) -> str:
        numbers = {name: number for number, name in enumerate(self._where)}
        parts, seen = [], set()
        for piece in self.pieces:
            if isinstance(piece, str):
                parts.append(re.escape(piece))
            elif piece.name in seen:
                parts.append(f"(?P=w{numbers[piece.name]})")
            else:
                seen.add(piece.name)
                parts.append(f"(?P<w{numbers[piece.name]}>(?:{where[piece.name]}))")
        return "".join(parts)

    def may_match(self, glob: str) -> bool:
        """Whether a canonical glob could match what this rule makes, or, if that is a directory, what lies in it."""
        prefix = literal_prefix(glob)
        if not (self.start.startswith(prefix) or prefix.startswith(self.start)):
            return False
        return _meet(_glob_states(glob), self._states())

    def _states(self) -> list[_State]:
        states = _States()
        for piece in self.pieces:
            if isinstance(piece, str):
                states.text(piece)
            else:
                where = self._where[piece.name]
                anything = _may_cross(where)
                if where == ONE_NAME:
                    states.step(_NO_SLASH)
                states.loop(_ANY if anything else _NO_SLASH)
        if self.output.directory:
            states.text("/")
            states.loop(_ANY)
        return states.found


class Rules:
    """The pattern rules of a pipeline."""

    def __init__(self) -> None:
        self.all: list[Rule] = []
        self._by_ends: dict[tuple[str, str], list[Rule]] = {}
        self._lengths: dict[tuple[int, int], None] = {}

    def add(self, stage: Stage, rows: Sequence[Mapping[str, Value]]) -> None:
        """Add a stage with wildcards.

        Args:
            stage: The stage.
            rows: The items of its `for_each`: [{}] without.

        Raises:
            ItemError: An item has no place in its outputs.
        """
        for output in stage.results:
            for row in rows if not output.value else ():
                rule = Rule(stage, output, row)
                self.all.append(rule)
                self._by_ends.setdefault((rule.start, rule.end), []).append(rule)
                self._lengths[len(rule.start), len(rule.end)] = None

    def matching(self, path: str) -> list[Match]:
        """Who could make *path*: each stage and item once."""
        found: dict[str, Match] = {}
        size = len(path)
        for start, end in self._lengths:
            if start + end > size:
                continue
            for rule in self._by_ends.get((path[:start], path[size - end :]), ()):
                match = rule.match(path)
                if match is not None:
                    found.setdefault(match.name, match)
        return list(found.values())

    def globbed(self, glob: str) -> Rule | None:
        """A rule that makes what a canonical glob could match."""
        return next((rule for rule in self.all if rule.may_match(glob)), None)


# --- globs and rules, as automata: is there a path that both match?


class _Class(NamedTuple):
    """A set of characters: one of them, all that are no slash, all, or those of a bracket."""

    literal: str = ""
    slash: bool = False
    bracket: str = ""

    def has(self, char: str) -> bool:
        if self.literal:
            return char == self.literal
        if self.bracket:
            return re.fullmatch(self.bracket, char) is not None  # a slash too, if it is not one of those excluded: so it is matched
        return self.slash or char != "/"


_NO_SLASH = _Class()
_ANY = _Class(slash=True)
_SLASH = _Class("/")


def _common(one: _Class, other: _Class) -> bool:
    """Whether two sets have a character in common; of two brackets that is taken for granted."""
    if one.literal:
        return other.has(one.literal)
    return one.has(other.literal) if other.literal else True


class _State(NamedTuple):
    """One state of an automaton: where characters lead, where nothing leads, and whether it may end here."""

    steps: list[tuple[_Class, int]]
    free: list[int]
    ends: bool = False


class _States:
    """Makes an automaton from left to right. The last state is the one that all so far leads to."""

    def __init__(self) -> None:
        self.found = [_State([], [], True)]

    def step(self, kind: _Class) -> None:
        """One character."""
        at = len(self.found) - 1
        self.found[at] = self.found[at]._replace(ends=False)
        self.found[at].steps.append((kind, at + 1))
        self.found.append(_State([], [], True))

    def text(self, text: str) -> None:
        for char in text:
            self.step(_Class(char))

    def loop(self, kind: _Class) -> None:
        """Any number of characters, none as well."""
        at = len(self.found) - 1
        self.found[at] = self.found[at]._replace(ends=False)
        self.found[at].free.append(at + 1)
        self.found.append(_State([(kind, at + 1)], [], True))

    def folders(self) -> None:
        """Any number of folders, each with its slash, none as well."""
        at = len(self.found) - 1
        self.found[at] = self.found[at]._replace(ends=False)
        self.found[at].free.append(at + 2)
        self.found[at].steps.append((_NO_SLASH, at + 1))
        self.found.append(_State([(_NO_SLASH, at + 1), (_SLASH, at)], []))
        self.found.append(_State([], [], True))

    def below(self, only: bool) -> None:
        """What lies in the folder of this name; *only*: the folder itself does not count."""
        at = len(self.found) - 1
        self.found[at].steps.append((_SLASH, at + 1))
        if only:
            self.found[at] = self.found[at]._replace(ends=False)
        self.found.append(_State([(_ANY, at + 1)], [], True))


_GLOB = re.compile(r"\\.|\*+|\?|\[!?\^?\]?(?:\\.|[^\]\\])*\]|.", re.DOTALL)


def _glob_states(glob: str) -> list[_State]:
    states = _States()
    body = glob.rstrip("/")
    parts = body.removeprefix("./").split("/")
    if "/" not in body:
        states.folders()  # at any depth
    for number, part in enumerate(parts):
        last = number == len(parts) - 1
        if part == "**" and not last:
            states.folders()
            continue
        for token in _GLOB.findall(part):
            if token[0] == "*":
                states.loop(_ANY if part == "**" else _NO_SLASH)
            elif token == "?":
                states.step(_NO_SLASH)
            elif token[0] == "[" and len(token) > 1:
                states.step(_bracket(token))
            else:
                states.step(_Class(token[-1]))
        if not last:
            states.step(_SLASH)
    states.below(only=body != glob)
    return states.found


def _bracket(token: str) -> _Class:
    inner = token[1:-1]
    no = "^" if inner[0] in "!^" else ""
    source = f"[{no}{inner[len(no) :]}]".replace("[:", "\\[:")
    try:
        re.compile(source)
    except re.error:
        return _NO_SLASH
    return _Class(bracket=source)


def _may_cross(where: str) -> bool:
    """Whether a regular expression could match a slash. In doubt it could."""
    if where == ONE_NAME:
        return False
    if re.search(r"/|\[\^|\\[^.\\dws+*?()\[\]{}|^$-]|(?<!\\)\.", where):
        return True
    return any(first <= "/" <= last for first, last in re.findall(r"(.)-(.)", where))


def _meet(one: list[_State], other: list[_State]) -> bool:
    todo, seen = [(0, 0)], {(0, 0)}
    while todo:
        first, second = todo.pop()
        here, there = one[first], other[second]
        if here.ends and there.ends:
            return True
        following = [(at, second) for at in here.free] + [(first, at) for at in there.free]
        following += [(at, to) for kind, at in here.steps for own, to in there.steps if _common(kind, own)]
        for pair in following:
            if pair not in seen:
                seen.add(pair)
                todo.append(pair)
    return False
