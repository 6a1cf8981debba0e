"""Regular expressions that Python may match for ever: what they are tried on can be read in exponentially many ways.

Python tries one reading after another, and nothing can stop it while it does. `(a+)+` reads 30 letters `a` in half a milliard ways, all of which
are tried where no match comes of it; `([a-z]+_)*[a-z]+` reads any text in one way, and is as harmless as it is common. So what is looked for are
not nested repetitions, but what is wrong with some of them: a place in the expression that leads back to itself along two ways with the same text.

The expression becomes an automaton whose states are its characters (Glushkov's). Two states that can be reached from one with the same text are a
pair; if from such a pair one can get together again, there are the two ways. Where it is not known exactly what an expression does, it is taken to
be harmless, but for assertions, which are taken to hold.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from importlib import import_module
from typing import Any, NamedTuple

MOST = 32
"""So many characters of a counted repetition are written out; a longer one counts as endless."""

FEW = 4
"""So often something may be repeated whose endless repetition could be read in many ways."""

_SAMPLES = "".join(map(chr, range(1, 128))) + "\xe9\u0663\u2003\udc80"
"""Characters by which classes are compared, besides those that the expression names: ASCII, and some of each kind of others."""


class _Part(NamedTuple):
    """An expression or a part of one.

    Args:
        empty: In how many ways it matches nothing: 2 stands for more than one, here and below.
        first: States in which a match may begin -> in how many ways.
        last: States in which it may end -> in how many ways.
    """

    empty: int
    first: Mapping[int, int]
    last: Mapping[int, int]


_NOTHING = _Part(1, {}, {})


def endless(text: str) -> bool:
    """Whether matching a regular expression can take exponential time.

    Args:
        text: One that Python can compile.
    """
    if "(" not in text:  # nothing is repeated but characters
        return False
    try:
        tree = import_module("re._parser").parse(text)
    except (ImportError, AttributeError):  # another Python, which parses elsewhere
        return False
    automaton = _Automaton(_alphabet(text, tree), bool(tree.state.flags & re.IGNORECASE))
    automaton.add(tree)
    return automaton.ambiguous or automaton.has_two_ways()


class _Automaton:
    """States, each with the characters that lead into it (a bit each), and what may follow on each.

    Args:
        alphabet: All characters by which classes are told apart.
        ignoring: Whether capital letters count as small ones.
    """

    def __init__(self, alphabet: str, ignoring: bool) -> None:
        self._alphabet = alphabet
        self._ignoring = ignoring
        self._classes: dict[str, int] = {}
        self._chars: list[int] = []
        self._follow: list[dict[int, int]] = []
        self.ambiguous = False

    def add(self, tree: Iterable[tuple[Any, Any]]) -> _Part:
        """Add an expression, as Python parses it."""
        found = _NOTHING
        for op, value in tree:
            found = self._joined(found, self._part(op if isinstance(op, str) else repr(op), value))
        return found

    def _part(self, op: str, value: Any) -> _Part:
        if op in ("LITERAL", "NOT_LITERAL", "ANY", "IN"):
            return self._state(self._class(op, value))
        if op == "SUBPATTERN":
            return self.add(value[3])
        if op == "BRANCH":
            return self._either([self.add(each) for each in value[1]])
        if op in ("MAX_REPEAT", "MIN_REPEAT"):
            return self._repeated(*value)
        if op == "GROUPREF_EXISTS":
            return self._either([self.add(each or ()) for each in value[1:]])
        if op in ("ASSERT", "ASSERT_NOT", "ATOMIC_GROUP", "POSSESSIVE_REPEAT"):
            inner = value[1] if op.startswith("ASSERT") else [("MAX_REPEAT", value)] if op == "POSSESSIVE_REPEAT" else value
            self._apart(inner)
            return _NOTHING if op.startswith("ASSERT") else self._unlike()
        return self._unlike() if op.startswith("GROUPREF") else _NOTHING  # AT: a place between characters

    def _apart(self, tree: Iterable[tuple[Any, Any]]) -> None:
        """What is matched for itself: no other reading of it is tried once it is through."""
        inner = _Automaton(self._alphabet, self._ignoring)
        inner.add(tree)
        self.ambiguous = self.ambiguous or inner.ambiguous or inner.has_two_ways()

    def _unlike(self) -> _Part:
        """Something that is read in one way, and shares no text with anything else."""
        return self._state(1 << (len(self._alphabet) + len(self._chars)))

    def _state(self, chars: int) -> _Part:
        self._chars.append(chars)
        self._follow.append({})
        state = {len(self._chars) - 1: 1}
        return _Part(0, state, state)

    def _joined(self, one: _Part, other: _Part) -> _Part:
        self._link(one.last, other.first)
        first = _sum(one.first, other.first, one.empty)
        return _Part(min(2, one.empty * other.empty), first, _sum(other.last, one.last, other.empty))

    def _either(self, parts: Iterable[_Part]) -> _Part:
        found = _Part(0, {}, {})
        for part in parts:
            empty = min(2, found.empty + part.empty)
            found = _Part(empty, _sum(found.first, part.first, 1), _sum(found.last, part.last, 1))
        return found

    def _repeated(self, least: int, most: int, tree: Any) -> _Part:
        before = len(self._chars)
        part = self.add(tree)
        size = len(self._chars) - before
        if size and FEW < most <= MOST:
            if part.empty:
                self.ambiguous = True
            self._apart([("MAX_REPEAT", (0, MOST + 1, tree))])
        if max(most, most * size) <= MOST:
            return self._counted(part, least, most, tree) if most else _NOTHING
        self._link(part.last, part.first)
        return part if least else part._replace(empty=1)

    def _counted(self, part: _Part, least: int, most: int, tree: Any) -> _Part:
        parts = [part, *[self.add(tree) for _ in range(most - 1)]]
        found = _NOTHING
        for number in range(most - 1, -1, -1):  # x{1,3} is x(x(x)?)?, each text of which is read in one way
            found = self._joined(parts[number], found)
            if number >= least and not found.empty:
                found = found._replace(empty=1)
        return found

    def _link(self, last: Mapping[int, int], first: Mapping[int, int]) -> None:
        for state, ways in last.items():
            follow = self._follow[state]
            for to, more in first.items():
                follow[to] = min(2, follow.get(to, 0) + ways * more)

    def _class(self, op: str, value: Any) -> int:
        name = f"{op} {value}"
        if name not in self._classes:
            self._classes[name] = sum(1 << at for at, char in enumerate(self._alphabet) if self._has(op, value, char))
        return self._classes[name]

    def _has(self, op: str, value: Any, char: str) -> bool:
        kinds = (char, char.lower(), char.upper()) if self._ignoring else (char,)
        if op == "ANY":
            return True
        if op == "IN":
            negated = repr(value[0][0]) == "NEGATE"
            return any(_holds(repr(kind), inner, each) for kind, inner in value[negated:] for each in kinds) is not negated
        return any(ord(each) == value for each in kinds if len(each) == 1) is (op == "LITERAL")

    def has_two_ways(self) -> bool:
        """Whether a state leads back to itself along two ways with the same text."""
        home = _circles(self._follow)
        inner = [{to: ways for to, ways in follow.items() if home[to] == home[state]} for state, follow in enumerate(self._follow)]
        if any(ways > 1 for follow in inner for ways in follow.values()):
            return True
        alike = [state for state, follow in enumerate(inner) if follow]
        seen = {(state, state) for state in alike}
        back: dict[tuple[int, int], list[tuple[int, int]]] = {}
        todo = list(seen)
        while todo:
            pair = todo.pop()
            for one in inner[pair[0]]:
                for other in inner[pair[1]]:
                    if self._chars[one] & self._chars[other]:
                        back.setdefault((one, other), []).append(pair)
                        if (one, other) not in seen:
                            seen.add((one, other))
                            todo.append((one, other))
        todo, together = [(state, state) for state in alike], set[tuple[int, int]]()
        while todo:
            for pair in back.get(todo.pop(), ()):
                if pair not in together:
                    together.add(pair)
                    todo.append(pair)
        return any(one != other for one, other in together)


def _sum(one: Mapping[int, int], other: Mapping[int, int], times: int) -> Mapping[int, int]:
    if not times:
        return one
    return {**one, **{state: min(2, one.get(state, 0) + ways * times) for state, ways in other.items()}}


def _circles(follow: list[dict[int, int]]) -> list[int]:
    """For each state a number that it shares with those that it leads to and that lead back to it."""
    reached = []
    for state in range(len(follow)):
        found: set[int] = set()
        todo = [state]
        while todo:
            new = follow[todo.pop()].keys() - found
            found |= new
            todo += new
        reached.append(found)
    return [min([other for other in reached[state] if state in reached[other]], default=-1 - state) for state in range(len(follow))]


def _holds(kind: str, value: Any, char: str) -> bool:
    """Whether a part of a class has a character."""
    if kind == "LITERAL":
        return len(char) == 1 and ord(char) == value
    if kind == "RANGE":
        return len(char) == 1 and value[0] <= ord(char) <= value[1]
    name = repr(value).removeprefix("CATEGORY_")
    plain = {"DIGIT": char.isdecimal(), "SPACE": char.isspace(), "WORD": char.isalnum() or char == "_"}
    return plain.get(name.removeprefix("NOT_"), True) is not name.startswith("NOT_")


def _alphabet(text: str, tree: Iterable[tuple[Any, Any]]) -> str:
    """Characters of which each class of the expression, and each two of them have in common, have one, if they have any."""
    found = dict.fromkeys(_SAMPLES + text)
    todo: list[Any] = [tree]
    while todo:
        value = todo.pop()
        if isinstance(value, tuple) and len(value) == 2 and repr(value[0]) in ("LITERAL", "NOT_LITERAL", "RANGE"):
            for end in value[1] if isinstance(value[1], tuple) else (value[1],):
                found.update(dict.fromkeys(chr(near) for near in (end - 1, end, end + 1) if 0 <= near < 0x110000))
        elif not isinstance(value, int | str) and value is not None:
            todo += list(value)
    return "".join(found)
