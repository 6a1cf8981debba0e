"""What has to be true of the corpus' results, counted once more in another way."""

from __future__ import annotations

import os
from xml.etree import ElementTree


def main() -> None:
    files = [os.path.join(folder, name) for folder, _, names in os.walk("corpus") for name in names if name.endswith(".py")]
    lines = 0
    for path in files:
        with open(path, "rb") as file:
            lines += len(file.read().splitlines())
    with open("build/table.md", encoding="utf-8") as file:
        table = file.read()
    assert len(files) >= 1000, f"only {len(files)} files"
    assert f"{len(files):,} files, {lines:,} lines, " in table, table[:300]
    assert "| `self` |" in table, "Python's library without `self`"

    svg = ElementTree.parse("build/chart.svg").getroot()
    bars = svg.findall("{http://www.w3.org/2000/svg}rect")
    words = [each.text or "" for each in svg.findall("{http://www.w3.org/2000/svg}text")]
    assert len(bars) == 1 + 4 + 4 * 24, len(bars)
    assert "asyncio" in words, words
    print(f"corpus: {len(files)} files, {lines} lines, as the table says; {len(bars)} rectangles in the chart")


if __name__ == "__main__":
    main()
