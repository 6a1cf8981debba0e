"""Random graphs under random edits.

After every edit: what is asked for equals what a build from scratch gives, exactly those stages ran that had to, a second build runs nothing,
and no command that only reads has changed a byte. PIPEFILE_SEEDS=100 runs more of them, PIPEFILE_FIRST_SEED=1000 others.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable

import pytest
from kit import Project, contents
from kit.model import KINDS, ONE_INPUT, UNDECLARED, Contents, Model, Spec

SEEDS = int(os.environ.get("PIPEFILE_SEEDS", "24"))
FIRST = int(os.environ.get("PIPEFILE_FIRST_SEED", "0"))
STEPS = 7  # with the first one: 8 builds a seed that have something to do, 8 that have not, and a few from scratch

READ_ONLY = (
    ("status",),
    ("status", "--json"),
    ("list",),
    ("list", "--json", "--status"),
    ("graph",),
    ("graph", "--format", "dot", "--waves"),
    ("graph", "--format", "json"),
    ("check",),
    ("build", "-n"),
    ("build", "-n", "-B", "--json"),
)


class Story:
    """A project, its model, and a source of chance."""

    def __init__(self, project: Project, seed: int) -> None:
        self.project, self.model, self.chance = project, Model(), random.Random(seed)
        self.old: list[tuple[str, bytes, int]] = []  # what sources held, and their mtimes then
        self.told: list[str] = []
        self.index_gone = False
        for _ in range(self.chance.randint(2, 5)):
            self.add_source()
        self.model.write_steps(project)
        for _ in range(self.chance.randint(3, 9)):
            self.add_stage()

    # --- edits; each says what it did, for the message of a failure

    def words(self) -> bytes:
        return b"".join(b"%d\n" % self.chance.randint(0, 99) for _ in range(self.chance.randint(1, 4)))

    def write_source(self, path: str, data: bytes) -> None:
        if path in self.model.sources:
            self.old.append((path, self.model.sources[path], os.stat(self.project.path(path)).st_mtime_ns))
        self.model.sources[path] = data
        self.project.write(path, data)

    def add_source(self) -> str:
        path = f"{self.chance.choice(['src', 'src', 'more'])}/{self.chance.choice('abc')}{len(self.model.sources)}.txt"
        self.write_source(path, self.words())
        return f"wrote {path}"

    def edit_source(self) -> str:
        path = self.chance.choice(sorted(self.model.sources))
        self.write_source(path, self.words())
        return f"edited {path}"

    def edit_keeping_stamps(self) -> str:
        path = self.chance.choice(sorted(self.model.sources))
        at, data = os.stat(self.project.path(path)), self.model.sources[path]
        self.write_source(path, data[::-1][1:] + b"\n")  # as long as before
        os.utime(self.project.path(path), ns=(at.st_atime_ns, at.st_mtime_ns))
        return f"edited {path}, size and mtime kept"

    def touch_source(self) -> str:
        path = self.chance.choice(sorted(self.model.sources))
        self.project.touch(path)
        return f"touched {path}"

    def restore_source(self) -> str:
        if not self.old:
            return self.edit_source()
        path, data, mtime = self.chance.choice(self.old)
        if path not in self.model.sources:
            return self.edit_source()
        self.write_source(path, data)
        self.project.touch(path, mtime)
        return f"restored {path} with its old mtime"

    def delete_source(self) -> str:
        path = self.chance.choice(sorted(self.model.sources))
        if any(path == spec.extra for spec in self.model.stages.values()):
            return self.edit_source()  # it would fail, as it should, but not before it runs
        needed = any(path in spec.inputs for spec in self.model.stages.values())
        alone = path.startswith("src/") and sum(each.startswith("src/") for each in self.model.sources) == 1
        data = self.model.sources.pop(path)
        self.project.remove(path)
        if needed or alone:
            if needed:
                outcome = self.project.build()
                assert outcome.exit_status == 2, f"built without {path}\n{outcome.output}"
                assert outcome.ran == []
            self.write_source(path, data)
            return f"removed {path}, which is needed, and put it back"
        return f"removed {path}"

    def output(self) -> str | None:
        found = sorted(path for path in self.project.declared() if self.project.exists(path) and not os.path.isdir(self.project.path(path)))
        return self.chance.choice(found) if found else None

    def tamper(self) -> str:
        path = self.output()
        if path is None:
            return self.edit_source()
        data = self.project.read_bytes(path)
        if self.chance.random() < 0.5 and data:
            at = os.stat(self.project.path(path))
            self.project.write(path, bytes([data[0] ^ 1]) + data[1:])
            os.utime(self.project.path(path), ns=(at.st_atime_ns, at.st_mtime_ns))
            return f"tampered with {path}, size and mtime kept"
        self.project.write(path, data + b"tampered\n")
        return f"tampered with {path}"

    def touch_output(self) -> str:
        path = self.output()
        if path is None:
            return self.edit_source()
        self.project.touch(path)
        return f"touched {path}"

    def delete_output(self) -> str:
        found = sorted(path for path in self.project.declared() if self.project.exists(path))
        if not found:
            return self.edit_source()
        path = self.chance.choice(found)
        self.project.remove(path)
        return f"removed {path}"

    def swap_outputs(self) -> str:
        one, two = self.output(), self.output()
        if one is None or two is None or one == two:
            return self.delete_output()
        for source, target in ((one, "swapped"), (two, one), ("swapped", two)):
            os.rename(self.project.path(source), self.project.path(target))
        return f"swapped {one} and {two}"

    def change_stage(self) -> str:
        if not self.model.stages:
            return self.add_stage()
        name = self.chance.choice(sorted(self.model.stages))
        self.model.replace(name, salt=self.chance.randint(0, 3))
        self.model.write_pipefile(self.project)
        return f"changed {name} to {self.model.stages[name]}"

    def change_inputs(self) -> str:
        several = [spec for spec in self.model.stages.values() if len(spec.inputs) > 1]
        if not several:
            return self.change_stage()
        spec = self.chance.choice(several)
        inputs = list(spec.inputs)
        self.chance.shuffle(inputs)
        self.model.replace(spec.name, inputs=tuple(inputs[self.chance.randint(0, 1) :]))
        self.model.write_pipefile(self.project)
        return f"changed the inputs of {spec.name} to {self.model.stages[spec.name].inputs}"

    def change_code(self) -> str:
        self.model.mark = f"m{self.chance.randint(0, 2)}"
        self.model.write_steps(self.project)
        return f"set MARK to {self.model.mark} in steps.py"

    def add_stage(self) -> str:
        name, kind = self.model.fresh_name(), self.chance.choice(KINDS)
        made = [path for spec in self.model.stages.values() for path in spec.outputs]
        folders = [path for path in made if path.endswith("/")]
        files = sorted(self.model.sources) + [path for path in made if not path.endswith("/")] * 2
        if kind == "gather" and not folders:
            kind = "cat"
        count = 1 if kind in ONE_INPUT else self.chance.randint(1, 4)
        inputs = [self.chance.choice(folders)] if kind == "gather" else sorted(set(self.chance.choices(files, k=count)))
        self.chance.shuffle(inputs)
        if kind == "folder":
            inputs = list({os.path.basename(path): path for path in inputs}.values())
        if kind in ("glob", "literal"):
            inputs = []
        if kind == "glob" and not any(path.startswith("src/") for path in self.model.sources):
            self.write_source("src/z.txt", self.words())
        extra = self.chance.choice(sorted(self.model.sources)) if kind in UNDECLARED else ""
        outputs = {"split": (f"out/{name}.1", f"out/{name}.2"), "folder": (f"out/{name}/",)}.get(kind, (f"out/{name}",))
        self.model.stages[name] = Spec(name, kind, tuple(inputs), outputs, extra=extra)
        self.model.write_pipefile(self.project)
        return f"added {self.model.stages[name]}"

    def remove_stage(self) -> str:
        if len(self.model.stages) < 2:
            return self.add_stage()
        gone = self.model.users(self.chance.choice(sorted(self.model.stages)))
        if len(gone) == len(self.model.stages):
            return self.add_stage()
        for name in gone:
            del self.model.stages[name]
        self.model.write_pipefile(self.project)
        return f"removed the stages {sorted(gone)}"

    def remove_index(self) -> str:
        if not self.project.exists("pipeline_outputs/index"):
            return self.edit_source()
        self.project.remove("pipeline_outputs/index")
        self.index_gone = True
        return "removed the index"

    def edit(self) -> None:
        edits: list[Callable[[], str]] = [
            self.add_source,
            self.edit_source,
            self.edit_source,
            self.edit_keeping_stamps,
            self.touch_source,
            self.restore_source,
            self.delete_source,
            self.tamper,
            self.touch_output,
            self.delete_output,
            self.swap_outputs,
            self.change_stage,
            self.change_inputs,
            self.change_code,
            self.add_stage,
            self.remove_stage,
            self.remove_index,
        ]
        for _ in range(self.chance.choice([1, 1, 1, 2, 3])):
            self.told.append(self.chance.choice(edits)())

    # --- builds

    def story(self) -> str:
        return "\n".join(["what was done, in order:", *self.told])

    def now(self) -> dict[str, Contents]:
        return dict(self.project.outputs())

    def build(self, jobs: int) -> list[str]:
        """Build all, and judge it."""
        must = self.model.must_run({**dict.fromkeys(self.model_outputs()), **self.now()})
        would = self.read_only()
        dead = {path: contents(self.project.path(path)) for path in self.dead()}
        outcome = self.project.build(jobs=jobs)
        self.told.append(f"built with {jobs} jobs: ran {outcome.ran}")
        assert outcome.exit_status == 0, f"{outcome.output}\n{self.story()}"
        assert self.now() == self.model.expected(), self.story()
        assert sorted(outcome.ran) == sorted(must), self.story()
        assert set(outcome.ran) <= would, self.story()
        if not self.index_gone:  # what is dead is known from the index
            stays = {path for path, before in dead.items() if before is not None and before != self.dead()[path]}
            assert {path for path in dead if self.project.exists(path)} == stays, self.story()
        self.index_gone = False
        self.model.built()
        again = self.project.build(jobs=jobs)
        assert (again.exit_status, again.ran) == (0, []), self.story()
        return outcome.ran

    def dead(self) -> dict[str, Contents]:
        """Outputs of stages that are gone since the last build, as those stages left them."""
        declared = set(self.project.declared())
        gone = [left for name, (_, left) in self.model.ran.items() if name not in self.model.stages]
        return {path: content for left in gone for path, content in left.items() if path not in declared}

    def model_outputs(self) -> list[str]:
        return [path for _, left in self.model.ran.values() for path in left]

    def read_only(self) -> set[str]:
        """Ask without building; what a dry run says would run. Nothing may change."""
        before = self.project.tree()
        states = self.project.status()
        dry = self.project.build(dry_run=True)
        for target in self.project.declared()[:3]:
            self.project.why(target)
        assert self.project.tree() == before, self.story()
        fresh = {name for name, state in states.items() if state == "fresh"}
        assert not fresh & set(dry.would_run), self.story()
        return set(dry.would_run)


@pytest.mark.parametrize("seed", range(FIRST, FIRST + SEEDS))
def test_incremental_equals_clean_and_runs_no_more_than_it_must(project: Project, seed: int) -> None:
    """Cases 1 to 12, 20 to 26, 60 and 65, mixed at random."""
    story = Story(project, seed)
    story.build(story.chance.choice([1, 2, 4]))
    for _ in range(STEPS):
        story.edit()
        story.build(story.chance.choice([1, 2, 4]))
    assert project.clean_outputs() == project.outputs(), story.story()


@pytest.mark.parametrize("seed", range(FIRST, FIRST + max(1, SEEDS // 6)))
def test_one_job_equals_four(new_project: Callable[[], Project], seed: int) -> None:
    """The same story with -j1 and with -j4: the same stages run, the same bytes come out."""
    one, four = Story(new_project(), seed), Story(new_project(), seed)
    for _ in range(STEPS):
        assert sorted(one.build(1)) == sorted(four.build(4)), one.story()
        assert one.now() == four.now(), one.story()
        one.edit()
        four.edit()


@pytest.mark.parametrize("seed", range(FIRST, FIRST + max(1, SEEDS // 12)))
def test_commands_that_only_read_change_nothing(project: Project, seed: int) -> None:
    """Case 60: by the real program, before the first build, after it, and with half of it stale."""
    story = Story(project, seed)
    for _ in range(3):
        before = project.tree()
        target = project.declared()[0]
        for words in (*READ_ONLY, ("why", target), *(("query", what, target) for what in ("inputs", "outputs", "deps", "rdeps"))):
            outcome = project.cli(*words)
            assert "Traceback" not in outcome.err, (words, outcome.text)
            assert outcome.exit_status in (0, 1), (words, outcome.text)
            assert project.tree() == before, words
        story.build(2)
        story.edit()
