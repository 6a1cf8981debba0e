"""`pipefile editor`: tasks in the files of editors, which may have others' tasks and comments in them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tomllib
import xml.etree.ElementTree

import pytest
from kit import Project

from pipefile.editor.jsonc import Document

EDITORS = {
    "vscode": [".vscode/tasks.json"],
    "zed": [".zed/tasks.json"],
    "neovim": [".nvim.lua"],
    "jetbrains": [".run/pipefile build.run.xml", ".run/pipefile watch.run.xml"],
    "sublime": ["tree.sublime-project"],
    "emacs": [".dir-locals.el"],
}
NVIM, EMACS = shutil.which("nvim"), shutil.which("emacs")


@pytest.fixture
def tree(project: Project) -> Project:
    project.pipefile("[stage.a]\ninputs = ['x.c']\noutputs = ['a.o']\nrun = 'gcc -Wall -c {inputs} -o {outputs}'\n")
    return project


def value(text: str, path: str = "f") -> object:
    root = Document(text, path).root
    assert root is not None
    return root.value


@pytest.mark.parametrize("editor", [*EDITORS])
def test_written_printed_and_written_again(tree: Project, editor: str) -> None:
    """--print writes nothing and shows what would be written; the second time nothing is left to do."""
    before = tree.tree()
    printed = tree.cli("editor", editor, "--print")
    assert (printed.err, printed.exit_status) == ("", 0)
    assert tree.tree() == before

    written = tree.cli("editor", editor)
    assert (written.err, written.exit_status) == ("", 0)
    assert [line.partition(":")[0] for line in written.out.splitlines()] == [f"wrote {path}" for path in EDITORS[editor]]
    assert "".join(tree.read(path) for path in EDITORS[editor]) == "".join(
        line for line in printed.out.splitlines(keepends=True) if not line.startswith("<!--")
    )
    assert {path for path in tree.tree() if path not in before} - {os.path.dirname(path) for path in EDITORS[editor]} == set(EDITORS[editor])

    before = tree.tree()
    again = tree.cli("editor", editor)
    assert (again.out, again.err) == ("".join(f"unchanged: {path}\n" for path in EDITORS[editor]), "")
    assert tree.tree() == before


def test_only_options_that_there_are(tree: Project) -> None:
    """Whatever the tasks call, pipefile takes: with --help behind it, nothing else is done."""
    tasks = json.loads(tree.cli("editor", "vscode", "--print").out)["tasks"] + json.loads(tree.cli("editor", "zed", "--print").out)
    systems = json.loads(tree.cli("editor", "sublime", "--print").out)["build_systems"]
    lines = [each["args"] for each in tasks] + [each["cmd"][1:] for system in systems for each in (system, *system["variants"])]
    assert len(lines) == 7
    for words in lines:
        assert tree.cli(*words, "--help").exit_status == 0


def test_another_pipefile(tree: Project) -> None:
    """-f is part of the tasks, and says where they are written."""
    tree.write("sub/Other.toml", tree.read("Pipefile.toml"))
    assert tree.cli("-f", "sub/Other.toml", "editor", "vscode").out.startswith("wrote .vscode/tasks.json: added")
    task = json.loads(tree.read("sub/.vscode/tasks.json"))["tasks"][0]
    assert task["args"] == ["-f", "Other.toml", "build", "--color=never"]


# --- joining what is there

FOREIGN = """\
// tasks of the whole team
{
    "version": "2.0.0", // do not touch
    "tasks": [
        {
            "label": "lint",   /* the linter */
            "type": "shell",
            "command": "ruff check .",
            "group": { "kind": "build", "isDefault": true }
        }, // the last one
        // { "label": "off" },
    ],
    "inputs": [],
}
"""


def test_comments_and_foreign_tasks_stay(tree: Project) -> None:
    """Text before and behind what comes in is what it was, to the byte; what was the default build still is."""
    tree.write(".vscode/tasks.json", FOREIGN)
    assert tree.cli("editor", "vscode").out == "wrote .vscode/tasks.json: added `pipefile: build`, `pipefile: watch`\n"
    text = tree.read(".vscode/tasks.json")
    cut = FOREIGN.index("\n    ],")
    assert text.startswith(FOREIGN[:cut])
    assert text.endswith(FOREIGN[cut:])
    assert text[cut:].startswith('\n        {\n            "label": "pipefile: build",')
    found = value(text)
    assert isinstance(found, dict)
    assert [task["label"] for task in found["tasks"]] == ["lint", "pipefile: build", "pipefile: watch"]
    assert found["tasks"][1]["group"] == "build"
    assert tree.cli("editor", "vscode").out == "unchanged: .vscode/tasks.json\n"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "// nothing yet\n",
        "{}",
        "{ }\n",
        "{\n  // here they come\n}\n",
        '{"version": "2.0.0"}',
        '{"version": "2.0.0", "tasks": []}',
        '{"version": "2.0.0", "tasks": [ /* none */ ]}',
        '{"tasks": [{"label": "x"}]}',
        '{"tasks": [{"label": "x"},]}',
        '{"tasks": [{"label": "x"} // y\n]}',
        '{"tasks": [{"label": "x"}, // y\n]}',
        '{\r\n\t"version": "2.0.0",\r\n\t"tasks": [\r\n\t\t{"label": "x"}\r\n\t]\r\n}\r\n',
        '\ufeff{"tasks": [null, 3, "pipefile: build", {"label": 5}]}',
    ],
)
def test_every_way_of_writing_it(tree: Project, text: str) -> None:
    """What was in it is in it; the ends of lines are those of the file; twice is once."""
    tree.write(".vscode/tasks.json", text)
    assert tree.cli("editor", "vscode").exit_status == 0
    written = tree.read(".vscode/tasks.json")
    assert set(written) >= set(text)
    assert ("\r\n" in text) == ("\r\n" in written)
    assert written.count("\n") == written.count("\r\n") or "\r" not in written
    found, before = value(written), value(text) if text.strip() and "{" in text else {}
    assert isinstance(found, dict)
    assert isinstance(before, dict)
    assert found["version"] == "2.0.0"
    assert found["tasks"][:-2] == before.get("tasks", [])
    assert [task["label"] for task in found["tasks"][-2:]] == ["pipefile: build", "pipefile: watch"]
    assert tree.cli("editor", "vscode").out == "unchanged: .vscode/tasks.json\n"


def test_a_task_that_somebody_has_changed_is_kept(tree: Project) -> None:
    """It is said to differ; --force replaces it alone."""
    tree.cli("editor", "vscode")
    mine = tree.read(".vscode/tasks.json").replace('"build", "--color=never"', '"build", "-k", "--color=never"').replace("{\n", "{ // mine\n", 1)
    tree.write(".vscode/tasks.json", mine)
    kept = tree.cli("editor", "vscode")
    assert kept.out == "unchanged: .vscode/tasks.json\n"
    assert kept.err == (
        "note: .vscode/tasks.json has another `pipefile: build` than this version writes, and keeps it; `--force` replaces it\n"
    )
    assert tree.read(".vscode/tasks.json") == mine
    forced = tree.cli("editor", "vscode", "--force")
    assert (forced.out, forced.err) == ("wrote .vscode/tasks.json: replaced `pipefile: build`\n", "")
    assert tree.read(".vscode/tasks.json") == mine.replace('"build", "-k", "--color=never"', '"build", "--color=never"')


@pytest.mark.parametrize(
    ("editor", "text", "message"),
    [
        ("vscode", '{\n  "tasks": [\n', "error: .vscode/tasks.json:3:1: a value was expected\n"),
        ("vscode", '{"tasks": [}', "error: .vscode/tasks.json:1:12: a value was expected\n  1 | {\"tasks\": [}\n    |            ^\n"),
        ("vscode", '{"a": 1 "b": 2}', "error: .vscode/tasks.json:1:9: `,` or `}` was expected\n  1 | {\"a\": 1 \"b\": 2}\n    |         ^\n"),
        ("vscode", "[]", "error: .vscode/tasks.json:1:1: an object was expected\n  1 | []\n    | ^\n"),
        ("vscode", '{"tasks": {}}', "error: .vscode/tasks.json:1:11: `tasks` must be an array\n  1 | {\"tasks\": {}}\n    |           ^\n"),
        (
            "vscode", '{"version": "0.1.0"}',
            'error: .vscode/tasks.json:1:13: `version` must be `"2.0.0"`\n  1 | {"version": "0.1.0"}\n    |             ^\n',
        ),
        ("vscode", "{} /* no end", "error: .vscode/tasks.json:1:4: a comment does not end\n  1 | {} /* no end\n    |    ^\n"),
        ("vscode", '{"a": yes}', "error: .vscode/tasks.json:1:7: `yes` is no value\n  1 | {\"a\": yes}\n    |       ^\n"),
        ("vscode", "[" * 200, "error: .vscode/tasks.json:1:102: nested too deeply\n"),
        ("vscode", b'{"a": "\xff"}', "error: .vscode/tasks.json:1:8: invalid UTF-8\n"),
        ("zed", "{}", "error: .zed/tasks.json:1:1: an array of tasks was expected\n  1 | {}\n    | ^\n"),
        ("sublime", "{", "error: tree.sublime-project:1:2: a value was expected\n  1 | {\n    |  ^\n"),
        ("emacs", "((nil . ((a . 1))", "error: .dir-locals.el:1:2: a list does not end\n  1 | ((nil . ((a . 1))\n    |  ^\n"),
        ("emacs", '((nil . "x', "error: .dir-locals.el:1:9: a string does not end\n  1 | ((nil . \"x\n    |         ^\n"),
        ("emacs", "nil", "error: .dir-locals.el:1:1: a list was expected\n  1 | nil\n    | ^\n"),
        ("emacs", "() ()", "error: .dir-locals.el:1:4: nothing more was expected behind the list\n  1 | () ()\n    |    ^\n"),
        ("emacs", "(])", "error: .dir-locals.el:1:2: `]` does not close what is open\n  1 | (])\n    |  ^\n"),
        ("neovim", "-- >>> pipefile\n", "error: .nvim.lua:1:1: the marks of pipefile's block do not fit together\n  1 | -- >>> pipefile\n    | ^\n"),
        ("jetbrains", "<component>\n<x>", "error: .run/pipefile build.run.xml:2:4: no element found\n  2 | <x>\n    |    ^\n"),
    ],
)
def test_what_cannot_be_understood_is_left_alone(tree: Project, editor: str, text: str | bytes, message: str) -> None:
    """File, line and column are told."""
    tree.write(EDITORS[editor][0], text)
    before = tree.tree()
    refused = tree.cli("editor", editor)
    assert refused.exit_status == 2
    assert refused.err.startswith(message) if message.endswith("deeply\n") else refused.err == message
    assert tree.tree() == before


def test_links_are_not_written_through(tree: Project) -> None:
    """Neither the file nor its folder may lead elsewhere."""
    outside = os.path.join(tree.side, "outside")
    os.mkdir(outside)
    tree.write("other", "{}")
    os.symlink(outside, tree.path(".zed"))
    os.mkdir(tree.path(".vscode"))
    os.symlink("../other", tree.path(".vscode/tasks.json"))
    for editor, name in (("vscode", ".vscode/tasks.json"), ("zed", ".zed")):
        refused = tree.cli("editor", editor)
        assert (refused.err, refused.exit_status) == (f"error: `{name}` is a link, and is not written through\n", 2)
    assert os.listdir(outside) == []
    assert tree.read("other") == "{}"


def test_modes_and_backups_stay(tree: Project) -> None:
    """A file keeps its mode, and what an editor calls its backup is the editor's."""
    tree.write(".vscode/tasks.json", "{}")
    tree.write(".vscode/tasks.json~", "mine")
    os.chmod(tree.path(".vscode/tasks.json"), 0o640)
    assert tree.cli("editor", "vscode").exit_status == 0
    assert os.stat(tree.path(".vscode/tasks.json")).st_mode & 0o777 == 0o640
    assert sorted(os.listdir(tree.path(".vscode"))) == ["tasks.json", "tasks.json~"]
    assert tree.read(".vscode/tasks.json~") == "mine"


def test_no_pipefile(project: Project) -> None:
    """There is nothing to have tasks for."""
    refused = project.cli("editor", "vscode")
    assert (refused.exit_status, project.exists(".vscode")) == (2, False)


# --- each editor's own

def test_zed_is_joined(tree: Project) -> None:
    """Its file is an array."""
    tree.write(".zed/tasks.json", '// mine\n[\n  {"label": "x", "command": "y"}, // z\n]\n')
    assert tree.cli("editor", "zed").exit_status == 0
    text = tree.read(".zed/tasks.json")
    assert text.startswith('// mine\n[\n  {"label": "x", "command": "y"}, // z\n  {')
    found = value(text)
    assert isinstance(found, list)
    assert [task["label"] for task in found] == ["x", "pipefile: build", "pipefile: watch", "pipefile: status"]


def test_sublime_projects(tree: Project) -> None:
    """The project that is there is the one that is meant; of several, none."""
    tree.write("mine.sublime-project", '{\n\t"folders": [{"path": "src"}], // only sources\n}\n')
    assert tree.cli("editor", "sublime").out == "wrote mine.sublime-project: added `pipefile`\n"
    assert tree.read("mine.sublime-project").startswith('{\n\t"folders": [{"path": "src"}], // only sources\n\t"build_systems": [\n')
    tree.write("other.sublime-project", "{}")
    refused = tree.cli("editor", "sublime")
    assert refused.err == (
        "error: there are several projects of Sublime Text here: `mine.sublime-project`, `other.sublime-project`\n"
        "hint: `--print` shows what belongs into one of them\n"
    )


def test_the_block_of_neovim(tree: Project) -> None:
    """What stands before and behind it stays; a changed one is kept until --force."""
    tree.write(".nvim.lua", "vim.o.number = true")
    tree.cli("editor", "neovim")
    text = tree.read(".nvim.lua")
    assert text.startswith("vim.o.number = true\n\n-- >>> pipefile")
    tree.write(".nvim.lua", text.replace("--color=never $*", "-k $*") + "vim.o.wrap = false\n")
    kept = tree.cli("editor", "neovim")
    assert kept.err == "note: .nvim.lua has another `pipefile` than this version writes, and keeps it; `--force` replaces it\n"
    assert tree.cli("editor", "neovim", "--force").out == "wrote .nvim.lua: replaced `pipefile`\n"
    assert tree.read(".nvim.lua") == text + "vim.o.wrap = false\n"


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("", "(E)\n"),
        ("; mine\n", "; mine\n(E)\n"),
        ("()", "(E)"),
        ("((c-mode . ((fill-column . 80))))\n", "((c-mode . ((fill-column . 80)))\n E)\n"),
        (';; "(\n((nil . ((x . "(;") (y . ?\\)) (z . [1 2])))) ; end\n', ';; "(\n((nil . ((x . "(;") (y . ?\\)) (z . [1 2])))\n E) ; end\n'),
        ("((nil . ((x . 1))) ; one\n )\n", "((nil . ((x . 1))) ; one\n E\n )\n"),
    ],
)
def test_emacs_is_joined(tree: Project, text: str, written: str) -> None:
    """An entry in the list that is there; what is read by Emacs has both."""
    entry = '(nil . ((compile-command . "pipefile build --color=never")))'
    tree.write(".dir-locals.el", text)
    assert tree.cli("editor", "emacs").out == "wrote .dir-locals.el: added `compile-command`\n"
    assert tree.read(".dir-locals.el") == written.replace("E", entry)
    assert tree.cli("editor", "emacs").out == "unchanged: .dir-locals.el\n"


def test_another_command_of_emacs_is_kept(tree: Project) -> None:
    """Somebody else's for good, one of pipefile's own until --force."""
    for command, forced in (("make", "make"), ("pipefile build -k", "pipefile build --color=never")):
        text = '((nil . ((compile-command . "COMMAND"))))\n'
        tree.write(".dir-locals.el", text.replace("COMMAND", command))
        kept = tree.cli("editor", "emacs")
        assert kept.err == (
            "note: .dir-locals.el has another `compile-command` than this version writes, and keeps it; `--force` replaces it\n"
        )
        tree.cli("editor", "emacs", "--force")
        assert tree.read(".dir-locals.el") == text.replace("COMMAND", forced)


def test_jetbrains_gets_a_run_configuration(tree: Project) -> None:
    """A shell script in the project's folder."""
    tree.cli("editor", "jetbrains")
    root = xml.etree.ElementTree.fromstring(tree.read(".run/pipefile build.run.xml"))
    (configuration,) = root
    options = {each.get("name"): each.get("value") for each in configuration if each.tag == "option"}
    assert (root.get("name"), configuration.get("type")) == ("ProjectRunConfigurationManager", "ShConfigurationType")
    assert (options["SCRIPT_TEXT"], options["SCRIPT_WORKING_DIRECTORY"]) == ("pipefile build --color=never", "$PROJECT_DIR$")


FAULTS = "[stage.a]\noutputs = ['x']\nrun = 'x > {outputs}'\n[stage.b]\noutputs = ['x']\nrun = 'x > {outputs}'\n"


def environ(tree: Project) -> dict[str, str]:
    import sys

    return {**tree.environ, "PATH": f"{os.path.dirname(sys.executable)}:{tree.environ['PATH']}", "TERM": "dumb"}


@pytest.mark.skipif(NVIM is None, reason="neovim is not installed")
def test_the_quickfix_list_of_neovim(tree: Project) -> None:
    """`:make` in a real Neovim: places of a compiler, of stages and of a Pipefile; and the command completes."""
    assert NVIM is not None
    tree.cli("editor", "neovim")
    tree.write("x.c", "int main(void) {\n  int unused;\n  return undeclared;\n}\n")

    def made(pipefile: str | None = None) -> list[tuple[str, int, int, str]]:
        if pipefile is not None:
            tree.pipefile(pipefile)
        named = "vim.tbl_map(function(e) e.name = e.bufnr > 0 and vim.fn.bufname(e.bufnr) or '' return e end, vim.fn.getqflist())"
        ask = f"lua vim.fn.writefile({{vim.json.encode({named})}}, 'found')"
        words = [NVIM, "--headless", "-n", "-u", "NONE", "-c", "luafile .nvim.lua", "-c", "silent Pipefile", "-c", ask, "-c", "qall!"]
        subprocess.run(words, cwd=tree.root, env=environ(tree), capture_output=True, timeout=60, check=True)
        return [(each["name"], each["lnum"], each["col"], each["type"]) for each in json.loads(tree.read("found")) if each["valid"]]

    assert made() == [("Pipefile.toml", 1, 1, "e"), ("x.c", 3, 10, "e"), ("x.c", 3, 10, "n"), ("x.c", 2, 7, "w")]
    assert made("[stage.a]\noutput = ['x']\nrun = 'x'\n") == [("Pipefile.toml", 2, 1, "e")]
    assert [found[:2] for found in made(FAULTS)] == [("Pipefile.toml", 2), ("Pipefile.toml", 5)]
    assert [found[:2] for found in made("[stage.a]\ninputs = ['n']\noutputs = ['o']\nrun = 'cp {inputs} {outputs}'\n")] == [("Pipefile.toml", 2)]


@pytest.mark.skipif(EMACS is None, reason="emacs is not installed")
def test_emacs_reads_it(tree: Project) -> None:
    """A real Emacs takes the command for files of this folder, and finds the places in what it prints."""
    assert EMACS is not None
    tree.cli("editor", "emacs")
    tree.write("x.c", "int main(void) {\n  return undeclared;\n}\n")
    ask = """(progn (setq enable-local-variables :all) (require 'compile) (find-file "x.c") (hack-dir-local-variables-non-file-buffer)
      (princ compile-command) (princ "\\n")
      (with-temp-buffer
        (insert (shell-command-to-string "pipefile build --color=never 2>&1")) (compilation-mode) (compilation--ensure-parse (point-max))
        (goto-char (point-min))
        (while (not (eobp)) (let ((m (get-text-property (point) 'compilation-message)))
          (when m (let ((loc (compilation--message->loc m)))
            (princ (format "%s:%s\\n" (caar (compilation--loc->file-struct loc)) (compilation--loc->line loc)))))) (forward-line))))"""
    found = []
    for pipefile in (None, "[stage.a]\noutput = ['x']\nrun = 'x'\n"):
        if pipefile is not None:
            tree.pipefile(pipefile)
        done = subprocess.run([EMACS, "-Q", "--batch", "--eval", ask], cwd=tree.root, env=environ(tree), capture_output=True, text=True, check=True)
        found.append(done.stdout.splitlines())
    assert found == [["pipefile build --color=never", "Pipefile.toml:1", "x.c:2", "x.c:2"], ["pipefile build --color=never", "Pipefile.toml:2"]]


def test_the_pipefile_that_init_writes_names_its_schema(project: Project) -> None:
    """The file is beside it."""
    project.cli("init")
    line = project.read("Pipefile.toml").splitlines()[0]
    assert line == "#:schema ./.pipefile.schema.json"
    assert project.read(".pipefile.schema.json") == project.cli("schema").out
    assert "stage" in tomllib.loads(project.read("Pipefile.toml"))
