"""How an edge is carried out, and why so: a command, a function in the builder, or a function in a process of its own."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import NamedTuple

from pipefile.model.stage import Call, Command, Settings, Stage


class Mode(NamedTuple):
    """How an edge is carried out.

    Args:
        name: "command", "function", "process"; "none" for a stage without action.
        reason: Why a function runs in that mode, in words; "" for others.
    """

    name: str
    reason: str = ""


NO_MODE = Mode("none")


class Modes(NamedTuple):
    """What decides besides the stages themselves.

    Args:
        settings: `large_input`.
        asked: `--mode`: "auto", "function" or "process"; "" without it.
        workers: This system has worker processes.
    """

    settings: Settings = Settings()
    asked: str = ""
    workers: bool = sys.platform == "linux"  # what macOS's own libraries do in a process that was forked is anybody's guess


def mode_of(stage: Stage, modes: Modes, size: Callable[[], int]) -> Mode:
    """How a stage is carried out: the first rule that fits.

    Args:
        stage: Which one.
        modes: What decides besides.
        size: Gives the bytes of all inputs; asked only where they decide.
    """
    if isinstance(stage.action, Command):
        return Mode("command")
    if not isinstance(stage.action, Call):
        return NO_MODE
    if not modes.workers:
        return Mode("function", "this system has no worker processes")
    if modes.asked in ("function", "process"):
        return Mode(modes.asked, "`--mode` says so")
    if stage.mode != "auto" and not modes.asked:
        return Mode(stage.mode, "`mode` says so")
    if stage.timeout is not None:
        return Mode("process", "`timeout` is set")
    if stage.external:
        return Mode("process", "`external` is set")
    if stage.resources.get("gpu"):  # threads share one CUDA_VISIBLE_DEVICES
        return Mode("process", "`resources` has a `gpu`")
    if stage.audit in ("track", "strict"):
        return Mode("process", f"`audit` is `{stage.audit}`")
    if size() > modes.settings.large_input:
        return Mode("function", "its inputs are larger than `large_input`")
    return Mode("function", "nothing asks for a process")
