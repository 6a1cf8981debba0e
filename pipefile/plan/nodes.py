"""What nodes of a syntax tree bind, and where: the scopes of Python, as far as a walk over its statements needs them."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


def binds(node: ast.AST) -> Iterator[str]:
    """Names that a node itself binds in the scope that it stands in."""
    name: str | None = None
    if isinstance(node, ast.Name):
        name = None if isinstance(node.ctx, ast.Load) else node.id
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.ExceptHandler | ast.MatchAs | ast.MatchStar):
        name = node.name
    elif isinstance(node, ast.MatchMapping):
        name = node.rest
    if name:
        yield name


def in_scope(node: ast.AST) -> Iterable[ast.AST]:
    """The nodes in a node that bind in the same scope as it."""
    if isinstance(node, ast.Lambda):
        return [*node.args.defaults, *filter(None, node.args.kw_defaults)]
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return [*node.decorator_list, *node.args.defaults, *filter(None, node.args.kw_defaults)]
    if isinstance(node, ast.ClassDef):
        return [*node.decorator_list, *node.bases, *[each.value for each in node.keywords]]
    if isinstance(node, COMPREHENSIONS):
        return [each for each in ast.walk(node) if isinstance(each, ast.NamedExpr)]
    if isinstance(node, ast.AnnAssign) and is_bare(node):
        return [node.annotation]
    return ast.iter_child_nodes(node)


def is_bare(node: ast.AnnAssign) -> bool:
    """Whether it is `x: int`, which binds nothing: in a function it makes the name a local one, elsewhere it does not even do that."""
    return node.value is None and isinstance(node.target, ast.Name)


def stored(node: ast.AST) -> set[str]:
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name) and not isinstance(each.ctx, ast.Load)}


def bound_by(node: ast.AST) -> Iterator[str]:
    """Names that a top-level statement binds, those in its blocks included, without those of imports."""
    todo = [node]
    while todo:
        each = todo.pop()
        yield from binds(each)
        todo += in_scope(each)


def inside(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes that are carried out with a top-level statement, or bind with it: what stands in functions is left out."""
    todo = [node]
    while todo:
        each = todo.pop()
        yield each
        todo += in_scope(each)


def chain_of(node: ast.AST) -> str:
    """`a.b.c` as a text; "" for anything else."""
    parts = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return ""
    return ".".join(reversed([*parts, node.id]))
