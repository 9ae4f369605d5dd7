"""Remedies as data: how each kind is written, and what it changes in a program when it is applied."""

from __future__ import annotations

import json
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops
from sweeps import quick

from diagnose import Remedy
from diagnose.callbacks.proving.applying import APPLY, apply
from diagnose.callbacks.proving.program import NotApplicableError, Program, changes, fingerprint
from diagnose.remedy import advice, named_for, remedy, sentence_of, together
from diagnose.remedy_kinds import KINDS

SAMPLES = 64


def program(*, built: bool = True, **arguments: Any) -> Program:
    """A classifier of three classes with all that a remedy may change."""
    keras.utils.clear_session()
    keras.utils.set_random_seed(1)
    rng = np.random.default_rng(0)
    x = rng.normal(3.0, 2.0, size=(SAMPLES, 8)).astype("float32")
    y = rng.integers(0, 3, SAMPLES)
    model = keras.Sequential(
        [
            *([keras.Input((8,))] if built else []),
            layers.Dense(16, activation="tanh", kernel_regularizer="l2", bias_initializer="ones", name="one"),
            layers.Dropout(0.5, name="drop"),
            layers.Dense(16, name="two", trainable=False),
            layers.LeakyReLU(name="leaky"),
            layers.Dense(3, activation="softmax", name="out"),
        ]
    )
    # Traced, each of these fits would take seconds.
    model.compile(keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy", metrics=["accuracy"], run_eagerly=True)
    return Program(model, {"x": x, "y": y, "epochs": 2, "shuffle": False, **arguments})


#: A remedy of each kind that a machine can apply, and the beginning of the names of what it must change.
EACH = {
    "replace-activation": (remedy("replace-activation", "one", "relu"), "activation:"),
    "output-activation": (remedy("output-activation", "out", "sigmoid"), "activation:"),
    "scale-activation-input": (remedy("scale-activation-input", "one", 2.0), "activation:"),
    "shift-activation-input": (remedy("shift-activation-input", "one", 1.0), "activation:"),
    "scale-activation-output": (remedy("scale-activation-output", "leaky", 2.0), "call:"),
    "shift-activation-output": (remedy("shift-activation-output", "one", 1.0), "activation:"),
    "clip-activation-input": (remedy("clip-activation-input", "one", [-1.0, 1.0]), "activation:"),
    "normalize-activation-input": (remedy("normalize-activation-input", "one"), "activation:"),
    "initializer": (remedy("initializer", "", "he_normal"), "weight:"),
    "scale-kernel": (remedy("scale-kernel", "one", 0.1), "weight:"),
    "zero-bias": (remedy("zero-bias", "one"), "weight:"),
    "learning-rate": (remedy("learning-rate", value=0.01), "optimizer:rate"),
    "constant-learning-rate": (remedy("constant-learning-rate", value=0.02), "optimizer:rate"),
    "optimizer": (remedy("optimizer", value={"class_name": "Adam", "learning_rate": 0.1}), "optimizer:class"),
    "clipnorm": (remedy("clipnorm", value=1.0), "optimizer:clipnorm"),
    "weight-decay": (remedy("weight-decay", value=0.01), "optimizer:weight_decay"),
    "epochs": (remedy("epochs", value=3), "fit:epochs"),
    "batch-size": (remedy("batch-size", value=16), "fit:batch_size"),
    "early-stopping": (remedy("early-stopping", value=2), "fit:callbacks"),
    "standardize-inputs": (remedy("standardize-inputs"), "fit:x"),
    "standardize-targets": (remedy("standardize-targets"), "fit:y"),
    "drop-non-finite": (remedy("drop-non-finite"), "fit:"),
    "encode-labels": (remedy("encode-labels", value="one-hot"), "fit:y"),
    "shuffle": (remedy("shuffle"), "fit:shuffle"),
    "class-weight": (remedy("class-weight"), "fit:class_weight"),
    "loss": (remedy("loss", value="poisson"), "loss:"),
    "from-logits": (remedy("from-logits", value=True), "loss:"),
    "metric": (remedy("metric", value="mean_absolute_error"), "metric:"),
    "dropout": (remedy("dropout", "drop", 0.2), "rate:"),
    "regularizers": (remedy("regularizers", value=0), "regularizer:"),
    "spectral-norm": (remedy("spectral-norm", "one", 0.01), "regularizer:"),
    "trainable": (remedy("trainable", "two", True), "trainable:"),
}
#: One of each way of changing a program; the others differ in the attribute that they set.
TRAINED = (
    "scale-activation-output",
    "normalize-activation-input",
    "initializer",
    "optimizer",
    "clipnorm",
    "early-stopping",
    "standardize-inputs",
    "class-weight",
    "from-logits",
    "spectral-norm",
)
WITHOUT_FIT = {"loss", "metric", "encode-labels", "standardize-targets"}  # the changed program makes no sense to train


def test_every_kind_that_a_machine_can_apply_is_applied_by_one_function_and_tried_here():
    automatic = {name for name, kind in KINDS.items() if kind.automatic} - {"together"}
    assert set(APPLY) == automatic
    assert set(EACH) == automatic


@pytest.mark.parametrize("kind", EACH)
def test_a_remedy_changes_what_its_kind_says_and_nothing_else(kind: str):
    change, what = EACH[kind]
    given = program()
    before = fingerprint(given)
    told = apply(given, change)
    assert told == changes(before, fingerprint(given))
    assert any(name.startswith(what) for name in told)
    assert all(name.startswith(APPLY[kind][1]) for name in told)


@pytest.mark.parametrize("kind", quick([kind for kind in EACH if kind not in WITHOUT_FIT], first=TRAINED))
def test_the_changed_program_can_be_trained(kind: str):
    given = program()
    apply(given, EACH[kind][0])
    assert np.isfinite(given.fit().history["loss"][-1])


@pytest.mark.parametrize("kind", ["replace-activation", "initializer", "scale-kernel", "zero-bias", "spectral-norm"])
def test_a_model_that_is_not_built_yet_is_changed_as_well(kind: str):
    change, _ = EACH[kind]
    lazy, eager = program(built=False), program()
    for each in (lazy, eager):
        apply(each, change)
        each.fit()
    assert [v.shape for v in lazy.model.weights] == [v.shape for v in eager.model.weights]


def test_a_layer_of_a_layer_is_found_by_its_path():
    inner = keras.Sequential([keras.Input((8,)), layers.Dense(4, "tanh", name="hidden")], name="inner")
    model = keras.Sequential([keras.Input((8,)), inner, layers.Dense(1)], name="whole")
    model.compile("sgd", "mse")
    path = inner.layers[0].path
    apply(Program(model, {}), remedy("replace-activation", path, "relu"))
    assert inner.layers[0].activation is keras.activations.relu
    namespace = {"model": model, "keras": keras}
    exec(named_for(remedy("replace-activation", path, "elu"), "whole").code, namespace)
    assert inner.layers[0].activation is keras.activations.elu


def test_what_is_pasted_for_several_layers_gives_each_its_own_function():
    model = keras.Sequential([keras.Input((8,)), *[layers.Dense(4, f, name=f) for f in ("tanh", "relu", "elu")]])
    both = together(remedy("scale-activation-input", name, 2.0) for name in ("tanh", "relu", "elu"))
    exec(both.code, {"model": model, "keras": keras})
    z = ops.convert_to_tensor([-1.0, 2.0])
    for name in ("tanh", "relu", "elu"):
        np.testing.assert_allclose(model.get_layer(name).activation(z), keras.activations.get(name)(2 * z), rtol=1e-6)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (remedy("replace-activation", "three", "relu"), "no layer `three`; it has one, drop, two, leaky, out"),
        (remedy("replace-activation", "drop", "relu"), "a Dropout, which has no activation"),
        (remedy("scale-kernel", "drop", 2.0), "`drop` has no kernel"),
        (remedy("dropout", "one", 0.1), "no dropout rate"),
        (remedy("learning-rate", value=0.1), "it is so already"),
        (advice("Think again"), "only a person"),
    ],
)
def test_what_does_not_fit_this_program_is_refused_with_its_reason(change: Remedy, why: str):
    with pytest.raises(NotApplicableError, match=why):
        apply(program(), change)


def test_a_change_that_changes_more_than_it_says_is_refused(monkeypatch: pytest.MonkeyPatch):
    def greedy(given: Program, _: str, epochs: int) -> None:
        given.arguments |= {"epochs": epochs, "batch_size": 1}

    monkeypatch.setitem(APPLY, "epochs", (greedy, ("fit:epochs",)))
    with pytest.raises(NotApplicableError, match="more than this changed: fit:batch_size"):
        apply(program(), remedy("epochs", value=9))


def test_what_is_so_already_is_passed_over_among_several_changes():
    given = program()
    same, other = remedy("learning-rate", value=0.1), remedy("epochs", value=9)
    assert apply(given, together((same, other))) == ["fit:epochs"]


def test_compiling_anew_keeps_all_else_that_was_compiled():
    given = program()
    loss, metrics = given.model.loss, given.model._compile_config.config["metrics"]
    apply(given, remedy("optimizer", value={"class_name": "Adam", "learning_rate": 0.1}))
    assert given.model.loss is loss and given.model._compile_config.config["metrics"] is metrics
    assert type(given.model.optimizer).__name__ == "Adam"


def test_a_rate_that_a_schedule_or_a_callback_sets_is_scaled_with_it():
    given = program()
    given.model.optimizer = keras.optimizers.SGD(keras.optimizers.schedules.ExponentialDecay(1.0, 10, 0.5))
    given.model.compile(given.model.optimizer, "sparse_categorical_crossentropy")
    apply(given, remedy("learning-rate", value=0.1))
    assert float(given.model.optimizer._learning_rate(10)) == pytest.approx(0.05)
    scheduler = keras.callbacks.LearningRateScheduler(lambda epoch: 0.1 / (1 + epoch))
    given = program(callbacks=[scheduler])
    apply(given, remedy("learning-rate", value=0.2))
    given.fit()
    assert float(given.model.optimizer.learning_rate) == pytest.approx(0.1)  # of the second epoch: 0.2 / 2


def as_dataset(x: np.ndarray, y: np.ndarray) -> Any:
    return tf.data.Dataset.from_tensor_slices((x, y)).batch(16)


class Batches(keras.utils.PyDataset):
    def __init__(self, x: np.ndarray, y: np.ndarray) -> None:
        super().__init__()
        self.x, self.y = x, y

    def __len__(self) -> int:
        return 4

    @property
    def num_batches(self) -> int:
        return 4

    def __getitem__(self, index: int) -> Any:
        return self.x[16 * index : 16 * index + 16], self.y[16 * index : 16 * index + 16]


@pytest.mark.parametrize("given_as", [as_dataset, Batches])
def test_data_of_other_kinds_than_arrays_are_changed_on_their_way(given_as: Any):
    given = program()
    x, y = given.arguments.pop("x"), given.arguments.pop("y")
    x[5] = np.nan
    given.arguments |= {"x": given_as(x, y), "validation_data": given_as(x, y)}
    apply(given, remedy("drop-non-finite"))
    apply(given, remedy("standardize-inputs"))
    data = given.arguments["x"]
    batches = [data[i] for i in range(4)] if isinstance(data, keras.utils.PyDataset) else list(data)
    seen = np.concatenate([np.asarray(batch[0]) for batch in batches])
    assert len(seen) == SAMPLES - 1
    np.testing.assert_allclose(seen.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(seen.std(axis=0), 1, atol=1e-4)
    assert np.isfinite(given.fit().history["val_loss"][-1])


def test_a_remedy_is_plain_data():
    both = together([remedy("replace-activation", "a", "tanh"), remedy("epochs", value=4)])
    again = Remedy(**json.loads(json.dumps(both.to_dict())))
    assert again == both and [part.kind for part in again.parts] == ["replace-activation", "epochs"]
    assert sentence_of(()) == ""
    with pytest.raises(ValueError, match="kind is 'magic'; it must be one of"):
        Remedy("magic")
    with pytest.raises(TypeError, match="JSON-able"):
        Remedy("epochs", value=object())
