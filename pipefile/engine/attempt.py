"""One execution of an edge: made ready, handed to an executor, and, if all is well, committed.

The commit order (4-architecture) is the order of the calls in `Attempts.commit`: a kill between any two leaves the edge stale, or as it was before.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from pipefile.base import digest as digests
from pipefile.base.dataclass import dataclass, field
from pipefile.base.errors import InputError
from pipefile.base.paths import folder_of, parents, show
from pipefile.engine import ticks
from pipefile.engine.decide import Decider, Decision
from pipefile.engine.discover import Discovery, Found
from pipefile.engine.files import NOTHING, SMALL, Files, State, large_files
from pipefile.engine.naming import Naming
from pipefile.engine.places import Places, written_at
from pipefile.engine.session import Session
from pipefile.engine.tasks import Log, Tasks
from pipefile.engine.verdict import Verdict
from pipefile.model.audit import NOTHING_BEYOND, Beyond
from pipefile.model.cache import Small
from pipefile.model.graph import Edge, FileSet
from pipefile.model.ports import Completion, Task
from pipefile.model.record import Made, Reason, Record
from pipefile.model.stage import Output
from pipefile.plan.mode import NO_MODE, Mode
from pipefile.plan.resources import ONE_CPU, Grant
from pipefile.plan.stale import describe
from pipefile.store.entry import INLINE
from pipefile.store.index import stamp_of
from pipefile.store.record import names_files

_PUT_RIGHT = "the next build makes it anew"

PATIENCE = 60.0
"""Seconds: an attempt whose inputs changed is repeated if it took less; else the edge fails and its outputs are kept."""


@dataclass(slots=True)
class Attempt:
    """An edge on its way.

    Args:
        edge: Which one.
        decision: Why it runs, and its key.
        number: From 1.
        rerun: Its inputs changed while an earlier attempt ran.
        fallback: What runs in place of the stage, which has failed: *edge* is that one's then, by the name of the stage; "" for the stage itself.
        inputs: Declared inputs -> what they were when the key was computed.
        discovered: The same for known discovered inputs.
        start: The disk's stamp when it started, ns; 0 where nothing needs it.
        command: What runs, as a person would type it.
        mode: How it runs.
        grant: What it may use.
        began: When it was handed to its executor, by the clock.
        log: Path of its log from the root, where it shares one; "" for one of its own.
        quiet: What that holds is told with another attempt.
        beyond: What it did beyond its declaration, as far as that is known and told.
    """

    edge: Edge
    decision: Decision
    number: int = 1
    rerun: bool = False
    fallback: str = ""
    inputs: dict[str, State] = field(default_factory=dict)
    discovered: dict[str, State] = field(default_factory=dict)
    start: int = 0
    command: str = ""
    mode: Mode = NO_MODE
    grant: Grant = ONE_CPU
    began: float = 0.0
    log: str = ""
    quiet: bool = False
    beyond: Beyond = NOTHING_BEYOND


class Attempts:
    """Makes attempts ready and commits what they made.

    Args:
        session: The project.
        decider: What was decided, and the records.
        places: Where outputs are written.
        discovery: Finds undeclared inputs.
        tick: How stamps behave on the store's disk.
        tasks: Makes them.
    """

    def __init__(  # what an attempt is made of
        self, session: Session, decider: Decider, places: Places, discovery: Discovery, tick: ticks.Ticks, tasks: Tasks
    ) -> None:
        self._session = session
        self._disk = session.disk
        self._files: Files = session.files
        self._records = session.records
        self._decider = decider
        self._places = places
        self._discovery = discovery
        self._tick = tick
        self._tasks = tasks
        self.audits = tasks.audits
        self.naming = Naming(session, decider, places, self._hash_file)
        self._algorithm = session.pipeline.settings.hash
        self._tampered: set[str] = set()
        self.small: dict[str, Small] | None = None
        """Outputs that are small, for whoever wants to keep them: who takes them out; None if nobody does."""
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
                if need.files.value:
                    self._add_named(need.files, found)
                if self._files.optional and not need.optional:
                    self._decider.check_made(need.files)
                if need.files.inside and not need.optional and not any(found[path].kind != "absent" for path in paths):
                    raise InputError(self._not_made(need.files))
        return found

    def _add_named(self, files: FileSet, found: dict[str, State]) -> None:
        """Add the files that values among the inputs name: they are read as well.

        Raises:
            InputError: One is not what the stage that named it has left.
        """
        for value, kind in zip(files.paths, files.kinds, strict=True):
            if kind != "file" or found[value].kind == "absent":
                continue
            path, digest, _ = self._session.values.named(value)
            found[path] = self._files.state(path)
            if found[path].digest != digest:
                maker = show(self._session.graph.edges[self._session.graph.producer[value]].name)
                what = "removed" if found[path].kind == "absent" else "changed"
                raise InputError(f"`{show(path)}`, which stage `{maker}` has named, was {what} since")

    def _not_made(self, files: FileSet) -> str:
        """What is said of an input in another stage's directory output that is not there, now that the stage has ended."""
        maker = show(self._session.graph.edges[files.node].name)
        text = show(files.text)
        return f"no file matches `{text}` in what stage `{maker}` made" if files.kind == "late" else f"stage `{maker}` did not make `{text}`"

    def prepare(self, attempt: Attempt) -> None:
        """Make an attempt ready: places, and removed records where it writes in place.

        Raises:
            InputError: An input is not there.
            OSError: The disk does not take it.
        """
        edge, number = attempt.edge, attempt.number
        attempt.inputs = self.inputs_of(edge)
        if attempt.fallback:
            self._check_inputs(edge, attempt.inputs)
        if self._tampered:
            for path in attempt.inputs:
                if path in self._tampered or not self._tampered.isdisjoint(parents(path)):
                    raise InputError(self._of_tampered(path), hint=_PUT_RIGHT)
        for path in attempt.decision.code:
            attempt.inputs[path] = self._files.state(path)
        if edge.discovers:
            attempt.discovered = self._discovery.before(edge, attempt.decision)
        if edge.stage.depfile or edge.stage.audit == "track" or names_files(edge.outputs):
            if number > 1 and self._tick.tick:  # a change of the first attempt must not look like one of this
                ticks.pass_tick(min(self._tick.tick, ticks.WHOLE_SECONDS), self._session.project.clock)
            attempt.start = ticks.mark(self._disk, self._session.store)
        if not edge.outputs or any(output.in_place for output in edge.outputs):
            self._records.remove(edge.name, edge.outputs)
            self._decider.forget(edge)
        self._places.prepare(edge, number > 1)

    def task(self, attempts: Sequence[Attempt], log: Log) -> Task:
        """The task of an attempt that is ready, or of several that run as one.

        Raises:
            InputError: A placeholder asks for what is not there.
            OSError: The disk does not take it.
        """
        first = attempts[0]
        inputs = first.inputs
        if len(attempts) > 1:
            inputs = {path: state for attempt in attempts for path, state in attempt.inputs.items()}
        number = max([attempt.number for attempt in attempts])
        task, command, mode = self._tasks.task([attempt.edge for attempt in attempts], inputs, log, number, first.grant)
        for attempt in attempts:
            attempt.command, attempt.mode = command, mode
        return task

    def report(self, last: Attempt) -> bytes:
        """What the function of a batch has told of its items. *last*: the last of its attempts."""
        return self._tasks.report(last.edge)

    def _check_inputs(self, edge: Edge, inputs: dict[str, State]) -> None:
        """What a fallback needs was not waited for by anybody, and may be missing."""
        for need in edge.needs:
            if need.files is not None and not need.optional:
                for path in self._files.set_paths(need.files):
                    if inputs[path].kind == "absent":
                        raise InputError(f"`{show(path)}`, which it needs, is not there")

    # -- after

    def failed(self, attempt: Attempt) -> None:
        """Remove what a failed or interrupted attempt has left."""
        self._places.discard(attempt.edge)
        self.audits.drop(attempt.edge)

    def changed(self, attempt: Attempt) -> list[str]:
        """Inputs that changed while a failed attempt ran: the next one gets them as they are now."""
        states = {**attempt.inputs, **attempt.discovered}
        found = [path for path, state in states.items() if not self._is_same(path, state)]
        if found:
            self._files.moved(found)
            self._decider.code.moved(found)
        return found

    def _is_same(self, path: str, state: State) -> bool:
        try:
            return self._files.same(path, state)
        except (OSError, InputError):
            return False

    def commit(self, attempt: Attempt, completion: Completion) -> Verdict:
        """Check, hash, put in place and record what a successful action has made.

        Raises:
            OSError: The disk does not take it; the edge is stale then.
        """
        edge, verdict = attempt.edge, Verdict()
        last = attempt.rerun
        changed = [path for path, state in attempt.inputs.items() if not self._files.same(path, state)]
        made = self._made_plainly(edge) if not changed else None
        if made is None:
            text, hint = self._places.fault_of(edge)
            if text:
                return Verdict(error=f"{_ended(completion)} but {text}", hint=hint, own=True)
        found = Found()
        beyond = self.audits.take(edge, attempt.inputs, completion.seen)
        if edge.discovers:
            tracked = beyond.reads if edge.stage.audit == "track" else ()
            found = self._discovery.after(edge, attempt.discovered, attempt.decision, (attempt.start, last), tracked)
            if found.fault:
                return Verdict(error=found.fault, hint=found.hint)
        changed += found.changed
        if changed:
            self._files.moved(changed)
            self._decider.code.moved(changed)
            return self._tampered_with(attempt, changed) or self._tainted(attempt, completion, changed)
        for path in found.own:
            if path not in attempt.decision.own:
                self._files.forget(path)
                verdict.warnings.append(
                    f"stage `{show(edge.name)}` writes `{show(path)}`, which its command names: it is taken as no input; declare it as an output"
                )
        named: dict[str, State] = {}
        if names_files(edge.outputs):
            named, fault = self.naming.take(edge, attempt.inputs, attempt.start)
            if fault is not None:
                return Verdict(error=fault.message, hint=fault.hint, own=True)
        attempt.beyond = self.audits.judged(edge, beyond, found.digests, named)
        if edge.stage.audit == "strict" and any(attempt.beyond):
            return Verdict(*self.audits.fault(edge, attempt.beyond))
        if made is None:
            made = self._hash_outputs(edge)
        made.update(named)
        self.put_in_place(edge, made)
        self.write_records(attempt, completion, made, found)
        verdict.outputs = {path: state.digest for path, state in made.items()}
        verdict.discovered = found.digests
        return verdict

    def _tampered_with(self, attempt: Attempt, changed: list[str]) -> Verdict | None:
        """What to say where outputs of other stages, and not only sources, have other bytes now: whoever reads them waits for the next build."""
        made = [path for path in changed if path in attempt.inputs and self._maker(path) is not None]
        made = [path for path in made if self._files.state(path).digest != attempt.inputs[path].digest]
        self._tampered.update(made)
        return Verdict(error=self._of_tampered(made[0]), hint=_PUT_RIGHT, changed=changed) if made else None

    def _of_tampered(self, path: str) -> str:
        maker = self._maker(path)
        assert maker is not None
        return f"`{show(path)}` was changed after stage `{show(self._session.graph.edges[maker].name)}` had made it"

    def _maker(self, path: str) -> int | None:
        """Whose output a file is, by itself or as a part of a directory."""
        producer = self._session.graph.producer
        found = producer.get(path, self._decider.owners.get(path))
        if found is None:
            found = next((producer[folder] for folder in parents(path) if folder in producer), None)
        return found

    def _tainted(self, attempt: Attempt, completion: Completion, changed: list[str]) -> Verdict:
        names = ", ".join(f"`{show(path)}`" for path in changed[:3]) + (f" and {len(changed) - 3} more" if len(changed) > 3 else "")
        if not attempt.rerun and completion.elapsed < PATIENCE:
            self._places.discard(attempt.edge)
            return Verdict(again=True, warnings=[f"{names} changed while stage `{show(attempt.edge.name)}` ran: it runs again"], changed=changed)
        linked = self._hard_link(attempt.edge, changed)
        self._keep_unrecorded(attempt.edge)
        hint = f"output `{show(linked)}` is a hard link of it: copy it instead" if linked else "its outputs are kept, but not believed"
        if any(path in attempt.edge.literal for path in changed):
            hint = "if the stage changes it itself, declare it as an output or set `infer_inputs = false`"
        return Verdict(error=f"was made from inputs that changed while it ran: {names}", hint=hint, kept=True, changed=changed)

    def _hard_link(self, edge: Edge, changed: list[str]) -> str:
        """The output that is a hard link of the one input that changed: to make the link is the change. "" if there is none."""
        source = self._disk.stat(changed[0]) if len(changed) == 1 else None
        for output in edge.outputs:
            seen = self._disk.lstat(written_at(output))
            if source is not None and seen is not None and (seen.st_dev, seen.st_ino) == (source.st_dev, source.st_ino):
                return output.shown
        return ""

    def _keep_unrecorded(self, edge: Edge) -> None:
        self._records.remove(edge.name, edge.outputs)
        self._decider.forget(edge)
        for output in edge.outputs:
            self._files.forget(output.path)
            self._places.put_in_place(output)

    def _made_plainly(self, edge: Edge) -> dict[str, State] | None:
        """The outputs of an edge that has made nothing but files, as it should: each is looked at once. None where they have to be looked over."""
        if edge.discovers:
            return None
        for output in edge.outputs:
            if output.directory or output.value:
                return None
        try:
            return self._hash_outputs(edge)
        except OSError:
            return None

    def _hash_outputs(self, edge: Edge) -> dict[str, State]:
        made = {}
        for output in edge.outputs:
            place = written_at(output)
            if output.optional and self._places.is_unmade(output):
                made[output.path] = NOTHING
                continue
            if output.directory:
                made[output.path] = self._hash_directory(place)
            elif output.value:
                made[output.path] = self._hash_value(place)
            else:
                made[output.path] = self._hash_file(place, output.path)
            if self._sync:
                self._disk.sync(place)
        return made

    def _hash_value(self, place: str) -> State:
        """As `_hash_file`; the bytes of a small value are kept, since other stages want them."""
        values = self._session.values
        seen = self._disk.lstat(place)
        if seen is None or seen.st_size > values.in_memory:
            return self._hash_file(place)
        data = self._disk.read(place, follow=False)
        digest = digests.of_bytes(data, self._algorithm)
        if seen.st_mode & 0o100:
            return self._hash_file(place)
        values.keep(digest, data)
        return State("file", digest, stamp_of(seen))

    def _hash_file(self, place: str, path: str = "") -> State:
        if self._tick.tick:
            seen = self._disk.stat(place)
            if seen is not None and seen.st_size > SMALL:
                # hashed once, when another change would show in its stamp, instead of twice
                ticks.pass_tick(self._tick.tick, self._session.project.clock)
                state = self._files.hash(place, follow=False)
                return state._replace(settled=state.stamp == stamp_of(seen))
        if self.small is None or not path:
            return self._files.hash(place, follow=False)
        kept: list[bytes] = []
        state = self._files.hash(place, follow=False, kept=kept)
        if kept and len(kept[0]) <= INLINE and state.stamp is not None:
            self.small[path] = Small(state.digest, bool(state.stamp[5] & 0o100), kept[0])
        return state

    def _hash_directory(self, place: str) -> State:
        """As `_hash_file` for each file in it; what is found of them is kept until they are at their final place."""
        files = self._files
        for inner in files.members.pop(place, ((), ()))[0]:  # of an earlier attempt
            files.forget(inner)
        large = large_files(self._disk, place) if self._tick.tick else {}
        if large:
            ticks.pass_tick(self._tick.tick, self._session.project.clock)
        state = files.directory(place)
        for inner, stamp in large.items():
            found = files.known.get(inner)
            if found is not None and found.stamp == stamp:
                files.known[inner] = found._replace(settled=True)
        return state

    def put_in_place(self, edge: Edge, made: dict[str, State]) -> None:
        """Rename outputs from their temporary paths, and complete what is known of them."""
        if not self._decider.is_bare(edge) and any(not output.in_place for output in edge.outputs):
            self._records.remove(edge.name, edge.outputs)
        self._decider.forget(edge)
        folders = {folder_of(path) for path in made}
        for output in edge.outputs:
            self._places.put_in_place(output)
            before = made[output.path].digest
            self._settle(output, made)
            if made[output.path].digest != before:  # it was at its final place when somebody else wrote to it: that is not what the stage has made
                self._tampered.add(output.path)
                made[output.path] = made[output.path]._replace(digest=before)
        if self._sync:
            for folder in folders:
                self._disk.sync(folder)

    def _settle(self, output: Output, made: dict[str, State]) -> None:
        """Take the stamp that the output has at its final place: a rename sets ctime."""
        files, path, place = self._files, output.path, written_at(output)
        if made[path].kind == "absent":
            for inner in files.members.pop(path, ((), ()))[0]:
                files.forget(inner)
            files.known[path] = NOTHING
            return
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
            made[path] = files.known[path] = State(before.kind, before.digest, after, before.settled)

    def write_records(self, attempt: Attempt, completion: Completion, made: dict[str, State], found: Found) -> Record:
        """Write the records of what stands in place: from now on the edge is fresh."""
        edge, decision = attempt.edge, attempt.decision
        folders = {output.path for output in edge.outputs if output.directory}
        outputs = tuple([Made(path, "directory" if path in folders else "file", state.digest) for path, state in made.items()])
        record = Record(
            edge=edge.name,
            pipefile=self._session.pipefile_of(edge.stage),
            attempt=os.urandom(8).hex(),
            key="" if attempt.fallback else decision.key,
            output=outputs[0].path if outputs else None,
            outputs=outputs,
            components=tuple(decision.parts),
            discovered=found.digests,
            own=tuple(dict.fromkeys(found.own)),
            reasons=reason_texts(decision.reasons),
            duration=round(completion.elapsed, 6),
            members=self._decider.members(edge) if "set" in [part[0] for part in decision.parts] else {},
            degraded=attempt.fallback,
        )
        self._records.write(record, self._sync)
        self._decider.made(edge, record)
        return record

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
