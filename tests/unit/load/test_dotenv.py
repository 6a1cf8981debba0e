"""Dotenv files."""

import pytest

from pipefile.load.dotenv import DotenvError, parse_dotenv


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", {}),
        ("A=1\nB = two words  # note\n", {"A": "1", "B": "two words"}),
        ('export A=\'x # y\'\n# comment\n\n  B="a\\nb\\""', {"A": "x # y", "B": 'a\nb"'}),
        ("\ufeffA=1\r\nB=2\r\n", {"A": "1", "B": "2"}),
        ("A=\nB=#x\nC= # nothing\nD=a#b", {"A": "", "B": "#x", "C": "", "D": "a#b"}),
        ("A='two\nlines'\nA=last", {"A": "last"}),
        ("A=$HOME/${X}", {"A": "$HOME/${X}"}),
    ],
)
def test_lines(text, found):
    """Plain and quoted values, comments, export; nothing is expanded, the last one wins."""
    assert parse_dotenv(text) == found


@pytest.mark.parametrize(("text", "line"), [("A=1\nnonsense\n", 2), ("A='open\n", 1), ('A="x" y', 1), ("1A=x", 1), ("A=\0", 1)])
def test_other_lines_are_errors(text, line):
    """The error knows the line."""
    with pytest.raises(DotenvError) as caught:
        parse_dotenv(text)
    assert caught.value.line == line
