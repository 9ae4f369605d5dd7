"""What the function costs, forward and backward, next to relu on the same numbers.

Timed in a compiled graph, as a training runs it: eagerly, the price of calling each small operation would drown the
difference. The best of several runs is taken, since other work can only make a run slower.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from diagnose.activation.facts import Cost

#: Numbers in one timed call, and calls.
SIZE = 65_536
REPEATS = 7

_relu: dict[tuple[tuple[int, ...], str], float] = {}


def cost(call: Callable[[Any], Any], shape: tuple[int, ...], dtype: str) -> Cost:
    """Time of one pass, and its ratio to relu's."""
    import tensorflow as tf

    if (shape, dtype) not in _relu:
        _relu[shape, dtype] = _time(tf.nn.relu, shape, dtype)
    seconds = _time(call, shape, dtype)
    return Cost(seconds / _relu[shape, dtype], 1e6 * seconds)


def _time(call: Callable[[Any], Any], shape: tuple[int, ...], dtype: str) -> float:
    import tensorflow as tf

    def forward_and_back(x: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(x)
            a = call(x)
        slope = tape.gradient(a, x)
        return tf.reduce_sum(tf.cast(a, x.dtype)), tf.reduce_sum(x if slope is None else slope)

    rows = max(SIZE // int(np.prod(shape, dtype=int)), 1)
    z = np.random.default_rng(16).normal(size=(rows, *shape))
    best = float("inf")
    with tf.device("CPU:0"):
        x = tf.constant(z.astype(tf.as_dtype(dtype).as_numpy_dtype))
        compiled = tf.function(forward_and_back, autograph=False).get_concrete_function(x)
        compiled(x)
        for _ in range(REPEATS):
            start = time.perf_counter()
            compiled(x)
            best = min(best, time.perf_counter() - start)
    return best
