"""Small models, compiled in as many ways as users do, and samples with labels of every kind for them.

Every model is compiled by Keras. A case names the end of the network, the loss and the labels.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import layers, losses, ops

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
COUNTS = np.random.default_rng(8).poisson(1.5, N).astype("float32")
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


def of_two(y: Any, p: Any) -> Any:
    """Negative log likelihood of a mixture of two normal densities: of logits, means and deviations only the last must
    be over 0."""
    logits, means, deviations = p[:, :2], p[:, 2:4], p[:, 4:]
    apart = (ops.reshape(y, (-1, 1)) - means) / deviations
    return -ops.logsumexp(ops.log_softmax(logits) - ops.log(deviations) - 0.5 * ops.square(apart), axis=-1)


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
