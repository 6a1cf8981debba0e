"""Key x record -> fresh, or stale with reasons."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping

from pipefile.base.paths import show
from pipefile.model.graph import Edge
from pipefile.model.record import ABSENT, Component, Reason, Record
from pipefile.plan.key import SHOWN, hidden

_ACTIONS = frozenset(["run", "argv", "call"])
_OF_ACTIONS = _ACTIONS | {"shell", "python", "setup", "code", "package", "lists"}
_OF_CODE = frozenset(["code", "package"])
_CALL = ("call", "", "")
_ALWAYS = Reason("always")
_NOTHING_TO_COMPARE = Reason("no-files")
FORCED = Reason("forced")
NEVER = Reason("never")


def runs_anyway(edge: Edge, discovered: Collection[str] | None = None) -> Reason | None:
    """Why an edge runs whenever it is asked for, if it does: `always`, or neither inputs nor outputs that could tell whether it is fresh.

    Args:
        edge: Which one.
        discovered: Its discovered inputs; None where they are not known: it may have some then, if it can have any.
    """
    if edge.stage.always:
        return _ALWAYS
    discovers = edge.discovers if discovered is None else bool(discovered)
    if not edge.outputs and not edge.needs and not discovers:
        return _NOTHING_TO_COMPARE
    return None


def compare(
    parts: list[Component],
    record: Record | None,
    digest: Callable[[str], str],
    output_digest: Callable[[str], str],
    members: Mapping[str, tuple[tuple[str, str], ...]],
) -> tuple[Reason, ...]:
    """Why an edge is stale; () if it is fresh.

    Args:
        parts: What the edge depends on now (plan/key.py).
        record: What was recorded beside its outputs; None if records are missing, damaged, or not of one attempt.
        digest: Digest of any path now, ABSENT if nothing is there.
        output_digest: As `digest`, for places of outputs, where a link counts as nothing of the kind declared.
        members: For each set of files in *parts*, by its name: its files and their digests now.
    """
    if record is None:
        return (NEVER,)
    reasons: list[Reason] = []
    if record.degraded:
        reasons.append(Reason("degraded", record.degraded))
    elif not record.key:
        reasons.append(Reason("unfinished"))
    if list(record.components) != parts and [hidden(part) for part in record.components] != [hidden(part) for part in parts]:
        reasons += _differences(record, parts, members)
    for path, old in record.discovered.items():
        new = digest(path)
        if new != old:
            reasons.append(Reason("discovered", path, old, new))
    for made in record.outputs:
        new = output_digest(made.path)
        if new != made.digest:
            reasons.append(Reason("output-missing" if new == ABSENT else "output-changed", made.path, made.digest, new))
    return tuple(reasons)


def _differences(record: Record, parts: list[Component], members: Mapping[str, tuple[tuple[str, str], ...]]) -> list[Reason]:
    before = {(part.kind, part.name, part.path): part.value for part in record.components}
    now = {(part.kind, part.name, part.path): part.value for part in parts}
    reasons = []
    another_action = {kind for kind, _, _ in before} & _ACTIONS != {kind for kind, _, _ in now} & _ACTIONS
    if another_action:
        reasons.append(Reason("action"))
    told = _OF_ACTIONS if another_action else _OF_CODE if before.get(_CALL) != now.get(_CALL) else frozenset()  # another function has other code
    for identity, value in now.items():
        kind, name, _ = identity
        old = before.get(identity)
        if old is not None and kind == "env" and hidden(Component(*identity, old)) == hidden(Component(*identity, value)):
            continue
        if old == value or kind in told:
            continue
        if kind == "value-kind" and not _input_of(identity, before):
            continue  # the input itself is new, which says it all
        if kind == "set":
            reasons += _set_differences(name, record.members.get(name), members.get(name), old)
        elif old is None:
            reasons.append(_reason(f"{kind}-added", identity, "", value))
        else:
            reasons.append(_reason(kind, identity, old, value))
    for identity, value in before.items():
        kind = identity[0]
        if kind == "value-kind" and not _input_of(identity, now):
            continue
        if identity not in now and kind not in told:
            reasons.append(_reason(f"{kind}-removed", identity, value, ""))
    return reasons or [Reason("order")]


def _input_of(identity: tuple[str, str, str], parts: Mapping[tuple[str, str, str], str]) -> bool:
    """Whether the input that a "value-kind" is about is among *parts*."""
    _, name, path = identity
    return ("input", name, path) in parts or ("set", name, path) in parts


def _reason(kind: str, identity: tuple[str, str, str], old: str, new: str) -> Reason:
    of, name, path = identity
    return Reason(kind, name, old, new, path) if of == "code" else Reason(kind, path or name, old, new)


def _set_differences(
    text: str, before: Iterable[tuple[str, str]] | None, now: Iterable[tuple[str, str]] | None, old: str | None
) -> list[Reason]:
    if old is None:
        return [Reason("input-added", text)]
    if before is None or now is None:
        return [Reason("set", text)]
    was, current = dict(before), dict(now)
    reasons = [Reason("input", path, was[path], digest) for path, digest in current.items() if path in was and was[path] != digest]
    reasons += [Reason("input-added", path, "", digest) for path, digest in current.items() if path not in was]
    reasons += [Reason("input-removed", path, digest, "") for path, digest in was.items() if path not in current]
    return reasons or [Reason("order", text)]


_PLAIN = {
    "never": "it has no record of an earlier run",
    "unfinished": "its last result was not final",
    "always": "it is marked `always`",
    "no-files": "it has neither inputs nor outputs",
    "moved": "its outputs were made in another place",
    "forced": "forced",
    "action": "its action is of another kind",
    "order": "the order of its inputs changed",
    "shell": "its shell changed",
    "format": "this version of pipefile keeps other keys",
    "lists": "other arguments of its function are lists now",
    "put-back": "its outputs were put back as they were in an earlier run",
    "hash": "its digests were made with another hash",
}
_NOUNS = {
    "input": "input",
    "set": "input",
    "discovered": "file it read,",
    "package": "package",
    "param": "param",
    "env": "environment variable",
    "value": "value of input",
    "value-kind": "kind of value",
    "output": "output",
    "version": "version",
    "python": "Python version",
    "call": "function",
    "setup": "setup function",
    "batch": "batch",
}


_ABOUT = {
    "temp": "its temporary output {subject} is needed again by {by}",
    "temp-asked": "its temporary output {subject} is asked for",
    "output-missing": "output {subject} is missing",
    "resumed": "all runs from stage {subject} on",
    "degraded": "its last result came from fallback {subject}",
    "undecided": "its condition {subject} may change",
    "items": "its items are known when {subject} has run",
    "item": "{subject} may make other items",
    "unasked": "discovered input {subject} is made by {by}, and nothing asks for it",
    "upstream": "input {subject} may change",
    "dead": "{subject}, which no stage makes any more, is removed before it",
}


def describe(reason: Reason) -> str:
    """A reason in words: "input `raw/a.csv` changed", "param `width` changed: 640 -> 800"."""
    plain = _PLAIN.get(reason.kind)
    subject = f"`{show(reason.subject)}`"
    if plain is not None:
        return plain
    if reason.kind.partition("-")[0] == "code":
        return _code(reason)
    about = _ABOUT.get(reason.kind)
    if about is not None:
        return about.format(subject=subject, by=f"`{show(reason.new)}`")
    if reason.kind == "output-changed":
        return f"output {subject} was changed since" if reason.old else f"output {subject} is there, and its stage had not made it"
    if reason.kind == "condition":
        return show(reason.subject)
    if reason.kind in ("run", "argv"):
        return "its command changed"
    if reason.kind.endswith("-added"):
        kind = reason.kind[:-6]
        return f"{_NOUNS.get(kind, kind)} {subject} is new" if reason.subject else f"{_NOUNS.get(kind, kind)} is new: {_value(kind, reason.new)}"
    if reason.kind.endswith("-removed"):
        kind = reason.kind[:-8]
        return f"{_NOUNS.get(kind, kind)} {subject} is gone" if reason.subject else f"{_NOUNS.get(kind, kind)} is gone: {_value(kind, reason.old)}"
    if reason.kind in ("input", "discovered", "set"):
        noun = _NOUNS[reason.kind]
        if reason.kind != "set" and reason.new == ABSENT:
            return f"{noun} {subject} is gone"
        if reason.kind != "set" and reason.old == ABSENT:
            return f"{noun} {subject} is there now"
        return f"{noun} {subject} changed"
    if reason.kind == "package":
        return f"package {subject} changed: {show(reason.old) or 'any version'} -> {show(reason.new) or 'any version'}"
    if reason.kind in ("param", "value"):
        return f"{_NOUNS[reason.kind]} {subject} changed: {show(reason.old)} -> {show(reason.new)}"
    if reason.kind == "env" and reason.old.startswith(SHOWN) and reason.new.startswith(SHOWN):
        return f"environment variable {subject} changed: {show(reason.old[1:])} -> {show(reason.new[1:])}"
    if reason.kind == "env":
        return f"environment variable {subject} {'is set now' if not reason.old else 'is not set any more' if not reason.new else 'changed'}"
    noun = _NOUNS.get(reason.kind, reason.kind)
    if reason.subject:
        return f"{noun} {subject} changed"
    return f"its {noun} changed: {_value(reason.kind, reason.old)} -> {_value(reason.kind, reason.new)}"


def _code(reason: Reason) -> str:
    """A symbol, what importing a file does, or the order in which several files do something."""
    what = "changed" if reason.kind == "code" else "is new" if reason.kind == "code-added" else "is gone"
    if reason.subject:
        return f"code `{show(reason.subject)}` ({show(reason.where)}) {what}"
    return f"top-level code of `{show(reason.where)}` {what}" if reason.where else f"order of imports {what}"


def details(reason: Reason) -> list[str]:
    """Old value and new, for `why`: lines under the description; [] where the description says it all."""
    if reason.kind in ("run", "argv"):
        return [f"- {line}" for line in _command_lines(reason.old, reason.kind)] + [f"+ {line}" for line in _command_lines(reason.new, reason.kind)]
    if reason.kind in ("input", "discovered", "code", "output-changed", "set") and reason.old and reason.new:
        return [f"{reason.old} -> {reason.new}"]
    return []


def _command_lines(text: str, kind: str) -> list[str]:
    if kind == "argv":
        try:
            text = " ".join(json.loads(text))
        except (ValueError, TypeError):
            pass
    return [show(line) for line in text.split("\n")]


def _value(kind: str, text: str) -> str:
    return "not set" if not text and kind != "version" else show(text)
