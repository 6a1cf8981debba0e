"""`[resources]` and `resources` of stages: what they may say."""

from __future__ import annotations

import pytest
from kit import Project

from pipefile.base.disk import OsDisk
from pipefile.load.loader import load


def test_what_a_stage_needs(project: Project) -> None:
    project.resources(gpu=2, license=1, memory="2GB")
    project.stage("a", outputs="x", run="touch x", resources={"cpu": 2, "memory": "1.5GB", "gpu": 1, "license": 0})
    found = load(OsDisk(project.root), "Pipefile.toml", {})

    assert found.resources == {"gpu": 2, "license": 1, "memory": 2_000_000_000}
    assert found.stages["a"].resources == {"cpu": 2, "memory": 1_500_000_000, "gpu": 1}


@pytest.mark.parametrize(
    ("section", "stage", "message"),
    [
        ("", "gpu = 1", "`gpu` in `resources` of stage `a` is not in `[resources]`\nhint: `[resources]` says how many there are: `gpu = \"auto\"`"),
        ("license = 1", "licence = 1", "`licence` in `resources` of stage `a` is not in `[resources]`\nhint: did you mean `license`?"),
        ("", "cpu = 0", "`cpu` in `resources` of stage `a` must be at least 1"),
        ("", "cpu = 1.5", "`cpu` in `resources` of stage `a` must be an integer, not a float"),
        ("", "cpu = true", "`cpu` in `resources` of stage `a` must be an integer, not a boolean"),
        ("", "memory = 4", '`memory` in `resources` of stage `a` must be a size such as "64MB", not an integer'),
        ("x = 1", "x = 3000000000", "`x` in `resources` of stage `a` is too large"),
        ("cpu = 4", "cpu = 1", "`cpu` in `[resources]` cannot be set\nhint: `-j` says how many CPUs there are"),
        ('gpu = "some"', "gpu = 1", '`gpu` in `[resources]` must be an integer or "auto", not `some`'),
        ("x = -1", "x = 1", "`x` in `[resources]` must be at least 0"),
        ('x = "auto"', "x = 1", "`x` in `[resources]` must be an integer, not `auto`"),
    ],
)
def test_faults(project: Project, section: str, stage: str, message: str) -> None:
    project.pipefile(f'[resources]\n{section}\n[stage.a]\noutputs = ["x"]\nrun = "touch x"\n[stage.a.resources]\n{stage}\n')
    outcome = project.build()
    text, _, hint = message.partition("\n")
    assert outcome.exit_status == 2
    assert outcome.output.partition("\n")[0].endswith(f":1: {text}")
    assert outcome.output.endswith(f"{hint}\n")


def test_a_fault_has_its_line(project: Project) -> None:
    project.pipefile('[stage.a]\nrun = "true"\nresources = { gpus = 1 }\n')
    assert project.build().output == (
        "error: Pipefile.toml:3:15: `gpus` in `resources` of stage `a` is not in `[resources]`\n"
        "  3 | resources = { gpus = 1 }\n"
        "    |               ^^^^\n"
        "hint: `[resources]` says how many there are: `gpus = 1`\n"
    )


def test_decorated_stages_have_the_same(project: Project) -> None:
    project.settings(python=["steps.py"])
    project.write("steps.py", "from pipefile import stage\n\n@stage(outputs={'n': int}, resources={'license': 2})\ndef count():\n    return 1\n")
    assert project.build("count").output.partition("\n")[0] == (
        "error: steps.py:3:39: `license` in `resources` of stage `count` is not in `[resources]`"
    )
    project.resources(license=2)
    assert project.build("count").ran == ["count"]
