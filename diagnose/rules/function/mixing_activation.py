"""Mixing activation: an output depends on inputs that are not its own.

Sees: which outputs change when the inputs of one sample, one unit or one place change.
Harm: over the batch, the prediction for one sample depends on the samples beside it, so training and serving differ and
metrics are wrong. Over units, the function is a layer of its own, and axis mistakes hide in it.
Fires: over the batch: critical. Over units or places without being a normalization: a warning.
Rests: on normalizations, recognized by what they keep the same for all rows (a sum, a log-sum-exp, a sum of squares,
the largest entry: softmax, log_softmax, a unit norm), or by outputs that stay within a bound for inputs of any size
while all units are treated alike (sparsemax); on gates and maxima that fold or unfold the last axis (glu); and on
layers, which may mix on purpose: a note.
Remedy: give the axis: axis=-1 mixes over units only.
Refute: over the batch, a sample alone and the same sample within a batch get the same output. Over units or places,
changing one of them leaves the outputs of the others as they were.
Source: the definition of an elementwise function.
"""

from __future__ import annotations

from collections.abc import Iterator

from diagnose.activation.facts import Mixing
from diagnose.activation.function_profile import FunctionProfile
from diagnose.rules.evidence.profile import missing
from diagnose.rules.rule import Rule
from diagnose.verdict import Finding, Healthy, Verdict


def judge(profile: FunctionProfile) -> Iterator[Verdict]:
    """Look at what depends on what."""
    reason = missing(profile, "mixing")
    mixing = profile.mixing
    if reason is not None or mixing is None:
        yield reason or Healthy()
        return
    if mixing.elementwise:
        yield Healthy()
        return
    folds = _folds_last_axis(mixing, profile.calls.shape)
    if mixing.batch:
        message = f"The output of {profile.name} for one sample depends on the other samples of the batch."
    elif mixing.normalizes:
        kept = (
            "its outputs stay within a bound"
            if mixing.normalizes == "bound"
            else f"the {mixing.normalizes} of each row is the same"
        )
        message = f"{profile.name} normalizes: {kept}."
    elif not mixing.keeps_shape:
        message = (
            f"{profile.name} turns an input of shape {profile.calls.shape} into one of shape "
            f"{mixing.output_shape} (batch left out)."
        )
    else:
        others = "units" if mixing.units else "places"
        message = f"Each output of {profile.name} depends on other {others} of the same sample."
    meant = mixing.normalizes or folds or profile.kind == "layer"
    severity = "critical" if mixing.batch else "note" if meant else "warning"
    yield Finding(
        "",
        message,
        severity=severity,  # type: ignore[arg-type]
        blames=("activation", "layers"),
        evidence={
            "mixes": ", ".join(
                name
                for name, on in (("batch", mixing.batch), ("units", mixing.units), ("places", mixing.positions))
                if on
            )
            or "shape",
            "keeps the same": mixing.normalizes or "nothing",
        },
        remedy="Compute over axis=-1, never over axis 0, the batch."
        if mixing.batch
        else "Nothing to do, if that is what it is for, over the axis that is meant."
        if severity == "note"
        else "Work element by element, or make it a Layer whose name says what it mixes.",
        refute="A sample alone and the same sample within a batch get the same output."
        if mixing.batch
        else "Changing one input of a sample leaves its other outputs as they were.",
        confidence=0.95,
    )


def _folds_last_axis(mixing: Mixing, shape: tuple[int, ...]) -> bool:
    """The last axis is divided or multiplied by a whole number, the others are as they were."""
    if (
        mixing.keeps_shape
        or not shape
        or len(mixing.output_shape) != len(shape)
        or mixing.output_shape[:-1] != shape[:-1]
    ):
        return False
    before, after = shape[-1], mixing.output_shape[-1]
    return after > 1 and (before % after == 0 or after % before == 0)


RULE = Rule(
    __name__,
    __doc__,
    part="function",
    subject="profile",
    judge=judge,
    explains=("mixed-samples", "train-validation-shift", "train-eval-gap", "memorized-labels"),
    anywhere=True,  # it acts on whatever inputs are met
)
