"""What the last build learned of Python files that have been edited since: the best guess of what they declare, without running them."""

from __future__ import annotations

import json
from collections.abc import Mapping

from pipefile.base.dataclass import replace
from pipefile.load.declared import Declarations, DeclaredPipeline, DeclaredStage
from pipefile.model.stage import Source
from pipefile.store.declared import Kept


def declared(kept: Kept, files: Mapping[str, str | None], unknown: tuple[str, ...] = ()) -> Declarations:
    """What was learned, as declarations."""
    return Declarations(
        {name: DeclaredStage(Source(file, line, function), table) for name, file, line, function, table in kept.stages},
        {name: DeclaredPipeline(Source(file, line, function), tuple(targets)) for name, file, line, function, targets in kept.pipelines},
        files,
        unknown,
    )


def guess(kept: Kept | None, read: Declarations, pipelines: frozenset[str], files: tuple[str, ...]) -> Declarations:
    """What the files declare, as far as that can be told: all that the last build learned, if their text still declares the same by name and in what
    it spells out; else what the text says alone.

    Args:
        kept: What was learned; None if nothing was.
        read: What the text says, which is not all.
        pipelines: Pipelines that it names.
        files: Those of `[pipefile] python`.
    """
    if kept is None:
        return read
    here = {name: entry for name, *entry in kept.stages if entry[0] in files}
    named = {name.partition("#")[0] for name in here}
    if named != {*read.stages, *read.partial} or {name for name, file, *_ in kept.pipelines if file in files} != pipelines:
        return read
    if any(name not in here or _text(here[name][3]) != _text(stage.table) for name, stage in read.stages.items()):
        return read
    lines = {name: found.source.line for name, found in {**read.stages, **read.partial}.items()}
    known = declared(kept, read.files, read.unknown)
    stages = {
        name: replace(stage, source=replace(stage.source, line=lines[name])) if name in lines and stage.source.function else stage
        for name, stage in known.stages.items()
    }
    return replace(known, stages=stages)


def _text(table: object) -> str:
    return json.dumps(table, sort_keys=True)
