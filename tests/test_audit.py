"""The audit: where it puts a fault, what it counts, and how it writes that down.

The faults that it finds are in `test_audit_faults`, configurations with none in `test_audit_sound`, and what it takes
and leaves unchanged in `test_audit_contract`.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from configurations import (
    BCE,
    CCE,
    IDS,
    LOGIT_LOSSES,
    ONE_HOT,
    REAL,
    SCCE,
    SEQUENCES,
    TAGS,
    TOKENS,
    YES,
    D,
    N,
    Penalty,
    X,
    grave,
    in_half_precision,
    model,
    own_compute_loss,
    sigmoid,
    softmax,
    tagger,
    two_outputs,
)
from keras import layers, ops

from diagnose.callbacks.auditing.audit import audit, facts, wanted
from diagnose.outcome.scores import accuracy
from diagnose.outcome.task import task_of
from diagnose.run.audit import MixFacts
from diagnose.run.meta import Facts

# --- places and numbers -----------------------------------------------------------------------------------------------


def test_the_fault_of_one_output_is_told_at_that_output() -> None:
    inputs = keras.Input((6,))
    kind, size = softmax()(inputs), D(1, activation="relu", name="size")(inputs)
    made = keras.Model(inputs, {"kind": kind, "size": size})
    made.compile("sgd", {"kind": SCCE, "size": "mse"})
    diagnosis = audit(made, X, {"kind": IDS, "size": REAL})
    assert [(cause.rule, cause.where) for cause in diagnosis.causes] == [("unreachable-targets", "size")]


def test_the_bound_of_a_single_unit_shows_whatever_weights_are_drawn() -> None:
    """Behind a ReLU all samples get one sign from random weights, so that luck alone would show 0 and more than 0."""
    for width in (5, 16, 33):
        model = keras.Sequential([layers.Input((6,)), layers.Dense(width, "relu"), layers.Dense(1, "relu")])
        model.compile("adam", "mse")
        rng = np.random.default_rng(0)
        (output,) = facts(model, rng.uniform(size=(64, 6)).astype("float32"), rng.normal(size=64)).outputs
        assert output.reach.lower == 0.0 and output.reach.upper is None


def test_a_fault_inside_a_nested_model_is_told_at_its_layer() -> None:
    inner = keras.Sequential([keras.Input((6,)), D(4, name="answer")], name="inner")
    inputs = keras.Input((6,))
    made = keras.Model(inputs, inner(inputs))
    made.compile("sgd", SCCE)
    assert audit(made, X, IDS).causes[0].where.endswith("answer")


def test_a_compute_loss_of_ones_own_is_judged_by_what_it_does() -> None:
    diagnosis = audit(own_compute_loss(D(4)), X, IDS)
    assert [cause.rule for cause in diagnosis.causes] == ["missing-output-activation"]


@pytest.mark.parametrize(("axis", "words"), [(0, "over the batch, axis 0"), (1, "over axis 1, and not")])
def test_a_softmax_over_another_axis_is_told_with_that_axis(axis: int, words: str) -> None:
    """Over the batch, what is said of a sample depends on the samples beside it."""
    last = [D(3), layers.Lambda(lambda z: ops.softmax(z, axis=axis))]
    (cause,) = audit(model(last, SCCE, shape=(5, 6)), SEQUENCES, TAGS).causes
    assert cause.rule == "missing-output-activation" and words in cause.message
    assert ("depends on the others" in cause.message) == (axis == 0)
    assert cause.remedy == "Compute the softmax over the classes: axis=-1."


def test_what_keras_rescues_is_a_note() -> None:
    diagnosis = audit(model(softmax(), LOGIT_LOSSES["rows"]), X, ONE_HOT)
    assert [finding.severity for finding in diagnosis.findings if finding.rule == "doubled-output-activation"] == [
        "note"
    ]


def test_half_precision_loses_the_rescue() -> None:
    """The loss casts the float16 probabilities to float32, and what hangs on them is gone."""
    made = in_half_precision(lambda: model(softmax(), LOGIT_LOSSES["rows"]))
    assert "doubled-output-activation" in grave(audit(made, X, ONE_HOT))


def test_the_loss_is_the_one_that_evaluate_gives() -> None:
    keras.utils.set_random_seed(5)  # with a penalty that half of the samples would miss by 3e-5
    made = model([Penalty(), D(4, activation="softmax", kernel_regularizer="l2")], SCCE)
    seen = facts(made, X, IDS)
    assert seen.samples == N
    assert seen.loss.value == pytest.approx(made.evaluate(X, IDS, batch_size=N, verbose=0)[0], rel=1e-5)
    assert seen.loss.extra == 1


def test_accuracies_are_those_of_plain_numpy() -> None:
    made = model(sigmoid(), BCE, ["accuracy", "AUC"])
    answers = made.predict(X, verbose=0)[:, 0]
    output = facts(made, X, YES).outputs[0]
    assert output.accuracies["half"] == pytest.approx(np.mean((answers > 0.5) == YES))
    assert output.accuracies["zero"] == pytest.approx(np.mean(YES))
    assert output.metrics[0].value == pytest.approx(output.accuracies["half"], abs=1e-6)
    assert [metric.flavours for metric in output.metrics] == [("half",), ()]


def test_labels_are_looked_at_beyond_the_samples_of_the_batch() -> None:
    """One bad class number in two thousand would fail a step some day, though it is not among the 256."""
    many = np.tile(X, (21, 1))
    labels = np.arange(len(many)) % 4
    labels[1001] = 4
    diagnosis = audit(model(softmax(), SCCE), many, labels)
    assert [cause.rule for cause in diagnosis.causes] == ["labels-out-of-range"]


def test_a_saturated_sigmoid_is_not_taken_for_a_softmax_over_one_unit() -> None:
    """On raw pixels a sigmoid may give 1 for the whole batch; under other weights it does not."""
    made = model(D(1, activation="sigmoid", bias_initializer=keras.initializers.Constant(50.0)), BCE)
    assert facts(made, X, YES).outputs[0].prediction.always_one
    assert "single-unit-softmax" not in grave(audit(made, X, YES))


def test_the_features_that_enter_the_first_kernel_are_looked_at_each_by_its_own_size():
    """Behind the Normalization, and without the zeros: a flag that is set once is as large as one set always."""
    x = np.array([[1.0, 0.0, 7.0], [3.0, 0.02, 7.0], [1.0, 0.0, 7.0]], "float32")
    model = keras.Sequential([keras.Input((3,)), layers.Dense(2, name="first"), layers.Dense(1)])
    model.compile("sgd", "mse")
    entering = facts(model, x, np.zeros((3, 1))).entering
    assert entering.where == model.get_layer("first").path
    assert (entering.features, entering.most_at, entering.least_at) == (3, 0, 1)  # the constant one left out
    assert entering.most == pytest.approx((11 / 3) ** 0.5)
    assert entering.least == pytest.approx(0.02)
    assert "call" not in vars(model.get_layer("first"))


def test_what_enters_an_embedding_or_a_convolution_over_pictures_is_no_table_of_features():
    words = keras.Sequential([keras.Input((4,)), layers.Embedding(9, 3), layers.Flatten(), layers.Dense(1)])
    pictures = keras.Sequential([keras.Input((4, 4, 1)), layers.Conv2D(2, 3), layers.Flatten(), layers.Dense(1)])
    for made, shape in ((words, (3, 4)), (pictures, (3, 4, 4, 1))):
        made.compile("sgd", "mse")
        assert facts(made, np.ones(shape, "float32"), np.zeros((3, 1))).entering is None


def plain_values(record: Any) -> list[Any]:
    """All that a record holds, down to what has no parts."""
    if dataclasses.is_dataclass(record):
        return [leaf for each in dataclasses.fields(record) for leaf in plain_values(getattr(record, each.name))]
    if isinstance(record, dict):
        return [leaf for entry in (*record, *record.values()) for leaf in plain_values(entry)]
    return [leaf for entry in record for leaf in plain_values(entry)] if isinstance(record, tuple) else [record]


@pytest.mark.parametrize(
    ("made", "y", "weights"),
    [
        (lambda: model(softmax(), SCCE), IDS, np.where(np.arange(N) == 3, np.nan, 1.0)),
        (lambda: model(D(1), "mse"), np.where(np.arange(N) == 3, np.inf, REAL), None),
        (lambda: model(D(4), "mse", "mae"), np.where(np.arange(N)[:, None] == 3, -np.inf, ONE_HOT), None),
        (lambda: model(D(1), lambda t, p: ops.log(-ops.abs(p)), None), REAL, None),
        (lambda: two_outputs(as_dict=True), {"size": REAL, "kind": IDS}, None),
    ],
    ids=["a NaN weight", "an infinite label", "an infinite row", "a loss of NaN", "two outputs"],
)
def test_the_records_hold_pythons_own_finite_numbers_and_read_back(made: Any, y: Any, weights: Any) -> None:
    """They are kept as JSON, which knows neither NumPy's numbers nor NaN."""
    seen = facts(made(), X, y, weights)
    assert {type(value) for value in plain_values(seen)} <= {bool, int, float, str, type(None)}
    assert all(math.isfinite(value) for value in plain_values(seen) if isinstance(value, float))
    assert Facts.from_dict(json.loads(json.dumps(Facts(audit=seen).to_dict()))).audit == seen


def test_what_is_not_finite_is_none() -> None:
    (output,) = facts(model(softmax(), SCCE), X, IDS, np.where(np.arange(N) == 3, np.nan, 1.0)).outputs
    assert output.weights.sum is None and output.weights.by_class == {"0": 1.0, "1": 1.0, "2": 1.0, "3": None}
    assert output.loss is not None and output.loss.value is None and output.loss.error == ""
    (output,) = facts(model(D(1), "mse"), X, np.where(np.arange(N) == 3, np.inf, REAL)).outputs
    assert output.labels.max is None and output.labels.min == pytest.approx(REAL.min())


# --- samples that know of each other ----------------------------------------------------------------------------------


class AlwaysTraining(layers.Layer):
    """Calls another layer in training mode, whatever the model's own mode is."""

    def __init__(self, inner: Any) -> None:
        super().__init__(name="always")
        self.inner = inner

    def call(self, inputs: Any) -> Any:
        return self.inner(inputs, training=True)


def less_the_mean() -> Any:
    return layers.Lambda(lambda z: z - ops.mean(z, axis=0), name="less")


def attending() -> Any:
    inputs = keras.Input((5, 6))
    hidden = layers.LSTM(4)(layers.MultiHeadAttention(2, 3)(inputs, inputs))
    made = keras.Model(inputs, softmax()(hidden))
    made.compile("sgd", SCCE)
    return made


def mixed(made: Any, x: Any = X, y: Any = IDS) -> list[Any]:
    return [output.mixes for output in facts(made, x, y).outputs]


def test_samples_apart_are_answered_the_same_beside_others_but_for_rounding() -> None:
    asked = [
        (model([layers.BatchNormalization(), layers.LayerNormalization(), softmax()], SCCE), X, IDS),
        (attending(), SEQUENCES, IDS),
        (tagger(), TOKENS, TAGS),
        (in_half_precision(lambda: model(softmax(), SCCE)), X, IDS),
    ]
    for made, x, y in asked:
        (found,) = mixed(made, x, y)
        assert found.by is None and found.difference < 1e-3


def test_the_layer_that_mixes_is_named_where_it_stands_in_another_one() -> None:
    keras.utils.set_random_seed(3)
    inner = keras.Sequential([keras.Input((6,)), D(8), less_the_mean()], name="inner")
    inputs = keras.Input((6,))
    made = keras.Model(inputs, {"mixed": D(4, activation="softmax")(inner(inputs)), "alone": D(1)(inputs)})
    made.compile("sgd", {"mixed": SCCE, "alone": "mse"})
    found = dict(zip(("alone", "mixed"), mixed(made, X, {"mixed": IDS, "alone": REAL}), strict=True))
    assert found["alone"] == MixFacts(0.0)  # the very same arithmetic for the half that stayed
    assert found["mixed"].by == "inner/less" and found["mixed"].difference > 0.01


def test_batch_statistics_in_inference_mix_samples_and_noise_does_not() -> None:
    (found,) = mixed(model([AlwaysTraining(layers.BatchNormalization()), softmax()], SCCE))
    assert found.difference > 0.1 and "always" in found.by
    assert mixed(model([AlwaysTraining(layers.Dropout(0.5)), softmax()], SCCE)) == [None]


@pytest.mark.parametrize("count", [2, 3])
def test_two_samples_are_enough_to_see_them_mixed(count: int) -> None:
    (found,) = mixed(model([less_the_mean(), softmax()], SCCE), X[:count], IDS[:count])
    assert found.by == "less"


@pytest.mark.parametrize("x", [X[:1], np.repeat(X[:1], 8, axis=0)], ids=["one sample", "all alike"])
def test_without_samples_that_differ_nothing_is_asked(x: np.ndarray) -> None:
    assert mixed(model([less_the_mean(), softmax()], SCCE), x, IDS[: len(x)]) == [None]


def test_the_similarities_of_all_pairs_are_meant_so() -> None:
    pairs = model([D(4), layers.Lambda(lambda z: ops.matmul(z, ops.transpose(z)))], "mse")
    assert mixed(pairs, X, np.eye(N)) == [None]


# --- what is wanted ---------------------------------------------------------------------------------------------------


def order(t: Any, p: Any) -> Any:
    return -ops.sum(ops.softmax(t) * ops.log_softmax(p), -1)


@pytest.mark.parametrize(
    ("made", "y", "weights", "instead"),
    [
        (lambda: model(D(1), "mse"), REAL[:, None], None, ""),
        (lambda: model(D(4), order, None), X[:, :4], None, "the loss is least for other predictions"),
        (lambda: model(D(4), order, "mae"), X[:, :4], None, ""),  # who measures the distance wants the labels
        (
            lambda: model(softmax(), CCE, None),
            ONE_HOT * REAL[:, None],
            None,
            "the targets hold the value of each choice",
        ),
        (lambda: model(softmax(), SCCE), IDS, REAL, "some samples have negative weights"),
        (lambda: model(softmax(), SCCE), IDS, np.abs(REAL), ""),
    ],
)
def test_where_something_else_than_the_labels_is_wanted_it_is_said(
    made: Callable[[], Any], y: Any, weights: Any, instead: str
) -> None:
    (output,) = facts(made(), X, y, weights).outputs
    found = wanted(output).instead
    assert found.startswith(instead) and bool(found) == bool(instead)
    assert (task_of(y, np.zeros((N, output.width)), wanted(output)).kind == "unknown") == bool(instead)


def test_a_distance_is_cut_where_both_labels_cost_the_same() -> None:
    def contrast(t: Any, d: Any) -> Any:
        return t * d**2 + (1 - t) * ops.maximum(3.0 - d, 0.0) ** 2

    made = model(D(1, activation="softplus"), contrast, None)
    (output,) = facts(made, X, YES).outputs
    task = task_of(YES, np.ones((N, 1)), wanted(output))
    assert task.cut == pytest.approx(1.5, abs=0.01) and task.below
    assert accuracy(task, np.array([1, 1, 0, 0]), np.array([[0.4], [1.4], [1.6], [9.0]])) == 1.0


def ranker(apart: bool):
    inputs = [keras.Input((4,)), keras.Input((4,))]
    score = keras.Sequential([keras.Input((4,)), layers.Dense(8, "relu"), layers.Dense(1)])
    one, other = map(score, inputs)
    joined = layers.Subtract()([one, other]) if apart else layers.Add()([one, other])
    ranked = keras.Model(inputs, layers.Activation("sigmoid")(joined))
    ranked.compile("adam", "binary_crossentropy")
    return ranked


@pytest.mark.parametrize("apart", [True, False])
def test_a_model_that_compares_its_inputs_is_known_by_what_it_says_of_equal_ones(apart):
    x = np.random.default_rng(0).standard_normal((2, 60, 4)).astype("float32")
    seen = audit(ranker(apart), [x[0], x[1]], np.ones((60, 1)))
    assert bool(seen.run.facts.audit.compares) is apart


def test_inputs_that_can_not_stand_for_one_another_are_not_compared():
    """The numbers of users go further than the table of films does."""
    inputs = [keras.Input((1,), dtype="int32"), keras.Input((1,), dtype="int32")]
    users, films = layers.Embedding(50, 4)(inputs[0]), layers.Embedding(5, 4)(inputs[1])
    rated = keras.Model(inputs, layers.Flatten()(layers.Dot(-1)([users, films])))
    rated.compile("adam", "mse")
    x = np.random.default_rng(0).integers(5, 50, (60, 1))
    assert not audit(rated, [x, x % 5], np.ones((60, 1))).run.facts.audit.compares


def test_a_layer_that_makes_all_alike_is_asked_again_and_holds_what_it_held():
    class Counting(layers.Layer):
        def __init__(self):
            super().__init__()
            self.calls, self.total = 0, tf.Variable(0.0)

        def call(self, x):
            self.calls += 1
            self.total.assign_add(1.0)
            return 0.0 * x

    counting = Counting()
    model = keras.Sequential([keras.Input((4,)), layers.Dense(8), counting, layers.Dense(1)])
    model.compile("adam", "mse")
    before = counting.calls, float(counting.total)
    x = np.random.default_rng(0).standard_normal((60, 4)).astype("float32")
    seen = audit(model, x, x[:, :1])
    assert seen.run.facts.audit.levelled.where == counting.path
    assert (counting.calls, float(counting.total)) == before
