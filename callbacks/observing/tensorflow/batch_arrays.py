"""The dense tensors of a batch, in whatever structure it comes, as plain arrays."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from diagnose.callbacks.model.outputs import by_output
from diagnose.callbacks.model.structures import named_leaves


def is_dense(batch: Any) -> bool:
    """Whether all leaves of a batch are dense tensors, none of them ragged, sparse or absent."""
    return all(isinstance(leaf, tf.Tensor) for leaf in tf.nest.flatten(batch))


def rows_of(batch: Any) -> int | None:
    """How many samples a batch holds; None where no dense tensor tells."""
    sizes = [leaf.shape[0] for leaf in tf.nest.flatten(batch) if isinstance(leaf, tf.Tensor) and leaf.shape.rank]
    return None if not sizes or sizes[0] is None else int(sizes[0])


def input_arrays(batch: Any) -> list[np.ndarray]:
    """The inputs of a batch, whatever their dtype; of a ragged or sparse one what it is made of."""
    x = batch[0] if isinstance(batch, tuple) else batch
    leaves = tf.nest.flatten(x, expand_composites=True)
    return [leaf.numpy() for leaf in leaves if isinstance(leaf, tf.Tensor)]


def target_arrays(batch: Any) -> list[np.ndarray]:
    """The targets of a batch, [] where there are none; of a ragged one what it is made of."""
    _, y, _ = keras.utils.unpack_x_y_sample_weight(batch)
    leaves = tf.nest.flatten(y, expand_composites=True)
    return [leaf.numpy() for leaf in leaves if isinstance(leaf, tf.Tensor)]


def placed_arrays(batch: Any, outputs: list[str]) -> list[tuple[str, str, np.ndarray]]:
    """Inputs, sample weights and targets of a batch: which of these it is, its place, and its values.

    It is "input", "sample_weight" or "target".

    outputs: places of the outputs, [] where it is not known which targets belong to them.
    """
    x, y, weights = keras.utils.unpack_x_y_sample_weight(batch)
    found = [("input", name, leaf) for name, leaf in named_leaves(x)]
    found += [("sample_weight", name, leaf) for name, leaf in named_leaves(weights)]
    found += [("target", *pair) for pair in zip(outputs, by_output(y, outputs), strict=False)]
    return [(kind, place, leaf.numpy()) for kind, place, leaf in found if isinstance(leaf, tf.Tensor)]
