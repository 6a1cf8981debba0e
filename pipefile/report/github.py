"""GitHub Actions: what its runner takes for commands in what is printed.

The runner reads every line. One that begins with `::name ...::`, blanks aside, is a command to it, and so is `##[name ...]` anywhere in a line:
whoever gets such a line printed could set annotations, mask words of the log or switch commands off. So nothing that is printed here looks like one,
whatever stages, file names or errors are made of, but for those that are meant:

    ::group::[17/240] train  4.2 s                                        what a stage printed, folded
    ...
    ::endgroup::
    ::error file=Pipefile.toml,line=22,col=1,title=stage train::...       a failure, at its place in the files of a pull request
    ::warning title=pipefile::...                                         a warning

The runner takes ten of either in a step; more are not written.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from pipefile.base.paths import show
from pipefile.report.stream import Stream

_MOST = 10  # annotations of a kind in a step
_PIECE = 1 << 16  # characters of a line that are held back until it is known how it begins

# Characters that stand for nothing: the runner compares texts by a culture's rules, which pass over them.
_IGNORED = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff\U000e0000-\U000e0fff]"
)
_COLOR = re.compile(r"\x1b\[[0-9;:]*m")


class GitHubStream(Stream):
    """A standard stream that GitHub's runner reads.

    Args:
        fd: Its descriptor.
        environ: The environment.
        color: Colours may be written to it.
        marks: Write groups and annotations.
    """

    def __init__(self, fd: int, environ: Mapping[str, str], color: bool = False, marks: bool = True) -> None:
        super().__init__(fd, color=color)
        self.annotates = marks
        self._marks = marks
        self._workspace = environ.get("GITHUB_WORKSPACE", "")
        self._left = {"error": _MOST, "warning": _MOST}
        self._held = ""  # the beginning of a line
        self._inside = False  # a piece of that line is out already, with more than blanks in it

    def write(self, text: str) -> None:
        *lines, self._held = (self._held + text).split("\n")
        if lines:
            first = self._checked(lines[0])
            self._inside = False
            super().write("\n".join([first, *map(harmless, lines[1:])]) + "\n")
        if len(self._held) > _PIECE:
            self._let_go(2)  # `##` may be followed by a `[`, `:` by another one

    def flush(self) -> None:
        self._let_go(0)
        super().flush()

    def _let_go(self, keep: int) -> None:
        """Write what is held back of a line that has not ended, but for its last *keep* characters."""
        cut = len(self._held) - keep
        piece, self._held = self._held[:cut], self._held[cut:]
        if piece:
            super().write(self._checked(piece))
            self._inside = self._inside or bool(_COLOR.sub("", _IGNORED.sub("", piece)).strip())

    def _checked(self, piece: str) -> str:
        return _without_brackets(piece) if self._inside else harmless(piece)

    def group(self, title: str) -> None:
        if self._marks:
            self._command(f"::group::{_data(title)}")
        else:
            super().group(title)

    def end_group(self) -> None:
        if self._marks:
            self._command("::endgroup::")

    def annotate(self, level: str, message: str, title: str = "", file: str = "", line: int | None = None) -> None:
        if not self._marks or self._left[level] <= 0:
            return
        self._left[level] -= 1
        place = {"file": self._from_workspace(file), "line": str(line), "col": "1"} if file and line is not None else {}
        properties = ",".join([f"{name}={_property(value)}" for name, value in {**place, "title": title}.items() if value])
        self._command(f"::{level} {properties}::{_data(message)}" if properties else f"::{level}::{_data(message)}")

    def _from_workspace(self, file: str) -> str:
        """The path of a file as the runner wants it: from the root of the checkout."""
        try:
            found = os.path.relpath(os.path.realpath(file), os.path.realpath(self._workspace or os.curdir))
        except OSError:
            return file
        return file if found.startswith("../") else found

    def _command(self, line: str) -> None:
        if self._held or self._inside:  # in the middle of a line it would be none
            self.write("\n")
        super().write(line + "\n")


def harmless(line: str) -> str:
    """One line that is no command to the runner, and reads as before but for what made it one."""
    if "#" not in line and ":" not in line:
        return line
    if not line.isascii() and _looks(_IGNORED.sub("", line)):
        line = _IGNORED.sub(_spelled, line)
    blank = 0
    while True:
        match = _COLOR.match(line, blank)
        if match:
            blank = match.end()
        elif blank < len(line) and line[blank].isspace():
            blank += 1
        else:
            break
    if line.startswith("::", blank):
        line = f"{line[:blank]}\\x3a{line[blank + 1:]}"
    return _without_brackets(line)


def _looks(line: str) -> bool:
    return "##[" in line or _COLOR.sub("", line).lstrip().startswith("::")


def _spelled(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _without_brackets(text: str) -> str:
    """Spelled so that JSON reads the same."""
    return text.replace("##[", "##\\u005b")


def _data(text: str) -> str:
    text = "\n".join(map(show, text.split("\n")))
    return text.replace("%", "%25").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
