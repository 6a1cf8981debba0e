"""The lines of `list --json`, as they are kept in the index by a build that has read the Pipefile: for an editor that asks while a person types."""

from __future__ import annotations

import json
import re

from pipefile.base import digest as digests
from pipefile.engine.session import Session
from pipefile.model.stage import Pipeline, Stage
from pipefile.store.index import join_texts

_LARGEST = 50 << 20
_HEADER = re.compile(r"""^[ \t]*\[[ \t]*stage[ \t]*\.[ \t]*([\w-]+|"[^"\\\n]*"|'[^'\n]*')[ \t]*\]""", re.MULTILINE | re.ASCII)

_encode = json.JSONEncoder(check_circular=False).encode


def default_set(pipeline: Pipeline) -> list[str]:
    """What a build without targets builds, by name."""
    default = pipeline.settings.default
    return [stage.name for stage in pipeline.stages.values() if stage.outputs and not stage.is_pattern] if default is None else list(default)


def described(stage: Stage, place: tuple[int, int] | None) -> dict[str, object]:
    """What `list --json` says of a stage before its state and how long it took.

    Args:
        stage: As it is declared.
        place: Line and column in its Pipefile; None where they are not known.
    """
    line, column = place or (None, None)
    return {
        "name": stage.name,
        "description": stage.description,
        "inputs": [item.text for group in stage.inputs for item in group.items],
        "outputs": [output.shown for output in stage.outputs],
        "location": {"file": stage.file, "line": line, "column": column},
    }


def listing_of(session: Session) -> bytes:
    """The section `listing` of the index (store/index.py has its form)."""
    pipeline = session.pipeline
    stages = list(pipeline.stages.values())
    if pipeline.sources or pipeline.partial or any(stage.file != session.project.file for stage in stages):
        return b""
    places = _places(session)
    if places is None or list(places) != [stage.name for stage in stages]:
        return b""
    texts = [_encode(default_set(pipeline))]
    heads = [{**described(stage, place), "last_duration_seconds": None} for stage, place in zip(stages, places.values(), strict=True)]
    for stage, head in zip(stages, heads, strict=True):
        texts += [stage.name, "each" if stage.for_each is not None else "", _encode(head)[: -len("null}")]]
    return join_texts(texts)


def _places(session: Session) -> dict[str, tuple[int, int]] | None:
    """Line and column of each `[stage.NAME]`, in order; None where the file is another one by now, or where a text in three quotes could hold lines
    that look like it."""
    file = session.project.file
    try:
        data = session.disk.read(file, _LARGEST)
        text = data.decode("utf-8")
    except (OSError, UnicodeDecodeError):
        return None
    read = session.pipeline.files.get(file)
    if read is None or digests.of_bytes(data, read.partition(":")[0]) != read:
        return None
    if '"""' in text or "'''" in text or text.startswith("\ufeff"):
        return None
    found: dict[str, tuple[int, int]] = {}
    line, before = 1, 0
    for match in _HEADER.finditer(text):
        start = match.start(1)
        line += text.count("\n", before, start)
        before = start
        name = match[1]
        found[name if name[0] not in "\"'" else name[1:-1]] = (line, start - text.rfind("\n", 0, start))
    return found
