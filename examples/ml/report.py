"""The report: a page of Markdown and three pictures."""

from __future__ import annotations

from os import PathLike
from typing import Any

from functions import percent

Path = PathLike[str]
INK, FAINT, BLUE, RED = "#22303c", "#7b8794", "#3b6ea5", "#b5443a"


def report(
    *,
    sizes: dict[str, int],
    baseline: float,
    accuracy: float,
    confusion: list[list[int]],
    mistakes: list[dict[str, Any]],
    curve: list[float],
    settings: dict[str, Any],
    page: Path,
    curve_svg: Path,
    confusion_svg: Path,
    mistakes_svg: Path,
) -> None:
    """Write all four files."""
    write(curve_svg, curve_picture(curve))
    write(confusion_svg, confusion_picture(confusion))
    write(mistakes_svg, mistakes_picture(mistakes))
    write(page, words(sizes, baseline, accuracy, mistakes, settings))


def words(sizes: dict[str, int], baseline: float, accuracy: float, mistakes: list[dict[str, Any]], settings: dict[str, Any]) -> str:
    rows = "\n".join(f"| {name.replace('_', ' ')} | {value} |" for name, value in settings.items())
    return f"""# Reading handwritten digits

Trained on {sizes["train"]} pictures, tested on {sizes["test"]} others.

| method | right |
| --- | ---: |
| nearest mean picture | {percent(baseline)} |
| network | {percent(accuracy)} |

| setting | |
| --- | ---: |
{rows}

## How training went

![loss by epoch](curve.svg)

## What it takes for what

![confusion matrix](confusion.svg)

## Its {len(mistakes)} mistakes

![pictures that were read wrong](mistakes.svg)
"""


def curve_picture(curve: list[float]) -> str:
    """The loss, epoch by epoch."""
    left, top, wide, high = 60, 20, 480, 200
    most = max(curve)
    points = [(left + wide * number / max(1, len(curve) - 1), top + high * (1 - value / most)) for number, value in enumerate(curve)]
    out = [f'<polyline points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in points)}" fill="none" stroke="{BLUE}" stroke-width="2"/>']
    for step in range(5):
        y = top + high * step / 4
        out.append(f'<line x1="{left}" x2="{left + wide}" y1="{y:.1f}" y2="{y:.1f}" stroke="#e6e9ec"/>')
        out.append(text(left - 8, y + 4, f"{most * (1 - step / 4):.2f}", 11, FAINT, "end"))
    out.append(text(left, top + high + 20, "1", 11, FAINT, "middle"))
    out.append(text(left + wide, top + high + 20, str(len(curve)), 11, FAINT, "middle"))
    out.append(text(left + wide / 2, top + high + 20, "epoch", 11, FAINT, "middle"))
    return svg(left + wide + 40, top + high + 40, out)


def confusion_picture(confusion: list[list[int]]) -> str:
    """A row a true digit, a column a guess: blue where it was right, red where it was wrong."""
    left, top, cell = 60, 50, 36
    out = [text(left + 5 * cell, 20, "read as", 13, FAINT, "middle"), text(14, top + 5 * cell, "is", 13, FAINT)]
    for row, counts in enumerate(confusion):
        out.append(text(left - 12, top + row * cell + 23, str(row), 13, INK, "end"))
        out.append(text(left + row * cell + 18, top - 10, str(row), 13, INK, "middle"))
        for column, count in enumerate(counts):
            share = count / max(1, sum(counts))
            colour, strength = (BLUE, share) if row == column else (RED, min(1.0, 8 * share))
            x, y = left + column * cell, top + row * cell
            out.append(f'<rect x="{x}" y="{y}" width="{cell - 2}" height="{cell - 2}" fill="{colour}" fill-opacity="{max(0.04, strength):.2f}"/>')
            if count:
                out.append(text(x + 17, y + 22, str(count), 12, "#ffffff" if strength > 0.5 else INK, "middle"))
    return svg(left + 10 * cell + 20, top + 10 * cell + 20, out)


def mistakes_picture(mistakes: list[dict[str, Any]]) -> str:
    """Each picture that was read wrong, with what it is and what it was taken for; the surest first."""
    across, size, cell = 8, 8, 8
    step_x, step_y = size * cell + 16, size * cell + 40
    out = []
    for number, each in enumerate(sorted(mistakes, key=lambda each: -each["sure"])):
        x, y = 10 + number % across * step_x, 10 + number // across * step_y
        for place, value in enumerate(each["pixels"]):
            grey = 255 - round(value / 16 * 225)
            at = x + place % size * cell, y + place // size * cell
            out.append(f'<rect x="{at[0]}" y="{at[1]}" width="{cell}" height="{cell}" fill="rgb({grey},{grey},{grey})"/>')
        out.append(text(x, y + size * cell + 16, f"{each['truth']} read as {each['guess']}", 11))
    rows = max(1, -(-len(mistakes) // across))
    return svg(20 + across * step_x, 20 + rows * step_y, out)


def svg(width: float, height: float, inside: list[str]) -> str:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}"'
    ground = f'<rect width="{width:g}" height="{height:g}" fill="#ffffff"/>'
    return "\n".join([head + ' font-family="system-ui, Helvetica, Arial, sans-serif" role="img">', ground, *inside, "</svg>", ""])


def text(x: float, y: float, words: str, size: float, fill: str = INK, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size:g}" fill="{fill}" text-anchor="{anchor}">{words}</text>'


def write(path: Path, words: str) -> None:
    with open(path, "w", encoding="utf-8") as file:
        file.write(words)
