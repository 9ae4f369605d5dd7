"""Constant input: the data do not vary.

Sees: `input.min`, `input.max` and `input.std` of each observed batch.

Harm: with the same input for every sample, no answer can depend on it.

Fires: an input whose smallest and largest entry are equal, at 4 of the last 5 observations.

Rests: one input of several (a constant side input is odd, not fatal: a note).

Remedy: look at the preprocessing: integer division (`x // 255` makes zeros of an image), a cast to integers after
scaling, a generator that returns its empty buffer.

Refute: `x.std()` of what `fit` gets is over 0.

Source: arithmetic: no function of a constant varies.
"""

from __future__ import annotations

from collections.abc import Iterator

from diagnose.rules._persistence import lasting, too_few
from diagnose.run import Run
from diagnose.verdict import Finding, Healthy, NotMeasured, Verdict

PART = "data"
EXPLAINS = (
    "constant-predictions",
    "collapsed-representation",
    "zero-gradient",
    "dead-units",
    "mismatched-initialization",
    "repeated-batch",
    "saturated-activation",
    "fading-signal",
    "vanishing-gradient",
    "slow-progress",
)


def judge(run: Run) -> Iterator[Verdict]:
    """Each input by its range."""
    places = run.places("input.max")
    if not places:
        yield NotMeasured("", "no numeric input was observed")
    for where in places:
        low, high = run.series("input.min", where).finite(), run.series("input.max", where).finite()
        if len(high) < 3 or len(low) != len(high):
            yield NotMeasured(where, too_few(high))
            continue
        since = lasting(high, high.values <= low.values)
        if since is None:
            yield Healthy(where)
            continue
        yield Finding(
            where,
            f"Every entry of the input{f' `{where}`' if where else ''} is {float(high.values[-1]):.3g}.",
            severity="critical" if len(places) == 1 else "note",
            blames=("preprocessing", "data"),
            since=since,
            evidence={"value": float(high.values[-1])},
            remedy="Look at the preprocessing: x // 255 and a cast to integers after "
            "scaling make all entries equal; use x / 255.0.",
            refute="x.std() of what fit gets is over 0.",
            confidence=0.95,
        )
