"""What is known of the samples of a batch without keeping them, and of a batch whose step can't be taken."""

from __future__ import annotations

import warnings

import keras
import numpy as np
import pytest
import scipy.sparse
from keras import layers

from diagnose.callbacks import TrainingMonitor
from diagnose.callbacks.measuring.sample_memory import MOST, SampleMemory

X = [np.arange(12.0).reshape(6, 2)]
Y = [np.array([0, 1, 2, 0, 1, 2])]


def test_a_sample_that_comes_back_with_its_label_is_known():
    memory = SampleMemory()
    assert memory.see(X, Y, 0) == (0, 0, 0, 0)
    assert memory.see([X[0][::-1]], [Y[0][::-1]], 1) == (6, 0, 0, 0)


def test_within_one_epoch_nothing_comes_back():
    memory = SampleMemory()
    memory.see(X, Y, 0)
    assert memory.see(X, Y, 0) == (0, 0, 6, 0)
    assert (memory.met, memory.repeated) == (12, 6)


def test_a_sample_of_several_labels_is_contradicted_and_tells_nothing_later():
    memory = SampleMemory()
    memory.see(X, Y, 0)
    assert memory.see([X[0][:1]], [np.array([1])], 0) == (0, 0, 1, 1)
    assert memory.see(X, [Y[0][[2, 1, 2, 0, 1, 2]]], 1) == (5, 0, 0, 0)


def test_arrays_that_differ_in_their_samples_are_not_told_apart():
    memory = SampleMemory()
    assert memory.see([*X, np.zeros(5)], Y, 0) == (0, 0, 0, 0) and memory.met == 0


def test_the_memory_is_bounded():
    memory = SampleMemory()
    for start in range(0, MOST + 5000, 5000):
        rows = np.arange(start, start + 5000.0)
        memory.see([rows], [rows], 0)
    assert memory.trained_on([np.arange(MOST + 5000.0)]) == MOST


def model(units, **shape):
    keras.utils.set_random_seed(0)
    return keras.Sequential([layers.Input(**shape), layers.Dense(units, "softmax")])


@pytest.mark.parametrize(
    ("labels", "loss"),
    [
        (np.arange(40) % 4, "sparse_categorical_crossentropy"),
        (np.eye(4)[np.arange(40) % 4], "categorical_crossentropy"),
    ],
    ids=["numbers", "rows"],
)
def test_labels_that_the_first_step_refuses_are_the_cause_and_nothing_is_said_to_go_on(labels, loss):
    network, monitor = model(3, shape=(5,)), TrainingMonitor()
    network.compile("adam", loss)
    with warnings.catch_warnings(record=True) as told, pytest.raises(Exception, match=r"label|shape"):
        warnings.simplefilter("always")
        network.fit(np.ones((40, 5), "float32"), labels, verbose=0, callbacks=[monitor])
    assert not [each for each in told if "keras-diagnose" in str(each.message)]
    assert monitor.diagnosis.causes[0].rule == "labels-out-of-range"
    assert not any("goes on" in note for note in monitor.run.notes)


def test_class_numbers_for_each_position_are_no_rows_though_there_are_as_many_positions_as_classes():
    network, monitor = keras.Sequential([layers.Embedding(3, 8), layers.Dense(3, "softmax")]), TrainingMonitor()
    x = np.random.default_rng(0).integers(0, 3, (64, 3))
    network.compile(keras.optimizers.Adam(0.05), "sparse_categorical_crossentropy")
    network.fit(x, (x + 1) % 3, epochs=4, verbose=0, callbacks=[monitor])
    assert monitor.run.notes == []
    assert monitor.run.series("skill.train").values[-1] > 0.9


def test_batches_of_sparse_inputs_are_told_apart():
    x = scipy.sparse.random(320, 20, 0.3, "csr", dtype="float32", random_state=0)
    network, monitor = model(2, shape=(20,)), TrainingMonitor()
    network.compile("adam", "sparse_categorical_crossentropy")
    network.fit(x, np.arange(320) % 2, verbose=0, callbacks=[monitor])
    assert len(np.unique(monitor.run.series("batch.fingerprint").values)) == 10
