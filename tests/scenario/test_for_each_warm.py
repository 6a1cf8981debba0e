"""Instances of a `for_each` in builds that go on from the graph in the index."""

from __future__ import annotations

import pytest
from kit import Project
from kit.outcome import BuildOutcome
from kit.photos import thumbs, with_photos

from pipefile.model.event import PlanMade


@pytest.fixture
def photos(project: Project) -> Project:
    return with_photos(project)


def looked_at(outcome: BuildOutcome) -> tuple[list[str], int]:
    """What ran, and how many edges were looked at; all of them where the build started from the Pipefile."""
    plan = next(event for event in outcome.events if isinstance(event, PlanMade))
    return outcome.ran, plan.total - plan.fresh


def test_a_small_change_looks_at_what_it_bears_on(photos: Project):
    """One photo is edited: of the instances its own is looked at, and what is below it; no Pipefile is read."""
    photos.build()
    photos.write("photos/b.jpg", "B\n")
    assert looked_at(photos.build()) == ([*thumbs("b"), "page"], 2)

    photos.write("build/b.png", "tampered\n")
    assert looked_at(photos.build()) == (thumbs("b"), 2)

    photos.write("photos/.new", "saved as editors do\n")
    photos.rename("photos/.new", "photos/b.jpg")
    assert looked_at(photos.build()) == ([*thumbs("b"), "page"], 2)
    photos.settled()


def test_params_and_variables_from_the_index(project: Project):
    """An instance that is made from the index has the params, variables, depfile and values of its item."""
    project.write("in/a", "a\n")
    project.write("in/b", "b\n")
    project.stage(
        "show",
        "in/{x}",
        "out/{x}",
        "echo {x} {y} {params.p} $WHERE > {outputs}; echo x: more/{x} > {depfile}",
        for_each=[{"x": "a", "y": 1}, {"x": "b", "y": 2.5}],
        params={"p": "{y}"},
        env={"WHERE": "at {x}"},
        depfile="out/{x}.d",
    )
    for name in ("a", "b"):
        project.write(f"more/{name}", "")
    project.build()
    project.write("more/b", "changed\n")
    assert looked_at(project.build()) == (["show@x=b,y=2.5"], 1)
    project.write("in/b", "changed\n")
    assert looked_at(project.build()) == (["show@x=b,y=2.5"], 1)
    assert project.read("out/b") == "b 2.5 2.5 at b\n"
    project.settled()


def test_a_chain_of_instances_from_the_index(photos: Project):
    """What is below an instance is found without a look at the others."""
    photos.stage("tiny", {"src": "{t}"}, "tiny/{t.name}", "tr a-z A-Z < {src} > {outputs}", for_each={"t": "thumbs.dst"})
    photos.build()
    photos.write("photos/a.jpg", "other\n")

    ran, looked = looked_at(photos.build())
    assert (sorted(ran), looked) == (["page", *thumbs("a"), "tiny@build/a.png"], 3)
    photos.settled()


def test_in_an_included_pipefile(project: Project):
    """Globs, values and references are from the folder of the Pipefile that has them; from the index as well."""
    for name in ("a", "b"):
        project.write(f"media/photos/{name}.jpg", f"{name}\n")
    project.write(
        "media/Pipefile.toml",
        '[stage.thumbs]\nfor_each = { photo = "photos/*.jpg" }\ninputs = { src = "{photo}" }\noutputs = { dst = "out/{photo.stem}" }\n'
        'run = "echo {photo} > {dst}; cat {src} >> {dst}"\n\n'
        '[stage.tiny]\nfor_each = { t = "thumbs.dst" }\ninputs = { src = "{t}" }\noutputs = { dst = "tiny/{t.name}" }\nrun = "cat {src} > {dst}"\n\n'
        '[stage.all]\ninputs = { all = "tiny.dst" }\noutputs = ["all.txt"]\nrun = "cat {all} > {outputs}"\n',
    )
    project.settings(include=["media"])
    project.stage("page", {"all": "media/tiny.dst"}, "page.txt", "cat {all} > {outputs}")

    assert sorted(project.build().ran) == sorted(
        ["page", "media/all", *[f"media/thumbs@photos/{name}.jpg" for name in "ab"], *[f"media/tiny@out/{name}" for name in "ab"]]
    )
    assert project.read("page.txt") == project.read("media/all.txt") == "photos/a.jpg\na\nphotos/b.jpg\nb\n"
    project.write("media/photos/b.jpg", "B\n")
    ran, looked = looked_at(project.build())
    assert (sorted(ran), looked) == (["media/all", "media/thumbs@photos/b.jpg", "media/tiny@out/b", "page"], 4)
    assert project.build("media/thumbs@photos/a.jpg").ran == []
