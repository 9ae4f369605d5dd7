"""Rules on what is reported, at their edges, and whole trainings with a fault of configuration or reporting."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from hand_made import changing, findings, kinds, run_of

from diagnose.callbacks import TrainingMonitor
from diagnose.run.run import Run


@pytest.mark.parametrize(
    ("logged", "severity"),
    [(1.0, None), (0.951, None), (0.949, "note"), (0.101, "note"), (0.099, "warning"), (0.0, "warning")],
)
def test_the_logged_loss_may_be_off_by_a_twentieth(logged: float, severity: str | None) -> None:
    run = run_of({"batch.loss_reported": [logged] * 3, "batch.loss": [1.0] * 3})
    assert [finding.severity for finding in findings("loss-not-reported", run)] == ([severity] if severity else [])


def test_epochs_of_zero_loss_beside_batches_that_have_one_are_not_reported() -> None:
    run = run_of({"batch.loss": [0.7, 0.6, 0.5]})
    run.history["loss"] = [0.0, 0.0]
    assert kinds("loss-not-reported", run) == {"Finding"}
    run.history["loss"] = [0.0, 0.6]
    assert kinds("loss-not-reported", run) == {"Healthy"}


def test_a_loss_that_is_zero_is_reported_as_zero() -> None:
    assert kinds("loss-not-reported", run_of({"batch.loss_reported": [0.0], "batch.loss": [0.0]})) == {"Healthy"}


@pytest.mark.parametrize("history", [{}, {"d_loss": [1.0], "g_loss": [2.0]}])
def test_two_losses_under_other_names_are_not_compared(history: dict[str, list[float]]) -> None:
    run = run_of({"batch.loss": [0.7]})
    run.history.update(history)
    assert kinds("loss-not-reported", run) == {"NotMeasured"}


def logged(**history: list[float]) -> Run:
    run = Run()
    run.history.update(history)
    return run


@pytest.mark.parametrize(
    ("history", "expected"),
    [
        ({"loss": [0.7, 0.0], "accuracy": [0.6, 0.0]}, "Finding"),
        ({"loss": [0.7, 0.0], "accuracy": [0.6, 0.5]}, "Healthy"),
        ({"loss": [0.7, 0.0, 0.6]}, "Finding"),
        ({"loss": [0.7, 1e-4, 0.0]}, "Healthy"),
        ({"loss": [0.0, 0.0]}, "Healthy"),
        ({"loss": [0.7, 0.6], "val_loss": [0.0, 0.0], "val_accuracy": [0.0, 0.0]}, "Finding"),
        ({"loss": [0.7, 0.6], "val_loss": [0.8, 0.7], "val_accuracy": [0.0, 0.0]}, "Healthy"),
        ({}, "NotMeasured"),
    ],
)
def test_an_epoch_of_zeros_saw_no_batch(history: dict[str, list[float]], expected: str) -> None:
    assert kinds("no-data-seen", logged(**history)) == {expected}


def test_a_training_without_a_step_saw_no_data() -> None:
    assert kinds("no-data-seen", Run({"finished": "completed", "steps_seen": 0})) == {"Finding"}


@pytest.mark.parametrize(("steps", "expected"), [(30, "Healthy"), (29, "Finding")])
def test_an_epoch_whose_steps_were_all_seen_is_not_empty_though_loss_and_metrics_are_zero(steps, expected) -> None:
    """Rows of labels without a class give a loss of 0, and now and then an accuracy of 0."""
    run = logged(loss=[0.0, 0.0, 0.0], accuracy=[0.1, 0.0, 0.0])
    with changing(run) as meta:
        meta |= {"fit": {"steps": 10}, "steps_seen": steps}
    assert kinds("no-data-seen", run) == {expected}


@pytest.mark.parametrize(
    ("samples", "first", "expected"), [(64, 0.0, "Healthy"), (64, 0.1, "Finding"), (0, 0.0, "Finding")]
)
def test_a_validation_of_which_samples_were_seen_is_not_empty(samples, first, expected) -> None:
    """They are kept in the first validation; a later one may have been without any."""
    run = logged(loss=[0.7, 0.6], val_loss=[first, 0.0], val_accuracy=[first, 0.0])
    with changing(run) as meta:
        meta["task"] = {"held_validation_samples": samples}
    assert kinds("no-data-seen", run) == {expected}


# --- real trainings ---------------------------------------------------------------------------------------------------

RNG = np.random.default_rng(4)
X = RNG.normal(size=(256, 6)).astype("float32")
YES = (X[:, 0] + X[:, 1] > 0).astype("float32")


class Silent(keras.Model):
    """A train_step of the user's own that forgets the loss tracker, or does not."""

    tracked = False

    def train_step(self, data: Any) -> Any:
        import tensorflow as tf

        x, y = data
        with tf.GradientTape() as tape:
            y_pred = self(x, training=True)
            loss = self.compute_loss(x=x, y=y, y_pred=y_pred)
        variables = self.trainable_variables
        self.optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        if self.tracked:
            self._loss_tracker.update_state(loss)
        return self.compute_metrics(x, y, y_pred)


def trained(made: Any, *args: Any, **settings: Any) -> Any:
    monitor = TrainingMonitor()
    made.fit(*args, callbacks=[monitor], verbose=0, **settings)
    return monitor.diagnosis


def classifier(kind: type = keras.Model, loss: Any = "binary_crossentropy", activation: str = "sigmoid") -> Any:
    keras.utils.set_random_seed(1)
    inputs = keras.Input((6,))
    hidden = keras.layers.Dense(16, activation="relu")(inputs)
    made = kind(inputs, keras.layers.Dense(1, activation=activation)(hidden))
    made.compile(keras.optimizers.Adam(0.01), loss, metrics=["accuracy"])
    return made


@pytest.mark.parametrize("tracked", [False, True], ids=["sick", "cured"])
def test_a_forgotten_loss_tracker(tracked: bool) -> None:
    """Loss 0.0 is printed though the weights move; the remedy's line cures it."""
    kind = type("Silent", (Silent,), {"tracked": tracked})
    diagnosis = trained(classifier(kind), X, YES, epochs=6)
    assert ("loss-not-reported" in {cause.rule for cause in diagnosis.causes}) == (not tracked)


@pytest.mark.parametrize("batches", [10, 40], ids=["sick", "cured"])
def test_a_generator_that_runs_dry(batches: int) -> None:
    def some() -> Any:
        for _ in range(batches):
            yield X[:32], YES[:32]

    diagnosis = trained(classifier(), some(), epochs=4, steps_per_epoch=10)
    assert ("no-data-seen" in {cause.rule for cause in diagnosis.causes}) == (batches == 10)


def test_a_softmax_over_one_unit_is_the_cause_of_a_real_training_that_stands_still() -> None:
    """The audit of the first batch is part of every watched training."""
    diagnosis = trained(classifier(activation="softmax", loss="categorical_crossentropy"), X, YES, epochs=4)
    assert {"single-unit-softmax", "one-class-crossentropy"} == {cause.rule for cause in diagnosis.causes}


def test_a_sound_training_has_no_fault_of_configuration() -> None:
    diagnosis = trained(classifier(), X, YES, epochs=6)
    assert {finding.rule for finding in diagnosis.findings if finding.severity != "note"} == set()
