"""Activations that nobody passes on: written in the `call` of a layer or model, or between those of a functional model.

What is found of many of them is asked of one model that holds them all, so that one step is traced.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops
from watched_fits import made_anew, numbers, watched

from diagnose.callbacks import TrainingMonitor
from diagnose.callbacks.observing.reading import Reading
from diagnose.callbacks.observing.tensorflow.functions import function_name
from diagnose.callbacks.observing.tensorflow.inline_function import InlineFunction
from diagnose.callbacks.observing.tensorflow.shadow_step import ShadowStep
from diagnose.callbacks.observing.tensorflow.taps import Tap

D = layers.Dense
UNITS = 8

fresh = pytest.fixture(autouse=True)(made_anew)


class Own(layers.Layer):
    """A layer of the user's own, with all that the bodies below need."""

    def __init__(self, body: Callable[[Any, Any], Any], name: str) -> None:
        super().__init__(name=name)
        self._body = body
        self.first, self.second = D(UNITS), D(UNITS)
        self.norm, self.drop = layers.LayerNormalization(), layers.Dropout(0.5)
        self.seeds = keras.random.SeedGenerator(1)

    def build(self, shape: Any) -> None:
        for layer in (self.first, self.second, self.norm):
            layer.build((None, UNITS))
        self.kernel = self.add_weight(shape=(UNITS, UNITS), name="kernel")
        self.bias = self.add_weight(shape=(UNITS,), initializer="ones", name="bias")
        self.slope = self.add_weight(shape=(UNITS,), initializer="ones", name="slope")

    def call(self, x: Any) -> Any:
        return self._body(self, x)


def gelu_by_hand(z: Any) -> Any:
    return 0.5 * z * (1 + ops.tanh(np.sqrt(2 / np.pi) * (z + 0.044715 * z**3)))


def swish(z: Any) -> Any:
    return z * ops.sigmoid(z)


def softmax_by_hand(self: Own, x: Any) -> Any:
    e = ops.exp(self.first(x))
    return e / ops.sum(e, axis=-1, keepdims=True)


def unit_length(self: Own, x: Any) -> Any:
    z = self.first(x)
    return z / ops.sqrt(ops.sum(z**2, axis=-1, keepdims=True) + 1e-6)


def layer_norm_by_hand(self: Own, x: Any) -> Any:
    z = self.first(x)
    centred = z - ops.mean(z, axis=-1, keepdims=True)
    return centred * ops.rsqrt(ops.mean(ops.square(centred), axis=-1, keepdims=True) + 1e-5)


def variance_by_hand(self: Own, x: Any) -> Any:
    z = self.first(x)
    return (z - ops.mean(z, axis=-1, keepdims=True)) / ops.sqrt(ops.var(z, axis=-1, keepdims=True) + 1e-5)


def squeezed(self: Own, x: Any) -> Any:
    z = ops.tanh(self.first(x))
    return z * ops.sigmoid(self.second(ops.mean(z, axis=-1, keepdims=True) * ops.ones_like(z)))


def sampled(self: Own, x: Any) -> Any:
    mean, log_variance = self.first(x), self.second(x)
    self.add_loss(-0.5 * ops.mean(1 + log_variance - ops.square(mean) - ops.exp(log_variance)))
    noise = keras.random.normal(ops.shape(mean), seed=self.seeds)
    return mean + ops.exp(0.5 * log_variance) * noise


def own_kernel(self: Own, x: Any) -> Any:
    return ops.exp(-((x @ self.kernel + self.bias) ** 2))


def learned_slope(self: Own, x: Any) -> Any:
    z = self.first(x)
    return ops.where(z > 0, z, self.slope * z)


def distances(self: Own, x: Any) -> Any:
    squares = ops.square(ops.expand_dims(x, -1) - self.kernel)
    return ops.exp(-ops.sum(squares, axis=1))


def rounded_straight_through(self: Own, x: Any) -> Any:
    z = self.first(x)
    return z + ops.stop_gradient(ops.round(z) - z)


def attention(self: Own, x: Any) -> Any:
    scores = ops.matmul(self.first(x), ops.transpose(self.second(x)))
    future = ops.triu(ops.ones_like(scores), k=1)
    return ops.matmul(ops.softmax(scores - 1e9 * future), self.second(x))


#: By name: what a `call` computes, and which functions with which roles are found in it.
BODIES: dict[str, tuple[Callable[[Own, Any], Any], list[tuple[str, str]]]] = {
    "wave": (lambda self, x: ops.sin(30 * self.first(x)), [("sin(30 * x)", "hidden")]),
    "own_kernel": (own_kernel, [("exp(-(x ** 2))", "hidden")]),
    "learned_slope": (learned_slope, [("where(x > 0, x, slope * x)", "hidden")]),
    "clipped": (lambda self, x: ops.clip(self.first(x), -1, 1), [("clip_by_value", "hidden")]),
    "log": (lambda self, x: ops.log1p(ops.abs(self.first(x))), [("log1p(abs(x))", "hidden")]),
    "cube": (lambda self, x: self.first(x) ** 3, [("x ** 3", "hidden")]),
    "gelu": (lambda self, x: ops.gelu(self.first(x)), [("gelu", "hidden")]),
    "gelu_by_hand": (lambda self, x: gelu_by_hand(self.first(x)), [("gelu_by_hand", "hidden")]),
    "swish": (lambda self, x: swish(self.first(x)), [("x * sigmoid(x)", "hidden")]),
    "hard_silu": (lambda self, x: keras.activations.hard_silu(self.first(x)), [("hard_silu", "hidden")]),
    "tf": (lambda self, x: tf.nn.leaky_relu(self.first(x)), [("leaky_relu", "hidden")]),
    "twice": (lambda self, x: ops.relu(self.second(ops.relu(self.first(x)))), [("relu", "hidden")] * 2),
    "residual": (lambda self, x: x + ops.relu(self.norm(self.first(x))), [("relu", "hidden")]),
    "gated": (lambda self, x: ops.sigmoid(self.first(x)) * self.second(x), [("sigmoid", "gate")]),
    "squeezed": (squeezed, [("tanh", "hidden"), ("sigmoid", "gate")]),
    "dropped": (lambda self, x: self.second(self.drop(ops.elu(self.first(x)))), [("elu", "hidden")]),
    "rounded": (rounded_straight_through, [("x + (round(x) - x)", "hidden")]),
    "sampled": (sampled, [("exp(0.5 * x)", "hidden")]),
    "distances": (distances, [("exp(-x)", "hidden")]),
    # No activations:
    "scaled": (lambda self, x: 3 * self.first(x) - 1, []),
    "softmax_by_hand": (softmax_by_hand, []),
    "unit_length": (unit_length, []),
    "layer_norm_by_hand": (layer_norm_by_hand, []),
    "variance_by_hand": (variance_by_hand, []),
    "attention": (attention, []),
}


def step_of(model: keras.Model) -> tuple[list[Tap], Reading, ShadowStep]:
    """The inline taps of a model, what one step on normal numbers read at them, and the step."""
    model.compile("sgd", "mse")
    x, y = tf.constant(numbers(UNITS)), tf.constant(numbers(1))
    spec = tuple(tf.TensorSpec([None, *each.shape[1:]], each.dtype) for each in (x, y))
    model.optimizer.build(model.trainable_variables)
    shadow = ShadowStep(model, spec, rows=len(x))
    return [tap for tap in shadow.taps if isinstance(tap.function, InlineFunction)], shadow((x, y)), shadow


@pytest.fixture(scope="module")
def all_of_them() -> tuple[list[Tap], Reading, ShadowStep]:
    made_anew()
    sequence = [layer for name, (body, _) in BODIES.items() for layer in (Own(body, name), layers.LayerNormalization())]
    return step_of(keras.Sequential([keras.Input((UNITS,)), *sequence, D(1)]))


@pytest.mark.parametrize("name", BODIES)
def test_an_activation_written_in_a_call_is_a_site_and_other_computations_are_none(name: str, all_of_them: Any):
    taps, _, shadow = all_of_them
    found = [(function_name(tap.function), tap.role) for tap in taps if tap.owner.name == name]
    assert found == BODIES[name][1]
    assert shadow.missed == {}


def test_a_site_has_the_name_of_its_layer_and_of_its_function_where_there_are_others(all_of_them: Any):
    taps, _, _ = all_of_them
    names = [tap.where.removeprefix("sequential/") for tap in taps if tap.owner.name in ("wave", "twice", "squeezed")]
    assert names == ["wave", "twice", "twice@2", "squeezed/tanh", "squeezed/sigmoid"]


def test_what_keras_offers_is_not_the_users_own_function(all_of_them: Any):
    taps, _, _ = all_of_them
    keras_own = {function_name(tap.function) for tap in taps if not tap.function.custom}
    assert keras_own == {"relu", "elu", "leaky_relu", "sigmoid", "tanh", "gelu", "hard_silu", "clip_by_value"}


def test_values_slopes_and_gradients_are_those_of_the_same_function_passed_as_an_activation():
    """The same network, with the function given to its layer and with the function written in a call."""

    def wave(z: Any) -> Any:
        return ops.sin(3 * z)

    given = keras.Sequential([keras.Input((UNITS,)), D(UNITS, wave), D(1)])
    written = keras.Sequential(
        [keras.Input((UNITS,)), Own(lambda self, x: ops.sin(3 * self.first(x)), name="own"), D(1)]
    )
    written.layers[0].first.set_weights(given.layers[0].get_weights())
    written.layers[1].set_weights(given.layers[1].get_weights())
    (one,) = [site for site in step_of(given)[1].sites if site.where == "sequential/dense"]
    (other,) = [site for site in step_of(written)[1].sites if site.where == "sequential_1/own"]
    for name in ("z", "a", "slope", "alive", "constant"):
        np.testing.assert_allclose(getattr(other, name), getattr(one, name), rtol=1e-5, atol=1e-6)
    numbers_of_one = {name: value for name, value in one.numbers.items() if name != "mixing"}
    assert other.numbers == pytest.approx(numbers_of_one, rel=1e-4)


def test_what_is_computed_of_the_data_before_any_weight_is_no_activation():
    body = Own(lambda self, x: ops.cast(x != 0, "float32") * self.first(ops.log1p(x * x)), "masked")
    assert step_of(keras.Sequential([keras.Input((UNITS,)), body, D(1)]))[0] == []


class Written(keras.Model):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.answer = D(UNITS), D(UNITS), D(1)

    def call(self, x: Any) -> Any:
        return self.answer(ops.exp(-(self.second(ops.relu(self.first(x))) ** 2)))


def test_functions_in_the_call_of_a_model_are_named_beside_it():
    model = Written()
    model(np.zeros((1, UNITS), "float32"))
    taps, _, _ = step_of(model)
    assert [tap.where for tap in taps] == ["written/relu", "written/exp"]


def test_operations_among_the_layers_of_a_functional_model_are_sites():
    inputs = keras.Input((UNITS,))
    hidden = ops.sin(30 * D(UNITS)(inputs))
    taps, _, _ = step_of(keras.Model(inputs, D(1)(ops.relu(D(UNITS)(hidden)))))
    assert [(tap.where, function_name(tap.function)) for tap in taps] == [
        ("functional/sin", "sin(30 * x)"),
        ("functional/relu", "relu"),
    ]


def test_a_folded_sine_in_a_layer_of_ones_own_is_named_where_it_is_written():
    body = Own(lambda self, x: ops.sin(30 * self.first(x)), "wave")
    model = keras.Sequential([keras.Input((UNITS,)), body, D(1)])
    diagnosis = watched(model, numbers(UNITS), numbers(1), epochs=4).diagnosis
    found = {(finding.rule, finding.where) for finding in diagnosis.findings}
    assert ("folded-activation", "sequential/wave") in found
    assert "unsavable-activation" not in {finding.rule for finding in diagnosis.findings}


def test_a_fit_with_activations_written_inline_trains_to_the_weights_of_a_bare_one():
    def trained(*callbacks: keras.callbacks.Callback) -> list[np.ndarray]:
        made_anew()
        names = ("wave", "learned_slope", "sampled")
        model = keras.Sequential([keras.Input((UNITS,)), *[Own(BODIES[name][0], name) for name in names], D(1)])
        model.compile("adam", "mse")
        model.fit(numbers(UNITS), numbers(1), batch_size=16, epochs=1, verbose=0, callbacks=list(callbacks))
        return model.get_weights()

    for bare, seen in zip(trained(), trained(TrainingMonitor(every=1)), strict=True):
        np.testing.assert_array_equal(bare, seen)


def test_a_function_made_of_operations_computes_in_any_precision_and_shape(all_of_them: Any):
    taps, _, _ = all_of_them
    wave = next(tap.function for tap in taps if tap.owner.name == "wave")
    z = np.linspace(-1, 1, 7)
    np.testing.assert_allclose(wave(tf.constant(z)), np.sin(30 * z), rtol=1e-12)
    assert wave(tf.constant(z, tf.float16)).dtype == tf.float16


def test_where_they_cannot_be_looked_for_all_others_are_still_read(monkeypatch: pytest.MonkeyPatch):
    def fails(*_: Any) -> Any:
        raise RuntimeError("no such graph")

    monkeypatch.setattr("diagnose.callbacks.observing.tensorflow.inline_sites.depends_on", fails)
    model = keras.Sequential(
        [keras.Input((UNITS,)), Own(lambda self, x: ops.sin(self.first(x)), "wave"), D(UNITS, "relu"), D(1)]
    )
    monitor = watched(model, numbers(UNITS), numbers(1), epochs=1)
    assert {site.function for site in monitor.run.facts.sites} == {"linear", "relu"}
    assert monitor.run.observations > 0
    assert any("no such graph" in entry.reason for entry in monitor.diagnosis.not_measured)
