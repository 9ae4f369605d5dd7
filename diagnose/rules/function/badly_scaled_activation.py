"""Badly scaled activation: the outputs are far too small or far too large for the next layer.

Sees: E f(z)^2 for z ~ N(0, 1).
Harm: usual initial weights expect inputs of rms 1. At a hundredth of it the next layer's weights hardly matter and
learn slowly; at a hundred times it saturates and its gradients explode.
Fires: E f(z)^2 under 1e-4 or over 1e4.
Rests: on constant functions (constant-activation reports it).
Remedy: multiply by 1 / m, with m = sqrt(E f(z)^2); where the slope of f is large on a narrow range only (m over
the largest slope is small as well), widen the range too: f(z * m / slope) / m has size and slope of about 1.
Refute: the activations measured have a size near 1, or a normalization layer follows.
Source: arithmetic: 1e-4 is a size of 0.01; every textbook activation lies between 0.05 and 8.
"""

from __future__ import annotations

from collections.abc import Iterator

from diagnose.activation.facts import Shape
from diagnose.activation.function_profile import FunctionProfile
from diagnose.remedy import Remedy, remedy
from diagnose.rules.evidence.change import two_digits
from diagnose.rules.evidence.profile import is_constant, missing, nearest
from diagnose.rules.rule import Rule
from diagnose.verdict import Finding, Healthy, Verdict

LOW, HIGH = 1e-4, 1e4  # arithmetic: see Source
SLIVER = 0.1  # a guess: of z ~ N(0, 1), one in twelve lies within 0.1


def judge(profile: FunctionProfile) -> Iterator[Verdict]:
    """Look at the second moment."""
    reason = missing(profile, "shape")
    shape = profile.shape
    if reason is not None or shape is None:
        yield reason or Healthy()
        return
    if LOW <= shape.second_moment <= HIGH or is_constant(shape):
        yield Healthy()
        return
    size = shape.second_moment**0.5
    yield Finding(
        "",
        f"For inputs of rms 1, the outputs of {profile.name} have an rms of {size:.2g} (usual: about 1).",
        blames=("activation", "initialization"),
        evidence={"second moment": shape.second_moment},
        remedy=_remedy(size, shape),
        remedies=_remedies(size, shape),
        refute="The measured activations have an rms between 0.1 and 10, or a normalization layer follows.",
        confidence=0.8,
    )


def _remedies(size: float, shape: Shape) -> tuple[Remedy, ...]:
    """Its outputs multiplied, unless that would make its slope far too large; or another activation."""
    other = nearest(shape)
    if size == 0:
        return (other,)
    larger = remedy("scale-activation-output", value=two_digits(1 / size))
    return (other, larger) if size / max(shape.largest_slope, 1e-30) < SLIVER else (larger, other)


def _remedy(size: float, shape: Shape) -> str:
    slope = shape.largest_slope
    if size == 0:
        return "Scale its output to an rms near 1."
    if 0 < shape.std < SLIVER * abs(shape.mean):
        return f"Centre its output: f(z) - {shape.mean:.3g} has a standard deviation of {shape.std:.2g}."
    if slope > 0 and size / slope < SLIVER:
        return f"Stretch it both ways: f(z * {size / slope:.2g}) * {1 / size:.2g} has an rms and a slope of about 1."
    return f"Multiply its output by {1 / size:.3g}."


RULE = Rule(
    __name__,
    __doc__,
    part="function",
    subject="profile",
    judge=judge,
    explains=(
        "flat-activation",
        "saturating-activation",
        "saturated-activation",
        "blocked-gradient",
        "unstable-signal",
        "fading-signal",
        "growing-signal",
        "vanishing-gradient",
        "exploding-gradient",
        "mismatched-initialization",
        "collapsed-representation",
        "constant-predictions",
        "thin-headroom",
    ),
    flow="here",
    own_remedy=True,  # other inputs, the remedy of a flat place, would leave the size of the outputs as it is
)
