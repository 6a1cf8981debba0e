"""What is asked of running processes: signals to their group, who holds a pipe, how large we are."""

from __future__ import annotations

import os
import signal


def signal_group(pid: int, number: int) -> None:
    try:
        os.killpg(pid, number)
        if number != signal.SIGKILL:
            os.killpg(pid, signal.SIGCONT)  # a stopped process takes no signal but this one and SIGKILL
    except (ProcessLookupError, PermissionError):
        pass


def group_is_gone(pid: int) -> bool:
    """Whether no process of the group runs any more. Zombies do not count: in a container they can wait long for a first process that reaps them."""
    try:
        os.killpg(pid, 0)
    except (ProcessLookupError, PermissionError):  # macOS says the latter of zombies
        return True
    try:
        names = os.listdir("/proc")
    except OSError:
        return False
    return "self" in names and not any(name.isdigit() and _runs_in(name, pid) for name in names)


def _runs_in(process: str, group: int) -> bool:
    try:
        with open(f"/proc/{process}/stat", "rb") as file:
            state, _, its_group = file.read().rpartition(b")")[2].split()[:3]
    except OSError:
        return False
    return int(its_group) == group and state not in (b"Z", b"X")


def writers(pipe: int) -> list[int]:
    """Processes that hold the other end of a pipe, where /proc tells."""
    link = f"pipe:[{os.fstat(pipe).st_ino}]"
    found = []
    own = os.getpid()
    try:
        pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    except OSError:
        return []
    for pid in pids:
        if pid == own:
            continue
        try:
            for fd in os.listdir(f"/proc/{pid}/fd"):
                if os.readlink(f"/proc/{pid}/fd/{fd}") == link and _is_write_end(pid, fd):
                    found.append(pid)
                    break
        except OSError:  # gone meanwhile, or another user's
            continue
    return found


def _is_write_end(pid: int, fd: str) -> bool:
    with open(f"/proc/{pid}/fdinfo/{fd}") as lines:
        for line in lines:
            if line.startswith("flags:"):
                return int(line[6:], 8) & os.O_ACCMODE == os.O_WRONLY
    return False


def own_peak_kib() -> int:
    try:
        with open("/proc/self/status") as lines:
            for line in lines:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1])
    except OSError:
        pass
    return 0


def signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
