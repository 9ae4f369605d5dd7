"""Networks of other kinds than a stack of dense layers: each takes a training and its data, and gives a model."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers
from trainings import D, Data, Training, head


def convolutional(training: Training, data: Data) -> keras.Model:
    x = inputs = keras.Input(data.x.shape[1:])
    for filters in (8, 16):
        x = layers.Conv2D(filters, 3, padding="same", activation=training.activation)(x)
        x = layers.MaxPooling2D()(x)
    return training.model(inputs, head(training, data)(layers.Dropout(0.2)(layers.Flatten()(x))))


def normalized_convolutional(training: Training, data: Data) -> keras.Model:
    x = inputs = keras.Input(data.x.shape[1:])
    for filters in (8, 16):
        x = layers.Conv2D(filters, 3, strides=2, padding="same", use_bias=False)(x)
        x = layers.Activation(training.activation)(layers.BatchNormalization()(x))
    return training.model(inputs, head(training, data)(layers.GlobalAveragePooling2D()(x)))


def lstm(training: Training, data: Data) -> keras.Model:
    inputs = keras.Input(data.x.shape[1:])
    return training.model(inputs, head(training, data)(layers.LSTM(training.width)(inputs)))


def gru(training: Training, data: Data) -> keras.Model:
    inputs = keras.Input(data.x.shape[1:])
    return training.model(inputs, head(training, data)(layers.GRU(training.width)(inputs)))


def conv_1d(training: Training, data: Data) -> keras.Model:
    inputs = keras.Input(data.x.shape[1:])
    x = layers.Conv1D(16, 5, activation=training.activation, padding="same")(inputs)
    return training.model(inputs, head(training, data)(layers.GlobalMaxPooling1D()(x)))


def transformer(training: Training, data: Data) -> keras.Model:
    inputs = keras.Input(data.x.shape[1:])
    x = D(32)(inputs)
    x = layers.LayerNormalization()(x + layers.MultiHeadAttention(2, 16)(x, x))
    x = layers.LayerNormalization()(x + D(32)(D(64, "gelu")(x)))
    return training.model(inputs, head(training, data)(layers.GlobalAveragePooling1D()(x)))


def residual(training: Training, data: Data) -> keras.Model:
    inputs = keras.Input(data.x.shape[1:])
    x = D(training.width)(inputs)
    for _ in range(training.depth):
        inner = D(training.width, training.activation)(layers.LayerNormalization()(x))
        x = x + D(training.width, kernel_initializer="zeros")(inner)
    return training.model(inputs, head(training, data)(x))


def embedded(training: Training, data: Data) -> keras.Model:
    inputs = keras.Input(data.x.shape[1:], dtype="int32")
    x = layers.GlobalAveragePooling1D()(layers.Embedding(200, 16)(inputs))
    return training.model(inputs, head(training, data)(D(training.width, training.activation)(x)))


def autoencoder(training: Training, data: Data) -> keras.Model:
    inputs = keras.Input(data.x.shape[1:])
    code = D(12, training.activation)(D(32, training.activation)(inputs))
    return training.model(inputs, head(training, data)(D(32, training.activation)(code)))


def frozen_base(training: Training, data: Data) -> keras.Model:
    """A base of fixed random features under a head that learns, as in transfer learning."""
    inputs = keras.Input(data.x.shape[1:])
    base = keras.Sequential([keras.Input(data.x.shape[1:]), D(128, "relu", name="features")], name="base")
    base.trainable = False
    return training.model(inputs, head(training, data)(base(inputs, training=False)))


class OwnStep(keras.Model):
    """A model with a training step of its own, as users write it; what they may forget in it can be left out."""

    applies = True  # the gradients
    reports = True  # the loss

    def train_step(self, given: Any) -> dict[str, Any]:
        import tensorflow as tf

        x, y = given[0], given[1]
        with tf.GradientTape() as tape:
            answered = self(x, training=True)
            loss = self.compute_loss(x, y, answered)
        gradients = tape.gradient(loss, self.trainable_variables)
        if self.applies:
            self.optimizer.apply(gradients, self.trainable_variables)
        for metric in self.metrics:
            if metric.name != "loss":
                metric.update_state(y, answered)
            elif self.reports:
                metric.update_state(loss)
        return {metric.name: metric.result() for metric in self.metrics}
