"""The detector: finds the bright thing in each frame, the cuts between scenes, and whether anything moves."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any

from picture import Path, Picture, read_ppm

BRIGHT = 150
"""From this value of green on (0 to 255), a pixel belongs to the thing."""

CUT = 12.0
"""Two frames whose green differs by this much on average are of different scenes."""

MASK = bytes(value >= BRIGHT for value in range(256))


def observe(folder: Path) -> Iterator[dict[str, Any]]:
    """What is seen in each frame of *folder*, in order: `{"frame": "007.ppm", "box": [left, top, width, height] or None, "change": 0.4}`.

    One frame is in memory at a time, and the one before it.
    """
    before = None
    for name in sorted(os.listdir(folder)):
        picture = read_ppm(os.path.join(folder, name))
        green = picture.green()
        yield {"frame": name, "box": bright_box(picture, green), "change": 0.0 if before is None else change(before, green)}
        before = green


def bright_box(picture: Picture, green: bytes) -> list[int] | None:
    """The smallest rectangle around all bright pixels."""
    bright = green.translate(MASK)
    left, right, top, bottom = picture.width, -1, picture.height, -1
    for y in range(picture.height):
        row = bright[y * picture.width : (y + 1) * picture.width]
        first = row.find(1)
        if first >= 0:
            left, right = min(left, first), max(right, row.rfind(1))
            top, bottom = min(top, y), y
    return None if right < 0 else [left, top, right - left + 1, bottom - top + 1]


def change(before: bytes, after: bytes) -> float:
    """How much two frames differ on average, looking at every seventh pixel."""
    pairs = list(zip(before[::7], after[::7], strict=True))
    return round(sum(abs(a - b) for a, b in pairs) / len(pairs), 2)


def scenes(seen: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Put frames together to scenes: first and last frame, how far the thing went (pixels), and what is seen in the middle."""
    found: list[list[dict[str, Any]]] = []
    for each in seen:
        if not found or each["change"] >= CUT:
            found.append([])
        found[-1].append(each)
    return [scene(frames) for frames in found]


def scene(frames: list[dict[str, Any]]) -> dict[str, Any]:
    places = [centre(each["box"]) for each in frames if each["box"]]
    path = sum(distance(a, b) for a, b in pairwise(places))
    return {"first": frames[0]["frame"], "last": frames[-1]["frame"], "path": round(path, 1), "middle": frames[len(frames) // 2]}


def centre(box: list[int]) -> tuple[float, float]:
    return box[0] + box[2] / 2, box[1] + box[3] / 2


def distance(a: tuple[float, float], b: tuple[float, float]) -> float:
    return ((a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2) ** 0.5
