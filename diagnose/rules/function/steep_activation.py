"""Steep activation: the slope of the function is so large that it multiplies gradients and noise.

Sees: the largest |f'| within |z| <= 4, and where it is.
Harm: each layer multiplies the gradient by up to this slope; small changes of the input become large ones.
Fires: the largest slope is over 10.
Rests: on functions that are steep only in proportion to their own value (exp): a note.
Remedy: divide the output, or the argument, by the largest slope. Where it has no bound, keep the argument of the root,
division or logarithm away from 0.
Refute: the gate gain measured in a training stays near 1: the inputs hardly reach the steep part.
Source: arithmetic: two layers of slope 10 make a factor 100; every textbook activation has a slope of at most 1.1 (SELU
1.76).
"""

from __future__ import annotations

from collections.abc import Iterator

from diagnose.activation.function_profile import FunctionProfile
from diagnose.remedy import remedy
from diagnose.rules.evidence.change import two_digits
from diagnose.rules.evidence.profile import is_exponential, missing, nearest, slopeless
from diagnose.rules.rule import Rule
from diagnose.verdict import Finding, Healthy, Verdict

SLOPE = 10.0  # arithmetic: see Source


def judge(profile: FunctionProfile) -> Iterator[Verdict]:
    """Look at the largest slope."""
    reason = missing(profile, "shape") or slopeless(profile)
    shape = profile.shape
    if reason is not None or shape is None:
        yield reason or Healthy()
        return
    if shape.largest_slope <= SLOPE:
        yield Healthy()
        return
    proportional = is_exponential(shape)
    how = f"up to {shape.largest_slope:.3g} at z = {shape.steepest:.3g}"
    change = f"Divide the argument inside f by {shape.largest_slope:.2g}, or the output if its size may shrink."
    if shape.vertical:
        how = f"without bound towards z = {shape.vertical[0]:.3g}"
        change = (
            f"Keep the argument of the root, division or logarithm away from 0 at z = {shape.vertical[0]:.4g}: add "
            "a small constant to it, such as 0.01."
        )
    yield Finding(
        "",
        f"The slope of {profile.name} goes "
        f"{how}" + (", in proportion to its own value." if proportional else " (usual: 1)."),
        severity="note" if proportional else "warning",
        blames=("activation",),
        evidence={
            "largest slope": shape.largest_slope,
            "steepest at": shape.steepest,
            "Lipschitz estimate": shape.lipschitz,
        },
        remedy="Use it for outputs that are rates or scales, not in hidden layers." if proportional else change,
        remedies=()
        if proportional or shape.vertical
        else (
            remedy("scale-activation-input", value=two_digits(1 / shape.largest_slope)),
            nearest(shape),
        ),
        refute="The gate gain measured at its layers stays under 10.",
        confidence=0.7,
    )


RULE = Rule(
    __name__,
    __doc__,
    part="function",
    subject="profile",
    judge=judge,
    explains=(
        "amplified-gradient",
        "exploding-gradient",
        "unstable-signal",
        "mismatched-initialization",
        "large-updates",
        "diverging-loss",
        "thin-headroom",
    ),
    flow="here",
)
