"""Measures what the audit costs an edge: builds of equal stages with `audit = "off"` and with each other value, taking turns.

    python benchmarks/audit.py
    python benchmarks/audit.py --stages 100 --reps 9

Costs are those of whole builds, -j1, with the time of a build of one stage taken off, by stage. Each stage reads its declared input alone.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile

from measure import run

PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

STEPS = """
def make(inputs, outputs):
    with open(inputs[0]) as source, open(outputs[0], "w") as file:
        file.write(source.read())
"""

SCRIPT = """
import sys
with open(sys.argv[1]) as source, open(sys.argv[2], "w") as file:
    file.write(source.read())
"""

STAGES = {
    "`run = \"python script.py ...\"`": (f'run = "{sys.executable} script.py {{inputs}} {{outputs}}"', ("report", "track", "strict")),
    "function": ('call = "steps:make"\nmode = "function"', ("report",)),
    "function in a worker": ('call = "steps:make"\nmode = "process"', ("report", "track", "strict")),
    "`run = \"cp ...\"`": ('run = "cp {inputs} {outputs}"', ("report", "track", "strict")),
}


def build(folder: str, keys: str, audit: str, stages: int) -> float:
    """Seconds of the build of a new project."""
    root = tempfile.mkdtemp(dir=folder)
    for name, text in (("steps.py", STEPS), ("script.py", SCRIPT), ("in.txt", "x\n")):
        with open(os.path.join(root, name), "w") as file:
            file.write(text)
    with open(os.path.join(root, "Pipefile.toml"), "w") as file:
        file.write(f'[pipefile]\naudit = "{audit}"\n')
        for number in range(stages):
            file.write(f'[stage.s{number}]\ninputs = ["in.txt"]\noutputs = ["out/{number}.txt"]\n{keys}\n\n')
    env = {**os.environ, "PYTHONPATH": PACKAGE}
    return run([sys.executable, "-m", "pipefile", "-q", "-j1"], root, f"{root}.out", env).wall


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--stages", type=int, default=40)
    parser.add_argument("--reps", type=int, default=7)
    given = parser.parse_args()
    print("| the stage | `audit` | per edge, fastest | median |\n| --- | --- | ---: | ---: |")
    with tempfile.TemporaryDirectory() as folder:
        for name, (keys, audits) in STAGES.items():
            levels = ("off", *audits)
            ones: dict[str, list[float]] = {level: [] for level in levels}
            alls: dict[str, list[float]] = {level: [] for level in levels}
            for _ in range(given.reps):
                for level in levels:
                    ones[level].append(build(folder, keys, level, 1))
                    alls[level].append(build(folder, keys, level, given.stages))
            for level in levels:
                fastest, median = [1000 * (of(alls[level]) - of(ones[level])) / (given.stages - 1) for of in (min, statistics.median)]
                print(f"| {name} | {level} | {fastest:.2f} ms | {median:.2f} ms |")


if __name__ == "__main__":
    main()
