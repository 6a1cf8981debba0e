"""A project with a stage that runs once for each file that another stage makes, and one that needs all of them."""

from __future__ import annotations

from kit.project import Project

SPLIT = 'mkdir -p {pages}; for word in $(cat {doc}); do echo "$word" > {pages}/$word.txt; done'

STEPS = """
def split(doc):
    with open(doc) as file:
        return {"parts": file.read().split()}
"""


def with_pages(project: Project, words: str = "a b c") -> Project:
    """`split` writes a page for each word of `doc.txt`, `up` makes something of each page, `book` of all of these."""
    project.write("doc.txt", words)
    project.stage("split", {"doc": "doc.txt"}, {"pages": "build/pages/"}, SPLIT)
    project.stage("up", {"src": "{page}"}, {"dst": "build/up/{page.stem}.up"}, "tr a-z A-Z < {src} > {dst}", for_each={"page": "build/pages/*.txt"})
    project.stage("book", {"all": "up.outputs"}, "book.txt", "cat /dev/null {all} > {outputs}")
    return project


def with_parts(project: Project, words: str = "a b c") -> Project:
    """`split` returns the words of `doc.txt`, `up` writes a file for each, `book` takes all of these."""
    project.write("doc.txt", words)
    project.write("steps.py", STEPS)
    project.stage("split", {"doc": "doc.txt"}, {"parts": "value:json"}, call="steps:split")
    project.stage("up", None, {"dst": "build/up/{part}.up"}, "echo {part} > {dst}", for_each={"part": "split.parts"})
    project.stage("book", {"all": "up.outputs"}, "book.txt", "cat /dev/null {all} > {outputs}")
    return project


def ups(*names: str) -> list[str]:
    """The names of the instances for some of the pages."""
    return [f"up@build/pages/{name}.txt" for name in names]
