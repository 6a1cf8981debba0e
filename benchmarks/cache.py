"""Measures what the cache costs an edge that runs, and what it saves one that has run before.

    python benchmarks/cache.py
    python benchmarks/cache.py --stages 5000 --reps 9

N independent stages copy one small file each (`cp {src} {dst}`, no shell), -j2, in a folder that is new each time. Builds with the cache and with
`--no-cache` take turns, so that other load hits both alike; medians are told. An edge's cost is the difference of two builds over N: wall time, and
CPU time of the whole process tree. What the history of runs costs is measured in the process, as the time that is spent in it.

Then, with the cache: all outputs and records are removed, and a build restores them (`restored`); and nothing has changed (`no-op`).
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import tempfile

from measure import Sample, compile_package, run

PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

PROFILE = """
import sys, time
sys.argv = ["pipefile", "-q", "-j2"]
from pipefile.store.runs import RunWriter
from pipefile.engine.history import History
from pipefile.engine.reuse import Reuse
from pipefile.engine.loop import Loop
spent = {}
calls = {}
inside = []
def timed(owner, name, kind):
    inner = getattr(owner, name)
    def outer(*args, **keys):
        calls[kind] = calls.get(kind, 0) + 1
        began = time.process_time()
        inside.append(name)
        try:
            return inner(*args, **keys)
        finally:
            inside.pop()
            if not inside:
                spent[kind] = spent.get(kind, 0.0) + time.process_time() - began
    setattr(owner, name, outer)
for name in ("ran", "started"):
    timed(History, name, "runs")
for name in ("finish", "begin"):
    timed(RunWriter, name, "runs")
for name in ("restore", "step", "close", "later"):
    timed(Reuse, name, "cache")
from pipefile.cli.main import main
status = main(sys.argv[1:])
class Nothing:
    def call(self):
        pass
timed(Nothing, "call", "nothing")
for _ in range(20_000):
    Nothing().call()
each = spent["nothing"] / calls["nothing"]  # what measuring adds to what it measures
print(*[spent.get(kind, 0.0) - each * calls.get(kind, 0) for kind in ("cache", "runs")])
sys.exit(status)
"""


class Project:
    """A project of equal stages in a new folder."""

    def __init__(self, folder: str, stages: int) -> None:
        self.root = tempfile.mkdtemp(dir=folder)
        os.mkdir(f"{self.root}/src")
        with open(f"{self.root}/Pipefile.toml", "w") as file:
            for number in range(stages):
                with open(f"{self.root}/src/{number}", "w") as source:
                    source.write(f"{number}\n")
                paths = f'inputs = {{ src = "src/{number}" }}\noutputs = {{ dst = "out/{number // 100}/{number}" }}'
                file.write(f'[stage.s{number}]\n{paths}\nrun = "cp {{src}} {{dst}}"\n\n')

    def build(self, *words: str) -> Sample:
        """A build, with all that it has started."""
        return self._run("-m", "pipefile", "-q", "-j2", *words)

    def spent(self, stages: int) -> tuple[float, float]:
        """CPU seconds an edge that a first build spends in the cache, and in the history of runs."""
        self._run("-c", PROFILE)
        with open(f"{self.root}.out") as file:
            cache, runs = map(float, file.read().split())
        return cache / stages, runs / stages

    def _run(self, *words: str) -> Sample:
        return run([sys.executable, *words], self.root, f"{self.root}.out", {**os.environ, "PYTHONPATH": PACKAGE})

    def remove_outputs(self) -> None:
        os.rename(f"{self.root}/out", f"{self.root}/old")  # deleting thousands of files would slow down what is measured next

    def close(self) -> None:
        shutil.rmtree(self.root)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stages", type=int, default=2000)
    parser.add_argument("--reps", type=int, default=7)
    parser.add_argument("--folder", help="where to work; a temporary folder otherwise")
    given = parser.parse_args()
    compile_package()
    samples: dict[str, list[Sample]] = {name: [] for name in ("--no-cache", "cache", "restored", "no-op")}
    spent = []
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        for turn in range(given.reps):
            plain, cached = Project(folder, given.stages), Project(folder, given.stages)
            both = [("--no-cache", lambda: plain.build("--no-cache")), ("cache", cached.build)]  # noqa: B023  # called in this turn
            for name, build in both if turn % 2 else reversed(both):
                samples[name].append(build())
            cached.build()
            samples["no-op"].append(cached.build())
            cached.remove_outputs()
            samples["restored"].append(cached.build())
            profiled = Project(folder, given.stages)
            spent.append(profiled.spent(given.stages))
            for project in (plain, cached, profiled):
                project.close()
    print(f"{given.stages} stages, medians of {given.reps}")
    for name, found in samples.items():
        wall, cpu = (statistics.median([getattr(sample, what) for sample in found]) for what in ("wall", "cpu"))
        print(f"{name:<12} {wall:7.3f} s  (CPU {cpu:.3f} s)")
    for what in ("wall", "cpu"):
        pairs = [getattr(on, what) - getattr(off, what) for on, off in zip(samples["cache"], samples["--no-cache"], strict=True)]
        print(f"the cache costs {statistics.median(pairs) / given.stages * 1e6:.0f} us of {what} an edge")
    cache, runs = (statistics.median(column) * 1e6 for column in zip(*spent, strict=True))
    print(f"within the builder: {cache:.0f} us in the cache and {runs:.0f} us in the history of runs, together {cache + runs:.0f} us an edge")


if __name__ == "__main__":
    main()
