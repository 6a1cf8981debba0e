"""`pipefile audit STAGE`: what a stage does to the project's files, by strace, and how that compares with its declaration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pipefile.base.errors import UsageError

if TYPE_CHECKING:
    from pipefile.execute.strace import Strace


def strace(environ: Mapping[str, str]) -> Strace:
    """What traces programs here.

    Raises:
        UsageError: There is nothing that does.
    """
    import sys

    from pipefile.execute.strace import Strace

    if sys.platform != "linux":
        raise UsageError("`audit` needs strace, which is for Linux alone", hint="`audit = \"report\"` sees what Python code reads, on every system")
    try:
        return Strace(environ)
    except FileNotFoundError:
        hint = "`apt install strace`, `dnf install strace` or `pacman -S strace`"
        raise UsageError("`audit` needs strace, which is not installed", hint=hint) from None
    except OSError as error:
        hint = "in a container it takes `--cap-add=SYS_PTRACE`; elsewhere see /proc/sys/kernel/yama/ptrace_scope"
        raise UsageError(f"strace cannot trace here: {error.strerror or error}", hint=hint) from None
