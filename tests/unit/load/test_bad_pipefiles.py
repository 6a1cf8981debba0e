"""Pipefiles that are wrong: the whole message, with line, marker and hint."""

import os

import pytest

from pipefile.base.disk import OsDisk
from pipefile.base.errors import PipefileSyntaxError
from pipefile.load.loader import load

FILE = os.path.join(os.path.dirname(__file__), "bad_pipefiles.txt")


def cases():
    """The cases of bad_pipefiles.txt."""
    with open(FILE, encoding="utf-8") as file:
        for case in file.read().split("\n=== ")[1:]:
            name, _, rest = case.partition("\n")
            text, message = rest.split("---\n")
            yield pytest.param(text, message.rstrip("\n"), id=name)


@pytest.mark.parametrize(("text", "message"), list(cases()))
def test_message(tmp_path, text, message):
    """What is wrong, where it stands, and what surely helps."""
    (tmp_path / "Pipefile.toml").write_text(text)
    with pytest.raises(PipefileSyntaxError) as caught:
        load(OsDisk(str(tmp_path)), "Pipefile.toml", {})
    assert str(caught.value) == message
    assert caught.value.exit_status == 2


def raised(folder, file="Pipefile.toml"):
    with pytest.raises(PipefileSyntaxError) as caught:
        load(OsDisk(str(folder)), file, {})
    return str(caught.value)


def test_missing(tmp_path):
    """No such file."""
    assert raised(tmp_path) == "error: Pipefile.toml: there is no such file"


def test_folder_in_its_place(tmp_path):
    """A folder, or anything but a file, is not read."""
    (tmp_path / "Pipefile.toml").mkdir()
    assert raised(tmp_path) == "error: Pipefile.toml: not a regular file"


def test_link_loop(tmp_path):
    """A file that cannot be opened says why."""
    (tmp_path / "Pipefile.toml").symlink_to("Pipefile.toml")
    assert raised(tmp_path) == "error: Pipefile.toml: cannot be read: too many levels of symbolic links"


def test_not_utf8(tmp_path):
    """The column counts characters, not bytes."""
    (tmp_path / "Pipefile.toml").write_bytes("[stage.a]\nrun = 'é".encode() + b"\xff'\n")
    assert raised(tmp_path) == "error: Pipefile.toml:2:9: invalid UTF-8"


def test_huge_file(tmp_path):
    """A hundred megabytes are refused unread."""
    with (tmp_path / "Pipefile.toml").open("wb") as file:
        file.truncate(100 << 20)
    assert raised(tmp_path) == "error: Pipefile.toml: larger than 50 MB"


def test_endless_integer(tmp_path):
    """An integer that Python itself refuses to read; the source line is cut."""
    (tmp_path / "Pipefile.toml").write_text("[global]\nn = " + "9" * 100_000 + "\n")
    source = "n = " + "9" * 195 + "…"
    assert raised(tmp_path) == f"error: Pipefile.toml:2:5: an integer of more than 64 bits\n  2 | {source}\n    |     ^"


@pytest.mark.parametrize("text", ["a = " + "[" * 100_000, "a = " + "{a=" * 100_000, ".".join(["a"] * 100_000) + " = 1"])
def test_bombs_of_nesting(tmp_path, text):
    """A hundred thousand levels end in a message, whatever makes them."""
    (tmp_path / "Pipefile.toml").write_text("[global]\n" + text)
    assert raised(tmp_path) == "error: Pipefile.toml: nested too deeply"


def test_deep_but_readable(tmp_path):
    """Values deeper than any record could hold are refused before they are looked at."""
    (tmp_path / "Pipefile.toml").write_text("[global]\na = " + "[" * 120 + "]" * 120)
    message = raised(tmp_path).partition("\n")[0]
    assert message == "error: Pipefile.toml:2:6: values are nested more than 100 levels deep"


def test_position_under_bom_and_crlf(tmp_path):
    """Lines and columns are those that an editor shows."""
    (tmp_path / "Pipefile.toml").write_bytes(b"\xef\xbb\xbfx = 1\r\n")
    assert raised(tmp_path).startswith("error: Pipefile.toml:1:1: unknown key `x` outside of any section\n  1 | x = 1\n")
    (tmp_path / "Pipefile.toml").write_bytes(b"\xef\xbb\xbf[stage.a]\r\nrun = 'x'\r\nrun = 'y'\r\n")
    assert raised(tmp_path) == "error: Pipefile.toml:3:1: a key or table is declared twice\n  3 | run = 'y'\n    | ^^^"


def test_dotenv_line(tmp_path):
    """The line is named but not shown: such files hold secrets."""
    (tmp_path / "Pipefile.toml").write_text('[pipefile]\ndotenv = [".env"]\n')
    (tmp_path / ".env").write_text("A=1\nsecret\n")
    assert raised(tmp_path) == "error: .env:2:1: a line that is not KEY=VALUE\nhint: a line is `NAME=value`, or a comment after `#`"
