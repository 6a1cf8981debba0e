"""Which stages are asked for colours: those that it cannot change what they make."""

from __future__ import annotations

import os

import pytest
from kit import Project

SAYS = 'import os, sys\ntext = os.environ.get("FORCE_COLOR", "unset")\nprint(text) if len(sys.argv) < 2 else open(sys.argv[1], "w").write(text)\n'


@pytest.fixture
def says(project: Project) -> Project:
    """`./says` prints FORCE_COLOR, or writes it to a file."""
    project.write("says", f"#!{os.path.realpath('/proc/self/exe')} -I\n{SAYS}", executable=True)
    return project


def printed(project: Project, *args: str, env: dict[str, str] | None = None) -> str:
    outcome = project.cli("looks", *args, env=env)
    assert outcome.exit_status == 0, outcome.text
    assert len(outcome.out.splitlines()) == 3, outcome.text
    return outcome.out.splitlines()[1]


def test_a_check_is_asked_for_colours_where_they_are_shown(says: Project) -> None:
    """A plain command of a stage without outputs; that it was shown elsewhere before does not matter to its key."""
    says.stage("looks", inputs="says", run="./says")
    assert printed(says, "--color=always") == "1"
    assert "1 fresh" in says.cli("looks").out
    assert "1 fresh" in says.cli("looks", "--color=always").out
    assert printed(says, "-B") == "unset"
    assert printed(says, "-B", "--color=never", env={"FORCE_COLOR": "1"}) == "1"


@pytest.mark.parametrize("keys", [{"run": "./says | cat"}, {"run": "./says", "env": ["FORCE_COLOR"]}, {"run": "./says", "env": {"NO_COLOR": ""}}])
def test_what_may_read_colours_or_has_a_say_is_not_asked(says: Project, keys: dict[str, object]) -> None:
    """A pipeline of programs, and a stage that tracks one of the variables, whatever it is set to."""
    says.stage("looks", inputs="says", **keys)
    assert printed(says, "--color=always") == "unset"


def test_what_the_user_has_set_stands(says: Project) -> None:
    """NO_COLOR for the programs, colours here."""
    says.stage("looks", inputs="says", run="./says")
    assert printed(says, "--color=always", env={"NO_COLOR": "1"}) == "unset"


def test_strict_environments_are_left_alone(says: Project) -> None:
    """They have what is named."""
    says.settings(strict_env=True)
    says.stage("looks", inputs="says", run="./says")
    assert printed(says, "--color=always") == "unset"


def test_what_is_made_does_not_depend_on_where_it_is_shown(says: Project) -> None:
    """No stage with outputs is asked for colours."""
    says.stage("make", inputs="says", outputs="made", run="./says {outputs}")
    assert says.cli("--color=always").exit_status == 0
    assert says.read("made") == "unset"
