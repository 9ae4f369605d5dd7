"""By which names outputs are known, and where the parts of recurrent and other composed layers lie."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops
from watched_fits import SIZE, made_anew, numbers, watched

from diagnose.rules.evidence.gradients import kernels
from diagnose.run.layout import Layout

D = layers.Dense

fresh = pytest.fixture(autouse=True)(made_anew)


# Outputs.


def two_heads(names: tuple[str, str], as_dict: bool) -> keras.Model:
    inputs = keras.Input((6,))
    hidden = D(16, "relu")(inputs)
    heads = {"size": D(1, name="size")(hidden), "kind": D(2, "softmax", name="kind")(hidden)}
    outputs = {name: heads[name] for name in names}
    return keras.Model(inputs, outputs if as_dict else [outputs[name] for name in names])


@pytest.mark.parametrize("as_dict", [True, pytest.param(False, marks=pytest.mark.sweep)])
def test_outputs_have_the_names_that_keras_logs_them_by(as_dict: bool):
    x = numbers(6)
    y = {"kind": (x[:, 0] > 0).astype(int), "size": x[:, 1]}
    losses = {"kind": "sparse_categorical_crossentropy", "size": "mse"}
    run = watched(two_heads(("size", "kind"), as_dict), x, y, losses).run
    assert set(run.places("skill.train")) == set(run.meta["task"]["outputs"]) == {"kind", "size"}
    assert {f"{where}_loss" for where in run.places("prediction.nonfinite")} <= set(run.history)
    assert {output["name"] for output in run.meta["audit"]["outputs"]} == {"kind", "size"}


def test_labels_given_by_name_meet_the_output_of_that_name():
    """Keras flattens a dict in the order of its keys, and these outputs come in another one."""
    x = numbers(6)
    y = {"kind": (x[:, 0] > 0).astype(int), "size": np.zeros(SIZE)}
    losses = {"kind": "sparse_categorical_crossentropy", "size": "mse"}
    run = watched(two_heads(("size", "kind"), False), x, y, losses, epochs=12).run
    assert run.meta["task"]["outputs"]["kind"]["kind"] == "categorical"
    assert run.series("skill.train", "kind").values[-1] > 0.7


class Pair(keras.Model):
    def __init__(self) -> None:
        super().__init__()
        self.hidden, self.one, self.other = D(16, "relu"), D(1), D(1)

    def call(self, x: Any) -> Any:
        hidden = self.hidden(x)
        return [self.one(hidden), self.other(hidden)]


def test_outputs_that_keras_has_no_names_for_are_counted():
    run = watched(Pair(), numbers(6), [numbers(1), numbers(1, seed=1)]).run
    assert run.places("skill.train") == ("0", "1")


def test_a_single_output_is_the_whole_model():
    model = keras.Sequential([layers.Input((6,)), D(1, name="answer")])
    assert watched(model, numbers(6), numbers(1)).run.places("skill.train") == ("",)


def test_the_output_that_does_not_learn_is_named_beside_one_that_does():
    """The head `lost` gets nothing of the input through its dead layer."""
    inputs = keras.Input((6,))
    dead = D(8, "relu", bias_initializer=lambda shape, dtype: tf.fill(shape, tf.constant(-1000.0)))(inputs)
    model = keras.Model(inputs, {"found": D(1, name="found")(inputs), "lost": D(1, name="lost")(dead)})
    x = numbers(6)
    diagnosis = watched(model, x, {"found": x[:, :1], "lost": x[:, :1]}, epochs=80, rate=0.03, every=15).diagnosis
    assert diagnosis.outcome == "not-learning"
    assert "of output `lost`" in diagnosis.outcome_reason and "`found`: R squared" in diagnosis.outcome_reason
    assert any(cause.rule == "dead-units" for cause in diagnosis.causes)


# Inside a loop.


def cube(z: Any) -> Any:
    return z**3


def exploding(z: Any) -> Any:
    return ops.exp(z)


def recurrent(layer: layers.Layer, *before: layers.Layer) -> keras.Model:
    return keras.Sequential([layers.Input((20, 3)), *before, layer, D(2, "softmax")])


def test_the_functions_of_a_recurrent_layer_are_examined_on_their_own_and_told_at_the_layer():
    model = recurrent(layers.LSTM(4, activation=cube, recurrent_activation=lambda z: ops.sin(30 * z), name="memory"))
    x = 0.01 * numbers(20, 3)
    monitor = watched(model, x, np.arange(SIZE) % 2, "sparse_categorical_crossentropy", epochs=1)
    assert set(monitor.run.meta["profiles"]) == {"cube", "<lambda>"}
    told = {finding.rule: finding.where for finding in monitor.diagnosis.findings}
    memory = model.get_layer("memory").path
    assert told["non-monotonic-activation"] == told["flat-activation"] == memory
    assert any(each.where.startswith(memory) and "loop" in each.reason for each in monitor.diagnosis.not_measured)


@pytest.mark.parametrize(
    ("layer", "function"),
    [
        (layers.SimpleRNN, exploding),
        pytest.param(layers.GRU, cube, marks=pytest.mark.sweep),
        pytest.param(layers.SimpleRNN, keras.activations.exponential, marks=pytest.mark.sweep),
    ],
)
def test_a_recurrent_layer_that_explodes_is_blamed_for_its_activation(layer: Any, function: Any):
    """At step 0 no update was made: no rate is to blame, nor is an input that is finite."""
    wide = keras.initializers.RandomNormal(0, 1.0)
    sick = layer(16, activation=function, kernel_initializer=wide, name="memory")
    model = recurrent(sick, D(8, "relu"))
    x, y = 3 * numbers(20, 3), np.arange(SIZE) % 2
    diagnosis = watched(model, x, y, "sparse_categorical_crossentropy", epochs=1).diagnosis
    broken = next(finding for finding in diagnosis.findings if finding.rule == "non-finite-activation")
    assert (broken.where, broken.since, broken.blames[0]) == (sick.path, 0, "activation")
    assert function.__name__ in broken.remedy
    cause = diagnosis.causes[0]
    assert (cause.where, cause.blames[0]) == (sick.path, "activation")
    at_step_0 = [finding for finding in (*diagnosis.causes, *diagnosis.findings) if finding.since == 0]
    for finding in at_step_0:
        assert "learning rate" not in finding.message + finding.remedy and "learning-rate" not in finding.blames
        assert "preprocessing" not in finding.blames and finding.rule != "non-finite-input"
    assert "learning rate" not in diagnosis.headline and "memory" in diagnosis.headline


def test_a_bounded_activation_heals_the_recurrent_layer():
    wide = keras.initializers.RandomNormal(0, 1.0)
    cured = recurrent(layers.SimpleRNN(16, activation="tanh", kernel_initializer=wide), D(8, "relu"))
    x, y = 3 * numbers(20, 3), np.arange(SIZE) % 2
    findings = watched(cured, x, y, "sparse_categorical_crossentropy", epochs=1).diagnosis.findings
    assert not [finding for finding in findings if finding.rule.startswith("non-finite")]


def test_a_cell_lies_where_its_layer_does_and_its_bias_is_no_kernel():
    """The raw series, and not the output kernel, is what the gradients tell of."""
    stack = [layers.Input((20, 3)), layers.GRU(8, name="memory"), D(8, "relu", name="behind"), D(2, "softmax")]
    model = keras.Sequential(stack)
    x = 5000 + 2000 * numbers(20, 3)
    monitor = watched(model, x, np.arange(SIZE) % 2, "sparse_categorical_crossentropy", epochs=30)
    run, layout = monitor.run, Layout(monitor.run)
    memory, behind = model.get_layer("memory"), model.get_layer("behind")
    cell, kernel = f"{memory.cell.path}/kernel", f"{behind.path}/kernel"
    assert kernels(run, layout)[:3] == (cell, f"{memory.cell.path}/recurrent_kernel", kernel)
    assert (layout.feeds(cell, kernel), layout.feeds(kernel, cell)) == (True, False)
    assert layout.feeds(cell, memory.path) and layout.feeds(memory.path, cell)
    assert "exploding-gradient" not in {finding.rule for finding in monitor.diagnosis.findings}
    assert monitor.diagnosis.causes[0].rule == "unscaled-input"
    size = np.sqrt(np.mean(np.square(x)) * np.mean(np.square(memory.cell.kernel)) * 3)
    assert run.meta["audit"]["entering"]["becomes"] == pytest.approx(size, rel=0.3)  # the weights have moved since


def test_the_parts_of_a_layer_lie_where_it_does():
    """Of attention in a functional model, the graph tells where it is and the calls tell what comes first in it."""
    inputs = keras.Input((4, 6))
    mixed = layers.MultiHeadAttention(2, 4, name="look")(*[D(6, "relu", name="before")(inputs)] * 2)
    model = keras.Model(inputs, D(1, name="after")(layers.Flatten()(mixed)))
    monitor = watched(model, numbers(4, 6), numbers(1), epochs=1)
    layout = Layout(monitor.run)
    look = model.get_layer("look")
    asks, answers = look._query_dense.path, look._output_dense.path
    assert layout.feeds("before", asks) and layout.feeds(asks, answers) and layout.feeds(answers, "after")
    assert not layout.feeds(answers, asks) and not layout.feeds(asks, "before") and not layout.feeds("after", asks)


# Between two layers.


class Length(layers.Layer):
    def call(self, x: Any) -> Any:
        return tf.sqrt(tf.reduce_sum(tf.square(x), axis=1, keepdims=True))


def test_the_layer_whose_root_of_0_breaks_the_gradient_is_the_place():
    inputs = keras.Input((6,))
    hidden = D(8, "relu", name="below")(inputs)
    model = keras.Model(inputs, D(1, name="above")(Length(name="length")(hidden)))
    x = numbers(6)
    x[::8] = 0.0
    (cause,) = watched(model, x, numbers(1), epochs=1).diagnosis.causes
    assert (cause.rule, cause.where, cause.since) == ("non-finite-gradient", "length/sqrt", 0)
    assert "epsilon" in cause.remedy and "clip" not in cause.remedy
