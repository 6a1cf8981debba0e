"""Copies the sources of Python's own library into corpus/, a folder a package.

python3 collect.py [--most N]
"""

from __future__ import annotations

import argparse
import os
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


def package_of(path: str) -> str:
    """The package or module that a path of the library belongs to: `asyncio/tasks.py` to asyncio, `argparse.py` to argparse."""
    return path.partition("/")[0].removesuffix(".py")


def collect(most: int) -> list[str]:
    """Fill corpus/ anew, a folder a package, with a list of the files in each; the paths as they are in the library, sorted."""
    files = dict(library())
    if len(files) < LEAST:
        files.update(bundled())
    chosen = sorted(list(files)[:most])
    target = os.path.join(HERE, "corpus")
    shutil.rmtree(target, ignore_errors=True)
    lists: dict[str, list[str]] = {}
    for path in chosen:
        package = package_of(path)
        lists.setdefault(package, []).append(path)
        full = os.path.join(target, path if "/" in path else f"{package}/{path}")
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "wb") as file:
            file.write(files[path])
    for package, paths in lists.items():
        with open(os.path.join(target, package, "FILES"), "w") as listing:
            listing.writelines(f"{path}\n" for path in paths)
    return chosen


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--most", type=int, default=1200, metavar="N", help="take N files at most (default: 1200)")
    paths = collect(parser.parse_args().most)
    print(f"{len(paths)} files in corpus/")
    if len(paths) < LEAST:
        print(f"this installation of Python has only {len(paths)} source files", file=sys.stderr)


if __name__ == "__main__":
    main()
