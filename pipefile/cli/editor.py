"""`pipefile editor`: the tasks of an editor, written into its own files."""

from __future__ import annotations

import click

from pipefile.base.commands import COMMANDS
from pipefile.base.paths import show
from pipefile.cli import options
from pipefile.cli.request import Request

NAMES = ("vscode", "zed", "neovim", "jetbrains", "sublime", "emacs")


@click.command("editor", short_help=COMMANDS["editor"])
@click.argument("editor", metavar="|".join(NAMES), type=click.Choice(NAMES))
@click.option("--print", "printed", is_flag=True, help="Print the files as they would be, write nothing.")
@click.option("--force", is_flag=True, help="Replace tasks of pipefile's own that differ from those of this version.")
@options.global_options
@click.pass_obj
def command(request: Request, editor: str, printed: bool, force: bool) -> int:
    """Write tasks that build and watch into the files of an editor, beside the Pipefile. What else is in these files stays as it is, comments too."""
    from pipefile.editor.place import replace
    from pipefile.editor.tasks import EDITORS, Workspace

    project = request.project
    words = ("pipefile",) if project.file == "Pipefile.toml" else ("pipefile", "-f", project.file)
    changes = EDITORS[editor](Workspace(project.root, words, force))
    if printed:
        for change in changes:
            if len(changes) > 1:
                request.out.write(f"<!-- {show(change.path)} -->\n")
            request.out.write(change.text)
        return 0
    for change in changes:
        changed = replace(project.root, change.path, change.text.encode())
        if request.verbosity < 0:
            continue
        said = [f"{verb} {_names(names)}" for verb, names in (("added", change.added), ("replaced", change.replaced)) if names]
        request.out.write(f"wrote {show(change.path)}: {', '.join(said)}\n" if changed else f"unchanged: {show(change.path)}\n")
        if change.kept:
            hint = "`--force` replaces it" if len(change.kept) == 1 else "`--force` replaces them"
            request.note(f"{show(change.path)} has another {_names(change.kept)} than this version writes, and keeps it; {hint}")
    return 0


def _names(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
