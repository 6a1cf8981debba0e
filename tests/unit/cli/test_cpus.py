"""cli/cpus.py: the default of `-j`."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipefile.cli.cpus import available_cpus

OWN = len(os.sched_getaffinity(0))


def cgroups(folder: Path, own: str, **bounds: str) -> tuple[str, str]:
    """A cgroup tree, and a file that says that we are in group *own*; `_` in names of *bounds* stands for the root."""
    membership = folder / "cgroup"
    membership.write_text(f"12:cpu:/other\n0::{own}\n")
    for name, bound in bounds.items():
        group = folder / "tree" / ("" if name == "_" else name.replace("__", "/"))
        group.mkdir(parents=True, exist_ok=True)
        (group / "cpu.max").write_text(bound + "\n")
    return str(folder / "tree"), str(membership)


@pytest.mark.parametrize(
    ("own", "bounds", "count"),
    [
        ("/a/b", {}, OWN),
        ("/a/b", {"a__b": "max 100000"}, OWN),
        ("/a/b", {"a__b": "100000 100000"}, 1),
        ("/a/b", {"a__b": "50000 100000"}, 1),
        ("/a/b", {"a": "100000 100000", "a__b": "max 100000"}, 1),
        ("/", {"_": "100000 100000"}, 1),
        ("/a", {"a": "99900000 100000"}, OWN),
        ("/a", {"a": "nonsense"}, OWN),
        ("/a", {"a": "100000 0"}, OWN),
    ],
)
def test_the_least_bound_of_affinity_and_cgroups(tmp_path: Path, own: str, bounds: dict[str, str], count: int) -> None:
    """A bound of a group above holds as well; what cannot be read is no bound."""
    assert available_cpus(*cgroups(tmp_path, own, **bounds)) == count


def test_a_part_of_a_cpu_counts_as_one(tmp_path: Path) -> None:
    """Quotas are rounded up."""
    assert available_cpus(*cgroups(tmp_path, "/a", a="150000 100000")) == min(OWN, 2)


def test_without_cgroups(tmp_path: Path) -> None:
    """Affinity alone."""
    assert available_cpus(str(tmp_path), str(tmp_path / "none")) == OWN
