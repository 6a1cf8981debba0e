"""MAKEFLAGS as make writes it."""

from __future__ import annotations

import pytest

from pipefile.plan.makeflags import Jobserver, jobserver, naming, without


@pytest.mark.parametrize(
    ("flags", "found"),
    [
        (" -j4 --jobserver-auth=3,4", Jobserver(4, 3, 4)),
        ("ks -j4 --jobserver-auth=3,4 -- CC=gcc", Jobserver(4, 3, 4)),
        (" -j --jobserver-fds=5,6", Jobserver(None, 5, 6)),
        (" -j8 --jobserver-auth=fifo:/tmp/GMfifo7", Jobserver(8, path="/tmp/GMfifo7")),
        (" -j8 --jobserver-auth=-2,-2", Jobserver(8)),
        (" -j8 --jobserver-auth=3,4 --jobserver-auth=5,6", Jobserver(8, 5, 6)),
        (" -j8 --jobserver-auth=odd", Jobserver(8)),
        (" -j8 -- X=--jobserver-auth=3,4", None),
        ("-- X=--jobserver-auth=3,4", None),
        ("-j8", None),
        ("", None),
    ],
)
def test_what_it_names(flags: str, found: Jobserver | None):
    assert jobserver({"MAKEFLAGS": flags}) == found


@pytest.mark.parametrize(
    ("flags", "left"),
    [
        (" -j4 --jobserver-auth=3,4", {}),
        ("ks -j4 --jobserver-auth=3,4 -- CC=gcc A=a\\ b", {"MAKEFLAGS": "ks -- CC=gcc A=a\\ b"}),
        (" -j4 --jobserver-auth=3,4 --no-print-directory", {"MAKEFLAGS": " --no-print-directory"}),
        ("-j8 -k", {"MAKEFLAGS": "-j8 -k"}),  # no jobserver: the user's own words
    ],
)
def test_without_it(flags: str, left: dict[str, str]):
    assert without({"MAKEFLAGS": flags, "A": "1"}) == {"A": "1", **left}


@pytest.mark.parametrize(
    ("flags", "made"),
    [
        ("", " -j2 --jobserver-auth=7,8"),
        ("k", "k -j2 --jobserver-auth=7,8"),
        ("-j8 -k", " -k -j2 --jobserver-auth=7,8"),
        ("k -- CC=gcc", "k -j2 --jobserver-auth=7,8 -- CC=gcc"),
    ],
)
def test_naming_another(flags: str, made: str):
    assert naming(flags, 2, 7, 8) == made
    assert jobserver({"MAKEFLAGS": made}) == Jobserver(2, 7, 8)
