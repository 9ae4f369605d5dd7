"""Whether what a model says of a sample depends on the samples beside it.

The first and the last sample have been answered alone already, and most models say the same of them among the others,
but for rounding: those do not mix. Any other is asked once more: the first half of the batch stands where it stood, and
its second half is replaced by the first one in reverse. All shapes stay, so a model that takes each sample alone
answers the first half by the very same arithmetic, and rounding, which is coarse in half precision, does not enter.

Not asked: a batch of one sample, or of samples that are all alike; an output that is not one row of finite numbers a
sample; an output with another axis as long as the batch (the similarities of all pairs, meant so); a graph, which
comes as several inputs of which one is a square over all samples; a model that gives the same batch two answers.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import tensorflow as tf

from diagnose.callbacks.auditing.batch_sample import FirstBatch
from diagnose.callbacks.auditing.borrowed_model import forward, overhearing
from diagnose.callbacks.model.arrays import leaves, number, taken
from diagnose.callbacks.model.layers import leaf_layers, path_of
from diagnose.run.audit import MixFacts

MIXED = 0.01  # of the spread of the outputs; measured: 0 without mixing, 0.026 and more with it
ALIKE = MIXED / 10  # two samples alone and among the others; the rounding of float32 is far below, 1e-5 of the spread


def mix_facts(model: Any, x: Any, batch: FirstBatch) -> list[MixFacts | None]:
    """For each output, how far what is said of some samples moves when the others of the batch are exchanged.

    x: arrays of all samples. None for an output that was not asked.
    """
    rows, before = batch.rows, leaves(batch.predictions)
    half = len(rows) // 2
    unasked: list[MixFacts | None] = [None] * len(before)
    if not half or _holds_a_graph(x):
        return unasked
    others = np.concatenate([rows[:half], rows[np.arange(len(rows) - half) % half][::-1]])
    if all(leaf.ndim == 0 or np.array_equal(leaf[others], leaf[rows]) for leaf in leaves(x)):
        return unasked
    before = [None if len(rows) in leaf.shape[1:] else leaf for leaf in before]
    if batch.ends is not None:
        alone = [_difference(*pair, [0, -1], slice(None)) for pair in zip(before, leaves(batch.ends), strict=True)]
        if all(difference is None or difference <= ALIKE for difference in alone):
            return [_unmixed(difference) for difference in alone]
    first, second = batch.x, taken(x, others)
    try:
        moved = _moved(before, leaves(forward(model, second)), half)
        if not any(difference is not None and difference > MIXED for difference in moved):
            return [_unmixed(difference) for difference in moved]
        noise = _moved(before, leaves(forward(model, first)), half)
        by = _mixing_layer(model, first, second, half)
    except Exception:  # a layer that checks its own numbers, or a batch that it can't do without
        return unasked
    return [
        None
        if difference is None or again is None or again > 0.1 * difference
        else MixFacts(number(difference), by if difference > MIXED else None)
        for difference, again in zip(moved, noise, strict=True)
    ]


def _unmixed(difference: float | None) -> MixFacts | None:
    """The facts where no layer mixes the samples; None where there is nothing to compare."""
    return None if difference is None else MixFacts(number(difference))


def _holds_a_graph(x: Any) -> bool:
    found = leaves(x)
    return len(found) > 1 and any(leaf.ndim > 1 and leaf.shape[0] == leaf.shape[1] for leaf in found)


def _moved(before: list[Any], after: list[Any], half: int) -> list[float | None]:
    """How far the first half of each answer has moved; None for what has not one row a sample."""
    some = slice(half)
    return [
        _difference(one, other, some, some) if getattr(one, "shape", ()) and one.shape[0] // 2 == half else None
        for one, other in zip(before, after, strict=True)
    ]


def _difference(one: Any, other: Any, some: Any, same: Any) -> float | None:
    """How far the rows `some` of an answer are from the rows `same` of another, in standard deviations of the first.

    None where there is nothing to compare; infinity where there is, and it has another shape.
    """
    values, others = _numbers(one), _numbers(other)
    if values is None or others is None or not values.size:
        return None
    values_there, others_there = values[some], others[same]
    if values_there.shape != others_there.shape:
        return math.inf
    apart = float(np.abs(values_there - others_there).max())
    return apart / (float(values.std()) or float(np.abs(values).max()) or 1.0)


def _numbers(leaf: Any) -> np.ndarray | None:
    """The tensor as an array, where it holds a row of finite numbers for each sample."""
    if not isinstance(leaf, tf.Tensor) or tf.is_symbolic_tensor(leaf) or leaf.shape.rank == 0:
        return None
    if leaf.dtype in (tf.string, tf.variant):
        return None
    values = tf.cast(leaf, tf.float32).numpy().astype(np.float64)
    return values if np.isfinite(values).all() else None


def _mixing_layer(model: Any, first: Any, second: Any, half: int) -> str | None:
    """Path of the first layer that was given the same for the first half of both batches, and gave something else."""
    heard = []
    for batch in (first, second):
        with overhearing(leaf_layers(model)) as calls:
            forward(model, batch)
        heard.append(calls)
    by = None
    for (layer, given, gave), (_, given_then, gave_then) in zip(*heard, strict=True):
        told, became = _moved([given, gave], [given_then, gave_then], half)
        if told is not None and told <= MIXED and became is not None and became > MIXED:
            by = path_of(layer)
            if not leaf_layers(layer):  # else those inside follow
                break
    return by
