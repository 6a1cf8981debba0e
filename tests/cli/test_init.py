"""`pipefile init`."""

from __future__ import annotations

from kit import Project


def test_init_then_build(project: Project) -> None:
    """In an empty folder; the second build runs nothing, and check is content."""
    made = project.cli("init")
    assert (made.out, made.err, made.exit_status) == (
        "wrote Pipefile.toml; `pipefile` builds it, `pipefile list` shows its stages\n", "", 0,
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
