"""Checkpoints and temporary outputs: what no input can be."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pipefile.base.errors import GraphError
from pipefile.base.locations import Place
from pipefile.base.paths import parents, show
from pipefile.model.stage import Stage
from pipefile.plan.checks import Outputs


class Classes:
    """Refuses inputs that cannot be.

    Args:
        outputs: Who makes what.
        names: Of the edges.
    """

    def __init__(self, outputs: Outputs, names: Sequence[str]) -> None:
        self._checkpoints = outputs.checkpoints
        self._temps = outputs.temps
        self._folders = frozenset([path for path in outputs.temps if path in outputs.directories])
        self._names = names
        self.any = bool(self._checkpoints or self._temps)

    def checkpoint(self, path: str) -> int:
        """The edge whose checkpoint a path is, or lies in; -1 for none."""
        if self._checkpoints:
            for place in (path, *parents(path)):
                if place in self._checkpoints:
                    return self._checkpoints[place]
        return -1

    def without(self, paths: Iterable[str]) -> list[str]:
        """Paths that are no checkpoints: no glob matches these."""
        return [path for path in paths if self.checkpoint(path) < 0]

    def check(self, path: str, stage: Stage) -> None:
        """See that a stage can have what stands at a path as an input.

        Raises:
            GraphError: It is a checkpoint, or a part of a directory that is removed.
        """
        maker = self.checkpoint(path)
        if maker >= 0:
            raise self._error(f"input `{show(path)}` is a checkpoint of stage `{show(self._names[maker])}`, which nobody else reads", stage, _OWN)
        if self._folders:
            for folder in parents(path):
                if folder in self._folders:
                    text = f"input `{show(path)}` lies in `{show(folder)}/`, a temporary output of stage `{show(self._names[self._temps[folder]])}`"
                    raise self._error(text, stage, f"a temporary directory is read whole: `{show(folder)}/`")

    def check_below(self, folder: str, stage: Stage) -> None:
        """See that nothing comes and goes in a directory of sources that is an input.

        Raises:
            GraphError: A checkpoint or a temporary output lies in it.
        """
        lead = "" if folder == "." else folder + "/"
        for what, places in (("a checkpoint", self._checkpoints), ("a temporary output", self._temps)):
            for path, maker in places.items():
                if path.startswith(lead):
                    whose = f"{what} of stage `{show(self._names[maker])}`"
                    text = f"`{show(path)}`, {whose}, lies in `{show(folder)}/`, an input of stage `{show(stage.name)}`"
                    raise self._error(text, stage, "it comes and goes: make it in another folder")

    @staticmethod
    def _error(text: str, stage: Stage, hint: str) -> GraphError:
        return GraphError(text, (Place(stage.file, ("stage", stage.name, "inputs"), f"`{show(stage.name)}`"),), hint)


_OWN = "what others need is an output of its own"
