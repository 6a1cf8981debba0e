"""Inputs of many gigabytes, and such as grow while they are read."""

from __future__ import annotations

import os
import subprocess
import sys
import time

from kit import Project

from pipefile.base.disk import OsDisk

SIZE = int(os.environ.get("PIPEFILE_LARGE_FILE", str(1 << 30)))

# By way of a small process: Linux begins a child's peak with that of its parent, and a long test run is large.
MEASURE = "import resource as r, subprocess, sys\nsubprocess.run(sys.argv[1:], check=True)\nprint(r.getrusage(r.RUSAGE_CHILDREN).ru_maxrss)"


def test_a_sparse_input(project: Project) -> None:
    """Case 80: PIPEFILE_LARGE_FILE=10737418240 makes it 10 GiB. The builder stays under 200 MiB, and does not read it again."""
    with open(project.path("big"), "wb") as file:
        file.truncate(SIZE)
        file.seek(SIZE // 2)
        file.write(b"x")
    project.stage("a", inputs="big", outputs="a", run="stat -c %s {inputs} > {outputs}")
    begun = time.monotonic()
    argv = [sys.executable, "-c", MEASURE, sys.executable, "-m", "pipefile", "-q"]
    peak = int(subprocess.run(argv, cwd=project.root, env=project.environ, capture_output=True, text=True, check=True).stdout)
    print(f"{SIZE >> 20} MB in {time.monotonic() - begun:.1f} s, peak {peak >> 10} MB")
    assert project.read("a") == f"{SIZE}\n"
    assert peak < 200 << 10
    assert project.cli().out.startswith("1 fresh")


class GrowingDisk(OsDisk):
    """The real disk, on which a file grows just after it has been read to its end."""

    def __init__(self, root: str, path: str, times: int) -> None:
        super().__init__(root)
        self._path = path
        self.times = times

    def digest(self, path: str, algorithm: str, follow: bool = True, kept: list[bytes] | None = None) -> tuple[str, os.stat_result]:
        found = super().digest(path, algorithm, follow, kept)
        if path == self._path and self.times:
            self.times -= 1
            with open(self.at(path), "ab") as file:
                file.write(b"more\n")
        return found


def test_an_input_that_grows_while_it_is_hashed(project: Project) -> None:
    """Case 80: its digest is not taken for that of what stands there now: what was made meanwhile is made again, or not believed."""
    project.write("big", "line\n" * 400_000)
    project.stage("a", inputs="big", outputs="a", run="wc -c < {inputs} > {outputs}")
    for times in (1, 3):
        project.disk = GrowingDisk(project.root, "big", times)
        project.build()
        project.disk = None
        assert project.build().exit_status == 0
        assert project.read("a").strip() == str(os.path.getsize(project.path("big")))
        assert project.build().ran == []
        project.write("big", "line\n" * 400_001)
