"""The Python stages: counts of files -> counts of packages -> totals -> table."""

from __future__ import annotations

import json
from collections import Counter
from os import PathLike
from typing import Any

Path = PathLike[str]
KINDS = ("lines", "token", "name")


def count(files: list[Path], counts: Path, package: str) -> None:
    """Add up the files of a package."""
    sums: dict[str, Counter[str]] = {kind: Counter() for kind in KINDS}
    for path in files:
        with open(path, encoding="utf-8") as file:
            for line in file:
                kind, name, number = line.rstrip("\n").split("\t")
                sums[kind][name] += int(number)
    dump(counts, {"package": package, "files": len(files), **sums})


def merge(counts: list[Path], totals: Path) -> None:
    """Put the packages together, largest first, with the sums over all of them."""
    packages = [load(path) for path in counts]
    packages.sort(key=lambda each: (-sum(each["lines"].values()), each["package"]))
    sums: dict[str, Counter[str]] = {kind: Counter() for kind in KINDS}
    for each in packages:
        for kind in KINDS:
            sums[kind].update(each[kind])
        del each["name"]
    names = sorted(sums.pop("name").items(), key=lambda item: (-item[1], item[0]))
    dump(totals, {"files": sum(each["files"] for each in packages), **sums, "names": names[:20], "packages": packages})


def table(totals: Path, table: Path) -> None:
    """The totals for a reader, as Markdown."""
    data = load(totals)
    lines, all_lines = data["lines"], sum(data["lines"].values())
    out = [
        "# The sources of Python's library\n",
        f"{data['files']:,} files, {all_lines:,} lines, {sum(data['token'].values()):,} tokens.\n",
        "| lines | number | share |\n| --- | ---: | ---: |",
    ]
    out += [f"| {sort} | {lines[sort]:,} | {lines[sort] / all_lines:.1%} |" for sort in ("code", "comment", "docstring", "blank")]
    out.append("\n| package | files | lines | code | comments | docstrings |\n| --- | ---: | ---: | ---: | ---: | ---: |")
    for each in data["packages"][:30]:
        of = each["lines"]
        size = max(1, sum(of.values()))
        shares = " | ".join(f"{of[sort] / size:.0%}" for sort in ("code", "comment", "docstring"))
        out.append(f"| {each['package']} | {each['files']:,} | {size:,} | {shares} |")
    out.append("\n| identifier | times |\n| --- | ---: |")
    out += [f"| `{name}` | {number:,} |" for name, number in data["names"]]
    with open(table, "w", encoding="utf-8") as file:
        file.write("\n".join(out) + "\n")


def load(path: Path) -> Any:
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def dump(path: Path, data: object) -> None:
    with open(path, "w", encoding="utf-8") as file:
        json.dump(data, file, indent=1, sort_keys=True)
