"""Builds of Pipefiles that are wrong: all that is printed, exit status 2, and nothing run, made or removed."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from kit import Project

from pipefile.cli.main import main

FILE = os.path.join(os.path.dirname(__file__), "bad_pipefiles.txt")
OWN = (".", ".pipefile.lock", "pipeline_outputs")
BY_THE_PROGRAM = ("bad_toml", "cycle", "missing_source", "output_outside", "directory_without_slash")


def cases() -> Iterator[tuple[str, str, str]]:
    """Name, Pipefile and message of the cases of bad_pipefiles.txt."""
    with open(FILE, encoding="utf-8") as file:
        for case in file.read().split("\n=== ")[1:]:
            name, _, rest = case.partition("\n")
            text, message = rest.split("---\n")
            yield name, text, message


@pytest.fixture
def tree(project: Project) -> Project:
    """A project with the few files that the cases talk about."""
    for path in ("raw/sales.csv", "x", "one.x"):
        project.write(path, "")
    return project


def users_files(project: Project) -> dict[str, object]:
    return {path: entry for path, entry in project.tree().items() if not path.startswith(OWN)}


@pytest.mark.parametrize(("text", "message"), [pytest.param(*case[1:], id=case[0]) for case in cases()])
def test_message(tree: Project, text: str, message: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    """One fault a Pipefile. Cases 27, 28 and 76 are among them."""
    tree.pipefile(text)
    before = users_files(tree)
    for name in ("FORCE_COLOR", "CLICOLOR_FORCE", "PIPEFILE_LOCK"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tree.root)
    status = main(["build"])
    said = capfd.readouterr()
    assert (said.err, said.out, status) == (message, "", 2)
    assert users_files(tree) == before


@pytest.mark.parametrize(("text", "message"), [pytest.param(*case[1:], id=case[0]) for case in cases() if case[0] in BY_THE_PROGRAM])
def test_message_of_the_program(tree: Project, text: str, message: str) -> None:
    """The same from the real program, and by every command that looks at the graph."""
    tree.pipefile(text)
    outcome = tree.cli()
    assert (outcome.err, outcome.out, outcome.exit_status) == (message, "", 2)
    outcome = tree.cli("build", "-n")
    assert (outcome.err, outcome.out, outcome.exit_status) == (message, "", 2)


def test_not_utf8(tree: Project) -> None:
    """The place is told; the line, which cannot be shown, is not."""
    tree.pipefile(b"[stage.a]\nrun = '\xff'\n")
    outcome = tree.cli()
    assert (outcome.err, outcome.out, outcome.exit_status) == ("error: Pipefile.toml:2:8: invalid UTF-8\n", "", 2)


def test_no_pipefile(tree: Project) -> None:
    """Nothing here or above; nothing is made."""
    before = tree.tree()
    outcome = tree.cli()
    assert (outcome.err, outcome.out, outcome.exit_status) == (
        "error: no `Pipefile.toml` here or in any folder above\nhint: `pipefile init` writes one to start from\n", "", 2,
    )  # fmt: skip
    assert tree.tree() == before


def test_only_a_pipfile(tree: Project) -> None:
    """The other tool's file is named."""
    tree.write("Pipfile", "[packages]\n")
    outcome = tree.cli()
    assert (outcome.err, outcome.out, outcome.exit_status) == (
        "error: no `Pipefile.toml` here or in any folder above\nhint: `Pipfile` belongs to pipenv; `pipefile init` writes a Pipefile.toml\n", "", 2,
    )  # fmt: skip


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "[global]\nwidth = 640\n", "\ufeff\r\n"])
def test_no_stage_at_all(tree: Project, text: str) -> None:
    """Is no fault: there is nothing to do, twice."""
    tree.pipefile(text)
    for _ in range(2):
        outcome = tree.cli()
        assert (outcome.err, outcome.exit_status) == ("", 0)
        assert outcome.out.startswith("nothing to do in ")


def test_unknown_target(tree: Project) -> None:
    """A word of the command line that nothing answers to, with the nearest one."""
    tree.stage("report", inputs="x", outputs="out/report.html", run="cp {inputs} {outputs}")
    for word, hint in (("raport", "report"), ("out/report.htm", "out/report.html")):
        outcome = tree.cli(word)
        assert (outcome.err, outcome.out, outcome.exit_status) == (
            f"error: no alias, stage or output is called `{word}`\nhint: did you mean `{hint}`?\n", "", 2,
        )  # fmt: skip


def test_every_faulty_stage_is_told_of_before_any_runs(tree: Project) -> None:
    """A good stage beside a bad one does not run either."""
    tree.traced("good", outputs="good.txt", run="echo > {outputs}")
    tree.traced("bad", inputs="nowhere.csv", outputs="bad.txt", run="cp {inputs} {outputs}")
    outcome = tree.cli()
    assert (outcome.exit_status, outcome.started) == (2, [])
    assert tree.cli("good").started == ["good"]
