"""What is made of all pictures together."""

from __future__ import annotations

import os
from os import PathLike

from pictures import load, save

Path = PathLike[str]


def sheet(pictures: list[Path], sheet: Path, columns: int) -> None:
    """All pictures side by side, a quarter of their height."""
    small = [[row_of(row) for row in load(path)[::4]] for path in pictures]
    width, height = len(small[0][0]), len(small[0])
    out: list[bytes] = []
    for start in range(0, len(small), columns):
        row = small[start : start + columns]
        for y in range(height):
            line = b"".join([each[y] for each in row])
            out.append(line + bytes(width * columns - len(line)))
    save(sheet, out)


def row_of(row: bytes) -> bytes:
    """Every fourth pixel."""
    return b"".join([row[at : at + 3] for at in range(0, len(row), 12)])


def index(pictures: list[Path], means: list[float], index: Path) -> None:
    """A table of the five darkest and the five brightest ones."""
    names = [os.path.basename(path) for path in pictures]
    ordered = sorted(zip(means, names, strict=True))
    lines = [f"# {len(names)} pictures\n", f"Mean brightness {sum(means) / len(means):.3f}.\n", "| picture | brightness |", "| --- | ---: |"]
    lines += [f"| {name} | {mean:.3f} |" for mean, name in (*ordered[:5], *ordered[-5:])]
    with open(index, "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
