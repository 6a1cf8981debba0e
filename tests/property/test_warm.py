"""Builds that start from the index against builds that start from the Pipefile, in two trees with the same random story: the same stages run, fail
and stay fresh, the same bytes come out, the same records stand beside them, and a build right after finds nothing to do. PIPEFILE_SEEDS=100 runs
more of them, PIPEFILE_FIRST_SEED=1000 others.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable

import pytest
from kit import Project
from kit.records import records

from pipefile.model.event import PlanMade

SEEDS = int(os.environ.get("PIPEFILE_SEEDS", "16"))
FIRST = int(os.environ.get("PIPEFILE_FIRST_SEED", "0"))
STEPS = 10

STEPS_PY = '''import parts.words


def join(inputs, outputs, salt):
    with open(outputs[0], "w") as target:
        for each in inputs:
            with open(each) as source:
                target.write(source.read())
        target.write(f"{parts.words.TEXT} {salt}\\n")
'''
FAILING = 'if grep -q fail {inputs}; then exit 3; fi; sort -u {inputs} > {outputs}'
DEPFILE = 'cat {inputs} "$INCLUDE" > {outputs}; echo "x: $INCLUDE" > {depfile}'


class Story:
    """One tree, and what is done to it: the same for the same seed."""

    def __init__(self, project: Project, seed: int) -> None:
        self.project, self.chance, self.told = project, random.Random(seed), list[str]()
        project.environ["INCLUDE"] = "src/include.h"
        project.globals(salt=3, list=["a", "b"])
        project.settings(env=["LEVEL"])
        self.sources = [f"src/{number}.txt" for number in range(self.chance.randint(3, 6))]
        self.sources += ["src/include.h", "parts/words.py", "parts/__init__.py", "steps.py", "tools/show.py"]
        for path in self.sources:
            project.write(path, self.words())
        project.write("steps.py", STEPS_PY)
        project.write("parts/words.py", "TEXT = 'a'\n")
        project.write("parts/__init__.py", "")
        project.write("tools/show.py", "print('shown')\n")
        self.made: list[str] = []
        for number in range(self.chance.randint(4, 14)):
            self.add(number)

    def words(self) -> str:
        return "".join(f"{self.chance.randint(0, 5)}\n" for _ in range(self.chance.randint(1, 3)))

    def add(self, number: int) -> None:
        name, output, chance = f"s{number}", f"out/{number % 3}/{number}", self.chance
        texts = [path for path in self.sources if path.endswith(".txt")] + self.made * 2
        inputs: object = sorted(set(chance.choices(texts, k=chance.randint(1, 3))))
        kinds = "cat cat fail glob call depfile literal script named reference optional after none value"
        kind = chance.choice(kinds.split())
        keys: dict[str, object] = {"outputs": output, "run": f"(cat {{inputs}}; echo {number % 2}) > {{outputs}}"}
        if kind == "fail":
            keys["run"] = FAILING
        elif kind == "glob":
            inputs = "src/*.txt"
        elif kind == "call":
            keys |= {"run": None, "call": "steps:join", "params": {"salt": "global.salt"}}
        elif kind == "depfile":
            keys |= {"depfile": f"out/{number}.d", "run": DEPFILE}
        elif kind == "literal":
            inputs, keys["run"] = None, f"cat {chance.choice(texts)} > {{outputs}}"
        elif kind == "script":
            keys["run"] = "(python3 tools/show.py; cat {inputs}) > {outputs}"
        elif kind == "named":
            inputs = {"one": inputs, "two": texts[0]}
            keys |= {"outputs": {"dst": output, "more": f"{output}.more"}, "run": "cat {one} {two} > {dst}; wc -l < {two} > {more}"}
        elif kind == "reference" and self.made:
            inputs = [f"s{chance.choice(self.made).rpartition('/')[2]}.outputs"]
        elif kind == "optional":
            inputs = [*inputs, {"path": f"src/{number}.may", "optional": True}]  # type: ignore[misc]
            keys["run"] = "cat {inputs} > {outputs} 2> /dev/null || true"
        elif kind == "after" and number:
            keys["after"] = [f"s{chance.randint(0, number - 1)}"]
        elif kind == "none":
            keys = {"run": "cat {inputs}"}
        elif kind == "value":
            inputs = {"files": inputs, "which": "global.list"}
            keys["run"] = "(cat {files}; echo {which} $LEVEL) > {outputs}"
        self.project.stage(name, inputs=inputs, **keys)  # type: ignore[arg-type]
        if kind != "none":
            self.made.append(output)

    # --- edits

    def edit(self) -> None:
        edits = [self.source] * 6 + [self.fail] * 2 + [self.output, self.output, self.record, self.touch, self.renamed, self.optional, self.code]
        edits += [self.stage, self.level, self.new, self.index]
        for _ in range(self.chance.choice([1, 1, 1, 2, 3])):
            self.told.append(self.chance.choice(edits)())

    def source(self) -> str:
        path = self.chance.choice([path for path in self.sources if path.endswith((".txt", ".h"))])
        self.project.write(path, self.words())
        return f"wrote {path}"

    def fail(self) -> str:
        path = self.chance.choice([path for path in self.sources if path.endswith(".txt")])
        self.project.write(path, "fail\n")
        return f"{path} makes stages fail"

    def output(self) -> str:
        path = self.chance.choice(self.made)
        if not self.project.exists(path):
            return "nothing"
        if self.chance.random() < 0.5:
            self.project.remove(path)
            return f"removed {path}"
        self.project.write(path, "tampered\n")
        return f"tampered with {path}"

    def record(self) -> str:
        found = [self.project.record(path) for path in self.made if self.project.exists(self.project.record(path))]
        if not found:
            return "nothing"
        path = self.chance.choice(found)
        self.project.remove(path)
        return f"removed {path}"

    def touch(self) -> str:
        path = self.chance.choice([path for path in self.sources + self.made if self.project.exists(path)])
        self.project.touch(path)
        return f"touched {path}"

    def renamed(self) -> str:
        """As most editors save: another file takes the name."""
        path, text = self.chance.choice([path for path in self.sources if path.endswith(".txt")]), self.words()
        self.project.write("src/new~", text)
        self.project.rename("src/new~", path)
        return f"replaced {path}"

    def optional(self) -> str:
        path = f"src/{self.chance.randint(0, 13)}.may"
        if self.project.exists(path):
            self.project.remove(path)
            return f"removed {path}"
        self.project.write(path, self.words())
        return f"wrote {path}"

    def code(self) -> str:
        text = self.chance.choice(["a", "b"])
        if self.chance.random() < 0.5:
            self.project.write("parts/words.py", f"TEXT = '{text}'\n")
            return f"TEXT is {text}"
        self.project.write("tools/show.py", f"print('{text}')\n")
        return f"show prints {text}"

    def stage(self) -> str:
        name = self.chance.choice(self.project.stages())
        self.project.globals(salt=self.chance.randint(0, 3))
        return f"another salt, not for {name}"

    def level(self) -> str:
        self.project.environ["LEVEL"] = str(self.chance.randint(0, 1))
        return f"LEVEL is {self.project.environ['LEVEL']}"

    def new(self) -> str:
        path = f"src/{self.chance.randint(10, 12)}.txt"
        self.project.write(path, self.words())
        return f"wrote {path}"

    def index(self) -> str:
        data = bytearray(self.project.read_bytes("pipeline_outputs/index"))
        data[self.chance.randrange(len(data))] ^= 1
        self.project.write("pipeline_outputs/index", bytes(data))
        return "damaged the index"


@pytest.mark.parametrize("seed", range(FIRST, FIRST + SEEDS))
def test_a_warm_start_does_what_a_cold_one_does(new_project: Callable[[], Project], seed: int) -> None:
    """All that comes of a build is the same, whichever way it starts; and it starts warm after most edits."""
    warm, cold = Story(new_project(), seed), Story(new_project(), seed)
    warm.project.build()
    cold.project.build(cold=True)
    for _ in range(STEPS):
        warm.edit()
        cold.edit()
        assert warm.told == cold.told
        for _ in range(2):  # -k: what a failure stops before it begins depends on how long stages took
            one = warm.project.build(keep_going=True)
            two = cold.project.build(keep_going=True, cold=True)
            warm.told.append(f"warm: {one.ran} {one.failed} {[event for event in one.events if isinstance(event, PlanMade)]}")
            story = "\n".join([*warm.told, warm.project.read("Pipefile.toml")])
            came = [(each.exit_status, sorted(each.failed), sorted(each.skipped), sorted(each.output.splitlines())) for each in (one, two)]
            assert came[0] == came[1], story
            assert (sorted(one.ran), one.fresh) == (sorted(two.ran), two.fresh), story
            assert warm.project.outputs() == cold.project.outputs(), story
            assert records(warm.project) == records(cold.project), story
            assert warm.project.status() == cold.project.status(), story
            cold.told.append(warm.told[-1])
            if one.exit_status == 0 and not one.ran:
                break
        assert one.exit_status or not one.ran, story
