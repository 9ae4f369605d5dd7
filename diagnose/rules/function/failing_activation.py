"""Failing activation: calling the function raises an error, hangs, needs too much memory, or returns no tensor.

Sees: what happens when f is called on small batches of several ranks, in a graph, and over the whole range of its
dtype.
Harm: the training stops with an error that names TensorFlow rather than the function, or never starts.
Fires: no call works: critical. It raises on some inputs, works eagerly but not in a graph, takes seconds for a few
numbers, or needs a tensor of gigabytes: a warning.
Rests: on functions that only need a higher rank than rows: a note.
Remedy: the message holds the error and the input that causes it.
Refute: f(tf.zeros((4, 8))) returns a tensor of numbers.
Source: one call may take 5 s and the whole examination 10 s, where an ordinary one takes half a second; 1 GiB for 8
rows of 8 numbers is a million times what they hold.
"""

from __future__ import annotations

from collections.abc import Iterator

from diagnose.activation.function_profile import FunctionProfile
from diagnose.rules.rule import Rule
from diagnose.verdict import Finding, Healthy, Verdict

_WORDS = {
    "raises": "raises {told}",
    "returns": "returns nothing usable: {told}",
    "slow": "is too slow: {told}",
    "memory": "takes too much memory: {told}",
    "graph": "can't be compiled: {told}",
    "rank": "needs a higher rank: {told}",
}


def judge(profile: FunctionProfile) -> Iterator[Verdict]:
    """Look at the failed calls."""
    failures = profile.calls.failures
    if not failures:
        yield Healthy()
        return
    grave = [failure for failure in failures if failure.fatal] or [
        failure for failure in failures if failure.kind != "rank"
    ]
    worst, *others = sorted(grave or failures, key=lambda failure: list(_WORDS).index(failure.kind))
    rank_only = not grave
    yield Finding(
        "",
        f"{profile.name} {_WORDS[worst.kind].format(told=worst.told)}. Input: {worst.given}."
        + "".join(
            f" It also {_WORDS[other.kind].format(told=other.told)}." for other in others if other.kind != worst.kind
        )
        + (f" It works from rank {profile.calls.least_rank} on." if rank_only else ""),
        severity="critical" if worst.fatal else "note" if rank_only else "warning",
        blames=("activation",),
        evidence={"kind": worst.kind, "input": worst.given, "error": worst.told},
        remedy={
            "returns": "Return a tensor: use keras.ops or tf functions instead of NumPy, and do not forget `return`.",
            "slow": "Vectorize it: no Python loops over entries, no sleeping, no files.",
            "memory": "Work element by element: no outer products over the batch, no constants of fixed huge shape.",
            "graph": "Use keras.ops or tf functions only; no Python numbers made from tensors, no shapes read as "
            "integers.",
            "rank": "Use it behind layers of that rank.",
        }.get(worst.kind, "Make it defined for every finite input."),
        refute="Calling it on this input works.",
        confidence=0.95,
    )


RULE = Rule(
    __name__,
    __doc__,
    part="function",
    subject="profile",
    judge=judge,
    explains=("non-finite-activation",),
    anywhere=True,  # it acts on whatever inputs are met
)
