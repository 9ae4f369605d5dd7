"""What can be done wrong: to samples and labels, in an activation, in a training step.

The twins put these faults into a training to see one told and cured; the benchmark puts them into many.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops
from networks import OwnStep
from trainings import Data, Spoil

# To samples and labels.


def each(
    data: Data,
    x: Callable[[np.ndarray], np.ndarray] = lambda x: x,
    y: Callable[[np.ndarray], np.ndarray] = lambda y: y,
) -> Data:
    return replace(data, x=x(data.x), y=y(data.y), x_validation=x(data.x_validation), y_validation=y(data.y_validation))


def scaled(by: float, shift: float = 0.0) -> Spoil:
    return lambda data, rng: each(data, lambda x: (x * by + shift).astype("float32"))


def few(count: int) -> Spoil:
    return lambda data, rng: replace(data, x=data.x[:count], y=data.y[:count])


def shuffled_labels(data: Data, rng: np.random.Generator) -> Data:
    return replace(data, y=rng.permutation(data.y), y_validation=rng.permutation(data.y_validation))


def one_nan(data: Data, rng: np.random.Generator) -> Data:
    x = data.x.copy()
    x[len(x) // 2, 0] = np.nan
    return replace(data, x=x)


def some_nan(data: Data, rng: np.random.Generator) -> Data:
    """In one sample of fifty: the first steps, all of which are observed, meet one, however samples are shuffled."""
    x = data.x.copy()
    x[::50, 0] = np.nan
    return replace(data, x=x)


def zeros(data: Data, rng: np.random.Generator) -> Data:
    return each(data, np.zeros_like)


def in_order(data: Data, rng: np.random.Generator) -> Data:
    order = np.argsort(data.y, kind="stable")
    return replace(data, x=data.x[order], y=data.y[order])


def other_scale_in_validation(data: Data, rng: np.random.Generator) -> Data:
    return replace(data, x_validation=data.x_validation * 30 + 20)


def one_batch_again(data: Data) -> tf.data.Dataset:
    first = tf.data.Dataset.from_tensors((data.x[:32], data.y[:32]))
    return first.repeat(max(len(data.x) // 32, 1))


# In an activation, or in the weights before it.


def tanh_of_fifth_power(z: Any) -> Any:
    return ops.tanh(z**5)


def fast_sine(z: Any) -> Any:
    return ops.sin(30 * z)


def rounded(z: Any) -> Any:
    return ops.round(z)


def hand_made_elu(z: Any) -> Any:
    return ops.where(z > 0, z, ops.exp(z) - 1)


def swallowing_relu(z: Any) -> Any:
    """Gives 0 for NaN wherever it runs; what Keras' own does depends on the processor."""
    return ops.where(z > 0, z, 0.0)


def exponential_of_square(z: Any) -> Any:
    return ops.exp(z * z)


def normal(spread: float) -> Any:
    return keras.initializers.RandomNormal(stddev=spread, seed=3)


# In a training step.


class Forgetful(OwnStep):
    """A training step that computes gradients and does not apply them."""

    applies = False


class Silent(OwnStep):
    """A training step that does not update the metric named loss."""

    reports = False
