"""Dominant regularizer: the penalty on the weights outweighs the loss of the data.

Sees: `batch.regularization`, the part of the batch's loss that regularizers and `add_loss` give, against the rest.

Harm: the training makes weights small instead of predictions good.

Fires: the penalty is over TIMES the loss of the data, at 4 of the last 5 observations or in the median of all (it has
made the weights small by the end, and the penalty with them). Or under LEFT of the kernels' first size is left, and the
optimizer's weight decay alone would have taken as much, or a constraint of the kernels did.

Rests: a data loss near 0, where everything outweighs it; a model compiled without a loss, whose whole loss comes from
`add_loss` and is no penalty; a good accuracy or R squared (then it is a note).

Remedy: a smaller factor of the regularizer, as the message computes it; a weight decay of USUAL; a looser constraint.

Refute: the metrics are no better without regularization.

Source: arithmetic: a rate times a decay is the share of a weight that each update takes away (Loshchilov and Hutter
2019, section 2); beyond 1 the sum falls faster by smaller weights than by better predictions; twice, to be sure.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from diagnose.remedy import advice, remedy
from diagnose.rules.evidence.case import Case
from diagnose.rules.evidence.change import two_digits
from diagnose.rules.evidence.persistence import lasting, recent, too_few
from diagnose.rules.rule import Rule
from diagnose.run.run import Series
from diagnose.verdict import Finding, Healthy, NotMeasured, Verdict
from diagnose.wording import percent, times

TIMES = 2.0  # a guess: see Source
LEFT = 0.1  # a guess: with a tenth of its kernels' size a network says next to nothing
NOTHING = 1e-4  # of it, for the words only
USUAL = 0.004  # Keras' default of AdamW
ROUNDING = 1e-5  # arithmetic: what a sum of some float32 numbers is off by
FITTED = 0.1  # a guess: at a tenth of their first loss the data are fitted, whatever the penalty


def judge(case: Case) -> Iterator[Verdict]:
    """The penalty against the loss of the data, then what presses on the weights beside the loss."""
    run = case.run
    if (pressed := _pressed(case)) is not None:
        yield pressed
        return
    penalty, loss = run.series("batch.regularization").finite(), run.series("batch.loss").finite()
    steps, one, other = np.intersect1d(penalty.steps, loss.steps, return_indices=True)
    part, data = penalty.values[one], loss.values[other] - penalty.values[one]
    if len(steps) and case.facts.loss.name is None and np.all(np.abs(data) <= ROUNDING * np.abs(part)):
        yield NotMeasured("", "the whole loss comes from `add_loss`, and which part of it is a penalty is not known")
        return
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
        remedies=(
            remedy("regularizers", value=two_digits(1 / (10 * now))),
            remedy("regularizers", value=0),
        ),
        refute="The metrics are no better without regularization.",
        confidence=0.8,
    )


def _pressed(case: Case) -> Finding | None:
    """Weights that a decay or a constraint has made small, which are no part of the loss."""
    run = case.run
    sizes = [run.series("weight.rms", name).finite() for name in case.kernels]
    left = [float(size.values[-1] / size.values[0]) for size in sizes if len(size) > 1 and size.values[0] > 0]
    if not left or np.median(left) >= LEFT:
        return None
    decay = case.facts.optimizer.weight_decay
    rates = run.series("optimizer.learning_rate").finite().values
    updates = run.series("optimizer.updates").finite().values
    taken = float(np.mean(rates) * (updates[-1] - updates[0])) if len(rates) and len(updates) else 0.0
    bound = {layer.path: layer.constraint for layer in case.facts.model.layers if layer.constraint}
    if isinstance(decay, (int, float)) and decay * taken > -np.log(LEFT):
        what = f"the weight decay of {decay:g}"
        change = remedy("weight-decay", value=USUAL, text=f"Set weight_decay={USUAL} (now {decay:g})")
    elif bound:
        what = f"a constraint ({next(iter(bound.values()))} at `{next(iter(bound))}`)"
        change = advice("Loosen the `kernel_constraint`, or leave it off: MaxNorm(3) is usual")
    else:
        return None
    return Finding(
        "",
        f"{percent(float(np.median(left))) if np.median(left) > NOTHING else 'Practically none'} of the kernels' "
        f"initial size is left: {what} shrinks them.",
        severity="critical",
        blames=("regularization",),
        since=int(sizes[0].steps[0]),
        evidence={"size over that at first": float(np.median(left))},
        remedies=(change,),
        refute="The kernels keep their size without it.",
        confidence=0.85,
    )


RULE = Rule(
    __name__,
    __doc__,
    part="optimizer",
    judge=judge,
    explains=(
        "slow-progress",
        "constant-predictions",
        "fading-signal",
        "vanishing-gradient",
        "zero-gradient",
        "collapsed-representation",
        "dead-units",
        "large-updates",
        "plateau",
    ),
)
