"""Random edits of random graphs (kit/model.py), and builds that are held against the model."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable, Iterable
from typing import Any

from kit.disks import DyingDisk, Killed
from kit.model import CLASSED, FOLDERS, KINDS, ONE_INPUT, OPTIONAL, UNDECLARED, Contents, Model, Spec, value_path
from kit.outcome import BuildOutcome
from kit.project import Project
from kit.tree import contents


class Story:
    """A project, its model, and a source of chance.

    Args:
        calm: Nothing happens while a build runs, so that what runs is certain.
        classes: Outputs may be temporary, optional, or written in place.
    """

    def __init__(self, project: Project, seed: int, calm: bool = False, classes: bool = True) -> None:
        self.project, self.model, self.chance = project, Model(), random.Random(seed)
        self.old: list[tuple[str, bytes, int]] = []  # what sources held, and their mtimes then
        self.told: list[str] = []
        self.index_gone = False
        self.calm = calm
        self.classes = classes
        self.disturbed = False  # what the last build did is not certain, so nor is what the next one has to do
        self.hooked = False
        self.unsure: set[str] = set()  # stages with an old record beside what they made: while the index knows better, it is not looked at
        self.kept: list[dict[str, str]] = []
        project.environ["SWITCH"] = "on"
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
        missed = any(path in self.model.stages[name].inputs for name in self.model.running())
        folder = path.partition("/")[0] + "/"
        alone = sum(each.startswith(folder) for each in self.model.sources) == 1
        data = self.model.sources.pop(path)
        self.project.remove(path)
        if needed or alone:
            if missed and not self.hooked:
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
        self.model.replace(name, salt=self.model.fresh_salt() if self.model.stages[name].kind == "shaky" else self.chance.randint(0, 3))
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
        name, kind = self.model.fresh_name(), self.chance.choice(KINDS if self.classes else [kind for kind in KINDS if kind != "maybe"])
        made = [path for spec in self.model.stages.values() for path in spec.outputs if spec.kind != "maybe"]
        absent = tuple([path for spec in self.model.stages.values() for path in spec.outputs if spec.kind == "maybe"]) if kind == "optional" else ()
        made += absent
        folders = [path for path in made if path.endswith("/")]
        files = sorted(self.model.sources) + [path for path in made if not path.endswith("/")] * 2
        if kind == "gather" and not folders:
            kind = "cat"
        numbers = [spec.outputs[0] for spec in self.model.stages.values() if spec.kind == "number"]
        if kind == "spell" and not numbers:
            kind = "number"
        count = 1 if kind in ONE_INPUT else self.chance.randint(1, 4)
        one_of = {"gather": folders, "spell": numbers}.get(kind)
        inputs = [self.chance.choice(one_of)] if one_of else sorted(set(self.chance.choices(files, k=count)))
        self.chance.shuffle(inputs)
        if kind == "folder":
            inputs = list({os.path.basename(path): path for path in inputs}.values())
        if kind in ("glob", "literal", "tree"):
            inputs = []
        if kind in FOLDERS and not any(path.startswith(FOLDERS[kind]) for path in self.model.sources):
            self.write_source(f"{FOLDERS[kind]}z.txt", self.words())
        extra = self.chance.choice(sorted(self.model.sources)) if kind in UNDECLARED else ""
        several = {"split": (f"out/{name}.1", f"out/{name}.2"), "folder": (f"out/{name}/",), "number": (value_path(name),)}
        outputs = several.get(kind, (f"out/{name}",))
        salt = self.model.fresh_salt() if kind == "shaky" else 0
        when = self.chance.random() < 0.2
        temp = self.classes and kind in CLASSED and self.chance.random() < 0.4
        in_place = self.classes and kind in (*CLASSED, "maybe") and self.chance.random() < 0.2
        self.model.stages[name] = Spec(name, kind, tuple(inputs), outputs, salt, extra, when, temp, in_place, absent)
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

    def toggle_optional(self) -> str:
        self.model.optional = self.words() if self.model.optional is None or self.chance.random() < 0.3 else None
        if self.model.optional is not None:
            self.project.write(OPTIONAL, self.model.optional)
            return f"wrote {OPTIONAL}"
        self.project.remove(OPTIONAL)
        return f"removed {OPTIONAL}"

    def change_level(self) -> str:
        self.model.level = self.project.environ["LEVEL"] = str(self.chance.randint(0, 2))
        return f"set LEVEL to {self.model.level}"

    def toggle_switch(self) -> str:
        self.model.switch = not self.model.switch
        self.project.environ["SWITCH"] = "on" if self.model.switch else ""
        return f"set the switch to {self.project.environ['SWITCH'] or 'off'}"

    def toggle_broken(self) -> str:
        """Shaky stages fail from now on, or do so no more; in either case they have to run."""
        self.model.broken = not self.model.broken
        self.project.environ["BROKEN"] = "yes" if self.model.broken else ""
        for name, spec in list(self.model.stages.items()):
            if spec.kind == "shaky":
                self.model.replace(name, salt=self.model.fresh_salt())
        self.model.write_pipefile(self.project)
        return f"set BROKEN to {self.project.environ['BROKEN'] or 'nothing'}"

    def remove_record(self) -> str:
        found = [(name, path) for name, spec in self.model.stages.items() for path in spec.outputs if self.project.exists(self.record(path))]
        if not found:
            return self.edit_source()
        name, path = self.chance.choice(found)
        self.project.remove(self.record(path))
        self.model.ran.pop(name, None)
        return f"removed the record of {path}"

    def remove_all_records(self) -> str:
        for path in [path for path in self.project.tree() if path.endswith(".hash")]:
            self.project.remove(path)
        self.model.ran.clear()
        return "removed all records"

    def record(self, path: str) -> str:
        return self.project.record(path.rstrip("/"))

    def keep(self) -> None:
        """Put aside what stands now of each output and record, with stamps."""
        folder = os.path.join(self.project.side, f"kept{len(self.kept)}")
        os.makedirs(folder)
        kept = {}
        for path in self.model_outputs():
            for each in (path, self.record(path)):
                if self.project.exists(each):
                    kept[each] = os.path.join(folder, str(len(kept)))
                    copy(self.project.path(each), kept[each])
        self.kept.append(kept)

    def restore_outputs(self) -> str:
        """Case 66: outputs, records or both of one stage as they were after an earlier build, with their old mtimes."""
        kept = self.chance.choice(self.kept) if self.kept else {}
        here = [spec for spec in self.model.stages.values() if all(path.rstrip("/") in kept for path in spec.outputs)]
        if not here:
            return self.edit_source()
        spec, what = self.chance.choice(here), self.chance.choice(["outputs", "records", "outputs and records"])
        for path in spec.outputs:
            for each in [path.rstrip("/")] * ("outputs" in what) + [self.record(path)] * ("records" in what):
                if self.project.exists(each):
                    self.project.remove(each)
                if each in kept:
                    copy(kept[each], self.project.path(each))
        if "records" in what:
            self.unsure.add(spec.name)
        return f"restored {what} of {spec.name}"

    def kill(self) -> str:
        """The builder dies at some change of the disk that it makes."""
        self.project.disk = DyingDisk(self.project.root, self.chance.randint(0, 60))
        try:
            self.project.build(jobs=1)
        except Killed:
            self.disturbed = True
            return "a builder was killed"
        finally:
            self.project.disk = None
        self.disturbed = True
        return "a builder came to its end before it was killed"

    def meanwhile(self) -> str:
        """Cases 15 and 16: an input is edited before its stage reads it, and perhaps put back before the stage ends, with its mtime."""
        # a file that changes during both attempts of a stage that does not declare it is taken for the stage's own, as documented
        extras = {spec.extra for spec in self.model.stages.values()}
        readers = [(spec.name, path) for spec in self.model.stages.values() if spec.kind == "cat" for path in spec.inputs]
        readers = [(name, path) for name, path in readers if path in self.model.sources and path not in extras]
        if not readers or self.hooked:
            return self.edit_source()
        name, path = self.chance.choice(readers)
        self.model.replace(name, salt=self.chance.randint(4, 99))  # so that it runs
        self.model.write_pipefile(self.project)
        back = self.chance.random() < 0.7
        with open(self.hook(f"before-{name}"), "w", encoding="utf-8") as file:
            file.write(f"cp -p {path} $GATES/old; echo {self.chance.randint(100, 999)} > {path}\n")
        if back:
            with open(self.hook(f"after-{name}"), "w", encoding="utf-8") as file:
                file.write(f"cat $GATES/old > {path}; touch -r $GATES/old {path}\n")
        self.hooked = True
        return f"while {name} runs in the next build, {path} is edited{' and put back' if back else ''}"

    def hook(self, name: str) -> str:
        return os.path.join(self.project.environ["GATES"], name)

    def edits(self) -> list[Callable[[], str]]:
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
            self.toggle_optional,
            self.change_level,
            self.toggle_switch,
            self.toggle_broken,
            self.remove_record,
            self.remove_all_records,
            self.restore_outputs,
        ]
        if not self.calm:
            edits += [self.kill, self.meanwhile, self.meanwhile]
        return edits

    def edit(self) -> None:
        edits = self.edits()
        for _ in range(self.chance.choice([1, 1, 1, 2, 3])):
            self.told.append(self.chance.choice(edits)())

    # --- builds

    def story(self) -> str:
        return "\n".join(["what was done, in order:", *self.told])

    def now(self) -> dict[str, Contents]:
        return dict(self.project.outputs())

    def build(self, jobs: int, target: str = "", **options: Any) -> list[str]:
        """Build all, or one stage, and judge it."""
        if self.hooked:
            self.build_while_edited(jobs)
        must = self.model.must_run({**dict.fromkeys(self.model_outputs()), **self.now()}, target)
        names = self.model.closure(target) if target else self.model.running()
        would, before = self.read_only(target), self.now()
        dead = {path: contents(self.project.path(path)) for path in self.dead()}
        targets = (target,) if target else ()
        outcome = self.project.build(*targets, jobs=jobs, **options)
        ran = stages([*outcome.ran, *outcome.degraded, *outcome.restored])
        came = ", ".join(f"{what} {getattr(outcome, what)}" for what in ("ran", "restored", "degraded", "skipped"))
        self.told.append(f"built {target} with {jobs} jobs {options}: {came}")
        assert outcome.exit_status == 0, f"{outcome.output}\n{self.story()}"
        made = {path.rstrip("/") for name in names for path in self.model.stages[name].outputs}
        expected = {path: content if path in made else before[path] for path, content in self.model.expected().items()}
        gone = self.gone(target)
        standing = {path: content for path, content in self.standing().items() if path not in gone}
        assert standing == {path: content for path, content in expected.items() if path not in gone}, self.story()
        if not target and not outcome.degraded:
            assert gone.intersection(expected) == self.model.temps().intersection(expected), self.story()
        assert set(ran) <= would, self.story()
        if not self.disturbed:
            assert sorted(set(ran) - self.unsure) == sorted((must & names) - self.unsure), f"{must} had to run\n{self.story()}"
            if not self.index_gone:  # what is dead is known from the index
                stays = {path for path, content in dead.items() if content is not None and (target or content != self.dead()[path])}
                assert {path for path in dead if self.project.exists(path)} == stays, self.story()
        assert len(set(ran)) == len(ran), self.story()
        assert set(stages(outcome.skipped)) <= set(self.model.stages) - self.model.running(), self.story()
        self.unsure.difference_update(ran)
        self.model.built(names if target else None, [name for name in self.left_out() if self.is_whole(name)])
        if not target:
            self.index_gone = self.disturbed = False
        again = self.project.build(*targets, jobs=jobs)
        assert (again.exit_status, again.ran, again.restored) == (0, [], []), self.story()
        self.keep()
        self.judge(outcome)
        return ran

    def judge(self, outcome: BuildOutcome) -> None:
        """What else has to be so after a build."""

    def build_while_edited(self, jobs: int) -> None:
        """A build in which a source changes: it may fail, but what it leaves is not believed for more than it is."""
        outcome = self.project.build(jobs=jobs, keep_going=self.chance.random() < 0.5)
        self.told.append(f"built with an edit meanwhile: exit status {outcome.exit_status}, ran {outcome.ran}, {outcome.output!r}")
        assert outcome.exit_status in (0, 1), self.story()
        for name in os.listdir(self.project.environ["GATES"]):  # of a stage that did not run
            os.unlink(self.hook(name))
        self.model.sources = {path: self.project.read_bytes(path) for path in self.model.sources}
        self.hooked, self.disturbed = False, True

    def dead(self) -> dict[str, Contents]:
        """Outputs of stages that are gone or left out since the last build, as those stages left them."""
        made = {path.rstrip("/") for name in self.model.running() for path in self.model.stages[name].outputs}
        gone = [left for name, (_, left) in self.model.ran.items() if name not in self.model.running()]
        return {path: content for left in gone for path, content in left.items() if path not in made}

    def left_out(self) -> set[str]:
        """Stages that have run before and that a condition keeps from running now."""
        return set(self.model.ran).intersection(self.model.stages) - self.model.running()

    def is_whole(self, name: str) -> bool:
        return all(self.project.exists(path) for path in self.model.stages[name].outputs)

    def standing(self) -> dict[str, Contents]:
        """What stands in place of the outputs of stages that run."""
        made = self.model.expected()
        gone = self.gone()
        return {path: content for path, content in self.now().items() if path in made and path not in gone}

    def gone(self, target: str = "") -> set[str]:
        """Temporary outputs that are not there after a build of *target*."""
        return {path for path in self.model.temps(target) if not self.project.exists(path)}

    def model_outputs(self) -> list[str]:
        return [path for _, left in self.model.ran.values() for path in left]

    def read_only(self, *targets: str) -> set[str]:
        """Ask without building; what a dry run says would run. Nothing may change."""
        targets = tuple(target for target in targets if target)
        before = self.project.tree()
        states = self.project.status(*targets)
        dry = self.project.build(*targets, dry_run=True)
        for target in self.project.declared()[:3]:
            self.project.why(target)
        assert self.project.tree() == before, self.story()
        would = stages([*dry.would_run, *dry.would_restore])
        fresh = stages([name for name, state in states.items() if state == "fresh"])
        assert not set(fresh).intersection(would), self.story()
        return set(would)


def stages(edges: Iterable[str]) -> list[str]:
    """Names of stages: of a pattern rule there is one instance in a story."""
    return [edge.partition("@")[0] for edge in edges]


def copy(source: str, target: str) -> None:
    os.makedirs(os.path.dirname(target), exist_ok=True)
    if os.path.isdir(source):
        shutil.copytree(source, target)
    else:
        shutil.copy2(source, target)
