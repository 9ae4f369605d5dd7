"""What can be told of functions that mix their inputs, and so have no curve: by whole rows."""

from __future__ import annotations

import numpy as np

from diagnose.activation.calling.rounding import same
from diagnose.activation.calling.target import Target, probe
from diagnose.activation.facts import Gap, GradientCheck, Numerics


def numerics_of_rows(target: Target, dtype: str) -> Numerics:
    """Rows of equal, of large and of far apart numbers; the first size that breaks. Raises what f raises."""
    import tensorflow as tf

    largest = float(tf.as_dtype(dtype).max)
    rows = [np.zeros(target.shape), np.ones(target.shape), probe(1, target.shape)[0], _one_hot(target.shape)]
    sizes = [1.0, 4.0, 12.0, 30.0, 100.0, 1e3, 3e4, 1e10, 1e19, 1e38]
    forward: list[Gap] = []
    backward: list[Gap] = []
    for size in (size for size in sizes if size <= largest):
        z = np.stack([row * size * sign for row in rows for sign in (1.0, -1.0)])

        def both(z: np.ndarray = z) -> tuple[np.ndarray, np.ndarray | None]:
            a, (tape, x) = target.taped(z, dtype, False)
            slope = tape.gradient(tf.reduce_sum(a * a), x) if a.dtype.is_floating else None
            return a.numpy().astype(float), None if slope is None else slope.numpy().astype(float)

        values, slopes_there = target.isolation.run(both)
        for found, gaps in ((values, forward), (slopes_there, backward)):
            bad = np.zeros(0) if found is None else found[~np.isfinite(found)]
            if len(bad) and not gaps and not (gaps is backward and forward):
                kind = "nan" if np.isnan(bad).any() else "inf" if bad[0] > 0 else "-inf"
                gaps.append(Gap(size, np.inf, kind, np.nan))
    # Squares of large outputs, taken here to get a gradient, overflow by themselves.
    backward = [gap for gap in backward if gap.low < np.sqrt(largest) / 16]
    return Numerics(dtype, tuple(forward), tuple(backward), largest, exhaustive=False)


def gradient_of_rows(target: Target, dtype: str) -> GradientCheck:
    """Whether autodiff has a gradient at all."""
    z = probe(6, target.shape)
    varies = not same(target.answer(z, dtype), target.answer(-z, dtype))

    def slope() -> np.ndarray | None:
        import tensorflow as tf

        a, (tape, x) = target.taped(z, dtype, False)
        if not a.dtype.is_floating:
            return None
        arriving = tf.reshape(tf.linspace(-1.0, 2.0, int(np.prod(a.shape, dtype=int))), a.shape)
        found = tape.gradient(a, x, output_gradients=tf.cast(arriving, a.dtype))
        return None if found is None else tf.convert_to_tensor(found).numpy().astype(float)

    found = target.isolation.run(slope)
    answer = "none" if found is None else "slopes" if np.any(np.nan_to_num(found, nan=1.0)) else "zero"
    return GradientCheck(answer, varies)


def _one_hot(shape: tuple[int, ...]) -> np.ndarray:
    row = np.zeros(shape)
    row[(0,) * len(shape)] = 1.0
    return row
