"""Impure activation: the function does not return the same output each time, or has side effects.

Sees: three calls on the same input, the same again after the whole examination, variables before and after, what is
printed, and for a layer the same with training=True.
Harm: a prediction can't be repeated; a loss that is read twice differs; in a compiled training, Python side effects
happen once, while tracing, and never again.
Fires: two calls differ, the output depends on how often it was called, or a call changes a variable.
Rests: on a layer whose noise is for training only (dropout, RReLU), and on functions that only print: a note.
Remedy: make noise a layer with a `training` argument; keep state in a Layer's weights.
Refute: two calls on the same input agree in inference.
Source: the definition of a function.
"""

from __future__ import annotations

from collections.abc import Iterator

from diagnose.activation.function_profile import FunctionProfile
from diagnose.rules.rule import Rule
from diagnose.verdict import Finding, Healthy, NotMeasured, Verdict


def judge(profile: FunctionProfile) -> Iterator[Verdict]:
    """Look at the calls."""
    calls = profile.calls
    if calls.repeatable is None:
        yield NotMeasured("", profile.missing.get("mixing", "f was not called twice"))
        return
    changes = ", ".join(calls.changed)
    if not calls.repeatable:
        message = (
            f"Two calls of {profile.name} on the same input differ by {calls.largest_difference:.2g} times the "
            f"rms of its output{f': each changes {changes}' if changes else ''}."
        )
    elif calls.drifts:
        message = f"{profile.name} returns another output for the same input after it has been called many times."
    elif changes:
        message = f"Calling {profile.name} changes {changes}."
    elif calls.noisy_in_training:
        message = f"{profile.name} is random with training=True, and repeatable in inference."
    elif calls.printed or calls.prints_in_graph:
        told = f": {calls.printed.strip().splitlines()[0][:80]!r}" if calls.printed.strip() else ""
        message = f"{profile.name} prints while it is called{told}."
    else:
        yield Healthy()
        return
    fault = not calls.repeatable or calls.drifts or bool(changes)
    yield Finding(
        "",
        message,
        severity="warning" if fault else "note",
        blames=("activation",),
        evidence={"largest difference": calls.largest_difference, **({"changes": changes} if changes else {})},
        remedy=_remedy(calls.repeatable, bool(changes)) if fault else "Nothing to do, if it is meant.",
        refute="Two calls on the same input agree in inference.",
        confidence=0.95,
    )


def _remedy(repeatable: bool, changes: bool) -> str:
    """What differs between two calls may be noise, or a state that each call moves on, or either."""
    if repeatable:
        return "Keep state in the weights of a Layer."
    noise = "Make the noise a Layer with a `training` argument, and keep its seed in a SeedGenerator."
    return (
        f"Keep what it changes in the weights of a Layer. If it is a generator's state: {noise}" if changes else noise
    )


RULE = Rule(
    __name__,
    __doc__,
    part="function",
    subject="profile",
    judge=judge,
    explains=("noisy-gradient", "train-eval-gap"),
    anywhere=True,  # it acts on whatever inputs are met
)
