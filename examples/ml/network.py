"""The network: 64 grey values, one hidden layer, ten digits."""

from __future__ import annotations

from os import PathLike

import numpy as np

from functions import one_hot, rectify, softmax

Weights = dict[str, np.ndarray]


def fresh(chance: np.random.Generator, inputs: int, hidden: int, outputs: int) -> Weights:
    """Random weights, of a size that keeps signals alive through the layers."""
    return {
        "into": chance.normal(0, (2 / inputs) ** 0.5, (inputs, hidden)),
        "into_bias": np.zeros(hidden),
        "out": chance.normal(0, (2 / hidden) ** 0.5, (hidden, outputs)),
        "out_bias": np.zeros(outputs),
    }


def guess(weights: Weights, images: np.ndarray) -> np.ndarray:
    """The probability of each digit, a row a picture."""
    return forward(weights, images)[1]


def forward(weights: Weights, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    hidden = rectify(scaled(images) @ weights["into"] + weights["into_bias"])
    return hidden, softmax(hidden @ weights["out"] + weights["out_bias"])


def slopes(weights: Weights, images: np.ndarray, labels: np.ndarray) -> tuple[float, Weights]:
    """The loss on some pictures, and how it changes with each weight."""
    hidden, chances = forward(weights, images)
    loss = -float(np.log(chances[np.arange(len(labels)), labels] + 1e-12).mean())
    back = (chances - one_hot(labels, 10)) / len(labels)
    behind = (back @ weights["out"].T) * (hidden > 0)
    return loss, {"into": scaled(images).T @ behind, "into_bias": behind.sum(axis=0), "out": hidden.T @ back, "out_bias": back.sum(axis=0)}


def scaled(images: np.ndarray) -> np.ndarray:
    return images / 16.0


def load(path: PathLike[str]) -> Weights:
    with np.load(path) as file:
        return dict(file)


def save(path: PathLike[str], weights: Weights) -> None:
    with open(path, "wb") as file:
        np.savez(file, **weights)
