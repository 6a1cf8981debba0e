"""Measures what finding the code of a function costs: 500 modules that import each other, nothing changed, one module changed, and nothing known.

    python benchmarks/modules.py --modules 500

Each sample is the time of one new process, without its start, from the question for the code of a stage to the answer.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile

MODULE = '''"""Module {number}."""
from __future__ import annotations

import json
import re

from .m{left} import helper as later, Thing as Other
from . import m{right}

LIMIT = {number}
NAMES = ("a", "b")


class Thing:
    """A thing."""

    size: int = {number}

    def area(self, scale: int) -> int:
        """Its area."""
        return self.size * scale * LIMIT


def helper(x: int) -> int:
    # a comment
    if x > LIMIT:
        return later(x - 1) + Thing().area(x)
    return m{right}.LIMIT + Other().area(x)


def spare(text: str) -> list[str]:
    return [json.dumps(each) for each in re.split(",", text) if each in NAMES]
'''

TIMER = '''
import sys, time
from pipefile.engine.session import Session, find_project
from pipefile.engine.decide import Decider
session = Session(find_project("."), {}, print)
decider = Decider(session)
edge = session.graph.edges[0]
session.files.digest("steps.py")
wall, cpu = time.perf_counter(), time.process_time()
code = decider.code.of(edge)
if "--stands" in sys.argv:
    decider.code.stands()
wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
parsed = "parsed" if "pipefile.plan.statements" in sys.modules else "-"
print(wall, cpu, len(code.files), len(code.parts), parsed, "fresh" if decider.decide(edge).fresh else "stale")
'''


def module(number: int, count: int) -> str:
    """A tree of modules: each imports two others, the last ones none."""
    if 2 * number + 2 < count:
        return MODULE.format(number=number, left=2 * number + 1, right=2 * number + 2)
    return f"LIMIT = {number}\n\n\nclass Thing:\n    def area(self, x): return x\n\n\ndef helper(x): return x\n"


def prepare(root: str, modules: int) -> None:
    os.makedirs(os.path.join(root, "package"))
    write(root, "package/__init__.py", "")
    for number in range(modules - 2):
        write(root, f"package/m{number}.py", module(number, modules - 2))
    make = "def make(out):\n    with open(out, 'w') as file:\n        file.write(str(helper(10)))\n"
    write(root, "steps.py", f"from package.m0 import helper\n\n\n{make}")
    write(root, "Pipefile.toml", '[stage.make]\noutputs = { out = "out.txt" }\ncall = "steps:make"\n')


def write(root: str, path: str, text: str) -> None:
    with open(os.path.join(root, path), "w", encoding="utf-8") as file:
        file.write(text)


def sample(root: str, *words: str) -> tuple[float, float, str]:
    done = subprocess.run([sys.executable, "-c", TIMER, *words], cwd=root, capture_output=True, text=True, check=True)
    wall, cpu, *rest = done.stdout.split()
    return float(wall), float(cpu), " ".join(rest)


def build(root: str) -> None:
    subprocess.run([sys.executable, "-m", "pipefile"], cwd=root, check=True, stdout=subprocess.DEVNULL)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--modules", type=int, default=500)
    parser.add_argument("--reps", type=int, default=11)
    parser.add_argument("--folder", help="where to work; a temporary folder by default")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=asked.folder) as root:
        prepare(root, asked.modules)
        cold = [sample(root) for _ in range(3)]
        build(root)
        build(root)
        warm, stands, one = [], [], []
        for number in range(asked.reps):
            warm.append(sample(root))
            stands.append(sample(root, "--stands"))
            write(root, "package/m3.py", module(3, asked.modules - 2) + f"# {number}\n")
            one.append(sample(root))
            build(root)
        print(f"{asked.modules} modules; medians of {asked.reps}: wall and CPU time; then files, components, whether a source was parsed, state")
        rows = (("nothing known", cold), ("one changed", one), ("nothing changed", warm), ("... and looked at once more at the end", stands))
        for name, found in rows:
            times = [1000 * statistics.median(each) for each in list(zip(*found, strict=True))[:2]]
            print(f"{name:40} {times[0]:8.1f} ms {times[1]:8.1f} ms   {found[-1][2]}")
        record = os.path.getsize(os.path.join(root, ".out.txt.hash"))
        print(f"record {record / 1000:.1f} kB, cache {os.path.getsize(os.path.join(root, 'pipeline_outputs/code')) / 1000:.1f} kB")


if __name__ == "__main__":
    main()
