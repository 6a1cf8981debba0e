"""Measures what the audit costs: an interpreter that is watched, and edges in builds with `audit = "off"` and with each other value.

    python benchmarks/audit.py
    python benchmarks/audit.py --stages 100 --reps 9

What is compared takes turns, so that other load hits all alike. Costs of an edge are those of whole builds, -j1, by stage; each stage reads its
declared input alone. CPU time is that of the whole process tree: on a machine with other load it tells more than the clock.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile

from measure import Sample, compile_package, run

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
    "function": ('call = "steps:make"\nmode = "function"', ("report",)),
    "function in a worker": ('call = "steps:make"\nmode = "process"', ("report", "strict")),
    '`run = "python script.py ..."`': (f'run = "{sys.executable} script.py {{inputs}} {{outputs}}"', ("report", "strict")),
    '`run = "cp ..."`': ('run = "cp {inputs} {outputs}"', ("report", "strict")),
}


def project(folder: str) -> str:
    root = tempfile.mkdtemp(dir=folder)
    for name, text in (("steps.py", STEPS), ("script.py", SCRIPT), ("in.txt", "x\n")):
        with open(os.path.join(root, name), "w") as file:
            file.write(text)
    return root


def interpreters(folder: str, count: int) -> dict[str, list[Sample]]:
    """An interpreter that runs the script, as it is and watched."""
    sys.path.insert(0, PACKAGE)
    from pipefile.execute.audit import environment
    from pipefile.model.ports import Audited

    root = project(folder)
    plain = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    ways = {"off": plain, "report": {**plain, **environment(Audited(root, f"{root}/seen"), None)}}
    found: dict[str, list[Sample]] = {name: [] for name in ways}
    for _ in range(count):
        for name, env in ways.items():
            found[name].append(run([sys.executable, "script.py", "in.txt", "out.txt"], root, f"{root}.out", env))
    return found


def build(folder: str, keys: str, audit: str, stages: int) -> Sample:
    """The build of a new project."""
    root = project(folder)
    with open(os.path.join(root, "Pipefile.toml"), "w") as file:
        file.write(f'[pipefile]\naudit = "{audit}"\n')
        for number in range(stages):
            file.write(f'[stage.s{number}]\ninputs = ["in.txt"]\noutputs = ["out/{number}.txt"]\n{keys}\n\n')
    return run([sys.executable, "-m", "pipefile", "-q", "-j1"], root, f"{root}.out", {**os.environ, "PYTHONPATH": PACKAGE})


def row(name: str, level: str, cpu: list[float], wall: list[float]) -> None:
    """Seconds: the least and the median of CPU time, the least of wall-clock time."""
    cells = [f"{1000 * each:.2f} ms" for each in (min(cpu), statistics.median(cpu), min(wall))]
    print(f"| {name} | {level} | {' | '.join(cells)} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--stages", type=int, default=60)
    parser.add_argument("--reps", type=int, default=5)
    given = parser.parse_args()
    compile_package()
    print("| | `audit` | CPU time, least | median | time, least |\n| --- | --- | ---: | ---: | ---: |")
    with tempfile.TemporaryDirectory() as folder:
        for level, samples in interpreters(folder, 20 * given.reps).items():
            row("an interpreter by itself", level, [each.cpu for each in samples], [each.wall for each in samples])
        for name, (keys, audits) in STAGES.items():
            levels = ("off", *audits)
            found: dict[str, list[Sample]] = {level: [] for level in levels}
            for _ in range(given.reps):
                for level in levels:
                    found[level].append(build(folder, keys, level, given.stages))
            for level in levels:
                row(name, level, [each.cpu / given.stages for each in found[level]], [each.wall / given.stages for each in found[level]])


if __name__ == "__main__":
    main()
