"""Keywords of `@stage` -> the table that `[stage.NAME]` would be."""

from __future__ import annotations

import enum
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import pipefile
from pipefile import FileRef, PipefileError, Stream, stage
from pipefile.load.config import Config, laid_over
from pipefile.load.decorators import StageFunction

HERE = "tests/unit/load/test_python_tables.py"


def table(**keys: Any) -> dict[str, Any]:
    def f(**given: Any) -> None:
        pass

    made: StageFunction[..., None] = stage(**keys)(f)
    assert json.loads(json.dumps(made.table)) == made.table
    return made.table


def message(declare: Callable[[], object]) -> str:
    """The text of the error that declaring raises, its source lines left out."""
    with pytest.raises(PipefileError) as caught:
        declare()
    lines = str(caught.value).replace(str(Path(__file__)), HERE).split("\n")
    return "\n".join(line for line in lines if not line.startswith("  "))


class Model:
    pass


class Colour(enum.IntEnum):
    RED = 3


def test_plain_keywords_are_taken_as_they_are() -> None:
    """Names and meanings are those of Pipefile.toml."""
    assert table(
        inputs={"video": "media/in.mp4", "pages": ["a", "b"]}, outputs={"frames": "build/frames/"}, version="2.0.0", timeout="10m", mode="process",
        external=True, always=True, tags=["x"], metrics=("m.json",), log_limit="1MB", env=["CI"], description="Does it", should_run="global.enabled",
    ) == {
        "inputs": {"video": "media/in.mp4", "pages": ["a", "b"]}, "outputs": {"frames": "build/frames/"}, "version": "2.0.0", "timeout": "10m",
        "mode": "process", "external": True, "always": True, "tags": ["x"], "metrics": ["m.json"], "log_limit": "1MB", "env": ["CI"],
        "description": "Does it", "should_run": "global.enabled",
    }  # fmt: skip


def test_types_of_outputs() -> None:
    """Each type is a kind of value."""
    outputs = {
        "a": int, "b": float, "c": str, "d": bool, "e": dict, "f": list, "g": FileRef, "h": Stream, "i": Model, "j": bytes, "k": dict[str, int],
        "l": list[int], "m": Stream[int], "n": Any, "o": "value:int", "p": Path("build/x"),
    }  # fmt: skip
    assert table(outputs=outputs)["outputs"] == {
        "a": "value:int", "b": "value:float", "c": "value:str", "d": "value:bool", "e": "value:json", "f": "value:json", "g": "value:file",
        "h": "value:stream", "i": "value:any", "j": "value:any", "k": "value:json", "l": "value:json", "m": "value:stream", "n": "value:any",
        "o": "value:int", "p": "build/x",
    }  # fmt: skip


def test_no_outputs_and_one_type() -> None:
    """Nothing declared: the keys of what is returned. A type alone: one value, called as that."""
    assert table()["outputs"] == {"result": "value:result"}
    assert table(outputs=int)["outputs"] == {"result": "value:int"}
    assert table(outputs="build/x")["outputs"] == "build/x"
    assert table(outputs=("a", "b"))["outputs"] == ["a", "b"]


def test_what_is_left_out_or_none_is_not_there() -> None:
    """So that keywords can be passed on."""
    assert table(timeout=None, inputs=None) == table()


def test_exceptions_functions_and_stages() -> None:
    """Python's own objects become names."""

    @stage(outputs={"x": "x"})
    def first(x: str) -> None:
        pass

    policy = {"max_attempts": 3, "retry_on": [TimeoutError, json.JSONDecodeError, "signal", 75]}
    made = table(retry_policy=policy, fallback=message, after=[first, "b"])
    assert made["retry_policy"] == {"max_attempts": 3, "retry_on": ["TimeoutError", "json.decoder.JSONDecodeError", "signal", 75]}
    assert (made["fallback"], made["after"]) == ("message", ["first", "b"])
    assert table(setup=message)["setup"] == f"{__name__}:message"
    assert table(fallback=first)["fallback"] == "first"


def test_params_of_many_types() -> None:
    """Tuples, configuration, paths and enumerations become what can be tracked."""
    params = {"a": (1, 2), "b": Config({"c": {"d": [1]}}), "e": Path("x"), "f": Colour.RED}
    assert table(params=params)["params"] == {"a": [1, 2], "b": {"c": {"d": [1]}}, "e": "x", "f": 3}


def test_the_description_is_the_first_line_of_the_docstring() -> None:
    """As people write them."""

    @stage
    def thumbs() -> None:
        """One thumbnail per photo

        And more.
        """

    assert thumbs.table["description"] == "One thumbnail per photo"


def test_an_unknown_keyword_names_file_and_line() -> None:
    """With what was meant."""

    def declare() -> None:
        @stage(input={"a": "b"})  # type: ignore[call-overload]
        def f() -> None:
            pass

    line = declare.__code__.co_firstlineno + 1
    assert message(declare) == f"error: {HERE}:{line}:16: unknown key `input` in stage `f`\nhint: did you mean `inputs`?"


def test_the_place_within_a_decorator() -> None:
    """The very entry, not only the decorator."""

    def declare() -> None:
        @stage(
            inputs={"a": "b"},
            params={
                "fine": 1,
                "odd": {1, 2},
            },
        )
        def f() -> None:
            pass

    line = declare.__code__.co_firstlineno + 5
    assert message(declare) == (
        f"error: {HERE}:{line}:17: `params` of stage `f` holds an object of type `set`\n"
        "hint: it takes texts, numbers, booleans, lists and dictionaries of these"
    )


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        ({"run": "true"}, "unknown key `run` in stage `f`\nhint: commands are stages of Pipefile.toml: `[stage.NAME]`"),
        ({"call": "a:b"}, "unknown key `call` in stage `f`\nhint: the decorated function is what is called"),
        ({"outputs": [int]}, '`outputs` of stage `f` holds a type without a name\nhint: give it a name: `outputs={"NAME": TYPE}`'),
        ({"outputs": {1: "x"}}, "`outputs` of stage `f` has a name that is no text: an object of type `int`"),
        ({"retry_policy": {"retry_on": [int]}}, "`retry_on` in `retry_policy` of stage `f` holds the class `int`, which is no exception"),
        ({"setup": lambda: 1}, "`setup` of stage `f` is `<lambda>`, which a worker cannot import\nhint: define it at the top level of its module"),
        ({"name": 3}, "`name` of a stage must be a text, not an object of type `int`"),
        ({"inputs": {"a": "\ud800"}}, "`inputs` of stage `f` holds a text with half a character in it: '\\ud800'"),
        ({"params": {"a": None}}, "`params` of stage `f` holds `None`\nhint: it takes texts, numbers, booleans, lists and dictionaries of these"),
    ],
)
def test_bad_keywords(keys: dict[str, Any], text: str) -> None:
    """Each says what is wrong, and the way out where there is one."""
    found = message(lambda: table(**keys)).partition(": ")[2].partition(": ")[2]
    assert found == text


def test_a_stage_as_an_input_says_how_to_name_its_output() -> None:
    """A decorator has names; handles are for pipelines."""

    @stage
    def first() -> None:
        pass

    found = message(lambda: table(inputs={"x": first}))
    assert "`inputs` of stage `f` holds the stage `first` itself" in found
    assert found.endswith('hint: name the output: `"first.OUTPUT"`; or join them in a `@pipeline`')


def test_only_functions_can_be_stages() -> None:
    """A class is none, a lambda has no name, and some names of parameters are taken."""
    assert "a lambda has no name that a stage could have" in message(lambda: stage(lambda: 1))
    assert "`@stage` is for functions, and this is the class `Model`" in message(lambda: stage(Model))

    def f(after: object) -> None:
        pass

    assert "stage `f` cannot have a parameter `after`: with that a pipeline says what comes before it" in message(lambda: stage(f))


def test_configuration() -> None:
    """By attribute and by key, nested, read-only; tables are joined, not replaced."""
    config = Config(laid_over({"a": {"b": 1, "c": [1]}, "d": 2}, {"a": {"b": 7}, "e": True}))
    assert (config.a.b, config["a"]["c"], config.d, config.e, config.get("x", 5), "a" in config) == (7, [1], 2, True, 5, True)
    assert getattr(config, "x", 3) == 3
    config.a.c.append(2)
    assert config.a.c == [1]
    with pytest.raises(PipefileError, match=r"^error: `config.a` cannot be set: a pipeline only reads its configuration$"):
        config.a = 3


def test_an_unknown_key_of_the_configuration() -> None:
    """With what was meant, and where in the tables."""
    with pytest.raises(PipefileError) as caught:
        _ = Config({"model": {"width": 1}}).model.widht
    assert str(caught.value) == "error: there is no `config.model.widht`\nhint: did you mean `config.model.width`?"


def test_public_names() -> None:
    """What is promised can be imported, and nothing else is."""
    assert all(getattr(pipefile, name) is not None for name in pipefile.__all__)
