"""What a command line lays over the Pipefile for once: `--set global.KEY=VALUE` and `--profile NAME`."""

from __future__ import annotations

import json

import pytest
from kit import CliOutcome, Project


def thumbs(project: Project) -> None:
    """`thumb` uses `global.width`, `title` uses `global.text.title`, `plain` uses neither."""
    project.globals(width=640, text={"title": "Photos", "a.b": 1})
    project.write("x", "x\n")
    project.traced("thumb", inputs="x", outputs="thumb.txt", run="echo {global.width} > {outputs}")
    project.traced("title", outputs="title.txt", params={"title": "global.text.title"}, run="echo {params.title} > {outputs}")
    project.traced("plain", inputs="x", outputs="plain.txt", run="cp {inputs} {outputs}")


def failed(outcome: CliOutcome) -> tuple[str, str, int]:
    return outcome.err, outcome.out, outcome.exit_status


def test_a_value_that_is_set_reruns_what_uses_it(project: Project) -> None:
    """And nothing else; the next plain build has the Pipefile's value again, whatever the fast lane knows."""
    thumbs(project)
    project.cli()
    assert project.cli("--set", "global.width=7").started == ["thumb"]
    assert project.read("thumb.txt") == "7\n"
    assert project.cli("--set", "global.width=7").started == []
    assert project.cli("--no-cache").started == ["thumb"]
    assert project.read("thumb.txt") == "640\n"
    assert project.cli().started == []
    project.settled()


def test_without_a_cache_between_them(project: Project) -> None:
    """Command lines are kept apart in both directions, with an edit between them too."""
    thumbs(project)
    plain = ("-j1",)
    other = ("-j1", "--no-cache", "--set", "global.width=7")
    for words, width, ran in ((plain, "640", 3), (other, "7", 1), (other, "7", 0), (plain, "640", 0), (plain, "640", 0), (other, "7", 1)):
        outcome = project.cli("build", *words)
        assert (outcome.exit_status, len(outcome.started)) == (0, ran), words
        assert project.read("thumb.txt") == f"{width}\n"
    project.write("x", "y\n")
    assert sorted(project.cli("build", *other).started) == ["plain", "thumb"]
    assert project.read("thumb.txt") == "7\n"
    project.write("x", "z\n")
    assert sorted(project.cli("build", *plain).started) == ["plain", "thumb"]
    assert project.read("thumb.txt") == "640\n"
    project.settled()


@pytest.mark.parametrize(
    ("text", "shown"),
    [("7", "7"), ('"7 8"', "7 8"), *[(text, text) for text in ("seven", "a=b", "", "1\nb = 2", "2024-02-12", "[1,")]],
)
def test_a_value_is_toml_or_a_text(project: Project, text: str, shown: str) -> None:
    """What TOML has no value for is the text itself; nested keys are reached."""
    thumbs(project)
    assert project.cli("title", "--set", f"global.text.title={text}").exit_status == 0
    assert project.read("title.txt") == f"{shown}\n"


def test_kinds_of_values(project: Project) -> None:
    """Numbers, booleans, lists and tables arrive as what they are."""
    project.globals(value="", table={"a": 1, "b": 2})
    project.write("steps.py", "def show(outputs, value, table):\n    with open(outputs[0], 'w') as file:\n        file.write(repr((value, table)))\n")
    project.stage("show", outputs="out.txt", params={"value": "global.value", "table": "global.table"}, call="steps:show")
    for text, value in (("7", 7), ("0.5", 0.5), ("true", True), ('[1, "a"]', [1, "a"]), ("{ a = 1 }", {"a": 1})):
        project.cli("--set", f"global.value={text}", "--set", "global.table={ c = 3 }")
        assert project.read("out.txt") == repr((value, {"c": 3}))
    project.cli("--set", "global.table.a=5", "--set", "global.table.b=6", "--set", "global.table.a=7")
    assert project.read("out.txt") == repr(("", {"a": 7, "b": 6}))


def test_a_key_that_is_not_there(project: Project) -> None:
    """Is an error before anything runs, with the key that is probably meant."""
    thumbs(project)
    cases = {
        "global.widht=7": "error: `--set global.widht=7`: there is no `global.widht`\nhint: did you mean `global.width`?\n",
        "global.text.titel=7": "error: `--set global.text.titel=7`: there is no `global.text.titel`\nhint: did you mean `global.text.title`?\n",
        "global.width.deep=7": "error: `--set global.width.deep=7`: there is no `global.width.deep`\n",
        "width=7": "error: `--set width=7` names no key of `[global]`\nhint: `--set global.width=7`\n",
        "global.width": "error: `--set global.width` names no key of `[global]`\nhint: `--set global.KEY=VALUE` sets one\n",
        "=7": "error: `--set =7` names no key of `[global]`\nhint: `--set global.KEY=VALUE` sets one\n",
        "global.width=99999999999999999999": (
            "error: `--set global.width=99999999999999999999`: `global.width` is an integer of more than 64 bits\nhint: write it as a string\n"
        ),
    }
    for text, message in cases.items():
        for command in ("build", "status", "list"):
            assert failed(project.cli(command, "--set", text)) == (message, "", 2)
    assert project.cli().started != []


def test_other_commands_see_it_too(project: Project) -> None:
    """`status`, `why`, `list`, `query`, `graph`, `check` and dry runs look at what a build with the same options would do, and write nothing."""
    project.globals(name="one", width=1)
    project.traced("make", outputs="{global.name}.txt", run="echo {global.width} > {outputs}")
    project.cli()
    before = project.tree()
    option = ("--set", "global.width=2")
    assert project.cli("status").out == "1 fresh\n"
    assert project.cli("status", *option).out == "stale   make: its command changed\n1 stale\n"
    assert "echo 2" in project.cli("why", "make", *option).out
    assert "1 would run, 0 fresh" in project.cli("-n", *option).out.splitlines()
    option = ("--set", "global.name=two")
    assert json.loads(project.cli("list", "--json", *option).out)["stages"][0]["outputs"] == ["two.txt"]
    assert project.cli("query", "outputs", "make", *option).out == "two.txt\n"
    assert "two.txt" in project.cli("graph", *option, "--format", "json").out
    assert project.cli("check", *option).exit_status == 0
    assert project.tree() == before


def test_it_removes_nothing(project: Project) -> None:
    """Outputs of the Pipefile as it stands are not dead because a command line has other ones; a plain build removes those."""
    project.globals(name="one")
    project.traced("make", outputs="{global.name}.txt", run="echo > {outputs}")
    project.cli()
    assert project.cli("--set", "global.name=two").out.count("removed") == 0
    assert project.exists("one.txt")
    assert project.exists("two.txt")
    assert failed(project.cli("clean", "--dead", "--set", "global.name=two")) == (
        "error: `--dead` goes with neither `--profile` nor `--set`: what is dead with them may not be without\n", "", 2,
    )  # fmt: skip
    outcome = project.cli()
    assert outcome.started == []
    assert "removed `two.txt`, which no stage makes any more" in outcome.out
    assert project.cli("clean", "--set", "global.name=one").out == "removed one.txt\n"


def test_what_editors_ask_is_about_the_pipefile(project: Project) -> None:
    """`list --json` is answered from the index where that is of the Pipefile: not after a build with other values."""
    project.globals(name="one")
    project.traced("make", outputs="{global.name}.txt", run="echo > {outputs}")
    project.cli("--set", "global.name=two")
    assert json.loads(project.cli("list", "--json").out)["stages"][0]["outputs"] == ["one.txt"]
    project.cli()
    assert json.loads(project.cli("list", "--json", "--set", "global.name=two").out)["stages"][0]["outputs"] == ["two.txt"]
    assert json.loads(project.cli("list", "--json").out)["stages"][0]["outputs"] == ["one.txt"]


def test_clean_and_accept(project: Project) -> None:
    """Are about the outputs that a build with the same options has."""
    project.globals(name="one")
    project.traced("make", outputs="{global.name}.txt", run="echo > {outputs}")
    project.cli("--set", "global.name=two")
    project.write("two.txt", "by hand\n")
    assert project.cli("accept", "make", "--reason", "right", "--set", "global.name=two").out == "accepted make\n"
    assert project.cli("--set", "global.name=two").started == []
    assert project.cli("clean", "--set", "global.name=two").out == "removed two.txt\n"


def test_pipelines_in_python(project: Project) -> None:
    """Have it in their configuration."""
    project.globals(size="small")
    project.write(
        "flow.py",
        "from pipefile import pipeline, stage\n\n@stage(outputs={'out': 'out.txt'})\ndef make(out, size):\n    with open(out, 'w') as file:\n"
        "        file.write(size)\n\n@pipeline\ndef flow(config):\n    return make(size=config.size)\n",
    )
    project.settings(python=["flow.py"])
    for words, text in (((), "small"), (("--set", "global.size=large"), "large"), ((), "small")):
        assert project.cli("flow", *words).exit_status == 0
        assert project.read("out.txt") == text
    assert project.cli("flow").out.startswith("1 fresh")


# --- profiles


def with_profiles(project: Project) -> None:
    thumbs(project)
    text = project.read("Pipefile.toml")
    project.pipefile(
        text
        + '\n[profile.small.global]\nwidth = 16\ntext = { title = "Small" }\n\n[profile.few]\ndefault = ["plain"]\nresources = { license = 1 }\n'
        + '\n[stage.licensed]\ninputs = ["x"]\noutputs = ["licensed.txt"]\nrun = "cp {inputs} {outputs}"\n'
    )


def test_a_profile_lays_values_over_others(project: Project) -> None:
    """Tables are joined, what it does not name stays; without it all is as before."""
    with_profiles(project)
    project.cli()
    outcome = project.cli("--profile", "small")
    assert sorted(outcome.started) == ["thumb", "title"]
    assert (project.read("thumb.txt"), project.read("title.txt")) == ("16\n", "Small\n")
    assert project.cli("--profile=small").started == []
    assert project.cli("--profile=small", "--set", "global.width=17").started == ["thumb"]
    project.cli()
    assert (project.read("thumb.txt"), project.read("title.txt")) == ("640\n", "Photos\n")
    project.settled()


def test_a_profile_has_its_own_default_and_resources(project: Project) -> None:
    """Named targets are built all the same; a resource that the machine has with the profile alone may be asked for with it alone."""
    with_profiles(project)
    assert project.cli("--profile", "few").started == ["plain"]
    assert project.cli("--profile", "few", "thumb").started == ["thumb"]
    text = project.read("Pipefile.toml")
    project.pipefile(text + "resources = { license = 2 }\n")
    fault = "error: Pipefile.toml:32:15: `license` in `resources` of stage `licensed` is not in `[resources]`\n"
    assert project.cli().err.startswith(fault)
    assert project.cli("--profile", "few", "licensed").err.startswith("error: stage `licensed` needs 2 of `license`, and there are 1\n")
    project.pipefile(text + "resources = { license = 1 }\n")
    assert project.cli("--profile", "few", "licensed").exit_status == 0


def test_all_commands_take_a_profile(project: Project) -> None:
    """Those that load the graph; a profile that there is not is an error with a hint."""
    with_profiles(project)
    project.cli("--profile", "small")
    before = project.tree()
    for line in ("status", "why thumb", "list", "list --status", "query deps thumb", "graph", "check", "build -n"):
        words = line.split()
        assert project.cli(*words, "--profile", "small").exit_status == 0, words
        message = "error: there is no profile `smal`\nhint: did you mean `small`?\n"
        assert failed(project.cli(*words, "--profile", "smal")) == (message, "", 2), words
    assert project.cli("status", "--profile", "small", "thumb").out == "1 fresh\n"
    assert project.tree() == before
    assert failed(project.cli("--profile", "zzz")) == ("error: there is no profile `zzz`\nhint: there are `small`, `few`\n", "", 2)
    assert project.cli("clean", "--profile", "small", "thumb").out == "removed thumb.txt\n"
    thumbs(project)
    assert failed(project.cli("--profile", "zzz")) == ("error: there is no profile `zzz`\n", "", 2)
