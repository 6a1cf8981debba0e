"""Most items of a `for_each`, or all of them, are gone: nothing is removed before somebody has said so."""

from __future__ import annotations

import pytest
from kit import Project
from kit.photos import PHOTOS, thumbs, with_photos


@pytest.fixture
def photos(project: Project) -> Project:
    return with_photos(project)


NOTHING = "nothing matches `photos/**/*.jpg`"


def stopped(what: str, line: int = 5) -> str:
    return (
        f"error: `for_each` of stage `thumbs` has lost {what}\n"
        f"  Pipefile.toml:{line}  `thumbs`\n"
        "hint: if that is right, `--allow-removal` builds without them, and `pipefile clean --dead` removes what they made\n"
    )


def test_all_items_are_gone(photos: Project):
    """A folder that is not mounted looks like this: nothing is removed, nothing runs, exit status 2."""
    photos.build()
    photos.rename("photos", "elsewhere")
    before = photos.tree()
    outcome = photos.build()

    assert (outcome.exit_status, outcome.ran, outcome.output) == (2, [], stopped(f"all of its 3 instances: {NOTHING}"))
    assert photos.build(dry_run=True).output == stopped(f"all of its 3 instances: {NOTHING}")
    assert photos.cli("build", "-n").err == stopped(f"all of its 3 instances: {NOTHING}")
    assert {path for path in photos.tree() if path.startswith("build")} == {path for path in before if path.startswith("build")}


def test_all_items_are_gone_on_purpose(photos: Project):
    """`--allow-removal` builds without them: the fan-in is empty, and their outputs are removed."""
    photos.stage("page", {"all": "thumbs.outputs"}, "page.txt", "cat /dev/null {all} > {outputs}")
    photos.build()
    photos.remove("photos")
    outcome = photos.cli("--allow-removal")

    assert (outcome.exit_status, outcome.err) == (0, "warning: stage `thumbs` has no instances: nothing matches `photos/**/*.jpg`\n")
    assert not photos.exists("build")
    assert photos.read("page.txt") == ""
    again = photos.cli()
    assert (again.exit_status, again.err) == (0, "warning: stage `thumbs` has no instances: nothing matches `photos/**/*.jpg`\n")
    assert again.out.startswith("1 fresh in ")


def test_clean_dead_after_a_loss(photos: Project):
    """`clean --dead` says yes to a loss as well; the build after it stops no more."""
    photos.build()
    for name in ("a", "b"):
        photos.remove(f"photos/{name}.jpg")
    photos.rename("photos/sub/c.jpg", "photos/d.jpg")

    assert photos.build().output == stopped("all of its 3 instances")
    assert photos.cli("clean", "--dead").out == "removed build/a.png\nremoved build/b.png\nremoved build/c.png\n"
    assert photos.build().ran == [*thumbs("d"), "page"]
    photos.settled()


def test_most_items_are_gone(project: Project):
    """More than half, and over ten: 11 of 20 stop a build, 10 of 19 do not."""
    for number in range(20):
        project.write(f"in/{number:02}", f"{number}\n")
    project.stage("thumbs", "{x}", "out/{x.name}", "cp {inputs} {outputs}", for_each={"x": "in/*"})
    project.build()
    for number in range(11):
        project.rename(f"in/{number:02}", f"away/{number:02}")

    assert project.build().output == stopped("11 of its 20 instances")
    project.rename("away/10", "in/10")
    outcome = project.build()
    assert (outcome.exit_status, outcome.ran, outcome.output.count("removed")) == (0, [], 10)
    project.settled()


def test_a_loss_is_seen_without_an_index(photos: Project):
    """Records alone tell what there was; case 65."""
    photos.build()
    photos.remove("pipeline_outputs")
    photos.rename("photos", "elsewhere")

    assert photos.build().output == stopped(f"all of its 3 instances: {NOTHING}")


def test_a_loss_is_seen_later_as_well(photos: Project):
    """A build of another target goes on to say so: what is dead stays known."""
    photos.stage("other", outputs="other.txt", run="echo > {outputs}")
    photos.build()
    photos.rename("photos", "elsewhere")

    assert photos.build("other").output == stopped(f"all of its 3 instances: {NOTHING}")
    assert photos.build("other").output == stopped(f"all of its 3 instances: {NOTHING}")


def test_a_stage_that_is_gone_is_no_loss(photos: Project):
    """Who takes the whole stage away, or renames it, has said what he wants; case 26."""
    photos.build()
    photos.drop("thumbs")
    photos.drop("page")
    photos.stage("pictures", {"src": "{photo}"}, {"dst": "build/{photo.stem}.gif"}, "cp {src} {dst}", for_each=PHOTOS)
    outcome = photos.build()

    assert (outcome.exit_status, len(outcome.ran), outcome.output.count("removed")) == (0, 3, 4)
    photos.settled()


def test_a_slip_in_a_glob(photos: Project):
    """The message says that nothing matches what is written."""
    photos.build()
    photos.stage("thumbs", {"src": "{photo}"}, {"dst": "build/{photo.stem}.png"}, "cp {src} {dst}", for_each={"photo": "photos/**/*.jgp"})

    assert photos.build().output == stopped("all of its 3 instances: nothing matches `photos/**/*.jgp`")


def test_only_temporary_outputs_that_are_gone(project: Project):
    """Nothing would be removed, so nobody is asked; where something else of theirs stands, somebody is."""
    for name in "abc":
        project.write(f"in/{name}", name)
    cut = {"path": "t/{x.name}", "temp": True}
    project.stage("thumbs", "{x}", [cut], "cp {inputs} {outputs}", for_each={"x": "in/*"})
    project.stage("use", "thumbs.outputs", "u", "cat /dev/null {inputs} > {outputs}")
    project.build()
    project.rename("in", "away")
    outcome = project.build()
    assert (outcome.exit_status, outcome.ran) == (0, ["use"])
    assert not project.exists("t/.a.hash")

    project.rename("away", "in")
    project.stage("thumbs", "{x}", [cut, "t/{x.name}.log"], "cp {inputs} {outputs[0]}; echo > {outputs[1]}", for_each={"x": "in/*"})
    project.stage("use", ["t/a", "t/b", "t/c"], "u", "cat {inputs} > {outputs}")
    assert project.build().exit_status == 0
    project.rename("in", "away")
    project.stage("use", "thumbs.outputs", "u", "cat /dev/null {inputs} > {outputs}")
    assert project.build().output == stopped("all of its 3 instances: nothing matches `in/*`")
