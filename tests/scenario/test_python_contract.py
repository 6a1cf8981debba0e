"""The examples of the Python API, as they are written for users: on the command line and as a library."""

from __future__ import annotations

import subprocess
import sys

import pytest
from kit import Project

EXAMPLE = '''\
from pipefile import FileRef, Stream, pipeline, stage

@stage(inputs={"video": "media/in.mp4"}, outputs={"info": dict, "frames": "build/frames/"}, version="2.0.0",
       retry_policy={"max_attempts": 3, "backoff": "exponential", "retry_on": [TimeoutError, ConnectionError]})
def analyze(video: FileRef, frames: FileRef) -> dict:
    with open(video) as source, open(f"{frames}/1.txt", "w") as frame:
        frame.write(source.read())
    return {"width": 640}

def preview_plain(info, width):
    return made("plain")

@stage(inputs={"info": "analyze.info", "width": "global.width"}, outputs={"preview": FileRef}, fallback="preview_plain")
def preview(info, width):
    import os
    if os.path.exists("broken"):
        raise ConnectionError("no network")
    return made(f"{info['width']} by {width}")

def made(text):
    with open("build/preview.jpg", "w") as file:
        file.write(text)
    return {"preview": FileRef("build/preview.jpg")}

@stage                                        # nothing declared: what it returns are its values, by the dict's keys
def summary(info, preview): return {"text": f"{info['width']} px", "pages": 3}

@pipeline
def workflow(config):
    a = analyze()
    b = preview(a.info)                       # a data dependency by handle; a whole handle stands for the stage's only output
    return summary(a.info, b, should_run=config.enabled)

if __name__ == "__main__":
    result = workflow.run(jobs=8, config={"enabled": True})          # -> RunResult; config is laid over [global]
    print(result.status, list(result.ran), result.values["summary.text"], result.values["summary.pages"], sep=" | ")
'''


@pytest.fixture
def example(project: Project) -> Project:
    project.write("media/in.mp4", "frames\n")
    project.write("pipeline.py", EXAMPLE)
    project.settings(python=["pipeline.py"])
    project.globals(width=320, enabled=True)
    return project


def python(project: Project, *argv: str, cwd: str = ".") -> subprocess.CompletedProcess[str]:
    """Run Python in the project, as its user does."""
    done = subprocess.run(
        [sys.executable, *argv], cwd=project.path(cwd), env=project.environ, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


def test_on_the_command_line(example: Project) -> None:
    """The pipeline is an alias; a second build runs nothing; a stage of Pipefile.toml takes what a function returned."""
    example.stage("page", inputs={"text": "summary.text", "pages": "summary.pages"}, outputs={"page": "page.txt"}, run="echo {text} {pages} > {page}")
    outcome = example.cli("workflow")
    assert (outcome.exit_status, outcome.err) == (0, "")
    assert example.read("build/preview.jpg") == "640 by 320"
    assert example.cli().exit_status == 0
    assert example.read("page.txt") == "640 px 3\n"
    assert example.build().ran == []
    assert example.build("workflow").ran == []


def test_as_a_library(example: Project) -> None:
    """A script that is run: with the stages, settings and records of the command line."""
    example.globals(enabled=False)
    first = python(example, "pipeline.py")
    assert (first.returncode, first.stderr) == (0, "")
    assert first.stdout.splitlines()[-1] == "succeeded | ['analyze', 'preview', 'summary'] | 640 px | 3"
    again = python(example, "pipeline.py")
    assert again.stdout.splitlines()[-1] == "succeeded | [] | 640 px | 3"
    assert example.build("workflow").ran == []
    assert example.build("workflow").skipped == ["summary"]


def test_as_a_library_without_a_pipefile(project: Project) -> None:
    """The folder of the file is the project then, and `[global]` is what is handed over."""
    project.write("media/in.mp4", "frames\n")
    project.write("pipeline.py", EXAMPLE.replace('config={"enabled"', 'config={"width": 7, "enabled"'))
    first = python(project, "pipeline.py")
    assert (first.returncode, first.stderr) == (0, "")
    assert first.stdout.splitlines()[-1] == "succeeded | ['analyze', 'preview', 'summary'] | 640 px | 3"
    assert project.read("build/preview.jpg") == "640 by 7"
    assert python(project, "../tree/pipeline.py", cwd="media/..").stdout.splitlines()[-1].startswith("succeeded | [] | ")
    assert not project.exists("Pipefile.toml")


def test_both_ways_have_one_staleness(example: Project) -> None:
    """What one has built is fresh for the other."""
    assert example.build("workflow").ran == ["analyze", "preview", "summary"]
    assert python(example, "pipeline.py").stdout.splitlines()[-1] == "succeeded | [] | 640 px | 3"
    example.write("media/in.mp4", "more frames\n")
    assert python(example, "pipeline.py").stdout.splitlines()[-1].startswith("succeeded | ['analyze']")
    assert example.build("workflow").ran == []


def test_the_fallback_of_the_example(example: Project) -> None:
    """An undecorated function of the module makes up for the stage; the next build tries the stage again."""
    example.write("broken", "")
    outcome = example.cli("workflow")
    assert (outcome.exit_status, example.read("build/preview.jpg")) == (0, "plain")
    example.remove("broken")
    assert example.build("workflow").ran[0] == "preview"
    assert example.read("build/preview.jpg") == "640 by 320"


def test_edits_make_stale_what_they_reach(example: Project) -> None:
    """Configuration, inputs and versions; what is equal stops there."""
    example.build("workflow")
    example.globals(width=321)
    assert example.build("workflow").ran == ["preview", "summary"]
    example.write("media/in.mp4", "other frames\n")
    assert example.build("workflow").ran == ["analyze"]
    example.globals(enabled=False)
    assert example.build("workflow").skipped == ["summary"]


STREAMS = '''\
from pipefile import Stream, stage

class Model:
    def __init__(self, weight):
        self.weight = weight

def load_model():
    return Model(3)

@stage(outputs={"rows": Stream})
def produce():
    for number in range(1000):
        yield {"n": number}

@stage(inputs={"rows": "produce.rows"}, outputs={"total": int, "model": Model}, mode="process", setup=load_model)
def total(rows, setup, ctx):
    ctx.log.info("attempt %d", ctx.attempt)
    return {"total": sum(row["n"] for row in rows), "model": Model(setup.weight + 1)}

@stage(inputs={"model": "total.model", "total": "total.total"}, params={"title": "global.title"}, outputs="out.txt")
def write(model, total, title, outputs):
    """Writes it all"""
    with open(outputs[0], "w") as file:
        file.write(f"{title}: {total} {model.weight}")
'''


def test_streams_classes_setup_and_context(project: Project) -> None:
    """Streams, values of any class, a worker's setup, `ctx`, and params, without any pipeline."""
    project.write("steps.py", STREAMS)
    project.settings(python=["steps.py"])
    project.globals(title="T")
    outcome = project.cli()
    assert (outcome.exit_status, outcome.err) == (0, "")
    assert project.read("out.txt") == "T: 499500 4"
    assert project.build().ran == []
    assert "attempt 1" in project.cli("runs", "log", "latest", "total").out
    assert project.cli("list").out.splitlines()[-1].endswith("Writes it all")


def test_a_handle_decides_at_run_time(project: Project) -> None:
    """`should_run` of a call may be what another stage returned."""
    project.write(
        "pipeline.py",
        """\
from pipefile import pipeline, stage

@stage(inputs={"src": "in.txt"}, outputs={"odd": bool})
def look(src):
    return len(open(src).read()) % 2 == 1

@stage(outputs={"out": "out.txt"})
def make(out, n=1):
    open(out, "w").close()

@pipeline
def flow():
    return make(should_run=look().odd)
""",
    )
    project.settings(python=["pipeline.py"])
    project.write("in.txt", "ab")
    assert project.cli("flow").exit_status == 0
    assert not project.exists("out.txt")
    project.write("in.txt", "abc")
    assert project.cli("flow").exit_status == 0
    assert project.exists("out.txt")


def test_a_stage_of_pipefile_toml_may_fall_back_on_a_decorated_one(project: Project) -> None:
    """One graph: names are names."""
    text = "from pipefile import stage\n\n@stage\ndef plain(out):\n    with open(out, 'w') as file:\n        file.write('plain')\n"
    project.write("steps.py", text)
    project.settings(python=["steps.py"])
    project.stage("main", outputs={"out": "out.txt"}, run="false {out}", fallback="plain")
    outcome = project.build()
    assert (outcome.exit_status, project.read("out.txt")) == (0, "plain")
