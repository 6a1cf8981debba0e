"""Pattern rules: wildcards in `outputs`; instances for what something asks for by name."""

from __future__ import annotations

import pytest
from kit import Project
from kit.objects import APPEND, OBJECT, with_objects

from pipefile.plan.patterns import escape


@pytest.fixture
def objects(project: Project) -> Project:
    return with_objects(project)


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
    """What a killed build has left without a record is made again, not taken for a source; case 32."""
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


def test_a_cycle(objects: Project) -> None:
    """A circle that goes through an instance is an error that names it; case 28."""
    objects.stage("src", ["build/d.o"], ["src/d.c"], "cat {inputs} > {outputs}")
    outcome = objects.build()

    assert outcome.output == (
        "error: dependency cycle: `build/d.o` -> `src/d.c` -> `build/d.o`\n"
        "  Pipefile.toml:2  `obj@d` makes `build/d.o` from `src/d.c`\n"
        "  Pipefile.toml:12  `src` makes `src/d.c` from `build/d.o`\n"
    )


def test_one_output_of_several_that_a_stage_makes(objects: Project) -> None:
    """An instance that would make what a stage makes, beside what is asked of it, is an error that names both; case 27."""
    objects.stage("obj", ["src/{name}.c"], ["build/{name}.o", "build/{name}.log"], "cat {inputs} | tee {outputs}")
    objects.stage("log", ["src/a.c"], ["build/a.log"], "cat {inputs} > {outputs}")

    assert objects.build().output == (
        "error: `build/a.log` is made by two stages\n  Pipefile.toml:3  `obj@a`\n  Pipefile.toml:13  `log`\n"
    )


# --- wildcards


def test_a_wildcard_is_one_name(objects: Project) -> None:
    """A wildcard matches no slash; `where` lets it, and narrows it."""
    objects.write("src/sub/d.c", "d\n")
    hint = 'hint: `{name}` of stage `obj` matches no `/`; `where = { name = ".+" }` lets it\n'
    assert objects.build("build/sub/d.o").output == f"error: no alias, stage or output is called `build/sub/d.o`\n{hint}"
    objects.stage("other", ["build/sub/d.o"], ["other"], "cat {inputs} > {outputs}")
    missing = "error: `build/sub/d.o` does not exist and no stage makes it\n  needed by `other` (`other`, Pipefile.toml:12)\n"
    assert objects.build("other").output == missing + hint
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
    """What a wildcard stands for is a text: no glob, no reference, no option, no word for the shell; case 75."""
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


def test_a_directory_beside_a_file_that_no_rule_can_make(project: Project) -> None:
    """A rule for files whose inputs are not there does not keep a rule for the directory from making them."""
    project.stage("unpack", ["{name}.tar"], ["out/{name}/"], "cp {inputs} {outputs}/f.txt")
    project.stage("text", ["{a}.md"], ["out/{d}/{a}.txt"], "cp {inputs} {outputs}")
    project.stage("use", ["out/a/f.txt"], ["use"], "cat {inputs} > {outputs}")
    project.write("a.tar", "a\n")

    assert project.build().ran == ["unpack@a", "use"]


def test_two_texts_of_one_name(project: Project) -> None:
    """Instances that would be called the same are an error, not the same instance."""
    project.stage("pair", None, ["{a}-{b}.txt"], "echo {a} {b} > {outputs}")
    outcome = project.build("1,b=2-3.txt", "1-2,b=3.txt")

    assert (outcome.exit_status, outcome.output) == (
        2,
        "error: two files ask for an instance called `pair@a=1,b=2,b=3`\n  Pipefile.toml:2  `pair`\n",
    )


def test_references_ask_for_nothing(project: Project) -> None:
    """What is a value of `[global]`, or what a function returns, is no file for a rule that matches its name."""
    project.globals(text="x")
    project.settings(python=["made.py"])
    project.write("made.py", "from pipefile import stage\n\n\n@stage\ndef summary():\n    return {'text': 'a', 'pages': 3}\n")
    project.stage("any", ["{name}.in"], ["{name}.text"], "cat {inputs} > {outputs}")
    project.stage("use", ["summary.text", "global.text"], ["use"], "echo {inputs} > {outputs}")

    assert project.build().exit_status == 0
    assert project.read("use") == "a x\n"
    assert project.cli("check").out == "2 stages: no faults\n"


def test_an_item_that_fits_nowhere(project: Project) -> None:
    """A part of a path is asked of an item that is none: an error, as without wildcards."""
    keys = {"for_each": {"n": [1, 2]}, "where": {"name": "[^/]+"}}
    project.stage("obj", None, ["{n.stem}/{name}.o"], "echo {n} > {outputs}", **keys)

    assert project.build("1/a.o").output == (
        "error: `for_each` of stage `obj`: `{n.stem}` asks for part of a path, but the item is `1`\n  Pipefile.toml:4  `obj`\n"
    )


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
