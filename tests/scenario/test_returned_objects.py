"""Values that only decorated functions have: Python objects, and all that a function without declared outputs returns."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from kit import Project
from kit.decorated import any_type

STEPS = '''
class Point:
    def __init__(self, x):
        self.x = x
    def __repr__(self):
        return f"Point({self.x})"


class Stubborn:
    def __reduce__(self):
        raise RuntimeError("I stay")


def show(out, **values):
    with open(out, "w") as file:
        file.write(repr(values))


def change(v, out):
    v.x += 1
    show(out, v=v)
'''


@pytest.fixture(autouse=True)
def typed(project: Project) -> Iterator[None]:
    with any_type(project):
        yield


def returning(project: Project, expression: str, kind: str) -> None:
    project.write("steps.py", f"{STEPS}def make():\n    return {expression}\n")
    project.stage("make", outputs={"v": f"value:{kind}"}, call="steps:make")


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("[1, {'a': None}]", '[1, {"a": null}]\n'),
        ("'text'", '"text"\n'),
        ("{'v': None}", "null\n"),
        ("(1, 2)", None),
        ("{'b': 1, 'a': 2}", None),
        ("[float('inf')]", None),
        ("[Point(3), Point]", None),
        (r"'\ud83d\ude00'", None),
    ],
)
def test_any_object(project: Project, expression: str, text: str | None) -> None:
    """JSON where it would come back as it is, the order of keys included; else a pickle."""
    returning(project, expression, "any")
    project.stage("show", inputs={"v": "make.v"}, outputs={"out": "show.txt"}, call="steps:show")
    assert project.build().ran == ["make", "show"]
    data = project.read_bytes(project.value("make", "v", "any"))
    assert data.startswith(b"\x80\x05") if text is None else data == text.encode()
    scope: dict[str, object] = {}
    exec(project.read("steps.py"), scope)  # what the function itself would have said
    made = eval(expression, scope)
    made = made["v"] if isinstance(made, dict) and made.keys() == {"v"} else made
    assert project.read("show.txt").replace("<class 'steps.", "<class '") == repr({"v": made}).replace("<class 'builtins.", "<class '")
    assert project.build().ran == []


def test_each_gets_an_object_of_its_own(project: Project) -> None:
    """Case 51: what one consumer changes in it reaches nobody else."""
    returning(project, "Point(1)", "any")
    for name in ("one", "two"):
        project.stage(name, inputs={"v": "make.v"}, outputs={"out": name}, call="steps:change")
    project.build()
    assert project.read("one") == project.read("two") == "{'v': Point(2)}"


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("lambda: 0", "value `v` cannot be kept: "),
        ("Stubborn()", "value `v` cannot be kept: RuntimeError: I stay\n"),
        ("None", "returned nothing, but its stage declares the value `v`\n"),
    ],
)
def test_what_cannot_be_kept(project: Project, expression: str, said: str) -> None:
    """The message is that of whoever refused."""
    returning(project, expression, "any")
    outcome = project.build()
    assert outcome.failed == ["make"]
    assert outcome.output.startswith(said)


def test_no_pickle_is_believed_that_was_not_recorded(project: Project) -> None:
    """Case 85: a planted one is never loaded: its stage runs again, since its digest is not the recorded one."""
    returning(project, "Point(1)", "any")
    project.stage("show", inputs={"v": "make.v"}, outputs={"out": "show.txt"}, call="steps:show")
    project.build()
    canary = os.path.join(project.side, "canary")
    import pickle

    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (canary,)

    path = project.value("make", "v", "any")
    project.write(path, pickle.dumps(Bomb()))
    project.stage("show", inputs={"v": "make.v"}, outputs={"out": "other.txt"}, call="steps:show")
    assert project.status() == {"make": "stale", "show": "stale"}
    assert project.build().ran == ["make", "show"]
    project.write(path, pickle.dumps(Bomb()))
    assert "is not as its function has written it" in project.cli("accept", "make", "--reason", "x").err
    assert not os.path.exists(canary)


# --- all that is returned


def returned(project: Project, expression: str) -> None:
    project.write("steps.py", f"{STEPS}def summary():\n    return {expression}\n")
    project.stage("summary", outputs={"result": "value:result"}, call="steps:summary")


def test_the_keys_of_what_is_returned(project: Project) -> None:
    """`STAGE.KEY` is one of them, `STAGE.result` all, `STAGE.outputs` a list of that."""
    returned(project, "{'text': 'a b', 'pages': 3, 'deep': {'x': [1]}, 'a.b': 0}")
    inputs = {"t": "summary.text", "p": "summary.pages", "d": "summary.deep", "ab": "summary.a.b"}
    project.stage("show", inputs=inputs, outputs={"out": "show.txt"}, call="steps:show")
    project.stage("whole", inputs={"all": "summary.result", "list": "summary.outputs"}, outputs={"out": "whole.txt"}, call="steps:show")
    project.stage("say", inputs={"t": "summary.text", "p": "summary.pages"}, outputs={"out": "say.txt"}, run="printf '%s|' {t} {p} > {out}")
    project.build()
    assert project.read("show.txt") == "{'t': 'a b', 'p': 3, 'd': {'x': [1]}, 'ab': 0}"
    whole = {"a.b": 0, "deep": {"x": [1]}, "pages": 3, "text": "a b"}
    assert project.read("whole.txt") == repr({"all": whole, "list": [whole]})
    assert project.read("say.txt") == "a b|3|"
    project.settled()


def test_another_key_is_another_input(project: Project) -> None:
    """Of the same file: the consumer runs again."""
    returned(project, "{'a': 1, 'b': 2}")
    project.stage("show", inputs={"v": "summary.a"}, outputs={"out": "show.txt"}, call="steps:show")
    project.build()
    project.stage("show", inputs={"v": "summary.b"}, outputs={"out": "show.txt"}, call="steps:show")
    assert project.why("show") == {"show": ["kind of value `pipeline_outputs/values/summary/result.json` changed"]}
    assert project.build().ran == ["show"]
    assert project.read("show.txt") == "{'v': 2}"


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("{'a': 1, 'c': 2}", "there is no `b` in `PATH`: it has `a`, `c`"),
        ("{}", "there is no `b` in `PATH`: it is empty"),
        ("None", "there is no `b` in `PATH`: what was returned is no table with keys"),
        ("3", "there is no `b` in `PATH`: what was returned is no table with keys"),
    ],
)
def test_a_key_that_is_not_there(project: Project, expression: str, said: str) -> None:
    """The consumer fails, and is told what there is."""
    returned(project, expression)
    project.stage("show", inputs={"v": "summary.b"}, outputs={"out": "show.txt"}, call="steps:show")
    outcome = project.build()
    assert (outcome.ran, outcome.failed) == (["summary"], ["show"])
    path = "pipeline_outputs/values/summary/result.json"
    assert outcome.output.replace(project.root + "/", "") == said.replace("PATH", path) + "\n"


def test_keys_in_commands(project: Project) -> None:
    """Only texts, numbers and truths can stand there."""
    returned(project, "{'a': [1]}")
    for key, said in (
        ("a", "`a` in `pipeline_outputs/values/summary/result.json` is no text, number or truth, which alone can stand in a command\n"),
        ("b", "there is no `b` in `pipeline_outputs/values/summary/result.json`: it has `a`\n"),
    ):
        project.stage("say", inputs={"v": f"summary.{key}"}, outputs={"out": "say.txt"}, run="echo {v} > {out}")
        assert project.build().output == said


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("{'a': (1,)}", "what was returned holds a `tuple` at ['a'], which is no JSON: make it a list\n"),
        ("Point(1)", "what was returned is a `Point`, which is no JSON\n"),
    ],
)
def test_undeclared_values_are_json(project: Project, expression: str, said: str) -> None:
    """Anything else has to be declared with its type."""
    returned(project, expression)
    assert project.build().output == said


def test_nothing_is_returned(project: Project) -> None:
    """A function that declares nothing may return nothing."""
    returned(project, "None")
    assert project.build().ran == ["summary"]
    project.settled()


def test_a_file_that_looks_like_a_key(project: Project) -> None:
    """Which of the two is meant has to be said."""
    returned(project, "{'txt': 1}")
    project.write("summary.txt", "")
    project.stage("show", inputs={"v": "summary.txt"}, outputs={"out": "show.txt"}, call="steps:show")
    assert project.build().output == (
        "error: `summary.txt` is both what stage `summary` returns and a file\n  Pipefile.toml:6  `show`\nhint: write `./summary.txt` for the file\n"
    )
    project.stage("show", inputs={"v": "./summary.txt"}, outputs={"out": "show.txt"}, call="steps:show")
    assert project.build().exit_status == 0
