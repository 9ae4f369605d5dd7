"""The curve of each site's function over the pre-activations it met: f and f' on a grid, and what follows from them.

Whether a pre-activation is saturated depends on the largest slope that f has on its working range, so f is asked there,
on a grid of its own, beside the entries met. That is allowed where f is a function of z alone: its values at the z met
must be the a met. A function with parameters of its own (PReLU) is asked in the shape its layer has.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from diagnose.callbacks.observing.tensorflow.reversible import Reversible
from diagnose.callbacks.observing.tensorflow.taps import Tap

GRID = 513  # points: a flat or steep stretch of 1/100 of the range still holds five of them
INNER = (-3.0, 3.0)  # always part of the working range: where 99.7 % of z lie at a sound initialization
TAIL = 0.001  # the working range leaves out this share of the z met at either end: single outliers are not the range
FLAT = 0.01  # of the largest slope; arithmetic: seven such layers leave 1e-14 of a gradient
FULL = 0.5  # of the largest slope: where one side of f has it, the other side's flatness is one-sided (ReLU, ELU)
MIXES = 1e-3  # float32 leaves 1e-6 of an elementwise function's gradient unexplained, softmax about 1
MOST_ENTRIES = 1 << 19  # of a grid in the layer's own shape; beyond that the curve is left out


@dataclass
class Curve:
    """f and f' of one site on its working range: three arrays of (points,)."""

    z: np.ndarray
    f: np.ndarray
    slope: np.ndarray


class SiteCurve:
    """Asks one site's function for its curve, undoing whatever the call writes.

    `reason` says why there is none, "" where there is one.
    """

    def __init__(self, tap: Tap, z: np.ndarray, a: np.ndarray, mixing: float) -> None:
        self.reason = ""
        self._ask: Reversible | None = None
        if tap.z is None:
            self.reason = "what goes into its activation can't be reached"
        elif mixing > MIXES:
            self.reason = "its function mixes its inputs, so it has no slope of its own"
        else:
            self._find_shape(tap, z, a)

    def _find_shape(self, tap: Tap, z: np.ndarray, a: np.ndarray) -> None:
        dtype, features = tap.z.dtype, [*tap.z.shape[1:]]
        rank = tap.z.shape.rank or 1
        shapes: list[list[int]] = [[], [1] * (rank - 1)]
        if None not in features and 0 < int(np.prod(features)) <= z.size:
            shapes.append(features)
        tolerance = 1e-5 if dtype == tf.float32 else 1e-2
        finite = np.isfinite(z) & np.isfinite(a)
        for shape in shapes:
            count = z.size // int(np.prod(shape)) * int(np.prod(shape))
            try:
                ask = Reversible(_values_and_slopes(tap.function, dtype), tf.TensorSpec([None, *shape], tf.float32))
                values, _ = ask(tf.constant(z[:count].reshape(-1, *shape)))
            except Exception as error:
                self.reason = f"its function can't be called alone: {type(error).__name__}: {str(error)[:200]}"
                continue
            if values.shape.num_elements() != count:
                self.reason = "its function gives another shape when it is called alone"
                continue
            known = finite[:count]
            difference = np.abs(values.numpy().reshape(-1)[known] - a[:count][known])
            if difference.size and difference.max() > tolerance * max(1.0, np.abs(a[finite]).max()):
                self.reason = "its function is not one of the pre-activation alone"
                continue
            self.reason, self._ask, self._shape = "", ask, shape
            return

    def __call__(self, low: float, high: float) -> Curve | None:
        """The curve from low to high; None where there is none. Of a function with own parameters, the mean curve."""
        entries = int(np.prod(self._shape)) if self._ask else 1
        if self._ask is None or entries * 33 > MOST_ENTRIES:
            return None
        points = min(GRID, MOST_ENTRIES // entries)
        z = np.linspace(low, high, points, dtype=np.float32)
        grid = np.broadcast_to(z.reshape(-1, *[1] * len(self._shape)), (points, *self._shape))
        values, slopes = (result.numpy().reshape(points, -1).mean(axis=1) for result in self._ask(tf.constant(grid)))
        return Curve(z, values, slopes)


def _values_and_slopes(f: Any, dtype: Any) -> Any:
    def ask(z: Any) -> tuple[Any, Any]:
        z = tf.cast(z, dtype)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(z)
            a = f(z)
        slope = tape.gradient(a, z)
        slope = tf.zeros_like(z) if slope is None else slope
        return tf.cast(a, tf.float32), tf.cast(slope, tf.float32)

    return ask


def working_range(z: np.ndarray) -> tuple[float, float]:
    """The range in which f's largest slope is sought: nearly all z met, and [-3, 3].

    >>> working_range(np.array([-1.0, 0.5]))
    (-3.0, 3.0)
    """
    finite = z[np.isfinite(z)]
    if not finite.size:
        return INNER
    low, high = np.quantile(finite, [TAIL, 1 - TAIL])
    return float(min(low, INNER[0])), float(max(high, INNER[1]))


def saturated_share(slopes: np.ndarray, z: np.ndarray, curve: Curve) -> float:
    """Share of the entries that lie where f is flat, one-sided flatness aside; in [0, 1], NaN without an entry.

    slopes, z: f'(z) and z at the entries met, (n,). A flat tail counts only if the other end of the curve is not at
    full slope: a ReLU's dark half is the business of dead units.

    >>> z = np.linspace(-4, 4, 801)
    >>> relu = Curve(z, np.maximum(z, 0), (z > 0) * 1.0)
    >>> saturated_share((z > 0) * 1.0, z, relu)
    0.0
    """
    finite = np.isfinite(slopes) & np.isfinite(z)
    if not finite.any():
        return float("nan")
    size, grid = np.abs(slopes[finite]), np.abs(np.where(np.isfinite(curve.slope), curve.slope, 0))
    largest = max(float(size.max()), float(grid.max()))
    if largest == 0:
        return 1.0
    flat = size < FLAT * largest
    tail = _one_sided_tail(curve, grid / largest)
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


def folds(curve: Curve, z: np.ndarray) -> int:
    """Turning points of f between the ends of the z met (0.1 to 99.9 %): changes of sign of its slope.

    >>> z = np.linspace(-3, 3, 101)
    >>> folds(Curve(z, z**2, 2 * z), z)
    1
    """
    finite = z[np.isfinite(z)]
    if not finite.size:
        return 0
    low, high = np.quantile(finite, [TAIL, 1 - TAIL])
    slopes = curve.slope[(curve.z >= low) & (curve.z <= high)]
    signs = np.sign(slopes[np.isfinite(slopes)])
    signs = signs[signs != 0]
    return int((signs[1:] != signs[:-1]).sum())
