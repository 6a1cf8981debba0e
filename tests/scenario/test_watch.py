"""`watch`: a round for each change that matters, and none for any other."""

from __future__ import annotations

import os

import pytest
from kit import Project, Watch


@pytest.fixture
def chain(project: Project) -> Project:
    """`src.txt` -> `a.txt` -> `b.txt`."""
    project.write("src.txt", "2\n1\n")
    project.traced("a", inputs="src.txt", outputs="a.txt", run="sort {inputs} > {outputs}")
    project.traced("b", inputs="a.txt", outputs="b.txt", run="wc -l < {inputs} > {outputs}")
    return project


def text_of(project: Project, path: str) -> str:
    """A file's text; "" while it is being replaced."""
    return project.read(path) if project.exists(path) else ""


def mark(project: Project, watch: Watch, number: int = 0) -> None:
    """See that nothing has been built since the last round: a change of another file is the next one."""
    project.write("src.txt", f"mark {number}\n")
    text = watch.next()
    assert text.startswith("pipefile: build started (1 changed: src.txt)\n"), text


def test_rounds(chain: Project) -> None:
    """The first build, one for an edit, one for a touch with nothing to do: each begins and ends with its line."""
    watch = Watch(chain, "-j1")
    assert watch.next() == (
        "pipefile: build started\n[1/2] a  N s\n[2/2] b  N s\n2 ran in N s\n"
        "pipefile: watching 4 files in 1 folder (inotify)\npipefile: build finished: 0 failed, 2 ok, 0 skipped in Ns\n"
    )

    chain.write("src.txt", "3\n")
    assert watch.next() == (
        "pipefile: build started (1 changed: src.txt)\n[1/2] a  N s\n[2/2] b  N s\n2 ran in N s\n"
        "pipefile: build finished: 0 failed, 2 ok, 0 skipped in Ns\n"
    )

    chain.touch("src.txt")
    assert watch.next() == (
        "pipefile: build started (1 changed: src.txt)\n2 fresh in N s\npipefile: build finished: 0 failed, 0 ok, 0 skipped in Ns\n"
    )
    chain.settled()
    assert watch.stop().exit_status == 143


def test_files_that_nobody_reads_are_no_reason(chain: Project) -> None:
    """Neither are what a build writes, what editors leave beside files, nor the store."""
    chain.write("steps.py", "import shutil\n\n\ndef make(inputs, outputs):\n    shutil.copy(inputs[0], outputs[0])\n")
    chain.stage("c", inputs="b.txt", outputs="c.txt", call="steps:make")
    watch = Watch(chain)
    watch.next()
    mark(chain, watch)  # so that the look at everything that follows the first build is over
    for name in ("other.txt", ".src.txt.swp", "4913", "src.txt~", "pipeline_outputs/x", ".git/index", "__pycache__/steps.pyc", "some notes/a.md"):
        chain.write(name, "x\n")
    mark(chain, watch, 1)
    chain.settled()


def test_an_output_that_is_edited_or_removed_by_hand(chain: Project) -> None:
    """It is made again, and its own making is no reason for another round (case 96)."""
    watch = Watch(chain, "--no-cache")
    watch.next()
    chain.write("a.txt", "spoilt\n")
    assert "[1/2] a  N s\n" in watch.until("pipefile: build started (1 changed: a.txt)")
    chain.remove("b.txt")
    assert "[2/2] b  N s\n" in watch.until("pipefile: build started (1 changed: b.txt)")
    chain.remove(chain.record("b.txt"))
    assert "[2/2] b  N s\n" in watch.until("pipefile: build started (1 changed: .b.txt.hash)")
    mark(chain, watch)
    chain.settled()


def test_new_and_removed_files_of_a_glob(project: Project) -> None:
    """Also in folders that come while it watches, and in those that are moved in, out and within."""
    project.write("data/1.txt", "1\n")
    project.write("src.txt", "")
    project.traced("all", inputs=["data/**/*.txt", "src.txt"], outputs="all.txt", run="cat {inputs} > {outputs}")
    watch = Watch(project)
    watch.next()

    project.write("data/2.txt", "2\n")
    watch.until("pipefile: build started (1 changed: data/)")
    project.write("data/x/y/z/3.txt", "3\n")
    watch.running.until(lambda: text_of(project, "all.txt") == "1\n2\n3\n")
    project.write("data/x/y/z/4.txt", "4\n")
    watch.running.until(lambda: text_of(project, "all.txt") == "1\n2\n3\n4\n")
    project.rename("data/x", "data/w")
    watch.running.until(lambda: text_of(project, "all.txt") == "1\n2\n3\n4\n" and "w/y/z" in text_of(project, ".all.txt.hash"))
    project.write("data/w/y/z/4.txt", "5\n")
    watch.running.until(lambda: text_of(project, "all.txt") == "1\n2\n3\n5\n")
    project.rename("data/w", "elsewhere")
    watch.running.until(lambda: text_of(project, "all.txt") == "1\n2\n")
    project.rename("elsewhere", "data/v")
    watch.running.until(lambda: text_of(project, "all.txt") == "1\n2\n3\n5\n")
    project.remove("data/1.txt")
    watch.running.until(lambda: text_of(project, "all.txt") == "2\n3\n5\n")
    watch.stop()
    project.settled()


def test_a_moved_folder_of_named_files(project: Project) -> None:
    """The parent of the folder that moves holds no source: its move is seen all the same (case 95)."""
    project.write("in/deep/er/a.txt", "a\n")
    project.traced("copy", inputs="in/deep/er/a.txt", outputs="a.out", run="cat {inputs} > {outputs}")
    watch = Watch(project)
    watch.next()
    project.rename("in", "out")
    watch.until("error: `in/deep/er/a.txt` does not exist and no stage makes it")
    project.write("out/deep/er/a.txt", "b\n")
    project.rename("out", "in")
    watch.running.until(lambda: text_of(project, "a.out") == "b\n")
    watch.stop()
    project.settled()


def test_inputs_that_a_depfile_names(project: Project) -> None:
    """They are watched wherever they lie, though no line of the Pipefile names them."""
    project.write("src.txt", "s\n")
    project.write("inc/h.txt", "1\n")
    project.traced(
        "a", inputs="src.txt", outputs="a.txt", depfile="a.d", run='h=inc/h.txt; cat {inputs} "$h" > {outputs}; echo "x: $h" > {depfile}'
    )
    watch = Watch(project)
    watch.next()
    project.write("inc/h.txt", "2\n")
    watch.until("pipefile: build started (1 changed: inc/h.txt)")
    assert project.read("a.txt") == "s\n2\n"
    watch.stop()
    project.settled()


def test_links(project: Project, new_project: object) -> None:
    """A source that is a link is watched where it leads, and a folder that is one as well; both may come to lead elsewhere."""
    outside = os.path.join(project.side, "outside")
    for name in ("one", "two"):
        os.makedirs(f"{outside}/{name}")
        for file in ("f.txt", "g.txt"):
            with open(f"{outside}/{name}/{file}", "w") as out:
                out.write(f"{name}\n")
    os.symlink(f"{outside}/one", project.path("folder"))
    os.symlink(f"{outside}/two/g.txt", project.path("link.txt"))
    project.traced("a", inputs=["folder/f.txt", "link.txt"], outputs="a.txt", run="cat {inputs} > {outputs}")
    watch = Watch(project)
    watch.next()
    for path, text in (("one/f.txt", "1\ntwo\n"), ("two/g.txt", "1\n2\n")):
        with open(f"{outside}/{path}", "w") as out:
            out.write("1\n" if path == "one/f.txt" else "2\n")
        watch.running.until(lambda text=text: text_of(project, "a.txt") == text)  # type: ignore[misc]
    os.symlink(f"{outside}/two", project.path("folder~"))
    os.rename(project.path("folder~"), project.path("folder"))
    watch.running.until(lambda: text_of(project, "a.txt") == "two\n2\n")
    with open(f"{outside}/two/f.txt", "w") as out:
        out.write("3\n")
    watch.running.until(lambda: text_of(project, "a.txt") == "3\n2\n")
    watch.stop()
    project.settled()


def test_a_pipefile_that_is_broken_for_a_moment(chain: Project) -> None:
    """The error is told, the last graph is watched on, and the next good save builds."""
    watch = Watch(chain)
    watch.next()
    good = chain.read("Pipefile.toml")
    chain.write("Pipefile.toml", good + "[stage.b\n")
    text = watch.next()
    assert text.startswith("pipefile: build started (1 changed: Pipefile.toml)\nerror: Pipefile.toml:")
    assert text.endswith("pipefile: build finished: 1 failed, 0 ok, 0 skipped in Ns\n")
    chain.write("src.txt", "9\n8\n")
    assert watch.next().startswith("pipefile: build started (1 changed: src.txt)\nerror: Pipefile.toml:")
    chain.write("Pipefile.toml", good)
    text = watch.next()
    assert "[1/2] a  N s\n" in text
    assert chain.read("a.txt") == "8\n9\n"
    watch.stop()
    chain.settled()


def test_a_pipefile_that_is_broken_from_the_start(project: Project) -> None:
    """It is waited for, as is a source that is missing, in a folder that does not exist."""
    project.pipefile("[stage.a]\ninputs = 3\n")
    watch = Watch(project)
    assert "error: Pipefile.toml:2:1: " in watch.next()
    project.traced("a", inputs="raw/in/x.txt", outputs="a.txt", run="cat {inputs} > {outputs}")
    assert "error: `raw/in/x.txt` does not exist and no stage makes it\n" in watch.until("error: `raw")
    project.write("raw/in/x.txt", "x\n")
    watch.until("1 ran in N s")
    watch.stop()
    project.settled()


def test_code_of_functions(project: Project) -> None:
    """A function is that of the file on the disk, and so are the modules that it imports, in either mode; a new module may come in before another."""
    project.write("helper.py", "WORD = 'one'\n")
    project.write("steps.py", "import helper\n\n\ndef make(outputs):\n    with open(outputs[0], 'w') as out:\n        out.write(helper.WORD)\n")
    project.stage("f", outputs="f.txt", call="steps:make", mode="function")
    project.stage("p", outputs="p.txt", call="steps:make", mode="process")
    watch = Watch(project, env={"PYTHONDONTWRITEBYTECODE": None})
    watch.next()
    project.write("helper.py", "WORD = 'two'\n")
    watch.until("pipefile: build started (1 changed: helper.py)")
    assert (project.read("f.txt"), project.read("p.txt")) == ("two", "two")
    project.write("helper.py", "WORD = 'three'\n")
    watch.until("pipefile: build started (1 changed: helper.py)")
    assert (project.read("f.txt"), project.read("p.txt")) == ("three", "three")
    watch.stop()


def test_stages_that_python_declares(project: Project) -> None:
    """The file that declares them is run anew when it has changed, and so is what it imports."""
    project.write("names.py", "OUT = 'one.txt'\n")
    declared = "from pipefile import stage\n\nimport names\n\n\n@stage(outputs=names.OUT)\ndef make(outputs):\n    open(outputs[0], 'w').close()\n"
    project.write("flow.py", declared)
    project.settings(python=["flow.py"])
    watch = Watch(project)
    watch.next()
    assert project.exists("one.txt")
    project.write("names.py", "OUT = 'two.txt'\n")
    watch.running.until(lambda: project.exists("two.txt"))
    watch.until("pipefile: build started (1 changed: names.py)")
    project.write("names.py", "OUT = 1 / 0\n")
    assert "ZeroDivisionError" in watch.next()
    project.write("names.py", "OUT = 'three.txt'\n")
    watch.running.until(lambda: project.exists("three.txt"))
    watch.stop()


def test_targets_alone(chain: Project) -> None:
    """What the targets do not need is no reason, and is not built."""
    chain.write("other.txt", "o\n")
    chain.traced("other", inputs="other.txt", outputs="other.out", run="cp {inputs} {outputs}")
    watch = Watch(chain, "b.txt")
    assert "pipefile: watching 4 files in 1 folder (inotify)\n" in watch.next()
    chain.write("other.txt", "p\n")
    mark(chain, watch)
    assert not chain.exists("other.out")


def test_failures_stand_until_they_are_mended(project: Project) -> None:
    """A build stops at the first failure; what failed in an earlier round, and was not tried again, is told again."""
    for name in ("a", "b"):
        project.write(f"{name}.in", "bad\n")
        run = f"grep -q good {name}.in || {{ echo no {name}; exit 3; }}; cp {{inputs}} {{outputs}}"
        project.stage(name, inputs=f"{name}.in", outputs=f"{name}.out", run=run)
    watch = Watch(project, "-k", "-j1")
    text = watch.next()
    assert "stage `a` failed" in text
    assert "stage `b` failed" in text
    assert text.endswith("pipefile: build finished: 2 failed, 0 ok, 0 skipped in Ns\n")
    project.write("a.in", "good\n")
    text = watch.next()
    assert "stage `a` failed" not in text
    assert "stage `b` failed: exit status 3" in text
    assert "no b\n" in text
    assert text.endswith("pipefile: build finished: 1 failed, 1 ok, 0 skipped in Ns\n")
    project.write("b.in", "good\n")
    assert watch.next().endswith("pipefile: build finished: 0 failed, 1 ok, 0 skipped in Ns\n")
    watch.stop()
    project.settled()


def test_a_failure_that_was_not_tried_again(project: Project) -> None:
    """Without -k a build ends with its first failure: the other one of the last round stands, and is told again."""
    gate = project.gate("b")
    for name, wait in (("a", ""), ("b", f"{gate.shell}; ")):
        project.write(f"{name}.in", "bad\n")
        project.stage(name, inputs=f"{name}.in", outputs=f"{name}.out", run=f"{wait}echo no {name}; exit 3")
    watch = Watch(project, "-j1")
    watch.until("pipefile: build finished: 1 failed, 0 ok, ")
    project.stage("a", inputs="a.in", outputs="a.out", run="echo yes > {outputs}")
    gate.wait()
    gate.release()
    assert "stage `b` failed" in watch.next()
    project.stage("a", inputs="a.in", outputs="a.out", run="echo no a; exit 4")
    text = watch.next()
    assert "stage `a` failed: exit status 4" in text
    assert "stage `b` failed: exit status 3" in text
    assert text.endswith("pipefile: build finished: 2 failed, 0 ok, 0 skipped in Ns\n")
    watch.stop()


def test_memory_and_descriptors_stay(chain: Project) -> None:
    """After fifty rounds the watcher holds what it held before: no descriptor more, hardly a page, and no process."""
    watch = Watch(chain)
    watch.next()
    before = len(os.listdir(f"/proc/{watch.running.pid}/fd"))
    pid = watch.running.pid
    pages = []
    for number in range(50):
        chain.write("src.txt", f"{number}\n")
        watch.next()
        with open(f"/proc/{pid}/statm") as file:
            pages.append(int(file.read().split()[1]))
    watch.running.until(lambda: chain.processes() == [pid])
    assert pages[-1] - pages[4] < 256
    watch.running.until(lambda: len(os.listdir(f"/proc/{pid}/fd")) == before)  # the index is read anew after a round has ended
