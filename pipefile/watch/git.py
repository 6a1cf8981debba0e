"""Whether git is changing the work tree right now: a checkout or rebase writes files for as long as it has the lock of its index."""

from __future__ import annotations

import os

from pipefile.store.git import git_folder


class GitLock:
    """
    Args:
        root: Absolute path of the project's root, in a work tree or not.
    """

    def __init__(self, root: str) -> None:
        self._path = ""
        folder = git_folder(root)
        if folder:
            self._path = f"{folder}/index.lock"

    def is_held(self) -> bool:
        return bool(self._path) and os.path.lexists(self._path)
