"""Random stories of stages whose items other stages make: items come, change and go with what they are made of.

After every edit: exactly those edges ran that had to; outputs are those of a build from scratch; a second build runs nothing; one job and four do the
same. PIPEFILE_SEEDS=100 runs more of them, PIPEFILE_FIRST_SEED=1000 others.
"""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable

import pytest
from kit import Project

SEEDS = max(1, int(os.environ.get("PIPEFILE_SEEDS", "24")) // 24)
FIRST = int(os.environ.get("PIPEFILE_FIRST_SEED", "0"))
STEPS = 6

STEPS_PY = """
def split(doc):
    with open(doc) as file:
        return {"parts": [line.split()[0] for line in file], "note": 1}

def length(src):
    with open(src) as file:
        return len(file.read())
"""


class Story:
    """`doc.txt` has a line a page: its name and its text. `pages` writes a file for each, `split` returns their names; `up` goes through the files,
    `tag` through the names, `size` (a value each) through what `up` makes, `pair` through the sizes of these; `book` takes all.

    Attributes:
        lines: Name of a page -> its text.
        known: Edge -> what it was last made of; a damaged one is not in it.
    """

    def __init__(self, project: Project, seed: int) -> None:
        self.project, self.chance = project, random.Random(seed)
        self.lines: dict[str, str] = {}
        self.salt = 0
        self.known: dict[str, object] = {}
        self.told: list[str] = []
        project.write("steps.py", STEPS_PY)
        for _ in range(3):
            self.new()
        self.declare()

    def declare(self) -> None:
        project = self.project
        project.stage("book", ["up.outputs", "tag.outputs", "t/*.tag", "pair.outputs"], "book.txt", "cat /dev/null {inputs} > {outputs}")
        project.stage("pair", None, "n/{n}", "echo {n} > {outputs}", for_each={"n": "sizes.all"})
        project.stage("sizes", {"each": "size.n"}, {"all": "value:json"}, call="more:unique")
        project.stage("size", {"src": "{u}"}, {"n": "value:int"}, call="steps:length", for_each={"u": "up.dst"})
        project.stage("tag", None, "t/{p}.tag", "echo {p} > {outputs}", for_each={"p": "split.parts"})
        command = f"sed 's/$/{self.salt}/' {{src}} > {{dst}}"
        project.stage("up", {"src": "{p}"}, {"dst": "u/{p.stem}.up"}, command, for_each={"p": "b/pages/*.txt"})
        project.stage("split", {"doc": "doc.txt"}, {"parts": "value:json", "note": "value:int"}, call="steps:split")
        run = 'mkdir -p {out}; while read name text; do echo "$text" > {out}/$name.txt; done < {doc}'
        project.stage("pages", {"doc": "doc.txt"}, {"out": "b/pages/"}, run)
        project.write("more.py", "def unique(each):\n    return sorted(set(each))\n")

    def write(self) -> None:
        self.project.write("doc.txt", "".join([f"{name} {text}\n" for name, text in self.lines.items()]))

    # -- what has to be

    def made_of(self) -> dict[str, object]:
        """Edge -> all that it is made of."""
        doc = tuple(self.lines.items())
        ups = {name: f"{text}{self.salt}\n" for name, text in sorted(self.lines.items())}
        sizes = sorted({len(text) for text in ups.values()})
        found: dict[str, object] = {"pages": doc, "split": doc}
        found |= {f"up@b/pages/{name}.txt": (self.lines[name], self.salt) for name in ups}
        found |= {f"tag@{name}": name for name in self.lines}
        found |= {f"size@u/{name}.up": text for name, text in ups.items()}
        found |= {f"pair@{size}": size for size in sizes}
        found["sizes"] = [len(text) for text in ups.values()]
        found["book"] = self.book()
        return found

    def book(self) -> str:
        ups = [f"{text}{self.salt}\n" for _, text in sorted(self.lines.items())]
        sizes = sorted({len(text) for text in ups})
        return "".join([*ups, *[f"{name}\n" for name in self.lines], *[f"{name}\n" for name in sorted(self.lines)], *[f"{n}\n" for n in sizes]])

    # -- edits

    def new(self) -> str:
        name = f"{self.chance.choice('abc')}{len(self.told)}{len(self.lines)}"
        self.lines[name] = self.chance.choice(["x", "xy", "xyz"])
        self.write()
        return f"new {name}"

    def edited(self) -> str:
        if not self.lines:
            return self.new()
        name = self.chance.choice(sorted(self.lines))
        self.lines[name] = self.chance.choice(["x", "xy", "xyz", "z"])
        self.write()
        return f"edited {name}"

    def gone(self) -> str:
        if len(self.lines) < 2:
            return self.new()
        name = self.chance.choice(sorted(self.lines))
        del self.lines[name]
        self.write()
        return f"removed {name}"

    def ordered(self) -> str:
        names = sorted(self.lines, reverse=self.chance.random() < 0.5)
        self.lines = {name: self.lines[name] for name in names}
        self.write()
        return "ordered"

    def output(self) -> str:
        """An output is damaged, or lost."""
        edge, path = self.chance.choice(
            [
                ("split", self.project.value("split", "parts")),
                ("pages", "b/pages/zz.txt"),
                *[(f"up@b/pages/{name}.txt", f"u/{name}.up") for name in self.lines],
                *[(f"tag@{name}", f"t/{name}.tag") for name in self.lines],
            ]
        )
        if self.known.pop(edge, None) is None:
            return "nothing"
        self.project.write(path, json.dumps(["evil"]) if edge == "split" else "damaged\n")
        return f"damaged {path}"

    def command(self) -> str:
        self.salt += 1
        self.declare()
        return "the command is another"

    def index(self) -> str:
        if self.project.exists("pipeline_outputs/index"):
            self.project.remove("pipeline_outputs/index")
        return "removed the index"

    def edit(self) -> None:
        edits = (self.new, self.new, self.edited, self.edited, self.gone, self.gone, self.ordered, self.output, self.output, self.command, self.index)
        self.told.append(self.chance.choice(edits)())

    # -- builds

    def build(self, jobs: int) -> list[str]:
        wanted = self.made_of()
        must = sorted([name for name, made in wanted.items() if self.known.get(name) != made])
        outcome = self.project.build(jobs=jobs, allow_removal=True)
        assert (outcome.exit_status, sorted(outcome.ran)) == (0, must), (self.told, outcome.output)
        self.known = wanted
        assert self.project.read("book.txt") == self.book(), self.told
        again = self.project.build(jobs=jobs)
        assert (again.exit_status, again.ran, again.output) == (0, [], ""), self.told
        return sorted(outcome.ran)


@pytest.mark.parametrize("seed", range(FIRST, FIRST + SEEDS))
def test_items_that_stages_make(new_project: Callable[[], Project], seed: int) -> None:
    """Cases 1, 5, 12, 20, 24 to 26 and 65 on instances of items that come and go with a build, mixed at random: with four jobs and with one."""
    many, one = Story(new_project(), seed), Story(new_project(), seed)
    for _ in range(STEPS):
        assert many.build(4) == one.build(1), many.told
        assert many.project.outputs() == one.project.outputs(), many.told
        assert set(many.project.status().values()) == {"fresh"}
        many.edit()
        one.edit()
        assert many.project.status() == one.project.status()
    many.build(2)
    many.project.settled()
    assert {path for path in many.project.tree() if path[:2] in ("u/", "t/", "n/") and ".hash" not in path} == {
        path for path in many.project.declared() if path[:2] in ("u/", "t/", "n/")
    }


WORDS_PY = """
def words(texts):
    found = set()
    for text in texts:
        with open(text) as file:
            found.update(file.read().split())
    return sorted(found)[:4]
"""


class Web:
    """Stages of any kind that items come from and go to, joined at random: directories, values, fan-outs over these, over each other and over globs,
    directories of instances, and stages that read some of it."""

    def __init__(self, project: Project, seed: int, stages: int = 9) -> None:
        self.project, self.chance = project, random.Random(seed)
        self.sources = ["s0.txt", "s1.txt"]
        self.texts: list[object] = list(self.sources)
        self.items: list[str] = []
        self.declared: dict[str, dict[str, object]] = {}
        project.write("steps.py", WORDS_PY)
        for source in self.sources:
            self.edit(source)
        for number in range(stages):
            self.add(number)

    def edit(self, source: str = "") -> None:
        words = self.chance.sample(["a", "b", "c", "d", "ee", "ff"], self.chance.randint(0, 4))
        self.project.write(source or self.chance.choice(self.sources), " ".join(words) + "\n")

    def stage(self, name: str, inputs: object, outputs: object, run: str | None = None, **keys: object) -> None:
        self.declared[name] = {"inputs": inputs, "outputs": outputs, "run": run, **keys}
        self.project.stage(name, **self.declared[name])

    def breaks(self, name: str) -> None:
        """A stage fails until it is mended."""
        self.project.stage(name, **{**self.declared[name], "run": "echo {x} > /dev/null; exit 1" if "for_each" in self.declared[name] else "exit 1"})

    def mend(self, name: str) -> None:
        self.project.stage(name, **self.declared[name])

    def add(self, number: int) -> None:
        chance = self.chance
        some = chance.sample(self.texts, min(2, len(self.texts)))
        lines = "find /dev/null {inputs} -type f | LC_ALL=C sort | xargs cat /dev/null"
        words = "tr -s ' ' '\\n' | LC_ALL=C sort -u | head -4"
        split = f"mkdir -p {{outputs}}; {lines} | {words} | while read w; do echo $w{number} > {{outputs}}/$w.txt; done"
        kind = chance.choice(["dir", "value", "each", "each", "each", "dirs", "join"] if self.items else ["dir", "value"])
        name = f"{kind}{number}"
        if kind == "dir":
            self.stage(name, some, f"{name}/", split)
            self.items.append(f"{name}/*.txt")
            self.texts.append(f"{name}/")
        elif kind == "value":
            self.stage(name, {"texts": list(self.sources)}, {"all": "value:json"}, call="steps:words")
            self.items.append(f"{name}.all")
        elif kind == "each":
            of_value = (over := chance.choice(self.items)).endswith(".all")
            command = "echo {x} > {outputs}" if of_value else "cat {x} > {outputs}"
            path = f"{name}/{{x}}.txt" if of_value else f"{name}/{{x.stem}}-{{x.parent.name}}.txt"
            inputs = [*([] if of_value else ["{x}"]), *(some if chance.random() < 0.5 else [])]
            self.stage(name, inputs, path, command, for_each={"x": over})
            self.items += [f"{name}.outputs", f"{name}/*.txt"]
            self.texts += [f"{name}.outputs", {"path": f"{name}/*.txt", "optional": True}]
        elif kind == "dirs":
            over = chance.choice([each for each in self.items if not each.endswith(".all")] or self.items)
            folder = f"{name}/{{x}}/" if over.endswith(".all") else f"{name}/{{x.stem}}-{{x.parent.name}}/"
            self.stage(name, some, folder, split + "; : {x}", for_each={"x": over})
            self.items.append(f"{name}/*/*.txt")
        else:
            self.stage(name, some, f"{name}.txt", lines + " > {outputs}")
            self.texts.append(f"{name}.txt")


@pytest.mark.parametrize("seed", range(FIRST, FIRST + SEEDS))
def test_webs_of_fan_outs(new_project: Callable[[], Project], seed: int) -> None:
    """Whatever items come from and go to: builds with one job and with four, in waves or not, are as a clean one, and a second one runs nothing."""
    many, one = Web(new_project(), seed), Web(new_project(), seed)
    for step in range(2):
        outcome = many.project.build(jobs=4, allow_removal=True)
        other = one.project.build(jobs=1, allow_removal=True, schedule="waves" if step else "eager")
        assert (outcome.exit_status, sorted(outcome.ran)) == (0, sorted(other.ran)), (outcome.output, other.output)
        assert many.project.outputs() == one.project.outputs()
        again = many.project.build(jobs=4)
        assert (again.exit_status, again.ran) == (0, []), again.output
        assert set(many.project.status().values()) <= {"fresh"}
        many.edit()
        one.edit()
        bad = many.chance.choice([name for name, table in many.declared.items() if table["run"]])
        assert one.chance.choice([name for name, table in one.declared.items() if table["run"]]) == bad
        many.breaks(bad)
        one.breaks(bad)
        outcome = many.project.build(jobs=4, allow_removal=True, keep_going=True)
        other = one.project.build(jobs=1, allow_removal=True, keep_going=True)
        for mine, theirs in ((outcome.ran, other.ran), (outcome.failed, other.failed), (outcome.skipped, other.skipped)):
            assert sorted(mine) == sorted(theirs), (outcome.output, other.output)
        many.mend(bad)
        one.mend(bad)
    assert many.project.build(allow_removal=True).exit_status == 0
    assert many.project.outputs() == many.project.clean_outputs()
