"""Where the pictures come from, and how they are divided."""

from __future__ import annotations

from os import PathLike

import numpy as np

Path = PathLike[str]


def digits(digits: Path) -> None:
    """Write the pictures that scikit-learn ships (values 0 to 16, 64 a picture) and what they show."""
    from sklearn.datasets import load_digits  # takes a while: only where it is needed

    found = load_digits()
    save(digits, found.data.astype(np.uint8), found.target.astype(np.uint8))


def split(digits: Path, train: Path, test: Path, test_share: float, seed: int) -> dict[str, int]:
    """Divide at random, each digit for itself, so that none is rare in the test by chance."""
    images, labels = load(digits)
    chance = np.random.default_rng(seed)
    taken = np.zeros(len(labels), dtype=bool)
    for digit in range(10):
        places = chance.permutation(np.flatnonzero(labels == digit))
        taken[places[: round(test_share * len(places))]] = True
    save(train, images[~taken], labels[~taken])
    save(test, images[taken], labels[taken])
    return {"train": int((~taken).sum()), "test": int(taken.sum())}


def load(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Pictures, a row each, and what they show."""
    with np.load(path) as file:
        return file["images"], file["labels"]


def save(path: Path, images: np.ndarray, labels: np.ndarray) -> None:
    with open(path, "wb") as file:  # given a name, numpy would add .npz to it
        np.savez_compressed(file, images=images, labels=labels)
