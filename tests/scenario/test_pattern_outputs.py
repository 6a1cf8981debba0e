"""Pattern rules: what becomes of what they have made, in builds, from the index, and for other commands."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from kit import Project
from kit.disks import DyingDisk, Killed
from kit.lane import lane
from kit.objects import APPEND, OBJECT, with_objects
from kit.outcome import BuildOutcome

from pipefile.model.event import PlanMade


def passed(outcome: BuildOutcome) -> int:
    """How many edges a build took for fresh before it had looked at any: 0 where it started from the Pipefile."""
    return next(event.fresh for event in outcome.events if isinstance(event, PlanMade))

@pytest.fixture
def objects(project: Project) -> Project:
    return with_objects(project)


# --- what was asked for once


def test_what_was_asked_for_once_is_not_dead(objects: Project) -> None:
    """What was made because the command line named it stays, as long as its rule would make it again; case 25."""
    objects.build("build/c.o")
    assert objects.build().output == ""
    assert objects.exists("build/c.o")
    objects.remove("src/c.c")

    assert objects.build().output == "note: removed `build/c.o`, which no stage makes any more\n"
    assert not objects.exists("build/c.o")


def test_builds_go_on_from_the_index_beside_it(objects: Project) -> None:
    """A file that was asked for once keeps no build from going on from the index; an edit of what it is made from does, and runs nothing."""
    objects.build("build/c.o")
    objects.build()
    objects.write("src/a.c", "A\n")
    outcome = objects.build()
    assert (outcome.ran, passed(outcome)) == (["obj@a", "app"], 1)
    assert lane(objects) is not None
    objects.write("src/c.c", "C\n")

    assert objects.build().ran == []
    assert objects.build("build/c.o").ran == ["obj@c"]
    objects.remove("src/c.c")
    assert objects.build().output == "note: removed `build/c.o`, which no stage makes any more\n"


def test_without_its_rule_it_is_dead(objects: Project) -> None:
    """When the rule goes, what it has made is dead."""
    objects.build("build/c.o")
    objects.build()
    for name in "ab":
        objects.stage(f"obj_{name}", [f"src/{name}.c"], [f"build/{name}.o"], "cat {inputs} > {outputs}")
    objects.drop("obj")
    outcome = objects.build()

    assert "note: removed `build/c.o`, which no stage makes any more\n" in outcome.output
    assert not objects.exists("build/c.o")


def test_clean(objects: Project) -> None:
    """`clean` removes what rules have made, asked for by now or not; the name of a rule stands for all of that; a file for itself."""
    objects.build("build/c.o")
    objects.build()

    assert objects.cli("clean", "--dead").out == "nothing to remove\n"
    assert objects.cli("clean", "-n", "obj").out == "would remove build/a.o\nwould remove build/b.o\nwould remove build/c.o\n"
    assert objects.cli("clean", "build/c.o").out == "removed build/c.o\n"
    objects.build("build/c.o")
    assert sorted(objects.cli("clean").out.split("\n")) == ["", *[f"removed build/{name}" for name in ("a.o", "app", "b.o", "c.o")]]
    assert not objects.exists("build")


def test_clean_keeps_what_was_edited(objects: Project) -> None:
    """What nothing asks for goes only if it is as its rule has made it."""
    objects.build("build/c.o")
    objects.write("build/c.o", "mine\n")
    outcome = objects.cli("clean", "obj")

    assert (outcome.out, outcome.err) == ("nothing to remove\n", "warning: `build/c.o` is kept: it was changed since its stage made it\n")


def test_a_killed_build(new_project: Callable[[], Project]) -> None:
    """A builder that is killed between any two writes leaves no output of a rule that would be taken for a source, nor one half written; case 30."""
    changes = 0
    while True:
        project = with_objects(new_project())
        project.settings(default=["app"])
        project.build()
        project.write("src/a.c", "other\n")
        project.disk = DyingDisk(project.root, changes)
        try:
            project.build()
        except Killed:
            died = True
        else:
            died = project.disk.dead
        project.disk = None
        assert project.build().exit_status == 0, changes
        assert project.read("build/app") == "other\na\nb\nb\n", changes
        assert project.build().ran == [], changes
        if not died:
            break
        changes += 3
    assert changes > 20


def test_a_killed_build_of_what_is_written_in_place(objects: Project) -> None:
    """A file that a command writes where it stands, half of it when the machine went down, has no record, and is made again; case 32."""
    objects.stage("obj", ["src/{name}.c"], ["build/{name}.o"], ["sh", "-c", "cat src/$0.c > build/$0.o", "{name}"])
    objects.build()
    objects.remove(objects.record("build/a.o"))
    objects.write("build/a.o", "ha")

    assert objects.build().ran == ["obj@a"]
    assert objects.read("build/app") == "a\nb\n"


def test_what_lies_between(project: Project) -> None:
    """Files between the rules of a chain can be temporary: they go when what needs them is made, and are no sources when they are gone."""
    project.stage("gen", ["{name}.y"], [{"path": "gen/{name}.c", "temp": True}], "cat {inputs} > {outputs}")
    project.stage("obj", ["gen/{name}.c"], ["build/{name}.o"], "cat {inputs} > {outputs}")
    project.stage("app", ["build/a.o"], ["app"], "cat {inputs} > {outputs}")
    project.write("a.y", "a\n")
    project.write("b.y", "b\n")

    assert project.build().ran == ["gen@a", "obj@a", "app"]
    assert not project.exists("gen/a.c")
    assert project.build().ran == []
    assert project.build("build/b.o").ran == ["gen@b", "obj@b"]
    assert project.build().output == ""
    project.write("a.y", "A\n")
    assert project.build().ran == ["gen@a", "obj@a", "app"]
    assert project.read("app") == "A\n"
    assert project.cli().out.startswith("3 fresh")


def test_batches(objects: Project) -> None:
    """Instances that are asked for can run together, as those of `for_each` can."""
    objects.stage("obj", ["src/{name}.c"], ["build/{name}.o"], "cat {inputs} | tee {outputs}", batch=8)

    assert sorted(objects.build("app", "build/c.o", jobs=1).ran) == ["app", "obj@a", "obj@b", "obj@c"]
    assert objects.read("build/a.o") == "a\nb\nc\n"
    assert objects.build("app", "build/c.o").ran == []


# --- headers


DEPFILE = "cat {inputs} $(sed -n 's/^#//p' {inputs}) > {outputs}; echo \"x: $(sed -n 's/^#//p' {inputs})\" > {depfile}"


@pytest.fixture
def headers(project: Project) -> Project:
    """Sources that include headers, of which the compiler tells."""
    project.stage("obj", ["src/{name}.c"], ["build/{name}.o"], DEPFILE, depfile="build/{name}.d")
    project.stage("app", ["build/a.o", "build/b.o"], ["app"], "cat {inputs} > {outputs}")
    project.write("src/a.c", "#src/a.h\n")
    project.write("src/b.c", "#src/b.h\n")
    project.write("src/a.h", "a\n")
    project.write("src/b.h", "b\n")
    return project


def test_a_depfile_of_each_instance(headers: Project) -> None:
    """A header is an input of those instances that have read it; case 24."""
    headers.build()
    headers.write("src/b.h", "B\n")

    assert headers.build().ran == ["obj@b", "app"]
    headers.settled()


def test_a_header_that_a_rule_makes(headers: Project) -> None:
    """A header that a rule has made, and that is read without being asked for, would not be kept fresh: the stage fails, with the line to add."""
    headers.stage("gen", ["src/{name}.in"], ["src/{name}.h"], "cat {inputs} > {outputs}")
    headers.write("src/c.in", "c\n")
    headers.build("src/c.h")
    headers.write("src/b.c", "#src/c.h\n")
    outcome = headers.build()

    assert outcome.failed == ["obj@b"]
    assert "read `src/c.h`, which stage `gen@c` makes, without declaring it" in outcome.output
    headers.stage("app", ["src/c.h", "build/a.o", "build/b.o"], ["app"], "cat {inputs} > {outputs}")
    assert headers.build().failed == ["obj@b"]
    headers.stage("obj", ["src/{name}.c", "src/c.h"], ["build/{name}.o"], DEPFILE.replace("{inputs}", "{inputs[0]}"), depfile="build/{name}.d")
    assert headers.build().exit_status == 0
    headers.write("src/c.in", "C\n")
    assert sorted(headers.build().ran) == ["app", "gen@c", "obj@a", "obj@b"]


def test_a_header_that_nothing_asks_for_any_more(headers: Project) -> None:
    """An instance that has read what nothing asks for any more is not fresh: nobody sees to it that what it has read is."""
    headers.stage("gen", ["src/{name}.in"], ["src/{name}.h"], "cat {inputs} > {outputs}")
    headers.remove("src/b.h")
    headers.write("src/b.in", "b\n")
    headers.stage("b", ["src/b.c", "src/b.h"], ["build/b.o"], DEPFILE.replace("{inputs}", "{inputs[0]}"), depfile="build/b.d")
    assert headers.build().exit_status == 0
    headers.stage("b", ["src/b.c"], ["build/b.o"], DEPFILE, depfile="build/b.d")
    outcome = headers.build()

    assert outcome.failed == ["b"]
    assert "read `src/b.h`, which stage `gen@b` makes, without declaring it" in outcome.output


def test_a_module_that_a_rule_makes(project: Project) -> None:
    """So is a Python module that a rule has made, and that a function imports without its stage asking for it."""
    project.stage("gen", ["{name}.in"], ["{name}_made.py"], "cat {inputs} > {outputs}")
    project.stage("use", None, {"dst": "use"}, call="steps:use")
    project.write("steps.py", "import x_made\n\n\ndef use(dst):\n    with open(dst, 'w') as out:\n        out.write(x_made.TEXT)\n")
    project.write("x.in", "TEXT = 'one'\n")
    project.build("x_made.py")
    outcome = project.build()

    assert outcome.failed == ["use"]
    message = "the code of `use` is in `x_made.py`, which stage `gen@x` makes, without declaring it; add it to the inputs of `use`: \"x_made.py\"\n"
    assert outcome.output == message
    assert project.cli("status").exit_status == 0
    project.stage("use", {"made": "x_made.py"}, {"dst": "use"}, call="steps:use")
    project.write("steps.py", project.read("steps.py").replace("use(dst)", "use(made, dst)"))
    assert project.build().ran == ["use"]
    project.write("x.in", "TEXT = 'two'\n")
    assert project.build().ran == ["gen@x", "use"]
    assert project.read("use") == "two"


# --- ways through a build


def test_the_index_knows_what_was_looked_for(objects: Project) -> None:
    """A file whose coming makes a rule able to make an input is seen by a build that has nothing else to do, from the index too; case 24."""
    objects.stage("gen", ["src/{name}.y"], ["src/{name}.c"], "cat {inputs} > {outputs}")
    objects.build()
    assert objects.cli().out.startswith("3 fresh")
    objects.write("src/a.y", "y\n")
    outcome = objects.cli()

    assert outcome.exit_status == 0
    assert objects.read("build/app") == "y\na\nb\nb\n"
    objects.settled()


def test_a_warm_start_knows_instances(objects: Project) -> None:
    """A build that goes on from the index runs what one that reads the Pipefile runs."""
    objects.build()
    objects.write("src/a.c", "A\n")
    outcome = objects.build()
    assert (outcome.ran, passed(outcome)) == (["obj@a", "app"], 1)
    objects.write("src/a.c", "A2\n")
    assert objects.build(cold=True).ran == ["obj@a", "app"]
    objects.write("src/a.c", "A2\n")
    assert objects.build().ran == []
    objects.remove("build/b.o")
    assert objects.build().ran == ["obj@b"]
    objects.settled()


def test_another_request(objects: Project) -> None:
    """Builds of one file and of everything know of each other's work."""
    objects.build()
    assert objects.build("build/a.o").ran == []
    objects.write("src/c.c", "C\n")
    assert objects.build("build/c.o").ran == ["obj@c"]
    assert objects.build().ran == []
    assert objects.build("build/c.o").ran == []


def test_a_rename_of_the_rule(objects: Project) -> None:
    """A rule that is called otherwise makes the same files: they are its own by then."""
    objects.build()
    objects.drop("obj")
    objects.stage("compile", **OBJECT)  # type: ignore[arg-type]

    assert objects.build().exit_status == 0
    objects.settled()


# --- other commands


def test_status_and_why(objects: Project) -> None:
    """`status` and `why` know what a build would run for a target that a rule makes."""
    assert objects.status("build/c.o") == {"obj@c": "stale"}
    objects.build("build/c.o")
    objects.write("src/c.c", "C\n")

    assert objects.why("build/c.o") == {"obj@c": ["input `src/c.c` changed"]}
    assert objects.status() == {"obj@a": "stale", "obj@b": "stale", "app": "stale"}


def test_commands_that_show_the_graph(objects: Project) -> None:
    """`list`, `graph`, `query` and `check` show rules and their instances."""
    objects.build()

    assert [line.split()[0] for line in objects.cli("list").out.splitlines()] == ["obj", "app"]
    objects.stage("spare", ["{name}.x"], ["{name}.y"], "cat {inputs} > {outputs}")
    states = json.loads(objects.cli("list", "--json", "--status").out)
    assert states["default"] == ["app"]
    assert [(each["name"], each["outputs"], each.get("status")) for each in states["stages"]] == [
        ("obj", ["build/{name}.o"], "fresh"),
        ("app", ["build/app"], "fresh"),
        ("spare", ["{name}.y"], None),
    ]
    assert objects.cli("graph").out.splitlines()[0] == "obj@a: src/a.c -> build/a.o"
    assert objects.cli("graph", "build/c.o").out == "obj@c: src/c.c -> build/c.o\n"
    assert objects.cli("query", "deps", "build/c.o").out == "src/c.c\n"
    assert objects.cli("check").out == "3 stages: no faults\n"


def test_commands_that_only_read(objects: Project) -> None:
    """Case 60: none of them writes anything, for what is asked for, could be, and cannot be."""
    objects.stage("more", ["{name}.y"], ["src/{name}.c"], "cat {inputs} > {outputs}")
    objects.build("build/c.o")
    objects.build()
    objects.write("src/a.c", "A\n")
    before = objects.tree()

    for words in (["status"], ["status", "build/c.o"], ["why", "build/c.o"], ["list", "--status"], ["query", "deps", "build/c.o"], ["check"], ["-n"]):
        assert objects.cli(*words).exit_status == 0, words
    for words in (["status", "build/z.o"], ["why", "more"], ["-n", "obj@z"], ["clean", "-n", "build/z.o"]):
        assert objects.cli(*words).exit_status in (0, 2), words
    assert objects.tree() == before


def test_accept(objects: Project) -> None:
    """`accept` takes a file that a rule makes."""
    objects.write("build/c.o", "by hand\n")
    outcome = objects.cli("accept", "build/c.o", "--reason", "test")

    assert (outcome.exit_status, outcome.out) == (0, "accepted obj@c\n")
    assert objects.build("build/c.o").ran == []


def test_included(project: Project) -> None:
    """A rule of an included Pipefile makes files in its folder, and the Pipefile above can ask for them."""
    project.settings(include=["lib"])
    project.write("lib/Pipefile.toml", '[stage.obj]\ninputs = ["{name}.c"]\noutputs = ["build/{name}.o"]\nrun = "cat {inputs} > {outputs}"\n')
    project.write("lib/a.c", "a\n")
    project.stage("app", ["lib/build/a.o"], ["app"], "cat {inputs} > {outputs}")

    assert project.build().ran == ["lib/obj@a", "app"]
    assert project.read("app") == "a\n"
    assert project.build("lib/obj@a").ran == []


def test_python(project: Project) -> None:
    """A decorated function is a pattern rule by the same keys; in Python as in TOML the wildcards are its arguments."""
    project.settings(python=["steps.py"])
    project.write(
        "steps.py",
        "from pipefile import stage\n\n\n"
        '@stage(inputs={"src": "{name}.in"}, outputs={"dst": "out/{name}.txt"}, where={"name": "[a-z]+"})\n'
        f"def make(src, name, dst):\n{APPEND}",
    )
    project.stage("use", ["out/abc.txt"], ["use"], "cat {inputs} > {outputs}")
    project.write("abc.in", "x\n")

    assert project.build().ran == ["make@abc", "use"]
    assert project.read("use") == "x\nabc"
    assert project.build().ran == []
    assert project.cli("status", "out/abc.txt").out == "1 fresh\n"
    assert project.build("out/ABC.txt").exit_status == 2


def test_a_fallback_and_a_retry(objects: Project) -> None:
    """An instance has the policies of its rule; a fallback runs for its wildcards."""
    objects.stage("plain", None, None, "echo plain {name} > {outputs}")
    objects.stage("obj", ["src/{name}.c"], ["build/{name}.o"], "exit 3", fallback="plain")
    outcome = objects.build()

    assert (outcome.exit_status, sorted(outcome.degraded)) == (0, ["obj@a", "obj@b"])
    assert objects.read("build/app") == "plain a\nplain b\n"


def test_the_cache_knows_instances(project: Project) -> None:
    """What an instance has made before is put back."""
    project.caching = True
    project.stage("obj", **OBJECT)  # type: ignore[arg-type]
    project.write("src/a.c", "a\n")
    project.build("build/a.o")
    project.remove("build")

    assert project.build("build/a.o").restored == ["obj@a"]
