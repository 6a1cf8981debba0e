"""report/github.py: what GitHub's runner takes for commands."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipefile.report.github import GitHubStream, harmless


class Captured(GitHubStream):
    def __init__(self, marks: bool = True, workspace: str = "", color: bool = False) -> None:
        super().__init__(1, {"GITHUB_WORKSPACE": workspace}, color, marks)
        self.text = ""

    def _put(self, data: bytes) -> None:
        self.text += data.decode("utf-8", "surrogateescape")


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("plain: text :: and more", "plain: text :: and more"),
        ("a::b", "a::b"),
        ("#[derive(Debug)]", "#[derive(Debug)]"),
        ("::set-output name=x::y", "\\x3a:set-output name=x::y"),
        ("  \t ::error::x", "  \t \\x3a:error::x"),
        ("\u00a0\u3000::error::x", "\u00a0\u3000\\x3a:error::x"),
        ("\x1b[31m::add-mask::x", "\x1b[31m\\x3a:add-mask::x"),
        ("\u00ad::stop-commands::x", "\\u00ad::stop-commands::x"),
        (":\u200b:error::x", ":\\u200b:error::x"),
        ("\ufeff \u2060::error::x", "\\ufeff \\u2060::error::x"),
        ("text ##[error]x ##[group]y", "text ##\\u005berror]x ##\\u005bgroup]y"),
        ("#\u200d#[error]x", "#\\u200d#[error]x"),
        ("\u65e5\u672c: \U0001f469\u200d\U0001f469", "\u65e5\u672c: \U0001f469\u200d\U0001f469"),
        ("", ""),
        ("::", "\\x3a:"),
    ],
)
def test_no_line_is_a_command(line: str, shown: str) -> None:
    """Case 93: what would be one is spelled out, and everything else stays as it is."""
    assert harmless(line) == shown


def test_lines_are_looked_at_whole_however_they_are_written() -> None:
    """In pieces of any size, and with others between them."""
    text = "ok\n::error::a\n x ##[group]b\n  ::c::d\nend"
    whole = Captured()
    whole.write(text)
    whole.flush()
    assert whole.text == "ok\n\\x3a:error::a\n x ##\\u005bgroup]b\n  \\x3a:c::d\nend"
    for size in range(1, 7):
        pieces = Captured()
        for at in range(0, len(text), size):
            pieces.write(text[at : at + size])
        pieces.flush()
        assert pieces.text == whole.text


def test_a_line_too_long_to_be_held_back() -> None:
    """Its beginning goes out, and neither that nor the rest is a command, wherever it is cut."""
    for head in (" " * 70_000, " " * 65_535, "#" * 65_536, "x" * 65_535 + "##"):
        for piece in (1000, 65_536, 70_000):
            stream = Captured()
            text = f"{head}::error::x##[error]y\n::next::\n"
            for at in range(0, len(text), piece):
                stream.write(text[at : at + piece])
            stream.flush()
            lines = stream.text.split("\n")
            assert not lines[0].lstrip().startswith("::")
            assert "##[" not in stream.text
            assert lines[1:] == ["\\x3a:next::", ""]
            assert len(stream.text) <= len(text) + 12


def test_groups_and_annotations(tmp_path: Path) -> None:
    """Percent signs and line ends are escaped everywhere, colons and commas in properties too; paths begin at the checkout."""
    os.makedirs(tmp_path / "sub")
    file = os.fspath(tmp_path / "sub" / "Pipefile.toml")
    stream = Captured(workspace=os.fspath(tmp_path))
    stream.group("[1/2] 100% of it\nx")
    stream.write("printed\n")
    stream.end_group()
    stream.annotate("error", "50%: no\x1b\nsecond", "stage a:b,c", file, 3)
    stream.annotate("error", "nowhere", file="/elsewhere/f", line=2)
    stream.annotate("error", "no line", "t", file)
    stream.annotate("warning", "w")
    stream.flush()
    assert stream.text == (
        "::group::[1/2] 100%25 of it%0Ax\n"
        "printed\n"
        "::endgroup::\n"
        "::error file=sub/Pipefile.toml,line=3,col=1,title=stage a%3Ab%2Cc::50%25: no\\x1b%0Asecond\n"
        "::error file=/elsewhere/f,line=2,col=1::nowhere\n"
        "::error title=t::no line\n"
        "::warning::w\n"
    )


def test_a_command_begins_a_line() -> None:
    """Whatever was left without a line end before it."""
    stream = Captured()
    stream.write("no end")
    stream.group("g")
    stream.write("out already")
    stream.flush()
    stream.end_group()
    stream.flush()
    assert stream.text == "no end\n::group::g\nout already\n::endgroup::\n"


def test_ten_of_a_kind() -> None:
    """More are not taken in one step."""
    stream = Captured()
    for number in range(30):
        stream.annotate("error", str(number))
        stream.annotate("warning", str(number))
    stream.flush()
    assert stream.text == "".join(f"::error::{number}\n::warning::{number}\n" for number in range(10))


def test_without_marks() -> None:
    """Nothing is a command then."""
    stream = Captured(marks=False)
    stream.group("::title")
    stream.end_group()
    stream.annotate("error", "x")
    stream.flush()
    assert (stream.text, stream.annotates) == ("\\x3a:title\n", False)
