"""Samples held for evaluation: what they tell by themselves, and how much memory they and their answers take."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from diagnose.callbacks import TrainingMonitor
from diagnose.callbacks.measuring import held_inputs
from diagnose.callbacks.measuring.held_inputs import sameness
from diagnose.callbacks.observing.tensorflow import held_samples
from diagnose.callbacks.observing.tensorflow.held_samples import HeldSet


def test_what_is_the_same_in_a_held_set_is_counted_by_feature_and_by_sample():
    x = np.array([[0, 1], [0, 2], [0, 1], [0, 3]], "float32")
    held = HeldSet()
    for position, rows in enumerate((x[:3], x[3:])):
        held.keep((tf.constant(rows), tf.zeros(len(rows))), position)
    assert sameness(held.inputs()) == {"": (0.5, 0.5)}  # one feature of two, and [0, 1] twice among four


def held_of(batches: int, size: int, most: int = held_samples.SAMPLES) -> list[list[int]]:
    """What is held, batch by batch, of an epoch of the numbers from 0 on."""
    held = HeldSet(most=most)
    for position in range(batches):
        held.keep((tf.range(position * size, (position + 1) * size), tf.zeros(size)), position)
    return [batch[0].numpy().tolist() for batch in held.batches]


@pytest.mark.parametrize(("batches", "size"), [(300, 1), (40, 16), (33, 50), (5, 64), (3, 900), (1, 700)])
def test_samples_are_held_all_over_the_epoch(batches, size):
    """Of data that are ordered by class the first samples alone would be of one class."""
    held = np.concatenate(held_of(batches, size, most=100))
    assert min(batches * size, 40) <= len(held) <= 100
    quarters = np.bincount(held * 4 // (batches * size), minlength=4)
    assert quarters.min() >= 0.1 * len(held), quarters


def test_a_small_epoch_is_held_whole():
    assert held_of(7, 3) == np.arange(21).reshape(7, 3).tolist()


def test_a_held_set_can_be_limited_later():
    held = HeldSet()
    for position in range(20):
        held.keep((tf.range(3), tf.zeros(3)), position)
    held.limit(31)
    assert held.samples == 30 and held.wants(40) and not held.wants(41)


def test_large_samples_are_held_within_their_bytes(monkeypatch):
    monkeypatch.setattr(held_samples, "BYTES", 1000)
    held = HeldSet()
    for position in range(30):
        held.keep((tf.zeros((4, 10)), tf.zeros(4)), position)
    assert 4 <= held.samples <= 1000 // 44


@pytest.mark.parametrize(("entries", "samples"), [(64, 24), (1, 0)])
def test_no_more_answers_are_held_than_stated(monkeypatch, entries, samples):
    """Of an output of two numbers; where one answer alone is too much, the skill is not measured, and why is told."""
    monkeypatch.setattr(held_samples, "ENTRIES", entries)
    keras.utils.set_random_seed(0)
    model = keras.Sequential([layers.Input((3,)), layers.Dense(2)])
    model.compile("sgd", "mse")
    monitor = TrainingMonitor()
    model.fit(np.ones((48, 3)), np.ones((48, 2)), batch_size=24, verbose=0, callbacks=[monitor])
    told = monitor.run.facts
    assert monitor.run.notes == [] and (told.task.held_samples or 0) == samples
    assert ("skill" in told.unmeasured) == (samples == 0)


def test_mean_and_spread_of_large_inputs_are_taken_piece_by_piece(monkeypatch):
    monkeypatch.setattr(held_inputs, "AT_ONCE", 7)
    values = np.random.default_rng(0).integers(0, 255, (3, 10, 2)).astype("uint8")
    assert held_inputs.mean_and_std(list(values)) == pytest.approx((values.mean(), values.std()))


@pytest.mark.parametrize("execution", [1, 4])
def test_of_data_ordered_by_class_all_classes_are_held(execution):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([layers.Input((2,)), layers.Dense(5, "softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy", steps_per_execution=execution)
    y = np.repeat(np.arange(5), 800)
    x = np.random.default_rng(0).standard_normal((len(y), 2)).astype("float32")
    monitor = TrainingMonitor()
    model.fit(x, y, batch_size=16, shuffle=False, validation_data=(x, y), verbose=0, callbacks=[monitor])
    assert monitor.run.notes == []
    for side in ("train", "validation"):
        ((_, counts),) = monitor.run.arrays(f"classes.{side}").items()
        assert counts[0].tolist() == [0, 1, 2, 3, 4]
        assert counts[1].min() > 0.5 * counts[1].mean(), counts


def batches(x, y):
    while True:
        for start in range(0, len(x), 4):
            yield x[start : start + 4], y[start : start + 4]


@pytest.mark.parametrize(
    "how",
    [
        {"steps_per_execution": 3},
        {"jit_compile": True},
        "generator",
        *[pytest.param(how, marks=pytest.mark.sweep) for how in ({}, {"run_eagerly": True}, "data set")],
    ],
)
def test_steps_of_which_samples_are_only_held_train_alike(how):
    """Beyond the first observations most steps of an epoch hand on their batch and nothing else."""
    x = np.random.default_rng(0).standard_normal((260, 3)).astype("float32")
    y = np.random.default_rng(1).integers(0, 2, 260)
    ends = []
    for watched in (False, True):
        keras.backend.clear_session()
        keras.utils.set_random_seed(0)
        model = keras.Sequential([layers.Input((3,)), layers.Dropout(0.3), layers.Dense(2, "softmax")])
        options = how if isinstance(how, dict) else {}
        model.compile("adam", "sparse_categorical_crossentropy", **options)
        given, settings = (x, y), {"batch_size": 4}
        if how == "generator":
            given, settings = (batches(x, y),), {"steps_per_epoch": 65}
        elif how == "data set":
            given, settings = (tf.data.Dataset.from_tensor_slices((x, y)).shuffle(99, seed=1).batch(4),), {}
        monitor = TrainingMonitor(every=40)
        model.fit(*given, **settings, epochs=2, verbose=0, callbacks=[monitor] if watched else [])
        ends.append([*model.get_weights(), *(np.asarray(value) for value in model.optimizer.variables)])
    for bare, after in zip(*ends, strict=True):
        np.testing.assert_array_equal(bare, after)
    assert monitor.run.notes == []
    execution = options.get("steps_per_execution", 1)
    # All steps of the epoch were seen, and all but a few (every 40th) for their samples alone.
    seen = 256 if how != {"run_eagerly": True} else 252
    assert monitor.run.facts.task.held_samples in range(seen // execution - 4, 260 // execution + 5)
    assert monitor.run.observations <= 5
