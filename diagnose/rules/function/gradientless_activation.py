"""Gradientless activation: no gradient passes the function at all, although its value varies.

Sees: the gradient that autodiff computes: None, or 0 everywhere, while f(z) changes with z.
Harm: everything below the layer stays as it was initialized; Keras reports nothing, or only warns, if other layers
learn.
Fires: the gradient is None or 0 everywhere, and f varies.
Rests: on constant functions (constant-activation reports it).
Remedy: a straight-through gradient, or a smooth stand-in (a sigmoid for a step, z for round).
Refute: the gradients measured below the layer are not 0.
Source: the derivatives of round, floor, sign, argmax and integer casts are 0 or undefined; Bengio, Leonard and
Courville (2013) for the straight-through remedy.
"""

from __future__ import annotations

from collections.abc import Iterator

from diagnose.activation.function_profile import FunctionProfile
from diagnose.rules.evidence.profile import missing, nearest
from diagnose.rules.rule import Rule
from diagnose.verdict import Finding, Healthy, Verdict


def judge(profile: FunctionProfile) -> Iterator[Verdict]:
    """Look at autodiff's gradient."""
    reason = missing(profile, "gradient")
    gradient = profile.gradient
    if reason is not None or gradient is None:
        yield reason or Healthy()
        return
    if gradient.answer == "slopes" or not gradient.varies:
        yield Healthy()
        return
    steps = profile.shape is not None and profile.shape.jump_count > 0
    answer = "None: nothing connects output and input" if gradient.answer == "none" else "0 everywhere"
    yield Finding(
        "",
        f"The gradient of {profile.name} by autodiff is {answer}, although its value varies"
        + (" (in steps)." if steps else ": its slope is cut off or cast away."),
        blames=("activation",),
        evidence={"autodiff": gradient.answer},
        remedy="Pass the gradient straight through: z + stop_gradient(f(z) - z); or use a smooth stand-in."
        if steps
        else "Remove the stop_gradient, the cast to an integer or the detour through NumPy.",
        remedies=(nearest(profile.shape),),
        refute="The gradients measured below its layers are not 0.",
        confidence=0.95,
    )


RULE = Rule(
    __name__,
    __doc__,
    part="function",
    subject="profile",
    judge=judge,
    explains=(
        "zero-gradient",
        "blocked-gradient",
        "vanishing-gradient",
    ),
    anywhere=True,  # it acts on whatever inputs are met
)
