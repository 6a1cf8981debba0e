"""The lines that a watch says by itself. Editors know the first words of two of them: where a round begins, and where it has ended."""

from __future__ import annotations

from collections.abc import Sequence

from pipefile.base.paths import show
from pipefile.watch.inotify import Limit

_NAMED = 3


def started(changed: Sequence[str] | None) -> str:
    """`pipefile: build started (4 changed: a, b, c, ...)`.

    Args:
        changed: Paths that are the reason; None where there is another one.
    """
    if not changed:
        return "pipefile: build started"
    names = [show(path if path != "/" else "./") for path in changed[:_NAMED]]
    return f"pipefile: build started ({len(changed)} changed: {', '.join(names)}{', ...' if len(changed) > _NAMED else ''})"


def finished(failed: int, ok: int, skipped: int, seconds: float) -> str:
    """`pipefile: build finished: 1 failed, 2 ok, 0 skipped in 0.42s`."""
    return f"pipefile: build finished: {failed} failed, {ok} ok, {skipped} skipped in {seconds:.2f}s"


def watching(files: int, folders: int, events: bool, polled: int) -> str:
    """`pipefile: watching 312 files in 41 folders (inotify)`."""
    how = f"events, polling {polled} of them" if events and polled else "inotify" if events else "polling"
    return f"pipefile: watching {files} file{'' if files == 1 else 's'} in {folders} folder{'' if folders == 1 else 's'} ({how})"


def no_more(limit: Limit, needed: int) -> str:
    """What to do about a limit of the system."""
    value = f"{limit.value}" if limit.value else "not known"
    if limit.name.endswith("watches"):
        more = max(524288, 1 << (2 * needed).bit_length())
        what = f"no more folders can be watched: `{limit.name}` is {value}, this project needs {needed}, and other programs share it"
    else:
        more = 1024
        what = f"changes cannot be watched: `{limit.name}` is {value}, and other programs have used it up"
    keep = f"echo {limit.name}={more} | sudo tee /etc/sysctl.d/60-pipefile.conf"
    return f"{what}; files are polled instead\nhint: `sudo sysctl {limit.name}={more}` raises it until the next boot, `{keep}` for good"


def loop(stages: Sequence[str], changed: Sequence[str], rounds: int) -> str:
    """Who keeps the watch going round."""
    who = "stage " + ", ".join(f"`{show(name)}`" for name in stages[:_NAMED]) if stages else "a stage"
    if len(stages) > 1:
        who = "stages " + who.removeprefix("stage ")
    more = ", ..." if len(stages) > _NAMED or len(changed) > _NAMED else ""
    what = ", ".join(f"`{show(path)}`" for path in changed[:_NAMED])
    verb = "changes" if len(stages) < 2 else "change"
    return (
        f"error: {who} {verb} {what}{more}, from which the build begins: stopped after {rounds} rounds\n"
        "hint: the next change between two builds, or `r`, builds again; a file that a stage changes has to be an output"
    )
