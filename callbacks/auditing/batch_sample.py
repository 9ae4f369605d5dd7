"""Which samples of a batch the audit looks at, what the model says of them, and what it says under random weights.

An audit may take a second, and one pass of a large model takes a good part of it. So two samples go first: the layers
they pass and the sizes of what goes in and out tell what a sample costs, and so how many may follow (`work`). Their
answers are kept, since they show whether samples are mixed (`batch_dependence`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from diagnose.callbacks.auditing.borrowed_model import forward, overhearing, under_random_weights
from diagnose.callbacks.auditing.output_range import WIDE, WILD
from diagnose.callbacks.auditing.outputs_and_losses import Part
from diagnose.callbacks.auditing.work import ANSWER, CALL, DRAWN, DRAWS, PASS, TooLargeError, multiplications
from diagnose.callbacks.model.arrays import leaves, number, taken
from diagnose.callbacks.model.layers import leaf_layers, path_of
from diagnose.run.audit import Entering, Erased

SAMPLES = 256  # enough for shares of a few percent, and few enough for a second
FEW = 16  # a guess: rows that still show several classes, and bounds where weights are drawn
SAME = 1e-6  # arithmetic: float32 rounds by 6e-8 of a number, and a sum of many by more
ANSWERS = 2_000_000  # entries of all outputs for all samples looked at, 8 MB; maps may be large
REACH_GAINS = (
    *(WIDE, WILD, 1.0, WIDE, WILD),
    *(WIDE, WILD, 1.0, WIDE, WILD),
)
ENOUGH_DRAWS = 7  # three of each large gain, which show a bound
FEW_DRAWS = 4  # taken whatever they cost where an output gives nothing but 1: the rule on it asks for as many
FEWEST = 4  # rows of a draw


@dataclass(frozen=True)
class FirstBatch:
    """Some samples of a batch, and the model's answer in inference mode.

    rows: which samples, spread over all, since sorted labels would else show one class; x: tensors of them.
    predictions: what the model says of them; work: multiplications that a sample takes (`work`).
    ends: what it says of the first and the last of them alone; None where there are no others or it says nothing.
    entering: the first layer with a kernel and what it was given; None without one. heard: of each call of a layer, the
    layer, what it was given and what it gave.
    """

    rows: np.ndarray
    x: Any
    predictions: Any
    work: int
    ends: Any
    entering: tuple[Any, Any] | None
    heard: list[list[Any]]


def first_batch(model: Any, x: Any) -> FirstBatch:
    """Ask the borrowed model for as many samples of x as the work allows, `SAMPLES` at most; x: arrays.

    Raises TooLargeError where its answer to one sample is more than the audit may hold.
    """
    total = len(leaves(x)[0])
    most = min(SAMPLES, _fixed_size(model) or SAMPLES, total)
    try:
        first = _answered(model, x, _spread(total, min(2, most)))
    except Exception:  # made for one size of a batch only
        first = _answered(model, x, _spread(total, most))
    asked = len(first.rows)
    each = max(1, _entries(first.predictions) // asked)
    if each > ANSWER:
        raise TooLargeError(
            f"the prediction for one sample holds {each:,} numbers, and the audit looks at {ANSWER:,} at most. "
            "Audit the model with shorter sequences, smaller images or fewer classes."
        )
    most = min(most, ANSWERS // each, PASS // max(1, first.work))
    return replace(_answered(model, x, _spread(total, most)), ends=first.predictions) if most > asked else first


def _answered(model: Any, x: Any, rows: np.ndarray) -> FirstBatch:
    some = taken(x, rows)
    with overhearing(leaf_layers(model)) as heard:
        predictions = forward(model, some)
    multiplying = [told for told in heard if _multiplies(told[0])]
    entering = (multiplying[0][0], multiplying[0][1]) if multiplying else None
    return FirstBatch(rows, some, predictions, multiplications(multiplying), None, entering, heard)


def _spread(total: int, count: int) -> np.ndarray:
    return np.unique(np.linspace(0, total - 1, count).astype(int))


def _fixed_size(model: Any) -> int | None:
    """The size of the only batch that the model takes."""
    return next((given.shape[0] for given in getattr(model, "inputs", None) or () if given.shape[0]), None)


def draws(model: Any, x: Any, batch: FirstBatch, parts: list[Part]) -> list[tuple[float, list[np.ndarray]]]:
    """Predictions under random weights, with the gain of these; none where they would cost too much."""
    if sum(math.prod(variable.shape) for variable in model.trainable_variables) > DRAWN:
        return []
    rows = batch.rows
    if _fixed_size(model) is None:
        room = len(rows) * ANSWERS // (4 * _entries([part.predictions for part in parts]))
        afford = DRAWS // (len(REACH_GAINS) * max(1, batch.work))
        few = max(1, min(FEW, max(FEWEST, afford), room))
        rows = rows[:: max(1, len(rows) // few)][:few]
    constant = any(part.predictions.shape[-1:] == (1,) and np.all(part.predictions == 1) for part in parts)
    passes = DRAWS // (len(rows) * batch.work + (1 + len(leaf_layers(model))) * CALL)
    if passes < ENOUGH_DRAWS:
        passes = FEW_DRAWS if constant else 0
    return under_random_weights(model, taken(x, rows), REACH_GAINS[:passes], len(parts))


def _entries(predictions: Any) -> int:
    return max(1, sum(math.prod(leaf.shape) for leaf in leaves(predictions)))


def _multiplies(layer: Any) -> bool:
    """Whether a layer multiplies what it is given by a weight; a recurrent one stands for its cell, which may rest."""
    innermost = isinstance(layer, keras.layers.RNN) or not leaf_layers(layer)
    return innermost and any(len(variable.shape) > 1 for variable in layer.trainable_variables)


def sizes_entering(layer: Any, given: Any) -> Entering | None:
    """Sizes of the features that a layer is given; None where that is no table or sequence of numbers."""
    if not isinstance(given, tf.Tensor) or tf.is_symbolic_tensor(given):
        return None
    if not given.dtype.is_floating or given.shape.rank not in (2, 3):
        return None
    values = np.abs(tf.cast(given, tf.float32).numpy().reshape(-1, given.shape[-1]).astype(np.float64))
    values = np.where(np.isfinite(values), values, 0.0)
    counts = np.count_nonzero(values, axis=0)
    sizes = np.sqrt((values**2).sum(axis=0) / np.maximum(counts, 1))
    known = np.flatnonzero(values.max(axis=0) > values.min(axis=0))  # a constant one, however small, tells nothing
    if isinstance(layer, keras.layers.Embedding) or not len(known):
        return None
    least, most = known[sizes[known].argmin()], known[sizes[known].argmax()]
    return Entering(
        where=path_of(layer),
        features=len(sizes),
        least=float(sizes[least]),
        typical=float(np.median(sizes[known])),
        most=float(sizes[most]),
        least_at=int(least),
        most_at=int(most),
        becomes=_becomes(layer, values),
    )


def erased(layer: Any, given: Any) -> Erased | None:
    """The one number that is all that a layer is given, for all samples; None where it is given several."""
    if not isinstance(given, tf.Tensor) or tf.is_symbolic_tensor(given) or not given.dtype.is_floating:
        return None
    values = tf.cast(given, tf.float32).numpy()
    if len(values) < 2 or not np.ptp(values) <= SAME * np.abs(values).max():
        return None
    return Erased(path_of(layer), float(values.flat[0]))


def _becomes(layer: Any, values: np.ndarray) -> float | None:
    """What the layer's kernel should make of these entries (samples, features): their rms times that of a weight and
    the root of the inputs of a unit; right on average over random weights. None without a kernel or a finite size.

    The first variable as high as there are features is the kernel: a recurrent one comes behind it.
    """
    for variable in layer.trainable_variables:
        if len(variable.shape) > 1 and variable.shape[-2] == values.shape[1]:
            weights = np.asarray(tf.convert_to_tensor(variable), np.float64)
            inputs = math.prod(weights.shape[:-1])
            return number(np.sqrt(np.mean(values**2) * np.mean(weights**2) * inputs))
    return None
