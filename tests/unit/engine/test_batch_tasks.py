"""The task of a batch."""

from __future__ import annotations

from kit import Project

from pipefile.engine.session import Session
from pipefile.engine.tasks import Log, Tasks
from pipefile.plan.mode import Modes


def test_a_batch_has_the_time_of_all_its_items(project: Project) -> None:
    """`timeout` is that of one item, times their number; outputs are those of all, the name is the first one's, the id the last one's."""
    for name in "ab":
        project.write(f"in/{name}", "")
    project.stage("up", {"src": "{p}"}, {"dst": "out/{p.name}"}, "cp {src} {dst}", for_each={"p": "in/*"}, batch=8, timeout="3s")
    session = Session(project._found(), project.environ, lambda _: None)
    edges = list(session.graph.edges)
    inputs = {path: session.files.state(path) for path in ("in/a", "in/b")}
    task, shown, _ = Tasks(session, Modes()).task(edges, inputs, Log("/log", ("/a", "/b")), 1)

    assert (task.timeout, task.name, task.id) == (6.0, "up@in/a", 1)
    assert task.outputs == ["out/.pipefile-tmp/a", "out/.pipefile-tmp/b"]
    assert shown == "cp in/a in/b out/.pipefile-tmp/a out/.pipefile-tmp/b"
    assert list(task.inputs) == ["in/a", "in/b"]
