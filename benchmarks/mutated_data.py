"""What the operators of `mutation.py` do to training samples; the held-out ones are left as they are.

Each takes the data, a generator of random numbers and a strength, and gives data with the same kinds of arrays.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

import numpy as np
from trainings import Data

Spoil = Callable[[Data, np.random.Generator, float], Data]


def _classes(data: Data) -> int:
    return 2 if data.kind == "binary" else data.outputs


def wrong_labels(data: Data, rng: np.random.Generator, share: float) -> Data:
    """A share of the samples has a wrong label: another class, the other label, the number of another sample."""
    y, wrong = data.y.copy(), rng.random(len(data.y)) < share
    if data.kind == "classes":
        y[wrong] = (y[wrong] + rng.integers(1, data.outputs, wrong.sum())) % data.outputs
    elif data.kind == "regression":
        y[wrong] = rng.permutation(y[wrong])
    else:
        y[wrong] = 1 - y[wrong]
    return replace(data, y=y)


def renamed_classes(data: Data, rng: np.random.Generator, share: float) -> Data:
    """All samples of a share of the classes (at least one) are called by the next class."""
    y = data.y.copy()
    many = max(round(share * _classes(data)), 1)
    for number in range(0, 2 * many, 2):
        y[data.y == number] = (number + 1) % _classes(data)
    return replace(data, y=y)


def fewer(data: Data, rng: np.random.Generator, share: float) -> Data:
    """Only a share of the samples is left."""
    left = rng.permutation(len(data.x))[: max(round(share * len(data.x)), 2)]
    return replace(data, x=data.x[left], y=data.y[left])


def unbalanced(data: Data, rng: np.random.Generator, share: float) -> Data:
    """Of the first half of the classes only a share of the samples is left."""
    left = (data.y >= _classes(data) // 2) | (rng.random(len(data.y)) < share)
    return replace(data, x=data.x[left], y=data.y[left])


def noise(data: Data, rng: np.random.Generator, strength: float) -> Data:
    """Normal noise, so many deviations of the samples strong; of tokens, that share (at most all) drawn anew."""
    if data.x.dtype.kind in "iu":
        drawn = rng.integers(data.x.min(), data.x.max() + 1, data.x.shape)
        return replace(data, x=np.where(rng.random(data.x.shape) < strength, drawn, data.x))
    return replace(data, x=(data.x + strength * data.x.std() * rng.normal(size=data.x.shape)).astype(data.x.dtype))


def overlapping(data: Data, rng: np.random.Generator, share: float) -> Data:
    """A share of the samples comes a second time, called by the next class."""
    again = rng.permutation(len(data.x))[: round(share * len(data.x))]
    y = ((data.y[again] + 1) % _classes(data)).astype(data.y.dtype)
    return replace(data, x=np.concatenate([data.x, data.x[again]]), y=np.concatenate([data.y, y]))


SPOILS: dict[str, Spoil] = {
    spoil.__name__: spoil for spoil in (wrong_labels, renamed_classes, fewer, unbalanced, noise, overlapping)
}
