"""How often the diagnosis is right: trainings with a known fault, and trainings with none.

    python benchmarks/diagnosis.py [--part heldback] [--cases N] [--seconds S] [--keep FOLDER] [--page FILE]

Each fault is put into trainings on several data sets, with several depths, widths, optimizers and seeds; healthy
trainings are made of many kinds. The calibration part has the data sets (digits, moons, iris, Friedman's function,
words) on which thresholds may be set; the held-back part has others, with other seeds, and its figures are the ones to
quote. The truth is known without the diagnosis: the fault was put there, and what was achieved is computed here from
the predictions. A fault that must keep a training from learning, and did not, makes no sick training: it is left out,
and counted. Cases come in an order that spreads over all faults, so that a short run is a fair sample. With `--keep`
each run is kept in a folder and read again the next time, so that a benchmark that was stopped goes on, and new rules
can be judged on old runs."""

from __future__ import annotations

import argparse
import os
import pickle
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

import keras
import numpy as np
import tensorflow as tf
import trainings as t
from keras import layers, ops
from trainings import Data, Training, adam, sgd

from diagnose import Diagnosis, Run, examine
from diagnose.callbacks import TrainingMonitor

DECENT = 0.8  # a fault that must do harm, and left this much of all skill, did none
GOOD = 0.6  # least skill on training samples of a training that is to be called healthy


@dataclass(frozen=True)
class Case:
    """One training and the truth about it.

    fault: its name, "" for a healthy training. causes: the rules that name this fault, each a right answer.
    second: the same for a second fault, if there is one: then each of the two must be found.
    place: what the place of the cause must hold ("" is the whole model, None leaves it open).
    harmful: the fault is one only where the training suffers.
    """

    name: str
    training: Training
    fault: str = ""
    causes: tuple[str, ...] = ()
    second: tuple[str, ...] = ()
    place: str | None = None
    harmful: bool = True


@dataclass
class Seen:
    """What a training left: the run, and what it achieved, computed without the diagnosis."""

    run: Run
    train: float
    validation: float
    broken: bool


@dataclass
class Judged:
    """One case with its verdict."""

    case: Case
    seen: Seen
    diagnosis: Diagnosis
    seconds: float = 0.0
    rank: int | None = field(default=None)


# What can be done to samples and labels.


def each(data: Data, x: Callable[[np.ndarray], np.ndarray] = lambda x: x, y: Any = lambda y: y) -> Data:
    return replace(data, x=x(data.x), y=y(data.y), x_validation=x(data.x_validation), y_validation=y(data.y_validation))


def scaled(by: float, shift: float = 0.0) -> t.Spoil:
    return lambda data, rng: each(data, lambda x: (x * by + shift).astype("float32"))


def few(count: int) -> t.Spoil:
    return lambda data, rng: replace(data, x=data.x[:count], y=data.y[:count])


def shuffled_labels(data: Data, rng: np.random.Generator) -> Data:
    return replace(data, y=rng.permutation(data.y), y_validation=rng.permutation(data.y_validation))


def noisy_labels(data: Data, rng: np.random.Generator) -> Data:
    wrong = rng.random(len(data.y)) < 0.4
    return replace(data, y=np.where(wrong, rng.permutation(data.y), data.y))


def one_nan(data: Data, rng: np.random.Generator) -> Data:
    x = data.x.copy()
    x[len(x) // 2, 0] = np.nan
    return replace(data, x=x)


def zeros(data: Data, rng: np.random.Generator) -> Data:
    return each(data, np.zeros_like)


def in_order(data: Data, rng: np.random.Generator) -> Data:
    order = np.argsort(data.y, kind="stable")
    return replace(data, x=data.x[order], y=data.y[order])


def other_scale_in_validation(data: Data, rng: np.random.Generator) -> Data:
    return replace(data, x_validation=data.x_validation * 30 + 20)


def other_classes_in_validation(data: Data, rng: np.random.Generator) -> Data:
    return replace(data, y_validation=(data.y_validation + 1) % data.outputs)


def rare_and_vague(rng: np.random.Generator) -> Data:
    x = rng.normal(size=(1500, 10)).astype("float32")
    return t._split(x, (x[:, 0] + 4 * rng.normal(size=1500) > 7).astype("float32"), "binary", rng, 1000)


def pattern(rng: np.random.Generator) -> Data:
    """A chessboard in the first two features: nothing linear tells its colours apart."""
    x = rng.uniform(-1, 1, (1500, 4)).astype("float32")
    return t._split(x, ((x[:, 0] > 0) ^ (x[:, 1] > 0)).astype("float32"), "binary", rng, 1000)


# Activations with a fault.


def tanh_of_fifth_power(z: Any) -> Any:
    return ops.tanh(z**5)


def tanh_of_seventh_power(z: Any) -> Any:
    return ops.tanh(z**7)


def steep_sigmoid(z: Any) -> Any:
    return ops.sigmoid(12 * z)


def steep_tanh(z: Any) -> Any:
    return ops.tanh(25 * z)


def fast_sine(z: Any) -> Any:
    return ops.sin(30 * z)


def fast_cosine(z: Any) -> Any:
    return ops.cos(20 * z)


def rounded(z: Any) -> Any:
    return ops.round(z)


def stopped(z: Any) -> Any:
    return ops.stop_gradient(ops.relu(z))


def hand_made_elu(z: Any) -> Any:
    return ops.where(z > 0, z, ops.exp(z) - 1)


def root(z: Any) -> Any:
    return ops.where(z > 0, ops.sqrt(z), 0.0)


def exponential_of_square(z: Any) -> Any:
    return ops.exp(z * z)


def nothing(z: Any) -> Any:
    return 0.0 * z + 1.0


def tiny(z: Any) -> Any:
    return ops.clip(z, 0.0, 1e-3)


def over_the_batch(z: Any) -> Any:
    return ops.softmax(z, axis=0)


@tf.custom_gradient
def _turned(z: Any) -> Any:
    return tf.nn.relu(z), lambda upstream: -upstream * tf.cast(z > 0, z.dtype)


def wrong_sign(z: Any) -> Any:
    return _turned(z)


class Unweighted(keras.Model):
    """A training step that forgets to apply its gradients."""

    def train_step(self, given: Any) -> dict[str, Any]:
        x, y = given[0], given[1]
        with tf.GradientTape() as tape:
            answered = self(x, training=True)
            loss = self.compute_loss(x, y, answered)
        tape.gradient(loss, self.trainable_variables)
        for metric in self.metrics:
            metric.update_state(loss) if metric.name == "loss" else metric.update_state(y, answered)
        return {metric.name: metric.result() for metric in self.metrics}


class Unreported(t.OwnStep):
    """A training step that forgets to update the metric of the loss."""

    def train_step(self, given: Any) -> dict[str, Any]:
        x, y = given[0], given[1]
        with tf.GradientTape() as tape:
            answered = self(x, training=True)
            loss = self.compute_loss(x, y, answered)
        self.optimizer.apply(tape.gradient(loss, self.trainable_variables), self.trainable_variables)
        for metric in self.metrics:
            if metric.name != "loss":
                metric.update_state(y, answered)
        return {metric.name: metric.result() for metric in self.metrics}


def one_batch_again(data: Data) -> Any:
    first = tf.data.Dataset.from_tensors((data.x[:32], data.y[:32]))
    return first.repeat(max(len(data.x) // 32, 1))


def normal(spread: float) -> Any:
    return keras.initializers.RandomNormal(stddev=spread, seed=3)


def one_hot(data: Data, rng: np.random.Generator) -> Data:
    eye = np.eye(data.outputs, dtype="float32")
    return replace(data, y=eye[data.y], y_validation=eye[data.y_validation])


@dataclass(frozen=True)
class Fault:
    """How to make sick trainings of one kind.

    causes, place, harmful: as in `Case`. kinds: kinds of data that it suits. make: from a healthy training of that
    data and the number of the variation, the sick one.
    """

    name: str
    causes: tuple[str, ...]
    make: Callable[[Training, int], Training]
    kinds: tuple[str, ...] = ("classes", "binary", "regression", "labels")
    place: str | None = None
    harmful: bool = True


def pick(options: Any, number: int) -> Any:
    return options[number % len(options)]


BOUNDED = ("saturated-activation", "saturating-activation", "steep-activation", "blocked-gradient")
FOLDED = ("folded-activation", "non-monotonic-activation", "steep-activation")
FLAT = ("flat-activation", "saturated-activation", "blocked-gradient")
NAN = ("nan-gradient-activation", "non-finite-gradient", "overflowing-activation")

FAULTS = (
    Fault(
        "activation flat around 0",
        FLAT,
        lambda b, n: replace(
            b,
            activation=pick((tanh_of_fifth_power, tanh_of_seventh_power), n),
            depth=pick((6, 8), n),
            optimizer=pick((adam(1e-3), sgd(0.05)), n),
        ),
        place="hidden_",
    ),
    Fault(
        "sigmoid too steep",
        (*BOUNDED, "vanishing-gradient"),
        lambda b, n: replace(
            b,
            activation=pick((steep_sigmoid, steep_tanh), n),
            depth=pick((10, 12), n),
            optimizer=pick((sgd(0.01), adam(1e-3)), n),
        ),
        place="hidden_",
    ),
    Fault(
        "initial weights too large",
        ("mismatched-initialization", "saturated-activation"),
        lambda b, n: replace(
            b,
            activation=pick(("tanh", "sigmoid"), n),
            initializer=normal(pick((5.0, 10.0), n)),
            depth=pick((4, 3), n),
            optimizer=adam(1e-3),
        ),
        place="hidden_",
    ),
    Fault(
        "initial weights too small",
        ("mismatched-initialization", "fading-signal", "vanishing-gradient"),
        lambda b, n: replace(
            b, initializer=normal(0.01), depth=pick((6, 8), n), optimizer=pick((sgd(0.01), adam(1e-3)), n)
        ),
        place="hidden_",
    ),
    Fault(
        "waves too short",
        FOLDED,
        lambda b, n: replace(b, activation=pick((fast_sine, fast_cosine), n), depth=pick((2, 3), n)),
        place="hidden_",
    ),
    Fault(
        "gradient vanishes in a deep sigmoid net",
        ("vanishing-gradient", "collapsed-representation", "blocked-gradient"),
        lambda b, n: replace(
            b, activation="sigmoid", depth=pick((8, 10), n), optimizer=pick((sgd(0.02), adam(1e-3)), n)
        ),
        place="hidden_",
    ),
    Fault(
        "activation without gradient",
        ("gradientless-activation", "zero-gradient"),
        lambda b, n: replace(b, activation=pick((rounded, stopped), n), initializer=normal(0.02), depth=3),
        place="hidden_",
    ),
    Fault(
        "where hides a NaN",
        NAN,
        lambda b, n: replace(
            b, activation=pick((hand_made_elu, root), n), spoil=(*b.spoil, scaled(100.0)), depth=pick((2, 3), n)
        ),
        place="hidden_",
        harmful=False,
    ),
    Fault(
        "activation overflows",
        (
            "overflowing-activation",
            "non-finite-activation",
            "nan-gradient-activation",
            "exploding-gradient",
            "growing-signal",
        ),
        lambda b, n: replace(b, activation=exponential_of_square, depth=pick((3, 4), n)),
        place="hidden_",
    ),
    Fault(
        "constant activation",
        ("constant-activation", "zero-gradient", "gradientless-activation", "flat-activation"),
        lambda b, n: replace(b, activation=nothing),
        place="hidden_",
    ),
    Fault(
        "activation much too small",
        (
            "badly-scaled-activation",
            "unstable-signal",
            "fading-signal",
            "saturated-activation",
            "saturating-activation",
        ),
        lambda b, n: replace(b, activation=tiny, depth=pick((3, 4), n)),
        place="hidden_",
    ),
    Fault(
        "softmax over the batch",
        ("mixing-activation",),
        lambda b, n: replace(b, activation=over_the_batch, depth=pick((2, 3), n)),
        place="hidden_",
    ),
    Fault(
        "gradient of the wrong sign",
        ("wrong-gradient-activation",),
        lambda b, n: replace(b, activation=wrong_sign, depth=pick((1, 3), n), optimizer=sgd(0.1)),
        place="hidden_",
    ),
    Fault(
        "dead from the start",
        ("dead-units", "mismatched-initialization"),
        lambda b, n: replace(b, bias=keras.initializers.Constant(-30.0), depth=pick((1, 2), n)),
        place="hidden_",
    ),
    Fault(
        "rate much too high",
        ("large-updates", "exploding-gradient", "diverging-loss", "oscillating-loss"),
        lambda b, n: replace(b, optimizer=pick((adam(1.0), sgd(100.0)), n)),
    ),
    Fault(
        "rate much too low",
        ("small-updates", "slow-progress"),
        lambda b, n: replace(b, optimizer=pick((adam(1e-7), sgd(1e-6)), n)),
    ),
    Fault(
        "inputs not scaled",
        ("unscaled-input",),
        lambda b, n: replace(
            b,
            spoil=(*b.spoil, scaled(pick((300.0, 100.0), n), pick((0.0, 500.0), n))),
            activation=pick(("tanh", "sigmoid"), n),
            optimizer=pick((sgd(0.1), adam(1e-3)), n),
        ),
    ),
    Fault(
        "a NaN in the data",
        ("non-finite-input",),
        lambda b, n: replace(b, spoil=(*b.spoil, one_nan), activation=pick(("relu", "tanh"), n)),
        harmful=False,
    ),
    Fault("inputs all equal", ("constant-input",), lambda b, n: replace(b, spoil=(*b.spoil, zeros))),
    Fault(
        "shuffled labels",
        ("memorized-labels",),
        lambda b, n: replace(b, spoil=(few(150), shuffled_labels), width=128, epochs=90, optimizer=adam(3e-3)),
        ("classes",),
        harmful=False,
    ),
    Fault(
        "noisy labels learned by heart",
        ("overfitting", "memorized-labels"),
        lambda b, n: replace(b, spoil=(few(200), noisy_labels), width=128, epochs=90, optimizer=adam(3e-3)),
        ("classes",),
        harmful=False,
    ),
    Fault(
        "one batch again and again",
        ("repeated-batch",),
        lambda b, n: replace(b, batches=one_batch_again, epochs=max(b.epochs, 8)),
        ("classes", "binary"),
    ),
    Fault(
        "sorted, not shuffled",
        ("unshuffled-batches",),
        lambda b, n: replace(b, spoil=(in_order,), fit={"shuffle": False}, optimizer=sgd(0.3), epochs=4),
        ("classes",),
    ),
    Fault(
        "validation scaled otherwise",
        ("train-validation-shift",),
        lambda b, n: replace(b, spoil=(other_scale_in_validation,)),
        ("classes", "binary"),
        harmful=False,
    ),
    Fault(
        "classes numbered otherwise in validation",
        ("train-validation-shift",),
        lambda b, n: replace(b, spoil=(other_classes_in_validation,)),
        ("classes",),
        harmful=False,
    ),
    Fault(
        "rare and vague class",
        ("class-imbalance",),
        lambda b, n: replace(b, data=rare_and_vague, width=8, depth=1, epochs=6, network=None),
        ("binary",),
    ),
    Fault(
        "equal initial weights",
        ("symmetric-initialization",),
        lambda b, n: replace(
            b,
            initializer="ones" if n % 2 else keras.initializers.Constant(0.1),
            activation=pick(("tanh", "relu"), n),
            optimizer=adam(1e-3),
        ),
        ("classes",),
        place="hidden_",
    ),
    Fault(
        "no activations",
        ("missing-nonlinearity",),
        lambda b, n: replace(b, data=pick((pattern, t.circles), n), activation=None, depth=3, epochs=10),
        ("binary",),
        place="hidden_",
    ),
    Fault("dropout of nearly all", ("heavy-dropout",), lambda b, n: replace(b, between=lambda: layers.Dropout(0.97))),
    Fault(
        "weight decay above all",
        ("dominant-regularizer",),
        lambda b, n: replace(b, regularizer=keras.regularizers.L2(pick((3.0, 10.0), n))),
    ),
    Fault(
        "gradients clipped to nothing",
        ("choked-clipping", "small-updates"),
        lambda b, n: replace(b, optimizer=sgd(0.1, clipnorm=pick((1e-5, 1e-6), n))),
    ),
    Fault("gradients never applied", ("frozen-weights",), lambda b, n: replace(b, model=Unweighted)),
    Fault("nothing trainable", ("frozen-weights",), lambda b, n: replace(b, after=_freeze)),
    Fault(
        "far too few steps",
        ("unfinished-training", "slow-progress", "small-updates"),
        lambda b, n: replace(b, activation="sigmoid", optimizer=sgd(0.002), epochs=4),
        ("classes",),
    ),
    Fault(
        "one softmax unit",
        ("single-unit-softmax", "one-class-crossentropy"),
        lambda b, n: replace(b, last="softmax", loss=pick(("binary_crossentropy", "mse"), n)),
        ("binary",),
        "output",
        False,
    ),
    Fault(
        "crossentropy of one class",
        ("one-class-crossentropy", "single-unit-softmax"),
        lambda b, n: replace(b, last=pick(("sigmoid", "softmax"), n), loss="categorical_crossentropy"),
        ("binary",),
        harmful=False,
    ),
    Fault(
        "output activation forgotten",
        ("missing-output-activation",),
        lambda b, n: replace(b, last=None),
        ("classes", "binary"),
        "output",
        False,
    ),
    Fault(
        "softmax of softmax",
        ("doubled-output-activation",),
        lambda b, n: replace(
            b,
            last=lambda z: ops.reshape(ops.softmax(z), ops.shape(z)),
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        ),
        ("classes",),
        "output",
        False,
    ),
    Fault(
        "logits against one half",
        ("logits-thresholded-at-half",),
        lambda b, n: replace(b, last=None, loss=keras.losses.BinaryCrossentropy(from_logits=True)),
        ("binary",),
        harmful=False,
    ),
    Fault(
        "accuracy of a regression",
        ("accuracy-of-regression",),
        lambda b, n: replace(b, metrics=["accuracy"]),
        ("regression",),
        harmful=False,
    ),
    Fault(
        "regression targets as class numbers",
        ("float-labels-in-sparse-loss",),
        lambda b, n: replace(
            b,
            spoil=(*b.spoil, lambda d, r: each(d, y=lambda y: (1 / (1 + np.exp(-y))).astype("float32"))),
            last="softmax",
            outputs=5,
            loss="sparse_categorical_crossentropy",
            metrics=["accuracy"],
        ),
        ("regression",),
        harmful=False,
    ),
    Fault(
        "labels 1 and 2",
        ("labels-outside-unit-interval",),
        lambda b, n: replace(b, spoil=(*b.spoil, lambda d, r: each(d, y=lambda y: pick((y + 1, 2 * y - 1), n)))),
        ("binary",),
        harmful=False,
    ),
    Fault(
        "targets out of reach",
        ("unreachable-targets",),
        lambda b, n: replace(
            b, last=pick(("relu", "sigmoid"), n), spoil=(*b.spoil, lambda d, r: each(d, y=lambda y: y * 10 - 30))
        ),
        ("regression",),
        "output",
        False,
    ),
    Fault(
        "empty targets",
        ("empty-targets",),
        lambda b, n: replace(
            b, spoil=(*b.spoil, one_hot, lambda d, r: each(d, y=lambda y: y * 0)), loss="categorical_crossentropy"
        ),
        ("classes",),
        harmful=False,
    ),
    Fault(
        "all weights 0",
        ("everything-masked",),
        lambda b, n: replace(b, compiled={"loss_weights": [0.0]}),
        ("classes", "binary", "regression"),
        harmful=False,
    ),
    Fault(
        "logits through relu",
        ("clipped-logits",),
        lambda b, n: replace(b, last=lambda z: ops.softmax(ops.relu(z) * 1.0)),
        ("classes",),
        harmful=True,
    ),
    Fault(
        "mean square of a softmax",
        ("mismatched-loss",),
        lambda b, n: replace(b, spoil=(*b.spoil, one_hot), loss="mse"),
        ("classes",),
        harmful=False,
    ),
    Fault(
        "loss not reported",
        ("loss-not-reported",),
        lambda b, n: replace(b, model=Unreported),
        ("classes", "binary"),
        harmful=False,
    ),
    Fault(
        "batch statistics far behind",
        ("train-eval-gap",),
        lambda b, n: replace(
            b, between=lambda: layers.BatchNormalization(momentum=0.9999), spoil=(*b.spoil, scaled(3.0, 4.0)), epochs=4
        ),
        ("classes",),
        harmful=False,
    ),
)

SECOND = (
    ("inputs not scaled", "one softmax unit", ("binary",)),
    ("activation flat around 0", "mean square of a softmax", ("classes",)),
    ("rate much too low", "equal initial weights", ("classes",)),
    ("a NaN in the data", "output activation forgotten", ("classes", "binary")),
)


def _freeze(model: keras.Model) -> None:
    """Freeze all layers and compile again, as the user who forgot to thaw them has it."""
    model.trainable = False
    model.compile(model.optimizer, model.loss, metrics=["accuracy"] if model.loss != "mse" else None)


BASES = {
    "calibration": (
        Training(t.digits, epochs=6),
        Training(t.moons, epochs=12, width=16),
        Training(t.friedman, epochs=8),
        Training(t.iris, epochs=30, width=16),
        Training(t.several, epochs=8),
    ),
    "heldback": (
        Training(t.wine, epochs=20),
        Training(t.cancer, epochs=10),
        Training(t.bumps, epochs=12),
        Training(t.clusters, epochs=10, width=48),
        Training(t.circles, epochs=14, width=24),
        Training(t.diabetes, epochs=10, width=16),
    ),
}
KINDS = {
    **dict.fromkeys((t.digits, t.iris, t.wine, t.clusters), "classes"),
    **dict.fromkeys((t.moons, t.cancer, t.circles), "binary"),
    **dict.fromkeys((t.friedman, t.bumps, t.diabetes), "regression"),
    t.several: "labels",
}
SEEDS = {"calibration": (1, 2, 3), "heldback": (101, 102, 103)}
WIDTHS = (32, 64, 24)

ACTIVATIONS = (
    "relu", "tanh", "gelu", "silu", "sigmoid", "softplus", "selu", "elu", "softsign", "mish", "leaky_relu", "relu6",
    "hard_silu", "celu", "hard_sigmoid", "log_sigmoid", "squareplus", "tanh_shrink", "hard_tanh", ops.sin,
)  # fmt: skip


def healthy_of(part: str) -> Iterator[tuple[str, Training]]:
    """Healthy trainings of many kinds; data sets and seeds by part."""
    bases = BASES[part]
    pictures, series = (t.pictures, t.rows) if part == "calibration" else (t.shapes, t.waves)
    bent = {"classes": bases[0], "binary": bases[1]}
    for number, activation in enumerate(ACTIVATIONS):
        base = pick(bases[:2] if number % 3 else (bases[0],), number)
        yield (
            f"activation {getattr(activation, '__name__', activation)}",
            replace(base, activation=activation, epochs=base.epochs * 2, depth=pick((1, 2, 2), number)),
        )
    for number, base in enumerate(bases):
        if KINDS[base.data] != "regression" or base.data is not t.diabetes:
            yield f"stack {number}", replace(base, epochs=2 * base.epochs, depth=pick((1, 3, 2), number))
            yield f"normalized stack {number}", replace(base, epochs=2 * base.epochs, between=layers.BatchNormalization)
    one, two = bent["classes"], bent["binary"]
    yield "convolutional", Training(pictures, network=t.convolutional, epochs=10)
    yield "convolutional, normalized", Training(pictures, network=t.normalized_convolutional, epochs=12)
    yield "lstm", Training(series, network=t.lstm, optimizer=adam(1e-2), epochs=12)
    yield "gru", Training(series, network=t.gru, optimizer=adam(1e-2), epochs=12)
    yield "convolution in time", Training(series, network=t.conv_1d, optimizer=adam(1e-2), epochs=15)
    yield "transformer", Training(series, network=t.transformer, epochs=12)
    yield "residual, gains from 0", replace(one, network=t.residual, depth=4, epochs=2 * one.epochs)
    yield "words", Training(t.words, network=t.embedded, optimizer=adam(1e-2), epochs=12)
    yield (
        "autoencoder",
        replace(one, spoil=(t.reconstruct,), network=t.autoencoder, epochs=4 * one.epochs, activation="elu"),
    )
    yield "frozen base", replace(one, network=t.frozen_base, optimizer=adam(1e-2), epochs=2 * one.epochs)
    yield "own train_step", replace(two, model=t.OwnStep, epochs=2 * two.epochs)
    yield "dropout of a half", replace(one, between=lambda: layers.Dropout(0.5), width=128, epochs=3 * one.epochs)
    yield "two epochs", replace(pick(bases, 3) if part == "heldback" else one, epochs=2)
    yield "one epoch", replace(one, epochs=1)
    yield "mixed precision", replace(one, precision="mixed_float16", epochs=2 * one.epochs)
    yield "bfloat16", replace(two, precision="mixed_bfloat16", epochs=2 * two.epochs)
    yield "rare class", Training(t.rare, epochs=25)
    yield "few samples", replace(one, spoil=(few(60),), epochs=40, batch_size=16, between=lambda: layers.Dropout(0.3))
    yield "sgd with momentum", replace(one, optimizer=sgd(0.05, 0.9), epochs=2 * one.epochs)
    yield "plain sgd", replace(two, optimizer=sgd(0.3), epochs=3 * two.epochs)
    yield "rmsprop", replace(one, optimizer=lambda: keras.optimizers.RMSprop(3e-3), epochs=2 * one.epochs)
    yield (
        "nadam, large batches",
        replace(two, optimizer=lambda: keras.optimizers.Nadam(1e-2), batch_size=128, epochs=5 * two.epochs),
    )
    yield (
        "rate decays",
        replace(
            one,
            optimizer=lambda: keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(1e-2, 300)),
            epochs=2 * one.epochs,
        ),
    )
    yield (
        "rate warms up",
        replace(
            one,
            optimizer=lambda: keras.optimizers.Adam(
                keras.optimizers.schedules.CosineDecay(0.0, 400, warmup_target=5e-3, warmup_steps=60)
            ),
            epochs=3 * one.epochs,
        ),
    )
    yield "weight decay", replace(one, regularizer=keras.regularizers.L2(1e-4), epochs=2 * one.epochs)
    yield "class weights", replace(two, fit={"class_weight": {0: 1.0, 1: 2.0}}, epochs=2 * two.epochs)
    yield (
        "logits",
        replace(
            two,
            last=None,
            loss=keras.losses.BinaryCrossentropy(from_logits=True),
            metrics=[keras.metrics.BinaryAccuracy(threshold=0.0)],
            epochs=2 * two.epochs,
        ),
    )
    yield "one-hot labels", replace(one, spoil=(one_hot,), loss="categorical_crossentropy", epochs=2 * one.epochs)
    yield (
        "label smoothing",
        replace(
            one, spoil=(one_hot,), loss=keras.losses.CategoricalCrossentropy(label_smoothing=0.1), epochs=2 * one.epochs
        ),
    )
    yield "not scaled, yet learning", replace(one, spoil=(scaled(8.0),), epochs=3 * one.epochs)
    yield "clipped gradients", replace(one, optimizer=adam(3e-3, clipnorm=1.0), epochs=2 * one.epochs)
    yield (
        "accumulated gradients",
        replace(one, optimizer=adam(1e-2, gradient_accumulation_steps=4), epochs=4 * one.epochs),
    )
    yield "deep relu", replace(one, depth=8, initializer="he_normal", epochs=2 * one.epochs)
    yield "deep selu", replace(one, depth=6, activation="selu", initializer="lecun_normal", epochs=2 * one.epochs)
    yield "steps grouped", replace(two, compiled={"steps_per_execution": 4}, epochs=2 * two.epochs)
    yield "no validation", replace(one, fit={"validation_data": None}, epochs=2 * one.epochs)


def cases_of(part: str) -> list[Case]:
    """All cases of a part, in an order that spreads: one of each fault, some healthy ones, and so on."""
    rounds = 3
    by_name = {fault.name: fault for fault in FAULTS}
    sick: list[Case] = []
    for number in range(rounds):
        for order, fault in enumerate(FAULTS):
            bases = [base for base in BASES[part] if KINDS[base.data] in fault.kinds]
            if not bases:
                continue
            base = pick(bases, number + order)
            base = replace(base, seed=pick(SEEDS[part], number), width=pick(WIDTHS, number + order))
            sick.append(
                Case(
                    f"{fault.name}, {base.data.__name__} {number + 1}",
                    fault.make(base, number),
                    fault.name,
                    fault.causes,
                    place=fault.place,
                    harmful=fault.harmful,
                )
            )
        for order, (one, two, kinds) in enumerate(SECOND):
            bases = [base for base in BASES[part] if KINDS[base.data] in kinds]
            base = replace(pick(bases, number + order), seed=pick(SEEDS[part], number))
            first, second = by_name[one], by_name[two]
            sick.append(
                Case(
                    f"{one} and {two}, {base.data.__name__} {number + 1}",
                    second.make(first.make(base, number), number),
                    f"{one} and {two}",
                    first.causes,
                    second.causes,
                    harmful=first.harmful and second.harmful,
                )
            )
    healthy = [
        Case(f"{name} ({seed})", replace(training, seed=seed))
        for seed in SEEDS[part][:2]
        for name, training in healthy_of(part)
    ]
    pace = len(sick) / len(healthy)
    spread = [(index, case) for index, case in enumerate(sick)]
    spread += [((index + 0.5) * pace, case) for index, case in enumerate(healthy)]
    return [case for _, case in sorted(spread, key=lambda pair: pair[0])]


def see(case: Case) -> Seen:
    """Train and look at what came out, with the monitor and without it."""
    model, data, _ = t.made(case.training)
    monitor = TrainingMonitor()
    settings: dict[str, Any] = {"validation_data": (data.x_validation, data.y_validation), **case.training.fit}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if case.training.batches is not None:
            given: tuple[Any, ...] = (case.training.batches(data),)
        else:
            given, settings["batch_size"] = (data.x, data.y), case.training.batch_size
        model.fit(*given, epochs=case.training.epochs, verbose=0, callbacks=[monitor], **settings)
        broken = any(not np.isfinite(np.asarray(weight, "float32")).all() for weight in model.get_weights())
        train = skill(data, np.asarray(model(data.x, training=False)), data.y)
        validation = skill(data, np.asarray(model(data.x_validation, training=False)), data.y_validation)
    return Seen(monitor.run, train, validation, broken)


def skill(data: Data, answered: np.ndarray, y: np.ndarray) -> float:
    """Share of what can be won over the best constant answer: of accuracy, or of variance."""
    answered = np.asarray(answered, "float64")
    if not np.isfinite(answered).all():
        return float("nan")
    if data.kind == "regression":
        answered = answered.reshape(y.shape) if answered.size == y.size else answered.mean(axis=-1)
        return float(1 - np.mean((answered - y) ** 2) / (np.mean((y - y.mean(axis=0)) ** 2) + 1e-12))
    if data.kind == "labels":
        base = np.maximum(y.mean(), 1 - y.mean())
        return float((((answered > 0.5) == (y > 0.5)).mean() - base) / (1 - base))
    if y.ndim > 1:
        y = y.argmax(axis=-1)
    if answered.shape[-1] > 1:
        chosen = answered.argmax(axis=-1)
    else:
        half = 0.5 if answered.min() >= 0 and answered.max() <= 1 else 0.0
        chosen = (answered.reshape(-1) > half) * (y.max() - y.min()) + y.min()
    share = np.unique(y, return_counts=True)[1].max() / len(y)
    return float((np.mean(chosen == y) - share) / max(1 - share, 1e-9))


def outcomes_allowed(case: Case, seen: Seen) -> set[str]:
    """The outcomes that what was achieved allows: several where it lies near a border."""
    if seen.broken:
        return {"diverged"}
    if not np.isfinite(seen.train):
        return {"diverged", "hollow-loss", "not-learning"}
    none = {"not-learning", "hollow-loss", "diverged"}
    allowed: set[str] = set()
    if seen.train < 0.2:
        allowed |= none
    if seen.train > 0.03:
        allowed.add("learning")
    apart = seen.validation < 0.6 * seen.train and seen.train > 0.4
    if apart:
        allowed.add("memorizing")
        if seen.validation < 0.4 * seen.train:
            allowed.discard("learning")
    if case.training.epochs <= 2 or case.training.data is t.iris or case.training.data is t.wine:
        allowed.add("unknown")
    return allowed


def judge(case: Case, seen: Seen) -> Judged:
    began = time.perf_counter()
    judged = Judged(case, seen, examine(seen.run))
    judged.seconds = time.perf_counter() - began
    if case.causes:
        rules = list(dict.fromkeys(cause.rule for cause in judged.diagnosis.causes))
        ranks = [
            min((rules.index(rule) + 1 for rule in fit if rule in rules), default=99)
            for fit in (case.causes, case.second)
            if fit
        ]
        judged.rank = min(ranks) if max(ranks) < 99 else None
        if len(ranks) > 1 and judged.rank is not None and max(ranks) > 3:
            judged.rank = max(ranks)
    return judged


def did_no_harm(judged: Judged) -> bool:
    """The fault was to keep the training from learning, and did not."""
    good = judged.seen.train >= DECENT and judged.seen.validation >= GOOD
    return bool(judged.case.causes) and judged.case.harmful and not judged.seen.broken and good


def place_right(judged: Judged) -> bool | None:
    """Whether the first right cause lies where the fault was put; None where the place is open or nothing was found."""
    expected = judged.case.place
    found = [cause for cause in judged.diagnosis.causes if cause.rule in judged.case.causes]
    if expected is None or not found:
        return None
    return expected in found[0].where


def keep(seen: Seen, path: Path) -> None:
    with path.with_suffix(".tmp").open("wb") as file:
        pickle.dump(seen, file)
    path.with_suffix(".tmp").rename(path)


def kept(path: Path) -> Seen:
    with path.open("rb") as file:
        return pickle.load(file)


def told(judged: Judged) -> str:
    """The verdict in a line."""
    causes = ", ".join(f"{c.rule} {c.confidence:.2f}" for c in judged.diagnosis.causes[:4]) or "no cause"
    return f"{judged.diagnosis.outcome} (skill {judged.seen.train:.2f}/{judged.seen.validation:.2f}): {causes}"


def page(results: list[Judged], part: str, total: int) -> str:
    """The figures as Markdown."""
    harmless = [j for j in results if did_no_harm(j)]
    sick = [j for j in results if j.case.causes and not did_no_harm(j)]
    poor = [j for j in results if not j.case.causes and not j.seen.train >= GOOD]
    healthy = [j for j in results if not j.case.causes and j.seen.train >= GOOD]
    alarmed = [j for j in healthy if j.diagnosis.causes]
    first = [j for j in sick if j.rank == 1]
    within = [j for j in sick if j.rank is not None and j.rank <= 3]
    places = [right for j in sick if (right := place_right(j)) is not None]
    outcomes = [j.diagnosis.outcome in outcomes_allowed(j.case, j.seen) for j in (*sick, *healthy)]

    def share(count: int, of: int) -> str:
        return f"{count} of {of} ({count / of:.0%})" if of else "none"

    lines = [
        f"# Is the diagnosis right? The {part} part",
        "",
        f"Measured by `benchmarks/diagnosis.py --part {part}` on {len(results)} of {total} trainings, with the default "
        "settings of the monitor.",
        "",
        "| question | answer |",
        "|---|---|",
        f"| right cause at rank 1 | {share(len(first), len(sick))} |",
        f"| right cause within 3 | {share(len(within), len(sick))} |",
        f"| right place, where the cause was found and has one | {share(sum(places), len(places))} |",
        f"| right outcome | {share(sum(outcomes), len(outcomes))} |",
        f"| healthy trainings with a warning or critical cause | {share(len(alarmed), len(healthy))} |",
        f"| left out: a fault was put in and did no harm | {len(harmless)}, of which "
        f"{sum(bool(j.diagnosis.causes) for j in harmless)} were told a cause |",
        f"| left out: made to be healthy, and reached a skill under {GOOD} | {len(poor)}, of which "
        f"{sum(bool(j.diagnosis.causes) for j in poor)} were told a cause |",
        "",
        "## Confidence",
        "",
        "Of the causes shown first, by the confidence told with them:",
        "",
        "| confidence | causes | right |",
        "|---|---|---|",
    ]
    firsts = [(j.diagnosis.causes[0], j) for j in (*sick, *healthy) if j.diagnosis.causes]
    for low, high in ((0.0, 0.5), (0.5, 0.65), (0.65, 0.8), (0.8, 0.9), (0.9, 1.01)):
        told_so = [(cause, j) for cause, j in firsts if low <= cause.confidence < high]
        right = sum(cause.rule in (*j.case.causes, *j.case.second) for cause, j in told_so)
        lines.append(f"| {low:.2f} to {min(high, 1):.2f} | {len(told_so)} | {share(right, len(told_so))} |")
    lines += [
        "",
        "## Rules",
        "",
        "As first cause: how often a rule was told, and how often rightly. Below it, for each fault, how often a rule "
        "that names it came first, and how often within three.",
        "",
        "| rule | told | right | precision |",
        "|---|---|---|---|",
    ]
    counts: Counter[str] = Counter(cause.rule for cause, _ in firsts)
    rights: Counter[str] = Counter(c.rule for c, j in firsts if c.rule in (*j.case.causes, *j.case.second))
    for rule, count in sorted(counts.items()):
        lines.append(f"| {rule} | {count} | {rights[rule]} | {rights[rule] / count:.0%} |")
    lines += ["", "| fault | trainings | rank 1 | within 3 (recall) |", "|---|---|---|---|"]
    for name in dict.fromkeys(j.case.fault for j in sick):
        mine = [j for j in sick if j.case.fault == name]
        lines.append(
            f"| {name} | {len(mine)} | {sum(j.rank == 1 for j in mine)} | {sum((j.rank or 99) <= 3 for j in mine)} |"
        )
    lines += ["", "## What it gets wrong", ""]
    wrong = [j for j in sick if j.rank != 1] + alarmed
    lines += [f"- {j.case.name}: {told(j)}" for j in wrong] or ["nothing"]
    odd = [j for j in (*sick, *healthy) if j.diagnosis.outcome not in outcomes_allowed(j.case, j.seen)]
    lines += ["", "Outcomes that what was achieved does not allow:", ""]
    lines += [f"- {j.case.name}: {j.diagnosis.outcome}; {j.diagnosis.outcome_reason}" for j in odd] or ["none"]
    missed = [j for j in sick if place_right(j) is False]
    lines += ["", "Right rule, wrong place:", ""]
    lines += [f"- {j.case.name}: {[(c.rule, c.where) for c in j.diagnosis.causes[:3]]}" for j in missed] or ["none"]
    lines += ["", "Faults that did no harm, and yet were told a cause; and those made healthy that were not:", ""]
    lines += [f"- {j.case.name}: {told(j)}" for j in (*harmless, *poor) if j.diagnosis.causes] or ["none"]
    return "\n".join([*lines, ""])


def main() -> None:
    """Train, judge, print, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", choices=sorted(BASES), default="heldback")
    parser.add_argument("--cases", type=int, default=None, help="at most this many")
    parser.add_argument("--seconds", type=float, default=None, help="begin no new training after this time")
    parser.add_argument("--only", default="", help="part of a case's name")
    parser.add_argument("--keep", type=Path, default=None, help="folder for the runs")
    parser.add_argument("--page", type=Path, default=None)
    parser.add_argument("--judge-only", action="store_true", help="judge the runs that were kept, train nothing")
    parser.add_argument("--slice", type=int, nargs=2, default=(0, 1), metavar=("I", "N"), help="every N-th from I on")
    arguments = parser.parse_args()
    began, results = time.perf_counter(), []
    cases = [case for case in cases_of(arguments.part) if arguments.only in case.name]
    total = len(cases)
    cases = cases[: arguments.cases][arguments.slice[0] :: arguments.slice[1]]
    folder = arguments.keep and arguments.keep / arguments.part
    if folder:
        folder.mkdir(parents=True, exist_ok=True)
    for case in cases:
        path = folder / ("".join(c if c.isalnum() else "-" for c in case.name) + ".run") if folder else None
        if path is not None and path.exists():
            seen = kept(path)
        elif arguments.judge_only or (arguments.seconds and time.perf_counter() - began > arguments.seconds):
            continue
        else:
            try:
                seen = see(case)
            except Exception as error:
                print(f"FAILED {case.name}: {type(error).__name__}: {str(error)[:300]}", flush=True)
                continue
            if path is not None:
                keep(seen, path)
        judged = judge(case, seen)
        results.append(judged)
        if did_no_harm(judged):
            mark = "harmless"
        elif case.causes:
            mark = "ok" if judged.rank == 1 else f"rank {judged.rank}"
        else:
            mark = "ok" if not judged.diagnosis.causes else "ALARM"
        print(f"{mark:9} {case.name}: {told(judged)}", flush=True)
    text = page(results, arguments.part, total)
    print(text)
    if arguments.page is not None:
        arguments.page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
