"""Blocked gradient: an activation lets hardly any of the gradient through.

Sees: `activation.gate_gain`, rms(dL/dz) over rms(dL/da): what the activation alone does to the gradient that arrives.

Harm: all layers below get so much less of the gradient; over a few such layers nothing of it is left.

Fires: a gain under LOW at a hidden activation, at 4 of the last 5 observations. Critical under CRITICAL.

Rests: what a share of ReLU zeros explains (with a quarter of the units passing, the gain is 0.5; LOW would need 1 in
400); gates, attention and outputs; a training that learns well (then it is a note).

Remedy: replace the activation, or scale its inputs to where its slope is.

Refute: the layers below learn no faster with another activation in this place.

Source: arithmetic: three layers with a gain of 0.05 leave 0.0001 of the gradient, under the loss of precision that
Glorot and Bengio (2010), section 4.2, call vanishing.
"""

from __future__ import annotations

from collections.abc import Iterator

from diagnose.layout import Layout
from diagnose.rules._persistence import lasting, recent, too_few
from diagnose.rules._slope import other_inputs
from diagnose.rules._wording import percent, site_name, times
from diagnose.run import Run
from diagnose.verdict import Finding, Healthy, NotMeasured, Verdict

PART = "activation"
FLOW = "here"
EXPLAINS = ("vanishing-gradient", "zero-gradient", "small-updates", "constant-predictions", "slow-progress")

LOW = 0.05  # measured: healthy runs stay over 0.16, sick ones go down to 0; benchmarks/calibration.md
CRITICAL = 0.01  # a guess: a hundredth at one layer is as good as nothing


def judge(run: Run) -> Iterator[Verdict]:
    """Each hidden activation by its gate gain."""
    layout = Layout(run)
    places = [where for where in run.places("activation.gate_gain") if layout.hidden(where)]
    if not places:
        yield NotMeasured("", "no gradient was seen to pass an activation")
    for where in places:
        gain = run.series("activation.gate_gain", where).finite()
        since = lasting(gain, gain.values < LOW)
        if len(gain) < 3:
            yield NotMeasured(where, too_few(gain))
        elif since is None:
            yield Healthy(where)
        else:
            yield _finding(run, layout, where, since, recent(gain))


def _finding(run: Run, layout: Layout, where: str, since: int, gain: float) -> Finding:
    flat = recent(run.series("activation.saturated_share", where).finite())
    spread = run.series("preactivation.std", where).finite()
    why = f": {percent(flat)} of its inputs lie where it is flat" if flat > 0.3 else ""
    evidence: dict[str, float | str] = {"gate gain": gain}
    if flat == flat:
        evidence["saturated share"] = flat
    remedy = "Replace the activation, or scale its inputs to where it has slope."
    if len(spread):
        evidence["std of z"] = recent(spread)
        if recent(spread) > 3:
            remedy = (
                "Scale what enters the layer, or its weights, down by "
                f"{times(recent(spread))}; or replace the activation."
            )
        elif recent(spread) < 0.3:
            remedy = other_inputs(run, where, recent(spread))
    return Finding(
        where,
        f"{site_name(layout, where)} passes {percent(gain)} of the gradient{why}.",
        severity="critical" if gain < CRITICAL else "warning",
        blames=("activation", "initialization"),
        since=since,
        evidence=evidence,
        remedy=remedy,
        refute="The layers below learn no faster with another activation in this place.",
        confidence=0.85,
    )
