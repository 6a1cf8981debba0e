"""The report as HTML: the clip, its poster, and the way of what moves as a picture."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import Any

COLOURS = ("#3b6ea5", "#7fa66b", "#b5586b", "#e0a458")
INK, FAINT = "#22303c", "#7b8794"

STYLE = f"""
  body {{ font: 15px/1.5 system-ui, Helvetica, Arial, sans-serif; color: {INK}; max-width: 46rem; margin: 2rem auto; padding: 0 1rem }}
  video, svg {{ max-width: 100% }}
  td, th {{ padding: .2rem 1rem .2rem 0; text-align: left }}
  figure {{ margin: 1.5rem 0 }}  figcaption {{ color: {FAINT} }}
"""


def html(info: dict[str, Any], seen: Iterable[dict[str, Any]], scenes: list[dict[str, Any]], video: str, poster: str) -> str:
    """The whole page; *video* and *poster* as it links them."""
    rows = "\n".join(
        f'<tr><td style="color:{colour(number)}">&#9632; {number + 1}</td>'
        f"<td>{escape(each['first'])} to {escape(each['last'])}</td><td>{each['path']:g} px</td></tr>"
        for number, each in enumerate(scenes)
    )
    return f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>What moves in {escape(video)}</title>
<style>{STYLE}</style>
<h1>What moves in {escape(video)}</h1>
<p>{info["duration"]:g} seconds, {info["width"]} x {info["height"]} pixels, {info["fps"]:g} frames a second, {len(scenes)} scenes.</p>
<video controls src="{escape(video)}" poster="{escape(poster)}" width="{info["width"]}"></video>
<figure>
{track(info, seen, scenes)}
<figcaption>Where the middle of the bright thing is, frame by frame; a colour a scene.</figcaption>
</figure>
<table>
<tr><th>scene</th><th>frames</th><th>way</th></tr>
{rows}
</table>
<figure><img src="{escape(poster)}" alt="poster"><figcaption>The frame in the middle of the busiest scene.</figcaption></figure>
</html>
"""


def track(info: dict[str, Any], seen: Iterable[dict[str, Any]], scenes: list[dict[str, Any]]) -> str:
    """The places of the thing as an SVG of twice the clip's size."""
    width, height = info["width"], info["height"]
    starts = {each["first"] for each in scenes}
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{2 * width}" height="{2 * height}" role="img">',
        "<title>The way of what moves</title>",
        f'<rect width="{width}" height="{height}" fill="#f4f5f6"/>',
    ]
    number, before = -1, None
    for each in seen:
        if each["frame"] in starts:
            number, before = number + 1, None
        if not each["box"]:
            continue
        left, top, wide, high = each["box"]
        x, y = left + wide / 2, top + high / 2
        if before:
            out.append(f'<line x1="{before[0]:g}" y1="{before[1]:g}" x2="{x:g}" y2="{y:g}" stroke="{colour(number)}" stroke-width="1.5"/>')
        out.append(f'<circle cx="{x:g}" cy="{y:g}" r="3" fill="{colour(number)}"><title>{escape(each["frame"])}</title></circle>')
        before = x, y
    return "\n".join([*out, "</svg>"])


def colour(number: int) -> str:
    return COLOURS[number % len(COLOURS)]
