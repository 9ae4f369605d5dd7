"""Reads of a built model's variables, compiled once: samples of them, whether all are finite, and its kernels."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from diagnose.callbacks.model.layers import leaf_layers
from diagnose.callbacks.model.optimizers import otherwise_trained, updates_of
from diagnose.callbacks.observing.tensorflow.reductions import float32

SAMPLE = 4096  # entries a variable: an rms of so many is right within 1.1 % (1 / sqrt(2 n)) for normal entries


class VariableReads:
    """Reads the variables of a built model that its training may move. Nothing is written.

    paths: of these variables, in their order.
    """

    def __init__(self, model: Any) -> None:
        self._model = model
        self._variables = [*model.trainable_variables, *otherwise_trained(model)[1]]
        self.paths = [variable.path for variable in self._variables]
        # Some biases have two axes: a GRU's, one by heads. Keras' own layers, and most others, call it `bias`.
        self._biases = {id(vars(layer).get("bias")) for layer in leaf_layers(model)}
        floats = [variable for variable in model.variables if "float" in str(variable.dtype)]
        shapes = [tuple(variable.shape) for variable in self._variables]
        alike = list(dict.fromkeys(shapes))
        unlike = [_positions(shape) for shape in alike]
        which = [alike.index(shape) for shape in shapes]
        self._ends = np.cumsum([len(unlike[at]) for at in which])[:-1]

        def sample() -> Any:
            flat, places = tf.constant([-1]), [tf.constant(each) for each in unlike]
            picked = [
                tf.gather(tf.reshape(float32(variable), flat), places[at])
                for variable, at in zip(self._variables, which, strict=True)
            ]
            return tf.concat(picked, axis=0) if picked else tf.zeros([0])

        def finite() -> Any:
            # A sum is finite unless an entry is not, or it overflows, which is as bad; it reads each entry once.
            flat, first = tf.constant([-1]), tf.constant(0)
            sums = [tf.reduce_sum(tf.reshape(float32(variable), flat), axis=first) for variable in floats]
            return tf.reduce_all(tf.math.is_finite(tf.stack(sums))) if sums else tf.constant(True)

        self._sample, self._finite = _compiled(sample), _compiled(finite)

    def sample(self) -> list[np.ndarray]:
        """`SAMPLE` entries of each variable at most, float32, the same ones at each call."""
        return np.split(self._sample().numpy(), self._ends)

    def updates(self) -> int:
        """Optimizer updates so far."""
        return updates_of(self._model)

    def all_finite(self) -> bool:
        """Whether every entry of every variable of the model is finite."""
        return bool(self._finite())

    def kernels(self, most_entries: int) -> Iterator[tuple[str, np.ndarray]]:
        """Path and value of each kernel of at most so many entries, float64 of (all axes but the last, last axis).

        A kernel has two axes or more and is no layer's bias.
        """
        for variable in self._variables:
            shape = tuple(variable.shape)
            if len(shape) >= 2 and math.prod(shape) <= most_entries and id(variable) not in self._biases:
                yield variable.path, np.asarray(tf.convert_to_tensor(variable), np.float64).reshape(-1, shape[-1])


def _compiled(read: Callable[[], Any]) -> Any:
    return tf.function(read, autograph=False).get_concrete_function()


def _positions(shape: tuple[int, ...]) -> np.ndarray:
    size, width = math.prod(shape), shape[-1] if shape else 1
    stride = max(1, -(-size // SAMPLE))
    while math.gcd(stride, width) > 1:  # a stride that shares a factor with the width sees some units only
        stride += 1
    return np.arange(0, size, stride, dtype=np.int32)
