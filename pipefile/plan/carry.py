"""What importing a module carries out, gone through as Python would but without running anything.

Statement by statement, packages before what is in them: which statements have an effect, in which order, and which names are there by then. A module
that is imported while it is still being imported (in a circle) has the names that it has so far.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from pipefile.plan.code import Import, Module, Step
from pipefile.plan.inert import DECORATORS, METACLASSES, is_quiet_base
from pipefile.plan.scan import BUILTINS

STANDARD = frozenset(sys.stdlib_module_names)

_GIVEN = frozenset(
    ["__name__", "__file__", "__doc__", "__package__", "__path__", "__spec__", "__loader__", "__builtins__", "__annotations__", "__debug__"]
)


class Found(NamedTuple):
    """A module of the project.

    Args:
        name: Its dotted name.
        path: Its file, from the root; "" for a folder without `__init__.py`.
        kind: "module", "package", "namespace" or "binary".
    """

    name: str
    path: str
    kind: str


class Sources(NamedTuple):
    """Where modules are, and what is in them.

    Args:
        find: Dotted name -> the packages on the way and the module, as far as they are the project's; () for one that is not.
        read: What a file holds.
        extend: Told of a file that changes where modules are looked for, with texts that may name the folders.
    """

    find: Callable[[str], tuple[Found, ...]]
    read: Callable[[Found], Module]
    extend: Callable[[str, Sequence[str]], None]


class Unit:
    """A module on its way."""

    def __init__(self, found: Found, module: Module, script: bool = False) -> None:
        self.found = found
        self.name = found.name
        self.path = found.path
        self.module = module
        self.script = script
        self.bindings: dict[str, list[int]] = {}
        for number, step in enumerate(module.steps):
            if step.kind != "main" or script:
                for name in step.binds:
                    self.bindings.setdefault(name, []).append(number)
        self.begun = self.done = False
        self.at = -1  # the last statement that was carried out
        self.bound: set[str] = set()  # so far
        self.effects: list[int] = []
        self.acting: set[int] = set()
        self.reached: dict[int, bool] = {}  # step -> with docstrings and annotations
        self.used: set[int] = set()  # imports
        self.stars: list[tuple[str, bool]] = []
        self.faults: list[str] = []

    def alias(self, step: Step, name: str) -> Iterator[Import]:
        return (each for each in step.imports if each.name == name)


class _Frame:
    def __init__(self, unit: Unit) -> None:
        self.unit = unit
        self.at = 0
        self.asked = 0


Place = tuple[str, object, int]  # ("outside", dotted name, 0), ("step", unit, number), ("module", unit, 0)


class Carrier:
    """Carries out imports.

    Args:
        sources: Where modules are, and what is in them.

    Attributes:
        begun: Modules whose import has begun, in order.
        acted: Effects that nobody has taken yet.
        starred: Modules that a star import has taken whole, likewise.
        order: Effects by file, and what was imported from outside between them.
        packages: Top-level names of modules from outside.
    """

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._units: dict[str, Unit] = {}
        self._between: set[str] = set()
        self.begun: dict[Unit, None] = {}
        self.acted: list[tuple[Unit, int]] = []
        self.starred: list[Unit] = []
        self.order: list[str] = []
        self.packages: set[str] = set()

    # -- modules

    def find(self, name: str) -> list[Unit]:
        """The packages on the way to a module, and the module, as far as they are the project's."""
        found = []
        for each in self._sources.find(name):
            unit = self._units.get(each.name)
            if unit is None:
                module = Module("", ()) if each.kind == "namespace" else self._sources.read(each)
                unit = self._units[each.name] = Unit(each, module)
            found.append(unit)
        return found

    def exact(self, name: str) -> Unit | None:
        """The module of a name, if it is the project's."""
        units = self.find(name)
        return units[-1] if units and units[-1].name == name else None

    @staticmethod
    def _is_read(unit: Unit) -> bool:
        """Whether the names that a module binds are known."""
        steps = unit.module.steps
        return unit.found.kind != "binary" and not (len(steps) == 1 and steps[0].piece.plain == unit.module.source)

    def absolute(self, unit: Unit, name: str) -> str:
        """A module's name that may begin with dots, as seen from a module; "" where that leads out of it."""
        bare = name.lstrip(".")
        level = len(name) - len(bare)
        if not level:
            return bare
        home = unit.name if unit.found.kind in ("package", "namespace") else unit.name.rpartition(".")[0]
        parts = home.split(".") if home else []
        if level > len(parts):
            return ""
        return ".".join(parts[: len(parts) - level + 1] + ([bare] if bare else []))

    def _outside(self, name: str) -> None:
        root = name.partition(".")[0]
        if root and root not in STANDARD:
            if root not in self.packages:
                self._between.add(root)
            self.packages.add(root)

    # -- carrying out

    def carry_out(self, name: str) -> None:
        """Import a module, unless it has been imported."""
        while waiting := [unit for unit in self.find(name) if not unit.begun][:1]:
            self._run(waiting)
        if not self.find(name):
            self._outside(name)

    def run_script(self, path: str) -> Unit:
        """Run a file as a script."""
        found = Found("", path, "module")
        unit = Unit(found, self._sources.read(found), script=True)
        self._units[""] = unit
        self._run([unit])
        return unit

    def _run(self, units: Iterable[Unit]) -> None:
        stack: list[_Frame] = []
        for unit in units:
            self._begin(unit, stack)
        while stack:
            frame = stack[-1]
            unit = frame.unit
            if frame.at >= len(unit.module.steps):
                unit.done = True
                stack.pop()
                continue
            step = unit.module.steps[frame.at]
            if step.kind == "main" and not unit.script:
                frame.at += 1
                continue
            if frame.asked < len(step.imports):
                if not self._next_import(unit, step.imports[frame.asked], stack):
                    self._imported(unit, step.imports[frame.asked])
                    frame.asked += 1
                continue
            self._step(unit, frame.at, step)
            frame.at, frame.asked = frame.at + 1, 0

    def _begin(self, unit: Unit, stack: list[_Frame]) -> None:
        unit.begun = True
        self.begun[unit] = None
        if unit.module.extends_path:
            self._sources.extend(unit.path, unit.module.paths)
        stack.append(_Frame(unit))

    def _next_import(self, unit: Unit, asked: Import, stack: list[_Frame]) -> bool:
        """Begin with a module that an import wants and that has not been begun; False if there is none (any more)."""
        base, _, attribute = asked.target.partition(":")
        name = self.absolute(unit, base)
        units = self.find(name) if name else []
        for each in units:
            if not each.begun:
                self._begin(each, stack)
                return True
        if attribute and attribute != "*" and units and units[-1].name == name and not self._has(units[-1], attribute):
            below = self.exact(f"{name}.{attribute}")
            if below is not None and not below.begun:
                self._begin(below, stack)
                return True
        return False

    def _has(self, unit: Unit, name: str) -> bool:
        """Whether a name is there by now, as far as can be told."""
        return name in unit.bound or name in _GIVEN or "__getattr__" in unit.bound or bool(unit.stars) or name in unit.module.globals_set

    def _imported(self, unit: Unit, asked: Import) -> None:
        base, _, attribute = asked.target.partition(":")
        name = self.absolute(unit, base)
        units = self.find(name) if name else []
        if not units:
            self._outside(name)
            if attribute == "*":
                unit.stars.append((name, False))
            return
        last = units[-1]
        if last.found.kind == "namespace" and not (attribute and self.exact(f"{name}.{attribute}")):
            self._outside(name)  # a folder that happens to have this name, and an installed package, perhaps
        elif last.name != name:
            unit.faults.append(f"no {asked.target}")
        elif attribute == "*":
            unit.stars.append((name, True))
            self.starred.append(last)
        elif attribute and not last.done and name != unit.name:
            bound = last.bindings.get(attribute, ())
            unit.faults.append(f"{asked.target} at {sum(number <= last.at for number in bound)}")
        elif attribute and not self._has(last, attribute) and not self.exact(f"{name}.{attribute}") and self._is_read(last):
            unit.faults.append(f"no {asked.target}")

    def _step(self, unit: Unit, number: int, step: Step) -> None:
        unit.at = number
        if step.kind in ("effect", "main") or (step.kind == "bind" and self._acts(unit, step)):
            unit.acting.add(number)
            unit.effects.append(number)
            self.order += [*sorted(self._between), f"/{unit.path}"]
            self._between.clear()
            self.acted.append((unit, number))
        unit.bound.update(step.binds)

    def _acts(self, unit: Unit, step: Step) -> bool:
        for need in step.needs:
            if self._lacks(unit, need.lstrip("~"), need[0] == "~"):
                return True
        return any(self._callee_acts(unit, callee[0], callee[2:]) for callee in step.callees)

    def _lacks(self, unit: Unit, chain: str, soft: bool) -> bool:
        """Note what is not there while a definition is carried out. Returns whether the definition has to count for it."""
        parts = chain.split(".")
        root = parts[0]
        if not self._has(unit, root):
            if root in unit.bindings or root not in BUILTINS:
                unit.faults.append(f"no {root}")
            return False
        if len(parts) == 1 or root not in unit.bindings:
            return False
        place = self.look_up(unit, parts[:1])
        if place is None or place[0] == "step":
            return not soft
        if place[0] == "outside":
            return False
        module = place[1]
        assert isinstance(module, Unit)
        for number, name in enumerate(parts[1:]):
            if module.found.kind == "binary":
                return False
            if name in module.bindings:
                if not module.done:
                    unit.faults.append(f"{chain} at {name in module.bound}")
                inner = self.look_up(module, [name])
                if inner is not None and inner[0] == "module" and isinstance(inner[1], Unit):
                    module = inner[1]
                    continue
                return not soft and number + 2 < len(parts) and (inner is None or inner[0] != "outside")
            below = self.exact(f"{module.name}.{name}")
            if below is None:
                if not self._has(module, name) and self._is_read(module):
                    unit.faults.append(f"no {chain}")
                return False
            module = below
        return False

    def _callee_acts(self, unit: Unit, how: str, chain: str, depth: int = 0) -> bool:
        place = self.look_up(unit, chain.split("."))
        if place is None or depth > 50:
            return True
        kind, what, number = place
        if kind == "outside":
            assert isinstance(what, str)
            if how == "b":
                return not is_quiet_base(what, STANDARD)
            return what not in (METACLASSES if how == "m" else DECORATORS)
        if kind == "module":
            return True
        assert isinstance(what, Unit)
        step = what.module.steps[number]
        if how == "b":
            return number in what.acting or step.fertile or step.kind != "bind" or step.piece.function
        return step.inert < (2 if how == "c" else 1)

    def look_up(self, unit: Unit, parts: list[str], depth: int = 0) -> Place | None:
        """What a dotted name stands for, where that is one thing."""
        if depth > 50 or unit.stars:
            return None
        root, rest = parts[0], parts[1:]
        numbers = unit.bindings.get(root, ())
        if not numbers:
            return ("outside", "builtins." + ".".join(parts), 0) if root in BUILTINS else None
        step = unit.module.steps[numbers[0]]
        if step.kind == "import":
            bounds = {each.bound for number in numbers for each in unit.alias(unit.module.steps[number], root)}
            if len(bounds) != 1 or any(unit.module.steps[number].kind != "import" for number in numbers):
                return None
            return self.look_up_target(unit, bounds.pop(), rest, depth)
        if len(numbers) > 1 or rest or step.kind != "bind":
            return None
        return ("step", unit, numbers[0])

    def look_up_target(self, unit: Unit, bound: str, rest: list[str], depth: int) -> Place | None:
        base, _, attribute = bound.partition(":")
        name = self.absolute(unit, base)
        parts = [*([attribute] if attribute else []), *rest]
        units = self.find(name) if name else []
        if not units:
            return ("outside", ".".join([name, *parts]), 0) if name else None
        module = units[-1]
        if module.name != name:
            return None
        while parts:
            if parts[0] in module.bindings:
                return self.look_up(module, parts, depth + 1)
            below = self.exact(f"{module.name}.{parts[0]}")
            if below is None:
                return None
            module, parts = below, parts[1:]
        return ("module", module, 0)
