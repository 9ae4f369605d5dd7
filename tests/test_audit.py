"""The audit: each fault of configuration that one batch tells, its cure, and sixty configurations with no fault.

Every model here is compiled by Keras and looked at as a user would look at it. A case names the end of the network,
the loss and the labels; sick and cured differ in what the rule's remedy says.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, losses, metrics, ops

from diagnose.callbacks.configuration import audit, facts

N = 96
RNG = np.random.default_rng(7)
X = RNG.normal(size=(N, 6)).astype("float32")
IDS = np.arange(N) % 4
ONE_HOT = np.eye(4, dtype="float32")[IDS]
SOFT = ONE_HOT * 0.9 + 0.025
YES = (X[:, 0] > 0).astype("float32")
REAL = 2 * X[:, 0] + X[:, 1]
SHARE = 1 / (1 + np.exp(-REAL))
SEVERAL = (X[:, :5] > 0.3).astype("float32")
SEQUENCES = RNG.normal(size=(N, 5, 6)).astype("float32")
TAGS = (SEQUENCES[:, :, 0] > 0).astype(int) + (SEQUENCES[:, :, 1] > 0)
TOKENS = np.concatenate([RNG.integers(1, 20, (N, 3)), np.zeros((N, 2), int)], 1)
IMAGES = RNG.uniform(size=(32, 6, 6, 3)).astype("float32")
BINARY_MAP = (IMAGES[..., :1] > 0.5).astype("float32")
CLASS_MAP = (IMAGES[..., 0] * 3).astype(int)

D = layers.Dense


def model(last: Any, loss: Any = None, asked: Any = "accuracy", *, shape: Any = (6,), **settings: Any) -> Any:
    """A hidden layer, then `last` (a layer or several), compiled."""
    inputs = keras.Input(shape)
    hidden = D(12, activation="relu")(inputs)
    for layer in last if isinstance(last, list) else [last]:
        hidden = layer(hidden)
    made = keras.Model(inputs, hidden)
    listed = asked if isinstance(asked, list) else [asked] if asked else None
    made.compile("sgd", loss, metrics=listed, **settings)
    return made


def softmax(units: int = 4) -> Any:
    return D(units, activation="softmax")


def sigmoid(units: int = 1) -> Any:
    return D(units, activation="sigmoid")


def own_softmax(z: Any) -> Any:
    return ops.exp(z) / ops.sum(ops.exp(z), -1, keepdims=True)


class Unaligned(losses.Loss):
    """A loss of the user's own that subtracts what it gets."""

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return ops.square(y_pred - y_true)


class Aligned(losses.Loss):
    """The same with the shapes brought together."""

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return ops.square(y_pred - ops.reshape(y_true, ops.shape(y_pred)))


def grave(diagnosis: Any) -> set[str]:
    """Names of all rules with a warning or a critical finding."""
    return {finding.rule for finding in diagnosis.findings if finding.severity != "note"}


CCE, SCCE, BCE = "categorical_crossentropy", "sparse_categorical_crossentropy", "binary_crossentropy"
Case = Callable[[], tuple[Any, ...]]  # model, x, y and perhaps sample weights

#: what -> (rule, sick, cured).
FAULTS: dict[str, tuple[str, Case, Case]] = {
    "2.2 softmax over one unit under BCE": (
        "single-unit-softmax",
        lambda: (model(softmax(1), BCE), X, YES),
        lambda: (model(sigmoid(), BCE), X, YES),
    ),
    "softmax over one unit under MSE": (
        "single-unit-softmax",
        lambda: (model(softmax(1), "mse"), X, YES),
        lambda: (model(sigmoid(), BCE), X, YES),
    ),
    "2.2 one sigmoid unit under CCE": (
        "one-class-crossentropy",
        lambda: (model(sigmoid(), CCE), X, YES),
        lambda: (model(sigmoid(), BCE), X, YES),
    ),
    "2.2 one unit under CCE, labels in a column": (
        "one-class-crossentropy",
        lambda: (model(sigmoid(), CCE), X, YES[:, None]),
        lambda: (model(softmax(2), SCCE), X, YES[:, None]),
    ),
    "one logit under CCE from logits": (
        "one-class-crossentropy",
        lambda: (model(D(1), losses.CategoricalCrossentropy(from_logits=True), None), X, YES),
        lambda: (model(D(1), losses.BinaryCrossentropy(from_logits=True), None), X, YES),
    ),
    "one unit under SCCE": (
        "one-class-crossentropy",
        lambda: (model(sigmoid(), SCCE), X, YES),
        lambda: (model(sigmoid(), BCE), X, YES),
    ),
    "2.3 linear under CCE": (
        "missing-output-activation",
        lambda: (model(D(4), CCE), X, ONE_HOT),
        lambda: (model(D(4), losses.CategoricalCrossentropy(from_logits=True)), X, ONE_HOT),
    ),
    "2.3 linear under SCCE": (
        "missing-output-activation",
        lambda: (model(D(4), SCCE), X, IDS),
        lambda: (model(softmax(), SCCE), X, IDS),
    ),
    "2.3 tanh under CCE": (
        "missing-output-activation",
        lambda: (model(D(4, activation="tanh"), CCE), X, ONE_HOT),
        lambda: (model(softmax(), CCE), X, ONE_HOT),
    ),
    "2.3 relu under CCE": (
        "missing-output-activation",
        lambda: (model(D(4, activation="relu"), CCE), X, ONE_HOT),
        lambda: (model(softmax(), CCE), X, ONE_HOT),
    ),
    "2.3 linear under BCE": (
        "missing-output-activation",
        lambda: (model(D(1), BCE), X, YES),
        lambda: (model(sigmoid(), BCE), X, YES),
    ),
    "sigmoids under CCE": (
        "missing-output-activation",
        lambda: (model(sigmoid(4), CCE), X, ONE_HOT),
        lambda: (model(softmax(), CCE), X, ONE_HOT),
    ),
    "a cross-entropy written by hand over a linear output": (
        "missing-output-activation",
        lambda: (model(D(4), lambda t, p: -ops.sum(t * ops.log(p + 1e-7), -1)), X, ONE_HOT),
        lambda: (model(softmax(), lambda t, p: -ops.sum(t * ops.log(p + 1e-7), -1)), X, ONE_HOT),
    ),
    "2.4 softmax lost to Reshape, from logits": (
        "doubled-output-activation",
        lambda: (
            model([softmax(), layers.Reshape((4,))], losses.CategoricalCrossentropy(from_logits=True)),
            X,
            ONE_HOT,
        ),
        lambda: (model([softmax(), layers.Reshape((4,))], CCE), X, ONE_HOT),
    ),
    "2.4 a softmax of one's own, from logits": (
        "doubled-output-activation",
        lambda: (model(D(4, activation=own_softmax), losses.SparseCategoricalCrossentropy(from_logits=True)), X, IDS),
        lambda: (model(D(4, activation=own_softmax), SCCE), X, IDS),
    ),
    "2.4 sigmoid lost to Reshape, from logits": (
        "doubled-output-activation",
        lambda: (model([sigmoid(), layers.Reshape((1,))], losses.BinaryCrossentropy(from_logits=True)), X, YES),
        lambda: (model([sigmoid(), layers.Reshape((1,))], BCE), X, YES),
    ),
    "softmax of a softmax": (
        "doubled-output-activation",
        lambda: (model([softmax(), layers.Softmax()], CCE), X, ONE_HOT),
        lambda: (model([D(4), layers.Softmax()], CCE), X, ONE_HOT),
    ),
    "sigmoid of a sigmoid": (
        "doubled-output-activation",
        lambda: (model([sigmoid(), layers.Activation("sigmoid")], BCE), X, YES),
        lambda: (model([D(1), layers.Activation("sigmoid")], BCE), X, YES),
    ),
    "2.5 accuracy of logits": (
        "logits-thresholded-at-half",
        lambda: (model(D(1), losses.BinaryCrossentropy(from_logits=True)), X, YES),
        lambda: (
            model(D(1), losses.BinaryCrossentropy(from_logits=True), metrics.BinaryAccuracy(threshold=0.0)),
            X,
            YES,
        ),
    ),
    "2.5 AUC of logits": (
        "logits-thresholded-at-half",
        lambda: (model(D(1), losses.BinaryCrossentropy(from_logits=True), metrics.AUC()), X, YES),
        lambda: (model(D(1), losses.BinaryCrossentropy(from_logits=True), metrics.AUC(from_logits=True)), X, YES),
    ),
    "2.5 precision of logits": (
        "logits-thresholded-at-half",
        lambda: (model(D(1), losses.BinaryCrossentropy(from_logits=True), metrics.Precision()), X, YES),
        lambda: (model(D(1), losses.BinaryCrossentropy(from_logits=True), metrics.Precision(thresholds=0.0)), X, YES),
    ),
    "2.6 accuracy of a regression": (
        "accuracy-of-regression",
        lambda: (model(D(1), "mse"), X, REAL),
        lambda: (model(D(1), "mse", "mae"), X, REAL),
    ),
    "2.6 accuracy of a reconstruction": (
        "accuracy-of-regression",
        lambda: (model(D(6), "mse"), X, X),
        lambda: (model(D(6), "mse", metrics.R2Score()), X, X),
    ),
    "2.6 accuracy of counts": (
        "accuracy-of-regression",
        lambda: (model(D(1), "mse"), X, np.round(3 * REAL)),
        lambda: (model(D(1), "mse", "mae"), X, np.round(3 * REAL)),
    ),
    "2.7 fractions under SCCE": (
        "float-labels-in-sparse-loss",
        lambda: (model(softmax(), SCCE), X, SHARE),
        lambda: (model(D(1), "mse", "mae"), X, SHARE),
    ),
    "2.8 accuracy of several labels": (
        "wrong-accuracy-flavour",
        lambda: (model(sigmoid(5), BCE), X, SEVERAL),
        lambda: (model(sigmoid(5), BCE, metrics.BinaryAccuracy()), X, SEVERAL),
    ),
    "2.8 equality with probabilities": (
        "wrong-accuracy-flavour",
        lambda: (model(sigmoid(), BCE, metrics.Accuracy()), X, YES),
        lambda: (model(sigmoid(), BCE, metrics.BinaryAccuracy()), X, YES),
    ),
    "2.8 hinge with labels -1 and 1": (
        "wrong-accuracy-flavour",
        lambda: (model(D(1), "hinge"), X, 2 * YES - 1),
        lambda: (model(D(1), "hinge", metrics.BinaryAccuracy(threshold=0.0)), X, YES),
    ),
    "2.8 entries of a softmax cut at a half": (
        "wrong-accuracy-flavour",
        lambda: (model(softmax(), CCE, "binary_accuracy"), X, ONE_HOT),
        lambda: (model(softmax(), CCE, metrics.CategoricalAccuracy()), X, ONE_HOT),
    ),
    "class numbers under a metric of rows": (
        "wrong-accuracy-flavour",
        lambda: (model(softmax(), SCCE, "categorical_accuracy"), X, IDS[:, None]),
        lambda: (model(softmax(), SCCE, metrics.SparseCategoricalAccuracy()), X, IDS[:, None]),
    ),
    "2.9 rows of zeros": (
        "empty-targets",
        lambda: (model(softmax(), CCE), X, 0 * ONE_HOT),
        lambda: (model(softmax(), CCE), X, keras.utils.to_categorical(IDS, 4)),
    ),
    "2.9 some rows of zeros": (
        "empty-targets",
        lambda: (model(softmax(), CCE), X, ONE_HOT * (np.arange(N) % 3 > 0)[:, None]),
        lambda: (model(softmax(), CCE), X, ONE_HOT),
    ),
    "2.9 counted from 1": (
        "labels-out-of-range",
        lambda: (model(softmax(), SCCE), X, IDS + 1),
        lambda: (model(softmax(), SCCE), X, IDS),
    ),
    "2.9 more columns than units": (
        "labels-out-of-range",
        lambda: (model(softmax(3), CCE), X, ONE_HOT),
        lambda: (model(softmax(4), CCE), X, ONE_HOT),
    ),
    "2.10 counted from -1": (
        "labels-out-of-range",
        lambda: (model(softmax(), SCCE), X, IDS - 1),
        lambda: (model(softmax(), SCCE), X, np.unique(IDS - 1, return_inverse=True)[1]),
    ),
    "2.11 labels 1 and 2": (
        "labels-outside-unit-interval",
        lambda: (model(sigmoid(), BCE, None), X, YES + 1),
        lambda: (model(sigmoid(), BCE, None), X, (YES + 1 == 2).astype(int)),
    ),
    "2.11 labels -1 and 1": (
        "labels-outside-unit-interval",
        lambda: (model(sigmoid(), BCE), X, 2 * YES - 1),
        lambda: (model(sigmoid(), BCE), X, YES),
    ),
    "2.11 four classes under BCE": (
        "labels-outside-unit-interval",
        lambda: (model(sigmoid(), BCE), X, IDS),
        lambda: (model(softmax(), SCCE), X, IDS),
    ),
    "2.12 sample weights of 0": (
        "everything-masked",
        lambda: (model(sigmoid(), BCE), X, YES, np.zeros(N)),
        lambda: (model(sigmoid(), BCE), X, YES, np.ones(N)),
    ),
    "2.12 class weights of 1e-8": (
        "everything-masked",
        lambda: (model(sigmoid(), BCE), X, YES, np.full(N, 1e-8)),
        lambda: (model(sigmoid(), BCE), X, YES, np.where(YES > 0, 1.0, 0.2)),
    ),
    "2.12 loss weight of 0": (
        "everything-masked",
        lambda: (model(sigmoid(), BCE, loss_weights=[0.0]), X, YES),
        lambda: (model(sigmoid(), BCE, loss_weights=[0.5]), X, YES),
    ),
    "2.12 every label ignored": (
        "everything-masked",
        lambda: (model(softmax(), losses.SparseCategoricalCrossentropy(ignore_class=2), None), X, np.full(N, 2)),
        lambda: (model(softmax(), losses.SparseCategoricalCrossentropy(ignore_class=2), None), X, IDS),
    ),
    "2.12 every step masked": (
        "everything-masked",
        lambda: (tagger(), np.zeros((N, 5), int), TAGS),
        lambda: (tagger(), TOKENS, TAGS),
    ),
    "labels (n,) under predictions (n, 1)": (
        "broadcast-loss",
        lambda: (model(D(1), Unaligned(), None), X, REAL),
        lambda: (model(D(1), Unaligned(), None), X, REAL.reshape(-1, 1)),
    ),
    "the same, cured in the loss": (
        "broadcast-loss",
        lambda: (model(D(1), Unaligned(), None), X, REAL),
        lambda: (model(D(1), Aligned(), None), X, REAL),
    ),
    "one label for three units": (
        "broadcast-loss",
        lambda: (model(D(3), "mse", None), X, REAL[:, None]),
        lambda: (model(D(1), "mse", None), X, REAL[:, None]),
    ),
    "one unit for three labels": (
        "broadcast-loss",
        lambda: (model(D(1), "mse", None), X, X[:, :3]),
        lambda: (model(D(3), "mse", None), X, X[:, :3]),
    ),
    "negative targets of a relu": (
        "unreachable-targets",
        lambda: (model(D(1, activation="relu"), "mse", None), X, REAL),
        lambda: (model(D(1), "mse", None), X, REAL),
    ),
    "large targets of a sigmoid": (
        "unreachable-targets",
        lambda: (model(sigmoid(), "mae", None), X, 100 * REAL + 50),
        lambda: (model(sigmoid(), "mae", None), X, SHARE),
    ),
    "rows that don't sum to 1 under a softmax": (
        "unreachable-targets",
        lambda: (model(softmax(), "mse", None), X, np.repeat(SHARE[:, None], 4, 1)),
        lambda: (model(D(4), "mse", None), X, np.repeat(SHARE[:, None], 4, 1)),
    ),
    "MSE of a softmax": (
        "mismatched-loss",
        lambda: (model(softmax(), "mse"), X, ONE_HOT),
        lambda: (model(softmax(), CCE), X, ONE_HOT),
    ),
    "MSE of one-hot labels": (
        "mismatched-loss",
        lambda: (model(D(4), "mse"), X, ONE_HOT),
        lambda: (model(softmax(), CCE), X, ONE_HOT),
    ),
    "BCE of a softmax of four classes": (
        "mismatched-loss",
        lambda: (model(softmax(), BCE), X, ONE_HOT),
        lambda: (model(softmax(), CCE), X, ONE_HOT),
    ),
    "BCE of a softmax, several labels": (
        "mismatched-loss",
        lambda: (model(softmax(5), BCE, None), X, SEVERAL),
        lambda: (model(sigmoid(5), BCE, None), X, SEVERAL),
    ),
    "CCE of several labels": (
        "mismatched-loss",
        lambda: (model(softmax(5), CCE, None), X, SEVERAL),
        lambda: (model(sigmoid(5), BCE, None), X, SEVERAL),
    ),
    "hinge of a sigmoid": (
        "mismatched-loss",
        lambda: (model(sigmoid(), "hinge", None), X, 2 * YES - 1),
        lambda: (model(D(1), "hinge", None), X, 2 * YES - 1),
    ),
    "relu before softmax": (
        "clipped-logits",
        lambda: (model([D(4, activation="relu"), layers.Softmax()], CCE), X, ONE_HOT),
        lambda: (model([D(4), layers.Softmax()], CCE), X, ONE_HOT),
    ),
    "tanh before softmax": (
        "clipped-logits",
        lambda: (model([D(4, activation="tanh"), layers.Softmax()], CCE), X, ONE_HOT),
        lambda: (model([D(4), layers.Softmax()], CCE), X, ONE_HOT),
    ),
    "sigmoid before softmax": (
        "clipped-logits",
        lambda: (model([sigmoid(4), layers.Softmax()], SCCE), X, IDS),
        lambda: (model([D(4), layers.Softmax()], SCCE), X, IDS),
    ),
    "relu before sigmoid": (
        "clipped-logits",
        lambda: (model([D(1, activation="relu"), layers.Activation("sigmoid")], BCE), X, YES),
        lambda: (model([D(1), layers.Activation("sigmoid")], BCE), X, YES),
    ),
}


def tagger() -> Any:
    made = keras.Sequential(
        [
            keras.Input((5,), dtype="int32"),
            layers.Embedding(20, 8, mask_zero=True),
            layers.LSTM(8, return_sequences=True),
            softmax(3),
        ]
    )
    made.compile("sgd", SCCE, metrics=["accuracy"])
    return made


@pytest.mark.parametrize("what", FAULTS)
def test_a_fault_of_configuration_is_the_first_cause_before_any_training(what: str) -> None:
    rule, sick, _ = FAULTS[what]
    diagnosis = audit(*sick())
    assert diagnosis.causes[0].rule == rule
    assert diagnosis.outcome == "unknown"
    assert not diagnosis.healthy
    assert diagnosis.causes[0].remedy


@pytest.mark.parametrize("what", FAULTS)
def test_its_remedy_leaves_nothing_to_complain_of(what: str) -> None:
    _, _, cured = FAULTS[what]
    assert grave(audit(*cured())) == set()


def test_a_softmax_over_one_unit_under_cce_is_both_faults_at_once() -> None:
    """Either alone would still give a loss or an output that says nothing, so both are causes."""
    diagnosis = audit(model(softmax(1), CCE), X, YES)
    assert {cause.rule for cause in diagnosis.causes} == {"single-unit-softmax", "one-class-crossentropy"}
    assert 'Dense(1, activation="sigmoid")' in diagnosis.headline


# --- no fault ---------------------------------------------------------------------------------------------------------


def two_outputs(as_dict: bool = False) -> Any:
    inputs = keras.Input((6,))
    hidden = D(12, activation="relu")(inputs)
    kind, size = softmax()(hidden), D(1, name="size")(hidden)
    kind = layers.Activation("linear", name="kind")(kind)
    made = keras.Model(inputs, {"kind": kind, "size": size} if as_dict else [kind, size])
    made.compile("sgd", {"kind": SCCE, "size": "mse"}, metrics={"kind": ["accuracy"], "size": ["mae"]})
    return made


class Subclassed(keras.Model):
    """Two layers of its own; not built until it is called."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden = D(8, activation="relu")
        self.drop = layers.Dropout(0.5)
        self.last = D(4)

    def call(self, inputs: Any, training: bool = False) -> Any:
        return self.last(self.drop(self.hidden(inputs), training=training))


def subclassed() -> Any:
    made = Subclassed()
    made.compile("sgd", losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    return made


class OwnComputeLoss(keras.Model):
    """Computes its loss without the compiled one."""

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):  # type: ignore[no-untyped-def]
        return ops.mean(losses.sparse_categorical_crossentropy(y, y_pred))


def own_compute_loss(last: Any) -> Any:
    inputs = keras.Input((6,))
    made = OwnComputeLoss(inputs, last(inputs))
    made.compile("sgd", metrics=["accuracy"])
    return made


class Penalty(layers.Layer):
    def call(self, inputs: Any) -> Any:
        self.add_loss(1e-3 * ops.mean(ops.square(inputs)))
        return inputs


def focal(t: Any, p: Any) -> Any:
    t = ops.cast(t, p.dtype)
    return -ops.mean(t * (1 - p) ** 2 * ops.log(p + 1e-7) + (1 - t) * p**2 * ops.log(1 - p + 1e-7), -1)


def bce_but_for_minus_one(t: Any, p: Any) -> Any:
    kept = ops.cast(t >= 0, p.dtype)
    return ops.sum(kept * ops.binary_crossentropy(ops.maximum(t, 0.0), p)) / (ops.sum(kept) + 1e-7)


def dice(t: Any, p: Any) -> Any:
    return 1 - (2 * ops.sum(t * p) + 1) / (ops.sum(t) + ops.sum(p) + 1)


def quantiles(t: Any, p: Any) -> Any:
    q = ops.convert_to_tensor([0.1, 0.5, 0.9])
    return ops.mean(ops.maximum(q * (t - p), (q - 1) * (t - p)), -1)


def contrast(t: Any, p: Any) -> Any:
    p = p / ops.sqrt(ops.sum(p * p, -1, keepdims=True) + 1e-6)
    apart = ops.sum((p[:, None] - p[None]) ** 2, -1)
    same = ops.cast(ops.reshape(t, (-1, 1)) == ops.reshape(t, (1, -1)), "float32")
    return ops.mean(same * apart + (1 - same) * ops.maximum(1 - apart, 0.0))


def normal(t: Any, p: Any) -> Any:
    return ops.mean(p[:, 1:] + 0.5 * ((t - p[:, :1]) / ops.exp(p[:, 1:])) ** 2)


def frozen_base() -> Any:
    base = keras.Sequential([keras.Input((6,)), D(12, activation="relu"), D(8, activation="relu")])
    base.trainable = False
    made = keras.Sequential([base, softmax()])
    made.compile("sgd", SCCE, metrics=["accuracy"])
    return made


def one_line_of_text() -> Any:
    made = keras.Sequential(
        [keras.Input((5,), dtype="int32"), layers.Embedding(20, 8, mask_zero=True), layers.LSTM(8), sigmoid()]
    )
    made.compile("adam", BCE, metrics=["accuracy"])
    return made


def normed() -> Any:
    return [
        layers.BatchNormalization(),
        layers.Dropout(0.5),
        D(8, activation="gelu", kernel_regularizer="l2"),
        softmax(),
    ]


def in_half_precision(make: Callable[[], Any]) -> Any:
    keras.config.set_dtype_policy("mixed_float16")
    try:
        return make()
    finally:
        keras.config.set_dtype_policy("float32")


LOGIT_LOSSES = {
    "sparse": losses.SparseCategoricalCrossentropy(from_logits=True),
    "rows": losses.CategoricalCrossentropy(from_logits=True),
    "binary": losses.BinaryCrossentropy(from_logits=True),
}

SOUND: dict[str, Case] = {
    "softmax, SCCE": lambda: (model(softmax(), SCCE), X, IDS),
    "softmax, SCCE, a column of labels": lambda: (model(softmax(), SCCE), X, IDS[:, None]),
    "softmax, CCE, many metrics": lambda: (
        model(softmax(), CCE, ["accuracy", metrics.AUC(), metrics.TopKCategoricalAccuracy(2), metrics.Precision()]),
        X,
        ONE_HOT,
    ),
    "logits, CCE": lambda: (model(D(4), LOGIT_LOSSES["rows"]), X, ONE_HOT),
    "logits, SCCE, whole numbers as floats": lambda: (model(D(4), LOGIT_LOSSES["sparse"]), X, IDS.astype("float32")),
    "label smoothing": lambda: (model(softmax(), losses.CategoricalCrossentropy(label_smoothing=0.1)), X, ONE_HOT),
    "label smoothing, logits": lambda: (
        model(D(4), losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.2)),
        X,
        ONE_HOT,
    ),
    "binary label smoothing": lambda: (model(sigmoid(), losses.BinaryCrossentropy(label_smoothing=0.2)), X, YES),
    "soft labels": lambda: (model(softmax(), CCE), X, SOFT),
    "KL divergence": lambda: (model(softmax(), "kl_divergence", None), X, SOFT),
    "categorical focal": lambda: (model(softmax(), losses.CategoricalFocalCrossentropy()), X, ONE_HOT),
    "softmax that Keras rescues": lambda: (model(softmax(), LOGIT_LOSSES["rows"]), X, ONE_HOT),
    "tf.nn.softmax, rescued in the graph only": lambda: (
        model([D(4), layers.Lambda(lambda z: tf.nn.softmax(z))], LOGIT_LOSSES["sparse"]),
        X,
        IDS,
    ),
    "softmax behind a Reshape": lambda: (model([softmax(), layers.Reshape((4,))], CCE), X, ONE_HOT),
    "more units than classes": lambda: (model(softmax(9), SCCE), X, IDS),
    "sigmoid, BCE": lambda: (model(sigmoid(), BCE, ["accuracy", metrics.AUC(), metrics.Precision()]), X, YES),
    "sigmoid, BCE, a column of whole numbers": lambda: (model(sigmoid(), BCE), X, YES.astype(int)[:, None]),
    "sigmoid, BCE, booleans": lambda: (model(sigmoid(), BCE), X, YES > 0),
    "logit, BCE, cut at 0": lambda: (
        model(D(1), LOGIT_LOSSES["binary"], metrics.BinaryAccuracy(threshold=0.0)),
        X,
        YES,
    ),
    "two classes, softmax, BCE": lambda: (model(softmax(2), BCE), X, np.eye(2, dtype="float32")[YES.astype(int)]),
    "binary focal": lambda: (model(sigmoid(), "binary_focal_crossentropy"), X, YES),
    "several labels": lambda: (model(sigmoid(5), BCE, "binary_accuracy"), X, SEVERAL),
    "several labels, logits": lambda: (
        model(D(5), LOGIT_LOSSES["binary"], metrics.BinaryAccuracy(threshold=0.0)),
        X,
        SEVERAL,
    ),
    "linear, MSE": lambda: (model(D(1), "mse", ["mae", metrics.R2Score()]), X, REAL[:, None]),
    "linear, MSE, labels (n,)": lambda: (model(D(1), "mse", "mae"), X, REAL),
    "linear, Huber": lambda: (model(D(1), losses.Huber(), "mae"), X, 10 * REAL),
    "linear, MAE, three targets": lambda: (model(D(3), "mae", "mse"), X, X[:, :3]),
    "predictions (n,)": lambda: (model([D(1), layers.Lambda(lambda z: z[:, 0])], "mse", "mae"), X, REAL),
    "sigmoid, MSE, shares": lambda: (model(sigmoid(), "mse", "mae"), X, SHARE),
    "sigmoid, BCE, shares": lambda: (model(sigmoid(), BCE, "mae"), X, SHARE),
    "sigmoid, MSE, labels 0 and 1 (a note)": lambda: (model(sigmoid(), "mse"), X, YES),
    "tanh, MSE": lambda: (model(D(1, activation="tanh"), "mse", "mae"), X, np.tanh(REAL)),
    "relu, positive targets": lambda: (model(D(1, activation="relu"), "mse", "mae"), X, np.abs(REAL)),
    "softplus, Poisson": lambda: (model(D(1, activation="softplus"), "poisson", None), X, RNG.poisson(2, N)),
    "exponential, MSLE": lambda: (model(D(1, activation="exponential"), "msle", None), X, 100 * np.abs(REAL)),
    "class numbers as measurements": lambda: (model(D(1), "mse", "mae"), X, IDS),
    "hinge, labels -1 and 1": lambda: (model(D(1), "hinge", None), X, 2 * YES - 1),
    "tanh, squared hinge, labels 0 and 1": lambda: (
        model(D(1, activation="tanh"), "squared_hinge", metrics.BinaryAccuracy(threshold=0.0)),
        X,
        YES,
    ),
    "categorical hinge": lambda: (model(D(4), "categorical_hinge"), X, ONE_HOT),
    "autoencoder": lambda: (model(D(6), "mse", None), X, X),
    "autoencoder of shares, BCE": lambda: (model(sigmoid(4), BCE, "mse", shape=(4,)), SOFT, SOFT),
    "autoencoder of one-hot rows, MSE": lambda: (model(sigmoid(4), "mse", None, shape=(4,)), ONE_HOT, ONE_HOT),
    "distillation, MSE": lambda: (model(softmax(), "mse", None), X, SOFT),
    "two outputs": lambda: (two_outputs(), X, [IDS, REAL]),
    "two outputs, labels in a dict": lambda: (two_outputs(), X, {"size": REAL, "kind": IDS}),
    "outputs in a dict": lambda: (two_outputs(as_dict=True), X, {"size": REAL, "kind": IDS}),
    "subclassed, not built": lambda: (subclassed(), X, IDS),
    "compute_loss of one's own": lambda: (own_compute_loss(softmax()), X, IDS),
    "add_loss": lambda: (model([Penalty(), softmax()], SCCE), X, IDS),
    "focal written by hand": lambda: (model(sigmoid(), focal), X, YES),
    "labels of -1 left out": lambda: (
        model(sigmoid(5), bce_but_for_minus_one, None),
        X,
        np.where(np.arange(5) % 3 == 0, -1.0, SEVERAL).astype("float32"),
    ),
    "dice": lambda: (model(sigmoid(), dice, None), X, YES),
    "one target for three quantiles": lambda: (model(D(3), quantiles, None), X, REAL[:, None]),
    "embeddings with a contrast of pairs": lambda: (model(D(8), contrast, None), X, IDS),
    "mean and spread": lambda: (model(D(2), normal, None), X, REAL[:, None]),
    "cosine": lambda: (model(D(6), losses.CosineSimilarity(), None), X, X),
    "a lambda around SCCE from logits": lambda: (
        model(D(4), lambda t, p: losses.sparse_categorical_crossentropy(t, p, from_logits=True)),
        X,
        IDS,
    ),
    "log of a softmax": lambda: (model(D(4, activation="log_softmax"), lambda t, p: -ops.sum(t * p, -1)), X, ONE_HOT),
    "class weights": lambda: (
        model(softmax(), SCCE, weighted_metrics=["accuracy"]),
        X,
        IDS,
        np.array([1, 5, 0.2, 1])[IDS],
    ),
    "tags of a sequence": lambda: (model(softmax(3), SCCE, shape=(5, 6)), SEQUENCES, TAGS),
    "tags in a column": lambda: (model(softmax(3), SCCE, shape=(5, 6)), SEQUENCES, TAGS[..., None]),
    "tags in rows, logits": lambda: (
        model(D(3), LOGIT_LOSSES["rows"], shape=(5, 6)),
        SEQUENCES,
        np.eye(3, dtype="float32")[TAGS],
    ),
    "masked sequence": lambda: (tagger(), TOKENS, TAGS),
    "one answer for a masked sequence": lambda: (one_line_of_text(), TOKENS, YES),
    "binary map": lambda: (model(layers.Conv2D(1, 1, activation="sigmoid"), BCE, shape=(6, 6, 3)), IMAGES, BINARY_MAP),
    "map of classes": lambda: (
        model(layers.Conv2D(3, 1, activation="softmax"), SCCE, shape=(6, 6, 3)),
        IMAGES,
        CLASS_MAP,
    ),
    "map with an ignored class": lambda: (
        model(
            layers.Conv2D(3, 1),
            losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=255),
            shape=(6, 6, 3),
        ),
        IMAGES,
        np.where(IMAGES[..., 0] < 0.2, 255, CLASS_MAP),
    ),
    "image to image": lambda: (model(layers.Conv2D(3, 1), "mse", "mae", shape=(6, 6, 3)), IMAGES, IMAGES),
    "normalization, dropout, regularization": lambda: (model(normed(), SCCE), X, IDS),
    "frozen base": lambda: (frozen_base(), X, IDS),
    "output that starts at 0": lambda: (model(D(4, activation="softmax", kernel_initializer="zeros"), SCCE), X, IDS),
    "half precision": lambda: (in_half_precision(lambda: model(softmax(), SCCE)), X, IDS),
    "half precision, many classes": lambda: (in_half_precision(lambda: model(softmax(300), SCCE)), X, IDS),
    "half precision, sigmoid": lambda: (in_half_precision(lambda: model(sigmoid(), BCE)), X, YES),
    "no labels": lambda: (model(D(1), "mse", None), X, None),
}


@pytest.mark.parametrize("what", SOUND)
def test_a_sound_configuration_gets_no_warning(what: str) -> None:
    diagnosis = audit(*SOUND[what]())
    assert [(finding.rule, finding.message) for finding in diagnosis.findings if finding.severity != "note"] == []
    assert diagnosis.causes == ()


# --- places and numbers -----------------------------------------------------------------------------------------------


def test_the_fault_of_one_output_is_told_at_that_output() -> None:
    inputs = keras.Input((6,))
    kind, size = softmax()(inputs), D(1, activation="relu", name="size")(inputs)
    made = keras.Model(inputs, {"kind": kind, "size": size})
    made.compile("sgd", {"kind": SCCE, "size": "mse"})
    diagnosis = audit(made, X, {"kind": IDS, "size": REAL})
    assert [(cause.rule, cause.where) for cause in diagnosis.causes] == [("unreachable-targets", "size")]


def test_a_fault_inside_a_nested_model_is_told_at_its_layer() -> None:
    inner = keras.Sequential([keras.Input((6,)), D(4, name="answer")], name="inner")
    inputs = keras.Input((6,))
    made = keras.Model(inputs, inner(inputs))
    made.compile("sgd", SCCE)
    assert audit(made, X, IDS).causes[0].where.endswith("answer")


def test_a_compute_loss_of_ones_own_is_judged_by_what_it_does() -> None:
    diagnosis = audit(own_compute_loss(D(4)), X, IDS)
    assert [cause.rule for cause in diagnosis.causes] == ["missing-output-activation"]


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
    made = model([Penalty(), D(4, activation="softmax", kernel_regularizer="l2")], SCCE)
    seen = facts(made, X, IDS)
    assert seen["samples"] == N
    assert seen["loss"]["value"] == pytest.approx(made.evaluate(X, IDS, batch_size=N, verbose=0)[0], rel=1e-5)
    assert seen["loss"]["extra"] == 1


def test_accuracies_are_those_of_plain_numpy() -> None:
    made = model(sigmoid(), BCE, ["accuracy", "AUC"])
    answers = made.predict(X, verbose=0)[:, 0]
    output = facts(made, X, YES)["outputs"][0]
    assert output["accuracies"]["half"] == pytest.approx(np.mean((answers > 0.5) == YES))
    assert output["accuracies"]["zero"] == pytest.approx(np.mean(YES))
    assert output["metrics"][0]["value"] == pytest.approx(output["accuracies"]["half"], abs=1e-6)
    assert [metric["flavours"] for metric in output["metrics"]] == [["half"], []]


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
    assert facts(made, X, YES)["outputs"][0]["prediction"]["always_one"]
    assert "single-unit-softmax" not in grave(audit(made, X, YES))


# --- nothing changes --------------------------------------------------------------------------------------------------


def state_of(made: Any) -> list[np.ndarray]:
    return [variable.numpy() for variable in (*made.variables, *made.metrics_variables, *made.optimizer.variables)]


def test_the_audit_changes_no_variable_and_draws_no_random_number() -> None:
    keras.utils.set_random_seed(3)
    made = model(normed(), SCCE, ["accuracy", metrics.SparseTopKCategoricalAccuracy(2)])
    made.fit(X, IDS, epochs=1, verbose=0)
    before, python, numbers = state_of(made), random.getstate(), np.random.get_state()[1].copy()
    audit(made, X, IDS)
    for one, other in zip(before, state_of(made), strict=True):
        np.testing.assert_array_equal(one, other)
    assert random.getstate() == python
    np.testing.assert_array_equal(np.random.get_state()[1], numbers)


@pytest.mark.parametrize("make", [subclassed, lambda: model(normed(), SCCE)], ids=["subclassed", "functional"])
def test_a_training_after_an_audit_is_the_same_training(make: Callable[[], Any]) -> None:
    """Bit for bit, dropout and all; names that Keras counts up included."""

    def weights(audited: bool) -> tuple[list[np.ndarray], list[str]]:
        keras.backend.clear_session()
        keras.utils.set_random_seed(5)
        made = make()
        if audited:
            audit(made, X, IDS)
        made.fit(X, IDS, epochs=2, batch_size=32, verbose=0)
        tf.random.normal([2])
        return [*(w for w in made.get_weights()), tf.random.normal([3]).numpy()], [D(1).name, metrics.Mean().name]

    (plain, plain_names), (audited, audited_names) = weights(False), weights(True)
    for one, other in zip(plain, audited, strict=True):
        np.testing.assert_array_equal(one, other)
    assert plain_names == audited_names


def test_the_compiled_loss_and_metrics_stay_unbuilt() -> None:
    """Building them would settle for good what "accuracy" means, by the shapes of a batch that was only looked at."""
    made = model(softmax(), SCCE)
    audit(made, X, IDS)
    assert not made._compile_loss.built
    assert not made._compile_metrics.built


class Counting(layers.Layer):
    """Counts its calls in Python and in a bare TensorFlow variable."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0
        self.seen = tf.Variable(0.0, trainable=False)

    def call(self, inputs: Any) -> Any:
        self.calls += 1
        self.seen.assign_add(1.0)
        return inputs


def test_counters_in_python_and_bare_variables_are_put_back() -> None:
    layer = Counting()
    made = model([layer, softmax()], SCCE)
    calls, seen = layer.calls, float(layer.seen)
    audit(made, X, IDS)
    assert (layer.calls, float(layer.seen)) == (calls, seen)


def test_an_audit_takes_under_a_second() -> None:
    """The best of three: the machine may be busy, and the first call loads kernels."""
    made = model([D(256, activation="relu"), D(256, activation="relu"), softmax(10)], SCCE)
    taken = []
    for _ in range(3):
        began = time.process_time()
        audit(made, X, IDS)
        taken.append(time.process_time() - began)
    assert min(taken) < 1.0


# --- what comes in ----------------------------------------------------------------------------------------------------


def test_labels_of_strings_get_the_line_that_numbers_them() -> None:
    with pytest.raises(ValueError, match=r"such as 'cat'.*np\.unique\(y, return_inverse=True\)"):
        audit(model(softmax(), SCCE), X, np.array(["cat"] * N))


def test_a_model_that_is_not_compiled_is_told_so() -> None:
    made = keras.Sequential([keras.Input((6,)), D(1)], name="bare")
    with pytest.raises(ValueError, match=r"'bare' is not\. Call model\.compile"):
        audit(made, X, REAL)


def test_an_empty_batch_is_refused() -> None:
    with pytest.raises(ValueError, match="batch is empty"):
        audit(model(D(1), "mse"), X[:0], REAL[:0])


def test_a_dataset_is_refused_with_the_line_that_takes_a_batch() -> None:
    dataset = tf.data.Dataset.from_tensor_slices((X, REAL)).batch(8)
    with pytest.raises(TypeError, match=r"x, y = next\(iter\(dataset\)\)"):
        audit(model(D(1), "mse"), dataset)


def test_different_lengths_are_named() -> None:
    with pytest.raises(ValueError, match="x has 96, y has 95"):
        audit(model(D(1), "mse"), X, REAL[:-1])


@pytest.mark.parametrize("kind", ["tensors", "lists", "tables"])
def test_a_batch_may_come_as(kind: str) -> None:
    if kind == "tables":
        pandas = pytest.importorskip("pandas")
        x, y = pandas.DataFrame(X), pandas.Series(IDS + 1)
    else:
        x, y = (tf.constant(X), tf.constant(IDS + 1)) if kind == "tensors" else (X.tolist(), (IDS + 1).tolist())
    assert [cause.rule for cause in audit(model(softmax(), SCCE), x, y).causes] == ["labels-out-of-range"]


def test_one_sample_is_enough_to_look() -> None:
    assert [cause.rule for cause in audit(model(sigmoid(), CCE, None), X[:1], YES[:1]).causes] == [
        "one-class-crossentropy"
    ]


def test_a_model_without_a_loss_of_its_own_is_not_measured() -> None:
    made = keras.Sequential([keras.Input((6,)), D(1)])
    made.compile("sgd")
    diagnosis = audit(made, X, REAL)
    assert diagnosis.causes == ()
    assert {"mismatched-loss", "missing-output-activation"} <= {verdict.rule for verdict in diagnosis.not_measured}


def test_a_loss_that_fails_is_told_and_not_raised() -> None:
    def broken(t: Any, p: Any) -> Any:
        raise RuntimeError("no such thing")

    seen = facts(model(D(1), broken, None), X, REAL)
    assert "RuntimeError: no such thing" in seen["loss"]["error"]
    assert audit(model(D(1), broken, None), X, REAL).causes == ()


def test_no_sample_of_the_data_is_kept() -> None:
    """A run file may be sent around; shares, bounds and sums only."""
    x = X.copy()
    x[0, 0] = 12345.678
    kept = str(facts(model(D(1), "mse", None), x, REAL))
    assert "12345" not in kept
