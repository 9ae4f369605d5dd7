"""Gradients, updates, optimizer, on runs made by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hand_made import changing, findings, gradients, kinds, run_of

from diagnose.rules.optimizer import small_updates
from diagnose.run.run import Run

NO_SKILL = {"task": {"kind": "categorical", "majority_share": 0.1, "held_samples": 1000}, "steps_seen": 2000}


def test_nothing_trainable_is_frozen():
    run = run_of({}, layers="a")
    with changing(run) as meta:
        meta["model"] |= {"parameters": 100, "trainable_parameters": 0}
    assert findings("frozen-weights", run)[0].severity == "critical"


def updates(values: list[float], **other: list[float]) -> dict:
    return gradients(a=[0.1] * len(values)) | {("update.ratio", "a/kernel"): values} | other


def test_no_move_at_all_in_spite_of_gradients_is_frozen():
    assert (
        "the learning rate is 0"
        in findings("frozen-weights", run_of(updates([0.0] * 5) | {"optimizer.learning_rate": [0.0] * 5}, layers="a"))[
            0
        ].message
    )
    assert findings("frozen-weights", run_of(updates([1e-3] * 5), layers="a")) == []


def test_small_updates_advise_a_rate_that_makes_them_a_thousandth():
    """1e-6 of the weights at a rate of 1e-5: a thousandth needs 1e-2, but advice stops at the usual 1e-3."""
    run = run_of(updates([1e-6] * 5) | {"optimizer.learning_rate": [1e-5] * 5}, layers="a")
    assert findings("small-updates", run)[0].remedy == "Set learning_rate=0.001 (now 1e-05)."


def test_up_to_a_usual_rate_the_advice_goes_at_once():
    run = run_of(updates([1e-7] * 5) | {"optimizer.learning_rate": [1e-7] * 5}, layers="a")
    assert findings("small-updates", run)[0].remedy == "Set learning_rate=0.001 (now 1e-07)."


def test_a_rate_that_is_low_by_itself_follows_from_no_vanishing_gradient():
    """Adam moves each weight by about the rate, however small the gradient is."""
    rates = {"optimizer.learning_rate": [1e-7] * 5}
    for size, follows in ((0.1, False), (1e-4, True)):  # of the weights: updates of the rate, or a thousandth of it
        run = run_of(updates([1e-6] * 5) | rates | {("weight.rms", "a/kernel"): [size] * 5}, layers="a")
        (finding,) = findings("small-updates", run)
        assert small_updates.can_follow(finding, replace(finding, rule="vanishing-gradient")) == follows


def test_a_schedule_that_is_through_at_once_is_the_fault_and_not_a_rest():
    rates = {"optimizer.learning_rate": [1e-2, 1e-5, 1e-5, 1e-6, 1e-7]}
    run = run_of(updates([1e-6] * 5) | rates, layers="a", steps_seen=1000)
    (finding,) = findings("small-updates", run)
    assert (finding.since, finding.blames[0]) == (1, "learning-rate")
    assert "decay_steps count batches" in finding.remedy
    (stopped,) = findings("frozen-weights", run_of(updates([0.0] * 5) | rates, layers="a", steps_seen=1000))
    assert "taken down from 0.01 by step 1" in stopped.message


def test_a_rate_that_ends_at_nothing_leaves_no_updates_to_be_small():
    rates = {"optimizer.learning_rate": [1e-2, 5e-3, 1e-3, 0.0, 0.0]}
    run = run_of(updates([1e-3, 1e-3, 1e-3, 0.0, 0.0]) | rates, layers="a", steps_seen=1000)
    (finding,) = findings("small-updates", run)
    assert "and to 0 at the end, while the loss was still falling" in finding.message


def pressed(**optimizer: float):
    series = gradients(a=[0.1] * 3) | {("weight.rms", "a/kernel"): [0.2, 0.1, 0.015]}
    series |= {"optimizer.learning_rate": [1e-2] * 3, "optimizer.updates": [0.0, 100.0, 200.0]}
    return run_of(series, layers="a", optimizer=optimizer)


def test_a_weight_decay_that_takes_all_the_weights_is_a_dominant_regularizer():
    """200 updates that take 2 % each leave 2 % of a weight; those of 1 % leave 13 %, and 7 % are left here."""
    (finding,) = findings("dominant-regularizer", pressed(weight_decay=2.0))
    assert finding.severity == "critical" and "weight_decay=0.004 (now 2)" in finding.remedy
    assert findings("dominant-regularizer", pressed(weight_decay=1.0)) == []
    assert findings("dominant-regularizer", pressed()) == []


def test_a_constraint_may_press_as_hard_as_a_decay():
    run = pressed()
    with changing(run) as meta:
        meta["model"]["layers"][0]["constraint"] = "MaxNorm"
    (finding,) = findings("dominant-regularizer", run)
    assert "a constraint (MaxNorm at `a`)" in finding.message


def test_parameters_that_a_layer_reads_and_none_owns_are_frozen():
    run = run_of(updates([1e-3] * 5), layers="ab")
    with changing(run) as meta:
        meta["model"]["layers"][1]["loose"] = ["dense/kernel"]
    (finding,) = findings("frozen-weights", run)
    assert (finding.where, finding.blames) == ("b", ("layers",))
    assert "`dense/kernel`, which the model does not track: it is never trained" in finding.message


def test_a_rate_lowered_after_the_loss_had_settled_did_no_harm():
    rates = {"optimizer.learning_rate": [1e-2, 1e-2, 1e-2, 1e-5, 1e-7, 1e-8, 1e-9]}
    run = run_of(updates([1e-3] * 3 + [1e-7] * 4) | rates, layers="a", steps_seen=8, fit={"steps": 1})
    for losses, found in (([2.0, 1.0, 0.5, 0.5], True), ([2.0, 1.0, 0.995, 0.99], False)):
        run.history["loss"] = losses
        assert bool(findings("small-updates", run)) == found


def test_a_rate_that_goes_on_rising_after_the_best_skill_is_the_cause_of_its_loss():
    falls = {"skill.train": [0.1, 0.6, 0.9, 0.4, 0.0]}
    ordinary = updates([0.01] * 5)
    raised = run_of(ordinary | falls | {"optimizer.learning_rate": [1e-3, 1e-2, 0.03, 0.5, 2.0]}, layers="a")
    (finding,) = findings("large-updates", raised)
    assert finding.since == 2
    assert finding.message.startswith(
        "The learning rate rose from 0.03 to 2 after the skill (0 = always guessing, 1 = perfect) was best, 0.90 at "
        "step 2"
    )
    constant = run_of(ordinary | falls | {"optimizer.learning_rate": [1e-3] * 5}, layers="a")
    assert findings("large-updates", constant) == []


def test_targets_far_from_unit_size_are_to_be_scaled_before_the_rate_is_changed():
    def regression(most: float) -> dict:
        labels = {"given": True, "min": -5.0, "max": most}
        return {"audit": {"outputs": [{"name": "y", "where": "y", "labels": labels, "loss": {"takes": "values"}}]}}

    wild = updates([2.0] * 5) | {"optimizer.learning_rate": [0.01] * 5}
    (finding,) = findings("large-updates", run_of(wild, layers="a", **regression(3e5)))
    assert finding.remedy.startswith("Scale the targets, which reach 3e+05: ")
    (finding,) = findings("large-updates", run_of(wild, layers="a", **regression(50.0)))
    assert finding.remedy.startswith("Set learning_rate")


def test_small_updates_rest_at_a_hundred_thousandth():
    assert findings("small-updates", run_of(updates([1e-5] * 5), layers="a")) == []


def test_small_updates_rest_at_the_end_of_a_schedule():
    run = run_of(updates([1e-6] * 5) | {"optimizer.learning_rate": [1e-2, 1e-3, 1e-4, 1e-5, 1e-6]}, layers="a")
    assert kinds("small-updates", run) == {"NotMeasured"}


def test_large_updates_are_over_a_tenth_of_the_weights():
    assert findings("large-updates", run_of(updates([0.1] * 5), layers="a")) == []
    (finding,) = findings("large-updates", run_of(updates([0.2] * 5) | {"optimizer.learning_rate": [1.0]}, layers="a"))
    assert finding.remedies[0].text == "Set learning_rate=0.01 (now 1)"  # 0.001 / 0.2 = 1 / 200, held at 1 / 100


def test_first_updates_that_outweigh_the_weights_are_large_though_later_ones_look_small():
    """The weights have grown by then, so the ratio has fallen by itself."""
    run = run_of(updates([6.0, 0.7, 0.4, 0.2, 0.1, 0.05, 0.02, 0.02, 0.02, 0.02]), layers="a")
    assert findings("large-updates", run)[0].since == 0


def test_kernels_that_have_grown_thirtyfold_by_steps_that_each_look_small_are_large_updates():
    def grown(last: float, **meta) -> list:
        norms = {("weight.spectral_norm", "a/kernel"): [0.1, 5.0, 20.0, 40.0, last]}
        rate = {"optimizer.learning_rate": [0.01]}
        return findings("large-updates", run_of(updates([0.01] * 5) | norms | rate, layers="a", **meta))

    assert grown(60.0) == []  # thirty times an ordinary 2, whatever smaller norm it started with
    assert grown(200.0)[0].remedy == "Set learning_rate=0.0001 (now 0.01)."
    assert grown(200.0, optimizer={"momentum": 0.999})[0].remedy.startswith("Set momentum=0.9: 0.999 adds up 1,000")


def test_a_first_update_that_wipes_the_weights_out_is_large_though_those_after_it_are_small():
    def first(update: float, left: float) -> list:
        sizes = {("weight.rms", "a/kernel"): [0.2, *[0.2 * left] * 4]}
        return findings("large-updates", run_of(updates([update, 1e-5, 1e-5, 1e-5, 1e-5]) | sizes, layers="a"))

    (finding,) = first(0.998, 0.005)
    assert "0.5 % of the kernels' size is left" in finding.message
    assert first(0.5, 0.005) == [] and first(0.998, 0.5) == []


def test_a_zigzag_of_a_third_oscillates_and_a_steady_fall_does_not():
    assert len(findings("oscillating-loss", run_of({"loss.train": [1.0, 0.6] * 5}))) == 1
    assert findings("oscillating-loss", run_of({"loss.train": np.linspace(2, 1, 10)})) == []
    assert kinds("oscillating-loss", run_of({"loss.train": [1.0, 0.6] * 2})) == {"NotMeasured"}


def test_a_loss_at_twice_its_best_and_rising_diverges():
    run = run_of({"loss.train": [2.0, 0.6, 1.2, 1.3], "loss.constant": [2.3]})
    assert findings("diverging-loss", run)[0].since == 2


def test_a_ripple_near_zero_does_not_diverge():
    run = run_of({"loss.train": [2.0, 0.001, 0.002, 0.003], "loss.constant": [2.3]})
    assert findings("diverging-loss", run) == []


def test_slow_progress_needs_small_updates_too():
    series = updates([1e-5] * 5) | {"loss.train": [2.300, 2.299, 2.298, 2.297, 2.296]}
    assert len(findings("slow-progress", run_of(series, layers="a", **NO_SKILL))) == 1
    series[("update.ratio", "a/kernel")] = [1e-3] * 5
    assert findings("slow-progress", run_of(series, layers="a", **NO_SKILL)) == []


def test_a_plateau_is_flat_and_without_skill():
    stuck = {"batch.loss": [2.3] * 12, "skill.train": [0.0, 0.0]}
    assert len(findings("plateau", run_of(stuck, **NO_SKILL))) == 1
    assert findings("plateau", run_of(stuck | {"skill.train": [0.0, 0.9]}, **NO_SKILL)) == []


def test_a_loss_scale_under_one_with_updates_standing_still_has_collapsed():
    series = {"optimizer.loss_scale": [8, 4, 2, 1, 0.5], "optimizer.updates": [0] * 5}
    (finding,) = findings("collapsed-loss-scale", run_of(series))
    assert finding.severity == "critical"
    series["optimizer.updates"] = [1, 2, 3, 4, 5]
    assert findings("collapsed-loss-scale", run_of(series)) == []


def test_a_single_skipped_step_is_ordinary():
    series = {"optimizer.loss_scale": [65536, 32768, 32768, 32768, 32768], "optimizer.updates": [0, 0, 1, 2, 3]}
    assert findings("collapsed-loss-scale", run_of(series)) == []


@pytest.mark.parametrize("rule", ["vanishing-gradient", "exploding-gradient", "small-updates", "large-updates"])
def test_nan_alone_is_no_measurement(rule: str):
    nothing = updates([math.nan] * 5)
    nothing[("gradient.rms", "a/kernel")] = [math.nan] * 5
    assert "Finding" not in kinds(rule, run_of(nothing, layers="a"))


def test_gradients_of_small_batches_without_a_common_direction_are_noise():
    series = {"gradient.cosine": [0.01, -0.02] * 5, "batch.size": [4] * 10}
    assert findings("noisy-gradient", run_of(series))[0].remedy.startswith("Set batch_size=32")
    assert findings("noisy-gradient", run_of(series | {"gradient.cosine": [0.3] * 10})) == []
    assert findings("noisy-gradient", run_of(series | {"batch.size": [64] * 10})) == []


def test_clipping_that_leaves_a_thousandth_chokes_and_one_that_leaves_a_hundredth_does_not():
    assert "factor of 1,000" in findings("choked-clipping", run_of({"gradient.kept_share": [0.001] * 5}))[0].remedy
    assert findings("choked-clipping", run_of({"gradient.kept_share": [0.01] * 5})) == []
    assert kinds("choked-clipping", run_of({"batch.loss": [1.0] * 5})) == {"NotMeasured"}


def test_a_penalty_over_twice_the_loss_of_the_data_dominates():
    """3 of 4 are penalty: three times the data's 1."""
    series = {"batch.loss": [4.0] * 5, "batch.regularization": [3.0] * 5, "loss.constant": [2.3]}
    assert findings("dominant-regularizer", run_of(series))[0].evidence["penalty over loss of the data"] == 3.0
    assert findings("dominant-regularizer", run_of(series | {"batch.regularization": [2.0] * 5})) == []


def test_a_penalty_over_fitted_data_is_fine():
    """The data's loss went from 2 to 0.1."""
    series = {"batch.loss": [2.3] + [0.4] * 5, "batch.regularization": [0.3] * 6}
    assert findings("dominant-regularizer", run_of(series)) == []


def test_a_penalty_that_made_the_weights_small_and_so_itself_dominated():
    series = {"batch.loss": [52, 42, 32, 22, 3, 3, 3], "batch.regularization": [50, 40, 30, 20, 1, 1, 1]}
    assert findings("dominant-regularizer", run_of(series))[0].since == 0


def test_a_gradient_of_nan_is_not_a_gradient_of_zero():
    """Its root mean square is taken over finite entries, and here there are none."""
    series = gradients(a=[0.0] * 5, b=[0.0] * 5)
    series |= {("gradient.nonfinite", f"{name}/kernel"): [7] * 5 for name in "ab"}
    assert findings("zero-gradient", run_of(series, layers="ab")) == []
    assert findings("vanishing-gradient", run_of(series, layers="ab")) == []


def changed_without_compile(**facts: list[str]) -> Run:
    run = run_of(gradients(a=[0.1] * 5, b=[0.1] * 5), layers="ab", steps=range(0, 50, 10))
    with changing(run) as meta:
        meta["model"] |= facts
    return run


def test_what_became_trainable_without_compile_and_stays_the_same_to_the_last_bit_is_frozen():
    run = changed_without_compile(left_out=["a/kernel"])
    run.add_column("weight.rms", "a/kernel", np.arange(5), np.full(5, 0.3))
    (finding,) = findings("frozen-weights", run)
    assert (finding.where, finding.severity) == ("a/kernel", "warning")
    assert "compile" in finding.remedy


def test_what_moves_is_not_frozen_whatever_the_optimizer_was_built_for():
    run = changed_without_compile(left_out=["a/kernel"])
    run.add_column("weight.rms", "a/kernel", np.arange(5), np.linspace(0.3, 0.4, 5))
    assert findings("frozen-weights", run) == []


def test_what_is_not_trainable_and_moves_is_told():
    run = changed_without_compile(still_trained=["a/kernel"])
    run.add_column("update.ratio", "a/kernel", np.arange(5), np.full(5, 1e-3))
    assert "not trainable" in findings("frozen-weights", run)[0].message


def test_what_was_frozen_and_compiled_anew_is_left_alone():
    run = changed_without_compile(still_trained=["base/kernel"])
    run.add_column("update.ratio", "base/kernel", np.arange(5), np.zeros(5))
    assert findings("frozen-weights", run) == []
