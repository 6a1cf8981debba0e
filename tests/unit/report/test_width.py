"""report/width.py: columns of texts."""

from __future__ import annotations

import pytest

from pipefile.report.width import columns, cut, elide, rows


@pytest.mark.parametrize(
    ("text", "width"),
    [
        ("", 0),
        ("plain", 5),
        ("naïve", 5),
        ("e\u0301", 1),
        ("日本語", 6),
        ("\uff46\uff55", 4),
        ("한국", 4),
        ("👍", 2),
        ("❤", 1),
        ("❤\ufe0f", 2),
        ("👩\u200d👧", 4),
        ("…", 1),
    ],
)
def test_columns(text: str, width: int) -> None:
    """Wide characters take two, marks and joiners none; where terminals differ, the larger number."""
    assert columns(text) == width


@pytest.mark.parametrize(
    ("width", "cut_text", "elided"),
    [
        (9, "日本語abc", "日本語abc"),
        (8, "日本語a…", "日本…abc"),
        (7, "日本語…", "日…abc"),
        (6, "日本…", "日…abc"),
        (5, "日本…", "日…bc"),
        (4, "日…", "日…c"),
        (3, "日…", "…bc"),
        (2, "…", "…c"),
        (1, "…", "…"),
        (0, "", ""),
        (-5, "", ""),
    ],
)
def test_what_is_too_wide(width: int, cut_text: str, elided: str) -> None:
    """Cut at its end, or in its middle; a wide character is never halved."""
    assert (cut("日本語abc", width), elide("日本語abc", width)) == (cut_text, elided)


def test_a_mark_does_not_lose_its_letter() -> None:
    """It would stand on the ellipsis."""
    assert elide("abcdefe\u0301\u0301x", 4) == "ab…x"
    assert elide("abcdefge\u0301", 4) == "ab…e\u0301"


@pytest.mark.parametrize(
    ("text", "width", "count"), [("", 5, 1), ("abcde", 5, 1), ("abcdef", 5, 2), ("日本語", 5, 2), ("a日本語", 4, 2), ("日本語", 3, 3)]
)
def test_rows(text: str, width: int, count: int) -> None:
    """Of a text that a terminal has wrapped: a wide character that does not fit goes to the next row whole."""
    assert rows(text, width) == count
