"""The Python stages: what the clip is, what is seen in it, the picture that stands for it, and the page that shows all of that.

The decorators say what comes from the Pipefile: `clip.video` is an output of a stage there, `global.least_path` its configuration. How the stages of
this file hang together is said once, in `workflow`.
"""

from __future__ import annotations

import http.client
import json
import os
import subprocess
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import urlsplit

import detector
from page import html
from picture import read_ppm, write_png
from pipefile import Context, FileRef, Stream, pipeline, stage


@stage(inputs={"video": "clip.video"}, outputs={"info": dict})
def analyze(video: FileRef) -> dict[str, Any]:
    """Duration, size and frame rate, as ffprobe reads them. The dict is a value: it is kept under pipeline_outputs/values/."""
    wanted = "stream=width,height,avg_frame_rate,duration"
    argv = ["ffprobe", "-v", "error", "-select_streams", "v:0", "-show_entries", wanted, "-of", "json", video.path]
    stream = json.loads(subprocess.run(argv, check=True, stdout=subprocess.PIPE).stdout)["streams"][0]
    frames, seconds = stream["avg_frame_rate"].split("/")
    return {"duration": float(stream["duration"]), "width": stream["width"], "height": stream["height"], "fps": int(frames) / int(seconds)}


@stage(inputs={"frames": "frames.folder"}, outputs={"seen": Stream})
def observe(frames: FileRef) -> Iterator[dict[str, Any]]:
    """What is seen in each frame. A stream: written line by line while it is produced, so a film of hours takes no more memory than this clip."""
    return detector.observe(frames)


@stage(inputs={"least": "global.least_path"}, outputs={"scenes": list, "moving": bool, "best": dict})
def judge(seen: Iterable[dict[str, Any]], least: float) -> dict[str, Any]:
    """The scenes, whether anything moves, and the frame that shows best what it is. `seen` is read lazily."""
    scenes = detector.scenes(seen)
    busiest = max(scenes, key=lambda scene: scene["path"])
    return {"scenes": scenes, "moving": busiest["path"] >= least, "best": busiest["middle"]}


@stage(inputs={"frames": "frames.folder"}, outputs={"picture": FileRef})
def keyframe(frames: FileRef, best: dict[str, Any]) -> FileRef:
    """The best frame, with a line around what was found. Which file that is, only this stage knows: it returns a reference to it."""
    picture = read_ppm(os.path.join(frames, best["frame"]))
    if best["box"]:
        left, top, width, height = best["box"]
        picture.frame(left - 4, top - 4, width + 8, height + 8, (255, 92, 77))
    path = f"build/keyframe-{best['frame']}"
    with open(path, "wb") as file:
        file.write(picture.ppm())
    return FileRef(path)


@stage(
    outputs={"poster": "build/poster.png"},
    external=True,
    timeout="30s",
    retry_policy={"max_attempts": 3, "backoff": "exponential", "delay": "200ms", "retry_on": [ConnectionError, TimeoutError]},
    fallback="plain_poster",
)
def preview(picture: FileRef, poster: FileRef, ctx: Context) -> None:
    """The poster that a service makes of the picture. It is outside, and not always there: so `external`, a timeout, retries, and a fallback.

    Where the service is does not change what it makes, so PREVIEW_SERVICE is read here and tracked nowhere.
    """
    place = urlsplit(os.environ.get("PREVIEW_SERVICE", "http://127.0.0.1:8931"))
    ctx.log.info(f"attempt {ctx.attempt}: asking {place.netloc}")
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=10)
    with open(picture, "rb") as file:
        connection.request("POST", "/poster", file.read())
    answer = connection.getresponse()
    body = answer.read()
    if answer.status == http.client.SERVICE_UNAVAILABLE:
        raise ConnectionError(f"the service says {answer.status} {answer.reason}")
    if answer.status != http.client.OK:
        raise RuntimeError(f"the service says {answer.status} {answer.reason}")
    with open(poster, "wb") as file:
        file.write(body)


def plain_poster(picture: FileRef, poster: FileRef) -> None:
    """What stands in when the service does not: the picture as it is. The build warns, and asks the service again next time."""
    write_png(read_ppm(picture), poster)


@stage(inputs={"video": "clip.video"}, outputs={"page": "build/report.html"})
def report(
    info: dict[str, Any], seen: Iterable[dict[str, Any]], scenes: list[dict[str, Any]], video: FileRef, poster: FileRef, page: FileRef
) -> None:
    """The page for people. Whether it is made at all is decided while the build runs: `workflow` wants it for a clip in which something moves."""
    beside = os.path.dirname(poster.path)
    with open(page, "w", encoding="utf-8") as file:
        file.write(html(info, seen, scenes, os.path.relpath(video, beside), os.path.relpath(poster, beside)))


@pipeline
def workflow(config: Any) -> Any:
    """From the clip to the page. Calls of stages give handles here, and run nothing: an output handed over is a dependency."""
    seen = observe()
    found = judge(seen)
    poster = preview(keyframe(best=found.best))
    return report(analyze(), seen, found.scenes, poster=poster, should_run=found.moving)


if __name__ == "__main__":
    result = workflow.run(jobs=2)  # what `pipefile workflow` does, as a library
    print(f"{result.status}: {len(result.ran)} stages ran")
