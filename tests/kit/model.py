"""A model of what pipefile has to do: what every output has to hold, and which stages have to run.

It knows nothing of pipefile's code. A stage's signature is all that its result may depend on; it has to run if its signature is another one than at
its last run, or if its outputs are not as that run left them, and in no other case.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from kit.project import Project

STEPS = '''"""Stages in Python."""
MARK = "{mark}"


def join(inputs, outputs, salt):
    with open(outputs[0], "wb") as out:
        for ref in inputs:
            with open(ref, "rb") as file:
                out.write(file.read())
        out.write(f"{{MARK}} {{salt}}\\n".encode())


def number(inputs):
    count = 0
    for ref in inputs:
        with open(ref, "rb") as file:
            count += file.read().count(b"\\n")
    return count
'''

KINDS = (
    "join", "cat", "sort", "count", "split", "place", "glob", "folder", "gather", "depfile", "literal", "tree", "env", "optional", "retry", "shaky",
    "number", "spell", "maybe", "rule",
)  # fmt: skip
ONE_INPUT = ("split", "place", "gather", "depfile", "spell")
UNDECLARED = ("depfile", "literal")
CLASSED = ("join", "cat", "sort", "count", "depfile", "env", "optional", "retry", "shaky")  # kinds whose one output can be of any class
FOLDERS = {"glob": "src/", "tree": "more/"}  # what these read: all that is in a folder of sources
OPTIONAL = "maybe/there.txt"
HOOK = 'if [ -f "$GATES/{0}" ]; then mv "$GATES/{0}" "$GATES/{0}.now"; . "$GATES/{0}.now"; fi'  # what a test wants to happen while a stage runs

TRIES = 'tries="$GATES/tries-{0}"; if [ ! -e "$tries" ]; then : > "$tries"; echo half > {{outputs}}; exit 75; fi; rm "$tries"'
PLAIN = "(echo plain; cat {inputs}) > {outputs}"  # what stands in for a shaky stage

Contents = object


def value_path(stage: str) -> str:
    """Where the value of a stage of kind "number" is kept."""
    return f"pipeline_outputs/values/{stage}/n.json"


@dataclass(frozen=True)
class Spec:
    """A stage of the model: what it does, with which files, and a word that changes its command or parameter.

    A "rule" is a pattern rule, whose output `default` asks for.

    What "number" makes is a value, which "spell" takes as one and all others as the file that it is.

    `extra` is a source that it reads and does not declare: its depfile lists it, or its command names it.
    `when`: it runs only while the switch is on. `temp`: its output may be gone when all who read it are done. `in_place`: it is written where it
    stands. What "maybe" makes is there or not, and only "optional" reads it.
    """

    name: str
    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    salt: int = 0
    extra: str = ""
    when: bool = False
    temp: bool = False
    in_place: bool = False
    absent: tuple[str, ...] = ()  # inputs that may be absent

    def _output(self, path: str) -> object:
        table = {"temp": self.temp, "optional": self.kind == "maybe"}
        chosen: dict[str, object] = {name: True for name, given in table.items() if given}
        if self.in_place:
            chosen["atomic"] = False
        return {"path": path, **chosen} if chosen else path

    def keys(self) -> dict[str, object]:
        """The stage as the kit's `stage` takes it."""
        inputs: list[object] = ["src/*.txt"] if self.kind == "glob" else ["more/"] if self.kind == "tree" else []
        inputs += [{"path": path, "optional": True} if path in self.absent else path for path in self.inputs]
        if self.kind == "optional":
            inputs.append({"path": OPTIONAL, "optional": True})
        common: dict[str, object] = {"inputs": inputs, "outputs": [self._output(path) for path in self.outputs]}
        if self.when:
            common["should_run"] = {"env": "SWITCH"}
        if self.kind == "retry":
            common["retry_policy"] = {"max_attempts": 2, "delay": "1ms", "retry_on": [75]}
        if self.kind == "shaky":
            common["fallback"] = "plain"
        if self.kind == "join":
            return {**common, "call": "steps:join", "params": {"salt": self.salt}}
        if self.kind == "number":
            return {**common, "outputs": {"n": "value:int"}, "call": "steps:number"}
        if self.kind == "rule":  # its output is asked for by name
            return {**common, "outputs": ["out/{w}"], "where": {"w": self.name}, "run": self.command()}
        if self.kind == "spell":
            return {**common, "inputs": {"n": f"{self.inputs[0].split('/')[-2]}.n"}, "run": f"echo {{n}} {self.salt} > {{outputs}}"}
        if self.kind == "depfile":
            common["depfile"] = f"{self.outputs[0]}.d"
        if self.kind == "env":
            common["env"] = ["LEVEL"]
        return {**common, "run": self.command()}

    def command(self) -> str:
        if self.kind == "sort":  # without a shell
            return "sort -o {outputs} {inputs}"
        if self.kind == "place":  # without a shell, and written where it stands
            return f"cp {self.inputs[0]} {self.outputs[0]}"
        if self.kind == "literal":
            return f"(cat {self.extra}; echo {self.salt}) > {{outputs}}"
        if self.kind == "depfile":  # the path stands in no word of its own
            return f'extra={self.extra}; (cat {{inputs}} "$extra"; echo {self.salt}) > {{outputs}}; echo "x: $extra" > {{depfile}}'
        if self.kind == "split":
            return "head -n 1 {inputs[0]} > {outputs[0]}; tail -n +2 {inputs[0]} > {outputs[1]}"
        if self.kind == "count":
            return "cat {inputs} | wc -l > {outputs}"
        if self.kind == "folder":
            return f"mkdir -p {{outputs}}; cp {{inputs}} {{outputs}}; echo {self.salt} > {{outputs}}/salt"
        if self.kind == "gather":
            return "cat {inputs}/* > {outputs}"
        if self.kind == "tree":
            return f"(cat {{inputs}}/*; echo {self.salt}) > {{outputs}}"
        if self.kind == "env":
            return 'echo "$LEVEL" | cat - {inputs} > {outputs}'
        if self.kind == "optional":
            return f"for each in {{inputs}}; do [ ! -e $each ] || cat $each; done > {{outputs}}; echo {self.salt} >> {{outputs}}"
        if self.kind == "maybe":
            return f"if [ $(($(cat {{inputs}} | wc -l) % 2)) = 0 ]; then (cat {{inputs}}; echo {self.salt}) > {{outputs}}; fi"
        if self.kind == "retry":
            return f"{TRIES.format(self.name)}; (cat {{inputs}}; echo {self.salt}) > {{outputs}}"
        if self.kind == "shaky":
            return f'test -z "$BROKEN" || exit 3; (cat {{inputs}}; echo {self.salt}) > {{outputs}}'
        if self.kind == "cat":
            before, after = (HOOK.format(f"{when}-{self.name}") for when in ("before", "after"))
            return f"{before}; (cat {{inputs}}; echo {self.salt}) > {{outputs}}; {after}"
        return f"(cat {{inputs}}; echo {self.salt}) > {{outputs}}"


@dataclass
class Model:
    """Sources, stages, and what was true of each stage when it last ran.

    `switch`: conditions hold. `broken`: shaky stages fail, and their fallback makes what nobody believes afterwards.
    """

    sources: dict[str, bytes] = field(default_factory=dict)
    stages: dict[str, Spec] = field(default_factory=dict)
    mark: str = "m0"
    level: str = ""
    optional: bytes | None = None
    switch: bool = True
    broken: bool = False
    ran: dict[str, tuple[object, dict[str, Contents]]] = field(default_factory=dict)
    names: int = 0
    salts: int = 100

    # --- what has to come out

    def expected(self) -> dict[str, Contents]:
        """Contents of every output after a successful build; stages are kept in an order in which each comes after what it needs."""
        made: dict[str, Contents] = {}
        running = self.running()
        for spec in self.stages.values():
            if spec.name in running:
                made.update(self._run(spec, made))
        return made

    def running(self) -> set[str]:
        """Stages that no condition leaves out, their own or that of one which they need."""
        found: set[str] = set()
        gone: set[str] = set()
        for spec in self.stages.values():
            if (spec.when and not self.switch) or gone.intersection(spec.inputs):
                gone.update(spec.outputs)
            else:
                found.add(spec.name)
        return found

    def _files(self, spec: Spec) -> list[str]:
        if spec.kind in FOLDERS:
            return sorted(path for path in self.sources if path.startswith(FOLDERS[spec.kind]))
        if spec.kind == "optional" and self.optional is not None:
            return [*spec.inputs, OPTIONAL]
        return [*spec.inputs, spec.extra] if spec.extra else list(spec.inputs)

    def _input(self, path: str, made: dict[str, Contents]) -> Contents:
        if path == OPTIONAL:
            return self.optional, False
        return (self.sources[path], False) if path in self.sources else made[path.rstrip("/")]

    def _run(self, spec: Spec, made: dict[str, Contents]) -> dict[str, Contents]:
        paths = self._files(spec)
        if spec.kind == "gather":
            folder = self._input(paths[0], made)
            assert isinstance(folder, dict)
            return {spec.outputs[0]: (b"".join(folder[name][1] for name in sorted(folder)), False)}
        data = [self._bytes(path, made) for path in paths]
        whole = b"".join(data)
        if spec.kind == "maybe" and whole.count(b"\n") % 2:
            return {spec.outputs[0]: None}
        if spec.kind == "join":
            whole += f"{self.mark} {spec.salt}\n".encode()
        elif spec.kind == "env":
            whole = f"{self.level}\n".encode() + whole
        elif spec.kind == "shaky" and self.broken:
            whole = b"plain\n" + whole
        elif spec.kind in ("cat", "tree", "optional", "glob", "retry", "shaky", "maybe", "rule", *UNDECLARED):
            whole += f"{spec.salt}\n".encode()
        elif spec.kind == "sort":
            whole = b"".join(sorted(whole.splitlines(keepends=True)))
        elif spec.kind == "spell":
            whole = whole.strip() + b" %d\n" % spec.salt
        elif spec.kind in ("count", "number"):
            whole = b"%d\n" % whole.count(b"\n")
        elif spec.kind == "split":
            first, newline, rest = whole.partition(b"\n")
            return {spec.outputs[0]: (first + newline, False), spec.outputs[1]: (rest, False)}
        elif spec.kind == "folder":
            files = {os.path.basename(path): each for path, each in zip(paths, data, strict=True)} | {"salt": b"%d\n" % spec.salt}
            return {spec.outputs[0].rstrip("/"): {name: (stat.S_IFREG, each, False) for name, each in sorted(files.items())}}
        return {spec.outputs[0]: (whole, False)}

    def _bytes(self, path: str, made: dict[str, Contents]) -> bytes:
        content = self._input(path, made)
        if content is None:
            return b""
        assert isinstance(content, tuple)
        return content[0]

    # --- what has to run

    def signatures(self) -> dict[str, object]:
        """All that the result of each stage may depend on."""
        made = self.expected()
        running = self.running()
        return {
            spec.name: (
                object() if spec.kind == "shaky" and self.broken else repr(spec.keys()),
                [(path, repr(self._input(path, made))) for path in self._files(spec)],
                self.mark if spec.kind == "join" else self.level if spec.kind == "env" else "",
            )
            for spec in self.stages.values()
            if spec.name in running
        }

    def must_run(self, now: dict[str, Contents], target: str = "") -> set[str]:
        """Stages that the next build has to run, where *now* is what stands in place of every output before it. *target*: what is asked for."""
        must = {
            name
            for name, signature in self.signatures().items()
            if name not in self.ran
            or self.ran[name][0] != signature
            or any(now[path] != left and not self._is_gone(path, now, target) for path, left in self.ran[name][1].items())
        }
        gone = {path: name for name, spec in self.stages.items() for path in spec.outputs if self._is_gone(path, now, target)}
        if target in gone.values():
            must.add(target)
        todo = list(must & (self.closure(target) if target else self.running()))
        while todo:  # what runs has made again what it reads
            for path in self.stages[todo.pop()].inputs:
                if path in gone and gone[path] not in must:
                    must.add(gone[path])
                    todo.append(gone[path])
        return must

    def _is_gone(self, path: str, now: dict[str, Contents], target: str) -> bool:
        return path in self.temps(target) and now.get(path) is None

    def temps(self, target: str = "") -> set[str]:
        """Outputs that may be gone after a build of *target*; none after one of all where `default` names all stages: what is asked for is kept."""
        if not target and any(spec.kind == "rule" for spec in self.stages.values()):
            return set()
        return {path for spec in self.stages.values() if spec.temp for path in spec.outputs}

    def built(self, names: set[str] | None = None, kept: Iterable[str] = ()) -> None:
        """A build of *names* has succeeded, of everything if that is None; what it left out has *kept* its outputs all the same."""
        made = self.expected()
        ran = {
            name: (signature, {path.rstrip("/"): made[path.rstrip("/")] for path in self.stages[name].outputs})
            for name, signature in self.signatures().items()
        }
        if names is None:
            self.ran = {**{name: self.ran[name] for name in kept}, **ran}
        else:
            self.ran.update({name: ran[name] for name in names})

    def closure(self, name: str) -> set[str]:
        """A stage and all that it needs; nothing for one that is left out."""
        makers = {output: spec.name for spec in self.stages.values() for output in spec.outputs}
        found, todo = set(), [name] if name in self.running() else []
        while todo:
            found.add(todo[-1])
            todo += [makers[path] for path in self.stages[todo.pop()].inputs if path in makers]
        return found

    # --- to disk

    def write_pipefile(self, project: Project) -> None:
        shaky = any(spec.kind == "shaky" for spec in self.stages.values())
        for name in project.stages():
            if name not in self.stages:
                project.drop(name)
        if shaky:
            project.stage("plain", run=PLAIN)
        for spec in self.stages.values():
            project.stage(spec.name, **spec.keys())  # type: ignore[arg-type]
        rules = any(spec.kind == "rule" for spec in self.stages.values())
        asked = [spec.outputs[0] if spec.kind == "rule" else name for name, spec in self.stages.items()]
        project.settings(default=asked if rules else None)

    def write_steps(self, project: Project) -> None:
        project.write("steps.py", STEPS.format(mark=self.mark))

    # --- changes of the graph

    def fresh_salt(self) -> int:
        """One that no stage has had: a shaky stage whose record is from another time is never taken for done while it would fail."""
        self.salts += 1
        return self.salts

    def fresh_name(self) -> str:
        self.names += 1
        return f"s{self.names}"

    def users(self, name: str) -> set[str]:
        """Stages that need an output of *name*, directly or through others, and itself."""
        found, outputs = {name}, set(self.stages[name].outputs)
        for spec in self.stages.values():
            if outputs & set(spec.inputs):
                found.add(spec.name)
                outputs |= set(spec.outputs)
        return found

    def replace(self, name: str, **changes: object) -> None:
        self.stages[name] = replace(self.stages[name], **changes)  # type: ignore[arg-type]
