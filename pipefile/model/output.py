"""What an edge of a run came to, beyond what manifest.json tells of it: an output.json."""

from __future__ import annotations

from collections.abc import Mapping

from pipefile.base.dataclass import dataclass, field


@dataclass(frozen=True, slots=True)
class Artifact:
    """A file or folder that a function has kept with its run.

    Args:
        name: As the function calls it.
        path: From the folder of the output.json.
        type: "image", "video", "audio", "text", "table", "json", "page", "document", "directory", "link", or "file" for all else.
    """

    name: str
    path: str
    type: str


@dataclass(frozen=True, slots=True)
class StageOutput:
    """What one edge came to.

    Args:
        stage: Its stage's name.
        instance: What tells it from others of its stage; "" where it is the only one.
        version: The stage's `version`.
        created_at: When it ended, as `2024-02-12T10:00:00Z`.
        duration_seconds: Of the attempt that succeeded.
        input_hash: One digest over names and digests of its inputs, as manifest.json lists them.
        output_hash: The same of its outputs.
        data: Values by name: what JSON can hold.
        by_reference: Names of values that are in *data* by path, digest and size (bytes) alone.
        artifacts: Sorted by name.
        metrics: Path of a metrics file from the root -> its numbers by dotted path; those that JSON does not know as "NaN", "Infinity", "-Infinity".
    """

    stage: str
    instance: str = ""
    version: str = ""
    created_at: str = ""
    duration_seconds: float = 0.0
    input_hash: str = ""
    output_hash: str = ""
    data: Mapping[str, object] = field(default_factory=dict)
    by_reference: tuple[str, ...] = ()
    artifacts: tuple[Artifact, ...] = ()
    metrics: Mapping[str, Mapping[str, float | str]] = field(default_factory=dict)
