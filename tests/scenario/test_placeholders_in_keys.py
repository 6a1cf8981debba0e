"""What a placeholder becomes, and the same characters as written, are different commands."""

from __future__ import annotations

import pytest
from kit import Project


@pytest.mark.parametrize(
    ("run", "then", "wanted"),
    [
        ("echo {params.x} > {o}", "echo $NAME > {o}", "ann\n"),
        ("echo {params.blanks} > {o}", "echo a  b > {o}", "a b\n"),
        ("cat {s} > {o}", "cat a b > {o}", "1\n2\n"),
        ("echo {params.one}>{o}", "echo 1>{o}", "\n"),
        ("echo {{store}} > {o}", "echo {store} > {o}", "pipeline_outputs\n"),
        ("echo {store} > {o}", "echo {{store}} > {o}", "{store}\n"),
        ("echo {params.braces} > {o}", "echo {store} > {o}", "pipeline_outputs\n"),
        (["sh", "-c", 'echo $1 > "$0"', "{o}", "{params.braces}"], ["sh", "-c", 'echo $1 > "$0"', "{o}", "{store}"], "pipeline_outputs\n"),
        (["sh", "-c", 'echo $2 > "$0"', "{o}", "{inputs}", "-"], ["sh", "-c", 'echo $2 > "$0"', "{o}", "a b", "{s}", "-"], "a b\n"),
    ],
)
def test_a_value_and_the_same_text_as_written(project: Project, run: object, then: object, wanted: str) -> None:
    """Case 21: a value is quoted, so the command is another one where its text stands there unquoted."""
    project.environ["NAME"] = "ann"
    keys = {
        "inputs": {"s": "a b"},
        "outputs": {"o": "out"},
        "params": {"x": "$NAME", "blanks": "a  b", "one": "1", "braces": "{store}"},
    }
    project.write("a b", "12\n")
    project.write("a", "1\n")
    project.write("b", "2\n")
    project.stage("go", run=run, **keys)
    assert project.build().ran == ["go"]
    project.settled()

    project.stage("go", run=then, **keys)

    assert project.build().ran == ["go"]
    assert project.read("out") == wanted
    project.settled()
