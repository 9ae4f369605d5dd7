"""Whatever fails in our own code: the training goes on to the same weights, one warning tells it, the run keeps it."""

from __future__ import annotations

import copy
import sqlite3
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from watched_fits import ready

import diagnose
from diagnose.callbacks import (
    GapMonitor,
    GradientMonitor,
    NonMonotonicityMonitor,
    NumericsMonitor,
    SaturationMonitor,
    TrainingMonitor,
)
from diagnose.callbacks.measuring import observations, variables
from diagnose.callbacks.model import description
from diagnose.callbacks.observing.tensorflow import (
    batch_relay,
    held_samples,
    packing,
    shadow_step,
    site_curves,
    step_stand_in,
    variable_reads,
)
from diagnose.callbacks.watching import budget, first_look, observer, recorder, schedule
from diagnose.run.store import Store


def made():
    keras.utils.set_random_seed(5)
    model = keras.Sequential(
        [layers.Input((4,)), layers.Dense(6, "tanh"), layers.Dropout(0.2), layers.Dense(2, "softmax")]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    ready(model)
    return model


def fit(callbacks, model=None, **options):
    model = made() if model is None else model
    keras.utils.set_random_seed(5)
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((40, 4)).astype("float32"), rng.integers(0, 2, 40)
    model.fit(
        x, y, validation_data=(x, y), callbacks=callbacks, **{"epochs": 2, "batch_size": 8, "verbose": 0, **options}
    )
    return [variable.numpy() for variable in model.variables]


@pytest.fixture(scope="module")
def bare():
    return fit([])


@pytest.fixture(scope="module")
def fit_again():
    """Fits one model, each time from its first weights on. What was traced for it in a sound fit serves the others."""
    model = made()
    variables = [*model.variables, *model.optimizer.variables]
    first = [variable.numpy() for variable in variables]

    def fit_again(callbacks):
        for variable, value in zip(variables, first, strict=True):
            variable.assign(value)
        return fit(callbacks, model)

    fit_again([TrainingMonitor()])
    return fit_again


#: What is called only while a step or an evaluation is traced.
TRACING = [
    (batch_relay.Relay, "__init__"),
    (shadow_step.ShadowStep, "__init__"),
    (shadow_step, "assign_roles"),
    (packing.Packing, "site"),
    (variable_reads.VariableReads, "__init__"),
    (held_samples.Evaluator, "__init__"),
]
PARTS = [
    (description, "describe"),
    (Store, "create"),
    (Store, "write"),
    (Store, "set_meta"),
    (Store, "set_history"),
    (batch_relay.Relay, "iterator_over"),
    (shadow_step.ShadowStep, "__call__"),
    (site_curves.SiteCurves, "learn"),
    (site_curves.SiteCurves, "__call__"),
    (observations.Measuring, "measure"),
    (variables.Weights, "before"),
    (variables.Weights, "after"),
    (variables.Weights, "kernels"),
    (variables.Weights, "all_finite"),
    (first_look, "facts"),
    (observer, "updates_of"),
    (held_samples.Evaluator, "__call__"),
    (held_samples.Evaluator, "loss_of"),
    (held_samples.HeldSet, "keep"),
    (step_stand_in.StepStandIn, "arm"),
    (schedule, "on_grid"),
    (budget.Budget, "may_check"),
]


def each_part(parts):
    return pytest.mark.parametrize(("owner", "name"), parts, ids=lambda part: getattr(part, "__name__", part))


@each_part(TRACING)
def test_a_fault_while_tracing_leaves_the_training_as_it_is(owner, name, bare, monkeypatch, tmp_path):
    leaves_the_training_as_it_is(owner, name, bare, fit, monkeypatch, tmp_path)


@each_part(PARTS)
def test_a_fault_in_any_other_part_leaves_the_training_as_it_is(owner, name, bare, fit_again, monkeypatch, tmp_path):
    leaves_the_training_as_it_is(owner, name, bare, fit_again, monkeypatch, tmp_path)


def leaves_the_training_as_it_is(owner, name, bare, fit, monkeypatch, tmp_path):
    """The fault is planted in our code; the training is a real one."""

    def broken(*args, **kwargs):
        raise ZeroDivisionError("planted")

    monkeypatch.setattr(owner, name, broken)
    monitor = TrainingMonitor(tmp_path / "run.sqlite")
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        watched = fit([monitor])
    for one, other in zip(bare, watched, strict=True):
        np.testing.assert_array_equal(one, other)
    ours = [str(each.message) for each in told if "keras-diagnose" in str(each.message)]
    assert len(ours) == len(set(ours)) >= 1 and all("planted" in text for text in ours)
    assert any("ZeroDivisionError: planted" in note for note in monitor.run.notes)
    monkeypatch.undo()
    assert monitor.diagnosis.outcome


def test_a_step_that_cannot_be_undone_is_not_observed():
    class Outward(keras.Model):
        def __init__(self):
            super().__init__()
            self.answer, self.calls = layers.Dense(2, "softmax"), []

        def call(self, x):
            return self.answer(x)

        def train_step(self, data):
            tf.numpy_function(lambda: self.calls.append(1) or np.float32(0), [], tf.float32)
            return super().train_step(data)

    counts = []
    for callbacks in ([], [monitor := TrainingMonitor()]):
        keras.utils.set_random_seed(5)
        model = Outward()
        model.compile("adam", "sparse_categorical_crossentropy")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            fit(callbacks, model)
        counts.append(len(model.calls))
    assert counts[0] == counts[1]
    assert any("PyFunc" in note for note in monitor.run.notes)
    assert monitor.run.observations == 0
    assert monitor.diagnosis.outcome in ("unknown", "learning", "not-learning")


def test_a_distributed_training_is_left_alone_and_says_so():
    devices = tf.config.list_logical_devices("CPU")
    strategy = tf.distribute.MirroredStrategy([device.name for device in devices])
    with strategy.scope():
        model = keras.Sequential([layers.Input((4,)), layers.Dense(2, "softmax")])
        model.compile("adam", "sparse_categorical_crossentropy")
    monitor = TrainingMonitor()
    with pytest.warns(RuntimeWarning, match="distributed"):
        fit([monitor], model)
    assert any("distributed" in note for note in monitor.run.notes)
    assert len(monitor.run.history["loss"]) == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"overhead": 0}, "over 0 and under 1"),
        ({"overhead": 1.5}, "over 0 and under 1"),
        ({"overhead": "much"}, "over 0 and under 1"),
        ({"every": 0}, "from 1 on"),
        ({"every": 2.5}, "from 1 on"),
        ({"instruments": ["activations", "thermometer"]}, "thermometer"),
        ({"instruments": []}, "empty"),
        ({"path": ""}, "path is '', which names no file"),
    ],
)
def test_a_bad_argument_is_refused_in_the_constructor(arguments, words):
    with pytest.raises(ValueError, match=words):
        TrainingMonitor(**arguments)


def test_a_file_that_is_no_run_is_never_overwritten(tmp_path):
    (tmp_path / "thesis.txt").write_text("three years of work")
    with pytest.raises(ValueError, match="no run file"):
        TrainingMonitor(tmp_path / "thesis.txt")
    with pytest.raises(OSError, match="directory"):
        TrainingMonitor(tmp_path / "missing" / "run.sqlite")


def test_a_second_monitor_keeps_the_first_run(tmp_path):
    path, model = tmp_path / "run.sqlite", made()
    fit([TrainingMonitor(path)], model, epochs=1)
    fit([TrainingMonitor(path)], model, epochs=2)
    assert len(diagnose.load(path).history["loss"]) == 2
    assert len(diagnose.load(f"{path}.1").history["loss"]) == 1


def test_a_second_fit_goes_on_in_the_same_run(tmp_path):
    monitor = TrainingMonitor(tmp_path / "run.sqlite", every=3)
    keras.utils.set_random_seed(0)
    model = keras.Sequential([layers.Input((4,)), layers.Dense(2, "softmax")])
    model.compile("adam", "sparse_categorical_crossentropy")
    fit([monitor], model)
    fit([monitor], model)
    assert monitor.run.observed_steps.tolist() == list(range(0, 20, 3))
    assert diagnose.load(tmp_path / "run.sqlite").observed_steps.tolist() == list(range(0, 20, 3))


def test_several_monitors_share_one_observation(bare, fit_again):
    monitors = [
        kind(every=2)
        for kind in (SaturationMonitor, GradientMonitor, NonMonotonicityMonitor, NumericsMonitor, GapMonitor)
    ]
    watched = fit_again(monitors)
    for one, other in zip(bare, watched, strict=True):
        np.testing.assert_array_equal(one, other)
    assert len({id(monitor.run) for monitor in monitors}) == 1
    assert {"activation.saturated_share", "gradient.rms", "activation.nonfinite", "skill.train"} <= set(
        monitors[0].run.quantities
    )


def test_a_part_measures_its_own_part_only(fit_again):
    monitor = NumericsMonitor(every=2)
    fit_again([monitor])
    assert "activation.nonfinite" in monitor.run.quantities
    assert not {"activation.saturated_share", "gradient.rms", "update.ratio"} & set(monitor.run.quantities)


def test_two_paths_in_one_fit_are_refused(tmp_path):
    with pytest.raises(ValueError, match="share one run"):
        fit([TrainingMonitor(tmp_path / "a.sqlite"), TrainingMonitor(tmp_path / "b.sqlite")])


def test_tuners_may_copy_a_monitor(fit_again):
    monitor = TrainingMonitor(every=2, instruments=["weights", "outputs"])
    twin = copy.deepcopy(monitor)
    assert (twin.every, twin.instruments) == (2, monitor.instruments)
    fit_again([twin])
    assert monitor.run.observations == 0 < twin.run.observations


def test_the_layers_are_as_their_owner_made_them_while_watched():
    function = keras.activations.gelu
    model = keras.Sequential([layers.Input((4,)), layers.Dense(6, function), layers.ReLU(), layers.Dense(2, "softmax")])
    model.compile("adam", "sparse_categorical_crossentropy")
    seen = []

    class Look(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            seen.append((model.layers[0].activation is function, "call" in vars(model.layers[1])))
            keras.models.clone_model(model)

    fit([TrainingMonitor(every=1), Look()], model)
    assert set(seen) == {(True, False)}


def test_the_run_file_holds_no_sample(tmp_path, fit_again):
    fit_again([TrainingMonitor(tmp_path / "run.sqlite")])
    x = np.random.default_rng(0).standard_normal((40, 4)).astype("float32")
    content = (tmp_path / "run.sqlite").read_bytes()
    assert sqlite3.connect(tmp_path / "run.sqlite").execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert not any(x[row].tobytes() in content for row in range(40))


def test_an_uncompiled_model_fails_as_keras_says():
    model = keras.Sequential([layers.Input((4,)), layers.Dense(2)])
    with pytest.raises(ValueError, match="compile"):
        model.fit(np.zeros((8, 4)), np.zeros(8), callbacks=[TrainingMonitor()], verbose=0)


def test_a_monitor_that_saw_nothing_says_so():
    assert "nothing measured" in TrainingMonitor().diagnosis.headline


@pytest.mark.parametrize("loss", ["mse", lambda y, p: tf.reduce_mean(tf.abs(tf.cast(y, p.dtype) - p))])
def test_no_metrics_and_no_validation_are_coped_with(loss):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([layers.Input((4,)), layers.Dense(1)])
    model.compile("adam", loss)
    monitor = TrainingMonitor()
    model.fit(np.ones((16, 4), "float32"), np.arange(16.0), verbose=0, callbacks=[monitor])
    assert monitor.run.observations > 0
    assert monitor.run.notes == []


def test_the_headline_is_told_at_the_end_unless_fit_is_silent(capsys):
    model = made()
    fit([TrainingMonitor()], model, verbose=2)
    assert "keras-diagnose:" in capsys.readouterr().out
    fit([TrainingMonitor()], model, verbose=0)
    assert capsys.readouterr().out == ""


def test_a_long_run_stays_bounded(tmp_path, monkeypatch):
    """Beyond a bound every second of the older observations is forgotten, the first ones aside."""
    monkeypatch.setattr(recorder, "MOST_OBSERVATIONS", 60)
    monkeypatch.setattr(recorder, "KEEP_FIRST", 10)
    monitor = TrainingMonitor(tmp_path / "run.sqlite", every=1)
    fit([monitor], epochs=20)
    for run in (monitor.run, diagnose.load(tmp_path / "run.sqlite")):
        steps = sorted(set(run.table("batch.loss")["step"]))
        assert run.observations == 100
        assert len(steps) <= 61
        assert steps[:10] == list(range(10))
        assert steps[-20:] == list(range(80, 100))
