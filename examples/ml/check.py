"""What has to be true of the results."""

from __future__ import annotations

import json
import os
import sys
from xml.etree import ElementTree

SVG = "{http://www.w3.org/2000/svg}"


def main() -> None:
    with open("build/metrics.json") as file:
        metrics = json.load(file)
    accuracy, baseline, confusion = value("evaluate", "accuracy"), value("baseline", "accuracy"), value("evaluate", "confusion")
    right, tested = sum(confusion[digit][digit] for digit in range(10)), sum(map(sum, confusion))
    assert value("split", "sizes") == {"train": 1797 - tested, "test": tested}, tested
    assert metrics["accuracy"] == accuracy == round(right / tested, 4), (metrics["accuracy"], accuracy, right, tested)
    assert 0.85 < baseline < 0.95 < accuracy, (baseline, accuracy)
    curve = value("train", "curve")
    assert curve[-1] < 0.1 * curve[0], curve
    mistakes = pictures("mistakes").findall(f"{SVG}rect")
    assert len(mistakes) == 1 + 64 * (tested - right), (len(mistakes), tested - right)
    assert len(pictures("confusion").findall(f"{SVG}rect")) == 1 + 100
    assert len(pictures("curve").find(f"{SVG}polyline").attrib["points"].split()) == len(curve)
    with open("build/report.md", encoding="utf-8") as file:
        assert f"| network | {100 * accuracy:.1f} % |" in file.read()
    print(f"ml: {right} of {tested} digits right, {accuracy:.2%}; the nearest mean picture gets {baseline:.2%}")


def diff() -> None:
    """What `runs diff --json` has to say of two learning rates."""
    stages = {stage["name"]: stage for stage in json.load(sys.stdin)["stages"]}
    assert stages["train"]["params"]["learning_rate"] == {"a": 0.2, "b": 0.1, "difference": -0.1}, stages["train"]["params"]
    with open("build/metrics.json") as file:
        accuracy = json.load(file)["accuracy"]
    changed = stages["evaluate"]["metrics"]["build/metrics.json"]["accuracy"]
    assert changed["b"] == accuracy == stages["evaluate"]["values"]["accuracy"]["b"] != changed["a"], changed
    assert stages["split"]["same"], stages["split"]
    print(f"ml: runs diff: learning rate 0.2 -> 0.1, accuracy {changed['a']} -> {changed['b']}")


def pictures(name: str) -> ElementTree.Element:
    return ElementTree.parse(os.path.join("build", f"{name}.svg")).getroot()


def value(stage: str, name: str) -> object:
    with open(f"pipeline_outputs/values/{stage}/{name}.json", encoding="utf-8") as file:
        return json.load(file)


if __name__ == "__main__":
    sys.exit(diff() if sys.argv[1:] == ["diff"] else main())
