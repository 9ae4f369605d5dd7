"""Doubled activation: two activations in a row, with nothing between them.

Sees: mean, standard deviation, smallest and largest entry of the outputs of one activation and of the inputs of
another: equal at all observations where the one feeds the other directly. And `activation.spread` after each of the
two.

Harm: the second acts on what the first has already changed. A squashing one turns such a signal into a nearly constant
offset: the differences between samples are a small part of it, and its slope is small.

Fires: a hidden activation whose input is another's output. A warning where it leaves less than KEPT of the relative
spread (of tanh a sigmoid leaves about 0.27, of ReLU 0.24); else a note.

Rests: where one of the two functions is linear; output layers, which clipped-logits looks at.

Remedy: leave out one of the two: mostly an `Activation` layer after a layer that has an `activation` of its own.

Refute: the gradient in front of them is no larger, and the metrics no better, without the second.

Source: arithmetic for the shares, at inputs of N(0, 1); the bound is a guess.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from diagnose.remedy import remedy
from diagnose.rules.evidence.case import Case
from diagnose.rules.evidence.persistence import FEWEST, lasting, recent
from diagnose.rules.rule import Rule
from diagnose.run.layout import Layout, site_name
from diagnose.run.run import Run, Series
from diagnose.verdict import Finding, Healthy, NotMeasured, Verdict
from diagnose.wording import percent

KEPT = 0.5  # a guess: half of the variation between samples
NUMBERS = ("mean", "std", "min", "max")
SAME = 1e-5  # arithmetic: the same tensor in another shape may be summed in another order, in float32


def judge(case: Case) -> Iterator[Verdict]:
    """Each hidden activation, against those before it."""
    run, layout = case.run, case.layout
    places = sorted((where for where in run.places("preactivation.std") if layout.hidden(where)), key=layout.position)
    places = [where for where in places if len(run.series("activation.std", where)) >= FEWEST]
    if not places:
        yield NotMeasured("", "no hidden activation was seen at 3 observations")
        return
    bent = [where for where in places if not _same(run, "preactivation", where, "activation", where)]
    given = np.array([_ends(run, "activation", where) for where in bent]).reshape(-1, len(NUMBERS))
    rank = {where: index for index, where in enumerate(bent)}
    for where in places:
        # Of hundreds of activations before it few end on the same numbers, and only those are compared entry by entry.
        before = given[: rank.get(where, 0)]
        size = np.abs(before[:, 2:]).max(axis=1, keepdims=True)
        near = np.all(np.abs(before - _ends(run, "preactivation", where)) <= SAME * size, axis=1)
        alike = (bent[index] for index in reversed(np.flatnonzero(near)))
        first = next((name for name in alike if _same(run, "activation", name, "preactivation", where)), None)
        yield Healthy(where) if first is None else _finding(run, layout, first, where)


def _finding(run: Run, layout: Layout, first: str, second: str) -> Finding:
    one, other = (run.series("activation.spread", where).finite() for where in (first, second))
    steps, at_one, at_other = np.intersect1d(one.steps, other.steps, return_indices=True)
    before, after = one.values[at_one], other.values[at_other]
    kept = Series(steps[before > 0], after[before > 0] / before[before > 0])
    since = lasting(kept, kept.values < KEPT)
    evidence: dict[str, float | str] = {"first activation": first}
    if len(kept):
        evidence["spread kept"] = recent(kept)
    what = f"{site_name(layout, second)} is applied directly to the output of {site_name(layout, first)}"
    return Finding(
        second,
        f"{what}; {percent(recent(kept))} of the variation between samples is left."
        if since is not None
        else f"{what}.",
        severity="note" if since is None else "warning",
        blames=("layers", "activation"),
        since=since,
        evidence=evidence,
        remedies=tuple(remedy("replace-activation", place, "linear") for place in (second, first)),
        refute="The gradient in front of them is no larger, and the metrics are no better, with only one of them.",
        confidence=0.75 if since is not None else 0.9,
    )


def _ends(run: Run, side: str, where: str) -> list[float]:
    """The last of each of `NUMBERS` there; NaN where it was not measured."""
    measured = [run.series(f"{side}.{of}", where).values for of in NUMBERS]
    return [float(values[-1]) if len(values) else np.nan for values in measured]


def _same(run: Run, one_side: str, one: str, other_side: str, other: str) -> bool:
    """Whether the same numbers were read at both, at every observation, and they vary."""
    pairs = [(run.series(f"{one_side}.{of}", one), run.series(f"{other_side}.{of}", other)) for of in NUMBERS]
    if any(len(a) < FEWEST or not np.array_equal(a.steps, b.steps) for a, b in pairs):
        return False
    size = np.maximum(np.abs(pairs[2][0].values), np.abs(pairs[3][0].values))
    return bool(np.any(size > 0)) and all(bool(np.all(np.abs(a.values - b.values) <= SAME * size)) for a, b in pairs)


RULE = Rule(
    __name__,
    __doc__,
    part="initialization",
    judge=judge,
    explains=(
        "dead-units",
        "saturated-activation",
        "blocked-gradient",
        "vanishing-gradient",
        "zero-gradient",
        "fading-signal",
        "collapsed-representation",
        "constant-predictions",
        "small-updates",
        "slow-progress",
    ),
    flow="here",
)
