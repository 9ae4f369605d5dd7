"""Untracked parameter: the function reads a variable that no layer owns, so it never trains.

Sees: the variables that the traced function reads, its closure, globals and defaults, less those of the layer that f is
or is bound to.
Harm: Keras trains what layers own. A parameter in a closure always keeps its first value, is not saved, and nothing
warns.
Fires: such a variable is marked trainable.
Rests: on variables that are not trainable (a table, a schedule): a note. Where the model is known, a variable that one
of its layers owns is no fault.
Remedy: make it a Layer: self.add_weight(...) in build, and the formula in call.
Refute: the variable's path is among those of model.trainable_variables.
Source: Keras 3 tracks variables set as attributes of layers; issues 4608 and 7078 of keras-team/keras.
"""

from __future__ import annotations

from collections.abc import Iterator

from diagnose.activation.function_profile import FunctionProfile
from diagnose.rules.rule import Rule
from diagnose.verdict import Finding, Healthy, Verdict


def judge(profile: FunctionProfile) -> Iterator[Verdict]:
    """Look at the captured variables."""
    loose = [variable for variable in profile.captured if not variable.owner]
    if not loose:
        yield Healthy()
        return
    trainable = [variable for variable in loose if variable.trainable]
    names = ", ".join(variable.name for variable in (trainable or loose)[:3])
    yield Finding(
        "",
        f"{profile.name} reads {names}, which no layer owns"
        + (": it will never be trained or saved." if trainable else " (not trainable)."),
        severity="warning" if trainable else "note",
        blames=("activation", "layers"),
        evidence={"variables": names, "count": float(len(loose))},
        remedy="Make it a Layer: create the variable with self.add_weight in build, and compute in call."
        if trainable
        else "Nothing to do, if its value is meant to stay.",
        refute="The variable is among model.trainable_variables.",
        confidence=0.85,
    )


RULE = Rule(
    __name__,
    __doc__,
    part="function",
    subject="profile",
    judge=judge,
    explains=("frozen-weights",),
    anywhere=True,  # it acts on whatever inputs are met
)
