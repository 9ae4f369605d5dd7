"""Each fault that a training shows, and its cured twin, really trained.

Twins differ in nothing but what the rule's remedy says. One sick training shows several rules: its cause, and what
follows from it. `Twin.first` names the rules that are a right answer to "what is wrong"; the others must be found too,
as causes or as consequences. Most cures lead back to the same healthy training, which is run once.
Faults of the configuration, told from one batch, have their twins in `test_audit_faults`; those of a function on its
own in `test_activation_rules`. One table holds them all, and so the file is longer than others.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
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
    other_scale_in_validation,
    rounded,
    scaled,
    shuffled_labels,
    some_nan,
    swallowing_relu,
    tanh_of_fifth_power,
    zeros,
)
from keras import layers, ops
from networks import OwnStep
from plain_words import odd_words_of
from sweeps import quick
from trainings import Data, Training, adam, cancer, circles, clusters, friedman, head, sgd, structure, train, wine

from diagnose import Diagnosis
from diagnose.rules.catalogue import ALL_RULES


@dataclass(frozen=True)
class Twin:
    """A sick training, its cure, and what is to be seen.

    sick: the training; cure: the fields that the remedy changes, with their new values.
    first: rules of which one must be the first cause. shows: rules that must have a warning or critical finding.
    where: what the place of the first cause must hold; "" is the whole model, None leaves it open.
    """

    sick: Training
    cure: dict[str, Any]
    first: tuple[str, ...]
    shows: tuple[str, ...] = ()
    where: str | None = None

    @property
    def cured(self) -> Training:
        return replace(self.sick, **self.cure)


def drowned(data: Data, rng: np.random.Generator) -> Data:
    """What can be learned from is ten thousand times smaller than a first feature that says nothing."""

    def drown(x: np.ndarray) -> np.ndarray:
        x = (x * 1e-4).astype("float32")
        x[:, 0] = rng.normal(size=len(x))
        return x

    return each(data, drown)


def cast_to_integers(data: Data, rng: np.random.Generator) -> Data:
    low, high = data.x.min(axis=0), data.x.max(axis=0)
    return each(data, lambda x: ((x - low) / (high - low)).astype("int32").astype("float32"))


def beside_0(data: Data, rng: np.random.Generator) -> Data:
    return each(data, lambda x: x + 3)


def beyond_float16(data: Data, rng: np.random.Generator) -> Data:
    return each(data, lambda x: (x * 3000).astype("float32"))


def dim(data: Data, rng: np.random.Generator) -> Data:
    return each(data, lambda x: (x * 0.01).astype("float32"))


def half_shuffled_in_training(data: Data, rng: np.random.Generator) -> Data:
    y, some = data.y.copy(), rng.uniform(size=len(data.y)) < 0.6
    y[some] = rng.permutation(y[some])
    return replace(data, y=y)


def all_0(data: Data, rng: np.random.Generator) -> Data:
    return replace(data, y=np.zeros_like(data.y), y_validation=np.zeros_like(data.y_validation))


def other_units_in_validation(data: Data, rng: np.random.Generator) -> Data:
    return replace(data, y_validation=data.y_validation * 5 + 14)


def targets_in_thousandths(data: Data, rng: np.random.Generator) -> Data:
    return replace(data, y=data.y * 1000, y_validation=data.y_validation * 1000)


def again_as_another(data: Data, rng: np.random.Generator) -> Data:
    return replace(data, x=np.concatenate([data.x] * 2), y=np.concatenate([data.y, (data.y + 1) % data.outputs]))


def validated_on_training(data: Data, rng: np.random.Generator) -> Data:
    return replace(data, x_validation=data.x[:200], y_validation=data.y[:200])


def drawn_apart(data: Data) -> tf.data.Dataset:
    """Two maps of one shuffled dataset are drawn each by itself."""
    pairs = tf.data.Dataset.from_tensor_slices((data.x, data.y)).shuffle(1000)
    return tf.data.Dataset.zip(pairs.map(lambda x, _: x), pairs.map(lambda _, y: y)).batch(32)


class Gain(layers.Layer):
    """A factor for all units, which nobody trains."""

    def build(self, shape: Any) -> None:
        self.gain = self.add_weight(shape=(), initializer="zeros", trainable=False)

    def call(self, x: Any) -> Any:
        return self.gain * x


def vague(rng: np.random.Generator) -> Data:
    """One sample in thirteen is positive; even where most of them are, they are the lesser part."""
    x = rng.normal(size=(1500, 10)).astype("float32")
    y = (rng.uniform(size=1500) < 0.05 + 0.10 * (x[:, 0] > 0.8)).astype("float32")
    return Data(x[:1000], y[:1000], x[1000:], y[1000:], "binary", 1)


def mostly_noise(rng: np.random.Generator) -> Data:
    """A hundred features that explain a third of the variance."""
    x = rng.normal(size=(1500, 100)).astype("float32")
    y = (x @ rng.normal(size=100) / 10 + 2**0.5 * rng.normal(size=1500)) / 3**0.5
    return Data(x[:1000], y[:1000], x[1000:], y[1000:], "regression", 1)


def runs_dry(data: Data) -> Any:
    """A generator that ends after three epochs of 25 steps."""
    for _ in range(3):
        for start in range(0, 800, 32):
            yield data.x[start : start + 32], data.y[start : start + 32]


def endless(data: Data) -> tf.data.Dataset:
    return tf.data.Dataset.from_tensor_slices((data.x, data.y)).batch(32).repeat()


def thirtyfold(z: Any) -> Any:
    return 30 * z


def clipped_at_a_thousandth(z: Any) -> Any:
    return ops.clip(z, 0, 1e-3)


def thousandth(z: Any) -> Any:
    return ops.tanh(z) / 1000


def softplus_of_ten_times(z: Any) -> Any:
    return ops.log(1 + ops.exp(10 * z))


def narrow_frozen_base(training: Training, data: Data) -> keras.Model:
    """Three random features, from which next to nothing can be told."""
    inputs = keras.Input(data.x.shape[1:])
    base = keras.Sequential([keras.Input(data.x.shape[1:]), layers.Dense(3, "tanh")], name="base")
    base.trainable = False
    return keras.Model(inputs, head(training, data)(base(inputs)))


def thawed_after_a_first_fit(model: keras.Model) -> None:
    model.fit(np.zeros((32, *model.input_shape[1:])), np.zeros(32, "int64"), verbose=0)
    model.get_layer("base").trainable = True


def thawed_and_compiled_anew(model: keras.Model) -> None:
    thawed_after_a_first_fit(model)
    model.compile(adam()(), "sparse_categorical_crossentropy", metrics=["accuracy"])


SOUND = Training(clusters, epochs=6, optimizer=adam(5e-3))  # 20 features, five classes, 800 samples
DEEP = replace(SOUND, activation="selu", depth=6, optimizer=sgd(0.05))
SMALL = Training(wine, epochs=8, batch_size=8)
YES_OR_NO = Training(circles, epochs=8, optimizer=adam(5e-3))
SIZE = Training(friedman, epochs=8)

TWINS = {
    "an activation flat around 0": Twin(
        replace(DEEP, activation=tanh_of_fifth_power),
        {"activation": "selu"},
        ("flat-activation", "saturated-activation", "blocked-gradient"),
        ("flat-activation", "saturated-activation", "blocked-gradient", "vanishing-gradient"),
        "hidden_",
    ),
    "a sine of thirty times its input": Twin(
        replace(SOUND, activation=fast_sine, epochs=9),
        {"activation": "relu"},
        ("folded-activation",),
        ("folded-activation", "non-monotonic-activation"),
        "hidden_",
    ),
    "the same sine in six layers": Twin(
        replace(DEEP, activation=fast_sine),
        {"activation": "selu"},
        ("amplified-gradient", "folded-activation"),
        ("amplified-gradient", "exploding-gradient"),
        "hidden_",
    ),
    "an activation that multiplies by thirty": Twin(
        replace(DEEP, activation=thirtyfold),
        {"activation": "selu"},
        ("steep-activation", "amplified-gradient", "unstable-signal", "growing-signal"),
        ("non-finite-weights", "non-finite-loss"),
        "hidden_",
    ),
    "a deep stack of sigmoids": Twin(
        replace(DEEP, activation="sigmoid"),
        {"activation": "selu"},
        ("vanishing-gradient", "collapsed-representation"),
        ("vanishing-gradient",),
        "hidden_",
    ),
    "rounding": Twin(
        replace(SOUND, activation=rounded, initializer=normal(0.02)),
        {"activation": "relu", "initializer": "glorot_uniform"},
        ("gradientless-activation",),
        ("gradientless-activation", "zero-gradient"),
        "hidden_",
    ),
    "an ELU whose where hides a NaN": Twin(
        replace(SOUND, activation=hand_made_elu, spoil=(scaled(100.0),)),
        {"activation": "relu", "spoil": ()},
        ("nan-gradient-activation", "overflowing-activation"),
        ("non-finite-gradient", "non-finite-weights", "non-finite-loss"),
        "hidden_",
    ),
    "an activation that overflows": Twin(
        replace(SOUND, activation=exponential_of_square, depth=3),
        {"activation": "relu", "depth": 2},
        ("overflowing-activation",),
        ("non-finite-activation",),
        "hidden_",
    ),
    "NaN among the samples": Twin(
        replace(SOUND, activation=swallowing_relu, spoil=(some_nan,)),
        {"spoil": ()},
        ("non-finite-input",),
        ("non-finite-input", "non-finite-weights", "hidden-nan"),
    ),
    "units dead from the start": Twin(
        replace(SOUND, bias=keras.initializers.Constant(-30.0)),
        {"bias": "zeros"},
        ("dead-units",),
        ("dead-units", "constant-predictions"),
        "hidden_",
    ),
    "a rate of 1e-7": Twin(
        replace(SOUND, optimizer=adam(1e-7)),
        {"optimizer": SOUND.optimizer},
        ("small-updates",),
    ),
    "a rate of 1": Twin(
        replace(SOUND, optimizer=adam(1.0)),
        {"optimizer": SOUND.optimizer},
        ("large-updates",),
    ),
    "a rate of 100 without momentum": Twin(
        replace(SOUND, optimizer=sgd(100.0)),
        {"optimizer": SOUND.optimizer},
        ("large-updates", "exploding-gradient", "diverging-loss"),
    ),
    "inputs of 300": Twin(
        replace(DEEP, spoil=(scaled(200.0, 300.0),)),
        {"spoil": ()},
        ("unscaled-input",),
        where="",
    ),
    "inputs all 0": Twin(replace(SOUND, spoil=(zeros,)), {"spoil": ()}, ("constant-input",), where=""),
    "initial weights too small": Twin(
        replace(DEEP, initializer=normal(0.005)),
        {"initializer": "glorot_uniform"},
        ("mismatched-initialization",),
        ("mismatched-initialization", "vanishing-gradient"),
        "hidden_",
    ),
    "initial weights too large": Twin(
        replace(SOUND, activation="tanh", initializer=normal(10.0)),
        {"activation": "relu", "initializer": "glorot_uniform"},
        ("mismatched-initialization",),
        ("mismatched-initialization", "saturated-activation"),
        "hidden_",
    ),
    "equal initial weights": Twin(
        replace(SOUND, initializer="ones"),
        {"initializer": "glorot_uniform"},
        ("symmetric-initialization",),
        where="hidden_",
    ),
    "no activation anywhere": Twin(
        replace(YES_OR_NO, activation=None),
        {"activation": "relu"},
        ("missing-nonlinearity",),
        where="hidden_",
    ),
    "a dropout of 97 %": Twin(
        replace(SOUND, between=lambda: layers.Dropout(0.97)),
        {"between": None},
        ("heavy-dropout",),
    ),
    "a weight decay of 10": Twin(
        replace(SOUND, regularizer=keras.regularizers.L2(10.0)),
        {"regularizer": None},
        ("dominant-regularizer",),
    ),
    "gradients clipped to nothing": Twin(
        replace(DEEP, optimizer=sgd(0.05, clipnorm=1e-6)),
        {"optimizer": DEEP.optimizer},
        ("choked-clipping",),
    ),
    "gradients that are never applied": Twin(
        replace(SOUND, model=Forgetful),
        {"model": OwnStep},
        ("frozen-weights",),
        where="",
    ),
    "a loss that is not reported": Twin(
        replace(SOUND, model=Silent),
        {"model": OwnStep},
        ("loss-not-reported",),
        where="",
    ),
    "labels in no relation to the samples": Twin(
        replace(SMALL, spoil=(shuffled_labels,), width=128, epochs=20),
        {"spoil": (), "epochs": SMALL.epochs},
        ("memorized-labels",),
        where="",
    ),
    "twenty-five samples of twenty features": Twin(
        replace(SOUND, spoil=(few(25),), epochs=120),
        {"spoil": (), "epochs": SOUND.epochs},
        ("overfitting", "memorized-labels"),
        where="",
    ),
    "one batch again and again": Twin(
        replace(SOUND, batches=one_batch_again),
        {"batches": None},
        ("repeated-batch",),
        ("repeated-batch",),
        "",
    ),
    "sorted and not shuffled": Twin(
        replace(SOUND, spoil=(in_order,), fit={"shuffle": False}, optimizer=sgd(1.0), epochs=4),
        {"spoil": (), "fit": {}},
        ("unshuffled-batches",),
        where="",
    ),
    "validation scaled otherwise": Twin(
        replace(SMALL, spoil=(other_scale_in_validation,)),
        {"spoil": ()},
        ("train-validation-shift",),
        where="",
    ),
    "validation targets in other units": Twin(
        replace(SIZE, spoil=(other_units_in_validation,)),
        {"spoil": ()},
        ("train-validation-shift",),
        where="",
    ),
    "one softmax unit": Twin(
        replace(YES_OR_NO, last="softmax"),
        {"last": "sigmoid"},
        ("single-unit-softmax",),
        where="output",
    ),
    "the crossentropy of one class": Twin(
        replace(YES_OR_NO, loss="categorical_crossentropy"),
        {"loss": "binary_crossentropy"},
        ("one-class-crossentropy",),
    ),
    "a rate too small for the time given": Twin(
        replace(SOUND, optimizer=sgd(0.0005)),
        {"optimizer": SOUND.optimizer},
        ("unfinished-training", "slow-progress", "small-updates"),
    ),
    "an activation clipped at a thousandth": Twin(
        replace(SOUND, activation=clipped_at_a_thousandth),
        {"activation": "relu"},
        ("badly-scaled-activation",),
        ("badly-scaled-activation", "saturated-activation", "blocked-gradient"),
        "hidden_",
    ),
    "a thousandth of tanh": Twin(
        replace(DEEP, activation=thousandth),
        {"activation": "selu"},
        ("badly-scaled-activation",),
        ("fading-signal", "vanishing-gradient"),
        "hidden_",
    ),
    "a sigmoid behind each ReLU": Twin(
        replace(DEEP, activation="relu", between=lambda: layers.Activation("sigmoid")),
        {"between": None},
        ("doubled-activation",),
        ("doubled-activation", "vanishing-gradient"),
        "activation",
    ),
    "features of very different sizes": Twin(
        replace(SOUND, spoil=(drowned,)), {"spoil": ()}, ("unscaled-input",), where="hidden_1"
    ),
    "a cast to integers after scaling": Twin(
        replace(SOUND, spoil=(cast_to_integers,)), {"spoil": ()}, ("constant-input",), where=""
    ),
    "a base thawed without compile": Twin(
        replace(SOUND, network=narrow_frozen_base, after=thawed_after_a_first_fit),
        {"after": thawed_and_compiled_anew},
        ("frozen-weights",),
        where="base",
    ),
    "a generator that runs dry": Twin(
        replace(SOUND, batches=runs_dry, fit={"steps_per_epoch": 25}), {"batches": endless}, ("no-data-seen",), where=""
    ),
    "numbers near the end of float16": Twin(
        replace(DEEP, spoil=(beyond_float16,), precision="mixed_float16"),
        {"spoil": ()},
        ("unscaled-input",),
        ("thin-headroom",),
        "",
    ),
    "an activation that overflows float16": Twin(
        replace(SOUND, activation=softplus_of_ten_times, precision="mixed_float16"),
        {"activation": "softplus"},
        ("overflowing-activation",),
        ("collapsed-loss-scale",),
        "hidden_",
    ),
    "steps from one side of the valley to the other": Twin(
        Training(cancer, spoil=(beside_0,), depth=0, optimizer=sgd(1.0), batch_size=1000, epochs=24),
        {"optimizer": sgd(0.03), "epochs": 400},
        ("large-updates", "oscillating-loss"),
        ("oscillating-loss",),
        "",
    ),
    "one sample a batch": Twin(
        Training(mostly_noise, depth=0, optimizer=sgd(0.007), batch_size=1, epochs=2),
        {"batch_size": 8},
        ("large-updates", "noisy-gradient"),
        ("noisy-gradient",),
        "",
    ),
    "nothing that could be learned": Twin(
        replace(SIZE, depth=0, spoil=(shuffled_labels,), optimizer=sgd(0.02), epochs=10),
        {"spoil": ()},
        ("plateau",),
        where="",
    ),
    "a rare and vague class": Twin(
        Training(vague, epochs=12, width=8, depth=1),
        {"fit": {"class_weight": {0: 1.0, 1: 12.0}}},
        ("class-imbalance",),
        where="",
    ),
    "a class that counts for nothing": Twin(
        replace(SOUND, fit={"class_weight": {0: 1.0, 1: 1.0, 2: 0.0, 3: 1.0, 4: 1.0}}),
        {"fit": {}},
        ("class-imbalance",),
        where="",
    ),
    "labels of one class": Twin(
        replace(YES_OR_NO, spoil=(all_0,)),
        {"spoil": ()},
        ("class-imbalance",),
        where="",
    ),
    "statistics that are never brought up to date": Twin(
        replace(
            SOUND,
            initializer=normal(0.05),
            width=16,
            batch_size=8,
            epochs=6,
            between=lambda: layers.BatchNormalization(momentum=0.99999),
        ),
        {"between": lambda: layers.BatchNormalization(momentum=0.9)},
        ("train-eval-gap",),
        where="batch_normalization",
    ),
    "labels that are wrong in training only": Twin(
        replace(SOUND, spoil=(half_shuffled_in_training,)), {"spoil": ()}, ("suspicious-validation",), where=""
    ),
    "targets of thousands": Twin(
        replace(SIZE, spoil=(targets_in_thousandths,), activation="tanh"),
        {"spoil": ()},
        ("unscaled-targets",),
        where="output",
    ),
    "labels drawn apart from their inputs": Twin(
        replace(SOUND, batches=drawn_apart),
        {"batches": None},
        ("changing-labels",),
        where="",
    ),
    "all samples again with another label": Twin(
        replace(SOUND, spoil=(again_as_another,)),
        {"spoil": ()},
        ("ambiguous-labels",),
        where="",
    ),
    "validation that was trained on": Twin(
        replace(SOUND, spoil=(validated_on_training,)),
        {"spoil": ()},
        ("leaked-validation",),
        where="",
    ),
    "a batch as large as the data": Twin(
        replace(SOUND, batch_size=1000, optimizer=adam()),
        {"batch_size": 16, "epochs": 12},
        ("unfinished-training",),
        where="",
    ),
    "one epoch of small steps": Twin(
        replace(SOUND, epochs=1, optimizer=adam(5e-4)),
        {"epochs": 40},
        ("unfinished-training",),
        where="",
    ),
    "Adagrad at its default rate": Twin(
        replace(SOUND, optimizer=lambda: keras.optimizers.Adagrad()),
        {"optimizer": lambda: keras.optimizers.Adagrad(0.1)},
        ("slow-progress", "unfinished-training"),
        where="",
    ),
    "a gain that stays 0": Twin(
        replace(SOUND, between=Gain),
        {"between": None},
        ("constant-input",),
        ("constant-input", "zero-gradient"),
        "gain",
    ),
    "a normalization over one unit": Twin(
        replace(YES_OR_NO, width=1, between=layers.LayerNormalization),
        {"width": 32},
        ("constant-input",),
        where="layer_normalization",
    ),
    "steps beyond the valley": Twin(
        replace(SIZE, depth=0, optimizer=sgd(2.0)),
        {"optimizer": sgd(0.02)},
        ("diverging-loss", "exploding-gradient", "large-updates"),
    ),
}

#: A training, its cure, and the rule that has a note on the one and none on the other.
NOTED: dict[str, tuple[Training, dict[str, Any], str]] = {
    "a tanh that is met around 0 only": (
        replace(SMALL, spoil=(dim,), activation="tanh"), {"spoil": ()}, "linear-use",
    ),
    "dropout in front of a batch normalization": (
        replace(SOUND, depth=1, between=lambda: keras.Sequential([layers.Dropout(0.2), layers.BatchNormalization()])),
        {"between": lambda: keras.Sequential([layers.BatchNormalization(), layers.Dropout(0.2)])},
        "activation-order",
    ),
}  # fmt: skip
NOTES = {"tiny-data", "overtraining", "growing-spectral-norm", "odd-initial-loss", "linear-use", "activation-order"}

_seen: dict[Any, Diagnosis] = {}


def verdict(training: Training) -> Diagnosis:
    """The verdict on a training; equal ones are run once."""
    key = tuple(
        (name, repr(getattr(training, name)) if name in ("compiled", "fit") else getattr(training, name))
        for name in training.__dataclass_fields__
    )
    if key not in _seen:
        _seen[key] = train(training)
    return _seen[key]


def grave(diagnosis: Diagnosis) -> set[str]:
    return {finding.rule for finding in diagnosis.findings if finding.severity != "note"}


def together(trainings: dict[str, Training], first: set[str]) -> list[Any]:
    """Their names, for tests. Trainings of one structure stay in one process, where it is traced once."""
    groups = [_groups.setdefault(structure(training), f"twins {len(_groups)}") for training in trainings.values()]
    return quick(trainings, first=first, groups=groups)


#: Run with each change: of each part of the catalogue, and of each way in which faults are told, some.
FIRST = {
    "a loss that is not reported",
    "a generator that runs dry",
    "gradients that are never applied",
    "one softmax unit",
    "an ELU whose where hides a NaN",
    "rounding",
    "an activation that overflows float16",
    "NaN among the samples",
    "inputs of 300",
    "labels in no relation to the samples",
    "one batch again and again",
    "sorted and not shuffled",
    "validation that was trained on",
    "all samples again with another label",
    "targets of thousands",
    "initial weights too large",
    "equal initial weights",
    "a gain that stays 0",
    "an activation flat around 0",
    "a sigmoid behind each ReLU",
    "the same sine in six layers",
    "units dead from the start",
    "a rate of 1",
    "a rate of 1e-7",
    "a batch as large as the data",
    "labels that are wrong in training only",
}
FIRST_CURED = {
    "the same sine in six layers",
    "one batch again and again",
    "a rate of 1e-7",
    "initial weights too large",
    "equal initial weights",
    "a gain that stays 0",
    "inputs of 300",
    "rounding",
    "NaN among the samples",
    "targets of thousands",
    "sorted and not shuffled",
}
_groups: dict[Any, str] = {}
SICK = together({what: twin.sick for what, twin in TWINS.items()}, FIRST)
CURED = together({what: twin.cured for what, twin in TWINS.items()}, FIRST_CURED)


@pytest.mark.parametrize("what", SICK)
def test_a_fault_is_the_first_cause_at_its_place_and_all_that_it_leads_to_is_found(what: str) -> None:
    twin = TWINS[what]
    diagnosis = verdict(twin.sick)
    assert diagnosis.causes and diagnosis.causes[0].rule in twin.first, str(diagnosis)
    assert {*twin.shows} <= grave(diagnosis), str(diagnosis)
    if twin.where is not None:
        assert diagnosis.causes[0].where == twin.where or (twin.where and twin.where in diagnosis.causes[0].where)
    assert not diagnosis.healthy


@pytest.mark.parametrize("what", CURED)
def test_the_remedy_makes_it_well(what: str) -> None:
    """No cause at all is left: a remedy that leads from one fault to the next would be none."""
    diagnosis = verdict(TWINS[what].cured)
    assert diagnosis.causes == (), str(diagnosis)
    bent = ("falling-short",) if TWINS[what].cured.depth == 0 else ()  # a straight line can't follow what a forest does
    assert diagnosis.outcome in ("learning", "unknown", *bent)
    assert odd_words_of(diagnosis) == []


@pytest.mark.parametrize("what", SICK)
def test_a_cause_comes_with_its_number_its_remedy_and_what_would_refute_it(what: str) -> None:
    for cause in verdict(TWINS[what].sick).causes:
        assert cause.message and cause.evidence and cause.remedy and cause.refute and cause.blames
    assert len(verdict(TWINS[what].sick).headline) <= 220
    assert odd_words_of(verdict(TWINS[what].sick)) == []


@pytest.mark.parametrize("what", quick(NOTED, first={"a tanh that is met around 0 only"}))
def test_a_note_is_made_on_the_one_twin_only(what: str) -> None:
    sick, cure, rule = NOTED[what]
    assert rule in {finding.rule for finding in verdict(sick).findings}, str(verdict(sick))
    assert odd_words_of(verdict(sick)) == []
    cured = verdict(replace(sick, **cure))
    assert rule not in {finding.rule for finding in cured.findings}, str(cured)


def test_every_rule_about_trainings_has_a_twin_here() -> None:
    """Rules that only make notes may do without."""
    here = {rule for twin in TWINS.values() for rule in (*twin.first, *twin.shows)}
    about_trainings = {rule.name for rule in ALL_RULES if rule.subject == "run" and rule.part != "configuration"}
    assert about_trainings - here - NOTES == set()
