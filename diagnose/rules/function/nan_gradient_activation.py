"""NaN-gradient activation: the function is finite and its slope is not.

Sees: the z at which f(z) is finite and autodiff's f'(z) is NaN or infinite, in the dtype of the layer, and which
operation makes it: the branch that a `where` does not select, a root at 0, a division by 0.
Harm: the loss looks fine while one gradient is NaN; after the update, whole rows of weights are.
Fires: such z lie within |z| <= 100 (12 in float16), or at isolated points that data reaches; critical within |z| <= 4.
Rests: farther out, or in other dtypes only: a note with the bound. Where the slope overflows just ahead of the
function itself (exp(z**2)), overflowing-activation reports both.
Remedy: the double `where`: make the argument safe before the dangerous operation, then select; an epsilon inside a
root.
A training whose inputs all stay on the other side of 0, or within half of the bound: a note.
Refute: z measured at its layers (preactivation.min and .max) never comes near these places; no weight is NaN.
Source: the chain rule multiplies the 0 that comes out of the branch not selected with an infinite slope inside it, and
0 times infinity is NaN in IEEE 754; tensorflow issue 38349.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

from diagnose.activation.facts import Gap, Numerics
from diagnose.activation.function_profile import FunctionProfile
from diagnose.rules.evidence.met import reaches
from diagnose.rules.evidence.profile import missing, nearest
from diagnose.rules.function.overflowing_activation import REACH, REACH_ELSE
from diagnose.rules.rule import Rule
from diagnose.verdict import Finding, Healthy, Verdict

CRITICAL = 4.0  # the working range: inputs of unit scale get there


def judge(profile: FunctionProfile) -> Iterator[Verdict]:
    """Look at the slopes that are not finite."""
    reason = missing(profile, "numerics")
    if reason is not None:
        yield reason
        return
    all_dtypes = tuple(replace(numerics, backward=_of_its_own(numerics)) for numerics in profile.numerics)
    own = all_dtypes[0]
    near = [gap for gap in own.backward if abs(gap.nearest) <= REACH.get(own.dtype, REACH_ELSE)]
    bounds = {
        f"slope finite within, {numerics.dtype}": min(abs(gap.nearest) for gap in numerics.backward)
        for numerics in all_dtypes
        if numerics.backward
    }
    if not bounds:
        yield Healthy()
        return
    told = near[0] if near else own.backward[0] if own.backward else None
    construct = told.construct if told else ""
    places = (
        f"The slope of {profile.name} is {_words(told)} in {own.dtype}"
        if told
        else f"The slope of {profile.name} is finite in {own.dtype}"
    )
    others = ", ".join(f"|z| < {bound:.4g} in {name.split()[-1]}" for name, bound in bounds.items())
    yield Finding(
        "",
        places
        + (", where the function itself is finite." if told else ".")
        + (f" The cause: {construct}." if construct else "")
        + (f" It is finite for {others}." if not near else ""),
        severity="note" if not near else "critical" if abs(near[0].nearest) <= CRITICAL else "warning",
        blames=("activation", "preprocessing") if near else ("activation",),
        evidence={**bounds, **({"construct": construct} if construct else {})},
        remedy=_remedy(construct),
        remedies=(nearest(profile.shape),),
        refute="The inputs measured at its layers never come near these places, and no weight is NaN.",
        confidence=0.9,
    )


def _of_its_own(numerics: Numerics) -> tuple[Gap, ...]:
    """The gaps without those that only run ahead of a gap of f itself, which overflowing-activation reports."""
    edges = [edge for gap in numerics.forward for edge in (gap.low, gap.high) if math.isfinite(edge)]
    return tuple(
        gap
        for gap in numerics.backward
        if not any(abs(edge - end) <= 1e-2 * abs(edge) + 1e-7 for edge in edges for end in (gap.low, gap.high))
    )


def _met(profile: FunctionProfile, low: float, high: float) -> bool:
    return reaches(_of_its_own(profile.numerics[0]), low, high)


def _words(gap: Gap) -> str:
    kind = "NaN" if gap.kind == "nan" else "infinite"
    if gap.low == gap.high or max(abs(gap.low), abs(gap.high)) < 1e-30:
        return f"{kind} at z = {gap.nearest:.4g}"
    if gap.high == math.inf:
        return f"{kind} for z > {gap.low:.4g}"
    if gap.low == -math.inf:
        return f"{kind} for z < {gap.high:.4g}"
    return f"{kind} for z from {gap.low:.4g} to {gap.high:.4g}"


def _remedy(construct: str) -> str:
    if "not selected" in construct:
        operation = construct.split()[0]
        return (
            f"Make the argument of {operation} safe before it, then select: "
            f"safe = where(condition, harmless, z); where(condition, other, {operation}(safe))."
        )
    if construct in ("sqrt", "power", "rsqrt"):
        return "Put an epsilon inside the root: sqrt(z + 1e-6)."
    if construct in ("division", "reciprocal", "log"):
        return "Keep the divisor, or the argument of the logarithm, away from 0 by a small number inside."
    return (
        "Clamp the argument before the operation that overflows, or write f with a built-in that has a safe gradient."
    )


RULE = Rule(
    __name__,
    __doc__,
    part="function",
    subject="profile",
    judge=judge,
    met=_met,
    explains=(
        "non-finite-gradient",
        "non-finite-weights",
        "non-finite-loss",
        "non-finite-activation",
        "hidden-nan",
        "collapsed-loss-scale",
    ),
)
