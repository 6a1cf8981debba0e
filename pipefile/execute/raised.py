"""What a function raised, told as its author wants to read it: from the first line of the project's own code on."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING

from pipefile.execute.modules import CallError

if TYPE_CHECKING:
    from traceback import TracebackException


class Raised:
    """Catches whatever leaves its block.

    `error` is "" where nothing did, or it was `sys.exit(0)`; else one line. `exit_status` is that of a `sys.exit`. `trace` is set where a traceback
    tells more than `error`. `names` are those of the exception's class and of its bases, as `Completion.raised` has them.
    """

    def __init__(self) -> None:
        self.error = ""
        self.exit_status: int | None = None
        self.trace: TracebackException | None = None
        self.names: tuple[str, ...] = ()

    def __enter__(self) -> Raised:
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, _: TracebackType | None) -> bool:
        if fault is None:
            return False
        if isinstance(fault, SystemExit):
            if fault.code is None or isinstance(fault.code, int):
                self.exit_status = fault.code or 0
            else:
                self.exit_status = 1  # as Python itself does with a text
                print(fault.code, file=sys.stderr)
            self.error = f"exit status {self.exit_status}" if self.exit_status else ""
            self.names = names_of(type(fault)) if self.error else ()
        elif isinstance(fault, CallError):
            self.error = str(fault)
        else:
            from traceback import TracebackException

            self.names = names_of(type(fault))
            self.trace = TracebackException.from_exception(fault)
            lines = list(self.trace.format_exception_only())
            self.error = lines[-1 if isinstance(fault, SyntaxError) else 0].strip().partition("\n")[0]
        return True

    def text(self, is_own: Callable[[str], bool]) -> str:
        """The traceback, without what called the function and without the import machinery.

        Args:
            is_own: Whether a file is the project's.
        """
        assert self.trace is not None
        todo = [self.trace]
        while todo:
            trace = todo.pop()
            frames = [frame for frame in trace.stack if not frame.filename.startswith("<frozen importlib")]
            first = next((at for at, frame in enumerate(frames) if is_own(frame.filename)), len(frames))
            trace.stack[:] = frames[first:]
            todo += [other for other in (trace.__cause__, trace.__context__, *(trace.exceptions or ())) if other is not None]
        return "".join(self.trace.format())


def names_of(kind: type[BaseException]) -> tuple[str, ...]:
    """Names of an exception's class and of its bases, nearest first, each plain and with its module: what `retry_on` can name."""
    found: dict[str, None] = {}
    for each in kind.__mro__[:-1]:
        found[each.__qualname__] = found[f"{each.__module__}.{each.__qualname__}"] = None
    return tuple(found)
