"""Measures pipefile beside ninja and make: builds with nothing to do, with one file changed, and from scratch.

    python benchmarks/run.py --stages 10000
    python benchmarks/run.py --stages 1000 --no-shell --tools pipefile,ninja --reps 7 --out result.json
    python benchmarks/run.py --stages 10000 --for-each

`--for-each` compares one stage with an item for each of N sources with N rules of ninja: first the plan of a build, `pipefile build -n` and
`ninja -n` where nothing has been built yet, then builds with nothing to do and with one source changed. Of the full builds, which these need, there
is one each. The table has the memory, too.

README.md, in this folder, says how to read the numbers.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, field

from measure import RunError, Sample, compile_package, run, stamps
from shapes import Shape
from tools import TOOLS, Pipefile, Tool

SCENARIOS = ("plan", "no-op", "one change", "full")
BARE = "python -c pass"


@dataclass
class Result:
    """The samples of one tool in one scenario of one shape."""

    shape: str
    scenario: str
    tool: str
    samples: list[Sample] = field(default_factory=list)

    def median(self, what: str = "wall") -> float:
        return statistics.median(getattr(sample, what) for sample in self.samples)


class Bench:
    """One shape, every tool in a folder of its own."""

    def __init__(self, shape: Shape, tools: list[Tool], folder: str, jobs: int) -> None:
        self.shape, self.tools, self.jobs = shape, tools, jobs
        self.untouched = {tool.name: os.path.join(folder, shape.name, f"{tool.name}.plan") for tool in tools}
        self.roots = {tool.name: os.path.join(folder, shape.name, tool.name) for tool in tools}  # before the first full build; then of the last
        self.output = os.path.join(folder, "output.txt")
        self.edits = 0
        self.fresh = 0

    def build(self, tool: Tool) -> Sample:
        return run(tool.argv(self.jobs), self.roots[tool.name], self.output)

    def plan(self, tool: Tool) -> Sample:
        """In a folder where nothing was ever built; and nothing is built there."""
        root = self.untouched[tool.name]
        if not os.path.exists(root):
            tool.prepare(self.shape, root)
            tool.clean(self.shape, root)
        sample = run(tool.plan_argv(), root, self.output)
        left = [path for path in (*tool.state, *self.shape.outputs()[:1]) if os.path.lexists(os.path.join(root, path))]
        self.expect(tool, not left, f"a plan made {left}")
        return sample

    def full(self, tool: Tool) -> Sample:
        """In a folder that is new each time: where many files were just deleted, ext4 is slow to make new ones for some seconds."""
        self.fresh += 1
        self.roots[tool.name] = f"{self.roots[tool.name].partition('.')[0]}.{self.fresh}"
        tool.prepare(self.shape, self.roots[tool.name])
        tool.clean(self.shape, self.roots[tool.name])
        os.sync()
        sample = self.build(tool)
        self.expect_copies(tool)
        return sample

    def no_op(self, tool: Tool) -> Sample:
        root, outputs = self.roots[tool.name], self.shape.outputs()
        before = stamps(root, outputs)
        sample = self.build(tool)
        self.expect(tool, before == stamps(root, outputs), "a build with nothing to do wrote something")
        return sample

    def one_change(self, tool: Tool) -> Sample:
        root, middle = self.roots[tool.name], self.shape.stages // 2
        self.edits += 1
        with open(os.path.join(root, self.shape.sources()[middle]), "w") as file:
            file.write(f"edit {self.edits}\n")
        before = stamps(root, self.shape.outputs())
        sample = self.build(tool)
        after = stamps(root, self.shape.outputs())
        moved = [number for number, pair in enumerate(zip(before, after, strict=True)) if pair[0] != pair[1]]
        self.expect(tool, moved == [middle], f"one change made {len(moved)} outputs")
        return sample

    def expect_copies(self, tool: Tool) -> None:
        root = self.roots[tool.name]
        for source, output in zip(self.shape.sources(), self.shape.outputs(), strict=True):
            with open(os.path.join(root, source), "rb") as a, open(os.path.join(root, output), "rb") as b:
                self.expect(tool, a.read() == b.read(), f"{output} is no copy of {source}")

    def expect(self, tool: Tool, held: bool, text: str) -> None:
        if not held:
            raise RunError(f"{tool.name}: {text}")

    def scenario(self, name: str, reps: int) -> list[Result]:
        """All tools, interleaved: repetition 1 of each, then repetition 2 of each, so that other load hits all alike."""
        step: Callable[[Tool], Sample] = {"plan": self.plan, "no-op": self.no_op, "one change": self.one_change, "full": self.full}[name]
        results = [Result(self.shape.name, name, tool.name) for tool in self.tools]
        for rep in range(reps):
            turn = rep % len(results)  # another tool goes first each time
            for result in results[turn:] + results[:turn]:
                result.samples.append(step(TOOLS[result.tool]))
        return results


def bare_python(reps: int, output: str) -> Result:
    """The interpreter alone: what no program in Python can be faster than."""
    result = Result("", "start", BARE)
    for _ in range(reps):
        result.samples.append(run([sys.executable, "-c", "pass"], os.path.dirname(output), output))
    return result


def measure(shape: Shape, tools: list[Tool], args: argparse.Namespace) -> list[Result]:
    folder = tempfile.mkdtemp(prefix="pipefile-bench-", dir=args.folder)
    try:
        bench = Bench(shape, tools, folder, args.jobs)
        results = [bare_python(max(5, args.reps), bench.output)]
        if args.for_each:
            results += bench.scenario("plan", args.reps)
        results += bench.scenario("full", 1 if args.no_full else args.reps)
        for tool in tools:
            bench.no_op(tool)  # once untimed: what settles after a build is not the no-op's
        for name in ("no-op", "one change"):
            results += bench.scenario(name, args.reps)
        return results
    finally:
        shutil.rmtree(folder)


def table(shape: Shape, results: list[Result], tools: list[Tool], memory: bool = False) -> str:
    """Medians as Markdown; ratios are of the first pipefile's time to each other tool's. *memory*: the largest process, too."""
    first = next((tool.name for tool in tools if isinstance(tool, Pipefile)), "")
    others = [tool.name for tool in tools if tool.name != first]
    ratios = [f"{first} / {name}" for name in others] if first else []
    bare = next(result for result in results if result.tool == BARE).median()
    lines = [
        f"### {shape.stages:,} stages, {'with a shell' if shape.shell else 'without a shell'}\n",
        f"| ms, wall (CPU{', MB' if memory else ''}) | {' | '.join([tool.name for tool in tools] + ratios)} |",
        "| --- |" + " ---: |" * (len(tools) + len(ratios)),
    ]
    for scenario in SCENARIOS:
        found = {result.tool: result for result in results if result.scenario == scenario}
        if not found:
            continue
        cells = []
        for tool in tools:
            peak = f", {found[tool.name].median('peak') / 1e6:,.0f}" if memory else ""
            cells.append(f"{found[tool.name].median() * 1000:,.1f} ({found[tool.name].median('cpu') * 1000:,.1f}{peak})")
        cells += [f"{found[first].median() / found[name].median():.2f}" for name in others if ratios]
        lines.append(f"| {scenario} | {' | '.join(cells)} |")
    lines.append(f"\n`{BARE}`: {bare * 1000:.1f} ms\n")
    return "\n".join(lines)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--stages", type=int, default=1000, metavar="N", help="how many stages (default: 1000)")
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--shell", action="store_const", const="shell", dest="kind", help="commands that need a shell")
    kind.add_argument("--no-shell", action="store_const", const="direct", dest="kind", help="commands that need none")
    kind.add_argument("--both", action="store_const", const="both", dest="kind", help="first the ones, then the others (default)")
    parser.add_argument("--for-each", action="store_true", help="one stage with `for_each`, without a shell, against ninja, and its plan")
    parser.add_argument("--tools", help="which, separated by commas; `for_each` is pipefile with one stage for all (default: all others)")
    parser.add_argument("--reps", type=int, default=5, help="samples of each (default: 5)")
    parser.add_argument("--no-full", action="store_true", help="only one full build each, which the other scenarios need")
    parser.add_argument("--jobs", type=int, default=2, help="-j of every tool (default: 2)")
    parser.add_argument("--folder", help="where to work (default: the folder for temporary files)")
    parser.add_argument("--out", metavar="FILE", help="write all samples as JSON")
    args = parser.parse_args()
    args.kind = args.kind or ("direct" if args.for_each else "both")
    args.tools = args.tools or ("for_each,ninja" if args.for_each else "pipefile,ninja,make")
    args.no_full |= args.for_each
    unknown = [name for name in args.tools.split(",") if name not in TOOLS]
    if unknown:
        parser.error(f"there is no tool `{unknown[0]}`; there are {', '.join(TOOLS)}")
    if args.stages < 1 or args.reps < 1:
        parser.error("--stages and --reps are at least 1")
    return args


def main() -> int:
    args = arguments()
    tools = [TOOLS[name] for name in args.tools.split(",")]
    for tool in tools:
        if reason := tool.missing():
            print(f"{tool.name} is left out: {reason}", file=sys.stderr)
    tools = [tool for tool in tools if not tool.missing()]
    if not tools:
        return 2
    compile_package()
    everything: list[Result] = []
    for shell in {"shell": [True], "direct": [False], "both": [False, True]}[args.kind]:
        shape = Shape(args.stages, shell)
        try:
            results = measure(shape, tools, args)
        except RunError as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
        everything += results
        print(table(shape, results, tools, args.for_each), flush=True)
    if args.out:
        machine = {"machine": platform.platform(), "python": platform.python_version(), "cpus": len(os.sched_getaffinity(0))}
        settings = {"stages": args.stages, "jobs": args.jobs, "reps": args.reps}
        with open(args.out, "w") as file:
            json.dump({"format": 1, **machine, **settings, "results": [asdict(result) for result in everything]}, file, indent=1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
