"""The test kit: a project in a folder of its own, builds in-process and by the real program, and what one needs to judge them."""

from kit.fifo import Gate
from kit.outcome import BuildOutcome, CliOutcome, ran
from kit.process import Running
from kit.project import Project
from kit.toml import toml
from kit.tree import contents, tree
from kit.watching import Watch

__all__ = ["BuildOutcome", "CliOutcome", "Gate", "Project", "Running", "Watch", "contents", "ran", "toml", "tree"]
