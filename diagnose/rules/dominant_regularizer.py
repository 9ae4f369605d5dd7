"""Dominant regularizer: the penalty on the weights outweighs the loss of the data.

Sees: `batch.regularization`, the part of the batch's loss that regularizers and `add_loss` give, against the rest.

Harm: the training makes weights small instead of predictions good.

Fires: the penalty is over TIMES the loss of the data, at 4 of the last 5 observations.

Rests: a data loss near 0, where everything outweighs it; a good skill (then it is a note).

Remedy: a smaller factor of the regularizer, as the message computes it.

Refute: the skill is no better without regularization.

Source: rules.md.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from diagnose.outcome import last_finite
from diagnose.rules._persistence import lasting, recent, too_few
from diagnose.rules._wording import times
from diagnose.run import Run, Series
from diagnose.verdict import Finding, Healthy, NotMeasured, Verdict

PART = "optimizer"
EXPLAINS = ("slow-progress", "constant-predictions", "fading-signal", "vanishing-gradient", "collapsed-representation")

TIMES = 2.0  # rules.md
FITTED = 0.1  # a guess: under a tenth of the constant answer's loss the data are fitted, whatever the penalty


def judge(run: Run) -> Iterator[Verdict]:
    """The penalty against the loss of the data."""
    penalty, loss = run.series("batch.regularization").finite(), run.series("batch.loss").finite()
    steps, one, other = np.intersect1d(penalty.steps, loss.steps, return_indices=True)
    part, data = penalty.values[one], loss.values[other] - penalty.values[one]
    ratio = Series(steps, part / np.maximum(data, 1e-12))
    if len(ratio) < 3:
        yield NotMeasured(
            "", f"the penalty {too_few(ratio)}" if len(ratio) else "nothing is regularized, or it was not seen"
        )
        return
    baseline = last_finite(run, "loss.constant")
    fitted = baseline is not None and recent(Series(steps, data)) < FITTED * baseline
    since = lasting(ratio, (ratio.values > TIMES) & (data > 0))
    if since is None or fitted:
        yield Healthy("")
        return
    now = recent(ratio)
    yield Finding(
        "",
        f"The regularization is {times(now)} times the loss of the data.",
        severity="critical" if now > 10 * TIMES else "warning",
        blames=("regularization",),
        since=since,
        evidence={"penalty over loss of the data": now},
        remedy=f"Divide the factor of the regularizers by {times(10 * now)}.",
        refute="The skill is no better without regularization.",
        confidence=0.7,
    )
