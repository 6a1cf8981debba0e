"""Where functions run: in the builder or in a process of their own, and what either means for what they do."""

from __future__ import annotations

import json
import os
import signal

import pytest
from kit import Project

QUOTED = "'made'"
OUTPUT = "    with open(out, 'w') as file:\n        file.write('made')\n"


def function(project: Project, name: str, body: str = "", module: str = "steps", **keys: object) -> None:
    """A stage that calls a function of a module of its own, which writes its output after *body*."""
    lines = "".join(f"    {line}\n" for line in body.split("\n") if line)
    project.write(f"{module}_{name}.py", f"import ctypes, os, sys, threading\ndef run(out):\n{lines}{OUTPUT}")
    project.stage(name, outputs={"out": f"{name}.txt"}, call=f"{module}_{name}:run", **keys)


def modes(project: Project) -> dict[str, tuple[str, str]]:
    """How each stage of the last run was carried out, and why."""
    with open(project.path("pipeline_outputs/latest/manifest.json"), encoding="utf-8") as file:
        return {edge["stage"]: (edge["mode"], edge["mode_reason"]) for edge in json.load(file)["edges"]}


def test_the_rules(project: Project) -> None:
    """The first one that fits counts, and the run says which."""
    project.settings(large_input="1KB")
    project.write("large", "x" * 2000)
    project.write("folder/half", "x" * 600)
    project.write("folder/rest", "x" * 600)
    project.write("steps_big.py", f"def run(inputs, out):\n{OUTPUT}")
    project.stage("big", inputs=["large"], outputs={"out": "big1.txt"}, call="steps_big:run")
    project.stage("big_folder", inputs=["folder/"], outputs={"out": "big2.txt"}, call="steps_big:run")
    project.stage("big_and_late", inputs=["large"], outputs={"out": "big3.txt"}, call="steps_big:run", timeout="1m")
    function(project, "plain")
    function(project, "late", timeout="1m")
    function(project, "outside", external=True)
    function(project, "said", mode="process", timeout="1m")
    function(project, "here", mode="function", timeout="1m")
    project.stage("command", outputs="c", run="echo > {outputs}")
    assert project.build().exit_status == 0
    assert modes(project) == {
        "big": ("function", "its inputs are larger than `large_input`"),
        "big_folder": ("function", "its inputs are larger than `large_input`"),
        "big_and_late": ("process", "`timeout` is set"),
        "plain": ("function", "nothing asks for a process"),
        "late": ("process", "`timeout` is set"),
        "outside": ("process", "`external` is set"),
        "said": ("process", "`mode` says so"),
        "here": ("function", "`mode` says so"),
        "command": ("command", ""),
    }


@pytest.mark.parametrize(
    ("asked", "found"), [("process", ["process"] * 3), ("function", ["function"] * 3), ("auto", ["function", "process", "function"])]
)
def test_the_option_overrides_every_stage(project: Project, asked: str, found: list[str]) -> None:
    function(project, "plain")
    function(project, "late", timeout="1m", mode="function")
    function(project, "said", mode="process")
    assert project.cli("--mode", asked).exit_status == 0
    shown = modes(project)
    assert [shown[name][0] for name in ("plain", "late", "said")] == found


def test_the_mode_is_in_no_key(project: Project) -> None:
    function(project, "a")
    assert project.build().ran == ["a"]
    function(project, "a", mode="process", external=True)
    assert project.build().ran == []
    assert project.build(mode="process").ran == []


def test_why_and_runs_show_tell_the_mode(project: Project) -> None:
    function(project, "a", timeout="1m")
    assert project.cli("why", "a").out == "`a` is stale\n  it has no record of an earlier run\n  mode: process (`timeout` is set)\n"
    assert project.cli().exit_status == 0
    assert "\n  it has no record of an earlier run\n  mode: process (`timeout` is set)\n" in project.cli("runs", "show").out


def test_setup_is_part_of_the_key_and_so_is_its_code(project: Project) -> None:
    project.write("models.py", "def small():\n    return 'small'\ndef large():\n    return 'large'\n")
    project.write("steps.py", "def run(out, setup):\n    with open(out, 'w') as file:\n        file.write(setup)\n")
    for mode in ("process", "function"):
        project.stage("a", outputs={"out": "a.txt"}, call="steps:run", setup="models:small", mode=mode)
        project.build()
        assert project.read("a.txt") == "small"
        project.stage("a", outputs={"out": "a.txt"}, call="steps:run", setup="models:large", mode=mode)
        code = ["code `large` (models.py) is new", "code `small` (models.py) is gone"]
        assert project.why("a") == {"a": ["its setup function changed: models:small -> models:large", *code]}
        assert project.build().ran == ["a"]
        assert project.read("a.txt") == "large"
    project.write("models.py", "def large():\n    return 'larger'\n")
    assert project.why("a") == {"a": ["code `large` (models.py) changed"]}
    assert project.build().ran == ["a"]
    assert project.read("a.txt") == "larger"


@pytest.mark.parametrize("mode", ["function", "process"])
def test_setup_runs_once_for_stages_that_share_it(project: Project, mode: str) -> None:
    project.write("steps.py", "def load():\n    print('loading')\n    return [0]\ndef run(out, setup):\n    open(out, 'w').close()\n")
    for number in range(3):
        project.stage(f"s{number}", outputs={"out": f"{number}.txt"}, call="steps:run", setup="steps:load", mode=mode)
    assert project.build(jobs=1).output == "loading\n"


@pytest.mark.parametrize("mode", ["function", "process"])
def test_ctx_in_both_modes(project: Project, mode: str) -> None:
    project.write(
        "steps.py",
        "def run(out, ctx, title):\n"
        "    ctx.log.info('attempt %d of %s', ctx.attempt, ctx.params['title'])\n"
        "    with open(ctx.artifact('note.txt'), 'w') as file:\n        file.write('note')\n"
        "    with open(out, 'w') as file:\n        file.write(ctx.tmpdir)\n",
    )
    project.stage("a", outputs={"out": "a.txt"}, call="steps:run", params={"title": "x"}, mode=mode)
    assert project.build().output == "attempt 1 of x\n"
    assert project.read("pipeline_outputs/latest/a/artifacts/note.txt") == "note"
    assert not os.path.exists(project.read("a.txt"))


# What functions do to their process (case 51)

HARMS = {
    "exit0": ("sys.exit(0)", "did not write", "did not write"),
    "exit3": ("sys.exit(3)", "exit status 3", "exit status 3"),
    "base": ("raise BaseException('x')", "BaseException: x", "BaseException: x"),
    "chdir": ("os.chdir('/')", "the working folder was changed to `/` while it ran: functions share it", ""),
    "environ": ("os.environ['NEW'] = '1'", "os.environ was changed while it ran (`NEW`): functions share it", ""),
}


@pytest.mark.parametrize("mode", ["function", "process"])
@pytest.mark.parametrize("harm", list(HARMS))
def test_harm_to_the_process_stays_with_its_stage(project: Project, harm: str, mode: str) -> None:
    """Case 51: in the builder it fails the stage, in a process it is nobody else's matter; the others are made."""
    body, here, apart = HARMS[harm]
    expected = here if mode == "function" else apart
    function(project, "bad", body.replace("chdir('/')", "chdir('/'); out = os.path.join(os.path.dirname(__file__), out)"), mode=mode)
    function(project, "good", "print(os.getcwd() == os.path.dirname(__file__), 'NEW' in os.environ)", mode=mode)
    outcome = project.build(jobs=1, keep_going=True)
    assert outcome.failed == (["bad"] if expected else [])
    assert expected in outcome.output
    assert "True False\n" in outcome.output
    assert outcome.exit_status == (1 if expected else 0)


@pytest.mark.parametrize("mode", ["function", "process"])
def test_a_thread_that_prints_and_one_that_is_left(project: Project, mode: str) -> None:
    """Case 51: prints of threads are in the stage's log; a thread that is left over holds up nobody."""
    thread = "thread = threading.Thread(target=print, args=('from a thread',)); thread.start(); thread.join()"
    function(project, "a", f"{thread}\nthreading.Thread(target=threading.Event().wait).start()", mode=mode)
    outcome = project.cli(timeout=60)
    assert (outcome.exit_status, outcome.err) == (0, "")
    assert project.read("pipeline_outputs/latest/a/log.txt") == "from a thread\n"


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("os._exit(3)", "failed: exit status 3"),
        ("os._exit(0)", "ended without returning"),
        ("ctypes.string_at(0)", "failed: killed by SIGSEGV"),
        ("os.kill(os.getpid(), 9)", "failed: killed by SIGKILL"),
    ],
)
def test_a_crash_in_a_process_fails_its_stage_alone(project: Project, code: str, error: str) -> None:
    """Cases 51 and 52."""
    function(project, "bad", code, mode="process")
    function(project, "good", mode="process")
    function(project, "here")
    outcome = project.cli("-k", "-j2")
    assert outcome.exit_status == 1
    assert outcome.err.startswith(f"Pipefile.toml:1:1: error: stage `bad` {error}\n")
    assert (project.read("good.txt"), project.read("here.txt"), project.exists("bad.txt")) == ("made", "made", False)
    assert project.processes() == []


@pytest.mark.parametrize(("code", "status"), [("os._exit(3)", 3), ("ctypes.string_at(0)", -signal.SIGSEGV)])
def test_a_crash_in_the_builder_ends_it_and_the_next_build_recovers(project: Project, code: str, status: int) -> None:
    """Case 51: in function mode."""
    function(project, "good")
    function(project, "bad", code, after=["good"])
    assert project.cli("-j1").exit_status == status
    assert not project.exists("bad.txt")
    function(project, "bad")
    outcome = project.cli()
    assert (outcome.exit_status, project.read("bad.txt")) == (0, "made")
    project.settled()


@pytest.mark.parametrize("mode", ["function", "process"])
def test_an_endless_function_and_its_timeout(project: Project, mode: str) -> None:
    """Case 51."""
    function(project, "bad", "while True: pass", mode=mode, timeout="300ms")
    outcome = project.cli()
    assert outcome.exit_status == 1
    assert outcome.err.startswith("Pipefile.toml:1:1: error: stage `bad` failed: timed out after 300 ms\n")
    assert project.processes() == []


@pytest.mark.parametrize("mode", ["function", "process"])
def test_no_warning_of_forks_beside_threads(project: Project, mode: str) -> None:
    """Case 53: with warnings as errors, and threads in the builder at the same time."""
    function(project, "threads", "threading.Thread(target=threading.Event().wait, daemon=True).start()")
    function(project, "a", "import warnings; print(warnings.filters[0][0])", mode=mode, after=["threads"])
    function(project, "b", mode=mode, after=["a"])
    outcome = project.cli("-j2", env={"PYTHONWARNINGS": "error"})
    assert (outcome.exit_status, outcome.err) == (0, "")
    assert project.read("pipeline_outputs/latest/a/log.txt") == "error\n"


@pytest.mark.parametrize("mode", ["function", "process", "setup", "command"])
def test_many_trivial_stages_at_once(project: Project, mode: str) -> None:
    """Case 54: -j 64; PIPEFILE_ROUNDS builds of 60 stages each."""
    project.write("steps.py", "def load():\n    return 1\ndef run(outputs, n):\n    with open(outputs[0], 'w') as out:\n        out.write(str(n))\n")
    keys = {"setup": "steps:load", "mode": "process"} if mode == "setup" else {"mode": mode}
    for number in range(60):
        if mode == "command":
            project.stage(f"s{number}", outputs=[f"{number}.txt"], run="echo x > {outputs}")
        else:
            project.stage(f"s{number}", outputs=[f"{number}.txt"], call="steps:run", params={"n": number}, **keys)
    for _ in range(int(os.environ.get("PIPEFILE_ROUNDS", "2"))):
        outcome = project.cli("-j", "64", "-B", timeout=120)
        assert (outcome.exit_status, outcome.err) == (0, "")
        assert outcome.out.splitlines()[-1].startswith("60 ran in ")
    assert project.processes() == []


def test_code_that_a_stage_makes_is_seen_by_workers_that_are_kept(project: Project) -> None:
    """A stage in between writes the module that the next one calls; both share a worker's setup."""
    project.write("steps.py", f"def load():\n    return 1\ndef run(out, setup):\n    from made import NAME\n{OUTPUT.replace(QUOTED, 'NAME')}")
    project.write("name", "one")
    project.stage("make", inputs="name", outputs="made.py", run="printf 'NAME = \"%s\"\\n' $(cat {inputs}) > {outputs}", infer_inputs=False)
    project.stage("a", outputs={"out": "a.txt"}, call="steps:run", setup="steps:load", mode="process")
    project.build()
    assert project.read("a.txt") == "one"
    project.write("name", "two")
    project.build()
    assert project.read("a.txt") == "two"


# Keys

COMMAND = '[stage.a]\nrun = "true"\n'
CALL = '[stage.a]\ncall = "steps:f"\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (COMMAND + 'mode = "process"\n', "`mode` of stage `a` is for functions, and the stage runs a command"),
        (COMMAND + "external = true\n", "`external` of stage `a` is for functions, and the stage runs a command"),
        (COMMAND + 'setup = "steps:f"\n', "`setup` of stage `a` is for functions, and the stage runs a command"),
        (CALL + 'setup = "steps"\n', "`setup` of stage `a` must be `module:function`, not `steps`"),
        (CALL + 'mode = "procces"\n', "`mode` in stage `a` must be `auto` or `function` or `process`, not `procces`"),
        (CALL + "mode = 1\n", "`mode` of stage `a` must be a string, not an integer"),
        (CALL + 'external = "yes"\n', "`external` of stage `a` must be true or false, not a string"),
    ],
)
def test_keys_that_are_wrong(project: Project, text: str, message: str) -> None:
    project.pipefile(text)
    outcome = project.build()
    assert outcome.exit_status == 2
    assert outcome.output.startswith(f"error: Pipefile.toml:3:1: {message}\n") or f": {message}\n" in outcome.output
