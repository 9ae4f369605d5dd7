"""What is read of small arrays, by NumPy: many of one shape at once.

A backend's own graph takes milliseconds for each operation that it is built of, which a small model never earns back.
What is large is reduced where it lies (`tensorflow.reductions`), to the same numbers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

#: Entries of z kept a site: a share of 1 % is then told with a standard error of 0.2 %.
SAMPLE = 2048
#: Numbers that tell an array's distribution, of its finite entries but for the first, and those that tell its size.
DISTRIBUTION = ("nonfinite", "mean", "std", "min", "max")
SIZE = ("rms", "nonfinite")


class SiteArrays(NamedTuple):
    """What goes through a site: activations, pre-activations and slopes, of one shape; the axis of the units."""

    a: np.ndarray
    z: np.ndarray | None
    slope: np.ndarray | None
    unit_axis: int


class SiteNumbers(NamedTuple):
    """What is read of a site.

    numbers: `DISTRIBUTION` of a, its spread, `DISTRIBUTION` of z, without what there is none of.
    a, z, slope: samples of the same entries. constant, alive: by unit, whether a is the same for all samples, and
    whether the slope is not 0 for any.
    """

    numbers: list[float]
    a: np.ndarray
    z: np.ndarray | None
    slope: np.ndarray | None
    constant: np.ndarray
    alive: np.ndarray | None


@np.errstate(all="ignore")
def sizes(entries: np.ndarray, lengths: Sequence[int]) -> np.ndarray:
    """`SIZE` of arrays whose entries lie one behind the other, (arrays, 2). lengths: of each, 1 or more.

    >>> sizes(np.array([3.0, 4.0, np.nan, 2.0]), [2, 2])
    array([[3.53553391, 0.        ],
           [2.        , 1.        ]])
    """
    if not len(lengths):
        return np.empty((0, 2))
    starts = np.cumsum([0, *lengths[:-1]])
    finite = np.isfinite(entries)
    # In float64, in which no square of a float32 vanishes or overflows.
    squares = np.where(finite, entries, 0.0).astype(np.float64) ** 2
    known = np.add.reduceat(finite.astype(np.int64), starts)
    rms = np.sqrt(np.add.reduceat(squares, starts) / np.maximum(known, 1))
    return np.stack([rms, np.asarray(lengths) - known], axis=1)


@np.errstate(all="ignore")  # a broken training warns of itself
def sites(given: Sequence[SiteArrays]) -> list[SiteNumbers]:
    """What is read of each site; those of one shape are read together."""
    alike: dict[tuple[object, ...], list[int]] = {}
    for index, site in enumerate(given):
        alike.setdefault((site.a.shape, site.unit_axis, site.z is None, site.slope is None), []).append(index)
    found: dict[int, SiteNumbers] = {}
    for indices in alike.values():
        found |= zip(indices, _of_one_shape([given[index] for index in indices]), strict=True)
    return [found[index] for index in range(len(given))]


def _of_one_shape(given: Sequence[SiteArrays]) -> list[SiteNumbers]:
    a = np.stack([site.a for site in given])
    z = None if given[0].z is None else np.stack([site.z for site in given if site.z is not None])
    slope = None if given[0].slope is None else np.stack([site.slope for site in given if site.slope is not None])
    units = range(1, a.ndim)[given[0].unit_axis % (a.ndim - 1)]
    others = tuple(axis for axis in range(1, a.ndim) if axis != units)
    numbers = [distributions(a), _spreads(a)[:, None]] + ([] if z is None else [distributions(z)])
    constant = a.max(axis=others, initial=-np.inf) == a.min(axis=others, initial=np.inf)
    alive = None if slope is None else (slope != 0).any(axis=others)
    positions = sample_positions(given[0].a.shape)
    samples = [None if t is None else t.reshape(len(given), -1)[:, positions] for t in (a, z, slope)]
    rows = zip(
        np.concatenate(numbers, axis=1).tolist(),
        *([None] * len(given) if t is None else t for t in (*samples, constant, alive)),
        strict=True,
    )
    return [SiteNumbers(*row) for row in rows]


@np.errstate(all="ignore")
def distributions(t: np.ndarray) -> np.ndarray:
    """`DISTRIBUTION` of each of some arrays of one shape, stacked; (arrays, 5)."""
    entries = t.reshape(len(t), -1)
    finite = np.isfinite(entries)
    known = finite.sum(axis=1)
    count = np.maximum(known, 1)[:, None]
    mean = np.where(finite, entries, 0).sum(axis=1, dtype=np.float64)[:, None] / count
    squares = np.where(finite, entries - mean, 0.0) ** 2
    std = np.sqrt(squares.sum(axis=1)[:, None] / count)
    least = np.where(finite, entries, np.inf).min(axis=1, initial=np.inf)
    most = np.where(finite, entries, -np.inf).max(axis=1, initial=-np.inf)
    return np.stack([entries.shape[1] - known, mean[:, 0], std[:, 0], least, most], axis=1)


def _spreads(a: np.ndarray) -> np.ndarray:
    """How far the samples of each array differ: standard deviation over the samples over root mean square."""
    rows = a.reshape(len(a), a.shape[1], -1).astype(np.float64)
    deviation = rows - rows.mean(axis=1, keepdims=True)
    size = np.sqrt(np.square(rows).mean(axis=(1, 2)))
    return np.sqrt(np.square(deviation).mean(axis=(1, 2))) / np.where(size == 0, np.inf, size)


def sample_positions(shape: Sequence[int]) -> np.ndarray:
    """Which entries of the flat form of a site's arrays are kept: whole samples, or if these are long, all units alike.

    >>> sample_positions((4, 3))
    array([ 0,  1,  2,  3,  4,  5,  6,  7,  8,  9, 10, 11])
    """
    size, features = math.prod(shape), math.prod(shape[1:])
    if features > SAMPLE:
        stride = max(1, size // SAMPLE)
        while math.gcd(stride, shape[-1]) > 1:
            stride += 1
        return np.arange(0, size, stride)
    rows = max(1, SAMPLE // features)
    first = np.arange(0, shape[0], max(1, shape[0] // rows))[:rows]
    return (first[:, None] * features + np.arange(features)).reshape(-1)
