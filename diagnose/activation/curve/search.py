"""Where to look, and how to look closer.

A first look has points close enough that anything 1e-3 wide in the working range and well beyond it holds four of them;
whatever it shows is then closed in on by cutting brackets into pieces, all brackets in one call. No place that is
reported was read off the first look.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

#: Half-width of the dense first look, and its step: 2**-12 is 0.00024.
DENSE = 8.0
STEP = 2.0**-12
#: Half-width of the second, coarser look, and its step.
WIDE = 128.0
WIDE_STEP = 2.0**-7
#: Pieces that a bracket is cut into at once.
PIECES = 64


def dense() -> np.ndarray:
    """The first look: |z| <= 8, 65,537 points with 0 in the middle."""
    half = int(DENSE / STEP)
    return np.arange(-half, half + 1) * STEP


def wide() -> tuple[np.ndarray, np.ndarray]:
    """The coarser look on both sides of the first, from 8 to 128, each ascending; its ends are shared."""
    steps = np.arange(int(DENSE / WIDE_STEP), int(WIDE / WIDE_STEP) + 1) * WIDE_STEP
    return -steps[::-1], steps


def far(largest: float) -> np.ndarray:
    """Magnitudes from 128 to the largest number of a dtype, eight an octave."""
    octaves = np.arange(math.log2(WIDE), math.log2(largest), 0.125)
    return np.append(2.0**octaves, largest)


def near(smallest: float) -> np.ndarray:
    """Magnitudes from the step of the first look down to the smallest number of a dtype, two an octave."""
    return 2.0 ** np.arange(math.log2(smallest), math.log2(STEP), 0.5)


def cut(lows: np.ndarray, highs: np.ndarray, pieces: int = PIECES) -> np.ndarray:
    """The brackets cut into pieces: (brackets, pieces + 1), ends exact."""
    share = np.linspace(0.0, 1.0, pieces + 1)
    points = lows[:, None] * (1.0 - share) + highs[:, None] * share
    points[:, -1] = highs
    return points


def close_in(
    lows: np.ndarray,
    highs: np.ndarray,
    choose: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]],
    rounds: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Cut each bracket `rounds` times. `choose` gets the points (brackets, pieces + 1) and gives for each bracket the
    indices of the ends of the next one."""
    lows, highs = np.asarray(lows, float), np.asarray(highs, float)
    row = np.arange(len(lows))
    for _ in range(rounds if len(lows) else 0):
        points = cut(lows, highs)
        first, last = choose(points)
        lows, highs = points[row, first], points[row, last]
    return lows, highs


def crossings(
    lows: np.ndarray, highs: np.ndarray, holds: Callable[[np.ndarray], np.ndarray], rounds: int = 3
) -> np.ndarray:
    """Where a condition changes between each low and high: it holds at one end of each bracket, and not at the
    other."""

    def choose(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        states = holds(points.ravel()).reshape(points.shape)
        last = np.argmax(states != states[:, :1], axis=1)
        last = np.where(last == 0, points.shape[1] - 1, last)
        return last - 1, last

    lows, highs = close_in(lows, highs, choose, rounds)
    return (lows + highs) / 2


def peaks(
    lows: np.ndarray, highs: np.ndarray, height: Callable[[np.ndarray], np.ndarray], rounds: int = 3
) -> np.ndarray:
    """Where `height` is largest in each bracket."""

    def choose(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        heights = height(points.ravel()).reshape(points.shape)
        top = np.argmax(np.where(np.isfinite(heights), heights, -np.inf), axis=1)
        return np.maximum(top - 1, 0), np.minimum(top + 1, points.shape[1] - 1)

    lows, highs = close_in(lows, highs, choose, rounds)
    return (lows + highs) / 2


def runs(mask: np.ndarray) -> list[tuple[int, int]]:
    """Stretches of True: index of the first, index of the last.

    >>> runs(np.array([True, False, True, True]))
    [(0, 0), (2, 3)]
    """
    edges = np.diff(np.concatenate([[0], mask.astype(np.int8), [0]]))
    return list(zip(np.flatnonzero(edges == 1).tolist(), (np.flatnonzero(edges == -1) - 1).tolist(), strict=True))


def mass(low: float, high: float) -> float:
    """Probability of low <= z <= high under N(0, 1).

    >>> round(mass(-1.0, 1.0), 3)
    0.683
    """
    return max(0.5 * (math.erf(high / math.sqrt(2)) - math.erf(low / math.sqrt(2))), 0.0)


def density(z: np.ndarray) -> np.ndarray:
    """Density of N(0, 1)."""
    return np.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)
