"""What editors and shells ask while a person types: answered before click and the like are imported, wherever that can be."""

from __future__ import annotations

import errno
import os

TYPE_CHECKING = False  # as typing's, whose import takes a tenth of the answer
if TYPE_CHECKING:
    from collections.abc import Sequence


def main(words: Sequence[str]) -> int | None:
    """Answer `list --json`, or what a shell's completion asks.

    Args:
        words: The words after the program's name.

    Returns:
        The exit status; None where the ordinary way has to answer.
    """
    if words[0] == "completion":
        from pipefile.cli.candidates import answer

        return answer(words[2:])
    from pipefile.engine.fastlane import PIPEFILE, root_above, store_of
    from pipefile.engine.outline import listing

    try:
        root = root_above(os.getcwd())
        store = store_of(root) if root is not None else None
    except OSError:
        return None
    text = listing(root, store, PIPEFILE) if root is not None and store is not None else None
    return None if text is None else _write(text)


def _write(text: str) -> int | None:
    """Write it all; what a broken standard output means, the ordinary way says."""
    data = memoryview(text.encode("utf-8", "surrogateescape"))
    try:
        while data:
            data = data[os.write(1, data) :]
    except OSError as error:
        return 0 if error.errno == errno.EPIPE else None
    return 0
