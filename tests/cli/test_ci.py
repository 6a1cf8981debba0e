"""What CI systems get: `--junit`, and GitHub Actions' groups, annotations and summaries."""

from __future__ import annotations

import json
import os
from xml.etree import ElementTree

import pytest
from kit import Project
from kit.terminal import timeless


@pytest.fixture
def mixed(project: Project) -> Project:
    """One stage that prints, one that fails and prints what it should not, one below that, and one beside it."""
    project.pipefile(
        """\
[stage.talks]
inputs = ["src.txt"]
outputs = ["a.txt"]
run = "echo '::set-output name=a::b'; echo ' ##[error]no'; cp {inputs} {outputs}"

[stage.fails]
inputs = ["a.txt"]
outputs = ["b.txt"]
run = "echo '::error::no 100%'; exit 3"

[stage.below]
inputs = ["b.txt"]
outputs = ["c.txt"]
run = "cp {inputs} {outputs}"
"""
    )
    project.write("src.txt", "x\n")
    return project


def actions(project: Project, **more: str) -> dict[str, str]:
    return {"GITHUB_ACTIONS": "true", "CI": "true", "GITHUB_WORKSPACE": os.path.dirname(project.root), **more}


def test_github_actions(mixed: Project) -> None:
    """Output is folded, the failure is marked in the pull request, and nothing that stages print is a command."""
    summary = os.path.join(mixed.side, "summary.md")
    outcome = mixed.cli("-j1", env=actions(mixed, GITHUB_STEP_SUMMARY=summary))
    assert (timeless(outcome.out), outcome.exit_status) == (
        "::group::[1/3] talks  T\n\\x3a:set-output name=a::b\n ##\\u005berror]no\n::endgroup::\n"
        "[2/3] fails failed  T\n1 ran, 1 failed, 1 skipped in T\n",
        1,
    )
    assert timeless(outcome.err) == (
        "Pipefile.toml:6:1: error: stage `fails` failed: exit status 3\n"
        "  echo '::error::no 100%'; exit 3\n"
        "  log: pipeline_outputs/runs/RUN/fails/log.txt\n"
        "\\x3a:error::no 100%\n"
        "::error file=tree/Pipefile.toml,line=6,col=1,title=stage fails::stage `fails` failed: exit status 3%0A::error::no 100%25\n"
    )
    with open(summary, encoding="utf-8") as file:
        assert timeless(file.read()) == (
            "### pipefile: 1 ran, 1 failed, 1 skipped in T\n\n| stage | result | time |\n| --- | --- | ---: |\n"
            "| fails | **failed**: exit status 3 | T |\n| talks | ran | T |\n\n"
        )


def test_a_summary_of_nothing_to_do(mixed: Project) -> None:
    """Each build has its line, the quickest too."""
    summary = os.path.join(mixed.side, "summary.md")
    for _ in range(3):
        assert mixed.cli("talks", env=actions(mixed, GITHUB_STEP_SUMMARY=summary)).exit_status == 0
    with open(summary, encoding="utf-8") as file:
        assert timeless(file.read()).splitlines()[::2][:1] == ["### pipefile: 1 ran in T"]
        file.seek(0)
        assert file.read().count("### pipefile: 1 fresh in ") == 2


def test_a_summary_that_cannot_be_written(mixed: Project) -> None:
    """Is an error of its own, and what was built is built."""
    outcome = mixed.cli("talks", env=actions(mixed, GITHUB_STEP_SUMMARY=mixed.side))
    assert outcome.exit_status == 1
    assert f"error: `{mixed.side}` cannot be written: is a directory\n" in outcome.err
    assert mixed.exists("a.txt")


def test_switched_off(mixed: Project) -> None:
    """--no-github: neither groups nor annotations nor a summary; still no line of a stage is a command."""
    summary = os.path.join(mixed.side, "summary.md")
    outcome = mixed.cli("--no-github", "-j1", env=actions(mixed, GITHUB_STEP_SUMMARY=summary))
    assert timeless(outcome.out) == (
        "[1/3] talks  T\n\\x3a:set-output name=a::b\n ##\\u005berror]no\n[2/3] fails failed  T\n1 ran, 1 failed, 1 skipped in T\n"
    )
    assert outcome.err.endswith("\n\\x3a:error::no 100%\n")
    assert not os.path.exists(summary)


def test_errors_of_the_pipefile_on_github(project: Project) -> None:
    """They are marked at their line; a warning is one too."""
    project.pipefile('[stage.a]\ninput = ["x"]\nrun = "true"\n')
    outcome = project.cli(env=actions(project))
    assert outcome.err.splitlines()[-1] == (
        "::error file=tree/Pipefile.toml,line=2,col=1,title=pipefile::"
        "Pipefile.toml:2:1: unknown key `input` in stage `a`%0A  2 | input = [\"x\"]%0A    | ^^^^^%0Ahint: did you mean `inputs`?"
    )  # fmt: skip
    assert outcome.exit_status == 2


def test_names_and_targets_on_github(project: Project) -> None:
    """Case 93: what the user has typed, and names of files, are no commands either."""
    project.stage("a", inputs="::error::x", run="cat {inputs}; exit 1")
    project.write("::error::x", "")
    outcome = project.cli("a", env=actions(project))
    lines = [*outcome.out.splitlines(), *outcome.err.splitlines()]
    assert [line for line in lines if line.lstrip().startswith("::")] == [
        line for line in lines if line.startswith("::error file=tree/Pipefile.toml,line=1,col=1,title=stage a::")
    ]
    outcome = project.cli("\n::error::x", env=actions(project))
    assert [line for line in outcome.err.splitlines() if line.lstrip().startswith("::")] == [outcome.err.splitlines()[-1]]
    assert outcome.err.splitlines()[-1].startswith("::error title=pipefile::no alias, stage or output is called `\\n::error::x`")


def test_json_on_github(mixed: Project) -> None:
    """It reads back as it is anywhere, and is no command either."""
    outcome = mixed.cli("-j1", "--json", env=actions(mixed))
    assert "##[" not in outcome.out
    (said,) = [event["text"] for line in outcome.out.splitlines() if (event := json.loads(line)).get("stage") == "talks" and "text" in event]
    assert said == "::set-output name=a::b\n ##[error]no\n"


def cases(project: Project, path: str) -> dict[str, str]:
    """Test case -> what it came to."""
    root = ElementTree.fromstring(project.read(path))
    found = root.findall("./testsuite/testcase")
    assert root.find("testsuite").attrib["tests"] == str(len(found))  # type: ignore[union-attr]
    return {case.attrib["name"]: case[0].tag if len(case) else "passed" for case in found}


def test_junit(mixed: Project) -> None:
    """A test case an edge, from the folder where the user stands; also where the build fails, and where there is nothing to do."""
    mixed.write("sub/x", "")
    assert mixed.cli("-j1", "--junit", "out/j.xml", cwd="sub").exit_status == 1
    assert cases(mixed, "sub/out/j.xml") == {"talks": "passed", "fails": "failure", "below": "skipped"}
    failure = ElementTree.fromstring(mixed.read("sub/out/j.xml")).find(".//failure")
    assert failure is not None
    assert timeless(failure.text or "") == (
        "exit status 3\n  echo '::error::no 100%'; exit 3\n  log: pipeline_outputs/runs/RUN/fails/log.txt\n::error::no 100%\n"
    )
    for _ in range(2):
        assert mixed.cli("talks", "--junit=j.xml").exit_status == 0
        assert cases(mixed, "j.xml") == {"talks": "skipped"}
    assert "1 fresh" in mixed.cli("talks").out


def test_junit_of_a_build_that_stops(project: Project) -> None:
    """What it never came to is skipped too."""
    project.stage("fails", outputs="a", run="exit 1")
    for number in range(4):
        project.stage(f"s{number}", outputs=f"s{number}", run="echo > {outputs}", after="fails" if number == 0 else None)
    project.stage("long", inputs=[f"s{number}" for number in range(4)], outputs="z", run="echo > {outputs}")
    assert project.cli("-j1", "--junit", "j.xml").exit_status == 1
    found = cases(project, "j.xml")
    assert len(found) == 6
    assert found["fails"] == "failure"
    assert found["long"] == "skipped"


def test_junit_of_a_bad_pipefile(project: Project) -> None:
    """The error is its one test case."""
    project.pipefile('[stage.a]\ninput = ["x"]\nrun = "true"\n')
    assert project.cli("--junit", "j.xml").exit_status == 2
    assert cases(project, "j.xml") == {"pipefile": "error"}


def test_junit_and_what_is_in_its_way(mixed: Project) -> None:
    """A source is not written over, a dry run writes nothing, and what cannot be written makes the build fail in the end."""
    outcome = mixed.cli("talks", "--junit", "src.txt")
    assert (outcome.err, outcome.exit_status) == (
        "error: `--junit`: `src.txt` is there already and is no JUnit report: it is not written over\n", 2,
    )  # fmt: skip
    outcome = mixed.cli("talks", "-n", "--junit", "j.xml")
    assert (outcome.err, outcome.exit_status) == ("error: `--junit` does not go with `--dry-run`, which builds nothing\n", 2)
    assert not mixed.exists("j.xml")
    outcome = mixed.cli("talks", "--junit", "src.txt/j.xml")
    assert (outcome.err, outcome.exit_status) == ("error: `--junit`: `src.txt/j.xml` cannot be written: not a directory\n", 2)
    os.symlink("/nowhere/there", mixed.path("link"))
    assert mixed.cli("talks", "--junit", "link").exit_status == 0
    assert not os.path.islink(mixed.path("link"))
