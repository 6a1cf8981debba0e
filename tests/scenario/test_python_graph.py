"""Decorated stages and those of Pipefile.toml: one graph, one staleness; what is known of them while nothing may be run."""

from __future__ import annotations

import json

import pytest
from kit import Project
from kit.lane import lane

PIPELINE = """\
import helper
from pipefile import pipeline, stage


@stage(inputs={"src": "in.txt", "width": "global.width"}, outputs={"dst": "build/a.txt"})
def copy(src, dst, width):
    '''Copies the text'''
    helper.copy(src, dst, width)


@stage(outputs={"out": "build/b.txt"})
def upper(text, out, times=1):
    with open(text) as source, open(out, "w") as target:
        target.write(source.read().upper() * times)


@pipeline
def workflow(config):
    return upper(copy(), times=config.times)
"""

HELPER = """\
def copy(src, dst, width):
    with open(src) as source, open(dst, "w") as target:
        target.write(source.read()[:width])
"""


@pytest.fixture
def mixed(project: Project) -> Project:
    """Two decorated stages joined by a pipeline, and one of Pipefile.toml after them."""
    project.write("in.txt", "some text\n")
    project.write("pipeline.py", PIPELINE)
    project.write("helper.py", HELPER)
    project.settings(python=["pipeline.py"])
    project.globals(width=4, times=2)
    project.stage("count", inputs="upper.out", outputs="n.txt", run="wc -c < {inputs} > {outputs}")
    return project


def canary(project: Project, where: str = "pipeline.py") -> str:
    """Make a module leave a trace when it is run; the trace's path."""
    trace = f"{project.side}/ran"
    project.write(where, f"with open({trace!r}, 'a') as _trace:\n    _trace.write('x')\n" + project.read(where))
    return trace


def runs(trace: str) -> int:
    try:
        with open(trace) as file:
            return len(file.read())
    except FileNotFoundError:
        return 0


def test_one_graph(mixed: Project) -> None:
    """A command needs what a decorated stage makes; a second build runs nothing."""
    assert mixed.build().ran == ["copy", "upper", "count"]
    assert (mixed.read("build/b.txt"), mixed.read("n.txt").strip()) == ("SOMESOME", "8")
    assert mixed.build().ran == []
    mixed.write("in.txt", "more text\n")
    assert mixed.build("n.txt").ran == ["copy", "upper", "count"]


def test_a_pipeline_is_an_alias(mixed: Project) -> None:
    """Of what it returns."""
    assert mixed.build("workflow").ran == ["copy", "upper"]
    mixed.settings(default=["workflow"])
    assert mixed.build().fresh == 2


def test_configuration_is_a_param(mixed: Project) -> None:
    """What a pipeline hands over of it makes stale what it is handed to, and nothing else."""
    mixed.build()
    mixed.globals(times=3)
    assert mixed.build().ran == ["upper", "count"]
    mixed.globals(width=5)
    assert mixed.build().ran == ["copy", "upper", "count"]
    assert mixed.why("upper") == {}


def test_modules_are_run_once_for_each_state_of_them(mixed: Project) -> None:
    """Not when nothing has changed, whatever else has; again for another configuration, and with -B."""
    trace = canary(mixed, "helper.py")
    mixed.build("copy")
    first = runs(trace)
    mixed.write("in.txt", "x\n")
    mixed.settings(keep_runs=9)
    assert mixed.build("build/a.txt", dry_run=True).would_run == ["copy"]
    assert mixed.status()["copy"] == "stale"
    assert runs(trace) == first
    mixed.globals(times=5)
    mixed.build("workflow")
    assert runs(trace) > first


def test_a_build_with_nothing_to_do_runs_no_module(mixed: Project) -> None:
    """Neither in the fast lane nor on the ordinary way, in which what the last build learned is believed."""
    trace = canary(mixed)
    mixed.build()
    before = runs(trace)
    assert mixed.build().ran == []
    assert runs(trace) == before
    outcome = mixed.cli()
    assert (outcome.exit_status, outcome.err) == (0, "")
    assert runs(trace) == before


@pytest.mark.parametrize("path", ["pipeline.py", "helper.py"])
def test_the_fast_lane_sees_python_files(mixed: Project, path: str) -> None:
    """Those that declare, and those that they import: an edit goes the ordinary way."""
    mixed.build()
    if lane(mixed) is None:
        pytest.skip("the disk does not tell of names by its folders' stamps")
    mixed.write(path, mixed.read(path) + "# a comment\n")
    assert lane(mixed) is None
    mixed.build()
    assert lane(mixed) is not None


def test_a_module_that_comes_before_an_installed_one_is_seen(mixed: Project) -> None:
    """A file that was not there, and would be imported now."""
    mixed.write("pipeline.py", PIPELINE.replace("import helper", "import helper\ntry:\n    import extra\nexcept ImportError:\n    extra = None"))
    mixed.build()
    mixed.write("extra.py", "raise RuntimeError('found')\n")
    outcome = mixed.build()
    assert (outcome.exit_status, outcome.output.split("\n")[0]) == (2, "error: `pipeline.py` cannot be imported: RuntimeError: found")


def test_looking_runs_nothing(mixed: Project) -> None:
    """Case 91: no command but a build runs the project's code, before the first build and after it."""
    trace = canary(mixed)
    commands = [
        ["status"], ["list", "--json", "--status"], ["why", "n.txt"], ["query", "deps", "n.txt"], ["graph"], ["check"], ["-n"], ["clean", "-n"],
    ]  # fmt: skip
    for words in commands:
        assert mixed.cli(*words).exit_status in (0, 1, 2)
    assert runs(trace) == 0
    mixed.build()
    before = runs(trace)
    for words in commands:
        outcome = mixed.cli(*words)
        assert (outcome.exit_status, outcome.err) == (0, "")
    assert runs(trace) == before


def test_what_is_known_before_the_first_build(mixed: Project) -> None:
    """What the text tells, and a note that it is not all."""
    outcome = mixed.cli("list")
    assert (outcome.out, outcome.err) == ("count\ncopy     Copies the text\nupper\n", "note: graph of pipeline.py unknown until a build\n")
    outcome = mixed.cli("status")
    assert outcome.err == "note: graph of pipeline.py unknown until a build\n"
    assert outcome.out == "stale   count: it has no record of an earlier run\nstale   copy: it has no record of an earlier run\n2 stale\n"


def test_what_is_known_after_a_build(mixed: Project) -> None:
    """All of it, with places; until a file is edited."""
    mixed.build()
    found = json.loads(mixed.cli("list", "--json").out)
    assert [(each["name"], each["location"]) for each in found["stages"]] == [
        ("count", {"file": "Pipefile.toml", "line": 8, "column": 8}),
        ("copy", {"file": "pipeline.py", "line": 6, "column": 5}),
        ("upper", {"file": "pipeline.py", "line": 12, "column": 5}),
    ]
    assert mixed.status() == {"copy": "fresh", "upper": "fresh", "count": "fresh"}
    mixed.write("pipeline.py", mixed.read("pipeline.py") + "\n")
    outcome = mixed.cli("-n", "copy")
    assert outcome.out.startswith("graph of pipeline.py unknown until a build\n")


@pytest.mark.parametrize("data", [b"", b"x", b"blake3:00\n{}", b"[" * 1000])
def test_what_was_learned_is_not_believed_when_damaged(mixed: Project, data: bytes) -> None:
    """Case 63: it is treated as absent, and the next build makes it anew."""
    mixed.build()
    whole = mixed.read_bytes("pipeline_outputs/python")
    mixed.write("pipeline_outputs/python", data)
    assert mixed.build().ran == []
    assert mixed.read_bytes("pipeline_outputs/python") == whole
    for cut in (1, 40, 72, 100, len(whole) - 1):
        mixed.write("pipeline_outputs/python", whole[:cut])
        assert "graph of pipeline.py unknown until a build" in mixed.cli("list").err
    mixed.write("pipeline_outputs/python", whole.replace(b"copy", b"cope"))
    assert "graph of pipeline.py unknown until a build" in mixed.cli("list").err


def test_targets_from_another_folder(mixed: Project) -> None:
    """Names of decorated stages and of pipelines are no paths."""
    mixed.write("sub/x", "")
    assert mixed.cli("workflow", cwd="sub").exit_status == 0
    assert mixed.cli("copy", cwd="sub").exit_status == 0
    assert mixed.cli("../n.txt", cwd="sub").exit_status == 0


def test_removed_stages_are_dead_and_known_as_ours(mixed: Project) -> None:
    """A decorated stage that is gone leaves outputs that a build of everything removes."""
    mixed.write("pipeline.py", PIPELINE + "\n\n@stage(outputs='build/c.txt')\ndef extra(outputs):\n    open(outputs[0], 'w').close()\n")
    assert mixed.build().ran.count("extra") == 1
    mixed.write("pipeline.py", PIPELINE)
    outcome = mixed.build()
    assert outcome.output == "note: removed `build/c.txt`, which no stage makes any more\n"
    assert not mixed.exists("build/c.txt")


def test_accept_and_clean_know_decorated_stages(mixed: Project) -> None:
    """From what the last build learned."""
    mixed.build()
    mixed.write("build/b.txt", "by hand")
    assert mixed.cli("accept", "upper", "--reason", "mine").out == "accepted upper\n"
    assert mixed.build("workflow").ran == []
    assert mixed.cli("clean", "copy").out == "removed build/a.txt\n"


def test_stages_of_two_files(mixed: Project) -> None:
    """A pipeline may call what another file declares; neither file has to know the other's stages by name."""
    text = "from pipeline import upper\nfrom pipefile import pipeline\n\n@pipeline\ndef other():\n    return upper('in.txt', times=1)\n"
    mixed.write("more.py", text)
    mixed.settings(python=["pipeline.py", "more.py"])
    outcome = mixed.build("other")
    assert (outcome.exit_status, outcome.output) == (
        2,
        "error: `build/b.txt` is made by two stages\n  pipeline.py:11  `upper`\n  more.py:6  `upper#2`\n",
    )


def test_printing_while_imported_leaves_standard_output_alone(mixed: Project) -> None:
    """It belongs to the build: JSON stays JSON."""
    mixed.write("helper.py", "print('hello')\n" + HELPER)
    outcome = mixed.cli("build", "--json", "copy")
    assert outcome.exit_status == 0
    assert all(json.loads(line)["event"] for line in outcome.out.splitlines())
    assert outcome.err.startswith("hello\n")
