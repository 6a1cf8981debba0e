"""The statements of a module, one by one (plan/code.py: Step)."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator

from pipefile.base.dataclass import replace
from pipefile.plan.code import Import, Module, Piece, Step, imports_of
from pipefile.plan.inert import METACLASSES, Evaluation, inertness
from pipefile.plan.nodes import bound_by, chain_of, inside
from pipefile.plan.scan import Names, Scanner, TooDeepError
from pipefile.plan.searchpath import search_paths

__all__ = ["TooDeepError", "statements"]


def statements(tree: ast.Module, source: str) -> Module:
    """The statements of a module.

    Args:
        tree: Its syntax tree.
        source: Digest of its bytes.

    Raises:
        TooDeepError: It is nested too deeply to be walked.
    """
    body = list(_carried_out(tree.body, _checking_names(tree)))
    declared = {name for each in ast.walk(tree) if isinstance(each, ast.Global) for name in each.names}
    names = replace(_names(body, _postponed(tree)), texts=_names_of_modules(tree))
    names = replace(names, kinds=_kinds(body, names, declared))
    reader = _Reader(names)
    steps = [step for node, main in body if (step := reader.step(node, main)) is not None]
    paths, extends = search_paths(tree, names)
    return Module(source, tuple(steps), frozenset(declared), paths, extends)


def _kinds(body: Iterable[tuple[ast.stmt, bool]], names: Names, declared: set[str]) -> dict[str, str]:
    """Names of constants that nothing else binds, and what they are."""
    found: dict[str, str] = {}
    known = replace(names, kinds=found)
    for node, main in body:
        if main or not isinstance(node, ast.Assign | ast.AnnAssign) or node.value is None:
            continue
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        name = targets[0].id if len(targets) == 1 and isinstance(targets[0], ast.Name) else ""
        if names.bound.get(name) == 1 and name not in declared and (kind := Evaluation(known).kind(node.value)):
            found[name] = kind
    return found


_MODULE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")
_MOST_TEXTS = 100


def _names_of_modules(tree: ast.Module) -> tuple[str, ...]:
    """Texts that may be names of modules, or ends of such names, where any module is imported by a name that is computed."""
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and chain_of(node.func).endswith(("import_module", "__import__"))]
    if all(isinstance(argument, ast.Constant) for call in calls for argument in call.args[:1]):
        return ()
    texts = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    found = dict.fromkeys([text for text in texts if len(text) < 100 and _MODULE.fullmatch(text)])
    return tuple(list(found)[:_MOST_TEXTS])


def _postponed(tree: ast.Module) -> bool:
    return any(
        isinstance(node, ast.ImportFrom) and node.module == "__future__" and any(each.name == "annotations" for each in node.names)
        for node in tree.body
    )


def _checking_names(tree: ast.Module) -> frozenset[str]:
    """Names that stand for `typing.TYPE_CHECKING`, or are False by assignment so that type checkers take them for it."""
    found: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.module in ("typing", "typing_extensions"):
            found.update(each.asname or each.name for each in node.names if each.name == "TYPE_CHECKING")
        elif isinstance(node, ast.Import):
            found.update(f"{each.asname or each.name}.TYPE_CHECKING" for each in node.names if each.name in ("typing", "typing_extensions"))
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and node.value.value is False:
            found.update(each.id for each in node.targets if isinstance(each, ast.Name) and each.id == "TYPE_CHECKING")
    return frozenset(found)


def _carried_out(body: Iterable[ast.stmt], checking: frozenset[str]) -> Iterator[tuple[ast.stmt, bool]]:
    """Top-level statements, without those for type checkers alone; and whether they are for a script alone."""
    for node in body:
        if isinstance(node, ast.If):
            if chain_of(node.test) in checking and chain_of(node.test):
                yield from _carried_out(node.orelse, checking)
                continue
            if isinstance(node.test, ast.UnaryOp) and isinstance(node.test.op, ast.Not) and chain_of(node.test.operand) in checking:
                yield from _carried_out(node.body, checking)
                continue
            if _asks_for_main(node.test) and not node.orelse:
                yield node, True
                continue
        yield node, False


def _asks_for_main(test: ast.expr) -> bool:
    if not isinstance(test, ast.Compare) or len(test.ops) != 1 or not isinstance(test.ops[0], ast.Eq):
        return False
    sides = [test.left, test.comparators[0]]
    return any(isinstance(each, ast.Name) and each.id == "__name__" for each in sides) and any(
        isinstance(each, ast.Constant) and each.value == "__main__" for each in sides
    )


def _names(body: Iterable[tuple[ast.stmt, bool]], postponed: bool) -> Names:
    bound: dict[str, int] = {}
    imports: dict[str, list[str]] = {}
    for node, main in body:
        here = set(bound_by(node)) if not main else set()
        for each in _imports(node):
            if each.name:
                imports.setdefault(each.name, []).append(each.bound)
                here.add(each.name)
        simple = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Assign | ast.AnnAssign | ast.Import | ast.ImportFrom)
        for name in here:
            bound[name] = bound.get(name, 0) + (1 if simple else 2)
    _same_package(imports, bound)
    return Names(bound, {name: tuple(dict.fromkeys(targets)) for name, targets in imports.items()}, postponed)


def _same_package(imports: dict[str, list[str]], bound: dict[str, int]) -> None:
    """`import a.b` and `import a.c` bind one name to one thing."""
    for name, targets in imports.items():
        if len(targets) > 1 and set(targets) == {name} and bound[name] == len(targets):
            bound[name] = 1


def _imports(node: ast.AST) -> Iterator[Import]:
    for each in _in_order(node):
        if isinstance(each, ast.Import | ast.ImportFrom):
            yield from imports_of(each)


def _in_order(node: ast.AST) -> list[ast.Import | ast.ImportFrom]:
    found = [each for each in inside(node) if isinstance(each, ast.Import | ast.ImportFrom)]
    return sorted(found, key=lambda each: (each.lineno, each.col_offset))


class _Reader:
    def __init__(self, names: Names) -> None:
        self._names = names
        self._annotations = not names.postponed

    def step(self, node: ast.stmt, main: bool) -> Step | None:
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and not isinstance(node.value.value, str):
            return None
        if isinstance(node, ast.Pass | ast.Global):
            return None
        if isinstance(node, ast.Import | ast.ImportFrom):
            return self._import(node)
        if main:
            return Step("main", (), self._piece(node), tuple(_imports(node)))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            return Step("bind", ("__doc__",), self._piece(node))  # the first is the docstring; the others are nothing, and cost nothing
        return self._definition(node) or self._effect(node)

    def _piece(self, node: ast.AST, function: bool = False) -> Piece:
        return Scanner(self._names).piece([node], function)

    def _import(self, node: ast.Import | ast.ImportFrom) -> Step | None:
        if isinstance(node, ast.ImportFrom) and node.module == "__future__" and not node.level:
            return None
        asked = tuple(imports_of(node))
        binds = tuple([each.name for each in asked if each.name])
        piece = Piece("", "")
        return Step("import", binds, piece, asked)

    def _effect(self, node: ast.stmt) -> Step:
        imports = tuple(_imports(node))
        binds = dict.fromkeys([*bound_by(node), *[each.name for each in imports if each.name]])
        return Step("effect", tuple(binds), self._piece(node), imports)

    def _definition(self, node: ast.stmt) -> Step | None:
        """A statement that only defines, unless what it calls does something; None for all others."""
        evaluation = Evaluation(self._names)
        binds: tuple[str, ...]
        inert, fertile = 0, False
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            binds = (node.name,)
            good = evaluation.function(node, self._annotations)
            inert = 0 if node.decorator_list else inertness(node, self._names)
        elif isinstance(node, ast.ClassDef):
            binds = (node.name,)
            good = evaluation.class_(node, self._annotations)
            fertile = self._is_fertile(node)
        elif isinstance(node, ast.Assign) and all(isinstance(each, ast.Name) for each in node.targets):
            binds = tuple([each.id for each in node.targets if isinstance(each, ast.Name)])
            good = evaluation.is_inert(node.value)
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            binds = (node.target.id,) if node.value is not None else ()
            good = (not self._annotations or evaluation.annotation(node.annotation)) and (node.value is None or evaluation.is_inert(node.value))
        elif type(node).__name__ == "TypeAlias":
            binds, good = tuple(bound_by(node)), True
        else:
            return None
        if not good or any(self._names.bound.get(name, 0) > 1 for name in binds):
            return None
        function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        needs, callees = tuple(evaluation.needs), tuple(evaluation.callees)
        return Step("bind", binds, self._piece(node, function), (), needs, callees, inert, fertile)

    def _is_fertile(self, node: ast.ClassDef) -> bool:
        """Whether subclasses of a class may do something when they are made, as far as its own body tells."""
        if any(each.arg != "metaclass" or self._names.target(chain_of(each.value)) not in METACLASSES for each in node.keywords):
            return True
        return any(isinstance(each, ast.FunctionDef) and each.name in ("__init_subclass__", "__mro_entries__") for each in node.body)
