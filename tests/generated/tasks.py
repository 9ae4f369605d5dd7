"""What is to be learned: loss, the last layer it needs, targets, metrics."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from generated.choices import Choices


@dataclass(frozen=True)
class Task:
    """One output. targets: "classes", "one-hot", "yes or no", "signs", "counts" or "numbers"."""

    units: int
    activation: str | None
    targets: str
    loss: Callable[[], Any]


def own_squares(y, p):
    return ops.mean(ops.square(ops.cast(y, p.dtype) - p), axis=-1)


def with_noise(y, p):
    """Draws a random number at each step."""
    return ops.mean(ops.abs(ops.cast(y, p.dtype) - p + 0.01 * keras.random.normal((), dtype=p.dtype)), axis=-1)


class OwnLoss(keras.losses.Loss):
    def call(self, y, p):
        return ops.mean(ops.log(ops.cosh(ops.cast(y, p.dtype) - p)), axis=-1)


def _numbers(loss: Any, activation: str | None = None, targets: str = "numbers", units: int = 1) -> Task:
    return Task(units, activation, targets, loss)


TASKS = {
    "crossentropy": Task(3, "softmax", "classes", lambda: "sparse_categorical_crossentropy"),
    "of logits": Task(3, None, "classes", lambda: keras.losses.SparseCategoricalCrossentropy(from_logits=True)),
    "one-hot": Task(3, "softmax", "one-hot", lambda: "categorical_crossentropy"),
    "smoothed": Task(
        3, None, "one-hot", lambda: keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1)
    ),
    "focal": Task(3, "softmax", "one-hot", lambda: keras.losses.CategoricalFocalCrossentropy()),
    "divergence": Task(3, "softmax", "one-hot", lambda: "kl_divergence"),
    "yes or no": Task(1, "sigmoid", "yes or no", lambda: "binary_crossentropy"),
    "logit": Task(1, None, "yes or no", lambda: keras.losses.BinaryCrossentropy(from_logits=True)),
    "hinge": Task(1, "tanh", "signs", lambda: "hinge"),
    "squares": _numbers(lambda: "mse"),
    "absolute": _numbers(lambda: "mae", units=2),
    "huber": _numbers(lambda: keras.losses.Huber(0.5)),
    "poisson": _numbers(lambda: "poisson", "softplus", "counts"),
    "cosine": _numbers(lambda: "cosine_similarity", units=2),
    "own function": _numbers(lambda: own_squares),
    "own random function": _numbers(lambda: with_noise),
    "own class": _numbers(lambda: OwnLoss()),
    "lambda": _numbers(lambda: lambda y, p: tf.abs(tf.cast(y, p.dtype) - p)),
}


def targets(task: Task, count: int, rng: np.random.Generator) -> np.ndarray:
    """(count,) whole numbers for classes, else (count, units) reals."""
    if task.targets == "classes":
        return rng.integers(0, task.units, count)
    if task.targets == "one-hot":
        return np.eye(task.units, dtype="float32")[rng.integers(0, task.units, count)]
    drawn = {
        "yes or no": lambda shape: rng.integers(0, 2, shape),
        "signs": lambda shape: 2 * rng.integers(0, 2, shape) - 1,
        "counts": lambda shape: rng.poisson(2.0, shape),
        "numbers": rng.standard_normal,
    }[task.targets]((count, task.units))
    return drawn.astype("float32")


class OwnMetric(keras.metrics.Metric):
    """Counts batches, and draws from NumPy where it is traced or runs."""

    def __init__(self, name="batches"):
        super().__init__(name=name)
        self.total = self.add_weight(shape=(), initializer="zeros", name="total")
        self.traces = 0

    def update_state(self, y, p, sample_weight=None):
        self.traces += 1
        self.total.assign_add(1.0)

    def result(self):
        return self.total + float(np.random.random() < 0.0)

    def reset_state(self):
        self.total.assign(0.0)


def own_metric(y, p):
    return ops.mean(ops.abs(p))


def metrics(choices: Choices, task: Task) -> dict[str, Any]:
    """`metrics` and `weighted_metrics` for `compile`, of one output."""
    kinds: dict[str, Callable[[], dict[str, Any]]] = {
        "none": dict,
        "own function": lambda: {"metrics": [own_metric]},
        "own class": lambda: {"metrics": [OwnMetric()]},
        "mean": lambda: {"metrics": [keras.metrics.MeanAbsoluteError()]},
    }
    if task.targets in ("classes", "one-hot", "yes or no"):
        kinds["accuracy"] = lambda: {"metrics": ["accuracy"]}
        kinds["weighted accuracy"] = lambda: {"weighted_metrics": ["accuracy"]}
    if task.targets == "classes":
        del kinds["mean"]
    if task.targets == "yes or no" and task.activation:
        kinds["AUC"] = lambda: {"metrics": [keras.metrics.AUC(num_thresholds=5)]}
    return choices.from_table("metrics", kinds)()
