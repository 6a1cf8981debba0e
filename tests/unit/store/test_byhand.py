"""Lines that are put together by hand are, byte for byte, those that the library makes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipefile.model.record import Component, Made, Record
from pipefile.model.run import EdgeResult
from pipefile.store import record as record_file
from pipefile.store import runs
from pipefile.store.frame import opened, sealed

TEXT = st.one_of(
    st.sampled_from(["", "a", 'say "x"', "~q~", "~", "q~", '"', "\\", "a\nb", "é", "\x7f", "\udcff", "], [", '", "', "cp {src} {dst}"]),
    st.text("ab/ ~q\"\\\n", max_size=8),
)
NAME = TEXT.filter(bool)
PATH = st.sampled_from(["src/a", "out/b c", 'quo"te', "ü", "x~q~y", "back\\slash"])


@st.composite
def records(draw: st.DrawFn) -> Record:
    """Main records, most of them plain."""
    outputs = tuple(Made(path, "file", "blake3:00") for path in draw(st.lists(PATH, min_size=1, max_size=3, unique=True)))
    parts = draw(st.lists(st.builds(Component, st.sampled_from(["run", "shell", "input"]), TEXT, st.one_of(st.just(""), PATH), TEXT), max_size=4))
    return Record(
        edge=draw(NAME),
        pipefile="Pipefile.toml",
        attempt=draw(TEXT),
        key=draw(TEXT),
        output=outputs[0].path,
        outputs=outputs,
        components=tuple(parts),
        own=tuple(draw(st.lists(PATH, max_size=1))),
        reasons=tuple(draw(st.lists(NAME, max_size=3))),
        duration=draw(st.floats(0, 1e9)),
        accepted=draw(TEXT),
    )


@given(records())
def test_records(record: Record) -> None:
    """Whatever is in it."""
    assert record.output is not None
    place = record_file.record_path(record.output)
    data = record_file.encode(record, place)
    values = opened(data)
    assert data == sealed(values)
    folder = place.rpartition("/")[0]
    assert [part[3] for part in values["components"]] == [part.value for part in record.components]  # type: ignore[attr-defined]
    assert (values["edge"], values["attempt"], values["key"]) == (record.edge, record.attempt, record.key)
    assert values["output"] == record.output[len(folder) + 1 if folder else 0 :]
    assert values["reasons"] == list(record.reasons)


EDGES = st.builds(
    EdgeResult,
    stage=NAME,
    instance=TEXT,
    wave=st.integers(0, 9),
    status=st.just("ran"),
    reasons=st.lists(NAME, max_size=2).map(tuple),
    mode=st.just("command"),
    attempts=st.integers(1, 3),
    started_at=TEXT,
    duration_seconds=st.floats(0, 1e9),
    cpu_seconds=st.floats(0, 1e9),
    peak_rss_bytes=st.integers(0, 1 << 40),
    key=TEXT,
    inputs=st.dictionaries(TEXT, TEXT, max_size=2),
    outputs=st.dictionaries(TEXT, TEXT, max_size=2),
    params=st.dictionaries(TEXT, st.integers(), max_size=1),
    exit_status=st.sampled_from([0, 0, 0, 1, None]),
    error=st.sampled_from(["", "", "it failed"]),
    log=TEXT,
    mode_reason=TEXT,
    code=st.dictionaries(TEXT, TEXT, max_size=2),
)


@given(EDGES)
def test_lines_of_manifests(edge: EdgeResult) -> None:
    """Whatever is in them, made by hand or not at all."""
    values: dict[str, Any] = runs._edge_values(edge)
    assert runs._by_hand(edge) in (None, json.dumps(values))


@pytest.mark.parametrize("text", ["cp a b", 'echo "a"', "sed 's/x/y/' {src}"])
def test_common_ones_are_made_by_hand(text: str) -> None:
    """What a plain command leaves is not for the library."""
    code = {"run": text, "shell": '["sh", "-ec"]'}
    edge = EdgeResult("copy", "", 0, "ran", ("it never ran",), key="blake3:00", inputs={"a": "b"}, exit_status=0, code=code)
    assert runs._by_hand(edge) == json.dumps(runs._edge_values(edge))
