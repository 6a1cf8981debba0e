"""The table of keys agrees with the nouns that it describes."""

import dataclasses

from pipefile.load.schema import INPUT, KINDS, PIPEFILE, RETRY, SECTIONS, STAGE, TABLES
from pipefile.model.stage import InputItem, Retry, Settings, Stage


def test_every_key_is_a_field():
    """Keys are fields of Settings and Stage, but for `run` and `call`, which are its action, and `retry_policy`, which is a long name.

    `exclude` and `where` are parts of `for_each`; an input is `exact`, and a stage has an `item`, where that comes from an item.
    """
    assert set(PIPEFILE) == names(Settings)
    assert set(STAGE) == names(Stage) - {"name", "action", "file", "folder", "retry", "item"} | {"run", "call", "retry_policy", "exclude", "where"}
    assert len(INPUT) == len(names(InputItem) - {"exact"})
    assert set(RETRY) == names(Retry)


def names(noun: type) -> set[str]:
    return {field.name for field in dataclasses.fields(noun)}


def test_it_speaks_of_known_kinds_only():
    """Every kind has a type and a name; every section and key is explained."""
    for keys in (SECTIONS, *TABLES.values()):
        for key in keys.values():
            assert key.doc
            assert set(key.kinds) <= set(KINDS)
            assert key.keys in ("", *TABLES)
            assert set(key.entries) | set(key.elements) <= {*KINDS, *TABLES, "value"}
    assert all(key.doc for key in SECTIONS.values())
