"""`pipefile list`, `query` and `graph`: the graph without running anything."""

from __future__ import annotations

import json

import pytest
from kit import Project


@pytest.fixture
def shop(project: Project) -> Project:
    """Three stages in a row, one of them with a glob, and one without outputs."""
    project.pipefile(
        """\
[pipefile]
default = ["report"]

[alias]
all = ["report", "lint"]

[stage.clean]
description = "Merges the raw tables"
inputs = ["raw/*.csv"]
outputs = { table = "build/clean.csv" }
run = "cat {inputs} > {table}"

[stage.report]
inputs = { table = "clean.table", style = "style.css" }
outputs = ["build/report.html", "build/pictures/"]
run = "cp {table} {outputs[0]}; touch {outputs[1]}/a.svg"

[stage.lint]
description = "Checks the style"
inputs = ["style.css"]
after = ["clean"]
run = "true"
"""
    )
    for path in ("raw/a.csv", "raw/b.csv", "style.css"):
        project.write(path, path)
    return project


def test_list(shop: Project) -> None:
    """Names, durations where known, descriptions."""
    outcome = shop.cli("list")
    assert (outcome.out, outcome.err, outcome.exit_status) == ("clean     Merges the raw tables\nreport\nlint      Checks the style\n", "", 0)


def test_list_json(shop: Project) -> None:
    """All fields of the contract; status and reason only where they are asked for."""
    outcome = shop.cli("list", "--json")
    assert (outcome.err, outcome.exit_status) == ("", 0)
    found = json.loads(outcome.out)
    lint = {
        "name": "lint", "description": "Checks the style", "inputs": ["style.css"], "outputs": [],
        "location": {"file": "Pipefile.toml", "line": 18, "column": 8}, "last_duration_seconds": None,
    }  # fmt: skip
    assert found == {
        "format": 1, "file": f"{shop.root}/Pipefile.toml", "root": shop.root, "default": ["report"],
        "stages": [
            {
                "name": "clean", "description": "Merges the raw tables", "inputs": ["raw/*.csv"], "outputs": ["build/clean.csv"],
                "location": {"file": "Pipefile.toml", "line": 7, "column": 8}, "last_duration_seconds": None,
            },
            {
                "name": "report", "description": "", "inputs": ["clean.table", "style.css"], "outputs": ["build/report.html", "build/pictures/"],
                "location": {"file": "Pipefile.toml", "line": 13, "column": 8}, "last_duration_seconds": None,
            },
            lint,
        ],
    }  # fmt: skip


def test_list_works_while_sources_are_missing(shop: Project) -> None:
    """It shows what is declared."""
    shop.remove("style.css")
    assert shop.cli("list").exit_status == 0


def test_list_json_tells_status_and_duration(shop: Project) -> None:
    """--status, after a build and an edit."""
    assert shop.cli("all").exit_status == 0
    shop.write("style.css", "new")
    found = {stage["name"]: stage for stage in json.loads(shop.cli("list", "--json", "--status").out)["stages"]}
    assert {name: (stage["status"], stage["reason"]) for name, stage in found.items()} == {
        "clean": ("fresh", ""),
        "report": ("stale", "input `style.css` changed"),
        "lint": ("stale", "input `style.css` changed"),
    }
    assert all(stage["last_duration_seconds"] > 0 for stage in found.values())


@pytest.mark.parametrize(
    ("args", "out"),
    [
        (("inputs", "report"), "build/clean.csv\nstyle.css\n"),
        (("inputs", "build/report.html"), "build/clean.csv\nstyle.css\n"),
        (("inputs", "clean"), "raw/a.csv\nraw/b.csv\n"),
        (("inputs", "style.css"), ""),
        (("outputs", "report"), "build/report.html\nbuild/pictures/\n"),
        (("outputs", "style.css"), "build/report.html\nbuild/pictures/\n"),
        (("outputs", "lint"), ""),
        (("deps", "report"), "build/clean.csv\nraw/a.csv\nraw/b.csv\nstyle.css\n"),
        (("deps", "clean"), "raw/a.csv\nraw/b.csv\n"),
        (("deps", "raw/a.csv"), ""),
        (("rdeps", "raw/a.csv"), "build/clean.csv\nbuild/pictures/\nbuild/report.html\n"),
        (("rdeps", "clean"), "build/pictures/\nbuild/report.html\n"),
        (("rdeps", "report"), ""),
    ],
)
def test_query(shop: Project, args: tuple[str, ...], out: str) -> None:
    """inputs and outputs are direct, deps and rdeps transitive."""
    outcome = shop.cli("query", *args)
    assert (outcome.out, outcome.err, outcome.exit_status) == (out, "", 0)


def test_query_takes_paths_from_where_the_user_stands(shop: Project) -> None:
    """Stages and aliases stay names."""
    assert shop.cli("query", "rdeps", "a.csv", cwd="raw").out == "build/clean.csv\nbuild/pictures/\nbuild/report.html\n"
    assert shop.cli("query", "inputs", "clean", cwd="raw").out == "raw/a.csv\nraw/b.csv\n"


def test_query_of_a_name_that_is_no_utf8(project: Project) -> None:
    """In a pipe it is what it is on disk; control characters are escaped."""
    project.stage("a", inputs=["src/*"], outputs="a.txt", run="cat {inputs} > {outputs}")
    project.write("src/caf\udce9", "")
    project.write("src/new\nline", "")
    assert project.cli("query", "inputs", "a").out == "src/caf\udce9\nsrc/new\\nline\n"


def test_graph_as_text(shop: Project) -> None:
    """Those before come first; only what the target needs."""
    assert shop.cli("graph", "report").out == (
        "clean: raw/*.csv -> build/clean.csv\nreport: build/clean.csv style.css -> build/report.html build/pictures/\n"
    )


def test_graph_with_waves(shop: Project) -> None:
    """Each wave under its heading."""
    assert shop.cli("graph", "--waves").out == (
        "wave 0\n  clean: raw/*.csv -> build/clean.csv\n"
        "wave 1\n  report: build/clean.csv style.css -> build/report.html build/pictures/\n  lint: style.css\n"
    )


def test_graph_as_dot(shop: Project) -> None:
    """`after` is a dashed line."""
    assert shop.cli("graph", "--format", "dot").out == (
        "digraph pipefile {\n  rankdir=LR;\n  node [shape=box];\n"
        '  n0 [label="clean"];\n  n1 [label="report"];\n  n2 [label="lint"];\n'
        "  n0 -> n1;\n  n0 -> n2 [style=dashed];\n}\n"
    )


def test_graph_as_json(shop: Project) -> None:
    """With waves where they are asked for."""
    found = json.loads(shop.cli("graph", "--format", "json", "--waves").out)
    assert found == {
        "format": 1,
        "stages": [
            {
                "name": "clean", "stage": "clean", "wave": 0, "inputs": ["raw/*.csv"], "outputs": ["build/clean.csv"], "needs": [], "after": []
            },
            {
                "name": "report", "stage": "report", "wave": 1, "inputs": ["build/clean.csv", "style.css"],
                "outputs": ["build/report.html", "build/pictures/"], "needs": ["clean"], "after": [],
            },
            {"name": "lint", "stage": "lint", "wave": 1, "inputs": ["style.css"], "outputs": [], "needs": [], "after": ["clean"]},
        ],
        "groups": {},
        "waves": [["clean"], ["report", "lint"]],
    }  # fmt: skip


def test_a_fan_in_that_many_use_stays_small(project: Project) -> None:
    """A group stands for all of its edges: the size is their sum, not their product."""
    lines = []
    for number in range(50):
        lines.append(f'[stage.part{number}]\noutputs = ["p/{number}"]\nrun = "echo > {{outputs}}"\n')
    for number in range(50):
        lines.append(f'[stage.all{number}]\ninputs = ["p/*"]\noutputs = ["q/{number}"]\nrun = "cat {{inputs}} > {{outputs}}"\n')
    project.pipefile("".join(lines))
    found = json.loads(project.cli("graph", "--format", "json").out)
    assert found["groups"] == {"#0": [f"part{number}" for number in range(50)]}
    assert all(stage["needs"] == ["#0"] for stage in found["stages"] if stage["name"].startswith("all"))
    assert project.cli("graph", "--format", "dot").out.count("->") == 100


def test_reading_writes_nothing(shop: Project) -> None:
    """Case 60, of these commands."""
    before = shop.tree()
    for args in (("list", "--json"), ("query", "deps", "report"), ("graph", "--waves"), ("check",), ("runs", "list"), ("clean", "-n")):
        assert shop.cli(*args).exit_status == 0
    assert shop.tree() == before
