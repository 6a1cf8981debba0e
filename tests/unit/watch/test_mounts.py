"""Which file systems tell of no changes."""

from __future__ import annotations

import pytest

from pipefile.watch.mounts import Mounts

LINE = "36 35 98:0 / {} rw,noatime master:1 - {} source rw\n"


def table(**mounts: str) -> str:
    return "".join(LINE.format(point.replace("_", "/") or "/", kind.replace("_", ".")) for point, kind in mounts.items())


@pytest.mark.parametrize("kind", ["nfs", "nfs4", "cifs", "9p", "fuse_sshfs", "vboxsf", "drvfs", "virtiofs"])
def test_silent_file_systems(kind: str) -> None:
    """All that lies below their mount point, up to the next one."""
    mounts = Mounts(table(_="ext4", _home_net=kind, _home_net_local="ext4"))
    assert mounts.is_silent("/home/net")
    assert mounts.is_silent("/home/net/a/b")
    assert not mounts.is_silent("/home/network")
    assert not mounts.is_silent("/home/net/local/x")
    assert not mounts.is_silent("/")


@pytest.mark.parametrize("kind", ["ext4", "btrfs", "overlay", "tmpfs", "fuse_bindfs"])
def test_others(kind: str) -> None:
    assert not Mounts(table(_="ext4", _mnt=kind)).is_silent("/mnt/x")


def test_names_with_blanks_and_mounts_over_mounts() -> None:
    """The kernel escapes blanks; of two mounts on one point the later one is seen."""
    mounts = Mounts(table(_="ext4", _my="nfs") + LINE.format("/a\\040b", "cifs") + LINE.format("/my", "ext4"))
    assert mounts.is_silent("/a b/c")
    assert not mounts.is_silent("/my")


def test_no_table() -> None:
    assert not Mounts("").is_silent("/x")
