"""The fast lane: what it answers at once, and what it leaves to the ordinary way."""

from __future__ import annotations

import fcntl
import os
import re

import pytest
from kit import Project
from kit.lane import lane

STEPS = '''"""Copies."""
try:
    import ns.extra
except ImportError:
    pass


def copy(inputs, outputs):
    with open(inputs[0]) as source, open(outputs[0], "w") as target:
        target.write(source.read())
'''


@pytest.fixture
def built(project: Project) -> Project:
    """Two stages, a target each, and a build of both that has nothing left to do."""
    project.write("x", "x\n")
    project.stage("a", inputs="x", outputs="a.txt", run="cp {inputs} {outputs}")
    project.stage("b", inputs="a.txt", outputs="out/b.txt", run="cp {inputs} {outputs}")
    assert project.build().ran == ["a", "b"]
    return project


def fresh(text: str | None) -> bool:
    return text is not None and re.fullmatch(r"\d+ fresh in \d\.\d\d s\n", text) is not None


@pytest.mark.parametrize("words", ["", "build", "-j 3", "-j3", "build --jobs 3", "-k", "build --keep-going"])
def test_plain_builds_are_answered(built: Project, words: str) -> None:
    """How many jobs there are, and what would follow a failure, bears on no build that runs nothing."""
    assert fresh(lane(built, *words.split()))


@pytest.mark.parametrize("word", ["-q", "--quiet"])
def test_quiet_builds_say_nothing(built: Project, word: str) -> None:
    """-q: as the ordinary way."""
    assert lane(built, word) == ""
    assert (built.cli(word).out, built.cli(word, "-j1").out) == ("", "")


@pytest.mark.parametrize(
    "words",
    ["-n", "-B", "--force", "-v", "--why", "--json"]
    + ["-C .", "-f Pipefile.toml", "-j", "-j 0", "-jx", "-j²", "-l 1", "--help", "--version", "--nonsense"]
    + ["status", "list", "why a", "clean", "graph", "query inputs a", "runs list", "check", "init", "accept a", "nonsense", "build build"],
)
def test_anything_else_is_not(built: Project, words: str) -> None:
    """Other commands, options that ask for more, targets that nobody has built."""
    assert lane(built, *words.split()) is None


def test_the_last_request_is_the_one_that_is_known(built: Project) -> None:
    """Its targets, in the words of the command line; from the root alone, since elsewhere they mean other files."""
    assert built.build("a.txt").ran == []
    assert fresh(lane(built, "a.txt"))
    assert fresh(lane(built, "build", "a.txt"))
    assert [lane(built), lane(built, "b"), lane(built, "a"), lane(built, "./a.txt"), lane(built, "a.txt", cwd="out")] == [None] * 5
    built.build("b", "a.txt")
    assert fresh(lane(built, "b", "a.txt"))
    assert lane(built, "a.txt", "b") is None


def test_from_a_folder_below(built: Project) -> None:
    """The default set is the same wherever the user stands; where it is not answered, the user stands there still."""
    assert fresh(lane(built, cwd="out"))
    built.remove("x")
    assert lane(built, cwd="out") is None
    assert built.cli(cwd="out").err.splitlines()[0] == f"pipefile: Entering directory '{built.root}'"


def test_a_folder_that_is_gone(built: Project) -> None:
    """The folder of a record: no error, no answer."""
    built.remove("out")
    assert lane(built) is None
    assert built.build().ran == ["b"]


def test_it_says_what_the_ordinary_way_says(built: Project) -> None:
    """Only the time differs."""
    texts = [built.cli(*words).out for words in ((), ("-j2",), ("--schedule", "eager"))]  # the last one is not answered
    assert {re.sub(r"[\d.]+ s", "T", text) for text in texts} == {"2 fresh in T\n"}


def test_a_stage_that_always_runs(built: Project) -> None:
    """Nothing is answered while there is something to do at every build."""
    built.stage("c", outputs="c.txt", run="echo c > {outputs}", always=True)
    assert [built.build().ran for _ in range(2)] == [["c"], ["c"]]
    assert lane(built) is None
    built.build("b")
    assert fresh(lane(built, "b"))


def test_after_a_failure(built: Project) -> None:
    """A build that failed leaves something to do."""
    built.stage("c", outputs="c.txt", run="exit 1")
    assert built.build().failed == ["c"]
    assert lane(built) is None


@pytest.mark.parametrize("path", [".pipefile.lock", "pipeline_outputs/lock"])
def test_while_another_build_is_at_work(built: Project, path: str) -> None:
    """The builder's lock, and the one that stages of a killed builder hold."""
    with open(built.path(path), "rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert lane(built) is None
    assert fresh(lane(built))


def test_a_link_in_place_of_the_lock(built: Project) -> None:
    """Is not followed, and not believed."""
    built.remove(".pipefile.lock")
    os.symlink("x", built.path(".pipefile.lock"))
    assert lane(built) is None


def test_variables(project: Project) -> None:
    """A tracked variable, of the project, of a stage, or in a dotenv file that is not there yet."""
    project.settings(env=["ONE"], dotenv=["more.env"])
    project.stage("a", outputs="a.txt", run='echo "$ONE$TWO$LOUD" > {outputs}', env=["TWO"])
    project.build()
    assert fresh(lane(project, env={"OTHER": "1"}))
    assert lane(project, env={"ONE": "1"}) is None
    assert lane(project, env={"TWO": ""}) is None
    project.write("more.env", "TWO=2\n")
    assert lane(project) is None
    assert project.build().ran == ["a"]
    assert fresh(lane(project))
    project.write("more.env", "TWO=3\n")
    assert lane(project) is None


@pytest.mark.parametrize("place", ["state", "s/t"])
def test_another_store(built: Project, place: str) -> None:
    """Is found by the line that names it."""
    built.settings(store=place)
    built.remove("pipeline_outputs")
    assert built.build().ran == []
    assert fresh(lane(built))


def test_another_pipefile(built: Project) -> None:
    """-f: its builds share the store, but what is answered without -f is never theirs."""
    built.write("other.toml", '[stage.c]\ninputs = ["x"]\noutputs = ["c.txt"]\nrun = "cp {inputs} {outputs}"\n')
    assert built.cli("-f", "other.toml").exit_status == 0
    assert lane(built) is None
    built.write("x", "y\n")
    assert built.cli("-f", "other.toml").exit_status == 0
    built.cli()
    assert built.read("out/b.txt") == "y\n"


@pytest.mark.parametrize("damage", [b"", b"pipefile-index", b"pipefile-index\0\x02" + bytes(2000), bytes(5000)])
def test_a_damaged_index(built: Project, damage: bytes) -> None:
    """No answer, no error."""
    built.write("pipeline_outputs/index", damage)
    assert lane(built) is None


def test_each_byte_of_the_index(built: Project) -> None:
    """A flipped byte is either in a part that the question does not touch, or ends it: no other answer, no error."""
    data = built.read_bytes("pipeline_outputs/index")
    counts = set()
    for at in range(0, len(data), 7):
        built.write("pipeline_outputs/index", data[:at] + bytes([data[at] ^ 0x55]) + data[at + 1 :])
        counts.add((lane(built) or "none").split()[0])
    assert counts == {"none", "2"}


def test_many_files_are_looked_at_by_two_processes(project: Project) -> None:
    """Above some thousand rows; a change in either half is seen."""
    for number in range(8100):
        project.write(f"src/{number}", "")
    project.stage("a", inputs="src/*", outputs="a.txt", run="echo {inputs[0]} > {outputs}")
    project.build()
    project.build()
    assert fresh(lane(project))
    for number in ("1", "8099"):
        project.write(f"src/{number}", "y")
        assert lane(project) is None
        project.build()
        assert fresh(lane(project))


# --- what comes while a build runs, after it was looked for


def built_meanwhile(project: Project, first: str, **keys: object) -> None:
    """A stage `a` with *keys*, then a stage that does *first* when `a` is done; both built."""
    project.write("x", "x\n")
    project.stage("a", **keys)  # type: ignore[arg-type]
    project.stage("b", inputs="a.txt", outputs="b.txt", run=f"cp {{inputs}} {{outputs}}; {first}", infer_inputs=False)
    outcome = project.build()
    assert outcome.ran == ["a", "b"], outcome.output


COPY = {"inputs": "x", "outputs": "a.txt", "run": "cp {inputs} {outputs}"}
ALL = "cat {inputs} > {outputs}"


def test_a_pipefile_edited_while_it_is_built(project: Project) -> None:
    """What was not read is not vouched for."""
    built_meanwhile(project, "sed -i 's/one/two/' Pipefile.toml", version="one", **COPY)
    assert lane(project) is None
    assert project.build().ran == ["a", "b"]


def test_a_dotenv_file_that_comes_meanwhile(project: Project) -> None:
    """As a Pipefile."""
    project.settings(dotenv=["e.env"], env=["E"])
    built_meanwhile(project, "echo E=1 > e.env", **COPY)
    assert lane(project) is None
    assert project.build().ran == ["a", "b"]


def test_a_file_that_comes_into_a_globbed_folder(project: Project) -> None:
    """Nor do the globs that the index remembers pass it over."""
    project.write("src/1.txt", "1\n")
    built_meanwhile(project, "echo 2 > src/2.txt", inputs="src/*.txt", outputs="a.txt", run=ALL)
    assert lane(project) is None
    assert project.build().ran == ["a", "b"]
    assert project.read("b.txt") == "1\n2\n"


def test_a_file_that_comes_into_a_directory(project: Project) -> None:
    """A directory input, and a folder deep in it."""
    project.write("src/deep/1.txt", "1\n")
    built_meanwhile(project, "echo 2 > src/deep/2.txt", inputs="src/", outputs="a.txt", run="cat {inputs}/deep/* > {outputs}")
    assert lane(project) is None
    assert project.build().ran == ["a", "b"]


def test_a_module_that_comes_meanwhile(project: Project) -> None:
    """A module that was looked for in vain."""
    project.write("steps.py", STEPS)
    project.write("ns/readme", "")
    built_meanwhile(project, "echo pass > ns/extra.py", inputs="x", outputs="a.txt", call="steps:copy")
    assert lane(project) is None
    assert project.build().ran == ["a"]


def test_a_module_in_a_namespace_package(project: Project) -> None:
    """A folder without `__init__.py` was looked into as well."""
    project.write("steps.py", STEPS)
    project.write("ns/readme", "")
    project.write("x", "x\n")
    project.stage("a", inputs="x", outputs="a.txt", call="steps:copy")
    project.build()
    assert fresh(lane(project))
    for path in ("ns/extra.py", "ns/__init__.py"):
        project.write(path, "print()\n")
        assert lane(project) is None
        assert project.build().ran == ["a"]
        assert fresh(lane(project))
