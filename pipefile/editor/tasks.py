"""Task files of editors: what each of them gets, and how it joins what is there already.

Nothing that somebody else has written is changed. A task of pipefile's own that is not as this version would write it has been changed by somebody,
or is of another version: it is kept, and said to be, unless it shall be replaced.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from pipefile.base.dataclass import dataclass, field
from pipefile.base.errors import UsageError
from pipefile.base.paths import show
from pipefile.editor import blocks, patterns
from pipefile.editor.jsonc import Document, Node, dumped
from pipefile.editor.place import read

Tasks = dict[str, dict[str, Any]]
"""Name of a task -> what stands there."""


@dataclass
class Change:
    """A file as it should be.

    Args:
        path: From the root.
        text: All of it.
        added, replaced, kept: Names of what has come into it; of what is another now; of what differs, and stays as it is.
    """

    path: str
    text: str
    added: list[str] = field(default_factory=list)
    replaced: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Workspace:
    """Where tasks are written.

    Args:
        root: The project's root, absolute.
        words: How pipefile is called for this project: its name, and `-f` where the Pipefile is not called so.
        force: Replace tasks of pipefile's own that differ.
    """

    root: str
    words: tuple[str, ...]
    force: bool = False

    def command(self, *more: str) -> list[str]:
        return [*self.words, *more]

    def read(self, path: str) -> str | None:
        """A file's text; None where nothing is.

        Raises:
            UsageError: It is a link, or no text.
        """
        data = read(self.root, path)
        if data is None:
            return None
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            column = len(data[data.rfind(b"\n", 0, error.start) + 1 : error.start].decode("utf-8")) + 1
            raise UsageError(f"{show(path)}:{line}:{column}: invalid UTF-8") from None


def vscode(work: Workspace) -> list[Change]:
    def task(watching: bool) -> dict[str, Any]:
        name, *words = work.command("watch" if watching else "build", "--color=never")
        # A dumb terminal gets a line for each stage; elsewhere lines are drawn over one another.
        where = {"cwd": "${workspaceFolder}", "env": {"TERM": "dumb"}}
        found: dict[str, Any] = {"type": "process", "command": name, "args": words, "options": where}
        if watching:
            found |= {"isBackground": True, "group": "build", "presentation": {"reveal": "never", "panel": "dedicated"}}
        else:
            found |= {"group": {"kind": "build", "isDefault": True}, "presentation": {"reveal": "silent", "clear": True, "showReuseMessage": False}}
        return found | {"problemMatcher": patterns.matchers(watching)}

    tasks = {"pipefile: build": task(False), "pipefile: watch": task(True)}
    path = ".vscode/tasks.json"
    document, root = _object(work, path)
    if document is None:
        return [_new(path, {"version": "2.0.0", "tasks": _labelled("label", tasks)}, tasks)]
    assert root is not None
    version = root.named.get("version")
    if version is not None and version.value != "2.0.0":
        raise document.fault('`version` must be `"2.0.0"`', version.start)
    missing: list[tuple[str | None, Any]] = [] if version is not None else [("version", "2.0.0")]
    if _has_default(root):
        tasks["pipefile: build"]["group"] = "build"  # somebody else's task is what a build is here
    return [_join(work, document, (root, "tasks", "label"), tasks, missing)]


def _has_default(root: Node) -> bool:
    tasks = root.value.get("tasks")
    groups = [(task.get("label"), task.get("group")) for task in tasks if isinstance(task, dict)] if isinstance(tasks, list) else []
    return any(
        label != "pipefile: build" and isinstance(group, dict) and group.get("kind") == "build" and group.get("isDefault") for label, group in groups
    )


def zed(work: Workspace) -> list[Change]:
    def task(*words: str, **more: Any) -> dict[str, Any]:
        name, *rest = work.command(*words)
        return {"command": name, "args": rest, "cwd": "$ZED_WORKTREE_ROOT", "allow_concurrent_runs": False, **more}

    tasks = {
        "pipefile: build": task("build", use_new_terminal=False, reveal="no_focus"),
        "pipefile: watch": task("watch", use_new_terminal=True, reveal="never"),
        "pipefile: status": task("status", use_new_terminal=False, reveal="always"),
    }
    path = ".zed/tasks.json"
    text = work.read(path)
    document = None if text is None else Document(text, path)
    if document is None or document.root is None:
        return [_new(path, _labelled("label", tasks), tasks, text or "")]
    if not isinstance(document.root.value, list):
        raise document.fault("an array of tasks was expected", document.root.start)
    change = Change(path, "")
    _merge(work, document, (document.root, "label"), tasks, change)
    return [change]


def sublime(work: Workspace) -> list[Change]:
    cancel = {"cancel": {"kill": True}}
    tasks = {
        "pipefile": {
            "cmd": work.command("build", "--color=never"), "working_dir": "$project_path", "file_regex": patterns.SUBLIME, **cancel,
            "variants": [{"name": "Watch", "cmd": work.command("watch", "--color=never"), **cancel}],
        },
    }  # fmt: skip
    found = sorted(name for name in os.listdir(work.root) if name.endswith(".sublime-project"))
    if len(found) > 1:
        names = "`, `".join(map(show, found))
        raise UsageError(f"there are several projects of Sublime Text here: `{names}`", hint="`--print` shows what belongs into one of them")
    path = found[0] if found else f"{os.path.basename(work.root) or 'project'}.sublime-project"
    document, root = _object(work, path)
    if document is None:
        return [_new(path, {"folders": [{"path": "."}], "build_systems": _labelled("name", tasks)}, tasks)]
    assert root is not None
    missing: list[tuple[str | None, Any]] = [] if "folders" in root.named else [("folders", [{"path": "."}])]
    return [_join(work, document, (root, "build_systems", "name"), tasks, missing)]


def neovim(work: Workspace) -> list[Change]:
    return [_block(work, ".nvim.lua", blocks.neovim(work.words))]


def emacs(work: Workspace) -> list[Change]:
    from pipefile.editor.lisp import with_entry

    path = ".dir-locals.el"
    command = " ".join(work.command("build", "--color=never"))
    text, state = with_entry(work.read(path), path, command, work.force)
    change = Change(path, text)
    names = {"added": change.added, "replaced": change.replaced, "kept": change.kept}
    if state:
        names[state].append("compile-command")
    return [change]


def jetbrains(work: Workspace) -> list[Change]:
    changes = []
    for word in ("build", "watch"):
        path = f".run/pipefile {word}.run.xml"
        text = blocks.jetbrains(f"pipefile {word}", work.command(word, "--color=never"))
        old = work.read(path)
        change = Change(path, text)
        if old is None:
            change.added.append(f"pipefile {word}")
        elif old.replace("\r\n", "\n") != text:
            blocks.check_xml(old, path)
            (change.replaced if work.force else change.kept).append(f"pipefile {word}")
            change.text = text if work.force else old
        else:
            change.text = old
        changes.append(change)
    return changes


EDITORS: dict[str, Callable[[Workspace], list[Change]]] = {
    "vscode": vscode, "zed": zed, "neovim": neovim, "jetbrains": jetbrains, "sublime": sublime, "emacs": emacs,
}  # fmt: skip


# --- JSON


def _labelled(label: str, tasks: Tasks) -> list[dict[str, Any]]:
    return [{label: name, **task} for name, task in tasks.items()]


def _new(path: str, value: Any, tasks: Tasks, before: str = "") -> Change:
    return Change(path, f"{before}{dumped(value)}\n", added=list(tasks))


def _object(work: Workspace, path: str) -> tuple[Document | None, Node | None]:
    """A file that holds an object; (None, None) where there is none yet."""
    text = work.read(path)
    if text is None:
        return None, None
    document = Document(text, path)
    if document.root is None:  # blanks and comments: they stay
        document = Document(f"{text}{'' if text.endswith(chr(10)) or not text else document.newline}{{}}{document.newline}", path)
    assert document.root is not None
    if not isinstance(document.root.value, dict):
        raise document.fault("an object was expected", document.root.start)
    return document, document.root


def _join(work: Workspace, document: Document, where: tuple[Node, str, str], tasks: Tasks, missing: list[tuple[str | None, Any]]) -> Change:
    """Join tasks with an array in the object that a file holds.

    Args:
        work: The workspace.
        document: The file.
        where: The object, the array's name in it, and the key that has a task's name.
        tasks: What is to be there.
        missing: What else the object lacks.
    """
    root, name, label = where
    change = Change(document.path, "")
    array = root.named.get(name)
    if array is None:
        document.extend(root, [*missing, (name, _labelled(label, tasks))])
        change.text, change.added = document.changed(), list(tasks)
        return change
    if not isinstance(array.value, list):
        raise document.fault(f"`{name}` must be an array", array.start)
    if missing:
        document.extend(root, missing)
    _merge(work, document, (array, label), tasks, change)
    return change


def _merge(work: Workspace, document: Document, where: tuple[Node, str], tasks: Tasks, change: Change) -> None:
    array, label = where
    there = {node.value[label]: node for node in array.elements if isinstance(node.value, dict) and isinstance(node.value.get(label), str)}
    missing: list[tuple[str | None, Any]] = []
    for task in _labelled(label, tasks):
        name = task[label]
        node = there.get(name)
        if node is None:
            missing.append((None, task))
            change.added.append(name)
        elif node.value != task:
            (change.replaced if work.force else change.kept).append(name)
            if work.force:
                document.replace(node, task)
    if missing:
        document.extend(array, missing)
    change.text = document.changed()


# --- a block between two marks


def _block(work: Workspace, path: str, block: str) -> Change:
    text = work.read(path)
    if text is None:
        return Change(path, block, added=["pipefile"])
    joined, state = blocks.joined(text, path, block, work.force)
    change = Change(path, joined)
    names = {"added": change.added, "replaced": change.replaced, "kept": change.kept}
    if state:
        names[state].append("pipefile")
    return change
