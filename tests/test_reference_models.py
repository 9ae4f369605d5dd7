"""What simple models reach beside the network, and what is made of it."""

from __future__ import annotations

import functools

import keras
import numpy as np
import pytest
from keras import layers
from sklearn import datasets
from watched_fits import made_anew

from diagnose import examine
from diagnose.callbacks import TrainingMonitor
from diagnose.callbacks.measuring.reference_models import MOST_TARGETS, HeldArrays, reference_skills
from diagnose.outcome.scores import skill
from diagnose.outcome.task import Task
from diagnose.run.run import Run

rng = np.random.default_rng(0)
NUMBERS = rng.standard_normal((200, 4)).astype("float32")


def held(x, y, task) -> HeldArrays:
    half = len(x) // 2
    return HeldArrays({"": [x[:half], x[half:]]}, np.asarray(y), functools.partial(skill, task, np.asarray(y)))


def asked(task, x, y, validation=True):
    """What simple models reach with two thirds of the samples to learn from, and the others to be scored on."""
    cut = len(x) * 2 // 3
    if not validation:
        return reference_skills(task, held(x, y, task), None)
    return reference_skills(task, held(x[:cut], y[:cut], task), held(x[cut:], y[cut:], task))


TOKENS = rng.integers(0, 50, (600, 20))
PICTURES = rng.standard_normal((400, 32, 32, 3)).astype("float32") + rng.integers(0, 2, 400)[:, None, None, None]
KINDS = {
    "classes": (Task("categorical", 2), NUMBERS, (NUMBERS[:, 0] > 0).astype(int)),
    "one-hot classes": (Task("categorical", 2), NUMBERS, np.eye(2)[(NUMBERS[:, 0] > 0).astype(int)]),
    "two classes": (Task("binary", 2), NUMBERS, (NUMBERS[:, :1] > 0).astype(float)),
    "labels": (Task("multilabel", 2), NUMBERS, (NUMBERS[:, :2] > 0).astype(float)),
    "numbers": (Task("regression"), NUMBERS, NUMBERS[:, 0] - 2 * NUMBERS[:, 1]),
    "several numbers": (Task("regression"), NUMBERS, NUMBERS[:, :1] * [2.0]),
    "tokens": (Task("binary", 2), TOKENS, (TOKENS == 7).any(axis=1).astype(float)),
    "pictures": (Task("binary", 2), PICTURES, (PICTURES.mean((1, 2, 3)) > 0.5).astype(float)),
    "series": (Task("regression"), PICTURES.reshape(400, 48, 64)[:, :, :8], PICTURES.mean((1, 2, 3))),
    "a thousand columns": (
        Task("binary", 2),
        PICTURES.reshape(400, -1),
        (PICTURES.mean((1, 2, 3)) > 0.5).astype(float),
    ),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("validation", [True, False])
def test_simple_tasks_of_all_kinds_are_learned(kind, validation):
    task, x, y = KINDS[kind]
    told = asked(task, x, y, validation)
    assert told.reason == "" and max(told.skills.values()) > 0.8
    assert told.on == ("validation" if validation else "training")
    assert told.samples == (len(x) - len(x) * 2 // 3 if validation else len(x))


@pytest.mark.parametrize("validation", [True, False])
def test_of_chance_nothing_is_learned(validation):
    told = asked(Task("binary", 2), NUMBERS, rng.integers(0, 2, 200), validation)
    assert max(told.skills.values()) < 0.3


def test_the_same_samples_give_the_same_skills():
    first, second = (asked(*KINDS["pictures"]).skills for _ in range(2))
    assert first == second


@pytest.mark.parametrize(
    ("task", "x", "y", "reason"),
    [
        (Task("unknown", reason="an order is asked for"), NUMBERS, NUMBERS[:, 0], "an order is asked for"),
        (Task("binary", 2), NUMBERS[:60], np.ones(60), "fewer than 50"),
        (Task("binary", 2), NUMBERS, np.ones(200), "one label"),
        (Task("categorical", 200), NUMBERS, np.arange(200), "133 classes are met among 133"),
        (Task("categorical", 3), NUMBERS, np.zeros((200, 5), int), "more than one label"),
        (Task("regression"), np.where(NUMBERS > 2, np.nan, NUMBERS), NUMBERS[:, 0], "NaN"),
        (Task("regression"), NUMBERS, NUMBERS[:, :3], "as many numbers as the inputs"),
        (Task("regression"), NUMBERS, np.tile(NUMBERS, (1, MOST_TARGETS)), "for each sample"),
    ],
)
def test_where_no_simple_model_applies_it_is_said_why(task, x, y, reason):
    told = asked(task, x, y)
    assert reason in told.reason and not told.skills


# -- in a training -----------------------------------------------------------------------------------------------------


def digits(units=24, rate=0.05, epochs=12, validation=True, loss="sparse_categorical_crossentropy", callbacks=None):
    """A watched training on a third of the digits, of which another third is held back for validation."""
    made_anew()
    x, y = datasets.load_digits(return_X_y=True)
    y = np.eye(10)[y] if loss == "mse" else y
    x, order = (x / 16).astype("float32"), np.random.default_rng(0).permutation(len(x))
    here, there = order[:600], order[600:1200]
    model = keras.Sequential([layers.Input((64,)), layers.Dense(units, "relu"), layers.Dense(10, "softmax")])
    model.compile(keras.optimizers.SGD(rate), loss)
    callbacks = callbacks or [TrainingMonitor()]
    aside = (x[there], y[there]) if validation else None
    model.fit(x[here], y[here], validation_data=aside, epochs=epochs, verbose=0, callbacks=callbacks)
    assert callbacks[0].run.notes == []
    return callbacks[0]


@pytest.mark.parametrize("validation", [True, pytest.param(False, marks=pytest.mark.sweep)])
def test_a_training_under_what_a_simple_model_reaches_falls_short(validation):
    """Two units can't tell ten digits apart well."""
    monitor = digits(units=2, rate=0.3, validation=validation)
    diagnosis = monitor.diagnosis
    assert diagnosis.outcome == "falling-short"
    assert "nearest neighbours" in diagnosis.outcome_reason or "random forest" in diagnosis.outcome_reason
    reached = monitor.run.table("skill.reference")
    assert set(reached["where"]) == {"linear model", "nearest neighbours", "random forest"}
    assert reached["value"].max() > 0.85


def test_a_training_that_reaches_what_simple_models_do_learns():
    monitor = digits(rate=0.3, epochs=25)
    assert monitor.diagnosis.outcome == "learning" and monitor.diagnosis.healthy
    known = monitor.run.facts.references[""]
    assert known.on == "validation" and (known.learned_from, known.samples) == (600, 600)


@pytest.mark.parametrize(("rate", "severity"), [pytest.param(3.0, "note", marks=pytest.mark.sweep), (0.3, "warning")])
def test_a_squared_error_on_classes_is_a_note_where_it_reaches_what_simple_models_do(rate, severity):
    diagnosis = digits(rate=rate, epochs=25, loss="mse").diagnosis
    (finding,) = (each for each in diagnosis.findings if each.rule == "mismatched-loss")
    assert finding.severity == severity
    assert ("harmless here" in finding.message) == (severity == "note") == diagnosis.healthy


def test_simple_models_are_asked_once_a_run():
    monitor = digits(epochs=1)
    steps = set(monitor.run.table("skill.reference")["step"])
    assert len(steps) == 1
    assert set(monitor.run.table("skill.reference")["step"]) == steps


def test_simple_models_are_asked_again_once_there_are_validation_samples():
    """A diagnosis that is asked for late in the first epoch finds nearly all training samples, and no others."""
    asked_of = []

    class Impatient(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 17 and not asked_of:
                assert monitor.diagnosis.outcome
                asked_of.append(monitor.run.facts.references[""].on)

    monitor = TrainingMonitor()
    digits(epochs=2, callbacks=[monitor, Impatient()])
    assert [*asked_of, monitor.run.facts.references[""].on] == ["training", "validation"]


def run_with(network: float, reference: float, samples: int = 1000, **facts) -> Run:
    """A run whose network and best simple model end with these skills on validation samples."""
    run = Run(
        {
            "task": {"kind": "binary", "majority_share": 0.5, "held_samples": 1000, "held_validation_samples": samples},
            "references": {
                "": {"models": ["random forest"], "on": "validation", "samples": samples, "learned_from": 1000}
            },
            "steps_seen": 2000,
            **facts,
        }
    )
    for step in range(0, 2000, 100):
        run.observed(step)
        run.add_column("skill.train", "", np.array([step]), np.array([network]))
        run.add_column("skill.validation", "", np.array([step]), np.array([network]))
    run.add_column("skill.reference", "random forest", np.array([1999]), np.array([reference]))
    return run


@pytest.mark.parametrize(
    ("network", "reference", "samples", "outcome"),
    [
        (0.6, 0.9, 1000, "falling-short"),
        (0.88, 0.9, 1000, "learning"),  # within a tenth of what can be had
        (0.6, 0.9, 40, "learning"),  # of 40 samples: three standard errors are 0.4
        (0.9, 0.3, 1000, "learning"),  # far above all of them, and no suspect for that
        (0.3, 0.9, 1000, "falling-short"),
    ],
)
def test_falling_short_is_what_the_size_of_the_sets_bears_out(network, reference, samples, outcome):
    assert examine(run_with(network, reference, samples)).outcome == outcome


def test_what_simple_models_do_not_exceed_is_called_healthy():
    assert examine(run_with(0.5, 0.45)).headline.startswith("healthy: the accuracy is 75 % on training samples")


def test_weighted_samples_are_not_held_against_plain_skill():
    weighted = {"outputs": [{"name": "", "weights": {"given": True}}]}
    assert examine(run_with(0.6, 0.9, audit=weighted)).outcome == "learning"
