"""Training: gradient descent with momentum."""

from __future__ import annotations

from os import PathLike

import numpy as np

import network
from data import load

Path = PathLike[str]
MOMENTUM = 0.8


def train(digits: Path, model: Path, learning_rate: float, epochs: int, hidden: int, batch: int, seed: int) -> list[float]:
    """Write the trained weights; returns the loss after each epoch. The same seed gives the same weights."""
    images, labels = load(digits)
    chance = np.random.default_rng(seed)
    weights = network.fresh(chance, images.shape[1], hidden, 10)
    speed = {name: np.zeros_like(values) for name, values in weights.items()}
    curve = []
    for epoch in range(1, epochs + 1):
        losses = []
        order = chance.permutation(len(labels))
        for start in range(0, len(order), batch):
            some = order[start : start + batch]
            loss, slopes = network.slopes(weights, images[some], labels[some])
            losses.append(loss)
            for name, slope in slopes.items():
                speed[name] = MOMENTUM * speed[name] - learning_rate * slope
                weights[name] += speed[name]
        curve.append(round(float(np.mean(losses)), 5))
        if epoch % 5 == 0:
            print(f"epoch {epoch}: loss {curve[-1]}")
    network.save(model, weights)
    return curve
