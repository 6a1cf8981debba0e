"""What came of an attempt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pipefile.base.dataclass import dataclass, field


@dataclass(slots=True)
class Verdict:
    """What came of an attempt that ended with success as far as its executor can tell.

    Args:
        error: Why it failed all the same; "" if it did not.
        hint: What to do about it.
        again: It has to be repeated: its inputs changed meanwhile.
        kept: It failed, but its outputs stand where they belong.
        warnings: What a person should know.
        outputs: What was made: path -> digest.
        changed: Inputs that changed while it ran.
        own: The error is the stage's: it did not make its outputs.
        discovered: What it read besides its declared inputs: path -> digest.
    """

    error: str = ""
    hint: str = ""
    again: bool = False
    kept: bool = False
    warnings: list[str] = field(default_factory=list)
    outputs: dict[str, str] = field(default_factory=dict)
    changed: Sequence[str] = ()
    own: bool = False
    discovered: Mapping[str, str] = field(default_factory=dict)
