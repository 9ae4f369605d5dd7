"""Whether two outputs of a function are the same but for rounding."""

from __future__ import annotations

import numpy as np

#: Two outputs are the same if they differ by less than this share of their size (float32 rounding, other summation
#: orders).
SAME = 1e-5


def difference(one: np.ndarray, other: np.ndarray) -> float:
    """Largest difference over the largest size; infinite for other shapes."""
    if one.shape != other.shape:
        return float("inf")
    one, other = one.astype(float), other.astype(float)
    both = np.isfinite(one) & np.isfinite(other)
    if not np.array_equal(np.isfinite(one), np.isfinite(other)):
        return float("inf")
    size = float(np.max(np.abs(one[both]), initial=0.0))
    return float(np.max(np.abs(one[both] - other[both]), initial=0.0)) / max(size, 1e-300)


def same(one: np.ndarray, other: np.ndarray) -> bool:
    """The two are equal but for rounding."""
    if one.dtype.itemsize == 2:  # a 16-bit number has 3 digits
        return difference(one, other) <= 1e-2
    return difference(one, other) <= SAME
