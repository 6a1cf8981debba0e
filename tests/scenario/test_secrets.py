"""Secrets: they reach their stages, and nobody can read them anywhere afterwards (case 90)."""

from __future__ import annotations

import os

import pytest
from kit import Project

CANARY = "c4n4ry-7f3a \"quoted\"\\/x"
PARTS = ("c4n4ry", "7f3a")

STEPS = """
import logging, os, sys

def leak(out, ctx):
    token = os.environ["TOKEN"]
    print(token)
    sys.stderr.write(token[:5]); sys.stderr.flush()
    sys.stderr.write(token[5:] + "\\n")
    ctx.log.info("with %s", token)
    with open(out, "w") as file:
        file.write(str(len(token)))

def fails(out, ctx):
    leak(out, ctx)
    raise ValueError(f"refused: {os.environ['TOKEN']!r}")

def instead(out, ctx):
    print("instead:", os.environ["TOKEN"])
    open(out, "w").close()

def tells(ctx):
    return {"n": len(os.environ["TOKEN"])}
"""


def everything(project: Project) -> str:
    """All bytes of all files of the project but the Pipefile, and their names."""
    found = []
    for folder, _, names in os.walk(project.root):
        for name in names:
            path = os.path.join(folder, name)
            found.append(path)
            if not os.path.islink(path):
                with open(path, encoding="utf-8", errors="replace") as file:
                    found.append(file.read())
    return "\n".join(found)


def assert_nowhere(project: Project, *texts: str) -> None:
    for text in (everything(project), *texts):
        assert not any(part in text for part in PARTS)


@pytest.fixture
def secret(project: Project) -> Project:
    project.environ["TOKEN"] = CANARY
    project.write("steps.py", STEPS)
    return project


@pytest.mark.parametrize("args", [(), ("--json",), ("-v", "--why")])
def test_commands(secret: Project, args: tuple[str, ...]) -> None:
    """Case 90: what a command prints, in one piece or two; that it has the value, its output tells."""
    run = 'printf %s "$TOKEN" | wc -c > {outputs}; printf "%s\\n" "$TOKEN"; printf %.6s "$TOKEN"; printf "%s\\n" "${TOKEN#??????}" >&2'
    secret.stage("a", outputs="a", run=run, secret_env=["TOKEN"])
    outcome = secret.cli(*args)
    assert outcome.exit_status == 0
    assert int(secret.read("a")) == len(CANARY)
    assert_nowhere(secret, outcome.out, outcome.err, secret.cli("runs", "show").out, secret.cli("runs", "log").out)
    assert secret.cli("runs", "log").out.count("***") == 2


@pytest.mark.parametrize("mode", ["function", "process"])
@pytest.mark.parametrize("call", ["steps:leak", "steps:fails"])
def test_functions(secret: Project, mode: str, call: str) -> None:
    """Case 90: prints, `ctx.log`, the exception and its traceback, in both modes; with retries and a fallback."""
    keys: dict[str, object] = {"retry_policy": {"max_attempts": 2, "delay": "1ms"}, "fallback": "instead"}
    secret.stage("a", outputs={"out": "a"}, call=call, mode=mode, secret_env=["TOKEN"], **keys)
    outcome = secret.cli("--json")
    assert outcome.exit_status == 0
    shown = [secret.cli("runs", *words).out for words in (("show",), ("show", "--json"), ("log",))]
    assert_nowhere(secret, outcome.out, outcome.err, *shown)
    assert "***" in shown[2]
    if call == "steps:fails":
        assert "ValueError: refused: '***'" in shown[0]
        assert secret.cli("why", "a").out.count(PARTS[0]) == 0


def test_failures(secret: Project) -> None:
    """Case 90: the page about a failed stage, and the history."""
    secret.stage("a", outputs={"out": "a"}, call="steps:fails", secret_env=["TOKEN"])
    outcome = secret.cli()
    assert outcome.exit_status == 1
    assert "refused: '***'" in outcome.out + outcome.err
    assert_nowhere(secret, outcome.out, outcome.err, secret.cli("runs", "show").out)


def test_it_is_in_no_key(secret: Project) -> None:
    secret.stage("a", outputs="a", run="date > {outputs}", secret_env=["TOKEN"])
    assert secret.build().ran == ["a"]
    assert secret.cli().out.startswith("1 fresh")
    secret.environ["TOKEN"] = "another-one"
    assert secret.cli().out.startswith("1 fresh")
    assert secret.build().ran == []
    del secret.environ["TOKEN"]
    assert secret.build().ran == []
    secret.stage("a", outputs="a", run="date > {outputs}")
    assert secret.build().ran == []


def test_commands_that_have_it_by_another_way(secret: Project) -> None:
    """A value that another stage returns is masked where it stands in a command: on the terminal, in the record, in the manifest."""
    secret.write("steps.py", "import os\ndef token():\n    return os.environ['TOKEN']\n")
    secret.stage("get", outputs={"token": "value:str"}, call="steps:token", secret_env=["TOKEN"])
    secret.stage("use", inputs={"token": "get.token"}, outputs="b", run="printf %s {token} | wc -c > {outputs}; test -n {token}")
    secret.stage("lose", inputs={"token": "get.token"}, outputs="c", run="echo {token}; exit 3")
    outcome = secret.cli("-k", "-v", "--why")
    assert outcome.exit_status == 1
    assert int(secret.read("b")) == len(CANARY)
    secret.remove("pipeline_outputs/values")  # the output itself, which holds what its stage has put there
    assert_nowhere(secret, outcome.out, outcome.err, secret.cli("why", "b").out, secret.cli("status", "--json").out)


def test_strict_environments_let_it_in(secret: Project) -> None:
    """With `strict_env` a secret reaches the stages that name it, and no others."""
    secret.settings(strict_env=True)
    secret.stage("a", outputs="a", run='printf %s "${TOKEN-none}" | wc -c > {outputs}', secret_env=["TOKEN"])
    secret.stage("b", outputs="b", run='printf %s "${TOKEN-none}" | wc -c > {outputs}')
    assert secret.build().exit_status == 0
    assert (int(secret.read("a")), int(secret.read("b"))) == (len(CANARY), 4)


def test_of_dotenv_files(project: Project) -> None:
    """One that a dotenv file sets is masked too, also in what stages print that do not name it."""
    project.settings(dotenv=["../side/.env"])
    with open(os.path.join(project.side, ".env"), "w") as file:
        file.write(f"TOKEN={PARTS[0]}-{PARTS[1]}\n")
    project.stage("a", outputs="a", run='echo "$TOKEN"; touch {outputs}', secret_env=["TOKEN"])
    project.stage("b", outputs="b", run='echo "$TOKEN"; touch {outputs}')
    outcome = project.cli()
    assert outcome.out.count("***\n") == 2
    assert_nowhere(project, outcome.out, outcome.err)


def test_short_and_empty_ones(project: Project) -> None:
    """What is too short to be masked is warned of; what is empty or not set is nothing."""
    project.stage("a", outputs="a", run='echo "$PIN"; touch {outputs}', secret_env=["PIN", "EMPTY", "UNSET"])
    outcome = project.build(environ={**project.environ, "PIN": "123", "EMPTY": ""})
    assert outcome.output == "warning: secret `PIN` has fewer than 4 characters: it is not masked\n123\n"
    assert project.cli("runs", "log").out.endswith("123\n")


def test_tracked_variables_are_digests(secret: Project) -> None:
    """What is in `env` is in the key, and in records by a digest that its name is part of; `show_env` shows it."""
    secret.stage("a", outputs="a", run="touch {outputs}", env=["TOKEN"])
    secret.stage("b", outputs="b", run="touch {outputs}", env=["TOKEN", "OTHER"])
    secret.environ["OTHER"] = CANARY
    assert secret.build().exit_status == 0
    assert_nowhere(secret)
    secret.settings(show_env=["TOKEN"])
    secret.environ["TOKEN"] = "plain-value"
    assert sorted(secret.build().ran) == ["a", "b"]
    assert "plain-value" in secret.read(secret.record("a"))


@pytest.mark.parametrize(
    ("settings", "env", "names", "message"),
    [
        ({}, ["TOKEN"], ["TOKEN"], "`TOKEN` is in `secret_env` of stage `a`, and in `env` of the stage"),
        ({}, {"TOKEN": "x"}, ["TOKEN"], "`TOKEN` is in `secret_env` of stage `a`, and in `env` of the stage"),
        ({"env": ["TOKEN"]}, [], ["TOKEN"], "`TOKEN` is in `secret_env` of stage `a`, and in `env` of `[pipefile]`"),
        ({"show_env": ["TOKEN"]}, [], ["TOKEN"], "`TOKEN` is in `secret_env` of stage `a`, and in `show_env` of `[pipefile]`"),
        ({}, [], ["A=B"], "`A=B` in `secret_env` of stage `a` is no name of a variable"),
    ],
)
def test_faults(project: Project, settings: dict[str, object], env: object, names: list[str], message: str) -> None:
    project.settings(**settings)
    project.stage("a", outputs="a", run="touch {outputs}", env=env, secret_env=names)
    outcome = project.build()
    assert outcome.exit_status == 2
    assert outcome.output.partition("\n")[0].endswith(f": {message}")
