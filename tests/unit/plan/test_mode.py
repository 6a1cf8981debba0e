"""Where a function runs: the first rule that fits."""

from __future__ import annotations

import pytest

from pipefile.model.stage import Call, Command, Settings, Stage
from pipefile.plan.mode import Mode, Modes, mode_of

F = Call("steps", "f")
LARGE = Settings(large_input=1000)


def size(number: int):
    return lambda: number


@pytest.mark.parametrize(
    ("stage", "modes", "bytes_", "expected"),
    [
        (Stage("a", action=Command("x")), Modes(asked="process"), 0, Mode("command")),
        (Stage("a"), Modes(), 0, Mode("none")),
        (Stage("a", action=F, mode="process"), Modes(workers=False), 0, Mode("function", "this system has no worker processes")),
        (Stage("a", action=F, mode="process"), Modes(asked="function"), 0, Mode("function", "`--mode` says so")),
        (Stage("a", action=F, mode="function"), Modes(asked="process"), 0, Mode("process", "`--mode` says so")),
        (Stage("a", action=F, mode="process"), Modes(asked="auto"), 0, Mode("function", "nothing asks for a process")),
        (Stage("a", action=F, mode="function", timeout=1), Modes(asked="auto"), 0, Mode("process", "`timeout` is set")),
        (Stage("a", action=F, mode="function", timeout=1), Modes(), 0, Mode("function", "`mode` says so")),
        (Stage("a", action=F, mode="process"), Modes(LARGE), 5000, Mode("process", "`mode` says so")),
        (Stage("a", action=F, timeout=1, external=True), Modes(LARGE), 5000, Mode("process", "`timeout` is set")),
        (Stage("a", action=F, external=True), Modes(LARGE), 5000, Mode("process", "`external` is set")),
        (Stage("a", action=F), Modes(LARGE), 1001, Mode("function", "its inputs are larger than `large_input`")),
        (Stage("a", action=F), Modes(LARGE), 1000, Mode("function", "nothing asks for a process")),
    ],
)
def test_rules(stage: Stage, modes: Modes, bytes_: int, expected: Mode) -> None:
    assert mode_of(stage, modes, size(bytes_)) == expected


def test_the_size_is_asked_for_only_where_it_decides() -> None:
    def never() -> int:
        raise AssertionError

    for stage in (Stage("a", action=F, timeout=1), Stage("a", action=F, mode="function"), Stage("a", action=Command("x"))):
        mode_of(stage, Modes(), never)
