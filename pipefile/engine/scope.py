"""Where something has to change before a build can begin that has failed before it did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pipefile.base.errors import PipefileError, UnknownTargetError, UsageError
from pipefile.engine.session import Project, Session


def is_hopeless(project: Project, environ: Mapping[str, str], error: PipefileError, targets: Sequence[str] = ()) -> bool:
    """Whether a build could not begin for what the command line asks for, and no file that comes changes that: the Pipefile is good as it is.

    Args:
        project, environ, error, targets: As for `mending`.
    """
    if not isinstance(error, UsageError):
        return False
    if not isinstance(error, UnknownTargetError):
        return True
    try:
        stages = Session(project, environ, lambda _: None, targets=targets).pipeline.stages.values()
    except PipefileError:
        return False
    return not any(stage.is_pattern or stage.for_each is not None for stage in stages)


def mending(project: Project, environ: Mapping[str, str], error: PipefileError, targets: Sequence[str] = ()) -> list[str]:
    """What may mend a graph, as far as it can be told without running anything.

    Args:
        project: Which project.
        environ: The environment of the build.
        error: Why it could not begin.
        targets: What it was asked for.

    Returns:
        Paths from the root of files: those that the graph is read from, those that the error names, sources that are no files. Paths of folders in
        which globs look for names end in `/`.
    """
    found = {project.file, *[place.file for place in error.places if place.file]}
    try:
        session = Session(project, environ, lambda _: None, targets=targets)
    except PipefileError:
        return sorted(found)
    found.update(session.pipeline.files)
    for edge in session.graph.edges:
        for need in edge.needs:
            if need.files is not None and need.files.node < 0:
                found.update(path for path in need.files.paths if session.world.kind(path) != "file")
    for match in session.world.globs.values():
        found.update(f"{folder}/" for folder in match.folders)
    return sorted(found)
