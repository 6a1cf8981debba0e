"""Makes the film: a table of colours in the form that photographers' programs exchange."""

from __future__ import annotations

from os import PathLike

SIZE = 33


def film(film: PathLike[str], warmth: float, contrast: float) -> None:
    """Write a table of SIZE x SIZE x SIZE colours, red going round fastest."""
    curve = [bend(step / (SIZE - 1), contrast) for step in range(SIZE)]
    lines = ['TITLE "October"', f"LUT_3D_SIZE {SIZE}"]
    for blue in curve:
        for green in curve:
            for red in curve:
                warm = (min(1, red + 0.12 * warmth), green, max(0, blue - 0.18 * warmth * (1 - red)))
                lines.append(" ".join([f"{each:.6f}" for each in warm]))
    with open(film, "w", encoding="ascii") as file:
        file.write("\n".join(lines) + "\n")


def bend(value: float, contrast: float) -> float:
    """Darker darks and lighter lights."""
    return value + contrast * value * (1 - value) * (2 * value - 1)
