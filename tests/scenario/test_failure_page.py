"""The examples of docs/failure.md, run as they stand there."""

from __future__ import annotations

import os
import re

import pytest
from kit import Project

PAGE = os.path.join(os.path.dirname(__file__), "..", "..", "docs", "failure.md")


def example(heading: str) -> tuple[str, list[str]]:
    """The Pipefile under a heading, and the lines that are shown of what happens."""
    with open(PAGE, encoding="utf-8") as file:
        section = re.split(r"^## ", file.read(), flags=re.M)
    text = next(part for part in section if part.startswith(f"{heading}\n"))
    blocks = dict.fromkeys(("toml", "text"), "")
    for kind, block in re.findall(r"^```(\w+)\n(.*?)^```$", text, flags=re.M | re.S):
        blocks[kind] += block
    return blocks["toml"], blocks["text"].splitlines()


def test_trying_again(project: Project) -> None:
    """Fails twice, and is then done."""
    pipefile, shown = example("Trying again")
    project.pipefile(pipefile)
    project.write("urls.txt", "one\n")
    project.write("fetch.sh", 'echo x >> "$GATES/tries"; [ $(wc -l < "$GATES/tries") -ge 3 ] || exit 75; cp "$1" "$2"\n')
    outcome = project.cli()
    assert (outcome.exit_status, outcome.err) == (0, "")
    assert outcome.out.splitlines()[:2] == shown
    project.settled()


def test_something_instead(project: Project) -> None:
    """The page is made with the plain picture, and the next build tries again."""
    pipefile, (warning, reason) = example("Something instead")
    project.pipefile(pipefile)
    project.write("clip.mp4", "clip")
    project.write("plain.jpg", "plain")
    outcome = project.cli()
    assert outcome.exit_status == 0
    assert outcome.err.splitlines()[0] == warning
    assert (project.read("build/preview.jpg"), project.exists("build/page.html")) == ("plain", True)
    assert project.why("build/preview.jpg") == {"preview": [reason]}
    assert project.cli("--strict").exit_status == 1
    assert project.build().degraded == ["preview"]
    assert project.cli("accept", "preview", "--reason", "it will do").exit_status == 0
    assert project.cli().out.startswith("2 fresh in ")


@pytest.mark.parametrize("mail", [False, True])
def test_only_if(project: Project, mail: bool) -> None:
    """A value that another stage returns decides, and a variable."""
    pipefile, shown = example("Only if")
    project.pipefile(pipefile)
    project.write("steps.py", "def measure(data):\n    with open(data) as file:\n        return len(file.readlines())\n")
    project.write("data.txt", "")
    project.environ["MAIL"] = "me@example.org" if mail else ""
    assert [line for line in project.cli("report").out.splitlines() if "skipped:" in line] == shown
    project.write("data.txt", "2\n1\n")
    outcome = project.build()
    assert sorted(outcome.ran) == (["mail", "measure", "report"] if mail else ["measure", "report"])
    assert project.read("build/report.txt") == "1\n2\n"
    assert project.build().ran == []
