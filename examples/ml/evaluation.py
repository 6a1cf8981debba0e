"""How good a model is, and what it takes for what."""

from __future__ import annotations

import json
from os import PathLike
from typing import Any

import numpy as np

import network
from data import load

Path = PathLike[str]


def baseline(train: Path, test: Path) -> float:
    """The share that is right when each picture is taken for the digit whose mean picture is nearest."""
    images, labels = load(train)
    means = np.stack([images[labels == digit].mean(axis=0) for digit in range(10)])
    unseen, truth = load(test)
    distances = ((unseen[:, None, :] - means) ** 2).sum(axis=2)
    return share_right(truth, distances.argmin(axis=1))


def evaluate(model: Path, digits: Path, metrics: Path) -> dict[str, Any]:
    """Write the metrics as JSON; returns accuracy, confusion (a row a true digit, a column a guess) and the mistakes with their pictures."""
    images, truth = load(digits)
    chances = network.guess(network.load(model), images)
    guess = chances.argmax(axis=1)
    confusion = np.zeros((10, 10), dtype=int)
    np.add.at(confusion, (truth, guess), 1)
    found = {
        "accuracy": share_right(truth, guess),
        "recall": [round(float(confusion[digit, digit] / confusion[digit].sum()), 4) for digit in range(10)],
        "precision": [round(float(confusion[digit, digit] / max(1, confusion[:, digit].sum())), 4) for digit in range(10)],
    }
    with open(metrics, "w") as file:
        json.dump(found, file, indent=1)
    mistakes = [
        {"truth": int(truth[each]), "guess": int(guess[each]), "sure": round(float(chances[each].max()), 3), "pixels": images[each].tolist()}
        for each in np.flatnonzero(truth != guess)
    ]
    return {"accuracy": found["accuracy"], "confusion": confusion.tolist(), "mistakes": mistakes}


def share_right(truth: np.ndarray, guess: np.ndarray) -> float:
    return round(float((truth == guess).mean()), 4)
