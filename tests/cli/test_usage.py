"""The command line itself: what it refuses, and how it says so."""

from __future__ import annotations

import pytest
from kit import Project

import pipefile


@pytest.mark.parametrize(
    ("args", "text"),
    [
        (("build", "--jbos", "2"), "error: no such option `--jbos`\nhint: did you mean `--jobs`?\n"),
        (("build", "-j"), "error: option `-j` requires an argument\n"),
        (("-j", "0"), "error: `-j`: 0 is not in the range x>=1\nhint: `pipefile build --help` lists what there is\n"),
        (("why",), "error: argument `TARGET` is missing\nhint: `pipefile why --help` lists what there is\n"),
        (("-C",), "error: option `-C` requires an argument\n"),
        (("-C", "nowhere", "list"), "error: `nowhere` is not a folder\n"),
        (("-f", "nowhere.toml", "list"), "error: `nowhere.toml` does not exist\n"),
        (("biuld",), "error: no alias, stage or output is called `biuld`\nhint: did you mean `pipefile build`?\n"),
        (("../x",), "error: `../x` is a path outside the project\n"),
        (("query", "input", "a"), "error: `verb`: `input` is not one of `inputs`, `outputs`, `deps`, `rdeps`\n"
         "hint: `pipefile query --help` lists what there is\n"),
        (("clean", "--dead", "a"), "error: `--dead` takes no targets: it is about stages that are gone\n"),
        (("accept", "a"), "error: `accept` needs a reason\nhint: `--reason \"...\"` gives it\n"),
        (("runs",), "error: `pipefile runs` wants one of `diff`, `list`, `log`, `rm`, `show`\nhint: `pipefile runs --help` lists what there is\n"),
        (("runs", "show"), "error: there are no runs yet\n"),
    ],
)  # fmt: skip
def test_faults_of_the_command_line(project: Project, args: tuple[str, ...], text: str) -> None:
    """Exit status 2, and the error in our words on standard error."""
    project.stage("a", outputs="a.txt", run="echo a > {outputs}")
    outcome = project.cli(*args)
    assert (outcome.err, outcome.out, outcome.exit_status) == (text, "", 2)


def test_version(project: Project) -> None:
    """--version needs no project."""
    outcome = project.cli("--version")
    assert (outcome.out, outcome.err, outcome.exit_status) == (f"pipefile {pipefile.__version__}\n", "", 0)


def test_help_lists_every_command(project: Project) -> None:
    """--help too."""
    outcome = project.cli("--help")
    assert outcome.exit_status == 0
    listed = [line.split()[0] for line in outcome.out.partition("Commands:\n")[2].splitlines()]
    assert listed == [
        "build", "watch", "status", "why", "list", "query", "graph", "clean", "accept", "check", "audit",
        "runs", "cache", "init", "editor", "schema", "completion",
    ]  # fmt: skip


def test_no_pipefile(project: Project) -> None:
    """Outside any project."""
    outcome = project.cli("list")
    assert (outcome.err, outcome.out, outcome.exit_status) == (
        "error: no `Pipefile.toml` here or in any folder above\nhint: `pipefile init` writes one to start from\n", "", 2,
    )  # fmt: skip


def test_global_options_before_and_after_the_command(project: Project) -> None:
    """-C, and the Pipefile found upwards."""
    project.stage("a", outputs="a.txt", run="echo a > {outputs}")
    project.write("sub/deep/x", "")
    expected = "a: -> a.txt\n"
    for words, cwd in [("-C sub graph", "."), ("graph -C sub -C deep", "."), ("graph", "sub/deep"), ("-Csub graph", ".")]:
        outcome = project.cli(*words.split(), cwd=cwd)
        assert (outcome.out, outcome.err, outcome.exit_status) == (expected, "", 0)


def test_errors_name_the_folder_where_the_user_stands_elsewhere(project: Project) -> None:
    """In the words of make, which editors follow."""
    project.pipefile('[stage.a]\ninput = ["x"]\n')
    project.write("sub/x", "")
    assert project.cli("list").err == (
        "error: Pipefile.toml:2:1: unknown key `input` in stage `a`\n  2 | input = [\"x\"]\n    | ^^^^^\nhint: did you mean `inputs`?\n"
    )
    assert project.cli("list", cwd="sub").err.splitlines()[0] == f"pipefile: Entering directory '{project.root}'"


def test_colour_is_asked_for(project: Project) -> None:
    """--color always colours pipes as well."""
    assert project.cli("--color", "always", "list").err.startswith("\x1b[1;31merror:\x1b[0m no `Pipefile.toml`")
    assert project.cli("--color=never", "list", env={"FORCE_COLOR": "1"}).err.startswith("error:")


def test_the_current_folder_is_gone(project: Project) -> None:
    """Case 61: no traceback."""
    import subprocess
    import sys

    project.write("gone/x", "")
    script = f'cd gone && rm -r ../gone && exec "{sys.executable}" -m pipefile list'
    done = subprocess.run(["sh", "-c", script], cwd=project.root, env=project.environ, capture_output=True, text=True, check=False)
    assert (done.stderr, done.returncode) == ("error: the current folder does not exist any more\n", 2)


def test_a_target_that_is_not_there_from_within_a_folder(project: Project) -> None:
    """The hint is what has to be typed where the user stands."""
    project.stage("a", outputs="out/a.txt", run="echo a > {outputs}")
    project.stage("b", outputs="out/b.txt", run="echo b > {outputs}")
    project.write("sub/x", "")
    for args, cwd, text in (
        (("a.txt",), ".", "error: no alias, stage or output is called `a.txt`\nhint: did you mean `out/a.txt`?\n"),
        (("b.txt",), "sub", "error: no alias, stage or output is called `sub/b.txt`\nhint: did you mean `../out/b.txt`?\n"),
        (("query", "deps", "../out/bb.txt"), "sub", "error: no alias, stage or output is called `out/bb.txt`\nhint: did you mean `../out/b.txt`?\n"),
        (("-C", "sub", "why", "a.txt"), ".", "error: no alias, stage or output is called `sub/a.txt`\nhint: did you mean `../out/a.txt`?\n"),
    ):
        outcome = project.cli(*args, cwd=cwd)
        assert (outcome.err, outcome.exit_status) == (text, 2)
