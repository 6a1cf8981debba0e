"""Values and paths as texts of commands."""

from __future__ import annotations

from pipefile.base.paths import relative
from pipefile.model.stage import Value


def as_argument(path: str, folder: str = "") -> str:
    """A path as commands that run in a folder get it: one that begins with a dash would be read as an option."""
    if folder:
        path = relative(path, folder)
    return "./" + path if path.startswith("-") else path


def value_text(value: Value) -> str | list[str]:
    """A value of `[global]` or of params as text for a command; a list becomes several words."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return [text if isinstance(text := value_text(item), str) else " ".join(text) for item in value]
    if isinstance(value, dict):
        from json import dumps

        return dumps(value, sort_keys=True)
    return repr(value)
