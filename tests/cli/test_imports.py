"""What `pipefile build` imports: each module costs about as much as the build of a small file, and some of them twenty times that."""

from __future__ import annotations

import subprocess
import sys

from kit import Project

from pipefile.cli.main import COMMANDS

HEAVY = {"watchdog", "psutil", "pathspec", "rich", "asyncio", "importlib.metadata", "concurrent.futures", "multiprocessing", "subprocess", "sqlite3"}
NEVER_FOR_NOTHING = HEAVY | {"click", "json", "dataclasses", "re", "typing", "enum", "inspect", "tomli", "tomllib", "threading", "hashlib", "shutil"}


def imported(project: Project, *words: str) -> set[str]:
    """Names of all modules that a run imports beyond those of a bare interpreter; it has to succeed."""
    return _modules(project, "-m", "pipefile", *words) - _modules(project, "-c", "pass")


def _modules(project: Project, *argv: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *argv], cwd=project.root, env=project.environ, capture_output=True, text=True, check=True
    )
    lines = [line.split("|") for line in done.stderr.splitlines() if line.startswith("import time:")]
    assert len(lines) > 10
    return {fields[2].strip() for fields in lines}


def two_stages(project: Project) -> None:
    project.write("x", "x\n")
    project.stage("a", inputs="x", outputs="a.txt", run="cp {inputs} {outputs}")
    project.stage("b", inputs="a.txt", outputs="b.txt", run="sort < {inputs} > {outputs}")


def test_a_build_that_has_nothing_to_do(project: Project) -> None:
    """The fast lane, the index, the digest, and nothing of what a build is made of."""
    two_stages(project)
    imported(project)
    found = imported(project)
    assert {name for name in found if name.partition(".")[0] == "pipefile"} == {
        "pipefile",
        "pipefile.base",
        "pipefile.base.commands",
        "pipefile.base.digest",
        "pipefile.base.streams",
        "pipefile.engine",
        "pipefile.engine.fastlane",
        "pipefile.store",
        "pipefile.store.index",
    }
    assert found & NEVER_FOR_NOTHING == set()


def test_a_build_that_runs_commands(project: Project) -> None:
    """No watcher, no globs' library where there is no glob, no functions, no history commands, no other command."""
    two_stages(project)
    found = imported(project)
    assert found & HEAVY == set()
    ours = {name for name in found if name.startswith(("pipefile.cli", "pipefile.execute", "pipefile.report"))}
    assert ours & {f"pipefile.cli.{name}" for name in COMMANDS if name != "build"} == set()
    others = ["execute.function", "execute.modules", "execute.process", "report.graph", "report.json_lines"]
    others += [f"report.{name}" for name in ("live", "width", "failures", "github", "junit", "several", "stepsummary")]
    assert ours & {f"pipefile.{name}" for name in others} == set()


def test_a_build_that_runs_functions(project: Project) -> None:
    """Threads, and what functions themselves need; still no process pool."""
    project.write("steps.py", "def make(outputs):\n    open(outputs[0], 'w').close()\n")
    project.stage("a", outputs="a.txt", call="steps:make")
    assert imported(project) & HEAVY == set()


def test_questions_import_no_executor(project: Project) -> None:
    """`status` runs nothing, so it needs nothing that could."""
    two_stages(project)
    found = imported(project, "status")
    assert found & HEAVY == set()
    assert {name for name in found if name.startswith("pipefile.execute.")} == set()
