"""Batches as they come: arrays, tensors, tables and lists in any structure, brought to plain arrays and numbers."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf


def leaves(structure: Any) -> list[Any]:
    """The leaves of a structure in Keras' order, without those that are None."""
    return [] if structure is None else [leaf for leaf in keras.tree.flatten(structure) if leaf is not None]


def mapped(function: Callable[[Any], Any], structure: Any) -> Any:
    """The structure with `function` applied to each leaf that is not None."""
    if structure is None:
        return None
    return keras.tree.map_structure(lambda leaf: None if leaf is None else function(leaf), structure)


def arrays(structure: Any) -> Any:
    """The same structure with NumPy arrays as leaves.

    A list of plain numbers (or of lists of them) is one array; a list of arrays stays a list of arrays.

    >>> arrays([1, 2]).shape, [leaf.shape for leaf in arrays([np.zeros(3), np.zeros((3, 2))])]
    ((2,), [(3,), (3, 2)])
    """
    if type(structure).__module__.startswith("pandas"):
        return structure.to_numpy()
    if (
        isinstance(structure, (list, tuple))
        and structure
        and not any(hasattr(leaf, "shape") for leaf in leaves(structure))
    ):
        return np.asarray(structure)
    return mapped(lambda leaf: leaf.to_numpy() if hasattr(leaf, "to_numpy") else np.asarray(leaf), structure)


def taken(structure: Any, rows: np.ndarray) -> Any:
    """Tensors of these rows of each array, float64 brought to Keras' float type as `fit` does."""

    def take(leaf: np.ndarray) -> Any:
        some = leaf[rows] if leaf.ndim else leaf
        return tf.convert_to_tensor(some.astype(keras.config.floatx()) if some.dtype == np.float64 else some)

    return mapped(take, structure)


def number(value: Any) -> float | None:
    """A float that JSON can hold; None for what is not finite.

    >>> number(np.float32(0.5)), number(float("nan"))
    (0.5, None)
    """
    plain = float(value)
    return plain if math.isfinite(plain) else None
