"""Amplified gradient: an activation multiplies the gradient that goes through it.

Sees: `activation.gate_gain`, rms(dL/dz) over rms(dL/da): what the activation alone does to the gradient that arrives.

Harm: the layers below get gradients many times too large; a few such layers make them explode.

Fires: a gain over HIGH at a hidden activation, at 4 of the last 5 observations. Critical over CRITICAL.

Rests: gates, attention and outputs; a training that learns well (then it is a note).

Remedy: scale the activation's inputs and output so that its slope is about 1 at its inputs, or replace it.

Refute: the gradients of the layers below stay as large with another activation in this place.

Source: arithmetic: three layers with a gain of 10 make a thousandfold; textbook activations stay under 1.1.
"""

from __future__ import annotations

from collections.abc import Iterator

from diagnose.rules.evidence.case import Case
from diagnose.rules.evidence.change import everywhere, replaced, two_digits
from diagnose.rules.evidence.persistence import lasting, recent, too_few
from diagnose.rules.rule import Rule
from diagnose.run.layout import site_name
from diagnose.verdict import Finding, Healthy, NotMeasured, Verdict
from diagnose.wording import times

HIGH = 10.0  # arithmetic: see Source
CRITICAL = 100.0  # a guess: two such layers reach 10,000


def judge(case: Case) -> Iterator[Verdict]:
    """Each hidden activation by its gate gain."""
    run, layout = case.run, case.layout
    places = [where for where in run.places("activation.gate_gain") if layout.hidden(where)]
    if not places:
        yield NotMeasured("", "no gradient of an activation was measured")
    for where in places:
        gain = run.series("activation.gate_gain", where).finite()
        since = lasting(gain, gain.values > HIGH)
        if len(gain) < 3:
            yield NotMeasured(where, too_few(gain))
        elif since is None:
            yield Healthy(where)
        else:
            now = recent(gain)
            yield Finding(
                where,
                f"{site_name(layout, where)} multiplies the gradient by {times(now)} (usual: about 1).",
                severity="critical" if now > CRITICAL else "warning",
                blames=("activation", "initialization"),
                since=since,
                evidence={"gate gain": now},
                remedies=(
                    replaced(run, layout, where),
                    everywhere(
                        "scale-activation-output",
                        f"Divide the output of {{f}} by {times(now)}",
                        layout,
                        where,
                        two_digits(1 / now),
                    ),
                ),
                refute="The gradients of the layers below stay as large with another activation in this place.",
                confidence=0.75,
            )


RULE = Rule(
    __name__,
    __doc__,
    part="activation",
    judge=judge,
    explains=(
        "exploding-gradient",
        "large-updates",
        "diverging-loss",
        "oscillating-loss",
        "non-finite-gradient",
        "non-finite-weights",
        "non-finite-activation",
        "non-finite-loss",
        "hidden-nan",
    ),
    flow="here",
    at_work="always",
)
