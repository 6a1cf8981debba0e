"""Copies the sources of Python's own library into corpus/ and writes Pipefile.toml with a stage for each of them.

python3 make_pipefile.py [--most N]
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import sys
import sysconfig
import zipfile
from collections.abc import Iterator

HERE = os.path.dirname(os.path.abspath(__file__))
LEAST = 1000
LEFT_OUT = {"site-packages", "dist-packages", "__pycache__"}
TESTS = {"test", "tests", "idle_test"}


def library() -> list[tuple[str, bytes]]:
    """(path, bytes) of the library's sources, tests last: some distributions leave those out."""
    root = sysconfig.get_paths()["stdlib"]
    found = []
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(set(folders) - LEFT_OUT)
        found += [os.path.relpath(os.path.join(folder, name), root) for name in names if name.endswith(".py")]
    found.sort(key=lambda path: (bool(TESTS & set(path.split("/"))), path))
    return [(path, read(os.path.join(root, path))) for path in found]


def bundled() -> Iterator[tuple[str, bytes]]:
    """The sources of the pip that comes with Python, for installations that have less than a thousand files without it."""
    import ensurepip

    folders = [os.path.join(os.path.dirname(ensurepip.__file__), "_bundled"), sysconfig.get_config_var("WHEEL_PKG_DIR") or ""]
    for folder in folders:
        for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
            if name.endswith(".whl"):
                with zipfile.ZipFile(os.path.join(folder, name)) as wheel:
                    yield from ((path, wheel.read(path)) for path in sorted(wheel.namelist()) if path.endswith(".py"))


def read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def collect(most: int) -> list[str]:
    """Fill corpus/ anew; the paths in it, sorted."""
    files = dict(library())
    if len(files) < LEAST:
        files.update(bundled())
    chosen = sorted(list(files)[:most])
    target = os.path.join(HERE, "corpus")
    shutil.rmtree(target, ignore_errors=True)
    for path in chosen:
        full = os.path.join(target, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "wb") as file:
            file.write(files[path])
    return chosen


def stage_name(path: str) -> str:
    return re.sub(r"[^A-Za-z0-9_]", lambda found: "-" if found[0] == "/" else f"={ord(found[0]):x}", path[:-3]).replace("=", "_x")


def pipefile(paths: list[str]) -> str:
    """A stage a file, one a package, and three for the result."""
    out = [
        "# Written by make_pipefile.py; do not edit.\n",
        '[pipefile]\ndefault = ["table", "chart"]\n',
        '[alias]\nall = ["table", "chart"]\n',
    ]
    packages: dict[str, list[str]] = {}
    for path in paths:
        packages.setdefault(path.partition("/")[0].removesuffix(".py"), []).append(stage_name(path))
        out.append(
            f'[stage.tokenise-{stage_name(path)}]\ninputs = {{ source = "corpus/{path}" }}\noutputs = {{ tokens = "build/tokens/{path[:-3]}.tsv" }}\n'
            'run = "python3 -IS tokenise.py {source} {tokens}"\n'
        )
    for package, names in packages.items():
        inputs = ",\n".join(f'  "tokenise-{name}.tokens"' for name in names)
        out.append(
            f"[stage.count-{stage_name(package + '.py')}]\ninputs = {{ files = [\n{inputs},\n] }}\n"
            f'outputs = {{ counts = "build/counts/{package}.json" }}\ncall = "steps:count"\nparams = {{ package = "{package}" }}\n'
        )
    inputs = ",\n".join(f'  "count-{stage_name(package + ".py")}.counts"' for package in packages)
    out.append(f'[stage.merge]\ninputs = {{ counts = [\n{inputs},\n] }}\noutputs = {{ totals = "build/totals.json" }}\ncall = "steps:merge"\n')
    out.append('[stage.table]\ninputs = { totals = "merge.totals" }\noutputs = { table = "build/table.md" }\ncall = "steps:table"\n')
    out.append('[stage.chart]\ninputs = { totals = "merge.totals" }\noutputs = { chart = "build/chart.svg" }\ncall = "chart:chart"\n')
    return "\n".join(out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--most", type=int, default=1200, metavar="N", help="take N files at most (default: 1200)")
    paths = collect(parser.parse_args().most)
    text = pipefile(paths)
    with open(os.path.join(HERE, "Pipefile.toml"), "w") as file:
        file.write(text)
    print(f"{len(paths)} files in corpus/, {text.count('[stage.')} stages in Pipefile.toml")
    if len(paths) < LEAST:
        print(f"this installation of Python has only {len(paths)} source files", file=sys.stderr)


if __name__ == "__main__":
    main()
