"""Flat activation: the slope of the function is almost 0 around z = 0, where most of its inputs are.

Sees: the range around 0 where |f'| is under a tenth of its largest value within |z| <= 3, and its mass under N(0, 1).
Harm: with usual initial weights the inputs have mean 0 and rms 1; where the slope is almost 0 at most a tenth of the
gradient passes, at each layer again, so the layers below hardly learn.
Fires: the range ends on both sides of 0 and holds over 25 % of the mass; or it runs on to one end of the axis and
holds over 90 %, so that the slope is almost 0 for nearly all inputs.
Rests: on functions with full slope on both tails, whose dead zone is their design (hard, soft and tanh shrink): a note.
On exponentials, and on a dark half that begins near 0 as in ReLU.
Remedy: rescale the argument inside f, or lower the power that flattens it (tanh(x) instead of tanh(x**5)).
Refute: the gate gain measured in a training is near 1: the inputs of the training are large enough to leave the flat
range.
Source: arithmetic on N(0, 1), the distribution that Glorot and He initialization aim at; the shares are set so that
tanh(x**5) (36 %) fires and x**2 (24 %) does not.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from diagnose.activation.function_profile import FunctionProfile
from diagnose.remedy import remedy
from diagnose.rules.evidence.change import two_digits
from diagnose.rules.evidence.profile import (
    boundless,
    is_constant,
    is_exponential,
    is_shrink,
    missing,
    nearest,
    slopeless,
)
from diagnose.rules.rule import Rule
from diagnose.verdict import Finding, Healthy, Verdict
from diagnose.wording import percent

MASS = 0.25  # arithmetic: see Source
MASS_TO_THE_END = 0.9  # a guess: 9 of 10 inputs; ReLU has 0.5, softplus none


def judge(profile: FunctionProfile) -> Iterator[Verdict]:
    """Look at the stretch around 0."""
    reason = missing(profile, "shape") or slopeless(profile)
    shape = profile.shape
    if reason is not None or shape is None:
        yield reason or Healthy()
        return
    if (unbounded := boundless(shape)) is not None:
        yield unbounded
        return
    centre = shape.centre
    if centre is None or is_constant(shape):
        yield Healthy()
        return
    two_sided = centre.low < 0 < centre.high and math.isfinite(centre.low) and math.isfinite(centre.high)
    if centre.mass <= (MASS if two_sided else MASS_TO_THE_END) or (is_exponential(shape) and not two_sided):
        yield Healthy()
        return
    by_design = is_shrink(shape)
    width = max(abs(centre.low), abs(centre.high)) if two_sided else max(centre.low, -centre.high, key=abs)
    factor = width / 0.3 if two_sided else 0.0
    yield Finding(
        "",
        f"{profile.name} is nearly flat around z = 0: for z in {centre} its slope is under a tenth of its "
        f"largest, and {percent(centre.mass)} of standard normal inputs fall there.",
        severity="note" if by_design else "warning",
        blames=("activation", "initialization"),
        evidence={
            "flat mass": centre.mass,
            "flat from": centre.low,
            "flat to": centre.high,
            "largest slope": shape.largest_slope_near,
        },
        remedy="It is a shrinking function: use it where a dead zone is wanted."
        if by_design
        else f"Multiply the argument inside f by about {factor:.2g} (so that the flat range is |z| < 0.3), or "
        "lower the power."
        if two_sided
        else "Shift the argument inside f, so that its slope is not almost 0 for inputs around 0.",
        remedies=()
        if by_design
        else (*([remedy("scale-activation-input", value=two_digits(factor))] if two_sided else []), nearest(shape)),
        refute="The gate gain measured at its layers is near 1: the inputs there are larger than 1.",
        confidence=0.9,
    )


RULE = Rule(
    __name__,
    __doc__,
    part="function",
    subject="profile",
    judge=judge,
    explains=(
        "dead-units",
        "blocked-gradient",
        "vanishing-gradient",
        "unstable-signal",
        "fading-signal",
        "mismatched-initialization",
        "zero-gradient",
    ),
    flow="here",
)
