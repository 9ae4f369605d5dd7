"""Non-monotonic activation: the function rises and falls again and again over its usual inputs.

Sees: the turning points within |z| <= 3, and the share of the total |f'| (z under N(0, 1)) where the function falls or
where it rises, whichever is smaller.
Harm: inputs that differ get the same output, and the gradient points the wrong way on a part of them, so a
step that helps one sample hurts another.
Fires: over 20 % of the total |f'| is of the rarer direction, with two turning points or more within |z| <= 3.
Rests: on functions with one shallow dip (gelu, silu, mish), one fold (abs, gaussian), or whose folds lie far out
(sin): a note with the turning points. On periodic functions with a trend (snake), which do not fall at all.
Remedy: lower the frequency inside f, add a trend (z + sin(z)**2), or keep its inputs small, as SIREN does.
Refute: the falling share measured in a training is low, or the training succeeds: SIREN networks do, with weights made
for it.
Source: Parascandolo et al. (2017), "Taming the waves", for the harm; Sitzmann et al. (2020) for the remedy. 20 % lies
between sin(z) and sin(2 z).
"""

from __future__ import annotations

from collections.abc import Iterator

from diagnose.activation.function_profile import FunctionProfile
from diagnose.remedy import remedy
from diagnose.rules.evidence.profile import missing, nearest
from diagnose.rules.rule import Rule
from diagnose.verdict import Finding, Healthy, Verdict
from diagnose.wording import counted

SHARE = 0.2  # measured: sin(z) 6 %, sin(2 z) 39 %
FOLDS = 2


def judge(profile: FunctionProfile) -> Iterator[Verdict]:
    """Count folds."""
    reason = missing(profile, "shape")
    shape = profile.shape
    if reason is not None or shape is None:
        yield reason or Healthy()
        return
    if shape.turn_count == 0:
        yield Healthy()
        return
    folded = shape.falling_share > SHARE and shape.folds >= FOLDS
    closest = sorted(shape.turns, key=lambda turn: abs(turn.z))[:4]
    places = ", ".join(f"{turn.z:.4g}" for turn in sorted(closest, key=lambda turn: turn.z))
    more = f" and {shape.turn_count - len(closest)} more" if shape.turn_count > len(closest) else ""
    yield Finding(
        "",
        f"{profile.name} rises and falls, turning at z = {places}{more} ({counted(shape.folds, 'turning point')} "
        "within |z| <= 3).",
        severity="warning" if folded else "note",
        blames=("activation", "initialization"),
        evidence={
            "falling share": shape.falling_share,
            "folds": float(shape.folds),
            "turning points": float(shape.turn_count),
        },
        remedy="Lower the frequency inside f, or give it a trend, such as z + sin(z)**2."
        if folded
        else "Nothing to do, as long as its inputs have an rms of about 1.",
        remedies=(nearest(shape), remedy("scale-activation-input", value=0.5)) if folded else (),
        refute="The falling share measured at its layers stays under 20 %.",
        confidence=0.8,
    )


RULE = Rule(
    __name__,
    __doc__,
    part="function",
    subject="profile",
    judge=judge,
    flow="here",
)
