"""Which rules fire above a note, for ninety sound and faulty functions: worked out by hand, never by the package.

Those of the elementwise functions whose facts are known stand beside these facts, in `known_activations`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from known_activations import TRUTHS, examined
from plain_words import odd_words_in

INF = math.inf


def captured() -> Callable[[Any], Any]:
    alpha = tf.Variable(0.25)
    return lambda z: tf.where(z > 0, z, alpha * z)


def counting() -> Callable[[Any], Any]:
    calls: list[int] = []

    def f(z: Any) -> Any:
        calls.append(1)
        return z * float(len(calls))

    return f


def drifting() -> Callable[[Any], Any]:
    calls: list[int] = []

    def f(z: Any) -> Any:
        calls.append(1)
        return tf.tanh(z) * (1.0 if len(calls) < 30 else 0.9)

    return f


def changing_state() -> Callable[[Any], Any]:
    count = tf.Variable(0.0, trainable=False)

    def f(z: Any) -> Any:
        count.assign_add(1.0)
        return tf.tanh(z)

    return f


def with_gradient(value: Callable[[Any], Any], gradient: Callable[[Any, Any], Any]) -> Callable[[Any], Any]:
    @tf.custom_gradient
    def f(z: Any) -> Any:
        return value(z), lambda upstream: gradient(upstream, z)

    return f


def tanh_slope(z: Any) -> Any:
    return 1 - tf.tanh(z) ** 2


def raising_far_out(z: Any) -> Any:
    tf.debugging.assert_less(tf.abs(z), tf.cast(50.0, z.dtype))
    return tf.tanh(z)


def of_rank_three(z: Any) -> Any:
    if z.shape.rank != 3:
        raise ValueError(f"expected (batch, time, features), got {z.shape}")
    return tf.tanh(z)


def printing(z: Any) -> Any:
    print("in here")
    return tf.tanh(z)


def outer(z: Any) -> Any:
    flat = tf.reshape(z, [-1])
    return tf.reshape(flat + 0 * tf.reduce_sum(flat[:, None] * flat[None, :], axis=1), tf.shape(z))


class Swish(keras.layers.Layer):
    """A layer of a user's own, with a trained parameter for each unit."""

    def build(self, shape: Any) -> None:
        self.beta = self.add_weight(shape=(shape[-1],), initializer="ones")

    def call(self, z: Any) -> Any:
        return z * keras.ops.sigmoid(self.beta * z)


class WithoutConfig(keras.layers.Layer):
    """A layer that get_config does not describe."""

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.scale = scale

    def call(self, z: Any) -> Any:
        return keras.ops.tanh(self.scale * z)


#: name: (function, rules that fire above a note). The facts behind each are in the comment, worked out by hand.
EXPECTED: dict[str, tuple[Any, set[str]]] = {
    "softmax": ("softmax", set()),
    "log_softmax": ("log_softmax", set()),
    "glu": ("glu", set()),
    "sparsemax": ("sparsemax", set()),
    "Softmax layer": (keras.layers.Softmax(), set()),
    "unit norm": (lambda z: tf.math.l2_normalize(z, axis=-1, epsilon=1e-6), set()),
    "layer of a user": (Swish(), set()),
    "layer without a config": (WithoutConfig(1.0), set()),
    "dropout layer": (keras.layers.Dropout(0.5), set()),
    "batch normalization": (keras.layers.BatchNormalization(), set()),
    "tf.function, jitted": (tf.function(lambda z: tf.nn.elu(z), jit_compile=True), set()),
    "straight-through round": (lambda z: z + tf.stop_gradient(tf.round(z) - z), set()),
    "double where": (lambda z: tf.where(z > 0, z, tf.math.expm1(tf.where(z > 0, tf.zeros_like(z), z))), set()),
    "printing": (printing, set()),
    "of rank three": (of_rank_three, set()),
    "crelu": (lambda z: tf.concat([tf.nn.relu(z), tf.nn.relu(-z)], axis=-1), set()),
    # faulty from here on
    # slope 30, turning each 0.105
    "fast sine": (lambda z: tf.sin(30 * z), {"non-monotonic-activation", "steep-activation"}),
    # turning at 0.52, 1.57, 2.62; slope 3
    "sine of three": (lambda z: tf.sin(3 * z), {"non-monotonic-activation"}),
    # slope 5 z^4: 1280 at 4; under 40.5 for |z| < 1.69: 91 %
    "fifth power": (lambda z: z**5, {"flat-activation", "steep-activation", "unstable-signal"}),
    # slope 2 z: 8 at 4, under 0.6 for |z| < 0.3: 24 %; E z^4 = 3, so q goes to 3 q^2 or more
    "square": (tf.square, {"unstable-signal"}),
    # slope 20 at 0, under 0.2 for |z| > 0.15: 88 %
    "steep tanh": (lambda z: tf.tanh(20 * z), {"saturating-activation", "steep-activation"}),
    "narrow gaussian": (lambda z: tf.exp(-((10 * z) ** 2)), {"saturating-activation"}),
    # flat for z < 2: 98 % of the mass; E f^2 = 0.0058, so each layer loses more
    "shifted relu": (lambda z: tf.nn.relu(z - 2), {"flat-activation", "unstable-signal"}),
    "relu cut at a thousandth": (
        lambda z: tf.clip_by_value(z, 0.0, 1e-3),
        {"badly-scaled-activation", "saturating-activation", "unstable-signal"},
    ),
    "times 1e5": (lambda z: 1e5 * z, {"badly-scaled-activation", "steep-activation", "unstable-signal"}),
    "times 1e-3": (lambda z: 1e-3 * z, {"badly-scaled-activation", "unstable-signal"}),
    "elu by hand": (lambda z: tf.where(z > 0, z, tf.exp(z) - 1), {"nan-gradient-activation"}),
    "softplus by hand": (lambda z: tf.math.log(1 + tf.exp(z)), {"overflowing-activation"}),
    "exp of a square": (
        lambda z: tf.exp(z * z),
        {"overflowing-activation", "steep-activation", "unstable-signal", "flat-activation", "badly-scaled-activation"},
    ),
    # exp(-z) is infinite from z = -88.7 down; 1 / inf is a fine 0, but its slope is inf / inf^2
    "sigmoid by hand": (lambda z: 1 / (1 + tf.exp(-z)), {"nan-gradient-activation"}),
    "root": (lambda z: tf.sqrt(tf.abs(z)), {"nan-gradient-activation", "steep-activation"}),
    "root with epsilon": (lambda z: tf.sqrt(tf.abs(z) + 0.01), set()),
    # a step: its slope is 0 but for rounding
    "sign by division": (lambda z: z / tf.abs(z), {"overflowing-activation", "gradientless-activation"}),
    "z over z": (lambda z: z / z, {"overflowing-activation", "constant-activation"}),
    "logarithm": (tf.math.log, {"overflowing-activation", "steep-activation", "unstable-signal"}),
    "round": (tf.round, {"gradientless-activation"}),
    "sign": (tf.sign, {"gradientless-activation"}),
    "floor": (tf.floor, {"gradientless-activation"}),
    "stopped": (lambda z: tf.stop_gradient(tf.tanh(z)), {"gradientless-activation"}),
    "integers": (lambda z: tf.cast(z, tf.int32), {"gradientless-activation", "dtype-changing-activation"}),
    "one hot": (lambda z: tf.one_hot(tf.argmax(z, -1), tf.shape(z)[-1], dtype=z.dtype), {"gradientless-activation"}),
    "wrong sign": (with_gradient(tf.tanh, lambda u, z: -u * tanh_slope(z)), {"wrong-gradient-activation"}),
    "wrong scale": (with_gradient(tf.tanh, lambda u, z: 2 * u * tanh_slope(z)), {"wrong-gradient-activation"}),
    "a relu with no upstream": (
        with_gradient(tf.nn.relu, lambda u, z: tf.cast(z > 0, z.dtype)),
        {"wrong-gradient-activation"},
    ),
    "no upstream": (with_gradient(tf.tanh, lambda u, z: tanh_slope(z)), {"wrong-gradient-activation"}),
    "constant": (lambda z: 0.0 * z + 3.0, {"constant-activation"}),
    "softmax over the batch": (lambda z: tf.nn.softmax(z, axis=0), {"mixing-activation"}),
    "less the mean of all": (lambda z: z - tf.reduce_mean(z), {"mixing-activation"}),
    "sum of all": (tf.reduce_sum, {"mixing-activation"}),
    "running sum": (lambda z: tf.cumsum(z, axis=-1), {"mixing-activation"}),
    "neighbour": (lambda z: z - tf.roll(z, 1, axis=-1), {"mixing-activation"}),
    "one more axis": (lambda z: z[..., None], {"mixing-activation"}),
    "noise": (lambda z: z + tf.random.normal(tf.shape(z), dtype=z.dtype), {"impure-activation"}),
    "counting": (counting(), {"impure-activation"}),
    "drifting": (drifting(), {"impure-activation"}),
    "changing state": (changing_state(), {"impure-activation"}),
    "captured parameter": (captured(), {"untracked-parameter"}),
    "always float32": (lambda z: tf.tanh(tf.cast(z, tf.float32)), {"dtype-changing-activation"}),
    "through NumPy": (np.tanh, {"failing-activation"}),
    "nothing": (lambda z: None, {"failing-activation"}),
    "a list": (lambda z: [z], {"failing-activation"}),
    "strings": (tf.as_string, {"failing-activation"}),
    "complex": (lambda z: tf.cast(z, tf.complex64), {"failing-activation"}),
    "two arguments": (lambda z, a: z * a, {"failing-activation"}),
    "raising far out": (raising_far_out, {"failing-activation"}),
    "too large": (lambda z: z + tf.reduce_sum(tf.zeros([200_000, 200_000])), {"failing-activation"}),
    "too large, in NumPy": (lambda z: z + np.ones((10**6, 10**6)).sum(), {"failing-activation"}),
    "Python's if": (lambda z: z if float(tf.reduce_max(z)) > -1e30 else -z, {"failing-activation"}),
}  # fmt: skip


def test_the_table_holds_what_was_promised():
    expected = [rules for _, rules in EXPECTED.values()] + [truth.rules for truth in TRUTHS.values()]
    assert len(expected) >= 90 and len([rules for rules in expected if rules]) >= 40


def test_every_activation_of_keras_is_in_the_table():
    from diagnose.comparing import keras_activations

    names = {(getattr(f, "func", None) and f.func.__name__) or f for f in keras_activations()}
    assert names <= {*EXPECTED, *TRUTHS}


@pytest.mark.parametrize("name", EXPECTED)
def test_the_rules_that_fire_are_those_expected(name):
    f, rules = EXPECTED[name]
    found = examined(f)
    assert {finding.rule for finding in found.findings if finding.severity != "note"} == rules
    assert [verdict for verdict in found.not_measured if "the rule itself failed" in verdict.reason] == []
    for finding in found.findings:
        assert finding.message and finding.remedy and finding.refute and finding.blames[0] == "activation"
    assert odd_words_in(found.findings) == []
