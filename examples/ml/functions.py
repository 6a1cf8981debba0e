"""What every network needs."""

from __future__ import annotations

import numpy as np


def rectify(values: np.ndarray) -> np.ndarray:
    """Negative values become 0."""
    return np.maximum(values, 0)


def softmax(values: np.ndarray) -> np.ndarray:
    """Any numbers to probabilities, a row each."""
    grown = np.exp(values - values.max(axis=1, keepdims=True))  # without the largest value taken off, exp would overflow
    return grown / grown.sum(axis=1, keepdims=True)


def one_hot(labels: np.ndarray, classes: int) -> np.ndarray:
    """A row a label, 1 in its column."""
    return np.eye(classes)[labels]


def percent(share: float) -> str:
    """For people: 0.9712 is "97.1 %"."""
    return f"{100 * share:.1f} %"
