"""Blocked gradient: hardly any of the gradient passes through an activation.

Sees: `activation.gate_gain`, rms(dL/dz) over rms(dL/da): what the activation alone does to the gradient that arrives.

Harm: all layers below get so much less of the gradient; over a few such layers nothing of it is left.

Fires: a gain under LOW at a hidden activation, at 4 of the last 5 observations. Critical under CRITICAL.

Rests: what a share of ReLU zeros explains (with a quarter of the units passing, the gain is 0.5; LOW would need 1 in
400); gates, attention and outputs; a function that mixes its inputs and keeps the size of what passes (a
normalization of large inputs returns a small gradient, and the layer below makes up for it); a training that learns
well (then it is a note).

Remedy: replace the activation, or scale or shift its inputs to where its slope is not almost 0.

Refute: the layers below learn no faster with another activation in this place.

Source: arithmetic: three layers with a gain of 0.05 leave 0.0001 of the gradient, under the loss of precision that
Glorot and Bengio (2010), section 4.2, call vanishing.
"""

from __future__ import annotations

from collections.abc import Iterator

from diagnose.rules.evidence.case import Case
from diagnose.rules.evidence.persistence import lasting, recent, too_few
from diagnose.rules.evidence.slope import WORKS_ALONE, other_inputs
from diagnose.rules.rule import Rule
from diagnose.run.layout import Layout, site_name
from diagnose.run.run import Run
from diagnose.verdict import Finding, Healthy, NotMeasured, Verdict
from diagnose.wording import portion

LOW = 0.05  # measured: healthy runs stay over 0.16, sick ones go down to 0; benchmarks/calibration.md
CRITICAL = 0.01  # a guess: a hundredth at one layer is as good as nothing


def judge(case: Case) -> Iterator[Verdict]:
    """Each hidden activation by its gate gain."""
    run, layout = case.run, case.layout
    places = [
        where
        for where in run.places("activation.gate_gain")
        if layout.hidden(where) or (layout.shares_out(where) and _dwindles(run, where))
    ]
    if not places:
        yield NotMeasured("", "no gradient of an activation was measured")
    for where in places:
        gain = run.series("activation.gate_gain", where).finite()
        since = lasting(gain, gain.values < LOW)
        if len(gain) < 3:
            yield NotMeasured(where, too_few(gain))
        elif since is None:
            yield Healthy(where)
        else:
            yield _finding(run, layout, where, since, recent(gain))


def _dwindles(run: Run, where: str) -> bool:
    """Whether the values, too, are small beyond the activation, or the gradient shrinks by more than they do."""
    before, after, gain = (
        recent(run.series(quantity, where).finite())
        for quantity in ("preactivation.std", "activation.std", "activation.gate_gain")
    )
    return after < LOW or gain * before < LOW * after


def _finding(run: Run, layout: Layout, where: str, since: int, gain: float) -> Finding:
    flat = recent(run.series("activation.saturated_share", where).finite())
    size = recent(run.series("preactivation.std", where).finite())
    evidence = {"gate gain": gain, "saturated share": flat, "std of z": size}
    remedy = "Replace the activation, or rescale its inputs."
    if layout.shares_out(where):
        units = layout.site(where).units
        why = f": it divides a fixed total among {units} units" if units else ""
        remedy = WORKS_ALONE
    else:
        why = f": {portion(flat)} of its inputs fall where its slope is almost 0" if flat > 0.3 else ""
        remedy = other_inputs(run, where, size) if size > 3 or size < 0.3 else remedy
    return Finding(
        where,
        f"{site_name(layout, where)} passes {portion(gain)} of the gradient{why}.",
        severity="critical" if gain < CRITICAL else "warning",
        blames=("activation", "initialization"),
        since=since,
        evidence={name: value for name, value in evidence.items() if value == value},
        remedy=remedy,
        refute="The layers below learn no faster with another activation in this place.",
        confidence=0.85,
    )


RULE = Rule(
    __name__,
    __doc__,
    part="activation",
    judge=judge,
    explains=("vanishing-gradient", "zero-gradient", "small-updates", "constant-predictions", "slow-progress"),
    flow="here",
    at_work="always",
)
