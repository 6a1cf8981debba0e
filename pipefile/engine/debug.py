"""`build --pdb STAGE`: what can be debugged."""

from __future__ import annotations

from pipefile.base.errors import UsageError
from pipefile.base.paths import show
from pipefile.engine.session import Session
from pipefile.model.stage import Call


def check_debug(session: Session, name: str) -> None:
    """See that a name is that of one edge whose action is a function.

    Raises:
        UsageError: It is not.
    """
    edge = next((edge for edge in session.graph.edges if edge.name == name), None)
    if edge is None:
        raise UsageError(f"`--pdb` takes one stage, and `{show(name)}` is none")
    if not isinstance(edge.stage.action, Call):
        raise UsageError(f"`--pdb` is for stages that call a function, and `{show(name)}` runs a command")
