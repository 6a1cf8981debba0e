"""Graphs that cannot be built: refused before anything starts."""

from __future__ import annotations

import pytest
from kit import Project


def refused(project: Project, error: str) -> None:
    """The same error from a build, a dry run, and the program; nothing ran, nothing was made."""
    before = project.tree()
    for outcome in (project.build(), project.build(dry_run=True)):
        assert (outcome.exit_status, outcome.ran, outcome.output) == (2, [], error)
    program = project.cli()
    assert (program.exit_status, program.out, program.err) == (2, "", error)
    assert {path: entry for path, entry in project.tree().items() if not path.startswith((".pipefile.lock", "pipeline_outputs")) and path != "."} == {
        path: entry for path, entry in before.items() if path != "."
    }


@pytest.mark.parametrize("spelling", ["out/a", "./out/a", "out/../out/a", "out//a", "out/./a"])
def test_two_producers(project: Project, spelling: str) -> None:
    """Case 27: two stages make one file, however its path is spelt."""
    project.stage("one", inputs="src", outputs="out/a", run="cp {inputs} {outputs}")
    project.stage("two", inputs="src", outputs=spelling, run="cp {inputs} {outputs}")
    project.write("src", "")
    refused(project, "error: `out/a` is made by two stages\n  Pipefile.toml:3  `one`\n  Pipefile.toml:8  `two`\n")


@pytest.mark.parametrize("spelling", ["a", "./a", "x/../a"])
def test_own_input(project: Project, spelling: str) -> None:
    """Case 27: a stage that makes its own input."""
    project.stage("one", inputs=spelling, outputs="a", run="cp {inputs} {outputs}")
    project.write("a", "")
    refused(project, "error: `a` is both an input and an output of stage `one`\n  Pipefile.toml:3  `one`\n")


def test_output_in_a_directory_output(project: Project) -> None:
    """Case 27: an output inside the directory that another stage makes."""
    project.stage("one", outputs="out/", run="echo > {outputs}/a")
    project.stage("two", outputs="out/b", run="echo > {outputs}")
    refused(project, "error: `out/b` lies in `out/`, which stage `one` makes whole\n  Pipefile.toml:6  `two`\n  Pipefile.toml:2  `one`\n")


def test_cycle_of_two(project: Project) -> None:
    """Case 28: each stage of the cycle is named with its line."""
    project.stage("make_a", inputs="b.txt", outputs="a.txt", run="cp {inputs} {outputs}")
    project.stage("make_b", inputs="a.txt", outputs="b.txt", run="cp {inputs} {outputs}")
    refused(
        project,
        "error: dependency cycle: `a.txt` -> `b.txt` -> `a.txt`\n"
        "  Pipefile.toml:2  `make_a` makes `a.txt` from `b.txt`\n"
        "  Pipefile.toml:7  `make_b` makes `b.txt` from `a.txt`\n",
    )


def test_cycle_of_a_thousand(project: Project) -> None:
    """Case 28: a thousand stages in a circle are found out in no time."""
    count = 1000
    stages = [f'[stage.s{n}]\ninputs = "f{(n - 1) % count}"\noutputs = "f{n}"\nrun = "cp {{inputs}} {{outputs}}"\n' for n in range(count)]
    project.pipefile("".join(stages))
    outcome = project.cli()
    assert (outcome.exit_status, outcome.out) == (2, "")
    assert outcome.err.startswith("error: dependency cycle: `f")
    assert outcome.seconds < 20
    assert not project.exists("pipeline_outputs/runs")


def test_cycle_by_after(project: Project) -> None:
    """Case 28: order alone makes a cycle as well."""
    project.stage("a", outputs="a.txt", run="echo > {outputs}", after=["b"])
    project.stage("b", inputs="a.txt", outputs="b.txt", run="cp {inputs} {outputs}")
    outcome = project.build()
    assert (outcome.exit_status, outcome.ran) == (2, [])
    assert outcome.output.startswith("error: dependency cycle: ")


def test_missing_source(project: Project) -> None:
    """Case 27: a source that is not there, with who needs it and what may have been meant."""
    project.stage("clean", inputs="raw/salse.csv", outputs="data/clean.csv", run="cp {inputs} {outputs}")
    project.write("raw/sales.csv", "")
    refused(
        project,
        "error: `raw/salse.csv` does not exist and no stage makes it\n"
        "  needed by `data/clean.csv` (`clean`, Pipefile.toml:2)\n"
        "hint: did you mean `raw/sales.csv`?\n",
    )
