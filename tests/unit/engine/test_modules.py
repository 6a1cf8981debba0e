"""The files of a project that a function's module or a script reaches by import."""

from __future__ import annotations

import os

import pytest

from pipefile.base.disk import OsDisk
from pipefile.engine.modules import Parsed, first_party_files


class CountingDisk(OsDisk):
    """Remembers which files were read."""

    def __init__(self, root: str) -> None:
        super().__init__(root)
        self.read_files: list[str] = []

    def read(self, path: str, limit: int | None = None, follow: bool = True) -> bytes:
        self.read_files.append(path)
        return super().read(path, limit, follow)


@pytest.fixture
def disk(tmp_path):
    return CountingDisk(str(tmp_path))


def put(disk: OsDisk, path: str, text: str = "") -> None:
    os.makedirs(os.path.dirname(disk.at(path)), exist_ok=True)
    with open(disk.at(path), "w", encoding="utf-8") as file:
        file.write(text)


def files(disk: OsDisk, start: str, folder: str = "", cache: Parsed | None = None) -> tuple[str, ...]:
    return first_party_files(disk, folder, start, {} if cache is None else cache)


def test_a_module_with_all_that_it_imports(disk):
    put(disk, "steps/__init__.py")
    put(disk, "steps/report.py", "import json, os.path\nfrom . import style\nfrom .tables import table\n\ndef f():\n    import helpers.text\n")
    put(disk, "steps/style.py")
    put(disk, "steps/tables.py", "from steps.missing import x\n")
    put(disk, "steps/unused.py")
    put(disk, "helpers/__init__.py", "from helpers import late\n")
    put(disk, "helpers/late.py")
    put(disk, "helpers/text.py")

    assert files(disk, "steps.report") == (
        "helpers/__init__.py",
        "helpers/late.py",
        "helpers/text.py",
        "steps/__init__.py",
        "steps/report.py",
        "steps/style.py",
        "steps/tables.py",
    )


def test_imports_in_a_circle(disk):
    put(disk, "a.py", "import b")
    put(disk, "b.py", "from a import x")

    assert files(disk, "a") == ("a.py", "b.py")


def test_a_name_from_a_package_may_be_a_module_or_not(disk):
    put(disk, "pkg/__init__.py", "")
    put(disk, "pkg/mod.py")
    put(disk, "a.py", "from pkg import mod, name\nfrom pkg.mod import other\n")

    assert files(disk, "a") == ("a.py", "pkg/__init__.py", "pkg/mod.py")


def test_a_folder_without_init_is_a_package_too(disk):
    put(disk, "space/sub/mod.py", "from ..other import x")
    put(disk, "space/other.py")

    assert files(disk, "space.sub.mod") == ("space/other.py", "space/sub/mod.py")


def test_a_package_comes_before_a_module_of_its_name_and_a_module_before_a_mere_folder(disk):
    put(disk, "both/__init__.py")
    put(disk, "both.py")
    put(disk, "data/x.csv")
    put(disk, "data.py")
    put(disk, "a.py", "import both, data")

    assert files(disk, "a") == ("a.py", "both/__init__.py", "data.py")


def test_modules_are_looked_for_in_the_folder_of_the_pipefile(disk):
    put(disk, "media/steps.py", "import helper")
    put(disk, "media/helper.py")
    put(disk, "helper.py")

    assert files(disk, "steps", "media") == ("media/helper.py", "media/steps.py")


def test_a_script_finds_modules_beside_itself_first(disk):
    put(disk, "tools/gen.py", "import near, far, space.mod\nfrom . import wrong\n")
    put(disk, "tools/near.py")
    put(disk, "tools/space/x.csv")
    put(disk, "near.py")
    put(disk, "far.py")
    put(disk, "space/mod.py")

    assert files(disk, "tools/gen.py") == ("far.py", "space/mod.py", "tools/gen.py", "tools/near.py")
    assert files(disk, "near.py") == ("near.py",)


def test_what_is_not_in_the_project_is_nothing(disk):
    assert files(disk, "json") == ()
    assert files(disk, "gone.py") == ()
    assert files(disk, "bad..name") == ()


def test_a_source_that_does_not_parse_is_itself_alone(disk):
    put(disk, "a.py", "import b\ndef (:\n")
    put(disk, "b.py")

    assert files(disk, "a") == ("a.py",)


def test_nothing_is_parsed_twice_until_it_changes(disk):
    cache: Parsed = {}
    put(disk, "a.py", "import b")
    put(disk, "b.py")
    files(disk, "a", cache=cache)
    files(disk, "b", cache=cache)
    assert sorted(disk.read_files) == ["a.py", "b.py"]

    put(disk, "b.py", "import json, c")
    put(disk, "c.py")

    assert files(disk, "a", cache=cache) == ("a.py", "b.py", "c.py")
    assert sorted(disk.read_files) == ["a.py", "b.py", "b.py", "c.py"]


def test_a_long_line_of_modules(disk):
    for number in range(1500):
        put(disk, f"m{number}.py", f"import m{number + 1}")

    assert len(files(disk, "m0")) == 1500
