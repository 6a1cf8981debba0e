"""One execution of an edge: made ready, handed to an executor, and, if all is well, committed.

The commit order (4-architecture) is the order of the calls in `Attempts.commit`: a kill between any two leaves the edge stale, or as it was before.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from pipefile.base.dataclass import dataclass, field
from pipefile.base.errors import InputError
from pipefile.base.paths import folder_of, show
from pipefile.engine import ticks
from pipefile.engine.decide import Decider, Decision
from pipefile.engine.discover import Discovery, Found
from pipefile.engine.files import SMALL, Files, State
from pipefile.engine.places import Places, written_at
from pipefile.engine.session import Session
from pipefile.engine.tasks import Tasks
from pipefile.model.graph import Edge, FileSet
from pipefile.model.ports import Completion, Task
from pipefile.model.record import Made, Reason, Record
from pipefile.model.stage import Call, Output
from pipefile.plan.stale import describe
from pipefile.store.index import stamp_of

PATIENCE = 60.0
"""Seconds: an attempt whose inputs changed is repeated if it took less; else the edge fails and its outputs are kept."""


@dataclass(slots=True)
class Attempt:
    """An edge on its way.

    Args:
        edge: Which one.
        decision: Why it runs, and its key.
        number: From 1.
        inputs: Declared inputs -> what they were when the key was computed.
        discovered: The same for known discovered inputs.
        start: The disk's stamp when it started, ns; 0 where nothing needs it.
    """

    edge: Edge
    decision: Decision
    number: int
    inputs: dict[str, State] = field(default_factory=dict)
    discovered: dict[str, State] = field(default_factory=dict)
    start: int = 0
    command: str = ""


@dataclass(slots=True)
class Verdict:
    """What came of an attempt that ended with success as far as its executor can tell.

    Args:
        error: Why it failed all the same; "" if it did not.
        hint: What to do about it.
        again: It has to be repeated: its inputs changed meanwhile.
        warnings: What a person should know.
        outputs: What was made: path -> digest.
        changed: Inputs that changed while it ran.
    """

    error: str = ""
    hint: str = ""
    again: bool = False
    warnings: list[str] = field(default_factory=list)
    outputs: dict[str, str] = field(default_factory=dict)
    changed: Sequence[str] = ()


class Attempts:
    """Makes attempts ready and commits what they made.

    Args:
        session: The project.
        decider: What was decided, and the records.
        places: Where outputs are written.
        discovery: Finds undeclared inputs.
        tick: How stamps behave on the store's disk.
    """

    def __init__(self, session: Session, decider: Decider, places: Places, discovery: Discovery, tick: ticks.Ticks) -> None:
        self._session = session
        self._disk = session.disk
        self._files: Files = session.files
        self._records = session.records
        self._decider = decider
        self._places = places
        self._discovery = discovery
        self._tick = tick
        self._tasks = Tasks(session)
        self._algorithm = session.pipeline.settings.hash
        self._sync = session.pipeline.settings.durability == "full"

    # -- before

    def inputs_of(self, edge: Edge) -> dict[str, State]:
        """What the declared inputs of an edge are, as far as this build knows.

        Raises:
            InputError: One that another stage should have made in its directory is not there.
        """
        files = self._files
        found: dict[str, State] = {}
        for need in edge.needs:
            if need.files is not None:
                paths = files.set_paths(need.files)
                for path in paths:
                    found[path] = files.state(path)
                if need.files.inside and not need.optional and not any(found[path].kind != "absent" for path in paths):
                    raise InputError(self._not_made(need.files))
        return found

    def _not_made(self, files: FileSet) -> str:
        """What is said of an input in another stage's directory output that is not there, now that the stage has ended."""
        maker = show(self._session.graph.edges[files.node].name)
        text = show(files.text)
        return f"no file matches `{text}` in what stage `{maker}` made" if files.kind == "late" else f"stage `{maker}` did not make `{text}`"

    def prepare(self, edge: Edge, decision: Decision, number: int, log: Callable[[Edge], str]) -> tuple[Attempt, Task]:
        """Make an attempt ready: places, removed records where it writes in place, the task.

        Raises:
            InputError: An input is not there.
            OSError: The disk does not take it.
        """
        attempt = Attempt(edge, decision, number, self.inputs_of(edge))
        if isinstance(edge.stage.action, Call):
            for path, _ in self._decider.code(edge):
                attempt.inputs[path] = self._files.state(path)
        if edge.literal or edge.stage.depfile:
            attempt.discovered = self._discovery.before(edge, decision)
        if edge.stage.depfile:
            if number > 1 and self._tick.tick:  # a change of the first attempt must not look like one of this
                ticks.pass_tick(min(self._tick.tick, ticks.WHOLE_SECONDS), self._session.project.clock)
            attempt.start = ticks.mark(self._disk, self._session.store)
        if not edge.outputs or any(output.in_place for output in edge.outputs):
            self._records.remove(edge.name, edge.outputs)
            self._decider.forget(edge)
        self._places.prepare(edge, number > 1)
        task, attempt.command = self._tasks.task(edge, attempt.inputs, log(edge))
        return attempt, task

    # -- after

    def failed(self, attempt: Attempt) -> None:
        """Remove what a failed or interrupted attempt has left."""
        self._places.discard(attempt.edge)

    def commit(self, attempt: Attempt, completion: Completion) -> Verdict:
        """Check, hash, put in place and record what a successful action has made.

        Raises:
            OSError: The disk does not take it; the edge is stale then.
        """
        edge, verdict = attempt.edge, Verdict()
        text, hint = self._places.fault_of(edge)
        if text:
            return Verdict(error=f"{_ended(completion)} but {text}", hint=hint)
        last = attempt.number > 1
        changed = [path for path, state in attempt.inputs.items() if not self._files.same(path, state)]
        found = Found()
        if edge.literal or edge.stage.depfile:
            found = self._discovery.after(edge, attempt.discovered, attempt.decision, attempt.start, last)
            if found.fault:
                return Verdict(error=found.fault, hint=found.hint)
        changed += found.changed
        if changed:
            self._files.moved(changed)
            return self._tainted(attempt, completion, changed)
        for path in found.own:
            if path not in attempt.decision.own:
                self._files.forget(path)
                verdict.warnings.append(
                    f"stage `{show(edge.name)}` writes `{show(path)}`, which its command names: it is taken as no input; declare it as an output"
                )
        made = self._hash_outputs(edge)
        self._put_in_place(edge, made)
        self._write_records(attempt, completion, made, found)
        verdict.outputs = {path: state.digest for path, state in made.items()}
        return verdict

    def _tainted(self, attempt: Attempt, completion: Completion, changed: list[str]) -> Verdict:
        names = ", ".join(f"`{show(path)}`" for path in changed[:3]) + (f" and {len(changed) - 3} more" if len(changed) > 3 else "")
        if attempt.number == 1 and completion.elapsed < PATIENCE:
            self._places.discard(attempt.edge)
            return Verdict(again=True, warnings=[f"{names} changed while stage `{show(attempt.edge.name)}` ran: it runs again"], changed=changed)
        self._keep_unrecorded(attempt.edge)
        hint = "its outputs are kept, but not believed"
        if any(path in attempt.edge.literal for path in changed):
            hint = "if the stage changes it itself, declare it as an output or set `infer_inputs = false`"
        return Verdict(error=f"was made from inputs that changed while it ran: {names}", hint=hint, changed=changed)

    def _keep_unrecorded(self, edge: Edge) -> None:
        self._records.remove(edge.name, edge.outputs)
        self._decider.forget(edge)
        for output in edge.outputs:
            self._files.forget(output.path)
            self._places.put_in_place(output)

    def _hash_outputs(self, edge: Edge) -> dict[str, State]:
        made = {}
        for output in edge.outputs:
            place = written_at(output)
            if output.directory:
                made[output.path] = self._hash_directory(place)
            else:
                made[output.path] = self._hash_file(place)
            if self._sync:
                self._disk.sync(place)
        return made

    def _hash_file(self, place: str) -> State:
        if self._tick.tick:
            seen = self._disk.stat(place)
            if seen is not None and seen.st_size > SMALL:
                # hashed once, when another change would show in its stamp, instead of twice
                ticks.pass_tick(self._tick.tick, self._session.project.clock)
                state = self._files.hash(place)
                return state._replace(settled=state.stamp == stamp_of(seen))
        return self._files.hash(place)

    def _hash_directory(self, place: str) -> State:
        """As `_hash_file` for each file in it; what is found of them is kept until they are at their final place."""
        files = self._files
        for inner in files.members.pop(place, ((), ()))[0]:  # of an earlier attempt
            files.forget(inner)
        large = self._large_files(place) if self._tick.tick else {}
        if large:
            ticks.pass_tick(self._tick.tick, self._session.project.clock)
        state = files.directory(place)
        for inner, stamp in large.items():
            found = files.known.get(inner)
            if found is not None and found.stamp == stamp:
                files.known[inner] = found._replace(settled=True)
        return state

    def _large_files(self, place: str) -> dict[str, tuple[int, ...]]:
        found: dict[str, tuple[int, ...]] = {}
        todo = [place]
        while todo:
            folder = todo.pop()
            for name, kind in self._disk.names(folder):
                inner = f"{folder}/{name}"
                if kind == "directory":
                    todo.append(inner)
                elif kind == "file":
                    seen = self._disk.stat(inner)
                    if seen is not None and seen.st_size > SMALL:
                        found[inner] = stamp_of(seen)
        return found

    def _put_in_place(self, edge: Edge, made: dict[str, State]) -> None:
        if any(not output.in_place for output in edge.outputs):
            self._records.remove(edge.name, edge.outputs)
        self._decider.forget(edge)
        folders = set()
        for output in edge.outputs:
            self._places.put_in_place(output)
            folders.add(folder_of(output.path))
            self._settle(output, made)
        if self._sync:
            for folder in folders:
                self._disk.sync(folder)

    def _settle(self, output: Output, made: dict[str, State]) -> None:
        """Take the stamp that the output has at its final place: a rename sets ctime."""
        files, path, place = self._files, output.path, written_at(output)
        if output.directory:
            if place != path:
                for inner in files.members.pop(path, ((), ()))[0]:
                    files.forget(inner)
                for inner in files.members.pop(place, ((), ()))[0]:
                    files.known[path + inner[len(place) :]] = files.known.pop(inner)
            made[path] = files.known[path] = files.directory(path)
            return
        before = made[path]
        seen = self._disk.lstat(path)
        after = None if seen is None else files.stamp(seen)
        if after is None or before.stamp is None or (after[2], after[3]) != (before.stamp[2], before.stamp[3]):
            made[path] = files.known[path] = files.hash(path)  # somebody still writes to it
        else:
            made[path] = files.known[path] = before._replace(stamp=after)

    def _write_records(self, attempt: Attempt, completion: Completion, made: dict[str, State], found: Found) -> None:
        edge, decision = attempt.edge, attempt.decision
        outputs = tuple([Made(output.path, "directory" if output.directory else "file", made[output.path].digest) for output in edge.outputs])
        record = Record(
            edge=edge.name,
            pipefile=edge.stage.file,
            attempt=os.urandom(8).hex(),
            key=decision.key,
            output=outputs[0].path if outputs else None,
            outputs=outputs,
            components=tuple(decision.parts),
            discovered=found.digests,
            own=tuple(dict.fromkeys(found.own)),
            reasons=reason_texts(decision.reasons),
            duration=round(completion.elapsed, 6),
            members=self._decider.members(edge) if any(part.kind == "set" for part in decision.parts) else {},
        )
        self._records.write(record, self._sync)
        self._decider.made(edge, record)

    def close(self) -> None:
        self._tasks.close()


def reason_texts(reasons: tuple[Reason, ...], most: int = 20) -> tuple[str, ...]:
    """Reasons as records and runs keep them: the first ones in words, and how many more there were."""
    texts = [describe(reason) for reason in reasons[:most]]
    if len(reasons) > most:
        texts.append(f"and {len(reasons) - most} more")
    return tuple(texts)


def _ended(completion: Completion) -> str:
    return "returned" if completion.exit_status is None else f"ended with exit status {completion.exit_status}"
