"""Values that functions return: files in the store, targets like any other."""

from __future__ import annotations

import json

import pytest
from kit import Project
from kit.lane import lane

STEPS = '''
def count(src):
    with open(src) as file:
        return len(file.readlines())


def describe(src):
    with open(src) as file:
        lines = file.read().splitlines()
    return {"first": lines[0], "table": {"lines": lines, "all": {"b": 1.5, "a": None}}, "ratio": 2, "many": len(lines) > 2}


def show(out, **values):
    with open(out, "w") as file:
        file.write(repr(values))
'''


def counted(project: Project) -> None:
    """`count` returns how many lines there are, `show` writes that to a file."""
    project.write("steps.py", STEPS)
    project.write("in.txt", "a\nb\n")
    project.stage("count", inputs={"src": "in.txt"}, outputs={"n": "value:int"}, call="steps:count")
    project.stage("show", inputs={"n": "count.n"}, outputs={"out": "show.txt"}, call="steps:show")


def test_a_value_is_a_file_with_a_record(project: Project) -> None:
    """A value that a function returns is kept below the store, canonical, with an ordinary record beside it."""
    counted(project)
    assert project.build().ran == ["count", "show"]
    assert project.read("pipeline_outputs/values/count/n.json") == "2\n"
    assert project.exists("pipeline_outputs/values/count/.n.json.hash")
    assert project.read("show.txt") == "{'n': 2}"
    project.settled()


def test_every_type_arrives_as_it_is(project: Project) -> None:
    """int, float, str, bool and json; a float takes an integer; a returned table is taken by its keys."""
    counted(project)
    outputs = {"first": "value:str", "table": "value:json", "ratio": "value:float", "many": "value:bool"}
    project.stage("describe", inputs={"src": "in.txt"}, outputs=outputs, call="steps:describe")
    inputs = {name: f"describe.{name}" for name in outputs}
    project.stage("show", inputs=inputs, outputs={"out": "show.txt"}, call="steps:show")
    project.build()
    assert project.read("show.txt") == repr(
        {"first": "a", "table": {"all": {"a": None, "b": 1.5}, "lines": ["a", "b"]}, "ratio": 2.0, "many": False}
    )
    assert project.read(project.value("describe", "ratio")) == "2.0\n"
    assert project.read(project.value("describe", "table")) == '{"all": {"a": null, "b": 1.5}, "lines": ["a", "b"]}\n'
    project.settled()


def test_early_cutoff_by_the_bytes_of_a_value(project: Project) -> None:
    """Case 12: a value that is the same again leaves those that need it fresh."""
    counted(project)
    project.build()
    project.write("in.txt", "c\nd\n")
    assert project.build().ran == ["count"]
    project.write("in.txt", "c\nd\ne\n")
    assert project.why("show") == {
        "count": ["input `in.txt` changed"],
        "show": ["input `pipeline_outputs/values/count/n.json` may change"],
    }
    assert project.build().ran == ["count", "show"]
    assert project.read("show.txt") == "{'n': 3}"


def test_equal_tables_are_equal_bytes(project: Project) -> None:
    """The order of keys in a returned table is not that of its file."""
    project.write("in.txt", "a b")
    project.write("steps.py", STEPS + "def table(src):\n    with open(src) as file:\n        return {key: [key] for key in file.read().split()}\n")
    project.stage("table", inputs={"src": "in.txt"}, outputs={"t": "value:json"}, call="steps:table")
    project.stage("show", inputs={"t": "table.t"}, outputs={"out": "show.txt"}, call="steps:show")
    project.build()
    project.write("in.txt", "b a")
    assert project.build().ran == ["table"]


@pytest.mark.parametrize("damage", ["tampered", "same size", "deleted", "emptied", "linked", "record"])
def test_what_is_done_to_a_value_s_file_is_undone(project: Project, damage: str) -> None:
    """Cases 5 to 9 and 77: the function runs again, and nothing else; the fast lane sees it too."""
    counted(project)
    project.build()
    path = project.value("count", "n")
    if damage in ("tampered", "same size", "emptied"):
        project.write(path, {"tampered": "17\n", "same size": "3\n", "emptied": ""}[damage])
    elif damage == "record":
        project.write("pipeline_outputs/values/count/.n.json.hash", "{}")
        project.remove("pipeline_outputs/index")
    else:
        project.remove(path)
    if damage == "linked":
        project.write("elsewhere", "3\n")
        import os

        os.symlink(project.path("elsewhere"), project.path(path))
    assert lane(project) is None
    assert project.build().ran == ["count"]
    assert project.read(path) == "2\n"
    project.settled()


def test_a_value_is_a_target(project: Project) -> None:
    """It can be asked for by its path and is told of wherever outputs are."""
    counted(project)
    path = project.value("count", "n")
    assert project.build(path).ran == ["count"]
    assert project.cli("query", "outputs", "count").out == f"{path}\n"
    assert project.cli("query", "inputs", "show").out == f"{path}\n"
    assert project.cli("query", "rdeps", "in.txt").out == f"{path}\nshow.txt\n"
    assert project.cli("graph").out == f"count: in.txt -> {path}\nshow: {path} -> show.txt\n"
    listed = json.loads(project.cli("list", "--json").out)["stages"]
    assert [stage["outputs"] for stage in listed] == [[path], ["show.txt"]]
    assert project.status() == {"count": "fresh", "show": "stale"}


def test_clean_removes_values(project: Project) -> None:
    """With their records and folders."""
    counted(project)
    project.build()
    assert project.cli("clean").out == f"removed {project.value('count', 'n')}\nremoved show.txt\n"
    assert not project.exists("pipeline_outputs/values")
    assert project.build().ran == ["count", "show"]


@pytest.mark.parametrize("index", [True, False])
def test_the_value_of_a_stage_that_is_gone_is_dead(project: Project, index: bool) -> None:
    """It is removed by a build of everything, known from the index or found by its record; `clean --dead` finds it too."""
    counted(project)
    project.build()
    project.drop("show")
    project.stage("count", inputs={"src": "in.txt"}, outputs={"lines": "value:int"}, call="steps:count")
    path = project.value("count", "n")
    if not index:
        project.remove("pipeline_outputs/index")
    assert project.cli("clean", "--dead", "-n").out == f"would remove {path}\nwould remove show.txt\n"
    outcome = project.build()
    assert (outcome.ran, sorted(outcome.output.splitlines())) == (
        ["count"],
        [f"note: removed `{path}`, which no stage makes any more", "note: removed `show.txt`, which no stage makes any more"],
    )
    assert not project.exists(path)
    project.settled()


def test_what_one_consumer_changes_reaches_nobody_else(project: Project) -> None:
    """Case 51: each gets an object of its own, however small the value."""
    project.write("steps.py", STEPS + "def change(t, out):\n    t['a'].append(2)\n    show(out, t=t)\ndef made():\n    return {'a': [1]}\n")
    project.stage("made", outputs={"t": "value:json"}, call="steps:made")
    for name in ("one", "two"):
        project.stage(name, inputs={"t": "made.t"}, outputs={"out": name}, call="steps:change")
    project.stage("three", inputs={"t": "made.t"}, outputs={"out": "three"}, call="steps:show", after=["one", "two"])
    project.build()
    assert [project.read(name) for name in ("one", "two", "three")] == ["{'t': {'a': [1, 2]}}"] * 2 + ["{'t': {'a': [1]}}"]


def test_all_values_of_a_stage(project: Project) -> None:
    """`STAGE.outputs` has values and files, in the order in which they are declared; `inputs` without names is a list of them."""
    project.write("steps.py", STEPS + "def both(f):\n    open(f, 'w').close()\n    return {'n': 1, 's': 'x'}\n")
    project.stage("both", outputs={"n": "value:int", "f": "f.txt", "s": "value:str"}, call="steps:both")
    project.stage("named", inputs={"all": "both.outputs"}, outputs={"out": "named.txt"}, call="steps:show")
    project.stage("unnamed", inputs=["both.s", "both.n"], outputs={"out": "unnamed.txt"}, call="steps:show")
    project.stage("shell", inputs=["both.outputs"], outputs=["shell.txt"], run="echo {inputs} {inputs[2]} > {outputs}")
    project.build()
    assert project.read("named.txt").replace(project.root + "/", "") == "{'all': [1, FileRef('f.txt'), 'x']}"
    assert project.read("unnamed.txt") == "{'inputs': ['x', 1]}"
    assert project.read("shell.txt") == "1 f.txt x x\n"
    assert project.build().ran == []


def test_a_value_by_its_path_is_a_file(project: Project) -> None:
    """Whoever names the file of a value gets the file; the value instead is another argument."""
    counted(project)
    project.stage("show", inputs={"n": project.value("count", "n")}, outputs={"out": "show.txt"}, call="steps:show")
    project.build()
    assert project.read("show.txt").endswith("values/count/n.json')}")
    counted(project)
    assert project.why("show") == {"show": ["kind of value `pipeline_outputs/values/count/n.json` is new"]}
    assert project.build().ran == ["show"]
    assert project.read("show.txt") == "{'n': 2}"


def test_values_in_commands(project: Project) -> None:
    """A scalar stands for itself, quoted; of anything else the path of its file. A changed value changes the command."""
    project.write("in.txt", "it's {a} $HOME\nx\n")
    project.write("steps.py", STEPS)
    outputs = {"first": "value:str", "table": "value:json", "ratio": "value:float", "many": "value:bool"}
    project.stage("describe", inputs={"src": "in.txt"}, outputs=outputs, call="steps:describe")
    inputs = {name: f"describe.{name}" for name in outputs}
    project.stage("text", inputs=inputs, outputs={"out": "text"}, run="printf '%s\\n' {first} {table} {ratio} {many} > {out}")
    project.stage("list", inputs=inputs, outputs={"out": "list"}, run=["cp", "{table}", "{out}"])
    project.build()
    assert project.read("text") == f"it's {{a}} $HOME\n{project.value('describe', 'table')}\n2.0\nfalse\n"
    assert json.loads(project.read("list"))["lines"] == ["it's {a} $HOME", "x"]
    project.settled()
    project.write("in.txt", "other\nx\n")
    assert sorted(project.build().ran) == ["describe", "list", "text"]
    project.settled()


def test_a_value_with_a_nul_is_no_word(project: Project) -> None:
    """A command cannot be given it: an error, not a cut text."""
    project.write("steps.py", "def nul():\n    return 'a\\0b'\n")
    project.stage("nul", outputs={"s": "value:str"}, call="steps:nul")
    project.stage("say", inputs={"s": "nul.s"}, outputs={"out": "out"}, run="echo {s} > {out}")
    outcome = project.build()
    assert (outcome.ran, outcome.failed) == (["nul"], ["say"])
    assert outcome.output == "the value `pipeline_outputs/values/nul/s.json` has a NUL character in it, which no command can be given\n"


def test_globs_and_directories_see_no_values(project: Project) -> None:
    """They lie in the store, where globs never look: no stage waits for them, none is given them."""
    counted(project)
    project.stage("glob", inputs=["**/*.json"], outputs=["glob.txt"], run="echo {inputs} > {outputs}")
    project.write("a.json", "")
    project.build()
    assert project.read("glob.txt") == "a.json\n"
    assert project.cli("query", "inputs", "glob").out == "a.json\n"
    project.settled()


def test_odd_names(project: Project) -> None:
    """Case 75: stage and value names are percent-encoded, and still tell from each other."""
    project.write("steps.py", STEPS + "def one():\n    return 1\ndef two():\n    return 2\n")
    project.stage("a/b c", outputs={"n %": "value:int"}, call="steps:one")
    project.stage("a%2Fb c", outputs={"n %": "value:int"}, call="steps:two")
    project.stage("show", inputs={"x": "a/b c.n %", "y": "a%2Fb c.n %"}, outputs={"out": "out"}, call="steps:show")
    project.build()
    assert project.read("out") == "{'x': 1, 'y': 2}"
    assert project.read("pipeline_outputs/values/a%2Fb%20c/n%20%25.json") == "1\n"
    assert project.build().ran == []


def test_another_store(project: Project) -> None:
    """Values lie below the store that the settings name."""
    project.settings(store="kept")
    counted(project)
    project.build()
    assert project.read("kept/values/count/n.json") == "2\n"
    project.settled()


def test_a_moved_project_keeps_its_values(project: Project, new_project) -> None:
    """Case 19: nothing runs after `cp -r`."""
    import shutil

    counted(project)
    project.build()
    other = new_project()
    shutil.copytree(project.root, other.root, symlinks=True, dirs_exist_ok=True)
    outcome = other.build()
    assert (outcome.exit_status, outcome.ran) == (0, [])


def test_accept_takes_a_whole_value_alone(project: Project) -> None:
    """What others would be handed has to be what the function could have returned."""
    counted(project)
    project.build()
    project.write(project.value("count", "n"), "3\n")
    assert project.cli("accept", "count", "--reason", "by hand").exit_status == 0
    assert project.build().ran == ["show"]
    assert project.read("show.txt") == "{'n': 3}"
    project.write(project.value("count", "n"), "three\n")
    refused = project.cli("accept", "count", "--reason", "by hand")
    assert (refused.exit_status, refused.err) == (
        2,
        "error: value `pipeline_outputs/values/count/n.json` of stage `count` is not as its stage would write it\n  Pipefile.toml:1  `count`\n",
    )
    project.write(project.value("count", "n"), "true\n")
    assert "is not of type `int`, as its stage declares" in project.cli("accept", "count", "--reason", "by hand").err


# --- what a function may return


def returning(project: Project, expression: str, outputs: dict[str, str]) -> str:
    """What a build says of a function that returns *expression*."""
    project.write("steps.py", f"def make():\n    return {expression}\n")
    project.stage("make", outputs=outputs, call="steps:make")
    outcome = project.build()
    assert outcome.exit_status == bool(outcome.failed)
    return outcome.output.removesuffix("\n")


@pytest.mark.parametrize(
    ("expression", "kind", "said"),
    [
        ("True", "int", "value `v` must be of type `int`, as its stage declares, but is a `bool`"),
        ("1.0", "int", "value `v` must be of type `int`, as its stage declares, but is a `float`"),
        ("'1'", "float", "value `v` must be of type `float`, as its stage declares, but is a `str`"),
        ("True", "float", "value `v` must be of type `float`, as its stage declares, but is a `bool`"),
        ("b''", "str", "value `v` must be of type `str`, as its stage declares, but is a `bytes`"),
        ("1", "bool", "value `v` must be of type `bool`, as its stage declares, but is a `int`"),
        ("None", "int", "returned nothing, but its stage declares the value `v`"),
        ("None", "json", "returned nothing, but its stage declares the value `v`"),
        ("{'v': None}", "int", "value `v` must be of type `int`, as its stage declares, but is None"),
        ("float('nan')", "float", "value `v` holds a float that is no number (nan or infinite), which JSON does not have"),
        ("{'a': [1, float('inf')]}", "json", "value `v` holds a float that is no number (nan or infinite), which JSON does not have"),
        ("{'a': [(1, 2)]}", "json", "value `v` holds a `tuple` at ['a'][0], which is no JSON: make it a list"),
        ("(1, 2)", "json", "value `v` is a `tuple`, which is no JSON: make it a list"),
        ("{'a': {1: 2}}", "json", "value `v` holds a table with the key `1` at ['a']: keys must be texts"),
        ("{1, 2}", "json", "value `v` is a `set`, which is no JSON: make it a sorted list"),
        ("object", "json", "value `v` is a `type`, which is no JSON"),
        ("(_ for _ in ())", "json", "value `v` is a `generator`, which is no JSON"),
        ("[10 ** 5000]", "json", "value `v` holds an integer of too many digits"),
        ("__import__('functools').reduce(lambda x, _: [x], range(300), 1)", "json", "value `v` is nested more than 200 levels deep"),
        ("(lambda a: a.append(a) or a)([])", "json", "value `v` is nested more than 200 levels deep"),
        (r"'\ud83d\ude00'", "json", "value `v` holds a text with the two halves of one character"),
    ],
)
def test_what_does_not_fit(project: Project, expression: str, kind: str, said: str) -> None:
    """The message says what is wrong with which value; nothing is left."""
    assert returning(project, expression, {"v": f"value:{kind}"}) == said
    assert not project.exists(project.value("make", "v"))


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("None", "returned nothing, but its stage declares the values `a`, `b`"),
        ("1", "must return a table with the keys `a`, `b`, the values that its stage declares; what it returned is a `int`"),
        ("{'a': 1}", "must return a table with the keys `a`, `b`, the values that its stage declares; what it returned has `a`"),
        ("{}", "must return a table with the keys `a`, `b`, the values that its stage declares; what it returned has no keys"),
        (
            "{'a': 1, 'b': 2, 'c': 3}",
            "must return a table with the keys `a`, `b`, the values that its stage declares; what it returned has `a`, `b`, `c`",
        ),
    ],
)
def test_several_values_are_returned_by_name(project: Project, expression: str, said: str) -> None:
    """A table whose keys are exactly their names, or an error."""
    assert returning(project, expression, {"a": "value:int", "b": "value:int"}) == said


@pytest.mark.parametrize(
    ("expression", "kind", "text"),
    [
        ("{'v': 3}", "int", "3"),
        ("{'v': 3}", "json", "3"),
        ("{'v': None}", "json", "null"),
        ("{'w': 3}", "json", '{"w": 3}'),
        ("{'v': {'v': 3}}", "json", '{"v": 3}'),
        ("-0.0", "float", "-0.0"),
        ("10 ** 40", "int", "1" + "0" * 40),
        ("'\\u00e9\\U0001f600'", "str", '"\u00e9\U0001f600"'),
        (r"'\udcff\u00e9'", "str", '"\\udcff\\u00e9"'),
        ("__import__('enum').IntEnum('E', 'A').A", "int", "1"),
        ("[]", "json", "[]"),
    ],
)
def test_what_fits(project: Project, expression: str, kind: str, text: str) -> None:
    """By name where the keys are the names; as the only value otherwise."""
    assert returning(project, expression, {"v": f"value:{kind}"}) == ""
    assert project.read(project.value("make", "v")) == text + "\n"
    assert project.build().ran == []


def test_what_is_returned_without_values_is_dropped(project: Project) -> None:
    """A function whose stage declares files alone may return what it likes."""
    project.write("steps.py", "def make(outputs):\n    open(outputs[0], 'w').close()\n    return object()\n")
    project.stage("make", outputs="a.txt", call="steps:make")
    assert project.build().ran == ["make"]


def test_a_failed_function_leaves_the_last_value(project: Project) -> None:
    """Case 38: the good one stays where it was; the edge is stale."""
    counted(project)
    project.build()
    project.write("in.txt", "a\n")
    project.write("steps.py", STEPS.replace("return len(file.readlines())", "return 'x' + 1"))
    assert project.build().failed == ["count"]
    assert project.read(project.value("count", "n")) == "2\n"
    project.write("steps.py", STEPS)
    assert project.build().ran == ["count", "show"]
    project.settled()
