"""Data drawn in Python while they are trained on: a watched training gets the same as a bare one.

Such data are drawn ahead, mostly by a thread of their own. Whatever of ours wrote a global random state at that time
would rewind its numbers.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from sweeps import quick

from diagnose.callbacks import TrainingMonitor

STEPS, BATCH = 8, 8
SHAPE = (BATCH, 5)
Y = np.random.default_rng(1).integers(0, 3, (STEPS, BATCH))


class Drawn:
    """Batches, and what was drawn for them: by NumPy, by Python, by eager TensorFlow."""

    def __init__(self) -> None:
        self.numbers: list[float] = []

    def batch(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        x = np.random.standard_normal(SHAPE) * random.gauss(1.0, 0.2) + random.random()
        self.numbers.append(float(x[0, 0]))
        return x.astype("float32"), Y[index % STEPS]

    def endless(self) -> Iterator[Any]:
        index = 0
        while True:
            yield self.batch(index)
            index += 1


class Sequence(keras.utils.PyDataset):
    def __init__(self, drawn: Drawn, **options: Any) -> None:
        super().__init__(**options)
        self._drawn = drawn

    def __len__(self) -> int:
        return STEPS

    def __getitem__(self, index: int) -> Any:
        return self._drawn.batch(index)


def from_generator(drawn: Drawn) -> Any:
    spec = (tf.TensorSpec(SHAPE), tf.TensorSpec(SHAPE[:1], tf.int64))
    return tf.data.Dataset.from_generator(drawn.endless, output_signature=spec).prefetch(4)


def by_numpy_function(drawn: Drawn) -> Any:
    def batch(index: Any) -> Any:
        x, y = tf.numpy_function(drawn.batch, [index], (tf.float32, tf.int64))
        return tf.ensure_shape(x, SHAPE), tf.ensure_shape(y, SHAPE[:1])

    return tf.data.Dataset.range(1000).map(batch).prefetch(4)


def by_eager_tensorflow(drawn: Drawn) -> Any:
    def batches() -> Iterator[Any]:
        for x, y in drawn.endless():
            yield x + tf.random.normal(SHAPE).numpy(), y

    spec = (tf.TensorSpec(SHAPE), tf.TensorSpec(SHAPE[:1], tf.int64))
    return tf.data.Dataset.from_generator(batches, output_signature=spec).prefetch(4)


SOURCES = {
    "a PyDataset": Sequence,
    "a PyDataset with workers": lambda drawn: Sequence(drawn, workers=1, max_queue_size=4),
    "a generator": Drawn.endless,
    "from_generator": from_generator,
    "numpy_function": by_numpy_function,
    "eager TensorFlow": by_eager_tensorflow,
}


def noisy(z: Any) -> Any:
    return z * np.random.uniform(0.9, 1.1) * random.uniform(0.9, 1.1)


def trained(source: str, activation: Any, callbacks: list[Any]) -> tuple[list[np.ndarray], list[float]]:
    keras.backend.clear_session()
    keras.utils.set_random_seed(0)
    drawn = Drawn()
    model = keras.Sequential([keras.Input(SHAPE[1:]), layers.Dense(8, activation), layers.Dense(3, "softmax")])
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(SOURCES[source](drawn), steps_per_epoch=STEPS, epochs=4, verbose=0, callbacks=callbacks)
    return model.get_weights(), drawn.numbers[: 4 * STEPS]


@pytest.mark.parametrize("source", quick(SOURCES, first={"a PyDataset with workers", "a generator", "from_generator"}))
def test_data_drawn_in_python_are_those_of_a_bare_training(source: str):
    monitor = TrainingMonitor(every=3)
    bare, watched = trained(source, "tanh", []), trained(source, "tanh", [monitor])
    assert watched[1] == bare[1]
    for one, other in zip(bare[0], watched[0], strict=True):
        np.testing.assert_array_equal(one, other)
    assert monitor.run.notes == []
    assert monitor.run.observations > 2


def test_an_activation_that_draws_rewinds_no_data():
    """It takes numbers from the data at each of the user's own traces, when exactly is chance; but none comes twice."""
    monitor = TrainingMonitor(every=3)
    _, numbers = trained("from_generator", noisy, [monitor])
    assert len(set(numbers)) == len(numbers)
    assert monitor.run.observations > 2
