"""What `pipefile audit` says of a stage, besides the warnings."""

from __future__ import annotations

from pipefile.base.paths import show
from pipefile.model.event import Traced
from pipefile.report.words import edge_name


def traced(event: Traced) -> str:
    """Lines for people, each with its end."""
    name = show(edge_name(event.stage, event.instance))
    files = f"{_files(event.read)} of the project read, {_files(event.written)} written"
    if event.undeclared:
        number = sum(map(len, event.undeclared.values()))
        lines = [f"stage `{name}` touches {number} {'file' if number == 1 else 'files'} that it does not declare: {files}"]
        lines += [f"  {verb} {show(path)}" for verb, paths in event.undeclared.items() for path in paths]
    else:
        lines = [f"stage `{name}` declares all that it does: {files}"]
    if event.unread:
        lines.append("inputs that it never opened:")
        lines += [f"  {show(path)}" for path in event.unread]
    return "".join([f"{line}\n" for line in lines])


def _files(paths: tuple[str, ...]) -> str:
    return f"{len(paths)} {'file' if len(paths) == 1 else 'files'}"
