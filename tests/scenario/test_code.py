"""What stages depend on of the project's Python code: symbols, not files."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping

import pytest
from kit import Project
from kit.lane import lane

STEPS = '''"""Stages."""
import tools


def make(out):
    """Write what a helper says."""
    with open(out, "w") as file:
        file.write(tools.text(3))


def neighbour():
    return 1
'''

TOOLS = '''from lib.deep import scaled, SPARE


def text(x):
    # a comment
    return f"{scaled(x)}\\n"


def other():
    return SPARE
'''

DEEP = '''SCALE = 2
SPARE = 3


class Scaler:
    """It scales."""

    def run(self, x):
        return x * SCALE

    def spare(self):
        return 0


def plain(fn):
    def inner(x):
        return fn(x)
    return inner


@plain
def scaled(x):
    return Scaler().run(x)


def near(x):
    return x * SPARE
'''


def three_modules(project: Project, more: Mapping[str, str] | None = None) -> None:
    project.stage("make", outputs={"out": "out.txt"}, call="steps:make")
    for path, text in {"steps.py": STEPS, "tools.py": TOOLS, "lib/deep.py": DEEP, **(more or {})}.items():
        project.write(path, text)
    assert project.build().ran == ["make"]
    project.settled()


def edit(project: Project, path: str, old: str, new: str) -> None:
    text = project.read(path)
    assert old in text
    project.write(path, text.replace(old, new, 1))


@pytest.mark.parametrize(
    ("path", "old", "new", "why"),
    [
        ("steps.py", "text(3)", "text(4)", "code `make` (steps.py) changed"),
        ("tools.py", 'f"{', 'f"x{', "code `text` (tools.py) changed"),
        ("lib/deep.py", "SCALE = 2", "SCALE = 5", "code `SCALE` (lib/deep.py) changed"),
        ("lib/deep.py", "x * SCALE", "x + SCALE", "code `Scaler` (lib/deep.py) changed"),
        ("lib/deep.py", "Scaler().run(x)", "-Scaler().run(x)", "code `scaled` (lib/deep.py) changed"),
        ("lib/deep.py", "return fn(x)", "return fn(x + 1)", "code `plain` (lib/deep.py) changed"),
        ("lib/deep.py", "SCALE = 2\n", "SCALE = 2\nprint()\n", "top-level code of `lib/deep.py` is new"),
    ],
)
def test_a_symbol_that_is_reached(project: Project, path: str, old: str, new: str, why: str) -> None:
    """Case 1: a helper two modules away, its constant, method and decorator, and what its import does."""
    three_modules(project)
    edit(project, path, old, new)
    assert project.why("make")["make"][0] == why
    assert project.build().ran == ["make"]
    project.settled()


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        ("tools.py", "# a comment", "# another"),
        ("tools.py", "    # a comment\n", ""),
        ("steps.py", '"""Write what a helper says."""', '"""Write."""'),
        ("lib/deep.py", '    """It scales."""\n\n', ""),
        ("lib/deep.py", "Scaler().run(x)", "Scaler().run( x )"),
        ("lib/deep.py", "def run(self, x):", "def run(self, x: int) -> int:"),
        ("steps.py", "return 1", "return 2"),
        ("tools.py", "return SPARE", "return -SPARE"),
        ("lib/deep.py", "SPARE = 3", "SPARE = 4"),
        ("lib/deep.py", "x * SPARE", "x + SPARE"),
        ("lib/deep.py", "def near(x):", "def new():\n    pass\n\n\ndef near(x):"),
    ],
)
def test_what_does_not_count(project: Project, path: str, old: str, new: str) -> None:
    """Case 23: comments, docstrings, formatting, annotations and neighbours; the index takes the new file for what it is at once."""
    three_modules(project)
    edit(project, path, old, new)
    assert lane(project) is None
    assert project.why("make") == {}
    assert project.build().ran == []
    assert (lane(project) or "").startswith("1 fresh in ")
    project.settled()


def test_a_method_counts_with_its_class(project: Project) -> None:
    """Which methods are called cannot be told: a class is one symbol."""
    three_modules(project)
    edit(project, "lib/deep.py", "return 0", "return 1")
    assert project.why("make") == {"make": ["code `Scaler` (lib/deep.py) changed"]}


def test_symbols_that_come_and_go(project: Project) -> None:
    """All that was and is reached is named."""
    three_modules(project)
    edit(project, "tools.py", "scaled(x)", "near(x)")
    edit(project, "tools.py", "import scaled,", "import near,")
    assert project.why("make") == {
        "make": [
            "code `SPARE` (lib/deep.py) is new",
            "code `near` (lib/deep.py) is new",
            "code `text` (tools.py) changed",
            "code `SCALE` (lib/deep.py) is gone",
            "code `Scaler` (lib/deep.py) is gone",
            "code `plain` (lib/deep.py) is gone",
            "code `scaled` (lib/deep.py) is gone",
        ]
    }
    assert project.build().ran == ["make"]
    project.settled()


def test_put_back(project: Project) -> None:
    """Case 4."""
    three_modules(project)
    edit(project, "lib/deep.py", "SCALE = 2", "SCALE = 5")
    edit(project, "lib/deep.py", "SCALE = 5", "SCALE = 2")
    assert project.build().ran == []


def test_a_star_import_takes_all(project: Project) -> None:
    """What cannot be told by name falls back to the whole module, which is still blind to comments."""
    three_modules(project, {"tools.py": TOOLS.replace("import scaled, SPARE", "import *")})
    edit(project, "lib/deep.py", "SPARE = 3", "SPARE = 3  # a comment")
    assert project.build().ran == []
    edit(project, "lib/deep.py", "x * SPARE", "x + SPARE")
    assert project.why("make") == {"make": ["code `near` (lib/deep.py) changed"]}


@pytest.mark.parametrize(
    "call", ["getattr(lib.deep, 'sca' + 'led')", "vars(lib.deep)['scaled']", "eval('lib.deep.scaled')", "globals()['lib'].deep.scaled"]
)
def test_what_is_dynamic_takes_all(project: Project, call: str) -> None:
    three_modules(project, {"tools.py": f"import lib.deep\n\n\ndef text(x):\n    return str({call}(x))\n\n\ndef other():\n    return 1\n"})
    edit(project, "lib/deep.py", "x * SPARE", "x + SPARE")
    assert project.why("make") == {"make": ["code `near` (lib/deep.py) changed"]}
    assert project.build().ran == ["make"]
    project.settled()


def test_packages_by_name(project: Project) -> None:
    """An installed package counts by its name alone."""
    three_modules(project)
    edit(project, "tools.py", "\n", "\nimport blake3\n")
    assert project.why("make") == {"make": ["package `blake3` is new"]}
    assert project.build().ran == ["make"]
    project.settled()


def test_packages_by_version(project: Project) -> None:
    """With `track_packages`, by their versions; the fast lane sees another one as well."""
    place = os.path.join(project.side, "installed")
    project.environ["PYTHONPATH"] += f":{place}"
    install(place, "1.0")
    project.settings(track_packages=True)
    project.write("steps.py", "def make(out):\n    import kitpackage\n    with open(out, 'w') as file:\n        file.write(kitpackage.NAME)\n")
    project.traced("go", inputs="steps.py", outputs="copy", run="cp {inputs} {outputs}")
    project.stage("make", outputs={"out": "out.txt"}, call="steps:make")
    assert project.cli().exit_status == 0
    assert project.cli().out.startswith("2 fresh")
    shutil.rmtree(place)
    install(place, "1.1")
    assert project.cli("why", "make").out == "`make` is stale\n  package `kitpackage` changed: 1.0 -> 1.1\n  mode: function (nothing asks for a process)\n"
    assert "make" in project.cli().out
    assert project.cli().out.startswith("2 fresh")
    project.settings(track_packages=None)
    assert "package `kitpackage` changed: 1.1 -> any version" in project.cli("why", "make").out


def install(place: str, version: str) -> None:
    info = os.path.join(place, f"kit_package-{version}.dist-info")
    os.makedirs(info)
    for path, text in {
        os.path.join(place, "kitpackage.py"): "NAME = 'x'\n",
        os.path.join(info, "METADATA"): f"Metadata-Version: 2.1\nName: kit-package\nVersion: {version}\n",
        os.path.join(info, "RECORD"): "kitpackage.py,,\n",
        os.path.join(info, "top_level.txt"): "kitpackage\n",
    }.items():
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)


SCRIPT = '''"""Usage."""
import tools


def main():
    print(tools.text(3), end="")  # a comment


if __name__ == "__main__":
    main()
'''


@pytest.mark.parametrize(
    "run", ["python scripts/go.py > {outputs}", "X=1 python3 -u -B scripts/go.py | cat > {outputs}", "exec python scripts/go.py > {outputs}"]
)
def test_a_script_that_python_runs(project: Project, run: str) -> None:
    """All of a script counts, but neither its comments nor its docstrings; of what it imports, what it reaches."""
    project.stage("go", outputs="out.txt", run=run, env={"PYTHONPATH": project.root})
    for path, text in {"scripts/go.py": SCRIPT, "tools.py": TOOLS, "lib/deep.py": DEEP}.items():
        project.write(path, text)
    assert project.build().ran == ["go"]
    project.settled()
    for path, old, new in (
        ("scripts/go.py", "# a comment", "# another"),
        ("scripts/go.py", "Usage", "How to use it"),
        ("tools.py", "# a comment", "# another"),
        ("lib/deep.py", "x * SPARE", "x + SPARE"),
    ):
        edit(project, path, old, new)
        assert project.build().ran == []
        project.settled()
    for path, old, new, why in (
        ("scripts/go.py", "text(3)", "text(4)", "code `main` (scripts/go.py) changed"),
        ("scripts/go.py", "    main()", "    main(); main()", "top-level code of `scripts/go.py` changed"),
        ("lib/deep.py", "SCALE = 2", "SCALE = 7", "code `SCALE` (lib/deep.py) changed"),
    ):
        edit(project, path, old, new)
        assert project.why("go") == {"go": [why]}
        assert project.build().ran == ["go"]
        project.settled()
    project.rename("scripts/go.py", "scripts/gone.py")
    assert project.status() == {"go": "stale"}


@pytest.mark.parametrize(
    ("run", "why"),
    [
        ("cat scripts/go.py > {outputs}", "file it read, `scripts/go.py` changed"),
        ("grep python scripts/go.py > {outputs} || true", "file it read, `scripts/go.py` changed"),
        ("python scripts/go.py > {outputs}; cat scripts/go.py >> {outputs}", "file it read, `scripts/go.py` changed"),
        (["python", "scripts/go.py", "scripts/go.py"], "file it read, `scripts/go.py` changed"),
    ],
)
def test_a_script_that_others_read(project: Project, run: object, why: str) -> None:
    """Who else than Python reads it reads its comments as well."""
    project.stage("go", inputs="x", outputs=["out.txt"] if isinstance(run, str) else None, run=run)
    for path, text in {"scripts/go.py": "# a comment\nprint()\n", "x": ""}.items():
        project.write(path, text)
    assert project.build("go").ran == ["go"]
    edit(project, "scripts/go.py", "# a comment", "# another")
    assert project.why("go") == {"go": [why]}
    assert project.build("go").ran == ["go"]


def test_a_script_by_an_argument_list(project: Project) -> None:
    project.stage("go", inputs="x", run=["python", "-B", "go.py"])
    project.write("x", "")
    project.write("go.py", "print()  # a\n")
    assert project.build("go").ran == ["go"]
    edit(project, "go.py", "# a", "# b")
    assert project.build("go").ran == []
    edit(project, "go.py", "print()", "print(1)")
    assert project.why("go") == {"go": ["top-level code of `go.py` changed"]}


def test_a_script_that_shows_its_docstring(project: Project) -> None:
    project.stage("go", outputs="out.txt", run="python go.py > {outputs}")
    project.write("go.py", "'''One'''\nprint(__doc__)\n")
    assert project.build().ran == ["go"]
    edit(project, "go.py", "One", "Two")
    assert project.build().ran == ["go"]
    project.settled()


@pytest.mark.parametrize(("path", "text"), [("steps.py", "def make(:\n"), ("tools.py", "x = '\n"), ("lib/deep.py", "\0")])
def test_code_that_does_not_parse(project: Project, path: str, text: str) -> None:
    """The stage fails and says so; put right, it is what it was."""
    three_modules(project)
    before = project.read(path)
    project.write(path, text)
    assert f"top-level code of `{path}` is new" in project.why("make")["make"]
    assert project.build().failed == ["make"]
    project.write(path, before)
    assert project.build().ran == []
    project.settled()


def test_a_module_that_is_gone(project: Project) -> None:
    three_modules(project)
    project.rename("lib/deep.py", "elsewhere.py")
    assert project.status() == {"make": "stale"}
    assert project.build().failed == ["make"]
    project.rename("elsewhere.py", "lib/deep.py")
    assert project.build().ran == []


def test_a_module_that_comes_before_another(project: Project) -> None:
    """A package takes the place of a module, and a project's module that of an installed one."""
    three_modules(project)
    project.write("tools/__init__.py", "def text(x):\n    return 'package'\n")
    assert project.build().ran == ["make"]
    assert project.read("out.txt") == "package"
    project.settled()
    edit(project, "tools/__init__.py", "return 'package'", "import textwrap\n    return textwrap.dedent(' x')")
    assert project.build().ran == ["make"]
    project.write("textwrap.py", "def dedent(x):\n    return 'ours'\n")
    assert lane(project) is None
    assert "code `dedent` (textwrap.py) is new" in project.why("make")["make"]


def test_folders_that_the_code_itself_adds(project: Project) -> None:
    """`sys.path.insert` is followed where the folder stands in the text."""
    steps = "import sys\nfrom pathlib import Path\nsys.path.insert(0, str(Path(__file__).parent / 'more' / 'modules'))\nsys.path.append('plain')\n"
    steps += "import extra\n\n\ndef make(out):\n    import other\n    Path(out).write_text(extra.text() + other.text())\n"
    files = {"more/modules/readme": "", "modules/extra.py": ""}
    files |= {"plain/extra.py": "def text(): return 'a'\n", "plain/other.py": "def text(): return 'b'\n"}
    three_modules(project, {"steps.py": steps, **files})
    edit(project, "plain/extra.py", "'a'", "'c'")
    assert project.build().ran == ["make"]
    edit(project, "plain/other.py", "'b'", "'d'")
    assert project.build().ran == ["make"]
    assert project.read("out.txt") == "cd"


def test_a_source_layout(project: Project) -> None:
    """Modules in `src`, and where PYTHONPATH leads within the project."""
    project.environ["PYTHONPATH"] += f":{project.path('src')}:{project.path('libs')}"
    project.stage("go", outputs="out.txt", run="python go.py > {outputs}")
    project.write("go.py", "import one, two\nprint(one.X, two.X)\n")
    project.write("src/one.py", "X = 1\nY = 1\n")
    project.write("libs/two.py", "X = 2\nY = 2\n")
    assert project.build().ran == ["go"]
    for path in ("src/one.py", "libs/two.py"):
        edit(project, path, "Y = ", "Y = 1")
        assert project.build().ran == []
        edit(project, path, "X = ", "X = 1")
        assert project.build().ran == ["go"]


def test_code_that_a_stage_makes(project: Project) -> None:
    """A module that another stage writes counts as it is when that stage has ended."""
    project.stage("gen", inputs="value.txt", outputs="made/version.py", run="(echo '# generated'; echo X = $(cat {inputs})) > {outputs}")
    project.stage("make", inputs={"version": "gen.outputs"}, outputs={"out": "out.txt"}, call="steps:make")
    code = "def make(version, out):\n    from made.version import X\n    with open(out, 'w') as file:\n        file.write(str(X))\n"
    project.write("steps.py", code)
    project.write("value.txt", "1\n")
    assert project.build().ran == ["gen", "make"]
    project.settled()
    project.write("value.txt", "2\n")
    assert project.build().ran == ["gen", "make"]
    assert project.read("out.txt") == "2"
    project.settled()
    project.stage("make", outputs={"out": "out.txt"}, call="steps:make", after="gen")
    edit(project, "steps.py", "version, out", "out")
    assert project.build().ran == ["make"]
    project.write("value.txt", "3\n")
    assert project.build().ran == ["gen", "make"]
    assert project.read("out.txt") == "3"
    project.settled()


def test_a_helper_of_a_script_that_a_stage_makes(project: Project) -> None:
    """Known from the last build, its stage comes first without being named."""
    project.stage("go", outputs="out.txt", run="python go.py > {outputs}")
    project.stage("gen", inputs="value.txt", outputs="version.py", run="echo X = $(cat {inputs}) > {outputs}")
    project.write("go.py", "import version\nprint(version.X)\n")
    project.write("value.txt", "1\n")
    project.write("version.py", "X = 0\n")
    project.build("gen")
    assert project.build("go").ran == ["go"]
    project.write("value.txt", "2\n")
    assert project.build("go").ran == ["gen", "go"]
    assert project.read("out.txt") == "2\n"


def test_accepting(project: Project) -> None:
    """`accept` records the code as it is."""
    three_modules(project)
    edit(project, "lib/deep.py", "SCALE = 2", "SCALE = 5")
    assert project.cli("accept", "make", "--reason", "checked").exit_status == 0
    assert project.build().ran == []
    edit(project, "lib/deep.py", "SCALE = 5", "SCALE = 2")
    assert project.build().ran == ["make"]


def test_code_edited_while_it_runs(project: Project) -> None:
    """Case 15: whatever of a reached file changes, the stage runs once more."""
    gate = project.gate("slow")
    project.stage("make", outputs={"out": "out.txt"}, call="steps:make")
    wait = "    import os\n    open(os.environ['GATES'] + '/slow.here', 'w').write('\\n')\n    open(os.environ['GATES'] + '/slow.go').readline()\n"
    project.write("steps.py", STEPS.replace('    with open(out, "w")', wait + '    with open(out, "w")'))
    project.write("tools.py", TOOLS)
    project.write("lib/deep.py", DEEP)
    running = project.start()
    gate.wait()
    edit(project, "lib/deep.py", "SCALE = 2", "SCALE = 5")
    gate.release()
    gate.wait()
    gate.release()
    outcome = running.wait()
    assert outcome.exit_status == 0
    assert "`lib/deep.py` changed while stage `make` ran: it runs again" in outcome.text
    assert project.read("out.txt") == "15\n"
    assert project.build().ran == []


@pytest.mark.parametrize(
    "damage", [b"", b"pipefile-code", b"nonsense", b"pipefile-code\0\2" + bytes(40), b"pipefile-code\0\1" + bytes(40)], ids=range(5)
)
def test_a_damaged_cache(project: Project, damage: bytes) -> None:
    """Cases 63 and 64: what is kept of code only saves time."""
    three_modules(project)
    whole = project.read_bytes("pipeline_outputs/code")
    project.write("pipeline_outputs/code", damage)
    edit(project, "steps.py", "return 1", "return 2")
    assert project.status() == {"make": "fresh"}
    assert project.build().ran == []
    assert project.read_bytes("pipeline_outputs/code")[:15] == whole[:15]
    project.settled()


def test_a_cache_of_another_tree(project: Project) -> None:
    """Case 66: one whose digests are not those of the files is not believed."""
    three_modules(project)
    old = project.read_bytes("pipeline_outputs/code")
    edit(project, "lib/deep.py", "SCALE = 2", "SCALE = 5")
    assert project.build().ran == ["make"]
    project.write("pipeline_outputs/code", old)
    assert project.build().ran == []
    edit(project, "lib/deep.py", "SCALE = 5", "SCALE = 6")
    assert project.build().ran == ["make"]
    project.settled()
