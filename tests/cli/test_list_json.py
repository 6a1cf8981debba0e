"""`list --json` from the index, which is how an editor gets it, says what the ordinary way says."""

from __future__ import annotations

import json
import os

import pytest
from kit import Project

from pipefile.engine.outline import listing

PLAIN = """
[stage.clean]
description = "Throws out \\"}, {\\"name\\": \\"bad\\" lines"
inputs = ["raw/*.csv", "raw/a.csv"]
outputs = ["out/clean.csv"]
run = "cat {inputs} > {outputs}"

  [ stage . "with blank" ]   # indented
outputs = ["out/b", "out/c"]
run = "touch {outputs}"

[stage.'quoted']
inputs = "out/clean.csv"
run = "test -s {inputs}"

[stage.params]
inputs = ["out/b"]
outputs = "out/p"
run = "cp {inputs} {outputs}; echo {params.n}"

[stage.params.params]
n = 1
"""

ODD = """
[pipefile]
default = "page"

[global]
place = "out"

[stage.page]
inputs = { css = "style.css", more = [{ path = "none", optional = true }, "x/"] }
outputs = { page = "{global.place}/page", pictures = ["./p/", "out/../q/"] }
run = "touch {page} {pictures}/a"
"""


@pytest.fixture
def made(project: Project) -> Project:
    for path in ("raw/a.csv", "style.css", "x/y"):
        project.write(path, "1\n")
    return project


def fast(project: Project, store: str = "pipeline_outputs") -> str | None:
    return listing(project.root, store, "Pipefile.toml")


@pytest.mark.parametrize("text", [PLAIN, ODD, PLAIN + ODD[ODD.index("[stage") :].replace("{global.place}", "out"), "", "[alias]\nx = []\n"])
def test_it_says_the_same(made: Project, text: str) -> None:
    """Places, inputs as they are written, outputs, durations, the default set; `-v` takes the ordinary way."""
    made.pipefile(text)
    assert fast(made) is None
    assert made.cli().exit_status == 0
    found = made.cli("list", "--json")
    assert found.out == made.cli("list", "--json", "-v").out == fast(made)
    assert (found.err, found.exit_status) == ("", 0)
    assert all(stage["last_duration_seconds"] is not None for stage in json.loads(found.out)["stages"] if stage["outputs"])


def test_it_says_the_same_of_instances(made: Project) -> None:
    """A stage with `for_each` is one line, with the time of all its instances; one that stands for nothing has none; what was written in three quotes
    is left to the ordinary way."""
    made.write("raw/b.csv", "2\n")
    made.pipefile(PLAIN)
    made.stage("each", for_each={"file": "raw/*.csv"}, inputs=["{file}"], outputs=["each/{file.name}"], run="cp {inputs} {outputs}")
    made.stage("none", for_each={"file": "none/*"}, inputs=["{file}"], outputs=["none/{file.name}"], run="cp {inputs} {outputs}")
    made.stage("all", inputs=["each.outputs"], outputs=["all"], run="cat {inputs} > {outputs}")
    assert made.cli().exit_status == 0
    found = made.cli("list", "--json").out
    assert found == made.cli("list", "--json", "-v").out == fast(made)
    seconds = {stage["name"]: stage["last_duration_seconds"] for stage in json.loads(found)["stages"]}
    assert seconds["each"] > 0
    assert seconds["none"] is None
    made.remove("raw/b.csv")
    assert made.cli().exit_status == 0
    assert made.cli("list", "--json").out == made.cli("list", "--json", "-v").out == fast(made)


def test_it_says_the_same_of_what_has_not_run(made: Project) -> None:
    """A stage that was not asked for, and one that has failed."""
    made.pipefile(PLAIN + "\n[stage.fails]\noutputs = ['f']\nrun = 'exit 1'\n")
    assert made.cli("out/clean.csv").exit_status == 0
    assert made.cli("list", "--json").out == made.cli("list", "--json", "-v").out == fast(made)
    assert made.cli("-k").exit_status == 1
    assert made.cli("list", "--json").out == made.cli("list", "--json", "-v").out == fast(made)


@pytest.mark.parametrize(
    "text",
    [
        PLAIN.replace("[stage.clean]", "[stage.cleaned]"),
        PLAIN + '\n[stage.m]\nrun = """\n[stage.m2]\n"""\n',
        "\ufeff" + PLAIN,
        PLAIN + "\n[stage.no_header]\nrun = '''echo'''\n",
        "stage.dotted.run = 'echo'\n",
        PLAIN.replace("\n", "\r\n"),
    ],
)
def test_what_it_cannot_tell_is_told_in_the_ordinary_way(made: Project, text: str) -> None:
    """An edited Pipefile, and ways of writing one that hide where a stage stands."""
    made.pipefile(PLAIN)
    assert made.cli().exit_status == 0
    made.pipefile(text)
    assert fast(made) is None
    assert made.cli("list", "--json").out == made.cli("list", "--json", "-v").out
    assert made.cli().exit_status == 0
    assert made.cli("list", "--json").out == made.cli("list", "--json", "-v").out


def test_a_pipefile_that_was_saved_while_a_build_ran(made: Project) -> None:
    """The index has the stamp that the file has now, and stages that it no longer has."""
    made.pipefile(PLAIN)
    made.stage("edits", outputs=["e"], run="printf '[stage.other]\\nrun = \"echo\"\\n' > Pipefile.toml; touch {outputs}", inputs=["raw/a.csv"])
    made.cli()
    found = json.loads(made.cli("list", "--json").out)
    assert [stage["name"] for stage in found["stages"]] == ["other"]


def test_another_store_and_a_folder_below(made: Project) -> None:
    """The project is found by walking up, the store in the Pipefile."""
    made.pipefile('[pipefile]\nstore = "kept"\n' + PLAIN)
    assert made.cli().exit_status == 0
    assert fast(made, "kept") is not None
    assert made.cli("list", "--json", cwd="raw").out == made.cli("list", "--json", "-v").out == fast(made, "kept")


def test_a_damaged_index(made: Project) -> None:
    """Costs time only."""
    made.pipefile(PLAIN)
    made.cli()
    whole = made.cli("list", "--json").out
    data = made.read_bytes("pipeline_outputs/index")
    for at in range(0, len(data), max(1, len(data) // 40)):
        made.write("pipeline_outputs/index", data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        found = fast(made)
        assert found is None or found == whole
    os.truncate(made.path("pipeline_outputs/index"), 100)
    assert fast(made) is None
    assert json.loads(made.cli("list", "--json").out)["stages"][0]["name"] == "clean"
