"""Pipefiles of folders below that join the graph: `[pipefile] include = ["media"]`."""

from __future__ import annotations

import json

import pytest
from kit import Project

ROOT = """\
[pipefile]
include = ["media"]

[global]
width = 1

[stage.report]
inputs = { thumbs = "media/thumbs.outputs", count = "media/count.n", style = "style.css" }
outputs = ["build/report.txt"]
run = 'echo "S report" >> "$LOG"; cat {thumbs} {style} > {outputs}; echo {count} >> {outputs}'
"""

MEDIA = """\
[pipefile]
include = ["video"]

[global]
width = 640

[alias]
all = ["thumbs", "video/cut", "out/thumbs.txt"]

[stage.thumbs]
description = "All of them"
inputs = { photos = "photos/*.jpg" }
outputs = { dst = "out/thumbs.txt" }
run = 'echo "S thumbs" >> "$LOG"; basename "$PWD" > {dst}; echo {global.width} {photos} {dst} >> {dst}'

[stage.count]
inputs = { thumbs = "thumbs.dst", width = "global.width" }
outputs = { n = "value:int" }
call = "steps:count"

[stage.named]
outputs = ["out/named.txt"]
run = 'echo "S named" >> "$LOG"; cat notes.txt ./video/Pipefile.toml > {outputs}'
after = ["count"]
"""

VIDEO = """\
[stage.cut]
inputs = ["../photos/a.jpg"]
outputs = ["cut.txt"]
run = 'echo "S cut" >> "$LOG"; cp {inputs} {outputs}; pwd > "$GATES/where"'
"""

ALL = ["cut", "named", "report", "thumbs"]


@pytest.fixture
def tree(project: Project) -> Project:
    for path in ("media/photos/a.jpg", "media/photos/b.jpg", "media/notes.txt", "style.css"):
        project.write(path, f"{path}\n")
    code = "import helper\n\n\ndef count(thumbs, width):\n    with open(thumbs) as file:\n        return helper.size(file) + width\n"
    project.write("media/steps.py", code)
    project.write("media/helper.py", "def size(file):\n    return len(file.read())\n")
    project.write("media/Pipefile.toml", MEDIA)
    project.write("media/video/Pipefile.toml", VIDEO)
    project.pipefile(ROOT)
    return project


def test_stages_run_in_their_folder_and_have_its_name(tree: Project) -> None:
    """Commands and functions see paths from there, modules beside them, and their own `[global]`; the root takes their outputs and values."""
    outcome = tree.cli()
    assert (outcome.err, sorted(outcome.started)) == ("", ALL)
    assert tree.read("media/out/thumbs.txt") == "media\n640 photos/a.jpg photos/b.jpg out/.pipefile-tmp/thumbs.txt\n"
    assert tree.read("build/report.txt").splitlines()[-1] == str(len(tree.read("media/out/thumbs.txt")) + 640)
    with open(f"{tree.side}/gates/where") as file:
        assert file.read() == tree.path("media/video") + "\n"
    assert tree.cli().out.startswith("5 fresh in ")
    assert tree.build(cold=True).ran == []
    assert {name: state for name, state in tree.status().items() if state != "fresh"} == {}


def test_an_edit_is_seen(tree: Project) -> None:
    """Of an included Pipefile, of one that this includes, of a module, of a file named in a command, of a glob's folder; and nothing else runs."""
    tree.cli()
    tree.write("media/Pipefile.toml", MEDIA.replace("[stage.thumbs]", "# a change\n[stage.thumbs]").replace("640", "641"))
    assert sorted(tree.cli().started) == ["report", "thumbs"]
    tree.write("media/video/Pipefile.toml", VIDEO.replace("cp ", "cp -f "))
    assert sorted(tree.cli().started) == ["cut", "named"]
    tree.write("media/helper.py", "def size(file):\n    return 7\n")
    assert tree.build().ran == ["media/count", "report"]
    tree.write("media/notes.txt", "other\n")
    assert tree.build().ran == ["media/named"]
    assert tree.read("media/out/named.txt").startswith("other\n")
    tree.write("media/photos/c.jpg", "c\n")
    assert tree.build().ran == ["media/thumbs", "media/count", "report"]
    tree.write("media/photos/a.jpg", "other\n")
    assert sorted(tree.build().ran) == ["media/thumbs", "media/video/cut"]
    tree.write("style.css", "other\n")
    assert tree.cli().started == ["report"]
    assert tree.cli().started == []


def test_builds_that_go_on_from_the_index_are_as_those_that_do_not(tree: Project) -> None:
    """After each of some edits, what a warm build makes and runs is what a cold one would."""
    tree.cli()
    for number, path in enumerate(("media/photos/a.jpg", "media/notes.txt", "style.css", "media/photos/b.jpg", "media/helper.py")):
        tree.write(path, f"{path} {number}\n" if not path.endswith(".py") else "def size(file):\n    return 1\n")
        ran = tree.build().ran
        assert ran != []
        assert tree.build(cold=True).ran == []
        assert tree.cli().started == []


def test_alone_it_is_what_it_is_in_the_project(tree: Project) -> None:
    """Standing in media/, its Pipefile is the root. What the project has made is fresh there, and the other way round; values are each one's own."""
    tree.cli()
    outcome = tree.cli(cwd="media")
    assert (outcome.err, outcome.started) == ("", [])
    assert outcome.out.splitlines()[-1].startswith("1 ran, 3 fresh in ")  # `count`, whose value lies in the store
    assert tree.cli().started == []
    tree.write("media/photos/a.jpg", "other\n")
    tree.write("media/photos/c.jpg", "new\n")
    assert sorted(tree.cli(cwd="media").started) == ["cut", "thumbs"]
    assert sorted(tree.cli().started) == ["report"]
    assert tree.cli(cwd="media").started == []
    assert tree.cli(cwd="media/video").started == []
    assert tree.cli(cwd="media/photos").started == []


def test_all_that_a_command_can_name(tree: Project) -> None:
    """Depfiles, lists of inputs, directories, scripts with their modules and values: all from its own folder."""
    tree.write("media/src/a.c", "a\n")
    tree.write("media/src/a.h", "h\n")
    tree.write("media/tools/tool.py", "import sys\n\nimport part\n\nopen(sys.argv[1], 'w').write(part.TEXT)\n")
    tree.write("media/tools/part.py", "TEXT = 'one'\n")
    tree.write(
        "media/Pipefile.toml",
        "[stage.compile]\ninputs = ['src/a.c']\noutputs = ['o/a.o']\ndepfile = 'o/a.d'\n"
        "run = 'echo \"S compile\" >> \"$LOG\"; cat src/a.c > {outputs}; echo \"a.o: src/a.c src/a.h\" > {depfile}'\n"
        "[stage.list]\ninputs = ['photos/*.jpg']\noutputs = { lst = 'o/list.txt', all = 'o/all/' }\n"
        "run = 'cp {inputs.file} {lst}; cp {inputs} {all}'\n"
        "[stage.tool]\noutputs = ['o/tool.txt']\nrun = 'python3 tools/tool.py {outputs}'\n"
        "[stage.made]\ninputs = { lst = 'list.lst' }\noutputs = { file = 'value:json' }\ncall = 'json_of:made'\n",
    )
    tree.write("media/json_of.py", "def made(lst):\n    import os\n\n    return [os.fspath(lst), os.path.basename(os.getcwd())]\n")
    tree.pipefile("[pipefile]\ninclude = ['media']\n")
    assert sorted(tree.build().ran) == ["media/compile", "media/list", "media/made", "media/tool"]
    assert tree.read("media/o/list.txt") == "photos/a.jpg\nphotos/b.jpg\n"
    path, folder = json.loads(tree.read(tree.value("media%2Fmade", "file")))
    assert (path, folder) == (tree.path("media/o/list.txt"), "media")
    tree.remove("pipeline_outputs/values")
    assert tree.cli("--no-cache").exit_status == 0
    assert json.loads(tree.read(tree.value("media%2Fmade", "file"))) == ["o/list.txt", "media"]
    tree.write("media/src/a.h", "other\n")
    assert tree.build().ran == ["media/compile"]
    tree.write("media/tools/part.py", "TEXT = 'two'\n")
    assert tree.build().ran == ["media/tool"]
    assert tree.read("media/o/tool.txt") == "two"
    tree.write("media/photos/b.jpg", "other\n")
    assert tree.build("media/made", mode="process").ran == ["media/list"]
    tree.remove("media/o/all")
    assert tree.build().ran == ["media/list"]
    assert tree.build(cold=True).ran == []


def test_names_of_targets(tree: Project) -> None:
    """`media/NAME` from anywhere, an alias of the included file, a file, a folder; nearest names are suggested."""
    assert sorted(tree.cli("media/all").started) == ["cut", "thumbs"]
    tree.remove("media/out")
    assert tree.cli("media/named").started == ["named"]
    tree.write("src/x", "")
    tree.remove("media/out")
    assert tree.cli("media/thumbs", "--no-cache", cwd="src").started == ["thumbs"]
    tree.remove("media/out")
    assert tree.cli("../media/out/thumbs.txt", "--no-cache", cwd="src").started == ["thumbs"]
    tree.remove("media/out")
    assert sorted(tree.cli("media/out/", "--no-cache").started) == ["named", "thumbs"]
    outcome = tree.cli("media/thumb")
    assert (outcome.err, outcome.exit_status) == ("error: no alias, stage or output is called `media/thumb`\nhint: did you mean `media/thumbs`?\n", 2)


def test_read_only_commands(tree: Project) -> None:
    """Know the stages by their names, and where each stands: in its own file."""
    listed = json.loads(tree.cli("list", "--json").out)["stages"]
    places = {each["name"]: (each["location"]["file"], each["location"]["line"], each["location"]["column"]) for each in listed}
    assert places == {
        "report": ("Pipefile.toml", 7, 8),
        "media/video/cut": ("media/video/Pipefile.toml", 1, 8),
        "media/thumbs": ("media/Pipefile.toml", 10, 8),
        "media/count": ("media/Pipefile.toml", 16, 8),
        "media/named": ("media/Pipefile.toml", 21, 8),
    }
    tree.cli()
    before = tree.tree()
    assert tree.cli("why", "media/thumbs").out == "`media/thumbs` is fresh\n"
    assert tree.cli("query", "inputs", "media/thumbs").out == "media/photos/a.jpg\nmedia/photos/b.jpg\n"
    assert "media/thumbs" in tree.cli("graph").out
    assert tree.cli("check").exit_status == 0
    assert tree.tree() == before
    tree.write("media/photos/a.jpg", "other\n")
    assert tree.cli("why", "media/thumbs").out.splitlines()[:2] == ["`media/thumbs` is stale", "  input `media/photos/a.jpg` changed"]


def test_what_is_gone_from_it_is_dead(tree: Project) -> None:
    """The output of a stage that an included Pipefile does not have any more is removed; no glob matches it before; `clean` knows its stages."""
    tree.cli()
    tree.write("media/Pipefile.toml", MEDIA[: MEDIA.index("[stage.named]")])
    assert "removed `media/out/named.txt`, which no stage makes any more" in tree.cli().out
    assert tree.cli("clean", "media/thumbs").out == "removed media/out/thumbs.txt\n"
    assert "removed media/video/cut.txt" in tree.cli("clean").out
    assert tree.cli("clean", "--dead").out == "nothing to remove\n"


def test_an_include_that_is_dropped_keeps_its_outputs(tree: Project) -> None:
    """It may be built by itself from now on."""
    tree.cli()
    tree.pipefile("[stage.report]\ninputs = ['style.css']\noutputs = ['build/report.txt']\nrun = 'cp {inputs} {outputs}'\n")
    assert "removed" not in tree.cli().out
    assert tree.exists("media/out/thumbs.txt")


def test_fallbacks_conditions_and_params_of_their_own(tree: Project) -> None:
    """Names in an included Pipefile are its own, in whatever key they stand; so are files of params, and `[resources]` that the root has not."""
    tree.write("media/params.toml", "lr = 1\n")
    tree.write(
        "media/Pipefile.toml",
        "[resources]\nlicense = 1\n"
        "[stage.probe]\noutputs = { yes = 'value:bool' }\ncall = 'probe:probe'\n"
        "[stage.main]\noutputs = ['main.txt']\nrun = 'false'\nfallback = 'instead'\nshould_run = 'probe.yes'\nresources = { license = 1 }\n"
        "[stage.instead]\nparams = { lr = 'params.toml:lr' }\nrun = 'basename \"$PWD\" > {outputs}; echo {params.lr} >> {outputs}'\n",
    )
    tree.write("media/probe.py", "def probe():\n    return True\n")
    tree.pipefile("[pipefile]\ninclude = ['media']\n")
    outcome = tree.build()
    assert outcome.degraded == ["media/main"]
    assert tree.read("media/main.txt") == "media\n1\n"
    tree.write("media/params.toml", "lr = 2\n")
    assert tree.build().degraded == ["media/main"]
    assert tree.read("media/main.txt") == "media\n2\n"
    tree.write("media/probe.py", "def probe():\n    return False\n")
    assert tree.build().skipped == ["media/main"]


def test_profiles_of_the_root_and_their_own(tree: Project) -> None:
    """`--profile` lays the profile of that name over each Pipefile that has it; `--set` is about the root's values."""
    tree.write("media/Pipefile.toml", MEDIA + "\n[profile.small.global]\nwidth = 16\n")
    tree.pipefile(ROOT + "\n[profile.small.global]\nwidth = 2\n")
    tree.cli("--profile", "small")
    assert tree.read("media/out/thumbs.txt").splitlines()[1].startswith("16 ")
    tree.cli("--set", "global.width=3")
    assert tree.read("media/out/thumbs.txt").splitlines()[1].startswith("640 ")


def test_env_and_shell_of_its_own(tree: Project) -> None:
    """A variable that it tracks makes its stages stale, not the root's."""
    tree.write("media/Pipefile.toml", MEDIA.replace('include = ["video"]', 'include = ["video"]\nenv = ["TINT"]\nshell = ["bash", "-ec"]'))
    tree.cli()
    assert sorted(tree.cli(env={"TINT": "red"}).started) == ["named", "thumbs"]
    assert tree.cli(env={"TINT": "red"}).started == []


def test_two_builds_of_one_tree(tree: Project) -> None:
    """The project and an included Pipefile by itself never build at the same time."""
    gate = tree.gate("slow")
    tree.write("media/video/Pipefile.toml", f"[stage.slow]\noutputs = ['slow.txt']\nrun = '''{gate.shell}; echo > {{outputs}}'''\n")
    tree.write("media/Pipefile.toml", "[pipefile]\ninclude = ['video']\n")
    tree.pipefile("[pipefile]\ninclude = ['media']\n")
    running = tree.start("media/video/slow")
    gate.wait()
    for folder in ("media", "media/video"):
        outcome = tree.cli("--no-wait", cwd=folder)
        assert outcome.exit_status == 4
        assert outcome.err.startswith(f"error: `{tree.path(folder)}` is locked by pid ")
    gate.release()
    assert running.wait().exit_status == 0
    tree.remove("media/video/slow.txt")
    running = tree.start("--no-cache", cwd="media/video")
    gate.wait()
    assert tree.cli("--no-wait").exit_status == 4
    gate.release()
    assert running.wait().exit_status == 0
    assert tree.cli("--no-wait").exit_status == 0


FAULTS = {
    "not_there": (
        {"Pipefile.toml": '[pipefile]\ninclude = ["medai"]\n'},
        "error: Pipefile.toml:2:12: `medai` in `include` of `[pipefile]`: there is no `medai/Pipefile.toml`\n"
        '  2 | include = ["medai"]\n    |            ^^^^^^^\n',
    ),
    "twice": (
        {"Pipefile.toml": '[pipefile]\ninclude = ["media", "./media/"]\n'},
        "error: Pipefile.toml:2:21: `./media/` in `include` of `[pipefile]` is included already by `Pipefile.toml`\n"
        '  2 | include = ["media", "./media/"]\n    |                     ^^^^^^^^^^\n',
    ),
    "by_two": (
        {"Pipefile.toml": '[pipefile]\ninclude = ["media", "media/video"]\n'},
        "error: Pipefile.toml:2:21: `media/video` in `include` of `[pipefile]` is included already by `media/Pipefile.toml`\n"
        '  2 | include = ["media", "media/video"]\n    |                     ^^^^^^^^^^^^^\n',
    ),
    "itself": (
        {"media/Pipefile.toml": '[pipefile]\ninclude = ["."]\n'},
        "error: media/Pipefile.toml:2:12: `.` in `include` of `[pipefile]` is the folder of this Pipefile itself\n"
        '  2 | include = ["."]\n    |            ^^^\n',
    ),
    "above": (
        {"media/Pipefile.toml": '[pipefile]\ninclude = ["../other"]\n'},
        "error: media/Pipefile.toml:2:12: `../other` in `include` of `[pipefile]` does not lie below this Pipefile\n"
        '  2 | include = ["../other"]\n    |            ^^^^^^^^^^\n',
    ),
    "a_file": (
        {"Pipefile.toml": '[pipefile]\ninclude = ["media/Pipefile.toml"]\n'},
        "error: Pipefile.toml:2:12: `media/Pipefile.toml` in `include` of `[pipefile]` names a file\n"
        '  2 | include = ["media/Pipefile.toml"]\n    |            ^^^^^^^^^^^^^^^^^^^^^\n'
        "hint: it names folders: their `Pipefile.toml` is included\n",
    ),
    "a_key_of_the_root": (
        {"media/Pipefile.toml": '[pipefile]\nstore = "s"\n'},
        "error: media/Pipefile.toml:2:1: `store` in `[pipefile]` belongs to the project, and `media/Pipefile.toml` is included\n"
        '  2 | store = "s"\n    | ^^^^^\nhint: the Pipefile at the root says it for all\n',
    ),
    "an_unknown_key": (
        {"media/Pipefile.toml": '[stage.thumbs]\noutput = ["x"]\nrun = "x"\n'},
        'error: media/Pipefile.toml:2:1: unknown key `output` in stage `thumbs`\n  2 | output = ["x"]\n    | ^^^^^^\nhint: did you mean `outputs`?\n',
    ),
    "no_toml": (
        {"media/Pipefile.toml": "[stage.thumbs]\nrun =\n"},
        "error: media/Pipefile.toml:2:6: a value is missing\n  2 | run =\n    |      ^\n",
    ),
    "a_missing_source": (
        {
            "media/Pipefile.toml": '[stage.thumbs]\ninputs = ["photos/c.jpg"]\noutputs = ["x"]\nrun = "cp {inputs} {outputs}"\n',
            "Pipefile.toml": '[pipefile]\ninclude = ["media"]\n',
        },
        "error: `media/photos/c.jpg` does not exist and no stage makes it\n  needed by `media/x` (`media/thumbs`, media/Pipefile.toml:2)\n"
        "hint: did you mean `media/photos/b.jpg`?\n",
    ),
    "two_makers": (
        {
            "media/Pipefile.toml": '[stage.thumbs]\noutputs = ["../x"]\nrun = "echo > {outputs}"\n',
            "Pipefile.toml": '[pipefile]\ninclude = ["media"]\n\n[stage.x]\noutputs = ["x"]\nrun = "echo > {outputs}"\n',
        },
        "error: `x` is made by two stages\n  Pipefile.toml:5  `x`\n  media/Pipefile.toml:2  `media/thumbs`\n",
    ),
    "a_name_that_is_taken": (
        {"Pipefile.toml": '[pipefile]\ninclude = ["media"]\n\n[stage."media/x"]\nrun = "echo"\n'},
        "error: Pipefile.toml:4:8: the stage name `media/x` begins with `media/`, as those of a Pipefile do that is included\n"
        '  4 | [stage."media/x"]\n    |        ^^^^^^^^^\n',
    ),
    "an_included_pipefile_as_output": (
        {"Pipefile.toml": '[pipefile]\ninclude = ["media"]\n\n[stage.x]\noutputs = ["media/Pipefile.toml"]\nrun = "echo > {outputs}"\n'},
        "error: Pipefile.toml:5:12: output `media/Pipefile.toml` of stage `x` is a Pipefile that is included\n"
        '  5 | outputs = ["media/Pipefile.toml"]\n    |            ^^^^^^^^^^^^^^^^^^^^^\n',
    ),
    "an_unknown_alias": (
        {"media/Pipefile.toml": '[alias]\nall = ["thumb"]\n[stage.thumbs]\nrun = "echo"\n'},
        "error: media/Pipefile.toml:2:8: alias `all` names `thumb`, which is no stage, alias or output\n"
        '  2 | all = ["thumb"]\n    |        ^^^^^^^\nhint: did you mean `thumbs`?\n',
    ),
    "a_stage_of_the_root": (
        {"media/Pipefile.toml": '[stage.thumbs]\nafter = ["report"]\nrun = "echo"\n'},
        "error: media/Pipefile.toml:2:10: `after` of stage `thumbs` names `report`, which is no stage\n"
        '  2 | after = ["report"]\n    |          ^^^^^^^^\n',
    ),
}


@pytest.mark.parametrize("name", list(FAULTS))
def test_faults(tree: Project, name: str) -> None:
    """Are told by file, line and column of the Pipefile that they stand in, before anything runs."""
    files, message = FAULTS[name]
    for path, text in files.items():
        tree.write(path, text)
    for words in ((), ("-n",), ("status",)):
        outcome = tree.cli(*words)
        assert (outcome.err, outcome.out, outcome.exit_status, outcome.started) == (message, "", 2, [])


def test_a_link_that_leads_back(tree: Project) -> None:
    """An include cycle is only possible by a link, and is an error."""
    import os

    os.symlink("..", tree.path("media/again"))
    tree.write("media/Pipefile.toml", '[pipefile]\ninclude = ["again"]\n')
    assert tree.cli().err == (
        "error: media/Pipefile.toml:2:12: `again` in `include` of `[pipefile]` leads back to a Pipefile that includes it\n"
        '  2 | include = ["again"]\n    |            ^^^^^^^\n'
    )


def test_references_are_those_of_its_own_file(tree: Project) -> None:
    """What looks like one of the root's is a path there."""
    tree.write("media/Pipefile.toml", '[stage.thumbs]\ninputs = ["report.outputs"]\noutputs = ["x"]\nrun = "cp {inputs} {outputs}"\n')
    assert tree.cli("media/x").err.splitlines()[0] == "error: `media/report.outputs` does not exist and no stage makes it"
    tree.write("media/report.outputs", "a file\n")
    assert tree.cli("media/x").exit_status == 0
    assert tree.read("media/x") == "a file\n"
