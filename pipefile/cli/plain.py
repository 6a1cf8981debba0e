"""A build with a plain command line: targets, -j, -k and -q. Click would cost as much as a small build, and has nothing to do here.

What is plain, engine/fastlane.py says; all else is for cli/main.py, which does the same with the same words.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pipefile.cli.building import Given, run
from pipefile.cli.guard import guarded
from pipefile.cli.request import Request

if TYPE_CHECKING:
    from pipefile.engine.fastlane import Plain, Seen


def main(argv: Sequence[str], plain: Plain, seen: Seen | None) -> int:
    """Build.

    Args:
        argv: The words after the program's name.
        plain: What they mean.
        seen: What a look at the files of this request has found; None where the index could not say which files these are.

    Returns:
        The exit status. Nothing is raised.
    """
    request = Request(tuple(argv), verbosity=-1 if plain.quiet else 0, implied=plain.implied)
    given: Given = {
        "targets": tuple(plain.targets),
        "jobs": plain.jobs,
        "keep_going": plain.keep_going,
        "dry_run": False,
        "force": False,
        "load": None,
        "why": False,
        "strict": False,
        "schedule": "eager",
        "mode": None,
        "debug": "",
        "from_stage": "",
        "reuse_run": "",
        "no_cache": False,
        "allow_removal": False,
        "no_wait": False,
        "as_json": False,
        "junit": "",
    }
    return guarded(request, lambda: run(request, given, lambda: seen))
