"""Dominant regularizer: the penalty on the weights outweighs the loss of the data.

Sees: `batch.regularization`, the part of the batch's loss that regularizers and `add_loss` give, against the rest.

Harm: the training makes weights small instead of predictions good.

Fires: the penalty is over TIMES the loss of the data, at 4 of the last 5 observations or in the median of all (it has
made the weights small by the end, and itself with them).

Rests: a data loss near 0, where everything outweighs it; a good skill (then it is a note).

Remedy: a smaller factor of the regularizer, as the message computes it.

Refute: the skill is no better without regularization.

Source: arithmetic: beyond 1 the sum falls faster by smaller weights than by better answers; twice, to be sure.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from diagnose.rules._persistence import lasting, recent, too_few
from diagnose.rules._wording import times
from diagnose.run import Run, Series
from diagnose.verdict import Finding, Healthy, NotMeasured, Verdict

PART = "optimizer"
EXPLAINS = ("slow-progress", "constant-predictions", "fading-signal", "vanishing-gradient", "collapsed-representation")

TIMES = 2.0  # a guess: see Source
FITTED = 0.1  # a guess: at a tenth of their first loss the data are fitted, whatever the penalty


def judge(run: Run) -> Iterator[Verdict]:
    """The penalty against the loss of the data."""
    penalty, loss = run.series("batch.regularization").finite(), run.series("batch.loss").finite()
    steps, one, other = np.intersect1d(penalty.steps, loss.steps, return_indices=True)
    part, data = penalty.values[one], loss.values[other] - penalty.values[one]
    ratio = Series(steps, part / np.maximum(data, 1e-12))
    if len(ratio) < 3:
        yield NotMeasured("", f"the penalty {too_few(ratio)}" if len(ratio) else "no penalty was seen beside the loss")
        return
    fitted = recent(Series(steps, data)) < FITTED * float(data[0])
    sick = (ratio.values > TIMES) & (data > 0)
    since = lasting(ratio, sick)
    if since is None and np.median(ratio.values) > TIMES:
        since = int(steps[np.argmax(sick)])
    if since is None or fitted:
        yield Healthy("")
        return
    now = max(recent(ratio), float(np.median(ratio.values)))
    yield Finding(
        "",
        f"The regularization is {times(now)} times the loss of the data.",
        severity="critical" if now > 10 * TIMES else "warning",
        blames=("regularization",),
        since=since,
        evidence={"penalty over loss of the data": now},
        remedy=f"Divide the factor of the regularizers by {times(10 * now)}.",
        refute="The skill is no better without regularization.",
        confidence=0.8,
    )
