"""Python files that have been edited since a build ran them: what is known of them, and what `clean` removes, while they are not run."""

from __future__ import annotations

import pytest
from kit import Project

PIPELINE = """\
import helper
from pipefile import pipeline, stage


@stage(inputs={"src": "in.txt"}, outputs={"size": int, "dst": "build/a.txt"})
def copy(src, dst):
    return helper.copy(src, dst)


@stage(outputs={"out": "build/b.txt"})
def upper(size, out, times=1):
    with open(out, "w") as target:
        target.write(str(size * times))


@pipeline
def workflow(config):
    return upper(copy().size, times=config.times)
"""

HELPER = """\
def copy(src, dst):
    with open(src) as source, open(dst, "w") as target:
        return target.write(source.read())
"""

NOTE = "note: graph of pipeline.py unknown until a build\n"
OUTPUTS = "pipeline_outputs/values/copy/size.json\n", "build/a.txt\n", "build/b.txt\n"


@pytest.fixture
def built(project: Project) -> Project:
    """Two decorated stages, of which only a pipeline says how they are joined; all is fresh."""
    project.write("in.txt", "some text\n")
    project.write("pipeline.py", PIPELINE)
    project.write("helper.py", HELPER)
    project.settings(python=["pipeline.py"])
    project.globals(times=2)
    assert project.build("workflow").ran == ["copy", "upper"]
    return project


def edit(project: Project, path: str, old: str = "", new: str = "") -> None:
    """Replace a text; by default, add a comment."""
    text = project.read(path)
    project.write(path, text.replace(old, new, 1) if old else f"{text}# a comment\n")


@pytest.mark.parametrize("path", ["helper.py", "pipeline.py"])
def test_why_a_pipeline_is_stale_after_an_edit(built: Project, path: str) -> None:
    """Its text declares the same by name, so what the last build learned is told, with a note."""
    edit(built, path)
    outcome = built.cli("why", "workflow")
    assert (outcome.out, outcome.err, outcome.exit_status) == ("`workflow` is fresh as far as is known\n", NOTE, 0)
    edit(built, "helper.py", "source.read()", "source.read() + '!'")
    outcome = built.cli("why", "workflow")
    assert (outcome.err, outcome.exit_status) == (NOTE, 0)
    lines = [line for line in outcome.out.splitlines() if "->" not in line]
    assert lines == [
        "`copy` is stale",
        "  code `copy` (helper.py) changed",
        "  mode: function (nothing asks for a process)",
        "`upper` may become stale",
        "  input `pipeline_outputs/values/copy/size.json` may change",
        "  mode: function (nothing asks for a process)",
    ]
    assert built.cli("status").out.endswith("1 stale, 1 unknown\n")
    assert built.build("workflow").ran == ["copy", "upper"]
    assert built.cli("why", "workflow").out == "`workflow` is fresh\n"


def test_why_after_an_edit_of_the_configuration(built: Project) -> None:
    """Which may change what a pipeline joins: what is known is told, as far as it is."""
    built.globals(times=3)
    outcome = built.cli("why", "workflow")
    assert (outcome.out, outcome.err, outcome.exit_status) == ("`workflow` is fresh as far as is known\n", NOTE, 0)
    assert built.build("workflow").ran == ["upper"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("def upper(", "def other(x=1): pass\n\n\n@stage\ndef upper("),  # one more
        ('"build/a.txt"', '"build/c.txt"'),  # what is spelled out is another
        ("@pipeline\ndef workflow(config)", "@pipeline\ndef flow(config)"),
        ("return upper(copy()", "upper(copy()"),
    ],
    ids=["stage", "output", "pipeline", "return"],
)
def test_what_the_text_alone_tells(built: Project, old: str, new: str) -> None:
    """Where it declares something else by name or by what it spells out, the last build is not asked, and of a name it says what it needs."""
    edit(built, "pipeline.py", old, new)
    name = "flow" if "flow(" in new else "workflow"
    outcome = built.cli("why", name)
    if new == "upper(copy()":  # what a pipeline returns is not read
        assert outcome.out == "`workflow` is fresh as far as is known\n"
        return
    assert (outcome.out, outcome.exit_status) == ("", 2)
    assert outcome.err == (
        f"{NOTE}error: what `{name}` needs is unknown until a build runs `pipeline.py`\n"
        f"hint: `pipefile {name}` builds it; `pipefile list` shows what is known\n"
    )
    assert built.cli("why", "nothing").err == (
        f"{NOTE}error: no alias, stage or output is called `nothing`\nhint: the graph of `pipeline.py` is unknown until a build\n"
    )


def test_before_any_build(built: Project) -> None:
    built.remove("pipeline_outputs/python")
    outcome = built.cli("why", "upper")
    assert outcome.err == (
        f"{NOTE}error: what `upper` needs is unknown until a build runs `pipeline.py`\n"
        "hint: `pipefile upper` builds it; `pipefile list` shows what is known\n"
    )


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        ("helper.py", "", ""),
        ("pipeline.py", "import helper", "import helper ("),
        ("pipeline.py", "def upper(", "def other("),
        ("pipeline.py", '"build/b.txt"', '"build/c.txt"'),
    ],
    ids=["helper", "broken", "renamed", "output"],
)
def test_clean_removes_what_the_last_build_made(built: Project, path: str, old: str, new: str) -> None:
    """All of it, whatever the files say by now: its outputs are those that are there. The dry run says the same; nothing is run."""
    edit(built, path, old, new)
    assert built.cli("clean", "-n").out == "".join([f"would remove {each}" for each in OUTPUTS])
    outcome = built.cli("clean")
    assert (outcome.out, outcome.err) == ("".join([f"removed {each}" for each in OUTPUTS]), NOTE)
    assert not built.exists("build")
    assert built.cli("clean").out == "nothing to remove\n"


def test_clean_of_a_pipeline(built: Project) -> None:
    edit(built, "helper.py")
    assert built.cli("clean", "workflow").out == "removed build/b.txt\n"
    assert built.cli("clean", "copy").out == f"removed {OUTPUTS[0]}removed {OUTPUTS[1]}"


def test_clean_without_what_the_last_build_learned(built: Project) -> None:
    """The records beside outputs tell which ones stages have made."""
    edit(built, "helper.py")
    built.remove("pipeline_outputs/python")
    assert sorted(built.cli("clean").out.splitlines()) == sorted([f"removed {each[:-1]}" for each in OUTPUTS])
    assert not built.exists("build")


def test_clean_leaves_what_may_be_a_source_by_now(built: Project) -> None:
    """Which stages there are is not known, so only what is as a stage left it goes."""
    edit(built, "pipeline.py", "def upper(", "def other(")
    built.write("build/b.txt", "by hand\n")
    outcome = built.cli("clean")
    assert outcome.err == NOTE + "warning: `build/b.txt` is kept: it was changed since its stage made it\n"
    assert built.read("build/b.txt") == "by hand\n"
    built.remove("build/.b.txt.hash")
    outcome = built.cli("clean")
    assert outcome.err == NOTE + "warning: `build/b.txt` is kept: it has no record of its stage\n"


def test_clean_when_what_was_learned_does_not_fit(built: Project) -> None:
    """The Pipefile has a stage of that name now: the text of the file is all that counts, and what records tell."""
    edit(built, "pipeline.py", "def upper(", "def other(")
    built.stage("upper", inputs="in.txt", outputs="x.txt", run="cp {inputs} {outputs}")
    assert sorted(built.cli("clean").out.splitlines()) == sorted([f"removed {each[:-1]}" for each in OUTPUTS])


def test_clean_dead_wants_to_know(built: Project) -> None:
    """While it is not known what stages make, nothing can be said to be made by none."""
    edit(built, "helper.py")
    for words in (["clean", "--dead"], ["clean", "--dead", "-n"]):
        outcome = built.cli(*words)
        assert (outcome.out, outcome.exit_status) == ("", 2)
        assert outcome.err == (
            f"{NOTE}error: which outputs are dead is unknown until a build runs `pipeline.py`\nhint: a build of everything removes them\n"
        )
    assert built.exists("build/a.txt")
    assert built.exists("build/b.txt")
