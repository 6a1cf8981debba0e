"""What a build says and keeps, without the values of secrets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeVar

from pipefile.base.errors import PipefileError
from pipefile.base.paths import show
from pipefile.model.event import Event
from pipefile.model.stage import Pipeline

if TYPE_CHECKING:
    from pipefile.base.mask import Mask

Made = TypeVar("Made")


def mask_of(pipeline: Pipeline, environ: Mapping[str, str]) -> Mask | None:
    """What masks the secrets of all stages: each can read those of the others too. None where there is nothing to mask.

    Args:
        pipeline: Its stages name them.
        environ: The environment, before dotenv files.
    """
    values = _values(pipeline, environ)
    if not values:
        return None
    from pipefile.base.mask import Mask

    return Mask(values.values()) or None


def unmasked(pipeline: Pipeline, environ: Mapping[str, str]) -> list[str]:
    """Warnings of secrets that are too short to be masked."""
    values = _values(pipeline, environ)
    if not values:
        return []
    from pipefile.base.mask import LEAST

    return [
        f"secret `{show(name)}` has fewer than {LEAST} characters: it is not masked" for name, value in values.items() if 0 < len(value) < LEAST
    ]


def _values(pipeline: Pipeline, environ: Mapping[str, str]) -> dict[str, str]:
    names = dict.fromkeys([name for stage in pipeline.stages.values() for name in stage.secret_env])
    found = {name: environ.get(name, pipeline.dotenv.get(name, "")) for name in names}
    return {name: value for name, value in found.items() if value}


def masked(made: Made, mask: Mask) -> Made:
    """An event, an entry of the history, ... without the values of secrets."""
    from dataclasses import fields, replace

    changed = {}
    for field in fields(made):  # type: ignore[arg-type]  # of dataclasses alone
        value = getattr(made, field.name)
        found = mask.anything(value)
        if found != value:
            changed[field.name] = found
    return replace(made, **changed) if changed else made  # type: ignore[type-var]


def mask_error(error: PipefileError, mask: Mask) -> None:
    """Take the values of secrets out of an error's text."""
    error.message = mask.text(error.message)
    error.hint = mask.text(error.hint)
    error.args = (error.message,)


class MaskedEmit:
    """Hands events on without the values of secrets.

    Args:
        emit: Takes them.
        mask: The values.
    """

    def __init__(self, emit: Callable[[Event], None], mask: Mask) -> None:
        self._emit = emit
        self._mask = mask
        self.every = bool(getattr(emit, "every", False))
        self.due: Callable[[], float | None] = getattr(emit, "due", lambda: None)
        self.flush: Callable[[], None] = getattr(emit, "flush", lambda: None)

    def __call__(self, event: Event) -> None:
        self._emit(masked(event, self._mask))
