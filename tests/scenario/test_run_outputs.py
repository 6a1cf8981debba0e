"""What stages came to, kept with the run that made it: values, artifacts, metrics."""

from __future__ import annotations

import errno
import json
import os
from typing import Any

import pytest
from kit import Project
from kit.tree import tree

from pipefile.testing import FaultyDisk

STEPS = """
import json

def go(src, page, rate, ctx):
    with open(src) as file:
        text = file.read()
    with open(page, "w") as file:
        json.dump({"accuracy": rate, "recall": [1, 0.5], "words": text}, file)
    with open(ctx.artifact("shot.PNG"), "w") as file:
        file.write("x")
    open(ctx.artifact("notes"), "w").close()
    print("said")
    return {"count": len(text), "table": {"b": [1, None], "a": "x"}}

def plain(src, page):
    open(page, "w").close()

def large(n):
    return ["x" * 1000] * n

def kept(ctx):
    open(ctx.artifact("a.csv"), "w").close()
"""


def output(project: Project, stage: str) -> dict[str, Any]:
    """What the latest run says of a stage."""
    found: dict[str, Any] = json.loads(project.read(f"pipeline_outputs/latest/{stage}/output.json"))
    return found


def trained(project: Project, **keys: object) -> None:
    project.write("steps.py", STEPS)
    project.write("in.txt", "abc")
    project.stage(
        "train", inputs={"src": "in.txt"}, outputs={"page": "build/metrics.json", "count": "value:int", "table": "value:json"}, call="steps:go",
        params={"rate": 0.5}, **keys,
    )  # fmt: skip


def test_what_a_stage_came_to(project: Project) -> None:
    """`_meta`, values, artifacts, and the numbers of its metrics."""
    trained(project, version="2.0.0", metrics=["build/metrics.json"])
    assert project.build().ran == ["train"]
    found = output(project, "train")
    meta = found["_meta"]
    assert {name: meta[name] for name in ("format", "stage", "version")} == {"format": 1, "stage": "train", "version": "2.0.0"}
    assert list(meta) == ["format", "stage", "version", "created_at", "duration_seconds", "input_hash", "output_hash"]
    assert found["data"] == {"count": 3, "table": {"a": "x", "b": [1, None]}}
    assert found["artifacts"] == [
        {"name": "notes", "path": "artifacts/notes", "type": "file"}, {"name": "shot.PNG", "path": "artifacts/shot.PNG", "type": "image"},
    ]  # fmt: skip
    for artifact in found["artifacts"]:
        assert project.exists(f"pipeline_outputs/latest/train/{artifact['path']}")
    assert found["metrics"] == {"build/metrics.json": {"accuracy": 0.5, "recall.0": 1, "recall.1": 0.5}}
    first = meta
    project.write("in.txt", "abd")
    assert project.build().ran == ["train"]
    again = output(project, "train")
    assert again["_meta"]["input_hash"] != first["input_hash"]
    assert again["_meta"]["output_hash"] != first["output_hash"]


def test_hashes_tell_inputs_and_outputs(project: Project) -> None:
    """The same inputs give the same hash; so do outputs with the same bytes."""
    trained(project)
    project.build()
    first = output(project, "train")
    project.build(force=True)
    second = output(project, "train")
    for name in ("input_hash", "output_hash"):
        assert first["_meta"][name] == second["_meta"][name] != ""


def test_who_has_one(project: Project) -> None:
    """Stages with values, artifacts or metrics. Of commands and functions without, manifest.json tells all: no file, not even a folder."""
    trained(project)
    project.stage("copy", inputs="in.txt", outputs="copy.txt", run="cp {inputs} {outputs}")
    project.stage("plain", inputs={"src": "in.txt"}, outputs={"page": "plain.txt"}, call="steps:plain")
    project.stage("kept", inputs="copy.txt", call="steps:kept")
    project.write("steps.py", STEPS.replace("def kept(ctx)", "def kept(inputs, ctx)"))
    project.stage("measured", inputs="in.txt", outputs="m.json", run="echo '{\"n\": 7}' > {outputs}", metrics="m.json")
    project.build("train", "copy", "plain", "kept", "measured")
    assert sorted(os.listdir(project.path("pipeline_outputs/latest"))) == ["kept", "manifest.json", "measured", "run.json", "train"]
    kept, measured = output(project, "kept"), output(project, "measured")
    assert (kept["data"], kept["artifacts"]) == ({}, [{"name": "a.csv", "path": "artifacts/a.csv", "type": "table"}])
    assert "metrics" not in kept
    assert (measured["data"], measured["artifacts"], measured["metrics"]) == ({}, [], {"m.json": {"n": 7}})


def test_large_values_by_reference(project: Project) -> None:
    """Up to 1 MB a value stands in the file itself; a larger one by path, digest and size."""
    project.write("steps.py", STEPS)
    project.stage("large", outputs={"rows": "value:json"}, call="steps:large", params={"n": 990})
    project.build()
    small = output(project, "large")
    assert small["data"] == {"rows": ["x" * 1000] * 990}
    assert "by_reference" not in small["_meta"]
    project.stage("large", outputs={"rows": "value:json"}, call="steps:large", params={"n": 1000})
    project.build()
    found = output(project, "large")
    path = "pipeline_outputs/values/large/rows.json"
    digest = json.loads(project.read("pipeline_outputs/latest/manifest.json"))["edges"][0]["outputs"][path]
    assert found["data"] == {"rows": {"path": path, "digest": digest, "size": os.path.getsize(project.path(path))}}
    assert found["_meta"]["by_reference"] == ["rows"]


def test_python_stages(project: Project) -> None:
    """Without declared outputs, the keys of what is returned; streams, objects and files by reference."""
    project.settings(python=["flow.py"])
    project.write(
        "flow.py",
        "from pipefile import FileRef, Stream, stage\n"
        "@stage\ndef summary():\n    return {'text': 'x', 'pages': 3}\n"
        "@stage\ndef bare():\n    return 7\n"
        "@stage(outputs={'rows': Stream, 'thing': set, 'picture': FileRef})\n"
        "def made():\n"
        "    with open('picture.jpg', 'w') as file:\n        file.write('x')\n"
        "    return {'rows': iter([1, 2]), 'thing': {1}, 'picture': FileRef('picture.jpg')}\n",
    )
    assert project.build("summary", "bare", "made").exit_status == 0
    summary, bare, made = (output(project, name) for name in ("summary", "bare", "made"))
    assert summary["data"] == {"text": "x", "pages": 3}
    assert bare["data"] == {"result": 7}
    assert made["_meta"]["by_reference"] == ["rows", "thing", "picture"]
    assert {name: value["path"] for name, value in made["data"].items()} == {
        "rows": "pipeline_outputs/values/made/rows.stream", "thing": "pipeline_outputs/values/made/thing.value", "picture": "picture.jpg",
    }  # fmt: skip
    assert all(value["digest"].startswith("blake3:") and value["size"] > 0 for value in made["data"].values())


def test_what_a_fallback_made(project: Project) -> None:
    """It counts as the stage's: metrics too."""
    project.stage("m", outputs="m.json", run="exit 1; : {outputs}", fallback="guess", metrics=["m.json"])
    project.stage("guess", run="echo '[0.5]' > {outputs}")
    assert project.build("m").degraded == ["m"]
    found = output(project, "m")
    assert (found["_meta"]["stage"], found["metrics"]) == ("m", {"m.json": {"0": 0.5}})


def test_a_failed_stage_came_to_nothing(project: Project) -> None:
    """What it has kept besides is there all the same, and shown."""
    project.write("steps.py", STEPS.replace('print("said")', 'raise ValueError("no")'))
    project.write("in.txt", "abc")
    project.stage("train", inputs={"src": "in.txt"}, outputs={"page": "m.json"}, call="steps:go", params={"rate": 1}, metrics="m.json")
    assert project.build().failed == ["train"]
    assert not project.exists("pipeline_outputs/latest/train/output.json")
    assert project.exists("pipeline_outputs/latest/train/artifacts/shot.PNG")
    assert "/train/artifacts/shot.PNG\n" in project.cli("runs", "show").out


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,b\\n1,2", "warning: metrics `m.json` of stage `m` are not kept with the run: the file is no JSON\n"),
        ("[" * 100000, "warning: metrics `m.json` of stage `m` are not kept with the run: the file is no JSON\n"),
        ("[" + "1," * 500_000 + "1]", "warning: metrics `m.json` of stage `m` are not kept with the run: File too large\n"),
        ("[" + "1," * 20_000 + "1]", "warning: of metrics `m.json` of stage `m` the first 10,000 numbers are kept with the run\n"),
        ('{"a": "x"}', ""),
    ],
    ids=["CSV", "nested", "large", "many", "no numbers"],
)
def test_metrics_that_are_not_to_be_had(project: Project, text: str, said: str) -> None:
    """A warning, and the build goes on."""
    project.write("source", text.replace("\\n", "\n"))
    project.stage("m", inputs="source", outputs="m.json", run="cp {inputs} {outputs}", metrics="m.json")
    outcome = project.build()
    assert (outcome.ran, outcome.exit_status, outcome.output) == (["m"], 0, said)


def test_metrics_are_in_no_key(project: Project) -> None:
    """To name them runs nothing."""
    project.stage("m", outputs="m.json", run="echo 1 > {outputs}", always=False)
    project.stage("use", inputs="m.json", outputs="n.json", run="cp {inputs} {outputs}")
    project.build("use")
    project.stage("use", inputs="m.json", outputs="n.json", run="cp {inputs} {outputs}", metrics="n.json")
    assert "use" not in project.build("use").ran


def test_a_full_disk_costs_the_history_alone(project: Project) -> None:
    """Case 57: one warning, and everything is built."""
    trained(project)
    project.stage("measured", inputs="build/metrics.json", outputs="m.json", run="cp {inputs} {outputs}", metrics="m.json")
    project.disk = FaultyDisk(project.root)
    project.disk.fail("write", "*/output.json", errno.ENOSPC)
    outcome = project.build()
    assert (outcome.ran, outcome.exit_status) == (["train", "measured"], 0)
    assert outcome.output.count("warning") == 1
    assert outcome.output.startswith("warning: what stage `train` came to is not kept with the run: No space left on device\n")
    assert project.build().ran == []


def test_links_in_the_run(project: Project) -> None:
    """Case 77: links that a stage plants in its run lead nothing astray: neither log, nor values, nor artifacts."""
    victim = os.path.join(project.side, "victim")
    for name in ("artifacts/x", "output.json", "log.txt", "shot.PNG"):
        os.makedirs(os.path.dirname(os.path.join(victim, name)), exist_ok=True)
        with open(os.path.join(victim, name), "w", encoding="ascii") as file:
            file.write("precious\n")
    before = tree(victim)
    plants = {
        "folder": f"ln -s {victim} pipeline_outputs/latest/train",
        "file": f"mkdir -p pipeline_outputs/latest/train; ln -s {victim}/output.json pipeline_outputs/latest/train/output.json",
        "being written": f"mkdir -p pipeline_outputs/latest/train; ln -s {victim}/output.json pipeline_outputs/latest/train/output.json~",
        "artifacts": f"mkdir -p pipeline_outputs/latest/train; ln -s {victim} pipeline_outputs/latest/train/artifacts",
        "artifact": f"mkdir -p pipeline_outputs/latest/train/artifacts; ln -s {victim}/shot.PNG pipeline_outputs/latest/train/artifacts/shot.PNG",
    }
    trained(project, after=["plant"], metrics=["build/metrics.json"])
    for where, plant in plants.items():  # a run has a name that nobody knows before: only its own stages can do this
        project.stage("plant", outputs="planted", run=f"{plant}; echo {where} > {{outputs}}")
        outcome = project.cli("-B", "plant", "train")
        assert outcome.exit_status in (0, 1), outcome.text
        assert "Traceback" not in outcome.err, where
        assert tree(victim) == before, where


def test_a_builder_that_is_killed_leaves_whole_files(project: Project) -> None:
    """What had ended by then is there to be read; the run counts as interrupted."""
    trained(project)
    gate = project.gate("g")
    project.stage("wait", inputs="build/metrics.json", outputs="w.txt", run=f"{gate.shell}; cp {{inputs}} {{outputs}}")
    running = project.start("-j1")
    gate.wait()
    found = output(project, "train")
    running.kill()
    gate.release()
    assert found["data"]["count"] == 3
    assert project.cli("runs", "list").out.split()[1] == "interrupted"
    shown = project.cli("runs", "show")
    assert (shown.exit_status, shown.err) == (0, "")


def test_what_is_restored_came_to_the_same(project: Project) -> None:
    """A stage whose earlier result is put back has its values and metrics in that run too, and `runs diff` knows them."""
    project.caching = True
    trained(project, metrics=["build/metrics.json"])
    project.build()
    first = output(project, "train")
    trained(project, metrics=["build/metrics.json"], version="2")
    assert project.build().ran == ["train"]
    trained(project, metrics=["build/metrics.json"])
    outcome = project.build()
    assert (outcome.ran, outcome.restored) == ([], ["train"])
    again = output(project, "train")
    assert (again["data"], again["metrics"]) == (first["data"], first["metrics"])
    assert [again["_meta"][name] for name in ("input_hash", "output_hash")] == [first["_meta"][name] for name in ("input_hash", "output_hash")]
    runs = sorted(os.listdir(project.path("pipeline_outputs/runs")))
    text = project.cli("runs", "diff", runs[0], runs[2]).out
    assert text.splitlines()[3:] == ["1 stage is the same in both"]
    (edge,) = json.loads(project.cli("runs", "diff", runs[0], runs[2], "--json").out)["stages"]
    assert (edge["same"], edge["b"]["status"]) == (True, "restored")


def test_secrets_are_in_none_of_it(project: Project) -> None:
    """Case 90: neither in values nor in names of metrics and artifacts; the value's own file has what the function returned."""
    project.environ["TOKEN"] = "s3cr3t-t0ken"
    project.write(
        "steps.py",
        "import json, os\n"
        "def go(page, ctx):\n"
        "    token = os.environ['TOKEN']\n"
        "    with open(page, 'w') as file:\n        json.dump({token: 1}, file)\n"
        "    return {'said': f'<{token}>', 'deep': [{token: token}]}\n",
    )
    outputs = {"page": "m.json", "said": "value:str", "deep": "value:json"}
    project.stage("s", outputs=outputs, call="steps:go", secret_env=["TOKEN"], metrics="m.json")
    assert project.build().ran == ["s"]
    text = project.read("pipeline_outputs/latest/s/output.json")
    assert "s3cr3t" not in text
    found = json.loads(text)
    assert found["data"]["said"].startswith("<")
    assert list(found["metrics"]["m.json"].values()) == [1]
    for words in (("runs", "show"), ("runs", "show", "--json")):
        assert "s3cr3t" not in project.cli(*words).text
