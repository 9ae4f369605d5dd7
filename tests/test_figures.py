"""The figures of the report show what was measured: nothing hidden by thinning, nothing drawn that is not there."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
from pages import EVIL, Page
from runs import sick_diagnosis

from diagnose.api import Diagnosis
from diagnose.report.figures import (
    COLUMNS,
    POINTS,
    Scale,
    activation_picture,
    cause_graph,
    layer_maps,
    pictured_sites,
    thinned,
    training_charts,
)
from diagnose.report.figures.causes import EFFECTS
from diagnose.report.html import render
from diagnose.rules.catalogue import ALL_RULES
from diagnose.run.run import Run, Series
from diagnose.verdict import Finding


def test_a_thinned_series_keeps_its_extremes():
    values = np.zeros(10_000)
    values[[4_321, 8_765]] = 7.0, -3.0
    short = thinned(Series(np.arange(10_000), values))
    assert len(short) <= POINTS
    assert (short.values.max(), short.values.min()) == (7.0, -3.0)
    assert (np.diff(short.steps) >= 0).all()


def test_flat_and_falling_stretches_are_shaded_where_they_are():
    """f(z) = z^2 falls left of 0; its slope is under 1 % of the largest (6, at 3) for abs(z) < 0.03."""
    run = Run()
    z = np.linspace(-3, 3, 6001)
    run.add_array("activation.curve", "dense", 0, np.stack([z, z**2, 2 * z]))
    picture = activation_picture(run, "dense")
    assert picture is not None
    spans = {
        mark.tone: [int(number) for number in re.findall(r"M(\d+) 0H(\d+)", mark.d)[0]]
        for mark in picture.curve.marks
        if mark.tone in ("flat", "falling")
    }
    assert spans == {"falling": [0, 495], "flat": [495, 505]}


def test_a_histogram_of_one_value_still_makes_a_bar():
    """A dead signal: all z within a billionth of 0."""
    run = Run()
    run.add_array("preactivation.histogram", "dense", 0, np.array([[-1e-9, 0.0, 1e-9], [5.0, 90.0, 5.0]]))
    picture = activation_picture(run, "dense")
    assert picture is not None
    (bar,) = [mark.d for mark in picture.curve.marks if mark.look == "bars"]
    assert bar == "M500 1000V150H507V1000Z"


def test_a_site_without_curve_and_histogram_has_no_picture():
    assert activation_picture(Run(), "dense") is None
    assert pictured_sites(Run()) == ()


def test_a_short_fault_in_a_long_run_stays_visible_in_the_map():
    run = Run()
    steps = np.arange(50_000)
    share = np.where(steps == 31_234, 1.0, 0.0)
    run.add_column("activation.saturated_share", "dense", steps, share)
    (found,), missing = layer_maps(run)
    assert "s6" in dict(found.strips[0].levels)
    assert missing == ("Dead units", "Gate gain", "Gradient size")
    assert sum(d.count("M") for _, d in found.strips[0].levels) <= COLUMNS


def test_nan_has_a_colour_of_its_own_in_the_map():
    run = Run()
    run.add_column("activation.gate_gain", "dense", np.arange(3), np.array([1.0, np.nan, 1.0]))
    (found,), _ = layer_maps(run)
    assert dict(found.strips[0].levels) == {"d3": "M0 0H333V1H0ZM666 0H1000V1H666Z", "broken": "M333 0H666V1H333Z"}


def test_a_gradient_of_exactly_zero_is_told_from_a_small_one():
    run = Run()
    run.add_column("gradient.rms", "dense/kernel", np.arange(2), np.array([0.0, 1e-12]))
    (found,), _ = layer_maps(run)
    assert [look for look, _ in found.strips[0].levels] == ["g0", "zero"]
    assert ("zero", "exactly 0") in found.key


def test_the_gap_is_told_with_its_size():
    run = Run()
    run.add_column("skill.train", "", np.array([10, 20]), np.array([0.5, 1.0]))
    run.add_column("skill.validation", "", np.array([10, 20]), np.array([0.5, 0.25]))
    (chart,) = training_charts(run)
    assert "the gap, 0.75 at the end" in chart.says
    assert [tick.text for tick in chart.x_ticks] == ["0", "5", "10", "15", "20"]


def test_ticks_close_together_keep_the_digits_that_tell_them_apart():
    assert [text for _, text in Scale(2.296, 2.303).ticks()] == ["2.296", "2.298", "2.300", "2.302"]
    assert [text for _, text in Scale(-2e-9, 2e-9).ticks()] == ["−2e-9", "−1e-9", "0", "1e-9", "2e-9"]


def test_ticks_are_round_numbers():
    assert [text for _, text in Scale(0.0, 1.0).ticks()] == ["0", "0.5", "1.0"]
    assert [text for _, text in Scale(1e-6, 1.0, log=True).ticks()] == ["1e-6", "1e-4", "0.01", "1"]


# --- what leads to what ----------------------------------------------------------------------------------------------


def found(rule: str, where: str = "", severity: str = "warning") -> Finding:
    return Finding(where, f"{rule} at {where}.", severity, rule=rule)


def test_the_graph_has_an_arrow_from_each_cause_to_what_it_explains():
    lost, stuck = found("vanishing-gradient", "a/kernel", "critical"), found("plateau")
    graph = cause_graph((found("dead-units", "b"), found("small-updates")), ((lost, stuck), (stuck,)))
    assert [(node.rank, node.title, node.where, node.severity) for node in graph.causes] == [
        (1, "Dead units", ("b",), "warning"),
        (2, "Small updates", (), "warning"),
    ]
    assert [node.title for node in graph.effects] == ["Vanishing gradient", "Plateau"]
    assert [d for _, d in graph.arrows] == [
        "M0 250C500 250 500 250 1000 250M0 250C500 250 500 750 1000 750",
        "M0 750C500 750 500 750 1000 750",
    ]
    assert graph.says == "Dead units in b leads to vanishing gradient, plateau; Small updates leads to plateau"


def test_the_same_fault_at_other_places_is_the_cause_itself_and_no_arrow():
    graph = cause_graph((found("dead-units", "a"),), ((found("dead-units", "b"), found("plateau")),))
    assert [node.where for node in graph.causes] == [("a", "b")]
    assert [node.title for node in graph.effects] == ["Plateau"]


def test_causes_that_lead_to_nothing_make_no_graph():
    assert cause_graph((found("dead-units"),), ((),)) is None
    assert cause_graph((found("dead-units", "a"),), ((found("dead-units", "b"),),)) is None
    nothing = Diagnosis("unknown", "", "", (), (), (), Run())
    assert 'class="graph"' not in render(nothing)


def test_many_consequences_are_folded_and_the_gravest_stay():
    names = [rule.name for rule in ALL_RULES if rule.part == "optimizer"][:12]
    effects = tuple(found(name, severity="critical" if place > 8 else "warning") for place, name in enumerate(names))
    graph = cause_graph((found("broadcast-loss"),), (effects,))
    assert len(graph.effects) == EFFECTS
    assert graph.effects[-1].title == "and 5 more"
    assert [node.severity for node in graph.effects[:-1]].count("critical") == 3


def test_names_in_the_graph_stay_text():
    page = render(replace(sick_diagnosis(), causes=(found(EVIL, EVIL),), consequences_of=((found("plateau", EVIL),),)))
    assert 'class="graph"' in page and "script" not in Page(page).tags


def test_what_a_function_is_by_itself_follows_from_nothing():
    """It explains what the function did in this training."""
    cause, function, lost = found("blocked-gradient", "a"), found("flat-activation", "a"), found("plateau")
    diagnosis = Diagnosis("not-learning", "", "h", (cause,), (cause, function, lost), (), Run(), ((function, lost),))
    assert [node.title for node in cause_graph(diagnosis.causes, diagnosis.consequences_of).effects] == ["Plateau"]
    assert "leads to   plateau\n    by itself  flat activation in a" in str(diagnosis)
    assert "Which leads to warning Plateau" in Page(render(diagnosis)).text
