"""Activations as users write them: names, functions, Lambda and other layers, with variables, with counters."""

from __future__ import annotations

import functools
from typing import Any

import keras
import tensorflow as tf
from keras import layers, ops

from generated.choices import Choices


def bend(z):
    return z * ops.sigmoid(1.5 * z)


def wave(z):
    return tf.sin(z) + 0.1 * z


def scaled(z, factor):
    return ops.tanh(factor * z)


@keras.saving.register_keras_serializable("generated")
def registered(z):
    return ops.relu(z) ** 2


@tf.custom_gradient
def own_gradient(z):
    return tf.nn.relu(z), lambda dy: dy * tf.cast(z > -0.5, dy.dtype)


class Counts:
    """Callable, with a Python counter that each trace moves on."""

    def __init__(self):
        self.calls = 0

    def __call__(self, z):
        self.calls += 1
        return ops.softplus(z)


def counting():
    """A function that counts its calls where only its closure can be looked into, and numbers what it does by them."""
    calls = []

    def counted(z):
        calls.append(len(calls))
        return ops.elu(z)

    return counted


def over_a_variable():
    slope = tf.Variable(0.3, trainable=False)
    return lambda z: tf.maximum(z, tf.cast(slope, z.dtype) * z)


def stepping():
    """A function with a variable of its own that each step moves."""
    steps = tf.Variable(0.0, trainable=False)

    def stepped(z):
        steps.assign_add(1.0)
        return ops.tanh(z) * tf.cast(1.0 + 0.01 * steps, z.dtype)

    return stepped


class Learned(layers.Layer):
    """With a trainable slope."""

    def build(self, shape):
        self.slope = self.add_weight(shape=(shape[-1],), initializer="ones", name="slope")

    def call(self, z):
        return z * ops.sigmoid(self.slope * z)


class Counted(layers.Layer):
    """With a variable that counts calls in training."""

    def build(self, shape):
        self.count = self.add_weight(shape=(), initializer="zeros", trainable=False, name="count", dtype="float32")

    def call(self, z, training=False):
        if training:
            self.count.assign(self.count + 1.0)
        return ops.leaky_relu(z, 0.1)


class Annealed(layers.Layer):
    """Moves its own untracked Python number at each call."""

    def __init__(self):
        super().__init__()
        self.heat, self.calls = 1.0, 0

    def call(self, z):
        self.calls += 1
        self.heat *= 0.99
        return ops.tanh(z / self.heat)


class Noisy(layers.Layer):
    """Draws from Keras' global seed and from TensorFlow's."""

    def call(self, z, training=False):
        if not training:
            return z
        shape = tf.shape(z)
        return z + 0.1 * keras.random.normal(shape, dtype=z.dtype) + 0.1 * tf.random.normal(shape, dtype=z.dtype)


class Held(layers.Layer):
    """Calls a function that it keeps as an attribute."""

    def __init__(self):
        super().__init__()
        self.activation = wave

    def call(self, z):
        return self.activation(z)


#: What may be given as `activation=`.
ACTIVATIONS = {
    "relu": lambda: "relu",
    "none": lambda: None,
    "tanh": lambda: "tanh",
    "sigmoid": lambda: "sigmoid",
    "softmax": lambda: "softmax",
    "gelu": lambda: keras.activations.gelu,
    "hard_silu": lambda: "hard_silu",
    "elu": lambda: "elu",
    "PReLU": lambda: layers.PReLU(),
    "LeakyReLU": lambda: layers.LeakyReLU(0.2),
    "own function": lambda: bend,
    "own TensorFlow function": lambda: wave,
    "tf.nn": lambda: tf.nn.selu,
    "lambda": lambda: lambda z: z - ops.tanh(z),
    "partial": lambda: functools.partial(scaled, factor=2.0),
    "registered": lambda: registered,
    "custom gradient": lambda: own_gradient,
    "tf.function": lambda: tf.function(wave),
    "counting object": Counts,
    "counting closure": counting,
    "over a variable": over_a_variable,
    "moving a variable": stepping,
}

#: What may stand as a layer of its own.
ACTIVATION_LAYERS = {
    "ReLU": lambda: layers.ReLU(),
    "Activation": lambda: layers.Activation(bend),
    "Softmax": lambda: layers.Softmax(),
    "Lambda": lambda: layers.Lambda(bend),
    "Lambda of a lambda": lambda: layers.Lambda(lambda z: ops.sin(z)),
    "learned": Learned,
    "counted": Counted,
    "annealed": Annealed,
    "noisy": Noisy,
    "held": Held,
    "elu": lambda: layers.ELU(),
}


def activation(choices: Choices, name: str) -> Any:
    """What to give as `activation=` there."""
    return choices.from_table(name, ACTIVATIONS, plain=0.25)()
