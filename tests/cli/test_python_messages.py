"""What is said of Python files that cannot be run, or that declare what does not fit."""

from __future__ import annotations

import pytest
from kit import Project

HEAD = "from pipefile import FileRef, pipeline, stage\n\n\n"


def told(project: Project, text: str, **files: str) -> str:
    """Standard error of a build; it has to end with status 2, with nothing on standard output."""
    project.settings(python=["pipeline.py"])
    project.write("pipeline.py", text)
    for name, inner in files.items():
        project.write(f"{name}.py", inner)
    outcome = project.cli("build")
    assert (outcome.exit_status, outcome.out) == (2, "")
    return outcome.err


def test_an_unknown_keyword(project: Project) -> None:
    """With the line and a marker."""
    assert told(project, HEAD + "@stage(\n    input={'x': 'in.txt'},\n)\ndef make(x):\n    pass\n") == (
        "error: pipeline.py:5:5: unknown key `input` in stage `make`\n"
        "  5 |     input={'x': 'in.txt'},\n"
        "    |     ^^^^^\n"
        "hint: did you mean `inputs`?\n"
    )


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("@stage(inputs={'src': 'in.txt'}, outputs=int)\ndef make(scr):", "`src`, which its function does not take: it takes `scr`", "scr"),
        ("@stage(params={'a': 1}, outputs=int)\ndef make():", "`a`, which its function does not take: it takes no arguments", ""),
        ("@stage(outputs={'dst': 'x'})\ndef make(ctx):", "`dst`, which its function does not take: it takes `ctx`", ""),
        ("@stage(inputs='in.txt', outputs=int)\ndef make(x=1):", "`inputs`, which its function does not take: it takes `x`", ""),
    ],
)
def test_an_argument_that_the_function_does_not_take(project: Project, text: str, message: str, hint: str) -> None:
    """Told before anything runs, not after hours of what comes before."""
    err = told(project, f"{HEAD}{text}\n    pass\n")
    head, line, _, *rest = err.splitlines()
    assert head.startswith("error: pipeline.py:4:")
    assert head.endswith(f": stage `make` hands over {message}")
    assert line == f"  4 | {text.splitlines()[0]}"
    assert rest == ([f"hint: did you mean `{hint}`?"] if hint else [])


def test_a_function_that_takes_anything(project: Project) -> None:
    """As with decorators that hand on what they get."""
    project.settings(python=["pipeline.py"])
    project.write("in.txt", "")
    project.write("pipeline.py", HEAD + "@stage(inputs={'src': 'in.txt'}, outputs=int)\ndef make(**given):\n    return len(given)\n")
    assert project.build().ran == ["make"]


def test_a_stage_that_lacks_an_argument(project: Project) -> None:
    """By itself it is none; who asks for it is told why, and `check` tells of it."""
    project.settings(python=["pipeline.py"])
    text = HEAD + "@stage(outputs=int)\ndef make(ctx, number, more=1):\n    return number\n"
    project.write("pipeline.py", text)
    outcome = project.cli("make")
    assert (outcome.exit_status, outcome.out) == (2, "")
    assert outcome.err == (
        "error: stage `make` is for pipelines alone: nothing that it declares gives its function the argument `number`\n  pipeline.py:4\n"
    )
    assert project.cli().out.startswith("nothing to do in ")
    outcome = project.cli("check")
    assert (outcome.out, outcome.exit_status) == ("0 stages: 1 warning\n", 0)
    assert outcome.err == "warning: stage `make` is in no pipeline, and by itself it lacks the argument `number`\n  pipeline.py:4\n"
    project.write("pipeline.py", text + "\n\n@pipeline\ndef flow():\n    return make(1)\n")
    assert project.cli("make").exit_status == 0
    assert project.cli("check").err == ""


def test_what_the_reader_of_pipefiles_refuses(project: Project) -> None:
    """The same checks and words as for TOML, at the very entry."""
    assert told(project, HEAD + "@stage(outputs={'out': '../x'}, timeout='soon')\ndef make(out):\n    pass\n") == (
        "error: pipeline.py:4:17: output `../x` of stage `make` leaves the project\n"
        "  4 | @stage(outputs={'out': '../x'}, timeout='soon')\n"
        "    |                 ^^^^^\n"
        'hint: folders outside are named in `[pipefile] outside = ["/..."]`\n'
    )
    assert told(project, HEAD + "@stage(timeout='soon')\ndef make():\n    pass\n") == (
        "error: pipeline.py:4:8: `timeout` of stage `make` must be a duration, not `soon`\n"
        "  4 | @stage(timeout='soon')\n"
        "    |        ^^^^^^^\n"
        'hint: a duration is a number and a unit: "500ms", "1s", "10m" or "2h"\n'
    )


def test_a_module_that_raises(project: Project) -> None:
    """The lines of the project that led to it, and no traceback of ours."""
    text = HEAD + "import helper\n\nhelper.check(0)\n"
    assert told(project, text, helper="def check(n):\n    return 1 / n\n") == (
        "error: `pipeline.py` cannot be imported: ZeroDivisionError: division by zero\n"
        "  pipeline.py:6  helper.check(0)\n  helper.py:2  return 1 / n\n"
    )


def test_a_module_that_is_no_python(project: Project) -> None:
    """Where, and in Python's words."""
    assert told(project, "def f(:\n    pass\n") == "error: `pipeline.py` cannot be imported: invalid syntax\n  pipeline.py:1:7  def f(:\n"


def test_a_module_that_ends_the_program(project: Project) -> None:
    """It does not end the build as if all were well."""
    text = "import sys\nsys.exit(0)\n"
    assert told(project, text) == "error: `pipeline.py` cannot be imported: it ends the program\n  pipeline.py:2  sys.exit(0)\n"


def test_a_module_that_is_missing(project: Project) -> None:
    """Its own import that fails."""
    assert told(project, "import nowhere_at_all\n") == (
        "error: `pipeline.py` cannot be imported: ModuleNotFoundError: No module named 'nowhere_at_all'\n  pipeline.py:1  import nowhere_at_all\n"
    )


def test_a_file_that_is_missing(project: Project) -> None:
    """The entry of Pipefile.toml is shown; by commands that look only as well."""
    project.settings(python=["pipelin.py"])
    expected = (
        "error: Pipefile.toml:2:11: `pipelin.py` in `python` of `[pipefile]` does not exist\n"
        '  2 | python = ["pipelin.py"]\n'
        "    |           ^^^^^^^^^^^^\n"
    )
    for words in ("build", "status"):
        outcome = project.cli(words)
        assert (outcome.exit_status, outcome.err) == (2, expected)


def test_a_name_that_is_no_file_of_python(project: Project) -> None:
    """Neither by its ending nor as a module."""
    project.settings(python=["steps"])
    assert project.cli("list").err == (
        "error: Pipefile.toml:2:11: `steps` in `python` of `[pipefile]` is no Python file\n"
        '  2 | python = ["steps"]\n'
        "    |           ^^^^^^^\n"
        "hint: it names files such as `pipeline.py`\n"
    )
    project.settings(python=["my-steps.py"])
    project.write("my-steps.py", "")
    assert project.cli("build").err == "error: `my-steps.py` cannot be imported: `my-steps` is no name that Python knows for a module\n"


def test_a_stage_of_both(project: Project) -> None:
    """Both places are named."""
    project.stage("make", outputs="x", run="touch {outputs}")
    assert told(project, HEAD + "@stage(outputs='y')\ndef make(outputs):\n    pass\n") == (
        "error: stage `make` is declared twice\n  Pipefile.toml:4\n  pipeline.py:4\n"
    )


def test_a_stage_twice(project: Project) -> None:
    """In one file, or in two."""
    text = "@stage(outputs='{}', name='make')\ndef {}(outputs):\n    pass\n\n\n"
    assert told(project, HEAD + text.format("a", "one") + text.format("b", "two")) == (
        "error: stage `make` is declared twice\n  pipeline.py:4\n  pipeline.py:9\n"
    )


def test_a_pipeline_with_the_name_of_something_else(project: Project) -> None:
    """An alias or a stage of that name would hide it."""
    project.stage("x", outputs="x", run="touch {outputs}")
    project.alias(flow=["x"])
    text = HEAD + "@stage(outputs='y')\ndef make(outputs):\n    pass\n\n\n@pipeline\ndef {}():\n    return make()\n"
    assert told(project, text.format("flow")) == "error: `flow` is both an alias and a pipeline\n  Pipefile.toml:5\n  pipeline.py:9\n"
    assert told(project, text.format("x")) == "error: `x` is both a stage and a pipeline\n  Pipefile.toml:7\n  pipeline.py:9\n"


def test_colliding_outputs_of_two_calls(project: Project) -> None:
    """Both are named, the second one where it is called."""
    text = HEAD + "@stage(outputs='y')\ndef make(outputs, n=1):\n    pass\n\n\n@pipeline\ndef flow():\n    return make(n=2), make(n=3)\n"
    assert told(project, text) == "error: `y` is made by two stages\n  pipeline.py:4  `make`\n  pipeline.py:11  `make#2`\n"


def test_an_unknown_key_of_the_configuration(project: Project) -> None:
    """As the error that it is, with the line that asks."""
    project.globals(width=3)
    text = HEAD + "@stage(outputs='y')\ndef make(outputs, n):\n    pass\n\n\n@pipeline\ndef flow(config):\n    return make(config.widht)\n"
    assert told(project, text) == (
        "error: there is no `config.widht`\n  pipeline.py:11  return make(config.widht)\nhint: did you mean `config.width`?\n"
    )


def test_an_input_that_nobody_makes(project: Project) -> None:
    """As for any stage, with the place in the Python file."""
    assert told(project, HEAD + "@stage(inputs={'x': 'nowhere.txt'}, outputs='y')\ndef make(x, outputs):\n    pass\n") == (
        "error: `nowhere.txt` does not exist and no stage makes it\n  needed by `y` (`make`, pipeline.py:4)\n"
    )


def test_a_build_started_while_a_module_is_imported(project: Project) -> None:
    """A script has to guard it."""
    text = HEAD + "@stage(outputs='y')\ndef make(outputs):\n    pass\n\n\n@pipeline\ndef flow():\n    return make()\n\n\nflow.run()\n"
    assert told(project, text) == (
        "error: `flow.run()` is called while `pipeline.py` is imported to learn what it declares\n  pipeline.py:14\n"
        'hint: scripts call it below `if __name__ == "__main__":`\n'
    )


@pytest.mark.parametrize("words", [["build"], ["status"]])
def test_a_command_that_asks_for_what_is_not_there(project: Project, words: list[str]) -> None:
    """A did-you-mean knows decorated stages."""
    project.settings(python=["pipeline.py"])
    project.write("pipeline.py", HEAD + "@stage(outputs='y')\ndef make_all(outputs):\n    open(outputs[0], 'w').close()\n")
    project.build()
    outcome = project.cli(*words, "make_al")
    assert outcome.exit_status == 2
    assert outcome.err.split("\n")[1] == "hint: did you mean `make_all`?"
