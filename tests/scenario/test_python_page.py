"""The examples of docs/python.md, docs/data.md, docs/modes.md and the README, run as they stand there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys

import pytest
from kit import Project

HERE = os.path.join(os.path.dirname(__file__), "..", "..")


def blocks(page: str, language: str) -> list[str]:
    with open(os.path.join(HERE, page), encoding="utf-8") as file:
        return re.findall(rf"```{language}\n(.*?)```", file.read(), re.DOTALL)


@pytest.fixture
def example(project: Project) -> Project:
    """The first example of docs/python.md."""
    project.write("pipeline.py", blocks("docs/python.md", "python")[0])
    project.pipefile(blocks("docs/python.md", "toml")[0])
    project.write("media/in.mp4", "x")
    return project


def test_on_the_command_line(example: Project) -> None:
    outcome = example.cli("workflow")
    assert (outcome.exit_status, outcome.err) == (0, "")
    assert example.build("workflow").ran == []
    assert example.read("build/preview-320.txt") == "640 -> 320"
    assert [line.split()[0] for line in example.cli("list").out.splitlines()] == ["analyze", "preview", "summary"]
    assert example.cli("why", "summary").out == "`summary` is fresh\n"


def test_as_a_program(example: Project) -> None:
    """It says what it should, and the command line finds nothing left to do."""
    done = subprocess.run(
        [sys.executable, "pipeline.py"], cwd=example.root, env=example.environ, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == "succeeded 640 px"
    assert example.build("workflow").ran == []


def test_its_fallback(example: Project) -> None:
    example.write("pipeline.py", example.read("pipeline.py").replace("    path = f", "    raise ConnectionError('no network')\n    path = f"))
    outcome = example.cli("workflow")
    assert outcome.exit_status == 0
    warning = "warning: stage `preview` failed (ConnectionError: no network): its outputs come from fallback `preview_plain`"
    assert outcome.err.splitlines()[0] == warning
    assert example.read("build/preview.txt") == "no preview"


def test_the_readme(project: Project) -> None:
    """Its Python stages, beside the stages of Pipefile.toml that it begins with."""
    for name in ("orders.csv", "head.md", "steps.py"):
        shutil.copy(os.path.join(HERE, "examples", "quickstart", name), project.path(name))
    project.pipefile('[pipefile]\npython = ["pipeline.py"]\n\n' + blocks("README.md", "toml")[0])
    project.write("pipeline.py", blocks("README.md", "python")[0])
    assert project.cli("page").exit_status == 0
    assert re.fullmatch(r"# \d+\.\d\d in all\n", project.read("build/page.md"))
    assert project.cli().exit_status == 0
    assert project.build().ran == []
    project.write("orders.csv", project.read("orders.csv") + "# a note\n")
    assert project.build("page").ran == ["clean"]


def test_values(project: Project) -> None:
    """The example of docs/data.md, with functions that do what its comments say."""
    project.pipefile(blocks("docs/data.md", "toml")[0])
    project.write("orders.csv", "a\nb\n")
    project.write(
        "steps.py",
        "def count(orders):\n    with open(orders) as file:\n        return {'lines': len(file.readlines()), 'totals': {'EUR': 17.5}}\n"
        "def report(lines, totals, page):\n    with open(page, 'w') as file:\n        file.write(f'{lines} {totals}')\n",
    )
    assert sorted(project.build().ran) == ["badge", "count", "report"]
    assert (project.read("badge.txt"), project.read("report.html")) == ("2 orders\n", "2 {'EUR': 17.5}")
    assert project.build().ran == []


def test_setup(project: Project) -> None:
    """The example of docs/modes.md."""
    project.pipefile(blocks("docs/modes.md", "toml")[0])
    project.write("data/batch.json", "[1, 2]")
    project.write(
        "steps.py",
        "import json\ndef load_model():\n    return 2\n"
        "def score(batch, scores, setup):\n    with open(batch) as file, open(scores, 'w') as out:\n"
        "        json.dump([each * setup for each in json.load(file)], out)\n",
    )
    assert project.build().ran == ["score"]
    assert project.read("build/scores.json") == "[2, 4]"
