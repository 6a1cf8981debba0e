"""Reads and writes the pictures of this example: PNGs of eight bits a channel whose rows are not filtered, as make_photos.py paints them."""

from __future__ import annotations

import struct
import zlib
from os import PathLike

from make_photos import png


def load(path: PathLike[str]) -> list[bytes]:
    """Rows of red, green, blue."""
    with open(path, "rb") as file:
        data = file.read()
    at, body = 8, b""
    width = height = 0
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        part = data[at + 8 : at + 8 + length]
        at += length + 12
        if kind == b"IHDR":
            width, height = struct.unpack(">II", part[:8])
        elif kind == b"IDAT":
            body += part
    pixels = zlib.decompress(body)
    line = 1 + 3 * width
    rows = [pixels[start : start + line] for start in range(0, line * height, line)]
    if any(row[0] for row in rows):
        raise ValueError(f"{path}: its rows are filtered")
    return [row[1:] for row in rows]


def save(path: PathLike[str], rows: list[bytes]) -> None:
    with open(path, "wb") as file:
        file.write(png(rows))
