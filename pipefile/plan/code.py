"""What a Python source is made of, statement by statement, read from its text: nothing is run.

The key of a function's stage covers what the function can reach by name, through modules (plan/link.py). This module says what each top-level
statement of one file binds, what it refers to, and what it does when the file is imported. Its digests come from the syntax tree, so that comments
and formatting are no part of them; docstrings and annotations are kept apart, in a second digest that only counts where somebody may read them.

Three things are assumed, and documented for users:

- What only defines (a function, a class, a constant of literals, a call out of plan/inert.py's tables) does not fail and does nothing else.
  Everything else at top level is an *effect*: it counts for whoever imports the module.
- Annotations of functions and variables are for readers. Those in class bodies are not: they make dataclasses, named tuples and models what they are.
- A module whose name is computed from what the importing file does not name, and a class that only a pickle names, cannot be seen.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from pipefile.base import digest as digests

if TYPE_CHECKING:
    import ast

LARGEST = 4 << 20  # bytes; above, a source is not parsed: that takes a hundred times its size in memory
DEEPEST = 150  # nested nodes; above, a source is not walked: whether it could be would depend on the depth of whoever asks

# flags of a piece: what it says that makes more count than what it names
WHOLE = 1  # it may get at anything in its own module: globals(), exec
WIDE = 2  # ... or in any module that is imported: sys.modules, __subclasses__, pickles, which name classes
FULL = 4  # it may read docstrings and annotations
SOURCE = 8  # it may read sources, or know lines of them
PATCHES = 16  # it changes an attribute of a module, or a global


class Piece(NamedTuple):
    """A statement's contents.

    Args:
        plain: Digest without docstrings, and without annotations but for those in class bodies.
        full: Digest with them.
        refs: Global names that it uses, dotted as far as they go. Behind it may stand `@` and whose argument it is, or `@=`: it is bound
            or deleted. With `=` in front: a module; with `=?`: one perhaps, if there is any of that name.
        full_refs: Those in annotations.
        readers: Decorators and base classes, as dotted names: those who get hold of what is defined; "?" for what is no name.
        local: Names that imports inside of functions bind -> their targets.
        flags: As above.
        function: It defines a function.
    """

    plain: str
    full: str
    refs: tuple[str, ...] = ()
    full_refs: tuple[str, ...] = ()
    readers: tuple[str, ...] = ()
    local: Mapping[str, tuple[str, ...]] = {}
    flags: int = 0
    function: bool = False


class Import(NamedTuple):
    """One module or name that an import statement asks for.

    Args:
        target: "a.b", "a.b:name" or "a.b:*"; a relative one begins with dots.
        name: What it binds; "" for nothing known.
        bound: What that name stands for: "a" after `import a.b`, else the target.
    """

    target: str
    name: str
    bound: str


class Step(NamedTuple):
    """One top-level statement, as importing its module carries it out.

    Args:
        kind: "import"; "bind": it only defines, if its `callees` do nothing; "effect"; "main": only run as a script.
        binds: Names that it binds.
        piece: Its contents.
        imports: What it imports, in order.
        needs: Names that it wants while it is carried out; with `~` in front only their absence matters.
        callees: What it calls meanwhile: "d:NAME" a decorator, "c:NAME" a call whose result is called, "b:NAME" a base class, "m:NAME" a metaclass.
        inert: For a function: how often it can be called, and what it returns called again, without anything but definitions being carried out.
        fertile: For a class: subclasses of it do something when they are made.
    """

    kind: str
    binds: tuple[str, ...]
    piece: Piece
    imports: tuple[Import, ...] = ()
    needs: tuple[str, ...] = ()
    callees: tuple[str, ...] = ()
    inert: int = 0
    fertile: bool = False


class Module(NamedTuple):
    """A source.

    Args:
        source: Digest of its bytes.
        steps: Its statements.
        globals_set: Names that functions in it bind by `global`.
        paths: Folders that it adds to those where modules are looked for (plan/searchpath.py).
        extends_path: It adds any.
    """

    source: str
    steps: tuple[Step, ...]
    globals_set: frozenset[str] = frozenset()
    paths: tuple[str, ...] = ()
    extends_path: bool = False


def short(text: str) -> str:
    """The digest of a text as pieces and components have it: 80 bits are enough to tell two versions of a symbol apart."""
    return digests.of_text(text)[7:27]


def of_bytes(data: bytes) -> str:
    return digests.of_bytes(data)[7:27]


def read_module(data: bytes) -> Module:
    """What a source is made of.

    Args:
        data: The bytes of the file. What is no Python, too deeply nested or too large is one effect: its bytes, and the imports that are found.
    """
    if len(data) > LARGEST:
        return _unread(data, _imports_by_line(data))
    import ast

    from pipefile.plan.statements import TooDeepError, statements

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about escapes in the user's strings: theirs to see when they run it
            tree = ast.parse(data)
    except (SyntaxError, ValueError):
        return _unread(data, [])  # importing it raises
    except (RecursionError, MemoryError):
        return _unread(data, _imports_by_line(data))
    try:
        return statements(tree, of_bytes(data))
    except TooDeepError:
        return _unread(data, _all_imports(tree))


def _unread(data: bytes, targets: list[str]) -> Module:
    digest = of_bytes(data)
    piece = Piece(digest, digest, tuple([f"={target}" for target in dict.fromkeys(targets)]), flags=WHOLE | WIDE if targets else 0)
    return Module(digest, (Step("effect", (), piece),))


def _all_imports(tree: ast.Module) -> list[str]:
    import ast

    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            found += [each.target for each in imports_of(node)]
    return [target.removesuffix(":*").replace(":", ".") for target in found]


def _imports_by_line(data: bytes) -> list[str]:
    import re

    found = []
    for match in re.finditer(rb"^[ \t]*(?:from[ \t]+([\w.]+)[ \t]+import|import[ \t]+([\w., \t]+))", data, re.MULTILINE):
        text = (match[1] or match[2]).decode("utf-8", "replace")
        found += [part.split()[0] for part in text.split(",") if part.split()]
    return found


def imports_of(node: ast.Import | ast.ImportFrom) -> list[Import]:
    """What an import statement asks for, in order."""
    found = []
    if type(node).__name__ == "Import":
        for alias in node.names:
            root = alias.name.partition(".")[0]
            found.append(Import(alias.name, alias.asname or root, alias.name if alias.asname else root))
        return found
    base = "." * getattr(node, "level", 0) + (getattr(node, "module", None) or "")
    for alias in node.names:
        target = f"{base}:{alias.name}"
        found.append(Import(target, "" if alias.name == "*" else alias.asname or alias.name, target))
    return found


# --- as JSON, for the cache of store/code.py


def to_json(module: Module) -> list[Any]:
    steps = []
    for step in module.steps:
        piece = step.piece
        steps.append(
            [
                step.kind,
                step.binds,
                [piece.plain, piece.full, piece.refs, piece.full_refs, piece.readers, dict(piece.local), piece.flags, int(piece.function)],
                step.imports,
                step.needs,
                step.callees,
                step.inert,
                int(step.fertile),
            ]
        )
    return [module.source, steps, sorted(module.globals_set), module.paths, int(module.extends_path)]


def from_json(value: Any) -> Module:
    """Undo `to_json`.

    Raises:
        ValueError, TypeError, KeyError: It is something else.
    """
    source, steps, globals_set, paths, extends = value
    found = []
    for kind, binds, (plain, full, refs, full_refs, readers, local, flags, function), imports, needs, callees, inert, fertile in steps:
        names = {name: tuple(targets) for name, targets in local.items()}
        piece = Piece(plain, full, tuple(refs), tuple(full_refs), tuple(readers), names, flags, bool(function))
        asked = tuple([Import(*each) for each in imports])
        found.append(Step(kind, tuple(binds), piece, asked, tuple(needs), tuple(callees), inert, bool(fertile)))
    return Module(source, tuple(found), frozenset(globals_set), tuple(paths), bool(extends))
