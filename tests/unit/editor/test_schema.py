"""The JSON schema of Pipefile.toml says what the loader says."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest

from pipefile.base.disk import OsDisk
from pipefile.base.errors import PipefileError
from pipefile.editor.schema import schema
from pipefile.load.loader import load
from pipefile.load.schema import SECTIONS, TABLES

HERE = os.path.dirname(__file__)
CASES = os.path.join(HERE, "..", "..", "cli", "bad_pipefiles.txt")
ROOT = os.path.join(HERE, "..", "..", "..")

# Faults that are seen in the types, names and forms of keys alone; all others need a look at several keys, or at the disk.
OF_FORM = re.compile(r"unknown key|unknown section|must be|must not be empty|has no `path`|holds `@`|begins or ends with `/`|has no `max_attempts`")
NOT_OF_FORM = re.compile(r"must be one of|must be two or three|must be a file, not a directory|must be a folder of its own|must be `module:function`")


def validator() -> Any:
    return jsonschema.Draft7Validator(schema())


def loads(folder: str, text: str) -> str:
    """What the loader says of a Pipefile; "" if it takes it."""
    with open(os.path.join(folder, "Pipefile.toml"), "w", encoding="utf-8") as file:
        file.write(text)
    try:
        load(OsDisk(folder), "Pipefile.toml", {})
    except PipefileError as error:
        return error.message
    return ""


def test_it_is_a_schema() -> None:
    """The metaschema of draft-07 has nothing to say against it."""
    jsonschema.Draft7Validator.check_schema(schema())


def tables(at: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    """Every part of a schema that has properties."""
    if isinstance(at, dict):
        if isinstance(at.get("properties"), dict):
            yield path, at["properties"]
        for name, inner in at.items():
            yield from tables(inner, (*path, name))
    elif isinstance(at, list):
        for inner in at:
            yield from tables(inner, path)


def test_every_key_is_explained() -> None:
    """A hover has something to say wherever it may come up."""
    found = list(tables(schema()))
    assert len(found) >= 8
    assert all(key.get("description") for _, properties in found for key in properties.values())


# A value for each kind of key that its name alone does not make plain; all else comes from the schema.
VALUES = {
    "default": ["a"], "python": ["made.py"], "outside": ["/elsewhere"], "call": "steps:f", "setup": "steps:g", "after": ["b"], "fallback": "spare",
    "should_run": True, "depfile": "a.d", "metrics": ["a"], "for_each": {"n": [1, 2]}, "where": {"n": ".+"},
    "store": "kept", "shell": ["sh", "-c"], "secret_env": ["TOKEN"], "retry_policy": {"max_attempts": 2}, "params": {"n": 1},
    "resources": {"cpu": 1}, "inputs": ["x"], "outputs": ["a"], "run": "cp {inputs} {outputs}",
}  # fmt: skip
FUNCTIONS = ("call", "mode", "external", "setup")


def value(name: str, rule: dict[str, Any]) -> Any:
    if name in VALUES:
        return VALUES[name]
    if "enum" in rule:
        return rule["enum"][0]
    if "examples" in rule:
        return rule["examples"][0]
    kind = rule["type"] if isinstance(rule["type"], str) else rule["type"][0]
    return {"string": "a", "array": ["A"], "boolean": True, "integer": rule.get("minimum", 0), "object": {}}[kind]


@pytest.mark.parametrize("name", [*schema()["properties"]["pipefile"]["properties"]])
def test_keys_of_pipefile_are_taken_by_the_loader(name: str, tmp_path: Any) -> None:
    """Each alone, with a value that the schema allows."""
    from kit.toml import toml

    (tmp_path / "made.py").write_text("")
    document = {
        "pipefile": {name: value(name, schema()["properties"]["pipefile"]["properties"][name])},
        "stage": {"a": {"outputs": ["a"], "run": ["cp", "{outputs}"]}},
    }
    assert list(validator().iter_errors(document)) == []
    assert not OF_FORM.search(loads(str(tmp_path), toml(document)))


@pytest.mark.parametrize("name", [*schema()["definitions"]["stage"]["properties"]])
def test_keys_of_a_stage_are_taken_by_the_loader(name: str, tmp_path: Any) -> None:
    """Each in a stage that has what it needs besides."""
    from kit.toml import toml

    stage = {"inputs": ["x"], "outputs": ["a"], "run": "cp {inputs} {outputs}"}
    if name in FUNCTIONS:
        stage = {"inputs": ["x"], "outputs": ["a"], "call": "steps:f"}
    if name == "where":
        stage["outputs"] = ["{n}.a"]
    stage[name] = value(name, schema()["definitions"]["stage"]["properties"][name])
    document = {"stage": {"a": stage, "b": {"outputs": ["b"], "run": "echo"}, "spare": {"run": "echo"}}}
    assert list(validator().iter_errors(document)) == []
    assert not OF_FORM.search(loads(str(tmp_path), toml(document)))


def test_all_tables_are_in_it() -> None:
    """Whatever the loader's table has, the schema has, and nothing besides."""
    found = {frozenset(properties) for _, properties in tables(schema())}
    assert found == {frozenset(SECTIONS), *(frozenset(keys) for keys in TABLES.values())}


def cases() -> Iterator[Any]:
    with open(CASES, encoding="utf-8") as file:
        for case in file.read().split("\n=== ")[1:]:
            name, _, rest = case.partition("\n")
            text, message = rest.split("---\n")
            first = message.split("\n")[0]
            if OF_FORM.search(first) and not NOT_OF_FORM.search(first):
                yield pytest.param(tomllib.loads(text), id=name)


@pytest.mark.parametrize("document", [*cases()])
def test_faults_of_form_are_found_by_it(document: Any) -> None:
    """A Pipefile that the loader refuses for a key, a type or the form of a value is refused by the schema too."""
    assert list(validator().iter_errors(document))


@pytest.mark.parametrize("path", ["Pipefile.toml", "examples/c-project/Pipefile.toml", "examples/ml/Pipefile.toml",
                                  "examples/quickstart/Pipefile.toml", "examples/video/Pipefile.toml"])  # fmt: skip
def test_pipefiles_of_this_project(path: str) -> None:
    """The examples and the project's own have no faults."""
    with open(os.path.join(ROOT, path), "rb") as file:
        assert [error.message for error in validator().iter_errors(tomllib.load(file))] == []


@pytest.mark.parametrize("name", ["a", "a/b", "Ä ö", "a b", "a.b", "-", "", "/a", "a/", "/", "a@b", "@", "a\x07", "\x85", "a\x9f", "\x00"])
def test_names_of_stages(name: str, tmp_path: Any) -> None:
    """The loader and the schema agree on what a stage may be called."""
    from kit.toml import toml

    document = {"stage": {name: {"run": "echo"}}}
    assert (list(validator().iter_errors(document)) == []) == (loads(str(tmp_path), toml(document)) == "")
