"""`retry_policy` and `timeout`: stages that fail and are tried again."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest
from kit import Project

from pipefile.model.event import StageFinished, StageRetried, StageStarted
from pipefile.testing import FakeClock

COUNT = 'echo x >> "$TRIES"; set -- $(wc -l < "$TRIES")'  # $1: which try this is
STEPS = """
import os, time

def count():
    with open(os.environ["TRIES"], "a+") as file:
        file.write("x\\n")
        file.seek(0)
        return len(file.readlines())

class Flaky(ConnectionError):
    pass

def twice(outputs):
    tries = count()
    with open(outputs[0], "w") as out:
        out.write("half")
    if tries < 3:
        raise Flaky(f"try {tries}")
    with open(outputs[0], "w") as out:
        out.write("whole\\n")

def slow(outputs):
    if count() == 1:
        while True:
            time.sleep(0.001)
    open(outputs[0], "w").close()

def late(outputs):
    if count() == 1:
        raise TimeoutError("no answer")
    open(outputs[0], "w").close()
"""


@pytest.fixture
def clock(project: Project) -> FakeClock:
    """The clock of the project's builds: it goes at once where a real one would be waited for."""
    project.clock = FakeClock()
    project.environ["TRIES"] = os.path.join(project.side, "tries")
    project.write("steps.py", STEPS)
    return project.clock  # type: ignore[no-any-return]


def tries(project: Project) -> int:
    try:
        with open(project.environ["TRIES"], encoding="utf-8") as file:
            return len(file.readlines())
    except FileNotFoundError:
        return 0


def events(outcome: Any, kind: type) -> list[Any]:
    return [event for event in outcome.events if isinstance(event, kind)]


def manifest(project: Project) -> list[dict[str, Any]]:
    edges: list[dict[str, Any]] = json.loads(project.read("pipeline_outputs/latest/manifest.json"))["edges"]
    return edges


ACTIONS = {
    "command": {"run": COUNT + "; printf half > {outputs}; [ $1 -ge 3 ] || exit 75; echo whole > {outputs}"},
    "function": {"call": "steps:twice"},
}


@pytest.mark.parametrize("kind", list(ACTIONS))
def test_third_attempt_succeeds(project: Project, clock: FakeClock, kind: str) -> None:
    """A stage that fails twice and succeeds on the third attempt has succeeded; the waits double. Nothing is done in the next build."""
    project.stage("make", outputs="a", retry_policy={"max_attempts": 3, "delay": "2s"}, **ACTIONS[kind])
    project.stage("use", inputs="a", outputs="b", run="cp {inputs} {outputs}")
    outcome = project.build()
    assert (outcome.exit_status, outcome.ran, outcome.failed, tries(project)) == (0, ["make", "use"], [], 3)
    assert clock.waited == [2.0, 4.0]
    assert project.read("b") == "whole\n"
    error = "exit status 75" if kind == "command" else "steps.Flaky: try {}"
    assert outcome.output == (
        f"note: stage `make` failed ({error.format(1)}): attempt 2 of 3 in 2 s\n"
        f"note: stage `make` failed ({error.format(2)}): attempt 3 of 3 in 4 s\n"
    )
    assert project.build().ran == []


def test_numbers_of_attempts(project: Project, clock: FakeClock) -> None:
    """Events and history speak of the same attempts; each has its own log, the last one's being the stage's."""
    run = COUNT + "; echo try $1; [ $1 -ge 3 ] && echo > {outputs}"
    project.stage("make", outputs="a", run=run, retry_policy={"max_attempts": 5, "backoff": "constant"})
    outcome = project.build()
    assert [event.attempt for event in events(outcome, StageStarted)] == [1, 2, 3]
    assert [(event.attempt, event.attempts, event.delay) for event in events(outcome, StageRetried)] == [(2, 5, 1.0), (3, 5, 1.0)]
    assert [event.status for event in events(outcome, StageFinished)] == ["ran"]
    (edge,) = manifest(project)
    assert (edge["status"], edge["attempts"]) == ("ran", 3)
    logs = {name: project.read(f"pipeline_outputs/latest/make/{name}") for name in os.listdir(project.path("pipeline_outputs/latest/make"))}
    assert logs == {"log.1.txt": "try 1\n", "log.2.txt": "try 2\n", "log.txt": "try 3\n"}
    assert [os.path.basename(event.log) for event in events(outcome, StageRetried)] == ["log.1.txt", "log.2.txt"]
    assert project.cli("runs", "log", "latest", "make").out == "==> attempt 1 <==\ntry 1\n==> attempt 2 <==\ntry 2\n==> last attempt <==\ntry 3\n"
    assert project.cli("runs", "show").out.partition("\n\n")[2].startswith("make  ran  ")
    assert project.cli("runs", "show").out.partition("\n\n")[2].splitlines()[0].endswith("s  3 attempts")


@pytest.mark.parametrize("place", ["{outputs}", "a"])
def test_each_attempt_starts_clean(project: Project, clock: FakeClock, place: str) -> None:
    """Case 56: what a failed try has written is not there for the next one, beside the output's place or in it."""
    run = f"{COUNT}; test ! -e {place} || exit 9; echo $1 > {place}; [ $1 -ge 3 ]"
    project.stage("make", outputs="a", run=run, infer_inputs=False, retry_policy={"max_attempts": 3, "retry_on": [1]})
    outcome = project.build()
    assert (outcome.exit_status, tries(project), project.read("a")) == (0, 3, "3\n")


def test_directory_starts_empty(project: Project, clock: FakeClock) -> None:
    """Case 56, of a directory output."""
    run = f'{COUNT}; test -z "$(ls {{outputs}})" || exit 9; echo > {{outputs}}/$1; [ $1 -ge 2 ]'
    project.stage("make", outputs="d/", run=run, retry_policy={"max_attempts": 2, "retry_on": [1]})
    assert project.build().ran == ["make"]
    assert os.listdir(project.path("d")) == ["2"]


def test_all_attempts_fail(project: Project, clock: FakeClock) -> None:
    """After the last attempt the stage has failed, with that one's error; its last good output stays."""
    project.write("src", "1")
    run = f"{COUNT}; cp {{inputs}} {{outputs}}; grep -q 1 {{inputs}} || exit $1"
    project.stage("make", inputs="src", outputs="a", run=run)
    assert project.build().ran == ["make"]
    project.write("src", "2")
    project.stage("make", inputs="src", outputs="a", run=run, retry_policy={"max_attempts": 2})
    outcome = project.build()
    assert (outcome.exit_status, outcome.failed, tries(project)) == (1, ["make"], 3)
    assert outcome.output == "note: stage `make` failed (exit status 2): attempt 2 of 2 in 1 s\nexit status 3\n"
    assert project.read("a") == "1"
    assert (manifest(project)[0]["status"], manifest(project)[0]["attempts"]) == ("failed", 2)
    assert project.build().failed == ["make"]


@pytest.mark.parametrize(
    ("backoff", "waits"), [("constant", [2.0, 2.0, 2.0, 2.0]), ("linear", [2.0, 4.0, 6.0, 7.0]), ("exponential", [2.0, 4.0, 7.0, 7.0])]
)
def test_backoff(project: Project, clock: FakeClock, backoff: str, waits: list[float]) -> None:
    """The waits are the same, grow by the delay, or double; none is longer than `max_delay`."""
    project.stage("make", outputs="a", run="exit 1", retry_policy={"max_attempts": 5, "backoff": backoff, "delay": "2s", "max_delay": "7s"})
    assert project.build().failed == ["make"]
    assert clock.waited == waits


def test_jitter(project: Project, clock: FakeClock) -> None:
    """With jitter each wait is between a half and the whole of what it would be."""
    policy: dict[str, object] = {"max_attempts": 9, "backoff": "constant", "delay": "2s", "jitter": True}
    project.stage("make", outputs="a", run="exit 1", retry_policy=policy)
    assert project.build().failed == ["make"]
    assert len(clock.waited) == 8
    assert all(1.0 <= wait <= 2.0 for wait in clock.waited)
    assert len(set(clock.waited)) > 1


@pytest.mark.parametrize(
    ("retry_on", "run", "count"),
    [
        ([75], "exit 75", 2),
        ([75], "exit 76", 1),
        ([1, 76], "exit 76", 2),
        (["signal"], "kill -9 $$", 2),
        (["signal"], "exit 9", 1),
        (["timeout"], "kill -9 $$", 1),
        (["timeout"], "exit 1", 1),
        (["ValueError"], "exit 1", 1),
        ([1], "exit 0", 1),
        (None, "exit 0", 2),
        (None, "kill -9 $$", 2),
        (None, "mkdir {outputs}", 2),
    ],
)
def test_which_failures_of_commands(project: Project, clock: FakeClock, retry_on: list[object] | None, run: str, count: int) -> None:
    """Exit statuses and signals are repeated where `retry_on` names them; all failures where there is none, a missing output too."""
    policy: dict[str, object] = {"max_attempts": 2, **({} if retry_on is None else {"retry_on": retry_on})}
    project.stage("make", outputs="a", run=f"{COUNT}; {run}", retry_policy=policy)
    assert project.build().failed == ["make"]
    assert tries(project) == count


@pytest.mark.parametrize(
    ("retry_on", "count"),
    [
        (["Flaky"], 3),
        (["steps.Flaky"], 3),
        (["ConnectionError"], 3),
        (["builtins.OSError"], 3),
        (["ValueError", 1, "timeout", "signal"], 1),
        (None, 3),
    ],
)
def test_which_exceptions(project: Project, clock: FakeClock, retry_on: list[object] | None, count: int) -> None:
    """An exception is repeated where `retry_on` names its class or one that it derives from."""
    policy: dict[str, object] = {"max_attempts": 3, **({} if retry_on is None else {"retry_on": retry_on})}
    project.stage("make", outputs="a", call="steps:twice", retry_policy=policy)
    project.build()
    assert tries(project) == count


SLOW = {"command": {"run": COUNT + "; [ $1 -gt 1 ] || sleep 60; echo > {outputs}"}, "function": {"call": "steps:slow"}}


@pytest.mark.parametrize("kind", list(SLOW))
@pytest.mark.parametrize("retry_on", [["timeout"], ["TimeoutError"], None, [75]])
def test_timeout_of_an_attempt(project: Project, clock: FakeClock, kind: str, retry_on: list[object] | None) -> None:
    """Each attempt has the whole `timeout`; the end of it is a failure that "timeout" and TimeoutError name. Case 44 with a retry."""
    policy: dict[str, object] = {"max_attempts": 2, **({} if retry_on is None else {"retry_on": retry_on})}
    timeout = "300ms" if kind == "command" else "2s"  # a function gets a process of its own, and its time begins with that
    project.stage("make", outputs="a", timeout=timeout, retry_policy=policy, **SLOW[kind])
    outcome = project.build()
    repeated = retry_on != [75]
    assert (tries(project), outcome.ran, outcome.failed) == ((2, ["make"], []) if repeated else (1, [], ["make"]))
    after = "timed out after 300 ms" if kind == "command" else "timed out after 2 s"
    told = f"note: stage `make` failed ({after}): attempt 2 of 2 in 1 s\n" if repeated else f"{after}\n"
    assert outcome.output == told


def test_leftovers_of_a_timed_out_attempt(project: Project, clock: FakeClock) -> None:
    """Case 45 with a retry: nothing that the first attempt has started lives on beside the second, whatever session it is in."""
    run = COUNT + "; [ $1 -gt 1 ] || { setsid sleep 61 & sleep 60; }; echo > {outputs}"
    project.stage("make", outputs="a", run=run, timeout="300ms", retry_policy={"max_attempts": 2})
    assert project.build().ran == ["make"]
    assert project.processes() == []


def test_timeout_error_is_a_timeout(project: Project, clock: FakeClock) -> None:
    """A TimeoutError that a function raises counts as "timeout"."""
    project.stage("make", outputs="a", call="steps:late", retry_policy={"max_attempts": 2, "retry_on": ["timeout"]})
    assert project.build().ran == ["make"]


def test_a_missing_input_is_not_repeated(project: Project, clock: FakeClock) -> None:
    """A failure that is not the stage's is not repeated: what it needs is not there."""
    project.stage("make", outputs="d/", run="echo > {outputs}/one")
    project.stage("use", inputs="d/two", outputs="b", run="cp {inputs} {outputs}", retry_policy={"max_attempts": 3})
    outcome = project.build()
    assert (outcome.failed, clock.waited) == (["use"], [])
    assert outcome.output == "stage `make` did not make `d/two`\n"


def test_a_full_disk_is_not_repeated(project: Project, clock: FakeClock) -> None:
    """Nor is one of the disk."""
    import errno

    from pipefile.testing import FaultyDisk

    project.disk = FaultyDisk(project.root)
    project.disk.fail("rename", "*pipefile-tmp/a", errno.ENOSPC)
    project.stage("make", outputs="a", run=f"{COUNT}; echo > {{outputs}}", retry_policy={"max_attempts": 3})
    outcome = project.build()
    assert (outcome.failed, tries(project), clock.waited) == (["make"], 1, [])
    assert "No space left on device" in outcome.output


def test_others_run_during_the_wait(project: Project, clock: FakeClock) -> None:
    """While one stage waits for its next attempt, its slot is another's, even with -j1."""
    project.stage("a_first", outputs="a", run=f"{COUNT}; [ $1 -gt 1 ] && echo > {{outputs}}", retry_policy={"max_attempts": 2, "delay": "1h"})
    for at in range(3):
        project.stage(f"other{at}", outputs=f"o{at}", run="echo > {outputs}")
    outcome = project.build(jobs=1)
    assert outcome.exit_status == 0
    started = [event.stage for event in events(outcome, StageStarted)]
    assert (started[:2], sorted(started)) == (["a_first", "other0"], ["a_first", "a_first", "other0", "other1", "other2"])


@pytest.mark.parametrize("schedule", ["eager", "waves"])
@pytest.mark.parametrize("keep_going", [False, True])
def test_failure_of_another_during_the_wait(project: Project, clock: FakeClock, schedule: str, keep_going: bool) -> None:
    """Without -k the next attempt of one stage is not begun when another has failed; with -k it is."""
    project.stage("a_first", outputs="a", run=f"{COUNT}; [ $1 -gt 1 ] && echo > {{outputs}}", retry_policy={"max_attempts": 2, "delay": "1h"})
    project.stage("bad", outputs="b", run="exit 3")
    outcome = project.build(jobs=1, keep_going=keep_going, schedule=schedule)
    assert outcome.exit_status == 1
    assert (sorted(outcome.failed), outcome.ran) == ((["bad"], ["a_first"]) if keep_going else (["a_first", "bad"], []))
    project.stage("bad", outputs="b", run="echo > {outputs}")
    assert project.build().exit_status == 0
    assert project.build().ran == []


def test_input_edited_between_attempts(project: Project, clock: FakeClock) -> None:
    """The next attempt works with the inputs as they are then, and its record says so."""
    project.write("src", "1\n")
    run = f"{COUNT}; cp {{inputs}} {{outputs}}; [ $1 -gt 1 ] || {{ echo 2 > src; exit 1; }}"
    project.stage("make", inputs="src", outputs="a", run=run, infer_inputs=False, retry_policy={"max_attempts": 2})
    outcome = project.build()
    assert (outcome.ran, tries(project), project.read("a")) == (["make"], 2, "2\n")
    assert project.build().ran == []


def test_input_edited_during_an_attempt(project: Project, clock: FakeClock) -> None:
    """Running again because an input changed meanwhile is no failure: it has no wait, and takes no attempt away. Numbers count on."""
    project.write("src", "1\n")
    run = f"{COUNT}; cp {{inputs}} {{outputs}}; [ $1 != 1 ] || echo 2 > src; [ $1 != 2 ]"
    project.stage("make", inputs="src", outputs="a", run=run, infer_inputs=False, retry_policy={"max_attempts": 2})
    outcome = project.build()
    assert (outcome.ran, tries(project), project.read("a"), clock.waited) == (["make"], 3, "2\n", [1.0])
    assert [event.attempt for event in events(outcome, StageStarted)] == [1, 2, 3]
    assert outcome.output == (
        "warning: `src` changed while stage `make` ran: it runs again\nnote: stage `make` failed (exit status 1): attempt 3 of 3 in 1 s\n"
    )
    assert project.build().ran == []


def test_code_edited_between_attempts(project: Project, clock: FakeClock) -> None:
    """A function is imported anew when its code has changed since the attempt before."""
    project.write("more.py", "import os\ndef make(outputs):\n    os.replace('new', 'more.py')\n    raise ValueError('old code')\n")
    project.write("new", "def make(outputs):\n    open(outputs[0], 'w').close()\n")
    project.stage("make", outputs="a", call="more:make", retry_policy={"max_attempts": 2})
    assert project.build().ran == ["make"]
    assert project.build().ran == []


def test_policy_is_in_no_key(project: Project, clock: FakeClock) -> None:
    """Another policy, or timeout, makes nothing stale."""
    project.stage("make", outputs="a", run="echo > {outputs}")
    assert project.build().ran == ["make"]
    project.stage("make", outputs="a", run="echo > {outputs}", retry_policy={"max_attempts": 3}, timeout="1m")
    assert project.build().ran == []


def test_ctrl_c_in_the_wait(project: Project) -> None:
    """Case 56: an interrupt ends the wait at once, whatever it would have been."""
    project.traced("make", outputs="a", run="exit 1", retry_policy={"max_attempts": 2, "delay": "20h", "max_delay": "30h"})
    running = project.start()
    running.until(lambda: "attempt 2 of 2 in 20 h 0 min" in running.out)
    running.signal_group()
    outcome = running.wait()
    assert (outcome.exit_status, outcome.started) == (130, ["make"])
    assert outcome.out.splitlines()[-1].startswith("interrupted after ")
    assert manifest(project)[0]["status"] == "interrupted"
    assert not project.exists("a")


def test_real_waits(project: Project) -> None:
    """By the real program, with a wait that is over soon; --json tells of every attempt."""
    project.environ["TRIES"] = os.path.join(project.side, "tries")
    project.stage("make", outputs="a", run=f"{COUNT}; [ $1 -ge 2 ] && echo > {{outputs}}", retry_policy={"max_attempts": 2, "delay": "10ms"})
    outcome = project.cli("--json")
    assert outcome.exit_status == 0
    lines = [json.loads(line) for line in outcome.out.splitlines()]
    assert [(line["event"], line.get("attempt")) for line in lines if line["event"].startswith("stage_")] == [
        ("stage_started", 1), ("stage_retried", 2), ("stage_started", 2), ("stage_finished", None),
    ]  # fmt: skip
    assert {name: lines[3][name] for name in ("stage", "instance", "attempts", "delay", "error", "log")} == {
        "stage": "make", "instance": "", "attempts": 2, "delay": 0.01, "error": "exit status 1", "log": "",
    }  # fmt: skip
    assert "stage `make` failed (exit status 1): attempt 2 of 2 in 0.01 s\n" in outcome.err


def test_worker_that_is_killed(project: Project, clock: FakeClock) -> None:
    """Case 52 for commands: what another process kills is repeated like what the stage does to itself."""
    run = COUNT + "; [ $1 -ge 3 ] || kill -9 $$; echo > {outputs}"
    project.stage("make", outputs="a", run=run, retry_policy={"max_attempts": 3, "retry_on": ["signal"]})
    assert project.build().ran == ["make"]
