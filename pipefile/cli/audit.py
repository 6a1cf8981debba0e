"""`pipefile audit`: what one stage reads and writes, beside what it declares."""

from __future__ import annotations

import click

from pipefile.base.commands import COMMANDS
from pipefile.cli import options
from pipefile.cli.request import Request


@click.command("audit", short_help=COMMANDS["audit"])
@click.argument("stage", metavar="STAGE")
@options.jobs
@options.no_wait
@options.as_json
@options.overlay
@options.global_options
@click.pass_obj
def command(request: Request, stage: str, jobs: int | None, no_wait: bool, as_json: bool) -> int:
    """Build what STAGE needs, then run STAGE under strace, fresh or not, and tell which files it reads and writes beyond its declaration. Its outputs
    count as those of any build. The exit status is 1 if something is undeclared."""
    from pipefile.cli.building import run_options
    from pipefile.cli.cpus import default_jobs
    from pipefile.model.options import Options

    wanted = Options(
        jobs=jobs or default_jobs(request.environ),
        wait=not no_wait,
        environ=request.environ,
        command=request.command,
        verbose=request.verbosity,
        color=(request.err if as_json else request.out).color,
        trace=stage,
    )
    return run_options(request, wanted, as_json)
