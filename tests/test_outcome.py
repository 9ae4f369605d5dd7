"""What a training achieved is asked first, and against what a constant answer achieves."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hand_made import changing, run_of

from diagnose.outcome.outcome import OUTCOMES, outcome_of
from diagnose.outcome.skills import noise_band
from diagnose.run.run import Run

TEN_CLASSES = {"kind": "categorical", "classes": 10, "majority_share": 0.1, "held_samples": 1000}
LONG = [0, 250, 500, 750, 1000]


def test_an_empty_run_is_unknown_and_says_so():
    assert outcome_of(Run()).name == "unknown"
    assert outcome_of(Run()).reason == "nothing was measured."


def test_outcomes_are_asked_from_the_worst_on():
    assert OUTCOMES == ("diverged", "hollow-loss", "memorizing", "not-learning", "falling-short", "learning", "unknown")


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_no_number_has_diverged(value: float):
    outcome = outcome_of(run_of({"batch.loss": [2.0, 1.0, value]}))
    assert (outcome.name, outcome.harm) == ("diverged", "clear")


def test_weights_that_are_no_numbers_have_diverged_however_fine_the_loss_looks():
    run = run_of({"batch.loss": [1.0] * 5, ("weight.nonfinite", "dense/kernel"): [0, 0, 0, 0, 7]})
    assert outcome_of(run).name == "diverged"
    assert "`dense/kernel`" in outcome_of(run).reason


def test_one_bad_batch_that_heals_has_not_diverged():
    """Loss scaling skips such a step; the weights stay finite."""
    run = run_of({"batch.loss": [2.0, math.nan, 1.0], "skill.train": [0.0, 0.5, 0.9]}, task=TEN_CLASSES)
    assert outcome_of(run).name == "learning"


def test_a_loss_that_grew_a_thousandfold_without_skill_has_diverged():
    run = run_of({"batch.loss": [2, 2, 2, 900, 2000, 4000, 4000, 4000], "loss.constant": [2.3]}, task=TEN_CLASSES)
    assert outcome_of(run).name == "diverged"


def test_the_growing_score_of_an_adversary_has_no_baseline_and_has_not_diverged():
    run = run_of({"batch.loss": [0.1, 0.1, 0.1, 5, 20, 40, 40, 40]}, task={"kind": "unknown", "reason": "no labels"})
    assert outcome_of(run).name == "unknown"


def test_an_accuracy_of_labels_that_are_no_classes_is_no_skill():
    """Fractions under a sparse loss: no commonest class can be counted, and Keras logs an accuracy all the same."""
    task = {"kind": "unknown", "majority_share": math.nan, "reason": "the targets are no class ids"}
    run = run_of({"batch.loss": [2.0, 1.0, 0.0], "batch.accuracy": [0.1] * 5}, task=task)
    run.history.update({"accuracy": [0.1, 0.1], "val_accuracy": [0.1, 0.1]})
    assert outcome_of(run).name == "unknown"
    assert outcome_of(run).reason == "the targets are no class ids; the loss went from 1 to 1."


def test_zero_loss_without_skill_is_hollow():
    run = run_of({"loss.train": [0.0] * 5, "skill.train": [0.0] * 5}, steps=LONG, task=TEN_CLASSES)
    assert outcome_of(run).name == "hollow-loss"


def test_half_of_the_loss_of_a_constant_answer_without_skill_is_hollow():
    """With balanced classes a loss under the entropy needs information, and information shows in the accuracy."""
    run = run_of(
        {"loss.train": [2.3, 1.1], "loss.constant": [2.3, 2.3], "skill.train": [0.0, 0.01]},
        steps=LONG,
        task=TEN_CLASSES,
    )
    assert outcome_of(run).name == "hollow-loss"
    assert "1.1" in outcome_of(run).reason and "2.3" in outcome_of(run).reason


def test_a_rare_class_told_by_probability_alone_is_learning_and_not_hollow():
    """At 95 % the accuracy stays the majority's long after the probabilities carry information: 0.15 for 0.2."""
    task = {"kind": "binary", "majority_share": 0.95, "held_samples": 1000}
    series = {"loss.train": [0.2, 0.15], "loss.constant": [0.2, 0.2], "skill.train": [0.0, 0.0]}
    assert outcome_of(run_of(series, steps=LONG, task=task)).name == "learning"


def test_a_loss_under_what_the_wrong_answers_must_cost_is_hollow_however_rare_the_class():
    """5 % wrong answers cost at least 0.05 ln 2 = 0.035."""
    task = {"kind": "binary", "majority_share": 0.95, "held_samples": 1000}
    series = {"loss.train": [0.2, 0.01], "loss.constant": [0.2, 0.2], "skill.train": [0.0, 0.0]}
    assert outcome_of(run_of(series, steps=LONG, task=task)).name == "hollow-loss"


def test_known_by_heart_and_of_no_use_elsewhere_is_memorizing():
    run = run_of({"skill.train": [0.0, 1.0], "skill.validation": [0.0, 0.05]}, steps=LONG, task=TEN_CLASSES)
    assert outcome_of(run).name == "memorizing"


def test_a_gap_of_a_quarter_is_learning():
    run = run_of({"skill.train": [0.0, 1.0], "skill.validation": [0.0, 0.75]}, steps=LONG, task=TEN_CLASSES)
    outcome = outcome_of(run)
    assert (outcome.name, outcome.harm, outcome.validation) == ("learning", "none", 0.75)


def test_no_skill_after_a_thousand_updates_is_not_learning():
    run = run_of({"skill.train": [0.0, 0.01], "batch.loss": [2.3] * 5}, steps=LONG, task=TEN_CLASSES, steps_seen=1001)
    assert outcome_of(run).name == "not-learning"
    assert "the accuracy is 11 %" in outcome_of(run).reason  # 0.1 + 0.01 * 0.9


def test_no_skill_after_ten_updates_is_too_early_to_tell():
    run = run_of({"skill.train": [0.0, 0.01], "batch.loss": [2.3] * 10}, task=TEN_CLASSES, steps_seen=10)
    assert outcome_of(run).name == "unknown"
    assert "too early" in outcome_of(run).reason


def test_no_skill_yet_while_the_loss_falls_is_too_early_to_tell():
    falling = np.linspace(2.3, 1.9, 60)
    run = run_of({"batch.loss": falling, "skill.train": [0.0, 0.01]}, task=TEN_CLASSES, steps_seen=60)
    assert outcome_of(run).name == "unknown"


def test_a_dead_network_whose_loss_comes_down_from_an_explosion_is_not_learning():
    fallen = [2.3, 2.4, 3e4, 5e3, 2e3, 1e3, 700, 500, 300, 200, 100, 50, 30, 20, 15, 11, 9, 7, 5, 4, 3, 3]
    run = run_of({"batch.loss": fallen, "skill.train": [0.0, 0.0]}, task=TEN_CLASSES, steps_seen=22)
    assert outcome_of(run).name == "not-learning"


def test_the_evaluation_before_training_says_nothing_of_the_training():
    assert outcome_of(run_of({"skill.train": [0.0]}, task=TEN_CLASSES)).name == "unknown"


def test_skill_on_a_small_held_set_is_judged_against_its_noise():
    """40 samples at a share of 0.5: two standard errors of skill are 2 sqrt(1/40) = 0.32, held at 0.2."""
    assert noise_band(0.5, 40) == 0.2
    small = {"kind": "binary", "majority_share": 0.5, "held_samples": 40}
    run = run_of({"skill.train": [0.0, 0.15]}, steps=LONG, task=small, steps_seen=500)
    assert outcome_of(run).name == "not-learning"
    large = {"kind": "binary", "majority_share": 0.5, "held_samples": 10_000}
    run = run_of({"skill.train": [0.0, 0.15]}, steps=LONG, task=large, steps_seen=500)
    assert outcome_of(run).name == "learning"


def test_learning_little_is_harm_in_part():
    run = run_of({"skill.train": [0.0, 0.2, 0.4, 0.4, 0.4]}, steps=LONG, task=TEN_CLASSES)
    assert (outcome_of(run).harm, outcome_of(run).rising) == ("partial", False)


def test_losing_most_of_a_skill_is_harm_and_the_reason_names_the_best():
    run = run_of({"skill.train": [0.0, 0.9, 0.9, 0.0, 0.0]}, steps=LONG, task=TEN_CLASSES, steps_seen=1001)
    assert outcome_of(run).name == "not-learning"
    assert "had been 91 %" in outcome_of(run).reason


def test_without_skill_the_accuracy_of_the_batches_stands_in():
    run = run_of({"batch.accuracy": [0.1] * 50, "batch.size": [32] * 50}, task=TEN_CLASSES, steps_seen=900)
    assert outcome_of(run).name == "not-learning"
    run = run_of({"batch.accuracy": [0.91] * 50, "batch.size": [32] * 50}, task=TEN_CLASSES, steps_seen=900)
    assert outcome_of(run).train == pytest.approx(0.9)  # (0.91 - 0.1) / 0.9


def test_without_observations_the_log_of_keras_stands_in():
    run = Run({"task": TEN_CLASSES, "steps_seen": 900})
    run.history = {"loss": [1.0, 0.5], "accuracy": [0.5, 0.91], "val_loss": [1.0, 2.0], "val_accuracy": [0.4, 0.1]}
    assert outcome_of(run).name == "memorizing"


def test_without_a_skill_a_loss_under_the_constant_answers_is_learning():
    run = run_of({"loss.train": [1.0, 0.2], "loss.constant": [0.9, 0.9]}, task={"kind": "unknown"})
    assert outcome_of(run).name == "learning"


def test_a_trace_of_r_squared_is_no_learning_where_the_loss_is_no_better_than_a_constant_answers():
    """A squared error under that of the mean leaves that much R squared; one of all pairs leaves a trace by chance."""
    facts = {"task": {"kind": "regression"}, "steps_seen": 600}
    trace = {"skill.train": [0.0, 0.04], "loss.constant": [1.04]}
    assert outcome_of(run_of(trace | {"loss.train": [1.05, 1.04]}, **facts)).name == "not-learning"
    assert outcome_of(run_of(trace | {"loss.train": [1.05, 1.00]}, **facts)).name == "learning"
    assert (
        outcome_of(run_of({**trace, "skill.train": [0.0, 0.06], "loss.train": [1.05, 1.04]}, **facts)).name
        == "learning"
    )


@pytest.mark.parametrize(
    "task", [{"kind": "multilabel", "majority_share": 1.0}, {"kind": "regression", "target_variance": 0.0}]
)
def test_targets_that_are_all_alike_leave_no_skill_to_be_read_and_the_reason_says_so(task):
    outcome = outcome_of(run_of({"batch.loss": [0.0] * 9}, task=task))
    assert outcome.name == "unknown"
    assert outcome.reason.startswith("all targets seen are alike")
    assert "alike" not in outcome_of(run_of({"batch.loss": [0.0] * 9}, task={"kind": "regression"})).reason


def test_without_labels_the_outcome_is_unknown_with_its_reason_and_the_loss():
    run = run_of({"batch.loss": np.linspace(2, 1, 20)}, task={"kind": "unknown", "reason": "the loss has no labels"})
    outcome = outcome_of(run)
    assert (outcome.name, outcome.harm) == ("unknown", "none")
    assert outcome.reason.startswith("the loss has no labels; the loss went from 1.9")


def test_r_squared_below_zero_is_worse_than_the_mean():
    run = run_of({"skill.train": [-40.0, -0.5]}, steps=LONG, task={"kind": "regression"}, steps_seen=900)
    assert outcome_of(run).name == "not-learning"
    assert "R squared" in outcome_of(run).reason


def test_of_several_outputs_the_worst_one_is_told():
    series = {("skill.train", "a"): [0.0, 0.95], ("skill.train", "b"): [0.0, 0.0]}
    outcome = outcome_of(run_of(series, steps=LONG, task=TEN_CLASSES, steps_seen=900))
    assert (outcome.name, outcome.harm) == ("not-learning", "partial")
    assert "output `b`" in outcome.reason


def of_two_outputs(size: float, kind: float, start: float = 0.0):
    """A run whose outputs `size` (a number, from `start` on) and `kind` (one of two classes) came to these skills."""
    outputs = {"size": {"kind": "regression"}, "kind": {"kind": "binary", "majority_share": 0.5}}
    task = {**outputs["size"], "outputs": outputs, "held_samples": 1000}
    series = {("skill.train", "size"): np.linspace(start, size, 5), ("skill.train", "kind"): np.linspace(0, kind, 5)}
    return run_of(series, steps=LONG, task=task)


def test_one_of_two_outputs_that_does_not_learn_is_the_outcome_and_is_named():
    outcome = outcome_of(of_two_outputs(size=0.0, kind=0.9))
    assert (outcome.name, outcome.harm, outcome.train) == ("not-learning", "partial", 0.0)
    assert "R squared of output `size` is 0.00" in outcome.reason and "`kind`: accuracy 95 %" in outcome.reason


def test_the_band_of_each_output_is_its_own():
    """A skill of 0.04 is an R squared worth the name, and no accuracy that could not be chance."""
    assert outcome_of(of_two_outputs(size=0.04, kind=0.9)).name == "learning"
    assert "output `kind`" in outcome_of(of_two_outputs(size=0.9, kind=0.04)).reason
    assert outcome_of(of_two_outputs(size=0.9, kind=0.04)).name == "not-learning"


def test_two_outputs_that_learn_are_told_both_the_worse_first():
    outcome = outcome_of(of_two_outputs(size=0.85, kind=0.95))
    assert (outcome.name, outcome.harm) == ("learning", "none")
    assert outcome.reason.startswith("R squared of output `size` is 0.85") and "`kind`: accuracy 98 %" in outcome.reason


def test_where_no_output_learns_the_harm_is_clear():
    outcome = outcome_of(of_two_outputs(size=0.0, kind=0.0))
    assert (outcome.name, outcome.harm) == ("not-learning", "clear")


def test_an_output_that_still_rises_is_under_way_while_another_learns():
    assert outcome_of(of_two_outputs(size=0.0, kind=0.9, start=-1.0)).name == "learning"


def test_an_output_without_a_loss_is_not_asked_to_learn():
    run = of_two_outputs(size=0.0, kind=0.9)
    with changing(run) as meta:
        meta["audit"] = {"outputs": [{"name": "size", "loss": None}, {"name": "kind", "loss": {"weight": 1.0}}]}
    assert outcome_of(run).name == "learning"


def test_an_output_whose_logged_loss_is_zero_without_skill_is_hollow():
    run = of_two_outputs(size=0.9, kind=0.0)
    run.history["kind_loss"] = [0.1, 0.0]
    assert outcome_of(run).name == "hollow-loss"
    assert "the loss of output `kind` is 0" in outcome_of(run).reason


def test_the_accuracies_that_keras_logged_are_matched_with_their_outputs():
    outputs = {name: {"kind": "binary", "majority_share": 0.5} for name in ("left", "right")}
    run = Run({"task": {**outputs["left"], "outputs": outputs}, "steps_seen": 1000})
    run.history = {"left_accuracy": [0.5, 0.95], "right_accuracy": [0.5, 0.5], "val_left_accuracy": [0.5, 0.9]}
    outcome = outcome_of(run)
    assert outcome.name == "not-learning"
    assert "output `right`" in outcome.reason and "`left`: accuracy 95 %" in outcome.reason


def test_targets_that_the_loss_brings_to_other_units_are_no_yardstick():
    """R squared compares numbers as they stand; the loss divides the targets by their size first."""
    series = {"loss.train": [3.0, 0.03], "loss.constant": [3.0, 3.0], "skill.train": [-1e9, -1e9]}
    series |= {"skill.validation": [-1e9, -1e9], "skill.validation_rescaled": [0.1, 0.95]}
    outcome = outcome_of(run_of(series, steps=LONG, task={"kind": "regression", "held_samples": 500}))
    assert (outcome.name, outcome.harm) == ("learning", "none")


def test_a_fit_that_ended_after_a_few_updates_falls_short_of_what_simple_models_reach():
    def outcome(finished):
        series = {"skill.train": [0.0, 0.2], "skill.validation": [0.0, 0.2], "optimizer.updates": [0, 8]}
        known = {"": {"models": ["forest"], "on": "validation", "samples": 500, "learned_from": 500}}
        run = run_of(series, steps=[0, 7], task=TEN_CLASSES, references=known, finished=finished)
        run.add_column("skill.reference", "forest", np.array([7]), np.array([0.9]))
        return outcome_of(run).name

    assert (outcome("completed"), outcome("")) == ("falling-short", "learning")
