"""The activation at work, on runs made by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hand_made import changing, findings, kinds, run_of

from diagnose.verdict import Finding

BOUNDS = [
    ("saturated-activation", "activation.saturated_share", 0.5, 0.51),
    ("dead-units", "activation.dead_share", 0.19, 0.2),
    ("blocked-gradient", "activation.gate_gain", 0.05, 0.049),
    ("amplified-gradient", "activation.gate_gain", 10.0, 10.1),
    ("collapsed-representation", "activation.spread", 1e-3, 0.9e-3),
]


@pytest.mark.parametrize(("rule", "quantity", "fine", "sick"), BOUNDS)
def test_a_rule_fires_beyond_its_bound_and_rests_at_it(rule: str, quantity: str, fine: float, sick: float):
    assert findings(rule, run_of({(quantity, "dense"): [fine] * 5}, layers=["dense"])) == []
    (finding,) = findings(rule, run_of({(quantity, "dense"): [sick] * 5}, layers=["dense"]))
    assert (finding.where, finding.since) == ("dense", 0)


@pytest.mark.parametrize(("rule", "quantity", "fine", "sick"), BOUNDS)
def test_three_of_five_observations_do_not_last(rule: str, quantity: str, fine: float, sick: float):
    run = run_of({(quantity, "dense"): [sick, fine, sick, fine, sick]}, layers=["dense"])
    assert findings(rule, run) == []
    run = run_of({(quantity, "dense"): [sick, fine, sick, sick, sick]}, layers=["dense"])
    assert len(findings(rule, run)) == 1


@pytest.mark.parametrize(("rule", "quantity", "fine", "sick"), BOUNDS)
def test_two_observations_are_too_few_to_say_anything(rule: str, quantity: str, fine: float, sick: float):
    assert kinds(rule, run_of({(quantity, "dense"): [sick] * 2}, layers=["dense"])) == {"NotMeasured"}


@pytest.mark.parametrize(("rule", "quantity", "fine", "sick"), BOUNDS)
def test_nan_is_no_observation(rule: str, quantity: str, fine: float, sick: float):
    assert kinds(rule, run_of({(quantity, "dense"): [math.nan] * 5}, layers=["dense"])) == {"NotMeasured"}


@pytest.mark.parametrize("role", ["output", "gate", "mixing"])
@pytest.mark.parametrize(("rule", "quantity", "fine", "sick"), BOUNDS)
def test_outputs_gates_and_functions_that_mix_rest(rule: str, quantity: str, fine: float, sick: float, role: str):
    run = run_of({(quantity, "dense"): [sick] * 5}, layers=["dense"], roles={"dense": role})
    assert findings(rule, run) == []


@pytest.mark.parametrize(
    ("into_kernels", "size", "told"),
    [(True, 0.01, True), (True, 1.0, False), (False, 0.01, False)],
    ids=["a softmax between two layers", "a normalization of large inputs", "a softmax that weighs values"],
)
def test_a_function_that_shares_a_total_out_blocks_where_it_feeds_kernels(into_kernels: bool, size: float, told: bool):
    series = {
        ("activation.gate_gain", "dense"): [0.01] * 5,
        ("preactivation.std", "dense"): [100.0 * size] * 5,
        ("activation.std", "dense"): [size] * 5,
    }
    run = run_of(series, layers=["dense"], roles={"dense": "mixing"})
    with changing(run) as meta:
        meta["sites"][0] |= {"into_kernels": into_kernels, "units": 128}
    found = findings("blocked-gradient", run)
    assert bool(found) == told
    if told:
        assert "it divides a fixed total among 128 units" in found[0].message
        assert "which works on each unit alone" in found[0].remedy


def test_samples_that_grow_alike_layer_by_layer_collapse_where_a_hundredth_is_left():
    def along(*spreads: float) -> list[str]:
        series = {("activation.spread", name): [spread] * 5 for name, spread in zip("abc", spreads, strict=True)}
        return [finding.where for finding in findings("collapsed-representation", run_of(series, layers="abc"))]

    assert along(0.2, 0.05, 0.009) == ["c"]
    assert along(0.2, 0.05, 0.02) == []
    assert along(0.05, 0.02, 0.009) == []  # a fifth of what there was at first


def test_saturation_since_is_the_first_step_of_the_spell_that_lasts():
    shares = [0.1, 0.9, 0.1, 0.1, 0.8, 0.8, 0.8, 0.8]
    run = run_of({("activation.saturated_share", "dense"): shares}, layers=["dense"], steps=range(0, 80, 10))
    assert findings("saturated-activation", run)[0].since == 40


def test_saturation_of_inputs_of_ordinary_size_blames_the_activation():
    run = run_of(
        {
            ("activation.saturated_share", "dense"): [0.8] * 5,
            ("preactivation.std", "dense"): [0.9] * 5,
            ("preactivation.mean", "dense"): [0.0] * 5,
        },
        layers=["dense"],
    )
    assert findings("saturated-activation", run)[0].blames[0] == "activation"


def test_saturation_of_inputs_that_start_too_large_blames_the_initialization_or_the_data():
    series = {
        ("activation.saturated_share", "dense"): [0.8] * 5,
        ("preactivation.std", "dense"): [20.0] * 5,
        ("preactivation.mean", "dense"): [0.0] * 5,
    }
    finding = findings("saturated-activation", run_of(series, layers=["dense"]))[0]
    assert finding.blames[0] == "initialization"
    assert "divide the initial kernels of `dense` by 20" in finding.remedy
    series |= {"input.std": [80.0] * 5, "input.mean": [40.0] * 5}
    assert findings("saturated-activation", run_of(series, layers=["dense"]))[0].blames[0] == "preprocessing"


def test_saturation_that_came_with_training_blames_the_learning_rate():
    series = {
        ("activation.saturated_share", "dense"): [0.1, 0.8, 0.8, 0.8, 0.8],
        ("preactivation.std", "dense"): [1.0, 9.0, 9.0, 9.0, 9.0],
        ("preactivation.mean", "dense"): [0.0] * 5,
    }
    finding = findings("saturated-activation", run_of(series, layers=["dense"]))[0]
    assert finding.blames[0] == "learning-rate"
    assert "by a factor of 9" in finding.remedy


def test_most_of_a_layer_dead_is_critical():
    run = run_of({("activation.dead_share", "dense"): [0.6] * 5}, layers=["dense"])
    assert findings("dead-units", run)[0].severity == "critical"


def test_units_are_not_called_dead_on_a_handful_of_samples():
    """Ten batches of one sample: a unit is silent on all of them one time in a thousand even if it fires every
    other.
    """
    run = run_of({("activation.dead_share", "dense"): [0.5] * 5, "batch.size": [1] * 5}, layers=["dense"])
    assert kinds("dead-units", run) == {"NotMeasured"}


def test_one_dip_is_no_fold():
    """gelu, silu and mish turn once."""
    series = {("activation.falling_share", "dense"): [0.3] * 5, ("activation.folds", "dense"): [1] * 5}
    assert findings("folded-activation", run_of(series, layers=["dense"])) == []
    series[("activation.folds", "dense")] = [3] * 5
    (finding,) = findings("folded-activation", run_of(series, layers=["dense"]))
    assert "Divide the inputs of `tanh` by 4" in finding.remedy


def test_the_collapse_is_told_for_the_first_layer_that_collapsed():
    series = {("activation.spread", name): [value] * 5 for name, value in (("a", 0.5), ("b", 1e-5), ("c", 1e-7))}
    assert [finding.where for finding in findings("collapsed-representation", run_of(series, layers="abc"))] == ["b"]


@pytest.mark.parametrize(
    ("rule", "sizes", "worst"),
    [("growing-signal", (1.0, 2.0, 300.0), "c"), ("fading-signal", (1.0, 0.01, 0.005), "b")],
)
def test_the_signal_is_followed_from_the_first_hidden_layer_to_the_last(rule: str, sizes: tuple, worst: str):
    series = {("activation.std", name): [size] * 5 for name, size in zip("abc", sizes, strict=True)}
    assert [finding.where for finding in findings(rule, run_of(series, layers="abc"))] == [worst]


def test_a_signal_that_keeps_its_size_within_a_hundredfold_is_fine():
    series = {("activation.std", name): [size] * 5 for name, size in zip("abc", (1.0, 10.0, 99.0), strict=True)}
    assert findings("growing-signal", run_of(series, layers="abc")) == []


def test_two_hidden_layers_make_no_trend():
    series = {("activation.std", name): [size] * 5 for name, size in zip("ab", (1.0, 1e4), strict=True)}
    assert kinds("growing-signal", run_of(series, layers="ab")) == {"NotMeasured"}


@pytest.mark.parametrize("rule", ["growing-signal", "fading-signal"])
def test_a_signal_that_is_not_finite_neither_fades_nor_grows(rule: str):
    """Of the entries that are left nothing can be said: here there are none, and their size is 0."""
    last = 300.0 if rule == "growing-signal" else 0.0
    series = {("activation.std", name): [value] * 5 for name, value in zip("abc", (1.0, 1.0, last), strict=True)}
    assert findings(rule, run_of(series, layers="abc"))
    broken = series | {("activation.nonfinite", "c"): [64.0] * 5}
    assert kinds(rule, run_of(broken, layers="abc")) == {"NotMeasured"}


def test_float16_has_thin_headroom_where_float32_has_plenty():
    run = run_of({("preactivation.max", "dense"): [7000.0] * 5}, layers=["dense"])
    assert findings("thin-headroom", run) == []
    with changing(run) as meta:
        meta["sites"][0]["dtype"] = "float16"
    assert findings("thin-headroom", run)[0].where == "dense"


Z = np.linspace(-3, 3, 61)


def bends(**by_site: float) -> dict:
    return {("activation.bend", name): [value] * 5 for name, value in by_site.items()}


def test_activations_that_nothing_bends_make_one_line_and_that_is_a_note():
    (finding,) = findings("linear-use", run_of(bends(a=0.01, b=0.019), layers="ab"))
    assert (finding.where, finding.severity) == ("", "note")
    assert "`tanh` in `b`, the least linear one, is a straight line except for 2 %" in finding.message


def test_one_activation_that_bends_is_enough():
    assert kinds("linear-use", run_of(bends(a=0.01, b=0.02), layers="ab")) == {"Healthy"}


def test_a_function_that_is_straight_everywhere_is_not_used_so():
    """It is missing, and another rule says so."""
    run = run_of(bends(a=0.0), layers="a")
    run.add_array("activation.curve", "a", 0, np.stack([Z, 30 * Z, np.full(61, 30.0)]))
    assert kinds("linear-use", run) == {"NotMeasured"}


def at_a_flat_place(size: float, slope: np.ndarray) -> Finding:
    series = {
        ("activation.saturated_share", "a"): [0.8] * 5,
        ("preactivation.std", "a"): [size] * 5,
        ("preactivation.mean", "a"): [0.0] * 5,
    }
    run = run_of(series, layers="a")
    run.add_array("activation.curve", "a", 0, np.stack([Z, Z, slope]))
    return findings("saturated-activation", run)[0]


def test_the_remedy_for_a_flat_place_says_in_which_direction_there_is_slope():
    def advised(size: float, slope: np.ndarray) -> list[tuple[str, object]]:
        return [(each.kind, each.value) for each in at_a_flat_place(size, slope).remedies]

    other, centred = ("replace-activation", "relu"), ("normalize-activation-input", None)
    tiny = advised(0.1, (np.abs(Z) > 0.95).astype(float))
    assert tiny == [other, ("scale-activation-input", 20.0), centred]  # the median of 1 to 3 is 2
    wide = advised(1.0, (np.abs(Z) < 0.35).astype(float))
    assert wide == [other, ("scale-activation-input", 0.2), centred]  # that of 0 to 0.3 is 0.2
    assert advised(0.1, np.zeros(61)) == [other, centred]  # no inputs would meet any slope
    assert advised(1.5, (Z > 1).astype(float)) == [other, centred]  # the median of 1 to 3 is 2: the size is right


def test_inputs_that_hardly_grew_are_not_blamed_on_the_learning_rate():
    series = {
        ("activation.saturated_share", "a"): [0.4, 0.8, 0.8, 0.8, 0.8],
        ("preactivation.std", "a"): [0.6, 1.1, 1.1, 1.1, 1.1],
        ("preactivation.mean", "a"): [0.0] * 5,
    }
    assert findings("saturated-activation", run_of(series, layers="a"))[0].blames[0] == "activation"


def test_a_function_of_ones_own_is_changed_wherever_it_stands_and_one_of_keras_where_it_was_found():
    sites = [{"where": name, "layer": name, "function": "mine", "custom": True} for name in "ab"]
    series = {
        ("activation.saturated_share", "a"): [0.8] * 5,
        ("preactivation.std", "a"): [1.0] * 5,
        ("preactivation.mean", "a"): [0.0] * 5,
    }
    (finding,) = findings("saturated-activation", run_of(series, layers="ab", sites=sites))
    assert [part.where for part in finding.remedies[0].parts] == ["a", "b"]
    sites = [site | {"custom": False} for site in sites]
    (finding,) = findings("saturated-activation", run_of(series, layers="ab", sites=sites))
    assert finding.remedies[0].where == "a"
