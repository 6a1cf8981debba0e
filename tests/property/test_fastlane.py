"""The fast lane on random trees and random edits: it never answers where the ordinary way would run anything or complain, and it does answer
when an ordinary build has just found nothing to do. PIPEFILE_SEEDS=100 runs more of them, PIPEFILE_FIRST_SEED=1000 others.
"""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable

import pytest
from kit import Project
from kit.lane import lane

SEEDS = int(os.environ.get("PIPEFILE_SEEDS", "16"))
FIRST = int(os.environ.get("PIPEFILE_FIRST_SEED", "0"))
STEPS = 12

STEPS_PY = '''import helpers.text
try:
    import later.module
except ImportError:
    pass
try:
    from helpers import added
except ImportError:
    pass


def join(inputs, outputs):
    with open(outputs[0], "w") as target:
        for each in inputs:
            with open(each) as source:
                target.write(helpers.text.MARK + source.read())


def count(src):
    with open(src) as source:
        return {"n": len(source.read()), "t": [helpers.text.MARK]}
'''

Edit = Callable[[], str]


class Story:
    """A tree with some of all that a stage can depend on, the edits that bear on it, and a source of chance."""

    def __init__(self, project: Project, seed: int) -> None:
        self.project, self.chance = project, random.Random(seed)
        self.told: list[str] = []
        self.count = 0
        self.salt = 0
        self.environ = project.environ
        self.targets: tuple[str, ...] = ()
        project.settings(dotenv=["settings.env"], env=["MODE"])
        project.write("tick.txt", "0\n")
        parts = [self.globbed, self.deep, self.folder, self.late, self.function, self.depfile, self.script, self.optional, self.variable, self.linked]
        parts.append(self.valued)
        self.edits: list[Edit] = []
        for part in self.chance.sample(parts, self.chance.randint(3, 6)):
            self.edits += part()
        # what a build meets while it runs: a stage that does what is in a file outside of the tree, once
        hook = f'if [ -f "{project.side}/hook" ]; then . "{project.side}/hook"; rm "{project.side}/hook"; fi; cat {{inputs}} > {{outputs}}'
        self.meanwhile = [name for name in project.stages() if name != "hook"]
        project.stage("hook", inputs="tick.txt", outputs="made/hook", run=hook, after=self.meanwhile, infer_inputs=False)

    # --- parts of the tree; each gives the edits that bear on it

    def globbed(self) -> list[Edit]:
        self.project.write("src/1.txt", "1\n")
        self.project.stage("globbed", inputs="src/*.txt", outputs="made/globbed", run="cat {inputs} > {outputs}")
        return [self.new("src/{}.txt"), self.new("src/{}.md"), self.gone("src/")]

    def deep(self) -> list[Edit]:
        self.project.write("wide/a/1.txt", "1\n")
        self.project.stage("deep", inputs="wide/**/*.txt", outputs=["wide/out/deep.txt"], run="cat {inputs} > {outputs}")
        return [self.new("wide/b{}/c/2.txt"), self.new("wide/a/{}.txt"), self.gone("wide/a/")]

    def folder(self) -> list[Edit]:
        self.project.write("data/x/1.txt", "1\n")
        self.project.stage("folder", inputs="data/", outputs="made/folder/", run="cp -r {inputs}/. {outputs}")
        self.project.stage("gather", inputs="folder.outputs", outputs="made/gather", run="ls -R {inputs} | grep -v : > {outputs}")
        return [self.new("data/{}.txt"), self.new("data/x/{}"), self.new("made/folder/{}"), self.new_folder("data/x/e{}"), self.gone("data/x/")]

    def late(self) -> list[Edit]:
        self.project.write("list.txt", "a\nb\n")
        run = "for each in $(cat {inputs}); do echo $each > {outputs}/$each.txt; done"
        self.project.stage("split", inputs="list.txt", outputs="made/parts/", run=run)
        self.project.stage("late", inputs="made/parts/*.txt", outputs="made/late", run="cat {inputs} > {outputs}")
        return [self.append("list.txt", "c{}\n"), self.new("made/parts/{}.txt")]

    def function(self) -> list[Edit]:
        self.project.write("steps.py", STEPS_PY)
        self.project.write("helpers/text.py", "MARK = 'a'\n")
        self.project.write("later/readme", "")
        self.project.write("joined.txt", "x\n")
        self.project.stage("function", inputs="joined.txt", outputs="made/function", call="steps:join")
        return [
            self.once("later/module.py", "pass\n"),
            self.once("helpers/added.py", "pass\n"),
            self.once("helpers/__init__.py", ""),
            self.append("helpers/text.py", "MARK = 'b{}'\n"),
            self.append("steps.py", "# {}\n"),
        ]

    def valued(self) -> list[Edit]:
        self.project.write("steps.py", STEPS_PY)
        self.project.write("helpers/text.py", "MARK = 'a'\n")
        self.project.write("counted.txt", "x\n")
        self.project.stage("count", inputs={"src": "counted.txt"}, outputs={"n": "value:int", "t": "value:json"}, call="steps:count")
        self.project.stage("valued", inputs={"n": "count.n", "all": "count.outputs"}, outputs={"out": "made/valued"}, run="echo {n} {all} > {out}")
        return [self.append("counted.txt", "{}\n"), self.tampered("count", "n"), self.tampered("count", "t")]

    def depfile(self) -> list[Edit]:
        self.project.write("main.c", "main\n")
        self.project.write("inc/a.h", "a\n")
        run = 'cat {inputs} inc/a."h" > {outputs}; echo "x: inc/a.h inc/absent.h" > {depfile}'
        self.project.stage("depfile", inputs="main.c", outputs="made/main.o", depfile="made/main.d", run=run)
        return [self.append("inc/a.h", "{}\n"), self.once("inc/absent.h", ""), self.append("main.c", "{}\n")]

    def script(self) -> list[Edit]:
        self.project.write("tools/show.py", "import words\nprint(words.TEXT)\n")
        self.project.write("tools/words.py", "TEXT = 'a'\n")
        self.project.stage("script", outputs="made/script", run="python3 tools/show.py conf/absent.ini > {outputs}")
        more = self.append("tools/show.py", "import more\n", "tools/more.py")
        return [self.append("tools/words.py", "TEXT = 'b{}'\n"), self.once("conf/absent.ini", ""), more]

    def optional(self) -> list[Edit]:
        self.project.write("must.txt", "m\n")
        inputs = ["must.txt", {"path": "may/be.txt", "optional": True}]
        self.project.stage("optional", inputs=inputs, outputs="made/optional", run="ls {inputs} > {outputs} 2>&1 || true")
        return [self.once("may/be.txt", "b\n"), self.gone("may/")]

    def variable(self) -> list[Edit]:
        self.project.stage("variable", outputs="made/variable", env=["SPEED"], run='echo "$MODE $SPEED" > {outputs}')
        return [self.set_variable("MODE"), self.set_variable("SPEED"), self.set_variable("OTHER"), self.append("settings.env", "SPEED={}\n")]

    def linked(self) -> list[Edit]:
        for name in ("one", "two"):
            self.project.write(f"links/{name}.txt", f"{name}\n")
        os.symlink("one.txt", self.project.path("links/now.txt"))
        self.project.stage("linked", inputs="links/now.txt", outputs="made/linked", run="cat {inputs} > {outputs}")
        return [self.retarget, self.append("links/one.txt", "{}\n")]

    # --- edits; each says what it did, for the message of a failure

    def number(self) -> int:
        self.count += 1
        return self.count

    def write(self, path: str, text: str) -> str:
        self.project.write(path, text)
        return f"wrote {path}"

    def new(self, path: str) -> Edit:
        return lambda: self.write(path.format(self.number()), f"{self.count}\n")

    def new_folder(self, path: str) -> Edit:
        def make() -> str:
            os.makedirs(self.project.path(path.format(self.number())))
            return f"made a folder like {path}"

        return make

    def tampered(self, stage: str, name: str) -> Edit:
        def tamper() -> str:
            path = self.project.value(stage, name)
            if not self.project.exists(path):
                return "nothing"
            how = self.chance.choice(["remove", "touch", "write"])
            if how == "remove":
                self.project.remove(path)
            elif how == "touch":
                self.project.touch(path, os.stat(self.project.path(path)).st_mtime_ns - 5_000_000_000)
            else:
                self.project.write(path, f"{self.number()}\n")
            return f"{how}: {path}"

        return tamper

    def once(self, path: str, text: str) -> Edit:
        def turn() -> str:
            if self.project.exists(path):
                self.project.remove(path)
                return f"removed {path}"
            return self.write(path, text)

        return turn

    def append(self, path: str, line: str, other: str = "") -> Edit:
        def edit() -> str:
            if other:
                self.project.write(other, "")
            text = self.project.read(path) if self.project.exists(path) else ""
            return self.write(path, text + line.format(self.number()))

        return edit

    def gone(self, folder: str) -> Edit:
        def remove() -> str:
            files = sorted(name for name in self.project.tree() if name.startswith(folder) and os.path.isfile(self.project.path(name)))
            if len(files) < 2:
                return "nothing"
            path = self.chance.choice(files)
            self.project.remove(path)
            return f"removed {path}"

        return remove

    def set_variable(self, name: str) -> Edit:
        def change() -> str:
            self.environ[name] = str(self.chance.randint(0, 2))
            return f"set {name} to {self.environ[name]}"

        return change

    def retarget(self) -> str:
        self.project.remove("links/now.txt")
        text = self.chance.choice(["one.txt", "two.txt"])
        os.symlink(text, self.project.path("links/now.txt"))
        return f"links/now.txt leads to {text}"

    def files(self, own: bool) -> list[str]:
        """Regular files of the user's, or the records."""
        found = []
        for path, (mode, *_) in self.project.tree().items():
            if mode[0] != "-" or path.startswith((".pipefile", "pipeline_outputs")) or "__pycache__" in path:
                continue
            if path.endswith(".hash") == own:
                found.append(path)
        return sorted(found)

    def any_file(self) -> str:
        """Any source, output or Pipefile: touched, edited, replaced, removed where it is an output."""
        path = self.chance.choice(self.files(own=False))
        full = self.project.path(path)
        at, data = os.stat(full), self.project.read_bytes(path)
        how = self.chance.choice(["touch", "same size", "copy", "exec bit", "rename", "link", "unlink"])
        if how == "touch":
            self.project.touch(path, at.st_mtime_ns - 5_000_000_000)
        elif how == "same size" and path != "Pipefile.toml" and not path.endswith(".py"):
            self.project.write(path, data[::-1])
            os.utime(full, ns=(at.st_atime_ns, at.st_mtime_ns))
        elif how == "copy":
            shutil.copy2(full, full + "~copy")
            os.rename(full + "~copy", full)
        elif how == "exec bit":
            os.chmod(full, at.st_mode ^ 0o111)
        elif how == "rename":
            os.rename(full, full + "~away")
            os.rename(full + "~away", full)
        elif how == "link" and path.startswith("made/"):
            os.rename(full, os.path.join(self.project.side, f"moved{self.number()}"))
            os.symlink(os.path.join(self.project.side, f"moved{self.count}"), full)
        elif how == "unlink" and path.startswith(("made/", "wide/out")):
            self.project.remove(path)
        else:
            return "nothing"
        return f"{how}: {path}"

    def record(self) -> str:
        records = self.files(own=True)
        if not records:
            return "nothing"
        path = self.chance.choice(records)
        if self.chance.random() < 0.5:
            self.project.remove(path)
            return f"removed {path}"
        self.project.rename(path, path + "x")
        return f"renamed {path}"

    def pipefile(self) -> str:
        how = self.chance.choice(["comment", "version", "stage", "drop"])
        if how == "comment":
            return self.append("Pipefile.toml", "# {}\n")()
        if how == "version":
            name = self.chance.choice(self.meanwhile)
            self.salt += 1
            self.project.pipefile(self.project.read("Pipefile.toml").replace(f"[stage.{name}]\n", f'[stage.{name}]\nversion = "{self.salt}"\n', 1))
            text = self.project.read("Pipefile.toml")
            if text.count("version = ") > 1:  # twice in one table is no TOML; the tables of the kit make a whole one again
                self.project.settings()
            return f"another version of {name}"
        if how == "stage":
            self.project.stage(f"more{self.number()}", inputs="tick.txt", outputs=f"made/more{self.count}", run="cat {inputs} > {outputs}")
            return f"a stage more{self.count}"
        more = [name for name in self.project.stages() if name.startswith("more")]
        if not more:
            return "nothing"
        self.project.drop(more[0])
        return f"dropped {more[0]}"

    def other_targets(self) -> str:
        stages = self.project.stages()
        self.targets = tuple(self.chance.sample(stages, self.chance.randint(0, 2)))
        return f"targets: {self.targets}"

    def move(self) -> str:
        self.project.root = shutil.move(self.project.root, os.path.join(self.project.side, f"tree{self.number()}"))
        return "moved the tree"

    def copy(self) -> str:
        self.project.root = shutil.copytree(self.project.root, os.path.join(self.project.side, f"tree{self.number()}"), symlinks=True)
        return "copied the tree"

    def lose_index(self) -> str:
        if self.project.exists("pipeline_outputs/index"):
            self.project.remove("pipeline_outputs/index")
        return "removed the index"

    def hook(self) -> str:
        """Something that happens while the next build runs."""
        number = self.number()
        lines = [
            f"echo {number} > src/{number}.txt",
            f"mkdir -p wide/z{number}; echo {number} > wide/z{number}/1.txt",
            f"mkdir -p data/x; echo {number} > data/x/{number}",
            f"mkdir -p made/parts; echo {number} > made/parts/h{number}.txt",
            "mkdir -p later; echo pass > later/module.py",
            "mkdir -p helpers; rm -f helpers/added.py",
            f"echo '# {number}' >> Pipefile.toml",
            f"printf '[stage.m{number}]\\noutputs = [\"made/m{number}\"]\\nrun = \"echo x > {{outputs}}\"\\n' >> Pipefile.toml",
            f"echo SPEED={number} >> settings.env",
            "rm -f made/.*.hash",
            "rm -f made/globbed made/late made/script",
            "mkdir -p may; echo > may/be.txt",
            f"mkdir -p links; echo {number} > links/one.txt",
            f"mkdir -p inc; echo {number} >> inc/a.h",
        ]
        line = self.chance.choice([line for line in lines if "src/" not in line or self.project.exists("src")])
        with open(os.path.join(self.project.side, "hook"), "w", encoding="utf-8") as file:
            file.write(line + "\n")
        self.project.write("tick.txt", f"{number}\n")
        return f"while it runs: {line}"

    def edit(self) -> None:
        common = [self.any_file, self.any_file, self.any_file, self.record, self.pipefile, self.other_targets, self.hook, self.hook]
        rare = [self.move, self.copy, self.lose_index]
        for _ in range(self.chance.choice([0, 1, 1, 1, 2])):
            chosen = self.chance.choices([self.edits, common, rare], [6, 6, 1])[0]
            self.told.append(self.chance.choice(chosen)())

    # --- the lane against the ordinary way

    def story(self) -> str:
        return "\n".join(["what was done, in order:", *self.told, self.project.read("Pipefile.toml")])

    def compare(self) -> bool:
        """Ask the lane, then build; returns whether the build had nothing to do."""
        text = lane(self.project, *self.targets)
        outcome = self.project.build(*self.targets)
        self.told.append(f"lane: {text!r}; built: {outcome.exit_status} {outcome.ran} {outcome.output!r}")
        idle = (outcome.exit_status, outcome.ran, outcome.failed) == (0, [], [])
        if text is not None:
            assert idle, self.story()
            assert text.startswith(f"{outcome.fresh} fresh in "), self.story()
        return idle


@pytest.mark.parametrize("seed", range(FIRST, FIRST + SEEDS))
def test_the_fast_lane_agrees_with_the_ordinary_way(project: Project, seed: int) -> None:
    """After each edit, and after each build; an ordinary build that had nothing to do is answered from then on."""
    story = Story(project, seed)
    idle = story.compare()
    for _ in range(STEPS):
        story.edit()
        idle = story.compare()
        if not idle:  # it may have been changed while it was built
            idle = story.compare() or story.compare()
        if idle:
            assert lane(story.project, *story.targets) is not None, story.story()
