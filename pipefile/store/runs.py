"""Runs: what each build did, kept as history.

    STORE/runs/20240212_100000_abc123/run.json           the build, in UTC; written first with status "running", then again at its end
                                      manifest.json      its edges, written at its end
                                      STAGE/log.txt      what an edge printed, if it printed anything; STAGE percent-encoded
                                      STAGE/log.1.txt    what its first attempt printed, if it failed and others followed; log.2.txt, ...
                                      STAGE/artifacts/   what its function keeps by `ctx.artifact`, if it keeps anything
                                      STAGE/output.json  its values, artifacts and metrics, if it has any: store/outputs.py
    STORE/latest -> runs/20240212_100000_abc123

run.json:

    {"format": 1, "id": "20240212_100000_abc123", "status": "succeeded", "started_at": "2024-02-12T10:00:00Z",
     "finished_at": "2024-02-12T10:00:04Z", "duration_seconds": 4.2, "command": ["pipefile", "build"], "targets": ["report"],
     "jobs": 8, "schedule": "eager", "host": "box", "python": "3.11.9", "pipefile": "0.1.0",
     "git": {"commit": "8c1f...", "dirty": false},
     "counts": {"ran": 3, "restored": 0, "fresh": 2, "skipped": 0, "degraded": 0, "failed": 0}}

`git` is null outside a work tree, `dirty` null where git did not say. While a run is going on, `finished_at` is null and there is besides
`"owner": {"pid": 4711, "start": 123456, "boot": "..."}`: the builder's pid, its start in clock ticks since boot, and the boot's id (both null without
/proc). A run that says "running" and whose owner does not live was interrupted.

manifest.json is `{"format": 1, "edges": [...]}`, an edge a line, with the fields of model/run.py: EdgeResult.

A build that runs and restores nothing writes no run. All of this is history: nothing decides by it, and what is damaged is told and passed over.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from math import isfinite

from pipefile.model.options import Options
from pipefile.model.ports import Clock, Disk
from pipefile.model.run import EdgeResult
from pipefile.store.byhand import finished, marked, table, texts
from pipefile.store.folder import cannot_write, prepare_store
from pipefile.store.git import Git
from pipefile.store.history import COUNTS, FORMAT, RunReader, boot_id, log_folder, start_of

_EDGE_FIELDS = EdgeResult.__match_args__
_to_json = json.JSONEncoder(check_circular=False).encode


def _utc(seconds: float) -> tuple[int, int, int, int, int, int]:
    import time

    now = time.gmtime(seconds)
    return now.tm_year, now.tm_mon, now.tm_mday, now.tm_hour, now.tm_min, now.tm_sec


def timestamp(seconds: float) -> str:
    """Seconds since the epoch as `2024-02-12T10:00:00Z`."""
    return "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z".format(*_utc(seconds))


def point_latest(disk: Disk, store: str, run: str) -> None:
    """Make `latest` lead to a run, in one step: it never leads nowhere meanwhile.

    Raises:
        OSError: The disk does not take it.
    """
    path = f"{store}/latest"
    try:
        disk.symlink(f"runs/{run}", path)
    except IsADirectoryError:
        disk.remove(path)
        disk.symlink(f"runs/{run}", path)


class RunWriter:
    """Writes the history of one build, from the moment when the build has something to tell.

    Args:
        disk: The project's disk.
        store: The store's folder, from the root.
        clock: For the times in it.
        options: What was asked for.
        keep: How many runs to keep, this one among them.
        version: Of pipefile.
    """

    def __init__(self, disk: Disk, store: str, clock: Clock, options: Options, keep: int, version: str) -> None:
        self._disk = disk
        self._store = store
        self._clock = clock
        self._options = options
        self._keep = keep
        self._version = version
        self._id = ""
        self._values: dict[str, object] = {}
        self._git: Git | None = None
        self._monotonic = clock.monotonic()
        self._started = clock.now()

    @property
    def begun(self) -> bool:
        """Whether there is something of it on disk."""
        return bool(self._id)

    @property
    def id(self) -> str:
        """The run's id. Asking for it begins the run.

        Raises:
            StoreError: It cannot be written.
        """
        self.begin()
        return self._id

    def begin(self) -> None:
        """The build has something to tell.

        Raises:
            StoreError: It cannot be written.
        """
        if not self._id:
            self._begin()

    def log_path(self, stage: str) -> str:
        """Where the log of an edge belongs, from the root. Asking for it begins the run."""
        return log_folder(self._store, self.id, stage) + "/log.txt"

    def shared_log_path(self, stage: str, name: str) -> str:
        """Where a log of several edges of a stage belongs, from the root."""
        return log_folder(self._store, self.id, stage) + f"/{name}"

    def _begin(self) -> None:
        year, month, day, hour, minute, second = _utc(self._started)
        fraction = int(self._started % 1 * 0x1000000)  # so that runs of one second sort by time
        run = f"{year:04}{month:02}{day:02}_{hour:02}{minute:02}{second:02}_{fraction:06x}"
        options = self._options
        git = self._git = Git(self._disk.root, options.environ)
        self._values = {
            "format": FORMAT,
            "id": run,
            "status": "running",
            "started_at": timestamp(self._started),
            "finished_at": None,
            "duration_seconds": 0.0,
            "command": list(options.command),
            "targets": list(options.targets),
            "jobs": options.jobs,
            "schedule": options.schedule,
            "host": os.uname().nodename,
            "python": sys.version.split(" ")[0],
            "pipefile": self._version,
            "git": {"commit": git.commit, "dirty": None} if git.commit else None,
            "counts": dict.fromkeys(COUNTS, 0),
        }
        prepare_store(self._disk, self._store)
        try:
            while self._disk.lstat(folder := f"{self._store}/runs/{run}") is not None:  # a clock that was set back
                fraction = (fraction + 1) % 0x1000000
                run = self._values["id"] = f"{run[:16]}{fraction:06x}"
            self._disk.mkdirs(folder)
            self._write("run.json", {**self._values, "owner": _owner()}, run)
            point_latest(self._disk, self._store, run)
        except OSError as error:
            raise cannot_write(self._disk.at(f"{self._store}/runs/{run}"), error) from error
        self._id = run
        git.ask()

    def _write(self, name: str, values: Mapping[str, object], run: str) -> None:
        text = ",\n".join([f"  {_to_json(key)}: {_to_json(value)}" for key, value in values.items()])
        self._disk.write(f"{self._store}/runs/{run}/{name}", f"{{\n{text}\n}}\n".encode("ascii"))

    def finish(self, status: str, counts: Mapping[str, int], edges: Sequence[EdgeResult]) -> str:
        """Write how it ended, and remove the oldest runs beyond those to keep. Does nothing for a run that never began.

        Args:
            status: "succeeded", "failed" or "interrupted".
            counts: By the names in COUNTS; those left out are 0.
            edges: What is known of each edge.

        Returns:
            The run's id; "" for none.

        Raises:
            StoreError: It cannot be written.
        """
        run = self._id
        if not run:
            return ""
        values = self._values
        values["status"] = status
        values["finished_at"] = timestamp(self._clock.now())
        values["duration_seconds"] = round(self._clock.monotonic() - self._monotonic, 6)
        values["counts"] = {name: counts.get(name, 0) for name in COUNTS}
        git = self._git
        if git is not None and git.commit:
            values["git"] = {"commit": git.commit, "dirty": git.dirty()}
        lines = ",\n".join([_by_hand(edge) or _to_json(_edge_values(edge)) for edge in edges])
        try:
            text = f'{{"format": {FORMAT}, "edges": [\n{lines}\n]}}\n'
            self._disk.write(f"{self._store}/runs/{run}/manifest.json", text.encode("ascii"))
            self._write("run.json", values, run)
            self._prune()
        except OSError as error:
            raise cannot_write(self._disk.at(f"{self._store}/runs/{run}"), error) from error
        return run

    def close(self) -> None:
        """Leave the run as it stands: without `finish`, it reads as interrupted."""
        if self._git is not None:
            self._git.close()

    def _prune(self) -> None:
        reader = RunReader(self._disk, self._store)
        for run in reader.ids()[max(1, self._keep) :]:
            if run != self._id and reader.read(run).status != "running":
                try:
                    self._disk.remove(f"{self._store}/runs/{run}")
                except OSError:
                    continue  # an old run that stays harms nobody


def _edge_values(edge: EdgeResult) -> dict[str, object]:
    values: dict[str, object] = {name: getattr(edge, name) for name in _EDGE_FIELDS}
    for name in ("inputs", "outputs", "params", "code", "undeclared"):
        values[name] = dict(getattr(edge, name))
    if not edge.undeclared:
        del values["undeclared"]
    return values


def _by_hand(edge: EdgeResult) -> str | None:
    """The JSON of an edge that has run as most do, as the library makes it; None for any other."""
    if edge.params or edge.undeclared or edge.error or edge.exit_status != 0 or not isfinite(edge.duration_seconds + edge.cpu_seconds):
        return None
    inputs, outputs, code, reasons = edge.inputs, edge.outputs, edge.code, edge.reasons
    marks = sum([text.count('"') for text in code.values()])
    if marks:
        code = {name: marked(text) for name, text in code.items()}
    line = (
        f'{{"stage": "{edge.stage}", "instance": "{edge.instance}", "wave": {edge.wave}, "status": "{edge.status}", "reasons": {texts(reasons)}, '
        f'"mode": "{edge.mode}", "attempts": {edge.attempts}, "started_at": "{edge.started_at}", "duration_seconds": {edge.duration_seconds!r}, '
        f'"cpu_seconds": {edge.cpu_seconds!r}, "peak_rss_bytes": {edge.peak_rss_bytes}, "key": "{edge.key}", "inputs": {table(inputs)}, '
        f'"outputs": {table(outputs)}, "params": {{}}, "exit_status": 0, "error": "", "log": "{edge.log}", "mode_reason": "{edge.mode_reason}", '
        f'"code": {table(code)}}}'
    )
    return finished(line, 58 + 2 * len(reasons) + 4 * (len(inputs) + len(outputs) + len(code)), marks)


def _owner() -> dict[str, object]:
    return {"pid": os.getpid(), "start": start_of(os.getpid()), "boot": boot_id()}
