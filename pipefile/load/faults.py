"""Faults of a Pipefile: found by key path, shown with line and marker."""

from __future__ import annotations

from collections.abc import Iterable

from pipefile.base.errors import PipefileSyntaxError
from pipefile.base.locations import KeyPath, Place, Position
from pipefile.base.paths import show
from pipefile.load.schema import KINDS, Key


class FaultError(Exception):
    """What is wrong, and at which key. The loader turns it into a PipefileSyntaxError, which needs the text of the file.

    Args:
        message: As in PipefileError.
        key: Key path of what is wrong.
        hint: As in PipefileError.
        needle: Text to mark instead of the key: searched for from the key on.
        number: Which occurrence of *needle*, from 0.
    """

    def __init__(self, message: str, key: KeyPath, hint: str = "", needle: str = "", number: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.key = key
        self.hint = hint
        self.needle = needle
        self.number = number


def located(fault: FaultError, file: str, text: str) -> PipefileSyntaxError:
    """*fault* as users see it."""
    from pipefile.load.scanner import Lines, find

    found = find(text, fault.key)
    position = None
    if found is not None:
        start, stop, limit = found
        if fault.needle:
            begin = stop if isinstance(fault.key[-1], str) else start
            for _ in range(fault.number + 1):
                begin = text.find(fault.needle, begin, limit) + 1
                if not begin:  # it is written with escapes
                    break
            else:
                start, stop = begin - 1, begin - 1 + len(fault.needle)
        position = Lines(text).position(start, stop)
    return PipefileSyntaxError(fault.message, Place(show(file), fault.key), fault.hint, position)


def at_offset(message: str, file: str, text: str, start: int, stop: int) -> PipefileSyntaxError:
    """A fault at a stretch of text, for what is no TOML at all."""
    from pipefile.load.scanner import Lines

    return PipefileSyntaxError(message, Place(file), position=Lines(text).position(start, stop))


def unplaced(message: str, file: str, hint: str = "", position: Position | None = None) -> PipefileSyntaxError:
    """A fault of the file as a whole."""
    return PipefileSyntaxError(message, Place(file), hint, position)


def did_you_mean(word: str, known: Iterable[str], form: str = "{}") -> str:
    """A hint with the nearest of *known*, "" if none is near."""
    from pipefile.plan.near import nearest

    names = list(known)
    letters = sorted(word)
    swapped = next((name for name in names if len(name) == len(word) and sorted(name) == letters), "")  # `scr` for `src`
    near = swapped or nearest(word, names)
    return f"did you mean `{show(form.format(near))}`?" if near else ""


def kind_of(value: object) -> str:
    """What a TOML value is, in words: "an integer"."""
    if isinstance(value, list):
        odd = next((item for item in value if not isinstance(item, str)), None)
        return "an array" if odd is None else f"an array with {kind_of(odd)} in it"
    names = {str: "a string", bool: "a boolean", int: "an integer", float: "a float", dict: "a table"}
    return names.get(type(value), "a date or time")


def wanted(kinds: Iterable[str]) -> str:
    """Kinds of the schema in words: "a table, an array of strings or a string"."""
    names = [KINDS[kind][1] for kind in kinds]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"


def wrong_kind(what: str, kinds: Iterable[str], value: object, key: KeyPath, hint: str = "") -> FaultError:
    return FaultError(f"{what} must be {wanted(kinds)}, not {kind_of(value)}", key, hint)


def unknown_key(name: str, known: dict[str, Key], where: str, key: KeyPath) -> FaultError:
    return FaultError(f"unknown key `{show(name)}` in {where}", key, did_you_mean(name, known))
