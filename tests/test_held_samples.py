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
    for rows in (x[:3], x[3:]):
        held.keep((tf.constant(rows), tf.zeros(len(rows))))
    assert sameness(held.inputs()) == {"": (0.5, 0.5)}  # one feature of two, and [0, 1] twice among four


def test_a_held_set_that_is_limited_keeps_its_first_samples():
    held = HeldSet()
    for start in (0, 3):
        held.keep((tf.range(start, start + 3), tf.zeros(3)))
    held.limit(4)
    assert [batch[0].numpy().tolist() for batch in held.batches] == [[0, 1, 2], [3]] and held.full
    held.keep((tf.range(3), tf.zeros(3)))
    assert held.samples == 4


@pytest.mark.parametrize(("entries", "samples"), [(64, 32), (1, 0)])
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
