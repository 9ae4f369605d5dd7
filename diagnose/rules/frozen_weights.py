"""Frozen weights: nothing that could learn is trainable, or nothing moves though it has a gradient.

Sees: the model's trainable parameters; `update.ratio` of every kernel, with its `gradient.rms`; where the optimizer
was given no gradient at all, `optimizer.updates` and `weight.rms`.

Harm: the model answers at the end what it answered at the start.

Fires: no trainable parameter at all; or every kernel's update is exactly 0 at 4 of the last 5 observations, while its
gradient times the rate is over RESOLUTION of the weight; or no gradient ever reached the optimizer, its counter stands
still, and so does every weight, over STEPS steps or more.

Rests: a frozen base under a head that trains (transfer learning); a gradient so small that its step is lost in
rounding: then the gradient is the trouble, and a vanishing gradient says so.

Remedy: set `layer.trainable = True` and compile again (without compile it has no effect); give the optimizer the
model's variables; look at the learning rate and the loss scale.

Refute: a weight differs before and after a step.

Source: Keras applies changes of `trainable` at compile only (reproduced; keras-team/keras issue 6405).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from diagnose.layout import Layout
from diagnose.rules._gradients import kernels
from diagnose.rules._persistence import FEWEST, lasting, recent
from diagnose.run import Run
from diagnose.verdict import Finding, Healthy, NotMeasured, Verdict

PART = "optimizer"
EXPLAINS = ("small-updates", "constant-predictions", "slow-progress", "collapsed-representation")

STEPS = 20  # a guess: longer than gradients are ever accumulated before an update
RESOLUTION = 6e-8  # arithmetic: half the spacing of float32 at 1; a smaller step leaves the weight as it was


def judge(run: Run) -> Iterator[Verdict]:
    """Trainable parameters first, then updates."""
    model, layout = run.meta.get("model", {}), Layout(run)
    if model.get("trainable_parameters") == 0 and model.get("parameters", 0) > 0:
        yield Finding(
            "",
            f"None of the model's {model['parameters']:,} parameters is trainable.",
            severity="critical",
            blames=("layers",),
            evidence={"trainable parameters": 0.0},
            remedy="Set `layer.trainable = True` for what shall learn, and compile again.",
            refute="A weight differs before and after a step.",
            confidence=0.95,
        )
        return
    moving = [name for name in kernels(run, layout) if len(run.series("update.ratio", name).finite()) >= 3]
    if not moving:
        if (since_step := _never_updated(run)) is not None:
            yield _unapplied(since_step)
            return
        yield NotMeasured("", "the updates of no kernel were seen at 3 observations or more")
        return
    since = []
    rates = run.series("optimizer.learning_rate").finite()
    rate = float(rates.values[-1]) if len(rates) else 1.0
    for name in moving:
        ratio = run.series("update.ratio", name).finite()
        step = lasting(ratio, ratio.values == 0)
        if step is None or not _felt(run, name, rate):
            yield Healthy("")
            return
        since.append(step)
    stopped = rate == 0.0
    yield Finding(
        "",
        f"No kernel moves ({len(moving)} looked at), though they have gradients"
        + ("; the learning rate is 0." if stopped else "."),
        severity="critical",
        blames=("learning-rate", "optimizer") if stopped else ("optimizer", "layers"),
        since=min(since),
        evidence={"kernels": float(len(moving)), "update ratio": 0.0},
        remedy="Set a learning rate over 0."
        if stopped
        else "Look at the loss scale, at a custom train_step, and at which variables the optimizer was given.",
        refute="A weight differs before and after a step.",
        confidence=0.9,
    )


def _felt(run: Run, name: str, rate: float) -> bool:
    """Whether a step along the gradient would change the weight: it is not lost in rounding.

    A rate of 0 is the fault itself, so there any gradient counts.
    """
    gradient = run.series("gradient.rms", name).finite().values[-5:]
    weight = recent(run.series("weight.rms", name).finite())
    least = RESOLUTION * weight / rate if rate > 0 and np.isfinite(weight) else 0.0
    return bool(np.any(gradient > least))


def _never_updated(run: Run) -> int | None:
    """First step seen, if from then on the optimizer got no gradient and counted no update, and no weight moved."""
    updates = run.series("optimizer.updates").finite()
    weights = [run.series("weight.rms", name).finite() for name in run.places("weight.rms")]
    if run.places("gradient.rms") or len(updates) < FEWEST or updates.steps[-1] - updates.steps[0] < STEPS:
        return None
    if not weights or any(len(np.unique(series.values)) > 1 for series in (updates, *weights)):
        return None
    return int(updates.steps[0])


def _unapplied(since: int) -> Finding:
    return Finding(
        "",
        "No weight moves: the optimizer was given no gradient and counts no update.",
        severity="critical",
        blames=("optimizer", "layers"),
        since=since,
        evidence={"updates": 0.0},
        remedy="In your train_step, hand the gradients to the optimizer: "
        "`self.optimizer.apply(gradients, self.trainable_variables)`.",
        refute="A weight differs before and after a step.",
        confidence=0.9,
    )
