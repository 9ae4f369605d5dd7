"""Saturating activation: both tails of the function are flat, and many inputs fall there.

Sees: where |f'| stays at or under 1 % of its largest value out to either end, and the mass of these tails under N(0,
1).
Harm: no gradient passes at a saturated input: the unit's output stays the same, whatever the loss is.
Fires: both tails begin within |z| <= 4, hold over 40 % of the mass together, and the smaller one at least 10 %.
Rests: on the usual squashing functions (tanh 0.3 %, hard_tanh 32 %): a note with the interval in which they have a
slope. On one-sided flatness, as in ReLU and relu6: dead-units reports it.
Remedy: multiply the argument inside f by less than 1.
Refute: the saturated share measured in a training is low: the inputs are small enough to stay between the tails.
Source: design of this project for the 1 % and the working range |z| <= 4; Glorot and Bengio (2010), section 3, for the
harm; 40 % lies between hard_tanh (32 %) and sigmoid(10 z) (55 %).
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from diagnose.activation.curve.search import DENSE, mass
from diagnose.activation.facts import WORKING
from diagnose.activation.function_profile import FunctionProfile
from diagnose.remedy import remedy
from diagnose.rules.evidence.change import two_digits
from diagnose.rules.evidence.profile import boundless, is_constant, missing, nearest, slopeless
from diagnose.rules.rule import Rule
from diagnose.verdict import Finding, Healthy, Verdict
from diagnose.wording import percent

MASS = 0.4  # measured: see Source
LESSER_TAIL = 0.1  # a guess: under it, the function is a ReLU with a lid rather than a squashing function


def judge(profile: FunctionProfile) -> Iterator[Verdict]:
    """Look at the tails."""
    reason = missing(profile, "shape") or slopeless(profile)
    shape = profile.shape
    if reason is not None or shape is None:
        yield reason or Healthy()
        return
    if (unbounded := boundless(shape)) is not None:
        yield unbounded
        return
    low, high = shape.lower_tail, shape.upper_tail
    if is_constant(shape) or not (math.isfinite(low) and math.isfinite(high)) or low >= high or max(-low, high) > DENSE:
        yield Healthy()
        return
    lower, upper = mass(-math.inf, low), mass(high, math.inf)
    within = low >= -WORKING and high <= WORKING
    saturating = within and lower + upper > MASS and min(lower, upper) >= LESSER_TAIL
    half = (high - low) / 2
    yield Finding(
        "",
        f"{profile.name} saturates: its slope is under 1 % of its largest for z < {low:.3g} and z > {high:.3g}, "
        f"where {percent(lower + upper)} of standard normal inputs fall."
        if saturating
        else f"{profile.name} has its slope between z = {low:.3g} and {high:.3g}; beyond, it is under 1 % of the "
        "largest.",
        severity="warning" if saturating else "note",
        blames=("activation", "initialization"),
        evidence={
            "saturated mass": lower + upper,
            "lower tail": low,
            "upper tail": high,
            "largest slope": shape.largest_slope,
        },
        remedy=f"Multiply the argument inside f by {half / 3:.2g} or less, so that it has its slope between -3 "
        f"and 3 (now {half:.2g} on each side)."
        if saturating
        else "Keep its inputs inside this interval: normalize them, or start from small weights.",
        remedies=(remedy("scale-activation-input", value=two_digits(half / 3)), nearest(shape)) if saturating else (),
        refute="The saturated share measured at its layers stays low.",
        confidence=0.9,
    )


RULE = Rule(
    __name__,
    __doc__,
    part="function",
    subject="profile",
    judge=judge,
    explains=(
        "saturated-activation",
        "dead-units",
        "blocked-gradient",
        "vanishing-gradient",
        "zero-gradient",
    ),
    flow="here",
)
