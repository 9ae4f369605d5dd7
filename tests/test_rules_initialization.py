"""Architecture and initialization, on runs made by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hand_made import changing, findings, kinds, run_of


@pytest.mark.parametrize(
    ("size", "advice"),
    [(30.0, "divide the initial kernels of `a` by 30"), (0.01, "multiply the initial kernels of `a` by 100")],
)
def test_inputs_ten_times_off_at_half_of_the_activations_are_mismatched(size: float, advice: str):
    run = run_of({("preactivation.std", "a"): [size] * 3, ("preactivation.std", "b"): [1.0] * 3}, layers="ab")
    (finding,) = findings("mismatched-initialization", run)
    assert (finding.where, finding.since) == ("a", 0)
    assert advice in finding.remedy


@pytest.mark.parametrize(("weight", "told"), [(0.001, 1), (0.1, 0)])
def test_only_kernels_that_are_off_themselves_are_mismatched(weight: float, told: int):
    """With a fan-in of 100 a weight of 0.1 keeps the size of what comes in: small embeddings, say."""
    series = {("preactivation.std", "a"): [0.01] * 3, ("weight.rms", "a/kernel"): [weight] * 3}
    run = run_of({**series, ("gradient.rms", "a/kernel"): [1.0] * 3}, layers="a")
    with changing(run) as meta:
        meta["model"]["layers"][0]["fan_in"] = 100
    assert len(findings("mismatched-initialization", run)) == told


def test_one_odd_layer_of_three_is_fine():
    series = {("preactivation.std", name): [size] for name, size in zip("abc", (30.0, 1.0, 1.0), strict=True)}
    assert findings("mismatched-initialization", run_of(series, layers="abc")) == []


def test_exactly_ten_times_is_still_fine():
    assert findings("mismatched-initialization", run_of({("preactivation.std", "a"): [10.0]}, layers="a")) == []


def test_a_network_first_seen_after_a_thousand_steps_says_nothing_of_its_start():
    run = run_of({("preactivation.std", "a"): [30.0]}, layers="a", steps=[1000])
    assert kinds("mismatched-initialization", run) == {"NotMeasured"}


def test_units_that_stay_equal_are_symmetric_and_units_that_part_at_the_first_step_are_not():
    assert (
        findings("symmetric-initialization", run_of({("weight.twin_share", "a/kernel"): [1.0] * 5}))[0].severity
        == "critical"
    )
    assert findings("symmetric-initialization", run_of({("weight.twin_share", "a/kernel"): [1.0, 0, 0, 0, 0]})) == []
    assert findings("symmetric-initialization", run_of({("weight.twin_share", "a/kernel"): [1.0, 1.0]}))
    assert kinds("symmetric-initialization", run_of({("weight.twin_share", "a/kernel"): [1.0]})) == {"NotMeasured"}


def straight(*names: str) -> dict:
    return {
        (f"{side}.{number}", name): [value] * 3
        for name in names
        for side in ("preactivation", "activation")
        for number, value in (("mean", 0.1), ("std", 0.9))
    }


def test_one_straight_layer_is_a_note_and_nothing_but_straight_layers_a_warning():
    bent = straight("b") | {("activation.std", "b"): [0.5] * 3}
    (finding,) = findings("missing-nonlinearity", run_of(straight("a") | bent, layers="ab"))
    assert (finding.where, finding.severity) == ("a", "note")
    found = findings("missing-nonlinearity", run_of(straight("a", "b"), layers="ab"))
    assert [finding.severity for finding in found] == ["warning", "warning"]


def test_a_relu_that_meets_positive_inputs_only_is_no_missing_nonlinearity():
    run = run_of(straight("a", "b"), layers="ab")
    z = np.linspace(-3.0, 500.0, 50)
    for name, slope in (("a", (z > 0).astype(float)), ("b", np.ones(50))):
        run.add_array("activation.curve", name, 0, np.stack([z, z * slope, slope]))
    assert [(found.where, found.severity) for found in findings("missing-nonlinearity", run)] == [("b", "note")]


def test_dropping_most_units_is_heavy_only_where_training_mode_suffers():
    task = {"kind": "categorical", "majority_share": 0.1}
    run = run_of({"batch.accuracy": [0.3] * 5}, layers="ab", task=task)
    with changing(run) as meta:
        meta["model"]["layers"][1]["rate"] = 0.85
    assert [finding.where for finding in findings("heavy-dropout", run)] == ["b"]
    run = run_of({"batch.accuracy": [0.9] * 5}, layers="ab", task=task)
    with changing(run) as meta:
        meta["model"]["layers"][1]["rate"] = 0.85
    assert findings("heavy-dropout", run) == []


def test_without_an_accuracy_the_loss_in_training_mode_tells_whether_dropout_is_heavy():
    for loss, found in ((0.9, 1), (0.4, 0)):
        run = run_of({"batch.loss": [loss] * 5, "loss.constant": [1.0]}, layers="ab", task={"kind": "regression"})
        with changing(run) as meta:
            meta["model"]["layers"][1]["rate"] = 0.85
        assert len(findings("heavy-dropout", run)) == found


def test_the_usual_half_is_heavy_in_front_of_few_units_only():
    task = {"kind": "categorical", "majority_share": 0.1}
    for units, found in ((10, 1), (64, 0)):
        run = run_of({"batch.accuracy": [0.3] * 5}, layers="ab", task=task)
        with changing(run) as meta:
            meta["model"]["layers"][0]["units"] = units
            meta["model"]["layers"][1] |= {"rate": 0.6, "units": None}
        assert len(findings("heavy-dropout", run)) == found


def numbers(name: str, side: str, low: float, high: float) -> dict:
    """An activation's numbers on one side, at three observations."""
    values = {"mean": (low + high) / 2, "std": (high - low) / 4, "min": low, "max": high}
    return {(f"{side}.{of}", name): [value] * 3 for of, value in values.items()}


def in_a_row(spread: float) -> dict:
    """b is given what a gives; the relative spread behind a is 0.8, behind b as said."""
    series = numbers("a", "preactivation", -2, 2) | numbers("a", "activation", 0, 2)
    series |= numbers("b", "preactivation", 0, 2) | numbers("b", "activation", 0.5, 0.9)
    return series | {("activation.spread", "a"): [0.8] * 3, ("activation.spread", "b"): [spread] * 3}


def test_two_activations_in_a_row_are_doubled_and_a_warning_where_the_second_squeezes():
    (finding,) = findings("doubled-activation", run_of(in_a_row(0.39), layers="ab"))
    assert (finding.where, finding.severity) == ("b", "warning")
    assert "49 % of the variation" in finding.message
    assert [finding.severity for finding in findings("doubled-activation", run_of(in_a_row(0.4), layers="ab"))] == [
        "note"
    ]


def test_an_activation_behind_a_straight_layer_is_not_doubled():
    """`Dense(8)` and then `Activation("sigmoid")`: the first hands on what it computed."""
    series = in_a_row(0.1) | numbers("a", "preactivation", 0, 2)
    assert kinds("doubled-activation", run_of(series, layers="ab")) == {"Healthy"}


def test_an_activation_behind_a_layer_with_weights_is_not_doubled():
    series = in_a_row(0.1) | numbers("b", "preactivation", -3, 3)
    assert kinds("doubled-activation", run_of(series, layers="ab")) == {"Healthy"}


def chain(*classes: str) -> dict:
    run = run_of({}, layers=[f"{index}_{name}" for index, name in enumerate(classes)])
    with changing(run) as meta:
        for layer, name in zip(meta["model"]["layers"], classes, strict=True):
            layer |= {"class": name, "rate": 0.5 if name == "Dropout" else None}
    return run


def test_dropout_in_front_of_a_batch_normalization_is_a_note():
    (finding,) = findings("activation-order", chain("Dense", "Dropout", "Dense", "BatchNormalization"))
    assert (finding.where, finding.severity) == ("1_Dropout", "note")


def test_dropout_behind_it_or_with_another_normalization_between_is_fine():
    assert kinds("activation-order", chain("Dense", "BatchNormalization", "Dropout", "Dense")) == {"Healthy"}
    between = chain("Dropout", "LayerNormalization", "Dense", "BatchNormalization")
    assert kinds("activation-order", between) == {"Healthy"}


def test_a_bias_that_a_batch_normalization_takes_away_is_a_note():
    run = chain("Dense", "BatchNormalization")
    run.add_column("gradient.rms", "0_Dense/kernel", np.arange(3), np.ones(3))
    run.add_column("gradient.rms", "0_Dense/bias", np.arange(3), np.full(3, 1e-3))
    assert [finding.where for finding in findings("activation-order", run)] == ["0_Dense"]


def test_a_bias_that_matters_is_fine():
    """Behind an activation it moves the kink, which no mean takes away."""
    run = chain("Dense", "BatchNormalization")
    run.add_column("gradient.rms", "0_Dense/kernel", np.arange(3), np.ones(3))
    run.add_column("gradient.rms", "0_Dense/bias", np.arange(3), np.full(3, 1.1e-3))
    assert kinds("activation-order", run) == {"Healthy"}


def test_the_order_of_layers_that_do_not_tell_is_not_judged():
    run = chain("Dropout", "BatchNormalization")
    with changing(run) as meta:
        for layer in meta["model"]["layers"]:
            del layer["inbound"]
    assert kinds("activation-order", run) == {"NotMeasured"}
