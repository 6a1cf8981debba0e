"""`pipefile check`: find faults without running anything."""

from __future__ import annotations

import click

from pipefile.base.commands import COMMANDS
from pipefile.cli import options
from pipefile.cli.request import Request


@click.command("check", short_help=COMMANDS["check"])
@options.strict
@options.overlay
@options.global_options
@click.pass_obj
def command(request: Request, strict: bool) -> int:
    """Find faults without running anything: inputs nobody makes, outputs whose places are taken, stages that need more than this machine has, unused
    ones, and what stages read and wrote undeclared when they last ran."""
    from pipefile.cli.cpus import default_jobs
    from pipefile.engine.check import check
    from pipefile.engine.session import Session
    from pipefile.model.options import Options
    from pipefile.report.words import counts

    warnings = 0

    def warn(text: str) -> None:
        nonlocal warnings
        warnings += 1
        request.warn(text)

    session = Session(request.project, request.environ, warn, note=request.note)
    found = check(session, Options(jobs=default_jobs(request.environ), environ=request.environ))
    faults = 0
    for finding in found:
        if finding.fault:
            faults += 1
            request.show_error(finding.error)
        else:
            warn(str(finding.error).removeprefix("error: "))
    if request.verbosity >= 0:
        totals = counts((faults, "fault" if faults == 1 else "faults"), (warnings, "warning" if warnings == 1 else "warnings"))
        number = len(session.graph.edges)
        request.out.write(f"{number} stage{'' if number == 1 else 's'}: {totals or 'no faults'}\n")
    return 1 if faults or (strict and warnings) else 0
