"""`pipefile schema`, and what editors make of it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from typing import Any

import pytest
from kit import Project

TOMBI = os.path.join(os.path.dirname(sys.executable), "tombi")
TAPLO = shutil.which("taplo", path=os.path.dirname(sys.executable)) or shutil.which("taplo")
LINE = "#:schema ./.pipefile.schema.json\n"

GOOD = (
    LINE
    + """
[pipefile]
default = ["report"]
keep_runs = 5
cache_size = "0"

[global]
width = 640
nested = { a = [1, 2.5, "x"] }

[resources]
gpu = "auto"
memory = "4GB"
license = 2

[alias]
all = ["report", "thumbs/all of them"]
one = "report"

[stage.report]
inputs = [{ path = "raw.csv", optional = true }, "style.css"]
outputs = { page = "report.html", pictures = ["a/", { path = "b.png", cache = false, atomic = false }], log = { path = "l", temp = true } }
run = "make-report {outputs}"
env = { LANG = "C" }
retry_policy = { max_attempts = 3, delay = "1.5s", retry_on = ["timeout", 7] }
should_run = { env = "CI" }
resources = { cpu = 2, memory = "1GB", license = 1 }
timeout = "10m"
cache = "auto"

[stage."thumbs/all of them"]
call = "steps:thumbs"
mode = "process"
cache = false
"""
)

BAD = (
    LINE
    + """
[pipefile]
hash = "md5"

[stage.a]
inptus = ["x"]
outputs = [{ checkpoint = true }]
run = 5
timeout = "10 parsecs"
resources = { cpu = 0 }

[stages.b]
run = "x"
"""
)
LINES = {4, 7, 8, 9, 10, 11, 13}
"""Of BAD: all that are wrong."""


@pytest.fixture
def tree(project: Project) -> Project:
    """A project with the schema beside its Pipefile."""
    assert project.cli("schema", "-o", ".pipefile.schema.json").out == "wrote .pipefile.schema.json\n"
    project.write("good.toml", GOOD)
    project.write("bad.toml", BAD)
    return project


def run(project: Project, *argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        argv, cwd=project.root, env={**project.environ, "NO_COLOR": "1", "TERM": "dumb"}, capture_output=True, text=True, timeout=60, check=False
    )


def test_it_is_printed(project: Project) -> None:
    """To standard output, without a Pipefile; a copy is the same, and is not written twice."""
    printed = project.cli("schema")
    assert (printed.err, printed.exit_status) == ("", 0)
    assert json.loads(printed.out)["$schema"] == "http://json-schema.org/draft-07/schema#"
    assert project.cli("schema", "-o", "s.json").out == "wrote s.json\n"
    assert project.read("s.json") == printed.out
    assert project.cli("schema", "-o", "s.json").out == "unchanged: s.json\n"


def test_tombi_takes_what_is_right(tree: Project) -> None:
    """The loader does too, or it would prove nothing."""
    assert run(tree, TOMBI, "lint", "--offline", "good.toml").returncode == 0
    assert tree.cli("-f", "good.toml", "list").exit_status == 0


def test_tombi_finds_each_fault(tree: Project) -> None:
    """Each at its line."""
    done = run(tree, TOMBI, "lint", "--offline", "bad.toml")
    assert done.returncode == 1
    assert {int(line) for line in re.findall(r"bad\.toml:(\d+):", done.stdout + done.stderr)} == LINES


@pytest.mark.skipif(TAPLO is None, reason="taplo is not there for this machine")
def test_taplo_finds_each_fault(tree: Project) -> None:
    """Taplo is behind Even Better TOML and several other editors. It repeats some faults for the parts of a table."""
    assert TAPLO is not None
    assert run(tree, TAPLO, "lint", "good.toml").returncode == 0
    done = run(tree, TAPLO, "lint", "bad.toml")
    assert done.returncode == 1
    assert LINES - {8, 13} <= {int(line) for line in re.findall(r"bad\.toml:(\d+):", done.stdout + done.stderr)}
    assert "'stages' was unexpected" in done.stdout + done.stderr
    assert '"path" is a required property' in done.stdout + done.stderr


class Server:
    """A language server, spoken to."""

    def __init__(self, project: Project) -> None:
        self._process = subprocess.Popen(
            [TOMBI, "lsp", "--offline"], cwd=project.root, env=project.environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self._number = 0

    def _send(self, message: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        self._process.stdin.flush()

    def _receive(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        length = 0
        while line := self._process.stdout.readline().strip():
            name, _, value = line.partition(b":")
            length = int(value) if name.lower() == b"content-length" else length
        found: dict[str, Any] = json.loads(self._process.stdout.read(length))
        return found

    def tell(self, method: str, **params: Any) -> None:
        self._send({"method": method, "params": params})

    def ask(self, method: str, **params: Any) -> Any:
        self._number += 1
        self._send({"id": self._number, "method": method, "params": params})
        while True:
            message = self._receive()
            if "method" in message and "id" in message:  # it asks something itself
                self._send({"id": message["id"], "result": None})
            elif message.get("id") == self._number:
                return message.get("result")

    def end(self) -> None:
        self._process.kill()
        self._process.communicate()


def test_an_editor_completes_by_it(tree: Project) -> None:
    """A language server for TOML, as editors start it: keys of a stage with what they mean, and the values of an enumeration."""
    server = Server(tree)
    try:
        server.ask("initialize", processId=None, rootUri=f"file://{tree.root}", capabilities={})
        server.tell("initialized")
        text = LINE + "[pipefile]\nhash = \n\n[stage.a]\n\n"
        uri = f"file://{tree.path('Pipefile.toml')}"
        tree.pipefile(text)
        server.tell("textDocument/didOpen", textDocument={"uri": uri, "languageId": "toml", "version": 1, "text": text})

        def complete(line: int, column: int) -> dict[str, str]:
            found = server.ask("textDocument/completion", textDocument={"uri": uri}, position={"line": line, "character": column})
            items = found["items"] if isinstance(found, dict) else found or []
            return {item["label"]: item.get("detail") or json.dumps(item.get("documentation")) for item in items}

        keys = next(filter(None, (complete(5, 0) for _ in range(1000))), {})  # it reads the schema meanwhile
        assert {"inputs", "outputs", "run", "call", "depfile", "retry_policy"} <= set(keys)
        assert any("What the stage is for" in text for text in keys.values())
        assert {'"blake3"', '"sha256"'} <= set(complete(2, 7))
    finally:
        server.end()
