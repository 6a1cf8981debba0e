"""`batch` of Python functions: one call takes lists, and says which items are finished by yielding."""

from __future__ import annotations

import json
import signal

import pytest
from kit import Project

MEET = '''
import os
import time
from pipefile import FileRef, Stream, stage

def meet():
    with open(f"{os.environ['GATES']}/g.here", "w") as file:
        file.write("here\\n")
    with open(f"{os.environ['GATES']}/g.go") as file:
        file.readline()

def wait_for(path):
    while not os.path.exists(path):
        time.sleep(0.01)
'''

UP = MEET + '''
def model():
    with open("setups", "a") as file:
        file.write("x")
    return "."

@stage(for_each={"p": "photos/*"}, inputs={"src": "{p}", "style": "style"}, outputs={"dst": "out/{p.name}"},
       params={"label": "<{p.name}>", "size": 3}, batch=64, mode="MODE", setup=model KEYS)
def up(src, style, dst, p, label, size, setup, ctx):
    print("call", *p)
    assert ctx.params == {"label": label, "size": size}
    for source, target, name in zip(src, dst, label, strict=True):
        with open(source) as file:
            text = file.read().strip()
        with open(target, "w") as file:
            file.write("half")
            file.flush()
            if text == "bad":
                raise ValueError(name)
            if text == "die":
                os._exit(7)
            if text == "wait":
                WAIT
            file.seek(0)
            file.write(f"{text}{setup}{size}{name}\\n")
        with open(ctx.artifact("note.txt"), "w") as file:
            file.write(text)
        yield
    END
'''


@pytest.fixture(params=["function", "process"])
def mode(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


def photos(project: Project, mode: str, keys: str = "", end: str = "pass", wait: str = "meet()") -> Project:
    for name in "abcde":
        project.write(f"photos/{name}", f"{name}\n")
    project.write("style", "s\n")
    project.write("steps.py", UP.replace("MODE", mode).replace("KEYS", keys).replace("END", end).replace("WAIT", wait))
    project.settings(python=["steps.py"], audit="off")
    return project


def names(letters: str) -> list[str]:
    return [f"up@photos/{letter}" for letter in letters]


def calls(project: Project) -> list[str]:
    """The items of each call of the last run, as letters, as its logs have them."""
    lines = [line for line in project.cli("runs", "log", "latest").out.splitlines() if line.startswith("call ")]
    return ["".join([word.rpartition("/")[2] for word in line.split()[1:]]) for line in lines]


def test_arguments_are_lists(project: Project, mode: str) -> None:
    """What differs by item is a list, in the order of items, whatever is the same for all is as it always was; `setup` runs once."""
    photos(project, mode)
    outcome = project.build(jobs=1)

    assert (outcome.exit_status, outcome.ran) == (0, names("abcde")), outcome.output
    assert calls(project) == ["abcde"]
    assert [project.read(f"out/{name}") for name in "ae"] == ["a.3<a>\n", "e.3<e>\n"]
    assert project.read("setups") == "x"
    project.write("photos/c", "cc\n")
    assert project.build(jobs=1).ran == names("c")
    assert project.read("out/c") == "cc.3<c>\n"
    project.settled()


@pytest.mark.parametrize(("mode", "fault"), [("function", "bad"), ("process", "bad"), ("process", "die")])
def test_finished_items_are_kept(project: Project, mode: str, fault: str) -> None:
    """A generator has finished an item when it yields: these are recorded, the one that it was at has failed, the rest goes on together."""
    photos(project, mode)
    project.write("photos/c", fault)
    outcome = project.build(jobs=1, keep_going=True)

    assert (outcome.ran, outcome.failed) == ([*names("ab"), *names("de")], names("c"))
    assert calls(project) == ["abcde", "de"]
    assert not project.exists("out/c")
    assert (("ValueError: <c>" if fault == "bad" else "exit status 7") + "\n") in outcome.output
    project.write("photos/c", "good")
    assert project.build(jobs=1).ran == names("c")
    project.settled()


def test_the_build_stops_at_the_first_failure(project: Project) -> None:
    """Without `-k` what has not been begun is skipped."""
    photos(project, "function")
    project.write("photos/b", "bad")
    outcome = project.build(jobs=1)

    assert (outcome.ran, outcome.failed, sorted(outcome.skipped)) == (names("a"), names("b"), names("cde"))
    project.write("photos/b", "good")
    assert project.build(jobs=1).ran == names("bcde")


def test_interrupted(project: Project, mode: str) -> None:
    """An interrupt loses what is not finished, and nothing else."""
    photos(project, mode)
    project.write("photos/c", "wait")
    gate = project.gate("g")
    running = project.start("-j1")
    gate.wait()
    running.signal(signal.SIGINT)
    outcome = running.wait()

    assert outcome.exit_status == 130
    assert project.status("up") == {**dict.fromkeys(names("ab"), "fresh"), **dict.fromkeys(names("cde"), "stale")}
    assert project.read("out/b") == "b.3<b>\n"
    project.write("photos/c", "c")
    assert project.build(jobs=1).ran == names("cde")
    project.settled()


def test_killed(project: Project) -> None:
    """What a worker is finished with is put in place while it goes on: a builder that is killed loses what is not, and the item before that."""
    photos(project, "process", wait="wait_for('out/b'); meet()")
    project.write("photos/d", "wait")
    gate = project.gate("g")
    running = project.start("-j1", "--json")
    gate.wait()
    running.signal(signal.SIGKILL)
    running.wait()

    assert project.read("out/a") + project.read("out/b") == "a.3<a>\nb.3<b>\n"
    assert project.status("up") == {**dict.fromkeys(names("ab"), "fresh"), **dict.fromkeys(names("cde"), "stale")}
    project.write("photos/d", "d")
    assert project.build(jobs=1).ran == names("cde")
    project.settled()


def test_the_environment_is_changed(project: Project) -> None:
    """Where the builder's folder or environment was changed while a batch ran in it, nothing that its function has told is believed."""
    photos(project, "function")
    once = "    if not os.path.exists('once'):\n        open('once', 'w').close()\n        os.environ['NEW'] = '1'\n    print("
    project.write("steps.py", project.read("steps.py").replace("    print(", once, 1))
    outcome = project.build(jobs=1, keep_going=True)

    assert sorted(outcome.ran) == names("abcde")
    assert calls(project) == ["abc", "de"]
    assert "note: a batch of 5 items of stage `up` failed (os.environ was changed while it ran (`NEW`): functions share it" in outcome.output


def test_what_is_told_while_a_batch_runs(project: Project) -> None:
    """Items that are put in place early have ended then: with the batch's log, and what depends on them runs beside it."""
    photos(project, "process", ", resources={'license': 1}", wait="wait_for('copy/b')")
    project.resources(license=1)
    project.settings(audit="off")  # its steps count their calls in the project, and declare nothing of it
    project.stage("copy", {"src": "{u}"}, {"dst": "copy/{u.name}"}, "cp {src} {dst}", for_each={"u": "up.dst"})
    project.write("photos/e", "wait")
    outcome = project.build(jobs=2)

    assert outcome.exit_status == 0, outcome.output
    assert outcome.ran.index("copy@out/b") < outcome.ran.index("up@photos/e")
    assert outcome.output == "call photos/a photos/b photos/c photos/d photos/e\n"
    assert project.cli("runs", "log", "latest", "up@photos/b").out == outcome.output


def test_a_retry_is_for_the_item_that_failed(project: Project) -> None:
    """The item that a generator was at is tried again, alone, and the rest meanwhile."""
    photos(project, "process", ", retry_policy={'max_attempts': 2, 'delay': '1ms'}")
    project.write("photos/b", "die")
    outcome = project.build(jobs=1, keep_going=True)

    assert (sorted(outcome.ran), outcome.failed) == (names("acde"), names("b"))
    assert sorted(calls(project)) == ["abcde", "b", "cde"]


def test_the_end_of_a_generator(project: Project) -> None:
    """What comes after the last yield belongs to the last item."""
    photos(project, "function", end="raise OSError('late')")
    outcome = project.build(jobs=1, keep_going=True)

    assert (outcome.ran, outcome.failed) == (names("abcd"), names("e"))


def test_artifacts_are_those_of_an_item(project: Project) -> None:
    """`ctx.artifact` is the one of the item that the generator is at."""
    photos(project, "function")
    project.build(jobs=1)

    with open(project.path("pipeline_outputs/latest/up/outputs.jsonl")) as file:
        found = {line["_meta"]["instance"]: line["artifacts"] for line in map(json.loads, file)}
    assert [found[f"photos/{name}"] for name in "ab"] == [
        [{"name": "note.txt", "path": f"../up@photos%2F{name}.txt/artifacts/note.txt".replace(".txt/", "/"), "type": "text"}] for name in "ab"
    ]


def test_a_killed_worker_is_nobody_s_fault(project: Project) -> None:
    """If the process that forks workers is killed, the batch runs once more, and one warning says so."""
    photos(project, "process")
    project.write(
        "steps.py",
        MEET + "import signal\n@stage(for_each={'n': [1, 2, 3]}, batch=9, mode='process')\ndef up(n):\n    if not os.path.exists('once'):\n"
        "        open('once', 'w').close()\n        os.kill(os.getppid(), 9)\n        signal.pause()\n    return n\n",
    )
    outcome = project.build(jobs=1)

    assert (outcome.exit_status, outcome.ran) == (0, ["up@1", "up@2", "up@3"])
    assert outcome.output == (
        "warning: stage `up@1` and 2 more of its batch run again: the process that starts workers has ended (killed by SIGKILL)\n"
    )


# --- what is returned

LIST = "must return a list with a value for each item of its batch (1), or yield one after each, but returned"

def values(project: Project, body: str, outputs: str = "") -> Project:
    text = f"@stage(for_each={{'n': [1, 2, 3]}}{outputs}, batch=9)\ndef up(n, ctx):\n    {body}\n"
    project.write("steps.py", MEET + text)
    project.settings(python=["steps.py"])
    project.stage("all", {"all": "up.outputs"}, "all", "echo {all} > {outputs}")
    return project


@pytest.mark.parametrize(
    "body", ["return [x * x for x in n]", "for x in n: yield x * x", "return (x * x for x in n)", "return tuple([x * x for x in n])"]
)
def test_a_value_for_each_item(project: Project, body: str) -> None:
    """A list with a value for each item, or one that is yielded after each: what one call for it alone would have returned."""
    outcome = values(project, body).build(jobs=1)

    assert outcome.exit_status == 0, outcome.output
    assert project.read("all") == "1 4 9\n"
    project.settled()


def test_values_of_several_names(project: Project) -> None:
    """Streams, files that are named, and values of several names are those of each item."""
    body = (
        "for x in n:\n        open(f'made{x}', 'w').close()\n"
        "        yield {'count': x, 'file': FileRef(f'made{x}'), 'lines': (f'{x}{y}' for y in range(x))}"
    )
    outcome = values(project, body, ", outputs={'count': int, 'file': FileRef, 'lines': Stream}").build("up", jobs=1)

    assert outcome.exit_status == 0, outcome.output
    assert project.exists("made3")
    assert project.build("up", jobs=1).ran == []
    project.remove("made2")
    assert project.build("up", jobs=1).ran == ["up@2"]


@pytest.mark.parametrize(
    ("body", "failed", "error"),
    [
        ("return [1] * 5", "1", f"{LIST} 5 values\n"),
        ("return None", "1", f"{LIST} None\n"),
        ("return {'a': 1}", "1", f"{LIST} a `dict`\n"),
        ("yield 1", "2", "has yielded 1 times for a batch of 3: it yields after each item\n"),
        ("yield from range(4)", "3", "yields more often than once for each item of its batch (3)\n"),
        ("yield from (1, object, 3)", "2", "what was returned is a `type`, which is no JSON\n"),
        ("return [1, lambda: 1, 3]", "2", "what was returned is a `function`, which is no JSON\n"),
        ("return [ctx.artifact('x')]", "1", "ValueError: there are no artifacts here: a batch has none, since nobody knows of which item"),
    ],
)
def test_what_is_no_value_for_each_item(project: Project, body: str, failed: str, error: str) -> None:
    """The item is named for which there is none, where that is known; else the first one that fails alone."""
    outcome = values(project, body).build("up", jobs=1)

    assert outcome.failed == [f"up@{failed}"], outcome.output
    assert error in outcome.output
