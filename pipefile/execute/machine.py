"""What this machine has. Asked only where a stage needs it: the answers cost a look at files, or a program's start."""

from __future__ import annotations

import os
from collections.abc import Mapping

from pipefile.base.cgroup import CGROUPS, MEMBERSHIP, least

VISIBLE = "CUDA_VISIBLE_DEVICES"


def memory(cgroups: str = CGROUPS, membership: str = MEMBERSHIP) -> int:
    """Bytes of memory that this process may use together with others: the machine's, or less where a cgroup grants less.

    Args:
        cgroups, membership: As base/cgroup.py has them.
    """
    there = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    granted = least("memory.max", lambda text: None if text.strip() == "max" else int(text), cgroups, membership)
    return there if granted is None else min(there, granted)


def gpus(environ: Mapping[str, str], count: int | None) -> tuple[str, ...]:
    """What the GPUs for stages are called in CUDA_VISIBLE_DEVICES.

    Args:
        environ: The environment: where it names GPUs already, there are no others.
        count: How many the Pipefile says there are; None to count them.
    """
    visible = environ.get(VISIBLE)
    if visible is not None:
        names = [name.strip() for name in visible.split(",")]
        there = tuple(dict.fromkeys([name for name in names if name and name != "-1"]))
    elif count is not None:
        there = tuple([str(number) for number in range(count)])
    else:
        there = _counted(environ)
    return there if count is None else there[:count]


def _counted(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Numbers of the GPUs that nvidia-smi knows of; none where there is no such program, or it fails."""
    import subprocess

    argv = ("nvidia-smi", "--query-gpu=index", "--format=csv,noheader")
    try:
        told = subprocess.run(argv, env=dict(environ), stdin=subprocess.DEVNULL, capture_output=True, timeout=30, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return ()
    return tuple([line.strip() for line in told.decode("ascii", "replace").splitlines() if line.strip().isdecimal()])
