"""`pipefile clean`: remove outputs and their records."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from pipefile.base.commands import COMMANDS
from pipefile.base.errors import UsageError
from pipefile.cli import options
from pipefile.cli.request import Request

if TYPE_CHECKING:
    from pipefile.engine.clean import Cleaned
    from pipefile.engine.session import Session


@click.command("clean", short_help=COMMANDS["clean"])
@options.targets
@options.dead
@options.dry_run
@options.no_wait
@options.overlay
@options.global_options
@click.pass_obj
def command(request: Request, targets: tuple[str, ...], dead: bool, dry_run: bool, no_wait: bool) -> int:
    """Remove the outputs of each TARGET's stages, or of all stages, with their records. Sources are never touched."""
    from pipefile.cli.targets import resolve
    from pipefile.engine.clean import look
    from pipefile.engine.locked import locked
    from pipefile.model.options import Options

    if dead and targets:
        raise UsageError("`--dead` takes no targets: it is about stages that are gone")
    names = resolve(request, targets)

    def session() -> Session:
        return look(request.project, request.environ, request.warn, request.note, names)

    if dry_run:
        return _clean(request, session(), names, dead, dry=True)
    options_ = Options(targets=names, wait=not no_wait, environ=request.environ, command=request.command)
    with locked(request.project, options_, request.warn, request.waiting, look=session) as found:
        return _clean(request, found, names, dead, dry=False)


def _clean(request: Request, session: Session, names: tuple[str, ...], dead: bool, dry: bool) -> int:
    from pipefile.engine.clean import Cleaner

    cleaner = Cleaner(session, dry)
    _print(request, cleaner.dead() if dead else cleaner.outputs(names), dry)
    return 0


def _print(request: Request, cleaned: Cleaned, dry: bool) -> None:
    from pipefile.base.paths import show

    for path, why in cleaned.kept:
        request.warn(f"`{show(path)}` is kept: it {why}")
    if request.verbosity < 0:
        return
    for path in cleaned.removed:
        request.out.write(f"{'would remove' if dry else 'removed'} {show(path)}\n")
    if not cleaned.removed and cleaned.records:  # of temporary outputs, or of stages without any
        count = "1 record" if cleaned.records == 1 else f"{cleaned.records} records"
        request.out.write(f"{'would remove' if dry else 'removed'} {count}, and no outputs\n")
    elif not cleaned.removed:
        request.out.write("nothing to remove\n")
