"""Which names a Python source binds, without running it."""

from __future__ import annotations

import warnings


def bound_names(source: bytes) -> list[str] | None:
    """The names that a module binds when it is imported, in order; None where its text does not tell: a star import, a `__getattr__`, no Python."""
    import ast

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    names: dict[str, None] = {}
    todo: list[ast.AST] = [tree]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names[node.name] = None
            continue  # what is bound within is not the module's
        if isinstance(node, ast.Import | ast.ImportFrom):
            names.update({alias.asname or alias.name.partition(".")[0]: None for alias in node.names})
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names[node.id] = None
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("globals", "exec", "setattr", "vars"):
            return None
        todo += reversed(list(ast.iter_child_nodes(node)))
    return None if "*" in names or "__getattr__" in names else list(names)
