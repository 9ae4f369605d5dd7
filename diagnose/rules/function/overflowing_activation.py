"""Overflowing activation: the function itself is NaN or infinite for inputs that occur in a training.

Sees: where f(z) is not finite, in the dtype of the layer: found over the dtype's whole range and bisected to the
number.
Harm: one such value makes the loss NaN or infinite, and with the next update every weight it depends on.
Fires: within |z| <= 100 (float32, bfloat16, float64), or within |z| <= 12 in float16.
Rests: farther out, and in the dtypes that the layer does not compute in: a note with the bounds. On a function whose
value really outgrows the dtype, in proportion to itself (exp at 88.7): a note. A sum whose intermediate overflows
while the value would be small (log(1 + exp(z))) fires.
Remedy: a built-in that does the same safely (softplus, log1p, expm1), or a clamp on the argument.
A training whose inputs all stay on the other side of 0, or within half of the bound: a note.
Refute: the inputs measured (preactivation.min, .max) stay well within the bounds, and the inputs are normalized.
Source: IEEE 754: exp overflows at 88.7 in float32, at 11.1 in float16. 100: raw pixels through one layer reach it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

from diagnose.activation.facts import Gap, Numerics
from diagnose.activation.function_profile import FunctionProfile
from diagnose.remedy import Remedy, remedy
from diagnose.rules.evidence.change import two_digits
from diagnose.rules.evidence.met import reaches
from diagnose.rules.evidence.profile import is_exponential, missing, nearest
from diagnose.rules.rule import Rule
from diagnose.verdict import Finding, Healthy, Verdict

REACH = {"float16": 12.0}  # for the others:
REACH_ELSE = 100.0  # see Source
DENORMAL = 1.2e-38  # float32's smallest number of full precision; what is nearer to 0 counts as 0
AT_THE_END = 0.25  # arithmetic: 4 z overflows there
NEVER = 1e30  # a guess: what brings z there has overflowed somewhere else before
OUTGROWN = 0.1  # of the dtype's largest number, beside the gap: the value itself is what overflows


def judge(profile: FunctionProfile) -> Iterator[Verdict]:
    """Look at the values that are not finite."""
    reason = missing(profile, "numerics")
    if reason is not None:
        yield reason
        return
    finite = tuple(replace(numerics, forward=_reachable(numerics)) for numerics in profile.numerics)
    own = finite[0]
    near = [gap for gap in own.forward if abs(gap.nearest) <= REACH.get(own.dtype, REACH_ELSE)]
    if not any(numerics.forward for numerics in finite):
        yield Healthy()
        return
    shape = profile.shape
    outgrown = shape is not None and is_exponential(shape)
    faults = [gap for gap in near if not (outgrown and abs(gap.beside) >= OUTGROWN * own.largest)]
    told = faults or near or list(own.forward)
    if told:
        message = f"{profile.name} is {_words(told[0])} in {own.dtype}."
    else:
        message = f"{profile.name} is finite in all of {own.dtype}."
    bounds = {f"finite within, {numerics.dtype}": _bound(numerics) for numerics in finite if numerics.forward}
    others = ", ".join(f"|z| < {bound:.4g} in {name.split()[-1]}" for name, bound in bounds.items())
    construct = told[0].construct if told else ""
    yield Finding(
        "",
        message
        + (f" The cause: {construct}." if construct else "")
        + (f" It is finite for {others}." if others and not faults else ""),
        severity="warning" if faults else "note",
        blames=("activation", "preprocessing", "learning-rate") if faults else ("activation",),
        evidence={**bounds, **({"construct": construct} if construct else {})},
        remedy=_remedy(construct, told[0].kind if told else "inf"),
        remedies=(nearest(shape), *_clipped(told)) if faults else (),
        refute="The inputs measured at its layers (preactivation.min and .max) stay well within the bound.",
        confidence=0.8 if faults else 0.9,
    )


def _clipped(told: list[Gap]) -> tuple[Remedy, ...]:
    """Inputs kept where the function is finite, where that is a stretch around 0."""
    low = max((gap.high for gap in told if gap.high < 0), default=-1e4)
    high = min((gap.low for gap in told if gap.low > 0), default=1e4)
    if any(gap.low <= 0 <= gap.high for gap in told):
        return ()
    return (remedy("clip-activation-input", value=[two_digits(0.9 * low), two_digits(0.9 * high)]),)


def _reachable(numerics: Numerics) -> tuple[Gap, ...]:
    """The gaps without those at the dtype's own end, where whatever is over z overflows (selu at 97 % of it, 10 * z at
    a tenth)."""
    end = min(AT_THE_END * numerics.largest, NEVER)
    return tuple(gap for gap in numerics.forward if abs(gap.nearest) < end)


def _met(profile: FunctionProfile, low: float, high: float) -> bool:
    return reaches(profile.numerics[0].forward, low, high)


def _words(gap: Gap) -> str:
    kind = {"nan": "NaN", "inf": "infinite", "-inf": "minus infinity"}[gap.kind]
    low, high = (edge if abs(edge) > DENORMAL else 0.0 for edge in (gap.low, gap.high))
    if low == high:
        return f"{kind} at z = {low:.4g}"
    if low == -math.inf and high == math.inf:
        return f"{kind} for every z"
    if high == math.inf:
        return f"{kind} for z > {low:.4g}"
    if low == -math.inf:
        return f"{kind} for z < {high:.4g}"
    return f"{kind} for z from {low:.4g} to {high:.4g}"


def _bound(numerics: Numerics) -> float:
    return min(abs(gap.nearest) for gap in numerics.forward)


def _remedy(construct: str, kind: str) -> str:
    if construct in ("exp", "expm1", "sinh", "cosh"):
        return (
            "Use the built-in that does the same safely (softplus, sigmoid, elu, logsumexp), or clamp the argument "
            "of the exponential."
        )
    if construct in ("asin", "acos", "atanh"):
        return "Keep the argument within -1 and 1: clip it, or use tanh."
    if construct in ("log", "sqrt", "power", "xlogy") and kind != "inf":
        return "Keep the argument in its domain: log(max(z, 1e-6)), sqrt(max(z, 0) + 1e-6)."
    if construct in ("division", "reciprocal", "rsqrt"):
        return "Keep the divisor away from 0: add a small number inside it."
    return "Clamp the argument to the range where f is finite."


RULE = Rule(
    __name__,
    __doc__,
    part="function",
    subject="profile",
    judge=judge,
    met=_met,
    explains=(
        "non-finite-activation",
        "non-finite-gradient",
        "non-finite-weights",
        "non-finite-loss",
        "hidden-nan",
        "collapsed-loss-scale",
        "steep-activation",  # growth without bound makes a function steep, huge, and flat beside its own peak
        "flat-activation",
        "badly-scaled-activation",
        "unstable-signal",
    ),
)
