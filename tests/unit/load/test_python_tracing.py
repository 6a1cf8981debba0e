"""What calls of stages in a pipeline become."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipefile import FileRef, PipefileError, pipeline, stage
from pipefile.load.collect import Collector
from pipefile.load.declared import Declarations

HERE = os.path.dirname(os.path.abspath(__file__))


@stage(inputs={"video": "in.mp4"}, outputs={"info": dict, "frames": "build/frames/"})
def analyze(video: FileRef, frames: FileRef) -> None: ...


@stage(inputs={"width": "global.width"}, outputs={"preview": FileRef})
def preview(info: Any, width: int) -> None: ...


@stage
def summary(info: Any, preview: Any = None, title: str = "") -> None: ...


@stage(outputs="build/list.txt")
def listed(parts: Any, outputs: Any) -> None: ...


@stage(inputs=["a.txt"], outputs=["x", "y"])
def unnamed(inputs: Any, outputs: Any) -> None: ...


@stage(outputs=[])
def lint(x: int = 1) -> None: ...


def joined(function: Callable[..., object], **config: Any) -> Declarations:
    collector = Collector(HERE, config)
    collector.add_pipeline(pipeline(function))
    return collector.declarations()


def tables(function: Callable[..., object], **config: Any) -> dict[str, Any]:
    """What the stages of a pipeline are given: inputs and params."""
    found = joined(function, **config).stages
    return {name: {key: each.table[key] for key in ("inputs", "params", "should_run", "after") if key in each.table} for name, each in found.items()}


def fault(function: Callable[..., object], **config: Any) -> str:
    """The error that joining ends in; lines are counted from the function's own."""
    first = function.__code__.co_firstlineno
    with pytest.raises(PipefileError) as caught:
        joined(function, **config)
    error = caught.value
    lines = str(error).replace(os.path.abspath(__file__), "FILE").split("\n")
    for place in error.places:
        if place.line is not None:
            lines = [line.replace(f"FILE:{place.line}", f"FILE+{place.line - first}") for line in lines]
    return "\n".join(lines)


def test_handles_are_dependencies() -> None:
    """An output by attribute; a whole handle is the only output; declared inputs stay."""

    def workflow() -> object:
        a = analyze()
        b = preview(a.info)
        return summary(a.info, preview=b)

    assert tables(workflow) == {
        "analyze": {"inputs": {"video": "in.mp4"}},
        "preview": {"inputs": {"width": "global.width", "info": "analyze.info"}},
        "summary": {"inputs": {"info": "analyze.info", "preview": "preview.preview"}},
    }


def test_names_of_functions_are_how_they_are_called() -> None:
    """By module and function, from the root."""

    def workflow() -> object:
        return analyze()

    (made,) = joined(workflow).stages.values()
    assert made.table["call"] == "test_python_tracing:analyze"
    assert (made.source.file, made.source.function) == ("test_python_tracing.py", "analyze")


def test_other_arguments() -> None:
    """Files by reference, text for a declared input, plain values as params, lists of outputs."""

    def workflow(config: Any) -> object:
        a = analyze("other.mp4")
        b = preview(FileRef("info.json"), width=12)
        c = summary(Path("x.json"), title=config.title)
        return listed([a.info, b, Path("z"), c.text])

    assert tables(workflow, title="T") == {
        "analyze": {"inputs": {"video": "other.mp4"}},
        "preview": {"inputs": {"info": "info.json"}, "params": {"width": 12}},
        "summary": {"inputs": {"info": "x.json"}, "params": {"title": "T"}},
        "listed": {"inputs": {"parts": ["analyze.info", "preview.preview", "z", "summary.text"]}},
    }


def test_an_unnamed_output_is_taken_by_its_path() -> None:
    """There is no other word for it."""

    def workflow() -> object:
        return summary(listed(["a"]))

    assert tables(workflow)["summary"] == {"inputs": {"info": "./build/list.txt"}}


def test_a_second_call_has_a_number() -> None:
    """Each is a stage of its own, and references know which."""

    def workflow() -> object:
        a, b = summary(1), summary(2)
        return summary(a.x, b.x), {"all": [a, b.x]}

    made = joined(workflow)
    assert tables(workflow) == {
        "summary": {"params": {"info": 1}},
        "summary#2": {"params": {"info": 2}},
        "summary#3": {"inputs": {"info": "summary.x", "preview": "summary#2.x"}},
    }
    assert made.pipelines["workflow"].targets == ("summary#3", "summary", "summary#2")


def test_conditions_and_order() -> None:
    """Reserved words of a call: an output decides at run time, a value of the configuration now; what comes before is a handle or a name."""

    def workflow(config: Any) -> object:
        a = analyze()
        b = preview(a.info, should_run=config.enabled, after=[a, "other"])
        return summary(1, should_run=b.preview, after=b)

    found = tables(workflow, enabled=0)
    assert found["preview"]["should_run"] is False
    assert found["preview"]["after"] == ["analyze", "other"]
    assert (found["summary"]["should_run"], found["summary"]["after"]) == ("preview.preview", ["preview"])


def test_none_for_a_parameter_that_is_none_by_itself() -> None:
    """As if it were left out."""

    def workflow() -> object:
        return summary(1, preview=None)

    assert tables(workflow) == {"summary": {"params": {"info": 1}}}


def test_pipelines_share_what_is_alike() -> None:
    """What two of them call with the same arguments is one stage; what differs is numbered."""

    def one() -> object:
        return preview(analyze().info)

    def two() -> object:
        return summary(preview(analyze().info, width=3))

    collector = Collector(HERE, {})
    for function in (one, two):
        collector.add_pipeline(pipeline(function))
    found = collector.declarations()
    assert list(found.stages) == ["analyze", "preview", "preview#2", "summary"]
    assert found.stages["summary"].table["inputs"] == {"info": "preview#2.preview"}
    assert {name: each.targets for name, each in found.pipelines.items()} == {"one": ("preview",), "two": ("summary",)}


def test_a_pipeline_in_a_pipeline_is_part_of_it() -> None:
    """It gives what its function returns."""

    @pipeline
    def inner() -> Any:
        return analyze()

    def workflow() -> object:
        return summary(inner().info)

    assert list(tables(workflow)) == ["analyze", "summary"]


def test_files_can_be_what_is_built() -> None:
    """Of Pipefile.toml's stages, for example."""

    def workflow() -> object:
        return [summary(1), "build/other.txt", Path("x")]

    assert joined(workflow).pipelines["workflow"].targets == ("summary", "./build/other.txt", "./x")


def test_faults_of_calls() -> None:
    """Each names the line of the call."""

    def unknown_output() -> object:
        return summary(analyze().inof)

    assert fault(unknown_output) == (
        "error: `analyze.inof` is no output of stage `analyze`\n  FILE+1  `analyze`\nhint: did you mean `analyze.info`?"
    )

    def unknown_parameter() -> object:
        return summary(infos=1)

    assert fault(unknown_parameter) == "error: stage `summary` has no parameter `infos`\n  FILE+1  `summary`\nhint: did you mean `info`?"

    def missing() -> object:
        return preview()

    assert fault(missing) == "error: stage `preview` is called without `info`\n  FILE+1  `preview`"

    def too_many() -> object:
        return analyze("a", "b")

    assert fault(too_many) == "error: stage `analyze` is called with 2 arguments, but takes `video`\n  FILE+1  `analyze`"

    def twice() -> object:
        return summary(1, info=2)

    assert fault(twice) == "error: stage `summary` is given `info` twice\n  FILE+1  `summary`"

    def an_output() -> object:
        return analyze(frames="elsewhere/")

    assert fault(an_output) == "error: `frames` is an output of stage `analyze`: its decorator says where it is written\n  FILE+1  `analyze`"

    def several() -> object:
        return summary(analyze())

    assert fault(several) == (
        "error: stage `analyze` has 2 outputs, so a call has to say which it wants\n  FILE+1  `summary`\n"
        "hint: it has `analyze.info`, `analyze.frames`"
    )

    def none() -> object:
        return summary(lint())

    assert fault(none) == "error: stage `lint` has no outputs to hand over\n  FILE+1  `summary`\nhint: `after=lint` puts it before"

    def odd_value() -> object:
        return summary({1, 2})

    assert fault(odd_value) == (
        "error: `info` of stage `summary` holds an object of type `set`\n  FILE+1  `summary`\n"
        "hint: it takes texts, numbers, booleans, lists and dictionaries of these"
    )

    def table_of_handles() -> object:
        return summary({"a": analyze().info})

    assert fault(table_of_handles) == (
        "error: `info` of stage `summary` is a table with outputs in it\n  FILE+1  `summary`\nhint: hand them over one by one, or as a list"
    )

    def mixed() -> object:
        return listed([analyze().info, 3])

    assert fault(mixed) == "error: `parts` of stage `listed` is a list of outputs or files, but holds an object of type `int`\n  FILE+1  `listed`"


def test_handles_have_no_value() -> None:
    """What a stage gives is not known yet: asking for it is an error rather than a wrong branch."""
    hint = "hint: hand it to another stage, or to `should_run=`"

    def branch() -> object:
        a = summary(1)
        return summary(2) if a.enabled else a

    text = "error: `summary.enabled` has no value while a pipeline is being joined: its stage has not run"
    assert fault(branch) == f"{text}\n  FILE+1  `summary`\n{hint}"

    def text_of() -> object:
        return f"build/{summary(1)}"

    assert fault(text_of) == f"{text.replace('.enabled', '')}\n  FILE+1  `summary`\n{hint}"

    def loop() -> object:
        return [summary(each) for each in summary(1).items]

    assert fault(loop) == f"{text.replace('enabled', 'items')}\n  FILE+1  `summary`\n{hint}"

    def part() -> object:
        return summary(summary(1).info.width)

    assert fault(part) == f"{text.replace('enabled', 'info')}\n  FILE+1  `summary`\n{hint}"


def test_faults_of_pipelines() -> None:
    """They name the pipeline's line."""

    def nothing() -> None:
        summary(1)

    found = fault(nothing)
    assert found.split("\n")[0].partition(": ")[2].partition(": ")[2] == "pipeline `nothing` returns nothing, so there is nothing to build"
    assert found.split("\n")[-1] == "hint: a pipeline returns what it builds: `return summary(...)`"

    def number() -> object:
        return 3

    assert "pipeline `number` returns an object of type `int`" in fault(number)

    def arguments(config: Any, more: Any) -> object:
        return summary(1)

    assert "pipeline `arguments` takes one argument, the configuration, and not 2" in fault(arguments)


def test_a_handle_of_another_pipeline() -> None:
    """Two pipelines do not meet."""
    kept: list[Any] = []

    def one() -> object:
        kept.append(summary(1))
        return kept[0]

    joined(one)

    def two() -> object:
        return summary(kept[0].x)

    assert fault(two) == "error: <output summary.x> belongs to another pipeline\n  FILE+1  `summary`"


def test_a_stage_that_no_worker_could_import() -> None:
    """It has to be at the top level of its module."""

    @stage
    def inner() -> None: ...

    def workflow() -> object:
        return inner()

    assert "stage `inner` is not at the top level of its module, so it cannot be imported where it runs" in fault(workflow)
