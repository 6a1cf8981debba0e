"""Completion: what may follow, in the shells themselves."""

from __future__ import annotations

import os
import pty
import select
import shutil
import subprocess
import sys
from collections.abc import Iterator

import pytest
from kit import Project
from kit.fifo import PATIENCE

BREAKS = " \t\n\"'><=;|&(:"

ZSH, FISH, BASH = shutil.which("zsh"), shutil.which("fish"), shutil.which("bash")
in_bash = pytest.mark.skipif(BASH is None, reason="bash is not installed")
in_zsh = pytest.mark.skipif(ZSH is None, reason="zsh is not installed")
in_fish = pytest.mark.skipif(FISH is None, reason="fish is not installed")


def declare(project: Project) -> None:
    """Stages with outputs in folders, an alias; nothing of it is built."""
    project.write("raw/a.csv", "a\n")
    project.stage("clean", inputs=["raw/*.csv"], outputs=["out/dir7/clean.csv"], run="cat {inputs} > {outputs}")
    made = {"page": "out/dir7/page.html", "pictures": "out/dir8/pictures/"}
    project.stage("report", inputs="out/dir7/clean.csv", outputs=made, run="touch {page} {pictures}/a.png")
    project.stage("odd", outputs=["out/with space.txt", "{global.place}/deep/x"], run="touch {outputs}")
    project.globals(place="else")
    project.alias(everything=["report", "odd"])
    project.write("Pipefile.toml", project.read("Pipefile.toml") + "\n[profile.big.global]\nplace = 'else'\n\n[profile.small]\n")


@pytest.fixture(params=["read", "built"])
def shop(request: pytest.FixtureRequest, project: Project) -> Project:
    """The same project, with its Pipefile alone, and with an index."""
    declare(project)
    if request.param == "built":
        assert project.cli().exit_status == 0
    return project


def words(project: Project, *line: str, cwd: str = ".") -> list[str]:
    """What may become of the last word."""
    done = project.cli("completion", "--for", "zsh", "pipefile", *line, cwd=cwd)
    assert (done.err, done.exit_status) == ("", 0)
    return [each.partition("\t")[0] for each in done.out.splitlines()]


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (["li"], ["list"]),
        (["build", "cl"], ["clean"]),
        (["build", "every"], ["everything"]),
        (["build", "out/"], ["out/dir7/", "out/dir8/", "out/with space.txt"]),
        (["build", "out/dir7/"], ["out/dir7/clean.csv", "out/dir7/page.html"]),
        (["build", "out/dir7/p"], ["out/dir7/page.html"]),
        (["build", "e"], ["everything", "else/"]),
        (["build", "else/"], ["else/deep/"]),
        (["build", "./out/dir7/c"], ["./out/dir7/clean.csv"]),
        (["build", "nothing/"], []),
        (["build", "report", "-k", "--", "od"], ["odd"]),
        (["build", "--sch"], ["--schedule"]),
        (["build", "--schedule", ""], ["eager", "waves"]),
        (["build", "--schedule=w"], ["--schedule=waves"]),
        (["build", "--from", "re"], ["report"]),
        (["build", "-j", ""], []),
        (["-k", "out/dir7/c"], ["out/dir7/clean.csv"]),
        (["--color", "ne"], ["never"]),
        (["--sch"], ["--schedule"]),
        (["--schedule", "w"], ["waves"]),
        (["--profile", ""], ["big", "small"]),
        (["build", "--profile=s"], ["--profile=small"]),
        (["-C", "r"], ["raw/"]),
        (["-f", "Pipe"], ["Pipefile.toml"]),
        (["query", "r"], ["rdeps"]),
        (["query", "rdeps", "cl"], ["clean"]),
        (["query", "rdeps", "clean", ""], []),
        (["runs", "d"], ["diff"]),
        (["completion", ""], ["bash", "zsh", "fish"]),
        (["editor", "v"], ["vscode"]),
        (["clean", "--d"], ["--dead", "--dry-run"]),
        (["status", "--no-such-option", "cl"], ["clean"]),
    ],
)
def test_what_may_follow(shop: Project, line: list[str], found: list[str]) -> None:
    """Commands, options and their values, stages, aliases, and targets one segment of their paths at a time."""
    assert words(shop, *line) == found


def test_the_first_word(shop: Project) -> None:
    """A command, or what `build` takes."""
    found = words(shop, "")
    assert found[:3] == ["build", "watch", "status"]
    assert found[-6:] == ["everything", "clean", "report", "odd", "else/", "out/"]


def test_paths_start_where_the_user_stands(shop: Project) -> None:
    """Also from a folder that `-C` or `-f` names, and upwards."""
    shop.write("out/dir7/x", "")
    assert words(shop, "build", "p", cwd="out/dir7") == ["page.html"]
    assert words(shop, "build", "../dir8/", cwd="out/dir7") == ["../dir8/pictures/"]
    assert words(shop, "-C", "out", "build", "dir7/c") == ["dir7/clean.csv"]
    assert words(shop, "-C", "../..", "build", "out/dir7/c", cwd="out/dir7") == ["out/dir7/clean.csv"]
    assert words(shop, "-f", "../../Pipefile.toml", "build", "clean.", cwd="out/dir7") == ["clean.csv"]


def test_runs_are_named(project: Project) -> None:
    """The latest first, which has a name of its own."""
    declare(project)
    project.cli()
    run = os.listdir(project.path("pipeline_outputs/runs"))
    assert words(project, "runs", "show", "") == ["latest", *run]


def test_a_pipefile_that_has_changed_since_the_build(project: Project) -> None:
    """What it says now counts."""
    declare(project)
    project.cli()
    project.stage("brand_new", outputs=["out/new.txt"], run="touch {outputs}")
    assert words(project, "build", "bra") == ["brand_new"]
    assert words(project, "build", "out/n") == ["out/new.txt"]


@pytest.mark.parametrize("text", ["[stage.a\n", "\x00", "stage = 5\n", "[stage]\na = 1\n", "[alias]\nx = 3\n[stage.a]\noutputs = [[[]]]\n", b"\xff"])
def test_a_pipefile_that_is_wrong(project: Project, text: str | bytes) -> None:
    """Commands are still completed; nothing is said, nothing is written."""
    project.pipefile(text)
    before = project.tree()
    assert words(project, "build", "out/") == []
    assert words(project, "build", "--js") == ["--json"]
    assert words(project, "why", "") in ([], ["a"], ["x", "a"])
    assert project.tree() == before


def test_no_pipefile_at_all(project: Project) -> None:
    """Nor any words at all."""
    assert words(project, "build", "x") == []
    for line in ([], ["bash"], ["bash", "pipefile"], ["zsh"], ["tcsh", "pipefile", "b"], ["bash", "", ""]):
        done = project.cli("completion", "--for", *line)
        assert (done.err, done.exit_status) == ("", 0)


def test_stages_of_python_files(project: Project) -> None:
    """As far as their text tells, and as the last build knew them."""
    project.write("steps.py", "from pipefile import stage\n\n@stage(outputs=['out/py.txt'])\ndef made(outputs):\n    open(outputs[0], 'w').close()\n")
    project.settings(python=["steps.py"])
    for _ in range(2):
        assert words(project, "build", "ma") == ["made"]
        assert words(project, "build", "out/") == ["out/py.txt"]
        assert project.cli().exit_status == 0


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("pipefile build --color=n", ["never"]),  # bash breaks words at the equals sign, and replaces what is behind it
        ("pipefile build out/with", ["out/with\\ space.txt"]),
        ("pipefile build 'out/with s", ["out/with space.txt"]),
        ('pipefile build "out/with s', ["out/with space.txt"]),
        ("pipefile build out/with\\ s", ["out/with\\ space.txt"]),
        ("pipefile", []),
        ("pipefile  build   cl", ["clean"]),
    ],
)
def test_lines_of_bash(shop: Project, line: str, found: list[str]) -> None:
    """Quotes, blanks, and characters at which bash breaks words."""
    done = shop.cli("completion", "--for", "bash", line, BREAKS)
    assert (done.out.splitlines(), done.err) == (found, "")


class Shell:
    """A shell at a terminal, typed into. Its key Ctrl-X writes the line as it stands into a FIFO."""

    def __init__(self, project: Project, argv: list[str], setup: str, env: dict[str, str]) -> None:
        self._fifo = os.path.join(project.side, "typed")
        os.mkfifo(self._fifo)
        self._read = os.open(self._fifo, os.O_RDWR)
        self._screen = b""
        path = f"{os.path.dirname(sys.executable)}:{project.environ['PATH']}"
        environ = {**project.environ, "TERM": "dumb", "PATH": path, "FIFO": self._fifo, **env}
        self._pid, self._terminal = pty.fork()
        if self._pid == 0:
            os.chdir(project.root)
            os.execve(argv[0], argv, environ)
        self._type(setup + "\n")
        self.line()

    def _type(self, text: str) -> None:
        os.write(self._terminal, text.encode())

    def line(self) -> str:
        """What is written into the FIFO next."""
        found = b""
        while not found.endswith(b"\n"):
            ready, _, _ = select.select([self._read, self._terminal], [], [], PATIENCE)
            assert ready, self._screen.decode(errors="replace")
            if self._terminal in ready:
                self._screen += os.read(self._terminal, 1 << 16)
            if self._read in ready:
                found += os.read(self._read, 1)
        return found.decode()[:-1]

    def completed(self, text: str) -> str:
        """The line that a Tab behind *text* makes."""
        self._type(f"{text}\t\x18")
        found = self.line()
        self._type("\x15")  # Ctrl-U: away with it
        return found

    def close(self) -> None:
        os.close(self._terminal)
        os.close(self._read)
        os.kill(self._pid, 9)
        os.waitpid(self._pid, 0)


@pytest.fixture
def built(project: Project) -> Project:
    declare(project)
    assert project.cli().exit_status == 0
    return project


@pytest.fixture
def bash(built: Project) -> Iterator[Shell]:
    assert BASH is not None
    setup = """PS1=; bind -x '"\\C-x": echo "$READLINE_LINE" > $FIFO'; source <(pipefile completion bash); echo ready > $FIFO"""
    shell = Shell(built, [BASH, "--norc", "--noprofile", "-i"], setup, {"INPUTRC": "/dev/null"})
    yield shell
    shell.close()


@pytest.fixture
def zsh(built: Project) -> Iterator[Shell]:
    assert ZSH is not None
    setup = (
        "PS1=; autoload -U compinit; compinit -u -D; source <(pipefile completion zsh); "
        "dump() { print -r -- $BUFFER > $FIFO }; zle -N dump; bindkey -e; bindkey '^X' dump; bindkey '^U' kill-whole-line; print ready > $FIFO"
    )
    shell = Shell(built, [ZSH, "-f", "-i"], setup, {})
    yield shell
    shell.close()


TYPED = [
    ("pipefile li", "pipefile list "),
    ("pipefile out/dir7/c", "pipefile out/dir7/clean.csv "),
    ("pipefile build else", "pipefile build else/"),
    ("pipefile build --sched", "pipefile build --schedule "),
    ("pipefile build --schedule=w", "pipefile build --schedule=waves "),
    ("pipefile why out/w", "pipefile why out/with\\ space.txt "),
    ("pipefile build ever", "pipefile build everything "),
    ("pipefile build nothing_like_it", "pipefile build nothing_like_it"),
]


@in_bash
def test_in_bash(bash: Shell) -> None:
    """As a person types it: what is whole gets a blank behind it, a folder does not."""
    for typed, found in TYPED:
        assert bash.completed(typed) == found


@in_zsh
def test_in_zsh(zsh: Shell) -> None:
    """The same."""
    for typed, found in TYPED:
        assert zsh.completed(typed) == found


@in_fish
def test_in_fish(built: Project) -> None:
    """What fish would offer, with the words beside it."""
    assert FISH is not None
    script = built.cli("completion", "fish").out
    built.write("c.fish", script)
    environ = {**built.environ, "PATH": f"{os.path.dirname(sys.executable)}:{built.environ['PATH']}"}

    def offered(line: str) -> list[str]:
        ask = f"source c.fish; complete -C {line!r}"
        done = subprocess.run([FISH, "-N", "-c", ask], cwd=built.root, env=environ, capture_output=True, text=True, check=True)
        return done.stdout.splitlines()

    assert offered("pipefile li") == ["list\tList the stages."]
    assert offered("pipefile build out/") == ["out/dir7/", "out/dir8/", "out/with space.txt"]
    assert offered("pipefile build cl") == ["clean\tstage"]
    assert offered("pipefile build --schedule=") == ["--schedule=eager", "--schedule=waves"]
    assert offered("pipefile build --color ") == ["always", "auto", "never"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_scripts_are_sound(project: Project, shell: str) -> None:
    """The shell itself has nothing to say against its script; a shell that is not here is skipped."""
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"{shell} is not installed")
    script = project.cli("completion", shell)
    assert (script.err, script.exit_status) == ("", 0)
    done = subprocess.run([program, "-n"], input=script.out, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_an_unknown_shell(project: Project) -> None:
    """Those that there are, are named."""
    outcome = project.cli("completion", "tcsh")
    assert (outcome.out, outcome.exit_status) == ("", 2)
    assert outcome.err == (
        "error: `shell`: `tcsh` is not one of `bash`, `zsh`, `fish`\nhint: `pipefile completion --help` lists what there is\n"
    )
