"""What follows from the slopes met at a site and from the curve of its function: which z are saturated, where f falls.

Whether a pre-activation is saturated depends on the largest slope that f has on its working range, so the curve over
that range is looked at beside the entries met.
"""

from __future__ import annotations

import numpy as np

from diagnose.callbacks.observing.reading import Curve

INNER = (-3.0, 3.0)  # always part of the working range: where 99.7 % of z lie at a sound initialization
TAIL = 0.001  # the working range leaves out this share of the z met at either end: single outliers are not the range
FLAT = 0.01  # of the largest slope; arithmetic: seven such layers leave 1e-14 of a gradient
PASSES = 0.1  # a guess: what passes a tenth of a gradient is not flat, however steep the function is elsewhere
FULL = 0.5  # of the largest slope: where one side of f has it, the other side's flatness is one-sided (ReLU, ELU)


def range_met(z: np.ndarray) -> tuple[float, float] | None:
    """The ends of nearly all z met: `TAIL` and 1 - `TAIL` of them lie below. None without a finite one."""
    finite = z[np.isfinite(z)]
    if not finite.size:
        return None
    low, high = np.quantile(finite, [TAIL, 1 - TAIL])
    return float(low), float(high)


def working_range(met: tuple[float, float] | None) -> tuple[float, float]:
    """The range in which f's largest slope is sought: the range met, and [-3, 3].

    >>> working_range((-1.0, 5.0))
    (-3.0, 5.0)
    """
    return INNER if met is None else (min(met[0], INNER[0]), max(met[1], INNER[1]))


def saturated_share(slopes: np.ndarray, z: np.ndarray, curve: Curve) -> float:
    """Share of the entries that lie where f is flat, one-sided flatness aside; in [0, 1], NaN without an entry.

    Flat is a slope under 1 % of the largest; of a function that flattens towards neither end, it is also under 0.1.

    slopes, z: f'(z) and z at the entries met, (n,). A flat tail counts only if the other end of the curve is not at
    full slope: a ReLU's dark half is the business of dead units.

    >>> z = np.linspace(-4, 4, 801)
    >>> relu = Curve(z, np.maximum(z, 0), (z > 0) * 1.0)
    >>> saturated_share((z > 0) * 1.0, z, relu)
    0.0

    A function that grows ever faster is flat nowhere for that:

    >>> saturated_share(1 + 3 * z**2, z, Curve(z, z + z**3, 1 + 3 * z**2))
    0.0
    """
    finite = np.isfinite(slopes) & np.isfinite(z)
    if not finite.any():
        return float("nan")
    size, grid = np.abs(slopes[finite]), np.abs(np.where(np.isfinite(curve.slope), curve.slope, 0))
    largest = max(float(size.max()), float(grid.max()))
    if largest == 0:
        return 1.0
    relative = grid / largest
    grows = min(relative[0], relative[-1]) >= FLAT
    flat = size < (min(FLAT * largest, PASSES) if grows else FLAT * largest)
    tail = _one_sided_tail(curve, relative)
    if tail is not None:
        flat &= ~((z[finite] >= tail[0]) & (z[finite] <= tail[1]))
    return float(flat.mean())


def _one_sided_tail(curve: Curve, relative: np.ndarray) -> tuple[float, float] | None:
    """The flat stretch at one end of the curve whose other end has full slope; None where there is none."""
    known = np.isfinite(curve.slope)  # where it overflows there is no end to go by
    curve, relative = Curve(curve.z[known], curve.f[known], curve.slope[known]), relative[known]
    if not known.any():
        return None
    flat = relative < FLAT
    if flat[0] and relative[-1] >= FULL:
        end = int(np.argmax(~flat))
        return -np.inf, float(curve.z[end])
    if flat[-1] and relative[0] >= FULL:
        start = len(flat) - 1 - int(np.argmax(~flat[::-1]))
        return float(curve.z[start]), np.inf
    return None


def falling_share(slopes: np.ndarray) -> float:
    """Share of the absolute slope, summed over the entries met, that is negative; 0 where all slopes are 0.

    >>> falling_share(np.array([1.0, -1.0, 2.0, 0.0]))
    0.25
    """
    finite = slopes[np.isfinite(slopes)].astype(np.float64)
    total = float(np.abs(finite).sum())
    return float(-finite[finite < 0].sum() / total) if total else 0.0


def folds(curve: Curve, met: tuple[float, float] | None) -> int:
    """Turning points of f in the range met: changes of sign of its slope.

    >>> z = np.linspace(-3, 3, 101)
    >>> folds(Curve(z, z**2, 2 * z), (-2.0, 2.0))
    1
    """
    if met is None:
        return 0
    slopes = curve.slope[(curve.z >= met[0]) & (curve.z <= met[1])]
    signs = np.sign(slopes[np.isfinite(slopes)])
    signs = signs[signs != 0]
    return int((signs[1:] != signs[:-1]).sum())
