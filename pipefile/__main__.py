"""`python -m pipefile`, and the console script."""

from __future__ import annotations

import sys


def main() -> int:
    """Run the program.

    Returns:
        The exit status. Hardly ever: see `_end`.
    """
    if sys.platform == "win32":
        sys.stderr.write("error: pipefile needs Linux or macOS; on Windows it runs in WSL\n")
        return 2
    from pipefile.base.streams import guard_streams
    from pipefile.engine.fastlane import Plain, ask

    guard_streams()
    words = sys.argv[1:]
    plain = Plain(words)
    if plain.is_plain:
        found = ask(plain)
        if isinstance(found, str):
            if _write(found):
                return _end(0)
            found = None
        from pipefile.cli.plain import main as build

        return _end(build(words, plain, found))
    if words == ["list", "--json"] or words[:2] == ["completion", "--for"]:  # what editors and shells ask while a person types
        from pipefile.cli.quick import main as answer

        status = answer(words)
        if status is not None:
            return _end(status)
    from pipefile.cli.main import main as run

    return _end(run())


def _end(status: int) -> int:
    """End the process, whose output is written, unless somebody wants to be told of its end, as code of the project may that was imported.

    To tear down the interpreter takes longer than a build with nothing to do, and half a second with the objects of ten thousand stages.
    """
    import atexit
    import os

    if "threading" not in sys.modules and not atexit._ncallbacks():
        os._exit(status)
    return status


def _write(text: str) -> bool:
    """Write the line of a build that had nothing to do; False if standard output does not take it, which the ordinary way reports."""
    import os

    try:
        data = text.encode()
        return os.write(1, data) == len(data)
    except OSError:
        return False


if __name__ == "__main__":
    if not sys.flags.safe_path:
        del sys.path[0]  # the user's folder: a `json.py` in a project is not the one that is meant
    raise SystemExit(main())
