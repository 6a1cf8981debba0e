"""Modules in memory, for what plan/link.py says of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pipefile.plan.code import Module, read_module
from pipefile.plan.link import Found, Linked, Sources, link_function, link_script


def sources(files: Mapping[str, str | bytes]) -> Sources:
    """*files* as the modules of a project whose Pipefile stands at its root."""
    modules: dict[str, Module] = {}

    def find(name: str) -> tuple[Found, ...]:
        found, so_far = [], ""
        for part in name.split("."):
            so_far = f"{so_far}.{part}" if so_far else part
            path = so_far.replace(".", "/")
            if f"{path}/__init__.py" in files:
                found.append(Found(so_far, f"{path}/__init__.py", "package"))
            elif f"{path}.py" in files:
                found.append(Found(so_far, f"{path}.py", "module"))
                break
            elif any(each.startswith(f"{path}/") for each in files):
                found.append(Found(so_far, "", "namespace"))
            else:
                break
        return tuple(found)

    def read(found: Found) -> Module:
        if found.path not in modules:
            data = files[found.path]
            modules[found.path] = read_module(data.encode() if isinstance(data, str) else data)
        return modules[found.path]

    def extend(path: str, texts: Sequence[str]) -> None:
        return None

    return Sources(find, read, extend)


def linked(files: Mapping[str, str | bytes], start: str = "steps:go") -> Linked:
    """What `module:function`, or a script, reaches."""
    module, colon, function = start.partition(":")
    return link_function(module, function, sources(files)) if colon else link_script(start, sources(files))
