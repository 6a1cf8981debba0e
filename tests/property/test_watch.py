"""Random edits under a running watch: whatever they are and whenever they come, outputs are in the end those of a clean build (cases 95, 96)."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable

import pytest
from kit import Project, Watch


class Edits:
    """A project, and what may happen to it."""

    def __init__(self, project: Project, seed: int) -> None:
        self.project = project
        self.chance = random.Random(seed)
        self.salt = 0
        self.done: list[str] = []
        for number in range(4):
            project.write(f"src/{number}.txt", f"{number}\n")
        project.write("src/deep/er/x.txt", "x\n")
        project.write("more/a.txt", "a\n")
        project.write("steps.py", "WORD = 'w'\n\n\ndef join(inputs, outputs):\n    with open(outputs[0], 'w') as out:\n        out.write(WORD)\n")
        self.declare()

    def declare(self) -> None:
        project = self.project
        project.stage("all", inputs="src/**/*.txt", outputs="out/all.txt", run=f"(cat {{inputs}}; echo {self.salt}) > {{outputs}}")
        project.stage("tree", inputs="more/", outputs="out/tree.txt", run="find more -type f | sort | xargs cat > {outputs}")
        project.stage("zero", inputs="src/0.txt", outputs="out/0.txt", run="sort {inputs} > {outputs}")
        project.stage("copy", inputs="out/0.txt", outputs="out/copy/", run="mkdir -p {outputs}; cp {inputs} {outputs}/x")
        project.stage("word", inputs="out/all.txt", outputs="out/word.txt", call="steps:join")

    def files(self) -> list[str]:
        return sorted(path for path in self.project.tree() if path.startswith(("src/", "more/")) and os.path.isfile(self.project.path(path)))

    def text(self) -> str:
        return f"{self.chance.randrange(10**6)}\n"

    # --- what may happen

    def write(self) -> None:
        self.project.write(self.chance.choice(self.files()), self.text())

    def replace(self) -> None:
        path = self.chance.choice(self.files())
        self.project.write("new~", self.text())
        self.project.rename("new~", path)

    def touch(self) -> None:
        self.project.touch(self.chance.choice(self.files()))

    def add(self) -> None:
        folder = self.chance.choice(["src", "src/deep", "src/new/er", "more", "more/sub"])
        self.project.write(f"{folder}/n{self.chance.randrange(6)}.txt", self.text())

    def remove(self) -> None:
        paths = [path for path in self.files() if path not in ("src/0.txt", "more/a.txt")]
        if len(paths) > 3:
            self.project.remove(self.chance.choice(paths))

    def move(self) -> None:
        for old, new in (("src/deep", "src/low"), ("src/low", "src/deep"), ("src/new", "src/deep/new")):
            if self.project.exists(old) and not self.project.exists(new):
                self.project.rename(old, new)
                return

    def spoil(self) -> None:
        path = self.chance.choice(["out/all.txt", "out/0.txt", "out/word.txt", "out/copy/x"])
        if self.project.exists(path):
            self.project.write(path, self.text())

    def lose(self) -> None:
        path = self.chance.choice(["out/all.txt", "out/0.txt", "out/copy", "out/.0.txt.hash", "out"])
        if self.project.exists(path):
            self.project.remove(path)

    def command(self) -> None:
        self.salt += 1
        self.declare()

    def code(self) -> None:
        self.project.write("steps.py", self.project.read("steps.py").replace("'w", f"'w{self.chance.randrange(9)}", 1))

    def some(self) -> None:
        """A few of these, one right after the other."""
        edits: list[Callable[[], None]] = [self.write] * 4 + [self.replace] * 3 + [self.add] * 3 + [self.remove] * 2
        edits += [self.touch, self.move, self.move, self.spoil, self.spoil, self.lose, self.command, self.code]
        for _ in range(self.chance.choice([1, 1, 2, 5, 20])):
            edit = self.chance.choice(edits)
            self.done.append(edit.__name__)
            try:
                edit()
            except OSError:
                pass  # the build has just replaced, removed, or added to, what was to be edited


class Stops:
    """Sees to it that a watch goes on which has taken edits for those of a stage: one file that was edited in each of four rounds while they ran."""

    def __init__(self, project: Project, watch: Watch) -> None:
        self._project = project
        self._watch = watch
        self._seen = 0

    def go_on(self) -> None:
        stops = self._watch.running.out.count("from which the build begins: stopped after")
        if stops > self._seen:
            self._seen = stops
            self._watch.running.until(lambda: self._watch.running.out.endswith(" in 0.00s\n"), 20.0)
            self._project.touch("src/0.txt")  # a change between two builds


def clean_outputs(project: Project) -> dict[str, object]:
    """Those of a clean build. What builds make meanwhile may go while the tree is copied."""
    while True:
        try:
            return project.clean_outputs()
        except (FileNotFoundError, shutil.Error):
            continue


def stand(project: Project, wanted: dict[str, object], stops: Stops) -> bool:
    """Whether the outputs are these; none of them is, while a build is just replacing one."""
    stops.go_on()
    try:
        return project.outputs() == wanted
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("on_busy", ["queue", "restart"])
@pytest.mark.parametrize("seed", range(3))
def test_random_edits(project: Project, seed: int, on_busy: str) -> None:
    edits = Edits(project, seed)
    watch = Watch(project, "--on-busy", on_busy)
    watch.next()
    stops = Stops(project, watch)
    for burst in range(9):
        edits.done.append(f"-- burst {burst}")
        if burst < 8:
            edits.some()
        else:
            project.write("src/0.txt", "mark\n")  # what builds this has seen all that was before
        wanted = clean_outputs(project)
        try:
            # less than until the look at everything after half a minute, which mends what events have not told
            watch.running.until(lambda: stand(project, wanted, stops), 20.0)  # noqa: B023  # called at once
        except AssertionError as fault:
            raise AssertionError(f"{edits.done}\n{fault}") from None
    watch.running.until(lambda: watch.running.out.splitlines()[-1].startswith("pipefile: build finished"))
    assert watch.stop().exit_status == 143
    project.settled()
