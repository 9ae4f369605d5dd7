"""What the arrays of one batch tell by themselves: entries that are not finite, and which batch it is."""

from __future__ import annotations

import zlib
from collections.abc import Iterable

import numpy as np

FINGERPRINT = 16384  # entries of a batch that are hashed: two different batches rarely agree in so many


def nonfinite_count(values: np.ndarray) -> int:
    """How many entries are NaN or infinite; 0 for what holds no floating-point numbers.

    >>> nonfinite_count(np.array([1.0, np.nan, np.inf])), nonfinite_count(np.array(["a"]))
    (2, 0)
    """
    return int(np.count_nonzero(~np.isfinite(values))) if values.dtype.kind == "f" else 0


def nonfinite_data(arrays: Iterable[tuple[str, str, np.ndarray]]) -> list[tuple[str, str, int]]:
    """Quantity, place and number of the non-finite entries of each array of a batch.

    arrays: what it is ("input", "sample_weight" or "target"), its place, and its values.
    """
    return [(f"{kind}.nonfinite", place, nonfinite_count(values)) for kind, place, values in arrays]


def fingerprint(inputs: Iterable[np.ndarray]) -> float:
    """A number that tells batches apart: CRC-32 of evenly spaced entries of their inputs, 0 to 2**32."""
    code = 0
    for leaf in inputs:
        values = leaf.reshape(-1)
        spaced = values[:: max(1, values.size // FINGERPRINT)]
        code = zlib.crc32("\0".join(map(repr, spaced)).encode() if spaced.dtype == object else spaced.tobytes(), code)
    return float(code)
