"""A project with a rule for object files, and a program of some of them."""

from __future__ import annotations

from kit.project import Project

OBJECT = {"inputs": ["src/{name}.c"], "outputs": ["build/{name}.o"], "run": "cat {inputs} > {outputs}; echo {name} >> {outputs}"}

APPEND = "    with open(src) as file, open(dst, 'w') as out:\n        out.write(file.read() + name)\n"
"""The body of a function that copies its input and writes what a wildcard stands for."""


def with_objects(project: Project) -> Project:
    """Three sources, a rule for objects, and a program of two of them."""
    for name in "abc":
        project.write(f"src/{name}.c", f"{name}\n")
    project.stage("obj", **OBJECT)  # type: ignore[arg-type]
    project.stage("app", ["build/a.o", "build/b.o"], ["build/app"], "cat {inputs} > {outputs}")
    return project
