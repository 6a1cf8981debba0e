"""What the cgroups (version 2) around this process grant."""

from __future__ import annotations

from collections.abc import Callable

CGROUPS = "/sys/fs/cgroup"
MEMBERSHIP = "/proc/self/cgroup"


def least(name: str, parse: Callable[[str], int | None], cgroups: str = CGROUPS, membership: str = MEMBERSHIP) -> int | None:
    """The smallest bound that the groups around us set, each of which holds; None for none.

    Args:
        name: Which file of a group says it, "cpu.max" for example.
        parse: Reads its text; None for no bound. A ValueError counts as none.
        cgroups: Where the cgroup tree is mounted.
        membership: The file that says which cgroup we are in.
    """
    try:
        with open(membership, encoding="utf-8", errors="surrogateescape") as lines:
            own = next((line[3:].rstrip("\n") for line in lines if line.startswith("0::")), None)
    except OSError:
        return None
    if own is None:
        return None
    found = []
    folder = own.rstrip("/")
    while True:
        try:
            with open(f"{cgroups}{folder}/{name}", encoding="ascii") as file:
                found.append(parse(file.read()))
        except (OSError, ValueError):
            pass
        if not folder:
            return min([bound for bound in found if bound is not None], default=None)
        folder = folder.rpartition("/")[0]
