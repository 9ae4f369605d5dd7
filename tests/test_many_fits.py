"""A model that is fitted again is not traced again, and nothing of one fit is left for the next."""

from __future__ import annotations

import copy
import gc
import queue
import weakref

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from watched_fits import made_anew

from diagnose.callbacks import TrainingMonitor
from diagnose.callbacks.observing.tensorflow.held_samples import HeldSet
from diagnose.callbacks.observing.tensorflow.kept_traces import ATTRIBUTE
from diagnose.callbacks.observing.tensorflow.reversible import Reversible

X = np.random.default_rng(0).standard_normal((48, 5)).astype("float32")
Y = np.random.default_rng(1).integers(0, 3, 48)


@pytest.fixture(autouse=True)
def _made_anew():
    made_anew()


@pytest.fixture
def traced(monkeypatch):
    """One entry for each trace of ours."""
    traced = queue.SimpleQueue()
    original = Reversible.__init__

    def counting(self, function, *specs, **options):
        traced.put(function)
        original(self, function, *specs, **options)

    monkeypatch.setattr(Reversible, "__init__", counting)
    return traced


def bent(z):
    return z * tf.sigmoid(1.5 * z)


def mlp(**compiled):
    model = keras.Sequential([layers.Input((5,)), layers.Dense(8, bent), layers.Dense(3, "softmax")])
    options = {"optimizer": "adam", "loss": "sparse_categorical_crossentropy", "metrics": ["accuracy"]}
    model.compile(**{**options, **compiled})
    return model


def fit(model, monitor=None, x=X, y=Y, **options):
    callbacks = [] if monitor is None else [monitor]
    return model.fit(x, y, batch_size=16, verbose=0, shuffle=False, callbacks=callbacks, **options)


def anew(traced):
    """How many traces there were since this was asked last."""
    count = traced.qsize()
    while not traced.empty():
        traced.get()
    return count


@pytest.mark.parametrize(
    "monitors", ["a new monitor for each fit", pytest.param("the same monitor", marks=pytest.mark.sweep)]
)
def test_a_second_fit_traces_nothing(traced, monitors):
    model, monitor = mlp(), TrainingMonitor()
    fit(model, monitor)
    assert anew(traced) >= 3  # the step, the evaluation, the loss of constants
    for _ in range(2):
        fit(model, monitor if monitors == "the same monitor" else TrainingMonitor())
    assert anew(traced) == 0


def test_a_new_monitor_measures_the_same_with_kept_traces_as_with_new_ones():
    runs = []
    for keeps in (True, False):
        made_anew()
        model = mlp()
        fit(model, TrainingMonitor(every=1))
        if not keeps:
            delattr(model.train_function, ATTRIBUTE)
        monitor = TrainingMonitor(every=1)
        fit(model, monitor)
        runs.append(monitor.run)
    kept, new = runs
    assert kept.notes == new.notes == []
    assert kept.quantities == new.quantities
    for quantity in kept.quantities:
        assert kept.table(quantity).equals(new.table(quantity)), quantity
    assert kept.meta["profiles"].keys() == new.meta["profiles"].keys() == {"bent"}
    assert kept.meta["sites"] == new.meta["sites"]


def change_compilation(model):
    model.compile("sgd", "sparse_categorical_crossentropy")


def change_trainable_layers(model):
    model.layers[0].trainable = False
    model.compile("adam", "sparse_categorical_crossentropy")


@pytest.mark.parametrize("change", [change_compilation, pytest.param(change_trainable_layers, marks=pytest.mark.sweep)])
def test_what_is_compiled_anew_is_traced_anew(traced, change):
    model = mlp()
    fit(model, TrainingMonitor())
    anew(traced)
    change(model)
    monitor = TrainingMonitor(every=1)
    fit(model, monitor)
    assert anew(traced) >= 3
    assert set(monitor.run.places("gradient.rms")) == {variable.path for variable in model.trainable_variables}


def test_an_eager_training_keeps_no_traces(traced):
    model = mlp(run_eagerly=True)
    fit(model, TrainingMonitor())
    assert not hasattr(model.train_function, ATTRIBUTE)
    anew(traced)
    fit(model, TrainingMonitor())
    assert anew(traced) >= 3


def test_other_data_of_another_shape_are_measured_in_the_next_fit():
    model = keras.Sequential(
        [layers.Conv1D(4, 3, activation="relu"), layers.GlobalAveragePooling1D(), layers.Dense(3, "softmax")]
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    for length in (9, 12, 9):
        monitor = TrainingMonitor(every=1)
        fit(model, monitor, x=np.random.default_rng(length).standard_normal((48, length, 2)).astype("float32"))
        assert monitor.run.notes == []
        assert len(monitor.run.series("batch.loss")) >= 2  # the first step makes the variables


def test_many_watched_fits_end_with_the_weights_of_bare_ones():
    ends = []
    for watched in (False, True):
        made_anew()
        model = mlp(steps_per_execution=2)
        for _ in range(3):
            fit(model, TrainingMonitor() if watched else None, epochs=2)
        ends.append(model.get_weights() + [np.asarray(value) for value in model.optimizer.variables])
    for bare, watched in zip(*ends, strict=True):
        np.testing.assert_array_equal(bare, watched)


def test_batches_left_by_a_fit_that_broke_off_do_not_reach_the_next():
    """With several steps in one call the second batch still waits when the first one raises."""

    def strict(y, p):
        checked = tf.debugging.assert_less(tf.cast(y, tf.int32), 3)
        with tf.control_dependencies([checked] if checked is not None else []):
            return keras.losses.sparse_categorical_crossentropy(tf.minimum(tf.cast(y, tf.int32), 2), p)

    ends = []
    for watched in (False, True):
        made_anew()
        model = mlp(loss=strict, steps_per_execution=3)
        fit(model, TrainingMonitor(every=1) if watched else None)
        with pytest.raises(tf.errors.InvalidArgumentError):
            fit(model, TrainingMonitor(every=1) if watched else None, y=np.where(np.arange(48) == 2, 5, Y))
        fit(model, TrainingMonitor(every=1) if watched else None, x=2 * X)
        ends.append(model.get_weights())
    for bare, after in zip(*ends, strict=True):
        np.testing.assert_array_equal(bare, after)


def test_no_sample_is_kept_and_the_model_can_go():
    def holding() -> set[int]:
        gc.collect()
        return {id(held) for held in gc.get_objects() if isinstance(held, HeldSet) and held.samples}

    before = holding()  # of fits of other tests that were broken off, and whose models are still there
    model = mlp()
    fit(model, TrainingMonitor())
    assert holding() <= before
    gone = weakref.ref(model)
    del model
    gc.collect()
    assert gone() is None


def test_a_model_with_kept_traces_is_saved_copied_and_loaded_as_any_other(tmp_path):
    model = mlp()
    fit(model, TrainingMonitor())
    assert hasattr(model.train_function, ATTRIBUTE)
    expected = model.predict(X, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", custom_objects={"bent": bent})
    with keras.saving.custom_object_scope({"bent": bent}):
        again = keras.models.clone_model(model)
        again.set_weights(model.get_weights())
        copied = copy.deepcopy(model)
    for other in (loaded, again, copied):
        np.testing.assert_array_equal(other.predict(X, verbose=0), expected)
    model.export(tmp_path / "exported", verbose=False)
