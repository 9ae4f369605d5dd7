"""Losses, metrics, regularizers, train steps, schedules, optimizers and models with state of their own, under watch.

So much of it is Python that the number of times matters that the user's step is traced: an optimizer without variables,
and a model that its first step builds, are traced otherwise than a model that is complete.
"""

from __future__ import annotations

import itertools
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops
from sweeps import quick

from diagnose.callbacks import TrainingMonitor

X = np.random.default_rng(0).standard_normal((40, 6)).astype("float32")
Y = np.random.default_rng(1).integers(0, 3, 40)


class Counter:
    """How often each part was called; each lets what it gives depend on it."""

    def __init__(self) -> None:
        self.calls: dict[str, int] = {}

    def __call__(self, part: str) -> float:
        self.calls[part] = self.calls.get(part, 0) + 1
        return 1.0 + self.calls[part] / 100


def counting_loss(counter: Counter, variable: tf.Variable) -> Any:
    def loss(y: Any, p: Any) -> Any:
        variable.assign_add(0.125)
        return counter("loss") * variable * keras.losses.sparse_categorical_crossentropy(y, p)

    return loss


class CountingMetric(keras.metrics.Metric):
    def __init__(self, counter: Counter) -> None:
        super().__init__(name="counted")
        self._counter, self.seen = counter, []
        self.total = self.add_weight(shape=(), initializer="zeros", name="total")

    def update_state(self, y: Any, p: Any, sample_weight: Any = None) -> None:
        self.seen.append(self._counter("metric"))
        self.total.assign_add(self.seen[-1])

    def result(self) -> Any:
        return self.total + 0.0


class CountingRegularizer(keras.regularizers.Regularizer):
    def __init__(self, counter: Counter) -> None:
        self._counter = counter

    def __call__(self, weights: Any) -> Any:
        return 0.01 * self._counter("regularizer") * ops.sum(ops.square(weights))


class CountingSchedule(keras.optimizers.schedules.LearningRateSchedule):
    def __init__(self, counter: Counter) -> None:
        self._counter = counter

    def __call__(self, step: Any) -> Any:
        return 0.01 * self._counter("schedule")


class CountingSGD(keras.optimizers.SGD):
    def __init__(self, counter: Counter, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._counted = counter

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        super().update_step(gradient * self._counted("update"), variable, learning_rate)


class CountingModel(keras.Model):
    """Built by its first step."""

    def __init__(self, counter: Counter) -> None:
        super().__init__()
        self.counter, self.seen = counter, []
        self.hidden = [layers.Dense(5), layers.BatchNormalization(), layers.Dropout(0.3)]
        self.answer = layers.Dense(3, "softmax", kernel_regularizer=CountingRegularizer(counter))

    def call(self, x: Any, training: bool = False) -> Any:
        self.seen.append(float(np.random.uniform()))
        for layer in self.hidden:
            x = layer(x, training=training) if layer is not self.hidden[0] else layer(x)
        return self.answer(x * self.counter("call") * self.seen[-1])


class CountingStep(keras.Model):
    def train_step(self, data: Any) -> Any:
        x, y = data
        share = self.counter("step")
        with tf.GradientTape() as tape:
            p = self(x, training=True)
            loss = share * self.compute_loss(x, y, p)
        variables = self.trainable_variables
        self.optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return self.compute_metrics(x, y, p)


def plain(counter: Counter, cls: type = keras.Model) -> keras.Model:
    entering = keras.Input((6,))
    hidden = layers.Dense(5, "tanh", kernel_regularizer=CountingRegularizer(counter))(entering)
    model = cls(entering, layers.Dense(3, "softmax")(hidden))
    model.counter = counter
    return model


MODELS = {
    "complete": plain,
    "built by its first step": CountingModel,
    "own train step": lambda counter: plain(counter, CountingStep),
}
OPTIMIZERS = {
    "adam": lambda counter: keras.optimizers.Adam(CountingSchedule(counter)),
    "sgd": lambda counter: CountingSGD(counter, CountingSchedule(counter)),
}


def trained(model: str, optimizer: str, compiled: dict[str, Any], callbacks: list[Any]) -> Any:
    keras.backend.clear_session()
    keras.utils.set_random_seed(7)
    counter, variable = Counter(), tf.Variable(1.0, trainable=False)
    made = MODELS[model](counter)
    metric = CountingMetric(counter)
    loss = counting_loss(counter, variable)
    made.compile(OPTIMIZERS[optimizer](counter), loss, metrics=["accuracy", metric], **compiled)
    fit = made.fit(X, Y, epochs=2, batch_size=16, verbose=0, callbacks=callbacks, validation_data=(X, Y), shuffle=False)
    state = (counter.calls, variable.numpy(), [*metric.seen], [*getattr(made, "seen", ())])
    weights = [each.numpy() for each in (*made.variables, *made.optimizer.variables)]
    return weights, (*state, np.random.uniform(), fit.history)


#: Which variables the optimizer makes is of no matter where nothing is traced: one will do there.
KINDS = {"adam, graph": ("adam", {}), "sgd, graph": ("sgd", {}), "adam, eager": ("adam", {"run_eagerly": True})}


@pytest.mark.parametrize("kind", quick(KINDS, first={"sgd, graph", "adam, eager"}))
@pytest.mark.parametrize("model", quick(MODELS, first={"built by its first step", "own train step"}))
def test_what_counts_its_calls_counts_as_in_a_bare_training(model: str, kind: str):
    optimizer, compiled = KINDS[kind]
    monitor = TrainingMonitor(every=2)
    bare, watched = trained(model, optimizer, compiled, []), trained(model, optimizer, compiled, [monitor])
    np.testing.assert_equal(watched[1], bare[1])
    for one, other in zip(bare[0], watched[0], strict=True):
        np.testing.assert_array_equal(one, other)
    assert monitor.run.notes == []
    assert monitor.run.observations >= 2


def test_a_model_whose_code_holds_an_iterator_is_not_observed_and_says_so():
    """Whatever we took from it would be missing in the training."""
    numbers = itertools.count()
    model = keras.Sequential([keras.Input((6,)), layers.Dense(3, lambda z: z * (1.0 + 0.0 * next(numbers)))])
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True), run_eagerly=True)
    monitor = TrainingMonitor()
    taken = next(numbers)
    with pytest.warns(RuntimeWarning, match="state that can't be put back: it holds an iterator"):
        model.fit(X, Y, batch_size=20, verbose=0, callbacks=[monitor])
    assert next(numbers) == taken + 3  # two steps
    assert monitor.run.observations == 0
