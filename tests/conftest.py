"""Fixtures for every test: `project` is an empty project of its own, with nothing left over from any other test."""

from __future__ import annotations

import compileall
import os
from collections.abc import Callable, Iterator

import pytest
from kit import Project

PACKAGE = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "pipefile")


def pytest_sessionstart(session: pytest.Session) -> None:
    """Compile pipefile's modules, as installing it does: programs that tests start write no bytecode, and would each compile all that they import."""
    if not hasattr(session.config, "workerinput"):
        compileall.compile_dir(PACKAGE, quiet=2)


@pytest.fixture
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """An empty project. What it started is ended with the test."""
    with Project(os.fspath(tmp_path_factory.mktemp("project"))) as made:
        yield made


@pytest.fixture
def new_project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Project]]:
    """Makes further projects, for tests that need more than one."""
    made: list[Project] = []

    def make() -> Project:
        made.append(Project(os.fspath(tmp_path_factory.mktemp("project"))))
        return made[-1]

    yield make
    for each in made:
        each.close()
