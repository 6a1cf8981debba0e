"""cli/request.py and report/standard.py: what the user asked for besides the command."""

from __future__ import annotations

import pytest

from pipefile.report.standard import wants_color


@pytest.mark.parametrize(
    ("choice", "environ", "terminal", "color"),
    [
        ("auto", {}, True, True),
        ("auto", {}, False, False),
        ("auto", {"TERM": "dumb"}, True, False),
        ("auto", {"NO_COLOR": "1"}, True, False),
        ("auto", {"NO_COLOR": ""}, True, True),
        ("auto", {"FORCE_COLOR": "1"}, False, True),
        ("auto", {"FORCE_COLOR": "0"}, False, False),
        ("auto", {"CLICOLOR_FORCE": "1"}, False, True),
        ("auto", {"NO_COLOR": "1", "FORCE_COLOR": "1"}, True, False),
        ("always", {"NO_COLOR": "1"}, False, True),
        ("never", {"FORCE_COLOR": "1"}, True, False),
    ],
)
def test_who_decides_about_colours(choice: str, environ: dict[str, str], terminal: bool, color: bool) -> None:
    """`--color`, then NO_COLOR, then FORCE_COLOR and CLICOLOR_FORCE, then what the stream is."""
    assert wants_color(choice, environ, terminal) is color


@pytest.mark.parametrize(
    ("environ", "terminal", "color"),
    [
        ({"CLICOLOR": "0"}, True, False),
        ({"CLICOLOR": "1"}, True, True),
        ({"CLICOLOR": "1"}, False, False),
        ({"CLICOLOR": "0", "CLICOLOR_FORCE": "1"}, True, True),
        ({"CLICOLOR": "0", "FORCE_COLOR": "0"}, True, False),
        ({"TERM": "dumb", "FORCE_COLOR": "1"}, False, True),
        ({"CI": "true"}, True, True),
    ],
)
def test_the_order_of_the_variables(environ: dict[str, str], terminal: bool, color: bool) -> None:
    """CLICOLOR=0 stands between what forces colours and what the terminal is; CI says nothing of colours."""
    assert wants_color("auto", environ, terminal) is color
