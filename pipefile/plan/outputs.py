"""Where an output may lie: inside the project or a folder of `outside`, and nowhere that pipefile keeps for itself."""

from __future__ import annotations

import re
from collections.abc import Container

from pipefile.base.paths import BadPathError, join, normalise, show, within

PLAIN_NAME = re.compile(r"[\w,+=@%~-][\w.,+=@%~ -]*")
"""No `.` or `..`, no braces, and it does not begin with a dot: not what a file of pipefile's own is called."""

PLAIN = re.compile(rf"(?:{PLAIN_NAME.pattern}/)*{PLAIN_NAME.pattern}/?")
"""A path of such names, none of them empty."""

_OWN_NAME = re.compile(r"\..+\.hash|\.pipefile-tmp|\.pipefile\.lock")


def is_own_name(name: str) -> bool:
    """Whether a file or folder of that name is of pipefile's own making."""
    return _OWN_NAME.fullmatch(name) is not None


class BadOutputError(ValueError):
    """A path that no output can have.

    Args:
        why: What is wrong with it, to follow its name: "is an absolute path".
        hint: As in PipefileError.
    """

    def __init__(self, why: str, hint: str = "") -> None:
        super().__init__(why)
        self.why = why
        self.hint = hint


def output_path(text: str, folder: str, root: str, outside: tuple[str, ...]) -> tuple[str, bool]:
    """An output as it is written, as a path from the root; and whether it is a directory.

    Args:
        text: As written, placeholders filled in.
        folder: Of its Pipefile, from the root.
        root: Absolute path of the project root.
        outside: Folders outside of it where outputs may lie.

    Raises:
        BadOutputError: It cannot lie there.
    """
    directory = text.endswith(("/", "/.", "/.."))
    try:
        path = normalise(f"{folder}/{text}" if folder and text and not text.startswith("/") else text)
    except BadPathError as error:
        if "leaves" not in str(error):
            raise BadOutputError(f"is {error}") from None
        path = normalise(join(join(root, folder), text))
    if path.startswith("/"):
        if not any(within(path, place) for place in outside):
            way = "is an absolute path" if text.startswith("/") else "leaves the project"
            inside = path.startswith(root + "/")
            hint = f"write `{show(path[len(root) + 1 :])}`" if inside else 'folders outside are named in `[pipefile] outside = ["/..."]`'
            raise BadOutputError(way, hint)
    elif path == ".":
        raise BadOutputError("is the project's own folder")
    for part in path.split("/"):
        if _OWN_NAME.fullmatch(part):
            raise BadOutputError(f"has a name that pipefile keeps for itself: `{show(part)}`")
    return path, directory


def check_own_place(path: str, directory: bool, file: str, taken: Container[str], store: str) -> None:
    """See that an output is neither a Pipefile nor anything of the store.

    Args:
        path: Of the output.
        directory: It is a directory.
        file: The Pipefile that declares it.
        taken: All Pipefiles that were read; the store may be among them.
        store: The store's folder.

    Raises:
        BadOutputError: It is.
    """
    if path == file:
        raise BadOutputError("is the Pipefile itself")
    if path in taken and path != store:
        raise BadOutputError("is a Pipefile that is included")
    if path == store or within(path, store) or (directory and within(store, path)):
        where = "lies in" if within(path, store) else "is" if path == store else "holds"
        raise BadOutputError(f"{where} pipefile's own store `{show(store)}`")


