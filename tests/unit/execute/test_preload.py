"""Modules that are imported before workers are forked: which ones, which ones never, and how that is remembered."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from kit.workers import Workers

from pipefile.execute.preload import Preloads
from pipefile.execute.process import ProcessExecutor

LIBRARIES = {
    "good": "import os\nPID = os.getpid()\n",
    "good_package/__init__": "",
    "good_package/part": "import os\nPID = os.getpid()\n",
    "threads": "import os, threading\nPID = os.getpid()\nthreading.Thread(target=threading.Event().wait, daemon=True).start()\n",
    "opens": "import os\nPID = os.getpid()\nFILE = open('/dev/zero')\n",
    "sets": "import os\nPID = os.getpid()\nos.environ['LIBRARY'] = '1'\n",
    "prints": "import os\nPID = os.getpid()\nprint('hello')\n",
    "goes": "import os\nPID = os.getpid()\nos.chdir('/')\n",
    "handles": "import os, signal\nPID = os.getpid()\nsignal.signal(signal.SIGUSR1, lambda *_: None)\n",
    "starts": "import os, subprocess\nPID = os.getpid()\nCHILD = subprocess.Popen(['sleep', '1000'])\n",
    "crashes": "import os\nPID = os.getpid()\nif len(os.environ.get('HERE', '')) == 0: os.abort()\n",
    "fails": "import os\nif not os.environ.get('HERE'): raise ImportError\nPID = os.getpid()\n",
}


class Preloading:
    """Builds one after the other, as far as executors and what they remember go."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.preloads = Preloads()

    def build(self, *calls: str) -> list[bytes]:
        """Run functions; what they have printed."""
        workers = Workers(self.folder)
        workers.executor.close()
        workers.executor = ProcessExecutor(preloads=Preloads.parse(self.preloads.dump()))
        try:
            return [workers.run(call).output for call in calls]
        finally:
            workers.executor.close()
            self.preloads = workers.executor.preloads


@pytest.fixture
def preloading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Preloading:
    site = tmp_path / "lib" / "site-packages"
    for name, text in LIBRARIES.items():
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(os.fspath(site))
    (tmp_path / "project").mkdir()
    return Preloading(tmp_path / "project")


def test_what_was_imported_last_time_is_imported_before_the_fork(preloading: Preloading):
    text = "import os, good\nfrom good_package import part\ndef f():\n    print(good.PID == os.getpid(), part.PID == os.getpid())\n"
    (preloading.folder / "steps.py").write_text(text)

    assert preloading.build("steps:f") == [b"True True\n"]
    assert preloading.preloads.modules == {"steps": ("good", "good_package", "good_package.part")}
    assert preloading.build("steps:f") == [b"False False\n"]


def test_what_is_imported_late_counts_too(preloading: Preloading):
    (preloading.folder / "steps.py").write_text("def f():\n    import os, good\n    print(good.PID == os.getpid())\n")

    assert [preloading.build("steps:f"), preloading.build("steps:f")] == [[b"True\n"], [b"False\n"]]


def test_in_a_long_build_it_begins_at_once(preloading: Preloading):
    (preloading.folder / "steps.py").write_text("import os, good, time\ndef f():\n    print(good.PID == os.getpid())\n")
    found = preloading.build(*["steps:f"] * 60)

    assert found[:4] == [b"True\n"] * 4
    assert found[-1] == b"False\n"


@pytest.mark.parametrize("name", ["threads", "opens", "sets", "prints", "goes", "handles", "starts", "crashes", "fails"])
def test_what_leaves_something_behind_is_imported_in_each_worker(preloading: Preloading, name: str):
    """And what stands beside it is imported before."""
    text = f"import os\nos.environ['HERE'] = '1'\nimport good, {name}\ndef f():\n    print({name}.PID == os.getpid(), good.PID == os.getpid())\n"
    (preloading.folder / "steps.py").write_text(text)
    preloading.build("steps:f")

    for _ in range(2):
        assert preloading.build("steps:f")[0].splitlines()[-1] == b"True False"
        assert {top: found.fit for top, found in preloading.preloads.judged.items()} == {"good": True, name: False}


def test_a_module_of_the_project_comes_before_one_of_the_same_name(preloading: Preloading):
    (preloading.folder / "steps.py").write_text("import good\ndef f():\n    print(good.__file__)\n")
    preloading.build("steps:f")
    (preloading.folder / "good.py").write_text("")

    assert preloading.build("steps:f") == [f"{preloading.folder}/good.py\n".encode()]
    assert preloading.preloads.modules == {"steps": ()}


def test_modules_of_the_project_are_never_among_them(preloading: Preloading):
    (preloading.folder / "steps.py").write_text("import helper, json\ndef f():\n    pass\n")
    (preloading.folder / "helper.py").write_text("import good\n")
    preloading.build("steps:f")

    assert preloading.preloads.names() == ["good"]


def test_stages_with_another_environment_have_none(preloading: Preloading):
    """A library may have read a variable that such a stage sets."""
    (preloading.folder / "steps.py").write_text("import os, good\ndef f():\n    print(good.PID == os.getpid())\n")
    preloading.build("steps:f")
    workers = Workers(preloading.folder)
    workers.executor.close()
    workers.executor = ProcessExecutor(preloads=preloading.preloads)
    found = [workers.run("steps:f").output]
    workers.env = {**workers.env, "OMP_NUM_THREADS": "1"}
    found.append(workers.run("steps:f").output)
    workers.env.pop("OMP_NUM_THREADS")
    workers.resources = {"gpu": 1}
    found.append(workers.run("steps:f").output)
    workers.executor.close()

    assert found == [b"False\n", b"True\n", b"True\n"]


def test_another_version_of_a_library_is_tried_anew(preloading: Preloading, tmp_path: Path):
    (preloading.folder / "steps.py").write_text("import os, threads\ndef f():\n    print(threads.PID == os.getpid())\n")
    assert [preloading.build("steps:f") for _ in range(2)] == [[b"True\n"]] * 2
    (tmp_path / "lib" / "site-packages" / "threads.py").write_text("import os\nPID = os.getpid()\n")

    assert preloading.build("steps:f") == [b"False\n"]


def test_the_file_says_what_was_learnt_and_nothing_when_it_is_damaged():
    made = Preloads()
    made.learn("steps", ["pandas"])
    made.judge({"pandas": (("pandas",), "/x/pandas/__init__.py", 5, 7, True), "unused": (("unused",), "/x", 1, 1, True)})
    data = made.dump()
    again = Preloads.parse(data)

    assert (again.modules, again.judged) == ({"steps": ("pandas",)}, {"pandas": made.judged["pandas"]})
    assert made.changed
    assert not again.changed
    for damaged in (b"", data[:-1], data[:40], data.replace(b"pandas", b"pandaz"), b"\xff" + data, b"[" * 100_000):
        assert Preloads.parse(damaged).modules == {}
