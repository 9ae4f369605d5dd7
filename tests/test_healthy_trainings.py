"""Trainings with nothing wrong, of as many kinds as users have: none may be told a cause.

A warning on a healthy training costs more than a fault that is missed: it sends its reader after what is not there. So
each of these must come out without a single warning or critical finding, whatever its data, network, activation,
loss, optimizer, length or way of training.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops
from networks import (
    OwnStep,
    autoencoder,
    conv_1d,
    convolutional,
    embedded,
    frozen_base,
    normalized_convolutional,
    residual,
    transformer,
)
from sweeps import quick
from trainings import (
    D,
    Data,
    Training,
    adam,
    bumps,
    cancer,
    circles,
    clusters,
    diabetes,
    digits,
    friedman,
    head,
    iris,
    moons,
    pictures,
    rare,
    reconstruct,
    rows,
    several,
    sgd,
    train,
    waves,
    wine,
    words,
)
from watched_fits import ready

from diagnose import Diagnosis
from diagnose.callbacks import TrainingMonitor


def dimmed(data: Data, rng: np.random.Generator) -> Data:
    """Pixels of 0 to 16, as the digits come: not scaled, and yet learned."""
    return replace(data, x=data.x * 16, x_validation=data.x_validation * 16)


def few(data: Data, rng: np.random.Generator) -> Data:
    return replace(data, x=data.x[:60], y=data.y[:60])


def one_hot(data: Data, rng: np.random.Generator) -> Data:
    eye = np.eye(data.outputs, dtype="float32")
    return replace(data, y=eye[data.y], y_validation=eye[data.y_validation])


def warm_up() -> Any:
    return keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.0, 150, warmup_target=5e-3, warmup_steps=30))


def in_batches(data: Data) -> tf.data.Dataset:
    return tf.data.Dataset.from_tensor_slices((data.x, data.y)).shuffle(1000).batch(32)


def group_normalized(training: Training, data: Data) -> keras.Model:
    x = inputs = keras.Input(data.x.shape[1:])
    for filters in (8, 16):
        x = layers.Activation("silu")(layers.GroupNormalization(4)(layers.Conv2D(filters, 3, padding="same")(x)))
        x = layers.MaxPooling2D()(x)
    return keras.Model(inputs, head(training, data)(layers.GlobalAveragePooling2D()(x)))


def maxout(training: Training, data: Data) -> keras.Model:
    x = inputs = keras.Input(data.x.shape[1:])
    for _ in range(2):
        x = layers.Lambda(lambda z: ops.max(ops.reshape(z, (-1, 16, 4)), axis=-1), output_shape=(16,))(D(64)(x))
    return keras.Model(inputs, head(training, data)(x))


def lstm_and_gru(training: Training, data: Data) -> keras.Model:
    inputs = keras.Input(data.x.shape[1:])
    x = layers.GRU(16)(layers.LSTM(16, return_sequences=True)(inputs))
    return keras.Model(inputs, head(training, data)(x))


def smooth(training: Training, data: Data) -> keras.Model:
    x = inputs = keras.Input(data.x.shape[1:])
    for activation in ("gelu", "silu", "softplus", "tanh", "sigmoid"):
        x = D(32, activation)(x)
    return keras.Model(inputs, head(training, data)(x))


def upper_fifth(targets: Any, predictions: Any) -> Any:
    """The loss that is least at the value that four of five targets stay under."""
    error = targets - predictions
    return ops.mean(ops.maximum(0.8 * error, -0.2 * error), axis=-1)


def siren(training: Training, data: Data) -> keras.Model:
    """Sines that learn a function, with the initial weights made for them."""
    inputs = keras.Input(data.x.shape[1:])
    x = D(32, ops.sin, kernel_initializer=keras.initializers.RandomUniform(-1, 1))(inputs)
    x = D(32, ops.sin, kernel_initializer=keras.initializers.RandomUniform(-0.43, 0.43))(x)
    return keras.Model(inputs, head(training, data)(x))


HEALTHY = {
    "relu, deep, with a rate that warms up and decays": Training(
        clusters, depth=8, initializer="he_normal", optimizer=warm_up, epochs=8
    ),
    "relu, one layer, on pixels of 0 to 16": Training(digits, spoil=(dimmed,), depth=1),
    "no hidden layer at all": Training(wine, depth=0, optimizer=adam(0.03), epochs=8, batch_size=16),
    "convolutions": Training(pictures, network=convolutional, epochs=6),
    "convolutions with batch normalization": Training(pictures, network=normalized_convolutional, epochs=6),
    "convolution in time": Training(waves, network=conv_1d, optimizer=adam(0.01), epochs=8),
    "lstm and gru": Training(waves, network=lstm_and_gru, optimizer=adam(0.01), epochs=8),
    "transformer": Training(rows, network=transformer, epochs=6),
    "residual blocks that start at 0": Training(clusters, network=residual, depth=2),
    "autoencoder": Training(digits, spoil=(reconstruct,), network=autoencoder, epochs=8),
    "regression": Training(friedman, epochs=8),
    "regression of little that can be known": Training(diabetes, width=8, depth=1, epochs=12),
    "sines, by absolute error": Training(bumps, network=siren, loss="mae", epochs=8),
    "a rare class that can be told": Training(rare, epochs=9),
    "few samples": Training(wine, spoil=(few,), between=lambda: layers.Dropout(0.2), epochs=12, batch_size=8),
    "a frozen base, with momentum": Training(digits, network=frozen_base, optimizer=sgd(0.1, 0.9)),
    "a train_step of one's own": Training(cancer, model=OwnStep, epochs=6),
    "dropout of a half, with accumulated gradients": Training(
        clusters,
        width=128,
        between=lambda: layers.Dropout(0.5),
        optimizer=adam(5e-3, gradient_accumulation_steps=4),
        epochs=10,
    ),
    "two epochs": Training(clusters, epochs=2),
    "several labels at once, in mixed precision": Training(several, precision="mixed_float16", epochs=8),
    "smooth activations, each in one layer": Training(clusters, network=smooth, optimizer=adam(0.01), epochs=8),
    "selu, deep, with alpha dropout": Training(
        clusters, activation="selu", initializer="lecun_normal", depth=5, between=lambda: layers.AlphaDropout(0.05)
    ),
    "yes or no from logits": Training(
        circles,
        last=None,
        loss=keras.losses.BinaryCrossentropy(from_logits=True),
        metrics=[keras.metrics.BinaryAccuracy(threshold=0.0)],
        epochs=12,
    ),
    "flowers, with one-hot labels, smoothed": Training(
        iris,
        spoil=(one_hot,),
        loss=keras.losses.CategoricalCrossentropy(label_smoothing=0.1),
        optimizer=adam(0.01),
        epochs=10,
        batch_size=16,
    ),
    "text": Training(words, network=embedded, optimizer=adam(0.02), epochs=8),
    "layer normalization and weight decay, from a dataset, without validation": Training(
        clusters,
        between=layers.LayerNormalization,
        regularizer=keras.regularizers.L2(1e-4),
        batches=in_batches,
        fit={"validation_data": None},
    ),
    "group normalization": Training(pictures, network=group_normalized, optimizer=adam(0.01), epochs=6),
    "maxout": Training(clusters, network=maxout),
    "a quantile": Training(friedman, loss=upper_fifth, epochs=8),
}


#: Run with each change: one of each architecture and of each kind of task.
FIRST = {
    "relu, one layer, on pixels of 0 to 16",
    "no hidden layer at all",
    "convolutions with batch normalization",
    "convolution in time",
    "transformer",
    "autoencoder",
    "regression of little that can be known",
    "a rare class that can be told",
    "a train_step of one's own",
    "two epochs",
    "several labels at once, in mixed precision",
    "yes or no from logits",
    "text",
    "a quantile",
}


@pytest.mark.parametrize("what", quick(HEALTHY, first=FIRST))
def test_a_healthy_training_is_told_no_cause(what: str) -> None:
    told_nothing(train(HEALTHY[what]))


def told_nothing(diagnosis: Diagnosis) -> None:
    assert diagnosis.causes == (), str(diagnosis)
    assert [finding.rule for finding in diagnosis.findings if finding.severity != "note"] == []
    assert diagnosis.outcome in ("learning", "unknown"), diagnosis.outcome_reason


def fit(model: keras.Model, x: Any, y: Any, **settings: Any) -> Diagnosis:
    monitor = TrainingMonitor()
    ready(model)
    model.fit(x, y, verbose=0, callbacks=[monitor], **settings)
    return monitor.diagnosis


def made_anew(seed: int = 1) -> np.random.Generator:
    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    return np.random.default_rng(seed)


def test_two_outputs_of_different_kinds() -> None:
    data = clusters(made_anew())
    inputs = keras.Input((20,))
    hidden = D(32, "relu")(inputs)
    outputs = {"which": D(5, "softmax", name="which")(hidden), "size": D(1, name="size")(hidden)}
    model = keras.Model(inputs, outputs)
    model.compile(adam()(), {"which": "sparse_categorical_crossentropy", "size": "mse"})
    size = data.x[:, :3].mean(axis=1)
    told_nothing(fit(model, data.x, {"which": data.y, "size": size}, epochs=6))


class KeepsFunctions(keras.Model):
    """Functions as attributes: an activation, a scaling of pixels, and noise on purpose."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.answer = D(32), D(32), D(5, "softmax")
        self.act = lambda z: z * tf.sigmoid(1.7 * z)
        self.rescale = lambda x: x / 255.0
        self.noise = lambda x: x + 0.05 * tf.random.normal(tf.shape(x))

    def call(self, x: Any) -> Any:
        x = self.act(self.first(self.noise(self.rescale(x))))
        return self.answer(tf.nn.relu(self.second(x)))


def test_functions_kept_as_attributes() -> None:
    data = clusters(made_anew())
    model = KeepsFunctions()
    model.compile(adam(0.01)(), "sparse_categorical_crossentropy", metrics=["accuracy"])
    validation = (255 * data.x_validation, data.y_validation)
    diagnosis = fit(model, 255 * data.x, data.y, epochs=10, validation_data=validation)
    told_nothing(diagnosis)
    assert diagnosis.run.notes == []
    assert len(diagnosis.run.meta["profiles"]) == 1  # neither the scaling nor the noise bends anything


@pytest.mark.sweep
def test_a_function_of_ones_own_in_a_recurrent_layer() -> None:
    data = waves(made_anew())
    own = layers.GRU(12, activation=lambda z: tf.tanh(z) + 0.01 * z)
    model = keras.Sequential([keras.Input(data.x.shape[1:]), own, D(3, "softmax")])
    model.compile(adam(0.01)(), "sparse_categorical_crossentropy", metrics=["accuracy"])
    told_nothing(fit(model, data.x, data.y, epochs=8, validation_data=(data.x_validation, data.y_validation)))


class Adversaries(keras.Model):
    """A generator and a critic, each with an optimizer of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.maker = keras.Sequential([keras.Input((4,)), D(16, "relu"), D(2)])
        self.critic = keras.Sequential([keras.Input((2,)), D(16, "leaky_relu"), D(1)])
        self.of_maker, self.of_critic = keras.optimizers.Adam(1e-3), keras.optimizers.Adam(1e-3)

    def call(self, noise: Any) -> Any:
        return self.maker(noise)

    def train_step(self, real: Any) -> dict[str, Any]:
        loss = keras.losses.BinaryCrossentropy(from_logits=True)
        noise = tf.random.normal((tf.shape(real)[0], 4))
        with tf.GradientTape() as tape:
            true, false = self.critic(real), self.critic(self.maker(noise))
            doubt = loss(tf.ones_like(true), true) + loss(tf.zeros_like(false), false)
        own = self.critic.trainable_variables
        self.of_critic.apply(tape.gradient(doubt, own), own)
        with tf.GradientTape() as tape:
            seen = self.critic(self.maker(noise))
            deceit = loss(tf.ones_like(seen), seen)
        own = self.maker.trainable_variables
        self.of_maker.apply(tape.gradient(deceit, own), own)
        return {"doubt": doubt, "deceit": deceit}


def test_two_networks_that_work_against_each_other() -> None:
    """Their losses rise and fall as they should; nothing tells what was achieved, and nothing is made up."""
    data = moons(made_anew())
    model = Adversaries()
    model.compile()
    diagnosis = fit(model, data.x, None, epochs=6)
    assert diagnosis.causes == (), str(diagnosis)
    assert "reports deceit, doubt, and no loss" in diagnosis.outcome_reason


def test_a_distance_between_two_samples() -> None:
    """Its loss wants 0 where the label is 1: the answers are not to be held against the labels."""
    rng = made_anew()
    data = digits(rng)
    one, other = rng.integers(0, len(data.x), (2, 1500))
    alike = data.y[one] == data.y[other]
    kept = alike | (rng.uniform(size=1500) < 0.12)
    code = keras.Sequential([keras.Input((64,)), D(64, "relu"), D(16)])
    inputs = [keras.Input((64,)), keras.Input((64,))]
    apart = code(inputs[0]) - code(inputs[1])
    model = keras.Model(inputs, ops.sqrt(ops.sum(apart**2, axis=-1, keepdims=True) + 1e-7))

    def contrast(labels: Any, distances: Any) -> Any:
        return ops.mean(labels * distances**2 + (1 - labels) * ops.maximum(1 - distances, 0) ** 2)

    model.compile(adam()(), contrast)
    labels = alike[kept][:, None].astype("float32")
    told_nothing(fit(model, [data.x[one[kept]], data.x[other[kept]]], labels, epochs=8))


def test_an_embedding_whose_loss_compares_labels() -> None:
    """The largest of its 16 numbers is no class, though the labels are whole and under 16."""

    def apart(labels: Any, codes: Any) -> Any:
        alike = ops.equal(ops.reshape(labels, (-1, 1)), ops.reshape(labels, (1, -1)))
        distance = ops.sum((codes[:, None] - codes[None]) ** 2, axis=-1)
        return ops.mean(ops.where(alike, distance, ops.maximum(1 - distance, 0)), axis=1)

    data = digits(made_anew())
    model = keras.Sequential([keras.Input((64,)), D(64, "relu"), D(16), layers.UnitNormalization()])
    model.compile(adam()(), apart)
    diagnosis = fit(model, data.x, data.y, epochs=12, validation_data=(data.x_validation, data.y_validation))
    told_nothing(diagnosis)
    assert "no loss and no accuracy is known to read the targets as class numbers" in diagnosis.outcome_reason


@pytest.mark.sweep
def test_quantiles_of_a_count() -> None:
    rng, shares = made_anew(), np.array([0.1, 0.3, 0.5, 0.7, 0.9], "float32")
    x = rng.normal(size=(1000, 4)).astype("float32")
    count = rng.poisson(np.exp(0.4 * x[:, 0] - 0.3 * x[:, 1])).clip(0, 4).astype("float32")

    def pinball(y: Any, answered: Any) -> Any:
        over = ops.reshape(y, (-1, 1)) - answered
        return ops.mean(ops.maximum(shares * over, (shares - 1) * over), axis=1)

    model = keras.Sequential([keras.Input((4,)), D(16, "relu"), D(5)])
    model.compile(adam()(), pinball)
    told_nothing(fit(model, x, count, epochs=12))


def test_features_of_very_different_sizes_behind_a_normalization_of_samples_that_weigh_differently() -> None:
    """What enters the first layer with weights counts, not what enters the model."""
    data = clusters(made_anew())
    size = np.geomspace(1e-3, 1e5, 20)
    x = (data.x * size + size).astype("float32")
    normalization = layers.Normalization()
    normalization.adapt(x)
    model = keras.Sequential([keras.Input((20,)), normalization, D(32, "relu"), D(5, "softmax")])
    model.compile(adam()(), "sparse_categorical_crossentropy", weighted_metrics=["accuracy"])
    weights = np.where(data.y == 0, 3.0, 0.5).astype("float32")
    told_nothing(fit(model, x, data.y, sample_weight=weights, epochs=6))


def test_a_base_frozen_again_and_compiled_with_the_optimizer_it_had() -> None:
    """That optimizer was built for the base, and leaves it alone all the same."""
    data = digits(made_anew())
    base = keras.Sequential([keras.Input((64,)), D(64, "relu")], name="base")
    model = keras.Sequential([keras.Input((64,)), base, D(10, "softmax")])
    for trainable in (True, False):
        base.trainable = trainable
        model.compile(adam()() if trainable else model.optimizer, "sparse_categorical_crossentropy")
        diagnosis = fit(model, data.x, data.y, epochs=4)
        told_nothing(diagnosis)
    assert diagnosis.run.meta["model"]["still_trained"] == ["base/dense/kernel", "base/dense/bias"]
