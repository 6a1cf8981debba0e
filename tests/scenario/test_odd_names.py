"""Case 75: names of files with everything in them that a file system takes."""

from __future__ import annotations

import os
import unicodedata

import pytest
from kit import Project, contents

from pipefile.base.disk import OsDisk

NAMES = {
    "space": "a b  c.txt",
    "blanks at the ends": " a ",
    "quote": "it's.txt",
    "double quote": 'say "x".txt',
    "dollar": "$HOME.txt",
    "command": "$(touch hacked).txt",
    "backquotes": "`touch hacked`.txt",
    "semicolon": "a;touch hacked;.txt",
    "redirection": "a>hacked&|.txt",
    "newline": "a\nb.txt",
    "tab": "a\tb.txt",
    "escape": "a\x1b[31mb.txt",
    "dash": "-rf",
    "double dash": "--",
    "tilde": "~",
    "tilde and name": "~root.txt",
    "star": "*.txt",
    "question": "?",
    "brackets": "[ab].txt",
    "exclamation": "!a.txt",
    "hash": "#a.txt",
    "colon": "C:a.txt",
    "equals": "A=b.txt",
    "percent": "100%s%n.txt",
    "backslash": "a\\nb.txt",
    "dots": "...",
    "hidden": ".a.txt",
    "emoji": "\U0001f468‍\U0001f469‍\U0001f467.txt",
    "composed": unicodedata.normalize("NFC", "é.txt"),
    "decomposed": unicodedata.normalize("NFD", "é.txt"),
    "right to left": "a\u202etxt.exe",
    "255 bytes": "é" * 125 + "12345",
    "braces": "a{b,c}.txt",
}


def built(project: Project) -> None:
    """All is built, equals a clean build, and is fresh for every command; no name was taken for a command."""
    outcome = project.build()
    assert (outcome.exit_status, outcome.output, sorted(outcome.ran)) == (0, "", sorted(project.stages()))
    assert not project.exists("hacked")
    assert not project.exists("out/hacked")
    project.settled()
    assert set(project.status().values()) == {"fresh"}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_inputs_and_outputs(project: Project, name: str) -> None:
    """Case 75: by a shell, as a list and by name, without one, by a list of words; in the root and in a folder."""
    escaped = name.replace("{", "{{").replace("}", "}}")
    project.write(name, name)
    project.stage("shell", inputs=f"./{escaped}" if name[0] in "!#" else escaped, outputs=f"out/{escaped}", run="cat {inputs} > {outputs}")
    project.stage("named", inputs={"src": "shell.outputs"}, outputs={"dst": f"named/{escaped}"}, run="cat {src[0]} > {dst}; cat {src} >> {dst}")
    project.stage("plain", inputs=["shell.outputs"], outputs=f"plain/{escaped}", run="cp {inputs} {outputs}")
    project.stage("words", inputs=["plain.outputs"], outputs=f"words/{escaped}", run=["cp", "{inputs}", "{outputs}"])
    built(project)
    assert contents(project.path(f"words/{name}")) == (os.fsencode(name), False)
    assert contents(project.path(f"named/{name}")) == (os.fsencode(name) * 2, False)


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_found_by_a_glob(project: Project, name: str) -> None:
    """Case 75: a list of such names is a word each; a change of one is seen, and so is its end."""
    project.write(f"src/{name}", "1\n")
    project.write("src/zz", "2\n")
    project.stage("all", inputs="src/*", outputs="all.txt", run="cat {inputs} > {outputs}")
    script = 'for each; do printf "%s\\0" "$each"; done > "$0"'
    project.stage("list", inputs="src/*", outputs="list.txt", run=["sh", "-c", script, "{outputs}", "{inputs}"])
    built(project)
    paths = sorted(os.fsencode(f"src/{each}") for each in (name, "zz"))
    assert project.read_bytes("list.txt").split(b"\0")[:-1] == paths
    project.write(f"src/{name}", "3\n")
    assert sorted(project.build().ran) == ["all", "list"]
    project.remove(f"src/{name}")
    assert sorted(project.build().ran) == ["all", "list"]
    assert project.read("all.txt") == "2\n"


def test_bytes_that_are_no_utf_8(project: Project) -> None:
    """Case 75: they can stand in no Pipefile, but a glob finds them, commands get them, and what is printed shows them escaped."""
    path = os.fsdecode(b"src/\xff\xfe\n.txt")
    project.write(path, "1\n")
    project.write("src/a.txt", "2\n")
    project.stage("all", inputs="src/*.txt", outputs="all.txt", run="cat {inputs} > {outputs}")
    built(project)
    assert project.read("all.txt") == "2\n1\n"
    project.write(path, "3\n")
    outcome = project.cli("why", "all.txt")
    assert (outcome.exit_status, outcome.err) == (0, "")
    assert "`src/\\xff\\xfe\\n.txt` changed" in outcome.out
    assert project.cli("query", "inputs", "all").out.splitlines()[-1].startswith("src/")
    assert project.cli().exit_status == 0
    assert project.read("all.txt") == "2\n3\n"


def test_composed_and_decomposed_are_two_files(project: Project) -> None:
    """Case 75: no normalisation: one is never taken for the other; who asks for the one that is not there is shown the other."""
    one, two = NAMES["composed"], NAMES["decomposed"]
    project.write(one, "1\n")
    project.write(two, "2\n")
    project.stage("both", inputs=[one, two], outputs="both.txt", run="cat {inputs} > {outputs}")
    built(project)
    assert project.read("both.txt") == "1\n2\n"
    project.remove(two)
    outcome = project.build()
    assert (outcome.exit_status, outcome.ran) == (2, [])
    assert outcome.output.endswith(f"hint: `{one}` exists, which looks the same: its Unicode characters are composed otherwise\n")


def test_a_directory_with_such_names(project: Project) -> None:
    """Case 75: as input and as output."""
    for number, name in enumerate(NAMES.values()):
        project.write(f"src/{number}/{name}", name)
    project.write(os.fsdecode(b"src/\xff/\xfe"), "bytes")
    project.stage("copy", inputs="src/", outputs="copy/", run="cp -r {inputs}/. {outputs}")
    built(project)
    assert contents(project.path("copy")) == contents(project.path("src"))


def test_functions_get_them_as_they_are(project: Project) -> None:
    """Case 75: paths reach Python code as os.fsdecode gives them."""
    body = "Path(outputs[0]).write_bytes(b''.join(Path(each).read_bytes() for each in inputs))"
    project.write("steps.py", f"from pathlib import Path\ndef copy(inputs, outputs):\n    {body}\n")
    for name in (*NAMES.values(), os.fsdecode(b"\xff")):
        project.write(f"src/{name}", f"{name}\n")
    project.stage("copy", inputs="src/*", outputs="out/~ $x", call="steps:copy")
    built(project)


def test_names_of_stages_and_variables(project: Project) -> None:
    """Case 75: a stage may be called anything; its log, its record and its lines stand where they should."""
    for number, name in enumerate(("a b", "../x", "$(touch hacked)", "é", "-n", "a/b", "a%2fb", ".", "..")):
        project.stage(name, outputs=f"{number}.txt", run="echo said; echo > {outputs}")
    project.stage("no output/at all", inputs="0.txt", run="cat {inputs}")
    before = sorted(os.listdir(os.path.dirname(project.root)))
    assert project.build().exit_status == 0
    assert project.build().ran == []
    assert sorted(os.listdir(os.path.dirname(project.root))) == before
    assert not project.exists("hacked")
    logs = [path for path in project.tree() if path.endswith("/log.txt")]
    assert len(logs) == 9
    assert all(path.startswith("pipeline_outputs/runs/") and path.count("/") == 4 for path in logs)


class CaselessDisk(OsDisk):
    """The real disk, on which `A` and `a` are one, as far as a look at names can tell."""

    def lstat(self, path: str) -> os.stat_result | None:
        seen = super().lstat(path)
        if seen is not None:
            return seen
        folder, _, name = self.at(path).rpartition("/")
        names = os.listdir(folder) if os.path.isdir(folder) else []
        return next((os.lstat(f"{folder}/{each}") for each in names if each.casefold() == name.casefold()), None)


@pytest.mark.parametrize("folder", ["", "out/"])
def test_outputs_that_are_one_file_on_the_disk(project: Project, folder: str) -> None:
    """Case 79: on a disk that does not tell `A` from `a` neither is made, in a first build and in one that goes on from the index; others are, and
    where the disk tells them apart both are."""
    for name in ("A", "a", "b"):
        project.stage(f"stage-{name.swapcase()}{name}", inputs="x", outputs={"out": f"{folder}{name}"}, run="cp {inputs} {out}")
    project.stage("literal", outputs=f"{folder}B", run=f"touch {folder}B")
    project.write("x", "1\n")
    project.disk = CaselessDisk(project.root)
    for text in ("1\n", "2\n"):
        project.write("x", text)
        outcome = project.build("stage-aA", "stage-Aa", jobs=1, keep_going=True)
        assert (outcome.ran, outcome.exit_status) == ([], 1)
        assert f"`{folder}A` and `{folder}a` are one file on this disk, which does not tell capital letters from small ones" in outcome.output
        assert f"`{folder}a` and `{folder}A` are one file on this disk, which does not tell capital letters from small ones" in outcome.output
    outcome = project.build(jobs=1, keep_going=True)
    assert sorted(outcome.failed) == ["literal", "stage-Aa", "stage-Bb", "stage-aA"]
    project.disk = None
    assert project.build().exit_status == 0
    assert project.exists(f"{folder}A")
    assert project.exists(f"{folder}a")
