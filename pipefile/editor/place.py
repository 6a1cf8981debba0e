"""Files of the user's that are written for editors: whole or not at all, and never through a link."""

from __future__ import annotations

import errno
import os
import secrets
import stat as stat_bits

from pipefile.base.errors import StoreError, UsageError
from pipefile.base.paths import show

LARGEST = 4 << 20
"""Bytes of a file of tasks: nobody has written as many."""


def read(root: str, path: str) -> bytes | None:
    """The bytes of a file; None where nothing is.

    Args:
        root: The folder that *path* starts from.
        path: Which file. Shown as it is in errors.

    Raises:
        UsageError: Something else stands there, or a link: what it leads to may be anything.
        StoreError: It cannot be read.
    """
    full = os.path.join(root, path)
    _check_folders(root, path)
    try:
        fd = os.open(full, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise _link(path) from None
        raise _failed(path, "read", error) from None
    with open(fd, "rb") as file:
        seen = os.fstat(fd)
        if not stat_bits.S_ISREG(seen.st_mode):
            raise UsageError(f"`{show(path)}` is no regular file")
        if seen.st_size > LARGEST:
            raise UsageError(f"`{show(path)}` is larger than {LARGEST >> 20} MB")
        try:
            return file.read()
        except OSError as error:
            raise _failed(path, "read", error) from None


def replace(root: str, path: str, data: bytes) -> bool:
    """Put a file in place at once, its folders made. It keeps its mode.

    Returns:
        False if it held *data* already: then nothing is written.

    Raises:
        UsageError: As `read`.
        StoreError: It cannot be written.
    """
    old = read(root, path)
    if old == data:
        return False
    full = os.path.join(root, path)
    folder, name = os.path.split(full)
    temporary = os.path.join(folder, f".{name[:200]}.{secrets.token_hex(4)}")  # `NAME~` is what editors call their backups
    try:
        os.makedirs(folder or ".", exist_ok=True)
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
        try:
            with open(fd, "wb") as file:
                if old is not None:
                    os.fchmod(fd, stat_bits.S_IMODE(os.stat(full).st_mode))
                file.write(data)
            os.rename(temporary, full)
        except BaseException:
            os.unlink(temporary)
            raise
    except OSError as error:
        raise _failed(path, "written", error) from None
    return True


def _check_folders(root: str, path: str) -> None:
    folder = os.path.dirname(path)
    while folder and folder != "/" and not path.startswith("/"):
        if os.path.islink(os.path.join(root, folder)):
            raise _link(folder)
        folder = os.path.dirname(folder)


def _link(path: str) -> UsageError:
    return UsageError(f"`{show(path)}` is a link, and is not written through")


def _failed(path: str, verb: str, error: OSError) -> StoreError:
    return StoreError(f"`{show(path)}` cannot be {verb}: {os.strerror(error.errno or 0).lower()}")
