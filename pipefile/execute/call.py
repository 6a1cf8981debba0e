"""The one way in which a stage's function is called, in a thread of the builder, in a worker process and in the debugger."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import FunctionType
from typing import TYPE_CHECKING, Any, NamedTuple

from pipefile.execute.batch import NO_ARTIFACTS, finish_items
from pipefile.execute.modules import CallError
from pipefile.execute.values import arguments_of, store_returned, takes_items

if TYPE_CHECKING:
    from pipefile.execute.context import Context
    from pipefile.model.ports import FunctionCall

_COROUTINE, _ASYNC_GENERATOR, _GENERATOR = 0x80, 0x200, 0x20  # inspect.CO_*, whose module takes long to import
_VARKEYWORDS = 0x08


class Signature(NamedTuple):
    """What a function takes.

    Args:
        names: Parameters that can be given by name.
        needed: Those that have no default, and the positional ones, which cannot be given.
        takes_all: It has a `**parameter`.
    """

    names: tuple[str, ...]
    needed: tuple[str, ...]
    takes_all: bool


def call_function(function: object, call: FunctionCall, context: Callable[[], Context], setup: Callable[[], object]) -> None:
    """Call a stage's function with its arguments, and keep what it returns where that is asked for.

    Args:
        function: What `ProjectModules.function` has found.
        call: Its arguments, and what it returns.
        context: Makes the argument `ctx`, if there is a parameter of that name.
        setup: Gives the argument `setup`, if the stage has one.

    Raises:
        CallError: The function does not take what its stage hands over, or a value cannot be read or kept.
        BaseException: Whatever the function raises.
    """
    signature = check_arguments(function, call)
    arguments: dict[str, Any] = arguments_of(call)
    ctx = None
    if "ctx" not in arguments and signature is not None and "ctx" in signature.names:
        ctx = arguments["ctx"] = context()
        if call.batch is not None:
            ctx.turn_to("", NO_ARTIFACTS)
    if call.item and signature is not None:
        arguments.update({name: value for name, value in call.item.items() if name in signature.names and name not in arguments})
    if call.setup is not None:
        made = setup()  # before the look at the parameters: a stage may want only that it has been run
        if signature is None or signature.takes_all or "setup" in signature.names:
            arguments["setup"] = made
    returned = function(**arguments)  # type: ignore[operator]  # `ProjectModules.function` has looked
    if call.batch is not None:
        finish_items(returned, call, ctx)
    else:
        store_returned(returned, call.returns, call.value_limit)  # which runs a generator that it is


def check_arguments(function: object, call: FunctionCall) -> Signature | None:
    """See that a function takes what its stage hands over, before it is called.

    Returns:
        What it takes; None for a function in C that does not tell.

    Raises:
        CallError: It does not, or calling it would not run it.
    """
    written = f"`{call.call.module}:{call.call.function}`"
    code = getattr(_innermost(function), "__code__", None)
    flags = code.co_flags if code is not None else 0
    if flags & (_COROUTINE | _ASYNC_GENERATOR):
        raise CallError(f"cannot call {written}: it is async; call it with asyncio.run from a plain function")
    if flags & _GENERATOR and call.batch is None and not takes_items(call.returns):
        raise CallError(f"cannot call {written}: it is a generator, so calling it would run nothing")
    signature = _signature(function)
    if signature is None:
        return None
    extra = [name for name in call.arguments if name not in signature.names]
    if extra and not signature.takes_all:
        takes = ", ".join(f"`{name}`" for name in signature.names) or "no arguments"
        raise CallError(f"cannot call {written}: it takes no `{extra[0]}`, which its stage hands over; it takes {takes}")
    given: Mapping[str, object] = call.arguments
    for name in signature.needed:
        if name in given or name in call.item or name == "ctx" or (name == "setup" and call.setup is not None):
            continue
        if name == "setup":
            raise CallError(f"cannot call {written}: it wants `setup`, but its stage has no `setup`")
        raise CallError(f"cannot call {written}: it wants `{name}`, which is no input, output or param of its stage")
    return signature


def _innermost(function: object) -> object:
    """What is behind methods and partials, as `inspect` looks behind them when it asks whether calling something runs it."""
    while True:
        inner = getattr(function, "__func__", None) or (getattr(function, "func", None) if type(function).__name__ == "partial" else None)
        if inner is None:
            return function
        function = inner


def _signature(function: object) -> Signature | None:
    if type(function) is FunctionType and not hasattr(function, "__wrapped__") and not hasattr(function, "__signature__"):
        return _plain_signature(function)
    import inspect

    try:
        parameters = inspect.signature(function).parameters.values()  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    names = tuple([p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)])
    needed = tuple([p.name for p in parameters if p.default is p.empty and p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)])
    return Signature(names, needed, any(p.kind is p.VAR_KEYWORD for p in parameters))


def _plain_signature(function: FunctionType) -> Signature:
    """As `inspect.signature`, which takes as long as all the rest of a call."""
    code = function.__code__
    positional = code.co_varnames[: code.co_argcount]
    by_keyword = code.co_varnames[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]
    with_default = len(function.__defaults__ or ())
    keyword_defaults = function.__kwdefaults__ or {}
    needed = positional[: len(positional) - with_default] + tuple([name for name in by_keyword if name not in keyword_defaults])
    return Signature(positional[code.co_posonlyargcount :] + by_keyword, needed, bool(code.co_flags & _VARKEYWORDS))
