"""`pipefile init`: a Pipefile.toml to start from, which builds as it is."""

from __future__ import annotations

import os

import click

from pipefile.base.errors import UsageError
from pipefile.base.paths import show
from pipefile.cli import options
from pipefile.cli.request import Request

TEMPLATE = """\
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


@click.command("init", short_help="Write a Pipefile.toml to start from.")
@options.global_options
@click.pass_obj
def command(request: Request) -> int:
    """Write a small Pipefile.toml that builds, with comments. An existing one is left alone."""
    name = request.file or "Pipefile.toml"
    path = os.path.join(request.cwd, name)
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
    except FileExistsError:
        raise UsageError(f"`{show(name)}` exists already") from None
    except (FileNotFoundError, NotADirectoryError):
        raise UsageError(f"the folder of `{show(name)}` does not exist") from None
    with open(fd, "wb") as file:
        file.write(TEMPLATE.encode())
    if request.verbosity >= 0:
        request.out.write(f"wrote {show(name)}; `pipefile` builds it, `pipefile list` shows its stages\n")
    return 0
