"""What editors find places by in what a build prints.

    PATH:LINE:COLUMN: SEVERITY: MESSAGE [CODE]     compilers, and pipefile of stages that have failed
    error: PATH:LINE:COLUMN: MESSAGE               pipefile of a Pipefile
    error: MESSAGE                                 pipefile of several places at once, each on a line of its own below
      PATH:LINE  WHAT
    error: PATH: MESSAGE                           pipefile of a file as a whole
      File "PATH", line LINE, in NAME              Python: of a traceback the last place, with the line that says what happened

Paths are from the folder of the Pipefile. The syntax is that of regular expressions in JavaScript, and stands for a whole line without colours.
"""

from __future__ import annotations

from typing import Any

COMPILER = r"^(?!\s)(.+?):(\d+):(?:(\d+):)? (?:fatal )?(error|warning|info|note): (.*?)(?: \[([^\]\s]+)\])?$"
PIPEFILE = r"^error: (.+?):(\d+):(\d+): (.*)$"
WHOLE_FILE = r"^error: ([^\s:`]+): (.*)$"
MESSAGE = r"^error: (.*)$"
PLACE = r"^  (?:needed by .*(?:, |\())?([^\s:|`(][^:|`]*):(\d+)(?::(\d+))?\)?(?:  .*)?$"
FRAME = r"^\s*File \"(.+?)\", line (\d+)(?:, in .*)?$"
SOURCE = r"^\s+(?!File \")\S.*$"
CARETS = r"^[\s~^]*[~^][\s~^]*$"
RAISED = r"^((?:[A-Za-z_]\w*\.)*[A-Za-z_]\w*(?:: .*)?)$"

BEGINS = r"^pipefile: build started\b"
ENDS = r"^pipefile: build finished\b"

OWNER = "pipefile"


def matchers(watching: bool) -> list[dict[str, Any]]:
    """Problem matchers of VS Code. Of several that fit, it takes the one of most lines.

    Args:
        watching: The program goes on, and says when a build begins and when it has ended.
    """
    at = {"file": 1, "line": 2, "column": 3}
    frame = {"regexp": FRAME, "file": 1, "line": 2}
    patterns: list[Any] = [
        {"regexp": COMPILER, **at, "severity": 4, "message": 5, "code": 6},
        {"regexp": PIPEFILE, **at, "message": 4},
        {"regexp": WHOLE_FILE, "kind": "file", "file": 1, "message": 2},
        [{"regexp": MESSAGE, "message": 1}, {"regexp": PLACE, **at, "loop": True}],
        [frame, {"regexp": SOURCE}, {"regexp": RAISED, "message": 1}],
        [frame, {"regexp": SOURCE}, {"regexp": CARETS}, {"regexp": RAISED, "message": 1}],
    ]
    found: list[dict[str, Any]] = []
    for pattern in patterns:
        matcher: dict[str, Any] = {
            "owner": OWNER, "source": OWNER, "severity": "error", "applyTo": "allDocuments",
            "fileLocation": ["autoDetect", "${workspaceFolder}"], "pattern": pattern,
        }  # fmt: skip
        if watching and not found:
            matcher["background"] = {"activeOnStart": True, "beginsPattern": BEGINS, "endsPattern": ENDS}
        found.append(matcher)
    return found


SUBLIME = (
    r"^(?:error: |  (?:needed by .*(?:, |\())?)?([^\s:|`(][^:|`]*):(\d+)(?::(\d+))?(?:\)?$|:  ?|\)?  )"
    r"(?:(?:fatal )?(?:error|warning|info|note): )?(.*)$"
)
"""Groups: file, line, column, message."""

VIM = (
    r"%D%*\a: Entering directory '%f'",
    r"%X%*\a: Leaving directory '%f'",
    r"%f:%l:%c: fatal %trror: %m",
    r"%f:%l:%c: %trror: %m",
    r"%f:%l:%c: %tarning: %m",
    r"%f:%l:%c: %tote: %m",
    r"%f:%l: fatal %trror: %m",
    r"%f:%l: %trror: %m",
    r"%f:%l: %tarning: %m",
    r"%f:%l: %tote: %m",
    r"%trror: %f:%l:%c: %m",
    r"%*\sneeded by %m\, %f:%l)",
    r"%*\sneeded by %m (%f:%l)",
    r"%*\s%f:%l  %m",
    r"%*\sFile \"%f\"\, line %l\, in %m",
    r"%*\sFile \"%f\"\, line %l",
)
"""An 'errorformat'. A message about several places is a line of its own, and each place below it can be jumped to.
Vim takes no notice of blanks at the beginning of a part."""
