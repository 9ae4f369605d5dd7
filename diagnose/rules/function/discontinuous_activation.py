"""Discontinuous activation: the function jumps where it has slope.

Sees: places where f has two different values at once, closed in on from both sides, and the slope beside them.
Harm: the gradient does not contain the jump, so training steps over it back and forth.
Fires: f jumps within |z| <= 8 and has slope beside the jump.
Rests: on functions that drop values inside a dead zone and keep the others true (hard shrink, a thresholded ReLU): a
note. On step functions, which have no slope at all (gradientless-activation reports them): a note.
Remedy: make the branches meet: subtract the height of the jump from one of them.
Refute: values just below and just above the place agree.
Source: the definition of continuity; |z| <= 8 holds all but 1e-15 of N(0, 1).
"""

from __future__ import annotations

from collections.abc import Iterator

from diagnose.activation.curve.search import DENSE
from diagnose.activation.function_profile import FunctionProfile
from diagnose.rules.evidence.profile import missing, nearest
from diagnose.rules.rule import Rule
from diagnose.verdict import Finding, Healthy, Verdict


def judge(profile: FunctionProfile) -> Iterator[Verdict]:
    """Look at the jumps."""
    reason = missing(profile, "shape")
    shape = profile.shape
    if reason is not None or shape is None:
        yield reason or Healthy()
        return
    if not shape.jumps:
        yield Healthy()
        return
    faults = [jump for jump in shape.jumps if jump.sloped and not jump.dead_zone and abs(jump.z) <= DENSE]
    told = min(faults or shape.jumps, key=lambda jump: abs(jump.z))
    more = f", one of {shape.jump_count} jumps" if shape.jump_count > 1 else ""
    yield Finding(
        "",
        f"{profile.name} jumps from {told.below:.4g} to {told.above:.4g} at z = {told.z:.4g}{more}.",
        severity="warning" if faults else "note",
        blames=("activation",),
        evidence={"jump at": told.z, "height": told.above - told.below, "jumps": float(shape.jump_count)},
        remedy=f"Let the branches meet: subtract {told.above - told.below:.4g} from the one above z = {told.z:.4g}."
        if faults
        else "Nothing to do, if the dead zone is meant."
        if told.dead_zone
        else "It is a step function: give it a gradient of its own.",
        remedies=(nearest(shape),) if faults else (),
        refute="Values just below and just above the place agree.",
        confidence=0.9,
    )


RULE = Rule(
    __name__,
    __doc__,
    part="function",
    subject="profile",
    judge=judge,
    explains=("oscillating-loss",),
)
