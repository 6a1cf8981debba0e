"""Globs as users write them: gitignore syntax, read by pathspec, over paths from the project root.

What gitignore syntax brings along: a pattern without a slash matches at any depth (`*.csv`; `./*.csv` is the top folder alone), `**` crosses
folders, and a pattern that matches a folder matches all files below it.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from pipefile.base.paths import join, normalise

_SPECIAL = re.compile(r"\\.|[*?\[]", re.DOTALL)
_ESCAPED = re.compile(r"\\([*?\[\]\\])")


def is_glob(text: str) -> bool:
    """Whether *text* has a glob character that no backslash escapes."""
    if "*" not in text and "?" not in text and "[" not in text:
        return False
    return _first_special(text) < len(text)


def unescape(text: str) -> str:
    """The path that a text without glob characters stands for: `a\\*b` is the file `a*b`."""
    return _ESCAPED.sub(r"\1", text) if "\\" in text else text


def escape(path: str) -> str:
    """A pattern that stands for *path* alone."""
    return re.sub(r"([*?\[\]\\])", r"\\\1", path)


def canonical(text: str, folder: str = "") -> str:
    """A glob as it is seen from the root: without `.`, `..` and doubled slashes, and below *folder*, where its Pipefile lies.

    `./` stays in front where it alone holds a pattern to one folder. An absolute pattern stays absolute.

    Raises:
        BadPathError: It leaves the project.
    """
    slash = "/" if text.endswith("/") else ""
    anchored = "/" in text.rstrip("/")
    if folder and not text.startswith("/"):
        text = f"{escape(folder)}/{text}" if anchored else f"{escape(folder)}/**/{text}"
    pattern = normalise(text) + slash
    return "./" + pattern if anchored and "/" not in pattern.rstrip("/") else pattern


def literal_prefix(pattern: str) -> str:
    """The text that every path matched by a canonical pattern begins with."""
    if "/" not in pattern.rstrip("/"):
        return ""
    pattern = pattern.removeprefix("./")
    return unescape(pattern[: _first_special(pattern)])


def start_folder(pattern: str) -> str:
    """The folder below which everything lies that a canonical pattern matches; "" is the root of the project, "/" that of the machine."""
    prefix = literal_prefix(pattern)
    return "/" if prefix.rfind("/") == 0 else prefix.rpartition("/")[0]


def matcher(pattern: str) -> Callable[[str], object] | None:
    """A function that tells whether a path matches a canonical pattern.

    Returns:
        The function; its results are true or false as conditions. None where the text is no valid pattern, as with an open bracket.
    """
    from pathspec import GitIgnoreSpec

    line = pattern
    if line.startswith("./"):
        line = line[1:]
    if line[:1] in ("!", "#"):
        line = "\\" + line  # one pattern alone has nothing to negate, and is no comment
    kept = line.rstrip(" ")
    line = kept + "\\ " * (len(line) - len(kept))  # gitignore drops trailing blanks; a file's name may have them
    try:
        compiled = next(iter(GitIgnoreSpec.from_lines([line]).patterns), None)
    except ValueError:
        return None
    regex = getattr(compiled, "regex", None)
    if regex is None:
        return None
    source: str = regex.pattern
    if source.endswith("|$)"):
        source = source[:-2] + r"\Z)"  # `$` would match before a newline at the end of a name
    elif source.endswith("$") and not source.endswith("\\$"):
        source = source[:-1] + r"\Z"
    search = re.compile(source, re.DOTALL).search
    if not pattern.startswith("/"):
        return search
    return lambda path: search(path[1:])


def pruner(pattern: str) -> Callable[[str], object]:
    """Whether anything below a folder can match. Each folder that it is asked for lies in one that it allowed."""
    text = pattern.removeprefix("./").removeprefix("/")
    parts = text.rstrip("/").split("/")
    fixed = parts.index("**") if "**" in parts else len(parts)
    if "/" not in pattern.rstrip("/") or fixed == 0:
        return lambda _: True
    lead = "/" if pattern.startswith("/") else ""
    levels = [matcher((lead if depth else lead or "./") + "/".join(parts[: depth + 1])) for depth in range(fixed)]

    def may_enter(path: str) -> object:
        depth = path.count("/") - len(lead)
        if depth >= len(levels):
            return True
        matches = levels[depth]
        return matches is None or matches(path)

    return may_enter


def bytewise(paths: list[str]) -> list[str]:
    """*paths* in the order of their bytes on disk, sorted in place."""
    if all(path.isascii() for path in paths):
        paths.sort()
    else:
        paths.sort(key=lambda path: path.encode("utf-8", "surrogateescape"))
    return paths


def beneath(folder: str, text: str) -> str:
    """The path that *text* without glob characters stands for, from the root.

    Raises:
        BadPathError: It leaves the project.
    """
    return normalise(join(folder, text))


def _first_special(text: str) -> int:
    for found in _SPECIAL.finditer(text):
        if found[0][0] != "\\":
            return found.start()
    return len(text)
