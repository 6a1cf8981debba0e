"""Params whose values stand in files: `params = { lr = "params.yaml:train.lr" }`."""

from __future__ import annotations

import json
import os

import pytest
from kit import Project

FORMS = {
    "params.toml": ("[train]\nlr = 0.1\n", "# a note\n[train]\nlr = 0.1\nepochs = 3\n", "[train]\nlr = 0.2\n"),
    "params.json": ('{"train": {"lr": 0.1}}', '{"train": {"epochs": 3, "lr": 0.1}}\n', '{"train": {"lr": 0.2}}'),
    "params.yaml": ("train:\n  lr: 0.1\n", "# a note\ntrain: {lr: 0.1, epochs: 3}\n", "train:\n  lr: 0.2\n"),
    "conf/params.yml": ("train:\n  lr: 1e-1\n", "train:\n  epochs: 3\n  lr: 0.1 # a note\n", "train:\n  lr: 2.0e-1\n"),
}


def train(project: Project, lr: str, **keys: object) -> None:
    project.stage("train", outputs="model.txt", params={"lr": lr}, run="echo {params.lr} > {outputs}", **keys)


@pytest.mark.parametrize("file", list(FORMS))
def test_a_value_counts_and_nothing_else_of_its_file(project: Project, file: str) -> None:
    """An edit of a comment, of another key or of the form reruns nothing; one of the value does, and `why` names both."""
    first, same, other = FORMS[file]
    project.write(file, first)
    train(project, f"{file}:train.lr")
    assert project.build().ran == ["train"]
    assert project.read("model.txt") == "0.1\n"
    project.write(file, same)
    assert project.build().ran == []
    assert project.cli().started == []
    project.write(file, other)
    assert project.status() == {"train": "stale"}
    assert project.why("train") == {"train": ["its command changed", "param `lr` changed: 0.1 -> 0.2"]}
    assert project.build().ran == ["train"]
    assert project.read("model.txt") == "0.2\n"
    project.settled()
    project.write(file, first)
    assert project.build().ran == ["train"]
    project.settled()


def test_a_whole_table(project: Project) -> None:
    """Is a param too: any of its keys counts, their order does not."""
    project.write("params.json", json.dumps({"train": {"lr": 0.1, "layers": [1, 2], "name": None}, "seed": 1}))
    project.write("steps.py", "import json\n\ndef train(outputs, train):\n    with open(outputs[0], 'w') as file:\n        json.dump(train, file)\n")
    project.stage("train", outputs="model.txt", params={"train": "params.json:train"}, call="steps:train")
    assert project.build().ran == ["train"]
    assert json.loads(project.read("model.txt")) == {"lr": 0.1, "layers": [1, 2], "name": None}
    project.write("params.json", json.dumps({"seed": 2, "train": {"name": None, "layers": [1, 2], "lr": 0.1}}))
    assert project.build().ran == []
    project.write("params.json", json.dumps({"seed": 2, "train": {"name": "x", "layers": [1, 2], "lr": 0.1}}))
    assert project.why("train") == {
        "train": ['param `train` changed: {"layers": [1, 2], "lr": 0.1, "name": null} -> {"layers": [1, 2], "lr": 0.1, "name": "x"}']
    }
    assert project.build(mode="process").ran == ["train"]
    project.settled()


def test_what_stands_around_a_stage_is_left_alone(project: Project) -> None:
    """Stages that take another value of the same file stay fresh."""
    project.write("params.toml", "lr = 1\nwidth = 2\n")
    train(project, "params.toml:lr")
    project.stage("draw", outputs="draw.txt", params={"width": "params.toml:width"}, run="echo {params.width} > {outputs}")
    project.build()
    project.write("params.toml", "lr = 1\nwidth = 3\n")
    assert project.build().ran == ["draw"]
    project.settled()


def test_the_build_after_an_edit_of_another_file(project: Project) -> None:
    """Goes on from the index, and has the value that the file has."""
    project.write("params.toml", "lr = 1\n")
    project.write("x", "1\n")
    project.stage(
        "train", inputs="x", outputs="model.txt", params={"lr": "params.toml:lr"}, run="cat {inputs} > {outputs}; echo {params.lr} >> {outputs}"
    )
    project.build()
    project.write("x", "2\n")
    assert project.build().ran == ["train"]
    assert project.read("model.txt") == "2\n1\n"
    project.write("x", "3\n")
    project.write("params.toml", "lr = 2\n")
    assert project.build().ran == ["train"]
    assert project.read("model.txt") == "3\n2\n"
    project.settled()


def test_a_file_outside_of_the_project(project: Project) -> None:
    """Is read like any other, by a relative path and by an absolute one."""
    outside = os.path.join(project.side, "shared.json")
    for path in ("../side/shared.json", outside):
        with open(outside, "w", encoding="utf-8") as file:
            file.write('{"lr": 1}')
        train(project, f"{path}:lr")
        project.build()
        assert project.read("model.txt") == "1\n"
        assert project.cli().started == []
        with open(outside, "w", encoding="utf-8") as file:
            file.write('{"lr": 2}')
        assert project.build().ran == ["train"]
        assert project.read("model.txt") == "2\n"
        assert project.cli().started == []


def test_a_file_that_goes(project: Project) -> None:
    """Is an error before anything runs, and the outputs stand; when it is back, nothing runs."""
    project.write("params.toml", "lr = 1\n")
    train(project, "params.toml:lr")
    project.build()
    text = project.read("params.toml")
    project.remove("params.toml")
    message = "error: Pipefile.toml:4:18: param `lr` of stage `train`: `params.toml` does not exist\n"
    outcome = project.cli()
    assert (outcome.exit_status, outcome.out) == (2, "")
    assert outcome.err.startswith(message)
    assert project.read("model.txt") == "1\n"
    project.write("params.toml", text)
    assert project.build().ran == []
    project.settled()


def test_a_file_that_a_stage_makes(project: Project) -> None:
    """Is an error, whether it is there by now or not; also inside a directory that a stage makes."""
    project.stage("tune", outputs=["out/"], run="mkdir -p {outputs}; echo '{}' > {outputs}/best.json")
    project.build()
    train(project, "out/best.json:lr")
    message = (
        "error: Pipefile.toml:8:18: param `lr` of stage `train`: `out/best.json` is made by stage `tune`, and params have their values before "
        "anything runs\n"
        '  8 | params = { "lr" = "out/best.json:lr" }\n'
        "    |                  ^^^^^^^^^^^^^^^^\n"
        'hint: take the file as an input; a value that a function returns is one too: `"STAGE.NAME"`\n'
    ).replace('"lr" =', "lr =")
    project.write("out/best.json", '{"lr": 1}')
    assert project.cli().err == message
    project.remove("out")
    assert project.cli().err == message


SYNTAX = {
    "a.json": ('{"lr": 1,\n "b": }', 'error: a.json:2:7: expecting value\n  2 |  "b": }\n    |       ^\n'),
    "b.toml": ("lr = 1\nb =\n", "error: b.toml:2:4: a value is missing\n  2 | b =\n    |    ^\n"),
    "c.yaml": ("lr: 1\nb: [1,\n", "error: c.yaml:3:1: did not find expected node content\n"),
    "d.yaml": ("lr: 1\n  b: 2\n", "error: d.yaml:2:4: mapping values are not allowed in this context\n  2 |   b: 2\n    |    ^\n"),
    "e.yaml": (
        "lr: !!python/object/apply:os.system ['touch canary']\n",
        "error: e.yaml:1:5: could not determine a constructor for the tag 'tag:yaml.org,2002:python/object/apply:os.system'\n"
        "  1 | lr: !!python/object/apply:os.system ['touch canary']\n    |     ^\n",
    ),
    "f.json": ("[1]", "error: f.json: holds an array with an integer in it: params are looked up in a table\n"),
    "g.yaml": ("", "error: g.yaml: nothing is in it: params are looked up in a table\n"),
    "h.json": ("[" * 100_000, "error: h.json: nested too deeply\n"),
    "i.yaml": ("a: " + "[" * 100_000, "error: i.yaml:1:1003: exceeded maximum nesting depth\n"),
    "j.json": ('{"lr": ' + "1" * 5000 + "}", "error: j.json: an integer of more than 64 bits\n"),
}


@pytest.mark.parametrize("file", list(SYNTAX))
def test_a_file_that_is_wrong(project: Project, file: str) -> None:
    """Is told of by file, line and column, and nothing of it is run. Cases 85 and 92."""
    text, message = SYNTAX[file]
    project.write(file, text)
    train(project, f"{file}:lr")
    outcome = project.cli()
    said = outcome.err if len(message.splitlines()) > 1 or len(text) < 1000 else outcome.err.splitlines()[0] + "\n"
    assert (said, outcome.out, outcome.exit_status) == (message, "", 2)
    assert not project.exists("canary")


def test_a_bomb_of_aliases(project: Project) -> None:
    """YAML whose text is short and whose values are many is refused where it is asked for; a small value of that file is not. Case 92."""
    lines = ["a0: &a0 [1, 1]"] + [f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 60)] + ["lr: 1", "me: &me [*me]"]
    project.write("params.yaml", "\n".join(lines) + "\n")
    train(project, "params.yaml:lr")
    assert project.build().ran == ["train"]
    for name, fault in (("a59", "more than 100000 values"), ("me", "nested more than 100 levels deep")):
        train(project, f"params.yaml:{name}")
        outcome = project.cli()
        assert outcome.exit_status == 2
        assert outcome.err.splitlines()[0] == f"error: Pipefile.toml:4:12: param `lr` of stage `train`, `{name}` in `params.yaml`, is {fault}"


def test_yaml_as_people_mean_it(project: Project) -> None:
    """Numbers with an exponent are numbers, dates are texts, keys that are no texts are found as they are written."""
    project.write("params.yaml", "lr: 1e-3\nday: 2024-02-12\nsizes: {1: small, 2: {deep: big}}\n'a.b': dotted\n")
    names = {"lr": "lr", "day": "day", "one": "sizes.1", "two": "sizes.2.deep", "dotted": "a.b"}
    project.stage(
        "show",
        outputs="out.txt",
        params={name: f"params.yaml:{key}" for name, key in names.items()},
        run=["sh", "-c", 'echo "$@" > "$0"', "{outputs}", *[f"{{params.{name}}}" for name in names]],
    )
    outcome = project.build()
    assert (outcome.output, outcome.ran) == ("", ["show"])
    assert project.read("out.txt") == "0.001 2024-02-12 small big dotted\n"


def test_null_is_a_value_and_no_text(project: Project) -> None:
    """A function gets `None`; a command cannot."""
    project.write("params.json", '{"resume": null}')
    project.write("steps.py", "def train(outputs, resume):\n    with open(outputs[0], 'w') as file:\n        file.write(repr(resume))\n")
    project.stage("train", outputs="model.txt", params={"resume": "params.json:resume"}, call="steps:train")
    project.build()
    assert project.read("model.txt") == "None"
    project.stage("train", outputs="model.txt", params={"resume": "params.json:resume"}, run="echo {params.resume} > {outputs}")
    outcome = project.cli()
    assert outcome.exit_status == 2
    assert outcome.err.splitlines()[0] == "error: Pipefile.toml:3:13: `{params.resume}` in `run` of stage `train` is null, which is no text"


def test_yaml_without_its_package(project: Project) -> None:
    """The error says what to install; files that need nothing are read."""
    stand_in = os.path.join(project.side, "none")
    os.mkdir(stand_in)
    with open(os.path.join(stand_in, "yaml.py"), "w", encoding="utf-8") as file:
        file.write("raise ModuleNotFoundError(\"No module named 'yaml'\", name='yaml')\n")
    environ = {"PYTHONPATH": stand_in + os.pathsep + project.environ["PYTHONPATH"]}
    project.write("params.yaml", "lr: 1\n")
    train(project, "params.yaml:lr")
    outcome = project.cli(env=environ)
    assert (outcome.err, outcome.out, outcome.exit_status) == (
        "error: params.yaml: YAML needs a package that is not installed\nhint: `pip install 'pipefile[yaml]'`\n", "", 2,
    )  # fmt: skip
    project.write("params.toml", "lr = 1\n")
    train(project, "params.toml:lr")
    assert project.cli(env=environ).exit_status == 0


def test_a_text_that_only_looks_like_one(project: Project) -> None:
    """A value of `[global]` is what it is; so is a text with a blank in it, and an address."""
    project.globals(where="params.yaml:lr")
    texts = {"where": "global.where", "note": "see params.yaml: lr", "url": "https://example.org/params.yaml:lr"}
    project.stage(
        "show",
        outputs="out.txt",
        params=texts,
        run=["sh", "-c", 'printf "%s\\n" "$@" > "$0"', "{outputs}", "{params.where}", "{params.note}", "{params.url}"],
    )
    project.build()
    assert project.read("out.txt").splitlines() == ["params.yaml:lr", *list(texts.values())[1:]]


def test_decorated_stages_take_them_too(project: Project) -> None:
    """`@stage(params={"lr": "params.toml:lr"})`; the file may be chosen by a value of `[global]`."""
    project.write("small.toml", "lr = 1\n")
    project.write("large.toml", "lr = 2\n")
    project.write(
        "steps.py",
        "from pipefile import stage\n\n@stage(outputs={'model': 'model.txt'}, params={'lr': '{global.size}.toml:lr'})\n"
        "def train(model, lr):\n    with open(model, 'w') as file:\n        file.write(str(lr))\n",
    )
    project.globals(size="small")
    project.settings(python=["steps.py"])
    assert project.build().ran == ["train"]
    assert project.read("model.txt") == "1"
    project.globals(size="large")
    assert project.build().ran == ["train"]
    assert project.read("model.txt") == "2"
    project.write("large.toml", "# a note\nlr = 2\n")
    assert project.build().ran == []


def test_read_only_commands_read_them(project: Project) -> None:
    """`list`, `graph`, `query` and a dry run work with them and write nothing."""
    project.write("params.toml", "lr = 1\n")
    train(project, "params.toml:lr")
    before = project.tree()
    for words in (("list",), ("list", "--json"), ("graph",), ("query", "outputs", "train"), ("status",), ("why", "train"), ("-n",), ("check",)):
        assert project.cli(*words).exit_status == 0, words
    assert project.tree() == before
