"""What scenarios of earlier results share."""

from __future__ import annotations

from kit.outcome import BuildOutcome
from kit.project import Project


def chain(project: Project) -> None:
    project.stage("a", inputs="x", outputs="o/a", run="tr a-z A-Z < {inputs} > {outputs}")
    project.stage("b", inputs="o/a", outputs="o/b", run="sort -o {outputs} {inputs}")
    project.stage("c", inputs=["o/b"], outputs="o/c", run="wc -l < {inputs} > {outputs}; cat {inputs} >> {outputs}")


def whole(outcome: BuildOutcome) -> tuple[list[str], list[str], int]:
    assert outcome.exit_status == 0, outcome.output
    return sorted(outcome.ran), sorted(outcome.restored), outcome.fresh


def undone(project: Project, path: str = "x", one: str = "one\n", two: str = "two\n") -> BuildOutcome:
    """Edit, build, undo the edit, build: what the last one did."""
    project.write(path, one)
    assert project.build().exit_status == 0
    before = project.outputs()
    project.write(path, two)
    assert project.build().exit_status == 0
    project.write(path, one)
    outcome = project.build()
    assert project.outputs() == before
    return outcome
