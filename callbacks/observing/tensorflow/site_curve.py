"""The curve of one site's function, on a grid of its own beside the entries that were met.

To call f there is allowed where it is a function of z alone: its values at the z met must be the a met. A function with
parameters of its own (PReLU) is called in the shape its layer has.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from diagnose.callbacks.observing.reading import MIXES, Curve
from diagnose.callbacks.observing.tensorflow.reversible import Reversible
from diagnose.callbacks.observing.tensorflow.taps import Tap

GRID = 513  # points: a flat or steep stretch of 1/100 of the range still holds five of them
MOST_ENTRIES = 1 << 19  # of a grid in the layer's own shape; beyond that the curve is left out


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
