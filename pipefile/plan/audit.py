"""What an audit makes of what it has seen: which accesses nobody declared, and the words for them."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Sequence

from pipefile.base.paths import folder_of, name_of, parents, relative, show, within
from pipefile.model.access import Access
from pipefile.model.audit import Beyond
from pipefile.model.stage import Call, Command, Stage
from pipefile.plan.outputs import is_own_name

_MOST = 5  # paths in a message; the run has all of them
_METADATA = (".egg-info", ".dist-info", ".git", ".hg", ".svn", "__pycache__", "site-packages", "dist-packages", "node_modules")

# Programs that are Python, or that start it: words of a command, the last part of a path.
_PYTHON = re.compile(r"(?:^|[\s;&|({`'\"/=])(?:(?:i?python|pypy)[0-9.]*|pytest|jupyter|papermill|uv|poetry|pdm|hatch)(?=$|[\s;&|)}`'\"])|\.py\b")
_PRINTS_ENVIRONMENT = re.compile(r"(?:^|[\s;&|({`/])(?:printenv\b|env\s*(?:$|[;&|>)}`])|export\s+-p|declare\s+-[px]|set\s*(?:$|[;&|>)}`]))")


def parse(data: bytes, decode: Callable[[bytes], str]) -> list[Access]:
    """The entries of a file that Python processes have written (execute/audited/sitecustomize.py); one that was cut off is left out."""
    return [Access(entry[:1].decode("ascii", "replace"), decode(entry[1:])) for entry in data.split(b"\0")[:-1] if len(entry) > 1]


def starts_python(stage: Stage) -> bool:
    """Whether a command may start Python, as far as its words tell, and does not print its environment: what it finds there is made known to it."""
    action = stage.action
    if not isinstance(action, Command):
        return isinstance(action, Call)
    text = action.text or " ".join(["".join([piece for piece in each if isinstance(piece, str)]) for each in action.argv])
    return _PYTHON.search(text) is not None and _PRINTS_ENVIRONMENT.search(text) is None


def is_ignored(path: str, store: str) -> bool:
    """Whether a path is pipefile's own, or one that tools keep for themselves: nobody declares such."""
    if within(path, store) or path == store or is_own_name(name_of(path)):
        return True
    return any(is_own_name(part) or part.endswith(_METADATA) for part in folder_of(path).split("/") if part)


def is_among(path: str, known: Collection[str]) -> bool:
    """Whether a path, or a folder that it lies in, is one of *known*."""
    return path in known or any(folder in known for folder in parents(path))


def sort_out(accesses: Iterable[Access], declared: Callable[[str], bool], made: Callable[[str], bool], stands: Callable[[str], bool]) -> Beyond:
    """Which of the accesses of an edge are beyond its declaration.

    What it has made itself, and reads or removes later, is its own. Files that are gone at its end were never there for anybody else.

    Args:
        accesses: In the order in which they happened.
        declared: Whether a path is an input, code, or else known to be read.
        made: Whether it is an output.
        stands: Whether a file stands there now.
    """
    kinds: dict[str, list[str]] = {}
    for kind, path in accesses:
        kinds.setdefault(path, []).append(kind)
    reads, writes, removes = [], [], []
    for path, done in kinds.items():
        if made(path) or declared(path):
            continue
        if done[0] == "r":
            reads.append(path)
        if "w" in done and stands(path):
            writes.append(path)
        if done[0] != "w" and "d" in done and not stands(path):
            removes.append(path)
    return Beyond(tuple(reads), tuple(writes), tuple(removes))


# --- words


def joined(paths: Sequence[str]) -> str:
    """`a`, `b` and 3 more."""
    shown = [f"`{show(path)}`" for path in paths[:_MOST]]
    if len(paths) > _MOST:
        return f"{', '.join(shown)} and {len(paths) - _MOST} more"
    return " and ".join([", ".join(shown[:-1]), shown[-1]]) if len(shown) > 1 else shown[0]


def sentences(beyond: Beyond) -> list[tuple[str, str, tuple[str, ...]]]:
    """What was done beyond the declaration: verb, key that would declare it, paths; only what there is."""
    found = [("reads", "inputs", beyond.reads), ("writes", "outputs", beyond.writes), ("removes", "", beyond.removes)]
    return [each for each in found if each[2]]


def line_to_add(stage: Stage, key: str, paths: Sequence[str]) -> str:
    """How paths are declared, in the syntax of the file that declares the stage.

    Args:
        stage: Which.
        key: "inputs" or "outputs".
        paths: From the project's root.
    """
    python = stage.file.endswith(".py")
    texts = [_quoted(relative(path, stage.folder)) for path in paths[:_MOST]] + ["..."] * (len(paths) > _MOST)
    names = [group.name for group in stage.inputs] if key == "inputs" else [output.name for output in stage.outputs]
    if any(names):
        taken = {name or "" for name in (*[group.name for group in stage.inputs], *[output.name for output in stage.outputs], *stage.params)}
        pairs = [(_new_name(path, taken), text) for path, text in zip(paths[:_MOST], texts, strict=False)]
        each = [f'"{name}": {text}' if python else f"{name} = {text}" for name, text in pairs] + ["..."] * (len(paths) > _MOST)
        return f"{key}={{..., {', '.join(each)}}}" if python else f"{key} = {{ ..., {', '.join(each)} }}"
    inside = ", ".join((["..."] if names else []) + texts)
    return f"{key}=[{inside}]" if python else f"{key} = [{inside}]"


def _new_name(path: str, taken: set[str]) -> str:
    base = re.sub(r"\W", "_", name_of(path).partition(".")[0] or "file", flags=re.ASCII)
    base = base if not base[:1].isdigit() else f"_{base}"
    name, number = base, 2
    while name in taken:
        name, number = f"{base}_{number}", number + 1
    taken.add(name)
    return name


def _quoted(path: str) -> str:
    escaped = path.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{show(escaped)}"'
