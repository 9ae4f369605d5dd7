"""What makes all samples alike by construction: a factor that stays 0, a normalization over one entry, equal inputs
of a model that compares them.

Samples are told apart before such a layer and not behind it. That alone may be chance, or the doing of weights that
training will change, so the layer is asked once more, with inputs and trained weights drawn at random.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from diagnose.callbacks.auditing.borrowed_model import forward
from diagnose.callbacks.model.arrays import leaves, mapped
from diagnose.callbacks.model.layers import leaf_layers, path_of
from diagnose.run.audit import Levelled

FEW = 16  # samples that are compared: a guess
ENTRIES = 1 << 16  # of each sample, spread over all
GAINS = (1.0, 100.0)  # of random inputs: a function with a threshold may be flat for those of size 1
SAME = 1e-4  # arithmetic: float32 rounds by 6e-8, and a normalization without spread divides that by sqrt(epsilon)


def levelled(heard: Iterable[Sequence[Any]]) -> Levelled | None:
    """The first layer that makes all samples alike, one that is made of no others before one that is; None for none.

    heard: of each call of a layer, the layer, what it was given, and what it gave: tensors, samples first.
    """
    innermost = sorted(heard, key=lambda told: len(leaf_layers(told[0])) > 0)
    for layer, given, gave in innermost:
        if not (_is_numeric(given) and _is_numeric(gave)) or len(given) != len(gave) or len(given) < 2:
            continue
        if not _differs(given) or _told_apart(given, gave) or not _levels_anything(layer, given):
            continue
        frozen = [each for each in layer.non_trainable_variables if keras.backend.is_float_dtype(each.dtype)]
        return Levelled(
            where=path_of(layer),
            value=float(np.ravel(gave[:1])[0]),
            frozen=tuple(each.path for each in frozen if not np.any(each.numpy())),
            single=given.shape.rank > 1 and given.shape[-1] == 1,
        )
    return None


def compares(model: Any, x: Any, predictions: Any) -> bool:
    """Whether the model compares its inputs: given one and the same in all of them, it says one thing of all samples.

    x: tensors, samples first; predictions: what the model says of them. A borrowed model is asked.
    """
    given, said = leaves(x), leaves(predictions)
    if len(given) < 2 or len({(str(each.dtype), tuple(each.shape)) for each in given}) > 1 or len(given[0]) < 2:
        return False
    try:
        alike = leaves(forward(model, mapped(lambda _: given[0], x)))
    except Exception:  # what is a number of a user may be none of a film
        return False
    return all(map(_is_numeric, [*alike, *said])) and all(
        _told_apart(usual, usual) and not _told_apart(usual, other) for usual, other in zip(said, alike, strict=True)
    )


def _is_numeric(value: Any) -> bool:
    return isinstance(value, tf.Tensor) and not tf.is_symbolic_tensor(value) and value.dtype.is_floating


def _some(tensor: Any) -> np.ndarray:
    values = np.reshape(tf.cast(tensor[:FEW], tf.float32), (min(FEW, len(tensor)), -1))
    return values[:, :: max(1, values.shape[1] // ENTRIES)]


def _spread(values: np.ndarray) -> float:
    return float(np.ptp(values, axis=0).max(initial=0.0))


def _differs(given: Any) -> bool:
    """Whether two samples differ, beyond rounding."""
    values = _some(given)
    return _spread(values) > SAME * float(np.abs(values).max(initial=0.0))


def _told_apart(given: Any, gave: Any) -> bool:
    """Whether samples differ in what the layer gave, beyond the rounding of that or of what it was given.

    Of what is not all finite that is taken for granted.
    """
    values = _some(gave)
    return not np.isfinite(values).all() or not _spread(values) <= SAME * max(
        float(np.abs(values).max(initial=0.0)), _spread(_some(given))
    )


def _levels_anything(layer: Any, given: Any) -> bool:
    """Whether the layer makes random samples alike too, under random trained weights; not if it refuses them."""
    draw = np.random.default_rng(0)
    samples = draw.normal(size=(FEW, *given.shape[1:]))
    weights = [(each, tf.cast(draw.uniform(0.5, 1.5, each.shape), each.dtype)) for each in layer.trainable_variables]
    try:
        with keras.StatelessScope(state_mapping=weights, collect_losses=True, initialize_variables=False):
            asked = [tf.cast(gain * samples, given.dtype) for gain in GAINS]
            pairs = [(drawn, layer(drawn)) for drawn in asked]
    except Exception:  # it wants more than one argument, or samples of a certain kind
        return False
    return all(_is_numeric(gave) and len(gave) == FEW and not _told_apart(drawn, gave) for drawn, gave in pairs)
