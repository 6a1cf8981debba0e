"""The projects that are measured: N independent stages, a hundred files a folder, the same work for every tool."""

from __future__ import annotations

import os
from dataclasses import dataclass

FOLDER = 100  # files
SOURCES, OUTPUTS = "src", "out"


@dataclass(frozen=True)
class Shape:
    """N stages, each a copy of one file.

    Args:
        stages: How many.
        shell: Whether the command needs a shell (`cat a > b`) or none (`cp a b`).
    """

    stages: int
    shell: bool

    @property
    def name(self) -> str:
        return "shell" if self.shell else "direct"

    def sources(self) -> list[str]:
        return [f"{SOURCES}/{number // FOLDER:04d}/{number:06d}.txt" for number in range(self.stages)]

    def outputs(self) -> list[str]:
        return [f"{OUTPUTS}/{number // FOLDER:04d}/{number:06d}.txt" for number in range(self.stages)]

    def command(self, source: str, output: str) -> str:
        return f"cat {source} > {output}" if self.shell else f"cp {source} {output}"

    def write_sources(self, root: str) -> None:
        """Sources, and the folders of outputs: make would not make them."""
        for number, (source, output) in enumerate(zip(self.sources(), self.outputs(), strict=True)):
            if number % FOLDER == 0:
                os.makedirs(os.path.join(root, os.path.dirname(source)))
                os.makedirs(os.path.join(root, os.path.dirname(output)))
            with open(os.path.join(root, source), "w") as file:
                file.write(f"source {number}\n")
