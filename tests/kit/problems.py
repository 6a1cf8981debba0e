"""What VS Code would show of an output, by the task file that pipefile writes for it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from typing import Any

import pytest

from kit.project import Project

NODE = shutil.which("node")
needs_node = pytest.mark.skipif(NODE is None, reason="node is not installed")
_HARNESS = os.path.join(os.path.dirname(os.path.dirname(__file__)), "unit", "editor", "matcher.mjs")


@dataclass(frozen=True)
class Problem:
    """A line of the list of problems. `column` is None where the whole line is marked; line 0 is the file as a whole."""

    file: str
    line: int
    column: int | None
    severity: str
    message: str
    code: str | None = None

    @property
    def place(self) -> tuple[str, int, int | None, str]:
        return self.file, self.line, self.column, self.severity


@dataclass(frozen=True)
class Round:
    """What is between the begin and the end of a build."""

    ended: bool
    problems: tuple[Problem, ...]


def task(project: Project, label: str) -> dict[str, Any]:
    """A task of the file that `pipefile editor vscode` prints."""
    printed = project.cli("editor", "vscode", "--print")
    assert (printed.err, printed.exit_status) == ("", 0)
    found: dict[str, Any] = next(each for each in json.loads(printed.out)["tasks"] if each["label"] == label)
    return found


def rounds(project: Project, task: dict[str, Any], outputs: list[str]) -> list[list[Round]]:
    """What VS Code finds in each of *outputs*; files from the project's root."""
    assert NODE is not None
    asked = [{"matchers": task["problemMatcher"], "lines": re.split(r"\r?\n", output), "root": project.root} for output in outputs]
    done = subprocess.run([NODE, _HARNESS], input=json.dumps(asked), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


    def problem(found: dict[str, Any]) -> Problem:
        return Problem(**{**found, "file": os.path.relpath(found["file"], project.root)})

    return [[Round(each["ended"], tuple(map(problem, each["problems"]))) for each in found] for found in json.loads(done.stdout)]


def problems(project: Project, output: str) -> list[Problem]:
    """What VS Code finds in what a build printed."""
    ((found,),) = rounds(project, task(project, "pipefile: build"), [output])
    return list(found.problems)
