"""Masking: wherever a value is cut, and in whatever form it is printed."""

from __future__ import annotations

import itertools
import json
import urllib.parse
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipefile.base.mask import Mask
from pipefile.execute.output import Capture

SECRET = "s3cr&t/w\u00f6rd \"x\""


@pytest.mark.parametrize("form", [SECRET, json.dumps(SECRET), repr(SECRET), urllib.parse.quote(SECRET), urllib.parse.quote(SECRET, safe="")])
def test_forms_in_which_it_is_printed(form: str):
    text = Mask([SECRET]).text(f"token={form};")
    assert text.replace('"', "").replace("'", "") == "token=***;"


def test_lines_of_a_long_one():
    """Programs print a key line by line; a short line hides nothing."""
    mask = Mask(["-----BEGIN\nMIIEvQIBADAN\nab\n-----END"])
    assert mask.text("MIIEvQIBADAN and ab") == "*** and ab"
    assert mask.text("-----BEGIN\\nMIIEvQIBADAN\\nab\\n-----END") == "***"


def test_the_longer_one_where_both_begin():
    assert Mask(["abcd", "abcdef"]).text("abcdef abcd") == "*** ***"


def test_what_is_too_short():
    mask = Mask(["abc", ""])
    assert not mask
    assert (mask.text("abc"), mask.anything(b"abc")) == ("abc", b"abc")
    stream = mask.stream()
    assert stream.feed(b"abc") + stream.end() == b"abc"


def test_whatever_holds_it():
    mask = Mask(["secret"])
    assert mask.anything({"secret": ["a secret", (b"secret", 3, None)], "b": True}) == {"***": ["a ***", (b"***", 3, None)], "b": True}


def test_bytes_that_are_no_text():
    mask = Mask(["k\udcff\udcfey!"])
    assert mask.anything(b"a k\xff\xfey! b") == b"a *** b"


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # slow machines
@given(st.lists(st.sampled_from(["abca", "bcabc", "cccc"]), min_size=1), st.text("abc", max_size=40), st.lists(st.integers(0, 40), max_size=10))
def test_pieces_are_masked_as_the_whole(values: list[str], text: str, cuts: list[int]):
    """However the bytes come, the same is printed as if they had come at once."""
    mask = Mask(values)
    data = text.encode()
    places = sorted({0, len(data), *[cut for cut in cuts if cut < len(data)]})
    stream = mask.stream()
    found = b"".join([stream.feed(data[begin:end]) for begin, end in itertools.pairwise(places)]) + stream.end()
    assert found == mask.anything(data)
    assert not any(value in found.decode() for value in values)


def test_a_log_has_none_of_it(tmp_path: Path):
    """Split over chunks, at the edge of what is shown, and beyond the limit of a log."""
    kept = Capture(str(tmp_path / "log"), 20, Mask(["secret"]))
    for piece in (b"sec", b"ret", b"-" * 10, b"se", b"cret", b"-----", b"secret"):
        kept.write(piece)
    output, size = kept.close()
    assert output.startswith(b"***----------***----")
    assert b"sec" not in output
    assert (tmp_path / "log").read_bytes() == output
    assert size == len(output)
