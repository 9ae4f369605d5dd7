"""Generalization, on runs made by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hand_made import findings, kinds, run_of

from diagnose.rules.generalization.memorized_labels import samples_of

TASK = {"kind": "categorical", "majority_share": 0.1, "held_samples": 1000}
FIT = {"task": TASK, "steps_seen": 2000}


def skills(train: list[float], validation: list[float], **other: list[float]) -> dict:
    named = {name.replace("_", "."): values for name, values in other.items()}
    return {"skill.train": train, "skill.validation": validation, **named}


def test_a_gap_of_fourteen_points_is_no_overfitting():
    assert findings("overfitting", run_of(skills([0.0, 0.9, 0.9], [0.0, 0.76, 0.76]), **FIT)) == []


def test_a_gap_that_grew_over_fifteen_points_is_noted_and_a_warning_once_the_validation_loss_rises():
    (finding,) = findings("overfitting", run_of(skills([0.0, 0.5, 0.9], [0.0, 0.5, 0.65]), **FIT))
    assert (finding.severity, finding.since) == ("note", 2)
    assert finding.evidence["best evaluation"] == 3  # the validation skill was highest at the third
    assert "EarlyStopping" not in finding.remedy  # the best was the last
    losses = [2.3, 0.8, 1.4]
    (finding,) = findings("overfitting", run_of(skills([0, 0.5, 0.9], [0, 0.5, 0.65], loss_validation=losses), **FIT))
    assert finding.severity == "warning"
    assert "EarlyStopping" in finding.remedy


def test_a_gap_over_a_validation_that_stands_still_for_half_of_the_training_is_a_warning():
    train = [0.0, 0.6, 0.8, 0.9, 1.0, 1.0, 1.0, 1.0]
    still, gaining = [0, 0.5, 0.7, *[0.69] * 5], [0, 0.4, 0.5, 0.6, 0.6, 0.65, 0.7, 0.71]
    for validation, severity in ((still, "warning"), (gaining, "note")):
        (finding,) = findings("overfitting", run_of(skills(train, validation), **FIT))
        assert finding.severity == severity


def test_a_gap_of_half_of_all_skill_is_critical_even_while_the_validation_loss_falls():
    (finding,) = findings("overfitting", run_of(skills([0.0, 0.5, 1.0], [0.0, 0.4, 0.5]), **FIT))
    assert finding.severity == "critical"


def test_the_best_evaluation_is_that_of_the_least_validation_loss():
    run = run_of(skills([0, 0.5, 0.9], [0, 0.5, 0.65], loss_validation=[2.3, 0.8, 1.4]), **FIT)
    (finding,) = findings("overfitting", run)
    assert finding.evidence["best evaluation"] == 2


def test_answers_that_hold_while_the_certainty_is_overdone_are_a_note():
    run = run_of(skills([0, 0.9, 1.0], [0, 0.9, 0.95], loss_validation=[2.3, 0.2, 0.3]), **FIT)
    assert [finding.severity for finding in findings("overfitting", run)] == ["note"]


def test_a_gap_within_the_noise_of_a_small_held_set_is_no_overfitting():
    """30 samples each: at skills of 0.9 and 0.65 three standard errors are 0.57."""
    small = {"kind": "binary", "majority_share": 0.5, "held_samples": 30, "held_validation_samples": 30}
    assert findings("overfitting", run_of(skills([0, 0.9], [0, 0.65]), task=small, steps_seen=2000)) == []


def test_a_gap_that_leaves_validation_good_is_a_note():
    """0.82 of all that can be won, on samples never seen, is nothing to be warned of."""
    (finding,) = findings("overfitting", run_of(skills([0, 0.9, 1.0], [0, 0.8, 0.82]), **FIT))
    assert finding.severity == "note"


def test_a_small_gap_while_validation_still_gains_is_a_note():
    (finding,) = findings("overfitting", run_of(skills([0, 0.6, 0.86], [0, 0.6, 0.69]), **FIT))
    assert finding.severity == "note"


def test_known_by_heart_and_never_of_use_elsewhere_is_memorized():
    (finding,) = findings("memorized-labels", run_of(skills([0, 0.6, 1.0], [0, 0.0, 0.01]), **FIT))
    assert (finding.severity, finding.blames[0]) == ("critical", "labels")


def test_validation_that_was_good_once_was_not_memorized_but_overfitted():
    run = run_of(skills([0, 0.6, 1.0], [0, 0.5, 0.01]), **FIT)
    assert findings("memorized-labels", run) == []
    assert len(findings("overfitting", run)) == 1


def test_few_samples_explain_memorizing_as_well_and_the_message_says_so():
    run = run_of(skills([0, 1.0], [0, 0.0]) | {"batch.size": [20]}, fit={"steps": 5}, **FIT)
    (finding,) = findings("memorized-labels", run)
    assert "about 100 training samples" in finding.message
    assert finding.blames[0] == "data"


def test_the_samples_of_an_epoch_are_counted_with_its_short_last_batch_where_that_was_seen():
    """455 samples in batches of 32 are 14 of them and one of 7."""
    seen = run_of({"batch.size": [32.0, 32.0, 32.0, 7.0]}, steps=[0, 1, 2, 29], fit={"steps": 15})
    assert samples_of(seen) == 455
    assert samples_of(run_of({"batch.size": [32.0, 32.0]}, fit={"steps": 15})) == 480
    assert samples_of(run_of({"batch.size": [32.0]})) is None


def test_no_gain_over_a_third_of_the_run_is_a_note():
    idle = [0, 0.3, 0.6, 0.8, 0.8, 0.8, 0.8, 0.8, 0.8]
    (finding,) = findings("overtraining", run_of(skills(idle, idle), **FIT))
    assert (finding.severity, finding.since) == ("note", 3)
    assert findings("overtraining", run_of(skills(idle, list(np.linspace(0, 1, 9))), **FIT)) == []


def test_validation_far_above_training_is_suspicious():
    assert len(findings("suspicious-validation", run_of(skills([0, 0.5, 0.5], [0, 0.8, 0.8]), **FIT))) == 1
    assert findings("suspicious-validation", run_of(skills([0, 0.5, 0.5], [0, 0.6, 0.6]), **FIT)) == []


def test_validation_that_is_decent_all_the_same_is_a_note():
    (finding,) = findings("suspicious-validation", run_of(skills([0, 0.5, 0.5], [0, 0.81, 0.81]), **FIT))
    assert finding.severity == "note"


def test_samples_with_weights_have_no_plain_skill_to_be_suspicious_of():
    weighted = {"audit": {"outputs": [{"name": "", "weights": {"given": True}}]}}
    assert kinds("suspicious-validation", run_of(skills([0, 0.5, 0.5], [0, 0.8, 0.8]), **FIT, **weighted)) == {
        "NotMeasured"
    }


def beside(reference: float, *, train: float, validation: float):
    """A run of nine evaluations, in the last six of which nothing changes, with what a simple model reaches."""
    known = {"": {"models": ["forest"], "on": "validation", "samples": 500, "learned_from": 500}}
    run = run_of(skills([0.0] * 3 + [train] * 6, [0.0] * 3 + [validation] * 6), **FIT, references=known)
    run.add_column("skill.reference", "forest", np.array([8]), np.array([reference]))
    return run


@pytest.mark.parametrize(("reference", "severity"), [(0.3, "note"), (0.6, "warning")])
def test_a_gap_far_beyond_what_simple_models_reach_is_a_note(reference: float, severity: str):
    (finding,) = findings("overfitting", beside(reference, train=1.0, validation=0.75))
    assert finding.severity == severity


def test_where_simple_models_reach_no_more_the_data_are_named_first():
    (finding,) = findings("overfitting", beside(0.3, train=1.0, validation=0.3))
    assert (finding.severity, finding.blames[0]) == ("critical", "data")
    assert "noise" in finding.remedy


@pytest.mark.parametrize(("reference", "rule"), [(0.0, "memorized-labels"), (0.8, "overfitting")])
def test_what_simple_models_reach_tells_labels_without_sense_from_overfitting(reference: float, rule: str):
    run = beside(reference, train=0.95, validation=0.0)
    assert findings(rule, run)[0].severity == "critical"
    assert bool(findings("memorized-labels", run)) == (rule == "memorized-labels")


def test_samples_answered_better_than_by_chance_are_not_known_by_heart():
    (finding,) = findings("memorized-labels", beside(0.0, train=0.4, validation=0.0))
    assert "better than by chance" in finding.message and "forest: 10 %" in finding.message


def test_dropout_makes_training_mode_the_worse_and_batch_normalization_the_better():
    better = {"skill.train": [0.0, 0.3], "batch.accuracy": [0.91] * 10}
    run = run_of(better, **FIT)
    assert len(findings("train-eval-gap", run)) == 1
    worse = {"skill.train": [0.0, 0.9], "batch.accuracy": [0.5] * 10}
    assert findings("train-eval-gap", run_of(worse, **FIT)) == []


def normalized(momentum: float) -> dict:
    return {"model": {"layers": [{"path": "norm", "class": "Normal", "order": 0, "momentum": momentum}]}}


def test_moving_statistics_that_never_catch_up_are_named_and_ordinary_ones_get_their_time():
    series = {"skill.train": [0.0] * 99 + [0.3, 0.3], "batch.accuracy": [0.91] * 101}
    (slow,) = findings("train-eval-gap", run_of(series, **FIT, **normalized(0.9999)))
    assert (slow.where, slow.severity) == ("norm", "critical")
    assert "99 % of their initial values" in slow.message
    (usual,) = findings("train-eval-gap", run_of(series, **FIT, **normalized(0.99)))  # 0.99 ** 101 is 0.36
    assert (usual.where, usual.severity) == ("", "note")
    (settled,) = findings("train-eval-gap", run_of(series, **FIT, **normalized(0.9)))
    assert settled.severity == "critical"
    nothing = {**series, "skill.train": [0.0] * 101}  # what predict gives is no better than a guess
    assert [found.severity for found in findings("train-eval-gap", run_of(nothing, **FIT, **normalized(0.99)))] == [
        "critical"
    ]


def test_a_falling_loss_at_low_skill_is_unfinished_and_a_settled_one_is_not():
    falling = {"loss.train": [2.0, 1.8, 1.6, 1.4], "skill.train": [0, 0.1, 0.2, 0.3]}
    (note,) = findings("unfinished-training", run_of(falling, **FIT))
    assert note.severity == "note"  # it is on its way
    barely = {**falling, "skill.train": [0, 0.02, 0.05, 0.1]}
    (finding,) = findings("unfinished-training", run_of(barely, fit={"epochs": 100, "steps": 10}, **FIT))
    assert finding.severity == "warning"
    assert "4 epochs of 100" in finding.message
    (note,) = findings("unfinished-training", run_of({**barely, "loss.constant": [1.8]}, **FIT))
    assert note.severity == "note"  # of many words to choose from few can be guessed right
    rare = {"kind": "binary", "majority_share": 0.97, "held_samples": 1000}
    hidden = {"loss.train": [0.2, 0.16, 0.12, 0.09], "skill.train": [0.0] * 4, "loss.constant": [0.14]}
    (note,) = findings("unfinished-training", run_of(hidden, task=rare, steps_seen=2000))
    assert note.severity == "note"  # of 100 samples 3 are rare: the loss alone tells
    stopped = run_of(falling, fit={"epochs": 100, "steps": 10}, finished="completed", **FIT)
    stopped.history = {"val_loss": [2.0, 1.9, 1.7, 1.5]}
    assert "patience" in findings("unfinished-training", stopped)[0].remedy
    stopped.history = {"val_loss": [2.0, 1.7, 1.5, 1.6]}
    assert [finding.severity for finding in findings("unfinished-training", stopped)] == ["note"]
    settled = {"loss.train": [2.0, 1.4, 1.4, 1.4], "skill.train": [0, 0.3, 0.3, 0.3]}
    assert findings("unfinished-training", run_of(settled, **FIT)) == []


def test_norms_that_grow_with_the_gap_are_a_note():
    series = skills([0, 0.5, 1.0], [0, 0.4, 0.6]) | {("weight.spectral_norm", "a/kernel"): [1.0, 2.0, 3.0]}
    assert [finding.severity for finding in findings("growing-spectral-norm", run_of(series, **FIT))] == ["note"]


def test_without_validation_nothing_is_said():
    for rule in ("overfitting", "memorized-labels", "suspicious-validation", "overtraining"):
        assert kinds(rule, run_of({"skill.train": [0, 1]}, **FIT)) == {"NotMeasured"}
