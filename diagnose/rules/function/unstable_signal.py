"""Unstable signal: with every usual initialization, the signal vanishes or explodes over a few layers of this function.

Sees: the second moment of the activations after 8 wide, square layers with He, Glorot and LeCun weights and unit
input, from the map q -> gain * E f(sqrt(q) z)^2.
Harm: the output then no longer depends on the input, or overflows, before anything has been learned.
Fires: with each of the three, the second moment is under 1e-3 or over 1e3.
Rests: on shrinking functions, which lose signal by design, and exponentials, which are made for outputs: a note. A
function whose signal one initialization keeps through 8 layers gives no warning; if none keeps both signal and gradient
(as squares, within a factor 1000) so far, that is a note: functions such as sigmoid lose the gradient sooner.
Remedy: scale f so that E f(z)^2 is near 1, or use normalization layers.
Refute: rms(a) measured at step 0 is of the same size in the first and the last layer (normalization, residual sums).
Source: Poole et al. (2016), the length map; Schoenholz et al. (2017), chi_1. That there is a fixed point says too
little: one at which signals stay (softplus has none under He) and one that they leave (x**3) count the same, so a
depth is computed.
"""

from __future__ import annotations

from collections.abc import Iterator

from diagnose.activation.function_profile import FunctionProfile
from diagnose.remedy import remedy
from diagnose.rules.evidence.change import two_digits
from diagnose.rules.evidence.profile import is_constant, is_exponential, is_shrink, missing, nearest, slopeless
from diagnose.rules.rule import Rule
from diagnose.verdict import Finding, Healthy, NotMeasured, Verdict

FACTOR = 1e3  # a guess: float16 has 5 decades to either side of 1, float32 38
LAYERS = 8  # the depth that the rule looks at


def judge(profile: FunctionProfile) -> Iterator[Verdict]:
    """Look at the second moment in the depth."""
    reason = missing(profile, "shape", "propagation") or slopeless(profile)
    shape, found = profile.shape, profile.propagation
    if reason is not None or shape is None or found is None:
        yield reason or Healthy()
        return
    if not found.depths:
        yield NotMeasured("", "the profile holds no signal through depth")
        return
    after = {depth.initializer: depth.after_8 for depth in found.depths}
    lost = all(not 1 / FACTOR <= moment <= FACTOR for moment in after.values())
    kept = {depth.initializer: min(depth.signal_layers, depth.gradient_layers) for depth in found.depths}
    best = max(kept, key=lambda name: kept[name])
    if is_constant(shape) or (not lost and kept[best] >= LAYERS):
        yield Healthy()
        return
    by_design = is_shrink(shape) or is_exponential(shape)
    numbers = ", ".join(f"{moment:.2g} with {name}" for name, moment in after.items())
    scale = found.best_gain**0.5
    yield Finding(
        "",
        f"After 8 layers of {profile.name}, a signal of second moment 1 has a second moment of {numbers}."
        if lost
        else f"Signal and gradient keep their size (squared, within a factor 1000) over {kept[best]} layers of "
        f"{profile.name} "
        f"at best, with {best}.",
        severity="warning" if lost and not by_design else "note",
        blames=("activation", "initialization"),
        evidence={
            **{f"second moment after 8, {name}": moment for name, moment in after.items()},
            **{f"chi, {depth.initializer}": depth.chi for depth in found.depths},
        },
        remedy=(
            f"Multiply its output by {scale:.3g}, which keeps a unit signal, or "
            if 1e-3 < scale < 1e3
            else "Replace it, or "
        )
        + "put a normalization layer before each use.",
        remedies=(
            *([remedy("scale-activation-output", value=two_digits(scale))] if 1e-3 < scale < 1e3 else []),
            remedy("normalize-activation-input"),
            nearest(shape),
        ),
        refute="rms(a) measured at step 0 is of the same size in the first and the last layer.",
        confidence=0.7,
    )


def can_follow(finding: Finding, cause: Finding) -> bool:
    """What is flat makes no signal grow, and what is steep makes none fade."""
    moments = [float(value) for name, value in finding.evidence.items() if name.startswith("second moment")]
    if cause.rule == "flat-activation":
        return any(moment < 1 for moment in moments)
    return cause.rule != "steep-activation" or not all(moment < 1 for moment in moments)


RULE = Rule(
    __name__,
    __doc__,
    part="function",
    subject="profile",
    judge=judge,
    explains=(
        "vanishing-gradient",
        "exploding-gradient",
        "fading-signal",
        "growing-signal",
        "non-finite-activation",
        "mismatched-initialization",
        "thin-headroom",
    ),
    flow="here",
    can_follow=can_follow,
)
