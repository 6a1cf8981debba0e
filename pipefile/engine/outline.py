"""What the index knows of a project's stages while its Pipefile stands as it was: for `list --json` and completion, which an editor asks for while a
person types. Nothing is imported for it that reads Pipefiles, and none of the project's code is looked at.

Whatever is not plain is left to the ordinary way, which gives the same answer.
"""

from __future__ import annotations

import os

from pipefile.store.index import DIRECTORY, PRESENT, STAT_COLUMNS, TRUSTED, Damaged, Meta, Reader, columns, stamp_of

TYPE_CHECKING = False  # as typing's, whose import takes longer than all of this
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any


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


def _listing(outline: Outline) -> str:
    import json

    outline.head()  # says whether it is of this state of the Pipefile
    texts = outline.reader.texts("listing")
    if not texts:
        raise Damaged
    seconds = _Seconds(outline)
    lines = ",\n".join(
        [f"{text}{seconds.of(name, kind)}}}" for name, kind, text in zip(texts[1::3], texts[2::3], texts[3::3], strict=True)]
    )
    at = outline.root.rstrip("/")
    first = json.dumps({"format": 1, "file": f"{at}/{outline.file}", "root": outline.root})
    between = "\n" if lines else ""
    return f'{first[:-1]}, "default": {texts[0]}, "stages": [{between}{lines}\n]}}\n'


class _Seconds:
    """How long stages took last time, as JSON has it."""

    def __init__(self, outline: Outline) -> None:
        self._outline = outline
        self._edges = outline.names()
        seconds = outline.reader.numbers("edge_seconds", "d")
        self._known: dict[str, float] = dict(zip(self._edges, seconds, strict=True))
        for name, taken in zip(self._edges, seconds, strict=True):
            stage, at, _ = name.partition("@")
            if at:
                self._known[stage] = self._known.get(stage, 0.0) + taken

    def of(self, name: str, kind: str) -> str:
        """
        Args:
            name: The stage.
            kind: "each" where it stands for instances, which count together.
        """
        taken = self._known.get(name) or (0.0 if kind else self._recorded(name))
        return repr(taken) if taken else "null"

    def _recorded(self, name: str) -> float:
        """As its record says, which an index need not know of: of a stage that has failed since, say."""
        from array import array

        from pipefile.base.disk import OsDisk
        from pipefile.model.stage import Output
        from pipefile.store.record import Records

        reader = self._outline.reader
        at = 3 * self._edges.index(name)  # ValueError: one that no edge is made of, as a fallback
        starts, rows = reader.numbers("edge_starts", "i"), reader.numbers("edge_rows", "i")
        made: array[int] = rows[starts[at] : starts[at + 1]]
        outputs = [Output(None, reader.texts("paths")[row]) for row in made[:1]]
        main = Records(OsDisk(self._outline.root), self._outline.store, lambda _: None).read(name, outputs).main
        return main.duration if main is not None and main.main else 0.0
