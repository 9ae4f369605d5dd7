"""Dtype-changing activation: the output has another dtype than the input.

Sees: the dtype of the output for float32, float16 and bfloat16 inputs; for a layer, in its own compute dtype.
Harm: under mixed precision a float32 output undoes what half precision saves, or the next layer casts it back and
loses digits; an integer or boolean output has no gradient.
Fires: the output has another dtype than the input for any of the dtypes; in a training it is a note.
Rests: on functions that raise in a dtype they are not examined for: a note with the error.
Remedy: create constants in the input's dtype (keras.ops.cast(c, z.dtype), or plain Python numbers).
Refute: f(z).dtype == z.dtype for each dtype policy in use.
Source: Keras casts a layer's inputs to its compute dtype, not what an activation makes of them.
"""

from __future__ import annotations

from collections.abc import Iterator

from diagnose.activation.function_profile import FunctionProfile
from diagnose.rules.rule import Rule
from diagnose.verdict import Finding, Healthy, NotMeasured, Verdict


def judge(profile: FunctionProfile) -> Iterator[Verdict]:
    """Compare dtypes."""
    told = profile.calls.output_dtype
    if not told:
        yield NotMeasured("", profile.missing.get("mixing", "no output dtype was seen"))
        return
    changed = {given: came for given, came in told.items() if came != given and not came.startswith("raises")}
    failing = {given: came for given, came in told.items() if came.startswith("raises") and given != profile.dtype}
    if not changed and not failing:
        yield Healthy()
        return
    if changed:
        pairs = ", ".join(f"{given} as {came}" for given, came in changed.items())
        message = f"{profile.name} changes the dtype: it returns {pairs}."
    else:
        given, came = next(iter(failing.items()))
        message = f"{profile.name} {came} on {given} input: it can't be used with that dtype policy."
    yield Finding(
        "",
        message,
        severity="warning" if changed else "note",
        blames=("activation",),
        evidence={f"of {given}": came for given, came in told.items()},
        remedy="Create constants in the dtype of the input: plain Python numbers, or keras.ops.cast(c, z.dtype).",
        refute="f(z).dtype equals z.dtype under the dtype policy in use.",
        confidence=0.95,
    )


RULE = Rule(
    __name__,
    __doc__,
    part="function",
    subject="profile",
    judge=judge,
    explains=("collapsed-loss-scale",),
    harms_later=True,  # it costs time and digits under another dtype policy, and keeps no training from learning
)
