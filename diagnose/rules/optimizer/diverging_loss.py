"""Diverging loss: the training loss grows from its best value.

Sees: the training loss by epoch (on the held set where that was measured), and the loss of the best constant
prediction.

Harm: what was learned is being lost.

Fires: the last loss is over TWICE its best, no lower than the one before it, and over HALF of the loss of the
best constant prediction (of the first loss, where that is not known).

Rests: a ripple near zero, where twice of next to nothing is next to nothing.

Remedy: a third of the learning rate; keep the best weights (`EarlyStopping(restore_best_weights=True)`).

Refute: the loss comes down again by itself within as many epochs as it rose.

Source: arithmetic: at half of the baseline's loss most of what was learned is gone; twice the best is a guess.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from diagnose.outcome.skills import last_finite
from diagnose.remedy import remedy
from diagnose.rules.evidence.case import Case
from diagnose.rules.evidence.change import rate_times
from diagnose.rules.evidence.losses import epoch_losses
from diagnose.rules.rule import Rule
from diagnose.verdict import Finding, Healthy, NotMeasured, Verdict
from diagnose.wording import counted

TWICE = 2.0  # a guess
HALF = 0.5  # arithmetic: see Source
LEAST = 3  # arithmetic: a best, a step up, another


def judge(case: Case) -> Iterator[Verdict]:
    """The last loss against the best one."""
    run = case.run
    losses = epoch_losses(run)
    if len(losses) < LEAST:
        yield NotMeasured("", f"{counted(len(losses), 'epoch')} with a finite loss seen; {LEAST} are needed")
        return
    values = losses.values
    best = int(np.argmin(values))
    baseline = last_finite(run, "loss.constant")
    if baseline is None or baseline <= 0:
        baseline = abs(float(values[0]))
    last = float(values[-1])
    grown = last > TWICE * values[best] and values[best] > 0 and last >= values[-2]
    if not grown or last <= HALF * baseline:
        yield Healthy("")
        return
    yield Finding(
        "",
        f"The training loss rose from {values[best]:.3g} to {last:.3g} and still rises.",
        severity="critical" if last > 10 * values[best] else "warning",
        blames=("learning-rate",),
        since=int(losses.steps[min(best + 1, len(values) - 1)]),
        evidence={
            "best loss": float(values[best]),
            "last loss": last,
            "loss of the best constant prediction": float(baseline),
        },
        remedies=(rate_times(run, 1 / 3), remedy("clipnorm", value=1.0), remedy("early-stopping", value=3)),
        refute="The loss comes down again by itself within as many epochs.",
        confidence=0.65,
    )


RULE = Rule(
    __name__,
    __doc__,
    part="optimizer",
    judge=judge,
    explains=("non-finite-loss", "non-finite-weights", "hidden-nan"),
)
