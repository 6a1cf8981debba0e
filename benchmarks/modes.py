"""Measures what an edge costs in each mode, what worker processes gain, and what a fork costs beside a fresh interpreter.

    python benchmarks/modes.py
    python benchmarks/modes.py --pandas --reps 7

Costs per edge are those of whole builds of trivial stages, -j1, with the time of a build of one stage taken off: all that pipefile does for an edge
is in them. CPU time is that of the whole process tree. `--pandas` installs pandas into a temporary virtual environment.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

from measure import RunError, Sample, run

PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

STEPS = """
import time

def load():
    return 1

def make(outputs):
    with open(outputs[0], "w") as file:
        file.write("x")

def make_warm(outputs, setup):
    make(outputs)

def make_all(outputs):
    for each in outputs:
        make(each)
        yield

def compute(outputs):
    total = 0
    for number in range({rounds}):
        total += number * number
    with open(outputs[0], "w") as file:
        file.write(str(total))
"""

INSTANCES = "for_each = { n = { range = [0, COUNT] } }"  # of one stage, instead of as many stages

MODES: dict[str, str] = {
    "function": 'call = "steps:make"\nmode = "function"',
    "warm process (`setup`)": 'call = "steps:make_warm"\nsetup = "steps:load"\nmode = "process"',
    "forked process": 'call = "steps:make"\nmode = "process"',
    "instances in worker processes": f'call = "steps:make"\nmode = "process"\n{INSTANCES}',
    "instances in a process each (`external`)": f'call = "steps:make"\nmode = "process"\nexternal = true\n{INSTANCES}',
    "instances in batches of 50, in worker processes": f'call = "steps:make_all"\nmode = "process"\nbatch = 50\n{INSTANCES}',
    "direct command": 'run = "touch {outputs}"',
    "direct command for batches of 50": f'run = "touch {{outputs}}"\nbatch = 50\n{INSTANCES}',
    "shell": 'run = "echo x > {outputs} && true"',
}


class Project:
    """A project of equal stages in a new folder."""

    def __init__(self, folder: str, keys: str, stages: int, python: str = sys.executable, rounds: int = 1) -> None:
        self.root = tempfile.mkdtemp(dir=folder)
        self.python = python
        with open(os.path.join(self.root, "steps.py"), "w") as file:
            file.write(STEPS.format(rounds=rounds))
        with open(os.path.join(self.root, "Pipefile.toml"), "w") as file:
            for number in range(1 if INSTANCES in keys else stages):
                output = "{n}" if INSTANCES in keys else str(number)
                file.write(f'[stage.s{number}]\noutputs = ["out/{output}.txt"]\n{keys.replace("COUNT", str(stages))}\n\n')

    def build(self, *words: str) -> Sample:
        """A build, with all that it has started."""
        return run([self.python, "-m", "pipefile", "-q", *words], self.root, f"{self.root}.out", {**os.environ, "PYTHONPATH": PACKAGE})


def costs(folder: str, stages: int, reps: int) -> dict[str, tuple[Sample, Sample]]:
    """Seconds per edge by mode, of the fastest builds and of the median ones; the modes take turns, so that other load hits all alike."""
    ones: dict[str, list[Sample]] = {name: [] for name in MODES}
    alls: dict[str, list[Sample]] = {name: [] for name in MODES}
    for _ in range(reps):
        for name, keys in MODES.items():
            ones[name].append(Project(folder, keys, 1).build("-j1"))
            alls[name].append(Project(folder, keys, stages).build("-j1"))
    return {name: tuple([_per_edge(ones[name], alls[name], stages - 1, of) for of in (min, statistics.median)]) for name in MODES}  # type: ignore[misc]


def _per_edge(ones: list[Sample], alls: list[Sample], count: int, of: Callable[[list[float]], float]) -> Sample:
    one, all_ = [Sample(of([each.wall for each in samples]), of([each.cpu for each in samples])) for samples in (ones, alls)]
    return Sample((all_.wall - one.wall) / count, (all_.cpu - one.cpu) / count)


ROUNDS = 12_000_000
LOOP = f"total = 0\nfor number in range({ROUNDS}):\n    total += number * number\n"


def speed_up(folder: str, reps: int) -> dict[str, list[float]]:
    """Seconds of two stages that compute in Python, -j2, in function mode and in process mode, and of two interpreters that compute the same, one
    after the other and side by side, which is what the machine has to give."""
    found: dict[str, list[float]] = {"function": [], "process": [], "one": [], "two": []}
    for _ in range(reps):
        for mode in ("function", "process"):
            found[mode].append(Project(folder, 'call = "steps:compute"', 2, rounds=ROUNDS).build("-j2", "--mode", mode).wall)
        found["one"].append(2 * _interpreters(1))
        found["two"].append(_interpreters(2))
    return found


def _interpreters(count: int) -> float:
    began = time.perf_counter()
    running = [subprocess.Popen([sys.executable, "-c", LOOP]) for _ in range(count)]
    for each in running:
        each.wait()
    return time.perf_counter() - began


FORKS = """
import os, sys, time
sys.path.insert(0, {package!r})
from pipefile.execute.preload import Judged, Preloads, _stamp
from pipefile.execute.process import ProcessExecutor
from pipefile.model.ports import FunctionCall, Task
from pipefile.model.stage import Call

executor = ProcessExecutor(preloads=Preloads({{"steps": ["pandas"]}}))
call = FunctionCall(Call("steps", "nothing"), {{}})
env = dict(os.environ)
times = []
for number in range({count}):
    began = time.perf_counter()
    executor.submit(Task(number, "fork", function=call, env=env, cwd={folder!r}))
    while not (done := executor.wait()):
        pass
    assert done[0].outcome == "ok" and done[0].output == b"", done
    times.append(time.perf_counter() - began)
executor.close()
assert executor.preloads.judged["pandas"].fit
print(min(times[1:]), sorted(times[1:])[len(times) // 2])
"""


def pandas(folder: str, count: int) -> tuple[str, *tuple[tuple[float, float], ...]]:
    """Version of pandas, and seconds, the fewest and the median: of a task in a worker forked with it imported, of a fork alone, of a fresh
    interpreter that imports it."""
    venv = os.path.join(folder, "venv")
    subprocess.run([sys.executable, "-m", "venv", venv], check=True)
    python = os.path.join(venv, "bin", "python")
    subprocess.run([python, "-m", "pip", "install", "-q", "pandas", PACKAGE], check=True, stderr=subprocess.DEVNULL)
    with open(os.path.join(folder, "steps.py"), "w") as file:
        file.write("import pandas\ndef nothing():\n    pandas.DataFrame\n")
    text = FORKS.format(package=PACKAGE, count=count, folder=folder)
    forked = _figures(_output(python, text))
    fork = _figures(
        _output(
            python,
            "import os, time, pandas\ntimes = []\n"
            f"for _ in range({count}):\n    began = time.perf_counter()\n    pid = os.fork()\n    if pid == 0:\n        os._exit(0)\n"
            "    os.waitpid(pid, 0)\n    times.append(time.perf_counter() - began)\nprint(min(times), sorted(times)[len(times) // 2])\n",
        )
    )
    times = []
    for _ in range(max(3, count // 10)):
        began = time.perf_counter()
        subprocess.run([python, "-c", "import pandas"], check=True)
        times.append(time.perf_counter() - began)
    return _output(python, "import pandas; print(pandas.__version__)"), forked, fork, (min(times), statistics.median(times))


def _figures(text: str) -> tuple[float, float]:
    least, median = map(float, text.split())
    return least, median


def _output(python: str, text: str) -> str:
    return subprocess.run([python, "-c", text], check=True, capture_output=True, text=True).stdout.strip()


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [f"| {' | '.join(head)} |", "| --- |" + " ---: |" * (len(head) - 1)]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)]) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--stages", type=int, default=300, metavar="N", help="stages of a build (default: 300)")
    parser.add_argument("--reps", type=int, default=5, help="samples of each (default: 5)")
    parser.add_argument("--pandas", action="store_true", help="also measure forks with pandas imported")
    args = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="pipefile-modes-")
    try:
        sections: list[Callable[[], str]] = [lambda: _costs(folder, args), lambda: _speed_up(folder, args)]
        if args.pandas:
            sections.append(lambda: _pandas(folder))
        for section in sections:
            print(section(), flush=True)
    except RunError as error:
        raise SystemExit(f"error: {error}") from None
    finally:
        shutil.rmtree(folder)


def _costs(folder: str, args: argparse.Namespace) -> str:
    found = costs(folder, args.stages, args.reps)
    rows = [
        (name, f"{least.wall * 1000:.2f} ms", f"{median.wall * 1000:.2f} ms", f"{least.cpu * 1000:.2f} ms", f"{median.cpu * 1000:.2f} ms")
        for name, (least, median) in found.items()
    ]
    return table(("mode", "per edge, fastest", "median", "CPU time of that, least", "median"), rows)


def _speed_up(folder: str, args: argparse.Namespace) -> str:
    found = speed_up(folder, args.reps)
    rows = []
    for what, slow, fast in (
        ("two stages that compute in Python, -j2: function mode, process mode", "function", "process"),
        ("two interpreters that do the same: one after the other, side by side", "one", "two"),
    ):
        ratios = [of(found[slow]) / of(found[fast]) for of in (min, statistics.median)]
        rows.append((what, f"{min(found[slow]):.2f} s", f"{min(found[fast]):.2f} s", *[f"{ratio:.2f}" for ratio in ratios]))
    return table(("", "the slow way, fastest", "the fast way, fastest", "speed-up", "of the medians"), rows)


def _pandas(folder: str) -> str:
    version, forked, fork, fresh = pandas(folder, 30)
    rows = [
        (what, *[f"{each * 1000:.{digits}f} ms" for each in figures])
        for what, digits, figures in (
            ("a fork of a process that has imported it", 1, fork),
            ("a stage in a worker, from handing it over to its end", 1, forked),
            ("a fresh interpreter that imports it", 0, fresh),
        )
    ]
    return table((f"pandas {version}", "fastest", "median"), rows)


if __name__ == "__main__":
    main()
