"""The code that edges depend on: finds and reads the sources that plan/link.py asks for, and keeps what was found (store/code.py)."""

from __future__ import annotations

import errno
import os
import stat as stat_bits
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from pipefile.base import digest as digests
from pipefile.base.dataclass import dataclass, field
from pipefile.base.paths import BadPathError, absolute_from, folder_of, join, normalise, parents
from pipefile.engine.files import Files, unreadable
from pipefile.model.graph import Edge
from pipefile.model.record import ABSENT, Component
from pipefile.model.stage import Call, Command
from pipefile.store import code as store
from pipefile.store.code import CodeCache, Link

if TYPE_CHECKING:
    from pipefile.engine.session import Session
    from pipefile.plan.carry import Found
    from pipefile.plan.code import Module

LARGEST = 64 << 20  # bytes; above, a source is not even looked at: it is its digest

_MOST_ROOTS = 100
_PICKLED = ("any", "result")  # values of other stages that may hold objects of the project's classes


class Start(NamedTuple):
    """Where to begin.

    Args:
        folder: Folder that modules are looked for in, from the root: that of the Pipefile.
        module: A dotted name, or the path of a script from the root.
        function: "" for a script.
    """

    folder: str
    module: str
    function: str = ""


@dataclass(frozen=True, slots=True)
class Code:
    """All code of one edge.

    Args:
        parts: What of it is in the key.
        files: Path -> digest of every file that it was found in.
        made: Those of them, and places where modules were looked for, that stages make, with what was there: they change while the build goes on.
    """

    parts: tuple[Component, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    made: Mapping[str, str] = field(default_factory=dict)


_NONE = Code()


class CodeReader:
    """Finds the code of edges.

    Args:
        session: The project.
        python: Minor version of the Python that runs functions, and parses.
    """

    def __init__(self, session: Session, python: str) -> None:
        self._session = session
        self._files: Files = session.files
        self._disk = session.disk
        self.root = session.disk.root.rstrip("/") + "/"
        self._producer = session.graph.producer
        self._python = python
        self._kept: CodeCache | None = None
        self._links: dict[Start, Link] = {}
        self._starts_of: dict[int, tuple[Start, ...]] = {}
        self._codes: dict[tuple[Start, ...], Code] = {}
        self._modules: dict[str, Module] = {}
        self._looks: dict[str, str] = {}
        self._good: dict[tuple[str, str], bool] = {}
        self._changed = False
        self._packages: dict[str, tuple[str, str]] = {}

    @cached_property
    def _above(self) -> frozenset[str]:
        """The folders that outputs lie in."""
        return frozenset([folder for path in self._producer for folder in parents(path)])

    @property
    def looked(self) -> bool:
        """Whether any code has been looked for."""
        return bool(self._links)

    # -- of edges

    def of(self, edge: Edge) -> Code:
        """The code of an edge as the disk has it now.

        Raises:
            InputError: A source cannot be read.
        """
        starts = self._starts(edge)
        if not starts:
            return _NONE
        found = self._codes.get(starts)
        if found is None or (found.made and not self._stands(found)):
            found = self._codes[starts] = self._read(starts)
        return found

    def scripts(self, edge: Edge) -> frozenset[str]:
        """Files named in an edge's command that count as code, not by their bytes."""
        action = edge.stage.action
        if not isinstance(action, Command) or not edge.literal:
            return frozenset()
        from pipefile.plan.words import python_scripts

        found = set()
        for word in python_scripts(action):
            try:
                found.add(absolute_from(word, edge.stage.folder))
            except BadPathError:
                continue
        return frozenset([path for path in self._scripts(edge) if path in found])

    def moved(self, paths: Iterable[str]) -> None:
        """Files have changed under a stage: what was found in them is looked for anew."""
        gone = set(paths)
        self._codes = {starts: code for starts, code in self._codes.items() if gone.isdisjoint(code.files)}
        self._good.clear()
        self._looks.clear()

    def folders(self) -> list[str]:
        """Folders in which a new file could become part of some code that was looked at: their names have to stay as they are."""
        return sorted({folder for link in self._links.values() for folder in link.folders})

    def fallen(self) -> list[str]:
        """Places at which modules would not be found any more where they were looked for, or would be now."""
        looked = {look for link in self._links.values() for look in link.looked}
        return [path for path, kind in looked if self._kind(path) != kind]

    def grown(self) -> None:
        """The graph has other edges now: some of an edge's code may be made by them, or be that of them."""
        self._starts_of.clear()
        self._codes = {starts: code for starts, code in self._codes.items() if not code.made}
        self.__dict__.pop("_above", None)

    def _scripts(self, edge: Edge) -> list[str]:
        outputs = {output.path for output in edge.outputs}
        return [path for path in edge.literal if path.endswith(".py") and path not in outputs and self._files.state(path).kind == "file"]

    def _starts(self, edge: Edge) -> tuple[Start, ...]:
        """Where the code of an edge begins."""
        action = edge.stage.action
        if isinstance(action, Command):
            return tuple([Start(edge.stage.folder, path) for path in self._scripts(edge)]) if edge.literal else ()
        if not isinstance(action, Call):
            return ()
        found = self._starts_of.get(edge.id)
        if found is None:
            found = self._starts_of[edge.id] = tuple(self._calls(edge))
        return found

    def _calls(self, edge: Edge) -> dict[Start, None]:
        """What an edge calls. Objects that another stage has pickled bring the code that made them: their methods are called here."""
        found: dict[Start, None] = {}
        seen = {edge.id}
        todo = [edge]
        while todo:
            each = todo.pop()
            stage = each.stage
            for call in (stage.action, stage.setup):
                if isinstance(call, Call):
                    found[Start(stage.folder, call.module, call.function)] = None
            for need in each.needs:
                if need.files is not None and need.files.value in _PICKLED:
                    makers = {self._producer.get(path, -1) for path in need.files.paths} - seen - {-1}
                    seen |= makers
                    todo += [self._session.graph.edges[maker] for maker in sorted(makers)]
        return found

    def _read(self, starts: tuple[Start, ...]) -> Code:
        symbols: dict[tuple[str, str], list[str]] = {}
        packages: set[str] = set()
        files: dict[str, str] = {}
        made: dict[str, str] = {}
        for start in starts:
            link = self._link(start)
            packages.update(link.packages)
            files.update(link.files)
            made.update({path: kind for path, kind in link.looked if path in self._producer or path in self._above})
            made.update({path: "f" for path, _ in link.files if path in self._producer})
            for name, path, digest in link.symbols:
                values = symbols.setdefault((path, name), [])
                if digest not in values:
                    values.append(digest)
        parts = [Component("code", name, path, " ".join(symbols[path, name])) for path, name in sorted(symbols)]
        for name in sorted(packages):
            version, metadata = self._version(name) if self._session.pipeline.settings.track_packages else ("", "")
            parts.append(Component("package", name, "", version))
            if metadata:
                files[metadata] = self._files.digest(metadata)
        return Code(tuple(parts), files, made)

    def _stands(self, code: Code) -> bool:
        """Whether what stages make of some code is still as it was when it was read."""
        for path in code.made:
            self._looks.pop(path, None)
        if any(self._look(path) != kind for path, kind in code.made.items()):
            return False
        return all(self._files.digest(path) == digest for path, digest in code.files.items() if path in self._producer)

    # -- links

    def _link(self, start: Start) -> Link:
        link = self._links.get(start)
        if link is not None and self._holds(link):
            return link
        if self._kept is None:
            self._kept = store.read(self._disk, self._session.store, self._python)
        kept = self._kept.links.get(_key(start))
        if kept is None or not self._holds(kept):
            kept = self._made(start)
            self._kept.links[_key(start)] = kept
            self._changed = True
        self._links[start] = kept
        return kept

    def _holds(self, link: Link) -> bool:
        good = self._good
        for item in link.looked:
            known = good.get(item)
            if known is None or item[0] in self._producer or item[0] in self._above:
                known = good[item] = self._look(item[0]) == item[1]
            if not known:
                return False
        for item in link.files:
            known = good.get(item)
            if known is None or item[0] in self._producer:
                known = good[item] = self._files.digest(item[0]) == item[1]
            if not known:
                return False
        return True

    def _made(self, start: Start) -> Link:
        from pipefile.plan.link import Sources, link_function, link_script

        self._good.clear()
        finder = _Finder(self, self._roots(start), start.folder)
        sources = Sources(finder.find, finder.read, finder.extend)
        linked = link_function(start.module, start.function, sources) if start.function else link_script(start.module, sources)
        files = tuple([(path, finder.files.get(path) or self._files.digest(path)) for path in linked.files])
        return Link(files, tuple(sorted(finder.looked.items())), tuple(sorted(finder.folders)), linked.symbols, linked.packages)

    def _roots(self, start: Start) -> list[str]:
        """Where modules are looked for: beside a script, in the Pipefile's folder, in the project's folders of PYTHONPATH, and in `src`."""
        found = [] if start.function else [folder_of(start.module)]
        found.append(start.folder)
        root = self.root
        for place in self._session.environ.get("PYTHONPATH", "").split(":"):
            whole = place if place.startswith("/") else f"{root}{place}"
            try:
                path = normalise(whole) + "/"
            except BadPathError:
                continue
            if place and path.startswith(root):
                found.append(path[len(root) : -1])
        found.append(join(start.folder, "src"))
        return list(dict.fromkeys(found))

    # -- the disk

    def _look(self, path: str) -> str:
        found = self._looks.get(path)
        if found is None:
            found = self._looks[path] = self._kind(path)
        return found

    def _kind(self, path: str) -> str:
        try:
            seen = self._disk.stat(path or ".")
        except OSError as error:
            if error.errno in (errno.ENAMETOOLONG, errno.ELOOP):
                return ""
            raise unreadable(path, error) from error
        if seen is None:
            return ""
        return "d" if stat_bits.S_ISDIR(seen.st_mode) else "f" if stat_bits.S_ISREG(seen.st_mode) else ""

    def source(self, found: Found) -> tuple[Module, str]:
        """What a source holds, and the digest that the file had."""
        from pipefile.plan.code import Module, Piece, Step

        for attempt in range(3):
            state = self._files.state(found.path)
            if state.kind != "file":
                return Module("", ()), ABSENT
            size = 0 if state.stamp is None else state.stamp[2]
            if found.kind == "binary" or size > LARGEST:
                short = state.digest[7:27]
                return Module(short, (Step("effect", (), Piece(short, short)),)), state.digest
            module = self._module(found.path, state.digest, last=attempt == 2)
            if module is not None:
                return module, state.digest
            self._files.forget(found.path)  # it has changed since it was hashed
        raise AssertionError("the last attempt takes what it reads")

    def _module(self, path: str, digest: str, last: bool) -> Module | None:
        from pipefile.plan.code import from_json, read_module, to_json

        known = self._modules.get(digest)
        if known is not None:
            return known
        assert self._kept is not None
        kept = self._kept.module(digest)
        if kept is not None:
            try:
                found = self._modules[digest] = from_json(kept)
                return found
            except (ValueError, TypeError, KeyError, AttributeError):
                pass
        try:
            data = self._disk.read(path)
        except OSError as error:
            raise unreadable(path, error) from error
        now = digests.of_bytes(data, self._files.algorithm)
        fits = digest in (now, digests.executable(now))
        if not fits and not last:
            return None
        found = read_module(data)
        if fits:
            self._modules[digest] = found
            self._kept.modules[digest] = store.encode(to_json(found))
        return found

    def look(self, path: str) -> str:
        """ "f" for a file, "d" for a folder, "" for neither."""
        return self._look(path)

    # -- packages

    def _version(self, name: str) -> tuple[str, str]:
        """The version of an installed package, and a file that changes with it; "" for what is not known."""
        found = self._packages.get(name)
        if found is None:
            from pipefile.engine.packages import version_of

            found = self._packages[name] = version_of(name)
        return found

    # -- at the end

    def save(self, sync: bool) -> None:
        """Keep what was found for the next build, if anything is new.

        Raises:
            OSError: The store cannot be written.
        """
        if self._kept is None or not self._changed:
            return
        stages = self._session.pipeline.stages
        calls = {stage.action.module for stage in stages.values() if isinstance(stage.action, Call)}
        used = {_key(start) for start in self._links}
        for key in list(self._kept.links) if stages else ():  # a build that started from the index knows a few of them
            _, module, function = key.split("\n")
            if key not in used and (module not in calls if function else True):
                del self._kept.links[key]
        store.write(self._disk, self._session.store, self._python, self._kept, sync)


class _Finder:
    """Finds modules for one link, and notes where it looked.

    Args:
        reader: Knows the disk.
        roots: Folders that modules are looked for in, from the root.
        folder: That of the Pipefile, where stages run.
    """

    def __init__(self, reader: CodeReader, roots: list[str], folder: str) -> None:
        from importlib.machinery import EXTENSION_SUFFIXES

        self._folder = folder
        self._reader = reader
        self._roots = roots
        self._suffixes = EXTENSION_SUFFIXES
        self._names: dict[str, tuple[Found, ...]] = {}
        self.looked: dict[str, str] = {}
        self.folders: set[str] = set()
        self.files: dict[str, str] = {}
        for root in roots:
            self._mark(root)

    def _mark(self, folder: str) -> None:
        """Note a folder whose names matter; where it is not there, the one above that is."""
        while folder and self._look(folder) != "d":
            folder = folder_of(folder)
        self.folders.add(folder)

    def _look(self, path: str) -> str:
        found = self.looked.get(path)
        if found is None:
            found = self.looked[path] = self._reader.look(path)
        return found

    def find(self, name: str) -> tuple[Found, ...]:
        known = self._names.get(name)
        if known is None:
            known = self._names[name] = self._search(name)
        return known

    def _search(self, name: str) -> tuple[Found, ...]:
        parts = name.split(".")
        if not all(part.isidentifier() for part in parts):
            return ()
        spaces: tuple[Found, ...] = ()
        for root in self._roots:
            found = self._search_below(root, parts)
            if any(each.path for each in found):
                return found
            spaces = spaces if len(spaces) >= len(found) else found  # a folder without `__init__.py` gives way to a module further on
        return spaces

    def _search_below(self, root: str, parts: list[str]) -> tuple[Found, ...]:
        from pipefile.plan.carry import Found

        found: list[Found] = []
        inside, name = root, ""
        for part in parts:
            name = f"{name}.{part}" if name else part
            path, kind = self._locate(inside, part)
            if kind:
                found.append(Found(name, path, kind))
            if kind not in ("package", "namespace"):
                break  # what follows is an attribute of a module, or an error that Python will tell
            inside = join(inside, part)
        return tuple(found)

    def _locate(self, folder: str, name: str) -> tuple[str, str]:
        """What `import NAME` finds in a folder: its file ("" for a folder alone), and its kind ("" for nothing)."""
        inner = join(folder, name)
        directory = self._look(inner) == "d"
        if directory:
            self.folders.add(inner)
            for ending in ("/__init__.py", *[f"/__init__{suffix}" for suffix in self._suffixes]):
                if self._look(inner + ending) == "f":
                    return inner + ending, "package" if ending.endswith(".py") else "binary"
        from pipefile.plan.carry import STANDARD

        for suffix in () if name in STANDARD else self._suffixes:
            if self._look(inner + suffix) == "f":
                return inner + suffix, "binary"
        if self._look(inner + ".py") == "f":
            return inner + ".py", "module"
        return "", "namespace" if directory else ""

    def read(self, found: Found) -> Module:
        module, self.files[found.path] = self._reader.source(found)
        return module

    def extend(self, path: str, added: Sequence[str]) -> None:
        """A source changes where modules are looked for."""
        front: list[str] = []
        back: list[str] = []
        for text in added:
            (front if text[0] == "<" else back).extend(self._places(path, text[0], text[1:]))
        for place in dict.fromkeys([*front, *back]):
            self._mark(place)
        self._roots = list(dict.fromkeys([*reversed(front), *self._roots, *back]))[:_MOST_ROOTS]
        self._names.clear()

    def _places(self, path: str, mark: str, text: str) -> list[str]:
        """Folders of the project that a text may mean; where it is unsure, wherever it may lead, seen from the folders above the source."""
        if mark != "?":
            bases = [path if text.startswith("@") else self._folder]
            texts = [text.removeprefix("@").lstrip("/") if text.startswith("@") else text]
        else:
            bases, texts = [folder_of(path), *parents(folder_of(path)), self._folder], [text, "."]
        root = self._reader.root
        found = []
        for base in bases:
            for each in texts:
                whole = os.path.normpath(os.path.join(root, base, each))
                if whole + "/" == root or whole.startswith(root):
                    place = whole[len(root) :]
                    if mark != "?" or self._look(place) == "d":
                        found.append(place)
        return found


def _key(start: Start) -> str:
    return "\n".join(start)
