"""Two equal fits get one verdict: what the clock allows beyond the grid is drawn, and judged by nobody."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers
from trainings import moons

from diagnose import examine
from diagnose.callbacks import TrainingMonitor
from diagnose.callbacks.auditing.work import LIGHT, is_heavy
from diagnose.callbacks.watching.budget import Budget
from diagnose.run.quantities import BY_ITSELF, EVALUATED, QUANTITIES
from diagnose.run.run import Measurement, Run


def steep(z):
    return keras.ops.tanh(8.0 * z * z * z)


def watched():
    keras.backend.clear_session()
    keras.utils.set_random_seed(7)
    data = moons(np.random.default_rng(0))
    model = keras.Sequential(
        [layers.Input((2,)), layers.Dense(16, steep), layers.Dense(16, steep), layers.Dense(1, "sigmoid")]
    )
    model.compile(keras.optimizers.Adam(0.01), "binary_crossentropy", metrics=["accuracy"])
    monitor = TrainingMonitor()
    model.fit(
        data.x,
        data.y,
        batch_size=64,
        epochs=10,
        validation_data=(data.x_validation, data.y_validation),
        verbose=0,
        callbacks=[monitor],
    )
    return monitor.run


@pytest.fixture(scope="module")
def rich_and_poor():
    """Runs of two equal fits: in one the budget covers whatever is asked for, in the other nothing."""
    runs = []
    for affordable in (True, False):
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(Budget, "may_observe", lambda _, answer=affordable: answer)
            patched.setattr(Budget, "may_evaluate", lambda *_, answer=affordable: answer)
            patched.setattr(Budget, "may_check", lambda _, answer=affordable: answer)
            runs.append(watched())
    return runs


def numbers(run):
    """Everything that rules may judge."""
    return {
        (quantity, where): run.series(quantity, where) for quantity in run.quantities for where in run.places(quantity)
    }


def test_the_budget_decides_how_much_is_seen_and_nothing_of_what_is_judged(rich_and_poor):
    rich, poor = rich_and_poor
    assert rich.observations > poor.observations
    judged, fewer = rich.as_planned(), poor.as_planned()
    assert judged.observed_steps.tolist() == fewer.observed_steps.tolist()
    one, other = numbers(judged), numbers(fewer)
    assert set(one) == set(other)
    for key, series in one.items():
        if key[0] != "weight.finite":
            assert series.steps.tolist() == other[key].steps.tolist(), key
            np.testing.assert_array_equal(series.values, other[key].values, err_msg=str(key))


def test_both_are_told_the_same(rich_and_poor):
    rich, poor = (examine(run) for run in rich_and_poor)
    assert rich.headline == poor.headline and rich.outcome_reason == poor.outcome_reason
    assert [finding.message for finding in rich.findings] == [finding.message for finding in poor.findings]


def test_what_was_not_planned_stays_in_the_run_and_in_its_curves(rich_and_poor):
    rich, _ = rich_and_poor
    assert len(rich.series("batch.loss")) == rich.observations > rich.as_planned().observations


def marked(*planned, observed):
    run = Run()
    run.observed(*observed)
    run.add(*(Measurement("batch.loss", "", step, float(step)) for step in observed))
    run.add(*(Measurement("observation.planned", "", step, 1.0) for step in planned))
    return run


def test_a_run_whose_steps_are_all_planned_or_of_which_nothing_is_known_is_judged_whole():
    for run in (marked(observed=[0, 1, 5]), marked(0, 1, 5, observed=[0, 1, 5])):
        assert run.as_planned() is run


def test_an_evaluation_at_a_step_that_was_observed_by_chance_is_judged_and_the_observation_is_not():
    run = marked(0, observed=[0, 9])
    run.add(
        *(Measurement("skill.train", "", step, 0.5) for step in (4, 9)), Measurement("evaluation.planned", "", 9, 1.0)
    )
    run.add(Measurement("weight.finite", "", 9, 0.0))
    judged = run.as_planned()
    assert judged.series("batch.loss").steps.tolist() == [0]
    assert judged.series("skill.train").steps.tolist() == judged.series("weight.finite").steps.tolist() == [9]
    assert run.series("batch.loss").steps.tolist() == [0, 9] and run.size - judged.size == 2


def test_what_is_measured_apart_from_observations_is_known_to_the_table():
    assert not (EVALUATED | BY_ITSELF).difference(QUANTITIES) and not EVALUATED & BY_ITSELF


def test_a_model_is_heavy_by_counts_alone():
    model = keras.Sequential([layers.Input((10,)), layers.Dense(100, use_bias=False)])
    sample = 10 * 100
    calls = 2 * 10**6  # one site, one variable
    rows = (LIGHT - calls) // sample
    assert not is_heavy(model, rows, 1, sample) and is_heavy(model, rows + 1, 1, sample)
    assert is_heavy(model, rows + 1, 1, None) and not is_heavy(model, None, 1, None)
