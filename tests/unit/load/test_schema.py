"""The table of keys agrees with the nouns that it describes."""

import dataclasses

from pipefile.load.schema import INPUT, KINDS, PIPEFILE, SECTIONS, STAGE
from pipefile.model.stage import InputItem, Settings, Stage


def test_every_key_is_a_field():
    """Keys are fields of Settings and Stage, but for `run` and `call`, which are its action."""
    assert set(PIPEFILE) == {field.name for field in dataclasses.fields(Settings)}
    assert set(STAGE) == {field.name for field in dataclasses.fields(Stage)} - {"name", "action", "file", "folder"} | {"run", "call"}
    assert len(INPUT) == len(dataclasses.fields(InputItem))


def test_it_speaks_of_known_kinds_only():
    """Every kind has a type and a name; every section and key is explained."""
    for keys in (PIPEFILE, STAGE, INPUT):
        for key in keys.values():
            assert key.doc
            assert set(key.kinds) <= set(KINDS)
            assert set(key.entries) | set(key.elements) <= {*KINDS, "input", "value"}
    assert all(SECTIONS.values())
