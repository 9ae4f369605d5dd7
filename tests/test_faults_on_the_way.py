"""Each callable of ours on the way of an observation raises once: the fit ends as a bare one does, and says so once.

Here it is what is called while a step is traced, of a model that is built in this very step; in
`test_faults_of_our_own.py` a fault stays for the whole fit, and of each kind of part one is broken.
"""

from __future__ import annotations

import subprocess
import sys
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from diagnose.callbacks import TrainingMonitor
from diagnose.callbacks.observing.tensorflow import (
    held_samples,
    packing,
    reversible,
    shadow_step,
    taps,
)
from diagnose.callbacks.watching import evaluation, first_look, observer, recorder


class Unbuilt(keras.Model):
    """Its layers are built, and one of them is made, in its first call."""

    def __init__(self):
        super().__init__()
        self.hidden, self.drop, self.answer = layers.Dense(5, "tanh"), layers.Dropout(0.2), None

    def call(self, x, training=False):
        if self.answer is None:
            self.answer = layers.Dense(2, "softmax", kernel_regularizer="l2")
        return self.answer(self.drop(self.hidden(x), training=training))


def fit(callbacks):
    keras.backend.clear_session()
    keras.utils.set_random_seed(5)
    model = Unbuilt()
    optimizer = keras.optimizers.SGD(0.1, 0.9, clipnorm=0.1)
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((24, 4)).astype("float32"), rng.integers(0, 2, 24)
    model.fit(x, y, validation_split=0.34, epochs=2, batch_size=8, verbose=0, callbacks=callbacks)
    drawn = [np.random.random(), float(tf.random.normal([]))]
    return [variable.numpy() for variable in (*model.variables, *optimizer.variables)] + drawn


@pytest.fixture(scope="module")
def bare():
    return fit([])


PLACES = [
    (observer.Observer, "observe"),
    (shadow_step, "pristine"),
    (shadow_step, "tapped"),
    (taps.Tapping, "through"),
    (taps.Tapping, "_received"),
    (shadow_step, "_positions"),
    (shadow_step.ShadowStep, "_packed"),
    (packing.Packing, "packed"),
    (reversible, "_written_variables"),
    (reversible.Reversible, "__call__"),
    (first_look, "learn_sites"),
    (first_look.FirstLook, "learn_model"),
    (held_samples.HeldSet, "keep"),
    (held_samples.Evaluator, "loss_of"),
    (evaluation, "scored"),
    (recorder.Recorder, "add_observation"),
]


#: Run with each change: what raises in tracing, in a call, in evaluating, in recording.
FIRST = {"_packed", "__call__", "loss_of", "add_observation"}


@pytest.mark.parametrize(
    ("owner", "name"),
    [pytest.param(*place, marks=() if place[1] in FIRST else pytest.mark.sweep) for place in PLACES],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_what_raises_once_costs_the_training_nothing(owner, name, bare, monkeypatch, tmp_path):
    original, raised = getattr(owner, name), []

    def breaks_once(*args, **kwargs):
        if not raised:
            raised.append(name)
            raise ZeroDivisionError("planted")
        return original(*args, **kwargs)

    monkeypatch.setattr(owner, name, breaks_once)
    monitor = TrainingMonitor(tmp_path / "run.sqlite")
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        watched = fit([monitor])
    assert raised
    for one, other in zip(bare, watched, strict=True):
        np.testing.assert_array_equal(one, other)
    ours = [str(each.message) for each in told if "keras-diagnose" in str(each.message)]
    assert len(ours) == 1 and "planted" in ours[0]


class NotesItsVariables(keras.optimizers.SGD):
    """Clips by what its own `apply` has noted, and so can't be asked to clip by anybody else."""

    def apply(self, grads, trainable_variables=None):
        self.noted = [variable.path for variable in trainable_variables]
        return super().apply(grads, trainable_variables)

    def _clip_gradients(self, grads):
        return [g if "bias" in n else keras.ops.clip(g, -1, 1) for g, n in zip(grads, self.noted, strict=True)]


def test_an_optimizer_that_clips_in_its_own_way_is_observed_all_the_same():
    weights = []
    for callbacks in ([], [monitor := TrainingMonitor()]):
        keras.utils.set_random_seed(1)
        model = keras.Sequential([layers.Dense(3, "relu"), layers.Dense(1)])
        model.compile(NotesItsVariables(0.1, clipvalue=1.0), "mse")
        model.fit(np.ones((16, 2)), np.arange(16.0), batch_size=8, verbose=0, callbacks=callbacks)
        weights.append(model.get_weights())
    for one, other in zip(*weights, strict=True):
        np.testing.assert_array_equal(one, other)
    assert (monitor.run.observations, monitor.run.notes) == (2, [])


class BreaksOffBefore(keras.callbacks.Callback):
    """Ends a fit between our hook before a step and the step."""

    def on_train_batch_begin(self, batch, logs=None):
        raise RuntimeError("the data are gone")


def test_a_fit_that_broke_off_leaves_nothing_behind_for_the_next_ones(tmp_path):
    """What stands in for a step is met by a bare fit, by saving and by another monitor, and its run grows no more."""

    def trained(broken):
        keras.backend.clear_session()
        keras.utils.set_random_seed(1)
        model = keras.Sequential([layers.Input((2,)), layers.Dense(3, "relu"), layers.Dense(1)])
        model.compile("adam", "mse")
        data = np.ones((16, 2)), np.arange(16.0)
        monitors = []
        for then in ("bare", "single batch", "saved", "watched", "compiled anew"):
            monitors.append(TrainingMonitor())
            if broken:
                with pytest.raises(RuntimeError, match="gone"):
                    model.fit(*data, verbose=0, callbacks=[monitors[-1], BreaksOffBefore()])
            if then == "single batch":
                model.train_on_batch(*data)
            elif then == "saved":
                model.save(tmp_path / "model.keras")
            elif then == "watched":
                model.fit(*data, verbose=0, callbacks=[watching := TrainingMonitor()])
                assert watching.run.observations == 1
            elif then == "compiled anew":
                model.compile("sgd", "mse")
                assert monitors[-1].diagnosis.outcome == "unknown"
                assert model.train_function is None
            model.fit(*data, verbose=0)
            assert model.train_function.__module__.startswith("keras.")
        assert [monitor.run.observations for monitor in monitors] == [0] * 5
        assert [monitor.run.notes for monitor in monitors] == [[]] * 5
        return model.get_weights()

    for one, other in zip(trained(broken=False), trained(broken=True), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_training_that_builds_its_model_draws_the_same_initial_values():
    """Initial values depend on the graph that they are drawn in, and on who draws from a Keras seed first."""
    draws = (
        lambda shape, dtype=None: tf.random.normal(shape),
        lambda shape, dtype=None: keras.random.normal(shape),
        lambda shape, dtype=None: np.random.normal(size=shape).astype("float32"),
    )
    for draw in draws:
        weights = []
        for callbacks in ([], [monitor := TrainingMonitor()]):
            keras.backend.clear_session()
            keras.utils.set_random_seed(1)
            model = keras.Sequential([layers.Dense(3, "relu", kernel_initializer=draw), layers.Dense(1)])
            model.compile("adam", "mse")
            model.fit(np.ones((24, 2)), np.arange(24.0), batch_size=8, verbose=0, callbacks=callbacks)
            weights.append([*model.get_weights(), np.random.random(), float(tf.random.normal([]))])
        for one, other in zip(*weights, strict=True):
            np.testing.assert_array_equal(one, other)
        assert monitor.run.observed_steps.tolist() == [1, 2]
        assert monitor.run.notes == []


OBSERVED_AFTER_A_RESET = """
import warnings
import keras, numpy as np
from tensorflow.python.eager import context
from diagnose.callbacks import TrainingMonitor

def observed(outputs):
    inputs = keras.Input((2,))
    model = keras.Model(inputs, [keras.layers.Dense(1, "tanh", name=f"answer_{number}")(inputs) for number in outputs])
    model.compile("adam", ["mse" for _ in outputs])
    monitor = TrainingMonitor()
    model.fit(np.ones((16, 2)), [np.arange(16.0) for _ in outputs], verbose=0, callbacks=[monitor])
    return monitor.run.observations, monitor.run.notes

warnings.simplefilter("error", RuntimeWarning)
assert observed("a") == (1, [])
context._reset_context()
assert observed("a") == observed("ab") == (1, [])
"""


def test_fits_are_observed_after_a_reset_of_the_runtime():
    """What was compiled before it can't be called any more. In a process of its own, since a reset is for all of it."""
    subprocess.run([sys.executable, "-c", OBSERVED_AFTER_A_RESET], check=True, timeout=300)
