"""`pipefile cache`: the results that are kept for later."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from pipefile.base.commands import COMMANDS
from pipefile.cli import options
from pipefile.cli.request import Request

if TYPE_CHECKING:
    from pipefile.model.stage import Settings
    from pipefile.store.upkeep import Upkeep


@click.group("cache", short_help=COMMANDS["cache"])
@options.global_options
def command() -> None:
    """Look after the results that are kept for later. All of it may be removed: what is not there has to run again."""


@command.command("stats", short_help="Tell what is in the cache.")
@options.as_json
@options.global_options
@click.pass_obj
def stats_(request: Request, as_json: bool) -> int:
    """Tell how much is in the cache."""
    from pipefile.engine.locked import settings_of
    from pipefile.report.words import size
    from pipefile.store.upkeep import Upkeep

    settings = settings_of(request.project, request.environ)
    found = Upkeep(request.project.disk, settings.store).stats()
    if as_json:
        import json

        fields = {"results": found.results, "keys": found.keys, "files": found.blobs, "bytes": found.size, "limit": settings.cache_size}
        request.out.write(json.dumps({"format": 1, **fields}) + "\n")
        return 0
    files = f", {_count(found.blobs, 'file')} beside them" if found.blobs else ""
    what = f"{_count(found.results, 'result')} of {_count(found.keys, 'key')}" if found.results else "no results"
    request.out.write(f"{what}{files}: {size(found.size)} of {size(settings.cache_size)}\n")
    return 0


@command.command("gc", short_help="Remove what is above the size.")
@options.all_of_it
@options.no_wait
@options.global_options
@click.pass_obj
def gc_(request: Request, everything: bool, no_wait: bool) -> int:
    """Remove what was least recently used until the rest is no larger than `cache_size`, and what no result needs."""
    from pipefile.report.words import size

    with _held(request, no_wait) as (upkeep, settings, counted):
        found = upkeep.trim(0 if everything else settings.cache_size)
        counted(found.left)
    if request.verbosity >= 0:
        removed = f"removed the results of {_count(found.keys, 'key')} and {_count(found.blobs, 'file')}, {size(found.freed)}"
        text = removed if found.keys or found.blobs else "nothing to remove"
        request.out.write(f"{text}; {size(found.left)} are left\n")
    return 0


@command.command("verify", short_help="Read all of the cache, and remove what is damaged.")
@options.no_wait
@options.global_options
@click.pass_obj
def verify_(request: Request, no_wait: bool) -> int:
    """Read all of the cache, and remove what is damaged. Exits with status 1 if anything was."""
    from pipefile.store.upkeep import describe

    with _held(request, no_wait) as (upkeep, _, counted):
        found = upkeep.verify()
        counted(upkeep.stats().size)
    for each in found.damaged:
        request.warn(describe(each))
    if request.verbosity >= 0:
        request.out.write(f"{_count(found.results, 'result')} and {_count(found.blobs, 'file')} are whole\n")
    return 1 if found.damaged else 0


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


@contextmanager
def _held(request: Request, no_wait: bool) -> Iterator[tuple[Upkeep, Settings, Callable[[int], None]]]:
    """The cache, while nobody else changes it; and what has to be told its size afterwards."""
    from pipefile.engine.locked import locked_store
    from pipefile.model.options import Options
    from pipefile.store.cache import write_size
    from pipefile.store.upkeep import Upkeep

    disk = request.project.disk
    wanted = Options(wait=not no_wait, environ=request.environ, command=request.command)
    with locked_store(request.project, wanted, request.waiting) as settings:
        yield Upkeep(disk, settings.store), settings, lambda size: write_size(disk, settings.store, size)
