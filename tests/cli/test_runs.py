"""`pipefile runs diff` and `runs rm`, and what `runs show` says of values and metrics."""

from __future__ import annotations

import json
import os
import re

import pytest
from kit import Project

STEPS = """
import json

def train(data, model, metrics, rate):
    with open(data) as file, open(model, "w") as out:
        out.write(file.read() * int(rate * 10))
    with open(metrics, "w") as file:
        json.dump({"loss": rate / 4, "recall": [1, rate], "epochs": 5}, file)
    return {"steps": int(rate * 100), "curve": [1.5, rate]}
"""


@pytest.fixture
def trained(project: Project) -> Project:
    """A function between two commands, built once."""
    project.write("raw.txt", "a\n")
    project.write("steps.py", STEPS)
    project.globals(rate=0.5)
    project.stage("data", inputs="raw.txt", outputs="data.txt", run="cp {inputs} {outputs}")
    project.stage(
        "train", inputs={"data": "data.txt"}, call="steps:train", params={"rate": "global.rate"}, metrics=["metrics.json"],
        outputs={"model": "model.bin", "metrics": "metrics.json", "steps": "value:int", "curve": "value:json"},
    )  # fmt: skip
    project.stage("report", inputs=["metrics.json", "raw.txt"], outputs="report.txt", run="cat {inputs} > {outputs}")
    assert project.cli("-j1").exit_status == 0
    return project


def ids(project: Project) -> list[str]:
    """Oldest first."""
    return sorted(os.listdir(project.path("pipeline_outputs/runs")))


def plain(project: Project, text: str) -> str:
    """*text* with the names of runs by their number, and durations as T."""
    for number, run in enumerate(ids(project)):
        text = text.replace(run, f"RUN{number}")
    return re.sub(r"\d+\.\d+ s", "T", text)


def test_diff(trained: Project) -> None:
    """Another rate: params, outputs, values and metrics side by side; a stage that did not run is the same."""
    trained.globals(rate=0.25)
    assert trained.cli("-j1").exit_status == 0
    outcome = trained.cli("runs", "diff")
    assert (outcome.exit_status, outcome.err) == (0, "")
    assert plain(trained, outcome.out) == (
        "a  RUN0  succeeded  3 ran in T\n"
        "b  RUN1  succeeded  2 ran, 1 fresh in T\n"
        "\n"
        "train  ran in T -> ran in T\n"
        "  param   rate          0.5   -> 0.25    (-0.25)\n"
        "  output  model.bin     changed\n"
        "  output  metrics.json  changed\n"
        "  value   steps         50    -> 25      (-25)\n"
        "  value   curve.1       0.5   -> 0.25    (-0.25)\n"
        "  metric  loss          0.125 -> 0.0625  (-0.0625)\n"
        "  metric  recall.1      0.5   -> 0.25    (-0.25)\n"
        "\n"
        "report  ran in T -> ran in T\n"
        "  input   metrics.json  changed\n"
        "  output  report.txt    changed\n"
        "\n"
        "1 stage is the same in both\n"
    )


def test_diff_as_json(trained: Project) -> None:
    """The same for programs: values as they are, absent ones left out."""
    trained.globals(rate=0.25)
    trained.cli("-j1")
    first, second = ids(trained)
    for words in (("runs", "diff", "--json"), ("runs", "diff", "latest", "--json"), ("runs", "diff", first, "--json"),
                  ("runs", "diff", first, second, "--json")):
        found = json.loads(trained.cli(*words).out)
        assert (found["format"], found["a"]["id"], found["b"]["id"]) == (1, first, second)
    stages = {stage["name"]: stage for stage in found["stages"]}
    assert list(stages) == ["data", "train", "report"]
    data, train = stages["data"], stages["train"]
    assert (data["same"], data["a"]["run"], data["b"]["run"]) == (True, first, first)
    assert (train["same"], train["a"]["status"], train["b"]["run"]) == (False, "ran", second)
    assert train["params"] == {"rate": {"a": 0.5, "b": 0.25, "difference": -0.25}}
    assert train["values"] == {
        "steps": {"a": 50, "b": 25, "difference": -25}, "curve.1": {"a": 0.5, "b": 0.25, "difference": -0.25},
    }  # fmt: skip
    assert train["metrics"] == {
        "metrics.json": {"loss": {"a": 0.125, "b": 0.0625, "difference": -0.0625}, "recall.1": {"a": 0.5, "b": 0.25, "difference": -0.25}}
    }
    assert train["inputs"] == train["code"] == {}
    assert set(train["outputs"]) == {"model.bin", "metrics.json"}


def test_diff_of_code_commands_and_inputs(trained: Project) -> None:
    """Symbols by name, commands as texts; what a file held is told by nobody."""
    trained.write("steps.py", STEPS.replace("rate / 4", "rate / 2"))
    trained.stage("data", inputs="raw.txt", outputs="data.txt", run="sort {inputs} > {outputs}")
    trained.write("raw.txt", "b\n")
    assert trained.cli("-j1").exit_status == 0
    out = plain(trained, trained.cli("runs", "diff").out)
    assert "  input   raw.txt   changed\n  code    run       cp raw.txt {outputs} -> sort raw.txt > {outputs}\n" in out
    assert "  code    steps.py:train  changed\n" in out


def test_diff_knows_what_stood_when_a_stage_did_not_run(trained: Project) -> None:
    """A run of one stage alone is compared with what earlier runs had left of the others."""
    trained.globals(rate=0.25)
    trained.cli("-j1", "train")
    trained.write("raw.txt", "b\n")
    trained.cli("-j1", "report")
    first, _, third = ids(trained)
    out = plain(trained, trained.cli("runs", "diff", first, third).out)
    assert "train  ran in T -> from RUN1\n" not in out
    assert "  metric  loss" in out
    found = json.loads(trained.cli("runs", "diff", first, third, "--json").out)
    stages = {stage["name"]: stage for stage in found["stages"]}
    assert stages["train"]["b"]["run"] in ids(trained)[1:]


def test_diff_with_an_earlier_run_that_is_damaged(trained: Project) -> None:
    """Cases 63 and 64: it is told, once, and the rest is shown."""
    trained.globals(rate=0.25)
    trained.cli("-j1")
    first, second = ids(trained)
    path = f"pipeline_outputs/runs/{second}/train/output.json"
    trained.write(path, trained.read(path)[:100])
    for words in (("runs", "diff"), ("runs", "show")):
        outcome = trained.cli(*words)
        assert (outcome.exit_status, outcome.err) == (0, f"warning: `{path}` is damaged\n")
        assert "rate" in outcome.out
    trained.write(f"pipeline_outputs/runs/{first}/manifest.json", "{")
    outcome = trained.cli("runs", "diff")
    assert outcome.exit_status == 0
    assert outcome.err == f"warning: `pipeline_outputs/runs/{first}/manifest.json` is damaged\nwarning: `{path}` is damaged\n"
    assert "train  not there -> ran in " in outcome.out


def test_diff_needs_two_runs(project: Project, trained: Project) -> None:
    (only,) = ids(trained)
    outcome = trained.cli("runs", "diff")
    assert (outcome.exit_status, outcome.err) == (2, f"error: there is no run before {only} to compare it with\n")
    assert trained.cli("runs", "diff", "x").err == "error: no run begins with `x`\nhint: `pipefile runs list` shows them all\n"
    same = trained.cli("runs", "diff", only, only)
    assert (same.exit_status, plain(trained, same.out).splitlines()[-1]) == (0, "3 stages are the same in both")


def test_nothing_that_a_stage_says_reaches_the_terminal_raw(project: Project) -> None:
    """Case 93: names, values and metrics with escape sequences are shown as text, and cut."""
    project.write("steps.py", "def go(n):\n    return {'v': '\\x1b]0;title\\x07\\u202e' * n, 'long': 'x' * 1000 * n}\n")
    project.write("m.py", "import json, sys\nprint(json.dumps({'\\x1b[2J': int(sys.argv[1])}))\n")
    for n in (1, 2):
        project.stage("v", outputs={"v": "value:str", "long": "value:str"}, call="steps:go", params={"n": n})
        project.stage("m", inputs="m.py", outputs="m.json", run=f"python3 {{inputs}} {n} > {{outputs}}", metrics="m.json")
        assert project.cli("v", "m").exit_status == 0
    for words in (("runs", "diff"), ("runs", "show")):
        out = project.cli(*words).out
        assert "\\x1b[2J" in out
        assert "\\x1b]0;title" in out
        assert max(map(len, out.splitlines())) < 200
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", out)
    assert json.loads(project.cli("runs", "diff", "--json").out)["stages"][0]["values"]["long"]["b"] == "x" * 2000


def test_diff_of_long_values_and_commands(project: Project) -> None:
    """A value gets some lines, whatever it holds, and a long command pushes nothing aside; JSON has it all."""
    project.write("steps.py", "def go(n):\n    return {'rows': [n] * 30, 'after': n}\n")
    for n in (1, 2):
        project.stage("v", outputs={"rows": "value:json", "after": "value:int"}, call="steps:go", params={"n": n})
        project.stage("c", outputs="c.txt", run=f"echo {'x' * 100 * n} > {{outputs}}", always=True)
        assert project.cli("-j1", "v", "c").exit_status == 0
    out = project.cli("runs", "diff").out
    values = [" ".join(line.split()) for line in out.splitlines() if line.startswith("  value")]
    assert values == [*[f"value rows.{number} 1 -> 2 (+1)" for number in range(8)], "value rows and 22 more", "value after 1 -> 2 (+1)"]
    cut = f"echo {'x' * 52}..."
    assert f"  code    run    {cut} -> {cut}\n" in out
    assert len(json.loads(project.cli("runs", "diff", "--json").out)["stages"][0]["values"]) == 31


def test_show(trained: Project) -> None:
    """Values and metrics stand with their stage."""
    out = trained.cli("runs", "show").out
    assert "  value: steps = 50\n  value: curve = [1.5, 0.5]\n  metric: loss = 0.125\n  metric: recall.0 = 1\n" in out
    (train,) = [edge for edge in json.loads(trained.cli("runs", "show", "--json").out)["edges"] if edge["stage"] == "train"]
    assert train["output"]["data"] == {"steps": 50, "curve": [1.5, 0.5]}
    assert train["code"]["call"] == "steps:train"
    assert "steps.py:train" in train["code"]


def test_reading_writes_nothing(trained: Project) -> None:
    """Case 60."""
    trained.globals(rate=0.25)
    trained.cli("-j1")
    before = trained.tree()
    for words in ("runs diff", "runs diff --json", "runs show", "runs list"):
        assert trained.cli(*words.split()).exit_status == 0
    assert trained.tree() == before


def test_rm(trained: Project) -> None:
    """Runs go with all that they hold; `latest` leads to the newest that is left; nothing has to be built again."""
    for rate in (0.25, 0.75):
        trained.globals(rate=rate)
        trained.cli("-j1")
    first, second, third = ids(trained)
    outcome = trained.cli("runs", "rm", "latest", first)
    assert (outcome.exit_status, outcome.out, outcome.err) == (0, f"removed {third}\nremoved {first}\n", "")
    assert ids(trained) == [second]
    assert os.readlink(trained.path("pipeline_outputs/latest")) == f"runs/{second}"
    assert trained.build().ran == []
    assert trained.cli("runs", "rm", second, "-q").out == ""
    assert ids(trained) == []
    assert not os.path.lexists(trained.path("pipeline_outputs/latest"))
    assert trained.cli("runs", "list").out == "no runs yet\n"
    assert trained.build().ran == []


def test_rm_of_what_is_not_there(trained: Project) -> None:
    """Nothing is removed then, whatever else was named."""
    (only,) = ids(trained)
    outcome = trained.cli("runs", "rm", only, "x")
    assert (outcome.exit_status, outcome.err) == (2, "error: no run begins with `x`\nhint: `pipefile runs list` shows them all\n")
    assert ids(trained) == [only]
    assert trained.cli("runs", "rm").exit_status == 2


def test_rm_of_a_damaged_run(trained: Project) -> None:
    """Case 64: what is left of one can be removed; a link in it is not followed."""
    (only,) = ids(trained)
    victim = os.path.join(trained.side, "victim")
    os.makedirs(os.path.join(victim, "deep"))
    folder = f"pipeline_outputs/runs/{only}"
    trained.remove(f"{folder}/run.json")
    os.symlink(victim, trained.path(f"{folder}/link"))
    assert trained.cli("runs", "rm", only).exit_status == 0
    assert os.path.isdir(os.path.join(victim, "deep"))


def test_rm_leaves_a_run_that_goes_on(trained: Project) -> None:
    """And does not wait for its end to remove it then."""
    gate = trained.gate("g")
    trained.stage("slow", outputs="slow.txt", run=f"{gate.shell}; echo > {{outputs}}")
    running = trained.start("slow")
    gate.wait()
    first, second = ids(trained)
    outcome = trained.cli("runs", "rm", "latest", first)
    assert (outcome.exit_status, outcome.err) == (2, f"error: run {second} is still going on\nhint: Ctrl-C ends it\n")
    locked = trained.cli("runs", "rm", first, "--no-wait")
    assert locked.exit_status == 4
    assert ids(trained) == [first, second]
    gate.release()
    assert running.wait().exit_status == 0
    assert trained.cli("runs", "rm", second).exit_status == 0
