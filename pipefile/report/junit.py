"""A build as JUnit XML, which most CI systems show: a test case an edge.

    <?xml version="1.0" encoding="UTF-8"?>
    <testsuites name="pipefile">
    <testsuite name="pipefile" tests="3" failures="1" errors="0" skipped="1" time="34.200" timestamp="2024-02-12T10:00:00">
    <testcase classname="thumbs" name="thumbs@photos/a.jpg" file="Pipefile.toml" time="1.200"/>
    <testcase classname="clean" name="clean" file="Pipefile.toml" time="0.000"><skipped message="fresh"/></testcase>
    <testcase classname="train" name="train" file="Pipefile.toml" line="22" time="9.200"><failure message="exit status 1" type="failed">
    ...
    </failure></testcase>
    </testsuite>
    </testsuites>

`skipped` is what did not run: fresh edges, those below a failure, those that a condition left out, and those that a build which stopped never came
to. A failure's text has the command, the log's path and the last lines that the stage printed. A build that could not be begun is one test case,
`pipefile`, with an `error`. Whatever was printed, the file is XML 1.0 and UTF-8: characters that may not stand in it are spelled out.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from time import gmtime

from pipefile.base.disk import OsDisk
from pipefile.base.errors import PipefileError, UsageError
from pipefile.base.paths import show
from pipefile.model.event import BuildFinished, BuildStarted, Event, PlanMade, StageFinished
from pipefile.model.ports import Outlook

_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\n": "&#10;", "\t": "&#9;", "\ufffe": "\\ufffe", "\uffff": "\\uffff"}
_ATTRIBUTE = str.maketrans(_ESCAPES)
_TEXT = str.maketrans({char: text for char, text in _ESCAPES.items() if char not in "\n\t\""})


class JUnitReport:
    """Collects the test cases of one build, and writes them when it ends.

    Args:
        path: The file, absolute. Its folder is made where it is missing.
        root: Absolute path of the project root, for logs.
        now: Seconds since the epoch.
    """

    every = True

    def __init__(self, path: str, root: str, now: Callable[[], float]) -> None:
        self._path = path
        self._root = root
        self._now = now
        self._began = now()
        self._cases: dict[tuple[str, str], tuple[str, str]] = {}  # stage and name -> what it counts as, and its text: the last end of each
        self._outlook: Outlook | None = None
        self._over = False
        self.problem = ""

    def __call__(self, event: Event) -> None:
        if isinstance(event, StageFinished):
            self._stage_finished(event)
        elif isinstance(event, BuildStarted):
            self._began = self._now()
        elif isinstance(event, PlanMade):
            self._outlook = event.outlook
        elif isinstance(event, BuildFinished):
            self._finish(event.seconds)

    def fault(self, error: PipefileError) -> None:
        if not self._over:
            self._add("errors", "pipefile", "pipefile", "", _child("error", error.message, str(error), type(error).__name__))
            self._finish(self._now() - self._began)

    def close(self) -> None:
        if not self._over:
            self._add("errors", "pipefile", "pipefile", "", _child("error", "the build did not come to its end", "", "interrupted"))
            self._finish(self._now() - self._began)

    def _stage_finished(self, event: StageFinished) -> None:
        count, child = "", ""
        if event.status == "failed":
            count, child = "failures", _child("failure", event.error.partition("\n")[0] or "failed", self._failure(event), "failed")
        elif event.status == "interrupted":
            count, child = "errors", _child("error", "interrupted", self._failure(event), "interrupted")
        elif event.status == "fresh":
            count, child = "skipped", _child("skipped", "fresh")
        elif event.status == "skipped":
            count, child = "skipped", _child("skipped", event.reason or "what it needs has failed")
        elif event.status == "degraded":
            child = f"<system-err>{_text(f'its fallback ran: {event.error}')}</system-err>"
        place = f' file="{_attribute(event.file)}"' if event.file else ""
        if event.line is not None:
            place += f' line="{event.line}"'
        self._add(count, event.stage, _name(event.stage, event.instance), f'{place} time="{event.seconds:.3f}"', child)

    def _add(self, count: str, stage: str, name: str, attributes: str, child: str) -> None:
        head = f'<testcase classname="{_attribute(stage)}" name="{_attribute(name)}"{attributes}'
        self._cases[stage, name] = count, f"{head}>{child}</testcase>\n" if child else f"{head}/>\n"

    def _failure(self, event: StageFinished) -> str:
        from pipefile.report.failures import indented
        from pipefile.report.output import TAIL, tail

        lines, cut = tail(event, self._root, color=False)
        parts = [event.error + "\n" if event.error else "", indented(event.command) if event.command else ""]
        if event.log:
            parts.append(f"  log: {event.log}{f', last {TAIL} lines:' if cut else ''}\n")
        return "".join([*parts, *lines])

    def _finish(self, seconds: float) -> None:
        self._over = True
        if self._outlook is not None:
            for stage, instance in self._outlook.unended():
                self._add("skipped", stage, _name(stage, instance), ' time="0.000"', _child("skipped", "the build stopped before"))
        kinds = [count for count, _ in self._cases.values()]
        counts = "".join([f' {name}="{kinds.count(name)}"' for name in ("failures", "errors", "skipped")])
        year, month, day, hour, minute, second = gmtime(self._began)[:6]
        stamp = f"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}"
        parts = [
            '<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="pipefile">\n',
            f'<testsuite name="pipefile" tests="{len(self._cases)}"{counts} time="{seconds:.3f}" timestamp="{stamp}">\n',
            *[text for _, text in self._cases.values()],
            "</testsuite>\n</testsuites>\n",
        ]
        try:
            os.makedirs(os.path.dirname(self._path), exist_ok=True)
            OsDisk(self._root).write(self._path, "".join(parts).encode())
        except OSError as error:
            self.problem = f"`{show(self._path)}` cannot be written: {os.strerror(error.errno or 0).lower()}"


def check_target(path: str, given: str) -> None:
    """See that a file may be written over: what somebody has typed by mistake shall not cost them a source.

    Args:
        path: The file, absolute.
        given: The same as it was typed.

    Raises:
        UsageError: There is something that is no such report.
    """
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            begins = file.read(400)
    except FileNotFoundError:
        return
    except OSError as error:
        raise UsageError(f"`--junit`: `{show(given)}` cannot be written: {os.strerror(error.errno or 0).lower()}") from None
    if begins and b"<testsuite" not in begins:
        raise UsageError(f"`--junit`: `{show(given)}` is there already and is no JUnit report: it is not written over")


def _child(kind: str, message: str, text: str = "", what: str = "") -> str:
    head = f'<{kind} message="{_attribute(message)}"' + (f' type="{_attribute(what)}"' if what else "")
    return f"{head}>{_text(text)}</{kind}>" if text else f"{head}/>"


def _name(stage: str, instance: str) -> str:
    return f"{stage}@{instance}" if instance else stage


def _attribute(text: str) -> str:
    return _shown(text).translate(_ATTRIBUTE)


def _text(text: str) -> str:
    return _shown(text).translate(_TEXT)


def _shown(text: str) -> str:
    if text.isascii() and text.isprintable():
        return text
    return "\n".join(["\t".join(map(show, line.split("\t"))) for line in text.split("\n")])
