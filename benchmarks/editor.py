"""What an editor and a shell wait for: `list --json` and completion.

    python benchmarks/editor.py [--stages 5000] [--reps 15]

Each is measured with an index that is of the Pipefile, which is how it stands after a build, and with a Pipefile that has been edited since.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile

from measure import Sample, run

PROGRAM = [sys.executable, "-m", "pipefile"]
LINE = "pipefile out/dir7/"
ASKED = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "pipefile (nothing to do)": PROGRAM,
    "list --json": [*PROGRAM, "list", "--json"],
    "completion of a command": [*PROGRAM, "completion", "--for", "bash", "pipefile bu", "=:"],
    "completion of a target": [*PROGRAM, "completion", "--for", "bash", LINE, "=:"],
}


def pipefile(stages: int) -> str:
    return "".join(
        f'[stage.s{n}]\ndescription = "Number {n}"\ninputs = ["in/{n % 50}.txt"]\noutputs = ["out/dir{n % 100}/f{n}.txt"]\n'
        'run = ["cp", "{inputs}", "{outputs}"]\n\n'
        for n in range(stages)
    )


def measured(folder: str, reps: int, asked: dict[str, list[str]]) -> dict[str, list[Sample]]:
    found: dict[str, list[Sample]] = {name: [] for name in asked}
    for _ in range(reps):
        for name, argv in asked.items():
            found[name].append(run(argv, folder, os.path.join(folder, "printed")))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stages", type=int, default=5000)
    parser.add_argument("--reps", type=int, default=15)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.mkdir(f"{folder}/in")
        for number in range(50):
            with open(f"{folder}/in/{number}.txt", "w") as file:
                file.write(str(number))
        with open(f"{folder}/Pipefile.toml", "w") as file:
            file.write(pipefile(given.stages))
        subprocess.run([*PROGRAM, "-q", "--no-cache"], cwd=folder, check=True)
        subprocess.run([*PROGRAM, "-q"], cwd=folder, check=True)
        tell("after a build", measured(folder, given.reps, ASKED))
        with open(f"{folder}/Pipefile.toml", "a") as file:
            file.write("# edited\n")
        tell("after an edit", measured(folder, given.reps, {name: argv for name, argv in ASKED.items() if "nothing" not in name}))


def tell(when: str, found: dict[str, list[Sample]]) -> None:
    print(when)
    for name, samples in found.items():
        wall, cpu = [sample.wall * 1000 for sample in samples], [sample.cpu * 1000 for sample in samples]
        print(f"  {name:28} {statistics.median(wall):5.0f} ms (fastest {min(wall):.0f}, CPU {statistics.median(cpu):.0f})")


if __name__ == "__main__":
    main()
