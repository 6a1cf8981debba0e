"""Looking at a project runs none of its code, whatever it is called and wherever it lies."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping

import pytest
from kit import Project

PROGRAM = os.path.join(os.path.dirname(sys.executable), "pipefile")
MODULES = ("json", "re", "click", "tomli", "blake3", "array", "enum", "typing", "sitecustomize", "usercustomize", "conftest", "setup", "Pipefile")
LOOKS = (
    ("list", "--json"),
    ("list", "--json", "--status"),
    ("completion", "--for", "bash", "pipefile out", " ="),
    ("completion", "--for", "zsh", "pipefile", "build", ""),
    ("completion", "--for", "fish", "pipefile", "why", "s"),
    ("schema",),
    ("editor", "vscode", "--print"),
    ("status",),
    ("graph",),
    ("check",),
)


@pytest.fixture
def hostile(project: Project) -> Project:
    """Every file that Python or git could take for something to run leaves a trace if it is."""
    trace = f"open({os.path.join(project.side, 'trace')!r}, 'a').write(__file__ + '\\n')\n"
    for name in MODULES:
        project.write(f"{name}.py", trace)
    project.write("evil.pth", f"import os; exec({trace!r})\n")
    project.write("steps.py", trace + "def make(outputs):\n    pass\n")
    project.write("pipeline.py", trace + "from pipefile import stage\n\n@stage(outputs=['p'])\ndef p(outputs):\n    pass\n")
    project.write(".vscode/tasks.json", '{"version": "2.0.0", "tasks": []}')
    subprocess.run(["git", "init", "-q", project.root], env=project.environ, check=True)
    hook = f"#!/bin/sh\necho hook >> {project.side}/trace\n"
    for name in ("fsmonitor", "pre-commit", "post-checkout", "post-index-change"):
        project.write(f".git/hooks/{name}", hook, executable=True)
    subprocess.run(["git", "-C", project.root, "config", "core.fsmonitor", ".git/hooks/fsmonitor"], env=project.environ, check=True)
    project.settings(python=["pipeline.py"], shell=["./sh", "-c"])
    project.write("sh", hook, executable=True)
    project.stage("s", outputs=["out/a"], call="steps:make")
    return project


def looks(project: Project, program: list[str], env: Mapping[str, str]) -> None:
    before = project.tree()
    for words in LOOKS:
        done = subprocess.run([*program, *words], cwd=project.root, env=dict(env), capture_output=True, text=True, check=False)
        assert done.returncode == 0, (words, done.stderr)
    assert project.tree() == before
    assert not os.path.exists(os.path.join(project.side, "trace"))


@pytest.mark.skipif(not os.path.exists(PROGRAM), reason="the console script is not installed")
def test_nothing_of_it_is_run(hostile: Project) -> None:
    """Case 91, with the program as it is installed: `list --json`, completion, the schema, an editor's tasks and all other looks."""
    environ = {name: value for name, value in hostile.environ.items() if name != "PYTHONPATH"}
    looks(hostile, [PROGRAM], environ)


def test_nothing_of_it_is_run_by_the_module(hostile: Project) -> None:
    """Case 91: `python -m` puts the user's folder before the standard library; what pipefile imports is not looked for there."""
    for name in ("typing", "enum", "re"):  # Python imports these itself before it runs a module
        hostile.remove(f"{name}.py")
    looks(hostile, [sys.executable, "-m", "pipefile"], hostile.environ)


def test_completion_runs_no_program_of_the_folder(hostile: Project) -> None:
    """Case 91: a `pipefile` in the project is not the one that the shell asks, even where it is named on the line."""
    hostile.write("pipefile", f"#!/bin/sh\necho own >> {hostile.side}/trace\n", executable=True)
    bash = shutil.which("bash")
    assert bash is not None
    script = hostile.cli("completion", "bash").out
    asked = script + "\nCOMP_LINE='./pipefile li'; COMP_POINT=13; _pipefile ./pipefile li ./pipefile; echo ${COMPREPLY[@]}"
    environ = {**hostile.environ, "PATH": f"{os.path.dirname(PROGRAM)}:{hostile.environ['PATH']}"}
    done = subprocess.run([bash, "-c", asked], cwd=hostile.root, env=environ, capture_output=True, text=True, check=True)
    assert done.stdout == "list\n"
    assert not os.path.exists(os.path.join(hostile.side, "trace"))
