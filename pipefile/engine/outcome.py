"""What an edge came to, for its output.json: values, artifacts and metrics. They are kept as soon as they are made: later builds write over them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from pipefile.base.dataclass import replace
from pipefile.base.errors import InputError
from pipefile.base.paths import show
from pipefile.engine.secrets import masked
from pipefile.engine.session import Session
from pipefile.model.graph import Edge
from pipefile.model.output import Artifact, StageOutput
from pipefile.model.run import EdgeResult
from pipefile.model.stage import Call, Output
from pipefile.plan.key import set_digest
from pipefile.plan.leaves import numbers
from pipefile.store.history import log_folder
from pipefile.store.outputs import INLINE, kind_of_folder, write_output
from pipefile.store.runs import RunWriter, timestamp

METRICS_LIMIT = 1_000_000
"""Most bytes of a metrics file."""

MOST_NUMBERS = 10_000
"""Most numbers that are kept of one."""

_TYPES = {
    "image": "png jpg jpeg gif svg webp bmp tif tiff avif ico",
    "video": "mp4 mkv mov webm avi m4v",
    "audio": "wav mp3 flac ogg opus m4a aac",
    "text": "txt log md rst",
    "table": "csv tsv parquet xlsx arrow feather",
    "json": "json jsonl ndjson geojson",
    "page": "html htm",
    "document": "pdf",
}


class Outcomes:
    """Keeps what the edges of one build come to.

    Args:
        session: The project.
        writer: The run.
        warn: Takes warnings: none of this is worth failing a build that worked.
    """

    def __init__(self, session: Session, writer: RunWriter, warn: Callable[[str], None]) -> None:
        self._session = session
        self._disk = session.disk
        self._writer = writer
        self._warn = warn
        self._full = False
        self._second = (-1, "")

    def keep(self, edge: Edge, result: EdgeResult) -> None:
        """Write an edge's output.json, if there is something to tell.

        Args:
            edge: Which one; its outputs are in place.
            result: Its entry in the manifest.
        """
        stage = edge.stage
        folder = kind_of_folder(self._disk, self._session.store, self._writer.id, stage.name)
        artifacts = self._artifacts(edge) if folder or edge.name != stage.name else ()
        metrics = {path: found for path in stage.metrics if result.outputs.get(path, path) and (found := self._numbers(path, edge)) is not None}
        data, references = self._data([output for output in edge.outputs if output.value], result.outputs)
        if not (data or artifacts or metrics):
            return
        algorithm = self._session.pipeline.settings.hash
        output = StageOutput(
            stage=stage.name,
            instance=result.instance,
            version=stage.version,
            created_at=self._now(),
            duration_seconds=result.duration_seconds,
            input_hash=set_digest(tuple(result.inputs), result.inputs.__getitem__, algorithm),
            output_hash=set_digest(tuple(result.outputs), result.outputs.__getitem__, algorithm),
            data=data,
            by_reference=tuple(references),
            artifacts=artifacts,
            metrics=metrics,
        )
        mask = self._session.mask
        if mask is not None:
            output = masked(replace(output, artifacts=tuple([masked(each, mask) for each in artifacts])), mask)
        try:
            write_output(self._disk, self._session.store, self._writer.id, output, folder)
        except OSError as error:
            if not self._full:  # told once
                self._warn(f"what stage `{show(edge.name)}` came to is not kept with the run: {error.strerror}")
            self._full = True

    def _now(self) -> str:
        """The time, for people: written once a second, since that costs as much as all the rest of what is written."""
        seconds = self._session.project.clock.now()
        if int(seconds) != self._second[0]:
            self._second = (int(seconds), timestamp(seconds))
        return self._second[1]

    # -- artifacts

    def _artifacts(self, edge: Edge) -> tuple[Artifact, ...]:
        """What the function has kept with the run, by `ctx.artifact`."""
        if not isinstance(edge.stage.action, Call) and not edge.stage.fallback:
            return ()
        try:
            names = self._disk.names(f"{log_folder(self._session.store, self._writer.id, edge.name)}/artifacts")
        except OSError:
            return ()
        above = "artifacts" if edge.name == edge.stage.name else f"../{log_folder('', '', edge.name).rpartition('/')[2]}/artifacts"
        return tuple([Artifact(name, f"{above}/{name}", artifact_type(name, kind)) for name, kind in sorted(names)])

    # -- values

    def _data(self, outputs: list[Output], digests: Mapping[str, str]) -> tuple[dict[str, object], list[str]]:
        """Values by name, and the names of those that are there by reference alone."""
        data: dict[str, object] = {}
        references = []
        for output in outputs:
            name, path = output.name or "", output.path
            try:
                value = self._value(output)
            except (OSError, ValueError, RecursionError, InputError):  # no JSON, or more than a reader of it bears
                value = data[name] = {"path": path, "digest": digests.get(path, ""), "size": self._session.values.size_of(path)}
                references.append(name)
                continue
            if output.value == "result" and isinstance(value, dict):
                data.update(value)
                continue
            data[name] = value
            if output.value == "file":
                references.append(name)
        return data, references

    def _value(self, output: Output) -> object:
        """A value itself, if it is small, and JSON.

        Raises:
            OSError, ValueError, RecursionError, InputError: It is not.
        """
        if output.value == "stream":
            raise ValueError
        text = self._session.values.small(output.path, INLINE)
        if text is None:
            raise ValueError
        return _from_json(text.decode("utf-8"))

    # -- metrics

    def _numbers(self, path: str, edge: Edge) -> dict[str, float | str] | None:
        """The numbers of a metrics file; None, and a warning, where there are none to be had."""
        what = f"metrics `{show(path)}` of stage `{show(edge.name)}`"
        try:
            text = self._disk.read(path, METRICS_LIMIT, follow=False)
            found, whole = numbers(json.loads(text.decode("utf-8-sig")), MOST_NUMBERS)
        except OSError as error:
            self._warn(f"{what} are not kept with the run: {error.strerror}")
            return None
        except (ValueError, RecursionError):
            self._warn(f"{what} are not kept with the run: the file is no JSON")
            return None
        if not whole:
            self._warn(f"of {what} the first {MOST_NUMBERS:,} numbers are kept with the run")
        return found


def artifact_type(name: str, kind: str) -> str:
    """What an artifact is, by its name's ending.

    Args:
        name: Its name.
        kind: What stands there: as Disk.names says.
    """
    if kind in ("directory", "link"):
        return kind
    ending = name.rpartition(".")[2].lower() if "." in name else ""
    return next((found for found, endings in _TYPES.items() if ending in endings.split()), "file")


def _refuse(text: str) -> object:
    raise ValueError(text)


_from_json = json.JSONDecoder(parse_constant=_refuse).decode
