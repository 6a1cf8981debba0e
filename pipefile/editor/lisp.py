"""`.dir-locals.el` of Emacs: an entry of pipefile's own in a list of others, changed as text."""

from __future__ import annotations

import re
from typing import Literal

from pipefile.base.dataclass import dataclass
from pipefile.load.faults import at_offset

_TOKEN = re.compile(r"""[ \t\r\n\f\ufeff]++|;[^\n]*+|("(?:[^"\\]++|\\.)*+")|\?(?:\\.|.)|([()\[\]])|([^\s()\[\]";]+)""", re.DOTALL)
_OURS = re.compile(r'\(compile-command\s*\.\s*("pipefile (?:[^"\\]|\\.)*")\)')


@dataclass(frozen=True, slots=True)
class _Read:
    """Offsets: where the list begins and ends, and all commands to compile by that are set in it."""

    start: int
    stop: int
    commands: tuple[int, ...]


def with_entry(text: str | None, path: str, command: str, force: bool) -> tuple[str, Literal["", "added", "replaced", "kept"]]:
    """The file with a command to compile by, and what has happened.

    Args:
        text: The file as it is; None if there is none.
        path: What it is called in errors.
        command: The command.
        force: Replace one of pipefile's own that differs.

    Raises:
        PipefileSyntaxError: It is no list of Lisp; with the place.
    """
    quoted = '"' + command.replace("\\", "\\\\").replace('"', '\\"') + '"'
    entry = f"(nil . ((compile-command . {quoted})))"
    if text is None:
        return f";;; Directory Local Variables -- written by `pipefile editor emacs`\n({entry})\n", "added"
    newline = "\r\n" if "\r\n" in text else "\n"
    found = _read(text, path)
    if found is None:
        return f"{text}{'' if text.endswith(chr(10)) or not text else newline}({entry}){newline}", "added"
    if found.commands:
        ours = next((match for at in found.commands if (match := _OURS.match(text, text.rfind("(", 0, at)))), None)
        if ours is not None and ours[1] == quoted:
            return text, ""
        if ours is None or not force:
            return text, "kept"
        return text[: ours.start(1)] + quoted + text[ours.end(1) :], "replaced"
    before = text[: found.stop - 1].rstrip()
    between = newline + " " if len(before) > found.start + 1 else ""
    space = text[len(before) : found.stop - 1]
    commented = ";" in text[text.rfind("\n", 0, len(before)) + 1 : len(before)]
    end = space if "\n" in space else newline if commented and not between else ""
    return f"{before}{between or (newline + ' ' if commented else '')}{entry}{end}{text[found.stop - 1 :]}", "added"


def _read(text: str, path: str) -> _Read | None:
    """The one list that the file holds; None if it holds nothing but comments."""
    open_at: list[int] = []
    commands: list[int] = []
    whole: tuple[int, int] | None = None
    at = 0
    while at < len(text):
        token = _TOKEN.match(text, at)
        if token is None:
            raise at_offset("a string does not end", path, text, at, at + 1)
        bracket = token[2]
        thing = bracket or token[1] or token[3] or (token[0] if token[0].startswith("?") else "")
        if thing and whole is not None:
            raise at_offset("nothing more was expected behind the list", path, text, at, at + 1)
        if thing and not open_at and bracket != "(":
            raise at_offset("a list was expected", path, text, at, at + 1)
        if bracket in ("(", "["):
            open_at.append(at)
        elif bracket:
            start = open_at.pop()
            if text[start] != {")": "(", "]": "["}[bracket]:
                raise at_offset(f"`{bracket}` does not close what is open", path, text, at, at + 1)
            if not open_at:
                whole = (start, token.end())
        elif token[3] == "compile-command":
            commands.append(at)
        at = token.end()
    if open_at:
        raise at_offset("a list does not end", path, text, open_at[-1], open_at[-1] + 1)
    return None if whole is None else _Read(*whole, tuple(commands))
