"""Dataclasses that cost little to declare.

The standard library writes and compiles six functions for each class, half a millisecond of them, and imports `inspect` for it: for the fifty classes
of a small build that is more than all else that it imports. Here a class gets one compiled function, its `__init__`; the others are shared.
For whoever asks (`dataclasses.replace`, `fields`, `asdict`), these are dataclasses: their fields are described when they are first asked for.

What is left out: inheritance between dataclasses, `init=False`, `kw_only`, `order`, `__post_init__`, `ClassVar`.
"""

from __future__ import annotations

TYPE_CHECKING = False  # as typing's, whose import is not needed for this
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from dataclasses import dataclass, field, replace
    from typing import TypeVar

    Made = TypeVar("Made")

    def constructor(cls: Callable[..., Made], fixed: Mapping[str, object]) -> Callable[..., Made]: ...

else:
    from operator import attrgetter

    _MISSING = object()
    _set = object.__setattr__

    class _Factory:
        def __init__(self, make):
            self.make = make

    def field(*, default_factory):
        """A field whose default is made anew for each object."""
        return _Factory(default_factory)

    def replace(changed, **values):
        """A copy of an object with other values in some fields."""
        for name in changed.__match_args__:
            if name not in values:
                values[name] = getattr(changed, name)
        return changed.__class__(**values)

    def constructor(cls, fixed):
        """What makes objects of a frozen class with slots in half the time that calling it takes. It is compiled here: that pays for thousands.

        Args:
            cls: The class, with two fields or more.
            fixed: Fields that have the same value in all of the objects.

        Returns:
            A function that takes the values of all other fields by position, in the order of their declaration.
        """
        twins = cls.__init__.__globals__
        known = {"_open": twins["_open"], "_closed": twins["_closed"], **{f"_fixed_{name}": value for name, value in fixed.items()}}
        lines = [f" self.{name} = {f'_fixed_{name}' if name in fixed else name}" for name in cls.__match_args__]
        arguments = ", ".join([name for name in cls.__match_args__ if name not in fixed])
        exec("\n".join([f"def make({arguments}):", " self = _open()", *lines, " self.__class__ = _closed", " return self"]), known)
        return known["make"]

    def dataclass(cls=None, *, frozen=False, slots=False, eq=True):
        """As `dataclasses.dataclass`, with the arguments that are used here."""
        if cls is not None:
            return _make(cls, frozen, slots, eq)
        return lambda given: _make(given, frozen, slots, eq)

    def _make(cls, frozen, slots, eq):
        names = tuple(cls.__annotations__)
        defaults = {name: cls.__dict__[name] for name in names if name in cls.__dict__}
        added = {"__init__": _init(cls, names, defaults, frozen, slots), "__repr__": _repr, "__match_args__": names}
        added["__dataclass_fields__"] = _Fields(defaults)
        if eq:
            values = attrgetter(*names) if names else lambda _: ()

            def equal(self, other):
                return values(self) == values(other) if other.__class__ is self.__class__ else NotImplemented

            added["__eq__"] = equal
            added["__hash__"] = (lambda self: hash(values(self))) if frozen else None
        if frozen:
            added |= {"__setattr__": _refuse, "__delattr__": _refuse, "__getstate__": _getstate, "__setstate__": _setstate}
        for name in [name for name in added if name in cls.__dict__ and name[:2] == "__" and cls.__dict__[name] is not None]:
            del added[name]  # the class has its own
        if not slots:
            for name, value in added.items():
                setattr(cls, name, value)
            return cls
        namespace = {name: value for name, value in cls.__dict__.items() if name not in defaults and name not in ("__dict__", "__weakref__")}
        made = type(cls)(cls.__name__, cls.__bases__, {**namespace, **added, "__slots__": names})
        made.__qualname__ = cls.__qualname__
        if frozen and "__init__" in added:
            made.__init__.__globals__.update(_open=type(cls)(cls.__name__, cls.__bases__, {"__slots__": names}), _closed=made)
        return made

    def _init(cls, names, defaults, frozen, slots):
        """The compiled `__init__`.

        A frozen object refuses to be assigned to, and going round that costs five times what an assignment does: 250 ns an attribute, of which a
        build needs a hundred for each command. So an object with slots is of another class while it is filled, which has the same slots and refuses
        nothing.
        """
        known = {"_set": _set, "_missing": _MISSING, "_become": object.__dict__["__class__"].__set__}
        arguments, lines = ["self"], []
        twin = frozen and slots and len(names) > 1
        for name in names:
            value = name
            if name in defaults:
                default = defaults[name]
                known[f"_default_{name}"] = default.make if isinstance(default, _Factory) else default
                arguments.append(f"{name}={'_missing' if isinstance(default, _Factory) else f'_default_{name}'}")
                if isinstance(default, _Factory):
                    value = f"_default_{name}() if {name} is _missing else {name}"
            else:
                arguments.append(name)
            lines.append(f" _set(self, {name!r}, {value})" if frozen and not twin else f" self.{name} = {value}")
        if twin:
            lines = [" _become(self, _open)", *lines, " self.__class__ = _closed"]
        exec(f"def __init__({', '.join(arguments)}):\n" + ("\n".join(lines) or " pass"), known)
        init = known["__init__"]
        init.__qualname__ = f"{cls.__qualname__}.__init__"
        return init

    def _repr(self):
        values = ", ".join([f"{name}={getattr(self, name)!r}" for name in self.__match_args__])
        return f"{self.__class__.__qualname__}({values})"

    def _refuse(self, name, *value):  # noqa: ARG001  # as Python calls it
        from dataclasses import FrozenInstanceError

        raise FrozenInstanceError(f"cannot {'assign to' if value else 'delete'} field {name!r}")

    def _getstate(self):
        return [getattr(self, name) for name in self.__match_args__]

    def _setstate(self, state):
        for name, value in zip(self.__match_args__, state, strict=True):
            _set(self, name, value)

    class _Fields:
        """The fields as the standard library describes them, made when somebody asks."""

        def __init__(self, defaults):
            self._defaults = defaults

        def __get__(self, _, owner):
            import dataclasses

            described = []
            for name in owner.__match_args__:
                default = self._defaults.get(name, _MISSING)
                if default is _MISSING:
                    kind = dataclasses.field()
                elif isinstance(default, _Factory):
                    kind = dataclasses.field(default_factory=default.make)
                else:
                    kind = dataclasses.field(default=default)
                described.append((name, owner.__annotations__[name], kind))
            found = dataclasses.make_dataclass(owner.__name__, described).__dataclass_fields__
            owner.__dataclass_fields__ = found
            return found


__all__ = ["constructor", "dataclass", "field", "replace"]
