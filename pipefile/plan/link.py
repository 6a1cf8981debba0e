"""What a function or a script can reach, by symbol, through the modules of a project.

Two questions are answered together. What is *carried out* when the module is imported: its top level, and that of every module that it imports
(plan/carry.py). And what is *reached*: the function, the effects of what is carried out, and by name all that these refer to.

A symbol that is not reached counts for nothing, unless carrying out its definition is an effect (plan/code.py).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from pipefile.plan.carry import STANDARD, Carrier, Found, Sources, Unit
from pipefile.plan.code import FULL, PATCHES, SOURCE, WHOLE, WIDE, Piece, Step, short
from pipefile.plan.inert import DECORATORS, is_quiet_base

__all__ = ["MOST", "Found", "Linked", "Sources", "link_function", "link_script"]

MOST = 400
"""Symbols that are told one by one; where there are more, a file has one digest over all of its symbols, so that records stay small."""


class Linked(NamedTuple):
    """What was reached.

    Args:
        files: Every file that importing runs, sorted.
        symbols: (symbol, path, digest), sorted; the symbol "" is what importing the file does; the path "" is the order among files.
        packages: Top-level names of imported modules that are neither the project's nor Python's own, sorted.
    """

    files: tuple[str, ...]
    symbols: tuple[tuple[str, str, str], ...]
    packages: tuple[str, ...]


def link_function(module: str, function: str, sources: Sources) -> Linked:
    """All that calling `module:function` can reach."""
    linker = _Linker(sources)
    linker.carry_out(module)
    linker.settle()
    linker.refer(module, function)
    return linker.result()


def link_script(path: str, sources: Sources) -> Linked:
    """All that running a script can reach: the whole of the script, and what it refers to."""
    linker = _Linker(sources)
    linker.run(path)
    linker.settle()
    return linker.result()


class _Linker:
    def __init__(self, sources: Sources) -> None:
        self._carrier = Carrier(sources)
        self._todo: list[tuple[Unit, tuple[str, ...], bool, bool]] = []
        self._seen: set[tuple[Unit, tuple[str, ...], bool, bool]] = set()
        self._whole: dict[tuple[Unit, bool], None] = {}
        self._flags = 0
        self._patched = False
        self._settled = False
        self._parts: set[str] = set()  # modules that are asked for as attributes of their packages
        self._early = 0  # modules that were imported with the first one; others are imported by functions
        self._readers: list[tuple[Unit, int]] = []

    def run(self, path: str) -> None:
        """Reach all of a script."""
        self._be_whole(self._carrier.run_script(path), deep=False)

    def carry_out(self, module: str) -> None:
        """Import a module."""
        self._carrier.carry_out(module)

    # -- reaching

    def refer(self, module: str, function: str) -> None:
        """Reach a function by name."""
        unit = self._carrier.exact(module)
        if unit is not None:
            self._add(unit, tuple(function.split(".")), False, True)
            self._drain()

    def settle(self) -> None:
        """Follow what importing refers to. What it changes in modules may come before or after anything else of it."""
        self._drain()
        self._patched |= bool(self._flags & PATCHES)
        self._settled = True
        self._early = len(self._carrier.begun)

    def _add(self, unit: Unit, parts: tuple[str, ...], taken: bool, own: bool) -> None:
        """Note a use of a name: of a module's own global (*own*), or as its attribute."""
        item = (unit, parts, taken, own)
        if item not in self._seen:
            self._seen.add(item)
            self._todo.append(item)

    def _drain(self) -> None:
        while True:
            while self._todo or self._carrier.acted or self._carrier.starred:
                self._take_effects()
                if not self._todo:
                    continue
                unit, parts, taken, own = self._todo.pop()
                if own:
                    self._own(unit, parts, taken)
                else:
                    self._attribute(unit, parts, taken)
            if not self._widen():
                return

    def _take_effects(self) -> None:
        """Follow what imports have carried out meanwhile."""
        acted, starred = self._carrier.acted, self._carrier.starred
        while acted:
            self._take(*acted.pop())
        while starred:
            self._be_whole(starred.pop(), deep=False)

    def _widen(self) -> bool:
        """Take more where what is reached wants it. Returns whether there is anything new."""
        before = len(self._whole)
        if self._flags & WIDE:
            for unit in list(self._carrier.begun):
                self._be_whole(unit, deep=True)
        for unit, deep in list(self._whole):
            if deep and unit.name and unit.found.kind in ("package", "namespace"):
                for other in list(self._carrier.begun):
                    if other.name.startswith(unit.name + "."):
                        self._be_whole(other, deep=True)
        waiting, self._readers = self._readers, []
        for unit, number in waiting:
            if any(self._reads(unit, reader) for reader in unit.module.steps[number].piece.readers):
                self._take_fully(unit, number)
        if self._flags & (FULL | SOURCE):
            for unit, _ in list(self._whole):
                for number, step in enumerate(unit.module.steps):
                    if _is_bare(step):
                        self._take_fully(unit, number)
            for unit in list(self._carrier.begun):
                for number, full in list(unit.reached.items()):
                    if not full:
                        self._take_fully(unit, number)
        return bool(self._todo or self._carrier.acted or self._carrier.starred) or len(self._whole) > before

    def _own(self, unit: Unit, parts: tuple[str, ...], taken: bool) -> None:
        root, rest = parts[0], parts[1:]
        for number in unit.bindings.get(root, ()):
            step = unit.module.steps[number]
            for each in unit.alias(step, root):
                self._follow(unit, each.bound, rest, taken)
            if step.kind == "import":
                unit.used.add(number)
            else:
                self._take(unit, number)
                if taken and not rest and step.piece.function:
                    self._take_fully(unit, number)
        for name, ours in unit.stars:
            if ours:
                self._add(self._carrier.find(name)[-1], parts, taken, True)

    def _follow(self, unit: Unit, bound: str, rest: tuple[str, ...], taken: bool) -> None:
        """Use what an import has bound."""
        base, _, attribute = bound.partition(":")
        name = self._carrier.absolute(unit, base)
        if not name:
            return
        self._carrier.carry_out(name)
        units = self._carrier.find(name)
        if not units:
            return
        last = units[-1]
        beyond = tuple(name[len(last.name) + 1 :].split(".")) if last.name != name else ()
        parts = (*beyond, *((attribute,) if attribute else ()), *rest)
        if parts:
            self._add(last, parts, taken, False)
        else:
            self._be_whole(last, deep=True)

    def _attribute(self, unit: Unit, parts: tuple[str, ...], taken: bool) -> None:
        name, rest = parts[0], parts[1:]
        if name == "__dict__":
            self._be_whole(unit, deep=True)
            return
        below = f"{unit.name}.{name}"
        sub = self._carrier.exact(below) if unit.found.kind in ("package", "namespace") else None
        if name in unit.bindings:
            self._add(unit, parts, taken, True)
            if sub is None or self._comes_from(unit, name, below):
                return
        if sub is not None:
            self._parts.add(below)
            self._carrier.carry_out(below)
            if rest:
                self._add(sub, rest, taken, False)
            else:
                self._be_whole(sub, deep=True)
        elif unit.stars:
            self._add(unit, parts, taken, True)
        if "__getattr__" in unit.bindings:
            self._add(unit, ("__getattr__",), False, True)

    def _comes_from(self, unit: Unit, name: str, module: str) -> bool:
        """Whether a package's name was bound by an import from its module of that name, so that importing the module later leaves it alone."""
        steps = [unit.module.steps[number] for number in unit.bindings[name]]
        targets = [self._carrier.absolute(unit, each.target.partition(":")[0]) for step in steps for each in step.imports]
        return any(target == module or target.startswith(module + ".") for target in targets)

    def _be_whole(self, unit: Unit, deep: bool) -> None:
        """All of a module counts; with *deep* also the modules that it can hand on."""
        if (unit, deep) in self._whole or (unit, True) in self._whole:
            return
        self._whole[unit, deep] = None
        self._carrier.carry_out(unit.name) if unit.name else None
        for number, step in enumerate(unit.module.steps):
            if step.kind == "main" and not unit.script:
                continue
            if step.kind != "import" and not _is_bare(step):
                self._take(unit, number)
            for each in step.imports:
                if ":" in each.bound and each.name:
                    if deep or not self._is_module(unit, each.bound):
                        self._follow(unit, each.bound, (), False)
                elif deep and each.name:
                    self._follow(unit, each.bound, (), False)

    def _is_module(self, unit: Unit, bound: str) -> bool:
        place = self._carrier.look_up_target(unit, bound, [], 0)
        return place is not None and place[0] == "module"

    # -- pieces

    def _take(self, unit: Unit, number: int) -> None:
        if number in unit.reached:
            return
        unit.reached[number] = False
        piece = unit.module.steps[number].piece
        self._flags |= piece.flags
        self._follow_all(unit, piece, piece.refs)
        if piece.flags & WHOLE:
            self._be_whole(unit, deep=True)
        for target in piece.local.get("", ()):
            name = self._carrier.absolute(unit, target.partition(":")[0])
            if name:
                self._carrier.carry_out(name)
                self._patched |= not self._settled and bool(self._carrier.find(name))  # while others may be half imported
        if piece.readers and piece.full != piece.plain:
            self._readers.append((unit, number))

    def _take_fully(self, unit: Unit, number: int) -> None:
        if unit.reached.get(number):
            return
        self._take(unit, number)
        unit.reached[number] = True
        piece = unit.module.steps[number].piece
        self._follow_all(unit, piece, piece.full_refs)

    def _follow_all(self, unit: Unit, piece: Piece, refs: Iterable[str]) -> None:
        for ref in refs:
            if ref[:2] == "=?":
                if self._carrier.exact(ref[2:]) is not None:
                    self._follow(unit, ref[2:], (), False)
                continue
            if ref[0] == "=":
                self._follow(unit, ref[1:], (), False)
                continue
            chain, _, taker = ref.partition("@")
            parts = tuple(chain.split("."))
            if taker == "=":
                self._touch(unit, chain)
                continue
            taken = bool(taker) and self._is_foreign(unit, piece, taker)
            for target in piece.local.get(parts[0], ()):
                self._follow(unit, target, parts[1:], taken)
            self._add(unit, parts, taken, True)

    def _touch(self, unit: Unit, name: str) -> None:
        """A name is bound once more, or deleted: what it was bound to before is not used for that, but that it was counts."""
        for number in unit.bindings.get(name, ()):
            if unit.module.steps[number].kind == "import":
                unit.used.add(number)
            else:
                self._take(unit, number)

    def _is_foreign(self, unit: Unit, piece: Piece, chain: str) -> bool:
        """Whether a function is neither the project's nor Python's own: it may look at annotations and docstrings of what it is given."""
        root, *rest = chain.split(".")
        places = [self._carrier.look_up_target(unit, target, rest, 0) for target in piece.local.get(root, ())]
        places = places or [self._carrier.look_up(unit, [root, *rest])]
        return any(place is not None and place[0] == "outside" and str(place[1]).partition(".")[0] not in STANDARD | {"builtins"} for place in places)

    def _reads(self, unit: Unit, reader: str, depth: int = 0) -> bool:
        """Whether a decorator or base class may look at annotations and docstrings."""
        if reader == "?" or depth > 50:
            return True
        place = self._carrier.look_up(unit, reader.split("."))
        if place is None or place[0] == "module":
            return True
        kind, what, number = place
        if kind == "outside":
            assert isinstance(what, str)
            return what not in DECORATORS and not is_quiet_base(what, STANDARD)
        assert isinstance(what, Unit)
        step = what.module.steps[number]
        if step.piece.function:
            return not step.inert
        return any(self._reads(what, each, depth + 1) for each in step.piece.readers)

    # -- what came of it

    def result(self) -> Linked:
        self._drain()
        acting = [unit for unit in self._carrier.begun if unit.effects]
        early = set(list(self._carrier.begun)[: self._early])
        ordered = self._patched or (bool(self._flags & PATCHES) and any(unit not in early for unit in acting))
        found: dict[tuple[str, str], list[str]] = {}
        for unit in self._carrier.begun:
            if not unit.path:
                continue
            late = [f"{unit.name} is late"] if unit.name in self._parts and unit not in early else []  # perhaps nobody imports it at all
            top = self._top(unit, ordered, late)
            if top:
                found.setdefault(("", unit.path), []).append(top)
            for number, full in unit.reached.items():
                step = unit.module.steps[number]
                if number not in unit.acting:
                    name = ", ".join(step.binds) or "__annotations__"
                    found.setdefault((name, unit.path), []).append(step.piece.full if full else step.piece.plain)
        if len(acting) > 1 or (acting and self._carrier.packages):
            found["", ""] = [short("\0".join(self._carrier.order))]
        symbols = [(name, path, values[0] if len(values) == 1 else short("\0".join(values))) for (name, path), values in found.items()]
        if len(symbols) > MOST:
            symbols = _folded(symbols)
        files = {unit.path for unit in self._carrier.begun if unit.path}
        return Linked(tuple(sorted(files)), tuple(sorted(symbols, key=lambda each: (each[1], each[0]))), tuple(sorted(self._carrier.packages)))

    def _top(self, unit: Unit, ordered: bool, texts: list[str]) -> str:
        """What importing a file does; "" if it only defines."""
        steps = unit.module.steps
        texts += unit.faults
        for number in unit.effects:
            piece = steps[number].piece
            texts.append(piece.full if unit.reached.get(number) else piece.plain)
        if unit.effects:
            for number in sorted({*unit.reached, *unit.used} - unit.acting):
                texts.append(f"{','.join(steps[number].binds)} after {sum(other < number for other in unit.effects)}")
        if ordered or unit.stars or (unit in self._carrier.circular and any(each.effects for each in self._carrier.circular)):
            texts += self._sequence(unit)
        if self._flags & SOURCE:
            texts.append(unit.module.source)
        return short("\0".join(texts)) if texts else ""

    def _sequence(self, unit: Unit) -> list[str]:
        """The order of all in a module that matters to anybody: what is reached, effects, and imports of the project's modules."""
        found = []
        for number, step in enumerate(unit.module.steps):
            ours = [each.target for each in step.imports if self._carrier.find(self._carrier.absolute(unit, each.target.partition(":")[0]) or ".")]
            if ours or number in unit.reached or number in unit.used:
                found.append(f"{','.join(step.binds)} {','.join(ours)}")
        return found


def _is_bare(step: Step) -> bool:
    """Whether it is an annotation of nothing, `x: int`, which only counts for those who read annotations."""
    return step.kind == "bind" and not step.binds


def _folded(symbols: list[tuple[str, str, str]]) -> list[tuple[str, str, str]]:
    """One digest a file."""
    files: dict[str, list[str]] = {}
    for name, path, digest in sorted(symbols):
        files.setdefault(path, []).append(f"{name} {digest}")
    return [("", path, short("\0".join(texts))) for path, texts in files.items()]
