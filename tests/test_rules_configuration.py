"""The rules of configuration at their edges: facts made by hand, and a few real trainings."""

from __future__ import annotations

import json
import math
from typing import Any

import keras
import numpy as np
import pytest
from audited import METRIC, OF_ROWS, ROWS, audited
from hand_made import changing, findings, kinds, verdicts
from keras import ops

from diagnose.api import examine
from diagnose.callbacks import TrainingMonitor
from diagnose.rules.catalogue import ALL_RULES
from diagnose.run.run import Measurement, Run
from diagnose.verdict import Finding

CONFIGURATION = [
    "single-unit-softmax",
    "one-class-crossentropy",
    "missing-output-activation",
    "doubled-output-activation",
    "logits-thresholded-at-half",
    "accuracy-of-regression",
    "float-labels-in-sparse-loss",
    "wrong-accuracy-flavour",
    "empty-targets",
    "labels-out-of-range",
    "labels-outside-unit-interval",
    "everything-masked",
    "unreachable-targets",
    "broadcast-loss",
    "mismatched-loss",
    "clipped-logits",
    "mixed-samples",
    "odd-initial-loss",
]


@pytest.mark.parametrize("name", CONFIGURATION)
def test_sound_facts_are_healthy(name: str) -> None:
    assert kinds(name, audited()) == {"Healthy"}


@pytest.mark.parametrize("name", CONFIGURATION)
def test_without_an_audit_no_rule_could_look(name: str) -> None:
    assert [verdict.reason for verdict in verdicts(name, Run())] == ["no batch was audited"]  # type: ignore[union-attr]


@pytest.mark.parametrize("name", sorted({*CONFIGURATION} - {"single-unit-softmax", "clipped-logits", "mixed-samples"}))
def test_without_labels_only_the_output_can_be_judged(name: str) -> None:
    run = audited(labels={"given": False})
    assert kinds(name, run) == {"NotMeasured"}


@pytest.mark.parametrize("name", ["missing-output-activation", "mismatched-loss", "unreachable-targets"])
def test_a_loss_of_unknown_nature_is_not_judged_and_says_so(name: str) -> None:
    (verdict,) = verdicts(name, audited(loss={"takes": "unknown", "reason": "it is a riddle"}))
    assert "it is a riddle" in verdict.reason  # type: ignore[union-attr]


def test_verdicts_are_told_at_the_output() -> None:
    (verdict,) = verdicts("mismatched-loss", audited())
    assert verdict.where == "answer"


# --- single rules at their edges --------------------------------------------------------------------------------------


def of_one_unit(draws: int) -> Run:
    ones = {"min": 1.0, "max": 1.0, "distribution": False, "always_one": True}
    return audited(width=1, shape=[1], prediction=ones, reach={"draws": draws, "always_one": True})


def test_four_draws_prove_a_softmax_over_one_unit_and_three_do_not() -> None:
    assert kinds("single-unit-softmax", of_one_unit(4)) == {"Finding"}
    assert kinds("single-unit-softmax", of_one_unit(3)) == {"NotMeasured"}


def test_a_loss_that_stands_in_for_add_loss_is_no_one_class_crossentropy() -> None:
    run = audited(width=1, loss={"takes": "nothing", "free": 0.0, "value": 0.0})
    assert kinds("one-class-crossentropy", run) == {"Finding"}
    with changing(run) as meta:
        meta["audit"]["loss"]["extra"] = 1
    assert kinds("one-class-crossentropy", run) == {"Healthy"}


def test_a_loss_that_is_constant_but_not_zero_is_no_one_class_crossentropy() -> None:
    assert kinds("one-class-crossentropy", audited(width=1, loss={"takes": "nothing", "free": 0.7})) == {"Healthy"}


def test_a_thousandth_beyond_one_is_rounding() -> None:
    assert kinds("missing-output-activation", audited(prediction={"max": 1.001})) == {"Healthy"}
    assert kinds("missing-output-activation", audited(prediction={"max": 1.002})) == {"Finding"}


def test_half_of_the_draws_beyond_one_show_a_missing_activation_on_a_lucky_batch() -> None:
    """An output that starts at 0 lies in [0, 1] until the first step."""
    assert kinds("missing-output-activation", audited(reach={"escapes": 0.5})) == {"Finding"}
    assert kinds("missing-output-activation", audited(reach={"escapes": 0.4})) == {"Healthy"}
    assert kinds("missing-output-activation", audited(reach={"escapes": 1.0, "draws": 3})) == {"Healthy"}


def test_predictions_that_are_not_finite_are_not_called_rows_of_a_wrong_sum() -> None:
    run = audited(prediction={"distribution": False, "finite": 0.9})
    assert kinds("missing-output-activation", run) == {"NotMeasured"}


@pytest.mark.parametrize(("classes", "floor"), [(4, 0.744), (10, 1.461)])
def test_the_floor_of_a_doubled_softmax_is_ln_of_e_plus_c_minus_1_less_1(classes: int, floor: float) -> None:
    run = audited(width=classes, loss={"takes": "logits"})
    (found,) = findings("doubled-output-activation", run)
    assert found.evidence["least loss"] == pytest.approx(floor, abs=1e-3)


def test_the_remedy_names_the_loss_that_fits_the_labels() -> None:
    (found,) = findings("doubled-output-activation", audited(loss={"takes": "logits"}))
    assert '`loss="sparse_categorical_crossentropy"`' in found.remedy
    (found,) = findings("missing-output-activation", audited(prediction={"min": -3.0}, loss=OF_ROWS, labels=ROWS))
    assert "keras.losses.CategoricalCrossentropy(from_logits=True)" in found.remedy
    assert 'Dense(4, activation="softmax")' in found.remedy


def test_a_twentieth_of_fractions_can_still_be_counted() -> None:
    labels = {**ROWS, "zero_one": False, "distinct": 90, "one_hot": False}
    half = [{"name": "accuracy", "value": 0.1, "flavours": ["half"], "deaf": False, "cut": "half"}]
    at, over = (audited(metrics=half, labels={**labels, "fractional": share}) for share in (0.05, 0.06))
    assert kinds("accuracy-of-regression", at) == {"Healthy"}
    assert kinds("accuracy-of-regression", over) == {"Finding"}


def test_soft_labels_are_no_measurements() -> None:
    labels = {**ROWS, "zero_one": False, "one_hot": False, "fractional": 1.0, "distinct": 50}
    assert kinds("accuracy-of-regression", audited(labels=labels, loss=OF_ROWS)) == {"Healthy"}


@pytest.mark.parametrize(
    ("share", "severity"), [(0.005, None), (0.01, "warning"), (0.94, "warning"), (0.95, "critical")]
)
def test_empty_rows_weigh_by_their_share(share: float, severity: str | None) -> None:
    found = findings("empty-targets", audited(labels={**ROWS, "empty_rows": share}, loss=OF_ROWS))
    assert [finding.severity for finding in found] == ([severity] if severity else [])


@pytest.mark.parametrize(
    ("mean", "empty", "first"),
    [
        (1.0, 0.3, "empty-targets"),
        (0.8, 0.3, "empty-targets"),  # within two standard errors of 1
        (0.79, 0.3, "mismatched-loss"),
        (1.0, 0.09, "mismatched-loss"),
        (2.5, 0.3, "mismatched-loss"),
    ],
)
def test_as_many_ones_as_rows_with_many_rows_empty_are_labels_wrongly_built(mean, empty, first) -> None:
    labels = {**ROWS, "many_hot": 0.5, "empty_rows": empty, "row_sum_max": 3.0, "one_hot": False}
    run = audited(labels={**labels, "row_sum_mean": mean, "row_sum_error": 0.1}, loss=OF_ROWS)
    causes = examine(run).causes
    assert [cause.rule for cause in causes] == list(dict.fromkeys([first, "mismatched-loss"]))  # it fits either way
    assert (causes[0].blames[0] == "labels") == (first == "empty-targets")


def test_empty_rows_of_a_map_may_be_meant() -> None:
    labels = {**ROWS, "shape": [8, 8, 4], "empty_rows": 0.5}
    assert [f.severity for f in findings("empty-targets", audited(labels=labels, loss=OF_ROWS))] == ["note"]


def test_an_ignored_class_number_is_in_range() -> None:
    ignored = {"max": 255.0, "outside": 0.2}
    assert kinds("labels-out-of-range", audited(labels={**ignored, "outside_refused": False})) == {"Healthy"}
    assert kinds("labels-out-of-range", audited(labels={**ignored, "outside_refused": True})) == {"Finding"}


@pytest.mark.parametrize(("low", "high", "remedy"), [(1, 4, "y = y - 1"), (0, 6, "Dense(7)"), (-1, 2, "np.unique")])
def test_the_remedy_for_wrong_class_numbers_follows_from_them(low: int, high: int, remedy: str) -> None:
    labels = {"min": float(low), "max": float(high), "outside": 0.1, "outside_refused": True}
    (found,) = findings("labels-out-of-range", audited(labels=labels))
    assert remedy in found.remedy


def blind(**parts: Any) -> list[Finding]:
    parts = {"loss": {"takes": "unknown", "heeds_labels": False}, **parts}
    return findings("mismatched-loss", audited(**parts))


def test_a_loss_that_heeds_no_label_is_a_fault_where_an_accuracy_is_measured() -> None:
    """A loss of the user's own, such as a contrast of two views, may be given labels that it does not need."""
    assert [finding.severity for finding in blind()] == ["critical"]
    assert blind(metrics=[]) == []
    assert blind(labels={"varied": False}) == []
    assert [f.severity for f in blind(loss={"heeds_labels": False}, metrics=[])] == ["critical"]  # a cross-entropy


def test_a_loss_whose_arguments_are_exchanged_is_told_so() -> None:
    (found,) = findings("mismatched-loss", audited(loss={"takes": "unknown", "takes_exchanged": "probabilities"}))
    assert "arguments exchanged" in found.message and "loss(y_true, y_pred)" in found.remedy


@pytest.mark.parametrize("fact", [{"takes_negated": "values"}, {"one_answer": True}], ids=["turned sign", "one answer"])
@pytest.mark.parametrize(("weight", "others", "found"), [(1.0, 0, 1), (-0.1, 0, 0), (1.0, 1, 0)])
def test_a_loss_that_asks_for_what_is_wrong_is_a_fault_unless_it_may_be_an_adversary(
    fact: dict[str, Any], weight: float, others: int, found: int
) -> None:
    run = audited(loss={"takes": "unknown", "weight": weight, **fact})
    sound = audited().meta["audit"]["outputs"][0] | {"where": "other"}
    with changing(run) as meta:
        meta["audit"]["outputs"].extend([sound] * others)
    assert len(findings("mismatched-loss", run)) == found


@pytest.mark.parametrize(
    ("left", "trained", "measured", "found"),
    [("size", False, True, 0), ("size", True, True, 1), ("size", True, False, 0), ("which", False, True, 1)],
)
def test_what_a_loss_leaves_open_is_a_fault_where_it_is_not_learned(
    left: str, trained: bool, measured: bool, found: int
) -> None:
    """A likeness of directions may be all that is wanted; who also measures the distance wants more."""
    run = audited(loss={"takes": "unknown", "aim": left}, metrics=[METRIC | {"minds": measured}])
    if trained:
        with changing(run) as meta:
            meta["task"] = {"kind": "regression", "outputs": {"": {"kind": "regression"}}}
        run.add(*(Measurement("skill.train", "", step, -1.0) for step in (0, 400, 800)))
        run.add(*(Measurement("optimizer.updates", "", step, float(step)) for step in (0, 400, 800)))
    assert len(findings("mismatched-loss", run)) == found


@pytest.mark.parametrize(
    ("mixes", "expected"),
    [
        ({"difference": 0.01, "by": None}, "Healthy"),
        ({"difference": 0.011, "by": None}, "Finding"),
        (None, "NotMeasured"),
    ],
)
def test_an_answer_that_moves_by_a_hundredth_of_its_spread_is_not_mixed(mixes: Any, expected: str) -> None:
    assert kinds("mixed-samples", audited(mixes=mixes)) == {expected}


def test_a_layer_that_mixes_the_samples_of_two_outputs_is_one_finding_at_its_place() -> None:
    run = audited(mixes={"difference": 2.0, "by": "turned"})
    with changing(run) as meta:
        meta["audit"]["outputs"].append(meta["audit"]["outputs"][0] | {"where": "other"})
    (found,) = findings("mixed-samples", run)
    assert (found.where, found.severity) == ("turned", "critical")


def test_samples_mixed_by_an_activation_are_its_fault_though_the_skill_is_high() -> None:
    """The accuracy was taken on batches: on samples one at a time it is another."""

    def unit(z: Any) -> Any:
        return ops.relu(z) / ops.norm(ops.relu(z) + 1e-6, axis=0, keepdims=True)

    keras.utils.set_random_seed(1)
    x = np.random.default_rng(0).normal(size=(256, 2)).astype("float32")
    y = (x[:, 0] + x[:, 1] > 0).astype(int)
    x[:, 0] += 0.1
    inputs = keras.Input((2,))
    hidden = keras.layers.Dense(16, activation=unit, name="hidden")(inputs)
    made = keras.Model(inputs, keras.layers.Dense(2, activation="softmax")(hidden))
    made.compile(keras.optimizers.Adam(0.05), "sparse_categorical_crossentropy", metrics=["accuracy"])
    monitor = TrainingMonitor()
    made.fit(x, y, epochs=15, batch_size=64, verbose=0, callbacks=[monitor])
    assert monitor.diagnosis.outcome == "learning"
    (cause,) = monitor.diagnosis.causes
    assert (cause.rule, cause.where, cause.severity) == ("mixing-activation", "hidden", "critical")
    assert cause.explains == ("mixed-samples",)


def test_an_activation_that_mixes_the_units_of_a_sample_mixes_no_samples() -> None:
    rule = next(rule for rule in ALL_RULES if rule.name == "mixed-samples")
    (found,) = findings("mixed-samples", audited(mixes={"difference": 2.0, "by": None}))
    by_units, by_batch = (
        Finding("", "", severity="warning", evidence={"mixes": mixed}, rule="mixing-activation")
        for mixed in ("units, places", "batch, units")
    )
    assert not rule.can_follow(found, by_units)
    assert rule.can_follow(found, by_batch)


@pytest.mark.parametrize(("left", "expected"), [(1e-6, "Finding"), (2e-6, "Healthy"), (1.0, "Healthy")])
def test_a_millionth_of_the_loss_is_nothing(left: float, expected: str) -> None:
    run = audited(loss={"value": left, "free": 1.0}, weights={"given": True, "sum": 1.0})
    assert kinds("everything-masked", run) == {expected}


def test_an_output_switched_off_beside_others_is_a_note() -> None:
    run = audited(loss={"weight": 0.0})
    other = json.loads(json.dumps(run.meta["audit"]["outputs"][0])) | {"where": "other"}
    other["loss"]["weight"] = 1.0
    assert [finding.severity for finding in findings("everything-masked", run)] == ["critical"]
    with changing(run) as meta:
        meta["audit"]["outputs"].append(other)
    assert [finding.severity for finding in findings("everything-masked", run)] == ["note"]


def test_one_label_in_a_hundred_out_of_reach_is_an_outlier() -> None:
    under, at = (audited(loss={"takes": "values"}, labels={"unreachable": share}) for share in (0.009, 0.01))
    assert kinds("unreachable-targets", under) == {"Healthy"}
    assert kinds("unreachable-targets", at) == {"Finding"}


def test_labels_that_are_the_input_may_be_one_hot_under_a_distance() -> None:
    values = {**OF_ROWS, "takes": "values", "over": "entries"}
    assert kinds("mismatched-loss", audited(labels=ROWS, loss=values)) == {"Finding"}
    assert kinds("mismatched-loss", audited(labels={**ROWS, "is_input": True}, loss=values)) == {"Healthy"}


def test_two_classes_under_a_softmax_are_the_same_for_both_cross_entropies() -> None:
    entries = {**OF_ROWS, "over": "entries"}
    assert kinds("mismatched-loss", audited(width=2, labels=ROWS, loss=entries)) == {"Healthy"}
    assert kinds("mismatched-loss", audited(width=3, labels=ROWS, loss=entries)) == {"Finding"}


def test_a_sigmoid_that_never_falls_below_a_half_has_a_relu_before_it() -> None:
    reach = {"distribution": False, "lower": 0.5, "upper": 1.0}
    assert kinds("clipped-logits", audited(width=1, reach=reach)) == {"Finding"}
    assert kinds("clipped-logits", audited(width=1, reach={**reach, "lower": 0.45})) == {"Healthy"}


@pytest.mark.parametrize(
    ("value", "expected"),
    [(2 * math.log(4), "Healthy"), (2.01 * math.log(4), "Finding"), (0.1 * math.log(4), "Healthy"), (0.13, "Finding")],
)
def test_the_initial_loss_may_be_a_tenth_to_twice_that_of_a_guess(value: float, expected: str) -> None:
    assert kinds("odd-initial-loss", audited(loss={"value": value})) == {expected}


def test_the_initial_loss_of_a_trained_model_is_not_judged() -> None:
    assert kinds("odd-initial-loss", audited(iterations=1, loss={"value": 9.0})) == {"NotMeasured"}


def test_an_odd_initial_loss_is_never_more_than_a_note() -> None:
    assert {finding.severity for finding in findings("odd-initial-loss", audited(loss={"value": 99.0}))} == {"note"}


def regression_from(first: float, last: float, constant: float) -> Run:
    run = audited(loss={"takes": "values", "value": first}, labels={"min": -2e-5, "max": 2e-5})
    run.add(Measurement("loss.constant", "", 0, constant), Measurement("loss.train", "", 9, last))
    return run


@pytest.mark.parametrize(
    ("first", "last", "found"),
    [(1.1e-6, 2e-10, True), (0.9e-6, 2e-10, False), (1.1e-6, 0.9e-10, False)],
    ids=["far and still over", "not so far", "learned"],
)
def test_targets_far_smaller_than_untrained_answers_are_told_if_they_stay_so(
    first: float, last: float, found: bool
) -> None:
    told = findings("odd-initial-loss", regression_from(first, last, 1e-10))
    assert [finding.severity for finding in told] == (["warning"] if found else [])


@pytest.mark.parametrize(
    ("value", "skill", "found"), [(2e-9, 0.1, 1), (2e-9, 0.3, 0), (2e-4, 0.1, 0)], ids=["drowned", "learned", "heard"]
)
def test_a_loss_that_another_one_drowns_is_told_where_little_is_learned(value: float, skill: float, found: int) -> None:
    run = audited(loss={"value": value})
    with changing(run) as meta:
        meta["audit"]["outputs"].append(audited().meta["audit"]["outputs"][0] | {"name": "price", "where": "price"})
    run.add(Measurement("skill.train", "answer", 9, skill), Measurement("skill.train", "price", 9, 0.9))
    told = findings("mismatched-loss", run)
    assert [finding.where for finding in told] == ["answer"] * found
    assert all('loss_weights={"price": 1e-09}' in finding.remedy for finding in told)


def test_hollow_loss_without_a_known_cause_is_the_last_resort() -> None:
    assert "loss-metric-disagreement" not in {cause.rule for cause in examine(audited()).causes}
    assert kinds("loss-metric-disagreement", Run()) == {"NotMeasured"}
