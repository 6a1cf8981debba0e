"""What the records of a project say, as far as it does not depend on when they were written."""

from __future__ import annotations

import dataclasses

from kit.project import Project
from pipefile.model.record import Record
from pipefile.store.record import decode


def records(project: Project) -> dict[str, Record]:
    """Path -> record, without its attempt's number and duration."""
    found = {}
    for path in project.tree():
        if path.endswith(".hash"):
            found[path] = dataclasses.replace(decode(project.read_bytes(path), path), attempt="", duration=0.0)
    return found
