"""Numbers that break: first bad step, last good step, and the place."""

from __future__ import annotations

import math

from hand_made import changing, findings, kinds, run_of

from diagnose.api import examine
from diagnose.run.run import Run


def test_bad_input_names_the_input_the_step_and_the_last_good_step():
    run = run_of({("input.nonfinite", "pixels"): [0, 0, 3, 0]}, steps=[0, 10, 20, 30])
    (finding,) = findings("non-finite-input", run)
    assert (finding.where, finding.since, finding.evidence["last good step"]) == ("pixels", 20, 10)
    assert finding.severity == "critical"


def test_bad_targets_are_bad_data_too_and_blame_the_labels():
    run = run_of(
        {"input.nonfinite": [0] * 4, "target.nonfinite": [0, 0, 1, 0], ("weight.nonfinite", "k"): [0, 0, 0, 9]}
    )
    (finding,) = findings("non-finite-input", run)
    assert (finding.since, finding.blames[0]) == (2, "labels")
    assert finding.message.startswith("The targets hold NaN or infinity: 1 entry at step 2")


def test_a_validation_loss_that_alone_is_nan_blames_the_validation_data():
    run = run_of({"batch.loss": [1.0, 0.5, 0.4]})
    run.history = {"loss": [1.0, 0.5], "val_loss": [math.nan, math.nan]}
    (finding,) = findings("non-finite-loss", run)
    assert (finding.severity, finding.blames[0]) == ("warning", "preprocessing")
    run.history["val_loss"] = [0.9, 0.8]
    assert findings("non-finite-loss", run) == []


def test_bad_data_found_after_the_break_were_there_when_it_broke():
    run = run_of({"input.nonfinite": [0, 0, 0, 2], ("weight.nonfinite", "a/kernel"): [0, 0, 4, 4]}, layers="a")
    (finding,) = findings("non-finite-input", run)
    assert finding.since == 2
    assert "seen at step 3, when the data were searched" in finding.message
    assert [cause.rule for cause in examine(run).causes] == ["non-finite-input"]


def test_nan_that_the_model_masks_itself_is_a_note():
    run = run_of(
        {"input.nonfinite": [5] * 5, ("activation.nonfinite", "a"): [0] * 5, ("weight.nonfinite", "a/kernel"): [0] * 5}
    )
    assert findings("non-finite-input", run)[0].severity == "note"


def test_the_first_broken_activation_is_the_one_called_first():
    run = run_of({("activation.nonfinite", name): [0, 0, 4] for name in "cab"}, layers="abc")
    assert findings("non-finite-activation", run)[0].where == "a"


def test_an_activation_that_breaks_finite_inputs_is_blamed():
    run = run_of({("activation.nonfinite", "a"): [0, 4], ("preactivation.nonfinite", "a"): [0, 0]}, layers="a")
    (finding,) = findings("non-finite-activation", run)
    assert finding.blames[0] == "activation"
    assert "for finite inputs" in finding.message


def test_the_activation_that_turns_a_finite_gradient_into_nan_is_the_place():
    series = {
        ("activation.gradient_nonfinite", "a"): [0, 8],
        ("preactivation.gradient_nonfinite", "a"): [0, 8],
        ("activation.gradient_nonfinite", "b"): [0, 0],
        ("preactivation.gradient_nonfinite", "b"): [0, 8],
        ("gradient.nonfinite", "a/kernel"): [0, 8],
    }
    (finding,) = findings("non-finite-gradient", run_of(series, layers="ab"))
    assert (finding.where, finding.since, finding.blames) == ("b", 1, ("activation",))


def broken_below(size: list[float], **more: list[float]) -> Run:
    """Of the layers a, b and c the gradient of c stays finite and that of a (of this size before) breaks at step 3."""
    series = {
        ("gradient.rms", "a/kernel"): [*size, 0.0],
        ("gradient.nonfinite", "a/kernel"): [0, 0, 0, 6],
        ("gradient.nonfinite", "c/kernel"): [0, 0, 0, 0],
        "optimizer.updates": [0, 1, 2, 3],
    }
    named = {("activation.nonfinite", where): values for where, values in more.items()}
    return run_of(series | named, layers="abc")


def test_a_gradient_breaks_between_the_last_finite_place_and_the_first_broken_one():
    """Clipping can't help there: the norm of NaN is NaN."""
    (finding,) = findings("non-finite-gradient", broken_below([1.0, 1.0, 1.0], a=[0, 0, 0, 0]))
    assert (finding.where, finding.since) == ("b", 3)
    assert "At `c` it was still finite; it broke in `b`" in finding.message
    assert "epsilon" in finding.remedy and "clip" not in finding.remedy


def test_clipping_helps_where_a_gradient_grew_until_it_overflowed():
    (finding,) = findings("non-finite-gradient", broken_below([1.0, 1.0, 1e6], a=[0, 0, 0, 0]))
    assert "clipnorm" in finding.remedy and "epsilon" not in finding.remedy


def test_a_gradient_of_what_broke_on_its_way_forward_is_sought_there():
    (finding,) = findings("non-finite-gradient", broken_below([1.0, 1.0, 1.0], b=[0, 0, 0, 5]))
    assert finding.remedy.endswith("in the forward pass, at `b`.")


def test_a_step_that_loss_scaling_skips_is_a_note():
    series = {("gradient.nonfinite", "a/kernel"): [5, 0, 0], ("weight.nonfinite", "a/kernel"): [0, 0, 0]}
    run = run_of(series | {"optimizer.loss_scale": [65536, 32768, 32768]}, layers="a")
    (finding,) = findings("non-finite-gradient", run)
    assert finding.severity == "note" and "skips such steps" in finding.remedy


def test_weights_are_narrowed_down_by_the_check_after_each_step():
    """Bad after step 6 means bad before step 7, where the observation at 20 would have said 20."""
    run = run_of({("weight.nonfinite", "a/kernel"): [0, 9]}, steps=[0, 20], layers="a")
    run.add_column("weight.finite", "", [5, 6], [1.0, 0.0])
    (finding,) = findings("non-finite-weights", run)
    assert (finding.since, finding.evidence["last good step"]) == (7, 5)


def test_the_loss_is_looked_at_by_batch_and_in_the_log():
    assert findings("non-finite-loss", run_of({"batch.loss": [1, 1, math.nan]}))[0].since == 2
    run = run_of({"batch.loss": [1.0, 1.0]})
    run.history["loss"] = [1.0, math.nan]
    assert "from epoch 2 on" in findings("non-finite-loss", run)[0].message


def test_nan_weights_behind_a_finite_loss_are_hidden():
    series = {("weight.nonfinite", "a/kernel"): [0, 4, 4], "batch.loss": [1.4, 1.4, 1.4]}
    assert findings("hidden-nan", run_of(series, layers="a"))[0].since == 1
    series["batch.loss"] = [1.4, math.nan, math.nan]
    assert findings("hidden-nan", run_of(series, layers="a")) == []


def test_nan_weights_are_hidden_where_keras_still_logs_a_finite_loss():
    """ReLU swallows NaN in the compiled step, while the observation sees it."""
    run = run_of({("weight.nonfinite", "a/kernel"): [0, 4], "batch.loss": [1.4, math.nan]}, layers="a")
    run.history["loss"] = [1.4, 1.386]
    assert "Keras still logs a loss of 1.386" in findings("hidden-nan", run)[0].message


def test_no_rate_is_blamed_before_any_update_and_no_input_that_was_finite():
    series = {"batch.loss": [math.nan, math.nan], "input.nonfinite": [0, 0], "optimizer.updates": [0, 1]}
    (finding,) = findings("non-finite-loss", run_of(series))
    assert finding.blames == ("loss", "activation") and "learning rate" not in finding.remedy
    (finding,) = findings("non-finite-loss", run_of({**series, "batch.loss": [1.0, math.nan]}))
    assert finding.blames == ("loss", "learning-rate", "activation")
    (finding,) = findings("non-finite-loss", run_of({"batch.loss": [1.0, math.nan]}))
    assert finding.blames[-1] == "preprocessing"


def test_an_input_between_two_observations_may_have_broken_the_weights():
    run = run_of({("weight.nonfinite", "a/kernel"): [0, 9], "input.nonfinite": [0, 0]}, steps=[0, 20], layers="a")
    run.add_column("weight.finite", "", [5, 6], [1.0, 0.0])
    (finding,) = findings("non-finite-weights", run)
    assert "preprocessing" in finding.blames and "learning-rate" in finding.blames


def recurrent_run(series):
    """A dense layer `a` and a recurrent layer `b` that runs `cube` in its loop; step 1 breaks."""
    run = run_of({("activation.nonfinite", "a"): [0, 0], **series}, layers="ab", roles={"b": "recurrent"})
    with changing(run) as meta:
        meta["inside"] = {"sigmoid": ["b"], "cube": ["b"]}
    with changing(run) as meta:
        meta["profiles"] = {"cube": {}}
    return run


def test_a_recurrent_layer_that_breaks_finite_inputs_is_blamed_with_what_it_runs_in_its_loop():
    broken = {("activation.nonfinite", "b"): [0, 4], ("weight.nonfinite", "b/kernel"): [0, 0]}
    (finding,) = findings("non-finite-activation", recurrent_run({"input.nonfinite": [0, 0], **broken}))
    assert (finding.where, finding.blames[0], finding.evidence["inputs"]) == ("b", "activation", "finite")
    assert "`cube` and `sigmoid`" in finding.message and "`cube`" in finding.remedy
    for given in ({"input.nonfinite": [0, 1]}, {("weight.nonfinite", "b/kernel"): [0, 1]}):
        (finding,) = findings("non-finite-activation", recurrent_run({**broken, **given}))
        assert finding.evidence["inputs"] == "non-finite"


def test_a_recurrent_layer_that_a_finite_gradient_enters_is_the_place_where_it_breaks():
    series = {("activation.gradient_nonfinite", "b"): [0, 0], ("gradient.nonfinite", "b/kernel"): [0, 8]}
    (finding,) = findings("non-finite-gradient", recurrent_run(series))
    assert (finding.where, finding.since, finding.blames) == ("b", 1, ("activation",))
    assert "time steps of `cube`" in finding.message


def test_all_finite_is_healthy():
    series = {
        ("activation.nonfinite", "a"): [0] * 3,
        ("weight.nonfinite", "a/kernel"): [0] * 3,
        ("gradient.nonfinite", "a/kernel"): [0] * 3,
        "input.nonfinite": [0] * 3,
        "batch.loss": [1.0] * 3,
    }
    run = run_of(series, layers="a")
    for rule in ("input", "activation", "gradient", "weights", "loss"):
        assert kinds(f"non-finite-{rule}", run) == {"Healthy"}


def test_of_everything_broken_the_first_in_time_is_the_cause():
    """A gradient breaks at step 4; weights, activations and loss are broken from step 5 on."""
    bad = [0, 0, 0, 0, 0, 1, 1]
    series = {
        ("gradient.nonfinite", "a/kernel"): [0, 0, 0, 0, 1, 1, 1],
        ("weight.nonfinite", "a/kernel"): bad,
        ("activation.nonfinite", "a"): bad,
        "batch.loss": [1, 1, 1, 1, 1, math.nan, math.nan],
    }
    diagnosis = examine(run_of(series, layers="a"))
    assert [cause.rule for cause in diagnosis.causes] == ["non-finite-gradient"]
    assert {finding.rule for finding in diagnosis.consequences_of[0]} >= {
        "non-finite-weights",
        "non-finite-activation",
        "non-finite-loss",
    }


def test_of_things_broken_at_the_same_step_the_earlier_within_a_step_is_the_cause():
    """Weights are looked at before the step, so they broke the activations and not the other way round."""
    series = {
        ("weight.nonfinite", "a/kernel"): [0, 1],
        ("activation.nonfinite", "a"): [0, 1],
        ("gradient.nonfinite", "a/kernel"): [0, 1],
        "batch.loss": [1, math.nan],
    }
    assert [cause.rule for cause in examine(run_of(series, layers="a")).causes] == ["non-finite-weights"]
