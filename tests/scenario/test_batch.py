"""`batch`: one command takes several items of a `for_each`, each of which stays fresh, stale, recorded and restored for itself."""

from __future__ import annotations

import os
import signal

import pytest
from kit import Project

from pipefile.model.event import StageFinished, StageRetried, StageStarted

TOOL = """
echo "$*" >> "$LOG"
echo "made $#"
inputs=
while [ "$1" != -- ]; do inputs="$inputs $1"; shift; done
shift
for each in $inputs; do
    tr a-z A-Z < $each > $1
    case $(cat $each) in
        bad) echo half > $1; exit 3 ;;
        missing) rm $1 ;;
    esac
    shift
done
"""
RUN = "sh tool.sh {src} -- {dst}"


@pytest.fixture
def photos(project: Project) -> Project:
    """Five photos that one command takes at once, and a page of all."""
    for name in "abcde":
        project.write(f"photos/{name}", f"{name}\n")
    project.write("tool.sh", TOOL)
    declare(project)
    return project


def declare(project: Project, batch: int | None = 64, run: str = RUN, **keys: object) -> None:
    project.stage("up", {"src": "{p}"}, {"dst": "out/{p}"}, run, for_each={"p": "photos/*"}, batch=batch, **keys)
    project.stage("page", {"all": "up.outputs"}, "page", "cat {all} > {outputs}")


def calls(project: Project) -> list[str]:
    """The items of each call since this was asked last, as letters."""
    if not os.path.exists(project.log):
        return []
    with open(project.log) as file:
        lines = file.read().splitlines()
    os.unlink(project.log)
    return ["".join([word.rpartition("/")[2] for word in line.partition(" -- ")[0].split()]) for line in lines]


def names(letters: str) -> list[str]:
    return [f"up@photos/{letter}" for letter in letters]


def edit(project: Project, **photos: str) -> None:
    for name, text in photos.items():
        project.write(f"photos/{name}", f"{text}\n")


# --- what runs together


def test_one_command_takes_all_that_is_stale(photos: Project) -> None:
    """Placeholders are lists of all items of the batch, in their order; only stale items are handed; a second build runs nothing."""
    outcome = photos.build(jobs=1)

    assert (outcome.exit_status, outcome.ran) == (0, [*names("abcde"), "page"])
    assert calls(photos) == ["abcde"]
    edit(photos, b="bb", d="dd")
    assert photos.status("up") == {**dict.fromkeys(names("abcde"), "fresh"), **dict.fromkeys(names("bd"), "stale")}
    assert photos.why("up@photos/b") == {"up@photos/b": ["input `photos/b` changed"]}
    assert photos.build(jobs=1, dry_run=True).would_run == [*names("bd"), "page"]
    assert photos.build(jobs=1).ran == [*names("bd"), "page"]
    assert calls(photos) == ["bd"]
    assert photos.read("page") == "A\nBB\nC\nDD\nE\n"
    photos.settled()


def test_the_order_of_items(photos: Project) -> None:
    """Whichever item is the most urgent, all of them stand in their order."""
    photos.stage("late", {"src": "out/photos/c"}, "late", "cp {src} {outputs}")
    photos.stage("later", "late", "later", "cp late {outputs}")

    assert photos.build(jobs=1).ran[:5] == names("abcde")
    assert calls(photos) == ["abcde"]


@pytest.mark.parametrize(
    ("jobs", "batch", "expected"),
    [(1, 2, ["ab", "cd", "e"]), (2, 64, ["abc", "de"]), (4, 64, ["ab", "c", "d", "e"]), (8, 3, ["a", "b", "c", "d", "e"])],
)
def test_places_share_what_is_ready(photos: Project, jobs: int, batch: int, expected: list[str]) -> None:
    """No more items than `batch`, and no more than leave as many for each place that is free."""
    declare(photos, batch)

    photos.build(jobs=jobs)

    assert sorted(calls(photos)) == expected


def test_places_by_what_a_batch_needs(photos: Project) -> None:
    """A batch needs what one instance says: where only one can run at once, that one takes all."""
    photos.resources(license=1)
    declare(photos, resources={"license": 1})

    photos.build(jobs=4)

    assert calls(photos) == ["abcde"]


def test_who_runs_together_is_in_no_key(photos: Project) -> None:
    """Other batches make no difference; the number in `batch` does."""
    photos.build(jobs=2)
    before = photos.outputs()
    assert photos.build("up@photos/c", jobs=1, force=True).ran == names("c")
    assert photos.build(jobs=4).ran == []
    assert photos.outputs() == before

    declare(photos, 8)
    assert photos.why("up@photos/a") == {"up@photos/a": ["its batch changed: 64 -> 8"]}
    declare(photos, None)
    assert photos.why("up@photos/a") == {"up@photos/a": ["batch is gone: 64"]}


def test_items_that_become_ready_one_after_the_other(photos: Project) -> None:
    """What another stage makes for each item is handed on as it is there."""
    photos.stage("low", {"src": "{u}"}, {"dst": "low/{u.name}"}, RUN, for_each={"u": "up.dst"}, batch=3)

    outcome = photos.build(jobs=2)

    assert outcome.exit_status == 0
    assert len(outcome.ran) == 11
    assert sorted("".join(calls(photos))) == sorted("abcde" * 2)
    photos.settled()


@pytest.mark.parametrize("schedule", ["ready", "waves"])
def test_many(project: Project, schedule: str) -> None:
    """More items than are decided before the first one starts, on more jobs than one, behind a stage that all of them need."""
    project.write("tool.sh", TOOL)
    project.stage("first", outputs="first", run="echo x > first")
    outputs = {"dst": "out/{n}"}
    project.stage("up", {"src": "{n}.txt", "first": "first"}, outputs, RUN, for_each={"n": {"range": [0, 300]}}, batch=100)
    for number in range(300):
        project.write(f"{number}.txt", "a\n")

    outcome = project.build(jobs=2, schedule=schedule)

    assert (outcome.exit_status, len(outcome.ran)) == (0, 301)
    with open(project.log) as file:
        sizes = [len(line.partition(" -- ")[0].split()) for line in file]
    assert sum(sizes) == 300
    assert max(sizes) <= 100
    assert len(sizes) <= 6
    assert project.build(jobs=2).ran == []


# --- placeholders


def test_what_is_the_same_for_all_stands_once(photos: Project) -> None:
    """Inputs and params without placeholders of items stand once; those with them, names of items and positions are lists."""
    photos.write("style", "s\n")
    photos.stage(
        "up",
        {"src": "{p}", "style": "style", "pair": ["{p}", "style"]},
        {"dst": "out/{p}"},
        'echo {style} , {params.size} , {params.label} , {p.stem} , {pair} , {pair[0]} , {outputs} , {threads} >> "$LOG"; touch {dst}',
        for_each={"p": "photos/[ab]"},
        params={"size": 3, "label": "<{p.name}>"},
        batch=9,
    )
    photos.build("up", jobs=1)

    with open(photos.log) as file:
        parts = file.read().strip().split(" , ")
    places = "out/photos/.pipefile-tmp/a out/photos/.pipefile-tmp/b"
    assert parts == ["style", "3", "<a> <b>", "a b", "photos/a style photos/b style", "photos/a photos/b", places, "1"]


def test_lists_of_arguments(photos: Project) -> None:
    """Without a shell an argument that is a placeholder becomes as many arguments as there are items."""
    declare(photos, run=["sh", "tool.sh", "{src}", "--", "{dst}"])  # type: ignore[arg-type]

    assert photos.build(jobs=1).exit_status == 0
    assert calls(photos) == ["abcde"]


def test_files_that_list_inputs_and_outputs(photos: Project) -> None:
    """`{inputs.file}` and `{outputs.file}` name files with a line for each, of all items; outputs that are listed are put in place at the end."""
    run = 'paste {inputs.file} {outputs.file} | while read src dst; do cp $src $dst; done; wc -l < {inputs.file} >> "$LOG"'
    declare(photos, run=run)

    outcome = photos.build(jobs=1)

    assert outcome.exit_status == 0, outcome.output
    assert calls(photos) == ["5"]
    assert photos.read("page") == "a\nb\nc\nd\ne\n"
    photos.settled()


def test_a_command_that_names_its_outputs(photos: Project) -> None:
    """Outputs that the command names by itself are written in place."""
    declare(photos, run='for each in {src}; do mkdir -p out/photos; tr a-z A-Z < $each > "out/$each"; done; echo {src} >> "$LOG"')

    assert photos.build(jobs=1).exit_status == 0
    assert calls(photos) == ["abcde"]
    edit(photos, c="c2")
    assert photos.build(jobs=1).ran == [*names("c"), "page"]
    photos.settled()


# --- failures


def test_a_failure_is_that_of_one_item(photos: Project) -> None:
    """A batch that fails runs again in halves, until what fails is one item alone: the others are made, and no half of a file is believed."""
    edit(photos, b="bad")
    outcome = photos.build(jobs=1, keep_going=True)

    assert (outcome.exit_status, outcome.failed, outcome.skipped) == (1, names("b"), ["page"])
    assert sorted(outcome.ran) == names("acde")
    assert calls(photos) == ["abcde", "abc", "ab", "a", "b", "c", "de"]
    assert not photos.exists("out/photos/b")
    assert photos.read("out/photos/a") == "A\n"
    edit(photos, b="good")
    assert photos.build(jobs=1).ran == [*names("b"), "page"]
    assert calls(photos) == ["b"]
    photos.settled()


def test_without_keep_going_the_rest_is_left(photos: Project) -> None:
    """The build stops when the item that fails is found; what has not run again by then is skipped, and made by the next build."""
    edit(photos, b="bad")
    outcome = photos.build(jobs=1)

    assert (outcome.exit_status, outcome.ran, outcome.failed) == (1, names("a"), names("b"))
    assert sorted(outcome.skipped) == ["page", *names("cde")]
    assert calls(photos) == ["abcde", "abc", "ab", "a", "b"]
    edit(photos, b="good")
    assert sorted(photos.build(jobs=1).ran) == ["page", *names("bcde")]
    assert calls(photos) == ["bcde"]
    photos.settled()


def test_what_is_said_of_a_batch_that_failed(photos: Project) -> None:
    """A note names the log of each batch that runs again; the failure is told once, of its item."""
    edit(photos, a="bad")
    outcome = photos.build(jobs=1, keep_going=True)

    folder = next(event.log for event in outcome.events if isinstance(event, StageFinished) and "batch" in event.log).rpartition("/")[0]
    expected = ""
    for number, count in enumerate((5, 3, 2), 1):
        expected += f"note: a batch of {count} items of stage `up` failed (exit status 3): they run again in two parts, to find the one that fails\n"
        expected += f"  log: {folder}/batch-{number}.txt\n"
    assert outcome.output == expected + "made 3\nexit status 3\nmade 3\nmade 3\nmade 5\n"


def test_an_output_that_is_not_there(photos: Project) -> None:
    """A command that ended well, but did not make an output, has failed for that item alone."""
    edit(photos, c="missing")
    outcome = photos.build(jobs=1, keep_going=True)

    assert (outcome.failed, sorted(outcome.ran)) == (names("c"), names("abde"))
    assert calls(photos) == ["abcde"]
    assert "ended with exit status 0 but did not write `out/photos/c`\n" in outcome.output


def test_retries_are_those_of_one_item(photos: Project) -> None:
    """What `max_attempts` counts are failures of an item alone, and each of its attempts is."""
    declare(photos, retry_policy={"max_attempts": 2, "delay": "1ms"})
    edit(photos, e="bad")
    outcome = photos.build(jobs=1, keep_going=True)

    assert outcome.failed == names("e")
    assert calls(photos) == ["abcde", "abc", "de", "d", "e", "e"]
    assert [(event.stage, event.instance) for event in outcome.events if isinstance(event, StageRetried)] == [("up", "photos/e")]


def test_a_fallback_for_one_item(photos: Project) -> None:
    """The fallback makes the outputs of the item that has failed for good, alone, with what one instance has."""
    photos.stage("plain", run="echo plain > {dst}")
    declare(photos, fallback="plain")
    edit(photos, b="bad")
    outcome = photos.build(jobs=1)

    assert (outcome.exit_status, outcome.degraded) == (0, names("b"))
    assert photos.read("page") == "A\nplain\nC\nD\nE\n"


def test_the_input_of_one_item_changes(photos: Project) -> None:
    """The input guard is one for each item: what changed while the batch ran runs again, the others are recorded."""
    photos.write("tool.sh", TOOL + 'test -e "$LOG.once" || { touch "$LOG.once"; echo changed > photos/c; }')
    outcome = photos.build(jobs=1)

    assert outcome.exit_status == 0
    assert calls(photos) == ["abcde", "c"]
    assert "warning: `photos/c` changed while stage `up@photos/c` ran: it runs again\n" in outcome.output
    assert photos.read("page") == "A\nB\nCHANGED\nD\nE\n"
    assert photos.build(jobs=1).ran == []


def test_an_item_that_cannot_be_made_ready(photos: Project) -> None:
    """An input that is gone by the time its batch starts fails its own item."""
    photos.write("remove.sh", "rm photos/b\n")
    photos.stage("gone", outputs="gone", run="sh remove.sh; echo > gone")
    declare(photos, after=["gone"])
    outcome = photos.build(jobs=1, keep_going=True)

    assert outcome.failed == names("b")
    assert sorted(outcome.ran) == ["gone", *names("acde")]


def test_interrupted(photos: Project) -> None:
    """A command that is interrupted has told nothing of its items: nothing of them is recorded, and the last good outputs stay."""
    photos.build(jobs=1)
    gate = photos.gate("g")
    declare(photos, run=f"{RUN}; {gate.shell}")
    running = photos.start("-j1")
    gate.wait()
    running.signal(signal.SIGINT)
    outcome = running.wait()

    assert outcome.exit_status == 130
    assert photos.read("out/photos/a") == "A\n"
    assert set(photos.status("up").values()) == {"stale"}
    assert not photos.exists("out/photos/.pipefile-tmp")


# --- what is told, and kept


def test_events_and_history(photos: Project) -> None:
    """Each item begins and ends by itself, with its share of the time; one log is referred to by all and shown once."""
    outcome = photos.build("up", jobs=1)

    started = [event for event in outcome.events if isinstance(event, StageStarted)]
    finished = [event for event in outcome.events if isinstance(event, StageFinished)]
    assert [f"{event.stage}@{event.instance}" for event in started] == [f"{event.stage}@{event.instance}" for event in finished] == names("abcde")
    assert {event.status for event in finished} == {"ran"}
    assert len({event.log for event in finished}) == len({event.seconds for event in finished}) == 1
    assert [(event.output, event.log_size) for event in finished] == [(b"made 11\n", 8), *[(b"", 0)] * 4]
    assert photos.cli("runs", "log", "latest").out == "==> up@photos/a and 4 more of its batch <==\nmade 11\n"
    assert photos.cli("runs", "log", "latest", "up@photos/d").out == "made 11\n"
    assert photos.cli("runs", "show", "latest").out.count("up/batch-1.txt") == 5


def test_each_item_is_restored(photos: Project) -> None:
    """The cache has an entry for each item: one that is as it was before is put back, whoever it ran with."""
    photos.caching = True
    photos.build(jobs=1)
    edit(photos, a="x", b="y")
    photos.build(jobs=1)
    calls(photos)
    edit(photos, a="a", b="b", c="z")
    outcome = photos.build(jobs=1)

    assert (sorted(outcome.restored), sorted(outcome.ran)) == (names("ab"), ["page", *names("c")])
    assert calls(photos) == ["c"]


def test_dependents_of_one_item(photos: Project) -> None:
    """An item whose bytes are unchanged leaves what depends on it fresh."""
    photos.stage("copy", {"src": "{u}"}, {"dst": "copy/{u.name}"}, "cp {src} {dst}", for_each={"u": "up.dst"})
    photos.build(jobs=1)
    edit(photos, a="A", b="bb")

    assert sorted(photos.build(jobs=1).ran) == ["copy@out/photos/b", "page", *names("ab")]


# --- with other features


def test_temporary_outputs(photos: Project) -> None:
    """Temporary outputs of a batch are removed when all is done, and made again together when something needs their bytes."""
    photos.stage("up", {"src": "{p}"}, {"dst": {"path": "out/{p}", "temp": True}}, RUN, for_each={"p": "photos/*"}, batch=64)

    assert photos.build(jobs=1).exit_status == 0
    assert calls(photos) == ["abcde"]
    assert not photos.exists("out/photos/a")
    edit(photos, c="cc")
    outcome = photos.build(jobs=1)
    assert sorted(outcome.ran) == ["page", *names("abcde")]
    assert sorted("".join(calls(photos))) == list("abcde")
    assert photos.read("page") == "A\nB\nCC\nD\nE\n"
    assert photos.build(jobs=2).ran == []


READER = """
import sys
inputs, outputs = sys.argv[1:sys.argv.index("--")], sys.argv[sys.argv.index("--") + 1:]
with open("extra") as file:
    extra = file.read()
for source, target in zip(inputs, outputs):
    with open(source) as file, open(target, "w") as out:
        out.write(file.read() + extra)
with open("../side/log", "a") as file:
    file.write(" ".join(sys.argv[1:]) + "\\n")
"""


def test_the_audit_of_a_batch(photos: Project) -> None:
    """What a batch reads beyond the declarations of all its items is told of the stage; what one of them declares is none of that."""
    photos.write("extra", "!\n")
    photos.write("read.py", READER)
    declare(photos, run="python3 read.py {src} -- {dst}")
    outcome = photos.build("up", jobs=1)

    assert outcome.exit_status == 0, outcome.output
    assert calls(photos) == ["abcde"]
    assert outcome.output.count("warning:") == 1
    assert "stage `up` reads `extra`, which it does not declare" in outcome.output


def test_items_that_are_audited_each_for_itself(photos: Project) -> None:
    """`audit = "track"` wants to know of each item what it reads: each runs by itself then, with lists of one."""
    photos.write("extra", "!\n")
    photos.write("read.py", READER)
    declare(photos, run="python3 read.py {src} -- {dst}", audit="track")

    assert photos.build("up", jobs=1).exit_status == 0
    assert calls(photos) == list("abcde")
    photos.write("extra", "?\n")
    assert len(photos.build("up", jobs=1).ran) == 5
