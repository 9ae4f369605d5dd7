"""The trainings of `diagnosis.py`: each known fault in trainings of several kinds, and trainings with none.

The truth is known without the diagnosis, for the fault was put there. Cases come in an order that spreads over all
faults, so that a short run is a fair sample. The file is long, since it is one table with what its rows are made of.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

import keras
import networks
import numpy as np
import tensorflow as tf
import trainings as t
from faults import (
    Forgetful,
    Silent,
    each,
    exponential_of_square,
    fast_sine,
    few,
    hand_made_elu,
    in_order,
    normal,
    one_batch_again,
    one_nan,
    other_scale_in_validation,
    rounded,
    scaled,
    shuffled_labels,
    tanh_of_fifth_power,
    zeros,
)
from keras import layers, ops
from trainings import Data, Training, adam, sgd


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


# What can be done to samples and labels.


def noisy_labels(data: Data, rng: np.random.Generator) -> Data:
    wrong = rng.random(len(data.y)) < 0.4
    return replace(data, y=np.where(wrong, rng.permutation(data.y), data.y))


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


def tanh_of_seventh_power(z: Any) -> Any:
    return ops.tanh(z**7)


def steep_sigmoid(z: Any) -> Any:
    return ops.sigmoid(12 * z)


def steep_tanh(z: Any) -> Any:
    return ops.tanh(25 * z)


def fast_cosine(z: Any) -> Any:
    return ops.cos(20 * z)


def stopped(z: Any) -> Any:
    return ops.stop_gradient(ops.relu(z))


def root(z: Any) -> Any:
    return ops.where(z > 0, ops.sqrt(z), 0.0)


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
        lambda b, n: replace(b, data=rare_and_vague, width=8, depth=1, epochs=20, network=None),
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
    Fault("gradients never applied", ("frozen-weights",), lambda b, n: replace(b, model=Forgetful)),
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
        lambda b, n: replace(b, model=Silent),
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
    ("equal initial weights", "rate much too low", ("classes",)),
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
    yield "convolutional", Training(pictures, network=networks.convolutional, epochs=10)
    yield "convolutional, normalized", Training(pictures, network=networks.normalized_convolutional, epochs=12)
    yield "lstm", Training(series, network=networks.lstm, optimizer=adam(1e-2), epochs=12)
    yield "gru", Training(series, network=networks.gru, optimizer=adam(1e-2), epochs=12)
    yield "convolution in time", Training(series, network=networks.conv_1d, optimizer=adam(1e-2), epochs=15)
    yield "transformer", Training(series, network=networks.transformer, epochs=12)
    yield "residual, gains from 0", replace(one, network=networks.residual, depth=4, epochs=2 * one.epochs)
    yield "words", Training(t.words, network=networks.embedded, optimizer=adam(1e-2), epochs=12)
    yield (
        "autoencoder",
        replace(one, spoil=(t.reconstruct,), network=networks.autoencoder, epochs=4 * one.epochs, activation="elu"),
    )
    yield "frozen base", replace(one, network=networks.frozen_base, optimizer=adam(1e-2), epochs=2 * one.epochs)
    yield "own train_step", replace(two, model=networks.OwnStep, epochs=2 * two.epochs)
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
