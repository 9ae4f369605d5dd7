"""Architecture and initialization: part H of the catalogue, on runs made by hand."""

from __future__ import annotations

import pytest
from hand_made import findings, kinds, run_of


@pytest.mark.parametrize(("size", "advice"), [(30.0, "Divide"), (0.01, "Multiply")])
def test_inputs_ten_times_off_at_half_of_the_activations_are_mismatched(size: float, advice: str):
    run = run_of({("preactivation.std", "a"): [size] * 3, ("preactivation.std", "b"): [1.0] * 3}, layers="ab")
    (finding,) = findings("mismatched-initialization", run)
    assert (finding.where, finding.since) == ("a", 0)
    assert advice in finding.remedy


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


def test_dropping_most_units_is_heavy_only_where_training_mode_suffers():
    task = {"kind": "categorical", "majority_share": 0.1}
    run = run_of({"batch.accuracy": [0.3] * 5}, layers="ab", task=task)
    run.meta["model"]["layers"][1]["rate"] = 0.85
    assert [finding.where for finding in findings("heavy-dropout", run)] == ["b"]
    run = run_of({"batch.accuracy": [0.9] * 5}, layers="ab", task=task)
    run.meta["model"]["layers"][1]["rate"] = 0.85
    assert findings("heavy-dropout", run) == []


def test_the_usual_half_is_heavy_in_front_of_few_units_only():
    task = {"kind": "categorical", "majority_share": 0.1}
    for units, found in ((10, 1), (64, 0)):
        run = run_of({"batch.accuracy": [0.3] * 5}, layers="ab", task=task)
        run.meta["model"]["layers"][0]["units"] = units
        run.meta["model"]["layers"][1] |= {"rate": 0.6, "units": None}
        assert len(findings("heavy-dropout", run)) == found
