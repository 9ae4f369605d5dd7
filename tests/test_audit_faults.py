"""Each fault of configuration that one batch tells, and its cure: they differ in what the rule's remedy says.

One table holds them all, and so the file is longer than others: which faults are tested is to be seen at a glance.
"""

from __future__ import annotations

import functools
from typing import Any

import keras
import numpy as np
import pytest
from configurations import (
    BCE,
    CCE,
    COUNTS,
    IDS,
    ONE_HOT,
    REAL,
    SCCE,
    SEQUENCES,
    SEVERAL,
    SHARE,
    TAGS,
    TOKENS,
    YES,
    Aligned,
    Case,
    D,
    N,
    Unaligned,
    X,
    grave,
    model,
    own_softmax,
    sigmoid,
    softmax,
    tagger,
)
from keras import layers, losses, metrics, ops
from plain_words import odd_words_of

from diagnose.callbacks.auditing.audit import audit


def turned(axes: tuple[int, ...]) -> layers.Layer:
    """Transposes (batch, 5, 12) and brings it back to the shape of 5 times 12 numbers a sample."""
    return layers.Lambda(lambda z: ops.reshape(ops.transpose(z, axes), (-1, 5, 12)))


# Most cures lead to one of these; it is audited once.


def one_of_four() -> tuple[Any, ...]:
    return model(softmax(), CCE), X, ONE_HOT


def numbered() -> tuple[Any, ...]:
    return model(softmax(), SCCE), X, IDS


def yes_or_no() -> tuple[Any, ...]:
    return model(sigmoid(), BCE), X, YES


#: what -> (rule, sick, cured).
FAULTS: dict[str, tuple[str, Case, Case]] = {
    "2.2 softmax over one unit under BCE": (
        "single-unit-softmax",
        lambda: (model(softmax(1), BCE), X, YES),
        yes_or_no,
    ),
    "softmax over one unit under MSE": (
        "single-unit-softmax",
        lambda: (model(softmax(1), "mse"), X, YES),
        yes_or_no,
    ),
    "2.2 one sigmoid unit under CCE": (
        "one-class-crossentropy",
        lambda: (model(sigmoid(), CCE), X, YES),
        yes_or_no,
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
        yes_or_no,
    ),
    "softmax over the batch": (
        "missing-output-activation",
        lambda: (model([D(4), layers.Lambda(lambda z: ops.softmax(z, axis=0))], SCCE), X, IDS),
        numbered,
    ),
    "2.3 linear under CCE": (
        "missing-output-activation",
        lambda: (model(D(4), CCE), X, ONE_HOT),
        lambda: (model(D(4), losses.CategoricalCrossentropy(from_logits=True)), X, ONE_HOT),
    ),
    "2.3 linear under SCCE": (
        "missing-output-activation",
        lambda: (model(D(4), SCCE), X, IDS),
        numbered,
    ),
    "2.3 tanh under CCE": (
        "missing-output-activation",
        lambda: (model(D(4, activation="tanh"), CCE), X, ONE_HOT),
        one_of_four,
    ),
    "2.3 relu under CCE": (
        "missing-output-activation",
        lambda: (model(D(4, activation="relu"), CCE), X, ONE_HOT),
        one_of_four,
    ),
    "2.3 linear under BCE": (
        "missing-output-activation",
        lambda: (model(D(1), BCE), X, YES),
        yes_or_no,
    ),
    "sigmoids under CCE": (
        "missing-output-activation",
        lambda: (model(sigmoid(4), CCE), X, ONE_HOT),
        one_of_four,
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
        one_of_four,
    ),
    "one-hot labels reshaped where they should be turned": (
        "empty-targets",
        lambda: (model(softmax(), CCE), X, np.eye(4)[X[:, :4].argmax(axis=1)].T.reshape(-1, 4)),
        lambda: (model(softmax(), CCE), X, np.eye(4)[X[:, :4].argmax(axis=1)]),
    ),
    "2.9 counted from 1": (
        "labels-out-of-range",
        lambda: (model(softmax(), SCCE), X, IDS + 1),
        numbered,
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
        yes_or_no,
    ),
    "2.11 four classes under BCE": (
        "labels-outside-unit-interval",
        lambda: (model(sigmoid(), BCE), X, IDS),
        numbered,
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
    "a loss that flattens flat labels": (
        "broadcast-loss",
        lambda: (model(D(1), lambda t, p: ops.mean((ops.reshape(t, (-1,)) - p) ** 2), None), X, REAL),
        lambda: (model(D(1), lambda t, p: ops.mean((ops.reshape(t, (-1, 1)) - p) ** 2), None), X, REAL),
    ),
    "a loss that flattens the labels": (
        "broadcast-loss",
        lambda: (model(D(1), lambda t, p: ops.mean((ops.reshape(t, (-1,)) - p) ** 2), None), X, REAL[:, None]),
        lambda: (model(D(1), lambda t, p: ops.mean((ops.reshape(t, (-1, 1)) - p) ** 2), None), X, REAL[:, None]),
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
        one_of_four,
    ),
    "MSE of one-hot labels": (
        "mismatched-loss",
        lambda: (model(D(4), "mse"), X, ONE_HOT),
        one_of_four,
    ),
    "BCE of a softmax of four classes": (
        "mismatched-loss",
        lambda: (model(softmax(), BCE), X, ONE_HOT),
        one_of_four,
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
    "CCE with all of the labels smoothed away": (
        "mismatched-loss",
        lambda: (model(softmax(), losses.CategoricalCrossentropy(label_smoothing=1.0)), X, ONE_HOT),
        lambda: (model(softmax(), losses.CategoricalCrossentropy(label_smoothing=0.1)), X, ONE_HOT),
    ),
    "BCE with all of the labels smoothed away": (
        "mismatched-loss",
        lambda: (model(sigmoid(), losses.BinaryCrossentropy(label_smoothing=1.0), None), X, YES),
        lambda: (model(sigmoid(), losses.BinaryCrossentropy(label_smoothing=0.1), None), X, YES),
    ),
    "the likelihood for a loss": (
        "mismatched-loss",
        lambda: (model(D(1), lambda t, p: -0.5 * ops.square(t - p) - 0.919, None), X, REAL[:, None]),
        lambda: (model(D(1), lambda t, p: 0.5 * ops.square(t - p) + 0.919, None), X, REAL[:, None]),
    ),
    "the log-probability for a loss": (
        "mismatched-loss",
        lambda: (model(softmax(), lambda t, p: -losses.sparse_categorical_crossentropy(t, p)), X, IDS),
        lambda: (model(softmax(), lambda t, p: losses.sparse_categorical_crossentropy(t, p)), X, IDS),
    ),
    "a focal loss that counts the ones only": (
        "mismatched-loss",
        lambda: (model(sigmoid(), lambda t, p: -t * (1 - p) ** 2 * ops.log(p + 1e-6), None), X, YES),
        lambda: (model(sigmoid(), "binary_focal_crossentropy", None), X, YES),
    ),
    "a difference that is not squared": (
        "mismatched-loss",
        lambda: (model(D(1), lambda t, p: t - p, None), X, REAL[:, None]),
        lambda: (model(D(1), lambda t, p: (t - p) ** 2, None), X, REAL[:, None]),
    ),
    "a difference of means": (
        "mismatched-loss",
        lambda: (model(D(1), lambda t, p: (ops.mean(t) - ops.mean(p)) ** 2, "mae"), X, REAL[:, None]),
        lambda: (model(D(1), lambda t, p: ops.mean((t - p) ** 2), "mae"), X, REAL[:, None]),
    ),
    "Poisson under a linear layer": (
        "missing-output-activation",
        lambda: (model(D(1), "poisson", None), X, COUNTS),
        lambda: (model(D(1, activation="softplus"), "poisson", None), X, COUNTS),
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
    "less the mean of the batch": (
        "mixed-samples",
        lambda: (model([D(4), layers.Lambda(lambda z: z - ops.mean(z, axis=0)), softmax()], SCCE), X, IDS),
        lambda: (
            model([D(4), layers.Lambda(lambda z: z - ops.mean(z, axis=-1, keepdims=True)), softmax()], SCCE),
            X,
            IDS,
        ),
    ),
    "a reshape over the batch": (
        "mixed-samples",
        lambda: (model([turned((1, 0, 2)), layers.Flatten(), softmax()], SCCE, shape=(5, 6)), SEQUENCES, IDS),
        lambda: (model([turned((0, 2, 1)), layers.Flatten(), softmax()], SCCE, shape=(5, 6)), SEQUENCES, IDS),
    ),
    "relu before sigmoid": (
        "clipped-logits",
        lambda: (model([D(1, activation="relu"), layers.Activation("sigmoid")], BCE), X, YES),
        lambda: (model([D(1), layers.Activation("sigmoid")], BCE), X, YES),
    ),
}


@pytest.mark.parametrize("what", FAULTS)
def test_a_fault_of_configuration_is_the_first_cause_before_any_training(what: str) -> None:
    rule, sick, _ = FAULTS[what]
    diagnosis = audit(*sick())
    assert diagnosis.causes[0].rule == rule
    assert diagnosis.outcome == "unknown"
    assert not diagnosis.healthy
    assert diagnosis.causes[0].remedy
    assert odd_words_of(diagnosis) == []


@pytest.mark.parametrize("what", FAULTS)
def test_its_remedy_leaves_nothing_to_complain_of(what: str) -> None:
    _, _, cured = FAULTS[what]
    assert complaints(cured) == set()


@functools.cache
def complaints(case: Case) -> set[str]:
    return grave(audit(*case()))


def test_a_softmax_over_one_unit_under_cce_is_both_faults_at_once() -> None:
    """Either alone would still give a loss or an output that says nothing, so both are causes."""
    diagnosis = audit(model(softmax(1), CCE), X, YES)
    assert {cause.rule for cause in diagnosis.causes} == {"single-unit-softmax", "one-class-crossentropy"}
    assert 'Dense(1, activation="sigmoid")' in diagnosis.headline
