"""Random stories of pattern rules: sources of several kinds come, change and go, and what is asked for changes.

After every edit: exactly those instances ran that had to, or the build says what is missing; outputs hold what they have to; a second build runs
nothing; builds from the index and from the Pipefile do the same. In the end outputs are those of a build from scratch. PIPEFILE_SEEDS=100 runs more
of them, PIPEFILE_FIRST_SEED=1000 others.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable

import pytest
from kit import Project

SEEDS = max(1, int(os.environ.get("PIPEFILE_SEEDS", "24")) // 8)
FIRST = int(os.environ.get("PIPEFILE_FIRST_SEED", "0"))
STEPS = 12
NAMES = "abcd"


class Story:
    """A program of objects; an object from `src/x.c`, or from `x.s`; `src/x.c` a source, or made from `x.y`.

    Attributes:
        files: What a person has written: path -> text.
        made: What pipefile has made of files that could be sources too: path -> text.
        wanted: Names of the objects that the program has.
        salt: In the command of objects.
        known: Edge -> what it was last made of.
    """

    def __init__(self, project: Project, seed: int) -> None:
        self.project, self.chance = project, random.Random(seed)
        self.files: dict[str, str] = {}
        self.made: dict[str, str] = {}
        self.wanted = ["a"]
        self.salt = 0
        self.known: dict[str, object] = {}
        self.told: list[str] = []
        for name in NAMES:
            self.write(f"src/{name}.c", f"{name}\n")
        self.declare()

    def declare(self) -> None:
        project = self.project
        project.stage("gen", "{name}.y", "src/{name}.c", "(echo gen; cat {inputs}) > {outputs}", where={"name": "[a-c]"})
        project.stage("obj", "src/{name}.c", "build/{name}.o", f"(cat {{inputs}}; echo {self.salt}) > {{outputs}}")
        project.stage("asm", "{name}.s", "build/{name}.o", "(echo asm; cat {inputs}) > {outputs}")
        project.stage("app", [f"build/{name}.o" for name in self.wanted], "app", "cat {inputs} > {outputs}")

    # -- what has to be

    def gen(self, name: str) -> str | None:
        """What `gen` makes of a name; None if it cannot."""
        return f"gen\n{self.files[f'{name}.y']}" if name in "abc" and f"{name}.y" in self.files else None

    def source(self, name: str) -> str | None:
        """The text of `src/x.c` when `obj` reads it; None if it is not there, or was made and cannot be made again."""
        path = f"src/{name}.c"
        made = self.gen(name)
        if made is not None:
            return made
        return self.files.get(path) if self.made.get(path) is None else None

    def expected(self, names: list[str]) -> tuple[dict[str, object], dict[str, str]] | None:
        """Edge -> what it is made of, and the texts of what they make; None if a build for these objects is an error."""
        edges: dict[str, object] = {}
        texts: dict[str, str] = {}
        for name in names:
            source, asm = self.source(name), self.files.get(f"{name}.s")
            if (source is None) == (asm is None):
                return None
            if source is not None:
                made = self.gen(name)
                if made is not None:
                    edges[f"gen@{name}"] = made
                    texts[f"src/{name}.c"] = made
                edges[f"obj@{name}"] = (source, self.salt)
                texts[f"build/{name}.o"] = f"{source}{self.salt}\n"
            else:
                edges[f"asm@{name}"] = asm
                texts[f"build/{name}.o"] = f"asm\n{asm}"
        return edges, texts

    # -- what happens

    def write(self, path: str, text: str) -> None:
        self.told.append(f"write {path}: {text!r}")
        self.files[path] = text
        self.made.pop(path, None)
        self.project.write(path, text)

    def remove(self, path: str) -> None:
        self.told.append(f"remove {path}")
        self.files.pop(path, None)
        self.made.pop(path, None)
        self.project.remove(path)

    def edit(self) -> None:
        chance = self.chance
        name = chance.choice(NAMES)
        kind = chance.choice(["y", "y", "c", "c", "s", "wanted", "wanted", "salt"])
        if kind == "wanted":
            self.wanted = sorted(chance.sample(NAMES, chance.randint(1, 3)))
            self.told.append(f"wanted {self.wanted}")
            self.declare()
        elif kind == "salt":
            self.salt += 1
            self.told.append(f"salt {self.salt}")
            self.declare()
        else:
            path = f"src/{name}.c" if kind == "c" else f"{name}.{kind}"
            if self.project.exists(path) and chance.random() < 0.5:
                self.remove(path)
            else:
                self.write(path, f"{name} {chance.randint(0, 99)}\n")

    def build(self) -> None:
        target = self.chance.choice(NAMES) if self.chance.random() < 0.3 else ""
        names = [target] if target else self.wanted
        expected = self.expected(names)
        targets = [f"build/{target}.o"] if target else []
        cold = self.chance.random() < 0.3
        self.told.append(f"build {targets}{' cold' if cold else ''}")
        outcome = self.project.build(*targets, jobs=self.chance.choice([1, 4]), cold=cold)
        if expected is None or (not target and self.expected(self.wanted) is None):
            assert (outcome.exit_status, outcome.ran) == (2, []), self.story(outcome.output)
            return
        edges, texts = expected
        if not target:
            edges["app"] = [texts[f"build/{name}.o"] for name in names]
            texts["app"] = "".join([texts[f"build/{name}.o"] for name in names])
        if target and self.told_ambiguous():  # of what is asked for besides
            assert outcome.exit_status == 2, self.story(outcome.output)
            return
        assert outcome.exit_status == 0, self.story(outcome.output)
        must = {edge for edge, made_of in edges.items() if self.known.get(edge) != made_of or self.stale(edge)}
        assert set(outcome.ran) == must, self.story(f"ran {outcome.ran}, had to: {sorted(must)}")
        self.known.update(edges)
        for path, text in texts.items():
            assert self.project.read(path) == text, self.story(path)
            if path.startswith("src/"):
                self.files[path] = self.made[path] = text
        again = self.project.build(*targets)
        assert (again.exit_status, again.ran, again.output) == (0, [], ""), self.story(again.output)

    def told_ambiguous(self) -> bool:
        """Whether what the program asks for can be made in two ways, which every build tells."""
        return any(self.source(name) is not None and f"{name}.s" in self.files for name in self.wanted)

    def stale(self, edge: str) -> bool:
        """Whether something else than what an edge has made stands at the place of its output."""
        rule, _, name = edge.partition("@")
        if rule == "gen":
            return self.made.get(f"src/{name}.c") is None
        if rule in ("obj", "asm"):
            record = self.project.record(f"build/{name}.o")
            return not self.project.exists(f"build/{name}.o") or f'"edge":"{edge}"' not in self.project.read(record).replace('": "', '":"')
        return not self.project.exists("app")

    def story(self, *more: str) -> str:
        return "\n".join([*self.told, *more])


@pytest.mark.parametrize("seed", range(FIRST, FIRST + SEEDS))
def test_stories(new_project: Callable[[], Project], seed: int) -> None:
    """Cases 20, 24 and 25 of pattern rules, mixed at random."""
    story = Story(new_project(), seed)
    story.build()
    for _ in range(STEPS):
        story.edit()
        story.build()
    if story.expected(story.wanted) is not None:
        story.project.build()
        story.project.settled()
