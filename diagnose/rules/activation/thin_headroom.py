"""Thin headroom: numbers come close to the largest that their format holds.

Sees: `preactivation.min`, `.max`, `activation.min` and `.max` against the limit of the activation's dtype.

Harm: one larger batch overflows, and everything computed from it is infinite or NaN.

Fires: at LEAST of the last WINDOW observations the largest absolute value is over a MARGIN-th of the limit (6,550 in
float16).

Rests: on dtypes without a bound here. Not yet on attention masks of -3e4, which are near the limit of float16 on
purpose.

Remedy: smaller inputs, weights or learning rate; bfloat16, which has float32's range; float32 for this layer.

Refute: the largest value stays where it is over the whole training.

Source: arithmetic: 65,504 is the largest float16, 3.4e38 the largest float32 and bfloat16.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from diagnose.rules.evidence.case import Case
from diagnose.rules.evidence.persistence import NEEDED, WINDOW, lasting
from diagnose.rules.rule import Rule
from diagnose.run.layout import site_name
from diagnose.run.run import Run, Series
from diagnose.verdict import Finding, Healthy, NotMeasured, Verdict
from diagnose.wording import times

LIMITS = {"float16": 65504.0, "bfloat16": 3.39e38, "float32": 3.4e38, "float64": 1.8e308}  # arithmetic
MARGIN = 10.0  # a guess: a batch ten times as hard does come
LEAST = NEEDED


def judge(case: Case) -> Iterator[Verdict]:
    """Each activation by its largest number."""
    run, layout = case.run, case.layout
    looked = False
    for where in dict.fromkeys([*run.places("preactivation.max"), *run.places("activation.max")]):
        dtype = layout.site(where).dtype or "float32"
        limit = LIMITS.get(dtype)
        largest = _largest(run, where)
        if limit is None or len(largest) < 3:
            continue
        looked = True
        since = lasting(largest, largest.values > limit / MARGIN)
        if since is None:
            yield Healthy(where)
            continue
        most = float(largest.values[-WINDOW:].max())
        yield Finding(
            where,
            f"Numbers at {site_name(layout, where)} reach {most:.3g}; the largest {dtype} is {limit:.3g}.",
            severity="warning",
            blames=("initialization", "preprocessing", "activation"),
            since=since,
            evidence={"largest": most, "limit": limit},
            remedy=f"Divide the layer's inputs or weights by {times(max(most * MARGIN / limit, 10))}, "
            "or compute it in float32 or bfloat16.",
            refute="The largest value stays where it is over the whole training.",
            confidence=0.6,
        )
    if not looked:
        yield NotMeasured("", "no activation was seen at 3 observations")


def _largest(run: Run, where: str) -> Series:
    """Largest absolute value in front of or behind the activation, by observation."""
    columns = [
        run.series(f"{side}.{end}", where).finite()
        for side in ("preactivation", "activation")
        for end in ("min", "max")
    ]
    columns = [column for column in columns if len(column)]
    steps = np.unique(np.concatenate([column.steps for column in columns])) if columns else np.empty(0, np.int64)
    values = np.zeros(len(steps))
    for column in columns:
        np.maximum.at(values, np.searchsorted(steps, column.steps), np.abs(column.values))
    return Series(steps, values)


RULE = Rule(
    __name__,
    __doc__,
    part="activation",
    judge=judge,
    explains=(
        "non-finite-activation",
        "non-finite-loss",
        "non-finite-gradient",
        "non-finite-weights",
        "hidden-nan",
        "collapsed-loss-scale",
    ),
    flow="forward",
)
