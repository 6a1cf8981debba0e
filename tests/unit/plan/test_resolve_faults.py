"""Stages that do not fit together: each message whole."""

from __future__ import annotations

import time

from kit.graphs import FakeWorld, fault_of, stage


def test_two_stages_for_one_output():
    assert fault_of(stage("clean", [], ["data/c.csv"]), stage("clean_v2", [], ["data/c.csv"])) == (
        "error: `data/c.csv` is made by two stages\n  Pipefile.toml  `clean`\n  Pipefile.toml  `clean_v2`"
    )


def test_three_stages_for_one_output_as_file_and_directory():
    assert fault_of(stage("a", [], ["x"]), stage("b", [], ["x/"]), stage("c", [], ["x"])) == (
        "error: `x` is made by 3 stages\n  Pipefile.toml  `a`\n  Pipefile.toml  `b`\n  Pipefile.toml  `c`"
    )


def test_one_stage_with_an_output_twice():
    assert fault_of(stage("a", [], ["x", "x"])) == "error: `x` is declared twice by stage `a`\n  Pipefile.toml  `a`"


def test_an_output_that_is_its_own_input():
    expected = "error: `x.txt` is both an input and an output of stage `a`\n  Pipefile.toml  `a`"

    assert fault_of(stage("a", ["x.txt"], ["x.txt"])) == expected
    assert fault_of(stage("a", ["y/../x.txt"], ["x.txt"])) == expected
    assert fault_of(stage("a", ["a.outputs"], ["x.txt"])) == expected
    assert fault_of(stage("a", ["x.txt"], ["x.txt/"])) == expected


def test_an_output_inside_its_own_input_and_the_other_way_round():
    assert fault_of(stage("a", ["data/"], ["data/x.txt"])) == (
        "error: `data/x.txt` lies in `data/`, an input of the stage that makes it\n  Pipefile.toml  `a`"
    )
    assert fault_of(stage("a", ["data/x.txt"], ["data/"])) == (
        "error: `data/x.txt` lies in `data/`, an output of the stage that needs it\n  Pipefile.toml  `a`"
    )
    assert fault_of(stage("a", ["data/*.txt"], ["data/"])) == (
        "error: `data/*.txt` lies in `data/`, an output of the stage that needs it\n  Pipefile.toml  `a`"
    )


def test_an_output_inside_another_stages_directory_output():
    assert fault_of(stage("split", [], ["frames/"]), stage("first", [], ["frames/a/1.png"])) == (
        "error: `frames/a/1.png` lies in `frames/`, which stage `split` makes whole\n  Pipefile.toml  `first`\n  Pipefile.toml  `split`"
    )
    assert fault_of(stage("split", [], ["frames/", "frames/1.png"])) == (
        "error: `frames/1.png` lies in `frames/`, another output of the same stage\n  Pipefile.toml  `split`"
    )


def test_an_output_that_is_a_folder_for_another():
    assert fault_of(stage("b", [], ["a/b"]), stage("a", [], ["a"])) == (
        "error: `a/b` needs a folder `a`, which is made as a file\n  Pipefile.toml  `b`\n  Pipefile.toml  `a`"
    )


def test_directories_without_their_slash_and_files_with_one():
    world = FakeWorld("data/a.csv", "b.csv")

    assert fault_of(stage("s", ["data"]), world=world) == "error: input `data` is a directory\n  Pipefile.toml  `s`\nhint: write `data/`"
    assert fault_of(stage("s", ["b.csv/"]), world=world) == "error: input `b.csv/` is a file\n  Pipefile.toml  `s`\nhint: write `b.csv`"
    assert fault_of(stage("m", [], ["out/"]), stage("s", ["out"])) == (
        "error: input `out` is a directory that stage `m` makes\n  Pipefile.toml  `s`\nhint: write `out/`"
    )
    assert fault_of(stage("m", [], ["out"]), stage("s", ["out/"])) == (
        "error: input `out/` is a file that stage `m` makes\n  Pipefile.toml  `s`\nhint: write `out`"
    )


def test_inputs_that_are_no_paths():
    assert fault_of(stage("s", ["../up"])) == "error: input `../up` is a path that leaves the project\n  Pipefile.toml  `s`"
    assert fault_of(stage("s", ["../*.c"])) == "error: input `../*.c` is a path that leaves the project\n  Pipefile.toml  `s`"
    assert fault_of(stage("s", [""])) == "error: input `` is an empty path\n  Pipefile.toml  `s`"


def test_unknown_names():
    stages = [stage("train", [], ["model.pt"]), stage("test", after=("trian",))]

    assert fault_of(*stages) == (
        "error: `trian` in `after` is neither a stage nor an alias\n  Pipefile.toml  `test`\nhint: did you mean `train`?"
    )
    assert fault_of(stages[0], aliases={"all": ("trian",)}) == (
        "error: `trian` in alias `all` is no alias, stage or output\n  Pipefile.toml\nhint: did you mean `train`?"
    )
    assert fault_of(stages[0], default=("model.tp",)) == (
        "error: `model.tp` in `default` is no alias, stage or output\n  Pipefile.toml\nhint: did you mean `model.pt`?"
    )


def test_aliases_in_a_circle():
    aliases = {"x": ("a", "s"), "a": ("b",), "b": ("s", "c"), "c": ("a",)}

    assert fault_of(stage("s"), aliases=aliases) == (
        "error: alias cycle: `a` -> `b` -> `c` -> `a`\n  Pipefile.toml\n  Pipefile.toml\n  Pipefile.toml"
    )


def test_a_cycle_of_two():
    assert fault_of(stage("make_a", ["b.txt"], ["a.txt"]), stage("make_b", ["a.txt"], ["b.txt"])) == (
        "error: dependency cycle: `a.txt` -> `b.txt` -> `a.txt`\n"
        "  Pipefile.toml  `make_a` makes `a.txt` from `b.txt`\n"
        "  Pipefile.toml  `make_b` makes `b.txt` from `a.txt`"
    )


def test_the_shortest_cycle_is_shown():
    stages = [stage("a", ["c"], ["a"]), stage("b", ["a"], ["b"]), stage("c", ["b", "a"], ["c"])]

    assert fault_of(*stages).splitlines()[0] == "error: dependency cycle: `a` -> `c` -> `a`"


def test_a_cycle_through_order_alone():
    assert fault_of(stage("lint", after=("test",)), stage("test", after=("lint",))) == (
        "error: dependency cycle: `lint` -> `test` -> `lint`\n"
        "  Pipefile.toml  `lint` comes after `test`\n"
        "  Pipefile.toml  `test` comes after `lint`"
    )
    assert fault_of(stage("lint", after=("lint",))) == "error: dependency cycle: `lint` -> `lint`\n  Pipefile.toml  `lint` comes after `lint`"


def test_a_cycle_through_files_and_order():
    assert fault_of(stage("make", ["b"], ["a"], after=()), stage("check", ["a"], ["b"]), stage("x", [], ["c"], after=("y",)), stage("y", ["c"])) == (
        "error: dependency cycle: `a` -> `b` -> `a`\n  Pipefile.toml  `make` makes `a` from `b`\n  Pipefile.toml  `check` makes `b` from `a`"
    )
    assert fault_of(stage("x", [], ["c"], after=("y",)), stage("y", ["c"])) == (
        "error: dependency cycle: `c` -> `y` -> `c`\n  Pipefile.toml  `x` comes after `y`\n  Pipefile.toml  `y` needs `c`"
    )


def test_a_cycle_through_a_group_and_a_folder():
    stages = [stage("a", ["x"], ["o/a"]), stage("b", [], ["o/b"]), stage("all", ["o/*"], ["x"])]
    assert fault_of(*stages) == (
        "error: dependency cycle: `o/a` -> `x` -> `o/a`\n  Pipefile.toml  `a` makes `o/a` from `x`\n  Pipefile.toml  `all` makes `x` from `o/a`"
    )

    stages[2] = stage("all", ["o/"], ["x"])
    assert fault_of(*stages) == (
        "error: dependency cycle: `o/a` -> `x` -> `o/a`\n  Pipefile.toml  `a` makes `o/a` from `x`\n  Pipefile.toml  `all` makes `x` from `o/a`"
    )


def test_a_cycle_through_a_file_named_in_a_command():
    assert fault_of(stage("a", ["b.txt"], ["a.txt"]), stage("b", [], ["b.txt"], "sort < a.txt > b.txt")) == (
        "error: dependency cycle: `a.txt` -> `b.txt` -> `a.txt`\n"
        "  Pipefile.toml  `a` makes `a.txt` from `b.txt`\n"
        "  Pipefile.toml  `b` makes `b.txt`, and its command names `a.txt`\n"
        "hint: `infer_inputs = false` in stage `b` takes no inputs from its command"
    )


def test_a_cycle_of_a_thousand_stays_readable():
    started = time.monotonic()
    fault = fault_of(*[stage(f"s{number}", [f"f{number}"], [f"f{(number + 1) % 1000}"]) for number in range(1000)])

    assert time.monotonic() - started < 20
    assert fault == (
        "error: dependency cycle: `f1` -> `f0` -> `f999` -> `f998` -> `f997` -> `f996` -> ... 990 more ... -> "
        "`f5` -> `f4` -> `f3` -> `f2` -> `f1`\n"
        "  Pipefile.toml  `s0` makes `f1` from `f0`\n"
        "  Pipefile.toml  `s999` makes `f0` from `f999`\n"
        "  Pipefile.toml  `s998` makes `f999` from `f998`\n"
        "  Pipefile.toml  `s997` makes `f998` from `f997`\n"
        "  Pipefile.toml  `s996` makes `f997` from `f996`\n"
        "    ... 990 more stages\n"
        "  Pipefile.toml  `s5` makes `f6` from `f5`\n"
        "  Pipefile.toml  `s4` makes `f5` from `f4`\n"
        "  Pipefile.toml  `s3` makes `f4` from `f3`\n"
        "  Pipefile.toml  `s2` makes `f3` from `f2`\n"
        "  Pipefile.toml  `s1` makes `f2` from `f1`"
    )


def test_names_with_control_characters_are_shown_escaped():
    assert fault_of(stage("a", ["x\x1b[2J"], ["x\x1b[2J"])) == (
        "error: `x\\x1b[2J` is both an input and an output of stage `a`\n  Pipefile.toml  `a`"
    )
