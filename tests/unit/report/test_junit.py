"""report/junit.py: a build as JUnit XML."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

import pytest
from kit.streams import write_log

from pipefile.base.errors import GraphError, UsageError
from pipefile.model.event import BuildFinished, BuildStarted, Event, PlanMade, StageFinished
from pipefile.report.junit import JUnitReport, check_target


class Stopped:
    """An Outlook of a build that stopped before two edges."""

    def left(self) -> float | None:
        return None

    def latest(self, stage: str, instance: str) -> bytes:
        return b""

    def unended(self) -> Sequence[tuple[str, str]]:
        return [("late", ""), ("late", "x")]


def report_of(folder: Path) -> JUnitReport:
    return JUnitReport(os.fspath(folder / "made" / "j.xml"), os.fspath(folder), lambda: 1707732000.0)


def text_of(folder: Path, events: list[Event]) -> str:
    report = report_of(folder)
    for event in events:
        report(event)
    report.close()
    assert report.problem == ""
    assert os.listdir(folder / "made") == ["j.xml"]
    return (folder / "made" / "j.xml").read_text(encoding="utf-8")


def test_a_test_case_an_edge(tmp_path: Path) -> None:
    """Whole: what ran, what failed, what did not run and why."""
    write_log(os.fspath(tmp_path), "r/log.txt", b"one\n<two> & \x1b[31mred\x1b[0m\n")
    events: list[Event] = [
        BuildStarted((), 2),
        PlanMade(8, 0, Stopped()),
        StageFinished("clean", "", "fresh", file="Pipefile.toml"),
        StageFinished("thumbs", "photos/a.jpg", "ran", 1.25, file="Pipefile.toml"),
        StageFinished("old", "", "restored", 0.01, file="Pipefile.toml"),
        StageFinished("half", "", "degraded", 1.0, error="exit status 9", file="Pipefile.toml"),
        StageFinished("train", "", "failed", 34.2, b"one\n", "r/log.txt", 30, 'exit "1"\nhint: x', "Pipefile.toml", 22, "python t.py"),
        StageFinished("report", "", "skipped", file="Pipefile.toml"),
        StageFinished("nightly", "", "skipped", file="Pipefile.toml", reason="`global.on` is false"),
        StageFinished("cut", "", "interrupted", 2.0, error="interrupted", file="Pipefile.toml", line=3),
        BuildFinished("failed", 1, 1, 1, 2, 35.5),
    ]
    assert text_of(tmp_path, events) == (
        '<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="pipefile">\n'
        '<testsuite name="pipefile" tests="10" failures="1" errors="1" skipped="5" time="35.500" timestamp="2024-02-12T10:00:00">\n'
        '<testcase classname="clean" name="clean" file="Pipefile.toml" time="0.000"><skipped message="fresh"/></testcase>\n'
        '<testcase classname="thumbs" name="thumbs@photos/a.jpg" file="Pipefile.toml" time="1.250"/>\n'
        '<testcase classname="old" name="old" file="Pipefile.toml" time="0.010"/>\n'
        '<testcase classname="half" name="half" file="Pipefile.toml" time="1.000">'
        "<system-err>its fallback ran: exit status 9</system-err></testcase>\n"
        '<testcase classname="train" name="train" file="Pipefile.toml" line="22" time="34.200">'
        '<failure message="exit &quot;1&quot;" type="failed">exit "1"\nhint: x\n  python t.py\n  log: r/log.txt\none\n&lt;two&gt; &amp; red\n'
        "</failure></testcase>\n"
        '<testcase classname="report" name="report" file="Pipefile.toml" time="0.000"><skipped message="what it needs has failed"/></testcase>\n'
        '<testcase classname="nightly" name="nightly" file="Pipefile.toml" time="0.000"><skipped message="`global.on` is false"/></testcase>\n'
        '<testcase classname="cut" name="cut" file="Pipefile.toml" line="3" time="2.000">'
        '<error message="interrupted" type="interrupted">interrupted\n</error></testcase>\n'
        '<testcase classname="late" name="late" time="0.000"><skipped message="the build stopped before"/></testcase>\n'
        '<testcase classname="late" name="late@x" time="0.000"><skipped message="the build stopped before"/></testcase>\n'
        "</testsuite>\n</testsuites>\n"
    )


def test_whatever_was_printed_it_is_xml(tmp_path: Path) -> None:
    """Case 47, case 93: every byte and every character of the first plane, in output, names and errors; a parser takes it, and nothing is lost."""
    odd = "".join(map(chr, range(0x10000)))
    data = bytes(range(256)) + odd.encode("utf-8", "surrogatepass") + b"]]></failure>"
    events: list[Event] = [
        StageFinished(odd, odd, "failed", 1.0, data, "", len(data), odd, odd, 1, odd),
        StageFinished("s", odd, "skipped", reason=odd),
        BuildFinished("failed", 0, 0, 1, 0, 1.0),
    ]
    root = ElementTree.fromstring(text_of(tmp_path, events).encode())
    cases = root.findall("./testsuite/testcase")
    assert cases[0].attrib["classname"].startswith("\\x00\\x01\\x02\\x03\\x04\\x05\\x06\\x07\\x08\t\n\\x0b")
    assert cases[1].attrib["name"] == f"s@{cases[0].attrib['classname']}"
    failure = cases[0].find("failure")
    assert failure is not None
    assert failure.text is not None
    assert failure.text.endswith("]]></failure>\n")
    assert "\\x1b" in failure.text
    assert "\ufffd" in failure.text


def test_a_build_that_could_not_be_begun(tmp_path: Path) -> None:
    """Its error is the one test case; and so is that of a build that broke off."""
    report = report_of(tmp_path)
    report.fault(GraphError("dependency cycle", hint="none"))
    report.close()
    assert (tmp_path / "made" / "j.xml").read_text() == (
        '<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="pipefile">\n'
        '<testsuite name="pipefile" tests="1" failures="0" errors="1" skipped="0" time="0.000" timestamp="2024-02-12T10:00:00">\n'
        '<testcase classname="pipefile" name="pipefile"><error message="dependency cycle" type="GraphError">'
        "error: dependency cycle\nhint: none</error></testcase>\n</testsuite>\n</testsuites>\n"
    )
    text = text_of(tmp_path, [StageFinished("a", "", "ran", 1.0)])
    assert 'tests="2" failures="0" errors="1"' in text
    assert '<error message="the build did not come to its end" type="interrupted"/>' in text


def test_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    """It is told, and nothing is left."""
    (tmp_path / "made").write_text("")
    report = report_of(tmp_path)
    report(BuildFinished("succeeded", 0, 0, 0, 0, 1.0))
    assert report.problem == f"`{tmp_path}/made/j.xml` cannot be written: file exists"


@pytest.mark.parametrize(("there", "refused"), [("", False), ("<?xml?><testsuites>", False), ("a,b\n1,2\n", True)])
def test_what_is_written_over(tmp_path: Path, there: str, refused: bool) -> None:
    """An earlier report, never a file that somebody has named by mistake."""
    path = tmp_path / "f"
    path.write_text(there)
    if not refused:
        check_target(os.fspath(path), "f")
        return
    with pytest.raises(UsageError) as raised:
        check_target(os.fspath(path), "f")
    assert raised.value.message == "`--junit`: `f` is there already and is no JUnit report: it is not written over"


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    """Nor is what cannot be read."""
    with pytest.raises(UsageError) as raised:
        check_target(os.fspath(tmp_path), "d")
    assert raised.value.message == "`--junit`: `d` cannot be written: is a directory"
