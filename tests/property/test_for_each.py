"""Random stories of stages with `for_each`: items come, change and go.

After every edit: exactly those instances ran that had to; outputs are those of a build from scratch; a second build runs nothing, in this process, in
the fast lane and as the real program; builds from the index and from the Pipefile, with one job and with four, do the same; no command that only
reads changes a byte. PIPEFILE_SEEDS=100 runs more of them, PIPEFILE_FIRST_SEED=1000 others.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable

import pytest
from kit import Project

SEEDS = max(1, int(os.environ.get("PIPEFILE_SEEDS", "24")) // 4)
FIRST = int(os.environ.get("PIPEFILE_FIRST_SEED", "0"))
STEPS = 8
BATCHES = (None, 1, 2, 3, 64)
EACH = """
salt=$1 inputs=; shift
while [ "$1" != -- ]; do inputs="$inputs $1"; shift; done
for each in $inputs; do shift; sed "s/#.*/$salt/" $each > $1; done
"""
READ_ONLY = (("status",), ("list", "--json", "--status"), ("graph",), ("check",), ("build", "-n"), ("why", "page.txt"))


class Story:
    """Photos, a thumbnail of each, sizes of each thumbnail, a page of all, a book of what lies in the folder of thumbnails.

    Attributes:
        photos: Path -> text.
        sizes: Numbers that each thumbnail is made in.
        salt: In the command of thumbnails.
        batch: How many thumbnails one command makes; None: one.
        known: Edge -> what it was last made of; a damaged one is not in it.
    """

    def __init__(self, project: Project, seed: int) -> None:
        self.project, self.chance = project, random.Random(seed)
        self.photos: dict[str, str] = {}
        self.sizes, self.salt = [1, 2], 0
        self.batch = self.chance.choice(BATCHES)
        project.write("each.sh", EACH)
        self.known: dict[str, object] = {}
        self.told: list[str] = []
        for _ in range(4):
            self.new()
        self.declare()

    def declare(self) -> None:
        project = self.project
        project.globals(sizes=self.sizes)
        command = f"sh each.sh {self.salt} {{src}} -- {{dst}}"
        project.stage("thumb", {"src": "{p}"}, {"dst": "t/{p.stem}.t"}, command, for_each={"p": "photos/**/*.p"}, batch=self.batch)
        project.stage("size", {"src": "{t}"}, "s/{t.stem}-{n}", "head -{n} {src} > {outputs}", for_each={"t": "thumb.dst", "n": "global.sizes"})
        project.stage("page", {"all": "size.outputs", "names": "t/*.t"}, "page.txt", "cat {all} {names} > {outputs}")
        project.stage("book", "t/", "book.txt", "cat {inputs}/*.t > {outputs}")

    # -- what has to be

    def thumbs(self) -> dict[str, str]:
        """Path of a thumbnail -> its text, in the order of the photos."""
        ordered = sorted(self.photos, key=os.fsencode)
        return {f"t/{path[:-2].rpartition('/')[2]}.t": self.thumb(self.photos[path]) for path in ordered}

    def thumb(self, text: str) -> str:
        return "".join([line.partition("#")[0] + (str(self.salt) if "#" in line else "") + "\n" for line in text.splitlines()])

    def made_of(self) -> dict[str, object]:
        """Edge -> all that it is made of."""
        found: dict[str, object] = {f"thumb@{path}": (text, self.salt, self.batch) for path, text in self.photos.items()}
        thumbs = self.thumbs()
        sizes = [(path, text, n) for path, text in thumbs.items() for n in self.sizes]
        found |= {f"size@t={path},n={n}": text for path, text, n in sizes}
        found["page"] = [(path, n, "".join(text.splitlines(True)[:n])) for path, text, n in sizes] + sorted(thumbs.items())
        found["book"] = sorted(thumbs.items())
        return found

    def page(self) -> str:
        thumbs = self.thumbs()
        heads = ["".join(text.splitlines(True)[:n]) for text in thumbs.values() for n in self.sizes]
        return "".join([*heads, *[thumbs[path] for path in sorted(thumbs, key=os.fsencode)]])

    # -- edits

    def text(self) -> str:
        return "".join([self.chance.choice(["a\n", "b#x\n", "b#y\n", "c\n"]) for _ in range(self.chance.randint(1, 3))])

    def put(self, path: str, text: str) -> str:
        self.photos[path] = text
        self.project.write(path, text)
        return f"wrote {path}"

    def new(self) -> str:
        folder, letter = self.chance.choice(["", "sub/", "sub/deep/"]), self.chance.choice("abc")
        return self.put(f"photos/{folder}{letter}{len(self.told)}-{len(self.photos)}.p", self.text())

    def edited(self) -> str:
        return self.put(self.chance.choice(sorted(self.photos)), self.text())

    def gone(self) -> str:
        if len(self.photos) < 2:
            return self.new()
        path = self.chance.choice(sorted(self.photos))
        self.forget(path)
        self.project.remove(path)
        return f"removed {path}"

    def renamed(self) -> str:
        path = self.chance.choice(sorted(self.photos))
        if len(self.photos) < 2:
            return self.edited()
        text = self.photos[path]
        self.forget(path)
        new = f"photos/r{len(self.told)}.p"
        self.project.rename(path, new)
        self.photos[new] = text
        return f"renamed {path} to {new}"

    def forget(self, path: str) -> None:
        del self.photos[path]

    def output(self) -> str:
        """An output is damaged, or lost with its record."""
        name = self.chance.choice(sorted(self.thumbs()))
        edge = next(f"thumb@{path}" for path in self.photos if path.endswith(f"/{name[2:-2]}.p"))
        if edge not in self.known or not self.project.exists(name):
            return "nothing"
        self.known.pop(edge)
        if self.chance.random() < 0.5:
            self.project.write(name, "damaged\n")
            return f"damaged {name}"
        self.project.remove(name if self.chance.random() < 0.5 else self.project.record(name))
        return f"removed {name} or its record"

    def size(self) -> str:
        self.sizes = self.chance.choice([[1, 2], [2, 1], [1], [1, 3], [3, 1, 2]])
        self.declare()
        return f"sizes are {self.sizes}"

    def command(self) -> str:
        self.salt += 1
        self.declare()
        return "the command is another"

    def batches(self) -> str:
        self.batch = self.chance.choice(BATCHES)
        self.declare()
        return f"batches are of {self.batch}"

    def index(self) -> str:
        if self.project.exists("pipeline_outputs/index"):
            self.project.remove("pipeline_outputs/index")
        return "removed the index"

    def edit(self) -> None:
        items = [self.new, self.edited, self.edited, self.gone, self.renamed, self.output, self.output]
        edits = [*items, self.size, self.command, self.batches, self.index]
        self.told.append(self.chance.choice(edits)())

    # -- builds

    def build(self, jobs: int, cold: bool) -> list[str]:
        wanted = self.made_of()
        must = sorted([name for name, made in wanted.items() if self.known.get(name) != made])
        outcome = self.project.build(jobs=jobs, cold=cold, allow_removal=True)
        assert (outcome.exit_status, sorted(outcome.ran)) == (0, must), (self.told, outcome.output)
        self.known = wanted
        assert self.project.read("page.txt") == self.page(), self.told
        again = self.project.build(jobs=jobs, allow_removal=True)
        assert (again.exit_status, again.ran, again.output) == (0, [], ""), self.told
        return sorted(outcome.ran)


@pytest.mark.parametrize("seed", range(FIRST, FIRST + SEEDS))
def test_items_come_change_and_go(new_project: Callable[[], Project], seed: int) -> None:
    """Cases 1, 5, 8, 12, 20, 24 to 26 and 65 on instances, mixed at random: from the index with four jobs, from the Pipefile with one."""
    warm, cold = Story(new_project(), seed), Story(new_project(), seed)
    for _ in range(STEPS):
        assert warm.build(4, cold=False) == cold.build(1, cold=True), warm.told
        assert warm.project.outputs() == cold.project.outputs(), warm.told
        warm.edit()
        cold.edit()
    warm.build(2, cold=False)
    warm.project.settled()
    made = {path for path in warm.project.tree() if path[:2] in ("t/", "s/") and ".hash" not in path}
    assert made == set(warm.project.declared()) - {"page.txt", "book.txt"}


@pytest.mark.parametrize("seed", range(FIRST, FIRST + max(1, SEEDS // 6)))
def test_commands_that_only_read_change_nothing(project: Project, seed: int) -> None:
    """Case 60, with some instances stale, some new and some gone."""
    story = Story(project, seed)
    for _ in range(2):
        story.build(2, cold=False)
        for _ in range(3):
            story.edit()
        before = project.tree()
        for words in READ_ONLY:
            outcome = project.cli(*words)
            assert "Traceback" not in outcome.err, (words, outcome.text)
            assert project.tree() == before, words
