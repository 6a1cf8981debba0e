"""Versions of installed packages: for `[pipefile] track_packages` alone, since finding them costs more than a small build."""

from __future__ import annotations


def version_of(name: str) -> tuple[str, str]:
    """The version of the installed package that has a top-level module, and the absolute path of a file of its metadata, which changes with the version.

    Args:
        name: The module's name, such as "numpy" or "yaml".

    Returns:
        ("", "") where nothing is known of it.
    """
    from importlib import metadata

    try:
        found = metadata.distribution(name)
    except (metadata.PackageNotFoundError, ValueError):
        owners = metadata.packages_distributions().get(name, [])
        if not owners:
            return "", ""
        try:
            found = metadata.distribution(sorted(owners)[0])
        except metadata.PackageNotFoundError:
            return "", ""
    return found.version or "", _place(found)


def _place(found: object) -> str:
    import os

    folder = getattr(found, "_path", None)  # no public name says where a distribution's metadata lies
    for name in ("METADATA", "PKG-INFO"):
        path = os.path.join(str(folder), name)
        if folder is not None and os.path.isfile(path):
            return os.path.realpath(path)
    return ""
