"""Whether a layer with a function of the user's own can be loaded again, asked at the start of a watched training."""

from __future__ import annotations

import random
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops
from keras.src.backend.common import global_state

from diagnose.callbacks import TrainingMonitor
from diagnose.callbacks.model import saving as asking
from diagnose.callbacks.model.restoring import SEEDS


def unknown_to_keras(z: Any) -> Any:
    return ops.tanh(z) + 0.1 * z


@keras.saving.register_keras_serializable(package="saving_test")
def known_to_keras(z: Any) -> Any:
    return ops.tanh(z) + 0.1 * z


def relu(z: Any) -> Any:
    """A name that Keras has a function for."""
    return ops.tanh(z) + 0.1 * z


class NotConfigurable(layers.Layer):
    def __init__(self, act: Any) -> None:
        super().__init__()
        self.act, self.noise = act, layers.Dropout(0.1)

    def call(self, x: Any, training: bool = False) -> Any:
        return self.noise(self.act(x), training=training)


def watched(layer: layers.Layer) -> TrainingMonitor:
    keras.utils.set_random_seed(0)
    model = keras.Sequential([layers.Input((4,)), layer, layers.Dense(1)])
    model.compile("adam", "mse")
    monitor = TrainingMonitor(every=1)
    x = np.random.default_rng(0).standard_normal((32, 4)).astype("float32")
    model.fit(x, x[:, :1], verbose=0, callbacks=[monitor])
    return monitor


def saving_of(monitor: TrainingMonitor) -> dict[str, Any]:
    (profile,) = monitor.run.meta["profiles"].values()
    return profile["saving"]


@pytest.mark.parametrize(
    ("layer", "error"),
    [
        (lambda: layers.Dense(4, unknown_to_keras), "Could not locate function 'unknown_to_keras'"),
        (lambda: layers.GRU(4, activation=unknown_to_keras), "Could not locate function 'unknown_to_keras'"),
        (lambda: layers.Dense(4, lambda z: ops.tanh(z) + 0.1 * z), "a lambda has no name to be found by"),
        (lambda: layers.Dense(4, relu), "what is loaded under its name is another function"),
        (lambda: NotConfigurable(unknown_to_keras), "must override `get_config()`"),
    ],
)
def test_what_keras_says_on_loading_the_layer_is_told_as_a_note(layer: Any, error: str):
    """It is no reason for what the training achieved, so never more than a note there."""
    layer = layer()
    if isinstance(layer, layers.GRU):
        layer = keras.Sequential([layers.Reshape((2, 2)), layer])
    monitor = watched(layer)
    assert error in saving_of(monitor)["model_error"]
    (finding,) = [finding for finding in monitor.diagnosis.findings if finding.rule == "unsavable-activation"]
    assert finding.severity == "note" and error in finding.message
    assert monitor.run.notes == []


def test_a_registered_function_is_found_again():
    monitor = watched(layers.Dense(4, known_to_keras))
    assert saving_of(monitor)["loads"] and saving_of(monitor)["kind"] == "registered"
    assert "unsavable-activation" in monitor.diagnosis.ruled_out


def test_a_function_that_the_user_gives_as_a_custom_object_is_found_again():
    with keras.saving.custom_object_scope({"unknown_to_keras": unknown_to_keras}):
        assert saving_of(watched(layers.Dense(4, unknown_to_keras)))["model_error"] == ""


def test_asking_leaves_no_trace_in_names_seeds_or_memory():
    layer = NotConfigurable(unknown_to_keras)
    layer.get_config = lambda: {"act": "tanh"}
    wide = layers.Dense(4096, unknown_to_keras)
    wide.build((None, 4096))
    keras.random.normal(())  # Keras' own generator is in use
    names = dict(global_state.get_global_attribute("object_name_uids"))
    seeds = global_state.get_global_attribute(SEEDS)
    before = (random.getstate(), np.random.get_state()[1].tolist(), seeds.state.numpy().tolist())
    made = []
    build = layers.Dense.build
    layers.Dense.build = lambda self, shape: made.append(shape) or build(self, shape)
    try:
        assert [asking.saving_error(owner, unknown_to_keras) is not None for owner in (layer, wide)] == [True, True]
    finally:
        layers.Dense.build = build
    assert made == []
    assert dict(global_state.get_global_attribute("object_name_uids")) == names
    assert (random.getstate(), np.random.get_state()[1].tolist(), seeds.state.numpy().tolist()) == before
    assert global_state.get_global_attribute(SEEDS) is seeds


def test_models_and_marked_functions_are_not_asked():
    assert asking.saving_error(keras.Sequential([layers.Dense(1)]), unknown_to_keras) is None
    assert asking.saving_error(None, unknown_to_keras) is None


def test_a_training_without_functions_of_its_own_asks_nothing(monkeypatch: pytest.MonkeyPatch):
    from diagnose.callbacks.watching import first_look

    asked: list[Any] = []
    monkeypatch.setattr(first_look, "saving_error", lambda owner, f: asked.append(f))
    watched(layers.Dense(4, "tanh"))
    assert asked == []
    watched(layers.Dense(4, tf.sin))
    assert asked == [tf.sin]
