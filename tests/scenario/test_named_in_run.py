"""Files that a command names literally."""

from __future__ import annotations

import os

import pytest
from kit import Project


def test_edited(project: Project) -> None:
    """Case 1: a script and a file that a command names are inputs, in every command of a pipeline."""
    project.stage("go", outputs="out", run="sh steps.sh < data.txt | sed -f edit.sed > {outputs}")
    project.write("steps.sh", "cat\n")
    project.write("data.txt", "1\n")
    project.write("edit.sed", "s/1/one/\n")
    assert project.build().ran == ["go"]
    project.settled()
    for path, data in (("steps.sh", "cat; echo\n"), ("data.txt", "11\n"), ("edit.sed", "s/1/two/\n")):
        project.write(path, data)
        assert project.why("go") == {"go": [f"file it read, `{path}` changed"]}
        assert project.build().ran == ["go"]
        project.settled()


def test_made_by_another_stage(project: Project) -> None:
    """Case 24: the stage that makes it comes first."""
    project.stage("go", outputs="out", run="cat made.txt > {outputs}")
    project.stage("make", inputs="in.txt", outputs="made.txt", run="cat {inputs} > {outputs}")
    project.write("in.txt", "1\n")
    assert project.build("go").ran == ["make", "go"]
    project.settled()
    project.write("in.txt", "2\n")
    assert project.build("go").ran == ["make", "go"]
    project.settled()


@pytest.mark.parametrize(("word", "path"), [("conf/local", "conf/local"), ("./local", "local"), ("conf/../local", "local")])
def test_absent_and_then_there(project: Project, word: str, path: str) -> None:
    """Case 24: a word with a slash that names nothing is an input that is absent; when it appears, the stage runs; so when it goes."""
    project.stage("go", outputs="out", run=f"test -f {word} && cat {word} > {{outputs}} || echo none > {{outputs}}")
    assert project.build().ran == ["go"]
    project.settled()
    os.makedirs(project.path("conf"), exist_ok=True)
    project.write(path, "mine\n")
    assert project.why("go") == {"go": [f"file it read, `{path}` is there now"]}
    assert project.build().ran == ["go"]
    assert project.read("out") == "mine\n"
    project.settled()
    project.remove(path)
    assert project.why("go") == {"go": [f"file it read, `{path}` is gone"]}
    assert project.build().ran == ["go"]
    project.settled()


def test_folders_and_plain_words(project: Project) -> None:
    """Case 23: folders and words without a slash that name nothing are no inputs."""
    project.stage("go", outputs="out", run="ls data word 2>&1 | wc -c > {outputs}; true")
    project.write("data/a", "")
    project.build()
    project.write("data/bbb", "")
    assert project.build().ran == []


def test_written_by_the_stage_itself(project: Project) -> None:
    """Case 24: such a file is dropped from the inputs with a warning, once; later edits of it run nothing."""
    project.stage("go", inputs="in.txt", outputs="out", run="cat in.txt > side.txt; cat side.txt > {outputs}; wc -c side.txt")
    project.write("in.txt", "1\n")
    outcome = project.build()
    assert (outcome.exit_status, outcome.ran) == (0, ["go"])
    warning = "warning: stage `go` writes `side.txt`, which its command names: it is taken as no input; declare it as an output\n"
    assert outcome.output in (warning + "2 side.txt\n", "2 side.txt\n" + warning)
    project.settled()
    project.write("side.txt", "edited\n")
    project.settled()
    project.write("in.txt", "22\n")
    assert project.build().output == "3 side.txt\n"
    project.settled()


@pytest.mark.parametrize("script", [False, True])
def test_no_more_written_by_the_stage_itself(project: Project, script: bool) -> None:
    """Case 24: what one command or script wrote is an input of the next one, which reads it."""
    writes, reads = "echo 1 | tee state > out", "cat state > out"

    def command(text: str) -> None:
        project.write("go.sh", text)
        project.stage("go", inputs="in.txt", outputs="out", run="sh go.sh state" if script else text)

    project.write("in.txt", "1\n")
    project.write("state", "0\n")
    command(writes)
    assert project.build().ran == ["go"]
    project.settled()
    command(reads)
    assert project.build().ran == ["go"]
    project.settled()
    project.write("state", "new\n")
    assert project.build().ran == ["go"]
    assert project.read("out") == "new\n"
    project.settled()


def test_without_inference(project: Project) -> None:
    """Case 23: `infer_inputs = false` takes no word for a file."""
    project.stage("go", outputs="out", run="cat data.txt > {outputs}", infer_inputs=False)
    project.write("data.txt", "1\n")
    project.build()
    project.write("data.txt", "2\n")
    assert project.build().ran == []


def test_python_script_and_its_modules(project: Project) -> None:
    """Case 1: a script brings the project's modules that it imports, however deep; one that appears counts as well."""
    project.stage("go", outputs="out.txt", run="python tools/go.py > {outputs}")
    project.write("tools/go.py", "import helper\nprint(helper.value())\n")
    project.write("tools/helper.py", "from deep.er import VALUE\n\ndef value():\n    return VALUE\n")
    project.write("tools/deep/er.py", "VALUE = 1\n")
    assert project.build().ran == ["go"]
    project.settled()
    project.write("tools/deep/er.py", "VALUE = 2\n")
    assert project.build().ran == ["go"]
    assert project.read("out.txt") == "2\n"
    project.settled()
    project.write("tools/deep/__init__.py", "print('package')\n")
    assert project.build().ran == ["go"]
    project.settled()
    project.write("tools/helper.py", "def value():\n    return 3\n")
    assert project.build().ran == ["go"]
    project.write("tools/deep/er.py", "VALUE = 4\n")
    assert project.build().ran == []


HELPERS = {
    "steps/__init__.py": "",
    "steps/one.py": "from steps import two\n\ndef make(out):\n    with open(out, 'w') as file:\n        file.write(two.text())\n",
    "steps/two.py": "from . import three\n\ndef text():\n    return three.TEXT\n",
    "steps/three.py": "TEXT = 'A'\n",
    "steps/other.py": "",
}


@pytest.mark.parametrize(
    ("path", "old", "new", "said"),
    [
        ("steps/one.py", "file.write(", "file.write('' + ", "code `make` (steps/one.py) changed"),
        ("steps/two.py", "return three", "return '' + three", "code `text` (steps/two.py) changed"),
        ("steps/three.py", "'A'", "'B'", "code `TEXT` (steps/three.py) changed"),
        ("steps/__init__.py", "", "print()\n", "top-level code of `steps/__init__.py` is new"),
    ],
)
def test_code_of_a_function(project: Project, path: str, old: str, new: str, said: str) -> None:
    """Case 1: a function depends on itself, on helpers two modules away, and on their packages; not on what it does not import."""
    project.stage("make", outputs={"out": "out.txt"}, call="steps.one:make")
    for name, text in HELPERS.items():
        project.write(name, text)
    assert project.build().ran == ["make"]
    project.settled()
    project.write("steps/other.py", "X = 1\n")
    project.settled()
    project.write(path, HELPERS[path].replace(old, new, 1))
    assert project.why("make") == {"make": [said]}
    assert project.build().ran == ["make"]
    assert project.read("out.txt") == ("B" if path == "steps/three.py" else "A")
    project.settled()
