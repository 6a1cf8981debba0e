"""References, globs and files named in commands become edges that wait for each other."""

from __future__ import annotations

from kit.graphs import FakeWorld, before, fault_of, graph_of, needs_of, stage


def test_a_path_that_a_stage_makes_is_a_dependency():
    graph = graph_of(stage("clean", ["raw.csv"], ["clean.csv"]), stage("report", ["./x/../clean.csv"], ["report.html"]))

    assert needs_of(graph, "report") == [("file", ("clean.csv",))]
    assert before(graph, "report") == ["clean"]
    assert before(graph, "clean") == []
    assert [edge.wave for edge in graph.edges] == [0, 1]


def test_an_absolute_path_inside_the_project_is_that_file():
    graph = graph_of(stage("a", [], ["a.txt"]), stage("b", ["/project/a.txt", "/usr/share/dict/words"], ["b.txt"]))

    assert needs_of(graph, "b") == [("file", ("a.txt",)), ("file", ("/usr/share/dict/words",))]
    assert before(graph, "b") == ["a"]


def test_an_output_is_found_by_its_name_and_all_by_outputs():
    graph = graph_of(
        stage("split", [], {"train": "data/train.csv", "test": "data/test.csv", "frames": "frames/"}),
        stage("one", ["split.train"]),
        stage("folder", ["split.frames"]),
        stage("all", ["split.outputs"]),
    )

    assert needs_of(graph, "one") == [("file", ("data/train.csv",))]
    assert needs_of(graph, "folder") == [("directory", ("frames",))]
    assert needs_of(graph, "all") == [("outputs", ("data/train.csv", "data/test.csv", "frames"))]
    assert before(graph, "all") == ["split"]
    assert graph.edges[3].needs[0].many


def test_a_name_with_dots_that_is_no_output_is_a_path():
    graph = graph_of(stage("report", [], {"html": "build/r.html"}), stage("send", ["report.pdf"]), world=FakeWorld("report.pdf"))

    assert needs_of(graph, "send") == [("file", ("report.pdf",))]


def test_a_reference_to_an_output_of_that_very_path_is_one_thing():
    graph = graph_of(stage("report", [], {"html": "report.html"}), stage("send", ["report.html"]), world=FakeWorld("report.html"))

    assert before(graph, "send") == ["report"]


def test_a_reference_that_is_a_file_too():
    fault = fault_of(stage("report", [], {"html": "build/r.html"}), stage("send", ["report.html"]), world=FakeWorld("report.html"))

    assert fault == (
        "error: `report.html` is both an output of stage `report` and a file\n  Pipefile.toml  `send`\nhint: write `./report.html` for the file"
    )


def test_the_file_beside_a_reference_is_meant_by_a_leading_dot():
    graph = graph_of(stage("report", [], {"html": "build/r.html"}), stage("send", ["./report.html"]), world=FakeWorld("report.html"))

    assert needs_of(graph, "send") == [("file", ("report.html",))]
    assert before(graph, "send") == []


def test_values_of_global_are_inputs_whole_tables_too():
    graph = graph_of(stage("a", {"w": "global.width", "m": "global.model", "n": "global.model.name"}), values={"width": 7, "model": {"name": "x"}})

    assert [(need.name, need.files, need.value) for need in graph.edges[0].needs] == [("w", None, 7), ("m", None, {"name": "x"}), ("n", None, "x")]


def test_a_value_that_is_a_file_too():
    fault = fault_of(stage("a", ["global.width"]), values={"width": 7}, world=FakeWorld("global.width"))

    assert fault == (
        "error: `global.width` is both a value of `[global]` and a file\n  Pipefile.toml  `a`\nhint: write `./global.width` for the file"
    )


def test_a_value_that_is_not_there():
    fault = fault_of(stage("a", ["global.model.nam"]), values={"model": {"name": "x"}})

    assert fault == "error: `global.model.nam` is not in `[global]`\n  Pipefile.toml  `a`\nhint: did you mean `global.model.name`?"


def test_a_file_called_global_something():
    graph = graph_of(stage("a", ["global.css"]), world=FakeWorld("global.css"))

    assert needs_of(graph, "a") == [("file", ("global.css",))]


def test_globs_match_sources_and_outputs_bytewise_sorted_and_once():
    graph = graph_of(
        stage("b", [], ["raw/b.csv"]),
        stage("z", [], ["raw/z.csv"]),
        stage("other", [], ["raw/c.txt"]),
        stage("merge", ["raw/*.csv"], ["all.csv"]),
        world=FakeWorld("raw/a.csv", "raw/b.csv", "raw/ä.csv", "raw/\udcff.csv", "raw/\U0001f600.csv"),
    )

    assert needs_of(graph, "merge") == [("glob", ("raw/a.csv", "raw/b.csv", "raw/z.csv", "raw/ä.csv", "raw/\U0001f600.csv", "raw/\udcff.csv"))]
    assert before(graph, "merge") == ["b", "z"]


def test_a_glob_never_matches_the_edges_own_outputs():
    world = FakeWorld("a.txt", "sum.txt", "x.txt")
    graph = graph_of(stage("sum", ["*.txt", "*.txt", "./*.txt", "*.txt"], ["sum.txt"]), stage("list", ["*.txt"], ["list.md"]), world=world)

    assert needs_of(graph, "sum") == [("glob", ("a.txt", "x.txt"))] * 4
    assert needs_of(graph, "list") == [("glob", ("a.txt", "sum.txt", "x.txt"))]
    assert (before(graph, "sum"), before(graph, "list")) == ([], ["sum"])


def test_edges_that_match_each_others_outputs_are_a_cycle():
    fault = fault_of(*[stage(f"s{number}", ["*.txt"], [f"{number}.txt"]) for number in range(5)])

    assert fault == (
        "error: dependency cycle: `0.txt` -> `1.txt` -> `0.txt`\n"
        "  Pipefile.toml  `s0` makes `0.txt` from `1.txt`\n"
        "  Pipefile.toml  `s1` makes `1.txt` from `0.txt`"
    )


def test_an_existing_file_is_itself_glob_characters_and_all():
    world = FakeWorld("a[1].txt", "a1.txt", "b*.txt", "c\\d")
    graph = graph_of(stage("s", ["a[1].txt", "b\\*.txt", "c\\d"]), world=world)

    assert needs_of(graph, "s") == [("file", ("a[1].txt",)), ("file", ("b*.txt",)), ("file", ("c\\d",))]
    assert world.globbed == []


def test_an_output_with_glob_characters_is_itself():
    graph = graph_of(stage("a", [], ["a[1].txt"]), stage("b", ["a[1].txt"]))

    assert before(graph, "b") == ["a"]


def test_an_open_bracket_is_a_name():
    graph = graph_of(stage("b", ["a/[x"], optional=True))

    assert needs_of(graph, "b") == [("file", ("a/[x",))]


def test_a_pattern_for_the_top_folder_alone():
    graph = graph_of(stage("b", ["./*.csv"]), stage("c", ["*.csv"]), world=FakeWorld("a.csv", "deep/b.csv"))

    assert needs_of(graph, "b") == [("glob", ("a.csv",))]
    assert needs_of(graph, "c") == [("glob", ("a.csv", "deep/b.csv"))]


def test_globs_and_paths_of_a_pipefile_in_a_folder():
    world = FakeWorld("media/raw/a.jpg", "media/b.png", "raw/c.jpg", "c.png")
    graph = graph_of(stage("s", ["raw/*.jpg", "*.png", "../c.png"], [], "tool x.cfg", folder="media"), world=world)

    assert needs_of(graph, "s") == [("glob", ("media/raw/a.jpg",)), ("glob", ("media/b.png",)), ("file", ("c.png",))]
    assert graph.edges[0].literal == ("media/x.cfg",)


def test_edges_share_the_set_of_a_reference():
    world = FakeWorld("raw/a.csv", "raw/b.csv")
    graph = graph_of(stage("a", ["raw/*.csv"], ["1"]), stage("b", ["raw/*.csv"], ["2"]), stage("c", ["./raw//*.csv"], ["3"]), world=world)

    assert len({edge.needs[0].files for edge in graph.edges}) == 1
    assert world.globbed == ["raw/*.csv"]


def test_a_set_made_by_several_edges_is_one_group():
    makers = [stage(f"m{number}", [], [f"o/{number}"]) for number in range(3)]
    graph = graph_of(*makers, stage("x", ["o/*"], ["x"]), stage("y", ["o/?"], ["y"]), stage("z", ["o/"], ["z"]))

    assert graph.groups == [(0, 1, 2)]
    assert graph.depends[3:] == [(6,), (6,), (6,), (0, 1, 2)]
    assert [edge.wave for edge in graph.edges] == [0, 0, 0, 1, 1, 1]


def test_a_file_and_a_glob_inside_a_directory_output():
    graph = graph_of(stage("split", [], ["frames/"]), stage("one", ["frames/1.png"]), stage("all", ["frames/**/*.png"]), stage("sub", ["frames/a/"]))

    found = [(files.kind, files.paths, files.inside, files.node) for edge in graph.edges[1:] for need in edge.needs if (files := need.files)]
    assert found == [
        ("file", ("frames/1.png",), "frames", 0),
        ("late", (), "frames", 0),
        ("directory", ("frames/a",), "frames", 0),
    ]


def test_a_glob_from_above_sees_neither_into_directory_outputs_nor_depfiles():
    """What lies there is not there before the first build, so it would make the second one differ."""
    world = FakeWorld("src/a.h", "src/out/x.h", "src/a.d.h")
    graph = graph_of(stage("gen", [], ["src/out/"], depfile="src/a.d.h"), stage("all", ["src/**/*.h"]), world=world)

    assert needs_of(graph, "all") == [("glob", ("src/a.h",))]


def test_a_glob_matches_a_directory_output_as_one():
    world = FakeWorld("build/frames/1.png", "build/a.txt")
    graph = graph_of(stage("split", [], ["build/frames/"]), stage("one", ["build/*"]), stage("two", ["build/f*/"]), world=world)

    assert needs_of(graph, "one") == [("glob", ("build/a.txt", "build/frames"))]
    assert needs_of(graph, "two") == [("glob", ("build/frames",))]
    assert (before(graph, "one"), before(graph, "two")) == (["split"], ["split"])


def test_files_named_in_commands():
    graph = graph_of(
        stage("lib", [], ["lib.o"]),
        stage("split", [], ["parts/"]),
        stage("app", ["main.c"], ["app"], "cc main.c lib.o parts/1.o extra.o app app.d ../up /abs parts && ./lib.o", depfile="app.d"),
        stage("off", [], ["off"], "cat lib.o", infer_inputs=False),
    )

    assert graph.edges[2].literal == ("lib.o", "parts/1.o", "extra.o", "parts")
    assert before(graph, "app") == ["lib", "split"]
    assert (graph.edges[3].literal, graph.depends[3]) == ((), ())


def test_after_takes_stages_and_aliases_and_counts_in_waves():
    graph = graph_of(
        stage("a", [], ["a"]), stage("b", ["a"], ["b"]), stage("c", after=("both", "a")), aliases={"both": ("inner", "a"), "inner": ("b",)}
    )

    assert graph.order == {2: (1, 0)}
    assert graph.depends[2] == ()
    assert [edge.wave for edge in graph.edges] == [0, 1, 2]


def test_optional_inputs_and_lists_keep_their_marks():
    graph = graph_of(stage("a", {"one": "x", "list": ["y"]}, optional=True), world=FakeWorld())

    assert [(need.name, need.optional, need.many) for need in graph.edges[0].needs] == [("one", True, False), ("list", True, True)]
