"""Skill of a regression in the coin of its own loss."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers, ops
from watched_fits import made_anew

from diagnose.callbacks import TrainingMonitor
from diagnose.callbacks.measuring.loss_skill import loss_scale
from diagnose.outcome.scores import line_fitted

rng = np.random.default_rng(0)
X = rng.standard_normal((256, 3)).astype("float32")
Y = (X @ np.array([[1.0], [-2.0], [0.5]])).astype("float32")
COUNTS = rng.poisson(np.exp(0.5 * Y)).astype("float32")


def pinball(y, p):
    return ops.mean(ops.maximum(0.9 * (y - p), -0.1 * (y - p)), axis=-1)


def of(loss, y):
    """The loss as a function of predictions alone."""
    return lambda p: float(np.mean(keras.ops.convert_to_numpy(keras.losses.get(loss)(y, p))))


@pytest.mark.parametrize("loss", ["mse", lambda y, p: 3 * ops.mean((y - p) ** 2, axis=-1)])
def test_of_a_squared_error_skill_is_r_squared(loss):
    assert loss_scale(of(loss, Y), Y, Y.shape) is None


@pytest.mark.parametrize(
    ("loss", "y", "best"),
    [
        ("mae", Y, np.median(Y)),
        ("log_cosh", 5 * Y, 5 * np.median(Y)),
        ("huber", 5 * Y, 5 * np.median(Y)),
        ("poisson", COUNTS, np.mean(COUNTS)),
        (pinball, Y, np.quantile(Y, 0.9)),
        ("mean_squared_logarithmic_error", COUNTS, None),
    ],
)
def test_of_another_loss_it_is_one_minus_the_loss_over_that_of_the_best_constant(loss, y, best):
    scale = loss_scale(of(loss, y), y, y.shape)
    assert scale is not None
    assert scale.skill(of(loss, y)(y)) == pytest.approx(1.0)
    if best is not None:
        constant = of(loss, y)(np.full_like(y, best))
        assert scale.constant == pytest.approx(constant, rel=0.01)
        assert scale.skill(constant) == pytest.approx(0.0, abs=0.01)


def test_a_huber_loss_of_small_targets_is_a_squared_error():
    assert loss_scale(of("huber", 0.1 * Y), 0.1 * Y, Y.shape) is None


def test_a_loss_that_is_not_least_at_the_targets_has_no_such_skill():
    assert loss_scale(of(lambda y, p: -ops.mean((y - p) ** 2, axis=-1), Y), Y, Y.shape) is None


def test_predictions_are_put_on_the_line_of_their_targets():
    np.testing.assert_allclose(line_fitted(Y, 0.01 * Y + 3), Y, atol=1e-4)


def test_wild_targets_under_an_absolute_error_are_no_failed_training():
    """Of R squared, two wild targets in a hundred leave next to nothing, however well the others are met."""
    made_anew()
    wild = Y + np.where(np.arange(len(Y)) % 50 == 0, 60.0, 0.0)[:, None].astype("float32")
    model = keras.Sequential([layers.Input((3,)), layers.Dense(16, "relu"), layers.Dense(1)])
    model.compile(keras.optimizers.Adam(0.02), "mae")
    monitor = TrainingMonitor()
    model.fit(X, wild, epochs=30, verbose=0, callbacks=[monitor])
    diagnosis = monitor.diagnosis
    assert diagnosis.outcome == "learning" and not diagnosis.causes
    loss, constant = (monitor.run.series(name).values[-1] for name in ("loss.train", "loss.constant"))
    assert monitor.run.series("skill.train").values[-1] == pytest.approx(1 - loss / constant, rel=1e-4)
    assert f"the loss is {loss:.3g}" in diagnosis.outcome_reason
