"""`pipefile cache`, word for word."""

from __future__ import annotations

import json
import os
import re

import pytest
from kit import Project


@pytest.fixture
def built(project: Project) -> Project:
    """Two results, one of them with a file of its own in the cache."""
    project.write("x", "x\n")
    project.stage("a", inputs="x", outputs="a.txt", run="cp {inputs} {outputs}")
    project.stage("b", inputs="a.txt", outputs="b.txt", run="seq 2000 > {outputs}; cat {inputs} >> {outputs}")
    assert project.cli().exit_status == 0
    return project


def test_stats(built: Project) -> None:
    """How much there is of how much there may be; nothing is written."""
    before = built.tree()
    outcome = built.cli("cache", "stats")
    assert (outcome.exit_status, outcome.err) == (0, "")
    assert re.fullmatch(r"2 results of 2 keys, 1 file beside them: 13[.][0-9] kB of 10 GB\n", outcome.out), outcome.out
    found = json.loads(built.cli("cache", "stats", "--json").out)
    assert (found["format"], found["results"], found["keys"], found["files"], found["limit"]) == (1, 2, 2, 1, 10_000_000_000)
    assert built.tree() == before


def test_stats_where_there_is_no_cache(project: Project) -> None:
    """Before the first build."""
    project.stage("a", outputs="a.txt", run="echo > {outputs}")
    assert project.cli("cache", "stats").out == "no results: 0 B of 10 GB\n"
    assert project.cli("cache", "verify").out == "0 results and 0 files are whole\n"
    assert not project.exists("pipeline_outputs/cache")


def test_gc(built: Project) -> None:
    """Down to the size; then all of it."""
    assert re.fullmatch(r"nothing to remove; 13[.][0-9] kB are left\n", built.cli("cache", "gc").out)
    built.settings(cache_size="5kB")
    out = built.cli("cache", "gc").out
    assert re.fullmatch(r"removed the results of [12] keys and 1 file, [\d.]+ kB; [\d.]+ k?B are left\n", out), out
    out = built.cli("cache", "gc", "--all").out
    assert re.fullmatch(r"(removed the results of 1 key and 0 files, [\d.]+ k?B|nothing to remove); 0 B are left\n", out), out
    assert built.cli("cache", "stats").out == "no results: 0 B of 5 kB\n"
    assert built.cli().out.startswith("2 fresh")


def test_verify(built: Project) -> None:
    """Exit 1 where something was damaged, which is gone then."""
    assert (built.cli("cache", "verify").out, built.cli("cache", "verify").exit_status) == ("2 results and 1 file are whole\n", 0)
    (blob,) = [path for path in built.tree() if "/blobs/" in path and not os.path.isdir(built.path(path))]
    data = built.read_bytes(blob)
    built.remove(blob)
    built.write(blob, b"x" * len(data))
    outcome = built.cli("cache", "verify")
    assert (outcome.exit_status, outcome.out) == (1, "1 result and 0 files are whole\n")
    assert outcome.err.splitlines()[0] == f"warning: `{blob}` was damaged, and is removed: it has other bytes than it should"
    assert built.cli("cache", "verify").exit_status == 0
