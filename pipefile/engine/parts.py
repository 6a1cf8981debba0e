"""What the loop of a build is made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pipefile.base.dataclass import dataclass
from pipefile.engine.attempt import Attempts
from pipefile.engine.conditions import Conditions
from pipefile.engine.decide import Decider
from pipefile.engine.interrupt import Interrupts
from pipefile.engine.reuse import Reuse
from pipefile.engine.session import Session
from pipefile.engine.slots import Slots
from pipefile.model.event import Event
from pipefile.model.options import Options
from pipefile.store.runs import RunWriter

if TYPE_CHECKING:
    from pipefile.engine.growth import Growth
    from pipefile.engine.temps import Temps


@dataclass(frozen=True, slots=True)
class Work:
    """What one build works with.

    Args:
        session: The project.
        options: What was asked for.
        emit: Takes events.
        warn: Takes warnings.
        decider: Fresh or stale.
        inherit: The lock's descriptor, for every stage process; -1 for none.
        interrupts: Signals, or None.
    """

    session: Session
    options: Options
    emit: Callable[[Event], None]
    warn: Callable[[str], None]
    decider: Decider
    inherit: int
    interrupts: Interrupts | None


@dataclass(frozen=True, slots=True)
class Parts:
    """What the loop of one build drives.

    Args:
        attempts: Prepares and commits.
        writer: The run's history.
        conditions: What is left out.
        slots: What edges may use while they run.
        reuse: Earlier results.
        temps: Temporary outputs; None where there are none.
        growth: Makes instances whose items stages make; None where there are none.
    """

    attempts: Attempts
    writer: RunWriter
    conditions: Conditions
    slots: Slots
    reuse: Reuse
    temps: Temps | None = None
    growth: Growth | None = None
