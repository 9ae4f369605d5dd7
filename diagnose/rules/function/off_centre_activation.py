"""Off-centre activation: the mean of the outputs is not 0.

Sees: E f(z) and the standard deviation of f(z), for z ~ N(0, 1).
Harm: the inputs of the next layer share a sign, so the gradients of its weights do too, and training zigzags.
Fires: never above a note: |E f(z)| over half the standard deviation. ReLU is off-centre and trains well.
Rests: on constant functions (constant-activation reports it).
Remedy: none needed where the next layer has biases or a normalization.
Refute: activation.mean measured is near 0.
Source: LeCun et al. (1998), "Efficient BackProp", section 4.3.
"""

from __future__ import annotations

from collections.abc import Iterator

from diagnose.activation.function_profile import FunctionProfile
from diagnose.remedy import remedy
from diagnose.rules.evidence.change import two_digits
from diagnose.rules.evidence.profile import is_constant, missing
from diagnose.rules.rule import Rule
from diagnose.verdict import Finding, Healthy, Verdict

SHIFT = 0.5  # a guess: tanh 0, elu 0.2, gelu 0.5, relu 0.7, sigmoid 2.4


def judge(profile: FunctionProfile) -> Iterator[Verdict]:
    """Look at the mean."""
    reason = missing(profile, "shape")
    shape = profile.shape
    if reason is not None or shape is None:
        yield reason or Healthy()
        return
    if abs(shape.mean) <= SHIFT * shape.std or is_constant(shape):
        yield Healthy()
        return
    yield Finding(
        "",
        f"{profile.name} is not centred: for standard normal inputs its mean is {shape.mean:.3g}, its standard "
        "deviation "
        f"{shape.std:.3g}.",
        severity="note",
        blames=("activation",),
        evidence={"mean": shape.mean, "standard deviation": shape.std},
        remedy=f"Subtract {shape.mean:.3g}, or rely on biases and normalization.",
        remedies=(remedy("shift-activation-output", value=two_digits(-shape.mean)),),
        refute="activation.mean measured at its layers is near 0.",
        confidence=0.9,
    )


RULE = Rule(
    __name__,
    __doc__,
    part="function",
    subject="profile",
    judge=judge,
)
