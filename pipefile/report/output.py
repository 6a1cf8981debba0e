"""What a stage printed, from its event or its log."""

from __future__ import annotations

import os
from collections.abc import Iterator

from pipefile.model.event import StageFinished

TAIL = 20  # lines of a failed stage's output that are shown with the failure
_TAIL_BYTES = 64 << 10
_CHUNK = 256 << 10


def is_long(event: StageFinished) -> bool:
    """Whether there is more than is shown with a failure."""
    return event.log_size > len(event.output) or event.output.count(b"\n") > TAIL


def log_is_whole(event: StageFinished, root: str) -> bool:
    """Whether all that a stage printed is in its log: a full disk leaves one that is empty."""
    try:
        return bool(event.log) and os.stat(os.path.join(root, event.log)).st_size >= event.log_size
    except OSError:
        return False


def chunks(event: StageFinished, root: str) -> Iterator[bytes]:
    """All that a stage printed: from memory where that is all of it, else from its log."""
    if event.log_size <= len(event.output) or not event.log:
        yield event.output
        return
    try:
        fd = os.open(os.path.join(root, event.log), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:  # removed meanwhile: what is in memory is better than nothing
        yield event.output
        return
    with open(fd, "rb", buffering=0) as log:
        while chunk := log.read(_CHUNK):
            yield chunk


def tail(event: StageFinished, root: str, color: bool) -> tuple[list[str], bool]:
    """The last lines that a stage printed, safe to show, each with its line feed; and whether there were more.

    Args:
        event: Its end.
        root: Where its log is found.
        color: Let colours pass.
    """
    from pipefile.report.neutral import neutral_lines

    data = event.output
    cut = False
    if event.log and (not data or event.log_size > len(data)):
        try:
            fd = os.open(os.path.join(root, event.log), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
            with open(fd, "rb") as log:
                size = log.seek(0, os.SEEK_END)
                log.seek(max(0, size - _TAIL_BYTES))
                found = log.read(_TAIL_BYTES)
                data, cut = found or data, size > _TAIL_BYTES
        except OSError:
            pass
    raw = data.split(b"\n")
    if raw[-1] == b"":
        raw.pop()
    if cut and len(raw) > 1:
        del raw[0]  # the first one is only the end of a line
    cut = cut or len(raw) > TAIL
    return list(neutral_lines([b"\n".join(raw[-TAIL:])], color)), cut
