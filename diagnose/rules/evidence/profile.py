"""What the rules about a function on its own share: when a fact is missing, and two kinds of function that rest.

Both kinds are told by effect. A *shrink* has a dead zone or a shallow stretch by design and full slope beside it, out
to both ends (hard, soft and tanh shrink). An *exponential* grows in proportion to its own value: where it is steep or
overflows, so would any function that does the same job (a rate, a scale); it is the natural inverse link of a
logarithm and not a mistake by itself.
"""

from __future__ import annotations

from diagnose.activation.facts import Shape
from diagnose.activation.function_profile import FunctionProfile
from diagnose.remedy import Remedy, remedy
from diagnose.verdict import NotMeasured

#: Variation over |z| <= 3, relative to the size of f, under which f is constant: a few roundings of float32.
VARIATION = 1e-6
#: Share of the largest slope that both tails of a shrink have: hard and soft shrink 1, tanh shrink 1.
FULL_SLOPE = 0.9
#: Largest |f'| / |f| of an exponential where it is steep: exp has 1, sinh and expm1 up to 1.11, x**3 already 1.6.
PROPORTIONAL = 1.25


def missing(profile: FunctionProfile, *fields: str) -> NotMeasured | None:
    """The reason why one of these fields holds nothing; None if all are there."""
    for field in fields:
        if getattr(profile, field) in (None, ()):
            return NotMeasured("", profile.missing.get(field, f"the profile holds no {field}"))
    return None


def slopeless(profile: FunctionProfile) -> NotMeasured | None:
    """The reason why slopes can't be judged: autodiff has none; None if it has."""
    if profile.gradient is not None and profile.gradient.answer != "slopes":
        return NotMeasured("", "autodiff computes no slope (see gradientless-activation)")
    return None


def boundless(shape: Shape) -> NotMeasured | None:
    """The reason why shares of the largest slope mean nothing: it has none; None if it has."""
    if not shape.vertical:
        return None
    return NotMeasured("", f"its slope grows without bound near z = {shape.vertical[0]:.3g}")


def nearest(shape: Shape | None) -> Remedy:
    """The activation of Keras to put in the place of one: bounded where it is bounded."""
    bounded = shape is not None and max(shape.tail_slopes) < 1e-2 and shape.std <= 1.0
    return remedy("replace-activation", value="tanh" if bounded else "relu")


def is_constant(shape: Shape) -> bool:
    """f varies by less than rounding: constant-activation says all there is to say."""
    return shape.variation <= VARIATION * shape.size_near


def is_shrink(shape: Shape) -> bool:
    """A dead zone around 0, and beside it full slope out to both ends, no steeper there than near 0."""
    steepest = max(abs(shape.lowest_slope), abs(shape.highest_slope))
    return shape.centre is not None and shape.largest_slope >= FULL_SLOPE * steepest <= min(shape.tail_slopes)


def is_exponential(shape: Shape) -> bool:
    """Steep somewhere, and there in proportion to its own value."""
    return 0 < shape.relative_growth <= PROPORTIONAL
