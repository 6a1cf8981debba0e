"""`build --pdb STAGE` and `audit STAGE`: what can be debugged, and what can be traced."""

from __future__ import annotations

from pipefile.base.errors import UsageError
from pipefile.base.paths import show
from pipefile.engine.session import Session
from pipefile.model.stage import Call
from pipefile.plan.near import nearest


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


def check_trace(session: Session, name: str) -> None:
    """See that a name is that of one edge.

    Raises:
        UsageError: It is not.
    """
    graph = session.graph
    if any(edge.name == name for edge in graph.edges):
        return
    if name in graph.by_stage:
        numbers = graph.by_stage[name]
        hint = f"`{show(graph.edges[numbers[0]].name)}` is one of them" if numbers else ""
        raise UsageError(f"`audit` takes one stage, and `{show(name)}` has {len(numbers)} instances", hint=hint)
    if name in graph.producer:
        hint = f"stage `{show(graph.edges[graph.producer[name]].name)}` makes it"
        raise UsageError(f"`audit` takes one stage, and `{show(name)}` is none", hint=hint)
    near = nearest(name, [edge.name for edge in graph.edges])
    raise UsageError(f"`audit` takes one stage, and `{show(name)}` is none", hint=f"did you mean `{show(near)}`?" if near else "")
