"""The real disk. Everything that the engine and the store do to files goes through one object of this shape (model/ports.py: Disk).

Paths are relative to the project root, or absolute. Nothing here follows a link for writing, blocks on a FIFO, or leaves half a file under
its final name.
"""

from __future__ import annotations

import errno
import os
import stat as stat_bits

from pipefile.base import digest as digests

TYPE_CHECKING = False  # as typing's, whose import takes longer than a build with nothing to do
if TYPE_CHECKING:
    from collections.abc import Callable

_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK  # non-blocking: a FIFO or a device opens at once, and is then refused
_NOWHERE = frozenset([errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG])  # nothing can stand at a name that the disk does not take
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
_APPEND = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_FICLONE = 0x40049409  # linux/fs.h; the module fcntl does not name it
_NO_CLONES = frozenset([errno.EOPNOTSUPP, errno.EXDEV, errno.EINVAL, errno.ENOTTY, errno.ENOSYS, errno.EPERM, errno.ETXTBSY])


class OsDisk:
    """The disk of this machine, seen from a project root.

    Args:
        root: Absolute path of the project root.

    Attributes:
        cancelled: Asked while a file is copied, whether nobody wants that any more.
    """

    def __init__(self, root: str) -> None:
        self.root = root
        self.cancelled: Callable[[], bool] = lambda: False
        self._base = root if root.endswith("/") else root + "/"
        self._buffers: list[bytearray] = []

    def _buffer(self, size: int) -> bytearray:
        """One that is at least so long, nobody else's until it is put back: threads copy and hash at once."""
        try:
            found = self._buffers.pop()
        except IndexError:
            found = bytearray()
        return found if len(found) >= size else bytearray(size)

    def at(self, path: str) -> str:
        """The absolute path of a root-relative one."""
        return path if path.startswith("/") else self._base + path

    def stat(self, path: str) -> os.stat_result | None:
        """What *path* leads to, links followed; None where nothing is. Other errors are raised, so that they never look like absence."""
        try:
            return os.stat(path if path.startswith("/") else self._base + path)
        except OSError as error:
            if error.errno not in _NOWHERE:
                raise
            return None

    def lstat(self, path: str) -> os.stat_result | None:
        """As `stat`, of a link itself."""
        try:
            return os.lstat(path if path.startswith("/") else self._base + path)
        except OSError as error:
            if error.errno not in _NOWHERE:
                raise
            return None

    def names(self, folder: str) -> list[tuple[str, str]]:
        """The entries of a folder, unsorted: (name, kind), kind being "file", "directory", "link" or "other".

        Raises:
            FileNotFoundError, NotADirectoryError: It is no folder.
        """
        found = []
        with os.scandir(self.at(folder or ".")) as entries:
            for entry in entries:
                if entry.is_file(follow_symlinks=False):
                    kind = "file"
                elif entry.is_dir(follow_symlinks=False):
                    kind = "directory"
                else:
                    kind = "link" if entry.is_symlink() else "other"
                found.append((entry.name, kind))
        return found

    def read(self, path: str, limit: int | None = None, follow: bool = True) -> bytes:
        """The bytes of a regular file.

        Args:
            path: Which file.
            limit: Most bytes to accept; None accepts all.
            follow: False refuses a link at the last name, as for files of pipefile's own.

        Raises:
            OSError: It cannot be read; EINVAL for anything but a regular file, EFBIG above *limit*, ELOOP for a refused link.
        """
        fd = os.open(self.at(path), _READ if follow else _READ | os.O_NOFOLLOW)
        try:
            seen = os.fstat(fd)
            if not stat_bits.S_ISREG(seen.st_mode):
                raise OSError(errno.EINVAL, "not a regular file", path)
            if limit is not None and seen.st_size > limit:
                raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), path)
            parts = []
            while part := os.read(fd, 1 << 20):
                parts.append(part)
            return b"".join(parts) if len(parts) != 1 else parts[0]
        finally:
            os.close(fd)

    def digest(self, path: str, algorithm: str, follow: bool = True, kept: list[bytes] | None = None) -> tuple[str, os.stat_result]:
        """The digest of a regular file, and its stat as it was before the first byte was read.

        The bytes are read into one reused buffer, never mapped: a file that shrinks under a mapping kills the process.

        Args:
            path: Which file.
            algorithm: "blake3" or "sha256".
            follow: False refuses a link at the last name.
            kept: Gets the bytes, if they were few enough to be read at once: less than digest.BUFFER.

        Raises:
            OSError: It cannot be read; EINVAL for anything but a regular file, ELOOP for a refused link.
        """
        fd = os.open(path if path.startswith("/") else self._base + path, _READ if follow else _READ | os.O_NOFOLLOW)
        try:
            seen = os.fstat(fd)
            if not stat_bits.S_ISREG(seen.st_mode):
                raise OSError(errno.EINVAL, "not a regular file", path)
            if seen.st_size < digests.BUFFER:
                data = os.read(fd, seen.st_size + 1)
                if len(data) <= seen.st_size:  # a file that has grown meanwhile is read as a long one
                    text = digests.of_bytes(data, algorithm)
                    if kept is not None:
                        kept.append(data)
                    return (digests.executable(text) if seen.st_mode & 0o100 else text), seen
                os.lseek(fd, 0, os.SEEK_SET)
            text = self._digest_long(fd, seen.st_size, algorithm)
            return (digests.executable(text) if seen.st_mode & 0o100 else text), seen
        finally:
            os.close(fd)

    def _digest_long(self, fd: int, size: int, algorithm: str) -> str:
        want = digests.MANY_THREADS_FROM if size >= digests.MANY_THREADS_FROM else digests.BUFFER
        buffer = self._buffer(want)
        view = memoryview(buffer)
        hasher = digests.new_for_size(algorithm, size)
        while count := os.readv(fd, [view]):
            hasher.update(view[:count])
        self._buffers.append(buffer)
        return f"{algorithm}:{hasher.hexdigest()}"

    def write(self, path: str, data: bytes, sync: bool = False, mode: int = 0o666) -> None:
        """Put a whole file in place at once: a temporary file beside it, renamed over it. A link at *path* is replaced, not followed.

        Args:
            path: Which file. Its folder exists.
            data: What it shall hold.
            sync: Bring the bytes, and the name, to the disk before returning.
            mode: Of the new file, before the umask.
        """
        final = self.at(path)
        temporary = final + "~"
        try:
            fd = os.open(temporary, _CREATE, mode)
        except FileExistsError:  # left by a build that was killed just here
            self.remove(temporary)
            fd = os.open(temporary, _CREATE, mode)
        try:
            try:
                view = memoryview(data)
                while view:
                    view = view[os.write(fd, view) :]
                if sync:
                    os.fsync(fd)
            finally:
                os.close(fd)
            os.rename(temporary, final)
        except BaseException:
            try:
                os.unlink(temporary)
            except OSError:
                pass
            raise
        if sync:
            self.sync(path.rpartition("/")[0])

    def append(self, path: str, data: bytes) -> bool:
        """Add whole lines to the end of a file, which is made where it is missing. A last line that lacks its end gets one first.

        Returns:
            False if the file has other names too: whoever has these shall not see it change.

        Raises:
            OSError: It cannot be written; EINVAL for anything but a regular file, ELOOP for a link.
        """
        fd = os.open(self.at(path), _APPEND, 0o666)
        try:
            seen = os.fstat(fd)
            if not stat_bits.S_ISREG(seen.st_mode):
                raise OSError(errno.EINVAL, "not a regular file", path)
            if seen.st_nlink > 1:
                return False
            if seen.st_size and os.pread(fd, 1, seen.st_size - 1) != b"\n":  # a builder was killed just there
                data = b"\n" + data
            view = memoryview(data)
            while view:
                view = view[os.write(fd, view) :]
        finally:
            os.close(fd)
        return True

    def copy(self, source: str, target: str, algorithm: str, mode: int = 0o666, limit: int | None = None) -> str:
        """Copy the bytes of a regular file into a new one; a link at either place is refused.

        Args:
            source: Which file.
            target: Where nothing stands. What was written there is removed if this fails.
            algorithm: Of the digest.
            mode: Of the new file, before the umask.
            limit: Most bytes to accept; None accepts all.

        Returns:
            The digest of these bytes, without the exec bit.

        Raises:
            OSError: It cannot be read or written; EINVAL for anything but a regular file, EFBIG above *limit*, ECANCELED if it was cancelled.
        """
        fd = os.open(self.at(source), _READ | os.O_NOFOLLOW)
        try:
            seen = os.fstat(fd)
            if not stat_bits.S_ISREG(seen.st_mode):
                raise OSError(errno.EINVAL, "not a regular file", source)
            with _New(self.at(target), mode) as new:
                return self._copy(fd, new, seen.st_size, algorithm, limit)
        finally:
            os.close(fd)

    def _copy(self, fd: int, new: int, size: int, algorithm: str, limit: int | None) -> str:
        want = digests.MANY_THREADS_FROM if size >= digests.MANY_THREADS_FROM else min(digests.BUFFER, size + 1)
        buffer = self._buffer(want)
        whole = memoryview(buffer)
        hasher = digests.new_for_size(algorithm, size)
        copied = 0
        while count := os.readv(fd, [whole]):
            copied += count
            if self.cancelled():
                raise OSError(errno.ECANCELED, os.strerror(errno.ECANCELED))
            if limit is not None and copied > limit:
                raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
            hasher.update(whole[:count])
            view = whole[:count]
            while view:
                view = view[os.write(new, view) :]
        self._buffers.append(buffer)
        return f"{algorithm}:{hasher.hexdigest()}"

    def clone(self, source: str, target: str, mode: int = 0o666) -> bool:
        """As `copy`, by sharing the blocks on the disk until one of the two files is written to; False where the disk cannot."""
        from fcntl import ioctl

        fd = os.open(self.at(source), _READ | os.O_NOFOLLOW)
        try:
            with _New(self.at(target), mode) as new:
                ioctl(new, _FICLONE, fd)
        except OSError as error:
            if error.errno in _NO_CLONES:
                return False
            raise
        finally:
            os.close(fd)
        return True

    def touch(self, path: str) -> None:
        """Give a file of pipefile's own the time that it is now."""
        os.utime(self.at(path), follow_symlinks=False)

    def rename(self, source: str, target: str) -> None:
        """Rename, over what stands at *target*."""
        os.rename(self.at(source), self.at(target))

    def unlink(self, path: str) -> bool:
        """Remove a file or a link; False where nothing was."""
        try:
            os.unlink(self.at(path))
        except (FileNotFoundError, NotADirectoryError):
            return False
        return True

    def remove(self, path: str) -> bool:
        """Remove whatever stands at *path*, folders with all in them, without following links; False where nothing was."""
        full = self.at(path)
        try:
            os.unlink(full)
        except (FileNotFoundError, NotADirectoryError):
            return False
        except (IsADirectoryError, PermissionError):
            if not os.path.isdir(full) or os.path.islink(full):
                raise
            import shutil

            shutil.rmtree(full)
        return True

    def rmdir(self, path: str) -> bool:
        """Remove a folder if it is empty."""
        try:
            os.rmdir(self.at(path))
        except OSError:
            return False
        return True

    def mkdirs(self, path: str) -> None:
        """Make a folder and those above it, where they are not there yet."""
        if path:
            try:
                os.mkdir(self.at(path))  # nearly always only the last one is missing: four system calls less than to look from the root
            except OSError:
                os.makedirs(self.at(path), exist_ok=True)

    def readlink(self, path: str) -> str:
        return os.readlink(self.at(path))

    def symlink(self, text: str, path: str) -> None:
        """Make a link that says *text*, replacing what stands at *path* in one step."""
        temporary = self.at(path) + "~"
        self.remove(temporary)
        os.symlink(text, temporary)
        os.rename(temporary, self.at(path))

    def sync(self, path: str) -> None:
        """Bring a file's bytes or a folder's names to the disk."""
        fd = os.open(self.at(path or "."), os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def stamp(self, path: str, text: bytes) -> os.stat_result:
        """Write a few bytes over the start of a file of pipefile's own, and say what stat it has then: what the disk's clock shows."""
        fd = os.open(self.at(path), os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666)
        try:
            os.pwrite(fd, text, 0)
            return os.fstat(fd)
        finally:
            os.close(fd)

    def writable(self, folder: str) -> bool:
        """Whether files can be made in a folder, as far as its permissions tell."""
        return os.access(self.at(folder or "."), os.W_OK | os.X_OK)


class _New:
    """A new file that is removed again if it is left with an exception."""

    def __init__(self, path: str, mode: int) -> None:
        self._path = path
        self._fd = os.open(path, _CREATE, mode)

    def __enter__(self) -> int:
        return self._fd

    def __exit__(self, kind: object, *_: object) -> None:
        os.close(self._fd)
        if kind is not None:
            os.unlink(self._path)
