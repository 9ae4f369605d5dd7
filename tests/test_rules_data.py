"""Data, on runs made by hand."""

from __future__ import annotations

from hand_made import changing, findings, kinds, run_of

from diagnose.outcome.outcome import outcome_of

RAW = {"input.mean": [100.0] * 3, "input.std": [80.0] * 3}


def test_raw_pixels_that_reach_the_first_activation_are_unscaled():
    run = run_of(RAW | {("preactivation.std", "a"): [60.0] * 3, ("preactivation.mean", "a"): [0.0] * 3}, layers="a")
    (finding,) = findings("unscaled-input", run)
    assert finding.blames == ("preprocessing",)
    assert "x = (x - 100) / 80" in finding.remedy


def test_raw_pixels_that_the_model_scales_itself_are_fine():
    run = run_of(RAW | {("preactivation.std", "a"): [0.5] * 3, ("preactivation.mean", "a"): [0.0] * 3}, layers="a")
    assert findings("unscaled-input", run) == []


def test_what_raw_pixels_do_is_not_known_without_activations():
    assert kinds("unscaled-input", run_of(RAW)) == {"NotMeasured"}


def test_what_is_erased_before_the_first_kernel_is_told_where_it_is():
    run = run_of({"input.min": [0.0] * 5, "input.max": [1.0] * 5}, layers="ab", audit={"erased": None})
    assert findings("constant-input", run) == []
    with changing(run) as meta:
        meta["audit"]["erased"] = {"where": "b", "value": 0.0}
    (finding,) = findings("constant-input", run)
    assert (finding.where, finding.blames[0]) == ("a", "layers")


def entering(**sizes: float | None) -> dict:
    known = {"where": "a", "features": 8, "least": 1.0, "most": 1.0, "least_at": 2, "most_at": 5}
    return {"entering": {**known, **sizes}}


def test_features_over_a_thousand_times_apart_are_unscaled_even_if_none_is_large():
    (finding,) = findings("unscaled-input", run_of(layers="a", audit=entering(least=0.9e-3)))
    assert finding.where == "a"
    assert "feature 2 one of 0.0009" in finding.message
    assert kinds("unscaled-input", run_of(layers="a", audit=entering(least=1e-3))) == set()


def test_large_features_of_different_sizes_are_each_to_be_scaled_by_their_own():
    z = {("preactivation.std", "a"): [60.0] * 3, ("preactivation.mean", "a"): [0.0] * 3}
    (finding,) = findings("unscaled-input", run_of(RAW | z, layers="a", audit=entering(most=1e4)))
    assert "x.mean(axis=0)" in finding.remedy


def test_what_the_first_kernel_should_make_of_its_inputs_stands_for_an_activation_in_a_loop():
    """What is read behind the loop says nothing: its outputs are bounded."""
    z = {("preactivation.std", "b"): [0.5] * 3, ("preactivation.mean", "b"): [0.0] * 3}

    def run_with(becomes: float | None):
        return run_of(RAW | z, layers="ab", roles={"a": "recurrent"}, audit=entering(becomes=becomes))

    (finding,) = findings("unscaled-input", run_with(60.0))
    assert "first kernel should make of them 60 where" in finding.message
    assert kinds("unscaled-input", run_with(5.0)) == {"Healthy"}
    assert kinds("unscaled-input", run_with(None)) == {"NotMeasured"}


VARIED = {"input.min": [0.0] * 5, "input.max": [1.0] * 5}


def test_samples_that_are_nearly_all_the_same_are_constant_input():
    series = VARIED | {"input.same_share": [0.91], "input.constant_share": [0.0]}
    (finding,) = findings("constant-input", run_of(series, task={"held_samples": 100}))
    assert finding.severity == "warning"
    assert findings("constant-input", run_of(series | {"input.same_share": [0.9]}, task={"held_samples": 100})) == []
    assert findings("constant-input", run_of(series, task={"held_samples": 99})) == []


def test_features_of_which_most_never_vary_are_a_note():
    series = VARIED | {"input.same_share": [0.01], "input.constant_share": [0.51]}
    (finding,) = findings("constant-input", run_of(series, task={"held_samples": 100}))
    assert finding.severity == "note"


def test_an_input_of_one_value_is_constant():
    run = run_of({"input.min": [0.0] * 5, "input.max": [0.0] * 5})
    assert findings("constant-input", run)[0].severity == "critical"
    assert findings("constant-input", run_of({"input.min": [0.0] * 5, "input.max": [1.0] * 5})) == []


def test_one_constant_input_of_two_is_a_note():
    series = {
        ("input.min", "x"): [0] * 5,
        ("input.max", "x"): [0] * 5,
        ("input.min", "z"): [0] * 5,
        ("input.max", "z"): [1] * 5,
    }
    assert [(f.where, f.severity) for f in findings("constant-input", run_of(series))] == [("x", "note")]


def test_predictions_are_constant_below_a_hundredth_and_only_without_skill():
    assert findings("constant-predictions", run_of({"prediction.spread": [0.5, 0.01]})) == []
    assert len(findings("constant-predictions", run_of({"prediction.spread": [0.5, 0.009]}))) == 1
    skilled = {"prediction.spread": [0.5, 0.009], "skill.train": [0.0, 0.9]}
    task = {"kind": "regression"}
    assert findings("constant-predictions", run_of(skilled, task=task)) == []


def test_predictions_before_training_say_nothing():
    assert kinds("constant-predictions", run_of({"prediction.spread": [0.0]})) == {"NotMeasured"}


def test_a_class_of_ninety_five_percent_is_imbalance_only_where_the_rest_is_never_found():
    facts = {"task": {"kind": "binary", "majority_share": 0.95, "held_samples": 1000}, "steps_seen": 200}
    (finding,) = findings("class-imbalance", run_of({"skill.train": [0.0, 0.0]}, **facts))
    assert "by 19" in finding.remedy  # 0.95 / 0.05
    assert findings("class-imbalance", run_of({"skill.train": [0.0, 0.6]}, **facts)) == []
    weighed = {"skill.train": [0.0, -0.5], "skill.balanced": [0.0, 0.6]}
    assert findings("class-imbalance", run_of(weighed, **facts)) == []


def test_the_rare_class_is_learned_last_so_nothing_is_said_of_it_early():
    facts = {"task": {"kind": "binary", "majority_share": 0.95, "held_samples": 1000}, "steps_seen": 199}
    assert kinds("class-imbalance", run_of({"skill.train": [0.0, 0.0]}, **facts)) == {"NotMeasured"}


def test_ninety_percent_is_still_balanced_enough():
    facts = {"task": {"kind": "binary", "majority_share": 0.9, "held_samples": 1000}, "steps_seen": 2000}
    assert kinds("class-imbalance", run_of({"skill.train": [0.0, 0.0]}, **facts)) == {"Healthy"}


def all_alike(held=50, takes="probabilities", **series):
    """A run without a skill, as all the labels held are of one class."""
    audit = {"outputs": [{"name": "output_0", "loss": {"takes": takes}, "weights": {"given": False}}]}
    return run_of(series, task={"kind": "binary", "majority_share": 1.0, "held_samples": held}, audit=audit)


def test_labels_of_one_class_are_told_as_such():
    (finding,) = findings("class-imbalance", all_alike())
    assert "one class" in finding.message and finding.severity == "critical"


def test_a_few_labels_of_one_class_may_be_chance_and_targets_that_no_loss_reads_as_classes_mean_nothing():
    """Zeros are handed to `fit` where a loss of the user's own wants no targets."""
    assert kinds("class-imbalance", all_alike(held=49)) == {"NotMeasured"}
    assert kinds("class-imbalance", all_alike(takes="values")) == {"NotMeasured"}


def test_labels_that_come_sorted_are_of_one_class_at_first_only():
    batches = {"batch.majority_share": [1.0, 1.0, 1.0]}
    assert findings("class-imbalance", all_alike(**batches, **{"batch.majority_class": [0.0, 0.0, 0.0]}))
    assert not findings("class-imbalance", all_alike(**batches, **{"batch.majority_class": [0.0, 0.0, 1.0]}))
    assert not findings("class-imbalance", all_alike(**{"batch.majority_share": [1.0, 0.9]}))


def test_batches_that_come_again_within_an_epoch_are_repeated():
    run = run_of({"batch.fingerprint": [7.0] * 10}, fit={"steps": 100})
    assert findings("repeated-batch", run)[0].severity == "critical"
    assert findings("repeated-batch", run_of({"batch.fingerprint": list(range(10))}, fit={"steps": 100})) == []


def test_a_new_epoch_repeats_by_right():
    """Ten epochs of three batches: within each they differ, and three are too few to say more."""
    run = run_of({"batch.fingerprint": [1.0, 2.0, 3.0] * 10}, fit={"steps": 3})
    assert findings("repeated-batch", run) == []


def test_batches_of_one_class_are_unshuffled_unless_nearly_all_data_are():
    task = {"kind": "categorical", "majority_share": 0.1}
    series = {"batch.majority_share": [1.0] * 4 + [0.5], "batch.size": [32] * 5}
    assert len(findings("unshuffled-batches", run_of(series, task=task))) == 1
    assert findings("unshuffled-batches", run_of(series, task={"kind": "binary", "majority_share": 0.97})) == []
    assert findings("unshuffled-batches", run_of(series | {"batch.majority_share": [0.5] * 5}, task=task)) == []


LOST = {"skill.train": [0.0, 0.95], "skill.validation": [0.0, 0.1]}
TASK = {"kind": "categorical", "majority_share": 0.1, "held_samples": 1000}


def test_validation_that_was_not_scaled_is_a_shift():
    series = {"input.mean": [0.5], "input.std": [0.3], "input.validation_mean": [127.0], "input.validation_std": [76.0]}
    (finding,) = findings("train-validation-shift", run_of(LOST | series, task=TASK))
    assert finding.blames[0] == "preprocessing"
    assert "factor of 250" in finding.remedy  # 76 / 0.3 = 253


def test_validation_of_other_classes_is_a_shift_of_the_split():
    (finding,) = findings("train-validation-shift", run_of(LOST | {"labels.shift": [0.9]}, task=TASK))
    assert "validation_split takes the last part" in finding.remedy


NUMBERS = {"kind": "regression", "held_samples": 900, "held_validation_samples": 20}


def apart(shift, spread, rescaled, validation=-0.5):
    series = {"skill.train": [0.0, 0.95], "skill.validation": [0.0, validation]}
    series |= {"targets.shift": [shift], "targets.spread": [spread], "skill.validation_rescaled": [0.0, rescaled]}
    return run_of(series, task=NUMBERS)


def test_validation_targets_in_other_units_are_a_shift_and_no_memorized_labels():
    run = apart(1.1, 1.0, 0.9)
    (finding,) = findings("train-validation-shift", run)
    assert (
        finding.blames[0] == "preprocessing"
        and "on another scale R squared on validation samples would be 0.90" in finding.message
    )
    assert findings("memorized-labels", run) == []
    assert outcome_of(run).name == "learning" and "(0.90 on another scale)" in outcome_of(run).reason


def test_targets_that_drift_within_their_spread_are_no_shift():
    assert findings("train-validation-shift", apart(2.9, 2.9, 0.4)) == []
    assert findings("train-validation-shift", apart(0.9, 0.4, 0.9)) == []
    assert len(findings("train-validation-shift", apart(3.1, 1.0, 0.4))) == 1
    assert len(findings("train-validation-shift", apart(0.0, 0.3, 0.4))) == 1
    assert findings("train-validation-shift", apart(9.0, 9.0, 0.9, validation=0.9)) == []


def test_labels_are_memorized_where_another_scale_gains_little():
    """Under half of the training skill is brought back, or hardly more than there is."""
    assert len(findings("memorized-labels", apart(0.0, 1.0, 0.4))) == 1
    assert outcome_of(apart(0.0, 1.0, 0.4)).name == "memorizing"
    assert outcome_of(apart(0.0, 1.0, 0.55, validation=0.3)).name == "memorizing"


def test_classes_numbered_otherwise_are_told_by_what_renaming_would_gain():
    (finding,) = findings("train-validation-shift", run_of(LOST | {"skill.validation_renamed": [0.0, 0.93]}, task=TASK))
    assert finding.blames[0] == "labels"


def test_a_shift_that_costs_nothing_is_none():
    fine = {"skill.train": [0.0, 0.95], "skill.validation": [0.0, 0.93]}
    assert findings("train-validation-shift", run_of(fine | {"labels.shift": [0.9]}, task=TASK)) == []


def test_ten_samples_a_class_are_the_least():
    assert len(findings("tiny-data", run_of({"batch.size": [10]}, fit={"steps": 9}, task={"classes": 10}))) == 1
    assert findings("tiny-data", run_of({"batch.size": [10]}, fit={"steps": 10}, task={"classes": 10})) == []
