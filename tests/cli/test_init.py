"""`pipefile init`."""

from __future__ import annotations

import subprocess

import pytest
from kit import Project

ADDED = "# what pipefile makes besides outputs\npipeline_outputs/\n.pipefile.lock\n.pipefile-tmp/\n.*.hash\n"


def test_init_then_build(project: Project) -> None:
    """In an empty folder; the second build runs nothing, and check is content."""
    made = project.cli("init")
    assert (made.out, made.err, made.exit_status) == (
        "wrote Pipefile.toml; `pipefile` builds it, `pipefile list` shows its stages\n"
        "wrote .pipefile.schema.json, which editors check and complete Pipefile.toml by\n", "", 0,
    )  # fmt: skip
    assert project.cli().exit_status == 0
    assert project.read("build/loud.txt") == "HELLO\n"
    assert project.cli().out.startswith("2 fresh in ")
    assert project.cli("check", "--strict").out == "2 stages: no faults\n"


def test_init_overwrites_nothing(project: Project) -> None:
    """Nor does it follow a link."""
    project.write("Pipefile.toml", "# mine\n")
    refused = project.cli("init")
    assert (refused.err, refused.exit_status) == ("error: `Pipefile.toml` exists already\n", 2)
    assert project.read("Pipefile.toml") == "# mine\n"


def test_init_under_another_name(project: Project) -> None:
    """-f and -C say where."""
    project.write("sub/x", "")
    assert project.cli("-C", "sub", "-f", "Other.toml", "init").exit_status == 0
    assert project.exists("sub/Other.toml")
    refused = project.cli("-f", "none/Pipefile.toml", "init")
    assert (refused.err, refused.exit_status) == ("error: the folder of `none/Pipefile.toml` does not exist\n", 2)


def test_no_gitignore_where_there_is_no_git(project: Project) -> None:
    """Nothing is made that nobody reads."""
    project.cli("init")
    assert not project.exists(".gitignore")


@pytest.mark.parametrize("folder", [".", "a/b"])
def test_git_is_told_what_pipefile_makes(project: Project, folder: str) -> None:
    """In a work tree, also in a folder of it; after a build git sees the project's own files alone."""
    subprocess.run(["git", "init", "-q", project.root], env=project.environ, check=True)
    project.write(f"{folder}/x", "")
    made = project.cli("-C", folder, "init")
    assert made.out.splitlines()[-1] == "added to .gitignore: pipeline_outputs/ .pipefile.lock .pipefile-tmp/ .*.hash"
    assert project.read(f"{folder}/.gitignore") == ADDED
    assert project.cli("-C", folder).exit_status == 0
    words = ["git", "-C", project.path(folder), "ls-files", "--others", "--exclude-standard"]
    seen = subprocess.run(words, env=project.environ, capture_output=True, text=True, check=True)
    assert seen.stdout.split() == [".gitignore", ".pipefile.schema.json", "Pipefile.toml", "build/greeting.txt", "build/loud.txt", "x"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("", ADDED),
        ("build/", f"build/\n{ADDED}"),
        ("/pipeline_outputs\n.*.hash\n", "/pipeline_outputs\n.*.hash\n# what pipefile makes besides outputs\n.pipefile.lock\n.pipefile-tmp/\n"),
        ("a\r\n", "a\r\n" + ADDED.replace("\n", "\r\n")),
        (f"x\n{ADDED}y\n", f"x\n{ADDED}y\n"),
    ],
)
def test_a_gitignore_that_is_there(project: Project, old: str, new: str) -> None:
    """Keeps what it has, and gets what it lacks; the second time nothing."""
    project.write(".gitignore", old)
    project.cli("init")
    assert project.read(".gitignore") == new
    project.remove("Pipefile.toml")
    assert project.cli("init").out.splitlines()[1:] == ["unchanged: .gitignore has all that pipefile makes besides outputs"]
    assert project.read(".gitignore") == new
