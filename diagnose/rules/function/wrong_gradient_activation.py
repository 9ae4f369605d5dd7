"""Wrong-gradient activation: the gradient that autodiff gives is not the slope of the function.

Sees: autodiff against central differences of f, at about 2,000 places away from kinks; and whether a gradient
multiplied by -3 is still multiplied by -3 after the function.
Harm: the training does not follow the loss: it stalls, or the loss rises.
Fires: the difference is over 1 % of the largest slope, or the upstream gradient is not passed on in proportion.
Rests: on step functions whose gradient is a deliberate stand-in (a straight-through round): a note.
Remedy: correct the custom_gradient; the message names the factor by which it is wrong.
Refute: a gradient check in float64 agrees.
Source: central differences at a distance of 1e-5 in float64 are exact to about 1e-10 of the slope; 1 % leaves room for
float32.
"""

from __future__ import annotations

from collections.abc import Iterator

from diagnose.activation.facts import GradientCheck
from diagnose.activation.function_profile import FunctionProfile
from diagnose.rules.evidence.profile import missing, nearest
from diagnose.rules.rule import Rule
from diagnose.verdict import Finding, Healthy, NotMeasured, Verdict
from diagnose.wording import percent

FACTOR = 0.1  # a guess: of the slope, by which it may still be off once it is divided

OFF = 0.01  # arithmetic: see Source
FEWEST = 16  # places: fewer tell of an odd corner, not of the function


def judge(profile: FunctionProfile) -> Iterator[Verdict]:
    """Compare both slopes."""
    reason = missing(profile, "gradient")
    gradient = profile.gradient
    if reason is not None or gradient is None:
        yield reason or Healthy()
        return
    if gradient.answer != "slopes" or gradient.compared < FEWEST:
        yield NotMeasured(
            "",
            "there is no slope to compare"
            if gradient.answer != "slopes"
            else profile.missing.get("shape", "f has no smooth stretch to compare on"),
        )
        return
    if gradient.worst <= OFF and gradient.upstream == "scales":
        yield Healthy()
        return
    if gradient.surrogate and gradient.upstream == "scales":
        message = f"{profile.name} is a step function with a stand-in for its gradient."
    elif gradient.upstream == "ignored":
        message = f"The gradient of {profile.name} ignores the upstream gradient, so the chain rule ends here."
    elif gradient.upstream == "wrong":
        message = f"The gradient of {profile.name} is not proportional to the upstream gradient."
    else:
        message = (
            f"At z = {gradient.where:.3g} the slope of {profile.name} is {gradient.autodiff:.3g} by autodiff and "
            f"{gradient.differences:.3g} by differences of f; {percent(gradient.wrong_share)} of the points "
            f"compared are wrong, by a factor of {gradient.ratio:.3g} in the median."
        )
    yield Finding(
        "",
        message,
        severity="note" if gradient.surrogate and gradient.upstream == "scales" else "warning",
        blames=("activation",),
        evidence={
            "largest difference": gradient.worst,
            "ratio": gradient.ratio,
            "wrong share": gradient.wrong_share,
            "upstream": gradient.upstream,
        },
        remedy="Multiply by `upstream` in the gradient of the custom_gradient."
        if gradient.upstream != "scales"
        else "Nothing to do, if the stand-in is meant."
        if gradient.surrogate
        else f"Divide the gradient of the custom_gradient by {gradient.ratio:.3g}, or derive it again."
        if gradient.ratio not in (0.0, 1.0) and _is_factor(gradient)
        else "Derive the gradient of the custom_gradient again.",
        remedies=() if gradient.surrogate else (nearest(profile.shape),),
        refute="A check against central differences in float64 agrees.",
        confidence=0.95,
    )


def _is_factor(gradient: GradientCheck) -> bool:
    """Whether what is right in the median is right where the slope is off most, too."""
    left = abs(gradient.autodiff / gradient.ratio - gradient.differences)
    return left <= FACTOR * max(abs(gradient.differences), abs(gradient.autodiff / gradient.ratio))


RULE = Rule(
    __name__,
    __doc__,
    part="function",
    subject="profile",
    judge=judge,
    explains=("vanishing-gradient", "exploding-gradient", "zero-gradient", "blocked-gradient", "amplified-gradient"),
    anywhere=True,  # it acts on whatever inputs are met
)
