"""Rounds that follow from nothing but each other."""

from __future__ import annotations

from pipefile.watch.chain import Chain


def test_a_stage_that_writes_its_source() -> None:
    """Three rounds, and no fourth one."""
    chain = Chain()
    assert not chain.is_loop(["x"], all_during=False)
    chain.ran(["a", "b"])
    for _ in range(3):
        assert not chain.is_loop(["s"], all_during=True)
        chain.ran(["a"])
    assert chain.is_loop(["s"], all_during=True)
    assert (chain.length, chain.suspects()) == (3, ["a"])


def test_a_change_between_two_builds_begins_anew() -> None:
    """Whoever saves that often is a person."""
    chain = Chain()
    for _ in range(9):
        assert not chain.is_loop(["s"], all_during=True)
        assert not chain.is_loop(["s"], all_during=True)
        assert not chain.is_loop(["s"], all_during=False)


def test_edits_of_other_files_are_no_loop() -> None:
    """During each of many builds another file was saved."""
    chain = Chain()
    for number in range(9):
        assert not chain.is_loop([f"s{number}"], all_during=True)


def test_one_file_saved_now_and_then_is_no_loop() -> None:
    """Not in each round, and not three times in all."""
    chain = Chain()
    for causes in (["s"], ["t"], ["s", "u"], ["v"], ["w"]):
        assert not chain.is_loop(causes, all_during=True)


def test_interrupted_rounds_are_no_proof() -> None:
    """With `--on-busy restart` a person may well save one file in each of many rounds: the next one is let to its end."""
    chain = Chain()
    for _ in range(3):
        assert not chain.is_loop(["s"], all_during=True, whole=False)
    assert chain.is_long
    assert not chain.is_loop(["s"], all_during=True, whole=False)
    assert chain.is_loop(["s"], all_during=True, whole=True)


def test_several_stages_in_turn() -> None:
    """All that ran are named if none ran each time."""
    chain = Chain()
    found = False
    for name in ("a", "b") * 9:
        if found := chain.is_loop([f"{name}.in"], all_during=True):
            break
        chain.ran([name])
    assert found
    assert chain.suspects() == ["a", "b"]
