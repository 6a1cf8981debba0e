"""What a stage printed, made safe to show: it may hold anything, and must not move the cursor, set titles or reverse the line.

Escape sequences are taken out (colours stay where a terminal shows them), other control, bidirectional and undecodable characters are escaped as in
names. A line that was rewritten with carriage returns, as progress bars do, is shown as a terminal would have left it. The log keeps the bytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from pipefile.base.paths import show

LINE = 1 << 16  # bytes; a longer line is shown in pieces, so that memory is bounded by this and not by what a stage prints

_SEQUENCE = re.compile(
    r"(\x1b\[[0-9;:]*m)"  # colours and weights (SGR): the only ones that may pass
    r"|(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # other control sequences: cursor, erase, modes
    r"|(?:\x1b[\]P_^X]|[\x9d\x90\x9f\x9e\x98])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)"  # strings: titles, links, clipboard
    r"|\x1b[ -/]*[0-~]"  # two-character escapes
)


def neutral_line(text: str, color: bool) -> str:
    """One line without its end, safe to show.

    Args:
        text: The line.
        color: Let SGR sequences pass.
    """
    if text.isascii() and text.isprintable():
        return text
    if "\r" in text:
        text = next((part for part in reversed(text.split("\r")) if part), "")
    out = []
    end = 0
    colored = False
    for match in _SEQUENCE.finditer(text):
        out.append(_escaped(text[end : match.start()]))
        if color and match[1]:
            out.append(match[1])
            colored = True
        end = match.end()
    out.append(_escaped(text[end:]))
    if colored:
        out.append("\x1b[0m")
    return "".join(out)


_UNFINISHED = re.compile(r"(?:\x1b[\[\]]?[0-9;:?]*|[\udc80-\udcff]{1,3})$")  # a sequence or a character whose rest has not come yet


def last_line(latest: bytes) -> str:
    """What stands in the last line of what is being printed, safe to show, without colours and blanks around it; "" if nothing does.

    Args:
        latest: The last bytes, cut anywhere at either end.
    """
    for line in reversed(_text(latest).split("\n")):
        shown = neutral_line(_UNFINISHED.sub("", line), color=False).replace("\t", " ").strip()
        if shown:
            return shown
    return ""


_ODD = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")  # what `show` spells out, but tabs


def _escaped(text: str) -> str:
    return _ODD.sub(lambda match: show(match[0]), text)


def neutral_lines(chunks: Iterable[bytes], color: bool) -> Iterator[str]:
    """The lines of a stage's output, safe to show, each with a line feed at its end (the last one too).

    Args:
        chunks: The output's bytes, cut anywhere.
        color: Let SGR sequences pass.
    """
    rest = b""
    for chunk in chunks:
        lines = (rest + chunk).split(b"\n") if rest else chunk.split(b"\n")
        rest = lines.pop()
        for line in lines:
            yield neutral_line(_text(line), color) + "\n"
        if len(rest) > LINE:
            rest = _collapsed(rest)
        while len(rest) > LINE:
            cut = _boundary(rest)
            yield neutral_line(_text(rest[:cut]), color)
            rest = rest[cut:]
    if rest:
        yield neutral_line(_text(rest), color) + "\n"


def _collapsed(line: bytes) -> bytes:
    """The end of a line that goes on, without what carriage returns have written over by now: a progress bar may go on for megabytes."""
    cut = line.rstrip(b"\r").rfind(b"\r")
    return line[cut + 1 :] if cut >= 0 else line


def _text(line: bytes) -> str:
    return line.decode("utf-8", "surrogateescape")


def _boundary(data: bytes) -> int:
    """Where to cut a line that is too long: not inside a character, nor inside a colour sequence."""
    cut = LINE
    while cut > LINE - 4 and data[cut] & 0xC0 == 0x80:
        cut -= 1
    escape = data.rfind(b"\x1b", cut - 64, cut)
    return escape if escape > 0 else cut
