"""Pictures without a library: reads the PPM files that ffmpeg writes, draws a little, writes PNG."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from os import PathLike

Path = str | PathLike[str]
Colour = tuple[int, int, int]


@dataclass
class Picture:
    """Rows from the top, three bytes a pixel: red, green, blue."""

    width: int
    height: int
    pixels: bytearray

    def green(self) -> bytes:
        """The green channel: close to brightness as an eye sees it, and one slice away."""
        return bytes(self.pixels[1::3])

    def fill(self, left: int, top: int, width: int, height: int, colour: Colour) -> None:
        """A filled rectangle; what lies outside the picture is left out."""
        first, last = max(0, left), min(self.width, left + width)
        for y in range(max(0, top), min(self.height, top + height)):
            self.pixels[3 * (y * self.width + first) : 3 * (y * self.width + last)] = bytes(colour) * max(0, last - first)

    def frame(self, left: int, top: int, width: int, height: int, colour: Colour, thick: int = 2) -> None:
        """The outline of a rectangle."""
        self.fill(left, top, width, thick, colour)
        self.fill(left, top + height - thick, width, thick, colour)
        self.fill(left, top, thick, height, colour)
        self.fill(left + width - thick, top, thick, height, colour)

    def ppm(self) -> bytes:
        return b"P6\n%d %d\n255\n" % (self.width, self.height) + self.pixels

    def png(self) -> bytes:
        stride = 3 * self.width
        rows = b"".join(b"\0" + self.pixels[y * stride : (y + 1) * stride] for y in range(self.height))  # 0: the row is stored as it is
        header = struct.pack(">IIBBBBB", self.width, self.height, 8, 2, 0, 0, 0)
        return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b"")


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def parse_ppm(data: bytes) -> Picture:
    """A binary PPM as ffmpeg writes it: `P6`, width, height, 255, one white space, pixels.

    Raises:
        ValueError: It is none, or it is cut short.
    """
    head = data.split(maxsplit=4)[:4]
    if len(head) < 4 or head[0] != b"P6" or head[3] != b"255":
        raise ValueError("not a binary PPM with 8 bits a colour")
    width, height = int(head[1]), int(head[2])
    size = 3 * width * height
    start = data.index(head[3], data.index(head[2], data.index(head[1]) + len(head[1])) + len(head[2])) + 4
    if len(data) < start + size:
        raise ValueError(f"a PPM of {width}x{height} needs {size} bytes of pixels, not {len(data) - start}")
    return Picture(width, height, bytearray(data[start : start + size]))


def read_ppm(path: Path) -> Picture:
    with open(path, "rb") as file:
        return parse_ppm(file.read())


def write_png(picture: Picture, path: Path) -> None:
    with open(path, "wb") as file:
        file.write(picture.png())
