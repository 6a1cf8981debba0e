"""A project with a stage that runs once for each of some photos, and one that needs all that these make."""

from __future__ import annotations

from kit.project import Project

PHOTOS = {"photo": "photos/**/*.jpg"}


def with_photos(project: Project) -> Project:
    """Three photos, a thumbnail of each, and a page with all of them."""
    for name in ("a", "b", "sub/c"):
        project.write(f"photos/{name}.jpg", f"{name}\n")
    project.stage("thumbs", {"src": "{photo}"}, {"dst": "build/{photo.stem}.png"}, "cp {src} {dst}", for_each=PHOTOS)
    project.stage("page", {"all": "thumbs.outputs"}, "page.txt", "cat {all} > {outputs}")
    return project


def thumbs(*names: str) -> list[str]:
    """The names of the instances for some of the photos."""
    return [f"thumbs@photos/{name}.jpg" for name in names]
