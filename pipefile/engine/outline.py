"""What the index knows of a project's stages while its Pipefile stands as it was: for `list --json` and completion, which an editor asks for while a
person types. Nothing is imported for it that reads Pipefiles, and none of the project's code is looked at.

Whatever is not plain is left to the ordinary way, which gives the same answer.
"""

from __future__ import annotations

import os

from pipefile.store.index import DIRECTORY, PRESENT, STAT_COLUMNS, TRUSTED, Damaged, Meta, Reader, columns, stamp_of

TYPE_CHECKING = False  # as typing's, whose import takes longer than all of this
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from pipefile.model.stage import Stage

LARGEST = 50 << 20


class Outline:
    """An index that is of the Pipefile as it is now, open for reading.

    Args:
        root: The project's root, absolute.
        store: The store, from there.
        file: The Pipefile, from there.

    Raises:
        OSError: There is no index, or no Pipefile.
        Damaged: The index is not what was written, or of another version of pipefile, or of another Pipefile.
    """

    def __init__(self, root: str, store: str, file: str) -> None:
        self.root = root
        self.store = store
        self.file = file
        self.reader = Reader(f"{root}/{store}/index")
        try:
            self._check()
        except BaseException:
            self.reader.close()
            raise

    def _check(self) -> None:
        from pipefile import __version__
        from pipefile.base.digest import KEY_FORMAT

        if Meta.unpack(self.reader.texts("meta")).version != f"{__version__}/{KEY_FORMAT}":
            raise Damaged
        try:
            self._row = self.reader.texts("paths").index(self.file)
        except ValueError:
            raise Damaged from None
        known = tuple([column[self._row] for column in columns(self.reader.numbers("stats", "q"), STAT_COLUMNS)])
        flags = self.reader.section("flags")[self._row]
        if not flags & PRESENT or not flags & TRUSTED or stamp_of(os.stat(f"{self.root}/{self.file}")) != known:
            raise Damaged

    def __enter__(self) -> Outline:
        return self

    def __exit__(self, *_: object) -> None:
        self.reader.close()

    def names(self) -> list[str]:
        """Names of all edges: stages, and instances of them."""
        return self.reader.texts("edge_names")

    def targets(self) -> Iterator[str]:
        """Paths of all files and folders that edges make, without those in the store; a slash after those that were folders when they were made."""
        inside = f"{self.store}/"
        for path, maker, flags in zip(self.reader.texts("paths"), self.reader.numbers("makers", "i"), self.reader.section("flags"), strict=True):
            if maker >= 0 and not path.startswith(inside):
                yield f"{path}/" if flags & DIRECTORY else path

    def head(self) -> dict[str, Any]:
        """The Pipefile without its stages, under "document".

        Raises:
            Damaged: The index does not have it, or has it of another state of the file than its stamp.
        """
        import json

        text = self.reader.section("head")
        if not text:
            raise Damaged
        found: dict[str, Any] = json.loads(text)
        # A Pipefile that was saved while a build ran has a new stamp, and what was read of it is old.
        digest = str(found["files"].get(self.file)).partition(":")[2][:64]
        if bytes.fromhex(digest) != self.reader.section("digests")[32 * self._row : 32 * self._row + 32]:
            raise Damaged
        return found

    def tables(self) -> list[dict[str, Any]]:
        """`[stage.NAME]` of each edge.

        Raises:
            Damaged: The index does not have all of them.
        """
        import json
        from itertools import pairwise

        data = self.reader.section("stages").decode("ascii")
        texts = [data[start:stop] for start, stop in pairwise(self.reader.numbers("stage_starts", "q"))]
        if len(texts) != len(self.names()) or "" in texts:
            raise Damaged
        return [found[0] for found in json.loads(f"[{','.join(texts)}]")]


def listing(root: str, store: str, file: str) -> str | None:
    """What `list --json` prints; None where that is for the ordinary way to find out.

    Args:
        root: The project's root, absolute.
        store: The store, from there.
        file: The Pipefile, from there.
    """
    import gc

    collecting = gc.isenabled()
    gc.disable()
    try:
        with Outline(root, store, file) as outline:
            return _listing(outline)
    except (Damaged, OSError, ValueError, KeyError, TypeError, MemoryError):
        return None
    finally:
        if collecting:
            gc.enable()


def _listing(outline: Outline) -> str | None:
    import json

    head = outline.head()
    with open(f"{outline.root}/{outline.file}", "rb") as pipefile:
        text = pipefile.read(LARGEST).decode("utf-8")
    places = _places(text)
    names = outline.names()
    if places is None or list(places) != names:
        return None
    seconds = outline.reader.numbers("edge_seconds", "d")
    read = _reader(outline, head)
    stages = []
    making = []
    for name, table, lasted in zip(names, outline.tables(), seconds, strict=True):
        found = _plain(table)
        took: float | None = lasted
        if found is None or not took:
            stage, told = read(name, table)
            found = [item.text for group in stage.inputs for item in group.items], [output.shown for output in stage.outputs]
            took = took or told
        line, column = places[name]
        stages.append(
            {
                "name": name,
                "description": table.get("description", ""),
                "inputs": found[0],
                "outputs": found[1],
                "location": {"file": outline.file, "line": line, "column": column},
                "last_duration_seconds": took,
            }
        )
        if found[1]:
            making.append(name)
    default = head["document"].get("pipefile", {}).get("default", making)
    at = outline.root.rstrip("/")
    first = {"format": 1, "file": f"{at}/{outline.file}", "root": outline.root, "default": [default] if isinstance(default, str) else default}
    encode = json.JSONEncoder(check_circular=False).encode
    # One call for all is five times as fast as one for each. Within a string a quote has a backslash before it, so this is where stages begin.
    lines = encode(stages)[1:-1].replace('}, {"name": ', '},\n{"name": ')
    between = "\n" if lines else ""
    return f'{encode(first)[:-1]}, "stages": [{between}{lines}\n]}}\n'


def _places(text: str) -> dict[str, tuple[int, int]] | None:
    """Line and column of each `[stage.NAME]`, in order; None where a text in three quotes could hold lines that look like it."""
    import re

    if '"""' in text or "'''" in text or text.startswith("\ufeff"):
        return None
    found: dict[str, tuple[int, int]] = {}
    line, before = 1, 0
    for match in re.finditer(r"""^[ \t]*\[[ \t]*stage[ \t]*\.[ \t]*([\w-]+|"[^"\\\n]*"|'[^'\n]*')[ \t]*\]""", text, re.MULTILINE | re.ASCII):
        start = match.start(1)
        line += text.count("\n", before, start)
        before = start
        name = match[1]
        found[name if name[0] not in "\"'" else name[1:-1]] = (line, start - text.rfind("\n", 0, start))
    return found


def _plain(table: dict[str, Any]) -> tuple[list[str], list[str]] | None:
    """Inputs and outputs of a stage as they are written, if that is also what they are."""
    inputs, outputs = table.get("inputs", ()), table.get("outputs", ())
    inputs = [inputs] if type(inputs) is str else inputs
    outputs = [outputs] if type(outputs) is str else outputs
    try:
        paths = "\n".join(outputs)
        texts = f"{''.join(inputs)}{paths}"
    except TypeError:  # a table among them
        return None
    if type(inputs) is dict or type(outputs) is dict or "{" in texts or "}" in texts:
        return None
    if "//" in paths or "/." in paths or paths[:1] in ("/", ".") or "\n/" in paths or "\n." in paths or "value:" in paths:
        return None
    return list(inputs), list(outputs)


def _reader(outline: Outline, head: dict[str, Any]) -> Callable[[str, dict[str, Any]], tuple[Stage, float | None]]:
    """Reads a stage by the code that reads the Pipefile, and finds in its record how long it took."""
    made: list[Any] = []

    def read(name: str, table: dict[str, Any]) -> tuple[Stage, float | None]:
        from pipefile.base.disk import OsDisk
        from pipefile.load.again import ChangedError, load_again
        from pipefile.load.faults import FaultError
        from pipefile.store.record import Records

        try:
            if not made:
                disk = OsDisk(outline.root)
                made.append(load_again(disk, outline.file, {}, head["document"], head["files"])[1])
                made.append(Records(disk, outline.store, lambda _: None))
            stage: Stage = made[0](name, table)
        except (ChangedError, FaultError) as error:
            raise ValueError from error
        main = made[1].read(name, stage.results[:1]).main
        return stage, main.duration if main is not None and main.main else None

    return read
