"""What the inputs of held samples tell by themselves: which are row numbers, and how little they vary.

Inputs come by name, one array (samples, ...) a batch, as a held set gives them.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

Inputs = Mapping[str, Sequence[np.ndarray]]

AT_ONCE = 1 << 20  # entries: 8 MB


def row_numbers(inputs: Inputs) -> set[str]:
    """Inputs of one integer a sample: they name the rows of a table, and have no size."""
    return {
        name
        for name, (batch, *_) in inputs.items()
        if np.issubdtype(batch.dtype, np.integer) and math.prod(batch.shape[1:]) == 1
    }


def sameness(inputs: Inputs) -> dict[str, tuple[float, float]]:
    """How little the inputs vary, by input: two shares, each in [0, 1].

    First of the features (last axis) that are the same in all samples, then of the samples that are the commonest one.

    >>> sameness({"": [np.array([[0, 1], [0, 2]]), np.array([[0, 1], [0, 3]])]})
    {'': (0.5, 0.5)}
    """
    found = {}
    for name, batches in inputs.items():
        rows = [batch.reshape(-1, batch.shape[-1] if batch.ndim > 1 else 1) for batch in batches]
        least = np.min([row.min(axis=0) for row in rows], axis=0)
        most = np.max([row.max(axis=0) for row in rows], axis=0)
        samples = Counter(sample.tobytes() for batch in batches for sample in batch)
        found[name] = float(np.mean(least == most)), max(samples.values()) / sum(samples.values())
    return found


def mean_and_std(batches: Sequence[np.ndarray]) -> tuple[float, float]:
    """Mean and standard deviation of all entries, in double precision, without a copy of them all.

    >>> mean_and_std([np.array([1, 2]), np.array([6])])
    (3.0, 2.160246899469287)
    """
    count = sum(batch.size for batch in batches)
    mean = sum(float(part.sum()) for part in _parts(batches)) / count
    squares = sum(float(np.square(part - mean).sum()) for part in _parts(batches))
    return mean, math.sqrt(squares / count)


def _parts(batches: Sequence[np.ndarray]) -> Iterator[np.ndarray]:
    """All entries in double precision, `AT_ONCE` at a time."""
    for batch in batches:
        flat = batch.reshape(-1)
        for start in range(0, flat.size, AT_ONCE):
            yield flat[start : start + AT_ONCE].astype(np.float64)
