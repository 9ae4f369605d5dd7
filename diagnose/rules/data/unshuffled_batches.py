"""Unshuffled batches: each batch holds one class only.

Sees: `batch.majority_share`, the share of the commonest class in each observed batch, against that in all data.

Harm: the model learns one class, forgets it for the next, and ends with the last.

Fires: over HALF of the observed batches hold over ONE of one class, where all data have under MOST of it.

Rests: batches of under SAMPLES samples; data that are of one class nearly all.

Remedy: `shuffle=True` in fit, or `dataset.shuffle(buffer_size=len(x))` with a buffer as large as the data.

Refute: the labels of one batch are of several classes.

Source: Bengio (2012), "Practical recommendations", section 3.1.1: examples in random order; the bounds are guesses.
"""

from __future__ import annotations

from collections.abc import Iterator

from diagnose.outcome.skills import majority_share
from diagnose.remedy import remedy
from diagnose.rules.evidence.case import Case
from diagnose.rules.evidence.persistence import recent
from diagnose.rules.rule import Rule
from diagnose.verdict import Finding, Healthy, NotMeasured, Verdict
from diagnose.wording import counted, percent

ONE = 0.95  # arithmetic: 8 samples of two equal classes are of one in 1 of 128 batches
HALF = 0.5
MOST = 0.8  # a guess: where one class has over four fifths, batches of one class are common
SAMPLES = 8
LEAST = 5  # observations


def judge(case: Case) -> Iterator[Verdict]:
    """Each output by the batches' majorities."""
    run = case.run
    places = run.places("batch.majority_share")
    if not places:
        yield NotMeasured("", "the labels of the batches were not counted")
    size = run.series("batch.size").finite()
    for where in places:
        shares, overall = run.series("batch.majority_share", where).finite(), majority_share(run, where)
        if len(shares) < LEAST or overall is None or (len(size) and recent(size) < SAMPLES):
            yield NotMeasured(
                where,
                f"{counted(len(shares), 'batch')} seen; {LEAST} of {SAMPLES} samples or more are needed",
            )
            continue
        ordered = float((shares.values > ONE).mean())
        if ordered <= HALF or overall >= MOST:
            yield Healthy(where)
            continue
        yield Finding(
            where,
            f"{percent(ordered)} of the observed batches are of one class; the commonest class has "
            f"{percent(overall)} of all labels.",
            severity="warning",
            blames=("data",),
            since=int(shares.steps[0]),
            evidence={"batches of one class": ordered, "majority share": overall},
            remedy="Set shuffle=True in fit, or dataset.shuffle(buffer_size=len(x)) "
            "with a buffer as large as the data.",
            remedies=(remedy("shuffle"),),
            refute="The labels of one batch are of several classes.",
            confidence=0.8,
        )


RULE = Rule(
    __name__,
    __doc__,
    part="data",
    judge=judge,
    explains=(
        "oscillating-loss",
        "constant-predictions",
        "diverging-loss",
        "train-eval-gap",
        "dead-units",
        "collapsed-representation",
    ),
)
