"""`pipefile init`: a Pipefile.toml to start from, which builds as it is."""

from __future__ import annotations

import os

import click

from pipefile.base.commands import COMMANDS
from pipefile.base.errors import UsageError
from pipefile.base.paths import show
from pipefile.cli import options
from pipefile.cli.request import Request

TEMPLATE = """\
#:schema ./.pipefile.schema.json
# What this project makes, and how. `pipefile` builds what is stale, `pipefile list` shows the stages,
# `pipefile why shout` tells why one is stale, `pipefile clean` removes what was made.

[global]
greeting = "hello"            # values that stages can use; a stage that names one is stale when it changes

[stage.greet]
description = "Writes a greeting"
outputs = ["build/greeting.txt"]
run     = "echo {global.greeting} > {outputs}"

[stage.shout]
description = "The greeting in capitals"
inputs  = ["build/greeting.txt"]      # made by `greet`, so that comes first; sources are named in the same way
outputs = ["build/loud.txt"]
run     = "tr a-z A-Z < {inputs} > {outputs}"
"""


SCHEMA = ".pipefile.schema.json"

IGNORED = ("pipeline_outputs/", ".pipefile.lock", ".pipefile-tmp/", ".*.hash")
"""What pipefile makes besides outputs: the store, the lock, temporary outputs, records."""


@click.command("init", short_help=COMMANDS["init"])
@options.global_options
@click.pass_obj
def command(request: Request) -> int:
    """Write a small Pipefile.toml that builds, with comments, and beside it the schema that editors complete it by. An existing one is left alone.
    In a work tree of git, .gitignore is told what pipefile makes besides outputs.
    """
    from pipefile.editor.place import read, replace
    from pipefile.editor.schema import text

    name = request.file or "Pipefile.toml"
    path = os.path.join(request.cwd, name)
    folder = os.path.dirname(path)
    old = read(folder, ".gitignore")
    read(folder, SCHEMA)  # a link in its place is refused before anything is written
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
    except FileExistsError:
        raise UsageError(f"`{show(name)}` exists already") from None
    except (FileNotFoundError, NotADirectoryError):
        raise UsageError(f"the folder of `{show(name)}` does not exist") from None
    with open(fd, "wb") as file:
        file.write(TEMPLATE.encode())
    said = [f"wrote {show(name)}; `pipefile` builds it, `pipefile list` shows its stages"]
    if replace(folder, SCHEMA, text().encode()):
        said.append(f"wrote {SCHEMA}, which editors check and complete {show(os.path.basename(name))} by")
    if old is not None or in_work_tree(folder):
        joined, added = ignoring(old or b"")
        if added:
            replace(folder, ".gitignore", joined)
            said.append(f"added to .gitignore: {' '.join(added)}")
        else:
            said.append("unchanged: .gitignore has all that pipefile makes besides outputs")
    if request.verbosity >= 0:
        request.out.write("".join(f"{line}\n" for line in said))
    return 0


def in_work_tree(folder: str) -> bool:
    """Whether *folder*, an absolute path, lies in a work tree of git."""
    while not os.path.exists(os.path.join(folder, ".git")):
        above = os.path.dirname(folder)
        if above == folder:
            return False
        folder = above
    return True


def ignoring(old: bytes) -> tuple[bytes, list[str]]:
    """A .gitignore with a line for all of IGNORED, and which of them were added to what it was."""
    there = {line.strip().lstrip(b"/").rstrip(b"/") for line in old.split(b"\n")}
    added = [each for each in IGNORED if each.rstrip("/").encode() not in there]
    if not added:
        return old, []
    newline = b"\r\n" if b"\r\n" in old else b"\n"
    lines = [b"# what pipefile makes besides outputs", *[each.encode() for each in added]]
    between = b"" if not old or old.endswith(b"\n") else newline
    return old + between + newline.join(lines) + newline, added
