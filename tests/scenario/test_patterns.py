"""Pattern rules: wildcards in `outputs`; instances for what something asks for by name."""

from __future__ import annotations

import pytest
from kit import Project
from kit.lane import lane
from kit.outcome import BuildOutcome

from pipefile.model.event import PlanMade
from pipefile.plan.patterns import escape

OBJECT = {"inputs": ["src/{name}.c"], "outputs": ["build/{name}.o"], "run": "cat {inputs} > {outputs}; echo {name} >> {outputs}"}

APPEND = "    with open(src) as file, open(dst, 'w') as out:\n        out.write(file.read() + name)\n"


def passed(outcome: BuildOutcome) -> int:
    """How many edges a build took for fresh before it had looked at any: 0 where it started from the Pipefile."""
    return next(event.fresh for event in outcome.events if isinstance(event, PlanMade))


@pytest.fixture
def objects(project: Project) -> Project:
    """Three sources, a rule for objects, and a program of two of them."""
    for name in "abc":
        project.write(f"src/{name}.c", f"{name}\n")
    project.stage("obj", **OBJECT)  # type: ignore[arg-type]
    project.stage("app", ["build/a.o", "build/b.o"], ["build/app"], "cat {inputs} > {outputs}")
    return project


# --- what asks


def test_an_input_asks_for_an_instance(objects: Project) -> None:
    """What a stage names as its input is made by the rule that can make it, and by no more than that."""
    assert sorted(objects.build().ran) == ["app", "obj@a", "obj@b"]
    assert objects.read("build/app") == "a\na\nb\nb\n"
    assert not objects.exists("build/c.o")
    objects.settled()


def test_an_edited_source_runs_its_own_instance(objects: Project) -> None:
    """One source is edited: its object is made anew, and what needs that; case 20."""
    objects.build()
    objects.write("src/b.c", "B\n")

    assert objects.build().ran == ["obj@b", "app"]
    objects.settled()


def test_a_target_asks(objects: Project) -> None:
    """A file that is named on the command line is made, by its path or by the name of its instance."""
    assert objects.build("build/c.o").ran == ["obj@c"]
    assert objects.build("obj@c").ran == []
    assert objects.build("obj@a").ran == ["obj@a"]


def test_an_alias_and_the_default_set_ask(objects: Project) -> None:
    """So do names in aliases and in `default`."""
    objects.alias(third="build/c.o")
    objects.settings(default=["obj@a"])

    assert objects.build().ran == ["obj@a"]
    assert objects.build("third").ran == ["obj@c"]


def test_a_name_of_a_rule_is_all_that_is_asked_for(objects: Project) -> None:
    """The rule's own name stands for all instances that something in the Pipefile asks for."""
    assert sorted(objects.build("obj").ran) == ["obj@a", "obj@b"]


def test_a_rule_that_nothing_asks_for(objects: Project) -> None:
    """A rule of whose files none is asked for is an error as a target, and as all that there is; exit status 2."""
    objects.drop("app")
    message = (
        "error: nothing asks for a file that stage `obj` makes: `build/{name}.o`\n"
        "  Pipefile.toml:3  `obj`\n"
        "hint: name one, with a text in place of `{name}`\n"
    )

    for target in ((), ("obj",)):
        outcome = objects.build(*target)
        assert (outcome.exit_status, outcome.output) == (2, message)
    objects.settings(default=["obj"])
    assert "error: `obj` in `default`: nothing asks for a file that stage `obj` makes" in objects.build().output


def test_items_ask(objects: Project) -> None:
    """An instance of `for_each` asks for its own inputs."""
    objects.stage("prog", ["build/{p}.o"], ["bin/{p}"], "cp {inputs} {outputs}", for_each={"p": ["a", "c"]})

    assert sorted(objects.build("prog").ran) == ["obj@a", "obj@c", "prog@a", "prog@c"]


def test_a_word_of_a_command_asks(objects: Project) -> None:
    """A file that a command names literally is made before it runs; a word that no rule can make is just a word."""
    objects.stage("show", None, ["shown"], "cat build/c.o > {outputs}; echo build/z.o >> {outputs}")

    assert objects.build("show").ran == ["obj@c", "show"]
    assert objects.read("shown") == "c\nc\nbuild/z.o\n"
    assert objects.build("show").ran == []


def test_chains(objects: Project) -> None:
    """Rules make each other's inputs."""
    objects.stage("gen", ["src/{name}.y"], ["src/{name}.c"], "cat {inputs} > {outputs}")
    objects.write("src/d.y", "d\n")

    assert objects.build("build/d.o").ran == ["gen@d", "obj@d"]
    objects.write("src/d.y", "D\n")
    assert objects.build("build/d.o").ran == ["gen@d", "obj@d"]
    assert objects.build("build/d.o").ran == []


def test_a_rule_stands_once_in_a_chain(project: Project) -> None:
    """A rule that could go on from its own outputs for ever is tried once."""
    project.stage("unpack", ["{name}.z"], ["{name}"], "cat {inputs} > {outputs}")
    project.write("x.z", "x\n")

    assert project.build("x").ran == ["unpack@x"]
    outcome = project.build("y")
    assert outcome.output == "error: `y.z` does not exist and no stage makes it\n  needed by `y` (`unpack@y`, Pipefile.toml:2)\n"


def test_too_many_ways(project: Project) -> None:
    """Rules that all match each other's inputs end in an error that names them, not in a search without end."""
    for number in range(12):
        project.stage(f"r{number}", [f"{{name}}.{number}"], ["{name}"], "cat {inputs} > {outputs}")
    project.write("keep", "")
    outcome = project.build("x.out")

    assert outcome.exit_status == 2
    first = outcome.output.split("\n")[0]
    assert first.startswith("error: to make one file, pattern rules lead to more than 1000 others: `x.out.")
    assert outcome.output.endswith("hint: `where` narrows what a wildcard matches\n")


# --- who makes it


def test_a_stage_beats_a_rule(objects: Project) -> None:
    """A stage that makes a file by name makes it, whatever rules could."""
    objects.stage("special", ["src/a.c"], ["build/a.o"], "echo special > {outputs}")

    assert sorted(objects.build().ran) == ["app", "obj@b", "special"]
    assert objects.read("build/app") == "special\nb\nb\n"


def test_two_rules(objects: Project) -> None:
    """Two rules that can make one file are an error that names both; a rule whose inputs are not there is none of them; exit status 2."""
    objects.stage("objcc", ["src/{name}.cc"], ["build/{name}.o"], "cat {inputs} > {outputs}")
    assert sorted(objects.build().ran) == ["app", "obj@a", "obj@b"]
    objects.write("src/b.cc", "b\n")
    outcome = objects.build()

    assert outcome.exit_status == 2
    assert outcome.output == (
        "error: `build/b.o` can be made by two pattern rules\n"
        "  Pipefile.toml:3  `obj`\n"
        "  Pipefile.toml:13  `objcc`\n"
        "hint: `where` keeps them apart, or a stage that makes this file alone\n"
    )
    objects.remove("src/b.c")
    assert objects.build().ran == ["objcc@b", "app"]
    objects.settled()


def test_a_source_that_no_rule_can_make(objects: Project) -> None:
    """A file that stands there is a source as long as no rule can make it; when one can, the next build has it made; case 24."""
    objects.write("build/a.o", "given\n")
    objects.remove("src/a.c")
    objects.build()
    assert objects.read("build/app") == "given\nb\nb\n"
    assert objects.build().ran == []
    objects.write("src/a.c", "a\n")

    assert objects.build().ran == ["obj@a", "app"]
    assert objects.read("build/app") == "a\na\nb\nb\n"
    objects.settled()


def test_an_output_without_its_source_is_no_source(objects: Project) -> None:
    """What a rule has made does not become a source when what it was made from goes; case 25."""
    objects.build()
    objects.remove("src/a.c")
    outcome = objects.build()

    assert (outcome.exit_status, outcome.output) == (
        2,
        "error: `src/a.c` does not exist and no stage makes it\n"
        "  needed by `build/a.o` (`obj@a`, Pipefile.toml:2)\n"
        "  needed by `build/app` (`app`, Pipefile.toml:7)\n",
    )
    objects.write("build/a.o", "by hand now\n")
    assert objects.build().ran == ["app"]
    assert objects.read("build/app") == "by hand now\nb\nb\n"


def test_an_output_without_its_record_is_no_source(objects: Project) -> None:
    """What a killed build has left without a record is made again, not taken for a source; cases 40 and 41."""
    objects.settings(store="kept")
    objects.build()
    objects.remove(objects.record("build/a.o"))
    objects.remove("kept")
    objects.write("build/a.o", "half")

    assert "obj@a" in objects.build().ran
    assert objects.read("build/app") == "a\na\nb\nb\n"


def test_several_rules_and_none_can(objects: Project) -> None:
    """Of a file that is missing it is said which rules would make it, and from what."""
    objects.stage("objcc", ["src/{name}.cc"], ["build/{name}.o"], "cat {inputs} > {outputs}")
    objects.stage("gen", ["{name}.y"], ["src/{name}.cc"], "cat {inputs} > {outputs}")
    objects.remove("src/a.c")
    could = (
        "  Pipefile.toml:3  `obj` would make it from `src/{0}.c`, which does not exist\n"
        "  Pipefile.toml:13  `objcc` would make it from `src/{0}.cc`, and that from `{0}.y`, which does not exist\n"
    )

    assert objects.build().output == (
        "error: `build/a.o` does not exist and no stage makes it\n  needed by `build/app` (`app`, Pipefile.toml:7)\n" + could.replace("{0}", "a")
    )
    assert objects.build("build/q.o").output == "error: no alias, stage or output is called `build/q.o`\n" + could.replace("{0}", "q")


def test_a_slip_in_the_name_of_a_stage(project: Project) -> None:
    """A rule that matches any name does not keep a did-you-mean away."""
    project.stage("unpack", ["{name}.z"], ["{name}"], "cat {inputs} > {outputs}")
    project.stage("report", None, ["r.txt"], "echo > {outputs}")

    assert project.build("repotr").output.endswith("hint: did you mean `report`?\n")


def test_optional_inputs(objects: Project) -> None:
    """What need not be there is made if a rule can, and does without if none can."""
    inputs = [{"path": "build/c.o", "optional": True}, {"path": "build/z.o", "optional": True}]
    objects.stage("some", inputs, ["some"], "for each in {inputs}; do [ ! -e $each ] || cat $each; done > {outputs}")

    assert objects.build("some").ran == ["obj@c", "some"]
    assert objects.read("some") == "c\nc\n"
    assert objects.build("some").ran == []


# --- wildcards


def test_a_wildcard_is_one_name(objects: Project) -> None:
    """A wildcard matches no slash; `where` lets it, and narrows it."""
    objects.write("src/sub/d.c", "d\n")
    assert objects.build("build/sub/d.o").exit_status == 2
    objects.stage("obj", **OBJECT, where={"name": "[a-z/]+"})  # type: ignore[arg-type]

    assert objects.build("build/sub/d.o").ran == ["obj@sub/d"]
    assert objects.build("build/A.o").output.startswith("error: no alias, stage or output is called `build/A.o`\nhint: did you mean `build/")


def test_several_outputs_and_parts(project: Project) -> None:
    """All outputs of an instance are made by asking for one; a wildcard has parts as a path has, and stands in params, env and inputs."""
    keys = {"params": {"whole": "{path}", "stem": "{path.stem}"}, "env": {"DIR": "{path.parent}"}, "where": {"path": ".+"}}
    run = "cat {src} > {main}; echo {path.name} {params.whole} {params.stem} $DIR > {side}"
    project.stage("make", {"src": "in/{path}"}, {"main": "out/{path}.txt", "side": "side/{path}.log"}, run, **keys)
    project.write("in/sub/x.md", "x\n")

    assert project.build("side/sub/x.md.log").ran == ["make@sub/x.md"]
    assert (project.read("out/sub/x.md.txt"), project.read("side/sub/x.md.log")) == ("x\n", "x.md sub/x.md x sub\n")
    assert project.build("out/sub/x.md.txt").ran == []


def test_two_wildcards(project: Project) -> None:
    """Two wildcards: the first takes as much as it can. The instance is called by both; a wildcard that comes again is the same text."""
    project.stage("pair", None, ["{a}/{a}-{b}.txt"], "echo {a} {b} > {outputs}")

    assert project.build("x-y/x-y-z.txt").ran == ["pair@a=x-y,b=z"]
    assert project.read("x-y/x-y-z.txt") == "x-y z\n"
    assert project.build("pair@a=x-y,b=z").ran == []
    assert project.build("p/q-z.txt").exit_status == 2


def test_names_that_look_like_something_else(project: Project) -> None:
    """What a wildcard stands for is a text: no glob, no reference, no option, no word for the shell; case 70."""
    project.stage("copy", ["in/{name}"], ["out/{name}"], "cat {inputs} > {outputs}; printf %s {name} >> {outputs}")
    for name in ("a*[b]", "-n", "copy.outputs", "it's; echo", "{x}", "ü n"):
        project.write(f"in/{name}", "x")
        written = escape(f"out/{name}").replace("{", "{{").replace("}", "}}")
        project.stage("use", [written], ["use"], "cat {inputs} > {outputs}")
        outcome = project.build("use")
        assert outcome.exit_status == 0, (name, outcome.output)
        assert project.read("use") == f"x{name}", name


def test_items_and_wildcards(project: Project) -> None:
    """With `for_each` a name has to stand in `where` to be a wildcard; the rule then has all items, and each can be asked for."""
    keys = {"for_each": {"mode": ["debug", "release"]}, "where": {"name": "[^/]+"}}
    project.stage("obj", ["{name}.c"], ["{mode}/{name}.o"], "echo {mode} {name} > {outputs}", **keys)
    project.write("a.c", "a\n")

    assert project.build("release/a.o").ran == ["obj@mode=release,name=a"]
    assert project.build("obj@mode=debug,name=a").ran == ["obj@mode=debug,name=a"]
    assert project.read("debug/a.o") == "debug a\n"
    assert project.build("other/a.o").exit_status == 2


def test_directories(project: Project) -> None:
    """A directory is asked for by its name, or by a file in it."""
    project.stage("unpack", ["{name}.tar"], ["out/{name}/"], "cp {inputs} {outputs}/f.txt")
    project.stage("use", ["out/a/f.txt", "out/b/", "out/c/*.txt"], ["use"], "cat {inputs[0]} {inputs[1]}/f.txt out/c/f.txt > {outputs}")
    for name in "abc":
        project.write(f"{name}.tar", f"{name}\n")
    project.stage("after", ["out/c/"], ["after"], "cat {inputs}/f.txt > {outputs}")

    assert sorted(project.build().ran) == ["after", "unpack@a", "unpack@b", "unpack@c", "use"]
    assert project.read("use") == "a\nb\nc\n"
    assert project.build().ran == []


def test_values(project: Project) -> None:
    """A function gets wildcards as arguments, and may return values beside its files."""
    project.write("steps.py", f"def make(src, name, dst):\n{APPEND}    return {{'n': len(name)}}\n")
    project.stage("make", {"src": "{name}.in"}, {"dst": "out/{name}.txt", "n": "value:int"}, call="steps:make")
    project.write("abc.in", "x")

    assert project.build("out/abc.txt").ran == ["make@abc"]
    assert project.read("out/abc.txt") == "xabc"
    assert project.read("pipeline_outputs/values/make@abc/n.json") == "3\n"
    assert project.build("out/abc.txt").ran == []


# --- what is not known


GLOB = "which stage `obj` makes when something asks for it by name"
PLACES = "  Pipefile.toml:{0}  `all`\n  Pipefile.toml:3  `obj`\n"


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (
            {"inputs": ["build/*.o"]},
            f"`build/*.o` in `inputs` of stage `all` could match `build/{{name}}.o`, {GLOB}\n" + PLACES.format(12)
            + "hint: with `for_each` instead of wildcards it is known what there is\n",
        ),
        (
            {"inputs": ["{x}"], "for_each": {"x": "**/*.o"}},
            f"`**/*.o` in `for_each` of stage `all` could match `build/{{name}}.o`, {GLOB}\n" + PLACES.format(15)
            + "hint: with `for_each` instead of wildcards it is known what there is\n",
        ),
        (
            {"inputs": ["build/"]},
            "`build/` in `inputs` of stage `all` is a folder in which stage `obj` could make `build/{name}.o`\n" + PLACES.format(12)
            + "hint: list the files\n",
        ),
        (
            {"inputs": ["obj.outputs"]},
            "`obj.outputs` in `inputs` of stage `all`: what stage `obj` makes is known by who asks for it by name\n" + PLACES.format(12)
            + "hint: name the files\n",
        ),
        (
            {"inputs": ["{x}"], "for_each": {"x": "obj.outputs"}},
            "`obj.outputs` in `for_each` of stage `all`: what stage `obj` makes is known by who asks for it by name\n" + PLACES.format(15)
            + "hint: a list, or a glob over what they are made from, has items\n",
        ),
    ],
    ids=["glob", "glob-of-items", "folder", "outputs", "items"],
)  # fmt: skip
def test_what_a_rule_makes_is_in_no_list(objects: Project, keys: dict[str, object], message: str) -> None:
    """Globs, folders and references that could stand for what a rule makes are errors before anything runs; exit status 2."""
    objects.stage("all", keys.pop("inputs"), ["all{x}" if "for_each" in keys else "all"], "cat {inputs} > {outputs}", **keys)
    outcome = objects.build()

    assert (outcome.exit_status, outcome.ran, outcome.output) == (2, [], f"error: {message}")


def test_globs_that_match_no_rule(objects: Project) -> None:
    """A glob of sources beside a rule is a glob as ever; `exclude` keeps one of items apart."""
    objects.stage("count", ["src/*.c", "s*/"], ["count"], "echo {inputs} > {outputs}")
    objects.stage("count", ["src/*.c", "src/"], ["count"], "echo {inputs} > {outputs}")
    objects.stage("each", ["{x}"], ["names/{x.name}"], "echo > {outputs}", for_each={"x": "**/*.[co]"}, exclude=["build/"])

    assert objects.build("count", "each").exit_status == 0
    assert objects.read("count") == "src/a.c src/b.c src/c.c src\n"


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
    """A header is an input of those instances that have read it; case 30."""
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
    assert objects.cli("graph").out.splitlines()[0] == "obj@a: src/a.c -> build/a.o"
    assert objects.cli("graph", "build/c.o").out == "obj@c: src/c.c -> build/c.o\n"
    assert objects.cli("query", "deps", "build/c.o").out == "src/c.c\n"
    assert objects.cli("check").out == "3 stages: no faults\n"


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


def test_a_glob_as_an_input_of_a_rule(project: Project) -> None:
    """A rule whose input is a glob can make what the glob finds something for."""
    project.stage("lib", ["src/{name}/*.c"], ["lib/{name}.a"], "cat {inputs} > {outputs}")
    project.write("src/one/a.c", "a\n")
    project.write("src/one/b.c", "b\n")

    assert project.build("lib/one.a").ran == ["lib@one"]
    project.write("src/one/c.c", "c\n")
    assert project.build("lib/one.a").ran == ["lib@one"]
    assert project.read("lib/one.a") == "a\nb\nc\n"
    outcome = project.build("lib/two.a")
    assert outcome.output == "error: no file matches `src/two/*.c`\n  needed by `lib/two.a` (`lib@two`, Pipefile.toml:2)\n"


def test_outputs_in_odd_places(project: Project) -> None:
    """A rule that matches any name makes nothing where no output can lie."""
    project.stage("any", None, ["{name}"], "echo > {outputs}", where={"name": ".+"})

    for name in ("Pipefile.toml", ".x.hash", "pipeline_outputs/x", ".pipefile.lock"):
        assert project.build(name).exit_status == 2, name
    assert project.build("deep/down").ran == ["any@deep/down"]
