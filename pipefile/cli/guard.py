"""Whatever goes wrong in a command becomes an exit status, and words on standard error."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable

from pipefile.base.errors import PipefileError, StoreError
from pipefile.base.paths import show
from pipefile.cli.request import Request, drop_python_streams

# What the machine refuses is neither the user's mistake nor a bug.
_MACHINE = frozenset(
    getattr(errno, name) for name in ("ENOSPC", "EDQUOT", "EROFS", "EIO", "EMFILE", "ENFILE", "ENOMEM", "EACCES", "EPERM", "EFBIG", "EAGAIN")
)


def guarded(request: Request, action: Callable[[], int]) -> int:
    """Run an action, and bring out what it has said.

    Returns:
        The exit status: the action's own, or what its error means. Nothing is raised.
    """
    try:
        status = _caught(request, action)
    except KeyboardInterrupt:
        status = 130
    request.out.flush()
    request.err.flush()
    fault = drop_python_streams() or request.out.fault
    if fault in (None, errno.EPIPE, errno.EBADF) or status:
        return status
    request.err.write(f"error: standard output cannot be written: {os.strerror(fault).lower()}\n")
    request.err.flush()
    return 1


def _caught(request: Request, action: Callable[[], int]) -> int:
    try:
        return action()
    except PipefileError as error:
        request.show_error(error)
        return error.exit_status
    except BrokenPipeError:
        return 0
    except OSError as error:
        if error.errno is None or error.errno not in _MACHINE:
            return _bug(request)
        subject = f"`{show(os.fsdecode(error.filename))}`: " if isinstance(error.filename, str | bytes) else ""
        request.show_error(StoreError(f"{subject}{os.strerror(error.errno).lower()}"))
        return 1
    except Exception:
        return _bug(request)


def _bug(request: Request) -> int:
    import traceback

    from pipefile import __version__

    request.out.flush()
    request.err.write("".join(show(line) + "\n" for line in traceback.format_exc().splitlines()))
    request.err.write(f"error: this is a bug in pipefile {__version__}\n")
    request.err.flush()
    return 3
