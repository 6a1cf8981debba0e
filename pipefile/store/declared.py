"""What the last build that ran a project's Python files learned from them: the stages and pipelines that they declare.

STORE/python is one line of JSON after one with its digest, so that a damaged file is noticed:

    blake3:5c1f...
    {"format": 1, "circumstances": "blake3:77ab...", "files": {"pipeline.py": "blake3:93f0...", "numpy.py": null},
     "stages": [["analyze", "pipeline.py", 4, "analyze", {"call": "pipeline:analyze", "outputs": {"info": "value:json"}}]],
     "pipelines": [["workflow", "pipeline.py", 20, "workflow", ["analyze"]]]}

`circumstances` is a digest of all but files that the declarations depend on. `files` are the Python files that were run, by path from the root, each
with the digest of the bytes that ran; null is one that was looked for and is absent, whose coming would change what an import finds. A stage is
its name, the file, line and function where it stands ("" for a call in a pipeline), and the table that `[stage.NAME]` would be; a pipeline has its
targets instead.

A file that is damaged, of another format or of other circumstances is treated as absent. It costs a look into the Python files' text, and a build
then runs them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pipefile.base import digest as digests
from pipefile.base.dataclass import dataclass
from pipefile.model.ports import Disk

NAME = "python"
FORMAT = 1
LIMIT = 256 << 20

Entry = tuple[str, str, int, str, Any]


@dataclass(frozen=True, slots=True)
class Kept:
    """The contents of the file."""

    circumstances: str
    files: Mapping[str, str | None]
    stages: tuple[Entry, ...]
    pipelines: tuple[Entry, ...]


def read(disk: Disk, store: str) -> Kept | None:
    """What is kept; None where nothing is that can be believed."""
    try:
        head, _, body = disk.read(f"{store}/{NAME}", limit=LIMIT, follow=False).partition(b"\n")
        if head.decode() != digests.of_bytes(body):
            return None
        found = json.loads(body)
        if found["format"] != FORMAT:
            return None
        return Kept(
            found["circumstances"],
            found["files"],
            tuple([(name, file, line, function, table) for name, file, line, function, table in found["stages"]]),
            tuple([(name, file, line, function, targets) for name, file, line, function, targets in found["pipelines"]]),
        )
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def write(disk: Disk, store: str, kept: Kept, sync: bool = False) -> None:
    """Keep it, unless it is what is kept already.

    Raises:
        OSError: The store cannot be written.
    """
    body = json.dumps(
        {
            "format": FORMAT,
            "circumstances": kept.circumstances,
            "files": dict(sorted(kept.files.items())),
            "stages": kept.stages,
            "pipelines": kept.pipelines,
        },
        separators=(",", ":"),
    ).encode()
    data = digests.of_bytes(body).encode() + b"\n" + body
    path = f"{store}/{NAME}"
    try:
        if disk.read(path, limit=LIMIT, follow=False) == data:
            return
    except OSError:
        pass
    disk.write(path, data, sync)
