"""Each option of the command line, once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from pipefile.cli.request import Request

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


def _request(context: click.Context) -> Request:
    found = context.find_object(Request)
    assert found is not None
    return found


def _set_directory(context: click.Context, _: click.Parameter, value: tuple[str, ...]) -> None:
    _request(context).directories.extend(value)


def _set_file(context: click.Context, _: click.Parameter, value: str | None) -> None:
    if value is not None:
        _request(context).file = value


def _set_verbose(context: click.Context, _: click.Parameter, value: int) -> None:
    if value:
        _request(context).verbosity = max(_request(context).verbosity, 0) + value


def _set_quiet(context: click.Context, _: click.Parameter, value: bool) -> None:
    if value:
        _request(context).verbosity = -1


def _set_color(context: click.Context, _: click.Parameter, value: str | None) -> None:
    if value is not None:
        _request(context).color = value


def _set_marks(context: click.Context, _: click.Parameter, value: bool) -> None:
    if value:
        _request(context).marks = False


def _set_profile(context: click.Context, _: click.Parameter, value: str | None) -> None:
    if value is not None:
        _request(context).profile = value


def _add_sets(context: click.Context, _: click.Parameter, value: tuple[str, ...]) -> None:
    _request(context).sets.extend(value)


_GLOBAL = (
    click.option("-C", "directory", metavar="DIR", multiple=True, expose_value=False, callback=_set_directory, help="Stand in DIR first."),
    click.option("-f", "--file", metavar="FILE", expose_value=False, callback=_set_file, help="Use this Pipefile instead of looking for one."),
    click.option("-v", "--verbose", count=True, expose_value=False, callback=_set_verbose, help="Show fresh stages and commands too."),
    click.option("-q", "--quiet", is_flag=True, expose_value=False, callback=_set_quiet, help="Show failures and errors only."),
    click.option(
        "--color",
        type=click.Choice(["auto", "always", "never"]),
        expose_value=False,
        callback=_set_color,
        help="Colours; auto heeds NO_COLOR and FORCE_COLOR.",
    ),
    click.option(
        "--no-github", is_flag=True, expose_value=False, callback=_set_marks, help="On GitHub Actions: no groups, annotations and summary."
    ),
)


def global_options(function: Decorated) -> Decorated:
    """The options that stand before the command, and may stand after it as well."""
    for option in reversed(_GLOBAL):
        function = option(function)
    return function


_OVERLAY = (
    click.option("--profile", metavar="NAME", expose_value=False, callback=_set_profile, help="Lay `[profile.NAME]` over the Pipefile."),
    click.option("--set", metavar="KEY=VALUE", multiple=True, expose_value=False, callback=_add_sets, help="Set a value: `global.KEY=VALUE`."),
)


def overlay(function: Decorated) -> Decorated:
    """The options of every command that looks at the graph: what is laid over the Pipefile."""
    for option in reversed(_OVERLAY):
        function = option(function)
    return function


targets = click.argument("targets", metavar="[TARGET]...", nargs=-1)
target = click.argument("target", metavar="TARGET")

jobs = click.option("-j", "--jobs", metavar="N", type=click.IntRange(min=1), help="Run N stages at once; default: the CPUs this process may use.")
keep_going = click.option("-k", "--keep-going", is_flag=True, help="After a failure, go on with what does not need the failed stage.")
dry_run = click.option("-n", "--dry-run", is_flag=True, help="Say what would be done, change nothing.")
force = click.option("-B", "--force", is_flag=True, help="Run everything, fresh or not.")
load = click.option("-l", "--load", metavar="LOAD", type=click.FloatRange(min=0, min_open=True), help="Start nothing while the load is LOAD or more.")
why = click.option("--why", is_flag=True, help="Print why each stage runs.")
strict = click.option("--strict", is_flag=True, help="Warnings make the exit status 1.")
schedule = click.option(
    "--schedule", type=click.Choice(["eager", "waves"]), default="eager", help="Start stages as soon as they can, or wave by wave."
)
mode = click.option(
    "--mode", type=click.Choice(["auto", "function", "process"]), help="Where Python functions run, whatever their stages say."
)
from_stage = click.option(
    "--from", "from_stage", metavar="STAGE", default="", help="Run STAGE and all below; put back what is above as it was in an earlier run."
)
reuse_run = click.option("--reuse-run", metavar="RUN", default="", help="With --from: which run; default: the latest.")
no_cache = click.option("--no-cache", is_flag=True, help="Restore no earlier results, and keep none.")
allow_removal = click.option(
    "--allow-removal", is_flag=True, help="Go on although a `for_each` has lost most of its items, and remove what they made."
)
debug = click.option("--pdb", "debug", metavar="STAGE", default="", help="Run what STAGE needs, then STAGE alone in the debugger.")
no_wait = click.option("--no-wait", is_flag=True, help="Do not wait for another build here: exit with status 4.")
as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
junit = click.option("--junit", metavar="FILE", default="", help="Write a report in JUnit's XML, however the build ends.")
on_busy = click.option(
    "--on-busy", type=click.Choice(["queue", "restart"]), default="queue", help="What a change does while a build runs: wait for its end, or end it."
)
debounce = click.option(
    "--debounce", metavar="MS", type=click.IntRange(min=0, max=60_000), default=50, help="Wait for MS milliseconds without a change; default: 50."
)
poll = click.option("--poll", is_flag=True, help="Look at the files now and then instead of waiting for the system to tell.")
check = click.option("--check", is_flag=True, help="Exit with status 1 if anything is stale.")
with_status = click.option("--status", "with_status", is_flag=True, help="Also tell what is stale, which costs hashing.")
graph_format = click.option("--format", "graph_format", type=click.Choice(["text", "dot", "json"]), default="text", help="How to print the graph.")
waves = click.option("--waves", is_flag=True, help="Group stages by wave: by their longest distance from a source.")
dead = click.option("--dead", is_flag=True, help="Remove outputs of stages that are gone.")
all_of_it = click.option("--all", "everything", is_flag=True, help="Remove all of it.")
reason = click.option("--reason", metavar="TEXT", help="Why the outputs are right as they stand.")
