"""`pipefile build`: make the targets, or the default set, up to date."""

from __future__ import annotations

from typing import Unpack

import click

from pipefile.base.commands import COMMANDS
from pipefile.cli import options
from pipefile.cli.building import Given, run
from pipefile.cli.request import Request


@click.command("build", short_help=COMMANDS["build"])
@options.targets
@options.jobs
@options.keep_going
@options.dry_run
@options.force
@options.load
@options.why
@options.strict
@options.schedule
@options.mode
@options.from_stage
@options.reuse_run
@options.no_cache
@options.allow_removal
@options.debug
@options.no_wait
@options.as_json
@options.junit
@options.overlay
@options.global_options
@click.pass_obj
def command(request: Request, **given: Unpack[Given]) -> int:
    """Build what is stale of each TARGET: a file, a folder, a stage or an alias; the default set if none is named."""
    return run(request, given)
