"""Inputs that a depfile tells of."""

from __future__ import annotations

import pytest
from kit import Project


def compile_stage(project: Project, headers: str = "a.h b.h", **keys: object) -> None:
    """A stage that reads what is named in *headers* and says so in its depfile."""
    run = f"cat {{inputs}} {headers} > {{outputs}}; echo 'a.o: a.c {headers}' > {{depfile}}"
    project.stage("cc", inputs="a.c", outputs="a.o", run=run, depfile="a.d", infer_inputs=False, **keys)


@pytest.fixture
def compiled(project: Project) -> Project:
    compile_stage(project)
    for path in ("a.c", "a.h", "b.h"):
        project.write(path, f"{path}\n")
    assert project.build().ran == ["cc"]
    project.settled()
    return project


def test_header_edited(compiled: Project) -> None:
    """Case 1: a header is an input."""
    compiled.write("a.h", "A.H\n")
    assert compiled.why("cc") == {"cc": ["file it read, `a.h` changed"]}
    assert compiled.build().ran == ["cc"]
    compiled.settled()


def test_header_from_the_future(project: Project) -> None:
    """Cases 1 and 9: an mtime that was set ahead does not make a header look like the stage's own work: it is an input, and nothing runs twice."""
    run = "echo >> ran; cat {inputs} a.h > {outputs}; echo 'a.o: a.c a.h' > {depfile}"
    project.stage("cc", inputs="a.c", outputs="a.o", run=run, depfile="a.d", infer_inputs=False)
    for path in ("a.c", "a.h"):
        project.write(path, f"{path}\n")
    project.touch("a.h", 4_000_000_000_000_000_000)
    assert project.build().ran == ["cc"]
    assert project.read("ran") == "\n"
    project.write("a.h", "A.H\n")
    assert project.build().ran == ["cc"]
    assert project.read("a.o") == "a.c\nA.H\n"
    project.settled()


def test_header_removed(compiled: Project) -> None:
    """Case 1: a header that is gone makes the stage stale, and is no error where the stage can do without."""
    compiled.remove("b.h")
    assert compiled.why("cc") == {"cc": ["file it read, `b.h` is gone"]}
    assert compiled.build().failed == ["cc"]
    compile_stage(compiled, "a.h")
    assert compiled.build().ran == ["cc"]
    compiled.settled()


def test_without_the_index(compiled: Project) -> None:
    """Case 1: the record alone knows the headers."""
    compiled.remove("pipeline_outputs")
    compiled.settled()
    compiled.remove("pipeline_outputs")
    compiled.write("b.h", "B.H\n")
    assert compiled.build().ran == ["cc"]


def test_header_that_a_stage_makes(compiled: Project) -> None:
    """Case 24: a known header is made by a stage now: it is a dependency before anything is decided."""
    compiled.stage("gen", inputs="h.in", outputs="b.h", run="cat {inputs} > {outputs}")
    for data in ("generated\n", "again\n"):
        compiled.write("h.in", data)
        assert compiled.build("a.o").ran == ["gen", "cc"]
        assert compiled.read("a.o") == f"a.c\na.h\n{data}"
        assert compiled.build().ran == []


def test_header_of_an_ancestor(project: Project) -> None:
    """Case 24: seen for the first time, but made by a stage that comes before, if only by `after`: it is an input at once."""
    project.stage("gen", inputs="h.in", outputs="b.h", run="cat {inputs} > {outputs}")
    compile_stage(project, after=["gen"])
    for path in ("a.c", "a.h", "h.in"):
        project.write(path, f"{path}\n")
    assert project.build(jobs=1).ran == ["gen", "cc"]
    project.settled()
    project.write("h.in", "again\n")
    assert project.build().ran == ["gen", "cc"]
    project.settled()


def test_header_of_a_stage_that_need_not_come_before(project: Project) -> None:
    """Case 24: it was there by chance: the stage fails with the line to add, and with that line all is well."""
    compile_stage(project)
    project.stage("gen", inputs="h.in", outputs="b.h", run="cat {inputs} > {outputs}")
    for path in ("a.c", "a.h", "b.h", "h.in"):
        project.write(path, f"{path}\n")
    outcome = project.build("cc")
    assert (outcome.exit_status, outcome.failed) == (1, ["cc"])
    assert outcome.output == 'read `b.h`, which stage `gen` makes, without declaring it\nhint: add it to the inputs of `cc`: "b.h"\n'
    assert not project.exists("a.o")
    run = "cat a.c a.h b.h > {outputs}; echo 'a.o: a.c a.h b.h' > {depfile}"
    project.stage("cc", inputs=["a.c", "b.h"], outputs="a.o", run=run, depfile="a.d", infer_inputs=False)
    assert project.build().ran == ["gen", "cc"]
    project.settled()


def test_missing_depfile(project: Project) -> None:
    """Case 41: a depfile that was promised and not written fails the stage."""
    project.stage("cc", inputs="a.c", outputs="a.o", run="cat {inputs} > {outputs}", depfile="a.d")
    project.write("a.c", "")
    outcome = project.build()
    assert (outcome.exit_status, outcome.failed, outcome.output) == (1, ["cc"], "did not write its depfile `a.d`\n")
    assert not project.exists("a.o")


def test_depfile_of_an_earlier_run(compiled: Project) -> None:
    """Case 41: what an earlier run has written is not taken for this one's."""
    compiled.stage("cc", inputs="a.c", outputs="a.o", run="cat {inputs} > {outputs}", depfile="a.d")
    assert compiled.exists("a.d")
    assert compiled.build().output == "did not write its depfile `a.d`\n"


def test_depfile_beside_the_temporary_output(project: Project) -> None:
    """Case 24: where a compiler puts it that is told nothing but its output; no warning about what is left there."""
    run = 'cat a.c a.h > {outputs}; echo "x: a.h" > $(dirname {outputs})/a.d'
    project.stage("cc", inputs="a.c", outputs="out/a.o", run=run, depfile="out/a.d", infer_inputs=False)
    project.write("a.c", "")
    project.write("a.h", "1\n")
    assert project.build().output == ""
    project.settled()
    project.write("a.h", "2\n")
    assert project.build().ran == ["cc"]
    project.settled()


def test_absolute_and_outside(project: Project) -> None:
    """Case 24: absolute paths into the project and out of it are inputs too."""
    outside = f"{project.side}/lib.h"
    with open(outside, "w", encoding="utf-8") as file:
        file.write("1\n")
    run = 'cat a.h $SIDE/lib.h > {outputs}; echo "x: $PWD/a.h $SIDE/lib.h" > {depfile}'
    project.environ["SIDE"] = project.side
    project.stage("cc", outputs="a.o", run=run, depfile="a.d", infer_inputs=False)
    project.write("a.h", "1\n")
    assert project.build().output == ""
    project.settled()
    project.write("a.h", "2\n")
    assert project.build().ran == ["cc"]
    with open(outside, "w", encoding="utf-8") as file:
        file.write("3\n")
    assert project.build().ran == ["cc"]
    project.settled()


def test_names_with_spaces(project: Project) -> None:
    """Case 75: spaces, `#` and `$` as compilers escape them, and continued lines."""
    project.write("deps", "a.o: \\\n  my\\ header.h \\\n  a\\#b.h c$$d.h\n\nmy\\ header.h:\n")
    project.stage("cc", outputs="a.o", run="cat *.h > {outputs}; cat deps > {depfile}", depfile="a.d")
    for path in ("my header.h", "a#b.h", "c$d.h"):
        project.write(path, "1\n")
    assert project.build().output == ""
    for path in ("my header.h", "a#b.h", "c$d.h"):
        project.write(path, "2\n")
        assert project.build().ran == ["cc"], path
    project.settled()
