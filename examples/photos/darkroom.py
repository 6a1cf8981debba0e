"""Develops pictures: every colour is looked up in the film's table."""

from __future__ import annotations

from os import PathLike

from pictures import load, save

Film = list[bytes]
FILM = "build/film.cube"


def load_film() -> Film:
    """The table as bytes: 36 thousand lines are read, which takes longer than to develop a dozen pictures."""
    with open(FILM, encoding="ascii") as file:
        lines = file.read().splitlines()[2:]
    return [bytes([int(255 * float(part) + 0.5) for part in line.split()]) for line in lines]


def develop(photo: PathLike[str], film: PathLike[str], picture: PathLike[str], setup: Film) -> float:
    """Write one picture; gives its mean brightness, 0 to 1. `film` is an input of the stage, which `setup` has read."""
    size = round(len(setup) ** (1 / 3))
    nearest = [round(value * (size - 1) / 255) for value in range(256)]
    known: dict[bytes, bytes] = {}
    rows, total, count = [], 0, 0
    for row in load(photo):
        out = []
        for at in range(0, len(row), 3):
            colour = row[at : at + 3]
            found = known.get(colour)
            if found is None:
                red, green, blue = (nearest[each] for each in colour)
                found = known[colour] = setup[(blue * size + green) * size + red]
            out.append(found)
        rows.append(b"".join(out))
        total += sum(rows[-1])
        count += len(rows[-1])
    save(picture, rows)
    return round(total / count / 255, 4)
