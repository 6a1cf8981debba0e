"""The history of runs: written by a build, read by anybody, believed by nobody."""

import errno
import json
import os
import platform
import subprocess
import threading

import pytest

from pipefile.base.errors import StoreError, UsageError
from pipefile.model.options import Options
from pipefile.model.run import EdgeResult, Run
from pipefile.store.folder import prepare_store
from pipefile.store.history import RunReader, is_run_id, log_folder
from pipefile.store.runs import RunWriter, point_latest
from pipefile.testing import FakeClock, FaultyDisk

EDGE = EdgeResult(
    stage="compile",
    instance="compile@a/\udcff",
    wave=2,
    status="failed",
    reasons=("input `a` changed",),
    mode="function",
    attempts=2,
    started_at="2024-02-12T10:00:00Z",
    duration_seconds=1.5,
    cpu_seconds=0.5,
    peak_rss_bytes=4096,
    key="blake3:0",
    inputs={"a": "blake3:1"},
    outputs={"b": "blake3:2"},
    params={"deep": {"list": [1, "x", 2.5, True]}},
    exit_status=3,
    error="exit status 3",
    log="store/runs/x/compile/log.txt",
    code={"call": "steps:compile", "steps.py:compile": "1234"},
)


@pytest.fixture
def disk(tmp_path):
    return FaultyDisk(str(tmp_path))


@pytest.fixture
def clock():
    return FakeClock(1_707_732_000.0)  # 2024-02-12 10:00:00 UTC


@pytest.fixture
def reader(disk):
    return RunReader(disk, "store")


@pytest.fixture
def write(disk, clock):
    """Makes writers, and closes them."""
    made = []

    def make(keep=50, **options):
        options.setdefault("environ", dict(os.environ))
        made.append(RunWriter(disk, "store", clock, Options(**options), keep, "0.1.0"))
        return made[-1]

    yield make
    for each in made:
        each.close()


def test_a_build_that_runs_nothing_writes_nothing(tmp_path, write):
    """Not even the store's folder."""
    writer = write()
    assert writer.finish("succeeded", {"fresh": 3}, [EDGE]) == ""
    assert not writer.begun
    assert os.listdir(tmp_path) == []


def test_a_run_from_its_start_to_its_end(tmp_path, disk, clock, write, reader):
    """Written first as running; everything comes back."""
    writer = write(command=("pipefile", "build", "-j", "4"), targets=("report",), jobs=4, schedule="waves")
    run = writer.id
    assert is_run_id(run)
    assert run.startswith("20240212_100000_")
    assert os.readlink(tmp_path / "store/latest") == f"runs/{run}"
    assert (tmp_path / "store/.gitignore").read_text() == "*\n"
    common = {
        "id": run,
        "started_at": "2024-02-12T10:00:00Z",
        "command": ("pipefile", "build", "-j", "4"),
        "targets": ("report",),
        "jobs": 4,
        "schedule": "waves",
        "host": os.uname().nodename,
        "python": platform.python_version(),
        "pipefile": "0.1.0",
    }
    nothing = {"ran": 0, "restored": 0, "fresh": 0, "skipped": 0, "degraded": 0, "failed": 0}
    assert reader.read(run) == Run(status="running", counts=nothing, **common)
    clock.advance(4.25)
    assert writer.finish("failed", {"ran": 1, "failed": 2}, [EDGE, EDGE]) == run
    counts = {**nothing, "ran": 1, "failed": 2}
    assert reader.read(run) == Run(status="failed", finished_at="2024-02-12T10:00:04Z", duration_seconds=4.25, counts=counts, **common)
    assert reader.edges(run) == ((EDGE, EDGE), "")
    assert "owner" not in json.loads((tmp_path / f"store/runs/{run}/run.json").read_text())
    assert not [name for _, _, names in os.walk(tmp_path) for name in names if name.endswith("~")]


def test_run_json_has_the_fields_that_users_are_promised(tmp_path, write):
    """In the order in which a person reads them."""
    writer = write()
    run = writer.id
    writer.finish("succeeded", {}, [EDGE])
    names = "format id status started_at finished_at duration_seconds command targets jobs schedule host python pipefile git counts"
    values = json.loads((tmp_path / f"store/runs/{run}/run.json").read_text())
    assert list(values) == names.split()
    assert values["format"] == 1
    names = (
        "stage instance wave status reasons mode attempts started_at duration_seconds cpu_seconds peak_rss_bytes key inputs outputs params "
        "exit_status error log mode_reason code"
    )
    manifest = json.loads((tmp_path / f"store/runs/{run}/manifest.json").read_text())
    assert manifest["format"] == 1
    assert list(manifest["edges"][0]) == names.split()


@pytest.mark.parametrize(
    ("stage", "folder"),
    [
        ("train", "train"),
        ("..", "%2E."),
        ("a/b", "a%2Fb"),
        ("run.json", "%72un.json"),
        ("manifest.json", "%6Danifest.json"),
        ("\udcff\n", "%FF%0A"),
    ],
)
def test_logs_lie_in_the_run_under_any_name(write, reader, stage, folder):
    """No stage's name leads out of its run or onto its files."""
    writer = write()
    path = f"store/runs/{writer.id}/{folder}/log.txt"
    assert writer.log_path(stage) == path
    assert reader.log_path(writer.id, stage) == path
    assert len(os.fsencode(log_folder("store", "x", "é" * 200).rpartition("/")[2])) < 255


def test_old_runs_are_removed(tmp_path, clock, write, reader):
    """The newest stay; `latest` is the newest."""
    runs = []
    for _ in range(4):
        clock.advance(60)
        writer = write(keep=2)
        runs.append(writer.id)
        (tmp_path / f"store/runs/{writer.id}/stage").mkdir()
        writer.finish("succeeded", {}, [])
    assert reader.ids() == [runs[3], runs[2]]
    assert [run.id for run in reader.list()] == [runs[3], runs[2]]
    assert os.readlink(tmp_path / "store/latest") == f"runs/{runs[3]}"


def test_running_runs_and_strangers_are_not_removed(tmp_path, clock, write, reader):
    """What another builder writes, and what is no run at all."""
    running = write().id
    (tmp_path / "store/runs/notes").mkdir()
    for _ in range(2):
        clock.advance(60)
        last = write(keep=0)
        last.log_path("x")
        last.finish("succeeded", {}, [])
    assert reader.ids() == [last.id, running]
    assert sorted(os.listdir(tmp_path / "store/runs")) == sorted([last.id, running, "notes"])


def test_an_old_run_that_cannot_be_removed_harms_nobody(disk, clock, write, reader):
    """History never fails a build that worked."""
    first = write(keep=1)
    run = first.id
    first.finish("succeeded", {}, [])
    clock.advance(60)
    disk.fail("remove", f"*{run}*", errno.EACCES)
    second = write(keep=1)
    second.log_path("x")
    assert second.finish("succeeded", {}, []) == second.id
    assert run in reader.ids()


def test_a_run_whose_owner_is_gone_was_interrupted(tmp_path, write, reader):
    """The pid alone would not do: it may be somebody else's by now."""
    writer = write()
    path = tmp_path / f"store/runs/{writer.id}/run.json"
    values = json.loads(path.read_text())
    assert reader.read(writer.id).status == "running"
    owner = values["owner"]
    for change in (
        {"start": owner["start"] + 1},
        {"boot": "another"},
        {"pid": 2**22 + 1},
        {"pid": "1"},
        {"pid": -1},
        {"boot": None, "pid": 2**22 + 1},
    ):
        path.write_text(json.dumps({**values, "owner": {**owner, **change}}))
        assert reader.read(writer.id).status == "interrupted"
    for nobody in (None, [], 1, {}):
        path.write_text(json.dumps({**values, "owner": nobody}))
        assert reader.read(writer.id).status == "interrupted"


def test_names_of_runs(tmp_path, clock, write, reader):
    """A prefix that fits one alone, or `latest`."""
    with pytest.raises(UsageError) as caught:
        reader.resolve("latest")
    assert str(caught.value) == "error: there are no runs yet"
    runs = []
    for _ in range(2):
        clock.advance(3600)
        runs.append(write().id)
    assert reader.resolve("latest") == runs[1]
    assert reader.resolve("20240212_11") == runs[0]
    assert reader.resolve(runs[1]) == runs[1]
    with pytest.raises(UsageError) as caught:
        reader.resolve("2024")
    assert str(caught.value) == f"error: 2 runs begin with `2024`\n  {runs[1]}\n  {runs[0]}"
    for text in ("2023", ""):
        with pytest.raises(UsageError) as caught:
            reader.resolve(text)
        assert str(caught.value) == f"error: no run begins with `{text}`\nhint: `pipefile runs list` shows them all"
    os.unlink(tmp_path / "store/latest")
    assert reader.resolve("latest") == runs[1]


def test_damaged_files_are_told_and_passed_over(tmp_path, write, reader):
    """Case 63: whatever is in them, reading says so and goes on."""
    writer = write()
    run = writer.id
    writer.finish("succeeded", {"ran": 1}, [EDGE])
    for name, read in (("run.json", lambda: reader.read(run).problem), ("manifest.json", lambda: reader.edges(run)[1])):
        path = tmp_path / f"store/runs/{run}/{name}"
        data = path.read_bytes()
        told = {f"`store/runs/{run}/{name}` is damaged"}
        for size in range(len(data) - 2):
            path.write_bytes(data[:size])
            assert {read()} == told
        for other in (
            b"\0" * 100,
            b"[" * 100_000,
            b'{"format": 1}',
            b'{"format": NaN}',
            b"1",
            b'{"format": 1, "x": "\\ud800"}',
            b"\xff",
            b"9" * 5000,
        ):
            path.write_bytes(other)
            assert {read()} == told
        values = json.loads(data)
        for key in values.keys() - {"format", "id"}:
            path.write_text(json.dumps({**values, key: 0.5 if key != "duration_seconds" else "x"}))
            assert {read()} == told
        path.write_bytes(data.replace(b'"format": 1', b'"format": 9'))
        assert read() == f"`store/runs/{run}/{name}` has format 9, which this version does not know"
        path.unlink()
        assert read() == f"`store/runs/{run}/{name}` is missing"
        os.symlink("/etc/passwd", path)
        assert read() == f"`store/runs/{run}/{name}` cannot be read: Too many levels of symbolic links"
        path.unlink()
        path.write_bytes(data)
        assert read() == ""


@pytest.mark.parametrize("operation", ["mkdirs", "write", "symlink"])
def test_a_full_disk_is_told_by_folder(tmp_path, disk, write, operation):
    """Case 57."""
    prepare_store(disk, "store")
    writer = write()
    disk.fail(operation, "store/*", errno.ENOSPC)
    with pytest.raises(StoreError) as caught:
        writer.log_path("x")
    text = str(caught.value)
    assert text.startswith(f"error: `{tmp_path}/store/runs/20240212_100000_")
    assert text.endswith("` cannot be written: No space left on device")
    assert not writer.begun
    disk.mend()
    assert writer.log_path("x").endswith("/x/log.txt")


def test_no_two_runs_share_a_folder(tmp_path, write, reader):
    """Where the clock was set back, or something stands there that nobody knows of."""
    first, second = write(), write()
    assert (first.id[:-6], int(second.id[-6:], 16)) == (second.id[:-6], int(first.id[-6:], 16) + 1)
    (tmp_path / "store/runs" / f"{first.id[:-6]}{int(first.id[-6:], 16) + 2:06x}").symlink_to("/nowhere")
    third = write()
    assert int(third.id[-6:], 16) == int(first.id[-6:], 16) + 3
    assert [reader.read(each.id).id for each in (first, second, third)] == [first.id, second.id, third.id]
    assert json.loads((tmp_path / f"store/runs/{third.id}/run.json").read_text())["id"] == third.id


def test_latest_is_replaced_in_one_step(tmp_path, disk, write):
    """It leads to a run at any time, whoever looks; where the new link cannot be put in place, the old one stands."""
    first = write().id
    latest = tmp_path / "store/latest"
    assert os.readlink(latest) == f"runs/{first}"
    ended = threading.Event()
    seen = set()

    def look():
        while not ended.is_set():
            seen.add(os.readlink(latest))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        for number in range(300):
            point_latest(disk, "store", f"{number}")
    finally:
        ended.set()
        thread.join()
    assert seen <= {f"runs/{first}", *[f"runs/{number}" for number in range(300)]}
    assert os.readlink(latest) == "runs/299"
    writer = write()
    disk.fail("symlink", "store/latest", errno.ENOSPC)
    with pytest.raises(StoreError):
        assert writer.id
    assert os.readlink(latest) == "runs/299"


def test_the_run_before(write, clock, reader):
    first = write().id
    clock.advance(1)
    second = write().id
    assert reader.before(second) == first
    with pytest.raises(UsageError) as caught:
        reader.before(first)
    assert str(caught.value) == f"error: there is no run before {first} to compare it with"


def test_a_folder_where_latest_belongs_is_replaced(tmp_path, write):
    """The store is pipefile's own."""
    (tmp_path / "store/latest/x").mkdir(parents=True)
    run = write().id
    assert os.readlink(tmp_path / "store/latest") == f"runs/{run}"


def test_a_link_planted_at_run_json_is_replaced(tmp_path, disk, write):
    """Case 77."""
    victim = tmp_path / "victim"
    victim.write_text("mine")
    writer = write()
    path = tmp_path / f"store/runs/{writer.id}/run.json"
    path.unlink()
    path.symlink_to(victim)
    writer.finish("succeeded", {}, [])
    assert victim.read_text() == "mine"
    assert not path.is_symlink()


def test_prepare_store(tmp_path, disk):
    """The folder with its .gitignore, once; an empty one, left by a full disk, is written again."""
    prepare_store(disk, "deep/store")
    assert (tmp_path / "deep/store/.gitignore").read_text() == "*\n"
    disk.forget()
    prepare_store(disk, "deep/store")
    assert disk.total("write") == 0
    (tmp_path / "deep/store/.gitignore").write_text("")
    prepare_store(disk, "deep/store")
    assert (tmp_path / "deep/store/.gitignore").read_text() == "*\n"


@pytest.mark.parametrize(
    ("operation", "number", "text"),
    [
        ("mkdirs", errno.EACCES, "Permission denied"),
        ("mkdirs", errno.EROFS, "Read-only file system"),
        ("write", errno.ENOSPC, "No space left on device"),
    ],
)
def test_a_store_that_cannot_be_made(tmp_path, disk, operation, number, text):
    """Case 59: the folder is named."""
    disk.fail(operation, "*", number)
    with pytest.raises(StoreError) as caught:
        prepare_store(disk, "store")
    assert str(caught.value) == f"error: `{tmp_path}/store` cannot be written: {text}"


def test_a_store_that_became_read_only(tmp_path, disk):
    """Case 59."""
    prepare_store(disk, "store")
    disk.fail("writable", "store")
    with pytest.raises(StoreError) as caught:
        prepare_store(disk, "store")
    assert str(caught.value) == f"error: `{tmp_path}/store` cannot be written: Permission denied"


def git(folder, *words):
    environ = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}
    who = ["-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "init.defaultBranch=main"]
    return subprocess.run(["git", *who, *words], cwd=folder, env=environ, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def work_tree(tmp_path):
    git(tmp_path, "init", "-q")
    (tmp_path / "a").write_text("1")
    (tmp_path / "b").write_text("1")
    git(tmp_path, "add", "a", "b")
    git(tmp_path, "commit", "-q", "-m", "first")
    return tmp_path


def test_the_commit_and_whether_tracked_files_have_changes(work_tree, write, reader):
    """Untracked files, as outputs are, do not count."""
    (work_tree / "untracked").write_text("x")
    head = git(work_tree, "rev-parse", "HEAD")
    first = write()
    assert (reader.read(first.id).commit, reader.read(first.id).dirty) == (head, None)
    first.finish("succeeded", {}, [])
    assert (reader.read(first.id).commit, reader.read(first.id).dirty) == (head, False)
    (work_tree / "a").write_text("22")
    second = write()
    second.log_path("x")
    second.finish("succeeded", {}, [])
    assert (reader.read(second.id).commit, reader.read(second.id).dirty) == (head, True)


def test_commits_in_packed_references_detached_heads_and_linked_trees(work_tree, tmp_path_factory):
    """As git keeps them."""
    from pipefile.store.git import Git

    head = git(work_tree, "rev-parse", "HEAD")
    (work_tree / "sub").mkdir()
    assert Git(str(work_tree / "sub"), {}).commit == head
    git(work_tree, "pack-refs", "--all")
    assert Git(str(work_tree), {}).commit == head
    linked = tmp_path_factory.mktemp("linked") / "tree"
    git(work_tree, "worktree", "add", "-q", "-b", "other", str(linked))
    assert Git(str(linked), {}).commit == head
    git(work_tree, "checkout", "-q", "--detach")
    assert Git(str(work_tree), {}).commit == head


@pytest.mark.parametrize("text", ["", "ref: refs/heads/none", "ref: ../../x", "ref: /etc/passwd", "zz", "ref: HEAD"])
def test_heads_that_lead_nowhere(tmp_path, text):
    """No commit, no error, no git started."""
    from pipefile.store.git import Git

    (tmp_path / ".git").mkdir()
    (tmp_path / ".git/HEAD").write_text(text)
    asked = Git(str(tmp_path), {})
    asked.ask()
    assert (asked.commit, asked.dirty()) == ("", None)


def test_without_git_on_the_path(work_tree, write, reader):
    """The commit is known, changes are not."""
    writer = write(environ={"PATH": "/nonexistent"})
    writer.log_path("x")
    writer.finish("succeeded", {}, [])
    assert reader.read(writer.id).commit == git(work_tree, "rev-parse", "HEAD")
    assert reader.read(writer.id).dirty is None


def test_no_program_of_the_work_tree_is_run(work_tree, write, reader):
    """A work tree can name a program for git to ask what changed."""
    git(work_tree, "config", "core.fsmonitor", "touch ran")
    writer = write()
    writer.log_path("x")
    writer.finish("succeeded", {}, [])
    assert reader.read(writer.id).dirty is False
    assert not (work_tree / "ran").exists()
