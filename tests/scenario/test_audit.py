"""The audit: what Python code reads and writes without its stage declaring it."""

from __future__ import annotations

import os
import sys

import pytest
from kit import Project

SCRIPT = """
import subprocess, sys
text = open(sys.argv[1]).read() + open("data/b.csv").read()
with open("seen.log", "a") as log:
    log.write("seen\\n")
subprocess.run([sys.executable, "-c", "open('data/c.csv')"], check=True)
open(sys.argv[2], "w").write(text)
"""

STEPS = """
import subprocess, sys
from pathlib import Path
CONF = Path("conf.txt").read_text()

def make(src, dst):
    Path(dst).write_text(Path(src).read_text() + CONF + Path("data/b.csv").read_text())
    subprocess.run([sys.executable, "-c", "open('data/c.csv')"], check=True)
"""


@pytest.fixture
def files(project: Project) -> Project:
    for path in ("in.txt", "conf.txt", "data/b.csv", "data/c.csv"):
        project.write(path, f"{path}\n")
    return project


def script(project: Project, text: str = SCRIPT, name: str = "make", **keys: object) -> None:
    """A stage that runs a Python script with the paths of its input and its output."""
    project.write(f"{name}.py", text)
    project.stage(name, inputs=["in.txt"], outputs=[f"{name}.txt"], run=f"{sys.executable} {name}.py {{inputs}} {{outputs}}", **keys)


def function(project: Project, text: str = STEPS, name: str = "make", **keys: object) -> None:
    project.write("steps.py", text)
    project.stage(name, inputs={"src": "in.txt"}, outputs={"dst": f"{name}.txt"}, call="steps:make", **keys)


def line(project: Project, text: str) -> int:
    """The number of the first line that begins so."""
    return next(number for number, each in enumerate(project.read("Pipefile.toml").split("\n"), 1) if each.startswith(text))


# --- report


def test_a_script(files: Project) -> None:
    """Case 94: an undeclared read and an undeclared write are told with stage and path, and the build is a good one."""
    script(files)
    outcome = files.build()
    assert (outcome.exit_status, outcome.ran) == (0, ["make"])
    assert outcome.output == (
        "warning: stage `make` reads `data/b.csv` and `data/c.csv`, which it does not declare\n"
        f"  Pipefile.toml:{line(files, 'inputs')}  `make`\n"
        'hint: add `inputs = [..., "data/b.csv", "data/c.csv"]`\n'
        "warning: stage `make` writes `seen.log`, which it does not declare\n"
        f"  Pipefile.toml:{line(files, 'outputs')}  `make`\n"
        'hint: add `outputs = [..., "seen.log"]`\n'
    )
    assert files.build(strict=True, force=True).exit_status == 1
    files.settled()


@pytest.mark.parametrize("mode", ["function", "process"])
def test_a_function(files: Project, mode: str) -> None:
    """Case 94: what its module reads when it is imported, what it reads itself, and what Python programs read that it starts."""
    function(files, mode=mode)
    outcome = files.build()
    assert outcome.exit_status == 0
    assert outcome.output == (
        "warning: stage `make` reads `conf.txt`, `data/b.csv` and `data/c.csv`, which it does not declare\n"
        f"  Pipefile.toml:{line(files, '[stage.make]') + 1}  `make`\n"
        'hint: add `inputs = { ..., conf = "conf.txt", b = "data/b.csv", c = "data/c.csv" }`\n'
    )
    files.settled()


def test_what_passes_between_a_function_and_its_programs(files: Project) -> None:
    """Files that a function writes for a program that it starts, and the other way round, are its own."""
    steps = """
import subprocess, sys
from pathlib import Path

def make(src, dst):
    Path("there").write_text("x")
    subprocess.run([sys.executable, "-c", "open('back', 'w').write(open('there').read())"], check=True)
    Path(dst).write_text(Path("back").read_text())
    Path("there").unlink()
    Path("back").unlink()
"""
    for mode in ("function", "process"):
        function(files, steps, mode=mode)
        assert files.build(force=True).output == ""


def test_functions_at_once(files: Project) -> None:
    """Threads of one process: each stage is told what it has read itself, what its own threads read included."""
    steps = """
import threading
from pathlib import Path
together = threading.Barrier(2)

def read(src, dst, path):
    together.wait(60)
    helper = threading.Thread(target=lambda: Path(f"data/{path}.csv").read_text())
    helper.start()
    helper.join()
    together.wait(60)
    Path(dst).write_text(path)
"""
    files.write("steps.py", steps)
    for name in ("b", "c"):
        files.stage(name, inputs={"src": "in.txt"}, outputs={"dst": f"{name}.txt"}, call="steps:read", params={"path": name}, mode="function")
    outcome = files.build(jobs=2)
    assert outcome.exit_status == 0
    assert {event.stage: event.undeclared for event in outcome.events if getattr(event, "status", "") == "ran"} == {
        "b": {"reads": ("data/b.csv",)},
        "c": {"reads": ("data/c.csv",)},
    }


def test_a_warm_start_tells_it_too(files: Project) -> None:
    """What runs again is told again, however the build has begun; what is fresh is not."""
    script(files)
    first = files.build()
    assert files.build().output == ""
    files.write("in.txt", "again\n")
    assert files.build().output == first.output


def test_nothing_of_it_is_left(files: Project) -> None:
    """The store holds nothing of the audit after a build."""
    script(files)
    files.build()
    assert not files.exists("pipeline_outputs/audit")


def test_instances_are_told_together(files: Project) -> None:
    """One warning for all instances of a stage, however many they are; of many files it names a few."""
    text = "import sys\nfor n in range(3): open(f'data/{sys.argv[1]}{n}.csv').close()\nopen('conf.txt').close()\nopen(sys.argv[2], 'w').write('x')\n"
    files.write("make.py", text)
    for name in ("x0", "x1", "x2", "y0", "y1", "y2"):
        files.write(f"data/{name}.csv", "")
    files.stage("make", for_each={"n": ["x", "y"]}, outputs=["out/{n}.txt"], run=f"{sys.executable} make.py {{n}} {{outputs}}")
    outcome = files.build(jobs=1)
    assert outcome.output == (
        "warning: stage `make` reads `data/x0.csv`, `data/x1.csv`, `data/x2.csv`, `conf.txt`, `data/y0.csv` and 2 more, which it does not declare\n"
        f"  Pipefile.toml:{line(files, '[stage.make]')}  `make`\n"
        'hint: add `inputs = ["data/x0.csv", "data/x1.csv", "data/x2.csv", "conf.txt", "data/y0.csv", ...]`\n'
    )


def batched(project: Project, **keys: object) -> None:
    """Three instances of a stage with `batch`, each with an input of its own; one of them reads that of another project besides."""
    text = """
import sys
names = sys.argv[1:]
for src, dst in zip(names[:len(names) // 2], names[len(names) // 2:]):
    open(dst, "w").write(open(src).read())
    if "a" in src:
        open("conf.txt")
"""
    project.write("make.py", text)
    for name in ("a", "b", "c"):
        project.write(f"in/{name}", f"{name}\n")
    run = f"{sys.executable} make.py {{inputs}} {{outputs}}"
    project.stage("make", for_each={"n": ["a", "b", "c"]}, batch=3, inputs=["in/{n}"], outputs=["out/{n}"], run=run, **keys)


def test_batches(files: Project) -> None:
    """Inputs and outputs of all items are declared; what else a batch reads is told of its stage."""
    batched(files)
    outcome = files.build(jobs=1)
    assert len(outcome.ran) == 3
    assert outcome.output.startswith("warning: stage `make` reads `conf.txt`, which it does not declare\n")
    assert outcome.output.count("warning") == 1


def test_what_counts_as_declared(files: Project) -> None:
    """Inputs in directories, by globs and through links, outputs, code, files of params, files that only the stage itself knows."""
    text = """
import os, sys, tempfile, helper
from params import lr  # noqa
open("data/b.csv"), open(os.path.realpath("link.txt")), open("params.json"), open("tree/deep/x"), open("named.txt")
open("scratch", "w").write("x")
open("scratch").close()
os.remove("scratch")
for path in ("missing", "data"):
    try:
        open(path)
    except OSError:
        pass
with open(sys.argv[1], "w") as out:
    out.write("x")
open(sys.argv[1]).close()
"""
    files.write("make.py", text)
    files.write("helper.py", "")
    files.write("params.py", "import json\nlr = json.load(open('params.json'))['lr']\n")
    files.write("params.json", '{"lr": 1}\n')
    files.write("tree/deep/x", "")
    files.write("named.txt", "")
    os.symlink("conf.txt", files.path("link.txt"))
    run = f"{sys.executable} make.py {{outputs}} named.txt"
    files.stage("make", inputs=["data/*.csv", "link.txt", "tree/"], outputs=["make.txt"], run=run, params={"lr": "params.json:lr"})
    outcome = files.build()
    assert (outcome.exit_status, outcome.output) == (0, "")


def test_caches_of_tools(files: Project) -> None:
    """What lies in a folder that is tagged as a cache makes no difference, and nobody declares it."""
    text = "import os, sys\nopen('.tool/x', 'a').write('x')\nopen('.tool/x').close()\nopen(sys.argv[2], 'w').write('x')\n"
    files.write(".tool/CACHEDIR.TAG", "Signature: 8a477f597d28d172789f06886806bc55\n")
    script(files, text)
    assert files.build().output == ""


def test_environments_in_the_project(files: Project) -> None:
    """An environment of Python that lies in the project is installed, not written: nobody declares its files."""
    files.write(".venv/pyvenv.cfg", "")
    files.write(".venv/share/x.txt", "")
    files.write("node_modules/x.js", "")
    script(files, "import sys\nopen('.venv/share/x.txt')\nopen('node_modules/x.js')\nopen(sys.argv[2], 'w').write('x')\n")
    assert files.build().output == ""


def test_what_it_removes(files: Project) -> None:
    """Case 94: a file that it finds and removes, or renames away."""
    script(files, "import os, sys\nos.remove('data/b.csv')\nos.rename('data/c.csv', 'data/d.csv')\nopen(sys.argv[2], 'w').write('x')\n")
    outcome = files.build()
    assert outcome.output == (
        "warning: stage `make` writes `data/d.csv`, which it does not declare\n"
        f"  Pipefile.toml:{line(files, 'outputs')}  `make`\n"
        'hint: add `outputs = [..., "data/d.csv"]`\n'
        "warning: stage `make` removes `data/b.csv` and `data/c.csv`, which it does not declare\n"
        f"  Pipefile.toml:{line(files, '[stage.make]')}  `make`\n"
    )


@pytest.mark.parametrize("what", ["remove", "change"])
def test_its_own_input(files: Project, what: str) -> None:
    """Case 94: a stage that removes or changes its own input is found out by the look at the inputs after it, whatever the audit is set to."""
    text = "import os, sys\nos.remove('in.txt')\n" if what == "remove" else "import sys\nopen('in.txt', 'a').write('x')\n"
    script(files, text + "open(sys.argv[2], 'w').write('x')\n", audit="off")
    outcome = files.build()
    assert (outcome.exit_status, outcome.failed) == (1, ["make"])
    assert "`in.txt`" in outcome.output
    assert not files.exists(files.record("make.txt"))


def test_off(files: Project) -> None:
    """`off` sees and says nothing; a stage's own value counts more than the project's."""
    script(files)
    files.settings(audit="off")
    assert files.build().output == ""
    script(files, audit="report")
    assert files.build(force=True).output.startswith("warning: stage `make` reads `data/b.csv` and `data/c.csv`, which it does not declare\n")


# --- the program that is watched


SHOWS = """
import os, sys
shown = [sorted(os.environ.items()), sys.path, sorted(name for name in sys.modules if "custom" in name), getattr(sys, "customised", None)]
open(sys.argv[2], "w").write(repr(shown))
open("data/b.csv").close()
"""


@pytest.mark.parametrize("path", [None, "", "lib:other"])
def test_a_program_finds_what_it_would_find_without(files: Project, path: str | None) -> None:
    """Its environment and its search path are those of any build, and so are its outputs; a `sitecustomize` of its own is run."""
    files.write("lib/sitecustomize.py", "import sys\nsys.customised = __file__\n")
    files.environ.pop("PYTHONPATH")
    if path is not None:
        files.environ["PYTHONPATH"] = path
    script(files, SHOWS)
    shown = []
    for audit in ("off", "report", "strict"):
        files.settings(audit=audit)
        outcome = files.build(force=True)
        shown.append(files.read("make.txt") if audit != "strict" else "")
        assert ("`data/b.csv`" in outcome.output) == (audit != "off")
    assert shown[0] == shown[1]
    assert ("lib/sitecustomize.py" in shown[0]) == (path == "lib:other")


def test_other_programs_find_nothing(files: Project) -> None:
    """Commands that start no Python have no variable more in their environment, nor do those that print it."""
    files.stage("plain", outputs=["plain.txt"], run="sh -c env > {outputs}")
    files.stage("both", inputs=["in.txt"], outputs=["both.txt"], run=f"env | sort > {{outputs}}; {sys.executable} -c pass")
    assert files.build().exit_status == 0
    assert "AUDIT" not in files.read("plain.txt") + files.read("both.txt")


def test_programs_that_close_what_they_did_not_open(files: Project) -> None:
    """A program that closes all descriptors, as daemons do, and then opens files of its own: nothing is written into these, and all is told."""
    text = """
import os, sys
open("data/b.csv").close()
os.closerange(3, 1024)
held = [open(os.devnull) for _ in range(60)]
out = open(sys.argv[2], "w")
for _ in range(60):
    held.append(os.open(sys.argv[2], os.O_WRONLY))
open("data/c.csv").close()
out.write("mine")
"""
    script(files, text)
    assert "reads `data/b.csv` and `data/c.csv`, which" in files.build().output
    assert files.read("make.txt") == "mine"


@pytest.mark.parametrize("how", ["fork", "spawn"])
def test_processes_of_multiprocessing(files: Project, how: str) -> None:
    """What it does in other processes is its own as well."""
    text = f"""
import multiprocessing, sys
def read(path):
    return open(path).read()
if __name__ == "__main__":
    with multiprocessing.get_context("{how}").Pool(1) as pool:
        text = pool.map(read, ["data/b.csv"])
    open(sys.argv[2], "w").write(text[0])
"""
    script(files, text)
    assert "reads `data/b.csv`, which" in files.build().output


# --- track


def test_tracked_reads_are_inputs(files: Project) -> None:
    """Case 1: what a stage was seen to read is an input: an edit runs it again, and `why` names the file."""
    script(files, SCRIPT.replace("seen.log", "/dev/null"), audit="track")
    outcome = files.build()
    assert (outcome.exit_status, outcome.ran, outcome.output) == (0, ["make"], "")
    files.settled()
    for path in ("data/b.csv", "data/c.csv"):
        files.write(path, "edited\n")
        assert files.why("make") == {"make": [f"file it read, `{path}` changed"]}
        assert files.build().ran == ["make"]
        files.settled()


def test_tracked_reads_and_the_cache(files: Project) -> None:
    """Earlier results are told apart by what was read for them."""
    files.caching = True
    script(files, SCRIPT.replace("seen.log", "/dev/null"), audit="track")
    assert files.build().ran == ["make"]
    files.write("data/b.csv", "edited\n")
    assert files.build().ran == ["make"]
    files.write("data/b.csv", "data/b.csv\n")
    outcome = files.build()
    assert (outcome.ran, outcome.restored) == ([], ["make"])
    assert files.read("make.txt") == "in.txt\ndata/b.csv\n"
    assert files.build().output == ""


def test_tracked_reads_of_what_is_not_there(files: Project) -> None:
    """A file that it looked for in vain is an input that is absent."""
    text = "import os, sys\ntry:\n    text = open('local.txt').read()\nexcept OSError:\n    text = 'none'\nopen(sys.argv[2], 'w').write(text)\n"
    script(files, text, audit="track")
    assert files.build().output == ""
    files.settled()
    files.write("local.txt", "local\n")
    assert files.build().ran == ["make"]
    assert files.read("make.txt") == "local\n"
    files.settled()


def test_tracked_functions_of_one_module(files: Project) -> None:
    """Each function has read what its module reads when it is imported, in whatever mode: they do not share what one of them has read."""
    for mode in ("auto", "function"):
        for name in ("one", "two"):
            function(files, STEPS, name, audit="track", mode=mode)
        assert sorted(files.build(force=True).ran) == ["one", "two"]
        files.settled()
        files.write("conf.txt", f"{mode}\n")
        assert sorted(files.build().ran) == ["one", "two"]
        files.settled()


def test_tracked_setups(files: Project) -> None:
    """What `setup` reads is an input of every stage that has it."""
    text = "def load():\n    return open('conf.txt').read()\n\ndef make(src, dst, setup):\n    open(dst, 'w').write(setup)\n"
    for name in ("one", "two"):
        function(files, text, name, audit="track", setup="steps:load", mode="process")
    assert sorted(files.build(jobs=1).ran) == ["one", "two"]
    files.write("conf.txt", "edited\n")
    assert sorted(files.build(jobs=1).ran) == ["one", "two"]
    files.settled()


def test_tracked_reads_of_another_stages_output(files: Project) -> None:
    """Case 24: of a stage that need not have come before: the stage fails with the line to add; with it all is well."""
    files.stage("gen", inputs=["in.txt"], outputs=["data/gen.csv"], run="cp {inputs} {outputs}")
    files.write("data/gen.csv", "")
    text = "import sys\nopen(sys.argv[2], 'w').write(open('data/gen.csv').read())\n"
    script(files, text, audit="track")
    outcome = files.build("make.txt")
    assert (outcome.exit_status, outcome.failed) == (1, ["make"])
    assert outcome.output == (
        "read `data/gen.csv`, which stage `gen` makes, without declaring it\nhint: add it to the inputs of `make`: \"data/gen.csv\"\n"
    )
    files.stage("make", inputs=["in.txt", "data/gen.csv"], outputs=["make.txt"], run=f"{sys.executable} make.py in.txt {{outputs}}", audit="track")
    assert files.build().exit_status == 0
    files.settled()


def test_tracked_writes_are_told(files: Project) -> None:
    """`track` makes inputs, not outputs."""
    script(files, audit="track")
    outcome = files.build()
    assert outcome.output == (
        "warning: stage `make` writes `seen.log`, which it does not declare\n"
        f"  Pipefile.toml:{line(files, 'outputs')}  `make`\n"
        'hint: add `outputs = [..., "seen.log"]`\n'
    )
    assert files.build().ran == []


# --- strict


def test_strict(files: Project) -> None:
    """Case 94: a strict stage fails, and what it made is not put in place: the last good outputs stay."""
    script(files, "import sys\nopen(sys.argv[2], 'w').write('good')\n", audit="strict")
    assert files.build().output == ""
    script(files, audit="strict")
    outcome = files.build()
    assert (outcome.exit_status, outcome.failed) == (1, ["make"])
    assert outcome.output == (
        "read `data/b.csv` and `data/c.csv`, and wrote `seen.log`, which it does not declare\n"
        'hint: add `inputs = [..., "data/b.csv", "data/c.csv"]` and `outputs = [..., "seen.log"]`\n'
    )
    assert files.read("make.txt") == "good"
    assert files.build().failed == ["make"]


def test_a_strict_function(files: Project) -> None:
    """A function too, in a worker of its own; with its reads declared it is fine."""
    function(files, audit="strict")
    outcome = files.build()
    assert (outcome.exit_status, outcome.failed) == (1, ["make"])
    assert outcome.output == (
        "read `conf.txt`, `data/b.csv` and `data/c.csv`, which it does not declare\n"
        'hint: add `inputs = { ..., conf = "conf.txt", b = "data/b.csv", c = "data/c.csv" }`\n'
    )
    text = STEPS.replace("def make(src, dst)", "def make(src, dst, more)")
    files.write("steps.py", text)
    inputs = {"src": "in.txt", "more": ["conf.txt", "data/b.csv", "data/c.csv"]}
    files.stage("make", inputs=inputs, outputs={"dst": "make.txt"}, call="steps:make", audit="strict")
    assert (files.build().ran, files.build().ran) == (["make"], [])
    files.settled()


def test_strict_is_not_tried_again(files: Project) -> None:
    """Another attempt would read the same: a policy of retries is for what the stage does, and its fallback for when that fails."""
    files.stage("other", run="cp in.txt {outputs}")
    script(files, audit="strict", retry_policy={"max_attempts": 3, "delay": "1ms"}, fallback="other")
    outcome = files.build()
    assert (outcome.exit_status, outcome.failed, outcome.degraded) == (1, ["make"], [])
