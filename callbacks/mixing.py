"""Whether what a model says of a sample depends on the samples beside it.

The batch is answered once more in inference mode: its first half stands where it stood, and its second half is
replaced by the first one in reverse. All shapes stay, so a model that takes each sample alone answers the first half by
the very same arithmetic, and rounding does not enter.

Not asked: a batch of one sample, or of samples that are all alike; an output that is not one row of finite numbers a
sample; an output with another axis as long as the batch (the similarities of all pairs, meant so); a graph, which
comes as several inputs of which one is a square over all samples; a model that gives the same batch two answers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from diagnose.callbacks.arrays import leaves, taken
from diagnose.callbacks.loan import forward, overhearing
from diagnose.callbacks.taps import leaf_layers, path_of

MIXED = 0.01  # of the spread of the outputs; measured: 0 without mixing, 0.026 and more with it


def mixes(model: Any, x: Any, rows: np.ndarray, answer: Any) -> list[dict[str, Any] | None]:
    """For each output, how far its first half moves when the samples of the second half are others; None if not asked.

    x: arrays of all samples; rows: which of them are the batch; answer: what the model said of it.
    Each entry is {"difference": the largest, over the standard deviation of the output, "by": the Keras path of the
    first layer that gave other numbers for the same ones, None without a difference or where it is none}.
    """
    before, half = leaves(answer), len(rows) // 2
    unasked: list[dict[str, Any] | None] = [None] * len(before)
    if not half or _holds_a_graph(x):
        return unasked
    others = np.concatenate([rows[:half], rows[np.arange(len(rows) - half) % half][::-1]])
    if all(leaf.ndim == 0 or np.array_equal(leaf[others], leaf[rows]) for leaf in leaves(x)):
        return unasked
    first, second = taken(x, rows), taken(x, others)
    before = [None if len(rows) in leaf.shape[1:] else leaf for leaf in before]
    try:
        moved = _moved(before, leaves(forward(model, second)), half)
        if not any(difference is not None and difference > MIXED for difference in moved):
            return [None if difference is None else {"difference": difference, "by": None} for difference in moved]
        noise = _moved(before, leaves(forward(model, first)), half)
        by = _mixing_layer(model, first, second, half)
    except Exception:  # a layer that checks its own numbers, or a batch that it can't do without
        return unasked
    return [
        None
        if difference is None or again is None or again > 0.1 * difference
        else {"difference": difference, "by": by if difference > MIXED else None}
        for difference, again in zip(moved, noise, strict=True)
    ]


def _holds_a_graph(x: Any) -> bool:
    found = leaves(x)
    return len(found) > 1 and any(leaf.ndim > 1 and leaf.shape[0] == leaf.shape[1] for leaf in found)


def _moved(before: list[Any], after: list[Any], half: int) -> list[float | None]:
    return [_difference(one, other, half) for one, other in zip(before, after, strict=True)]


def _difference(one: Any, other: Any, half: int) -> float | None:
    """How far the first `half` rows of two answers are apart, in standard deviations; None where none can be told."""
    kept = [leaf for leaf in (one, other) if isinstance(leaf, tf.Tensor) and not tf.is_symbolic_tensor(leaf)]
    if len(kept) < 2 or one.shape != other.shape or one.shape.rank == 0 or one.dtype in (tf.string, tf.variant):
        return None
    size = one.shape[0]
    if size // 2 != half:
        return None
    values, others = (tf.cast(leaf, tf.float32).numpy().astype(np.float64) for leaf in kept)
    if not values.size or not np.isfinite(values).all() or not np.isfinite(others).all():
        return None
    apart = float(np.abs(values[:half] - others[:half]).max())
    return apart / (float(values.std()) or float(np.abs(values).max()) or 1.0)


def _mixing_layer(model: Any, first: Any, second: Any, half: int) -> str | None:
    """Path of the first layer that was given the same for the first half of both batches, and gave something else."""
    heard = []
    for batch in (first, second):
        with overhearing(leaf_layers(model)) as calls:
            forward(model, batch)
        heard.append(calls)
    by = None
    for (layer, given, gave), (_, given_then, gave_then) in zip(*heard, strict=True):
        told, became = _difference(given, given_then, half), _difference(gave, gave_then, half)
        if told is not None and told <= MIXED and became is not None and became > MIXED:
            by = path_of(layer)
            if not leaf_layers(layer):  # else those inside follow
                break
    return by
