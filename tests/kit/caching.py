"""Stories with a cache: what was made once is restored, whatever happens to the cache."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from kit.model import OPTIONAL, Spec
from kit.outcome import BuildOutcome
from kit.project import Project
from kit.story import Story, stages
from pipefile.base.disk import OsDisk
from pipefile.store.upkeep import Upkeep

CACHE = "pipeline_outputs/cache"


class CachedStory(Story):
    """A story in which earlier results are restored, everything is put back now and then, and the cache is cleared out and damaged.

    Args:
        damage: The cache loses results, and files of it are spoilt, so that what is restored is not certain.
    """

    def __init__(self, project: Project, seed: int, calm: bool = False, damage: bool = True) -> None:
        project.caching = True
        self.damage = damage
        self.past: list[tuple[dict[str, bytes], dict[str, Spec], str, str, bytes | None]] = []
        self.made: set[str] = set()  # signatures of what was built since the cache has lost something for the last time
        super().__init__(project, seed, calm, classes=False)

    def edits(self) -> list[Callable[[], str]]:
        edits = [*super().edits(), *[self.go_back] * 12]
        return edits + [self.trim, self.trim_a_little, self.spoil, self.spoil, self.remove_cache] if self.damage else edits

    # --- edits

    def go_back(self) -> str:
        """Everything is as it was before some earlier build, as by a switch to another branch."""
        if not self.past or self.hooked:
            return self.edit_source()
        at = self.chance.randrange(len(self.past))
        model = self.model
        sources, stages, model.mark, model.level, model.optional = self.past[at]
        for path in set(model.sources) - set(sources):
            self.project.remove(path)
        model.sources = dict(sources)
        for path, data in sources.items():
            if not self.project.exists(path) or self.project.read_bytes(path) != data:
                self.project.write(path, data)
        # a shaky stage has to run again: what it makes depends on more than is said
        model.stages = {name: replace(spec, salt=model.fresh_salt()) if spec.kind == "shaky" else spec for name, spec in stages.items()}
        model.write_pipefile(self.project)
        model.write_steps(self.project)
        self.project.environ.pop("LEVEL", None)
        if model.level:
            self.project.environ["LEVEL"] = model.level
        if model.optional is not None:
            self.project.write(OPTIONAL, model.optional)
        elif self.project.exists(OPTIONAL):
            self.project.remove(OPTIONAL)
        return f"went back to what it was before build {at}"

    def _upkeep(self) -> Upkeep:
        return Upkeep(OsDisk(self.project.root), "pipeline_outputs")

    def trim(self) -> str:
        limit = self.chance.randint(0, 20) * 4096
        self._upkeep().trim(limit)
        self.made.clear()
        return f"trimmed the cache to {limit} bytes"

    def trim_a_little(self) -> str:
        self._upkeep().trim(self._upkeep().stats().size)
        return "looked for what nobody needs in the cache"

    def spoil(self) -> str:
        """Some bytes of some files of the cache are others."""
        files = [path for path in self.project.tree() if path.startswith(CACHE + "/") and os.path.isfile(self.project.path(path))]
        for path in self.chance.sample(files, min(len(files), self.chance.randint(1, 6))):
            data = bytearray(self.project.read_bytes(path))
            for _ in range(self.chance.randint(1, 3) if data else 0):
                data[self.chance.randrange(len(data))] ^= 1 << self.chance.randrange(8)
            if self.chance.random() < 0.3:
                del data[self.chance.randrange(len(data) + 1) :]
            self.project.remove(path)
            self.project.write(path, bytes(data))
        self.made.clear()
        return f"spoilt files of the cache, among {len(files)}"

    def remove_cache(self) -> str:
        if self.project.exists(CACHE):
            self.project.remove(CACHE)
        self.made.clear()
        return "removed the cache"

    # --- builds

    def build(self, jobs: int, target: str = "", **options: Any) -> list[str]:
        before = (dict(self.model.sources), dict(self.model.stages), self.model.mark, self.model.level, self.model.optional)
        certain = not (self.disturbed or self.hooked)
        self._certain = certain
        ran = super().build(jobs, target, **options)
        if certain:
            self.past.append(before)
        return ran

    def judge(self, outcome: BuildOutcome) -> None:
        """What has run had never run before with all that it depends on."""
        signatures = {name: repr(signature) for name, signature in self.model.signatures().items()}
        again = {name for name in stages(outcome.ran) if signatures[name] in self.made}
        assert not again or not self._certain, f"{again} ran once more\n{self.story()}"
        self.made.update(signatures[name] for name in stages([*outcome.ran, *outcome.restored]))
