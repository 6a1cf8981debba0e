"""The tools that are measured: how each one's build file is written, how it is called, what it leaves behind."""

from __future__ import annotations

import os
import shutil
import sys

from shapes import OUTPUTS, SOURCES, Shape


class Tool:
    """One build tool. `state`: what it keeps in the project's root, removed to build from scratch."""

    name = ""
    state: tuple[str, ...] = ()

    def file(self, shape: Shape) -> tuple[str, str]:
        """Name and text of the build file."""
        raise NotImplementedError

    def argv(self, jobs: int) -> list[str]:
        raise NotImplementedError

    def plan_argv(self) -> list[str]:
        """Says what a build would do, line by line, and does nothing."""
        raise NotImplementedError

    def missing(self) -> str:
        """Why it cannot be measured here; "" if it can."""
        program = self.argv(1)[0]
        return "" if shutil.which(program) else f"`{program}` is not installed"

    def prepare(self, shape: Shape, root: str) -> None:
        os.makedirs(root)
        shape.write_sources(root)
        name, text = self.file(shape)
        with open(os.path.join(root, name), "w") as file:
            file.write(text)

    def clean(self, shape: Shape, root: str) -> None:
        """As never built: empty output folders, no state."""
        folders = {os.path.dirname(output) for output in shape.outputs()}
        shutil.rmtree(os.path.join(root, OUTPUTS), ignore_errors=True)
        for folder in folders:
            os.makedirs(os.path.join(root, folder))
        for name in self.state:
            full = os.path.join(root, name)
            if os.path.isdir(full):
                shutil.rmtree(full)
            elif os.path.lexists(full):
                os.unlink(full)


class Pipefile(Tool):
    """Outputs by placeholder: written to a temporary path and renamed, as users are told to write it."""

    name = "pipefile"
    state = ("pipeline_outputs", ".pipefile.lock")

    def file(self, shape: Shape) -> tuple[str, str]:
        run = "cat {src} > {dst}" if shape.shell else "cp {src} {dst}"
        stages = (
            f'[stage.s{number}]\ninputs = {{ src = "{source}" }}\noutputs = {{ dst = "{output}" }}\nrun = "{run}"\n'
            for number, (source, output) in enumerate(zip(shape.sources(), shape.outputs(), strict=True))
        )
        return "Pipefile.toml", "\n".join(stages)

    def argv(self, jobs: int) -> list[str]:
        return [*self.start(), "-q", f"-j{jobs}"]

    def plan_argv(self) -> list[str]:
        return [*self.start(), "build", "-n"]

    @staticmethod
    def start() -> list[str]:
        beside = os.path.join(os.path.dirname(sys.executable), "pipefile")
        return [beside] if os.access(beside, os.X_OK) else [sys.executable, "-m", "pipefile"]


class ForEach(Pipefile):
    """The same as one stage with an instance for each source."""

    name = "for_each"

    def file(self, shape: Shape) -> tuple[str, str]:
        run = "cat {src} > {dst}" if shape.shell else "cp {src} {dst}"
        each = f'for_each = {{ file = "{SOURCES}/**/*.txt" }}\ninputs = {{ src = "{{file}}" }}\n'
        output = f"{OUTPUTS}/{{file.parent.name}}/{{file.name}}"
        return "Pipefile.toml", f'[stage.copy]\n{each}outputs = {{ dst = "{output}" }}\nrun = "{run}"\n'


class Ninja(Tool):
    name = "ninja"
    state = (".ninja_log", ".ninja_deps", ".ninja_lock")

    def file(self, shape: Shape) -> tuple[str, str]:
        rule = f"rule copy\n  command = {shape.command('$in', '$out')}\n"
        edges = (f"build {output}: copy {source}\n" for source, output in zip(shape.sources(), shape.outputs(), strict=True))
        return "build.ninja", rule + "".join(edges)

    def argv(self, jobs: int) -> list[str]:
        return ["ninja", "--quiet", f"-j{jobs}"]

    def plan_argv(self) -> list[str]:
        return ["ninja", "-n"]


class Make(Tool):
    """GNU make without its built-in rules, which cost it more than everything else."""

    name = "make"

    def file(self, shape: Shape) -> tuple[str, str]:
        outputs = shape.outputs()
        rules = (f"{output}: {source}\n\t{shape.command('$<', '$@')}\n" for source, output in zip(shape.sources(), outputs, strict=True))
        return "Makefile", f"all: {' '.join(outputs)}\n.PHONY: all\n" + "".join(rules)

    def argv(self, jobs: int) -> list[str]:
        return ["make", "-rR", "-s", f"-j{jobs}"]

    def plan_argv(self) -> list[str]:
        return ["make", "-rR", "-n"]


TOOLS: dict[str, Tool] = {tool.name: tool for tool in (Pipefile(), ForEach(), Ninja(), Make())}
