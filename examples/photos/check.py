"""What has to be true of the pictures: `check.py COUNT`."""

from __future__ import annotations

import os
import sys

from pictures import load


def main(count: int) -> None:
    names = sorted(os.listdir("photos"))
    made = sorted(name for name in os.listdir("build/pictures") if name.endswith(".png"))
    assert len(names) == count, len(names)
    assert made == names, set(made) ^ set(names)
    for name in names[:: max(1, count // 20)]:
        before, after = load(f"photos/{name}"), load(f"build/pictures/{name}")
        assert len(before) == len(after)
        assert before != after, f"{name} was not developed"
    sheet = load("build/sheet.png")
    first = load(f"build/pictures/{names[0]}")
    assert sheet[0][:3] == first[0][:3]
    assert len(sheet) == -(-count // 40) * 16
    with open("build/index.md", encoding="utf-8") as file:
        assert file.readline() == f"# {count} pictures\n"
    print(f"photos: {count} pictures developed, each from its photo; all are on the sheet")


if __name__ == "__main__":
    main(int(sys.argv[1]))
