"""Which modules a Python source may import, read from its text: nothing is run."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

_CALLS = frozenset(["import_module", "__import__"])


def static_imports(source: bytes, module: str, package: bool) -> frozenset[str]:
    """The modules that a source names in its imports, wherever in the text they stand.

    `from a import b` gives both `a` and `a.b`, since `b` may be a module; `importlib.import_module("a")` and `__import__("a")` count too.
    Names that are computed do not. A source that is no Python gives nothing.

    Args:
        source: The bytes of the file.
        module: Its dotted name, which relative imports start from; "" for a script, which cannot have any.
        package: It is the `__init__.py` of *module*.

    Returns:
        Absolute dotted names, the standard library's among them.
    """
    if b"import" not in source:
        return frozenset()
    import ast

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about escapes in the user's strings: theirs to see when they run it
            tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return frozenset()
    home = module if package else module.rpartition(".")[0]
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update([alias.name for alias in node.names])
        elif isinstance(node, ast.ImportFrom):
            base = _absolute("." * node.level + (node.module or ""), home)
            if base:
                found.add(base)
                found.update([f"{base}.{alias.name}" for alias in node.names if alias.name != "*"])
        elif isinstance(node, ast.Call):
            found.update(_called(node, home))
    return frozenset(found)


def _absolute(name: str, home: str) -> str:
    """A name that may begin with dots, as seen from the package *home*; "" where that leads out of it."""
    bare = name.lstrip(".")
    level = len(name) - len(bare)
    if not level:
        return bare
    parts = home.split(".") if home else []
    if level > len(parts):
        return ""
    return ".".join(parts[: len(parts) - level + 1] + ([bare] if bare else []))


def _called(node: object, home: str) -> Iterator[str]:
    import ast

    assert isinstance(node, ast.Call)
    function = node.func
    name = function.attr if isinstance(function, ast.Attribute) else function.id if isinstance(function, ast.Name) else ""
    if name not in _CALLS or not node.args:
        return
    texts = [argument.value if isinstance(argument, ast.Constant) and isinstance(argument.value, str) else "" for argument in node.args[:2]]
    if not texts[0]:
        return
    for keyword in node.keywords:
        if keyword.arg == "package" and isinstance(keyword.value, ast.Constant) and isinstance(keyword.value.value, str):
            texts[1:] = [keyword.value.value]
    base = texts[1] if len(texts) > 1 and texts[1] and name == "import_module" else home  # `__package__` is *home*
    wanted = _absolute(texts[0], base)
    if wanted:
        yield wanted


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
