"""Unsavable activation: a saved model can't find the function again.

Sees: serializing and deserializing the function without custom objects, in safe mode; in a watched training, the layer
that keeps it.
Harm: the training is done, the file is written, and load_model raises "could not be deserialized".
Fires: making the layer that holds it from its configuration failed, or resulted in another function.
Rests: on a function examined on its own that Keras can't find by itself, a lambda among them: a note, since
custom_objects may be given on loading. In the diagnosis of a training, too: it is no reason for what was learned.
Remedy: a named function at module level, under @keras.saving.register_keras_serializable().
Refute: keras.models.clone_model(model) works, and load_model in a new process.
Source: Keras 3, saving/serialization_lib.py; issues 6529, 8880 and 20333 of keras-team/keras.
"""

from __future__ import annotations

from collections.abc import Iterator

from diagnose.activation.function_profile import FunctionProfile
from diagnose.rules.evidence.profile import missing
from diagnose.rules.rule import Rule
from diagnose.verdict import Finding, Healthy, Verdict


def judge(profile: FunctionProfile) -> Iterator[Verdict]:
    """Look at what serialization made of it."""
    reason = missing(profile, "saving")
    saving = profile.saving
    if reason is not None or saving is None:
        yield reason or Healthy()
        return
    if saving.loads and not saving.model_error:
        yield Healthy()
        return
    why = saving.model_error or saving.told
    yield Finding(
        "",
        f"Keras can't load {profile.name} again by itself: {why}" + ("" if why.endswith(".") else "."),
        severity="warning" if saving.model_error else "note",
        blames=("activation", "layers"),
        evidence={"kind": saving.kind, "error": why},
        remedy="Write it as a named function at module level and put "
        '@keras.saving.register_keras_serializable(package="...") above it.',
        refute="load_model in a new process gives the same predictions.",
        confidence=0.9,
    )


RULE = Rule(
    __name__,
    __doc__,
    part="function",
    subject="profile",
    judge=judge,
    harms_later=True,
)
