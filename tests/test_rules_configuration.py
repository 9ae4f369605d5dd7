"""The rules of configuration and reporting at their edges: facts made by hand, and a few real trainings."""

from __future__ import annotations

import json
import math
from typing import Any

import keras
import numpy as np
import pytest
from hand_made import changing, findings, kinds, run_of, verdicts
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


METRIC = {"name": "accuracy", "value": 0.25, "flavours": ["argmax"], "deaf": False, "cut": "", "minds": False}


def audited(iterations: int = 0, **parts: dict[str, Any]) -> Run:
    """A run that knows one output: four classes, a softmax, sparse cross-entropy, all sound, but for `parts`."""
    output: dict[str, Any] = {
        "name": "answer",
        "where": "answer",
        "shape": [4],
        "width": 4,
        "prediction": {
            "min": 0.1,
            "max": 0.5,
            "finite": 1.0,
            "unit_interval": True,
            "distribution": True,
            "row_sum": 1.0,
            "always_one": False,
        },
        "reach": {
            "draws": 10,
            "lower": 0.0,
            "upper": 1.0,
            "always_one": False,
            "distribution": True,
            "escapes": 0.0,
            "logit_span": None,
            "logit_floor": False,
            "doubled": False,
        },
        "labels": {
            "given": True,
            "shape": [],
            "dtype": "int64",
            "count": 100,
            "min": 0.0,
            "max": 3.0,
            "finite": 1.0,
            "fractional": 0.0,
            "distinct": 4,
            "alignment": "ids",
            "zero_one": False,
            "plus_minus_one": False,
            "varied": True,
            "is_input": False,
            "unreachable": 0.0,
            "outside": 0.0,
            "outside_refused": False,
        },
        "loss": {
            "name": "loss",
            "value": 1.4,
            "weight": 1.0,
            "error": "",
            "takes": "probabilities",
            "over": "classes",
            "targets": "ids",
            "reason": "",
            "free": 1.4,
            "rescued": False,
            "silent": False,
            "pairs_up": None,
            "repeats": False,
            "heeds_wild_labels": False,
        },
        "mixes": {"difference": 0.0, "by": None},
        "weights": {"given": False, "sum": None},
        "accuracies": {"argmax": 0.25},
        "metrics": [METRIC],
    }
    for name, changes in parts.items():
        output[name] = {**output[name], **changes} if isinstance(changes, dict) and output[name] else changes
    loss = {"value": 1.4, "error": "", "custom": False, "extra": 0}
    return Run({"audit": {"samples": 100, "iterations": iterations, "loss": loss, "outputs": [output]}})


ROWS = {"shape": [4], "alignment": "vectors", "one_hot": True, "many_hot": 0.0, "empty_rows": 0.0}
ROWS |= {"row_sum_min": 1.0, "row_sum_max": 1.0, "zero_one": True, "max": 1.0, "distinct": 2}
OF_ROWS = {"targets": "vectors"}


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


# --- reporting --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("logged", "severity"),
    [(1.0, None), (0.951, None), (0.949, "note"), (0.101, "note"), (0.099, "warning"), (0.0, "warning")],
)
def test_the_logged_loss_may_be_off_by_a_twentieth(logged: float, severity: str | None) -> None:
    run = run_of({"batch.loss_reported": [logged] * 3, "batch.loss": [1.0] * 3})
    assert [finding.severity for finding in findings("loss-not-reported", run)] == ([severity] if severity else [])


def test_epochs_of_zero_loss_beside_batches_that_have_one_are_not_reported() -> None:
    run = run_of({"batch.loss": [0.7, 0.6, 0.5]})
    run.history["loss"] = [0.0, 0.0]
    assert kinds("loss-not-reported", run) == {"Finding"}
    run.history["loss"] = [0.0, 0.6]
    assert kinds("loss-not-reported", run) == {"Healthy"}


def test_a_loss_that_is_zero_is_reported_as_zero() -> None:
    assert kinds("loss-not-reported", run_of({"batch.loss_reported": [0.0], "batch.loss": [0.0]})) == {"Healthy"}


@pytest.mark.parametrize("history", [{}, {"d_loss": [1.0], "g_loss": [2.0]}])
def test_two_losses_under_other_names_are_not_compared(history: dict[str, list[float]]) -> None:
    run = run_of({"batch.loss": [0.7]})
    run.history.update(history)
    assert kinds("loss-not-reported", run) == {"NotMeasured"}


def logged(**history: list[float]) -> Run:
    run = Run()
    run.history.update(history)
    return run


@pytest.mark.parametrize(
    ("history", "expected"),
    [
        ({"loss": [0.7, 0.0], "accuracy": [0.6, 0.0]}, "Finding"),
        ({"loss": [0.7, 0.0], "accuracy": [0.6, 0.5]}, "Healthy"),
        ({"loss": [0.7, 0.0, 0.6]}, "Finding"),
        ({"loss": [0.7, 1e-4, 0.0]}, "Healthy"),
        ({"loss": [0.0, 0.0]}, "Healthy"),
        ({"loss": [0.7, 0.6], "val_loss": [0.0, 0.0], "val_accuracy": [0.0, 0.0]}, "Finding"),
        ({"loss": [0.7, 0.6], "val_loss": [0.8, 0.7], "val_accuracy": [0.0, 0.0]}, "Healthy"),
        ({}, "NotMeasured"),
    ],
)
def test_an_epoch_of_zeros_saw_no_batch(history: dict[str, list[float]], expected: str) -> None:
    assert kinds("no-data-seen", logged(**history)) == {expected}


def test_a_training_without_a_step_saw_no_data() -> None:
    assert kinds("no-data-seen", Run({"finished": "completed", "steps_seen": 0})) == {"Finding"}


@pytest.mark.parametrize(("steps", "expected"), [(30, "Healthy"), (29, "Finding")])
def test_an_epoch_whose_steps_were_all_seen_is_not_empty_though_loss_and_metrics_are_zero(steps, expected) -> None:
    """Rows of labels without a class give a loss of 0, and now and then an accuracy of 0."""
    run = logged(loss=[0.0, 0.0, 0.0], accuracy=[0.1, 0.0, 0.0])
    with changing(run) as meta:
        meta |= {"fit": {"steps": 10}, "steps_seen": steps}
    assert kinds("no-data-seen", run) == {expected}


@pytest.mark.parametrize(
    ("samples", "first", "expected"), [(64, 0.0, "Healthy"), (64, 0.1, "Finding"), (0, 0.0, "Finding")]
)
def test_a_validation_of_which_samples_were_seen_is_not_empty(samples, first, expected) -> None:
    """They are kept in the first validation; a later one may have been without any."""
    run = logged(loss=[0.7, 0.6], val_loss=[first, 0.0], val_accuracy=[first, 0.0])
    with changing(run) as meta:
        meta["task"] = {"held_validation_samples": samples}
    assert kinds("no-data-seen", run) == {expected}


# --- real trainings ---------------------------------------------------------------------------------------------------

RNG = np.random.default_rng(4)
X = RNG.normal(size=(256, 6)).astype("float32")
YES = (X[:, 0] + X[:, 1] > 0).astype("float32")


class Silent(keras.Model):
    """A train_step of the user's own that forgets the loss tracker, or does not."""

    tracked = False

    def train_step(self, data: Any) -> Any:
        import tensorflow as tf

        x, y = data
        with tf.GradientTape() as tape:
            y_pred = self(x, training=True)
            loss = self.compute_loss(x=x, y=y, y_pred=y_pred)
        variables = self.trainable_variables
        self.optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        if self.tracked:
            self._loss_tracker.update_state(loss)
        return self.compute_metrics(x, y, y_pred)


def trained(made: Any, *args: Any, **settings: Any) -> Any:
    monitor = TrainingMonitor()
    made.fit(*args, callbacks=[monitor], verbose=0, **settings)
    return monitor.diagnosis


def classifier(kind: type = keras.Model, loss: Any = "binary_crossentropy", activation: str = "sigmoid") -> Any:
    keras.utils.set_random_seed(1)
    inputs = keras.Input((6,))
    hidden = keras.layers.Dense(16, activation="relu")(inputs)
    made = kind(inputs, keras.layers.Dense(1, activation=activation)(hidden))
    made.compile(keras.optimizers.Adam(0.01), loss, metrics=["accuracy"])
    return made


@pytest.mark.parametrize("tracked", [False, True], ids=["sick", "cured"])
def test_a_forgotten_loss_tracker(tracked: bool) -> None:
    """Loss 0.0 is printed though the weights move; the remedy's line cures it."""
    kind = type("Silent", (Silent,), {"tracked": tracked})
    diagnosis = trained(classifier(kind), X, YES, epochs=6)
    assert ("loss-not-reported" in {cause.rule for cause in diagnosis.causes}) == (not tracked)


@pytest.mark.parametrize("batches", [10, 40], ids=["sick", "cured"])
def test_a_generator_that_runs_dry(batches: int) -> None:
    def some() -> Any:
        for _ in range(batches):
            yield X[:32], YES[:32]

    diagnosis = trained(classifier(), some(), epochs=4, steps_per_epoch=10)
    assert ("no-data-seen" in {cause.rule for cause in diagnosis.causes}) == (batches == 10)


def test_a_softmax_over_one_unit_is_the_cause_of_a_real_training_that_stands_still() -> None:
    """The audit of the first batch is part of every watched training."""
    diagnosis = trained(classifier(activation="softmax", loss="categorical_crossentropy"), X, YES, epochs=4)
    assert {"single-unit-softmax", "one-class-crossentropy"} == {cause.rule for cause in diagnosis.causes}


def test_a_sound_training_has_no_fault_of_configuration() -> None:
    diagnosis = trained(classifier(), X, YES, epochs=6)
    assert {finding.rule for finding in diagnosis.findings if finding.severity != "note"} == set()


def test_hollow_loss_without_a_known_cause_is_the_last_resort() -> None:
    assert "loss-metric-disagreement" not in {cause.rule for cause in examine(audited()).causes}
    assert kinds("loss-metric-disagreement", Run()) == {"NotMeasured"}
