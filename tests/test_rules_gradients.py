"""Rules on vanishing, exploding and zero gradients, at their edges."""

from __future__ import annotations

from hand_made import changing, findings, gradients, kinds, run_of

from diagnose import examine

NO_SKILL = {"task": {"kind": "categorical", "majority_share": 0.1, "held_samples": 1000}, "steps_seen": 2000}


def test_a_thousandth_of_the_last_gradient_is_not_yet_vanishing():
    run = run_of(gradients(a=[1e-5] * 5, b=[1e-2] * 5), layers="ab")
    assert findings("vanishing-gradient", run) == []


def test_less_than_a_thousandth_is_vanishing_and_is_told_at_the_first_kernel():
    run = run_of(gradients(a=[9e-6] * 5, b=[1e-2] * 5), layers="ab")
    assert [finding.where for finding in findings("vanishing-gradient", run)] == ["a/kernel"]


def test_vanishing_names_the_activation_that_loses_most():
    series = gradients(a=[1e-7] * 5, b=[1e-3] * 5, c=[1e-2] * 5)
    series |= {("activation.gate_gain", "a"): [0.001] * 5, ("activation.gate_gain", "b"): [0.9] * 5}
    (finding,) = findings("vanishing-gradient", run_of(series, layers="abc"))
    assert finding.blames[0] == "activation"
    assert "`tanh` in `a`, which passes 0.1 %" in finding.message


def test_vanishing_past_activations_that_pass_all_blames_the_weights():
    series = gradients(a=[1e-7] * 5, b=[1e-2] * 5) | {("activation.gate_gain", "a"): [0.9] * 5}
    (finding,) = findings("vanishing-gradient", run_of(series, layers="ab"))
    assert finding.blames[0] == "initialization"


def test_gradients_that_are_all_but_nothing_at_both_ends_are_vanishing():
    run = run_of(gradients(a=[1e-9] * 5, b=[1e-9] * 5), layers="ab")
    assert len(findings("vanishing-gradient", run)) == 1


def test_one_kernel_has_nothing_to_be_compared_with():
    assert kinds("vanishing-gradient", run_of(gradients(a=[1e-9] * 5), layers="a")) == {"NotMeasured"}


def test_an_embedding_is_no_first_kernel():
    """Only the rows met in a batch have a gradient, so its mean is small in any healthy training."""
    run = run_of(gradients(a=[1e-9] * 5, b=[1e-2] * 5, c=[1e-2] * 5), layers="abc")
    with changing(run) as meta:
        meta["model"]["layers"][0]["class"] = "Embedding"
    assert findings("vanishing-gradient", run) == []


def test_two_observations_of_an_untrained_network_say_nothing():
    run = run_of(gradients(a=[1e-9] * 2, b=[1e-2] * 2), layers="ab")
    assert kinds("vanishing-gradient", run) == {"NotMeasured"}


def test_gradients_that_double_four_times_in_a_row_explode():
    run = run_of(gradients(a=[1, 1, 1, 2.1, 4.3, 9, 20]), layers="a")
    (finding,) = findings("exploding-gradient", run)
    assert finding.since == 3


def test_one_spike_is_no_explosion():
    run = run_of(gradients(a=[1, 1, 1, 1, 1, 1e6, 1, 1, 1]), layers="a")
    assert findings("exploding-gradient", run) == []


def test_two_spikes_are_an_explosion():
    run = run_of(gradients(a=[1, 1, 1, 1, 1, 1, 1e6, 1e6, 1]), layers="a")
    assert findings("exploding-gradient", run)[0].since == 6


def test_a_gradient_that_grows_a_thousandfold_on_its_way_back_explodes():
    run = run_of(gradients(a=[1001.0] * 5, b=[1.0] * 5), layers="ab")
    assert [finding.where for finding in findings("exploding-gradient", run)] == ["a/kernel"]
    assert findings("exploding-gradient", run_of(gradients(a=[1000.0] * 5, b=[1.0] * 5), layers="ab")) == []


def test_a_gradient_of_exactly_zero_is_told_nearest_to_the_loss():
    run = run_of(gradients(a=[0.0] * 5, b=[0.0] * 5, c=[0.1] * 5), layers="abc")
    (finding,) = findings("zero-gradient", run)
    assert finding.where == "b/kernel"
    assert finding.severity == "critical"


def test_a_gradient_that_is_none_says_that_nothing_connects_it():
    series = gradients(b=[0.1] * 5) | {("gradient.missing", "a/kernel"): [1] * 5, ("weight.rms", "a/kernel"): [0.1]}
    series[("weight.spectral_norm", "a/kernel")] = [1.0]
    (finding,) = findings("zero-gradient", run_of(series, layers="ab"))
    assert finding.message == "`a/kernel` has no gradient (None): nothing connects it to the loss."


def test_what_lies_below_a_layer_without_gradient_is_counted():
    run = run_of(gradients(a=[0.0] * 5, b=[0.0] * 5, c=[0.0] * 5), layers="abc")
    with changing(run) as meta:
        meta["model"]["layers"][2]["inbound"] = ["a", "b"]
    (finding,) = findings("zero-gradient", run)
    assert finding.message == "`c/kernel` has a gradient of exactly 0. There is none in 2 layers below either."


def cut_off(below: dict, dead: float) -> tuple[str, ...]:
    """Causes of a training where `b` has this share of dead units, and nothing comes out below it."""
    series = {("activation.dead_share", "b"): [dead] * 5, "batch.size": [100.0] * 5, "skill.train": [0.0] * 5}
    diagnosis = examine(run_of(series | gradients(b=[0.1] * 5, c=[0.1] * 5) | below, layers="abc", **NO_SKILL))
    return tuple(cause.rule for cause in diagnosis.causes)


def test_a_partly_dead_layer_does_not_take_a_gradient_away():
    """The units that live let some of it through; and None is told before any unit was asked."""
    exact, none = gradients(a=[0.0] * 5), {("gradient.missing", "a/kernel"): [1.0] * 5, ("weight.rms", "a/kernel"): [1]}
    none[("weight.spectral_norm", "a/kernel")] = [1.0]
    assert "zero-gradient" in cut_off(exact, 0.66)
    assert "zero-gradient" not in cut_off(exact, 1.0)
    assert "zero-gradient" in cut_off(none, 1.0)


def test_a_bias_without_gradient_is_a_note():
    """A bias in front of a softmax over the same axis has none, in any healthy attention layer."""
    series = gradients(a=[0.1] * 5) | {("gradient.rms", "a/bias"): [0.0] * 5}
    assert [finding.severity for finding in findings("zero-gradient", run_of(series, layers="a"))] == ["note"]


def test_a_gain_that_starts_at_zero_holds_the_gradient_up_for_one_step_only():
    run = run_of(gradients(a=[0.0, 0.1, 0.1, 0.1, 0.1], b=[0.1] * 5), layers="ab")
    assert findings("zero-gradient", run) == []
