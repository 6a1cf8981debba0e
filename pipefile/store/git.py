"""What git says of the project, for run.json: hardly waited for, never an error.

The commit is read from git's own files, which takes microseconds; whether tracked files have changes is asked of `git status`, which runs beside the
build and is heard at its end.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import subprocess  # costs more than all else in here; where there is no git it is never needed

_PATIENCE = 0.3  # seconds at the end of a build; `git status` has had all of the build before
_LIMIT = 64 << 20  # bytes of packed-refs


class Git:
    """The work tree around a project; asks nothing before `ask`.

    Args:
        root: Absolute path of the project root.
        environ: The environment for git.
    """

    def __init__(self, root: str, environ: Mapping[str, str]) -> None:
        self._root = root
        self._environ = environ
        self._process: subprocess.Popen[bytes] | None = None
        self._folder = git_folder(root)
        self.commit = _commit(self._folder) if self._folder else ""

    def ask(self) -> None:
        """Start to find out whether tracked files have changes."""
        if not self.commit:
            return
        import subprocess

        # no optional locks: the index is not ours to refresh; no fsmonitor: it is a program that the work tree names
        argv = ["git", "--no-optional-locks", "-c", "core.fsmonitor=false", "status", "--porcelain", "-uno", "--ignore-submodules=all"]
        try:
            self._process = subprocess.Popen(
                argv,
                cwd=self._root,
                env=dict(self._environ),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                process_group=0,
            )
        except OSError:
            pass

    def dirty(self) -> bool | None:
        """What came of it; None where that is not known, as where there is no git. Asks only once."""
        process, self._process = self._process, None
        if process is None:
            return None
        import subprocess

        try:
            output, _ = process.communicate(timeout=_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            return None
        return bool(output) if process.returncode == 0 else None

    def close(self) -> None:
        """Stop asking."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read(_LIMIT)
    except OSError:
        return ""


def git_folder(folder: str) -> str:
    """The git folder of the work tree around *folder*; "" if there is none."""
    while True:
        path = os.path.join(folder, ".git")
        if os.path.isdir(path):
            return path
        if os.path.isfile(path):  # a linked work tree or a submodule
            kind, _, target = _read(path).partition(": ")
            return os.path.join(folder, target.strip()) if kind == "gitdir" else ""
        above = os.path.dirname(folder)
        if above == folder:
            return ""
        folder = above


def _commit(folder: str) -> str:
    shared = os.path.join(folder, _read(os.path.join(folder, "commondir")).strip() or ".")
    text = _read(os.path.join(folder, "HEAD")).strip()
    for _ in range(10):  # symbolic references to symbolic references
        if not text.startswith("ref: "):
            break
        name = text[5:]
        if ".." in name.split("/") or name.startswith("/"):
            return ""
        text = (_read(os.path.join(folder, name)) or _read(os.path.join(shared, name))).strip() or _packed(shared, name)
    return text if len(text) in (40, 64) and not text.strip("0123456789abcdef") else ""


def _packed(folder: str, name: str) -> str:
    for line in _read(os.path.join(folder, "packed-refs")).splitlines():
        digest, _, found = line.partition(" ")
        if found == name:
            return digest
    return ""
