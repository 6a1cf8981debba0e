"""One walk over a statement's syntax tree that both hashes it and finds what it refers to (plan/code.py: Piece)."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterable, Mapping

from pipefile.base.dataclass import dataclass, field
from pipefile.plan.code import DEEPEST, FULL, PATCHES, SOURCE, WHOLE, WIDE, Piece, imports_of, short
from pipefile.plan.nodes import COMPREHENSIONS, binds, chain_of, in_scope, is_bare, stored

BUILTINS = frozenset(dir(builtins))
Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)

_BY_NAME = {
    "globals": WHOLE, "vars": WHOLE, "locals": WHOLE, "dir": WHOLE, "exec": WHOLE, "eval": WHOLE, "__import__": WHOLE, "__builtins__": WHOLE,
    "setattr": PATCHES, "delattr": PATCHES, "__doc__": FULL, "__annotations__": FULL, "help": FULL,
    "__spec__": SOURCE, "__loader__": SOURCE, "__cached__": SOURCE, "__path__": WIDE,
}  # fmt: skip
_BY_ATTRIBUTE = {
    "__doc__": FULL, "__annotations__": FULL, "__subclasses__": WIDE, "__globals__": WIDE, "f_globals": WIDE, "f_builtins": WIDE,
    "__code__": SOURCE, "f_code": SOURCE, "f_lineno": SOURCE, "tb_lineno": SOURCE, "co_firstlineno": SOURCE, "__loader__": SOURCE, "__spec__": SOURCE,
}  # fmt: skip
_BY_TARGET = {
    "sys.modules": WIDE, "sys._getframe": SOURCE | WIDE, "sys.path": PATCHES, "sys.meta_path": WIDE, "sys.path_hooks": WIDE, "gc": WIDE,
    "inspect": SOURCE | WIDE, "inspect.signature": FULL, "inspect.getdoc": FULL, "inspect.get_annotations": FULL, "inspect.getfullargspec": FULL,
    "inspect.cleandoc": 0, "inspect.isclass": 0, "inspect.isfunction": 0, "inspect.ismethod": 0, "inspect.isgeneratorfunction": 0,
    "inspect.iscoroutinefunction": 0, "inspect.isawaitable": 0, "inspect.isabstract": 0, "inspect.Parameter": 0, "traceback": SOURCE,
    "linecache": SOURCE, "typing.get_type_hints": FULL, "typing_extensions.get_type_hints": FULL, "types.FunctionType": WHOLE, "importlib": WHOLE,
    "imp": WHOLE, "pkgutil": WHOLE, "runpy": WHOLE, "zipimport": WHOLE, "builtins": WHOLE | PATCHES, "pydoc": FULL | WIDE, "doctest": FULL | WIDE,
    "unittest.mock": WIDE, "mock": WIDE, "code": WHOLE, "codeop": WHOLE, "timeit": WHOLE, "pickle": WIDE, "_pickle": WIDE, "cPickle": WIDE,
    "dill": WIDE, "cloudpickle": WIDE, "joblib": WIDE, "shelve": WIDE, "torch.load": WIDE, "pandas.read_pickle": WIDE, "typer": FULL,
    "fire": FULL, "pydantic": FULL, "beartype": FULL, "typeguard": FULL, "cattrs": FULL, "cattr": FULL, "msgspec": FULL, "tyro": FULL,
    "jsonargparse": FULL, "plac": FULL, "defopt": FULL, "docopt": FULL, "simple_parsing": FULL, "fastapi": FULL, "injector": FULL,
}  # fmt: skip
"""What a name of another module can do to us; the longest match counts."""

TAGS = frozenset(["pipefile.stage", "pipefile.pipeline"])
"""Decorators that are no part of the function: what they say is in the stage's key already, as far as it belongs there (a timeout does not)."""

_PLACES = frozenset(["resolve", "absolute", "abspath", "realpath", "expanduser", "normpath", "fspath", "str", "Path", "PurePath"])


class TooDeepError(Exception):
    """The source is nested more deeply than it is worth to be walked."""


@dataclass(frozen=True, slots=True)
class Names:
    """What is known of a module's global names.

    Args:
        bound: How often each is bound at top level.
        imports: Those that imports bind -> their targets.
        postponed: Annotations are texts, by `from __future__ import annotations`.
        kinds: Constants of which it is known what they are (plan/inert.py: kind).
        texts: Texts that may be names of modules, where the module imports any whose name it computes.
    """

    bound: Mapping[str, int]
    imports: Mapping[str, tuple[str, ...]]
    postponed: bool = False
    kinds: Mapping[str, str] = field(default_factory=dict)
    texts: tuple[str, ...] = ()

    def target(self, chain: str) -> str:
        """What a dotted name stands for beyond this module, as "a.b.c"; "" if it is bound here, or in several ways."""
        root, _, rest = chain.partition(".")
        targets = self.imports.get(root, ())
        if len(targets) == 1 and self.bound.get(root) == 1:
            return _dotted(targets[0], rest)
        if root not in self.bound and root in BUILTINS:
            return f"builtins.{chain}"
        return ""


@dataclass(slots=True)
class _Scope:
    kind: str  # "function", "class" or "comprehension"
    bound: set[str]
    outer: set[str] = field(default_factory=set)  # declared global
    never: set[str] = field(default_factory=set)  # local by an annotation alone: nothing binds them


class Scanner:
    """Walks statements of one module, one piece a scanner.

    Args:
        names: The module's global names.
    """

    def __init__(self, names: Names) -> None:
        self._names = names
        self._out: list[str] = []
        self._soft: list[str] = []
        self._hard = self._out
        self.refs: dict[str, None] = {}
        self._hard_refs = self.refs
        self._soft_refs: dict[str, None] = {}
        self._readers: dict[str, None] = {}
        self._local: dict[str, list[str]] = {}
        self._scopes: list[_Scope] = []
        self._flags = 0
        self._depth = 0
        self._places: set[int] = set()  # `__file__` where only the folder is wanted

    def piece(self, nodes: Iterable[ast.AST], function: bool = False) -> Piece:
        """What the statements hold."""
        for node in nodes:
            self._visit(node)
        roots = sorted({ref.lstrip("=").partition("@")[0].partition(".")[0] for ref in self.refs} & self._names.imports.keys())
        aliases = [f"{name}={','.join(self._names.imports[name])}" for name in roots]
        plain = short("\0".join([*self._out, *aliases]))
        full = short("\0".join([plain, str(self._names.postponed), *self._soft])) if self._soft else plain
        return Piece(
            plain,
            full,
            tuple(self.refs),
            tuple([ref for ref in self._soft_refs if ref not in self.refs]),
            tuple(self._readers),
            {name: tuple(dict.fromkeys(targets)) for name, targets in self._local.items()},
            self._flags,
            function,
        )

    # -- nodes

    def _visit(self, node: ast.AST, taker: str = "") -> None:
        self._depth += 1
        if self._depth > DEEPEST:
            raise TooDeepError
        if isinstance(node, ast.Name):
            self._out += ("Name", node.id)
            self._name(node, taker)
        elif isinstance(node, ast.Constant):
            self._out += (type(node.value).__name__, _constant(node.value))
            if isinstance(node.value, str):
                self._flags |= _BY_ATTRIBUTE.get(node.value, 0)  # for getattr, attrgetter
        elif isinstance(node, ast.Attribute):
            self._attribute(node, taker)
        elif isinstance(node, ast.Call):
            self._call(node)
        elif isinstance(node, _FUNCTIONS):
            self._function(node)
        elif isinstance(node, ast.ClassDef):
            self._class(node)
        elif isinstance(node, COMPREHENSIONS):
            self._comprehension(node)
        elif isinstance(node, ast.AnnAssign):
            self._annotated(node)
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            self._aside(node.value)
        else:
            self._other(node)
        self._depth -= 1

    def _other(self, node: ast.AST) -> None:
        if isinstance(node, ast.Import | ast.ImportFrom):
            self._import(node)
        elif isinstance(node, ast.Global):
            self._flags |= PATCHES
        elif isinstance(node, ast.Subscript) and chain_of(node.value).endswith("argv") and isinstance(node.slice, ast.Constant):
            self._flags |= SOURCE if node.slice.value == 0 else 0  # a script's own path
        out = self._out
        out.append(type(node).__name__)
        for name in node._fields:
            value = getattr(node, name, None)
            if isinstance(value, list):
                out.append("[")
                self._visit_all(value)
                out.append("]")
            elif isinstance(value, ast.expr_context):
                pass  # follows from where the node stands
            elif isinstance(value, ast.AST):
                self._visit(value)
            else:
                out.append(repr(value))

    def _visit_all(self, values: Iterable[object]) -> None:
        for value in values:
            if isinstance(value, ast.AST):
                self._visit(value)
            else:
                self._out.append(repr(value))

    def _aside(self, node: ast.AST | None, what: str = "") -> None:
        """An annotation or a docstring: part of the full digest only."""
        self._soft += (str(len(self._hard)), what)
        if node is None:
            return
        out, refs = self._out, self.refs
        self._out, self.refs = self._soft, self._soft_refs
        self._visit(node)
        self._out, self.refs = out, refs

    # -- names

    def _name(self, node: ast.Name, taker: str = "") -> None:
        if node.id == "__file__":
            self._flags |= 0 if id(node) in self._places else SOURCE
        self._refer(node.id, node.id, taker if isinstance(node.ctx, ast.Load) else "=")

    def _refer(self, root: str, chain: str, taker: str) -> bool:
        """Note a use of a name, unless it is a local one: as an argument of *taker*. Returns whether it is global, or imported locally."""
        local = self._is_local(root)
        if local and root not in self._local:
            if any(root in scope.never for scope in self._scopes):
                self._out.append("never")  # without its annotation it would be a global one
            return False
        self.refs[f"{chain}@{taker}" if taker else chain] = None
        for target in self._local.get(root, ()):
            self._flags |= _flags_of(_dotted(target, chain.partition(".")[2]))
        if not local:
            if root not in self._names.bound:
                self._flags |= _BY_NAME.get(root, 0) if root != "locals" or not self._in_function() else 0
            for target in self._names.imports.get(root, ()):
                self._flags |= _flags_of(_dotted(target, chain.partition(".")[2]))
        return True

    def _is_local(self, name: str) -> bool:
        for scope in reversed(self._scopes):  # names of a class's body are taken for global ones as well: they may be, before they are bound
            if name in scope.outer:
                return False
            if name in scope.bound:
                return True
        return False

    def _in_function(self) -> bool:
        return any(scope.kind == "function" for scope in self._scopes)

    def _attribute(self, node: ast.Attribute, taker: str) -> None:
        self._flags |= _BY_ATTRIBUTE.get(node.attr, 0)
        if node.attr in ("parent", "parents"):
            self._only_place(node.value)
        parts = [node.attr]
        value = node.value
        while isinstance(value, ast.Attribute):
            self._flags |= _BY_ATTRIBUTE.get(value.attr, 0)
            parts.append(value.attr)
            value = value.value
        if len(parts) > DEEPEST:
            raise TooDeepError
        if not isinstance(value, ast.Name):
            self._out += ("Attribute", *parts)
            self._visit(value)
            return
        parts.append(value.id)
        chain = ".".join(reversed(parts))
        self._out += ("Chain", chain)
        if value.id == "__file__":
            self._name(value)
        known = self._refer(value.id, chain, taker)
        if known and not isinstance(node.ctx, ast.Load) and (value.id in self._names.imports or value.id in self._local):
            self._flags |= PATCHES

    def _call(self, node: ast.Call) -> None:
        function = node.func
        self._out.append("Call")
        name = function.attr if isinstance(function, ast.Attribute) else function.id if isinstance(function, ast.Name) else ""
        if name == "dirname":
            for argument in node.args:
                self._only_place(argument)
        self._visit(function)
        if name in ("import_module", "__import__"):
            self._imported_by_call(node, name)
        taker = self._taker(function)
        for argument in node.args:
            self._visit(argument, taker if isinstance(argument, ast.Name | ast.Attribute) else "")
        self._out.append(";")
        for keyword in node.keywords:
            self._flags |= WIDE if keyword.arg == "allow_pickle" else 0
            self._out += ("keyword", repr(keyword.arg))
            self._visit(keyword.value, taker if isinstance(keyword.value, ast.Name | ast.Attribute) else "")

    def _taker(self, function: ast.expr) -> str:
        """What gets hold of the arguments of a call: a function of another module, by its name. Methods are taken to be harmless."""
        chain = chain_of(function)
        root = chain.partition(".")[0]
        if not chain or (root not in self._names.imports and root not in self._local):
            return ""
        return chain

    def _only_place(self, node: ast.AST) -> None:
        """Whoever takes the folder of `__file__` does not read the file."""
        while True:
            if isinstance(node, ast.Name):
                self._places.add(id(node))
                return
            if not isinstance(node, ast.Call):
                return
            function = node.func
            name = function.attr if isinstance(function, ast.Attribute) else function.id if isinstance(function, ast.Name) else ""
            if name not in _PLACES:
                return
            if node.args:
                node = node.args[0]
            elif isinstance(function, ast.Attribute):
                node = function.value
            else:
                return

    def _imported_by_call(self, node: ast.Call, name: str) -> None:
        texts = [each.value if isinstance(each, ast.Constant) and isinstance(each.value, str) else "" for each in node.args[:2]]
        for keyword in node.keywords:
            if keyword.arg == "package" and isinstance(keyword.value, ast.Constant) and isinstance(keyword.value.value, str):
                texts[1:] = [keyword.value.value]
        if node.args and not (texts and texts[0]):
            for text in self._names.texts:
                for start in starts_of(node.args[0], texts[1] if len(texts) > 1 else ""):
                    self.refs[f"=?{start}{text}"] = None
        if not texts or not texts[0]:
            return
        target = texts[0]
        if name == "import_module" and target.startswith(".") and len(texts) > 1 and texts[1]:
            level = len(target) - len(target.lstrip("."))
            parts = texts[1].split(".")
            if level <= len(parts):
                target = ".".join([*parts[: len(parts) - level + 1], target.lstrip(".")]).rstrip(".")
        self.refs[f"={target}"] = None

    def _import(self, node: ast.Import | ast.ImportFrom) -> None:
        for each in imports_of(node):
            self._flags |= _flags_of(_dotted(each.target, "")) & ~PATCHES
            if self._scopes:
                if each.name:
                    self._local.setdefault(each.name, []).append(each.bound)
                self._local.setdefault("", []).append(each.target)

    # -- scopes

    def _function(self, node: Function) -> None:
        self._out.append(type(node).__name__)
        if not isinstance(node, ast.Lambda):
            self._out.append(node.name)
            for decorator in node.decorator_list:
                self._decorator(decorator)
            if node.returns is not None:
                self._aside(node.returns, "returns")
            self._type_params(node)
        arguments = node.args
        everyone = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, *filter(None, (arguments.vararg, arguments.kwarg))]
        shape = (len(arguments.posonlyargs), len(arguments.args), len(arguments.kwonlyargs), arguments.vararg is None, arguments.kwarg is None)
        self._out += (str(shape), *[each.arg for each in everyone])
        for each in everyone:
            if each.annotation is not None:
                self._aside(each.annotation, each.arg)
        self._visit_all(arguments.defaults)
        self._out.append(";")
        self._visit_all(arguments.kw_defaults)
        self._out.append(";")
        body = [node.body] if isinstance(node, ast.Lambda) else node.body
        scope = _Scope("function", {each.arg for each in everyone})
        self._bind(body, scope)
        self._scopes.append(scope)
        self._visit_all(body)
        self._scopes.pop()
        self._out.append("end")

    def _class(self, node: ast.ClassDef) -> None:
        self._out += ("Class", node.name)
        for decorator in node.decorator_list:
            self._decorator(decorator)
        self._type_params(node)
        for base in node.bases:
            self._readers[chain_of(base.value if isinstance(base, ast.Subscript) else base) or "?"] = None
            self._visit(base)
        self._out.append(";")
        self._visit_all(node.keywords)
        self._scopes.append(_Scope("class", set()))
        self._visit_all(node.body)
        self._scopes.pop()
        self._out.append("end")

    def _type_params(self, node: ast.AST) -> None:
        for each in getattr(node, "type_params", ()):
            self._aside(each, "type")

    def _decorator(self, node: ast.expr) -> None:
        chain = chain_of(node.func if isinstance(node, ast.Call) else node)
        root = chain.partition(".")[0]
        if self._names.target(chain) in TAGS and not self._is_local(root):
            return
        self._out.append("@")
        in_class = bool(self._scopes) and self._scopes[-1].kind == "class"
        if not (in_class and chain.endswith((".setter", ".getter", ".deleter")) and root not in self._names.bound):
            self._readers[chain if chain and not self._is_local(root) else "?"] = None
        self._visit(node)

    def _comprehension(self, node: ast.AST) -> None:
        scope = _Scope("comprehension", set())
        generators: list[ast.comprehension] = node.generators  # type: ignore[attr-defined]
        for each in generators:
            scope.bound.update(stored(each.target))
        self._out.append(type(node).__name__)
        self._visit(generators[0].iter)  # evaluated outside
        self._scopes.append(scope)
        for number, each in enumerate(generators):
            self._out.append(f"for{each.is_async}")
            self._visit(each.target)
            if number:
                self._visit(each.iter)
            self._visit_all(each.ifs)
        for name in ("key", "value", "elt"):
            part = getattr(node, name, None)
            if part is not None:
                self._visit(part)
        self._scopes.pop()
        self._out.append("end")

    def _annotated(self, node: ast.AnnAssign) -> None:
        """An annotated assignment is one without its annotation, but in class bodies, where annotations make fields."""
        if self._scopes and self._scopes[-1].kind == "class":
            self._out += ("AnnAssign", str(node.simple), *(["postponed"] if self._names.postponed else []))
            self._visit(node.target)
            self._visit(node.annotation)
            if node.value is not None:
                self._visit(node.value)
            self._out.append(";")
            return
        target = node.target
        self._aside(node.annotation, f"variable {node.simple} {chain_of(target)}")
        if node.value is not None:
            self._visit(ast.Assign([target], node.value))
        elif not (isinstance(target, ast.Name) or (isinstance(target, ast.Attribute) and self._is_local(chain_of(target.value)))):
            self._visit(ast.Expr(target))  # looked up, as far as that goes

    def _bind(self, body: Iterable[ast.AST], scope: _Scope) -> None:
        """Find what is local to a function: everything that it binds, unless it says that it is somebody else's."""
        elsewhere: set[str] = set()
        annotated: set[str] = set()
        todo = list(body)
        while todo:
            node = todo.pop()
            if isinstance(node, ast.Global):
                scope.outer.update(node.names)
            elif isinstance(node, ast.Nonlocal):
                elsewhere.update(node.names)
            elif isinstance(node, ast.AnnAssign) and is_bare(node) and node.simple:
                annotated.add(node.target.id)  # type: ignore[union-attr]
            elif isinstance(node, ast.Import | ast.ImportFrom):
                for each in imports_of(node):
                    if each.name:
                        scope.bound.add(each.name)
                        self._local.setdefault(each.name, []).append(each.bound)
            scope.bound.update(binds(node))
            todo += in_scope(node)
        scope.never = annotated - scope.bound
        scope.bound |= annotated
        scope.bound -= scope.outer | elsewhere


def starts_of(node: ast.expr, package: str) -> list[str]:
    """What the computed name of a module may begin with, before a text of the same file: `f"plugins.{name}"`."""
    first = node.values[0] if isinstance(node, ast.JoinedStr) and node.values else node.left if isinstance(node, ast.BinOp) else node
    start = first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else ""
    if start[:1] == ".":
        start = f"{package}{start}" if package and start[:2] != ".." else ""
    return ["", start] if start else [""]


def _dotted(target: str, rest: str) -> str:
    whole = target.replace(":", ".", 1) if target.strip(".:") else target
    return f"{whole}.{rest}" if rest else whole


def _flags_of(target: str) -> int:
    while target:
        if target in _BY_TARGET:
            return _BY_TARGET[target]
        target = target.rpartition(".")[0]
    return 0


def _constant(value: object) -> str:
    return hex(value) if type(value) is int else repr(value)  # decimal has a limit of digits
