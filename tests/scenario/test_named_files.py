"""Files whose paths are known only at run time: a function names them when it returns."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from kit import Project
from kit.decorated import any_type
from kit.lane import lane

STEPS = '''
import os
from pipefile import FileRef

def preview(src, name):
    os.makedirs("build", exist_ok=True)
    path = f"build/{name}.txt"
    with open(src) as file, open(path, "w") as out:
        out.write(file.read())
    return FileRef(path)

def show(p, out):
    with open(p) as file, open(out, "w") as target:
        target.write(f"{os.path.relpath(p)} {p.digest} {p.size} {file.read()}")
'''


@pytest.fixture(autouse=True)
def typed(project: Project) -> Iterator[None]:
    project.write("steps.py", STEPS)
    project.write("in.txt", "a\n")
    with any_type(project):
        yield


def named(project: Project, name: str = "one") -> None:
    outputs = {"p": "value:file"}
    project.stage("preview", inputs={"src": "in.txt"}, outputs=outputs, params={"name": name}, call="steps:preview")
    project.stage("show", inputs={"p": "preview.p"}, outputs={"out": "show.txt"}, call="steps:show")


VALUE = "pipeline_outputs/values/preview/p.json"


def digest(project: Project, path: str) -> str:
    from pipefile.base.digest import of_bytes

    return of_bytes(project.read_bytes(path))


def test_by_reference(project: Project) -> None:
    """The consumer gets path, digest and size; the value's file holds the same; the file has a record beside it."""
    named(project)
    assert project.build().ran == ["preview", "show"]
    mark = digest(project, "build/one.txt")
    assert json.loads(project.read(VALUE)) == {"digest": mark, "path": "build/one.txt", "size": 2}
    assert project.read("show.txt") == f"build/one.txt {mark} 2 a\n"
    assert project.exists("build/.one.txt.hash")
    project.settled()


def test_in_a_command(project: Project) -> None:
    """A placeholder is the path of the file that the value names."""
    named(project)
    project.stage("show", inputs={"p": "preview.p"}, outputs={"out": "show.txt"}, run="cat {p} > {out}; echo {p} >> {out}")
    project.build()
    assert project.read("show.txt") == "a\nbuild/one.txt\n"
    named(project, "two")
    project.stage("show", inputs={"p": "preview.p"}, outputs={"out": "show.txt"}, run="cat {p} > {out}; echo {p} >> {out}")
    assert project.build().ran == ["preview", "show"]
    assert project.read("show.txt") == "a\nbuild/two.txt\n"
    project.settled()


def test_another_path_makes_the_old_one_dead(project: Project) -> None:
    """A changed path: the old file goes with the build; only the stages concerned run."""
    named(project)
    project.build()
    named(project, "two")
    outcome = project.build()
    assert (outcome.ran, outcome.output) == (["preview", "show"], "note: removed `build/one.txt`, which no stage makes any more\n")
    assert not project.exists("build/one.txt")
    assert not project.exists("build/.one.txt.hash")
    assert project.read("show.txt").startswith("build/two.txt ")
    project.settled()


def test_the_old_path_is_remembered(project: Project) -> None:
    """A build of one target removes nothing; the next one of everything does. Edited since, it is kept."""
    for edited in (False, True):
        named(project, "one")
        project.build()
        named(project, "two")
        assert project.build("preview").ran == ["preview"]
        assert project.exists("build/one.txt")
        if edited:
            project.write("build/one.txt", "mine\n")
        assert project.build().exit_status == 0
        assert project.exists("build/one.txt") == edited


@pytest.mark.parametrize("index", [True, False])
@pytest.mark.parametrize("damage", ["tampered", "same size", "deleted", "record", "record gone", "value"])
def test_what_is_done_to_the_file_is_undone(project: Project, damage: str, index: bool) -> None:
    """Cases 5 to 9, 63 and 65: its stage runs again, nothing else; the fast lane sees it."""
    named(project)
    project.build()
    if damage in ("tampered", "same size"):
        project.write("build/one.txt", "tampered\n" if damage == "tampered" else "b\n")
    elif damage == "deleted":
        project.remove("build/one.txt")
    elif damage == "record":
        project.write("build/.one.txt.hash", "{}")
    elif damage == "record gone":
        project.remove("build/.one.txt.hash")
    else:
        project.write(VALUE, project.read(VALUE).replace("one", "two"))
    if not index:
        project.remove("pipeline_outputs/index")
    elif damage == "record":
        return  # while the index vouches for it, a record that is damaged in place is not looked at
    assert lane(project) is None
    assert project.status()["preview"] == "stale"
    assert project.build().ran == ["preview"]
    assert project.read("build/one.txt") == "a\n"
    project.settled()


def test_touched(project: Project) -> None:
    """Case 11: the same bytes are the same file."""
    named(project)
    project.build()
    project.touch("build/one.txt")
    assert project.build().ran == []


def test_early_cutoff(project: Project) -> None:
    """Case 12: the same path with the same bytes leaves the consumer fresh; other bytes do not."""
    named(project)
    project.build()
    project.stage("preview", inputs={"src": "in.txt"}, outputs={"p": "value:file"}, params={"name": "one"}, call="steps:preview", version="2")
    assert project.build().ran == ["preview"]
    project.write("in.txt", "b\n")
    assert project.build().ran == ["preview", "show"]


def test_clean_removes_it(project: Project) -> None:
    """With its record, and nothing that is not recorded as the stage's."""
    named(project)
    project.build()
    assert project.cli("clean", "preview").out == f"removed {VALUE}\nremoved build/one.txt\n"
    assert not project.exists("build")
    assert project.build().ran == ["preview"]


def test_it_is_dead_when_its_stage_is_gone(project: Project) -> None:
    """By a build, and by `clean --dead` without an index."""
    named(project)
    project.build()
    project.drop("show")
    project.drop("preview")
    project.stage("other", outputs="other.txt", run="echo > {outputs}")
    assert set(project.cli("clean", "--dead", "-n").out.split("\n")[:-1]) == {
        f"would remove {path}" for path in (VALUE, "build/one.txt", "show.txt")
    }
    project.build()
    assert not project.exists("build")
    assert not project.exists(VALUE)


def test_it_is_not_dead_while_its_stage_names_it(project: Project) -> None:
    """Neither for a build nor for `clean --dead`, with an index or without."""
    named(project)
    project.build()
    assert project.cli("clean", "--dead", "-n").out == "nothing to remove\n"
    project.remove("pipeline_outputs/index")
    assert project.cli("clean", "--dead", "-n").out == "nothing to remove\n"
    project.write("in.txt", "b\n")
    project.build()
    project.remove("pipeline_outputs/index")
    project.build()
    assert project.read("build/one.txt") == "b\n"
    project.settled()


def test_globs_do_not_see_it(project: Project) -> None:
    """Neither before nor after it is made: which stage makes it is known to nobody when globs are expanded."""
    named(project)
    project.write("build/source.txt", "s\n")
    project.stage("glob", inputs=["build/*.txt"], outputs=["glob.out"], run="echo {inputs} > {outputs}")
    project.build()
    assert project.read("glob.out") == "build/source.txt\n"
    assert project.build().ran == []
    project.remove("pipeline_outputs/index")
    assert project.build().ran == []


def test_globs_do_not_see_one_whose_record_is_lost(project: Project) -> None:
    """Case 65: without its record it looks like a source; the build that makes it anew says so, and the next one is right."""
    named(project)
    project.write("build/source.txt", "s\n")
    project.stage("glob", inputs=["build/*.txt"], outputs=["glob.out"], run="echo {inputs} > {outputs}", after=["preview"])
    project.build()
    for path in [path for path in project.tree() if path.endswith(".hash") or path == "pipeline_outputs/index"]:
        project.remove(path)
    outcome = project.build()
    assert (outcome.failed, outcome.output) == (
        ["preview"],
        "returned `build/one.txt`, which is an input of stage `glob`, whose pattern matches it\n"
        "hint: build again: from now on patterns leave it out\n",
    )
    assert project.build().exit_status == 0
    assert project.read("glob.out") == "build/source.txt\n"
    assert project.build().ran == []


def test_the_guard_covers_it(project: Project) -> None:
    """Case 15: a file that changes while a stage reads it by reference fails that stage; the next build makes it anew."""
    named(project)
    run = 'if [ -e "$GATES/armed" ]; then rm "$GATES/armed"; echo spoiled > {p}; fi; cat {p} > {out}'
    with open(os.path.join(project.environ["GATES"], "armed"), "w", encoding="utf-8"):
        pass
    project.stage("show", inputs={"p": "preview.p"}, outputs={"out": "show.txt"}, run=run)
    outcome = project.build()
    assert (outcome.ran, outcome.failed) == (["preview"], ["show"])
    assert outcome.output == "`build/one.txt` was changed after stage `preview` had made it\nhint: the next build makes it anew\n"
    assert project.build().ran == ["preview", "show"]
    assert project.read("show.txt") == "a\n"
    project.settled()


def test_passed_on(project: Project) -> None:
    """An input, a declared output and a file in a declared directory are passed on: nobody gets another owner."""
    project.write(
        "steps.py",
        STEPS
        + "def pass_on(src, folder, made):\n"
        + "    for path in (f'{folder}/x', made):\n        with open(path, 'w') as file:\n            file.write(str(path)[-1])\n"
        + "    return {'a': src, 'b': FileRef(f'{folder}/x'), 'c': made, 'd': FileRef('build/folder/x')}\n",
    )
    outputs = {"folder": "build/folder/", "made": "build/made", **dict.fromkeys("abcd", "value:file")}
    project.stage("preview", inputs={"src": "in.txt"}, outputs=outputs, call="steps:pass_on")
    project.stage("show", inputs=[f"preview.{name}" for name in "abcd"], outputs=["show.txt"], run="echo {inputs} > {outputs}")
    assert project.build().exit_status == 0
    assert project.read("show.txt") == "in.txt build/folder/x build/made build/folder/x\n"
    assert not project.exists(".in.txt.hash")
    assert not project.exists("build/folder/.x.hash")
    project.settled()
    project.cli("clean")
    assert project.read("in.txt") == "a\n"


def test_passed_on_from_another_stage(project: Project) -> None:
    """What arrived by reference may be returned again."""
    named(project)
    project.write("steps.py", STEPS + "def again(p):\n    return p\n")
    project.stage("again", inputs={"p": "preview.p"}, outputs={"p": "value:file"}, call="steps:again")
    project.stage("show", inputs={"p": "again.p"}, outputs={"out": "show.txt"}, call="steps:show")
    project.build()
    assert project.read(project.value("again", "p")) == project.read(VALUE)
    project.settled()
    project.write("build/one.txt", "spoiled\n")
    assert project.build().ran == ["preview"]
    project.settled()


TAKE = "hint: that does not say who makes the file: it has to take the value instead of the path"
FAULTS = [
    ("FileRef('build/none.txt')", "returned `build/none.txt`, which does not exist"),
    (
        "FileRef('build')",
        "returned `build`, which is a directory\nhint: declare a directory as an output, `\"build/frames/\"`, and name the files in it",
    ),
    ("FileRef('')", "returned an empty path as a file"),
    ("FileRef('a\\0b')", "returned a path with a NUL character as a file"),
    ("FileRef('.')", "returned `.`, which is pipefile's own"),
    (
        "FileRef('../out.txt')",
        "returned `../out.txt`, which lies outside the project\nhint: folders outside are named in `[pipefile] outside = [\"/...\"]`",
    ),
    ("FileRef('Pipefile.toml')", "returned `Pipefile.toml`, which is pipefile's own"),
    ("FileRef('.pipefile.lock')", "returned `.pipefile.lock`, which is pipefile's own"),
    ("FileRef('.in.txt.hash')", "returned `.in.txt.hash`, which is pipefile's own"),
    (
        "FileRef('pipeline_outputs/x')",
        "returned `pipeline_outputs/x`, which lies in pipefile's own store `pipeline_outputs`\nhint: what lies there is removed with old runs",
    ),
    ("FileRef('other.txt')", "returned `other.txt`, which is an output of stage `other`\nhint: declare it as an input, to pass it on"),
    ("FileRef('folder/x')", "returned `folder/x`, which lies in `folder/`, an output of stage `other`"),
    ("FileRef('link')", "returned `link`, which is a link"),
    ("FileRef('source.txt')", "returned `source.txt`, which it has not written\nhint: declare it as an input, to pass it on"),
    (
        "FileRef('read.txt')",
        "returned `read.txt`, which is an input of stage `reader`\n" + TAKE,
    ),
    (
        "FileRef('data/x')",
        "returned `data/x`, which is an input of stage `reader`\n" + TAKE,
    ),
    ("'build/a.txt'", "value `p` must be a FileRef or another path-like object, as its stage declares, but is a `str`"),
    ("{'p': None}", "value `p` must be a FileRef or another path-like object, as its stage declares, but is None"),
]


@pytest.mark.parametrize(("returned", "said"), FAULTS)
def test_what_cannot_be_named(project: Project, returned: str, said: str) -> None:
    """Case 76: the message says which file and why; nothing is recorded of it."""
    for path in ("source.txt", "read.txt", "data/x", "build/x"):
        project.write(path, "")
    project.touch("source.txt", 4_000_000_000_000_000_000)
    os.symlink("in.txt", project.path("link"))
    writes = "".join(f"    open({path!r}, 'w').close()\n" for path in ("read.txt", "data/x"))
    project.write("steps.py", f"from pipefile import FileRef\ndef preview():\n{writes}    return {returned}\n")
    project.stage("other", outputs=["other.txt", "folder/"], run="echo > {outputs[0]}; echo > {outputs[1]}/x")
    project.stage("reader", inputs=["read.txt", "data/"], outputs="reader.txt", run="echo > {outputs}")
    project.build()
    project.stage("preview", outputs={"p": "value:file"}, call="steps:preview")
    outcome = project.build()
    assert (outcome.failed, outcome.output.removesuffix("\n")) == (["preview"], said)
    assert not project.exists(VALUE)


def test_two_stages_that_name_one_file(project: Project) -> None:
    """The second one fails, as two declared outputs of one path would be an error."""
    for name in ("preview", "again"):
        project.stage(name, inputs={"src": "in.txt"}, outputs={"p": "value:file"}, params={"name": "one"}, call="steps:preview")
    outcome = project.build(jobs=1)
    assert (outcome.ran, outcome.failed) == (["preview"], ["again"])
    assert outcome.output == "returned `build/one.txt`, which stage `preview` has made and named already\n"
    outcome = project.build(jobs=1, keep_going=True)
    assert outcome.failed == ["again"]


def test_two_stages_swap_their_files(project: Project) -> None:
    """Each takes what was the other's, in whatever order they run."""
    for stage in ("preview", "again"):
        for step in (0, 1):
            for number, name in enumerate(("preview", "again")):
                params = {"name": ("one", "two")[(number + step) % 2]}
                project.stage(name, inputs={"src": "in.txt"}, outputs={"p": "value:file"}, params=params, call="steps:preview")
            outcome = project.build(stage) if stage == "again" else project.build(jobs=1)
            assert outcome.exit_status == 0, outcome.output
        assert project.build().exit_status == 0
        assert project.build().ran == []


def test_outside(project: Project) -> None:
    """A folder of `outside` may hold it; its path is absolute then."""
    folder = os.path.join(project.side, "out")
    os.makedirs(folder)
    project.settings(outside=[folder])
    project.write("steps.py", STEPS + f"def far(src):\n    path = '{folder}/x.txt'\n    open(path, 'w').close()\n    return FileRef(path)\n")
    project.stage("far", inputs={"src": "in.txt"}, outputs={"p": "value:file"}, call="steps:far")
    assert project.build().exit_status == 0
    assert json.loads(project.read(project.value("far", "p")))["path"] == f"{folder}/x.txt"
    assert project.build().ran == []
    os.unlink(f"{folder}/x.txt")
    assert project.build().ran == ["far"]


def test_a_root_that_is_a_link(project: Project) -> None:
    """An absolute path inside the project is one of the project, by whichever name of its root."""
    project.write("steps.py", STEPS + "def far(src):\n    open('x.txt', 'w').close()\n    return FileRef(os.path.abspath('x.txt'))\n")
    project.stage("far", inputs={"src": "in.txt"}, outputs={"p": "value:file"}, call="steps:far")
    real = project.root
    project.root = os.path.join(project.side, "link")
    os.symlink(real, project.root)
    assert project.build().exit_status == 0
    assert json.loads(project.read(project.value("far", "p")))["path"] == "x.txt"


def test_a_link_that_leads_out(project: Project) -> None:
    """Case 76: a folder of the project that is a link to elsewhere."""
    os.symlink(project.side, project.path("out"))
    project.write("steps.py", STEPS + "def far(src):\n    open('out/x.txt', 'w').close()\n    return FileRef('out/x.txt')\n")
    project.stage("far", inputs={"src": "in.txt"}, outputs={"p": "value:file"}, call="steps:far")
    assert project.build().output == "returned `out/x.txt`, which lies outside the project, where a link leads\n"


def test_a_killed_build_is_taken_up(project: Project) -> None:
    """Case 30: the builder dies at each of its changes to the disk; the next build puts all right."""
    from kit.disks import DyingDisk, Killed

    named(project)
    project.build()
    count = 0
    while True:
        project.write("in.txt", f"{count}\n")
        project.disk = DyingDisk(project.root, count)
        try:
            project.build(jobs=1)
            break
        except Killed:
            count += 1
        finally:
            project.disk = None
        outcome = project.build()
        assert outcome.exit_status == 0, (count, outcome.output)
        assert project.read("build/one.txt") == f"{count - 1}\n"
        assert project.build().ran == [], count
    assert count > 5
    project.settled()


def test_accept_keeps_what_is_named(project: Project) -> None:
    """The file stays an output; a value that does not say what stands there is refused."""
    named(project)
    project.build()
    project.write("steps.py", STEPS.replace("out.write(file.read())", "out.write(str(file.read()))"))
    assert project.status() == {"preview": "stale", "show": "unknown"}
    assert project.cli("accept", "preview", "--reason", "no change").exit_status == 0
    assert project.status() == {"preview": "fresh", "show": "fresh"}
    project.write("build/one.txt", "spoiled\n")
    assert project.status()["preview"] == "stale"
    refused = project.cli("accept", "preview", "--reason", "no change")
    assert f"value `{VALUE}` of stage `preview` names `build/one.txt`, which is not there as it says" in refused.err
    assert project.cli("clean").out == f"removed {VALUE}\nremoved build/one.txt\nremoved show.txt\n"


SIZE = int(os.environ.get("PIPEFILE_LARGE_FILE", str(256 << 20)))


# By way of a small process: Linux begins a child's peak with that of its parent, and a long test run is large.
MEASURE = "import resource as r, subprocess, sys\nsubprocess.run(sys.argv[1:], check=True)\nprint(r.getrusage(r.RUSAGE_CHILDREN).ru_maxrss)"


def test_a_large_file_by_reference(project: Project) -> None:
    """Case 80: PIPEFILE_LARGE_FILE=2147483648 makes it 2 GB. The builder hashes it without holding it: it stays under 100 MB."""
    project.write(
        "steps.py",
        "import os\nfrom pipefile import FileRef\n"
        f"def make():\n    with open('large.bin', 'wb') as file:\n        file.truncate({SIZE})\n"
        f"        file.seek({SIZE} // 2)\n        file.write(b'x')\n"
        "    return FileRef('large.bin')\n"
        "def measure(large, out):\n    assert os.stat(large).st_size == large.size\n"
        "    with open(out, 'w') as file:\n        file.write(str(large.size))\n",
    )
    project.stage("make", outputs={"large": "value:file"}, call="steps:make")
    project.stage("measure", inputs={"large": "make.large"}, outputs={"out": "size.txt"}, call="steps:measure")
    begun = time.monotonic()
    argv = [sys.executable, "-c", MEASURE, sys.executable, "-m", "pipefile", "-q"]
    done = subprocess.run(argv, cwd=project.root, env=project.environ, capture_output=True, text=True, check=True)
    peak = int(done.stdout)
    assert project.read("size.txt") == str(SIZE)
    print(f"{SIZE >> 20} MB in {time.monotonic() - begun:.1f} s, peak {peak >> 10} MB")
    assert peak < 100 << 10
    assert project.cli().out.startswith("2 fresh")
