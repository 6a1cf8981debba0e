"""A stage's failure in words, as errors are shown: its first line begins with the place, so that editors can follow it.

    Pipefile.toml:22:1: error: stage `train` failed: exit status 1
      python train.py --out models/
      log: pipeline_outputs/latest/train/log.txt, last 20 lines:
    ValueError: no such column
"""

from __future__ import annotations

import os

from pipefile.base.paths import show
from pipefile.model.event import StageFinished
from pipefile.report.output import TAIL, tail
from pipefile.report.stream import Stream, painted_error
from pipefile.report.words import edge_name

_LONGEST, _HEAD, _TAIL = 4000, 1000, 200  # characters of a command that are shown: the most, and of a longer one those at either end
_PREDICATES = ("ended ", "returned ", "was ", "did not ", "read `")  # an error that goes on after the stage's name, rather than "exit status 1"
_TAIL_IN_NOTE = 3000  # characters


def summary(event: StageFinished) -> str:
    """The failure in one line, safe to show."""
    first = event.error.partition("\n")[0]
    name = edge_name(event.stage, event.instance)
    if first.startswith(_PREDICATES):
        first = f"stage `{name}` {first}"
    elif not first.startswith("stage `"):
        first = f"stage `{name}` failed: {first}" if first else f"stage `{name}` failed"
    return show(first)


def show_failure(event: StageFinished, err: Stream, root: str) -> None:
    """Write a failure, whole, and mark it where the stream's reader knows of marks."""
    rest = [line for line in event.error.split("\n")[1:] if line]
    lines, cut = tail(event, root, err.color)
    place = f"{show(event.file)}:{event.line}:1: " if event.line is not None else f"{show(event.file)}: " if event.file else ""
    err.write(f"{place}{err.paint('error:', 'red')} {summary(event)}\n")
    if event.command:
        err.write(indented(event.command))
    for line in rest:
        if not line.startswith("hint: "):
            err.write(f"  {show(line)}\n")
    if event.log:
        err.write(f"  log: {show(event.log)}{f', last {TAIL} lines:' if cut else ''}\n")
    for line in rest:
        if line.startswith("hint: "):
            err.write(painted_error(line, err) + "\n")
    for line in lines:
        err.write(line)
    if err.annotates:
        message = summary(event) + "\n" + "".join(tail(event, root, False)[0])[-_TAIL_IN_NOTE:]
        file = os.path.join(root, event.file) if event.file else ""
        err.annotate("error", message.rstrip("\n"), f"stage {edge_name(event.stage, event.instance)}", file, event.line)


def indented(command: str) -> str:
    """A command on lines of its own, without the middle of one that nobody would read: it may name thousands of files."""
    if len(command) > _LONGEST:
        left_out = len(command) - _HEAD - _TAIL
        command = f"{command[:_HEAD]} [{left_out:,} characters more] {command[-_TAIL:]}"
    return "".join(f"  {show(line)}\n" for line in command.rstrip("\n").split("\n"))
