"""The cause first, its symptoms after it, and nothing that harms nobody."""

from __future__ import annotations

import numpy as np
import pytest
from hand_made import changing, run_of

from diagnose.api import examine
from diagnose.diagnosis.explanation import Node, explain
from diagnose.diagnosis.headline import brief, headline
from diagnose.outcome.outcome import Outcome
from diagnose.rules.catalogue import ALL_RULES
from diagnose.run.layout import Layout
from diagnose.run.run import Run
from diagnose.verdict import SEVERITIES, Finding

TASK = {"kind": "categorical", "majority_share": 0.1, "held_samples": 1000}
STUCK = {"skill.train": [0.0, 0.0], "batch.loss": [2.3] * 12}
GOOD = {"skill.train": [0.0, 0.97], "skill.validation": [0.0, 0.95], "batch.loss": np.linspace(2.3, 0.1, 12)}
STEPS = range(0, 1200, 100)
SEEN = {"task": TASK, "steps_seen": 1200, "steps": STEPS}
RULES = {rule.name: rule for rule in ALL_RULES}


def blocked(*layers: str) -> dict:
    """Flat activations in these layers, and the gradient of the first kernel lost on the way."""
    series: dict = {}
    for name in layers:
        series[("activation.saturated_share", name)] = [0.95] * 12
        series[("activation.gate_gain", name)] = [0.004] * 12
    series |= {("gradient.rms", "a/kernel"): [1e-8] * 12, ("gradient.rms", "z/kernel"): [1e-2] * 12}
    series |= {("weight.spectral_norm", f"{name}/kernel"): [1.0] for name in "az"}
    return series


def names(findings) -> list[str]:
    return [finding.rule for finding in findings]


def node(rule: str, where: str = "", since: int | None = 0, severity: str = "warning", confidence: float = 0.5) -> Node:
    finding = Finding(where, "told", severity=severity, since=since, confidence=confidence, rule=rule)
    return Node(finding, RULES[rule], (where,))


def test_a_run_without_taps_is_not_called_healthy():
    assert examine(Run()).headline == f"nothing measured: 0 of {len(ALL_RULES)} checks ran"
    assert not examine(Run()).healthy


def test_a_good_training_is_called_healthy_with_the_numbers_that_say_so():
    diagnosis = examine(run_of(GOOD, layers="az", **SEEN))
    assert diagnosis.healthy
    assert diagnosis.headline.startswith(
        "healthy: the accuracy is 97 % on training samples (always predicting the commonest class: 10 %)"
    )


@pytest.mark.parametrize(
    ("skill", "begins"),
    [
        (0.2, "no fault found, though little is learned: the accuracy is 28 % on"),
        (0.39, "no fault found, but it may not be the best possible: the accuracy is 45 % on"),
        (0.9, "healthy: the accuracy is 91 % on"),
    ],
)
def test_only_what_is_good_is_called_healthy(skill, begins):
    """No simple model is known beside this network, so nobody can say that 45 % is as good as it gets."""
    course = {"skill.train": [0.0, skill], "skill.validation": [0.0, skill], "batch.loss": np.linspace(2.3, 0.1, 12)}
    diagnosis = examine(run_of(course, layers="az", **SEEN))
    assert diagnosis.causes == () and diagnosis.headline.startswith(begins)


def test_the_flat_activation_is_the_cause_and_the_lost_gradient_its_consequence():
    diagnosis = examine(run_of(blocked("a") | STUCK, layers="az", **SEEN))
    assert names(diagnosis.causes) == ["saturated-activation"]
    assert {"blocked-gradient", "vanishing-gradient", "plateau"} <= set(names(diagnosis.consequences_of[0]))
    assert "vanishing-gradient" in diagnosis.causes[0].explains


def test_the_headline_holds_number_place_and_remedy():
    diagnosis = examine(run_of(blocked("a") | STUCK, layers="az", **SEEN))
    assert "95 % of the inputs of `tanh` in `a` fall where its slope is almost 0" in diagnosis.headline
    assert diagnosis.headline.endswith(diagnosis.causes[0].remedy)


def test_the_headline_says_where_else_the_same_happens():
    diagnosis = examine(run_of(blocked("a", "b", "c") | STUCK, layers="abcz", **SEEN))
    assert "`b` and 1 more" in diagnosis.headline


def test_a_flat_activation_in_a_training_that_goes_well_is_a_note():
    diagnosis = examine(run_of(blocked("a") | GOOD, layers="az", **SEEN))
    assert diagnosis.healthy
    assert {finding.severity for finding in diagnosis.findings} == {"note"}


def test_where_nobody_knows_the_outcome_only_critical_findings_stand_and_as_warnings():
    unknown = {"task": {"kind": "unknown", "reason": "no labels"}, "steps_seen": 1200, "steps": STEPS}
    diagnosis = examine(run_of(blocked("a") | {"batch.loss": [1.0] * 12}, layers="az", **unknown))
    assert diagnosis.outcome == "unknown"
    assert [(cause.rule, cause.severity) for cause in diagnosis.causes] == [("saturated-activation", "warning")]


def test_where_the_loss_falls_and_nobody_knows_the_outcome_nothing_is_complained_of():
    unknown = {"task": {"kind": "unknown", "reason": "no labels"}, "steps_seen": 1200, "steps": STEPS}
    assert examine(run_of(blocked("a") | {"batch.loss": np.linspace(2, 1, 12)}, layers="az", **unknown)).causes == ()


def test_a_plateau_that_nothing_explains_is_told_with_what_was_ruled_out():
    fine = {("activation.saturated_share", "a"): [0.0] * 12, ("activation.dead_share", "a"): [0.0] * 12}
    diagnosis = examine(run_of(STUCK | fine, layers="az", **SEEN))
    assert names(diagnosis.causes) == ["plateau"]
    assert "dead-units" in diagnosis.causes[0].message and "saturated-activation" in diagnosis.causes[0].message


def test_a_cause_is_not_later_than_its_effect():
    """Saturated from step 500 on, while the gradient was lost from step 0 on: two causes."""
    nodes = [node("saturated-activation", "b", since=500), node("vanishing-gradient", "a/kernel", since=0)]
    links = explain(nodes, Layout(run_of(layers="abz")))
    assert set(links.causes) == {0, 1}


def test_a_cause_of_a_lost_gradient_lies_between_it_and_the_loss():
    """What is flat below the first kernel of a branch can't take that kernel's gradient away."""
    layout = Layout(run_of(layers="abcz"))
    above = explain([node("saturated-activation", "c"), node("vanishing-gradient", "b/kernel")], layout)
    below = explain([node("saturated-activation", "a"), node("vanishing-gradient", "b/kernel")], layout)
    assert (above.causes, set(below.causes)) == ((0,), {0, 1})


def test_two_branches_are_not_blamed_for_each_other():
    run = run_of(layers="abz")
    with changing(run) as meta:
        for layer, inbound in zip(meta["model"]["layers"], ([], [], ["a", "b"]), strict=True):
            layer["inbound"] = inbound
    links = explain([node("saturated-activation", "b"), node("vanishing-gradient", "a/kernel")], Layout(run))
    assert set(links.causes) == {0, 1}


def test_a_ring_of_explanations_loses_nobody():
    """Vanishing gradients and a collapsed representation explain each other; the likelier one leads."""
    nodes = [
        node("collapsed-representation", "a", confidence=0.6),
        node("vanishing-gradient", "a/kernel", confidence=0.7),
        node("constant-predictions"),
    ]
    links = explain(nodes, Layout(run_of(layers="az")))
    assert links.causes == (1,)
    assert set(links.under[0]) == {0, 2}


def test_causes_of_the_same_effect_are_rivals():
    nodes = [node("large-updates"), node("mismatched-initialization", "a"), node("dead-units", "a")]
    links = explain(nodes, Layout(run_of(layers="az")))
    assert set(links.causes) == {0, 1}
    assert links.rivals == ((links.causes[1],), (links.causes[0],))


def test_likelier_causes_come_first_and_ties_go_by_the_order_of_the_parts():
    nodes = [
        node("oscillating-loss", confidence=0.6),
        node("class-imbalance", confidence=0.6),
        node("overfitting", confidence=0.9),
    ]
    links = explain(nodes, Layout(Run()))
    assert [nodes[index].finding.rule for index in links.causes] == [
        "overfitting",
        "class-imbalance",
        "oscillating-loss",
    ]


def test_the_same_fault_at_three_places_is_one_cause_and_leads_from_the_likeliest_place():
    nodes = [
        node("folded-activation", place, confidence=sure) for place, sure in zip("abc", (0.6, 0.8, 0.6), strict=True)
    ]
    links = explain(nodes, Layout(run_of(layers="abcz")))
    assert (links.causes, set(links.under[0])) == ((1,), {0, 2})


def test_one_of_each_rule_comes_before_the_next_of_the_same():
    run = run_of(layers="abcz")
    with changing(run) as meta:
        for site in meta["sites"]:
            site["function"] = f"wave_{site['where']}"
    nodes = [node("folded-activation", place, confidence=0.8) for place in "abc"]
    links = explain([*nodes, node("class-imbalance", confidence=0.6)], Layout(run))
    assert links.causes == (0, 3, 1, 2)


def test_an_unsure_warning_stands_in_a_half_good_training_only_if_it_explains_one_that_stands():
    half = {"skill.train": [0, 0.2, 0.4, 0.4, 0.4], "batch.loss": [2.3] * 12}
    large = {("preactivation.std", name): [40.0] * 12 for name in "ab"}
    assert examine(run_of(half | large, layers="abz", **SEEN)).causes == ()
    diagnosis = examine(run_of(half | large | {("activation.saturated_share", "b"): [0.95] * 12}, layers="abz", **SEEN))
    assert names(diagnosis.causes) == ["mismatched-initialization"]
    assert names(diagnosis.consequences_of[0]) == ["saturated-activation"]


@pytest.mark.parametrize("seed", range(5))
def test_every_warning_is_a_cause_or_under_one(seed: int):
    """Whatever is found, in whatever order and place, nothing grave is lost."""
    rng = np.random.default_rng(seed)
    rules = [rule.name for rule in ALL_RULES if rule.subject == "run"]
    nodes = [
        node(
            str(rng.choice(rules)),
            str(rng.choice(["", "a", "b", "c", "z/kernel"])),
            int(rng.integers(4)),
            confidence=0.5,
        )
        for _ in range(40)
    ]
    links = explain(nodes, Layout(run_of(layers="abcz")))
    assert set(links.causes) | {index for under in links.under for index in under} == set(range(40))


def test_a_root_is_no_less_grave_than_what_it_explains():
    """Large inputs are a warning; here they are why a critical share of the activation is flat."""
    large = {("preactivation.std", name): [40.0] * 12 for name in "ab"}
    flat = {("activation.saturated_share", "b"): [0.99] * 12, ("activation.gate_gain", "b"): [1e-4] * 12}
    diagnosis = examine(run_of(STUCK | large | flat, layers="abz", **SEEN))
    for cause, explained in zip(diagnosis.causes, diagnosis.consequences_of, strict=True):
        assert all(SEVERITIES.index(cause.severity) <= SEVERITIES.index(other.severity) for other in explained)
    assert any(other.severity == "critical" for explained in diagnosis.consequences_of for other in explained)
    assert diagnosis.causes[0].severity == "critical"


def test_a_headline_is_short_and_the_text_is_whole():
    """The profile's finding alone: six lines of message and remedy, cut at the end of a clause."""
    cause = Finding(
        "net/hidden_1",
        "The slope of elu is NaN for z > 88.72 in float32, where the function itself is finite. The cause: "
        "exp in the branch of where that is not selected.",
        remedy="Make the argument of exp safe before it, then select: safe = where(condition, harmless, z); "
        "where(condition, other, exp(safe)).",
        rule="nan-gradient-activation",
    )
    told = headline(Outcome("diverged", "", "clear"), (cause,), (), 80, 70)
    assert told == (
        "The slope of elu is NaN for z > 88.72 in float32, where the function itself is finite. The cause: exp in the "
        "branch of where that is not selected, in `net/hidden_1`. Make the argument of exp safe before it."
    )


@pytest.mark.parametrize("words", ["one", "`code that is long`", "(in brackets, all)", "a, b; c. d: e"])
@pytest.mark.parametrize("most", [1, 7, 40, 200])
def test_a_cut_text_keeps_its_backticks_and_brackets_whole(words, most):
    short = brief(" ".join([words] * 20), most)
    assert short.count("`") % 2 == 0 and short.count("(") == short.count(")")
    assert short


def test_before_any_training_only_the_configuration_can_be_missed():
    """An audit trains nothing: that it saw no gradient is no failure."""
    diagnosis = examine(Run({"audit": {"outputs": []}}))
    missed = {RULES[entry.rule].part for entry in diagnosis.not_measured if entry.applies}
    assert missed <= {"configuration"}


def test_a_finding_is_told_once():
    findings = examine(run_of(blocked("a", "b") | STUCK, layers="abz", **SEEN)).findings
    assert len(findings) == len({(finding.rule, finding.where) for finding in findings})


@pytest.fixture(scope="module")
def flat_profile() -> dict:
    """The facts about tanh(x**5), which is flat around 0."""
    import keras

    from diagnose.api import profile

    return profile(lambda z: keras.ops.tanh(z**5)).to_dict()


def test_what_a_function_would_do_leads_with_what_it_did_where_that_shows_most(flat_profile: dict):
    run = run_of(blocked("b") | STUCK, layers="abz", **SEEN)
    with changing(run) as meta:
        meta["profiles"] = {"tanh": flat_profile}
    diagnosis = examine(run)
    cause = diagnosis.causes[0]
    assert (cause.rule, cause.where) == ("blocked-gradient", "b")
    assert "flat-activation" in cause.explains
    assert cause.message.startswith("`tanh` in `b` passes 0.4 % of the gradient: 95 % of its inputs")
    assert "By itself: " in cause.message and "By itself" not in diagnosis.headline


def test_what_a_function_would_do_is_a_note_where_the_training_did_not_do_it(flat_profile: dict):
    """Another fault keeps this training from learning; the inputs stay where the function bends."""
    fine = {("activation.gate_gain", "a"): [0.9] * 12, ("activation.saturated_share", "a"): [0.1] * 12}
    sick = {("update.ratio", "z/kernel"): [1e-7] * 12, ("weight.spectral_norm", "z/kernel"): [1.0]}
    sick[("gradient.rms", "z/kernel")] = [1e-2] * 12
    run = run_of(fine | sick | STUCK, layers="az", **SEEN)
    with changing(run) as meta:
        meta["profiles"] = {"tanh": flat_profile}
    diagnosis = examine(run)
    assert names(diagnosis.causes) == ["small-updates"]
    assert ("flat-activation", "note") in {(finding.rule, finding.severity) for finding in diagnosis.findings}
