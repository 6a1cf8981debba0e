"""Values of the Pipefile as functions get them."""

from __future__ import annotations

from kit import Project


def test_changed_by_a_function(project: Project) -> None:
    """Case 51: a function that changes a table or list it was handed changes no other stage's, nor any key."""
    project.write(
        "steps.py",
        "def change(out, table, items):\n"
        "    table['inner']['n'] += 1\n"
        "    items.append(3)\n"
        "    show(out, table, items)\n"
        "def show(out, table, items):\n"
        "    with open(out, 'w') as file:\n"
        "        file.write(f'{table} {items}')\n",
    )
    project.globals(table={"inner": {"n": 1}}, items=[1, 2])
    given = {"table": "global.table", "items": "global.items"}
    project.stage("first", outputs={"out": "first.txt"}, params=given, call="steps:change")
    project.stage("params", outputs={"out": "params.txt"}, params=given, call="steps:show", after=["first"])
    project.stage("inputs", inputs=given, outputs={"out": "inputs.txt"}, call="steps:change", after=["params"])
    project.stage("last", inputs=given, outputs={"out": "last.txt"}, call="steps:show", after=["inputs"])
    project.build()
    assert project.read("first.txt") == project.read("inputs.txt") == "{'inner': {'n': 2}} [1, 2, 3]"
    assert project.read("params.txt") == project.read("last.txt") == "{'inner': {'n': 1}} [1, 2]"
    project.settled()


def test_one_and_a_list_of_one(project: Project) -> None:
    """Case 24: a function gets `"a"` and `["a"]` as other values, so one instead of the other is a change."""
    project.write(
        "steps.py",
        "def show(x, o):\n"
        "    with open(o[0] if isinstance(o, list) else o, 'w') as file:\n"
        "        file.write(f'{isinstance(x, list)} {isinstance(o, list)}')\n",
    )
    project.write("in.txt", "")
    for x, o, wanted in (
        ("in.txt", "out", "False False"),
        (["in.txt"], "out", "True False"),
        (["in.txt"], ["out"], "True True"),
        ("in.txt", ["out"], "False True"),
    ):
        project.stage("show", inputs={"x": x}, outputs={"o": o}, call="steps:show")
        if wanted != "False False":
            assert project.why("show") == {"show": ["other arguments of its function are lists now"]}
        assert project.build().ran == ["show"]
        assert project.read("out") == wanted
        project.settled()
