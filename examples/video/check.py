"""What has to be true of the results: what the detector saw is compared with where the Pipefile put the box.

python3 check.py service|plain: whose poster has to be there
"""

from __future__ import annotations

import json
import re
import struct
import sys
import tomllib
import zlib

VALUES = "pipeline_outputs/values"


def main() -> None:
    with open("Pipefile.toml", "rb") as file:
        settings = tomllib.load(file)["global"]
    clip = settings["clip"]
    width, height = (int(each) for each in clip["size"].split("x"))
    info, scenes = value("analyze", "info"), value("judge", "scenes")
    assert info == {"duration": 6.0, "width": width, "height": height, "fps": clip["fps"]}, info
    assert [each["first"] for each in scenes] == ["001.ppm", "009.ppm", "017.ppm"], scenes
    places = track()
    assert len(places) == 6 * settings["samples"], len(places)
    for number, (x, y) in enumerate(places):
        wanted_x, wanted_y = truth(number / settings["samples"], clip)
        off = max(abs(x - wanted_x), abs(y - wanted_y))
        assert off <= 2 + clip["speed"] / clip["fps"], f"frame {number + 1}: seen at {x}, {y}, was near {wanted_x}, {wanted_y}"  # a frame's way
    edges = {"service": 20, "plain": 0}[sys.argv[1]]
    assert png_size("build/poster.png") == (width + edges, height + edges), png_size("build/poster.png")
    print(f"video: {len(scenes)} scenes, the box within a frame's way of its place in {len(places)} frames, poster: {sys.argv[1]}")


def truth(time: float, clip: dict[str, int]) -> tuple[float, float]:
    """The middle of the box, as the filters of the clip say it: three scenes of two seconds."""
    scene, t = divmod(time, 2)
    go = clip["speed"] * t
    x, y = [(12 + go, 72), (142, 12 + go / 2), (272 - go, 120 - go / 3)][int(scene)]
    return x + 18, y + 18


def track() -> list[tuple[float, float]]:
    """The places in the picture of the report."""
    with open("build/report.html", encoding="utf-8") as file:
        return [(float(x), float(y)) for x, y in re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)"', file.read())]


def png_size(path: str) -> tuple[int, int]:
    with open(path, "rb") as file:
        data = file.read()
    width, height = struct.unpack(">II", data[16:24])
    start = data.index(b"IDAT") + 4
    (size,) = struct.unpack(">I", data[start - 8 : start - 4])
    assert len(zlib.decompress(data[start : start + size])) == height * (1 + 3 * width), path
    return width, height


def value(stage: str, name: str) -> object:
    with open(f"{VALUES}/{stage}/{name}.json", encoding="utf-8") as file:
        return json.load(file)


if __name__ == "__main__":
    main()
