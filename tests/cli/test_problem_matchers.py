"""Every error of pipefile and of what it runs can be clicked at in VS Code: its list of problems, from real output, by the task file that pipefile
writes."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator

from kit import Project
from kit.problems import Problem, needs_node, problems, rounds, task

pytestmark = needs_node
CASES = os.path.join(os.path.dirname(__file__), "bad_pipefiles.txt")

SOURCE = "int main(void) {\n  int unused;\n  return undeclared;\n}\n"
WARNS = "int f(void) {\n  int unused;\n  return 0;\n}\n"
STEPS = 'def make(outputs):\n    x = {}\n    return inner(x)\n\n\ndef inner(x):\n    return x["none"]\n'
TOOL = "import sys\n\ndef go():\n    sys.exit(7) if len(sys.argv) > 2 else fail()\n\ndef fail():\n    raise AssertionError\n\ngo()\n"


def run(project: Project, label: str = "pipefile: build", *more: str, cwd: str = ".") -> str:
    """What a task prints, as a terminal gets it: both streams in one."""
    found = task(project, label)
    argv = project._argv((*found["args"], *more))
    env = {**project.environ, **found["options"]["env"]}
    done = subprocess.run(argv, cwd=project.path(cwd), env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return done.stdout


def test_a_compiler(project: Project) -> None:
    """Errors, warnings and notes of gcc, with its codes; and the stage that has failed."""
    project.write("src/a.c", SOURCE)
    project.write("src/w.c", WARNS)
    project.stage("cc", inputs=["src/a.c"], outputs=["a.o"], run="gcc -Wall -c {inputs} -o {outputs}")
    project.stage("warns", inputs=["src/w.c"], outputs=["w.o"], run="gcc -Wall -Wextra -c {inputs} -o {outputs}")
    found = problems(project, run(project, "pipefile: build", "-k"))
    assert {(*each.place, each.code) for each in found} == {
        ("Pipefile.toml", 1, 1, "error", None),
        ("src/a.c", 3, 10, "error", None),
        ("src/a.c", 3, 10, "info", None),
        ("src/a.c", 2, 7, "warning", "-Wunused-variable"),
        ("src/w.c", 2, 7, "warning", "-Wunused-variable"),
    }
    assert [each.message for each in found if each.file == "Pipefile.toml"] == ["stage `cc` failed: exit status 1"]
    assert all("unused" in each.message and "[" not in each.message for each in found if each.severity == "warning")


def test_a_fatal_error(project: Project) -> None:
    """A header that is not there ends a compiler with other words."""
    project.write("a.c", '#include "none.h"\n')
    project.stage("cc", inputs=["a.c"], outputs=["a.o"], run="gcc -c {inputs} -o {outputs}")
    found = problems(project, run(project))
    assert [each.place for each in found] == [("Pipefile.toml", 1, 1, "error"), ("a.c", 1, 10, "error")]
    assert found[1].message == "none.h: No such file or directory"


def test_python(project: Project) -> None:
    """Of a traceback the place where it happened, with what happened; of functions and of scripts."""
    project.write("steps.py", STEPS)
    project.write("tool.py", TOOL)
    project.write("broken.py", "def f(:\n    pass\n")
    project.stage("function", outputs=["p"], call="steps:make")
    project.stage("script", outputs=["q"], run="python3 tool.py {outputs}")
    project.stage("syntax", outputs=["r"], run="python3 broken.py {outputs}")
    project.stage("status", outputs=["s"], run="python3 tool.py {outputs} 7")
    found = problems(project, run(project, "pipefile: build", "-k", "-j1"))
    lines = {name: int(re.search(rf"^.*\[stage\.{name}\]", project.read("Pipefile.toml"), re.MULTILINE | re.DOTALL)[0].count("\n")) + 1
             for name in ("function", "script", "syntax", "status")}  # type: ignore[index]  # fmt: skip
    assert sorted(found, key=lambda each: (each.file, each.line)) == [
        Problem("Pipefile.toml", lines["function"], 1, "error", "stage `function` failed: KeyError: 'none'"),
        Problem("Pipefile.toml", lines["script"], 1, "error", "stage `script` failed: exit status 1"),
        Problem("Pipefile.toml", lines["syntax"], 1, "error", "stage `syntax` failed: exit status 1"),
        Problem("Pipefile.toml", lines["status"], 1, "error", "stage `status` failed: exit status 7"),
        Problem("broken.py", 1, None, "error", "SyntaxError: invalid syntax"),
        Problem("steps.py", 7, None, "error", "KeyError: 'none'"),
        Problem("tool.py", 7, None, "error", "AssertionError"),
    ]


def cases() -> Iterator[tuple[str, str]]:
    with open(CASES, encoding="utf-8") as file:
        for case in file.read().split("\n=== ")[1:]:
            name, _, rest = case.partition("\n")
            yield name, rest.split("---\n")[1]


def test_every_message_about_a_pipefile(project: Project) -> None:
    """Of each, all places that it names, in order, with its own words; what it shows of the file is no place."""
    project.pipefile("")
    named = [*cases()]
    assert len(named) > 80
    found = rounds(project, task(project, "pipefile: build"), [message for _, message in named])
    for (name, message), (one,) in zip(named, found, strict=True):
        lines = [line for line in message.split("\n") if not re.match(r"\s*\d* \|", line) and not line.startswith("hint: ")]
        places = [(int(line), int(column) if column else None) for line, column in re.findall(r"Pipefile\.toml:(\d+)(?::(\d+))?", "\n".join(lines))]
        assert [(each.file, each.line, each.column, each.severity) for each in one.problems] == [
            ("Pipefile.toml", line, column, "error") for line, column in places
        ], name
        told = re.sub(r"^error: (Pipefile\.toml:\d+:\d+: )?", "", lines[0])
        assert {each.message for each in one.problems} == ({told} if places else set()), name
        assert places or "Pipefile.toml" not in message, name


def test_the_program_itself(project: Project) -> None:
    """One fault of each form, as the real program prints it now; a file that cannot be read is marked as a whole."""
    project.pipefile("[stage.a]\noutput = ['x']\nrun = 'x'\n")
    assert problems(project, run_raw(project)) == [Problem("Pipefile.toml", 2, 1, "error", "unknown key `output` in stage `a`")]
    project.pipefile("[stage.a]\noutputs = ['x']\nrun = 'x > {outputs}'\n[stage.b]\noutputs = ['x']\nrun = 'x > {outputs}'\n")
    assert problems(project, run_raw(project)) == [
        Problem("Pipefile.toml", line, None, "error", "`x` is made by two stages") for line in (2, 5)
    ]
    project.pipefile("[stage.a]\ninputs = ['raw.csv']\noutputs = ['x']\nrun = 'cp {inputs} {outputs}'\n")
    assert problems(project, run_raw(project)) == [Problem("Pipefile.toml", 2, None, "error", "`raw.csv` does not exist and no stage makes it")]
    project.pipefile("[stage.a]\ninputs = ['raw.csv']\nrun = 'test -s {inputs}'\n")
    assert [each.place for each in problems(project, run_raw(project, "a"))] == [("Pipefile.toml", 2, None, "error")]
    project.pipefile("[pipefile]\ndotenv = ['.env']\n")
    project.write(".env", "A=1\nnot a line\n")
    assert [each.place for each in problems(project, run_raw(project))] == [(".env", 2, 1, "error")]
    project.remove(".env")
    project.write(".env/x", "")
    assert [(each.file, each.line) for each in problems(project, run_raw(project))] == [(".env", 0)]


def run_raw(project: Project, *targets: str) -> str:
    """As `run`, where no task can be had of a Pipefile that is wrong: it is the same for all."""
    outcome = project.cli("build", "--color=never", *targets, env={"TERM": "dumb"})
    return outcome.out + outcome.err


def test_decorated_stages(project: Project) -> None:
    """Faults of Python files are at their places there."""
    project.settings(python=["pipeline.py"])
    project.write("pipeline.py", "from pipefile import stage\n\n@stage(outputs=['a'], timeout='soon')\ndef a(outputs):\n    pass\n")
    outcome = project.cli("build", "--color=never")
    found = problems(project, outcome.out + outcome.err)
    assert [(each.file, each.line, each.severity) for each in found] == [("pipeline.py", 3, "error")]
    project.write("pipeline.py", "import none_such\n")
    outcome = project.cli("build", "--color=never")
    assert ("pipeline.py", 1) in [(each.file, each.line) for each in problems(project, outcome.out + outcome.err)]


def test_what_is_no_problem(project: Project) -> None:
    """A build with much to say, and none of it wrong."""
    project.write("x", "12:30:45 info\nsee http://localhost:80: it works\n")
    project.stage("a", inputs="x", outputs="a", run="cat {inputs} | tee {outputs}; echo '[1/3] thing'; echo 'warning: odd'", description="x")
    project.stage("b", inputs="a", outputs="b", run="cp {inputs} {outputs}")
    assert problems(project, run(project, "pipefile: build", "-v", "--why")) == []
    assert problems(project, run(project)) == []


def test_from_another_folder(project: Project) -> None:
    """Where paths do not start where the user stands, that is said first, in make's words: once, and only if there is a path to come."""
    project.write("src/w.c", WARNS)
    project.stage("warns", inputs=["src/w.c"], outputs=["w.o"], run="gcc -Wall -c {inputs} -o {outputs}")
    project.stage("quiet", inputs=["src/w.c"], outputs=["q"], run="cp {inputs} {outputs}")
    project.stage("fails", outputs=["f"], run="exit 3")
    entering = f"pipefile: Entering directory '{project.root}'"
    assert "Entering" not in project.cli("quiet", cwd="src").out
    done = project.cli("-k", "warns", "fails", cwd="src")
    assert [line for line in done.out.splitlines() if "Entering" in line] == [entering]
    assert done.out.index(entering) < done.out.index("src/w.c:2:7")
    assert done.err.splitlines()[0] == entering
    assert done.err.count("Entering") == 1
    assert "Entering" not in (again := project.cli("-k", "-B", "warns", "fails")).out + again.err
    assert project.cli("-C", "..", "fails", cwd="src").err.splitlines()[0] == entering


def test_watching(project: Project) -> None:
    """Rounds of a watch: one that fails, an edit that mends it, a Pipefile that breaks, and one that is right again with nothing to do. VS Code
    learns of the begin and the end of each."""
    project.write("a.c", SOURCE)
    project.stage("cc", inputs=["a.c"], outputs=["a.o"], run="gcc -Wall -c {inputs} -o {outputs}")
    watching = task(project, "pipefile: watch")
    assert watching["isBackground"]
    argv = " ".join(project._argv(tuple(watching["args"])))
    whole = project.read("Pipefile.toml")
    started = project.program("sh", "-c", f"exec {argv} 2>&1", env=watching["options"]["env"])

    def ended(count: int) -> None:
        started.until(lambda: started.out.count("pipefile: build finished") >= count)

    ended(1)
    project.write("a.c", SOURCE.replace("undeclared", "0").replace("  int unused;\n", ""))
    ended(2)
    project.pipefile(whole.replace("outputs", "output"))
    ended(3)
    project.pipefile(whole)
    ended(4)
    started.signal()
    started.wait()
    (found,) = rounds(project, watching, [started.out])
    assert all(each.ended for each in found)
    shown = [[(each.file, each.line, each.severity) for each in one.problems] for one in found[:4]]
    failed = [("Pipefile.toml", 1, "error"), ("a.c", 2, "warning"), ("a.c", 3, "error"), ("a.c", 3, "info")]
    assert sorted(shown[0]) == failed
    assert shown[1:] == [[], [("Pipefile.toml", 3, "error")], []]
