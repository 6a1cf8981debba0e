"""report/neutral.py: what a stage printed, made safe to show."""

from __future__ import annotations

import pytest

from pipefile.report.neutral import LINE, last_line, neutral_line, neutral_lines


@pytest.mark.parametrize(
    ("printed", "shown"),
    [
        ("plain text", "plain text"),
        ("tab\there", "tab\there"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b[2Jclear", "clear"),
        ("\x1b]0;title\x07after", "after"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b]0;never ended", "0;never ended"),
        ("\x1bPdevice\x1b\\x", "x"),
        ("\x9b31mone-byte CSI", "one-byte CSI"),
        ("\x1b(Bcharset", "charset"),
        ("nul\0bell\x07", "nul\\x00bell\\x07"),
        ("\u202eright to left", "\\u202eright to left"),
        ("10%\r50%\r100%", "100%"),
        ("windows\r", "windows"),
        ("\r", ""),
        ("é and 日本", "é and 日本"),
        ("byte \udcff", "byte \\xff"),
        ("arabic mark \u061c, lines \u2028 \u2029", "arabic mark \\u061c, lines \\u2028 \\u2029"),
        ("\x1b\x1b[2J[2J", "\\x1b[2J"),
        ("\x1b\x1b[31m[2J", "\\x1b[2J"),
    ],
)
def test_nothing_that_moves_the_cursor_is_left(printed: str, shown: str) -> None:
    """In pipes no escape sequence passes, and control characters are written out."""
    assert neutral_line(printed, color=False) == shown


def test_only_colours_pass_on_a_terminal() -> None:
    """SGR sequences stay, and are ended with the line; all others go."""
    assert neutral_line("\x1b[1;31mred\x1b[2J\x1b[10;10H done", color=True) == "\x1b[1;31mred done\x1b[0m"


def test_removing_a_sequence_makes_no_new_one() -> None:
    """What closes up around a removed sequence is escaped."""
    assert neutral_line("\x1b\x1b[31m[2J", color=True) == "\\x1b\x1b[31m[2J\x1b[0m"


def test_lines_are_the_same_however_the_bytes_are_cut() -> None:
    """Chunks end anywhere: inside characters, sequences and line ends."""
    data = "één\r\n\x1b[31mrød\x1b[0m\n\nlast".encode()
    whole = list(neutral_lines([data], color=True))
    assert whole == ["één\n", "\x1b[31mrød\x1b[0m\x1b[0m\n", "\n", "last\n"]
    for size in range(1, 8):
        assert list(neutral_lines([data[at : at + size] for at in range(0, len(data), size)], color=True)) == whole


def test_a_long_line_is_shown_in_pieces() -> None:
    """A line without an end does not have to fit into memory, and no character of it is cut."""
    data = ("é" * LINE).encode()
    pieces = list(neutral_lines([b"x" + data[at : at + 1000] if at == 0 else data[at : at + 1000] for at in range(0, len(data), 1000)], color=False))
    assert "".join(pieces) == "x" + "é" * LINE + "\n"
    assert max(map(len, pieces)) <= LINE
    assert len(pieces) > 1


def test_a_bar_that_goes_on_for_megabytes() -> None:
    """Of a line that is written over and over the last state is shown, however long all of it is; of one that is really long, all."""
    bar = b"".join(b"\r%6d/20000 |%s" % (number, b"#" * 60) for number in range(20_000))
    for size in (1000, 1 << 16, 1 << 20):
        data = b"begin\n" + bar + b"\nend\n"
        chunks = [data[at : at + size] for at in range(0, len(data), size)]
        assert list(neutral_lines(chunks, color=False)) == ["begin\n", f" 19999/20000 |{'#' * 60}\n", "end\n"]


@pytest.mark.parametrize(
    ("latest", "shown"),
    [
        (b"", ""),
        (b"one\ntwo\n", "two"),
        (b"one\n  two  \n\n \r\n", "two"),
        (b"  0%\r 50%\r", "50%"),
        (b"\x1b[32m done\x1b[0m", "done"),
        (b"half a sequence \x1b[3", "half a sequence"),
        (b"half a character \xe6\x97", "half a character"),
        (b"tab\tbed \xff.", "tab bed \\xff."),
    ],
)
def test_what_is_being_printed(latest: bytes, shown: str) -> None:
    """The last line with something in it."""
    assert last_line(latest) == shown
