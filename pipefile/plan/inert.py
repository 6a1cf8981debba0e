"""What can stand at top level without doing anything but define: expressions whose value is the same whenever they are evaluated, and calls out of a
table of what is known to be harmless."""

from __future__ import annotations

import ast
from collections.abc import Iterable

from pipefile.plan.nodes import chain_of
from pipefile.plan.scan import BUILTINS, TAGS, Names

_NUMBERS = (int, float)

CALLS = {
    "builtins.object": "any", "builtins.property": "any", "builtins.staticmethod": "any", "builtins.classmethod": "any",
    "builtins.frozenset": "literal", "builtins.set": "literal", "builtins.dict": "literal", "builtins.list": "literal", "builtins.tuple": "literal",
    "builtins.range": "literal", "builtins.bytearray": "literal",
    "collections.namedtuple": "fields",
    "collections.defaultdict": "any", "collections.deque": "literal", "collections.OrderedDict": "literal", "collections.Counter": "literal",
    "contextvars.ContextVar": "any", "dataclasses.field": "any", "enum.auto": "any", "functools.partial": "any", "logging.getLogger": "any",
    "pathlib.Path": "literal", "pathlib.PurePath": "literal", "pathlib.PurePosixPath": "literal", "re.compile": "pattern",
    "threading.Lock": "any", "threading.RLock": "any", "threading.Event": "any", "threading.local": "any",
    "typing.TypeVar": "any", "typing.ParamSpec": "any", "typing.NewType": "any", "types.SimpleNamespace": "any", "datetime.timedelta": "literal",
}  # fmt: skip
"""Calls that make a value and do nothing else -> what their arguments may be: "any" inert expression; "literal": constants alone, since they are
looked into; "pattern": a regular expression that is one; "fields": names of fields that are some."""

_PATHS = frozenset(["pathlib.Path", "pathlib.PurePath", "pathlib.PosixPath", "pathlib.PurePosixPath"])
_TEXTS = frozenset(["os.path.join", "os.path.dirname", "os.path.abspath", "os.path.basename", "os.path.normpath"])
_LARGEST_POWER = 64

DECORATORS = frozenset(
    [
        "builtins.property", "builtins.staticmethod", "builtins.classmethod", "functools.lru_cache", "functools.cache", "functools.cached_property",
        "functools.wraps", "functools.total_ordering", "functools.singledispatch", "functools.partial", "contextlib.contextmanager",
        "contextlib.asynccontextmanager", "dataclasses.dataclass", "abc.abstractmethod", "typing.overload", "typing.final", "typing.no_type_check",
        "typing.runtime_checkable", "typing.override", "typing_extensions.override", "typing_extensions.final", "typing_extensions.overload",
        "enum.unique", "enum.verify", "pipefile.stage", "pipefile.pipeline", "numba.jit", "numba.njit", "tenacity.retry", "torch.no_grad",
        "torch.inference_mode",
    ]
)  # fmt: skip
"""They wrap or mark what they decorate, and tell nobody. None of them reads annotations or docstrings but for `dataclass`, to which those in class
bodies matter, and these count anyway."""

METACLASSES = frozenset(["builtins.type", "abc.ABCMeta", "enum.EnumMeta", "enum.EnumType"])
_QUIET_BASES = frozenset(
    [
        "torch", "sklearn", "keras", "tensorflow", "lightning", "pytorch_lightning", "transformers", "jax", "flax", "equinox", "numpy", "pandas",
        "typing_extensions",
    ]
)  # fmt: skip
_LOUD_BASES = frozenset(["unittest.mock", "ctypes"])


def is_quiet_base(target: str, standard: frozenset[str]) -> bool:
    """Whether a class from outside of the project lets itself be subclassed without keeping a list of its subclasses."""
    root = target.partition(".")[0]
    if root == "builtins":
        return True
    return root in _QUIET_BASES or (root in standard and not any(target.startswith(each) for each in _LOUD_BASES))


class Evaluation:
    """What carrying out a statement asks for, as far as it can be told to be without effect.

    Args:
        names: The module's global names.
        inner: Names that the class body around binds.

    Attributes:
        needs: Global names that have to be there (plan/code.py: Step).
        callees: What is called.
    """

    def __init__(self, names: Names, inner: Iterable[str] = ()) -> None:
        self._names = names
        self._inner = set(inner)
        self.needs: dict[str, None] = {}
        self.callees: dict[str, None] = {}

    def bind(self, name: str) -> None:
        """A name of the class body."""
        self._inner.add(name)

    def all_inert(self, nodes: Iterable[ast.AST | None]) -> bool:
        return all(node is None or self.is_inert(node) for node in nodes)

    def is_inert(self, node: ast.AST) -> bool:
        """Whether an expression only gives a value, and the same one at any time."""
        if isinstance(node, ast.Constant):
            return True
        if isinstance(node, ast.Name):
            return self._named(node.id)
        if isinstance(node, ast.BinOp | ast.JoinedStr | ast.Call | ast.Attribute) and self.kind(node):
            return True
        if isinstance(node, ast.Attribute):
            return self._dotted(node)
        if isinstance(node, ast.Tuple | ast.List):
            return self.all_inert(node.elts)
        if isinstance(node, ast.Set):
            return all(isinstance(each, ast.Constant) for each in node.elts)
        if isinstance(node, ast.Dict):
            return all(isinstance(key, ast.Constant) for key in node.keys) and self.all_inert(node.values)
        if isinstance(node, ast.Lambda):
            return self.all_inert([*node.args.defaults, *node.args.kw_defaults])
        if isinstance(node, ast.UnaryOp):
            return _is_number(node.operand)
        if isinstance(node, ast.BinOp):
            return _is_arithmetic(node)
        if isinstance(node, ast.Call):
            return self._call(node)
        return False

    def kind(self, node: ast.AST) -> str:
        """Of an expression that only gives a value, and cannot fail: whether that is a "number", a "text" or a "path"; "" for anything else.

        The names in it are constants of the module, bound once, of which that is known.
        """
        if isinstance(node, ast.Constant):
            return "number" if type(node.value) in _NUMBERS else "text" if isinstance(node.value, str) and "\0" not in node.value else ""
        if isinstance(node, ast.Name):
            found = "text" if node.id == "__file__" else self._names.kinds.get(node.id, "")
            return found if node.id not in self._inner and self._named(node.id) else ""
        if isinstance(node, ast.UnaryOp):
            return "number" if isinstance(node.op, ast.USub | ast.UAdd) and self.kind(node.operand) == "number" else ""
        if isinstance(node, ast.JoinedStr):
            values = [each for each in node.values if not isinstance(each, ast.Constant)]
            plain = all(isinstance(each, ast.FormattedValue) and each.format_spec is None and self.kind(each.value) for each in values)
            return "text" if plain else ""
        if isinstance(node, ast.BinOp):
            return self._kind_of_operation(node)
        if isinstance(node, ast.Attribute):
            return "path" if node.attr == "parent" and self.kind(node.value) == "path" else ""
        return self._kind_of_call(node) if isinstance(node, ast.Call) else ""

    def _kind_of_operation(self, node: ast.BinOp) -> str:
        left, right = self.kind(node.left), self.kind(node.right)
        operator, by = node.op, node.right.value if isinstance(node.right, ast.Constant) else None
        if left == "path" and isinstance(operator, ast.Div):
            return "path" if right in ("text", "path") else ""
        if left != right:
            return ""
        if left == "text":
            return left if isinstance(operator, ast.Add) else ""
        if isinstance(operator, ast.Add | ast.Sub | ast.Mult) or (isinstance(operator, ast.Div | ast.FloorDiv | ast.Mod) and by):
            return left
        small = type(by) is int and 0 <= by < _LARGEST_POWER and isinstance(node.left, ast.Constant) and type(node.left.value) is int
        return left if small and isinstance(operator, ast.LShift | ast.Pow) else ""

    def _kind_of_call(self, node: ast.Call) -> str:
        function = node.func
        if node.keywords:
            return ""
        if isinstance(function, ast.Attribute) and not node.args and function.attr in ("resolve", "absolute"):
            return "path" if self.kind(function.value) == "path" and _of_the_file(function.value) else ""
        chain = chain_of(function)
        target = self._names.target(chain) if chain and chain.partition(".")[0] not in self._inner else ""
        kinds = {self.kind(each) for each in node.args}
        if target in _PATHS:
            return "path" if kinds <= {"text", "path"} else ""
        if target == "os.path.abspath" and not _of_the_file(node):
            return ""
        return "text" if target in _TEXTS and kinds == {"text"} and (len(node.args) == 1 or target == "os.path.join") else ""

    def _named(self, name: str) -> bool:
        if name in self._inner:
            return True
        self.needs[name] = None
        return self._names.bound.get(name, 0) <= 1 and (name in self._names.bound or name in BUILTINS or name in ("__name__", "__file__"))

    def _dotted(self, node: ast.Attribute) -> bool:
        chain = chain_of(node)
        root = chain.partition(".")[0]
        if not chain or root in self._inner or len(self._names.imports.get(root, ())) != 1 or self._names.bound.get(root) != 1:
            return False
        self.needs[chain] = None
        return True

    def _call(self, node: ast.Call) -> bool:
        chain = chain_of(node.func)
        if not chain or chain.partition(".")[0] in self._inner:
            return False
        rule = CALLS.get(self._names.target(chain), "")
        arguments = [*node.args, *[each.value for each in node.keywords]]
        if any(isinstance(each, ast.Starred) for each in node.args) or any(each.arg is None for each in node.keywords):
            return False
        if rule == "any":
            return self.all_inert(arguments)
        if rule == "literal":
            return all(_is_literal(each) for each in arguments)
        if rule == "fields":
            return _are_fields(node)
        if rule == "pattern":
            return bool(node.args) and _is_pattern(node.args[0]) and all(chain_of(each) for each in arguments[1:])
        return False

    # -- definitions

    def decorators(self, nodes: Iterable[ast.expr]) -> bool:
        for node in nodes:
            call = isinstance(node, ast.Call)
            chain = chain_of(node.func if isinstance(node, ast.Call) else node)
            root = chain.partition(".")[0]
            if not chain:
                return False
            if root in self._inner:
                if chain.endswith((".setter", ".getter", ".deleter")):
                    continue
                return False
            self.needs[root] = None
            self.callees[f"{'c' if call else 'd'}:{chain}"] = None
            if isinstance(node, ast.Call):
                values = [*node.args, *[each.value for each in node.keywords]]
                if not (self.all_inert(values) or (self._names.target(chain) in TAGS and all(self.annotation(each) for each in values))):
                    return False
        return True

    def function(self, node: ast.FunctionDef | ast.AsyncFunctionDef, annotations: bool) -> bool:
        """Whether a definition of a function does nothing else. *annotations*: they are evaluated."""
        arguments = node.args
        if not self.decorators(node.decorator_list) or not self.all_inert([*arguments.defaults, *arguments.kw_defaults]):
            return False
        if not annotations:
            return True
        everyone = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, *filter(None, (arguments.vararg, arguments.kwarg))]
        return all(self.annotation(each) for each in [*[each.annotation for each in everyone], node.returns] if each is not None)

    def annotation(self, node: ast.AST) -> bool:
        """Whether an annotation is one: names, subscripts, `|`."""
        for each in ast.walk(node):
            chain = chain_of(each) if isinstance(each, ast.Name | ast.Attribute) else ""
            if chain and chain.partition(".")[0] not in self._inner:
                self.needs[f"~{chain}"] = None
            elif isinstance(each, ast.Call | ast.NamedExpr | ast.Await | ast.ListComp | ast.GeneratorExp | ast.DictComp | ast.SetComp):
                return False
        return True

    def class_(self, node: ast.ClassDef, annotations: bool) -> bool:
        """Whether a definition of a class does nothing else."""
        if not self.decorators(node.decorator_list):
            return False
        for base in node.bases:
            chain = chain_of(base.value if isinstance(base, ast.Subscript) else base)
            if not chain or chain.partition(".")[0] in self._inner or (isinstance(base, ast.Subscript) and not self.annotation(base.slice)):
                return False
            self.needs[chain.partition(".")[0]] = None
            self.callees[f"b:{chain}"] = None
        for keyword in node.keywords:
            chain = chain_of(keyword.value)
            if keyword.arg == "metaclass" and chain:
                self.callees[f"m:{chain}"] = None
            elif keyword.arg is None or not self.is_inert(keyword.value):
                return False
        inner = Evaluation(self._names, self._inner)
        inner.needs, inner.callees = self.needs, self.callees
        return all(inner.in_class(each, annotations) for each in node.body)

    def in_class(self, node: ast.stmt, annotations: bool) -> bool:
        if isinstance(node, ast.Pass) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
            return True
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            good = self.function(node, annotations)
            self.bind(node.name)
            return good
        if isinstance(node, ast.ClassDef):
            good = self.class_(node, annotations)
            self.bind(node.name)
            return good
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            good = (not annotations or self.annotation(node.annotation)) and (node.value is None or self.is_inert(node.value))
            if node.value is not None:
                self.bind(node.target.id)
            return good
        if isinstance(node, ast.Assign) and all(isinstance(each, ast.Name) for each in node.targets):
            good = self.is_inert(node.value)
            for each in node.targets:
                self.bind(each.id)  # type: ignore[attr-defined]
            return good
        return False


def inertness(node: ast.FunctionDef | ast.AsyncFunctionDef, names: Names) -> int:
    """How often a function can be called, and then what it returns, with nothing but definitions carried out: as decorators are."""
    if isinstance(node, ast.AsyncFunctionDef):
        return 0
    inner: list[int] = []
    for each in node.body:
        if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef):
            for decorator in each.decorator_list:
                chain = chain_of(decorator.func if isinstance(decorator, ast.Call) else decorator)
                if names.target(chain) not in DECORATORS:
                    return 0
            if not all(isinstance(default, ast.Constant) for default in [*each.args.defaults, *filter(None, each.args.kw_defaults)]):
                return 0
            inner.append(inertness(each, names))
        elif isinstance(each, ast.Return) and (each.value is None or isinstance(each.value, ast.Name | ast.Constant)):
            continue
        elif not (isinstance(each, ast.Pass) or (isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant))):
            return 0
    return 1 + min(inner, default=0)


def _is_number(node: ast.AST) -> bool:
    if isinstance(node, ast.UnaryOp):
        return _is_number(node.operand)
    return isinstance(node, ast.Constant) and type(node.value) in _NUMBERS


def _is_arithmetic(node: ast.AST) -> bool:
    if isinstance(node, ast.BinOp):
        if isinstance(node.op, ast.LShift):
            shift = node.right
            return _is_arithmetic(node.left) and isinstance(shift, ast.Constant) and type(shift.value) is int and 0 <= shift.value < 1000
        return isinstance(node.op, ast.Add | ast.Sub | ast.Mult) and _is_arithmetic(node.left) and _is_arithmetic(node.right)
    return _is_number(node)


def _is_literal(node: ast.AST) -> bool:
    if isinstance(node, ast.Tuple | ast.List):
        return all(_is_literal(each) for each in node.elts)
    if isinstance(node, ast.Set):
        return all(isinstance(each, ast.Constant) for each in node.elts)
    if isinstance(node, ast.Dict):
        return all(isinstance(each, ast.Constant) for each in node.keys) and all(_is_literal(each) for each in node.values)
    return isinstance(node, ast.Constant) or (isinstance(node, ast.UnaryOp) and _is_number(node.operand))


def _of_the_file(node: ast.AST) -> bool:
    """Whether a path is the module's own, or beside it: it does not depend on the working folder."""
    return any(isinstance(each, ast.Name) and each.id == "__file__" for each in ast.walk(node))


def _are_fields(node: ast.Call) -> bool:
    """Whether a call of `namedtuple` makes one."""
    from keyword import iskeyword

    if len(node.args) != 2 or node.keywords or not _is_literal(node.args[0]) or not _is_literal(node.args[1]):
        return False
    name, fields = ast.literal_eval(node.args[0]), ast.literal_eval(node.args[1])
    names = fields.replace(",", " ").split() if isinstance(fields, str) else fields
    if not isinstance(names, list | tuple):
        return False
    if not all(isinstance(each, str) and each.isidentifier() and not iskeyword(each) for each in [name, *names]):
        return False
    return len(set(names)) == len(names) and not any(each.startswith("_") for each in names)


def _is_pattern(node: ast.AST) -> bool:
    import re

    if not isinstance(node, ast.Constant) or not isinstance(node.value, str | bytes):
        return False
    try:
        re.compile(node.value)
    except (re.error, OverflowError, RecursionError):
        return False
    return True
