"""The picture: the largest packages as bars, split into code, comments, docstrings and blank lines."""

from __future__ import annotations

from os import PathLike
from typing import Any
from xml.sax.saxutils import escape

from steps import load

SORTS = (("code", "code", "#3b6ea5"), ("docstring", "docstrings", "#e0a458"), ("comment", "comments", "#7fa66b"), ("blank", "blank", "#d5d9de"))
SHOWN = 24
LEFT, TOP, WIDTH, ROW, BAR = 130, 118, 640, 25, 17
INK, FAINT = "#22303c", "#7b8794"


def chart(totals: PathLike[str], chart: PathLike[str]) -> None:
    """Draw *totals* as an SVG."""
    data = load(totals)
    with open(chart, "w", encoding="utf-8") as file:
        file.write(draw([each for each in data["packages"] if each["package"] != "test"][:SHOWN], data))  # the test suite would dwarf the rest


def draw(packages: list[Any], data: Any) -> str:
    bottom = TOP + ROW * len(packages)
    longest = max(sum(each["lines"].values()) for each in packages)
    step = nice_step(longest)
    scale = WIDTH / longest
    width, height = LEFT + WIDTH + 80, bottom + 46
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
        ' font-family="system-ui, Helvetica, Arial, sans-serif" role="img">',
        "<title>Lines of the largest packages of Python's library</title>",
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        text(24, 38, "Where the lines of Python's library are", 20),
        text(
            24,
            60,
            f"{data['files']:,} files, {sum(data['lines'].values()):,} lines; the {len(packages)} largest packages and modules, the test suite aside",
            13,
            FAINT,
        ),
    ]
    x = 24.0
    for _, label, colour in SORTS:
        out.append(f'<rect x="{x:g}" y="78" width="12" height="12" rx="2" fill="{colour}"/>')
        out.append(text(x + 18, 88.5, label, 12))
        x += 44 + 6.4 * len(label)
    for value in range(0, longest + 1, step):
        at = LEFT + value * scale
        out.append(f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{TOP - 6}" y2="{bottom}" stroke="#e6e9ec"/>')
        out.append(text(at, bottom + 18, f"{value:,}", 11, FAINT, "middle"))
    out.append(text(LEFT + WIDTH / 2, bottom + 36, "lines", 11, FAINT, "middle"))
    for row, each in enumerate(packages):
        out += bar(each, TOP + row * ROW, scale)
    return "\n".join([*out, "</svg>", ""])


def bar(package: Any, y: float, scale: float) -> list[str]:
    total = sum(package["lines"].values())
    out, x = [text(LEFT - 10, y + 13, package["package"], 12.5, anchor="end")], float(LEFT)
    for sort, label, colour in SORTS:
        width = package["lines"][sort] * scale
        tip = f"{package['package']}: {package['lines'][sort]:,} lines of {label}"
        out.append(f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{BAR}" fill="{colour}"><title>{escape(tip)}</title></rect>')
        x += width
    out.append(text(x + 8, y + 13, f"{total:,}", 11.5, FAINT))
    return out


def text(x: float, y: float, words: str, size: float, fill: str = INK, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size:g}" fill="{fill}" text-anchor="{anchor}">{escape(words)}</text>'


def nice_step(longest: int) -> int:
    """A round distance between grid lines, for five to ten of them."""
    step = 1
    while True:
        for factor in (1, 2, 5):
            if longest / (step * factor) <= 8:
                return step * factor
        step *= 10
