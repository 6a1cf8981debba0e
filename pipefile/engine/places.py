"""Where outputs are written: checked before anything runs, made ready before an attempt, swept after the build.

An output that its command gets by placeholder is made as `FOLDER/.pipefile-tmp/NAME` and renamed when all is well; one that the command names
literally is written in place, so it and its record are gone before the attempt begins.
"""

from __future__ import annotations

import os
import stat as stat_bits
from collections.abc import Callable, Iterable

from pipefile.base.errors import GraphError, InputError, StoreError
from pipefile.base.locations import Place
from pipefile.base.paths import folder_of, name_of, show, within
from pipefile.engine.files import Files
from pipefile.model.graph import Edge
from pipefile.model.stage import Output

TEMPORARY = ".pipefile-tmp"


def temporary(path: str) -> str:
    """Where an output is made before it is renamed: the same path every time, the same file name."""
    folder = folder_of(path)
    return f"{folder}/{TEMPORARY}/{name_of(path)}" if folder else f"{TEMPORARY}/{path}"


def written_at(output: Output) -> str:
    """Where the action writes an output."""
    return output.path if output.in_place else temporary(output.path)


class Places:
    """The folders and temporary paths of one build.

    Args:
        files: The project's files.
        outside: Folders outside the project where outputs may lie, as `[pipefile] outside` gives them.
        anew: All runs as if it never had: checkpoints of earlier builds are removed first.
        made: Gives all paths that stages of the project make.
    """

    def __init__(
        self, files: Files, outside: tuple[str, ...], anew: bool = False, made: Callable[[], Iterable[str]] = lambda: ()
    ) -> None:
        self._files = files
        self._disk = files.disk
        self._outside = outside
        self._real: dict[str, str] = {}
        self._folders: set[str] = set()
        self._caseless: set[str] = set()  # folders in which `A` and `a` are one
        self._made = made
        self._alike: dict[str, list[str]] | None = None
        self._anew = anew
        self._begun: set[str] = set()  # checkpoints that are of this build
        self._temporary: dict[str, str] = {}  # real folder -> folder: two may be one by way of a link

    # -- before anything runs

    def check(self, edges: Iterable[Edge]) -> None:
        """Refuse places that are taken by another kind of thing, or lead out of the project.

        Raises:
            GraphError: One of them is; places name the stage.
        """
        checked: dict[str, str] = {}
        absent: set[str] = set()  # folders in which nothing can stand, since they do not
        edges = list(edges)
        for edge in edges:
            for output in edge.stage.outputs:
                folder = folder_of(output.path)
                fault = checked.get(folder)
                if fault is None:
                    fault = checked[folder] = self.folder_fault(folder)
                    if not fault and self._disk.stat(folder or ".") is None:
                        absent.add(folder)
                if fault:
                    raise _fault(edge, output, fault)
                if folder in absent:
                    self._files.places[output.path] = None
                    continue
                seen = self._disk.lstat(output.path)
                self._files.places[output.path] = seen
                if seen is None or stat_bits.S_ISLNK(seen.st_mode):
                    continue
                if not (stat_bits.S_ISDIR(seen.st_mode) if output.directory else stat_bits.S_ISREG(seen.st_mode)):
                    what = _what(seen.st_mode)
                    wanted = "a directory" if output.directory else "a file"
                    raise _fault(edge, output, f"is {what}, but stage `{show(edge.name)}` makes {wanted} there", f"move `{show(output.path)}` away")
        self.check_links(edges)

    def check_links(self, edges: Iterable[Edge]) -> None:
        """Refuse two outputs that are one file because a link leads from the folder of one to that of the other: edges that `check` has seen."""
        real = self._real
        if len(set(real.values())) == len(real):
            return
        seen: dict[tuple[str, str], tuple[Edge, Output]] = {}
        for edge in edges:
            for output in edge.stage.outputs:
                other_edge, other = seen.setdefault((real[folder_of(output.path)], name_of(output.path)), (edge, output))
                if other is not output:
                    places = [Place(each.stage.file, ("stage", each.stage.name, "outputs"), f"`{show(each.name)}`") for each in (other_edge, edge)]
                    text = f"`{show(other.shown)}` and `{show(output.shown)}` are one file: a link leads from one folder to the other"
                    raise GraphError(text, places)

    def folder_fault(self, folder: str) -> str:
        """What is wrong with a folder for outputs; "" if nothing is."""
        root = os.path.realpath(self._disk.root)
        real = self._real[folder] = os.path.realpath(self._disk.at(folder or "."))
        allowed = [root, *[os.path.realpath(self._disk.at(other)) for other in self._outside]]
        if not any(real == place or within(real, place.rstrip("/")) for place in allowed):
            return "lies outside the project, where a link leads"
        above = folder
        while above:
            seen = self._disk.lstat(above)
            if seen is not None:
                if not stat_bits.S_ISDIR(seen.st_mode) and not os.path.isdir(self._disk.at(above)):
                    return f"cannot be made: `{show(above)}` is no folder"
                break
            above = folder_of(above)
        if not self._disk.writable(above):
            return f"cannot be made: folder `{show(above or '.')}` is not writable"
        return ""

    def remove_left(self, edges: Iterable[Edge]) -> None:
        """Remove the temporary folders that a build which was killed has left beside the outputs of *edges*, whether or not one of these runs now."""
        for folder in {folder_of(output.path) for edge in edges for output in edge.outputs}:
            holder = f"{folder}/{TEMPORARY}" if folder else TEMPORARY
            try:
                if self._disk.lstat(holder) is not None and not self.folder_fault(folder):
                    self._disk.remove(holder)
            except OSError:
                continue  # it is no fault of this build

    # -- before an attempt

    def prepare(self, edge: Edge, retry: bool) -> None:
        """Make folders, clean temporary paths, and remove what will be written in place.

        Args:
            edge: Which one. Its records are removed by the caller where it writes in place.
            retry: An earlier attempt of this build may have left something.

        Raises:
            OSError: The disk does not take it.
        """
        for output in edge.outputs:
            self.make_ready(output, retry)
        for output in edge.stage.outputs if len(edge.outputs) < len(edge.stage.outputs) else ():
            if output.checkpoint:
                self._hand_over(output)
        if edge.stage.depfile:
            self._make_folder(folder_of(edge.stage.depfile))
            self._disk.remove(edge.stage.depfile)

    def make_ready(self, output: Output, retry: bool) -> None:
        """As `prepare`, for one output.

        Raises:
            OSError: The disk does not take it.
            InputError: On this disk it is one file with another output.
        """
        folder = folder_of(output.path)
        self._make_folder(folder)
        if not output.in_place:
            retry &= not self._make_holder(folder)
        if folder in self._caseless:
            self._check_case(output)
        if output.in_place:
            self._disk.remove(output.path)
            self._files.forget(output.path)
            self._files.places.pop(output.path, None)
            if output.directory:
                self._disk.mkdirs(output.path)
            return
        if retry:
            self._disk.remove(temporary(output.path))
        if output.directory:
            self._disk.mkdirs(temporary(output.path))

    def _hand_over(self, output: Output) -> None:
        """Leave a checkpoint where the next attempt finds it."""
        self._make_folder(folder_of(output.path))
        if self._anew and output.path not in self._begun:
            self._disk.remove(output.path)
        self._begun.add(output.path)
        if output.directory:
            self._disk.mkdirs(output.path)

    def _make_folder(self, folder: str) -> None:
        if folder not in self._folders:
            self._disk.mkdirs(folder)
            self._folders.add(folder)
            self._probe(folder, folder)

    def _probe(self, folder: str, inside: str) -> None:
        """Find out whether a disk tells capital letters from small ones, by a folder on it: *inside* another one, or that one itself."""
        above, name = folder_of(inside), name_of(inside)
        other = f"{above}/{name.swapcase()}" if above else name.swapcase()
        there = self._disk.lstat(other) if name != name.swapcase() else None
        here = self._disk.lstat(inside) if there is not None else None
        if there is not None and here is not None and os.path.samestat(there, here):
            self._caseless.add(folder)

    def _check_case(self, output: Output) -> None:
        if self._alike is None:
            self._alike = {}
            for path in self._made():
                self._alike.setdefault(path.casefold(), []).append(path)
        for other in self._alike.get(output.path.casefold(), ()):
            if other != output.path:
                names = f"`{show(output.path)}` and `{show(other)}`"
                raise InputError(f"{names} are one file on this disk, which does not tell capital letters from small ones")

    def _make_holder(self, folder: str) -> bool:
        """Make the temporary folder within a folder; False if this build has done so before."""
        real = self._real.get(folder, folder)
        if real in self._temporary:
            return False
        self._temporary[real] = folder
        holder = f"{folder}/{TEMPORARY}" if folder else TEMPORARY
        self._disk.remove(holder)  # what a build that was killed has left, or a planted link
        self._disk.mkdirs(holder)
        self._probe(folder, holder)
        return True

    def remove(self, output: Output) -> None:
        """Remove an output from its place: a directory at once, although that takes many steps.

        Raises:
            OSError: The disk does not let go of it.
        """
        if not output.directory:
            self._disk.remove(output.path)
            return
        self._make_holder(folder_of(output.path))
        old = temporary(output.path) + "~"
        self._disk.remove(old)
        self._disk.rename(output.path, old)
        self._disk.remove(old)

    def discard(self, edge: Edge) -> None:
        """Remove what a failed attempt has made. Last good outputs stay where writing was atomic."""
        for output in edge.outputs:
            if self._disk.remove(written_at(output)) and output.in_place:
                self._files.forget(output.path)

    # -- after the attempt

    def fault_of(self, edge: Edge) -> tuple[str, str]:
        """What is wrong with what the action has left at the places of its outputs: (text, hint); ("", "") if all are there, of their kind."""
        missing = []
        for output in edge.outputs:
            seen = self._disk.lstat(written_at(output))
            if seen is None:
                if not output.optional:
                    missing.append(output)
                continue
            mode = seen.st_mode
            if stat_bits.S_ISDIR(mode) if output.directory else stat_bits.S_ISREG(mode):
                continue
            wanted = "directory" if output.directory else "file"
            return f"made {_what(mode)} where its output `{show(output.shown)}` should be a {wanted}", ""
        if missing:
            names = ", ".join(f"`{show(output.shown)}`" for output in missing)
            return f"did not write {names}", ""
        return "", ""

    def is_unmade(self, output: Output) -> bool:
        """Whether an optional output was not made: nothing stands where it would be written, or a folder with nothing in it, which is removed."""
        place = written_at(output)
        if output.directory:
            return self._disk.lstat(place) is None or self._disk.rmdir(place)
        return self._disk.lstat(place) is None

    def put_in_place(self, output: Output) -> None:
        """Rename a finished temporary output to its place, over the old one; a directory is swapped whole. Of one that need not have been made, and
        was not, the old one is removed."""
        if output.in_place:
            return
        source = temporary(output.path)
        if output.optional and self._disk.lstat(source) is None:
            self._disk.remove(output.path)
            return
        if not output.directory:
            try:
                self._disk.rename(source, output.path)
            except IsADirectoryError:  # the place was free when the build began
                self._disk.remove(output.path)
                self._disk.rename(source, output.path)
            return
        seen = self._disk.lstat(output.path)
        if seen is not None:
            old = source + "~"
            self._disk.remove(old)
            self._disk.rename(output.path, old)
            self._disk.rename(source, output.path)
            self._disk.remove(old)
        else:
            self._disk.rename(source, output.path)

    def sweep(self) -> list[str]:
        """Remove the temporary folders. Returns what stages have left in them besides their outputs, for a warning."""
        left = []
        for folder in sorted(self._temporary.values()):
            holder = f"{folder}/{TEMPORARY}" if folder else TEMPORARY
            if self._disk.rmdir(holder):
                continue
            try:
                left += [f"{holder}/{name}" for name, _ in sorted(self._disk.names(holder))]
                self._disk.remove(holder)
            except OSError:
                continue
        self._temporary.clear()
        return left


def _what(mode: int) -> str:
    if stat_bits.S_ISDIR(mode):
        return "a directory"
    if stat_bits.S_ISREG(mode):
        return "a file"
    if stat_bits.S_ISLNK(mode):
        return "a link"
    if stat_bits.S_ISFIFO(mode):
        return "a FIFO"
    return "a socket" if stat_bits.S_ISSOCK(mode) else "a device"


def _fault(edge: Edge, output: Output, text: str, hint: str = "") -> GraphError | StoreError:
    place = Place(edge.stage.file, ("stage", edge.stage.name, "outputs"), f"`{show(edge.name)}`")
    if text.endswith("is not writable"):
        return StoreError(f"`{show(output.shown)}` {text}", (place,), hint)
    return GraphError(f"`{show(output.shown)}` {text}", (place,), hint)
