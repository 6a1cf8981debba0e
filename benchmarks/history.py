"""What the history of runs costs an edge, in the builder's own time.

    python benchmarks/history.py [--stages 1000]

Builds trivial stages of three sorts and times what is done for the run alone: an entry a stage, its output.json if it has one, and in the end its
line in manifest.json. Times are CPU times of the builder's thread, medians over the stages.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from typing import Any

from pipefile.engine import build as engine
from pipefile.engine.history import History
from pipefile.engine.session import find_project
from pipefile.model.options import Options
from pipefile.store.runs import RunWriter

STEPS = "def copy(src, out):\n    open(out, 'w').close()\n\n\ndef count(src):\n    return 7\n"
SORTS = {
    "a command": 'inputs = {{ src = "src/{0}" }}\noutputs = {{ out = "out/{0}" }}\nrun = "cp {{src}} {{out}}"',
    "a function that writes a file": 'inputs = {{ src = "src/{0}" }}\noutputs = {{ out = "out/{0}" }}\ncall = "steps:copy"',
    "a function that returns a value": 'inputs = {{ src = "src/{0}" }}\noutputs = {{ n = "value:int" }}\ncall = "steps:count"',
}


def timed(owner: Any, name: str) -> list[float]:
    """Time every call of a method from now on."""
    original: Callable[..., Any] = getattr(owner, name)
    found: list[float] = []

    def call(*args: Any) -> Any:
        begun = time.thread_time()
        try:
            return original(*args)
        finally:
            found.append(time.thread_time() - begun)

    setattr(owner, name, call)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stages", type=int, default=1000)
    stages = parser.parse_args().stages
    entries, logs, ends = timed(History, "ran"), timed(RunWriter, "log_path"), timed(RunWriter, "finish")
    for sort, table in SORTS.items():
        with tempfile.TemporaryDirectory() as folder:
            os.mkdir(f"{folder}/src")
            with open(f"{folder}/steps.py", "w") as file:
                file.write(STEPS)
            with open(f"{folder}/Pipefile.toml", "w") as file:
                for number in range(stages):
                    file.write(f"[stage.s{number}]\n{table.format(number)}\n")
                    with open(f"{folder}/src/{number}", "w") as source:
                        source.write(str(number))
            for each in (entries, logs, ends):
                each.clear()
            names = tuple(f"s{number}" for number in range(stages))
            result = engine.build(find_project(folder, None), Options(targets=names, jobs=2, environ=dict(os.environ)), lambda _: None)
            assert len(result.ran) == stages, result
        entry, log, end = statistics.median(entries) * 1e6, statistics.median(logs) * 1e6, ends[0] / stages * 1e6
        print(f"{sort}: {entry + log + end:.0f} us (entry {entry:.0f}, its log's path {log:.0f}, its line in manifest.json {end:.0f})")


if __name__ == "__main__":
    main()
