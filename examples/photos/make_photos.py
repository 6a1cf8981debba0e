"""Paints landscapes into photos/: no camera was at hand. The same number gives the same picture.

python3 make_photos.py [--count N]           photos/0000.png to the N-th, and no others
python3 make_photos.py --paint NUMBER SEED   one of them, from another seed
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import struct
import zlib
from colorsys import hsv_to_rgb

WIDTH, HEIGHT = 96, 64
HERE = os.path.dirname(os.path.abspath(__file__))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=1000, metavar="N")
    parser.add_argument("--paint", type=int, nargs=2, metavar=("NUMBER", "SEED"))
    given = parser.parse_args()
    folder = os.path.join(HERE, "photos")
    if given.paint:
        save(folder, *given.paint)
        return
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    for number in range(given.count):
        save(folder, number, number)
    print(f"{given.count} pictures in photos/")


def save(folder: str, number: int, seed: int) -> None:
    with open(os.path.join(folder, f"{number:04}.png"), "wb") as file:
        file.write(png(landscape(random.Random(seed))))


def landscape(dice: random.Random) -> list[bytes]:
    """Rows of pixels: a sky, a sun, and three ranges of hills, the nearer the darker."""
    hue = dice.random()
    rows = []
    for y in range(HEIGHT):
        depth = y / HEIGHT
        rows.append(bytearray(bytes(colour(hue, 0.55 - 0.4 * depth, 0.75 + 0.2 * depth)) * WIDTH))
    x, y, radius = dice.randrange(WIDTH), dice.randrange(8, HEIGHT // 2), dice.randrange(4, 9)
    sun = bytes(colour(hue + 0.12, 0.2, 1.0))
    for row in range(max(0, y - radius), min(HEIGHT, y + radius)):
        half = int((radius**2 - (row - y) ** 2) ** 0.5)
        left, right = max(0, x - half), min(WIDTH, x + half)
        if right > left:
            rows[row][3 * left : 3 * right] = sun * (right - left)
    for distance in (3, 2, 1):
        paint = bytes(colour(hue + 0.45, 0.35 + 0.1 * distance, 0.12 + 0.16 * distance))
        for column, height in enumerate(ridge(dice, HEIGHT * (0.18 + 0.13 * distance), 5.0 * distance)):
            for row in range(HEIGHT - height, HEIGHT):
                rows[row][3 * column : 3 * column + 3] = paint
    return [bytes(row) for row in rows]


def ridge(dice: random.Random, height: float, rough: float) -> list[int]:
    """How high hills are, column by column: halves of halves, each moved a little."""
    points = {0: height, 128: height}
    step = 128
    while step > 1:
        for start in range(0, 128, step):
            middle = (points[start] + points[start + step]) / 2
            points[start + step // 2] = middle + dice.uniform(-rough, rough) * step / 64
        step //= 2
    return [min(HEIGHT - 1, max(1, int(points[column]))) for column in range(WIDTH)]


def colour(hue: float, saturation: float, value: float) -> tuple[int, int, int]:
    red, green, blue = hsv_to_rgb(hue % 1, min(1, saturation), min(1, value))
    return int(red * 255), int(green * 255), int(blue * 255)


def png(rows: list[bytes]) -> bytes:
    """A PNG of eight bits a channel."""
    size = struct.pack(">IIBBBBB", len(rows[0]) // 3, len(rows), 8, 2, 0, 0, 0)
    body = zlib.compress(b"".join([b"\0" + row for row in rows]), 6)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


if __name__ == "__main__":
    main()
