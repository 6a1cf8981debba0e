"""Where a module says that modules are looked for: `sys.path.insert(0, str(Path(__file__).parent / "lib"))`."""

from __future__ import annotations

import ast
from collections.abc import Mapping

from pipefile.plan.nodes import chain_of
from pipefile.plan.scan import Names

_SAME = frozenset(["str", "Path", "PurePath", "fspath", "abspath", "realpath", "resolve", "absolute", "expanduser", "normpath", "as_posix"])
_LONGEST = 200  # characters of a text that may be a path


def search_paths(tree: ast.Module, names: Names) -> tuple[tuple[str, ...], bool]:
    """The folders that a module adds, and whether it adds any.

    Returns:
        Paths with a mark in front: `<` before the others, `>` behind them; `?` for a text that may be a part of one, where it cannot be told how
        it is put together. In a path, `@` in front is the module's own file; others are seen from the Pipefile's folder.
    """
    known: dict[str, str] = {}
    found: dict[str, None] = {}
    extends = False
    for node in tree.body:
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            path = _path(node.value, known)
            if path is not None:
                known[node.targets[0].id] = path
    for each in ast.walk(tree):
        chain = chain_of(each) if isinstance(each, ast.Attribute | ast.Name) else ""
        extends |= bool(chain) and (chain == "sys.path" or names.target(chain) in ("sys.path", "site.addsitedir"))
    if not extends:
        return (), False
    unsure = False
    for node in tree.body:
        for each in ast.walk(node):
            added = _added(each, names)
            for mark, argument in added:
                path = _path(argument, known)
                if path is not None:
                    found[mark + path] = None
                else:
                    unsure = True
    if unsure or not found:
        for each in ast.walk(tree):
            if isinstance(each, ast.Constant) and isinstance(each.value, str) and 0 < len(each.value) < _LONGEST and "\n" not in each.value:
                found[f"?{each.value}"] = None
    return tuple(found), True


def _added(node: ast.AST, names: Names) -> list[tuple[str, ast.expr]]:
    """What a call puts before or behind the others."""
    if not isinstance(node, ast.Call):
        return []
    chain = chain_of(node.func)
    owner, _, method = chain.rpartition(".")
    if owner and (owner == "sys.path" or names.target(owner) == "sys.path"):
        if method == "insert" and len(node.args) == 2:
            return [("<", node.args[1])]
        if method == "append" and len(node.args) == 1:
            return [(">", node.args[0])]
        if method == "extend" and len(node.args) == 1 and isinstance(node.args[0], ast.List | ast.Tuple):
            return [(">", each) for each in node.args[0].elts]
    if names.target(chain) == "site.addsitedir" and node.args:
        return [(">", node.args[0])]
    return []


def _path(node: ast.expr, known: Mapping[str, str]) -> str | None:
    """The path that an expression stands for; None if that cannot be told."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) and "\0" not in node.value and not node.value.startswith("@") else None
    if isinstance(node, ast.Name):
        return "@" if node.id == "__file__" else known.get(node.id)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
        return _joined([_path(node.left, known), _path(node.right, known)])
    if isinstance(node, ast.Attribute):
        return _joined([_path(node.value, known), ".."]) if node.attr == "parent" else None
    if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Attribute) and node.value.attr == "parents":
        level = node.slice.value if isinstance(node.slice, ast.Constant) else None
        return _joined([_path(node.value.value, known), *[".."] * (level + 1)]) if type(level) is int and 0 <= level < 20 else None
    if not isinstance(node, ast.Call) or node.keywords:
        return None
    function = node.func
    name = function.attr if isinstance(function, ast.Attribute) else function.id if isinstance(function, ast.Name) else ""
    if name in ("join", "joinpath"):
        base = [function.value] if name == "joinpath" and isinstance(function, ast.Attribute) else []
        return _joined([_path(each, known) for each in [*base, *node.args]])
    if name == "dirname" and len(node.args) == 1:
        return _joined([_path(node.args[0], known), ".."])
    if name in ("getcwd", "cwd") and not node.args:
        return "."
    if name in _SAME and node.args:
        return _joined([_path(each, known) for each in node.args])
    if name in _SAME and isinstance(function, ast.Attribute):
        return _path(function.value, known)
    return None


def _joined(parts: list[str | None]) -> str | None:
    found = ""
    for part in parts:
        if part is None:
            return None
        found = part if part.startswith(("/", "@")) or not found else f"{found.rstrip('/')}/{part}"
    return found
