"""What values cost: streams and JSON, in CPU seconds of this process.

    python benchmarks/values.py
"""

from __future__ import annotations

import json
import os
import resource
import tempfile
import time
from collections.abc import Callable, Iterable

from pipefile.execute.plain import exact_json
from pipefile.execute.stream import StoredStream, write_stream

COUNT = 1_000_000


def seconds(work: Callable[[], object]) -> float:
    """CPU seconds of *work*."""
    begun = time.process_time()
    work()
    return time.process_time() - begun


def peak() -> int:
    """Most bytes that this process has had in memory."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


def stream(what: str, items: Iterable[object]) -> None:
    """Write and read a stream."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "s.stream")
        before = peak()
        written = seconds(lambda: write_stream(items, path, "s"))
        read = seconds(lambda: sum(1 for _ in StoredStream(path)))
        size = os.path.getsize(path) / 1e6
    grown = (peak() - before) / 1e6
    print(f"{COUNT:,} {what}, {size:.0f} MB: written {COUNT / written:,.0f} a second, read {COUNT / read:,.0f}; {grown:.1f} MB more memory")


def value() -> None:
    """Write and read a large value."""
    table = [{"a": number, "b": number * 1.5, "c": f"text {number}"} for number in range(COUNT)]
    data = b""

    def encode() -> None:
        nonlocal data
        made = exact_json(table)
        assert isinstance(made, bytes)
        data = made

    written = seconds(encode)
    print(f"a list of {COUNT:,} tables, {len(data) / 1e6:.0f} MB: written in {written:.1f} s, read in {seconds(lambda: json.loads(data)):.1f} s")


stream("tables", ({"number": number, "text": "x" * 100} for number in range(COUNT)))
stream("lines", (b"x" * 100 + b"\n" for _ in range(COUNT)))
value()
