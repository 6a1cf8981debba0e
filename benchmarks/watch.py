"""What a watch costs: from the save of a file to the start of its stage, while nothing happens, and after many builds.

    python benchmarks/watch.py [--folders 5000] [--files 10] [--rounds 40] [--idle 30] [--glob] [--tree DIR]

A tree of folders with as many source files each; a stage a folder reads them all. Saves are in place, and by a new file that is renamed over the old
one, one after the other, each in another folder; a stage writes down the time of its first command. Everything is measured from outside: the time of
the save is taken before the file is closed, or renamed.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time

_PATIENCE = 600.0


def make(root: str, folders: int, files: int, glob: bool) -> None:
    """Write the project."""
    lines = []
    for folder in range(folders):
        os.makedirs(f"{root}/src/{folder}")
        for number in range(files - 1):
            with open(f"{root}/src/{folder}/{number}.txt", "w") as file:
                file.write(f"{folder} {number}\n")
        inputs = f'["src/{folder}/*.txt"]' if glob else str([f"src/{folder}/{number}.txt" for number in range(files - 1)])
        lines.append(f'[stage.s{folder}]\ninputs = {inputs}\noutputs = ["src/{folder}/out.sum"]\n')
        lines.append('run = "date +%s%N > {outputs}; cat {inputs} | cksum >> {outputs}"\n')
    with open(f"{root}/Pipefile.toml", "w") as file:
        file.writelines(lines)


class Watch:
    """A running `pipefile watch`."""

    def __init__(self, root: str) -> None:
        self._path = f"{root}.out"
        with open(self._path, "wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "pipefile", "watch", "-q"], cwd=root, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT
            )

    def finished(self) -> int:
        """Builds that have ended."""
        with open(self._path, "rb") as file:
            return file.read().count(b"pipefile: build finished")

    def wait(self, builds: int) -> None:
        """Until so many builds have ended."""
        deadline = time.monotonic() + _PATIENCE
        while self.finished() < builds:
            if time.monotonic() > deadline or self.process.poll() is not None:
                with open(self._path) as file:
                    raise SystemExit(file.read()[-2000:])
            time.sleep(0.02)

    def cpu(self) -> float:
        """Seconds of CPU that it has used, and builds that have ended."""
        with open(f"/proc/{self.process.pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
        return sum(int(field) for field in fields[11:15]) / os.sysconf("SC_CLK_TCK")

    def memory(self) -> tuple[float, int]:
        """Megabytes that are its own, and open descriptors."""
        with open(f"/proc/{self.process.pid}/smaps_rollup") as file:
            own = sum(int(line.split()[1]) for line in file if line.startswith(("Private_Clean", "Private_Dirty", "Shared_Dirty")))
        return own / 1024, len(os.listdir(f"/proc/{self.process.pid}/fd"))


def save(path: str, text: str, replace: bool) -> int:
    """Save a file as an editor does. Returns the time of it in nanoseconds."""
    with open(f"{path}~" if replace else path, "w") as file:
        file.write(text)
        at = time.time_ns()
    if replace:
        at = time.time_ns()
        os.rename(f"{path}~", path)
    return at


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folders", type=int, default=5000)
    parser.add_argument("--files", type=int, default=10, help="in each folder, its output included")
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--idle", type=float, default=30.0, help="seconds")
    parser.add_argument("--glob", action="store_true", help="stages name their inputs by globs")
    parser.add_argument("--tree", help="folder of the project, made if it is not there and left for the next time")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = given.tree or f"{folder}/tree"
        if not os.path.isdir(root):
            os.makedirs(root)
            make(root, given.folders, given.files, given.glob)
        subprocess.run([sys.executable, "-m", "pipefile", "-q"], cwd=root, check=True)
        begun = time.monotonic()
        watch = Watch(root)
        try:
            watch.wait(1)
            print(f"{given.folders * given.files} files in {given.folders} folders; watching after {time.monotonic() - begun:.2f} s")
            builds = 1
            memory: list[tuple[float, int]] = []
            for replace in (False, True):
                found = []
                for number in range(given.rounds):
                    at = number * 97 % given.folders
                    time.sleep(0.7)  # what the last build has left to do is no part of the next save
                    saved = save(f"{root}/src/{at}/0.txt", f"{replace} {number} {time.time()}\n", replace)
                    builds += 1
                    watch.wait(builds)
                    with open(f"{root}/src/{at}/out.sum") as file:
                        found.append((int(file.readline()) - saved) / 1e6)
                    memory.append(watch.memory())
                found.sort()
                how = "renamed over the old one" if replace else "written in place"
                print(f"save to start of the stage, {how}: median {statistics.median(found):.0f} ms, worst of {len(found)} {found[-1]:.0f} ms")
            tenth = max(1, len(memory) // 10)
            early, first, last = memory[tenth], memory[0], memory[-1]
            print(f"own memory: {early[0]:.1f} MB after {tenth} builds, {last[0]:.1f} MB after {len(memory)}; descriptors {first[1]}, {last[1]}")
            time.sleep(1)
            before, begun = watch.cpu(), time.monotonic()
            time.sleep(given.idle)
            print(f"idle: {100 * (watch.cpu() - before) / (time.monotonic() - begun):.2f} % of a CPU over {given.idle:.0f} s")
            begun = time.monotonic()
            watch.process.terminate()
            watch.process.wait()
            print(f"end: {time.monotonic() - begun:.2f} s")
        finally:
            watch.process.kill()


if __name__ == "__main__":
    main()
