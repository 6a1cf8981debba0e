"""How many CPUs this process may use: the default of `-j`."""

from __future__ import annotations

import os
from collections.abc import Mapping

from pipefile.base.cgroup import CGROUPS, MEMBERSHIP, least


def default_jobs(environ: Mapping[str, str]) -> int:
    """How many stages run at once where nobody says so: as many as the make above allows, else the CPUs that this process may use.

    A jobserver that MAKEFLAGS names, but that is not open here, allows one, as to a make.
    """
    if "jobserver" in environ.get("MAKEFLAGS", ""):
        from pipefile.execute.jobserver import is_open
        from pipefile.plan.makeflags import jobserver

        found = jobserver(environ)
        if found is not None:
            return (found.jobs or available_cpus()) if is_open(found) else 1
    return available_cpus()


def available_cpus(cgroups: str = CGROUPS, membership: str = MEMBERSHIP) -> int:
    """The CPUs of our affinity, or fewer where a cgroup (version 2) grants less time than that.

    Args:
        cgroups: Where the cgroup tree is mounted.
        membership: The file that says which cgroup we are in.
    """
    try:
        count = len(os.sched_getaffinity(0))
    except (AttributeError, OSError):  # not Linux
        count = os.cpu_count() or 1
    quota = least("cpu.max", _quota, cgroups, membership)
    return max(1, count if quota is None else min(count, quota))


def _quota(text: str) -> int | None:
    """Rounded up, from what a cpu.max file says, as in `150000 100000` or `max 100000`."""
    quota, period = text.split()
    return None if quota == "max" or period == "0" else max(1, -(-int(quota) // int(period)))
