"""`Pipeline.run`: a build that a program asks for."""

from __future__ import annotations

import json
import subprocess
import sys
from signal import SIGINT

import pytest
from kit import Project

FLOW = """\
import sys
import steps
from pipefile import pipeline, stage

@stage(inputs={"src": "in.txt"}, outputs={"out": "out.txt", "size": int})
def copy(src, out):
    with open(src) as file:
        text = file.read()
    with open(out, "w") as file:
        file.write(steps.changed(text))
    print("copied")
    return len(text)

@stage
def failing(size):
    raise ValueError("as asked")

@pipeline
def good():
    return copy()

@pipeline
def bad():
    return failing(copy().size)
"""

STEPS = "def changed(text):\n    return text.upper()\n"


@pytest.fixture
def flow(project: Project) -> Project:
    project.write("flow.py", FLOW)
    project.write("steps.py", STEPS)
    project.write("in.txt", "text")
    return project


def run(project: Project, program: str, cwd: str = ".") -> subprocess.CompletedProcess[str]:
    """Run a program that imports `flow`; it stands in the project."""
    path = f"import sys; sys.path.insert(0, {project.root!r})\n"
    return subprocess.run(
        [sys.executable, "-c", path + program], cwd=project.path(cwd), env=project.environ, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        check=False,
    )  # fmt: skip


def told(project: Project, program: str) -> object:
    """What a program prints last, as JSON."""
    done = run(project, "import flow, json\n" + program)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_the_result(flow: Project) -> None:
    """Status, what ran, values; files are read where they are."""
    program = (
        "r = flow.good.run(quiet=True)\n"
        "print(json.dumps([r.status, r.exit_status, r.ran, r.fresh, r.values['copy.size'], sorted(r.values), r.errors, r.run != '']))"
    )
    assert told(flow, program) == ["succeeded", 0, ["copy"], 0, 4, ["copy.size"], {}, True]
    assert told(flow, program) == ["succeeded", 0, [], 1, 4, ["copy.size"], {}, False]
    assert flow.read("out.txt") == "TEXT"


def test_one_pipeline_reads_what_another_has_made(flow: Project) -> None:
    """A program builds one pipeline after the other: what the first has made is a source of the second, which does not know the first one."""
    more = '\n@stage(inputs={"src": "out.txt"}, outputs={"out": "end.txt"})\ndef end(src, out):\n    open(out, "w").write(open(src).read() + "!")\n'
    flow.write("flow.py", FLOW + more + "\n@pipeline\ndef after():\n    return end()\n")
    built = "r = [each.run(quiet=True) for each in (flow.good, flow.after, flow.good, flow.after)]\n"
    ran = told(flow, built + "print(json.dumps([[each.status, each.ran] for each in r]))")
    assert ran == [["succeeded", ["copy"]], ["succeeded", ["end"]], ["succeeded", []], ["succeeded", []]]
    assert flow.read("end.txt") == "TEXT!"


def test_a_failed_stage_is_told(flow: Project) -> None:
    """In the result, or as an error where that is asked for."""
    assert told(flow, "r = flow.bad.run(quiet=True)\nprint(json.dumps([r.status, r.exit_status, r.failed, r.errors, sorted(r.values)]))") == [
        "failed", 1, ["failing"], {"failing": "ValueError: as asked"}, ["copy.size"],
    ]  # fmt: skip
    program = "from pipefile import RunError\ntry:\n    flow.bad.run(quiet=True, check=True)\nexcept RunError as e:\n"
    program += "    print(json.dumps([str(e), e.result.failed]))"
    assert told(flow, program) == ["error: pipeline `bad` failed: `failing`", ["failing"]]


def test_what_it_prints(flow: Project) -> None:
    """The lines of the command line, unless it is to be quiet; a program's own lines come before."""
    done = run(flow, "import flow\nprint('before')\nflow.good.run()\nprint('after')")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert [lines[0], lines[1].split("  ")[0], lines[2], lines[3].partition(" in ")[0], lines[4]] == [
        "before", "[1/1] copy", "copied", "1 ran", "after",
    ]  # fmt: skip
    assert run(flow, "import flow\nflow.good.run(quiet=True, force=True)").stdout == ""


def test_a_dry_run_and_force(flow: Project) -> None:
    """Nothing is changed by the one, all is run by the other."""
    before = flow.tree()
    assert told(flow, "print(json.dumps(flow.good.run(dry_run=True, quiet=True).would_run))") == ["copy"]
    assert flow.tree() == before
    program = "print(json.dumps(flow.good.run(force=True, quiet=True).ran))"
    assert (told(flow, program), told(flow, program)) == (["copy"], ["copy"])


def test_other_targets(flow: Project) -> None:
    """Names of stages, and files."""
    assert told(flow, "print(json.dumps(flow.bad.run(targets=['out.txt'], quiet=True).ran))") == ["copy"]


def test_the_caller_keeps_its_modules(flow: Project) -> None:
    """What it has imported is there afterwards as before, working folder and environment too."""
    program = (
        "import os, steps\nfrom pipefile import FileRef\nbefore = os.getcwd(), dict(os.environ), list(sys.path), list(sys.path_hooks)\n"
        "flow.good.run(quiet=True)\n"
        "same = before == (os.getcwd(), dict(os.environ), list(sys.path), list(sys.path_hooks))\n"
        "print(json.dumps([sys.modules['flow'] is flow, sys.modules['steps'] is steps, same, flow.copy.__name__]))"
    )
    assert told(flow, program) == [True, True, True, "copy"]


def test_stages_run_as_they_stand_on_the_disk(flow: Project) -> None:
    """An edit after the import counts: a build never runs another code than it records."""
    program = (
        "open('steps.py', 'w').write('def changed(text):\\n    return text.title()\\n')\n"
        "flow.good.run(quiet=True)\nprint(json.dumps(open('out.txt').read()))"
    )
    assert told(flow, program) == "Text"


def test_two_pipelines_do_not_meet(flow: Project, new_project) -> None:  # type: ignore[no-untyped-def]
    """Not two of one file, and not two projects of one process."""
    other = new_project()
    other.write("elsewhere.py", FLOW.replace("import steps\n", "").replace("steps.changed(text)", "text[::-1]"))
    other.write("in.txt", "other")
    program = (
        f"sys.path.insert(0, {other.root!r})\nimport elsewhere\n"
        "one, two = flow.good.run(quiet=True), elsewhere.good.run(quiet=True)\n"
        "print(json.dumps([one.ran, two.ran, one.values['copy.size'], two.values['copy.size'], flow.bad.run(quiet=True).failed]))"
    )
    assert told(flow, program) == [["copy"], ["copy"], 4, 5, ["failing"]]
    assert (flow.read("out.txt"), other.read("out.txt")) == ("TEXT", "rehto")


def test_the_nearest_pipefile_is_the_project(flow: Project) -> None:
    """Its stages join, and its folder is what modules are named from."""
    flow.stage("size", inputs="copy.out", outputs="size.txt", run="wc -c < {inputs} > {outputs}")
    flow.write("sub/inner.py", FLOW.replace("import steps\n", "import steps  # of the folder above\n"))
    done = run(flow, "import sub.inner\nprint(sub.inner.good.run(targets=['size'], quiet=True).ran)")
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "('copy', 'size')\n")


def test_a_listed_file_is_built_as_the_command_line_does(flow: Project) -> None:
    """What it learned is kept for commands that look only."""
    flow.settings(python=["flow.py"])
    assert told(flow, "print(json.dumps(flow.good.run(quiet=True).ran))") == ["copy"]
    assert flow.status()["copy"] == "fresh"
    assert flow.build("good").ran == []


def test_a_script_may_join_stages_of_listed_files(flow: Project) -> None:
    """They are those of the command line, under the same names; what the script calls in another way is numbered."""
    flow.settings(python=["flow.py"])
    assert flow.build("good").ran == ["copy"]
    text = (
        "from flow import copy\nfrom pipefile import pipeline, stage\n\n@stage\ndef twice(n):\n    return {'n': 2 * n}\n\n"
        "@pipeline\ndef mine():\n    return twice(twice(copy().size).n)\n\n"
        "if __name__ == '__main__':\n    r = mine.run(quiet=True)\n    print(r.ran, r.fresh, r.values['twice#2.n'])\n"
    )
    flow.write("main.py", text)
    done = subprocess.run([sys.executable, "main.py"], cwd=flow.root, env=flow.environ, capture_output=True, text=True, check=False)
    assert (done.stderr, done.stdout) == ("", "('twice', 'twice#2') 1 16\n")
    assert flow.build("good").ran == []
    assert flow.cli("query", "outputs", "twice").exit_status == 2


def test_what_another_configuration_made_is_not_taken_for_the_usual(flow: Project) -> None:
    """Neither by the fast lane nor by commands that look."""
    number = "\n@stage(outputs='n.txt')\ndef number(n, outputs):\n    with open(outputs[0], 'w') as file:\n        file.write(str(n))\n"
    flow.write("flow.py", FLOW + number + "\n@pipeline\ndef numbers(config):\n    return number(config.n)\n")
    flow.settings(python=["flow.py"])
    flow.globals(n=1)
    assert flow.build("numbers").ran == ["number"]
    assert told(flow, "print(json.dumps(flow.numbers.run(config={'n': 2}, quiet=True).ran))") == ["number"]
    assert flow.status("numbers") == {"number": "stale"}
    assert flow.cli("numbers").out.startswith("[1/1] number")
    assert flow.read("n.txt") == "1"


def test_a_pipeline_without_a_file(flow: Project) -> None:
    """A worker could not import its stages."""
    program = (
        "from pipefile import PipefileError, pipeline\nimport flow\n\n@pipeline\ndef here():\n    return flow.copy()\n\n"
        "try:\n    here.run()\nexcept PipefileError as error:\n    print(error)\n"
    )
    assert run(flow, program).stdout == (
        "error: pipeline `here` is not declared in a file, so its stages cannot be imported where they run\n"
        "hint: put it and its stages into a module, import that and call `run` from here\n"
    )


def test_bad_requests(flow: Project) -> None:
    """Errors are raised, whole."""
    for call, text in (
        ("flow.good.run(jobs=0)", "error: `jobs` must be at least 1, not 0"),
        ("flow.good.run(targets=['copi'], quiet=True)", "error: no alias, stage or output is called `copi`\nhint: did you mean `copy`?"),
        (
            "flow.good.run(config={'a': {1}})",
            "error: `config` holds an object of type `set`\nhint: it takes texts, numbers, booleans, lists and dictionaries of these",
        ),
        ("flow.good.run(from_stage='copy', quiet=True)", "error: there are no runs yet"),
    ):
        program = f"from pipefile import PipefileError\nimport flow\ntry:\n    {call}\nexcept PipefileError as error:\n    print(error)\n"
        assert run(flow, program).stdout == text + "\n"
    done = run(flow, "import flow\nflow.good.run(from_here='copy')")
    assert done.stderr.splitlines()[-1] == "TypeError: Pipeline.run() got an unexpected keyword argument 'from_here'"


def test_an_interrupt_is_raised_when_all_is_in_order(flow: Project) -> None:
    """Case 34: the build ends its stages first; nothing half-made is believed."""
    gate = flow.gate("slow")
    waiting = (
        "    with open(os.environ['GATES'] + '/slow.here', 'w') as here:\n        here.write('here\\n')\n"
        "    while True:\n        time.sleep(0.01)\n"
    )
    flow.write("flow.py", FLOW.replace("import sys\n", "import os, time\n").replace('    print("copied")\n', waiting))
    flow.write("main.py", "import flow\ntry:\n    flow.good.run(quiet=True)\nexcept KeyboardInterrupt:\n    print('interrupted')\n")
    with subprocess.Popen([sys.executable, "main.py"], cwd=flow.root, env=flow.environ, stdout=subprocess.PIPE, text=True) as process:
        gate.wait()
        process.send_signal(SIGINT)
        assert process.communicate()[0] == "interrupted\n"
    assert process.returncode == 0
    assert not flow.exists("out.txt")
    flow.write("flow.py", FLOW)
    assert told(flow, "print(json.dumps(flow.good.run(quiet=True).ran))") == ["copy"]
