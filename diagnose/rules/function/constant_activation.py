"""Constant activation: the function has the same output for all inputs.

Sees: max f - min f over |z| <= 3, against the size of f there.
Harm: nothing of the input reaches the next layer, and no gradient comes back.
Fires: f varies by less than 1e-6 of its largest value.
Rests: never, where f has a curve.
Remedy: look for a clip or a cast that removes the input.
Refute: two different inputs give different outputs.
Source: arithmetic: 1e-6 is a few roundings of float32.
"""

from __future__ import annotations

from collections.abc import Iterator

from diagnose.activation.function_profile import FunctionProfile
from diagnose.rules.evidence.profile import is_constant, missing, nearest
from diagnose.rules.rule import Rule
from diagnose.verdict import Finding, Healthy, Verdict


def judge(profile: FunctionProfile) -> Iterator[Verdict]:
    """Look at the variation."""
    reason = missing(profile, "shape")
    shape = profile.shape
    if reason is not None or shape is None:
        yield reason or Healthy()
        return
    gaps = (gap for numerics in profile.numerics for gap in numerics.forward)
    broken = any(gap.low < -1 and gap.high > 1 for gap in gaps)  # NaN for all inputs of ordinary size is no constant
    if broken or not is_constant(shape):
        yield Healthy()
        return
    yield Finding(
        "",
        f"The output of {profile.name} is {shape.mean:.4g} for every input within |z| <= 3.",
        blames=("activation",),
        evidence={"variation": shape.variation, "value": shape.mean},
        remedy="Look for a clip, a cast or a factor of 0 that removes the input.",
        remedies=(nearest(shape),),
        refute="Two inputs of size 1 give different outputs.",
        confidence=0.99,
    )


RULE = Rule(
    __name__,
    __doc__,
    part="function",
    subject="profile",
    judge=judge,
    explains=(
        "constant-predictions",
        "collapsed-representation",
        "zero-gradient",
        "vanishing-gradient",
        "blocked-gradient",
        "dead-units",
        "saturated-activation",
        "small-updates",
    ),
    anywhere=True,  # it acts on whatever inputs are met
)
