"""What an edge depends on: one walk that both hashes it and explains it.

`components` lists everything, in order; the key is the hash of that list, and the record keeps the list itself, so that "is stale" and "why
stale" cannot disagree.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from json import dumps

from pipefile.base import digest as digests
from pipefile.base.dataclass import dataclass
from pipefile.base.paths import relative
from pipefile.model.graph import Edge, FileSet, Need
from pipefile.model.record import ABSENT, Component
from pipefile.model.stage import DEFAULT_SHELL, Call, Command, Field, Template
from pipefile.plan.render import KEPT, ValueText, argv_for_key, input_values, text_for_key

_component: Callable[[tuple[str, str, str, str]], Component] = partial(tuple.__new__, Component)  # a third of what Component(...) costs
_FORMAT = Component("format", "", "", digests.KEY_FORMAT)
_DEFAULT_SHELL = Component("shell", "", "", dumps(DEFAULT_SHELL))

SHOWN = "="
"""Before the value of a variable that may be shown; the digest of one that may not begins otherwise."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What has to be known of the world to compute a key. All digests are final when it is asked.

    Args:
        digest: Path of an input -> its digest, ABSENT if nothing is there.
        set_digest: A set of files, and a folder -> one digest over its paths, from the folder, and their digests.
        set_paths: A set of files -> its paths; for late sets as they are now.
        value_text: What stands in a command for a value that another stage returns.
        env: The environment of stages, tracked variables included.
        code: The edge's code, symbol by symbol, and the packages that this uses: of a function, or of Python scripts that its command names.
        python: Minor version of the Python that runs functions, "3.11".
        tracked: Variables that `[pipefile] env` tracks for every stage.
        shown: Variables whose values records may hold, by `[pipefile] show_env`; of others they hold a digest.
    """

    digest: Callable[[str], str]
    set_digest: Callable[[FileSet, str], str]
    set_paths: Callable[[FileSet], tuple[str, ...]]
    value_text: ValueText
    env: Mapping[str, str]
    code: tuple[Component, ...]
    python: str
    tracked: tuple[str, ...] = ()
    shown: tuple[str, ...] = ()


def components(edge: Edge, facts: Facts) -> list[Component]:
    """All that the edge's result depends on, as 2-format's table of keys says, without its discovered inputs.

    Discovered inputs are compared on their own (plan/stale.py): which ones there are is known only from the edge's last run.
    """
    stage = edge.stage
    found = [_FORMAT]
    action = stage.action
    if isinstance(action, Command):
        if action.argv:
            found.append(Component("argv", "", "", dumps(_argv(action.argv, edge, facts))))
        else:
            found.append(_component(("run", "", "", _text(action.template, edge, facts))))
            found.append(_DEFAULT_SHELL if stage.shell == DEFAULT_SHELL else Component("shell", "", "", dumps(stage.shell)))
    elif isinstance(action, Call):
        found.append(Component("python", "", "", facts.python))
        found.append(Component("call", "", "", f"{action.module}:{action.function}"))
        if stage.setup is not None:
            found.append(Component("setup", "", "", f"{stage.setup.module}:{stage.setup.function}"))
        lists = [need.name for need in edge.needs if need.many and need.name]
        lists += [output.name for output in edge.stage.outputs if output.many and output.name]
        found.append(Component("lists", "", "", " ".join(dict.fromkeys(lists))))
    if stage.batch is not None:
        found.append(_component(("batch", "", "", str(stage.batch.most))))
    found += facts.code
    for need in edge.needs:
        found.append(_input(need, facts, stage.folder))
        if need.files is not None and need.files.value:
            found.append(_taken_as(need, need.files, stage.folder))
    for output in stage.outputs:
        kind = "directory" if output.directory else f"value:{output.value}" if output.value else "file"
        if output.checkpoint:
            kind = f"checkpoint {kind}"
        found.append(_component(("output", output.name or "", output.path, kind)))
    if stage.params:
        found += [Component("param", name, "", dumps(stage.params[name], sort_keys=True)) for name in sorted(stage.params)]
    if stage.item:
        found += [Component("item", name, "", dumps(value, sort_keys=True)) for name, value in stage.item.items()]
    if stage.version:
        found.append(Component("version", "", "", stage.version))
    if stage.env or facts.tracked:
        found += [Component("env", name, "", _variable(name, facts)) for name in sorted({*stage.env, *facts.tracked})]
    return found


def _variable(name: str, facts: Facts) -> str:
    value = facts.env.get(name)
    return SHOWN + value if name in facts.shown and value is not None else digests.hide(name, value)


def hidden(part: Component) -> Component:
    """A component as the key covers it: whether a variable's value is shown changes no result."""
    if part.kind == "env" and part.value.startswith(SHOWN):
        return part._replace(value=digests.hide(part.name, part.value[len(SHOWN) :]))
    return part


def key_of(parts: list[Component], algorithm: str, folder: str = "") -> str:
    """The key: one digest over all components in order, with paths as the Pipefile in *folder* sees them: it may be included, or stand alone."""
    if folder:
        parts = [part._replace(path=relative(part.path, folder)) if part.path else part for part in parts]
    if "env" in [part[0] for part in parts]:
        parts = [hidden(part) for part in parts]
    text = "\0".join(["\0".join(part) for part in parts])
    if text.count("\0") != len(parts) * 4 - 1:  # a NUL inside a part: say where each part ends in another way
        text = dumps(parts)
    return digests.of_text(text, algorithm)


def set_digest(paths: tuple[str, ...], digest: Callable[[str], str], algorithm: str, folder: str = "") -> str:
    """One digest over a list of files: their paths, from a folder, and digests, in order."""
    if folder:
        return digests.of_text("\0".join([f"{relative(path, folder)}\0{digest(path)}" for path in paths]), algorithm)
    return digests.of_text("\0".join([f"{path}\0{digest(path)}" for path in paths]), algorithm)


def _input(need: Need, facts: Facts, folder: str) -> Component:
    name = need.name or ""
    files = need.files
    if files is None:
        return Component("value", name, "", dumps(need.value, sort_keys=True))
    if files.kind in ("file", "directory"):
        path = files.paths[0]
        return _component(("input", name, path, facts.digest(path) or ABSENT))
    return Component("set", set_label(need, folder), "", facts.set_digest(files, folder))


def _taken_as(need: Need, files: FileSet, folder: str) -> Component:
    """That an input is a value, of which kind, and which part of it: the same bytes are another argument otherwise."""
    if files.kind == "file":
        return Component("value-kind", need.name or "", files.paths[0], f"{files.value}.{files.entry}" if files.entry else files.value)
    return Component("value-kind", set_label(need, folder), "", files.value)


def set_label(need: Need, folder: str = "") -> str:
    """What a set of files is called in components and records: its text, from the stage's folder, after the input's name if it has one."""
    text = "" if need.files is None else need.files.text
    if folder and need.files is not None and need.files.kind in ("glob", "late"):
        text = relative(text, folder)
    return f"{need.name} = {text}" if need.name else text


def _text(template: Template, edge: Edge, facts: Facts) -> str:
    """The command with inputs and values filled in, and outputs, `{threads}`, `{store}` and `{depfile}` left as they are written."""
    if len(template) == 1 and isinstance(template[0], str) and "{" not in template[0]:
        return template[0]
    return text_for_key(template, lambda field: input_values(field, edge, facts.set_paths, facts.value_text), _kept(edge))


def _argv(argv: tuple[Template, ...], edge: Edge, facts: Facts) -> list[str]:
    return argv_for_key(argv, lambda field: input_values(field, edge, facts.set_paths, facts.value_text), _kept(edge))


def _kept(edge: Edge) -> Callable[[Field], bool]:
    outputs = {output.name for output in edge.stage.outputs}
    return lambda field: field.name in KEPT or field.name in outputs
