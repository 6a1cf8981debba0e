"""How numbers and names are worded wherever a person reads them."""

from __future__ import annotations

from pipefile.base.paths import show
from pipefile.model.event import Foreseen, StageRetried


def duration(seconds: float) -> str:
    """`0.01 s`, `4.2 s`, `3 min 5 s`, `2 h 4 min`."""
    if seconds < 0.995:
        return f"{seconds:.2f} s"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60} min"


def whole_duration(seconds: float) -> str:
    """`12 s`, `3 min 5 s`, `2 h 4 min`: of what is known by estimate alone."""
    whole = round(seconds)
    return f"{whole} s" if whole < 60 else duration(float(whole))


def size(count: int) -> str:
    """`4.1 kB`, `1.2 GB`: as Pipefile.toml writes sizes."""
    if count < 1000:
        return f"{count} B"
    amount, unit = float(count), "B"
    for unit in ("kB", "MB", "GB", "TB"):  # noqa: B007  # the last one is wanted
        amount /= 1000
        if amount < 999.5:
            break
    return f"{amount:.3g} {unit}"


def used(cpu: float, memory: int) -> str:
    """CPU seconds and bytes of memory in words, "1.2 s of CPU, 340 MB of memory"; what is not known is left out."""
    parts = [f"{duration(cpu)} of CPU"] if cpu else []
    if memory:
        parts.append(f"{size(memory)} of memory")
    return ", ".join(parts)


def edge_name(stage: str, instance: str) -> str:
    """An edge as users write it, safe to show: `thumbs`, or `thumbs@photos/a.jpg`."""
    return show(f"{stage}@{instance}" if instance else stage)


def retried(event: StageRetried) -> str:
    """``stage `x` failed (exit status 75): attempt 2 of 3 in 1 s``."""
    stage = f"stage `{edge_name(event.stage, event.instance)}`"
    who = f"fallback `{show(event.fallback)}` of {stage}" if event.fallback else stage
    wait = f"{event.delay:.3g} s" if event.delay < 59.5 else duration(event.delay)
    return f"{who} failed ({show(event.error)}): attempt {event.attempt} of {event.attempts} in {wait}"


def counts(*parts: tuple[int, str]) -> str:
    """`3 ran, 235 fresh, 1 failed`: those that are not 0."""
    return ", ".join(f"{number} {word}" for number, word in parts if number)


def foreseen(event: Foreseen) -> str:
    """`takes about 4.2 s with -j2, 8.0 s one after the other, by earlier runs; 1 of them has never run`."""
    if event.seconds is None:
        return "how long that takes is not known: " + ("it has never run" if event.stages == 1 else "none of them has ever run")
    about = "up to" if event.unsure else "about"
    work = f", {duration(event.work)} one after the other" if event.jobs > 1 and event.stages > 1 else ""
    unknown = f"; {event.unknown} of them {'has' if event.unknown == 1 else 'have'} never run" if event.unknown else ""
    return f"takes {about} {duration(event.seconds)} with -j{event.jobs}{work}, by earlier runs{unknown}"
