"""What pattern rules have made and nothing asks for now: such a file is not dead, and no source either.

A file that was named on the command line once stays, as long as its rule would make it again. Nobody sees to it that it is fresh, so a stage that
reads it without saying so is told to.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property

from pipefile.base.dataclass import replace
from pipefile.base.errors import InputError
from pipefile.base.locations import Place
from pipefile.base.paths import show
from pipefile.engine.session import Session
from pipefile.engine.world import record_of
from pipefile.model.graph import Edge
from pipefile.model.record import Record


class Unasked:
    """Looks at files that no edge makes.

    Args:
        session: The project.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._known: dict[str, str] = {}

    @cached_property
    def rules(self) -> frozenset[str]:
        """Names of the pattern rules."""
        pipeline = self._session.pipeline
        found = [name for name, stage in pipeline.stages.items() if stage.is_pattern]
        if not pipeline.stages:  # a warm start has read none; of stages without instances of their own the index keeps the tables
            found = [name for name, table in pipeline.document.get("stage", {}).items() if "for_each" not in table or "where" in table]
        return frozenset(found)

    def maker(self, path: str) -> str:
        """The instance of a rule that has made a file which no edge makes; "" for any other file."""
        if not self.rules or path in self._session.graph.producer or (path[0] == "/" and not self._session.pipeline.settings.outside):
            return ""
        found = self._known.get(path)
        if found is None:
            record = record_of(self._session.disk, path)
            ours = record is not None and record.pipefile in self._session.pipefiles and _stage(record) in self.rules
            found = self._known[path] = record.edge if record is not None and ours else ""
        return found

    def check_code(self, edge: Edge, files: Iterable[str]) -> None:
        """See that no file of an edge's code is one that a rule has made and nothing asks for.

        Raises:
            InputError: One is.
        """
        for path in files if self.rules else ():
            maker = self.maker(path)
            if maker:
                text = f"the code of `{show(edge.name)}` is in `{show(path)}`, which stage `{show(maker)}` makes, without declaring it"
                place = Place(edge.stage.file, ("stage", edge.stage.name), f"`{show(edge.stage.name)}`")
                raise InputError(text, (place,), f'add it to the inputs of `{show(edge.stage.name)}`: "{show(path)}"')


def is_spare(session: Session, record: Record) -> bool:
    """Whether a rule has made the output that a record stands beside, and would make it again."""
    rules = session.graph.rules
    if rules is None or record.output is None:
        return False
    stage = session.pipeline.stages.get(_stage(record))
    return stage is not None and stage.is_pattern and rules.makeable(record.output) is not None


def _stage(record: Record) -> str:
    return record.edge.partition("@")[0]


def rest_on(session: Session, spare: Iterable[str]) -> None:
    """Have the index know what these files are made from: without that they are dead."""
    rules = session.graph.rules
    sources = {source for path in spare for source in (rules.makeable(path) or () if rules is not None else ())}
    found: dict[str, str | None] = {}
    for path in sources:
        try:
            state = session.files.state(path)
        except InputError:
            continue
        if state.kind == "file":
            found[path] = state.digest
    if found:
        session.pipeline = replace(session.pipeline, files={**found, **session.pipeline.files})
