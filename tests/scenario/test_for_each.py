"""`for_each`: an instance for each item; items that come, change and go."""

from __future__ import annotations

import pytest
from kit import Project
from kit.photos import PHOTOS, thumbs, with_photos


@pytest.fixture
def photos(project: Project) -> Project:
    return with_photos(project)


def test_an_instance_for_each_file(photos: Project):
    """Every file that the glob finds has an instance; the fan-in has their outputs in the order of the items."""
    outcome = photos.build()

    assert sorted(outcome.ran) == ["page", *thumbs("a", "b", "sub/c")]
    assert photos.read("page.txt") == "a\nb\nsub/c\n"
    photos.settled()


def test_exactly_what_changed_runs(photos: Project):
    """One photo is edited: its thumbnail is made anew, and the page; case 20."""
    photos.build()
    photos.write("photos/b.jpg", "B\n")

    assert photos.build().ran == [*thumbs("b"), "page"]
    assert photos.read("page.txt") == "a\nB\nsub/c\n"
    photos.settled()


def test_early_cutoff_of_an_instance(photos: Project):
    """An instance whose output has the same bytes leaves the fan-in fresh; case 12."""
    photos.stage("thumbs", {"src": "{photo}"}, {"dst": "build/{photo.stem}.png"}, "head -1 {src} > {dst}", for_each=PHOTOS)
    photos.build()
    photos.write("photos/b.jpg", "b\nmore\n")

    assert photos.build().ran == thumbs("b")
    photos.settled()


def test_an_item_comes(photos: Project):
    """A new file has an instance of its own; nothing else runs but what takes all of them; cases 20 and 24."""
    photos.build()
    photos.write("photos/aa.jpg", "aa\n")

    assert photos.build().ran == [*thumbs("aa"), "page"]
    assert photos.read("page.txt") == "a\naa\nb\nsub/c\n"
    photos.settled()


def test_an_item_goes(photos: Project):
    """What an item made that is gone is removed by a build of the default set, which says so; case 25."""
    photos.build()
    photos.remove("photos/b.jpg")
    outcome = photos.build()

    assert outcome.ran == ["page"]
    assert outcome.output == "note: removed `build/b.png`, which no stage makes any more\n"
    assert not photos.exists("build/b.png")
    assert not photos.exists("build/.b.png.hash")
    photos.settled()


def test_an_item_that_is_back_runs(photos: Project):
    """Case 26: an item that was gone for a build has no record any more."""
    photos.build()
    photos.remove("photos/b.jpg")
    photos.build()
    photos.write("photos/b.jpg", "b again\n")

    assert photos.build().ran == [*thumbs("b"), "page"]
    photos.settled()


def test_an_edited_output_of_a_gone_item_is_kept(photos: Project):
    """Nobody but its maker may have written a dead output that is removed."""
    photos.build()
    photos.remove("photos/b.jpg")
    photos.write("build/b.png", "mine\n")
    outcome = photos.build()

    assert outcome.output == "warning: `build/b.png` is made by no stage any more, but was changed since: it is kept\n"
    assert photos.read("build/b.png") == "mine\n"


def test_a_build_of_one_target_removes_nothing(photos: Project):
    """Only who builds the whole default set has seen that nobody makes a file any more."""
    photos.build()
    photos.remove("photos/b.jpg")

    assert photos.build("page").ran == ["page"]
    assert photos.exists("build/b.png")
    assert photos.build().output == "note: removed `build/b.png`, which no stage makes any more\n"


# --- kinds of items


def test_a_product(project: Project):
    """Several keys are their product, the last one goes round fastest; values are in the key."""
    project.stage("train", outputs="m/{lr}-{seed}.txt", run="echo {lr} {seed} > {outputs}", for_each={"lr": [0.1, 1], "seed": {"range": [0, 2]}})
    project.stage("all", "train.outputs", "all.txt", "cat {inputs} > {outputs}")

    assert set(project.build().ran) == {"all", *[f"train@lr={lr},seed={seed}" for lr in ("0.1", "1") for seed in (0, 1)]}
    assert project.read("all.txt") == "0.1 0\n0.1 1\n1 0\n1 1\n"
    project.settled()
    project.stage("train", outputs="m/{lr}-{seed}.txt", run="echo {lr} {seed} > {outputs}", for_each={"lr": [0.1, 2], "seed": {"range": [0, 3]}})
    assert set(project.build().ran) == {"all", "train@lr=0.1,seed=2", *[f"train@lr=2,seed={seed}" for seed in range(3)]}
    assert not project.exists("m/1-0.txt")
    project.settled()


def test_a_range_with_a_step(project: Project):
    """`{ range = [10, 0, -5] }` is 10 and 5."""
    project.stage("count", outputs="n/{n}", run="echo {n} > {outputs}", for_each={"n": {"range": [10, 0, -5]}})

    assert sorted(project.build().ran) == ["count@10", "count@5"]


def test_a_table_of_values(project: Project):
    """A list of tables gives several names to each instance; all values are in the key, used or not."""
    rows = [{"lang": "en", "voice": "x"}, {"lang": "de", "voice": "y"}]
    project.stage("say", outputs="{lang}.txt", run="echo {voice} > {outputs}", for_each=rows)

    assert sorted(project.build().ran) == ["say@lang=de,voice=y", "say@lang=en,voice=x"]
    assert (project.read("en.txt"), project.read("de.txt")) == ("x\n", "y\n")
    project.settled()


def test_a_list_of_the_configuration(project: Project):
    """`global.KEY` is a list, or a table, whose keys are the items and whose values are further names."""
    project.globals(sizes=[64, 128], models={"small": {"layers": 2}, "big": {"layers": 4}})
    project.stage("size", outputs="s/{n}", run="echo {n} > {outputs}", for_each={"n": "global.sizes"})
    project.stage("model", outputs="m/{m}", run="echo {m.layers} > {outputs}", for_each={"m": "global.models"})

    assert sorted(project.build().ran) == ["model@big", "model@small", "size@128", "size@64"]
    assert (project.read("m/big"), project.read("m/small")) == ("4\n", "2\n")
    project.settled()
    project.globals(models={"small": {"layers": 3}, "big": {"layers": 4}})
    assert project.build().ran == ["model@small"]
    assert project.read("m/small") == "3\n"


def test_outputs_of_another_stage(photos: Project):
    """Items are the outputs of another stage: a chain of instances, each after its own."""
    photos.stage("tiny", {"src": "{thumb}"}, "tiny/{thumb.name}", "tr a-z A-Z < {src} > {outputs}", for_each={"thumb": "thumbs.dst"})
    photos.build()

    assert photos.read("tiny/c.png") == "SUB/C\n"
    photos.write("photos/b.jpg", "bb\n")
    assert sorted(photos.build().ran) == ["page", *thumbs("b"), "tiny@build/b.png"]
    photos.settled()


def test_a_glob_over_outputs_of_another_stage(photos: Project):
    """A glob finds what instances make, before they have made it."""
    photos.stage("tiny", {"src": "{thumb}"}, "tiny/{thumb.name}", "cp {src} {outputs}", for_each={"thumb": "build/*.png"})

    assert "tiny@build/c.png" in photos.build().ran
    photos.settled()
    photos.write("photos/d.jpg", "d\n")
    assert sorted(photos.build().ran) == ["page", *thumbs("d"), "tiny@build/d.png"]
    photos.settled()


def test_exclude(photos: Project):
    """`exclude` leaves out what globs find."""
    photos.stage("thumbs", {"src": "{photo}"}, {"dst": "build/{photo.stem}.png"}, "cp {src} {dst}", for_each=PHOTOS, exclude="photos/sub/")

    assert sorted(photos.build().ran) == ["page", *thumbs("a", "b")]
    photos.settled()


def test_a_glob_never_matches_what_the_stage_makes(project: Project):
    """`**/*.txt` finds neither outputs with records, nor one whose record is lost."""
    project.write("a.txt", "a\n")
    project.stage("copy", "{x}", "out/{x.name}", "cp {inputs} {outputs}", for_each={"x": "**/*.txt"})

    assert project.build().ran == ["copy@a.txt"]
    project.settled()
    project.remove("out/.a.txt.hash")
    assert project.build().ran == ["copy@a.txt"]
    project.settled()


def test_parts_of_paths(project: Project):
    """`.name .stem .suffix .parent`, one after another as well; in params, env, depfile and the command."""
    project.write("in/x.y/a.tar.gz", "a\n")
    project.stage(
        "show",
        outputs="out/{f.parent.name}/{f.stem}",
        run="echo {f.name} {f.suffix} {params.whole} $WHERE > {outputs}",
        for_each={"f": "in/**/*.gz"},
        params={"whole": "<{f}>"},
        env={"WHERE": "{f.parent}"},
    )

    assert project.build().ran == ["show@in/x.y/a.tar.gz"]
    assert project.read("out/x.y/a.tar") == "a.tar.gz .gz <in/x.y/a.tar.gz> in/x.y\n"
    project.settled()


def test_a_file_that_looks_like_something_else(project: Project):
    """An item that is a path is that file, be it called like a reference or a glob, begin with a dash, or have quotes in it; case 75."""
    names = ["thumbs.dst", "a[1].x", "it's; $HOME", "-r", "*", "global.x", "@", "a=b,c"]
    for name in names:
        project.write(name, f"{name}\n")
    project.stage("thumbs", {"src": "{f}"}, {"dst": "out/{f.name}"}, "cat {f} > {dst}", for_each={"f": "./*"}, exclude="./Pipefile.toml")

    assert sorted(project.build().ran) == sorted([f"thumbs@{name}" for name in names])
    assert [project.read(f"out/{name}") for name in names] == [f"{name}\n" for name in names]
    project.settled()


def test_literal_braces_are_doubled(project: Project):
    """What is no placeholder of an item stays as it is written."""
    project.write("in/{x}", "")
    project.stage("copy", ["in/{{x}}"], "out/{n}-{{x}}", "cp {inputs} {outputs}", for_each={"n": [1]}, params={"p": "{{n}}"})

    assert project.build().ran == ["copy@1"]
    assert project.exists("out/1-{x}")


def test_the_pipefile_is_edited(photos: Project):
    """The command is every instance's: all run; a comment is nobody's; cases 21 to 23."""
    photos.build()
    photos.stage("thumbs", {"src": "{photo}"}, {"dst": "build/{photo.stem}.png"}, "cat {src} > {dst}", for_each=PHOTOS)

    assert sorted(photos.build().ran) == thumbs("a", "b", "sub/c")
    photos.stage("thumbs", {"src": "{photo}"}, {"dst": "build/{photo.stem}.png"}, "cat {src} > {dst}", for_each=PHOTOS, description="small ones")
    assert photos.build().ran == []
    photos.settled()


# --- naming instances


def test_an_instance_is_a_target(photos: Project):
    """`thumbs@photos/b.jpg` on the command line; the stage's name is all of them."""
    assert photos.build("thumbs@photos/b.jpg").ran == thumbs("b")
    assert sorted(photos.build("thumbs").ran) == thumbs("a", "sub/c")
    assert photos.cli("thumbs@photos/x.jpg").err == (
        "error: no alias, stage or output is called `thumbs@photos/x.jpg`\nhint: did you mean `thumbs@photos/b.jpg`?\n"
    )
    assert photos.cli("build", "thumbs@photos/b.jpg", cwd="photos").out.startswith("1 fresh in ")


def test_an_instance_in_an_alias_and_the_default_set(photos: Project):
    """Instances and their outputs can be named wherever targets are."""
    photos.alias(some=["thumbs@photos/b.jpg", "build/c.png"])
    photos.settings(default=["some"])

    assert sorted(photos.build().ran) == thumbs("b", "sub/c")
    photos.alias(some=["thumbs@photos/x.jpg"])
    assert photos.build().output == (
        "error: `thumbs@photos/x.jpg` in alias `some` is no alias, stage or output\n  Pipefile.toml:5\nhint: did you mean `thumbs@photos/b.jpg`?\n"
    )


def test_commands_that_name_instances(photos: Project):
    """`status`, `why`, `query`, `list`, `graph` and `clean`."""
    photos.build()
    photos.write("photos/b.jpg", "B\n")

    assert photos.status() == {**dict.fromkeys(thumbs("a", "sub/c"), "fresh"), **dict.fromkeys(thumbs("b"), "stale"), "page": "unknown"}
    assert photos.why("thumbs@photos/b.jpg") == {"thumbs@photos/b.jpg": ["input `photos/b.jpg` changed"]}
    assert photos.cli("query", "outputs", "thumbs@photos/b.jpg").out == "build/b.png\n"
    assert photos.cli("query", "rdeps", "photos/b.jpg").out == "build/b.png\npage.txt\n"
    assert photos.cli("list", "--status").out.split() [:2] == ["thumbs", "stale"]
    assert "thumbs@photos/b.jpg: photos/b.jpg -> build/b.png\n" in photos.cli("graph").out
    assert photos.cli("clean", "thumbs@photos/b.jpg").out == "removed build/b.png\n"
    assert photos.build().ran == [*thumbs("b"), "page"]
    assert photos.cli("clean").out == "".join(f"removed {path}\n" for path in ("build/a.png", "build/b.png", "build/c.png", "page.txt"))


def test_read_only_commands_change_nothing(photos: Project):
    """Case 60."""
    photos.build()
    photos.write("photos/d.jpg", "d\n")
    before = photos.tree()
    for words in (["status"], ["why", "page"], ["list", "--status"], ["graph"], ["query", "deps", "page"], ["build", "-n"], ["check"]):
        assert photos.cli(*words).exit_status == 0, words
    assert photos.tree() == before


# --- stages without outputs, functions, values


def test_instances_without_outputs(project: Project):
    """Each is remembered for itself: a test a file."""
    for name in ("a", "b"):
        project.write(f"t/{name}", "true\n")
    project.stage("check", "{t}", run="sh {t}", for_each={"t": "t/*"})

    assert sorted(project.build("check").ran) == ["check@t/a", "check@t/b"]
    assert project.build("check").ran == []
    project.write("t/b", "true # still\n")
    assert project.build("check").ran == ["check@t/b"]


@pytest.mark.parametrize("mode", ["function", "process"])
def test_values_of_instances(project: Project, mode: str):
    """A function gets items as arguments of their names, and what each instance returns is a value of its own; others get a list."""
    project.write(
        "steps.py", "def square(n):\n    return n * n\n\ndef total(all, out):\n    with open(out, 'w') as file:\n        file.write(repr(all))\n"
    )
    project.stage("square", outputs={"value": "value:int"}, call="steps:square", for_each={"n": {"range": [1, 4]}}, mode=mode)
    project.stage("total", {"all": "square.value"}, {"out": "total.txt"}, call="steps:total", mode=mode)

    assert sorted(project.build().ran) == ["square@1", "square@2", "square@3", "total"]
    assert project.read("total.txt") == "[1, 4, 9]"
    again = project.build()
    assert (again.ran, again.exit_status) == ([], 0)
    project.stage("square", outputs={"value": "value:int"}, call="steps:square", for_each={"n": {"range": [2, 4]}}, mode=mode)
    assert project.build().ran == ["total"]
    assert project.read("total.txt") == "[4, 9]"


def test_params_have_the_type_of_the_item(project: Project):
    """`params = { n = "{n}" }` is the number itself."""
    project.write("steps.py", "def show(n, factor, out):\n    with open(out, 'w') as file:\n        file.write(repr((n, factor)))\n")
    project.stage("show", outputs={"out": "o/{n}"}, call="steps:show", for_each={"n": [1.5]}, params={"factor": ["{n}", "x{n}"]})

    assert project.build().ran == ["show@1.5"]
    assert project.read("o/1.5") == "(1.5, [1.5, 'x1.5'])"


def test_a_fallback_of_instances(project: Project):
    """The fallback runs for the item of the instance that has failed."""
    project.stage("plain", run="echo plain {x} > {out}")
    project.stage("main", outputs={"out": "o/{x}"}, run="test {x} = a && echo {x} > {out}", for_each={"x": ["a", "b"]}, fallback="plain")
    outcome = project.build()

    assert (outcome.ran, outcome.degraded) == (["main@a"], ["main@b"])
    assert (project.read("o/a"), project.read("o/b")) == ("a\n", "plain b\n")


def test_a_condition_holds_for_all_items(project: Project):
    """A stage that is skipped is skipped with all of its instances, and that is no loss."""
    project.globals(on=True)
    project.stage("copy", outputs="o/{x}", run="echo {x} > {outputs}", for_each={"x": ["a", "b"]}, should_run="global.on")
    project.build()
    project.globals(on=False)
    outcome = project.build()

    assert (outcome.exit_status, sorted(outcome.skipped)) == (0, ["copy@a", "copy@b"])
    assert not project.exists("o/a")


def test_failing_instances(project: Project):
    """The others go on with -k; the next build makes what is missing."""
    project.stage("copy", outputs="o/{x}", run="test ! -e stop{x} && echo {x} > {outputs}", for_each={"x": [1, 2, 3]})
    project.write("stop2", "")
    outcome = project.build(keep_going=True)

    assert (sorted(outcome.ran), outcome.failed) == (["copy@1", "copy@3"], ["copy@2"])
    project.remove("stop2")
    assert project.build().ran == ["copy@2"]


def test_runs_tell_of_instances(photos: Project):
    """A manifest has an entry an instance, and logs lie by instance."""
    photos.stage("thumbs", {"src": "{photo}"}, {"dst": "build/{photo.stem}.png"}, "echo at {photo.stem}; cp {src} {dst}", for_each=PHOTOS)
    photos.build()

    assert photos.cli("runs", "log", "latest", "thumbs@photos/b.jpg").out == "at b\n"


def test_restoring_instances(photos: Project):
    """An item that had these bytes before is restored, and so is one that takes the place of another."""
    photos.caching = True
    photos.build()
    photos.write("photos/b.jpg", "B\n")
    photos.build()
    photos.write("photos/b.jpg", "b\n")
    outcome = photos.build()

    assert (outcome.ran, sorted(outcome.restored)) == ([], ["page", "thumbs@photos/b.jpg"])
