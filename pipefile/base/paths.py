"""Paths inside a project: text, relative to the project root, `/` between names, no `.`, `..` or empty names.

On disk paths are bytes; in here they are `str` with surrogate escapes, as `os.fsdecode` gives them. No Unicode normalisation.
"""

from __future__ import annotations

import os

_UNSAFE_RANGES = ((0x00, 0x20), (0x7F, 0xA0), (0x61C, 0x61D), (0x200E, 0x2010), (0x2028, 0x202F), (0x2066, 0x206A), (0xD800, 0xE000))


class BadPathError(ValueError):
    """A path that no file of the project can have; the text says why."""


def normalise(path: str) -> str:
    """*path* without `.`, `..`, doubled and trailing slashes.

    Returns:
        The path relative to the root, or an absolute one for an absolute *path*; "." for the root itself.

    Raises:
        BadPathError: It is empty, holds a NUL, or leaves the root.
    """
    if not path:
        raise BadPathError("an empty path")
    if "\0" in path:
        raise BadPathError("a path with a NUL character")
    absolute = path[0] == "/"
    if not absolute and "//" not in path and "./" not in path and path[-1] != "/" and path[-1] != ".":
        return path  # the plain case; "./" also catches "../"
    names: list[str] = []
    for name in path.split("/"):
        if name in ("", "."):
            continue
        if name == "..":
            if not names and not absolute:
                raise BadPathError("a path that leaves the project")
            if names:
                names.pop()
            continue
        names.append(name)
    joined = "/".join(names)
    if absolute:
        return "/" + joined
    return joined or "."


def folder_of(path: str) -> str:
    """The folder of a normalised path; "" for the root."""
    return path.rpartition("/")[0]


def name_of(path: str) -> str:
    """The last name of a normalised path."""
    return path.rpartition("/")[2]


def join(folder: str, path: str) -> str:
    """*path* under *folder*, where "" is the root; an absolute *path* stays."""
    if not folder or path.startswith("/"):
        return path
    return f"{folder}/{path}"


def relative(path: str, folder: str) -> str:
    """A root-relative *path* as seen from a root-relative *folder* ("" is the root). Absolute paths stay."""
    if not folder or path.startswith("/"):
        return path
    if path.startswith(folder) and path[len(folder) : len(folder) + 1] == "/":
        return path[len(folder) + 1 :]
    here, there = folder.split("/"), path.split("/")
    shared = 0
    while shared < len(here) and shared < len(there) - 1 and here[shared] == there[shared]:
        shared += 1
    return "../" * (len(here) - shared) + "/".join(there[shared:])


def absolute_from(path: str, folder: str) -> str:
    """Undo `relative`: *path*, written as seen from *folder*, as seen from the root.

    Raises:
        BadPathError: It leaves the project.
    """
    if path.startswith("/") or not folder:
        return normalise(path)
    return normalise(f"{folder}/{path}")


def within(path: str, folder: str) -> bool:
    """Whether a normalised *path* lies below *folder* (and is not the folder itself)."""
    return not folder or (path.startswith(folder) and path[len(folder) : len(folder) + 1] == "/")


def parents(path: str) -> list[str]:
    """The folders above a normalised path, nearest first, without the root: `a/b/c` -> `["a/b", "a"]`."""
    found = []
    cut = path.rfind("/")
    while cut > 0:
        path = path[:cut]
        found.append(path)
        cut = path.rfind("/")
    return found


def show(text: str) -> str:
    """*text* for a person's eyes: control, bidirectional and undecodable characters are escaped, nothing else is changed."""
    if text.isascii() and text.isprintable():
        return text
    out = []
    for char in text:
        code = ord(char)
        if any(low <= code < high for low, high in _UNSAFE_RANGES):
            if 0xDC80 <= code < 0xDD00:
                out.append(f"\\x{code - 0xDC00:02x}")  # a byte that is no UTF-8, as os.fsdecode keeps it
            elif code < 0x100:
                out.append({"\n": "\\n", "\t": "\\t", "\r": "\\r"}.get(char, f"\\x{code:02x}"))
            else:
                out.append(f"\\u{code:04x}")
        else:
            out.append(char)
    return "".join(out)


def from_user(path: str, cwd: str, root: str) -> str:
    """A path that the user typed in *cwd*, relative to *root*. Both are absolute.

    Raises:
        BadPathError: It is outside the project.
    """
    whole = normalise(path if path.startswith("/") else f"{cwd}/{path}")
    if whole == root:
        return "."
    if root == "/":
        return whole[1:]
    if not whole.startswith(root + "/"):
        raise BadPathError("a path outside the project")
    return whole[len(root) + 1 :]


def encode(path: str) -> bytes:
    return os.fsencode(path)
