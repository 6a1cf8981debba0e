"""Which pattern rule makes a file, and which globs could match what a rule makes."""

from __future__ import annotations

import random
import re

import pytest

from pipefile.base.dataclass import replace
from pipefile.model.stage import Axis, ForEach, Output, Stage
from pipefile.plan.patterns import canonical, matcher
from pipefile.plan.wildcards import ONE_NAME, Rule, Rules


def rule(path: str, **where: str) -> Stage:
    """A pattern rule with one output; its name is that."""
    names = tuple(dict.fromkeys(re.findall(r"(?<!\{)\{(\w+)\}", path)))
    axes = tuple([Axis(name, naming=(name,)) for name in names])
    each = ForEach(axes, names=names, wildcards=tuple([(name, where.get(name, ONE_NAME)) for name in names]))
    return Stage(path, outputs=(Output(None, path.rstrip("/"), path.endswith("/")),), for_each=each)


def rules_of(*stages: Stage) -> Rules:
    found = Rules()
    for stage in stages:
        found.add(stage, [{}])
    return found


def made(path: str, *stages: Stage) -> list[str]:
    """The instances that make a file."""
    return [match.name for match in rules_of(*stages).matching(path)]


def test_literal_text_and_wildcards() -> None:
    """All of a path is matched; a wildcard is at least one character, and no slash."""
    objects = rule("build/{name}.o")

    assert made("build/a.o", objects) == ["build/{name}.o@a"]
    assert [made(path, objects) for path in ("build/.o", "build/a/b.o", "xbuild/a.o", "build/a.o.d", "build/a.")] == [[]] * 5
    assert made("build/a\n.o", objects) == ["build/{name}.o@a\n"]


def test_ends_do_not_overlap() -> None:
    """What a path begins with and what it ends with are two stretches of it."""
    assert made("aba", rule("ab{x}ba")) == []
    assert made("abXba", rule("ab{x}ba")) == ["ab{x}ba@X"]


def test_where_is_for_all_of_a_wildcard() -> None:
    """A regular expression matches all of it, alternatives too; it may match slashes, and nothing."""
    assert made("x/ab.o", rule("x/{n}.o", n="a|ab")) == ["x/{n}.o@ab"]
    assert made("x/abc.o", rule("x/{n}.o", n="a|ab")) == []
    assert made("x/a/b.o", rule("x/{n}.o", n=".+")) == ["x/{n}.o@a/b"]
    assert made("x/.o", rule("x/{n}.o", n="[a-z]*")) == ["x/{n}.o@"]
    assert made("x/a.a.o", rule("x/{n}.o", n="(?P<c>[a-z])[.](?P=c)")) == ["x/{n}.o@a.a"]


def test_repetition_and_several() -> None:
    """A wildcard that comes again is the same text; of two side by side the first takes as much as it can."""
    assert made("a/a.o", rule("{n}/{n}.o")) == ["{n}/{n}.o@a"]
    assert made("a/b.o", rule("{n}/{n}.o")) == []
    assert made("a-b-c", rule("{x}-{y}")) == ["{x}-{y}@x=a-b,y=c"]


def test_braces_and_regex_characters_are_literal() -> None:
    """What is no wildcard is no regular expression either."""
    assert made("a+(b)/{c}.x", rule("a+(b)/{{c}}.{n}")) == ["a+(b)/{{c}}.{n}@x"]
    assert made("aab/c.x", rule("a+b/c.{n}")) == []


def test_an_item_of_for_each_is_literal() -> None:
    """A rule with `for_each` has one rule for each item."""
    stage = rule("{mode}/{n}.o")
    assert stage.for_each is not None
    each = replace(stage.for_each, wildcards=(("n", ONE_NAME),))
    rules = Rules()
    rules.add(replace(stage, for_each=each), [{"mode": "debug"}, {"mode": 3}])

    assert [match.name for match in rules.matching("3/a.o")] == ["{mode}/{n}.o@mode=3,n=a"]
    assert rules.matching("other/a.o") == []


@pytest.mark.parametrize("name", ["a", "a-b", "a=1,b", "a@b", ""])
def test_called(name: str) -> None:
    """An instance is found by what it is called, whatever its wildcard stands for, if `where` lets it."""
    found = Rule(stage := rule("x/{n}.o", n="[^x]+"), stage.outputs[0], {}).called(f"x/{{n}}.o@{name}")

    assert (None if found is None else dict(found.item)) == ({"n": name} if name else None)
    assert Rule(stage, stage.outputs[0], {}).called("x/{n}.o@axb") is None
    assert Rule(stage, stage.outputs[0], {}).called("other@a") is None


def test_many_targets_over_many_rules() -> None:
    """A path is compared with the rules that have its ends, not with all others: 400 rules, no more than two of which are compared for a path."""
    rules = rules_of(*[rule(f"out{number}/{{n}}.{kind}") for number in range(200) for kind in ("o", "d")])
    asked: list[Rule] = []
    for each in rules.all:
        each.match = lambda path, own=each: asked.append(own) or Rule.match(own, path)  # type: ignore[method-assign, misc, func-returns-value]

    for number in range(200):
        assert len(rules.matching(f"out{number}/a.d")) == 1
    assert len(asked) == 200


GLOBS = [
    ("build/*.o", "build/{n}.o", True),
    ("build/*.h", "build/{n}.o", False),
    ("*.o", "build/{n}.o", True),
    ("./*.o", "build/{n}.o", False),
    ("src/*.o", "build/{n}.o", False),
    ("**/x*.o", "build/{n}.o", True),
    ("src/**/main.o", "src/lib{n}.o", False),
    ("src/**/libx.o", "src/lib{n}.o", True),
    ("build", "build/{n}.o", False),
    ("bui*", "build/{n}.o", True),
    ("build/**", "build/{n}.o", True),
    ("build/?.o", "build/{n}.o", True),
    ("build/?.o", "build/xy{n}.o", False),
    ("build/[a-c]x.o", "build/c{n}.o", True),
    ("build/[a-c]x.o", "build/d{n}.o", False),
    ("build/[!a-c]x.o", "build/a{n}.o", False),
    ("build/*/x.o", "build/{n}.o", False),
    ("build/*/x.o", "build/{n}/x.o", True),
    ("out/*.txt", "out/{n}/", True),
    ("out/*/*.txt", "out/{n}/", True),
    ("out/x/", "out/{n}", False),
    (r"build/\*.o", "build/{n}.o", True),
    (r"build/\*.o", "build/x{n}.o", False),
]


@pytest.mark.parametrize(("glob", "path", "expected"), GLOBS)
def test_globs(glob: str, path: str, expected: bool) -> None:
    """Whether there could be a file that a rule makes and a glob matches: what lies in a folder that it matches, too."""
    stage = rule(path)

    assert Rule(stage, stage.outputs[0], {}).may_match(canonical(glob)) is (expected or glob == "build")


def test_globs_with_where() -> None:
    """A wildcard matches a slash for a glob only where its expression could."""
    for where, crosses in ((".+", True), ("[a-z]+", False), ("[^a]+", True), (r"\w+", False), (r"\S+", True), ("[+-9]", True), (r"a\.b", False)):
        stage = rule("build/{n}.o", n=where)
        assert Rule(stage, stage.outputs[0], {}).may_match("build/*/x.o") is crosses, where


@pytest.mark.parametrize("seed", range(60))
def test_globs_by_chance(seed: int) -> None:
    """Whatever a glob matches of what a rule makes, it could have been known to match."""
    chance = random.Random(seed)
    glob = canonical("".join(chance.choice(["a", "b", "/", "*", "?", "**/", "[ab]", "[!a]"]) for _ in range(chance.randint(1, 6))).strip("/") or "a")
    stage = rule("".join(chance.choice(["a", "b", "/", "{n}"]) for _ in range(chance.randint(1, 5))).strip("/") + "{n}")
    matches = matcher(glob)
    could = Rule(stage, stage.outputs[0], {}).may_match(glob)
    for _ in range(40):
        path = stage.outputs[0].path.replace("{n}", "".join(chance.choice("ab") for _ in range(chance.randint(1, 3))))
        if "//" not in path and matches is not None and matches(path):
            assert could, (glob, stage.outputs[0].path, path)
