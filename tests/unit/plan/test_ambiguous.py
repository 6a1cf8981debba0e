"""Regular expressions: which of them may take exponential time."""

from __future__ import annotations

import pytest

from pipefile.plan.ambiguous import endless

ENDLESS = [
    "(a+)+$",
    "(a*)*",
    "(a|a)*",
    "(a|aa)+",
    "(a|b|ab)*",
    "([a-z]+)*[0-9]",
    r"(\w+\s?)*",
    r"(\d+|[a-z])*",
    "(.+/?)+",
    "([a-z]+[0-9]*)+",
    "((ab)*c?(ab)*)*",
    "(a??a)+?",
    "(?i)([a-z]|AB|B)+",
    "(?=(a+)+b).*",
    "(?>(a+)+b)",
    "(.*a){30}",
    "(a+){1,20}",
    "(?:a?){30}b",
    r"(?:\w{1,20})+",
    r"(?:\w{1,200})+",
    "(?P<x>a)(?(x)(b+)+|c)",
    "(?:[^\u00e4]|[^\u00e5])+\u00e4(?:\u00e6|\u00e6\u00e6)*",
]

HARMLESS = [
    "",
    "[a-z]+",
    ".*",
    "main|table",
    "([a-z]+_)*[a-z]+",
    "(?:[^/]+/)*[^/]+",
    r"(?:[\w-]+\.)*[\w-]+",
    r"[a-z]+([-_][a-z0-9]+)*",
    r"v\d+(\.\d+)*",
    r"(\d{1,3}\.){3}\d{1,3}",
    r"(\d{2})+",
    "([0-9a-f]{2}:){5}[0-9a-f]{2}",
    "([0-9a-f]{64})?",
    "[a-z0-9]+(?:-[a-z0-9]+){0,9}",
    "(?:en|de|fr)(?:_[A-Z]{2})?",
    "(?:[A-Z][a-z]+)+",
    "(?i)(a|A)+",
    r"(\w|\d)+",
    r"(?:\d+-|[a-z])*",
    "((?!test).)+",
    "(?P<x>[a-z]+)-(?P=x)",
    "(?>a+)+b",
    "(a++b?)+",
    "(?:(a)|b)(?(1)c|d)",
    "(?:)*(a{0})*",
    r"(?s:.)[^\W\d_]+(-\d+)*\Z",
]


@pytest.mark.parametrize("text", ENDLESS)
def test_endless(text: str):
    """What is repeated can be read in several ways, so that there are exponentially many of all of it."""
    assert endless(text)


@pytest.mark.parametrize("text", HARMLESS)
def test_harmless(text: str):
    """Repetitions that something parts, or whose inside nothing else can match, are read in one way."""
    assert not endless(text)
