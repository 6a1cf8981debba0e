"""The values that the stages of a build returned, for the program that built them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from pipefile.base.errors import InputError
from pipefile.base.paths import show
from pipefile.engine.session import Session
from pipefile.model.fileref import FileRef
from pipefile.model.graph import Edge
from pipefile.model.stage import Output


class Results(Mapping[str, object]):
    """Values by `STAGE.OUTPUT`; of a stage that declares no outputs also by `STAGE.KEY`, for the keys of the dictionary that it returned.

    Each is read when it is asked for, and every time anew. A file that a function named is a FileRef with an absolute path.

    Args:
        session: The project.
        edges: Whose values: those that are fresh, or have run and succeeded.
    """

    def __init__(self, session: Session, edges: Iterable[Edge]) -> None:
        self._session = session
        self._outputs: dict[str, Output] = {}
        self._tables: dict[str, Output] = {}
        for edge in edges:
            for output in edge.outputs:
                if output.value and output.name:
                    self._outputs[f"{edge.name}.{output.name}"] = output
                    if output.value == "result":
                        self._tables[edge.name] = output

    def __getitem__(self, name: str) -> object:
        """
        Raises:
            KeyError: No stage of the build returned it.
            InputError: It is not there any more as it was.
        """
        output = self._outputs.get(name)
        if output is not None:
            return self._value(output)
        cut = name.find(".")
        while cut > 0:
            table = self._tables.get(name[:cut])
            if table is not None:
                value = self._value(table)
                if isinstance(value, dict) and name[cut + 1 :] in value:
                    return value[name[cut + 1 :]]
            cut = name.find(".", cut + 1)
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        yield from self._outputs
        for stage, output in self._tables.items():
            value = self._value(output)
            if isinstance(value, dict):
                yield from [f"{stage}.{key}" for key in value if f"{stage}.{key}" not in self._outputs]

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __repr__(self) -> str:
        return f"<values of {', '.join(self._outputs) or 'no stage'}>"

    def _value(self, output: Output) -> object:
        from pipefile.execute.modules import CallError
        from pipefile.execute.values import load_argument

        session, path = self._session, output.path
        if output.value == "file":
            named = session.values.named(path)
            return FileRef(session.disk.at(named.path), named.digest, named.size)
        try:
            return load_argument(session.values.stored(path, output.value, "", session.disk.at(path)))
        except (CallError, OSError) as error:
            raise InputError(f"`{show(path)}` cannot be read: {error}") from error
