"""The standard streams as the environment and the command line want them."""

from __future__ import annotations

import os
from collections.abc import Mapping

from pipefile.report.stream import Stream


def standard_stream(fd: int, environ: Mapping[str, str], color: str = "auto", marks: bool = True) -> Stream:
    """Standard output or standard error.

    Args:
        fd: 1 or 2.
        environ: The environment.
        color: "auto", "always" or "never".
        marks: Groups and annotations are written where a CI system knows of them.
    """
    terminal = is_terminal(fd)
    colored = wants_color(color, environ, terminal)
    if environ.get("GITHUB_ACTIONS") == "true":
        from pipefile.report.github import GitHubStream

        return GitHubStream(fd, environ, colored, marks)
    return Stream(fd, terminal and environ.get("TERM") != "dumb" and not _is_set(environ, "CI"), colored, _reflows(environ))


def wants_color(choice: str, environ: Mapping[str, str], terminal: bool) -> bool:
    """Whether to colour a stream: `--color`, then NO_COLOR, FORCE_COLOR and CLICOLOR_FORCE, CLICOLOR=0, TERM=dumb, then what the stream is.

    Args:
        choice: "auto", "always" or "never".
        environ: The environment.
        terminal: The stream leads to a terminal.
    """
    if choice != "auto":
        return choice == "always"
    if environ.get("NO_COLOR"):
        return False
    if any(environ.get(name, "0") not in ("", "0") for name in ("FORCE_COLOR", "CLICOLOR_FORCE")):
        return True
    return environ.get("CLICOLOR") != "0" and environ.get("TERM") != "dumb" and terminal


def is_terminal(fd: int) -> bool:
    """Whether a descriptor leads to a terminal; False for one that is closed."""
    try:
        return os.isatty(fd)
    except OSError:
        return False


def _is_set(environ: Mapping[str, str], name: str) -> bool:
    return environ.get(name, "").lower() not in ("", "0", "false")


def _reflows(environ: Mapping[str, str]) -> bool:
    """Whether a terminal wraps what stands on it when it becomes narrower: most do. xterm, the console, rxvt and GNU screen cut it off."""
    kind = environ.get("TERM", "")
    if environ.get("TMUX"):
        return True
    return not (environ.get("XTERM_VERSION") or kind.startswith(("linux", "screen", "rxvt", "vt1", "vt2")))
